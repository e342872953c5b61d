"""What pages give out of a benchmark that somebody else made: pictures from its image folder, and nothing else."""

from __future__ import annotations

import io
import os
import signal
import socket
import struct
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flask import Flask
from PIL import Image as Pillow
from tiny import write_tiny_benchmark

from mtbench.core.errors import MtbenchError
from mtbench.core.types import Image
from mtbench.data.benchmark import load
from mtbench.features.imaging import ImageFileError, open_picture, open_pictures
from mtbench.web import pictures as module
from mtbench.web.kept import Kept
from mtbench.web.pictures import SIDE, Pictures, size_of
from mtbench.web.server import Handler, address, listen, run, server_on

SCRIPT = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
FORMS = (b"GIF89a" + b"\x00" * 40, b"\x89PNG\r\n\x1a\n" + b"\x00" * 40, b"%!PS-Adobe-3.0 EPSF-3.0\n", b"", SCRIPT)


@pytest.fixture
def shop(tmp_path: Path) -> Callable[[str], Pictures]:
    """The pictures of a benchmark whose image t1 says that it is in a file of any name."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for path in (folder / "t1.png", tmp_path / "secret.png"):
        Pillow.new("RGB", (40, 30), (200, 90, 120)).save(path)
    write_tiny_benchmark(tmp_path / "made", images=folder)
    benchmark = load(tmp_path / "made")

    def of(path: str) -> Pictures:
        changed = load(tmp_path / "made")
        changed.images.update({"t1": replace(benchmark.images["t1"], path=path)})
        found = Pictures(changed)
        found.name(["t1", "t2"])
        return found

    return of


def given(pictures: Pictures) -> bytes | None:
    """The picture of t1, which a card must not promise where there is none."""
    found = pictures.by_token(pictures.token("t1"))
    assert (pictures.card("t1").src is None) is (found is None)
    return found


def test_a_picture_of_the_folder_is_given_out_as_pixels(shop: Callable[[str], Pictures]) -> None:
    found = given(shop("t1.png"))
    assert found is not None and found.startswith(b"\xff\xd8") and size_of(found) == (40, 30)


@pytest.mark.parametrize(
    "path", ["../secret.png", "x/../../secret.png", "/dev/zero", ".", "", "no.png", "a\0b", "é" * 300]
)
def test_a_path_that_leaves_the_folder_or_names_no_file_shows_words(shop: Callable[[str], Pictures], path: str) -> None:
    assert given(shop(path)) is None


def test_an_absolute_path_and_an_outward_link_show_words(shop: Callable[[str], Pictures], tmp_path: Path) -> None:
    (tmp_path / "pictures" / "link.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "pictures" / "inward.png").symlink_to("t1.png")
    assert given(shop(str(tmp_path / "secret.png"))) is None
    assert given(shop("link.png")) is None
    assert given(shop("inward.png")) is not None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_waited_for(shop: Callable[[str], Pictures], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pictures" / "pipe.png")
    assert given(shop("pipe.png")) is None


@pytest.mark.parametrize("content", FORMS)
def test_what_is_no_picture_or_a_broken_one_shows_words(
    shop: Callable[[str], Pictures], tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "pictures" / "odd.png").write_bytes(content)
    pictures = shop("odd.png")
    assert pictures.by_token(pictures.token("t1")) is None
    assert given(pictures) is None


def test_a_picture_that_unpacks_to_too_many_pixels_shows_words(
    shop: Callable[[str], Pictures], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pillow, "MAX_IMAGE_PIXELS", 1000)
    assert given(shop("t1.png")) is None  # 40 x 30


def test_a_file_of_too_many_bytes_is_not_opened(
    shop: Callable[[str], Pictures], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LARGEST", 10)
    assert given(shop("t1.png")) is None


def test_an_image_that_was_not_named_has_no_address(shop: Callable[[str], Pictures]) -> None:
    pictures = shop("t1.png")
    assert pictures.by_token(pictures.token("t3")) is None
    assert pictures.by_token("../secret.png") is None


def odd_exif() -> bytes:
    """A JPEG to be turned whose EXIF has a text where the width belongs: turning it, Pillow fails in struct."""
    entries = struct.pack("<HHIHH", 0x112, 3, 1, 6, 0) + struct.pack("<HHI4s", 0x100, 2, 4, b"abc\0")
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 2) + entries + bytes(4)
    stream = io.BytesIO()
    Pillow.new("RGB", (40, 30), "red").save(stream, "JPEG", exif=exif)
    return stream.getvalue()


def test_a_picture_whose_metadata_are_odd_shows_words_and_is_named_where_pixels_are_needed(
    shop: Callable[[str], Pictures], tmp_path: Path
) -> None:
    (tmp_path / "pictures" / "odd.jpg").write_bytes(odd_exif())
    pictures = shop("odd.jpg")
    assert pictures.by_token(pictures.token("t1")) is None and given(pictures) is None
    with pytest.raises(ImageFileError, match=r"t1: odd\.jpg cannot be read as an image: required argument"):
        list(open_pictures([Image("t1", "dress", path="odd.jpg")], tmp_path / "pictures"))


def test_whatever_goes_wrong_with_a_picture_the_page_shows_words(
    shop: Callable[[str], Pictures], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(path: Path, enough: int) -> None:
        raise struct.error("odd")

    monkeypatch.setattr(module, "open_picture", fails)
    pictures = shop("t1.png")
    assert pictures.jpeg("t1") is None and given(pictures) is None


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "CMYK"])
@pytest.mark.parametrize("kind", ["png", "jpg", "gif", "tif"])
def test_a_page_has_less_of_a_large_picture_and_it_looks_the_same(tmp_path: Path, mode: str, kind: str) -> None:
    path = tmp_path / f"large.{kind}"
    turned = Pillow.Exif()
    turned[0x112] = 6  # lies on its side
    colours = Pillow.merge("RGB", [Pillow.linear_gradient("L").rotate(n * 90) for n in range(3)]).resize((400, 300))
    try:
        colours.convert("RGBA" if "A" in mode else "RGB").convert(mode).save(
            path, **{"exif": turned} if kind in ("png", "jpg") else {}
        )
    except (OSError, ValueError):
        pytest.skip("there are no such files")
    whole, less = open_picture(path), open_picture(path, 100)
    assert whole.size in ((300, 400), (400, 300)) and max(less.size) < 200
    assert (less.mode, less.width < less.height) == (whole.mode, whole.width < whole.height)
    looks = [np.asarray(picture.resize((8, 8), Pillow.Resampling.BOX), float) for picture in (whole, less)]
    assert abs(looks[0] - looks[1]).mean() < 6
    np.testing.assert_array_equal(open_picture(path, 300), whole)  # not so large


def test_a_picture_of_many_pixels_is_small_before_it_is_copied(
    shop: Callable[[str], Pictures], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Pillow.new("LA", (9000, 9), (5, 100)).save(tmp_path / "pictures" / "long.png")
    copied, plainly = [], Pillow.alpha_composite

    def noted(below: Pillow.Image, above: Pillow.Image) -> Pillow.Image:
        copied.append(max(below.size))
        return plainly(below, above)

    monkeypatch.setattr(Pillow, "alpha_composite", noted)
    found = given(shop("long.png"))
    assert found is not None and size_of(found) == (SIDE, 1)
    assert len(copied) == 1 and copied[0] < 4 * SIDE


def test_pictures_are_unpacked_one_at_a_time_and_each_once(
    shop: Callable[[str], Pictures], monkeypatch: pytest.MonkeyPatch
) -> None:
    running: list[Path] = []
    most: list[int] = []

    def slow(path: Path, enough: int) -> Pillow.Image:
        running.append(path)
        most.append(len(running))
        time.sleep(0.05)
        running.remove(path)
        return open_picture(path, enough)

    monkeypatch.setattr(module, "open_picture", slow)
    pictures = shop("t1.png")
    pictures.images["t2"] = replace(pictures.images["t2"], path="t1.png")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(pictures.jpeg, ["t1", "t2"] * 4))
    assert all(found) and most == [1, 1]


def test_what_was_wanted_longest_ago_is_not_kept() -> None:
    kept: Kept[str, int] = Kept(2)
    assert [kept.put("a", 1), kept.put("b", 2), kept.get("a"), kept.put("c", 3)] == [1, 2, 1, 3]
    assert [kept.get(name) for name in "abc"] == [1, None, 3]


@contextmanager
def a_server() -> Iterator[str]:
    """The address of a page that takes a while."""
    app = Flask(__name__)

    @app.get("/")
    def slow() -> str:
        time.sleep(1)
        return "here it is"

    with listen("127.0.0.1", 0) as listening:
        server = server_on(listening, app)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield address(server)
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_request_that_never_ends_is_left_and_a_slow_answer_is_not(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert Handler.timeout == 30
    monkeypatch.setattr(Handler, "timeout", 0.3)
    with a_server() as url:
        port = int(url.rstrip("/").rpartition(":")[2])
        for begun in (b"", b"GET / HT", b"POST / HTTP/1.1\r\nHost: localhost\r\n"):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
                line.sendall(begun)
                assert line.recv(100) == b""
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert answer.read() == b"here it is"
    assert caplog.text == ""  # a browser that connects and asks for nothing is no news


@pytest.mark.parametrize("host", ["ü" * 80, "a\0b", "\udc80"])
def test_a_host_that_is_no_name_is_said_in_one_line(host: str) -> None:
    with pytest.raises(MtbenchError, match=r"^cannot listen on [^\n]*\. Give another --host$"):
        listen(host, 0)
    with pytest.raises(MtbenchError, match="Give another --port, or 0 for any"):
        listen("127.0.0.1", 70_000)


def test_after_a_server_a_signal_means_what_it_meant_before() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with listen("127.0.0.1", 0) as listening:
        server = server_on(listening, Flask(__name__))
    run(server, lambda _: os.kill(os.getpid(), signal.SIGTERM))
    assert signal.getsignal(signal.SIGTERM) is before
