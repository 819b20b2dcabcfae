"""Reads typed values from a JSON object; a wrong value is an `InputError` that names the option."""

import difflib
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

from elmo_tf.errors import InputError

_REQUIRED = object()

MOST = 2**31 - 1
"""The default upper bound of whole numbers: sizes and ids have 32 bits."""

_MOST_WIDTH, _MOST_FILTERS = 10_000, 1_000_000
_LARGEST = 3e38
"""The upper bound of numbers: computations are in float32, whose largest number is a little above."""

_SHORT = reprlib.Repr()
_SHORT.maxlist = _SHORT.maxdict = 8
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 80


class OptionsReader:
    """Reads the values of one JSON object by name; `finish` reports the names that were never read.

    In a method, `key` is the name of an option and `default` its value where it is missing or null; an option without
    a default is required.

    Args:
        values: the object.
        name: the name of the whole options in error messages, such as the file's path.
        prefix: the path of the object inside the file, such as "lstm."; empty for the whole file.
    """

    def __init__(self, values: Any, name: str, prefix: str = "") -> None:
        if not isinstance(values, Mapping):
            where = f"{name}: {prefix.rstrip('.')}" if prefix else name
            raise InputError(
                f"{where}: expected a JSON object, got {_short_repr(values)}", option=prefix.rstrip(".") or None
            )
        self._values, self._name, self._prefix = values, name, prefix
        self._known: set[str] = set()

    def error(self, key: str, expected: str, found: Any) -> InputError:
        """The error for a wrong value; the caller raises it."""
        return InputError(
            f"{self._name}: {self._prefix}{key}: expected {expected}, got {_short_repr(found)}",
            option=self._prefix + key,
        )

    def has(self, key: str) -> bool:
        """Whether the option is present and not null."""
        self._known.add(key)
        return self._values.get(key) is not None

    def _get(self, key: str, default: Any, expected: str) -> Any:
        self._known.add(key)
        value = self._values.get(key)
        if value is None:
            if default is _REQUIRED:
                raise InputError(
                    f"{self._name}: {self._prefix}{key} is missing: expected {expected}", option=self._prefix + key
                )
            return default
        return value

    def section(self, key: str) -> "OptionsReader":
        """The reader of a nested object, which is required."""
        value = self._get(key, _REQUIRED, "a JSON object")
        return OptionsReader(value, self._name, f"{self._prefix}{key}.")

    def whole(self, key: str, default: Any = _REQUIRED, lower: int = 1, upper: int = MOST) -> Any:
        """Reads a whole number from `lower` to `upper`; 3.0 counts as 3."""
        expected = f"a whole number of at least {lower} and at most {upper:,}"
        value = self._get(key, default, expected)
        if value is default:
            return value
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not lower <= value <= upper:
            raise self.error(key, expected, value)
        return value

    def number(self, key: str, default: Any, above: float | None = None, below: float | None = None) -> Any:
        """Reads a number in float32's range: above `above` or, where `below` is given, at least 0 and under `below`."""
        if below is not None:
            expected = f"a number of at least 0 and under {below:g}"
        else:
            expected = "a number" if above is None else f"a number above {above:g}"
        value = self._get(key, default, expected)
        if value is default:
            return value
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # NaN
            raise self.error(key, expected, value)
        if below is None and abs(value) > _LARGEST:
            raise self.error(key, f"{expected} and of at most {_LARGEST:g}", value)
        if (above is not None and value <= above) or (below is not None and not 0 <= value < below):
            raise self.error(key, expected, value)
        return value if abs(value) <= MOST else float(value)  # TensorFlow accepts no larger whole number

    def flag(self, key: str, default: bool) -> bool:
        """Reads true or false."""
        value = self._get(key, default, "true or false")
        if not isinstance(value, bool):
            raise self.error(key, "true or false", value)
        return value

    def choice(self, key: str, choices: Sequence[str], default: Any = _REQUIRED) -> str:
        """Reads one of `choices`."""
        expected = " or ".join(f'"{choice}"' for choice in choices)
        value = self._get(key, default, expected)
        if value not in choices:
            raise self.error(key, expected, value)
        return str(value)

    def filters(self, key: str) -> tuple[tuple[int, int], ...]:
        """Reads a list of `[width, number of filters]` pairs, which is required and not empty."""
        expected = (
            "a list of [width, number of filters] pairs of whole numbers above 0, "
            f"at most {_MOST_WIDTH:,} and {_MOST_FILTERS:,}"
        )
        value = self._get(key, _REQUIRED, expected)
        if not isinstance(value, list | tuple) or not value:
            raise self.error(key, expected, value)
        for pair in value:
            if not isinstance(pair, list | tuple) or len(pair) != 2:
                raise self.error(key, expected, pair)
            for part, most in zip(pair, (_MOST_WIDTH, _MOST_FILTERS), strict=True):
                if isinstance(part, bool) or not isinstance(part, int) or not 1 <= part <= most:
                    raise self.error(key, expected, pair)
        return tuple((width, number) for width, number in value)

    def finish(self, strict: bool = True) -> None:
        """Raises an `InputError` for a name that was never read.

        Args:
            strict: whether every such name is an error. If not, only a name that looks like a misspelled option is:
                the files of other programs may hold options of their own.
        """
        for key in self._values:
            if key in self._known:
                continue
            close = difflib.get_close_matches(str(key), sorted(self._known), 1, cutoff=0.8)
            if strict or close:
                hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(self._known))}"
                raise InputError(
                    f"{self._name}: {self._prefix}{key} is not an option; {hint}", option=self._prefix + key
                )


def _short_repr(value: Any) -> str:
    """A value as text, cut to 80 characters.

    >>> _short_repr("relu"), len(_short_repr("relu" * 1000))
    ("'relu'", 80)
    """
    try:
        return _SHORT.repr(value)
    except ValueError:  # Python formats no whole number of thousands of digits
        return "a number of thousands of digits"
