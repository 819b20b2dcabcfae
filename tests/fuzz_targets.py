"""What the fuzzers call: readers of files, each with good files to change. Nothing but an `InputError` may come out.

`mutate` changes a good file as a few numbers say, so that hypothesis and atheris can search with the same targets.
"""

import contextlib
import gzip
import io
import json
import os
import pathlib
import resource
import unittest.mock
import zipfile

import h5py
import numpy as np
import tensorflow as tf
import tf1
from riding import state_of

from elmo_tf.data.corpus import Corpus
from elmo_tf.data.text import iterate_lines
from elmo_tf.data.text_blocks import BlockReader
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.data.word_vector_files import read_word_vectors
from elmo_tf.errors import InputError
from elmo_tf.formats.hdf5 import open_hdf5
from elmo_tf.formats.safetensors_files import open_safetensors
from elmo_tf.formats.tensorflow_checkpoint import CheckpointReader, newest_tf1_checkpoint
from elmo_tf.formats.zip_archive import unpack_zip
from elmo_tf.models.tf1_weight_names import our_name
from elmo_tf.options import Options
from elmo_tf.store.checkpoint_files import newest_checkpoint
from elmo_tf.store.checkpoint_weights import display_name, read_tf1_checkpoint, read_training_checkpoint
from elmo_tf.store.checkpoint_writer import CheckpointWriter, save_checkpoint
from elmo_tf.store.model_hashes import check_hashes, write_hashes
from elmo_tf.system import process_lock as process_lock_module
from elmo_tf.system.process_lock import process_lock
from elmo_tf.training.logs import CsvLog

MOST_GROWTH = 200 << 20
"""Bytes that the process may grow by while it reads many files of a few kilobytes."""

OPTIONS = {
    "lstm": {
        "dim": 8,
        "projection_dim": 4,
        "n_layers": 1,
        "cell_clip": 3,
        "proj_clip": 3,
        "use_skip_connections": True,
    },
    "char_cnn": {
        "filters": [[1, 4], [2, 6]],
        "embedding": {"dim": 4},
        "n_highway": 1,
        "max_characters_per_token": 12,
        "n_characters": 261,
        "activation": "relu",
    },
    "n_tokens_vocab": 11,
    "bidirectional": True,
    "dropout": 0.1,
    "all_clip_norm_val": 10.0,
    "batch_size": 4,
}
ARRAYS = {"char_embed": np.ones((26, 4), "f4"), "CNN/W_cnn_0": np.arange(8, dtype="f4").reshape(1, 2, 4)}
RUN = {"softmax/W": [[1.0, 2.0]], "softmax/b": [3.0]}
WORDS = "<S>\n</S>\n<UNK>\nthe\ncat\nøl\n雨\n"
TEXT = "the cat sat\n\nøl 雨 the\n" * 4
VECTORS = "3 2\nthe 1.0 2.0\ncat -1 2e-3\nøl 0 0\n"
LOG = "step,epoch,loss,val_perplexity\n1,1,2.5,\n2,1,2.25,31.5\n3,2,2.0,\n"


def _hdf5(**settings):
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for name, array in ARRAYS.items():
            file.create_dataset(name, data=array, **settings)
    return content.getvalue()


def _safetensors():
    import safetensors.numpy

    return safetensors.numpy.save(ARRAYS, {"format": "pt"})


def _zip(kind=zipfile.ZIP_DEFLATED):
    content = io.BytesIO()
    members = {"m/weights.hdf5": _hdf5(), "m/options.json": json.dumps(OPTIONS), "m/vocab.txt": WORDS}
    with zipfile.ZipFile(content, "w") as archive:
        for name, member in members.items():
            archive.writestr(zipfile.ZipInfo(name), member, kind)
    return content.getvalue()


def _gzip(text):
    return gzip.compress(text.encode(), mtime=0)


def _files_below(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _tf1_files(folder):
    arrays = {"lm/CNN/W_cnn_0": ARRAYS["CNN/W_cnn_0"], "lm/char_embed": ARRAYS["char_embed"]}
    tf1.save(folder, arrays)
    return _files_below(folder)


def _run_files(folder):
    variables = {name: tf.Variable(value) for name, value in RUN.items()}
    made = tf.train.Checkpoint(weights=variables, step=tf.Variable(7, dtype=tf.int64))
    writer = CheckpointWriter(made, str(folder / "latest"), 2)
    for step in (7, 8):
        save_checkpoint(writer, step)
    return _files_below(folder)


def _model_files(folder):
    (folder / "options.json").write_text(json.dumps(OPTIONS))
    (folder / "vocab.txt").write_text(WORDS)
    write_hashes(str(folder))
    return _files_below(folder)


def _lock_file(folder):
    return {"train.lock": json.dumps({"host": "h", "process": 1, "since": "now", "start": "1"}).encode()}


def _read_all(arrays):
    for name in arrays:
        np.asarray(arrays[name])


def _read_text(path):
    corpus = Corpus.scan([path], block_bytes=16)
    for block in corpus.blocks:
        BlockReader().lines(block)
    corpus.fingerprint()
    list(iterate_lines(path))


def _read_hdf5(path):
    with open_hdf5(path, our_name) as arrays:
        _read_all(arrays)


def _read_safetensors(path):
    with open_safetensors(path) as arrays:
        _read_all(arrays)


def _read_zip(path):
    with unpack_zip(path, "softmax.hdf5") as folder:
        for name in os.listdir(folder):
            assert os.path.isfile(os.path.join(folder, name))


def _read_log(path):
    log = CsvLog(state_of(step=2, is_resumed=True), path, 1, ["loss"])
    log.on_train_begin({})
    log.on_train_batch_end(2, {"loss": 1.0})


def _read_tf1(folder):
    prefix = newest_tf1_checkpoint(folder)
    if prefix is not None:
        weights = read_tf1_checkpoint(CheckpointReader(prefix, display_name)).weights
        assert {name: weights[name].tolist() for name in weights} == {n: ARRAYS[n].tolist() for n in ARRAYS}


def _read_run(folder):
    prefix = newest_checkpoint(folder, "latest", lambda line: None)
    if prefix is not None:
        weights = read_training_checkpoint(CheckpointReader(prefix, display_name)).weights
        assert {name: weights[name].tolist() for name in weights} == RUN


def _read_lock(folder):
    with (
        unittest.mock.patch.object(process_lock_module, "SILENCE", 0.0),
        process_lock(os.path.join(folder, "train.lock"), folder, lambda line: None),
    ):
        pass


FILES = {
    "options": ([json.dumps(OPTIONS).encode()], Options.from_file),
    "vocabulary": ([WORDS.encode(), _gzip(WORDS)], Vocabulary.from_file),
    "text": ([TEXT.encode(), _gzip(TEXT), b"\xef\xbb\xbf" + TEXT.encode()], _read_text),
    "word vectors": (
        [VECTORS.encode(), _gzip(VECTORS), b"1 2\nthe " + np.ones(2, "<f4").tobytes()],
        read_word_vectors,
    ),
    "HDF5": ([_hdf5(), _hdf5(compression="gzip"), _hdf5(chunks=True, fletcher32=True)], _read_hdf5),
    "safetensors": ([_safetensors()], _read_safetensors),
    "ZIP": ([_zip(), _zip(zipfile.ZIP_STORED)], _read_zip),
    "log.csv": ([LOG.encode(), LOG.replace("2.25", '"2,25"').encode()], _read_log),
}
"""The readers of one file, and good files of each kind."""

FOLDERS = {
    "TensorFlow 1 checkpoint": (_tf1_files, _read_tf1),
    "checkpoint of a run": (_run_files, _read_run),
    "hashes of a model": (_model_files, check_hashes),
    "lock": (_lock_file, _read_lock),
}
"""The readers of a folder, and what makes a good one. One of its files is changed at a time."""

NEVER_REFUSED = ("log.csv", "checkpoint of a run", "lock")
"""A run does without a damaged log or lock, and takes the checkpoint before a damaged one."""


class Target:
    """A reader with the good files that a fuzzer changes.

    Args:
        name: the name in `FILES` or `FOLDERS`.
        folder: a folder for the files.
    """

    def __init__(self, name, folder):
        self._folder, self._is_file = pathlib.Path(folder), name in FILES
        if self._is_file:
            self.seeds, self._read = FILES[name]
            self.places = [f"changed.{'hdf5' if name == 'HDF5' else 'file'}"] * len(self.seeds)
            return
        make, self._read = FOLDERS[name]
        good = self._folder / "good"
        good.mkdir(exist_ok=True)
        self._good = make(good)
        self.places, self.seeds = list(self._good), list(self._good.values())

    def call(self, seed, content):
        """Reads the file or folder with `content` in the place of seed number `seed`; returns the error, if any."""
        if self._is_file:
            subject = self._folder / self.places[seed]
            subject.write_bytes(content)
        else:
            subject = self._folder / "changed"
            for name, good in {**self._good, self.places[seed]: content}.items():
                path = subject / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(good)
        try:
            self._read(str(subject))
        except InputError as error:
            refusal = error
        else:
            return None
        assert len(str(refusal).splitlines()) == 1, refusal
        return refusal


def mutate(content, edits):
    """Changes bytes as a list of edits says, each of a kind, a place, a length and a byte."""
    changed = bytearray(content)
    for kind, place, length, byte in edits:
        start = place % (len(changed) + 1)
        end = min(len(changed), start + 1 + length)
        if kind == 0 and start < len(changed):
            changed[start] ^= 1 << byte % 8
        elif kind == 1:
            del changed[start:]
        elif kind == 2:
            changed[start:end] = bytes([byte]) * (end - start)
        elif kind == 3:
            changed[start:start] = bytes([byte]) * (length + 1)
        elif kind == 4:
            changed[start:start] = changed[start:end]
        elif kind == 5:
            del changed[start:end]
        elif kind == 6:
            changed[start:end] = b"99999999999999999999"[: end - start] if length < 20 else b"9" * length
        elif kind == 7:  # a size in a header
            changed[start : start + 4] = (2**31 - 1 - byte).to_bytes(4, "little")
    return bytes(changed)


@contextlib.contextmanager
def little_memory():
    """Fails where the block makes the process grow by more than `MOST_GROWTH`, or asks for much more than that."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    usual = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:
        size = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + 10 * MOST_GROWTH, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, usual)
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    assert grown < MOST_GROWTH, f"{grown:,} bytes"
