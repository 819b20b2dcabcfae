"""What all tests share: the reference data beside the checkout, and quiet, reproducible TensorFlow."""

import os
import pathlib

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
# the same in every process: the number of threads decides the order of sums, and so the last bits
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "2")


@pytest.fixture(scope="session")
def shared() -> pathlib.Path:
    """The folder with corpora and goldens: $ELMO_TF_SHARED, or `shared` beside the checkout; skips where absent."""
    folder = pathlib.Path(os.environ.get("ELMO_TF_SHARED", pathlib.Path(__file__).parents[2] / "shared"))
    if not (folder / "parity").is_dir():
        pytest.skip(f"no reference data in {folder} (set ELMO_TF_SHARED)")
    return folder
