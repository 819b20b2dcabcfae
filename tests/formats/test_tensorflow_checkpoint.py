"""Damaged checkpoints of TensorFlow: the error names the unreadable part, without names of operations."""

import logging

import numpy as np
import pytest
import tensorflow as tf
import tf1
from refusals import refused

from elmo_tf.errors import InputError
from elmo_tf.formats.tensorflow_checkpoint import CheckpointReader, newest_tf1_checkpoint
from elmo_tf.store.checkpoint_files import newest_checkpoint
from elmo_tf.store.checkpoint_weights import display_name, read_training_checkpoint

ARRAYS = {"lm/a": np.arange(600, dtype="f"), "lm/b": np.ones((3, 5), "f"), "lm/text": np.array(b"x" * 50)}


@pytest.fixture
def prefix(tmp_path):
    """A good checkpoint."""
    tf1.save(tmp_path, ARRAYS)
    return str(tmp_path / "model.ckpt-60")


def change(path, change):
    with open(path, "rb") as file:
        content = change(bytearray(file.read()))
    with open(path, "wb") as file:
        file.write(content)


def flipped(place):
    def change(content):
        content[place] ^= 255
        return content

    return change


def read(prefix):
    reader = CheckpointReader(prefix, display_name)
    return reader.tensor("lm/a"), reader.value("lm/text")


def refused_plainly(prefix):
    message = refused(read, prefix)
    for noise in ("{{", "[Op", "function_node", "TensorBundle", "RestoreV2"):
        assert noise not in message
    return message


@pytest.mark.parametrize(
    ("ending", "spoil", "said"),
    [
        (".data-00000-of-00001", lambda content: content[:-1], "entry lm/text cannot be read: the data file is"),
        (
            ".data-00000-of-00001",
            lambda content: content[:2000],
            "expected 2,460 bytes or more by its index, got 2,000",
        ),
        (".data-00000-of-00001", lambda content: b"", "expected 2,460 bytes or more by its index, got 0 "),
        (".data-00000-of-00001", flipped(9), "array lm/a cannot be read: its numbers do not match their checksum"),
        (".data-00000-of-00001", flipped(-9), "entry lm/text cannot be read: "),
        (".index", lambda content: content[:60], "its index cannot be read: it is cut short, or another kind of file"),
        (".index", lambda content: b"", "its index cannot be read: it is cut short, or another kind of file"),
        (".index", flipped(20), "its index cannot be read: its content does not match its checksum"),
    ],
)
def test_an_unreadable_part_is_named_in_plain_words(prefix, ending, spoil, said):
    change(prefix + ending, spoil)
    assert refused_plainly(prefix).startswith(f"{prefix} is damaged: {said}")


def test_a_missing_data_file_is_an_error_before_anything_is_read(prefix, tmp_path):
    (tmp_path / "model.ckpt-60.data-00000-of-00001").unlink()
    with pytest.raises(InputError) as caught:
        CheckpointReader(prefix, display_name)
    assert str(caught.value) == f"{prefix} is damaged: there is no model.ckpt-60.data-00000-of-00001 beside its index"


def test_a_good_checkpoint_of_any_type_is_read(tmp_path):
    arrays = {f"lm/{kind}": np.ones(7, kind) for kind in ("f2", "f4", "f8", "i1", "u1", "i4", "i8", "u8", "?", "c8")}
    tf1.save(tmp_path, {**arrays, "lm/text": np.array([b"", b"abc"]), "lm/none": np.zeros((0, 4), "f")})
    reader = CheckpointReader(str(tmp_path / "model.ckpt-60"))
    assert reader.shapes["lm/f2"] == (7,)
    assert reader.tensor("lm/f8").dtype == tf.float64
    assert reader.tensor("lm/none").shape == (0, 4)


def test_an_array_of_a_training_checkpoint_is_named_without_tensorflows_additions(tmp_path):
    checkpoint = tf.train.Checkpoint(weights=tf.train.Checkpoint(**{"softmax/W": tf.Variable(np.ones((9, 9), "f"))}))
    prefix = checkpoint.write(str(tmp_path / "ckpt-1"))
    change(prefix + ".data-00000-of-00001", flipped(0))
    weights, _, _ = read_training_checkpoint(CheckpointReader(prefix, display_name))
    with pytest.raises(InputError, match=r"is damaged: array softmax/W cannot be read: its numbers do not match"):
        weights["softmax/W"]


@pytest.mark.parametrize("content", [b"", b'model_checkpoint_path "x', b"\xff\x00", b'model_checkpoint_path: "none"'])
@pytest.mark.parametrize(
    "find", [newest_tf1_checkpoint, lambda folder: newest_checkpoint(folder, ".")], ids=["tf1", "own"]
)
def test_a_damaged_list_of_checkpoints_is_our_error_alone_without_tensorflows_log(tmp_path, find, content):
    (tmp_path / "checkpoint").write_bytes(content)
    records, handler = [], logging.Handler()
    handler.emit = records.append
    logger = logging.getLogger("tensorflow")
    logger.addHandler(handler)
    try:
        with pytest.raises(InputError, match=r"checkpoint, which names the checkpoints, "):
            find(str(tmp_path))
        logger.warning("heard again")
    finally:
        logger.removeHandler(handler)
    assert [record.getMessage() for record in records] == ["heard again"]
