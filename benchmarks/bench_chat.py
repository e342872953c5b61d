"""A turn of `mtbench chat` against the bare ranking of one query, in one run; and seconds from command to first page.

    python benchmarks/bench_chat.py [--json]

A turn is what a person waits for: the form, the redirect, and the page with its answer, over HTTP on this machine. With
pictures each image has a file of 640 x 480 pixels, and the turn ends when all pictures of the page are there, one after
the other, none of them remembered. The bare ranking is one call of the engine with vectors, or scores, that are there
already.
"""

from __future__ import annotations

import common  # isort: skip  # first: it sets one thread

import itertools
import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from builders.shoes import Shoes
from mtbench.chat.serve import ChatSettings, Served, prepare
from mtbench.data.benchmark import load
from mtbench.data.build import BuildOptions, build
from mtbench.evaluation.ranker import is_embedding
from mtbench.evaluation.ranking import rank_embeddings, rank_scores
from mtbench.evaluation.ready import ready
from mtbench.web import pictures

SAID = (
    "is red and has a higher heel",
    "with a bow instead of laces",
    "in black leather",
    "has a pointed toe",
    "is shiny",
)
MODELS = ("bm25", "ewma")
TURN, START = 200, 10
"""The goals: milliseconds of a turn, seconds to the first page."""


def main() -> None:
    parser = common.options(__doc__, repeat=5)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--no-start", action="store_true", help="leave out the seconds from command to first page")
    given = parser.parse_args()
    pictures.KEPT = 0
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        for name, files in (("words", False), ("pictures", True)):
            made = benchmark(given.images, path / name, files=files)
            for model in MODELS:
                rows += turns(model, name, made, path / "out", given.repeat)
        start = [] if given.no_start else [started(path / "first", again) for again in (False, True)]
    tables = {"A turn": rows} | ({"Start, the shoebox to begin with": start} if start else {})
    common.report(
        f"{given.images:,} images, dialogues of {len(SAID)} turns",
        common.context("flask", "numpy", "pillow"),
        tables,
        as_json=given.json,
    )


def benchmark(images: int, path: Path, *, files: bool) -> Path:
    """Drawn shoes without the drawings: captions, and some dialogues to choose options on; or one file for them all."""
    raw = path / "raw"
    raw.mkdir(parents=True)
    captions = common.drawn_shoes(raw, images, 0.2, 1 / 3)
    if files:
        (path / "images").mkdir()
        photo = path / "images" / f"{next(iter(captions))}"
        noise = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((640, 480), Image.Resampling.BICUBIC).save(photo, "JPEG", quality=90)
        for name in list(captions)[1:]:
            os.link(photo, photo.with_name(name))
    (path / "captions.json").write_text(json.dumps(captions), encoding="utf-8")
    options = BuildOptions(
        gallery="all-images", image_captions=path / "captions.json", images=path / "images" if files else None
    )
    build("shoes", Shoes(), raw, path / "made", options, progress=False)
    return path / "made"


def turns(model: str, kind: str, benchmark: Path, out: Path, repeat: int) -> list[dict[str, object]]:
    """The last of some turns, without and with a wanted image, against the bare ranking."""
    served = prepare(ChatSettings(models=[model], benchmark=benchmark, out=out / kind, port=0))
    threading.Thread(target=served.server.serve_forever, daemon=True).start()
    cases = {
        "bare ranking": bare(model, benchmark),
        "a turn": last_turn(served, wanted=False),
        "a turn, with ranks of a wanted image": last_turn(served, wanted=True),
    }
    times = common.least(cases, repeat)
    served.server.shutdown()
    floor = times["bare ranking"]
    return [
        {
            "case": f"{model}, {kind}, {name}",
            "ms": 1000 * seconds,
            "goal, ms": None if name == "bare ranking" else TURN,
            "of the ranking": seconds / floor,
        }
        for name, seconds in times.items()
    ]


def last_turn(served: Served, *, wanted: bool) -> Callable[[], object]:
    """Sends the last turn of a dialogue that has all the others, and reads the page that follows and its pictures."""
    where, text = read(served.url)
    image = re.search(r'name="image" value="([^"]*)"', text)[1]
    if wanted:
        where, text = post(where, "target", image=image)
    for said in SAID[:-1]:
        image = re.search(r'name="image" value="([^"]*)"', text)[1]
        where, text = post(where, "say", text=said, image=image)

    numbers = itertools.count()

    def send() -> object:  # never the same words again: the answer to those is remembered
        _, answer = post(where, "say", text=f"{SAID[-1]} {next(numbers)}", image=image)
        assert "the best 10 of" in answer
        for picture in sorted(set(re.findall(r'src="/(picture/\w+)"', answer))):
            urllib.request.urlopen(served.url + picture).read()
        return answer

    return send


def post(where: str, action: str, **fields: str) -> tuple[str, str]:
    """One step: the address and the text of the page after it."""
    return read(f"{where}/{action}", urllib.parse.urlencode(fields).encode())


def read(url: str, form: bytes | None = None) -> tuple[str, str]:
    """The address and the text of a page."""
    with urllib.request.urlopen(url, form) as page:
        return page.url.partition("#")[0], page.read().decode()


def bare(model: str, benchmark: Path) -> Callable[[], object]:
    """One query ranked by the engine, its vector and those of the gallery, or its scores, being there."""
    system = ready(model, load(benchmark))
    gallery = max((found.image_ids for found in system.galleries.values()), key=len)
    history = load(benchmark).histories("test")[0]
    made = system.asked.model
    none = np.array([-1])
    if is_embedding(made):
        query, vectors = made.embed_histories([history], system.catalogue), made.embed_images(gallery, system.catalogue)
        return lambda: rank_embeddings(query, vectors, none, similarity=made.similarity, depth=15)
    made.score([history], gallery, system.catalogue)  # the index
    return lambda: rank_scores(
        lambda _: made.score([history], gallery, system.catalogue), 1, len(gallery), none, depth=15
    )


def started(out: Path, again: bool) -> dict[str, object]:
    """Seconds from the command to its first page."""
    begin = time.perf_counter()
    words = [common.script("mtbench"), "chat", "--no-browser", "--port", "0", "--out", out]
    program = subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, text=True)
    url = next(found[0] for line in program.stdout if (found := re.search(r"http://\S+", line)))
    urllib.request.urlopen(url).read()
    seconds = time.perf_counter() - begin
    program.send_signal(signal.SIGINT)
    program.wait()
    return {
        "case": "second time" if again else "first time, shoes drawn",
        "seconds": seconds,
        "goal, s": START,
    }


if __name__ == "__main__":
    main()
