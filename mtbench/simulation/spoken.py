"""What a user's words are worth, measured on dev: how near to what people said, and whether they find the target."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mtbench.core.files import write_json
from mtbench.core.types import Gallery, History
from mtbench.evaluation.measures import percentile
from mtbench.evaluation.ranker import Query, Ranker
from mtbench.evaluation.statistics import bootstrap
from mtbench.features.needs import need
from mtbench.models.bm25 import BM25
from mtbench.models.protocol import BLANK
from mtbench.users.protocol import Simulator, Situation, World

MOST = 1_000
"""Pairs of dev that are looked at."""


def judge(simulator: Simulator, world: World) -> dict[str, Any]:
    """What a user's words are worth: see `measured`. Kept beside what it learned, where it keeps that."""
    kept: Path | None = getattr(simulator, "kept", None)
    known = kept / "judged.json" if kept else None
    if known and known.is_file():
        there: dict[str, Any] = json.loads(known.read_text(encoding="utf-8"))
        return there
    found = measured(simulator, world)
    if known:
        write_json(known, found)
    return found


def measured(simulator: Simulator, world: World) -> dict[str, Any]:
    """BLEU-4 and ROUGE-L against what annotators said of dev pairs, and the rank percentile of the target by the words
    alone (BM25 over what stands for the images, no reference image; chance is 0.5), beside that of what annotators
    said: a user whose words find more than those of people is easier to serve than people. Empty without a dev part.
    """
    turns = [turn for turn in world.dev_turns if turn[1].feedback][:MOST]
    if not turns:
        return {}
    said = simulator.say([Situation(c, t.target, t.reference, seed=k) for k, (c, t) in enumerate(turns)], world)
    people = [" ".join(world.joiner.join(t.feedback).split()) for _, t in turns]
    return {
        "n": len(turns),
        **_like_people(said, [t.feedback for _, t in turns]),
        **_finds(said, turns, world),
        **{f"{name} of people": value for name, value in _finds(people, turns, world).items()},
    }


def _like_people(said: Sequence[str], people: Sequence[Sequence[str]]) -> dict[str, float]:
    """BLEU-4 of the whole, and ROUGE-L against the nearest of the captions of each pair, both 0..1."""
    bleu = need("sacrebleu", extra="simulate")
    rouge = need("rouge_score.rouge_scorer", extra="simulate").RougeScorer(["rougeL"])
    most = max(map(len, people))
    references = [[texts[k] if k < len(texts) else None for texts in people] for k in range(most)]
    pairs = zip(people, said, strict=True)
    nearest = [max(rouge.score(text, one)["rougeL"].fmeasure for text in texts) for texts, one in pairs]
    return {
        "BLEU-4": bleu.corpus_bleu(list(said), references, lowercase=True).score / 100,
        "ROUGE-L": float(np.mean(nearest)),
    }


def _finds(said: Sequence[str], turns: Sequence[tuple[str, Any]], world: World) -> dict[str, Any]:
    """Whether the words rank their target above others, among the targets of these pairs."""
    images: dict[str, set[str]] = {}
    for category, turn in turns:
        images.setdefault(category, set()).add(turn.target)
    galleries = {c: Gallery("dev", c, "pairs", tuple(sorted(ids))) for c, ids in images.items()}
    queries = [
        Query(History(category, (BLANK,), (text,)), turn.target)
        for text, (category, turn) in zip(said, turns, strict=True)
    ]
    found = percentile(Ranker(BM25(), galleries, world.catalogue).positions(queries))
    drawn = bootstrap(found, [f"{c}\t{t.target}" for c, t in turns])
    return {
        "percentile by words": float(drawn.estimate[0]),
        "percentile by words interval": [float(drawn.low[0]), float(drawn.high[0])],
    }
