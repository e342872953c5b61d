"""What each model would show next, and which transactions people can be asked about at all.

A ranking keeps the images of its own dialogue, and some models put the very image first that the user has just turned
down. The first image here is the best that the dialogue has not shown: people judge what a model finds, and cannot tell
models apart by their repeating themselves. `mtbench chat` and `mtbench simulate` leave out the same images.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mtbench.core.errors import MtbenchError
from mtbench.core.types import Transaction
from mtbench.evaluation.comparison.comparable import Result
from mtbench.study.design import PAIRWISE, Design, Question

Look = Callable[[str], "Hashable | None"]
"""What people see of an image by id; None where there is nothing to see. Two that look alike are one choice."""


@dataclass(frozen=True)
class Tops:
    """The first image of each transaction, in one result.

    Attributes:
        first: by transaction.
        tied: transactions whose second candidate has the same score, so that the first is one of several.
        used_up: transactions whose ranking, as far as it was written, holds nothing but what was shown.
    """

    first: Mapping[str, str]
    tied: frozenset[str]
    used_up: frozenset[str] = frozenset()


def shown_in(transactions: Iterable[Transaction]) -> dict[str, frozenset[str]]:
    """The images that each dialogue has shown, by transaction: what users have seen and want otherwise."""
    return {t.transaction_id: frozenset(turn.reference for turn in t.turns) for t in transactions}


def read_tops(folder: Path, shown: Mapping[str, Collection[str]]) -> Tops:
    """The first images of a result, from the run that was written.

    Args:
        folder: of the result.
        shown: by transaction, the images to leave out (`shown_in`).

    Raises:
        MtbenchError: there is no such file, or it is not what `mtbench evaluate` writes.
    """
    path = folder / "run.parquet"
    columns = ["transaction_id", "image_id", "rank", "score"]
    try:
        # Among one more than were shown there is one that was not, and the one after it tells of a tie.
        depth = 2 + max(map(len, shown.values()), default=0)
        rows = pq.read_table(path, columns=columns, filters=[("rank", "<=", depth)]).to_pylist()
        ranked: dict[str, list[tuple[str, float]]] = {}
        for row in sorted(rows, key=lambda row: int(row["rank"])):
            ranked.setdefault(str(row["transaction_id"]), []).append((str(row["image_id"]), row["score"]))
    except (OSError, ValueError, TypeError, KeyError, pa.ArrowException) as error:
        what = "is not as mtbench evaluate writes it" if path.exists() else "is not there"
        raise MtbenchError(f"{path} {what}; remove the folder and evaluate again") from error
    new = {name: [one for one in of if one[0] not in shown.get(name, ())] for name, of in ranked.items()}
    return Tops(
        {name: of[0][0] for name, of in new.items() if of},
        frozenset(name for name, of in new.items() if len(of) > 1 and of[0][1] == of[1][1]),
        frozenset(name for name, of in new.items() if not of),
    )


def draw(
    results: Sequence[Result],
    tops: Sequence[Tops],
    look: Look,
    about: Mapping[str, Any],
    *,
    names: Sequence[str],
    count: int = 50,
    seed: int = 0,
    way: str,
) -> Design:
    """Draw the questions: with pairwise choices the pairs of models take turns.

    A transaction is drawn at most once while others are left, in the order of a hash of seed and id.

    Args:
        results, tops, names: of the models, in one order.
        look: see `Look`. What is drawn and then cannot be shown is left out, and counted.
        about: benchmark, revision and split, kept with the design.
        count: how many questions.
        seed: of the draw, and of every participant's order.
        way: one of `mtbench.study.design.WAYS`.

    Raises:
        MtbenchError: there is nothing to ask.
    """
    models = range(len(results))
    groups = list(combinations(models, 2)) if way == PAIRWISE else [tuple(models)]
    ids, ends = map(str, results[0].values.ids), map(str, results[0].values.clusters)
    order = sorted(zip(ids, ends, strict=True), key=lambda pair: hashlib.sha256(f"{seed}\t{pair[0]}".encode()).digest())
    clusters = dict(order)
    counts: Counter[str] = Counter()
    used: set[str] = set()
    streams = [_new_first(_askable(group, clusters, tops, look, counts), used) for group in groups]
    questions = tuple(islice(_in_turns(streams), count))
    if not questions:
        raise MtbenchError(
            "nothing to ask: on every transaction the first images of these models are the same, look the same, or "
            f"cannot be shown ({', '.join(f'{n:,} {why}' for why, n in sorted(counts.items())) or 'no rankings'})"
            + ("; --pairwise asks about two at a time" if way != PAIRWISE else "")
        )
    tied = {
        names[model]: sum(q.transaction_id in tops[model].tied for q in questions if model in q.models)
        for model in models
    }
    keys = [str(result.record["key"]) for result in results]
    return Design(
        *(tuple(names), tuple(keys), way, seed, count, questions, dict(about), len(clusters), dict(counts), tied)
    )


def _in_turns(streams: Sequence[Iterator[Question]]) -> Iterator[Question]:
    """One of each in turn, as long as any has one; none is taken before its turn."""
    left = list(streams)
    while left:
        for stream in tuple(left):
            question = next(stream, None)
            if question is None:
                left.remove(stream)
            else:
                yield question


def _new_first(questions: Iterator[Question], used: set[str]) -> Iterator[Question]:
    """The questions about transactions that no pair of models has used, and then the others."""
    again = []
    for question in questions:
        if question.transaction_id in used:
            again.append(question)
        else:
            used.add(question.transaction_id)
            yield question
    yield from again


def _askable(
    group: tuple[int, ...], clusters: Mapping[str, str], tops: Sequence[Tops], look: Look, counts: Counter[str]
) -> Iterator[Question]:
    """The transactions on which a group of models put different images first, and images that can be shown.

    What is different is counted at once; what cannot be shown is found, and counted, as far as questions are drawn.
    """
    differ = []
    for name, cluster in clusters.items():
        images = tuple(tops[model].first.get(name, "") for model in group)
        if any(name in tops[model].used_up for model in group):
            counts["only shown images"] += 1
        elif not all(images):
            counts["not ranked"] += 1
        elif len(set(images)) < len(images):
            counts["same image first"] += 1
        else:
            differ.append(Question(name, cluster, group, images))
    counts["different"] += len(differ)

    def asked() -> Iterator[Question]:
        for question in differ:
            looks = [look(image) for image in question.images]
            if None in looks or len({isinstance(one, str) for one in looks}) > 1:
                counts["cannot be shown"] += 1
            elif len(set(looks)) < len(looks):
                counts["look the same"] += 1
            else:
                yield question

    return asked()
