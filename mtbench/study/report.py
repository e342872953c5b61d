"""What the answers say: preference rates, tests, agreement, and what may be claimed.

"Neither / cannot tell" is a choice: rates are shares of all answers, so that those of the models and of "neither" add
up to 1 where all models are shown at once; of the *decided* answers it is left out. A test counts final targets and
not answers: what participants say of all transactions that end in one target is one piece of evidence, for the model
that more of them took (``targets_first`` and ``targets_second`` count those targets). Who leaves early
unbalances the places, so it is counted where each model stood, and a test allows for it (`mtbench.study.places`).
"""

from __future__ import annotations

import sqlite3
import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import binomtest

from mtbench.core.errors import MtbenchError
from mtbench.evaluation.comparison.significance import holm
from mtbench.evaluation.statistics import bootstrap
from mtbench.study.agreement import fleiss, krippendorff, percent
from mtbench.study.claims import claims
from mtbench.study.design import Design
from mtbench.study.places import allowed_for, place_effect, stood
from mtbench.study.store import Answer, Store

Row = dict[str, Any]


def report(store: Store) -> Row:
    """All numbers of a study, as JSON.

    Raises:
        MtbenchError: the file cannot be read, or holds what this study cannot have taken.
    """
    try:
        return summary(store.design, store.answers(), store.participants())
    except sqlite3.Error as error:
        raise MtbenchError(f"{store.path} cannot be reported: {error}") from error


def summary(design: Design, answers: Sequence[Answer], participants: int = 0) -> Row:
    """The same, of answers at hand.

    Args:
        design: of the study.
        answers: at most one for each participant and question.
        participants: how many consented; those who answered count in any case.
    """
    by_person = Counter(answer.participant for answer in answers)
    seconds = [answer.seconds for answer in answers if answer.seconds is not None]
    by_place = place_effect(design, answers)
    found: Row = {
        "benchmark": design.about["benchmark"],
        "revision": design.about["revision"],
        "split": design.about["split"],
        "models": list(design.names),
        "results": list(design.keys),
        "way": design.way,
        "seed": design.seed,
        "questions": len(design.questions),
        "drawn": drawn(design),
        "participants": max(participants, len(by_person)),
        "answered": len(by_person),
        "finished": sum(count == len(design.questions) for count in by_person.values()),
        "answers": len(answers),
        "neither": sum(answer.choice is None for answer in answers),
        "median_seconds": statistics.median(seconds) if seconds else None,
        "rates": [_rate(design, answers, model) for model in range(len(design.names))],
        "pairs": _pairs(design, answers, by_place["counts"]),
        "stood": stood(design, answers),
        "places": by_place,
        "agreement": _agreement(design, answers),
    }
    found["claims"] = claims(found)
    return found


def drawn(design: Design) -> list[str]:
    """Where the questions come from, in sentences."""
    n, counts = design.transactions, design.counts
    pairs = len({q.models for q in design.questions}) if design.way == "pairwise" else 1
    of = f"{n:,} transactions" if pairs == 1 else f"{pairs} pairs of models on {n:,} transactions"
    kind = "three" if design.way == "three-way" else "two"
    asked, short = len(design.questions), len(design.questions) < design.asked
    lines = [
        f"{asked:,} question{'s' * (asked != 1)} of {kind} images each, drawn with seed {design.seed} among "
        f"{counts.get('different', 0):,} with different first images, of {of}."
        + f" {design.asked:,} were asked for; there are no more."
        * short
    ]
    left = [f"{counts[why]:,} {why}" for why in _LEFT_OUT if counts.get(why)]
    if left:
        lines.append(f"Left out: {', '.join(left)}.")
    lines.append("First images are the best that the dialogue has not shown: shown images were left out.")
    lines += [
        f"{name}: on {count:,} of its questions the first image has the same score as the second, so chance chose it."
        for name, count in design.tied.items()
        if count
    ]
    return lines


_LEFT_OUT = ("same image first", "look the same", "cannot be shown", "not ranked", "only shown images")


def _rate(design: Design, answers: Sequence[Answer], model: int) -> Row:
    """How often a model was taken where it was shown."""
    asked = [answer for answer in answers if model in design.questions[answer.question].models]
    took = [_taken(design, answer) for answer in asked]
    chosen = np.array([one == model for one in took], dtype=np.float64)
    decided = [at for at, one in enumerate(took) if one is not None]
    clusters = [design.questions[answer.question].cluster for answer in asked]
    people = [str(answer.participant) for answer in asked]
    rate, of_decided = _share(chosen, clusters), _share(chosen[decided], [clusters[at] for at in decided])
    return {
        "model": design.names[model],
        "n": len(asked),
        "chosen": int(chosen.sum()),
        "neither": len(asked) - len(decided),
        "rate": rate[0],
        "interval": rate[1],
        "decided_rate": of_decided[0],
        "decided_interval": of_decided[1],
        "participant_interval": _share(chosen, people)[1],
        "transactions": len({design.questions[answer.question].transaction_id for answer in asked}),
        "clusters": len(set(clusters)),
        "participants": len(set(people)),
    }


def _share(values: Any, clusters: Sequence[str]) -> tuple[float | None, list[float] | None]:
    """A mean and its 95% interval over clusters; none of one cluster, which tells nothing of how they vary."""
    if not len(values):
        return None, None
    if len(set(clusters)) < 2:
        return float(np.mean(values)), None
    found = bootstrap(values, clusters)
    return float(found.estimate[0]), [float(found.low[0]), float(found.high[0])]


def _pairs(design: Design, answers: Sequence[Answer], counts: Sequence[int]) -> list[Row]:
    """The sign test of each pair of models that were shown beside each other, with Holm's rule over the pairs.

    Args:
        design, answers: of the study.
        counts: how often each place was taken.
    """
    liked = sorted(range(len(counts)), key=lambda place: -counts[place])
    rows: list[Row] = []
    for one, two in combinations(range(len(design.names)), 2):
        beside = [a for a in answers if {one, two} <= set(design.questions[a.question].models)]
        if not any({one, two} <= set(question.models) for question in design.questions):
            continue
        votes: defaultdict[str, list[int]] = defaultdict(list)
        better: Counter[str] = Counter()
        for answer in beside:
            taken = _taken(design, answer)
            if taken in (one, two):
                question = design.questions[answer.question]
                votes[question.cluster].append(1 if taken == one else -1)
                at = [liked.index(answer.shown.index(question.models.index(model))) for model in (one, two)]
                better[question.cluster] += 1 if at[0] < at[1] else -1
        every: list[int] = [vote for of in votes.values() for vote in of]
        sums = [sum(of) for of in votes.values()]
        first, second = sum(total > 0 for total in sums), sum(total < 0 for total in sums)
        decides = [(sum(of) > 0, better[cluster]) for cluster, of in votes.items() if sum(of)]
        share = binomtest(first, first + second).proportion_ci() if first + second else None
        shares = _share(np.array([vote > 0 for vote in every], np.float64), [c for c, of in votes.items() for _ in of])
        rows.append(
            {
                "first": design.names[one],
                "second": design.names[two],
                "n": len(beside),
                "answers_first": every.count(1),
                "answers_second": every.count(-1),
                "answers_share_first": shares[0],
                "answers_interval": shares[1],
                "share_first": first / (first + second) if share else None,
                "interval": [float(share.low), float(share.high)] if share else None,
                "targets_first": first,
                "targets_second": second,
                "targets_tied": len(sums) - first - second,
                "better_place_first": sum(more > 0 for _, more in decides),
                "better_place_second": sum(more < 0 for _, more in decides),
                "p": _sign_test(first, second),
                "p_places": allowed_for(decides),
                "p_answers": _sign_test(every.count(1), every.count(-1)),
            }
        )
    for name, of in (("p_holm", "p"), ("p_places_holm", "p_places")):
        for row, adjusted in zip(rows, holm([float(row[of]) for row in rows]).tolist(), strict=True):
            row[name] = adjusted
    return rows


def _sign_test(first: int, second: int) -> float:
    """Two-sided and exact: were both as likely, how often would it come out as far from one half?"""
    return float(binomtest(first, first + second).pvalue) if first + second else 1.0


def _agreement(design: Design, answers: Sequence[Answer]) -> list[Row]:
    """Agreement on the questions of each set of models, which have the same choices."""
    by_person = Counter(answer.participant for answer in answers)
    complete = {person for person, count in by_person.items() if count == len(design.questions)}
    rows = []
    for models in dict.fromkeys(question.models for question in design.questions):
        said: dict[int, dict[int, int | None]] = {}
        for answer in answers:
            if design.questions[answer.question].models == models:
                said.setdefault(answer.question, {})[answer.participant] = answer.choice
        units = [list(of.values()) for of in said.values()]
        choices = [*range(len(models)), None]
        table = [[[of[who] for who in complete].count(choice) for choice in choices] for of in said.values()]
        rows.append(
            {
                "models": [design.names[model] for model in models],
                "shared_questions": sum(len(unit) > 1 for unit in units),
                "percent": percent(units),
                "krippendorff_alpha": krippendorff(units),
                "fleiss_kappa": fleiss(table) if len(complete) > 1 else None,
                "fleiss_raters": len(complete),
            }
        )
    return rows


def _taken(design: Design, answer: Answer) -> int | None:
    """The model that was taken, as its place in `Design.names`."""
    return None if answer.choice is None else design.questions[answer.question].models[answer.choice]
