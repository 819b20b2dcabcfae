"""Keras layers of the biLM, each usable alone.

All shapes in the package are written with these letters:

    B  rows of a batch
    T  time steps of a row: tokens
    C  characters of a word
    U  distinct words of a batch
    D  projection: size of a word's vector, and of an LSTM's output
    H  cells of an LSTM layer
    L  LSTM layers of one direction
    V  words of the vocabulary

Lower-case letters and the few other capitals are explained where they are used: I and O are the sizes of an input and
an output, N is a number of tokens, n one of filters or of negatives.
"""
# ruff: noqa: E402, the imports below fail in odd ways where Keras has another backend

from typing import TypeAlias

from elmo_tf.system.keras_backend import check_backend

check_backend()

from elmo_tf.layers.highway import Highway
from elmo_tf.layers.lexicon_encoder import LexiconEncoder
from elmo_tf.layers.lstm_stack import LstmStack
from elmo_tf.layers.pooling import SentencePooling
from elmo_tf.layers.projected_lstm import ProjectedLSTM
from elmo_tf.layers.scalar_mix import ScalarMix
from elmo_tf.layers.softmax_head import SoftmaxHead
from elmo_tf.layers.token_encoder import CharacterEncoder, WordEncoder

TokenEncoder: TypeAlias = CharacterEncoder | WordEncoder | LexiconEncoder
"""The first layer of a biLM: character ids, word ids or words to vectors."""

__all__ = [
    "CharacterEncoder",
    "Highway",
    "LexiconEncoder",
    "LstmStack",
    "ProjectedLSTM",
    "ScalarMix",
    "SentencePooling",
    "SoftmaxHead",
    "TokenEncoder",
    "WordEncoder",
]
