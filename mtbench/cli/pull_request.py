"""The git steps that make a pull request of a submission: printed, or on request done."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from mtbench.core.errors import MtbenchError

Step = list[str]


def checkout_of(folder: Path) -> Path | None:
    """The top of the git checkout that a folder, or the nearest one above that exists, lies in; None outside of one."""
    place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())
    try:
        done = subprocess.run(
            ["git", "-C", str(place), "rev-parse", "--show-toplevel"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return Path(done.stdout.strip())


def steps(board: str, name: str, folder: Path) -> list[Step]:
    """The commands that put a submission on a branch of its own.

    Args:
        board, name: of the submission.
        folder: its path, as git is to be told.
    """
    branch = f"submit-{name}"
    return [
        ["git", "switch", "-c", branch],
        ["git", "add", folder.as_posix()],
        ["git", "commit", "-m", f"Submit {name} to {board}", "--", folder.as_posix()],
        ["git", "push", "-u", "origin", branch],
    ]


def create(board: str, name: str) -> Step:
    """The command that opens the pull request; it asks nothing."""
    body = f"A submission to the board {board}, made by `mtbench submit`. Its scores were recomputed from its ranking."
    title = f"Submit {name} to {board}"
    return ["gh", "pr", "create", "--title", title, "--body", body, "--head", f"submit-{name}"]


def instructions(board: str, name: str, folder: Path) -> str:
    """What to type, for people."""
    top = checkout_of(folder)
    if top is None:
        return (
            f"{folder.parent} is in no git checkout. For a pull request, clone your fork of the project, and submit "
            "there: --root CLONE/leaderboards"
        )
    inside = Path.cwd().resolve().is_relative_to(top.resolve())
    path = folder if inside else folder.resolve().relative_to(top.resolve())
    lines = ["For a pull request (origin is your fork of the project):", ""]
    lines += [] if inside else [f"  cd {shlex.quote(str(top))}"]
    lines += [f"  {shlex.join(step)}" for step in steps(board, name, path)]
    if shutil.which("gh"):
        return "\n".join([*lines, f"  {shlex.join(create(board, name))}"])
    return "\n".join([*lines, "", "Then open the pull request, at the address that git push prints."])


def check_can_open(folder: Path) -> None:
    """Refuse before anything is written.

    Raises:
        MtbenchError: there is no ``gh``, or the folder is in no checkout.
    """
    if shutil.which("gh") is None:
        raise MtbenchError(
            "--pull-request needs gh, the GitHub command line (https://cli.github.com), which is not on the PATH; "
            "without the option, the git steps are printed instead"
        )
    if checkout_of(folder) is None:
        raise MtbenchError(
            f"--pull-request: {folder.parent} is in no git checkout; clone your fork, then --root CLONE/leaderboards"
        )


def open_request(board: str, name: str, folder: Path) -> str:
    """Do every step, and return the address of the pull request.

    Raises:
        MtbenchError: a step failed; it says which ones are left.
    """
    top = checkout_of(folder)
    assert top is not None  # see check_can_open
    todo: Sequence[Step] = [
        *steps(board, name, folder.resolve().relative_to(top.resolve())),
        create(board, name),
    ]
    told = ""
    for i, step in enumerate(todo):
        done = subprocess.run(
            step, cwd=top, capture_output=True, text=True, env={**os.environ, "GH_PROMPT_DISABLED": "1"}
        )
        if done.returncode:
            left = "\n  ".join(shlex.join(one) for one in todo[i:])
            raise MtbenchError(
                f"{shlex.join(step)} failed: {(done.stderr or done.stdout).strip()}\nThe submission is written to "
                f"{folder}. What is left to do, in {top}:\n  {left}"
            )
        told = done.stdout
    found = re.findall(r"https?://\S+", told)
    return found[-1] if found else told.strip()
