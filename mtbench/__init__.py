"""Multi-turn composed image retrieval: build benchmarks, evaluate models, keep leaderboards.

>>> import mtbench
>>> benchmark = mtbench.load("shoes")                    # doctest: +SKIP
>>> benchmark.transactions("test")[0].turns[0].feedback  # doctest: +SKIP
('are darker',)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mtbench.data.benchmark import Benchmark, load

__version__ = "0.1.0"
__all__ = ["Benchmark", "__version__", "load"]


def __getattr__(name: str) -> Any:
    """Import the public names on first use, so that ``mtbench --help`` stays instant."""
    if name in ("Benchmark", "load"):
        from mtbench.data import benchmark

        return getattr(benchmark, name)
    raise AttributeError(f"module 'mtbench' has no attribute {name!r}")
