"""What a submission says of itself: a TOML file that its authors write, checked field by field.

>>> description, problems = described({"name": "x"})
>>> problems[0]
'title: is missing; what people will read, such as "CM-NTM, 4 stages"'
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from mtbench.core.errors import MtbenchError
from mtbench.leaderboard.board import MEASURES, PROXIES
from mtbench.leaderboard.limits import check_name, odd_letters

LEAKS = ("none", "dropped", "allowed", "unknown")
"""What was done about training data that leaks: there is none; what leaks was left out; it was kept; nobody looked."""

_URL = re.compile(r"https?://[A-Za-z0-9.-]+(:\d+)?(/[!-~]*)?")


@dataclass(frozen=True)
class Training:
    """A data set that a system learned from.

    Attributes:
        data: a name that the board knows (``train``, ``dev``, ...), or any other.
        leaks: one of `LEAKS`.
    """

    data: str
    leaks: str = "unknown"


@dataclass(frozen=True)
class Stated:
    """The scores of another seed: stated, not recomputed, because one ranking is kept of each submission."""

    seed: int
    measures: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    clean: Mapping[str, float] = field(default_factory=dict)
    leaked: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Description:
    """A submission in its authors' words; see `FIELDS` for what each means."""

    name: str
    title: str
    authors: tuple[str, ...]
    summary: str
    proxy: str
    date: str
    features: str = ""
    paper: str = ""
    code: str = ""
    license: str = ""
    hardware: str = ""
    parameters: int | None = None
    seed: int | None = None
    milliseconds: float | None = None
    variant_of: str = ""
    pretraining: tuple[str, ...] = ()
    training: tuple[Training, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    claims: Mapping[str, float] = field(default_factory=dict)
    seeds: tuple[Stated, ...] = ()
    history: Mapping[str, float] = field(default_factory=dict)

    def to_toml(self) -> dict[str, Any]:
        """As tables of TOML, what is empty left out."""
        found: dict[str, Any] = _filled(asdict(self))
        return found


FIELDS: Mapping[str, tuple[Any, str, object]] = {
    "name": (str, "a folder of this name: a-z, 0-9, '-', '_', '.'", "my-model"),
    "title": (str, 'what people will read, such as "CM-NTM, 4 stages"', "My model"),
    "authors": (list, "a list of names", ["A. Author", "B. Author"]),
    "summary": (str, "what it does, in one or two sentences", "Ranks by ..."),
    "proxy": (str, f"what stood for the images: {', '.join(PROXIES)}", "image"),
    "date": (str, "of the submission, YYYY-MM-DD", "2026-01-31"),
    "features": (str, "the encoder of the images or words", "CLIP ViT-B/32"),
    "paper": (str, "an address, http or https", ""),
    "code": (str, "an address, http or https", ""),
    "license": (str, "of the code or the weights", ""),
    "hardware": (str, "what it was trained and run on", ""),
    "parameters": (int, "how many are trained", None),
    "seed": (int, "of the ranking", None),
    "milliseconds": (float, "per transaction, to rank the gallery, on that hardware", None),
    "variant_of": (str, "a submission that this one nearly repeats, if it does", ""),
    "pretraining": (list, "data sets that encoders were trained on before", ["LAION-400M"]),
    "training": (list, f"tables of data and leaks ({', '.join(LEAKS)}): what it learned from", None),
    "options": (dict, "of the model, name = value", None),
    "claims": (dict, "what you expect it to score, in 0..1: checked against the ranking", None),
    "seeds": (list, "tables of seed, measures, intervals: other seeds, which are stated and not recomputed", None),
    "history": (dict, "mean of R@5 and R@8 by how many last turns were shown: stated", None),
}
REQUIRED = ("name", "title", "authors", "summary", "proxy", "date")
MOST_ROWS = 64
"""Of a list or a table."""


def example(board: str = "shoes") -> str:
    """A description to fill in."""
    lines = [f"# What your submission says of itself. mtbench submit --board {board} --run RUN --meta THIS-FILE", ""]
    for name, (kind, meaning, value) in FIELDS.items():
        if kind is dict or name in ("training", "seeds"):
            continue
        shown = "[" + ", ".join(f'"{one}"' for one in value) + "]" if isinstance(value, list) else f'"{value}"'
        shown = "0" if value is None else shown
        lines.append(f"{'' if name in REQUIRED else '# '}{name} = {shown}".ljust(44) + f"# {meaning}")
    return "\n".join(
        [
            *lines,
            "",
            "# Every data set that it learned from. leaks: none, dropped (what leaks was left out), allowed, unknown",
            "[[training]]",
            'data = "train"',
            'leaks = "none"',
            "",
            "# What you expect it to score; checked against the ranking to the last digit that you write",
            "# [claims]",
            '# "R@5" = 0.123',
            "",
        ]
    )


def described(values: Mapping[str, Any]) -> tuple[Description | None, list[str]]:
    """The description in some tables of TOML, and everything that is wrong with it; None if anything is."""
    wrong: list[str] = []
    for name in sorted(set(values) - set(FIELDS)):
        wrong.append(f"{name!a}: no such field; there are {', '.join(FIELDS)}")
    for name in REQUIRED:
        value = values.get(name)
        if value in (None, []) or (isinstance(value, str) and not value.strip()):
            wrong.append(f"{name}: is missing; {FIELDS[name][1]}")
    kept: dict[str, Any] = {}
    for name, value in values.items():
        if name in FIELDS and value not in ("", None):
            _take(name, value, kept, wrong)
    for name in ("title", "authors", "summary"):
        if values.get(name) == FIELDS[name][2]:
            wrong.append(f"{name}: is still that of --example; {FIELDS[name][1]}")
    if "seed" in kept and any(row.seed == kept["seed"] for row in kept.get("seeds", ())):
        wrong.append(f"seeds: {kept['seed']} is the seed of the ranking itself, which is recomputed")
    if wrong:
        return None, sorted(wrong)
    return Description(**kept), []


def _take(name: str, value: Any, kept: dict[str, Any], wrong: list[str]) -> None:
    """One field of the right kind and with allowed values, or a word about it."""
    kind = FIELDS[name][0]
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        told = {str: "text in quotes", list: "a list", dict: "a table", int: "a whole number", float: "a number"}[kind]
        wrong.append(f"{name}: must be {told}, not {ascii(value)[:40]}")
        return
    if kind in (list, dict) and len(value) > MOST_ROWS:
        wrong.append(f"{name}: {len(value)} entries; at most {MOST_ROWS}")
        return
    if kind in (int, float) and value < 0:
        wrong.append(f"{name}: must not be below 0, and is {value}")
        return
    try:
        kept[name] = _CHECKS.get(name, lambda one: one)(value)
    except (MtbenchError, ValueError, TypeError, KeyError, AttributeError) as error:
        wrong.append(f"{name}: {error}")


def _title(value: str) -> str:
    if odd := odd_letters(value):
        raise ValueError(odd)
    if len(value) > 120 or value != value.strip():
        raise ValueError("must be at most 120 letters, without blanks at its ends")
    return value


def _url(value: str) -> str:
    if not _URL.fullmatch(value):
        raise ValueError(f"{ascii(value)[:60]} is no address that begins with http:// or https://")
    return value


def _date(value: str) -> str:
    try:
        return datetime.date.fromisoformat(value).isoformat()
    except ValueError as error:
        raise ValueError(f"{ascii(value)[:40]} is no date such as 2026-01-31") from error


def _proxy(value: str) -> str:
    if value not in PROXIES:
        raise ValueError(f"{ascii(value)[:40]} is none of {', '.join(PROXIES)}")
    return value


def _texts(value: list[Any]) -> tuple[str, ...]:
    if not all(isinstance(one, str) and one.strip() for one in value):
        raise ValueError("must be a list of texts")
    return tuple(_title(one) for one in value)


def _training(value: list[Any]) -> tuple[Training, ...]:
    rows = tuple(Training(**row) for row in value)
    for row in rows:
        if not isinstance(row.data, str) or not row.data or row.leaks not in LEAKS:
            raise ValueError(f"needs data, a text, and leaks, one of {', '.join(LEAKS)}")
        _title(row.data)
    return rows


def _options(value: dict[str, Any]) -> dict[str, str]:
    return {_title(str(name)): str(one)[:200] for name, one in value.items()}


def _shares(value: dict[str, Any]) -> dict[str, float]:
    for name, one in value.items():
        if name not in MEASURES:
            raise ValueError(f"{ascii(name)[:40]} is none of {', '.join(MEASURES)}")
        _share(name, one)
    return dict(value)


def _history(value: dict[str, Any]) -> dict[str, float]:
    for name, one in value.items():
        if not re.fullmatch(r"[1-9]|[1-4][0-9]|50", name):  # no number can be written twice
            raise ValueError(f"{ascii(name)[:40]} is no number of turns from 1 to 50")
        _share(name, one)
    return dict(value)


def _milliseconds(value: float) -> float:
    if not 1e-6 <= value <= 1e9:
        raise ValueError(f"{value:g} is not from 1e-6 to 1e9")
    return value


def _share(name: str, one: object) -> float:
    if not isinstance(one, (float, int)) or isinstance(one, bool) or not 0 <= one <= 1:
        raise ValueError(f"{name} is {ascii(one)[:40]}, and no share from 0 to 1 (0.123 for 12.3%)")
    return float(one)


def _seeds(value: list[Any]) -> tuple[Stated, ...]:
    rows = []
    for row in value:
        stated = Stated(**row)
        if type(stated.seed) is not int:
            raise ValueError(f"seed {ascii(stated.seed)[:40]} is no whole number")
        spans = {name: (_share(name, low), _share(name, high)) for name, (low, high) in stated.intervals.items()}
        _shares({name: high for name, (_, high) in spans.items()})
        if backwards := [name for name, (low, high) in spans.items() if low > high]:
            raise ValueError(f"the interval of {', '.join(backwards)} ends below its beginning")
        parts = [_shares(dict(part)) for part in (stated.measures, stated.clean, stated.leaked)]
        rows.append(Stated(stated.seed, parts[0], spans, parts[1], parts[2]))
    if len({row.seed for row in rows}) < len(rows):
        raise ValueError("one seed twice")
    return tuple(rows)


_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "name": lambda value: check_name(value, "name"),
    "title": _title,
    "authors": _texts,
    "proxy": _proxy,
    "date": _date,
    "paper": _url,
    "code": _url,
    "milliseconds": _milliseconds,
    "variant_of": lambda value: check_name(value, "a submission"),
    "pretraining": _texts,
    "training": _training,
    "options": _options,
    "claims": _shares,
    "seeds": _seeds,
    "history": _history,
}


def _filled(value: Any) -> Any:
    """Without what is empty, which TOML has no form for."""
    if isinstance(value, dict):
        return {name: _filled(one) for name, one in value.items() if one not in (None, "", (), {}, [])}
    if isinstance(value, (list, tuple)):
        return [_filled(one) for one in value]
    return value
