"""Reading the Parquet files of a benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mtbench.core.errors import MtbenchError


def read_table(path: Path, columns: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The rows of a Parquet file as dictionaries.

    Raises:
        MtbenchError: the file is cut short, is no Parquet, or lacks one of ``columns``.
    """
    try:
        table = pq.read_table(path)
        rows: list[dict[str, Any]] = table.to_pylist()
    except (OSError, ValueError, pa.ArrowException) as error:
        raise MtbenchError(f"{path} is not readable Parquet: {error}. Build it again.") from error
    lacking = [name for name in columns if name not in table.column_names]
    if lacking:
        raise MtbenchError(f"{path} has no column {', '.join(lacking)}. Build it again.")
    return rows
