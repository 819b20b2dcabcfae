"""The settings of a training run, which are the flags of `elmo-tf train` too, and its result. No TensorFlow."""

from dataclasses import dataclass

from elmo_tf.options import Options, TrainingOptions
from elmo_tf.options_reader import MOST
from elmo_tf.system.documented_fields import documented_field, with_field_help

MOST_LOGICAL_CPUS = 64
"""The largest number of replicas on one CPU: TensorFlow needs minutes to start hundreds of thousands."""


@with_field_help
@dataclass(frozen=True)
class TrainSettings:
    """The settings of a training run.

    Each field but `options` and `choose_batch_size` is a flag of `elmo-tf train`, whose default, bounds and help are
    the field's.
    """

    options: Options = documented_field(  # noqa: RUF009 (it is a field)
        "the architecture of the model, and its batch size, unroll steps, epochs, dropout and so on"
    )
    train_files: tuple[str, ...] = documented_field(
        "training text, a tokenised sentence a line: files or quoted patterns ('corpus/*.txt'), comma-separated, .gz "
        "too"
    )
    vocab_file: str = documented_field("the vocabulary, from elmo-tf vocab")
    model_dir: str = documented_field("folder that the model is kept in; a run that it holds is continued")
    valid_files: tuple[str, ...] = documented_field(
        "held-out text, for validation: files or quoted patterns, as for --train_files", ()
    )
    max_steps: int = documented_field(
        "stop after so many steps, whatever the epochs; 0: no such bound", 0, lower=0, upper=MOST
    )
    patience: int = documented_field(
        "stop after so many validations without a better one; 0: never", 0, lower=0, upper=MOST
    )
    validation_steps: int = documented_field(
        "validate every so many steps; 0: at the end of every epoch", 0, lower=0, upper=MOST
    )
    validation_batch_size: int = documented_field("rows that the held-out text is dealt to", 32, lower=1, upper=MOST)
    validate_first: bool = documented_field("validate before the first step too", False)
    fresh_states: bool = documented_field(
        "let a row whose window begins with a sentence start from the zero state, as embeddings do; negated, states "
        "are always carried on, as in bilm-tf",
        True,
    )
    checkpoint_steps: int = documented_field(
        "save every so many steps, at the end of every epoch, and with every best", 1000, lower=1, upper=MOST
    )
    log_steps: int = documented_field("write to log.csv and TensorBoard every so many steps", 50, lower=1, upper=MOST)
    histogram_steps: int = documented_field(
        "write histograms of all weights for TensorBoard every so many steps; 0: never", 0, lower=0, upper=MOST
    )
    seed: int = documented_field(
        "seed of initial weights, shuffles, negatives and dropout", 1, lower=0, upper=2**31 - 1
    )
    devices: tuple[str, ...] = documented_field(
        "devices to train on, such as GPU:0,GPU:1; not set: all GPUs, or else the CPU", ()
    )
    logical_cpus: int = documented_field(
        "cut the CPU into so many replicas, to try several without GPUs", 1, lower=1, upper=MOST_LOGICAL_CPUS
    )
    strategy: str = documented_field(
        "mirrored: the devices of this machine; multi_worker: those of all machines of a cluster, which TF_CONFIG or "
        "Slurm describes",
        "mirrored",
        choices=("mirrored", "multi_worker"),
    )
    all_reduce: str = documented_field(
        "how gradients are summed over replicas: nccl, between GPUs; ring, TensorFlow's own; auto, the former where "
        "there are GPUs, else the latter; on one machine also hierarchical, by copies within two halves of the devices "
        "and between them, or reduction_to_one, by copies to one device and back",
        "auto",
        choices=("auto", "nccl", "ring", "hierarchical", "reduction_to_one"),
    )
    gradient_dtype: str = documented_field(
        "type in which dense gradients are summed over replicas; bfloat16 halves the bytes that cross them and rounds "
        "to eight bits",
        "float32",
        choices=("float32", "bfloat16"),
    )
    deterministic: bool = documented_field(
        "let TensorFlow choose only operations that give the same bits every time, on GPUs too; some are slower", False
    )
    accumulation_steps: int = documented_field(
        "batches of --batch_size rows that a replica takes one after the other for one step: the step of a batch as "
        "many times larger, in the memory of one",
        1,
        lower=1,
        upper=MOST,
    )
    precision: str = documented_field(
        "what the products are computed in; weights, Adagrad, LSTM cells, the softmax and the clip stay float32",
        "float32",
        choices=("float32", "bfloat16", "float16"),
    )
    jit_compile: bool = documented_field("compile loss and gradients by XLA, for GPUs; slower on a CPU", False)
    choose_batch_size: bool = documented_field(
        "choose the largest batch that fits the device, instead of the batch_size of the options: --batch_size=auto",
        False,
    )
    initialize_from: str | None = documented_field(
        "a trained model, of any form that elmo-tf convert reads, whose weights a new run starts from; give its "
        "options.json for --options_file",
        None,
    )
    initialize_vocab_file: str | None = documented_field(
        "the vocabulary of the model of --initialize_from, where none lies beside it, as in bilm-tf's checkpoint "
        "folders: words in both vocabularies keep their rows of the softmax",
        None,
    )

    corpus_cache: str | None = documented_field(
        "folder for the training text as word numbers, which is made once and found again by the content of text and "
        "vocabulary, by other runs too; not set: --model_dir",
        None,
    )

    @property
    def policy(self) -> str:
        """The Keras dtype policy of `precision`."""
        return self.precision if self.precision == "float32" else f"mixed_{self.precision}"


@dataclass(frozen=True)
class TrainResult:
    """The result of a training run.

    Args:
        steps: steps taken, those before a resume included.
        finished: whether all epochs or steps are done, or the patience is at an end, and no validation is due that a
            signal interrupted.
        loss: the mean training loss of the last steps; None if this call took no step.
        best_perplexity: the perplexity of the best validation; None if there was no validation.
        stopped_by: the number of the signal that stopped the run; None if none did.
    """

    steps: int
    finished: bool
    loss: float | None
    best_perplexity: float | None
    stopped_by: int | None = None


def epoch_bounds(predictions: int, tokens_per_step: int, epochs: int, max_steps: int = 0) -> list[int]:
    """The number of the first step of every epoch, and at the end that of all steps.

    The text runs on from one epoch into the next without a break; an epoch ends with the step that completes it.

    Args:
        predictions: tokens of the training text in one direction, sentence ends counted.
        tokens_per_step: the rows of all parts times the unroll steps.
        epochs: the number of epochs.
        max_steps: the largest number of steps, whatever the epochs; 0 for no bound.

    Example:

    >>> epoch_bounds(predictions=1000, tokens_per_step=300, epochs=3)
    [0, 3, 6, 10]
    >>> epoch_bounds(predictions=1000, tokens_per_step=300, epochs=3, max_steps=4)
    [0, 3, 4]
    """
    bounds = [0]
    for epoch in range(1, epochs + 1):
        end = epoch * predictions // tokens_per_step
        if max_steps and end >= max_steps:
            return [*bounds, max_steps]
        bounds.append(end)
    return bounds


def run_bounds(settings: TrainSettings, training: TrainingOptions, predictions: int, parts: int) -> list[int]:
    """The bounds of a run's epochs, as `epoch_bounds` gives them.

    Args:
        settings: the run's settings.
        training: its training options.
        predictions: tokens of the training text in one direction, sentence ends counted.
        parts: replicas times accumulation steps.
    """
    tokens = parts * training.batch_size * training.unroll_steps
    return epoch_bounds(predictions, tokens, training.n_epochs, settings.max_steps)
