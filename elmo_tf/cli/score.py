"""`elmo-tf score`."""

import sys
from collections.abc import Sequence

from elmo_tf.cli import flags as shared_flags
from elmo_tf.cli import ray_flags
from elmo_tf.cli.flags import FlagSet, FlagValues
from elmo_tf.cli.quiet import start_tensorflow
from elmo_tf.errors import InputError

SUMMARY = "log-probabilities and perplexity of every sentence, or of every token"

DESCRIPTION = """
    Scores the sentences of a text with both directions of a language model, each sentence from the zero state, and
    writes one row for each while it reads. Logarithms are natural ones. For example:

      elmo-tf score --model_dir=model --input_file=sentences.txt > scores.tsv
      echo "A sentence ." | elmo-tf score --model_dir=model --input_file=- --per_token

    Of a sentence of n words each direction makes n + 1 predictions. The forward direction predicts every word from the
    words before it, and at the end </S>. The backward direction predicts every word from the words after it, and at the
    end <S>. Of the two words "A sentence" the forward log-probability is
    log p(A | <S>) + log p(sentence | <S> A) + log p(</S> | <S> A sentence), and the backward one is
    log p(sentence | </S>) + log p(A | </S> sentence) + log p(<S> | </S> sentence A).

    Columns: line; tokens, the words; unknown_tokens, those outside the vocabulary, which are scored as <UNK>;
    log_probability, the mean of log_probability_forward and log_probability_backward; perplexity, the mean of
    perplexity_forward and perplexity_backward, each the exponential of the direction's mean cross-entropy over n + 1
    predictions. With --per_token there is a row a token instead: <S> at position 0 with its backward number, the words,
    and </S> with its forward number.
"""


def define_flags(flag_set: FlagSet) -> None:
    """Declares the command's flags."""
    shared_flags.any_model(flag_set, shared_flags.ANY_MODEL + "; it must have its softmax")
    shared_flags.sentences_to_rows(flag_set)
    flag_set.choice(
        "output_format",
        "tsv",
        ("tsv", "jsonl", "parquet"),
        "tab-separated columns, or one JSON object a line; with --engine=ray parquet, a folder of Parquet files",
    )
    flag_set.boolean("per_token", False, "write the log-probabilities of every token")
    flag_set.integer("batch_tokens", 2048, "tokens computed at a time: less for less memory", lower=1)
    ray_flags.define_engine(flag_set)
    shared_flags.checkpoint(flag_set)
    shared_flags.vocab_file(flag_set, shared_flags.VOCAB_OF_MODEL, required=False)


def run(values: FlagValues, arguments: Sequence[str]) -> None:
    """Calls `elmo_tf.bulk.score_file.score_file`, or its namesake in `elmo_tf.bulk.ray`."""
    if (values.engine == "ray") != (values.output_format == "parquet"):
        raise InputError(
            f"--output_format={values.output_format}: expected parquet with --engine=ray, and tsv or jsonl without",
            option="output_format",
        )
    start_tensorflow()
    if values.engine == "ray":
        _score_by_ray(values)
        return
    shared_flags.check_output_file(values)
    from elmo_tf.bulk.input_text import read_sentences
    from elmo_tf.bulk.score_file import score_file
    from elmo_tf.inference.scorer import Scorer
    from elmo_tf.store.load_model import load_language_model

    sentences = read_sentences(values.input_file, values.input_format, "--input_file")
    loaded = load_language_model(values.model_dir, shared_flags.which_checkpoint(values), values.vocab_file)
    scorer = Scorer(loaded.model, loaded.vocabulary, values.batch_tokens)
    counter = shared_flags.Counter(None, "sentences")
    totals = score_file(scorer, sentences, values.output_file, values.output_format, values.per_token, counter)
    counter.close()
    if totals.predictions:
        print(
            f"{loaded.source}: {totals.sentences:,} sentences, {totals.predictions:,} predictions in each direction, "
            f"{totals.unknown:,} unknown words, perplexity {totals.perplexity:.4f}",
            file=sys.stderr,
        )


def _score_by_ray(values: FlagValues) -> None:
    from elmo_tf.bulk.ray import score_file as score_file_by_ray
    from elmo_tf.data.text import expand_patterns

    if values.output_file == "-" or "-" in values.input_file:
        raise InputError("--engine=ray: expected files to read and a folder to write, got -", option="engine")
    done = score_file_by_ray(
        values.model_dir,
        expand_patterns(values.input_file, "--input_file"),
        values.output_file,
        batch_tokens=values.batch_tokens,
        per_token=values.per_token,
        input_format=values.input_format,
        **ray_flags.arguments_of_ray(values),
    )
    ray_flags.print_rows(values.output_file, done)
