"""Evaluators of the way through a dialogue: fewer turns, turn by turn, other orders, the model's own references.

A gallery of ten dresses a to j, and three dialogues (references, then the final target)::

    two turns     a d -> j        a e -> b
    three turns   b h c -> g

`After` ranks the letters from the last reference on, round the alphabet: after d they are d e f g h i j a b c.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise, permutations
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import write_tiny_benchmark

from mtbench.core.types import History, Transaction, Turn
from mtbench.data.benchmark import Benchmark
from mtbench.data.truth import Dialogue, Truth
from mtbench.evaluation.evaluators.closed_loop import ClosedLoop, unseen
from mtbench.evaluation.evaluators.contradiction import contradict, contradicting
from mtbench.evaluation.evaluators.history_robustness import HistoryRobustness
from mtbench.evaluation.evaluators.order import Order, other_orders, reordered
from mtbench.evaluation.evaluators.overlap import rbo
from mtbench.evaluation.evaluators.trajectory import Trajectory
from mtbench.evaluation.ranked_file import RankedFile
from mtbench.evaluation.ranker import Ranker
from mtbench.evaluation.recall import Recall
from mtbench.evaluation.runs import Ranking, write_run
from mtbench.evaluation.study import NotAvailableError, Study
from mtbench.models.protocol import Catalogue

LETTERS = "abcdefghij"
EVALUATORS = {
    "history-robustness": HistoryRobustness,
    "trajectory": Trajectory,
    "order": Order,
    "closed-loop": ClosedLoop,
}


class Model:
    """Scores letter by letter, and counts the histories that it was asked about."""

    def __init__(self) -> None:
        self.asked = 0

    def score(self, histories: list[History], image_ids: list[str], catalogue: Catalogue) -> np.ndarray:
        self.asked += len(histories)
        return np.array([[self.of(history, image) for image in image_ids] for history in histories], np.float32)

    def of(self, history: History, image: str) -> float:
        raise NotImplementedError


class After(Model):
    def of(self, history: History, image: str) -> float:
        return -float((ord(image) - ord(history.references[-1])) % 10)


class Bag(Model):
    """The same for any order of the turns."""

    def of(self, history: History, image: str) -> float:
        return -sum(
            (7 * ord(image) + 3 * ord(r) + len(t)) % 10
            for r, t in zip(history.references, history.feedback, strict=True)
        )


class Oracle(Model):
    """Knows where every turn leads: its feedback says so."""

    def of(self, history: History, image: str) -> float:
        return 100 * float(history.feedback[-1].endswith(image)) - float(ord(image))


class Whatever(Model):
    """Something that depends on the whole history, its order included, and never ties."""

    def of(self, history: History, image: str) -> float:
        return float(zlib.crc32(repr((history, image)).encode()) % 1_000_003)


def dialogue(
    number: int, images: str, *, says: Callable[[str], str] = lambda target: f"goes to {target}"
) -> Transaction:
    turns = tuple(Turn(a, (says(b),), b) for a, b in pairwise(images))
    return Transaction(f"dress.test.{number:04}", "dress", turns)


def study_of(
    folder: Path, model: Any, dialogues: Sequence[Transaction], images: str = LETTERS, **options: Any
) -> Study:
    captions = {"test": dict.fromkeys(images)}
    benchmark = write_tiny_benchmark(folder, transactions={"test": dialogues}, captions=captions)
    ranker = Ranker(model, {"dress": benchmark.gallery("test", "dress")}, Catalogue(benchmark.images), depth=5)
    return Study(ranker, benchmark, "test", dialogues, **options)


@pytest.fixture
def after(tmp_path: Path) -> Study:
    return study_of(tmp_path / "b", After(), [dialogue(0, "adj"), dialogue(1, "bhcg"), dialogue(2, "aeb")])


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Thirty dialogues of two to six turns through an alphabet, and a model that nothing can be said about."""
    rng = np.random.default_rng(4)
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    walks = ["".join(rng.permutation([*alphabet])[: rng.integers(3, 8)]) for _ in range(30)]
    dialogues = [dialogue(n, walk) for n, walk in enumerate(walks)]
    return study_of(tmp_path_factory.mktemp("many") / "b", Whatever(), dialogues, alphabet, seed=3)


def row(found: dict[str, Any], **labels: Any) -> dict[str, Any]:
    """The one row with these labels, without its intervals."""
    (one,) = (r for r in found["rows"] if all(r.get(key) == value for key, value in labels.items()))
    return {key: value for key, value in one.items() if not key.endswith("interval")}


def measures(found: dict[str, Any], **labels: Any) -> dict[str, Any]:
    return {key: v for key, v in row(found, **labels).items() if key not in (*labels, "n", "clusters")}


# The last k turns


def test_recall_with_fewer_turns_worked_out_by_hand(after: Study) -> None:
    found = HistoryRobustness().run(after)
    # The last turn alone. a d -> j: j is seventh from d; a e -> b: b is eighth from e. b h c -> g: g is fifth from c.
    two = {"R@5": 0, "R@8": 1, "mean": 1 / 2}
    assert measures(found, turns=2, last=1, variant="only final turn") == pytest.approx(two)
    assert measures(found, turns=3, last=1, variant="only final turn") == pytest.approx({"R@5": 1, "R@8": 1, "mean": 1})
    # The model reads the last reference alone.
    for turns, last, hits in (
        (2, 2, two),
        (3, 2, {"R@5": 1, "R@8": 1, "mean": 1}),
        (3, 3, {"R@5": 1, "R@8": 1, "mean": 1}),
    ):
        assert measures(found, turns=turns, last=last, variant="model") == {**hits, "gain": 0}
    # Means of distances. From a and d, j has 9 + 6, the most of all. From a and e: e has 4, a and f 6, b and g 8: b is
    # fourth or fifth. From h and c: c h 5, d i 7, e j 9, a f 11, b g 13: g is ninth or tenth.
    # From b, h and c: g has 18, and only a has more, 20: ninth.
    assert measures(found, turns=2, last=2, variant="mean") == pytest.approx(
        {"R@5": 0.5, "R@8": 0.5, "mean": 0.5, "gain": 0}
    )
    none = {"R@5": 0, "R@8": 0, "mean": 0, "gain": -1}
    assert measures(found, turns=3, last=2, variant="mean") == none
    assert measures(found, turns=3, last=3, variant="mean") == none
    # Rolled out. From a, which was shown, comes b: j is ninth from b, and b first. From h comes i: g is ninth from i.
    # From b comes c, from c comes d: g is fourth from d.
    assert measures(found, turns=2, last=2, variant="roll-out") == {"R@5": 0.5, "R@8": 0.5, "mean": 0.5, "gain": 0}
    assert measures(found, turns=3, last=2, variant="roll-out") == none
    assert measures(found, turns=3, last=3, variant="roll-out") == {"R@5": 1, "R@8": 1, "mean": 1, "gain": 0}
    # Over all: gains of -1/2, -1, 1/2 for the mean, and -1/2, 0, 1/2 rolled out.
    assert measures(found, turns="all", last=1, variant="only final turn")["mean"] == pytest.approx(2 / 3)
    assert measures(found, turns="all", last="all", variant="mean")["gain"] == pytest.approx(-1 / 3)
    assert found["gain"]["mean"]["gain"] == pytest.approx(-1 / 3)
    assert found["gain"]["roll-out"]["gain"] == pytest.approx(0)
    assert found["gain"]["model"] == {"n": 3, "clusters": 3, "gain": 0, "gain interval": [0, 0]}
    assert [found["n"], len(found["rows"])] == [3, 4 + (1 + 3) + (1 + 3 + 3)]


def best(model: Model, history: History, images: str) -> list[str]:
    return sorted(images, key=lambda image: -model.of(history, image))


def test_a_roll_out_is_what_a_plain_loop_does(many: Study) -> None:
    model, images = Whatever(), "abcdefghijklmnopqrstuvwxyz"
    found = HistoryRobustness().run(many)
    for turns in (2, 3, 4, 5, 6):
        rows = [t for t in many.transactions if len(t.turns) == turns]
        for k in range(2, turns + 1):
            hits = []
            for t in rows:
                reference = t.turns[turns - k].reference
                shown = [reference]
                for turn in t.turns[turns - k :]:
                    order = best(model, History("dress", (reference,), turn.feedback), images)
                    reference = next(image for image in order if image not in shown)
                    shown.append(reference)
                hits.append(order.index(t.target) < 5)
            one = row(found, turns=turns, last=k, variant="roll-out")
            assert (one["n"], one["R@5"]) == (len(rows), pytest.approx(np.mean(hits)))


def test_the_mean_without_memory_is_that_of_the_last_turns_alone(many: Study) -> None:
    model, images = Whatever(), "abcdefghijklmnopqrstuvwxyz"
    found = HistoryRobustness().run(many)
    for turns, k in ((3, 2), (5, 2), (5, 4), (6, 3)):
        hits = []
        for t in (t for t in many.transactions if len(t.turns) == turns):
            alone = [History("dress", (turn.reference,), turn.feedback) for turn in t.turns[turns - k :]]
            scores = {image: np.mean([model.of(history, image) for history in alone]) for image in images}
            hits.append(sum(score > scores[t.target] for score in scores.values()) < 8)
        assert row(found, turns=turns, last=k, variant="mean")["R@8"] == pytest.approx(np.mean(hits))


# Turn by turn


def test_the_way_to_the_target_worked_out_by_hand(after: Study) -> None:
    found = Trajectory().run(after)
    # The final target. a d -> j: tenth from a, seventh from d. a e -> b: second from a, eighth from e.
    # b h c -> g: sixth from b, tenth from h, fifth from c.
    assert measures(found, target="final", turns=2, **{"after turn": 1}) == pytest.approx(
        {"percentile": (0 + 8 / 9) / 2, "R@5": 1 / 2, "R@8": 1 / 2, "Hits@5": 1 / 2, "Hits@8": 1 / 2}
    )
    assert measures(found, target="final", turns=2, **{"after turn": 2}) == pytest.approx(
        {"percentile": (3 / 9 + 2 / 9) / 2, "R@5": 0, "R@8": 1, "Hits@5": 1 / 2, "Hits@8": 1}
    )
    assert measures(found, target="final", turns=3, **{"after turn": 2}) == pytest.approx(
        {"percentile": 0, "R@5": 0, "R@8": 0, "Hits@5": 0, "Hits@8": 1}
    )
    assert measures(found, target="final", turns="all", **{"after turn": "first"})["R@5"] == pytest.approx(1 / 3)
    assert measures(found, target="final", turns="all", **{"after turn": "last"})["R@8"] == pytest.approx(1)
    # Each turn's own: d fourth and e fifth from a; h seventh from b, c sixth from h, g fifth from c.
    own = {(r["turns"], r["after turn"]): r for r in found["rows"] if r["target"] == "own turn's"}
    assert {key: r["R@5"] for key, r in own.items()} == {(2, 1): 1, (2, 2): 0, (3, 1): 0, (3, 2): 0, (3, 3): 1}
    assert own[2, 1]["percentile"] == pytest.approx((6 / 9 + 5 / 9) / 2)
    assert "Hits@5" not in own[2, 1]
    # The whole way. Best ranks so far: 10 7, 2 2, 6 6 5.
    assert measures(found, turns=2, **{"after turn": "whole way"}) == pytest.approx(
        {
            "target": "final",
            "BRI": ((log(10) + log(7)) / 2 + log(2)) / 2,
            "area": ((0 + 3 / 9) / 2 + (8 / 9 + 2 / 9) / 2) / 2,
            "not worse": 1 / 2,
            "never top 5": 1 / 2,
            "never top 8": 0,
            "turns to top 5": 1,
            "turns to top 8": 1.5,
        }
    )
    three = measures(found, turns=3, **{"after turn": "whole way"})
    assert three["BRI"] == pytest.approx((log(6) + log(6) + log(6) + log(5)) / 4)
    assert three["area"] == pytest.approx((4 / 9 + 0 + 0 + 5 / 9) / 4)
    assert (three["not worse"], three["turns to top 5"], three["turns to top 8"]) == (1 / 2, 3, 1)
    every = measures(found, turns="all", **{"after turn": "whole way"})
    assert (every["never top 5"], every["turns to top 5"], every["turns to top 8"]) == (pytest.approx(1 / 3), 2, 1)
    assert found["dialogue"]["BRI"] == every["BRI"]


def test_a_target_that_no_gallery_has_is_last_and_never_at_the_top(tmp_path: Path) -> None:
    found = Trajectory().run(study_of(tmp_path / "b", After(), [dialogue(0, "ab?")]))
    way = measures(found, turns=2, **{"after turn": "whole way"})
    # Eleventh of ten at both turns.
    assert way["BRI"] == pytest.approx(log(11))
    assert (way["area"], way["not worse"], way["never top 8"], way["turns to top 8"]) == (0, 1, 1, None)


# Other orders


def test_rank_biased_overlap_worked_out_by_hand() -> None:
    # Common items in the first 1, 2, 3 places: 1, 1, 3. 1 x .729 + (.9 x 1 + .81 x 1/2 + .729 x 1) / 9.
    assert rbo("abc", "acb", p=0.9) == pytest.approx(0.729 + (0.9 + 0.405 + 0.729) / 9)
    assert rbo("ab", "ba", p=0.5) == pytest.approx(0.25 + 0.25)
    assert rbo("ab", "ac", p=0.5) == pytest.approx(0.125 + (0.5 + 0.125))
    assert rbo("abc", "xyz") == 0
    assert rbo("abcdefghij", "abcdefghij") == pytest.approx(1)
    assert rbo("abc", "bca") == rbo("bca", "abc")
    for one, other, p in (("", "", 0.9), ("ab", "a", 0.9), ("aa", "ab", 0.9), ("ab", "aa", 0.9), ("a", "a", 1.0)):
        with pytest.raises(Exception, match=r"RBO needs|must lie"):
            rbo(one, other, p=p)


def test_other_orders_worked_out_by_hand(after: Study) -> None:
    found = Order().run(after)
    # a d -> j turned round: j is tenth from a, no hit as before. a e -> b: b is second from a, a hit that was none.
    two = {"R@5": 0, "reordered R@5": 1 / 2, "change": 1 / 2, "flips": 1 / 2}
    # b h c -> g was a hit. Five other orders: two end on b (sixth), two on h (tenth), one on c (fifth).
    three = {"R@5": 1, "reordered R@5": 1 / 5, "change": -4 / 5, "flips": 4 / 5}
    letters = lambda start: [*LETTERS[LETTERS.index(start) :], *LETTERS[: LETTERS.index(start)]]  # noqa: E731
    overlaps = {
        2: np.mean([rbo(letters("d"), letters("a")), rbo(letters("e"), letters("a"))]),
        3: np.mean([rbo(letters("c"), letters(last)) for last in "bbhhc"]),
    }
    for turns, expected in ((2, two), (3, three)):
        assert measures(found, reordered="all turns", turns=turns) == pytest.approx(
            {"RBO": overlaps[turns], **expected}
        )
    assert measures(found, reordered="earlier turns", turns=3) == pytest.approx(
        {"RBO": 1, "R@5": 1, "reordered R@5": 1, "change": 0, "flips": 0}
    )
    assert found["all turns"]["change"] == pytest.approx((0 + 1 - 4 / 5) / 3)
    assert found["all turns"]["flips"] == pytest.approx((0 + 1 + 4 / 5) / 3)
    assert (found["n"], found["left_out"], found["earlier turns"]["n"]) == (3, 0, 1)
    assert [(r["reordered"], r["turns"], r["n"]) for r in found["rows"]] == [
        ("all turns", "all", 3),
        ("all turns", 2, 2),
        ("all turns", 3, 1),
        ("earlier turns", "all", 1),
        ("earlier turns", 3, 1),
    ]


def test_half_a_hit_that_is_gained_and_lost_counts_as_two_changes(tmp_path: Path) -> None:
    class Torn(Model):
        def of(self, history: History, image: str) -> float:
            return {"b": 1.0, "h": -1.0, "c": 0.0}[history.references[-1]] * (image == "g")

    found = Order().run(study_of(tmp_path / "b", Torn(), [dialogue(0, "bhcg")]))
    # With c last all tie: half a hit. Two orders end on b, a whole one, two on h, none, and one on c.
    assert measures(found, reordered="all turns", turns=3) | {"RBO": 0} == pytest.approx(
        {"RBO": 0, "R@5": 1 / 2, "reordered R@5": 1 / 2, "change": 0, "flips": 4 * (1 / 2) / 5}
    )


def test_a_model_that_reads_references_alone_does_not_see_that_the_feedback_moved(after: Study) -> None:
    found = Order(what="feedback").run(after)
    assert all(r["RBO"] == pytest.approx(1) and r["flips"] == 0 for r in found["rows"])


def test_a_model_that_is_agnostic_to_order_has_full_overlap_and_no_flips(tmp_path: Path) -> None:
    walks = ["adj", "bhcg", "aeb", "jihgf", "cafebd", "bdfhjaceg"]
    found = Order().run(study_of(tmp_path / "b", Bag(), [dialogue(n, walk) for n, walk in enumerate(walks)]))
    assert found["n"] == 6
    for one in found["rows"]:
        assert one["RBO"] == pytest.approx(1)
        assert (one["flips"], one["change"], one["change interval"]) == (0, 0, [0, 0])


def test_orders_are_all_there_are_or_a_sample_of_them() -> None:
    assert other_orders(2, 0, [0]) == [(1, 0)]
    assert other_orders(2, 1, [0]) == []
    assert other_orders(3, 1, [0]) == [(1, 0, 2)]
    assert other_orders(4, 0, [0]) == [*permutations(range(4))][1:]
    assert other_orders(5, 1, [0]) == [(*order, 4) for order in [*permutations(range(4))][1:]]
    for turns, still in ((5, 0), (8, 0), (8, 1)):
        drawn = other_orders(turns, still, [0, 7])
        assert len(set(drawn)) == len(drawn) == 23
        assert tuple(range(turns)) not in drawn
        assert all(sorted(order) == [*range(turns)] and order[turns - still :] == (7,) * still for order in drawn)
        assert drawn == other_orders(turns, still, [0, 7]) != other_orders(turns, still, [1, 7])
    for seed in range(30):  # of 120 orders, one of five samples has the original
        assert (0, 1, 2, 3, 4) not in other_orders(5, 0, [seed])
    history = History("dress", ("a", "b", "c"), ("x", "y", "z"))
    assert reordered(history, (2, 0, 1)) == History("dress", ("c", "a", "b"), ("z", "x", "y"))
    assert reordered(history, (2, 0, 1), "feedback") == History("dress", ("a", "b", "c"), ("z", "x", "y"))


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ("is longer", "is much shorter", True),
        ("is lighter", "is a darker shade", True),
        ("has sleeves", "has no sleeves", True),
        ("without a collar", "has a big collar", True),
        ("is less shiny", "is more shiny", True),
        ("is not as long and red", "is red", False),  # what follows "and" is asked for
        ("no stripes. red", "is red", False),
        ("is not red", "is red", True),
        ("is black", "is blue", True),
        ("is black and white", "is white", False),
        ("is gray", "is grey", False),
        ("is sleeveless", "has short sleeves", True),
        ("is longer", "is longer", False),
        ("has no sleeves", "has no sleeves", False),
        ("is a more colorful shirt", "is not a shirt", False),  # says nothing
        ("", "is red", False),
    ],
)
def test_feedback_that_contradicts_itself_is_known_by_its_words(one: str, other: str, clash: bool) -> None:
    assert contradict(one, other) is contradict(other, one) is clash


def test_any_two_turns_may_contradict_each_other_and_the_truth_goes_first() -> None:
    feedback = [
        ("is red", "has dots", "is blue"),
        ("is red", "has dots"),
        ("is red", "is blue"),
        ("is longer", "is red"),
    ]
    assert contradicting("wxyz", feedback, None) == [True, False, True, False]
    red, blue = {"colour": "red"}, {"colour": "blue"}
    dialogues = {
        "w": Dialogue((red, {}, blue), ()),
        "x": Dialogue((red, {"print": "dots"}), ()),
        "y": Dialogue((red, red), ()),  # whatever the words say
        "z": Dialogue(({}, red), (), kind="rollback"),
    }
    assert contradicting("wxyz", feedback, Truth({}, dialogues)) == [True, False, False, True]


def test_dialogues_that_contradict_themselves_are_left_out_and_counted(tmp_path: Path) -> None:
    clashing = Transaction("dress.test.0001", "dress", (Turn("a", ("is red",), "e"), Turn("e", ("is blue",), "b")))
    found = Order().run(study_of(tmp_path / "b", After(), [dialogue(0, "adj"), clashing]))
    assert (found["n"], found["left_out"]) == (1, 1)
    assert found["notes"][0].startswith("1 of 2 dialogues contradict themselves")
    assert [r["n"] for r in found["rows"]] == [1, 1]
    with pytest.raises(
        NotAvailableError, match="needs a dialogue of two turns or more that does not contradict itself"
    ):
        Order().run(study_of(tmp_path / "c", After(), [clashing]))


# The model's own references


def test_a_closed_loop_worked_out_by_hand(after: Study) -> None:
    found = ClosedLoop().run(after)
    # a d -> j: from a comes b, and j is ninth. a e -> b: from a comes b, the target itself, and b is first.
    # b h c -> g: from b comes c, from c comes d, and g is fourth. With the true ones: seventh, eighth, fifth.
    assert measures(found, turns=2, references="true") == {"R@5": 0, "R@8": 1, "mean": 0.5}
    assert measures(found, turns=2, references="own") == {
        "R@5": 0.5,
        "R@8": 0.5,
        "mean": 0.5,
        "difference": 0,
        "right": 0,
        "on the way": 0.5,
    }
    assert measures(found, turns=3, references="own")["R@5"] == 1
    assert measures(found, turns="all", references="own")["R@5"] == pytest.approx(2 / 3)
    assert found["difference"]["on the way"] == pytest.approx(1 / 3)


def test_a_model_that_finds_every_next_reference_loses_nothing_in_a_closed_loop(tmp_path: Path) -> None:
    walks = ["adj", "bhcg", "aeb", "jihgf", "cafebd"]
    found = ClosedLoop().run(study_of(tmp_path / "b", Oracle(), [dialogue(n, walk) for n, walk in enumerate(walks)]))
    for turns in ("all", 2, 3, 4, 5):
        own, true = (measures(found, turns=turns, references=name) for name in ("own", "true"))
        assert true == {"R@5": 1, "R@8": 1, "mean": 1}
        assert own == {**true, "difference": 0, "right": 1, "on the way": 0}


def test_a_closed_loop_is_what_a_plain_loop_does(many: Study) -> None:
    model, images = Whatever(), "abcdefghijklmnopqrstuvwxyz"
    found = ClosedLoop().run(many)
    for turns in (2, 3, 4, 5, 6):
        hits, right = [], []
        for t in (t for t in many.transactions if len(t.turns) == turns):
            references, same = [t.turns[0].reference], []
            for n in range(1, turns + 1):
                texts = tuple(turn.feedback[0] for turn in t.turns[:n])
                order = best(model, History("dress", tuple(references), texts), images)
                if n < turns:
                    references.append(next(image for image in order if image not in references))
                    same.append(references[-1] == t.turns[n].reference)
            hits.append(order.index(t.target) < 8)
            right.append(np.mean(same))
        one = row(found, turns=turns, references="own")
        assert (one["R@8"], one["right"]) == (pytest.approx(np.mean(hits)), pytest.approx(np.mean(right)))
        true = row(found, turns=turns, references="true")
        assert one["difference"] == pytest.approx(one["mean"] - true["mean"])
    assert found["difference"]["difference"] != 0


def test_a_gallery_smaller_than_a_dialogue_shows_an_image_again(tmp_path: Path) -> None:
    assert unseen("bca", {"b"}) == "c"
    assert unseen("bca", {"a", "b", "c"}) == "b"
    small = study_of(tmp_path / "b", After(), [dialogue(0, "abcab")], "abc")
    assert measures(ClosedLoop().run(small), turns=4, references="own")["R@5"] == 1
    assert measures(HistoryRobustness().run(small), turns=4, last=4, variant="roll-out")["R@5"] == 1


# What they have in common


@pytest.mark.parametrize("name", EVALUATORS)
def test_parts_agree_with_the_whole_and_rank_nothing(name: str, many: Study) -> None:
    evaluator = EVALUATORS[name]()
    whole = evaluator.run(many)
    asked = many.model.asked
    chosen = np.random.default_rng(1).permutation(len(many))
    parts = [evaluator.run(many.part(rows)) for rows in (chosen[:18], chosen[18:])]
    assert many.model.asked == asked
    anew = Study(many.ranker, many.benchmark, many.split, many.transactions, seed=many.seed)
    assert EVALUATORS[name]().run(anew.part(chosen[:18])) == parts[0]  # before the whole was studied, too
    labels = ("turns", "last", "variant", "target", "after turn", "reordered", "references")
    for one in whole["rows"]:
        key = {label: one[label] for label in labels if label in one}
        same = [r for part in parts for r in part["rows"] if all(r.get(k) == v for k, v in key.items())]
        assert sum(r["n"] for r in same) == one["n"]
        for measure in (m for m in one if m + " interval" in one):
            pooled = sum(r["n"] * r[measure] for r in same) / one["n"]  # one category: macro is pooled
            assert one[measure] == pytest.approx(pooled), (key, measure)


def test_what_all_turns_give_is_the_headline(many: Study) -> None:
    headline = Recall().run(many)
    rows = [
        row(HistoryRobustness().run(many), turns="all", last="all", variant="model"),
        row(Trajectory().run(many), turns="all", target="final", **{"after turn": "last"}),
        row(ClosedLoop().run(many), turns="all", references="true"),
    ]
    for one in rows:
        assert (one["R@5"], one["R@8"]) == (headline["measures"]["R@5"], headline["measures"]["R@8"])
    by_turns = HistoryRobustness().run(many)
    for turns, part in headline["by_turns"].items():
        found = row(by_turns, turns=int(turns), last=int(turns), variant="model")
        assert found["R@5"] == pytest.approx(part["measures"]["R@5"])


@pytest.mark.parametrize("name", EVALUATORS)
def test_a_second_study_is_not_answered_from_the_first(name: str, many: Study, after: Study) -> None:
    evaluator = EVALUATORS[name]()
    assert evaluator.run(many)["n"] == 30
    assert evaluator.run(after) == EVALUATORS[name]().run(after)


@pytest.fixture
def file(after: Study, tmp_path: Path) -> Iterator[Study]:
    """The rankings of a file, of whole histories alone."""
    benchmark: Benchmark = after.benchmark
    listed = [
        Ranking(t.transaction_id, [*LETTERS], np.arange(10, 0, -1, dtype=np.float32))
        for t in benchmark.transactions("test")
    ]
    write_run(tmp_path / "run.parquet", listed)
    ranked = RankedFile(tmp_path / "run.parquet", benchmark, "test")
    yield Study(ranked, benchmark, "test", benchmark.transactions("test"))


@pytest.mark.parametrize("name", EVALUATORS)
def test_a_file_of_final_rankings_is_not_enough(name: str, file: Study) -> None:
    with pytest.raises(NotAvailableError, match="needs rankings of other histories, and this is a file of final"):
        EVALUATORS[name]().run(file)


@pytest.mark.parametrize("name", EVALUATORS)
def test_they_are_registered_and_documented(name: str) -> None:
    from mtbench.core.registry import EVALUATORS as REGISTRY

    assert REGISTRY.get(name) is EVALUATORS[name]
    found = EVALUATORS[name].__doc__
    assert found and found.splitlines()[0].endswith(".")


def test_a_single_turn_has_no_history_to_lose(tmp_path: Path) -> None:
    alone = study_of(tmp_path / "b", After(), [dialogue(0, "ab")])
    assert HistoryRobustness().run(alone)["rows"] == ClosedLoop().run(alone)["rows"] == []
    way = measures(Trajectory().run(alone), turns=1, **{"after turn": "whole way"})
    assert (way["BRI"], way["not worse"], way["turns to top 5"]) == (pytest.approx(log(2)), 1, 1)
    with pytest.raises(NotAvailableError):
        Order().run(alone)
