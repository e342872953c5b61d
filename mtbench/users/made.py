"""From what was typed to a user who can speak."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtbench.core.errors import MtbenchError
from mtbench.core.options import construct
from mtbench.core.registry import SIMULATORS
from mtbench.core.source import blame
from mtbench.users.protocol import Keeper, Learner, Simulator, World

_OPTION = re.compile(r",(?=[\w-]+=)")
"""What an option stands after; another comma belongs to the value before it."""


def parted(text: str) -> tuple[str, dict[str, str]]:
    """The name of a user and its options as typed.

    >>> parted("attributes,n=1,seed=2")
    ('attributes', {'n': '1', 'seed': '2'})

    Raises:
        MtbenchError: an option is given twice.
    """
    name, *parts = _OPTION.split(text)
    options: dict[str, str] = {}
    for part in parts:
        option, _, value = part.partition("=")
        if option.replace("-", "_") in options:
            raise MtbenchError(f"simulator {text!r} gives {option} twice")
        options[option.replace("-", "_")] = value
    return name, options


def user_of(text: str) -> Simulator:
    """A simulator, such as ``template``, ``attributes,n=1`` or ``file.py:Class``.

    Raises:
        MtbenchError: there is none of that name, it does not take these options, or it cannot `say` anything.
    """
    name, options = parted(text)
    plugin: type[Simulator] = SIMULATORS.get(name)
    with blame(plugin):
        user = construct(plugin, options, what=f"simulator {name!r}")
    if not hasattr(user, "say"):
        raise MtbenchError(f"{name} is no simulator: it needs `say`")
    return user


def taught(user: Simulator, world: World, *, keeps: Path | None) -> Mapping[str, Any]:
    """Let a user learn, if it does so; what it says of what it learned.

    Args:
        user: who.
        world: of the training part.
        keeps: a folder for what is learned or answered once; None for none.
    """
    if isinstance(user, Keeper):
        user.keeps = keeps
    if not isinstance(user, Learner):
        return {}
    with blame(type(user)):
        return user.learn(world)
