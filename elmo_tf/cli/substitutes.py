"""`elmo-tf substitutes`."""

import sys
from collections.abc import Sequence

from elmo_tf.cli import flags as shared_flags
from elmo_tf.cli.flags import FlagSet, FlagValues
from elmo_tf.cli.quiet import start_tensorflow

SUMMARY = "the most probable words in the place of every word, or of a marked one"

DESCRIPTION = """
    Finds, for every word of every sentence, the words of the vocabulary that are most probable in its place, by the
    words before it and the words after it together. A word between two markers, as in "He sat on the **bank** .", is
    the only one of its sentence for which substitutes are written. For example:

      elmo-tf substitutes --model_dir=model --input_file=sentences.txt --count=5
      echo "He sat on the **bank** ." | elmo-tf substitutes --model_dir=model --input_file=-

    Columns: line and position, from 1; word; rank; substitute; score, the sum of forward and backward, the natural
    logarithms of the substitute's probability by the words before the place and by the words after it.
"""


def define_flags(flag_set: FlagSet) -> None:
    """Declares the command's flags."""
    shared_flags.any_model(flag_set, shared_flags.ANY_MODEL + "; it must have its softmax")
    shared_flags.sentences_to_rows(flag_set)
    flag_set.choice("output_format", "tsv", ("tsv", "jsonl"), "tab-separated columns, or one JSON object a word")
    flag_set.integer("count", 10, "substitutes of each word", lower=1)
    flag_set.string("marker", "**", "what stands on both sides of a marked word")
    shared_flags.checkpoint(flag_set)
    shared_flags.vocab_file(flag_set, shared_flags.VOCAB_OF_MODEL, required=False)


def run(values: FlagValues, arguments: Sequence[str]) -> None:
    """Calls `elmo_tf.bulk.substitutes_file.substitutes_file`."""
    start_tensorflow()
    from elmo_tf.bulk.input_text import read_sentences
    from elmo_tf.bulk.substitutes_file import substitutes_file
    from elmo_tf.inference.substitutes import SubstituteFinder
    from elmo_tf.store.load_model import load_language_model

    shared_flags.check_output_file(values)
    sentences = read_sentences(values.input_file, values.input_format, "--input_file")
    loaded = load_language_model(values.model_dir, shared_flags.which_checkpoint(values), values.vocab_file)
    finder = SubstituteFinder(loaded.model, loaded.vocabulary)
    counter = shared_flags.Counter(None, "sentences")
    words = substitutes_file(
        finder, sentences, values.output_file, values.output_format, values.count, values.marker, counter
    )
    counter.close()
    print(f"{loaded.source}: substitutes of {words:,} words", file=sys.stderr)
