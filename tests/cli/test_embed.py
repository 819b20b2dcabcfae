"""`elmo-tf embed` and `merge`: every flag arrives, mistakes are one sentence, pipes and terminals get their share."""

import dataclasses
import io
import json
import pathlib
import shutil
import sys

import h5py
import numpy as np
import pytest
from model_folders import trained_folder

from elmo_tf.bulk.saved_mix import read_mix
from elmo_tf.bulk.settings import EmbedSettings
from elmo_tf.cli.embed import define_flags
from elmo_tf.cli.flags import FlagSet
from elmo_tf.cli.main import main
from elmo_tf.inference.sentence_embedder import SentenceEmbedder
from elmo_tf.store.load_model import load_bilm

TEXT = "the cat sat on the mat .\n\nøl\na zebra sat\nand / or\n"
SENTENCES = [line.split() for line in TEXT.splitlines()]
EARLIER = pathlib.Path(__file__).parents[1] / "earlier_files" / "tagger.keras"
EMBED = "embed --model_dir=model --input_file=text.txt --output_file=out"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A folder with a model, not to be changed, and its vectors of every sentence."""
    folder = tmp_path_factory.mktemp("stored") / "model"
    trained_folder(folder, latest=False)
    loaded = load_bilm(folder)
    return folder, SentenceEmbedder(loaded.bilm, loaded.vocabulary)(SENTENCES)


@pytest.fixture
def here(model, tmp_path, monkeypatch):
    """A folder to stand in, with the model and text.txt."""
    shutil.copytree(model[0], tmp_path / "model")
    (tmp_path / "text.txt").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ran(capsys, line):
    assert main(line.split()) == 0
    return capsys.readouterr()


def is_refused(capsys, line, message, code=1):
    assert main(line.split()) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert message in said.err


def lines_of(text):
    """The token and the numbers of every line."""
    parts = [line.split("\t") for line in text.splitlines() if line]
    return [token for token, _ in parts], np.array([numbers.split() for _, numbers in parts], np.float32)


def test_a_pipe_gets_a_token_a_line_and_nothing_else(here, model, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    line = "embed --model_dir=model --input_file=- --output_file=- --output_format=txt --layers=top"
    said = ran(capsys, line)
    tokens, numbers = lines_of(said.out)
    assert tokens == TEXT.split()
    np.testing.assert_allclose(numbers, np.concatenate([layers[2] for layers in model[1]]), rtol=0, atol=1e-6)
    assert said.err == "standard output: 5 lines, 14 tokens, from model/best/ckpt-8\n"


def test_every_flag_arrives(here, model, capsys):
    (here / "more.txt").write_text("the cat\n")
    line = (
        "embed --model_dir=model --input_file=t*.txt,more.txt --output_file=out --layers=0,2 --pooling=max "
        "--dtype=float16 --compression=gzip --keys=sentence --batch_tokens=50 --block_bytes=16"
    )
    assert ran(capsys, line).out == "out: 6 lines, 16 tokens, from model/best/ckpt-8\n"
    with h5py.File("out") as file:
        assert list(file) == ["the cat sat on the mat .", " ", "øl", "a zebra sat", "and %2F or", "the cat"]
        vectors = file["a zebra sat"]
        assert vectors.compression == "gzip"
        assert vectors.dtype == np.float16
        np.testing.assert_allclose(vectors[...], model[1][3][[0, 2]].max(1), rtol=0, atol=1e-3)
    ran(capsys, f"{EMBED} --overwrite --sentence_to_index --keep_boundaries")
    with h5py.File("out") as file:
        assert json.loads(file["sentence_to_index"][0])["a zebra sat"] == "3"
        assert file["1"].shape == (3, 2, 8)


def test_words_are_looked_up_and_cached_and_precision_is_chosen(here, model, capsys):
    (here / "words.txt").write_text("the\ncat\n")
    ran(capsys, "tokens --model_dir=model --words_file=words.txt --output_file=words.hdf5")
    for flags in ("--vocab_to_cache=words.hdf5", "--vocab_to_cache=words.txt --word_cache=2"):
        ran(capsys, f"{EMBED} --overwrite {flags}")
        with h5py.File("out") as file:
            for number, layers in enumerate(model[1]):
                np.testing.assert_allclose(file[str(number)], layers, rtol=0, atol=1e-6)
    ran(capsys, f"{EMBED} --overwrite --precision=bfloat16 --vocab_to_cache=words.hdf5")
    with h5py.File("out") as file:
        difference = np.abs(file["0"][...] - model[1][0]).max()
    assert 1e-4 < difference < 0.05
    is_refused(capsys, f"{EMBED} --overwrite --vocab_to_cache=text.txt --layers=9", "layers: expected numbers")


@pytest.mark.parametrize("flags", ["--mix_weights=0.2,0.5,0.3,2", f"--mix_from={EARLIER}"])
def test_a_mix_is_given_or_taken_from_a_saved_model(here, model, capsys, flags):
    ran(capsys, f"{EMBED} --layers=mix {flags}")
    shares = [0.4, 1.0, 0.6]
    if "keras" in flags:
        *shares, gamma = read_mix(EARLIER)
        shares = np.array(shares) * gamma
    with h5py.File("out") as file:
        np.testing.assert_allclose(file["0"], np.einsum("l,ltd->td", shares, model[1][0]), rtol=0, atol=1e-6)


def test_conllu_gives_its_words(here, capsys):
    trees = "# text = øl sat\n1\tøl\t_\t_\t_\t_\t_\t_\t_\t_\n2\tsat\t_\t_\t_\t_\t_\t_\t_\t_\n\n"
    (here / "trees.conllu").write_text(trees * 2)
    line = "embed --model_dir=model --input_file=trees.conllu --output_file=out --input_format=conllu"
    assert ran(capsys, line).out == "out: 2 lines, 4 tokens, from model/best/ckpt-8\n"


def test_shares_are_merged_to_the_bytes_of_one_run(here, capsys):
    ran(capsys, f"{EMBED} --block_bytes=16")
    for number in range(3):
        line = f"embed --model_dir=model --input_file=text.txt --output_file=shares/{number}.hdf5 --block_bytes=16"
        ran(capsys, f"{line} --num_shards=3 --shard_index={number}")
    said = ran(capsys, "merge --input_files=shares/* --output_file=merged")
    assert said.out == "merged: 5 lines, 14 tokens\n"
    assert (here / "merged").read_bytes() == (here / "out").read_bytes()
    is_refused(capsys, "merge --input_files=shares/* --output_file=merged", "--output_file=merged exists; give --overw")
    is_refused(capsys, "merge --input_files=none/* --output_file=m", "--input_files=none/*: no such file")
    (here / "shares" / "1.hdf5").unlink()
    is_refused(capsys, "merge --input_files=shares/* --output_file=m", "shares missing: 1")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"{EMBED} --layers=5", "layers: expected numbers from 0 to 2"),
        (f"{EMBED} --layers=mix", "layers: expected mix with mix_weights or mix_from, got neither"),
        (f"{EMBED} --layers=mix --mix_from=none.keras", "--mix_from=none.keras cannot be read: No such file"),
        (f"{EMBED} --vocab_to_cache=absent", "--vocab_to_cache=absent cannot be read: No such file"),
        (f"{EMBED} --engine=ray", "output_format: expected parquet with Ray, got hdf5"),
        (f"{EMBED} --engine=ray --num_shards=2", "--num_shards=2: expected 1 with --engine=ray"),
        (f"{EMBED} --compression=zstd", "compression: expected none or gzip or lzf with the output format hdf5"),
        (f"{EMBED} --num_shards=2 --shard_index=2", "shard_index: expected a number from 0 to 1, got 2"),
        (
            "embed --model_dir=model --input_file=text.txt --output_file=-",
            "output_file: expected the output format txt",
        ),
        (
            "embed --model_dir=model --input_file=text.txt --output_file=/dev/null",
            "--output_file=/dev/null is a device",
        ),
    ],
)
def test_what_does_not_fit_is_one_sentence(here, capsys, line, message):
    is_refused(capsys, line, message)
    assert sorted(path.name for path in here.iterdir()) == ["model", "text.txt"]


def test_an_output_that_exists_is_replaced_where_that_is_asked_for(here, capsys):
    (here / "out").write_text("old")
    is_refused(capsys, EMBED, "--output_file=out exists; give --overwrite to replace it")
    assert (here / "out").read_text() == "old"
    ran(capsys, f"{EMBED} --overwrite")
    with h5py.File("out") as file:
        assert len(file) == 5


class Terminal(io.StringIO):
    """Standard error where it is a terminal."""

    def isatty(self):
        return True


def test_a_terminal_sees_the_share_and_the_speed_and_the_output_none_of_it(here, capsys, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert main(f"{EMBED} --block_bytes=16".split()) == 0
    shown = terminal.getvalue()
    size = (here / "text.txt").stat().st_size
    assert f"/{size}" in shown
    assert "tokens/s: " in shown
    assert capsys.readouterr().out == "out: 5 lines, 14 tokens, from model/best/ckpt-8\n"


def test_the_flags_are_the_settings_of_the_library():
    flag_set = FlagSet()
    define_flags(flag_set)
    for field in dataclasses.fields(EmbedSettings):
        assert flag_set.values[field.name].default == field.default
