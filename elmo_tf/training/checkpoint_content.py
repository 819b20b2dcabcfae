"""The content of a run's checkpoint: the notes on the run as text, and the LSTM states as the rows of all parts."""

import json
import os
from collections.abc import Sequence

import tensorflow as tf

from elmo_tf.formats.tensorflow_checkpoint import DAMAGED
from elmo_tf.store.checkpoint_files import list_checkpoints
from elmo_tf.store.file_names import LATEST
from elmo_tf.training.state import Division, LstmStates


class SavedText(tf.train.experimental.PythonState):
    """A string that is saved in a checkpoint."""

    def __init__(self, text: str = "") -> None:
        self.text = text

    def serialize(self) -> str:
        """Returns the string, for TensorFlow to save it."""
        return self.text

    def deserialize(self, string_value: str | bytes) -> None:
        """Takes the string that TensorFlow has read from a checkpoint."""
        self.text = string_value.decode() if isinstance(string_value, bytes) else string_value


def has_part(keys: Sequence[str], part: str) -> bool:
    """Whether a checkpoint with these keys has a part of this name.

    >>> has_part(["weights/a/.ATTRIBUTES/VARIABLE_VALUE", "step/.ATTRIBUTES/VARIABLE_VALUE"], "states")
    False
    """
    return any(key.startswith(f"{part}/") for key in keys)


def join_rows(states: LstmStates) -> list[tf.Tensor]:
    """Joins the rows of all parts: each LSTM state as one float32 tensor."""
    flat = [tf.nest.flatten(state) for state in states]
    return [tf.cast(tf.concat(parts, 0), tf.float32) for parts in zip(*flat, strict=True)]


def split_rows(rows: Sequence[tf.Variable], states: LstmStates) -> LstmStates:
    """Reverses `join_rows`: deals the rows to as many parts as `states` has, in its structure and types."""
    like = tf.nest.flatten(states[0])
    parts = [tf.split(tf.cast(v, one.dtype), len(states)) for v, one in zip(rows, like, strict=True)]
    return tuple(tf.nest.pack_sequence_as(state, [part[k] for part in parts]) for k, state in enumerate(states))


def read_division(model_dir: str) -> Division | None:
    """Reads how the rows of a step were divided when the newest checkpoint in `latest` was saved.

    Returns:
        None if there is no checkpoint, if it is of an earlier release, or if it cannot be read: `restore` finds the
        reason, and may take another one.
    """
    for path in list_checkpoints(os.path.join(model_dir, LATEST)):
        try:
            reader = tf.train.load_checkpoint(path)
            (key,) = [key for key in reader.get_variable_to_shape_map() if key.startswith("notes/")]
            return Division(*json.loads(reader.get_tensor(key))["division"])
        except (*DAMAGED, TypeError, KeyError, RecursionError):
            continue
    return None
