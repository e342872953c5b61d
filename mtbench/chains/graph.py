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
import pyarrow as pa
import pyarrow.compute as pc

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
        group_codes, group_names = _encode(groups if groups is not None else [""] * n)
        image_codes, image_names = _encode([*references, *targets])
        keys = np.concatenate([group_codes, group_codes]) * len(image_names) + image_codes
        codes, nodes = pd.factorize(keys, sort=True)
        reference, target = codes[:n], codes[n:]
        is_loop = reference == target
        loops = np.zeros(len(nodes), dtype=bool)
        loops[reference[is_loop]] = True
        pair = np.flatnonzero(~is_loop)
        order = np.argsort(reference[pair] * len(nodes) + target[pair])
        pair = pair[order]
        reference, target = reference[pair], target[pair]
        if np.any((np.diff(reference) == 0) & (np.diff(target) == 0)):
            raise ValueError("a pair occurs twice in a group")
        return cls(
            groups=group_names[nodes // max(1, len(image_names))],
            images=image_names[nodes % max(1, len(image_names))],
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


def _encode(names: Sequence[str]) -> tuple[Ints, npt.NDArray[np.object_]]:
    """The number of each name among the distinct ones, and those in sorted order.

    Arrow takes a third of the time of `pandas.factorize` on 2 million names, most of it in sorting them. Its order,
    by bytes of UTF-8, is the one of Python strings.
    """
    encoded = pa.array(names, pa.large_string()).dictionary_encode()
    order = pc.sort_indices(encoded.dictionary).to_numpy()
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return place[encoded.indices.to_numpy()], encoded.dictionary.to_numpy(zero_copy_only=False)[order]
