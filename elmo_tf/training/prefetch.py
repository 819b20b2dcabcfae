"""Prefetching: the input of a training step is computed while the steps before it are taken."""

import queue
import threading
import weakref
from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from elmo_tf.data.steps import Step
from elmo_tf.data.stream_position import Position
from elmo_tf.training.step_input import flatten_step


class PrefetchedStream:
    """A training stream that a background thread computes ahead, and turns into tensors.

    Each step comes with the position of the stream after it. The thread ends when this object is deleted, or with the
    process. The attribute `first` is the first step, for its shapes.

    The thread is one of Python. Through `tf.data` each array would pass TensorFlow's lock and Python's several times,
    which took longer than a window takes to make, and its own threads would have to be waited for at the end.

    Args:
        stream: the stream.
        ahead: the number of steps that are kept ready.
    """

    def __init__(self, stream: Iterable[tuple[Step, Position]], ahead: int = 4) -> None:
        self._source = _Source(stream, ahead)
        self.first = self._source.first
        self._end: BaseException | None = None
        thread = threading.Thread(target=self._source.run, name="prefetch", daemon=True)
        thread.start()
        weakref.finalize(self, _finish, self._source, thread)

    def __iter__(self) -> "PrefetchedStream":
        return self

    def __next__(self) -> tuple[tuple[tf.Tensor, ...], Position]:
        """The step's tensors in the order of `flatten_step`, and the position after it."""
        if self._end is None:
            element = self._source.ready.get()
            if isinstance(element, tuple):
                self._source.room.release()
                return element
            self._end = element
        raise self._end


class _Source:
    """The steps that a thread computes.

    It holds no reference to the `PrefetchedStream`, which can so be deleted while the thread is running.

    Attributes:
        first: the first step, which is computed at once, so that an error of the input is raised at once too.
        ready: the steps that are ready, as tensors, and at last the error or the `StopIteration` that ended them.
        room: counts how many more steps may be computed.
        is_wanted: whether anybody still takes steps.
    """

    def __init__(self, stream: Iterable[tuple[Step, Position]], ahead: int) -> None:
        self._steps = iter(stream)
        self._following = next(self._steps)
        self.first = self._following[0]
        self.ready: queue.SimpleQueue[tuple[tuple[Any, ...], Position] | BaseException] = queue.SimpleQueue()
        self.room = threading.Semaphore(ahead)
        self.is_wanted = True

    def run(self) -> None:
        """Computes steps until they are not wanted any more, or there are none."""
        try:
            while self._wait_for_room():
                step, position = self._following
                with tf.device("CPU:0"):
                    tensors = tuple(tf.convert_to_tensor(array) for array in flatten_step(step))
                self.ready.put((tensors, position))
                if self.is_wanted:
                    self._following = next(self._steps)
        except BaseException as error:  # it is raised where the step is taken, also that there are no more steps
            self.ready.put(error)

    def _wait_for_room(self) -> bool:
        """Waits until there is room for a step; returns whether steps are still wanted."""
        self.room.acquire()
        return self.is_wanted


def _finish(source: _Source, thread: threading.Thread) -> None:
    """Lets the thread end and waits for it; no thread may compute while the program ends, when Python has gone."""
    source.is_wanted = False
    source.room.release()
    if thread is not threading.current_thread():  # the garbage collector may call this from any thread
        thread.join()
