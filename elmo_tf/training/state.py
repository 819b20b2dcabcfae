"""The state of a training run: everything that changes from step to step besides weights and optimizer."""

import json
from dataclasses import dataclass
from typing import Any, NamedTuple

from elmo_tf.data.stream_position import Position
from elmo_tf.models.state import BiLMState
from elmo_tf.training.loss_scale import LossScale

LstmStates = tuple[BiLMState, ...]
"""The biLM's states, one for each part of the batch. A part holds the rows that one replica computes at a time."""

Logs = dict[str, Any]
"""The numbers of a step or a validation by name, as Keras hands them from callback to callback."""


class Division(NamedTuple):
    """How the rows of a step are divided into parts: `replicas * accumulation_steps` of `batch_size` rows each.

    Args:
        replicas: the replicas of all workers.
        accumulation_steps: the parts that a replica takes one after the other.
        batch_size: the rows of a part.
    """

    replicas: int
    accumulation_steps: int
    batch_size: int


@dataclass
class RunState:
    """The state of a training run, which the loop and the callbacks change and the checkpoint saves.

    Args:
        seed: the run's seed, which must be the same when the run is resumed.
        unroll_steps: tokens of a row in one step, which must be the same too.
        corpus: the fingerprint of the training text, which must be the same too.
        lstm_states: the LSTM states after the last step. Between two steps of several workers, each has those of its
            own parts.
        loss_scale: the loss scale of the next step.
        step: steps taken so far, those of earlier processes included.
        first_step: the value of `step` when this process began.
        is_resumed: whether the state was read from a checkpoint.
        stream_position: the position in the training stream after the last step; None before the first step. After a
            resume, and until the next step, it is JSON text from the checkpoint.
        mean_loss: the running mean of the training loss; None before the first step.
        best_perplexity: the lowest validation perplexity so far; None before the first validation.
        best_step: the step of that validation.
        validations_since_best: validations since then, none of which was better.
        validation_due: during a validation, the logs to which its results will be added; otherwise None. A run that is
            resumed from a checkpoint written meanwhile first makes up for the validation.
        held_out: the fingerprint of the text that the best perplexity was computed on; None if it is not known.
        skipped_steps: steps so far that were skipped because their gradients were not finite.
        skips_in_a_row: such steps since the last one that was taken.
        division: how the rows of a step are divided into parts; None if it is not known.
        rate_factor: what validations without a better perplexity have multiplied the learning rate by.
    """

    seed: int
    unroll_steps: int
    corpus: str
    lstm_states: LstmStates
    loss_scale: LossScale
    step: int = 0
    first_step: int = 0
    is_resumed: bool = False
    stream_position: Position | str | None = None
    mean_loss: float | None = None
    best_perplexity: float | None = None
    best_step: int | None = None
    validations_since_best: int = 0
    validation_due: Logs | None = None
    held_out: str | None = None
    skipped_steps: int = 0
    skips_in_a_row: int = 0
    division: Division | None = None
    rate_factor: float = 1.0

    @property
    def has_new_steps(self) -> bool:
        """Whether this process has taken a step."""
        return self.step > self.first_step

    def is_out_of_patience(self, patience: int) -> bool:
        """Whether the last `patience` validations brought no better perplexity; never with a patience of 0."""
        return 0 < patience <= self.validations_since_best

    def is_finished(self, last_step: int, patience: int) -> bool:
        """Whether all steps are taken or the run is out of patience, and no validation is due."""
        return self.validation_due is None and (self.step >= last_step or self.is_out_of_patience(patience))

    def to_json(self) -> str:
        """The text of a checkpoint: all but the step and the LSTM states, which the checkpoint holds as tensors."""
        position = self.stream_position
        values = {
            "seed": self.seed,
            "unroll_steps": self.unroll_steps,
            "corpus": self.corpus,
            "position": position.to_json() if isinstance(position, Position) else position,
            "best_perplexity": self.best_perplexity,
            "best_step": self.best_step,
            "since_best": self.validations_since_best,
            "validation_due": self.validation_due,
            "held_out": self.held_out,
            "loss_scale": self.loss_scale.to_list() if self.loss_scale.ever_changes else None,
            "skipped_steps": self.skipped_steps or None,
            "skips_in_a_row": self.skips_in_a_row or None,
            "division": self.division,
            "rate_factor": self.rate_factor if self.rate_factor != 1.0 else None,
        }
        known = {name: value for name, value in values.items() if value is not None}
        return json.dumps({**known, "mean_loss": self.mean_loss}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str, new: "RunState", step: int, lstm_states: LstmStates) -> "RunState":
        """The state that a checkpoint holds.

        Args:
            text: what `to_json` gave. An imported model's is `{}`.
            new: the state that a new run would begin with, which gives what the text does not say.
            step: the checkpoint's step.
            lstm_states: the checkpoint's LSTM states.
        """
        values: dict[str, Any] = json.loads(text)
        scales = new.loss_scale.ever_changes and "loss_scale" in values
        return cls(
            seed=values.get("seed", new.seed),
            unroll_steps=values.get("unroll_steps", new.unroll_steps),
            corpus=values.get("corpus", new.corpus),
            lstm_states=lstm_states,
            loss_scale=LossScale.of(*values["loss_scale"]) if scales else new.loss_scale,
            step=step,
            first_step=step,
            is_resumed=True,
            stream_position=values.get("position"),
            mean_loss=values.get("mean_loss"),
            best_perplexity=values.get("best_perplexity"),
            best_step=values.get("best_step"),
            validations_since_best=values.get("since_best", 0),
            validation_due=values.get("validation_due"),
            held_out=values.get("held_out"),
            skipped_steps=values.get("skipped_steps", 0),
            skips_in_a_row=values.get("skips_in_a_row", 0),
            division=new.division,
            rate_factor=values.get("rate_factor", 1.0),
        )
