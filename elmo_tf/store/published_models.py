"""Fetches the English models that AllenNLP published: downloads and checks them once, and keeps them in a cache.

Without a network, copy a model's two files into `cache_folder(name)` as `options.json` and `weights.hdf5`.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Sequence

from elmo_tf.errors import InputError
from elmo_tf.store.published_files import BASE, PUBLISHED, PublishedFile
from elmo_tf.system import atomic_files
from elmo_tf.system.download import DownloadError, Progress, download
from elmo_tf.system.download_progress import display_download
from elmo_tf.system.locks import lock

MIRROR_VARIABLE = "ELMO_TF_MIRROR"
CACHE_VARIABLE = "ELMO_TF_CACHE"
_ADDRESS = re.compile(r"https?://([\w.-]+|\[[\da-fA-F:.]+\])(:\d{1,5})?(/[!-~]*)?|file://[!-~]+")


def is_published(name: str) -> bool:
    """Whether a name is that of a published model; a file or folder of that name in the working directory comes first.

    >>> is_published("small"), is_published("./small"), is_published("huge")
    (True, False, False)
    """
    return name in PUBLISHED and not os.path.exists(name)


def cache_folder(name: str, cache_dir: str | None = None) -> str:
    """The folder in which a published model is kept.

    Args:
        name: the name of the model.
        cache_dir: the folder of all models; None for the environment variable ELMO_TF_CACHE or, where that is not set,
            for `elmo_tf` in $XDG_CACHE_HOME or in `~/.cache`.

    >>> cache_folder("small", "/data/models")
    '/data/models/small'
    """
    if not cache_dir:
        cache_dir = os.environ.get(CACHE_VARIABLE)
    if not cache_dir:
        home = os.environ.get("XDG_CACHE_HOME", "")
        # the XDG Base Directory Specification says to ignore a relative path
        cache_dir = os.path.join(home if os.path.isabs(home) else "~/.cache", "elmo_tf")
    return os.path.join(os.path.expanduser(cache_dir), name)


def fetch(name: str, mirror: str | None = None, cache_dir: str | None = None, progress: Progress | None = None) -> str:
    """Downloads a published model, unless it is in the cache; returns its folder.

    The folder has the files `options.json` and `weights.hdf5`. A download that breaks off goes on after the bytes
    received so far, at once or in the next call. Where several processes fetch a model at the same time, one downloads
    it and the others wait. Files in the cache are checked by size and hash, where those are known, without a request.

    Args:
        name: one of `PUBLISHED`.
        mirror: an address (http, https or file) with the same paths as `BASE`; None for the environment variable
            ELMO_TF_MIRROR or, where that is not set, for `BASE`.
        cache_dir: see `cache_folder`.
        progress: called with the bytes received so far and the size of the whole file, None where the server does not
            say it. Without a callback, stderr shows the progress; see `elmo_tf.system.download_progress`.

    Raises:
        InputError: no published model has that name, its files cannot be downloaded or stored, or they are not the
            published ones; the message says where to put the files by hand.

    Example (not run, because it downloads 54 MB):

        folder = fetch("small")
        loaded = elmo_tf.load_bilm(folder)
    """
    if name not in PUBLISHED:
        raise InputError(f"{name}: no published model has that name; expected one of {', '.join(PUBLISHED)}", path=name)
    folder = cache_folder(name, cache_dir)
    if not _missing_files(name, folder):  # before the lock, which cannot be made in a read-only cache
        return folder
    base = _base_address(mirror)
    with contextlib.ExitStack() as stack:
        with _advise_on_cache(folder, name):
            if folder.startswith("~"):
                raise InputError("there is no home folder")
            atomic_files.make_folder(folder)
            stack.enter_context(lock(os.path.join(folder, ".lock")))
        missing = _missing_files(name, folder)  # another process may have fetched them meanwhile
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
            with _advise_on_cache(folder, name):
                path = os.path.join(folder, file.name)
                download(base + file.path, path, file.expected(), progress_of(file.name))
        except DownloadError as error:
            raise InputError(_download_advice(name, folder, base, error), path=name) from error


@contextlib.contextmanager
def _advise_on_cache(folder: str, name: str) -> Iterator[None]:
    """Adds to an `InputError` of the block, that a file or folder cannot be written, what the user can do."""
    try:
        yield
    except InputError as error:
        raise InputError(
            f"the published model {name} cannot be kept in {folder} ({error}); set {CACHE_VARIABLE} to a folder that "
            f"can be written, or put its files into any folder by hand, and give that instead of {name}: "
            f"{_manual_steps(name)}",
            path=folder,
        ) from error


def _missing_files(name: str, folder: str) -> list[PublishedFile]:
    """The files that the cache lacks; raises an `InputError` where it holds another file than the published one."""
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


def _base_address(mirror: str | None) -> str:
    """The address, with a slash at its end, that the paths of the files are added to."""
    source, base = "mirror", mirror
    if not base:
        source, base = MIRROR_VARIABLE, os.environ.get(MIRROR_VARIABLE)
    return check_address(source, base).rstrip("/") + "/" if base else BASE


def check_address(source: str, address: str) -> str:
    """Checks the address of a mirror; returns it.

    Args:
        source: the flag or environment variable that it comes from, for the error message.
        address: the address.

    Raises:
        InputError: it is no address of http, https or file.

    Example:

    >>> check_address("--mirror", "https://mirror.example/elmo")
    'https://mirror.example/elmo'
    """
    if not _ADDRESS.fullmatch(address):
        raise InputError(
            f"{source}={address}: expected an address that begins with http://, https:// or file://",
            option="mirror",
            path=source,
        )
    return address


def _download_advice(name: str, folder: str, base: str, error: DownloadError) -> str:
    """The error message for files that cannot be downloaded, with what the user can do."""
    what = f"the published model {name} cannot be fetched"
    by_hand = f"put its files into {folder} by hand: {_manual_steps(name)}"
    if base == BASE:
        return f"{what} ({error}); name a mirror of {BASE} by --mirror or {MIRROR_VARIABLE}, or {by_hand}"
    return f"{what}: the mirror {base} (--mirror, {MIRROR_VARIABLE}) does not give it ({error}); {by_hand}"


def _manual_steps(name: str) -> str:
    """The addresses of a model's files and the names to store them under, for error messages."""
    return " and ".join(f"{BASE}{file.path} as {file.name}" for file in PUBLISHED[name])
