"""Uploads the files of a model to the Hugging Face Hub, with a model card."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from elmo_tf.conversion.model_card import CARD_FILE, model_card
from elmo_tf.errors import InputError
from elmo_tf.store.hub import endpoint, explain, import_hub
from elmo_tf.store.open_model import open_model
from elmo_tf.system.atomic_files import write_text

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_LICENSE = re.compile(r"[a-z0-9][a-z0-9.-]*")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]+)*|multilingual|code")


@dataclass(frozen=True)
class PushSettings:
    """The settings of an upload.

    Args:
        repository: the repository on the Hub, "user/model"; it is created if it does not exist.
        license_name: the identifier of the licence on the Hub, such as "apache-2.0", "cc-by-4.0" or "other".
        languages: the codes of the languages, such as "nb".
        is_private: whether a new repository is private.

    Raises:
        InputError: one of these has another form.
    """

    repository: str
    license_name: str
    languages: Sequence[str] = ()
    is_private: bool = False

    def __post_init__(self) -> None:
        if not _REPOSITORY.fullmatch(self.repository):
            raise InputError(f"--repo={self.repository}: expected USER/MODEL", option="repo")
        if not _LICENSE.fullmatch(self.license_name):
            expected = "expected an identifier of the Hub, such as apache-2.0, cc-by-4.0 or other"
            raise InputError(f"--license={self.license_name}: {expected}", option="license")
        for language in self.languages:
            if not _LANGUAGE.fullmatch(language):
                raise InputError(f"--language={language}: expected a code, such as en or nb", option="language")


def write_card(model_dir: str, folder: str, settings: PushSettings, which: str | None = None) -> None:
    """Writes the card of a model into the folder with its files.

    Args:
        model_dir: the model; that of the folder does not know how it was trained.
        folder: the folder of the upload.
        settings: the settings of the upload.
        which: the checkpoint to describe, "best" or "latest"; None for the best if there is one, else the latest.

    Raises:
        InputError: the model cannot be read, or the card cannot be written.
    """
    with open_model(model_dir, which) as stored:
        card = model_card(stored, settings.repository, settings.license_name, settings.languages)
    write_text(os.path.join(folder, CARD_FILE), card)


def push(folder: str, settings: PushSettings) -> str:
    """Uploads the files of a folder to the Hub, in one commit; returns the address of the commit.

    The access token is that of `hf auth login` or of HF_TOKEN.

    Args:
        folder: the folder, with a model of any form and its card.
        settings: the settings of the upload.

    Raises:
        InputError: the Hub refuses the upload or cannot be reached.
    """
    hub = import_hub()
    name = settings.repository
    api = hub.HfApi(endpoint=endpoint(), library_name="elmo_tf")
    try:
        api.create_repo(name, private=settings.is_private or None, exist_ok=True)
        commit = api.upload_folder(repo_id=name, folder_path=folder, commit_message="Upload an ELMo model")
    except (OSError, ValueError) as error:
        raise InputError(f"--repo={name}: {explain(error)}", option="repo") from error
    return str(commit.commit_url)
