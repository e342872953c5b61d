"""Options from a file: YAML, of which JSON is a part."""

from __future__ import annotations

from pathlib import Path

from mtbench.core.errors import MtbenchError


def read_config(path: Path) -> dict[str, object]:
    """Options of a model by name.

    Raises:
        MtbenchError: no such file, no YAML, or not a flat mapping.
    """
    import yaml

    if not path.exists():
        raise MtbenchError(f"--config {path} does not exist")
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise MtbenchError(f"{path} cannot be read as YAML or JSON: {reason}") from error
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise MtbenchError(f"{path} must hold options as name: value, such as  epochs: 20")
    nested = [name for name, value in found.items() if not _is_plain(value)]
    if nested:
        raise MtbenchError(f"{path}: {', '.join(nested)}: an option is a word, a number or a list of these")
    return {name.replace("-", "_"): value for name, value in found.items()}


def _is_plain(value: object) -> bool:
    values = value if isinstance(value, list) else [value]
    return all(one is None or isinstance(one, (str, int, float)) for one in values)
