"""`elmo-tf convert`."""

import sys
from collections.abc import Sequence

from elmo_tf.cli import flags as shared_flags
from elmo_tf.cli.flags import FlagSet, FlagValues
from elmo_tf.cli.quiet import start_tensorflow

SUMMARY = "weights.hdf5 and options.json for AllenNLP, bilm-tf and simple_elmo"

DESCRIPTION = """
    Writes the weights of a trained model as the HDF5 file that AllenNLP, bilm-tf and simple_elmo read, with
    options.json (n_characters 262, as they want it) and vocab.txt beside it. The file is read back and compared before
    it gets its name. AllenNLP loads only models of both directions, with 50 characters a word, projections and skip
    connections; one beyond that is written with a note. For example:

      elmo-tf convert --model_dir=model --output_dir=hdf5
"""


def define_flags(flag_set: FlagSet) -> None:
    """Declares the command's flags."""
    shared_flags.model_dir(flag_set, "the model: a folder made by elmo-tf train")
    flag_set.string("output_dir", None, "folder for weights.hdf5, options.json and vocab.txt", required=True)
    shared_flags.checkpoint(flag_set)


def run(values: FlagValues, arguments: Sequence[str]) -> None:
    """Calls `elmo_tf.conversion.convert`."""
    start_tensorflow()
    from elmo_tf.conversion import convert

    done = convert(values.model_dir, values.output_dir, shared_flags.which_checkpoint(values))
    print(
        f"{done.source}: {done.arrays} arrays of {done.numbers:,} numbers, read back equal, in {', '.join(done.paths)}"
    )
    if done.limits:
        print(f"note: AllenNLP cannot load this model: {'; '.join(done.limits)}", file=sys.stderr)
