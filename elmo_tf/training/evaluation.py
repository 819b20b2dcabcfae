"""The validation of a run: the exact perplexity of the held-out text, by the average of the weights if there is one."""

import contextlib
from collections.abc import Callable

from elmo_tf.inference.evaluator import Evaluator
from elmo_tf.training.assembly import Trainer
from elmo_tf.training.input_checks import RunInput


def make_evaluation(
    prepared: RunInput, trainer: Trainer, rows: int, after_window: Callable[[int], None]
) -> Callable[[], dict[str, float | int]] | None:
    """Makes the function that validates and returns the results by name; None without held-out text.

    Args:
        prepared: the run's input.
        trainer: the model and its training step.
        rows: the rows that the text is read in.
        after_window: is called after each window of the text; an error that it raises ends the validation.
    """
    if prepared.validation is None:
        return None
    helpers = trainer.workers if trainer.workers.count > 1 else None
    evaluator = Evaluator(trainer.model, prepared.validation, prepared.vocabulary, rows, helpers=helpers)

    def evaluate() -> dict[str, float | int]:
        with contextlib.nullcontext() if trainer.average is None else trainer.average.in_place():
            return evaluator(after_window).to_dict()

    return evaluate
