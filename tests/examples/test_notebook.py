"""The notebook runs from top to bottom, and its cells are stored without outputs."""

import json
import pathlib

import numpy as np
import pytest
from hdf5_files import write_arrays
from model_cases import weights_of
from tiny import options

from elmo_tf.models.bilm import BiLM

NOTEBOOK = json.loads((pathlib.Path(__file__).parents[2] / "examples" / "notebook.ipynb").read_text(encoding="utf-8"))
CODE = ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


def test_the_cells_hold_no_outputs_and_every_heading_has_code():
    kinds = [cell["cell_type"] for cell in NOTEBOOK["cells"]]
    assert kinds[0] == "markdown"
    assert kinds[-1] == "code"
    for cell in NOTEBOOK["cells"]:
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None


def test_the_notebook_runs_from_top_to_bottom(tmp_path, capsys):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    bilm = BiLM(options())
    bilm.build(None)
    write_arrays(str(tmp_path / "weights.hdf5"), weights_of(bilm))
    options().write(str(tmp_path / "options.json"))
    assert CODE[0] == 'MODEL = "small"'
    found = {"MODEL": str(tmp_path)}
    for number, cell in enumerate(CODE[1:], 2):
        exec(compile(cell, f"cell {number}", "exec"), found)
    assert found["similarity"][0] == pytest.approx(1, abs=1e-6)
    assert all(value < 1 - 1e-6 for value in found["similarity"][1:])
    assert found["plane"].shape == (8, 2)
    np.testing.assert_allclose(found["plane"].mean(0), 0, atol=1e-5)
    assert len(found["axes"].collections) == 2
    accuracy = found["history"].history["accuracy"]
    assert accuracy[-1] > accuracy[0]
    assert len(found["found"]) == 5
    assert "layer 0: cosine 1.000" in capsys.readouterr().out
    matplotlib.pyplot.close("all")
