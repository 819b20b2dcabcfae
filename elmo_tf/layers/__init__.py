"""Keras layers of the biLM, each usable alone.

Dimensions in shape comments: B rows, T steps, C characters, U distinct words, D projection, H cells, L layers, V words
of the vocabulary, N tokens.
"""

from elmo_tf.layers.highway import Highway
from elmo_tf.layers.lstm_stack import LstmStack
from elmo_tf.layers.pooling import SentencePooling
from elmo_tf.layers.projected_lstm import ProjectedLSTM
from elmo_tf.layers.scalar_mix import ScalarMix
from elmo_tf.layers.softmax import SoftmaxHead
from elmo_tf.layers.token_encoder import CharacterEncoder, WordEncoder

__all__ = [
    "CharacterEncoder",
    "Highway",
    "LstmStack",
    "ProjectedLSTM",
    "ScalarMix",
    "SentencePooling",
    "SoftmaxHead",
    "WordEncoder",
]
