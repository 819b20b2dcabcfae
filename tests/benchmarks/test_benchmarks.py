"""The benchmarks run with a tiny model, as a user runs them; their counts are compared with counts by hand."""

import argparse
import doctest
import importlib
import json
import math
import os
import pathlib
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
import tiny
from forked_python import run_code, run_script

from benchmarks import counting, embedding_memory, gpu, gpu_checks, kinds, memory, text, traffic
from elmo_tf.data.characters import encode_words
from elmo_tf.data.steps import Step
from elmo_tf.data.windows import Window
from elmo_tf.errors import InputError
from elmo_tf.options import CharCnnOptions, LstmOptions, Options, TrainingOptions

FOLDER = pathlib.Path(__file__).parents[2] / "benchmarks"
SCRIPTS = ["training", "recurrence", "input", "vocabulary", "scaling", "embedding", "embedding_memory", "gpu", "memory"]


def run(script, *arguments, shared="/nowhere"):
    """A script's table as lines, and its last line's values."""
    environment = {**os.environ, "ELMO_TF_SHARED": shared}
    result = subprocess.run(
        [sys.executable, str(FOLDER / f"{script}.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=environment,
    )
    assert result.returncode == 0, result.stderr
    *shown, last = result.stdout.splitlines()
    return shown, json.loads(last)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Flags of a tiny model and text."""
    folder = tmp_path_factory.mktemp("benchmarks")
    settings = tiny.settings(folder, count=200)
    settings.options.write(str(folder / "options.json"))
    return [
        f"--config={folder / 'options.json'}",
        f"--train_files={folder / 'train.txt'}",
        f"--vocab_file={settings.vocab_file}",
    ]


def test_training_shows_stages_that_compute_the_same(small, tmp_path):
    tiny.options(bidirectional=False).write(str(tmp_path / "options.json"))  # which compiles in half the time
    flags = [f"--config={tmp_path / 'options.json'}", "--vocabulary_size=40", "--batch_size=2"]
    shown, values = run("training", *small, *flags, "--steps=2", "--stages", "--kinds")
    for name in ("words_per_second", "matmul_gflops", "fraction_of_matmul", "needed_mflop_per_word"):
        assert values[name] > 0
    assert values["peak_memory_bytes"] > values["memory_after_import_bytes"] > values["estimated_memory_bytes"] > 0
    assert values["first_step_seconds"] > 0
    assert (values["words_per_step"], values["vocabulary_size"], values["steps"]) == (2 * 5, 40, 2)
    assert (values["device"], values["precision"], values["jit_compile"]) == ("CPU:0", "float32", False)
    header, *rows = shown[: 1 + len(values["stages"])]
    assert header.split()[-1] == "loss"
    losses = [float(row.split()[-1]) for row in rows]
    assert len(losses) == len(values["stages"]) == 6
    np.testing.assert_allclose(losses, losses[0], atol=2e-4)
    assert values["stages"][0]["ratio"] == 1.0
    for kind in (kinds.PRODUCTS, kinds.COMPILED, kinds.MOVES, kinds.TABLES, kinds.OPTIMIZER, kinds.SCHEDULING):
        assert values["seconds_by_kind"][kind] > 0, kind
        assert sum(line.startswith(kind) for line in shown) == 1


def test_the_time_of_an_event_is_without_those_inside_of_it_which_count_by_their_own_kind():
    events = [
        ("ExecutorState::Process", 0, 100),
        ("dense/MatMul_1:_MklMatMul", 10, 30),
        ("CpuExecutable::ExecuteAsyncOnStream", 50, 40),
        ("add_tanh_fusion", 55, 20),
        ("cond/ResourceApplyAdagradV2:ResourceApplyAdagradV2", 120, 7),
        ("stack_3:Pack", 130, 5),
    ]
    times = {}
    for kind, own in kinds._own_times(events):
        times[kind] = times.get(kind, 0) + own
    assert times == {
        kinds.SCHEDULING: 100 - 30 - 40,
        kinds.PRODUCTS: 30,
        kinds.COMPILED: 40,
        kinds.OPTIMIZER: 7,
        kinds.MOVES: 5,
    }


def test_training_in_half_precision_under_xla_with_accumulation(small):
    flags = ["--precision=bfloat16", "--jit_compile", "--accumulation_steps=2"]
    _, values = run("training", *small, "--steps=1", "--vocabulary_size=30", *flags)
    assert (values["precision"], values["jit_compile"]) == ("bfloat16", True)
    assert values["words_per_step"] == 2 * 4 * 5
    assert [stage["ratio"] for stage in values["stages"]] == [1.0]


@pytest.mark.parametrize("size", ["3,2,4,6", "3,2,6,6"])
def test_recurrence(size):
    shown, values = run("recurrence", f"--size={size}", "--repeats=2")
    assert values["plain_ratio"] == 1.0
    assert all(values[f"{name}_seconds"] > 0 and values[f"{name}_ratio"] > 0 for name in ("ungated", "fused", "xla"))
    assert values["size"] == [int(part) for part in size.split(",")]
    assert shown[1].startswith("plain")


def test_input_of_a_made_up_text():
    shown, values = run("input", "--steps=20", "--profile")
    assert "made-up" in values["text"]
    assert values["tokens_per_second"] == pytest.approx(2 * values["tokens_per_second_and_direction"], rel=1e-4)
    assert values["tokens_per_step"] == 2 * 64 * 20
    assert values["vocabulary_size"] == 10_000
    assert values["ratio_to_plain"] > 1
    assert values["windows_tokens_per_second"] > values["plain_tokens_per_second"]
    for way in ("counting", "encoding", "recognizing"):
        assert values[f"{way}_bytes_per_second"] > 0
    assert any("encoded_rows.py" in line for line in shown)
    assert any(line.startswith("plain stream") for line in shown)


def test_vocabulary(small):
    shown, values = run("vocabulary", *small, "--sizes=300,20", "--steps=2")
    assert values["sizes"] == [20, 300]
    assert len(values["step_seconds"]) == 2
    assert values["step_ratio"] > 0
    assert [line.split()[0] for line in shown[:3]] == ["words", "20", "300"]


def test_scaling(small):
    shown, values = run("scaling", *small, "--vocabulary_size=30", "--replicas=1,2", "--steps=2")
    assert values["overhead_2"] > -1
    assert values["words_per_second_1"] > 0
    assert [line.split()[:2] for line in shown[1:3]] == [["1", "4"], ["2", "2"]]
    sent = 7 / 4 * values["dense_gradient_bytes"] + 7 * values["sparse_gradient_bytes"]
    assert values["sent_bytes_8"] == pytest.approx(sent, abs=1)
    assert [line.split()[:2] for line in shown[-6:]] == [
        [f"{n},", kind] for kind in ("float32", "bfloat16") for n in (2, 4, 8)
    ]


def test_embedding(tmp_path, small):
    options = tiny.options()
    options.write(str(tmp_path / "options.json"))
    flags = [f"--config={tmp_path / 'options.json'}", small[1], "--sentences=9", "--turns=1"]
    shown, values = run("embedding", *flags)
    assert [line.split()[0] for line in shown[1:3]] == ["elmo_tf", "elmo_tf,"]
    ours = [speed for name, speed in values["tokens_per_second_of"].items() if name.startswith("elmo_tf")]
    assert len(ours) == 2
    assert values["tokens_per_second"] == pytest.approx(max(ours), rel=1e-3)
    assert values["fraction_of_matmul"] > 0
    peers = [speed for name, speed in values["tokens_per_second_of"].items() if not name.startswith("elmo_tf")]
    if peers:
        assert values["ratio_to_fastest_peer"] == pytest.approx(values["tokens_per_second"] / max(peers), rel=1e-3)
    else:
        assert values["ratio_to_fastest_peer"] is None


def test_embedding_shows_stages_that_compute_the_same(tmp_path, small):
    options = tiny.options()
    options.write(str(tmp_path / "options.json"))
    flags = [f"--config={tmp_path / 'options.json'}", small[1], "--sentences=9", "--turns=1", "--budgets=40,80"]
    shown, values = run("embedding", *flags, "--stages")
    assert [row["batch_tokens"] for row in values["stages"]] == [40, 40, 40, 40, 80, 40, 80]
    assert values["stages"][0]["ratio"] == 1.0
    assert all(row["tokens_per_cpu_second"] > 0 and row["fraction_of_matmul"] > 0 for row in values["stages"])
    assert [line.split()[0] for line in shown[1:8]] == ["plain", "fused", "lean", *["packed"] * 2, *["packed,"] * 2]


def test_the_memory_of_embedding_is_measured_by_a_process_a_text(monkeypatch, capsys):
    measured = []

    def in_this_process(command, **_):
        flags = dict(word.split("=") for word in command[2:])
        measured.append(pathlib.Path(flags["--measure"]).read_text().splitlines())
        found = embedding_memory.embed(flags["--measure"], flags["--output_format"])
        return subprocess.CompletedProcess(command, 0, f"a line\n{json.dumps(found)}\n")

    monkeypatch.setattr(subprocess, "run", in_this_process)
    values = embedding_memory.main(argparse.Namespace(measure=None, sentences="5,3000", output_format="txt"))
    assert list(map(len, measured)) == [5, 3000]
    assert measured[1][1001] == "the cat1 saw w1"
    assert list(values["peak_memory_bytes"]) == ["5", "3,000"]
    assert values["memory_ratio"] >= 1.0
    assert "3,000" in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_describes_the_measurement_and_wrong_flags_give_one_sentence(script):
    helped = run_script(FOLDER / f"{script}.py", "--help")
    assert helped.returncode == 0
    assert f"python benchmarks/{script}.py" in helped.stdout
    wrong = run_script(FOLDER / f"{script}.py", "--nonsense")
    assert wrong.returncode == 2
    assert "--nonsense" in wrong.stderr.splitlines()[-1]


def test_a_text_that_is_not_there_is_one_sentence(tmp_path):
    result = run_script(FOLDER / "input.py", f"--train_files={tmp_path / 'none.txt'}")
    assert result.returncode == 1
    assert result.stderr.strip() == (
        f"input.py: --train_files={tmp_path / 'none.txt'}: no such file; expected text files, such as 'corpus/*.txt' "
        "in quotes"
    )


def test_the_gpu_script_runs_on_a_cpu_from_versions_to_the_last_line(small, monkeypatch, capsys):
    monkeypatch.setenv("ELMO_TF_SHARED", "/nowhere")
    values = gpu.main(gpu.define_flags().parse_args([*small[1:], "--small", "--vocabulary_size=40"]))
    shown = capsys.readouterr().out
    assert values["versions"]["devices"] == ["CPU:0"]
    assert values["checks"] == {}
    assert "no goldens and traces: expected them in /nowhere" in shown
    assert list(values["products"]) == ["bfloat16", "float32", "tf32", "float16"]
    assert min(values["products"].values()) > 0
    assert values["embedding"]["tokens_per_second"] > 0
    assert [row["case"] for row in values["training"]] == ["original 512 bfloat16", "original 512 tf32"]
    for row in values["training"]:
        assert row["peak_memory_bytes"] is None  # of a CPU it is not known
        positive = ("words_per_second", "words_per_second_waiting", "estimated_memory_bytes", "fraction_of_float32")
        assert all(row[name] > 0 for name in positive)
    assert values["left_out"] == []
    assert json.loads(json.dumps(values)) == values


def test_the_gpu_script_names_the_runs_for_which_no_time_is_left_and_goes_on_after_one_that_fails(monkeypatch, capsys):
    def measured(case, strategy, prepared, products):
        if case.precision == "float16":
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when\nallocating")
        raise KeyboardInterrupt

    monkeypatch.setattr(gpu, "measure_case", measured)
    failed = gpu._measure_or_say_why_not(gpu.Case("small", 8, "float16", False, ("GPU:0",)), None, lambda *_: None, {})
    assert failed == {"case": "small 8 float16", "error": "ResourceExhaustedError: OOM when allocating"}
    gpu.show([failed])
    arguments = gpu.define_flags().parse_args(["--models=small", "--batch_sizes=8"])
    strategy = SimpleNamespace(extended=SimpleNamespace(worker_devices=("/device:GPU:0",)))
    values = gpu.measure_cases(arguments, None, strategy, {}, until=0.0, folder=".")
    assert len(values["left_out"]) == 8
    assert "left out, for --seconds=440 were over: small 8 bfloat16, small 8 bfloat16 XLA" in capsys.readouterr().out


def test_the_gpu_script_encodes_the_text_once_for_all_runs(small, monkeypatch, tmp_path):
    read = []

    def measured(case, strategy, prepared, products):
        read.append((prepared.options.training.batch_size, prepared.encoded.path))
        return {"error": "not measured"}

    monkeypatch.setattr(gpu, "measure_case", measured)
    flags = ["--models=small", "--batch_sizes=2,3", "--vocabulary_size=40"]
    arguments = gpu.define_flags().parse_args([*small[1:], *flags])
    found = text.find(arguments, str(tmp_path))
    strategy = SimpleNamespace(extended=SimpleNamespace(worker_devices=("/device:CPU:0",)))
    gpu.measure_cases(arguments, found, strategy, {}, until=math.inf, folder=str(tmp_path / "folder"))
    (encoded,) = (tmp_path / "folder").iterdir()
    assert set(read) == {(2, str(encoded)), (3, str(encoded))}
    assert not encoded.name.startswith(".")


@pytest.mark.exhaustive
def test_the_kit_finds_the_numbers_of_bilm_tf(shared):
    assert gpu_checks.check_embeddings(shared / "parity" / "bilm-tf-fixture") < gpu_checks.TOLERANCE
    folder = shared / "parity" / "bilm-tf-training-trace" / "word_2towers"
    assert gpu_checks.check_trace(folder, "CPU:0") < gpu_checks.TOLERANCE


@pytest.mark.exhaustive
def test_the_kit_runs_with_two_devices_and_compares_them_with_one():
    """Two logical CPUs; also in the order of `main`, for the sums of two strategies must not meet."""
    code = """
from elmo_tf.training.devices import make_strategy
strategy = make_strategy(logical_cpus=2)
from benchmarks import gpu
with_two = lambda *arguments: strategy if not arguments else make_alone(*arguments)
from elmo_tf.training import devices
make_alone, devices.make_strategy = devices.make_strategy, with_two
import json, sys
print(json.dumps(gpu.main(gpu.define_flags().parse_args(sys.argv[1:]))))
"""
    result = run_code(code, "--small", "--vocabulary_size=500", environment={"ELMO_TF_SHARED": "/nowhere"})
    assert result.returncode == 0, result.stderr
    values = json.loads(result.stdout.splitlines()[-1])
    assert values["checks"]["1 x 2 B rows against 2 x B"] < 1e-5
    assert [row["case"] for row in values["training"]] == ["original 512 bfloat16", "original 512 x 2 bfloat16"]
    assert all(row.get("words_per_second") for row in values["training"])


def test_memory_is_that_of_a_case_without_the_smallest_model_of_its_kind(monkeypatch, capsys):
    peaks = {"smallest/tiny:32:float32": 500, "tiny:32:float32": 700}

    def in_this_process(command, **_):
        case = command[2].removeprefix("--measure=")
        made = {"peak": peaks[case], "estimated": 220, "device": "CPU:0"}
        return subprocess.CompletedProcess(command, 0, f"a line\n{json.dumps(made)}\n")

    monkeypatch.setattr(subprocess, "run", in_this_process)
    values = memory.main(memory.define_flags().parse_args(["--cases=tiny:32:float32"]))
    assert values["cases"][0]["measured"] == 200
    assert values["largest_error"] == 0.1
    assert "+10.0%" in capsys.readouterr().out
    with pytest.raises(InputError, match="--cases=tiny:x:float32: expected CONFIG:BATCH_SIZE:PRECISION"):
        memory.main(memory.define_flags().parse_args(["--cases=tiny:x:float32"]))


def test_memory_of_a_tiny_case_is_measured_in_this_process(small, tmp_path):
    tiny.options(char_cnn=None, bidirectional=False).write(str(tmp_path / "options.json"))
    case = f"--measure={tmp_path / 'options.json'}:4:float32"
    values = memory.main(memory.define_flags().parse_args([*small[1:], "--vocabulary_size=40", case]))
    assert values["peak"] > 10**8 > values["estimated"] > 0


@pytest.mark.parametrize("name", ["counting", "text", "memory", "gpu", "traffic"])
def test_examples_in_docstrings(name):
    result = doctest.testmod(importlib.import_module(f"benchmarks.{name}"))
    assert result.attempted
    assert not result.failed


def the_options(filters=((1, 4), (3, 5)), projection_dim=7, dim=11, sample=True, n_highway=2):
    return Options(
        LstmOptions(dim, projection_dim, n_layers=2),
        CharCnnOptions(filters, embedding_dim=2, n_highway=n_highway, max_characters_per_token=8) if filters else None,
        n_tokens_vocab=50,
        training=TrainingOptions(batch_size=3, unroll_steps=10, sample_softmax=sample, n_negative_samples_batch=6),
    )


def test_multiplications_are_those_counted_by_hand():
    words = encode_words(["a", "seven77", "<S>"], 8)  # of 3, 8 (cut) and 3 characters, begin and end counted
    needed = counting.of_window(the_options(), words, rows=3)
    tokens = 2 * 3 * 10
    # a layer: [7 inputs, 7 recurrent] x 44 gates, then 11 x 7
    assert needed.lstm == 3 * tokens * 2 * (14 * 44 + 77)
    assert needed.softmax == 3 * tokens * (6 + 1) * 7
    # width 1: 4, 8, 4 windows of 1 x 2 x 4; width 3: 4, 6, 4 windows of 3 x 2 x 5; and twice the winner of each word
    assert needed.convolutions == 8 * (16 + 2 * 3) + 30 * (14 + 2 * 3)
    assert needed.dense == 3 * 3 * (2 * (2 * 81) + 9 * 7)
    assert needed.total == needed.lstm + needed.softmax + needed.convolutions + needed.dense


def test_the_bytes_between_replicas_are_those_counted_by_hand():
    tokens = np.array([[[1, 2], [2, 7]]] * 2)
    window = Window(np.zeros((3, 8), np.int32), tokens, tokens, np.zeros((2, 2), bool))
    step = Step((window,), np.array([[3, 4], [4, 5]]), np.ones(2))
    options = the_options(n_highway=0)
    lstm = 2 * 2 * (14 * 44 + 44 + 77)  # in two directions and layers
    encoder = 261 * 2 + (1 * 2 * 4 + 4) + (3 * 2 * 5 + 5) + 9 * 7 + 7
    rows = 6 * (4 * 7 + 4 + 8)  # 1, 2, 7 and 3, 4, 5
    assert traffic.of_step(options, step) == traffic.Traffic(4 * (lstm + encoder), rows)
    assert traffic.of_step(options, step, "bfloat16") == traffic.Traffic(2 * (lstm + encoder), rows)
    full = traffic.of_step(the_options(sample=False, n_highway=0), step)
    assert full == traffic.Traffic(4 * (lstm + encoder + 50 * 8), 0)
    by_words = traffic.of_step(the_options(filters=()), step)
    assert by_words == traffic.Traffic(4 * lstm, rows + 3 * (4 * 7 + 4))


def test_multiplications_of_embedding_are_those_counted_by_hand():
    needed = counting.embedding_multiplications(the_options(), [["a", "seven77", "a"], []])
    # 5 and 2 steps in 2 directions and 2 layers; words <S>, </S>, a, seven77 of 3, 3, 3 and 8 characters
    lstm = 2 * 7 * 2 * (14 * 44 + 77)
    convolutions = 8 * (4 + 4 + 4 + 8) + 30 * (4 + 4 + 4 + 6)
    assert needed == lstm + convolutions + 4 * (2 * 2 * 81 + 9 * 7)


def test_without_projections_and_with_the_full_softmax():
    words = encode_words(["a"], 8)
    needed = counting.of_window(the_options(((2, 7),), 7, 7, sample=False, n_highway=0), words, rows=1)
    tokens = 2 * 10
    assert needed.lstm == 3 * tokens * 2 * 14 * 28
    assert needed.softmax == 3 * tokens * 50 * 7
    assert needed.convolutions == 2 * 2 * 7 * (4 + 2)
    assert needed.dense == 0


def test_word_input_has_no_encoder():
    needed = counting.of_window(the_options(filters=()), np.array([1, 2, 3]), rows=3)
    assert needed.convolutions == needed.dense == 0
    assert needed.lstm > 0


def test_a_word_a_time_at_the_size_of_wikitext2_costs_what_the_published_implementation_does():
    """bilm-tf encodes each token to 50 characters: 17 MFLOP a word for LSTM and softmax, by its graph."""
    options = Options.from_file(str(FOLDER.parent / "configs" / "wikitext2.json"))
    needed = counting.of_window(options, np.zeros((1, 50), np.int32), rows=64)
    assert 2e-6 * (needed.lstm + needed.softmax) / (64 * 20) == pytest.approx(17.3, abs=0.05)
