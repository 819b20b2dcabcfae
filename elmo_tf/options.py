"""The options of a model as read from `options.json`, the format of bilm-tf and AllenNLP: typed, immutable, checked.

The names in the file are those of bilm-tf, and beside them training options that bilm-tf does not know. An option that
is not in the file has bilm-tf's default, with one exception: `bidirectional` is true by default, because the files of
published weights do not contain it.
"""

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from elmo_tf.errors import InputError, errors_about
from elmo_tf.option_groups import ACTIVATIONS as ACTIVATIONS
from elmo_tf.option_groups import CHARACTER_COUNTS as CHARACTER_COUNTS
from elmo_tf.option_groups import CharCnnOptions as CharCnnOptions
from elmo_tf.option_groups import LstmOptions as LstmOptions
from elmo_tf.option_groups import characters_that_count as characters_that_count
from elmo_tf.option_groups import read_char_cnn, read_lstm
from elmo_tf.options_reader import OptionsReader
from elmo_tf.system import atomic_files, input_files
from elmo_tf.training_options import TrainingOptions as TrainingOptions
from elmo_tf.training_options import read_training


@dataclass(frozen=True)
class Options:
    """The options of one model: its architecture and its training.

    Args:
        lstm: the LSTM stack of each direction.
        char_cnn: the character CNN; None for a model with word input.
        bidirectional: whether the model has both directions; else the forward direction alone.
        n_tokens_vocab: number of words of the vocabulary; None where it is not known yet.
        share_embedding_softmax: whether the softmax weights are the word embeddings (with word input only).
        training: the options of the training.

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
        """The number of directions, 1 or 2."""
        return 2 if self.bidirectional else 1

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], name: str = "options") -> "Options":
        """Makes options from the content of a JSON file, and checks them.

        Args:
            values: the content of `options.json`.
            name: its name in error messages, such as the file's path.

        Raises:
            InputError: a value is missing, has the wrong type or is out of range, two values contradict each other, or
                an option is a misspelled one; the message names the option, the expected value and the value found.
        """
        reader = OptionsReader(values, name)
        options = cls(
            lstm=read_lstm(reader.section("lstm")),
            char_cnn=read_char_cnn(reader.section("char_cnn")) if reader.has("char_cnn") else None,
            bidirectional=reader.flag("bidirectional", True),
            n_tokens_vocab=reader.whole("n_tokens_vocab", None, lower=4),
            share_embedding_softmax=reader.flag("share_embedding_softmax", False),
            training=read_training(reader),
        )
        reader.finish(strict=False)
        options.check(name)
        return options

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> "Options":
        """Reads an `options.json`; raises errors as `from_dict` does, and where the file is missing or no JSON."""
        path = os.fspath(path)
        values = input_files.read_json(path)
        with errors_about(path):
            return cls.from_dict(values, path)

    @classmethod
    def unknown_names(cls, values: Mapping[str, Any]) -> list[str]:
        """The names in an `options.json` that are no options of ours; the files of other programs may hold some.

        >>> Options.unknown_names({"lstm": {"dim": 8, "projection_dim": 4}, "dropout": 0.1, "author": "me"})
        ['author']
        """
        known = {field.name for made in (cls, TrainingOptions) for field in dataclasses.fields(made)} - {"training"}
        return [str(name) for name in values if name not in known]

    def check(self, name: str = "options") -> None:
        """Raises an `InputError` where two options contradict each other."""
        lstm, char_cnn = self.lstm, self.char_cnn
        self.training.check(name)
        if lstm.projection_dim > lstm.dim:
            raise InputError(
                f"{name}: lstm.projection_dim: expected at most lstm.dim, {lstm.dim}, got {lstm.projection_dim}",
                option="lstm.projection_dim",
            )
        if char_cnn is not None and self.share_embedding_softmax:
            raise InputError(
                f"{name}: share_embedding_softmax: expected false with char_cnn, for it shares word vectors",
                option="share_embedding_softmax",
            )
        if char_cnn is not None:
            widest = max(width for width, _ in char_cnn.filters)
            if widest > char_cnn.max_characters_per_token:
                raise InputError(
                    f"{name}: char_cnn.filters: expected widths of at most max_characters_per_token, "
                    f"{char_cnn.max_characters_per_token}, got {widest}",
                    option="char_cnn.filters",
                )

    def replace(self, **changes: Any) -> "Options":
        """A copy with some values replaced, which is checked; the options of `training` are named directly.

        >>> Options(LstmOptions(8, 4)).replace(n_tokens_vocab=9, batch_size=2).training.batch_size
        2
        """
        training_names = {field.name for field in dataclasses.fields(TrainingOptions)}
        of_training = {name: value for name, value in changes.items() if name in training_names}
        of_model = {name: value for name, value in changes.items() if name not in training_names}
        if of_training:
            of_model["training"] = dataclasses.replace(self.training, **of_training)
        options = dataclasses.replace(self, **of_model)
        options.check()
        return options

    def to_dict(self) -> dict[str, Any]:
        """The content of `options.json`; `n_characters` is 262, which AllenNLP and bilm-tf expect for prediction."""
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
        values.update(self.training.to_dict())
        return {name: value for name, value in values.items() if value is not None}

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes `options.json`, whole or not at all."""
        atomic_files.write_text(path, json.dumps(self.to_dict(), indent=1) + "\n")

    def architecture(self) -> dict[str, Any]:
        """The options without those of the training: weights fit only models in which these are equal."""
        values = self.to_dict()
        for field in dataclasses.fields(TrainingOptions):
            values.pop(field.name, None)
        return values
