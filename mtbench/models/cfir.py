"""CFIR (Yuan & Lam, SIGIR 2021): mutual attention of the turns and the attribute words of the candidate.

The released code reads the attributes of the true target at test time, and trains neither attention nor GRU nor output.
Here every candidate is seen through its own attributes, and everything is trained. So what is asked of a candidate
depends on the candidate: a gallery is scored, not embedded.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from mtbench.core.types import History
from mtbench.models.learning.cfir_lessons import Lessons, asked_in, batch_hard
from mtbench.models.learning.examples import Indices, batches_of, padded
from mtbench.models.learning.learned import Learned
from mtbench.models.learning.trainer import Phase
from mtbench.models.learning.vocabulary import Grouped, Vocabulary, groups_of, trimmed
from mtbench.models.nets.cfir import Against, Groups, Network, Order
from mtbench.models.nets.cfir_start import start_at
from mtbench.models.protocol import Array, Catalogue, Fold

TEXTS = 1024
"""Texts encoded in one piece, which bounds the memory."""

BLOCK = 8192
"""Candidates in one piece, which does too; and whose groups of words are brought together."""


@dataclass(kw_only=True)
class Cfir(Learned):
    """Turns through a GRU, weighed against the attribute words of each candidate by mutual attention (CFIR).

    Args:
        embedding, dim, hidden: of words, of what is compared, and of the GRU.
        layers, dropout: of the text encoder.
        groups: of attribute words of a candidate, at most; six in the paper, by kind of attribute. Here the words of
            an image come without kinds and are parted in their order.
        order: ``gru-first``, the GRU over the turns and then the attention, as the public code is laid out; or
            ``attention-first``, a GRU for every pair of history and candidate.
        candidate_words: a candidate is the mean of its image and its groups; else its image.
        skip: the last turn goes round GRU and attention.
        start: ``features``, which lets the network begin as the sum of image and feedback that the features know; or
            ``random``. Features that know images only leave it random.
        scale: of the vectors that are compared, at the start.
        loss: ``softmax``, cross-entropy over negative squared distances; or ``triplet``, batch-hard.
        margin: of the triplet loss.
        turns: what is learned from: the target of ``all`` turns, or of the ``last``.
        batch: examples in a batch; the cost of an epoch grows with it, as every history of a batch is seen from every
            target of it.
        chunk: numbers in one piece when a gallery is scored, about; it bounds the memory and changes nothing else.
    """

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "paper": {
                **{"embedding": 900, "dim": 2048, "hidden": 1024, "layers": 1, "dropout": 0.1, "groups": 6},
                **{"order": "gru-first", "candidate_words": True, "skip": False, "start": "random", "scale": 5.0},
                **{"loss": "triplet", "margin": 1.0, "turns": "last", "epochs": 100, "batch": 16, "rate": 1.1e-4},
                **{"decay": 0.01, "schedule": "cosine", "clip": 0.0, "patience": 0},
            }
        }
    )

    RANGES: ClassVar[Mapping[str, tuple[float, float]]] = MappingProxyType(
        {
            **{"embedding": (1, math.inf), "dim": (1, math.inf), "hidden": (1, math.inf), "groups": (1, math.inf)},
            **{"dropout": (0, 1), "scale": (0.001, 100), "margin": (0, math.inf)},
            **{"layers": (1, 64), "chunk": (1, 1 << 26)},  # no weights bound them, and a checkpoint may name any number
        }
    )

    reads_words: ClassVar[bool] = True

    epochs: int = 3
    batch: int = 64
    rate: float = 1e-3
    embedding: int = 64
    dim: int = 64
    hidden: int = 64
    layers: int = 1
    dropout: float = 0.1
    groups: int = 6
    order: Order = "gru-first"
    candidate_words: bool = False
    skip: bool = True
    start: Literal["features", "random"] = "features"
    scale: float = 3.0
    loss: Literal["softmax", "triplet"] = "softmax"
    margin: float = 1.0
    turns: Literal["all", "last"] = "all"
    chunk: int = 2 << 20

    def network(self, **inputs: Any) -> nn.Module:
        """The network for features of the size ``features`` and the words that have a vector, ``words``."""
        self.vocabulary = Vocabulary(inputs["words"])
        return Network(
            int(inputs["features"]),
            len(self.vocabulary),
            **{name: getattr(self, name) for name in ("embedding", "dim", "hidden", "layers", "dropout")},
            **{name: getattr(self, name) for name in ("order", "candidate_words", "skip", "scale")},
        )

    @property
    def scorer(self) -> Network:
        """The network; RuntimeError before training."""
        return self.made(Network)

    def phases(self, train: Fold, dev: Fold, catalogue: Catalogue) -> Iterator[Phase]:
        """One phase: everything is trained together."""
        lessons = Lessons.of(train, catalogue, every=self.turns == "all", groups=self.groups, device=self.place)
        self.build({"features": lessons.features.shape[1], "words": list(lessons.vocabulary.words)})
        if self.start == "features" and catalogue.features.reads_text:
            texts = catalogue.text_features(list(lessons.texts))
            assert texts is not None  # the features read texts
            tokens, groups = self._at(lessons.tokens), self._at(lessons.grouped.tokens)
            start_at(self.scorer, lessons.features, self.tensor(texts), tokens, groups)
        yield Phase(
            "cfir",
            self.scorer,
            self.recipe,
            partial(batches_of, lessons.categories, self.batch),
            partial(self._loss, lessons),
            partial(dev.measures, self) if dev.histories else None,
        )

    def _loss(self, lessons: Lessons, rows: Indices) -> Tensor:
        """Of the histories in these rows; the targets of the others are the negatives, each image once."""
        net, at, batch = self.scorer, self._at, lessons.batch(rows)
        vectors = net.text(at(batch.tokens))  # in one call: groups and feedback share the statistics of the BatchNorm
        words, texts = vectors[: batch.different], vectors[batch.different :]
        turns = net.image(lessons.features[at(batch.shown)]) + texts[at(batch.said)]
        groups = Groups(at(batch.members), at(batch.starts))
        against = net.against(lessons.features[at(batch.columns)], groups, words)
        distances = net(turns[at(batch.places)], at(batch.mask), against).float()
        if self.loss == "triplet":
            return batch_hard(distances, at(batch.labels), self.margin)
        return nn.functional.cross_entropy(-distances, at(batch.labels))

    @torch.inference_mode()
    def score(self, histories: Sequence[History], image_ids: Sequence[str], catalogue: Catalogue) -> Array:
        """Negative squared distances, float32 (B, G)."""
        scorer = self.scorer
        lengths = np.array([len(history) for history in histories])
        order = np.argsort(lengths, kind="stable")  # histories of one length are computed together, without padding
        shown, said = asked_in([histories[row] for row in order.tolist()])
        different, of = np.unique(said, return_inverse=True)
        texts = self._encode(self.vocabulary.tokens(different.tolist()))
        turns = scorer.image(self.tensor(catalogue.image_features(shown))) + texts[self._at(of)]
        scores = np.empty((len(histories), len(image_ids)), dtype=np.float32)
        for start in range(0, len(image_ids), BLOCK):
            block = slice(start, start + BLOCK)
            against = self._against(image_ids[block], catalogue)
            scores[order, block] = -self._distances(turns, lengths[order], against).float().cpu().numpy()
        return scores

    def _against(self, image_ids: Sequence[str], catalogue: Catalogue) -> Against:
        """Candidates, ready to be compared."""
        groups = [groups_of(image, catalogue, self.groups) for image in image_ids]
        tokens, members, starts = Grouped.of(groups, self.vocabulary).some(np.arange(len(groups)))
        features = self.tensor(catalogue.image_features(image_ids))
        return self.scorer.against(features, Groups(self._at(members), self._at(starts)), self._encode(tokens))

    def _distances(self, turns: Tensor, lengths: Indices, against: Against) -> Tensor:
        """Of turns that stand one after the other, in chunks of histories."""
        pairs = len(against.vectors) * (lengths.max() if self.order == "attention-first" else 1)
        size = max(1, self.chunk // (self.dim * int(max(pairs, len(against.keys)))))
        found, first = [], 0
        for start in range(0, len(lengths), size):
            rows, mask = padded(lengths[start : start + size].tolist())
            found.append(self.scorer(turns[self._at(first + rows)], self._at(mask), against))
            first += int(mask.sum())
        return torch.cat(found)

    def _encode(self, tokens: Indices) -> Tensor:
        """Vectors of texts, (n, d)."""
        pieces = [tokens[start : start + TEXTS] for start in range(0, len(tokens), TEXTS)]
        return torch.cat([self.scorer.text(self._at(trimmed(piece))) for piece in pieces])

    def _at(self, values: Any) -> Tensor:
        return torch.from_numpy(values).to(self.place)
