"""Reading files that others wrote: every problem of a file is found before any is reported."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mtbench.core.errors import MtbenchError, Problems

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def read_json(path: Path) -> Any:
    """Parse a JSON file.

    Raises:
        MtbenchError: the file is missing, cut short (with line and column), too deeply nested, or not UTF-8.
    """
    try:
        return parse_json(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise MtbenchError(f"{path} does not exist") from None
    except json.JSONDecodeError as error:
        raise MtbenchError(
            f"{path}: not valid JSON at line {error.lineno}, column {error.colno}: {error.msg}. Is it cut short?"
        ) from error
    except (ValueError, RecursionError, OSError) as error:  # a number of thousands of digits is a ValueError
        raise MtbenchError(f"{path}: not readable as JSON: {error}") from error


def parse_json(text: str) -> Any:
    r"""Like `json.loads`, but refuses half a character (``"\ud800"``), which no file could hold afterwards."""
    value = json.loads(text)
    if _SURROGATE.search(text):  # mostly halves of a pair, as in an escaped emoji
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            before = error.object[max(0, error.start - 20) : error.start]
            raise ValueError(f"half a character, {error.object[error.start]!a}, after {before!a}") from None
    return value


def read_records(path: Path) -> list[Any]:
    """A JSON file that must hold a list."""
    records = read_json(path)
    if not isinstance(records, list):
        raise MtbenchError(f"{path}: a list of records is expected, not a {type(records).__name__}")
    return records


def read_names(path: Path, problems: Problems) -> list[str]:
    """Image names, from a text file (one on each line) or a JSON list; a name twice is a problem."""
    if path.suffix == ".json":
        names = read_records(path)
    else:
        try:
            names = path.read_text(encoding="utf-8-sig").split("\n")
        except FileNotFoundError:
            raise MtbenchError(f"{path} does not exist") from None
        except (UnicodeDecodeError, OSError) as error:
            raise MtbenchError(f"{path}: not readable as text: {error}") from error
        names = [name.strip() for name in names if name.strip()]
    seen: set[str] = set()
    for number, name in enumerate(names):
        if not isinstance(name, str) or not name.strip():
            problems.add(f"{path.name}, entry {number}", f"an image name is expected, not {short(name)}")
        elif name in seen:
            problems.add(f"{path.name}, entry {number}", f"{name} is listed twice")
        else:
            seen.add(name)
    return [name for name in names if isinstance(name, str)]


class Record:
    """One record of a file: fields are asked for by name and type, and whatever is wrong is noted."""

    def __init__(self, value: Any, where: str, problems: Problems) -> None:
        self.where = where
        self.problems = problems
        self.ok = isinstance(value, dict)
        self._value: dict[str, Any] | None = value if self.ok else None
        if not self.ok:
            problems.add(where, f"an object is expected, not {short(value)}")

    def text(self, name: str) -> str:
        """A field that must be a string with something in it."""
        value = self._field(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            self._fault(f"{name!r} must be text, not {short(value)}")
            return ""
        if not value.strip():
            self._fault(f"{name!r} is empty")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A field that must be a list of strings, one of them at least not empty; the empty ones are kept."""
        value = self._field(name)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            self._fault(f"{name!r} must be a list of texts, not {short(value)}")
            return ()
        if not any(v.strip() for v in value):
            self._fault(f"{name!r} holds no text")
        return tuple(v.strip() for v in value)

    def _field(self, name: str) -> Any:
        if self._value is None:
            return None
        if self._value.get(name) is None:
            self._fault(f"no {name!r}")
        return self._value.get(name)

    def _fault(self, what: str) -> None:
        self.problems.add(self.where, what)
        self.ok = False


def records_of(path: Path, problems: Problems) -> Iterator[Record]:
    """The records of a JSON list, each with its place for error messages."""
    for number, value in enumerate(read_records(path)):
        yield Record(value, f"{path.name}, record {number}", problems)


def read_texts(path: Path) -> dict[str, str]:
    """Captions by image: one JSON object ``{image: caption}``, or a folder of such files, merged in sorted order."""
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise MtbenchError(f"{path} holds no .json file of captions")
    merged: dict[str, str] = {}
    for file in files:
        captions = read_json(file)
        problems = Problems(file)
        if not isinstance(captions, Mapping):
            raise MtbenchError(f"{file}: an object {{image: caption}} is expected, not {short(captions)}")
        for image, caption in captions.items():
            if isinstance(caption, str):
                merged.setdefault(image, caption.strip())
            else:
                problems.add(image, f"the caption must be text, not {short(caption)}")
        problems.raise_if_any()
    return merged


def short(value: Any) -> str:
    """A JSON value for an error message, in 40 characters at most."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except RecursionError:
        text = f"a deeply nested {type(value).__name__}"
    return text if len(text) <= 40 else text[:37] + "..."
