"""What lies in leaderboards/: every score is recomputed, every rule checked, every board built anew and compared."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from mtbench.cli import main
from mtbench.data.benchmark import Benchmark, load
from mtbench.leaderboard.board import Board, boards
from mtbench.leaderboard.verify import verify

ROOT = Path(__file__).resolve().parent.parent / "leaderboards"
BOARDS = {board.name: board for board in boards(ROOT) if board.folder.parent == ROOT}
RAW = {"shoes": "shoes", "multiturn-fashioniq": "multiturn_fashioniq"}
"""Where the published files of a builder lie; shoebox draws its own."""

MACHINE = re.compile(r"/(tmp|home|root|work|Users|mnt|var)/|[A-Z]:\\|file://|localhost")


@pytest.fixture(scope="module")
def built() -> dict[str, Benchmark]:
    """Benchmarks by the command that makes them."""
    return {}


def build(board: Board, made: dict[str, Benchmark], request: pytest.FixtureRequest) -> Benchmark:
    """The benchmark of a board, made anew by the command that the board gives; captions are no part of a revision."""
    told = board.benchmark["build"]
    if told not in made:
        words = shlex.split(told.replace(" --image-captions CAPTIONS", ""))
        assert words[:2] == ["mtbench", "build"], told
        folder = request.getfixturevalue("tmp_path_factory").mktemp("built")
        raw = request.getfixturevalue("real_data") / RAW[words[2]] if words[2] in RAW else folder / "raw"
        words[words.index("RAW")] = str(raw)
        found = CliRunner().invoke(main, [*words[1:], "--out", str(folder / "out")])
        assert found.exit_code == 0, found.output
        made[told] = load(folder / "out")
    return made[told]


def test_there_are_boards() -> None:
    assert {"fashioniq-clean", "fashioniq-official", "fashioniq-resplit", "shoebox-dial", "shoes"} <= set(BOARDS)


def test_every_score_follows_from_its_ranking_and_every_rule_is_kept() -> None:
    found = verify(ROOT)
    assert list(map(str, found.faults)) == []
    folders = [path for path in ROOT.glob("*/submissions/*") if path.is_dir()]
    assert found.submissions >= len(folders) >= 60


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_is_what_its_benchmark_gives(
    name: str, built: dict[str, Benchmark], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    board = BOARDS[name]
    benchmark = build(board, built, request)
    assert benchmark.revision == board.benchmark["revision"]
    bare = tmp_path / name  # the board without its submissions, which have been verified above
    bare.mkdir()
    for file in ("board.toml", *board.files):
        (bare / file).write_bytes((board.folder / file).read_bytes())
    assert list(map(str, verify(tmp_path, benchmarks=[benchmark]).faults)) == []


def test_what_learned_from_a_leaking_split_is_on_the_board_that_allows_it_alone() -> None:
    assert [name for name, board in BOARDS.items() if board.leaks_allowed] == ["fashioniq-official"]
    leaking = {name for name, board in BOARDS.items() if any(row.leaks for row in board.training)}
    assert leaking == {"fashioniq-official"}


def test_no_file_names_a_machine_and_none_is_large() -> None:
    wrong = []
    for path in sorted(ROOT.rglob("*")):
        if not path.is_file():
            continue
        content = path.read_bytes()
        if path.suffix in (".toml", ".json", ".md") and (found := MACHINE.search(content.decode("utf-8"))):
            wrong.append(f"{path.relative_to(ROOT)} names {found[0]}")
        if path.suffix == ".parquet" and re.search(rb"/(tmp|home|root|work)/", content):
            wrong.append(f"{path.relative_to(ROOT)} names a folder")
        if len(content) > 1 << 20:
            wrong.append(f"{path.relative_to(ROOT)} has {len(content):,} bytes")
    assert wrong == []
