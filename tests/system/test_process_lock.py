"""One process holds a lock, others hear who it is, and no dead process holds it."""

import contextlib
import errno
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from elmo_tf.errors import InputError
from elmo_tf.system import locks, process_lock
from elmo_tf.system.process_lock import Holder

HOLD = """
    import sys, time
    from elmo_tf.system.process_lock import process_lock

    with process_lock(sys.argv[1], "the folder"):
        print("held", flush=True)
        time.sleep(600)
"""


class NoLocks:
    """A file system without locks."""

    LOCK_EX, LOCK_NB = 2, 4

    def flock(self, handle, operation):
        raise OSError(errno.ENOLCK, "said")


@pytest.fixture(params=[True, False], ids=["flock", "no flock"])
def file_system(request, monkeypatch):
    if not request.param:
        monkeypatch.setattr(locks, "fcntl", NoLocks())


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "train.lock")


@contextlib.contextmanager
def held_by_another(path):
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(HOLD), path], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def read(path):
    with open(path) as file:
        return json.load(file)


def take(path, report=print):
    with process_lock.process_lock(path, "the folder", report):
        return read(path)


def write(path, **changes):
    values = {**Holder.this_process()._asdict(), "since": "then", **changes}
    with open(path, "w") as file:
        json.dump(values, file)


def test_the_file_says_who_holds_it_and_goes_at_the_end_and_on_errors(path, file_system):
    values = take(path)
    assert (values["host"], values["process"]) == (socket.gethostname(), os.getpid())
    assert not os.path.exists(path)
    with pytest.raises(KeyboardInterrupt), process_lock.process_lock(path, "the folder"):
        raise KeyboardInterrupt
    assert not os.path.exists(path)


def test_a_second_process_hears_at_once_who_the_first_is_and_a_killed_one_does_not_block(path, file_system):
    with held_by_another(path) as process:
        began = time.monotonic()
        with pytest.raises(InputError) as caught:
            take(path)
        assert time.monotonic() - began < 2
        since = read(path)["since"]
        assert str(caught.value) == (
            f"the folder is in use by process {process.pid} on {socket.gethostname()}, since {since}: "
            "wait for its end, or stop it"
        )
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert take(path)["process"] == os.getpid()


def test_a_zombie_does_not_block(path, monkeypatch):
    monkeypatch.setattr(locks, "fcntl", NoLocks())
    with held_by_another(path) as process:
        process.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        take(path)


def test_a_second_call_of_the_same_process_is_refused_too(path, file_system):
    with process_lock.process_lock(path, "the folder"), pytest.raises(InputError, match=f"process {os.getpid()} on"):
        take(path)


def test_a_later_process_of_the_same_number_is_not_the_holder(path, file_system):
    write(path, start="1")
    take(path)


def naming(process):
    return f'{{"host": "{socket.gethostname()}", "process": {process}, "since": "then", "start": "1"}}'


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[]", '{"host": 1}', '{"host": "a", "process": "x"}', "[" * 4096,
        *(naming(process) for process in ("Infinity", "-1", "0", "2147483648", "1e30")),
    ],
)  # fmt: skip
def test_a_file_that_names_nobody_does_not_block(path, file_system, content):
    with open(path, "w") as file:
        file.write(content)
    take(path)


def test_a_holder_of_another_host_that_gives_no_sign_is_dead(path, monkeypatch, file_system):
    monkeypatch.setattr(process_lock, "SILENCE", 0.5)
    write(path, host="elsewhere")
    lines = []
    take(path, lines.append)
    (line,) = lines
    assert "train.lock is of process" in line
    assert "on elsewhere, since then: waiting" in line


def test_a_holder_of_another_host_that_was_silent_for_long_is_not_waited_for(path, file_system):
    write(path, host="elsewhere")
    os.utime(path, (time.time() - 1000,) * 2)
    lines = []
    take(path, lines.append)
    assert not lines


def test_a_holder_of_another_host_that_gives_signs_is_alive(path, monkeypatch, file_system):
    monkeypatch.setattr(process_lock, "HEARTBEAT", 0.1)
    write(path, host="elsewhere")
    ended = threading.Event()
    handle = os.open(path, os.O_RDWR)
    thread = threading.Thread(target=process_lock._beat, args=(handle, path, ended))
    thread.start()
    try:
        with pytest.raises(InputError, match=r"is in use by process .* on elsewhere, since then"):
            take(path, lambda line: None)
    finally:
        ended.set()
        thread.join()
        os.close(handle)
    assert os.path.exists(path)


def test_a_lock_that_cannot_be_written_is_a_sentence(tmp_path):
    with pytest.raises(InputError, match=r"^the folder cannot be locked: No such file"):
        take(str(tmp_path / "missing" / "train.lock"))


def test_a_forked_child_that_outlives_its_parent_does_not_hold_the_lock(path):
    with process_lock.process_lock(path, "the folder"):
        child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
        child.start()
    try:
        with open(path, "w") as file:
            assert locks.try_lock(file.fileno())
    finally:
        child.kill()
        child.join()
