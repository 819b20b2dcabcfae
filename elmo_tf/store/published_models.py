"""The English models that AllenNLP published, by name: fetched once, checked, and kept in a cache.

Addresses as AllenNLP's documentation has them, all under `BASE`. Without network, copy a model's two files into
`cache_folder(name)` as `options.json` and `weights.hdf5`.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import h5py

from elmo_tf.errors import InputError
from elmo_tf.store.file_names import OPTIONS_FILE, WEIGHTS_FILE
from elmo_tf.system import atomic_files
from elmo_tf.system.download import DownloadError, Expected, Progress, download
from elmo_tf.system.download_progress import display_download
from elmo_tf.system.locks import lock

BASE = "https://s3-us-west-2.amazonaws.com/allennlp/models/elmo/"
MIRROR_VARIABLE = "ELMO_TF_MIRROR"
CACHE_VARIABLE = "ELMO_TF_CACHE"
_ADDRESS = re.compile(r"https?://([\w.-]+|\[[\da-fA-F:.]+\])(:\d{1,5})?(/[!-~]*)?|file://[!-~]+")


@dataclass(frozen=True)
class PublishedFile:
    """One file of a published model.

    Args:
        name: what it is called in the cache.
        path: where it lies below `BASE` or a mirror.
        size: its bytes; None where they are not known.
        sha256: the hash of its content; None where it is not known.
    """

    name: str
    path: str
    size: int | None = None
    sha256: str | None = None

    def expected(self) -> Expected:
        """What the file must be: its size and hash where they are known, and JSON, or HDF5 that is not cut short."""
        return Expected(self.size, self.sha256, _check_json if self.name == OPTIONS_FILE else _check_hdf5)


def _model(stem: str, size: int | None = None, sha256: str | None = None) -> tuple[PublishedFile, PublishedFile]:
    start = f"{stem}/elmo_{stem}_"
    return (
        PublishedFile(OPTIONS_FILE, start + "options.json"),
        PublishedFile(WEIGHTS_FILE, start + "weights.hdf5", size, sha256),
    )


PUBLISHED: Mapping[str, tuple[PublishedFile, ...]] = {
    "small": _model(
        "2x1024_128_2048cnn_1xhighway",
        size=54_402_456,
        sha256="747ba97abce8a5f446558369e10bb0f7931437a46867476fdd156f5d7f576229",
    ),
    "medium": _model("2x2048_256_2048cnn_1xhighway"),
    "original": _model("2x4096_512_2048cnn_2xhighway"),
    "5.5B": _model("2x4096_512_2048cnn_2xhighway_5.5B"),
}
"""By name. "5.5B" was trained on 5.5 billion words of Wikipedia and news, the others on the 1 Billion Word corpus."""


def is_published(name: str) -> bool:
    """Whether a name stands for a published model: one of the table, and no file or folder of that name is there.

    >>> is_published("small"), is_published("./small"), is_published("huge")
    (True, False, False)
    """
    return name in PUBLISHED and not os.path.exists(name)


def cache_folder(name: str, cache_dir: str | None = None) -> str:
    """The folder in which a published model is kept.

    Args:
        name: of the model.
        cache_dir: the folder of all models; None for that of the environment variable ELMO_TF_CACHE, or else
            `elmo_tf` in $XDG_CACHE_HOME, or in `~/.cache`.

    >>> cache_folder("small", "/data/models")
    '/data/models/small'
    """
    if not cache_dir:
        cache_dir = os.environ.get(CACHE_VARIABLE)
    if not cache_dir:
        home = os.environ.get("XDG_CACHE_HOME", "")
        # a relative one is to be ignored, by the XDG Base Directory Specification
        cache_dir = os.path.join(home if os.path.isabs(home) else "~/.cache", "elmo_tf")
    return os.path.join(os.path.expanduser(cache_dir), name)


def fetch(name: str, mirror: str | None = None, cache_dir: str | None = None, progress: Progress | None = None) -> str:
    """The folder of a published model, with `options.json` and `weights.hdf5`, fetched if it is not there yet.

    A download that breaks off goes on where it was, at once or in the next call. Several processes can ask at the same
    time: one fetches, the others wait for it. Files that are there are compared with size and hash where those are
    known, and cause no request.

    Args:
        name: one of `PUBLISHED`.
        mirror: an address (http, https, file) below which the files lie as they do below `BASE`; None for that of the
            environment variable ELMO_TF_MIRROR, or else `BASE`.
        cache_dir: see `cache_folder`.
        progress: called with the bytes that have come and those of the whole file, None where the server does not say.
            Without it, stderr tells of a download; see `elmo_tf.system.download_progress`.

    Raises:
        InputError: there is no such model, it cannot be had, or kept, or it is not what was published; the sentence
            says where to put the files by hand.

    Example (not run, for it fetches 54 MB):

        folder = fetch("small")
        loaded = elmo_tf.load_bilm(folder)
    """
    if name not in PUBLISHED:
        raise InputError(f"{name}: no published model has that name; expected one of {', '.join(PUBLISHED)}", path=name)
    folder = cache_folder(name, cache_dir)
    if not _missing(name, folder):  # before the lock, which a cache that is read-only could not have
        return folder
    base = _base(mirror)
    with contextlib.ExitStack() as stack:
        with _kept_in(folder, name):
            if folder.startswith("~"):
                raise InputError("there is no home folder")
            atomic_files.make_folder(folder)
            stack.enter_context(lock(os.path.join(folder, ".lock")))
        missing = _missing(name, folder)  # another process may have fetched them meanwhile
        if missing and progress is None:
            with display_download(f"the published model {name}", base, folder) as progress_of:
                _download(missing, name, folder, base, progress_of)
        elif progress is not None:
            _download(missing, name, folder, base, lambda _: progress)
    return folder


def _download(
    missing: Sequence[PublishedFile], name: str, folder: str, base: str, progress_of: Callable[[str], Progress]
) -> None:
    for file in missing:
        try:
            with _kept_in(folder, name):
                path = os.path.join(folder, file.name)
                download(base + file.path, path, file.expected(), progress_of(file.name))
        except DownloadError as error:
            raise InputError(_advice(name, folder, base, error), path=name) from error


@contextlib.contextmanager
def _kept_in(folder: str, name: str) -> Iterator[None]:
    """An `InputError` of the block, that a file or folder cannot be written, says what to do about it."""
    try:
        yield
    except InputError as error:
        raise InputError(
            f"the published model {name} cannot be kept in {folder} ({error}); set {CACHE_VARIABLE} to a folder that "
            f"can be written, or put its files into any folder by hand, and give that instead of {name}: "
            f"{_places(name)}",
            path=folder,
        ) from error


def _missing(name: str, folder: str) -> list[PublishedFile]:
    """The files that are not there; an `InputError` where one is there that is not the published one."""
    missing = []
    for file in PUBLISHED[name]:
        path = os.path.join(folder, file.name)
        if not os.path.exists(path):
            missing.append(file)
            continue
        try:
            fault = file.expected().fault(path)
        except OSError as error:
            fault = error.strerror or str(error)
        if fault is not None:
            raise InputError(
                f"{path} is not that of the published model {name}: {fault}; remove it to fetch it anew", path=path
            )
    return missing


def _base(mirror: str | None) -> str:
    source, base = "mirror", mirror
    if not base:
        source, base = MIRROR_VARIABLE, os.environ.get(MIRROR_VARIABLE)
    return check_address(source, base).rstrip("/") + "/" if base else BASE


def check_address(source: str, address: str) -> str:
    """The address of a mirror, if it is one.

    Args:
        source: who named it, a flag or a variable, for the error.
        address: what was given.

    Raises:
        InputError: it is no address.

    Example:

    >>> check_address("--mirror", "https://mirror.example/elmo")
    'https://mirror.example/elmo'
    """
    if not _ADDRESS.fullmatch(address):
        raise InputError(
            f"{source}={address}: expected an address that begins with http://, https:// or file://", option="mirror"
        )
    return address


def _advice(name: str, folder: str, base: str, error: DownloadError) -> str:
    what = f"the published model {name} cannot be fetched"
    by_hand = f"put its files into {folder} by hand: {_places(name)}"
    if base == BASE:
        return f"{what} ({error}); name a mirror of {BASE} by --mirror or {MIRROR_VARIABLE}, or {by_hand}"
    return f"{what}: the mirror {base} (--mirror, {MIRROR_VARIABLE}) does not give it ({error}); {by_hand}"


def _places(name: str) -> str:
    """Where a model's files lie, and what they are to be called."""
    return " and ".join(f"{BASE}{file.path} as {file.name}" for file in PUBLISHED[name])


def _check_json(path: str) -> None:
    try:
        is_object = isinstance(atomic_files.read_json(path), dict)
    except InputError:
        is_object = False
    if not is_object:
        raise InputError("expected a JSON object, got something else", path=path)


def _check_hdf5(path: str) -> None:
    if not h5py.is_hdf5(path):
        raise InputError("expected an HDF5 file, got something else", path=path)
    try:
        with h5py.File(path, "r"):  # which compares the length that the file states with the one it has
            pass
    except OSError as error:
        raise InputError("expected a whole HDF5 file, got one that is cut short or damaged", path=path) from error
