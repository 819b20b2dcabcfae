"""A broken-off download is resumed, and leaves a whole and checked file or none."""

import hashlib
import http.server
import os
import resource
import socket
import types

import numpy as np
import pytest
from file_server import FileServer

from elmo_tf.errors import InputError
from elmo_tf.system import resumable_transfer
from elmo_tf.system.download import DownloadError, ExpectedFile, download

CONTENT = np.random.default_rng(0).bytes(300_000)
OTHER = np.random.default_rng(1).bytes(300_000)
WHOLE = ExpectedFile(len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(resumable_transfer, "PAUSE", 0.0)
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def server():
    with FileServer({"/file": CONTENT}).running() as server:
        yield server


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.bin"


def refused(server, path, expected=WHOLE):
    with pytest.raises(DownloadError) as caught:
        download(f"{server.address}/file", str(path), expected)
    assert "\n" not in str(caught.value)
    assert not path.exists()
    return str(caught.value)


def gets(server, path, expected=WHOLE):
    download(f"{server.address}/file", str(path), expected)
    assert path.read_bytes() == CONTENT
    assert os.listdir(path.parent) == [path.name]


def test_a_downloaded_file_has_the_usual_permissions_and_no_file_beside_it(server, path):
    calls = []
    download(f"{server.address}/file", str(path), WHOLE, lambda done, total: calls.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert os.listdir(path.parent) == ["file.bin"]
    assert calls[-1] == (300_000, 300_000)
    assert [done for done, _ in calls] == sorted({done for done, _ in calls})
    (path.parent / "usual").touch()
    assert path.stat().st_mode == (path.parent / "usual").stat().st_mode


def test_a_broken_off_download_is_resumed_at_once_with_the_next_byte(server, path):
    server.breaks = [100_000, 50_000]
    gets(server, path)
    assert server.requests == [("/file", None), ("/file", "bytes=100000-"), ("/file", "bytes=150000-")]


@pytest.mark.parametrize("versions", [True, False, "weak"])
def test_the_next_call_resumes_where_the_last_one_gave_up(path, versions):
    with FileServer({"/file": CONTENT}, versions=versions).running() as server:
        server.breaks = [100_000, 0, 0, 0]
        assert "broke off after 100,000 bytes, where the next try goes on" in refused(server, path)
        assert len(server.requests) == 4
        gets(server, path)
        assert server.requests[-1] == ("/file", "bytes=100000-")


def test_a_download_from_a_server_without_ranges_begins_anew(path):
    with FileServer({"/file": CONTENT}, ranges=False).running() as server:
        server.breaks = [100_000]
        gets(server, path)
        assert len(server.requests) == 2


def test_a_server_that_always_breaks_off_at_the_same_byte_is_given_up(path):
    with FileServer({"/file": CONTENT}, ranges=False).running() as server:
        server.breaks = [100_000] * 50
        refused(server, path)
        assert len(server.requests) == 1 + resumable_transfer.TRIES


def test_the_download_of_a_changed_file_begins_anew(server, path):
    server.breaks = [100_000, 0, 0, 0]
    refused(server, path)
    server.files["/file"] = OTHER
    download(f"{server.address}/file", str(path), ExpectedFile(len(OTHER)))
    assert path.read_bytes() == OTHER


def test_the_download_of_a_shortened_file_begins_anew(path):
    with FileServer({"/file": OTHER + CONTENT}, versions=False).running() as server:
        server.breaks = [400_000, 0, 0, 0]
        refused(server, path, ExpectedFile())
        server.files["/file"] = CONTENT
        gets(server, path)


def test_a_download_from_another_address_begins_anew(server, path):
    server.files["/other"] = OTHER
    server.breaks = [100_000, 0, 0, 0]
    refused(server, path)
    download(f"{server.address}/other", str(path), ExpectedFile(len(OTHER)))
    assert path.read_bytes() == OTHER
    assert server.requests[-1] == ("/other", None)


@pytest.mark.parametrize("damage", ["no note", "a torn note", "a note of something else"])
def test_a_part_without_a_usable_note_is_not_used(server, path, damage):
    server.breaks = [100_000, 0, 0, 0]
    refused(server, path)
    note = path.parent / ".file.bin.part.json"
    assert note.exists()
    if damage == "no note":
        note.unlink()
    else:
        note.write_text("[1]" if "else" in damage else note.read_text()[:20])
    gets(server, path)
    assert server.requests[-1] == ("/file", None)


def test_a_part_that_is_complete_needs_no_request(server, path):
    server.breaks = [100_000, 0, 0, 0]
    refused(server, path)
    (path.parent / ".file.bin.part").write_bytes(CONTENT)
    n_requests = len(server.requests)
    gets(server, path)
    assert len(server.requests) == n_requests


def test_a_part_longer_than_the_file_is_not_used(server, path):
    server.breaks = [100_000, 0, 0, 0]
    refused(server, path)
    (path.parent / ".file.bin.part").write_bytes(CONTENT + b"more")
    gets(server, path)


def test_without_a_content_length_the_expected_size_shows_a_break(path):
    with FileServer({"/file": CONTENT}, lengths=False).running() as server:
        server.breaks = [100_000]
        gets(server, path)
        assert server.requests[-1] == ("/file", "bytes=100000-")


def test_without_any_known_size_the_hash_shows_a_break(path):
    with FileServer({"/file": CONTENT}, lengths=False).running() as server:
        server.breaks = [100_000]
        assert "expected the sha256" in refused(server, path, ExpectedFile(sha256=WHOLE.sha256))
        gets(server, path, ExpectedFile(sha256=WHOLE.sha256))


def test_a_wrong_hash_is_an_error_and_leaves_nothing(server, path):
    server.files["/file"] = OTHER
    message = refused(server, path)
    assert f"expected the sha256 {WHOLE.sha256}, got {hashlib.sha256(OTHER).hexdigest()}" in message
    assert os.listdir(path.parent) == []


def test_a_wrong_size_is_an_error_before_the_first_byte_and_leaves_nothing(server, path):
    server.files["/file"] = CONTENT[:-1]
    calls = []
    with pytest.raises(DownloadError, match="expected 300,000 bytes, got 299,999"):
        download(f"{server.address}/file", str(path), WHOLE, lambda *call: calls.append(call))
    assert not calls
    assert os.listdir(path.parent) == []


def test_a_wrong_form_is_an_error_and_leaves_nothing(server, path):
    def check(name):
        with open(name, "rb") as file:
            raise InputError(f"begins with {file.read(1)!r}")

    assert f"begins with {CONTENT[:1]!r} (300,000 bytes)" in refused(server, path, ExpectedFile(check_form=check))
    assert os.listdir(path.parent) == []


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_file_that_the_server_refuses_is_an_error_at_once(server, path, status):
    server.answers = [status] * 5
    assert f"the answer is {status}" in refused(server, path)
    assert len(server.requests) == 1


def test_a_server_that_is_busy_is_asked_again(server, path):
    server.answers = [503, 500, None]
    gets(server, path)
    server.answers = [503] * 5
    path.unlink()
    assert "the answer is 503" in refused(server, path)


def test_an_address_without_a_server_is_an_error_at_once(path, monkeypatch):
    def fail(seconds):
        raise AssertionError(f"waits {seconds} s")

    monkeypatch.setattr(resumable_transfer, "time", types.SimpleNamespace(sleep=fail))
    with FileServer({}).running() as server:
        pass
    assert "Connection refused" in refused(server, path)
    assert os.listdir(path.parent) == []


def test_a_server_that_goes_away_is_waited_for_and_then_given_up(server, path, monkeypatch):
    waited = []
    monkeypatch.setattr(resumable_transfer, "time", types.SimpleNamespace(sleep=waited.append))
    monkeypatch.setattr(resumable_transfer, "PAUSE", 1.5)
    server.breaks, server.answers = [100_000], [None, 503, 503, 503]
    assert "after 100,000 bytes" in refused(server, path)
    assert waited == [0.0, 1.5, 3.0]


def test_a_silent_server_is_given_up(path, monkeypatch):
    monkeypatch.setattr(resumable_transfer, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:

        class Silent:
            address = f"http://127.0.0.1:{silent.getsockname()[1]}"

        assert "no answer in 0 seconds" in refused(Silent, path)


def test_an_unknown_host_is_an_error(path):
    with pytest.raises(DownloadError, match=r"http://nobody\.invalid/file: "):
        download("http://nobody.invalid/file", str(path))
    assert os.listdir(path.parent) == []


def test_a_file_address_is_read(tmp_path):
    (tmp_path / "source").write_bytes(CONTENT)
    download((tmp_path / "source").as_uri(), str(tmp_path / "target"), WHOLE)
    assert (tmp_path / "target").read_bytes() == CONTENT
    with pytest.raises(DownloadError, match="none"):
        download((tmp_path / "none").as_uri(), str(tmp_path / "other"))


def test_an_old_file_is_kept_until_the_new_one_is_whole(server, path):
    path.write_text("old")
    server.breaks = [100_000, 0, 0, 0]
    with pytest.raises(DownloadError):
        download(f"{server.address}/file", str(path), WHOLE)
    assert path.read_text() == "old"
    gets(server, path)


def test_a_full_disk_is_an_error_that_names_it_and_the_next_call_resumes(server, path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, before[1]))
    try:
        with pytest.raises(InputError, match=r"file\.bin cannot be written: "):
            download(f"{server.address}/file", str(path), WHOLE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not path.exists()
    gets(server, path)
    assert server.requests[-1] == ("/file", "bytes=150000-")


def test_a_missing_target_folder_is_named(server, tmp_path):
    with pytest.raises(InputError, match="cannot be written: No such file or directory"):
        download(f"{server.address}/file", str(tmp_path / "none" / "file.bin"), WHOLE)


def test_a_redirection_keeps_the_requested_range(server, path):
    class Redirect(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(302)
            self.send_header("Location", f"{server.address}/file")
            self.end_headers()

        def log_message(self, *_):
            pass

    redirecting = FileServer({})
    redirecting._server.RequestHandlerClass = Redirect
    server.breaks = [100_000]
    with redirecting.running():
        gets(redirecting, path)
    assert server.requests == [("/file", None), ("/file", "bytes=100000-")]
