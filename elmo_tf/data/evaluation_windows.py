"""The evaluation's input: every sentence of held-out text once, in windows of packed rows in both directions."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from elmo_tf.data.corpus import Corpus
from elmo_tf.data.row_packer import RowPacker
from elmo_tf.data.sentences import WordNumbers, sentences_in_file_order
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.data.windows import Window, WindowMaker
from elmo_tf.options import Options


class EvaluationWindow(NamedTuple):
    """A window of held-out text, and where it is filled.

    Args:
        window: words, inputs, targets.
        mask: booleans `(directions, B, T)`; False behind the end of the text.
    """

    window: Window
    mask: np.ndarray


def evaluation_windows(
    corpus: Corpus,
    vocabulary: Vocabulary,
    options: Options,
    rows: int,
    steps: int,
    drop_remainder: bool = False,
) -> Iterator[EvaluationWindow]:
    """Every sentence of a corpus once, in file order, packed as in training; both directions read the same sentences.

    Args:
        corpus: the held-out text.
        vocabulary: the model's.
        options: the model's.
        rows: rows of a window.
        steps: steps of a window.
        drop_remainder: whether to end with the last window that is full, as bilm-tf does, instead of at the last token.
    """
    numbers = WordNumbers(vocabulary, options.char_cnn is not None)
    make_window = WindowMaker(numbers, options)

    def sentences(backward: bool) -> Iterator[np.ndarray]:
        for words in sentences_in_file_order(corpus):
            yield numbers.sentence(words, backward)

    packers = [RowPacker(sentences(direction == 1), rows) for direction in range(options.directions)]
    while True:
        packed = [packer.window(steps) for packer in packers]
        filled = np.stack([part[2] for part in packed])
        if not filled.any() or (drop_remainder and (filled < steps).any()):
            return
        window = make_window([part[0] for part in packed], [part[1] for part in packed])
        yield EvaluationWindow(window, np.arange(steps) < filled[:, :, None])
