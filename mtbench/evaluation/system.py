"""What is evaluated: a model by name, a checkpoint of one, or a file of rankings; made, and known by its parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtbench.core.errors import MtbenchError
from mtbench.core.files import file_sha256
from mtbench.core.options import construct, known_options
from mtbench.core.registry import MODELS
from mtbench.core.source import source_sha256
from mtbench.evaluation.ranker import check_model
from mtbench.evaluation.runs import is_run
from mtbench.models.checkpoint import is_checkpoint, open_checkpoint, read_record
from mtbench.models.hub import PREFIX, pull_checkpoint

NOT_OF_THE_MODEL = ("device",)
"""Options that say where to compute, and change nothing else."""


@dataclass(frozen=True)
class System:
    """What is evaluated.

    Attributes:
        name: of the model, or of the file of rankings.
        plugin: its class; None for a file.
        model: an instance; None for a file.
        source_sha256: of its code, or of the file.
        shown_options: as typed; a checkpoint among them by the name of its model, so that seeds stand together.
        is_trained: whether the model comes with its weights, so that it is not fitted again.
        checkpoints: the records of all checkpoints in it, by folder.
        chosen_on_dev: of a checkpoint.
    """

    name: str
    plugin: type | None
    model: Any
    source_sha256: str
    shown_options: Mapping[str, object]
    is_trained: bool = False
    checkpoints: Mapping[Path, Mapping[str, Any]] = field(default_factory=dict)
    chosen_on_dev: Mapping[str, Any] = field(default_factory=dict)

    def features(self, asked: str | None) -> str | None:
        """Those asked for, else those that the checkpoints were trained on."""
        return asked or next((record.get("features_name") for record in self.checkpoints.values()), None)

    def words(self, asked: str | None) -> str | None:
        """The same for words."""
        return asked or next((record["words"] or None for record in self.checkpoints.values()), None)

    @property
    def trained(self) -> list[dict[str, Any]]:
        """What a result says of the trainings that it rests on: what leaks from them above all, and what is below."""
        made = ("model", "options", "seed", "preset", "key", "weights_sha256", "status", "chosen_on_dev")
        kept = (*made, "pairs", "leak", "below")
        return [{name: record.get(name) for name in kept} for record in self.checkpoints.values()]


def system(name: str, options: Mapping[str, object], seed: int) -> System:
    """The system called ``name``.

    Args:
        name: a registered model, ``module:Class`` or ``file.py:Class``, a folder of a checkpoint or ``hf:OWNER/NAME``
            on the hub, or a file of rankings.
        options: of the model, as typed.
        seed: for a model that takes one and is not trained yet; a checkpoint has that of its training.

    Raises:
        MtbenchError: none of these, or options that it does not take.
    """
    folder = pull_checkpoint(name) if name.startswith(PREFIX) else Path(name)
    is_registered = name in MODELS.names()  # whatever folder of this name lies here: ./NAME is the folder
    if not is_registered and is_checkpoint(folder):
        if asked := [option for option in options if option not in NOT_OF_THE_MODEL]:
            raise MtbenchError(f"{name} is a checkpoint: it has its options, and takes no {asked[0]}")
        opened = open_checkpoint(folder, **options)
        record = opened.record
        if seed:
            raise MtbenchError(
                f"{name} was trained with seed {record['seed']} and draws nothing any more: leave out --seed {seed}"
            )
        shown = {**record["options"], "seed": record["seed"]}
        plugin = type(opened.model)
        return System(
            **{"name": record["model"], "plugin": plugin, "model": opened.model, "shown_options": shown},
            source_sha256=source_sha256(plugin),
            is_trained=True,
            checkpoints={folder: record},
            chosen_on_dev=record.get("chosen_on_dev", {}),
        )
    if is_run(name):
        if not Path(name).is_file():
            raise MtbenchError(f"{name} does not exist")
        if options:
            raise MtbenchError(f"{name} is a file of rankings: it has no options such as {next(iter(options))}")
        return System(Path(name).name, None, None, file_sha256(Path(name)), {})
    if not is_registered and Path(name).is_dir():
        raise MtbenchError(f"{name} is no checkpoint: it has no checkpoint.json. Make one: mtbench train --help")
    plugin = MODELS.get(name)
    must_be_trained(name, plugin)
    given = dict(options)
    if any(option.split("=")[0] == "seed" for option in known_options(plugin)):
        given.setdefault("seed", seed)
    model = construct(plugin, given, what=f"model {name!r}")
    check_model(model)
    below = {option: _parts_of(value) for option, value in given.items()}
    records = {path: read_record(path) for parts in below.values() for path in parts if isinstance(path, Path)}
    shown = dict(given)
    for option, parts in below.items():
        if any(part in records for part in parts):
            shown[option] = ",".join(records[part]["model"] if isinstance(part, Path) else part for part in parts)
    if records and "seed" not in shown:
        shown["seed"] = next(iter(records.values()))["seed"]
    return System(name, plugin, model, source_sha256(plugin), shown, checkpoints=records)


def must_be_trained(name: str, plugin: type) -> None:
    """Refuse a model with a network that is named instead of a checkpoint of it.

    It would be trained on the spot, without a word about what leaks from its training data.
    """
    if hasattr(plugin, "phases"):
        raise MtbenchError(
            f"{name} has to be trained before: mtbench train {name} --benchmark DIR. Then give the checkpoint instead"
        )


def _parts_of(value: object) -> list[str | Path]:
    """An option taken apart at its commas, as a list of models is; the folders of checkpoints among them as paths."""
    if is_checkpoint(str(value)):
        return [Path(str(value))]
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, (list, tuple)) else []
    names = [str(part).strip() for part in parts]
    for name in set(names) & set(MODELS.names()):
        must_be_trained(name, MODELS.get(name))
    return [Path(name) if name not in MODELS.names() and name and is_checkpoint(name) else name for name in names]
