"""Fetches models of the NLPL repository of word vectors by their number, such as `nlpl:217`.

Every entry of the repository is one ZIP file, at the address that the repository promises for life. Not every entry is
an ELMo model; an entry of another kind ends in an error when it is opened.
"""

import os
import re
import zipfile
from collections.abc import Mapping

from elmo_tf.errors import InputError
from elmo_tf.store.published_models import MIRROR_VARIABLE, cache_folder, check_address
from elmo_tf.system import atomic_files
from elmo_tf.system.download import DownloadError, ExpectedFile, download
from elmo_tf.system.download_progress import display_download
from elmo_tf.system.locks import lock

BASE = "https://vectors.nlpl.eu/repository/"
"""The address below which the ZIP files of all entries lie, in folders."""

MANYLANGS = range(136, 180)
"""The numbers of the models of ELMoForManyLangs, from Arabic to Chinese (https://github.com/HIT-SCIR/ELMoForManyLangs)."""

LANGUAGES: Mapping[int, str] = {
    196: "Russian, lemmas, from Wikipedia and the Russian National Corpus",
    210: "Norwegian, lemmas, from Wikipedia",
    211: "Norwegian, from Wikipedia",
    212: "Russian, lemmas, from Araneum",
    217: "Norwegian, from Wikipedia and newspapers, trained with 30,000 words",
    218: "Norwegian, from Wikipedia and newspapers, trained with 100,000 words",
}
"""Entries that are known to be ELMo models; the sources are wiki.nlpl.eu/Vectors/norlm and rusvectores.org."""

_NAME = re.compile(r"nlpl:(\d{1,6})")


def is_nlpl_name(path: str) -> bool:
    """Whether a path is the name of an entry; a file of that name in the working directory comes first.

    >>> is_nlpl_name("nlpl:217"), is_nlpl_name("217.zip")
    (True, False)
    """
    return path.startswith("nlpl:") and not os.path.exists(path)


def fetch_from_nlpl(name: str) -> str:
    """Downloads the ZIP file of an entry, unless it is in the cache; returns its path.

    The cache is that of the published models: the file lies in the folder `nlpl-NUMBER` as `NUMBER.zip`, where it may
    be put by hand. The environment variable ELMO_TF_MIRROR names another address with the same files below it.

    Args:
        name: the name, such as "nlpl:217".

    Raises:
        InputError: the name has another form, or the file can neither be found in the cache nor be downloaded.

    Example (not run, because it downloads a model):

        loaded = elmo_tf.load_bilm("nlpl:217")
    """
    found = _NAME.fullmatch(name)
    if found is None:
        raise InputError(f"{name}: expected nlpl:NUMBER, such as nlpl:217", path=name)
    file_name = f"{found[1]}.zip"
    folder = cache_folder(f"nlpl-{found[1]}")
    path = os.path.join(folder, file_name)
    if os.path.exists(path):  # before the lock, which cannot be made in a read-only cache
        return path
    mirror = os.environ.get(MIRROR_VARIABLE)
    base = check_address(MIRROR_VARIABLE, mirror).rstrip("/") + "/" if mirror else _folder_of(int(found[1]))
    atomic_files.make_folder(folder)
    with lock(os.path.join(folder, ".lock")):
        if not os.path.exists(path):  # another process may have fetched it meanwhile
            _download(name, base + file_name, path)
    return path


def _folder_of(number: int) -> str:
    """The address of the folder with the ZIP file of an entry."""
    return BASE + ("11/" if number in MANYLANGS else "20/")


def _download(name: str, address: str, path: str) -> None:
    try:
        with display_download(f"the model {name}", address, os.path.dirname(path)) as progress_of:
            download(address, path, ExpectedFile(check_form=_check_zip), progress_of(os.path.basename(path)))
    except DownloadError as error:
        raise InputError(
            f"{name} cannot be fetched from {address} ({error}); name a mirror by --mirror or {MIRROR_VARIABLE}, or "
            f"put the file there by hand as {path}",
            path=name,
        ) from error


def _check_zip(path: str) -> None:
    """Raises an `InputError` where a file is no ZIP file."""
    if not zipfile.is_zipfile(path):
        raise InputError("expected a ZIP file, got something else", path=path)
