"""The folder of a sweep: whose it is, one sweep at a time in it, and files that change only when what they say does."""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from mtbench.core.errors import MtbenchError
from mtbench.core.files import atomic_file, check_folder
from mtbench.training.task import CHECKPOINTS, RESULTS

SCHEMA_VERSION = 1
RECORD, TABLE, PICTURES = "sweep.json", "sweep.csv", ("sweep.png", "sweep.svg")
LOCK = ".lock"

logger = logging.getLogger(__name__)


def read_before(out: Path, plan: Mapping[str, Any]) -> dict[str, Any]:
    """What a folder says of a sweep of the same model and benchmark; empty where it says nothing.

    Raises:
        MtbenchError: it is the folder of something else.
    """
    check_folder(out)
    here = {path.name for path in out.iterdir()} if out.is_dir() else set()
    if RECORD not in here:
        if strange := sorted(here - {TABLE, *PICTURES, CHECKPOINTS, RESULTS, LOCK}):
            raise MtbenchError(f"{out} holds {strange[0]} and no {RECORD}: it is of something else; give another --out")
        return {}
    about = ("schema_version", "model", "benchmark", "revision")
    try:
        record: dict[str, Any] = json.loads((out / RECORD).read_text(encoding="utf-8"))
        wrong = [name for name in about if record[name] != plan[name]]
        if not isinstance(record["rows"], list):
            raise ValueError("rows")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise MtbenchError(f"{out / RECORD} is no record of a sweep ({error!r}); remove it and sweep again") from error
    if wrong:
        raise MtbenchError(f"{out} holds a sweep of the {wrong[0]} {record[wrong[0]]}; give another --out")
    return record


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """One sweep at a time in a folder: a second one would train the same again.

    Raises:
        MtbenchError: there is one.
    """
    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise MtbenchError(f"another sweep is at work in {out}; wait for it, or give another --out") from error
    except (OSError, NotImplementedError) as error:
        logger.warning("%s cannot be locked (%s): start one sweep in it at a time", out, error)
    try:
        yield
    finally:
        lock.release()


def write_changed(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all; leave alone one that has this content."""
    if not path.is_file() or path.read_bytes() != content:
        with atomic_file(path) as temporary:
            temporary.write_bytes(content)


def as_json(record: Mapping[str, Any]) -> bytes:
    """A record as a file holds it."""
    return (json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def as_csv(record: Mapping[str, Any]) -> bytes:
    """The rows as a table for other programs, shares in 0..1; empty cells are not known."""
    text = io.StringIO()
    numbers = ("parameters", "R@5", "R@8", "mean", "low", "high", "seed_sd", "ms_interactive", "ms_batch")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*record["over"], "seeds", *numbers])
    for row in record["rows"]:
        low, high = row["interval"] or (None, None)
        cells = {**row, "low": low, "high": high}
        writer.writerow([*row["options"].values(), len(row["seeds"]), *(cells[name] for name in numbers)])
    return text.getvalue().encode()
