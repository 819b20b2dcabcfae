"""`elmo-tf tokens`."""

import itertools
from collections.abc import Sequence

from elmo_tf.cli import flags as shared_flags
from elmo_tf.cli.flags import FlagSet, FlagValues
from elmo_tf.cli.quiet import start_tensorflow
from elmo_tf.errors import InputError

SUMMARY = "vectors of a list of words without context, to HDF5, word2vec text or TensorBoard"

DESCRIPTION = """
    Writes the vectors that a model's token encoder makes of words, without any context: what bilm-tf's
    dump_token_embeddings writes. For example:

      elmo-tf tokens --model_dir=model --words_file=vocab.txt --output_file=vocab_vectors.hdf5
      elmo-tf tokens --model_dir=model --words_file=words.txt --output_file=words.txt.vec --output_format=word2vec
      elmo-tf tokens --model_dir=model --words_file=vocab.txt --max_words=10000 --output_format=projector \\
                     --output_file=model/tensorboard
      tensorboard --logdir=model/tensorboard

    hdf5 has the dataset embedding (words, projection), which bilm-tf takes as embedding_weight_file, and the dataset
    words. elmo-tf embed, ElmoLayer and SentenceEmbedder take it as vocab_to_cache: they then look these words up
    instead of computing their vectors. word2vec is the text format that gensim reads. projector writes a folder, or
    adds three files to one, that TensorBoard's embedding projector shows.
"""


def define_flags(flag_set: FlagSet) -> None:
    """Declares the command's flags."""
    shared_flags.any_model(flag_set, shared_flags.ANY_MODEL)
    flag_set.string("words_file", None, "the words, one a line, such as a vocabulary; .gz too", required=True)
    flag_set.string("output_file", None, "the file to write; the folder, for projector", required=True)
    flag_set.choice(
        "output_format",
        "hdf5",
        ("hdf5", "word2vec", "projector"),
        "the format of the file, or a folder for TensorBoard's embedding projector",
    )
    flag_set.integer("max_words", 0, "take the first so many words of the file; 0: all", lower=0)
    shared_flags.overwrite(flag_set)
    shared_flags.checkpoint(flag_set)
    shared_flags.vocab_file(flag_set, shared_flags.VOCAB_OF_MODEL, required=False)


def run(values: FlagValues, arguments: Sequence[str]) -> None:
    """Calls `elmo_tf.bulk.token_vectors.write_token_vectors`."""
    start_tensorflow()
    from elmo_tf.bulk.projector import check_projector_folder
    from elmo_tf.bulk.token_vectors import write_token_vectors
    from elmo_tf.data.text import iterate_lines
    from elmo_tf.store.load_model import load_bilm

    if values.output_format == "projector":
        check_projector_folder(values.output_file, values.overwrite)
    else:
        shared_flags.check_output_file(values)
    lines = (word for word in map(str.strip, iterate_lines(values.words_file)) if word)
    words = list(itertools.islice(lines, values.max_words or None))
    if not words:
        raise InputError(f"--words_file={values.words_file} is empty; expected a word a line")
    spaced = next((word for word in words if len(word.split()) > 1), None)
    if spaced is not None and values.output_format == "word2vec":
        raise InputError(f"--words_file={values.words_file}: {spaced!r} holds a space, which word2vec text cannot hold")
    loaded = load_bilm(values.model_dir, shared_flags.which_checkpoint(values), values.vocab_file)
    counter = shared_flags.Counter(len(words), "words")
    write_token_vectors(
        loaded.bilm,
        words,
        values.output_file,
        values.output_format,
        loaded.vocabulary,
        counter,
        overwrite=values.overwrite,
    )
    counter.close()
    print(f"{values.output_file}: {len(words):,} words, from {loaded.source}")
