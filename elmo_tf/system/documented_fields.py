"""Dataclass fields that carry their documentation and bounds, from which flags and a class's docstring are made."""

import dataclasses
import textwrap
from collections.abc import Sequence
from typing import Any, TypeVar

_Class = TypeVar("_Class")


def documented_field(
    text: str,
    default: Any = dataclasses.MISSING,
    lower: int | None = None,
    upper: int | None = None,
    choices: Sequence[str] = (),
) -> Any:
    """A dataclass field with its documentation.

    Args:
        text: the documentation.
        default: the default value; a field without one is required.
        lower: the smallest value that a flag of this field takes.
        upper: the largest value.
        choices: the values that a text may have; empty for any.
    """
    metadata = {"help": text, "lower": lower, "upper": upper, "choices": tuple(choices)}
    return dataclasses.field(default=default, metadata=metadata)


def with_field_help(documented: type[_Class]) -> type[_Class]:
    """Adds the documentation of the fields to the docstring of a dataclass, as its `Args` section.

    >>> @with_field_help
    ... @dataclasses.dataclass
    ... class Point:
    ...     '''A point.'''
    ...     x: int = documented_field("the first coordinate", 0)
    >>> print(Point.__doc__)
    A point.
    <BLANKLINE>
    Args:
        x: the first coordinate
    """
    lines = []
    for field in dataclasses.fields(documented):  # type: ignore[arg-type]
        if "help" in field.metadata:
            text = f"{field.name}: {field.metadata['help']}"
            lines += textwrap.wrap(text, 112, initial_indent=" " * 4, subsequent_indent=" " * 8)
    documented.__doc__ = "\n".join([(documented.__doc__ or "").rstrip(), "", "Args:", *lines])
    return documented
