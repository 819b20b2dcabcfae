"""Wrong arguments of `ElmoLayer` are one clear error each."""

import pathlib
import re

import pytest
from model_cases import CHARACTERS

from elmo_tf.elmo.elmo_layer import ElmoLayer

WRONG_ARGUMENTS = [
    ({"output": "last"}, "output: expected one of"),
    ({"num_mixes": 0}, "num_mixes: expected a number from 1, got 0"),
    ({"output": "top", "num_mixes": 2}, "num_mixes: expected with output='mix' alone"),
    ({"output": "all", "l2": 0.1}, "l2: expected with output='mix' alone"),
    ({"output": "concat", "layer_norm": "token"}, "layer_norm: expected with output='mix' alone"),
    ({"scalar_mix_init": [1, 2]}, "scalar_mix_init: expected 3 numbers"),
    ({"pooling": "sum"}, "pooling: expected None or one of .*, got 'sum'"),
    ({"vocabulary": ["a"]}, "vocabulary: expected None, for the model reads characters"),
    ({"vocab_to_cache": "abc"}, "vocab_to_cache: expected a list of words, got the text 'abc'"),
    ({"vocab_to_cache": ["a"], "trainable": True}, "vocab_to_cache: expected None where the biLM is trained"),
    ({"vocab_to_cache": ["a", ""]}, "expected strings that are not empty"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG_ARGUMENTS)
def test_wrong_arguments_are_one_clear_error(arguments, message):
    with pytest.raises(ValueError, match=message):
        ElmoLayer(CHARACTERS, **arguments)


@pytest.mark.parametrize("trainable", ["yes", None, "False"])
def test_trainable_is_true_or_false(trainable):
    with pytest.raises(ValueError, match=f"trainable: expected True or False, got {trainable!r}"):
        ElmoLayer(CHARACTERS, trainable=trainable)
    assert ElmoLayer(CHARACTERS, trainable=1).get_config()["trainable"] is True


@pytest.mark.parametrize("path", ["hdf5", pathlib.Path("hdf5")])
def test_a_path_for_options_is_refused_and_from_pretrained_is_named(path):
    expected = "options: expected a JSON object, got 'hdf5'; a model's path goes to ElmoLayer.from_pretrained"
    with pytest.raises(ValueError, match=re.escape(expected)):
        ElmoLayer(path)
