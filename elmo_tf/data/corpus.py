"""A corpus of text files: scanned once, which divides it into blocks, then read block by block."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from elmo_tf.data.text import is_gzip
from elmo_tf.data.text_blocks import BLOCK_BYTES, Block, BlockReader, Piece, digest_of, read_pieces, split_sentences
from elmo_tf.errors import InputError

Count = Callable[[Piece, str], tuple[int, int]]
"""Counts the sentences and words of a piece, whose decoded text comes with it."""


@dataclass(frozen=True)
class Corpus:
    """The blocks of some text files in order, with the numbers of sentences and words in them.

    A blank line is not a sentence, unless `scan` is called with `blank_lines`.

    Example:

    >>> from elmo_tf.system.atomic_files import write_text
    >>> write_text("/tmp/elmo_tf_doc/two.txt", "a b c\\n\\nd\\n")
    >>> corpus = Corpus.scan(["/tmp/elmo_tf_doc/two.txt"])
    >>> corpus.sentences, corpus.words, corpus.predictions
    (2, 4, 6)
    """

    blocks: tuple[Block, ...]
    sentences: int = 0
    words: int = 0

    @property
    def predictions(self) -> int:
        """Number of predictions of a language model in one direction: all words, and the end of each sentence."""
        return self.words + self.sentences

    @classmethod
    def scan(
        cls,
        paths: Sequence[str],
        block_bytes: int = BLOCK_BYTES,
        blank_lines: bool = False,
        count: Count | None = None,
    ) -> "Corpus":
        """Reads the files once: divides them into blocks, counts sentences and words, and checks that they are UTF-8.

        Args:
            paths: text files with one tokenised sentence a line, plain or .gz.
            block_bytes: size of a block, which is extended to the end of a line.
            blank_lines: whether a blank line counts as a sentence without words, as in bilm-tf.
            count: counts the sentences and words of each piece of text in order, for a caller who does more with it.

        Raises:
            InputError: a file cannot be read or is not UTF-8, or no file holds a word.
        """

        def count_lines(piece: Piece, text: str) -> tuple[int, int]:
            return len(split_sentences(text, blank_lines)), len(text.split())

        blocks = [block for path in paths for block in _scan_file(path, block_bytes, blank_lines, count or count_lines)]
        if not any(block.words for block in blocks):
            raise InputError(
                f"{_name_files(paths)}: no text in it; expected a tokenised sentence a line, got blank lines alone",
                path=paths[0],
            )
        return cls.of(blocks)

    @classmethod
    def of(cls, blocks: Sequence[Block]) -> "Corpus":
        """The corpus of some blocks, whose sentences and words are added up."""
        return cls(tuple(blocks), sum(block.sentences for block in blocks), sum(block.words for block in blocks))

    def fingerprint(self) -> str:
        """A description by which a resumed run recognizes its text: counts, sizes and a hash, no names or folders."""
        sizes: dict[str, int] = {}
        for block in self.blocks:
            sizes[block.path] = sizes.get(block.path, 0) + block.size
        counts = f"{len(sizes)} files, {sum(sizes.values())} bytes, {self.sentences} sentences, {self.words} words"
        return f"{counts}{_OF_CONTENT}{digest_of(b''.join(block.digest for block in self.blocks)).hex()}"

    def sample(self, blocks: int = 8) -> list[str]:
        """The tokens of a few blocks, spread evenly over the corpus."""
        step = max(1, len(self.blocks) // blocks)
        reader = BlockReader()
        return [word for block in self.blocks[::step][:blocks] for line in reader.lines(block) for word in line.split()]


_OF_CONTENT = ", content "
"""What stands before the hash in a fingerprint. The fingerprints of earlier releases end there."""


def is_same_text(before: str, now: str) -> bool:
    """Whether two fingerprints are of the same text, as far as both tell; one of an earlier release has no hash.

    >>> is_same_text("1 files, 9 bytes, 2 sentences, 4 words", "1 files, 9 bytes, 2 sentences, 4 words, content 0a1b")
    True
    """
    if _OF_CONTENT in before and _OF_CONTENT in now:
        return before == now
    return before.partition(_OF_CONTENT)[0] == now.partition(_OF_CONTENT)[0]


def _name_files(paths: Sequence[str]) -> str:
    return paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more files"


def _scan_file(path: str, block_bytes: int, blank_lines: bool, count: Count) -> list[Block]:
    gzipped = is_gzip(path)
    blocks = []
    for piece in read_pieces(path, block_bytes):
        sentences, words = count(piece, piece.decode())
        if sentences:
            size = len(piece.data)
            blocks.append(Block(path, piece.start, size, sentences, words, gzipped, blank_lines, piece.digest))
    return blocks
