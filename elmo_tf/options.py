"""`options.json`, the description of a model that bilm-tf, AllenNLP and we share: typed, frozen, checked.

The JSON names are bilm-tf's. What the file leaves out has bilm-tf's default, with one exception: `bidirectional` is
true unless it says false, because the files that travel with published weights leave it out.
"""

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from elmo_tf.errors import InputError
from elmo_tf.options_reader import OptionsReader
from elmo_tf.system import atomic_files
from elmo_tf.system.documented_fields import documented_field, with_field_help

ACTIVATIONS = ("relu", "tanh")
CHARACTER_COUNTS = (261, 262)
"""bilm-tf's number of character ids in training, and in prediction, with 0 for padding: both name one model."""

_MOST_LAYERS, _MOST_CHARACTERS, _MOST_TOKENS = 100, 10_000, 2**63 - 1
"""More than any model has, so that a typing error is reported at once, and is not a loop without an end."""


@dataclass(frozen=True)
class CharCnnOptions:
    """The character CNN of the token encoder.

    Args:
        filters: `(width, number of filters)` pairs, in the order of the weights.
        embedding_dim: size of a character's embedding (`embedding: {dim}` in JSON).
        activation: "relu" or "tanh", after the maximum over positions.
        n_highway: number of highway layers; 0 for none.
        max_characters_per_token: ids a word, begin and end of word included.
    """

    filters: tuple[tuple[int, int], ...]
    embedding_dim: int = 16
    activation: str = "relu"
    n_highway: int = 0
    max_characters_per_token: int = 50

    @property
    def n_filters(self) -> int:
        """Size of the concatenated convolutions, before highway and projection."""
        return sum(number for _, number in self.filters)


@dataclass(frozen=True)
class LstmOptions:
    """The LSTM stack of one direction.

    Args:
        dim: cells of a layer.
        projection_dim: size of a layer's output; at most `dim`, and where it equals `dim` there is no projection.
        n_layers: layers in a direction.
        cell_clip: bound of the cell's absolute value; None for no bound.
        proj_clip: bound of the projected output's absolute value; None for no bound. Without a projection it has no
            effect, as in bilm-tf.
        use_skip_connections: from the second layer on, whether a layer's input is added to its output.
    """

    dim: int
    projection_dim: int
    n_layers: int = 1
    cell_clip: float | None = None
    proj_clip: float | None = None
    use_skip_connections: bool = False

    @property
    def has_projection(self) -> bool:
        """Whether the output is a projection of the cell."""
        return self.projection_dim < self.dim


@with_field_help
@dataclass(frozen=True)
class TrainingOptions:
    """The training options in bilm-tf's file.

    Each but `n_train_tokens` is a flag of `elmo-tf train` too, which overrides the file.
    """

    batch_size: int = documented_field("rows a replica (GPU)", 128)
    unroll_steps: int = documented_field("tokens of a row in one step", 20)
    n_epochs: int = documented_field("passes over the training text", 10)
    n_train_tokens: int | None = documented_field(
        "words of the training text; counted, never needed from the user", None
    )
    dropout: float = documented_field("dropout rate on the input of every LSTM layer and on the last output", 0.1)
    sample_softmax: bool = documented_field("train with the sampled softmax, or, negated, the full one", True)
    n_negative_samples_batch: int = documented_field("negatives of the sampled softmax", 8192)
    all_clip_norm_val: float = documented_field("bound of the gradient's global norm", 10.0)
    learning_rate: float = documented_field("learning rate of Adagrad", 0.2)


@dataclass(frozen=True)
class Options:
    """One model: its architecture and how it is trained.

    Args:
        lstm: the recurrent stacks.
        char_cnn: the token encoder; None where words are looked up by id.
        bidirectional: False for a forward language model alone.
        n_tokens_vocab: words of the vocabulary; None where it is not known yet.
        share_embedding_softmax: whether the softmax weights are the word embedding (word input only).
        training: what the file says of the training.

    Example:

    >>> options = Options.from_dict({"lstm": {"dim": 64, "projection_dim": 16}, "n_tokens_vocab": 100})
    >>> options.lstm.has_projection, options.char_cnn, options.bidirectional
    (True, None, True)
    """

    lstm: LstmOptions
    char_cnn: CharCnnOptions | None = None
    bidirectional: bool = True
    n_tokens_vocab: int | None = None
    share_embedding_softmax: bool = False
    training: TrainingOptions = dataclasses.field(default_factory=TrainingOptions)

    @property
    def directions(self) -> int:
        """1 or 2."""
        return 2 if self.bidirectional else 1

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], name: str = "options") -> "Options":
        """Checks and types what a JSON file holds.

        Args:
            values: the content of `options.json`.
            name: what to call it in an error, such as the file's path.

        Raises:
            InputError: a value is missing, of the wrong kind or out of range, values contradict each other, or a name
                is unknown; it says which, what was expected and what came.
        """
        reader = OptionsReader(values, name)
        options = cls(
            lstm=_read_lstm(reader.section("lstm")),
            char_cnn=_read_char_cnn(reader.section("char_cnn")) if reader.has("char_cnn") else None,
            bidirectional=reader.flag("bidirectional", True),
            n_tokens_vocab=reader.whole("n_tokens_vocab", None, lower=4),
            share_embedding_softmax=reader.flag("share_embedding_softmax", False),
            training=_read_training(reader),
        )
        reader.finish(strict=False)
        return options.checked(name)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> "Options":
        """Reads an `options.json`; raises as `from_dict`, and where the file is missing or no JSON."""
        path = os.fspath(path)
        return cls.from_dict(atomic_files.read_json(path), path)

    def checked(self, name: str = "options") -> "Options":
        """Itself, or an `InputError` where two options contradict each other."""
        lstm, char_cnn = self.lstm, self.char_cnn
        if lstm.projection_dim > lstm.dim:
            raise InputError(
                f"{name}: lstm.projection_dim: expected at most lstm.dim, {lstm.dim}, got {lstm.projection_dim}"
            )
        if char_cnn is not None and self.share_embedding_softmax:
            raise InputError(
                f"{name}: share_embedding_softmax: expected false with char_cnn, for it shares word vectors"
            )
        if char_cnn is not None:
            widest = max(width for width, _ in char_cnn.filters)
            if widest > char_cnn.max_characters_per_token:
                raise InputError(
                    f"{name}: char_cnn.filters: expected widths of at most max_characters_per_token, "
                    f"{char_cnn.max_characters_per_token}, got {widest}"
                )
        return self

    def replace(self, **changes: Any) -> "Options":
        """A copy with other values, checked; names of the training options reach into `training`.

        >>> Options(LstmOptions(8, 4)).replace(n_tokens_vocab=9, batch_size=2).training.batch_size
        2
        """
        training_names = {field.name for field in dataclasses.fields(TrainingOptions)}
        inside = {name: value for name, value in changes.items() if name in training_names}
        outside = {name: value for name, value in changes.items() if name not in training_names}
        if inside:
            outside["training"] = dataclasses.replace(self.training, **inside)
        return dataclasses.replace(self, **outside).checked()

    def to_dict(self) -> dict[str, Any]:
        """The content of `options.json`, by bilm-tf's names, `n_characters` 262 as AllenNLP and bilm-tf read it."""
        values: dict[str, Any] = {"bidirectional": self.bidirectional}
        if self.char_cnn is not None:
            char_cnn = self.char_cnn
            values["char_cnn"] = {
                "activation": char_cnn.activation,
                "embedding": {"dim": char_cnn.embedding_dim},
                "filters": [list(pair) for pair in char_cnn.filters],
                "max_characters_per_token": char_cnn.max_characters_per_token,
                "n_characters": 262,
                "n_highway": char_cnn.n_highway,
            }
        values["lstm"] = dataclasses.asdict(self.lstm)
        if self.share_embedding_softmax:
            values["share_embedding_softmax"] = True
        values["n_tokens_vocab"] = self.n_tokens_vocab
        values.update(dataclasses.asdict(self.training))
        return {name: value for name, value in values.items() if value is not None}

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes `options.json`, whole or not at all."""
        atomic_files.write_text(path, json.dumps(self.to_dict(), indent=1) + "\n")

    def architecture(self) -> dict[str, Any]:
        """What must be equal for weights to fit: the options without those of the training."""
        values = self.to_dict()
        for field in dataclasses.fields(TrainingOptions):
            values.pop(field.name, None)
        return values


def _read_lstm(reader: OptionsReader) -> LstmOptions:
    options = LstmOptions(
        dim=reader.whole("dim"),
        projection_dim=reader.whole("projection_dim"),
        n_layers=reader.whole("n_layers", 1, upper=_MOST_LAYERS),
        cell_clip=reader.number("cell_clip", None, above=0.0),
        proj_clip=reader.number("proj_clip", None, above=0.0),
        use_skip_connections=reader.flag("use_skip_connections", False),
    )
    reader.finish()
    return options


def _read_char_cnn(reader: OptionsReader) -> CharCnnOptions:
    embedding = reader.section("embedding")
    n_characters = reader.whole("n_characters", CHARACTER_COUNTS[0])
    if n_characters not in CHARACTER_COUNTS:
        raise reader.error("n_characters", "261 (or 262, padding counted)", n_characters)
    options = CharCnnOptions(
        filters=reader.filters("filters"),
        embedding_dim=embedding.whole("dim"),
        activation=reader.choice("activation", ACTIVATIONS),
        n_highway=reader.whole("n_highway", 0, lower=0, upper=_MOST_LAYERS) or 0,
        max_characters_per_token=reader.whole("max_characters_per_token", 50, lower=3, upper=_MOST_CHARACTERS),
    )
    embedding.finish()
    reader.finish()
    return options


def _read_training(reader: OptionsReader) -> TrainingOptions:
    usual = TrainingOptions()
    return TrainingOptions(
        batch_size=reader.whole("batch_size", usual.batch_size),
        unroll_steps=reader.whole("unroll_steps", usual.unroll_steps),
        n_epochs=reader.whole("n_epochs", usual.n_epochs),
        n_train_tokens=reader.whole("n_train_tokens", None, upper=_MOST_TOKENS),
        dropout=reader.number("dropout", usual.dropout, below=1.0),
        sample_softmax=reader.flag("sample_softmax", usual.sample_softmax),
        n_negative_samples_batch=reader.whole("n_negative_samples_batch", usual.n_negative_samples_batch),
        all_clip_norm_val=reader.number("all_clip_norm_val", usual.all_clip_norm_val, above=0.0),
        learning_rate=reader.number("learning_rate", usual.learning_rate, above=0.0),
    )
