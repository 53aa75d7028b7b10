"""Every graph with at most seven nodes: its automorphisms, its Hom spaces, and a check on all at once.

An orbit of m-tuples of nodes under the automorphisms of a graph is that graph with m labels, up to
isomorphism. So the dimensions of Hom(0, m), summed over all graphs with n nodes, are the number of
bilabelled graphs 0 -> m with n vertices, which Burnside's lemma counts without knowing any graph.
Both are printed. The numbers of graphs without symmetry are known as well (OEIS A003400).

Usage: python examples/atlas.py
"""

from __future__ import annotations

from collections import Counter, defaultdict
from time import perf_counter

from networkx.generators.atlas import graph_atlas_g
from trial import heading

import tannaka as tn
from tannaka.diagrams.enumerate import bilabelled_graphs

ASYMMETRIC = {1: 1, 2: 0, 3: 0, 4: 0, 5: 0, 6: 8, 7: 152}
"""How many graphs with so many nodes have no automorphism but the identity."""
MOST = 4
"""The largest number of labels."""


def main() -> None:
    """Print the two tables."""
    start = perf_counter()
    groups: defaultdict[int, list[tn.Aut]] = defaultdict(list)
    for graph in graph_atlas_g()[1:]:  # the first has no node
        groups[graph.number_of_nodes()].append(tn.Aut(graph))
    heading("Dimensions of Hom(0, m), summed over all graphs with n nodes")
    print(
        f"{'n':>2} {'graphs':>7} {'asymmetric':>11}", *(f"{f'm = {m}':>9}" for m in range(MOST + 1))
    )
    for n, found in sorted(groups.items()):
        asymmetric = sum(group.order == 1 for group in found)
        sums = [sum(group.dimension(0, m) for group in found) for m in range(MOST + 1)]
        print(f"{n:2} {len(found):7,} {asymmetric:11,}", *(f"{total:9,}" for total in sums))
        counts = [bilabelled_graphs(0, m, n).count for m in range(MOST + 1)]
        if sums != counts or asymmetric != ASYMMETRIC[n]:
            raise SystemExit(f"FAILED: {counts} bilabelled graphs were counted")
    print(f"equal to the numbers of bilabelled graphs on n vertices; {_since(start)}")

    heading("How many vertices a basis of bilabelled graphs 1 -> 1 needs")
    start = perf_counter()
    print(f"{'n':>2}  graphs, by the vertices of the largest in the basis")
    for n, found in sorted(groups.items()):
        sizes = Counter(max(d.vertices for d in tn.Hom(group, 1, 1).basis()) for group in found)
        print(f"{n:2}  {', '.join(f'{size}: {count:,}' for size, count in sorted(sizes.items()))}")
    print(_since(start))


def _since(start: float) -> str:
    return f"{perf_counter() - start:.1f} s"


if __name__ == "__main__":
    main()
