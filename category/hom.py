"""Hom spaces: all linear maps V^k -> V^l that commute with a group."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import prod
from numbers import Rational
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tannaka.category import functor
from tannaka.category.gallery import gallery_html, gallery_picture
from tannaka.category.groups import Group
from tannaka.category.orbitals import Orbit
from tannaka.category.relations import Relations
from tannaka.category.walks import Shape, Walks, place
from tannaka.diagrams.counts import readable
from tannaka.diagrams.diagram import Diagram
from tannaka.diagrams.errors import CompositionError, SizeError
from tannaka.diagrams.morphism import Morphism, exact
from tannaka.diagrams.pictures.bundle import HTML, mimebundle, picture_formats
from tannaka.diagrams.pictures.panels import list_svg, panels_svg, sum_panel
from tannaka.diagrams.pictures.svg import gallery_svg
from tannaka.diagrams.pictures.text import gallery_text
from tannaka.diagrams.spaces.enumeration import Enumeration

MAX_LISTED = 10_000_000
"""Most basis diagrams that are put into one tuple before the request is refused."""


@dataclass(frozen=True)
class Hom:
    """The space Hom_G(V^k, V^l) of linear maps f with f g^k = g^l f for all g in G.

    k and l are orders; for a product of groups, words with the type of each axis. Raises TypeError
    or ValueError unless G is a group and k, l are such.

    >>> from tannaka.category.symmetric import S
    >>> hom = Hom(S(4), 1, 1)
    >>> hom
    Hom(S(4), 1, 1): dimension 2
    >>> [str(d) for d in hom.basis()]
    ['0 1', '0 | 1']
    >>> hom.matrices().shape
    (2, 4, 4)
    """

    group: Group
    k: Any
    l: Any

    def __post_init__(self) -> None:
        if not isinstance(self.group, Group):
            raise TypeError(
                f"expected a group such as S(5) or O(3), got {self.group!r}; "
                "tannaka.group('S(5)') finds one by its name"
            )
        object.__setattr__(self, "k", self.group.word("k", self.k))
        object.__setattr__(self, "l", self.group.word("l", self.l))

    @cached_property
    def dimension(self) -> int:
        """The exact dimension, from a closed formula: nothing is enumerated."""
        return self.group.dimension(self.k, self.l)

    @property
    def count(self) -> int:
        """How many diagrams :meth:`diagrams` yields; more than the dimension when n is small."""
        return self.group.count(self.k, self.l)

    @cached_property
    def spanning(self) -> Enumeration[Any]:
        """The spanning diagrams: ``hom.spanning[i]`` is the i-th, ``.index(d)`` its number."""
        return self.group.diagrams(self.k, self.l)

    @cached_property
    def independent(self) -> Enumeration[Any]:
        """The basis diagrams in the same way, without listing them: for spaces of any size."""
        return self.group.basis(self.k, self.l)

    def diagrams(self) -> Iterator[Any]:
        """The spanning set, one diagram after the other, in its fixed order."""
        return iter(self.spanning)

    def basis(self, kind: str = "diagram") -> tuple[Any, ...]:
        """Diagrams whose matrices are a basis of this space, for every n, also n < k + l.

        They keep the order of :meth:`diagrams`, but for ``Aut(graph)``. Row i of a layer's weight
        belongs to the i-th. ``basis("orbit")`` is :meth:`orbit_basis`, for groups of permutations.
        Raises SizeError for more than ten million; :attr:`independent` gives any one of them.
        """
        if kind == "orbit":
            return self.orbit_basis()
        if kind != "diagram":
            raise ValueError(f"a basis is of kind 'diagram' or 'orbit', got {kind!r}")
        return self._basis

    @cached_property
    def _basis(self) -> tuple[Diagram, ...]:
        if self.dimension > MAX_LISTED:
            raise SizeError(
                f"{self}: that is too many diagrams to list; "
                "hom.independent[i] is the i-th, hom.independent[:m] are the first m"
            )
        return tuple(self.independent)

    def orbit_basis(self) -> tuple[Morphism, ...]:
        """The orbit basis of a group of permutations: matrices of 0 and 1 with disjoint entries.

        For S(n) and H(n), row i of this basis and of the diagram basis belong to one set partition.
        Raises ValueError for other groups, which have infinitely many orbits of indices.

        >>> from tannaka.category.symmetric import S
        >>> [str(f) for f in Hom(S(2), 1, 1).orbit_basis()]
        ['(0 1)', '-(0 1) + (0 | 1)']
        """
        parts = self.group.orbits(self.k, self.l)
        if parts is None:
            raise ValueError(f"{self.group} is no permutation group: it has no orbit basis")
        if self.dimension > MAX_LISTED:
            raise SizeError(f"{self}: that is too many orbits to list")
        return tuple(parts)

    def relations(self) -> Relations:
        """Each spanning diagram outside the basis, as the sum of basis diagrams that it equals.

        A dictionary, which a notebook shows as pictures. Exact, by straightening: no linear algebra.
        Empty when the diagrams are independent. Raises SizeError for more than ten million diagrams; :meth:`reduce` does one at a time.

        >>> from tannaka.category.orthogonal import O
        >>> for diagram, equal in Hom(O(1), 2, 2).relations().items():
        ...     print(f"{diagram}  =  {equal}")
        0 1 | 2 3  =  (0 3 | 1 2)
        0 2 | 1 3  =  (0 3 | 1 2)
        """
        if self.count > MAX_LISTED:
            raise SizeError(
                f"Hom({self.group}, {self.k}, {self.l}) is spanned by {readable(self.count)} "
                "diagrams: hom.reduce(d) writes any one of them in the basis"
            )
        found = {d: self.group.morphism(d) for d in self.diagrams() if d not in self.independent}
        words = "1 relation" if len(found) == 1 else f"{len(found):,} relations"
        none = "the spanning diagrams are independent: no relations"
        at = f"Hom({self.group}, {self.k}, {self.l})"
        return Relations(found, f"{at}: {words if found else none}")

    def reduce(self, f: Diagram | Morphism) -> Morphism:
        """A diagram or a sum k -> l in the basis: equal sums are equal maps.

        Raises CompositionError for other orders, TypeError for diagrams of another group's family.
        """
        f = Morphism.of(f)
        if (f.dom, f.cod) != (self.k, self.l):
            raise CompositionError(f"{f} is {f.dom} -> {f.cod}, but this is {self}")
        return self.group.morphism(f)

    def gram(self) -> NDArray[np.object_]:
        """The inner products of the basis matrices, exact, of shape (dimension, dimension).

        Entry i, j is the sum over all entries of matrix i times matrix j; counted from loops,
        without matrices. Raises SizeError when it would take more than 2 GiB.

        >>> from tannaka.category.symmetric import S
        >>> Hom(S(3), 1, 1).gram()
        array([[3, 3],
               [3, 9]], dtype=object)
        """
        functor.check_entries((self.dimension, self.dimension), each=functor.OBJECT_BYTES)
        basis = self.basis()
        out = np.empty((len(basis), len(basis)), dtype=object)
        for i, one in enumerate(basis):
            for j in range(i + 1):
                out[i, j] = out[j, i] = int(self.group.overlap(one, basis[j]))
        return out

    def coefficients(self, matrix: ArrayLike) -> Morphism:
        """The matrix as a sum of basis diagrams, exactly, where it lies in this space.

        ``matrix`` has shape (n**l, n**k) and entries that are integers or Fractions. Raises
        ValueError where it does not commute with the group: there is no such sum;
        :meth:`project` finds the nearest one.

        >>> from tannaka.category.symmetric import S
        >>> print(Hom(S(3), 1, 1).coefficients([[5, 2, 2], [2, 5, 2], [2, 2, 5]]))
        3 (0 1) + 2 (0 | 1)
        """
        given = self._entries(matrix, exactly=True)
        back = self.group.average(given, self.k, self.l)
        if back is None:
            back = self.group.matrix(found := self._projected(given))
        else:
            found = self.group.read(back, self.k, self.l)
        if any(a != b for a, b in zip(back.flat, given.flat, strict=True)):
            raise ValueError(
                f"the matrix does not lie in {self}: it is not equivariant; "
                "hom.project(matrix) gives the nearest that is"
            )
        return found

    def project(self, matrix: ArrayLike) -> NDArray[Any]:
        """The nearest matrix in this space, by the sum of squared entries; exact for exact entries.

        ``matrix`` has shape (n**l, n**k). For integers and Fractions the result has exact entries,
        for floats it is of floats. For groups of orthogonal matrices this is the average of
        g**l M g**-k over the group.

        >>> from tannaka.category.symmetric import S
        >>> Hom(S(2), 1, 1).project([[1.0, 2.0], [4.0, 5.0]])
        array([[3., 3.],
               [3., 3.]])
        """
        given = self._entries(matrix, exactly=False)
        averaged = self.group.average(given, self.k, self.l)
        if averaged is not None:
            return averaged
        if given.dtype == object:
            return self.group.matrix(self._projected(given))
        basis = self.matrices().reshape(self.dimension, given.size).astype(np.float64)
        # Least squares keeps what the squared condition of the Gram matrix would lose.
        weights = np.linalg.lstsq(basis.T, given.ravel(), rcond=None)[0]
        nearest: NDArray[np.float64] = (weights @ basis).reshape(given.shape)
        return nearest

    @property
    def _shape(self) -> tuple[int, int]:
        """The shape of the matrices: (n**l, n**k)."""
        return prod(self.group.shape(self.l)), prod(self.group.shape(self.k))

    def _entries(self, matrix: ArrayLike, exactly: bool) -> NDArray[Any]:
        wanted = f"expected a matrix of shape (n^l, n^k) = {self._shape}"
        try:
            given = np.asarray(matrix)
        except ValueError:
            raise ValueError(f"{wanted}, got rows of different lengths") from None
        if given.shape != self._shape:
            raise ValueError(f"{wanted}, got shape {given.shape}")
        if given.dtype.kind == "f" and not isinstance(matrix, np.ndarray):
            # Integers that fit no 64 bits come together as floats, rounded.
            listed = np.asarray(matrix, dtype=object)
            given = listed if all(isinstance(v, Rational) for v in listed.flat) else given
        if given.dtype.kind not in "biufO":
            raise TypeError(f"expected a matrix of real numbers, got entries of {given.dtype}")
        if given.dtype.kind != "f":
            entries = [exact(v if given.dtype == object else int(v)) for v in given.flat]
            out = np.empty(given.size, dtype=object)
            out[:] = entries
            return out.reshape(given.shape)
        if exactly:
            raise TypeError(
                f"exact coefficients need integers or Fractions, got {given.dtype}; "
                "hom.project takes floats"
            )
        return given.astype(np.float64)

    def _projected(self, given: NDArray[Any]) -> Morphism:
        """The nearest sum of basis diagrams: the Gram matrix, solved over the rationals."""
        from sympy.polys.domains import QQ
        from sympy.polys.matrices import DomainMatrix

        basis = self.basis()
        if not basis:
            return Morphism(self.k, self.l, {}, n=self.group.loops)
        sides = []
        for diagram in basis:
            rows, columns, values = self.group.nonzeros(diagram)
            total = sum(
                (v * given[r, c] for r, c, v in zip(rows, columns, values.tolist(), strict=True)),
                Fraction(0),
            )
            sides.append([QQ(total.numerator, total.denominator)])
        gram = [[QQ(int(entry)) for entry in row] for row in self.gram()]
        size = len(basis)
        solved = DomainMatrix(gram, (size, size), QQ).lu_solve(DomainMatrix(sides, (size, 1), QQ))
        found = [Fraction(int(x.numerator), int(x.denominator)) for (x,) in solved.to_list()]
        table = {(d, 0): value for d, value in zip(basis, found, strict=True)}
        return Morphism(self.k, self.l, table, n=self.group.loops)

    def walks(self) -> Walks:
        """The walks on the McKay quiver that the dimension counts.

        Source: arXiv:2212.08648, the paths from the trivial representation.

        >>> from tannaka.category.symmetric import S
        >>> print(Hom(S(3), 1, 1).walks())
        walks of 2 steps from 3 to 3: 2
          0: 3
          1: 3, 21
          2: 2 x 3
        """
        return self.group.walks(self.k, self.l)

    @property
    def has_blocks(self) -> bool:
        """Whether :meth:`blocks` knows the irreducibles."""
        if isinstance(self.k, tuple) or not self.group.walked:
            return False
        walks = self.group.walks(self.k, self.l)
        return walks.ends == (walks.start,)

    def blocks(self) -> dict[Shape, tuple[int, int]]:
        """How often each irreducible that is in both is in V^l and in V^k, by its partition.

        In bases of V^k and V^l that suit, every map of this space is a block of such a size for each
        irreducible, so that the dimension is the sum of their products. Known for S(n), O(n) and
        Sp(n), and for A(n) and SO(n) where the determinant is out of reach; else raises ValueError.

        >>> from tannaka.category.symmetric import S
        >>> Hom(S(4), 2, 2).blocks()
        {(4,): (2, 2), (3, 1): (3, 3), (2, 2): (1, 1), (2, 1, 1): (1, 1)}
        """
        if not self.has_blocks:
            raise ValueError(f"{self}: its irreducible blocks are not known here")
        walks = self.walks()
        inputs, outputs = walks.after(self.k), walks.after(self.l)
        common = sorted(inputs.keys() & outputs.keys(), key=place)
        return {shape: (outputs[shape], inputs[shape]) for shape in common}

    def matrices(self) -> NDArray[np.int64]:
        """The matrices of the basis, of shape (dimension, n**l, n**k), in exact integers.

        Raises SizeError when they would take more than 2 GiB.
        """
        functor.check_entries(self._shape, self.dimension)
        out = np.zeros((self.dimension, *self._shape), dtype=np.int64)
        for row, diagram in enumerate(self.independent):
            out[row] = self.group.entries(diagram)
        return out

    def text(self, width: int = 80, kind: str = "diagram") -> str:
        """The basis of this kind drawn for a terminal ``width`` columns wide; orbits as their tuples.

        >>> from tannaka.category.permutations import PermutationGroup
        >>> print(Hom(PermutationGroup([(1, 2, 0)]), 1, 1).text())
        0: [0 ← 0] of PermutationGroup of order 3 on 3 points: 3 pairs
        0 ← 0
        1 ← 1
        2 ← 2
        <BLANKLINE>
        1: [0 ← 1] of PermutationGroup of order 3 on 3 points: 3 pairs
        0 ← 1
        1 ← 2
        2 ← 0
        <BLANKLINE>
        2: [0 ← 2] of PermutationGroup of order 3 on 3 points: 3 pairs
        0 ← 2
        1 ← 0
        2 ← 1
        """
        basis = self.basis(kind)
        if kind == "diagram" and not any(isinstance(one, Orbit) for one in basis[:1]):
            return gallery_text(basis, width=width)
        drawn = []
        for i, f in enumerate(basis if kind == "diagram" else map(_plain, basis)):
            # An orbit's text begins with its name.
            drawn.append(f"{i}: " + ("" if isinstance(f, Orbit) else f"{f}\n") + f.text())
        return "\n\n".join(drawn)

    def svg(self, kind: str = "diagram") -> str:
        """The basis of this kind as one self-contained SVG picture.

        Orbits of a permutation group are drawn on its points or its host graph.

        >>> from tannaka.category.symmetric import S
        >>> Hom(S(3), 1, 1).svg("orbit").count("<circle")
        6
        """
        basis = self.basis(kind)
        if kind == "diagram":
            return gallery_svg(basis, title=str(self))
        singles = [_single(f) for f in basis]
        portraits = [one.portrait() for one in singles if one]
        panels = [portrait for portrait in portraits if portrait]
        if len(panels) == len(basis):
            return panels_svg(panels, list(map(str, singles)), title=str(self))
        return list_svg([sum_panel(f.written()) for f in basis], title=str(self))

    def latex(self) -> str:
        r"""The space and its dimension as a formula for LaTeX's math mode.

        >>> from tannaka.category.symmetric import S
        >>> print(Hom(S(4), 2, 1).latex())
        \dim \mathrm{Hom}_{\mathrm{S}(4)}\left(V^{\otimes 2}, V\right) = 5
        """
        ends = ", ".join(map(self.group.object_latex, (self.k, self.l)))
        dimension = readable(self.dimension).replace(",", "{,}")
        return f"\\dim \\mathrm{{Hom}}_{{{self.group.latex()}}}\\left({ends}\\right) = {dimension}"

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        formats = picture_formats(self.__str__, lambda: gallery_picture(self), self.latex)
        formats[HTML] = lambda: gallery_html(self)
        return mimebundle(formats, include, exclude)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # Hypothesis would write out the fields.
        printer.text(repr(self))

    def __str__(self) -> str:
        return f"Hom({self.group}, {self.k}, {self.l}): dimension {readable(self.dimension)}"

    __repr__ = __str__


def _plain(f: Morphism) -> Diagram | Morphism:
    """A sum that is one diagram, once, as that diagram."""
    return _single(f) or f


def _single(f: Morphism) -> Diagram | None:
    """The diagram of a sum that is one diagram, once."""
    terms = f.written()
    return terms[0][1] if len(terms) == 1 and not terms[0][0] else None
