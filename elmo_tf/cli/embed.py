"""`elmo-tf embed`."""

from collections.abc import Sequence

from elmo_tf.cli import flags as shared_flags
from elmo_tf.cli.flags import FlagSet, FlagValues
from elmo_tf.cli.quiet import start_tensorflow
from elmo_tf.errors import InputError

SUMMARY = "write the vectors of all layers for every token of a file, to HDF5"

DESCRIPTION = """
    Embeds a file with one tokenised sentence per line. The HDF5 file gets one float32 dataset per line. Its key is the
    line's number, from 0; its shape is (layers, tokens, 2 * projection). Layer 0 is the vector of the token alone,
    twice; the LSTM layers follow, forward and backward side by side. A sentence's vectors do not depend on the
    sentences around it. For example:

      elmo-tf embed --model_dir=model --input_file=sentences.txt --output_file=embeddings.hdf5
      python -c "import h5py; print(h5py.File('embeddings.hdf5')['0'].shape)"
"""


def define_flags(flag_set: FlagSet) -> None:
    """Declares the command's flags."""
    shared_flags.any_model(flag_set, shared_flags.ANY_MODEL)
    flag_set.string("input_file", None, "text, one tokenised sentence per line, plain or .gz", required=True)
    flag_set.string("output_file", None, "the HDF5 file to write", required=True)
    flag_set.integer("batch_tokens", 4096, "tokens to compute at a time; fewer need less memory", lower=1)
    shared_flags.checkpoint(flag_set)
    shared_flags.vocab_file(flag_set, shared_flags.VOCAB_OF_MODEL, required=False)


def run(values: FlagValues, arguments: Sequence[str]) -> None:
    """Calls `elmo_tf.bulk.embed_file.embed_file`."""
    start_tensorflow()
    from elmo_tf.bulk.embed_file import embed_file
    from elmo_tf.data.text import expand_patterns
    from elmo_tf.inference.sentence_embedder import SentenceEmbedder
    from elmo_tf.store.load_model import load_bilm

    input_file, *others = expand_patterns([values.input_file], "--input_file")
    if others:
        raise InputError(
            f"--input_file={values.input_file}: expected one file, got {1 + len(others)}", option="input_file"
        )
    loaded = load_bilm(values.model_dir, shared_flags.which_checkpoint(values), values.vocab_file)
    embed = SentenceEmbedder(loaded.bilm, loaded.vocabulary)
    counter = shared_flags.Counter(None, "lines")
    lines, tokens = embed_file(embed, input_file, values.output_file, values.batch_tokens, counter)
    counter.close()
    print(f"{values.output_file}: {lines:,} lines, {tokens:,} tokens, from {loaded.source}")
