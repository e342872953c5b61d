"""The workflows that others' requests start: what they may do, and whose code they run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).resolve().parent.parent / ".github" / "workflows"


def workflow(name: str) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load((FOLDER / name).read_text())
    return found


def commands(found: dict[Any, Any]) -> list[str]:
    return [step["run"] for job in found["jobs"].values() for step in job["steps"] if "run" in step]


def checkouts(found: dict[Any, Any]) -> list[dict[str, Any]]:
    steps = [step for job in found["jobs"].values() for step in job["steps"]]
    return [step.get("with", {}) for step in steps if step.get("uses", "").startswith("actions/checkout")]


@pytest.mark.parametrize("name", ["tests.yml", "leaderboard.yml"])
def test_what_a_request_starts_can_only_read(name: str) -> None:
    found = workflow(name)
    assert found["permissions"] == {"contents": "read"}
    assert all("permissions" not in job for job in found["jobs"].values())


def test_a_request_to_the_boards_is_checked_by_code_of_the_base_branch() -> None:
    found = workflow("leaderboard.yml")
    assert list(found[True]) == ["pull_request_target"]  # YAML reads the key "on" as true
    base, request = checkouts(found)
    assert "ref" not in base and "path" not in base  # the base branch, at the top
    assert request["path"] == "request" and request["sparse-checkout"] == "leaderboards"
    assert not any(given.get("persist-credentials", True) for given in (base, request))


def test_no_code_of_the_request_is_run() -> None:
    install, verify = commands(workflow("leaderboard.yml"))
    assert install == "python -m pip install ."
    assert verify == "mtbench leaderboard verify --root request/leaderboards --base leaderboards --adds-only"


def test_no_text_of_a_request_is_put_into_a_command() -> None:
    for path in FOLDER.glob("*.yml"):
        assert not any("${{" in command for command in commands(workflow(path.name))), path


def test_what_publishes_the_pages_runs_no_code_of_the_repository() -> None:
    found = workflow("pages.yml")
    build, deploy = found["jobs"]["build"], found["jobs"]["deploy"]
    assert found["permissions"] == {"contents": "read"} and "permissions" not in build
    assert deploy["permissions"] == {"pages": "write", "id-token": "write"} and deploy["needs"] == "build"
    assert [step["uses"].partition("@")[0] for step in deploy["steps"]] == ["actions/deploy-pages"]


def test_the_pages_are_built_anew_when_what_they_are_made_of_changes() -> None:
    paths = workflow("pages.yml")[True]["push"]["paths"]
    for part in ("core", "evaluation", "leaderboard", "report"):
        assert f"mtbench/{part}/**" in paths and (FOLDER.parent.parent / "mtbench" / part).is_dir()


def test_the_tests_of_pages_are_not_skipped_for_want_of_a_browser() -> None:
    (job,) = workflow("tests.yml")["jobs"].values()
    assert job["env"]["MTBENCH_REQUIRE_BROWSER"]
    runs = [step.get("run", "") for step in job["steps"]]
    (browser,) = [n for n, run in enumerate(runs) if "install --with-deps chromium" in run]
    assert runs.index("make lint") < browser < runs.index("make test")  # the first makes .venv


def test_the_pages_are_built_of_verified_boards_only() -> None:
    steps = commands(workflow("pages.yml"))
    assert steps.index("mtbench leaderboard verify") < steps.index("mtbench leaderboard build --out site")
