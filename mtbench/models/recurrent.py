"""ST + LSTM, the strongest baseline of FashionNTM (section 4): one recurrent layer over f_qry; and a GRU beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from torch import Tensor, nn

from mtbench.models.learning.sequence import SequenceModel


class Recurrent(nn.Module):
    """One layer and a projection back to d, which the paper does not state but needs."""

    def __init__(self, cell: type[nn.LSTM] | type[nn.GRU], dim: int, hidden: int) -> None:
        super().__init__()
        self.cell = cell(dim, hidden, batch_first=True)
        self.out = nn.Linear(hidden, dim)

    def forward(self, turns: Tensor, mask: Tensor) -> Tensor:
        """(B, T, d) to (B, T, d). Padding is on the right, so no real turn sees it."""
        found: Tensor = self.out(self.cell(turns)[0])
        return found

    def step(self, turn: Tensor, state: Any) -> tuple[Tensor, Any]:
        """One turn (B, d) and the state of the cell."""
        found, state = self.cell(turn[:, None], state)
        return self.out(found[:, 0]), state


@dataclass(kw_only=True)
class Lstm(SequenceModel):
    """ST + LSTM: one layer over f_qry.

    Args:
        width: hidden units; 100 in FashionNTM.
    """

    RANGES: ClassVar[Mapping[str, tuple[float, float]]] = MappingProxyType({"width": (1, math.inf)})

    width: int = 100

    def memory(self, dim: int) -> nn.Module:
        """The layer for vectors of this size."""
        return Recurrent(nn.LSTM, dim, self.width)


@dataclass(kw_only=True)
class Gru(SequenceModel):
    """ST + GRU: the same with a gated recurrent unit.

    Args:
        width: hidden units.
    """

    RANGES: ClassVar[Mapping[str, tuple[float, float]]] = MappingProxyType({"width": (1, math.inf)})

    width: int = 100

    def memory(self, dim: int) -> nn.Module:
        """The layer for vectors of this size."""
        return Recurrent(nn.GRU, dim, self.width)
