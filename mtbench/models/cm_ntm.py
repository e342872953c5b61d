"""FashionNTM: the Neural Turing Machine over f_qry, and its cascade of C memories (ICCV 2023, sections 3.2 and 3.3)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from torch import nn

from mtbench.models.learning.sequence import PAPER, SequenceModel
from mtbench.models.nets.cascade import CascadedMemory


@dataclass(kw_only=True)
class Ntm(SequenceModel):
    """Vanilla NTM: one memory over f_qry, with the options that the paper leaves open.

    Args:
        rows, columns: N and M of the memory; M is the size of the queries where it is 0.
        width: hidden units of the controller, H; 100 in the public code.
        start: what is in the memory before the first turn: ``learned``, ``constant`` (the public code), ``random``
            (the paper; two calls then differ).
        write_previous: see `mtbench.models.nets.cascade.CascadedMemory`.
    """

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {"paper": {**PAPER, "start": "constant", "rows": 4, "columns": 0}}
    )

    RANGES: ClassVar[Mapping[str, tuple[float, float]]] = MappingProxyType(
        {"rows": (1, math.inf), "columns": (0, math.inf), "width": (1, math.inf)}
    )

    rows: int = 4
    columns: int = 0
    width: int = 100
    start: Literal["learned", "constant", "random"] = "learned"
    write_previous: Literal["own", "read"] = "own"

    def memory(self, dim: int) -> nn.Module:
        """One memory for queries of this size."""
        return self._memory(dim, stages=1)

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
