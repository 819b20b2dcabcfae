"""bilm-tf's packing of sentences in plain Python, with pairs of a token and the next one. The tests compare with it."""

from itertools import pairwise


def packed_rows(sentences, rows, steps):
    """Yields windows: for each row a list of pairs `(token, next token)`.

    When a row has too few tokens, it takes the next unread sentence, the first row first. Rows of the last window may
    be short.

    Args:
        sentences: the sentences, with their boundaries; there may be infinitely many.
        rows: the number of rows.
        steps: the number of pairs of a row in a window.
    """
    unread = iter(sentences)
    waiting = [[] for _ in range(rows)]
    while True:
        for row in waiting:
            while len(row) < steps:
                sentence = next(unread, None)
                if sentence is None:
                    break
                row.extend(pairwise(sentence))
        window, waiting = [row[:steps] for row in waiting], [row[steps:] for row in waiting]
        if not any(window):
            return
        yield window


def with_boundaries(words, backward=False):
    """Returns `<S> w1 .. wn </S>`, or `</S> wn .. w1 <S>` if backward."""
    sentence = ["<S>", *words, "</S>"]
    return sentence[::-1] if backward else sentence
