"""What `embed` and `embed_file` compute and write; settings that exclude each other are refused at once."""

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
KEYS = ("number", "sentence")
COMPRESSIONS: Mapping[str, tuple[str, ...]] = {
    "hdf5": ("none", "gzip", "lzf"),
    "parquet": ("none", "zstd", "snappy"),
    "npz": ("none", "deflate"),
    "txt": ("none",),
}
"""The output formats, each with its compressions."""


@dataclass(frozen=True)
class EmbedSettings:
    """How a text is embedded, and into what kind of file.

    Args:
        input_format: "text", a tokenised sentence a line, or "conllu", whose second column has the words.
        output_format: "hdf5", "parquet", "npz" or "txt".
        layers: "all", "top", "average", "mix", or numbers of layers with commas between them, such as "0,2". One number
            alone gives vectors without an axis of layers, as "top" does.
        mix_weights: with "mix", the layers' shares, as `ElmoLayer.mix_numbers` has them, and then gamma, if it is not
            1: "0.2,0.5,0.3,1.1", or these numbers in a list.
        mix_from: with "mix", a `.keras` file in place of the shares: the mix that its `ElmoLayer` has learned.
        pooling: "none" for a vector a token; "mean" or "max" over a sentence's tokens. A sentence of none is zero.
        dtype: "float32" or "float16".
        keep_boundaries: whether `<S>` and `</S>` count as tokens too.
        keys: of HDF5 the name of a sentence's dataset: its "number", from 0, or the "sentence" itself
            (`elmo_tf.bulk.hdf5_vectors.sentence_key`), in which case one that stands twice is stored once.
        sentence_to_index: of HDF5 with numbers for keys, whether to add AllenNLP's dataset `sentence_to_index`, the
            JSON object of all sentences and their keys, which is held in memory whole.
        compression: "none"; of HDF5 also "gzip" and "lzf", of Parquet "zstd" and "snappy", of npz "deflate".
        batch_tokens: tokens of a batch, padding counted; a longer sentence is a batch of its own.
        block_bytes: text that is embedded, and kept for a run that goes on, at a time. Batches never reach over the end
            of a block, so this decides a little of the speed, of the memory, and of the vectors' last bits.

    Raises:
        InputError: a value is none of these, or two exclude each other.

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
    batch_tokens: int = BATCH_TOKENS
    block_bytes: int = 128 << 10

    def __post_init__(self) -> None:
        if self.pooling is None:  # as ElmoLayer spells it
            object.__setattr__(self, "pooling", "none")
        _check("input_format", self.input_format, INPUT_FORMATS)
        _check("output_format", self.output_format, tuple(COMPRESSIONS))
        _check("pooling", self.pooling, POOLINGS)
        _check("dtype", self.dtype, DTYPES)
        _check("keys", self.keys, KEYS)
        of_format = f" with the output format {self.output_format}"
        _check("compression", self.compression, COMPRESSIONS[self.output_format], of_format)
        if self.output_format != "hdf5":
            _check("keys", self.keys, ("number",), of_format)
        if self.sentence_to_index and (self.output_format != "hdf5" or self.keys != "number"):
            raise InputError(
                "sentence_to_index: expected it with the output format hdf5 and numbers for keys alone",
                option="sentence_to_index",
            )
        for name in ("batch_tokens", "block_bytes"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}: expected a number from 1, got {getattr(self, name)}", option=name)
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
        """The settings, where a mix is asked for without weights, with the mix that lies beside a model's weights.

        Args:
            weights_file: the file that the model was loaded from; None where it is not known.

        Raises:
            InputError: there is no mix.
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

    def to_dict(self) -> dict[str, Any]:
        """The settings by name."""
        return dataclasses.asdict(self)


def _check(name: str, value: Any, expected: tuple[str, ...], where: str = "") -> None:
    if value not in expected:
        raise InputError(f"{name}: expected {' or '.join(expected)}{where}, got {value!r}", option=name)
