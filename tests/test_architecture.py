"""Bands of modules: imports run down only. Read from the source with `ast`, nothing is imported."""

import ast
import graphlib
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = ROOT / "elmo_tf"

BANDS = {
    "ground": {
        "errors",
        "allocation",
        "files",
        "folders",
        "locks",
        "download",
        "fetch_display",
        "version",
        "options",
        "options_reader",
        "memory",
        "run_settings",
        "interrupts",
    },
    "layers and data": {"layers", "data"},  # which never import each other
    "models": {
        "bilm",
        "bilm_state",
        "language_model",
        "elmo_inputs",
        "elmo_lists",
        "elmo_outputs",
        "elmo_words",
        "token_places",
        "static_embedding",
    },
    "exchange": {"exchange"},
    "parts": {
        "optimizer",
        "loss_scale",
        "callbacks",
        "run_logs",
        "checkpoint",
        "checkpoint_folder",
        "train_step",
        "devices",
        "preparation",
        "published",
    },
    "drivers": {
        "model_place",
        "stored_model",
        "model_folder",
        "initialization",
        "run_description",
        "training",
        "evaluation",
        "embedding",
        "self_check",
        "fitting",
        "conversion_settings",
        "conversion_content",
        "conversion",
        "model_consumers",
        "model_oddities",
        "inspection",
    },
    "outlets": {"elmo", "serving"},
    "commands": {"cli"},
    "entry": {"__main__"},
}
"""From low to high. A folder's name stands for all its modules."""

HEIGHTS = {name: height for height, names in enumerate(BANDS.values()) for name in names}


def module_name(path):
    """`elmo_tf/layers/highway.py` -> `elmo_tf.layers.highway`; a folder's `__init__.py` has the folder's name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {module: ast.parse(path.read_text(encoding="utf-8")) for module, path in SOURCES.items()}


def imports(tree, module, is_package, modules):
    """What a module imports anywhere in it: full names, those of `modules` to the module and no further.

    `from elmo_tf import files` is `elmo_tf.files` where there is such a module, and `elmo_tf` where `files` is a name
    that `elmo_tf/__init__.py` defines.
    """
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                folders = module.split(".")
                folders = folders[: len(folders) - node.level + is_package]
                origin = ".".join([*folders, *([node.module] if node.module else [])])
            for alias in node.names:
                whole = f"{origin}.{alias.name}"
                found.add(whole if whole in modules else origin)
    return found


def imports_of(module):
    return imports(TREES[module], module, SOURCES[module].name == "__init__.py", SOURCES)


def inner_imports_of(module):
    return {name for name in imports_of(module) if name.split(".")[0] == "elmo_tf"}


def place(module):
    """The name in `BANDS` that a module goes by: `elmo_tf.layers.highway` -> `layers`."""
    return module.split(".")[1]


INNER = [module for module in SOURCES if module != "elmo_tf"]
NUMBERED = [pytest.param(module, id=module.removeprefix("elmo_tf.")) for module in INNER]


@pytest.mark.parametrize("module", NUMBERED)
def test_every_module_has_a_place(module):
    assert place(module) in HEIGHTS, f"{module} is in no band: place it in BANDS of {pathlib.Path(__file__).name}"


def test_every_place_has_a_module_and_is_the_only_one_of_its_name():
    names = [name for band in BANDS.values() for name in band]
    assert set(names) == {place(module) for module in INNER}, "BANDS names what is no module"
    assert len(names) == len(HEIGHTS), "BANDS names a module twice"


@pytest.mark.parametrize("module", NUMBERED)
def test_no_import_runs_up(module):
    height = HEIGHTS.get(place(module), len(BANDS))
    for other in inner_imports_of(module) - {"elmo_tf"}:
        assert other in SOURCES, f"{module} imports {other}, which is no module"
        assert HEIGHTS.get(place(other), len(BANDS)) <= height, f"{module} imports {other} of a higher band"


@pytest.mark.parametrize("module", NUMBERED)
def test_layers_and_data_never_meet(module):
    apart = {"layers": "data", "data": "layers"}.get(place(module))
    met = [other for other in inner_imports_of(module) if other != "elmo_tf" and place(other) == apart]
    assert not met, f"{module} imports {met}"


@pytest.mark.parametrize("module", NUMBERED)
def test_nothing_inside_imports_the_package_itself(module):
    assert "elmo_tf" not in inner_imports_of(module), f"{module} imports a name that elmo_tf/__init__.py defines"


def test_imports_make_no_cycles():
    graph = {module: inner_imports_of(module) for module in INNER}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"modules import each other in a circle: {' <- '.join(error.args[1])}")


@pytest.mark.parametrize("module", NUMBERED)
def test_the_ground_has_no_tensorflow_and_only_commands_have_absl(module):
    outer = {name.split(".")[0] for name in imports_of(module)}
    if place(module) in BANDS["ground"]:
        assert not outer & {"tensorflow", "keras", "tensorboard"}
    if place(module) not in BANDS["commands"]:
        assert "absl" not in outer


def wrong_statements(tree):
    """Lines of `assert`, and of handlers that catch everything there is."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            yield f"line {node.lineno}: assert"
        if isinstance(node, ast.ExceptHandler):
            kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            names = {None if kind is None else ast.unparse(kind) for kind in kinds}
            if names & {None, "Exception"}:
                yield f"line {node.lineno}: a handler of everything"


def print_calls(tree):
    """Lines of `print(...)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            yield f"line {node.lineno}: print"


@pytest.mark.parametrize("module", SOURCES)
def test_errors_are_raised_and_caught_by_name(module):
    assert not list(wrong_statements(TREES[module]))


@pytest.mark.parametrize("module", NUMBERED)
def test_only_commands_print(module):
    if place(module) not in BANDS["commands"]:
        assert not list(print_calls(TREES[module]))


@pytest.mark.parametrize(
    ("source", "module", "is_package", "expected"),
    [
        ("import elmo_tf.a.b, os", "elmo_tf.x", False, {"elmo_tf.a.b", "os"}),
        ("from elmo_tf.a import b", "elmo_tf.x", False, {"elmo_tf.a.b"}),
        ("from elmo_tf.a import NAME", "elmo_tf.x", False, {"elmo_tf.a"}),
        ("from elmo_tf import a, NAME", "elmo_tf.x", False, {"elmo_tf.a", "elmo_tf"}),
        ("from . import a", "elmo_tf.x", False, {"elmo_tf.a"}),
        ("from .a.b import NAME", "elmo_tf.x", False, {"elmo_tf.a.b"}),
        ("from ..a import b", "elmo_tf.x.y", False, {"elmo_tf.a.b"}),
        ("from .b import NAME", "elmo_tf.a", True, {"elmo_tf.a.b"}),
        ("def f():\n if g:\n  from elmo_tf.a import b", "elmo_tf.x", False, {"elmo_tf.a.b"}),
    ],
)
def test_imports_of_every_form_are_seen(source, module, is_package, expected):
    assert imports(ast.parse(source), module, is_package, {"elmo_tf", "elmo_tf.a", "elmo_tf.a.b"}) == expected


@pytest.mark.parametrize(
    ("source", "n_wrong"),
    [
        ("assert x", 1),
        ("try: f()\nexcept: g()", 1),
        ("try: f()\nexcept Exception: g()", 1),
        ("try: f()\nexcept (OSError, Exception) as e: g()", 1),
        ("try: f()\nexcept (OSError, ValueError): g()", 0),
    ],
)
def test_wrong_statements_are_seen(source, n_wrong):
    assert len(list(wrong_statements(ast.parse(source)))) == n_wrong
