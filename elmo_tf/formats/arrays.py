"""Arrays of a file by name, read one at a time when they are asked for.

So a large model is written as HDF5 without being held as a whole; safetensors and TensorFlow checkpoints hold all of it
while they are written.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from elmo_tf.errors import InputError

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]


class NotFiniteError(InputError):
    """An array holds numbers that are not finite in float32."""


class Arrays(Mapping[str, np.ndarray]):
    """A mapping whose names and shapes are known, and whose arrays are read, in float32, each time they are looked up.

    Args:
        source: the file, for errors.
        shapes: names and shapes.
        read: gives the array of a name.
        keys: what the file itself calls them, where that differs.

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
        """Those of a dictionary, or of any mapping to arrays."""
        return cls(source, {name: np.shape(array) for name, array in arrays.items()}, lambda name: arrays[name])

    def __getitem__(self, name: str) -> np.ndarray:
        """The array.

        Raises:
            KeyError: there is none of that name.
            InputError: it cannot be read, or, `NotFiniteError`, holds numbers that are not finite in float32.
        """
        with np.errstate(over="ignore"):
            return np.asarray(self.raw(name), np.float32)

    def raw(self, name: str) -> Any:
        """What the file's reader gives, a tensor or an array, after the same checks: a variable takes a tensor over as
        it is, and copies an array."""
        read = self.unchecked(name)
        array = np.asarray(read)
        if not is_finite(array):
            what = "holds numbers that are not finite in float32"
            raise NotFiniteError(f"{self.source}: array {self.spelled(name)} {what}", path=self.source)
        return read

    def unchecked(self, name: str) -> Any:
        """What `raw` gives, of the right shape, whatever its numbers are: for callers that compare them with arrays
        already checked."""
        read, shape = self._read(name), self.shapes[name]
        with np.errstate(over="ignore"):
            array = np.asarray(read, np.float32)
        if array.shape != shape:
            what = f"expected shape {shape}, got {array.shape}: a damaged file?"
            raise InputError(f"{self.source}: array {self.spelled(name)}: {what}", path=self.source)
        return read if getattr(read, "dtype", None) == np.float32 else array

    def __contains__(self, name: object) -> bool:  # a mapping's own would read the array
        return name in self.shapes

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)

    def spelled(self, name: str) -> str:
        """What the file itself calls an array."""
        return self._keys.get(name, name)

    @property
    def size(self) -> int:
        """Numbers in all arrays."""
        return sum(int(np.prod(shape)) for shape in self.shapes.values())

    def only(self, names: Mapping[str, object]) -> "Arrays":
        """Those of some names, in the order of the names."""
        return Arrays(self.source, {name: self.shapes[name] for name in names}, self._read, self._keys)

    def with_others(self, others: Mapping[str, np.ndarray]) -> "Arrays":
        """These, and others beside or in place of them."""
        more = others if isinstance(others, Arrays) else Arrays.of(self.source, others)

        def read(name: str) -> Any:
            return more._read(name) if name in more.shapes else self._read(name)

        return Arrays(self.source, {**self.shapes, **more.shapes}, read, self._keys)


def is_finite(array: np.ndarray) -> bool:
    """Whether all numbers are; the sum tells it at once of nearly every array, without one truth value a number."""
    with np.errstate(all="ignore"):
        return bool(np.isfinite(array.sum())) or bool(np.isfinite(array).all())
