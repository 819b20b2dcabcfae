"""The flags that say which model and how many steps a benchmark of training steps measures."""

import argparse
import os

from benchmarks import harness
from elmo_tf.options import Options
from elmo_tf.training.settings import TrainSettings

PRECISIONS = TrainSettings.__dataclass_fields__["precision"].metadata["choices"]


def define_flags(parser: argparse.ArgumentParser, steps: int, fewest: int = 1) -> None:
    """Declares --config, --batch_size, --n_negative_samples_batch, and --steps with a default and a lower bound."""
    parser.add_argument(
        "--config",
        default=os.path.join(harness.ROOT, "configs", "wikitext2.json"),
        help="the model, a JSON file with bilm-tf's names (configs/wikitext2.json)",
    )
    parser.add_argument("--batch_size", type=harness.whole(1), help="rows; overrides the config")
    parser.add_argument(
        "--n_negative_samples_batch", type=harness.whole(1), help="negatives in each direction; overrides the config"
    )
    parser.add_argument(
        "--steps", type=harness.whole(fewest), default=steps, help="number of steps to measure (%(default)s)"
    )


def define_compute_flags(parser: argparse.ArgumentParser) -> None:
    """Declares --precision and --jit_compile, which mean the same as for `elmo-tf train`."""
    parser.add_argument(
        "--precision", choices=PRECISIONS, default="float32", help="type of the matrix products (%(default)s)"
    )
    parser.add_argument("--jit_compile", action="store_true", help="let XLA compile loss and gradients")


def read_options(arguments: argparse.Namespace) -> Options:
    """Reads the options of the config file; flags that are given replace its values."""
    options = Options.from_file(arguments.config)
    names = ("batch_size", "n_negative_samples_batch")
    given = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
    return options.replace(**given, n_tokens_vocab=None)
