"""Sentences to vectors, lazily: any iterable of sentences to an iterator of arrays."""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from elmo_tf.bulk.layer_choice import LayerChoice
from elmo_tf.bulk.settings import EmbedSettings
from elmo_tf.inference.length_batches import batches
from elmo_tf.inference.sentence_embedder import SentenceEmbedder
from elmo_tf.store.load_model import LoadedBiLM, load_bilm

_LOOK_AHEAD_TOKENS = 16_384
"""Tokens of the sentences that are read ahead, so that their vectors are of bounded size."""


class Embedder(NamedTuple):
    """A model ready to embed: what embeds a batch, and the model where it is known."""

    embed: Any
    loaded: LoadedBiLM | None

    @property
    def weights_file(self) -> str | None:
        """The file that the model was loaded from; None where it is not known."""
        return None if self.loaded is None else self.loaded.source


def embedder_of(model: Any) -> Embedder:
    """The embedder of a model.

    Args:
        model: whatever `load_bilm` reads; or a `LoadedBiLM`; or a `SentenceEmbedder`, or a function like one.
    """
    if isinstance(model, (str, os.PathLike)):
        model = load_bilm(model)
    if isinstance(model, LoadedBiLM):
        return Embedder(SentenceEmbedder(model.bilm, model.vocabulary), model)
    return Embedder(model, None)


def embed(
    sentences: Iterable[Sequence[str]],
    model: Any,
    *,
    layers: str = "all",
    mix_weights: str | Sequence[float] | None = None,
    mix_from: str | os.PathLike[str] | None = None,
    pooling: str | None = None,
    dtype: str = "float32",
    keep_boundaries: bool = False,
    batch_tokens: int = EmbedSettings.batch_tokens,
    look_ahead: int = 1024,
) -> Iterator[np.ndarray]:
    """Embeds sentences one after the other, in their order, however they are batched.

    Args:
        sentences: lists of tokens; any iterable, which is read as the arrays are asked for.
        model: a model's folder, file or published name; or a `LoadedBiLM`; or a `SentenceEmbedder`.
        layers: which layers, and the others as `elmo_tf.bulk.settings.EmbedSettings` has them.
        mix_weights: with `layers="mix"`, the shares of the layers and gamma.
        mix_from: with `layers="mix"`, a `.keras` file with a learned mix.
        pooling: None for a vector a token, "mean" or "max" for one a sentence.
        dtype: "float32" or "float16".
        keep_boundaries: whether `<S>` and `</S>` count as tokens too.
        batch_tokens: tokens of a batch, padding counted.
        look_ahead: the most sentences that are read before their vectors are given; among them batches of like length
            are formed.

    Returns:
        An iterator of arrays `([layers,] [tokens,] directions * D)`.

    Raises:
        InputError: the model cannot be loaded, or an argument is not one of those above.
        ValueError: a sentence is a text that is not split yet, or a token is no string.

    Example:

    >>> from elmo_tf.models.bilm import BiLM
    >>> from elmo_tf.data.vocabulary import Vocabulary
    >>> bilm = BiLM({"lstm": {"dim": 8, "projection_dim": 4}, "n_tokens_vocab": 4})
    >>> embedder = SentenceEmbedder(bilm, Vocabulary(["<S>", "</S>", "<UNK>", "a"]))
    >>> [vectors.shape for vectors in embed(iter([["a", "b", "a"], []]), embedder, layers="top")]
    [(3, 8), (0, 8)]
    """
    settings = EmbedSettings(
        layers=layers,
        mix_weights=mix_weights,
        mix_from=mix_from,
        pooling="none" if pooling is None else pooling,
        dtype=dtype,
        keep_boundaries=keep_boundaries,
        batch_tokens=batch_tokens,
    )
    embedder = embedder_of(model)
    settings = settings.with_mix_of(embedder.weights_file)
    return _embedded(sentences, BlockEmbedder(embedder, settings), max(1, look_ahead))


def _embedded(sentences: Iterable[Sequence[str]], embedder: "BlockEmbedder", look_ahead: int) -> Iterator[np.ndarray]:
    for block in _blocks(sentences, look_ahead):
        yield from embedder(block)


def _blocks(sentences: Iterable[Sequence[str]], look_ahead: int) -> Iterator[list[Sequence[str]]]:
    """Blocks of so many sentences, or fewer where they are long."""
    block: list[Sequence[str]] = []
    tokens = 0
    for sentence in sentences:
        block.append(sentence)
        tokens += len(sentence)
        if len(block) >= look_ahead or tokens >= _LOOK_AHEAD_TOKENS:
            yield block
            block, tokens = [], 0
    if block:
        yield block


class BlockEmbedder:
    """Embeds blocks of sentences: in batches of like length, results in the order of the sentences.

    Args:
        embedder: the model.
        settings: what to compute.

    Raises:
        InputError: layers or a mix do not fit the model.
    """

    def __init__(self, embedder: Embedder, settings: EmbedSettings) -> None:
        self._embed, self._settings = embedder.embed, settings
        self._choice: LayerChoice | None = None
        if embedder.loaded is not None:  # refused before anything is computed
            self._choice = LayerChoice(settings, embedder.loaded.bilm.options.lstm.n_layers + 1)

    def __call__(self, sentences: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """The vectors of each sentence, `([layers,] [tokens,] size)`."""
        found: dict[int, np.ndarray] = {}
        boundaries = {"keep_boundaries": True} if self._settings.keep_boundaries else {}
        numbered = enumerate(sentences)
        for batch in batches(numbered, self._settings.batch_tokens):  # type: ignore[arg-type] # any sequence will do
            results = self._embed([tokens for _, tokens in batch], **boundaries)
            for (number, _), layers in zip(batch, results, strict=True):
                if self._choice is None:
                    self._choice = LayerChoice(self._settings, len(layers))
                found[number] = self._choice(layers)
        return [found[number] for number in range(len(sentences))]
