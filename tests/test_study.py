"""What evaluators are given: any history ranked once, parts that agree with the whole, and files of rankings."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from letters import MODELS, build_letters
from tiny import CAPTIONS, TRANSACTIONS, write_tiny_benchmark

from mtbench.cli.tables import result_table
from mtbench.core.errors import MtbenchError
from mtbench.core.types import History
from mtbench.data.benchmark import Benchmark
from mtbench.evaluation.cells import cell, cells, excerpt, hits
from mtbench.evaluation.evaluate import evaluate
from mtbench.evaluation.inputs import Settings
from mtbench.evaluation.ranked_file import RankedFile
from mtbench.evaluation.ranker import Ranker
from mtbench.evaluation.ranking import rank_scores
from mtbench.evaluation.runs import Ranking, write_run
from mtbench.evaluation.scoring import score_run
from mtbench.evaluation.study import NotAvailableError, Study
from mtbench.models.protocol import BLANK, Catalogue

GALLERY = "abcdefghij"


class Wanted:
    """Scores the letter that a feedback ends on 1, all others 0, summed over the turns; counts its histories."""

    def __init__(self) -> None:
        self.seen: list[History] = []

    def score(self, histories: list[History], image_ids: list[str], catalogue: Catalogue) -> np.ndarray:
        self.seen += histories
        return np.array(
            [[sum(text[-1:] == image for text in h.feedback) for image in image_ids] for h in histories], np.float32
        )


class Angles:
    """An embedding model: letters on a circle, a history at its last reference, and as long as its alphabet place."""

    similarity = "cosine"

    def embed_images(self, image_ids: Any, catalogue: Catalogue) -> np.ndarray:
        angles = np.array([ord(image) - ord("a") for image in image_ids]) / 26
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)

    def embed_histories(self, histories: Any, catalogue: Catalogue) -> np.ndarray:
        length = np.array([[ord(h.references[-1])] for h in histories])
        return length * self.embed_images([h.references[-1] for h in histories], catalogue)


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return build_letters(tmp_path_factory.mktemp("letters"))


def study_of(model: Any, benchmark: Benchmark, **options: Any) -> Study:
    transactions = benchmark.transactions("test")
    galleries = {t.category: benchmark.gallery("test", t.category) for t in transactions}
    ranker = Ranker(model, galleries, Catalogue(benchmark.images), depth=5)
    return Study(ranker, benchmark, "test", transactions, **options)


# One engine


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_several_targets_of_a_query_stand_where_each_would_stand_alone(data: st.DataObject) -> None:
    n, g = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 6))
    block = np.array(data.draw(st.lists(st.lists(st.integers(0, 3), min_size=g, max_size=g), min_size=n, max_size=n)))
    lists = data.draw(st.lists(st.lists(st.integers(-1, g - 1), max_size=4), min_size=n, max_size=n))
    shown = data.draw(st.lists(st.lists(st.integers(-1, g - 1), max_size=3), min_size=n, max_size=n))
    rows = np.repeat(np.arange(n), [len(each) for each in lists])
    targets = np.array([target for each in lists for target in each], dtype=np.int64)
    found = rank_scores(lambda where: block[where], n, g, targets, rows=rows, shown=shown, depth=2, block_bytes=40)
    for i, (row, target) in enumerate(zip(rows.tolist(), targets.tolist(), strict=True)):
        alone = rank_scores(lambda _, row=row: block[[row]], 1, g, np.array([target]), shown=[shown[row]], depth=2)
        for name in ("greater", "equal", "greater_excluded", "equal_excluded", "candidates", "candidates_excluded"):
            assert getattr(found, name)[i] == getattr(alone, name)[0], name
        assert found.top is not None and alone.top is not None
        assert found.top[row].tolist() == alone.top[0].tolist()


def test_targets_of_queries_out_of_order_are_refused() -> None:
    with pytest.raises(MtbenchError, match=r"rows must be queries 0 \.\. 1, ascending"):
        rank_scores(lambda where: np.zeros((2, 3)), 2, 3, np.array([0, 1]), rows=np.array([1, 0]))


def test_several_histories_are_ranked_by_the_mean_of_their_scores(letters: Benchmark) -> None:
    study = study_of(Wanted(), letters)
    one, two = (History("dress", ("g",), (f"is {letter}",)) for letter in "ab")
    # a and b have 1/2 each, the eight others 0; a weight of the longer history would break the tie.
    found = study.positions_of([(one, two), (one, two), (one, one, two)], ["a", "c", "b"])
    assert found.greater.tolist() == [0, 2, 1]
    assert found.equal.tolist() == [2, 8, 1]


def test_several_vectors_count_the_same_whatever_their_length(letters: Benchmark) -> None:
    study = study_of(Angles(), letters)
    b, f = (History("dress", (letter,), ("x",)) for letter in "bf")
    # Half way between b and f lies d. f is longer than b, and would pull the unnormalised mean to its side.
    assert study.heads_of([(b, f)], 3)[0][0] == "d"
    angle = lambda letter: (ord(letter) - ord("a")) / 26  # noqa: E731
    mean = (angle("b") + angle("f")) / 2
    nearest = sorted(GALLERY, key=lambda letter: (abs(angle(letter) - mean), letter))
    assert set(study.heads_of([(b, f)], 5)[0]) == set(nearest[:5])


def test_whatever_was_ranked_once_is_not_ranked_again(letters: Benchmark) -> None:
    model = Wanted()
    study = study_of(model, letters)
    last = [history.last(1) for history in study.histories]
    first = study.positions_of(last, study.targets)
    assert len(model.seen) == 3 + 3  # the headline goes first
    again = study.part([2, 0]).positions_of([last[2], last[0]], [study.targets[2], study.targets[0]])
    assert again.greater.tolist() == first.greater[[2, 0]].tolist()
    assert study.heads_of(study.histories, 5) == study.part([0, 1, 2]).heads_of(study.histories, 5)
    assert len(model.seen) == 6
    study.heads_of(study.histories, 6)  # longer than what was kept
    assert len(model.seen) == 9
    study.heads_of(study.histories, 500)  # galleries of 10 and 9 have no more
    study.heads_of(study.histories, 100)
    assert len(model.seen) == 12


def test_an_image_that_no_gallery_has_is_a_miss(letters: Benchmark) -> None:
    study = study_of(Wanted(), letters)
    found = study.positions_of(study.histories, ["nowhere"] * 3)
    assert found.equal.tolist() == [0, 0, 0]


def test_a_part_has_the_positions_of_the_whole(letters: Benchmark) -> None:
    study = study_of(Wanted(), letters, seed=3)
    part = study.part(np.array([2, 1]))
    assert part.whole is study
    assert (part.seed, part.targets, part.turns.tolist()) == (3, [study.targets[2], study.targets[1]], [2, 3])
    assert part.positions.greater.tolist() == study.positions.greater[[2, 1]].tolist()
    assert part.excluded.candidates.tolist() == study.excluded.candidates[[2, 1]].tolist()


def test_a_row_has_labels_then_n_then_measures_with_intervals(letters: Benchmark) -> None:
    study = study_of(Wanted(), letters)
    values = {"R@5": np.array([1.0, 0.0, 1.0])}
    macro = cell(study, values, turns="any")
    assert list(macro) == ["turns", "n", "clusters", "R@5", "R@5 interval"]
    assert (macro["n"], macro["clusters"], macro["R@5"]) == (3, 3, 0.75)  # dresses 1/2, shirts 1
    assert cell(study, values, pooled=True)["R@5"] == pytest.approx(2 / 3)
    assert cell(study, {"R@5": values["R@5"][:2]}, np.array([0, 1]))["R@5"] == 0.5
    assert cell(study, {"R@5": np.empty(0)}, np.empty(0, int), turns=9) == {"turns": 9, "n": 0, "clusters": 0}
    assert set(hits(study.positions)) == {"R@5", "R@8", "mean"}


def test_rows_about_the_same_transactions_are_those_of_a_cell_each(letters: Benchmark) -> None:
    study, rows = study_of(Wanted(), letters), np.array([0, 2])
    rng = np.random.default_rng(0)
    found = [({"name": name}, {"R@5": rng.random(2), "gain": rng.random(2)}) for name in "xy"]
    for pooled in (False, True):
        assert cells(study, found, rows, pooled=pooled) == [
            cell(study, values, rows, pooled=pooled, **labels) for labels, values in found
        ]
    assert cells(study, found, rows[:0]) == []
    row = cell(study, {"R@5": np.ones(3), "gain": np.zeros(3)}, last=1)
    assert excerpt(row, "gain", "no such") == {"n": 3, "clusters": 3, "gain": 0.0, "gain interval": [0.0, 0.0]}


def test_what_is_measured_once_is_measured_of_the_whole_and_looked_up_for_parts(letters: Benchmark) -> None:
    study, seen = study_of(Wanted(), letters), []

    def measure(whole: Study) -> int:
        seen.append(whole)
        return len(whole)

    part = study.part([2, 0])
    assert (part.once(measure), part.part([1]).once(measure), study.once(measure)) == (3, 3, 3)
    assert seen == [study]
    assert (part.rows.tolist(), part.part([1]).rows.tolist()) == ([2, 0], [0])
    assert [(n, rows.tolist()) for n, rows in study.by_turns()] == [(2, [0, 2]), (3, [1])]
    assert [(n, rows.tolist()) for n, rows in part.by_turns(least=3)] == []


def test_the_blank_image_and_the_empty_text_are_zero_and_have_no_words(letters: Benchmark) -> None:
    class Ones:
        proxy, reads_text = "caption", True

        def images(self, ids: list[str]) -> np.ndarray:
            assert BLANK not in ids
            return np.ones((len(ids), 2), np.float32)

        texts = images

        def describe(self) -> dict[str, Any]:
            return {}

    catalogue = Catalogue(letters.images, features=Ones)
    assert catalogue.image_features(["a", BLANK, "b"]).tolist() == [[1, 1], [0, 0], [1, 1]]
    assert catalogue.text_features(["", ""]).tolist() == [[0, 0], [0, 0]]  # type: ignore[union-attr]
    assert catalogue.text(BLANK) == "" and catalogue.image(BLANK).caption is None


# A file of rankings


@pytest.fixture
def run(letters: Benchmark, tmp_path: Path) -> Path:
    """g h i: i ties with h behind g. g h i j: the target j is not listed. The shirts are not ranked at all."""
    first, second = (t.transaction_id for t in letters.transactions("test")[:2])
    listed = [
        Ranking(first, list("ghiabcdef"), np.array([9, 8, 8, 5, 4, 3, 2, 1, 0], np.float32)),
        Ranking(second, list("abcdefgh"), np.arange(8, 0, -1, dtype=np.float32)),
    ]
    write_run(tmp_path / "own.parquet", listed)
    return tmp_path / "own.parquet"


def test_a_file_of_rankings_has_the_positions_that_its_score_has(letters: Benchmark, run: Path) -> None:
    study = Study(RankedFile(run, letters, "test"), letters, "test", letters.transactions("test"))
    score = score_run(run, letters)
    for found, expected in ((study.positions, score.positions), (study.excluded, score.excluded)):
        assert found.greater.tolist() == expected.greater.tolist()
        assert found.equal.tolist() == expected.equal.tolist()
        assert found.candidates.tolist() == expected.candidates.tolist()
    assert study.positions.greater.tolist() == [1, 10, 9]
    assert study.positions.equal.tolist() == [2, 0, 0]
    assert study.heads_of(study.histories, 3) == [["g", "h", "i"], ["a", "b", "c"], []]
    assert study.positions_of(study.histories[:2], ["a", "h"]).greater.tolist() == [3, 7]
    with pytest.raises(NotAvailableError, match="needs rankings of other histories"):
        study.positions_of([study.histories[0].last(1)], ["a"])
    with pytest.raises(NotAvailableError, match="needs a model"):
        _ = study.model


def test_transactions_of_one_history_keep_the_list_that_each_was_given(letters: Benchmark, tmp_path: Path) -> None:
    twice = [*letters.transactions("test"), replace(letters.transactions("test")[0], transaction_id="dress.test.9000")]
    parts = {"test": twice}
    images = {"test": {i: None for g in letters.galleries.values() for i in g.image_ids}}
    same = write_tiny_benchmark(
        tmp_path / "same", transactions={"test": [t for t in twice if t.category == "dress"]}, captions=images
    )
    first, last = parts["test"][0], parts["test"][-1]
    lists = [Ranking(first.transaction_id, list("abcdefghi"), -np.arange(9, dtype=np.float32))]
    lists.append(Ranking(last.transaction_id, list("ihgfedcba"), -np.arange(9, dtype=np.float32)))
    write_run(tmp_path / "run.parquet", lists)
    file = RankedFile(tmp_path / "run.parquet", same, "test")
    study = Study(file, same, "test", same.transactions("test"))
    assert study.positions.greater.tolist() == score_run(tmp_path / "run.parquet", same).positions.greater.tolist()
    assert study.positions.greater[[0, -1]].tolist() == [8, 0]  # the target is i
    assert study.heads_of(study.histories, 1)[0] == study.heads_of(study.histories, 1)[-1] == ["a"]  # the first has it


def test_scores_that_tie_as_float32_only_are_written_so_that_they_do_not(letters: Benchmark, tmp_path: Path) -> None:
    name = letters.transactions("test")[0].transaction_id
    for scores in ([2 - 1e-10 * i for i in range(9)], [1e300 / (i + 1) for i in range(9)]):
        rows = [{"transaction_id": name, "ranking": list("abcdefghi"), "scores": scores}]
        (tmp_path / "run.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        record = evaluate(str(tmp_path / "run.jsonl"), letters, tmp_path / "results")
        (folder,) = (tmp_path / "results").glob(f"run-{record['key'][:8]}")
        assert record["measures"]["R@8"] == score_run(folder / "run.parquet", letters).to_dict()["measures"]["R@8"]
        assert record["run"] == {"missing": 2, "cut_ties": 0}


def test_a_run_of_whole_galleries_that_misses_most_has_no_median_rank(letters: Benchmark, tmp_path: Path) -> None:
    row = {"transaction_id": letters.transactions("test")[0].transaction_id, "ranking": list(GALLERY)}
    (tmp_path / "few.jsonl").write_text(json.dumps(row), encoding="utf-8")
    record = evaluate(str(tmp_path / "few.jsonl"), letters, tmp_path / "results")
    assert record["measures"]["rank"] is None  # two of three are misses
    assert "2 transactions are not in the run" in result_table([record])


def test_what_lists_are_too_short_for_without_the_images_shown_is_not_reported(
    letters: Benchmark, tmp_path: Path
) -> None:
    rows = [
        {"transaction_id": t.transaction_id, "ranking": list(letters.gallery("test", t.category).image_ids[:8])}
        for t in letters.transactions("test")
    ]
    (tmp_path / "eight.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    record = evaluate(str(tmp_path / "eight.jsonl"), letters, tmp_path / "results")
    told = score_run(tmp_path / "eight.jsonl", letters).not_available_excluded
    assert "R@8" in told and not set(record["own_references_excluded"]) & set(told)
    assert "R@8" in record["measures"]


def test_a_run_written_by_a_model_is_evaluated_as_the_model_was(letters: Benchmark, tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text(MODELS, encoding="utf-8")
    order = evaluate(f"{tmp_path / 'models.py'}:Order", letters, tmp_path / "results")
    (folder,) = (tmp_path / "results").glob("Order-*")
    for name in ("run.parquet", "run.trec.gz"):
        found = evaluate(str(folder / name), letters, tmp_path / "again")
        for part in ("measures", "intervals", "by_turns", "by_category", "own_references_excluded"):
            assert found[part] == order[part], part
        assert (found["model"], found["proxy"]) == (name, "not told")


def test_a_run_of_others_gets_what_final_rankings_are_enough_for(letters: Benchmark, run: Path, tmp_path: Path) -> None:
    asks = tmp_path / "asks.py"
    asks.write_text(
        "class Last:\n    def run(self, study):\n"
        "        study.positions_of([h.last(1) for h in study.histories], study.targets)\n"
    )
    with pytest.raises(MtbenchError, match=r"own.parquet: the evaluator '.*asks.py:Last' needs rankings of other"):
        evaluate(str(run), letters, tmp_path / "results", Settings(evaluators=[f"{asks}:Last"]))
    assert not list((tmp_path / "results").glob("*"))
    found = evaluate(str(run), letters, tmp_path / "results", Settings(evaluators=["all"]))
    assert set(found["measures"]) == {"R@5", "R@8", "mean"}  # the rest needs whole galleries
    assert "needs rankings of other histories" in found["studies"]["trajectory"]["not_available"]


def test_a_run_that_is_too_short_or_given_options_is_refused(letters: Benchmark, run: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.parquet"
    write_run(short, [Ranking(letters.transactions("test")[0].transaction_id, ["g"], np.ones(1, np.float32))])
    with pytest.raises(MtbenchError, match=r"short.parquet: R@5 needs 5 candidates"):
        evaluate(str(short), letters, tmp_path / "results")
    with pytest.raises(MtbenchError, match="has no options such as alpha"):
        evaluate(str(run), letters, tmp_path / "results", Settings(options={"alpha": "1"}))
    with pytest.raises(MtbenchError, match=r"nowhere.trec does not exist"):
        evaluate(str(tmp_path / "nowhere.trec"), letters, tmp_path / "results")


# Evaluations of parts, and of plugins that fail


def test_clean_and_leaked_transactions_are_studied_side_by_side(tmp_path: Path) -> None:
    known = replace(TRANSACTIONS["train"][0], transaction_id="dress.test.0001")
    parts = {**TRANSACTIONS, "test": [*TRANSACTIONS["test"], known]}
    captions = {**CAPTIONS, "test": {**CAPTIONS["test"], **CAPTIONS["train"]}}
    leaking = write_tiny_benchmark(tmp_path / "leaking", transactions=parts, captions=captions)
    study = tmp_path / "asks.py"
    study.write_text(
        "class Ids:\n    def run(self, study):\n"
        "        return {'ids': [t.transaction_id for t in study.transactions]}\n"
        "class Once(Ids):\n    parts = False\n"
    )
    names = [f"{study}:Ids", f"{study}:Once"]
    record = evaluate("lookup", leaking, tmp_path / "results", Settings(evaluators=names))
    both = ["dress.test.0000", "dress.test.0001"]
    assert record["studies"][names[0]] == {"ids": both, "clean": {"ids": both[:1]}, "leaked": {"ids": both[1:]}}
    assert record["studies"][names[1]] == {"ids": both}
    assert (record["n"], record["clean"]["n"], record["leaked"]["n"]) == (2, 1, 1)
    assert record["leaked"]["measures"]["MRR"] == 1  # looked up
    assert "clean" not in evaluate("lookup", leaking, tmp_path / "results", Settings(split="dev"))
    with pytest.raises(MtbenchError, match=r"no kind of leak named 'egde'. Did you mean 'edge'"):
        evaluate("lookup", leaking, tmp_path / "results", Settings(clean="egde"))


@pytest.mark.parametrize(
    ("line", "what"), [("return 1 / 0", "ZeroDivisionError: division by zero"), ("raise SystemExit", "SystemExit")]
)
def test_an_exception_in_somebodys_model_is_one_line_with_its_place(
    letters: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.py").write_text(f"class Bad:\n    def score(self, h, i, c):\n        {line}\n")
    for name in ("bad.py:Bad", f"{tmp_path / 'bad.py'}:Bad"):
        with pytest.raises(MtbenchError, match=rf"Bad: {what} \(.*bad.py, line 3, in score\)"):
            evaluate(name, letters, tmp_path / "results")
