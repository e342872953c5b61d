"""Leaderboards: what they compute is what the evaluation computes, from sealed answers and the ranking alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from boards import META, SIZES, copy_of, open_beads, random_lists, submit, write_beads, write_trec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from letters import build_letters

from mtbench.core.errors import MtbenchError
from mtbench.core.files import file_sha256
from mtbench.data.benchmark import Benchmark
from mtbench.evaluation.comparison.significance import all_pairs, paired_randomisation
from mtbench.evaluation.evaluators.known_queries import KnownQueries
from mtbench.evaluation.measures import macro, per_transaction
from mtbench.evaluation.ranked_file import RankedFile
from mtbench.evaluation.scoring import score_run
from mtbench.evaluation.statistics import bootstrap
from mtbench.evaluation.study import Study
from mtbench.leaderboard.board import MEASURES, Board, boards, read_board
from mtbench.leaderboard.opening import Opening, open_board
from mtbench.leaderboard.recompute import Recomputed, differences, recompute
from mtbench.leaderboard.run_file import Run, read_run_file, take_in
from mtbench.leaderboard.similar import alike, heads_of, undeclared
from mtbench.leaderboard.standings import place, standings
from mtbench.leaderboard.submission import scores_text
from mtbench.leaderboard.verify import verify

Lists = Mapping[str, Sequence[tuple[str, float]]]


@pytest.fixture(scope="module")
def beads(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return write_beads(tmp_path_factory.mktemp("beads") / "beads")


@pytest.fixture(scope="module")
def board(beads: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> Board:
    return open_beads(tmp_path_factory.mktemp("board"), beads)


def rank(board: Board, lists: Lists, folder: Path) -> Recomputed:
    return recompute(take_in(write_trec(folder / "run.trec", lists), board), board)


# What is recomputed


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), scores=st.sampled_from([3, 9, 40, 10_000]))
def test_every_measure_of_whole_rankings_is_that_of_the_evaluation(
    board: Board, beads: Benchmark, tmp_path: Path, seed: int, scores: int
) -> None:
    lists = random_lists(beads, seed, scores=scores)
    found = rank(board, lists, tmp_path)
    wanted = score_run(tmp_path / "run.trec", beads, measures=MEASURES)
    values = wanted.values()
    for name in MEASURES:
        # A tie group that is cut off after a thousand candidates has none here: galleries have 70.
        np.testing.assert_allclose(found.values[name], values[name], atol=1e-12)
    aggregates = found.scores()
    assert aggregates["measures"] == pytest.approx(wanted.to_dict()["measures"], abs=6e-7)
    own = wanted.to_dict()["own_references_excluded"]["measures"]
    assert aggregates["own_references_excluded"] == pytest.approx(own, abs=6e-7)
    by_category = {name: part["measures"] for name, part in aggregates["by_category"].items()}
    for name, part in wanted.to_dict()["by_category"].items():
        assert by_category[name] == pytest.approx(part["measures"], abs=6e-7)


def test_intervals_are_those_of_the_bootstrap_over_the_clusters_of_the_evaluation(
    board: Board, beads: Benchmark, tmp_path: Path
) -> None:
    found = rank(board, random_lists(beads, 3), tmp_path).scores()
    study = Study(RankedFile(tmp_path / "run.trec", beads, "test"), beads, "test", beads.transactions("test"))
    values = score_run(tmp_path / "run.trec", beads, measures=MEASURES).values()
    table = np.column_stack([values[name] for name in MEASURES])
    groups = [t.category for t in beads.transactions("test")]
    wanted = bootstrap(table, study.clusters, groups=groups)
    assert found["clusters"] == wanted.n_clusters < len(board.sealed)
    for name, low, high in zip(MEASURES, wanted.low, wanted.high, strict=True):
        assert found["intervals"][name] == pytest.approx([low, high], abs=6e-7)
        assert low < high or name == "R@1"
    clean = np.array([not leak["edge"] for leak in beads.leaks("test")])
    assert 0 < clean.sum() < len(clean)
    for part, of_part in (("clean", clean), ("leaked", ~clean)):
        chosen = [label for label, use in zip(groups, of_part, strict=True) if use]
        mean = macro("mean", values["mean"][of_part], np.array(chosen, dtype=object))
        assert found[part]["measures"]["mean"] == pytest.approx(mean, abs=6e-7)
        assert found[part]["n"] == of_part.sum()
    lengths = np.array([len(t.turns) for t in beads.transactions("test")])
    for n, part in found["by_turns"].items():
        assert part["measures"]["R@10"] == pytest.approx(values["R@10"][lengths == int(n)].mean(), abs=6e-7)


def test_known_queries_are_counted_as_the_evaluator_counts_them(board: Board, beads: Benchmark, tmp_path: Path) -> None:
    for seed in range(4):
        found = rank(board, random_lists(beads, seed), tmp_path)
        study = Study(RankedFile(tmp_path / "run.trec", beads, "test"), beads, "test", beads.transactions("test"))
        wanted = KnownQueries(study).first
        np.testing.assert_array_equal(found.known[:, :, :2], wanted[:, :, :2])
        # A sealed board does not know which targets are known queries: one of some seventy images.
        np.testing.assert_allclose(found.known[:, :, 2].sum(axis=0), wanted[:, :, 2].sum(axis=0), rtol=0.03)
        assert found.suspicious == []


def test_striking_known_queries_is_suspicious(board: Board, beads: Benchmark, tmp_path: Path) -> None:
    known = {turn.reference for t in beads.transactions("test") for turn in t.turns}
    lists = {
        name: [(image, -place) for place, (image, _) in enumerate(sorted(listed, key=lambda row: row[0] in known))]
        for name, listed in random_lists(beads, 0).items()
    }
    found = rank(board, lists, tmp_path)
    assert len(found.suspicious) == 3
    with pytest.raises(MtbenchError, match="images that are known as queries seem to be left out"):
        submit(board, tmp_path / "run.trec", "struck")
    assert not (board.submissions / "struck").exists()


# Ties that the end of a list cuts off


def of_one(board: Board, lists: Mapping[str, list[str]], steps: Sequence[int]) -> Run:
    """All transactions with the same steps."""
    images = [image for name in board.sealed.ids for image in lists[name]]
    n = len(board.sealed)
    return Run(np.array(images, dtype=object), np.tile(np.array(steps), n), np.arange(1, n + 1) * len(steps))


def test_a_tie_that_the_list_cuts_off_is_one_with_everything_that_is_not_listed(board: Board, beads: Benchmark) -> None:
    # Three beads above, then the target, a tie of seven that the list of ten cuts off. Of 70 round beads 60 are not
    # listed: the target is at one of the places 4 to 70, so that R@5 is 2/67, R@8 is 5/67 and R@10 is 7/67. Of 55
    # square ones 45 are not listed: 2/52, 5/52, 7/52.
    lists = {}
    for t in beads.transactions("test"):
        others = [image for image in beads.gallery("test", t.category).image_ids if image != t.target]
        lists[t.transaction_id] = [*others[:3], t.target, *others[3:9]]
    found = recompute(of_one(board, lists, [0, -1, -2, *[-3] * 7]), board)
    size = np.array([SIZES[t.category] for t in beads.transactions("test")])
    assert found.positions.greater.tolist() == [3] * 48
    assert found.positions.equal.tolist() == (size - 3).tolist()
    for name, places in (("R@1", 0), ("R@5", 2), ("R@8", 5), ("R@10", 7)):
        np.testing.assert_allclose(found.values[name], places / (size - 3))
    last = recompute(of_one(board, lists, [0, -1, -2, *[-3] * 6, -4]), board)  # the tie of six ends in the list
    assert last.positions.equal.tolist() == [6] * 48


def test_a_target_that_is_not_listed_is_a_miss(board: Board, beads: Benchmark) -> None:
    lists = {
        t.transaction_id: [i for i in beads.gallery("test", t.category).image_ids if i != t.target][:50]
        for t in beads.transactions("test")
    }
    found = recompute(of_one(board, lists, [0] * 50), board)
    assert all(not values.any() for values in found.values.values())
    assert set(found.scores()["above"]) == {-1}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), scores=st.sampled_from([1, 2, 4, 30]), depth=st.integers(11, 54))
def test_nobody_gains_by_listing_less(board: Board, beads: Benchmark, seed: int, scores: int, depth: int) -> None:
    lists = random_lists(beads, seed, scores=scores)
    means = []
    for longest in (depth, 70):
        images: list[str] = []
        steps: list[int] = []
        ends: list[int] = []
        for name in board.sealed.ids:
            listed = lists[name][:longest]
            images += [image for image, _ in listed]
            fell = np.diff([score for _, score in listed], prepend=listed[0][1]) < 0
            steps += (-np.cumsum(fell)).tolist()
            ends.append(len(images))
        run = Run(np.array(images, dtype=object), np.array(steps), np.array(ends))
        means.append(recompute(run, board).values)
    for name in MEASURES:
        assert (means[0][name] <= means[1][name] + 1e-12).all()


def test_a_run_is_cut_where_no_measure_looks_and_no_tie_of_the_first_ten_is_torn(
    board: Board, beads: Benchmark, tmp_path: Path
) -> None:
    lists = {}
    for t in beads.transactions("test"):
        images = beads.gallery("test", t.category).image_ids
        tied = 60 if t.category == "round" else 0  # from the sixth place on
        lists[t.transaction_id] = [(i, -min(n, 5) if n < 5 + tied else -n) for n, i in enumerate(images)]
    whole = write_trec(tmp_path / "run.trec", lists)
    run = take_in(whole, board)
    assert sorted(set(run.depths.tolist())) == [50, 66]  # the tie, and one image that tells that it ends
    for row, name in enumerate(board.sealed.ids):
        assert run.of(row) == [image for image, _ in lists[name]][: run.depths[row]]
    scored = score_run(whole, beads, measures=MEASURES).values()
    for name, values in recompute(run, board).values.items():
        assert values == pytest.approx(scored[name])


# Files


def as_jsonl(path: Path, lists: Lists) -> Path:
    path.write_text(
        "".join(
            json.dumps({"transaction_id": n, "ranking": [i for i, _ in row], "scores": [s for _, s in row]}) + "\n"
            for n, row in reversed(list(lists.items()))
        )
    )
    return path


def as_parquet(path: Path, lists: Lists) -> Path:
    rows = [{"transaction_id": n, "image_id": i, "score": s} for n, listed in lists.items() for i, s in listed]
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def test_a_run_gives_the_same_submission_from_every_format_and_every_time(
    board: Board, beads: Benchmark, tmp_path: Path
) -> None:
    lists = {n: [(i, 2 * s) for i, s in row] for n, row in random_lists(beads, 7, scores=30).items()}
    made = []
    for i, (write, suffix) in enumerate(
        [(write_trec, "trec"), (as_parquet, "parquet"), (as_jsonl, "jsonl"), (write_trec, "txt")]
    ):
        own = copy_of(board, tmp_path / str(i))
        folder = submit(own, write(tmp_path / f"run.{suffix}", lists), "made")
        made.append({path.name: path.read_bytes() for path in sorted(folder.iterdir())})
    assert list(made[0]) == ["run.parquet", "scores.json", "submission.toml"]
    assert made[0] == made[1] == made[2] == made[3]


def test_what_is_written_reads_back_and_scores_the_same(board: Board, beads: Benchmark, tmp_path: Path) -> None:
    own = copy_of(board, tmp_path)
    run = take_in(write_trec(tmp_path / "run.trec", random_lists(beads, 11, scores=20)), own)
    folder = submit(own, tmp_path / "run.trec", "made")
    back = read_run_file(folder / "run.parquet", own)
    assert back.images.tolist() == run.images.tolist()
    assert back.steps.tolist() == run.steps.tolist()
    assert back.ends.tolist() == run.ends.tolist()
    assert (folder / "scores.json").read_text() == scores_text(recompute(back, own).scores())


def test_a_submission_is_never_edited_in_place(board: Board, beads: Benchmark, tmp_path: Path) -> None:
    own = copy_of(board, tmp_path)
    before = (own.submissions / "a-0" / "scores.json").read_bytes()
    with pytest.raises(MtbenchError, match="never edited in place"):
        submit(own, write_trec(tmp_path / "run.trec", random_lists(beads, 5)), "a-0")
    assert (own.submissions / "a-0" / "scores.json").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda lists: lists.pop("round.test.0000"), "1 transactions have no ranking: round.test.0000"),
        (lambda lists: lists.update({"x": [("r000", 1.0)]}), r"1 transactions: not on the board beads: x \(line"),
        (lambda lists: lists["round.test.0000"].__setitem__(0, ("s000", 1e6)), "not in the gallery"),
        (lambda lists: lists.update({"round.test.0000": lists["round.test.0000"][:49]}), "fewer than 50 candidates"),
        (lambda lists: lists["round.test.0000"].append(lists["round.test.0000"][3]), "twice|a second time"),
        (lambda lists: lists["round.test.0000"].reverse(), "1 rankings have ranks that contradict the scores"),
        (lambda lists: lists.update({k: [(i, 0.0) for i, _ in v] for k, v in lists.items()}), "are all the same"),
    ],
)
def test_what_is_wrong_with_a_run_is_told_before_anything_is_written(
    board: Board, beads: Benchmark, tmp_path: Path, change: Any, reason: str
) -> None:
    lists = random_lists(beads, 5, scores=1_000_000)
    change(lists)
    with pytest.raises(MtbenchError, match=reason):
        submit(board, write_trec(tmp_path / "run.trec", lists), "made")
    assert not (board.submissions / "made").exists()


# What is stated against what is found


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where numbers are in a value of JSON."""
    if isinstance(value, (dict, list)):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        return [found for key, one in inner for found in places(one, (*path, key))]
    return [path] if isinstance(value, (int, float)) and not isinstance(value, bool) else []


def test_a_millionth_is_found_wherever_it_is_changed(board: Board) -> None:
    stated = json.loads((board.submissions / "a-0" / "scores.json").read_text())
    found = recompute(read_run_file(board.submissions / "a-0" / "run.parquet", board), board).scores()
    assert differences(stated, found) == []
    everywhere = places(stated)
    assert len(everywhere) > 200
    for path in everywhere:
        changed = json.loads(json.dumps(stated))
        inner = changed
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] += 1e-6
        (told,) = differences(changed, found)
        assert told.startswith(".".join(key for key in path if isinstance(key, str)))
    assert differences({**stated, "more": None}, found) == ["more is None, but the run gives nothing"]
    del stated["n"]
    assert differences(stated, found) == ["n is nothing, but the run gives 48"]


def test_a_claim_is_held_to_the_digits_that_it_has(board: Board, beads: Benchmark, tmp_path: Path) -> None:
    lists = random_lists(beads, 21)
    value = rank(board, lists, tmp_path).headline["R@10"]
    own = copy_of(board, tmp_path)
    submit(own, tmp_path / "run.trec", "rounded", claims={"R@10": round(value, 3)})
    submit(own, tmp_path / "run.trec", "exact", claims={"R@10": value + 1e-9})
    for name, claim in (("high", value + 0.001), ("near", round(value, 6) + 0.000002)):
        with pytest.raises(MtbenchError, match=r"claims.R@10: .* is claimed, but the ranking gives"):
            submit(own, tmp_path / "run.trec", name, claims={"R@10": claim})


# Runs that are alike


def test_runs_that_share_almost_all_first_images_are_alike_in_whatever_order() -> None:
    def run(*lists: str) -> Run:
        images = [image for listed in lists for image in listed]
        ends = np.cumsum([len(listed) for listed in lists])
        return Run(np.array(images, dtype=object), np.zeros(len(images), np.int64), ends)

    one = run("abcdefghij" + "xyz", "ABCDEFGHIJ")
    same = run("jihgfedcba" + "uvw", "JIHGFEDCBA")  # what comes after the tenth plays no part
    near = run("abcdefghik", "ABCDEFGHIJ")  # 19 of 20
    far = run("abcdefghlm", "ABCDEFGHIJ")  # 18 of 20
    other = run("ABCDEFGHIJ", "abcdefghij")  # the same images of other transactions
    heads = {"one": one, "same": same, "near": near, "far": far, "other": other}
    found = alike({name: heads_of(made) for name, made in heads.items()})
    assert sorted(found) == [("one", "near", 0.95), ("same", "near", 0.95), ("same", "one", 1.0)]
    assert alike({"one": heads_of(one)}) == []
    assert undeclared(found, {}) == found
    assert undeclared(found, {"same": "near", "one": "near"}) == []  # two variants of a third
    assert undeclared(found, {"same": "one"}) == [row for row in found if "near" in row]


# Significance and ranks


def systems(seed: int = 0, n: int = 90, k: int = 4) -> tuple[np.ndarray, list[str], list[str]]:
    rng = np.random.default_rng(seed)
    values = rng.random((n, k)) + np.array([0, 0, 0.1, 0.4])[:k]
    return values, [f"c{i // 2}" for i in range(n)], [f"g{i % 2}" for i in range(n)]


def test_all_pairs_agree_with_each_pair_by_itself_and_are_symmetric() -> None:
    values, clusters, groups = systems()
    found = all_pairs(values, clusters, groups=groups, patterns=20_000)
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_array_equal(np.diag(found), 1)
    for i, j in product(range(4), repeat=2):
        if i != j:
            one = paired_randomisation(values[:, i] - values[:, j], clusters, groups=groups, resamples=20_000, seed=5)
            error = 4 * (2 * max(one.p[0], 1e-4) / 20_000) ** 0.5
            assert abs(found[i, j] - one.p[0]) < error
    assert found[0, 3] < 1e-3 < 0.1 < found[0, 1]


def test_all_pairs_of_four_clusters_by_hand() -> None:
    # Differences of one in each of four clusters: of 16 sign patterns two are as far from 0, so that p is 1/8. The
    # third system differs from the first in one cluster alone: every pattern is as far, and p is 1.
    values = np.array([[1.0, 0, 1], [1, 0, 1], [1, 0, 1], [1, 0, 0]])
    found = all_pairs(values, ["a", "b", "c", "d"], patterns=40_000)
    assert found[0, 1] == pytest.approx(1 / 8, abs=0.008)
    assert found[0, 2] == 1
    assert found[1, 2] == pytest.approx(1 / 4, abs=0.01)  # three clusters: two of eight


def test_equal_systems_share_a_rank_and_a_far_better_one_is_alone_at_the_top(
    board: Board, beads: Benchmark, tmp_path: Path
) -> None:
    own = copy_of(board, tmp_path)
    lists = random_lists(beads, 0)
    submit(own, write_trec(tmp_path / "a.trec", lists), "same", variant_of="a-0")
    targets = {t.transaction_id: t.target for t in beads.transactions("test")}
    best = {
        name: [(image, -place) for place, (image, _) in enumerate(sorted(row, key=lambda r: r[0] != targets[name]))]
        for name, row in lists.items()
    }
    submit(own, write_trec(tmp_path / "b.trec", best), "oracle")
    found = standings(own)
    (table,) = found.tables
    ranks = {placed.row.name: placed.rank for placed in table.rows}
    assert ranks == {"oracle": "1", **dict.fromkeys(("a-0", "a-1", "a-2", "a-3", "same"), "2-6")}
    assert table.rows[0].row.name == "oracle" and table.rows[0].not_told_from == ()
    same = next(placed for placed in table.rows if placed.row.name == "same")
    assert "a-0" in same.not_told_from
    assert place(found.rows[:1])[0].rank == "1"


def test_rows_measure_what_was_recomputed(board: Board) -> None:
    for row in standings(board).rows:
        found = recompute(read_run_file(row.submission.run, board), board)
        for name in MEASURES:
            np.testing.assert_array_equal(row.values(name), found.values[name])
        assert row.mean == found.headline["mean"]


# Boards


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_opening_a_board_again_gives_the_same_files(beads: Benchmark, tmp_path: Path) -> None:
    made = [open_board(tmp_path / str(i), "beads", beads, Opening(title="Beads")).folder for i in range(2)]
    assert files_of(made[0]) == files_of(made[1])
    with pytest.raises(MtbenchError, match="is a board of this very revision"):
        open_board(tmp_path / "0", "beads", beads, Opening())


def test_a_new_revision_opens_a_new_version_and_keeps_every_byte_of_the_old_one(
    board: Board, beads: Benchmark, tmp_path: Path
) -> None:
    own = copy_of(board, tmp_path)
    before = files_of(own.folder)
    other = write_beads(tmp_path / "other", seed=1)
    new = open_board(own.folder.parent, "beads", other, Opening())
    assert (new.version, new.title) == (2, "Beads")
    assert files_of(new.folder / "versions" / "1") == before
    old, newest = read_board(new.folder / "versions" / "1"), read_board(new.folder)
    assert (old.name, old.version, newest.name, newest.version) == ("beads", 1, "beads", 2)
    assert [row.name for row in standings(old).rows] == [row.name for row in standings(board).rows]
    assert standings(new).rows == ()
    submit(new, write_trec(tmp_path / "run.trec", random_lists(other, 0)), "a-0")
    found = verify(own.folder.parent, benchmarks=[beads, other], base=board.folder.parent)
    assert found.faults == []
    assert (found.boards, found.submissions) == (2, 5)
    third = open_board(own.folder.parent, "beads", write_beads(tmp_path / "third", seed=2), Opening())
    assert third.version == 3
    assert [b.version for b in boards(own.folder.parent)] == [3, 2, 1]
    assert files_of(third.folder / "versions" / "1") == before
    assert not list(own.folder.parent.glob(".*"))


def test_the_clean_part_of_a_board_is_what_train_gives_nothing_of(beads: Benchmark, tmp_path: Path) -> None:
    whole = open_board(tmp_path, "whole", beads, Opening())
    part = open_board(tmp_path, "part", beads, Opening(part="clean"))
    leaked = [leak["edge"] for leak in beads.leaks("test")]
    (known,) = whole.training
    assert (known.data, known.leaks, known.of) == ("train", sum(leaked), 48)
    assert part.sealed.ids.tolist() == whole.sealed.ids[~np.array(leaked)].tolist()
    assert part.training[0].leaks == 0
    lists = random_lists(beads, 0)  # of all transactions: the others are read over
    folder = submit(part, write_trec(tmp_path / "run.trec", lists), "made")
    assert json.loads((folder / "scores.json").read_text())["n"] == len(part.sealed)
    assert verify(tmp_path, benchmarks=[beads], jobs=0).faults == []


def test_a_seal_tells_no_image_and_another_board_has_others(beads: Benchmark, tmp_path: Path) -> None:
    one, two = (open_board(tmp_path, name, beads, Opening()) for name in ("one", "two"))
    assert set(one.sealed.targets).isdisjoint(two.sealed.targets)
    assert len(set(one.sealed.targets)) == len(one.sealed)  # a target of many transactions has many seals
    content = b"".join((one.folder / name).read_bytes() for name in one.files)
    assert not any(t.target.encode() in content for t in beads.transactions("test"))


def test_a_board_is_checked_against_its_benchmark_and_a_seal_that_was_changed_is_found(
    board: Board, beads: Benchmark, tmp_path: Path
) -> None:
    assert verify(board.folder.parent, benchmarks=[beads]).faults == []
    own = copy_of(board, tmp_path)
    path, toml = own.folder / "transactions.parquet", own.folder / "board.toml"
    table = pq.read_table(path)
    targets = table.column("target").to_pylist()
    targets[0] = own.sealer.of("turn", "round.test.0000")("r001")
    changed = table.set_column(
        table.schema.get_field_index("target"), table.schema.field("target"), pa.array(targets, pa.binary())
    )
    assert changed.column_names == table.column_names
    pq.write_table(changed, path)
    toml.write_text(toml.read_text().replace(own.files["transactions.parquet"], file_sha256(path)))  # all pins fit
    found = [str(fault) for fault in verify(tmp_path / "boards", benchmarks=[beads], jobs=0).faults]
    assert found[0].startswith("beads: transactions.parquet is not what ")
    toml.write_text((board.folder / "board.toml").read_text())
    shutil.copy(board.folder / "transactions.parquet", path)
    assert verify(tmp_path / "boards", benchmarks=[beads], jobs=0).faults == []
    for old, new, told in (
        ("images = 70", "images = 71", "the gallery round is not that of"),
        ("leaks = 13", "leaks = 0", "training data train has a pair of 13 transactions, not of 0"),
    ):
        assert old in (board.folder / "board.toml").read_text()
        toml.write_text((board.folder / "board.toml").read_text().replace(old, new))
        assert any(told in str(f) for f in verify(tmp_path / "boards", benchmarks=[beads], jobs=0).faults), told


def test_a_gallery_smaller_than_the_depth_is_ranked_whole(tmp_path: Path) -> None:
    letters = build_letters(tmp_path)
    board = open_board(tmp_path / "boards", "letters", letters, Opening())
    lists = random_lists(letters, 0)
    submit(board, write_trec(tmp_path / "run.trec", lists), "whole")
    assert verify(tmp_path / "boards", benchmarks=[letters], jobs=0).faults == []
    with pytest.raises(MtbenchError, match="fewer than"):
        submit(board, write_trec(tmp_path / "run.trec", {n: row[:-1] for n, row in lists.items()}), "less")


def test_a_description_says_everything_that_is_wrong_with_it_at_once(board: Board, tmp_path: Path) -> None:
    with pytest.raises(MtbenchError) as caught:
        submit(board, tmp_path / "nowhere", "UP", proxy="magic", date="soon", title="", claims={"R@3": 0.1})
    told = str(caught.value)
    for field in ("name", "proxy", "date", "title", "claims"):
        assert f"\n  {field}: " in told
    assert META["title"] == "A system"


def test_per_transaction_values_are_kept_so_that_anybody_can_compare(board: Board) -> None:
    scores = json.loads((board.submissions / "a-1" / "scores.json").read_text())
    row = next(row for row in standings(board).rows if row.name == "a-1")
    values = per_transaction(row.positions, ["R@5"])["R@5"]
    assert scores["measures"]["R@5"] == round(macro("R@5", values, board.sealed.categories), 6)
