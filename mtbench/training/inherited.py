"""What a training takes over from the checkpoints it starts from: what leaks from them, and how they were made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mtbench.models.checkpoint import OF_BELOW


def leak_with(leak: Mapping[str, Any], records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The leak of a training with that of the checkpoints below it."""
    marked = [one for record in records for one in (record["leak"], *record["leak"]["below"]) if one["marked"]]
    flat = [{name: value for name, value in one.items() if name != "below"} for one in marked]
    return {**leak, "marked": bool(leak["marked"] or flat), "below": flat}


def below_of(records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """How each checkpoint below was made, followed by those below it."""
    found: list[dict[str, Any]] = []
    for record in records:
        options = {name: value for name, value in record["options"].items() if name != "seed"}
        found += [{**{name: record[name] for name in OF_BELOW}, "options": options}, *record["below"]]
    return found
