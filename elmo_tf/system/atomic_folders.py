"""Several files that appear together or not at all: written into a temporary folder, then moved."""

import contextlib
import functools
import os
import shutil
from collections.abc import Callable, Iterator

from elmo_tf.errors import InputError
from elmo_tf.system.atomic_files import flush_to_disk, make_folder, temporary_name
from elmo_tf.system.locks import lock_folder


@contextlib.contextmanager
def atomic_folder(folder: str, check: Callable[[], None] | None = None) -> Iterator[str]:
    """Yields a temporary folder, whose content moves into `folder` when the block ends.

    A folder that is missing appears with all its files at once. Into one that is there they move one by one, the
    largest last; its other files stay. On any error nothing of them stays, but a file that was replaced is not brought
    back.

    The temporary folder is made in `folder`, or, where that is missing, in its nearest existing parent.

    Args:
        folder: where the files shall be.
        check: called before they move, while no other process moves its own; raises an `InputError` where they may not.

    Example:

    >>> with atomic_folder("/tmp/elmo_tf_doc/model/hdf5") as temporary:
    ...     with open(os.path.join(temporary, "numbers.txt"), "w") as file:
    ...         _ = file.write("1 2 3")
    >>> os.listdir("/tmp/elmo_tf_doc/model/hdf5")
    ['numbers.txt']
    """
    given, folder = folder or ".", os.path.abspath(folder)
    missing = _missing(folder)
    above = os.path.dirname(missing[-1]) if missing else folder
    if not os.path.isdir(above):
        raise InputError(f"the folder {given} cannot be made: {above} is no folder", path=given)
    temporary = temporary_name(above, os.path.basename(folder))
    try:
        try:
            os.mkdir(temporary)
        except OSError as error:
            what = f"{given} cannot be written" if above == folder else f"the folder {given} cannot be made in {above}"
            raise InputError(f"{what}: {error.strerror}", path=given) from error
        yield temporary
        with make_folder_or_undo(os.path.dirname(folder)) as parent, lock_folder(parent):
            if check is not None:
                check()
            _move_all(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _missing(folder: str) -> list[str]:
    """Of the folder and its parents those that do not exist, the innermost first."""
    missing: list[str] = []
    while not os.path.lexists(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    return missing


@contextlib.contextmanager
def make_folder_or_undo(folder: str) -> Iterator[str]:
    """Makes a folder and its parents, those that are missing, which go again on an error of the block, if nobody has
    put anything there.

    Example:

    >>> with contextlib.suppress(InputError), make_folder_or_undo("/tmp/elmo_tf_doc/made/inside") as folder:
    ...     raise InputError("nothing to put there")
    >>> os.path.exists("/tmp/elmo_tf_doc/made")
    False
    """
    missing = _missing(os.path.abspath(folder))
    try:
        make_folder(folder)
        yield folder
    except BaseException:  # also on Ctrl-C
        for path in missing:
            with contextlib.suppress(OSError):
                os.rmdir(path)
        raise


def _move_all(source: str, folder: str) -> None:
    """Moves all that is in `source`; on any error, or a signal, what has moved goes: the first half of a model's files
    would pass for a model."""
    pairs = [(source, folder)]
    if os.path.lexists(folder):
        paths = sorted(files_in(source), key=os.path.getsize)
        pairs = [(path, os.path.join(folder, os.path.relpath(path, source))) for path in paths]
    with contextlib.ExitStack() as undoing:
        for path, target in pairs:
            undoing.enter_context(make_folder_or_undo(os.path.dirname(target)))
            if not os.path.lexists(target):
                undoing.push(functools.partial(_remove_moved, path, target))
            _move(path, target)


def _remove_moved(source: str, target: str, error: type[BaseException] | None, *_: object) -> None:
    """Removes the target on an error, if it is what was the source: another program may have been quicker."""
    if error is not None and not os.path.lexists(source):
        with contextlib.suppress(OSError):
            (shutil.rmtree if os.path.isdir(target) else os.remove)(target)


def _move(source: str, target: str) -> None:
    try:
        os.replace(source, target)
    except OSError as error:
        raise InputError(f"{target} cannot be written: {error.strerror}", path=target) from error


def files_in(folder: str) -> list[str]:
    """The paths of all files below a folder."""
    return [os.path.join(inside, name) for inside, _, names in os.walk(folder) for name in names]


def flush_folder_to_disk(folder: str) -> None:
    """Waits until all files below a folder are on the disk; raises as `elmo_tf.system.atomic_files.flush_to_disk`."""
    for path in files_in(folder):
        flush_to_disk(path)
