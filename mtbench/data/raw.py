"""What a builder hands over: pairs or finished sessions, image lists, and a count of every fault it met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from mtbench.core.errors import MtbenchError, Problems
from mtbench.core.types import Pair, Transaction
from mtbench.data.sources import Source, missing
from mtbench.data.truth import RawTruth

EXAMPLES = 3
"""Records kept per kind of fault, for the report."""


class Faults:
    """Counts of what is wrong with the raw data, by kind, with the first records of each."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.examples: dict[str, list[str]] = {}

    def add(self, kind: str, where: str, count: int = 1) -> None:
        """Count one fault of ``kind``, met at ``where``."""
        self.counts[kind] = self.counts.get(kind, 0) + count
        examples = self.examples.setdefault(kind, [])
        if len(examples) < EXAMPLES:
            examples.append(where)

    def to_json(self) -> dict[str, dict[str, Any]]:
        """``{kind: {"count", "examples"}}``, sorted by kind."""
        return {k: {"count": self.counts[k], "examples": self.examples[k]} for k in sorted(self.counts)}


@dataclass(frozen=True)
class Published:
    """The counts a paper or release gives for a split, printed beside ours.

    Attributes:
        dataset: whose counts they are.
        split: which part they describe: ``train``, ``test``, or ``all`` for the whole.
        turns: transactions by number of turns.
        source: where they are stated.
    """

    dataset: str
    split: str
    turns: Mapping[int, int]
    source: str


@dataclass
class RawDataset:
    """Raw annotations, read and checked.

    Attributes:
        pairs: single-turn pairs; empty where the release holds finished sessions.
        sessions: finished transactions with their published ids; None where chains are to be made from ``pairs``.
        session_splits: the published split of each session.
        image_lists: published candidates by (published split, category).
        attributes: words for images, where the data has them.
        subcategories: a finer label of images, where the data has one.
        designed: the sessions are a design, such as balanced blocks, that is only right as a whole: no option of the
            build may leave some out, or move them to another part.
        truth: what is known for certain about images and feedback that were made, not collected.
        name: of the benchmark, where the builder makes several kinds.
        options: what became of the builder's own options, where there is more to say than what was typed.
        official: which part each published split is, where the data decides that; the builder's ``official`` if None.
        faults: what was wrong, counted.
        notes: further facts for the report, one sentence each.
    """

    pairs: list[Pair] = field(default_factory=list)
    sessions: list[Transaction] | None = None
    session_splits: list[str] = field(default_factory=list)
    image_lists: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    attributes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    subcategories: dict[str, str] = field(default_factory=dict)
    designed: bool = False
    truth: RawTruth | None = None
    name: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    official: Mapping[str, str] | None = None
    faults: Faults = field(default_factory=Faults)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Option:
    """An option that only one builder has; the command line offers it as ``--name``."""

    name: str
    help: str
    type: type = str
    default: Any = None
    required: bool = False
    multiple: bool = False


class Builder(Protocol):
    """Reads one raw layout. No base class is needed; all but `read` are plain class attributes."""

    @property
    def summary(self) -> str:
        """One line for `mtbench list builders`."""
        ...

    @property
    def licence(self) -> str:
        """Of the annotations."""
        ...

    @property
    def sources(self) -> Sequence[Source]:
        """The files, with address, hash and size; empty for files of the user's own."""
        ...

    @property
    def chains(self) -> str:
        """The default chain policy."""
        ...

    @property
    def split(self) -> str:
        """The default split policy."""
        ...

    @property
    def gallery(self) -> str:
        """The default gallery rule."""
        ...

    @property
    def official(self) -> Mapping[str, str]:
        """Which part (train, dev or test) each published split is."""
        ...

    @property
    def published(self) -> Sequence[Published]:
        """Counts to print beside ours."""
        ...

    @property
    def options(self) -> Sequence[Option]:
        """What else can be set; handed to `read` as keyword arguments."""
        ...

    def read(self, raw: Path, **options: Any) -> RawDataset:
        """Read the raw files under ``raw``.

        Raises:
            MtbenchError: files are missing or malformed; every problem of a file at once.
        """
        ...


@runtime_checkable
class Draws(Protocol):
    """A builder that makes its raw files itself."""

    def prepare(self, raw: Path, **options: Any) -> Mapping[str, Path]:
        """Make the files under ``raw`` unless they are there; returns defaults for ``images`` and ``image_captions``.

        Raises:
            MtbenchError: options out of range, or ``raw`` holds something else.
        """
        ...


def read_raw(name: str, builder: Builder, raw_path: Path, /, **options: Any) -> tuple[RawDataset, Mapping[str, str]]:
    """What a builder reads, checked before anything is made of it, and which part each published split is.

    Args:
        name: of the builder, for errors.
        builder: reads the files.
        raw_path: the folder (or file) that holds them.
        options: the builder's own.

    Raises:
        MtbenchError: missing or malformed files, or a builder that hands over what it must not.
    """
    if builder.sources and (lacking := missing(builder.sources, raw_path, builder=name)):
        raise lacking
    raw = builder.read(raw_path, **options)
    if not isinstance(raw, RawDataset):
        raise MtbenchError(f"the builder {name!r} must return a RawDataset, not {type(raw).__name__}")
    official = builder.official if raw.official is None else raw.official
    problems = Problems(f"the builder {name!r}")
    seen = set()
    for pair in raw.pairs:
        if pair.split not in official:
            problems.add(pair.pair_id, f"its split {pair.split!r} is none of `official`: {', '.join(official)}")
        if not isinstance(pair.feedback, tuple) or not all(isinstance(text, str) for text in pair.feedback):
            problems.add(pair.pair_id, f"its feedback must be a tuple of texts, not {pair.feedback!r}")
        if pair.pair_id in seen:
            problems.add(pair.pair_id, "a second pair has this id")
        seen.add(pair.pair_id)
    problems.raise_if_any()
    return raw, official
