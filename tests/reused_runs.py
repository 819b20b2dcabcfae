"""Runs many short trainings in one process, which share one model and its traced functions."""

import contextlib
import csv
import json
import os

import pytest
import tensorflow as tf
import tiny
from kept_trainers import keep_trainers

from elmo_tf.options import LstmOptions
from elmo_tf.store.checkpoint_files import checkpoint_path
from elmo_tf.training.run import train

SHORT = {
    "validate_first": True,
    "validation_steps": 3,
    "checkpoint_steps": 2,
    "log_steps": 1,
    "max_steps": 6,
    "count": 20,
    "char_cnn": None,
    "bidirectional": False,
    "lstm": LstmOptions(dim=8, projection_dim=4, n_layers=1, cell_clip=3, proj_clip=3),
}
"""A run of six steps with four validations and five saves, whose graph is traced in a second."""


def short(folder, model="model", **changes):
    """The settings of a run of six steps."""
    return tiny.settings(folder, model=model, **{**SHORT, **changes})


def flags(settings):
    """The same run as the flags of a command line."""
    options = os.path.join(os.path.dirname(settings.vocab_file), "options.json")
    settings.options.write(options)
    names = ("validation_steps", "checkpoint_steps", "log_steps", "max_steps", "vocab_file", "model_dir")
    return [
        f"--options_file={options}",
        f"--train_files={','.join(settings.train_files)}",
        *(f"--{name}={getattr(settings, name)}" for name in names),
        *(["--validate_first"] if settings.validate_first else []),
        *([f"--valid_files={','.join(settings.valid_files)}"] if settings.valid_files else []),
    ]


@contextlib.contextmanager
def one_model():
    """Makes all runs of the block share the model of the first one; a new run begins with its first weights."""
    with pytest.MonkeyPatch.context() as patch:
        keep_trainers(patch.setattr)
        yield


def result_of(model_dir):
    """All that a finished run leaves, without what is measured by the clock: arrays, notes, and rows of the log."""
    found = {}
    for which in ("latest", "best"):
        path = checkpoint_path(str(model_dir), which)
        found[which, "name"] = os.path.basename(path)
        reader = tf.train.load_checkpoint(path)
        for name in reader.get_variable_to_shape_map():
            if name.startswith("notes/"):
                found[which, name] = json.loads(reader.get_tensor(name))
            elif name.endswith("VARIABLE_VALUE") and not name.startswith("save_counter"):
                found[which, name] = reader.get_tensor(name).tobytes()
    with open(os.path.join(model_dir, "log.csv"), newline="", encoding="utf-8") as file:
        found["log"] = [{name: row[name] for name in row if name != "words_per_second"} for row in csv.DictReader(file)]
    return found


def resume(settings):
    """Trains to the end; returns the lines that were reported."""
    lines = []
    train(settings, lines.append)
    return lines
