"""Sweeps: every combination with every seed, one combiner a seed, nothing done twice, numbers that others confirm."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from tiny import CAPTIONS, TRANSACTIONS, write_tiny_benchmark

from mtbench.cli import main
from mtbench.core.errors import MtbenchError
from mtbench.core.types import Transaction, Turn
from mtbench.data.benchmark import Benchmark
from mtbench.data.images import describe
from mtbench.evaluation.comparison.comparable import read_results
from mtbench.evaluation.comparison.compare import compare
from mtbench.evaluation.comparison.systems import group
from mtbench.models.checkpoint import read_record
from mtbench.training import sweep_trainings
from mtbench.training.grid import grid_of
from mtbench.training.jobs import run_tasks
from mtbench.training.sweep import Swept, sweep
from mtbench.training.sweep_picture import draw_sweep, scale
from mtbench.training.sweep_trainings import SweepSettings
from mtbench.training.train import TrainSettings, train

COLOURS = ("red", "blue", "green", "black", "white", "pink", "grey", "gold", "teal", "lime", "navy")
OVER = ["width=4,8", "skip=none,ewma"]
SEEDS = ("--seed", "0", "--seed", "1")


def colours(split: str) -> tuple[list[Transaction], dict[str, str | None]]:
    """A dress of each colour; from each one the next is asked for, and then the one after it (on test: before it)."""
    ids = [f"{split}-{colour}" for colour in COLOURS]
    found = []
    size, step = len(ids), -1 if split == "test" else 1
    for n in range(size):
        first, second, third = (ids[(n + k * step) % size] for k in range(3))
        said = [(f"is {COLOURS[(n + k * step) % size]}",) for k in (1, 2)]
        turns = (Turn(first, said[0], second), Turn(second, said[1], third))
        found.append(Transaction(f"dress.{split}.{n:04}", "dress", turns))
    return found, {name: f"a {colour} dress" for name, colour in zip(ids, COLOURS, strict=True)}


def with_words(path: Path) -> Path:
    """The benchmark, which says now that captions stand for its images."""
    manifest = json.loads((path / "benchmark.json").read_text())
    rows = {
        split: pq.read_table(path / "images" / f"{split}.parquet").to_pylist() for split in ("train", "dev", "test")
    }
    manifest["proxies"] = {"caption": describe(rows)["caption"]}
    (path / "benchmark.json").write_text(json.dumps(manifest))
    return path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A benchmark of 11 transactions in each part."""
    path = tmp_path_factory.mktemp("sweep") / "colours"
    parts = {split: colours(split) for split in ("train", "dev", "test")}
    write_tiny_benchmark(
        path,
        transactions={split: part[0] for split, part in parts.items()},
        captions={split: part[1] for split, part in parts.items()},
    )
    return with_words(path)


@pytest.fixture(scope="module")
def first(built: Path) -> Swept:
    """Two widths, with and without a skip, two seeds; nobody writes into it."""
    return sweep("lstm", Benchmark(built), OVER, built.parent / "first", settings())


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures take longest; that of `first` is there before this."""
    monkeypatch.setattr("mtbench.training.sweep.draw_sweep", lambda record: {})


@pytest.fixture
def done(first: Swept, tmp_path: Path) -> Path:
    """A copy of that sweep, to go on with."""
    return Path(shutil.copytree(first.path, tmp_path / "done"))


def settings(**other: Any) -> SweepSettings:
    return SweepSettings(**{"seeds": (0, 1), "options": {"epochs": "1"}, **other})


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    """When each file was written, and what is in it."""
    found = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in found}


def printed(*arguments: str, code: int = 0) -> str:
    found = CliRunner().invoke(main, arguments)
    assert found.exit_code == code, found.output
    return found.output


def learned(record: Mapping[str, Any], *, skip: str = "ewma") -> list[tuple[Any, ...]]:
    """What does not depend on when and where: seeds, weights and scores of the rows with the default skip."""
    names = ("seeds", "weights_sha256", "R@5", "R@8", "by_seed", "interval", "seed_sd", "best_epochs")
    return [tuple(row[name] for name in names) for row in record["rows"] if row["options"].get("skip", skip) == skip]


# What is trained


def test_every_combination_has_a_row_and_every_seed_is_in_it(first: Swept) -> None:
    assert [row["options"] for row in first.record["rows"]] == [
        {"width": 4, "skip": "none"},
        {"width": 4, "skip": "ewma"},
        {"width": 8, "skip": "none"},
        {"width": 8, "skip": "ewma"},
    ]
    assert first.record["status"] == "complete"
    assert (first.record["split"], first.record["n"], first.record["clusters"]) == ("dev", 11, 11)
    for row in first.record["rows"]:
        assert row["seeds"] == [0, 1]
        assert row["mean"] == pytest.approx(sum(row["by_seed"]) / 2)
        assert row["mean"] == pytest.approx((row["R@5"] + row["R@8"]) / 2)
        records = [read_record(first.path / path) for path in row["checkpoints"]]
        assert [record["seed"] for record in records] == [0, 1]
        assert all(record["options"].items() >= {**row["options"], "epochs": 1}.items() for record in records)
        assert row["best_epochs"] == [{"lstm": r["chosen_on_dev"]["lstm"]["best_epoch"]} for r in records]


def test_the_combiner_is_trained_once_a_seed_and_shared(first: Swept) -> None:
    assert (first.trained, first.known) == (2 + 8, 0)
    combiners = {read_record(path)["seed"]: read_record(path) for path in first.path.glob("checkpoints/combiner-*")}
    assert sorted(combiners) == [0, 1]
    for row in first.record["rows"]:
        for seed, path in zip(row["seeds"], row["checkpoints"], strict=True):
            record = read_record(first.path / path)
            assert record["from"] == {"combiner": combiners[seed]["weights_sha256"]}
            assert list(record["training"]) == ["lstm"]


def test_parameters_are_those_above_the_combiner(first: Swept) -> None:
    found = {label["width"]: row for row in first.record["rows"] if (label := row["options"])["skip"] == "none"}
    below = found[4]["combiner_parameters"]
    assert below == found[8]["combiner_parameters"] > 0
    (dim,) = {int(d) for d in _solve(found[4]["parameters"], 4)}
    assert found[8]["parameters"] == _lstm(dim, 8)


def _lstm(d: int, h: int) -> int:
    """4 gates with 2 biases, the way back to d, and the scale of the loss."""
    return 4 * h * (d + h + 2) + d * (h + 1) + 1


def _solve(parameters: int, h: int) -> Iterator[int]:
    yield from (d for d in range(1, 400) if _lstm(d, h) == parameters)


def test_a_second_time_trains_nothing_and_changes_no_file(done: Path, built: Path) -> None:
    before = files(done)
    again = sweep("lstm", Benchmark(built), OVER, done, settings())
    assert (again.trained, again.known) == (0, 10)
    assert files(done) == before


def test_a_sweep_that_was_killed_goes_on(
    built: Path, first: Swept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*arguments: Any, **options: Any) -> Any:
        if len(list(tmp_path.glob("out/checkpoints/lstm-*"))) == 3:
            raise KeyboardInterrupt
        return train(*arguments, **options)

    monkeypatch.setattr(sweep_trainings, "train", killed)
    with pytest.raises(KeyboardInterrupt):
        sweep("lstm", Benchmark(built), OVER[:1], tmp_path / "out", settings())
    assert json.loads((tmp_path / "out/sweep.json").read_text())["status"] == "begun"
    before = files(tmp_path / "out/checkpoints")
    monkeypatch.undo()
    again = sweep("lstm", Benchmark(built), OVER[:1], tmp_path / "out", settings())
    assert (again.trained, again.known) == (1, 5)
    assert files(tmp_path / "out/checkpoints").items() >= before.items()
    assert learned(again.record) == learned(first.record)


def test_more_values_train_only_what_is_new(done: Path, built: Path) -> None:
    again = sweep("lstm", Benchmark(built), ["width=4,16"], done, settings())
    assert (again.trained, again.known) == (2, 2 + 2)
    assert [row["options"] for row in again.record["rows"]] == [{"width": 4}, {"width": 16}]


def test_combiners_can_be_given_one_for_each_seed(built: Path, first: Swept, tmp_path: Path) -> None:
    for seed in (0, 1):
        (path,) = first.path.glob(f"checkpoints/combiner-seed{seed}-*")
        shutil.copytree(path, tmp_path / f"combiner-{seed}")
    options = {"epochs": "1", "combiner": str(tmp_path / "combiner-{seed}")}
    found = sweep("lstm", Benchmark(built), ["width=4"], tmp_path / "out", settings(options=options))
    assert not list(found.path.glob("checkpoints/combiner-*"))
    assert learned(found.record) == learned(first.record)[:1]


def test_one_combiner_for_all_seeds_is_said_to_be_one(built: Path, first: Swept, tmp_path: Path) -> None:
    (path,) = first.path.glob("checkpoints/combiner-seed0-*")
    arguments = ["--benchmark", str(built), "--over", "width=4", *SEEDS, "--set", "epochs=1"]
    shown = printed("sweep", "lstm", *arguments, "--set", f"combiner={path}", "--out", str(tmp_path / "out"))
    assert "One combiner served all seeds" in shown
    assert "8 trained" not in shown and "2 trained, 0 found" in shown


def test_a_training_that_fails_takes_no_other_with_it(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(name: str, benchmark: Benchmark, out: Path, asked: TrainSettings) -> Any:
        if asked.options.get("width") == 8 and asked.seed == 1:
            raise MtbenchError("the loss is nan")
        return train(name, benchmark, out, asked)

    monkeypatch.setattr(sweep_trainings, "train", fails)
    arguments = ["sweep", "lstm", "--benchmark", str(built), "--over", "width=4,8", *SEEDS, "--set", "epochs=1"]
    shown = printed(*arguments, "--out", str(tmp_path / "out"), code=2)
    assert re.search(r"^4 .* 2 +[\d.]+ +[\d.]+ +[\d.]+$", shown, re.MULTILINE)
    assert re.search(r"^8 .* 1 +- +[\d.]+ +[\d.]+$", shown, re.MULTILINE)
    assert "1 training failed" in shown and "width=8, seed 1: the loss is nan" in shown
    record = json.loads((tmp_path / "out/sweep.json").read_text())
    assert (record["status"], len(record["failures"])) == ("incomplete", 1)
    assert [row["seeds"] for row in record["rows"]] == [[0, 1], [0]]


def test_without_its_combiner_a_seed_is_lost_and_the_other_is_not(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(name: str, benchmark: Benchmark, out: Path, asked: TrainSettings) -> Any:
        if name == "combiner" and asked.seed == 0:
            raise RuntimeError("no memory")
        return train(name, benchmark, out, asked)

    monkeypatch.setattr(sweep_trainings, "train", fails)
    found = sweep("lstm", Benchmark(built), ["width=4"], tmp_path / "out", settings()).record
    assert [row["seeds"] for row in found["rows"]] == [[1]]
    assert [one["why"] for one in found["failures"]] == ["RuntimeError: no memory", "its combiner was not trained"]


# What is said


def test_the_scores_are_those_of_evaluate_on_the_same_checkpoints(first: Swept, built: Path, tmp_path: Path) -> None:
    row = first.record["rows"][0]  # without a skip, dev and test differ
    for path, mean in zip(row["checkpoints"], row["by_seed"], strict=True):
        arguments = ["--benchmark", str(built), "--split", "dev", "--out", str(tmp_path), "--json"]
        (record,) = json.loads(printed("evaluate", str(first.path / path), *arguments))
        assert record["measures"]["mean"] == mean


def test_intervals_and_spreads_are_those_of_compare(first: Swept) -> None:
    systems, _ = group(read_results([first.path / "results"])[0])
    found = {tuple(s["results"]): s for s in compare(systems)["systems"]}
    assert len(found) == 4
    for row in first.record["rows"]:
        other = found[tuple(str(first.path / path) for path in row["results"])]
        assert row["mean"] == pytest.approx(other["estimate"], abs=1e-12)
        assert row["interval"] == pytest.approx(other["interval"], abs=1e-12)
        assert row["seed_sd"] == pytest.approx(other["sd_between_seeds"], abs=1e-12)
    assert any(row["interval"][0] < row["mean"] < row["interval"][1] for row in first.record["rows"])


def test_the_table_says_on_which_part_it_is_and_what_the_best_is_worth(done: Path, built: Path) -> None:
    arguments = ["lstm", "--benchmark", str(built), "--over", OVER[0], "--over", OVER[1], *SEEDS, "--set", "epochs=1"]
    shown = printed("sweep", *arguments, "--out", str(done))
    assert "tiny, revision" in shown and "dev: 11 transactions, 11 clusters" in shown
    assert "lstm, epochs 1; features tfidf-caption (caption); seeds 0, 1; in %" in shown
    assert re.search(r"^ +width +skip|^width +skip +parameters +R@5 +R@8 +mean +95% interval +sd", shown, re.MULTILINE)
    assert (
        len(re.findall(r"^[48] +(?:none|ewma) +[\d,]+ +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+ to ", shown, re.MULTILINE)) == 4
    )
    assert "Best of 4 on dev: width=" in shown and "score this one alone on test" in shown
    assert f"mtbench compare {done}/results --split dev" in shown
    record = json.loads(printed("sweep", *arguments, "--out", str(done), "--json"))
    assert record == json.loads((done / "sweep.json").read_text())

    on_test = printed("sweep", *arguments, "--out", str(done), "--split", "test")
    assert "test: 11 transactions" in on_test and "to choose on test: choose on dev" in on_test
    assert "0 trained, 10 found" in on_test


def test_the_csv_has_the_numbers_of_the_record(first: Swept) -> None:
    header, *lines = (first.path / "sweep.csv").read_text().splitlines()
    assert header == "width,skip,seeds,parameters,R@5,R@8,mean,low,high,seed_sd,ms_interactive,ms_batch"
    assert len(lines) == 4
    row = first.record["rows"][1]
    names = ("parameters", "R@5", "R@8", "mean")
    numbers = [*(row[name] for name in names), *row["interval"], row["seed_sd"], row["ms_interactive"], row["ms_batch"]]
    assert lines[1] == ",".join(["4", "ewma", "2", *map(str, numbers)])


def test_the_picture_is_the_same_for_the_same_record(first: Swept) -> None:
    drawn = draw_sweep(first.record)
    assert drawn == draw_sweep(first.record)
    assert (first.path / "sweep.png").read_bytes() == drawn[".png"]
    assert (first.path / "sweep.svg").read_bytes() == drawn[".svg"]


def test_times_are_taken_anew_for_all_rows_where_one_is_new(done: Path, built: Path, first: Swept) -> None:
    same = sweep("lstm", Benchmark(built), ["width=8", "skip=ewma"], done, settings())
    row = first.record["rows"][3]
    assert same.record["rows"][0]["ms_interactive"] == row["ms_interactive"]
    more = sweep("lstm", Benchmark(built), ["width=8,16", "skip=ewma"], done, settings())
    assert more.record["rows"][0]["ms_interactive"] != row["ms_interactive"]


@pytest.mark.parametrize(
    ("values", "places"),
    [
        ([1, 2, 4, 16], [0, 1, 2, 4]),
        ([16, 4, 1], [2, 1, 0]),
        ([10, 20, 30], [0, 1, 2]),
        ([0, 1, 2, 4], [0, 1, 2, 4]),
        ([1e-4, 1e-3, 1e-2], [0, 1, 2]),
        ([True, False], [0, 1]),
        (["none", "turn", "ewma"], [0, 1, 2]),
        ([5], [0]),
    ],
)
def test_numbers_that_double_stand_as_far_apart_as_their_logarithms(values: list[Any], places: list[float]) -> None:
    assert [*scale(values)[0].values()] == pytest.approx(places)


# Processes of their own

TASKS = """
import os, signal, time
from pathlib import Path

def do(task):
    Path(task["mark"]).write_text(str(os.getpid()))
    if task["what"] == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if task["what"] == "leave":
        os._exit(3)
    if task["what"] == "fail":
        raise ValueError("not this one")
    if task["what"] == "sleep":
        time.sleep(60)
    print("a line that is no reply")
    return {"pid": os.getpid(), "threads": os.environ["OMP_NUM_THREADS"]}
"""


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Tasks of a module that processes find where this one does."""
    (tmp_path / "sweep_tasks.py").write_text(TASKS)
    monkeypatch.syspath_prepend(str(tmp_path))
    return lambda *what: [{"what": one, "mark": str(tmp_path / f"{n}.pid")} for n, one in enumerate(what)]


def test_a_job_that_is_killed_or_fails_takes_no_other_with_it(tasks: Any) -> None:
    asked = tasks("work", "die", "work", "fail", "leave", "work", "work")
    found = dict(run_tasks("sweep_tasks:do", asked, jobs=2))
    assert sorted(found) == list(range(7))
    assert found[1] == {"failed": "its process was killed (SIGKILL), for lack of memory perhaps"}
    assert found[3] == {"failed": "ValueError: not this one"}
    assert found[4] == {"failed": "its process ended with status 3"}
    pids = {found[n]["found"]["pid"] for n in (0, 2, 5, 6)}
    assert os.getpid() not in pids and len(pids) <= 4


def test_who_stops_asking_ends_the_processes_at_once(tasks: Any, tmp_path: Path) -> None:
    asked = tasks("work", "sleep", "sleep", "sleep")
    begun = run_tasks("sweep_tasks:do", asked, jobs=2)
    next(begun)
    while len(marks := list(tmp_path.glob("[123].pid"))) < 2 or not all(mark.read_text() for mark in marks):
        time.sleep(0.01)
    start = time.monotonic()
    begun.close()  # type: ignore[attr-defined]
    assert time.monotonic() - start < 5
    for mark in marks:
        assert not _lives(int(mark.read_text()))
    assert len(list(tmp_path.glob("*.pid"))) == 3


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_trainings_side_by_side_give_what_they_give_one_by_one(built: Path, first: Swept, tmp_path: Path) -> None:
    for path in first.path.glob("checkpoints/combiner-*"):
        shutil.copytree(path, tmp_path / path.name.split("-")[1])
    options = {"epochs": "1", "combiner": str(tmp_path / "seed{seed}")}  # else there are two pairs of processes
    found = sweep("lstm", Benchmark(built), ["width=4"], tmp_path / "out", settings(jobs=2, options=options))
    assert (found.trained, found.known) == (2, 0)
    assert learned(found.record) == learned(first.record)[:1]


# Bad input


@pytest.mark.parametrize(
    ("over", "told"),
    [
        (["widht=4,8"], ["--over widht: no such option. Did you mean 'width'?", "Options: seed=0"]),
        (["width=4,eight"], ["--over width: 'eight' is not a whole number"]),
        (["skip=none,all"], ["--over skip: 'all' is not one of none, turn, ewma"]),
        (["width="], ["--over width: has no values"]),
        (["width=4,,8"], ["--over width: a value is empty in '4,,8'"]),
        (["width=8,08"], ["--over width: 8 is there twice"]),
        (["rate=0.001,1e-3"], ["--over rate: 0.001 is there twice"]),
        (["combiner=none,none"], ["--over combiner: None is there twice"]),
        (["width"], ["--over: 'width' must be NAME=V1,V2,..."]),
        (["width=4", "width=8"], ["--over width: is given twice"]),
        (["epochs=1,2"], ["--over epochs: is set too, to 1"]),
        (["seed=1,2"], ["--over seed: give each seed with --seed"]),
        (["device=cpu"], ["--over device: says where to compute"]),
        (["preset=default,papre"], ["--over preset: no preset named 'papre'. Did you mean 'paper'?"]),
        (["batch=0,8"], ["batch=0: batch must be 1 or more, not 0"]),
        (["widht=4", "skip=all", "alpha="], ["3 problems", "'width'", "'all' is not", "alpha: has no values"]),
    ],
)
def test_every_fault_of_a_grid_is_told_in_one_line_each(over: list[str], told: list[str]) -> None:
    with pytest.raises(MtbenchError) as error:
        grid_of("lstm", over, fixed={"epochs": "1"})
    for words in told:
        assert words in str(error.value)


def test_faults_of_what_all_have_in_common_are_told_once() -> None:
    with pytest.raises(MtbenchError, match=r"--set seed: give each seed with --seed\n  --set epoch: .* mean 'epochs'"):
        grid_of("lstm", ["width=4,8"], fixed={"seed": "1", "epoch": "2"})
    with pytest.raises(MtbenchError, match="lstm: every combination: epochs must be 1 or more, not 0"):
        grid_of("lstm", ["width=4,8"], fixed={"epochs": "0"})
    with pytest.raises(MtbenchError, match="--preset: no preset named 'papr'"):
        grid_of("lstm", ["width=4,8"], fixed={}, preset="papr")
    with pytest.raises(MtbenchError, match="--seed: must be 0 or more, not -1"):
        grid_of("lstm", ["width=4,8"], fixed={}, seeds=(0, -1))


def test_a_large_grid_must_be_meant() -> None:
    over = [f"width={','.join(map(str, range(1, 52)))}", "alpha=0.1,0.2"]
    with pytest.raises(MtbenchError, match=r"51 width x 2 alpha x 5 seeds = 510 trainings, more than 500. Add --yes"):
        grid_of("lstm", over, fixed={}, seeds=range(5))
    assert len(grid_of("lstm", over, fixed={}, seeds=range(5), large=True).combinations) == 102


def test_a_preset_can_be_swept() -> None:
    grid = grid_of("lstm", ["preset=default,paper", "width=4"], fixed={})
    assert [grid.options(one, 3) for one in grid.combinations] == [("default", {"width": 4}), ("paper", {"width": 4})]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["lstn"], "no model named 'lstn'. Did you mean 'lstm'?"),
        (["ewma"], "ewma has no network to train: mtbench evaluate ewma"),
        (["lstm", "--jobs", "0"], "--jobs must be 1 or more, not 0"),
        (["lstm", "--features", "clip"], "clip"),
        (["lstm", "--allow-leak", "--drop-leaks"], "exclude each other"),
        (["lstm", "--set", "combiner=nowhere-{seed}"], "nowhere-0"),
    ],
)
def test_what_stops_every_training_is_told_before_the_first(
    arguments: list[str], told: str, built: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shown = printed("sweep", *arguments, "--benchmark", str(built), "--over", "width=4", "--out", str(out), code=2)
    assert shown.startswith("mtbench: ") and told in shown
    assert not out.exists()


def test_a_leak_is_refused_once_and_not_once_a_training(tmp_path: Path) -> None:
    parts = {**TRANSACTIONS, "test": TRANSACTIONS["train"]}
    captions = {**CAPTIONS, "test": CAPTIONS["train"]}
    write_tiny_benchmark(tmp_path / "leaks", transactions=parts, captions=captions)
    with_words(tmp_path / "leaks")
    arguments = ["lstm", "--benchmark", str(tmp_path / "leaks"), "--over", "width=4", "--set", "epochs=1"]
    shown = printed("sweep", *arguments, "--out", str(tmp_path / "out"), code=2)
    assert shown.count("would leak") == 1 and not (tmp_path / "out").exists()
    allowed = printed("sweep", *arguments, "--out", str(tmp_path / "out"), "--allow-leak")
    assert "LEAK: 1 of 1 test transactions were known in training by edge" in allowed


def test_a_folder_of_something_else_is_left_alone(built: Path, done: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("dear")
    for out, told in (
        (tmp_path / "mine", "holds letter.txt and no sweep.json: it is of something else; give another --out"),
        (tmp_path / "mine/letter.txt", "is a file; give another folder"),
        (done, "holds a sweep of the model lstm; give another --out"),
    ):
        before = files(tmp_path)
        with pytest.raises(MtbenchError, match=told):
            sweep("gru", Benchmark(built), ["width=4"], out, settings())
        assert files(tmp_path) == before
    (done / "sweep.json").write_text("{")
    with pytest.raises(MtbenchError, match=r"is no record of a sweep .* remove it and sweep again"):
        sweep("lstm", Benchmark(built), OVER, done, settings())
    (done / "sweep.json").unlink()
    assert sweep("lstm", Benchmark(built), OVER, done, settings()).trained == 0


def test_two_sweeps_do_not_work_in_one_folder(built: Path, done: Path) -> None:
    from mtbench.training.sweep import _alone

    with _alone(done), pytest.raises(MtbenchError, match=r"another sweep is at work in .*; wait for it"):
        sweep("lstm", Benchmark(built), OVER, done, settings())
