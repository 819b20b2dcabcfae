"""Ctrl-C and SIGTERM, which end a training run between two steps."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_between_steps(request_stop: Callable[[int], None], report: Callable[[str], None]) -> Iterator[None]:
    """Lets Ctrl-C and SIGTERM end the run after the steps under way, with a checkpoint, and a second signal at once.

    Only Python's main thread may handle signals, so in any other thread this does nothing.

    Args:
        request_stop: called at the first signal, with its number.
        report: takes a line for people.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _: FrameType | None) -> None:
        report(
            f"\n{signal.Signals(number).name}: stopping after the steps under way, with a checkpoint; once more to "
            "stop at once"
        )
        request_stop(number)
        signal.signal(number, before[signal.Signals(number)])

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, before[number])
