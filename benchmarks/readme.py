"""Run the commands of README.md and write what they print under them.

    make demo && .venv/bin/python benchmarks/readme.py --data DIR

DIR holds the raw annotations (``shoes``, ``fashioniq``, ``multiturn_fashioniq``). The commands run in ``demo/readme``,
where ``raw`` is DIR and ``demo`` is what ``make demo`` made; blocks after ``<!-- file NAME -->`` are written first.
``<!-- tail N -->`` keeps the last N lines of an output.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "demo" / "readme"
BLOCK = re.compile(r"(?:<!-- (file|tail) (\S+) -->\n)?```(\w+)\n(.*?)```\n", re.DOTALL)


def run(command: str) -> str:
    """What a command prints, standard error included, with the progress of other tools left out."""
    folder = ROOT if command.startswith("make") else WORK
    path = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    print("$", command, file=sys.stderr, flush=True)
    environment = {**os.environ, "PATH": path, "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    done = subprocess.run(
        command, shell=True, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    # Bad input that is shown on purpose ends with 2; make says 2 of every failure.
    if done.returncode not in ((0,) if command.startswith("make") else (0, 2)):
        raise SystemExit(f"{command} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout.replace(str(WORK), ".").replace(str(ROOT), ".").rstrip("\n")


def refreshed(match: re.Match[str]) -> str:
    """One block of the README with its outputs written anew."""
    mark, value, language, body = match.groups()
    whole = match[0]
    if mark == "file":
        (WORK / value).write_text(body, encoding="utf-8")
    if language != "console":
        return whole
    shown = []
    for line in body.splitlines():
        if not line.startswith("$ "):
            continue
        output = run(line[2:]).splitlines()
        if mark == "tail":
            output = ["...", *output[-int(value) :]]
        shown += [line, *output, ""]
    while shown and not shown[-1]:
        shown.pop()
    return whole.replace(body, "\n".join(shown) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the raw annotations")
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    (WORK / "raw").symlink_to(parser.parse_args().data.resolve())
    (WORK / "demo").symlink_to(WORK.parent)
    (WORK / "benchmarks").symlink_to(ROOT / "benchmarks")
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    for match in BLOCK.finditer(text):  # files first: a command may need one that stands below it
        if match[1] == "file":
            (WORK / match[2]).write_text(match[4], encoding="utf-8")
    readme.write_text(BLOCK.sub(refreshed, text), encoding="utf-8")


if __name__ == "__main__":
    main()
