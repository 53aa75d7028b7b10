"""Every diagram dom -> cod of a family, in one fixed order.

The orders are part of the contract, because rows of learned weights follow them: set partitions
come in lexicographic order of their restricted growth strings, Brauer diagrams in lexicographic
order of their sorted edge lists, and each other family in the order that its function states.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from tannaka.diagrams.bilabelled import BilabelledGraph
from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.grood import Grood
from tannaka.diagrams.jellyfish import Jellyfish
from tannaka.diagrams.partition import SetPartition
from tannaka.diagrams.spaces.enumeration import Enumeration
from tannaka.diagrams.spaces.graphs import BilabelledGraphs
from tannaka.diagrams.spaces.labellings import GrowthStrings, JellyfishDiagrams, SetPartitions
from tannaka.diagrams.spaces.matchings import BrauerDiagrams, GroodDiagrams, WalledBrauerDiagrams
from tannaka.diagrams.spaces.nestings import NestedBrauerDiagrams
from tannaka.diagrams.spaces.products import Family, TypedDiagrams
from tannaka.diagrams.typed import Typed
from tannaka.diagrams.walled import WalledBrauer


def set_partitions(
    dom: int,
    cod: int,
    most: int | None = None,
    *,
    even: bool = False,
    largest: int | None = None,
    planar: bool = False,
    through: int | None = None,
    colours: Sequence[Hashable] | None = None,
) -> Enumeration[SetPartition]:
    """The set-partition diagrams dom -> cod, or those of a sub-family.

    ``most``: with at most this many blocks. ``even``: all blocks of even size. ``largest``: no
    block of more vertices than this. ``planar``: blocks do not cross when the vertices stand around
    a circle, outputs left to right, then inputs right to left. ``through``: exactly this many
    blocks with both outputs and inputs (the propagating number). ``colours``: a colour for each
    vertex; blocks do not mix colours.

    In lexicographic order of the labels; for planar ones, of the labels read around the circle.

    >>> [str(d) for d in set_partitions(1, 1)]
    ['0 1', '0 | 1']
    >>> space = set_partitions(3, 3, even=True)
    >>> space
    <31 diagrams 3 -> 3: set partitions, blocks of even size>
    >>> str(space[17]), space.index(space[17])
    ('0 2 | 1 5 | 3 4', 17)
    >>> set_partitions(5, 5, planar=True).count
    16796
    """
    free = not (even or planar) and largest is None and through is None and colours is None
    return (GrowthStrings if free else SetPartitions)(
        dom,
        cod,
        most,
        even=even,
        largest=largest,
        planar=planar,
        through=through,
        colours=colours,
    )


def jellyfish_diagrams(
    dom: int, cod: int, n: int, most: int | None = None, *, covered: bool = False
) -> Enumeration[Jellyfish]:
    """The jellyfish diagrams dom -> cod whose n legs stand in increasing order, a free one last.

    One for each set partition and set of legs; the oppositely oriented ones, which are worth -1
    times these, are not listed. ``most``: with at most this many blocks. ``covered``: every block
    has a leg, so that there are n blocks, or n - 1 and the free leg; for n >= 2 these are the
    jellyfish in the basis of Hom_{A_n}(V^k, V^l) (for n = 1 that has the set partitions only).
    Source: arXiv:2301.10152.

    In lexicographic order of the labels, then of the legs.

    >>> [str(d) for d in jellyfish_diagrams(0, 2, 2)]
    ['0 1 [0 _]', '0 | 1 [0 1]', '0 | 1 [0 _]', '0 | 1 [1 _]']
    >>> jellyfish_diagrams(2, 2, 3, covered=True)
    <13 diagrams 2 -> 2: jellyfish diagrams, 3 legs, every block has a leg>
    """
    return JellyfishDiagrams(dom, cod, n, most, covered=covered)


def brauer_diagrams(
    dom: int, cod: int, chain: int | None = None, *, nest: int | None = None
) -> Enumeration[Brauer]:
    """The Brauer diagrams dom -> cod, or those without ``chain + 1`` pairwise non-nesting edges.

    Or, with ``nest``, those without ``nest + 1`` edges each inside the next. Raises ValueError where
    both are asked for.

    Edges (a, b), (c, d) with a < b, c < d do not nest when a < c and b < d. In lexicographic order
    of the edges; none when dom + cod is odd.

    >>> [str(d) for d in brauer_diagrams(2, 2)]
    ['0 1 | 2 3', '0 2 | 1 3', '0 3 | 1 2']
    >>> [str(d) for d in brauer_diagrams(2, 2, chain=1)]
    ['0 3 | 1 2']
    >>> list(brauer_diagrams(1, 2))
    []
    >>> brauer_diagrams(12, 12, chain=3).count
    834086421
    """
    if nest is None:
        return BrauerDiagrams(dom, cod, chain)
    if chain is not None:
        raise ValueError("matchings are bounded in their chains or in their nests, not in both")
    return NestedBrauerDiagrams(dom, cod, nest)


def grood_diagrams(dom: int, cod: int, n: int, chain: int | None = None) -> Enumeration[Grood]:
    """The Brauer-Grood diagrams dom -> cod whose n legs stand in increasing order.

    One for each matching and set of legs; the oppositely oriented ones, which are worth -1 times
    these, are not listed. ``chain``: those without ``chain + 1`` pairwise non-nesting edges, where
    legs count as edges to n more points at the right, the first leg to the first point. With
    ``chain=n`` these are the diagrams with a determinant in the basis of Hom_{SO(n)}(V^k, V^l).
    Source: arXiv:2212.08630 for the spanning set; the basis is derived as for Brauer diagrams.

    In lexicographic order of the edges, legs among them: the first vertex has its other end at 1,
    2, ..., and last is a leg. None unless n legs leave an even number of vertices.

    >>> [str(d) for d in grood_diagrams(2, 1, 1)]
    ['0 1 [2]', '0 2 [1]', '1 2 [0]']
    >>> grood_diagrams(2, 3, 3, chain=3)
    <6 diagrams 2 -> 3: Brauer-Grood diagrams, 3 legs, no 4 pairwise non-nesting edges>
    """
    return GroodDiagrams(dom, cod, n, chain)


def walled_brauer_diagrams(
    dom: int | Sequence[str], cod: int | Sequence[str], chain: int | None = None
) -> Enumeration[WalledBrauer]:
    """The walled Brauer diagrams dom -> cod, for words in "V" and "V*"; k stands for k times V.

    Every edge leads from a source, an input V or an output V*, to a target, an output V or an input
    V*. ``chain``: no ``chain + 1`` edges whose sources and targets both increase, as vertices are
    numbered. With ``chain=n`` these are a basis of Hom_{GL(n)}.

    In lexicographic order of the sources of targets 0, 1, ...; none unless there are as many
    targets as sources.

    >>> [str(d) for d in walled_brauer_diagrams(("V", "V*"), ("V", "V*"))]
    ['0 1 | 2 3', '0 2 | 1 3']
    >>> walled_brauer_diagrams(4, 4, chain=2)
    <14 diagrams V V V V -> V V V V: walled Brauer diagrams, no 3 pairwise increasing edges>
    """
    return WalledBrauerDiagrams(dom, cod, chain)


def typed_diagrams(
    dom: Sequence[int], cod: Sequence[int], families: Sequence[Family]
) -> Enumeration[Typed]:
    """The typed diagrams dom -> cod, for words of types 0, 1, ...: any diagram for each type.

    ``families[t]`` gives all diagrams for type t by their orders: ``set_partitions``,
    ``brauer_diagrams``, ``lambda k, l: grood_diagrams(k, l, 3)``, ...

    In lexicographic order of the parts, each in the order of its family.

    >>> space = typed_diagrams((0, 1), (0, 1), (set_partitions, brauer_diagrams))
    >>> space
    <2 diagrams 0 1 -> 0 1: typed diagrams; type 0: set partitions; type 1: Brauer diagrams>
    >>> [str(d) for d in space]
    ['0 2 || 1 3', '0 | 2 || 1 3']
    """
    return TypedDiagrams(dom, cod, families)


def bilabelled_graphs(
    dom: int, cod: int, vertices: int, *, loops: bool = False
) -> Enumeration[BilabelledGraph]:
    """The bilabelled graphs dom -> cod with exactly so many vertices, up to isomorphism.

    ``loops``: edges may be loops.

    In lexicographic order of the labels' vertices; then of the rows of the adjacency matrix of the
    labelled vertices; then of the rows of neighbours that the other vertices have among those (and
    themselves); then of the rows of the adjacency matrix of the others. Rows run up to the
    diagonal, 0 before 1, and vertices without label are numbered so that this comes first.

    Numbers and diagrams are found from each other where at most 6 vertices have no label; SizeError
    is raised where there are more. Iterating, counting and sampling go on: a sample is a random
    permutation and a random graph that it fixes, for every size (Dixon and Wilf, The random
    selection of unlabeled graphs, 1983).

    >>> [str(d) for d in bilabelled_graphs(1, 1, 2)]
    ['0 1 | *', '0 1 | * ; 0-1', '0 | 1', '0 | 1 ; 0-1']
    >>> bilabelled_graphs(0, 0, 12)
    <165,091,172,592 diagrams 0 -> 0: bilabelled graphs, 12 vertices>
    """
    return BilabelledGraphs(dom, cod, vertices, loops=loops)
