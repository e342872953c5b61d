"""Which of two models is better with the same users? Paired, because all models meet the same targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from mtbench.evaluation.comparison.seeds import over_seeds
from mtbench.evaluation.comparison.significance import holm, paired_randomisation
from mtbench.evaluation.statistics import Floats, resample

PATTERNS = 10_000


def percentiles(folder: Path, record: Mapping[str, Any]) -> tuple[Floats, list[str]]:
    """The rank percentile in each dialogue after each turn, float64 (n, T), and what was wanted at first.

    As in `mtbench.simulation.measures`: 1 once the target was shown, and as it was for whoever left.

    Args:
        folder: of a simulation.
        record: of it.
    """
    rows = pq.read_table(folder / "turns.parquet").to_pylist()
    values = np.ones((record["n"], record["turns"]))
    targets = [""] * record["n"]
    for row in rows:  # turn after turn: what is known last also stands for what was not spoken
        values[row["dialogue"], row["turn"] - 1 :] = row["percentile"]
        values[row["dialogue"], row["turn"] :] = 1.0 if row["next"] == row["target"] else row["percentile"]
        if row["turn"] == 1:
            targets[row["dialogue"]] = f"{row['category']}\t{row['target']}"
    return values, targets


def differences(pairs: Sequence[tuple[Floats, Floats]], targets: Sequence[str]) -> list[dict[str, Any]]:
    """The first less the second: mean ``gain``, its 95% ``interval``, ``p``, and ``p_holm`` over all pairs.

    The interval is a bootstrap over targets and seeds, p that of a randomisation test by targets (see
    `mtbench.evaluation.comparison`), which holds the seeds fixed. Of one target there is no interval: None
    for both ends.

    Args:
        pairs: values of each dialogue by seed, (n, s). Seeds of a pair are matched where both have as many.
        targets: of each dialogue, (n,), the same for all.
    """
    gains = []
    for first, second in pairs:
        gain = first - (second if first.shape == second.shape else second.mean(axis=1, keepdims=True))
        gains.append(np.where(np.abs(gain) < 1e-12, 0, gain))  # means over seeds round
    test = paired_randomisation(
        np.column_stack([gain.mean(axis=1) for gain in gains]),
        targets,
        resamples=max(PATTERNS, 200 * len(pairs)),  # with fewer, Holm's rule could call nothing a finding
    )
    found = []
    for number, (gain, p, adjusted) in enumerate(zip(gains, test.p.tolist(), holm(test.p).tolist(), strict=True)):
        drawn = over_seeds(resample(gain, targets).drawn, seed=[number, 1])  # other draws than those of targets
        interval = np.quantile(drawn, [0.025, 0.975]).tolist() if len(set(targets)) > 1 else [None, None]
        found.append({"gain": float(gain.mean()), "interval": interval, "p": p, "p_holm": adjusted})
    return found


def against_first(records: Sequence[tuple[Path, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """After the last turn, every model less the first one that met the same user. Plain JSON.

    Args:
        records: folders and records of `mtbench.simulation.simulate.simulate` about the same dialogues.
    """
    first: dict[str, tuple[str, Floats]] = {}
    about, pairs, targets = [], [], [""]
    for folder, record in records:
        values, targets = percentiles(folder, record)
        user, last = record["simulator"]["name"], values[:, -1:]
        if user not in first:
            first[user] = record["model"], last
            continue
        about.append({"simulator": user, "model": record["model"], "over": first[user][0]})
        pairs.append((last, first[user][1]))
    if not pairs:
        return []
    return [{**one, **told} for one, told in zip(about, differences(pairs, targets), strict=True)]
