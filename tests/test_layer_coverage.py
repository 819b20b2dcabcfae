"""Every Keras layer and model of the package is taken through the layer harness, or exempted by name with a reason."""

import ast
import importlib
import pathlib
import pkgutil

import keras
import pytest

import elmo_tf

TESTS = pathlib.Path(__file__).parent

EXEMPTIONS = {
    "InitializedLayer": "it is the base class of layers that are checked, and has no `call` of its own",
    "SentenceReader": "it is the base class of `ElmoLayer`, which is checked, and has no `call` of its own",
    "WordVectors": "it has no `call` and is never saved by itself: `ElmoLayer` makes it, and the harness checks that",
}
"""The layers that the harness does not check, each with the reason."""


def modules_of(package):
    """Imports and yields every module of a package but its console program."""
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def layers_of(package):
    """The names of the layers and models that the package's modules define (a Keras model is a layer too)."""
    return {
        value.__name__
        for module in modules_of(package)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, keras.layers.Layer) and value.__module__ == module.__name__
    }


def checked_by(source):
    """The names of the classes that calls of `check_layer` in a source text are about."""
    return {
        node.args[0].id
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "check_layer"
        if node.args and isinstance(node.args[0], ast.Name)
    }


def faults(layers, checked, exemptions):
    """A sentence for every layer that is neither checked nor exempted, and for every exemption that is not needed."""
    for name in sorted(layers - checked - set(exemptions)):
        yield f"{name} is neither checked by `check_layer` in a test nor exempted"
    for name, reason in exemptions.items():
        if name not in layers:
            yield f"{name} is exempted, but the package has no such layer"
        elif name in checked:
            yield f"{name} is exempted, but checked by `check_layer` as well"
        if not reason.strip():
            yield f"{name} is exempted without a reason"


def test_every_layer_is_in_the_harness_or_exempted_by_name():
    checked = set().union(*(checked_by(path.read_text(encoding="utf-8")) for path in TESTS.rglob("test_*.py")))
    layers = layers_of(elmo_tf)
    assert {"Highway", "BiLM", "LanguageModel", "ElmoLayer", "TokenMask"} <= layers
    assert not list(faults(layers, checked, EXEMPTIONS))


def test_calls_of_the_harness_are_found_in_a_source_text():
    source = "def test():\n    check_layer(A, {}, x)\n    check_layer(*B)\n    check(C)\n    D"
    assert checked_by(source) == {"A"}


@pytest.mark.parametrize(
    ("layers", "checked", "exemptions", "expected"),
    [
        ({"A", "B"}, {"A"}, {"B": "why"}, []),
        ({"A", "B"}, {"A", "other"}, {}, ["B is neither checked by `check_layer` in a test nor exempted"]),
        ({"A"}, {"A"}, {"A": "why"}, ["A is exempted, but checked by `check_layer` as well"]),
        ({"A"}, {"A"}, {"B": "why"}, ["B is exempted, but the package has no such layer"]),
        ({"A"}, set(), {"A": " "}, ["A is exempted without a reason"]),
    ],
)
def test_a_forgotten_layer_and_an_exemption_without_need_are_named(layers, checked, exemptions, expected):
    assert list(faults(layers, checked, exemptions)) == expected
