"""Fetching against a server of this machine that can be told to misbehave."""

from __future__ import annotations

import hashlib
import logging
import re
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from builders._sources import FASHIONIQ, MULTITURN, SHOES
from mtbench.core.errors import MtbenchError
from mtbench.data.sources import Source, fetch, missing

BODY = bytes(range(256)) * 1024


class Host(ThreadingHTTPServer):
    """Serves ``BODY`` under every path but /gone; keeps what it was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.body = BODY
        self.ranges = True
        self.cuts: list[int] = []  # how many bytes each of the next answers sends before the connection is cut
        self.declare = True
        self.asked: list[tuple[str, str | None]] = []

    def url(self, path: str = "/pairs.json") -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


class Handler(BaseHTTPRequestHandler):
    server: Host

    def do_GET(self) -> None:
        wanted = self.headers["Range"]
        self.server.asked.append((self.path, wanted))
        if self.path == "/gone":
            return self.send_error(404)
        start, body = 0, self.server.body
        if wanted and self.server.ranges:
            start = int(re.findall(r"\d+", wanted)[0])
            if start >= len(body):
                return self.send_error(416)
        self.send_response(206 if start else 200)
        if self.server.declare:
            self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        rest = body[start:]
        self.wfile.write(rest[: self.server.cuts.pop(0)] if self.server.cuts else rest)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers of this machine are asked directly, whatever proxy it is behind."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")


@pytest.fixture
def host() -> Iterator[Host]:
    with Host() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def source(url: str | None, path: str = "pairs.json", *, body: bytes = BODY, **more: object) -> Source:
    return Source(path, url, hashlib.sha256(body).hexdigest(), len(body), "MIT", **more)  # type: ignore[arg-type]


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_missing_file_is_downloaded_into_its_folder(host: Host, tmp_path: Path) -> None:
    assert fetch([source(host.url(), "captions/a.json")], tmp_path) == [tmp_path / "captions/a.json"]
    assert (tmp_path / "captions/a.json").read_bytes() == BODY
    assert names(tmp_path) == ["captions/a.json"]


def test_progress_goes_to_stderr_or_nowhere(host: Host, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    fetch([source(host.url(), "a.json")], tmp_path, progress=False)
    assert capfd.readouterr() == ("", "")
    fetch([source(host.url(), "b.json")], tmp_path)
    out, err = capfd.readouterr()
    assert out == "" and "b.json" in err and "262k/262k" in err


def test_a_file_that_is_there_is_not_asked_for(host: Host, tmp_path: Path) -> None:
    (tmp_path / "pairs.json").write_bytes(BODY)
    assert fetch([source(host.url())], tmp_path) == [tmp_path / "pairs.json"]
    assert host.asked == []


def test_another_file_in_its_place_is_reported_and_kept(host: Host, tmp_path: Path) -> None:
    (tmp_path / "pairs.json").write_text("mine")
    with pytest.raises(MtbenchError, match=r"pairs\.json: another file than the declared one"):
        fetch([source(host.url())], tmp_path)
    assert (tmp_path / "pairs.json").read_text() == "mine"


def test_a_cut_connection_is_taken_up_where_it_ended(host: Host, tmp_path: Path) -> None:
    host.cuts = [100_000, 50_000]
    fetch([source(host.url())], tmp_path)
    assert [wanted for _, wanted in host.asked] == [None, "bytes=100000-", "bytes=150000-"]
    assert (tmp_path / "pairs.json").read_bytes() == BODY


def test_what_has_arrived_is_kept_for_the_next_call(host: Host, tmp_path: Path) -> None:
    host.cuts = [100_000, 0]
    with pytest.raises(MtbenchError, match=r"ended after 100,000 of 262,144 bytes[\s\S]*Run again"):
        fetch([source(host.url())], tmp_path)
    assert names(tmp_path) == ["pairs.json.part"]
    fetch([source(host.url())], tmp_path)
    assert host.asked[-1][1] == "bytes=100000-"
    assert names(tmp_path) == ["pairs.json"]


def test_a_host_that_cannot_resume_sends_the_file_again(host: Host, tmp_path: Path) -> None:
    host.ranges, host.cuts = False, [100_000]
    fetch([source(host.url())], tmp_path)
    assert [wanted for _, wanted in host.asked] == [None, "bytes=100000-"]
    assert (tmp_path / "pairs.json").read_bytes() == BODY


def test_a_host_that_never_gets_further_is_given_up(host: Host, tmp_path: Path) -> None:
    host.ranges, host.cuts = False, [100_000] * 9
    with pytest.raises(MtbenchError, match="ended after 100,000"):
        fetch([source(host.url())], tmp_path)
    assert len(host.asked) == 2


def test_a_file_with_another_hash_leaves_nothing_behind(host: Host, tmp_path: Path) -> None:
    host.body = BODY[:-1] + b"?"
    with pytest.raises(MtbenchError, match="its sha256 is not the declared"):
        fetch([source(host.url())], tmp_path)
    assert names(tmp_path) == []


@pytest.mark.parametrize("declare", [True, False])
def test_a_larger_file_is_stopped(host: Host, tmp_path: Path, declare: bool) -> None:
    host.body, host.declare = BODY + b"?", declare
    with pytest.raises(MtbenchError, match=r"262,145 bytes instead of|more than the declared 262,144"):
        fetch([source(host.url())], tmp_path)
    assert names(tmp_path) == []


@pytest.mark.parametrize("declare", [True, False])
def test_a_smaller_file_is_refused(host: Host, tmp_path: Path, declare: bool) -> None:
    host.body, host.declare = BODY[:-1], declare
    with pytest.raises(MtbenchError, match=r"262,143 bytes instead of|smaller than the declared 262,144"):
        fetch([source(host.url())], tmp_path)
    assert names(tmp_path) == []


def test_the_part_of_another_file_is_thrown_away(host: Host, tmp_path: Path) -> None:
    (tmp_path / "pairs.json.part").write_bytes(BODY + b"?")
    with pytest.raises(MtbenchError, match="larger than declared; run again"):
        fetch([source(host.url())], tmp_path)
    fetch([source(host.url())], tmp_path)
    assert names(tmp_path) == ["pairs.json"]


@pytest.fixture
def dead() -> Iterator[str]:
    """An address where nobody answers: its port is held, so that no other process takes it, and not listened on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    host: Host, dead: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", dead)
    fetch([source(host.url(), "a.json")], tmp_path)
    assert names(tmp_path) == ["a.json"]


def test_all_failures_are_told_at_once_with_what_to_do(host: Host, dead: str, tmp_path: Path) -> None:
    wanted = [
        source(host.url("/gone"), "a.json"),
        source(f"{dead}/b", "b.json"),
        source(f"{dead}/c", "c.json"),
        source(host.url(), "d.json"),
        source(None, "e.json", note="Ask the authors"),
    ]
    with pytest.raises(MtbenchError) as error:
        fetch(wanted, tmp_path)
    found = str(error.value).splitlines()
    reason = found[2].removeprefix(f"  b.json: {dead}/b: ")  # in the words of the operating system
    assert reason and found == [
        f"{tmp_path}: 4 problems",
        f"  a.json: {host.url('/gone')}: HTTP 404 Not Found",
        f"  b.json: {dead}/b: {reason}",
        f"  c.json: {dead}/c: {reason}",
        "  e.json: no live host: nowhere to download from. Ask the authors",
        f"Run again to go on, or put the files into {tmp_path} by hand under these names.",
    ]
    assert names(tmp_path) == ["d.json"]


def test_an_optional_file_that_cannot_be_had_is_only_warned_about(
    host: Host, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        wanted = [source(host.url("/gone"), "a.json", required=False), source(host.url(), "b.json")]
        assert fetch(wanted, tmp_path) == [tmp_path / "b.json"]
    assert "a.json" in caplog.text and "404" in caplog.text


def test_missing_files_are_named_with_the_command_that_fetches_them(tmp_path: Path) -> None:
    (tmp_path / "a.json").touch()
    wanted = [
        source("http://host/a", "a.json"),
        source("http://host/b", "b.json"),
        source(None, "c.json", note="Ask the authors"),
        source("http://host/d", "d.json", required=False),
    ]
    assert missing(wanted[:1], tmp_path, builder="shoes") is None
    assert str(missing(wanted, tmp_path, builder="shoes")).splitlines() == [
        f"{tmp_path}: 2 problems",
        "  b.json: missing, from http://host/b",
        "  c.json: missing, no live host. Ask the authors",
        f"Download them: mtbench build shoes --raw {tmp_path} --out DIR --fetch",
    ]
    assert "by hand, then: mtbench build" in str(missing(wanted[2:3], tmp_path, builder="shoes"))


@pytest.mark.parametrize("path", ["../a", "/a", "a/../../b", "C:/a", "..\\a", "\\a", ""])
def test_no_path_leaves_the_raw_folder(path: str) -> None:
    with pytest.raises(MtbenchError, match="leaves the raw folder"):
        source("http://host/a", path)


@pytest.mark.parametrize("sources", [SHOES, FASHIONIQ, MULTITURN], ids=["shoes", "fashioniq", "multiturn"])
def test_every_declared_source_is_whole_and_once(sources: tuple[Source, ...]) -> None:
    assert len({s.path for s in sources}) == len({s.url for s in sources}) == len(sources)
    for s in sources:
        assert re.fullmatch("[0-9a-f]{64}", s.sha256) and s.size > 0 and s.licence
        assert s.url and s.url.startswith("https://raw.githubusercontent.com/")
