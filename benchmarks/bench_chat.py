"""A turn of `mtbench chat` against the bare ranking of one query, in one run; and seconds from command to first page.

    python benchmarks/bench_chat.py [--json]

A turn is what a person waits for: the form, the redirect, and the page with its answer, over HTTP on this machine; the
pictures come after it. The bare ranking is one call of the engine with vectors, or scores, that are there already.
"""

from __future__ import annotations

import os

os.environ.update(
    dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1")
)  # before numpy is imported

import json
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
from common import context, least, options, report, script

from builders.shoebox.attributes import sample_attributes
from builders.shoebox.captions import caption
from builders.shoebox.feedback import feedback
from builders.shoebox.generate import image_names
from builders.shoebox.pairs import is_eval, sample_pairs
from builders.shoes import Shoes
from mtbench.chat.serve import ChatSettings, Served, prepare
from mtbench.data.benchmark import load
from mtbench.data.build import BuildOptions, build
from mtbench.evaluation.ranker import is_embedding
from mtbench.evaluation.ranking import rank_embeddings, rank_scores
from mtbench.evaluation.ready import ready

SAID = (
    "is red and has a higher heel",
    "with a bow instead of laces",
    "in black leather",
    "has a pointed toe",
    "is shiny",
)
MODELS = ("bm25", "ewma")


def main() -> None:
    parser = options(__doc__, repeat=5)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--no-start", action="store_true", help="leave out the seconds from command to first page")
    given = parser.parse_args()
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        benchmark(given.images, path)
        for model in MODELS:
            rows += turns(model, path / "made", path / "out", given.repeat)
        start = [] if given.no_start else [started(path / "first", again) for again in (False, True)]
    tables = {"A turn": rows} | ({"Start, the shoebox to begin with": start} if start else {})
    report(
        f"{given.images:,} images, dialogues of {len(SAID)} turns",
        context("flask", "numpy"),
        tables,
        as_json=given.json,
    )


def benchmark(images: int, path: Path) -> None:
    """Drawn shoes without the drawings: captions, and some dialogues to choose options on."""
    raw = path / "raw"
    raw.mkdir()
    shoes = sample_attributes(images, 0)
    names = image_names(shoes)
    rng = np.random.default_rng(0)
    pairs = [
        {"ImageName": names[b], "ReferenceImageName": names[a], "RelativeCaption": feedback(shoes[a], shoes[b], rng)[0]}
        for a, b in sample_pairs(shoes, 0, 0.2, 1 / 3)
    ]
    captions = {name: caption(shoe, rng) for name, shoe in zip(names, shoes, strict=True)}
    (raw / "relative_captions_shoes.json").write_text(json.dumps(pairs), encoding="utf-8")
    (path / "captions.json").write_text(json.dumps(captions), encoding="utf-8")
    for file, held_out in (("train_im_names.txt", False), ("eval_im_names.txt", True)):
        listed = [name for n, name in enumerate(names) if is_eval(n, 1 / 3) == held_out]
        (raw / file).write_text("\n".join(listed) + "\n", encoding="utf-8")
    options = BuildOptions(gallery="all-images", image_captions=path / "captions.json")
    build("shoes", Shoes(), raw, path / "made", options, progress=False)


def turns(model: str, benchmark: Path, out: Path, repeat: int) -> list[dict[str, object]]:
    """The last of some turns, without and with a wanted image, against the bare ranking."""
    served = prepare(ChatSettings(models=[model], benchmark=benchmark, out=out, port=0))
    threading.Thread(target=served.server.serve_forever, daemon=True).start()
    cases = {
        "bare ranking": bare(model, benchmark),
        "a turn": last_turn(served, wanted=False),
        "a turn, with ranks of a wanted image": last_turn(served, wanted=True),
    }
    times = least(cases, repeat)
    served.server.shutdown()
    floor = times["bare ranking"]
    return [{"case": f"{model}, {name}", "ms": 1000 * s, "of the ranking": s / floor} for name, s in times.items()]


def last_turn(served: Served, *, wanted: bool) -> Callable[[], object]:
    """Sends the last turn of a dialogue that has all the others, and reads the page that follows."""
    page = urllib.request.urlopen(served.url)
    where, text = page.url, page.read().decode()
    image = re.search(r'name="image" value="([^"]*)"', text)[1]
    if wanted:
        where, text = post(where, "target", image=image)
    for said in SAID[:-1]:
        image = re.search(r'name="image" value="([^"]*)"', text)[1]
        where, text = post(where, "say", text=said, image=image)

    def send() -> object:
        _, answer = post(where, "say", text=SAID[-1], image=image)
        assert "the best 10 of" in answer
        return answer

    return send


def post(where: str, action: str, **fields: str) -> tuple[str, str]:
    """One step: the address and the text of the page after it."""
    with urllib.request.urlopen(f"{where}/{action}", urllib.parse.urlencode(fields).encode()) as page:
        return page.url, page.read().decode()


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
    words = [script("mtbench"), "chat", "--no-browser", "--port", "0", "--out", out]
    program = subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, text=True)
    url = next(found[0] for line in program.stdout if (found := re.search(r"http://\S+", line)))
    urllib.request.urlopen(url).read()
    seconds = time.perf_counter() - begin
    program.send_signal(signal.SIGINT)
    program.wait()
    return {"case": "second time" if again else "first time, shoes drawn", "seconds": seconds}


if __name__ == "__main__":
    main()
