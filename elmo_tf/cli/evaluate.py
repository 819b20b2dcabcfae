"""`elmo-tf evaluate`."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from elmo_tf.cli import flags as shared_flags
from elmo_tf.cli.flags import FlagSet, FlagValues
from elmo_tf.cli.quiet import start_tensorflow
from elmo_tf.errors import InputError

if TYPE_CHECKING:
    from elmo_tf.data.corpus import Corpus
    from elmo_tf.inference.evaluator import Perplexity
    from elmo_tf.store.load_model import LoadedLanguageModel

_LARGEST_LOSS = 80.0
"""The largest mean loss, in nats per token, that counts as a result, as for `Evaluator`."""

SUMMARY = "the exact perplexity of held-out text, forward, backward and both"

DESCRIPTION = """
    Scores every token of a text once, with the softmax over the whole vocabulary, the LSTM states carried along. Prints
    one JSON line: tokens (words and sentence ends) and unknown_tokens (those outside the vocabulary), loss_forward and
    loss_backward in nats, perplexity_forward and perplexity_backward, perplexity (the arithmetic mean of the two, as in
    the paper) and perplexity_geometric (what bilm-tf prints). For example:

      elmo-tf evaluate --model_dir=model --test_files='test/*.txt'

    --fresh_states reads every sentence from the zero state, so that the sums are those of elmo-tf score.

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
    flag_set.boolean(
        "fresh_states", False, "read every sentence from the zero state, as elmo-tf score does, and in no rows"
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
    if compatible and values.fresh_states:
        raise InputError(
            "--fresh_states: expected without --bilm_tf_compatible, for bilm-tf carries the states along, got both",
            option="fresh_states",
        )
    paths = expand_patterns(values.test_files, "--test_files")
    loaded = load_language_model(values.model_dir, shared_flags.which_checkpoint(values), values.vocab_file)
    corpus = Corpus.scan(paths, blank_lines=compatible)
    print(f"{loaded.source}: {corpus.sentences:,} sentences, {corpus.words:,} words", file=sys.stderr, flush=True)
    counter = shared_flags.Counter(corpus.predictions, "tokens")
    if values.fresh_states:
        result = _perplexity_from_zero_states(loaded, corpus, values.batch_size * values.unroll_steps, counter)
    else:
        steps = 1 if compatible else values.unroll_steps
        rows = values.batch_size
        result = Evaluator(loaded.model, corpus, loaded.vocabulary, rows, steps, drop_remainder=compatible)(counter)
    counter.close()
    print(json.dumps(result.to_dict()), flush=True)


def _perplexity_from_zero_states(
    loaded: "LoadedLanguageModel", corpus: "Corpus", batch_tokens: int, counter: shared_flags.Counter
) -> "Perplexity":
    from elmo_tf.bulk.score_file import ScoreTotals
    from elmo_tf.data.sentences import sentences_in_file_order
    from elmo_tf.inference.scorer import Scorer

    totals = ScoreTotals()
    for score in Scorer(loaded.model, loaded.vocabulary, batch_tokens)(sentences_in_file_order(corpus)):
        totals.add(score)
        counter(totals.predictions)
    result = totals.to_perplexity()
    if not all(loss < _LARGEST_LOSS for loss in result.losses):  # true for NaN too, which is smaller than no number
        raise InputError(
            f"{loaded.source} gives losses that are not finite, or beyond {_LARGEST_LOSS:.0f} nats a token: its "
            "weights are damaged, or training diverged",
            path=loaded.source,
        )
    return result
