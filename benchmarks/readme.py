"""Run the commands of README.md and write what they print under them.

    make demo && .venv/bin/python benchmarks/readme.py --data DIR

DIR holds the raw annotations (``shoes``, ``fashioniq``, ``multiturn_fashioniq``). The commands run in ``demo/readme``,
where ``raw`` is DIR, ``demo`` is what ``make demo`` made, and ``leaderboards`` is a copy of ours; blocks after
``<!-- file NAME -->`` are written first.
``<!-- tail N -->`` keeps the last N lines of an output; a block after ``<!-- slow TIME -->`` runs with ``--slow`` only.
The pictures that the commands draw go to ``benchmarks/results``, with the first screen of the report (which takes an
installed Chromium).
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK, RESULTS = ROOT / "demo" / "readme", ROOT / "benchmarks" / "results"
BLOCK = re.compile(r"(?:<!-- (file|tail|slow) (\S+) -->\n)?```(\w+)\n(.*?)```\n", re.DOTALL)
EPOCH = re.compile(r"^mtbench: \S+: epoch \d+ of \d+: .*\n", re.MULTILINE)
"""The progress of a training, with its seconds."""


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
    shown = EPOCH.sub("", done.stdout)
    return shown.replace(str(WORK), ".").replace(str(ROOT), ".").rstrip("\n")


def refreshed(match: re.Match[str], *, slow: bool) -> str:
    """One block of the README with its outputs written anew."""
    mark, value, language, body = match.groups()
    whole = match[0]
    if mark == "file":
        (WORK / value).write_text(body, encoding="utf-8")
    if language != "console" or (mark == "slow" and not slow):
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
    parser.add_argument("--slow", action="store_true", help="run the blocks marked slow too")
    options = parser.parse_args()
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    (WORK / "raw").symlink_to(options.data.resolve())
    (WORK / "demo").symlink_to(WORK.parent)
    (WORK / "benchmarks").symlink_to(ROOT / "benchmarks")
    shutil.copytree(ROOT / "leaderboards", WORK / "leaderboards")  # which a reader submits to
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    for match in BLOCK.finditer(text):  # files first: a command may need one that stands below it
        if match[1] == "file":
            (WORK / match[2]).write_text(match[4], encoding="utf-8")
    readme.write_text(BLOCK.sub(partial(refreshed, slow=options.slow), text), encoding="utf-8")
    for name in ("leaks.png", "turns.png"):
        shutil.copy(WORK / name, RESULTS)
    screenshot(WORK / "report.html", RESULTS / "report.png")


def screenshot(page: Path, out: Path) -> None:
    """The first screen of a page."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        view = browser.new_page(viewport={"width": 1280, "height": 1240})
        view.goto(page.as_uri())
        view.screenshot(path=out)
        browser.close()


if __name__ == "__main__":
    main()
