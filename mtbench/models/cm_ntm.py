"""FashionNTM: the Neural Turing Machine over f_qry, and its cascade of C memories (ICCV 2023, sections 3.2 and 3.3)."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from mtbench.models.learning.sequence import PAPER, Reader, SequenceModel
from mtbench.models.nets.cascade import CascadedMemory
from mtbench.models.nets.folded import folded


@dataclass(kw_only=True)
class Ntm(SequenceModel):
    """Vanilla NTM: one memory over f_qry, with the options that the paper leaves open.

    Args:
        rows: N of the memory.
        columns: M of the memory; 0 for the size of the queries.
        width: hidden units of the controller, H; 100 in the public code.
        start: what is in the memory before the first turn: ``learned``; ``constant``, the public code; ``random``, the
            paper. The preset ``paper`` takes ``constant``, because a random memory gives other answers at each call.
        write_previous: the weights that a write head interpolates with: its ``own`` of the last turn, or those of the
            ``read`` head, as the public code had it before June 2021. For ablation.
    """

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {"paper": {**PAPER, "start": "constant", "rows": 4, "columns": 0, "width": 100, "write_previous": "own"}}
    )

    RANGES: ClassVar[Mapping[str, tuple[float, float]]] = MappingProxyType(
        {"rows": (1, math.inf), "columns": (0, math.inf), "width": (1, math.inf)}
    )

    rows: int = 4
    columns: int = 0
    width: int = 100
    start: Literal["learned", "constant", "random"] = "learned"
    write_previous: Literal["own", "read"] = "own"

    _folded: Reader | None = field(default=None, init=False, repr=False)

    def memory(self, dim: int) -> nn.Module:
        """One memory for queries of this size."""
        return self._memory(dim, stages=1)

    @property
    def reader(self) -> Reader:
        """The network over the turns, of a loaded model folded: `net` stays as it was trained."""
        return self._folded or super().reader

    def network(self, **inputs: Any) -> nn.Module:
        """See `SequenceModel`; what was folded was of the network before."""
        self._folded = None
        return super().network(**inputs)

    def load(self, inputs: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
        """Take the place of training. Answers are then those of a folded memory, which takes less time."""
        super().load(inputs, weights)
        memory = self.reader.memory
        if self.start != "random" and isinstance(memory, CascadedMemory):
            reader = copy.deepcopy(self.reader)
            reader.memory = folded(memory)
            self._folded = reader

    def _memory(self, dim: int, **cascade: Any) -> nn.Module:
        return CascadedMemory(
            dim,
            rows=self.rows,
            columns=self.columns or None,
            hidden=self.width,
            memory=self.start,
            write_previous=self.write_previous,
            **cascade,
        )


@dataclass(kw_only=True)
class CmNtm(Ntm):
    """CM-NTM: a cascade of C memories, each fed with a derived feature and what the one before it read.

    Args:
        stages: C; the paper uses 4 for Shoes and 8 for FashionIQ.
        cascade: what a stage hands on within a turn: ``read`` (the paper), ``residual``, ``write-first``.
        norm: of the derived features: ``batch`` (the paper), ``layer``, ``none``.
    """

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {"paper": {**Ntm.PRESETS["paper"], "stages": 4, "cascade": "read", "norm": "batch"}}
    )

    RANGES: ClassVar[Mapping[str, tuple[float, float]]] = MappingProxyType({"stages": (1, math.inf)})

    stages: int = 4
    cascade: Literal["read", "residual", "write-first"] = "residual"
    norm: Literal["batch", "layer", "none"] = "batch"

    def memory(self, dim: int) -> nn.Module:
        """C memories for queries of this size."""
        return self._memory(dim, stages=self.stages, cascade=self.cascade, norm=self.norm)
