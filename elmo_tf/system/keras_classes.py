"""Registers classes with Keras by name alone: the module of a class is imported when a saved model needs it."""

import importlib
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any


def register_by_name(package: str, homes: Mapping[str, str]) -> None:
    """Makes `keras.models.load_model` find classes whose modules are not imported yet.

    Keras is not imported by this function. Where Keras is not there yet, the classes are registered at the end of its
    import, whoever imports it. A class that `keras.saving.register_keras_serializable` has registered stays as it is,
    and one that it registers later takes the place of the name.

    Args:
        package: the `package` with which the classes are registered.
        homes: the full name of the module of each class, by the name of the class.

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
    """A class that is known by its name and its module; it has the methods by which Keras makes an object."""

    def __init__(self, name: str, home: str) -> None:
        self.__name__, self._home = name, home

    def from_config(self, config: dict[str, Any]) -> Any:
        """Imports the class, and makes an object of it."""
        return getattr(importlib.import_module(self._home), self.__name__).from_config(config)


class _KerasFinder:
    """A finder of `sys.meta_path` that leaves the search to the others, and registers the classes after the import."""

    def __init__(self, package: str, homes: Mapping[str, str]) -> None:
        self._package, self._homes = package, homes

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """The spec of Keras with a loader that registers the classes; None for every other module."""
        if name != "keras":
            return None
        others = (finder for finder in sys.meta_path if finder is not self and hasattr(finder, "find_spec"))
        spec = next((spec for finder in others if (spec := finder.find_spec(name, path, target))), None)
        if spec is not None and spec.loader is not None:
            loader: Any = _KerasLoader(spec.loader, self)
            spec.loader = loader
        return spec

    def finish(self, keras: ModuleType) -> None:
        """Registers the classes, and leaves `sys.meta_path`."""
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]
        _register(keras, self._package, self._homes)


class _KerasLoader:
    """Keras's own loader, with a call of `_KerasFinder.finish` at the end of the import."""

    def __init__(self, loader: Any, finder: _KerasFinder) -> None:
        self._loader, self._finder = loader, finder

    def create_module(self, spec: Any) -> ModuleType | None:
        """The module as Keras's own loader makes it."""
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Runs the module as Keras's own loader does, which it has again from then on."""
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._finder.finish(module)
