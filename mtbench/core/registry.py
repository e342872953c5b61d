"""One registry for every kind of plugin: builders, encoders, models, evaluators, simulators.

Three ways in:

1. an installed package names an entry point: ``[project.entry-points."mtbench.models"]``
2. a script decorates a class: ``@MODELS.register("mine")``
3. the command line names a file or module: ``mtbench evaluate path/to/file.py:Mine``

Nothing is imported before it is asked for by name.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.metadata
import importlib.util
import logging
import sys
import types
from collections.abc import Callable, Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any, Generic, TypeVar

from mtbench.core.errors import MtbenchError, unknown

T = TypeVar("T")

EXTRAS = {"torch": "neural", "safetensors": "neural"}
"""Packages that plugins of this package import at the top, by the extra that brings them."""

OURS = ("mtbench", "builders")
"""The packages whose plugins are described without an import."""

logger = logging.getLogger(__name__)


class Registry(Generic[T]):
    """Plugins of one kind by name, loaded on first use."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.group = f"mtbench.{kind}s"
        self._decorated: dict[str, type[T]] = {}
        self._declared: dict[str, importlib.metadata.EntryPoint] | None = None

    def _entry_points(self) -> dict[str, importlib.metadata.EntryPoint]:
        if self._declared is None:
            found: dict[str, importlib.metadata.EntryPoint] = {}
            for point in importlib.metadata.entry_points(group=self.group):
                other = found.setdefault(point.name, point)
                if other.value != point.value:
                    raise MtbenchError(
                        f"two installed packages register the {self.kind} {point.name!r}: "
                        f"{other.value} and {point.value}. Uninstall one."
                    )
            self._declared = found
        return self._declared

    def register(self, name: str) -> Callable[[type[T]], type[T]]:
        """Decorator that adds a class under ``name``; a name that is taken is an error."""

        def add(plugin: type[T]) -> type[T]:
            if name in self.names():
                raise MtbenchError(f"the {self.kind} name {name!r} is taken; choose another")
            self._decorated[name] = plugin
            return plugin

        return add

    def names(self) -> list[str]:
        """Every name, sorted. Imports no plugin."""
        return sorted({*self._entry_points(), *self._decorated})

    def get(self, name: str) -> type[T]:
        """The plugin class called ``name``, or given as ``module:Class`` or ``path/to/file.py:Class``.

        Raises:
            MtbenchError: no such name, file, module or class, or the plugin cannot be imported.
        """
        if name in self._decorated:
            return self._decorated[name]
        if name in self._entry_points():
            point = self._entry_points()[name]
            try:
                plugin: type[T] = point.load()
            except Exception as error:
                hint = _what_to_install(error)
                raise MtbenchError(
                    f"the {self.kind} {name!r} ({point.value}) cannot be loaded: {error}{hint}"
                ) from error
            return plugin
        if ":" in name:
            return self._load(name)
        raise unknown(self.kind, name, self.names(), hint="Your own: path/to/file.py:Class")

    def loaded(self) -> Iterator[tuple[str, type[T]]]:
        """Every plugin that can be imported; a broken one is warned about and skipped."""
        for name in self.names():
            try:
                yield name, self.get(name)
            except MtbenchError as error:
                logger.warning("%s", error)

    def described(self) -> Iterator[tuple[str, str]]:
        """Every plugin with the first line of its description; a broken one is warned about and skipped.

        A class of this package is looked up in its file and not imported: that would take seconds for torch, and where
        there is no torch the list would be without them.
        """
        for name in self.names():
            point = None if name in self._decorated else self._entry_points()[name]
            text = _docstring(point) if point and point.module.partition(".")[0] in OURS else ""
            try:
                plugin = None if text else self.get(name)
            except MtbenchError as error:
                logger.warning("%s", error)
                continue
            text = text or getattr(plugin, "summary", None) or (plugin and plugin.__doc__) or ""
            yield name, text.strip().split("\n")[0]

    def _load(self, spec: str) -> type[T]:
        where, _, attribute = spec.rpartition(":")
        if where.endswith(".py"):
            module = _import_file(Path(where), self.kind)
        else:
            try:
                module = importlib.import_module(where)
            except Exception as error:
                raise MtbenchError(f"{self.kind} {spec!r}: module {where!r} cannot be imported: {error}") from error
        plugin: object = getattr(module, attribute, None)
        if not isinstance(plugin, type):
            own = [value for value in vars(module).values() if isinstance(value, type)]
            classes = [value.__name__ for value in own if value.__module__ == module.__name__]
            raise unknown(f"{self.kind} class in {where}", attribute, classes)
        return plugin


def _what_to_install(error: Exception) -> str:
    """What to type where a package is missing that an extra of this one brings."""
    missing = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    return f'. Type: pip install "mtbench[{EXTRAS[missing]}]"' if missing in EXTRAS else ""


def _docstring(point: importlib.metadata.EntryPoint) -> str:
    """The docstring of a class, read from its file; empty where it has none there."""
    try:
        spec = importlib.util.find_spec(point.module)
        tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8")) if spec and spec.origin else ast.Module([], [])
    except (ImportError, OSError, SyntaxError):
        return ""  # importing it will say what is wrong
    found = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == point.attr]
    own = {target.id for part in found for node in part.body if isinstance(node, ast.Assign) for target in _names(node)}
    return "" if "summary" in own or not found else ast.get_docstring(found[0]) or ""


def _names(node: ast.Assign) -> list[ast.Name]:
    return [target for target in node.targets if isinstance(target, ast.Name)]


class _FromSource(SourceFileLoader):
    """Compiles anew each time: cached bytecode does not notice an edit of the same second and length."""

    def get_code(self, fullname: str) -> types.CodeType:
        code: types.CodeType = self.source_to_code(self.get_data(self.path), self.path)
        return code


def _import_file(path: Path, kind: str) -> Any:
    """Import one Python file under a name of its own, without touching ``sys.path``."""
    if not path.is_file():
        raise MtbenchError(f"{kind} file {path} does not exist")
    place = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]  # a/model.py is not b/model.py
    name = f"mtbench_plugin_{path.stem}_{place}"
    spec = importlib.util.spec_from_file_location(name, path, loader=_FromSource(name, str(path)))
    assert spec is not None and spec.loader is not None  # a .py suffix always has a loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and typing look the module up by name
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # a script that runs to its end would end us as well
        del sys.modules[name]
        raise MtbenchError(f"{kind} file {path} cannot be imported: {type(error).__name__}: {error}") from error
    return module


BUILDERS: Registry[Any] = Registry("builder")
ENCODERS: Registry[Any] = Registry("encoder")
MODELS: Registry[Any] = Registry("model")
EVALUATORS: Registry[Any] = Registry("evaluator")
SIMULATORS: Registry[Any] = Registry("simulator")

KINDS = {registry.kind + "s": registry for registry in (BUILDERS, ENCODERS, MODELS, EVALUATORS, SIMULATORS)}
