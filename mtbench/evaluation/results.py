"""A result on disk: a folder that others can check.

=========================  ===================================================================================
``result.json``            what was run, on what, and every aggregate (see `mtbench.evaluation.recall.Recall`)
``run.parquet``            the first 100 candidates of every transaction
``run.trec.gz``            the same, for the tools of information retrieval
``qrels.trec``             the targets, for the same tools; neither where an id has blanks, which TREC forbids
``transactions.parquet``   category, cluster, turns and the value of every measure, for every transaction
=========================  ===================================================================================
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from mtbench.core.errors import MtbenchError
from mtbench.core.files import atomic_folder, write_json
from mtbench.core.types import Transaction
from mtbench.evaluation.measures import per_transaction
from mtbench.evaluation.runs import Ranking, rankings, write_qrels, write_run
from mtbench.evaluation.study import Study

SCHEMA_VERSION = 1
"""Raised when a field of a result changes its meaning."""

_AGAIN = "remove the folder and evaluate again"

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
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise MtbenchError(f"{path} is no result ({error!r}); remove the folder and run again") from error
    return record


@dataclass(frozen=True)
class Values:
    """What a result says of each of n transactions, sorted by id.

    Attributes:
        ids: the transactions, (n,) of str.
        categories: of each, (n,) of str.
        clusters: what each is one piece of evidence with (`Study.clusters`), (n,) of str.
        turns: how many turns each has, int64 (n,).
        measures: float64 (n,) by name of the measure.
    """

    ids: npt.NDArray[np.object_]
    categories: npt.NDArray[np.object_]
    clusters: npt.NDArray[np.object_]
    turns: npt.NDArray[np.int64]
    measures: Mapping[str, npt.NDArray[np.float64]]


def read_values(folder: Path, measures: Sequence[str]) -> Values:
    """The values of some measures for every transaction of a result.

    Raises:
        MtbenchError: there is no such file, or it is not what `write_result` writes.
    """
    path = folder / "transactions.parquet"
    texts = ("transaction_id", "category", "cluster")
    types = dict.fromkeys(texts, pa.string()) | {"turns": pa.int64()} | dict.fromkeys(measures, pa.float64())
    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            known = {name for name in types if schema.names.count(name) == 1 and schema.field(name).type == types[name]}
            if lacking := [name for name in types if name not in known]:
                raise MtbenchError(
                    f"{path} has no column {', '.join(lacking)} as `mtbench evaluate` writes it; {_AGAIN}"
                )
            table = file.read(columns=list(types))
        if any(column.null_count for column in table.columns):
            raise MtbenchError(f"{path} has empty cells; {_AGAIN}")
        ids, categories, clusters = (np.array(table.column(name).to_pylist(), dtype=object) for name in texts)
    except (OSError, ValueError, pa.ArrowException) as error:
        what = "cannot be read (is it cut off?)" if path.exists() else "is not there"
        raise MtbenchError(f"{path} {what}; {_AGAIN}") from error
    found = {name: table.column(name).to_numpy() for name in ("turns", *measures)}
    if not len(ids) or len(set(ids)) < len(ids) or any(np.isnan(values).any() for values in found.values()):
        raise MtbenchError(f"{path} has no transactions, or one of them twice, or no number as a value; {_AGAIN}")
    order = np.argsort(ids, kind="stable")
    by_measure = {name: found[name][order] for name in measures}
    return Values(ids[order], categories[order], clusters[order], found["turns"][order], by_measure)


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
        about = {
            "transaction_id": [transaction.transaction_id for transaction in transactions],
            "category": study.categories,
            "cluster": study.clusters,
            "turns": [len(transaction.turns) for transaction in transactions],
        }
        values = pa.table({**about, **per_transaction(study.positions, study.measures)})
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
