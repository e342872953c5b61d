"""Reading a Parquet file of a stranger: nothing is read before its size and columns are as they must be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mtbench.core.errors import MtbenchError

MOST_UNPACKED = 256 << 20
"""Bytes of a file, as it says itself."""
MOST_ROWS = 5_000_000
_MOST_GROUPS = 1_000


def check_size(path: Path, most: int) -> None:
    """Refuse what is no ordinary file of at most ``most`` bytes, before anything of it is read.

    Raises:
        MtbenchError: it is.
    """
    if path.is_symlink() or not path.is_file():
        raise MtbenchError(f"{path} is missing, or no ordinary file")
    if path.stat().st_size > most:
        raise MtbenchError(f"{path} has {path.stat().st_size:,} bytes; at most {most:,}")


def read_table(path: Path, schema: pa.Schema, most: int) -> pa.Table:
    """A table of just these columns, without empty cells.

    Raises:
        MtbenchError: it is not that, or too large.
    """
    check_size(path, most)
    try:
        with pq.ParquetFile(path, memory_map=False) as file:
            _check_plan(file, schema, path)
            table = file.read(columns=schema.names, use_threads=False)
        if table.num_rows > MOST_ROWS or table.nbytes > MOST_UNPACKED:  # whatever it says of itself
            raise MtbenchError(f"{path} unpacks to {table.num_rows:,} rows and {table.nbytes:,} bytes")
        table.validate(full=True)  # text that is no UTF-8, columns that end early
    except MemoryError as error:
        raise MtbenchError(f"{path} needs more memory than it may") from error
    except (OSError, ValueError, pa.ArrowException) as error:
        raise MtbenchError(f"{path} is no Parquet file that can be read: {str(error)[:200]}") from error
    if any(column.null_count for column in table.columns):
        raise MtbenchError(f"{path} has empty cells")
    return table


def _check_plan(file: Any, schema: pa.Schema, path: Path) -> None:
    """What the file says of itself, before its pages are unpacked."""
    plan = file.metadata
    found, wanted = ([(field.name, field.type) for field in one] for one in (file.schema_arrow, schema))
    if found != wanted:
        found, wanted = ([(name, str(kind)) for name, kind in one] for one in (found, wanted))
        raise MtbenchError(f"{path} must have the columns {wanted}, and has {ascii(found)[:200]}")
    unpacked = sum(plan.row_group(i).total_byte_size for i in range(min(plan.num_row_groups, _MOST_GROUPS)))
    if plan.num_row_groups > _MOST_GROUPS or plan.num_rows > MOST_ROWS or unpacked > MOST_UNPACKED:
        raise MtbenchError(
            f"{path} unpacks to {plan.num_rows:,} rows and {unpacked:,} bytes; at most {MOST_ROWS:,} and "
            f"{MOST_UNPACKED:,}"
        )
