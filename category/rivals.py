"""The ways to do what the benchmark of Hom spaces times: ours, and those that others have.

All ways to do a task take the same problems, mostly (group, k, l), and can be brought to the same
answers; each function here says what those are. EMLP needs an older NumPy than tannaka does, so it
may run in another interpreter, as a worker that solves what it reads line by line: starting it and
importing JAX are not timed, what JAX compiles for each problem is. SciPy need not be installed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import cache, reduce
from importlib.util import find_spec
from string import ascii_letters
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tannaka.category import straightening
from tannaka.category.automorphisms import Aut
from tannaka.category.groups import Group
from tannaka.category.hom import Hom
from tannaka.category.points import PRIME, Echelon, rank_and_pivots
from tannaka.diagrams.diagram import Diagram
from tannaka.diagrams.rivals import Implementation

Problem = tuple[Group, Any, Any]
"""A group and the two orders of a Hom space."""
Way = Callable[[Group, Any, Any], Iterable[Diagram]]
LISTING: tuple[tuple[str, Way], ...] = (
    ("tannaka", lambda group, k, l: Hom(group, k, l).basis()),
    ("random points", lambda group, k, l: rank_and_pivots(group, group.diagrams(k, l))[1]),
)
"""The ways that name the diagrams of a basis."""


def permutation_bases(emlp: str | None = None) -> list[Implementation]:
    """Problems are (S(n), k, l); answers, the indicators of the orbits of indices.

    ``emlp`` is a Python interpreter that has EMLP; without it, this one if it has.
    """

    def read(answer: tuple[Group, Iterable[Diagram]]) -> list[list[float]]:
        group, diagrams = answer
        return _echelon([group.entries(d).ravel() for d in diagrams])

    return [
        *(Implementation(name, _with_group(way), read) for name, way in LISTING),
        Implementation("null space by NumPy's SVD", _null_space, _echelon),
        _emlp(emlp or (sys.executable if find_spec("emlp") else None)),
    ]


def bases() -> list[Implementation]:
    """Problems are (group, k, l); answers, the size of a basis and its rank.

    Where both agree so do the spaces: diagrams of which fewer are independent span no more.
    """

    def read(answer: tuple[Group, Iterable[Diagram]]) -> tuple[int, int]:
        group, diagrams = answer
        listed = list(diagrams)
        return len(listed), rank_and_pivots(group, listed, seed=1)[0]

    return [Implementation(name, _with_group(way), read) for name, way in LISTING]


def dimensions() -> list[Implementation]:
    """Problems are (group, k, l); answers, the dimension of their Hom space."""
    return [
        Implementation("tannaka, closed formula", lambda p: Hom(*p).dimension, int),
        Implementation("tannaka, walks", lambda p: Hom(*p).walks().count, int),
    ]


def relations() -> list[Implementation]:
    """Problems are (group, k, l); answers, each diagram outside our basis as a sum inside it.

    The rivals are given that basis, form all matrices, and solve with their inner products; to
    round the solution to integers happens to be right for these groups, it proves nothing.
    """

    def straighten(problem: Problem) -> dict[Any, dict[Any, Fraction]]:
        # Else all calls but the first would find every rule applied already.
        straightening._remembered.cache_clear()
        hom = Hom(*problem)
        return {d: equal.at(*hom.group.loops) for d, equal in hom.relations().items()}

    return [
        Implementation("tannaka, straightening", straighten, dict),
        Implementation("SymPy, rational Gram matrix", lambda p: _solved(p, _rational), dict),
        Implementation(
            "NumPy, Gram matrix in floats, rounded", lambda p: _solved(p, _rounded), dict
        ),
    ]


def gram_matrices() -> list[Implementation]:
    """Problems are (group, k, l); answers, the inner products of the basis, as lists."""

    def multiply(problem: Problem) -> NDArray[np.int64]:
        matrices = Hom(*problem).matrices()
        flat = matrices.reshape(len(matrices), -1)
        return flat @ flat.T

    return [
        Implementation("tannaka, loops", lambda p: Hom(*p).gram(), lambda gram: gram.tolist()),
        Implementation("NumPy, matrices", multiply, lambda gram: gram.tolist()),
    ]


def matrices() -> list[Implementation]:
    """Problems are (S(n), diagram); answers, the dense matrix, as lists."""

    def einsum(problem: tuple[Any, Diagram]) -> NDArray[np.int64]:
        group, d = problem
        n, names = group.n, ascii_letters[: d.top + d.bottom]
        deltas = [_delta(n, len(block)) for block in d.blocks]
        parts = ",".join("".join(names[v] for v in block) for block in d.blocks)
        out: NDArray[np.int64] = np.einsum(f"{parts}->{names}", *deltas)
        return out.reshape(n**d.top, n**d.bottom)

    return [
        Implementation("tannaka, dense", lambda p: p[0].matrix(p[1]), lambda m: m.tolist()),
        Implementation(
            "tannaka, sparse",
            lambda p: p[0].sparse(p[1]),
            lambda m: m.toarray().tolist(),
            installed=find_spec("scipy") is not None,
        ),
        Implementation("NumPy, einsum of deltas", einsum, lambda m: m.tolist()),
    ]


Fits = Callable[[Aut, int], bool]
"""Whether a way is timed for a group and tuples of a length: others take long, or much memory."""


def orbit_counts() -> list[tuple[Implementation, Fits]]:
    """Problems are (graph, k, l); answers, the dimension for its automorphisms."""
    scipy = Implementation(
        "SciPy's components of all tuples",
        _components,
        lambda count: count,
        installed=find_spec("scipy") is not None,
    )
    return [
        (Implementation("tannaka", _counted, lambda count: count), lambda group, m: True),
        (scipy, lambda group, m: group.n**m * len(group.permutations) < 10**7),
        (
            Implementation("Burnside over all elements", _burnside, lambda count: count),
            lambda group, m: group.order < 10**4,
        ),
    ]


def graph_bases() -> list[tuple[Implementation, Fits]]:
    """Problems are (graph, k, l); answers, how many bilabelled graphs are a basis."""
    return [
        (
            Implementation("tannaka", lambda p: Aut(p[0]).basis(*p[1:]), lambda space: space.count),
            lambda group, m: group.dimension(0, m) <= 600,
        ),
        (
            Implementation("all graphs by size, and their rank", _exhausted, len),
            lambda group, m: group.dimension(0, m) <= 20 and group.n < 15,
        ),
    ]


def _counted(problem: tuple[Any, int, int]) -> int:
    graph, k, l = problem
    return Aut(graph).dimension(k, l)


def _components(problem: tuple[Any, int, int]) -> int:
    """Tuples are joined where a generator takes one to the other."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph, k, l = problem
    group = Aut(graph)
    shape = (group.n,) * (k + l)
    tuples = np.indices(shape).reshape(k + l, -1)
    here = np.arange(tuples.shape[1])
    there = [np.ravel_multi_index(tuple(np.array(g)[tuples]), shape) for g in group.permutations]
    if not there:
        return len(here)
    rows, columns = np.tile(here, len(there)), np.concatenate(there)
    links = coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), (len(here),) * 2)
    return int(connected_components(links, directed=False)[0])


def _burnside(problem: tuple[Any, int, int]) -> int:
    """The mean number of fixed tuples."""
    from sympy.combinatorics import Permutation, PermutationGroup

    graph, k, l = problem
    group = Aut(graph)
    if not group.permutations:
        return int(group.n ** (k + l))
    elements = PermutationGroup([Permutation(list(g)) for g in group.permutations])
    total = count = 0
    for element in elements.elements:
        total += sum(i == j for i, j in enumerate(element.array_form)) ** (k + l)
        count += 1
    return total // count


def _exhausted(problem: tuple[Any, int, int]) -> list[Diagram]:
    """Bilabelled graphs on 0, 1, ... vertices, each kept if it raises the rank."""
    graph, k, l = problem
    group = Aut(graph)
    echelon, kept = Echelon(), list[Diagram]()
    for diagram in group.diagrams(k, l):
        if echelon.add(np.array([int(value) % PRIME for value in group.values(diagram)])):
            kept.append(diagram)
        if len(kept) == group.dimension(k, l):
            break
    return kept


def _with_group(way: Way) -> Callable[[Problem], tuple[Group, Iterable[Diagram]]]:
    return lambda problem: (problem[0], way(*problem))


def _null_space(problem: Problem) -> NDArray[np.float64]:
    """An orthonormal basis of what the generators of S(n) or O(n) fix in V^(l + k), as rows."""
    group, k, l = problem
    size = group.n ** (k + l)
    constraint = [reduce(np.kron, [g] * (k + l)) - np.eye(size) for g in group.generators()]
    _, singular, vectors = np.linalg.svd(np.concatenate(constraint), full_matrices=False)
    fixed: NDArray[np.float64] = vectors[singular < 1e-9]
    return fixed


def _echelon(rows: Any) -> list[list[float]]:
    """The reduced row echelon form, to two places: one form for all bases of a space."""
    a = np.array(rows, dtype=np.float64)
    done = 0
    for column in range(a.shape[1]):
        if done == len(a):
            break
        pivot = done + int(np.abs(a[done:, column]).argmax())
        # EMLP works in single precision; entries of orthonormal bases are well above this.
        if abs(a[pivot, column]) < 1e-2:
            continue
        a[[done, pivot]] = a[[pivot, done]]
        a[done] /= a[done, column]
        others = np.arange(len(a)) != done
        a[others] -= np.outer(a[others, column], a[done])
        done += 1
    reduced: list[list[float]] = a.round(2).tolist()
    return reduced


EMLP = """\
import json, sys
replies, sys.stdout = sys.stdout, sys.stderr
import numpy
from emlp.groups import S
from emlp.reps import V
from emlp.reps.representation import Rep
for line in sys.stdin:
    n, k, l = json.loads(line)
    Rep.solcache.clear()
    basis = numpy.asarray((V**k >> V**l)(S(n)).equivariant_basis())
    print(json.dumps(basis.T.tolist()), file=replies, flush=True)
"""
"""Reads n, k, l line by line, and writes each basis; it forgets what it has solved before."""


def _emlp(python: str | None) -> Implementation:
    if python is None:
        return Implementation("EMLP", list, installed=False)

    def ask(question: tuple[subprocess.Popen[str], str]) -> str:
        worker, line = question
        assert worker.stdin is not None
        assert worker.stdout is not None
        try:
            print(line, file=worker.stdin, flush=True)
            answer = worker.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise ModuleNotFoundError(f'EMLP gives no answer: try {python} -c "import emlp"')
        return answer

    return Implementation(
        "EMLP",
        ask,
        lambda answer: _echelon(json.loads(answer)),
        lambda problem: (_worker(python), json.dumps([problem[0].n, *problem[1:]])),
    )


@cache
def _worker(python: str) -> subprocess.Popen[str]:
    """Started once; it ends when this process does, and with it the pipe that it reads."""
    return subprocess.Popen(
        [python, "-c", EMLP],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _solved(
    problem: Problem, solve: Callable[[NDArray[np.float64], NDArray[np.float64]], list[Any]]
) -> dict[Any, dict[Any, Fraction]]:
    """The relations, from the matrices of basis diagrams and of the others, flat, as rows."""
    hom = Hom(*problem)
    basis = hom.basis()
    inside = set(basis)
    others = [d for d in hom.diagrams() if d not in inside]
    if not others:
        return {}
    flat = [
        np.array([hom.group.entries(d).ravel() for d in some], dtype=np.float64)
        for some in (basis, others)
    ]
    return {
        d: {b: value for b, value in zip(basis, column, strict=True) if value}
        for d, column in zip(others, solve(*flat), strict=True)
    }


def _rational(basis: NDArray[np.float64], others: NDArray[np.float64]) -> list[Any]:
    from sympy.polys.domains import QQ
    from sympy.polys.matrices import DomainMatrix

    # These sums of products of 0, 1 and -1 are exact in floats.
    gram, sides = (
        DomainMatrix([[QQ(int(x)) for x in row] for row in table], table.shape, QQ)
        for table in (basis @ basis.T, basis @ others.T)
    )
    columns = gram.lu_solve(sides).transpose().to_list()
    return [[Fraction(int(x.numerator), int(x.denominator)) for x in row] for row in columns]


def _rounded(basis: NDArray[np.float64], others: NDArray[np.float64]) -> list[Any]:
    columns = np.linalg.solve(basis @ basis.T, basis @ others.T).T
    return [[Fraction(round(x)) for x in row] for row in columns.tolist()]


def _delta(n: int, legs: int) -> NDArray[np.int64]:
    """1 where all of so many indices agree, of shape (n,) * legs."""
    delta = np.zeros((n,) * legs, dtype=np.int64)
    delta[(np.arange(n),) * legs] = 1
    return delta
