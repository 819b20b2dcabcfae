"""Embeds sentences lazily: turns any iterable of sentences into an iterator of arrays."""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from elmo_tf.bulk.layer_choice import LayerChoice
from elmo_tf.bulk.settings import EmbedSettings
from elmo_tf.errors import InputError
from elmo_tf.inference.length_batches import batches
from elmo_tf.inference.sentence_embedder import SentenceEmbedder
from elmo_tf.store.load_model import LoadedBiLM, load_bilm

_LOOK_AHEAD_TOKENS = 16_384
"""The number of tokens at which reading ahead stops, which bounds the memory for the vectors."""


class Embedder(NamedTuple):
    """A model that is ready to embed.

    Args:
        embed: the function that embeds a batch: a `SentenceEmbedder` or a function with the same call.
        loaded: the model and its vocabulary; None if the caller gave only `embed`.
    """

    embed: Any
    loaded: LoadedBiLM | None

    @property
    def weights_file(self) -> str | None:
        """The file that the model was loaded from; None if it is not known."""
        return None if self.loaded is None else self.loaded.source


def embedder_of(model: Any, settings: EmbedSettings) -> Embedder:
    """Makes the embedder of a model.

    Args:
        model: a path or name that `load_bilm` accepts, a `LoadedBiLM`, a `SentenceEmbedder`, or a function that is
            called in the same way as a `SentenceEmbedder`.
        settings: the settings, of which `precision`, `word_cache` and `vocab_to_cache` are used. The latter two do not
            concern an embedder that is made already.

    Raises:
        InputError: the model cannot be loaded, or was loaded in another precision, or reads words and therefore takes
            no `vocab_to_cache`.
    """
    if isinstance(model, (str, os.PathLike)):
        model = load_bilm(model, dtype=settings.dtype_policy)
    if not isinstance(model, LoadedBiLM):
        return Embedder(model, None)
    policy = model.bilm.dtype_policy.name
    if policy != settings.dtype_policy:
        raise InputError(
            f"precision: expected that of the model, which was loaded with the dtype policy {policy}, got "
            f"{settings.precision}",
            option="precision",
        )
    arguments: dict[str, Any] = {"word_cache": settings.word_cache} if settings.word_cache else {}
    if settings.vocab_to_cache is not None:
        if model.bilm.reads_word_ids:
            raise InputError(
                "vocab_to_cache: expected it with a model that reads characters alone, for one that reads words looks "
                "all of them up",
                option="vocab_to_cache",
            )
        arguments["vocab_to_cache"] = settings.vocab_to_cache
    return Embedder(SentenceEmbedder(model.bilm, model.vocabulary, **arguments), model)


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
    precision: str = "float32",
    word_cache: int = 0,
    vocab_to_cache: Iterable[str] | str | os.PathLike[str] | None = None,
    batch_tokens: int = EmbedSettings.batch_tokens,
    look_ahead: int = 1024,
) -> Iterator[np.ndarray]:
    """Embeds sentences and yields their vectors in the order of the sentences, whatever batches they are computed in.

    Args:
        sentences: any iterable of lists of tokens. It is read only as far as the arrays that are requested need it.
        model: a model's folder, file or published name; or a `LoadedBiLM`; or a `SentenceEmbedder`.
        layers: "all", "top", "average", "mix" or layer numbers, as in `elmo_tf.bulk.settings.EmbedSettings`.
        mix_weights: with `layers="mix"`, the shares of the layers, which may be followed by gamma.
        mix_from: with `layers="mix"`, a `.keras` file whose learned mix is used.
        pooling: None for one vector per token, "mean" or "max" for one vector per sentence.
        dtype: "float32" or "float16".
        keep_boundaries: whether the boundaries `<S>` and `</S>` get vectors too.
        precision, word_cache, vocab_to_cache: as in `EmbedSettings`.
        batch_tokens: the most tokens in a batch, including padding; a longer sentence is a batch of its own.
        look_ahead: the most sentences that are read before their vectors are yielded. Sentences of similar length among
            them are batched together.

    Returns:
        An iterator of arrays `([layers,] [tokens,] directions * D)`.

    Raises:
        InputError: the model cannot be loaded, or an argument is not one of those above.
        ValueError: a sentence is a string instead of a list of tokens, or a token is not a string.

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
        precision=precision,
        word_cache=word_cache,
        vocab_to_cache=vocab_to_cache,
        batch_tokens=batch_tokens,
    )
    embedder = embedder_of(model, settings)
    settings = settings.with_mix_of(embedder.weights_file)
    return _embedded(sentences, BlockEmbedder(embedder, settings), max(1, look_ahead))


def _embedded(sentences: Iterable[Sequence[str]], embedder: "BlockEmbedder", look_ahead: int) -> Iterator[np.ndarray]:
    for block in _blocks(sentences, look_ahead):
        yield from embedder(block)


def _blocks(sentences: Iterable[Sequence[str]], look_ahead: int) -> Iterator[list[Sequence[str]]]:
    """Yields blocks of `look_ahead` sentences, or of fewer where the sentences are long."""
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
    """Embeds blocks of sentences in batches of similar length, and returns the results in the order of the sentences.

    Args:
        embedder: the model.
        settings: the settings that say which vectors to compute.

    Raises:
        InputError: the layers or the mix of the settings do not fit the model.
    """

    def __init__(self, embedder: Embedder, settings: EmbedSettings) -> None:
        self._embed, self._settings = embedder.embed, settings
        self._choice: LayerChoice | None = None
        if embedder.loaded is not None:  # raises before anything is computed
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
