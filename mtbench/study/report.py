"""What the answers say: preference rates, tests, agreement, and what may be claimed.

"Neither / cannot tell" is a choice: rates are shares of all answers, so that those of the models and of "neither" add
up to 1 where all models are shown at once; of the *decided* answers it is left out. A test counts final targets and
not answers: what participants say of all transactions that end in one target is one piece of evidence, for the model
that more of them took (``targets_first`` and ``targets_second`` count those targets). Who leaves early unbalances the
places, so it is counted where each model stood, and a test allows for it (`mtbench.study.places`).
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
from mtbench.study.design import Design, drawn
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
    beside = sorted({pair for question in design.questions for pair in combinations(sorted(question.models), 2)})
    rows = [_pair(design, answers, *pair, liked) for pair in beside]
    for name, of in (("p_holm", "p"), ("p_places_holm", "p_places")):
        for row, adjusted in zip(rows, holm([row[of] for row in rows]).tolist(), strict=True):
            row[name] = adjusted
    return rows


def _pair(design: Design, answers: Sequence[Answer], one: int, two: int, liked: Sequence[int]) -> Row:
    """What was said where two models stood side by side; ``liked`` has the places that were taken most often first."""
    beside = [answer for answer in answers if {one, two} <= set(design.questions[answer.question].models)]
    votes: defaultdict[str, list[int]] = defaultdict(list)
    better: Counter[str] = Counter()
    for answer in beside:
        taken = _taken(design, answer)
        if taken in (one, two):
            question = design.questions[answer.question]
            votes[question.cluster].append(1 if taken == one else -1)
            at = [liked.index(answer.shown.index(question.models.index(model))) for model in (one, two)]
            better[question.cluster] += 1 if at[0] < at[1] else -1
    every = [vote for of in votes.values() for vote in of]
    answers_share = _share(np.array(every) > 0, [cluster for cluster, of in votes.items() for _ in of])
    sums = {cluster: sum(of) for cluster, of in votes.items()}
    decides = [(total > 0, better[cluster]) for cluster, total in sums.items() if total]
    first = sum(won for won, _ in decides)
    second = len(decides) - first
    share = binomtest(first, len(decides)).proportion_ci() if decides else None
    return {
        "first": design.names[one],
        "second": design.names[two],
        "n": len(beside),
        "answers_first": every.count(1),
        "answers_second": every.count(-1),
        "answers_share_first": answers_share[0],
        "answers_interval": answers_share[1],
        "share_first": first / len(decides) if decides else None,
        "interval": [float(share.low), float(share.high)] if share else None,
        "targets_first": first,
        "targets_second": second,
        "targets_tied": len(sums) - len(decides),
        "better_place_first": sum(more > 0 for _, more in decides),
        "better_place_second": sum(more < 0 for _, more in decides),
        "p": _sign_test(first, second),
        "p_places": allowed_for(decides),
        "p_answers": _sign_test(every.count(1), every.count(-1)),
    }


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
