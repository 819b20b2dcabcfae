"""Registers classes with Keras by name; the module of a class is imported only when a saved model needs the class."""

import importlib
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any


def register_by_name(package: str, homes: Mapping[str, str]) -> None:
    """Makes `keras.models.load_model` find classes whose modules are not imported yet.

    This function does not import Keras. If Keras has not been imported yet, the classes are registered as soon as any
    code imports it. A class that `keras.saving.register_keras_serializable` has already registered is left unchanged.
    If it registers a class later, that class replaces the entry made here.

    Args:
        package: the `package` under which Keras registers the classes.
        homes: for each class name, the full name of the module that defines the class.

    Example:

    >>> register_by_name("docs", {"Fraction": "fractions"})
    >>> import keras
    >>> "docs>Fraction" in keras.saving.get_custom_objects()
    True
    """
    keras = sys.modules.get("keras")
    if hasattr(keras, "saving"):
        _register(keras, package, homes)
    else:
        sys.meta_path.insert(0, _KerasFinder(package, homes))


def _register(keras: Any, package: str, homes: Mapping[str, str]) -> None:
    objects = keras.saving.get_custom_objects()
    for name, home in homes.items():
        objects.setdefault(f"{package}>{name}", _NamedClass(name, home))


class _NamedClass:
    """A stand-in for a class of which only the name and the module are known; it has the method that Keras calls."""

    def __init__(self, name: str, home: str) -> None:
        self.__name__, self._home = name, home

    def from_config(self, config: dict[str, Any]) -> Any:
        """Imports the class and makes an instance of it from its config."""
        return getattr(importlib.import_module(self._home), self.__name__).from_config(config)


class _KerasFinder:
    """A finder in `sys.meta_path` that leaves the search to other finders, and registers the classes afterwards."""

    def __init__(self, package: str, homes: Mapping[str, str]) -> None:
        self._package, self._homes = package, homes

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Returns the spec of Keras, with a loader that registers the classes; returns None for every other module."""
        if name != "keras":
            return None
        others = (finder for finder in sys.meta_path if finder is not self and hasattr(finder, "find_spec"))
        spec = next((spec for finder in others if (spec := finder.find_spec(name, path, target))), None)
        if spec is not None and spec.loader is not None:
            loader: Any = _KerasLoader(spec.loader, self)
            spec.loader = loader
        return spec

    def finish(self, keras: ModuleType) -> None:
        """Removes this finder from `sys.meta_path`, and registers the classes."""
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]
        _register(keras, self._package, self._homes)


class _KerasLoader:
    """A loader that imports Keras by its own loader, and then calls `_KerasFinder.finish`."""

    def __init__(self, loader: Any, finder: _KerasFinder) -> None:
        self._loader, self._finder = loader, finder

    def create_module(self, spec: Any) -> ModuleType | None:
        """Creates the module with Keras's own loader."""
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Gives the module its own loader back, runs the module with it, and registers the classes."""
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._finder.finish(module)
