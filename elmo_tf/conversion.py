"""From a training checkpoint to the three files that AllenNLP, bilm-tf and simple_elmo read."""

import os
from dataclasses import dataclass

from elmo_tf import files
from elmo_tf.errors import InputError
from elmo_tf.exchange.hdf5 import write_arrays
from elmo_tf.exchange.names import named_variables
from elmo_tf.model_folder import WEIGHTS_FILE, load_bilm
from elmo_tf.preparation import OPTIONS_FILE, VOCAB_FILE


@dataclass(frozen=True)
class Converted:
    """What was written.

    Args:
        source: the file that the weights came from.
        paths: the files.
        arrays: number of arrays in `weights.hdf5`.
        numbers: how many numbers these hold.
    """

    source: str
    paths: tuple[str, ...]
    arrays: int
    numbers: int


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
    return Converted(loaded.source, tuple(paths), len(arrays), sum(array.size for array in arrays.values()))
