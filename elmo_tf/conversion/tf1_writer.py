"""Writes a TensorFlow 1 checkpoint that bilm-tf restores."""

import os

import tensorflow as tf

from elmo_tf.errors import InputError
from elmo_tf.formats.arrays import Arrays
from elmo_tf.models import tf1_weight_names
from elmo_tf.options import Options
from elmo_tf.system.atomic_files import write_text
from elmo_tf.system.error_text import reason


def write_tf1(folder: str, weights: Arrays, slots: Arrays, options: Options, step: int) -> str:
    """Writes a checkpoint that bilm-tf can use or resume training from: every variable, its accumulator, and the step.

    Returns:
        The path of the checkpoint, without the endings of its files.

    Raises:
        InputError: it cannot be written.
    """
    names = {tf1_weight_names.tf1_name(name, options): name for name in weights}
    tensors = {key: tf.constant(weights[name]) for key, name in names.items()}
    tensors |= {key + tf1_weight_names.SLOT: tf.constant(slots[name]) for key, name in names.items()}
    tensors |= {tf1_weight_names.STEP: tf.constant(step, tf.float32), tf1_weight_names.PERPLEXITY: tf.constant(0.0)}
    keys, name = sorted(tensors), f"model.ckpt-{step}"
    prefix = os.path.join(folder, name)
    try:
        tf.raw_ops.SaveV2(
            prefix=prefix, tensor_names=keys, shape_and_slices=[""] * len(keys), tensors=[tensors[key] for key in keys]
        )
    except tf.errors.OpError as error:
        raise InputError(f"{prefix} cannot be written: {reason(error)}", path=prefix) from error
    write_text(
        os.path.join(folder, "checkpoint"),
        f'model_checkpoint_path: "{name}"\nall_model_checkpoint_paths: "{name}"\n',
    )
    return prefix
