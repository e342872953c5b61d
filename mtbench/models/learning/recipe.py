"""How a network is trained: everything but what it is, and what it learns from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Schedule = Literal["constant", "cosine", "one-cycle"]


@dataclass(frozen=True)
class Recipe:
    """AdamW with gradient clipping and early stopping on dev.

    Attributes:
        epochs: at most.
        batch: examples in a batch; each is a negative of the others.
        rate: the learning rate at its highest.
        decay: weight decay, apart from the gradient (AdamW). 0 makes it Adam.
        schedule: of the rate: ``constant``; ``cosine`` down to 0; ``one-cycle``, up over the first 30% of the steps
            and down to 0.
        clip: greatest norm of the gradient; 0 for no clipping.
        patience: epochs without a better dev score before it stops; 0 for never.
    """

    epochs: int = 10
    batch: int = 256
    rate: float = 5e-4
    decay: float = 0.05
    schedule: Schedule = "one-cycle"
    clip: float = 1.0
    patience: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, not {getattr(self, name)}")
        for name in ("rate", "decay", "clip", "patience"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be 0 or more, not {getattr(self, name)}")

    def rate_at(self, step: int, steps: int) -> float:
        """The rate of step 0, 1, ... of so many.

        >>> [round(Recipe(rate=1.0, schedule="cosine").rate_at(step, 4), 2) for step in range(4)]
        [1.0, 0.85, 0.5, 0.15]
        """
        if self.schedule == "constant":
            return self.rate
        peak = 0.3 * steps if self.schedule == "one-cycle" else 0.0
        if step < peak:
            return self.rate * (0.04 + 0.96 * _rise(step / peak))
        return self.rate * _rise(1 - (step - peak) / (steps - peak))


def _rise(share: float) -> float:
    """Half a cosine, from 0 at 0 to 1 at 1."""
    return 0.5 * (1 - math.cos(math.pi * share))
