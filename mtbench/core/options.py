"""From the strings of a command line to the typed, keyword options of a plugin's constructor.

>>> class Knn:
...     def __init__(self, *, k: int = 5, exact: bool = False) -> None:
...         self.k, self.exact = k, exact
>>> construct(Knn, {"k": "9"}, what="model 'knn'").k
9
>>> construct(Knn, {"k": "nine", "exakt": "yes"}, what="model 'knn'")
Traceback (most recent call last):
mtbench.core.errors.MtbenchError: model 'knn': 2 problems
  k: 'nine' is not a whole number
  exakt: no such option. Did you mean 'exact'?
Options: k, exact
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import re
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

from mtbench.core.errors import Problems, RefusedError, did_you_mean

T = TypeVar("T")

_SECTION = re.compile(r"^(?:Args|Attributes):\n((?: .*\n|\n)*)", re.MULTILINE)
_ENTRY = re.compile(r"^ {4}(\w+(?:, \w+)*): (.*(?:\n {5,}.*)*)", re.MULTILINE)
"""Options of a docstring: ``name: meaning`` or ``name, name: meaning``, whose further lines stand further in."""

_KINDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def construct(plugin: type[T], options: Mapping[str, object], *, what: str) -> T:
    """An instance of ``plugin``, its options turned into the annotated types of the constructor.

    Annotations may be ``int``, ``float``, ``str``, ``bool``, ``Path``, ``Literal``, ``tuple[X, ...]`` (typed
    as ``1,2,3``) and unions of these; ``none`` stands for None. An option without annotation takes the type
    of its default. Values that are no strings, as from a configuration file, are checked and passed on.

    Args:
        plugin: any class; nothing is asked of it but annotations.
        options: what was typed, by name.
        what: names the plugin in errors, such as ``encoder 'clip'``.

    Raises:
        MtbenchError: every unknown, missing or ill-typed option at once, with the options that exist.
        RefusedError: what the constructor itself refuses with a `ValueError`.
    """
    parameters = _parameters(plugin)
    problems = Problems(what, hint=f"Options: {', '.join(parameters) or 'none'}")
    anything = any(p.kind is p.VAR_KEYWORD for p in _signature(plugin).parameters.values())
    values: dict[str, Any] = {}
    for name, value in options.items():
        if name in parameters:
            try:
                values[name] = _convert(value, _wanted(parameters[name]))
            except ValueError as error:
                problems.add(name, str(error))
        elif anything:
            values[name] = value
        else:
            guess = did_you_mean(name, parameters)
            problems.add(name, f"no such option{guess and '.' + guess}")
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in options:
            problems.add(name, "must be given")
    problems.raise_if_any()
    try:
        return plugin(**values)
    except ValueError as error:
        raise RefusedError(f"{what}: {error}") from error


def known_options(plugin: type) -> list[str]:
    """The options of a plugin as ``name=default``, or ``name`` where one must be given."""
    return [
        name if parameter.default is parameter.empty else f"{name}={parameter.default!r}"
        for name, parameter in _parameters(plugin).items()
    ]


def meanings(plugin: type) -> dict[str, str]:
    """The first sentence that the docstring of a plugin, or of a class above it, says of each option.

    >>> class Knn:
    ...     '''Nearest neighbours.
    ...
    ...     Args:
    ...         k: how many of them; the nearest
    ...             come first. Of equals the first.
    ...     '''
    ...
    ...     def __init__(self, *, k: int = 5, exact: bool = False) -> None: ...
    >>> meanings(Knn)
    {'k': 'how many of them; the nearest come first.', 'exact': ''}
    """
    found: dict[str, str] = {}
    for kind in plugin.__mro__:
        for section in _SECTION.findall(inspect.cleandoc(kind.__doc__ or "") + "\n"):
            for names, text in _ENTRY.findall(section):
                first = re.split(r"(?<=\.) ", " ".join(text.replace("`", "").split()), maxsplit=1)[0]
                found = {**dict.fromkeys(names.split(", "), first), **found}
    return {name: found.get(name, "") for name in _parameters(plugin)}


def options_of(instance: object) -> dict[str, object]:
    """The options an instance was made with, as JSON: its attributes named as its constructor's options.

    An option that the instance does not keep under its own name is left out, and so takes its default again.
    """
    found = {name: getattr(instance, name) for name in _parameters(type(instance)) if hasattr(instance, name)}
    return {name: str(value) if isinstance(value, Path) else value for name, value in found.items()}


def _signature(plugin: type) -> inspect.Signature:
    if plugin.__init__ is object.__init__:  # type: ignore[misc]  # the signature of object claims *args, **kwargs
        return inspect.Signature()
    return inspect.signature(plugin)


def _parameters(plugin: type) -> dict[str, inspect.Parameter]:
    """The constructor's named parameters, their annotations resolved to types where that works."""
    # A dataclass may inherit options from another module, whose names only the class itself knows.
    annotated = plugin if dataclasses.is_dataclass(plugin) else plugin.__init__  # type: ignore[misc]
    try:
        hints = typing.get_type_hints(annotated)
    except (NameError, TypeError, AttributeError):  # a name that exists only for type checkers
        hints = {}
    return {
        name: parameter.replace(annotation=hints.get(name, parameter.empty))
        for name, parameter in _signature(plugin).parameters.items()
        if parameter.kind in _KINDS
    }


def _wanted(parameter: inspect.Parameter) -> Any:
    if parameter.annotation is not parameter.empty:
        return parameter.annotation
    if parameter.default is parameter.empty or parameter.default is None:
        return Any
    return type(parameter.default)


def _convert(value: object, wanted: Any) -> Any:
    """``value`` as ``wanted``; a ValueError says in words what was expected."""
    origin, members = typing.get_origin(wanted), typing.get_args(wanted)
    if wanted is Any:
        return value
    if origin in (Union, types.UnionType):
        return _first(value, members)
    if origin is Literal:
        for member in members:
            if value == member or value == str(member):
                return member
        raise ValueError(f"{value!r} is not one of {', '.join(map(str, members))}")
    if origin in (tuple, list):
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, (list, tuple)):
            raise ValueError(f"{value!r} is not a list")
        inner = members[0] if members else str
        return origin(_convert(part.strip() if isinstance(part, str) else part, inner) for part in parts)
    if wanted in _PARSERS:
        return _PARSERS[wanted](value)
    if wanted is not type(None) and isinstance(wanted, type) and isinstance(value, wanted):
        return value
    raise ValueError(f"cannot be set from {value!r}")


def _first(value: object, members: tuple[Any, ...]) -> Any:
    """The first member of a union that takes ``value``; text last, because it takes everything."""
    if type(None) in members and (value is None or (isinstance(value, str) and value.lower() in ("none", ""))):
        return None
    messages = []
    for member in sorted((m for m in members if m is not type(None)), key=lambda m: m in (str, Path)):
        try:
            return _convert(value, member)
        except ValueError as error:
            messages.append(str(error))
    raise ValueError(" and ".join(messages))


def _int(value: object) -> int:
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            pass
    elif isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(f"{value!r} is not a whole number")


def _float(value: object) -> float:
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            return number
    raise ValueError(f"{value!r} is not a number")


def _bool(value: object) -> bool:
    word = str(value).lower()
    if word in ("true", "yes", "on", "1"):
        return True
    if word in ("false", "no", "off", "0"):
        return False
    raise ValueError(f"{value!r} is neither true nor false")


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise ValueError(f"{value!r} is not text")


def _path(value: object) -> Path:
    if isinstance(value, (str, Path)) and str(value):
        return Path(value)
    raise ValueError(f"{value!r} is not a path")


_PARSERS: dict[Any, Callable[[object], Any]] = {
    int: _int,
    float: _float,
    bool: _bool,
    str: _text,
    Path: _path,
}
