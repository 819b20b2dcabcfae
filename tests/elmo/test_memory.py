"""The bound of memory that the README states, at the original size."""

import os

import pytest
from elmo_process import ROOT, run_new_python

BOUND_GB = 2.5

PEAK = """
import sys
sys.path.insert(0, {root!r})
import keras, numpy as np, tensorflow as tf
from elmo_tf.elmo.elmo_layer import ElmoLayer
from elmo_tf.options import Options
elmo = ElmoLayer(Options.from_file({root!r} + "/configs/original.json"))
inputs = keras.Input((None,), dtype="string")
model = keras.Model(inputs, elmo(inputs))
words = np.array([[f"{{row}}_{{step}}_{{'x' * 42}}" for step in range(200)] for row in range(64)])  # all distinct, long
assert len(np.unique(words)) == 12_800
assert model.predict(tf.constant(words), batch_size=64, verbose=0).shape == (64, 200, 1024)
from benchmarks.harness import peak_memory
print(peak_memory() / 1e9)
"""


def test_64_sentences_of_200_tokens_stay_below_the_bound(tmp_path):
    if not os.path.exists("/proc/self/status"):
        pytest.skip("this system does not tell the peak of a process without that of its parent")
    peak = float(run_new_python(PEAK.format(root=str(ROOT)), tmp_path).split()[-1])
    assert peak < BOUND_GB, f"{peak:.2f} GB"
