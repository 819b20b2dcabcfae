"""Several files that appear together or not at all: written into a temporary folder, then moved."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator

from elmo_tf.errors import InputError
from elmo_tf.files import give_usual_permissions, make_folder, name_aside, sync
from elmo_tf.locks import locked_folder


@contextlib.contextmanager
def replacing_in(folder: str, check: Callable[[], None] | None = None) -> Iterator[str]:
    """Yields a temporary folder; on success what is in it moves into `folder`, which keeps what else it has, on any
    error it goes, and `folder` is as it was, but for a file that was replaced before the error.

    A folder that is missing appears with all its files at once; into one that is there they move one by one, the
    largest last. The temporary folder is made in `folder`, or, where that is missing, in the nearest folder above it
    that there is.

    Args:
        folder: where the files shall be.
        check: called before they move, while no other process moves its own; raises an `InputError` where they may not.

    Example:

    >>> with replacing_in("/tmp/elmo_tf_doc/model/hdf5") as temporary:
    ...     with open(os.path.join(temporary, "numbers.txt"), "w") as file:
    ...         _ = file.write("1 2 3")
    >>> os.listdir("/tmp/elmo_tf_doc/model/hdf5")
    ['numbers.txt']
    """
    given, folder = folder or ".", os.path.abspath(folder)
    above = _existing(folder)
    if not os.path.isdir(above):
        raise InputError(f"the folder {given} cannot be made: {above} is no folder")
    temporary = name_aside(above, os.path.basename(folder))
    try:
        try:
            os.mkdir(temporary, 0o700)
        except OSError as error:
            what = f"{given} cannot be written" if above == folder else f"the folder {given} cannot be made in {above}"
            raise InputError(f"{what}: {error.strerror}") from error
        yield temporary
        with locked_folder(_existing(os.path.dirname(folder))):
            if check is not None:
                check()
            _move_all(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _existing(folder: str) -> str:
    """The folder, or the nearest above it that there is."""
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    return folder


def _move_all(source: str, folder: str) -> None:
    """Moves all that is in `source`; on any error, or a signal, what is new goes: the first half of a model's files
    would pass for a model."""
    new = _not_there(folder)
    try:
        if new:
            make_folder(os.path.dirname(folder))
            give_usual_permissions(source)
            _move(source, folder)
            return
        for path in sorted(_files(source), key=os.path.getsize):
            target = os.path.join(folder, os.path.relpath(path, source))
            new += _not_there(target)  # before it is, for a signal may come in between
            make_folder(os.path.dirname(target))
            _move(path, target)
    except BaseException:
        for path in reversed(new):
            with contextlib.suppress(OSError):  # it may not have come to be
                (shutil.rmtree if path == folder else os.rmdir if os.path.isdir(path) else os.remove)(path)
        raise


def _not_there(path: str) -> list[str]:
    """Those of a path and the folders it lies in that do not exist, the outermost first."""
    missing: list[str] = []
    while not os.path.lexists(path):
        missing.insert(0, path)
        path = os.path.dirname(path)
    return missing


def _move(source: str, target: str) -> None:
    try:
        os.replace(source, target)
    except OSError as error:
        raise InputError(f"{target} cannot be written: {error.strerror}") from error


def _files(folder: str) -> list[str]:
    return [os.path.join(inside, name) for inside, _, names in os.walk(folder) for name in names]


def sync_all(folder: str) -> None:
    """Waits until all files below a folder are on the disk; raises as `elmo_tf.files.sync`."""
    for path in _files(folder):
        sync(path)
