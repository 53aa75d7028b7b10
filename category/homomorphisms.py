"""The functor from bilabelled graphs to matrices: counting homomorphisms to a host graph.

A count is a tensor network: the adjacency matrix of the host for each edge, the vertices as indices, of
which those without label are summed. opt_einsum finds the order of contraction. Counts are exact:
in float64 while they are sure to stay below 2^53, else in Python's integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tannaka.category.functor import OBJECT_BYTES
from tannaka.category.hosts import Host
from tannaka.diagrams.bilabelled import BilabelledGraph
from tannaka.diagrams.counts import readable
from tannaka.diagrams.errors import SizeError
from tannaka.diagrams.partition import connected

MAX_BYTES = 2**31
"""Most bytes that a tensor on the way may take before a contraction is refused."""
EXACT = 2**53
"""Below this, float64 holds every integer."""


def homomorphisms(graph: BilabelledGraph, host: Host) -> NDArray[Any]:
    """How many homomorphisms there are to the host, for every image of the labelled vertices.

    An array of integers with an axis of size n for each labelled vertex, in their order.
    Raises SizeError where a tensor on the way would take more than 2 GiB, ValueError for colours
    that the host does not have.

    >>> import networkx
    >>> path = BilabelledGraph(3, [(0, 1), (1, 2)], outputs=(0,), inputs=(2,))
    >>> homomorphisms(path, Host.of(networkx.cycle_graph(4)))
    array([[2, 0, 2, 0],
           [0, 2, 0, 2],
           [2, 0, 2, 0],
           [0, 2, 0, 2]])
    """
    network = _network(graph, host)
    # Vertices without edge stand for a factor of ones.
    known = {v for _, vertices in network for v in vertices}
    loose = [v for v in range(graph.vertices) if v not in known]
    network += [(np.ones(host.n, dtype=np.int64), (v,)) for v in loose]
    return _counted(network, range(graph.labelled), graph, host)


def homomorphisms_at(graph: BilabelledGraph, host: Host, places: NDArray[np.int64]) -> NDArray[Any]:
    """The same for some images only: ``places[i]`` has those of the labelled vertices, in order.

    >>> import networkx
    >>> edge = BilabelledGraph(2, [(0, 1)], outputs=(0,), inputs=(1,))
    >>> homomorphisms_at(edge, Host.of(networkx.path_graph(3)), np.array([[0, 1], [0, 2]]))
    array([1, 0])
    """
    first = graph.labelled
    pinned: Network = [(np.ones(len(places), dtype=np.int64), (-1,))]
    for array, vertices in _network(graph, host):
        loose = tuple(v for v in vertices if v >= first)
        index = tuple(places[:, v] if v < first else slice(None) for v in vertices)
        taken = array[index]
        if len(loose) == len(vertices):
            pinned.append((taken, loose))
        else:
            # The common axis comes first, also where numpy leaves it in the second place.
            pinned.append((taken.T if isinstance(index[0], slice) else taken, (-1, *loose)))
    known = {v for _, vertices in pinned for v in vertices}
    free = sum(v not in known for v in range(first, graph.vertices))
    found = _counted(pinned, [-1], graph, host)
    return found * host.n**free if free else found


Network = list[tuple[NDArray[np.int64], tuple[int, ...]]]


def _network(graph: BilabelledGraph, host: Host) -> Network:
    """A factor for each edge and colour, with the vertices that are its indices."""
    network: Network = []
    for edge in graph.edges:
        a, b = edge[:2]
        factor = host.adjacency(*edge[2:])
        network.append((np.diagonal(factor), (a,)) if a == b else (factor, (a, b)))
    for v, kind in graph.colours:
        network.append((host.having(kind), (v,)))
    return network


def _counted(
    network: Network, out: Sequence[int], graph: BilabelledGraph, host: Host
) -> NDArray[Any]:
    """The contraction of a network, as integers, with the indices ``out`` as axes."""
    import opt_einsum

    bound = _bound(graph, host)
    small = bound < EXACT
    if not network:
        return np.ones((), dtype=np.int64)
    # opt_einsum takes numbers from 0 on.
    operands: list[Any] = []
    for array, vertices in network:
        operands += [array.astype(np.float64 if small else object), [v + 1 for v in vertices]]
    result = [v + 1 for v in out]
    path, info = opt_einsum.contract_path(*operands, result, optimize="greedy")
    if info.largest_intermediate * (8 if small else OBJECT_BYTES) > MAX_BYTES:
        raise SizeError(
            f"({graph}) to a host with {host.n} vertices goes through a tensor of "
            f"{readable(int(info.largest_intermediate))} entries: take a graph of smaller treewidth"
        )
    found = np.asarray(opt_einsum.contract(*operands, result, optimize=path))
    return found if bound >= 2**63 else found.astype(np.int64)


def _bound(graph: BilabelledGraph, host: Host) -> int:
    """No count on the way is larger: a vertex goes next to one placed before, if it has one."""
    parts = connected(graph.vertices, [edge[:2] for edge in graph.edges])
    fixed = set(parts[: graph.labelled])
    bare = graph.vertices - graph.labelled
    free = len(set(parts) - fixed)
    bound: int = host.n**free * max(host.degree, 1) ** (bare - free)
    return bound
