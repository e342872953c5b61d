"""What a model has seen before it met a benchmark: a declared pre-training set, as transactions to audit against.

A set is declared in one of two ways: as the folder of a benchmark, whose train part counts, or as ``BUILDER=RAW``, the
raw files of a data set. Of these, every pair whose published split is train (by the builder's ``official``) counts as
a transaction of one turn, and every finished session of train as it is.
"""

from __future__ import annotations

import logging
from pathlib import Path

from mtbench.core.errors import MtbenchError
from mtbench.core.types import Pair, Transaction, Turn
from mtbench.data.benchmark import Benchmark, load
from mtbench.data.raw import Builder, read_raw

logger = logging.getLogger(__name__)


def train_part(folder: Path) -> list[Transaction]:
    """The training transactions of a benchmark.

    Raises:
        MtbenchError: the folder is no benchmark, or its train part is empty.
    """
    found = load(folder).transactions("train")
    if not found:
        raise MtbenchError(f"{folder} has an empty train part: there is nothing to audit against")
    return found


def train_pairs(name: str, builder: Builder, raw_path: Path) -> list[Transaction]:
    """What the raw files of a data set give to train on, pairs as transactions of one turn.

    Args:
        name: of the builder, for errors.
        builder: reads the files.
        raw_path: the folder (or file) that holds them.

    Raises:
        MtbenchError: missing or malformed files, or a builder that needs options to read them.
    """
    needed = [f"--{option.name}" for option in builder.options if option.required]
    if needed:
        raise MtbenchError(
            f"the builder {name!r} needs {', '.join(needed)} to read {raw_path}: build a benchmark with it, and give "
            "the folder of that"
        )
    if not raw_path.exists():
        raise MtbenchError(f"{raw_path} does not exist: give the raw files of {name} as {name}=FOLDER")
    raw, part_of = read_raw(name, builder, raw_path)
    if raw.sessions is None:
        found = [_one_turn(pair) for pair in raw.pairs if part_of.get(pair.split) == "train"]
    else:
        rows = zip(raw.sessions, raw.session_splits, strict=True)
        found = [session for session, split in rows if part_of.get(split) == "train"]
    if not found:
        raise MtbenchError(f"{raw_path}: the builder {name!r} finds no training pair there")
    return found


def warn_if_strange(benchmark: Benchmark, known: list[Transaction], name: str) -> None:
    """Warn where nothing can be found because nothing is named alike: a count of 0 would then say nothing."""
    mine = {category for _, category in benchmark.galleries}
    theirs = {transaction.category for transaction in known}
    if not mine & theirs:
        logger.warning(
            "%s has no category of %s (%s; there: %s), and leaks are looked for within a category: 0 says nothing",
            name,
            benchmark.name,
            ", ".join(sorted(mine)),
            ", ".join(sorted(theirs)),
        )
    elif not benchmark.images.keys() & {image for transaction in known for image in transaction.images}:
        logger.warning("no image of %s has the name of one of %s: 0 says nothing of copies", name, benchmark.name)


def _one_turn(pair: Pair) -> Transaction:
    turn = Turn(pair.reference, pair.feedback, pair.target)
    return Transaction(pair.pair_id, pair.category, (turn,), (pair.pair_id,))
