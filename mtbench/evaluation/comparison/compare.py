"""Systems against each other on the same transactions: how far apart, how sure, and what may be claimed.

Everything is of one set of bootstrap samples, so that intervals of scores and of differences belong together.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtbench.core.errors import MtbenchError, unknown
from mtbench.evaluation.comparison.claims import claim, notes_on
from mtbench.evaluation.comparison.comparable import MEASURES
from mtbench.evaluation.comparison.sample import Sample, sample_of
from mtbench.evaluation.comparison.seeds import over_seeds, seed_sd
from mtbench.evaluation.comparison.significance import (
    holm,
    least_p,
    mcnemar,
    minimum_detectable_difference,
    paired_randomisation,
)
from mtbench.evaluation.comparison.systems import System
from mtbench.evaluation.statistics import Floats, resample, standard_error

ALPHA, POWER, LEVEL = 0.05, 0.8, 0.95


@dataclass(frozen=True)
class _Score:
    """A system's values, float64 (n, s) for s seeds, their means (s,), and its mean in each bootstrap sample."""

    system: System
    values: Floats
    means: Floats
    drawn: Floats

    @property
    def mean(self) -> float:
        return float(self.means.mean())


def compare(
    systems: Sequence[System],
    *,
    measure: str = "mean",
    part: str = "all",
    baseline: str | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> dict[str, Any]:
    """Every pair of systems, or each against a baseline: plain JSON, shares in 0..1, ``claim`` in words.

    A difference is a finding if its p, by randomisation and after Holm over all pairs, is below 0.05, and if its
    95% interval, which also knows of seeds, leaves out 0. The minimum detectable difference is that of a test at
    0.05 / (number of pairs), which is what the smallest p has to pass. It is None where it cannot be told: clusters are
    so few that no p can pass, or a category has one only.

    Args:
        systems: two or more, as `systems.group` makes them of `comparable.read_results`.
        measure: one of `comparable.MEASURES`, the one that the results were read for.
        part: ``all`` or a category, averaged as the headline is; or ``2-turns`` and so on, categories pooled, as in
            the tables of `mtbench evaluate`.
        baseline: the name of the system that each other one is compared with; None for all pairs.
        resamples: bootstrap samples, and the fewest sign patterns.
        seed: of both.

    Raises:
        MtbenchError: fewer than two systems, no such part or baseline.
    """
    names = [system.name for system in systems]
    if len(systems) < 2:
        raise MtbenchError(f"two systems are needed, and here is {', '.join(names) or 'none'} alone; give more results")
    if baseline is not None and baseline not in names:
        raise unknown("system", baseline, names)
    sample = sample_of(systems[0].results[0].values, part)
    scores = _scores(systems, measure, sample, resamples, seed)
    pairs = [
        (one, two)
        for one, two in itertools.combinations(scores, 2)
        if baseline is None or baseline in (one.system.name, two.system.name)
    ]
    if baseline is not None:  # always the other one minus the baseline
        pairs = [(two, one) if one.system.name == baseline else (one, two) for one, two in pairs]
    about = {name: systems[0].record[name] for name in ("benchmark", "revision", "split")}
    found = {
        **about,
        "part": part,
        "measure": measure,
        "averaged": sample.averaged,
        "n": int(sample.rows.sum()),
        "baseline": baseline,
        "level": LEVEL,
        "alpha": ALPHA,
        "power": POWER,
        "seed": seed,
        "systems": [_system(score) for score in scores],
        **_compared(pairs, measure, sample, resamples, seed),
    }
    too_few = _too_few(sample, len(pairs))
    comparisons = [
        {**pair, "claim": claim(pair, n=found["n"], m=len(pairs), too_few=too_few)} for pair in found["comparisons"]
    ]
    return {**found, "comparisons": comparisons, "notes": notes_on(systems)}


def _scores(systems: Sequence[System], measure: str, sample: Sample, resamples: int, seed: int) -> list[_Score]:
    """The scores of all systems over the same samples, the best first."""
    values = [
        np.column_stack([result.values.measures[measure][sample.rows] for result in system.results])
        for system in systems
    ]
    found = resample(np.column_stack(values), sample.clusters, groups=sample.groups, resamples=resamples, seed=seed)
    ends = np.cumsum([columns.shape[1] for columns in values])
    scores = []
    for system, columns, end in zip(systems, values, ends, strict=True):
        own = slice(end - columns.shape[1], end)
        drawn = over_seeds(found.drawn[:, own], seed=[seed, int(system.key, 16)])  # whatever it is compared with
        scores.append(_Score(system, columns, found.estimate[own], drawn))
    return sorted(scores, key=lambda score: (-score.mean, score.system.name))


def _compared(
    pairs: Sequence[tuple[_Score, _Score]], measure: str, sample: Sample, resamples: int, seed: int
) -> dict[str, Any]:
    """Every test of every pair, all pairs under the same signs."""
    differences = np.column_stack([one.values.mean(axis=1) - two.values.mean(axis=1) for one, two in pairs])
    differences[np.abs(differences) < 1e-12] = 0  # means over seeds round
    test = paired_randomisation(
        differences,
        sample.clusters,
        groups=sample.groups,
        resamples=max(resamples, 200 * len(pairs)),  # with fewer, Holm's rule could call nothing a finding
        seed=seed,
    )
    adjusted, errors = holm(test.p), standard_error(differences, sample.clusters, groups=sample.groups)
    comparisons = []
    for k, (one, two) in enumerate(pairs):
        error = np.sqrt(errors[k] ** 2 + _of_seeds(one) + _of_seeds(two))
        detectable = float(minimum_detectable_difference(error, alpha=ALPHA / len(pairs), power=POWER))
        untold = np.isnan(detectable) or _too_few(sample, len(pairs))
        low, high = np.quantile(one.drawn - two.drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
        holds = bool(adjusted[k] < ALPHA and (low > 0 or high < 0))
        comparisons.append(
            {
                "first": one.system.name,
                "second": two.system.name,
                "difference": one.mean - two.mean,
                "interval": [low, high],
                "p": float(test.p[k]),
                "p_holm": float(adjusted[k]),
                "minimum_detectable_difference": None if untold else detectable,
                "mcnemar": _mcnemar(one, two, measure, sample),
                "equal": not differences[:, k].any(),
                "better": None if not holds else one.system.name if one.mean > two.mean else two.system.name,
                "seeds": [len(one.system.seeds), len(two.system.seeds)],
                "proxies": [one.system.record["proxy"], two.system.record["proxy"]],
            }
        )
    return {
        "clusters": sample.n_clusters,
        "sign_patterns": test.patterns,
        "exact": test.exact,
        "comparisons": comparisons,
    }


def _too_few(sample: Sample, pairs: int) -> bool:
    """Whether there are too few clusters for any difference to be a finding, after Holm over so many pairs."""
    return least_p(sample.n_clusters) * pairs >= ALPHA


def _of_seeds(score: _Score) -> float:
    """Variance of a system's mean that comes of its seeds; with one seed unknown, and left out."""
    return 0.0 if (sd := seed_sd(score.means)) is None else sd**2 / len(score.means)


def _mcnemar(one: _Score, two: _Score, measure: str, sample: Sample) -> dict[str, dict[str, Any]]:
    """By R@K; empty where hits are means over seeds, which the test does not know."""
    runs = one.system.results + two.system.results
    if len(runs) > 2:
        return {}
    return {k: vars(mcnemar(*(run.values.measures[k][sample.rows] for run in runs))) for k in MEASURES[measure]}


def _system(score: _Score) -> dict[str, Any]:
    system, record = score.system, score.system.record
    shares = np.clip(score.drawn, 0, 1)  # a few seeds, widened, may reach beyond what a share can be
    low, high = np.quantile(shares, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    means = zip(system.results, score.means.tolist(), strict=True)
    return {
        "name": system.name,
        **{name: record[name] for name in ("model", "options", "proxy")},
        "features": None if record["features"] is None else record["features"]["name"],
        "results": [str(result.folder) for result in system.results],
        "estimate": score.mean,
        "interval": [low, high],
        "by_seed": {result.seed: mean for result, mean in means if result.seed},
        "sd_between_seeds": seed_sd(score.means),
    }
