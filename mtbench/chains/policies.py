"""Chain policies: the named rules that turn the pair graph into transactions.

Every example below is drawn on this graph, where each arrow is a pair::

    a --> b <--> c --> d
          |
          v
          e

A policy returns ``{turns: edges}``, with ``edges`` an array (chains, turns) of edge numbers, oldest turn first, rows
in ascending order. What happens where a chain comes back to an image it has already shown is one of `CYCLES`:

=======  ==================================================================================
stop     the chain ends before the repeat (default: no image occurs twice in a transaction)
keep     the closing turn stays, and the chain ends there
drop     the whole chain goes
=======  ==================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtbench.chains.graph import Ints, PairGraph
from mtbench.core.errors import MtbenchError, unknown
from mtbench.core.types import MAX_TURNS, MIN_TURNS

Chains = dict[int, Ints]

CYCLES = ("stop", "drop", "keep")
BLOCK = 1 << 14
"""Rows extended at a time: what an enumeration holds beyond its result is some of these, and they fit in a cache."""
LIMIT = 50_000_000
"""Chains after which an enumeration gives up, rather than fill the memory."""


@dataclass(frozen=True)
class Rule:
    """The parameters of a chain policy."""

    min_turns: int = MIN_TURNS
    max_turns: int = MAX_TURNS
    cycles: str = "stop"

    def __post_init__(self) -> None:
        if self.cycles not in CYCLES:
            raise unknown("cycle rule", self.cycles, CYCLES)
        if not 1 <= self.min_turns <= self.max_turns:
            raise MtbenchError(f"turns must satisfy 1 <= min <= max, not {self.min_turns} and {self.max_turns}")


def all_paths(graph: PairGraph, rule: Rule) -> Chains:
    """Every simple directed path of min to max edges::

    stop: abc abe abcd bcd cbe
    keep: abc abe abcb abcd bcb bcd cbc cbe
    """
    found = _Collector(graph, rule)
    for paths, closed in _grow(graph, np.arange(len(graph)), rule):
        found.add(paths if rule.cycles == "keep" or not closed.any() else paths[~closed])
    return found.chains()


def maximal(graph: PairGraph, rule: Rule) -> Chains:
    """Paths from an image without predecessor until no unvisited successor is left::

        stop: abe abcd                 (not bcd: b has a predecessor)
        keep: abe abcb abcd

    A pair from an image to itself counts as a predecessor, as in the counts this policy was recovered from.
    """
    has_predecessor = graph.loops.copy()
    has_predecessor[graph.target] = True
    found = _Collector(graph, rule)
    for paths, closed in _grow(graph, np.flatnonzero(~has_predecessor[graph.reference]), rule):
        ended, blocked = _is_maximal(graph, paths, closed)
        if rule.cycles == "keep":
            found.add(paths[closed | (ended & ~blocked)])
        elif rule.cycles == "drop":
            found.add(paths[ended & ~blocked & ~closed])
        else:
            found.add(paths[ended & ~closed])
    return found.chains()


def leaf_suffix(graph: PairGraph, rule: Rule) -> Chains:
    """From every image that is never a reference, walk back, and emit the last 2, 3 and 4 edges::

        stop: bcd cbe                  (leaves d and e; b was reached from a and c, and the last by name counts)
        keep: bcbe bcd cbcd cbe

    This is the rule behind the Multi-turn FashionIQ release, recovered from its files (before its human filter).
    """
    is_reference = np.zeros(len(graph.images), dtype=bool)
    is_reference[graph.reference] = True
    leaves = np.unique(graph.target[~is_reference[graph.target]])
    walk = _walk_back(graph, leaves, rule.max_turns, rule.cycles)
    return {
        turns: _in_order(walk.edges[walk.depth >= turns, :turns][:, ::-1])
        for turns in range(rule.min_turns, rule.max_turns + 1)
    }


def one_per_target(graph: PairGraph, rule: Rule) -> Chains:
    """One chain for every target, walked back to its start; a chain with more than max turns is dropped::

        stop: bcd cbe                  (targets d and e; those of b and c are too short)
        keep: bcb bcbe cbc cbcd

    Where several pairs lead to an image, the one whose reference comes last by name counts. The nearest of more
    than 20,000 rules to the unreleased Multi-turn Shoes.
    """
    # One step more than is wanted, so that a longer chain is seen to be longer.
    walk = _walk_back(graph, np.unique(graph.target), rule.max_turns + 1, rule.cycles)
    return {
        turns: _in_order(walk.edges[walk.depth == turns, :turns][:, ::-1])
        for turns in range(rule.min_turns, rule.max_turns + 1)
    }


def edge_disjoint(graph: PairGraph, rule: Rule) -> Chains:
    """Each pair in one chain at most, longest first, then in sorted order::

    stop: abcd cbe
    keep: abcb
    """
    paths = all_paths(graph, rule)
    used = np.zeros(len(graph), dtype=bool)
    chosen: Chains = {}
    for turns in sorted(paths, reverse=True):
        rows: list[list[int]] = []
        for start in range(0, len(paths[turns]), BLOCK):
            block = paths[turns][start : start + BLOCK]
            taken: set[int] = set()
            for row in block[~used[block].any(axis=1)].tolist():
                if taken.isdisjoint(row):
                    taken.update(row)
                    rows.append(row)
            used[list(taken)] = True
        chosen[turns] = np.array(rows, dtype=np.int64).reshape(-1, turns)
    return dict(sorted(chosen.items()))


POLICIES: dict[str, Callable[[PairGraph, Rule], Chains]] = {
    "all-paths": all_paths,
    "edge-disjoint": edge_disjoint,
    "leaf-suffix": leaf_suffix,
    "maximal": maximal,
    "one-per-target": one_per_target,
}


def chain(graph: PairGraph, policy: str, rule: Rule | None = None) -> Chains:
    """Apply the chain policy called ``policy``.

    Raises:
        MtbenchError: no such policy, or more than `LIMIT` chains.
    """
    if policy not in POLICIES:
        raise unknown("chain policy", policy, POLICIES)
    return POLICIES[policy](graph, rule or Rule())


def nodes_of(graph: PairGraph, edges: Ints) -> Ints:
    """The images of chains as node numbers: (n, turns) edges -> (n, turns + 1) nodes."""
    return np.concatenate([graph.reference[edges[:, :1]], graph.target[edges]], axis=1)


class _Collector:
    """Gathers blocks of chains, which come in ascending order, by their number of turns."""

    def __init__(self, graph: PairGraph, rule: Rule) -> None:
        # 32 bits number every edge that fits in memory, and halve what is held.
        dtype = np.int32 if len(graph) < 1 << 31 else np.int64
        self._rows: Chains = {n: np.empty((0, n), dtype) for n in range(rule.min_turns, rule.max_turns + 1)}
        self._count = dict.fromkeys(self._rows, 0)

    def add(self, paths: Ints) -> None:
        turns = paths.shape[1]
        if turns not in self._rows:
            return
        rows, start = self._rows[turns], self._count[turns]
        end = self._count[turns] = start + len(paths)
        if sum(self._count.values()) > LIMIT:
            raise MtbenchError(f"more than {LIMIT:,} chains: choose --chains one-per-target, or a smaller --max-turns")
        if end > len(rows):  # by a quarter more than is needed; a list of blocks would be held twice to be joined
            rows.resize((end + end // 4, turns), refcheck=False)
        rows[start:end] = paths

    def chains(self) -> Chains:
        for turns, rows in self._rows.items():
            rows.resize((self._count[turns], turns), refcheck=False)
        return self._rows


def _in_order(rows: Ints) -> Ints:
    return rows[np.lexsort(rows.T[::-1])]


def _grow(graph: PairGraph, edges: Ints, rule: Rule) -> Iterator[tuple[Ints, npt.NDArray[np.bool_]]]:
    """Yield the paths that begin with ``edges`` up to max turns, each block with which of its rows closed a cycle.

    Depth first over blocks: the memory is a block for each turn, whatever the number of paths, and those of one
    number of turns come in ascending order.
    """
    for start in range(0, len(edges), BLOCK):
        paths = edges[start : start + BLOCK, None]
        yield paths, np.zeros(len(paths), dtype=bool)
        waiting = [_by_fan_out(graph, paths)]
        while waiting:
            block = next(waiting[-1], None)
            if block is None:
                waiting.pop()
            elif block.shape[1] < rule.max_turns:
                longer, closed = _extend(graph, block)
                yield longer, closed
                waiting.append(_by_fan_out(graph, longer[~closed] if closed.any() else longer))


def _by_fan_out(graph: PairGraph, paths: Ints) -> Iterator[Ints]:
    """Split rows so that their continuations stay within one block (a single row may exceed it)."""
    if not len(paths):
        return
    ends = graph.target[paths[:, -1]]
    fan_out = np.cumsum(graph.first[ends + 1] - graph.first[ends])
    if fan_out[-1] <= BLOCK:
        yield paths
        return
    yield from np.split(paths, np.flatnonzero(np.diff(fan_out // BLOCK)) + 1)


def _extend(graph: PairGraph, paths: Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Every path continued by every edge that leaves its end, and which of the results come back to an image."""
    ends = graph.target[paths[:, -1]]
    counts = graph.first[ends + 1] - graph.first[ends]
    rows = np.repeat(np.arange(len(paths)), counts)
    edges = (graph.first[ends] - np.cumsum(counts) + counts)[rows] + np.arange(len(rows))
    arrived = graph.target[edges]
    closed = arrived == graph.reference[paths[:, 0]][rows]
    longer = np.empty((len(rows), paths.shape[1] + 1), dtype=paths.dtype, order="F")  # by column, as it is filled
    longer[:, -1] = edges
    for column in range(paths.shape[1]):
        np.take(paths[:, column], rows, out=longer[:, column], mode="clip")  # "raise" would buffer the output
        if column < paths.shape[1] - 1:  # no pair goes from an image to itself
            closed |= arrived == graph.target[paths[:, column]][rows]
    return longer, closed


def _is_maximal(
    graph: PairGraph, paths: Ints, closed: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which paths have no unvisited successor, and which have a visited one."""
    ended, blocked = np.ones(len(paths), dtype=bool), np.zeros(len(paths), dtype=bool)
    start = 0
    for block in _by_fan_out(graph, paths):
        _, comes_back = _extend(graph, block)
        ends = graph.target[block[:, -1]]
        row = start + np.repeat(np.arange(len(block)), graph.first[ends + 1] - graph.first[ends])
        ended[row[~comes_back]] = False
        blocked[row[comes_back]] = True
        start += len(block)
    return ended & ~closed, blocked


@dataclass(frozen=True)
class _Walk:
    """Walks back from some images: edges (n, limit), newest first and -1 beyond ``depth`` (n,)."""

    edges: Ints
    depth: Ints


def _walk_back(graph: PairGraph, starts: Ints, limit: int, cycles: str) -> _Walk:
    """Follow, from each start, the edge that leads to it, for ``limit`` steps at most."""
    came_by = np.full(len(graph.images), -1, dtype=np.int64)
    came_by[graph.target] = np.arange(len(graph))  # the last one wins: edges are sorted by reference
    edges = np.full((len(starts), limit), -1, dtype=np.int64)
    seen = np.full((len(starts), limit + 1), -1, dtype=np.int64)
    seen[:, 0] = starts
    walking, came_back = np.arange(len(starts)), np.zeros(len(starts), dtype=bool)
    for step in range(limit):
        edge = came_by[seen[walking, step]]
        walking, edge = walking[edge >= 0], edge[edge >= 0]
        previous = graph.reference[edge]
        repeats = (seen[walking] == previous[:, None]).any(axis=1)
        came_back[walking[repeats]] = True
        go = ~repeats | (cycles == "keep")
        edges[walking[go], step] = edge[go]
        seen[walking[go], step + 1] = previous[go]
        walking = walking[~repeats]
    depth = (edges >= 0).sum(axis=1)
    if cycles == "drop":
        depth[came_back] = 0
    return _Walk(edges, depth)
