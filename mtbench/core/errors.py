"""Errors that people read: what is wrong, where, and what to type.

>>> problems = Problems("pairs.csv")
>>> problems.add("line 3", "no feedback")
>>> problems.add("line 7", "no target")
>>> problems.raise_if_any()
Traceback (most recent call last):
mtbench.core.errors.MtbenchError: pairs.csv: 2 problems
  line 3: no feedback
  line 7: no target
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

SHOWN = 20
"""How many problems of one file are printed before the rest is only counted."""


class MtbenchError(Exception):
    """A mistake in the input. The command line prints the message alone and exits with 2."""


class RefusedError(MtbenchError):
    """The constructor of a plugin refuses options that are each of the right type."""


class Problems:
    """Gathers every problem of one source, so that a user mends them all at once."""

    def __init__(self, source: object, *, hint: str = "") -> None:
        self.source = str(source)
        self.hint = hint
        self._rows: list[str] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, where: str, what: str) -> None:
        """Note one problem: ``where`` in the source, and ``what`` is wrong there."""
        self._rows.append(f"{where}: {what}")

    def raise_if_any(self) -> None:
        """Raise one `MtbenchError` that lists the problems, or return if there is none."""
        if not self._rows:
            return
        if len(self._rows) == 1:
            text = f"{self.source}: {self._rows[0]}"
        else:
            rows = self._rows[:SHOWN]
            if len(self._rows) > SHOWN:
                rows.append(f"... and {len(self._rows) - SHOWN:,} more")
            text = "\n  ".join([f"{self.source}: {len(self._rows):,} problems", *rows])
        raise MtbenchError(f"{text}\n{self.hint}" if self.hint else text)


def unknown(kind: str, name: str, known: Iterable[str], *, hint: str = "") -> MtbenchError:
    """An error for a name that does not exist, with the nearest ones that do."""
    names = sorted(known)
    return MtbenchError(
        f"no {kind} named {name!r}.{did_you_mean(name, names)} Known: {', '.join(names) or 'none'}."
        f"{' ' + hint if hint else ''}"
    )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`` Did you mean 'x'?`` with the nearest name; empty where none is near."""
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f" Did you mean {near[0]!r}?" if near else ""
