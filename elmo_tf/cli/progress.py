"""How far `elmo-tf embed` is: Keras' progress bar, on standard error and on a terminal only."""

import contextlib
import sys
import time
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from elmo_tf.bulk.run import Progress


class EmbedProgress:
    """Shows the share of the input that is done, tokens a second and the time left; a context manager.

    The share goes by bytes, for nobody has counted the lines; of a stream only the lines are shown.

    Call arguments:
        progress: how far the run is.
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
        """Shows it."""
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
