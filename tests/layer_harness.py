"""One check for every Keras layer: that it does all that Keras expects of a layer.

`check_layer` builds the layer and calls it symbolically, eagerly and in a `tf.function`. It then checks its
configuration, its gradients, a `.keras` file, a weights file, and the dtype policies.
"""

import inspect
import json

import keras
import numpy as np
import tensorflow as tf

TOLERANCE = 1e-5
"""The largest difference between results in float32 and in float64, for values near 1."""


def flat(structure):
    """The leaves of a nested result, as arrays."""
    return [np.asarray(leaf) for leaf in tf.nest.flatten(structure)]


def symbolic(array, n_free=1):
    """Makes a `keras.Input` of the array's dtype and shape, with the first `n_free` dimensions unknown."""
    shape = [None if axis < n_free else size for axis, size in enumerate(array.shape)]
    return keras.Input(batch_shape=shape, dtype=tf.as_dtype(array.dtype).name)


def agrees(static, actual):
    """Whether an actual shape fits a static one, in which None is an unknown size."""
    return len(static) == len(actual) and all(one in (None, other) for one, other in zip(static, actual, strict=True))


def randomise_weights(layer, seed=0):
    """Sets every weight to random values that are the same in each run, so that no bias stays zero."""
    random = np.random.default_rng(seed)
    for weight in layer.weights:
        weight.assign(random.uniform(-0.7, 0.7, weight.shape))
    return layer


def check_layer(cls, config, inputs, arguments=None, n_weights=None, tmp_path=None, without_gradient=()):
    """Fails if the layer does not do what Keras expects.

    Args:
        cls: the layer's class.
        config: its constructor's arguments.
        inputs: the first argument of a call, an array.
        arguments: further arguments of a call by name: arrays, nested as the layer wants them.
        n_weights: how many weights it has.
        tmp_path: a folder for files.
        without_gradient: names of weights that have no gradient with these arguments.
    """
    arguments = arguments or {}
    layer = cls(**config, name="tested")
    check_symbolic_call(layer, inputs, arguments)
    randomise_weights(layer)
    outputs = layer(inputs, **arguments)
    assert len(layer.weights) == n_weights
    assert len({weight.path for weight in layer.weights}) == n_weights
    check_config(cls, config, layer)
    check_output_shape(layer, inputs, outputs)
    check_function(layer, inputs, arguments, outputs)
    check_gradient(layer, inputs, arguments, without_gradient)
    check_files(cls, config, layer, inputs, arguments, outputs, tmp_path)
    check_float64(cls, config, layer, inputs, arguments, outputs)
    check_mixed(cls, config, inputs, arguments)


def check_symbolic_call(layer, inputs, arguments):
    """Checks that a symbolic call has the shapes and dtypes of a call with numbers, also for unknown rows, steps."""
    for n_free in (0, 1, 2):
        placeholders = tf.nest.map_structure(lambda array: symbolic(array, n_free), arguments)  # noqa: B023
        promised = tf.nest.flatten(layer(symbolic(inputs, n_free), **placeholders))
        came = tf.nest.flatten(layer(inputs, **arguments))
        assert len(promised) == len(came)
        for one, other in zip(promised, came, strict=True):
            assert agrees(one.shape, other.shape), (n_free, one.shape, other.shape)
            assert one.dtype == other.dtype.name


def check_config(cls, config, layer):
    """Checks that `get_config` holds every argument of the constructor, is JSON, and makes the same layer."""
    found = layer.get_config()
    arguments = [name for name in inspect.signature(cls.__init__).parameters if name not in ("self", "kwargs")]
    assert set(arguments) <= set(found)
    assert set(config) <= set(found)
    again = cls.from_config(json.loads(json.dumps(found)))
    assert again.get_config() == found
    assert again.name == layer.name


def check_output_shape(layer, inputs, outputs):
    """Checks that `compute_output_shape` returns the shapes of the outputs."""
    if type(layer).compute_output_shape is keras.layers.Layer.compute_output_shape:
        return
    promised = layer.compute_output_shape(inputs.shape)
    shapes = [tuple(leaf.shape) for leaf in tf.nest.flatten(outputs)]
    assert list(shapes_in(promised)) == shapes


def shapes_in(structure):
    """Yields the shapes in a nested structure, in which a shape is a flat tuple of numbers."""
    if all(isinstance(size, int) for size in structure):
        yield tuple(structure)
    else:
        for part in structure:
            yield from shapes_in(part)


def check_function(layer, inputs, arguments, outputs):
    """Checks that a `tf.function` with unknown sizes returns the numbers of the eager call."""
    traced = tf.function(lambda inputs, arguments: layer(inputs, **arguments), reduce_retracing=True)
    specs = tf.nest.map_structure(
        lambda array: tf.TensorSpec([None] * (array.ndim - 1) + list(array.shape[-1:]), array.dtype), arguments
    )
    spec = tf.TensorSpec([None] * (inputs.ndim - 1) + [inputs.shape[-1]], inputs.dtype)
    for came in (traced.get_concrete_function(spec, specs)(inputs, arguments), traced(inputs, arguments)):
        for one, other in zip(flat(came), flat(outputs), strict=True):
            np.testing.assert_allclose(one, other, atol=TOLERANCE)


def check_gradient(layer, inputs, arguments, without_gradient):
    """Checks that every trainable weight gets a finite gradient from a random combination of the floating outputs."""
    if not layer.trainable_weights:
        return
    random = np.random.default_rng(1)
    with tf.GradientTape() as tape:
        leaves = [leaf for leaf in tf.nest.flatten(layer(inputs, **arguments)) if leaf.dtype.is_floating]
        loss = tf.add_n([tf.reduce_sum(leaf * random.normal(size=leaf.shape)) for leaf in leaves])
    gradients = tape.gradient(loss, [weight.value for weight in layer.trainable_weights])
    for weight, gradient in zip(layer.trainable_weights, gradients, strict=True):
        if weight.name in without_gradient:
            continue
        assert gradient is not None, weight.path
        gradient = tf.convert_to_tensor(gradient).numpy()
        assert np.isfinite(gradient).all(), weight.path
        assert np.any(gradient), weight.path


def check_files(cls, config, layer, inputs, arguments, outputs, tmp_path):
    """Checks that a model with the layer gives the same bits after a `.keras` file and after a `.weights.h5` file."""
    placeholders = tf.nest.map_structure(symbolic, arguments)
    first = symbolic(inputs)
    model = keras.Model([first, *tf.nest.flatten(placeholders)], layer(first, **placeholders))
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    everything = [inputs, *tf.nest.flatten(arguments)]
    loaded = keras.models.load_model(tmp_path / "model.keras")
    other_layer = cls(**config, name="tested")
    other = keras.Model([first, *tf.nest.flatten(placeholders)], other_layer(first, **placeholders))
    other.load_weights(tmp_path / "model.weights.h5")
    for again in (loaded, other):
        for one, two in zip(flat(again(everything)), flat(outputs), strict=True):
            np.testing.assert_array_equal(one, two)


def check_float64(cls, config, layer, inputs, arguments, outputs):
    """Checks that the same weights give the same numbers with `dtype="float64"`; booleans stay booleans."""
    wide = cls(**config, dtype="float64")
    wide(inputs, **arguments)
    wide.set_weights(layer.get_weights())
    for one, other in zip(flat(wide(inputs, **arguments)), flat(outputs), strict=True):
        assert one.dtype == (other.dtype if other.dtype == bool else np.float64)
        np.testing.assert_allclose(one, other, atol=TOLERANCE)


def check_mixed(cls, config, inputs, arguments):
    """Checks that under the policy mixed_bfloat16 weights are float32, and outputs and gradients are finite."""
    layer = cls(**config, dtype="mixed_bfloat16")
    with tf.GradientTape() as tape:
        leaves = tf.nest.flatten(layer(inputs, **arguments))
        loss = tf.add_n([tf.reduce_sum(tf.cast(leaf, tf.float32)) for leaf in leaves])
    for leaf in leaves:
        assert np.isfinite(tf.cast(leaf, tf.float32)).all()
    for weight, gradient in zip(
        layer.weights, tape.gradient(loss, [weight.value for weight in layer.weights]), strict=True
    ):
        assert weight.dtype == "float32"
        assert gradient is None or np.isfinite(tf.cast(tf.convert_to_tensor(gradient), tf.float32)).all()
