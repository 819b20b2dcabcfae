"""A stored model that was opened: its options, its vocabulary, and its arrays, read when they are looked up."""

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.errors import InputError
from elmo_tf.formats.arrays import Arrays
from elmo_tf.options import Options
from elmo_tf.store.file_names import VOCAB_FILE

WORD_INPUT = "a model with word input"
"""A phrase for `StoredModel.without_vocabulary`."""


@dataclass(frozen=True)
class StoredModel:
    """A model that was found and checked. Its arrays are read when they are looked up.

    Args:
        path: the path that `open_model` was given.
        form: "checkpoint", "tf1", "safetensors", "hdf5" or "manylangs".
        source: the path of the file of weights, or of the checkpoint without endings, or of the ZIP file.
        options: the model's options, with the number of words (`n_tokens_vocab`) if the arrays tell it.
        options_file: the path of the options, or of the `config.json` of ELMoForManyLangs.
        weights: the arrays by our names, with the softmax if there is one.
        slots: Adagrad's accumulators by the same names; empty if there are none.
        step: the number of training steps taken; None if it is not known.
        vocab_file: the path of the vocabulary beside the model; None if there is none.
        is_zipped: whether the model is in a ZIP file.
        lexicon_encoder: the arguments of the `LexiconEncoder` of a model of ELMoForManyLangs; None for other models.
    """

    path: str
    form: str
    source: str
    options: Options
    options_file: str
    weights: Arrays
    slots: Arrays
    step: int | None
    vocab_file: str | None
    is_zipped: bool = False
    lexicon_encoder: Mapping[str, Any] | None = None

    @property
    def weights_name(self) -> str:
        """The name of the file of weights, without its folder."""
        return os.path.basename(self.weights.source)

    @property
    def has_softmax(self) -> bool:
        """Whether the model has a softmax, and so is a whole language model."""
        # spelled out, because the module of SOFTMAX_PREFIX would make the longest chain of imports longer
        return "softmax/b" in self.weights.shapes

    @property
    def has_rows_by_word(self) -> bool:
        """Whether one of its arrays has a row for each word of a vocabulary: the softmax, or the word vectors."""
        return self.has_softmax or self.reads_word_ids

    @property
    def reads_word_ids(self) -> bool:
        """Whether the model reads word ids, so that it needs a vocabulary."""
        return self.options.char_cnn is None and self.lexicon_encoder is None

    def check_bilm_tf(self, purpose: str) -> None:
        """Checks that a model has the architecture of bilm-tf.

        Args:
            purpose: what the caller does with the model, as a verb and its object.

        Raises:
            InputError: the model is one of ELMoForManyLangs.
        """
        if self.lexicon_encoder is not None:
            raise InputError(
                f"{self.path}: a model of ELMoForManyLangs gives vectors alone; elmo_tf cannot {purpose}, for it has "
                "another token encoder than bilm-tf's models and no softmax",
                path=self.path,
            )

    def vocabulary(self, vocab_file: str | None = None) -> Vocabulary | None:
        """Reads the vocabulary: `vocab_file`, or else the file beside the model; None if there is neither."""
        path = vocab_file or self.vocab_file
        return None if path is None else Vocabulary.from_file(path)

    def vocabulary_of_rows(self, vocab_file: str | None = None) -> Vocabulary | None:
        """Reads the vocabulary of a model that has rows by word.

        As `vocabulary`, but a `vocab_file` must not contradict the file beside the model, which says what the rows are.

        Raises:
            InputError: the two files hold different words, or a file cannot be used.
        """
        found = self.vocabulary(vocab_file)
        if found is not None and vocab_file is not None and self.vocab_file is not None:
            own = self.vocabulary()
            if own is not None and own.words != found.words:
                raise InputError(
                    f"{vocab_file} differs from {self.vocab_file}, which says what the model's rows are: leave "
                    "--vocab_file out, or bring the model to these words by elmo-tf convert --format=checkpoint",
                    path=vocab_file,
                )
        return found

    def without_vocabulary(self, whose: str) -> InputError:
        """Makes the error for a missing vocabulary.

        Args:
            whose: the kind of model that cannot be used without it, such as "a model with word input".
        """
        return InputError(
            f"{self.path}: no {VOCAB_FILE} lies beside the weights; {whose} cannot be used without it: put it beside "
            "them, or give its path as vocab_file (--vocab_file)",
            path=self.path,
        )

    def message_of(self, error: InputError) -> str:
        """Returns an error's message, in which the ZIP file's path replaces that of the folder it is unpacked into."""
        return str(error).replace(os.path.dirname(self.options_file), self.path) if self.is_zipped else str(error)

    def with_softmax(self, softmax: Arrays, options: Options, vocab_file: str | None) -> "StoredModel":
        """Returns the model with a softmax from another file, for the words of `vocab_file`, and no accumulators."""
        weights = self.weights.with_others(softmax)
        slots = Arrays.of(self.slots.source, {})
        return dataclasses.replace(self, weights=weights, slots=slots, options=options, vocab_file=vocab_file)
