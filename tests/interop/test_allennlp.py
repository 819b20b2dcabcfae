"""AllenNLP's own `Elmo`, in the package simple-elmo-pytorch, loads what we export and gives our vectors."""

import interop_models
import numpy as np
import pytest
from model_cases import CASES, CHARACTERS, changed
from model_folders import hdf5_folder

from elmo_tf.conversion.convert import allennlp_limits, convert
from elmo_tf.inference.sentence_embedder import SentenceEmbedder
from elmo_tf.options import Options
from elmo_tf.store.load_model import load_bilm

BASE = changed(CHARACTERS, cnn_max_characters_per_token=50, lstm_dim=24, lstm_projection_dim=7)
PUBLISHED_FILTERS = [[1, 4], [2, 4], [3, 8], [4, 16], [5, 32], [6, 64], [7, 128]]

SHAPES = {
    "one highway": BASE,
    "two highways": changed(BASE, cnn_n_highway=2),
    "no highway": changed(BASE, cnn_n_highway=0),
    "tanh": changed(BASE, cnn_activation="tanh", cnn_n_highway=2),
    "tight clips": changed(BASE, lstm_cell_clip=0.2, lstm_proj_clip=0.1),
    "no clips": changed(BASE, lstm_cell_clip=None, lstm_proj_clip=None),
    "one layer": changed(BASE, lstm_n_layers=1),
    "three layers, one filter": changed(BASE, lstm_n_layers=3, cnn_filters=[[4, 30]]),
    "the published model in small": changed(
        BASE,
        cnn_filters=PUBLISHED_FILTERS,
        cnn_embedding={"dim": 16},
        cnn_n_highway=2,
        lstm_dim=256,
        lstm_projection_dim=64,
    ),
}
FROM_CHECKPOINT = ("one highway", "tight clips")


@pytest.fixture(scope="module", autouse=True)
def installed():
    interop_models.need("torch", "simple_elmo_pytorch")


@pytest.fixture(scope="module")
def came(tmp_path_factory, installed):
    return interop_models.compared("allennlp", SHAPES, tmp_path_factory.mktemp("allennlp"), FROM_CHECKPOINT)


@pytest.mark.parametrize("name", SHAPES)
def test_every_layer_and_the_mix_are_ours(came, name):
    interop_models.check_same(*came[name])


def test_bilm_tfs_and_allennlps_own_models_give_ours_too(shared, tmp_path):
    jobs, embedders = [], []
    for source in ("bilm-tf-trained/char_2layer", "allennlp-fixture"):
        folder = tmp_path / source
        hdf5_folder(shared / "parity" / source, folder / "model")
        convert(str(folder / "model"), str(folder / "hdf5"))
        embedders.append(SentenceEmbedder(load_bilm(str(folder / "model")).bilm))
        jobs.append(interop_models.job(folder, 3))
    for found, embed, job in zip(interop_models.consume("allennlp", jobs, tmp_path), embedders, jobs, strict=True):
        interop_models.check_same(found, embed, job)


def test_the_states_that_it_carries_from_batch_to_batch_are_those_of_the_bilm(tmp_path):
    interop_models.exported(tmp_path, BASE)
    batch = [["The", "cat", "sat"], ["One"]]
    job = interop_models.job(tmp_path, 3, [batch, batch[::-1]], keep_states=True)
    found = interop_models.consume("allennlp", [job], tmp_path)[0]
    bilm, state = load_bilm(str(tmp_path / "hdf5")).bilm, None
    for number, sentences in enumerate(job["batches"]):
        layers, state = layers_of(bilm, sentences, state)
        for row, sentence in enumerate(sentences):
            expected = layers[row, :, 1 : len(sentence) + 1]
            np.testing.assert_allclose(found[f"{number}/{row}/layers"], expected, rtol=0, atol=1e-5)
    fresh = layers_of(bilm, job["batches"][1], None)[0]
    assert np.abs(fresh - layers)[:, 1:].max() > 1e-3


def layers_of(bilm, sentences, state):
    from elmo_tf.data.characters import encode_words

    rows = [["<S>", *sentence, "</S>"] for sentence in sentences]
    steps = max(map(len, rows))
    inputs = np.stack([encode_words(row + [""] * (steps - len(row)), 50) for row in rows])
    mask = np.arange(steps) < np.array([[len(row)] for row in rows])
    layers, state = bilm(inputs, mask=mask, initial_state=state)
    return layers.numpy(), state


REFUSALS = {
    name: changed(case, cnn_max_characters_per_token=50) if "char_cnn" in case else case for name, case in CASES.items()
}
REFUSALS["short words"] = CHARACTERS


def test_it_refuses_what_we_say_it_cannot_load_and_nothing_else(tmp_path):
    jobs = []
    for number, options in enumerate(REFUSALS.values()):
        interop_models.exported(tmp_path / str(number), options)
        jobs.append(interop_models.job(tmp_path / str(number), options["lstm"]["n_layers"] + 1))
    came = ["refused" in found for found in interop_models.consume("allennlp", jobs, tmp_path)]
    expected = [bool(allennlp_limits(Options.from_dict(options))) for options in REFUSALS.values()]
    assert dict(zip(REFUSALS, came, strict=True)) == dict(zip(REFUSALS, expected, strict=True))
    assert {True, False} == set(came)
