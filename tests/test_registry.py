"""Plugins: the three ways in, wrong names, and a package of somebody else that is really installed."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import logging
import os
import shutil
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from mtbench.core.errors import MtbenchError
from mtbench.core.registry import BUILDERS, ENCODERS, EVALUATORS, KINDS, MODELS, Registry

PACKAGE = Path(__file__).parent / "plugin_package"


@pytest.fixture
def declare(monkeypatch: pytest.MonkeyPatch):
    """A registry of gadgets, and what installed packages say they have of them."""

    def declared(**values: str | list[str]) -> Registry:
        def points(*, group: str) -> list[EntryPoint]:
            assert group == "mtbench.gadgets"
            return [
                EntryPoint(name, value, group)
                for name, found in values.items()
                for value in ([found] if isinstance(found, str) else found)
            ]

        monkeypatch.setattr(importlib.metadata, "entry_points", points)
        return Registry("gadget")

    return declared


# Ways in


def test_an_entry_point_is_loaded_when_it_is_asked_for_and_not_before(declare) -> None:
    gadgets = declare(decoder="json:JSONDecoder", broken="no_such_module:Gadget")
    assert gadgets.names() == ["broken", "decoder"]
    assert gadgets.get("decoder") is json.JSONDecoder


def test_a_decorated_class_is_there_beside_those_of_packages(declare) -> None:
    gadgets = declare(decoder="json:JSONDecoder")

    @gadgets.register("mine")
    class Mine: ...

    assert gadgets.get("mine") is Mine
    assert gadgets.names() == ["decoder", "mine"]


def test_a_class_is_found_by_its_module_or_its_file(declare, tmp_path: Path) -> None:
    gadgets = declare()
    assert gadgets.get("json.encoder:JSONEncoder") is json.JSONEncoder
    file = tmp_path / "my gadgets.py"
    file.write_text(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "@dataclass\n"  # needs its module in sys.modules
        "class Mine:\n"
        "    size: int = 3\n"
    )
    path = list(sys.path)
    assert gadgets.get(f"{file}:Mine")().size == 3
    assert sys.path == path
    assert gadgets.names() == []


def test_two_files_of_one_name_are_two_modules(declare, tmp_path: Path) -> None:
    gadgets, found = declare(), []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "gadget.py").write_text(f"class Mine:\n    where = {folder!r}\n")
        found.append(gadgets.get(f"{tmp_path / folder / 'gadget.py'}:Mine"))
    assert [plugin.where for plugin in found] == ["a", "b"]
    assert [sys.modules[plugin.__module__].Mine.where for plugin in found] == ["a", "b"]


def test_an_edited_file_is_read_again(declare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    gadgets, file = declare(), tmp_path / "gadget.py"
    for size in (1, 2, 3):  # of one length, within a second
        file.write_text(f"class Mine:\n    size = {size}\n")
        os.utime(file, (1e9, 1e9))
        assert gadgets.get(f"{file}:Mine").size == size


# Wrong names


def test_a_wrong_name_is_answered_with_the_nearest_and_all_there_are(declare) -> None:
    gadgets = declare(decoder="json:JSONDecoder", encoder="json:JSONEncoder")
    with pytest.raises(MtbenchError) as caught:
        gadgets.get("decodr")
    assert str(caught.value) == (
        "no gadget named 'decodr'. Did you mean 'decoder'? Known: decoder, encoder. Your own: path/to/file.py:Class"
    )
    with pytest.raises(MtbenchError, match=r"no gadget named 'zzz'\. Known: none\."):
        declare().get("zzz")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("{folder}/nowhere.py:Mine", r"gadget file .*nowhere\.py does not exist"),
        (
            "{folder}/good.py:Mien",
            r"no gadget class in .*good\.py named 'Mien'\. Did you mean 'Mine'\? Known: Mine, Other\.",
        ),
        ("{folder}/good.py:function", r"no gadget class in .*good\.py named 'function'"),
        ("{folder}/good.py:", r"no gadget class in .*good\.py named ''"),
        ("{folder}/cut.py:Mine", r"cut\.py cannot be imported: SyntaxError"),
        ("{folder}/exits.py:Mine", r"exits\.py cannot be imported: SystemExit: 3"),
        ("{folder}/needs.py:Mine", r"needs\.py cannot be imported: ModuleNotFoundError: No module named 'absent_one'"),
        ("absent_one:Mine", r"module 'absent_one' cannot be imported: No module named 'absent_one'"),
        (":Mine", r"module '' cannot be imported"),
        ("{folder}/good.py", r"no gadget named '.*good\.py'.* Your own: path/to/file\.py:Class"),
    ],
)
def test_a_class_that_cannot_be_had_is_named_with_the_reason(declare, spec: str, message: str, tmp_path: Path) -> None:
    files = {
        "good": "from pathlib import Path\nclass Mine: ...\nclass Other: ...\ndef function(): ...\n",
        "cut": "class Mine(",
        "exits": "raise SystemExit(3)",
        "needs": "import absent_one",
    }
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text)
    before = set(sys.modules)
    with pytest.raises(MtbenchError, match=message):
        declare().get(spec.format(folder=tmp_path))
    assert "good" in spec or not {name for name in set(sys.modules) - before if "mtbench_plugin" in name}


# Two of one name, and broken ones


def test_a_name_that_is_taken_cannot_be_registered_again(declare) -> None:
    gadgets = declare(decoder="json:JSONDecoder")
    gadgets.register("mine")(int)
    for name in ("decoder", "mine"):
        with pytest.raises(MtbenchError, match=f"the gadget name '{name}' is taken; choose another"):
            gadgets.register(name)(str)
    assert gadgets.get("mine") is int


def test_two_packages_with_one_name_are_an_error_that_names_both(declare) -> None:
    gadgets = declare(decoder=["json:JSONDecoder", "other:Decoder"])
    with pytest.raises(MtbenchError, match=r"'decoder': json:JSONDecoder and other:Decoder\. Uninstall one"):
        gadgets.names()
    twice = declare(decoder=["json:JSONDecoder", "json:JSONDecoder"])  # one package, found twice on the path
    assert twice.names() == ["decoder"]


def test_a_broken_plugin_is_warned_about_and_the_others_stay(declare, caplog: pytest.LogCaptureFixture) -> None:
    gadgets = declare(broken="no_such_module:Gadget", decoder="json:JSONDecoder", lost="json:NoSuchName")
    with caplog.at_level(logging.WARNING):
        assert dict(gadgets.loaded()) == {"decoder": json.JSONDecoder}
    assert [record.message.split(" cannot")[0] for record in caplog.records] == [
        "the gadget 'broken' (no_such_module:Gadget)",
        "the gadget 'lost' (json:NoSuchName)",
    ]
    with pytest.raises(MtbenchError, match=r"'broken' .* cannot be loaded: No module named 'no_such_module'"):
        gadgets.get("broken")


# What is here


def test_every_plugin_of_this_project_loads_and_says_in_a_line_what_it_is() -> None:
    assert {"fashioniq", "multiturn-fashioniq", "pairs", "shoebox", "shoes"} <= set(BUILDERS.names())
    assert {"clip", "pixels", "precomputed", "sentence", "tfidf"} <= set(ENCODERS.names())
    assert {"avg", "bm25", "cat", "ewma", "last-turn", "lookup", "random"} <= set(MODELS.names())
    assert "recall" in EVALUATORS.names()
    for registry in KINDS.values():
        for name in registry.names():
            plugin = registry.get(name)
            assert (getattr(plugin, "summary", None) or plugin.__doc__ or "").strip(), name


# A package of somebody else


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that pip installed the package into."""
    source = shutil.copytree(PACKAGE, tmp_path_factory.mktemp("source") / "package")
    target = tmp_path_factory.mktemp("installed")
    offline = ["--no-build-isolation", "--no-index"] if importlib.util.find_spec("setuptools") else []
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", *offline, "--target", target, source]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return target


def mtbench(*arguments: object, installed: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from mtbench.cli import main; main(prog_name='mtbench')", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)


def test_an_installed_package_is_listed_and_its_broken_plugin_only_warned_about(installed: Path) -> None:
    found = mtbench("list", "models", installed=installed)
    assert found.returncode == 0
    lines = found.stdout.splitlines()
    assert [line for line in lines if line.startswith("backwards ")] == [
        line for line in lines if line.endswith("  Ranks images from the end of the alphabet.")
    ]
    assert "ewma" in found.stdout
    assert "broken" not in found.stdout
    assert found.stderr.splitlines() == [
        "mtbench: the model 'broken' (mtbench_corner.broken:Broken) cannot be loaded: "
        "No module named 'a_package_that_nobody_has'"
    ]
    found = mtbench("list", "builders", installed=installed)
    assert "corner-shop" in found.stdout
    assert "six hats in the window of a corner shop" in found.stdout


def test_its_builder_and_its_model_work_as_those_of_this_project(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "hats.txt").write_text("is softer\nhas a brim\nis red\n", encoding="utf-8")
    built = mtbench("build", "corner-shop", "--raw", tmp_path, "--out", tmp_path / "out", installed=installed)
    assert built.returncode == 0, built.stderr
    assert "corner-shop" in mtbench("build", "--help", installed=installed).stdout
    found = mtbench("evaluate", "backwards", "--benchmark", tmp_path / "out", "--json", installed=installed)
    assert found.returncode == 0, found.stderr
    # cap -> beret -> bowler -> fez: of beret bowler cap fez the last comes first
    (record,) = json.loads(found.stdout)
    assert (record["n"], record["measures"]["MRR"]) == (1, 1)
    wrong = mtbench("evaluate", "backwrds", "--benchmark", tmp_path / "out", installed=installed)
    assert wrong.returncode == 2
    assert "Did you mean 'backwards'?" in wrong.stderr


def test_without_the_package_its_plugins_are_unknown() -> None:
    assert "backwards" not in MODELS.names()
    assert "corner-shop" not in BUILDERS.names()
