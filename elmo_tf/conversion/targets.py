"""The limits of the programs that read the files of elmo_tf: which models they cannot load, and why.

AllenNLP's `Elmo` takes for granted that a model has skip connections, a projection in the LSTM and in the CNN, both
directions and 50 characters a word (its `elmo.py`, `elmo_lstm.py`). bilm-tf's `BidirectionalLanguageModel` always
builds both directions, knows at most eight layers, and needs at least `projection_dim` filters (`model.py`);
simple_elmo contains a copy of it, and its `ElmoModel` reads characters only. This module does not import TensorFlow.
"""

from elmo_tf.options import Options

ALLENNLP, BILM_TF, SIMPLE_ELMO = "allennlp", "bilm-tf", "simple_elmo"
TARGETS = (ALLENNLP, BILM_TF, SIMPLE_ELMO)
NAMES = {ALLENNLP: "AllenNLP", BILM_TF: "bilm-tf", SIMPLE_ELMO: "simple_elmo"}
READS = {ALLENNLP: ("hdf5",), BILM_TF: ("hdf5", "tf1"), SIMPLE_ELMO: ("hdf5", "tf1")}
"""The forms that each program reads."""

_MOST_LAYERS = 8


def limits(options: Options, target: str, form: str = "hdf5") -> list[str]:
    """Lists the reasons why a program cannot load a model; empty if it can.

    Args:
        options: the options of the model.
        target: one of `TARGETS`.
        form: "hdf5", or "tf1" for a training checkpoint.

    Example:

    >>> options = Options.from_dict({"lstm": {"dim": 8, "projection_dim": 4, "n_layers": 9}, "n_tokens_vocab": 10})
    >>> limits(options, "simple_elmo")
    ['it reads word ids', 'it has 9 layers, more than 8']
    """
    if target == ALLENNLP:
        return _allennlp_limits(options)
    char_cnn, found = options.char_cnn, []
    if target == SIMPLE_ELMO and char_cnn is None:
        found.append("it reads word ids")
    if char_cnn is not None and char_cnn.n_filters < options.lstm.projection_dim:
        found.append(f"its CNN has {char_cnn.n_filters} filters, fewer than projection_dim")
    if not options.bidirectional and (form == "hdf5" or target == SIMPLE_ELMO):
        found.append("it reads forwards only")
    if form == "hdf5" and options.lstm.n_layers > _MOST_LAYERS:
        found.append(f"it has {options.lstm.n_layers} layers, more than {_MOST_LAYERS}")
    return found


def _allennlp_limits(options: Options) -> list[str]:
    char_cnn, lstm = options.char_cnn, options.lstm
    found = []
    if char_cnn is None:
        found.append("it reads word ids")
    elif char_cnn.max_characters_per_token != 50:
        found.append(f"its words are cut at {char_cnn.max_characters_per_token} characters instead of 50")
    if char_cnn is not None and char_cnn.n_filters == lstm.projection_dim:
        found.append("its CNN has no projection")
    if not lstm.has_projection:
        found.append("its LSTM has no projection")
    if not lstm.use_skip_connections:
        found.append("it has no skip connections")
    if not options.bidirectional:
        found.append("it reads forwards only")
    return found
