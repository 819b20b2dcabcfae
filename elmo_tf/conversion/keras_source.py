"""A model that was fine-tuned inside a saved Keras model, as a folder that can be converted."""

import contextlib
import os
import tempfile
from collections.abc import Iterator

from elmo_tf.elmo.save_bilm import load_elmo_layer, save_bilm
from elmo_tf.system.error_text import rename_in_errors

ENDING = ".keras"


@contextlib.contextmanager
def extract_from_keras(path: str) -> Iterator[str]:
    """Yields a temporary folder with the biLM of the one `ElmoLayer` in a `.keras` file; any other path unchanged.

    Args:
        path: the saved Keras model, or a model of another form.

    Raises:
        InputError: the file cannot be read, or holds no `ElmoLayer`, or several.
    """
    if not path.endswith(ENDING) or not os.path.isfile(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="elmo_tf.") as temporary:
        folder = os.path.join(temporary, "model")
        save_bilm(load_elmo_layer(path), folder)
        with rename_in_errors(path, folder):
            yield folder
