"""A column of vectors in Arrow's memory layout, as it stands in Parquet files."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from elmo_tf.errors import InputError


def pyarrow() -> Any:
    """Imports and returns pyarrow; raises an `InputError` if it is not installed."""
    try:
        import pyarrow
        import pyarrow.dataset
        import pyarrow.parquet
    except ImportError as error:
        raise InputError("pyarrow is not installed: pip install 'elmo_tf[parquet]'") from error
    return pyarrow


def vector_column(arrays: Sequence[np.ndarray], is_pooled: bool, missing: np.ndarray | None = None) -> Any:
    """Makes the column of the vectors of sentences.

    Args:
        arrays: the vectors of each sentence: pooled `([layers,] size)`, else `(tokens, [layers,] size)`; at least one.
        is_pooled: whether they are pooled.
        missing: booleans, True for sentences without vectors, whose entry becomes null; None if there are none.

    Returns:
        An Arrow array with an entry a sentence. Pooled, it is a fixed-size list of numbers; else it is a list of these,
        one a token. With several layers, a fixed-size list of fixed-size lists stands in place of the numbers.
    """
    arrow = pyarrow()
    shape = arrays[0].shape if is_pooled else arrays[0].shape[1:]
    mask = None if missing is None or not missing.any() else arrow.array(missing)
    entries = arrow.array(np.concatenate([array.reshape(-1) for array in arrays]))
    for depth, size in reversed(list(enumerate(shape))):
        own = {"mask": mask} if is_pooled and depth == 0 and mask is not None else {}
        entries = arrow.FixedSizeListArray.from_arrays(entries, size, **own)
    if is_pooled:
        return entries
    offsets = np.cumsum([0, *map(len, arrays)], dtype=np.int32)
    return arrow.ListArray.from_arrays(offsets, entries, **({} if mask is None else {"mask": mask}))
