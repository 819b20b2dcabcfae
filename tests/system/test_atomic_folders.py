"""Files that are written into a folder together or not at all, also when other processes write there."""

import os
import pathlib
import stat
import subprocess
import sys
import threading
import time

import pytest

from elmo_tf.errors import InputError
from elmo_tf.system import atomic_folders
from elmo_tf.system.atomic_files import atomic_write, make_folder, write_text
from elmo_tf.system.atomic_folders import atomic_folder
from elmo_tf.system.locks import lock_folder


def test_new_files_appear_together_and_other_files_of_the_folder_stay(tmp_path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "old.txt").write_text("old")
    (tmp_path / "new" / "kept.txt").write_text("kept")
    with atomic_folder(str(tmp_path / "new")) as temporary:
        for name in ("old.txt", "inside/more.txt"):
            write_text(os.path.join(temporary, name), "new")
        assert (tmp_path / "new" / "old.txt").read_text() == "old"
    found = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*.txt")}
    assert found == {"new/old.txt": "new", "new/kept.txt": "kept", "new/inside/more.txt": "new"}
    assert not list(tmp_path.rglob(".*"))


def test_an_existing_folder_without_write_permission_is_not_reported_as_impossible_to_make(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.mkdir", refuse)
    with pytest.raises(InputError, match=r"^there cannot be written: Permission denied$"), atomic_folder("there"):
        pass
    message = rf"^the folder there/new/one cannot be made in {tmp_path}/there: Permission denied$"
    with pytest.raises(InputError, match=message), atomic_folder("there/new/one"):
        pass


def test_a_broken_link_in_the_place_of_the_folder_is_an_error_before_anything_is_made(tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to("nowhere")
    monkeypatch.chdir(tmp_path)
    message = rf"^the folder link/sub cannot be made: {tmp_path}/link is no folder$"
    with pytest.raises(InputError, match=message), atomic_folder("link/sub"):
        pass
    with pytest.raises(InputError, match=r"^the folder link cannot be made: something else of that name is there$"):
        make_folder("link")
    assert os.listdir(tmp_path) == ["link"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_neither_files_nor_folders(tmp_path, error):
    with pytest.raises(error), atomic_folder(str(tmp_path / "a" / "b")) as temporary:  # noqa: PT012
        write_text(os.path.join(temporary, "x"), "new")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_a_new_folder_appears_with_all_its_files_at_once_and_with_the_usual_rights(tmp_path, monkeypatch):
    renamed = []
    replace = os.replace
    monkeypatch.setattr("os.replace", lambda *paths: (renamed.append(paths[1]), replace(*paths)))
    mask = os.umask(0o027)
    try:
        with atomic_folder(str(tmp_path / "a" / "b")) as temporary:
            for name in ("x", "inside/y"):
                os.makedirs(os.path.dirname(os.path.join(temporary, name)), exist_ok=True)
                with open(os.path.join(temporary, name), "w") as file:
                    file.write(name)
    finally:
        os.umask(mask)
    assert renamed == [str(tmp_path / "a" / "b")]
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o750
    assert (tmp_path / "a" / "b" / "inside" / "y").read_text() == "inside/y"


def test_the_largest_file_comes_last(tmp_path, monkeypatch):
    moved = []
    replace = os.replace
    monkeypatch.setattr("os.replace", lambda *paths: (moved.append(os.path.basename(paths[1])), replace(*paths)))
    with atomic_folder(str(tmp_path)) as temporary:
        for name, size in (("a", 10), ("weights", 1000), ("z", 3)):
            with open(os.path.join(temporary, name), "w") as file:
                file.write("." * size)
    assert moved == ["z", "a", "weights"]


ERRORS = pytest.mark.parametrize("error", [OSError(28, "No space left"), KeyboardInterrupt(), SystemExit(143)])


def write_four(temporary):
    for name in ("a", "b", "inside/c", "inside/more/d"):
        os.makedirs(os.path.dirname(os.path.join(temporary, name)), exist_ok=True)
        pathlib.Path(temporary, name).write_text("new")


def below(folder):
    return [str(path.relative_to(folder)) for path in sorted(folder.rglob("*"))]


@ERRORS
@pytest.mark.parametrize("has_moved", [False, True])
@pytest.mark.parametrize("moves", [0, 1, 2, 3])
def test_moved_files_are_removed_when_the_move_is_stopped_and_older_files_stay(
    tmp_path, monkeypatch, error, moves, has_moved
):
    """The move is stopped before a file is moved, or by a signal right after."""

    def replace(source, target):
        if len(done) < moves or has_moved:
            move(source, target)
        done.append(target)
        if len(done) > moves:
            raise error

    done, move = [], os.replace
    (tmp_path / "kept.txt").write_text("kept")
    with pytest.raises((InputError, type(error))), atomic_folder(str(tmp_path)) as temporary:  # noqa: PT012
        write_four(temporary)
        monkeypatch.setattr("os.replace", replace)
    assert len(done) == moves + 1
    assert below(tmp_path) == ["kept.txt"]


@ERRORS
@pytest.mark.parametrize("has_moved", [False, True])
def test_a_new_folder_is_removed_with_its_new_parents_when_the_move_is_stopped(tmp_path, monkeypatch, error, has_moved):
    def replace(source, target):
        if has_moved:
            move(source, target)
        raise error

    move = os.replace
    with pytest.raises((InputError, type(error))), atomic_folder(str(tmp_path / "a" / "b" / "c")) as temporary:  # noqa: PT012
        write_four(temporary)
        monkeypatch.setattr("os.replace", replace)
    assert below(tmp_path) == []


@pytest.mark.parametrize("is_there", [True, False])
def test_files_that_another_program_adds_at_the_last_moment_stay(tmp_path, monkeypatch, is_there):
    def replace(source, target):
        (tmp_path / "new").mkdir(exist_ok=True)
        (tmp_path / "new" / "weights").write_text("theirs")
        raise OSError(39, "Directory not empty")

    if is_there:
        (tmp_path / "new").mkdir()
    message = "cannot be written: Directory not empty"
    with pytest.raises(InputError, match=message), atomic_folder(str(tmp_path / "new")) as temporary:  # noqa: PT012
        write_text(os.path.join(temporary, "weights"), "mine")
        monkeypatch.setattr("os.replace", replace)
    assert below(tmp_path) == ["new", "new/weights"]
    assert (tmp_path / "new" / "weights").read_text() == "theirs"


def test_a_new_folder_inherits_the_permissions_of_its_parent(tmp_path):
    os.chmod(tmp_path, 0o2755)
    with atomic_folder(str(tmp_path / "new")) as temporary:
        write_text(os.path.join(temporary, "x"), "x")
    (tmp_path / "usual").mkdir()
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


def test_the_check_runs_before_the_move_and_its_error_leaves_nothing(tmp_path):
    def check():
        if os.listdir(tmp_path / "new"):
            raise InputError("new holds a model already")

    with pytest.raises(InputError, match="holds a model"), atomic_folder(str(tmp_path / "new"), check) as temporary:  # noqa: PT012
        write_text(os.path.join(temporary, "mine"), "mine")
        write_text(tmp_path / "new" / "theirs", "theirs")
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == ["new", "new/theirs"]


@pytest.mark.parametrize("is_there", [True, False])
def test_of_two_concurrent_moves_the_second_check_sees_the_files_of_the_first(tmp_path, monkeypatch, is_there):
    if is_there:
        (tmp_path / "new").mkdir()
    move, both = atomic_folders._move_all, threading.Barrier(2, timeout=20)
    outcomes = []

    def slow(source, folder):
        time.sleep(0.2)  # in which the other one would come through without a lock
        move(source, folder)

    def check():
        if os.path.isdir(tmp_path / "new") and any(not name.startswith(".") for name in os.listdir(tmp_path / "new")):
            raise InputError("taken")

    def come(name):
        try:
            with atomic_folder(str(tmp_path / "new"), check) as temporary:
                write_text(os.path.join(temporary, name), name)
                both.wait()
            outcomes.append(name)
        except InputError as error:
            outcomes.append(str(error))

    monkeypatch.setattr(atomic_folders, "_move_all", slow)
    threads = [threading.Thread(target=come, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("taken") == 1
    assert len(os.listdir(tmp_path / "new")) == 1


def test_a_folder_lock_keeps_another_process_out_and_leaves_no_file(tmp_path):
    code = (
        "import sys, time; from elmo_tf.system.locks import lock_folder\n"
        "with lock_folder(sys.argv[1]):\n"
        " print('in', flush=True); time.sleep(1); print(time.time(), flush=True)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "in\n"
        with lock_folder(str(tmp_path)):
            ours = time.time()
        assert ours >= float(other.stdout.readline())
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_locked_is_used_without_a_lock(tmp_path):
    with lock_folder(str(tmp_path / "missing")):
        pass


@pytest.mark.parametrize(("function", "what"), [("mkdir", atomic_folder), ("open", atomic_write)])
def test_a_signal_just_after_the_temporary_path_is_made_leaves_nothing(tmp_path, monkeypatch, function, what):
    def made_and_stopped(*arguments):
        usual(*arguments)
        raise SystemExit(143)

    usual = getattr(os, function)
    monkeypatch.setattr(f"os.{function}", made_and_stopped)
    with pytest.raises(SystemExit), what(str(tmp_path / "x")):
        pass
    monkeypatch.undo()
    assert os.listdir(tmp_path) == []
