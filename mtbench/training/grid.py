"""The grid of a sweep: which options take which values with which seeds, checked before anything is trained."""

from __future__ import annotations

import difflib
import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mtbench.core.errors import MtbenchError, Problems, RefusedError
from mtbench.core.options import construct, known_options, options_of
from mtbench.evaluation.system import NOT_OF_THE_MODEL
from mtbench.training.train import learner, preset_of

COMBINER = "combiner"
"""The option that names a trained single-turn model, and the name of that model."""

MOST = 500
"""Trainings in a grid that is not asked for twice."""

SEED = "{seed}"
"""Stands for the seed in the value of an option."""


@dataclass(frozen=True)
class Grid:
    """Every combination of some values, with every seed.

    Attributes:
        model: its name.
        axes: the values of each swept option, typed, in the order in which they were given.
        fixed: the options that all have in common, as typed.
        preset: the name of the other defaults.
        seeds: of the trainings.
        shares: whether one combiner for each seed is trained first, for all combinations.
    """

    model: str
    axes: Mapping[str, tuple[Any, ...]]
    fixed: Mapping[str, object]
    preset: str
    seeds: tuple[int, ...]
    shares: bool

    @property
    def combinations(self) -> list[dict[str, Any]]:
        """The values of the swept options, the last one changing fastest."""
        return [dict(zip(self.axes, values, strict=True)) for values in itertools.product(*self.axes.values())]

    def options(self, combination: Mapping[str, Any], seed: int) -> tuple[str, dict[str, Any]]:
        """The preset of one training, and its options as JSON."""
        options = {name: of_seed(value, seed) for name, value in {**self.fixed, **combination}.items()}
        return str(options.pop("preset", self.preset)), options


def grid_of(
    model: str,
    over: Sequence[str],
    *,
    fixed: Mapping[str, object],
    seeds: Sequence[int] = (0,),
    preset: str = "",
    large: bool = False,
) -> Grid:
    """The grid that ``NAME=V1,V2,...`` span.

    Args:
        model: a registered model that learns.
        over: an option and its values each; ``preset`` may be one.
        fixed: the options that all have in common, as typed.
        seeds: of the trainings; doubles count once.
        preset: the name of other defaults.
        large: whether more than `MOST` trainings are meant.

    Raises:
        MtbenchError: everything that is wrong with it, as far as it can be told at once.
    """
    plugin = learner(model)
    known = {option.partition("=")[0] for option in known_options(plugin)}
    problems = Problems(f"cannot sweep {model}", hint=f"Options: {', '.join(known_options(plugin))}")
    if not over:
        problems.add("--over", "name an option and its values, such as --over width=50,100")
    if not seeds or min(seeds) < 0:
        problems.add("--seed", f"must be 0 or more, not {min(seeds, default='nothing')}")
    axes: dict[str, tuple[Any, ...]] = {}
    for text in over:
        name, equals, listed = text.partition("=")
        name = name.strip().replace("-", "_")
        if not (name and equals):
            problems.add("--over", f"{text!r} must be NAME=V1,V2,..., such as width=50,100")
        elif name in axes:
            problems.add(f"--over {name}", "is given twice; list all its values once")
        elif name in fixed:
            problems.add(f"--over {name}", f"is set too, to {fixed[name]}; drop one of the two")
        elif wrong := _refused(name, {*known, "preset"}):
            problems.add(f"--over {name}", wrong)
        else:
            axes[name] = _values(plugin, name, listed, problems)
    for name, value in fixed.items():
        if wrong := _refused(name, {*known, "preset"}) if name not in NOT_OF_THE_MODEL else "":
            problems.add(f"--set {name}", wrong)
        else:
            _typed(plugin, name, value, problems, where=f"--set {name}")
    _typed(plugin, "preset", preset, problems, where="--preset")
    problems.raise_if_any()
    shares = COMBINER in known and COMBINER not in {**axes, **fixed}
    grid = Grid(model, axes, dict(fixed), preset, tuple(dict.fromkeys(seeds)), shares)
    n = math.prod(map(len, axes.values())) * len(grid.seeds)
    if n > MOST and not large:
        sizes = " x ".join(f"{len(values)} {name}" for name, values in axes.items())
        raise MtbenchError(
            f"this grid is {sizes} x {len(grid.seeds)} seeds = {n:,} trainings, more than {MOST}. Add --yes if they "
            "are meant"
        )
    _try_all(plugin, grid, problems)
    return grid


def label(combination: Mapping[str, Any]) -> str:
    """A combination in words: ``stages=4, rows=8``."""
    return ", ".join(f"{name}={value}" for name, value in combination.items())


def _refused(name: str, known: set[str]) -> str:
    """Why an option cannot be swept; empty where it can."""
    if name == "seed":
        return "give each seed with --seed"
    if name in NOT_OF_THE_MODEL:
        return "says where to compute, and changes no result; give it with --set"
    if name in known:
        return ""
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f"no such option.{f' Did you mean {near[0]!r}?' if near else ''}"


def _values(plugin: Any, name: str, listed: str, problems: Problems) -> tuple[Any, ...]:
    """The values of one option, typed; what is wrong with them goes to ``problems``."""
    where = f"--over {name}"
    texts = [text.strip() for text in listed.split(",")]
    if not any(texts):
        problems.add(where, "has no values")
        return ()
    if not all(texts):
        problems.add(where, f"a value is empty in {listed!r}")
    typed = [value for text in texts if text for value in _typed(plugin, name, text, problems, where=where)]
    counts = Counter(map(str, typed))
    for value in (value for value, count in counts.items() if count > 1):
        problems.add(where, f"{value} is there twice")
    return tuple(typed)


def _typed(plugin: Any, name: str, value: object, problems: Problems, *, where: str) -> list[Any]:
    """The value as the model gets it, in JSON; nothing but a problem where it does not take it."""
    try:
        if name == "preset":
            preset_of(plugin, str(value))
            return [value]
        return [options_of(construct(plugin, {name: value}, what="it")).get(name, value)]
    except MtbenchError as error:
        if isinstance(error, RefusedError):
            return [value]  # it may hang on other options: each combination is tried
        problems.add(where, _first(error).removeprefix(f"{name}: "))
        return []


def _try_all(plugin: Any, grid: Grid, problems: Problems) -> None:
    """Make the model of every combination, without a network; what is refused for all of them is told once."""
    wrong = {}
    for combination in grid.combinations:
        preset, options = grid.options(combination, grid.seeds[0])
        try:
            construct(plugin, {**preset_of(plugin, preset), **options}, what="it")
        except MtbenchError as error:
            wrong[label(combination)] = _first(error)
    if len(wrong) == len(grid.combinations) > len(set(wrong.values())) == 1:
        wrong = {"every combination": next(iter(wrong.values()))}
    for name, what in wrong.items():
        problems.add(name, what)
    problems.raise_if_any()


def _first(error: MtbenchError) -> str:
    """The first problem of one `construct`, without what it is about."""
    lines = str(error).splitlines()
    found = lines[0] if not lines[0].endswith("problems") else lines[1].strip()
    return found.removeprefix("it: ")


def of_seed(value: Any, seed: int) -> Any:
    """A value with the seed in it."""
    return value.replace(SEED, str(seed)) if isinstance(value, str) else value
