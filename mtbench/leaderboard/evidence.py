"""How much evidence a score rests on: transactions that share a final target or a designed block are one piece of it.

>>> counted(2106, 16)
'2,106 transactions in 16 clusters'
"""

from __future__ import annotations

FEW = 30
"""Clusters below which a bootstrap over them gives intervals that are too narrow."""
TOO_FEW = f"With fewer than {FEW} clusters the intervals are too narrow to trust."


def counted(n: int, clusters: int) -> str:
    """How many transactions there are, and in how many clusters."""
    return f"{n:,} transactions in {clusters:,} clusters"


def warning(clusters: int) -> str:
    """What to say of intervals over so many clusters; nothing where there are enough."""
    return TOO_FEW if clusters < FEW else ""
