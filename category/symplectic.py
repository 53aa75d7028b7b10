"""The symplectic group Sp(n): the real matrices that keep an antisymmetric form."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tannaka.category import functor
from tannaka.category.groups import MatrixGroup, register
from tannaka.category.sparse import Entries, nonzeros
from tannaka.category.straightening import Sum, nests
from tannaka.category.walks import Walks, add_or_remove
from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.counts import count_brauer_diagrams
from tannaka.diagrams.diagram import Diagram, order
from tannaka.diagrams.enumerate import brauer_diagrams
from tannaka.diagrams.spaces.enumeration import Enumeration


@register
@dataclass(frozen=True, repr=False)
class Sp(MatrixGroup):
    """The symplectic group Sp(n) of real n x n matrices g with g.T @ form @ g = form, n even.

    The form has blocks ((0, 1), (-1, 0)) down the diagonal: coordinates come in pairs e_i, e_i'.
    ``blocked`` gives the permutation to the other common order, first all e_i, then all e_i'.

    Its equivariant maps are spanned by Brauer diagrams. Their matrices here have signs
    (:func:`tannaka.category.functor.symplectic`) that make them a functor in which a closed loop is
    worth -n; the unsigned matrices of the paper span the same spaces but do not compose.
    Diagrams without n/2 + 1 nested edges are a basis for every n; only when n >= k + l is that all
    of them. ``matrix(f.dagger())`` is the transpose times (-1) to the number of edges within rows.
    Source: arXiv:2212.08630, the spanning set; arXiv:2304.14144, the category; arXiv:1504.02586
    for the relations.

    Raises ValueError when n is odd.

    >>> Sp(2).dimension(2, 2), Sp(4).dimension(2, 2), Sp(4).loop
    (2, 3, -4)
    >>> Sp(2).matrix(Brauer.cap())
    array([[ 0,  1, -1,  0]])
    """

    symbol: ClassVar[str] = "Sp"
    families: ClassVar[tuple[type[Diagram], ...]] = (Brauer,)
    deltas: ClassVar[bool] = False
    torch_sample: ClassVar[str] = '''\
def random_element(n: int) -> Tensor:
    """A random symplectic matrix of norm at most 3: the Cayley transform of an algebra element."""
    one = torch.eye(n, dtype=torch.float64)
    # The form is 1 from index 2i to 2i + 1 and -1 back.
    form = torch.kron(one[: n // 2, : n // 2], one.new_tensor([[0, 1], [-1, 0]]))
    symmetric = torch.randn(n, n, dtype=torch.float64)
    algebra = form @ (symmetric + symmetric.T)
    algebra /= 1 + 2 * torch.linalg.matrix_norm(algebra, 2)
    element: Tensor = torch.linalg.solve(one - algebra, one + algebra)
    return element
'''
    numpy_sample: ClassVar[str] = '''\
def random_element(n: int, rng: np.random.Generator) -> Floats:
    """A random symplectic matrix of norm at most 3: the Cayley transform of an algebra element."""
    # The form is 1 from index 2i to 2i + 1 and -1 back.
    form = np.kron(np.eye(n // 2), np.array([[0.0, 1.0], [-1.0, 0.0]]))
    symmetric = rng.standard_normal((n, n))
    algebra: Floats = form @ (symmetric + symmetric.T)
    algebra /= 1 + 2 * np.linalg.norm(algebra, 2)
    element: Floats = np.linalg.solve(np.eye(n) - algebra, np.eye(n) + algebra)
    return element
'''

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n % 2:
            raise ValueError(
                f"there is no Sp({self.n}): an antisymmetric form on R^n is degenerate for odd n; "
                f"take Sp({self.n - 1}) or Sp({self.n + 1})"
                if self.n > 1
                else "there is no Sp(1) of 1 x 1 matrices: n must be even; the smallest is Sp(2)"
            )

    @property
    def form(self) -> NDArray[np.int64]:
        """The antisymmetric form, blocks ((0, 1), (-1, 0)) down the diagonal."""
        return np.kron(np.eye(self.n // 2, dtype=np.int64), np.array([[0, 1], [-1, 0]]))

    @property
    def blocked(self) -> NDArray[np.int64]:
        """The permutation matrix p to the order e_0, e_1, ..., e_0', e_1', ... of coordinates.

        ``p @ form @ p.T`` is ((0, 1), (-1, 0)) in blocks of size n/2; elements become p @ g @ p.T.

        >>> Sp(4).blocked @ Sp(4).form @ Sp(4).blocked.T
        array([[ 0,  0,  1,  0],
               [ 0,  0,  0,  1],
               [-1,  0,  0,  0],
               [ 0, -1,  0,  0]])
        """
        one = np.eye(self.n, dtype=np.int64)
        return np.concatenate([one[::2], one[1::2]])

    @property
    def loop(self) -> int:
        """A closed loop is worth -n."""
        return -self.n

    def dimension(self, k: int, l: int) -> int:
        """The number of perfect matchings of k + l points without n/2 + 1 nested edges."""
        return count_brauer_diagrams(order("k", k) + order("l", l), nest=self.n // 2)

    def count(self, k: int, l: int) -> int:
        """The number of perfect matchings of k + l points: (k + l - 1)!!, or 0 when k + l is odd."""
        return count_brauer_diagrams(order("k", k) + order("l", l))

    def diagrams(self, k: int, l: int) -> Enumeration[Brauer]:
        """All Brauer diagrams k -> l."""
        return brauer_diagrams(k, l)

    def basis(self, k: int, l: int) -> Enumeration[Brauer]:
        """The Brauer diagrams k -> l without n/2 + 1 edges each inside the next."""
        return brauer_diagrams(k, l, nest=self.n // 2)

    def rule(self, diagram: Any) -> Sum | None:
        """Diagrams with n/2 + 1 nested edges by all other ways to join their ends."""
        return nests(diagram, self.n)

    def walks(self, k: int, l: int) -> Walks:
        """Walks from the trivial representation to itself, with at most n/2 rows: oscillating tableaux."""
        most = self.n // 2
        steps = partial(add_or_remove, allowed=lambda shape: len(shape) <= most)
        return Walks((), ((),), order("k", k) + order("l", l), steps)

    def nonzeros(self, diagram: Diagram) -> Entries:
        """The (rows, columns, values) of the nonzero entries of one diagram's matrix."""
        self.check(diagram)
        return nonzeros(diagram, self.n, self.form)

    def overlap(self, one: Diagram, other: Diagram) -> Fraction:
        """The inner product of the matrices of two diagrams of equal orders.

        With all inputs bent up, which the form does and keeps lengths, the flip of a diagram goes to
        the transpose times a sign for each of its edges.
        """
        closed = super().overlap(one, other)
        edges = (other.top + other.bottom) // 2
        return -closed if edges % 2 else closed

    def entries(self, diagram: Diagram) -> NDArray[np.int64]:
        """The matrix of one diagram, with its signs, of shape (n**cod, n**dom)."""
        self.check(diagram)
        assert isinstance(diagram, Brauer)
        return functor.symplectic(diagram, self.form)

    def generators(self) -> list[NDArray[np.int64]]:
        """Transvections x -> x + <u, x> u, for u = e_i, e_i' and e_i + e_{i+1}: dense in Zariski's sense."""
        one = np.eye(self.n, dtype=np.int64)
        vectors = [*one, *(one[i] + one[i + 2] for i in range(0, self.n - 2, 2))]
        return [one + np.outer(u, u @ self.form) for u in vectors]

    def sample(self, rng: np.random.Generator | int | None = None) -> NDArray[np.float64]:
        """A random element of norm at most 3: the group is not compact, so there is no uniform one.

        It is the Cayley transform of an element of the Lie algebra of norm below 1/2.
        """
        draws = np.random.default_rng(rng).standard_normal((self.n, self.n))
        algebra: NDArray[np.float64] = self.form @ (draws + draws.T)
        algebra = algebra / (1 + 2 * float(np.linalg.norm(algebra, 2)))
        one = np.eye(self.n)
        element: NDArray[Any] = np.linalg.solve(one - algebra, one + algebra)
        return element
