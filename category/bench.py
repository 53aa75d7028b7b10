"""How fast Hom spaces are found: bases, dimensions, relations, Gram matrices, sparse matrices.

Every figure is the time of one answer, with its ratio to the first row of its table, timed in the
same run. All ways to do a task are first compared on a sample: a wrong answer is not timed. EMLP
and SciPy are timed where they are installed.

They do not all do the same work. Ours and the random points name diagrams; EMLP and the null space
give a dense orthonormal basis in floating point, for any group with generators. Where a rival does
not fit, or takes long, it has no row: at n = 10 EMLP needs half a minute, and S(50) it refuses, for
its constraint is too large. Numerical libraries use every processor: on a busy machine,
OPENBLAS_NUM_THREADS=1 makes the rivals faster.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from tannaka.category import rivals
from tannaka.category.alternating import A
from tannaka.category.automorphisms import Aut
from tannaka.category.groups import Group
from tannaka.category.orthogonal import SO, O
from tannaka.category.rivals import Problem
from tannaka.category.symmetric import S
from tannaka.category.symplectic import Sp
from tannaka.diagrams.bench import Entry, Rate, Task
from tannaka.diagrams.partition import SetPartition
from tannaka.diagrams.rivals import Implementation

LARGE: tuple[Group, ...] = (S(50), A(50), O(50), SO(50), Sp(50), O(5), Sp(4))
"""Whose dimensions are counted: n above the order, where diagrams are independent, and below it."""
SPANNED: Problem = (O(3), 5, 5)
"""A space of dimension 603, spanned by 945 diagrams."""
RELATED: tuple[Problem, ...] = ((O(3), 4, 4), (S(3), 2, 3))
"""Spaces with more diagrams than their dimension."""


def tasks(
    *,
    sizes: Sequence[int] = (5, 50, 10**3, 10**6),
    spanned: Problem = SPANNED,
    groups: Iterable[Group] = LARGE,
    order: int = 12,
    related: Iterable[Problem] = RELATED,
    paired: Sequence[int] = (4, 20),
    side: int = 10,
    emlp: str | None = None,
) -> Iterator[Task]:
    """What is timed.

    The bases of S(n) 2 -> 2 for n in ``sizes`` and of ``spanned``; the dimensions for ``groups`` at
    order -> order; the relations of ``related``; the Gram matrices of S(n) 2 -> 2 for n in
    ``paired``; the matrix of one diagram 3 -> 3 at n = ``side``. ``emlp`` is a Python interpreter
    that has EMLP, where this one has not. Each task is made when it is asked for.

    >>> next(tasks(sizes=(3,))).title
    'basis of S(n), 2 -> 2'
    """
    # Beyond these n, random points fill gigabytes and a null space takes up to minutes.
    bounds = zip(rivals.permutation_bases(emlp), (max(sizes), 10**3, 5, 5), strict=True)
    entries = [_at(way, n) for way, bound in bounds for n in sizes if n <= bound]
    yield Task("basis of S(n), 2 -> 2", "time", (S(min(sizes)), 2, 2), entries)

    listed = _all(rivals.bases(), spanned)
    yield Task(f"basis of {_named(spanned)}", "time", spanned, listed)

    for group in groups:
        problem = (group, order, order)
        title = f"dimension of {_named(problem)}"
        yield Task(title, "time", problem, _all(rivals.dimensions(), problem))

    for problem in related:
        title = f"relations of {_named(problem)}"
        yield Task(title, "time", problem, _all(rivals.relations(), problem))

    entries = [_at(way, n) for n in paired for way in rivals.gram_matrices()]
    yield Task("Gram matrix of S(n), 2 -> 2", "time", (S(min(paired)), 2, 2), entries)

    diagram = SetPartition(3, 3, (0, 1, 2, 1, 0, 0))
    title = f"matrix of ({diagram}), n = {side}"
    made = _all(rivals.matrices(), (S(side), diagram))
    yield Task(title, "time", (S(min(side, 4)), diagram), made)


def hosts() -> dict[str, Any]:
    """The host graphs that are timed, by name: all but one kind have one orbit of vertices."""
    import networkx

    found = {f"C{n}": networkx.cycle_graph(n) for n in (10, 100, 1000)}
    found["Petersen"] = networkx.petersen_graph()
    found["C60"] = buckminsterfullerene()
    found |= {f"Q{d}": networkx.hypercube_graph(d) for d in (3, 5, 7)}
    found["K(500, 500)"] = networkx.complete_bipartite_graph(500, 500)
    found["binary tree"] = networkx.balanced_tree(2, 6)
    return found


def buckminsterfullerene() -> Any:
    """The bonds of C60, a networkx graph: an icosahedron with its corners cut off.

    >>> graph = buckminsterfullerene()
    >>> graph.number_of_nodes(), graph.number_of_edges()
    (60, 90)
    """
    import networkx

    solid = networkx.icosahedral_graph()
    # An atom for each end of an edge; bonds along the edge, and around the corner.
    bonds = [((u, v), (v, u)) for u, v in solid.edges]
    bonds += [
        ((u, v), (u, w))
        for u in solid
        for v in solid[u]
        for w in solid[u]
        if v < w and w in solid[v]
    ]
    return networkx.Graph(bonds, name="C60")


def host_tasks(graphs: dict[str, Any] | None = None) -> Iterator[Task]:
    """What is timed of automorphism groups: each answer from a new group, the search included.

    The dimension, and a basis of bilabelled graphs, at k + l = 2 and 3.
    """
    graphs = hosts() if graphs is None else graphs
    first = next(iter(graphs.values()))
    for m in (2, 3):
        for kind, ways in (("dimension", rivals.orbit_counts()), ("basis", rivals.graph_bases())):
            for name, graph in graphs.items():
                problem = (graph, m - m // 2, m // 2)
                group = Aut(graph)
                listed = [(way, problem, 1) for way, fits in ways if fits(group, m)]
                if listed:
                    title = f"{kind} {group.dimension(0, m):,}: Aut({name}), {problem[1]} -> {problem[2]}"
                    yield Task(title, "time", (first, 1, 1), listed)


def report(task: Task, rates: Iterable[Rate]) -> Iterator[str]:
    r"""A table of the times of one task, line by line.

    >>> task = Task("do it", "time", None, [])
    >>> print(*report(task, [Rate("one", 5000.0, 1.0), Rate("other")]), sep="\n")
    do it                                                          time    ratio
      one                                                      200.0 µs     1.00
      other                                               not installed
    """
    yield f"{task.title:51} {task.unit:>15} {'ratio':>8}"
    for rate in rates:
        if rate.per_second is None or rate.ratio is None:
            yield f"  {rate.name:49} {'not installed':>15}"
        else:
            yield f"  {rate.name:49} {_time(1 / rate.per_second):>15} {rate.ratio:8,.2f}"


def _at(way: Implementation, n: int) -> Entry:
    return replace(way, name=f"{way.name}, n = {n:,}"), (S(n), 2, 2), 1


def _all(ways: Iterable[Implementation], problem: Any) -> list[Entry]:
    return [(way, problem, 1) for way in ways]


def _named(problem: Problem) -> str:
    group, k, l = problem
    return f"{group}, {k} -> {l}"


def _time(seconds: float) -> str:
    """A time in the unit that suits it.

    >>> _time(12.34), _time(0.0125), _time(0.0000018)
    ('12.3 s', '12.5 ms', '1.8 µs')
    """
    for unit in ("s", "ms"):
        if seconds >= 1:
            return f"{seconds:,.1f} {unit}"
        seconds *= 1000
    return f"{seconds:,.1f} µs"
