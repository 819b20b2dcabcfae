"""--batch_size=auto: the largest batch that fits, printed, kept by a resumed run, refused where it cannot be chosen."""

import ctypes
import doctest
import json
import math
import pathlib
from types import SimpleNamespace

import pytest
import reused_runs
import tiny
from refusals import refused

from elmo_tf.cli.main import main
from elmo_tf.models.weight_names import expected_shapes
from elmo_tf.training import batch_size, device_memory
from elmo_tf.training.batch_size import choose_batch_size, largest_batch_size, recall_batch_size, window_of
from elmo_tf.training.devices import make_strategy
from elmo_tf.training.input_checks import check_run_input
from elmo_tf.training.memory_estimate import estimate_memory, sparse_size

OPTIONS = tiny.options(n_tokens_vocab=40)
TEXT = " ".join(tiny.sentences(200)).split()


def needed(rows):
    """The estimate of a step of so many rows on windows like the text."""
    sizes = {name: math.prod(shape) for name, shape in expected_shapes(OPTIONS, softmax=True).items()}
    window = window_of(TEXT, rows * OPTIONS.training.unroll_steps, OPTIONS)
    return estimate_memory(OPTIONS, sum(sizes.values()), sparse_size(sizes), rows, *window).total


def test_the_batch_is_the_largest_multiple_of_eight_that_fits():
    for rows in (8, 24, 80):
        assert largest_batch_size(OPTIONS, TEXT, needed(rows), 1000) == (rows, needed(rows))
        assert largest_batch_size(OPTIONS, TEXT, needed(rows + 8) - 1, 1000)[0] == rows


def test_a_small_text_bounds_the_batch_and_eight_rows_are_always_tried():
    assert largest_batch_size(OPTIONS, TEXT, 1e12, 37)[0] == 32
    assert largest_batch_size(OPTIONS, TEXT, 1e12, 0)[0] == 8


def test_a_model_of_which_not_even_eight_rows_fit_is_refused_with_the_numbers():
    message = refused(largest_batch_size, OPTIONS, TEXT, needed(8) - 1, 1000)
    assert message.startswith("--batch_size=auto: not even 8 rows fit: they take 0.0 GB by the estimate, and 0.0 GB")


def test_distinct_words_are_those_of_the_sample_and_grow_beyond_it():
    distinct, characters = window_of(TEXT, 20, OPTIONS)
    assert distinct == len(set(TEXT[:40]))
    assert characters == 2 + max(map(len, TEXT[:40])) + 2  # and one window of padding of the widest filter
    assert window_of(TEXT[:40], 80, OPTIONS)[0] == 2 * distinct
    assert window_of([], 4, OPTIONS) == (0, 5)


def test_examples_in_docstrings():
    assert doctest.testmod(batch_size).failed == 0


@pytest.fixture
def choose(tmp_path, monkeypatch):
    """Chooses the batch size of a tiny run on devices with so much free memory."""

    monkeypatch.setattr(batch_size, "STEPS_PER_EPOCH", 1)

    def chosen(free, on=None, **changes):
        settings = tiny.settings(tmp_path, count=400, choose_batch_size=True, **changes)
        monkeypatch.setattr(batch_size, "free_memory", lambda device: free[int(device[-1])])
        prepared = check_run_input(settings.options, settings.train_files, (), settings.vocab_file, 1)
        return choose_batch_size(settings, prepared, on or make_strategy(), 1)

    return chosen


def replicas(kind):
    return SimpleNamespace(extended=SimpleNamespace(worker_devices=(f"/device:{kind}:0", f"/device:{kind}:1")))


def test_the_gpu_with_least_memory_decides_and_logical_cpus_share_theirs(choose):
    free = 10 * needed(8)
    on_gpus, cpus = (
        choose([10 * free, free], replicas(kind))[0].options.training.batch_size for kind in ("GPU", "CPU")
    )
    halved = choose([free / 2])[0].options.training.batch_size
    assert on_gpus == choose([free])[0].options.training.batch_size
    assert on_gpus > cpus == halved


def test_a_device_that_tells_nothing_and_several_workers_are_refused(choose, tmp_path):
    assert "GPU:1 does not tell its free memory: give a number" in refused(choose, [10**9, None], replicas("GPU"))
    settings = tiny.settings(tmp_path, choose_batch_size=True, strategy="multi_worker")
    message = refused(recall_batch_size, settings)  # before the text is read
    assert message == (
        "--batch_size=auto: expected a number with --strategy=multi_worker, for all workers must take the same"
    )


def test_the_command_prints_and_keeps_the_number_and_a_resumed_run_has_the_same(tmp_path, monkeypatch, capsys):
    settings = reused_runs.short(tmp_path, count=400, valid_files=(), validate_first=False, validation_steps=0)
    command = ["train", *reused_runs.flags(settings), "--batch_size=auto", "--seed=1"]
    path = pathlib.Path(settings.model_dir) / "options.json"
    monkeypatch.setattr(batch_size, "free_memory", lambda device: 10**9)
    with reused_runs.one_model():
        assert main(command) == 0
        rows = json.loads(path.read_text())["batch_size"]
        assert f"--batch_size=auto: {rows} rows a replica, which take 0.0 GB by the estimate, of 1.0 GB free" in (
            capsys.readouterr().out
        )
        assert rows % 8 == 0
        monkeypatch.setattr(batch_size, "free_memory", lambda device: 0)
        assert main([*command, "--max_steps=8"]) == 0
    said = capsys.readouterr().out
    assert "resumed from step 6" in said
    assert f"note: --batch_size=auto: {rows} rows a replica, as {path} has it\n" in said
    assert json.loads(path.read_text())["batch_size"] == rows


def test_a_new_run_has_the_smallest_batch_until_it_has_chosen_and_a_number_stays(tmp_path):
    settings = tiny.settings(tmp_path, choose_batch_size=True)
    found = recall_batch_size(settings)
    assert (found.options.training.batch_size, found.choose_batch_size) == (8, True)
    given = tiny.settings(tmp_path, batch_size=5)
    assert recall_batch_size(given) is given


def test_another_word_than_auto_is_one_sentence(capsys):
    code = main(
        ["train", "--options_file=o", "--train_files=t", "--vocab_file=v", "--model_dir=m", "--batch_size=most"]
    )
    assert code != 0
    assert "expected a whole number or auto, got 'most'" in capsys.readouterr().err


class FakeCuda:
    """CUDA's driver with two GPUs, the second of which has 7 bytes free; it counts the contexts that are held."""

    def __init__(self, failing=None):
        self.failing, self.held = failing, 0

    def __getattr__(self, name):
        def call(*arguments):
            if name == self.failing:
                return 100
            if name == "cuDeviceGet":
                arguments[0]._obj.value = arguments[1]
            if name == "cuMemGetInfo_v2":
                arguments[0]._obj.value, arguments[1]._obj.value = 7, 9
            self.held += {"cuDevicePrimaryCtxRetain": 1, "cuDevicePrimaryCtxRelease_v2": -1}.get(name, 0)
            return 0

        return call


@pytest.mark.parametrize("failing", [None, "cuInit", "cuDeviceGet", "cuDevicePrimaryCtxRetain", "cuMemGetInfo_v2"])
def test_a_gpu_is_asked_through_its_driver_and_no_context_is_kept(monkeypatch, failing):
    cuda = FakeCuda(failing)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: cuda)
    found = device_memory.free_memory("/job:localhost/replica:0/task:0/device:GPU:1")
    assert found == (7 if failing is None else None)
    assert cuda.held == 0


def test_without_a_driver_a_gpu_tells_nothing(monkeypatch):
    def missing(name):
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert device_memory.free_memory("/device:GPU:0") is None


@pytest.mark.parametrize(
    ("limit", "used", "expected"), [("max", "5", 3072), ("4000", "1000", 3000), ("9999", "1", 3072)]
)
def test_a_machine_has_what_its_system_and_its_container_leave(monkeypatch, limit, used, expected):
    files = {
        "/proc/meminfo": "MemTotal: 9 kB\nMemAvailable:      3 kB\n",
        "/sys/fs/cgroup/memory.max": limit + "\n",
        "/sys/fs/cgroup/memory.current": used + "\n",
    }
    monkeypatch.setattr(device_memory, "_read_text", files.__getitem__)
    assert device_memory.free_memory("/device:CPU:0") == expected
