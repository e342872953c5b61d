"""Closed-loop evaluation: one model with one simulated user, a result on disk that others can check.

=======================  ======================================================================================
``simulation.json``      what talked to whom, on what, with which seeds, and every aggregate
``dialogues.jsonl``      the dialogues as transactions (see `mtbench.simulation.saved`)
``candidates.json``      the images that were searched, by category, for `mtbench build dialogues --candidates`
``image_captions.json``  their captions, where they have any, for its `--image-captions`
``turns.parquet``        per dialogue and turn: what was wanted, shown and said, and where the target stood
=======================  ======================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mtbench.core.errors import MtbenchError
from mtbench.core.files import atomic_folder, json_sha256, write_json
from mtbench.core.registry import SIMULATORS
from mtbench.core.source import blame, source_sha256
from mtbench.data.benchmark import Benchmark
from mtbench.evaluation.inputs import DEFAULT_FEATURES, features_keys, known_by, option_files, words_of
from mtbench.evaluation.ready import catalogue_of_user, features_of_user, made_ready, opened
from mtbench.evaluation.record import environment, plain
from mtbench.evaluation.system import System
from mtbench.simulation.dialogue import Dialogues, Manner, converse, openings_of, untaught
from mtbench.simulation.measures import by_turn, summary
from mtbench.simulation.saved import lines_of, write_lines, write_searched
from mtbench.simulation.spoken import judge
from mtbench.simulation.world import world_of
from mtbench.users.made import parted, taught, user_of
from mtbench.users.protocol import Simulator, World

SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class SimulateSettings:
    """How to simulate.

    Attributes:
        simulator: a registered one, ``module:Class`` or ``file.py:Class``, with options: ``attributes,n=1``.
        dialogues: how many.
        manner: turns, patience, change of mind, seed.
        split: whose galleries are searched.
        features, words: what stands for the images, for the model.
        options: of the model, as typed.
    """

    simulator: str = "template"
    dialogues: int = 1000
    manner: Manner = field(default_factory=Manner)
    split: str = "test"
    features: str | None = None
    words: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Talker:
    """A user who can speak.

    Attributes:
        user: who.
        world: what it knows.
        learned: what it learned, and what that is worth.
    """

    user: Simulator
    world: World
    learned: Mapping[str, Any]


def simulate(
    name: str,
    benchmark: Benchmark,
    out: Path,
    settings: SimulateSettings | None = None,
    *,
    talk: Callable[[], Talker] | None = None,
    progress: bool = False,
) -> dict[str, Any]:
    """The record of one model with one user; read from ``out`` where the same simulation is there already.

    Args:
        name: a model, as `mtbench.evaluation.ready.ready` takes it.
        benchmark: where the dialogues take place.
        out: a folder with a folder for each simulation.
        settings: how.
        talk: makes the user of the settings, for several models that talk with the same one; see `talker`.
        progress: show bars.

    Raises:
        MtbenchError: no such model or simulator, options they do not take, a simulator that cannot speak here.
    """
    settings = settings or SimulateSettings()
    asked = opened(name, settings.options, settings.manner.seed)
    known_by = identity(asked, benchmark, settings)
    key = json_sha256(known_by)
    folder = folder_of(out, {**known_by, "key": key})
    if (known := read_simulation(folder)) is not None and known["key"] == key:
        return known
    speaker = talk() if talk else talker(benchmark, settings, progress=progress)
    system = made_ready(
        asked,
        benchmark,
        split=settings.split,
        features=settings.features,
        words=settings.words,
        progress=progress,
    )
    taken = [(t.category, turn.target) for t in benchmark.transactions("train") for turn in t.turns]
    wanted = untaught(system.galleries, taken if settings.split != "train" else ())
    taught_whole = [
        name for name, g in system.galleries.items() if {(name, image) for image in g.image_ids} <= {*taken}
    ]
    openings = openings_of(system.galleries, settings.dialogues, settings.manner.seed, wanted=wanted)
    with blame(asked.plugin):
        found = converse(
            *(system.ranker(), openings, speaker.user, speaker.world, settings.manner),
            wanted=wanted,
            progress=progress,
        )
    saved = lines_of(found, prefix=f"{settings.manner.seed}", split=settings.split)
    record = {
        "key": key,
        **known_by,
        "saved": len(saved),
        "proxy": system.catalogue.proxy,
        "galleries": {
            name: {"images": len(g), "sha256": g.sha256, "wanted": len(wanted[name])}
            for name, g in system.galleries.items()
        },
        "taught_whole": taught_whole if settings.split != "train" else [],
        "chosen": system.chosen,
        "learned": speaker.learned,
        **summary(found, seed=settings.manner.seed),
        "environment": environment(),
    }
    with atomic_folder(folder, replaces="simulation.json") as temporary:
        write_lines(temporary / "dialogues.jsonl", saved)
        write_searched(temporary, system.galleries, benchmark.images)
        pq.write_table(_table(found), temporary / "turns.parquet", compression="zstd")
        write_json(temporary / "simulation.json", record)
    return record


def identity(asked: System, benchmark: Benchmark, settings: SimulateSettings) -> dict[str, Any]:
    """All that a simulation depends on: what has the same identity need not be run again."""
    words = words_of(benchmark, asked.words(settings.words))
    found = {
        "schema_version": SCHEMA_VERSION,
        **known_by(asked, benchmark, settings.split, asked.features(settings.features), words),
        "simulator": _identity_of(settings.simulator, benchmark),
        "dialogues": settings.dialogues,
        **asdict(settings.manner),
    }
    plain: dict[str, Any] = json.loads(json.dumps(found, default=str))
    return plain


def _identity_of(simulator: str, benchmark: Benchmark) -> dict[str, Any]:
    """What a user is known by."""
    name, options = parted(simulator)
    features = features_of_user(user_of(simulator)) or DEFAULT_FEATURES
    return {
        "name": name,
        "options": options,
        "option_files": option_files(options),
        "source_sha256": source_sha256(SIMULATORS.get(name)),
        "features": features,
        "features_keys": features_keys(benchmark, features),
        "words": words_of(benchmark, None),
    }


def talker(benchmark: Benchmark, settings: SimulateSettings, *, progress: bool = False) -> Talker:
    """A user ready to speak: it has learned what it learns.

    Raises:
        MtbenchError: no such simulator, options that it does not take, or a benchmark that it cannot learn from.
    """
    user = user_of(settings.simulator)
    world = world_of(benchmark, catalogue_of_user(benchmark, user, progress=progress), split=settings.split)
    learned = plain(taught(user, world, keeps=benchmark.path / "simulators"), "`learn`")
    if getattr(user, "judged", False):
        learned = {**learned, **judge(user, world)}
    return Talker(user, world, learned)


def folder_of(out: Path, record: Mapping[str, Any]) -> Path:
    """Where a simulation lies among others."""
    return out / f"{_slug(record['model'])}-{_slug(record['simulator']['name'])}-{record['key'][:8]}"


def read_simulation(folder: Path) -> dict[str, Any] | None:
    """The record of a simulation; None where there is none.

    Raises:
        MtbenchError: the file is there and is none.
    """
    path = folder / "simulation.json"
    if not path.is_file():
        return None
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        _ = record["key"], record["rows"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise MtbenchError(f"{path} is no simulation ({error!r}); remove the folder and run again") from error
    return record


def _table(found: Dialogues) -> pa.Table:
    """A row for each turn that was spoken."""
    ranks, columns = by_turn(found)["percentile"], []
    for row, opening in enumerate(found.openings):
        for turn in range(int(found.lengths[row])):
            columns.append(
                {
                    **{"dialogue": row, "turn": turn + 1, "category": opening.category},
                    **{"target": found.targets[row, turn], "shown": found.shown[row][turn]},
                    **{"feedback": found.said[row][turn], "next": found.shown[row][turn + 1]},
                    **{"above": int(found.greater[row, turn]), "tied": int(found.equal[row, turn])},
                    "percentile": float(ranks[row, turn]),
                }
            )
    return pa.Table.from_pylist(columns)


def _slug(name: str) -> str:
    last = Path(name).name.rpartition(":")[2]
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in last)
