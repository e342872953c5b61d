"""What pages give out of a benchmark that somebody else made: pictures from its image folder, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image as Pillow
from tiny import write_tiny_benchmark

from mtbench.data.benchmark import load
from mtbench.web import pictures as module
from mtbench.web.pictures import Pictures, size_of

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
