"""The two ends of a dial's scale: who follows the whole dialogue, and who knows everything but its history.

Both read the true attributes of the images, so they are no competitors: every result of theirs has the proxy ``truth``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from mtbench.core.errors import MtbenchError
from mtbench.core.types import History
from mtbench.data.truth import Attributes
from mtbench.models.protocol import Array, Catalogue

from .families import NAMES
from .phrases import Said, meaning
from .vocabulary import CATEGORIES, VALUES

_CODES: dict[str, dict[str, int]] = {
    name: {value: code for code, value in enumerate(values)}
    for name, values in {"category": CATEGORIES, **VALUES}.items()
}

Codes = npt.NDArray[np.int8]


class Oracle:
    """Does what the whole dialogue asks for: a later wish replaces an earlier one, "back to the first one" goes back.

    It expects the last image (or the first, after a rollback) with every wish fulfilled, and scores a candidate by the
    share of attributes that are as expected: 1 for all of them.
    """

    def score(self, histories: Sequence[History], image_ids: Sequence[str], catalogue: Catalogue) -> Array:
        """Shares, float32 (B, G)."""
        truth = catalogue.truth.attributes
        gallery = _gallery(image_ids, truth)
        expected = np.array([_coded(self.expected(history, truth)) for history in histories], np.int8)
        scores = np.zeros((len(histories), len(image_ids)), np.float32)
        for column in range(len(NAMES)):
            scores += expected[:, column, None] == gallery[None, :, column]
        return scores / np.float32(len(NAMES))

    def expected(self, history: History, truth: Mapping[str, Attributes]) -> dict[str, str]:
        """The attributes that the image to find must have."""
        base, wishes = history.references[-1], dict[str, str]()
        for text in history.feedback:
            said = _said(text)
            wishes.update(said.wishes)
        if said.back:
            base = history.references[0]
        return {**truth.get(base, {}), **wishes}  # a study may take the image away


class LastTurnOracle:
    """The best that anybody can do who reads the last turn alone, but knows how the dialogues were made.

    The target is in the family of the last reference, differs from it in every discriminating attribute, and has what
    the last feedback asks for. All images of which this is true score 1, all others 0.
    """

    def score(self, histories: Sequence[History], image_ids: Sequence[str], catalogue: Catalogue) -> Array:
        """1 or 0, float32 (B, G)."""
        truth = catalogue.truth.attributes
        gallery = _gallery(image_ids, truth)
        return np.array(
            [
                _consistent(np.array(_coded(truth.get(h.references[-1], {})), np.int8), _said(h.feedback[-1]), gallery)
                for h in histories
            ],
            np.float32,
        )


def _consistent(shown: Codes, said: Said, gallery: Codes) -> npt.NDArray[np.bool_]:
    """Which candidates a last turn allows. An attribute discriminates if some candidate differs in it alone."""
    differs = gallery != shown
    free = differs[differs.sum(axis=1) == 1].any(axis=0)
    allowed = (differs == free).all(axis=1)
    for name, value in said.wishes.items():
        allowed &= gallery[:, NAMES.index(name)] == _CODES[name][value]
    return np.asarray(allowed)


def _said(text: str) -> Said:
    if not text.strip():  # what a study makes of a turn to see whether it counts
        return Said({})
    try:
        return meaning(text)
    except ValueError as error:
        raise MtbenchError(
            f"{error}: this model understands only what `mtbench build shoebox --history-share` makes"
        ) from error


def _gallery(image_ids: Sequence[str], truth: Mapping[str, Attributes]) -> Codes:
    strange = sorted({name for image in image_ids for name in truth[image].keys() ^ _CODES.keys()})
    if strange:
        raise MtbenchError(f"this model knows the shoes of the shoebox alone, with other attributes: {strange[0]!r}")
    return np.array([_coded(truth[image]) for image in image_ids], np.int8)


def _coded(shoe: Mapping[str, str]) -> list[int]:
    """A number for each attribute; -1 for one that is not known."""
    return [_CODES[name][shoe[name]] if name in shoe else -1 for name in NAMES]
