"""The input of an evaluation: every sentence of held-out text once, in windows of packed rows in both directions."""

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
    """A window of held-out text, and which of its places hold a token.

    Args:
        window: the distinct words, inputs and targets.
        mask: booleans `(directions, B, T)`; False after the end of the text.
    """

    window: Window
    mask: np.ndarray


def evaluation_windows(
    corpus: Corpus,
    vocabulary: Vocabulary,
    options: Options,
    batch_size: int,
    unroll_steps: int,
    drop_remainder: bool = False,
    own_rows: range | None = None,
) -> Iterator[EvaluationWindow]:
    """Yields every sentence of a corpus once, in file order, packed into windows as in training.

    Both directions read the same sentences.

    Args:
        corpus: the held-out text.
        vocabulary: the model's.
        options: the model's.
        batch_size: rows of a window, B.
        unroll_steps: tokens of a row in a window, T.
        drop_remainder: whether to end with the last full window, as bilm-tf does, instead of with the last token.
        own_rows: the rows that the windows hold, where other processes take the rest; None for all.
    """
    numbers = WordNumbers(vocabulary, options.char_cnn is not None)
    make_window = WindowMaker(numbers, options)
    rows = slice(None) if own_rows is None else slice(own_rows.start, own_rows.stop)

    def sentences(backward: bool) -> Iterator[np.ndarray]:
        for words in sentences_in_file_order(corpus):
            yield numbers.sentence(words, backward)

    packers = [RowPacker(sentences(direction == 1), batch_size) for direction in range(options.directions)]
    while True:
        packed = [packer.window(unroll_steps) for packer in packers]
        filled = np.stack([direction.filled for direction in packed])
        if not filled.any() or (drop_remainder and (filled < unroll_steps).any()):
            return
        window = make_window([direction.inputs[rows] for direction in packed], [d.targets[rows] for d in packed])
        yield EvaluationWindow(window, np.arange(unroll_steps) < filled[:, rows, None])
