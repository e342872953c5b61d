"""What a verification finds wrong."""

from __future__ import annotations

from dataclasses import dataclass

_LONGEST = 2_000
"""Letters of a fault."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: on which board, with which submission (empty: with the board), and what."""

    board: str
    submission: str
    what: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "what", _safe(self.what))

    def __str__(self) -> str:
        return f"{'/'.join(filter(None, (self.board, self.submission)))}: {self.what}"


def shown(name: str) -> str:
    """The name of a file of a stranger, short and safe to print."""
    return ascii(name)[1:-1][:80]


def _safe(text: str) -> str:
    """One line that can be printed: what a stranger wrote moves no cursor and turns no text around."""
    line = "; ".join(part.strip() for part in text.splitlines())
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line[:_LONGEST])
