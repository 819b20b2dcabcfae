"""Reads and writes TensorFlow 1 checkpoints of bilm-tf."""

import pathlib

import numpy as np
import tensorflow as tf


def tf1_name(name: str) -> str:
    """Translates one of our names into the name of the TensorFlow 1 variable."""
    if not name.startswith("RNN_"):
        return f"lm/{name}"
    direction, _, _, cell, _, weight = name.split("/")
    last = {"W_0": "kernel", "B": "bias", "W_P_0": "projection/kernel"}[weight]
    return f"lm/{direction}/rnn/multi_rnn_cell/cell_{cell[4:]}/lstm_cell/{last}"


class _Weights(dict):
    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__()
        self._reader = tf.train.load_checkpoint(str(folder))

    def __missing__(self, name: str) -> np.ndarray:
        return self._reader.get_tensor(tf1_name(name))


def tf1_weights(folder: pathlib.Path) -> _Weights:
    """The weights of a TF1 checkpoint by our names; each is read when it is looked up."""
    return _Weights(folder)


def save(folder: pathlib.Path, variables: dict[str, np.ndarray], step: int = 60) -> pathlib.Path:
    """Writes variables as TensorFlow 1's Saver does, with the file `checkpoint`; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    names = sorted(variables)
    tf.raw_ops.SaveV2(
        prefix=str(folder / f"model.ckpt-{step}"),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[tf.constant(variables[name]) for name in names],
    )
    line = f'model_checkpoint_path: "model.ckpt-{step}"\n'
    (folder / "checkpoint").write_text(line + "all_" + line.replace("_path", "_paths"))
    return folder
