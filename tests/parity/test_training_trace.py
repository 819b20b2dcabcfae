"""Twelve steps of bilm-tf itself, with an active clip: our losses, norms, weights and accumulators."""

import pathlib

import numpy as np
import pytest
from forked_python import run_script

SCRIPT = pathlib.Path(__file__).with_name("trace_run.py")
TOLERANCE = 2e-6


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("trace", ["char_2towers", "word_2towers"])
def test_every_loss_norm_weight_and_accumulator_of_the_trace_is_reproduced(shared, tmp_path, trace, replicas):
    folder = shared / "parity" / "bilm-tf-training-trace" / trace
    output = tmp_path / "run.npz"
    run_script(SCRIPT, folder, replicas, output).check_returncode()
    ours = np.load(output)
    golden = np.load(folder / "losses.npz")
    per_tower = golden["loss_per_tower"]
    expected = per_tower if replicas == 2 else per_tower.mean(1, keepdims=True)
    np.testing.assert_allclose(ours["losses"], expected, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(ours["norms"], golden["global_gradient_norm_before_clip"], rtol=0, atol=TOLERANCE)
    for kind, file in (("weight", "final_weights"), ("accumulator", "final_adagrad_accumulators")):
        arrays = np.load(folder / f"{file}.npz")
        assert len(arrays.files) == len([name for name in ours.files if name.startswith(kind)])
        for name in arrays.files:
            np.testing.assert_allclose(ours[f"{kind}:{name}"], arrays[name], rtol=0, atol=TOLERANCE, err_msg=name)
