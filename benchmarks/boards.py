"""The boards of leaderboards/, and the bundled models as submissions to them; used by models.py.

    python benchmarks/boards.py --work DIR        # open the boards anew from benchmarks that models.py built

A bundled model is submitted as anybody's would be: a ranking and a description through `mtbench.leaderboard`.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mtbench
from mtbench.data.benchmark import Benchmark
from mtbench.leaderboard.board import MEASURES, Board, Quoted, read_board
from mtbench.leaderboard.from_result import training_of
from mtbench.leaderboard.limits import read_toml
from mtbench.leaderboard.opening import Opening, open_board
from mtbench.leaderboard.submission import folders
from mtbench.leaderboard.submit import prepare

ROOT = Path(__file__).resolve().parent.parent / "leaderboards"
DATE = "2026-11-22"
AUTHORS = ["The mtbench authors"]

_PAPER = "FashionNTM, ICCV 2023"
_FASHIONIQ = (
    "as a paper printed it: image features, the released split that leaks, a gallery and ties that are not declared, "
    "and no ranking to check"
)
_SHOES = (
    "as a paper printed it: image features, a split that was never released, a gallery and ties that are not declared, "
    "and no ranking to check"
)


def _quoted(rows: Mapping[str, tuple[float, float]], why: str) -> tuple[Quoted, ...]:
    return tuple(
        Quoted(name, _PAPER, "image", {"mean": round((a + b) / 200, 4), "R@5": a / 100, "R@8": b / 100}, why)
        for name, (a, b) in rows.items()
    )


QUOTED_FASHIONIQ = _quoted(
    {
        "FashionNTM": (45.7, 50.4),
        "ST + LSTM": (44.6, 50.2),
        "ST + EWMA": (40.9, 47.8),
        "ST + cat": (33.8, 41.0),
        "CFIR": (30.3, 33.4),
        "ST + avg": (28.2, 34.3),
        "Dialog Manager": (13.1, 15.2),
    },
    _FASHIONIQ,
)
QUOTED_SHOES = _quoted(
    {
        "FashionNTM": (26.7, 35.7),
        "ST + LSTM": (23.3, 32.1),
        "ST + EWMA": (18.3, 23.8),
        "ST + avg": (12.4, 17.6),
        "ST + cat": (10.7, 13.6),
    },
    _SHOES,
)
_RELEASE = "mtbench build multiturn-fashioniq --raw RAW --image-captions CAPTIONS"

BOARDS: Mapping[str, tuple[str, Opening]] = {
    "shoes": (
        "shoes",
        Opening(
            title="Multi-turn Shoes",
            about="One dialogue for each target image, walked back through the annotated pairs; no image twice.",
            build="mtbench build shoes --raw RAW --image-captions CAPTIONS",
            quoted=QUOTED_SHOES,
        ),
    ),
    "fashioniq-official": (
        "fashioniq",
        Opening(
            title="Multi-turn FashionIQ, as released: leaks",
            about="The published split. More than half of its test dialogues share a pair with the training part, so "
            "that scores here tell memorisation as much as memory; they are kept apart and marked.",
            leaks_allowed=True,
            build=_RELEASE,
            quoted=QUOTED_FASHIONIQ,
        ),
    ),
    "fashioniq-clean": (
        "fashioniq",
        Opening(
            title="Multi-turn FashionIQ, clean part",
            about="The test dialogues of the released split that share no pair with train or dev. Their images may "
            "still occur there.",
            part="clean",
            build=_RELEASE,
        ),
    ),
    "fashioniq-resplit": (
        "resplit",
        Opening(
            title="Multi-turn FashionIQ, re-split",
            about="The same dialogues, split so that no pair and no final target of test is in train or dev. Options "
            "of the bundled models were tried with this test part in sight: see the other re-split.",
            build=f"{_RELEASE} --split edge-target-disjoint",
        ),
    ),
    "fashioniq-resplit-1": (
        "fresh",
        Opening(
            title="Multi-turn FashionIQ, re-split with seed 1",
            about="The same as the re-split with another seed. Ranked once, when every option of the bundled models "
            "stood; 266 of its 1,687 distinct test dialogues were in test of the first re-split.",
            build=f"{_RELEASE} --split edge-target-disjoint --split-seed 1",
        ),
    ),
    "shoebox-dial": (
        "dial",
        Opening(
            title="shoebox dial, history share 1",
            about="Drawn shoes and designed dialogues: the last turn alone tells nothing, so that only memory finds "
            "the target. A system that reads the last turn only has 5.0 at best.",
            build="mtbench build shoebox --raw RAW --history-share 1 --dialogues 2000 --kinds plain --no-pictures",
        ),
    ),
}
"""By name of the board: which benchmark of models.py it is of, and what a person decides of it."""

_ABOUT = {
    "random": ("Random order", "A random order of the gallery: what chance scores."),
    "lookup": ("Lookup table, then BM25", "Returns the targets of training pairs with this very reference, then BM25."),
    "bm25": ("BM25", "Words of the last reference and of all feedback against the words of each image."),
    "last-turn": ("Last turn, sum of vectors", "Reference and feedback of the last turn, added."),
    "ewma": ("EWMA, sums of vectors", "An exponentially weighted mean of the turns, each a sum of vectors."),
    "combiner": ("Combiner, last turn", "A trained single-turn composer; only the last turn is read."),
    "avg-combiner": ("Combiner + mean", "The mean of the composer's vectors over the turns."),
    "cat-combiner": ("Combiner + cat", "The first reference and all feedback joined, through the composer."),
    "ewma-combiner": ("Combiner + EWMA", "An exponentially weighted mean of the composer's vectors."),
    "lstm": ("LSTM", "An LSTM over the composer's vectors, with a skip connection from their weighted mean."),
    "gru": ("GRU", "A GRU over the composer's vectors, with a skip connection from their weighted mean."),
    "ntm": ("NTM", "A Neural Turing Machine over the composer's vectors (one stage)."),
    "cm-ntm": ("CM-NTM, 4 stages", "A cascaded-memory Neural Turing Machine over the composer's vectors."),
    "transformer": ("Transformer", "A small causal transformer over the composer's vectors."),
    "cfir": ("CFIR", "Candidate-wise attention over the turns; all modules trained."),
    "lexnet": ("LexNet", "A learned lexical channel: BM25 weights, gates and expansions."),
    "fusion-combiner-lexnet": ("Combiner + LexNet", "Late fusion of both scores; the weight was chosen on dev."),
    "fusion-cm-ntm-lexnet": ("CM-NTM + LexNet", "Late fusion of both scores; the weight was chosen on dev."),
}


_VARIANT_OF = {
    "lookup": "bm25",
    **dict.fromkeys(("ewma-combiner", "fusion-combiner-lexnet"), "combiner"),
    **dict.fromkeys(("gru", "ntm", "cm-ntm"), "lstm"),
}
"""On some board their first ten images are nearly the same: without a word about it, verify takes them for copies."""


def name_of(record: Mapping[str, Any]) -> str:
    """What a result is called as a submission."""
    model, options = record["model"], record["options"]
    if "parts" in options:
        models = [row["model"] for row in record["trained"]]
        return f"{model}-{'-'.join(models)}"
    return f"{model}-combiner" if "combiner" in options and model in ("avg", "cat", "ewma") else str(model)


def meta_of(records: Sequence[Mapping[str, Any]], board: Board) -> dict[str, Any]:
    """The description of a bundled model: the record of the first seed, and the scores of the others."""
    first, name = records[0], name_of(records[0])
    title, summary = _ABOUT[name]
    chosen = " Epochs and options were chosen on dev."
    features = first["features"]["name"] if isinstance(first["features"], dict) else first["features"]
    found = {
        **{"name": name, "title": title, "summary": summary + chosen * bool(first["chosen_on_dev"])},
        **{"authors": AUTHORS, "date": DATE, "proxy": first["proxy"], "license": "Apache-2.0"},
        "features": features or "",
        "variant_of": _VARIANT_OF.get(name, ""),
        "hardware": "2 CPU cores",
        "options": {
            key: str(value) for key, value in first["options"].items() if key not in ("seed", "parts", "combiner")
        },
        "training": _training(first, board),
        "pretraining": _pretraining(features or "", first["proxy"]),
        "seeds": [
            {
                "seed": seed,
                "measures": {key: value for key, value in record["measures"].items() if key in MEASURES},
                "intervals": {key: value for key, value in record["intervals"].items() if key in MEASURES},
                **{part: _measures(record[part]) for part in ("clean", "leaked") if part in record},
            }
            for seed, record in enumerate(records[1:], start=1)
        ],
    }
    if board.benchmark["part"] == "clean":  # the scores of other seeds are of all transactions
        found["seeds"] = []
    if len(records) > 1:
        found["seed"] = 0
    return found


def _measures(part: Mapping[str, Any]) -> dict[str, float]:
    """Of a part of the transactions, in a result's record or in one that was kept."""
    return {key: value for key, value in part.get("measures", part).items() if key in MEASURES}


def _training(record: Mapping[str, Any], board: Board) -> list[dict[str, str]]:
    """What a bundled model learned from: of those that are fitted on the spot, the lookup table alone reads train."""
    rows = training_of(record, board)
    return rows if record["trained"] or record["model"] == "lookup" else [row for row in rows if row["data"] == "dev"]


def _pretraining(features: str, proxy: str) -> list[str]:
    return [
        *(["BLIP-2, which wrote the captions"] if "caption" in proxy else []),
        *(["the corpora of all-MiniLM-L6-v2"] if "minilm" in features else []),
    ]


def submit(board: Board, run: Path, records: Sequence[Mapping[str, Any]], **more: Any) -> None:
    """Submit one system: the ranking of its first seed, and the records of all."""
    prepare(board, run, {**meta_of(records, board), **more}).write()


def opened(name: str, benchmark: Benchmark) -> Board:
    """A board anew, without submissions.

    Raises:
        SystemExit: it holds submissions of others, earlier versions or removals, which are nothing to throw away.
    """
    folder = ROOT / name
    if (folder / "board.toml").is_file():
        others = [path.name for path in folders(read_board(folder)) if not _is_ours(path)]
        others += [kept for kept in ("versions", "removed.toml") if (folder / kept).exists()]
        if others:
            raise SystemExit(f"{folder} holds {', '.join(others)}: open a new version with mtbench leaderboard open")
    shutil.rmtree(folder, ignore_errors=True)
    return open_board(ROOT, name, benchmark, BOARDS[name][1])


def _is_ours(submission: Path) -> bool:
    return read_toml(submission / "submission.toml").get("authors") == AUTHORS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="the --work of models.py")
    parser.add_argument("--board", choices=BOARDS, nargs="+", default=list(BOARDS))
    options = parser.parse_args()
    for name in options.board:
        board = opened(name, mtbench.load(options.work / BOARDS[name][0]))
        print(f"{board.folder}: {board.benchmark['n']:,} transactions")


if __name__ == "__main__":
    main()
