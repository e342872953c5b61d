"""The learned lexical channel: BM25 whose words have learned weights, and whose query is gated and expanded.

It reads the words that stand for the images, and no vectors. The scores of a dense model say something else, so the two
are worth fusing: see `mtbench.models.fusion`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from mtbench.core.types import History
from mtbench.models.aggregators import best_on
from mtbench.models.bm25 import DECAYS, faded
from mtbench.models.galleries import PerGallery
from mtbench.models.learning.examples import batches_of
from mtbench.models.learning.learned import Learned
from mtbench.models.learning.losses import Scale
from mtbench.models.learning.trainer import Phase
from mtbench.models.learning.words import Documents, Lessons, count, frequent, lessons_of, sparse_tensor
from mtbench.models.nets.lexical import Lexical, Scores
from mtbench.models.protocol import Array, Catalogue, Fold


@dataclass(kw_only=True)
class LexNet(Learned):
    """BM25 with a learned weight for every word, and a query that the feedback gates and expands; reads words alone.

    Args:
        k1, b: of BM25.
        reference_weight: of the words of the last reference against those of the feedback, at the start.
        fading: the feedback of the turn that lies k turns back counts fading^k, as in BM25. None to learn from every
            turn by itself, and then to choose on dev how much older ones count; a number to learn with that.
        at_least: so many training images, or texts of feedback, must have a word for it to be learned.
        unknown: what the other words do: ``bm25``, they count as in BM25; ``ignored``.
        rank: of the gate and of the expansion.
        dropout: of the words of the feedback, as gate and expansion read them.
        negatives: ``batch``: the other targets of the batch; ``train``: all images of the training transactions of the
            category. An image that is the target itself is no negative.
        scale: of the scores before the softmax, at the start; it is learned.
        precision: always float32, whatever is asked: sparse products know no other.
    """

    reads_features: ClassVar[bool] = False
    reads_words: ClassVar[bool] = True

    epochs: int = 4
    rate: float = 2e-3

    # Mean of R@5 and R@8 on dev, in %: FashionIQ re-split (491 transactions, 1 seed) and Shoes (155, 3 seeds). BM25
    # has 8.3 and 7.3. negatives=batch 15.1 and 8.5, train 14.7 and 9.2; with the latter fading 13.2 (0.3) and 8.0
    # (0.25), unknown=ignored 13.6 and 8.6, rank=128 15.1 and 8.4. Differences below 2 are noise.
    k1: float = 1.2
    b: float = 0.75
    reference_weight: float = 0.4
    fading: float | None = None
    at_least: int = 5
    unknown: Literal["bm25", "ignored"] = "bm25"
    rank: int = 64
    dropout: float = 0.0
    negatives: Literal["batch", "train"] = "batch"
    scale: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.k1 >= 0 and 0 <= self.b <= 1):
            raise ValueError(f"k1 must be 0 or more, and b lie between 0 and 1, not {self.k1} and {self.b}")
        if not (0 <= (self.fading or 0) <= 1 and 0 <= self.dropout < 1):
            raise ValueError(f"fading and dropout must lie between 0 and 1, not {self.fading} and {self.dropout}")
        for name in ("reference_weight", "scale", "rank", "at_least"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be more than 0, not {getattr(self, name)}")
        self.fades = self.fading or 0.0
        self._documents = PerGallery(self._documents_of)

    def network(self, **inputs: Any) -> nn.Module:
        """The query and the scale of the loss, for the ``words`` of images and those ``said`` in feedback.

        ``fades`` is what was chosen on dev.
        """
        self.words, self.said = tuple(map(str, inputs["words"])), tuple(map(str, inputs["said"]))
        if self.fading is None:
            self.fades = float(inputs.get("fades", 0.0))
        if len({*self.words}) < len(self.words) or len({*self.said}) < len(self.said) or not 0 <= self.fades <= 1:
            raise ValueError("a word is there twice, or fades is not between 0 and 1")
        self._documents.forget()
        query = Lexical(
            len(self.words),
            len(self.said),
            rank=self.rank,
            reference_weight=self.reference_weight,
            dropout=self.dropout,
        )
        return nn.ModuleDict({"query": query, "scale": Scale(self.scale, learned=True)})

    @property
    def query(self) -> Lexical:
        """The network alone; RuntimeError before training."""
        query = self.made(nn.ModuleDict)["query"]
        assert isinstance(query, Lexical)
        return query

    def phases(self, train: Fold, dev: Fold, catalogue: Catalogue) -> Iterator[Phase]:
        """One phase, on every distinct turn of the training transactions; then the choice of ``fades``."""
        lessons = lessons_of(train, single_turns=not self.fading)
        of_images, of_feedback = lessons.texts(catalogue)
        vocabulary = {"words": frequent(of_images, self.at_least), "said": frequent(of_feedback, self.at_least)}
        net = self.build(vocabulary)
        yield Phase(
            "lexnet",
            net,
            self.recipe,
            partial(batches_of, lessons.categories, self.batch),
            _Loss(self, lessons, catalogue),
            partial(dev.measures, self) if dev.histories else None,
        )
        if self.fading is None:
            self.inputs["fades"] = best_on(dev, self, "fades", DECAYS)

    def fit(self, train: Fold, dev: Fold, catalogue: Catalogue) -> Mapping[str, Any]:
        """Train; what was chosen, ``fades`` with it."""
        return {**super().fit(train, dev, catalogue), "fades": self.fades}

    @torch.inference_mode()
    def score(self, histories: Sequence[History], image_ids: Sequence[str], catalogue: Catalogue) -> Array:
        """Sums of the weights of shared words, float32 (B, G)."""
        documents = self._documents.of(image_ids, catalogue)
        counts = self.counts(histories, catalogue)
        queries = self.query(*(self.tensor(part.toarray()) for part in counts)).cpu().numpy()
        # Row by row of the documents, so that images with the same words tie exactly.
        scores = (documents.known @ queries.T).T
        if self.unknown == "bm25":
            references, feedback = self._counts(histories, catalogue, documents.names)
            others = float(self.query.weight.exp()) * references + feedback
            scores = scores + (others @ documents.others).toarray()
        return np.asarray(scores, dtype=np.float32)

    def counts(self, histories: Sequence[History], catalogue: Catalogue) -> tuple[Any, Any, Any]:
        """Words of the last reference (B, V) and of the faded feedback (B, V); those said in the latter (B, S)."""
        _, said = self._counts(histories, catalogue, self.said)
        return *self._counts(histories, catalogue, self.words), said

    def _counts(self, histories: Sequence[History], catalogue: Catalogue, words: Sequence[str]) -> tuple[Any, Any]:
        """How often last references and faded feedback have each of some words, sparse float32 (B, words)."""
        references = count([catalogue.text(history.references[-1]) for history in histories], words)
        feedback = count([text for history in histories for text in history.feedback], words)
        return references, faded(histories, self.fades).astype(np.float32) @ feedback

    def _documents_of(self, image_ids: Sequence[str], catalogue: Catalogue) -> Documents:
        return Documents([catalogue.text(image) for image in image_ids], self.words, k1=self.k1, b=self.b)


class _Loss:
    """Cross-entropy over the candidates; what does not change is made once."""

    def __init__(self, model: LexNet, lessons: Lessons, catalogue: Catalogue) -> None:
        self.model, self.lessons = model, lessons
        self.counts = model.counts(lessons.histories, catalogue)
        known = [model._documents_of(candidates, catalogue).known for candidates in lessons.candidates]
        self.documents = [[sparse_tensor(part).to(model.place) for part in (one, one.T)] for one in known]

    def __call__(self, rows: Any) -> Tensor:
        """Of the turns in these rows, which are of one category."""
        model, net = self.model, self.model.net
        assert isinstance(net, nn.ModuleDict)
        right = torch.from_numpy(self.lessons.places[rows]).to(model.place)
        documents = self.documents[int(self.lessons.categories[rows[0]])]
        with torch.autocast(model.place.split(":")[0], enabled=False):
            queries = model.query(*(model.tensor(part[rows].toarray()) for part in self.counts))
            scores: Tensor = Scores.apply(queries, *documents)  # type: ignore[no-untyped-call]
            if model.negatives == "batch":
                drawn, right = torch.unique(right, return_inverse=True)
                scores = scores[:, drawn]
            return cross_entropy(net["scale"](scores), right)
