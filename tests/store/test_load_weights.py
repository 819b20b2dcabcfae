"""The arrays of a file become a model's weights by their names, whatever their order and their content."""

import collections

import numpy as np
import pytest
from model_cases import CASES, CHARACTERS, WORD_INPUT, filled, weights_of
from model_folders import trained_folder

from elmo_tf.elmo.elmo_layer import ElmoLayer
from elmo_tf.errors import InputError
from elmo_tf.formats.arrays import Arrays
from elmo_tf.models.bilm import BiLM
from elmo_tf.models.language_model import LanguageModel
from elmo_tf.models.weight_names import named_variables, weight_places
from elmo_tf.store.load_weights import initial_weights, load_weights

KERNEL = "RNN_1/RNN/MultiRNNCell/Cell0/LSTMCell/W_0"


def counted(arrays):
    """The arrays, and how often each was read."""
    reads = collections.Counter()

    def read(name):
        reads[name] += 1
        return arrays[name]

    return Arrays("weights", {name: array.shape for name, array in arrays.items()}, read), reads


def are_equal(model, wanted):
    came = weights_of(model)
    assert set(came) <= set(wanted)
    for name, array in came.items():
        np.testing.assert_array_equal(array, wanted[name], err_msg=name)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", [BiLM, LanguageModel])
def test_every_weight_has_the_array_of_its_name_read_once(name, kind):
    weights = weights_of(filled(LanguageModel(CASES[name])))
    arrays, reads = counted(dict(reversed(weights.items())))
    model = kind(CASES[name])
    load_weights(model, arrays)
    are_equal(model, weights)
    assert reads == collections.Counter(list(named_variables(model)))


def test_arrays_that_begin_alike_are_not_confused():
    weights = weights_of(filled(BiLM(CHARACTERS)))
    for array in weights.values():
        array[...] = 0.5
        array.reshape(-1)[-1] = np.random.default_rng(array.size).uniform()
    weights[KERNEL] += 1
    arrays, _ = counted(weights)
    model = BiLM(CHARACTERS)
    load_weights(model, arrays)
    are_equal(model, weights)


def test_layers_that_are_built_in_another_order_have_their_own_arrays():
    weights = weights_of(filled(BiLM(CHARACTERS)))
    arrays, reads = counted(weights)
    model = BiLM(CHARACTERS)
    with initial_weights(model, arrays):
        for stack in reversed(model.stacks):
            stack.build((None, None, 4))
        model.encoder.build(None)
    are_equal(model, weights)
    assert set(reads.values()) == {1}


def test_a_layer_built_later_has_initial_values_of_its_own():
    weights = weights_of(filled(BiLM(CHARACTERS)))
    model = BiLM(CHARACTERS)
    with initial_weights(model, counted(weights)[0]):
        model.encoder.build(None)
    assert all(place.layer.initial_value is None for place in weight_places(model).values())
    model.stacks[1].build((None, None, 4))
    assert np.abs(model.stacks[1].layers[0].kernel.numpy() - weights[KERNEL]).max() > 1e-3


def test_an_array_that_is_not_finite_is_refused_by_name_and_the_layers_forget_the_file():
    weights = weights_of(filled(BiLM(CHARACTERS)))
    weights[KERNEL][-1, -1] = np.nan
    model = BiLM(CHARACTERS)
    with pytest.raises(InputError, match=f"weights: array {KERNEL} holds numbers that are not finite"):
        load_weights(model, counted(weights)[0])
    assert all(place.layer.initial_value is None for place in weight_places(model).values())


def test_a_model_that_is_built_is_refused():
    model = filled(BiLM(CHARACTERS))
    with pytest.raises(ValueError, match="model: expected one that is not built yet"):
        load_weights(model, counted(weights_of(model))[0])


@pytest.mark.parametrize(("dtype", "of_variables"), [("float64", "float64"), ("mixed_bfloat16", "float32")])
def test_weights_have_the_dtype_of_the_model(dtype, of_variables):
    weights = weights_of(filled(BiLM(CHARACTERS)))
    model = BiLM(CHARACTERS, dtype=dtype)
    load_weights(model, counted(weights)[0])
    assert {variable.dtype.name for variable in named_variables(model).values()} == {of_variables}
    are_equal(model, weights)


@pytest.mark.parametrize("case", [CHARACTERS, WORD_INPUT], ids=["characters", "word input"])
def test_a_pretrained_layer_makes_each_variable_once_and_reads_it_into_its_own_model(tmp_path, monkeypatch, case):
    weights = trained_folder(tmp_path / "model", case)["best"]
    made = []
    build = BiLM.build
    monkeypatch.setattr(BiLM, "build", lambda self, *shape: made.append(self) or build(self, *shape))
    layer = ElmoLayer.from_pretrained(tmp_path / "model")
    assert made == [layer.bilm]
    are_equal(layer.bilm, weights)
