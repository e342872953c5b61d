"""Reads what is certain about the drawn images and their feedback."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtbench.core.errors import Problems
from mtbench.core.types import Pair
from mtbench.data.readers import read_json, read_records, short
from mtbench.data.truth import RawTruth

from .vocabulary import is_valid

ATTRIBUTES_FILE = "attributes.json"
REQUESTS_FILE = "feedback_attributes.json"


def read_attributes(raw: Path, problems: Problems) -> dict[str, dict[str, str]]:
    """``attributes.json``: the true values by image; shoes that could not be drawn are problems."""
    found = read_json(raw / ATTRIBUTES_FILE)
    if not isinstance(found, dict):
        problems.add(ATTRIBUTES_FILE, f"an object {{image: attributes}} is expected, not {short(found)}")
        return {}
    for image, values in found.items():
        if not is_values(values) or not is_valid(values):
            problems.add(ATTRIBUTES_FILE, f"{image}: these are no attributes of a shoe: {short(values)}")
    return found


def is_values(value: Any) -> bool:
    """Whether a JSON value is an object of texts."""
    return isinstance(value, Mapping) and all(isinstance(text, str) for text in value.values())


def truth_of_pairs(raw: Path, pairs: Sequence[Pair]) -> RawTruth:
    """The truth about single-turn pairs, which are numbered as in the file of their feedback.

    Raises:
        MtbenchError: a file is missing or malformed, or does not fit the pairs.
    """
    problems = Problems(raw)
    attributes = read_attributes(raw, problems)
    records = read_records(raw / REQUESTS_FILE)
    if len(records) != len(pairs):
        problems.add(REQUESTS_FILE, f"{len(records):,} records, but there are {len(pairs):,} pairs")
    for number, record in enumerate(records):
        if not is_values(record):
            problems.add(f"{REQUESTS_FILE}, record {number}", f"an object of texts is expected, not {short(record)}")
    shown = {image for pair in pairs for image in (pair.reference, pair.target)}
    for image in sorted(shown - attributes.keys()):
        problems.add(ATTRIBUTES_FILE, f"{image} is not there")
    problems.raise_if_any()
    requests = {pair.pair_id: record for pair, record in zip(pairs, records, strict=True)}
    return RawTruth(attributes, requests)
