"""Fetches models from the Hugging Face Hub, by names such as `hf://user/model` or `hf://user/model@revision`.

The library huggingface_hub, an optional dependency (pip install 'elmo_tf[hub]'), downloads the files once and keeps
them in its own cache, from which they are taken without a network too. Its environment variables hold here: HF_ENDPOINT
is the address of a mirror, HF_TOKEN the access token of a private model, HF_HOME the folder of the cache.
"""

import os
import re
import sys
from types import ModuleType

from elmo_tf.errors import InputError
from elmo_tf.system.error_text import first_line

SCHEME = "hf://"
"""The beginning of the name of a model on the Hub."""

_NAME = re.compile(r"hf://(?P<repository>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")

_FILES = (
    "*.json",
    "*.txt",
    "*.txt.gz",
    "*.hdf5",
    "*.safetensors",
    "*.sha256",
    "checkpoint",
    "*.index",
    "*.data-*",
    "*.dic",
    "encoder.pkl",
    "token_embedder.pkl",
)
"""Patterns of the files that a model of any form consists of. Others, such as weights for another program, are not
fetched."""


def is_hub_name(path: str) -> bool:
    """Whether a path is the name of a model on the Hub.

    >>> is_hub_name("hf://user/model"), is_hub_name("models/hf")
    (True, False)
    """
    return path.startswith(SCHEME)


def split_hub_name(name: str) -> tuple[str, str | None]:
    """Splits the name of a model on the Hub into its repository and its revision, which may be left out.

    Raises:
        InputError: the name has another form.

    >>> split_hub_name("hf://user/model@v1.0"), split_hub_name("hf://user/model")
    (('user/model', 'v1.0'), ('user/model', None))
    """
    found = _NAME.fullmatch(name)
    if found is None:
        raise InputError(f"{name}: expected hf://USER/MODEL or hf://USER/MODEL@REVISION", path=name)
    return found["repository"], found["revision"]


def import_hub() -> ModuleType:
    """Imports huggingface_hub; an `InputError` says how to install it."""
    try:
        import huggingface_hub
        import huggingface_hub.utils
    except ImportError as error:
        raise InputError(f"huggingface_hub cannot be loaded ({error}): pip install 'elmo_tf[hub]'") from error
    if not sys.stderr.isatty():
        huggingface_hub.utils.disable_progress_bars()
    return huggingface_hub


def endpoint() -> str | None:
    """The address of the Hub or of a mirror; None for that of huggingface_hub.

    The library reads the environment variable only when it is imported.
    """
    return os.environ.get("HF_ENDPOINT") or None


def fetch_from_hub(name: str) -> str:
    """Downloads the files of a model on the Hub, unless they are in the cache; returns their folder.

    Args:
        name: the name, such as "hf://user/model", with a branch, a tag or a commit behind an `@` if it is not the
            newest version that is wanted.

    Raises:
        InputError: there is no such model or revision, access to it is refused, or it can neither be downloaded nor
            found in the cache.

    Example (not run, because it downloads a model):

        loaded = elmo_tf.load_bilm("hf://user/model")
    """
    repository, revision = split_hub_name(name)
    hub = import_hub()
    try:
        return str(
            hub.snapshot_download(
                repository, revision=revision, allow_patterns=list(_FILES), endpoint=endpoint(), library_name="elmo_tf"
            )
        )
    except (OSError, ValueError) as error:
        raise InputError(f"{name}: {explain(error, revision)}", path=name) from error


def explain(error: Exception, revision: str | None = None) -> str:
    """Says in one sentence why the Hub did not do what was asked of it.

    Args:
        error: an error of huggingface_hub.
        revision: the revision that was asked for.
    """
    errors = import_hub().errors
    if isinstance(error, errors.GatedRepoError):
        return "its owner has to grant you access: ask on its page, then log in by `hf auth login` or set HF_TOKEN"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"the model has no revision {revision}"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "there is no such model on the Hub, or it is private: log in by `hf auth login` or set HF_TOKEN"
    if isinstance(error, errors.HfHubHTTPError) and error.response.status_code in (401, 403):
        return "the Hub refuses the access token: log in by `hf auth login` or set HF_TOKEN"
    if isinstance(error, errors.LocalEntryNotFoundError):
        return f"the Hub cannot be reached, and the model is not in its cache ({first_line(error)})"
    return first_line(error)
