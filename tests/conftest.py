"""Fixtures for all tests: the reference data beside the checkout, and texts; and settings that make TensorFlow
reproducible and quiet."""

import ctypes
import gc
import gzip
import os
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from elmo_tf.data.corpus import Corpus
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.data.word_counts import build_vocabulary, count_corpus

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
# the same number of threads in every process, because it decides the order of sums, and so their last bits
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "2")
# a training run leaves this setting alone where the environment has one; else it would keep freed memory for good
os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", "131072")
# a traced function consists of many small objects, which Python's default looks through again and again: a tenth of the
# time of all tests
gc.set_threshold(100_000, 20, 20)


@pytest.fixture(scope="session")
def shared() -> pathlib.Path:
    """The folder with corpora and reference values, $ELMO_TF_SHARED or `shared` beside the checkout; skips without."""
    folder = pathlib.Path(os.environ.get("ELMO_TF_SHARED", pathlib.Path(__file__).parents[2] / "shared"))
    if not (folder / "parity").is_dir():
        pytest.skip(f"no reference data in {folder} (set ELMO_TF_SHARED)")
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A text of 40 short sentences, half of it in a .gz, half of its words outside the vocabulary."""
    random = np.random.default_rng(0)
    words = [f"known{number}" for number in range(9)] + [f"øther{number}" for number in range(40)]
    lines = [" ".join(random.choice(words, random.integers(1, 9))) for _ in range(40)]
    folder = tmp_path_factory.mktemp("made")
    (folder / "a.txt").write_text("\n".join(lines[:20]))
    (folder / "b.gz").write_bytes(gzip.compress("\n".join(lines[20:]).encode()))
    corpus = Corpus.scan([str(folder / "a.txt"), str(folder / "b.gz")], block_bytes=100)
    return corpus, Vocabulary(("known0", "<S>", "</S>", "<UNK>", *words[1:9]))


TEXTS = ["wikitext2/valid.txt", "multilingual/norwegian_nynorsk.dev.txt", "multilingual/chinese_gsdsimp.dev.txt"]


@pytest.fixture(scope="module", params=[*TEXTS, "multilingual/russian_taiga.dev.txt"])
def real(request, shared):
    """A real text and a vocabulary of its frequent words."""
    path = str(shared / "data" / request.param)
    return Corpus.scan([path]), build_vocabulary(count_corpus([path])[0], max_vocab=500)


@pytest.fixture(scope="module")
def kept_trainers() -> Iterator[None]:
    """Lets the training runs of a module share traced training steps (`kept_trainers.py`)."""
    from kept_trainers import keep_trainers

    with pytest.MonkeyPatch.context() as patch:
        keep_trainers(patch.setattr)
        yield


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of words in every call of the token encoder so far."""
    from elmo_tf.inference import word_vectors

    seen: list[int] = []
    encode = word_vectors.encode_characters

    def count(encoder: Any, ids: Any, *rest: Any) -> Any:
        seen.append(len(ids))
        return encode(encoder, ids, *rest)

    monkeypatch.setattr(word_vectors, "encode_characters", count)
    return seen


@pytest.fixture(scope="module", autouse=True)
def freed() -> Iterator[None]:
    """Frees a module's graphs behind it: traced functions are kept by cycles, and the allocator keeps their memory."""
    yield
    if "keras" in sys.modules:
        sys.modules["keras"].backend.clear_session()
    gc.collect()
    # what TensorFlow and Keras keep for good is not searched again after every other module, which took seconds
    gc.freeze()
    ctypes.CDLL(None).malloc_trim(0)
