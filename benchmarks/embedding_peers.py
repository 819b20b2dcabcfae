"""Whoever embeds sentences with a folder of `weights.hdf5` and `options.json`: elmo_tf, and others in PyTorch."""

import importlib.util
import os
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks import harness
from elmo_tf.conversion.targets import ALLENNLP, limits
from elmo_tf.options import Options

Embed = Callable[[Sequence[Sequence[str]]], Any]

_EXAMPLE = pathlib.Path(harness.ROOT) / "examples" / "pytorch" / "elmo.py"


def installed(options: Options) -> list[str]:
    """The names of those that this machine can run on a model of these options, ours first."""
    names = ["elmo_tf", "elmo_tf, cache"]
    if importlib.util.find_spec("torch"):
        names += ["examples/pytorch"]
        if importlib.util.find_spec("simple_elmo_pytorch") and not limits(options, ALLENNLP):
            names += ["simple-elmo-pytorch"]
    return names


def load(name: str, folder: str, word_cache: int) -> Embed:
    """What embeds a batch of sentences: all layers, in memory of the CPU."""
    if name.startswith("elmo_tf"):
        return _elmo_tf(folder, word_cache if "cache" in name else 0)
    return _example(folder) if name == "examples/pytorch" else _simple_elmo_pytorch(folder)


def _elmo_tf(folder: str, word_cache: int) -> Embed:
    from elmo_tf.inference.sentence_embedder import SentenceEmbedder
    from elmo_tf.store.load_model import load_bilm

    loaded = load_bilm(folder)
    return SentenceEmbedder(loaded.bilm, loaded.vocabulary, word_cache=word_cache)


def _torch() -> Any:
    import torch

    torch.set_num_threads(harness.cores())
    return torch


def _example(folder: str) -> Embed:
    torch = _torch()
    spec = importlib.util.spec_from_file_location("elmo", _EXAMPLE)
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{_EXAMPLE} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules["elmo"] = module
    spec.loader.exec_module(module)
    elmo = module.Elmo.from_folder(folder)

    def embed(sentences: Sequence[Sequence[str]]) -> Any:
        with torch.no_grad():
            return elmo(*elmo.encode(sentences)).numpy()

    return embed


def _simple_elmo_pytorch(folder: str) -> Embed:
    torch = _torch()
    from simple_elmo_pytorch.models.elmo import Elmo, batch_to_ids

    files = [os.path.join(folder, name) for name in ("options.json", "weights.hdf5")]
    elmo = Elmo(*files, num_output_representations=1, dropout=0.0).eval()

    def embed(sentences: Sequence[Sequence[str]]) -> Any:
        with torch.no_grad():
            return [layer.numpy() for layer in elmo(batch_to_ids(sentences))["activations"]]

    return embed
