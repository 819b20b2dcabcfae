import gzip
import importlib
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import zipfile

import pytest
from model_cases import WORD_INPUT

from elmo_tf.cli.main import main
from elmo_tf.errors import InputError
from elmo_tf.version import __version__

FLAGS = {
    "tokenize": ["input_files", "output_dir", "language", "chinese_words", "overwrite"],
    "vocab": ["train_files", "vocab_file", "max_vocab", "min_count", "max_characters_per_token", "overwrite"],
}


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corpus.txt").write_text("the cat sat\n")
    return tmp_path


def test_version_is_printed(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"{__version__}\n"


def test_a_mirror_that_is_no_address_is_an_error_that_names_the_flag(capsys, monkeypatch):
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


def test_an_unknown_command_lists_the_commands(capsys):
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
        ("train --train_files=corpus.txt --logical_cpus=1000000", "--logical_cpus=1000000: "),
        ("train --train_files=corpus.txt --max_steps=1" + 30 * "0", f"--max_steps=1{30 * '0'}: "),
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


MESSAGE = "v.txt: expected other words"

ERRORS = {
    "with the flag's path": ("v.txt", InputError(MESSAGE, path="v.txt"), f"--vocab_file={MESSAGE}"),
    "with the flag's path and a line": (
        "v.txt",
        InputError("v.txt, line 3: odd", path="v.txt", line=3),
        "--vocab_file=v.txt, line 3: odd",
    ),
    "with a path that goes on in any way": (
        "v.txt",
        InputError("v.txt somehow", path="v.txt"),
        "--vocab_file=v.txt somehow",
    ),
    "with the path of a list's second file": (
        "v.txt",
        InputError("b.txt is odd", path="b.txt"),
        "--train_files=b.txt is odd",
    ),
    "with a path that two flags have": (
        "a.txt",
        InputError("a.txt is odd", path="a.txt"),
        "--train_files=a.txt is odd",
    ),
    "with a path of several words": ("my v: 2.txt", InputError("my v: 2.txt is odd", path="my v: 2.txt"), None),
    "with a path that has a line break": (
        "v\n.txt",
        InputError("v\n.txt is odd", path="v\n.txt"),
        "--vocab_file=v\\n.txt is odd",
    ),
    "with the beginning of the path": ("v", InputError(MESSAGE, path="v.txt"), MESSAGE),
    "with another path": ("other.txt", InputError(MESSAGE, path="v.txt"), MESSAGE),
    "with a path inside the flag's": ("v", InputError("v/x.txt is odd", path="v/x.txt"), "v/x.txt is odd"),
    "without a path": ("v.txt", InputError(MESSAGE), MESSAGE),
    "whose path stands within the message": (
        "v.txt",
        InputError("the folder v.txt cannot be made", path="v.txt"),
        "the folder v.txt cannot be made",
    ),
    "that names its flag": (
        "v.txt",
        InputError("--vocab_file=v.txt is old", path="v.txt", option="vocab_file"),
        "--vocab_file=v.txt is old",
    ),
    "with an option alone": (
        "v.txt",
        InputError("max_vocab is 3; expected more", option="max_vocab"),
        "max_vocab is 3; expected more",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_an_error_that_begins_with_its_path_names_the_flag_of_that_path(corpus, capsys, monkeypatch, case):
    vocab_file, error, message = ERRORS[case]

    def fail(paths):
        raise error

    for name in ("a.txt", "b.txt"):
        (corpus / name).write_text("the cat sat\n")
    monkeypatch.setattr("elmo_tf.cli.vocab.count_corpus", fail)
    monkeypatch.setattr("elmo_tf.cli.vocab._check_target", lambda *_: None)
    assert main(["vocab", "--train_files=a.txt,b.txt", f"--vocab_file={vocab_file}", "--overwrite"]) == 1
    assert capsys.readouterr().err == f"elmo-tf vocab: {message or f'--vocab_file={error}'}\n"


GONE = "there is no such file or folder; expected a folder made by elmo-tf train"
TRAIN = "--train_files=corpus.txt --model_dir=m --batch_size=1 --unroll_steps=2"
PLAIN = f"train {TRAIN} --nosample_softmax --vocab_file=v.txt --options_file=o.json"

MISTAKES = {
    "a model that is missing": ("inspect --model_dir=none", f"--model_dir=none: {GONE}"),
    "a model of nothing": ("inspect --model_dir=empty", "--model_dir=empty: it holds no model; "),
    "a model that is another file": ("inspect corpus.txt", "--model_dir=corpus.txt: it is no file of a model; "),
    "two models": ("inspect two", "--model_dir=two: it holds 2 models, "),
    "a softmax": ("inspect softmax.hdf5", "--model_dir=softmax.hdf5: it is only a softmax; "),
    "a model without options": ("inspect two/a.weights.hdf5", "--model_dir=two/a.weights.hdf5: it holds no model: "),
    "a damaged HDF5 file": (
        "embed --model_dir=m.hdf5 --input_file=corpus.txt --output_file=out.hdf5",
        "--model_dir=m.hdf5 cannot be read as HDF5",
    ),
    "a damaged ZIP file": ("inspect --model_dir=m.zip", "--model_dir=m.zip cannot be read as ZIP"),
    "a ZIP file of nothing": ("inspect --model_dir=nothing.zip", "--model_dir=nothing.zip holds no model: "),
    "a damaged checkpoint's folder": ("inspect listed", "listed/checkpoint, which names the checkpoints, names 'x', "),
    "options inside the folder": ("inspect optioned", "optioned/options.json, line 1: not valid JSON"),
    "a model to start from": (f"{PLAIN} --initialize_from=none", f"--initialize_from=none: {GONE}"),
    "a text, one of a list": (
        "vocab --train_files=corpus.txt,latin.txt --vocab_file=new.txt",
        "--train_files=latin.txt, line 1: not UTF-8 text",
    ),
    "a text that is cut short": (
        "vocab --train_files=cut.gz --vocab_file=new.txt",
        "--train_files=cut.gz cannot be read past line 1: ",
    ),
    "a text of no words": (
        f"{PLAIN.replace('corpus.txt', 'blank.txt')}",
        "--train_files=blank.txt: no text in it; ",
    ),
    "two texts of no words": (
        f"{PLAIN.replace('corpus.txt', 'blank.txt,blanks.txt')}",
        "--train_files=blank.txt and 1 more files: no text in it; ",
    ),
    "a text that is found by a pattern": (
        "vocab --train_files=lat*.txt --vocab_file=new.txt",
        "latin.txt, line 1: not UTF-8 text",
    ),
    "texts of one name": (
        "tokenize --input_files=corpus.txt,empty/corpus.txt --output_dir=out --language=en",
        "--input_files=corpus.txt and empty/corpus.txt would both be written to out/corpus.txt; ",
    ),
    "a folder to write to": (
        "vocab --train_files=corpus.txt --vocab_file=empty",
        "--vocab_file=empty is a folder; ",
    ),
    "a folder that cannot be made": (
        "vocab --train_files=corpus.txt --vocab_file=corpus.txt/v.txt",
        "the folder corpus.txt cannot be made: ",
    ),
    "a vocabulary that is missing": (
        f"train {TRAIN} --vocab_file=none --options_file=o.json",
        "--vocab_file=none cannot be read: No such file",
    ),
    "a vocabulary without words": (PLAIN.replace("v.txt", "blank.txt"), "--vocab_file=blank.txt is empty; "),
    "a vocabulary without special words": (PLAIN.replace("v.txt", "corpus2.txt"), "--vocab_file=corpus2.txt lacks <S>"),
    "a word that comes twice": (PLAIN.replace("v.txt", "twice.txt"), "--vocab_file=twice.txt, line 5: the word 'the' "),
    "a vocabulary of another text": (PLAIN.replace("v.txt", "other.txt"), "--vocab_file=other.txt covers none of 3 "),
    "options that are missing": (PLAIN.replace("o.json", "none"), "--options_file=none cannot be read: No such file"),
    "options that are no JSON": (
        PLAIN.replace("o.json", "other.txt"),
        "--options_file=other.txt, line 1: not valid JSON: ",
    ),
    "options that are no text": (PLAIN.replace("o.json", "latin.txt"), "--options_file=latin.txt is not UTF-8 text: "),
    "options that are no object": (PLAIN.replace("o.json", "list.json"), "--options_file=list.json: expected a JSON "),
    "an option that is missing": (
        PLAIN.replace("o.json", "lstm.json"),
        "--options_file=lstm.json: lstm.dim is missing",
    ),
    "options that contradict each other": (
        PLAIN.replace("o.json", "wide.json"),
        "--options_file=wide.json: lstm.projection_dim: expected at most lstm.dim, ",
    ),
    "an option that a flag gives": (f"{PLAIN} --dropout=2", "--dropout: expected "),
    "a text shorter than a batch": (
        PLAIN.replace("--batch_size=1", "--batch_size=100"),
        "the training text has 4 tokens",
    ),
}


@pytest.fixture(scope="module")
def mistaken(tmp_path_factory):
    """A folder with the files of `MISTAKES`, which no command changes."""
    folder = tmp_path_factory.mktemp("mistakes")
    specials = "<S>\n</S>\n<UNK>\n"
    for name in ("empty", "two", "listed", "optioned"):
        (folder / name).mkdir()
    for name, text in {
        "corpus.txt": "the cat sat\n",
        "empty/corpus.txt": "the cat sat\n",
        "blank.txt": "\n\n",
        "blanks.txt": "\n",
        "corpus2.txt": "the\ncat\nsat\n",
        "v.txt": f"{specials}the\ncat\n",
        "twice.txt": f"{specials}the\nthe\n",
        "other.txt": f"{specials}dog\n",
        "o.json": json.dumps({key: value for key, value in WORD_INPUT.items() if key != "n_tokens_vocab"}),
        "list.json": "[]",
        "lstm.json": '{"lstm": {}}',
        "wide.json": '{"lstm": {"dim": 4, "projection_dim": 8}}',
        "two/a.weights.hdf5": "",
        "two/b.weights.hdf5": "",
        "softmax.hdf5": "",
        "m.hdf5": "nothing",
        "options.json": json.dumps({**WORD_INPUT, "n_tokens_vocab": 5}),
        "m.zip": "PK",
        "listed/checkpoint": 'model_checkpoint_path: "x"\n',
        "optioned/options.json": "{",
        "optioned/weights.hdf5": "",
    }.items():
        (folder / name).write_text(text)
    (folder / "latin.txt").write_bytes(b"\xff\n")
    (folder / "cut.gz").write_bytes(
        gzip.compress(b"the cat sat\n" + random.Random(1).randbytes(5000).hex().encode(), mtime=0)[:2000]
    )
    with zipfile.ZipFile(folder / "nothing.zip", "w") as archive:
        archive.writestr("a.txt", "a")
    return folder


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_in_a_file_names_the_flag_that_gave_its_path(mistaken, capsys, monkeypatch, case):
    monkeypatch.chdir(mistaken)
    arguments, message = MISTAKES[case]
    assert main(arguments.split()) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"elmo-tf {arguments.split()[0]}: {message}")
    assert said.count("\n") == 1


def test_a_flagfile_is_read_and_the_command_line_takes_precedence_over_it(corpus, capsys):
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
