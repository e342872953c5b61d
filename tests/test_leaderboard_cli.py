"""The leaderboards as a user types: submit, verify, show, open, remove; and how each refuses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from builders.shoebox import Shoebox
from mtbench.cli import main
from mtbench.data.benchmark import Benchmark
from mtbench.data.build import BuildOptions, build

META = """\
name = "{name}"
title = "A system of ours"
authors = ["A. Author"]
summary = "Ranks."
proxy = "features"
date = "2026-11-22"
"""


def type_in(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="mtbench")


def printed(*words: object, code: int = 0) -> str:
    found = type_in(*words)
    assert found.exit_code == code, (found.stdout, found.stderr, found.exception)
    return found.stdout


def refused(*words: object) -> str:
    found = type_in(*words)
    assert isinstance(found.exception, SystemExit), found.exception  # anything else is a traceback
    assert found.exit_code == 2, found.stdout
    assert found.stdout == ""
    return found.stderr


@pytest.fixture(scope="module")
def benchmarks(tmp_path_factory: pytest.TempPathFactory) -> list[Benchmark]:
    """Two boxes of designed dialogues, without pictures."""
    made = []
    for seed in (3, 4):
        folder = tmp_path_factory.mktemp(f"shoebox{seed}")
        options = BuildOptions(
            extra={"size": 400, "seed": seed, "history_share": 0.5, "dialogues": 100, "no_pictures": True}
        )
        made.append(build("shoebox", Shoebox(), folder / "raw", folder / "shoebox", options, progress=False))
    return made


@pytest.fixture(scope="module")
def results(benchmarks: list[Benchmark], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with two studies, and a model that draws, of three seeds."""
    out, where = tmp_path_factory.mktemp("results"), benchmarks[0].path
    studies = ["--evaluator", "latency", "--evaluator", "history-robustness"]
    printed("evaluate", "ewma", "--benchmark", where, "--out", out, "--set", "alpha=0.5", *studies)
    for seed in range(3):
        printed("evaluate", "random", "--benchmark", where, "--out", out, "--seed", seed)
    return out


@pytest.fixture(scope="module")
def opened(benchmarks: list[Benchmark], tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("opened") / "leaderboards"
    printed("leaderboard", "open", "box", "--benchmark", benchmarks[0].path, "--root", root, "--title", "Drawn shoes")
    return root


@pytest.fixture
def place(opened: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in that holds leaderboards/ with one empty board."""
    shutil.copytree(opened, tmp_path / "leaderboards")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def described(name: str = "ours", *more: str, **changed: str) -> Path:
    """A description on disk."""
    text = META.format(name=name)
    for field, value in changed.items():
        line = next(line for line in text.splitlines(keepends=True) if line.startswith(f"{field} ="))
        text = text.replace(line, f"{field} = {value}\n" if value else "")
    path = Path(f"{name}.toml")
    path.write_text("\n".join([text, *more]), encoding="utf-8")
    return path


def ranked(benchmark: Benchmark, place_of: Callable[[int], int], *, file: str = "run.trec", start: int = 0) -> Path:
    """The run of another system, as TREC text: the target of transaction i at the place that it is given."""
    lines = []
    for i, transaction in enumerate(benchmark.transactions("test")):
        images = list(benchmark.gallery("test", transaction.category).image_ids)
        images = [image for image in images[start:] + images[:start] if image != transaction.target]
        images.insert(place_of(i) - 1, transaction.target)
        lines += [
            f"{transaction.transaction_id} Q0 {image} {rank} {1 / rank:.6f} theirs"
            for rank, image in enumerate(images[:60], start=1)
        ]
    Path(file).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Path(file)


def thirds(i: int) -> int:
    """A third of the targets first, a third sixth, a third ninth."""
    return (1, 6, 9)[i % 3]


def submitted(run: Path, meta: Path, *more: object) -> str:
    return printed("submit", "--board", "box", "--run", run, "--meta", meta, *more)


def verified(*more: object, code: int = 0) -> str:
    """What verify prints; in this process, because starting others takes a second each time."""
    return printed("leaderboard", "verify", "--jobs", 0, *more, code=code)


def shares(n: int, places: Sequence[int]) -> float:
    return sum(thirds(i) in places for i in range(n)) / n


FOLDER = Path("leaderboards/box/submissions/ours")


# Submitting


def test_a_file_of_another_system_becomes_a_row_with_recomputed_scores(
    place: Path, benchmarks: list[Benchmark]
) -> None:
    text = submitted(ranked(benchmarks[0], thirds), described())
    n = len(benchmarks[0].transactions("test"))
    first, to_eight = shares(n, [1]), shares(n, [1, 6])
    rows = {line.split()[0]: line.split()[1] for line in text.splitlines() if line[:4] in ("mean", "R@5 ", "R@8 ")}
    assert rows == {
        "mean": f"{50 * (first + to_eight):.1f}",
        "R@5": f"{100 * first:.1f}",
        "R@8": f"{100 * to_eight:.1f}",
    }
    assert "95% interval" in text and "The first submission to this board" in text
    scores = json.loads((FOLDER / "scores.json").read_text())
    assert scores["measures"]["R@8"] == round(to_eight, 6)
    low, high = scores["intervals"]["mean"]
    assert low < scores["measures"]["mean"] < high
    assert sorted(path.name for path in FOLDER.iterdir()) == ["run.parquet", "scores.json", "submission.toml"]
    assert verified() == "1 board, 1 submission recomputed: no fault\n"


def test_a_second_system_is_shown_beside_the_first(place: Path, benchmarks: list[Benchmark]) -> None:
    submitted(ranked(benchmarks[0], thirds), described())
    run = ranked(benchmarks[0], lambda i: 3, file="better.trec", start=20)
    lines = submitted(run, described("better")).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("better (this one)"))
    assert "100.0" in lines[at]
    assert lines[at + 1].startswith("ours ")


def test_json_is_alone_on_stdout(place: Path, benchmarks: list[Benchmark]) -> None:
    found = json.loads(submitted(ranked(benchmarks[0], thirds), described(), "--json"))
    assert found["written"] and found["folder"] == str(FOLDER) and found["bytes"] > 0
    assert found["scores"]["intervals"]["R@5"]
    assert "above" not in found["scores"]


def test_a_dry_run_leaves_nothing(place: Path, benchmarks: list[Benchmark]) -> None:
    before = sorted(map(str, Path("leaderboards").rglob("*")))
    text = submitted(ranked(benchmarks[0], thirds), described(), "--dry-run")
    assert f"nothing was written. It would be {FOLDER}" in text
    assert "git" not in text
    assert sorted(map(str, Path("leaderboards").rglob("*"))) == before


def test_a_claim_that_is_raised_is_refused_by_name(place: Path, benchmarks: list[Benchmark]) -> None:
    true = round(shares(len(benchmarks[0].transactions("test")), [1]), 3)
    run = ranked(benchmarks[0], thirds)
    meta = described("ours", "[claims]", f'"R@5" = {true + 0.1:.3f}')
    text = refused("submit", "--board", "box", "--run", run, "--meta", meta)
    assert f"claims.R@5: {round(true + 0.1, 3)} is claimed, but the ranking gives {true:.3f}" in text
    assert not FOLDER.exists()
    submitted(run, described("ours", "[claims]", f'"R@5" = {true}'))


def test_every_fault_is_told_at_once(place: Path, benchmarks: list[Benchmark]) -> None:
    meta = described("ours", "[claims]", '"R@5" = 0.999', "[[training]]", 'data = "x"', title="", proxy='"pixels"')
    text = refused("submit", "--board", "box", "--run", ranked(benchmarks[0], thirds), "--meta", meta)
    for fault in ("title: is missing", "proxy: 'pixels' is none of image", "claims.R@5: 0.999 is claimed"):
        assert fault in text
    assert "mtbench submit --example" in text


def test_faults_of_the_description_and_of_the_run_are_told_together(place: Path, benchmarks: list[Benchmark]) -> None:
    run = ranked(benchmarks[0], thirds)
    lines = run.read_text().splitlines(keepends=True)
    run.write_text("".join(lines[:-60]) + "strange Q0 a 1 1.0 theirs\n")
    text = refused("submit", "--board", "box", "--run", run, "--meta", described(title=""))
    last = benchmarks[0].transactions("test")[-1].transaction_id
    assert "title: is missing" in text
    assert f"1 transactions have no ranking: {last}" in text
    assert "not on the board box: strange (line" in text


def test_a_copy_of_another_submission_must_say_what_it_varies(place: Path, benchmarks: list[Benchmark]) -> None:
    run = ranked(benchmarks[0], thirds)
    submitted(run, described())
    text = refused("submit", "--board", "box", "--run", run, "--meta", described("again"))
    assert "100.0% of its first ten images are those of ours" in text
    assert 'variant_of = "ours"' in text
    meta = described("again", 'variant_of = "theirs"')
    assert "no submission to be a variant of named 'theirs'" in refused(
        "submit", "--board", "box", "--run", run, "--meta", meta
    )
    submitted(run, described("again", 'variant_of = "ours"'))
    assert "2 submissions recomputed: no fault" in verified()


def test_a_name_is_taken_once(place: Path, benchmarks: list[Benchmark]) -> None:
    run = ranked(benchmarks[0], thirds)
    submitted(run, described())
    text = refused("submit", "--board", "box", "--run", run, "--meta", described())
    assert "a submission is never edited in place; give it another name" in text


def test_ties_that_a_run_cuts_off_are_told(place: Path, benchmarks: list[Benchmark]) -> None:
    run = ranked(benchmarks[0], thirds)
    lines = [line.split() for line in run.read_text().splitlines()]
    run.write_text("".join(f"{a} Q0 {image} 1 0 x\n" for a, _, image, *_ in lines))
    n = len(benchmarks[0].transactions("test"))
    text = submitted(run, described(), "--dry-run")
    assert f"{n:,} rankings end in the midst of a tie that begins in the first ten" in text


def test_what_is_missing_on_the_command_line_is_told_at_once(place: Path) -> None:
    text = refused("submit", "--board", "box")
    assert "--run, --meta must be given" in text
    assert "mtbench submit --example > meta.toml" in text


def test_a_description_to_fill_in_stands_alone_and_is_toml(place: Path) -> None:
    from mtbench.leaderboard.limits import read_toml

    text = printed("submit", "--example", "--board", "box")
    Path("meta.toml").write_text(text)
    assert {"name", "title", "authors", "proxy", "training"} <= set(read_toml(Path("meta.toml")))
    assert "--board box" in text


def test_a_board_that_is_not_there_is_answered_with_those_that_are(place: Path) -> None:
    words = ["--run", "x.trec", "--meta", described()]
    Path("x.trec").write_text("")
    assert "Did you mean 'box'? Known: box." in refused("submit", "--board", "bx", *words)
    text = refused("submit", "--board", "box", *words, "--root", "elsewhere")
    assert str(place / "elsewhere") in text and "--root" in text
    assert str(place / "elsewhere") in refused("leaderboard", "verify", "--root", "elsewhere")
    assert "x.trec" in refused("submit", "--board", "box", *words)
    assert "y.trec does not exist" in refused("submit", "--board", "box", "--run", "y.trec", "--meta", described())


# From the folder of a result


def one(results: Path, model: str, seed: int | None = None) -> Path:
    """A result folder by model and seed."""
    for path in sorted(results.glob(f"{model}-*/result.json")):
        if seed is None or json.loads(path.read_text())["options"].get("seed") == seed:
            return path.parent
    raise AssertionError(model)


def test_a_result_completes_the_description(place: Path, results: Path) -> None:
    from mtbench.leaderboard.limits import read_toml

    folder = one(results, "ewma")
    text = submitted(folder, described(proxy=""))
    assert "result.json: proxy, features, options, training, milliseconds, history" in text
    found, record = read_toml(FOLDER / "submission.toml"), json.loads((folder / "result.json").read_text())
    assert (found["proxy"], found["features"]) == ("caption", "tfidf-caption")
    assert found["options"] == {"alpha": "0.5"}
    assert {"data": "train", "leaks": "none"} in found["training"]
    assert found["milliseconds"] == round(record["studies"]["latency"]["ms_per_transaction"], 3)
    lengths = record["by_turns"]
    pooled = sum(part["n"] * part["measures"]["mean"] for part in lengths.values()) / record["n"]
    assert found["history"][max(lengths)] == pytest.approx(pooled, abs=1e-6)  # all turns shown: the whole score
    scores = json.loads((FOLDER / "scores.json").read_text())
    assert scores["measures"]["mean"] == pytest.approx(record["measures"]["mean"], abs=1e-6)


def test_what_the_description_says_stands(place: Path, results: Path) -> None:
    from mtbench.leaderboard.limits import read_toml

    submitted(one(results, "ewma"), described("ours", "milliseconds = 7.5", proxy='"caption"'))
    assert read_toml(FOLDER / "submission.toml")["milliseconds"] == 7.5


def test_a_description_that_contradicts_the_result_is_refused(place: Path, results: Path) -> None:
    text = refused("submit", "--board", "box", "--run", one(results, "ewma"), "--meta", described(proxy='"image"'))
    assert "the description says proxy 'image', but the result is of caption" in text


def test_other_seeds_are_stated(place: Path, results: Path) -> None:
    from mtbench.leaderboard.limits import read_toml

    runs = [word for seed in (1, 0, 2) for word in ("--run", one(results, "random", seed))]
    printed("submit", "--board", "box", *runs, "--meta", described(proxy=""))
    found = read_toml(FOLDER / "submission.toml")
    assert found["seed"] == 1
    assert [row["seed"] for row in found["seeds"]] == [0, 2]
    stated = json.loads((one(results, "random", 2) / "result.json").read_text())["measures"]["R@5"]
    assert found["seeds"][1]["measures"]["R@5"] == pytest.approx(stated, abs=1e-6)
    assert verified().endswith("no fault\n")


def test_results_of_two_systems_are_no_submission(place: Path, results: Path) -> None:
    runs = ["--run", one(results, "random", 1), "--run", one(results, "ewma")]
    text = refused("submit", "--board", "box", *runs, "--meta", described(proxy=""))
    assert "2 systems (ewma, random)" in text and "differ in the seed alone" in text
    Path("x.trec").write_text("")
    text = refused("submit", "--board", "box", *runs[:2], "--run", "x.trec", "--meta", described())
    assert "x.trec is a file" in text


def test_a_result_of_another_revision_is_refused(place: Path, benchmarks: list[Benchmark], results: Path) -> None:
    printed("leaderboard", "open", "box", "--benchmark", benchmarks[1].path)
    meta = described(title="", proxy="")
    text = refused("submit", "--board", "box", "--run", one(results, "ewma"), "--meta", meta)
    old, new = (benchmark.revision[:12] for benchmark in benchmarks)
    assert f"revision {old}, but box, version 2, ranks {benchmarks[1].name}, revision {new}" in text
    assert "title: is missing" in text  # told with it
    assert "proxy: is missing" not in text  # the result would tell


def test_a_folder_without_a_result_says_what_is_expected(place: Path, results: Path) -> None:
    text = refused("submit", "--board", "box", "--run", results, "--meta", described())
    assert "no result.json in it" in text and "BENCHMARK/results/" in text


# Pull requests


def git(*words: object) -> str:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    return subprocess.run(["git", *who, *map(str, words)], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def checkout(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "A")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "a@example.org")
    git("init", "-q", "-b", "main")
    git("add", "leaderboards")
    git("commit", "-qm", "Boards")
    return place


def test_the_steps_to_a_pull_request_are_printed_and_work(checkout: Path, benchmarks: list[Benchmark]) -> None:
    text = submitted(ranked(benchmarks[0], thirds), described())
    steps = [line.strip() for line in text.splitlines() if line.startswith("  git ")]
    assert steps == [
        "git switch -c submit-ours",
        f"git add {FOLDER}",
        f"git commit -m 'Submit ours to box' -- {FOLDER}",
        "git push -u origin submit-ours",
    ]
    subprocess.run(" && ".join(steps[:3]), shell=True, check=True, capture_output=True)
    assert git("show", "--stat", "--format=%s").startswith("Submit ours to box")
    assert git("log", "--oneline", "main").count("\n") == 1


def test_outside_a_checkout_it_says_where_to_submit(place: Path, benchmarks: list[Benchmark]) -> None:
    assert "--root CLONE/leaderboards" in submitted(ranked(benchmarks[0], thirds), described())


@pytest.fixture
def gh(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A gh that notes what it was asked."""
    tool = tmp_path_factory.mktemp("bin") / "gh"
    tool.write_text('#!/bin/sh\necho "$@" > "$0.asked"\necho https://example.org/pull/7\n', encoding="utf-8")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    return tool


def test_a_pull_request_is_opened_on_request_alone(
    checkout: Path, benchmarks: list[Benchmark], gh: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    origin = tmp_path_factory.mktemp("away") / "origin.git"
    git("init", "-q", "--bare", origin)
    git("remote", "add", "origin", origin)
    text = submitted(ranked(benchmarks[0], thirds), described(), "--dry-run")
    assert not gh.with_name("gh.asked").exists() and "gh" not in text.split()
    text = submitted(ranked(benchmarks[0], thirds), described(), "--pull-request")
    assert "The pull request: https://example.org/pull/7" in text
    assert "pr create --title Submit ours to box" in gh.with_name("gh.asked").read_text()
    pushed = git("--git-dir", origin, "ls-tree", "-r", "--name-only", "submit-ours")
    assert f"{FOLDER}/run.parquet" in pushed


def test_a_pull_request_that_fails_says_what_is_left(checkout: Path, benchmarks: list[Benchmark], gh: Path) -> None:
    words = ["submit", "--board", "box", "--run", ranked(benchmarks[0], thirds), "--meta", described()]
    text = refused(*words, "--pull-request")  # there is no remote
    assert "git push -u origin submit-ours failed" in text
    assert f"The submission is written to {FOLDER}. What is left to do, in {checkout}" in text
    assert "\n  gh pr create" in text


def test_a_pull_request_that_cannot_be_opened_is_refused_before_anything_is_written(
    place: Path, benchmarks: list[Benchmark], monkeypatch: pytest.MonkeyPatch, gh: Path
) -> None:
    words = ["submit", "--board", "box", "--run", ranked(benchmarks[0], thirds), "--meta", described()]
    assert "is in no git checkout" in refused(*words, "--pull-request")
    assert "nothing for --pull-request" in refused(*words, "--pull-request", "--dry-run")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "gh, the GitHub command line" in refused(*words, "--pull-request")
    assert not FOLDER.exists()


# Verifying


def test_a_score_that_is_raised_by_hand_is_found(place: Path, benchmarks: list[Benchmark]) -> None:
    submitted(ranked(benchmarks[0], thirds), described())
    path = FOLDER / "scores.json"
    scores = json.loads(path.read_text())
    true = scores["measures"]["R@5"]
    scores["measures"]["R@5"] = round(true + 0.1, 6)
    path.write_text(json.dumps(scores))
    text = verified(code=1)
    assert f"box/ours: scores.json: measures.R@5 is {round(true + 0.1, 6)}, but the run gives {true}" in text
    assert text.endswith("1 board, 1 submission recomputed: 1 fault\n")
    found = json.loads(verified("--json", code=1))
    assert [(fault["board"], fault["submission"]) for fault in found["faults"]] == [("box", "ours")]


def test_an_edited_submission_is_found_beside_the_boards_as_they_were(place: Path, benchmarks: list[Benchmark]) -> None:
    submitted(ranked(benchmarks[0], thirds), described())
    shutil.copytree("leaderboards", "before")
    assert "no fault" in verified("--base", "before")
    path = FOLDER / "submission.toml"
    path.write_text(path.read_text().replace("A system of ours", "The best system"))
    assert "no fault" in verified()
    text = verified("--base", "before", code=1)
    assert "box/ours: was edited: a submission never changes; submit under a new name" in text


def test_a_stranger_may_add_and_nothing_else(place: Path, benchmarks: list[Benchmark]) -> None:
    shutil.copytree("leaderboards", "before")
    submitted(ranked(benchmarks[0], thirds), described())
    words = ["--base", "before", "--adds-only"]
    assert "1 submission recomputed: no fault" in verified(*words)
    printed("leaderboard", "open", "more", "--benchmark", benchmarks[1].path)
    assert "no fault" in verified("--base", "before"), "a maintainer may open a board"
    assert "more: is new: a request adds folders BOARD/submissions/NAME" in verified(*words, code=1)
    shutil.rmtree("leaderboards/more")
    Path("leaderboards/junk.bin").write_bytes(b"x")
    assert "junk.bin: is new: " in verified(*words, code=1)
    assert "--adds-only needs --base" in refused("leaderboard", "verify", "--adds-only")


def test_training_that_is_not_declared_is_told_on_submitting(place: Path, benchmarks: list[Benchmark]) -> None:
    run = ranked(benchmarks[0], thirds)
    assert "Marked as undeclared: Its authors declare no training data." in submitted(run, described(), "--dry-run")
    meta = described("ours", "[[training]]", 'data = "Train"', 'leaks = "none"')
    assert "Marked as" not in submitted(run, meta)


def test_a_board_is_checked_against_its_benchmark(place: Path, benchmarks: list[Benchmark]) -> None:
    words = ["box", "--benchmark", benchmarks[0].path, "--benchmark", benchmarks[1].path]
    assert verified(*words) == "1 board, 0 submissions recomputed: no fault\n"


def test_only_boards_that_exist_are_verified(place: Path) -> None:
    assert "no board named 'bax'" in refused("leaderboard", "verify", "bax")
    assert "--jobs must be 0 or more" in refused("leaderboard", "verify", "--jobs", "-1")


# Boards


def test_a_new_version_keeps_the_old_rows(place: Path, benchmarks: list[Benchmark]) -> None:
    submitted(ranked(benchmarks[0], thirds), described())
    again = ["leaderboard", "open", "box", "--benchmark"]
    assert "a new version needs a benchmark of another one" in refused(*again, benchmarks[0].path)
    text = printed(*again, benchmarks[1].path)
    assert "box, version 2:" in text
    assert "Version 1 and its submissions are in leaderboards/box/versions/1" in text
    assert "2 boards, 1 submission recomputed: no fault" in verified()
    (row,) = json.loads(printed("leaderboard", "show", "--json"))
    assert (row["board"], row["title"], row["version"], row["systems"]) == ("box", "Drawn shoes", 2, 0)
    old = json.loads(printed("leaderboard", "show", "box", "--version", 1, "--json"))
    assert [row["name"] for row in old["tables"]["features"]] == ["ours"]
    assert "versions 1 to 2, and no 3" in refused("leaderboard", "show", "box", "--version", 3)
    submitted(ranked(benchmarks[1], thirds), described())  # the name is free again
    assert "2 boards, 2 submissions recomputed: no fault" in verified()


def test_a_new_version_is_opened_as_the_one_before(place: Path, benchmarks: list[Benchmark]) -> None:
    first = ["--part", "clean", "--allow-leaks", "--about", "Shoes.", "--command", "make shoes"]
    printed("leaderboard", "open", "two", "--benchmark", benchmarks[0].path, *first)
    printed("leaderboard", "open", "two", "--benchmark", benchmarks[1].path)
    from mtbench.leaderboard.board import board_named

    board = board_named(Path("leaderboards"), "two")
    assert (board.version, board.benchmark["part"], board.leaks_allowed) == (2, "clean", True)
    assert (board.about, board.benchmark["build"]) == ("Shoes.", "make shoes")


def test_what_training_data_gives_away_is_counted_on_opening(place: Path, benchmarks: list[Benchmark]) -> None:
    words = ["leaderboard", "open", "two", "--benchmark", benchmarks[0].path, "--pretraining"]
    text = printed(*words, f"itself={benchmarks[0].path}")
    n = len(benchmarks[0].transactions("test"))
    assert f"training on train gives away 0 of {n}" in text
    assert f"training on itself gives away 0 of {n}" in text
    assert "must be NAME=DIR or NAME=BUILDER=RAW" in refused(*words, "shoes")
    assert "'train' is taken" in refused(*words, f"train={benchmarks[0].path}")
    assert "neither the folder of a benchmark nor BUILDER=RAW" in refused(*words, "x=nowhere")


def test_a_submission_goes_with_a_reason_alone(place: Path, benchmarks: list[Benchmark]) -> None:
    run = ranked(benchmarks[0], thirds)
    submitted(run, described())
    shutil.copytree("leaderboards", "before")
    assert "--reason" in refused("leaderboard", "remove", "box", "ours")
    assert "in a sentence" in refused("leaderboard", "remove", "box", "ours", "--reason", "Wrong.")
    assert "does not exist" in refused("leaderboard", "remove", "box", "other", "--reason", "It was a mistake.")
    assert FOLDER.exists()
    text = printed("leaderboard", "remove", "box", "ours", "--reason", "Its authors found a mistake.")
    assert text == "ours is removed; leaderboards/box/removed.toml says why\n"
    assert not FOLDER.exists()
    assert "no fault" in verified("--base", "before")
    assert "was removed from this board" in refused("submit", "--board", "box", "--run", run, "--meta", described())
    Path("leaderboards/box/removed.toml").unlink()
    assert "gives no reason" in verified("--base", "before", code=1)


# Showing


def test_the_standings_are_shown_for_people_and_programs(place: Path, benchmarks: list[Benchmark]) -> None:
    submitted(ranked(benchmarks[0], thirds), described())
    submitted(ranked(benchmarks[0], lambda i: 3, start=20), described("better"))
    lines = printed("leaderboard", "show", "box").splitlines()
    places = [next(i for i, line in enumerate(lines) if f" {name} " in line) for name in ("better", "ours  ")]
    assert places == sorted(places)
    found = json.loads(printed("leaderboard", "show", "box", "--json"))
    assert [row["name"] for row in found["tables"]["features"]] == ["better", "ours"]
    lines = printed("leaderboard", "show", "box", "--csv").splitlines()
    assert len(lines) == 3 and "better" in lines[1]
    assert "exclude each other" in refused("leaderboard", "show", "box", "--csv", "--json")


def test_without_a_name_every_board_is_shown(place: Path, benchmarks: list[Benchmark]) -> None:
    submitted(ranked(benchmarks[0], thirds), described())
    text = printed("leaderboard", "show")
    assert "box" in text and "features" in text and "ours" in text
    assert "name it" in refused("leaderboard", "show", "--csv")


def test_the_pages_are_built(place: Path, benchmarks: list[Benchmark]) -> None:
    submitted(ranked(benchmarks[0], thirds), described())
    text = printed("leaderboard", "build", "--out", "site", "--benchmark", benchmarks[0].path)
    assert "Open site/index.html" in text
    assert Path("site/index.html").is_file()
    assert "--overwrite" in refused("leaderboard", "build", "--out", "site")
    printed("leaderboard", "build", "--out", "site", "--overwrite")
