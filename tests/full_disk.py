"""A disk that takes no more."""

import contextlib
import resource


@contextlib.contextmanager
def largest_file(size):
    """Lets no file of this process grow beyond so many bytes; Python ignores the signal, and the write fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
