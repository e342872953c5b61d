"""The single-turn model under all others: f_qry of one reference and its feedback, f_tar of an image.

FashionVLP, which FashionNTM builds on, has no public code or weights. Here stand the Combiner of CLIP4Cir (`kind`
``clip4cir``) and a smaller composer that starts as a weighted sum (``residual``, the default: the data are small).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from mtbench.core.types import History
from mtbench.models.learning.examples import Examples, batches_of, examples_of
from mtbench.models.learning.learned import Learned
from mtbench.models.learning.losses import Scale, in_batch
from mtbench.models.learning.trainer import Phase
from mtbench.models.nets.combiner import Clip4Cir, Residual
from mtbench.models.protocol import Array, Catalogue, Fold

AT_ONCE = 4096
"""Rows encoded in one piece, which bounds the memory."""


@dataclass(kw_only=True)
class Combiner(Learned):
    """Only the final turn, its reference and feedback composed by a trained network (f_qry).

    The preset ``paper`` is the network and loss of CLIP4Cir, trained as FashionNTM trains: FashionVLP is not public.

    Args:
        kind: ``residual`` or ``clip4cir``.
        dim: of the queries, for ``residual``; that of the features where these are smaller.
        projection, hidden: P and H of ``clip4cir``, as multiples of the size of the features.
        dropout: see the networks.
        scale: of the cosines before the softmax, at the start.
        learned_scale: whether it is learned.
        mask_equal: a target that another pair of the batch has too is no negative.
    """

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "paper": {
                **{"kind": "clip4cir", "dropout": 0.5, "scale": 100.0, "learned_scale": False, "mask_equal": False},
                **{"epochs": 100, "batch": 80, "rate": 1e-4, "decay": 0.0, "schedule": "constant", "clip": 0.0},
            }
        }
    )

    RANGES: ClassVar[Mapping[str, tuple[float, float]]] = MappingProxyType(
        {
            **{"dim": (1, math.inf), "projection": (1, math.inf), "hidden": (1, math.inf)},
            **{"dropout": (0, 1), "scale": (0.001, 100)},
        }
    )

    # On Shoes, 206 single turns of dev, 2 seeds: 15.0 with 10 epochs, 15.9 with 15; scale 10 and 25 14.1 and 15.4.
    epochs: int = 15

    kind: Literal["residual", "clip4cir"] = "residual"
    dim: int = 384
    projection: int = 4
    hidden: int = 8
    dropout: float = 0.2
    scale: float = 15.0
    learned_scale: bool = False
    mask_equal: bool = True

    similarity: ClassVar[str] = "cosine"

    def network(self, **inputs: Any) -> nn.Module:
        """The composer with its scale, for features of the size ``features``."""
        features = int(inputs["features"])
        if self.kind == "clip4cir":
            composer: nn.Module = Clip4Cir(
                features,
                projection=self.projection * features,
                hidden=self.hidden * features,
                dropout=self.dropout,
            )
        else:
            composer = Residual(features, min(self.dim, features), dropout=self.dropout)
        return nn.ModuleDict({"composer": composer, "scale": Scale(self.scale, learned=self.learned_scale)})

    @property
    def composer(self) -> Clip4Cir | Residual:
        """The network alone; RuntimeError before training."""
        composer = self.made(nn.ModuleDict)["composer"]
        assert isinstance(composer, (Clip4Cir, Residual))
        return composer

    def phases(self, train: Fold, dev: Fold, catalogue: Catalogue) -> Iterator[Phase]:
        """One phase, on every distinct turn of the training transactions; chosen on every distinct turn of dev.

        Whole transactions are not what it learns: where the last turn says little, they would choose by chance.
        """
        examples = examples_of(train, catalogue, device=self.place).single_turns()
        net = self.build({"features": examples.images.shape[1]})
        if isinstance(self.composer, Residual):
            self.composer.start_at(torch.cat([examples.images, examples.texts]))
        yield Phase(
            "combiner",
            net,
            self.recipe,
            partial(batches_of, examples.categories, self.batch),
            partial(self._loss, examples),
            partial(dev.single_turns().measures, self) if dev.histories else None,
        )

    def _loss(self, examples: Examples, rows: Any) -> Tensor:
        assert isinstance(self.net, nn.ModuleDict)
        references, feedback, targets, mask = (
            part[rows] for part in (examples.references, examples.feedback, examples.targets, examples.mask)
        )
        queries = self.composer.query(examples.images[references], examples.texts[feedback])
        candidates = self.composer.target(examples.images[targets])
        return in_batch(queries, candidates, targets, mask, self.net["scale"], mask_equal=self.mask_equal)

    @torch.inference_mode()
    def single_turn(self, references: Sequence[str], feedback: Sequence[str], catalogue: Catalogue) -> Array:
        """f_qry of single turns, float32 (n, d) of length 1."""
        images, texts = catalogue.image_features(references), catalogue.text_features(feedback)
        assert texts is not None  # examples_of has seen to it
        starts = range(0, len(references), AT_ONCE)
        parts = [
            self.composer.query(self.tensor(images[i : i + AT_ONCE]), self.tensor(texts[i : i + AT_ONCE]))
            for i in starts
        ]
        vectors: Array = torch.cat(parts).float().cpu().numpy()
        return vectors

    @torch.inference_mode()
    def embed_images(self, image_ids: Sequence[str], catalogue: Catalogue) -> Array:
        """f_tar, float32 (G, d) of length 1."""
        images = catalogue.image_features(image_ids)
        parts = [self.composer.target(self.tensor(images[i : i + AT_ONCE])) for i in range(0, len(images), AT_ONCE)]
        vectors: Array = torch.cat(parts).float().cpu().numpy()
        return vectors

    def embed_histories(self, histories: Sequence[History], catalogue: Catalogue) -> Array:
        """f_qry of the last turn, float32 (B, d)."""
        references = [history.references[-1] for history in histories]
        return self.single_turn(references, [history.feedback[-1] for history in histories], catalogue)

    def step(self, turn: History, state: Any, catalogue: Catalogue) -> tuple[Array, None]:
        """f_qry of the turn, (1, d); there is nothing to remember."""
        return self.embed_histories([turn], catalogue), None
