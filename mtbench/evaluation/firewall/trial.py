"""One fresh, fitted model with what it is asked, and how two sets of its scores are compared."""

from __future__ import annotations

import gc
import inspect
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mtbench.core.errors import MtbenchError
from mtbench.core.types import Gallery, History
from mtbench.data.benchmark import Benchmark
from mtbench.evaluation.firewall.data import Answers, CheckData
from mtbench.evaluation.ranker import Query, Ranker, check_model, is_embedding
from mtbench.evaluation.study import Study
from mtbench.models.protocol import BLANK

HEAD = 8
"""Images at the head of a ranking, which are compared by themselves; half of a gallery of fewer than 16."""

NEAR = 0.05
"""A gap this small is a near tie, as a share of that between the first and the last image of a head."""

ROUNDING = 4e-6
"""And so is a gap this small as a share of the scores at the head: some 30 roundings of float32. So a
constant of two million still hides what moves a score by less than 8."""

Rows: TypeAlias = list[npt.NDArray[np.float32]]
"""Scores of all candidates of each history, the candidates sorted by id."""


class Trial:
    """A model made anew and fitted, while the answers of the moment lie about in memory.

    Args:
        make: makes the model.
        data: what it is asked.
        answers: of the test part.
    """

    def __init__(self, make: Callable[[], Any], data: CheckData, answers: Answers = "true") -> None:
        benchmark = data.hold(answers)
        gc.collect()  # the study before goes, with its answers: the constructor of a model can search as well
        self.data = data
        self.transactions = benchmark.transactions("test")
        self.queries = [Query(t.history(joiner=data.joiner), t.target) for t in self.transactions]
        self.galleries = data.galleries()
        self.catalogue = data.catalogue()
        self.model = make()
        gc.collect()  # what the model before kept, answers perhaps, goes; and its module, if it came from a file
        check_model(self.model)
        self.scoring = not is_embedding(self.model)
        # `study` and `benchmark` stand in the frame that calls `fit`, and in the one that ranks, as in `evaluate`.
        study = self._study_of(self.galleries, benchmark)
        self.study = study
        self.folds = data.folds(self.catalogue)
        self.fits = hasattr(self.model, "fit")
        self.chosen = self.model.fit(*self.folds, self.catalogue) if self.fits else None

    @property
    def histories(self) -> list[History]:
        """The whole histories."""
        return [query.history for query in self.queries]

    def scores(self, queries: Sequence[Query] | None = None, galleries: Mapping[str, Gallery] | None = None) -> Rows:
        """What the real engine ranks by, one row for each query."""
        queries = self.queries if queries is None else queries
        benchmark = self.study.benchmark
        study = self.study if galleries is None else self._study_of(galleries, benchmark)
        found: dict[int, npt.NDArray[np.float32]] = {}
        for category, (rows, ranks) in study.ranker.rank(queries).items():
            ids = np.array(study.ranker.galleries[category].image_ids)
            by_id = np.argsort(ids)
            assert ranks.top is not None and ranks.scores is not None  # the depth is not 0
            for row, top, scores in zip(rows.tolist(), ranks.top, ranks.scores, strict=True):
                in_place = np.empty(len(ids), np.float32)
                in_place[top[: len(ids)]] = scores[: len(ids)]
                found[row] = in_place[by_id]
        return [found[row] for row in range(len(queries))]

    def _study_of(self, galleries: Mapping[str, Gallery], benchmark: Benchmark) -> Study:
        ranker = Ranker(self.model, galleries, self.catalogue, depth=max(map(len, galleries.values())))
        return Study(ranker, benchmark, "test", self.transactions)

    def asking(self, histories: Sequence[History]) -> list[Query]:
        """Queries for histories that have no true answer: any image of the gallery will do."""
        return [Query(history, self.galleries[history.category].image_ids[0]) for history in histories]

    def by_category(self, histories: Sequence[History]) -> list[list[History]]:
        """The histories in lists of one category each."""
        categories = sorted({history.category for history in histories})
        return [[history for history in histories if history.category == category] for category in categories]

    def is_finite(self, histories: Sequence[History]) -> bool:
        """Whether all that the model gives for these is finite as float32; True for what is no array of numbers."""
        for some in self.by_category(histories):
            for values in raw(self, some):
                array = np.asarray(values)
                with np.errstate(over="ignore"):
                    if array.dtype.kind in "fiub" and not np.isfinite(array.astype(np.float32)).all():
                        return False
        return True

    def changed_data(self) -> str:
        """What of the folds and the catalogue is not as it was; empty if all is."""
        fresh = self.data.catalogue()
        for now, before, name in zip(self.folds, self.data.folds(fresh), ("train", "dev"), strict=True):
            if repr((now.histories, now.targets)) != repr((before.histories, before.targets)):
                return f"the {name} fold"
        images = sorted({image for gallery in self.galleries.values() for image in gallery.image_ids})
        texts = sorted({text for history in self.histories for text in history.feedback})
        if self.catalogue.joiner != fresh.joiner:
            return "the joiner of the catalogue"
        for image in images:
            try:
                same = self.catalogue.image(image) == fresh.image(image)
                same = same and self.catalogue.text(image) == fresh.text(image)
            except KeyError:
                same = False
            if not same:
                return f"the words of image {image} in the catalogue"
        if "features" in vars(self.catalogue):
            for name, keys in (("image", images), ("text", texts)):
                now, before = (getattr(c.features, f"{name}s")(keys) for c in (self.catalogue, fresh))
                if not np.array_equal(now, before):
                    return f"the {name} vectors of the catalogue"
        return ""

    def other_reference(self, history: History) -> History | None:
        """The same with another image of the gallery as the last reference."""
        ids = self.galleries[history.category].image_ids
        others = [image for image in ids if image != history.references[-1]]
        if not others:
            return None
        last = others[sum(map(ord, history.references[-1])) % len(others)]
        return History(history.category, (*history.references[:-1], last), history.feedback)

    def other_feedback(self, history: History) -> History | None:
        """The same with the last feedback of another history of its category."""
        texts = sorted({h.feedback[-1] for h in self.histories if h.category == history.category})
        others = [text for text in texts if text != history.feedback[-1]]
        if not others:
            return None
        last = others[sum(map(ord, history.references[-1])) % len(others)]
        return History(history.category, history.references, (*history.feedback[:-1], last))

    def speed(self, alone: int) -> str:
        """Milliseconds for each history, in a batch and one at a time."""
        histories = self.histories
        batches = self.by_category(histories)

        def seconds(parts: Sequence[Sequence[History]]) -> float:
            start = time.perf_counter()
            for part in parts:
                raw(self, part, images=False)
            return time.perf_counter() - start

        batch = min(seconds(batches) for _ in range(3)) / len(histories)
        single = seconds([[history] for history in histories[:alone]]) / len(histories[:alone])
        return f"{1000 * batch:.3g} ms for a history in a batch of {len(batches[0])}, {1000 * single:.3g} ms alone"


def raw(trial: Trial, histories: Sequence[History], *, images: bool = True) -> list[Any]:
    """What the model itself returns for histories of one category, no engine between."""
    ids = trial.galleries[histories[0].category].image_ids
    if trial.scoring:
        return [trial.model.score(histories, ids, trial.catalogue)]
    found = [trial.model.embed_histories(histories, trial.catalogue)]
    return [*found, trial.model.embed_images(ids, trial.catalogue)] if images else found


def odd_histories(trial: Trial) -> dict[str, list[History]]:
    """Histories that a careless model stumbles over, by what is odd about them; always some of each length."""
    lengths = {(history.category, len(history)): history for history in trial.histories}
    usual = list(lengths.values())
    bare = {
        category: next((image for image in gallery.image_ids if not trial.catalogue.text(image)), None)
        for category, gallery in trial.galleries.items()
    }

    def each(references: Callable[[History], tuple[str, ...]], feedback: Callable[[History], tuple[str, ...]]) -> Any:
        return [History(history.category, references(history), feedback(history)) for history in usual]

    found: dict[str, list[History]] = {
        "an empty feedback text": each(lambda h: h.references, lambda h: (*h.feedback[:-1], "")),
        "no feedback text at all": each(lambda h: h.references, lambda h: ("",) * len(h)),
        "words never seen": each(lambda h: h.references, lambda h: ("zxqv \u00fc\u4e2d \U0001f457",) * len(h)),
        "a single turn": [history.last(1) for history in usual],
        "one reference in every turn": each(lambda h: h.references[:1] * len(h), lambda h: h.feedback),
    }
    wordless = [
        History(h.category, (*h.references[:-1], image), h.feedback) for h in usual if (image := bare[h.category])
    ]
    if wordless:
        found["a reference without words"] = wordless
    found["a blank reference"] = each(lambda h: (*h.references[:-1], BLANK), lambda h: h.feedback)
    return found


def distance(one: Rows, other: Rows) -> tuple[int, float]:
    """How many rows differ, and the largest difference as a share of the largest score of its row."""
    shares = _shares(one, other)
    return int(np.count_nonzero(shares)), float(shares.max(initial=0.0))


def changed(one: Rows, other: Rows, limit: float, *, ranking: bool = False) -> int:
    """How many rows differ by more than a share of their largest score, or put the heads of their rankings in another
    order; with ``ranking``, those that differ so and in their whole order too.

    The share alone would be no rule. Rounding goes with the size of the numbers, so a row is measured by its largest;
    but then a constant of two million added to all scores, or one image always last by as much, hides what decides a
    ranking. The heads are measured by their own width (`_other_head`).
    """
    far = _shares(one, other) > limit
    if limit > 0:  # else every difference counts
        far |= np.array([_other_head(a, b) for a, b in zip(one, other, strict=True)], dtype=bool)
    if ranking:
        orders = [[np.argsort(-row, kind="stable") for row in rows] for rows in (one, other)]
        far &= np.array([not np.array_equal(a, b) for a, b in zip(*orders, strict=True)], dtype=bool)
    return int(far.sum())


def told(error: BaseException, plugin: type) -> str:
    """An exception in one line: message, and for one that came up in the model its type and the last line there."""
    message = "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
    files = {_file_of(cls) for cls in plugin.__mro__}
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).resolve() in files]
    if not own and isinstance(error, MtbenchError):
        return message  # what the engine found wrong with what the model gave
    place = (own or frames)[-1]
    return f"{type(error).__name__}: {message} ({Path(place.filename).name}, line {place.lineno})"


def _file_of(cls: type) -> Path | None:
    try:
        return Path(inspect.getfile(cls)).resolve()
    except (TypeError, OSError):  # built in, or made in a terminal
        return None


def _other_head(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> bool:
    """Whether two images at the head of either ranking change places by more than a near tie.

    A near tie must be allowed: many images have the words of others, and rounding alone decides between them. What an
    image always first, by as much, hides from this costs it that place in every ranking.
    """
    length = min(HEAD, (len(one) + 1) // 2)
    if not length or np.array_equal(one, other):
        return False
    heads = [np.argsort(-scores, kind="stable")[:length] for scores in (one, other)]
    images = np.union1d(*heads)
    before, after = (
        _gaps(scores.astype(np.float64), head, images) for scores, head in zip((one, other), heads, strict=True)
    )
    return bool(((before >= 0) & (after <= 0) & (before - after > NEAR)).any())


def _gaps(
    scores: npt.NDArray[np.float64], head: npt.NDArray[np.intp], images: npt.NDArray[np.intp]
) -> npt.NDArray[np.float64]:
    """By how much each image is above each other, as a share of the width of the head; (n, n)."""
    least = ROUNDING / NEAR * np.abs(scores[head]).max()
    width = max(scores[head[0]] - scores[head[-1]], least, np.finfo(np.float64).tiny)
    found: npt.NDArray[np.float64] = (scores[images][:, None] - scores[images][None, :]) / width
    return found


def _shares(one: Rows, other: Rows) -> npt.NDArray[np.float64]:
    """The largest difference in each row as a share of the largest score of either, float64 (n,)."""
    found = np.zeros(len(one))
    for row, (a, b) in enumerate(zip(one, other, strict=True)):
        if not np.array_equal(a, b):
            wide = a.astype(np.float64), b.astype(np.float64)
            found[row] = np.abs(wide[0] - wide[1]).max() / max(np.abs(wide[0]).max(), np.abs(wide[1]).max())
    return found
