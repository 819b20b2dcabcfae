"""The input of training straight from text files: windows of packed rows in both directions, from any position on.

Training reads the same windows from the encoded text, which is faster (`elmo_tf/data/encoded_stream.py`). This is the
plain form, which needs no file, and which the other is tested against.
"""

from collections.abc import Iterator

import numpy as np

from elmo_tf.data.corpus import Corpus
from elmo_tf.data.negatives import negatives_of_step
from elmo_tf.data.row_packer import RowPacker
from elmo_tf.data.sentences import ShuffledSentences, WordNumbers
from elmo_tf.data.steps import Step
from elmo_tf.data.stream_position import DirectionPosition, SpelledPosition, read_position
from elmo_tf.data.stream_settings import StreamSettings as StreamSettings
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.data.windows import WindowMaker
from elmo_tf.options import Options

_MOST_OTHERS = 100_000
"""The number of words outside the vocabulary above which the stream forgets those that its rows do not hold."""


class TrainingStream:
    """Yields the inputs of training steps without end, each with the position of the stream after it.

    Each direction reads the corpus in an order of its own. Iterating gives `(Step, SpelledPosition)`.

    Args:
        corpus: the text.
        vocabulary: the model's.
        options: the model's; of its training options `unroll_steps` is used.
        settings: the rows, parts, seed, negatives and buckets.
        step: the number of the first step.
        position: the position to continue from, as `SpelledPosition.to_json` gave it after the step before; None to
            begin.
        gzip_in_order: whether the blocks of a .gz file stay in order. Otherwise the file is decompressed again and
            again.
    """

    def __init__(
        self,
        corpus: Corpus,
        vocabulary: Vocabulary,
        options: Options,
        settings: StreamSettings,
        step: int = 0,
        position: str | None = None,
        gzip_in_order: bool = True,
    ) -> None:
        self._options, self._settings, self._step = options, settings, step
        self._numbers = WordNumbers(vocabulary, options.char_cnn is not None)
        self._make_window = WindowMaker(self._numbers, options, settings.buckets)
        self._sentences, self._packers = [], []
        for direction, saved in enumerate(read_position(position, options.directions, settings.rows)):
            sentences = ShuffledSentences(
                corpus, settings.seed, direction, saved.sentences, gzip_in_order=gzip_in_order
            )
            left = [np.array([self._numbers[word] for word in row], np.int32) for row in saved.left]
            self._sentences.append(sentences)
            self._packers.append(RowPacker(self._numbered(sentences, direction), settings.rows, left))

    def _numbered(self, sentences: ShuffledSentences, direction: int) -> Iterator[np.ndarray]:
        for words in sentences:
            yield self._numbers.sentence(words, backward=direction == 1)

    def __iter__(self) -> Iterator[tuple[Step, SpelledPosition]]:
        while True:
            self._forget_words()
            packed = [packer.window(self._options.training.unroll_steps) for packer in self._packers]
            windows = tuple(
                self._make_window(
                    [window.inputs[part] for window in packed], [window.targets[part] for window in packed]
                )
                for part in self._settings.slices
            )
            step = Step(windows, *self._negatives())
            self._step += 1
            yield step, self._position()

    def _negatives(self) -> tuple[np.ndarray, np.ndarray]:
        size, settings = len(self._numbers.vocabulary), self._settings
        return negatives_of_step(self._options.directions, settings.negatives, size, settings.seed, self._step)

    def _position(self) -> SpelledPosition:
        directions = tuple(
            DirectionPosition(sentences.position, tuple(packer.left))
            for sentences, packer in zip(self._sentences, self._packers, strict=True)
        )
        return SpelledPosition(directions, self._numbers.vocabulary, self._numbers.others)

    def _forget_words(self) -> None:
        numbers = self._numbers
        if len(numbers.others) < _MOST_OTHERS:
            return
        rows = [[[numbers.word(n) for n in left.tolist()] for left in packer.left] for packer in self._packers]
        numbers.forget()
        for packer, words in zip(self._packers, rows, strict=True):
            packer.left = [np.array([numbers[word] for word in row], np.int32) for row in words]
