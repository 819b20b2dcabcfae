"""`elmo-tf train`."""

from collections.abc import Sequence

from elmo_tf.cli import flags as shared_flags
from elmo_tf.cli.flags import FlagSet, FlagValues
from elmo_tf.cli.quiet import start_tensorflow
from elmo_tf.errors import InputError
from elmo_tf.options import Options

SUMMARY = "train a biLM on text; the same command goes on where the last checkpoint was"

DESCRIPTION = """
    Trains a bidirectional language model on tokenised text, a sentence a line, and keeps it in --model_dir, with its
    options, vocabulary, checkpoints (latest and best), log.csv and TensorBoard logs. Give the same command again to go
    on where the last checkpoint was, with Ctrl-C in between as you like. For example:

      elmo-tf vocab --train_files='corpus/*.txt' --vocab_file=vocab.txt --min_count=2
      elmo-tf train --flagfile=configs/small.flags --train_files='corpus/*.txt' --valid_files='held/*.txt' \\
                    --vocab_file=vocab.txt --model_dir=model
      tensorboard --logdir=model/tensorboard

    What the progress bar calls sampled_loss is the loss of the sampled softmax and no perplexity; the validations
    report the exact perplexity of --valid_files, forward, backward and both.
"""

HANDLES_SIGTERM = True
"""It ends after the step under way, with a checkpoint."""

_TRAINING_OPTIONS = (
    "batch_size",
    "unroll_steps",
    "n_epochs",
    "dropout",
    "sample_softmax",
    "n_negative_samples_batch",
    "all_clip_norm_val",
    "learning_rate",
)


def define_flags(flag_set: FlagSet) -> None:
    """Declares the command's flags."""
    shared_flags.train_files(flag_set)
    flag_set.patterns("valid_files", "held-out text, for validation: files or quoted patterns, as for --train_files")
    shared_flags.vocab_file(flag_set, "the vocabulary, from elmo-tf vocab")
    shared_flags.model_dir(flag_set, "folder that the model is kept in; a run that it holds is continued")
    flag_set.string(
        "options_file",
        None,
        "the model's architecture, a JSON file with bilm-tf's names, such as configs/small.json; a relative name is "
        "also looked for beside the flagfile",
        required=True,
    )
    flag_set.string(
        "initialize_from",
        None,
        "a trained model, of any form that elmo-tf convert reads, whose weights a new run starts from; give its "
        "options.json for --options_file",
    )
    flag_set.string(
        "initialize_vocab_file",
        None,
        "the vocabulary of the model of --initialize_from, where none lies beside it, as in bilm-tf's checkpoint "
        "folders: words in both vocabularies keep their rows of the softmax",
    )
    shared_flags.mirror(flag_set)
    _define_training(flag_set)
    _define_run(flag_set)


def _define_training(flag_set: FlagSet) -> None:
    overrides = "; overrides the options file"
    flag_set.integer("batch_size", None, "rows a replica (GPU)" + overrides)
    flag_set.integer("unroll_steps", None, "tokens of a row in one step" + overrides)
    flag_set.integer("n_epochs", None, "passes over the training text" + overrides)
    flag_set.number("dropout", None, "dropout rate on the input of every LSTM layer and on the last output" + overrides)
    flag_set.boolean("sample_softmax", None, "train with the sampled softmax, or, negated, the full one" + overrides)
    flag_set.integer("n_negative_samples_batch", None, "negatives of the sampled softmax" + overrides)
    flag_set.number("all_clip_norm_val", None, "bound of the gradient's global norm" + overrides)
    flag_set.number("learning_rate", None, "learning rate of Adagrad" + overrides)


def _define_run(flag_set: FlagSet) -> None:
    flag_set.integer("max_steps", 0, "stop after so many steps, whatever the epochs; 0: no such bound", lower=0)
    flag_set.integer("patience", 0, "stop after so many validations without a better one; 0: never", lower=0)
    flag_set.integer("validation_steps", 0, "validate every so many steps; 0: at the end of every epoch", lower=0)
    flag_set.integer("validation_batch_size", 32, "rows that the held-out text is dealt to", lower=1)
    flag_set.boolean("validate_first", False, "validate before the first step too")
    flag_set.boolean(
        "fresh_states",
        True,
        "let a row whose window begins with a sentence start from the zero state, as embeddings do; negated, states "
        "are always carried on, as in bilm-tf",
    )
    flag_set.integer(
        "checkpoint_steps", 1000, "save every so many steps, at the end of every epoch, and with every best", lower=1
    )
    flag_set.integer("log_steps", 50, "write to log.csv and TensorBoard every so many steps", lower=1)
    flag_set.integer("seed", 1, "seed of initial weights, shuffles, negatives and dropout", lower=0, upper=2**31 - 1)
    flag_set.patterns("devices", "devices to train on, such as GPU:0,GPU:1; not set: all GPUs, or else the CPU")
    flag_set.integer(
        "accumulation_steps",
        1,
        "batches of --batch_size rows that a replica takes one after the other for one step: the step of a batch as "
        "many times larger, in the memory of one",
        lower=1,
    )
    flag_set.choice(
        "precision",
        "float32",
        ("float32", "bfloat16", "float16"),
        "what the products are computed in; weights, Adagrad, LSTM cells, the softmax and the clip stay float32",
    )
    flag_set.boolean("jit_compile", False, "compile loss and gradients by XLA, for GPUs; slower on a CPU")
    flag_set.integer("logical_cpus", 1, "cut the CPU into so many replicas, to try several without GPUs", lower=1)


def run(values: FlagValues, arguments: Sequence[str]) -> int:
    """Calls `elmo_tf.training.run.train`; returns 0, or 128 and the number of the signal that stopped the run."""
    start_tensorflow()
    from elmo_tf.training.run import train
    from elmo_tf.training.settings import TrainSettings

    options = Options.from_file(shared_flags.beside_flagfile(values.options_file, arguments))
    if values.initialize_from is not None:  # the file may speak of the vocabulary that the model had
        options = options.replace(n_tokens_vocab=None)
    result = train(
        TrainSettings(
            options=_overridden(options, values),
            train_files=tuple(values.train_files),
            vocab_file=values.vocab_file,
            model_dir=values.model_dir,
            valid_files=tuple(values.valid_files or ()),
            max_steps=values.max_steps,
            patience=values.patience,
            validation_steps=values.validation_steps,
            validation_rows=values.validation_batch_size,
            validate_first=values.validate_first,
            fresh_states=values.fresh_states,
            checkpoint_steps=values.checkpoint_steps,
            log_steps=values.log_steps,
            seed=values.seed,
            devices=tuple(values.devices or ()),
            logical_cpus=values.logical_cpus,
            accumulation_steps=values.accumulation_steps,
            precision=values.precision,
            jit_compile=values.jit_compile,
            initialize_from=values.initialize_from,
            initialize_vocab_file=values.initialize_vocab_file,
        ),
        report=lambda line: print(line, flush=True),
    )
    state = "trained" if result.finished else "stopped; the same command goes on"
    best = "" if result.best_perplexity is None else f"; best validation perplexity {result.best_perplexity:.2f}"
    print(f"{state}: {result.steps} steps, in {values.model_dir}{best}", flush=True)
    return 0 if result.stopped_by is None else 128 + result.stopped_by


def _overridden(options: Options, values: FlagValues) -> Options:
    """The options with what the flags say instead."""
    given = {name: values[name].value for name in _TRAINING_OPTIONS if values[name].value is not None}
    try:
        return Options.from_dict({**options.to_dict(), **given}, "flags")
    except InputError as error:  # the file alone was right, so it is a flag
        raise InputError(str(error).replace("flags: ", "--", 1), option=error.option) from error
