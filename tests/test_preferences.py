"""The preference study: balanced and blinded questions, answers that last, numbers by hand, and people in a browser."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image as Pillow
from scipy.stats import binomtest
from tiny import write_tiny_benchmark

from builders.shoebox import Shoebox
from mtbench.cli import main
from mtbench.core.errors import MtbenchError
from mtbench.core.types import Transaction, Turn
from mtbench.data.benchmark import Benchmark
from mtbench.data.build import BuildOptions, build
from mtbench.evaluation.evaluate import evaluate
from mtbench.evaluation.inputs import Settings
from mtbench.evaluation.runs import Ranking, write_run
from mtbench.evaluation.statistics import bootstrap
from mtbench.study.agreement import fleiss, krippendorff, percent
from mtbench.study.app import create_app
from mtbench.study.design import PAIRWISE, THREE_WAY, Design, Question
from mtbench.study.report import summary
from mtbench.study.serve import design_of, serve
from mtbench.study.store import Answer, Store
from mtbench.web.pictures import Pictures
from mtbench.web.server import address, listen, server_on

EVIL = "<script>window.hacked=1</script><img src=x onerror=window.hacked=1> \"'&amp; {{ 7*7 }}"
MODELS = ("bm25", "random", "cat")


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    folder = tmp_path_factory.mktemp("box")
    found = build(
        "shoebox",
        Shoebox(),
        folder / "raw",
        folder / "box",
        BuildOptions(extra={"size": 150, "width": 48}),
        progress=False,
    )
    for model in MODELS:
        evaluate(model, found, found.path / "results", Settings())
    return found


def folders(box: Benchmark, *models: str) -> list[Path]:
    return [next((box.path / "results").glob(f"{model}-*")) for model in models or MODELS]


@contextmanager
def serving(store: Store, benchmark: Benchmark) -> Iterator[str]:
    with listen("127.0.0.1", 0) as listening:
        server = server_on(listening, create_app(store, benchmark, hosts=frozenset({"127.0.0.1"})))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield address(server).rstrip("/")
    finally:
        server.shutdown()


def design(questions: int = 12, way: str = PAIRWISE, models: int = 2, clusters: int | None = None) -> Design:
    groups = [(0, 1), (0, 2), (1, 2)] if way == PAIRWISE and models == 3 else [tuple(range(models))]
    asked = tuple(
        Question(f"t{n}", f"c{n % (clusters or questions)}", groups[n % len(groups)], ("x", "y", "z")[: len(groups[0])])
        for n in range(questions)
    )
    about = {"benchmark": "b", "revision": "r" * 64, "split": "test"}
    names = ("one", "two", "three")[:models]
    return Design(names, names, way, 0, questions, asked, about, questions, {"different": questions}, {})


# The design


@pytest.mark.parametrize(("way", "models"), [(PAIRWISE, 2), (THREE_WAY, 3), (PAIRWISE, 3)])
def test_each_model_stands_in_each_place_equally_often(way: str, models: int) -> None:
    found = design(36, way, models)
    for participant in range(6):
        places = Counter(
            (found.questions[q].models, place, model)
            for q in range(36)
            for place, model in enumerate(found.shown(q, participant))
        )
        assert len(set(places.values())) == 1, "over the questions of one participant"
    wide = len(found.questions[0].models)
    for question in range(36):
        places = Counter(
            (place, model) for who in range(wide) for place, model in enumerate(found.shown(question, who))
        )
        assert set(places.values()) == {1}, "over as many participants as there are places"
    orders = {found.shown(question, who) for question in range(36) for who in range(6)}
    assert len(orders) == {2: 2, 3: 6}[wide]


def test_every_participant_has_an_order_of_their_own_that_can_be_had_again() -> None:
    found = design(20)
    assert found.order(3) == Design.from_json(json.loads(json.dumps(found.to_json()))).order(3)
    assert sorted(found.order(3)) == list(range(20)) and found.order(3) != found.order(4)


def test_questions_are_drawn_where_the_first_images_differ(box: Benchmark) -> None:
    found = design_of(folders(box), box, questions=10, seed=1)
    assert found == design_of(folders(box), box, questions=10, seed=1)
    assert found.identity != design_of(folders(box), box, questions=10, seed=2).identity
    assert found.way == THREE_WAY and all(len(set(question.images)) == 3 for question in found.questions)
    assert found.counts["different"] + found.counts["same image first"] == found.transactions
    shown = {t.transaction_id: {turn.reference for turn in t.turns} for t in box.transactions("test")}
    assert not any(shown[question.transaction_id] & set(question.images) for question in found.questions)
    pairs = design_of(folders(box), box, questions=9, pairwise=True)
    assert Counter(question.models for question in pairs.questions) == {(0, 1): 3, (0, 2): 3, (1, 2): 3}
    assert len({question.transaction_id for question in pairs.questions}) == 9


def test_what_cannot_be_asked_is_refused(box: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(MtbenchError, match="two or three different results, not 1"):
        design_of(folders(box, "bm25"), box)
    with pytest.raises(MtbenchError, match="--questions must be 1"):
        design_of(folders(box), box, questions=0)
    with pytest.raises(MtbenchError, match="give their benchmark"):
        design_of(folders(box), write_tiny_benchmark(tmp_path / "other"))
    found = design_of(folders(box, "bm25", "random"), box, questions=3)
    with pytest.raises(MtbenchError, match=r"--host 0\.0\.0\.0 lets other machines in.* Add --public"):
        serve(found, box, tmp_path / "s.sqlite", host="0.0.0.0")
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(MtbenchError, match="Give another --port"):
        serve(found, box, tmp_path / "s.sqlite", port=taken.getsockname()[1])
    assert not (tmp_path / "s.sqlite").exists(), "no file is left of a study that was never served"


# The store


def test_an_answer_is_kept_once_and_the_file_knows_its_study(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    store = Store(path, design())
    (who, code), (other, _) = store.new_participant(), store.new_participant()
    assert (who, other) == (0, 1) and store.participant(code.upper().replace("-", " ")) == 0
    assert store.participant("abcd") is None and code.encode() not in path.read_bytes()
    store.showing(0, 4)
    assert store.answer(0, 4, 1) and not store.answer(0, 4, 0)
    again = Store(path, design())
    (answer,) = again.answers()
    assert (
        (answer.choice, answer.shown) == (1, store.design.shown(4, 0))
        and answer.seconds is not None
        and 0 <= answer.seconds < 5
    )
    with pytest.raises(MtbenchError, match="another study: other number of questions"):
        Store(path, design(13))
    assert replace(Store(path).design, secret="") == design()


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    text, other = tmp_path / "notes.sqlite", tmp_path / "other.sqlite"
    text.write_text("my notes, which are not a database at all, however long they are")
    with closing(sqlite3.connect(other)) as database, database:
        database.execute("CREATE TABLE mine (x)")
    for path in (text, other):
        before = path.read_bytes()
        with pytest.raises(MtbenchError):
            Store(path, design())
        with pytest.raises(MtbenchError):
            Store(path)
        assert path.read_bytes() == before
    with pytest.raises(MtbenchError, match="there is no file"):
        Store(tmp_path / "nowhere.sqlite")
    result = CliRunner().invoke(main, ["study", "report", str(tmp_path)])
    assert result.exit_code == 2 and "is a folder; give the file that mtbench study serve made" in result.stderr


def test_a_file_of_another_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    Store(path, design()).new_participant()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE participant SET seen = 1")
        database.execute("PRAGMA user_version = 2")
    for of in (None, design()):
        with pytest.raises(MtbenchError, match="has schema version 2, and this mtbench reads 1"):
            Store(path, of)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT seen FROM participant").fetchone() == (1,)


KILLED = """
import json
from pathlib import Path
from mtbench.study.design import Design
from mtbench.study.store import Store
store = Store(Path({path!r}), Design.from_json(json.loads({text!r})))
store.new_participant()
for n in range(500):
    store.answer(0, n, n % 2)
    print(n, flush=True)
"""


def test_a_killed_process_loses_no_answer_that_was_given(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    code = KILLED.format(path=str(path), text=json.dumps(design(500).to_json()))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) == 20:
                process.send_signal(signal.SIGKILL)
                break
        told = 20 + len(process.stdout.read().split())
    kept = Store(path, design(500)).answers()
    assert [answer.question for answer in kept] == list(range(len(kept))) and told + 1 <= len(kept) <= told + 2
    assert all(answer.choice == answer.question % 2 for answer in kept)


def test_many_at_once_all_get_a_number_and_all_answers_are_kept(tmp_path: Path) -> None:
    stores = [Store(tmp_path / "s.sqlite", design()) for _ in range(4)]

    def person(store: Store) -> None:
        who, _ = store.new_participant()
        for question in range(12):
            store.answer(who, question, 0)

    threads = [threading.Thread(target=person, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(answer.participant for answer in stores[0].answers()) == dict.fromkeys(range(4), 12)


# The report


def said(table: list[str], shown: tuple[int, ...] = (0, 1)) -> list[Answer]:
    """Of each participant a letter per question: the place of the model, - for neither, blank for none."""
    return [
        Answer(who, question, None if letter == "-" else int(letter), 2.0, shown)
        for who, row in enumerate(table)
        for question, letter in enumerate(row)
        if letter != " "
    ]


def test_rates_and_sign_tests_are_those_by_hand() -> None:
    found = summary(design(8), said(["00000001", "0000-011"]))
    one, two = found["rates"]
    assert (one["n"], one["chosen"], one["neither"], one["rate"]) == (16, 12, 1, 12 / 16)
    assert (two["chosen"], two["decided_rate"]) == (3, 3 / 15)
    values = np.array([1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 0, 0])
    by_hand = bootstrap(values, [f"c{n}" for n in range(8)] * 2)
    assert one["interval"] == [by_hand.low[0], by_hand.high[0]]
    assert one["participant_interval"] == [5 / 8, 7 / 8]
    (pair,) = found["pairs"]
    # question 6 is 1 : 1, question 7 is 0 : 2, the other six are of the first
    assert (pair["targets_first"], pair["targets_second"], pair["targets_tied"]) == (6, 1, 1)
    assert pair["p"] == pair["p_holm"] == binomtest(6, 7).pvalue == 0.125
    assert pair["p_answers"] == binomtest(12, 15).pvalue
    assert found["median_seconds"] == 2.0 and (found["answered"], found["finished"]) == (2, 2)
    assert found["claims"][0].startswith(
        "No preference between one and two may be claimed (more people took one on 6 of the 7 final targets that "
        "decide, 85.7%, 95% interval 42.1 to 99.6; sign test p (Holm) = 0.12"
    )


def test_a_clear_preference_is_claimed_for_the_right_model_and_one_person_is_not_people() -> None:
    turned = [replace(answer, shown=design(9).shown(answer.question, 0)) for answer in said(["1111111-1"])]
    found = summary(design(9), turned)
    assert found["claims"][0].startswith("People prefer two to one (more people took two on 8 of the 8 final targets")
    assert "One participant answered" in found["claims"][1]
    assert summary(design(9), [])["claims"] == ["There are no answers yet, so nothing may be claimed."]


def test_transactions_of_one_target_are_one_piece_of_evidence() -> None:
    (pair,) = summary(design(8, clusters=2), said(["00000000"]))["pairs"]
    assert (pair["targets_first"], pair["answers_first"], pair["p"]) == (2, 8, 0.5)


def test_of_three_models_a_choice_says_nothing_of_the_two_others() -> None:
    found = summary(design(6, THREE_WAY, 3), said(["000012"], (0, 1, 2)))
    pairs = {(row["first"], row["second"]): (row["answers_first"], row["answers_second"]) for row in found["pairs"]}
    assert pairs == {("one", "two"): (4, 1), ("one", "three"): (4, 1), ("two", "three"): (1, 1)}
    assert [row["p_holm"] for row in found["pairs"]] == [1, 1, 1]
    pairwise = summary(design(6, PAIRWISE, 3), said(["000000"]))
    assert [row["n"] for row in pairwise["rates"]] == [4, 4, 4] and len(pairwise["agreement"]) == 3


def test_a_liking_for_the_left_is_found() -> None:
    turned = [design(10).shown(question, 0) for question in range(10)]
    found = summary(design(10), [Answer(0, question, shown[0], 2.0, shown) for question, shown in enumerate(turned)])
    places = found["places"]
    assert (places["counts"], places["n"], places["expected"]) == ([10, 0], 10, [5, 5])
    # Of the 252 ways to deal 5 orders of each kind to 5 choices of each model, two are as far from 5 : 5
    assert places["p"] == pytest.approx(2 / 252, abs=0.003)
    assert "The place mattered" in found["claims"][-1] and "no model gains by it" in found["claims"][-1]
    confounded = summary(design(10), said(["0000000000"], (0, 1)))
    assert confounded["places"]["p"] is None, "always on the left, and always taken: nobody can tell"
    assert not any("The place mattered" in claim for claim in confounded["claims"])


def test_fleiss_is_that_of_statsmodels() -> None:
    reference = pytest.importorskip("statsmodels.stats.inter_rater")
    rng = np.random.default_rng(0)
    for _ in range(20):
        table = rng.multinomial(5, [0.5, 0.3, 0.2], size=12)
        assert fleiss(table.tolist()) == pytest.approx(reference.fleiss_kappa(table), abs=1e-12)
    assert fleiss([[2, 0], [2, 0]]) is None
    found = summary(design(8), said(["0011-010", "0011-100", "0001-110"]))["agreement"][0]
    table = [[3, 0, 0], [3, 0, 0], [1, 2, 0], [0, 3, 0], [0, 0, 3], [1, 2, 0], [1, 2, 0], [3, 0, 0]]
    assert found["fleiss_kappa"] == pytest.approx(reference.fleiss_kappa(np.array(table)))
    assert found["percent"] == pytest.approx((5 + 3 / 3) / 8)


def test_krippendorff_is_that_of_the_published_example() -> None:
    # Three coders of 15 units with gaps, from Krippendorff's own reliability example: alpha 0.691 as nominal data
    coders = ["*****34121133*3", "1*213343*******", "**21344*21133*4"]
    units = [[coder[n] for coder in coders if coder[n] != "*"] for n in range(15)]
    assert krippendorff(units) == pytest.approx(0.691, abs=5e-4)
    assert krippendorff([["a"], ["b"]]) is None and percent([["a"]]) is None


# The page


def begin(tab: Any, url: str) -> str:
    tab.goto(url)
    tab.check("[name=consent]")
    with tab.expect_navigation():
        tab.click("text=Begin")
    code = str(tab.locator("#mine").text_content())  # shown once, before the first question
    with tab.expect_navigation():
        tab.click("text=To the first question")
    return code


def press(tab: Any, button: str) -> None:
    with tab.expect_navigation():
        tab.click(f"button[value='{button}']")


def key(tab: Any, name: str) -> None:
    tab.wait_for_load_state()
    tab.wait_for_timeout(400)  # a key that is still down from the question before does not count
    with tab.expect_navigation():
        tab.keyboard.press(name)


def test_ten_answers_in_a_browser_are_collected_and_reported(chromium: Any, box: Benchmark, tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    store = Store(path, design_of(folders(box, "bm25", "random"), box, questions=10))
    problems: list[str] = []
    sources: list[str] = []
    with serving(store, box) as url:
        here = chromium.new_context(viewport={"width": 390, "height": 844})
        tab = here.new_page()
        tab.on("console", lambda message: problems.append(message.text))
        tab.on("response", lambda response: sources.extend([response.url, str(response.headers)]))
        code = begin(tab, url)
        for n in range(4):
            assert tab.title() == f"Question {n + 1} of 10"
            assert tab.evaluate("[...document.images].every(one => one.complete && one.naturalWidth > 0)")
            assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
            smallest = tab.evaluate(
                "Math.min(...[...document.querySelectorAll('#answers button')].map(b => b.offsetHeight))"
            )
            assert smallest >= 48
            sources.append(tab.content())
            press(tab, str(n % 3))
        tab.reload()
        assert tab.title() == "Question 5 of 10"
        tab.go_back()  # to what was answered: it is shown so, and cannot be answered again
        assert tab.title() == "Question 4 of 10" and "Answers stay as they are" in tab.content()
        assert not tab.locator("#answers button").count()
        with tab.expect_navigation():
            tab.click("text=Go on")
        key(tab, "0")
        here.close()

        elsewhere, other = chromium.new_context(java_script_enabled=False), chromium.new_context()
        tab, second = elsewhere.new_page(), other.new_page()
        tab.goto(url)
        tab.click("summary")
        tab.fill("#code", "wrong-code")
        tab.click("text=Go on")
        assert "Nobody has this code" in tab.content()
        tab.fill("#code", code)
        tab.click("text=Go on")
        begin(second, url)
        for n in range(5, 10):  # two people at once
            assert tab.title() == f"Question {n + 1} of 10"
            press(tab, "1")
            if n < 8:
                press(second, "2")
        assert "All 10 answers are kept" in tab.content() and second.title() == "Question 4 of 10"
        second.goto(f"{url}/question/9")  # no skipping
        assert second.title() == "Question 4 of 10"
        elsewhere.close()
        other.close()
    assert not problems, problems
    seen = "\n".join(sources).lower()
    assert not any(word in seen for word in ("bm25", "random", *store.design.keys)), "blinded"
    answers = store.answers()
    assert Counter(answer.participant for answer in answers) == {0: 10, 1: 3}
    assert [tuple(answer.shown) for answer in answers] == [
        store.design.shown(answer.question, answer.participant) for answer in answers
    ]
    page = tmp_path / "report.html"
    found = CliRunner().invoke(main, ["study", "report", str(path), "--out", str(page)])
    assert found.exit_code == 0, found.output
    assert "13 answers of 2 participants (2 began, 1 finished)" in found.output
    for words in ("bm25 : random", "Krippendorff's alpha", "neither / cannot tell", "left"):
        assert words in found.output
    assert "Preference rates" in page.read_text()
    as_json = json.loads(CliRunner().invoke(main, ["study", "report", str(path), "--json"]).output)
    assert as_json["answers"] == 13 and as_json["neither"] == 3
    assert as_json["places"]["counts"] == [1 + 5, 1 + 3]
    again = CliRunner().invoke(main, ["study", "report", str(path), "--out", str(page)])
    assert again.exit_code == 2 and "--overwrite" in again.stderr


def test_the_keys_are_the_letters_on_the_page_or_their_numbers(chromium: Any, box: Benchmark, tmp_path: Path) -> None:
    store = Store(tmp_path / "study.sqlite", design_of(folders(box), box, questions=8))
    keys = ["a", "B", "c", "1", "2", "3", "0"]
    with serving(store, box) as url:
        context = chromium.new_context()
        tab = context.new_page()
        begin(tab, url)
        assert "A, B or C" in tab.locator(".keys").inner_text()
        for name in keys:
            tab.keyboard.press("d")
            key(tab, name)
        assert tab.title() == "Question 8 of 8"
        context.close()
    given = {answer.question: answer for answer in store.answers()}
    chosen = [given[question] for question in store.design.order(0)[:7]]
    places = [None if one.choice is None else one.shown.index(one.choice) for one in chosen]
    assert places == [0, 1, 2, 0, 1, 2, None]


def write_evil(folder: Path) -> tuple[Benchmark, list[Path]]:
    """A benchmark whose every text is markup, without pictures but one, and two rankings of it."""
    names = [f"{n} <b onclick=alert({n})>" for n in range(6)]
    (folder / "pictures").mkdir(parents=True)
    turns = (Turn(names[0], (f"is red {EVIL}",), names[1]), Turn(names[1], (EVIL,), names[2]))
    other = (Turn(names[3], ("is long",), names[4]), Turn(names[4], (EVIL,), names[5]))
    parts = {
        "train": [],
        "dev": [],
        "test": [Transaction(f"t {EVIL}", "dress", turns), Transaction("u", "dress", other)],
    }
    captions = {"test": {name: f"dress {n} {EVIL}" for n, name in enumerate(names)}}
    found = write_tiny_benchmark(folder / "evil", name=EVIL, transactions=parts, captions=captions)
    results = []
    for model, first in (("bm25", 2), ("random", 4)):
        folder_of = evaluate_to(found, model)
        run = [Ranking(t.transaction_id, [names[first], names[0]], np.array([2.0, 1.0])) for t in parts["test"]]
        write_run(folder_of / "run.parquet", run)
        results.append(folder_of)
    return found, results


def evaluate_to(benchmark: Benchmark, model: str) -> Path:
    evaluate(model, benchmark, benchmark.path / "results", Settings())
    return next((benchmark.path / "results").glob(f"{model}-*"))


def test_hostile_words_stay_words(chromium: Any, tmp_path: Path) -> None:
    benchmark, results = write_evil(tmp_path)
    store = Store(tmp_path / "s.sqlite", design_of(results, benchmark))
    with serving(store, benchmark) as url:
        context = chromium.new_context()
        tab = context.new_page()
        begin(tab, url)
        assert tab.locator(".candidates .words").count() == 2
        assert EVIL in tab.locator(".candidates").inner_text() and EVIL in tab.locator(".dialogue").inner_text()
        assert tab.evaluate("window.hacked") is None and not tab.locator("img").count()
        press(tab, "1")
        press(tab, "2")
        context.close()
    page = tmp_path / "report.html"
    found = CliRunner().invoke(main, ["study", "report", str(tmp_path / "s.sqlite"), "--out", str(page)])
    assert found.exit_code == 0 and "<script" not in page.read_text()


def test_the_server_gives_nothing_out_but_the_pictures_of_its_questions(box: Benchmark, tmp_path: Path) -> None:
    store = Store(tmp_path / "s.sqlite", design_of(folders(box, "bm25", "cat"), box, questions=4))
    client = create_app(store, box, hosts=frozenset({"127.0.0.1"})).test_client()
    good = {"base_url": "http://127.0.0.1:8410"}
    assert client.get("/", base_url="http://evil.example").status_code == 403
    assert (
        client.post("/begin", data={"consent": "yes"}, headers={"Origin": "http://evil.example"}, **good).status_code
        == 403
    )
    assert client.post("/begin", data={}, **good).status_code == 400 and store.participants() == 0
    assert client.get("/question/1", **good).location == "/"
    answer = client.post("/begin", data={"consent": "yes"}, headers={"Origin": good["base_url"]}, **good)
    assert "HttpOnly" in answer.headers["Set-Cookie"] and "SameSite=Strict" in answer.headers["Set-Cookie"]
    client.post("/begin", data={"consent": "yes"}, **good)
    assert store.participants() == 1, "a second click begins nothing"
    page = client.get("/question/1", **good)
    assert (
        "script-src 'self'" in page.headers["Content-Security-Policy"] and page.headers["Cache-Control"] == "no-store"
    )
    token = page.text.partition("/picture/")[2].partition('"')[0]
    picture = client.get(f"/picture/{token}", **good)
    assert picture.mimetype == "image/jpeg" and picture.data.startswith(b"\xff\xd8")
    asked = {image for question in store.design.questions for image in question.images}
    chosen = {question.transaction_id for question in store.design.questions}
    for transaction in box.transactions("test"):
        asked |= {turn.reference for turn in transaction.turns if transaction.transaction_id in chosen}
    unasked = next(image for image in box.images if image not in asked)
    pictures = Pictures(box, f"{store.design.identity}\t{store.design.secret}")
    assert pictures.jpeg(unasked) and client.get(f"/picture/{pictures.token(min(asked))}", **good).status_code == 200
    for name in (unasked, min(asked), pictures.token(unasked), "../local.json", "%2e%2e%2flocal.json"):
        assert client.get(f"/picture/{name}", **good).status_code == 404
    mine = token_of(client.get("/question/1", **good).text)
    for number, choice, token in (
        *((1, choice, mine) for choice in ("3", "9", "", "<b>")),
        *((1, "1", token) for token in ("", "é", mine[:-1])),
        *((number, "1", mine) for number in (2, 99)),
    ):
        sent = client.post(f"/question/{number}", data={"choice": choice, "token": token}, **good)
        assert sent.location == "/question/1?answer=lost"
    assert store.answers() == [] and "was not kept" in client.get(sent.location, **good).text
    for _ in range(2):
        sent = client.post("/question/1", data={"choice": "2", "token": mine}, **good)
        assert sent.location == "/question/2"
    assert len(store.answers()) == 1 and store.answers()[0].choice == store.answers()[0].shown[1]


def token_of(page: str) -> str:
    return page.partition('name="token" value="')[2].partition('"')[0]


def test_a_page_left_open_answers_for_nobody_else_and_changes_no_answer(box: Benchmark, tmp_path: Path) -> None:
    store = Store(tmp_path / "s.sqlite", design_of(folders(box, "bm25", "cat"), box, questions=4))
    client = create_app(store, box, hosts=frozenset({"localhost"})).test_client()
    client.post("/begin", data={"consent": "yes"})
    first = token_of(client.get("/question/1").text)
    client.post("/question/1", data={"choice": "1", "token": first})
    again = client.post("/question/1", data={"choice": "2", "token": first})  # in a second tab
    assert again.location == "/question/1?answer=lost" and len(store.answers()) == 1
    assert "the first answer stands" in client.get(again.location).text
    left_open = token_of(client.get("/question/2").text)
    client.post("/leave")
    client.post("/begin", data={"consent": "yes"})  # somebody else
    for number in (1, 2):
        client.post(f"/question/{number}", data={"choice": "1", "token": left_open})
    assert [answer.participant for answer in store.answers()] == [0]
    client.post("/leave")
    nobody = client.post("/question/2", data={"choice": "1", "token": left_open})
    assert nobody.location == "/?answer=lost" and "was not kept" in client.get(nobody.location).text


def test_a_file_in_use_is_told_and_the_answer_offered_again(
    box: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "s.sqlite", design_of(folders(box, "bm25", "cat"), box, questions=4))
    client = create_app(store, box, hosts=frozenset({"localhost"})).test_client()
    client.post("/begin", data={"consent": "yes"})

    def locked(*_: object) -> None:
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(store, "showing", locked)
    page = client.get("/question/1")  # only the time of it cannot be kept
    assert page.status_code == 200
    form = {"choice": "1", "token": token_of(page.text)}
    with monkeypatch.context() as while_locked:
        while_locked.setattr(store, "answer", locked)
        told = client.post("/question/1", data=form)
    assert told.status_code == 503 and "Your answer was not kept" in told.text and form["token"] in told.text
    with monkeypatch.context() as while_locked:
        while_locked.setattr(store, "participant", locked)
        while_locked.setattr(store, "new_participant", locked)
        pages = [client.get(place) for place in ("/", "/question/1", "/done")]
        client.delete_cookie(next(iter(client._cookies.values())).key)
        pages += [client.post("/begin", data={"consent": "yes"}), client.post("/resume", data={"code": "abcd"})]
    for page in pages:
        assert page.status_code == 503 and "cannot be shown now" in page.text and "Try again" in page.text
    client.post("/begin", data={"consent": "yes"})
    form["token"] = token_of(client.get("/question/1").text)
    assert client.post("/question/1", data=form).location == "/question/2" and len(store.answers()) == 1


def test_a_picture_is_not_set_against_words_and_twins_are_not_asked_about(tmp_path: Path) -> None:
    names = list("abcdefgh")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for n, name in enumerate(names[:4]):
        Pillow.new("RGB", (40, 30), (60 * min(n, 2), 90, 200)).save(pictures / f"{name}.png")  # c and d are twins
    pairs = [("a", "b"), ("a", "e"), ("c", "d")]
    turns = (Turn("g", ("is red",), "h"), Turn("h", ("is long",), "c"))
    rows = [Transaction(f"t{n}", "dress", turns) for n in range(3)]
    captions = {"test": {name: f"dress {name}" for name in names}}
    found = write_tiny_benchmark(
        tmp_path / "b", transactions={"train": [], "dev": [], "test": rows}, captions=captions, images=pictures
    )
    results = [evaluate_to(found, model) for model in ("bm25", "random")]
    for place, folder in enumerate(results):
        run = [Ranking(f"t{n}", [pair[place], "f"], np.array([1.0, place])) for n, pair in enumerate(pairs)]
        write_run(folder / "run.parquet", run)
    drawn = design_of(results, found)
    assert [question.transaction_id for question in drawn.questions] == ["t0"]
    assert (drawn.counts["cannot be shown"], drawn.counts["look the same"]) == (1, 1)
    assert drawn.tied == {"bm25": 0, "random": 1}


def test_the_command_serves_until_it_is_stopped_and_goes_on_with_its_file(box: Benchmark, tmp_path: Path) -> None:
    import urllib.request

    words = [*map(str, folders(box)), "--benchmark", str(box.path), "--out", str(tmp_path / "s.sqlite"), "--port", "0"]
    line = [sys.executable, "-m", "mtbench", "study", "serve", *words, "--questions", "5"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = iter(process.stdout)
        assert next(lines).startswith("5 questions of three images each, drawn with seed 0 among")
        address = next(text for text in lines if "The study is at" in text).split(" at ")[1].split()[0]
        with urllib.request.urlopen(address) as answer:
            assert "I agree to take part" in answer.read().decode()
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert list(lines)[-1] == f"Ended. The answers are in {tmp_path / 's.sqlite'}.\n"
        assert process.wait(10) == 0 and time.monotonic() - began < 5
    other = CliRunner().invoke(main, ["study", "serve", *words, "--questions", "6"])
    assert other.exit_code == 2 and "holds the answers of another study: other number of questions" in other.stderr
    assert "serve" in CliRunner().invoke(main, ["study"]).output


def test_without_flask_the_study_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flask", None)
    words = ["study", "serve", str(tmp_path), "--benchmark", str(tmp_path), "--out", str(tmp_path / "s.sqlite")]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2 and 'pip install "mtbench[chat]"' in result.stderr and result.stderr.count("\n") == 1
