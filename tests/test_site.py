"""The pages of the leaderboards in a real browser, from disk: what they show, how they work, and what stays text."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from boards import META, random_lists, write_beads, write_trec
from browser import DESK, PHONE, Page, opened

from mtbench.cli.leaderboard import overview_table
from mtbench.core.errors import MtbenchError
from mtbench.data.benchmark import Benchmark
from mtbench.leaderboard.board import Board, Quoted, read_board
from mtbench.leaderboard.evidence import FEW, TOO_FEW
from mtbench.leaderboard.opening import Opening, open_board
from mtbench.leaderboard.overview import overview
from mtbench.leaderboard.removed import remove
from mtbench.leaderboard.site import build_site
from mtbench.leaderboard.site.names import folder_of
from mtbench.leaderboard.standings import standings
from mtbench.leaderboard.submit import prepare
from mtbench.leaderboard.terminal import show

EVIL = '<script>alert(1)</script>"><img src=x onerror=alert(2)> {{ 7*7 }}'
DROPPED = [{"data": "train", "leaks": "dropped"}]
QUOTED = Quoted("Printed", "A paper, 2023", "image", {"mean": 0.5, "R@5": 0.4}, "as printed: nobody saw a ranking")


def first_at(benchmark: Benchmark, place: int) -> dict[str, list[tuple[str, float]]]:
    """Every target at one place, the rest of the gallery in its order."""
    lists = {}
    for t in benchmark.transactions("test"):
        images = [image for image in benchmark.gallery("test", t.category).image_ids if image != t.target]
        images.insert(place - 1, t.target)
        lists[t.transaction_id] = [(image, -float(i)) for i, image in enumerate(images)]
    return lists


def write_boards(root: Path, folder: Path) -> Benchmark:
    """A leaking board with an earlier version, seven systems, one of them all markup, one removed, one quoted."""
    old, new = (write_beads(folder / str(seed), seed=seed) for seed in (1, 2))
    board = open_board(
        root, "beads", old, Opening(title="Beads", about=EVIL, leaks_allowed=True, build="mtbench build")
    )
    _submit(board, folder, "first", random_lists(old, 0))
    board = open_board(root, "beads", new, Opening(leaks_allowed=True, build="mtbench build", quoted=(QUOTED,)))
    best = first_at(new, 1)
    _submit(
        board,
        folder,
        "winner",
        best,
        title="The best one",
        training=DROPPED,
        milliseconds=3.5,
        parameters=1_200_000,
        proxy="image",
        history={"1": 0.5, "2": 1.0},
        seed=0,
        seeds=[{"seed": 1, "measures": {"mean": 0.5}, "intervals": {"mean": [0.4, 0.6]}}],
        claims={"mean": 1.0},
    )
    _submit(board, folder, "constructor", random_lists(new, 1, scores=20), proxy="image", milliseconds=12.0)
    _submit(
        board,
        folder,
        "evil",
        random_lists(new, 2),
        **{"title": EVIL, "summary": EVIL, "authors": [EVIL, "Ann"], "features": EVIL, "proxy": "image"},
        **{"training": [{"data": "train", "leaks": "allowed"}, {"data": EVIL[:60]}], "options": {EVIL[:40]: EVIL}},
        **{"paper": 'https://example.org/a?b="><script>alert(3)</script>', "pretraining": [EVIL]},
    )
    _submit(
        board, folder, "sixth", first_at(new, 6), title="Sixth", proxy="image", variant_of="winner", training=DROPPED
    )
    _submit(board, folder, "words", random_lists(new, 3), title="Words", proxy="caption")
    _submit(board, folder, "nothing", random_lists(new, 4), title="Nothing")
    _submit(board, folder, "gone", random_lists(new, 5), title="Gone")
    remove(board, "gone", "Its authors asked for it <b>at once</b>.", "2026-02-03")
    return new


def _submit(
    board: Board, folder: Path, name: str, lists: Mapping[str, Sequence[tuple[str, float]]], **meta: Any
) -> None:
    run = write_trec(folder / f"{name}.trec", lists)
    prepare(board, run, {**META, "name": name, **meta}).write()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("root") / "boards"


@pytest.fixture(scope="module")
def benchmark(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return write_boards(root, tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def site(root: Path, benchmark: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site") / "pages"
    written = build_site(root, out, benchmarks=[benchmark])
    assert sorted(written) == sorted(path for path in out.rglob("*") if path.is_file())
    return out


@contextmanager
def page(chromium: Any, site: Path, name: str, *, size: tuple[int, int] = DESK, **settings: Any) -> Iterator[Page]:
    """A page of the site; nothing may be amiss with it when it is closed."""
    path, mark, rest = name.partition("?") if "?" in name else name.partition("#")
    look = {"within": site, "after": mark + rest, **settings}
    with opened(chromium, site / path, width=size[0], height=size[1], **look) as found:
        yield found
        assert found.problems == []


def systems(tab: Any, table: int = 0) -> list[str]:
    """The titles of the rows that are seen, in order."""
    rows = tab.locator("table.standings").nth(table).locator("tbody tr:visible th a:not(.self)")
    return [text[:12] for text in rows.all_inner_texts()]


def head(tab: Any, key: str) -> Any:
    return tab.locator("table.standings").first.locator(f"th[data-key={json.dumps(key)}]")


IMAGE = ["The best one", "Sixth", "<script>aler", "Nothing", "A system"]


def test_the_standings_sort_by_any_column_and_keep_it_in_the_address(chromium: Any, site: Path) -> None:
    with page(chromium, site, "beads/index.html") as found:
        tab = found.tab
        assert systems(tab)[:2] == IMAGE[:2] and sorted(systems(tab)) == sorted(IMAGE)
        assert head(tab, "mean").get_attribute("aria-sort") == "descending"
        tab.locator("th[data-key=system] button").first.click()
        assert systems(tab) == ["<script>aler", "A system", "Nothing", "Sixth", "The best one"]
        assert head(tab, "system").get_attribute("aria-sort") == "ascending"
        assert head(tab, "mean").get_attribute("aria-sort") is None
        head(tab, "milliseconds").locator("button").press("Enter")
        assert systems(tab)[:2] == ["The best one", "A system"]
        head(tab, "milliseconds").locator("button").press("Enter")
        assert systems(tab)[:2] == ["A system", "The best one"], "those without a number come last either way"
        address = tab.url
        assert "sort=milliseconds" in address
    with page(chromium, site, "beads/index.html#" + address.partition("#")[2]) as found:
        assert systems(found.tab)[:2] == ["A system", "The best one"]


def test_the_standings_filter_by_text_training_and_variants(chromium: Any, site: Path) -> None:
    with page(chromium, site, "beads/index.html") as found:
        tab = found.tab
        tab.get_by_placeholder("name, authors").fill("ANN")
        assert systems(tab) == ["<script>aler"] and tab.locator("#shown").inner_text() == "1 of 7 rows"
        tab.get_by_placeholder("name, authors").fill("")
        tab.get_by_label("hide leaking, unaudited or undeclared training").check()
        assert sorted(systems(tab)) == ["Sixth", "The best one"], "whose authors say that they dropped what leaks"
        tab.get_by_label("hide variants").check()
        assert "Sixth" not in systems(tab)
        tab.reload()
        assert "Sixth" not in systems(tab) and tab.get_by_label("hide variants").is_checked()


def test_a_row_has_a_permalink_and_the_leading_group_is_marked(chromium: Any, site: Path) -> None:
    with page(chromium, site, "beads/index.html#system-sixth") as found:
        target = found.tab.locator("tr:target")
        assert target.locator("th a:not(.self)").inner_text() == "Sixth"
        assert target.evaluate("row => row.getBoundingClientRect().top < innerHeight")
        assert systems(found.tab)[0] == "The best one", "the address of a row changes no order"
        leading = found.tab.locator("table.standings").first.locator("tr.leading")
        assert leading.count() == 1 and leading.locator("td.rank").inner_text() == "1"
        ids = found.tab.evaluate("[...document.querySelectorAll('[id]')].map(each => each.id)")
        assert len(ids) == len(set(ids))


def test_what_stands_for_the_images_is_never_mixed(chromium: Any, site: Path) -> None:
    with page(chromium, site, "beads/index.html") as found:
        assert sorted(systems(found.tab, 1)) == ["Nothing", "Words"]
        assert found.tab.locator("table.standings").count() == 2
        quoted = found.tab.locator("section", has=found.tab.locator("#quoted"))
        assert "Printed" in quoted.inner_text() and "not comparable" in quoted.inner_text()
        assert "nobody saw a ranking" in quoted.inner_text()
        removed = found.tab.locator("section", has=found.tab.locator("#removed")).inner_text()
        assert "gone" in removed and "<b>at once</b>" in removed
        assert found.tab.locator("svg.plot").count() >= 4
        found.tab.get_by_role("link", name="Version 1").click()
        found.tab.locator(".box", has_text="An earlier version").wait_for()
        assert systems(found.tab) == ["A system"]


def test_the_transactions_of_a_system_can_be_filtered_and_opened(
    chromium: Any, site: Path, benchmark: Benchmark
) -> None:
    with page(chromium, site, "beads/constructor.html") as found:
        tab = found.tab
        status = tab.locator("#browse [role=status]")
        assert status.inner_text() == "48 of 48 transactions"
        tab.get_by_label("Category").select_option(label="round")
        assert status.inner_text() == "24 of 48 transactions"
        tab.get_by_label("Leaks").select_option(label="leaked")
        leaked = tab.locator("#browse tbody tr").count()
        assert 0 < leaked < 24
        tab.get_by_label("Leaks").select_option(label="any")
        tab.get_by_label("Target").select_option(label="beyond 10")
        missed = [float(text.split()[0]) for text in tab.locator("#browse .rank").all_inner_texts() if ">" not in text]
        assert missed and min(missed) > 10
        tab.get_by_label("Target").select_option(label="anywhere")
        tab.get_by_label("Category").select_option(label="any")
        one = benchmark.transactions("test")[3]
        tab.get_by_placeholder("id, words").fill(one.transaction_id)
        button = tab.get_by_role("button", name=one.transaction_id)
        button.press("Enter")
        assert button.get_attribute("aria-expanded") == "true"
        detail = tab.locator("tr.detail")
        assert [one.turns[0].reference, one.target] == [
            detail.locator(".turns .id").first.inner_text(),
            detail.locator(".turns .goal .id").inner_text(),
        ]
        assert "is next" in detail.inner_text() and detail.locator(".heads li").count() == 5
        others = detail.locator(".others li")
        assert others.count() == 5 and others.first.inner_text() == "1 The best one"
        address = tab.url
    with page(chromium, site, "beads/constructor.html#" + address.partition("#")[2]) as found:
        assert found.tab.locator("tr.detail").count() == 1


def test_two_systems_are_compared(chromium: Any, site: Path, root: Path) -> None:
    with page(chromium, site, "beads/compare.html?a=winner&b=sixth") as found:
        tab = found.tab
        assert "The best one is better by a paired test" in tab.locator(".verdict").inner_text()
        assert "48 of 48 transactions" in tab.locator("#compare [role=status]").inner_text()
        first = tab.locator("table.differ tbody tr").first
        assert first.locator(".rank").all_inner_texts() == ["1", "6"] and first.locator(".heads").count() == 2
        assert first.locator("td .hit.id").count() == 1, "the target is marked where it is among the first five"
        tab.get_by_role("button", name="Swap").click()
        tab.locator("tr:first-child td:nth-child(2) .rank", has_text="6").wait_for()
        tab.get_by_label("Show").select_option(index=2)
        tab.locator("select[name=b]").select_option(value="words")
        tab.locator(".verdict", has_text="different tables").wait_for()
        assert "a=sixth" in tab.url and "b=words" in tab.url
    told = {p.row.name: p for p in standings(read_board(root / "beads")).tables[0].rows}
    assert "evil" in told["nothing"].not_told_from
    with page(chromium, site, "beads/compare.html#a=evil&b=nothing") as found:
        assert "cannot tell the two apart" in found.tab.locator(".verdict").inner_text()


def test_a_target_within_a_tie_counts_in_part_where_two_are_compared(chromium: Any, site: Path, root: Path) -> None:
    (row,) = (one for one in standings(read_board(root / "beads")).rows if one.name == "constructor")
    at_8 = float(row.values("R@8").sum())
    assert at_8 != round(at_8), "ties reach over the eighth place"
    with page(chromium, site, "beads/compare.html?a=winner&b=constructor") as found:
        line = found.tab.locator("tr", has_text="Targets at rank 8 or better").locator("td")
        shown = [float(text) for text in line.all_inner_texts()]
        assert shown == pytest.approx([48, at_8, 48 - at_8], abs=0.051)
        likelier = int((row.values("R@8") < 1).sum())
        assert f"A is likelier to have it in the first 8 in {likelier}, B in 0." in found.tab.inner_text("#compare")


PAGES = ["index.html", "beads/index.html", "beads/evil.html", "beads/compare.html", "beads/versions/1/first.html"]


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_scrolls_tables_and_not_the_page(name: str, chromium: Any, site: Path) -> None:
    with page(chromium, site, name, size=PHONE) as found:
        assert found.overflow <= 0
        for button in found.tab.locator("#browse button[aria-expanded]").all()[:1]:
            button.click()
        assert found.overflow <= 0


def test_it_is_dark_where_the_system_is_and_a_button_changes_and_keeps_that(chromium: Any, site: Path) -> None:
    color = "getComputedStyle(document.body).backgroundColor"
    with page(chromium, site, "beads/index.html", color_scheme="dark") as found:
        assert found.tab.evaluate(color) == "rgb(15, 19, 23)"
        ink = "getComputedStyle(document.querySelector('.plot text')).fill"
        assert found.tab.evaluate(ink) == "rgb(227, 232, 238)", "drawings follow"
        found.tab.get_by_role("button", name="Switch to light").click()
        assert found.tab.evaluate(color) == "rgb(255, 255, 255)"
        found.tab.reload()
        assert found.tab.evaluate(color) == "rgb(255, 255, 255)"


@pytest.mark.parametrize("name", ["beads/index.html", "beads/evil.html", "beads/compare.html?a=evil&b=winner"])
def test_markup_in_a_submission_stays_text(name: str, chromium: Any, site: Path) -> None:
    with page(chromium, site, name) as found:
        assert EVIL.split(" {{")[0] in found.tab.inner_text("main")
        assert "{{ 7*7 }}" in found.tab.inner_text("main")
        assert found.tab.evaluate("document.images.length") == 0
        scripts = found.tab.evaluate("[...document.scripts].map(each => each.src !== '' && each.text === '')")
        assert scripts and all(scripts)
        links = found.tab.evaluate("[...document.links].map(each => each.protocol)")
        assert set(links) <= {"file:", "https:"}


def test_without_scripts_it_is_plain_tables(chromium: Any, site: Path) -> None:
    with page(chromium, site, "beads/index.html", java_script_enabled=False) as found:
        assert sorted(systems(found.tab)) == sorted(IMAGE)
        assert not found.tab.locator("#filter").is_visible()
        assert found.tab.locator("table.standings button").count() == 0
    with page(chromium, site, "beads/constructor.html", java_script_enabled=False) as found:
        assert "needs JavaScript" in found.tab.inner_text("main")


def test_the_same_boards_give_the_same_bytes(root: Path, benchmark: Benchmark, site: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    again.mkdir()
    (again / "index.html").write_text("an older site")
    with pytest.raises(MtbenchError, match="--overwrite"):
        build_site(root, again)
    build_site(root, again, benchmarks=[benchmark], overwrite=True)
    one, two = (
        {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()} for out in (site, again)
    )
    assert one == two


def test_the_first_page_and_its_links_lead_somewhere(site: Path, chromium: Any) -> None:
    for path in sorted(site.rglob("*.html")):
        text = path.read_text(encoding="utf-8")
        for part in ('src="', 'href="'):
            for address in (piece.partition('"')[0] for piece in text.split(part)[1:]):
                if not address.startswith(("#", "data:", "https://")):
                    file = address.partition("#")[0].partition("?")[0]
                    assert (path.parent / file).is_file(), f"{path}: {address}"
    with page(chromium, site, "index.html") as found:
        assert "The best one" in found.tab.inner_text("article")
        assert "Train or dev holds a pair of" in found.tab.inner_text("article")


def test_programs_get_the_same_numbers(site: Path, root: Path) -> None:
    rows = list(csv.DictReader((site / "beads" / "board.csv").open(encoding="utf-8", newline="")))
    assert [row["name"] for row in rows if row["proxy"] == "image"][:2] == ["winner", "sixth"]
    assert float(rows[0]["mean"]) == 1.0 and rows[0]["clean mean"] == "1.0"
    board = json.loads((site / "beads" / "board.json").read_text(encoding="utf-8"))
    assert board["tables"]["image"][0]["name"] == "winner" and board["removed"][0]["name"] == "gone"
    one = json.loads((site / "beads" / "winner.json").read_text(encoding="utf-8"))
    assert one["description"]["title"] == "The best one" and one["standings"]["image"]["best"] == 1
    assert "The best one 100.0" in (site / "beads" / "badge.svg").read_text(encoding="utf-8")
    assert "100.0, rank 1" in (site / "beads" / "badges" / "winner.svg").read_text(encoding="utf-8")


def test_no_board_lies_where_a_page_of_ours_does(root: Path, tmp_path: Path) -> None:
    board = read_board(root / "beads")
    with pytest.raises(MtbenchError, match="cannot be called"):
        folder_of(Board(tmp_path / "index.html", **{k: v for k, v in vars(board).items() if k in _FIELDS}))


_FIELDS = set(Board.__dataclass_fields__) - {"folder"}


def test_a_terminal_shows_the_same(root: Path, benchmark: Benchmark) -> None:
    text = show(standings(read_board(root / "beads")))
    first, _, quoted = text.partition("Quoted from papers, and not comparable")
    assert first.index("The best one") < first.index("Sixth") < first.index("caption")
    assert "100.0" in first and "LEAKS" in first and "75.0 of 2" in first
    assert "Printed" in quoted and "Printed" not in first
    assert "Removed 2026-02-03: gone." in quoted


def test_training_that_nobody_declares_is_marked_wherever_a_system_leads(tmp_path: Path) -> None:
    board = few_beads(tmp_path)
    assert "undeclared" in show(standings(board))
    (row,) = overview(tmp_path / "boards")
    assert row["training"] == "undeclared" and "undeclared" in overview_table([row])
    build_site(tmp_path / "boards", tmp_path / "site")
    for name in ("index.html", "few/index.html", "few/one.html"):
        text = (tmp_path / "site" / name).read_text(encoding="utf-8")
        assert '<span class="pill undeclared" title="Its authors declare no training data.">undeclared</span>' in text


def test_a_system_that_leads_by_a_leak_is_marked_in_the_overview(root: Path, benchmark: Benchmark) -> None:
    rows = {row["proxy"]: row for row in overview(root)}
    assert rows["image"]["training"] == "dropped" and rows["caption"]["training"] == "undeclared"
    assert "LEAKS" in overview_table([rows["image"] | {"training": "leaks"}])


def test_clusters_are_told_beside_every_count_and_few_of_them_are_warned_of(tmp_path: Path) -> None:
    board = few_beads(tmp_path)
    n, clusters = len(board.sealed), len(set(board.sealed.clusters.tolist()))
    assert clusters < FEW < n
    told = f"{n} transactions in {clusters} clusters"
    assert told in show(standings(board)) and TOO_FEW in show(standings(board))
    (row,) = overview(tmp_path / "boards")
    assert (row["transactions"], row["clusters"]) == (n, clusters)
    assert f" {clusters} " in overview_table([row]) and f"few: {TOO_FEW}" in overview_table([row])
    build_site(tmp_path / "boards", tmp_path / "site")
    for name in ("index.html", "few/index.html", "few/one.html"):
        text = (tmp_path / "site" / name).read_text(encoding="utf-8")
        assert told in text and TOO_FEW in text
    assert json.loads((tmp_path / "site" / "boards.json").read_text())[0]["clusters"] == clusters


def test_enough_clusters_are_told_without_a_warning(root: Path, benchmark: Benchmark) -> None:
    board = read_board(root / "beads")
    assert f"48 transactions in {board.sealed.n_clusters} clusters" in show(standings(board))
    assert board.sealed.n_clusters >= FEW and TOO_FEW not in show(standings(board))
    assert TOO_FEW not in overview_table(overview(root))


def few_beads(folder: Path) -> Board:
    """A board of one system whose transactions are many and its clusters few."""
    made = write_beads(folder / "made", strings=18)
    board = open_board(folder / "boards", "few", made, Opening(title="Few"))
    _submit(board, folder, "one", random_lists(made, 0), title="One")
    return board
