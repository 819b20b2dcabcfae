import concurrent.futures
import os
import stat

import pytest

from elmo_tf.errors import InputError
from elmo_tf.system import atomic_files


def test_a_file_appears_with_its_whole_content(tmp_path):
    target = tmp_path / "new" / "folder" / "x.txt"
    with atomic_files.atomic_write(target) as temporary:
        with open(temporary, "w") as file:
            file.write("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert os.listdir(target.parent) == ["x.txt"]


def test_the_unfinished_file_lies_where_it_is_told_to_and_beside_the_file_that_a_link_names(tmp_path):
    (tmp_path / "aside").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to("other/x")
    for path, folder in (("x", "aside"), ("link", "other")):
        with atomic_files.atomic_write(tmp_path / path, str(tmp_path / "aside")) as temporary:
            assert os.path.dirname(temporary) == str(tmp_path / folder)
    assert sorted(os.listdir(tmp_path)) == ["aside", "link", "other", "x"]
    assert (os.listdir(tmp_path / "aside"), os.listdir(tmp_path / "other")) == ([], ["x"])


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path, error):
    (tmp_path / "x.txt").write_text("old")

    def fail_half_way():
        with atomic_files.atomic_write(tmp_path / "x.txt") as temporary, open(temporary, "w") as file:
            file.write("half")
            raise error

    with pytest.raises(error):
        fail_half_way()
    assert (tmp_path / "x.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["x.txt"]


@pytest.mark.parametrize(
    "write", [lambda path: atomic_files.write_text(path, "x" * 999), lambda path: atomic_files.copy("a", path)]
)
def test_a_full_disk_is_one_sentence_that_names_the_file(tmp_path, monkeypatch, write):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").write_text("x" * 999)
    resource = pytest.importorskip("resource")
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, usual[1]))
    try:
        with pytest.raises(InputError, match=r"^b cannot be written: File too large$"):
            write("b")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert os.listdir(tmp_path) == ["a"]


def test_an_error_that_names_the_temporary_file_names_the_target_instead(tmp_path):
    with (
        pytest.raises(InputError, match=f"^{tmp_path}/x is odd$"),
        atomic_files.atomic_write(tmp_path / "x") as temporary,
    ):
        raise InputError(f"{temporary} is odd")


def test_copying_a_missing_file_names_that_file(tmp_path):
    with pytest.raises(InputError, match="none cannot be read: No such file"):
        atomic_files.copy(str(tmp_path / "none"), str(tmp_path / "b"))
    assert os.listdir(tmp_path) == []


def test_errors_of_other_files_are_raised_unchanged(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_files.atomic_write(tmp_path / "x"):
        open(tmp_path / "none")  # noqa: SIM115
    assert os.listdir(tmp_path) == []


def test_the_temporary_name_keeps_folder_and_ending(tmp_path):
    with atomic_files.atomic_write(tmp_path / "weights.hdf5") as temporary:
        assert os.path.dirname(temporary) == str(tmp_path)
        assert temporary.endswith(".hdf5")


def test_permissions_are_those_of_an_ordinary_file(tmp_path):
    old = os.umask(0o027)
    try:
        atomic_files.write_text(tmp_path / "x.txt", "")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "x.txt").stat().st_mode) == 0o640


def test_a_bare_name_is_written_to_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    atomic_files.write_text("x.txt", "here")
    assert (tmp_path / "x.txt").read_text() == "here"


def test_a_folder_as_target_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match=f"{tmp_path} is a folder"), atomic_files.atomic_write(tmp_path):
        pass


def test_a_file_in_the_way_of_a_folder_is_refused_by_name(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"the folder .*file/sub cannot be made"):
        atomic_files.write_text(tmp_path / "file" / "sub" / "x.txt", "")


def test_text_is_written_in_utf8_with_line_feeds(tmp_path):
    atomic_files.write_text(tmp_path / "x.txt", "æ\n")
    assert (tmp_path / "x.txt").read_bytes() == b"\xc3\xa6\n"


def test_a_copy_has_the_content_and_replaces_an_older_file(tmp_path):
    (tmp_path / "a").write_bytes(b"\0new")
    (tmp_path / "b").write_bytes(b"old")
    atomic_files.copy(str(tmp_path / "a"), str(tmp_path / "b"))
    assert (tmp_path / "b").read_bytes() == b"\0new"


def test_a_copy_onto_itself_does_nothing(tmp_path):
    path = tmp_path / "a"
    path.write_text("same")
    before = path.stat().st_ino
    atomic_files.copy(str(path), str(tmp_path / "." / "a"))
    assert (path.read_text(), path.stat().st_ino) == ("same", before)


def test_files_made_by_several_threads_have_the_usual_permissions_and_the_mask_stays(tmp_path):
    mask = os.umask(0o027)
    try:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda number: atomic_files.write_text(tmp_path / f"{number}.txt", "text"), range(100)))
            list(pool.map(lambda path: atomic_files.give_usual_permissions(str(path)), tmp_path.iterdir()))
    finally:
        now = os.umask(mask)
    assert now == 0o027
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o640}
