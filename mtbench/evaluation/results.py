"""A result on disk: a folder that others can check.

=========================  ===================================================================================
``result.json``            what was run, on what, and every aggregate (see `mtbench.evaluation.recall.Recall`)
``run.parquet``            the first 100 candidates of every transaction
``run.trec.gz``            the same, for the tools of information retrieval
``qrels.trec``             the targets, for the same tools; neither where an id has blanks, which TREC forbids
``transactions.parquet``   the value of every measure for every transaction
=========================  ===================================================================================
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mtbench.core.errors import MtbenchError
from mtbench.core.files import atomic_folder, write_json
from mtbench.core.types import Transaction
from mtbench.evaluation.measures import per_transaction
from mtbench.evaluation.recall import MEASURES
from mtbench.evaluation.runs import Ranking, rankings, write_qrels, write_run
from mtbench.evaluation.study import Study

SCHEMA_VERSION = 1
"""Raised when a field of a result changes its meaning."""

logger = logging.getLogger(__name__)


def read_result(folder: Path) -> dict[str, Any] | None:
    """A result that was written before; None where there is none.

    Raises:
        MtbenchError: the file is there, but is no result.
    """
    path = folder / "result.json"
    if not path.is_file():
        return None
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if record["schema_version"] != SCHEMA_VERSION or "key" not in record:
            return None
    except (ValueError, KeyError, TypeError) as error:
        raise MtbenchError(f"{path} is no result ({error!r}); remove the folder and run again") from error
    return record


def write_result(folder: Path, record: Mapping[str, Any], study: Study, *, tag: str) -> None:
    """Write the folder, whole or not at all; ``tag`` names the system in TREC files."""
    run, transactions = _run(study), study.transactions
    with atomic_folder(folder, replaces="result.json") as temporary:
        write_run(temporary / "run.parquet", run, tag=tag)
        blank = _blank_name(run, transactions)
        if blank is None:
            write_run(temporary / "run.trec.gz", run, tag=tag)
            write_qrels(temporary / "qrels.trec", transactions)
        else:
            logger.warning("%s: no run.trec.gz and no qrels.trec, because TREC text cannot hold %r", folder, blank)
        ids = {"transaction_id": [transaction.transaction_id for transaction in transactions]}
        values = pa.table({**ids, **per_transaction(study.positions, MEASURES)})
        pq.write_table(values, temporary / "transactions.parquet", compression="zstd")
        write_json(temporary / "result.json", record)


def _run(study: Study) -> list[Ranking]:
    """The rankings of all categories in the order of the transactions."""
    found: dict[int, Ranking] = {}
    for category, (rows, ranks) in study.ranks.items():
        transactions = [study.transactions[row] for row in rows]
        gallery = study.ranker.galleries[category]
        found.update(zip(rows.tolist(), rankings(ranks, transactions, gallery), strict=True))
    return [found[row] for row in sorted(found)]


def _blank_name(run: Sequence[Ranking], transactions: Sequence[Transaction]) -> str | None:
    """The first id with blanks in it, which the lines of TREC cannot hold."""
    names = {image for ranking in run for image in ranking.image_ids}
    names.update(name for t in transactions for name in (t.transaction_id, t.target))
    return min((name for name in names if len(name.split()) != 1), default=None)
