"""A user that learned how people speak: the relative captioner of Guo et al. (section 4.2).

It learns from what annotators said of the pairs of the train part. To speak of large differences too, it also gets
discriminative captions: an image's own caption as what to say of it beside an image that is unlike it. What it is worth
is measured on dev (see `mtbench.simulation.spoken`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from mtbench.core.errors import MtbenchError
from mtbench.core.files import json_sha256
from mtbench.core.source import library_sha256
from mtbench.models.learning.recipe import Recipe
from mtbench.models.learning.resume import Folder
from mtbench.models.learning.trainer import Phase, Trainer, draw_seed, steady
from mtbench.models.learning.vocabulary import words_of
from mtbench.models.nets.captioner import END, START, RelativeCaptioner
from mtbench.users.protocol import Situation, World

BLOCK = 64
"""Sentences that are made at once."""
LONGEST = 16
"""Words of a sentence, as in the paper."""
_UNLIKE = 32
"""Images drawn, of which the least like a target is what its own caption is said beside."""


@dataclass(frozen=True)
class Spoken:
    """Sentences to learn from: rows of image vectors, and words as numbers, (n, L + 1), `END` on the right."""

    references: np.ndarray[Any, np.dtype[np.int64]]
    targets: np.ndarray[Any, np.dtype[np.int64]]
    words: Tensor


@dataclass(kw_only=True)
class Captioner:
    """Says what annotators would have said, learned from the train part.

    Args:
        seed: of the weights and of what is drawn.
        epochs: at most; the best on dev is kept.
        width: of the LSTM; the paper has 512.
        batch, rate: sentences in a batch, the learning rate at its highest.
        least: how often a word must have been said to be learned.
        discriminative: how many image captions are learned from for each sentence about a pair, where there are any.
        features: the name of stored features; those made on demand by default.
    """

    seed: int = 0
    epochs: int = 5
    width: int = 256
    batch: int = 128
    rate: float = 2e-3
    least: int = 3
    discriminative: float = 0.25
    features: str = ""
    keeps: Path | None = field(default=None, init=False, repr=False)
    kept: Path | None = field(default=None, init=False, repr=False)
    """Where in ``keeps`` this training lies."""

    judged: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.width < 1 or self.batch < 1 or self.least < 1 or not 0 <= self.discriminative <= 10:
            raise ValueError("epochs, width, batch and least must be 1 or more, discriminative between 0 and 10")
        self._words: list[str] = []
        self._net: RelativeCaptioner | None = None

    def learn(self, world: World) -> Mapping[str, Any]:
        """Train; the weights are kept beside the benchmark, where the same training finds them again.

        Raises:
            MtbenchError: the train part has no turns.
        """
        if not world.turns:
            raise MtbenchError("this user learns how people speak from the train part, which has no turns")
        train = [(t.reference, t.target, text) for _, t in world.turns for text in t.feedback]
        dev = [(t.reference, t.target, text) for _, t in world.dev_turns for text in t.feedback]
        counts: dict[str, int] = {}
        for _, _, text in train:
            for word in words_of(text):
                counts[word] = counts.get(word, 0) + 1
        self._words = sorted(word for word, n in counts.items() if n >= self.least)
        train += self._discriminative(world, train)
        index = {image: row for row, image in enumerate(dict.fromkeys(i for one in (*train, *dev) for i in one[:2]))}
        vectors = torch.from_numpy(np.ascontiguousarray(world.catalogue.image_features(list(index)), np.float32))
        spoken, held = (self._spoken(some, index) for some in (train, dev))
        torch.manual_seed(draw_seed(self.seed, "captioner"))
        net = self._net = RelativeCaptioner(vectors.shape[1], len(self._words) + 2, width=self.width)
        phase = Phase(
            "captioner",
            net,
            Recipe(epochs=self.epochs, batch=self.batch, rate=self.rate, decay=0.01, patience=0),
            partial(_batches, len(spoken.references), self.batch),
            partial(self._loss, spoken, vectors),
            partial(self._dev, held, vectors) if dev else None,
        )
        store = self._store([train, dev], vectors)
        self.kept = store.path if store else None
        record = Trainer(seed=self.seed, store=store).run([phase])["captioner"]
        net.eval()
        return {"sentences": len(train), "words": len(self._words), "best_epoch": record["best_epoch"]}

    def say(self, situations: Sequence[Situation], world: World) -> list[str]:
        """One sentence each, of at most 16 words; the same for the same two images."""
        if self._net is None:
            raise MtbenchError("the captioner has not learned yet")
        pairs = list(dict.fromkeys((one.shown, one.target) for one in situations))
        told: dict[tuple[str, str], str] = {}
        with steady(self.seed):
            for start in range(0, len(pairs), BLOCK):
                block = pairs[start : start + BLOCK]
                told |= zip(block, self._speak(self._net, block, world), strict=True)
        return [told[one.shown, one.target] for one in situations]

    def _speak(self, net: RelativeCaptioner, pairs: Sequence[tuple[str, str]], world: World) -> list[str]:
        """A sentence about each pair (shown, wanted). The block is always as large, for the last bits of a product
        depend on that, and a word may depend on them."""
        filled = [*pairs, *[pairs[-1]] * (BLOCK - len(pairs))]
        shown, wanted = (
            torch.from_numpy(np.array(world.catalogue.image_features([pair[k] for pair in filled]), np.float32))
            for k in (0, 1)
        )
        return [self._sentence(words) for words in net.greedy(shown, wanted, LONGEST)[: len(pairs)]]

    def _sentence(self, words: Tensor) -> str:
        kept = [int(word) for word in words.tolist() if word not in (START, END)]
        return " ".join(self._words[word - 2] for word in kept) or "something else"

    def _discriminative(self, world: World, train: Sequence[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
        """Captions of targets as what to say beside an image that is unlike them."""
        known = [image for image in dict.fromkeys(target for _, target, _ in train) if world.images[image].caption]
        n = min(len(known), int(self.discriminative * len(train)))
        if not n or len(known) < 2:
            return []
        rng = np.random.default_rng(draw_seed(self.seed, "discriminative"))
        chosen = rng.permutation(len(known))[:n]
        vectors = world.catalogue.image_features(known)
        rows = []
        for target in chosen.tolist():
            others = rng.choice(len(known), size=min(_UNLIKE, len(known)), replace=False)
            reference = int(others[np.argmin(vectors[others] @ vectors[target])])
            rows.append((known[reference], known[target], str(world.images[known[target]].caption)))
        return rows

    def _spoken(self, sentences: Sequence[tuple[str, str, str]], index: Mapping[str, int]) -> Spoken:
        number = {word: at for at, word in enumerate(self._words, start=2)}
        words = torch.full((len(sentences), LONGEST + 2), END)
        words[:, 0] = START
        for row, (_, _, text) in enumerate(sentences):
            said = [number[word] for word in words_of(text) if word in number][:LONGEST]
            words[row, 1 : len(said) + 1] = torch.tensor(said, dtype=torch.long)
        references, targets = (np.array([index[one[k]] for one in sentences], np.int64) for k in (0, 1))
        return Spoken(references, targets, words)

    def _loss(self, spoken: Spoken, vectors: Tensor, rows: Any) -> Tensor:
        """The mean of `_losses`."""
        return self._losses(spoken, vectors, rows).mean()

    def _losses(self, spoken: Spoken, vectors: Tensor, rows: Any) -> Tensor:
        """Cross-entropy of each next word, flat: the first `END` included, those after it not."""
        assert self._net is not None
        words = spoken.words[rows]
        longest = int((words != END).sum(dim=1).max())
        given, wanted = words[:, :longest], words[:, 1 : longest + 1]
        scores = self._net(vectors[spoken.references[rows]], vectors[spoken.targets[rows]], given)
        counts = torch.cat([torch.ones_like(wanted[:, :1], dtype=torch.bool), wanted[:, :-1] != END], dim=1)
        return cross_entropy(scores[counts], wanted[counts], reduction="none")

    def _dev(self, held: Spoken, vectors: Tensor) -> dict[str, float]:
        """The higher the better: minus the mean loss of dev."""
        rows = [
            np.arange(start, min(start + 512, len(held.references))) for start in range(0, len(held.references), 512)
        ]
        with torch.inference_mode():
            losses = torch.cat([self._losses(held, vectors, some) for some in rows])
        return {"mean": -float(losses.double().mean())}

    def _store(self, sentences: Sequence[Sequence[tuple[str, str, str]]], vectors: Tensor) -> Folder | None:
        """Where the weights are kept, under a key of everything that they depend on."""
        if self.keeps is None:
            return None
        options = {name: value for name, value in asdict(self).items() if name not in ("keeps", "kept")}
        content = hashlib.sha256(vectors.numpy().tobytes()).hexdigest()
        code = library_sha256("users", "models/learning", "models/nets")
        key = json_sha256([options, sentences, content, code, torch.__version__])
        return Folder(self.keeps / f"captioner-{key[:8]}", key)


def _batches(n: int, size: int, rng: np.random.Generator) -> list[Any]:
    return np.array_split(rng.permutation(n), -(-n // size))
