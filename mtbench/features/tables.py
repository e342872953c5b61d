"""Files of vectors that a user brings: ids beside rows of numbers. Never a pickle.

==============  =======================================================================================
``.npz``        ``ids`` (n, text) and ``features`` (n, d): ``np.savez(file, ids=ids, features=features)``
``.safetensors``  either a tensor ``features`` (n, d) and the ids as a JSON list in the metadata ``ids``,
                or one tensor (d,) for each id
``.parquet``    a column ``image_id`` (``text`` in a file of texts) and a column of lists ``features``
==============  =======================================================================================
"""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mtbench.core.errors import MtbenchError, Problems, unknown
from mtbench.features.needs import need
from mtbench.features.protocol import Array


def read_vectors(path: Path, *, key: str = "image_id") -> dict[str, Array]:
    """Vectors by id, float32 (d,) each.

    Args:
        path: a file with one of the three endings.
        key: the id column of a Parquet file.

    Raises:
        MtbenchError: the file is missing, of another form, or holds duplicate ids, rows of different widths
            or values that are no finite numbers; all the ids concerned are named.
    """
    readers = {".npz": _read_npz, ".safetensors": _read_safetensors, ".parquet": _read_parquet}
    if not path.is_file():
        raise MtbenchError(f"{path} does not exist")
    if path.suffix not in readers:
        raise unknown("vector file ending", path.suffix, readers)
    try:
        ids, rows = readers[path.suffix](path, key)
    except MtbenchError:
        raise
    except Exception as error:  # four libraries read these files, each with errors of its own
        raise MtbenchError(f"{path} cannot be read: {type(error).__name__}: {error}") from error
    return _checked(path, ids, rows)


def _checked(path: Path, ids: Sequence[Any], rows: Sequence[Any]) -> dict[str, Array]:
    problems = Problems(path)
    if len(ids) != len(rows):
        raise MtbenchError(f"{path}: {len(ids):,} ids, but {len(rows):,} rows of features")
    for name, count in Counter(name for name in ids if isinstance(name, str)).items():
        if count > 1:
            problems.add(str(name), f"appears {count} times")
    found: dict[str, Array] = {}
    for name, row in zip(ids, rows, strict=True):
        try:
            vector = np.asarray(row)
        except ValueError:  # a list of lists of different lengths
            vector = np.asarray(None)
        if not isinstance(name, str) or vector.ndim != 1 or not len(vector) or vector.dtype.kind not in "iuf":
            problems.add(str(name), "is not a text id with a row of numbers")
            continue
        with np.errstate(over="ignore"):  # too large for float32 becomes infinite, and is caught below
            found[name] = vector.astype(np.float32)
        if not np.isfinite(found[name]).all():
            problems.add(name, "has values that are not finite (NaN or infinite)")
    widths = Counter(len(vector) for vector in found.values())
    if widths:
        usual = widths.most_common(1)[0][0]
        for name, vector in found.items():
            if len(vector) != usual:
                problems.add(name, f"has {len(vector)} values, where most have {usual}")
    problems.raise_if_any()
    if not found:
        raise MtbenchError(f"{path} holds no vectors")
    return found


def _read_npz(path: Path, key: str) -> tuple[list[Any], Sequence[Any]]:
    if not zipfile.is_zipfile(path):
        raise MtbenchError(f"{path} is no .npz file: np.savez({path.name!r}, ids=ids, features=features)")
    with np.load(path, allow_pickle=False) as arrays:  # objects could run code when read
        missing = {"ids", "features"} - set(arrays.files)
        if missing:
            raise MtbenchError(f"{path} has no array {' and no array '.join(sorted(missing))}")
        try:
            return arrays["ids"].tolist(), arrays["features"]
        except ValueError as error:
            raise MtbenchError(
                f"{path}: {error}\nIds must be text (np.array(ids, dtype=str)), features a matrix of numbers"
            ) from error


def _read_safetensors(path: Path, key: str) -> tuple[list[Any], Sequence[Any]]:
    library = need("safetensors", extra="neural")
    with library.safe_open(path, framework="np") as tensors:
        names = list(tensors.keys())
        listed = (tensors.metadata() or {}).get("ids")
        if listed is None:
            return names, [tensors.get_tensor(name) for name in names]
        ids = json.loads(listed)
        if "features" not in names or not isinstance(ids, list):
            raise MtbenchError(f"{path}: the metadata 'ids' must be a JSON list beside a tensor 'features'")
        return ids, tensors.get_tensor("features")


def _read_parquet(path: Path, key: str) -> tuple[list[Any], Sequence[Any]]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    missing = [column for column in (key, "features") if column not in table.column_names]
    if missing:
        raise MtbenchError(f"{path} has no column {' and no column '.join(missing)}")
    ids, column = table[key].to_pylist(), table["features"].combine_chunks()
    widths = set(pc.list_value_length(column).to_pylist())
    if len(widths) == 1 and widths.isdisjoint({None, 0}):  # one matrix, without a Python object for each number
        numbers = column.flatten().to_numpy(zero_copy_only=False)
        return ids, numbers.reshape(len(ids), widths.pop())
    return ids, column.to_pylist()
