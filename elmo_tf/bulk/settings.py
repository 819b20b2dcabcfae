"""The settings of `embed` and `embed_file`. Settings that exclude each other raise an error when they are created."""

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from elmo_tf.errors import InputError
from elmo_tf.inference.length_batches import BATCH_TOKENS
from elmo_tf.store.file_names import MIX_FILE

INPUT_FORMATS = ("text", "conllu")
POOLINGS = ("none", "mean", "max")
DTYPES = ("float32", "float16")
PRECISIONS = ("float32", "bfloat16", "float16")
KEYS = ("number", "sentence")
COMPRESSIONS: Mapping[str, tuple[str, ...]] = {
    "hdf5": ("none", "gzip", "lzf"),
    "parquet": ("none", "zstd", "snappy"),
    "npz": ("none", "deflate"),
    "txt": ("none",),
}
"""The compressions that each output format allows."""


@dataclass(frozen=True)
class EmbedSettings:
    """The settings that say how a text is embedded and how the vectors are written.

    Args:
        input_format: "text", one tokenised sentence per line, or "conllu", whose second column holds the words.
        output_format: "hdf5", "parquet", "npz" or "txt".
        layers: "all", "top", "average", "mix", or layer numbers separated by commas, such as "0,2". A single number
            gives vectors without an axis for the layers, as "top" does.
        mix_weights: for "mix", the shares of the layers, as `ElmoLayer.mix_numbers` returns them, followed by gamma if
            gamma is not 1: "0.2,0.5,0.3,1.1", or a list of these numbers.
        mix_from: for "mix", instead of `mix_weights`, a `.keras` file, whose `ElmoLayer` has learned the mix.
        pooling: "none" for one vector per token; "mean" or "max" for one vector per sentence, pooled over its tokens.
            The vector of a sentence without tokens is zero.
        dtype: "float32" or "float16".
        keep_boundaries: whether the boundaries `<S>` and `</S>` get vectors too.
        keys: for HDF5, the name of a sentence's dataset: its "number", from 0, or the "sentence" itself
            (`elmo_tf.bulk.hdf5_vectors.sentence_key`). With "sentence", a repeated sentence is stored only once.
        sentence_to_index: for HDF5 with numbers as keys, whether to add AllenNLP's dataset `sentence_to_index`: a JSON
            object that maps each sentence to its key. The whole object is held in memory.
        compression: "none"; for HDF5 also "gzip" or "lzf", for Parquet "zstd" or "snappy", for npz "deflate".
        precision: the type that the model computes in: "float32"; or "bfloat16" or "float16", which are faster on
            GPUs, and on CPUs with instructions for them alone.
        word_cache: the most words whose vectors without context are kept over the run, the least recently used going
            first; 0 for none. A run that is resumed begins with an empty cache, so its vectors can differ from those
            of an unbroken run in the last bit.
        vocab_to_cache: words that are looked up instead of encoded, as of `SentenceEmbedder`: a list, a file with a
            word a line, or the HDF5 file of `elmo-tf tokens`.
        batch_tokens: the most tokens in a batch, including padding; a longer sentence is a batch of its own.
        block_bytes: the size of a block in bytes of text. A resumed run continues after the last block that is
            finished. A batch never extends beyond its block, so the size of the blocks slightly affects the speed, the
            memory and the last bits of the vectors.

    Raises:
        InputError: a setting does not have one of these values, or two settings exclude each other.

    Example:

    >>> EmbedSettings(output_format="txt", keys="sentence")
    Traceback (most recent call last):
    elmo_tf.errors.InputError: keys: expected number with the output format txt, got 'sentence'
    """

    input_format: str = "text"
    output_format: str = "hdf5"
    layers: str = "all"
    mix_weights: Any = None
    mix_from: Any = None
    pooling: str = "none"
    dtype: str = "float32"
    keep_boundaries: bool = False
    keys: str = "number"
    sentence_to_index: bool = False
    compression: str = "none"
    precision: str = "float32"
    word_cache: int = 0
    vocab_to_cache: Any = None
    batch_tokens: int = BATCH_TOKENS
    block_bytes: int = 128 << 10

    def __post_init__(self) -> None:
        if self.pooling is None:  # the value that ElmoLayer takes for no pooling
            object.__setattr__(self, "pooling", "none")
        _check("input_format", self.input_format, INPUT_FORMATS)
        _check("output_format", self.output_format, tuple(COMPRESSIONS))
        _check("pooling", self.pooling, POOLINGS)
        _check("dtype", self.dtype, DTYPES)
        _check("keys", self.keys, KEYS)
        _check("precision", self.precision, PRECISIONS)
        of_format = f" with the output format {self.output_format}"
        _check("compression", self.compression, COMPRESSIONS[self.output_format], of_format)
        if self.output_format != "hdf5":
            _check("keys", self.keys, ("number",), of_format)
        if self.sentence_to_index and (self.output_format != "hdf5" or self.keys != "number"):
            raise InputError(
                "sentence_to_index: expected it with the output format hdf5 and numbers for keys alone",
                option="sentence_to_index",
            )
        for name, least in (("batch_tokens", 1), ("block_bytes", 1), ("word_cache", 0)):
            if getattr(self, name) < least:
                raise InputError(f"{name}: expected a number from {least}, got {getattr(self, name)}", option=name)
        self._check_mix()

    def _check_mix(self) -> None:
        given = [name for name in ("mix_weights", "mix_from") if getattr(self, name) is not None]
        if self.layers != "mix" and given:
            raise InputError(
                f"{given[0]}: expected with layers=mix alone, got it with layers={self.layers}", option=given[0]
            )
        if len(given) > 1:
            raise InputError(
                "layers: expected mix with mix_weights or mix_from, got mix_weights and mix_from", option="layers"
            )

    def with_mix_of(self, weights_file: str | None) -> "EmbedSettings":
        """Returns settings whose mix is known: if "mix" is set without weights, `mix.json` beside the model is used.

        Args:
            weights_file: the file that the model was loaded from; None if it is not known.

        Raises:
            InputError: the mix has no weights, and there is no `mix.json` beside the model.
        """
        if self.layers != "mix" or self.mix_weights is not None or self.mix_from is not None:
            return self
        path = None if weights_file is None else os.path.join(os.path.dirname(weights_file), MIX_FILE)
        if path is None or not os.path.isfile(path):
            raise InputError(
                "layers: expected mix with mix_weights or mix_from, got neither, and the model has no "
                f"{MIX_FILE} beside it",
                option="layers",
            )
        return dataclasses.replace(self, mix_from=path)

    @property
    def dtype_policy(self) -> str:
        """The Keras dtype policy of `precision`."""
        return self.precision if self.precision == "float32" else f"mixed_{self.precision}"

    def to_dict(self) -> dict[str, Any]:
        """Returns a dictionary of the settings by name."""
        return dataclasses.asdict(self)


def _check(name: str, value: Any, expected: tuple[str, ...], where: str = "") -> None:
    if value not in expected:
        raise InputError(f"{name}: expected {' or '.join(expected)}{where}, got {value!r}", option=name)
