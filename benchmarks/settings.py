"""What a benchmark of training steps measures: a model, by its config and the flags that override it, and how long."""

import argparse
import os

from benchmarks import harness
from elmo_tf.options import Options
from elmo_tf.training.settings import TrainSettings

PRECISIONS = TrainSettings.__dataclass_fields__["precision"].metadata["choices"]


def define_flags(parser: argparse.ArgumentParser, steps: int, fewest: int = 1) -> None:
    """--config, --batch_size, --n_negative_samples_batch; and --steps, `steps` if not given, at least `fewest`."""
    parser.add_argument(
        "--config",
        default=os.path.join(harness.ROOT, "configs", "wikitext2.json"),
        help="the model, a JSON file with bilm-tf's names (configs/wikitext2.json)",
    )
    parser.add_argument("--batch_size", type=harness.whole(1), help="rows; overrides the config")
    parser.add_argument(
        "--n_negative_samples_batch", type=harness.whole(1), help="negatives a direction; overrides the config"
    )
    parser.add_argument(
        "--steps", type=harness.whole(fewest), default=steps, help="steps that are measured (%(default)s)"
    )


def define_compute_flags(parser: argparse.ArgumentParser) -> None:
    """--precision and --jit_compile, as of `elmo-tf train`."""
    parser.add_argument("--precision", choices=PRECISIONS, default="float32", help="what is computed in (%(default)s)")
    parser.add_argument("--jit_compile", action="store_true", help="let XLA compile loss and gradients")


def read_options(arguments: argparse.Namespace) -> Options:
    """The config with what the flags say instead."""
    options = Options.from_file(arguments.config)
    names = ("batch_size", "n_negative_samples_batch")
    given = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
    return options.replace(**given, n_tokens_vocab=None)
