"""What a training run is asked for, how long it goes, and how it ended. No TensorFlow."""

from dataclasses import dataclass

from elmo_tf.options import Options


@dataclass(frozen=True)
class TrainSettings:
    """A training run.

    Args:
        options: the model's, and batch size, unroll steps, epochs, dropout and so on.
        train_files: names or patterns of the training text.
        vocab_file: the vocabulary.
        model_dir: the folder that the model lives in; a run that it holds is continued.
        valid_files: names or patterns of the held-out text; empty for no validation.
        max_steps: steps after which to stop, whatever the epochs; 0 for no such bound.
        patience: validations without a better one after which to stop; 0 for never.
        validation_steps: steps between validations; 0 for one an epoch.
        validation_rows: rows that the held-out text is dealt to.
        validate_first: whether to validate before the first step too.
        fresh_states: whether rows whose window begins with a sentence start from the zero state; see `TrainStep`.
        checkpoint_steps: steps between checkpoints, besides those at an epoch's end and with every best.
        log_steps: steps between rows of the logs.
        seed: of initial weights, shuffles, negatives and dropout.
        devices: such as `("GPU:0", "GPU:1")`; empty for all GPUs, or the CPU.
        logical_cpus: replicas to cut the CPU into.
        accumulation_steps: batches of `batch_size` rows that a replica takes one after the other for one step, which so
            is that of a batch as many times larger, in the memory of one.
        precision: "float32"; or "bfloat16" or "float16", which compute in half precision: weights, Adagrad, LSTM cells,
            the softmax and the clip stay float32.
        jit_compile: whether XLA compiles loss and gradients.
        initialize_from: a trained model, of any form, whose weights a new run starts from.
        initialize_vocab_file: that model's vocabulary, where none lies beside it.
    """

    options: Options
    train_files: tuple[str, ...]
    vocab_file: str
    model_dir: str
    valid_files: tuple[str, ...] = ()
    max_steps: int = 0
    patience: int = 0
    validation_steps: int = 0
    validation_rows: int = 32
    validate_first: bool = False
    fresh_states: bool = True
    checkpoint_steps: int = 1000
    log_steps: int = 50
    seed: int = 1
    devices: tuple[str, ...] = ()
    logical_cpus: int = 1
    accumulation_steps: int = 1
    precision: str = "float32"
    jit_compile: bool = False
    initialize_from: str | None = None
    initialize_vocab_file: str | None = None

    @property
    def policy(self) -> str:
        """The Keras dtype policy of `precision`."""
        return self.precision if self.precision == "float32" else f"mixed_{self.precision}"


@dataclass(frozen=True)
class TrainResult:
    """How a run ended.

    Args:
        steps: steps taken, those before a resume included.
        finished: whether its epochs or steps are done, or its patience is at an end, and no validation is due that a
            signal cut short.
        loss: mean training loss of the last steps; None where no step was taken.
        best_perplexity: the best validation's; None without validation.
        stopped_by: number of the signal that stopped it; None if none did.
    """

    steps: int
    finished: bool
    loss: float | None
    best_perplexity: float | None
    stopped_by: int | None = None


def epoch_bounds(predictions: int, tokens_per_step: int, epochs: int, max_steps: int = 0) -> list[int]:
    """The number of the first step of every epoch, and at the end that of all steps.

    The rows flow on from one epoch into the next without a break; an epoch ends with the step that completes it.

    Args:
        predictions: tokens of the training text in one direction, sentence ends counted.
        tokens_per_step: rows of all parts times unroll steps.
        epochs: how many.
        max_steps: where to cut; 0 for nowhere.

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
