"""The plain PyTorch module in `examples/pytorch/` gives our vectors for every kind of model."""

import ast
import importlib
import json
import re
import shutil
import subprocess
import sys
import textwrap

import h5py
import interop_models
import numpy as np
import pytest
from grids import rarely
from hdf5_files import read_arrays, write_arrays
from model_cases import CASES, CHARACTERS, WORD_INPUT, changed
from model_folders import hdf5_folder, trained_folder

from elmo_tf.conversion.convert import ConvertSettings, convert
from elmo_tf.inference.sentence_embedder import SentenceEmbedder
from elmo_tf.models.weight_names import named_variables
from elmo_tf.store.load_model import load_bilm

ROOT = interop_models.RUN.parents[2]
EXAMPLE = ROOT / "examples" / "pytorch" / "elmo.py"

SHAPES = {
    **CASES,
    "50 characters": changed(CHARACTERS, cnn_max_characters_per_token=50, lstm_dim=24, lstm_projection_dim=7),
    "one layer, no projections, forward only": changed(
        CHARACTERS, lstm_n_layers=1, lstm_dim=9, lstm_projection_dim=9, bidirectional=False
    ),
    "the usual length of words, and no number of highways": changed(
        CHARACTERS, cnn_max_characters_per_token=None, cnn_n_highway=None, lstm_use_skip_connections=None
    ),
}
FROM_CHECKPOINT = ("characters", "word input", "tight clips")
SAFETENSORS = ("characters", "no skip connections", "word input, forward only, one layer", "50 characters")


@pytest.fixture(scope="module")
def installed():
    interop_models.need("torch", "safetensors")


@pytest.fixture(scope="module")
def came(tmp_path_factory, installed):
    return interop_models.compared("plain", SHAPES, tmp_path_factory.mktemp("plain"), FROM_CHECKPOINT, SAFETENSORS)


@pytest.mark.parametrize("name", SHAPES)
def test_every_layer_and_the_mix_are_ours(came, name):
    interop_models.check_same(*came[name])


def test_an_empty_sentence_beside_others_has_no_vectors(tmp_path, installed):
    embed = interop_models.exported(tmp_path, CHARACTERS)
    job = interop_models.job(tmp_path, 3, [[["a", "cat"], []]])
    found = interop_models.consume("plain", [job], tmp_path)[0]
    assert found["0/1/layers"].shape == (3, 0, 8)
    np.testing.assert_allclose(found["0/0/layers"], embed([["a", "cat"]])[0], rtol=0, atol=interop_models.TOLERANCE)


@pytest.mark.parametrize(
    "source",
    ["bilm-tf-trained/char_2layer", "bilm-tf-trained/char_tanh_3layer_tightclip", "bilm-tf-fixture"],
)
def test_bilm_tfs_own_models_give_ours_too(shared, installed, tmp_path, source):
    hdf5_folder(shared / "parity" / source, tmp_path / "model", vocabulary=False)
    convert(str(tmp_path / "model"), str(tmp_path / "hdf5"))
    loaded = load_bilm(str(tmp_path / "model"))
    job = interop_models.job(tmp_path, loaded.bilm.options.lstm.n_layers + 1)
    found = interop_models.consume("plain", [job], tmp_path)[0]
    interop_models.check_same(found, SentenceEmbedder(loaded.bilm), job)


def test_word_input_without_a_vocabulary_is_refused(tmp_path, installed):
    interop_models.exported(tmp_path, WORD_INPUT)
    (tmp_path / "hdf5" / "vocab.txt").unlink()
    found = interop_models.consume("plain", [interop_models.job(tmp_path, 3)], tmp_path)[0]
    assert "vocabulary: expected one" in str(found["refused"])


def run_python(source, folder):
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(EXAMPLE.parent)!r})\n{source}"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


def test_its_own_example_runs_and_trains_the_mix_alone(tmp_path, installed):
    interop_models.exported(tmp_path, CHARACTERS)
    docstring = ast.get_docstring(ast.parse(EXAMPLE.read_text(encoding="utf-8")))
    shown = textwrap.dedent("\n".join(re.findall(r"(?m)^    .*$", docstring)))
    shown += "\nvectors.sum().backward()"
    shown += "\nprint(*layers.shape, *vectors.shape, *means.shape, mix.weights.grad.shape[0])"
    shown += "\nprint(sum(p.requires_grad for p in elmo.parameters()))"
    assert run_python(shown, tmp_path) == ["2", "3", "4", "8", "2", "4", "8", "2", "8", "3", "0"]


@pytest.mark.parametrize(
    "settings", [ConvertSettings("safetensors", softmax=True), ConvertSettings(target="simple_elmo")]
)
def test_the_softmax_is_left_out_and_model_hdf5_is_found(tmp_path, installed, settings):
    if settings.form == "safetensors":
        pytest.importorskip("safetensors")
    trained_folder(tmp_path / "model", CHARACTERS)
    convert(str(tmp_path / "model"), str(tmp_path / "new"), settings=settings)
    source = """
from elmo import Elmo
elmo = Elmo.from_folder("new")
print(*elmo(*elmo.encode([["a", "cat"]])).shape, sum("softmax" in name for name in elmo.state_dict()))
"""
    assert run_python(source, tmp_path) == ["1", "3", "2", "8", "0"]


def in_torch(source, folder):
    """Runs lines that know `Elmo`, `torch` and `save`; gives what they print."""
    return run_python(
        f"import torch\nfrom elmo import *\nfrom safetensors.torch import save_file as save\n{source}", folder
    )


def test_safetensors_in_bfloat16_and_float16_are_read(tmp_path, installed):
    interop_models.exported(tmp_path, CHARACTERS)
    source = """
for number, dtype in enumerate((torch.bfloat16, torch.float16, torch.float64)):
    arrays = read_arrays("hdf5/weights.hdf5")
    rounded = {name: torch.from_numpy(array).to(dtype) for name, array in arrays.items()}
    save(rounded, "rounded.safetensors")
    found = read_arrays("rounded.safetensors")
    same = all((torch.from_numpy(found[name]) == rounded[name].float()).all() for name in arrays)
    print(same, {str(array.dtype) for array in found.values()} == {"float32"})
"""
    assert in_torch(source, tmp_path) == ["True"] * 6


def test_of_several_files_it_reads_the_one_that_we_read(tmp_path, installed):
    interop_models.exported(tmp_path, CHARACTERS)
    source = """
elmo = Elmo.from_folder("hdf5")
print(float(elmo.state_dict()["CNN_proj/b_proj"][0]))
"""
    folder, arrays = tmp_path / "hdf5", read_arrays(str(tmp_path / "hdf5" / "weights.hdf5"))
    for value, name in enumerate(("x_weights.hdf5", "weights.hdf5", "x.safetensors", "model.safetensors"), 2):
        arrays["CNN_proj/b_proj"] = np.full(4, value, np.float32)
        if name.endswith(".hdf5"):
            write_arrays(str(folder / name), arrays)
        else:
            safetensors_numpy().save_file(arrays, folder / name)
        if name == "x_weights.hdf5":
            (folder / "weights.hdf5").unlink()
        loaded = load_bilm(str(folder)).bilm
        assert named_variables(loaded)["CNN_proj/b_proj"].numpy()[0] == value
        assert in_torch(source, tmp_path) == [f"{value}.0"]


def safetensors_numpy():
    return importlib.import_module("safetensors.numpy")


def test_allennlps_own_names_are_read(tmp_path, installed):
    embed = interop_models.exported(tmp_path, CHARACTERS)
    folder = tmp_path / "hdf5"
    for name in ("options.json", "weights.hdf5"):
        (folder / name).rename(folder / f"elmo_2x6_4_9cnn_1xhighway_{name}")
    (folder / "options.json").write_text("{}")  # of something else: the one of the weights' name counts
    job = interop_models.job(tmp_path, 3)
    interop_models.check_same(interop_models.consume("plain", [job], tmp_path)[0], embed, job)


def test_several_files_of_one_kind_and_none_are_refused(tmp_path, installed):
    interop_models.exported(tmp_path, CHARACTERS)
    folder, jobs = tmp_path / "hdf5", []
    for name, files in {
        "two": {"a_weights.hdf5": "weights.hdf5", "b_weights.hdf5": "weights.hdf5", "options.json": "options.json"},
        "none": {"options.json": "options.json"},
        "no options": {"weights.hdf5": "weights.hdf5"},
        "two options": {
            "weights.hdf5": "weights.hdf5",
            "a_options.json": "options.json",
            "b-options.json": "options.json",
        },
    }.items():
        (tmp_path / name).mkdir()
        for new, old in files.items():
            shutil.copyfile(folder / old, tmp_path / name / new)
        output = str(tmp_path / f"{name}.npz")
        jobs.append({**interop_models.job(tmp_path, 3), "folder": str(tmp_path / name), "output": output})
    said = refused(jobs, tmp_path)
    weights = "one model.safetensors or *.safetensors or weights.hdf5 or model.hdf5 or *weights.hdf5"
    assert said[0].endswith(f"two: expected {weights}, got ['a_weights.hdf5', 'b_weights.hdf5']")
    hint = "; of a training run or a checkpoint of bilm-tf `elmo-tf convert --format=safetensors` makes such a folder"
    assert said[1].endswith(f"none: expected {weights}, got []{hint}")
    assert said[2].endswith("no options: expected one options.json or *options.json, got []")
    assert said[3].endswith("expected one options.json or *options.json, got ['a_options.json', 'b-options.json']")


def rewritten(folder, change):
    """Changes what `options.json` holds, which must not be written back whole: `Options` would refuse some of it."""
    path = folder / "options.json"
    options = json.loads(path.read_text())
    change(options)
    path.write_text(json.dumps(options))


MISFITS = {
    "no highway": (lambda options: options["char_cnn"].pop("n_highway"), "never used: CNN_high_0/W_carry, "),
    "a layer less": (
        lambda options: options["lstm"].update(n_layers=1),
        "missing: none; never used: RNN_0/RNN/MultiRNNCell/Cell1/LSTMCell/B, ",
    ),
    "a layer more": (
        lambda options: options["lstm"].update(n_layers=3),
        "missing: RNN_0/RNN/MultiRNNCell/Cell2/LSTMCell/B, ",
    ),
    "forward only": (lambda options: options.update(bidirectional=False), "never used: RNN_1/"),
    "a filter less": (lambda options: options["char_cnn"]["filters"].pop(), "never used: CNN/W_cnn_2, CNN/b_cnn_2"),
    "no LSTM projection": (lambda options: options["lstm"].update(projection_dim=6), "Cell0/LSTMCell/W_P_0"),
    "no CNN projection": (lambda options: options["lstm"].update(projection_dim=9, dim=12), "CNN_proj/W_proj, "),
    "word ids": (lambda options: options.pop("char_cnn"), "missing: embedding; never used: CNN/W_cnn_0, "),
}


def refused(jobs, folder):
    return [str(found.get("refused")) for found in interop_models.consume("plain", jobs, folder)]


def test_options_that_do_not_fit_the_arrays_are_refused_with_the_names(tmp_path, installed):
    jobs = []
    for name, (change, _) in MISFITS.items():
        interop_models.exported(tmp_path / name, CHARACTERS)
        rewritten(tmp_path / name / "hdf5", change)
        jobs.append(interop_models.job(tmp_path / name, 3))
    for said, (_, expected) in zip(refused(jobs, tmp_path), MISFITS.values(), strict=True):
        assert said.startswith("ValueError: options do not fit; missing: ")
        assert expected in said
        assert "elmo-tf convert" not in said


def test_options_that_are_null_are_the_usual_ones(tmp_path, installed):
    embed = interop_models.exported(
        tmp_path, changed(CHARACTERS, cnn_n_highway=0, lstm_n_layers=1, cnn_max_characters_per_token=50)
    )

    def to_null(options):
        options["bidirectional"] = options["lstm"]["n_layers"] = options["char_cnn"]["n_highway"] = None
        options["char_cnn"]["max_characters_per_token"] = None

    rewritten(tmp_path / "hdf5", to_null)
    job = interop_models.job(tmp_path, 2)
    interop_models.check_same(interop_models.consume("plain", [job], tmp_path)[0], embed, job)


def test_an_older_dump_of_one_layer_is_said_to_need_a_conversion(tmp_path, installed):
    interop_models.exported(tmp_path, changed(CHARACTERS, lstm_n_layers=1))
    (tmp_path / "hdf5").rename(tmp_path / "dumped")
    with h5py.File(tmp_path / "dumped" / "weights.hdf5", "r+") as file:
        for direction in range(2):  # as dump_weights names them where there is no stack
            file.move(f"RNN_{direction}/RNN/MultiRNNCell/Cell0/LSTMCell", f"RNN_{direction}/RNN/LSTMCell")
    job = {**interop_models.job(tmp_path, 2), "folder": str(tmp_path / "dumped")}
    said = refused([job], tmp_path)[0]
    assert "missing: RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/B, " in said
    assert "never used: RNN_0/RNN/LSTMCell/B, " in said
    assert said.endswith("; `elmo-tf convert` renames them")
    convert(str(tmp_path / "dumped"), str(tmp_path / "hdf5"))
    assert refused([interop_models.job(tmp_path, 2)], tmp_path) == ["None"]


def test_a_vocabulary_of_another_size_is_refused(tmp_path, installed):
    interop_models.exported(tmp_path, WORD_INPUT)
    vocab = tmp_path / "hdf5" / "vocab.txt"
    vocab.write_text(vocab.read_text(encoding="utf-8").replace("sat\n", ""), encoding="utf-8")
    said = refused([interop_models.job(tmp_path, 3)], tmp_path)[0]
    assert "vocabulary: expected one of 11 words, by whose ids it reads, got 10" in said


def test_it_can_be_fine_tuned(tmp_path, installed):
    interop_models.exported(tmp_path, CHARACTERS, from_checkpoint=True)  # the same numbers in each run: no dead unit
    source = """
from elmo import Elmo
elmo = Elmo.from_folder("hdf5").requires_grad_(True)
elmo(*elmo.encode([["a", "cat"], ["b"]])).square().sum().backward()
print(*[name for name, weight in elmo.named_parameters() if weight.grad is None or not weight.grad.any()])
"""
    assert run_python(source, tmp_path) == []


def saving_as_shown():
    """The code by which docs/pytorch.md saves a trained model."""
    blocks = re.findall(r"(?s)```py\n(.*?)```", (ROOT / "docs" / "pytorch.md").read_text(encoding="utf-8"))
    return next(block for block in blocks if "elmo.float().state_dict()" in block)


def tuned(tmp_path, options, saving):
    """Trains the example's module in PyTorch, and saves it."""
    interop_models.exported(tmp_path, options, from_checkpoint=True)
    training = """
elmo = Elmo.from_folder("hdf5").requires_grad_(True)
before = elmo(*elmo.encode([["a", "cat"]]))
optimizer = torch.optim.SGD(elmo.parameters(), 0.02)
elmo(*elmo.encode([["a", "cat"], ["the"]])).sin().sum().backward()
optimizer.step()
print(bool((elmo(*elmo.encode([["a", "cat"]])) - before).abs().max() > 0.01))
"""
    assert in_torch(training + saving, tmp_path) == ["True"]


@pytest.mark.parametrize("options", [CHARACTERS, WORD_INPUT])
def test_what_was_trained_in_pytorch_is_a_model_of_ours_and_its_own(tmp_path, installed, options):
    tuned(tmp_path, options, saving_as_shown())
    shutil.rmtree(tmp_path / "hdf5")
    convert(str(tmp_path / "tuned"), str(tmp_path / "hdf5"))
    loaded = load_bilm(str(tmp_path / "hdf5"))
    embed = SentenceEmbedder(loaded.bilm, loaded.vocabulary)
    for folder in ("hdf5", "tuned"):
        job = {**interop_models.job(tmp_path, 3), "folder": str(tmp_path / folder)}
        interop_models.check_same(interop_models.consume("plain", [job], tmp_path)[0], embed, job)


def test_trained_weights_are_read_back_in_half_precision(tmp_path, installed):
    tuned(tmp_path, CHARACTERS, saving_as_shown().replace("float()", "half()"))
    loaded = load_bilm(str(tmp_path / "tuned"))
    job = {**interop_models.job(tmp_path, 3), "folder": str(tmp_path / "tuned")}
    found = interop_models.consume("plain", [job], tmp_path)[0]
    interop_models.check_same(found, SentenceEmbedder(loaded.bilm, loaded.vocabulary), job)


@pytest.mark.parametrize("options", [CHARACTERS, WORD_INPUT])
def test_the_mask_of_a_batch_fits_its_vectors(tmp_path, installed, options):
    interop_models.exported(tmp_path, options)
    source = """
elmo, mix = Elmo.from_folder("hdf5"), ScalarMix(3)
batch = [["The", "cat", "sat"], ["a"], []]
inputs, mask = elmo.encode(batch)
vectors = mix(elmo(inputs, mask))
means = (vectors * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)
alone = [mix(elmo(*elmo.encode([words]))).mean(1) for words in batch[:2]]
print(mask.shape == vectors.shape[:2], mask.sum(1).tolist() == [3, 1, 0])
print(torch.allclose(means[:2], torch.cat(alone), atol=1e-6), bool((vectors[~mask] == 0).all()))
kept = elmo(inputs, mask, keep_boundaries=True)
print(kept.shape[2] == inputs.shape[1], bool(kept[1, :, :3].all(-1).all()), bool((kept[1, :, 3:] == 0).all()))
try:
    elmo(inputs, torch.ones(inputs.shape[:2], dtype=torch.bool))
except ValueError as error:
    print("expected two steps less than inputs" in str(error))
"""
    assert in_torch(source, tmp_path) == ["True"] * 8


EXPORT = """
elmo = Elmo.from_folder("hdf5")
inputs, mask = elmo.encode([["The", "first", "sentence", "."], ["Another", "one"]])
batch, words = torch.export.Dim("batch"), torch.export.Dim("words")
dimensions = {"inputs": {0: batch, 1: words + 2}, "mask": {0: batch, 1: words}}
program = torch.export.export(elmo, (inputs, mask), dynamic_shapes=dimensions)
others = [[["a"]], [["a", "cat"], [], ["The", "cat", "sat", "on", "the", "mat"]], [["w" * 70] * 9] * 4]
"""
EXPORTED = [
    CHARACTERS,
    WORD_INPUT,
    changed(CHARACTERS, lstm_dim=9, lstm_projection_dim=9, bidirectional=False),
    changed(CHARACTERS, cnn_n_highway=2, lstm_cell_clip=0.2, lstm_proj_clip=0.1, lstm_use_skip_connections=False),
]


@pytest.mark.parametrize(
    "options",
    [EXPORTED[0], *map(rarely, EXPORTED[1:3]), EXPORTED[3]],
    ids=["characters", "words", "no projection, one way", "tight clips"],
)
def test_it_is_exported_with_any_number_of_sentences_and_words(tmp_path, installed, options):
    interop_models.exported(tmp_path, options, from_checkpoint=True)
    source = f"""{EXPORT}
torch.export.save(program, "elmo.pt2")
module = torch.export.load("elmo.pt2").module()
for sentences in others:
    inputs, mask = elmo.encode(sentences)
    print(torch.allclose(module(inputs, mask), elmo(inputs, mask), rtol=0, atol=1e-6))
"""
    assert in_torch(source, tmp_path) == ["True"] * 3


@pytest.mark.parametrize(
    "options",
    [*EXPORTED[:2], *map(rarely, EXPORTED[2:])],
    ids=["characters", "words", "no projection, one way", "tight clips"],
)
def test_torchscript_compiles_it_for_any_number_of_sentences_and_words(tmp_path, installed, options):
    interop_models.exported(tmp_path, options, from_checkpoint=True)
    source = """
elmo, mix = Elmo.from_folder("hdf5"), ScalarMix(3)
torch.jit.script(elmo).save("elmo.pt")
module, mixed = torch.jit.load("elmo.pt"), torch.jit.script(mix)
for sentences in ([["a"]], [["a", "cat"], [], ["The", "cat", "sat", "on", "the", "mat"]]):
    inputs, mask = elmo.encode(sentences)
    for keep in (False, True):
        layers = elmo(inputs, mask, keep)
        print(torch.allclose(module(inputs, mask, keep), layers, rtol=0, atol=1e-6))
        print(torch.equal(mixed(layers), mix(layers)))
try:
    module(inputs, torch.ones(inputs.shape[:2], dtype=torch.bool))
except torch.jit.Error as error:
    print("mask: expected two steps less than inputs, which have <S> and </S>, got " in str(error))
"""
    assert in_torch(source, tmp_path) == ["True"] * 9


@pytest.mark.parametrize("options", [CHARACTERS, WORD_INPUT], ids=["characters", "words"])
def test_onnxruntime_runs_it_with_any_number_of_sentences_and_words(tmp_path, installed, options):
    interop_models.need("onnxruntime", "onnxscript")
    interop_models.exported(tmp_path, options, from_checkpoint=True)
    source = f"""{EXPORT}
torch.onnx.export(program, (inputs, mask), "elmo.onnx", verbose=False)
import onnxruntime
session = onnxruntime.InferenceSession("elmo.onnx")
for sentences in others:
    inputs, mask = elmo.encode(sentences)
    (layers,) = session.run(None, {{"inputs": inputs.numpy(), "mask": mask.numpy()}})
    print(abs(layers - elmo(inputs, mask).numpy()).max() < 1e-5)
"""
    assert in_torch(source, tmp_path) == ["True"] * 3


@pytest.mark.parametrize("options", [CHARACTERS, WORD_INPUT])
def test_no_sentences_are_an_empty_batch(tmp_path, installed, options):
    interop_models.exported(tmp_path, options)
    source = """
elmo = Elmo.from_folder("hdf5")
inputs, mask = elmo.encode([])
layers = elmo(inputs, mask)
print(*inputs.shape[:2], *mask.shape, mask.dtype, *layers.shape, *ScalarMix(3)(layers).shape)
"""
    assert in_torch(source, tmp_path) == ["0", "2", "0", "0", "torch.bool", "0", "3", "0", "8", "0", "0", "8"]


MISTAKES = {
    'elmo.encode(["The cat sat"])': "sentences: expected a list of words for each, got a string",
    'elmo.encode("The cat")': "sentences: expected a list of words for each, got a string",
    'elmo.encode([["a"], None])': "sentences: expected a list of words for each, got None",
    'elmo.encode([["a"], [1]])': "sentences: expected words that are strings, got 1",
    'elmo.encode([["a", None]])': "sentences: expected words that are strings, got None",
    'elmo.encode([["a", b"b"]])': "sentences: expected words that are strings, got b'b'",
    'elmo.encode([[["a"]]])': "sentences: expected words that are strings, got ['a']",
    'elmo([["a"]], None)': "inputs, mask: expected the tensors that `encode` makes of sentences, got list and NoneType",
    'elmo(elmo.encode([["a"]])[0], [[True]])': (
        "inputs, mask: expected the tensors that `encode` makes of sentences, got Tensor and list"
    ),
}


@pytest.mark.parametrize("options", [CHARACTERS, WORD_INPUT])
def test_what_is_no_sentence_or_no_batch_is_refused(tmp_path, installed, options):
    interop_models.exported(tmp_path, options)
    source = f"""
elmo = Elmo.from_folder("hdf5")
for mistake in {list(MISTAKES)!r}:
    try:
        eval(mistake)
    except TypeError as error:
        print(str(error).replace(" ", "_"))
"""
    assert in_torch(source, tmp_path) == [sentence.replace(" ", "_") for sentence in MISTAKES.values()]


def test_sentences_that_come_once_are_encoded(tmp_path, installed):
    interop_models.exported(tmp_path, CHARACTERS)
    source = """
elmo, sentences = Elmo.from_folder("hdf5"), [["a", "cat"], ["b"]]
inputs, mask = elmo.encode(iter(words) for words in sentences)
print(inputs.equal(elmo.encode(sentences)[0]), mask.equal(elmo.encode(sentences)[1]))
"""
    assert in_torch(source, tmp_path) == ["True", "True"]


def test_a_folder_that_is_missing_and_models_of_other_forms_are_refused(tmp_path, installed):
    trained_folder(tmp_path / "run", CHARACTERS)
    convert(str(tmp_path / "run"), str(tmp_path / "tf1"), settings=ConvertSettings("tf1"))
    jobs = []
    for name in ("nope", "run", "tf1", "run/options.json"):
        output = str(tmp_path / f"{name.replace('/', '_')}.npz")
        jobs.append({**interop_models.job(tmp_path, 3), "folder": str(tmp_path / name), "output": output})
    missing, *others = refused(jobs, tmp_path)
    assert missing == f"FileNotFoundError: {tmp_path / 'nope'}: no such folder"
    for said in others:
        assert "expected one model.safetensors or *.safetensors or weights.hdf5 " in said
        assert "`elmo-tf convert --format=safetensors` makes such a folder" in said


@pytest.mark.parametrize("name", ["weights.hdf5", "elmo_2x6_weights.hdf5", "other.safetensors"])
def test_the_file_of_weights_itself_may_be_given(tmp_path, installed, name):
    embed = interop_models.exported(tmp_path, CHARACTERS)
    folder = tmp_path / "hdf5"
    if name.endswith(".safetensors"):
        safetensors_numpy().save_file(read_arrays(str(folder / "weights.hdf5")), folder / name)
    else:
        (folder / "weights.hdf5").rename(folder / name)
        (folder / "options.json").rename(folder / name.replace("weights.hdf5", "options.json"))
    (folder / "model.safetensors").write_bytes(b"of another model")
    job = {**interop_models.job(tmp_path, 3), "folder": str(folder / name)}
    interop_models.check_same(interop_models.consume("plain", [job], tmp_path)[0], embed, job)


def test_half_precision_autocast_and_compilation_give_the_same_vectors(tmp_path, installed):
    interop_models.exported(tmp_path, changed(CHARACTERS, cnn_n_highway=2), from_checkpoint=True)
    source = """
sentences = [["The", "cat", "sat"], ["a"]]
elmo, mix = Elmo.from_folder("hdf5"), ScalarMix(3)
inputs, mask = elmo.encode(sentences)
exact = elmo(inputs, mask)
for dtype, tolerance in ((torch.float16, 0.005), (torch.bfloat16, 0.04)):
    with torch.autocast("cpu", dtype):
        print(bool((elmo(inputs, mask).float() - exact).abs().max() < tolerance))
    low = Elmo.from_folder("hdf5").to(dtype)(inputs, mask)
    print(low.dtype == dtype and bool((low.float() - exact).abs().max() < tolerance), mix(low).dtype == dtype)
compiled = torch.compile(elmo.requires_grad_(True), backend="eager")
layers = compiled(inputs, mask)
layers.square().sum().backward()
print(bool((layers - exact).abs().max() < 1e-6), all(weight.grad is not None for weight in elmo.parameters()))
"""
    assert in_torch(source, tmp_path) == ["True"] * 8


def test_it_imports_nothing_of_ours_and_readers_only_where_they_are_used():
    tree = ast.parse(EXAMPLE.read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    at_the_top = {ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)}
    assert not [name for name in names if name.split(".")[0] in ("elmo_tf", "tensorflow", "keras", "allennlp")]
    assert {"h5py", "safetensors.torch"} <= names
    assert not [line for line in at_the_top if "h5py" in line or "safetensors" in line]
