"""The arrays of a step: flattened and restored, and their signature."""

import itertools

import pytest
import tensorflow as tf
from stream_cases import INPUTS, options_of

from elmo_tf.data.training_stream import StreamSettings, TrainingStream
from elmo_tf.training.step_input import flatten_step, signature, unflatten_step


def stream_of(made, by_characters):
    return TrainingStream(*made, options_of(by_characters), StreamSettings(4, parts=2, negatives=3))


@INPUTS
def test_the_arrays_of_a_step_have_a_fixed_order_and_make_it_up_again(made, by_characters):
    step, _ = next(iter(stream_of(made, by_characters)))
    arrays = flatten_step(step)
    assert arrays[0] is step.negatives
    assert arrays[1] is step.tries
    assert all(array is same for array, same in zip(arrays[2:], [*step.windows[0], *step.windows[1]], strict=True))
    again = unflatten_step(arrays)
    assert again.negatives is step.negatives
    assert again.tries is step.tries
    assert len(again.windows) == 2
    for window, same in zip(again.windows, step.windows, strict=True):
        assert all(getattr(window, name) is getattr(same, name) for name in same._fields)


def test_arrays_that_make_up_no_step_are_refused(made):
    arrays = flatten_step(next(iter(stream_of(made, True)))[0])
    with pytest.raises(TypeError, match="begins"):
        unflatten_step(arrays[:-1])


@INPUTS
def test_the_signature_is_that_of_every_step_and_leaves_the_words_alone_open(made, by_characters):
    stream = stream_of(made, by_characters)
    arrays = flatten_step(next(iter(stream))[0])
    specs = signature(arrays)
    assert specs == signature([tf.constant(array) for array in arrays])
    for number, (spec, array) in enumerate(zip(specs, arrays, strict=True)):
        of_words = number in (2, 6)  # the first of each part's four
        assert spec.shape.as_list() == ([None] * array.ndim if of_words else list(array.shape))
    for other, _ in itertools.islice(stream, 20):
        assert all(
            spec.is_compatible_with(tf.constant(array)) for spec, array in zip(specs, flatten_step(other), strict=True)
        )
