"""Files that `torch.save` wrote of a dictionary of tensors; they are read without PyTorch, and no code of theirs runs.

PyTorch has two formats. Both hold a pickle of the dictionary, in which each tensor is a view of a storage: its first
element, its sizes and its strides.

- Up to PyTorch 1.5 ("legacy"): four pickles, which are a number that marks the format, its version, facts about the
  machine, and the dictionary; then a pickle of the storages' keys; then for each key the number of elements, 8 bytes,
  and the elements.
- From 1.6 on: a ZIP file with the pickle `NAME/data.pkl` and a file `NAME/data/KEY` for each storage.
"""

import contextlib
import math
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any, NamedTuple

import numpy as np

from elmo_tf.errors import InputError
from elmo_tf.formats.arrays import Arrays
from elmo_tf.formats.pickled_data import Call, Name, Reference, read_pickle
from elmo_tf.system.input_files import check_readable

_LEGACY_MARK, _LEGACY_VERSION = 0x1950A86A20F9469CFC6C, 1001

_TYPES = {
    f"{module} {kind}Storage": dtype
    for module in ("torch", "torch.cuda")
    for kind, dtype in (("Half", "f2"), ("Float", "f4"), ("Double", "f8"))
}
"""The types of the storages that are read, and NumPy's names of their numbers."""

_REBUILD = "torch._utils _rebuild_tensor"
_REBUILDERS = (_REBUILD, f"{_REBUILD}_v2")
"""The names by which PyTorch writes a tensor: before version 0.4, and since."""

_UNREADABLE = (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)
"""The errors of a damaged pickle, of Python for damaged ZIP files, and of a failing disk."""


class _Tensor(NamedTuple):
    """A tensor as the pickle describes it, counted in elements.

    Args:
        storage: the key of the storage.
        dtype: NumPy's name of its numbers.
        stored: the number of elements of the storage.
        start: the first element.
        shape: the sizes.
        strides: the steps from one element to the next, for each dimension.
    """

    storage: str
    dtype: str
    stored: int
    start: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def item_size(self) -> int:
        """The bytes of an element."""
        return int(self.dtype[1:])

    @property
    def end(self) -> int:
        """The element behind the last one."""
        if 0 in self.shape:
            return self.start
        return self.start + sum((size - 1) * step for size, step in zip(self.shape, self.strides, strict=True)) + 1


class _Storages(NamedTuple):
    """Where the numbers of a file are.

    Args:
        tensors: the tensors by name.
        places: for each storage the first byte in the file, or the name in the ZIP file.
        order: the order of a number's bytes, "<" or ">".
    """

    tensors: dict[str, _Tensor]
    places: dict[str, Any]
    order: str


@contextlib.contextmanager
def open_pytorch(path: str) -> Iterator[Arrays]:
    """Opens a file of PyTorch; yields its tensors as arrays by name, each of which is read when it is looked up.

    Args:
        path: a file that `torch.save` wrote of a `state_dict()`, in either format.

    Raises:
        InputError: the file is missing, is damaged or of another kind, or holds anything else than tensors of
            floating-point numbers, such as a call of a function.
    """
    check_readable(path)
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(open(path, "rb"))
            is_zip = file.read(4) == b"PK\x03\x04"
            file.seek(0)
            archive = stack.enter_context(zipfile.ZipFile(file)) if is_zip else None
            found = _read_legacy(file) if archive is None else _read_zip(archive)
        except _UNREADABLE as error:
            raise _unreadable(path, error) from error

        def read(name: str) -> np.ndarray:
            tensor = found.tensors[name]
            dtype, place = np.dtype(found.order + tensor.dtype), found.places[tensor.storage]
            try:
                if archive is None:
                    # opens the file anew, because threads read several arrays at the same time
                    offset = place + tensor.start * dtype.itemsize
                    numbers = np.fromfile(path, dtype, tensor.end - tensor.start, offset=offset)
                else:
                    numbers = np.frombuffer(archive.read(place), dtype)[tensor.start : tensor.end]
                if len(numbers) != tensor.end - tensor.start:
                    raise ValueError("the file ends too early")
            except _UNREADABLE as error:
                raise _unreadable(path, error) from error
            strides = [step * dtype.itemsize for step in tensor.strides]
            return np.lib.stride_tricks.as_strided(numbers, tensor.shape, strides).astype(np.float32)

        yield Arrays(path, {name: tensor.shape for name, tensor in found.tensors.items()}, read)


def _unreadable(path: str, error: Exception) -> InputError:
    return InputError(
        f"{path} cannot be read as weights of PyTorch, it is another kind of file or damaged: {error}", path=path
    )


def _read_legacy(file: IO[bytes]) -> _Storages:
    names = {*_TYPES, *_REBUILDERS}
    if read_pickle(file, ()) != _LEGACY_MARK or read_pickle(file, ()) != _LEGACY_VERSION:
        raise ValueError("it does not begin as such a file")
    machine = read_pickle(file, ())
    tensors = _tensors_of(read_pickle(file, names))
    keys = read_pickle(file, ())
    stored = {tensor.storage: (tensor.stored, tensor.item_size) for tensor in tensors.values()}
    if any(stored[tensor.storage] != (tensor.stored, tensor.item_size) for tensor in tensors.values()):
        raise ValueError("two tensors differ about their storage")
    if not isinstance(machine, dict) or not isinstance(keys, list) or set(map(str, keys)) != set(stored):
        raise ValueError("its list of storages is damaged")
    order = "<" if machine.get("little_endian", True) else ">"
    return _Storages(tensors, _legacy_places(file, map(str, keys), stored, order), order)


def _legacy_places(
    file: IO[bytes], keys: Iterable[str], stored: Mapping[str, tuple[int, int]], order: str
) -> dict[str, int]:
    """The first byte of each storage, from the present byte on; `stored` has its number of elements and their size."""
    places, place, length = {}, file.tell(), os.fstat(file.fileno()).st_size
    for key in keys:
        file.seek(place)
        count, (expected, size) = int.from_bytes(file.read(8), "little" if order == "<" else "big"), stored[key]
        if count != expected:
            raise ValueError(f"a storage has {count:,} elements, expected {expected:,}")
        places[key], place = place + 8, place + 8 + count * size
    if place > length:
        raise ValueError(f"it has {length:,} bytes, expected {place:,}")
    return places


def _read_zip(archive: zipfile.ZipFile) -> _Storages:
    sizes = {member.filename: member.file_size for member in archive.infolist()}
    pickles = [name for name in sizes if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise ValueError("it is a ZIP file without data.pkl")
    folder = pickles[0].removesuffix("data.pkl")
    with archive.open(pickles[0]) as file:
        tensors = _tensors_of(read_pickle(file, {*_TYPES, *_REBUILDERS}))
    for tensor in tensors.values():
        expected = tensor.stored * tensor.item_size
        if sizes.get(f"{folder}data/{tensor.storage}") != expected:
            raise ValueError(f"the storage {tensor.storage} is missing or has another size than {expected:,} bytes")
    order = ">" if f"{folder}byteorder" in sizes and archive.read(f"{folder}byteorder") == b"big" else "<"
    places = {tensor.storage: f"{folder}data/{tensor.storage}" for tensor in tensors.values()}
    return _Storages(tensors, places, order)


def _tensors_of(content: Any) -> dict[str, _Tensor]:
    """The tensors of a dictionary, as `read_pickle` gives it."""
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise ValueError("it holds no dictionary of tensors")
    return {name: _tensor_of(name, value) for name, value in content.items()}


def _tensor_of(name: str, value: Any) -> _Tensor:
    expected = ValueError(f"array {name}: expected a tensor of float16, float32 or float64")
    if not isinstance(value, Call) or value.name not in _REBUILDERS or len(value.arguments) < 4:
        raise expected
    storage, start, shape, strides = value.arguments[:4]
    key = storage.key if isinstance(storage, Reference) else None
    if not isinstance(key, tuple) or len(key) not in (5, 6) or key[0] != "storage" or key[5:] not in ((), (None,)):
        raise expected
    kind, number, stored = key[1], key[2], key[4]
    if not isinstance(kind, Name) or kind.text not in _TYPES or not isinstance(number, (str, int)):
        raise expected
    for sizes in (shape, strides, (start, stored)):
        if not isinstance(sizes, tuple) or not all(type(size) is int and size >= 0 for size in sizes):
            raise expected
    if len(shape) != len(strides):
        raise expected
    tensor = _Tensor(str(number), _TYPES[kind.text], stored, start, shape, strides)
    if tensor.end > stored or math.prod(shape) > stored:
        raise ValueError(f"array {name} does not lie within its storage")
    return tensor
