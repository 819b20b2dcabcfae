"""`elmo-tf evaluate`, `convert` and `embed` on tiny models; the help pages of all commands; users' mistakes."""

import gzip
import importlib
import json
import math
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest
from hdf5_files import read_arrays
from model_cases import CHARACTERS, WORD_INPUT, changed
from model_folders import BEST_STEP, LATEST_STEP, change_options, content_of, cut_to, hdf5_folder, trained_folder

from elmo_tf.cli.flags import FlagSet
from elmo_tf.cli.main import COMMANDS, main

MODELS = {
    "model": CHARACTERS,
    "words": WORD_INPUT,
    "forward": changed(CHARACTERS, bidirectional=False),
}
REQUIRED = {
    "tokenize": ["input_files", "output_dir", "language"],
    "vocab": ["train_files", "vocab_file"],
    "train": ["train_files", "vocab_file", "model_dir", "options_file"],
    "evaluate": ["model_dir", "test_files"],
    "convert": ["model_dir", "output_dir"],
    "embed": ["model_dir", "input_file", "output_file"],
    "merge": ["input_files", "output_file"],
    "tokens": ["model_dir", "words_file", "output_file"],
    "score": ["model_dir", "input_file"],
    "substitutes": ["model_dir", "input_file"],
    "inspect": ["model_dir"],
    "plot": ["model_dir"],
    "push": ["model_dir", "repo", "license"],
    "completion": [],
}
TEXT = "the cat sat on the mat .\n\nøl\na zebra sat\n"  # 3 sentences, 11 words


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with a model of each kind, not to be changed, and the weights of "model"."""
    folder = tmp_path_factory.mktemp("models")
    weights = {name: trained_folder(folder / name, options) for name, options in MODELS.items()}
    return folder, weights["model"]


@pytest.fixture
def here(models, tmp_path, monkeypatch):
    """A folder to stand in, with copies of the models and text.txt."""
    for name in MODELS:
        shutil.copytree(models[0] / name, tmp_path / name)
    (tmp_path / "text.txt").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ran(capsys, line):
    """What a command that succeeds prints, and what it says beside it."""
    assert main(line.split()) == 0
    return capsys.readouterr()


BOTH = {
    "tokens",
    "unknown_tokens",
    "loss_forward",
    "loss_backward",
    "perplexity_forward",
    "perplexity_backward",
    "perplexity",
    "perplexity_geometric",
}
ONE = {name for name in BOTH if not name.endswith("backward")}


@pytest.mark.parametrize(("model", "keys"), [("model", BOTH), ("words", BOTH), ("forward", ONE)])
def test_evaluate_prints_one_json_line_with_the_documented_names(here, capsys, model, keys):
    said = ran(capsys, f"evaluate --model_dir={model} --test_files=text.txt --batch_size=2")
    assert said.out.count("\n") == 1
    values = json.loads(said.out)
    assert set(values) == keys
    assert values["tokens"] == 14
    directions = [name for name in ("forward", "backward") if f"loss_{name}" in keys]
    losses = [values[f"loss_{name}"] for name in directions]
    perplexities = [values[f"perplexity_{name}"] for name in directions]
    assert perplexities == pytest.approx([math.exp(loss) for loss in losses])
    assert values["perplexity"] == pytest.approx(np.mean(perplexities))
    assert values["perplexity_geometric"] == pytest.approx(math.exp(np.mean(losses)))
    assert said.err == f"{model}/best/ckpt-{BEST_STEP}: 3 sentences, 11 words\n"


def test_every_documented_name_stands_in_evaluates_help(capsys):
    page = ran(capsys, "evaluate --help").out
    words = set(page.replace(",", " ").replace("(", " ").split())
    assert words >= BOTH


def test_evaluate_takes_the_checkpoint_asked_for_and_packed_text(here, capsys):
    (here / "text.gz").write_bytes(gzip.compress(TEXT.encode()))
    lines = {}
    for flag, step in (("auto", f"best/ckpt-{BEST_STEP}"), ("best", f"best/ckpt-{BEST_STEP}")):
        said = ran(capsys, f"evaluate --model_dir=model --test_files=text.gz --checkpoint={flag}")
        assert said.err.startswith(f"model/{step}: ")
        lines[flag] = said.out
    said = ran(capsys, "evaluate --model_dir=model --test_files=text.* --checkpoint=latest")
    assert said.err == f"model/latest/ckpt-{LATEST_STEP}: 6 sentences, 22 words\n"
    assert lines["auto"] == lines["best"]
    assert json.loads(said.out)["loss_forward"] != json.loads(lines["best"])["loss_forward"]


def test_evaluates_number_of_rows_may_exceed_the_sentences(here, capsys):
    many, three = (
        ran(capsys, f"evaluate --model_dir=model --test_files=text.txt --batch_size={rows}").out for rows in (500, 3)
    )
    assert many == three


@pytest.mark.parametrize("name", ["char_2layer", "char_tanh_3layer_tightclip", "word_2layer"])
def test_evaluate_gives_bilm_tfs_own_figures_from_its_own_checkpoint(shared, capsys, name):
    folder = shared / "parity" / "bilm-tf-trained" / name
    golden = json.loads((folder / "perplexity.json").read_text())
    line = f"evaluate --model_dir={folder}/checkpoint --test_files={folder}/heldout.txt --vocab_file={folder}/vocab.txt"
    values = json.loads(ran(capsys, f"{line} --bilm_tf_compatible --batch_size={golden['batch_size']}").out)
    assert values["tokens"] == golden["tokens_per_direction"]
    assert values["loss_forward"] == pytest.approx(golden["loss_forward"], abs=1e-5)
    assert values["loss_backward"] == pytest.approx(golden["loss_backward"], abs=1e-5)
    assert values["perplexity_geometric"] == pytest.approx(golden["perplexity_bilm_tf"], rel=1e-5)


def test_convert_writes_the_files_and_says_so(here, models, capsys):
    said = ran(capsys, "convert --model_dir=model --output_dir=hdf5 --checkpoint=latest")
    arrays = read_arrays("hdf5/weights.hdf5")
    numbers = sum(array.size for array in arrays.values())
    assert said.out == (
        f"model/latest/ckpt-{LATEST_STEP}: {len(arrays)} arrays of {numbers:,} numbers, read back equal, "
        "in hdf5/weights.hdf5, hdf5/options.json, hdf5/vocab.txt, hdf5/model.sha256; largest difference of vectors 0\n"
    )
    assert said.err == "note: AllenNLP cannot load this model: its words are cut at 9 characters instead of 50\n"
    assert sorted(content_of("hdf5")) == ["model.sha256", "options.json", "vocab.txt", "weights.hdf5"]
    np.testing.assert_array_equal(arrays["char_embed"], models[1]["latest"]["char_embed"])


@pytest.mark.parametrize("flags", ["", " --batch_tokens=1"])
def test_embed_writes_a_dataset_a_line_and_says_so(here, capsys, flags):
    said = ran(capsys, f"embed --model_dir=model --input_file=text.txt --output_file=out/vectors.hdf5{flags}")
    assert said.out == f"out/vectors.hdf5: 4 lines, 11 tokens, from model/best/ckpt-{BEST_STEP}\n"
    assert said.err == ""
    with h5py.File("out/vectors.hdf5") as file:
        assert {key: dataset.shape for key, dataset in file.items()} == {
            "0": (3, 7, 8),
            "1": (3, 0, 8),
            "2": (3, 1, 8),
            "3": (3, 3, 8),
        }


def test_a_converted_folder_embeds_to_the_same_vectors(here, capsys):
    ran(capsys, "convert --model_dir=words --output_dir=hdf5")
    for folder in ("words", "hdf5"):
        ran(capsys, f"embed --model_dir={folder} --input_file=text.txt --output_file={folder}.hdf5")
    with h5py.File("words.hdf5") as ours, h5py.File("hdf5.hdf5") as converted:
        assert set(ours) == set(converted) == set("0123")
        for key in ours:
            np.testing.assert_allclose(ours[key], converted[key], rtol=0, atol=1e-6)


def test_convert_goes_round_through_every_form(here, models, capsys):
    ran(capsys, "convert --model_dir=model --checkpoint=latest --output_dir=tf1 --format=tf1 --target=bilm-tf")
    ran(capsys, "convert --model_dir=tf1 --output_dir=ours --format=checkpoint")
    ran(capsys, "convert --model_dir=ours --output_dir=packed --zip --softmax --target=simple_elmo")
    said = ran(capsys, "convert --model_dir=packed.zip --output_dir=hdf5 --softmax")
    assert said.out.startswith("packed.zip: ")
    found = {**read_arrays("hdf5/weights.hdf5"), **read_arrays("hdf5/softmax.hdf5")}
    assert set(found) == set(models[1]["latest"])
    for name, array in models[1]["latest"].items():
        np.testing.assert_array_equal(found[name], array)
    lines = [
        ran(capsys, f"evaluate --model_dir={folder} --test_files=text.txt").out
        for folder in ("model --checkpoint=latest", "tf1", "ours", "packed.zip", "hdf5")
    ]
    assert len(set(lines)) == 1


def test_tokens_writes_the_first_words_for_tensorboard(here, capsys):
    line = "tokens --model_dir=model --words_file=model/vocab.txt --output_format=projector --output_file=shown"
    said = ran(capsys, f"{line} --max_words=4")
    assert said.out.startswith("shown: 4 words, from model/best/")
    assert (here / "shown" / "metadata.tsv").read_text() == "<S>\n</S>\n<UNK>\nthe\n"
    assert main(line.split()) == 1
    assert "--output_file=shown/projector_config.pbtxt exists; give --overwrite" in capsys.readouterr().err
    assert ran(capsys, f"{line} --overwrite").out.startswith("shown: 11 words")


def test_convert_says_what_starts_anew(here, capsys):
    ran(capsys, "convert --model_dir=model --output_dir=hdf5")
    said = ran(capsys, "convert --model_dir=hdf5 --output_dir=ours --format=checkpoint --vocab_file=model/vocab.txt")
    assert "note: it has no softmax: the softmax starts anew\n" in said.err
    assert "note: it has no Adagrad accumulators: they start anew, at 1\n" in said.err


@pytest.mark.parametrize("line", ["inspect --model_dir=model", "inspect model"])
def test_inspect_says_what_a_model_is(here, capsys, line):
    page = ran(capsys, line).out
    for part in (
        "form        checkpoint of elmo-tf train",
        f"file        model/best/ckpt-{BEST_STEP}",
        "input       characters: 262 characters by options.json, 9 a word, of size 5;",
        "LSTM        2 layers of 6, projected to 4, forward and backward, skip connections, cell clip 3, projection",
        "vocabulary  11 words, in vocab.txt",
        f"step        {BEST_STEP}",
        "  char_embed  ",
        "  261 x 5\n",
        "  AllenNLP    no: its words are cut at 9 characters instead of 50",
        "  bilm-tf     after elmo-tf convert --target=bilm-tf",
    ):
        assert part in page


def test_a_published_name_is_fetched_from_the_mirror_unless_a_folder_has_that_name(here, capsys, monkeypatch):
    ran(capsys, "convert --model_dir=model --output_dir=hdf5")
    for variable in ("ELMO_TF_MIRROR", "ELMO_TF_CACHE"):
        monkeypatch.setenv(variable, str(here / "nowhere"))
    stem = "2x2048_256_2048cnn_1xhighway/elmo_2x2048_256_2048cnn_1xhighway_"
    (here / "served" / stem).parent.mkdir(parents=True)
    for name in ("options.json", "weights.hdf5"):
        shutil.copy(here / "hdf5" / name, here / "served" / (stem + name))
    ran(capsys, "embed --model_dir=hdf5 --input_file=text.txt --output_file=own.hdf5")
    line = "embed --model_dir=medium --input_file=text.txt --output_file="
    ran(capsys, f"{line}fetched.hdf5 --mirror={(here / 'served').as_uri()}")
    assert sorted(path.name for path in (here / "nowhere" / "medium").glob("[!.]*")) == ["options.json", "weights.hdf5"]
    with h5py.File(here / "fetched.hdf5") as fetched, h5py.File(here / "own.hdf5") as own:
        assert fetched["0"].shape[1] == 7
        np.testing.assert_array_equal(fetched["0"][...], own["0"][...])
    (here / "medium").mkdir()
    assert main([*f"{line}third.hdf5".split()]) == 1
    assert "medium: it holds no model" in capsys.readouterr().err


def flags_of(command):
    flag_set = FlagSet()
    importlib.import_module(f"elmo_tf.cli.{command}").define_flags(flag_set)
    return flag_set


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("form", ["{} --help", "help {}", "{} -h"])
def test_the_help_page_names_every_flag_and_those_that_are_required(capsys, command, form):
    page = ran(capsys, form.format(command)).out
    usage = page.splitlines()[0]
    assert (
        usage == f"usage: elmo-tf {command}{''.join(f' --{name}=...' for name in REQUIRED[command])} [--flag=value ...]"
    )
    for name in REQUIRED[command]:
        assert f"\n  --{name}  (required)\n" in page
    assert page.count("(required)") == len(REQUIRED[command])
    names = flags_of(command).names
    assert page.count("\n  --") == len(names)
    for name in names:
        assert f"\n  --{name}  (" in page
    assert max(map(len, page.splitlines())) <= 120


@pytest.mark.parametrize("command", COMMANDS)
def test_the_example_on_the_help_page_gives_every_required_flag_and_none_that_is_not(capsys, command):
    page = ran(capsys, f"{command} --help").out
    lines = page.replace("\\\n", " ").splitlines()
    example = next(line for line in lines if line.startswith("  ") and f" elmo-tf {command} --" in line)
    given = [part.partition("=")[0] for part in example.split() if part.startswith("--")]
    known = {f"--{name}" for name in flags_of(command).names}
    assert set(given) <= known | {"--flagfile"}
    if "--flagfile" not in given:
        assert {f"--{name}" for name in REQUIRED[command]} <= set(given)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_required_flag_is_asked_for_by_name(capsys, command):
    for missing in REQUIRED[command]:
        given = [f"--{name}=x" for name in REQUIRED[command] if name != missing]
        assert main([command, *given]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith(f"elmo-tf {command}: --{missing} is required: ")
        assert said.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["help"], ["--help"]])
def test_the_overview_lists_every_command_with_its_summary(capsys, arguments):
    assert main(arguments) == (0 if arguments else 2)
    page = capsys.readouterr().out
    for command in COMMANDS:
        assert f"\n  {command:<13}{importlib.import_module(f'elmo_tf.cli.{command}').SUMMARY}\n" in page


def test_the_package_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "elmo_tf", "--help"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.startswith("usage: elmo-tf COMMAND")
    assert all(f"\n  {command} " in done.stdout for command in COMMANDS)


EVALUATE = "evaluate --model_dir={} --test_files=text.txt"
EMBED = "embed --model_dir={} --input_file=text.txt --output_file=out.hdf5"
CONVERT = "convert --model_dir={} --output_dir=out.hdf5"
INSPECT = "inspect {}"


def is_refused(capsys, line, code, *parts):
    """Whether the command fails with one line on stderr that has these parts, and makes nothing."""
    assert main(line.split()) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"elmo-tf {line.split()[0]}: ")
    assert said.err.count("\n") == 1
    assert "Traceback" not in said.err
    for part in parts:
        assert part in said.err


ON_A_MODEL = pytest.mark.parametrize(
    "line", [EVALUATE, EMBED, CONVERT, INSPECT], ids=["evaluate", "embed", "convert", "inspect"]
)


@ON_A_MODEL
@pytest.mark.parametrize("folder", ["none", "empty", "text.txt"])
def test_a_folder_without_a_model_is_refused(here, capsys, line, folder):
    (here / "empty").mkdir()
    before = content_of(here)
    is_refused(capsys, line.format(folder), 1, f"--model_dir={folder}: ", "expected a folder made by elmo-tf train")
    assert content_of(here) == before


@ON_A_MODEL
def test_a_damaged_checkpoint_is_refused(here, capsys, line):
    cut_to(here / "model" / "best" / f"ckpt-{BEST_STEP}.data-00000-of-00001", 0.5)
    before = content_of(here)
    is_refused(capsys, line.format("model"), 1, f"model/best/ckpt-{BEST_STEP} ", "damaged")
    assert content_of(here) == before


@ON_A_MODEL
@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"lstm": {"dim": 7}}, "W_0: expected shape (8, 28) by the options, got (8, 24)"),
        ({"lstm": {"n_layers": 1}}, "has no place in a model of these options"),
        ({"lstm": {"cell_clip": -1}}, "model/options.json: lstm.cell_clip: expected a number above 0, got -1"),
        ({"bidirectionl": True}, "model/options.json: bidirectionl is not an option; did you mean bidirectional?"),
    ],
    ids=["size", "layers", "bad value", "bad name"],
)
def test_options_that_do_not_fit_are_refused(here, capsys, line, changes, part):
    change_options(here / "model", **changes)
    before = content_of(here)
    is_refused(capsys, line.format("model"), 1, part)
    assert content_of(here) == before


@pytest.mark.parametrize(
    ("model", "line"), [("model", EVALUATE), ("words", EVALUATE), ("words", EMBED), ("words", CONVERT)]
)
def test_a_missing_vocabulary_is_refused(here, capsys, model, line):
    (here / model / "vocab.txt").unlink()
    is_refused(capsys, line.format(model), 1, f"--model_dir={model}: no vocab.txt lies beside the weights")


@pytest.mark.parametrize("line", [EMBED, CONVERT])
def test_a_model_that_reads_characters_embeds_and_converts_without_its_vocabulary(here, capsys, line):
    (here / "model" / "vocab.txt").unlink()
    ran(capsys, line.format("model"))


@ON_A_MODEL
def test_a_wrong_checkpoint_is_refused(here, capsys, line):
    is_refused(
        capsys, line.format("model") + " --checkpoint=worst", 2, "--checkpoint=worst", "auto|best|latest", "--help"
    )
    shutil.rmtree(here / "model" / "best")
    is_refused(capsys, line.format("model") + " --checkpoint=best", 1, "model holds no best checkpoint")


def test_an_hdf5_folder_has_no_perplexity_and_no_checkpoints(here, shared, capsys):
    hdf5_folder(shared / "parity" / "bilm-tf-fixture", here / "hdf5", vocabulary=False)
    is_refused(capsys, EVALUATE.format("hdf5"), 1, "hdf5: weights.hdf5 holds no softmax; expected a folder made by")
    is_refused(
        capsys,
        EMBED.format("hdf5") + " --checkpoint=latest",
        1,
        "--model_dir=hdf5: it holds no latest checkpoint, only weights.hdf5",
    )
    ran(capsys, EMBED.format("hdf5"))


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("evaluate --model_dir=model --test_files=none*.txt", "--test_files=none*.txt: no such file"),
        ("evaluate --model_dir=model --test_files=model", "--test_files=model: only folders match"),
        ("evaluate --model_dir=model --test_files=blank.txt", "blank.txt: no text in it"),
        ("evaluate --model_dir=model --test_files=latin.txt", "latin.txt, line 2: not UTF-8 text"),
        ("evaluate --model_dir=model --test_files=text.txt --bilm_tf_compatible --unroll_steps=2", "expected 1 with"),
        ("embed --model_dir=model --input_file=none.txt --output_file=o", "--input_file=none.txt: no such file"),
        ("embed --model_dir=model --input_file=empty.txt --output_file=o", "empty.txt is empty"),
        ("embed --model_dir=model --input_file=latin.txt --output_file=o", "latin.txt, line 2: not UTF-8 text"),
        ("embed --model_dir=model --input_file=text.txt --output_file=model", "model is a folder"),
        ("embed --model_dir=model --input_file=text.txt --output_file=text.txt", "text.txt is the input"),
        ("convert --model_dir=model --output_dir=text.txt", "--output_dir=text.txt is a file; expected a folder"),
        ("convert --model_dir=model --output_dir=words --format=tf1", "--output_dir=words holds a model already"),
        ("convert --model_dir=model --output_dir=o --target=allennlp", "--target=allennlp: AllenNLP cannot load this"),
        ("convert --model_dir=bad.zip --output_dir=o", "bad.zip cannot be read as ZIP"),
        ("convert --model_dir=model --output_dir=o --softmax_file=text.txt", "text.txt cannot be read as HDF5"),
        ("embed --model_dir=bad.zip --input_file=text.txt --output_file=o", "bad.zip cannot be read as ZIP"),
        ("inspect bad.zip", "bad.zip cannot be read as ZIP"),
    ],
)
def test_a_bad_file_is_refused_and_nothing_is_made(here, capsys, line, part):
    (here / "bad.zip").write_bytes(b"PK and no more")
    (here / "blank.txt").write_text("\n \n")
    (here / "empty.txt").write_text("")
    (here / "latin.txt").write_bytes(b"good\nbl\xe5\n")
    before = content_of(here)
    is_refused(capsys, line, 1, part)
    assert content_of(here) == before


@pytest.mark.parametrize(
    ("line", "part"),
    [
        (EVALUATE.format("model") + " --batch_size=0", "--batch_size=0"),
        (EVALUATE.format("model") + " --unroll_steps=x", "--unroll_steps=x"),
        (EMBED.format("model") + " --batch_tokens=0", "--batch_tokens=0"),
        (EMBED.format("model") + " --ouput_file=x", "ouput_file"),
        (CONVERT.format("model") + " more", "unexpected argument 'more'"),
        (CONVERT.format("model") + " --format=onnx", "--format=onnx"),
        (CONVERT.format("model") + " --target=fairseq", "--target=fairseq"),
        (INSPECT.format("model more"), "unexpected argument 'model'"),
        (INSPECT.format("--model_dir=model more"), "unexpected argument 'more'"),
    ],
)
def test_a_bad_flag_is_refused(here, capsys, line, part):
    is_refused(capsys, line, 2, part, f"(see elmo-tf {line.split()[0]} --help)")
    assert not (here / "out.hdf5").exists()


def test_weights_that_are_not_finite_are_refused(here, capsys):
    trained_folder(here / "spoilt", spoilt="softmax/b", latest=False)
    is_refused(capsys, EVALUATE.format("spoilt"), 1, "spoilt/best/ckpt-8: array softmax/b holds numbers that are not")


def test_a_text_too_short_for_bilm_tfs_rows_is_refused(here, capsys):
    assert main((EVALUATE.format("model") + " --bilm_tf_compatible").split()) == 1
    assert capsys.readouterr().err.splitlines()[-1].endswith("the text does not fill one window of 32 rows and 1 steps")


def test_an_option_of_another_program_in_the_options_file_is_noted(here, capsys):
    change_options("model", author="me")
    flags = "--options_file=model/options.json --train_files=text.txt --vocab_file=none.txt --model_dir=new"
    assert main(f"train {flags}".split()) == 1
    printed = capsys.readouterr()
    assert printed.out == "note: model/options.json: author is no option of elmo-tf and has no effect\n"
    assert printed.err == "elmo-tf train: --vocab_file=none.txt cannot be read: No such file or directory\n"


@pytest.mark.parametrize(
    "line",
    [
        "train --options_file=model/options.json --train_files=text.txt --vocab_file=model/vocab.txt --model_dir={}",
        "inspect --model_dir={}",
        "embed --input_file=text.txt --output_file=o.hdf5 --model_dir={}",
        "convert --model_dir=model --output_dir={}",
    ],
)
def test_a_folder_whose_name_is_no_utf_8_is_one_sentence(here, capsys, line):
    name = b"m\xff".decode("utf-8", "surrogateescape")
    shutil.copytree("model", name)
    assert main(line.format(name).split()) == 1
    error = capsys.readouterr().err
    assert error.endswith("_dir=m\\udcff: expected a name in UTF-8, got the byte 0xff in it: rename it\n")
    assert error.count("\n") == 1
