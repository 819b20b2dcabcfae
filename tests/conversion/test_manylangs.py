"""Models of ELMoForManyLangs are described; what cannot be done with them is one sentence."""

import hashlib
import pathlib

import numpy as np
import pytest
from manylangs_models import CHARACTERS, WORDS, changed, random_model, write_model
from refusals import refused

from elmo_tf.conversion.convert import convert
from elmo_tf.conversion.inspection import inspect
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.options import Options
from elmo_tf.store.model_location import check_for_training
from elmo_tf.training.warm_start import warm_start


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a model."""
    return pathlib.Path(write_model(tmp_path_factory.mktemp("manylangs") / "xx", random_model()))


def test_a_model_is_described_and_nothing_is_odd(folder):
    found = inspect(str(folder))
    assert found.facts["form"] == "folder of ELMoForManyLangs"
    assert found.facts["sha256"] == hashlib.sha256((folder / "encoder.pkl").read_bytes()).hexdigest()
    assert found.facts["input"] == (
        f"{len(WORDS)} whole words of size 5 and {len(CHARACTERS)} Unicode characters of size 4, 9 a word; relu "
        "filters 3 of width 1, 4 of width 2, 5 of width 4; 2 highway layers"
    )
    assert found.facts["LSTM"].startswith("2 layers of 10, projected to 6, forward and backward, skip connections")
    model = random_model()
    numbers = sum(array.size for array in (*model.tokens.values(), *model.encoder.values()))
    assert found.facts["parameters"] == f"{numbers:,}, no softmax"
    assert sum(int(np.prod(shape)) for shape in found.arrays.values()) == numbers
    assert found.facts["vocabulary"] == f"{len(WORDS)} words"
    assert set(found.consumers.values()) == {"no: only ELMoForManyLangs has its token encoder"}
    assert found.oddities == ()
    assert found.describe().endswith("nothing odd")


def test_a_model_of_characters_and_one_layer_is_described(tmp_path):
    configuration = changed(encoder={"n_layers": 1}, token_embedder={"word_dim": 0})
    found = inspect(write_model(tmp_path / "xx", random_model(configuration)))
    assert found.facts["input"].startswith(f"{len(CHARACTERS)} Unicode characters of size 4")
    assert found.oddities == ()


def test_an_array_of_zeros_is_odd(tmp_path):
    model = random_model()
    model.tokens["projection.weight"][:] = 0
    assert inspect(write_model(tmp_path / "xx", model)).oddities == ("array CNN_proj/W_proj is all zeros",)


def test_what_needs_the_architecture_of_bilm_tf_is_refused(folder, tmp_path):
    start = f"{folder}: a model of ELMoForManyLangs gives vectors alone; elmo_tf cannot "
    for form in ("hdf5", "safetensors"):
        assert refused(convert, str(folder), str(tmp_path / form)).startswith(f"{start}convert it, for it has another")
        assert not (tmp_path / form).exists()
    options = Options.from_dict({"lstm": {"dim": 10, "projection_dim": 6, "n_layers": 2}, "n_tokens_vocab": 4})
    vocabulary = Vocabulary(("<S>", "</S>", "<UNK>", "a"))
    said = refused(warm_start, {}, options, vocabulary, str(folder))
    assert said.startswith(f"{start}train it, for it has another token encoder")


def test_a_run_does_not_begin_in_its_folder(folder):
    assert refused(check_for_training, str(folder)) == (
        f"--model_dir={folder} holds a model of ELMoForManyLangs, which cannot be trained: give a new folder"
    )
