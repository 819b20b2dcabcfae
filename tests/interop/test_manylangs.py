"""ELMoForManyLangs' own `Embedder` gives our vectors, for models that it made and for models that the tests made."""

import json
import pathlib
import subprocess
import sys

import interop_models
import manylangs_models
import numpy as np
import pytest
from manylangs_models import CONFIGURATIONS, SENTENCES, changed, random_model, write_model

from elmo_tf.bulk.embed import embed
from elmo_tf.inference.sentence_embedder import SentenceEmbedder
from elmo_tf.store.load_model import load_bilm

RUN = pathlib.Path(__file__).parent / "manylangs_run.py"
TOLERANCE = 1e-5

PUBLISHED = "the published model in small"

THEIRS = {
    **CONFIGURATIONS,
    PUBLISHED: changed(
        encoder={"dim": 64, "projection_dim": 16},
        token_embedder={
            "filters": [[1, 4], [2, 4], [3, 8], [4, 16], [5, 32], [6, 64], [7, 128]],
            "char_dim": 10,
            "word_dim": 20,
            "max_characters_per_token": 50,
        },
    ),
}
"""Models that ELMoForManyLangs makes and saves, every second one in the format of PyTorch 0.4."""

OURS = {"written by the test": False, "written by the test, zipped": True}
"""Models that the tests write, so that PyTorch judges what they write."""

CARRIED = "states carried"
"""A model that is called again without a reset of its states."""


@pytest.fixture(scope="module")
def goldens(tmp_path_factory):
    """Runs `Embedder` once for all models: for each its folder and the arrays by `sentence/output_layer`."""
    interop_models.need("torch", "elmoformanylangs")
    folder, jobs = tmp_path_factory.mktemp("manylangs"), []
    for number, (name, configuration) in enumerate(THEIRS.items()):
        own = pathlib.Path(write_model(folder / name, random_model(configuration)))
        for weights in ("encoder.pkl", "token_embedder.pkl"):
            (own / weights).unlink()
        scale = 0.15 if name == PUBLISHED else 0.6  # so that vectors are near 1, as those of trained models
        drawn = {"seed": number, "scale": scale, "legacy": number % 2 == 0}
        jobs.append({"folder": str(own), "configuration": configuration, **drawn})
    jobs += [{"folder": write_model(folder / name, random_model(), zipped=zipped)} for name, zipped in OURS.items()]
    jobs.append({"folder": write_model(folder / CARRIED, random_model()), "reset": False})
    (folder / "jobs.json").write_text(json.dumps([{"sentences": SENTENCES, **job} for job in jobs]))
    command = [sys.executable, str(RUN), str(folder / "jobs.json")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    names = [pathlib.Path(job["folder"]).name for job in jobs]
    return {name: dict(np.load(folder / name / "goldens.npz")) for name in names}, folder


@pytest.mark.parametrize("name", [*THEIRS, *OURS])
def test_every_layer_is_ours(goldens, name):
    arrays, folder = goldens
    ours = SentenceEmbedder(load_bilm(folder / name).bilm, compiled=False)(SENTENCES)
    for number, layers in enumerate(ours):
        theirs = arrays[name][f"{number}/-2"]
        assert theirs.shape == layers.shape
        np.testing.assert_allclose(layers, theirs, rtol=0, atol=TOLERANCE)


def test_the_output_layers_are_ours_by_other_names(goldens):
    """-1 is the average, -2 all, 0 the token encoder, 1 and 2 the LSTM layers."""
    arrays, folder = goldens
    loaded = load_bilm(folder / "usual")
    embedder = SentenceEmbedder(loaded.bilm, compiled=False)
    for output_layer, layers in ((-2, "all"), (-1, "average"), (0, "0"), (1, "1"), (2, "top")):
        for number, vectors in enumerate(embed(SENTENCES, embedder, layers=layers)):
            theirs = arrays["usual"][f"{number}/{output_layer}"]
            np.testing.assert_allclose(vectors.reshape(theirs.shape), theirs, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", OURS)
def test_the_equations_of_the_tests_are_its_own(goldens, name):
    arrays, _ = goldens
    for number, sentence in enumerate(SENTENCES):
        expected = manylangs_models.layers_of(random_model(), sentence)[:, 1:-1]
        np.testing.assert_allclose(arrays[name][f"{number}/-2"], expected, rtol=0, atol=TOLERANCE)


def test_it_carries_states_from_call_to_call_and_we_do_not(goldens):
    """Only the first batch of an `Embedder` starts from zero; the documentation says so."""
    arrays, _ = goldens
    first, later = arrays["written by the test"], arrays[CARRIED]
    np.testing.assert_allclose(first["0/-2"], later["0/-2"], rtol=0, atol=TOLERANCE)
    assert np.abs(first["0/2"] - later["0/2"]).max() > 1e-3
