"""The target-leak firewall: put any model to the checks that a fair score rests on.

>>> report = check("bm25")                                         # doctest: +SKIP
>>> report.ok, [(f.check, f.status) for f in report.findings][:2]  # doctest: +SKIP
(True, [('contract', 'pass'), ('finite', 'pass')])

A model's output must not change when the targets are permuted or removed: in the queries that are ranked, in the
transactions and the truth of the benchmark that catalogue, features and study hold, and in the frames that call the
model. No wrapper stands between the engine and the model while this is tried: the scores are read from the ranking
itself. So a model that looks for its answers where an evaluation has them finds the ones of the moment.

What no run can catch: a model that reads answers from disk or the network, image ids that give them away, a cache at
the level of an installed module, and a model that behaves while it is checked, which can tell that it is: by the call
stack, the number of histories, the features made in memory. Those show in its source alone. To pass is no proof.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mtbench.core.errors import MtbenchError
from mtbench.core.options import construct, known_options
from mtbench.core.registry import MODELS
from mtbench.data.benchmark import Benchmark
from mtbench.evaluation.firewall.data import of_benchmark, small
from mtbench.evaluation.firewall.steps import FAIL, Finding, Steps


@dataclass(frozen=True)
class CheckReport:
    """What was found.

    Attributes:
        model: as it was asked for.
        options: of the model, as typed, with the seed where it takes one.
        data: what it was checked on.
        histories: how many of them.
        findings: one for each check, in a fixed order.
    """

    model: str
    options: Mapping[str, object]
    data: str
    histories: int
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return all(finding.status != FAIL for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """As JSON: the attributes, and ``ok``."""
        return {**asdict(self), "options": {k: str(v) for k, v in self.options.items()}, "ok": self.ok}


def check(
    name: str,
    *,
    options: Mapping[str, object] | None = None,
    seed: int = 0,
    benchmark: Benchmark | None = None,
) -> CheckReport:
    """Put a model to every check. It is made, and fitted, five times.

    Args:
        name: a registered model, ``module:Class`` or ``file.py:Class``.
        options: of the model, as typed.
        seed: for a model that takes one.
        benchmark: what to check it on, some hundred transactions of it; a small one made in memory by default.

    Raises:
        MtbenchError: no such model, options it does not take, a benchmark without test transactions. What is wrong
            with the model itself is a finding, not an error.
    """
    if seed < 0:
        raise MtbenchError(f"the seed must be 0 or more, not {seed}")
    given: dict[str, object] = dict(options or {})
    plugin = MODELS.get(name)
    takes_seed = any(option.split("=")[0] == "seed" for option in known_options(plugin))
    if takes_seed:
        given.setdefault("seed", seed)
    data = of_benchmark(benchmark) if benchmark is not None else small()
    with data.borrowed():
        findings = Steps(_maker(name, given), plugin, data, takes_seed=takes_seed).run()
    return CheckReport(name, given, data.name, len(data.transactions()), findings)


def _maker(name: str, options: Mapping[str, object]) -> Callable[[], Any]:
    """Makes the model anew; one from a file is imported anew too, so that nothing it kept is left.

    The first is made here, because options that it does not take are no fault of the model.
    """

    def make() -> Any:
        return construct(MODELS.get(name), options, what=f"model {name!r}")

    try:
        make()
    except MtbenchError:
        raise
    except Exception:  # the model's own: the first check says so
        pass
    return make
