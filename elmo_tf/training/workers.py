"""The processes that take the steps of a run together: which of them this one is, and how they agree."""

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from elmo_tf.errors import InputError
from elmo_tf.system.error_text import first_line
from elmo_tf.training.state import LstmStates

_SIGNS_OF_A_LOSS = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
    tf.errors.UnknownError,
)
"""The errors that TensorFlow raises in the other workers when one is lost."""

_ABORTED = "Collective ops is aborted by:"


class Workers:
    """The workers of a run: one process with `MirroredStrategy`, several with `MultiWorkerMirroredStrategy`.

    Every method that exchanges something must be called by all workers in the same order; each waits for the others.
    In a run of one process these methods return at once.

    Args:
        strategy: the strategy of the run.
    """

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        numbers: list[int] = []
        strategy.experimental_distribute_values_from_function(
            lambda place: numbers.append(place.replica_id_in_sync_group) or tf.constant(0)  # type: ignore[func-returns-value]
        )
        self._strategy, self._local = strategy, len(numbers)
        self.count, self.index = int(strategy.num_replicas_in_sync) // len(numbers), numbers[0] // len(numbers)
        self._functions: dict[Any, Any] = {}

    @property
    def is_chief(self) -> bool:
        """Whether this worker is the one that writes the model's folder and reports."""
        return self.index == 0

    def own_parts(self, parts: int) -> range:
        """The numbers of the parts that this worker computes, of all `parts` of a step."""
        return self.own_rows(parts)

    def own_rows(self, rows: int) -> range:
        """The rows that this worker computes, of `rows` that are dealt as evenly as can be."""
        return range(self.index * rows // self.count, (self.index + 1) * rows // self.count)

    def gather(self, values: np.ndarray) -> np.ndarray:
        """Gathers a vector of floats, as long on every worker, from all: returns `(workers, n)`, in their order."""
        if self.count == 1:
            return values[None]
        pieces = np.pad(values, (0, -len(values) % self._local)).reshape(self._local, -1)
        if values.dtype not in self._functions:
            signature = [tf.TensorSpec([self._local, None], values.dtype)]
            self._functions[values.dtype] = tf.function(self._gather, input_signature=signature, autograph=False)
        gathered: np.ndarray = self._functions[values.dtype](tf.constant(pieces)).numpy()
        return gathered.reshape(self.count, -1)[:, : len(values)]

    def _gather(self, pieces: tf.Tensor) -> tf.Tensor:
        """Gathers the pieces of a vector, one from each replica, so that no number is sent twice."""
        own = self._strategy.experimental_distribute_values_from_function(
            lambda place: pieces[place.replica_id_in_sync_group % self._local]
        )

        def gather(piece: tf.Tensor) -> tf.Tensor:
            on_the_replica = tf.identity(piece)  # TensorFlow looks at the tensor's device for where the result belongs
            return tf.distribute.get_replica_context().all_gather(on_the_replica, 0)

        return self._strategy.experimental_local_results(self._strategy.run(gather, (own,)))[0]

    def wait(self) -> None:
        """Waits until every worker has come to this call."""
        self.gather(np.zeros(1, np.float32))

    def gather_states(self, states: LstmStates) -> LstmStates:
        """Gathers the LSTM states of all parts of a step, in the order of the parts.

        Args:
            states: those of this worker's parts.
        """
        if self.count == 1:
            return states
        flat = [part for state in states for part in tf.nest.flatten(state)]
        vector = np.concatenate([tf.cast(part, tf.float32).numpy().ravel() for part in flat])
        ends = np.cumsum([int(tf.size(part)) for part in flat])[:-1]
        whole: list[Any] = []
        for row in self.gather(vector):
            arrays = [
                tf.cast(tf.reshape(values, part.shape), part.dtype)
                for values, part in zip(np.split(row, ends), flat, strict=True)
            ]
            whole += tf.nest.pack_sequence_as(states, arrays)
        return tuple(whole)

    def check_same(self, facts: Mapping[str, str], hint: str) -> None:
        """Checks that every worker has the same facts.

        Args:
            facts: texts by what they are about.
            hint: what to do where they differ; it ends the sentence.

        Raises:
            InputError: a worker has others than the chief. Every worker raises it.
        """
        if self.count == 1:
            return
        digests = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") for text in facts.values()]
        gathered = self.gather(np.array(digests, np.float64))
        for worker, row in enumerate(gathered):
            names = [name for name, same in zip(facts, row == gathered[0], strict=True) if not same]
            if names:
                raise InputError(f"worker {worker} has not the same {names[0]} as the chief: {hint}")

    @contextlib.contextmanager
    def end_if_one_is_lost(self) -> Iterator[None]:
        """Turns the errors that TensorFlow raises when another worker is lost into one sentence.

        Raises:
            InputError: another worker is lost.
        """
        try:
            yield
        except _SIGNS_OF_A_LOSS as error:
            if self.count == 1:
                raise
            raise InputError(
                f"worker {self.index} stops, for another of the {self.count} workers has ended or does not answer "
                f"({_what_happened(error)}): start the same command on all of them again, to go on from the last "
                "checkpoint"
            ) from error

    def reporter(self, report: Callable[[str], None]) -> Callable[[str], None]:
        """The function that takes lines for people: `report` on the chief; on the others one that drops them."""
        return report if self.is_chief else lambda line: None


def _what_happened(error: tf.errors.OpError) -> str:
    """The line of TensorFlow's message that says which worker is lost, or the first line."""
    lines = [line.partition(_ABORTED)[2].strip() for line in str(error.message).splitlines() if _ABORTED in line]
    return lines[0][:200] if lines else first_line(error)[:200]
