"""The base of the callbacks that act on the result of a validation."""

import keras

from elmo_tf.training.state import Logs


class AfterValidation(keras.callbacks.Callback):
    """Calls `consider` with the logs of each validation.

    It looks for `val_perplexity` in the logs, which `Validation` put there earlier in the same call.
    """

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Considers a validation before the first step, or one that was made up for."""
        self._consider_if_validated(logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Considers a validation after the step."""
        self._consider_if_validated(logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Considers a validation at the end of the epoch."""
        self._consider_if_validated(logs)

    def consider(self, logs: Logs) -> None:
        """Acts on a validation, whose results are in the logs."""
        raise NotImplementedError

    def _consider_if_validated(self, logs: Logs | None) -> None:
        if logs is not None and "val_perplexity" in logs:
            self.consider(logs)
