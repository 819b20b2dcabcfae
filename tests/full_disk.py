"""Makes writing fail, as on a full disk."""

import contextlib
import resource


@contextlib.contextmanager
def largest_file(size):
    """Limits the size of files that this process writes, in bytes. A larger write fails with an `OSError`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
