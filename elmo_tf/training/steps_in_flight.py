"""Training steps that are sent before the results of the steps before them are read."""

import collections
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from elmo_tf.data.stream_position import Position
from elmo_tf.training.loss_scale import LossScale
from elmo_tf.training.state import LstmStates
from elmo_tf.training.step import StepResult

STEPS_IN_FLIGHT = 2
"""Steps that are sent while the result of the step before them is not read yet. While the device computes one of them,
the next one waits for it, and the host has the time of both for input, logs and callbacks."""

TakeStep = Callable[[int, Any, LstmStates, LossScale], StepResult]


class FinishedStep(NamedTuple):
    """A step that was taken.

    Args:
        result: its result, which the device may still be computing: reading a number of it waits.
        position: the position in the training stream after it.
    """

    result: StepResult
    position: Position


class StepsInFlight:
    """Takes steps in the order in which they are sent, and hands out their results in the same order.

    A thread calls `take_step` with the LSTM states and the loss scale that the step before returned. The call may
    block, as it does on a CPU, or return before the device has computed the result, as on a GPU; in both cases the next
    step begins without the caller's help. After a call that raises an error no other step is taken.

    Args:
        take_step: takes a step, given its number, its input, the LSTM states and the loss scale.
        states: the LSTM states before the first step.
        loss_scale: the loss scale of the first step.
        after_step: called in the same thread with the number of steps taken, before the next step begins.
        most: the number of steps that may be sent before the result of the oldest one is asked for. With 0 there is no
            thread, and `send` takes the step itself.

    Example:

    >>> flight = StepsInFlight(lambda step, words, states, scale: StepResult(step, words, states, scale), (), None)
    >>> with flight:
    ...     flight.send(0, "a", None)
    ...     flight.send(1, "b", None)
    ...     flight.next().result.norm, flight.next().result.norm, len(flight)
    ('a', 'b', 0)
    """

    def __init__(
        self,
        take_step: TakeStep,
        states: LstmStates,
        loss_scale: LossScale,
        after_step: Callable[[int], None] = lambda steps: None,
        most: int = STEPS_IN_FLIGHT,
    ) -> None:
        self._take_step, self._after_step = take_step, after_step
        self._states, self._loss_scale = states, loss_scale
        self._is_broken = False
        self._thread = ThreadPoolExecutor(1, "training_steps") if most else None
        self._sent: collections.deque[tuple[Future[StepResult], Position]] = collections.deque()
        self.most = most

    def __len__(self) -> int:
        """The number of steps that were sent and not handed out yet."""
        return len(self._sent)

    def __enter__(self) -> "StepsInFlight":
        return self

    def __exit__(self, *_: object) -> None:
        """Drops the steps that have not begun, and waits for the end of the one that has."""
        if self._thread is not None:
            self._thread.shutdown(wait=True, cancel_futures=True)

    @property
    def has_room(self) -> bool:
        """Whether another step may be sent before the oldest one is handed out."""
        return len(self._sent) <= self.most

    def send(self, step: int, tensors: Any, position: Position) -> None:
        """Sends a step.

        Args:
            step: its number.
            tensors: its input.
            position: the position in the training stream after it.
        """
        if self._thread is not None:
            future = self._thread.submit(self._take, step, tensors)
        else:
            future = Future()
            future.set_result(self._take(step, tensors))
        self._sent.append((future, position))

    def next(self) -> FinishedStep:
        """Hands out the oldest step, as soon as the call of `take_step` has returned. It raises that call's error."""
        future, position = self._sent.popleft()
        return FinishedStep(future.result(), position)

    def _take(self, step: int, tensors: Any) -> StepResult:
        if self._is_broken:  # the states that this step would begin with do not exist
            raise CancelledError
        self._is_broken = True
        result = self._take_step(step, tensors, self._states, self._loss_scale)
        self._states, self._loss_scale = result.states, result.loss_scale
        self._after_step(step + 1)
        self._is_broken = False
        return result
