"""What a preference study may claim: new images alone, counted places, one unit in a sentence, people who are gone."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from fractions import Fraction
from itertools import combinations, permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.stats import binomtest

from mtbench.cli import main
from mtbench.core.errors import MtbenchError
from mtbench.core.types import Transaction, Turn
from mtbench.evaluation.comparison.comparable import Result
from mtbench.evaluation.results import Values
from mtbench.evaluation.runs import Ranking, write_run
from mtbench.study.agreement import fleiss, krippendorff, percent
from mtbench.study.design import PAIRWISE, THREE_WAY, Design, Question, drawn
from mtbench.study.places import allowed_for, stood
from mtbench.study.report import summary
from mtbench.study.store import AWAY, Answer, Store
from mtbench.study.tables import tables
from mtbench.study.tops import draw, read_tops, shown_in


def design(questions: int = 12, way: str = PAIRWISE, models: int = 2, clusters: int | None = None) -> Design:
    asked = tuple(
        Question(f"t{n}", f"c{n % (clusters or questions)}", tuple(range(models)), ("x", "y", "z")[:models])
        for n in range(questions)
    )
    about = {"benchmark": "b", "revision": "r" * 64, "split": "test"}
    names = ("one", "two", "three")[:models]
    return Design(names, names, way, 0, questions, asked, about, questions, {"different": questions}, {})


def said(of: Design, table: Sequence[str]) -> list[Answer]:
    """Of each participant a letter per question: the model, - for neither, blank for none; in the places shown."""
    return [
        Answer(who, question, None if letter == "-" else int(letter), 2.0, of.shown(question, who))
        for who, row in enumerate(table)
        for question, letter in enumerate(row)
        if letter != " "
    ]


# What is asked


Rankings = Mapping[str, tuple[str, Sequence[float]]]
"""By transaction the images, a letter each, and their scores."""


def run_of(folder: Path, rankings: Rankings) -> Path:
    folder.mkdir(parents=True)
    run = [Ranking(name, list(images), np.array(scores)) for name, (images, scores) in rankings.items()]
    write_run(folder / "run.parquet", run)
    return folder


DIALOGUES = [
    Transaction("t0", "dress", (Turn("a", ("is red",), "b"), Turn("b", ("is long",), "z"))),
    Transaction("t1", "dress", (Turn("c", ("is red",), "d"), Turn("d", ("is long",), "z"))),
    Transaction("t2", "dress", (Turn("a", ("is red",), "c"), Turn("c", ("is long",), "z"))),
]


def drawn_of(tmp_path: Path, rankings: Sequence[Rankings]) -> Design:
    ids = np.array(sorted(rankings[0]), dtype=object)
    values = Values(ids, np.array(["dress"] * len(ids), dtype=object), ids, np.ones(len(ids), np.int64), {})
    results = [
        Result(run_of(tmp_path / str(n), of), {"key": f"k{n}", "options": {}}, values) for n, of in enumerate(rankings)
    ]
    tops = [read_tops(result.folder, shown_in(DIALOGUES)) for result in results]
    look: Any = lambda image: image  # noqa: E731
    about = {"benchmark": "b", "revision": "r" * 64, "split": "test"}
    return draw(results, tops, look, about, names=["one", "two"], way=PAIRWISE)


def test_nobody_is_asked_about_an_image_that_the_dialogue_has_just_shown(tmp_path: Path) -> None:
    one = {"t0": ("bace", (4, 3, 2, 1)), "t1": ("ef", (2, 1)), "t2": ("fge", (3, 3, 1))}
    two = {"t0": ("eabf", (4, 3, 2, 2)), "t1": ("cdf", (3, 2, 1)), "t2": ("cage", (4, 4, 1, 1))}
    found = drawn_of(tmp_path, [one, two])
    # of t0: c (a and b were shown) and e; of t1: e and f; of t2: f, tied with g, and g, tied with e
    assert {q.transaction_id: q.images for q in found.questions} == {
        "t0": ("c", "e"),
        "t1": ("e", "f"),
        "t2": ("f", "g"),
    }
    assert found.tied == {"one": 1, "two": 1}
    assert "shown images were left out" in drawn(found)[1]
    assert Design.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_a_ranking_of_shown_images_alone_is_left_out_and_counted(tmp_path: Path) -> None:
    one = {"t0": ("ba", (4, 3)), "t1": ("ef", (2, 1)), "t2": ("e", (1,))}
    two = {"t0": ("ef", (4, 3)), "t1": ("cg", (3, 2)), "t2": ("e", (1,))}
    found = drawn_of(tmp_path, [one, two])
    assert [question.transaction_id for question in found.questions] == ["t1"]
    assert found.counts == {"only shown images": 1, "same image first": 1, "different": 1}
    assert "Left out: 1 same image first, 1 only shown images." in drawn(found)


# Places


def test_where_people_leave_the_report_counts_where_models_stood_and_does_not_say_balanced() -> None:
    of = design(10)
    full = summary(of, said(of, ["0101010101", "1010101010"]))
    assert full["stood"] == {"counts": [[10, 10], [10, 10]], "balanced": True}
    odd = summary(of, said(of, ["0", "0", "0", "0", "0"]))  # five people answer the first question alone
    assert odd["stood"] == {"counts": [[3, 2], [2, 3]], "balanced": True}
    left = [next(q for q in range(10) if of.shown(q, who) == (0, 1)) for who in range(5)]
    two_left = summary(of, said(of, [" " * q + "0" for q in left]))  # of each what showed the first model on the left
    assert two_left["stood"] == {"counts": [[5, 0], [0, 5]], "balanced": False}
    notes = {title: (rows, note) for title, _, rows, note in tables(two_left)}
    rows, note = notes["Where each model stood, in answers"]
    assert rows == [["one", 5, 0], ["two", 0, 5]] and note.startswith("Not balanced")
    assert "stand in each place equally often, so rates may owe" in two_left["claims"][-1]
    text = "\n".join([*two_left["claims"], *(note for *_, note in tables(two_left))])
    assert "no model gains" not in text and "alanced:" not in text
    both = [next(q for q in range(10) if of.shown(q, 0) == order) for order in ((0, 1), (1, 0))]
    row = "".join("0" if q in both else " " for q in range(10))
    neither = stood(of, [replace(answer, choice=None) for answer in said(of, [row])])
    assert neither["counts"] == [[1, 1], [1, 1]], "neither was shown somewhere, too"


def test_no_preference_is_claimed_for_a_model_that_always_stood_on_the_left() -> None:
    of = design(10)
    left = [Answer(0, n, 0, 2.0, (0, 1)) for n in range(10)]
    found = summary(of, left)
    (pair,) = found["pairs"]
    assert pair["p"] == binomtest(10, 10).pvalue < 0.01 and pair["p_places"] == 1
    assert found["claims"][0].startswith("No preference between one and two may be claimed")
    assert (
        "It may be the place: one stood in the place that was taken more often on 10 of these targets, two on 0."
        in (found["claims"][0])
    )
    assert not any("no model gains" in claim for claim in found["claims"])
    # The same wins in turned places are a preference
    assert summary(of, said(of, ["0" * 10]))["claims"][0].startswith("People prefer one to two (more people took one")


def test_a_preference_that_unequal_places_cannot_explain_is_claimed_and_says_so() -> None:
    of = design(12)
    shown = [(0, 1)] * 8 + [(1, 0)] * 4
    found = summary(of, [Answer(0, n, 0, 2.0, at) for n, at in enumerate(shown)])
    # 8 won in the better place and 4 in the other: of all ways to deal 8 better places to 12 wins there is one such
    assert found["pairs"][0]["p_places"] == pytest.approx(2 / 495)
    assert (
        found["claims"][0].startswith("People prefer one to two (")
        and "with places allowed for p" in (found["claims"][0])
    )


def test_the_test_that_allows_for_places_is_that_by_enumeration_and_else_the_sign_test() -> None:
    rng = np.random.default_rng(0)
    for _ in range(12):
        better = rng.integers(-1, 2, size=8).tolist()
        won = rng.integers(0, 2, size=8).astype(bool).tolist()
        held = sum(one == (at > 0) for one, at in zip(won, better, strict=True) if at)
        # Every outcome in which the better place won as often is as likely, whatever its chance
        totals = [
            sum(outcome)
            for outcome in product((False, True), repeat=8)
            if sum(one == (at > 0) for one, at in zip(outcome, better, strict=True) if at) == held
        ]
        low = sum(total <= sum(won) for total in totals) / len(totals)
        high = sum(total >= sum(won) for total in totals) / len(totals)
        assert allowed_for(list(zip(won, better, strict=True))) == pytest.approx(min(1, 2 * min(low, high)))
    assert allowed_for([(n < 9, 0) for n in range(10)]) == pytest.approx(binomtest(9, 10).pvalue)
    assert allowed_for([]) == 1


def test_the_test_that_allows_for_places_keeps_its_level_where_people_like_the_left() -> None:
    rng = np.random.default_rng(0)
    wrong = {"sign": 0, "places": 0}
    for _ in range(400):
        better = np.where(rng.random(40) < 0.8, 1, -1)  # the first model mostly on the left
        won = (rng.random(40) < 0.75) == (better > 0)  # which three of four people take, whatever is there
        wrong["sign"] += binomtest(int(won.sum()), 40).pvalue < 0.05
        wrong["places"] += allowed_for(list(zip(won.tolist(), better.tolist(), strict=True))) < 0.05
    assert wrong["places"] <= 400 * 0.05 + 9 and wrong["sign"] > 100


def test_a_liking_for_any_place_is_found_and_one_for_a_model_is_not() -> None:
    of = design(60, THREE_WAY, 3)
    turns = [of.shown(n, 0) for n in range(60)]
    places = [0] * 20 + [2] * 40  # left 20, middle 0, right 40: a third on the left, as chance would have it
    found = summary(of, [Answer(0, n, turns[n][place], 2.0, turns[n]) for n, place in enumerate(places)])
    assert found["places"]["counts"] == [20, 0, 40] and found["places"]["p"] < 0.001
    assert found["places"]["expected"] == pytest.approx([20, 20, 20], abs=1.5)
    assert any("The place mattered: of 60 decided answers 33.3% left" in claim for claim in found["claims"])
    model = summary(of, said(of, ["0" * 60]))
    assert model["places"]["p"] == 1 and model["places"]["expected"] == [20, 20, 20]
    # always on the left, and always taken: liked or on the left, nobody can tell
    confounded = summary(design(10), [Answer(0, n, 0, 2.0, (0, 1)) for n in range(10)])
    assert confounded["places"] == {"counts": [10, 0], "n": 10, "expected": [10, 0], "p": None}
    assert any("cannot be told whether people go by the place" in claim for claim in confounded["claims"])
    assert {title: rows for title, _, rows, _ in tables(confounded)}["Where the chosen image stood, in %"] == [
        ["left", 10, 10, "100.0", "100.0", "-"],
        ["right", 10, 0, "0.0", "0.0", ""],
    ]


def test_the_place_test_is_that_of_all_deals() -> None:
    of = design(8)
    shown = [of.shown(n, 0) for n in range(8)]
    choices = [at[0] for at in shown[:7]] + [shown[7][1]]  # left but for the last
    found = summary(of, [Answer(0, n, c, 2.0, at) for n, (c, at) in enumerate(zip(choices, shown, strict=True))])

    def lefts(orders: Sequence[tuple[int, ...]]) -> int:
        return sum(at[0] == choice for at, choice in zip(orders, choices, strict=True))

    deals = [lefts(deal) for deal in permutations(shown)]
    mean = sum(deals) / len(deals)
    exact = sum(abs(one - mean) >= abs(7 - mean) - 1e-9 for one in deals) / len(deals)
    assert found["places"]["expected"][0] == pytest.approx(mean)
    assert found["places"]["p"] == pytest.approx(exact, abs=0.01)


# Sentences


def test_direction_and_share_are_of_one_unit() -> None:
    of = design(12, clusters=12)
    # Eleven people take two on each of the first 3 questions, and one person takes one on the 9 others
    answers = said(of, ["111" + "0" * 9, *["111"] * 10])
    found = summary(of, answers)
    first = found["claims"][0]
    (pair,) = found["pairs"]
    assert (pair["answers_first"], pair["answers_second"], pair["share_first"]) == (9, 33, 9 / 12)
    assert pair["interval"] == list(binomtest(9, 12).proportion_ci())
    assert "more people took one on 9 of the 12 final targets that decide, 75.0%, 95% interval 42.8 to 94.5" in first
    assert "p (Holm) = 0.15" in first and "transactions" not in first and "decided answers" not in first
    assert "Of the answers more are for two (33 : 9), on fewer targets." in first
    other = summary(of, [replace(answer, choice=1 - (answer.choice or 0)) for answer in answers])["claims"][0]
    assert "more people took two on 9 of the 12 final targets that decide, 75.0%, 95% interval 42.8 to 94.5" in other


def test_a_preference_of_no_side_is_none() -> None:
    of = design(4)
    found = summary(of, said(of, ["0101", "1010"]))
    assert found["claims"][0] == (
        "No preference between one and two may be claimed: as many people took the one on every target."
    )


@pytest.mark.parametrize("table", [["0" * 12], ["0" * 12, "1" * 5]])
def test_it_is_always_said_that_only_different_first_images_were_asked_about(table: list[str]) -> None:
    of = design(12)
    found = summary(of, said(of, table))
    sentence = "Only transactions of b with different first images were asked about"
    assert sum(sentence in claim for claim in found["claims"]) == 1
    assert sentence in tables(found)[0][3], "under the rates"


# The file


class Clock:
    """Time that passes when told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1e9
        monkeypatch.setattr("mtbench.study.store.time.time", lambda: self.now)


@pytest.mark.parametrize(("way", "models"), [(PAIRWISE, 2), (THREE_WAY, 3)])
def test_people_who_begin_and_leave_do_not_unbalance_the_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, models: int
) -> None:
    clock = Clock(monkeypatch)
    of = design(12, way, models)
    store = Store(tmp_path / "s.sqlite", of)
    for _ in range(6):  # the last of every pair or three stays, who would always have seen the same places
        for stays in [False] * (models - 1) + [True]:
            who, _ = store.new_participant()
            for question in range(12 if stays else 0):
                store.answer(who, question, 0)
        clock.now += AWAY + 1
    for question in range(12):
        places = Counter(
            (place, model)
            for answer in store.answers()
            if answer.question == question
            for place, model in enumerate(answer.shown)
        )
        assert set(places.values()) == {6 // models}, f"question {question}"


def test_people_who_stop_half_way_even_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    of = design(5)
    store = Store(tmp_path / "s.sqlite", of)
    rng = np.random.default_rng(0)
    for n in range(40):  # every other one stops at the first question
        who, _ = store.new_participant()
        for question in of.order(who)[: int(rng.integers(1, 6)) if n % 2 else 1]:
            store.answer(who, question, 0)
        clock.now += AWAY + 1
    parity = Counter(answer.participant % 2 for answer in store.answers())
    assert abs(parity[0] - parity[1]) <= 5, "never further apart than one participant"


def test_who_is_still_at_it_counts_as_somebody_who_will_finish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    store = Store(tmp_path / "s.sqlite", design())
    assert [store.new_participant()[0] for _ in range(5)] == [0, 1, 2, 3, 4], "a class that begins at once takes turns"
    store.answer(1, 0, 0)
    clock.now += AWAY + 1
    assert store.new_participant()[0] == 6, "one answer in the odd places, none in the even ones"


def test_a_code_leads_back_to_the_same_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    of = design()
    store = Store(tmp_path / "s.sqlite", of)
    codes = dict(store.new_participant() for _ in range(4))
    clock.now += 90 * 86400
    store.new_participant()
    assert {number: store.participant(code) for number, code in codes.items()} == {n: n for n in range(4)}


def times_in(path: Path) -> list[float]:
    """Numbers in the file that may be times of day."""
    with closing(sqlite3.connect(path)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        cells = [cell for name in tables for row in database.execute(f"SELECT * FROM {name}") for cell in row]
    return [cell for cell in cells if isinstance(cell, (int, float)) and cell > 1e6]


def test_the_file_tells_how_long_and_not_when(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    path = tmp_path / "s.sqlite"
    store = Store(path, design(2))
    who, _ = store.new_participant()
    for question, took in enumerate((3.5, AWAY + 1)):
        store.showing(who, question)
        clock.now += took
        store.answer(who, question, 0)
    assert [answer.seconds for answer in store.answers()] == [3.5, None] and times_in(path) == []
    store.new_participant()
    assert times_in(path) == [clock.now], "of somebody who is at it"
    clock.now += AWAY + 1
    Store(path, design(2))
    assert times_in(path) == []


def everything(path: Path) -> bytes:
    return b"".join(part.read_bytes() for part in sorted(path.parent.glob(f"{path.name}*")))


def test_who_names_a_code_is_forgotten_and_nothing_of_them_stays(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    store = Store(path, design(500))
    (who, code), (other, kept) = store.new_participant(), store.new_participant()
    assert store.answer(who, 0, 0)
    rows = [
        (number, question, json.dumps(store.design.shown(question, number)))
        for number in (who, other)
        for question in range(500)
    ]
    with closing(sqlite3.connect(path)) as database, database:
        database.executemany("INSERT OR IGNORE INTO answer VALUES (?, ?, 0, 2.0, ?)", rows)
        hashed = database.execute("SELECT code FROM participant WHERE number = ?", (who,)).fetchone()[0]
    assert hashed.encode() in everything(path)
    wrong = CliRunner().invoke(main, ["study", "forget", str(path), "abcd-efgh-jkmn-pqrs"])
    assert wrong.exit_code == 2 and "nobody in" in wrong.stderr and len(wrong.stderr.strip().splitlines()) == 1
    assert "Traceback" not in wrong.output and len(store.answers()) == 1000
    before = path.stat().st_size
    done = CliRunner().invoke(main, ["study", "forget", str(path), code.upper().replace("-", " ")])
    assert done.exit_code == 0, done.output
    assert done.output == f"500 answers are gone from {path}, and who gave them is forgotten.\n"
    assert store.participant(code) is None and store.participant(kept) == other
    assert {answer.participant for answer in store.answers()} == {other} and store.participants() == 1
    assert hashed.encode() not in everything(path) and path.stat().st_size < before
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("PRAGMA freelist_count").fetchone() == (0,)
    assert CliRunner().invoke(main, ["study", "forget", str(path), code]).exit_code == 2, "once is enough"
    nowhere = CliRunner().invoke(main, ["study", "forget", str(tmp_path / "no.sqlite"), code])
    assert nowhere.exit_code == 2 and "there is no file" in nowhere.stderr


def test_somebody_is_forgotten_while_others_answer_and_read(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    of = design(60)
    store = Store(path, of)
    (gone, code), (stays, _) = store.new_participant(), store.new_participant()
    problems: list[BaseException] = []

    def person(who: int) -> None:
        try:
            mine = Store(path, of)
            for question in range(60):
                with suppress(sqlite3.OperationalError):  # does not wait long, and a page is shown all the same
                    mine.showing(who, question)
                mine.answer(who, question, 0)
        except BaseException as error:
            problems.append(error)

    def reader() -> None:
        with closing(sqlite3.connect(path)) as database:
            database.execute("BEGIN")
            database.execute("SELECT * FROM answer").fetchall()
            time.sleep(0.5)

    threads = [threading.Thread(target=person, args=(who,)) for who in (gone, stays)]
    threads.append(threading.Thread(target=reader))
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    assert Store(path).forget(code) is not None
    for thread in threads:
        thread.join()
    assert not problems, problems
    assert Counter(answer.participant for answer in store.answers()) == {stays: 60}
    assert not store.answer(gone, 0, 0), "an answer that was on its way is not kept"


# Agreement, against computations of another kind


def fleiss_of_pairs(units: Sequence[Sequence[Hashable]]) -> Fraction:
    """By pairs of raters and pairs of draws from all that was said."""
    observed = [
        Fraction(sum(one == two for one, two in combinations(unit, 2)), len(list(combinations(unit, 2))))
        for unit in units
    ]
    every = [one for unit in units for one in unit]
    chance = Fraction(sum(one == two for one, two in product(every, every)), len(every) ** 2)
    return (sum(observed, Fraction(0)) / len(observed) - chance) / (1 - chance)


def alpha_of_coincidences(units: Sequence[Sequence[Hashable]]) -> Fraction:
    """From the matrix of coincidences, cell by cell (Krippendorff 2004, section 11.3)."""
    cells: defaultdict[tuple[Hashable, Hashable], Fraction] = defaultdict(Fraction)
    for unit in units:
        for one, two in permutations(range(len(unit)), 2):
            cells[unit[one], unit[two]] += Fraction(1, len(unit) - 1)
    margins: defaultdict[Hashable, Fraction] = defaultdict(Fraction)
    for (left, _), count in cells.items():
        margins[left] += count
    n = sum(margins.values(), Fraction(0))
    apart = sum((count for (one, two), count in cells.items() if one != two), Fraction(0))
    chance = sum((margins[one] * margins[two] for one, two in permutations(margins, 2)), Fraction(0))
    return 1 - (n - 1) * apart / chance


@pytest.mark.parametrize(
    "table",
    [
        ["0011-", "0010-", "0110-"],
        ["01-01-", "0-1010"],
        ["000001", "000000", "000000", "00-000"],
        ["0101", "1010"],  # worse than chance
    ],
)
def test_agreement_of_complete_tables_is_that_of_pairs_and_coincidences(table: list[str]) -> None:
    of = design(len(table[0]))
    units = list(zip(*table, strict=True))
    (found,) = summary(of, said(of, table))["agreement"]
    assert found["fleiss_kappa"] == pytest.approx(float(fleiss_of_pairs(units)))
    assert found["krippendorff_alpha"] == pytest.approx(float(alpha_of_coincidences(units)))
    assert found["fleiss_raters"] == len(table) and found["shared_questions"] == len(units)


def test_agreement_with_missing_answers_takes_what_two_have_answered() -> None:
    table = ["01-0 1", "0 -1 0", " 1-00 "]
    of = design(6)
    units = [[row[n] for row in table if row[n] != " "] for n in range(6)]
    (found,) = summary(of, said(of, table))["agreement"]
    shared = [unit for unit in units if len(unit) > 1]
    assert found["krippendorff_alpha"] == pytest.approx(float(alpha_of_coincidences(shared)))
    assert found["shared_questions"] == len(shared) == 5
    # 00 agree, 11 agree, --- agree, 010 one pair of three, 10 none
    assert found["percent"] == pytest.approx((1 + 1 + 1 + 1 / 3 + 0) / 5)
    assert found["fleiss_kappa"] is None and found["fleiss_raters"] == 0, "nobody answered everything"


def test_there_is_no_agreement_of_one_rater_or_where_nothing_else_was_ever_said() -> None:
    of = design(4)
    (alone,) = summary(of, said(of, ["01-0"]))["agreement"]
    assert (alone["percent"], alone["krippendorff_alpha"], alone["fleiss_kappa"]) == (None, None, None)
    for letter in "01-":
        (same,) = summary(of, said(of, [letter * 4] * 3))["agreement"]
        assert (same["percent"], same["krippendorff_alpha"], same["fleiss_kappa"]) == (1, None, None)
    assert fleiss([[1, 0], [0, 1]]) is None and fleiss([]) is None and percent([]) is None and krippendorff([]) is None
    with pytest.raises(MtbenchError, match="as many raters for each unit"):
        fleiss([[2, 0], [1, 0]])
    # everybody of one mind, on both sides: full agreement
    assert fleiss([[3, 0], [0, 3]]) == 1 and krippendorff([["a"] * 3, ["b"] * 3]) == 1


# Whom the file is safe from


def test_who_knows_the_study_and_a_number_does_not_know_whose_image_is_where(tmp_path: Path) -> None:
    of = design(40)
    files = [Store(tmp_path / f"{n}.sqlite", of).design for n in range(8)]
    assert len({store.secret for store in files}) == 8
    for who in range(3):
        guessed = [of.shown(question, who) for question in of.order(who)]
        for store in files:
            assert [store.shown(question, who) for question in store.order(who)] != guessed
        assert len({tuple(store.shown(q, who) for q in range(40)) for store in files}) > 1
        for store in files:  # and places still come out even
            assert sum(store.shown(q, who)[0] == 0 for q in range(40)) == 20


CHANGES = {
    "to no question": "question = 999",
    "of no model": "choice = 9",
    "of no model ": "choice = 'x'",
    "to another order": "shown = '[0]'",
    "to another order ": "shown = 'junk'",
    "in no time that can be": "seconds = -5",
    "in no time that can be ": "seconds = 9e999",
    "of nobody who has begun": "participant = 77",
}


@pytest.mark.parametrize(("words", "change"), CHANGES.items())
def test_a_row_that_no_participant_can_have_given_is_named_in_a_line(tmp_path: Path, words: str, change: str) -> None:
    path = tmp_path / "s.sqlite"
    store = Store(path, design(4))
    who, _ = store.new_participant()
    assert store.answer(who, 2, 0)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"UPDATE answer SET {change}")
    found = CliRunner().invoke(main, ["study", "report", str(path)])
    assert found.exit_code == 2 and len(found.stderr.strip().splitlines()) == 1
    assert "it was changed" in found.stderr and words.strip() in found.stderr


@pytest.mark.parametrize("change", ["design = '{}'", "design = '[1]'", "design = replace(design, 'one', 'two')"])
def test_a_study_whose_questions_were_changed_is_refused_in_a_line(tmp_path: Path, change: str) -> None:
    path = tmp_path / "s.sqlite"
    of = replace(design(4), keys=("one", "two"))
    Store(path, of)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"UPDATE study SET {change}")
    found = CliRunner().invoke(main, ["study", "report", str(path)])
    assert found.exit_code == 2 and len(found.stderr.strip().splitlines()) == 1, found.output


def test_a_server_whose_file_was_replaced_or_removed_writes_into_no_other(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    store = Store(path, design(4))
    who, _ = store.new_participant()
    path.unlink()
    for extra in tmp_path.glob("s.sqlite-*"):
        extra.unlink()
    with pytest.raises(sqlite3.Error):
        store.answer(who, 0, 0)
    assert not path.exists()
    other = Store(path, replace(design(4), seed=7))
    assert other.new_participant()[0] == who
    with pytest.raises(sqlite3.DatabaseError, match="another study"):
        store.answer(who, 0, 0)
    assert other.answers() == []


def test_shares_of_answers_vary_as_final_targets_do_and_not_as_answers() -> None:
    of = design(4, clusters=2)
    found = summary(of, said(of, ["0101", "0101", "01 1"]))  # all take one for c0, 5 answers, and two for c1, 6 answers
    # Of two targets a draw has both alike in one of four, either way: 95% reach from no answer for one to all of them.
    rate, (pair,) = found["rates"][0], found["pairs"]
    assert (rate["rate"], rate["clusters"]) == (pytest.approx(5 / 11), 2)
    assert rate["interval"] == rate["decided_interval"] == pair["answers_interval"] == [0, 1]
    # Of three people one takes it in a third of their answers, two in half: of 27 draws one has only the former.
    assert rate["participant_interval"] == pytest.approx([1 / 3, 1 / 2])
