"""Permutation groups: any group of permutations of the n coordinates, given by generators."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import cached_property, wraps
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from tannaka.category.cards import points_card
from tannaka.category.functor import check_entries
from tannaka.category.functor import matrix as matrix_of
from tannaka.category.groups import MatrixGroup, check_same_orders
from tannaka.category.orbitals import Orbit, Orbits
from tannaka.category.portraits import group_portrait, values_portrait
from tannaka.category.sparse import MAX_ENTRIES, Entries
from tannaka.category.sparse import nonzeros as nonzeros_of
from tannaka.category.stabilisers import Images, Search, Stabiliser, moves_of
from tannaka.category.straightening import Sum
from tannaka.category.tables import group_text
from tannaka.category.walks import Walks
from tannaka.diagrams.counts import readable
from tannaka.diagrams.diagram import Diagram, natural, order, permuted
from tannaka.diagrams.errors import SizeError
from tannaka.diagrams.morphism import Morphism
from tannaka.diagrams.partition import SetPartition
from tannaka.diagrams.pictures.bundle import HTML, mimebundle, picture_formats
from tannaka.diagrams.pictures.hosts import HostSketch
from tannaka.diagrams.pictures.hostsvg import host_panel, host_svg, host_title
from tannaka.diagrams.pictures.hosttikz import host_tikz
from tannaka.diagrams.pictures.panels import beside_svg, diagram_panel
from tannaka.diagrams.spaces.enumeration import Enumeration

MAX_LINES = 30_000
"""Most pairs of a point and a host's edge in a gallery, which are kept apart."""
MAX_LABELS = 2**27
"""Most index tuples that are numbered by their orbits in one table."""


F = TypeVar("F", bound=Callable[..., Any])


def kept(method: F) -> F:
    """Keep what a method of a group gives for each arguments, as long as the group lives."""

    @wraps(method)
    def found(self: Any, *arguments: Any) -> Any:
        answers = self.__dict__.setdefault("_kept", {})
        key = (method.__name__, *arguments)
        if key not in answers:
            answers[key] = method(self, *arguments)
        return answers[key]

    return found  # type: ignore[return-value]


class _SchreierSims(Search):
    """Stabilisers by SymPy."""

    def fixing(self, points: Images, inside: Stabiliser | None) -> list[Images]:
        from sympy.combinatorics import Permutation
        from sympy.combinatorics import PermutationGroup as Known

        assert inside is not None
        whole = Known([Permutation(list(images)) for images in inside.generators])
        _, strong = whole.schreier_sims_incremental(base=[points[-1]])
        images = (tuple(g.array_form) for g in strong)
        return [g for g in images if g[points[-1]] == points[-1]]


@dataclass(frozen=True, init=False, repr=False, eq=False)
class PermutationGroup(MatrixGroup):
    """The group that permutations of 0 .. n-1 generate, as n x n permutation matrices.

    ``generators`` are permutations of 0 .. n-1, each the tuple of its images, or SymPy's; or a
    PermutationGroup, SymPy's or this one: cyclic and dihedral groups are
    ``PermutationGroup(sympy.combinatorics.CyclicGroup(6))`` and of its ``DihedralGroup``. ``n`` need
    only be given where there are no generators. Groups are equal when they have the same generators.

    Its equivariant maps have the orbits of index tuples for a basis, at every n.
    Raises TypeError or ValueError for anything else than permutations of one length.
    Source: arXiv:2307.07810, the orbit basis.

    >>> cyclic = PermutationGroup([(1, 2, 3, 4, 0)])
    >>> cyclic, cyclic.dimension(1, 1), cyclic.dimension(2, 1)
    (PermutationGroup of order 5 on 5 points, 5, 25)
    >>> [str(orbit) for orbit in cyclic.basis(0, 2)]
    ['[0 0 ←]', '[0 1 ←]', '[0 2 ←]', '[0 3 ←]', '[0 4 ←]']
    """

    permutations: tuple[Images, ...]
    """The generators, each as the tuple of its images; identities left out."""

    symbol: ClassVar[str] = "PermutationGroup"
    families: ClassVar[tuple[type[Diagram], ...]] = (SetPartition, Orbit)
    deltas: ClassVar[bool] = False
    torch_sample: ClassVar[str] = '''\
def random_element(n: int) -> Tensor:
    """A random product of generators, as a permutation matrix."""
    images = torch.arange(n)
    for _ in range(int(torch.randint(1, 64, ())) if GENERATORS else 0):
        images = images[torch.tensor(GENERATORS[int(torch.randint(len(GENERATORS), ()))])]
    return torch.eye(n, dtype=torch.float64)[images]
'''
    numpy_sample: ClassVar[str] = '''\
def random_element(n: int, rng: np.random.Generator) -> Floats:
    """A random product of generators, as a permutation matrix."""
    images = np.arange(n)
    for _ in range(rng.integers(1, 64) if GENERATORS else 0):
        images = images[list(GENERATORS[rng.integers(len(GENERATORS))])]
    return np.eye(n)[images]
'''

    def __init__(self, generators: Iterable[Any] | PermutationGroup, n: int | None = None) -> None:
        if isinstance(generators, PermutationGroup):
            n = generators.n if n is None else n
            generators = generators.permutations
        listed: Any = getattr(generators, "generators", generators)
        if isinstance(listed, str) or not isinstance(listed, Iterable):
            raise TypeError(
                f"expected generators, each the tuple of its images such as (1, 2, 0), "
                f"got {generators!r}"
            )
        given: list[Any] = [getattr(one, "array_form", one) for one in listed]
        images = list(map(permuted, given))
        what = f"the dimension of V = R^n in {self.symbol}(generators, n)"
        sizes = {len(one) for one in images}
        sizes |= set() if n is None else {natural("n", n, least=1, what=what)}
        if len(sizes) > 1:
            raise ValueError(
                f"permutations of one length are needed, each the tuple of the images of "
                f"0 .. n-1, got lengths {sorted(sizes)}"
            )
        if not sizes - {0}:
            raise ValueError(
                "without generators, or those of no points, say of how many points: "
                "PermutationGroup([], n)"
            )
        object.__setattr__(self, "n", sizes.pop())
        distinct = dict.fromkeys(one for one in images if one != tuple(range(self.n)))
        object.__setattr__(self, "permutations", tuple(distinct))

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return type(other) is type(self) and self._key == other._key

    def __hash__(self) -> int:
        return self._hash

    def __getstate__(self) -> dict[str, Any]:
        # Not what was found on the way: much of it is large, and hashes of text are another's elsewhere.
        found = ((one.name, self.__dict__.get(one.name)) for one in fields(self))
        return {name: value for name, value in found if value is not None}

    @property
    def _key(self) -> Any:
        return self.n, self.permutations

    @cached_property
    def _hash(self) -> int:
        return hash(self._key)

    @cached_property
    def stabiliser(self) -> Stabiliser:
        """The whole group, as the root of the tree of its point stabilisers."""
        return Stabiliser(self.n, (), _SchreierSims(), moves=moves_of(self.permutations))

    @cached_property
    def order(self) -> int:
        """How many elements the group has."""
        return self.stabiliser.order

    def dimension(self, k: int, l: int) -> int:
        """The number of orbits on (k + l)-tuples, counted along point stabilisers."""
        return self.orbit_space(order("k", k), order("l", l)).count

    def count(self, k: int, l: int) -> int:
        """The same: orbits are independent."""
        return self.dimension(k, l)

    @kept
    def orbit_space(self, k: int, l: int) -> Orbits:
        """All orbits k -> l, without listing them; ``[i]`` is the i-th, ``.index`` its number."""
        return Orbits(self, k, l)

    def diagrams(self, k: int, l: int) -> Enumeration[Any]:
        """All orbits k -> l."""
        return self.orbit_space(order("k", k), order("l", l))

    def basis(self, k: int, l: int) -> Enumeration[Any]:
        """All orbits k -> l."""
        return self.orbit_space(order("k", k), order("l", l))

    def orbits(self, k: int, l: int) -> Iterator[Morphism]:
        """The orbits k -> l, as morphisms."""
        return map(Morphism.of, self.orbit_space(order("k", k), order("l", l)))

    def orbit(self, text: Any) -> Orbit:
        """An orbit from its text, or from the data that its ``to_json`` gives.

        >>> PermutationGroup([(1, 2, 0)]).orbit("[2 ← 1]")
        Orbit(PermutationGroup of order 3 on 3 points, dom=1, cod=1, indices=(0, 2))
        """
        return Orbit.read(self, text)

    def rule(self, diagram: Any) -> Sum | None:
        """Set partitions are sums of orbits."""
        if isinstance(diagram, Orbit):
            return None
        found = zip(self.orbit_space(diagram.dom, diagram.cod), self.values(diagram), strict=True)
        return {one: Fraction(int(value)) for one, value in found if value}

    def in_orbits(self, f: Diagram | Morphism) -> Morphism:
        """A diagram or a sum as a sum of orbits: its entries, one for each orbit.

        >>> group = PermutationGroup([(1, 0, 2)])
        >>> print(group.in_orbits(SetPartition.identity(1)))
        ([0 ← 0]) + ([2 ← 2])
        """
        f = self._own(f)
        space = self.orbit_space(f.dom, f.cod)
        total = self._entries_at_orbits(f)
        table: dict[tuple[Diagram, Any], Fraction | int] = {
            (one, 0): value for one, value in zip(space, total, strict=True) if value
        }
        return Morphism(f.dom, f.cod, table, n=self.n)

    def _entries_at_orbits(self, f: Morphism) -> list[Fraction]:
        """The entry of a sum at the least tuple of each orbit, in the order of the orbits."""
        space = self.orbit_space(f.dom, f.cod)
        total = [Fraction(0)] * space.count
        for diagram, coefficient in f.at(self.n).items():
            if isinstance(diagram, Orbit):
                total[space.index(diagram)] += coefficient
                continue
            for i, value in enumerate(self.values(diagram)):
                total[i] += coefficient * int(value)
        return total

    def representatives(self, m: int) -> NDArray[np.int64]:
        """The least tuple of each orbit of m-tuples, as an array of shape (orbits, m)."""
        return self._representatives(order("m", m))

    @kept
    def _representatives(self, m: int) -> NDArray[np.int64]:
        space = self.orbit_space(0, m)
        if space.count * max(m, 1) > MAX_LABELS:
            raise SizeError(f"{readable(space.count)} orbits of {m}-tuples are too many to list")
        flat = [i for one in space for i in one.indices]
        return np.array(flat, dtype=np.int64).reshape(space.count, m)

    def values(self, diagram: Diagram) -> NDArray[Any]:
        """The entries of a diagram's matrix at the least tuple of each orbit, exactly."""
        self.check(diagram)
        at = self.representatives(diagram.top + diagram.bottom)
        if isinstance(diagram, Orbit):
            same: NDArray[np.bool_] = (at == diagram.indices).all(axis=1)
            return same.astype(np.int64)
        entries = np.ones(len(at), dtype=np.int64)
        for first, *others in diagram.blocks:
            for other in others:
                entries *= at[:, first] == at[:, other]
        return entries

    def labels(self, m: int) -> NDArray[np.int32]:
        """The number of the orbit of each m-tuple of indices, of shape (n,) * m.

        Numbers are those of ``hom.basis("orbit")``, outputs first. Raises SizeError for more than
        2**27 tuples.

        >>> PermutationGroup([(1, 0, 2)]).labels(1)
        array([0, 0, 1], dtype=int32)
        """
        if self.n ** order("m", m) > MAX_LABELS:
            raise SizeError(
                f"{self}: {readable(self.n**m)} tuples of {m} indices are too many to number; "
                "group.stabiliser.canonical(tuples) finds the orbits of some"
            )
        return self._labels(m)

    def numbers(self, tuples: NDArray[np.int64]) -> NDArray[np.int64]:
        """The number of the orbit of each row of an array of shape (count, m)."""
        tuples = np.asarray(tuples)
        if tuples.ndim != 2 or tuples.dtype.kind not in "iu":
            raise TypeError(
                f"expected an array of integers of shape (count, m), a tuple in each row, "
                f"got {tuples.dtype} of shape {tuples.shape}"
            )
        if tuples.size and not 0 <= tuples.min() <= tuples.max() < self.n:
            raise ValueError(
                f"indices must be numbers from 0 to {self.n - 1}, "
                f"got {tuples.min()} to {tuples.max()}"
            )
        m = tuples.shape[1]
        if self.n**m <= MAX_LABELS:
            return self.labels(m).reshape(-1)[self.flat(tuples)].astype(np.int64)
        least = self.stabiliser.canonical(tuples)
        if self.n**m >= 2**63:
            index = {tuple(one): i for i, one in enumerate(self.representatives(m).tolist())}
            return np.array([index[tuple(one)] for one in least.tolist()], dtype=np.int64)
        # Least tuples are in lexicographic order.
        return np.searchsorted(self.flat(self.representatives(m)), self.flat(least))

    @kept
    def _labels(self, m: int) -> NDArray[np.int32]:
        found, _ = self.stabiliser.labels(m)
        found.flags.writeable = False
        return found

    def average(self, matrix: NDArray[Any], k: int, l: int) -> NDArray[Any]:
        """The average of g^l M g^-k over the group: entries are averaged over each orbit.

        >>> PermutationGroup([(1, 0)]).average(np.array([[1.0, 2.0], [4.0, 5.0]]), 1, 1)
        array([[3., 3.],
               [3., 3.]])
        """
        numbers = self.labels(l + k).reshape(-1)
        sizes = np.bincount(numbers)
        if matrix.dtype != object:
            means = np.bincount(numbers, weights=matrix.reshape(-1)) / sizes
        else:
            means = np.full(len(sizes), Fraction(0), dtype=object)
            np.add.at(means, numbers, matrix.reshape(-1))
            means = means / sizes.astype(object)
        averaged: NDArray[Any] = means[numbers].reshape(matrix.shape)
        return averaged

    def read(self, average: NDArray[Any], k: int, l: int) -> Morphism:
        """A matrix that commutes with the group, as a sum of basis diagrams."""
        places = self.flat(self.representatives(l + k))
        entries = zip(self.orbit_space(k, l), average.reshape(-1)[places], strict=True)
        table: dict[tuple[Diagram, Any], Any] = {(one, 0): value for one, value in entries}
        return self.morphism(Morphism(k, l, table, n=self.n))

    def entries(self, diagram: Diagram) -> NDArray[np.int64]:
        """The matrix of one diagram, of shape (n**cod, n**dom)."""
        self.check(diagram)
        if not isinstance(diagram, Orbit):
            return matrix_of(diagram, self.n)
        shape = (self.n**diagram.cod, self.n**diagram.dom)
        check_entries(shape)
        rows, columns, values = self.nonzeros(diagram)
        out = np.zeros(shape, dtype=np.int64)
        out[rows, columns] = values
        return out

    def nonzeros(self, diagram: Diagram) -> Entries:
        """The (rows, columns, values) of the nonzero entries of one diagram's matrix."""
        self.check(diagram)
        if not isinstance(diagram, Orbit):
            return nonzeros_of(diagram, self.n)
        if diagram.size > MAX_ENTRIES:
            raise SizeError(f"{diagram} has {diagram.size:,} nonzero entries: too many to list")
        l = diagram.cod
        self.check_places(diagram)
        tuples = self.stabiliser.orbit(diagram.indices)
        rows, columns = self.flat(tuples[:, :l]), self.flat(tuples[:, l:])
        return rows, columns, np.ones(len(tuples), dtype=np.int64)

    def check_places(self, diagram: Diagram) -> None:
        """Raise SizeError where 64 bits do not count the rows or columns of a matrix."""
        if self.n ** max(diagram.top, diagram.bottom) >= 2**63:
            raise SizeError(
                f"the matrix of ({diagram}) has {self.n}^{diagram.top} rows and "
                f"{self.n}^{diagram.bottom} columns: 64 bits do not count them"
            )

    def flat(self, tuples: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row or column number of each tuple of indices, in C order."""
        found = np.zeros(len(tuples), dtype=np.int64)
        for column in tuples.T:
            found = found * self.n + column
        return found

    def overlap(self, one: Diagram, other: Diagram) -> Fraction:
        """The inner product of the matrices of two diagrams of equal orders."""
        for diagram in (one, other):
            self.check(diagram)
        check_same_orders(one, other)
        if isinstance(one, Orbit) and isinstance(other, Orbit):
            return Fraction(one.size if one == other else 0)
        f, g = (self.values(diagram).astype(object) for diagram in (one, other))
        return Fraction(int((f * g * self._sizes(one.top + one.bottom)).sum()))

    @kept
    def _sizes(self, m: int) -> NDArray[np.object_]:
        """How many m-tuples each orbit has, as Python's integers."""
        sizes = np.empty(self.orbit_space(0, m).count, dtype=object)
        sizes[:] = [one.size for one in self.orbit_space(0, m)]
        return sizes

    def check(self, diagram: Diagram) -> None:
        """Raise TypeError for another kind of diagram, ValueError for orbits of another group."""
        if isinstance(diagram, Orbit) and diagram.group != self:
            raise ValueError(f"{diagram} is an orbit of {diagram.group}, not of {self}")
        super().check(diagram)

    def walks(self, k: int, l: int) -> Walks:
        """Raises ValueError: the irreducible representations of a permutation group are not known."""
        raise ValueError(
            f"{self}: walks need its irreducible representations, which are not known here; "
            "hom.dimension counts orbits"
        )

    def generators(self) -> list[NDArray[np.int64]]:
        """The generators, as permutation matrices; ``permutations`` has them as images."""
        check_entries((self.n, self.n), len(self.permutations))
        return [self._matrix(images) for images in self.permutations]

    def sample(self, rng: np.random.Generator | int | None = None) -> NDArray[np.float64]:
        """A uniformly random element, as a permutation matrix."""
        images = self.stabiliser.sample(np.random.default_rng(rng))
        return self._matrix(images).astype(np.float64)

    def _matrix(self, images: Any) -> NDArray[np.int64]:
        out = np.zeros((self.n, self.n), dtype=np.int64)
        out[np.array(images), np.arange(self.n)] = 1
        return out

    def host_sketch(self) -> HostSketch:
        """What a picture shows of the group, but for orbits: here its points, on a circle."""
        return HostSketch(self.n, (), circled=True, heading=str(self))

    def text(self, width: int = 80) -> str:
        """The orbits of points as a table, for a terminal ``width`` columns wide."""
        return group_text(self, width)

    def svg(self, diagram: Diagram | None = None) -> str:
        """Draw as a self-contained SVG picture: the points, or the host graph, coloured by orbits.

        With a diagram, that stands beside them, and they show its matrix: with one label the entry
        at every point, with two labels an arc for each pair where the entry is not zero. With an
        orbit, its points or pairs.

        >>> PermutationGroup([(1, 2, 0)]).svg().count("<circle")
        3
        """
        if diagram is None:
            return host_svg(group_portrait(self))
        self.check(diagram)
        if isinstance(diagram, Orbit):
            return diagram.svg()
        sketch = values_portrait(self, diagram)
        title = f"({diagram}) on {host_title(sketch)}"
        return beside_svg([diagram_panel(diagram), host_panel(sketch)], title)

    def tikz(self) -> str:
        """Draw as a ``tikzpicture`` for LaTeX."""
        return host_tikz(group_portrait(self))

    def card(self) -> str:
        """The group as a piece of HTML, for a notebook: its points or its host graph."""
        return points_card(self)

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        formats = picture_formats(self.__repr__, self.svg, self.latex)
        formats[HTML] = self.card
        return mimebundle(formats, include, exclude)

    @property
    def walked(self) -> bool:
        """No: the irreducible representations are not known here."""
        return False

    def displayed(self, k: int, l: int) -> tuple[str, Enumeration[Any], int]:
        """The orbits; each is drawn on the whole host graph."""
        lines = max(len(self.host_sketch().edges), 1)
        return "orbits", self.orbit_space(k, l), max(2, MAX_LINES // (self.n * lines))

    def latex(self) -> str:
        """The letter G, for LaTeX's math mode."""
        return "G"

    def __str__(self) -> str:
        return f"PermutationGroup of order {readable(self.order)} on {self.n} points"

    __repr__ = __str__
