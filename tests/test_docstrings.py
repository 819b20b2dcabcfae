"""Every example in a docstring runs and gives what it says."""

import doctest
import importlib
import pathlib

import numpy as np
import pytest

import elmo_tf

ROOT = pathlib.Path(elmo_tf.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
    for path in ROOT.rglob("*.py")
    if ">>>" in path.read_text() and path.name != "__main__.py"
)


def test_there_are_examples():
    assert len(MODULES) > 15


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name):
    module = importlib.import_module(name)
    results = doctest.testmod(module, extraglobs={"np": np})
    assert results.attempted > 0
    assert results.failed == 0
