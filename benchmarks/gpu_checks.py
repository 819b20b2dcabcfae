"""The checks of `benchmarks/gpu.py`: versions, the numbers of bilm-tf and AllenNLP, and one replica beside two."""

import importlib.util
import json
import os
import pathlib
import tempfile
from collections.abc import Sequence
from typing import Any
from unittest import mock

import keras
import numpy as np
import tensorflow as tf

from benchmarks import harness
from benchmarks.trainer import run_settings
from elmo_tf.data.characters import encode_words
from elmo_tf.data.training_stream import StreamSettings, TrainingStream
from elmo_tf.options import Options
from elmo_tf.store.load_model import load_bilm
from elmo_tf.training import assembly
from elmo_tf.training.devices import make_strategy
from elmo_tf.training.step_input import flatten_step
from elmo_tf.version import __version__

TOLERANCE = 2e-6
"""The largest difference on a CPU. GPUs sum in another order: there some 1e-5 are to be expected."""

FIXTURES = ("bilm-tf-fixture", "allennlp-fixture")
TRACES = ("char_2towers", "word_2towers")


def versions(devices: Sequence[str]) -> dict[str, Any]:
    """The versions of the software, and the names of the devices."""
    build = tf.sysconfig.get_build_info()
    gpus = tf.config.list_physical_devices("GPU")
    return {
        "elmo_tf": __version__,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "cuda": build.get("cuda_version"),
        "cudnn": build.get("cudnn_version"),
        "devices": list(devices),
        "gpus": [tf.config.experimental.get_device_details(gpu).get("device_name") for gpu in gpus],
        "cores": harness.cores(),
    }


def check(options: Options, strategy: tf.distribute.Strategy) -> dict[str, Any]:
    """Makes all checks for which there is what they need; prints and returns the largest differences.

    Args:
        options: those of a small model, for the replicas.
        strategy: the strategy of all devices.
    """
    devices = [name.split("/device:")[-1] for name in strategy.extended.worker_devices]
    shared = pathlib.Path(os.environ.get("ELMO_TF_SHARED", os.path.join(os.path.dirname(harness.ROOT), "shared")))
    parity = shared / "parity"
    found: dict[str, float] = {}
    for name in FIXTURES:
        if (parity / name).is_dir():
            found[name] = check_embeddings(parity / name)
    for name in TRACES:
        if (parity / "bilm-tf-training-trace" / name).is_dir():
            found[f"trace {name}"] = check_trace(parity / "bilm-tf-training-trace" / name, devices[0])
    if len(devices) > 1:
        found[f"1 x {len(devices)} B rows against {len(devices)} x B"] = compare_replicas(options, strategy, devices[0])
    for name, difference in found.items():
        print(f"{name}: largest difference {difference:.1e}{' (2e-6 on a CPU)' * (difference > TOLERANCE)}", flush=True)
    if not parity.is_dir():
        print(f"no goldens and traces: expected them in {parity}", flush=True)
    return {name: float(f"{difference:.3g}") for name, difference in found.items()}


def check_embeddings(folder: pathlib.Path) -> float:
    """The largest difference between our top layer and a fixture's, with states carried from sentence to sentence."""
    import h5py

    bilm = load_bilm(str(folder)).bilm
    size, characters = bilm.options.lstm.projection_dim, 50
    run = tf.function(lambda ids, state: bilm(ids, initial_state=state), reduce_retracing=True)
    state, worst = bilm.zero_state(1), 0.0
    with h5py.File(folder / "top_layer_embeddings.hdf5") as goldens:
        for number, sentence in enumerate(json.loads((folder / "sentences.json").read_text())):
            words = ["<S>", *sentence.split(), "</S>"]
            layers, state = run(encode_words(words, characters)[None], state)
            top = layers[0, -1, 1:-1].numpy()
            difference = np.stack([top[:, :size], top[:, size:]]) - goldens[str(number)][...]
            worst = max(worst, float(np.abs(difference).max()))
    return worst


def check_trace(folder: pathlib.Path, device: str) -> float:
    """The largest difference between our losses and norms and those of a training trace of bilm-tf, on one device."""
    path = pathlib.Path(harness.ROOT) / "tests" / "parity" / "trace_run.py"
    spec = importlib.util.spec_from_file_location("trace_run", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"expected {path}")
    trace_run = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(trace_run)
    on_device = mock.patch.object(trace_run, "make_strategy", return_value=make_strategy([device]))
    with tempfile.TemporaryDirectory() as place, on_device:
        output = os.path.join(place, "run.npz")
        trace_run.main(str(folder), 1, output)
        ours = np.load(output)
        golden = np.load(folder / "losses.npz")
        losses = ours["losses"] - golden["loss_per_tower"].mean(1, keepdims=True)
        norms = ours["norms"] - golden["global_gradient_norm_before_clip"]
        return float(max(np.abs(losses).max(), np.abs(norms).max()))


def compare_replicas(options: Options, strategy: tf.distribute.Strategy, device: str) -> float:
    """The largest difference of loss and norm in two steps, between one replica and all with the same rows together.

    Args:
        options: the model's; its batch size is that of a replica.
        strategy: the strategy of all replicas. There may be no other one of several devices in the process: the sums of
            two such strategies have the same keys, and are taken for one another.
        device: the device of the one replica.
    """
    from benchmarks.text import made_up_sentences
    from elmo_tf.data.corpus import Corpus
    from elmo_tf.data.word_counts import build_vocabulary, count_corpus

    with tempfile.TemporaryDirectory() as place:
        path = os.path.join(place, "text.txt")
        pathlib.Path(path).write_text("\n".join(made_up_sentences(200)) + "\n")
        vocabulary = build_vocabulary(count_corpus([path])[0])
        rows = options.training.batch_size * strategy.num_replicas_in_sync
        found = []
        for own in (make_strategy([device]), strategy):
            parts = own.num_replicas_in_sync
            made = options.replace(n_tokens_vocab=len(vocabulary), dropout=0.0, batch_size=rows // parts)
            settings = run_settings(made)
            trainer = assembly.build_trainer(settings, made, own)
            negatives = made.training.n_negative_samples_batch
            stream = TrainingStream(
                Corpus.scan([path]), vocabulary, made, StreamSettings(rows=rows, parts=parts, negatives=negatives)
            )
            states = trainer.take_step.zero_states(made.training.batch_size)
            for number, (step, _) in zip(range(2), stream, strict=False):
                result = trainer.take_step(number, [tf.constant(array) for array in flatten_step(step)], states)
                states = result.states
                found.append([float(tf.reduce_mean(result.losses)), float(result.norm)])
    return float(np.abs(np.subtract(found[:2], found[2:])).max())
