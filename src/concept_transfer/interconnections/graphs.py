"""Graphs of codes: how dense they lie, which groups they form, and what only one of them has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from concept_transfer.interconnections.counts import Pairs

if TYPE_CHECKING:
    import networkx

Flags = NDArray[np.bool_]
CONSENSUS = "consensus"


def consensus(graphs: Mapping[str, Flags]) -> Flags:
    """The pairs that more than half of the graphs have."""
    return np.asarray(2 * np.sum(list(graphs.values()), axis=0) > len(graphs))


def described(
    graphs: Mapping[str, Flags], pairs: Pairs, codes: int, seed: int
) -> Iterator[dict[str, str | float | int]]:
    """Rows of method, edges, linked (codes with an edge), highest_degree, clustering (the mean
    share of a code's neighbours that are neighbours), communities (of two codes or more, Louvain)
    and modularity, and unique (edges that no other of the graphs has)."""
    import networkx

    times = np.sum(list(graphs.values()), axis=0)
    for name, edges in graphs.items():
        graph = graph_of(edges, pairs, codes)
        degrees = [degree for _, degree in graph.degree()]
        groups = communities(graph, seed)
        yield {
            "method": name,
            "edges": int(edges.sum()),
            "linked": sum(degree > 0 for degree in degrees),
            "highest_degree": max(degrees),
            "clustering": float(networkx.average_clustering(graph)),
            "communities": sum(len(group) > 1 for group in groups),
            "modularity": float(networkx.community.modularity(graph, groups))
            if edges.any()
            else float("nan"),
            "unique": int((edges & (times == 1)).sum()),
        }


def graph_of(edges: Flags, pairs: Pairs, codes: int) -> networkx.Graph:
    """The graph of K codes by number."""
    import networkx

    graph = networkx.Graph()
    graph.add_nodes_from(range(codes))
    one, other = pairs[0][edges].tolist(), pairs[1][edges].tolist()
    graph.add_edges_from(zip(one, other, strict=True))
    return graph


def communities(graph: networkx.Graph, seed: int) -> list[set[int]]:
    """Groups of codes with many edges inside (Blondel et al. 2008), the largest first."""
    import networkx

    groups = networkx.community.louvain_communities(graph, seed=seed)
    return sorted(groups, key=lambda group: (-len(group), min(group)))
