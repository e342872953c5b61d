"""Checkpoints on the Hugging Face hub: a model repository with the two files of a checkpoint and a card."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mtbench
from mtbench.core.errors import MtbenchError
from mtbench.data.hub import pull_files, push_files
from mtbench.models.checkpoint import LARGEST_RECORD, LARGEST_WEIGHTS, RECORD, WEIGHTS, open_checkpoint

PREFIX = "hf:"
"""Starts the name of a checkpoint on the hub: ``hf:OWNER/NAME``, or ``hf:OWNER/NAME@REVISION``."""

TAGS = ("mtbench", "composed-image-retrieval", "multi-turn", "image-retrieval")


def push_checkpoint(
    folder: Path,
    repository: str,
    *,
    private: bool = False,
    token: str | None = None,
    endpoint: str | None = None,
) -> str:
    """Upload a checkpoint with a card to a model repository; returns its address. See `mtbench.data.hub.push`.

    Raises:
        MtbenchError: no checkpoint in the folder, or one that cannot be opened; or what the hub refuses.
    """
    record = open_checkpoint(folder, device="cpu").record
    files: dict[str, Path | bytes] = {
        "README.md": model_card(record, repository).encode(),
        RECORD: folder / RECORD,
        WEIGHTS: folder / WEIGHTS,
    }
    return push_files(files, repository, folder=folder, private=private, token=token, endpoint=endpoint)


def pull_checkpoint(
    name: str, *, token: str | None = None, endpoint: str | None = None, cache: Path | None = None
) -> Path:
    """The folder of a checkpoint on the hub, fetched if it is not in the cache. It is opened like any other.

    Args:
        name: ``hf:OWNER/NAME``, or ``hf:OWNER/NAME@REVISION``.
        token, endpoint, cache: see `mtbench.data.hub.pull_files`.
    """
    repository, _, revision = name.removeprefix(PREFIX).partition("@")
    if not repository:
        raise MtbenchError(f"{name!r} names no repository; give {PREFIX}OWNER/NAME")
    files = {RECORD: LARGEST_RECORD, WEIGHTS: LARGEST_WEIGHTS}
    return pull_files(repository, files, revision=revision or None, token=token, endpoint=endpoint, cache=cache)


def model_card(record: Mapping[str, Any], repository: str) -> str:
    """README.md of a checkpoint: what it is, what it learned from, what leaks, how to use it. No scores."""
    from huggingface_hub import ModelCardData  # slow to import

    data = ModelCardData(library_name="mtbench", tags=[*TAGS, record["model"]], datasets=None)
    features = record["features"]
    facts = {
        "model": record["model"],
        "preset": record["preset"] or "default",
        "seed": record["seed"],
        "status": record["status"],
        "benchmark": record["benchmark"],
        "revision": record["revision"],
        "features": f"{features['name']} ({features['dim']} numbers, of {features['proxy']})",
        "also learned from": _learned_from(record),
        "mtbench": mtbench.__version__,
    }
    lines = [
        "---",
        data.to_yaml(),
        "---",
        "",
        f"# {repository.rpartition('/')[2]}",
        "",
        f"A `{record['model']}` for composed image retrieval over several turns, trained with `mtbench train` on the "
        f"train part of {record['benchmark']}.",
        "",
        *_leak(record["leak"]),
        *_rows(facts),
        "",
        "## Options",
        "",
        *_rows(_options(record)),
        "",
        *(line for row in record["below"] for line in _below(row)),
        "## Use",
        "",
        "```sh",
        f"mtbench evaluate {PREFIX}{repository} --benchmark FOLDER",
        "```",
        "",
        "The benchmark must have the revision above, and its features the same settings. The checkpoint is data alone: "
        "to open it runs no code of it.",
    ]
    return "\n".join(lines) + "\n"


def _leak(leak: Mapping[str, Any]) -> list[str]:
    """The mark of a leak, before anything else."""
    if not leak["marked"]:
        return []
    return [
        f"> **It learned from data that leaks into the test part** (`--allow-leak`): {leak['known']:,} of "
        f"{leak['of']:,} test transactions were known by {leak['kind'].replace('_', ' ')}"
        f"{', and more to a model that it starts from' * bool(leak['below'])}. Its scores there are no fair scores.",
        "",
    ]


def _below(row: Mapping[str, Any]) -> list[str]:
    """A training that it starts from."""
    facts = {
        **{"preset": row["preset"] or "default", "seed": row["seed"], "status": row["status"]},
        **{"also learned from": _learned_from(row), "weights": row["weights_sha256"]},
    }
    return [f"## Starts from a `{row['model']}`", "", *_rows({**facts, **_options(row)}), ""]


def _learned_from(row: Mapping[str, Any]) -> str:
    """What a training learned from beyond the train part, itself or below."""
    below = [f"{one['pairs']} (by the {one['model']} below)" for one in row.get("below", []) if one["pairs"]]
    found = [*([row["pairs"]] if row["pairs"] else []), *below]
    return f"training pairs of {', '.join(found)}" if found else "nothing else"


def _options(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row["options"].items() if not _is_of_this_machine(value)}


def _rows(facts: Mapping[str, Any]) -> list[str]:
    cells = [(name, str(value).replace("|", "\\|").replace("\n", " ")) for name, value in facts.items()]
    return ["| | |", "|---|---|", *(f"| {name} | `{value}` |" for name, value in cells)]


def _is_of_this_machine(value: object) -> bool:
    return isinstance(value, str) and Path(value).is_absolute()
