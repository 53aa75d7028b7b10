"""What every symmetry group offers, and how a group is found by its name.

To add a group: write a file here with one frozen dataclass that subclasses :class:`MatrixGroup` and is
decorated with ``@register``, and import it in ``category/__init__.py``; its name then works in
``tannaka.group("...")`` and on the command line. What the class must define is abstract below:
which diagrams span, which of them are a basis and how to write the others in it, how many those
are, what generates the group, and how to draw a random element. Generated files check themselves
with an element of the group, so the class also says in PyTorch and in NumPy how to draw one
(``torch_sample``, ``numpy_sample``). A new kind of diagram needs a strategy in
``tannaka.testing.strategies`` and, unless its matrix is a product of deltas, a lowering.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tannaka.category import functor
from tannaka.category.cards import group_card
from tannaka.category.sparse import Entries, csr, nonzeros
from tannaka.category.straightening import Sum, straightened
from tannaka.category.walks import Walks
from tannaka.diagrams.counts import readable
from tannaka.diagrams.diagram import Diagram, natural
from tannaka.diagrams.diagram import order as natural_order
from tannaka.diagrams.errors import CompositionError, SizeError
from tannaka.diagrams.morphism import Morphism
from tannaka.diagrams.partition import SetPartition, connected
from tannaka.diagrams.pictures.bundle import HTML, LATEX, PLAIN, mimebundle
from tannaka.diagrams.spaces.enumeration import Enumeration

if TYPE_CHECKING:
    import scipy.sparse


class Group(ABC):
    """A group G that acts linearly on V, and on tensors by acting on every axis.

    An object ``k`` of its category stands for a tensor power of V: an order, or for a product of
    groups a word with a type for each axis.
    """

    n: Any
    """The dimension of V; for a product, a tuple with that of each factor."""
    families: ClassVar[tuple[type[Diagram], ...]]
    """The kinds of diagram that span its Hom spaces, the plain one first."""

    @abstractmethod
    def word(self, name: str, value: Any) -> Any:
        """``value`` as an object of the category; raises TypeError or ValueError, naming it."""

    @abstractmethod
    def shape(self, word: Any) -> tuple[int, ...]:
        """The size of each axis of a tensor in V^word."""

    @property
    @abstractmethod
    def loops(self) -> tuple[int, ...]:
        """What a closed loop is worth, for each type of axis."""

    @abstractmethod
    def dimension(self, k: Any, l: Any) -> int:
        """The exact dimension of Hom_G(V^k, V^l), without enumerating."""

    @abstractmethod
    def count(self, k: Any, l: Any) -> int:
        """How many diagrams k -> l span Hom_G(V^k, V^l); equal to the dimension when n is large."""

    @abstractmethod
    def diagrams(self, k: Any, l: Any) -> Enumeration[Any]:
        """The spanning diagrams k -> l, in their fixed order."""

    @abstractmethod
    def basis(self, k: Any, l: Any) -> Enumeration[Any]:
        """The diagrams k -> l that form a basis, in the order of :meth:`diagrams`."""

    @abstractmethod
    def rule(self, diagram: Any) -> Sum | None:
        """A diagram outside the basis as a sum of others, nearer to it; None for a basis diagram."""

    def orbits(self, k: Any, l: Any) -> Iterator[Morphism] | None:
        """The orbit basis, in the order of :meth:`basis`; None for a group that has none."""
        return None

    def average(self, matrix: NDArray[Any], k: Any, l: Any) -> NDArray[Any] | None:
        """The average of g^l M g^-k over the group, where that is a finite sum; else None."""
        return None

    def read(self, average: NDArray[Any], k: Any, l: Any) -> Morphism:
        """An average that :meth:`average` found, as a sum of basis diagrams.

        Only groups that take averages have this.
        """
        raise NotImplementedError(f"{self} takes no averages")

    @abstractmethod
    def walks(self, k: Any, l: Any) -> Walks:
        """The walks on the McKay quiver whose number is the dimension of Hom_G(V^k, V^l)."""

    @property
    def open(self) -> bool:
        """Whether this is a family of groups, one for every n."""
        return False

    @property
    def walked(self) -> bool:
        """Whether :meth:`walks` knows the irreducible representations."""
        return True

    def displayed(self, k: Any, l: Any) -> tuple[str, Enumeration[Any], int]:
        """The basis that a notebook shows: what it is called, and how many are drawn in a second."""
        return "basis diagrams", self.basis(k, l), 1000

    @abstractmethod
    def latex(self) -> str:
        """The group's name for LaTeX's math mode."""

    @abstractmethod
    def object_latex(self, word: Any) -> str:
        """The space V^word for LaTeX's math mode."""

    @abstractmethod
    def card(self) -> str:
        """The group as a piece of HTML, for a notebook."""

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # Hypothesis would write out the fields, those of the class among them.
        printer.text(repr(self))

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        formats = {PLAIN: self.__str__, HTML: self.card}
        formats[LATEX] = lambda: f"$\\displaystyle {self.latex()}$"
        return mimebundle(formats, include, exclude)

    @abstractmethod
    def generators(self) -> list[Any]:
        """Elements that generate G, or a subgroup with the same equivariant maps."""

    @abstractmethod
    def sample(self, rng: np.random.Generator | int | None = None) -> Any:
        """A random element; ``rng`` is a numpy Generator or a seed."""

    @abstractmethod
    def act(self, g: Any, x: ArrayLike, order: Any) -> NDArray[Any]:
        """Act with g on tensors of V^order whose last axis holds channels."""

    @abstractmethod
    def entries(self, diagram: Any) -> NDArray[np.int64]:
        """The matrix of one diagram."""

    @abstractmethod
    def nonzeros(self, diagram: Any) -> Entries:
        """The (rows, columns, values) of the nonzero entries of one diagram's matrix."""

    @abstractmethod
    def overlap(self, one: Any, other: Any) -> Fraction:
        """The inner product of the matrices of two diagrams of equal orders.

        Like :meth:`entries` and :meth:`nonzeros`, raises TypeError or ValueError for diagrams that are
        not of the group's category; :meth:`inner` is this for sums too.
        """

    @abstractmethod
    def check(self, diagram: Diagram) -> None:
        """Raise TypeError or ValueError unless this is a diagram of the group's category."""

    def morphism(self, f: Diagram | Morphism) -> Morphism:
        """The same map in this group's category: loops have their value, basis diagrams are left.

        Two morphisms are one map on tensors exactly when this makes them equal. Composing,
        ``>>`` and ``@``, and then this again, is composing maps.

        Raises TypeError for diagrams of another group's family.

        >>> from tannaka.category.orthogonal import O
        >>> from tannaka.diagrams.brauer import Brauer
        >>> print(O(3).morphism(Brauer.cup() >> Brauer.cap()))
        3 (∅)
        >>> print(O(1).morphism(Brauer.identity(2)))
        (0 3 | 1 2)
        """
        f = self._own(f)
        total: Sum = defaultdict(Fraction)
        for diagram, coefficient in f.at(*self.loops).items():
            for other, value in straightened(diagram, self.rule).items():
                total[other] += coefficient * value
        table = {(diagram, 0): value for diagram, value in total.items()}
        return Morphism(f.dom, f.cod, table, n=self.loops)

    def matrix(self, f: Diagram | Morphism) -> NDArray[Any]:
        """The matrix of a diagram or morphism, of shape (n**cod, n**dom), in exact integers.

        An object array of Fractions where coefficients are not whole. Raises TypeError for diagrams
        of another group's family, SizeError when it would take more than 2 GiB.
        """
        f = self._own(f)
        shape = (prod(self.shape(f.cod)), prod(self.shape(f.dom)))
        return functor.combination(f.at(*self.loops), shape, self.entries)

    def sparse(self, f: Diagram | Morphism) -> scipy.sparse.csr_array:
        """The matrix as a SciPy array in compressed rows; of floats unless coefficients are whole.

        Needs SciPy. Raises TypeError for diagrams of another group's family, SizeError for whole
        entries that 64 bits may not hold.
        """
        f = self._own(f)
        terms = f.at(*self.loops)
        whole = all(value.denominator == 1 for value in terms.values())
        parts = [self.nonzeros(diagram) for diagram in terms]
        bound = sum(
            abs(value) * functor.largest(entries)
            for value, (_, _, entries) in zip(terms.values(), parts, strict=True)
        )
        if whole and bound >= 2**63:
            raise SizeError(
                f"64 bits may not hold the entries, up to {readable(int(bound))}, of ({f}): "
                "group.matrix(f) has them exactly"
            )
        values = [
            entries * (int(value) if whole else float(value))
            for value, (_, _, entries) in zip(terms.values(), parts, strict=True)
        ]
        none = np.zeros(0, dtype=np.int64)
        rows = np.concatenate([none, *(rows for rows, _, _ in parts)])
        columns = np.concatenate([none, *(columns for _, columns, _ in parts)])
        shape = (prod(self.shape(f.cod)), prod(self.shape(f.dom)))
        return csr((rows, columns, np.concatenate([none, *values])), shape)

    def inner(self, f: Diagram | Morphism, g: Diagram | Morphism) -> Fraction:
        """The sum over all entries of the products of the two matrices, exactly, without matrices.

        It is the trace of ``g >> f.dagger()``: loops, counted. For set partitions that is n to the
        number of blocks of their join.

        >>> from tannaka.category.symmetric import S
        >>> from tannaka.diagrams.partition import SetPartition
        >>> S(5).inner(SetPartition.identity(2), SetPartition.swap())
        Fraction(5, 1)
        """
        f, g = self._own(f), self._own(g)
        check_same_orders(f, g)
        total = Fraction(0)
        for one, a in f.at(*self.loops).items():
            for other, b in g.at(*self.loops).items():
                total += a * b * self.overlap(one, other)
        return total

    def _own(self, f: Diagram | Morphism) -> Morphism:
        f = Morphism.of(f)
        for diagram in f.diagrams():
            self.check(diagram)
        return f

    def __mul__(self, other: object) -> Group:
        """The product of groups: axes have types, 0 for this group, 1 for the other."""
        if not isinstance(other, Group):
            return NotImplemented
        return PRODUCTS[0]((self, other))


@dataclass(frozen=True)
class MatrixGroup(Group):
    """A group of real n x n matrices acting on V = R^n."""

    n: int

    symbol: ClassVar[str]
    """The group's name without its dimension, e.g. ``"S"``."""
    torch_sample: ClassVar[str]
    """PyTorch source of ``random_element(n: int) -> Tensor``, a float64 matrix, for generated files."""
    numpy_sample: ClassVar[str]
    """The same for NumPy: ``random_element(n: int, rng: np.random.Generator) -> Floats``."""
    deltas: ClassVar[bool] = True
    """Whether a diagram of the plain family is the matrix of its deltas, without signs."""

    def __post_init__(self) -> None:
        what = f"the dimension of V = R^n in {self.symbol}(n)"
        object.__setattr__(self, "n", natural("n", self.n, least=1, what=what))

    def word(self, name: str, value: Any) -> int:
        """``value`` as an order, an integer >= 0."""
        return natural_order(name, value)

    def shape(self, word: int) -> tuple[int, ...]:
        """The sizes of ``word`` axes: n each."""
        return (self.n,) * word

    def latex(self) -> str:
        r"""The group's name for LaTeX's math mode.

        >>> from tannaka.category.orthogonal import SO
        >>> print(SO(3).latex())
        \mathrm{SO}(3)
        """
        return f"\\mathrm{{{self.symbol}}}({'n' if self.n is None else self.n})"

    def card(self) -> str:
        """The group as a piece of HTML, for a notebook: its generators, and dimensions."""
        return group_card(self)

    def object_latex(self, word: int) -> str:
        """The space V^word for LaTeX's math mode."""
        return {0: "\\mathbb{R}", 1: "V"}.get(word, f"V^{{\\otimes {word}}}")

    @property
    def form(self) -> NDArray[np.int64]:
        """The invariant bilinear form as an (n, n) matrix; the identity, unless a group says else."""
        return np.eye(self.n, dtype=np.int64)

    @property
    def loop(self) -> int:
        """What a closed loop is worth: n, unless a group says else."""
        return self.n

    @property
    def loops(self) -> tuple[int, ...]:
        """What a closed loop is worth, for the one type of axis."""
        return (self.loop,)

    @abstractmethod
    def generators(self) -> list[NDArray[Any]]:
        """Elements, as (n, n) matrices, that generate G, or a subgroup with the same equivariant maps."""

    @abstractmethod
    def sample(self, rng: np.random.Generator | int | None = None) -> NDArray[np.float64]:
        """A random element as an (n, n) matrix; ``rng`` is a numpy Generator or a seed."""

    def inverse(self, g: ArrayLike) -> NDArray[np.float64]:
        """The inverse of an element, from the form that it keeps: g.T @ form @ g == form.

        >>> from tannaka.category.symplectic import Sp
        >>> g = Sp(4).sample(0)
        >>> bool(np.allclose(Sp(4).inverse(g) @ g, np.eye(4)))
        True
        """
        form = self.form
        inverse: NDArray[np.float64] = np.linalg.inv(form) @ self.element(g).T @ form
        return inverse

    def element(self, g: ArrayLike) -> NDArray[Any]:
        """``g`` as an (n, n) array; raises ValueError for another shape."""
        g = np.asarray(g)
        if g.shape != (self.n, self.n):
            raise ValueError(
                f"expected an element of {self}, of shape {(self.n,) * 2}, got shape {g.shape}"
            )
        return g

    def entries(self, diagram: Diagram) -> NDArray[np.int64]:
        """The matrix of one diagram, of shape (n**cod, n**dom)."""
        self.check(diagram)
        return functor.matrix(diagram, self.n)

    def nonzeros(self, diagram: Diagram) -> Entries:
        """The (rows, columns, values) of the nonzero entries of one diagram's matrix."""
        self.check(diagram)
        return nonzeros(diagram, self.n)

    def overlap(self, one: Diagram, other: Diagram) -> Fraction:
        """The inner product of the matrices of two diagrams of equal orders."""
        for diagram in (one, other):
            self.check(diagram)
        check_same_orders(one, other)
        if not one.dissected()[1] and not other.dissected()[1]:
            # The two on top of one another: each connected part is a loop.
            parts = connected(one.top + one.bottom, [*one.blocks, *other.blocks])
            return Fraction(self.loop ** len(set(parts)))
        closed = _bent(one, self) >> _bent(other, self).dagger()
        return sum(closed.at(self.loop).values(), Fraction(0))

    def check(self, diagram: Diagram) -> None:
        """Raise TypeError for another kind of diagram, ValueError for one with another n."""
        if not isinstance(diagram, self.families):
            names = " and ".join(family.__name__ for family in self.families)
            raise TypeError(
                f"{self} acts through {names} diagrams, got a {type(diagram).__name__}"
                f"{self._converted(diagram)}"
            )
        (n,) = diagram.fixed
        if n is not None and n != self.n:
            raise ValueError(
                f"{self} has determinant vertices with {self.n} legs, got {n} in ({diagram})"
            )

    def _converted(self, diagram: Diagram) -> str:
        """How a diagram of another family is written in one of this group's, where it can be."""
        if hasattr(diagram, "partition") and SetPartition in self.families:
            return "; f.partition() is the same diagram as a SetPartition"
        return ""

    def act(self, g: ArrayLike, x: ArrayLike, order: int) -> NDArray[Any]:
        """Act with g, of shape (n, n), on tensors x of shape (*batch, n, ..., n, channels).

        Each of the ``order`` axes before the last is multiplied by g: entry i of an axis becomes
        the sum over j of g[i, j] times entry j.

        >>> from tannaka.category.symmetric import S
        >>> S(2).act([[0, 1], [1, 0]], [[5.0], [7.0]], order=1)
        array([[7.],
               [5.]])
        """
        g, x, tensor_order = self.element(g), np.asarray(x), natural_order("order", order)
        axes = x.shape[max(x.ndim - 1 - tensor_order, 0) : -1]
        if not x.ndim or axes != (self.n,) * tensor_order:
            raise ValueError(
                f"expected tensors of shape (*batch, {'n, ' * tensor_order}channels) with n = {self.n}, "
                f"got shape {x.shape}"
            )
        for axis in range(x.ndim - 1 - tensor_order, x.ndim - 1):
            x = np.moveaxis(np.tensordot(g, x, axes=(1, axis)), 0, axis)
        return x

    def __str__(self) -> str:
        return f"{self.symbol}({self.n})"

    __repr__ = __str__


@lru_cache(maxsize=2**12)  # a Gram matrix bends each diagram of a basis again and again
def _bent(diagram: Diagram, group: MatrixGroup) -> Morphism:
    """All inputs bent up beside the outputs: 0 -> cod + dom, the same tensor."""
    family, k = group.families[0], diagram.dom
    cups = family.from_blocks(0, 2 * k, [(i, k + i) for i in range(k)])
    f = Morphism(k, diagram.cod, {(diagram, 0): 1}, n=group.loop)
    bent: Morphism = Morphism.of(cups) >> (f @ family.identity(k))
    return bent


def check_same_orders(f: Diagram | Morphism, g: Diagram | Morphism) -> None:
    """Raise CompositionError unless both are maps between the same objects."""
    if (f.dom, f.cod) != (g.dom, g.cod):
        raise CompositionError(
            f"{f} is {f.dom} -> {f.cod}, but {g} is {g.dom} -> {g.cod}: there is no inner product"
        )


G = TypeVar("G", bound=type[MatrixGroup])
GROUPS: dict[str, type[MatrixGroup]] = {}
"""Every kind of group, by its symbol."""
PRODUCTS: list[Callable[[Sequence[Group]], Group]] = []
"""How to make a product of groups; ``product.py`` puts it here."""


def register(cls: G) -> G:
    """Make a group findable by its symbol."""
    GROUPS[cls.symbol] = cls
    return cls


def group(text: str | Group) -> Group:
    """Find a group by its name, as it prints; factors of a product stand with ``x`` between.

    Parentheses may be left out, since shells want them quoted. ``S()`` and ``S(n)`` are the family.

    Raises ValueError for a name that is not understood, saying which groups there are.

    >>> from tannaka.category.orthogonal import O
    >>> group("O(3)") == O(3)
    True
    >>> group("S(3) x O(2)"), group("S3xO2"), group("S()")
    (S(3) x O(2), S(3) x O(2), S(n))
    """
    if isinstance(text, Group):
        return text
    if not isinstance(text, str):
        raise TypeError(f"a group's name is text such as 'S(5)', got {text!r}")
    factors = []
    for name in re.split(r"\s*[x*\N{MULTIPLICATION SIGN}]\s*", text.strip()):
        found = re.fullmatch(r"([A-Za-z]+)\s*(?:\(\s*(-?[0-9]+|n?)\s*\)|([0-9]+))", name)
        kind = GROUPS.get(found[1]) if found else None
        number = (found[3] or found[2]) if found else ""
        family = number in ("", "n")
        # Only where n has a default, none, is there a family.
        if kind is None or (family and not hasattr(kind, "n")):
            known = ", ".join(f"{symbol}(n)" for symbol in sorted(GROUPS))
            raise ValueError(
                f"no group is called {text!r}; the groups are {known}, n a number >= 1, "
                "products such as S(3) x O(2), and the family S(); in Python also "
                "tannaka.PermutationGroup([(1, 2, 0)]), of any permutations, and tannaka.Aut(graph)"
            )
        factors.append(kind(*([] if family else [int(number)])))
    return factors[0] if len(factors) == 1 else PRODUCTS[0](factors)
