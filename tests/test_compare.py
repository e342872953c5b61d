"""Comparing results as a user does: numbers by hand, words that claim no more, and results not to be trusted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from letters import MODELS, build_letters

from mtbench.cli import main
from mtbench.core.errors import MtbenchError
from mtbench.evaluation.comparison.claims import claim
from mtbench.evaluation.comparison.comparable import read_results
from mtbench.evaluation.comparison.compare import compare
from mtbench.evaluation.comparison.systems import group
from mtbench.evaluation.evaluate import Settings, evaluate
from mtbench.evaluation.measures import macro

BACKWARDS = "srqponmlkjihgfedcba"
NEW = ("category", "cluster", "turns")
OF_3 = (0, 0.5, 1)
OF_40 = [i // 40 for i in range(200)]


def type_in(*words: object) -> Result:
    return CliRunner().invoke(main, ["compare", *map(str, words)], prog_name="mtbench")


def printed(*words: object) -> str:
    """What a comparison prints, with its blanks made one each."""
    found = type_in(*words)
    assert found.exit_code == 0, found.output
    return " ".join(found.stdout.split())


def as_json(*words: object) -> dict[str, Any]:
    found = type_in(*words, "--json")
    assert found.exit_code == 0, found.output
    assert not found.stderr
    value: dict[str, Any] = json.loads(found.stdout)
    return value


def refused(*words: object) -> str:
    """The one message of a comparison that is not made."""
    found = type_in(*words)
    assert isinstance(found.exception, SystemExit), found.exception  # anything else is a traceback
    assert (found.exit_code, found.stdout) == (2, "")
    assert found.stderr.count("mtbench: ") == 1
    return found.stderr


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results on the letters: forward, backward, random with two seeds, last-turn."""
    place = tmp_path_factory.mktemp("evaluated")
    (place / "models.py").write_text(MODELS, encoding="utf-8")
    letters, mine = build_letters(place), f"{place / 'models.py'}:Order"
    for name, folder, settings in (
        (mine, "forward", Settings()),
        (mine, "backward", Settings(options={"best": BACKWARDS})),
        ("random", "random-0", Settings()),
        ("random", "random-1", Settings(seed=1)),
        ("last-turn", "last-turn", Settings()),
        ("last-turn", "dev", Settings(split="dev")),
        (mine, "limited", Settings(limit=2)),
    ):
        evaluate(name, letters, place / "one", settings)
        (made,) = (place / "one").iterdir()
        made.rename(place / folder)
    return place


@pytest.fixture
def results(evaluated: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return shutil.copytree(evaluated, tmp_path / "results")


@pytest.fixture
def many(results: Path, tmp_path: Path):
    """Writes results of any size: a real record with other values in it."""
    template = json.loads((results / "forward" / "result.json").read_text())

    def write(
        name: str,
        values: Sequence[float],
        targets: Sequence[int] | None = None,
        categories: Sequence[str] = (),
        **changes: Any,
    ) -> Path:
        n = len(values)
        categories = list(categories) or ["dress"] * n
        shares = {k: np.asarray(values, float) for k in ("R@5", "R@8", "mean", "MRR")}
        folder = tmp_path / "many" / name
        folder.mkdir(parents=True)
        record = {**template, "model": name, "measures": {k: macro(k, v, categories) for k, v in shares.items()}}
        (folder / "result.json").write_text(json.dumps({**record, **changes}))
        about = {
            "transaction_id": [f"dress.test.{i:04d}" for i in range(n)],
            "category": categories,
            "cluster": [f"{c}\timage{i}" for c, i in zip(categories, targets or range(n), strict=True)],
            "turns": [2] * n,
        }
        pq.write_table(pa.table({**about, **shares}), folder / "transactions.parquet")
        return folder

    return write


def change(folder: Path, **values: Any) -> Path:
    """Edit a record as somebody's hand or another program does."""
    path = folder / "result.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    return folder


def change_columns(folder: Path, **columns: Any) -> Path:
    """Replace columns of the values; None drops one."""
    path = folder / "transactions.parquet"
    table = {**pq.read_table(path).to_pydict(), **columns}
    pq.write_table(pa.table({name: column for name, column in table.items() if column is not None}), path)
    return folder


# Numbers


def test_every_number_of_a_comparison_worked_out_by_hand(results: Path) -> None:
    # R@5 of (i, j | s): forward 1 0 | 0, backward 1 1 | 1. Macro: 1/4 and 1.
    found = as_json(results / "forward", results / "backward", "--measure", "R@5")
    assert (found["benchmark"], found["split"], found["n"], found["clusters"]) == ("letters", "test", 3, 3)
    assert found["averaged"] == "macro over dress, shirt"
    (pair,) = found["comparisons"]
    assert (pair["first"], pair["second"]) == (f"Order (best={BACKWARDS})", "Order")
    assert pair["difference"] == pytest.approx(3 / 4)
    # Draws of two dresses from {0, 1} average 0, 1/2 or 1; the shirt is always 1: (draw + 1) / 2.
    assert pair["interval"] == [0.5, 1]
    # The clusters count 0, 1/4 and 1/2: of four patterns two are as far from 0 as 3/4.
    assert (found["exact"], found["sign_patterns"], pair["p"], pair["p_holm"]) == (True, 4, 0.5, 0.5)
    assert pair["mcnemar"] == {"R@5": {"first": 2, "second": 0, "p": 0.5}}
    assert pair["minimum_detectable_difference"] is None  # 0.25 is the smallest p of three clusters
    assert pair["better"] is None
    assert pair["claim"] == (
        f"Order (best={BACKWARDS}) and Order cannot be told apart at n = 3: difference 75.0, interval 50.0 to 100.0, "
        "but p = 0.50 (so few clusters that no difference could be a finding)."
    )


@pytest.mark.parametrize(
    ("part", "n", "difference", "interval", "averaged"),
    [
        ("dress", 2, 1 / 2, [0, 1], ""),
        ("shirt", 1, 1, [1, 1], ""),
        ("3-turns", 1, 1, [1, 1], "categories pooled"),  # j
        ("2-turns", 2, 1 / 2, [0, 1], "categories pooled"),  # i and s
    ],
)
def test_a_part_is_compared_as_evaluate_tabulates_it(
    results: Path, part: str, n: int, difference: float, interval: list[float], averaged: str
) -> None:
    found = as_json(results / "forward", results / "backward", "--measure", "R@5", "--part", part)
    assert (found["n"], found["averaged"]) == (n, averaged)
    assert found["comparisons"][0]["difference"] == pytest.approx(difference)
    assert found["comparisons"][0]["interval"] == interval
    record = json.loads((results / "forward" / "result.json").read_text())
    expected = {**record["by_category"], **{f"{k}-turns": v for k, v in record["by_turns"].items()}}[part]
    assert found["systems"][1]["estimate"] == pytest.approx(expected["measures"]["R@5"])


@pytest.mark.parametrize("measure", ["mean", "R@5", "R@8", "MRR"])
def test_scores_and_intervals_are_those_of_the_results(results: Path, measure: str) -> None:
    found = as_json(results / "forward", results / "last-turn", "--measure", measure)
    for system in found["systems"]:
        record = json.loads((Path(system["results"][0]) / "result.json").read_text())
        assert system["estimate"] == pytest.approx(record["measures"][measure])
        assert system["interval"] == pytest.approx(record["intervals"][measure])


def test_mcnemar_is_on_recall_and_not_on_means_over_seeds(results: Path) -> None:
    names = [results / name for name in ("forward", "backward", "random-0", "random-1")]
    by_measure = {measure: as_json(*names, "--measure", measure)["comparisons"] for measure in ("mean", "MRR")}
    tested = {(pair["first"], pair["second"]): set(pair["mcnemar"]) for pair in by_measure["mean"]}
    assert {"random" in key: value for key, value in tested.items()} == {True: set(), False: {"R@5", "R@8"}}
    assert all(pair["mcnemar"] == {} for pair in by_measure["MRR"])


def test_a_clear_difference_is_claimed_and_a_small_one_is_not(many) -> None:
    rng = np.random.default_rng(0)
    low = rng.integers(0, 2, 420).astype(float)
    high = np.where(rng.random(420) < 0.4, 1.0, low)
    near = np.where(rng.random(420) < 0.1, 1 - low, low)
    found = as_json(many("low", low), many("high", high), many("near", near))
    claims = {frozenset((pair["first"], pair["second"])): pair for pair in found["comparisons"]}
    clear, unclear = claims[frozenset(("low", "high"))], claims[frozenset(("low", "near"))]
    assert clear["better"] == "high"
    low_end, high_end = (100 * end for end in clear["interval"])
    assert clear["claim"] == (
        f"high is better than low by {100 * clear['difference']:.1f} points ({low_end:.1f} to {high_end:.1f}), "
        f"p = {clear['p_holm']:.4f} after Holm over 3 comparisons."
    )
    assert unclear["better"] is None
    assert "cannot be told apart at n = 420: difference" in unclear["claim"]
    detectable = unclear["minimum_detectable_difference"]
    assert f"(a difference of {100 * detectable:.1f} or more would be found in 80% of such tests)" in unclear["claim"]
    differences = near - low
    z = 2.3940 + 0.8416  # at 0.05 / 3, and 80%
    assert detectable == pytest.approx(z * differences.std(ddof=1) / 420**0.5, rel=1e-4)


def test_copies_of_a_target_make_no_finding(many) -> None:
    one, two = np.repeat([1.0, 1, 1, 0, 1], 40), np.repeat([0.0, 0, 1, 0, 0], 40)
    (pair,) = as_json(many("one", one, OF_40), many("two", two, OF_40))["comparisons"]
    assert pair["mcnemar"]["R@5"]["p"] < 1e-9
    assert (pair["p"], pair["better"]) == (0.25, None)


def test_with_so_few_clusters_that_no_p_could_be_small_nothing_is_said_to_be_detectable(many) -> None:
    # Four clusters that all say the same have no spread at all, and 2/16 as their p.
    (pair,) = as_json(many("always", np.ones(4)), many("never", np.zeros(4)))["comparisons"]
    assert (pair["difference"], pair["p"], pair["better"]) == (1, 0.125, None)
    assert pair["minimum_detectable_difference"] is None
    assert pair["claim"] == (
        "always and never cannot be told apart at n = 4: difference 100.0, interval 100.0 to 100.0, but p = 0.12 "
        "(so few clusters that no difference could be a finding)."
    )


def test_six_clusters_can_tell_one_pair_apart_but_not_two(many) -> None:
    six = [many(name, np.full(30, value), [i // 5 for i in range(30)]) for name, value in zip("abc", OF_3, strict=True)]
    (pair,) = as_json(*six[:2])["comparisons"]
    assert (pair["p"], pair["better"], pair["minimum_detectable_difference"]) == (2 / 64, "b", 0)
    two = as_json(*six, "--baseline", "a")
    assert two["clusters"] == 6
    for pair in two["comparisons"]:
        assert (pair["p_holm"], pair["better"], pair["minimum_detectable_difference"]) == (4 / 64, None, None)
        assert pair["claim"].endswith("(so few clusters that no difference could be a finding).")


def test_one_cluster_of_a_category_says_nothing_of_how_that_category_varies(many) -> None:
    rng, categories = np.random.default_rng(0), [*["dress"] * 39, "shirt"]
    one, two = (many(name, rng.integers(0, 2, 40), None, categories) for name in ("one", "two"))
    (pair,) = as_json(one, two)["comparisons"]
    assert pair["minimum_detectable_difference"] is None
    assert pair["claim"].endswith("(what would be found cannot be told, because a category has one cluster only).")


def test_the_same_image_in_two_categories_is_two_clusters(many) -> None:
    categories = ["dress"] * 3 + ["shirt"] * 3
    folders = [many(name, np.full(6, value), None, categories) for name, value in (("a", 0), ("b", 1))]
    for folder in folders:
        change_columns(folder, cluster=["x", "y", "z"] * 2)
    (pair,) = (found := as_json(*folders))["comparisons"]
    assert (found["clusters"], pair["p"], pair["better"]) == (6, 2 / 64, "b")


def test_systems_that_agree_everywhere_are_said_to(many) -> None:
    values = np.linspace(0, 1, 30)
    (pair,) = as_json(many("one", values), many("two", values))["comparisons"]
    assert pair["claim"] == "one and two have the same value for each of 30 transactions."
    assert (pair["p"], pair["interval"], pair["minimum_detectable_difference"]) == (1, [0, 0], 0)


def test_more_pairs_ask_for_more_and_a_baseline_asks_for_fewer(many) -> None:
    rng = np.random.default_rng(1)
    folders = [many(name, (rng.random(200) < share)) for name, share in zip("abcd", (0.4, 0.5, 0.55, 0.6), strict=True)]
    every = as_json(*folders)["comparisons"]
    fewer = as_json(*folders, "--baseline", "b")["comparisons"]
    assert len(every) == 6
    assert [pair["second"] for pair in fewer] == ["b", "b", "b"]
    assert {pair["first"] for pair in fewer} == {"a", "c", "d"}
    assert [pair["difference"] > 0 for pair in fewer if pair["first"] == "a"] == [False]
    smallest = min(every, key=lambda pair: pair["p"])
    assert smallest["p_holm"] == pytest.approx(6 * smallest["p"])
    smallest = min(fewer, key=lambda pair: pair["p"])
    assert smallest["p_holm"] == pytest.approx(3 * smallest["p"])


# Seeds


def test_results_that_differ_in_the_seed_are_one_system_and_its_score_is_their_mean(results: Path) -> None:
    found = as_json(results / "random-0", results / "random-1", results / "forward")
    names = {system["name"]: system for system in found["systems"]}
    assert set(names) == {"random", "Order"}
    means = [json.loads((results / f"random-{n}" / "result.json").read_text())["measures"]["mean"] for n in (0, 1)]
    assert names["random"]["by_seed"] == pytest.approx({"0": means[0], "1": means[1]})
    assert names["random"]["estimate"] == pytest.approx(np.mean(means))
    assert names["random"]["sd_between_seeds"] == pytest.approx(np.std(means, ddof=1))
    assert names["Order"]["sd_between_seeds"] is None
    notes = " ".join(found["notes"])
    assert "One seed only: Order." in notes and "unknown" in notes
    assert "fewer than 5 seeds" in notes


def test_seeds_that_disagree_take_back_what_each_of_them_would_claim(many) -> None:
    base = np.tile([0.0, 0, 0, 1], 100)
    good, bad = np.tile([0.0, 1, 1, 1], 100), np.tile([0.0, 0, 0, 1], 100)
    other = many("base", base)
    one = many("s0", good, model="trained", options={"seed": 0})
    assert as_json(other, one)["comparisons"][0]["better"] == "trained"
    two = many("s1", bad, model="trained", options={"seed": 1})
    (pair,) = as_json(other, one, two)["comparisons"]
    assert pair["p_holm"] < 0.001
    assert pair["interval"][0] < 0 < pair["interval"][1]
    assert pair["better"] is None
    assert "holds for these seeds alone" in pair["claim"]
    # The sd of 0.25 and 0.75 is 0.354, over two seeds 0.25, next to which the transactions vary little.
    assert pair["minimum_detectable_difference"] == pytest.approx(2.8016 * 0.25, rel=0.01)


def test_the_seed_of_an_evaluation_is_no_seed_of_a_system_that_takes_none(many) -> None:
    values = np.tile([0.0, 1, 1, 1], 10)
    copies = [many(f"bm25-{n}", values, model="bm25", options={}, seed=n) for n in (0, 1)]
    file = [many(f"run-{n}", values, model="my.parquet", options={}, source_sha256="f" * 64, seed=n) for n in (0, 1)]
    found = as_json(*copies, *file)
    assert found["notes"][:2] == [
        "bm25-1 is left out: it has the values of bm25-0.",
        "run-1 is left out: it has the values of run-0.",
    ]
    assert not any("seed" in note for note in found["notes"])
    for system in found["systems"]:
        assert (len(system["results"]), system["by_seed"], system["sd_between_seeds"]) == (1, {}, None)
    assert "sd of seeds" not in printed(*copies, *file)


def test_one_system_without_a_seed_that_has_two_outcomes_is_refused(many) -> None:
    folders = [many(f"bm25-{n}", np.full(9, n), model="bm25", options={}, seed=n) for n in (0, 1)]
    message = refused(*folders, many("b", np.zeros(9)))
    assert f"{folders[1]}: the same system as {folders[0]}, but other values" in message


def test_of_systems_without_seeds_nothing_is_said_to_hold_for_seeds(many) -> None:
    said = {}
    for takes, options in ((False, {}), (True, {"seed": 0})):
        one, two = (many(f"{name}{takes}", np.zeros(9), model=name, options=options) for name in ("one", "two"))
        pair = {
            **as_json(one, two)["comparisons"][0],
            **{"equal": False, "difference": 0.1, "interval": [-0.01, 0.2], "p_holm": 0.04},
            "minimum_detectable_difference": 0.12,
        }
        assert pair["seeds"] == [len(options)] * 2
        said[takes] = claim(pair, n=9, m=3)
    assert said[False] == said[True]  # one seed is in no interval: it cannot be what the two disagree about
    assert said[True] == (
        "one and two cannot be told apart at n = 9: difference 10.0, interval -1.0 to 20.0, and p = 0.040 after Holm "
        "over 3 comparisons is no finding without an interval that leaves out 0 (a difference of 12.0 or more would be "
        "found in 80% of such tests)."
    )


def test_an_interval_does_not_move_with_what_else_is_compared(many) -> None:
    rng = np.random.default_rng(3)
    folders = {
        (model, n): many(f"{model}{n}", rng.random(60), model=model, options={"alpha": 1, "seed": n})
        for model in ("m.py:Mine", "other")
        for n in (0, 1, 2)
    }
    before = as_json(*folders.values())
    first = [many(f"a{n}", rng.random(60), model="a", options={"seed": n}) for n in (0, 1)]
    namesake = many("namesake", rng.random(60), model="m.py:Mine", options={"alpha": 2})
    after = as_json(*first, *folders.values(), namesake)
    by_results = {tuple(system["results"]): system for system in after["systems"]}
    for system in before["systems"]:
        again = by_results[tuple(system["results"])]
        assert again["interval"] == pytest.approx(system["interval"], abs=1e-12)
    (pair,) = before["comparisons"]
    intervals = [
        np.abs(other["interval"]) for other in after["comparisons"] if other["difference"] == pair["difference"]
    ]
    assert len(intervals) == 1
    assert sorted(intervals[0]) == pytest.approx(sorted(np.abs(pair["interval"])), abs=1e-12)
    assert {system["name"] for system in after["systems"]} == {"Mine (alpha=1)", "Mine (alpha=2)", "a", "other"}


def test_the_seeds_of_two_systems_are_no_pairs(many) -> None:
    # Both have 0.25 and 0.75 for seeds 0 and 1: their difference is 0 only if like seeds are set against like.
    values = [np.tile([0.0, 0, 0, 1], 100), np.tile([0.0, 1, 1, 1], 100)]
    folders = [many(f"{m}{n}", values[n], model=m, options={"seed": n}) for m in ("one", "two") for n in (0, 1)]
    systems, _ = group(read_results(folders)[0])
    (pair,) = compare(systems, resamples=500)["comparisons"]
    low, high = pair["interval"]
    assert low < -0.3 and high > 0.3
    assert pair["minimum_detectable_difference"] == pytest.approx(2.8016 * (2 * 0.25**2) ** 0.5, rel=1e-4)


def test_means_over_seeds_that_differ_by_rounding_alone_are_equal(many) -> None:
    of_seeds = {"one": (0.1, 0.2, 0.3), "two": (0.3, 0.2, 0.1)}  # 0.6000000000000001 and 0.6
    folders = [
        many(f"{name}{n}", np.full(9, value), model=name, options={"seed": n})
        for name, values in of_seeds.items()
        for n, value in enumerate(values)
    ]
    assert as_json(*folders)["comparisons"][0]["equal"]


def test_there_are_signs_enough_for_a_finding_after_holm(many) -> None:
    folders = [many(name, np.random.default_rng(n).random(40)) for n, name in enumerate("abcd")]
    assert compare(group(read_results(folders)[0])[0], resamples=10)["sign_patterns"] == 6 * 200


def test_a_score_stays_a_share_however_few_seeds_widen_it(many) -> None:
    folders = [many(f"s{n}", np.full(20, n), model="trained", options={"seed": n}) for n in (0, 1)]
    found = as_json(*folders, many("other", np.full(20, 0.5)))
    assert next(s for s in found["systems"] if s["name"] == "trained")["interval"] == [0, 1]


def test_the_same_result_twice_counts_once(results: Path) -> None:
    shutil.copytree(results / "random-0", results / "copy")
    found = as_json(results / "random-0", results / "random-0", results / "copy", results / "forward")
    assert {tuple(system["by_seed"]) for system in found["systems"]} == {("0",)}
    assert found["notes"][0] == "copy is left out: it has the values of random-0."


def test_one_seed_with_two_outcomes_is_refused(many) -> None:
    folders = many("old", np.zeros(9), model="same"), many("new", np.ones(9), model="same"), many("b", np.zeros(9))
    message = refused(*folders)
    assert "the same system and seed as" in message and "evaluate again" in message


# Names


def test_systems_of_one_name_are_told_apart_by_what_differs_and_no_more(many) -> None:
    values = np.zeros(9)
    changes = {
        "a": {"options": {"alpha": "0.7", "beta": 1}},
        "b": {"options": {"alpha": "0.3", "beta": 1}},
        "c": {"options": {"beta": 1}},
        "d": {"options": {"beta": 1}, "features": {"name": "clip", "key": "k"}, "proxy": "image"},
        "e": {"options": {"beta": 1}, "source_sha256": "1234567890"},
    }
    folders = [many(name, values, **{"model": "x.py:Mine", **change}) for name, change in changes.items()]
    template = json.loads((folders[2] / "result.json").read_text())["source_sha256"][:8]
    systems, _ = group(read_results(folders)[0])
    assert [system.name for system in systems] == [
        "Mine (alpha=0.3)",
        "Mine (alpha=0.7)",
        "Mine (features clip, proxy image)",
        "Mine (source 12345678)",
        f"Mine (source {template})",
    ]


def test_features_that_a_model_does_not_read_make_no_other_system(results: Path, many) -> None:
    values = np.zeros(9)
    one = many("one", values, model="m", features=None, words="caption", features_keys=["a"])
    two = many("two", values, model="m", features=None, words="attributes", features_keys=["b"])
    assert len(group(read_results([one, two])[0])[0]) == 1


@pytest.mark.parametrize("model", ["cm-ntm", "ewma"])
def test_what_lies_below_makes_another_system_and_its_seed_does_not(many, model: str) -> None:
    def on(name: str, seed: int, kind: str, pairs: str) -> Path:
        about = {"model": "combiner", "options": {"kind": kind, "seed": seed}, "pairs": pairs, "seed": seed}
        below = {**about, "preset": "", "status": "complete", "weights_sha256": name}
        memory = {**about, "model": "cm-ntm", "options": {}, "pairs": "", "below": [below]}
        trained = [memory] if model == "cm-ntm" else [{**below, "below": []}]
        return many(name, np.full(9, seed), model=model, options={"seed": seed}, trained=trained)

    folders = [on("a", 0, "residual", ""), on("b", 1, "residual", ""), on("c", 0, "clip4cir", "")]
    systems, _ = group(read_results([*folders, on("d", 0, "residual", "fashioniq")])[0])
    assert [(system.name, system.seeds) for system in systems] == [
        (f"{model} (combiner kind=clip4cir)", ("0",)),
        (f"{model} (combiner kind=residual)", ("0", "1")),
        (f"{model} (combiner kind=residual, combiner pairs fashioniq)", ("0",)),
    ]


def test_a_training_below_that_stopped_early_is_noted(many) -> None:
    row = {"model": "cm-ntm", "status": "complete", "below": [{"model": "combiner", "status": "diverged"}]}
    found = as_json(many("a", np.zeros(9), trained=[row]), many("b", np.ones(9)))
    assert "A training stopped early, its own or one below it: a." in found["notes"]


def test_a_training_that_learned_nothing_is_noted(many) -> None:
    def row(kept: int) -> dict[str, Any]:
        return {"model": "lstm", "chosen_on_dev": {"combiner": {"best_epoch": 3}, "lstm": {"best_epoch": kept}}}

    idle, learned = many("a", np.zeros(9), trained=[row(0)]), many("b", np.ones(9), trained=[row(1)])
    notes = [note for note in as_json(idle, learned)["notes"] if "nothing was learned" in note]
    assert notes == [
        "No epoch of a training did better on dev than its start, so nothing was learned in that phase: a."
    ]
    for damaged in (3, {"lstm": 3}, {"lstm": {}}, [], None):
        change(idle, trained=[{"model": "lstm", "chosen_on_dev": damaged}])
        assert not any("nothing was learned" in note for note in as_json(idle, learned)["notes"])


def test_other_seeds_of_a_trained_model_are_to_be_trained_and_of_another_to_be_evaluated(many) -> None:
    one = many("a", np.zeros(9), options={"seed": 0}, trained=[{"model": "a"}])
    notes = as_json(one, many("b", np.ones(9), options={"seed": 0}, trained=[]))["notes"]
    assert [note for note in notes if note.startswith("One seed only")] == [
        "One seed only: b. How much its seed matters is unknown and in no interval; evaluate with --seed 1, --seed 2 "
        "and so on, and compare again.",
        "One seed only: a. How much its seed matters is unknown and in no interval; train with --seed 1, --seed 2 "
        "and so on, evaluate, and compare again.",
    ]


def test_names_from_a_file_cannot_move_the_cursor(many) -> None:
    out = type_in(many("evil", np.zeros(9), model="\x1b[2Jm\r"), many("b", np.ones(9)))
    assert out.exit_code == 0
    assert not {"\x1b", "\r"} & set(out.output)


# What a reader must know


def test_different_proxies_are_compared_with_a_visible_note(many) -> None:
    one, two = many("one", np.zeros(9), proxy="image"), many("two", np.ones(9), proxy="caption")
    out = printed(one, two, many("chance", np.zeros(9), proxy="none"))
    assert "note: Different things stood for the images" in out
    assert "between system and proxy together" in out
    assert "(one: image, two: caption)" in out
    assert "Different things" not in printed(one, many("three", np.ones(9), proxy="image"))


def test_other_captions_and_other_versions_are_noted(many) -> None:
    one = many("one", np.zeros(9), proxy="caption", proxies={"caption": {"sha256": "a"}})
    two = many("two", np.ones(9), proxy="caption", proxies={"caption": {"sha256": "b"}}, library_sha256="0" * 64)
    out = printed(one, two)
    assert "are not the same for all results" in out
    assert "different versions of mtbench" in out


def test_a_table_for_people_shows_scores_differences_and_claims(many) -> None:
    rng = np.random.default_rng(0)
    folders = [
        many(name, rng.random(60) < share, [i // 2 for i in range(60)]) for name, share in (("a", 0.2), ("b", 0.9))
    ]
    out = printed(*folders, "--measure", "R@5")
    record = json.loads((folders[1] / "result.json").read_text())
    assert f"revision {record['revision'][:12]}, test: 60 transactions, 30 clusters; R@5 in %" in out
    assert "system proxy R@5 95% interval" in out
    assert "difference points 95% interval p detectable McNemar R@5" in out
    assert "b - a +" in out and "b is better than a by" in out
    assert "p: 10,000 random sign patterns" in out
    assert "Holm" not in out  # one comparison needs no correction
    assert "McNemar" not in printed(*folders)


def test_many_pairs_that_cannot_be_told_apart_share_a_sentence(many) -> None:
    rng = np.random.default_rng(0)
    out = printed(*(many(name, rng.integers(0, 2, 12)) for name in "abcde"))
    assert "10 pairs cannot be told apart at n = 12: " in out
    assert "--baseline NAME" in out


# What is compared


def test_a_folder_of_results_stands_for_all_in_it_but_the_limited_ones(results: Path) -> None:
    shutil.rmtree(results / "dev")
    found = as_json(results)
    assert [system["name"] for system in found["systems"]].count("random") == 1
    assert len(found["systems"]) == 4
    assert found["notes"][0] == "limited is left out: it ranked only the first 2 transactions (status limited)."


def test_of_a_folder_with_several_splits_one_can_be_chosen(results: Path) -> None:
    assert "dev: on dev, not on test (--split chooses) as" in refused(results)
    found = as_json(results, "--split", "test")
    assert found["split"] == "test"
    assert "dev is left out: it is on dev." in found["notes"]


def test_results_of_different_revisions_are_refused(results: Path) -> None:
    change(results / "backward", revision="f" * 64)
    message = refused(results / "forward", results / "backward")
    record = json.loads((results / "forward" / "result.json").read_text())
    assert f"letters revision ffffffffffff, not letters revision {record['revision'][:12]} as" in message
    assert str(results / "backward") in message and str(results / "forward") in message


def test_other_galleries_and_other_transactions_are_refused(results: Path) -> None:
    change(results / "backward", galleries=[{"category": "dress", "sha256": "0"}])
    assert "ranks another gallery than" in refused(results / "forward", results / "backward")
    change_columns(results / "last-turn", cluster=["dress\ti", "dress\tj", "shirt\ti"])
    assert "3 transactions, which are not the 3 of" in refused(results / "forward", results / "last-turn")


def test_the_order_of_the_rows_of_a_file_plays_no_part(results: Path) -> None:
    before = as_json(results / "forward", results / "backward")
    path = results / "backward" / "transactions.parquet"
    pq.write_table(pq.read_table(path).take([2, 0, 1]), path)
    assert as_json(results / "forward", results / "backward") == before


def test_a_limited_result_that_is_named_is_refused(results: Path) -> None:
    message = refused(results / "forward", results / "limited")
    assert "ranked only the first 2 transactions" in message and "--limit" in message


def test_all_problems_are_told_at_once(results: Path) -> None:
    (results / "empty").mkdir()
    (results / "random-0" / "transactions.parquet").write_bytes(b"PAR1 cut off")
    (results / "random-1" / "transactions.parquet").unlink()
    (results / "backward" / "result.json").write_text('{"model": ')
    change(results / "last-turn", revision="f" * 64)
    names = ("forward", "empty", "random-0", "random-1", "backward", "last-turn", "nowhere", "models.py")
    message = refused(*(results / name for name in names))
    assert message.startswith("mtbench: cannot compare: 7 problems\n")
    assert all(str(results / name) in message for name in names)
    for words in ("no result.json in it", "cannot be read (is it cut off?)", "is not there", "is no result"):
        assert words in message
    assert "there is no such folder" in message and "give the folder of a result" in message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--measure", "R5"], "no measure to compare named 'R5'. Did you mean 'R@5'?"),
        (["--measure", "rank"], "no measure to compare named 'rank'"),
        (
            ["--part", "skirt"],
            "no part named 'skirt'. Did you mean 'shirt'? Known: 2-turns, 3-turns, all, dress, shirt.",
        ),
        (["--baseline", "Ordre"], "no system named 'Ordre'. Did you mean 'Order'?"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(results: Path, options: list[str], message: str) -> None:
    assert message in refused(results / "forward", results / "random-0", *options)


def test_one_system_is_not_enough(results: Path) -> None:
    assert "here is random alone" in refused(results / "random-0", results / "random-1")
    assert "forward is left out: it is on test." in refused(results / "forward", "--split", "dev")


@pytest.mark.parametrize("column", ["transaction_id", *NEW, "mean"])
def test_a_result_without_a_column_is_to_be_evaluated_again(results: Path, column: str) -> None:
    change_columns(results / "backward", **{column: None})
    message = refused(results / "forward", results / "backward")
    assert f"has no column {column}" in message and "evaluate again" in message


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"mean": [1.0, None, 0.0]}, "empty cells"),
        ({"mean": [1.0, float("nan"), 0.0]}, "no number"),
        ({"mean": [1.0, float("inf"), 0.0]}, "no share between 0 and 1"),
        ({"mean": [1.0, 0.0, 1.0]}, "disagree on mean"),
        ({"mean": ["1", "1", "0"]}, "no column mean"),
        ({"turns": [2.0, 3.0, 2.0]}, "no column turns"),
        ({"transaction_id": ["a", "a", "b"]}, "one of them twice"),
        ({"category": [None, None, None]}, "no column category"),
    ],
)
def test_values_that_no_evaluation_writes_are_refused(results: Path, columns: Mapping[str, Any], message: str) -> None:
    change_columns(results / "backward", **columns)
    assert message in refused(results / "forward", results / "backward")


@pytest.mark.parametrize("cut", [0, 4, 100, -4, -1])
def test_a_file_that_was_cut_off_is_refused(results: Path, cut: int) -> None:
    path = results / "backward" / "transactions.parquet"
    path.write_bytes(path.read_bytes()[:cut])
    assert "is it cut off?" in refused(results / "forward", results / "backward")


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", '"x"', "3", "{}", '{"schema_version": 1}', '{"schema_version": 1, "key": 1}', "[" * 99_999],
)
def test_json_of_another_shape_is_refused(results: Path, text: str) -> None:
    (results / "backward" / "result.json").write_text(text)
    assert str(results / "backward") in refused(results / "forward", results / "backward")


def test_no_field_of_any_type_ends_in_a_traceback(results: Path) -> None:
    path = results / "backward" / "result.json"
    record = json.loads(path.read_text())
    junk = (None, 3, -0.5, float("nan"), "x", "\x00", [], [1], {}, {"x": [1]}, [{"category": [], "sha256": {}}], True)
    for name in record:
        for value in junk:
            path.write_text(json.dumps({**record, name: value}))
            try:
                systems, _ = group(read_results([results / "forward", results / "backward"])[0])
                compare(systems, resamples=10)
            except MtbenchError:
                pass


def test_a_damaged_byte_anywhere_in_the_values_never_ends_in_a_traceback(results: Path) -> None:
    path = results / "backward" / "transactions.parquet"
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for position in rng.integers(0, len(whole), 250):
        damaged = bytearray(whole)
        damaged[position] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            systems, _ = group(read_results([results / "forward", results / "backward"])[0])
            compare(systems, resamples=10)
        except MtbenchError:
            pass


def test_an_evaluation_writes_what_a_comparison_needs(results: Path) -> None:
    table = pq.read_table(results / "forward" / "transactions.parquet").to_pydict()
    assert [table[name] for name in NEW] == [
        ["dress", "dress", "shirt"],
        ["dress\ti", "dress\tj", "shirt\ts"],
        [2, 3, 2],
    ]
