"""Scoring a run, against the definitions written out in Python, row by row."""

from __future__ import annotations

import re
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtbench.core.errors import MtbenchError
from mtbench.core.types import Gallery, Transaction, Turn
from mtbench.evaluation import runs, tally
from mtbench.evaluation.scoring import score_run


class Made(SimpleNamespace):
    """What stands for a benchmark; as one, it is the same only as itself."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__


GALLERIES = {"dress": ["a", "b", "c", "d", "both"], "shirt": ["s", "t", "both", "u"]}
CHAINS = [  # references, then the target
    ("dress.0", "dress", ["a", "b", "c"]),
    ("dress.1", "dress", ["a", "b", "a", "both"]),  # a reference shown twice
    ("dress.2", "dress", ["d", "a", "d"]),  # the target was shown
    ("dress.3", "dress", ["s", "elsewhere", "a"]),  # references that are no candidates
    ("shirt.0", "shirt", ["s", "t", "u"]),
    ("shirt.1", "shirt", ["s", "both", "s"]),
    ("shirt.2", "shirt", ["s", "t", "elsewhere"]),  # a target that is no candidate
]
TRANSACTIONS = [
    Transaction(name, category, tuple(Turn(a, ("x",), b) for a, b in pairwise(ids))) for name, category, ids in CHAINS
]
BENCHMARK = Made(
    name="small",
    transactions=lambda split: TRANSACTIONS,
    gallery=lambda split, category: Gallery(split, category, "split-list", tuple(GALLERIES[category])),
    images=dict.fromkeys([*GALLERIES["dress"], *GALLERIES["shirt"], "elsewhere"]),
)


def expected_problems(rows, unit):
    """What is wrong with a run: of ranks that contradict scores the transactions alone, all else in full."""
    galleries = {t.transaction_id: GALLERIES[t.category] for t in TRANSACTIONS}
    found, valid = set(), []
    for i, (name, image, rank, score) in enumerate(rows, start=1):
        texts = []
        if not np.isfinite(score):
            texts.append(f"score {str(score) if unit == 'line' else score!r} is no finite number")
        if name not in galleries:
            texts.append(f"no transaction {name} in test of small")
        if image not in BENCHMARK.images:
            texts.append(f"no image {image} in small")
        elif name in galleries and image not in galleries[name]:
            texts.append(f"image {image} is not in the gallery of transaction {name}")
        if not texts and any((name, image) == row[:2] for row in valid):
            texts.append(f"image {image} a second time for {name}")
            valid.append((name, image, rank, score))
        elif not texts:
            valid.append((name, image, rank, score))
        found |= {f"{unit} {i}: {text}".replace("'", "") for text in texts}
    found |= {a[0] for a in valid for b in valid if a[0] == b[0] and (a[3] > b[3] and a[2] >= b[2])}
    return found


def told_problems(error, path):
    """The same from the message."""
    text = str(error).removeprefix(f"{path}: ").replace("'", "")
    lines = [line.strip() for line in text.splitlines()]
    lines = lines[1:] if re.fullmatch(r"\d+ problems", lines[0]) else lines
    told = [match[1] if (match := re.match(r"\w+ \d+: (\S+): rank .*a higher score must", x)) else x for x in lines]
    assert len(told) == len(set(told))
    return set(told)


def expected_counts(rows, transaction):
    """(greater, equal, candidates) with and without the images shown, and whether a cut goes through the tie."""
    full = GALLERIES[transaction.category]
    listed = {image: score for name, image, _, score in rows if name == transaction.transaction_id}
    shown = {turn.reference for turn in transaction.turns} - {transaction.target}
    counts = []
    for leave in (set(), shown):
        gallery = [image for image in full if image not in leave]
        scores = [listed[image] for image in gallery if image in listed]
        best = listed.get(transaction.target)
        if best is None:
            counts.append((len(gallery), 0, len(gallery)))
        else:
            counts.append((sum(s > best for s in scores), sum(s == best for s in scores), len(gallery)))
    best = listed.get(transaction.target)
    cut = best is not None and best == min(listed.values()) and len(listed) < len(full)
    return counts, cut and list(listed.values()).count(best) > 1


@st.composite
def run_rows(draw):
    """Rows of a right run: transactions in any order, some missing, rankings cut, ties in any order of ranks."""
    rows = []
    for t in draw(st.permutations(TRANSACTIONS)):
        images = draw(st.permutations(GALLERIES[t.category]))[: draw(st.integers(0, 5))]
        scores = sorted((draw(st.integers(-2, 2)) / 2 for _ in images), reverse=True)
        ranks = np.cumsum([draw(st.integers(1, 2)) for _ in images]).tolist()
        head = [(t.transaction_id, *row) for row in zip(images, ranks, scores, strict=True)]
        rows += draw(st.permutations(head)) if draw(st.booleans()) else head
    return draw(st.permutations(rows)) if draw(st.booleans()) else rows


@st.composite
def mistakes(draw, rows):
    """The same with some rows spoilt."""
    rows = list(rows)
    for _ in range(draw(st.integers(1, 5))):
        i = draw(st.integers(0, len(rows) - 1))
        name, image, rank, score = rows[i]
        spoilt = draw(
            st.sampled_from(
                [
                    ("nobody", image, rank, score),
                    (name, "nothing", rank, score),
                    ("nobody", "nothing", rank, score),
                    (name, "elsewhere", rank, score),
                    (name, "a", rank, score),
                    (name, "both", rank, score),
                    (name, image, rank + 2, score),
                    (name, image, rank, score + 1),
                    (name, image, rank, float("nan")),
                    (name, image, rank, float("inf")),
                ]
            )
        )
        if draw(st.booleans()):
            rows[i] = spoilt
        else:
            rows.insert(draw(st.integers(0, len(rows))), spoilt)
    return rows


def write(folder, rows, kind):
    path = folder / f"run{kind}"
    if kind == ".trec":
        path.write_text("".join(f"{name} Q0 {image} {rank} {score} x\n" for name, image, rank, score in rows))
        return path, "line"
    columns = list(zip(*rows, strict=True))
    types = (pa.string(), pa.string(), pa.int32(), pa.float32())
    arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    pq.write_table(pa.table(arrays, names=["transaction_id", "image_id", "rank", "score"]), path)
    return path, "row"


@st.composite
def sizes(draw):
    """Blocks and tables from the smallest, where every transaction is cut in two, to one for all."""
    return [
        (runs, "_BATCH_ROWS", draw(st.sampled_from([1, 3, 100]))),
        (runs, "_BATCH_BYTES", draw(st.sampled_from([60, 200, 10_000]))),
        (tally, "_HELD_ROWS", draw(st.sampled_from([1, 4, 100]))),
        (tally, "_CELLS", draw(st.sampled_from([1, 10, 1_000]))),
    ]


def scored(path, patches):
    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in patches:
            patch.setattr(module, name, value)
        return score_run(path, BENCHMARK, measures=["R@1"])


@settings(max_examples=150, deadline=None)
@given(run_rows().filter(len), st.sampled_from([".trec", ".parquet"]), sizes())
def test_every_right_run_is_counted_as_the_definitions_say(tmp_path_factory, rows, kind, patches):
    path, _ = write(tmp_path_factory.mktemp("run"), rows, kind)
    score = scored(path, patches)
    cuts = 0
    for i, t in enumerate(TRANSACTIONS):
        (kept, excluded), cut = expected_counts(rows, t)
        for positions, expected in ((score.positions, kept), (score.excluded, excluded)):
            assert (positions.greater[i], positions.equal[i], positions.candidates[i]) == expected
        cuts += cut
    assert score.cut_ties == cuts
    assert set(score.missing) == {t.transaction_id for t in TRANSACTIONS} - {row[0] for row in rows}


@settings(max_examples=300, deadline=None)
@given(st.data(), st.sampled_from([".trec", ".parquet"]), sizes())
def test_every_mistake_is_told_whatever_the_order_of_the_rows(tmp_path_factory, data, kind, patches):
    rows = data.draw(run_rows().filter(len).flatmap(mistakes))
    path, unit = write(tmp_path_factory.mktemp("run"), rows, kind)
    expected = expected_problems(rows, unit)
    if not expected:  # another score or rank need not be wrong
        scored(path, patches)
        return
    with pytest.raises(MtbenchError) as error:
        scored(path, patches)
    assert told_problems(error.value, path) == expected


def test_a_split_without_transactions_is_named(tmp_path):
    path, _ = write(tmp_path, [("dress.0", "a", 1, 1.0)], ".trec")
    empty = Made(**(vars(BENCHMARK) | {"transactions": lambda split: []}))
    with pytest.raises(MtbenchError, match="small has no dev transactions to score"):
        score_run(path, empty, split="dev")


def test_ids_are_made_numbers_once_per_benchmark_and_split(tmp_path, monkeypatch):
    path, _ = write(tmp_path, [("dress.0", "a", 1, 1.0)], ".trec")
    made, index = [], tally._Index
    monkeypatch.setattr(tally, "_Index", lambda *given: made.append(given) or index(*given))
    other = Made(**vars(BENCHMARK))
    for benchmark, split in [(other, "test"), (other, "test"), (other, "dev"), (Made(**vars(other)), "test")]:
        score_run(path, benchmark, split=split)
    assert len(made) == 3
