"""The command line as a user types it: what it prints, where, and how it refuses."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from letters import MODELS, write_raw

from mtbench.cli import main

PAIRS = ["--reference", "from", "--target", "to", "--feedback", "wish", "--category", "kind", "--split-column", "part"]
LEAKS = ("edge", "last_edge", "all_edges", "sub_chain", "final_target", "image")


def type_in(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="mtbench")


def printed(*words: object) -> str:
    """What a command that works prints on stdout."""
    found = type_in(*words)
    assert found.exit_code == 0, found.stderr
    return found.stdout


def refused(*words: object) -> str:
    """The one message of a command that does not work."""
    found = type_in(*words)
    assert isinstance(found.exception, SystemExit), found.exception  # anything else is a traceback
    assert found.exit_code == 2
    assert found.stdout == ""
    assert found.stderr.count("mtbench:") == 1
    assert "Traceback" not in found.stderr
    return found.stderr


def from_shell(*words: object) -> subprocess.CompletedProcess[str]:
    script = Path(sys.executable).parent / "mtbench"
    return subprocess.run([script, *map(str, words)], capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    table, captions = write_raw(folder / "raw")
    options = ["--split", "official", "--name", "letters", "--image-captions", captions]
    printed("build", "pairs", "--raw", table, "--out", folder / "letters", *PAIRS, *options)
    return folder / "letters"


@pytest.fixture
def place(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with raw files, the benchmark and a file of models."""
    shutil.copytree(built.parent, tmp_path, dirs_exist_ok=True)
    (tmp_path / "models.py").write_text(MODELS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


# Help


def test_help_starts_with_commands_that_exist_and_imports_nothing_heavy() -> None:
    code = (
        "import sys, mtbench.cli\n"
        "try: mtbench.cli.main(['--help'])\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'numpy', 'pandas', 'scipy', 'torch', 'sklearn', 'datasets', 'pyarrow', 'networkx', 'PIL', 'tqdm',\n"
        "         'tabulate', 'huggingface_hub', 'builders'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert found.returncode == 0, found.stderr
    assert "mtbench evaluate random bm25 ewma --benchmark shoebox" in found.stdout
    listed = re.findall(r"^  ([\w-]+)  +\S", found.stdout.partition("Commands:")[2], re.MULTILINE)
    assert listed == list(main.commands)


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("build", ["shoes", "fashioniq", "pairs", "shoebox"]),
        ("build pairs", ["--reference", "--merge-captions", "--raw", "--chains", "--cycles", "--fetch", "--json"]),
        (
            "build shoes",
            ["relative_captions_shoes.json", "--images", "--image-captions", "--max-turns", "--split", "--clean"],
        ),
        ("stats", ["DIR", "--json"]),
        ("audit", ["--against", "--pretraining", "--near-duplicates", "--distance", "--picture", "--json"]),
        ("encode", ["--encoder", "--set", "--name", "--batch", "--overwrite"]),
        ("train", ["MODEL", "--preset", "--config", "--set", "--seed", "--pairs", "--allow-leak", "--drop-leaks"]),
        ("sweep", ["MODEL", "--over", "--split", "--set", "--preset", "--config", "--seed", "--jobs", "--yes"]),
        ("evaluate", ["MODEL...", "--benchmark", "--features", "--limit", "--seed", "--set", "--out", "--json"]),
        (
            "simulate",
            ["MODEL...", "--benchmark", "--simulator", "--turns", "--patience", "--picture"],
        ),
        ("check-model", ["MODEL", "--set", "--benchmark", "--seed", "--json"]),
        ("compare", ["RESULT...", "--measure", "--baseline", "--json"]),
        ("report", ["RESULT...", "--out", "--benchmark", "--examples", "--overwrite"]),
        ("chat", ["[MODEL [MODEL2]]", "--benchmark", "--host", "--public", "--port", "--out", "--no-browser"]),
        ("study", ["serve", "report", "forget"]),
        ("study serve", ["RESULT RESULT [RESULT]", "--benchmark", "--questions", "--seed", "--pairwise", "--public"]),
        ("study report", ["FILE", "--json", "--out", "--overwrite"]),
        ("study forget", ["FILE CODE"]),
        ("submit", ["--board", "--run", "--meta", "--root", "--example", "--dry-run", "--pull-request", "--json"]),
        ("leaderboard", ["verify", "show", "build", "open", "remove"]),
        ("leaderboard verify", ["[BOARD]...", "--root", "--benchmark", "--base", "--jobs", "--json"]),
        ("leaderboard show", ["[BOARD]", "--root", "--version", "--csv", "--json"]),
        ("leaderboard build", ["--out", "--root", "--benchmark", "--overwrite"]),
        ("leaderboard open", ["NAME", "--benchmark", "--title", "--part", "--allow-leaks", "--pretraining"]),
        ("leaderboard remove", ["BOARD", "NAME", "--reason", "--root"]),
        ("score", ["RUN", "--benchmark", "--split", "--category", "--measure", "--json"]),
        ("list", ["[KIND]", "[NAME]", "builders"]),
        ("push", ["DIR", "REPOSITORY", "--private"]),
    ],
)
def test_every_command_explains_its_options(command: str, options: list[str]) -> None:
    for flag in ("--help", "-h"):
        text = printed(*command.split(), flag)
        assert [option for option in options if option not in text] == []


def test_no_command_is_left_out_of_the_test_above() -> None:
    (mark,) = test_every_command_explains_its_options.pytestmark  # type: ignore[attr-defined]
    assert set(main.commands) == {command.split()[0] for command, _ in mark.args[1]}


def test_the_version_is_that_of_the_package() -> None:
    import mtbench

    assert printed("--version") == f"mtbench, version {mtbench.__version__}\n"


# The main job


def test_from_raw_pairs_to_scores_as_a_user_types_it(place: Path) -> None:
    options = ["--split", "official", "--image-captions", "raw/captions.json"]
    report = printed("build", "pairs", "--raw", "raw/pairs.csv", "--out", "mine", *PAIRS, *options)
    assert re.search(r"^test +3 +2 +1 +19$", report, re.MULTILINE)
    assert "caption: for 100.0% of the images" in report
    assert report.rstrip().endswith("is in mine")

    assert printed("stats", "mine") == report
    assert re.search(r"^test +3 +0 +0 +0 +0 +0 +0$", printed("audit", "mine"), re.MULTILINE)
    # Against itself every test transaction was seen before.
    assert re.search(r"^test +3 +3 +3 +3 +3 +3 +3$", printed("audit", "mine", "--against", "mine"), re.MULTILINE)

    # 8 different wishes, and the 7 transactions with all theirs as one text
    assert printed("encode", "mine", "--encoder", "tfidf", "--set", "dims=4", "--name", "small") == (
        "19 images and 15 texts, 4 numbers each (caption), are in mine/features/small\n"
    )
    shown = printed("evaluate", "random", "ewma", "models.py:Order", "--benchmark", "mine", "--features", "small")
    assert re.findall(r"^(\w+) +(none|caption) +[\d.]+ ", shown, re.MULTILINE) == [
        ("random", "none"),
        ("ewma", "caption"),
        ("Order", "none"),
    ]
    assert re.search(
        r"^Order +none +25\.0 +25\.0 +25\.0 +0\.0 to 50\.0 +13\.1 +8 +25\.0 to 25\.0 +62\.5 +33\.3", shown, re.MULTILINE
    )
    assert "Runs and records are in mine/results" in shown

    (run,) = Path("mine/results").glob("Order-*/run.parquet")
    scored = printed("score", run, "--benchmark", "mine")
    assert re.search(r"^macro +3 +25\.0 +25\.0 +25\.0$", scored, re.MULTILINE)
    assert re.search(r"^dress +2 +50\.0 +50\.0 +50\.0$", scored, re.MULTILINE)
    assert re.search(r"^shirt +1 +0\.0 +0\.0 +0\.0$", scored, re.MULTILINE)


def test_lists_say_what_there_is_in_a_line_each() -> None:
    models = printed("list", "models").splitlines()
    assert models[0] == "models"
    assert any(re.fullmatch(r"avg +ST \+ avg: the mean of f_qry over all turns\.", line) for line in models)
    everything = printed("list")
    for kind in ("builders", "encoders", "models", "evaluators", "simulators"):
        assert re.search(f"^{kind}", everything, re.MULTILINE)


def test_the_options_of_one_plugin_are_listed_with_defaults_and_meaning() -> None:
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in printed("list", "models", "bm25").splitlines()}
    assert rows["k1"].startswith("1.2 saturation and length normalisation")
    assert rows["decay"].startswith("None of the feedback")
    assert printed("list", "encoders", "tfidf").splitlines()[0].split() == ["option", "default"]
    assert printed("list", "evaluators", "recall") == "recall has no options\n"
    assert "Did you mean 'ewma'?" in refused("list", "models", "emwa")
    assert "mtbench build shoes --help" in refused("list", "builders", "shoes")


def test_an_option_reaches_the_plugin_and_another_result_is_made(place: Path) -> None:
    command = ["evaluate", "models.py:Order", "--benchmark", "letters", "--json", "--out", "out"]
    plain, other, seeded = (
        json.loads(printed(*command, *more))[0] for more in ([], ["--set", "best=srqponmlkjihgfedcba"], ["--seed", "5"])
    )
    assert plain["measures"]["R@5"] == 0.25
    assert other["options"]["best"].startswith("srq")
    assert other["measures"]["R@5"] == 1
    assert seeded["options"]["seed"] == 5
    assert len(list(Path("out").iterdir())) == 3


# What programs read


def keys(part: dict[str, Any], *wanted: str) -> None:
    assert set(wanted) <= set(part), set(wanted) - set(part)


def test_stats_as_json_keep_the_contract(place: Path) -> None:
    found = json.loads(printed("stats", "letters", "--json"))
    assert found["name"] == "letters"
    assert re.fullmatch("[0-9a-f]{64}", found["revision"])
    counts = {name: (part["transactions"], part["images"], part["turns"]) for name, part in found["splits"].items()}
    assert counts == {
        "train": (2, 19, {"2": 2, "3": 0, "4": 0}),
        "dev": (2, 19, {"2": 2, "3": 0, "4": 0}),
        "test": (3, 19, {"2": 2, "3": 1, "4": 0}),
    }


def test_audit_as_json_keeps_the_contract(place: Path) -> None:
    for arguments, leaked in ([], 0), (["--against", "letters"], 1):
        found = json.loads(printed("audit", "letters", "--json", *arguments))["splits"]
        assert {"test", "dev"} <= set(found)

        def row(n: int, leaked: int = leaked) -> dict[str, int]:
            return {"transactions": n, **dict.fromkeys(LEAKS, n * leaked)}

        assert found["test"] == {
            **row(3),
            "by_turns": {"2": row(2), "3": row(1)},
            "by_category": {"dress": row(2), "shirt": row(1)},
        }


def test_evaluate_and_score_as_json_keep_the_contract_and_agree(place: Path) -> None:
    records = json.loads(printed("evaluate", "models.py:Order", "bm25", "--benchmark", "letters", "--json"))
    assert [record["model"] for record in records] == ["models.py:Order", "bm25"]
    for record in records:
        keys(record, "model", "benchmark", "revision", "measures", "intervals")
        keys(record["measures"], "R@5", "R@8", "mean")
        for name in ("R@5", "R@8", "mean"):
            low, high = record["intervals"][name]
            assert 0 <= low <= record["measures"][name] <= high <= 1
    folder = next(Path("letters/results").glob("Order-*"))
    for run in ("run.parquet", "run.trec.gz"):
        found = json.loads(printed("score", folder / run, "--benchmark", "letters", "--json"))
        assert (found["n"], found["missing"]) == (3, 0)
        assert found["measures"] == {name: records[0]["measures"][name] for name in ("R@5", "R@8", "mean")}
        assert found["by_category"] == {
            "dress": {"n": 2, "measures": {"R@5": 0.5, "R@8": 0.5, "mean": 0.5}},
            "shirt": {"n": 1, "measures": {"R@5": 0, "R@8": 0, "mean": 0}},
        }
    only = json.loads(printed("score", folder / run, "--benchmark", "letters", "--json", "--category", "dress"))
    assert (only["n"], only["measures"]["R@5"], list(only["by_category"])) == (2, 0.5, ["dress"])
    asked = ["--measure", "R@1", "--measure", "MRR"]
    some = json.loads(printed("score", folder / run, "--benchmark", "letters", "--json", *asked))
    assert list(some["measures"]) == ["R@1", "MRR"]


def test_build_as_json_prints_the_manifest(place: Path) -> None:
    out = ["--raw", "raw/pairs.csv", "--out", "mine", "--split", "official", "--json"]
    found = json.loads(printed("build", "pairs", *PAIRS, *out))
    assert found == json.loads(Path("mine/benchmark.json").read_text())


def test_a_run_that_somebody_else_wrote_is_scored(place: Path) -> None:
    Path("run.jsonl").write_text(
        '{"transaction_id": "dress.test.0000", "ranking": ["h", "i", "a", "b", "c", "d", "e", "f"]}\n'
    )
    found = json.loads(printed("score", "run.jsonl", "--benchmark", "letters", "--json"))
    assert (found["n"], found["missing"], found["measures"]["R@5"]) == (3, 2, 0.25)
    shown = printed("score", "run.jsonl", "--benchmark", "letters")
    assert "2 transactions are not in the run and count as misses: dress.test.0001, shirt.test.0000" in shown


def test_from_a_shell_json_is_alone_on_stdout_and_warnings_on_stderr(place: Path) -> None:
    extra = "import logging\nlogging.getLogger('mtbench.mine').warning('look out')\n"
    Path("models.py").write_text(MODELS + extra, encoding="utf-8")
    found = from_shell("evaluate", "models.py:Order", "ewma", "--benchmark", "letters", "--json")
    assert found.returncode == 0
    assert [record["model"] for record in json.loads(found.stdout)] == ["models.py:Order", "ewma"]
    assert found.stderr == "mtbench: look out\n"


# Bad input


def test_from_a_shell_a_mistake_ends_with_two_and_one_message(place: Path) -> None:
    found = from_shell("evaluate", "ewmaa", "--benchmark", "letters")
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith("mtbench: no model named 'ewmaa'. Did you mean 'ewma'? Known: avg, bm25, ")
    found = from_shell("evaluate", "--benchmark", "letters")
    assert (found.returncode, found.stdout) == (2, "")
    assert "Missing argument 'MODEL...'" in found.stderr


BUILD = ["build", "pairs", "--raw", "raw/pairs.csv", "--out", "new", *PAIRS]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["build", "pairz", "--raw", "raw", "--out", "new"], r"no builder named 'pairz'\. Did you mean 'pairs'\?"),
        (
            ["build", "models.py:Order", "--raw", "r", "--out", "new"],
            r"'models\.py:Order' is no builder: it has no summary",
        ),
        (["build", "absent.py:Mine", "--raw", "r", "--out", "new"], r"builder file absent\.py does not exist"),
        ([*BUILD, "--raw", "absent.csv"], r"absent\.csv is no file: give the table of pairs with --raw"),
        ([*BUILD, "--target", "too"], r"has no column 'too'. It has: 'kind', 'part', 'from', 'to', 'wish'"),
        ([*BUILD, "--out", "letters"], r"letters exists and is not empty; give another folder, or add --overwrite"),
        ([*BUILD, "--out", "raw/pairs.csv"], r"raw/pairs\.csv is a file; give another folder"),
        ([*BUILD, "--out", "raw/pairs.csv/below"], r"raw/pairs\.csv is a file; give another folder"),
        ([*BUILD, "--chains", "maximum"], r"no chain policy named 'maximum'\. Did you mean 'maximal'\?"),
        ([*BUILD, "--cycles", "stopp"], r"no cycle rule named 'stopp'\. Did you mean 'stop'\?"),
        ([*BUILD, "--split", "oficial"], r"no split policy named 'oficial'\. Did you mean 'official'\?"),
        ([*BUILD, "--gallery", "all"], r"no gallery rule named 'all'.* Known: all-images, session-images, split-list"),
        ([*BUILD, "--gallery", "split-list"], r"no image lists; add --gallery all-images"),
        ([*BUILD, "--self-loops", "keep"], r"no self-loop rule named 'keep'\. Known: drop, refuse"),
        ([*BUILD, "--min-turns", "5"], r"turns must satisfy 1 <= min <= max, not 5 and 4"),
        ([*BUILD, "--dev-share", "2"], r"the shares of dev and test must be 0 or more, and leave something"),
        ([*BUILD, "--images", "absent"], r"the image folder absent does not exist"),
        ([*BUILD, "--image-captions", "absent.json"], r"absent\.json does not exist"),
        ([*BUILD, "--fetch"], r"the builder 'pairs' has nothing to download: .* leave --fetch out"),
        (["stats", "absent"], r"absent is no benchmark: it has no benchmark\.json\. Make one: mtbench build --help"),
        (["stats", "raw/pairs.csv"], r"raw/pairs\.csv is no benchmark"),
        (["audit", "raw"], r"raw is no benchmark"),
        (["audit", "letters", "--against", "raw"], r"raw is no benchmark"),
        (["encode", "raw", "--encoder", "tfidf"], r"raw is no benchmark"),
        (["encode", "letters", "--encoder", "tfidff"], r"no encoder named 'tfidff'\. Did you mean 'tfidf'\?"),
        (
            ["encode", "letters", "--encoder", "models.py:Order"],
            r"'models\.py:Order' is no encoder: it has no settings",
        ),
        (["encode", "letters", "--encoder", "tfidf", "--set", "dims"], r"--set 'dims' must be NAME=VALUE, such as"),
        (["encode", "letters", "--encoder", "tfidf", "--set", "=3"], r"--set '=3' must be NAME=VALUE"),
        (
            ["encode", "letters", "--encoder", "tfidf", "--set", "dims=x"],
            r"dims: 'x' is not a whole number\nOptions: text",
        ),
        (["encode", "letters", "--encoder", "tfidf", "--batch", "0"], r"batch must be at least 1, not 0"),
        (["encode", "letters", "--encoder", "tfidf", "--name", "a/b"], r"features cannot be named 'a/b'"),
        (
            ["encode", "letters", "--encoder", "pixels"],
            r"knows no image folder\. Build the benchmark again with --images",
        ),
        (["encode", "letters", "--encoder", "precomputed", "--set", "file=no.npz"], r"no\.npz does not exist"),
        (["evaluate", "ewma", "--benchmark", "raw"], r"raw is no benchmark"),
        (
            ["evaluate", "models.py:Ordr", "--benchmark", "letters"],
            r"no model class in models\.py named 'Ordr'\. Did you mean",
        ),
        (
            ["evaluate", "ewma", "--benchmark", "letters", "--features", "clip"],
            r"no features named 'clip'.* mtbench encode",
        ),
        (
            ["evaluate", "ewma", "--benchmark", "letters", "--split", "tst"],
            r"no split named 'tst'\. Did you mean 'test'\?",
        ),
        (["evaluate", "ewma", "--benchmark", "letters", "--words", "attributes"], r"letters has no attributes"),
        (
            ["evaluate", "ewma", "--benchmark", "letters", "--evaluator", "recal"],
            r"no evaluator named 'recal'\. Did you mean",
        ),
        (
            ["evaluate", "ewma", "--benchmark", "letters", "--set", "alpha=2"],
            r"alpha must lie between 0 and 1, not 2\.0",
        ),
        (["evaluate", "ewma", "--benchmark", "letters", "--limit", "0"], r"--limit must be 1 or more, not 0"),
        (["evaluate", "ewma", "--benchmark", "letters", "--seed", "-1"], r"the seed must be 0 or more, not -1"),
        (["evaluate", "ewma", "--benchmark", "letters", "--out", "models.py"], r"models\.py is a file"),
        (["score", "absent.trec", "--benchmark", "letters"], r"absent\.trec does not exist"),
        (
            ["score", "raw/pairs.csv", "--benchmark", "letters"],
            r"raw/pairs\.csv is no run by its name; runs end in \.parquet",
        ),
        (
            ["score", "good.trec", "--benchmark", "letters", "--category", "dres"],
            r"named 'dres'\. Did you mean 'dress'\?",
        ),
        (
            ["score", "good.trec", "--benchmark", "letters", "--split", "tests"],
            r"no split named 'tests'\. Did you mean 'test'",
        ),
        (
            ["score", "good.trec", "--benchmark", "letters", "--measure", "R@0"],
            r"no measure named 'R@0'.* R@K takes any K",
        ),
        (["list", "modles"], r"no kind of plugin named 'modles'\. Did you mean 'models'\?"),
    ],
    ids=lambda value: " ".join(value).replace(" ".join(BUILD), "build pairs ...") if isinstance(value, list) else "",
)
def test_a_mistake_is_answered_with_what_is_wrong_and_what_to_type(words: list[str], message: str, place: Path) -> None:
    Path("good.trec").write_text("dress.test.0000 Q0 i 1 1.0 me\n", encoding="utf-8")
    before = sorted(place.rglob("*"))
    assert re.search(message, refused(*words))
    assert sorted(path for path in place.rglob("*") if path.name != "__pycache__") == before


def test_raw_files_that_are_missing_are_all_named_with_their_address_and_what_to_type(place: Path) -> None:
    text = refused("build", "shoes", "--raw", "nowhere", "--out", "new")
    first, *lines, last = text.splitlines()
    assert first == "mtbench: nowhere: 3 problems"
    for line, file in zip(
        lines, ("relative_captions_shoes.json", "train_im_names.txt", "eval_im_names.txt"), strict=True
    ):
        assert re.fullmatch(rf"  {re.escape(file)}: missing, from https://\S+/{re.escape(file)}", line)
    assert last == "Download them: mtbench build shoes --raw nowhere --out DIR --fetch"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "run.trec",
            b"dress.test.0000 i 1\nshirt.test.0000 s 1\n",
            r"2 problems\n  line 1: 3 columns where 6 belong\n  line 2",
        ),
        ("run.trec", b"", r"run\.trec cannot be read as trec: Empty"),
        ("run.trec", b"\xff\xfe\x00\x81 Q0\n", r"run\.trec cannot be read as trec: 'utf-8'"),
        ("run.trec", b"dress.test.0000 Q0 i 1 nan me\n", r"line 1: score 'nan' is no finite number"),
        ("run.trec", b"dress.test.0009 Q0 i 1 1 me\n", r"line 1: no transaction dress\.test\.0009 in test of letters"),
        ("run.trec", b"dress.test.0000 Q0 s 1 1 me\n", r"line 1: image s is not in the gallery of transaction dress"),
        ("run.trec", b"dress.dev.0000 Q0 f 1 1 me\n", r"no transaction dress\.dev\.0000 in test"),
        ("run.trec.gz", b"dress.test.0000 Q0 i 1 1 me\n", r"run\.trec\.gz cannot be read as trec: Not a gzipped file"),
        (
            "run.trec.gz",
            gzip.compress(b"dress.test.0000 Q0 i 1 1 me\n" * 99, mtime=0)[:-12],
            r"run\.trec\.gz cannot be read",
        ),
        ("run.parquet", b"PAR1", r"run\.parquet cannot be read as parquet: "),
        ("run.jsonl", b'{"transaction_id": "dress.test.0000"', r"line 1: Expecting"),
        ("run.jsonl", b'{"transaction_id": "dress.test.0000", "ranking": ["zz"]}', r"line 1: no image zz in letters"),
        ("run.jsonl", b"[]", r"line 1: not an object with a \"transaction_id\""),
        ("run.jsonl", b"", r"ranks none of the 3 transactions of test"),
    ],
)
def test_a_run_that_cannot_be_read_is_refused_with_the_line(
    name: str, content: bytes, message: str, place: Path
) -> None:
    Path(name).write_bytes(content)
    assert re.search(message, refused("score", name, "--benchmark", "letters"))


@pytest.mark.parametrize(
    ("file", "edit", "message"),
    [
        ("benchmark.json", lambda text: text[:50], r"benchmark\.json is not a benchmark manifest: .* Build it again"),
        ("benchmark.json", lambda text: b"[]", r"benchmark\.json is not a benchmark manifest"),
        ("benchmark.json", lambda text: text.replace(b'"schema_version": 1', b'"schema_version": 9'), r"reads 1"),
        (
            "benchmark.json",
            lambda text: text.replace(b'"statistics"', b'"statistic"'),
            r"has no statistics\. Build it again",
        ),
        ("benchmark.json", lambda text: text.replace(b" and ", b" & "), r"a file was changed after the build"),
        ("images/test.parquet", lambda text: text[:99], r"images/test\.parquet is not readable Parquet"),
        ("transactions/dev.parquet", lambda text: b"", r"transactions/dev\.parquet is not readable Parquet"),
    ],
)
def test_a_benchmark_that_was_damaged_is_refused(file: str, edit: Any, message: str, place: Path) -> None:
    path = Path("letters") / file
    path.write_bytes(edit(path.read_bytes()))
    for command in (["stats", "letters"], ["stats", "letters", "--json"]):
        assert re.search(message, refused(*command))


def test_a_benchmark_without_one_of_its_files_says_which(place: Path) -> None:
    Path("letters/transactions/test.parquet").unlink()
    assert "letters: transactions/test.parquet is missing. Build it again" in refused("audit", "letters")


def test_a_broken_builder_does_not_take_the_help_of_the_others_away(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mtbench.core.registry import BUILDERS

    class NoBuilder:
        summary = "has nothing else"

    monkeypatch.setitem(BUILDERS._decorated, "half", NoBuilder)
    text = printed("build", "--help")
    assert "shoes" in text
    assert "half" not in text
    assert "'half' is no builder: it has no licence, sources" in refused("build", "half", "--raw", "r", "--out", "o")


def test_a_broken_model_stops_nothing_that_was_finished_before(place: Path) -> None:
    Path("bad.py").write_text("class Bad:\n    def score(self, h, i, c): return None\n")
    command = ["evaluate", "random", "bad.py:Bad", "bm25", "--benchmark", "letters"]
    found = type_in(*command)
    assert found.exit_code == 2
    assert "mtbench: bad.py:Bad: Bad.score gives no numbers" in found.stderr
    assert re.search(r"^random +none", found.stdout, re.MULTILINE)
    assert [path.name.partition("-")[0] for path in Path("letters/results").iterdir()] == ["random"]


def test_a_share_that_has_no_effect_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pairs.csv").write_text("a,b,c\nx,y,is red\ny,z,is blue\n", encoding="utf-8")
    command = "build pairs --raw pairs.csv --out new --reference a --target b --feedback c --test-share 0.5"
    refused = CliRunner().invoke(main, [*command.split(), "--split", "official"])
    assert refused.exit_code == 2
    assert "--test-share has no effect on the official split" in refused.output
    assert not Path("new").exists()
