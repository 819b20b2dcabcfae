"""Writes a model that was trained elsewhere as a checkpoint of a training run."""

import os
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from elmo_tf.store.checkpoint_writer import CheckpointWriter, save_checkpoint
from elmo_tf.store.file_names import LATEST
from elmo_tf.training.checkpoint_content import SavedText


def write_imported(model_dir: str, weights: Mapping[str, Any], accumulators: Mapping[str, Any], step: int) -> str:
    """Writes a model that was trained elsewhere as the latest checkpoint of a run, which can then be continued.

    The checkpoint holds no LSTM states and no position in a text: the continued run starts with zero states at the
    beginning of its text.

    Args:
        model_dir: the new model's folder.
        weights: the weights by name.
        accumulators: Adagrad's accumulators by the same names.
        step: steps that the model was trained for.

    Returns:
        The checkpoint's path.

    Raises:
        InputError: the checkpoint cannot be written.
    """
    checkpoint = tf.train.Checkpoint(
        weights={name: tf.Variable(array) for name, array in weights.items()},
        adagrad={name: tf.Variable(array, trainable=False) for name, array in accumulators.items()},
        step=tf.Variable(step, dtype=tf.int64, trainable=False),
        notes=SavedText("{}"),
    )
    return save_checkpoint(CheckpointWriter(checkpoint, os.path.join(model_dir, LATEST), max_to_keep=1), step)
