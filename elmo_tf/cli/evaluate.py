"""`elmo-tf evaluate`."""

import json
import sys
from collections.abc import Sequence

from elmo_tf.cli import flags as shared_flags
from elmo_tf.cli.flags import FlagSet, FlagValues
from elmo_tf.cli.quiet import start_tensorflow
from elmo_tf.errors import InputError

SUMMARY = "the exact perplexity of held-out text, forward, backward and both"

DESCRIPTION = """
    Scores every token of a text once, with the softmax over the whole vocabulary, the LSTM states carried along. Prints
    one JSON line: tokens (words and sentence ends) and unknown_tokens (those outside the vocabulary), loss_forward and
    loss_backward in nats, perplexity_forward and perplexity_backward, perplexity (the arithmetic mean of the two, as in
    the paper) and perplexity_geometric (what bilm-tf prints). For example:

      elmo-tf evaluate --model_dir=model --test_files='test/*.txt'

    --bilm_tf_compatible gives bilm-tf's own figures: token after token in --batch_size rows, a blank line as a sentence
    of no words, without the tail of the text that does not fill all rows.
"""


def define_flags(flag_set: FlagSet) -> None:
    """Declares the command's flags."""
    shared_flags.any_model(flag_set, shared_flags.ANY_MODEL + "; it must have its softmax")
    flag_set.patterns(
        "test_files", "held-out text: files or quoted patterns, comma-separated; a sentence a line", required=True
    )
    flag_set.integer(
        "batch_size", 32, "rows that the text is dealt to; states run along a row, so it matters a little", lower=1
    )
    flag_set.integer("unroll_steps", 20, "tokens of a row at a time; matters as little", lower=1)
    flag_set.boolean(
        "bilm_tf_compatible", False, "score as bilm-tf's run_test.py: a token at a time, the last uneven rows left out"
    )
    shared_flags.vocab_file(flag_set, shared_flags.VOCAB_OF_MODEL, required=False)
    shared_flags.checkpoint(flag_set)


def run(values: FlagValues, arguments: Sequence[str]) -> None:
    """Calls `elmo_tf.inference.evaluator.Evaluator`."""
    start_tensorflow()
    from elmo_tf.data.corpus import Corpus
    from elmo_tf.data.text import expand_patterns
    from elmo_tf.inference.evaluator import Evaluator
    from elmo_tf.store.load_model import load_language_model

    compatible = values.bilm_tf_compatible
    if compatible and values["unroll_steps"].present and values.unroll_steps != 1:
        raise InputError(
            f"--unroll_steps={values.unroll_steps}: expected 1 with --bilm_tf_compatible, as bilm-tf does",
            option="unroll_steps",
        )
    paths = expand_patterns(values.test_files, "--test_files")
    loaded = load_language_model(values.model_dir, shared_flags.which_checkpoint(values), values.vocab_file)
    corpus = Corpus.scan(paths, blank_lines=compatible)
    print(f"{loaded.source}: {corpus.sentences:,} sentences, {corpus.words:,} words", file=sys.stderr, flush=True)
    steps = 1 if compatible else values.unroll_steps
    evaluator = Evaluator(loaded.model, corpus, loaded.vocabulary, values.batch_size, steps, drop_remainder=compatible)
    counter = shared_flags.Counter(corpus.predictions, "tokens")
    result = evaluator(counter)
    counter.close()
    print(json.dumps(result.to_dict()), flush=True)
