"""Translates between the names of bilm-tf's TensorFlow 1 variables and our names. Needs no TensorFlow.

The versions of TensorFlow 1 name an LSTM's variables in three ways. TensorFlow leaves the stack out of a name if the
model has one layer, bilm-tf leaves the direction out if it has one direction, and bilm-tf's `dump_weights` wrote some
of these names to HDF5 files, where bilm-tf itself cannot read them. We read all of these names and write the newest.
"""

import re

from elmo_tf.options import Options

SCOPE, SLOT = "lm/", "/Adagrad"
STEP, PERPLEXITY = "global_step", "train_perplexity"
"""The variables that bilm-tf saves beside the weights and the optimizer's slots; its perplexity is always 0."""

_CELL = re.compile(
    r"(?:RNN_(?P<direction>[01])/)?(?:rnn|RNN)/(?:(?:multi_rnn_cell/cell_|MultiRNNCell/Cell)(?P<layer>\d+)/)?"
    r"(?:lstm_cell|LSTMCell)/(?P<weight>.+)"
)
_CELL_WEIGHTS = {
    "kernel": "W_0",
    "weights": "W_0",
    "bias": "B",
    "biases": "B",
    "projection/kernel": "W_P_0",
    "projection/weights": "W_P_0",
    "W_0": "W_0",
    "B": "B",
    "W_P_0": "W_P_0",
}
_NEWEST = {"W_0": "kernel", "B": "bias", "W_P_0": "projection/kernel"}


def our_name(name: str) -> str:
    """Translates bilm-tf's name of an array to ours.

    Args:
        name: the name of a variable without `lm/` and `/Adagrad`, or of a dataset that `dump_weights` wrote. A name
            that is not an LSTM's is the same everywhere and is returned unchanged.

    Example:

    >>> our_name("RNN_1/rnn/multi_rnn_cell/cell_0/lstm_cell/kernel")
    'RNN_1/RNN/MultiRNNCell/Cell0/LSTMCell/W_0'
    >>> our_name("rnn/lstm_cell/projection/weights")
    'RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/W_P_0'
    >>> our_name("CNN_proj/W_proj")
    'CNN_proj/W_proj'
    """
    match = _CELL.fullmatch(name)
    if match is None or match["weight"] not in _CELL_WEIGHTS:
        return name
    direction, layer = int(match["direction"] or 0), int(match["layer"] or 0)
    return f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell/{_CELL_WEIGHTS[match['weight']]}"


def tf1_name(name: str, options: Options) -> str:
    """Translates one of our names to that of bilm-tf's variable under TensorFlow 1.15, in a model of these options.

    Example:

    >>> options = Options.from_dict({"lstm": {"dim": 8, "projection_dim": 4}, "bidirectional": False})
    >>> tf1_name("RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/W_0", options)
    'lm/rnn/lstm_cell/kernel'
    """
    match = _CELL.fullmatch(name)
    if match is None:
        return SCOPE + name
    direction = f"RNN_{match['direction']}/" if options.bidirectional else ""
    stack = f"multi_rnn_cell/cell_{match['layer']}/" if options.lstm.n_layers > 1 else ""
    return f"{SCOPE}{direction}rnn/{stack}lstm_cell/{_NEWEST[match['weight']]}"


def is_forward_only(names: list[str]) -> bool:
    """Whether a model whose file has arrays of these names has only the forward direction.

    >>> is_forward_only(["rnn/lstm_cell/kernel"]), is_forward_only(["RNN_0/RNN/x", "RNN_1/RNN/x"])
    (True, False)
    """
    return not any(name.removeprefix(SCOPE).startswith("RNN_1/") for name in names)
