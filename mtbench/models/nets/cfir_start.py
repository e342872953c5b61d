"""Where the training of CFIR starts: at what frozen vectors of images and texts know already.

The public code can start the words at three GloVe vectors of 300 numbers, which is where its 900 come from. Here the
vectors of the features take their place.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mtbench.models.learning.vocabulary import PADDING
from mtbench.models.nets.cfir import Network

AT_ONCE = 1024
"""Texts in one piece, which bounds the memory."""

LENGTH = 3.0
"""Of the vectors of words, on average: e^9 against e^0 makes a word attend to itself and its like."""

TEXT = 1.5
"""How much more the feedback counts than the image, at first: 1 against 0.7, as in the composer ``residual``."""

RIDGE = 10.0
"""Of the regression; there are some 17,000 texts."""


@torch.no_grad()
def start_at(net: Network, images: Tensor, texts: Tensor, tokens: Tensor, groups: Tensor) -> None:
    """Let the network begin as "image + text" in the space of the features.

    The image projection becomes their principal axes; the words get the vectors whose sums come nearest to the texts,
    and the text encoder's output the regression that does. Where the network is wider than the features, what is more
    stays as it was drawn.

    Args:
        net: to be started, in place.
        images: vectors of training images, (I, D).
        texts: vectors of training feedback, (X, D).
        tokens: of that feedback, (X, L).
        groups: tokens of the groups of attribute words, which share the BatchNorm with the feedback, (U, L').
    """
    axes = principal_axes(torch.cat([images, texts]))
    wanted = texts.double() @ axes.T
    text, own = net.text, net.text.batch_norm
    _put(net.image.weight, axes)
    net.image.bias.zero_()

    counts = torch.zeros(len(tokens), text.embedding.num_embeddings, dtype=torch.float64, device=tokens.device)
    counts.scatter_add_(1, tokens, (tokens != PADDING).double())
    words = ridge(counts, wanted[:, : text.embedding.embedding_dim], 1.0)
    known = words.norm(dim=1) > 0
    _put(text.embedding.weight, words * (LENGTH / words[known].norm(dim=1).mean()))

    was_training = text.training
    text.eval()
    parts = (*torch.split(tokens, AT_ONCE), *torch.split(groups, AT_ONCE))
    pooled = torch.cat([text.pool(part) for part in parts])
    assert own.running_mean is not None and own.running_var is not None
    own.running_mean.copy_(pooled.mean(0))
    own.running_var.copy_(pooled.var(0, correction=0))
    ones = torch.ones(len(tokens), 1, dtype=torch.float64, device=tokens.device)
    seen = torch.cat([text.normed(pooled[: len(tokens)]).double(), ones], dim=1)
    found = TEXT * ridge(seen, wanted[:, : text.out.out_features], RIDGE)
    _put(text.out.weight, found[:-1].T)
    _put(text.out.bias, found[-1])
    text.train(was_training)


def principal_axes(vectors: Tensor) -> Tensor:
    """Principal axes (uncentred) of vectors (n, D), the strongest first, float64 (D, D).

    The sign of an axis is free: its largest weight is made positive, so that every machine finds the same.
    """
    _, axes = torch.linalg.eigh(vectors.double().T @ vectors.double())  # ascending
    axes = axes.T.flip(0)
    found: Tensor = axes * axes.gather(1, axes.abs().argmax(dim=1, keepdim=True)).sign()
    return found


def ridge(inputs: Tensor, outputs: Tensor, strength: float) -> Tensor:
    """The linear map (n, p) to (n, q) with the least squared error plus ``strength`` times its own squares, (p, q)."""
    square = inputs.T @ inputs + strength * torch.eye(inputs.shape[1], dtype=inputs.dtype, device=inputs.device)
    found: Tensor = torch.linalg.solve(square, inputs.T @ outputs)
    return found


def _put(into: Tensor, values: Tensor) -> None:
    """Write as much as fits into the first rows and columns."""
    where = tuple(slice(min(size, given)) for size, given in zip(into.shape, values.shape, strict=True))
    into[where] = values[where].to(into)
