"""Runs: written and read back in three formats, and scored against a benchmark with two categories."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import write_tiny_benchmark

from mtbench.core.errors import MtbenchError
from mtbench.core.types import Gallery, Transaction, Turn
from mtbench.evaluation import runs, tally
from mtbench.evaluation.ranking import rank_scores
from mtbench.evaluation.runs import Ranking, rankings, write_qrels, write_run
from mtbench.evaluation.scoring import score_run

D = [f"d{i}" for i in range(10)]
S = [f"s{i}" for i in range(4)]


def transaction(number, category, first, middle, target):
    turns = (Turn(first, ("x",), middle), Turn(middle, ("y",), target))
    return Transaction(f"{category}.test.{number:04d}", category, turns)


class Made(SimpleNamespace):
    """What stands for a benchmark; as one, it is the same only as itself."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__


def make_benchmark(transactions, **galleries):
    """What score_run reads of a benchmark, without the files."""
    found = {name: Gallery("test", name, "split-list", tuple(ids)) for name, ids in galleries.items()}

    def gallery(split, category):
        if category not in found:
            raise MtbenchError(f"no category {category}")
        return found[category]

    images = {image: None for g in found.values() for image in g.image_ids} | {"elsewhere": None}
    return Made(name="small", transactions=lambda split: transactions, gallery=gallery, images=images)


SMALL = make_benchmark(
    [
        transaction(0, "dress", "d1", "d2", "d3"),
        transaction(1, "dress", "d4", "d5", "d6"),
        transaction(0, "shirt", "s0", "s1", "s2"),
    ],
    dress=D,
    shirt=S,
)

# dress 0: d3 is third; without d1 and d2, first. dress 1: d6 ties with d7 at places 5 and 6. shirt 0: s2 is fourth.
ROWS = [
    ("dress.test.0000", [("d1", 9), ("d2", 8), ("d3", 7), ("d0", 6), ("d9", 5), ("d8", 4), ("d7", 3), ("d6", 2)]),
    ("dress.test.0001", [("d0", 9), ("d1", 8), ("d2", 7), ("d3", 6), ("d7", 5), ("d6", 5), ("d4", 4), ("d5", 3)]),
    ("shirt.test.0000", [("s0", 0.5), ("s1", 0.25), ("s3", 0.125), ("s2", -1)]),
]


def trec(rows=ROWS, separator=" "):
    return "".join(
        separator.join([name, "Q0", image, str(i), str(score), "tag"]) + "\n"
        for name, row in rows
        for i, (image, score) in enumerate(row, start=1)
    )


def put(tmp_path, text, name="a.trec"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def flat(rows=ROWS):
    return [(name, image, i, score) for name, row in rows for i, (image, score) in enumerate(row, start=1)]


def put_parquet(tmp_path, columns, rows=ROWS, **types):
    table = {
        "transaction_id": [row[0] for row in flat(rows)],
        "image_id": [row[1] for row in flat(rows)],
        "rank": pa.array([row[2] for row in flat(rows)], types.get("rank", pa.int32())),
        "score": pa.array([row[3] for row in flat(rows)], types.get("score", pa.float64())),
    }
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({name: table[name] for name in columns}), path)
    return path


def check_score(score):
    found = score.to_dict()
    assert (found["n"], found["missing"], found["missing_transactions"]) == (3, 0, [])
    assert score.positions.greater.tolist() == [2, 4, 3]
    assert score.positions.equal.tolist() == [1, 2, 1]
    # R@5: 1, 1/2 and 1, hence dress 3/4, shirt 1, macro 7/8, micro 5/6
    assert found["measures"] == pytest.approx({"R@5": 7 / 8, "R@8": 1, "mean": 15 / 16})
    assert found["micro"] == pytest.approx({"R@5": 5 / 6, "R@8": 1, "mean": 11 / 12})
    assert found["by_category"]["dress"] == {"n": 2, "measures": {"R@5": 0.75, "R@8": 1, "mean": 0.875}}
    assert found["by_category"]["shirt"]["n"] == 1
    assert found["not_available"] == {}
    assert score.excluded.greater.tolist() == [0, 4, 1]
    assert score.excluded.equal.tolist() == [1, 2, 1]
    assert score.excluded.candidates.tolist() == [8, 8, 2]
    assert found["own_references_excluded"]["measures"] == pytest.approx({"R@5": 7 / 8})
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("separator", [" ", "\t"])
@pytest.mark.parametrize("name", ["a.trec", "a.txt", "a.run", "a.run.gz"])
def test_trec_text_is_scored_as_worked_out_by_hand(tmp_path, name, separator):
    path = tmp_path / name
    data = trec(separator=separator).encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    check_score(score_run(path, SMALL))


@pytest.mark.parametrize("columns", [("rank", "score"), ("score",)])
def test_parquet_is_scored_like_trec_text(tmp_path, columns):
    check_score(score_run(put_parquet(tmp_path, ["transaction_id", "image_id", *columns]), SMALL))


def test_parquet_may_hold_other_types_of_columns(tmp_path):
    path = put_parquet(tmp_path, ["score", "image_id", "rank", "transaction_id"], rank=pa.int64(), score=pa.float32())
    table = pq.read_table(path)
    for name in ("image_id", "transaction_id"):
        table = table.set_column(
            table.column_names.index(name), name, table[name].cast(pa.dictionary(pa.int32(), pa.string()))
        )
    pq.write_table(table, path)
    check_score(score_run(path, SMALL))


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_jsonl_with_scores_is_scored_like_trec_text(tmp_path, name):
    lines = [
        json.dumps({"transaction_id": t, "ranking": [i for i, _ in row], "scores": [s for _, s in row]})
        for t, row in ROWS
    ]
    data = "\n\n".join(lines).encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    check_score(score_run(tmp_path / name, SMALL))


def test_jsonl_without_scores_is_in_its_order_and_has_no_ties(tmp_path):
    text = "\n".join(json.dumps({"transaction_id": t, "ranking": [i for i, _ in row]}) for t, row in ROWS)
    score = score_run(put(tmp_path, text, "a.jsonl"), SMALL)
    assert score.positions.greater.tolist() == [2, 5, 3]
    assert score.positions.equal.tolist() == [1, 1, 1]


def test_without_scores_ranks_decide_and_equal_ranks_tie(tmp_path):
    path = tmp_path / "a.parquet"
    columns = {
        "transaction_id": ["shirt.test.0000"] * 4,
        "image_id": ["s3", "s2", "s1", "s0"],
        "rank": [4, 1, 1, 0],
    }
    pq.write_table(pa.table(columns), path)
    score = score_run(path, SMALL, category="shirt")
    assert (score.positions.greater[0], score.positions.equal[0]) == (1, 2)


@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([1, 3, 7, 1000]))
def test_rows_in_any_order_and_blocks_of_any_size_give_the_same_score(tmp_path_factory, random, held_rows):
    lines = trec().splitlines(keepends=True)
    random.shuffle(lines)
    path = put(tmp_path_factory.mktemp("run"), "".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tally, "_HELD_ROWS", held_rows)
        patch.setattr(runs, "_BATCH_BYTES", 200)
        check_score(score_run(path, SMALL))


def test_complete_transactions_are_counted_before_the_file_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(tally, "_HELD_ROWS", 1)
    monkeypatch.setattr(runs, "_BATCH_BYTES", 200)
    reads = []
    read = runs.read_run
    monkeypatch.setattr(tally, "read_run", lambda *arguments: reads.append(1) or read(*arguments))
    check_score(score_run(put(tmp_path, trec()), SMALL))
    assert reads == [1]
    check_score(score_run(put(tmp_path, trec([*ROWS[1:], ROWS[0]])), SMALL))
    assert reads == [1, 1]


def test_missing_transactions_are_misses_and_are_listed(tmp_path):
    found = score_run(put(tmp_path, trec(ROWS[:1])), SMALL).to_dict()
    assert (found["n"], found["missing"]) == (3, 2)
    assert found["missing_transactions"] == ["dress.test.0001", "shirt.test.0000"]
    assert found["by_category"]["dress"] == {"n": 2, "measures": {"R@5": 0.5, "R@8": 0.5, "mean": 0.5}}
    assert found["measures"]["R@5"] == 0.25


def test_a_median_rank_over_misses_is_null_in_json(tmp_path):
    text = "".join(trec([(name, row)]) for name, row in ROWS if name.startswith("shirt"))
    found = score_run(put(tmp_path, text), SMALL, measures=["rank", "MRR", "percentile"]).to_dict()
    assert found["by_category"]["dress"]["measures"] == {"rank": None, "MRR": 0, "percentile": 0}
    assert found["by_category"]["shirt"]["measures"] == {"rank": 4, "MRR": 0.25, "percentile": 0}


def test_one_category_alone_can_be_scored_from_a_run_over_all(tmp_path):
    found = score_run(put(tmp_path, trec()), SMALL, category="shirt").to_dict()
    assert (found["n"], found["measures"]["R@5"], list(found["by_category"])) == (1, 1, ["shirt"])


def test_a_measure_deeper_than_a_ranking_is_not_available_and_says_why(tmp_path):
    rows = [(name, row[:6] if name.endswith("0001") else row) for name, row in ROWS]
    score = score_run(put(tmp_path, trec(rows)), SMALL, measures=["R@5", "R@6", "R@8", "mean", "MRR"])
    found = score.to_dict()
    assert list(found["measures"]) == list(score.values()) == ["R@5", "R@6"]
    assert found["not_available"]["R@8"] == (
        "needs 8 candidates, but 1 of 3 rankings are shorter; that of dress.test.0001 has 6 of 10"
    )
    assert "needs whole galleries, but 2 of 3" in found["not_available"]["MRR"]
    # The ranking of dress.test.0001 holds none of its references, that of dress.test.0000 both: 6 are left.
    assert list(found["own_references_excluded"]["measures"]) == ["R@5", "R@6"]


def test_a_list_of_five_that_holds_own_references_is_too_short_for_five_without_them(tmp_path):
    rows = [(name, row[:5]) for name, row in ROWS]
    found = score_run(put(tmp_path, trec(rows)), SMALL, measures=["R@5"]).to_dict()
    assert list(found["measures"]) == ["R@5"]
    assert found["own_references_excluded"]["measures"] == {}
    assert "needs 5" in found["own_references_excluded"]["not_available"]["R@5"]


def test_ties_at_the_cut_count_what_is_listed_and_are_announced(tmp_path):
    rows = [(name, row[:6] if name.endswith("0001") else row) for name, row in ROWS]
    score = score_run(put(tmp_path, trec(rows)), SMALL, measures=["R@5"])
    assert score.cut_ties == 1
    assert score.values()["R@5"].tolist() == [1, 0.5, 1]


def test_a_target_beyond_the_depth_is_a_miss(tmp_path):
    rows = [(ROWS[0][0], [pair for pair in ROWS[0][1] if pair[0] != "d3"]), *ROWS[1:]]
    score = score_run(put(tmp_path, trec(rows)), SMALL, measures=["R@5"])
    assert score.values()["R@5"].tolist() == [0, 0.5, 1]
    assert (score.positions.greater[0], score.excluded.greater[0]) == (10, 8)


def test_every_kind_of_wrong_row_is_reported_at_once_with_its_line(tmp_path):
    text = (
        "dress.test.0000 Q0 d1 1 9 t\n"
        "dress.test.0000 Q0 d1 2 8 t\n"
        "dress.test.0000 Q0 d2 3 nan t\n"
        "dress.test.0000 Q0 d4 x 6 t\n"
        "dress.test.0000 Q0 s1 5 5 t\n"
        "dress.test.0000 Q0 d99 6 4 t\n"
        "dress.test.0009 Q0 d1 1 1 t\n"
        "shirt.test.0000 Q0 s0 1 0.1 t\n"
        "shirt.test.0000 Q0 s1 2 0.2 t\n"
    )
    with pytest.raises(MtbenchError) as error:
        score_run(put(tmp_path, text), SMALL)
    message = str(error.value)
    assert "a.trec: 7 problems" in message
    for part in (
        "line 2: image d1 a second time for dress.test.0000",
        "line 3: score 'nan' is no finite number",
        "line 4: rank 'x' is no finite number",
        "line 5: image s1 is not in the gallery of transaction dress.test.0000",
        "line 6: no image d99 in small",
        "line 7: no transaction dress.test.0009 in test of small",
        "line 8: shirt.test.0000: rank 1 has score 0.1, but rank 2 has 0.2; a higher score must have a lower rank",
    ):
        assert part in message


def test_a_known_image_outside_the_gallery_is_refused(tmp_path):
    with pytest.raises(MtbenchError, match=r"line 1: image elsewhere is not in the gallery"):
        score_run(put(tmp_path, "dress.test.0000 Q0 elsewhere 1 9 t\n"), SMALL)


def test_equal_scores_may_have_any_ranks_but_equal_ranks_no_different_scores(tmp_path):
    fine = "shirt.test.0000 Q0 s2 9 5 t\nshirt.test.0000 Q0 s1 2 5 t\nshirt.test.0000 Q0 s0 10 4 t\n"
    score = score_run(put(tmp_path, fine), SMALL, category="shirt", measures=["R@2"])
    assert (score.positions.greater[0], score.positions.equal[0]) == (0, 2)
    for last in ("9 4", "3 4"):
        with pytest.raises(MtbenchError, match="a higher score must have"):
            score_run(put(tmp_path, fine.replace("10 4", last)), SMALL)


def test_a_duplicate_far_away_in_the_file_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(tally, "_HELD_ROWS", 1)
    monkeypatch.setattr(runs, "_BATCH_BYTES", 200)
    with pytest.raises(MtbenchError, match=r"line 21: image d1 a second time for dress.test.0000"):
        score_run(put(tmp_path, trec() + "dress.test.0000 Q0 d1 9 1 t\n"), SMALL)


def test_lines_of_the_wrong_shape_are_reported_with_their_numbers(tmp_path):
    lines = trec().splitlines()
    lines[1] = "dress.test.0000 d2 2 8"
    lines[3] += " more"
    with pytest.raises(MtbenchError) as error:
        score_run(put(tmp_path, "\n".join(lines)), SMALL)
    assert "line 2: 4 columns where 6 belong" in str(error.value)
    assert "line 4: 7 columns where 6 belong" in str(error.value)


def test_a_wrong_file_of_many_lines_gives_a_short_message(tmp_path):
    text = "".join(f"q{i} Q0 d1 1 1 t\n" for i in range(5_000))
    with pytest.raises(MtbenchError) as error:
        score_run(put(tmp_path, text), SMALL)
    assert len(str(error.value).splitlines()) <= 23
    assert "line 1: no transaction q0" in str(error.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1: "),
        ("[]", 'not an object with a "transaction_id"'),
        ('{"transaction_id": "dress.test.0000"}', '"ranking" of .* must be a list'),
        ('{"transaction_id": "dress.test.0000", "ranking": []}', "not empty"),
        ('{"transaction_id": "dress.test.0000", "ranking": ["d1", 2]}', "list of image ids"),
        (
            '{"transaction_id": "dress.test.0000", "ranking": ["d1"], "scores": [1, 2]}',
            "must be 1 finite numbers",
        ),
        ('{"transaction_id": "dress.test.0000", "ranking": ["d1"], "scores": ["x"]}', "1 finite numbers"),
        ('{"transaction_id": "dress.test.0000", "ranking": ["d1"], "scores": [NaN]}', "1 finite numbers"),
        (
            '{"transaction_id": "dress.test.0000", "ranking": ["d1"]}\n'
            '{"transaction_id": "dress.test.0000", "ranking": ["d2"]}',
            "line 2: a second ranking of 'dress.test.0000'",
        ),
    ],
)
def test_wrong_jsonl_says_what_is_wrong(tmp_path, line, message):
    with pytest.raises(MtbenchError, match=message):
        score_run(put(tmp_path, line, "a.jsonl"), SMALL)


@pytest.mark.parametrize("name", ["a.trec", "a.jsonl", "a.parquet", "a.trec.gz", "a.jsonl.gz"])
@pytest.mark.parametrize("data", [b"", b"\n", b"\x1f\x8b\x00\xff", b"\xff\xfe\x00", b"PAR1junkPAR1"])
def test_files_that_are_no_runs_are_user_mistakes(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(MtbenchError, match=name):
        score_run(tmp_path / name, SMALL)


def test_a_packed_file_that_was_cut_short_is_a_user_mistake(tmp_path):
    (tmp_path / "a.trec.gz").write_bytes(gzip.compress(trec().encode())[:-20])
    with pytest.raises(MtbenchError, match=r"a\.trec\.gz cannot be read"):
        score_run(tmp_path / "a.trec.gz", SMALL)


@pytest.mark.parametrize(
    ("columns", "lacks"),
    [
        (["image_id", "score"], "no transaction_id"),
        (["transaction_id", "rank"], "no image_id"),
        (["transaction_id", "image_id"], "no score or rank"),
    ],
)
def test_parquet_without_a_column_says_which(tmp_path, columns, lacks):
    with pytest.raises(MtbenchError, match=lacks):
        score_run(put_parquet(tmp_path, columns), SMALL)


def test_a_null_in_parquet_is_a_problem_of_its_row(tmp_path):
    path = tmp_path / "a.parquet"
    columns = {
        "transaction_id": ["dress.test.0000", None],
        "image_id": [None, "d1"],
        "score": pa.array([None, 1], pa.float32()),
    }
    pq.write_table(pa.table(columns), path)
    with pytest.raises(MtbenchError) as error:
        score_run(path, SMALL)
    for part in ("row 1: score None", "row 1: no image None", "row 2: no transaction None"):
        assert part in str(error.value)


@pytest.mark.parametrize("name", ["a.csv", "a", "a.parquet.gz", "a.gz"])
def test_an_unknown_suffix_names_those_there_are(tmp_path, name):
    for act in (lambda path: score_run(path, SMALL), lambda path: write_run(path, [])):
        with pytest.raises(MtbenchError, match=r"runs end in \.parquet, \.jsonl, \.trec"):
            act(tmp_path / name)


def test_a_run_that_does_not_exist_and_a_measure_that_does_not_are_named(tmp_path):
    with pytest.raises(MtbenchError, match="does not exist"):
        score_run(tmp_path / "none.trec", SMALL)
    with pytest.raises(MtbenchError, match="no measure named 'R5'"):
        score_run(put(tmp_path, trec()), SMALL, measures=["R5"])
    with pytest.raises(MtbenchError, match="no category hats"):
        score_run(put(tmp_path, trec()), SMALL, category="hats")


def test_a_run_that_ranks_nothing_of_the_category_is_an_error(tmp_path):
    with pytest.raises(MtbenchError, match="ranks none of the 1 transactions"):
        score_run(put(tmp_path, trec(ROWS[:2])), SMALL, category="shirt")


def ranked(scores):
    """Rankings of the two dress transactions by the whole engine, with a tie that float32 alone makes."""
    ranks = rank_scores(lambda where: scores[where], 2, 10, np.array([3, 6]), depth=12)
    gallery = SMALL.gallery("test", "dress")
    return ranks, list(rankings(ranks, SMALL.transactions("test")[:2], gallery))


@pytest.mark.parametrize("name", ["a.parquet", "a.trec", "a.run.gz"])
def test_what_the_engine_ranks_reads_back_with_the_same_ranks_and_ties(tmp_path, name):
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((2, 10)).astype(np.float32)
    scores[0, 5] = scores[0, 3]
    scores[1, 7] = np.nextafter(scores[1, 6], np.float32(9))
    ranks, run = ranked(scores)
    assert [len(ranking.image_ids) for ranking in run] == [10, 10]
    write_run(tmp_path / name, run)
    score = score_run(tmp_path / name, SMALL, category="dress", measures=["rank"])
    assert score.positions.greater.tolist() == ranks.greater.tolist()
    assert score.positions.equal.tolist() == ranks.equal.tolist() == [2, 1]


@pytest.mark.parametrize("name", ["a.parquet", "a.trec", "a.trec.gz"])
def test_the_same_run_is_written_as_the_same_bytes(tmp_path, name):
    _, run = ranked(np.random.default_rng(1).standard_normal((2, 10)).astype(np.float32))
    for folder in ("one", "two"):
        write_run(tmp_path / folder / name, iter(run))
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_parquet_has_the_documented_columns_and_ranks_from_one(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "_BATCH_ROWS", 3)
    write_run(
        tmp_path / "a.parquet",
        [
            Ranking("q1", ["b", "a"], np.array([2, 1], np.float32)),
            Ranking("q2", ["c", "a", "b"], np.array([3, 2, 1], np.float32)),
            Ranking("q3", ["c"], np.array([1], np.float32)),
        ],
    )
    table = pq.read_table(tmp_path / "a.parquet")
    assert [str(field.type) for field in table.schema] == ["string", "string", "int32", "float"]
    assert table["transaction_id"].to_pylist() == ["q1", "q1", "q2", "q2", "q2", "q3"]
    assert table["rank"].to_pylist() == [1, 2, 1, 2, 3, 1]
    assert pq.ParquetFile(tmp_path / "a.parquet").metadata.row_group(0).column(0).compression.startswith("LZ4")


def test_trec_text_and_qrels_look_as_trec_eval_expects(tmp_path):
    write_run(tmp_path / "a.trec", [Ranking("q1", ["b", "a"], np.array([0.1, -1], np.float32))], tag="mine")
    assert (tmp_path / "a.trec").read_text() == "q1 Q0 b 1 0.1 mine\nq1 Q0 a 2 -1.0 mine\n"
    write_qrels(tmp_path / "qrels.txt", SMALL.transactions("test"))
    assert (tmp_path / "qrels.txt").read_text().splitlines()[0] == "dress.test.0000 0 d3 1"


def test_ids_with_blanks_fit_parquet_but_not_trec_text(tmp_path):
    run = [Ranking("q 1", ["b"], np.ones(1, np.float32))]
    with pytest.raises(MtbenchError, match=r"cannot hold 'q 1'.*Write \.parquet"):
        write_run(tmp_path / "a.trec", run)
    assert list(tmp_path.iterdir()) == []
    write_run(tmp_path / "a.parquet", run)


def test_a_real_benchmark_is_scored_from_a_file(tmp_path):
    benchmark = write_tiny_benchmark(tmp_path / "tiny")
    path = put(tmp_path, "dress.test.0000 Q0 t1 1 2 x\ndress.test.0000 Q0 t3 2 1 x\n", "b.txt")
    found = score_run(path, benchmark, measures=["R@1", "R@2"]).to_dict()
    assert found["measures"] == {"R@1": 0, "R@2": 1}
    with pytest.raises(MtbenchError, match="no category"):
        score_run(path, benchmark, category="hats")


def test_a_long_run_is_scored_in_bounded_memory(tmp_path, monkeypatch):
    images = [f"d{i:04d}" for i in range(2_000)]
    many = make_benchmark([transaction(i, "dress", images[1], images[2], images[i]) for i in range(150)], dress=images)
    scores = np.arange(2_000, 0, -1).astype(np.float32)
    write_run(tmp_path / "a.trec", (Ranking(t.transaction_id, images, scores) for t in many.transactions("test")))
    monkeypatch.setattr(tally, "_HELD_ROWS", 1 << 14)
    monkeypatch.setattr(runs, "_BATCH_BYTES", 1 << 19)
    pool = pa.default_memory_pool()
    before = pool.bytes_allocated()
    tracemalloc.start()
    score = score_run(tmp_path / "a.trec", many, measures=["rank"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert score.values()["rank"].tolist() == list(range(1, 151))
    assert peak < 8 << 20  # 300,000 rows as numbers alone are 12 MB, as Python objects 60 MB
    assert pool.bytes_allocated() - before < 4 << 20
