"""A process with PyTorch and ELMoForManyLangs, and without TensorFlow, for the two do not share a process well.

    python manylangs_run.py jobs.json

Each job names the folder of a model. Where it has a `configuration`, the script makes the model with the program's own
classes and random weights, and writes its weights with `torch.save`; where it has none, the folder holds the model.
The script writes `goldens.npz` there: for each sentence and each `output_layer` what `Embedder.sents2elmo` gives.
"""

import json
import pathlib
import sys

import numpy as np
import torch
from elmoformanylangs import Embedder
from elmoformanylangs.frontend import Model
from elmoformanylangs.modules.embedding_layer import EmbeddingLayer


def lexicon(path):
    """The rows of `char.dic` or `word.dic`, which the test wrote, by entry."""
    return {entry: int(row) for entry, row in (line.split("\t") for line in path.read_text("utf-8").splitlines())}


def make_model(folder, configuration, legacy, scale):
    """Writes `encoder.pkl` and `token_embedder.pkl` of a new model, in the format of PyTorch 0.4 or in today's."""
    sizes, layers = configuration["token_embedder"], []
    for size, name in (("word_dim", "word.dic"), ("char_dim", "char.dic")):
        layers.append(EmbeddingLayer(sizes[size], lexicon(folder / name), fix_emb=False) if sizes[size] else None)
    model = Model(configuration, *layers)
    for parameter in model.parameters():
        torch.nn.init.uniform_(parameter, -scale, scale)
    for part in ("token_embedder", "encoder"):
        state = getattr(model, part).state_dict()
        torch.save(state, folder / f"{part}.pkl", _use_new_zipfile_serialization=not legacy)


def main(path):
    """Does the jobs one after the other."""
    torch.set_num_threads(1)
    for job in json.loads(pathlib.Path(path).read_text("utf-8")):
        folder, found = pathlib.Path(job["folder"]), {}
        torch.manual_seed(job.get("seed", 0))
        if "configuration" in job:
            make_model(folder, job["configuration"], job["legacy"], job["scale"])
        embedder = Embedder(str(folder), batch_size=len(job["sentences"]))
        for layer in (-2, -1, *range(embedder.config["encoder"]["n_layers"] + 1)):
            if job.get("reset", True):  # it carries the LSTM's states from batch to batch
                embedder.model.encoder.reset_states()
            for number, vectors in enumerate(embedder.sents2elmo(job["sentences"], layer)):
                found[f"{number}/{layer}"] = vectors
        np.savez(folder / "goldens.npz", **found)


if __name__ == "__main__":
    main(sys.argv[1])
