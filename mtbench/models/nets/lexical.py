"""A query over words: BM25's, with a learned weight for every word, a gate and an expansion of low rank."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

FIRST = 0.02
"""Standard deviation of the first weights that read the feedback."""


class Lexical(nn.Module):
    """What to look for, given the words of a reference and of the feedback.

    With r the words of the reference, c those of the feedback and x the same as the gate and the expansion read it::

        q = exp(g_d) * (w r exp(g_r) (1 + x A B) + c exp(g_c) + x C E)

    At first g, B and E are 0, so that q = w r + c, the query of BM25. ``exp(g_d)`` belongs to the documents; a score
    is a dot product, so it may stand here, and the documents stay constant. x keeps every word that the users say,
    "no" and "less" among them.

    Args:
        words: that documents have, V.
        said: words that feedback has, S.
        rank: of the gate and of the expansion.
        reference_weight: w at the start; it is learned.
        dropout: of x.
    """

    def __init__(self, words: int, said: int, *, rank: int, reference_weight: float, dropout: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(math.log(reference_weight)))
        self.gains = nn.Parameter(torch.zeros(3, words))
        """g_d, g_r and g_c; a matrix, so that weight decay draws them to BM25."""
        self.reads = nn.Parameter(FIRST * torch.randn(said, 2 * rank))
        self.gate = nn.Parameter(torch.zeros(rank, words))
        self.expansion = nn.Parameter(torch.zeros(rank, words))
        self.dropout = nn.Dropout(dropout)

    def forward(self, references: Tensor, feedback: Tensor, said: Tensor) -> Tensor:
        """The weight of every word (B, V), of counts of words (B, V), (B, V) and (B, S)."""
        documents, of_reference, of_feedback = self.gains.exp()
        for_gate, for_expansion = (self.dropout(said) @ self.reads).chunk(2, dim=1)
        kept = self.weight.exp() * references * of_reference * (1 + for_gate @ self.gate)
        query: Tensor = documents * (kept + feedback * of_feedback + for_expansion @ self.expansion)
        return query


class Scores(torch.autograd.Function):
    """Queries (B, V) times constant sparse documents: (B, G). The documents come twice, as (G, V) and as (V, G)."""

    @staticmethod
    def forward(ctx: Any, queries: Tensor, documents: Tensor, turned: Tensor) -> Tensor:
        """(B, G)."""
        ctx.turned = turned
        scores: Tensor = torch.sparse.mm(documents, queries.T.contiguous()).T
        return scores

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """(B, V), by a product of the same kind: the one that torch would take is slower."""
        return torch.sparse.mm(ctx.turned, gradients[0].T.contiguous()).T, None, None
