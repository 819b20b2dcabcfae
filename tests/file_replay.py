"""Records the file operations of a program with `strace`, and restores the folder as it was after any number of them.

A killed process leaves exactly the operations that it had done, so a folder restored after N operations is what a kill
just before operation N + 1 leaves. A kill within a write may leave the first part of its bytes: a torn write.
"""

import os
import re
import shutil
import subprocess

_WRITES = ("write", "writev", "pwrite64", "sendfile", "copy_file_range")
_CALLS = (
    "openat,open,creat,close,write,pwrite64,writev,sendfile,copy_file_range,lseek,ftruncate,truncate,"
    "rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,fsync,fdatasync"
)
_OF_HANDLES = (*_WRITES, "lseek", "ftruncate", "fsync", "fdatasync")
_LINE = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\d+)(?:<.*>)?(?: .*)?$")
_UNFINISHED = re.compile(r"(\d+) +(.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"(\d+) +<\.\.\. \w+ resumed>(.*)$")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_HANDLE = re.compile(r"(AT_FDCWD|\d+)<((?:\\x[0-9a-f]{2})*)>")


def has_strace():
    """Whether `strace` is installed and may trace a process."""
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, check=False).returncode == 0


def record(command, folder, trace):
    """Runs a command; returns its file operations below `folder`, in their order.

    Args:
        command: the program and its arguments.
        folder: the folder, which need not exist yet.
        trace: the file that strace writes.
    """
    flags = ["-f", "-y", "-xx", "-s", "100000000", "-o", str(trace), f"--trace={_CALLS}"]
    subprocess.run(["strace", *flags, *command], check=True, stdout=subprocess.DEVNULL)
    with open(trace, encoding="ascii") as file:
        return [call for line in _join_lines(file) if (call := _read_call(line, os.path.realpath(folder))) is not None]


def _join_lines(lines):
    """Joins the two halves of a call during which another thread made one; it takes the place of its second half."""
    begun = {}
    for line in lines:
        line = line.rstrip("\n")
        if match := _UNFINISHED.match(line):
            begun[match[1]] = match[2]
        elif match := _RESUMED.match(line):
            yield f"{match[1]} {begun.pop(match[1])}{match[2]}"
        else:
            yield line


def _text(escaped):
    return bytes.fromhex(escaped.replace("\\x", "")).decode("utf-8", "surrogateescape")


def _read_call(line, folder):
    """A call as its name, paths relative to the folder, handle, bytes and flags; None if it is about no file in it."""
    match = _LINE.match(line)
    if match is None or int(match[4]) < 0:
        return None
    name, arguments, result = match[2], match[3], int(match[4])
    handles = [(int(number) if number.isdigit() else None, _text(path)) for number, path in _HANDLE.findall(arguments)]
    strings = _STRING.findall(arguments)
    if name in (
        "write",
        "pwrite64",
        "writev",
        "sendfile",
        "copy_file_range",
        "lseek",
        "ftruncate",
        "fsync",
        "fdatasync",
    ):
        if not _is_inside(handles[0][1], folder):
            return None
        data = b"".join(bytes.fromhex(string.replace("\\x", "")) for string in strings)
        numbers = [int(number) for number in re.findall(r"(?<=, )-?\d+(?=,|$)", arguments)]
        return name, handles, data, numbers, result
    if name == "close":
        return (name, handles, b"", [], result) if _is_inside(handles[0][1], folder) else None
    base = iter([path for _, path in handles])
    paths = [os.path.normpath(os.path.join(next(base, os.getcwd()), _text(string))) for string in strings]
    if name in ("open", "openat", "creat"):
        inside = _is_inside(paths[0], folder)
        return (name, paths, arguments.rpartition('"')[2], [], result) if inside else None
    if name == "truncate":
        raise AssertionError(line)  # no program here calls it
    return (name, paths, arguments, [], result) if any(_is_inside(path, folder) for path in paths) else None


def _is_inside(path, folder):
    return path == folder or path.startswith(folder + "/")


class _File:
    """The content of a file, and the part of it that is on the disk."""

    def __init__(self):
        self.data, self.on_disk = bytearray(), b""


class Folder:
    """A folder in memory, to which recorded operations are applied.

    Args:
        path: the path of the folder that the operations were recorded in.
    """

    def __init__(self, path):
        self.path = os.path.realpath(path)
        self.files, self.folders, self._handles = {}, set(), {}

    def apply(self, call, torn=False):
        """Applies a call; where `torn` is set, only the first half of the bytes that it writes.

        Returns:
            Whether the call has changed the folder.
        """
        name, subject, data, numbers, result = call
        if name in ("open", "openat", "creat"):
            return self._open(subject[0], data, result)
        if name in ("write", "writev"):
            return self._write(subject[0][0], data[: len(data) // 2] if torn else data)
        if name == "pwrite64":
            file = self._handles[subject[0][0]][0]
            data, start = (data[: len(data) // 2] if torn else data), numbers[-1]
            file.data[start : start + len(data)] = data
            return True
        if name in ("sendfile", "copy_file_range"):
            source, target = (0, 1) if name == "copy_file_range" else (1, 0)
            file, start = self._handles[subject[source][0]]
            self._handles[subject[source][0]][1] = start + result
            data = bytes(file.data[start : start + result])
            return self._write(subject[target][0], data[: len(data) // 2] if torn else data) if result else False
        return self._apply_other(name, subject, data, numbers, result)

    def _apply_other(self, name, subject, data, numbers, result):
        if name == "close":
            self._handles.pop(subject[0][0], None)
            return False
        if name == "lseek":
            if subject[0][0] in self._handles:
                self._handles[subject[0][0]][1] = result
            return False
        if name in ("fsync", "fdatasync"):
            if subject[0][0] in self._handles:
                file = self._handles[subject[0][0]][0]
                file.on_disk = bytes(file.data)
            return False
        if name == "ftruncate":
            file, size = self._handles[subject[0][0]][0], numbers[-1]
            file.data[:] = file.data[:size].ljust(size, b"\0")
        elif name.startswith("rename"):
            self._rename(*subject)
        elif name.startswith("link"):
            self.files[subject[1]] = self.files[subject[0]]
        elif name.startswith("mkdir"):
            self.folders.add(subject[0])
        elif name == "rmdir" or "AT_REMOVEDIR" in data:
            self.folders.discard(subject[0])
        else:
            assert name.startswith("unlink"), name
            del self.files[subject[0]]
        return True

    def _open(self, path, flags, handle):
        if path in self.folders:
            return False
        is_new, cuts = path not in self.files, "O_TRUNC" in flags
        file = self.files.setdefault(path, _File())
        changed = is_new or (cuts and bool(file.data))
        if cuts:
            file.data.clear()
        self._handles[handle] = [file, len(file.data) if "O_APPEND" in flags else 0]
        return changed

    def _write(self, handle, data):
        file, start = self._handles[handle]
        file.data[start : start + len(data)] = data
        self._handles[handle][1] = start + len(data)
        return bool(data)

    def _rename(self, source, target):
        if source in self.files:
            self.files[target] = self.files.pop(source)
            return
        moved = {path: path.replace(source, target, 1) for path in self.files if path.startswith(source + "/")}
        for old, new in moved.items():
            self.files[new] = self.files.pop(old)
        self.folders = {path.replace(source, target, 1) if _is_inside(path, source) else path for path in self.folders}

    def restore(self, target, power_cut=False):
        """Writes the folder as it is now to the path `target`, which must not exist.

        Args:
            target: the path.
            power_cut: whether bytes that were not flushed to the disk are lost: zeros take their places.
        """
        for path in sorted(self.folders):
            os.makedirs(target + path.removeprefix(self.path), exist_ok=True)
        for path, file in self.files.items():
            content = file.on_disk.ljust(len(file.data), b"\0")[: len(file.data)] if power_cut else file.data
            with open(target + path.removeprefix(self.path), "wb") as out:
                out.write(content)


def kill_points(calls, path):
    """Yields the folder after each call that changes it, and within each write: `(number, is_torn, folder)`.

    The folder is the same object each time; it must be restored before the next one is asked for.
    """
    whole = Folder(path)
    for number, call in enumerate(calls):
        if call[0] in _WRITES and len(call[2]) > 1:
            torn = Folder(path)
            for before in calls[:number]:
                torn.apply(before)
            torn.apply(call, torn=True)
            yield number, True, torn
        if whole.apply(call):
            yield number, False, whole
