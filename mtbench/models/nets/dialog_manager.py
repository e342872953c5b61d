"""The networks of the Dialog Manager (Guo et al., NeurIPS 2018, section 3): response encoder, state tracker, distances.

n dialogues; G candidates; features of the size D; everything that is compared has the size d.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, embedding, linear, pad

from mtbench.models.learning.vocabulary import PADDING


class Seen(NamedTuple):
    """A gallery as the network sees it, made once for many turns."""

    vectors: Tensor
    """ImgEnc of the candidates, (G, d)."""
    squares: Tensor
    """Their squared lengths, (G,)."""


class TextEncoder(nn.Module):
    """Words to a vector: embedding, convolution over pairs of words, maximum over the places, BatchNorm, Linear.

    The convolution is a sum of two products, one of the first word of a pair and one of the second. A simulated user
    has few words, so both are made once for each different word, not at each place.

    Args:
        words: how many tokens there are, padding among them.
        size: of the embedding.
        filters: of the convolution.
        dim: d.
        length: tokens that are read; what comes after is not.
    """

    def __init__(self, words: int, size: int, filters: int, dim: int, *, length: int) -> None:
        super().__init__()
        self.length = length
        self.embedding = nn.Embedding(words, size, padding_idx=PADDING)
        self.convolution = nn.Linear(2 * size, filters)
        self.batch_norm = nn.BatchNorm1d(filters)
        self.out = nn.Linear(filters, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """(n, L) tokens with padding on the right, one real one at least, to (n, d)."""
        tokens = tokens[:, : self.length]
        if tokens.shape[1] == 1:
            tokens = pad(tokens, (0, 1), value=PADDING)
        different, places = torch.unique(tokens, return_inverse=True)
        words = self.embedding(different)
        first, second = self.convolution.weight.chunk(2, dim=1)
        left, right = linear(words, first), linear(words, second)
        pairs = embedding(places[:, :-1], left) + embedding(places[:, 1:], right)
        real = tokens[:, 1:] != PADDING
        real[:, 0] = True  # a text of one word is a pair with padding, whose embedding is zero
        pairs = pairs.masked_fill(~real[:, :, None], -torch.inf)
        found: Tensor = self.out(self._norm(pairs.amax(dim=1) + self.convolution.bias))
        return found

    def _norm(self, values: Tensor) -> Tensor:
        """BatchNorm; of a single text, whose variance says nothing, with the running statistics."""
        if len(values) > 1 or not self.training:
            found: Tensor = self.batch_norm(values)
            return found
        norm = self.batch_norm
        return batch_norm(values, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)


class Network(nn.Module):
    """Response encoder x_t = W (ImgEnc + TxtEnc), state tracker s_t = head(GRUCell(x_t, h)), squared L2 to ImgEnc.

    Args:
        features: D.
        words: how many tokens there are.
        dim: d; 256 in the paper.
        embedding, filters, length: of the text encoder.
        scale: of the features before anything else: those of this library have length 1, those of a ResNet about 30.
    """

    def __init__(
        self,
        features: int,
        words: int,
        *,
        dim: int = 256,
        embedding: int = 512,
        filters: int = 512,
        length: int = 16,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.image_encoder = nn.Linear(features, dim)
        self.text = TextEncoder(words, embedding, filters, dim, length=length)
        self.response = nn.Linear(dim, dim)
        self.tracker = nn.GRUCell(dim, dim)
        self.head = nn.Linear(dim, dim)

    def image(self, features: Tensor) -> Tensor:
        """ImgEnc: (..., D) to (..., d)."""
        found: Tensor = self.image_encoder(features * self.scale)
        return found

    def gallery(self, features: Tensor) -> Seen:
        """Candidates (G, D), ready to be compared."""
        vectors = self.image(features)
        return Seen(vectors, vectors.square().sum(-1))

    def step(self, image: Tensor, text: Tensor, hidden: Tensor | None) -> tuple[Tensor, Tensor]:
        """The state s_t (n, d) after one more turn, and what the tracker remembers (n, d).

        Args:
            image: ImgEnc of what was shown, (n, d).
            text: TxtEnc of what was said of it, (n, d).
            hidden: what the turn before returned; None at first.
        """
        hidden = self.tracker(self.response(image + text), hidden)
        state: Tensor = self.head(hidden)
        return state, hidden

    def scores(self, states: Tensor, seen: Seen) -> Tensor:
        """2 s x - |x|^2 of every candidate, (n, G): the negative squared distance, but for |s|^2."""
        return torch.addmm(-seen.squares, states, seen.vectors.t(), alpha=2.0)


def squared(one: Tensor, other: Tensor) -> Tensor:
    """Squared distances of vectors, (..., d) to (...)."""
    return (one - other).square().sum(-1)
