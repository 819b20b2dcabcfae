"""Published models are downloaded once, whole and checked; where that fails, the error says what to do."""

import dataclasses
import hashlib
import io
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from file_server import FileServer
from full_disk import largest_file
from hdf5_files import write_arrays
from model_cases import CHARACTERS, filled, weights_of

from elmo_tf.elmo.elmo_layer import ElmoLayer
from elmo_tf.errors import InputError
from elmo_tf.models.bilm import BiLM
from elmo_tf.store import published_models
from elmo_tf.store.load_model import load_bilm
from elmo_tf.store.published_files import BASE, PUBLISHED
from elmo_tf.store.published_models import cache_folder, fetch, is_published
from elmo_tf.system import resumable_transfer

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """The bytes of a small model's `options.json` and `weights.hdf5`."""
    folder = tmp_path_factory.mktemp("content")
    write_arrays(str(folder / "weights.hdf5"), weights_of(filled(BiLM(CHARACTERS))))
    (folder / "options.json").write_text(json.dumps(CHARACTERS))
    return {name: (folder / name).read_bytes() for name in ("options.json", "weights.hdf5")}


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path, content):
    """Only addresses of this machine, a cache for each test, and size and hash of `content` for the model "small"."""
    monkeypatch.setattr(published_models, "BASE", "http://127.0.0.1:9/")
    monkeypatch.setattr(resumable_transfer, "PAUSE", 0.0)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("ELMO_TF_MIRROR", raising=False)
    monkeypatch.setenv("ELMO_TF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(published_models, "PUBLISHED", {**PUBLISHED, "small": known(content)})


def known(content):
    options, weights = PUBLISHED["small"]
    data = content["weights.hdf5"]
    return options, dataclasses.replace(weights, size=len(data), sha256=hashlib.sha256(data).hexdigest())


@pytest.fixture
def server(content):
    paths = {f"/elmo/{file.path}": content[file.name] for files in PUBLISHED.values() for file in files}
    with FileServer(paths).running() as server:
        server.mirror = f"{server.address}/elmo"
        yield server


def weights_path(name="small"):
    return f"/elmo/{PUBLISHED[name][1].path}"


def refused(*arguments, **more):
    with pytest.raises(InputError) as caught:
        fetch(*arguments, **more)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def files_in(folder):
    return sorted(name for name in os.listdir(folder) if not name.startswith(".lock"))


def test_the_table_has_allennlps_addresses():
    assert list(PUBLISHED) == ["small", "medium", "original", "5.5B"]
    assert BASE == "https://s3-us-west-2.amazonaws.com/allennlp/models/elmo/"
    assert [file.path for files in PUBLISHED.values() for file in files] == [
        "2x1024_128_2048cnn_1xhighway/elmo_2x1024_128_2048cnn_1xhighway_options.json",
        "2x1024_128_2048cnn_1xhighway/elmo_2x1024_128_2048cnn_1xhighway_weights.hdf5",
        "2x2048_256_2048cnn_1xhighway/elmo_2x2048_256_2048cnn_1xhighway_options.json",
        "2x2048_256_2048cnn_1xhighway/elmo_2x2048_256_2048cnn_1xhighway_weights.hdf5",
        "2x4096_512_2048cnn_2xhighway/elmo_2x4096_512_2048cnn_2xhighway_options.json",
        "2x4096_512_2048cnn_2xhighway/elmo_2x4096_512_2048cnn_2xhighway_weights.hdf5",
        "2x4096_512_2048cnn_2xhighway_5.5B/elmo_2x4096_512_2048cnn_2xhighway_5.5B_options.json",
        "2x4096_512_2048cnn_2xhighway_5.5B/elmo_2x4096_512_2048cnn_2xhighway_5.5B_weights.hdf5",
    ]
    assert PUBLISHED["small"][1].size == 54_402_456
    for file in (file for files in PUBLISHED.values() for file in files):
        assert file.sha256 is None or len(bytes.fromhex(file.sha256)) == 32


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_model_is_fetched_once_and_can_be_loaded(server, content, name):
    calls = []
    folder = fetch(name, server.mirror, progress=lambda done, total: calls.append((done, total)))
    assert folder == cache_folder(name)
    assert {file: (pathlib.Path(folder) / file).read_bytes() for file in files_in(folder)} == content
    assert [path for path, _ in server.requests] == [f"/elmo/{file.path}" for file in PUBLISHED[name]]
    assert calls[-1] == (len(content["weights.hdf5"]),) * 2
    assert fetch(name, server.mirror) == folder
    assert len(server.requests) == 2
    assert load_bilm(folder).bilm.options.lstm.dim == CHARACTERS["lstm"]["dim"]


def test_a_read_only_cache_returns_the_models_in_it(server):
    folder = fetch("small", server.mirror)
    os.remove(os.path.join(folder, ".lock"))
    os.mkdir(os.path.join(folder, ".lock"))  # so that locking would fail
    assert fetch("small") == folder


class Terminal(io.StringIO):
    def isatty(self):
        return True


def on_a_terminal(written):
    """The lines that a terminal shows in the end, and the states of the last line, each when its rest was cleared."""
    lines, column, states = [""], 0, []
    for part in re.split(r"(\r|\n|\033\[K)", written):
        if part == "\033[K":
            lines[-1] = lines[-1][:column]
            states.append(lines[-1])
        elif part in ("\r", "\n"):
            column = 0
            lines += [""] if part == "\n" else []
        else:
            lines[-1] = lines[-1][:column] + part + lines[-1][column + len(part) :]
            column += len(part)
    return lines, states


def test_a_terminal_shows_the_file_and_the_bytes_received(slow, monkeypatch):
    server, path = slow
    monkeypatch.setattr(sys, "stderr", Terminal())
    folder = fetch("original", server.mirror)
    lines, states = on_a_terminal(sys.stderr.getvalue())
    assert lines[0] == f"fetching the published model original from {server.mirror}/ into {folder}"
    assert re.fullmatch(r"fetched the published model original in \d+ s", lines[1])
    assert lines[2:] == [""]
    size = len(server.files[path])
    assert states[-1] == ""
    assert states[-2] == f"weights.hdf5: {size:,} of {size:,} bytes, 100 %"
    parts = [re.fullmatch(r"weights\.hdf5: ([\d,]+) of ([\d,]+) bytes, (\d+) %", state) for state in states[1:-1]]
    done = [int(part[1].replace(",", "")) for part in parts]
    assert len(done) > 3
    assert done == sorted(set(done))
    assert [int(part[3]) for part in parts] == [100 * n // size for n in done]
    sys.stderr.seek(0)
    sys.stderr.truncate()
    fetch("original", server.mirror)
    assert sys.stderr.getvalue() == ""


def test_on_a_narrow_terminal_the_progress_stays_in_one_line(server, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr(sys, "stderr", Terminal())
    fetch("small", server.mirror)
    _, states = on_a_terminal(sys.stderr.getvalue())
    assert any(state.startswith("weights.hdf5: ") for state in states)
    assert all(len(state) < 20 for state in states)


def test_an_error_clears_the_line_of_progress(server, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    server.answers = [None, 404]
    refused("small", server.mirror)
    lines, states = on_a_terminal(sys.stderr.getvalue())
    assert lines == [f"fetching the published model small from {server.mirror}/ into {cache_folder('small')}", ""]
    assert states[0].startswith("options.json: ")


@pytest.mark.parametrize(
    "load", [load_bilm, ElmoLayer.from_pretrained, fetch], ids=["load_bilm", "from_pretrained", "fetch"]
)
def test_without_a_terminal_only_a_first_and_a_last_line_are_written(server, monkeypatch, capsys, load):
    monkeypatch.setenv("ELMO_TF_MIRROR", server.mirror)
    load("small")
    output = capsys.readouterr()
    first, last = output.err.splitlines()
    assert first == f"fetching the published model small from {server.mirror}/ into {cache_folder('small')}"
    assert re.fullmatch(r"fetched the published model small in \d+ s", last)
    assert output.out == ""
    load("small")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), BrokenPipeError(), ValueError("closed file")])
def test_a_closed_terminal_does_not_end_a_download(server, monkeypatch, error):
    class Gone(Terminal):
        def write(self, text):
            raise error

    monkeypatch.setattr(sys, "stderr", Gone())
    assert load_bilm(fetch("medium", server.mirror)).vocabulary is None


def test_an_error_of_the_progress_callback_is_not_reported_as_one_of_the_disk(server):
    def progress(done, total):
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output error") as caught:
        fetch("medium", server.mirror, progress=progress)
    assert not isinstance(caught.value, InputError)


def test_with_a_progress_callback_nothing_is_written_to_stderr(server, capsys):
    fetch("small", server.mirror, progress=lambda done, total: None)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("ending", ["", "/"])
def test_a_mirror_can_be_named_by_environment_variable(server, monkeypatch, ending):
    monkeypatch.setenv("ELMO_TF_MIRROR", server.mirror + ending)
    fetch("medium")
    assert [path for path, _ in server.requests] == [f"/elmo/{file.path}" for file in PUBLISHED["medium"]]


def test_the_mirror_argument_is_preferred_to_the_environment(server, monkeypatch):
    monkeypatch.setenv("ELMO_TF_MIRROR", "http://127.0.0.1:9/")
    fetch("medium", server.mirror)


def test_a_folder_can_be_a_mirror(tmp_path, content):
    for file in PUBLISHED["medium"]:
        path = tmp_path / "mirror" / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content[file.name])
    assert files_in(fetch("medium", (tmp_path / "mirror").as_uri())) == ["options.json", "weights.hdf5"]


@pytest.mark.parametrize(
    "mirror", ["/data/elmo", "ftp://host/elmo", "http://", "http://[bad", "http://host:port/", "https://a b/", "x"]
)
def test_a_mirror_that_is_no_address_is_refused(monkeypatch, mirror):
    assert f"mirror={mirror}: expected an address" in refused("small", mirror)
    monkeypatch.setenv("ELMO_TF_MIRROR", mirror)
    assert f"ELMO_TF_MIRROR={mirror}: expected an address" in refused("small")


def test_without_a_mirror_the_published_address_is_asked(server, monkeypatch):
    monkeypatch.setattr(published_models, "BASE", server.mirror + "/")
    fetch("small")
    assert len(server.requests) == 2


def test_the_cache_folder_follows_argument_environment_and_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    monkeypatch.setenv("ELMO_TF_CACHE", "~/models")
    assert cache_folder("small", "/given") == "/given/small"
    assert cache_folder("small") == "/home/me/models/small"
    monkeypatch.delenv("ELMO_TF_CACHE")
    assert cache_folder("small") == "/xdg/elmo_tf/small"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder("5.5B") == "/home/me/.cache/elmo_tf/5.5B"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder("5.5B") == "/home/me/.cache/elmo_tf/5.5B"


def test_a_download_is_resumed_after_a_broken_connection(server, content):
    server.breaks = [None, 1000]
    fetch("small", server.mirror)
    assert server.requests[-1] == (weights_path(), "bytes=1000-")


def by_hand(message, name="small", mirror=None):
    """Checks the advice of a message: where to put the files by hand, and a mirror to name or the one that fails."""
    folder = cache_folder(name)
    places = " and ".join(f"{published_models.BASE}{file.path} as {file.name}" for file in PUBLISHED[name])
    begin = f"the published model {name} cannot be fetched"
    if mirror is None:
        assert message.startswith(f"{begin} ({published_models.BASE}")
        assert f"); name a mirror of {published_models.BASE} by --mirror or ELMO_TF_MIRROR, or put its files" in message
    else:
        of_mirror = f"{begin}: the mirror {mirror}/ (--mirror, ELMO_TF_MIRROR) does not give it ({mirror}/"
        assert message.startswith(of_mirror)
        assert message.count("ELMO_TF_MIRROR") == 1
    assert message.endswith(f"put its files into {folder} by hand: {places}")
    assert not {"options.json", "weights.hdf5"} & set(files_in(folder))


@pytest.mark.parametrize("status", [403, 404])
def test_a_model_that_the_server_lacks_is_an_error_with_advice(server, status):
    server.answers = [status]
    message = refused("small", server.mirror)
    by_hand(message, mirror=server.mirror)
    assert f"{server.mirror}/{PUBLISHED['small'][0].path}: the answer is {status}" in message


def test_a_mirror_of_the_environment_that_fails_is_named(server, monkeypatch):
    monkeypatch.setenv("ELMO_TF_MIRROR", server.mirror)
    server.answers = [404]
    by_hand(refused("small"), mirror=server.mirror)


def test_an_address_without_a_server_is_an_error_with_advice():
    message = refused("small")
    by_hand(message)
    assert "Connection refused" in message


def test_files_copied_into_the_cache_by_hand_are_used(content):
    folder = pathlib.Path(cache_folder("small"))
    folder.mkdir(parents=True)
    for name, data in content.items():
        (folder / name).write_bytes(data)
    assert fetch("small") == str(folder)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (b"shorter", "bytes, got 7"),
        ("last byte", "expected the sha256"),
    ],
    ids=["size", "hash"],
)
def test_weights_that_are_not_the_published_ones_are_refused_and_removed(server, content, wrong, words):
    whole = content["weights.hdf5"]
    wrong = whole[:-1] + bytes([whole[-1] ^ 1]) if wrong == "last byte" else wrong
    server.files[weights_path()] = wrong
    assert words in refused("small", server.mirror)
    folder = pathlib.Path(cache_folder("small"))
    assert files_in(folder) == ["options.json"]
    server.files[weights_path()] = whole
    fetch("small", server.mirror)
    assert (folder / "weights.hdf5").read_bytes() == whole
    (folder / "weights.hdf5").write_bytes(wrong)
    message = refused("small")
    assert message.startswith(f"{folder}/weights.hdf5 is not that of the published model small: expected ")
    assert words in message
    assert message.endswith("remove it to fetch it anew")


@pytest.mark.parametrize(
    ("file", "wrong", "words"),
    [
        ("options.json", b"<html>Please log in</html>", "expected a JSON object"),
        ("options.json", b"[]", "expected a JSON object"),
        ("weights.hdf5", b"<html>Please log in</html>", "expected an HDF5 file"),
        ("weights.hdf5", None, "expected a whole HDF5 file"),
    ],
)
def test_files_of_another_kind_are_refused_and_removed_even_without_a_known_hash(server, content, file, wrong, words):
    published_file = next(one for one in PUBLISHED["original"] if one.name == file)
    server.files[f"/elmo/{published_file.path}"] = content[file][:-100] if wrong is None else wrong
    assert words in refused("original", server.mirror)
    assert file not in files_in(cache_folder("original"))
    assert not [name for name in files_in(cache_folder("original")) if "part" in name]


def test_an_unknown_name_is_refused_with_the_list_of_models():
    assert refused("large") == "large: no published model has that name; expected one of small, medium, original, 5.5B"


def not_kept(message, folder, fault):
    """Checks that a message says which model cannot be stored, in which folder, and what to do."""
    assert message.startswith(f"the published model small cannot be kept in {folder} ({fault}")
    assert "; set ELMO_TF_CACHE to a folder that can be written, or put its files into any folder by hand" in message
    places = " and ".join(f"{published_models.BASE}{file.path} as {file.name}" for file in PUBLISHED["small"])
    assert message.endswith(f", and give that instead of small: {places}")


def test_a_file_in_the_place_of_the_cache_is_an_error_with_advice(monkeypatch, tmp_path, server):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ELMO_TF_CACHE", str(tmp_path / "file"))
    folder = tmp_path / "file" / "small"
    not_kept(refused("small", server.mirror), folder, f"the folder {folder} cannot be made: Not a directory)")
    not_kept(refused("small", server.mirror, str(tmp_path / "file")), folder, "the folder")
    assert not server.requests


@pytest.mark.parametrize("in_the_way", [".lock", ".weights.hdf5.part", ".weights.hdf5.part.json"])
def test_a_cache_that_cannot_be_written_is_an_error_with_advice(server, in_the_way):
    folder = pathlib.Path(cache_folder("small"))
    (folder / in_the_way).mkdir(parents=True)  # as good as no right to write, which does not hold for root
    not_kept(refused("small", server.mirror), folder, f"{folder}/")
    (folder / in_the_way).rmdir()
    fetch("small", server.mirror)


def test_a_full_disk_is_an_error_with_advice_and_the_next_call_resumes(server, content):
    with largest_file(1000):
        message = refused("small", server.mirror)
    folder = cache_folder("small")
    not_kept(message, folder, f"{folder}/weights.hdf5 cannot be written: File too large)")
    fetch("small", server.mirror)
    assert server.requests[-1] == (weights_path(), "bytes=1000-")


def test_without_a_home_folder_no_folder_named_tilde_is_made(monkeypatch, tmp_path, server):
    monkeypatch.chdir(tmp_path)
    for name in ("ELMO_TF_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as where $HOME is missing and the user not known
    not_kept(refused("small", server.mirror), "~/.cache/elmo_tf/small", "there is no home folder)")
    assert os.listdir(tmp_path) == []


def test_a_wrong_file_in_the_cache_is_not_taken_for_a_cache_that_cannot_be_written(server):
    folder = pathlib.Path(cache_folder("small"))
    folder.mkdir(parents=True)
    (folder / "options.json").write_text("[]")
    assert refused("small", server.mirror).startswith(f"{folder}/options.json is not that of the published model small")


def test_an_existing_path_is_preferred_to_a_published_name(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert is_published("small")
    assert not is_published("large")
    assert not is_published("")
    assert not is_published(str(tmp_path / "small"))
    (tmp_path / "small").mkdir()
    assert not is_published("small")


FETCH = """
    from elmo_tf.system import resumable_transfer
    from elmo_tf.store import published_models
    resumable_transfer.PAUSE = 0.0
    print(published_models.fetch("original", {mirror!r}))
    import sys
    print("tensorflow" in sys.modules)
"""


def start(server):
    source = textwrap.dedent(FETCH.format(mirror=server.mirror))
    return subprocess.Popen([sys.executable, "-c", source], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def wait_for(condition):
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("waited too long")


@pytest.fixture
def slow(server):
    """A server that sends a large file slowly."""
    path = weights_path("original")
    server.files[path] += bytes(300_000)  # what follows an HDF5 file's end is not looked at
    server.pause = 0.01
    return server, path


def test_processes_at_the_same_time_fetch_once(slow):
    server, path = slow
    processes = [start(server) for _ in range(3)]
    outputs = [process.communicate(timeout=120)[0].split() for process in processes]
    assert outputs == [[cache_folder("original"), "False"]] * 3
    assert sorted(where for where, _ in server.requests) == sorted(f"/elmo/{f.path}" for f in PUBLISHED["original"])
    assert (pathlib.Path(cache_folder("original")) / "weights.hdf5").read_bytes() == server.files[path]


def test_threads_at_the_same_time_fetch_once(slow):
    server, _ = slow
    server.pause = 0.002
    threads = [threading.Thread(target=fetch, args=("original", server.mirror)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.requests) == 2


def test_after_a_kill_the_next_process_resumes(slow):
    server, path = slow
    folder = pathlib.Path(cache_folder("original"))
    part = folder / ".weights.hdf5.part"
    process = start(server)
    wait_for(lambda: part.exists() and part.stat().st_size > 20_000)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (folder / "weights.hdf5").exists()
    here = part.stat().st_size
    server.pause = 0.0
    fetch("original", server.mirror)
    assert server.requests[-1] == (path, f"bytes={here}-")
    assert (folder / "weights.hdf5").read_bytes() == server.files[path]
    assert files_in(folder) == ["options.json", "weights.hdf5"]
