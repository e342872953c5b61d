"""Multi-turn FashionIQ (Yuan & Lam, SIGIR 2021): the released sessions, imported with every fault named.

Raw layout, as published::

    data/CATEGORY.SPLIT.json                  [{"target": [url, image],
                                               "reference": [[url, captions, image], ...]}, ...]
    attr/asin2attr.all.SPLIT.new.json         {image: six lists of attribute words}
    image_splits/split.CATEGORY.SPLIT.json    [image, ...]

References come oldest first. ``data/dress.json`` is never read: it holds all 1,000 dress val sessions. A transaction
keeps the number of its session in the released file, whatever is dropped or flagged:

====================  ===============================================================================
one-turn              dropped: a session of one turn is no transaction
repeated-reference    an image is shown twice
self-hop              a turn leads from an image to itself
target-shown          the target was already shown
empty-caption         an empty caption, which is left out
one-caption           a turn with one caption instead of two
three-captions        a turn with three captions
two-categories        an image that is listed under two categories
duplicate-session     the images of an earlier session of the category, in the same order
edited-caption        a turn that is a raw FashionIQ pair, but with other captions
not-a-raw-pair        a turn that is no raw FashionIQ pair of its category
swapped-references    two turns that are raw pairs if their references change places
====================  ===============================================================================

The last three need the raw FashionIQ captions: ``--raw-pairs DIR``, or a folder ``fashioniq`` beside the raw folder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from builders import _sources
from builders.fashioniq import CATEGORIES, SPLITS, read_pairs
from mtbench.core.errors import MtbenchError, Problems
from mtbench.core.types import MIN_TURNS, Pair, Transaction, Turn
from mtbench.data.raw import Faults, Option, Published, RawDataset
from mtbench.data.readers import read_json, read_names, read_records, short

LAYOUT = 'expected {"target": [url, image], "reference": [[url, [caption, ...], image], ...]}'
RawPairs = Mapping[tuple[str, str, str], Pair]
"""Raw FashionIQ pairs by (category, reference, target)."""


class MultiturnFashionIQ:
    """Multi-turn FashionIQ: the released sessions, every fault flagged."""

    summary = "Multi-turn FashionIQ (Yuan & Lam 2021): the 11,505 released sessions"
    licence = "none stated"
    sources = _sources.MULTITURN
    chains = "released"
    split = "official"
    gallery = "split-list"
    official: ClassVar[Mapping[str, str]] = {"train": "train", "val": "test"}
    options = (Option("raw-pairs", "folder of the raw FashionIQ files, to compare with [default: ../fashioniq]", Path),)
    published = (
        Published("Multi-turn FashionIQ", "train", {2: 6897, 3: 1733, 4: 475}, "the released files"),
        Published("Multi-turn FashionIQ", "test", {2: 1752, 3: 483, 4: 165}, "the released files (val)"),
    )

    def read(self, raw: Path, *, raw_pairs: Path | None = None, **options: Any) -> RawDataset:
        """Read the sessions of the three categories, their image lists and attribute words."""
        problems, faults = Problems(raw), Faults()
        lists = {
            (split, category): read_names(raw / "image_splits" / f"split.{category}.{split}.json", problems)
            for category in CATEGORIES
            for split in SPLITS
        }
        raw_folder = raw_pairs or raw.resolve().parent / "fashioniq"
        pairs = _raw_pairs(raw_folder, required=raw_pairs is not None)
        twice = _in_two_categories(lists)
        sessions: list[Transaction] = []
        splits: list[str] = []
        shown: set[tuple[str, ...]] = set()
        for (split, category), listed in lists.items():
            path = raw / "data" / f"{category}.{split}.json"
            known = set(listed)
            for number, entry in enumerate(read_records(path)):
                where = f"{path.name}, session {number}"
                turns = _turns(entry, where, known, problems)
                if not turns:
                    continue
                session_id = f"{category}.{split}.{number:04}"
                if len(turns) < MIN_TURNS:
                    faults.add("one-turn", session_id)
                    continue
                images = (category, *(turn.reference for turn in turns), turns[-1].target)
                flags = {*_flags(turns, twice), *_against_raw(turns, category, pairs)}
                if images in shown:
                    flags.add("duplicate-session")
                shown.add(images)
                for flag in sorted(flags):
                    faults.add(flag, session_id)
                sessions.append(_transaction(session_id, category, turns, pairs, flags))
                splits.append(split)
        attributes = _attributes(raw, problems)
        problems.raise_if_any()
        return RawDataset(
            sessions=sessions,
            session_splits=splits,
            image_lists={key: sorted(listed) for key, listed in lists.items()},
            attributes=attributes,
            faults=faults,
            notes=[
                "The released val is leaky: run `mtbench audit`. The second half of each released train file is "
                "another, undocumented population, most of whose hops are no raw FashionIQ pair.",
                f"Compared with {len(pairs):,} raw FashionIQ pairs."
                if pairs
                else "Not compared with the raw FashionIQ pairs: give their folder with --raw-pairs.",
            ],
        )


def _is_text_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _turns(entry: Any, where: str, known: set[str], problems: Problems) -> list[Turn]:
    """The turns of one released session, captions as they stand; empty if it is malformed."""
    try:
        _, target = entry["target"]
        shown = [(image, captions) for _, captions, image in entry["reference"]]
    except (KeyError, TypeError, ValueError):
        shown, target = [], None
    ends = [*(image for image, _ in shown), target]
    # a text in the place of a list would be taken for the list of its letters
    if not shown or not all(map(_is_text_list, (ends, entry["target"], *(captions for _, captions in shown)))):
        problems.add(where, LAYOUT)
        return []
    steps = [(image, tuple(caption.strip() for caption in captions)) for image, captions in shown]
    strangers = sorted(set(ends) - known)
    for image in strangers:
        problems.add(where, f"{image} is in no image list of its category and split")
    for number, (_, captions) in enumerate(steps):
        if not any(captions):
            problems.add(where, f"turn {number + 1} has no caption")
            strangers.append("")
    if strangers:
        return []
    return [Turn(image, captions, after) for (image, captions), after in zip(steps, ends[1:], strict=True)]


def _flags(turns: Sequence[Turn], twice: set[str]) -> Iterator[str]:
    """What can be seen from the session alone."""
    references = [turn.reference for turn in turns]
    target = turns[-1].target
    if len(set(references)) < len(references):
        yield "repeated-reference"
    if any(turn.reference == turn.target for turn in turns):
        yield "self-hop"
    if target in references:
        yield "target-shown"
    if twice & {*references, target}:
        yield "two-categories"
    for turn in turns:
        if "" in turn.feedback:
            yield "empty-caption"
        if len(turn.feedback) == 1:
            yield "one-caption"
        if len(turn.feedback) == 3:
            yield "three-captions"


def _against_raw(turns: Sequence[Turn], category: str, pairs: RawPairs) -> Iterator[str]:
    """What can be seen by comparing with the raw pairs."""
    if not pairs:
        return
    for turn in turns:
        raw = pairs.get((category, turn.reference, turn.target))
        if raw is None:
            yield "not-a-raw-pair"
        elif _words(raw.feedback) != _words(turn.feedback):
            yield "edited-caption"
    if len(turns) == 2:
        first, second = turns
        swapped = ((second.reference, first.reference), (first.reference, second.target))
        straight = ((first.reference, first.target), (second.reference, second.target))
        if _all_raw(swapped, category, pairs) and not _all_raw(straight, category, pairs):
            yield "swapped-references"


def _all_raw(hops: Sequence[tuple[str, str]], category: str, pairs: RawPairs) -> bool:
    return all((category, *hop) in pairs for hop in hops)


def _words(captions: Sequence[str]) -> Counter[str]:
    """Captions for comparison: their order, case and blanks do not count."""
    return Counter(" ".join(caption.casefold().split()) for caption in captions if caption)


def _transaction(
    session_id: str, category: str, turns: Sequence[Turn], pairs: RawPairs, flags: set[str]
) -> Transaction:
    sources = [pairs.get((category, turn.reference, turn.target)) for turn in turns]
    kept = tuple(Turn(t.reference, tuple(c for c in t.feedback if c), t.target) for t in turns)
    return Transaction(
        session_id,
        category,
        kept,
        tuple(pair.pair_id if pair else "" for pair in sources),
        tuple(sorted(flags)),
    )


def _in_two_categories(lists: Mapping[tuple[str, str], Sequence[str]]) -> set[str]:
    seen: dict[str, set[str]] = {}
    for (_, category), listed in lists.items():
        for image in listed:
            seen.setdefault(image, set()).add(category)
    return {image for image, categories in seen.items() if len(categories) > 1}


def _raw_pairs(folder: Path, *, required: bool) -> RawPairs:
    """The raw FashionIQ pairs, or nothing where the default folder is not there."""
    if not required and not (folder / "captions").is_dir():
        return {}
    problems, ignored = Problems(folder), Faults()
    found = {
        (pair.category, pair.reference, pair.target): pair
        for category in CATEGORIES
        for split in SPLITS
        for pair in read_pairs(folder, category, split, problems, ignored)
    }
    problems.raise_if_any()
    return found


def _attributes(raw: Path, problems: Problems) -> dict[str, tuple[str, ...]]:
    """Attribute words by image, from the lists over all categories; the six groups become one list."""
    words: dict[str, tuple[str, ...]] = {}
    for split in SPLITS:
        path = raw / "attr" / f"asin2attr.all.{split}.new.json"
        groups_of = read_json(path)
        if not isinstance(groups_of, dict):
            raise MtbenchError(f"{path}: an object {{image: lists of words}} is expected, not {short(groups_of)}")
        for image, groups in groups_of.items():
            if not isinstance(groups, list) or not all(map(_is_text_list, groups)):
                problems.add(f"{path.name}, {image}", f"lists of words are expected, not {short(groups)}")
                continue
            unique = dict.fromkeys(word.strip() for group in groups for word in group)
            words.setdefault(image, tuple(word for word in unique if word))
    return words
