"""Reading what strangers wrote: sizes, depths and letters are checked before they cost anything."""

from __future__ import annotations

import re
import sys
import unicodedata
from pathlib import Path
from typing import Any

from mtbench.core.errors import MtbenchError, Problems

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MOST_TOML = 64 << 10
"""Bytes of a TOML file."""
DEEPEST = 6
"""Tables and lists within each other."""
MOST_BRACKETS = 100
"""Within each other, before anything is parsed."""
LONGEST_TEXT = 2_000
"""Letters of one value."""
MOST_DOTS = 400
"""Of one line: tomllib takes a minute and 4 GB for a key of 32,000 parts."""
NAME = re.compile(r"[a-z0-9][a-z0-9._+-]{0,62}")
"""A board or a submission is a folder on every file system, part of an address, and typed in a shell."""

_RESERVED = {"con", "prn", "aux", "nul", *(f"{name}{i}" for name in ("com", "lpt") for i in range(1, 10))}
_OURS = {"build", "dist", "demo", "site", "index", "compare", "board", "texts"}
"""Folders that git ignores here, and files that the pages of a board have."""
_HIDDEN = {"Cf", "Cc", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode categories of what is not seen, or turns around what is: controls, bidirectional marks, unassigned ones."""
_BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
"""Letters and signs by category that show nothing."""
_WORDS = re.compile(
    r'''"""(?:\\.|[^\\])*?(?:"""|\Z)|\'{3}.*?(?:\'{3}|\Z)|"(?:\\.|[^"\\\n])*"?|\'[^\'\n]*\'?|#[^\n]*''', re.DOTALL
)
"""Texts and comments of TOML, in which brackets mean nothing; texts of JSON are among them."""


def check_name(name: str, what: str) -> str:
    """``name`` itself, if it can be a folder everywhere, and part of the name of a git branch.

    Raises:
        MtbenchError: it cannot.
    """
    if name in _OURS:
        raise MtbenchError(f"{what} must not be called {name!a}, as files of the project are; choose another name")
    odd = ".." in name or name.endswith((".", ".lock"))
    if not NAME.fullmatch(name) or odd or name.partition(".")[0] in _RESERVED:
        raise MtbenchError(
            f"{what} {name!a} must be 1 to 63 of a-z, 0-9, '-', '_', '.', '+', begin with a letter or digit, and "
            "be a name that every system and git allow: without '..', and without '.' or '.lock' at its end"
        )
    return name


def link_on_the_way(root: Path, path: Path) -> Path | None:
    """The first link on the way from ``root`` down to ``path``, seen from ``root``; None if there is none."""
    below = path.relative_to(root)
    ways = [*reversed(below.parents), below]
    return next((way for way in ways if way.parts and (root / way).is_symlink()), None)


def odd_letters(text: str, *, lines: bool = False) -> str:
    """What is wrong with the letters of a text that people will read; empty if nothing is.

    Args:
        text: of a stranger.
        lines: it may have several.
    """
    if text.isascii() and text.isprintable():  # almost all ids: a tenth of the time
        return ""
    for letter in text:
        hidden = unicodedata.category(letter) in _HIDDEN or letter in _BLANK
        if hidden and not (lines and letter in "\n\t"):
            return f"holds U+{ord(letter):04X}, which is not seen or turns text around"
    if unicodedata.normalize("NFC", text) != text:
        return "is not in the usual form of Unicode (NFC): two texts that look alike would differ"
    return ""


def read_plain(path: Path, most: int) -> bytes:
    """The bytes of an ordinary file of at most ``most`` bytes.

    Raises:
        MtbenchError: it is not there, too large, or a link or a device.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise MtbenchError(f"{path} is a link or no ordinary file; only ordinary files are read")
    try:
        with path.open("rb") as stream:
            content = stream.read(most + 1)
    except OSError as error:
        raise MtbenchError(f"{path}: {error.strerror or error}") from error
    if len(content) > most:
        raise MtbenchError(f"{path} is larger than {most >> 10:,} kB")
    return content


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file of a stranger.

    Raises:
        MtbenchError: it is too large, too deep, no TOML, or has letters that are not seen.
    """
    content = read_plain(path, MOST_TOML)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MtbenchError(f"{path} is no UTF-8 text ({error.reason} at byte {error.start})") from error
    if nesting(text) > MOST_BRACKETS:  # a parser that recurses could crash, not raise
        raise MtbenchError(f"{path} has more than {MOST_BRACKETS} brackets within each other")
    if any(line.count(".") > MOST_DOTS for line in text.split("\n")):
        raise MtbenchError(f"{path} has a line with more than {MOST_DOTS} dots")
    try:
        found = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise MtbenchError(f"{path} is no TOML: {error}") from error
    problems = Problems(path)
    _check(found, "", 0, problems)
    problems.raise_if_any()
    return found


def nesting(text: str) -> int:
    """The most brackets that are open at once in TOML or JSON, texts and comments aside."""
    open_now = deepest = 0
    for letter in _WORDS.sub("", text):
        if letter in "[{":
            open_now += 1
            deepest = max(deepest, open_now)
        elif letter in "]}":
            open_now = max(0, open_now - 1)
    return deepest


def _check(value: Any, where: str, depth: int, problems: Problems) -> None:
    """Every text and number in a value of TOML or JSON."""
    if depth > DEEPEST:
        problems.add(where, f"tables within each other more than {DEEPEST} deep")
    elif isinstance(value, dict):
        for key, one in value.items():
            shown = ascii(key)[1:-1][:60]
            if wrong := odd_letters(key):
                problems.add(f"{where} key {shown}".strip(), wrong)
            _check(one, f"{where}.{shown}" if where else shown, depth + 1, problems)
    elif isinstance(value, list):
        for i, one in enumerate(value):
            _check(one, f"{where}[{i}]", depth + 1, problems)
    elif isinstance(value, str):
        if len(value) > LONGEST_TEXT:
            problems.add(where, f"{len(value):,} letters; at most {LONGEST_TEXT:,}")
        elif wrong := odd_letters(value, lines=True):
            problems.add(where, wrong)
    elif isinstance(value, float) and not abs(value) < float("inf"):
        problems.add(where, f"{value} is no finite number")
    elif isinstance(value, int) and abs(value) > 10**18:
        problems.add(where, "a number beyond 10^18")
