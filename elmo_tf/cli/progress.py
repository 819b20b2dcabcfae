"""Shows the progress of `elmo-tf embed` as Keras' progress bar on standard error, if that is a terminal."""

import contextlib
import sys
import time
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from elmo_tf.bulk.progress import Progress


class EmbedProgress:
    """Shows the fraction of the input that is done, the tokens per second, and the time left; a context manager.

    The fraction is measured in bytes, because the total number of lines is not known. For a stream only the number of
    lines is shown.

    Call arguments:
        progress: the progress of the run.
    """

    def __init__(self) -> None:
        self._bar: Any = None
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            print(file=sys.stderr, flush=True)

    def __call__(self, progress: "Progress") -> None:
        """Shows the progress."""
        if not sys.stderr.isatty():
            return
        from keras.utils import Progbar

        seconds = time.monotonic() - self._began
        is_stream = progress.bytes_total is None
        with contextlib.redirect_stdout(sys.stderr):
            if self._bar is None:
                unit = "line" if is_stream else "byte"
                self._bar = Progbar(progress.bytes_total, unit_name=unit, stateful_metrics=["tokens/s"])
            done = progress.lines if is_stream else progress.bytes_read
            self._bar.update(done, [("tokens/s", progress.tokens_now / max(seconds, 1e-9))], finalize=False)
