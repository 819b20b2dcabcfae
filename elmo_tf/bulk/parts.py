"""Keeps the finished parts of a run in a folder beside its output, so that a run that was killed can be resumed."""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from elmo_tf.bulk.blocks import Place
from elmo_tf.bulk.formats import ENDINGS, open_vector_file
from elmo_tf.bulk.manifest import read_manifest, write_manifest
from elmo_tf.bulk.settings import EmbedSettings
from elmo_tf.bulk.vector_file import VectorFile
from elmo_tf.errors import InputError
from elmo_tf.system.atomic_files import atomic_write, make_folder
from elmo_tf.system.error_text import reason, rename_in_errors
from elmo_tf.system.process_lock import process_lock

_MANIFEST = "manifest.json"
_NAME = re.compile(r"(\d+)-(\d+)\.(\d+)-lines\.(\d+)-tokens\.")


@contextlib.contextmanager
def only_writer(path: str) -> Iterator[None]:
    """Keeps other processes that use this function from writing the same output, or its parts, during the block.

    Raises:
        InputError: another process writes the output, or the folder of the output cannot be made or written.
    """
    make_folder(os.path.dirname(path) or ".")
    with process_lock(path + ".lock", path, lambda line: None):
        yield


@dataclass(frozen=True)
class Part:
    """A finished part: a file with the vectors of one block.

    Args:
        path: the path of the file, which has the format of the output.
        place: the place of the block in the input.
        lines: the number of sentences.
        tokens: the number of tokens of all sentences, without the boundaries.
    """

    path: str
    place: Place
    lines: int
    tokens: int


class Parts:
    """The folder `OUTPUT.parts`, with a manifest that identifies the run to which the parts belong.

    Args:
        output_file: the path of the output.
        settings: the settings of the run, which also say how the parts are written.
        run: the identity of the run, from `elmo_tf.bulk.fingerprint.identity`. A run resumes from the parts of an
            earlier run only if the two identities are equal.

    The unfinished files of a run that was killed are removed from the folder.

    Raises:
        InputError: the folder holds parts of a run with a different identity, or it cannot be made.
    """

    def __init__(self, output_file: str, settings: EmbedSettings, run: Mapping[str, Any]) -> None:
        self._output_file, self._settings = output_file, settings
        self.folder = output_file + ".parts"
        self._ending = ENDINGS[settings.output_format]
        manifest = os.path.join(self.folder, _MANIFEST)
        if os.path.exists(manifest):
            check_same(self.folder, read_manifest(manifest), run)
            self._remove_unfinished()
            return
        make_folder(os.path.dirname(output_file) or ".")
        make_folder(self.folder)
        with self._named_errors():
            write_manifest(manifest, run)

    def _remove_unfinished(self) -> None:
        for name in os.listdir(self.folder):
            if name.startswith("."):
                os.remove(os.path.join(self.folder, name))

    def finished(self) -> list[Part]:
        """The finished parts, in the order of the text."""
        found = []
        for name in os.listdir(self.folder):
            match = _NAME.match(name)
            if match:
                file, block, lines, tokens = map(int, match.groups())
                found.append(Part(os.path.join(self.folder, name), Place(file, block), lines, tokens))
        return sorted(found, key=lambda part: part.place)

    @contextlib.contextmanager
    def write(self, place: Place, lines: int, tokens: int) -> Iterator[VectorFile]:
        """Yields a new part's file for the caller to fill; the part counts as finished when the `with` block ends."""
        name = f"{place.file:05d}-{place.number:010d}.{lines}-lines.{tokens}-tokens{self._ending}"
        with self._named_errors(), atomic_write(os.path.join(self.folder, name)) as temporary:
            try:
                with open_vector_file(temporary, self._settings) as file:
                    yield file
            except SystemError as error:  # h5py raises it for a failed write since Python 3.13
                raise InputError(f"{temporary} cannot be written: {reason(error)}", path=temporary) from error

    @contextlib.contextmanager
    def _named_errors(self) -> Iterator[None]:
        """Makes errors name the output file instead of the folder of parts, whose path the user did not give."""
        try:
            with rename_in_errors(self._output_file, self.folder):
                yield
        except InputError as error:
            message = re.sub(re.escape(self._output_file) + r"/\S+", self._output_file, str(error))
            raise InputError(message, path=self._output_file) from error

    def remove(self) -> None:
        """Removes the folder and all parts in it."""
        remove_parts(self._output_file)

    def remove_if_empty(self) -> None:
        """Removes the folder if it holds no finished part."""
        if not self.finished():
            self.remove()


def remove_parts(output_file: str) -> None:
    """Removes the folder of parts of an output, if there is one.

    The last part is removed first and the manifest last. If this process is killed before the end, the remaining parts
    can still be identified and are those of the beginning of the text, which a run can go on from.
    """
    folder = output_file + ".parts"
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(folder), reverse=True):
            if name != _MANIFEST:
                os.remove(os.path.join(folder, name))
    shutil.rmtree(folder, ignore_errors=True)


def check_same(folder: str, found: Mapping[str, Any], run: Mapping[str, Any]) -> None:
    """Raises an `InputError` if the manifest `found` of a folder of parts is not of the run with the identity `run`."""
    names = [name for name in ("model", "input", "share") if run[name] is None or found.get(name) != run[name]]
    settings = {**EmbedSettings().to_dict(), **found.get("settings", {})}  # an earlier release had fewer settings
    names += [name for name, value in run["settings"].items() if settings.get(name) != value]
    if names:
        raise InputError(
            f"{folder} holds an unfinished run that differs in {', '.join(names)}; give --overwrite to start over, or "
            "go on with what that run was given",
            path=folder,
        )
