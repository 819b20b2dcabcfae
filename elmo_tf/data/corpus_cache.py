"""Finds the encoded form of a text in a folder, by the content of text and vocabulary, or makes it."""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence

from elmo_tf.data.corpus import Corpus, Piece, read_pieces
from elmo_tf.data.encoded_corpus import CorpusEncoder, DamagedFileError, EncodedCorpus
from elmo_tf.data.text import is_gzip
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.errors import InputError
from elmo_tf.system.atomic_files import flush_folder, flush_to_disk, make_folder, temporary_name
from elmo_tf.system.error_text import reason

_BEGINNING, _ENDING = "corpus-", ".words"
_WORTH_A_LINE = 1 << 20
"""The size in bytes from which the room that the file takes is announced and checked."""

_SAMPLE_FILES, _SAMPLE_BYTES = 8, 1 << 16


class CorpusCache:
    """A folder with encoded texts. As a context it removes on an error what it made and was not told to keep.

    Args:
        folder: the folder, which is made when it is needed.
        report: takes a line for people.

    Example:

    >>> from elmo_tf.system.atomic_files import write_text
    >>> write_text("/tmp/elmo_tf_doc/cats.txt", "the cat\\n")
    >>> with CorpusCache("/tmp/elmo_tf_doc/cache") as cache:
    ...     encoded = cache.encode(["/tmp/elmo_tf_doc/cats.txt"], Vocabulary(("<S>", "</S>", "<UNK>", "the")))
    ...     cache.keep()
    >>> encoded.block(0)[0].tolist(), encoded.others
    ([0, 3, 4, 1], [b'cat'])
    """

    def __init__(self, folder: str, report: Callable[[str], None] = print) -> None:
        self._folder, self._report = folder, report
        self._new: tuple[EncodedCorpus, str] | None = None

    def __enter__(self) -> "CorpusCache":
        return self

    def __exit__(self, *_: object) -> None:
        if self._new is not None:
            with contextlib.suppress(OSError):
                os.remove(self._new[0].path)
            self._new = None

    def encode(self, paths: Sequence[str], vocabulary: Vocabulary) -> EncodedCorpus:
        """Finds the encoded form of a text, or counts and encodes the text; `keep` gives the new file its name.

        The text is read in both cases, so that a change to it is noticed; only its hash is computed of a known one.

        Args:
            paths: text files with one tokenised sentence a line, plain or .gz.
            vocabulary: the vocabulary.

        Raises:
            InputError: the text cannot be read, as for `Corpus.scan`; or the file cannot be written.
        """
        known = self._find(paths, vocabulary)
        return self._encode(paths, vocabulary) if known is None else known

    def keep(self) -> None:
        """Gives a file that `encode` made its name, under which later runs find it."""
        if self._new is None:
            return
        encoded, path = self._new
        with _errors_of_writing(path):
            os.replace(encoded.path, path)
        encoded.path, self._new = path, None
        flush_folder(self._folder)

    def _path(self, key: str) -> str:
        return os.path.join(self._folder, f"{_BEGINNING}{key}{_ENDING}")

    def _find(self, paths: Sequence[str], vocabulary: Vocabulary) -> EncodedCorpus | None:
        if not os.path.isdir(self._folder) or not any(
            name.startswith(_BEGINNING) and name.endswith(_ENDING) for name in os.listdir(self._folder)
        ):
            return None
        path = self._path(content_key(paths, vocabulary))
        if not os.path.exists(path):
            return None
        try:
            return EncodedCorpus.open(path, paths, vocabulary)
        except DamagedFileError as error:
            self._report(f"note: {path} is damaged ({error}), so the text is encoded anew")
            return None

    def _encode(self, paths: Sequence[str], vocabulary: Vocabulary) -> EncodedCorpus:
        self._announce(paths)
        make_folder(self._folder)
        temporary = temporary_name(self._folder, _BEGINNING.rstrip("-"), _ENDING)
        content = _Content(paths, vocabulary)
        try:
            with _errors_of_writing(self._path("*")), open(temporary, "xb") as file:
                encoder = CorpusEncoder(file, vocabulary)

                def count(piece: Piece, text: str) -> tuple[int, int]:
                    content.add(piece)
                    return encoder.count(piece, text)

                corpus = Corpus.scan(paths, count=count)
                encoder.finish(corpus, paths)
            flush_to_disk(temporary)
        except BaseException:  # also on Ctrl-C
            with contextlib.suppress(OSError):
                os.remove(temporary)
            raise
        encoded = EncodedCorpus(temporary, corpus, vocabulary, encoder.others)
        self._new = encoded, self._path(content.key())
        return encoded

    def _announce(self, paths: Sequence[str]) -> None:
        """Says how much room the file takes, and raises an `InputError` if there is less."""
        size = estimate_size(paths)
        if size < _WORTH_A_LINE:
            return
        self._report(f"note: encoding the text takes about {size / 1e6:,.0f} MB in {self._folder}")
        there = self._folder
        while not os.path.isdir(there):
            there = os.path.dirname(os.path.abspath(there))
        free = shutil.disk_usage(there).free
        if free < size:
            raise InputError(
                f"{self._folder} has {free / 1e6:,.0f} MB free, and the encoded text takes about {size / 1e6:,.0f} MB: "
                "give a folder on another disk as --corpus_cache",
                path=self._folder,
                option="corpus_cache",
            )


class _Content:
    """The hash of the content of a text and a vocabulary."""

    def __init__(self, paths: Sequence[str], vocabulary: Vocabulary) -> None:
        self._numbers = {path: number for number, path in enumerate(paths)}
        self._hash = hashlib.blake2b("\n".join(vocabulary.words).encode("utf-8", "surrogatepass"), digest_size=8)

    def add(self, piece: Piece) -> None:
        """Adds the next piece of the text."""
        self._hash.update(b"\n%d %d " % (self._numbers[piece.path], piece.start) + piece.digest)

    def key(self) -> str:
        """The hash so far, 16 hexadecimal digits."""
        return self._hash.hexdigest()


def content_key(paths: Sequence[str], vocabulary: Vocabulary) -> str:
    """The hash of the content of a text and a vocabulary; reads the text."""
    content = _Content(paths, vocabulary)
    for path in paths:
        for piece in read_pieces(path):
            content.add(piece)
    return content.key()


def estimate_size(paths: Sequence[str]) -> int:
    """Estimates the bytes of an encoded text from the first lines of some of its files."""
    read = taken = 0
    for path in paths[:: max(1, len(paths) // _SAMPLE_FILES)]:
        for piece in read_pieces(path, _SAMPLE_BYTES):
            read += len(piece.data)
            # 4 bytes a word, and for a sentence its two boundaries and its length
            taken += 4 * (len(piece.data.split()) + 3 * piece.data.count(b"\n"))
            break
    text = sum(_text_size(path) for path in paths)
    return text * taken // max(read, 1)


def _text_size(path: str) -> int:
    """The bytes of a text file; of a .gz file about those of the text in it."""
    size = os.path.getsize(path)
    if not is_gzip(path):
        return size
    with open(path, "rb") as file:
        file.seek(max(0, size - 4))
        last = int.from_bytes(file.read(4), "little")  # the size of the last part modulo 4 GiB
    return last if last > size else 4 * size


@contextlib.contextmanager
def _errors_of_writing(path: str) -> Iterator[None]:
    """Turns errors of writing a file into one sentence that names it."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path} cannot be written: {reason(error)}", path=path) from error
