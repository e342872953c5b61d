"""The loop: a model shows an image, the user answers, the model ranks again; all dialogues a turn at a time.

First images, targets and whatever is drawn are the same for every model, so that models are compared on the same
users. The next image is the best that the dialogue has not shown yet, and ranks are among those not shown. A dialogue
ends when its target is shown: for the turns that are left the target counts as the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from mtbench.core.errors import MtbenchError
from mtbench.core.types import Gallery, History
from mtbench.evaluation.evaluators.closed_loop import unseen
from mtbench.evaluation.measures import Counts, Positions
from mtbench.evaluation.ranker import Ranker
from mtbench.users.protocol import Simulator, Situation, World, heard

_SALT_TURN, _SALT_MIND, _SALT_LEAVE = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Opening:
    """How a dialogue begins: what the user wants, and the image that is shown first."""

    category: str
    first: str
    target: str


@dataclass(frozen=True)
class Manner:
    """How users are.

    Attributes:
        turns: the longest dialogue.
        patience: the chance that a user goes on after a turn that did not find the target; 1 for endless patience.
        change_of_mind: the chance at each turn after the first that the user wants another image instead, one that
            was not shown: the first such of an order drawn for the turn, the same for every model.
        seed: of openings, users and minds.
    """

    turns: int = 5
    patience: float = 1.0
    change_of_mind: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.turns <= 50:
            raise MtbenchError(f"--turns must be between 1 and 50, not {self.turns}")
        for name in ("patience", "change_of_mind"):
            if not 0 <= getattr(self, name) <= 1:
                raise MtbenchError(f"--{name.replace('_', '-')} must be between 0 and 1, not {getattr(self, name)}")


@dataclass(frozen=True)
class Dialogues:
    """n dialogues of up to T turns.

    Attributes:
        openings: how each began.
        targets: what each user wanted at each turn, (n, T) of str.
        shown: the images shown to each, the first one included, (n,) lists.
        said: the feedback of each, (n,) lists; as long as the dialogue.
        greater, equal: candidates above the target, and tied with it, after each turn, int64 (n, T).
        candidates: images not shown before, int64 (n, T).
        lengths: turns that were spoken, int64 (n,): fewer where the target was shown, or patience ran out.
        found: whether the target was shown, bool (n,).
    """

    openings: tuple[Opening, ...]
    targets: npt.NDArray[np.object_]
    shown: tuple[tuple[str, ...], ...]
    said: tuple[tuple[str, ...], ...]
    greater: Counts
    equal: Counts
    candidates: Counts
    lengths: Counts
    found: npt.NDArray[np.bool_]

    def after(self, turn: int) -> Positions:
        """Where the targets stand after a turn, from 1."""
        return Positions(self.greater[:, turn - 1], self.equal[:, turn - 1], self.candidates[:, turn - 1])


def openings_of(
    galleries: Mapping[str, Gallery], n: int, seed: int, *, wanted: Mapping[str, Sequence[str]] | None = None
) -> list[Opening]:
    """Targets and first images drawn evenly from the galleries (Guo et al., section 5), n of them in all.

    Args:
        galleries: by category.
        n: dialogues.
        seed: of what is drawn.
        wanted: images of each category that may be targets, see `untaught`; all by default.

    Raises:
        MtbenchError: n is below 1, or a gallery has one image only.
    """
    if n < 1:
        raise MtbenchError(f"--dialogues must be 1 or more, not {n}")
    found = []
    names = sorted(galleries)
    for number, name in enumerate(names):
        images = galleries[name].image_ids
        if len(images) < 2:
            raise MtbenchError(f"the gallery {name} has {len(images)} image: there is nothing to search")
        rng = np.random.default_rng([seed, number])
        may = wanted[name] if wanted else images
        for _ in range(n * (number + 1) // len(names) - n * number // len(names)):
            target, first = (images[k] for k in rng.choice(len(images), size=2, replace=False))
            if len(may) < len(images):
                other = may[int(rng.integers(len(may)))]
                target, first = other, target if first == other else first
            found.append(Opening(name, first, target))
    return found


def untaught(galleries: Mapping[str, Gallery], taught: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """The images of each gallery that may be wanted: all but those that training looked for, (category, image).

    Where train and test share a gallery, a model may have learned from an image what it is asked to find. Of a gallery
    that was taught as a whole every image may be wanted: the length tells.
    """
    known = set(taught)
    found = {}
    for name, gallery in galleries.items():
        left = tuple(image for image in gallery.image_ids if (name, image) not in known)
        found[name] = left or gallery.image_ids
    return found


def converse(
    ranker: Ranker,
    openings: Sequence[Opening],
    simulator: Simulator,
    world: World,
    manner: Manner,
    *,
    wanted: Mapping[str, Sequence[str]] | None = None,
    progress: bool = False,
) -> Dialogues:
    """Hold all dialogues with one model.

    Args:
        ranker: the model and what it searches.
        openings: how each dialogue begins.
        simulator, world: the user.
        manner: how users are.
        wanted: what may be wanted after a change of mind, as for `openings_of`.
        progress: show a bar.

    Raises:
        MtbenchError: what the simulator says is not one text for each situation, or none that can be saved.
    """
    n, turns = len(openings), manner.turns
    may = wanted or {category: gallery.image_ids for category, gallery in ranker.galleries.items()}
    greater, equal = np.zeros((n, turns), np.int64), np.ones((n, turns), np.int64)
    sizes = np.array([[len(ranker.galleries[one.category])] for one in openings], np.int64)
    candidates = np.repeat(sizes, turns, axis=1)
    targets = np.array([[one.target] * turns for one in openings], dtype=object)
    shown: list[list[str]] = [[one.first] for one in openings]
    said: list[list[str]] = [[] for _ in openings]
    found, left = np.zeros(n, bool), np.zeros(n, bool)
    for turn in tqdm(range(turns), desc="turns", leave=False, disable=not progress):
        live = np.flatnonzero(~found & ~left).tolist()
        if not live:
            break
        for row in live:
            if turn and _chance(manner.seed, row, turn, _SALT_MIND) < manner.change_of_mind:
                rng = np.random.default_rng(_seed(manner.seed, row, turn, _SALT_MIND, 1))
                targets[row, turn:] = _other(may[openings[row].category], targets[row, turn], shown[row], rng)
        situations = [
            Situation(
                openings[row].category,
                targets[row, turn],
                shown[row][-1],
                tuple(shown[row][:-1]),
                tuple(said[row]),
                _seed(manner.seed, row, turn, _SALT_TURN),
            )
            for row in live
        ]
        for row, text in zip(live, heard(simulator, situations, world), strict=True):
            said[row].append(text)
        histories = [History(openings[row].category, tuple(shown[row]), tuple(said[row])) for row in live]
        asked = ranker.ask(histories, [[targets[row, turn]] for row in live], depth=turn + 2)
        for category, (rows, ranks) in asked.items():
            images = ranker.galleries[category].image_ids
            assert ranks.top is not None  # a depth was asked for
            for place, at in enumerate(rows.tolist()):
                row = live[at]
                greater[row, turn:], equal[row, turn:] = ranks.excluded.greater[place], ranks.excluded.equal[place]
                candidates[row, turn:] = ranks.excluded.candidates[place]
                shown[row].append(unseen([images[k] for k in ranks.top[place] if k >= 0], shown[row]))
                if shown[row][-1] == targets[row, turn]:
                    found[row] = True
                    greater[row, turn + 1 :], equal[row, turn + 1 :] = 0, 1
                elif _chance(manner.seed, row, turn, _SALT_LEAVE) >= manner.patience:
                    left[row] = True
    return Dialogues(
        tuple(openings),
        targets,
        tuple(map(tuple, shown)),
        tuple(map(tuple, said)),
        greater,
        equal,
        candidates,
        np.array([len(texts) for texts in said], np.int64),
        found,
    )


def _other(images: Sequence[str], wanted: str, shown: Sequence[str], rng: np.random.Generator) -> str:
    """What a user wants after a change of mind: another image that was not shown; the same where there is none.

    All images are put in an order that depends on nothing that a model did, and the first that will do is wanted. So
    the users of two models want the same, but for those to whom one of the models has shown that image.
    """
    order = (images[place] for place in rng.permutation(len(images)).tolist())
    return next((image for image in order if image != wanted and image not in shown), wanted)


def _seed(*of: int) -> int:
    return int(np.random.SeedSequence(of).generate_state(1, np.uint64)[0])


def _chance(*of: int) -> float:
    return float(np.random.default_rng(_seed(*of)).random())
