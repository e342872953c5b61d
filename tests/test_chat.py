"""`mtbench chat` as a person uses it, in a headless Chromium; and its parts by themselves."""

from __future__ import annotations

import html
import http.client
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from browser import DESK, PHONE
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image as Pillow
from tiny import CAPTIONS as TINY
from tiny import write_tiny_benchmark

from mtbench.chat.answers import Answerer, short
from mtbench.chat.dialogue import LONGEST, MOST_TURNS, Dialogue, tidy
from mtbench.chat.save import Saver
from mtbench.chat.serve import ChatSettings, Served, prepare
from mtbench.chat.store import Store
from mtbench.cli import main
from mtbench.cli.chat import open_browser
from mtbench.core.errors import MtbenchError
from mtbench.core.text import plain
from mtbench.core.types import History
from mtbench.data.benchmark import load
from mtbench.evaluation.ready import ready
from mtbench.models.protocol import Catalogue
from mtbench.users.protocol import Situation, World, heard
from mtbench.web.guard import is_loopback

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
COLOURS = ("red", "blue", "green", "black", "white", "pink", "gold", "grey", "brown", "navy", "tan", "cream")
CAPTIONS = {f"dress {n:02}": f"a {COLOURS[n % 12]} dress with {n} buttons" for n in range(24)} | {"evil": HOSTILE}

FAILS = """
import numpy as np

class Fails:
    def score(self, histories, image_ids, catalogue):
        said = histories[-1].feedback[-1]
        if "boom" in said:
            raise ValueError("the model <b>broke</b>")
        if "half" in said:
            raise ValueError("half a sign: \\udc80")
        raised = {"ctrl": KeyboardInterrupt, "generator": GeneratorExit, "base": BaseException, "exit": SystemExit}
        if said in raised:
            raise raised[said]("of mine")
        return np.tile(np.arange(len(image_ids), dtype=np.float32), (len(histories), 1))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A benchmark of captions, one of pictures, and a model that fails now and then."""
    folder = tmp_path_factory.mktemp("chat")
    pictures = folder / "pictures"
    pictures.mkdir()
    for n, name in enumerate(CAPTIONS):
        Pillow.new("RGB", (40, 30), (n * 10, 90, 120)).save(pictures / f"{name}.png")
    (folder / "secret.png").write_bytes((pictures / "evil.png").read_bytes())
    write_tiny_benchmark(
        folder / "words", captions={**TINY, "test": CAPTIONS}, attributes={"dress 00": ["floral", "midi"]}
    )
    write_tiny_benchmark(folder / "images", captions={**TINY, "test": CAPTIONS}, images=pictures)
    (folder / "fails.py").write_text(FAILS)
    return folder


@contextmanager
def serving(home: Path, *models: str, benchmark: str = "words", out: str = "out") -> Iterator[Served]:
    settings = ChatSettings(models=models, benchmark=home / benchmark, port=0, out=home / out)
    served = prepare(settings)
    thread = threading.Thread(target=served.server.serve_forever, daemon=True)
    thread.start()
    yield served
    served.server.shutdown()
    thread.join()


@pytest.fixture(scope="module")
def chat(home: Path) -> Iterator[Served]:
    with serving(home) as served:
        yield served


@contextmanager
def visit(chromium: Any, served: Served, size: tuple[int, int] = DESK, **options: Any) -> Iterator[Any]:
    """A new browser on the first page; at the end nothing was complained of, and nothing was asked of elsewhere."""
    context = chromium.new_context(viewport={"width": size[0], "height": size[1]}, **options)
    context.set_default_timeout(10_000)
    problems: list[str] = []
    tab = context.new_page()
    tab.on("console", lambda said: problems.append(said.text) if said.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on("request", lambda r: None if r.url.startswith(served.url) else problems.append(f"asks for {r.url}"))
    tab.on("dialog", lambda dialog: (problems.append(dialog.message), dialog.dismiss()))
    tab.goto(served.url, wait_until="domcontentloaded")
    yield tab
    wide = tab.evaluate("document.documentElement.scrollWidth - innerWidth")
    title = tab.title()
    context.close()
    assert wide <= 0 and "owned" not in title
    assert [problem for problem in problems if "status of 413" not in problem] == []


def say(tab: Any, text: str) -> None:
    """Type, press Enter, and see it among the turns."""
    tab.wait_for_load_state("domcontentloaded")  # Enter sends from then on
    n = tab.locator(".turn").count()
    tab.fill("#text", text)
    tab.press("#text", "Enter")
    tab.wait_for_function("n => document.querySelectorAll('.turn').length > n", arg=n)


def said(tab: Any) -> list[str]:
    return [text.split(": ", 1)[1] for text in tab.locator(".turn .text").all_text_contents()]


def found(tab: Any, which: int = 0) -> list[str]:
    """The images found by one system, best first."""
    return tab.locator(".answer").nth(which).locator(".pic").evaluate_all("all => all.map(one => one.value)")


def follow(tab: Any, click: str) -> None:
    with tab.expect_navigation(wait_until="domcontentloaded"):
        tab.locator(click).first.click()


def test_a_person_says_five_turns_and_saves_them(chromium: Any, chat: Served) -> None:
    with visit(chromium, chat) as tab:
        first = tab.locator("input[name=image]").input_value()
        for text in ("is red", "is blue", "is green", "is black", "with 7 buttons"):
            say(tab, text)
        assert said(tab) == ["is red", "is blue", "is green", "is black", "with 7 buttons"]
        assert found(tab)[0] == "dress 07"
        assert tab.locator("text=Save dialogue").count() == 0  # nobody said yet what was wanted
        follow(tab, '[formaction$="/target"][value="dress 07"]')
        assert "This is what you look for." in tab.locator(".goal").inner_text()
        assert tab.locator(".turn .places").last.inner_text() == "rank 1"
        follow(tab, "text=Save dialogue")
        assert "Saved as dress.chat." in tab.locator(".saved").inner_text()
        tab.reload()
        tab.go_back()  # saving again writes no second line
        follow(tab, "text=Save dialogue")
        row = json.loads(chat.saved_to.read_text().splitlines()[-1])
    assert len(chat.saved_to.read_text().splitlines()) == 1
    assert list(row) == [*("benchmark", "category", "edited", "id", "models", "revision", "split", "target", "turns")]
    assert (row["models"][0]["model"], row["edited"]) == ("bm25", False)
    assert (row["category"], row["split"], row["target"]) == ("dress", "test", "dress 07")
    assert [turn["feedback"] for turn in row["turns"]] == [
        *(["is red"], ["is blue"], ["is green"], ["is black"], ["with 7 buttons"])
    ]
    assert row["turns"][0]["reference"] == first


def test_turns_are_taken_back_moved_and_dropped_and_the_answer_follows(chromium: Any, chat: Served) -> None:
    with visit(chromium, chat) as tab:
        for text in ("navy", "cream", "gold"):
            say(tab, text)
        latest = found(tab)
        follow(tab, ".turn:nth-child(3) >> text=Earlier")
        assert said(tab) == ["navy", "gold", "cream"]
        assert found(tab) != latest  # the last turn weighs most
        follow(tab, ".turn:nth-child(1) >> text=Drop")
        assert said(tab) == ["gold", "cream"]
        follow(tab, ".turn:nth-child(1) >> text=Later")
        assert said(tab) == ["cream", "gold"]
        image = tab.locator(".turn").nth(1).locator(".words").inner_text()
        follow(tab, ".turn:nth-child(2) >> text=Go back")
        assert said(tab) == ["cream"]
        assert tab.locator("#text").input_value() == "gold"  # to be said better
        assert tab.locator(".big .words").inner_text() == image
        tab.reload()
        assert said(tab) == ["cream"]
        tab.go_back()
        assert said(tab) == ["cream", "gold"]  # the browser's own button works too
        follow(tab, ".turn:nth-child(1) >> text=Drop")
        follow(tab, ".turn:nth-child(1) >> text=Drop")
        assert tab.locator(".turn").count() == 0 and tab.locator(".empty").count() == 1


def test_the_next_turn_is_about_the_result_that_is_clicked(chromium: Any, chat: Served) -> None:
    with visit(chromium, chat) as tab:
        say(tab, "is pink")
        third = found(tab)[2]
        tab.fill("#text", "half a thought")
        follow(tab, f'.pic[value="{third}"]')
        assert tab.locator("input[name=image]").input_value() == third
        assert tab.locator("#text").input_value() == "half a thought"  # a click loses nothing
        say(tab, "is tan")
        assert third not in found(tab)  # what was shown is not found again


def test_a_first_and_a_wanted_image_are_searched_for_and_the_rank_is_shown(chromium: Any, chat: Served) -> None:
    with visit(chromium, chat, PHONE) as tab:
        follow(tab, "text=Pick one")
        tab.fill("#q", "GREY dress")
        with tab.expect_navigation():
            tab.press("#q", "Enter")
        assert tab.locator(".result").count() == 2
        follow(tab, '.pic[value="dress 07"]')
        assert "grey dress with 7" in tab.locator(".big").inner_text()
        follow(tab, "text=Pick what to look for")
        tab.goto(f"{tab.url}?q=nothing+like+it")
        assert "0 images" in tab.locator("[role=status]:not(#asking)").inner_text()
        follow(tab, "text=All images")
        follow(tab, '.pic[value="dress 15"]')
        say(tab, "is black")
        say(tab, "has 15 buttons")
        ranks = tab.locator(".turn .places").all_inner_texts()
        assert ranks[0].startswith("rank ") and ranks[1] == "rank 1"
        assert "rank 1" in tab.locator(".answer [role=status]").inner_text()


def test_who_talks_on_after_the_find_is_led_back_to_it_before_saving(chromium: Any, chat: Served) -> None:
    with visit(chromium, chat) as tab:
        say(tab, "with buttons")
        image = tab.locator(".result .link[name=image]").nth(2).get_attribute("value")
        tab.click(f'.link[value="{image}"]')
        tab.wait_for_selector(".result.is-target")
        tab.click(".result.is-target .pic")
        tab.wait_for_selector(".result.is-target.is-now")
        say(tab, "and more of them")
        assert "You had found it after turn 1, and talked on." in tab.locator("#goal").inner_text()
        assert tab.get_by_role("button", name="Save dialogue").count() == 0
        tab.get_by_role("button", name="Go back to where it was found").click()
        tab.wait_for_selector("text=Save dialogue")
        assert said(tab) == ["with buttons"] and tab.input_value("#text") == "and more of them"
        tab.get_by_role("button", name="Save dialogue").click()
        tab.wait_for_selector(".saved")


def test_two_browsers_at_once_keep_to_themselves(chromium: Any, chat: Served) -> None:
    with visit(chromium, chat) as one, visit(chromium, chat) as two:
        say(one, "is red")
        say(two, "is blue")
        say(one, "is gold")
        assert (said(one), said(two)) == (["is red", "is gold"], ["is blue"])


def test_two_models_stand_side_by_side_and_one_may_fail(chromium: Any, home: Path) -> None:
    with serving(home, "bm25", f"{home / 'fails.py'}:Fails") as served, visit(chromium, served) as tab:
        say(tab, "is red")
        assert tab.locator(".answer h2").all_inner_texts()[0] == "bm25"
        assert found(tab, 0)[0] in ("dress 00", "dress 12") and found(tab, 1) != found(tab, 0)
        say(tab, "boom")
        assert tab.locator(".answer").nth(0).locator(".pic").count() == 10
        assert "ValueError: the model <b>broke</b>" in tab.locator(".answer").nth(1).inner_text()
        say(tab, "is blue")  # the page lives on
        assert tab.locator(".answer .problem").count() == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("half", "ValueError: half a sign: ?"),
        ("ctrl", "KeyboardInterrupt: of mine"),
        ("generator", "GeneratorExit: of mine"),
        ("base", "BaseException: of mine"),
        ("exit", "SystemExit: of mine"),
    ],
)
def test_whatever_a_model_raises_is_said_on_the_page(home: Path, text: str, reason: str) -> None:
    with serving(home, f"{home / 'fails.py'}:Fails") as served:
        place = ask(served, f"{ask(served, '/')[1]}/say", "POST", f"text={text}&image=dress%2000")[1]
        for _ in range(2):  # and nothing is locked for good
            status, page = ask(served, place)
            assert status == 200 and reason in page


def test_ctrl_c_while_a_model_warms_up_ends_the_command(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answerer = Answerer(ready("bm25", load(home / "words")))

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(answerer, "_ask", interrupted)
    with pytest.raises(KeyboardInterrupt):
        answerer.warm_up()
    monkeypatch.undo()
    assert answerer.warm_up() == ""


def test_who_waits_too_long_for_the_question_of_another_is_told_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answerer = Answerer(ready("bm25", load(home / "words")), patience=0.2)
    came, go_on, plainly = threading.Event(), threading.Event(), answerer._ask

    def slow(*asked: Any) -> Any:
        came.set()
        assert go_on.wait(10)
        return plainly(*asked)

    monkeypatch.setattr(answerer, "_ask", slow)
    one, other = (History("dress", ("dress 00",), (text,)) for text in ("is red", "is blue"))
    first = threading.Thread(target=answerer.answer, args=(one,))
    first.start()
    assert came.wait(10)
    assert "still busy with another question" in answerer.answer(other).problem
    go_on.set()
    first.join()
    assert answerer.answer(one).images and answerer.answer(other).problem == ""


def test_a_page_whose_only_model_fails_lives_on(chromium: Any, home: Path) -> None:
    with serving(home, f"{home / 'fails.py'}:Fails") as served, visit(chromium, served) as tab:
        say(tab, "boom")
        assert "This system failed" in tab.locator(".answer").inner_text()
        follow(tab, "text=Drop")
        say(tab, "is red")
        assert len(found(tab)) == 10


def test_pictures_are_shown_where_there_are_files(chromium: Any, home: Path) -> None:
    with serving(home, benchmark="images") as served, visit(chromium, served) as tab:
        say(tab, "is green")
        tab.wait_for_function("() => [...document.images].every(one => one.complete || one.loading === 'lazy')")
        widths = tab.locator("img").evaluate_all("all => all.map(one => one.naturalWidth)")
        assert len(widths) >= 12 and 40 in widths
        with urllib.request.urlopen(served.url + tab.locator("img").first.get_attribute("src")) as answer:
            assert answer.headers["Content-Type"] == "image/jpeg" and answer.read(2) == b"\xff\xd8"
        for path in ("../secret.png", "..%2Fsecret", "dress%2000", "dress%2000.png", "/etc/passwd", "", "%00"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"{served.url}picture/{path}")


def test_words_stay_words_whatever_they_are(chromium: Any, chat: Served) -> None:
    with visit(chromium, chat) as tab:
        for text in (HOSTILE, "{{ 7 * 7 }} ${7*7} '\" --", "👠👩🏽‍🦰 is redder", "أحمر مع كعب أعلى", "红色 rtl"):
            say(tab, text)
        assert said(tab) == [
            *(HOSTILE, "{{ 7 * 7 }} ${7*7} '\" --", "👠👩🏽‍🦰 is redder", "أحمر مع كعب أعلى", "红色 rtl")
        ]
        sources = tab.locator("script").evaluate_all("all => all.map(one => new URL(one.src).pathname)")
        assert sources == ["/web/page.js", "/static/chat.js"]
        follow(tab, "text=Pick what to look for")
        tab.goto(f"{tab.url}?q={urllib.parse.quote(HOSTILE[:8])}")
        assert tab.locator(".result .caption, .result .words").first.inner_text() == HOSTILE


def test_too_much_and_nothing_are_refused_in_a_friendly_way(chromium: Any, chat: Served) -> None:
    with visit(chromium, chat) as tab:
        tab.fill("#text", "   ")
        tab.press("#text", "Enter")
        tab.wait_for_selector("#problem")
        for _ in range(2):
            assert tab.locator("#problem").inner_text() == "Say in a few words what should be different."
            assert not tab.url.endswith("/say")  # the address shows what is seen, and a reload sends nothing again
            tab.reload()
        tab.fill("#text", "x" * (LONGEST + 1))
        assert tab.locator("#count").inner_text() == "501 of 500 letters"
        tab.press("#text", "Enter")
        tab.wait_for_selector("#problem:has-text('501 letters')")
        assert tab.locator("#text").input_value() == "x" * (LONGEST + 1)  # nothing typed is lost
        say(tab, "é" * LONGEST)
        assert said(tab) == ["é" * LONGEST]
        tab.fill("#text", "y" * 70_000)
        with tab.expect_navigation():
            tab.evaluate("document.querySelector('.say').submit()")
        assert tab.locator("h1").inner_text() == "That was too long to read."
        tab.go_back()
        tab.fill("#text", "y" * 70_000)
        with tab.expect_navigation():
            tab.press("#text", "Enter")
        assert tab.locator("h1").inner_text() == "That was too long to read."
        tab.go_back()
        assert len(tab.locator("#text").input_value()) == 70_000  # nor this
        tab.fill("#text", "is red")
        follow(tab, ".say .strong")
        tab.go_back()
        assert tab.locator("#text").input_value() == ""  # it was said
        tab.evaluate("sessionStorage.clear()")
        tab.goto(served_page := tab.url)
        tab.fill("#text", "a draft")
        tab.reload()
        assert tab.url == served_page and tab.locator("#text").input_value() == "a draft"


def test_everything_works_without_javascript(chromium: Any, chat: Served) -> None:
    context = chromium.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(chat.url)
    follow(tab, "text=Another")
    for text in ("is red", "is blue"):
        tab.fill("#text", text)
        follow(tab, "text=Send")
    assert tab.locator(".turn").count() == 2
    follow(tab, ".turn:nth-child(2) >> text=Earlier")
    follow(tab, "[formaction$='/target']")
    follow(tab, "text=Save dialogue")
    assert "Saved as" in tab.locator(".saved").inner_text()
    context.close()


def ask(chat: Served, path: str, method: str = "GET", body: str = "", **headers: str) -> tuple[int, str]:
    """A request as any program can send it."""
    line = http.client.HTTPConnection("127.0.0.1", chat.server.port, timeout=10)
    kind = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
    line.request(method, path, body, {**kind, **{name.replace("_", "-"): value for name, value in headers.items()}})
    answer = line.getresponse()
    text = answer.read().decode()
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    return answer.status, (answer.headers.get("Location") or text).partition("#")[0] if answer.status == 303 else text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::1", "", "a@b"])
def test_a_foreign_host_name_is_refused(chat: Served, host: str) -> None:
    assert ask(chat, "/", Host=host)[0] in (400, 403)


def test_a_form_of_another_site_is_refused(chat: Served) -> None:
    place = ask(chat, "/")[1]
    own = f"127.0.0.1:{chat.server.port}"
    assert ask(chat, f"{place}/another", "POST", Host=own, Origin="http://evil.example")[0] == 403
    assert ask(chat, f"{place}/another", "POST", Host=own, Origin="null")[0] == 403
    assert ask(chat, f"{place}/another", "POST", Host=own, Sec_Fetch_Site="cross-site")[0] == 403
    assert ask(chat, f"{place}/another", "POST", Host=own, Origin=f"http://{own}")[0] == 303


VISIT = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_of_another_site_gets_nothing_unless_a_person_follows_its_link(chat: Served, site: str) -> None:
    place = ask(chat, "/")[1]
    assert ask(chat, "/", **{**VISIT, "Sec_Fetch_Site": site})[0] == 303
    for path in ("/", place, f"{place}/pick/first", "/picture/0", "/static/chat.css", "/web/page.css"):
        assert ask(chat, path, Sec_Fetch_Site=site, Sec_Fetch_Mode="no-cors", Sec_Fetch_Dest="image")[0] == 403
        assert ask(chat, path, **{**VISIT, "Sec_Fetch_Site": site, "Sec_Fetch_Dest": "iframe"})[0] == 403
        assert ask(chat, path, Sec_Fetch_Site=site)[0] == 403
    assert ask(chat, f"{place}/another", "POST", **{**VISIT, "Sec_Fetch_Site": site})[0] == 403


def test_opening_the_page_again_and_again_pushes_nobody_out(
    chat: Served, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mtbench.chat.app.Store", lambda: Store(most=2))
    with serving(home) as served:
        first = ask(served, "/")[1]
        said = ask(served, f"{first}/say", "POST", "text=red&image=dress%2000")[1]
        places = {ask(served, "/", **VISIT)[1] for _ in range(20)}
        assert len(places) == 20 and ask(served, said)[0] == 200
        assert ask(served, first)[1] == ask(served, first)[1]  # the same image again
        assert ask(chat, first)[0] == 410  # no other server made it
        assert ask(served, f"{first[:-1]}{'1' if first[-1] == '0' else '0'}")[0] == 410


def test_what_is_not_there_is_said(chat: Served) -> None:
    place = ask(chat, "/")[1]
    assert ask(chat, f"{place}/dance", "POST")[0] == 404
    assert ask(chat, f"{place}/pick/dance")[0] == 404
    assert ask(chat, "/d/guessed")[0] == 410
    assert ask(chat, "/?category=hats")[0] == 404
    for method in ("GET", "HEAD"):  # a step that was too long, reloaded; who only asks for the address does no step
        assert ask(chat, f"{place}/say", method) == ask(chat, f"{place}/another", method) == (303, place)
    after = ask(chat, f"{place}/say", "POST", urllib.parse.urlencode({"text": "红" * 2000, "image": "dress 00"}))[1]
    assert "That is 2,000 letters; up to 500 are heard." in ask(chat, after)[1]
    for action, body in (("choose", "image=none"), ("drop", "turn=9"), ("back", "turn=x"), ("save", "x=")):
        status, after = ask(chat, f"{place}/{action}", "POST", body)
        assert status == 303 and 'role="alert"' in ask(chat, after)[1]
        assert 'role="alert"' not in ask(chat, place)[1]
    after = ask(chat, f"{place}/say", "POST", "text=red&image=../x")[1]
    assert "There is no such image here." in ask(chat, after)[1]
    assert 'role="alert"' not in ask(chat, ask(chat, f"{after}/another", "POST", "x=")[1])[1]


def test_without_a_benchmark_a_shoebox_is_drawn_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtbench.chat.serve.SHOEBOX", 60)
    for _ in range(2):
        served = prepare(ChatSettings(out=tmp_path / "chat", port=0))
        served.server.server_close()
        assert served.about == "bm25 on shoebox, 60 images of test" and served.problems == []
    assert len(list((tmp_path / "chat" / "shoebox-drawn" / "images").iterdir())) == 60


# ---------------------------------------------------------------- the parts by themselves


def test_a_folder_of_that_name_that_is_somebodys_own_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "shoebox").mkdir()
    (tmp_path / "shoebox" / "mine.txt").write_text("mine")
    with pytest.raises(MtbenchError, match="remove what is there, or give another --out"):
        prepare(ChatSettings(out=tmp_path, port=0))
    assert (tmp_path / "shoebox" / "mine.txt").read_text() == "mine"


def test_a_dialogue_is_followed_and_never_changed() -> None:
    begun = Dialogue("shoes", now="a")
    two = begun.say("a", " is\n red ").say("b", "has laces")
    assert (
        begun.turns == () and two.history.references == ("a", "b") and two.history.feedback == ("is red", "has laces")
    )
    assert two.now is None and two.choose("z").now == "z" and two.choose("z").turns == two.turns
    assert [t.text for t in two.move(1, 1).turns] == ["has laces", "is red"]
    assert [t.image for t in two.move(1, 1).turns] == ["b", "a"]  # the image moves with its words
    assert two.drop(2).history.references == ("a",) and two.drop(2).now is None
    assert two.drop(1).drop(1) == Dialogue("shoes", now="b")
    assert two.back(1) == Dialogue("shoes", now="a", draft="is red")
    assert two.aim("t").target == "t" and two.aim("t").aim(None) == two


def test_a_step_forgets_what_was_saved() -> None:
    saved = Dialogue("shoes", turns=Dialogue("shoes").say("a", "red").turns, saved="name")
    assert saved.say("b", "blue").saved == saved.drop(1).saved == saved.aim("c").saved == ""


@pytest.mark.parametrize(
    "step", [lambda d: d.drop(2), lambda d: d.move(1, 1), lambda d: d.move(1, -1), lambda d: d.back(0)]
)
def test_a_turn_that_is_not_there_is_refused(step: Any) -> None:
    with pytest.raises(MtbenchError, match="There is no turn"):
        step(Dialogue("shoes").say("a", "red"))


def test_a_dialogue_has_an_end() -> None:
    dialogue = Dialogue("shoes")
    for n in range(MOST_TURNS):
        dialogue = dialogue.say("a", f"turn {n}")
    with pytest.raises(MtbenchError, match="20 turns at most"):
        dialogue.say("a", "one more")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\x00b\x1b[31m", "a b [31m"),
        (" \u200b\u200d ", ""),
        ("\ud800x", "x"),
        ("👩🏽‍🦰", "👩🏽‍🦰"),
        ("a\r\n\tb", "a b"),
        ("红色 \u202e rtl\ue000", "红色 rtl"),  # a mark of direction, and a sign of nobody's
        ("می\u200cرود", "می\u200cرود"),  # a joiner that is part of how Persian is written
        (ENGLAND, ENGLAND),
        (f"red{ENGLAND[1:]}", "red"),  # words that only a machine would see
        ("Schuh\u00adgröße", "Schuhgröße"),
        ("\u3164", ""),
        ("\u2800 \u200c", ""),
    ],
)
def test_unseen_signs_are_left_out(text: str, kept: str) -> None:
    assert tidy(text) == kept


@given(st.text())
@example(f"{ENGLAND}\u00ad\u200c")
def test_what_the_page_takes_a_simulated_user_may_say(typed: str) -> None:
    kept = tidy(typed)

    class Says:
        def say(self, situations: Sequence[Situation], world: World) -> list[str]:
            return [kept]

    assert plain(kept) == kept == tidy(kept)
    assert kept == "" or heard(Says(), [Situation("dress", "a", "b")], World({}, Catalogue({}))) == [kept]


def test_the_store_forgets_the_least_recently_seen() -> None:
    store = Store(most=2)
    first, second = store.put(Dialogue("a")), store.put(Dialogue("b"))
    assert store.get(first) is not None
    store.put(Dialogue("c"))
    assert store.get(second) is None and store.get(first) == Dialogue("a") and len(first) >= 22


def saver_in(folder: Path, home: Path, benchmark: str = "words", split: str = "test") -> Saver:
    made = load(home / benchmark)
    return Saver(folder, made, {"dress": made.gallery(split, "dress")}, split=split)


def test_many_save_at_once_and_each_line_is_whole(tmp_path: Path, home: Path) -> None:
    (tmp_path / "dialogues.jsonl").write_text('{"id": "cut sho')  # a crash

    def save(n: int) -> None:
        saver, dialogue = saver_in(tmp_path, home), Dialogue("shoes", target="t").say("a", "é 👠")
        for _ in range(2):
            saver.save(dialogue)

    threads = [threading.Thread(target=save, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = [json.loads(line) for line in (tmp_path / "dialogues.jsonl").read_text("utf-8").splitlines()]
    assert (tmp_path / "dialogues.cut.txt").read_text() == '{"id": "cut sho\n'  # aside, so that the rest can be read
    assert len(rows) == len({row["id"] for row in rows}) == 8
    assert rows[0]["turns"] == [{"reference": "a", "feedback": ["é 👠"]}]


def test_a_dialogue_that_went_on_after_the_find_is_saved_only_without_what_came_after(
    tmp_path: Path, home: Path
) -> None:
    saver = saver_in(tmp_path, home)
    talked_on = Dialogue("shoes", target="t").say("a", "in red").say("t", "and with laces").say("b", "no")
    assert talked_on.found == 1
    with pytest.raises(MtbenchError, match="found it before turn 2"):
        saver.save(talked_on)
    begun_with = Dialogue("shoes", target="t").say("t", "in red")
    with pytest.raises(MtbenchError, match="began with the image"):
        saver.save(begun_with)
    assert not saver.path.exists()
    saver.save(talked_on.back(2))
    assert [turn["reference"] for turn in json.loads(saver.path.read_text())["turns"]] == ["a"]


def test_a_saved_dialogue_says_who_answered_and_whether_turns_were_moved(tmp_path: Path, home: Path) -> None:
    made = load(home / "words")
    models = [{"model": "bm25", "options": {}, "source_sha256": "0"}]
    saver = Saver(tmp_path, made, {"dress": made.gallery("test", "dress")}, models=models)
    two = Dialogue("shoes", target="t").say("a", "in red").say("b", "with laces")
    for dialogue, edited in (
        (two, False),
        (two.move(2, -1), True),
        (two.drop(1), True),
        (two.move(2, -1).back(1), False),
    ):
        assert dialogue.edited is edited
    saver.save(two.drop(1))
    row = json.loads(saver.path.read_text())
    assert (row["edited"], row["revision"], row["models"]) == (True, made.revision, models)


def test_one_dialogue_saved_by_two_clicks_at_once_is_one_line(tmp_path: Path, home: Path) -> None:
    saver, dialogue = saver_in(tmp_path, home), Dialogue("shoes", target="t").say("a", "in red")
    clicks = [threading.Thread(target=saver.save, args=(dialogue,)) for _ in range(8)]
    for click in clicks:
        click.start()
    for click in clicks:
        click.join()
    assert len(saver.path.read_text().splitlines()) == 1


def test_a_dialogue_that_is_saved_again_takes_the_place_of_its_line(tmp_path: Path, home: Path) -> None:
    (tmp_path / "dialogues.jsonl").write_text('{"id": "cut sho')  # a crash
    saver = saver_in(tmp_path, home)
    one, other = (Dialogue("shoes", target="t").say("a", f'"id": "{n}"') for n in range(2))
    names = [saver.save(one), saver.save(other), saver.save(one.say("b", "blue")), saver.save(other)]
    assert names[0] == names[2] != names[1] == names[3]
    lines = (tmp_path / "dialogues.jsonl").read_text().splitlines()
    rows = {row["id"]: [turn["feedback"][0] for turn in row["turns"]] for row in map(json.loads, lines)}
    assert len(lines) == 2
    assert rows == {names[0]: ['"id": "0"', "blue"], names[1]: ['"id": "1"']}


def test_another_turn_leaves_one_transaction_and_another_way_makes_two(home: Path) -> None:
    def save(place: str) -> str:
        return ask(served, f"{place}/save", "POST", "x=")[1]

    with serving(home, out="again") as served:
        first = ask(served, "/")[1]
        wanted = ask(served, f"{first}/target", "POST", "image=dress%2003")[1]
        for start in (wanted, ask(served, f"{wanted}/another", "POST", "x=")[1]):
            said = ask(served, f"{start}/say", "POST", "text=red&image=dress%2000")[1]
            save(said)
            save(ask(served, f"{said}/say", "POST", "text=blue&image=dress%2001")[1])
        save(ask(served, f"{wanted}/say", "POST", "text=green&image=dress%2001")[1])  # back, and another way
        rows = [json.loads(line) for line in served.saved_to.read_text().splitlines()]
    said_so = [[turn["feedback"][0] for turn in row["turns"]] for row in rows]
    assert said_so == [["red", "blue"], ["red", "blue"], ["green"]] and len({row["id"] for row in rows}) == 3


@pytest.mark.parametrize("benchmark", ["words", "images"])
def test_the_command_on_the_page_makes_a_benchmark_of_what_was_saved(
    home: Path, tmp_path: Path, benchmark: str
) -> None:
    texts = ["is red", "‏أحمر\u202e", "👩🏽‍🦰 \x1b[31m", f"می\u200cرود {ENGLAND}", "is plain"]
    with serving(home, benchmark=benchmark, out=str(tmp_path / "it's here")) as served:
        for turns in (1, 5):
            place = ask(served, f"{ask(served, '/')[1]}/target", "POST", "image=dress%2007")[1]
            for text in texts[:turns]:
                words = urllib.parse.urlencode({"text": text, "image": "dress 01"})
                place = ask(served, f"{place}/say", "POST", words)[1]
            page = ask(served, ask(served, f"{place}/save", "POST", "x=")[1])[1]
        command = html.unescape(page.partition('<code dir="ltr">')[2].partition("</code>")[0])
    done = CliRunner().invoke(main, shlex.split(command)[1:])
    assert done.exit_code == 0, done.output
    made, searched = load(served.saved_to.parent / "benchmark"), load(home / benchmark)
    assert sorted(len(found.turns) for found in made.transactions("test")) == [1, 5]
    assert made.gallery("test", "dress").image_ids == searched.gallery("test", "dress").image_ids
    assert made.images["dress 07"].caption == CAPTIONS["dress 07"]
    assert (made.image_folder is not None) == (benchmark == "images")


def test_a_folder_of_dialogues_about_other_images_is_refused(tmp_path: Path, home: Path) -> None:
    early, late = saver_in(tmp_path, home), saver_in(tmp_path, home, split="dev")
    early.save(Dialogue("dress", target="t").say("a", "red"))
    saver_in(tmp_path, home, "images")  # the same images
    for refused in (
        lambda: saver_in(tmp_path, home, split="dev"),
        lambda: late.save(Dialogue("d", target="t").say("a", "b")),
    ):
        with pytest.raises(MtbenchError, match="dialogues about other images; give another folder as --out"):
            refused()


def test_a_file_that_is_full_is_refused_in_words(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saver, dialogue = saver_in(tmp_path, home), Dialogue("shoes", target="t").say("a", "red")
    saver.save(dialogue)
    monkeypatch.setattr("mtbench.chat.save.LARGEST", saver.path.stat().st_size)
    saver.save(dialogue)
    for more in (dialogue.say("b", "blue"), Dialogue("shoes", target="t").say("a", "red")):
        with pytest.raises(MtbenchError, match=r"dialogues.jsonl is full: .* Move it elsewhere"):
            saver.save(more)
    assert len(saver.path.read_text().splitlines()) == 1
    kept = ["candidates.json", "dialogues.jsonl", "image_captions.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".dialogues.jsonl.lock", *kept]


def test_an_incomplete_dialogue_is_not_saved(tmp_path: Path, home: Path) -> None:
    with pytest.raises(MtbenchError, match="nothing to save"):
        saver_in(tmp_path, home).save(Dialogue("shoes", target="t"))
    with pytest.raises(MtbenchError, match="Which image did you look for"):
        saver_in(tmp_path, home).save(Dialogue("shoes").say("a", "red"))
    (tmp_path / "dialogues.jsonl").mkdir()
    with pytest.raises(MtbenchError, match="cannot be written"):
        saver_in(tmp_path, home).save(Dialogue("shoes", target="t").say("a", "red"))
    assert list(tmp_path.glob("*.jsonl")) == [tmp_path / "dialogues.jsonl"]


def test_a_small_gallery_ends_and_what_was_shown_has_no_rank(home: Path) -> None:
    system = ready("bm25", load(home / "words"), split="train")
    asked = History("dress", ("red", "blue", "long"), ("is blue", "is longer", "is not"))
    answer = Answerer(system).answer(asked, "blue")
    assert answer.images == ("shirt",) and answer.candidates == 2  # a target that was shown still counts
    assert answer.places[1:] == ("shown", "shown") and answer.places[0] in ("1", "1-2")
    assert Answerer(system).answer(asked, "none of them").places == ("-", "-", "-")
    assert Answerer(system).answer(History("hats", ("red",), ("is blue",))).problem == "KeyError: 'hats'"
    assert short("a/b/fails.py:Fails") == "fails.py:Fails" and short("bm25") == "bm25"


def test_other_machines_are_let_in_only_when_asked_for(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "192.168.0.7"):
        result = CliRunner().invoke(main, ["chat", "--host", host, "--out", str(tmp_path)])
        assert result.exit_code == 2 and "--public" in result.output
    assert is_loopback("127.0.0.1") and is_loopback("::1") and is_loopback("localhost") and not is_loopback("0.0.0.0")


def test_mistakes_on_the_command_line_are_said(home: Path, chat: Served) -> None:
    def run(*words: str) -> str:
        result = CliRunner().invoke(main, ["chat", "--no-browser", "--out", str(home / "out"), *words])
        assert result.exit_code == 2, result.output
        return result.output

    words = str(home / "words")
    assert "no model named 'bm52'. Did you mean 'bm25'?" in run("bm52", "--benchmark", words)
    assert "is no benchmark" in run("bm25", "--benchmark", str(home))
    assert "Give another --port" in run("--benchmark", words, "--port", str(chat.server.port))
    assert run("bm25", "ewma", "random") == "mtbench: one model, or two side by side, not 3\n"


def test_a_port_in_use_is_said_before_anything_is_made(tmp_path: Path, chat: Served) -> None:
    words = ["chat", "--no-browser", "--out", str(tmp_path / "out"), "--port", str(chat.server.port)]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2 and "it is in use. Give another --port" in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_server_ends_with_one_line(home: Path, tmp_path: Path, how: signal.Signals) -> None:
    words = ["--benchmark", str(home / "words"), "--out", str(tmp_path), "--no-browser", "--port", "0"]
    line = [sys.executable, "-m", "mtbench", "chat", *words]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any("Ctrl-C ends." in text for text in process.stdout)
        process.send_signal(how)
        told, complaints = process.communicate(timeout=10)
    assert (process.returncode, told.split("\n"), complaints) == (0, ["", "Ended. No dialogue was saved.", ""], "")


BROWSER = """#!{python}
import pathlib, sys, urllib.request
print("no method available", file=sys.stderr)
print("a browser")
try:
    with urllib.request.urlopen(sys.argv[1], timeout=20) as answer:
        said = str(answer.status)
except OSError as error:
    said = str(error)
pathlib.Path({told!r}).write_text(said)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a browser is a script here")
def test_the_server_waits_for_no_browser_and_its_words_stay_off_the_terminal(home: Path, tmp_path: Path) -> None:
    told, browser = tmp_path / "told", tmp_path / "w3m"
    browser.write_text(BROWSER.format(python=sys.executable, told=str(told)))
    browser.chmod(0o755)
    words = ["--benchmark", str(home / "words"), "--out", str(tmp_path / "out"), "--port", "0"]
    line = [sys.executable, "-m", "mtbench", "chat", *words]
    env = {**os.environ, "PATH": str(tmp_path), "BROWSER": str(browser)}
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        for _ in range(300):
            time.sleep(0.1)
            if told.exists() and told.read_text():
                break
        process.send_signal(signal.SIGTERM)
        printed, complaints = process.communicate(timeout=30)
    assert told.read_text() == "200"
    assert "a browser" not in printed and complaints == ""


def test_without_a_browser_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    open_browser("http://127.0.0.1:9/")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no python"))
    open_browser("http://127.0.0.1:9/")
    assert capfd.readouterr() == ("", "")


def test_without_flask_the_command_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "flask", None)
    result = CliRunner().invoke(main, ["chat", "--no-browser"])
    assert result.exit_code == 2 and 'pip install "mtbench[chat]"' in result.output
