"""The window of a corner shop: six hats, each with a word or two on how it differs from the one before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mtbench.core.types import Pair
from mtbench.data.raw import RawDataset

HATS = ("cap", "beret", "bowler", "fez", "top-hat", "turban")


class CornerShop:
    """Reads hats.txt: one wish on each line, each leading from a hat to the next."""

    summary = "six hats in the window of a corner shop"
    licence = "CC0-1.0"
    sources = ()
    chains = "maximal"
    split = "official"
    gallery = "all-images"
    official = {"shop": "test"}  # noqa: RUF012
    published = ()
    options = ()

    def prepare(self, raw: Path, **options: Any) -> dict[str, Path]:
        return {}

    def read(self, raw: Path, **options: Any) -> RawDataset:
        wishes = (raw / "hats.txt").read_text(encoding="utf-8").splitlines()
        steps = zip(HATS, wishes, HATS[1:], strict=False)
        return RawDataset(
            pairs=[Pair(f"hat.{n}", a, (wish,), b, "hat", "shop") for n, (a, wish, b) in enumerate(steps)]
        )


class Backwards:
    """Ranks images from the end of the alphabet."""

    def score(self, histories: Any, image_ids: Any, catalogue: Any) -> Any:
        return np.tile(np.argsort(np.argsort(image_ids)), (len(histories), 1))
