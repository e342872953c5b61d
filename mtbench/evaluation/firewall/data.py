"""What a model is checked on: a small benchmark made in memory, or a part of one on disk.

The answers of the test part are sealed (pickled to bytes) and come out only as a caller asked for them: true, given
to other histories, or removed. All that leads to answers in an evaluation leads to those of the moment here: one
`Benchmark` object, the given one itself or one made in memory, whose transactions and truth are exchanged, and which
the catalogue, the features and the study hold as they do there.
"""

from __future__ import annotations

import copy
import pickle
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from mtbench.core.errors import MtbenchError
from mtbench.core.types import Gallery, History, Image, Protocol, Transaction, Turn
from mtbench.data.benchmark import Benchmark
from mtbench.data.truth import Dialogue, Truth
from mtbench.evaluation.inputs import words_of
from mtbench.evaluation.ranker import Query, fold_of
from mtbench.evaluation.ready import catalogue_of
from mtbench.features.memory import MemoryFeatures
from mtbench.models.protocol import Catalogue, Fold

Answers: TypeAlias = Literal["true", "permuted", "removed"]

TEST, TRAIN = 120, 200
"""Transactions taken of the test part of a benchmark, and of train and dev each."""

VALUES = {
    "colour": ("red", "blue", "green", "white", "black"),
    "pattern": ("plain", "striped", "dotted", "floral"),
    "size": ("long", "short", "wide"),
}
IMAGES = 25
"""Images in each gallery of the small benchmark; an odd number, so that one is in the middle."""


class CheckData:
    """A benchmark, the part of it that is looked at, and its sealed test answers.

    Args:
        benchmark: while `borrowed`, it holds that part alone, with the answers of the moment.
        parts: transactions of train, dev and test.
        galleries: by split and category.
    """

    def __init__(
        self,
        benchmark: Benchmark,
        parts: Mapping[str, Sequence[Transaction]],
        galleries: Mapping[tuple[str, str], Gallery],
    ) -> None:
        self.benchmark, self.name = benchmark, benchmark.name
        self.words, self.joiner = words_of(benchmark, None), benchmark.protocol.joiner
        self._images = dict(benchmark.images)
        self._galleries = dict(galleries)
        self._truth = pickle.dumps(benchmark.truth)
        self._sealed = {split: pickle.dumps(list(transactions)) for split, transactions in parts.items()}
        self._features: MemoryFeatures | None = None

    @contextmanager
    def borrowed(self) -> Iterator[None]:
        """While this lasts the benchmark may `hold` other answers; then it is given back as it was."""
        cached = vars(self.benchmark)
        # As bytes, in which nobody finds a transaction.
        before = pickle.dumps({name: cached[name] for name in ("_transactions", "images", "truth") if name in cached})
        try:
            self.hold("removed")
            yield
        finally:
            cached.update(pickle.loads(before))

    def hold(self, answers: Answers) -> Benchmark:
        """The benchmark, which has these answers from now on, and no others anywhere in it."""
        test = self.transactions(answers)
        parts = {**{split: pickle.loads(self._sealed[split]) for split in ("train", "dev")}, "test": test}
        truth: Truth | None = pickle.loads(self._truth)
        if truth is not None:
            held = [t.transaction_id for part in parts.values() for t in part]
            dialogues = {name: truth.dialogues[name] for name in held if name in truth.dialogues}
            if answers != "true":  # what the last turn asks for, with its reference, describes the target
                dialogues |= {
                    t.transaction_id: Dialogue(({},) * len(t.turns), (t.target,) if t.target else ()) for t in test
                }
            truth = replace(truth, dialogues=dialogues)
        vars(self.benchmark).update(_transactions=parts, truth=truth)
        return self.benchmark

    def transactions(self, answers: Answers = "true") -> list[Transaction]:
        """The test part, made anew, with its targets as asked for."""
        found: list[Transaction] = pickle.loads(self._sealed["test"])
        if answers == "true":
            return found
        if answers == "removed":
            return [_ending_in(t, "") for t in found]
        return [_ending_in(t, target) for t, target in zip(found, self._permuted(found), strict=True)]

    def galleries(self, split: str = "test") -> dict[str, Gallery]:
        """The galleries of a split by category."""
        return {category: gallery for (of, category), gallery in self._galleries.items() if of == split}

    def catalogue(self) -> Catalogue:
        """A new catalogue, which shares nothing that a model could change with the one before."""
        benchmark = self.benchmark
        vars(benchmark)["images"] = dict(self._images)
        return catalogue_of(benchmark, self.words, lambda: self._open(benchmark))

    def folds(self, catalogue: Catalogue) -> tuple[Fold, Fold]:
        """The train and the dev part, made anew."""
        train, dev = (
            fold_of(pickle.loads(self._sealed[split]), self.galleries(split), catalogue) for split in ("train", "dev")
        )
        return train, dev

    def _permuted(self, transactions: Sequence[Transaction]) -> list[str]:
        """The answers of one category moved on to the next history; never the true one."""
        targets = [t.target for t in transactions]
        for category, gallery in self.galleries().items():
            rows = [row for row, t in enumerate(transactions) if t.category == category]
            true = [targets[row] for row in rows]
            for row, own, other in zip(rows, true, [*true[1:], *true[:1]], strict=True):
                targets[row] = other if other != own else next(i for i in (*gallery.image_ids, "") if i != own)
        return targets

    def _open(self, benchmark: Benchmark) -> MemoryFeatures:
        if self._features is None:
            train: list[Transaction] = pickle.loads(self._sealed["train"])
            seen = {image for t in train for image in t.images}
            texts = {text for t in train for turn in t.turns for text in turn.feedback}
            self._features = MemoryFeatures(self._images, self.words, sorted(seen), sorted(texts))
        found = copy.deepcopy(self._features)
        vars(found)["_benchmark"] = benchmark  # as those from the store do
        return found


def of_benchmark(benchmark: Benchmark) -> CheckData:
    """Some hundred transactions of a benchmark, spread evenly over each part; the galleries whole.

    Raises:
        MtbenchError: it has no test transactions.
    """
    parts = {
        split: _spread(benchmark.transactions(split), n)
        for split, n in (("train", TRAIN), ("dev", TRAIN), ("test", TEST))
    }
    if not parts["test"]:
        raise MtbenchError(f"{benchmark.path} has no test transactions to check a model on")
    galleries = {
        (split, t.category): benchmark.gallery(split, t.category)
        for split, transactions in parts.items()
        for t in transactions
    }
    return CheckData(benchmark, parts, galleries)


def small() -> CheckData:
    """Two categories, 25 images in each gallery, dialogues of 2, 3 and 4 turns; the same on every machine.

    A few images have no words at all, and appear in no dialogue; some have the words of another.
    """
    draw = random.Random("mtbench check-model")
    images: dict[str, Image] = {}
    parts: dict[str, list[Transaction]] = {}
    galleries: dict[tuple[str, str], Gallery] = {}
    attributes: dict[str, dict[str, str]] = {}
    dialogues: dict[str, Dialogue] = {}
    for split, n in (("train", 8), ("dev", 4), ("test", 4)):
        parts[split] = []
        for category in ("dress", "shoe"):
            ids = sorted(f"{draw.getrandbits(32):08x}" for _ in range(IMAGES))
            for number, image_id in enumerate(ids):
                values = {name: draw.choice(choices) for name, choices in VALUES.items()}
                attributes[image_id] = values
                caption = f"a {values['size']} {values['colour']} {category}, {values['pattern']}"
                bare = number % 12 == 5
                shown = () if bare else tuple(values.values())
                images[image_id] = Image(image_id, category, None if bare else caption, shown)
            worded = [image_id for image_id in ids if images[image_id].caption]
            starts = draw.sample(worded, len(worded))
            galleries[split, category] = Gallery(split, category, "all-images", tuple(ids))
            for number, turns in enumerate(turns for turns in (2, 3, 4) for _ in range(n)):
                chain = _walk(starts[number % len(starts)], turns + 1, worded, attributes, draw)
                requests = [_request(attributes[a], attributes[b], draw) for a, b in pairwise(chain)]
                said = [tuple(f"is {value}" for value in request.values()) for request in requests]
                steps = tuple(Turn(chain[k], said[k], chain[k + 1]) for k in range(turns))
                name = f"{category}.{split}.{number:04d}"
                parts[split].append(Transaction(name, category, steps))
                dialogues[name] = Dialogue(tuple(requests), ())
    benchmark = Benchmark.__new__(Benchmark)  # there is no folder to read
    vars(benchmark).update(
        path=Path("memory"),
        manifest={"proxies": {"caption": {}, "attributes": {}}},
        name="a small benchmark in memory",
        revision="",
        protocol=Protocol(),
        galleries=galleries,
        images=images,
        truth=Truth(attributes, dialogues),
        _transactions=parts,
    )
    return CheckData(benchmark, parts, galleries)


def with_beginnings(transactions: Sequence[Transaction], joiner: str) -> list[Query]:
    """Each dialogue and all its beginnings, longest first: a later turn shows what an earlier one looks for."""
    found: dict[History, Query] = {}
    for transaction in transactions:
        whole = transaction.history(joiner=joiner)
        for n in range(len(whole), 0, -1):
            history = whole.first(n)
            found.setdefault(history, Query(history, transaction.turns[n - 1].target))
    return list(found.values())


def _walk(
    start: str, n: int, ids: Sequence[str], attributes: Mapping[str, Mapping[str, str]], draw: random.Random
) -> list[str]:
    """Different images, each like the one before in as much as there is, so that a reference tells something."""
    chain = [start]
    while len(chain) < n:
        left = [image for image in ids if image not in chain]
        apart = [sum(attributes[image][name] != attributes[chain[-1]][name] for name in VALUES) for image in left]
        near = min(number for number in apart if number)
        chain.append(draw.choice([image for image, number in zip(left, apart, strict=True) if number == near]))
    return chain


def _request(shown: Mapping[str, str], wanted: Mapping[str, str], draw: random.Random) -> dict[str, str]:
    """One thing that the wanted image has and the one shown lacks."""
    name = draw.choice([name for name in sorted(VALUES) if shown[name] != wanted[name]])
    return {name: wanted[name]}


def _ending_in(transaction: Transaction, target: str) -> Transaction:
    """The same with another answer, in every turn that has the answer: a session may look for one image throughout.

    The names of the source pairs go, which may have the answer in them.
    """
    old = transaction.target
    turns = (replace(turn, target=target) if turn.target == old else turn for turn in transaction.turns)
    return replace(transaction, turns=tuple(turns), source_pairs=())


def _spread(transactions: Sequence[Transaction], n: int) -> list[Transaction]:
    if not transactions:
        return []
    return [transactions[row] for row in np.unique(np.linspace(0, len(transactions) - 1, n).astype(int))]
