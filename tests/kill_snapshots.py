"""Keeps what a folder holds before each file operation of this process: what a kill at that moment would leave."""

import contextlib
import os
import threading

from model_folders import content_of

_OPERATIONS = ("open", "replace", "rename", "remove", "unlink", "rmdir", "mkdir", "fsync")


@contextlib.contextmanager
def kill_snapshots(patch, folder, calls=()):
    """Yields a list to which the content of a folder is added before each operation, where it differs from the last.

    Args:
        patch: a `pytest.MonkeyPatch`.
        folder: the folder, which need not exist yet.
        calls: further functions before which the folder is looked at, as pairs of their owner and name.
    """
    found, lock = [], threading.Lock()

    def look():
        with lock:
            content = content_of(folder)
            if not found or content != found[-1]:
                found.append(content)

    with patch.context() as own:
        for owner, name in [*((os, name) for name in _OPERATIONS), *calls]:
            own.setattr(owner, name, _after(look, getattr(owner, name)))
        yield found


def _after(look, function):
    def called(*arguments, **named):
        look()
        return function(*arguments, **named)

    return called


def restore(content, folder, torn=False):
    """Writes the files of a snapshot to a folder; where `torn` is set, only the first half of each unfinished one."""
    for name, data in content.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data[: len(data) // 2] if torn and path.name.startswith(".") else data)
