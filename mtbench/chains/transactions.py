"""From pairs to named transactions: the graph, a chain policy, stable ids, and flags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mtbench.chains.graph import PairGraph
from mtbench.chains.policies import Rule, chain, nodes_of
from mtbench.core.types import Pair, Transaction, Turn


def graph_of(pairs: Sequence[Pair]) -> PairGraph:
    """The pair graph: pairs chain only inside one published split and category."""
    return PairGraph.build(
        [pair.reference for pair in pairs],
        [pair.target for pair in pairs],
        [f"{pair.category}.{pair.split}" for pair in pairs],
    )


def transactions_of(pairs: Sequence[Pair], policy: str, rule: Rule) -> tuple[list[Transaction], list[str]]:
    """The transactions that a chain policy makes of ``pairs``, and the published split of each.

    Ids are ``CATEGORY.SPLIT.INDEX``, counted over the sorted transactions of a published split and category: by
    number of turns, then by images. They do not depend on the split policy.
    """
    graph = graph_of(pairs)
    found: list[tuple[str, Sequence[Pair]]] = []
    for edges in chain(graph, policy, rule).values():
        groups = graph.groups[nodes_of(graph, edges)[:, 0]]
        for group, row in zip(groups, graph.pair[edges].tolist(), strict=True):
            found.append((group, [pairs[index] for index in row]))
    found.sort(key=lambda item: item[0])  # stable: inside a group the order of the policy stays
    counter: Counter[str] = Counter()
    transactions = []
    for group, steps in found:
        turns = tuple(Turn(pair.reference, pair.feedback, pair.target) for pair in steps)
        transactions.append(
            Transaction(
                f"{group}.{counter[group]:04}",
                steps[0].category,
                turns,
                tuple(pair.pair_id for pair in steps),
                shown_twice(turns),
            )
        )
        counter[group] += 1
    return transactions, [steps[0].split for _, steps in found]


def shown_twice(turns: Sequence[Turn]) -> tuple[str, ...]:
    """Flags of a transaction in which an image occurs twice."""
    references = [turn.reference for turn in turns]
    flags = []
    if len(set(references)) < len(references):
        flags.append("repeated-reference")
    if turns[-1].target in references:
        flags.append("target-shown")
    return tuple(flags)
