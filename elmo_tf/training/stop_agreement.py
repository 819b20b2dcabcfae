"""The end of a run before its last step: asked for by a signal or a callback, and agreed on by several workers."""

import keras
import numpy as np

from elmo_tf.training.workers import Workers

_WINDOWS_TO_AGREE = 10
"""Windows of a validation after which several workers ask each other whether to stop."""


class ValidationAbandonedError(Exception):
    """Raised inside a validation when the run is asked to stop. The resumed run makes up for the validation."""


class StopAgreement:
    """Whether a run is to stop. Several workers stop after the same step, the first after which they told each other.

    Args:
        model: the model, whose `stop_training` callbacks set to end the run.
        workers: the processes that take the steps together.
        of_user: whether the run has callbacks of the user. They run on the chief, which then tells the other workers.
    """

    def __init__(self, model: keras.Model, workers: Workers, of_user: bool) -> None:
        self._model, self._workers, self._of_user = model, workers, of_user
        self._model.stop_training = False
        self._signal = self._windows = 0
        self.stopped_by: int | None = None
        """The number of the signal that stopped the run, if one did."""

    def request(self, number: int) -> None:
        """Asks for the end of the run after the steps that are under way, because of the signal with this number."""
        self._signal = number
        if self._workers.count == 1:
            self._stop(number)

    def _stop(self, number: int) -> None:
        self.stopped_by = number
        self._model.stop_training = True

    def is_to_stop(self) -> bool:
        """Whether the run ends here; all workers must call it, and get the same answer."""
        if self._of_user and self._workers.count > 1:
            stops = self._workers.gather(np.array([self._model.stop_training], np.float32))
            self._model.stop_training = bool(stops.any())
        return bool(self._model.stop_training)

    def exchange(self, numbers: np.ndarray) -> np.ndarray:
        """Gathers a vector from all workers, `(workers, n)`, and stops if one of them was asked to stop."""
        gathered = self._workers.gather(np.append(numbers, np.float32(self._signal)))
        signal = int(gathered[:, -1].max())
        if signal:
            self._stop(signal)
        return gathered[:, :-1]

    def abandon_if_stopped(self, _: int) -> None:
        """Ends the current validation if the run is to stop; a scheduler may not wait until it is complete.

        It is called after each window. Every worker takes rows of its own of the same windows, so all ask each other in
        the same window.

        Raises:
            ValidationAbandonedError: the run is to stop.
        """
        self._windows += 1
        if self._workers.count > 1 and self._windows % _WINDOWS_TO_AGREE == 0:
            self.exchange(np.zeros(0, np.float32))
        if self.stopped_by is not None:
            raise ValidationAbandonedError
