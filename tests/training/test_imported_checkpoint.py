"""A model that was trained elsewhere as a checkpoint; `tests/conversion/test_directions.py` goes on from such ones."""

import os

import numpy as np
import pytest
from full_disk import largest_file

from elmo_tf.errors import InputError
from elmo_tf.training.imported_checkpoint import write_imported


def test_an_imported_model_that_no_disk_takes_leaves_nothing(tmp_path):
    with largest_file(6000), pytest.raises(InputError, match="latest cannot be written: File too large"):
        write_imported(str(tmp_path), {"a": np.ones(9000, np.float32)}, {}, 3)
    assert (os.listdir(tmp_path), os.listdir(tmp_path / "latest")) == (["latest"], [])
