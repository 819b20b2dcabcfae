"""`elmo-tf convert`."""

import sys
from collections.abc import Sequence

from elmo_tf.cli import flags as shared_flags
from elmo_tf.cli.flags import FlagSet, FlagValues
from elmo_tf.cli.quiet import start_tensorflow
from elmo_tf.conversion.targets import TARGETS

SUMMARY = "convert a model: to HDF5 for AllenNLP, to a TensorFlow 1 checkpoint for bilm-tf, ..."

DESCRIPTION = """
    Writes a model in another form: hdf5 (weights.hdf5, as AllenNLP, bilm-tf and simple_elmo read it), checkpoint (a
    folder that elmo-tf train goes on from), tf1 (a TensorFlow 1 checkpoint that bilm-tf goes on from) or safetensors
    (for PyTorch code of your own), each with options.json and vocab.txt. The new files are read back, and a few
    sentences are embedded with both models; if anything differs, no file is kept. For example:

      elmo-tf convert --model_dir=model --output_dir=hdf5

    --target names the program that will read the files: a model that it cannot load is refused, with the reasons. The
    forms checkpoint and tf1 also take Adagrad's accumulators and the training step, where the model has them.
    --vocab_file names the vocabulary of a model that has none beside it, such as bilm-tf's checkpoints. To checkpoint
    and tf1 it may be a new vocabulary: words that are in both vocabularies keep their rows of the softmax.
"""


def define_flags(flag_set: FlagSet) -> None:
    """Declares the command's flags."""
    shared_flags.any_model(flag_set, shared_flags.ANY_MODEL)
    flag_set.string("output_dir", None, "folder for the new files; with --zip, the name of the ZIP file", required=True)
    flag_set.choice("format", "hdf5", ("hdf5", "checkpoint", "tf1", "safetensors"), "the form to write")
    flag_set.choice("target", "any", ("any", *TARGETS), "the program that will read the files; its limits are checked")
    flag_set.boolean("zip", False, "write one ZIP file, like those of the NLPL repository")
    flag_set.boolean(
        "softmax", False, "with hdf5 and safetensors, write the softmax too; the other forms always contain it"
    )
    shared_flags.vocab_file(
        flag_set,
        "the model's vocabulary, if there is none beside it; for checkpoint and tf1 it may be a new one",
        False,
    )
    flag_set.string("softmax_file", None, "a softmax.hdf5 to read and write, for a model that has no softmax")
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
