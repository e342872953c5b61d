"""Rule-based feedback: "more X", "less Y" for n attributes in which target and image differ (Guo et al., section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mtbench.users.protocol import Situation, World
from mtbench.users.wishes import wishes

MORE, LESS = "more", "less"
SEPARATOR = ", "
NOTHING = "nothing to change"


@dataclass(kw_only=True)
class Attributes:
    """Says "more X" and "less Y" of some attributes in which the target differs.

    Args:
        n: of how many attributes at each turn; the paper has 1, 3 and 10.
    """

    n: int = 3

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"n must be 1 or more, not {self.n}")

    def say(self, situations: Sequence[Situation], world: World) -> list[str]:
        """Feedback such as ``more red upper, less floral``.

        Raises:
            MtbenchError: no image has attributes.
        """
        world.check_traits()
        return [self._say(one, world) for one in situations]

    def _say(self, one: Situation, world: World) -> str:
        every = wishes(world.traits(one.target), world.traits(one.shown))
        if not every:
            return NOTHING
        chosen = sorted(one.generator().choice(len(every), size=min(self.n, len(every)), replace=False).tolist())
        told = [every[k] for k in chosen]
        return SEPARATOR.join(f"{MORE if wish.wanted is not None else LESS} {wish.phrase}" for wish in told)
