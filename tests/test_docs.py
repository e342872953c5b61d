"""What README and CONTRIBUTING show must be there, and must work."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from letters import MODELS, build_letters

from mtbench.cli import main
from mtbench.core.registry import KINDS
from mtbench.evaluation.evaluate import evaluate
from mtbench.evaluation.inputs import Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ mtbench (.+)$", README, re.MULTILINE)


def file_of_readme(name: str) -> str:
    """The block that the README tells to save under a name."""
    found = re.search(rf"<!-- file {re.escape(name)} -->\n```\w+\n(.*?)```", README, re.DOTALL)
    assert found, name
    return found[1]


@pytest.mark.parametrize("command", sorted(set(COMMANDS)))
def test_every_command_of_the_readme_has_the_options_that_it_uses(command: str) -> None:
    words = shlex.split(command.partition(" | ")[0])
    depth = 2 if words[0] in ("build", "leaderboard") else 1
    shown = CliRunner().invoke(main, [*words[:depth], "--help"])
    assert shown.exit_code == 0, shown.output
    for option in [word for word in words if word.startswith("--")]:
        assert option in shown.output


def test_every_plugin_that_the_readme_names_is_registered() -> None:
    for words in (shlex.split(command.partition(" | ")[0]) for command in COMMANDS):
        if words[0] == "build":
            assert words[1] in KINDS["builders"].names()
        if words[0] == "evaluate":
            models = words[1 : words.index("--benchmark")]
            models = [name for name in models if "/checkpoints/" not in name]
            assert set(models) <= {*KINDS["models"].names(), "mine.py:Overlap"}
        if words[0] in ("train", "sweep"):
            assert words[1] in KINDS["models"].names()
        if "--encoder" in words:
            assert words[words.index("--encoder") + 1] in KINDS["encoders"].names()


def test_the_table_of_the_readme_builds_with_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pairs.csv").write_text(file_of_readme("pairs.csv"), encoding="utf-8")
    good, bad = [shlex.split(command) for command in COMMANDS if command.startswith("build pairs")]
    assert CliRunner().invoke(main, good).exit_code == 0
    refused = CliRunner().invoke(main, bad)
    assert refused.exit_code == 2
    assert "no column 'says'" in refused.output


def test_the_model_of_the_readme_ranks_by_shared_words(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(file_of_readme("mine.py"), encoding="utf-8")
    record = evaluate(f"{tmp_path / 'mine.py'}:Overlap", build_letters(tmp_path / "letters"), tmp_path / "results")
    # g h i: of "has stripes", i and j share a word: 1.5. g h i j: "is short" is in j alone: 1. q r s: r and s: 1.5.
    assert record["by_category"]["dress"]["measures"]["rank"] == 1.25
    assert record["by_category"]["shirt"]["measures"]["rank"] == 1.5


def test_the_evaluator_of_the_recipe_runs_beside_the_headline(tmp_path: Path) -> None:
    (recipe,) = re.findall(r"```python\n(class FirstReference:.*?)```", CONTRIBUTING, re.DOTALL)
    imports = "from mtbench.evaluation.cells import cell, hits\n"
    (tmp_path / "studies.py").write_text(imports + recipe, encoding="utf-8")
    (tmp_path / "models.py").write_text(MODELS, encoding="utf-8")
    name = f"{tmp_path / 'studies.py'}:FirstReference"
    record = evaluate(
        f"{tmp_path / 'models.py'}:Order",
        build_letters(tmp_path / "letters"),
        tmp_path / "results",
        Settings(evaluators=["recall", name], options={"best": "jabcdiefghklmnopqrs"}),
    )
    # Of ten dresses g, the first reference of two transactions, is ninth; of nine shirts q is seventh. Macro: 1/2.
    (row,) = record["studies"][name]["rows"]
    assert (row["image"], row["n"], row["clusters"], row["R@5"], row["R@8"]) == ("first reference", 3, 3, 0, 1 / 2)
    assert "measures" in record
    assert name in record["seconds"]


def test_the_builder_of_the_recipe_builds(tmp_path: Path) -> None:
    (recipe,) = re.findall(r"```python\n(from mtbench[^`]*class Hats:.*?)```", CONTRIBUTING, re.DOTALL)
    (tmp_path / "hats.py").write_text(recipe, encoding="utf-8")
    made = CliRunner().invoke(
        main, ["build", f"{tmp_path / 'hats.py'}:Hats", "--raw", str(tmp_path), "--out", str(tmp_path / "made")]
    )
    assert made.exit_code == 0, made.output
    assert re.search(r"^train +1 +1 +3$", made.output, re.MULTILINE)


def test_the_memory_of_the_recipe_is_trained_and_passes_the_firewall(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (recipe,) = re.findall(r"```python\n(from dataclasses[^`]*class Forgetful.*?)```", CONTRIBUTING, re.DOTALL)
    (tmp_path / "memory.py").write_text(recipe, encoding="utf-8")
    found = CliRunner().invoke(main, ["check-model", f"{tmp_path / 'memory.py'}:Forgetful", "--set", "epochs=1"])
    assert found.exit_code == 0, found.output


def test_the_user_of_the_recipe_talks_to_a_model(tmp_path: Path) -> None:
    (recipe,) = re.findall(r"```python\n(class Curt:.*?)```", CONTRIBUTING, re.DOTALL)
    (tmp_path / "curt.py").write_text(recipe, encoding="utf-8")
    box, user = tmp_path / "box", f"{tmp_path / 'curt.py'}:Curt"
    built = ["build", "shoebox", "--raw", str(tmp_path / "raw"), "--out", str(box), "--size", "60", "--width", "44"]
    assert CliRunner().invoke(main, built).exit_code == 0
    made = CliRunner().invoke(
        main, ["simulate", "bm25", "--benchmark", str(box), "--simulator", user, "--dialogues", "5", "--turns", "2"]
    )
    assert made.exit_code == 0, made.output
    (saved,) = (box / "simulations").glob("*/dialogues.jsonl")
    assert len(saved.read_text().splitlines()) == 5


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"train"),', '"valid"),', "its split 'valid' is none of `official`: train, val"),
        ('("is red",)', '"is red"', "its feedback must be a tuple of texts, not 'is red'"),
        ("hats.1", "hats.0", "a second pair has this id"),
        ("return RawDataset(", "return list(", "must return a RawDataset"),
        ("return RawDataset(", "return RawDataset(official={}, ", "its split 'train' is none of `official`: "),
    ],
)
def test_what_a_builder_must_not_hand_over_is_refused_and_nothing_is_left(
    old: str, new: str, message: str, tmp_path: Path
) -> None:
    (recipe,) = re.findall(r"```python\n(from mtbench[^`]*class Hats:.*?)```", CONTRIBUTING, re.DOTALL)
    wrong = recipe.replace(old, new).replace("pairs=[", "[") if "list(" in new else recipe.replace(old, new)
    (tmp_path / "hats.py").write_text(wrong, encoding="utf-8")
    made = CliRunner().invoke(
        main, ["build", f"{tmp_path / 'hats.py'}:Hats", "--raw", str(tmp_path), "--out", str(tmp_path / "made")]
    )
    assert made.exit_code == 2, made.output
    assert message in made.output
    assert not (tmp_path / "made").exists()


def test_every_file_that_the_documents_point_to_is_there() -> None:
    for text in (README, CONTRIBUTING):
        for link in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (ROOT / link).exists(), link
        for path in re.findall(r"`((?:mtbench|builders|tests|benchmarks)/[\w/]+\.py)`", text):
            assert (ROOT / path).exists(), path
