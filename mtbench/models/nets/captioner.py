"""A relative captioner: what to say of a reference image to somebody who should find the target.

Show, Attend and Tell (Xu et al. 2015) over two things to look at, the target and the difference target - reference
(Guo et al., section 4.2 and supplement): the features here are one vector per image, so there is no grid of places.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

START, END = 0, 1
DECIMALS = 4
"""Of the score of a word: of words that differ by less, the first is said, on every machine."""


class RelativeCaptioner(nn.Module):
    """An LSTM that attends to [target; target - reference] before each word.

    Args:
        features: size of an image's vector.
        words: how many words it can say, `START` and `END` among them.
        width: of the LSTM; 512 in the paper.
        embedding: of a word.
        dropout: of the vectors that become words.
    """

    def __init__(
        self, features: int, words: int, *, width: int = 512, embedding: int = 256, dropout: float = 0.2
    ) -> None:
        super().__init__()
        # Of a vector of length 1 each number is tiny, and an LSTM of small numbers takes epochs to see them.
        self.look = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(features), nn.Linear(features, width), nn.Tanh()) for _ in range(2)
        )
        self.attend = nn.Linear(2 * width, width)
        self.weigh = nn.Linear(width, 1)
        self.begin = nn.Linear(2 * width, 2 * width)
        self.embed = nn.Embedding(words, embedding)
        self.cell = nn.LSTMCell(embedding + width, width)
        self.gate = nn.Linear(width, width)
        self.drop = nn.Dropout(dropout)
        self.tell = nn.Linear(width, words)

    def see(self, references: Tensor, targets: Tensor) -> Tensor:
        """What there is to look at, (B, 2, width), of image vectors (B, features)."""
        parts = (targets, targets - references)
        return torch.stack([layer(part) for layer, part in zip(self.look, parts, strict=True)], dim=1)

    def start(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """The first state, two of (B, width)."""
        hidden, cell = torch.tanh(self.begin(seen.flatten(1))).chunk(2, dim=1)
        return hidden, cell

    def step(self, words: Tensor, seen: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Scores of the next word (B, words) after ``words`` (B,), and the state."""
        hidden = state[0]
        asked = torch.cat([seen, hidden[:, None].expand_as(seen)], dim=2)
        weights = torch.softmax(self.weigh(torch.tanh(self.attend(asked))), dim=1)
        context = torch.sigmoid(self.gate(hidden)) * (weights * seen).sum(dim=1)
        state = self.cell(torch.cat([self.embed(words), context], dim=1), state)
        return self.tell(self.drop(state[0])), state

    def forward(self, references: Tensor, targets: Tensor, words: Tensor) -> Tensor:
        """Scores (B, L, words) of each next word, given those before: ``words`` (B, L) begins with `START`."""
        seen = self.see(references, targets)
        state = self.start(seen)
        scores = []
        for place in range(words.shape[1]):
            told, state = self.step(words[:, place], seen, state)
            scores.append(told)
        return torch.stack(scores, dim=1)

    @torch.inference_mode()
    def greedy(self, references: Tensor, targets: Tensor, longest: int) -> Tensor:
        """The most likely word each time, (B, longest); `END` from where a sentence is over."""
        seen = self.see(references, targets)
        state = self.start(seen)
        words = torch.full((len(references),), START, device=references.device)
        over = torch.zeros_like(words, dtype=torch.bool)
        told = []
        for _ in range(longest):
            scores, state = self.step(words, seen, state)
            words = scores.round(decimals=DECIMALS).argmax(dim=1).masked_fill(over, END)
            over |= words == END
            told.append(words)
        return torch.stack(told, dim=1)
