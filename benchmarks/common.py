"""What the benchmarks of chains, builds and the command line share. Import it first: it sets one thread."""

from __future__ import annotations

import os

os.environ.update(
    dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1")
)  # before numpy is imported

import argparse
import importlib.metadata
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

ROOT = Path(__file__).resolve().parent.parent
RAW = ROOT.parent / "shared" / "data" / "shoes"
IMAGES, PAIRS_PER_IMAGE, EVAL_SHARE = 14_658, 0.733, 0.318
"""The size of Shoes, for the drawn shoes that stand in where the published files are not there."""


def options(text: str, *, repeat: int) -> argparse.ArgumentParser:
    """A parser with the options of every script."""
    parser = argparse.ArgumentParser(description=text.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=repeat, help="times each case runs, in turns; the least counts")
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    return parser


def add_raw(parser: argparse.ArgumentParser) -> None:
    """The option of the scripts that read Shoes."""
    parser.add_argument("--raw", type=Path, default=RAW, help="folder of the published Shoes files, if you have them")


def shoes(raw: Path, folder: Path) -> tuple[Path, str]:
    """The published Shoes files, or as many made ones in the same layout; and what to call them."""
    if (raw / "relative_captions_shoes.json").is_file():
        return raw, "Shoes"
    drawn_shoes(folder, IMAGES, PAIRS_PER_IMAGE, EVAL_SHARE)
    return folder, "made shoes, as many as Shoes"


def drawn_shoes(folder: Path, images: int, pairs_per_image: float, eval_share: float) -> dict[str, str]:
    """Write the pairs of drawn shoes, without the drawings, in the layout of Shoes; the caption of each image."""
    from builders.shoebox.attributes import sample_attributes
    from builders.shoebox.captions import caption
    from builders.shoebox.feedback import feedback
    from builders.shoebox.generate import image_names
    from builders.shoebox.pairs import is_eval, sample_pairs

    made = sample_attributes(images, 0)
    names = image_names(made)
    rng = np.random.default_rng(0)
    pairs = [
        {
            "ImageName": names[target],
            "ReferenceImageName": names[reference],
            "RelativeCaption": feedback(made[reference], made[target], rng)[0],
        }
        for reference, target in sample_pairs(made, 0, pairs_per_image, eval_share)
    ]
    (folder / "relative_captions_shoes.json").write_text(json.dumps(pairs), encoding="utf-8")
    for file, held_out in (("train_im_names.txt", False), ("eval_im_names.txt", True)):
        listed = [name for n, name in enumerate(names) if is_eval(n, eval_share) == held_out]
        (folder / file).write_text("\n".join(listed) + "\n", encoding="utf-8")
    return {name: caption(shoe, rng) for name, shoe in zip(names, made, strict=True)}


def least(cases: Mapping[str, Callable[[], object]], repeat: int) -> dict[str, float]:
    """The least seconds of each case. They take turns, so that a busy machine is busy for all of them."""
    times = dict.fromkeys(cases, float("inf"))
    for _ in range(repeat):
        for name, run in cases.items():
            start = time.perf_counter()
            run()
            times[name] = min(times[name], time.perf_counter() - start)
    return times


def command(*words: str | Path) -> Callable[[], object]:
    """A case that runs a program."""
    return lambda: subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL)


def script(name: str) -> Path:
    """A program of the environment that runs this."""
    return Path(sys.executable).with_name(name)


def context(*packages: str) -> dict[str, Any]:
    """What the times depend on: threads, processors, versions."""
    versions = {name: importlib.metadata.version(name) for name in packages}
    return {"threads": 1, "processors": os.cpu_count(), "python": platform.python_version(), **versions}


def report(
    about: str, found: Mapping[str, Any], tables: Mapping[str, Sequence[Mapping[str, Any]]], *, as_json: bool
) -> None:
    """Print tables under each other, or everything as JSON."""
    if as_json:
        print(json.dumps({"about": about, "context": found, **tables}, indent=2))
        return
    print(about)
    print(", ".join(f"{name} {value}" for name, value in found.items()))
    for title, rows in tables.items():
        cells = [[_cell(value) for value in row.values()] for row in rows]
        alignment = ["left", *["right"] * (len(rows[0]) - 1)]
        print(f"\n{title}\n{tabulate(cells, list(rows[0]), colalign=alignment, disable_numparse=True)}")


def _cell(value: object) -> object:
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:.2f}" if value >= 0.1 else f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else "" if value is None else value
