"""Chain policies: against their drawn examples, and against plain networkx on random graphs."""

from __future__ import annotations

import re

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtbench.chains.graph import PairGraph
from mtbench.chains.policies import CYCLES, POLICIES, Rule, chain, nodes_of
from mtbench.core.errors import MtbenchError

DRAWN = [("a", "b"), ("b", "c"), ("c", "d"), ("b", "e"), ("c", "b")]


def graph_of(pairs):
    return PairGraph.build([a for a, _ in pairs], [b for _, b in pairs])


def images(graph, chains):
    """Chains as tuples of image ids, all lengths together."""
    return [tuple(graph.images[row]) for edges in chains.values() for row in nodes_of(graph, edges)]


pair_lists = st.lists(st.tuples(st.sampled_from("abcdefg"), st.sampled_from("abcdefg")), max_size=18, unique=True)
rules = st.builds(Rule, min_turns=st.integers(1, 2), max_turns=st.integers(2, 5), cycles=st.sampled_from(CYCLES))


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_gives_the_chains_drawn_in_its_docstring(policy):
    drawn = dict(re.findall(r"^ +(stop|keep): ((?:[a-e]{3,5} ?)+)", POLICIES[policy].__doc__, re.MULTILINE))
    assert set(drawn) == {"stop", "keep"}
    graph = graph_of(DRAWN)
    for cycles, chains in drawn.items():
        found = images(graph, chain(graph, policy, Rule(cycles=cycles)))
        assert sorted("".join(c) for c in found) == sorted(chains.split())


# Slow references, written on networkx and plain Python from the words of each docstring.


def reference_all_paths(graph: nx.DiGraph, rule: Rule):
    found = []
    for source in graph:
        for target in graph:
            if source != target:
                found += nx.all_simple_paths(graph, source, target, cutoff=rule.max_turns)
    if rule.cycles == "keep":
        simple = [[n] for n in graph] + found
        found = found + [
            [*path, after]
            for path in simple
            if len(path) <= rule.max_turns
            for after in graph.successors(path[-1])
            if after in path
        ]
    return found


def reference_maximal(graph: nx.DiGraph, rule: Rule, loops: set[str]):
    found = []

    def walk(path):
        after = list(graph.successors(path[-1]))
        fresh = [n for n in after if n not in path]
        visited = [n for n in after if n in path]
        if rule.cycles == "keep":
            found.extend([*path, n] for n in visited)
            if not after:
                found.append(path)
        elif not fresh and not (rule.cycles == "drop" and visited):
            found.append(path)
        for n in fresh:
            walk([*path, n])

    for source in graph:
        if graph.in_degree(source) == 0 and source not in loops:
            walk([source])
    return found


def walk_back(graph: nx.DiGraph, end: str, steps: int, cycles: str):
    path = [end]
    while len(path) <= steps and graph.in_degree(path[0]):
        before = max(graph.predecessors(path[0]))
        if before in path:
            if cycles == "drop":
                return []
            return [before, *path] if cycles == "keep" else path
        path = [before, *path]
    return path


def reference_leaf_suffix(graph: nx.DiGraph, rule: Rule):
    found = []
    for leaf in graph:
        if graph.out_degree(leaf) == 0:
            path = walk_back(graph, leaf, rule.max_turns, rule.cycles)
            found += [path[-turns - 1 :] for turns in range(1, len(path))]
    return found


def reference_one_per_target(graph: nx.DiGraph, rule: Rule):
    return [walk_back(graph, target, rule.max_turns + 1, rule.cycles) for target in graph]


@given(pairs=pair_lists, rule=rules)
@settings(max_examples=150, deadline=None)
def test_every_policy_agrees_with_plain_networkx(pairs, rule):
    plain = nx.DiGraph()
    plain.add_nodes_from(sorted({n for pair in pairs for n in pair}))
    plain.add_edges_from((a, b) for a, b in pairs if a != b)
    loops = {a for a, b in pairs if a == b}
    references = {
        "all-paths": reference_all_paths(plain, rule),
        "maximal": reference_maximal(plain, rule, loops),
        "leaf-suffix": reference_leaf_suffix(plain, rule),
        "one-per-target": reference_one_per_target(plain, rule),
    }
    graph = graph_of(pairs)
    for policy, paths in references.items():
        wanted = sorted(tuple(p) for p in paths if rule.min_turns <= len(p) - 1 <= rule.max_turns)
        assert sorted(images(graph, chain(graph, policy, rule))) == wanted, policy


@given(pairs=pair_lists, rule=rules)
@settings(max_examples=60, deadline=None)
def test_edge_disjoint_uses_no_pair_twice_and_leaves_no_chain_that_would_still_fit(pairs, rule):
    graph = graph_of(pairs)
    chains = chain(graph, "edge-disjoint", rule)
    used = [edge for edges in chains.values() for edge in edges.ravel()]
    assert len(used) == len(set(used))
    for edges in chain(graph, "all-paths", rule).values():
        for row in edges:
            assert set(row) & set(used)


@given(pairs=pair_lists, policy=st.sampled_from(sorted(POLICIES)))
@settings(max_examples=60, deadline=None)
def test_by_default_no_image_occurs_twice_in_a_chain_and_rows_ascend(pairs, policy):
    graph = graph_of(pairs)
    for edges in chain(graph, policy).values():
        rows = [tuple(row) for row in edges]
        assert rows == sorted(set(rows))
        for row in nodes_of(graph, edges):
            assert len(set(row)) == len(row)


def test_pairs_chain_only_inside_their_group():
    graph = PairGraph.build(["a", "b", "b"], ["b", "c", "d"], ["dress", "dress", "shirt"])
    chains = chain(graph, "all-paths")
    assert images(graph, chains) == [("a", "b", "c")]


def test_the_order_of_the_pairs_does_not_change_the_chains():
    shuffled = [DRAWN[i] for i in (3, 0, 4, 2, 1)]
    for policy in POLICIES:
        assert images(graph_of(DRAWN), chain(graph_of(DRAWN), policy)) == images(
            graph_of(shuffled), chain(graph_of(shuffled), policy)
        )


def test_small_blocks_give_the_same_paths(monkeypatch):
    rng = np.random.default_rng(0)
    pairs = sorted({(f"{a:02}", f"{b:02}") for a, b in rng.integers(0, 40, (120, 2))})
    graph = graph_of(pairs)
    whole = {policy: images(graph, chain(graph, policy)) for policy in POLICIES}
    monkeypatch.setattr("mtbench.chains.policies.BLOCK", 3)
    assert {policy: images(graph, chain(graph, policy)) for policy in POLICIES} == whole


def test_an_explosion_of_paths_stops_with_advice(monkeypatch):
    monkeypatch.setattr("mtbench.chains.policies.LIMIT", 3)
    with pytest.raises(MtbenchError, match=r"more than 3 chains.*one-per-target"):
        chain(graph_of(DRAWN), "all-paths")


def test_the_graph_goes_to_networkx_with_the_pair_of_each_edge():
    graph = graph_of([("b", "c"), ("a", "b"), ("a", "a")]).to_networkx()
    assert nx.utils.graphs_equal(
        graph,
        nx.DiGraph([(("", "a"), ("", "b"), {"pair": 1}), (("", "b"), ("", "c"), {"pair": 0})]),
    )


def test_an_empty_graph_has_no_chains():
    for policy in POLICIES:
        assert images(graph_of([]), chain(graph_of([]), policy)) == []


def test_a_wrong_policy_name_is_answered_with_the_nearest():
    with pytest.raises(MtbenchError, match="Did you mean 'one-per-target'"):
        chain(graph_of(DRAWN), "one-per-targt")
