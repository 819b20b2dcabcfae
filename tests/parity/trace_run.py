"""Replays a training trace of bilm-tf in a process of its own, for strategies must not meet in one process.

python trace_run.py FOLDER REPLICAS OUTPUT.npz
"""

import pathlib
import sys

import numpy as np
import tensorflow as tf

from elmo_tf.data.steps import Step
from elmo_tf.data.windows import Window
from elmo_tf.models.language_model import LanguageModel
from elmo_tf.models.weight_names import named_variables
from elmo_tf.options import Options
from elmo_tf.training.devices import make_strategy
from elmo_tf.training.optimizer import SparseAdagrad
from elmo_tf.training.step import TrainStep
from elmo_tf.training.step_input import flatten_step

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from tf1 import tf1_name


def window(batches: dict, step: int, rows: slice, by_characters: bool) -> Window:
    """One replica's rows of a trace batch; words are told apart by their ids or their characters."""
    key = "tokens_characters" if by_characters else "token_ids"
    tokens = np.stack([batches[key][step, rows], batches[f"{key}_reverse"][step, rows]])
    shape = tokens.shape[:3]
    words, index = np.unique(tokens.reshape(np.prod(shape), -1), axis=0, return_inverse=True)
    targets = np.stack([batches["next_token_id"][step, rows], batches["next_token_id_reverse"][step, rows]])
    return Window(
        (words if by_characters else words[:, 0]).astype(np.int32),
        index.reshape(shape).astype(np.int32),
        targets.astype(np.int32),
        np.zeros(shape[:2], bool),
    )


def main(folder: str, replicas: int, output: str) -> None:
    options = Options.from_file(f"{folder}/options.json")
    batches = dict(np.load(f"{folder}/batches.npz"))
    initial = np.load(f"{folder}/initial_weights.npz")
    strategy = make_strategy(logical_cpus=replicas)
    with strategy.scope():
        model = LanguageModel(options)
        model.build()
        variables = named_variables(model)
        optimizer = SparseAdagrad(variables, options.training.learning_rate)
    assert {f"{tf1_name(name)}:0" for name in variables} == set(initial.files)
    for name, variable in variables.items():
        variable.assign(initial[f"{tf1_name(name)}:0"])
    take_step = TrainStep(model, optimizer, strategy)
    rows = 2 * options.training.batch_size // replicas  # the trace has two towers
    states, losses, norms = take_step.zero_states(rows), [], []
    for number in range(len(batches["token_ids"])):
        parts = [slice(k * rows, (k + 1) * rows) for k in range(replicas)]
        windows = tuple(window(batches, number, part, options.char_cnn is not None) for part in parts)
        step = Step(windows, np.zeros((2, 0), np.int32), np.ones(2, np.float32))
        result = take_step(number, [tf.constant(array) for array in flatten_step(step)], states)
        states = result.states
        losses.append(result.losses.numpy().mean(1))
        norms.append(float(result.norm))
    arrays = {f"weight:{tf1_name(name)}:0": variable.numpy() for name, variable in variables.items()}
    arrays |= {f"accumulator:{tf1_name(name)}:0": slot.numpy() for name, slot in optimizer.accumulators.items()}
    np.savez(output, losses=np.array(losses), norms=np.array(norms), **arrays)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
