"""`elmo-tf push`."""

import os
import tempfile
from collections.abc import Sequence

from elmo_tf.cli import flags as shared_flags
from elmo_tf.cli.flags import FlagSet, FlagValues
from elmo_tf.cli.quiet import start_tensorflow

SUMMARY = "upload a model to the Hugging Face Hub, with a model card"

DESCRIPTION = """
    Uploads a model of any form to the Hugging Face Hub: weights.hdf5 and options.json, which AllenNLP, bilm-tf and
    simple_elmo read too, the vocabulary, the softmax if there is one, and a model card that says how the model was
    trained, how good it is and how to use it. For example:

      elmo-tf push --model_dir=model --repo=user/model --license=apache-2.0 --language=nb

    With --output_dir the files are written into that folder and nothing is uploaded. To log in, use the program
    `hf auth login` or the environment variable HF_TOKEN. Needs huggingface_hub: pip install 'elmo_tf[hub]'.
    Everybody can then give hf://user/model for --model_dir.
"""


def define_flags(flag_set: FlagSet) -> None:
    """Declares the command's flags."""
    shared_flags.any_model(flag_set, shared_flags.ANY_MODEL)
    flag_set.string("repo", None, "the repository on the Hub, USER/MODEL; created if it does not exist", required=True)
    flag_set.string(
        "license", None, "the licence of the model, by its identifier on the Hub, such as cc-by-4.0", required=True
    )
    flag_set.patterns("language", "the codes of the languages, comma-separated, such as nb,nn")
    flag_set.boolean("private", False, "make a new repository private")
    flag_set.string("output_dir", None, "a new folder to write the files into, in place of the upload")
    shared_flags.checkpoint(flag_set)
    shared_flags.vocab_file(flag_set, shared_flags.VOCAB_OF_MODEL, required=False)


def run(values: FlagValues, arguments: Sequence[str]) -> None:
    """Converts the model to HDF5, writes its card, and calls `elmo_tf.conversion.push.push`."""
    start_tensorflow()
    from elmo_tf.conversion.convert import ConvertSettings, convert
    from elmo_tf.conversion.push import PushSettings, push, write_card
    from elmo_tf.store.hub import import_hub
    from elmo_tf.store.open_model import open_model

    settings = PushSettings(values.repo, values.license, tuple(values.language or ()), values.private)
    which = shared_flags.which_checkpoint(values)
    if not values.output_dir:
        import_hub()  # before the conversion, which takes longer than a missing library should
    with open_model(values.model_dir, which) as stored:
        conversion = ConvertSettings(softmax=stored.has_softmax, vocab_file=values.vocab_file)
    with tempfile.TemporaryDirectory() as temporary:
        folder = values.output_dir or os.path.join(temporary, "upload")
        convert(values.model_dir, folder, which, conversion)
        write_card(values.model_dir, folder, settings, which)
        print(push(folder, settings) if not values.output_dir else f"{folder}: the files of the upload")
