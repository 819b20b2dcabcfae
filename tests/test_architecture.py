"""Folders are floors, and imports run down only. Read from the source with `ast`; nothing is imported."""

import ast
import graphlib
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = ROOT / "elmo_tf"

LONGEST_CHAIN = 16
"""Modules in the longest chain of imports."""

FLOORS = (
    ("system",),
    ("data", "layers", "formats"),
    ("models",),
    ("store",),
    ("inference",),
    ("training", "elmo", "bulk"),
    ("conversion",),
    ("cli",),
)
"""The folders from the lowest floor to the highest. Folders on one floor never import each other. The modules at the
package's root stand on the ground with `system`: they need no TensorFlow."""

GROUND = 0
HEIGHTS = {folder: height for height, folders in enumerate(FLOORS) for folder in folders}
ENTRY = {"elmo_tf", "elmo_tf.__main__"}
"""The public names and the console program, which stand above everything."""


def module_name(path):
    """`elmo_tf/layers/highway.py` -> `elmo_tf.layers.highway`; a folder's `__init__.py` has the folder's name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {module: ast.parse(path.read_text(encoding="utf-8")) for module, path in SOURCES.items()}


def imports(tree, module, is_package, modules):
    """What a module imports anywhere in it: full names, those of `modules` to the module and no further.

    `from elmo_tf import a` is `elmo_tf.a` where there is such a module, and `elmo_tf` where `a` is a name
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


def folder_of(module):
    """The folder of a module in a folder: `elmo_tf.layers.highway` -> `layers`; None at the package's root."""
    parts = module.split(".")
    return parts[1] if len(parts) > 2 or SOURCES[module].name == "__init__.py" else None


def height_of(module):
    folder = folder_of(module)
    return GROUND if folder is None else HEIGHTS[folder]


INNER = [module for module in SOURCES if module not in ENTRY]
NUMBERED = [pytest.param(module, id=module.removeprefix("elmo_tf.")) for module in INNER]


def test_the_folders_are_those_of_the_floors():
    assert {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"} == set(HEIGHTS)


def test_the_root_holds_the_ground_and_the_entries_alone():
    at_root = {module for module in SOURCES if module != "elmo_tf" and folder_of(module) is None}
    assert at_root - ENTRY == {
        f"elmo_tf.{name}"
        for name in ("errors", "option_groups", "options", "options_reader", "training_options", "version")
    }


@pytest.mark.parametrize("module", NUMBERED)
def test_imports_run_down_and_never_to_another_folder_of_the_same_floor(module):
    for other in inner_imports_of(module) - {"elmo_tf"}:
        assert other in SOURCES, f"{module} imports {other}, which is no module"
        assert other not in ENTRY, f"{module} imports {other}"
        assert height_of(other) <= height_of(module), f"{module} imports {other} of a higher floor"
        if height_of(other) == height_of(module) != GROUND:
            assert folder_of(other) == folder_of(module), f"{module} imports {other} of the same floor"


def test_the_longest_chain_of_imports_is_short():
    graph = {module: inner_imports_of(module) - ENTRY for module in INNER}
    longest = {}
    for module in graphlib.TopologicalSorter(graph).static_order():
        longest[module] = 1 + max((longest[other] for other in graph.get(module, ())), default=0)
    assert max(longest.values()) <= LONGEST_CHAIN


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
def test_ground_and_data_have_no_tensorflow_and_only_commands_have_absl(module):
    outer = {name.split(".")[0] for name in imports_of(module)}
    if height_of(module) == GROUND or folder_of(module) == "data":
        assert not outer & {"tensorflow", "keras", "tensorboard"}
    if folder_of(module) != "cli":
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
    if folder_of(module) != "cli":
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
