"""Products of groups: each axis of a tensor belongs to one factor, its type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tannaka.category import functor
from tannaka.category.cards import product_card
from tannaka.category.groups import PRODUCTS, Group, MatrixGroup, check_same_orders
from tannaka.category.sparse import Entries
from tannaka.category.straightening import Sum
from tannaka.category.walks import Walks
from tannaka.diagrams.diagram import Diagram, natural
from tannaka.diagrams.enumerate import typed_diagrams
from tannaka.diagrams.spaces.enumeration import Enumeration
from tannaka.diagrams.typed import Typed


@dataclass(frozen=True, repr=False)
class Product(Group):
    """The product of groups G_0 x ... x G_{p-1}, acting on tensors whose axes have types 0 .. p-1.

    An object is a word of types: (0, 1, 0) stands for V_0 (x) V_1 (x) V_0, and factor t acts on the
    axes of type t. Products of products flatten. An element is a tuple of matrices, one for each
    factor. Equivariant maps are spanned by typed diagrams, a diagram of each factor side by side, so
    that dimensions multiply.
    Source: arXiv:2301.10152, its section on local symmetries.

    >>> from tannaka.category.orthogonal import O
    >>> from tannaka.category.symmetric import S
    >>> points = S(5) * O(3)
    >>> points, points.n, points.dimension((0, 1), (0, 1))
    (S(5) x O(3), (5, 3), 2)
    """

    factors: tuple[MatrixGroup, ...]

    families: ClassVar[tuple[type[Diagram], ...]] = (Typed,)

    def __post_init__(self) -> None:
        flat: list[MatrixGroup] = []
        if not isinstance(self.factors, Sequence) or not self.factors:
            raise TypeError(
                f"a product is of one group or more, in a tuple such as (S(3), O(2)), "
                f"got {self.factors!r}"
            )
        for factor in self.factors:
            if isinstance(factor, Product):
                flat += factor.factors
            elif isinstance(factor, MatrixGroup):
                flat.append(factor)
            else:
                raise TypeError(f"a product is of groups, got {factor!r}")
        object.__setattr__(self, "factors", tuple(flat))

    @property
    def n(self) -> tuple[int, ...]:
        """The dimension of each factor's V."""
        return tuple(factor.n for factor in self.factors)

    @property
    def loops(self) -> tuple[int, ...]:
        """What a closed loop of each type is worth."""
        return tuple(factor.loop for factor in self.factors)

    def word(self, name: str, value: Any) -> tuple[int, ...]:
        """``value`` as a word of types.

        >>> from tannaka.category.symmetric import S
        >>> (S(2) * S(3)).word("k", [0, 1])
        (0, 1)
        """
        types = f"types 0 to {len(self.factors) - 1}, one for each axis"
        if isinstance(value, np.ndarray):
            value = value.tolist()
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise TypeError(f"{name} must be a tuple of {types} of {self}, got {value!r}")
        word = tuple(natural(f"a type in {name}", kind, least=0, what="a type") for kind in value)
        if any(kind >= len(self.factors) for kind in word):
            raise ValueError(f"{name} must be a tuple of {types} of {self}, got {word}")
        return word

    def shape(self, word: tuple[int, ...]) -> tuple[int, ...]:
        """The size of each axis."""
        return tuple(self.factors[kind].n for kind in word)

    def _orders(self, k: Any, l: Any) -> list[tuple[MatrixGroup, int, int]]:
        """Each factor, and how many inputs and outputs are of its type."""
        k, l = self.word("k", k), self.word("l", l)
        return [(factor, k.count(t), l.count(t)) for t, factor in enumerate(self.factors)]

    def dimension(self, k: Any, l: Any) -> int:
        """The product of the dimensions for each type."""
        return prod(factor.dimension(a, b) for factor, a, b in self._orders(k, l))

    def count(self, k: Any, l: Any) -> int:
        """The product of the numbers of diagrams for each type."""
        return prod(factor.count(a, b) for factor, a, b in self._orders(k, l))

    def diagrams(self, k: Any, l: Any) -> Enumeration[Typed]:
        """All typed diagrams k -> l."""
        k, l = self.word("k", k), self.word("l", l)
        return typed_diagrams(k, l, [factor.diagrams for factor in self.factors])

    def basis(self, k: Any, l: Any) -> Enumeration[Typed]:
        """The typed diagrams k -> l whose parts are in the bases of the factors."""
        k, l = self.word("k", k), self.word("l", l)
        return typed_diagrams(k, l, [factor.basis for factor in self.factors])

    def rule(self, diagram: Typed) -> Sum | None:
        """The first part outside its factor's basis, by that factor's rule."""
        for t, (factor, part) in enumerate(zip(self.factors, diagram.parts, strict=True)):
            found = factor.rule(part)
            if found is not None:
                before, after = diagram.parts[:t], diagram.parts[t + 1 :]
                return {
                    Typed(diagram.dom, diagram.cod, (*before, other, *after)): value
                    for other, value in found.items()
                }
        return None

    def walks(self, k: Any, l: Any) -> Walks:
        """Raises ValueError: the walks of a product are tuples of walks, one for each factor."""
        raise ValueError(
            f"{self} walks factor by factor: take the walks of each, their counts multiply"
        )

    def generators(self) -> list[tuple[NDArray[Any], ...]]:
        """The generators of each factor, with identities of the others."""
        one = [np.eye(factor.n) for factor in self.factors]
        return [
            (*one[:t], g, *one[t + 1 :])
            for t, factor in enumerate(self.factors)
            for g in factor.generators()
        ]

    def sample(
        self, rng: np.random.Generator | int | None = None
    ) -> tuple[NDArray[np.float64], ...]:
        """A random element: one of each factor."""
        rng = np.random.default_rng(rng)
        return tuple(factor.sample(rng) for factor in self.factors)

    def act(self, g: Sequence[ArrayLike], x: ArrayLike, order: Any) -> NDArray[Any]:
        """Act with a tuple g of matrices on tensors x of shape (*batch, sizes of the axes, channels).

        >>> from tannaka.category.symmetric import S
        >>> group = S(1) * S(2)
        >>> group.act([[[1]], [[0, 1], [1, 0]]], [[[5.0], [7.0]]], (0, 1)).tolist()
        [[[7.0], [5.0]]]
        """
        word, x = self.word("order", order), np.asarray(x)
        if x.ndim < len(word) + 1 or x.shape[x.ndim - 1 - len(word) : -1] != self.shape(word):
            raise ValueError(
                f"expected tensors of shape (*batch, {', '.join(map(str, self.shape(word)))}, channels), "
                f"got shape {x.shape}"
            )
        elements = self.element(g)
        for place, kind in enumerate(word):
            axis = x.ndim - 1 - len(word) + place
            x = np.moveaxis(np.tensordot(elements[kind], x, axes=(1, axis)), 0, axis)
        return x

    def inverse(self, g: Sequence[ArrayLike]) -> tuple[NDArray[np.float64], ...]:
        """The inverse of an element: that of each factor."""
        pairs = zip(self.factors, self.element(g), strict=True)
        return tuple(factor.inverse(part) for factor, part in pairs)

    def element(self, g: Sequence[ArrayLike]) -> tuple[NDArray[Any], ...]:
        """``g`` as a tuple of arrays, one for each factor; raises TypeError or ValueError."""
        if not isinstance(g, Sequence) or len(g) != len(self.factors):
            raise TypeError(
                f"an element of {self} is a tuple of {len(self.factors)} matrices, "
                f"one for each factor, got {g!r}"
            )
        return tuple(factor.element(part) for factor, part in zip(self.factors, g, strict=True))

    def entries(self, diagram: Typed) -> NDArray[np.int64]:
        """The matrix of one diagram: the product of its parts' tensors, axes in their places."""
        self.check(diagram)
        shape = self.shape(diagram.cod + diagram.dom)
        rows, columns = prod(self.shape(diagram.cod)), prod(self.shape(diagram.dom))
        functor.check_entries((rows, columns))
        total = np.ones(shape, dtype=np.int64)
        for t, (factor, part) in enumerate(zip(self.factors, diagram.parts, strict=True)):
            # Vertices of one type keep their order, so its tensor needs only axes of size 1 between.
            places = diagram.vertices(t)
            thin = [size if v in places else 1 for v, size in enumerate(shape)]
            total *= factor.entries(part).reshape(thin)
        return total.reshape(rows, columns)

    def nonzeros(self, diagram: Typed) -> Entries:
        """The (rows, columns, values) of the nonzero entries of one diagram's matrix."""
        self.check(diagram)
        cod, shape = len(diagram.cod), self.shape(diagram.cod + diagram.dom)
        strides = [
            *(prod(shape[v + 1 : cod]) for v in range(cod)),
            *(prod(shape[v + 1 :]) for v in range(cod, len(shape))),
        ]
        rows, columns, values = (np.zeros(1, np.int64), np.zeros(1, np.int64), np.ones(1, np.int64))
        for t, (factor, part) in enumerate(zip(self.factors, diagram.parts, strict=True)):
            more_rows, more_columns, more_values = factor.nonzeros(part)
            upper = [strides[v] for v in diagram.vertices(t) if v < cod]
            lower = [strides[v] for v in diagram.vertices(t) if v >= cod]
            rows = np.add.outer(rows, _spread(more_rows, factor.n, upper)).ravel()
            columns = np.add.outer(columns, _spread(more_columns, factor.n, lower)).ravel()
            values = np.multiply.outer(values, more_values).ravel()
        return rows, columns, values

    def overlap(self, one: Typed, other: Typed) -> Fraction:
        """The product of the parts' inner products."""
        for diagram in (one, other):
            self.check(diagram)
        check_same_orders(one, other)
        parts = zip(self.factors, one.parts, other.parts, strict=True)
        return prod((factor.overlap(a, b) for factor, a, b in parts), start=Fraction(1))

    def check(self, diagram: Diagram) -> None:
        """Raise TypeError or ValueError unless this is a typed diagram with parts of the factors."""
        if not isinstance(diagram, Typed) or len(diagram.parts) != len(self.factors):
            raise TypeError(
                f"{self} acts through Typed diagrams with {len(self.factors)} parts, "
                f"got a {type(diagram).__name__}: ({diagram})"
            )
        for factor, part in zip(self.factors, diagram.parts, strict=True):
            factor.check(part)

    @property
    def walked(self) -> bool:
        """No: the factors walk each for themselves."""
        return False

    @property
    def open(self) -> bool:
        """Whether a factor is a family of groups, one for every n."""
        return any(factor.open for factor in self.factors)

    def latex(self) -> str:
        """The names of the factors for LaTeX's math mode."""
        return " \\times ".join(factor.latex() for factor in self.factors)

    def card(self) -> str:
        """The group as a piece of HTML, for a notebook: its factors, and dimensions."""
        return product_card(self)

    def object_latex(self, word: tuple[int, ...]) -> str:
        """The space V^word for LaTeX's math mode."""
        return " \\otimes ".join(f"V_{{{kind}}}" for kind in word) or "\\mathbb{R}"

    def __str__(self) -> str:
        return " x ".join(map(str, self.factors))

    __repr__ = __str__


def _spread(places: NDArray[np.int64], n: int, strides: list[int]) -> NDArray[np.int64]:
    """Flat indices of a tensor with axes of size n, as flat indices with other strides."""
    total = np.zeros_like(places)
    for stride in reversed(strides):
        places, digit = np.divmod(places, n)
        total += digit * stride
    return total


PRODUCTS.append(lambda factors: Product(tuple(factors)))  # type: ignore[arg-type]
