"""Dialogues that somebody held: a file that `mtbench simulate` or a page to chat on wrote, a dialogue on each line.

Raw layout, JSON Lines::

    {"id": "dress.simulated.0-0001", "category": "dress", "split": "test", "target": "B003",
     "turns": [{"reference": "B001", "feedback": ["is red"]}, {"reference": "B002", "feedback": ["is longer"]}]}

The target of a turn is the reference of the next, and that of the last turn is the target of the dialogue. The part is
train, dev or test (test if not given). Other fields are left alone.

The candidates are the images that occur in the dialogues of their part and category, which makes a small gallery and an
easy one. With ``--candidates FILE`` they are those of the file: one name on each line or a JSON list, where there is
one category, or a JSON object ``{category: [name, ...]}``; the same for every part.

What is odd about a dialogue is counted::

    repeated-reference    an image is shown twice
    self-hop              a turn leads from an image to itself
    target-shown          the target was already shown
    other-turns           left out: fewer or more turns than --min-turns and --max-turns say
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from mtbench.core.errors import MtbenchError, Problems, unknown
from mtbench.core.text import plain
from mtbench.core.types import SPLITS, Transaction, Turn
from mtbench.data.raw import Faults, Option, Published, RawDataset
from mtbench.data.readers import parse_json, read_json, read_names, short
from mtbench.data.sources import Source

LONGEST_LINE = 1 << 20
LONGEST_TEXT = 2000
LONGEST_NAME = 300
MOST_TURNS = 50


class Dialogues:
    """Finished dialogues, simulated or held by people."""

    summary = "dialogues that mtbench simulate or the chat page wrote, as JSON Lines"
    licence = "your own"
    sources: tuple[Source, ...] = ()
    chains = "released"
    split = "official"
    gallery = "split-list"
    official: ClassVar[Mapping[str, str]] = {split: split for split in SPLITS}
    published: tuple[Published, ...] = ()
    options = (Option("candidates", "file of the images to search [default: those that occur]", Path),)

    def read(self, raw: Path, *, candidates: Path | None = None, **options: Any) -> RawDataset:
        """Read one file.

        Raises:
            MtbenchError: every malformed line at once, with its number; a target that is no candidate.
        """
        sessions, splits = _read_sessions(raw)
        categories = sorted({session.category for session in sessions})
        keys = {(split, session.category) for split, session in zip(splits, sessions, strict=True)}
        if candidates is not None:
            given = _read_candidates(candidates, categories)
            lists = {(split, category): given[category] for split, category in sorted(keys)}
            _check_targets(sessions, given, raw)
            notes = [f"The candidates are those of {candidates.name}."]
        else:
            shown: dict[tuple[str, str], set[str]] = {key: set() for key in sorted(keys)}
            for split, session in zip(splits, sessions, strict=True):
                shown[split, session.category].update(session.images)
            lists = {key: sorted(images) for key, images in shown.items()}
            notes = ["The candidates are only the images that occur in the dialogues: give others with --candidates."]
        faults = Faults()
        for session in sessions:
            for flag in session.flags:
                faults.add(flag, session.transaction_id)
        lengths = sorted(Counter(len(session.turns) for session in sessions).items())
        counts = ", ".join(f"{count:,} of {turns}" for turns, count in lengths)
        notes.append(f"Turns: {counts}. --min-turns and --max-turns say which of them are kept.")
        return RawDataset(sessions=sessions, session_splits=splits, image_lists=lists, faults=faults, notes=notes)


def _read_sessions(raw: Path) -> tuple[list[Transaction], list[str]]:
    """The dialogues and the part of each."""
    problems = Problems(raw)
    sessions: list[Transaction] = []
    splits: list[str] = []
    first: dict[str, int] = {}
    for number, line in _lines(raw, problems):
        where = f"line {number}"
        found = _session(line, where, problems)
        if found is None:
            continue
        session, split = found
        if session.transaction_id in first:
            problems.add(where, f"the id {session.transaction_id} is that of line {first[session.transaction_id]}")
        first.setdefault(session.transaction_id, number)
        sessions.append(session)
        splits.append(split)
    problems.raise_if_any()
    if not sessions:
        raise MtbenchError(f"{raw} holds no dialogue")
    return sessions, splits


def _lines(raw: Path, problems: Problems) -> Iterator[tuple[int, str]]:
    """The lines that hold something, with their numbers; one of a monstrous length is a problem."""
    if not raw.is_file():
        raise MtbenchError(f"{raw} is no file: give the file of dialogues with --raw")
    try:
        with raw.open("rb") as stream:
            number = 0
            while line := stream.readline(LONGEST_LINE + 1):
                number += 1
                if len(line) > LONGEST_LINE:
                    problems.add(f"line {number}", f"longer than {LONGEST_LINE:,} bytes")
                    while line and not line.endswith(b"\n"):
                        line = stream.readline(LONGEST_LINE)
                    continue
                try:
                    text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    problems.add(f"line {number}", f"not UTF-8 at byte {error.start}")
                    continue
                if text.strip():
                    yield number, text
    except OSError as error:
        raise MtbenchError(f"{raw} cannot be read: {error.strerror}") from error


def _session(line: str, where: str, problems: Problems) -> tuple[Transaction, str] | None:
    """One line; None where anything is wrong with it."""
    try:
        value = parse_json(line)
    except (ValueError, RecursionError) as error:
        problems.add(where, f"not valid JSON: {error}")
        return None
    if not isinstance(value, dict):
        problems.add(where, f"an object is expected, not {_safe(value)}")
        return None
    name, category, target = (_name(value.get(key), key, where, problems) for key in ("id", "category", "target"))
    split = value.get("split", "test")
    if not (isinstance(split, str) and split in SPLITS):
        problems.add(where, str(unknown("part", _safe(split), SPLITS)))
    turns = value.get("turns")
    if not isinstance(turns, list) or not 1 <= len(turns) <= MOST_TURNS:
        wrong = f"{len(turns)} turns" if isinstance(turns, list) else _safe(turns)
        problems.add(where, f"'turns' must be a list of 1 to {MOST_TURNS} turns, not {wrong}")
        return None
    steps = [_turn(turn, f"{where}, turn {number}", problems) for number, turn in enumerate(turns, 1)]
    shown = [step[0] for step in steps if step]
    if not (name and category and target and split in SPLITS) or len(shown) < len(steps):
        return None
    ends = [*shown[1:], target]
    made = tuple(Turn(step[0], step[1], end) for step, end in zip(filter(None, steps), ends, strict=True))
    return Transaction(name, category, made, flags=tuple(_flags(made))), split


def _turn(value: Any, where: str, problems: Problems) -> tuple[str, tuple[str, ...]] | None:
    """The image that a turn shows, and what was said of it."""
    if not isinstance(value, dict):
        problems.add(where, f"an object is expected, not {_safe(value)}")
        return None
    reference = _name(value.get("reference"), "reference", where, problems)
    said = value.get("feedback")
    if not isinstance(said, list) or not said or not all(isinstance(text, str) and text.strip() for text in said):
        problems.add(where, f"'feedback' must be a list of texts that say something, not {_safe(said)}")
        return None
    for text in said:
        line = text.replace("\n", " ").replace("\t", " ")
        if len(text) > LONGEST_TEXT or plain(line) != line:
            problems.add(where, f"'feedback' must be plain text of at most {LONGEST_TEXT:,} signs, not {_safe(text)}")
            return None
    return (reference, tuple(" ".join(text.split()) for text in said)) if reference else None


def _name(value: Any, key: str, where: str, problems: Problems) -> str:
    """A name of an image, a category or a dialogue; empty where it is none."""
    if value is None:
        problems.add(where, f"no {key!r}")
    elif not isinstance(value, str) or not value or value != value.strip():
        problems.add(where, f"{key!r} must be a name, not {_safe(value)}")
    elif len(value) > LONGEST_NAME or plain(value) != value:
        problems.add(where, f"{key!r} must be plain text of at most {LONGEST_NAME} signs, not {_safe(value)}")
    else:
        return value
    return ""


def _safe(value: Any) -> str:
    """A value for a message, with nothing in it that moves a cursor or hides."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in short(value))


def _flags(turns: Sequence[Turn]) -> Iterator[str]:
    references = [turn.reference for turn in turns]
    if len(set(references)) < len(references):
        yield "repeated-reference"
    if any(turn.reference == turn.target for turn in turns):
        yield "self-hop"
    if turns[-1].target in references:
        yield "target-shown"


def _read_candidates(path: Path, categories: Sequence[str]) -> dict[str, list[str]]:
    """The candidates of every category.

    Raises:
        MtbenchError: a list for several categories, a category without candidates, or what is no name.
    """
    problems = Problems(path)
    value = read_json(path) if path.suffix == ".json" else None
    if isinstance(value, dict):
        found = {}
        for category in categories:
            names = value.get(category)
            if not isinstance(names, list) or not names:
                problems.add(category, f"a list of images is expected, not {_safe(names)}")
                continue
            found[category] = [_name(name, "image", category, problems) for name in names]
    else:
        if len(categories) > 1:
            raise MtbenchError(
                f"{path}: the dialogues are of {', '.join(categories)}: give a JSON object {{category: [name, ...]}}"
            )
        names = read_names(path, problems)
        found = {category: [_name(name, "image", path.name, problems) for name in names] for category in categories}
    for category, names in found.items():
        twice = sorted(name for name, count in Counter(names).items() if count > 1 and name)
        for name in twice:
            problems.add(category, f"{name} is listed twice")
    problems.raise_if_any()
    return {category: sorted(names) for category, names in found.items()}


def _check_targets(sessions: Sequence[Transaction], given: Mapping[str, Sequence[str]], raw: Path) -> None:
    problems = Problems(raw, hint="A target must be a candidate: add it to --candidates.")
    known = {category: set(names) for category, names in given.items()}
    for session in sessions:
        if session.target not in known[session.category]:
            problems.add(session.transaction_id, f"its target {session.target} is no candidate")
    problems.raise_if_any()
