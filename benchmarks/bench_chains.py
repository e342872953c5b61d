"""Chain enumeration against networkx on Shoes, and against CSR joins in numpy and DuckDB on a million pairs.

    python benchmarks/bench_chains.py [--raw DIR] [--pairs N] [--json]

Goals: all paths of Shoes 100 times faster than `networkx.all_simple_paths`; on a million pairs within 1.5 times the
faster peer, in memory that is bounded beyond the result. Every peer must find the same chains, which is checked.
"""

from __future__ import annotations

import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import common
import duckdb
import networkx as nx
import numpy as np
import pyarrow as pa

from builders.shoes import read_shoes
from mtbench.chains.graph import PairGraph
from mtbench.chains.policies import POLICIES, Chains, Rule, chain, nodes_of
from mtbench.chains.transactions import graph_of
from mtbench.core.types import MAX_TURNS, MIN_TURNS

TURNS = range(MIN_TURNS, MAX_TURNS + 1)
Nodes = tuple[int, ...]


# The policies in networkx and plain Python: nodes are numbers, so that nothing is spent on names.


def simple_paths(graph: nx.DiGraph) -> Iterator[list[int]]:
    """All paths, with the targets that can be reached at all."""
    for source in graph:
        targets = nx.single_source_shortest_path_length(graph, source, cutoff=MAX_TURNS)
        yield from nx.all_simple_paths(graph, source, targets, cutoff=MAX_TURNS)


def simple_paths_to_all(graph: nx.DiGraph) -> Iterator[list[int]]:
    """All paths, with every image as a target."""
    for source in graph:
        yield from nx.all_simple_paths(graph, source, graph, cutoff=MAX_TURNS)


def maximal(graph: nx.DiGraph) -> Iterator[list[int]]:
    stack = [[node] for node, count in graph.in_degree if not count and not graph.nodes[node]["loop"]]
    while stack:
        path = stack.pop()
        fresh = [node for node in graph.successors(path[-1]) if node not in path]
        if not fresh:
            yield path
        elif len(path) <= MAX_TURNS:
            stack += [[*path, node] for node in fresh]


def walk_back(graph: nx.DiGraph, end: int, steps: int) -> list[int]:
    path = [end]
    while len(path) <= steps and graph.in_degree(path[-1]):
        before = max(graph.predecessors(path[-1]))
        if before in path:
            break
        path.append(before)
    return path[::-1]


def leaf_suffix(graph: nx.DiGraph) -> Iterator[list[int]]:
    for node, count in graph.out_degree:
        if not count:
            path = walk_back(graph, node, MAX_TURNS)
            yield from (path[-turns - 1 :] for turns in range(1, len(path)))


def one_per_target(graph: nx.DiGraph) -> Iterator[list[int]]:
    return (walk_back(graph, node, MAX_TURNS + 1) for node in graph)


def edge_disjoint(graph: nx.DiGraph) -> Iterator[list[int]]:
    used: set[tuple[int, int]] = set()
    for path in sorted(simple_paths(graph), key=lambda path: (-len(path), path)):
        pairs = set(nx.utils.pairwise(path))
        if len(path) > MIN_TURNS and not pairs & used:
            used |= pairs
            yield path


NETWORKX = {
    "all-paths": simple_paths,
    "edge-disjoint": edge_disjoint,
    "leaf-suffix": leaf_suffix,
    "maximal": maximal,
    "one-per-target": one_per_target,
}


def wanted(paths: Iterable[Sequence[int]]) -> list[Nodes]:
    return sorted(tuple(path) for path in paths if MIN_TURNS < len(path) <= MAX_TURNS + 1)


def on_shoes(graph: PairGraph, repeat: int) -> list[dict[str, object]]:
    """Each policy beside networkx, which runs once for every few times of ours."""
    plain = nx.DiGraph()
    plain.add_nodes_from((node, {"loop": loop}) for node, loop in enumerate(graph.loops))
    plain.add_edges_from(zip(graph.reference.tolist(), graph.target.tolist(), strict=True))
    peers: list[tuple[str, str, Callable[[nx.DiGraph], Iterator[list[int]]]]] = [
        *((policy, "networkx", NETWORKX[policy]) for policy in POLICIES),
        ("all-paths", "networkx, every image a target", simple_paths_to_all),
    ]
    rows = []
    for policy, peer, reference in peers:
        times = {"ours": float("inf"), "theirs": float("inf")}
        for _ in range(1 if reference is simple_paths_to_all else min(3, repeat)):
            ours = common.least({"ours": lambda policy=policy: chain(graph, policy)}, repeat)
            start = time.perf_counter()
            found = list(reference(plain))
            theirs = {"theirs": time.perf_counter() - start}
            times = {name: min(t, {**ours, **theirs}[name]) for name, t in times.items()}
        chains = chain(graph, policy)
        assert wanted(found) == wanted(row for edges in chains.values() for row in nodes_of(graph, edges).tolist())
        rows.append(
            {
                "policy": policy,
                "peer": peer,
                "chains": sum(map(len, chains.values())),
                "ms": 1000 * times["ours"],
                "peer ms": 1000 * times["theirs"],
                "times faster": times["theirs"] / times["ours"],
            }
        )
    return rows


# A million pairs.


def pairs_of(kind: str, n: int) -> tuple[list[str], list[str]]:
    """References and targets among 0.6 n images; every image is as often a reference, or few are most of the time."""
    rng = np.random.default_rng(0)
    images = max(2, n * 6 // 10)
    weight = np.arange(1, images + 1) ** (-0.8 if kind == "heavy-tailed" else 0.0)
    codes = np.empty(0, dtype=np.int64)
    while len(codes) < n:
        drawn = rng.choice(images, 2 * n, p=weight / weight.sum()) * images + rng.integers(0, images, 2 * n)
        codes = np.unique(np.concatenate([codes, drawn[drawn // images != drawn % images]]))
    codes = rng.permutation(codes)[:n]
    names = np.array([f"img_{number:07}.jpg" for number in rng.permutation(images)], dtype=object)
    return names[codes // images].tolist(), names[codes % images].tolist()


def csr_paths(reference: np.ndarray, target: np.ndarray, first: np.ndarray) -> dict[int, list[np.ndarray]]:
    """All simple paths by one join for each turn: a column of edges for each turn, a column of nodes for each image."""
    edges, nodes = [np.arange(len(reference))], [reference, target]
    found = {}
    for turns in range(2, MAX_TURNS + 1):
        start, counts = first[nodes[-1]], np.diff(first)[nodes[-1]]
        after = np.repeat(start - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
        arrived = target[after]
        edges = [np.repeat(column, counts) for column in edges]
        nodes = [np.repeat(column, counts) for column in nodes]
        simple = np.logical_and.reduce([arrived != column for column in nodes])
        edges = [column[simple] for column in [*edges, after]]
        nodes = [column[simple] for column in [*nodes, arrived]]
        found[turns] = edges
    return found


def csr_from_names(references: list[str], targets: list[str]) -> dict[int, list[np.ndarray]]:
    """The same from names, numbered in the order in which they come; edges as positions of their pairs."""
    encoded = pa.array([*references, *targets]).dictionary_encode()
    codes = encoded.indices.to_numpy()
    reference, target = codes[: len(references)], codes[len(references) :]
    order = np.argsort(reference, kind="stable")
    reference, target = reference[order], target[order]
    first = np.searchsorted(reference, np.arange(len(encoded.dictionary) + 1))
    return {turns: [order[column] for column in edges] for turns, edges in csr_paths(reference, target, first).items()}


def duckdb_table(graph: PairGraph) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": 1})
    columns = {"e": np.arange(len(graph)), "r": graph.reference, "t": graph.target}
    connection.register("source", pa.table({name: column.astype(np.int32) for name, column in columns.items()}))
    connection.execute("create table pairs as select * from source")
    return connection


def duckdb_paths(connection: duckdb.DuckDBPyConnection) -> dict[int, pa.Table]:
    """All simple paths by self-joins, each on the paths before it (faster than one query for each number of turns)."""
    paths = {1: connection.sql("select e as e1, r as n0, t as n1 from pairs").to_arrow_table()}
    for turns in range(2, MAX_TURNS + 1):
        connection.register("shorter", paths[turns - 1])
        simple = " and ".join(f"t <> n{node}" for node in range(turns - 1))
        kept = ", ".join([*(f"e{n}" for n in range(1, turns)), *(f"n{n}" for n in range(turns) if turns < MAX_TURNS)])
        last = f", t as n{turns}" if turns < MAX_TURNS else ""
        paths[turns] = connection.sql(
            f"select {kept}, e as e{turns}{last} from shorter join pairs on r = n{turns - 1} where {simple}"
        ).to_arrow_table()
    return paths


def duckdb_from_names(references: list[str], targets: list[str]) -> dict[int, pa.Table]:
    """The same from names, numbered in SQL (joins on names take twice as long); edges as positions of their pairs."""
    connection = duckdb.connect(config={"threads": 1})
    columns = {"e": np.arange(len(references), dtype=np.int32), "r": pa.array(references), "t": pa.array(targets)}
    connection.register("source", pa.table(columns))
    connection.execute(
        """
        create table names as
            select name, (row_number() over ())::int as n from (select distinct unnest([r, t]) as name from source);
        create table pairs as select e, a.n as r, b.n as t
            from source join names a on a.name = source.r join names b on b.name = source.t;
        """
    )
    return duckdb_paths(connection)


def in_order(columns: Sequence[np.ndarray]) -> np.ndarray:
    rows = np.stack(columns, axis=1).astype(np.int32)
    return rows[np.lexsort(rows.T[::-1])]


def same(ordered: Chains, peer: dict[int, list[np.ndarray]]) -> bool:
    """Whether a peer found the same chains, in whatever order."""
    return all(np.array_equal(ordered[turns], in_order(peer[turns])) for turns in TURNS)


def columns_of(tables: dict[int, pa.Table]) -> dict[int, list[np.ndarray]]:
    return {turns: [tables[turns][f"e{n}"].to_numpy() for n in range(1, turns + 1)] for turns in TURNS}


def beyond(run: Callable[[], object], size: int) -> float:
    """Peak memory in MB that a call takes at once, its result of ``size`` bytes left out."""
    tracemalloc.start()  # numpy reports its arrays to it
    result = run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    del result
    return (peak - size) / 1e6


def on_many(kind: str, n: int, repeat: int) -> tuple[list[dict[str, object]], dict[str, object]]:
    """All paths of a synthetic graph beside both peers: from the graph, and from the names of the images."""
    references, targets = pairs_of(kind, n)
    graph = PairGraph.build(references, targets)
    connection = duckdb_table(graph)
    from_graph: dict[str, Callable[[], object]] = {
        "mtbench": lambda: chain(graph, "all-paths"),
        "numpy CSR": lambda: csr_paths(graph.reference, graph.target, graph.first),
        "DuckDB": lambda: duckdb_paths(connection),
    }
    from_names: dict[str, Callable[[], object]] = {
        "mtbench": lambda: chain(PairGraph.build(references, targets), "all-paths"),
        "numpy CSR": lambda: csr_from_names(references, targets),
        "DuckDB": lambda: duckdb_from_names(references, targets),
    }
    chains = chain(graph, "all-paths")
    assert same(chains, csr_paths(graph.reference, graph.target, graph.first))
    assert same(chains, columns_of(duckdb_paths(connection)))
    of_pairs = {turns: in_order(graph.pair[edges].T) for turns, edges in chains.items()}
    assert same(of_pairs, csr_from_names(references, targets))
    assert same(of_pairs, columns_of(duckdb_from_names(references, targets)))

    built = common.least({"build": lambda: PairGraph.build(references, targets)}, repeat)["build"]
    rows = []
    for start, cases in (("the graph", from_graph), ("names", from_names)):
        times = common.least(cases, repeat)
        faster = min(times["numpy CSR"], times["DuckDB"])
        rows.append(
            {
                "out-degree": kind,
                "from": start,
                "chains": sum(map(len, chains.values())),
                **{f"{name}, s": t for name, t in times.items()},
                "of the faster peer": times["mtbench"] / faster,
            }
        )
    size = sum(rows.nbytes for rows in chains.values())
    memory = {
        "out-degree": kind,
        "most pairs of one reference": int(np.diff(graph.first).max()),
        "graph built in, s": built,
        "result, MB": size / 1e6,
        "mtbench beyond it, MB": beyond(from_graph["mtbench"], size),
        "numpy CSR beyond it, MB": beyond(from_graph["numpy CSR"], size),
    }
    return rows, memory


def main() -> None:
    parser = common.options(__doc__, repeat=3)
    common.add_raw(parser)
    parser.add_argument("--pairs", type=int, default=1_000_000, help="pairs of the synthetic graphs")
    options = parser.parse_args()
    pa.set_cpu_count(1)

    with tempfile.TemporaryDirectory() as folder:
        raw, name = common.shoes(options.raw, Path(folder))
        shoes = graph_of(read_shoes(raw, category="shoes").pairs)
    small = on_shoes(shoes, options.repeat)
    large, memory = [], []
    for kind in ("uniform", "heavy-tailed"):
        rows, row = on_many(kind, options.pairs, options.repeat)
        large += rows
        memory.append(row)
    found = common.context("networkx", "duckdb", "numpy", "pandas", "pyarrow")
    common.report(
        f"Chains of {MIN_TURNS} to {MAX_TURNS} turns, cycles {Rule().cycles}: least of {options.repeat}, in turns",
        found,
        {
            f"{name}: {len(shoes):,} pairs of {len(shoes.images):,} images": small,
            f"synthetic: {options.pairs:,} pairs, all-paths": large,
            "memory": memory,
        },
        as_json=options.json,
    )


if __name__ == "__main__":
    main()
