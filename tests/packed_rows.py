"""bilm-tf's packing in plain Python, on whole pairs of a token and the next one, to compare the library's with."""

from itertools import pairwise


def packed_rows(sentences, rows, steps):
    """Windows as lists by row of `(token, next token)`: a row takes the next unread sentence whenever it runs out,
    rows in order. Rows of the last window may be short. Sentences come with their boundaries and may never end."""
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
    """`<S> w1 .. wn </S>`, or `</S> wn .. w1 <S>`."""
    sentence = ["<S>", *words, "</S>"]
    return sentence[::-1] if backward else sentence
