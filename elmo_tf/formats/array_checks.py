"""Checks the arrays of a file against the names and shapes that are expected."""

from collections.abc import Callable, Iterable, Mapping

from elmo_tf.errors import InputError


def check_shapes(
    expected: Mapping[str, tuple[int, ...]],
    found: Mapping[str, tuple[int, ...]],
    source: str,
    extra: Iterable[str] = (),
    spelled: Callable[[str], str] = str,
) -> None:
    """Raises an `InputError` that names the first array which is missing, has a wrong shape or is not expected.

    Args:
        expected: names and shapes that follow from the options.
        found: names and shapes in the file.
        source: the file's name, for the error.
        extra: names that are allowed in the file and not checked.
        spelled: gives the file's own name of an array, for the error.
    """
    for name, shape in expected.items():
        what = f"{source}: array {spelled(name)}"
        if name not in found:
            raise InputError(f"{what} is missing: expected shape {shape} by the options", path=source)
        if tuple(found[name]) != shape:
            raise InputError(f"{what}: expected shape {shape} by the options, got {tuple(found[name])}", path=source)
    for name in found:
        if name not in expected and name not in extra:
            raise InputError(f"{source}: array {spelled(name)} has no place in a model of these options", path=source)
