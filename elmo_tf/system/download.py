"""Downloads one file, which appears whole and checked, or not at all. A download that breaks off is resumed later.

`keras.utils.get_file` is not enough for files of hundreds of megabytes (`file_utils.py` of Keras 3.15): it begins anew
after a break, waits for ever on a silent server, checks no size, and leaves a file with the wrong hash in place. It
also writes under the final name, so that a killed run or a second process leaves half a file, which later counts as
whole.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass

from elmo_tf.errors import InputError
from elmo_tf.system.input_files import sha256
from elmo_tf.system.resumable_transfer import (
    DownloadError as DownloadError,
)
from elmo_tf.system.resumable_transfer import (
    Progress as Progress,
)
from elmo_tf.system.resumable_transfer import (
    ProgressError,
    ResumableTransfer,
    writing_errors,
)


@dataclass(frozen=True)
class ExpectedFile:
    """The properties that a downloaded file must have; None for each that is not known.

    Args:
        size: the number of bytes.
        sha256: the hash of its content, as 64 hexadecimal digits.
        check_form: called with a file's path; raises an `InputError` or `OSError` where the file is of another kind.
    """

    size: int | None = None
    sha256: str | None = None
    check_form: Callable[[str], None] | None = None

    def fault(self, path: str) -> str | None:
        """Says what is wrong with a file, such as "expected 10 bytes, got 9"; None if nothing is wrong.

        >>> ExpectedFile(size=10).fault("/dev/null")
        'expected 10 bytes, got 0'
        """
        size = os.path.getsize(path)
        if self.size is not None and size != self.size:
            return f"expected {self.size:,} bytes, got {size:,}"
        if self.sha256 is not None:
            found = sha256(path)
            if found != self.sha256:
                return f"expected the sha256 {self.sha256}, got {found}"
        try:
            if self.check_form is not None:
                self.check_form(path)
        except (InputError, OSError) as error:
            return f"{' '.join(str(error).split())} ({size:,} bytes)"
        return None


def download(url: str, path: str, expected: ExpectedFile | None = None, progress: Progress | None = None) -> None:
    """Downloads `url` to `path`, in a folder that exists; replaces an old file of that name.

    When the connection, the process or the machine fails, the bytes received so far stay beside the file as
    `.NAME.part`. The download goes on after them, at once or in the next call. It begins anew where the server cannot
    send a part of a file, or says that its file has changed. Only one process at a time may download a file: see
    `elmo_tf.system.locks`.

    Args:
        url: http, https or file.
        path: the file to write.
        expected: the size, hash and form that the file must have.
        progress: called with every piece that is received.

    Raises:
        DownloadError: the server does not send the file, or sends another one than expected, which is removed.
        InputError: the file cannot be written.
    """
    expected = expected or ExpectedFile()
    transfer = ResumableTransfer(url, path, expected.size, progress)
    try:
        transfer.run()
    except ProgressError as error:
        raise error.error from None
    fault = expected.fault(transfer.part)
    if fault is not None:
        transfer.discard()
        raise DownloadError(f"{url}: {fault}")
    with writing_errors(path):
        os.replace(transfer.part, path)
    transfer.discard()
