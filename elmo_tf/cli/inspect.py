"""`elmo-tf inspect`."""

from collections.abc import Sequence

from elmo_tf.cli import flags as shared_flags
from elmo_tf.cli.flags import FlagSet, FlagValues
from elmo_tf.cli.quiet import start_tensorflow

SUMMARY = "describe a model: its form, sizes, origin, which programs can load it, what is odd"

DESCRIPTION = """
    Describes the model in a folder or file: its form, its architecture, every array and its shape, the vocabulary, the
    number of characters, the training steps, the file's SHA-256 and whether it is that of a published model, which
    programs can load it (or why they cannot), and what is odd about it. All weights are read. For example:

      elmo-tf inspect --model_dir=hdf5

    or shorter: elmo-tf inspect hdf5
"""

POSITIONAL = "model_dir"
"""The flag whose value may be given without its name."""


def define_flags(flag_set: FlagSet) -> None:
    """Declares the command's flags."""
    shared_flags.any_model(flag_set, shared_flags.ANY_MODEL)
    shared_flags.checkpoint(flag_set)


def run(values: FlagValues, arguments: Sequence[str]) -> None:
    """Calls `elmo_tf.conversion.inspection.inspect`."""
    start_tensorflow()
    from elmo_tf.conversion.inspection import inspect

    print(inspect(values.model_dir, shared_flags.which_checkpoint(values)).describe())
