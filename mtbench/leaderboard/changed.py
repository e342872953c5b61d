"""What a request changes of the boards as they stood. Nothing is read through a link, and no device."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from mtbench.core.errors import MtbenchError
from mtbench.core.files import file_sha256
from mtbench.leaderboard.board import Board, boards, read_board
from mtbench.leaderboard.fault import Fault, shown
from mtbench.leaderboard.limits import link_on_the_way
from mtbench.leaderboard.removed import read_removed
from mtbench.leaderboard.submission import folders

_MAINTAINER = (
    "a request adds folders BOARD/submissions/NAME and nothing else, so that this needs a maintainer; a branch that is "
    "behind the base shows what it lacks: merge the base first"
)


def changed(root: Path, base: Path) -> list[Fault]:
    """What was changed of what stood: boards, and submissions that are not removed with a reason."""
    wrong = []
    for old in boards(base):
        try:
            wrong += _changed_of(old, root, base)
        except (MtbenchError, OSError) as error:
            wrong.append(Fault(old.label, "", f"cannot be compared with what stood: {error}"))
    return wrong


def not_added(root: Path, base: Path) -> list[Fault]:
    """Every difference from what stood other than new folders of submissions."""
    return [
        Fault("/".join(map(shown, parts)) or ".", "", f"{what}: {_MAINTAINER}")
        for parts, what in _differences(root, base, ())
    ]


def _differences(now: Path, old: Path, parts: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Places that differ, the topmost of each, and how."""
    ours, theirs = _kind(now), _kind(old)
    if parts and not theirs:
        if not (ours == "folder" and len(parts) in (2, 3) and parts[1] == "submissions"):
            yield parts, "is new"
        elif len(parts) == 2:
            for name in _names(now):
                yield from _differences(now / name, old / name, (*parts, name))
    elif not ours:
        yield parts, "is gone"
    elif ours != theirs:
        yield parts, f"is a {ours} and was a {theirs}"
    elif ours == "folder":
        for name in sorted({*_names(now), *_names(old)}):
            yield from _differences(now / name, old / name, (*parts, name))
    elif not _same(now, old):
        yield parts, "was changed"


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _kind(path: Path) -> str:
    """What lies at a path, links not followed; empty if nothing."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return ""
    kinds = ((stat.S_ISREG, "file"), (stat.S_ISDIR, "folder"), (stat.S_ISLNK, "link"))
    return next((name for fits, name in kinds if fits(mode)), "device")


def _same(now: Path, old: Path) -> bool:
    """Whether two paths are ordinary files of the same bytes; nothing longer than the old one is read."""
    if _kind(now) != "file" or _kind(old) != "file" or now.stat().st_size != old.stat().st_size:
        return False
    return file_sha256(now) == file_sha256(old)


def _changed_of(old: Board, root: Path, base: Path) -> list[Fault]:
    """The same for one board."""
    wrong = []
    now = root / old.folder.relative_to(base)
    for place in (now, root / old.name / "versions" / str(old.version)):
        if link := link_on_the_way(root, place / "submissions"):
            return [Fault(old.label, "", f"{shown(str(link))} is a link, so that what stood before is gone")]
    if not (now / "board.toml").is_file() or read_board(now).version != old.version:
        now = root / old.name / "versions" / str(old.version)  # a new version was opened
    if not (now / "board.toml").is_file():
        return [Fault(old.label, "", "the board stood before and is gone")]
    for name in ("board.toml", *old.files):
        if not _same(now / name, old.folder / name):
            wrong.append(Fault(old.label, "", f"{name} was changed: a board changes by a new version alone"))
    new = read_board(now)
    removed = read_removed(new)
    for path in folders(old):
        there = new.submissions / path.name
        if not _kind(there):
            if path.name not in removed:
                wrong.append(Fault(old.label, path.name, "was removed, and removed.toml gives no reason"))
        elif next(_differences(there, path, ()), None):
            what = "was edited: a submission never changes; submit under a new name"
            wrong.append(Fault(old.label, path.name, what))
    for name, reason in read_removed(old).items():
        if removed.get(name) != reason:
            wrong.append(Fault(old.label, name, "the reason of its removal was changed"))
    return wrong
