"""Slow answers from the definitions. They import nothing of tannaka, only data goes in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import cache, lru_cache
from itertools import combinations, permutations, product
from math import comb, factorial, prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Blocks = Sequence[Sequence[int]]
PRIME = 2_147_483_629


def diagram_tensor(blocks: Blocks, size: int, n: int) -> NDArray[np.int64]:
    """A flat array over all index tuples (x_0 .. x_{size-1}), last index fastest: 1 where blocks agree."""
    tuples = _index_tuples(size, n)
    agree: list[NDArray[np.bool_]] = [
        (tuples[:, list(block)] == tuples[:, [block[0]]]).all(axis=1) for block in blocks
    ]
    entries = np.ones(n**size, dtype=np.int64)
    for agreeing in agree:
        entries *= agreeing
    return entries


def determinant_tensor(
    blocks: Blocks, legs: Sequence[int | None], size: int, n: int
) -> NDArray[np.int64]:
    """Like :func:`diagram_tensor`, times the Levi-Civita symbol of the indices at the vertices
    ``legs``, if any; where a leg is None, summed over its index."""
    entries = diagram_tensor(blocks, size, n)
    if not legs:
        return entries
    tuples = _index_tuples(size, n)
    symbol = _levi_civita_tensor(len(legs))
    total = np.zeros_like(entries)
    for free in range(n if None in legs else 1):
        at = [np.full(len(tuples), free) if leg is None else tuples[:, leg] for leg in legs]
        total += symbol[tuple(at)]
    return entries * total


@cache
def _levi_civita_tensor(n: int) -> NDArray[np.int64]:
    found = np.zeros((n,) * n, dtype=np.int64)
    for indices in permutations(range(n)):
        found[indices] = levi_civita(indices)
    return found


@cache
def _index_tuples(size: int, n: int) -> NDArray[np.int64]:
    """All tuples of ``size`` indices below n, the last index fastest, one in a row."""
    return np.indices((n,) * size).reshape(size, n**size).T


def symplectic_tensor(
    pairs: Iterable[Sequence[int]], cod: int, size: int, n: int
) -> NDArray[np.int64]:
    """A flat array over all index tuples: deltas for edges across, the form for edges within a row,
    from left to right, and no further signs."""
    form = symplectic_form(n).astype(np.int64)
    tuples = _index_tuples(size, n)
    entries = np.ones(n**size, dtype=np.int64)
    for a, b in map(sorted, pairs):
        one, other = tuples[:, a], tuples[:, b]
        entries *= (one == other) if a < cod <= b else form[one, other]
    return entries


def homomorphisms(
    vertices: int,
    edges: Iterable[Sequence[Any]],
    outputs: Sequence[int],
    inputs: Sequence[int],
    n: int,
    host: Iterable[Sequence[Any]],
    colours: Iterable[tuple[int, Any]] = (),
    host_colours: Sequence[Any] = (),
    directed: bool = False,
) -> NDArray[np.int64]:
    """Count maps of the vertices to 0..n-1 that send edges to edges of the host graph, by the
    images of the outputs (rows) and of the inputs (columns). An edge (a, b) may go to one of any
    colour, an edge (a, b, c) only to one of colour c, and a vertex only to one of its colours."""
    joined = {tuple(edge) for edge in host}
    joined |= {(b, a, *c) for a, b, *c in joined if not directed}
    joined |= {edge[:2] for edge in joined}
    edges, colours = list(edges), list(colours)
    counts = np.zeros((n,) * (len(outputs) + len(inputs)), dtype=np.int64)
    for image in product(range(n), repeat=vertices):
        kept = all((image[a], image[b], *c) in joined for a, b, *c in edges)
        if kept and all(host_colours[image[v]] == c for v, c in colours):
            counts[tuple(image[v] for v in (*outputs, *inputs))] += 1
    return counts.reshape(n ** len(outputs), n ** len(inputs))


def levi_civita(indices: Sequence[int]) -> int:
    """The determinant of the rows of the identity matrix that the indices name."""
    return round(float(np.linalg.det(np.eye(len(indices))[list(indices)]))) if indices else 1


def dense_layer(
    basis: Sequence[Blocks],
    bias_basis: Sequence[Blocks],
    weight: NDArray[Any],
    bias: NDArray[Any] | None,
    x: NDArray[Any],
    n: int,
    k: int,
    l: int,
    mean: bool,
) -> NDArray[Any]:
    """A layer from its definition, with the full (n^l C_out) x (n^k C_in) matrix."""
    matrix = np.zeros((weight.shape[1], n**l, weight.shape[2], n**k))
    for blocks, w in zip(basis, weight, strict=True):
        closed = [block for block in blocks if min(block) >= l]
        scale = float(n) ** -len(closed) if mean else 1.0
        d = diagram_tensor(blocks, k + l, n).reshape(n**l, n**k) * scale
        matrix += w[:, None, :, None] * d[None, :, None, :]
    batch = x.shape[: x.ndim - k - 1]
    flat = x.reshape(-1, n**k, weight.shape[2])
    y = np.stack([np.einsum("opiq,qi->po", matrix, one) for one in flat]) if len(flat) else flat
    y = y.reshape(len(flat), n**l, weight.shape[1])
    if bias is not None:
        for blocks, b in zip(bias_basis, bias, strict=True):
            y = y + diagram_tensor(blocks, l, n)[None, :, None] * b
    return y.reshape(*batch, *(n,) * l, weight.shape[1])


class Piece(NamedTuple):
    """A diagram on the axes of one type, as data: outputs are vertices 0 .. cod-1, then inputs.

    ``legs`` are vertices in the blocks that the legs of the determinant vertex end at, None where a
    leg is free. In a symplectic piece all blocks are edges.
    """

    blocks: Blocks
    legs: tuple[int | None, ...] = ()
    symplectic: bool = False

    def tensor(self, cod: int, size: int, n: int) -> NDArray[np.float64]:
        """Its entries, with an axis for each vertex."""
        if self.symplectic:
            flat = crossing_sign(self.blocks, cod, size) * symplectic_tensor(
                self.blocks, cod, size, n
            )
            # Between outputs stands the inverse of the form, which is its negative.
            flat = flat * (-1) ** sum(max(edge) < cod for edge in self.blocks)
        else:
            flat = determinant_tensor(self.blocks, self.legs, size, n)
        return flat.reshape((n,) * size).astype(float)

    def terms(self, cod: int, n: int) -> int:
        """What its mean divides by: n for each block of inputs that no leg ends at, and the number
        of orders of the legs that end at inputs only, or at nothing."""
        closed = [block for block in self.blocks if min(block) >= cod]
        bare = [block for block in closed if not any(leg in block for leg in self.legs)]
        low = [leg for leg in self.legs if leg is None or any(leg in block for block in closed)]
        return int(n ** len(bare)) * factorial(len(low))


def crossing_sign(pairs: Blocks, cod: int, size: int) -> int:
    """-1 to the number of pairs of edges that cross, outputs standing above inputs."""
    round_ = [*range(cod), *range(size - 1, cod - 1, -1)]
    ends = [sorted(round_.index(v) for v in pair) for pair in pairs]
    crossings = sum(a < c < b < d or c < a < d < b for (a, b), (c, d) in combinations(ends, 2))
    return -1 if crossings % 2 else 1


def layer_matrices(
    diagrams: Sequence[Sequence[Piece]],
    dom: Sequence[int],
    cod: Sequence[int],
    sizes: Sequence[int],
    mean: bool,
) -> NDArray[np.float64]:
    """The matrix that each row of a layer's weight multiplies, of shape (rows, outputs, inputs).

    A diagram is a piece for each type of axis; ``dom`` and ``cod`` have the type of each axis, and
    axes of a type have its size.
    """
    word = [*cod, *dom]
    rows, columns = (prod(sizes[kind] for kind in side) for side in (cod, dom))
    found = np.empty((len(diagrams), rows, columns))
    for row, pieces in enumerate(diagrams):
        operands: list[Any] = []
        divisor = 1
        for kind, piece in enumerate(pieces):
            places = [v for v, other in enumerate(word) if other == kind]
            above = sum(v < len(cod) for v in places)
            operands += [_tensor(piece, above, len(places), sizes[kind]), places]
            divisor *= piece.terms(above, sizes[kind]) if mean else 1
        product: Any = np.einsum(*operands, list(range(len(word))))
        found[row] = product.reshape(rows, columns) / divisor
    return found


@lru_cache(maxsize=5000)
def _tensor(piece: Piece, cod: int, size: int, n: int) -> NDArray[np.float64]:
    return piece.tensor(cod, size, n)


def generators(symbol: str, n: int) -> list[NDArray[Any]]:
    """Matrices that generate S(n), H(n) or A(n), or a dense subgroup of O(n), SO(n), Sp(n)."""
    if symbol in ("S", "H"):
        swap, cycle, mirror = np.eye(n), np.roll(np.eye(n), 1, axis=0), np.eye(n)
        swap[:2] = swap[:2][::-1]
        mirror[-1, -1] = -1
        return [swap, cycle] + [mirror] * (symbol == "H")
    if symbol == "A":
        cycles = []
        for i in range(n - 2):
            cycles.append(np.eye(n))
            cycles[-1][i : i + 3] = np.roll(cycles[-1][i : i + 3], 1, axis=0)
        return cycles or [np.eye(n)]
    rng = np.random.default_rng(7)
    draws = rng.standard_normal((2, n, n))
    if symbol == "Sp":
        # Two generic unitary elements, which are orthogonal, and a squeeze, which is not.
        form = symplectic_form(n)
        skew = [a - a.T for a in draws]
        squeeze = np.eye(n)
        squeeze[0, 0], squeeze[1, 1] = 1.25, 0.8
        return [*(_cayley((a + form.T @ a @ form) / 2) for a in skew), squeeze]
    # Two generic rotations generate a dense subgroup of SO(n); a reflection does the rest.
    rotations = [_cayley(a - a.T) for a in draws]
    reflection = np.eye(n)
    reflection[0, 0] = -1
    return rotations if symbol == "SO" else [*rotations, reflection]


def symplectic_form(n: int) -> NDArray[np.float64]:
    """Blocks ((0, 1), (-1, 0)) down the diagonal."""
    form = np.zeros((n, n))
    for i in range(0, n, 2):
        form[i, i + 1], form[i + 1, i] = 1, -1
    return form


def _cayley(skew: NDArray[Any]) -> NDArray[Any]:
    one = np.eye(len(skew))
    result: NDArray[Any] = np.linalg.solve(one + skew, one - skew)
    return result


def kron_power(g: NDArray[Any], order: int) -> NDArray[Any]:
    power: NDArray[Any] = np.eye(1)
    for _ in range(order):
        power = np.kron(power, g)
    return power


@cache
def null_space_dimension(symbol: str, n: int, order: int) -> int:
    """The dimension of {F : F g^k = g^l F for all generators g}, k + l = order, from the spectrum.

    Generators of S, A, O and SO are orthogonal, so the constraint is (g^l (x) g^k) vec F = vec F, in
    C order: one and the same for every split of the order. For Sp this is the split 0 -> order.
    """
    return equivariant_maps([(g,) for g in generators(symbol, n)], (), (0,) * order)


def equivariant_maps(
    elements: Sequence[Sequence[NDArray[Any]]], k: Sequence[int], l: Sequence[int]
) -> int:
    """The dimension of {F : F g^k = g^l F for all elements g}, from the spectrum of the constraint.

    An element is a tuple of matrices, and ``k``, ``l`` say which of them acts on each axis.
    """
    size = 1
    total: NDArray[Any] | None = None
    for element in elements:
        left, right = (_kron([element[kind] for kind in word]) for word in (l, k))
        size = len(left) * len(right)
        constraint = np.kron(left, np.eye(len(right))) - np.kron(np.eye(len(left)), right.T)
        square = constraint.T @ constraint
        total = square if total is None else total + square
    if total is None:
        return size
    values = np.linalg.eigvalsh(total)
    zeros = int((values < 1e-9 * max(1.0, values[-1])).sum())
    assert zeros == size or values[zeros] > 1e-7, "no gap: the null space is not well determined"
    return zeros


def _kron(factors: Sequence[NDArray[Any]]) -> NDArray[Any]:
    product: NDArray[Any] = np.eye(1)
    for factor in factors:
        product = np.kron(product, factor)
    return product


def rank_mod_p(rows: NDArray[np.int64]) -> int:
    """The rank over the field with PRIME elements, a lower bound for the rational rank."""
    a = rows.astype(np.int64) % PRIME
    rank = 0
    for column in range(a.shape[1]):
        candidates = np.flatnonzero(a[rank:, column])
        if not len(candidates):
            continue
        pivot = rank + candidates[0]
        a[[rank, pivot]] = a[[pivot, rank]]
        a[rank] = a[rank] * pow(int(a[rank, column]), PRIME - 2, PRIME) % PRIME
        for row in np.flatnonzero(a[rank + 1 :, column]) + rank + 1:
            a[row] = (a[row] - a[row, column] * a[rank]) % PRIME
        rank += 1
        if rank == len(a):
            break
    return rank


def stirling2(size: int, blocks: int) -> int:
    """By inclusion and exclusion over the empty boxes."""
    signed = sum((-1) ** i * comb(blocks, i) * (blocks - i) ** size for i in range(blocks + 1))
    return int(signed) // factorial(blocks)


def permutation_dimension(n: int, size: int) -> int:
    return sum(stirling2(size, blocks) for blocks in range(min(n, size) + 1))


def hyperoctahedral_dimension(n: int, size: int) -> int:
    """The mean of trace(g)^size: with j fixed points, the trace is a sum of j random signs."""
    total = Fraction(0)
    for j in range(n + 1):
        derangements = sum((-1) ** i * factorial(n - j) // factorial(i) for i in range(n - j + 1))
        power = sum(comb(j, plus) * (2 * plus - j) ** size for plus in range(j + 1))
        total += Fraction(comb(n, j) * derangements * power, 2**j * factorial(n))
    assert total.denominator == 1
    return int(total)


def alternating_dimension(n: int, size: int) -> int:
    """The average of fix(g)^size over the even permutations g, by counting cycle types."""
    total = 0
    for cycles in _cycle_types(n, n):
        sign = (-1) ** (n - len(cycles))
        if sign == 1 or n == 1:
            classes = factorial(n)
            for length, times in Counter(cycles).items():
                classes //= length**times * factorial(times)
            total += classes * cycles.count(1) ** size
    return total // max(factorial(n) // 2, 1)


def _cycle_types(n: int, largest: int) -> list[list[int]]:
    if n == 0:
        return [[]]
    return [
        [first, *rest]
        for first in range(1, min(n, largest) + 1)
        for rest in _cycle_types(n - first, first)
    ]


def special_orthogonal_dimension(n: int, size: int) -> int:
    """Walks as for O(n), back to the empty partition or to the single column of n boxes."""
    walks = _box_walks(size, lambda shape: _two_columns(shape) <= n)
    return walks[()] + walks[(1,) * n]


def symplectic_dimension(n: int, size: int) -> int:
    """Walks through partitions with at most n/2 rows."""
    return _box_walks(size, lambda shape: len(shape) <= n // 2)[()]


def orthogonal_dimension(n: int, size: int) -> int:
    """Walks of length ``size`` from the empty partition back to it, adding or removing a box at a
    time, through partitions whose first two columns have at most n boxes together."""
    return _box_walks(size, lambda shape: _two_columns(shape) <= n)[()]


def _two_columns(shape: tuple[int, ...]) -> int:
    return sum(row >= 1 for row in shape) + sum(row >= 2 for row in shape)


def _box_walks(size: int, allowed: Callable[[tuple[int, ...]], bool]) -> Counter[tuple[int, ...]]:
    """How many walks from the empty partition, a box more or less at a time, end at each."""
    walks: Counter[tuple[int, ...]] = Counter({(): 1})
    for _ in range(size):
        after: Counter[tuple[int, ...]] = Counter()
        for shape, count in walks.items():
            for i in range(len(shape) + 1):
                for step in (1, -1):
                    rows = [*shape, 0]
                    rows[i] += step
                    moved = tuple(row for row in rows if row)
                    legal = min(rows) >= 0 and sorted(rows, reverse=True) == rows
                    if legal and allowed(moved):
                        after[moved] += count
        walks = after
    return walks


def all_set_partitions(size: int) -> list[list[list[int]]]:
    """Every set partition, by putting the last point into each block of a smaller one."""
    if size == 0:
        return [[]]
    found = []
    for smaller in all_set_partitions(size - 1):
        for i in range(len(smaller)):
            found.append([[*b, size - 1] if j == i else b for j, b in enumerate(smaller)])
        found.append([*smaller, [size - 1]])
    return found


def all_matchings(size: int) -> list[list[tuple[int, ...]]]:
    """Every perfect matching, by trying all sets of edges that cover each point once."""
    edges = list(combinations(range(size), 2))
    return (
        [
            list(chosen)
            for chosen in combinations(edges, size // 2)
            if len({v for edge in chosen for v in edge}) == size
        ]
        if size % 2 == 0
        else []
    )


def longest_chain(pairs: Iterable[Sequence[int]]) -> int:
    """The most pairwise non-nesting edges, by trying all subsets."""
    edges = sorted(tuple(sorted(pair)) for pair in pairs)
    for count in range(len(edges), 0, -1):
        for chosen in combinations(edges, count):
            if all(a[1] < b[1] for a, b in combinations(chosen, 2)):
                return count
    return 0


def all_groods(size: int, n: int) -> list[tuple[tuple[int, ...], list[tuple[int, ...]]]]:
    """Every choice of n legs, in increasing order, with every matching of the other points."""
    found = []
    for legs in combinations(range(size), n):
        others = [v for v in range(size) if v not in legs]
        for pairs in all_matchings(len(others)):
            found.append((legs, [tuple(others[v] for v in pair) for pair in pairs]))
    return found


def all_jellyfish(size: int, n: int) -> list[tuple[list[list[int]], tuple[int, ...]]]:
    """Every set partition with n different ends for legs, of its blocks and the free end, which has
    the number after the last block; blocks in the order of their least points."""
    return [
        (blocks, legs)
        for blocks in all_set_partitions(size)
        for legs in combinations(range(len(blocks) + 1), n)
    ]


def sources_of_targets(
    pairs: Iterable[Sequence[int]], dom: Sequence[str], cod: Sequence[str]
) -> list[int] | None:
    """The sources that targets 0, 1, ... are joined to; None unless every edge leads from a source
    (an input V, an output V*) to a target (an output V, an input V*)."""
    target = [kind == "V" for kind in cod] + [kind == "V*" for kind in dom]
    source = {}
    for a, b in pairs:
        if target[a] == target[b]:
            return None
        source[a if target[a] else b] = b if target[a] else a
    return [source[v] for v in sorted(source)]


def longest_increase(letters: Sequence[int]) -> int:
    """The length of the longest increasing subsequence, by trying all of them."""
    return max(
        length
        for length in range(len(letters) + 1)
        for chosen in combinations(letters, length)
        if list(chosen) == sorted(set(chosen))
    )


def least_graph(
    vertices: int, edges: Iterable[Sequence[Any]], labels: Sequence[int]
) -> tuple[tuple[int, ...], ...]:
    """The first of the words of a labelled graph over all numberings of its vertices: the labels'
    vertices, then the adjacency matrix in three pieces. Labelled vertices must stand first."""
    joined = {frozenset(edge) for edge in edges}
    first = len(set(labels))
    words = []
    for new in permutations(range(vertices)):
        if any(new[v] >= first for v in labels):
            continue
        old = sorted(range(vertices), key=new.__getitem__)
        rows = [
            [frozenset((old[v], old[w])) in joined for w in range(v + 1)] for v in range(vertices)
        ]
        among = [bit for row in rows[:first] for bit in row]
        between = [bit for row in rows[first:] for bit in (*row[:first], row[-1])]
        rest = [bit for row in rows[first:] for bit in row[first:-1]]
        words.append((tuple(new[v] for v in labels), tuple(among), tuple(between), tuple(rest)))
    return min(words)


def least_structure(
    vertices: int,
    edges: Iterable[Sequence[Any]],
    labels: Sequence[int],
    colours: Iterable[tuple[int, Any]],
    directed: bool,
) -> tuple[list[Any], ...]:
    """The first of the words of a coloured graph over all numberings of its vertices: the labels'
    vertices, the colours, and for each pair of vertices whether an edge is asked for and of which
    colours. Two structures are isomorphic where their words are equal."""
    asked: dict[tuple[int, int], set[str]] = {}
    for a, b, *c in edges:
        for pair in {(a, b), (a, b) if directed else (b, a)}:
            asked.setdefault(pair, set()).update(map(repr, c))
    told = {(v, repr(c)) for v, c in colours}
    return min(
        (
            [new[v] for v in labels],
            sorted((new[v], c) for v, c in told),
            sorted((new[a], new[b], sorted(found)) for (a, b), found in asked.items()),
        )
        for new in permutations(range(vertices))
    )


def all_graphs(size: int, vertices: int, loops: bool) -> set[tuple[tuple[int, ...], ...]]:
    """The least words of all graphs with ``size`` labels, whatever their vertices are called."""
    spots = [(v, w) for v in range(vertices) for w in range(v + (not loops), vertices)]
    return {
        least_graph(vertices, edges, labels)
        for labels in product(range(vertices), repeat=size)
        for count in range(len(spots) + 1)
        for edges in combinations(spots, count)
    }


def automorphisms(
    n: int, edges: Iterable[Sequence[Any]], colours: Sequence[Any] = (), directed: bool = False
) -> list[tuple[int, ...]]:
    """All permutations of 0 .. n-1 that keep colours, and edges (a, b, what it is) as a multiset."""

    def bag(images: Sequence[int]) -> Counter[Any]:
        moved = ((images[a], images[b], *what) for a, b, *what in edges)
        return Counter(
            (a, b, *what) if directed or a <= b else (b, a, *what) for a, b, *what in moved
        )

    edges, colours = list(edges), list(colours) or [0] * n
    whole = bag(range(n))
    return [
        images
        for images in permutations(range(n))
        if all(colours[v] == colours[i] for v, i in enumerate(images)) and bag(images) == whole
    ]


def generated(generators: Iterable[Sequence[int]], n: int) -> list[tuple[int, ...]]:
    """All products of permutations of 0 .. n-1, by multiplying until nothing new comes."""
    one, generators = tuple(range(n)), list(generators)
    found, new = {one}, [one]
    while new:
        old = new.pop()
        for images in generators:
            product = tuple(images[v] for v in old)
            if product not in found:
                found.add(product)
                new.append(product)
    return sorted(found)


def least_tuples(elements: Iterable[Sequence[int]], n: int, m: int) -> list[tuple[int, ...]]:
    """For every m-tuple of 0 .. n-1 in order, the least tuple that an element takes it to."""
    elements = list(elements)
    return [
        min(tuple(images[v] for v in indices) for images in elements)
        for indices in product(range(n), repeat=m)
    ]


def union_find_orbits(generators: Iterable[Sequence[int]], n: int, m: int) -> int:
    """How many classes of m-tuples there are, where a generator joins a tuple to its image."""
    tuples = np.array(list(product(range(n), repeat=m)), dtype=np.int64).reshape(n**m, m)
    parent = list(range(n**m))

    def root(x: int) -> int:
        while parent[x] != x:
            parent[x] = x = parent[parent[x]]
        return x

    for images in generators:
        moved = np.zeros(n**m, dtype=np.int64)
        for column in tuples.T:
            moved = moved * n + np.array(images)[column]
        for x, y in enumerate(moved.tolist()):
            parent[root(x)] = root(y)
    return sum(parent[x] == x for x in range(n**m))


def burnside(elements: Iterable[Sequence[int]], m: int) -> int:
    """The average of fix(g)^m over all elements g, which is a whole number."""
    fixed: list[int] = [sum(v == i for v, i in enumerate(images)) for images in elements]
    total: int = sum(count**m for count in fixed)
    assert total % len(fixed) == 0
    return total // len(fixed)
