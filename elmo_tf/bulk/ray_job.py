"""A job of Ray Data: files in, a folder of Parquet files out; what is finished survives a killed job."""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from elmo_tf.bulk.manifest import read_manifest, write_manifest
from elmo_tf.bulk.parts import check_same, only_writer
from elmo_tf.bulk.ray_text import ERROR, ID, PIECE_BYTES, TEXT, TOKENS, column_of, read_files
from elmo_tf.bulk.settings import INPUT_FORMATS
from elmo_tf.bulk.vector_column import pyarrow
from elmo_tf.errors import InputError
from elmo_tf.system.atomic_files import check_regular, make_folder
from elmo_tf.system.input_files import check_readable, sha256

_SHOWN = 5
"""The most bad rows whose errors are returned."""

_FILTER_BYTES = 64 << 20
"""The memory that Ray's filter of finished rows asks for at least; Ray's own figure is 1 GB."""


class Done(NamedTuple):
    """The result of a job.

    Args:
        rows: the rows of the output.
        bad: the rows among them that have an error instead of a result.
        errors: the ids and errors of the first of these.
    """

    rows: int
    bad: int
    errors: list[tuple[Any, str]]


class Job:
    """Input files and an output folder.

    `OUTPUT.parts` holds a manifest, the finished rows and Ray's record of their ids. It is moved to the output when all
    rows are there.

    Args:
        paths: the input files, with absolute paths.
        output: the folder to make.
        overwrite: whether to replace an output that exists, and to discard an unfinished job.
        piece_bytes: the text that one task reads, in bytes.
        input_format: "text" or "conllu", which Parquet files cannot be.

    Raises:
        InputError: Ray or pyarrow is not installed, a file is missing, or the output exists.
    """

    def __init__(
        self,
        paths: Sequence[str],
        output: str,
        overwrite: bool,
        piece_bytes: int = PIECE_BYTES,
        input_format: str = "text",
    ) -> None:
        pyarrow()
        for path in paths:
            check_readable(path)
        kinds = {path.endswith(".parquet") for path in paths}
        if len(kinds) > 1:
            raise InputError(
                f"input_file: expected text files or Parquet files, got both: {', '.join(paths)}", option="input_file"
            )
        if input_format not in INPUT_FORMATS:
            raise InputError(
                f"input_format: expected {' or '.join(INPUT_FORMATS)}, got {input_format!r}", option="input_format"
            )
        if True in kinds and input_format != "text":
            raise InputError(
                f"input_format: expected text with Parquet files, got {input_format}", option="input_format"
            )
        _check_folder(output, overwrite)
        self._paths, self._is_parquet, self._overwrite = list(paths), kinds == {True}, overwrite
        self._piece_bytes, self._input_format = piece_bytes, input_format
        self._output, self._parts = output, os.path.abspath(output) + ".parts"

    @contextlib.contextmanager
    def goes_on(self, identity: Mapping[str, Any]) -> Iterator[None]:
        """Prepares the folder of parts, from which a killed job goes on in the block if it was the same job.

        Raises:
            InputError: the folder holds another unfinished job, or another process works on this one.
        """
        with only_writer(os.path.normpath(self._output)), self._going_on(identity):
            yield

    @contextlib.contextmanager
    def _going_on(self, identity: Mapping[str, Any]) -> Iterator[None]:
        run = {**identity, "input": self._digest(), "share": {"num_shards": 1, "shard_index": 0}}
        manifest = os.path.join(self._parts, "manifest.json")
        if os.path.exists(manifest) and not self._overwrite:
            check_same(self._parts, read_manifest(manifest), run)
        else:
            shutil.rmtree(self._parts, ignore_errors=True)
            make_folder(self._parts)
            write_manifest(manifest, run)
        try:
            yield
        except BaseException:  # also on Ctrl-C
            data = os.path.join(self._parts, "data")
            if not os.path.isdir(data) or not os.listdir(data):
                shutil.rmtree(self._parts, ignore_errors=True)
            raise

    def _digest(self) -> str:
        """The SHA-256 of the digests of all input files."""
        return hashlib.sha256("\n".join(map(sha256, self._paths)).encode()).hexdigest()

    def run(self, ray: Any, mapped: Callable[[Any, str], Any]) -> Done:
        """Computes all rows that no earlier run has finished, and moves the output into place.

        Args:
            ray: the module, connected to a cluster.
            mapped: a function that adds the results to a dataset, given the column of the sentences.

        Raises:
            InputError: a file is damaged, or the Parquet files have not the columns that are needed.
        """
        data = os.path.join(self._parts, "data")
        make_folder(data)
        context = ray.data.DataContext.get_current()
        before = context.checkpoint_config
        try:
            context.checkpoint_config = self._checkpoint()
            dataset, column = self._read(ray)
            with _users_mistakes(ray):
                mapped(dataset, column).write_parquet(data)
        finally:
            context.checkpoint_config = before
        self._move(data)
        return _summary(self._output)

    def _checkpoint(self) -> Any:
        from ray.data.checkpoint import CheckpointConfig

        ids = os.path.join(self._parts, "ids")
        config = CheckpointConfig(ID, ids, delete_checkpoint_on_success=False)
        config.checkpoint_actor_memory_bytes = _FILTER_BYTES
        return config

    def _read(self, ray: Any) -> tuple[Any, str]:
        """The dataset of the input, and its column of sentences."""
        if not self._is_parquet:
            dataset = read_files(ray, self._paths, self._piece_bytes, self._input_format)
            return dataset, column_of(self._input_format)
        try:
            names = pyarrow().parquet.read_schema(self._paths[0]).names
        except (OSError, pyarrow().ArrowInvalid) as error:
            raise InputError(f"{self._paths[0]} cannot be read as Parquet: {error}", path=self._paths[0]) from error
        column = next((name for name in (TOKENS, TEXT) if name in names), None)
        if ID not in names or column is None:
            raise InputError(
                f"{self._paths[0]}: expected the columns id and text or tokens, got {', '.join(names)}",
                path=self._paths[0],
            )
        return ray.data.read_parquet(self._paths).select_columns([ID, column]), column

    def _move(self, data: str) -> None:
        """Moves the data to the output, then removes the parts, the manifest first: it marks an unfinished job."""
        if self._overwrite and os.path.isdir(self._output):
            shutil.rmtree(self._output)
        elif self._overwrite and os.path.lexists(self._output):
            os.remove(self._output)
        os.rename(data, self._output)
        with contextlib.suppress(OSError):
            os.remove(os.path.join(self._parts, "manifest.json"))
        shutil.rmtree(self._parts, ignore_errors=True)


def _check_folder(output: str, overwrite: bool) -> None:
    """Refuses an output that exists, unless it shall be overwritten and holds nothing but Parquet files."""
    if os.path.lexists(output) and not overwrite:
        raise InputError(f"{output} exists; give --overwrite to replace it (overwrite=True from Python)", path=output)
    if not os.path.isdir(output) or os.path.islink(output):
        check_regular(output)
    elif other := next((name for name in sorted(os.listdir(output)) if not name.endswith(".parquet")), None):
        raise InputError(
            f"{output} holds {other}; expected a new folder, or one of Parquet files alone to replace", path=output
        )


@contextlib.contextmanager
def _users_mistakes(ray: Any) -> Iterator[None]:
    """Raises the `InputError` of a task or actor of Ray as it is, without Ray's report around it."""
    try:
        yield
    except ray.exceptions.RayError as error:
        cause: BaseException | None = error
        while cause is not None:
            inner = getattr(cause, "cause", None) or cause.__cause__
            if isinstance(inner, InputError):
                raise inner from error
            cause = inner if inner is not cause else None
        raise


def _summary(folder: str) -> Done:
    """Counts the rows of the output, and reads the errors of the bad ones."""
    arrow = pyarrow()
    files = [name for name in os.listdir(folder) if name.endswith(".parquet")]
    if not files:
        return Done(0, 0, [])
    dataset = arrow.dataset.dataset(folder, format="parquet")
    bad = dataset.to_table([ID, ERROR], filter=arrow.dataset.field(ERROR).is_valid())
    first = sorted(zip(bad[ID].to_pylist(), bad[ERROR].to_pylist(), strict=True), key=lambda pair: str(pair[0]))
    return Done(dataset.count_rows(), len(bad), first[:_SHOWN])
