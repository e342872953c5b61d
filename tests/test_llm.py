"""The user played by a language model: what it asks an endpoint, and what it makes of whatever comes back."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from letters import build_letters

from mtbench.core.errors import MtbenchError
from mtbench.core.types import Image
from mtbench.data.benchmark import load
from mtbench.models.protocol import Catalogue
from mtbench.simulation.dialogue import Manner
from mtbench.simulation.simulate import SimulateSettings, simulate
from mtbench.users.llm import Llm
from mtbench.users.protocol import Situation, World


@contextmanager
def endpoint(*answers: tuple[int, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that gives these answers one after the other, the last one for good; and what it was asked.

    An answer of status 0 is a function that writes on the connection whatever it likes.
    """
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append({"path": self.path, "key": self.headers.get("Authorization"), **body})
            status, answer = answers[min(len(asked), len(answers)) - 1]
            self.close_connection = True
            if status == 0:
                answer(self)
                return
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
    finally:
        server.shutdown()
        server.server_close()


def answer(text: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": text}}]}


SECRET = "sk-very-secret"
SHOP = {
    "B00A": Image("B00A", "x", "a red shoe", ("floral",)),
    "B00B": Image("B00B", "x", "a blue shoe"),
    "B00C": Image("B00C", "x"),
}
WORLD = World(SHOP, Catalogue(SHOP))
HERE, THERE = Situation("x", "B00A", "B00B"), Situation("x", "B00B", "B00A")


def llm(url: str, *, keeps: Path | None = None, **options: Any) -> Llm:
    user = Llm(url=url, model="m", wait=0, **options)
    user.keeps = keeps
    return user


def line_of(refused: pytest.ExceptionInfo[MtbenchError]) -> str:
    """What is told: one line, with nothing in it that moves a cursor, and no part of the key."""
    text = str(refused.value)
    assert text.isprintable() and SECRET[:5] not in text
    return text


def raw(*parts: bytes, pause: float = 0) -> tuple[int, Callable[[Any], None]]:
    """An answer written byte for byte, with a pause after each part; the connection ends with the last."""

    def write(handler: Any) -> None:
        try:
            for part in parts:
                handler.wfile.write(part)
                time.sleep(pause)
        except OSError:  # nobody listens any more
            pass

    return 0, write


def reset(*parts: bytes) -> tuple[int, Callable[[Any], None]]:
    """An answer whose connection is not closed but reset."""
    _, write = raw(*parts)

    def cut(handler: Any) -> None:
        write(handler)
        time.sleep(0.05)  # what was written is read before the reset
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()

    return 0, cut


def test_a_language_model_hears_of_images_in_words_and_never_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", SECRET)
    with endpoint((200, answer("is  blue\x1b\nand " + "very " * 30))) as (url, asked):
        user = llm(url, key_variable="MY_KEY", seed=7)
        same = [Situation("x", "B00B", "B00A", seed=seed) for seed in range(3)]
        said = user.say(same, WORLD)
        assert user.say(same, WORLD) == said  # asked once
    assert said == ["is blue and " + " ".join(["very"] * 13)] * 3
    assert len(asked) == 1
    (one,) = asked
    assert (one["path"], one["model"], one["temperature"], one["seed"]) == ("/v1/chat/completions", "m", 0, 7)
    assert one["key"] == f"Bearer {SECRET}"
    text = one["messages"][1]["content"]
    assert text == "The item shown: a red shoe; floral\nThe item you want: a blue shoe"
    assert "B00" not in json.dumps(one["messages"])
    assert SECRET not in repr(vars(user))


def test_the_key_is_the_one_of_the_moment_and_that_one_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "another-key")
    with endpoint((400, {"error": f"what is {SECRET}?"})) as (url, asked):
        user = llm(url, key_variable="MY_KEY")
        monkeypatch.setenv("MY_KEY", SECRET)
        with pytest.raises(MtbenchError, match=r"what is \*\*\*\?") as refused:
            user.say([HERE], WORLD)
    line_of(refused)
    assert asked[0]["key"] == f"Bearer {SECRET}"
    assert SECRET not in repr(vars(user)) and "another-key" not in repr(vars(user))


def test_a_key_that_an_answer_repeats_is_hidden_there_and_on_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MY_KEY", SECRET)
    with endpoint((200, answer(f"is {SECRET} red"))) as (url, _):
        assert llm(url, key_variable="MY_KEY", keeps=tmp_path).say([HERE], WORLD) == ["is *** red"]
    (kept,) = tmp_path.rglob("*.jsonl")
    assert SECRET not in kept.read_text() and "is *** red" in kept.read_text()


def test_a_made_up_key_of_a_server_of_ones_own_changes_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "red")
    with endpoint((200, answer("is red"))) as (url, _):
        assert llm(url, key_variable="MY_KEY").say([HERE], WORLD) == ["is red"]


def test_a_key_behind_the_escapes_of_json_is_hidden_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-a/very+secret")
    body = rb'{"error": "no \u0073k-a\/very\u002bsecret"}'
    with endpoint((400, body)) as (url, _), pytest.raises(MtbenchError, match=r"no \*\*\*") as refused:
        llm(url, key_variable="MY_KEY").say([HERE], WORLD)
    assert "very" not in str(refused.value)


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_endpoint_is_asked_again(status: int) -> None:
    with endpoint((status, {}), (status, {}), (200, answer("is red"))) as (url, asked):
        assert llm(url).say([HERE], WORLD) == ["is red"]
        assert len(asked) == 3
    with endpoint((status, {"error": "busy"})) as (url, asked):
        with pytest.raises(MtbenchError, match=f"answers {status}: .*busy"):
            llm(url, retries=1).say([HERE], WORLD)
        assert len(asked) == 2


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((401, {"error": f"wrong key {SECRET}"}), "answers 401: the key in MY_KEY is refused"),
        ((400, {"error": f"no such model for {SECRET}"}), r"answers 400: .*no such model for \*\*\*"),
        ((302, b""), "answers 302: it has moved"),
        ((200, b"<html>"), "something else than a chat completion: <html>"),
        ((200, {"choices": []}), "something else than a chat completion"),
        ((200, [1]), "something else than a chat completion"),
        ((200, answer(" \n")), r"gives an empty answer"),
        ((200, answer(None)), "gives an empty answer"),
        ((200, b" " * ((1 << 20) + 1)), "more than 1,048,576 bytes"),
        ((400, b"x" * 108 + SECRET.encode()), r"x\*\*\*$"),  # the key where the line is cut
        ((200, b"x" * 108 + SECRET.encode() + b"y" * 99), r"x\*\*\*yyyyyy\.\.\.$"),
        ((400, b" " * 1995 + SECRET.encode()), r": \*\*\*$"),  # the key where a read may end
        ((400, b" " * ((1 << 20) - 5) + SECRET.encode()), "answers 400: Bad Request$"),  # where the last read ends
        ((400, {"error": "\x1b[2J\x9b\u202e bad"}), r"answers 400: .*bad"),
        ((200, b"\x1b[2J\n\xe2\x80\xaetext"), "chat completion:  ?\\[2J text$"),
        (raw(b"HTTP/1.1 400 \x1b[2J very bad\r\n\r\n"), r"answers 400: \[2J very bad$"),
        (raw(f"HTTP/1.1 400 no {SECRET}\r\n\r\n".encode()), r"answers 400: no \*\*\*$"),
        (raw(b"HTTP/1.1 400 Bad\r\nContent-Length: 99\r\n\r\nthe key sk-very"), "answers 400: Bad$"),
        (raw(b"HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhal"), "answers 400: Bad$"),
        (reset(b"HTTP/1.1 400 Bad\r\nContent-Length: 99\r\n\r\n"), "answers 400: Bad$"),
    ],
)
def test_what_an_endpoint_does_wrong_is_one_line_without_the_key(
    given: Any, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", SECRET)
    with endpoint(given) as (url, asked), pytest.raises(MtbenchError, match=words) as refused:
        llm(url, key_variable="MY_KEY").say([HERE], WORLD)
    line_of(refused)
    assert len(asked) == 1  # what would fail again is not tried again


def test_no_server_no_key_and_no_words_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_KEY", raising=False)
    asked = [HERE]
    with endpoint((401, {})) as (url, _):
        with pytest.raises(MtbenchError, match="the key in MY_KEY is not set"):
            llm(url, key_variable="MY_KEY").say(asked, WORLD)
        with pytest.raises(MtbenchError, match="B00C has neither caption nor attributes"):
            llm(url).say([Situation("x", "B00C", "B00A")], WORLD)
    with pytest.raises(MtbenchError, match=r"/v1/chat/completions cannot be reached: .*refused"):
        llm(url).say(asked, WORLD)
    monkeypatch.setenv("MY_KEY", f"{SECRET}\nX: 1")
    with pytest.raises(MtbenchError, match="holds characters that no key has") as refused:
        llm(url, key_variable="MY_KEY").say(asked, WORLD)
    assert SECRET not in str(refused.value)


def test_an_endpoint_that_says_nothing_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        user = llm(f"http://127.0.0.1:{server.getsockname()[1]}", timeout=0.1, retries=1)
        with pytest.raises(MtbenchError, match=r"did not answer within 0\.1 seconds"):
            user.say([HERE], WORLD)


HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhal"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (raw(), "RemoteDisconnected"),
        (raw(HALF), "IncompleteRead"),
        (raw(CHUNKS), "IncompleteRead"),
        (raw(b"sk-very\x1b\r\n"), "BadStatusLine"),
        (reset(), "ConnectionResetError"),
        (reset(HALF), "ConnectionResetError"),
    ],
    ids=["closed", "half", "chunks", "no-http", "reset", "reset-in-the-midst"],
)
def test_an_answer_that_breaks_off_is_asked_for_again(given: Any, name: str) -> None:
    with endpoint(given, given, (200, answer("is red"))) as (url, asked):
        assert llm(url).say([HERE], WORLD) == ["is red"]
        assert len(asked) == 3
    with endpoint(given) as (url, asked):
        with pytest.raises(MtbenchError, match=rf"breaks off its answer \({name}\), tried 2 times$") as refused:
            llm(url, retries=1).say([HERE], WORLD)
        assert len(asked) == 2
    line_of(refused)


OK = b"HTTP/1.1 200 OK\r\n"
BYTES = [b" "] * 200


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([OK + b"\r\n", *BYTES], r"did not answer within 0\.2 seconds"),
        ([b"HTTP/1.1 400 Bad\r\nContent-Length: 200\r\n\r\n", *BYTES], "answers 400: Bad$"),
    ],
    ids=["body", "error"],
)
def test_an_answer_that_comes_in_drops_is_not_waited_for(parts: list[bytes], words: str) -> None:
    begun = time.monotonic()
    with endpoint(raw(*parts, pause=0.02)) as (url, _), pytest.raises(MtbenchError, match=words) as refused:
        llm(url, timeout=0.2, retries=0).say([HERE], WORLD)
    assert time.monotonic() - begun < 1.5  # of the 4 seconds, or nearly 2, that it would take
    line_of(refused)


# What was answered, on disk


def test_what_was_answered_is_found_by_the_next_user_of_the_same_model(tmp_path: Path) -> None:
    with endpoint((200, answer("is red")), (200, answer("is blue"))) as (url, asked):
        assert llm(url, keeps=tmp_path, parallel=1).say([HERE, THERE], WORLD) == ["is red", "is blue"]
        assert llm(url, keeps=tmp_path).say([THERE, HERE], WORLD) == ["is blue", "is red"]
        assert len(asked) == 2
        llm(url, keeps=tmp_path, seed=1).say([HERE], WORLD)  # another question
        assert len(asked) == 3
    with endpoint((200, answer("is grey"))) as (elsewhere, asked):  # the same question to somebody else
        assert llm(elsewhere, keeps=tmp_path).say([HERE], WORLD) == ["is grey"]
        assert len(asked) == 1


def test_a_question_that_fails_loses_no_answer_not_even_one_on_its_way(tmp_path: Path) -> None:
    late = json.dumps(answer("is red")).encode()

    def slowly(handler: Any) -> None:
        time.sleep(0.2)
        handler.wfile.write(OK + b"\r\n" + late)

    with endpoint((0, slowly), (400, {})) as (url, asked):
        with pytest.raises(MtbenchError, match="answers 400"):
            llm(url, keeps=tmp_path, parallel=2).say([HERE, THERE], WORLD)
        assert len(asked) == 2
    (kept,) = tmp_path.rglob("*.jsonl")
    assert json.loads(kept.read_text())["answer"] == "is red"


def test_a_simulation_that_was_stopped_goes_on_where_it_was_and_says_the_same(tmp_path: Path) -> None:
    build_letters(tmp_path)
    benchmark = load(tmp_path / "letters")

    def settings(url: str) -> SimulateSettings:
        told = f"llm,url={url},model=m,retries=0,parallel=1"
        return SimulateSettings(simulator=told, dialogues=6, manner=Manner(turns=2))

    good = [(200, answer(f"is number {n}")) for n in range(30)]
    with endpoint(*good[:4], (500, {}), *good[4:]) as (url, asked):
        with pytest.raises(MtbenchError, match="answers 500"):
            simulate("random", benchmark, tmp_path / "out", settings(url))
        assert len(asked) == 5
        simulate("random", benchmark, tmp_path / "out", settings(url))
        texts = [one["messages"][1]["content"] for one in asked]
        assert len(set(texts)) == len(texts) - 1  # that which failed, and no other, was asked again
        simulate("random", benchmark, tmp_path / "again", settings(url))
        assert len(asked) == len(texts)
    one, two = (next((tmp_path / name).glob("*/dialogues.jsonl")) for name in ("out", "again"))
    assert one.read_bytes() == two.read_bytes()


def test_two_users_at_once_write_files_of_their_own(tmp_path: Path) -> None:
    with endpoint((200, answer("is red"))) as (url, asked):
        users = [llm(url, keeps=tmp_path, seed=seed) for seed in (0, 1)]
        for situation in (HERE, THERE):
            for user in users:
                user.say([situation], WORLD)
        assert len(list(tmp_path.rglob("*.jsonl"))) == 2 and len(asked) == 4
        for seed in (0, 1):
            llm(url, keeps=tmp_path, seed=seed).say([HERE, THERE], WORLD)
        assert len(asked) == 4


def test_a_torn_last_line_is_asked_again_and_any_other_damage_is_told_in_a_line(tmp_path: Path) -> None:
    with endpoint((200, answer("is red"))) as (url, asked):
        llm(url, keeps=tmp_path).say([HERE, THERE], WORLD)
        (kept,) = tmp_path.rglob("*.jsonl")
        kept.write_bytes(kept.read_bytes()[:-5])
        assert llm(url, keeps=tmp_path).say([HERE, THERE], WORLD) == ["is red"] * 2
        assert len(asked) == 3
        first, _, _ = kept.read_bytes().partition(b"\n")
        wrong: list[Any] = [1, [], {}, {"question": "q"}, {"question": 1, "answer": "a"}]
        wrong += [{"question": "q", "answer": text} for text in (None, "", "\x1b[2J")]
        for line in [b"{", b"\xff", b"[" * 100_000, *(json.dumps(one).encode() for one in wrong)]:
            kept.write_bytes(first + b"\n" + line + b"\n")
            with pytest.raises(MtbenchError, match=r"jsonl, line 2: .*remove the file") as refused:
                llm(url, keeps=tmp_path).say([HERE], WORLD)
            line_of(refused)
        assert len(asked) == 3


def test_where_nothing_can_be_kept_nothing_is_paid_for(tmp_path: Path) -> None:
    (tmp_path / "simulators").write_text("")
    with endpoint((200, answer("is red"))) as (url, asked):
        with pytest.raises(MtbenchError, match="simulators is a file"):
            llm(url, keeps=tmp_path / "simulators").say([HERE], WORLD)
        assert not asked


# What it is made of


@pytest.mark.parametrize(
    "options",
    [
        {"url": "http://a/v1\n"},
        {"url": "http://a/\x1b[2J"},
        {"url": "http://a/v 1"},
        {"url": "http://a:99999/v1"},
        {"model": "a\nb"},
        {"timeout": float("inf")},
        {"timeout": float("nan")},
        {"wait": float("nan")},
    ],
)
def test_options_that_no_request_could_hold_are_refused_in_a_line(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"url|model|timeout|Port") as refused:
        Llm(**{"url": "http://a/v1", "model": "m", **options})
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    "url", ["ftp://a/v1", "localhost", "http://me:secret@a/v1", "http://a/v1?key=secret", "file:///x"]
)
def test_an_address_that_is_none_or_holds_a_secret_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="url must") as refused:
        Llm(url=url, model="m")
    assert "secret" not in str(refused.value)
