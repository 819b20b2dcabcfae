"""From a training checkpoint to the three files that AllenNLP, bilm-tf and simple_elmo read."""

import os
from dataclasses import dataclass

from elmo_tf import files
from elmo_tf.errors import InputError
from elmo_tf.exchange.hdf5 import write_arrays
from elmo_tf.exchange.names import named_variables
from elmo_tf.model_folder import WEIGHTS_FILE, load_bilm
from elmo_tf.options import Options
from elmo_tf.preparation import OPTIONS_FILE, VOCAB_FILE


@dataclass(frozen=True)
class Converted:
    """What was written.

    Args:
        source: the file that the weights came from.
        paths: the files.
        arrays: number of arrays in `weights.hdf5`.
        numbers: how many numbers these hold.
        limits: why AllenNLP cannot load the model, if it cannot.
    """

    source: str
    paths: tuple[str, ...]
    arrays: int
    numbers: int
    limits: tuple[str, ...]


def convert(model_dir: str, output_dir: str, which: str | None = None) -> Converted:
    """Writes `weights.hdf5`, `options.json` (with 262 characters) and `vocab.txt`, each whole or not at all.

    The weights are copied as they are and read back for comparison; the softmax is left out, as in bilm-tf's files.

    Args:
        model_dir: what `elmo_tf.model_folder.load_bilm` takes.
        output_dir: the new folder; made if it is missing.
        which: of the checkpoints "best" or "latest"; None for the best if there is one.

    Raises:
        InputError: the model cannot be read, or the folder cannot be written.
    """
    if os.path.exists(output_dir) and not os.path.isdir(output_dir):
        raise InputError(f"--output_dir={output_dir} is a file; expected a folder")
    loaded = load_bilm(model_dir, which)
    arrays = {name: variable.numpy() for name, variable in named_variables(loaded.bilm).items()}
    weights, options, vocab = (os.path.join(output_dir, name) for name in (WEIGHTS_FILE, OPTIONS_FILE, VOCAB_FILE))
    write_arrays(weights, arrays)
    loaded.bilm.options.write(options)
    paths = [weights, options]
    if loaded.vocabulary is not None:
        files.copy(os.path.join(model_dir, VOCAB_FILE), vocab)
        paths.append(vocab)
    return Converted(
        source=loaded.source,
        paths=tuple(paths),
        arrays=len(arrays),
        numbers=sum(array.size for array in arrays.values()),
        limits=tuple(allennlp_limits(loaded.bilm.options)),
    )


def allennlp_limits(options: Options) -> list[str]:
    """What in a model AllenNLP's `Elmo` cannot load; empty for one that it can.

    It reads both directions, character input at 50 characters a word, skip connections, and the projections of LSTM and
    CNN, without asking whether they are there (its `elmo.py` and `elmo_lstm.py`).

    Example:

    >>> allennlp_limits(Options.from_dict({"lstm": {"dim": 8, "projection_dim": 4, "use_skip_connections": True}}))
    ['it reads word ids']
    """
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
