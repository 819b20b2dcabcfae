"""`elmo-tf inspect`."""

from collections.abc import Sequence

from elmo_tf.cli import flags as shared_flags
from elmo_tf.cli.flags import FlagSet, FlagValues
from elmo_tf.cli.quiet import start_tensorflow

SUMMARY = "what a model is: its form, sizes, origin, who can load it, what is odd about it"

DESCRIPTION = """
    Says what lies in a folder or file: the form, the architecture, every array and its shape, vocabulary, characters,
    training steps, the file's SHA-256 and whether it is that of a published model, which programs can load it and why
    not, and what is odd about it. Every number is read. For example:

      elmo-tf inspect --model_dir=hdf5

    or, for short, elmo-tf inspect hdf5.
"""

POSITIONAL = "model_dir"
"""The flag whose value may stand alone."""


def define_flags(flag_set: FlagSet) -> None:
    """Declares the command's flags."""
    shared_flags.any_model(flag_set, shared_flags.ANY_MODEL)
    shared_flags.checkpoint(flag_set)


def run(values: FlagValues, arguments: Sequence[str]) -> None:
    """Calls `elmo_tf.conversion.inspection.inspect`."""
    start_tensorflow()
    from elmo_tf.conversion.inspection import inspect

    print(inspect(values.model_dir, shared_flags.which_checkpoint(values)).describe())
