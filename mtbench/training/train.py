"""Train a model on a benchmark: `mtbench train`. The checkpoint says all that it depends on; a killed one goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from mtbench.core.errors import MtbenchError, unknown
from mtbench.core.files import check_folder, json_sha256
from mtbench.core.options import construct, options_of
from mtbench.core.registry import MODELS
from mtbench.core.source import blame, library_sha256, source_sha256
from mtbench.core.types import Transaction
from mtbench.data.benchmark import Benchmark
from mtbench.evaluation.inputs import DEFAULT_FEATURES, features_keys
from mtbench.evaluation.ranker import fold_of
from mtbench.evaluation.ready import catalogue_of_user, features_of_user, fold, galleries_of
from mtbench.evaluation.record import Phases, environment, plain
from mtbench.evaluation.system import NOT_OF_THE_MODEL
from mtbench.features.needs import need
from mtbench.models.checkpoint import is_checkpoint, read_record, whole_record, write_checkpoint
from mtbench.models.protocol import Catalogue
from mtbench.training.inherited import below_of, inputs_of, leak_with
from mtbench.training.leak import Policy, allowed
from mtbench.training.pairs import Pairs
from mtbench.users.protocol import Simulator

if TYPE_CHECKING:
    from mtbench.models.learning.learned import Learned

LEARNS_WITH = ("core", "chains", "data", "evaluation", "features", "models")
"""The parts of this package that a training depends on: evaluation, because scores on dev decide which epoch is kept.

An edit elsewhere makes no other checkpoint.
"""


@dataclass(frozen=True)
class TrainSettings:
    """How to train.

    Attributes:
        seed: of the model.
        options: of the model, as typed.
        preset: the name of other defaults; empty for the model's own.
        features, words: what stands for the images and texts, as for `mtbench evaluate`; None for those of the
            combiner given, else TF-IDF of all words.
        leaks: what to do with training data that leaks.
        clean: the kind of leak that counts.
        pairs: more to learn from, as `mtbench.training.pairs.pairs_of` finds it.
    """

    seed: int = 0
    options: Mapping[str, object] = field(default_factory=dict)
    preset: str = ""
    features: str | None = None
    words: str | None = None
    leaks: Policy = "refuse"
    clean: str = "edge"
    pairs: Pairs = field(default_factory=Pairs)


@runtime_checkable
class Talking(Protocol):
    """A model that learns from talking with a user.

    Attributes:
        user: who.
        keeps: a folder for what the user learns.
        around: what the user may look up.
    """

    keeps: Path | None
    around: Catalogue | None

    @property
    def user(self) -> Simulator: ...


@dataclass(frozen=True)
class Trained:
    """A checkpoint on disk.

    Attributes:
        path: its folder.
        record: what it says of itself.
        known: whether it was there before.
    """

    path: Path
    record: Mapping[str, Any]
    known: bool


def train(
    name: str, benchmark: Benchmark, out: Path, settings: TrainSettings | None = None, *, progress: bool = False
) -> Trained:
    """Train one model with one seed; read from ``out`` where the same training is done already, undamaged.

    A training that was killed goes on from the last epoch saved, in a hidden folder beside the checkpoint.

    Args:
        name: a registered model that learns.
        benchmark: what to learn from: its train part. Epochs and options are chosen on its dev part.
        out: folder of checkpoints; this one gets a folder of its own in it.
        settings: how.
        progress: show bars on stderr.

    Raises:
        MtbenchError: no such model or options; data that leaks; a loss that is no number, in which case the best
            weights before are kept as a checkpoint with the status ``diverged``, whose name ends in ``-diverged``.
        KeyboardInterrupt: with a message that says where the same training goes on.
    """
    settings = settings or TrainSettings()
    check_folder(out)
    plugin = learner(name)
    import torch

    from mtbench.models.learning.learned import summary
    from mtbench.models.learning.resume import Folder
    from mtbench.models.learning.trainer import DivergedError

    settings = _settled(settings)
    model = construct(plugin, _options(plugin, settings), what=f"model {name!r}")
    below = {option: Path(str(value)) for option, value in options_of(model).items() if _is_folder(value)}
    records = {option: read_record(path) for option, path in below.items()}
    phases = Phases()
    folders = {below[option]: record for option, record in records.items()}
    inputs = inputs_of(benchmark, settings.features, settings.words, folders, phases, progress=progress)
    catalogue = inputs.catalogue
    learned_from = allowed(benchmark, settings.pairs.transactions, policy=settings.leaks, kind=settings.clean)
    leak = leak_with(learned_from.leak, records.values())
    options = {k: v for k, v in options_of(model).items() if k not in (*NOT_OF_THE_MODEL, *below)}
    plain_options = plain(options, "the options")
    user: dict[str, Any] = {}
    if isinstance(model, Talking):  # it learns from talking, with the user that `mtbench simulate` would give it
        model.keeps = benchmark.path / "simulators"  # what the user learns is learned once
        model.around = catalogue_of_user(benchmark, model.user, progress=progress)
        user = {"user_features": features_keys(benchmark, features_of_user(model.user) or DEFAULT_FEATURES)}
    loop = model.trainer()
    known_by = {
        **{"model": name, "source_sha256": source_sha256(plugin), "options": plain_options, "preset": settings.preset},
        **{"benchmark": benchmark.name, "revision": benchmark.revision, "split": "test"},
        "words": inputs.words if benchmark.manifest.get("proxies") else "",  # of a benchmark without words
        **{
            "features_name": inputs.features,
            "features": catalogue.features.describe(),
            "seed": settings.seed,
            "leak": leak,
        },
        **{"pairs": settings.pairs.name, "learned_from": _content(learned_from.transactions)},
        **{"from": {option: record["weights_sha256"] for option, record in records.items()}},
        "below": below_of(records.values()),
        "computed": {
            **{"precision": loop.precision, "device": loop.device.partition(":")[0], "torch": torch.__version__},
        },
        "library_sha256": library_sha256(*LEARNS_WITH),
        **model.depends_on(),
        **user,
    }
    key = json_sha256(known_by)
    path = out / f"{name}-seed{settings.seed}-{key[:8]}"
    store = Folder(out / f".{path.name}", key)
    done = whole_record(path)
    if done is not None and done["key"] == key and done["status"] == "complete":
        store.drop()  # killed after the checkpoint was written
        return Trained(path, done, known=True)

    galleries, held = (galleries_of(benchmark, split) for split in ("train", "test"))
    train_fold = fold_of(learned_from.transactions, galleries, catalogue, held=held)
    dev = fold(benchmark, "dev", catalogue)

    def record_of(found: Mapping[str, Any], status: str) -> dict[str, Any]:
        return {
            **{"key": key, "status": status, **known_by, "inputs": model.inputs, "chosen_on_dev": summary(found)},
            **{"training": found, "seconds": phases.seconds, "environment": environment()},
        }

    trainer = model.trainer(store=store, progress=progress)
    try:
        with blame(plugin), phases.phase("train"):
            found = trainer.run(model.phases(train_fold, dev, catalogue))
    except DivergedError as error:
        if model.net is None or not error.phases:
            raise
        diverged = path.with_name(f"{path.name}-diverged")
        write_checkpoint(diverged, model, record_of(error.phases, "diverged"))
        raise MtbenchError(f"{error}. The best weights before that are in {diverged}") from error
    except KeyboardInterrupt as stopped:
        stopped.args = (f"{name}, seed {settings.seed}: {store.told()}",)
        raise
    write_checkpoint(path, model, record_of(found, "complete"))
    store.drop()
    return Trained(path, read_record(path), known=False)


def learner(name: str) -> type[Learned]:
    """The class of a registered model that learns.

    Raises:
        MtbenchError: there is none of this name, it has no network, or it is not registered; or a package is lacking.
    """
    plugin = MODELS.get(name)
    for package in ("torch", "safetensors"):
        need(package, extra="neural")
    from mtbench.models.learning.learned import Learned

    if not issubclass(plugin, Learned):
        raise MtbenchError(f"{name} has no network to train: mtbench evaluate {name} fits what there is to fit")
    if name not in MODELS.names():
        raise MtbenchError(
            f"{name} is not registered, and a checkpoint names a registered model, because the code of a file that it "
            'names is not run. Give it an entry point: [project.entry-points."mtbench.models"]'
        )
    return plugin


def _settled(settings: TrainSettings) -> TrainSettings:
    """The same with ``preset`` and ``seed`` in their own places, where they stood among the options."""
    options = dict(settings.options)
    preset = str(options.pop("preset", settings.preset))
    seed = options.pop("seed", settings.seed)
    if not isinstance(seed, int):
        try:
            seed = int(str(seed))
        except ValueError:
            raise MtbenchError(f"the seed must be a whole number, not {seed!r}") from None
    if seed < 0:
        raise MtbenchError(f"the seed must be 0 or more, not {seed}")
    return replace(settings, seed=seed, preset="" if preset == "default" else preset, options=options)


def _options(plugin: Any, settings: TrainSettings) -> dict[str, object]:
    """The preset's options, overridden by what was typed."""
    return {**preset_of(plugin, settings.preset), **settings.options, "seed": settings.seed}


def preset_of(plugin: Any, preset: str) -> Mapping[str, object]:
    """The options of a preset.

    Raises:
        MtbenchError: the model has none of this name.
    """
    presets: Mapping[str, Mapping[str, object]] = getattr(plugin, "PRESETS", {})
    if preset in ("", "default"):
        return {}
    if preset not in presets:
        raise unknown("preset", preset, ["default", *presets])
    return presets[preset]


def _is_folder(value: object) -> bool:
    return isinstance(value, (str, Path)) and str(value) != "" and is_checkpoint(str(value))


def _content(transactions: Sequence[Transaction]) -> str:
    """Hash of what is learned from."""
    rows = [[t.category, [[turn.reference, turn.feedback, turn.target] for turn in t.turns]] for t in transactions]
    return json_sha256(json.loads(json.dumps(rows)))
