import ast
import importlib
import json
import os
import pathlib
import signal
import subprocess
import sys

import pytest
from model_cases import WORD_INPUT

import elmo_tf
from elmo_tf.cli.main import _AFTER_A_PATH, main
from elmo_tf.errors import InputError
from elmo_tf.version import __version__

FLAGS = {
    "tokenize": ["input_files", "output_dir", "language"],
    "vocab": ["train_files", "vocab_file", "max_vocab", "min_count", "max_characters_per_token"],
}


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corpus.txt").write_text("the cat sat\n")
    return tmp_path


def test_version_is_printed(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"{__version__}\n"


def test_a_mirror_that_is_no_address_is_said_of_the_flag(capsys, monkeypatch):
    monkeypatch.delenv("ELMO_TF_MIRROR", raising=False)
    assert main(["inspect", "--model_dir=small", "--mirror=ftp://x"]) == 2
    assert capsys.readouterr().err.startswith("elmo-tf inspect: --mirror=ftp://x: expected an address")
    assert "ELMO_TF_MIRROR" not in os.environ


SLOW = """
import sys, time
from elmo_tf.system import atomic_files
from elmo_tf.system import atomic_folders
from elmo_tf.cli import main, vocab

def run(values, arguments):
    with atomic_folders.atomic_folder("folder"), atomic_files.atomic_write("vocab.txt"):
        print("begun", flush=True)
        time.sleep(60)

vocab.run = run
sys.exit(main.main(["vocab", "--train_files=x", "--vocab_file=y"]))
"""


def test_sigterm_leaves_nothing_half_written(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "begun\n"
    assert list(tmp_path.iterdir())
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_command_lists_those_there_are(capsys):
    assert main(["vocabulary", "--help"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("elmo-tf: unknown command 'vocabulary': expected one of tokenize, vocab")


@pytest.mark.parametrize("command", FLAGS)
@pytest.mark.parametrize("form", ["{} --help", "{} -h", "help {}", "{} --unknown=1 --help"])
def test_help_describes_the_command_and_every_flag(capsys, command, form):
    assert main(form.format(command).split()) == 0
    page = capsys.readouterr().out
    assert page.startswith(f"usage: elmo-tf {command} --")
    assert f"    elmo-tf {command} --" in page
    for flag in FLAGS[command]:
        assert f"\n  --{flag}  (" in page
    assert page.count("\n  --") == len(FLAGS[command])
    assert max(map(len, page.splitlines())) <= 120


@pytest.mark.parametrize("command", FLAGS)
def test_summary_is_one_line(command):
    summary = importlib.import_module(f"elmo_tf.cli.{command}").SUMMARY
    assert 10 < len(summary) < 90
    assert "\n" not in summary


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("tokenize --output_dir=o --language=en", "--input_files is required: raw text"),
        ("tokenize --input_files=x --language=en", "--output_dir is required"),
        ("tokenize --input_files=x --output_dir=o", "--language is required"),
        ("vocab --vocab_file=v", "--train_files is required"),
        ("vocab --train_files=corpus.txt", "--vocab_file is required"),
        ("vocab --train_files=corpus.txt --vocab_file=v --max_vocab=3", "--max_vocab=3"),
        ("vocab --train_files=corpus.txt --vocab_file=v --min_count=0", "--min_count=0"),
        ("vocab --train_files=corpus.txt --vocab_file=v --max_characters_per_token=2", "--max_characters_per_token=2"),
        (
            "vocab --train_files=corpus.txt --vocab_file=v --min_count=some",
            "--min_count=some: expected a whole number, got 'some' (see",
        ),
        ("vocab --train_files=corpus.txt --vocab_file=v --min_count=", "--min_count=: expected a whole number, got ''"),
        ("vocab --train_files=corpus.txt --vocab_file=v --min_count=1.5", "expected a whole number, got '1.5' (see"),
        ("train --train_files=corpus.txt --dropout=lots", "--dropout=lots: expected a number, got 'lots' (see"),
        ("vocab --train_files=corpus.txt --vocab_file=v --min_cuont=2", "'min_cuont'. Did you mean: min_count"),
        ("vocab --train_files=corpus.txt --vocab_file=v more.txt", "unexpected argument 'more.txt'"),
        ("vocab --flagfile=none.flags", "none.flags"),
    ],
)
def test_a_mistake_in_the_command_line_is_one_sentence_and_code_2(corpus, capsys, arguments, message):
    assert main(arguments.split()) == 2
    captured = capsys.readouterr()
    command = arguments.split()[0]
    assert captured.out == ""
    assert captured.err.startswith(f"elmo-tf {command}: ")
    assert message in captured.err
    assert captured.err.endswith(f"(see elmo-tf {command} --help)\n")
    assert captured.err.count("\n") == 1
    assert not (corpus / "v").exists()


def test_a_path_that_an_error_begins_with_is_told_with_its_flag(corpus, capsys, monkeypatch):
    def fail(paths):
        raise InputError("v.txt: expected other words")

    monkeypatch.setattr("elmo_tf.cli.vocab.count_corpus", fail)
    for vocab_file, flag in (("v.txt", "--vocab_file="), ("v", ""), ("other.txt", "")):
        assert main(["vocab", "--train_files=corpus.txt", f"--vocab_file={vocab_file}"]) == 1
        assert capsys.readouterr().err == f"elmo-tf vocab: {flag}v.txt: expected other words\n"


GONE = "there is no such file or folder; expected a folder made by elmo-tf train"

TOLD = {
    "a text": ("inspect --model_dir=none", f"elmo-tf inspect: --model_dir=none: {GONE}"),
    "another flag's": (
        "train --initialize_from=none --train_files=corpus.txt --vocab_file=v.txt --model_dir=m --options_file=o.json "
        "--batch_size=1 --unroll_steps=2 --nosample_softmax",
        f"elmo-tf train: --initialize_from=none: {GONE}",
    ),
    "one of a list": (
        "vocab --train_files=corpus.txt,latin.txt --vocab_file=new.txt",
        "elmo-tf vocab: --train_files=latin.txt, line 1: not UTF-8 text",
    ),
    "what cannot be read": (
        "train --train_files=corpus.txt --vocab_file=none --model_dir=m --options_file=o.json",
        "elmo-tf train: --vocab_file=none cannot be read: No such file",
    ),
}


@pytest.mark.parametrize("case", TOLD)
def test_a_path_that_an_error_begins_with_is_told_with_the_flag_that_gave_it(corpus, capsys, case):
    (corpus / "latin.txt").write_bytes(b"\xff\n")
    (corpus / "v.txt").write_text("<S>\n</S>\n<UNK>\nthe\ncat\n")
    (corpus / "o.json").write_text(json.dumps(WORD_INPUT))
    arguments, message = TOLD[case]
    assert main(arguments.split()) == 1
    said = capsys.readouterr().err
    assert said.startswith(message)
    assert said.count("\n") == 1


def beginnings():
    """How each sentence of the package goes on that begins with a value, such as a path."""
    package = pathlib.Path(elmo_tf.__file__).parent
    for path in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("InputError", "NotFiniteError")):
                continue
            parts = node.args[0].values if isinstance(node.args[0], ast.JoinedStr) else []
            if len(parts) > 1 and isinstance(parts[0], ast.FormattedValue) and isinstance(parts[1], ast.Constant):
                yield f"{path.relative_to(package)}:{node.lineno}", parts[1].value


def test_every_sentence_that_begins_with_a_path_is_told_with_the_flag_that_gave_it():
    found = dict(beginnings())
    assert len(found) > 60
    others = {place: text for place, text in found.items() if not text.startswith(_AFTER_A_PATH)}
    assert {text for text in others.values() if not text.startswith("=")} == set(), others  # "=": of {flag}={value}


@pytest.mark.parametrize("after", _AFTER_A_PATH)
def test_a_path_is_told_with_its_flag_however_the_sentence_goes_on(corpus, capsys, monkeypatch, after):
    def fail(paths):
        raise InputError(f"some/v.txt{after}and so on")

    monkeypatch.setattr("elmo_tf.cli.vocab.count_corpus", fail)
    assert main(["vocab", "--train_files=corpus.txt", "--vocab_file=some/v.txt"]) == 1
    assert capsys.readouterr().err == f"elmo-tf vocab: --vocab_file=some/v.txt{after}and so on\n"


def test_flags_can_stand_in_a_file_and_the_command_line_goes_over_them(corpus, capsys):
    (corpus / "vocab.flags").write_text("# a comment\n--train_files=corpus.txt\n--vocab_file=v.txt\n--max_vocab=4\n")
    assert main(["vocab", "--flagfile=vocab.flags", "--max_vocab=5"]) == 0
    assert (corpus / "v.txt").read_text() == "<S>\n</S>\n<UNK>\ncat\nsat\n"


def test_one_command_after_another_keeps_no_flags(corpus, capsys):
    assert main(["vocab", "--train_files=corpus.txt", "--vocab_file=v.txt"]) == 0
    assert main(["vocab", "--vocab_file=v.txt"]) == 2


@pytest.mark.parametrize(("error", "code", "said"), [(KeyboardInterrupt, 130, "elmo-tf vocab: stopped\n")])
def test_stopping_leaves_no_traceback_and_no_file(corpus, capsys, monkeypatch, error, code, said):
    def stop(paths):
        raise error

    monkeypatch.setattr("elmo_tf.cli.vocab.count_corpus", stop)
    assert main(["vocab", "--train_files=corpus.txt", "--vocab_file=out/v.txt"]) == code
    assert capsys.readouterr().err == said
    assert list((corpus / "out").iterdir()) == []


def test_a_defect_keeps_its_traceback(corpus, monkeypatch):
    def fail(paths):
        raise ZeroDivisionError

    monkeypatch.setattr("elmo_tf.cli.vocab.count_corpus", fail)
    with pytest.raises(ZeroDivisionError):
        main(["vocab", "--train_files=corpus.txt", "--vocab_file=v.txt"])
