"""The page of results: what is in it, that nothing in a file becomes markup, and how it looks in a real browser."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import DESK, PHONE, opened
from click.testing import CliRunner
from letters import build_letters
from PIL import Image as Pillow
from tiny import write_tiny_benchmark

from mtbench.cli import main
from mtbench.core.errors import MtbenchError
from mtbench.core.registry import EVALUATORS
from mtbench.core.types import Transaction, Turn
from mtbench.data.benchmark import Benchmark
from mtbench.evaluation.comparison.comparable import Result
from mtbench.evaluation.evaluate import evaluate
from mtbench.evaluation.inputs import Settings
from mtbench.evaluation.results import Values
from mtbench.report.examples import choose
from mtbench.report.gather import gather
from mtbench.report.page import write_report
from mtbench.report.thumbnails import Thumbnails

EVIL = "<script>window.hacked=1;alert(1)</script><img src=x onerror=window.hacked=1> \"'&amp; {{ 7*7 }} $x^2$ `</style>"
"""Everything that would be markup, or run, if it were not text."""


class Reader(HTMLParser):
    """What a browser would make of a page: tags with their attributes, and the text between them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        self.text += " "

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    benchmark = build_letters(tmp_path_factory.mktemp("report"))
    for model in ("bm25", "last-turn"):
        evaluate(model, benchmark, benchmark.path / "results", Settings(evaluators=["all"]))
    return benchmark


@pytest.fixture(scope="module")
def headlines(letters: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the headline alone, which make a page at once, outside the benchmark."""
    folder = tmp_path_factory.mktemp("headlines")
    for model in ("bm25", "random"):
        evaluate(model, letters, folder, Settings())
    return folder


@pytest.fixture(scope="module")
def page(letters: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("page") / "report.html"
    write_report([letters.path / "results"], out)
    return out


def test_a_result_of_a_training_that_learned_nothing_says_so(headlines: Path, tmp_path: Path) -> None:
    results = Path(shutil.copytree(headlines, tmp_path / "results"))
    assert "nothing was learned" not in page_text(results, tmp_path / "plain.html")
    (folder,) = results.glob("random-*")
    record = json.loads((folder / "result.json").read_text())
    record["trained"] = [{"model": "random", "chosen_on_dev": {"random": {"best_epoch": 0}}}]
    (folder / "result.json").write_text(json.dumps(record))
    told = "No epoch of a training did better on dev than its start, so nothing was learned in that phase: random."
    assert told in page_text(results, tmp_path / "marked.html")


def test_a_result_that_learned_from_what_leaks_is_marked(headlines: Path, tmp_path: Path) -> None:
    results = Path(shutil.copytree(headlines, tmp_path / "results"))
    assert "LEAK" not in page_text(results, tmp_path / "plain.html")
    (folder,) = results.glob("random-*")
    record = json.loads((folder / "result.json").read_text())
    record["trained"] = [{"model": "random", "leak": {"marked": True}}]
    (folder / "result.json").write_text(json.dumps(record))
    text = page_text(results, tmp_path / "marked.html")
    assert sorted(gather([results]).names) == ["bm25", "random LEAK"]
    assert "LEAK: trained on what leaks into the test part (--allow-leak), so no fair score." in text


def page_text(results: Path, out: Path) -> str:
    write_report([results], out)
    return Reader(out.read_text()).text


def write_evil(folder: Path) -> Benchmark:
    """A leaking benchmark with pictures, whose every name and text is markup; some of its image files are broken."""
    names = [f"{n} <b onclick=alert({n})>" for n in range(8)]
    images = folder / "pictures"
    images.mkdir(parents=True)
    for n, name in enumerate(names):
        Pillow.new("RGB", (40, 30), (30 * n, 90, 200)).save(images / f"{name}.png")
    (images / f"{names[1]}.png").write_bytes(b"no picture")
    (images / f"{names[2]}.png").unlink()
    (folder / "secret.png").write_bytes((images / f"{names[0]}.png").read_bytes())
    (images / f"{names[2]}.png").symlink_to(folder / "secret.png")

    def turns(*path: int) -> tuple[Turn, ...]:
        return tuple(Turn(names[a], (f"make it {b} {EVIL}",), names[b]) for a, b in pairwise(path))

    transactions = {
        "train": [Transaction("train.0", "dress", turns(0, 1, 2))],
        "dev": [Transaction("dev.0", "dress", turns(3, 4, 5))],
        "test": [
            Transaction(f"test.0 {EVIL}", "dress", turns(0, 1, 6)),
            Transaction("test.1", "dress", turns(5, 6, 7, 3)),
            Transaction("test.2", "dress", turns(4, 7, 2)),
        ],
    }
    captions = {split: {name: f"dress {n} {EVIL}" for n, name in enumerate(names)} for split in transactions}
    return write_tiny_benchmark(folder / "evil", name=EVIL, transactions=transactions, captions=captions, images=images)


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Path:
    benchmark = write_evil(tmp_path_factory.mktemp("evil"))
    for model in ("bm25", "random"):
        record = evaluate(model, benchmark, benchmark.path / "results", Settings(evaluators=["all"]))
        folder = benchmark.path / "results" / f"{model}-{record['key'][:8]}"
        record["model"] = f"{model} {EVIL}"
        record["chosen_on_dev"] = {EVIL: EVIL}
        record["studies"][EVIL] = {"rows": [{EVIL: EVIL, "n": 3, "x": 0.5, "x interval": [0.25, 1]}], "notes": [EVIL]}
        record["studies"]["order"] = {"not_available": EVIL}
        odd = {"turns": 2, "last": [1, 2], "variant": "model", "mean": "x", "after turn": True, "age": -1, "n": None}
        for study in ("history-robustness", "trajectory", "closed-loop", "counterfactual"):
            record["studies"][study]["rows"].append(odd)  # is in the table, and in no plot
        (folder / "result.json").write_text(json.dumps(record))
    out = benchmark.path / "report.html"
    write_report([benchmark.path / "results"], out)
    return out


def run(*arguments: object) -> Any:
    return CliRunner().invoke(main, ["report", *map(str, arguments)])


def records_of(benchmark: Benchmark) -> dict[str, dict[str, Any]]:
    found = (json.loads(path.read_text()) for path in sorted((benchmark.path / "results").glob("*/result.json")))
    return {record["model"]: record for record in found}


# What is in it


def test_the_page_shows_the_scores_with_their_intervals_and_the_task(page: Path, letters: Benchmark) -> None:
    shown = " ".join(Reader(page.read_text()).text.split())
    for model, record in records_of(letters).items():
        low, high = record["intervals"]["mean"]
        assert f"{model} {100 * record['measures']['mean']:.1f} {100 * low:.1f} to {100 * high:.1f}" in shown
    for fact in (
        letters.revision[:12],
        "3 (2 of 2 turns, 1 of 3 turns)",
        "19 images (dress 10, shirt 9)",
        "caption, for",
    ):
        assert fact in shown


def test_every_evaluator_has_a_place_and_says_why_it_has_no_numbers(page: Path, letters: Benchmark) -> None:
    shown = page.read_text()
    for name in EVALUATORS.names():
        assert name == "recall" or f"All numbers: {name}" in shown or "not available: it needs" in shown
    needs = {r["studies"]["multi-target"]["not_available"] for r in records_of(letters).values()}
    assert f"bm25, last-turn: not available: it {needs.pop()}." in Reader(shown).text.replace(
        "last-turn, bm25", "bm25, last-turn"
    )


def test_links_lead_somewhere_ids_are_unique_and_drawings_say_what_they_show(page: Path) -> None:
    reader = Reader(page.read_text())
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    used = {attributes["href"] for attributes in reader.all("a")} | {u["xlink:href"] for u in reader.all("use")}
    assert {address[1:] for address in used} <= set(ids)
    plots = [attributes for attributes in reader.all("svg") if attributes.get("role") == "img"]
    assert len(plots) > 20
    assert all(len(attributes["aria-label"]) > 20 for attributes in plots)
    assert any("bm25" in attributes["aria-label"] for attributes in plots)
    assert len(reader.all("figure")) <= len(reader.all("table"))


def test_the_page_needs_nothing_from_outside(page: Path) -> None:
    reader = Reader(page.read_text())
    assert not reader.all("script") and not reader.all("iframe") and not reader.all("base")
    for _, attributes in reader.tags:
        for name in ("src", "href", "xlink:href", "srcset", "action"):
            assert attributes.get(name, "#").startswith(("#", "data:")), attributes
    assert "@import" not in page.read_text() and "url(http" not in page.read_text()


def test_the_same_results_give_the_same_bytes(page: Path, letters: Benchmark, tmp_path: Path) -> None:
    write_report(sorted((letters.path / "results").iterdir(), reverse=True), tmp_path / "again.html")
    assert (tmp_path / "again.html").read_bytes() == page.read_bytes()


def test_results_without_a_benchmark_have_no_examples_and_say_so(
    letters: Benchmark, headlines: Path, tmp_path: Path
) -> None:
    write_report([headlines], tmp_path / "page.html")
    assert "No examples: the results lie in no benchmark folder" in (tmp_path / "page.html").read_text()
    write_report([headlines], tmp_path / "other.html", benchmark=letters.path, count=2)
    assert (tmp_path / "other.html").read_text().count('<article class="example">') == 2


def test_a_limited_result_is_shown_with_a_warning_where_its_folder_is_given(letters: Benchmark, tmp_path: Path) -> None:
    evaluate("bm25", letters, tmp_path / "r", Settings(limit=2))
    assert run(tmp_path / "r", "--out", tmp_path / "a.html").exit_code == 2  # in a folder of results it is left out
    folder = next((tmp_path / "r").iterdir())
    assert run(folder, "--out", tmp_path / "a.html").exit_code == 0
    assert "bm25 is limited: it ranked only the first 2 transactions" in (tmp_path / "a.html").read_text()


def test_a_leaking_split_has_its_parts_apart_and_claims_for_the_clean_one(evil: Path) -> None:
    shown = " ".join(Reader(evil.read_text()).text.split())
    assert "This split leaks: 1 of 3 transactions were seen before by edge. Claims belong to the clean part." in shown
    assert "On the 2 transactions that are clean of edge leaks" in shown
    assert "mean, clean" in shown and "mean, leaked" in shown
    assert "2 turns, clean (n = 1)" in evil.read_text()


def test_examples_are_chosen_by_turns_of_their_kind() -> None:
    hits = {"a": (1, 1), "b": (0, 0), "c": (1, 0), "d": (0.5, 0.6), "e": (0, 0.2)}
    results = []
    for column in (0, 1):
        ids = np.array(list(hits), dtype=object)
        values = Values(ids, ids, ids, np.full(5, 2), {"R@5": np.array([row[column] for row in hits.values()], float)})
        results.append(Result(Path("x"), {}, values))
    chosen = choose(results, 5)
    assert [kind for _, kind in chosen] == [
        *("the results differ", "all results hit", "no result hits", "all results hit", "no result hits")
    ]
    assert {name for name, kind in chosen if kind == "no result hits"} == {"b", "e"}
    assert choose(results, 3) == chosen[:3]


# Nothing in a file becomes markup


def test_markup_in_captions_ids_feedback_and_names_stays_text(evil: Path) -> None:
    reader = Reader(evil.read_text())
    assert not reader.all("script") and len(reader.all("style")) == 1
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in reader.all("img"))
    assert not [name for _, attributes in reader.tags for name in attributes if name.startswith("on")]
    assert reader.text.count("<script>window.hacked=1;alert(1)</script>") > 20
    assert "{{ 7*7 }}" in reader.text and "<b onclick=alert(" in reader.text


def test_an_evaluator_that_nobody_knows_gets_its_rows_and_notes(evil: Path) -> None:
    shown = evil.read_text()
    assert "50.0 [25.0, 100.0]" in shown
    assert "All numbers: &lt;script&gt;" in shown


def test_broken_pictures_and_links_out_of_the_folder_become_words(evil: Path) -> None:
    thumbs = Thumbnails(Benchmark(evil.parent))
    assert thumbs("0 <b onclick=alert(0)>").src is not None
    assert [thumbs(f"{n} <b onclick=alert({n})>").src for n in (1, 2)] == [None, None]
    assert thumbs.broken == ["1 <b onclick=alert(1)>", "2 <b onclick=alert(2)>"]
    assert "2 image files cannot be shown" in evil.read_text()


def test_pictures_beyond_the_budget_are_left_out_and_counted(evil: Path) -> None:
    name = "0 <b onclick=alert(0)>"
    size = len(Thumbnails(Benchmark(evil.parent))(name).src or "")
    thumbs = Thumbnails(Benchmark(evil.parent), budget=2 * size - 1)
    assert [thumbs(name).src is not None for _ in range(3)] == [True, False, False]
    assert thumbs.left_out == 2 and thumbs(name).words.startswith("dress 0")


# What is refused


def damage(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / "result.json"
        record = json.loads(path.read_text())
        change(record)
        path.write_text(json.dumps(record))

    return apply


@pytest.mark.parametrize(
    ("apply", "said"),
    [
        (lambda folder: (folder / "result.json").write_text("{"), "is no result"),
        (lambda folder: (folder / "result.json").write_text("[" * 99999), "is no result"),
        (lambda folder: (folder / "run.parquet").write_bytes(b"x"), "run.parquet is not as mtbench evaluate writes it"),
        (lambda folder: (folder / "run.parquet").unlink(), "run.parquet is not there"),
        (damage(lambda r: r.update(studies=[])), "studies not as mtbench evaluate writes it"),
        (damage(lambda r: r["studies"].update(order={"rows": [[1]]})), "studies.order.rows[0] not as"),
        (damage(lambda r: r["studies"].update(order={"rows": [{"a": {"b": 1}}]})), "studies.order.rows[0].a not as"),
        (damage(lambda r: r["intervals"].update(mean="x")), "intervals.mean not as"),
        (damage(lambda r: r["by_turns"].update(two={})), "by_turns not as"),
        (damage(lambda r: r["by_turns"].pop("2")), "disagree on the numbers of turns"),
        (damage(lambda r: r.pop("environment")), "environment not as"),
        (damage(lambda r: r.update(leakage=7)), "leakage not as"),
        (damage(lambda r: r.update(revision="0" * 64)), "has revision"),
        (damage(lambda r: r.update(split="dev")), "has no transaction"),
        (damage(lambda r: r["ties_optimistic"].update(mean=float("nan"))), "ties_optimistic.mean not as"),
    ],
)
def test_a_result_of_another_shape_is_refused_in_one_line(
    apply: Callable[[Path], object], said: str, letters: Benchmark, headlines: Path, tmp_path: Path
) -> None:
    source = next(headlines.glob("bm25-*"))
    shutil.copytree(source, tmp_path / "one")
    apply(tmp_path / "one")
    found = run(tmp_path / "one", "--benchmark", letters.path, "--out", tmp_path / "page.html")
    assert found.exit_code == 2, found.output
    assert said in found.output and len(found.output.splitlines()) == 1, found.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one"]


def test_results_of_another_revision_or_split_are_refused(letters: Benchmark, evil: Path, tmp_path: Path) -> None:
    ours, out = letters.path / "results", tmp_path / "page.html"
    found = run(ours, next((evil.parent / "results").glob("bm25-*")), "--out", out)
    assert (
        found.exit_code == 2
        and "revision" in found.output
        and f"letters revision {letters.revision[:12]}" in found.output
    )
    evaluate("bm25", letters, tmp_path / "dev", Settings(split="dev"))
    found = run(next(ours.glob("bm25-*")), tmp_path / "dev", "--out", out)
    assert found.exit_code == 2 and "on dev, not on test" in found.output
    assert len(found.output.splitlines()) == 1
    found = run(ours, "--benchmark", evil.parent, "--out", out)
    assert found.exit_code == 2 and "give their benchmark as --benchmark DIR" in found.output
    assert not out.exists()


def test_files_that_may_not_be_written_are_refused_before_any_work(headlines: Path, tmp_path: Path) -> None:
    results, there = headlines, tmp_path / "there.html"
    there.write_text("mine")
    for arguments, said in (
        (["--out", there], "there.html exists; give another name, or add --overwrite"),
        (["--out", tmp_path / "page.pdf"], "a report is written as .html or .htm, not as .pdf"),
        (["--out", tmp_path], "not as"),
        (["--out", tmp_path / "a.html", "--examples", -1], "--examples must be 0 to 200, not -1"),
    ):
        found = run(results, *arguments)
        assert found.exit_code == 2 and said in found.output, found.output
    assert there.read_text() == "mine"
    assert "there is no such folder" in run(tmp_path / "none", "--out", tmp_path / "a.html").output
    assert run(results, "--out", there, "--overwrite", "--examples", 0).exit_code == 0
    assert there.read_text().startswith("<!doctype html>")


@pytest.mark.parametrize("package", ["jinja2", "matplotlib"])
def test_a_missing_package_is_named_with_what_to_type(
    package: str, headlines: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MtbenchError, match=rf'this needs {package}.*pip install "mtbench\[report\]"'):
        write_report([headlines], tmp_path / "page.html")


# In a real browser


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("which", ["page", "evil"])
def test_a_browser_shows_it_without_a_complaint(
    which: str, size: tuple[int, int], chromium: Any, request: pytest.FixtureRequest
) -> None:
    path: Path = request.getfixturevalue(which)
    with opened(chromium, path, width=size[0], height=size[1]) as found:
        tab = found.tab
        assert found.overflow <= 0
        tab.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert found.overflow <= 0, "with the tables open"
        plots = tab.evaluate(
            "[...document.querySelectorAll('svg.plot')].map(p => p.getBoundingClientRect())"
            ".map(r => [r.width, r.height])"
        )
        assert len(plots) > 20 and all(width > 200 and height > 50 for width, height in plots)
        images = tab.evaluate("[...document.images].map(i => i.complete && i.naturalWidth > 0)")
        assert all(images) and (which == "page" or len(images) > 10)
        assert tab.evaluate("typeof window.hacked") == "undefined"
        assert tab.evaluate("getComputedStyle(document.querySelector('td.num')).textAlign") == "right"
        assert "tabular-nums" in tab.evaluate("getComputedStyle(document.querySelector('td.num')).fontVariantNumeric")
        assert found.problems == []
