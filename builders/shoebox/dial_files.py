"""Reads the raw files of a dial, and says what its dialogues demand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtbench.core.errors import Problems
from mtbench.core.types import Transaction, Turn
from mtbench.data.raw import RawDataset
from mtbench.data.readers import read_names, read_records, short
from mtbench.data.truth import Dialogue, RawTruth

from .blocks import KINDS
from .dial import DIALOGUES_FILE, SHORTEST, WANTED, DialOptions
from .families import look
from .truth import is_values, read_attributes

CATEGORY = "shoebox"
OFFICIAL = {"train": "train", "dev": "dev", "eval": "test"}
CUTOFFS = (5, 8)


def read_dial(raw: Path, options: DialOptions) -> RawDataset:
    """The dialogues of a dial with their truth.

    Raises:
        MtbenchError: a file is missing or malformed; every problem at once.
    """
    problems = Problems(raw)
    names = {split: read_names(raw / f"{split}_im_names.txt", problems) for split in WANTED}
    attributes = read_attributes(raw, problems)
    for split, listed in names.items():
        for name in listed:
            if name not in attributes:
                problems.add(f"{split}_im_names.txt", f"{name} has no attributes")
    lists = {split: set(listed) for split, listed in names.items()}
    records = read_records(raw / DIALOGUES_FILE)
    seen: set[Any] = set()
    for number, record in enumerate(records):
        fault = _fault(record, lists)
        if fault or record["id"] in seen:
            problems.add(f"{DIALOGUES_FILE}, record {number}", fault or f"the id {record['id']} is there twice")
        else:
            seen.add(record["id"])
    problems.raise_if_any()
    truth = RawTruth(attributes, dialogues={record["id"]: _dialogue(record) for record in records})
    return RawDataset(
        sessions=[_transaction(record) for record in records],
        session_splits=[record["split"] for record in records],
        image_lists={(split, CATEGORY): sorted(listed) for split, listed in names.items()},
        subcategories={name: shoe["category"] for name, shoe in attributes.items()},
        designed=True,
        truth=truth,
        name=f"shoebox-dial-{options.share:g}",
        options={
            "size": sum(map(len, names.values())),
            "kinds": list(options.used),
            "dialogues": options.dialogues,
            "shortest": options.shortest,
            "longest": options.longest,
            "discriminating_attributes": options.design[0],
            "values": options.design[1],
        },
        official=OFFICIAL,
        notes=_notes([record for record in records if record["split"] == "eval"], attributes, names["eval"], options),
    )


def _fault(record: Any, lists: Mapping[str, set[str]]) -> str | None:
    """What is wrong with a record of the dialogues, if anything is."""
    if not isinstance(record, dict) or not isinstance(record.get("id"), str):
        return f"a dialogue with an id is expected, not {short(record)}"
    if record.get("split") not in lists or record.get("kind") not in KINDS:
        return f"split {short(record.get('split'))} or kind {short(record.get('kind'))} is unknown"
    counts = [record.get(name) for name in ("block", "member", "last_turn")]
    if not all(isinstance(count, int) and count >= 0 for count in counts) or not record["last_turn"]:
        return f"block, member and last_turn must be numbers, not {short(counts)}"
    turns = record.get("turns")
    if not isinstance(turns, list) or len(turns) < SHORTEST:
        return f"at least two turns are expected, not {short(turns)}"
    for turn in turns:
        texts = isinstance(turn, dict) and all(isinstance(turn.get(name), str) for name in ("reference", "feedback"))
        if not texts or not is_values(turn.get("requests")):
            return f"a turn with reference, feedback and requests is expected, not {short(turn)}"
    images = [turn["reference"] for turn in turns] + [record.get("target")]
    strangers = [image for image in images if image not in lists[record["split"]]]
    return f"{', '.join(map(short, strangers))} is no image of {record['split']}" if strangers else None


def _transaction(record: Mapping[str, Any]) -> Transaction:
    """The source of a dialogue is its place in the design: a reordered copy has that of its original."""
    images = [*(turn["reference"] for turn in record["turns"]), record["target"]]
    turns = (
        Turn(turn["reference"], (turn["feedback"],), after)
        for turn, after in zip(record["turns"], images[1:], strict=True)
    )
    source = f"{CATEGORY}.{record['split']}.block-{record['block']}.{record['member']}"
    return Transaction(record["id"], CATEGORY, tuple(turns), (source,), (f"kind-{record['kind']}",))


def _dialogue(record: Mapping[str, Any]) -> Dialogue:
    requests = tuple(turn["requests"] for turn in record["turns"])
    return Dialogue(requests, (), record["kind"], record["last_turn"], f"block-{record['block']}")


def _notes(
    records: Sequence[Mapping[str, Any]],
    attributes: Mapping[str, Mapping[str, str]],
    gallery: Sequence[str],
    options: DialOptions,
) -> list[str]:
    """The demand on memory, the bound of the last turn, and the ceiling, on the test part."""
    if not records:
        return []
    copies = Counter(look(attributes[image]) for image in gallery)
    alike = [copies[look(attributes[record["target"]])] for record in records]
    hidden = [1 - len(record["turns"][-1]["requests"]) / options.design[0] for record in records]
    found = []
    for sizes in ([record["last_turn"] for record in records], alike):
        shares = [sum(min(1.0, cutoff / size) for size in sizes) / len(sizes) for cutoff in CUTOFFS]
        found.append(" and ".join(f"R@{cutoff} {share:.1%}" for cutoff, share in zip(CUTOFFS, shares, strict=True)))
    blocks = len({record["block"] for record in records})
    return [
        f"History share {options.share:g}: the last reference has {options.design[0]} attributes wrong, of "
        f"{options.design[1]} values each. In the test part {sum(hidden) / len(hidden):.1%} of these wishes are not "
        f"said at the last turn; {blocks:,} blocks have all their targets once for each last turn.",
        f"Last-turn bound of the test part: {found[0]}. No model that reads the last turn alone can do better.",
        f"Ceiling of the test part: {found[1]}. Who follows the whole dialogue finds all images that fulfil it.",
    ]
