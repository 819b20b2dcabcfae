"""Writes several files together or not at all: they are written into a temporary folder, then moved."""

import contextlib
import functools
import os
import shutil
from collections.abc import Callable, Iterator

from elmo_tf.errors import InputError
from elmo_tf.system.atomic_files import flush_folder, flush_to_disk, make_folder, temporary_name
from elmo_tf.system.locks import lock_folder


@contextlib.contextmanager
def atomic_folder(folder: str, check: Callable[[], None] | None = None) -> Iterator[str]:
    """Yields a temporary folder, whose files move into `folder` when the block ends.

    A missing `folder` appears with all its files at once. Into an existing `folder` the files move one by one, the
    largest last, and its other files stay. On any error the files that have moved are removed again, except
    where one has replaced an older file: then the new file stays.

    The files are on the disk before they move. The temporary folder is made in `folder` or, where `folder` is missing,
    in its nearest existing parent.

    Args:
        folder: the folder of the files.
        check: called just before the files move, while other processes cannot move theirs; raises an `InputError` where
            the files may not move.

    Example:

    >>> with atomic_folder("/tmp/elmo_tf_doc/model/hdf5") as temporary:
    ...     with open(os.path.join(temporary, "numbers.txt"), "w") as file:
    ...         _ = file.write("1 2 3")
    >>> os.listdir("/tmp/elmo_tf_doc/model/hdf5")
    ['numbers.txt']
    """
    shown, folder = folder or ".", os.path.abspath(folder)
    missing = _missing_folders(folder)
    above = os.path.dirname(missing[-1]) if missing else folder
    if not os.path.isdir(above):
        raise InputError(f"the folder {shown} cannot be made: {above} is no folder", path=shown)
    temporary = temporary_name(above, os.path.basename(folder))
    try:
        try:
            os.mkdir(temporary)
        except OSError as error:
            what = f"{shown} cannot be written" if above == folder else f"the folder {shown} cannot be made in {above}"
            raise InputError(f"{what}: {error.strerror}", path=shown) from error
        yield temporary
        flush_folder_to_disk(temporary)
        with make_folder_or_undo(os.path.dirname(folder)) as parent, lock_folder(parent):
            if check is not None:
                check()
            _move_all(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _missing_folders(folder: str) -> list[str]:
    """A folder and its parents as far as they do not exist, the innermost first."""
    missing: list[str] = []
    while not os.path.lexists(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    return missing


@contextlib.contextmanager
def make_folder_or_undo(folder: str) -> Iterator[str]:
    """Makes a folder and its missing parents; where an error ends the block, removes the new folders that are empty.

    Example:

    >>> with contextlib.suppress(InputError), make_folder_or_undo("/tmp/elmo_tf_doc/made/inside") as folder:
    ...     raise InputError("nothing to put there")
    >>> os.path.exists("/tmp/elmo_tf_doc/made")
    False
    """
    missing = _missing_folders(os.path.abspath(folder))
    try:
        make_folder(folder)
        yield folder
    except BaseException:  # also on Ctrl-C
        for path in missing:
            with contextlib.suppress(OSError):
                os.rmdir(path)
        raise


def _move_all(source: str, folder: str) -> None:
    """Moves all files of `source` into `folder`; on an error or a signal removes those that have moved.

    A model with half of its files would else be taken for a whole one.
    """
    pairs = [(source, folder)]
    if os.path.lexists(folder):
        paths = sorted(find_files(source), key=os.path.getsize)
        pairs = [(path, os.path.join(folder, os.path.relpath(path, source))) for path in paths]
    with contextlib.ExitStack() as undoing:
        for path, target in pairs:
            undoing.enter_context(make_folder_or_undo(os.path.dirname(target)))
            if not os.path.lexists(target):
                undoing.push(functools.partial(_remove_moved, path, target))
            _move(path, target)
            flush_folder(os.path.dirname(target))


def _remove_moved(source: str, target: str, error: type[BaseException] | None, *_: object) -> None:
    """Removes the target on an error if it was moved from the source; else another program has put it there."""
    if error is not None and not os.path.lexists(source):
        with contextlib.suppress(OSError):
            (shutil.rmtree if os.path.isdir(target) else os.remove)(target)


def _move(source: str, target: str) -> None:
    try:
        os.replace(source, target)
    except OSError as error:
        raise InputError(f"{target} cannot be written: {error.strerror}", path=target) from error


def find_files(folder: str) -> list[str]:
    """The paths of all files below a folder."""
    return [os.path.join(inside, name) for inside, _, names in os.walk(folder) for name in names]


def flush_folder_to_disk(folder: str) -> None:
    """Waits until a folder is on the disk with all that is below it.

    Raises:
        InputError: a file cannot be written, as of `elmo_tf.system.atomic_files.flush_to_disk`.
    """
    for inside, _, names in os.walk(folder):
        for name in names:
            flush_to_disk(os.path.join(inside, name))
        flush_folder(inside)
