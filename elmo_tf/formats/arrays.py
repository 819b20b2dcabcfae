"""The arrays of a file by name, each of which is read when it is looked up.

A large model can so be written as HDF5 without all of it in memory. Safetensors files and TensorFlow checkpoints need
all arrays in memory while they are written.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from elmo_tf.errors import InputError

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]


class NotFiniteError(InputError):
    """An array holds numbers that are not finite in float32."""


class Arrays(Mapping[str, np.ndarray]):
    """A mapping from names to float32 arrays. Names and shapes are in memory; an array is read at each look-up.

    Args:
        source: the file, for error messages.
        shapes: the shape of each array, by name.
        read: reads the array of a name.
        keys: the names that the arrays have in the file, by our names, where the two differ.

    Example:

    >>> arrays = Arrays("numbers", {"x": (2,)}, lambda name: np.array([1, 2]))
    >>> arrays.shapes, arrays["x"]
    ({'x': (2,)}, array([1., 2.], dtype=float32))
    """

    def __init__(
        self,
        source: str,
        shapes: Shapes,
        read: Callable[[str], Any],
        keys: Mapping[str, str] | None = None,
    ) -> None:
        self.source, self._keys = source, keys or {}
        self.shapes = {name: tuple(shape) for name, shape in shapes.items()}
        self._read = read

    @classmethod
    def of(cls, source: str, arrays: Mapping[str, np.ndarray]) -> "Arrays":
        """The arrays of a dictionary, or of any other mapping."""
        return cls(source, {name: np.shape(array) for name, array in arrays.items()}, lambda name: arrays[name])

    def __getitem__(self, name: str) -> np.ndarray:
        """Reads an array.

        Raises:
            KeyError: no array has that name.
            NotFiniteError: it holds numbers that are not finite in float32.
            InputError: it cannot be read.
        """
        with np.errstate(over="ignore"):
            return np.asarray(self.read(name), np.float32)

    def read(self, name: str) -> Any:
        """Reads an array, with the checks of a look-up, as a tensor where the file's reader gives one.

        A variable is assigned a tensor without a copy, but copies an array.
        """
        read = self.read_unchecked(name)
        array = np.asarray(read)
        if not is_finite(array):
            what = "holds numbers that are not finite in float32"
            raise NotFiniteError(f"{self.source}: array {self.name_in_file(name)} {what}", path=self.source)
        return read

    def read_unchecked(self, name: str) -> Any:
        """Reads an array as `read` does, without the check for finite numbers; the shape is checked.

        For callers that compare the numbers with those of arrays that have been checked.
        """
        read, shape = self._read(name), self.shapes[name]
        with np.errstate(over="ignore"):
            array = np.asarray(read, np.float32)
        if array.shape != shape:
            what = f"expected shape {shape}, got {array.shape}: a damaged file?"
            raise InputError(f"{self.source}: array {self.name_in_file(name)}: {what}", path=self.source)
        return read if getattr(read, "dtype", None) == np.float32 else array

    def __contains__(self, name: object) -> bool:  # that of `Mapping` would read the array
        return name in self.shapes

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)

    def name_in_file(self, name: str) -> str:
        """The name that an array has in the file."""
        return self._keys.get(name, name)

    @property
    def size(self) -> int:
        """The number of elements of all arrays."""
        return sum(int(np.prod(shape)) for shape in self.shapes.values())

    def select(self, names: Mapping[str, object]) -> "Arrays":
        """The arrays of some names, in the order of the names."""
        return Arrays(self.source, {name: self.shapes[name] for name in names}, self._read, self._keys)

    def with_others(self, others: Mapping[str, np.ndarray]) -> "Arrays":
        """These arrays together with others, which replace arrays of the same name."""
        more = others if isinstance(others, Arrays) else Arrays.of(self.source, others)

        def read(name: str) -> Any:
            return more._read(name) if name in more.shapes else self._read(name)

        return Arrays(self.source, {**self.shapes, **more.shapes}, read, self._keys)


def is_finite(array: np.ndarray) -> bool:
    """Whether all numbers of an array are finite.

    A finite sum answers it for nearly every array, without an array of one truth value per number.
    """
    with np.errstate(all="ignore"):
        return bool(np.isfinite(array.sum())) or bool(np.isfinite(array).all())
