"""Drawing from lists; the same generator gives the same on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def one(rng: np.random.Generator, options: Sequence[T]) -> T:
    """Any of them, each as likely."""
    return options[int(rng.integers(len(options)))]


def shuffled(rng: np.random.Generator, options: Sequence[T]) -> list[T]:
    """All of them in random order."""
    return [options[int(i)] for i in rng.permutation(len(options))]
