"""The package as somebody gets it: a wheel, in a clean environment outside the repository."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("mtbench", "builders", "pyproject.toml", "README.md", "LICENSE")
UNREACHABLE = ("No matching distribution found", "Could not find a version", "Connection", "Max retries", "timed out")


def run(command: Sequence[object], *, cwd: Path, timeout: int = 600) -> subprocess.CompletedProcess[str]:
    """Run a program with nothing of this environment or the repository on its path."""
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=cwd, env=clean, capture_output=True, text=True, timeout=timeout)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this project, built from a copy of its files, so that nothing is left in the repository."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "copy"
    copy.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, copy / name)
    isolation = ["--no-build-isolation"] if importlib.util.find_spec("setuptools") else []
    made = run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", *isolation, "-w", folder, copy], cwd=folder)
    assert made.returncode == 0, made.stderr
    (found,) = folder.glob("mtbench-*.whl")
    return found


def test_the_wheel_holds_both_packages_typed_with_licence_and_plugins_and_nothing_else(wheel: Path) -> None:
    copy = wheel.parent / "copy"
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (folder,) = {name.split("/")[0] for name in names if ".dist-info/" in name}
        metadata = Parser().parsestr(archive.read(f"{folder}/METADATA").decode())
        points = archive.read(f"{folder}/entry_points.txt").decode()
    assert {"mtbench/py.typed", "builders/py.typed"} <= names
    pages = {
        path.relative_to(copy).as_posix()
        for kind in ("templates", "static")
        for path in (copy / "mtbench").rglob(f"{kind}/*")
    }
    assert "mtbench/web/templates/page.html" in pages and pages <= names
    assert any(name.endswith("LICENSE") for name in names)
    assert {name.split("/")[0] for name in names} == {"mtbench", "builders", folder}
    sources = {
        path.relative_to(copy).as_posix() for part in ("mtbench", "builders") for path in (copy / part).rglob("*.py")
    }
    assert {name for name in names if name.endswith(".py")} == sources
    assert "mtbench = mtbench.cli:main" in points
    assert "shoebox = builders.shoebox:Shoebox" in points
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.10"
    always = [need for need in metadata.get_all("Requires-Dist", []) if "extra ==" not in need]
    assert any(need.startswith("click") for need in always)
    assert not [need for need in always if re.match("torch|transformers|sentence|scikit-image|pytest", need)]


def test_the_wheel_installs_into_a_clean_environment_and_lists_its_builders(wheel: Path, tmp_path: Path) -> None:
    """A new environment takes the wheel and all its dependencies from pip's index, and works from there.

    Bytecode is left out (``--no-compile``): 24 s here with pip's cache filled, against 73 s. This environment's pip
    installs into the new one, which has none of its own and so is made in a moment.
    """
    fresh, elsewhere = tmp_path / "fresh", tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert run([sys.executable, "-m", "venv", "--without-pip", fresh], cwd=elsewhere).returncode == 0
    python = fresh / ("Scripts" if os.name == "nt" else "bin") / "python"
    pip = [sys.executable, "-m", "pip", "--python", python]
    try:
        made = run([*pip, "install", "-q", "--no-compile", wheel], cwd=elsewhere)
    except subprocess.TimeoutExpired as error:
        pytest.skip(f"pip was not done with the dependencies after {error.timeout:.0f} s: its index hardly answers")
    if made.returncode and any(reason in made.stderr for reason in UNREACHABLE):
        try:
            reached = run([*pip, "download", "-q", "--no-deps", "click"], cwd=tmp_path).returncode == 0
        except subprocess.TimeoutExpired:
            reached = False
        if not reached:
            pytest.skip("pip reaches no index to take dependencies from")
    assert made.returncode == 0, made.stderr

    found = run([python.with_name("mtbench"), "list", "builders"], cwd=elsewhere)
    assert found.returncode == 0, found.stderr
    assert found.stderr == ""
    listed = re.findall(r"^([a-z][\w-]+) {2,}\S", found.stdout, re.MULTILINE)
    assert listed == ["dialogues", "fashioniq", "multiturn-fashioniq", "pairs", "shoebox", "shoes"]

    code = (
        "import importlib.metadata as m, importlib.util as u, mtbench, builders\n"
        "print(mtbench.__file__, builders.__file__, sep='\\n')\n"
        "print(*(d.metadata['Name'].lower() for d in m.distributions()))\n"
        "print(u.find_spec('torch'))\n"
    )
    where_mtbench, where_builders, packages, torch = run([python, "-c", code], cwd=elsewhere).stdout.splitlines()
    assert all(Path(where).is_relative_to(fresh) for where in (where_mtbench, where_builders))
    assert (Path(where_mtbench).parent / "py.typed").is_file()
    assert {"click", "datasets", "pyarrow"} <= set(packages.split())
    assert torch == "None"

    # The main job does not need what only the developers have.
    table = "from,to,wish,part\na,b,is blue,test\nb,c,is new,test\n"
    (elsewhere / "pairs.csv").write_text(table, encoding="utf-8")
    columns = ["--reference", "from", "--target", "to", "--feedback", "wish", "--split-column", "part"]
    mtbench = python.with_name("mtbench")
    built = run(
        [mtbench, "build", "pairs", "--raw", "pairs.csv", "--out", "mine", "--split", "official", *columns],
        cwd=elsewhere,
    )
    assert built.returncode == 0, built.stderr
    ranked = run([mtbench, "evaluate", "random", "bm25", "--benchmark", "mine"], cwd=elsewhere)
    assert ranked.returncode == 0, ranked.stderr
    assert re.search(r"^bm25 ", ranked.stdout, re.MULTILINE)
