"""A stored model that all tests of bulk embedding share, compiled once."""

import pytest
from model_folders import trained_folder

from elmo_tf.inference.sentence_embedder import SentenceEmbedder
from elmo_tf.store.load_model import load_bilm


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """The folder of a tiny model."""
    folder = tmp_path_factory.mktemp("stored") / "model"
    trained_folder(folder, latest=False)
    return folder


@pytest.fixture(scope="session")
def loaded(model):
    """The model, loaded."""
    return load_bilm(model)


@pytest.fixture(scope="session")
def stored_embedder(loaded):
    """The model as an embedder."""
    return SentenceEmbedder(loaded.bilm, loaded.vocabulary)


@pytest.fixture
def compiled_once(loaded, stored_embedder, monkeypatch):
    """Makes runs over `loaded` share what is compiled."""

    def shared(bilm, vocabulary, **arguments):
        is_shared = bilm is loaded.bilm and not arguments
        return stored_embedder if is_shared else SentenceEmbedder(bilm, vocabulary, **arguments)

    monkeypatch.setattr("elmo_tf.bulk.embed.SentenceEmbedder", shared)
