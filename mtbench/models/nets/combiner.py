"""Single-turn composers: of the reference image and the feedback one query, f_qry; and f_tar of any image."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize


class Clip4Cir(nn.Module):
    """The Combiner of CLIP4Cir (Baldrati et al., CVPR 2022 workshops), the substitute for FashionVLP.

    p_t = Drop(ReLU(W t)), p_i likewise; z = [p_t; p_i]; h = Drop(ReLU(W z)); lambda = sigmoid(MLP(z));
    f_qry = norm(W h + lambda t + (1 - lambda) i). Images are compared as they come: f_tar = norm(i).

    Args:
        dim: of the features, d.
        projection: P; 4 d in the public code.
        hidden: H; 8 d in the public code.
        dropout: 0.5 in the public code.
    """

    def __init__(self, dim: int, *, projection: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.dim = dim
        self.text = nn.Sequential(nn.Linear(dim, projection), nn.ReLU(), nn.Dropout(dropout))
        self.image = nn.Sequential(nn.Linear(dim, projection), nn.ReLU(), nn.Dropout(dropout))
        self.mix = nn.Sequential(nn.Linear(2 * projection, hidden), nn.ReLU(), nn.Dropout(dropout))
        self.out = nn.Linear(hidden, dim)
        self.share = nn.Sequential(
            nn.Linear(2 * projection, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, 1), nn.Sigmoid()
        )

    def query(self, images: Tensor, texts: Tensor) -> Tensor:
        """f_qry (..., d) of reference images and feedback, both (..., d)."""
        images, texts = normalize(images, dim=-1), normalize(texts, dim=-1)
        both = torch.cat([self.text(texts), self.image(images)], dim=-1)
        share = self.share(both)
        return normalize(self.out(self.mix(both)) + share * texts + (1 - share) * images, dim=-1)

    def target(self, images: Tensor) -> Tensor:
        """f_tar (..., d)."""
        return normalize(images, dim=-1)

    def feedback(self, texts: Tensor) -> Tensor:
        """The feedback alone in the space of the queries, (..., d)."""
        return normalize(texts, dim=-1)


class Residual(nn.Module):
    """A composer for little data: the weighted sum that needs no training, and what is learned on top of it.

    i = W_i image, t = W_t text; f_qry = norm(a i + b t + MLP([i; t])), f_tar = norm(i). The projections start as the
    principal axes of the features, the MLP at zero, and so the whole as a sum of what the features know.

    Args:
        features: size of the features, D.
        dim: of the queries, d; at most D.
        dropout: of the MLP and of its inputs.
    """

    def __init__(self, features: int, dim: int, *, dropout: float) -> None:
        super().__init__()
        self.dim = dim
        self.image = nn.Linear(features, dim, bias=False)
        self.text = nn.Linear(features, dim, bias=False)
        self.weights = nn.Parameter(torch.tensor([0.7, 1.0]))
        last = nn.Linear(2 * dim, dim)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.correction = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(2 * dim, 2 * dim), nn.ReLU(), nn.Dropout(dropout), last
        )

    @torch.no_grad()
    def start_at(self, vectors: Tensor) -> None:
        """Let both projections be the principal axes (uncentred) of some vectors (n, D).

        The sign of an axis is free: its largest weight is made positive, so that every machine finds the same.
        """
        squares = vectors.double().T @ vectors.double()
        _, axes = torch.linalg.eigh(squares)  # ascending
        axes = axes.T.flip(0)[: self.dim]
        largest = axes.gather(1, axes.abs().argmax(dim=1, keepdim=True))
        axes = (axes * largest.sign()).float()
        self.image.weight.copy_(axes)
        self.text.weight.copy_(axes)

    def query(self, images: Tensor, texts: Tensor) -> Tensor:
        """f_qry (..., d) of reference images and feedback, both (..., D)."""
        image, text = normalize(self.image(images), dim=-1), normalize(self.text(texts), dim=-1)
        both = torch.cat([image, text], dim=-1)
        return normalize(self.weights[0] * image + self.weights[1] * text + self.correction(both), dim=-1)

    def target(self, images: Tensor) -> Tensor:
        """f_tar (..., d) of images (..., D)."""
        return normalize(self.image(images), dim=-1)

    def feedback(self, texts: Tensor) -> Tensor:
        """The feedback alone in the space of the queries, (..., d) of texts (..., D)."""
        return normalize(self.text(texts), dim=-1)
