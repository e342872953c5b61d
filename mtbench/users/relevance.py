"""A user of few words: whether the image that is shown is closer to what is wanted than the best one before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtbench.users.protocol import Situation, World

CLOSER, NOT_CLOSER, START = "closer", "not closer", "start"
DECIMALS = 6
"""Cosines are compared to so many: the same image is never closer than itself."""


class Relevance:
    """Says ``closer`` or ``not closer`` than the best image shown before, and ``start`` of the first.

    How close two images are is the share of their traits that they have in common: equal traits over all that either
    has. Where nothing is known of the target's traits it is the cosine of features.

    Args:
        features: the name of stored features for where there are no traits; those of the words if empty.
    """

    def __init__(self, *, features: str = "") -> None:
        self.features = features

    def say(self, situations: Sequence[Situation], world: World) -> list[str]:
        """One of the three for each situation."""
        return [_said(one, world) for one in situations]


def _said(one: Situation, world: World) -> str:
    if not one.earlier:
        return START
    shown, *before = _closeness(one.target, (one.shown, *one.earlier), world)
    return CLOSER if shown > max(before) else NOT_CLOSER


def _closeness(target: str, images: Sequence[str], world: World) -> list[float]:
    wanted = world.traits(target).items() if world.has_traits else ()
    if wanted:
        traits = [world.traits(image).items() for image in images]
        return [len(wanted & own) / len(wanted | own) for own in traits]
    vectors = np.asarray(world.catalogue.image_features([target, *images]), np.float64)
    norms = np.linalg.norm(vectors, axis=1)
    vectors /= np.where(norms == 0, 1, norms)[:, None]
    found: list[float] = np.round(vectors[1:] @ vectors[0], DECIMALS).tolist()
    return found
