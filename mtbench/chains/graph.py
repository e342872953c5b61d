"""The pair graph: images are nodes, and every pair is an edge from its reference to its target.

>>> graph = PairGraph.build(["a", "b", "b"], ["b", "c", "d"])
>>> sorted(graph.to_networkx().edges)
[(('', 'a'), ('', 'b')), (('', 'b'), ('', 'c')), (('', 'b'), ('', 'd'))]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

if TYPE_CHECKING:
    import networkx as nx

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class PairGraph:
    """Pairs as arrays, sorted by (group, reference, target), with the edges of one reference side by side.

    Pairs chain only inside a group (a raw split and category), so an image is one node in each of its groups. Node
    numbers follow the order of (group, image id), edge numbers that of their nodes: sorting by number is sorting by
    name, which makes every enumeration deterministic.

    Attributes:
        groups, images: (nodes,) the group and the image id of each node.
        reference, target: (edges,) node numbers.
        pair: (edges,) the position of the edge's pair in the sequences it was built from.
        first: (nodes + 1,) the edges with reference n are ``first[n]`` to ``first[n + 1]``.
        loops: (nodes,) whether a pair went from this image to itself. Such a pair is no edge.
    """

    groups: npt.NDArray[np.object_]
    images: npt.NDArray[np.object_]
    reference: Ints
    target: Ints
    pair: Ints
    first: Ints
    loops: npt.NDArray[np.bool_]

    @classmethod
    def build(cls, references: Sequence[str], targets: Sequence[str], groups: Sequence[str] | None = None) -> PairGraph:
        """The graph of pairs ``references[i] -> targets[i]``, chained inside ``groups[i]``.

        Raises:
            ValueError: a pair occurs twice in a group. Merge duplicates first.
        """
        n = len(references)
        group_codes, group_names = pd.factorize(
            np.asarray(groups if groups is not None else [""] * n, dtype=object), sort=True
        )
        image_codes, image_names = pd.factorize(np.asarray([*references, *targets], dtype=object), sort=True)
        keys = np.concatenate([group_codes, group_codes]).astype(np.int64) * len(image_names) + image_codes
        nodes, codes = np.unique(keys, return_inverse=True)
        reference, target = codes[:n].astype(np.int64), codes[n:].astype(np.int64)
        is_loop = reference == target
        loops = np.zeros(len(nodes), dtype=bool)
        loops[reference[is_loop]] = True
        pair = np.flatnonzero(~is_loop)
        pair = pair[np.lexsort((target[pair], reference[pair]))]
        reference, target = reference[pair], target[pair]
        if np.any((np.diff(reference) == 0) & (np.diff(target) == 0)):
            raise ValueError("a pair occurs twice in a group")
        return cls(
            groups=np.asarray(group_names, dtype=object)[nodes // max(1, len(image_names))],
            images=np.asarray(image_names, dtype=object)[nodes % max(1, len(image_names))],
            reference=reference,
            target=target,
            pair=pair,
            first=np.searchsorted(reference, np.arange(len(nodes) + 1)),
            loops=loops,
        )

    def __len__(self) -> int:
        """The number of edges."""
        return len(self.reference)

    def to_networkx(self) -> nx.DiGraph[Any]:
        """The same graph for networkx: nodes are (group, image id), edges carry their ``pair`` position."""
        import networkx as nx

        graph: nx.DiGraph[Any] = nx.DiGraph()
        names = list(zip(self.groups, self.images, strict=True))
        graph.add_nodes_from(names)
        graph.add_edges_from(
            (names[a], names[b], {"pair": int(pair)})
            for a, b, pair in zip(self.reference, self.target, self.pair, strict=True)
        )
        return graph
