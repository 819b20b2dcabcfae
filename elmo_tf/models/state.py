"""The LSTM states of a biLM, and a check of the states that a caller passes."""

from typing import Any

import tensorflow as tf

from elmo_tf.layers.compilation import in_xla
from elmo_tf.layers.scan import State
from elmo_tf.options import Options

BiLMState = tuple[tuple[State, ...], ...]
"""For each direction and layer the pair of cell `(B, H)` and output `(B, D)`."""


def check_state(state: Any, options: Options, tokens: tf.Tensor) -> BiLMState:
    """Checks that an `initial_state` has the nesting and shapes of the biLM's states, and returns it.

    If the number of rows is unknown while a graph is traced, it is checked when the graph runs; but not under XLA,
    which has no such checks.

    Args:
        state: for each direction and layer the pair `(cell, output)`, in tuples or lists.
        options: the options of the biLM.
        tokens: the token vectors `(B, T, D)` that the state belongs to.

    Raises:
        ValueError: the nesting, a size or the number of rows is wrong.
        tf.errors.InvalidArgumentError: the number of rows is found to be wrong when the graph runs.

    Example:

    >>> options = Options.from_dict({"lstm": {"dim": 8, "projection_dim": 4, "n_layers": 1}, "n_tokens_vocab": 10})
    >>> pair = (np.zeros((2, 8)), np.zeros((2, 4)))
    >>> [len(layers) for layers in check_state([[pair], [pair]], options, tf.zeros([2, 5, 4]))]
    [1, 1]
    """
    rows, lstm = tokens.shape[0], options.lstm
    pair = (tf.TensorShape([rows, lstm.dim]), tf.TensorShape([rows, lstm.projection_dim]))
    expected = ((pair,) * lstm.n_layers,) * options.directions
    if not _matches(state, expected):
        raise ValueError(
            f"initial_state: expected {options.directions} directions with {lstm.n_layers} layers each, of each layer "
            f"(cell, output), numbers of shapes {_describe_shapes(pair)}, got {_describe_shapes(state)}"
        )
    leaves = tf.nest.flatten(state)
    if tf.executing_eagerly() or in_xla() or (rows is not None and all(leaf.shape[0] == rows for leaf in leaves)):
        return state
    wanted, came = tf.shape(tokens)[0], tf.stack([tf.shape(leaf)[0] for leaf in leaves])
    message = ["initial_state: expected rows, as the batch has them", wanted, "got, of cell and output in turn", came]
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(came == wanted), message, summarize=50)]):
        return tf.nest.map_structure(tf.identity, state)


def state_shapes(options: Options, rows: int | None) -> tuple[Any, ...]:
    """The shapes of the states of a biLM: for each direction and layer those of cell and output.

    Args:
        options: the options of the biLM.
        rows: rows of the batch; None if unknown.

    Example:

    >>> options = Options.from_dict({"lstm": {"dim": 8, "projection_dim": 4, "n_layers": 1}, "n_tokens_vocab": 10})
    >>> state_shapes(options, None)
    ((((None, 8), (None, 4)),), (((None, 8), (None, 4)),))
    """
    lstm = options.lstm
    return ((((rows, lstm.dim), (rows, lstm.projection_dim)),) * lstm.n_layers,) * options.directions


def _matches(came: Any, expected: Any) -> bool:
    """Whether values have the expected nesting, and shapes that agree with the expected ones where both are known."""
    if isinstance(expected, tuple):
        is_like = isinstance(came, (tuple, list)) and len(came) == len(expected)
        return is_like and all(map(_matches, came, expected))
    return _is_number(came) and expected.is_compatible_with(came.shape)


def _is_number(value: Any) -> bool:
    dtype = tf.as_dtype(value.dtype) if hasattr(value, "shape") else tf.string
    return bool(dtype.is_floating or dtype.is_integer)


def _describe_shapes(nested: Any) -> str:
    """Writes the shapes of nested values as text.

    >>> _describe_shapes((np.ones((2, 3)), [tf.TensorShape([None, 4])]))
    '((2, 3), ((None, 4)))'
    """
    if isinstance(nested, tf.TensorShape):
        return str(nested)
    if isinstance(nested, (tuple, list)):
        return f"({', '.join(map(_describe_shapes, nested))})"
    if not hasattr(nested, "shape"):
        return type(nested).__name__
    return f"{'' if _is_number(nested) else tf.as_dtype(nested.dtype).name + ' '}{tf.TensorShape(nested.shape)}"
