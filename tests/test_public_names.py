"""The names of `elmo_tf` itself: loaded when used, and known to type checkers."""

import ast
import importlib
import pathlib
import subprocess
import sys

import pytest

import elmo_tf

TREE = ast.parse(pathlib.Path(elmo_tf.__file__).read_text(encoding="utf-8"))


def homes_for_type_checkers():
    """What stands below `if TYPE_CHECKING`: the module of every name, and the name that it gets."""
    (block,) = [node for node in TREE.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    return {alias.name: (node.module, alias.asname) for node in block.body for alias in node.names}


def test_type_checkers_see_the_names_that_there_are():
    # "import a as a" is how a name is given on; without it, it would be private to them
    assert homes_for_type_checkers() == {name: (home, name) for name, home in elmo_tf._HOMES.items()}


def test_a_name_is_what_its_home_calls_by_it():
    for name, home in elmo_tf._HOMES.items():
        assert getattr(elmo_tf, name) is getattr(importlib.import_module(home), name)
        assert name in dir(elmo_tf)
    assert dir(elmo_tf) == sorted(set(dir(elmo_tf)))
    assert elmo_tf.__all__ == ["__version__", *sorted(elmo_tf._HOMES)]


def test_a_name_is_looked_up_once_and_tensorflow_loaded_only_for_what_needs_it():
    code = """
import sys, elmo_tf
assert "Options" not in vars(elmo_tf)
first = elmo_tf.Options
assert vars(elmo_tf)["Options"] is first is elmo_tf.Options
assert "tensorflow" not in sys.modules and "numpy" not in sys.modules
elmo_tf.InputError, elmo_tf.TrainSettings, elmo_tf.Vocabulary, elmo_tf.encode_words(["a"], 5)
assert "tensorflow" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_overview_of_the_commands_loads_nothing_that_takes_long():
    slow = {"tensorflow", "keras", "h5py", "matplotlib", "spacy", "huggingface_hub", "pyarrow", "safetensors", "jieba"}
    code = f"""
import sys, elmo_tf
assert not {{"numpy", "absl"}} & set(sys.modules), "import elmo_tf"
from elmo_tf.cli.main import main
assert main(["--help"]) == 0
assert main(["completion", "bash"]) == 0
assert main(["train", "--help"]) == 0
loaded = {{name.split(".")[0] for name in sys.modules}} & {slow}
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_a_name_that_there_is_not_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        elmo_tf.nonsense  # noqa: B018
