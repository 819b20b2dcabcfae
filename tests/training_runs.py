"""Runs of a tiny model, and the numbers in their checkpoints."""

import os
import pathlib

import numpy as np
import tensorflow as tf
import tiny

from elmo_tf.options import LstmOptions
from elmo_tf.store.checkpoint_files import checkpoint_path
from elmo_tf.training.run import train

ROOT = pathlib.Path(__file__).parents[1]

ONE_LAYER = LstmOptions(dim=12, projection_dim=6, n_layers=1, cell_clip=3, proj_clip=3)

REGULARISED = {"weight_dropout": 0.3, "activation_regularization": 2.0, "temporal_activation_regularization": 1.0}
"""Dropped recurrent weights and penalties on activations. They are the same however the rows of a step are divided."""


def small(folder, **changes):
    """A run whose graph is traced in a third of the time, for checks of the loop, to which any model will do."""
    return tiny.settings(folder, **{"char_cnn": None, "bidirectional": False, "lstm": ONE_LAYER, **changes})


def quiet(settings):
    return train(settings, report=lambda line: None)


def arrays(model_dir, which="latest"):
    """Everything numeric in a checkpoint."""
    reader = tf.train.load_checkpoint(checkpoint_path(str(model_dir), which))
    names = [name for name in reader.get_variable_to_shape_map() if name.endswith("VARIABLE_VALUE")]
    names = [name for name in names if not name.startswith("save_counter")]  # how often was saved, not what
    return {name: reader.get_tensor(name) for name in names}


def assert_equal(left, right, tolerance=0.0):
    assert left.keys() == right.keys()
    for name, array in left.items():
        np.testing.assert_allclose(array, right[name], rtol=0, atol=tolerance, err_msg=name)


def command(settings, *more):
    """The same run as a script and its flags, for `forked_python`."""
    options_path = os.path.join(
        os.path.dirname(settings.vocab_file), f"options{settings.options.training.batch_size}.json"
    )
    settings.options.write(options_path)
    return [
        str(ROOT / "train.py"), f"--options_file={options_path}",
        f"--train_files={','.join(settings.train_files)}", f"--valid_files={','.join(settings.valid_files)}",
        f"--vocab_file={settings.vocab_file}", f"--model_dir={settings.model_dir}", *more,
    ]  # fmt: skip
