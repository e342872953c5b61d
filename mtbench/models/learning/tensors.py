"""Tensors on disk as safetensors: no pickle, whole or not at all, a record beside them in the same file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from mtbench.core.errors import MtbenchError
from mtbench.core.files import atomic_file

RECORD = "record"


def write_tensors(path: Path, tensors: Mapping[str, Tensor], record: Mapping[str, Any] | None = None) -> None:
    """Write tensors, with a record in JSON in the head of the file. The same values give the same bytes."""
    plain = {name: value.detach().to("cpu").contiguous().clone() for name, value in sorted(tensors.items())}
    head = {RECORD: json.dumps(record, sort_keys=True)} if record is not None else None
    with atomic_file(path) as temporary:
        temporary.write_bytes(save(plain, head))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """All tensors of a file, on the processor, and the record in its head; empty where it has none.

    Raises:
        MtbenchError: it is not there, cut off, or no such file at all.
    """
    try:
        with safe_open(path, "pt") as file:
            record = json.loads((file.metadata() or {}).get(RECORD, "{}"))
            if not isinstance(record, dict):
                raise ValueError("its head is no record")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
    except (OSError, SafetensorError, ValueError, RecursionError) as error:
        raise MtbenchError(f"{path} is no safetensors file, or is cut off ({error})") from error
    return tensors, record
