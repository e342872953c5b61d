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
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import mtbench
from mtbench.core.errors import MtbenchError
from mtbench.core.files import atomic_folder, json_sha256, write_json
from mtbench.core.options import construct
from mtbench.core.registry import SIMULATORS
from mtbench.core.source import blame, library_sha256, source_sha256
from mtbench.data.benchmark import Benchmark
from mtbench.evaluation.inputs import DEFAULT_FEATURES, features_keys, features_of, option_files, words_of
from mtbench.evaluation.ready import catalogue_of, ready
from mtbench.evaluation.record import Phases, environment, plain
from mtbench.simulation.dialogue import Dialogues, Manner, converse, openings_of, untaught
from mtbench.simulation.measures import by_turn, summary
from mtbench.simulation.protocol import Simulator, World
from mtbench.simulation.saved import lines_of, write_lines, write_searched
from mtbench.simulation.world import world_of

SCHEMA = 2


@dataclass(frozen=True)
class SimulateSettings:
    """How to simulate.

    Attributes:
        simulator: a registered one, ``module:Class`` or ``file.py:Class``.
        dialogues: how many.
        manner: turns, patience, change of mind, seed.
        split: whose galleries are searched.
        features, words: what stands for the images, for the model.
        options: of the model, as typed.
        simulator_options: of the simulator, as typed.
    """

    simulator: str = "template"
    dialogues: int = 1000
    manner: Manner = field(default_factory=Manner)
    split: str = "test"
    features: str | None = None
    words: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    simulator_options: Mapping[str, str] = field(default_factory=dict)


def simulate(
    name: str, benchmark: Benchmark, out: Path, settings: SimulateSettings | None = None, *, progress: bool = False
) -> dict[str, Any]:
    """The record of one model with one user; read from ``out`` where the same simulation is there already.

    Raises:
        MtbenchError: no such model or simulator, options they do not take, a simulator that cannot speak here.
    """
    settings = settings or SimulateSettings()
    speaker, world, learned, user = talker(benchmark, settings, progress=progress)
    system = ready(
        name,
        benchmark,
        split=settings.split,
        features=settings.features,
        words=settings.words,
        options=settings.options,
        seed=settings.manner.seed,
        progress=progress,
    )
    features = system.asked.features(settings.features) or DEFAULT_FEATURES
    known_by = {
        **{"schema": SCHEMA, "model": system.asked.name, "options": system.asked.shown_options},
        **{"source_sha256": system.asked.source_sha256, "trained": system.asked.trained},
        "option_files": option_files(system.asked.shown_options),
        **{"benchmark": benchmark.name, "revision": benchmark.revision, "split": settings.split},
        **{"proxies": benchmark.manifest.get("proxies", {}), "truth": benchmark.manifest.get("truth")},
        **{"simulator": user, "dialogues": settings.dialogues, **asdict(settings.manner)},
        **{"features": features, "features_keys": features_keys(benchmark, features)},
        "words": system.catalogue.words,
        **{"mtbench": mtbench.__version__, "library_sha256": library_sha256()},
    }
    known_by = json.loads(json.dumps(known_by, default=str))
    key = json_sha256(known_by)
    folder = folder_of(out, {**known_by, "key": key})
    known = read_simulation(folder)
    if known is not None and known["key"] == key:
        return known
    taught = [(t.category, turn.target) for t in benchmark.transactions("train") for turn in t.turns]
    wanted = untaught(system.galleries, taught if settings.split != "train" else ())
    openings = openings_of(system.galleries, settings.dialogues, settings.manner.seed, wanted=wanted)
    with blame(system.asked.plugin, type(speaker)):
        found = converse(system.ranker(), openings, speaker, world, settings.manner, wanted=wanted, progress=progress)
    prefix = f"{settings.manner.seed}"
    saved = lines_of(found, prefix=prefix, split=settings.split)
    record = {
        "key": key,
        **known_by,
        "saved": len(saved),
        "proxy": system.catalogue.proxy,
        "galleries": {
            name: {"images": len(g), "sha256": g.sha256, "wanted": len(wanted[name])}
            for name, g in system.galleries.items()
        },
        "learned": learned,
        **summary(found, seed=settings.manner.seed),
        "environment": environment(),
    }
    with atomic_folder(folder, replaces="simulation.json") as temporary:
        write_lines(temporary / "dialogues.jsonl", saved)
        write_searched(temporary, system.galleries, benchmark.images)
        pq.write_table(_table(found), temporary / "turns.parquet", compression="zstd")
        write_json(temporary / "simulation.json", record)
    return record


def talker(
    benchmark: Benchmark, settings: SimulateSettings, *, progress: bool = False
) -> tuple[Simulator, World, dict[str, Any], dict[str, Any]]:
    """A simulator ready to speak, its world, what it learned, and what it is known by.

    Raises:
        MtbenchError: no such simulator, or options that it does not take.
    """
    plugin = SIMULATORS.get(settings.simulator)
    speaker = construct(plugin, dict(settings.simulator_options), what=f"simulator {settings.simulator!r}")
    if not hasattr(speaker, "say"):
        raise MtbenchError(f"{settings.simulator} is no simulator: it needs `say`")
    words = words_of(benchmark, None)
    stored = getattr(speaker, "features", "") or None
    catalogue = catalogue_of(
        benchmark, words, lambda: features_of(benchmark, stored, words, Phases(), progress=progress)
    )
    world = world_of(benchmark, catalogue, split=settings.split)
    learned: dict[str, Any] = {}
    if hasattr(speaker, "keeps"):  # what is learned is learned once
        speaker.keeps = benchmark.path / "simulators"
    if hasattr(speaker, "learn"):
        with blame(plugin):
            learned = plain(speaker.learn(world), "`learn`")
    if hasattr(speaker, "judge"):
        learned |= plain(speaker.judge(world), "`judge`")
    user = {
        "name": settings.simulator,
        "options": dict(settings.simulator_options),
        "option_files": option_files(settings.simulator_options),
        "source_sha256": source_sha256(plugin),
        "features": stored or DEFAULT_FEATURES,
        "features_keys": features_keys(benchmark, stored or DEFAULT_FEATURES),
        "words": words,
    }
    return speaker, world, learned, user


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
        if record["schema"] != SCHEMA:
            return None
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
