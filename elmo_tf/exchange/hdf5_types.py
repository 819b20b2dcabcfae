"""Which datasets of an HDF5 file hold numbers, by what the file says of them and not by what NumPy makes of it.

NumPy knows fewer types than HDF5: a bfloat16 made by hand comes as float32, named values come as whole numbers.
"""

from h5py import h5t

_NUMBERS = (
    *(getattr(h5t, f"IEEE_F{bits}{order}") for bits in (16, 32, 64) for order in ("LE", "BE")),
    *(getattr(h5t, f"STD_{sign}{bits}{order}") for sign in "IU" for bits in (8, 16, 32, 64) for order in ("LE", "BE")),
)

_OTHERS = {
    h5t.INTEGER: "whole numbers of an unusual size",
    h5t.FLOAT: "floats that are none of these",
    h5t.TIME: "times",
    h5t.STRING: "text",
    h5t.BITFIELD: "bits",
    h5t.OPAQUE: "opaque bytes",
    h5t.COMPOUND: "records, or complex numbers",
    h5t.REFERENCE: "references",
    h5t.ENUM: "named values, such as true and false",
    h5t.VLEN: "lists of different lengths",
    h5t.ARRAY: "arrays as elements",
}


def not_numbers(kind: h5t.TypeID) -> str | None:
    """What the elements of a dataset are, where they are no numbers that we read; None where they are.

    Args:
        kind: the dataset's type, `dataset.id.get_type()`; numbers of either byte order are read.

    Example:

    >>> not_numbers(h5t.IEEE_F32BE), not_numbers(h5t.C_S1)
    (None, 'text, of 1 byte each')
    """
    if any(kind.equal(number) for number in _NUMBERS):
        return None
    size = kind.get_size()
    return f"{_OTHERS.get(kind.get_class(), 'another type')}, of {size} byte{'' if size == 1 else 's'} each"
