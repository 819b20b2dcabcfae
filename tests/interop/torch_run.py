"""A process with PyTorch and without TensorFlow, for the two do not share a process well.

    python torch_run.py allennlp|plain jobs.json

Each job names a folder with `weights.hdf5` and `options.json`, batches of sentences and the file to write: an `.npz`
with `<batch>/<sentence>/layers` `(L + 1, tokens, 2 D)` and `<batch>/<sentence>/mixed` `(tokens, 2 D)`, or, where the
module refuses the model, `refused`, what it said.
"""

import importlib.util
import json
import pathlib
import sys

import numpy as np
import torch

PLAIN = pathlib.Path(__file__).parents[2] / "examples" / "pytorch" / "elmo.py"


def padding_is_zero(layers, lengths):
    """Raises where there is something else behind the end of a sentence; layers `(B, ..., T, size)`."""
    for row, length in zip(layers, lengths, strict=True):
        if row[..., length:, :].any():
            raise ValueError("numbers on padding")


def allennlp_vectors(job):
    """AllenNLP's `Elmo`. It carries its LSTM states from call to call: they are reset, unless the job says not to."""
    from simple_elmo_pytorch.models.elmo import Elmo, batch_to_ids

    folder = pathlib.Path(job["folder"])
    elmo = Elmo(
        str(folder / "options.json"),
        str(folder / "weights.hdf5"),
        num_output_representations=1,
        dropout=0.0,
        scalar_mix_parameters=job["mix"],
    ).eval()
    with torch.no_grad():
        elmo.scalar_mix_0.gamma.fill_(job["gamma"])
    for batch in job["batches"]:
        if not job.get("keep_states"):
            elmo._elmo_lstm._elmo_lstm.reset_states()
        result = elmo(batch_to_ids(batch))
        mixed = result["elmo_representations"][0].numpy()
        layers = torch.stack(result["activations"], 1).numpy()
        lengths = result["mask"].sum(-1).tolist()
        if lengths != [len(sentence) for sentence in batch]:
            raise ValueError(f"lengths {lengths}")
        padding_is_zero(mixed, lengths)
        yield [(row[:, 1 : length + 1], mix[:length]) for row, mix, length in zip(layers, mixed, lengths, strict=True)]


def plain_module():
    """`examples/pytorch/elmo.py`, found by its path."""
    spec = importlib.util.spec_from_file_location("elmo", PLAIN)
    module = importlib.util.module_from_spec(spec)
    sys.modules["elmo"] = module
    spec.loader.exec_module(module)
    return module


def plain_vectors(job):
    """The example's `Elmo` and `ScalarMix`."""
    module = plain_module()
    if job.get("safetensors"):
        to_safetensors(module, pathlib.Path(job["folder"]))
    elmo, mix = module.Elmo.from_folder(job["folder"]), module.ScalarMix(len(job["mix"]))
    with torch.no_grad():
        mix.weights.copy_(torch.tensor(job["mix"]))
        mix.gamma.fill_(job["gamma"])
    for batch in job["batches"]:
        layers = elmo(*elmo.encode(batch)).numpy()
        mixed = mix(torch.from_numpy(layers)).detach().numpy()
        lengths = [len(sentence) for sentence in batch]
        padding_is_zero(layers, lengths)
        yield [(row[:, :length], part[:length]) for row, part, length in zip(layers, mixed, lengths, strict=True)]


def to_safetensors(module, folder):
    """`weights.hdf5` becomes `model.safetensors`, of the same names."""
    from safetensors.numpy import save_file

    save_file(module.read_arrays(folder / "weights.hdf5"), folder / "model.safetensors")
    (folder / "weights.hdf5").unlink()


def main(kind, path):
    """Does the jobs one after the other."""
    torch.set_num_threads(1)
    vectors_of = {"allennlp": allennlp_vectors, "plain": plain_vectors}[kind]
    for job in json.loads(pathlib.Path(path).read_text()):
        found = {}
        try:
            with torch.no_grad():
                for number, batch in enumerate(vectors_of(job)):
                    for row, (layers, mixed) in enumerate(batch):
                        found |= {f"{number}/{row}/layers": layers, f"{number}/{row}/mixed": mixed}
        except Exception as error:
            found = {"refused": np.array(f"{type(error).__name__}: {error}")}
        np.savez(job["output"], **found)
    print("tensorflow" in sys.modules, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
