"""Files of vectors of every format, read back by other code than wrote them."""

import h5py
import numpy as np
import pytest


def read(path, settings, shape, sentences):
    """The arrays of a file of vectors, in order: `([layers,] [tokens,] size)`.

    Args:
        path: the file.
        settings: of the file.
        shape: of an array, with None for the tokens.
        sentences: the tokens that a Parquet file must have.
    """
    if settings.output_format == "hdf5":
        with h5py.File(path) as file:
            return [file[str(number)][...] for number in range(len(file))]
    if settings.output_format == "npz":
        with np.load(path) as archive:
            return [archive[str(number)] for number in range(len(archive.files))]
    token_shape = [size for size in shape if size is not None]
    if settings.output_format == "parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        table = parquet.read_table(path)
        assert table["id"].to_pylist() == list(range(len(sentences)))
        assert table["tokens"].to_pylist() == sentences
        rows = table["vectors"].to_pylist()
    else:
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        rows = [[]]
        for tokens, numbers in (line.split("\t") if line else ("", "") for line in lines):
            if numbers:
                rows[-1].append([float(number) for number in numbers.split(" ")])
            if settings.pooling != "none" or not tokens + numbers:
                rows.append([])
        assert rows.pop() == []
    if settings.pooling != "none":
        return [np.array(row, settings.dtype).reshape(token_shape) for row in rows]
    arrays = [np.array(row, settings.dtype).reshape(len(row), *token_shape) for row in rows]
    return arrays if len(token_shape) == 1 else [np.swapaxes(array, 0, 1) for array in arrays]
