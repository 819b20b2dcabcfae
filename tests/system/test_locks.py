"""Locks keep other processes out, where the system has locks."""

import errno

import pytest

from elmo_tf.errors import InputError
from elmo_tf.system import locks
from elmo_tf.system.locks import lock, lock_folder


class Fcntl:
    LOCK_EX = 2

    def __init__(self, number):
        self.number = number

    def flock(self, handle, operation):
        raise OSError(self.number, "said")


def test_without_locks_in_the_system_the_block_runs_unlocked(tmp_path, monkeypatch):
    for lacking in (None, Fcntl(errno.ENOLCK), Fcntl(errno.EOPNOTSUPP)):
        monkeypatch.setattr(locks, "fcntl", lacking)
        done = []
        with lock(str(tmp_path / "lock")), lock_folder(str(tmp_path)):
            done.append(True)
        assert done


def test_a_lock_that_fails_is_an_input_error(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "fcntl", Fcntl(errno.EIO))
    with pytest.raises(InputError, match=r"lock cannot be locked: said$"), lock(str(tmp_path / "lock")):
        pass
    with pytest.raises(InputError, match="cannot be locked"), lock(str(tmp_path / "missing" / "lock")):
        pass
