"""The input of training from the encoded text: the windows of `TrainingStream` number for number, made faster."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from elmo_tf.data.distinct import DistinctFinder
from elmo_tf.data.encoded_corpus import EncodedCorpus
from elmo_tf.data.encoded_numbers import EncodedNumbers
from elmo_tf.data.encoded_rows import EncodedRows
from elmo_tf.data.negatives import negatives_of_step
from elmo_tf.data.shuffle import Shuffle
from elmo_tf.data.spelling_table import SpellingTable
from elmo_tf.data.steps import Step
from elmo_tf.data.stream_position import (
    EncodedDirection,
    EncodedState,
    Position,
    read_encoded_position,
    write_encoded_position,
)
from elmo_tf.data.stream_settings import StreamSettings
from elmo_tf.data.windows import WindowAssembly
from elmo_tf.options import Options


@dataclass(frozen=True)
class EncodedPosition(Position):
    """The position of an `EncodedStream` after a step. It is cheap to make: the numbers are computed by `to_json`.

    Args:
        directions: for each direction a function that returns its position.
        gzip_in_order: whether the blocks of a .gz file stay in order.
    """

    directions: Sequence[Callable[[], EncodedDirection]]
    gzip_in_order: bool

    def to_json(self) -> str:
        """The position as text, of some kilobytes."""
        return write_encoded_position(EncodedState([position() for position in self.directions], self.gzip_in_order))


class EncodedStream:
    """Yields the inputs of training steps without end, each with the position of the stream after it.

    Iterating gives `(Step, EncodedPosition)`. The steps are those of `TrainingStream`, also from a position that one
    has saved. The blocks of a .gz file are shuffled like those of a plain one, but for a run that goes on from such a
    position.

    Args:
        encoded: the text.
        options: the model's; of its training options `unroll_steps` is used.
        settings: the rows, parts, seed, negatives and buckets.
        step: the number of the first step.
        position: the position to continue from, as `Position.to_json` gave it after the step before; None to begin.
    """

    def __init__(
        self,
        encoded: EncodedCorpus,
        options: Options,
        settings: StreamSettings,
        step: int = 0,
        position: str | None = None,
    ) -> None:
        self._settings, self._step = settings, step
        self._directions, self._unroll_steps = options.directions, options.training.unroll_steps
        state = read_encoded_position(position, options.directions, settings.rows)
        self._gzip_in_order = state.gzip_in_order and any(block.is_gzip for block in encoded.corpus.blocks)
        numbers = EncodedNumbers(encoded, options.char_cnn is not None)
        self._rows = [
            EncodedRows(
                encoded,
                Shuffle(encoded.corpus, settings.seed, direction, gzip_in_order=self._gzip_in_order),
                saved,
                numbers,
            )
            for direction, saved in enumerate(state.directions)
        ]
        self._vocabulary_size = len(encoded.vocabulary)
        others = [*encoded.others, *numbers.more]
        self._finder = DistinctFinder(self._vocabulary_size + len(others))
        spelling = None
        if options.char_cnn is not None:
            spelling = SpellingTable(encoded.vocabulary, others, options.char_cnn.max_characters_per_token)
        self._assemble = WindowAssembly(
            encoded.vocabulary, options, spelling, self._finder.unique_in_order, settings.buckets
        )

    def __iter__(self) -> Iterator[tuple[Step, EncodedPosition]]:
        settings = self._settings
        while True:
            inputs, targets = np.empty((2, self._directions, settings.rows, self._unroll_steps), np.int32)
            for direction, rows in enumerate(self._rows):
                rows.window(inputs[direction], targets[direction])
            windows = tuple(self._assemble(inputs[:, part], targets[:, part]) for part in settings.slices)
            negatives = negatives_of_step(
                self._directions, settings.negatives, self._vocabulary_size, settings.seed, self._step, self._finder
            )
            self._step += 1
            position = EncodedPosition([rows.position() for rows in self._rows], self._gzip_in_order)
            yield Step(windows, *negatives), position
