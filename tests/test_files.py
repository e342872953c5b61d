"""Files and folders appear whole or not at all, and nothing of the user's is ever replaced."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from letters import build_letters

from mtbench.cli import main
from mtbench.core.errors import MtbenchError
from mtbench.core.files import atomic_file, atomic_folder


def listing(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_folder_appears_only_at_the_end_and_not_at_all_after_a_failure(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "made") as folder:
        (folder / "a").write_text("1")
        assert not (tmp_path / "made").exists()
    assert listing(tmp_path) == ["made", "made/a"]
    with pytest.raises(ZeroDivisionError), atomic_folder(tmp_path / "broken"):
        raise ZeroDivisionError
    assert listing(tmp_path) == ["made", "made/a"]


def test_a_file_keeps_its_old_content_until_the_new_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_file(path) as temporary:
        temporary.write_text("ne")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert listing(tmp_path) == ["a.txt"]


def test_only_a_folder_of_our_own_making_is_replaced(tmp_path: Path) -> None:
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "thesis.tex").write_text("years")
    with pytest.raises(MtbenchError, match=r"holds no mark, so it is nothing to overwrite"):
        atomic_folder(thesis, replaces="mark").__enter__()
    (thesis / "mark").touch()
    with atomic_folder(thesis, replaces="mark") as folder:
        (folder / "mark").write_text("new")
    assert listing(tmp_path) == ["thesis", "thesis/mark"]


def test_behind_a_symbolic_link_the_folder_is_replaced_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "mark").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with atomic_folder(tmp_path / "link", replaces="mark") as folder:
        (folder / "mark").write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "mark").read_text() == "new"
    assert listing(tmp_path) == ["link", "real", "real/mark"]


def test_the_folder_one_stands_in_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MtbenchError, match="the folder you are in"):
        atomic_folder(Path(), replaces="mark").__enter__()


def test_overwrite_never_takes_the_raw_data_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = build_letters(tmp_path / "made").path
    (made / "pairs.csv").write_text("a,b,c\nx,y,is red\ny,z,is blue\n")
    command = "build pairs --raw {0}/pairs.csv --out {0} --reference a --target b --feedback c --overwrite"
    before = listing(made)
    refused = CliRunner().invoke(main, command.format(made).split())
    assert refused.exit_code == 2
    assert "which is to be written; give another --out" in refused.output
    assert listing(made) == before
