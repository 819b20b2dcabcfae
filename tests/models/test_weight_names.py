"""The names of all weights, in a fixed order, with the shapes that bilm-tf and AllenNLP write."""

import math

import pytest
from hdf5_files import read_arrays, read_weights
from model_cases import CASES, CHARACTERS, changed

from elmo_tf.errors import InputError
from elmo_tf.formats.array_checks import check_shapes
from elmo_tf.models.bilm import BiLM
from elmo_tf.models.language_model import LanguageModel
from elmo_tf.models.weight_names import expected_shapes, named_variables
from elmo_tf.options import CharCnnOptions, LstmOptions, Options

FILTERS = ((1, 32), (2, 32), (3, 64), (4, 128), (5, 256), (6, 512), (7, 1024))


def built(model):
    model.build()
    return model


@pytest.mark.parametrize("case", CASES)
def test_the_names_of_a_model_are_those_expected_of_its_options(case):
    options = Options.from_dict(CASES[case])
    for model, softmax in ((BiLM(options), False), (LanguageModel(options), True)):
        named = named_variables(built(model))
        expected = expected_shapes(options, softmax)
        assert {name: tuple(variable.shape) for name, variable in named.items()} == expected
        assert list(named) == list(expected)


@pytest.mark.parametrize("case", CASES)
def test_every_weight_has_one_name(case):
    model = built(LanguageModel(CASES[case]))
    named = {id(variable) for variable in named_variables(model).values()}
    assert named == {id(weight.value) for weight in model.weights}
    assert len(named) == len(named_variables(model))


def test_the_names_are_those_of_the_files():
    names = list(expected_shapes(Options.from_dict(changed(CHARACTERS, lstm_n_layers=1)), softmax=True))
    cell = "RNN/MultiRNNCell/Cell0/LSTMCell"
    assert names == [
        "char_embed",
        *(f"CNN/{part}_cnn_{i}" for i in range(3) for part in "Wb"),
        *(f"CNN_high_0/{part}" for part in ("W_carry", "b_carry", "W_transform", "b_transform")),
        "CNN_proj/W_proj",
        "CNN_proj/b_proj",
        *(f"RNN_{direction}/{cell}/{part}" for direction in (0, 1) for part in ("W_0", "B", "W_P_0")),
        "softmax/W",
        "softmax/b",
    ]


@pytest.mark.parametrize(
    ("dim", "projection_dim", "n_highway", "parameters"),
    [(1024, 128, 1, 13_593_296), (2048, 256, 1, 28_027_728), (4096, 512, 2, 93_600_848)],
)
def test_the_published_models_have_their_published_numbers_of_parameters(dim, projection_dim, n_highway, parameters):
    options = Options(LstmOptions(dim, projection_dim, n_layers=2), CharCnnOptions(FILTERS, 16, n_highway=n_highway))
    assert sum(math.prod(shape) for shape in expected_shapes(options).values()) == parameters


def test_the_softmax_of_the_original_has_its_number_of_parameters():
    options = Options(LstmOptions(4096, 512, n_layers=2), CharCnnOptions(FILTERS, n_highway=2), n_tokens_vocab=793_471)
    shapes = expected_shapes(options, softmax=True)
    softmax = {name: shape for name, shape in shapes.items() if name.startswith("softmax/")}
    assert sum(math.prod(shape) for shape in softmax.values()) == 407_050_623
    assert len(shapes) - len(softmax) == len(expected_shapes(options))


def test_every_file_of_the_reference_data_has_exactly_the_expected_names(shared):
    found = sorted(shared.glob("parity/**/weights.hdf5"))
    assert len(found) >= 5
    for path in found:
        beside = path.parent / "options.json"
        options = Options.from_file(str(beside if beside.is_file() else path.parent / "checkpoint" / "options.json"))
        arrays = read_weights(str(path), expected_shapes(options))
        assert arrays.keys() == expected_shapes(options).keys()
        assert arrays.keys() == read_arrays(str(path)).keys()


SHAPES = {"char_embed": (261, 4), "CNN/b_cnn_0": (3,)}


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"char_embed": (261, 4)}, ["CNN/b_cnn_0", "missing", "(3,)"]),
        ({**SHAPES, "char_embed": (262, 4)}, ["char_embed", "(261, 4)", "(262, 4)"]),
        ({**SHAPES, "CNN/b_cnn_0": (3, 1)}, ["CNN/b_cnn_0", "(3,)", "(3, 1)"]),
        ({**SHAPES, "CNN/b_cnn_1": (3,)}, ["CNN/b_cnn_1", "no place"]),
    ],
)
def test_a_wrong_set_of_arrays_is_one_sentence_that_names_the_array(found, words):
    with pytest.raises(InputError) as caught:
        check_shapes(SHAPES, found, "some.hdf5")
    message = str(caught.value)
    assert message.startswith("some.hdf5: array ")
    assert "\n" not in message
    for word in words:
        assert word in message


def test_names_that_may_be_there_are_not_looked_at():
    check_shapes(SHAPES, {**SHAPES, "softmax/W": (9, 9)}, "some.hdf5", extra=["softmax/W"])
