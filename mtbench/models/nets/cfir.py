"""The networks of CFIR (Yuan & Lam, SIGIR 2021): text encoder, turns, mutual attention, distances.

B histories of up to T turns; G candidates, each with up to six groups of attribute words; U different groups in all.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, embedding_bag, normalize, relu

from mtbench.models.learning.vocabulary import PADDING

Order = Literal["gru-first", "attention-first"]

GATE = 0.3
"""Of what the attention adds to the last turn, at the start: not 0, so that all of it learns from the first step."""


class Groups(NamedTuple):
    """Which candidate has which groups of attribute words; the words of a gallery repeat, so each group is one row.

    The 5,115 images of the FashionIQ category dress have 22,000 groups, 1,500 of them different.
    """

    members: Tensor
    """Rows of the groups of the first candidate, then those of the second, and so on, (M,)."""
    starts: Tensor
    """Where the groups of each candidate start, (G,). Each has one at least."""

    def mean(self, values: Tensor) -> Tensor:
        """What each candidate has on average, (G, ...), of what each different group has, (U, ...)."""
        found: Tensor = embedding_bag(self.members, values.reshape(len(values), -1), self.starts, mode="mean")
        return found.view(-1, *values.shape[1:])

    def counts(self) -> Tensor:
        """How many groups each candidate has, (G,)."""
        return torch.diff(self.starts, append=self.starts.new_tensor([len(self.members)]))


class Against(NamedTuple):
    """Candidates as the network sees them, made once for all histories."""

    vectors: Tensor
    """Of length 1, (G, d)."""
    keys: Tensor
    """W_a a of the different groups, twice, (U, d)."""
    groups: Groups


class TextEncoder(nn.Module):
    """Words to a vector: c = softmax(x x^T) x; y = LayerNorm(c + W2 relu(W1 c)); the mean of y, BatchNorm, Linear.

    The attention has no projections and no scale, and nothing goes round it, as in the public code; there padding
    takes part in attention and mean, here it does not.

    Args:
        words: how many tokens there are, padding among them.
        embedding: size of x.
        dim: of the vectors.
        layers: attention and feed-forward one on the other, with the same weights, as the public code stacks them.
        dropout: of attention and feed-forward.
    """

    def __init__(self, words: int, embedding: int, dim: int, *, layers: int, dropout: float) -> None:
        super().__init__()
        self.layers = layers
        self.embedding = nn.Embedding(words, embedding, padding_idx=PADDING)
        self.first, self.second = nn.Linear(embedding, embedding), nn.Linear(embedding, embedding)
        self.norm = nn.LayerNorm(embedding)
        self.dropout = nn.Dropout(dropout)
        self.batch_norm = nn.BatchNorm1d(embedding)
        self.out = nn.Linear(embedding, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """(n, L) to (n, d); a text has one token at least."""
        found: Tensor = self.out(self.normed(self.pool(tokens)))
        return found

    def pool(self, tokens: Tensor) -> Tensor:
        """The mean over the words, (n, embedding)."""
        there = tokens != PADDING
        x = self.embedding(tokens)
        for _ in range(self.layers):
            alike = (x @ x.mT).masked_fill(~there[:, None, :], -torch.inf)
            x = self.dropout(alike.softmax(dim=-1)) @ x
            x = self.norm(x + self.dropout(self.second(relu(self.first(x)))))
        found: Tensor = (x * there[..., None]).sum(1) / there.sum(1, keepdim=True)
        return found

    def normed(self, x: Tensor) -> Tensor:
        """BatchNorm; of a single text, whose variance says nothing, with the running statistics."""
        own = self.batch_norm
        if self.training and len(x) > 1:
            return own(x)  # type: ignore[no-any-return]
        return batch_norm(x, own.running_mean, own.running_var, own.weight, own.bias, eps=own.eps)


class MutualAttention(nn.Module):
    """How much each turn matters to each group: softmax over turns of tanh(W [q; a]), a weight for each dimension.

    W [q; a] = W_q q + W_a a is a sum of two small tables. And tanh x = 2 sigmoid(2 x) - 1, whose -1 cancels in the
    softmax: the sigmoid takes a tenth of the time of tanh on a CPU. No exponent is above 2, so nothing overflows.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.of_turn, self.of_group = nn.Linear(dim, dim), nn.Linear(dim, dim, bias=False)

    def keys(self, groups: Tensor) -> Tensor:
        """2 W_a a, (U, d)."""
        found: Tensor = 2 * self.of_group(groups)
        return found

    def forward(self, turns: Tensor, mask: Tensor, keys: Tensor) -> tuple[list[Tensor], Tensor]:
        """Of turns (B, T, d) and their mask (B, T): the part of each turn, and the sum of all, each (U, B, d).

        Part / sum is the softmax; padding has no part.
        """
        asked, real = 2 * self.of_turn(turns), mask.to(turns.dtype)
        parts = [torch.exp(2 * torch.sigmoid(keys[:, None] + turn)) for turn in asked.unbind(1)]
        parts[1:] = [part * real[:, n, None] for n, part in enumerate(parts[1:], 1)]  # the first turn is always real
        return parts, torch.stack(parts).sum(0) if len(parts) > 1 else parts[0]


class Network(nn.Module):
    """Squared distances of histories and candidates. A turn is x_i = image + text.

    ``gru-first``: q_i are the outputs of the GRU over x_1 .. x_N, and what is asked of a candidate is the mean over its
    groups j of sum_i S_ij q_i. ``attention-first``: the GRU reads (mean_j S_ij) x_i, once for each pair of history and
    candidate, and its last output is what is asked.

    Args:
        features: size of the vectors of images, D.
        words: how many tokens there are.
        embedding, dim, hidden: of words, of everything that is compared, d, and of the GRU.
        layers, dropout: see `TextEncoder`.
        order: see above.
        candidate_words: a candidate is the mean of its image and its groups, rather than its image alone.
        skip: the last turn x_N is added to what is asked, times a learned gate.
        scale: length of the vectors that are compared, at the start; it is learned.
    """

    def __init__(
        self,
        features: int,
        words: int,
        *,
        embedding: int,
        dim: int,
        hidden: int,
        layers: int,
        dropout: float,
        order: Order,
        candidate_words: bool,
        skip: bool,
        scale: float,
    ) -> None:
        super().__init__()
        self.order, self.candidate_words = order, candidate_words
        self.text = TextEncoder(words, embedding, dim, layers=layers, dropout=dropout)
        self.image = nn.Linear(features, dim)
        self.attention = MutualAttention(dim)
        self.gru = nn.GRU(dim, hidden, batch_first=True)
        self.out = nn.Linear(hidden, dim)
        self.gate = nn.Parameter(torch.tensor(GATE)) if skip else None
        self.scale = nn.Parameter(torch.tensor(float(scale)))

    def against(self, images: Tensor, groups: Groups, words: Tensor) -> Against:
        """Candidates of features (G, D) and of vectors of their groups (U, d)."""
        shown: Tensor = self.image(images)
        if self.candidate_words:
            n = groups.counts()[:, None]
            shown = (shown + n * groups.mean(words)) / (1 + n)
        return Against(normalize(shown, dim=-1), self.attention.keys(words), groups)

    def forward(self, turns: Tensor, mask: Tensor, against: Against) -> Tensor:
        """Squared distances (B, G) of turns (B, T, d), their mask (B, T; padding on the right) and candidates."""
        queries = normalize(self.queries(turns, mask, against), dim=-1)
        cosines = (queries * against.vectors[:, None]).sum(-1).T
        return 2 * self.scale**2 * (1 - cosines)  # |s u - s v|^2 where u and v have length 1

    def queries(self, turns: Tensor, mask: Tensor, against: Against) -> Tensor:
        """What each history asks for, seen from each candidate, (G, B, d)."""
        rows, last = torch.arange(len(turns), device=turns.device), mask.sum(1) - 1
        groups = against.groups
        if self.order == "gru-first":
            heard = self.out(self.gru(turns)[0])
            parts, total = self.attention(heard, mask, against.keys)
            seen = [part * turn for part, turn in zip(parts, heard.unbind(1), strict=True)]
            asked = groups.mean((torch.stack(seen).sum(0) if len(seen) > 1 else seen[0]) / total)
        else:
            parts, total = self.attention(turns, mask, against.keys)
            seen = [groups.mean(part / total) * turn for part, turn in zip(parts, turns.unbind(1), strict=True)]
            steps = torch.stack(seen, dim=2)  # (G, B, T, d)
            states = self.gru(steps.flatten(0, 1))[0].view(*steps.shape[:3], -1)
            asked = self.out(states[:, rows, last])
        return asked if self.gate is None else turns[rows, last] + self.gate * asked
