"""Finds the encoded form of a text in a folder, by the content of text and vocabulary, or makes it."""

import contextlib
import glob
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

from elmo_tf.data.corpus import Corpus
from elmo_tf.data.encoded_corpus import CorpusEncoder, DamagedFileError, EncodedCorpus
from elmo_tf.data.text import is_gzip
from elmo_tf.data.text_blocks import Piece, read_pieces
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.errors import InputError
from elmo_tf.system import locks
from elmo_tf.system.atomic_files import flush_folder, make_folder, temporary_name
from elmo_tf.system.error_text import reason

_NAME, _ENDING = "corpus", ".words"
_WORTH_A_LINE = 1 << 20
"""The size in bytes from which the room that the file takes is announced and checked."""

_SAMPLE_FILES, _SAMPLE_BYTES = 8, 1 << 16

_ABANDONED = 3600.0
"""Seconds without a change after which an unfinished file that no process has locked is removed."""


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
        self._new: tuple[EncodedCorpus, str, BinaryIO] | None = None  # with the path to be, and the file, locked

    def __enter__(self) -> "CorpusCache":
        return self

    def __exit__(self, *_: object) -> None:
        if self._new is not None:
            encoded, locked = self._new[0], self._new[2]
            locked.close()
            with contextlib.suppress(OSError):
                os.remove(encoded.path)
            self._new = None

    def encode(self, paths: Sequence[str], vocabulary: Vocabulary) -> EncodedCorpus:
        """Finds the encoded form of a text, or counts and encodes the text; `keep` gives the new file its name.

        The text is read in both cases, so that a change to it is noticed; only its hash is computed of a known one.
        Unfinished files of processes that were killed are removed from the folder.

        Args:
            paths: text files with one tokenised sentence a line, plain or .gz.
            vocabulary: the vocabulary.

        Raises:
            InputError: the text cannot be read, as for `Corpus.scan`; or the file cannot be written.
        """
        self._remove_abandoned()
        known = self.find(paths, vocabulary)
        return self._encode(paths, vocabulary) if known is None else known

    def find(self, paths: Sequence[str], vocabulary: Vocabulary) -> EncodedCorpus | None:
        """Finds the encoded form of a text; None where the folder has none, and nothing is written.

        Args:
            paths, vocabulary: as for `encode`.

        Raises:
            InputError: the text cannot be read.
        """
        if not self._files(f"{_NAME}-*{_ENDING}"):
            return None
        path = self._path(content_key(paths, vocabulary))
        if not os.path.exists(path):
            return None
        try:
            return EncodedCorpus.open(path, paths, vocabulary)
        except DamagedFileError as error:
            self._report(f"note: {path} is damaged ({error}), so the text is encoded anew")
            return None

    def keep(self) -> None:
        """Gives a file that `encode` made its name, under which later runs find it."""
        if self._new is None:
            return
        encoded, path, locked = self._new
        locked.close()  # Windows renames no open file
        with _errors_of_writing(self._folder):
            os.replace(encoded.path, path)
        encoded.path, self._new = path, None
        flush_folder(self._folder)

    def _path(self, key: str) -> str:
        return os.path.join(self._folder, f"{_NAME}-{key}{_ENDING}")

    def _files(self, pattern: str) -> list[str]:
        return glob.glob(os.path.join(glob.escape(self._folder), pattern))

    def _remove_abandoned(self) -> None:
        for path in self._files(f".{_NAME}.*{_ENDING}"):
            with contextlib.suppress(OSError):  # another process has just renamed it, or the folder is read-only
                if _is_abandoned(path):
                    os.remove(path)

    def _encode(self, paths: Sequence[str], vocabulary: Vocabulary) -> EncodedCorpus:
        self._announce(paths)
        make_folder(self._folder)
        temporary = temporary_name(self._folder, _NAME, _ENDING)
        content = _Content(paths, vocabulary)
        try:
            with _errors_of_writing(self._folder), open(temporary, "xb") as file:
                locked = _lock(file)
                encoder = CorpusEncoder(file, vocabulary)

                def count(piece: Piece, text: str) -> tuple[int, int]:
                    content.add(piece)
                    return encoder.count(piece, text)

                corpus = Corpus.scan(paths, count=count)
                encoder.finish(corpus, paths)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:  # also on Ctrl-C
            with contextlib.suppress(OSError):
                os.remove(temporary)
            raise
        encoded = EncodedCorpus(temporary, corpus, vocabulary, encoder.others)
        self._new = encoded, self._path(content.key()), locked
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


def _lock(file: BinaryIO) -> BinaryIO:
    """Locks a file that is open for writing; returns it opened once more, with the lock until that is closed too."""
    again = open(os.dup(file.fileno()), "ab")  # noqa: SIM115 - it stays open while the file is unfinished
    with contextlib.suppress(OSError):
        locks.try_lock(again.fileno())
    return again


def _is_abandoned(path: str) -> bool:
    """Whether an unfinished file is of a process that was killed: it is not locked, and has not changed for long.

    One of the two would not do. A file system may have no locks or hide those of other machines, and a process may be
    halted for hours.
    """
    with open(path, "r+b") as file:
        age = time.time() - os.fstat(file.fileno()).st_mtime
        return age > _ABANDONED and locks.try_lock(file.fileno()) is not False


@contextlib.contextmanager
def _errors_of_writing(folder: str) -> Iterator[None]:
    """Turns errors of writing the encoded text into one sentence that names its folder."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{folder}: the encoded text cannot be written (give another folder as --corpus_cache): {reason(error)}",
            path=folder,
            option="corpus_cache",
        ) from error
