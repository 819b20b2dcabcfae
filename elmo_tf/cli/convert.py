"""`elmo-tf convert`."""

import sys
from collections.abc import Sequence

from elmo_tf.cli import flags as shared_flags
from elmo_tf.cli.flags import FlagSet, FlagValues
from elmo_tf.cli.quiet import start_tensorflow
from elmo_tf.conversion.targets import TARGETS

SUMMARY = "a model in another form: HDF5 for AllenNLP, a TensorFlow 1 checkpoint for bilm-tf, ..."

DESCRIPTION = """
    Writes a model in another form: hdf5 (weights.hdf5, as AllenNLP, bilm-tf and simple_elmo read it), checkpoint (a
    folder that elmo-tf train goes on from), tf1 (a TensorFlow 1 checkpoint that bilm-tf goes on from) or safetensors
    (for PyTorch code of your own), each with options.json and vocab.txt. What was written is read back, and a few
    sentences are embedded from both; nothing stays behind where they differ. For example:

      elmo-tf convert --model_dir=model --output_dir=hdf5

    --target says who shall read it: a model that this program cannot load is refused, by what it would break on. To
    checkpoint and tf1, Adagrad's accumulators and the step come along where the model has them; --vocab_file names the
    vocabulary of bilm-tf's checkpoints, which lie without one, or a new one: words in both keep their softmax rows.
"""


def define_flags(flag_set: FlagSet) -> None:
    """Declares the command's flags."""
    shared_flags.any_model(flag_set, shared_flags.ANY_MODEL)
    flag_set.string("output_dir", None, "folder for the new files; with --zip the ZIP file's name", required=True)
    flag_set.choice("format", "hdf5", ("hdf5", "checkpoint", "tf1", "safetensors"), "the form to write")
    flag_set.choice("target", "any", ("any", *TARGETS), "the program that shall read it, whose limits are checked")
    flag_set.boolean("zip", False, "write a ZIP file, as those of the NLPL repository")
    flag_set.boolean("softmax", False, "write softmax.hdf5 too, or into the safetensors; the others always have it")
    shared_flags.vocab_file(
        flag_set, "the model's vocabulary, where none lies beside it; or a new one, for checkpoint and tf1", False
    )
    flag_set.string("softmax_file", None, "a softmax.hdf5 to take and write, where the model has none")
    shared_flags.checkpoint(flag_set)


def run(values: FlagValues, arguments: Sequence[str]) -> None:
    """Calls `elmo_tf.conversion.convert`."""
    start_tensorflow()
    from elmo_tf.conversion.convert import ConvertSettings, convert

    settings = ConvertSettings(
        form=values.format,
        zipped=values.zip,
        softmax=values.softmax,
        target=None if values.target == "any" else values.target,
        vocab_file=values.vocab_file,
        softmax_file=values.softmax_file,
    )
    done = convert(values.model_dir, values.output_dir, shared_flags.which_checkpoint(values), settings)
    where = ", ".join(done.paths)
    print(
        f"{done.source}: {done.arrays} arrays of {done.numbers:,} numbers, read back equal, in {where}; "
        f"largest difference of vectors {done.difference:.1g}"
    )
    if done.limits and settings.target is None:
        print(f"note: AllenNLP cannot load this model: {'; '.join(done.limits)}", file=sys.stderr)
    for note in done.notes:
        print(f"note: {note}", file=sys.stderr)
