"""What lies in leaderboards/: every score is recomputed from the run beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from builders.multiturn_fashioniq import MultiturnFashionIQ
from builders.shoebox import Shoebox
from builders.shoes import Shoes
from mtbench.data.benchmark import Benchmark
from mtbench.data.build import BuildOptions, build
from mtbench.evaluation.scoring import score_run

ROOT = Path(__file__).resolve().parent.parent / "leaderboards"
BOARDS = sorted(path.parent.name for path in ROOT.glob("*/board.json"))
DIAL = {"size": None, "seed": 0, "width": 192, "history_share": 1.0, "dialogues": 2000}


def built(board: str, folder: Path, request: pytest.FixtureRequest) -> Benchmark:
    """The benchmark of a board, made anew; only that of the dial needs no published files."""
    if board == "dial":
        extra = {**DIAL, "kinds": "plain", "shortest": 2, "longest": 4, "no_pictures": True}
        return build("shoebox", Shoebox(), folder / "raw", folder / "dial", BuildOptions(extra=extra), progress=False)
    data = request.getfixturevalue("real_data")
    if board == "shoes":
        return build("shoes", Shoes(), data / "shoes", folder / board, progress=False)
    options = BuildOptions(split="edge-target-disjoint" if board == "resplit" else None)
    raw = data / "multiturn_fashioniq"
    return build("multiturn-fashioniq", MultiturnFashionIQ(), raw, folder / board, options, progress=False)


def test_there_are_boards() -> None:
    assert BOARDS == ["dial", "fashioniq", "resplit", "shoes"]


@pytest.mark.parametrize("board", BOARDS)
def test_every_score_of_a_board_follows_from_its_run(
    board: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    benchmark = built(board, tmp_path, request)
    about = json.loads((ROOT / board / "board.json").read_text())
    assert benchmark.revision == about["revision"]
    runs = sorted((ROOT / board).glob("*.parquet"))
    assert sorted(run.stem for run in runs) == sorted(
        p.stem for p in (ROOT / board).glob("*.json") if p.stem != "board"
    )
    wrong = []
    for run in runs:
        stated = json.loads(run.with_suffix(".json").read_text())["results"][0]
        found = score_run(run, benchmark, measures=["R@5", "R@8", "mean"])
        for name, value in found.to_dict()["measures"].items():
            if value != pytest.approx(stated["measures"][name], abs=1e-9) and not found.cut_ties:
                wrong.append(f"{run.stem}: {name} is {value}, not {stated['measures'][name]}")
    assert not wrong, wrong


@pytest.mark.parametrize("board", BOARDS)
def test_what_learned_from_a_leaking_split_is_marked_and_nothing_else(board: str) -> None:
    for path in sorted((ROOT / board).glob("*.json")):
        if path.stem == "board":
            continue
        for result in json.loads(path.read_text())["results"]:
            marked = [trained["leak"]["marked"] for trained in result["trained"]]
            assert all(mark is (board == "fashioniq") for mark in marked), path


def test_the_files_hold_ranks_and_names_no_machine() -> None:
    for path in sorted(ROOT.glob("*/*.json")):
        text = path.read_text()
        assert "/tmp" not in text
        assert "/home" not in text
    for path in sorted(ROOT.glob("*/*.parquet")):
        frame: Any = pd.read_parquet(path)
        assert list(frame.columns) == ["transaction_id", "image_id", "rank", "score"]
        assert frame["rank"].max() <= 50
        assert path.stat().st_size < 1 << 20
