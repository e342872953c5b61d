"""What is known for certain about a benchmark whose images were made, not photographed.

Attributes of every image, what each turn asks for, every image that fulfils a dialogue: what an evaluator needs to say
whether a model did what it was told. No model sees it, unless it says so (`mtbench.models.protocol.Catalogue.truth`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Attributes = Mapping[str, str]
"""Values by the name of the attribute."""


@dataclass(frozen=True)
class Dialogue:
    """The truth about one transaction.

    Attributes:
        requests: per turn, the values its feedback asks for; empty for a turn that asks for nothing.
        relevant: every image of the gallery that fulfils the dialogue, the target among them, sorted.
        kind: ``plain``, or what is special: ``supersede`` (a later wish replaces an earlier one), ``rollback`` (back
            to an earlier image), ``reordered`` (a copy of another dialogue with its earlier turns in another order).
        last_turn: how many images of the gallery are consistent with the last reference and feedback alone; None
            where nobody counted.
    """

    requests: tuple[Attributes, ...]
    relevant: tuple[str, ...]
    kind: str = "plain"
    last_turn: int | None = None

    @property
    def contradicts_itself(self) -> bool:
        """Whether two turns ask for different values of one attribute."""
        asked: dict[str, str] = {}
        return any(asked.setdefault(name, value) != value for turn in self.requests for name, value in turn.items())


@dataclass(frozen=True)
class Truth:
    """The truth about a benchmark.

    Attributes:
        attributes: of every image, by id.
        dialogues: by transaction id.
    """

    attributes: Mapping[str, Attributes]
    dialogues: Mapping[str, Dialogue]
