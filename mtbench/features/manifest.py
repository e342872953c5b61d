"""``features.json``: how stored vectors were made, for which benchmark, and the key of all that went in."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from mtbench.core.errors import MtbenchError, Problems
from mtbench.core.files import json_sha256
from mtbench.core.options import options_of
from mtbench.core.source import source_sha256
from mtbench.data.benchmark import Benchmark
from mtbench.features.content import Content
from mtbench.features.imaging import files_sha256
from mtbench.features.protocol import Encoder

SCHEMA_VERSION = 1
"""Raised when a field changes its meaning."""

FIELDS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("revision", "proxy", "content", "key"), str),
    **dict.fromkeys(("schema_version", "dim"), int),
    **dict.fromkeys(("encoder", "settings"), dict),
    "reads_text": bool,
    "files": (str, type(None)),
}
"""What ``features.json`` must hold to be read."""


def make_manifest(
    benchmark: Benchmark, encoder: Encoder, name: str, wanted: Content, *, spec: str | None, progress: bool
) -> dict[str, Any]:
    """Everything of ``features.json`` but the dimension, which only the vectors tell."""
    files = None
    if encoder.proxy == "image":
        files = files_sha256(wanted.images, benchmark.image_folder, progress=progress)
    kind = f"{type(encoder).__module__}:{type(encoder).__qualname__}"
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "name": name,
        "benchmark": benchmark.name,
        "revision": wanted.revision,
        "encoder": {"class": kind, "spec": spec or kind, "options": options_of(encoder), "source": _source(encoder)},
        "settings": encoder.settings(),
        "proxy": encoder.proxy,
        "reads_text": encoder.reads_text,
        "dim": None,
        "images": len(wanted.images),
        "texts": len(wanted.texts),
        "content": wanted.sha256,
        "files": files,
    }
    try:
        manifest = json.loads(json.dumps(manifest, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise MtbenchError(f"the settings and options of {kind} must be plain JSON: {error}") from error
    return {**manifest, "key": key_of(manifest)}


def key_of(manifest: dict[str, Any]) -> str:
    """The key of features: the hash of the encoder's class, source and settings, and of all that went in.

    How the encoder was asked for (its spec, and options such as a batch size) is no part of it.
    """
    parts = {part: manifest[part] for part in ("proxy", "settings", "content", "files")}
    made = {part: manifest["encoder"][part] for part in ("class", "source") if manifest["encoder"].get(part)}
    return json_sha256({**parts, **made})


def _source(encoder: Encoder) -> str | None:
    """The hash of a user's own encoder's file; mtbench's are known by their settings."""
    own = type(encoder).__module__.partition(".")[0] != "mtbench"
    return source_sha256(type(encoder)) if own else None


def read_manifest(path: Path) -> dict[str, Any]:
    """``features.json`` of a feature folder, its fields checked.

    Raises:
        MtbenchError: missing, no JSON, or of another version.
    """
    file = path / "features.json"
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise MtbenchError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise MtbenchError(f"{file} is no JSON ({error}). Delete {path} and encode again") from error
    problems = Problems(file, hint=f"Delete {path} and encode again")
    if not isinstance(manifest, dict):
        raise MtbenchError(f"{file} is no manifest of features. Delete {path} and encode again")
    for field, kind in FIELDS.items():
        if not isinstance(manifest.get(field, problems), kind):
            problems.add(field, "is missing or of another type")
    encoder = manifest.get("encoder")
    if isinstance(encoder, dict):
        for field, kind in {"class": str, "spec": str, "options": dict}.items():
            if not isinstance(encoder.get(field), kind):
                problems.add(f"encoder.{field}", "is missing or of another type")
    problems.raise_if_any()
    if manifest["schema_version"] != SCHEMA_VERSION:
        raise MtbenchError(
            f"{file} has schema version {manifest['schema_version']}; this mtbench reads {SCHEMA_VERSION}"
        )
    return manifest


def command_to_encode(benchmark: Benchmark, manifest: dict[str, Any]) -> str:
    """What to type to encode again, with the options there were."""
    encoder = manifest["encoder"]
    words = ["mtbench", "encode", str(benchmark.path), "--encoder", encoder["spec"]]
    for option, value in encoder["options"].items():
        typed = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        words += ["--set", f"{option}={typed}"]
    return shlex.join([*words, "--name", str(manifest.get("name")), "--overwrite"])
