"""What every symmetry group offers, and how a group is found by its name.

To add a group: write a file here with one frozen dataclass that subclasses :class:`Group` and is
decorated with ``@register``, and import it in ``category/__init__.py``; its name then works in
``tannaka.group("...")`` and on the command line. What the class must define is abstract below:
which diagrams span, which of them are independent, how many those are, and how to draw a random
element. Generated files check themselves with an element of the group, so the class also says in
PyTorch how to draw one (``torch_sample``). A new kind of diagram needs a strategy in
``tannaka.testing.strategies`` and, unless its matrix is a product of deltas, a lowering.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tannaka.category import functor
from tannaka.diagrams.diagram import Diagram, natural
from tannaka.diagrams.diagram import order as natural_order
from tannaka.diagrams.enumeration import Enumeration
from tannaka.diagrams.morphism import Morphism


@dataclass(frozen=True)
class Group(ABC):
    """A group G of real n x n matrices acting on V = R^n, and on tensors by acting on every axis."""

    n: int

    symbol: ClassVar[str]
    """The group's name without its dimension, e.g. ``"S"``."""
    family: ClassVar[type[Diagram]]
    """The kind of diagram that spans its Hom spaces."""
    torch_sample: ClassVar[str]
    """PyTorch source of ``random_element(n: int) -> Tensor``, a float64 matrix, for generated files."""

    def __post_init__(self) -> None:
        what = f"the dimension of V = R^n in {self.symbol}(n)"
        object.__setattr__(self, "n", natural("n", self.n, least=1, what=what))

    @abstractmethod
    def dimension(self, k: int, l: int) -> int:
        """The exact dimension of Hom_G(V^k, V^l), without enumerating."""

    @abstractmethod
    def count(self, k: int, l: int) -> int:
        """How many diagrams k -> l span Hom_G(V^k, V^l); equal to the dimension when n is large."""

    @abstractmethod
    def diagrams(self, k: int, l: int) -> Enumeration[Any]:
        """The spanning diagrams k -> l, in their fixed order."""

    @abstractmethod
    def basis(self, k: int, l: int) -> Enumeration[Any]:
        """The diagrams k -> l that form a basis, in the order of :meth:`diagrams`."""

    @abstractmethod
    def sample(self, rng: np.random.Generator | int | None = None) -> NDArray[np.float64]:
        """A random element as an (n, n) matrix; ``rng`` is a numpy Generator or a seed."""

    @property
    def form(self) -> NDArray[np.int64]:
        """The invariant bilinear form as an (n, n) matrix; the identity, unless a group says else."""
        return np.eye(self.n, dtype=np.int64)

    def matrix(self, f: Diagram | Morphism) -> NDArray[Any]:
        """The matrix of a diagram or morphism, of shape (n**cod, n**dom), in exact integers.

        Raises TypeError for diagrams of another group's family.
        """
        for diagram in Morphism.of(f).at(self.n):
            if not isinstance(diagram, self.family):
                raise TypeError(
                    f"{self} acts through {self.family.__name__} diagrams, "
                    f"got a {type(diagram).__name__}"
                )
        return functor.matrix(f, self.n)

    def act(self, g: ArrayLike, x: ArrayLike, order: int) -> NDArray[Any]:
        """Act with g, of shape (n, n), on tensors x of shape (*batch, n, ..., n, channels).

        Each of the ``order`` axes before the last is multiplied by g: entry i of an axis becomes
        the sum over j of g[i, j] times entry j.

        >>> from tannaka.category.symmetric import S
        >>> S(2).act([[0, 1], [1, 0]], [[5.0], [7.0]], order=1)
        array([[7.],
               [5.]])
        """
        g, x, tensor_order = np.asarray(g), np.asarray(x), natural_order("order", order)
        if g.shape != (self.n, self.n):
            raise ValueError(f"expected a group element of shape {(self.n,) * 2}, got {g.shape}")
        if x.shape[max(x.ndim - 1 - tensor_order, 0) : -1] != (self.n,) * tensor_order:
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


G = TypeVar("G", bound=type[Group])
GROUPS: dict[str, type[Group]] = {}
"""Every kind of group, by its symbol."""


def register(cls: G) -> G:
    """Make a group findable by its symbol."""
    GROUPS[cls.symbol] = cls
    return cls


def group(text: str) -> Group:
    """Find a group by its name, as it prints.

    Raises ValueError for a name that is not understood, saying which groups there are.

    >>> from tannaka.category.orthogonal import O
    >>> group("O(3)") == O(3)
    True
    """
    if isinstance(text, Group):
        return text
    if not isinstance(text, str):
        raise TypeError(f"a group's name is text such as 'S(5)', got {text!r}")
    found = re.fullmatch(r"\s*([A-Za-z]+)\s*\(\s*(-?\d+)\s*\)\s*", text)
    if found is None or found[1] not in GROUPS:
        known = ", ".join(f"{symbol}(n)" for symbol in sorted(GROUPS))
        raise ValueError(f"no group is called {text!r}; the groups are {known}, n a number >= 1")
    return GROUPS[found[1]](int(found[2]))
