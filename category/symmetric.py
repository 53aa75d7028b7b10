"""The symmetric group S(n): permutations of the n coordinates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tannaka.category.groups import MatrixGroup, register
from tannaka.category.orbits import orbit
from tannaka.category.sparse import Entries
from tannaka.category.straightening import Sum, few_blocks
from tannaka.category.walks import Walks, move_box
from tannaka.diagrams.counts import count_set_partitions
from tannaka.diagrams.diagram import Diagram, order
from tannaka.diagrams.enumerate import set_partitions
from tannaka.diagrams.morphism import Morphism
from tannaka.diagrams.partition import SetPartition
from tannaka.diagrams.spaces.enumeration import Enumeration


@register
@dataclass(frozen=True, repr=False)
class S(MatrixGroup):
    """The symmetric group S(n), as n x n permutation matrices.

    Its equivariant maps are spanned by set-partition diagrams. Those with at most n blocks are a
    basis for every n; only when n >= k + l is that all of them.
    ``S()`` is the family of all S(n): its basis is that of large n, all set partitions, and what
    has to know n raises ValueError. Layers of the family read n from their input.
    Source: arXiv:2212.08648, the diagram basis; here for every n.

    >>> S(5).dimension(2, 2), S(2).dimension(2, 2)
    (15, 8)
    >>> S(), S().dimension(2, 2), S().at(5)
    (S(n), 15, S(5))
    """

    n: int = None  # type: ignore[assignment]

    symbol: ClassVar[str] = "S"
    families: ClassVar[tuple[type[Diagram], ...]] = (SetPartition,)
    torch_sample: ClassVar[str] = '''\
def random_element(n: int) -> Tensor:
    """A random permutation matrix."""
    return torch.eye(n, dtype=torch.float64)[torch.randperm(n)]
'''
    numpy_sample: ClassVar[str] = '''\
def random_element(n: int, rng: np.random.Generator) -> Floats:
    """A random permutation matrix."""
    return np.eye(n)[rng.permutation(n)]
'''

    def __post_init__(self) -> None:
        if self.n is not None:
            super().__post_init__()

    @property
    def open(self) -> bool:
        """Whether this is the family, whose members have every n."""
        return self.n is None

    @property
    def walked(self) -> bool:
        """Whether n is known: the irreducibles of S(n) are the partitions of n."""
        return self.n is not None

    def at(self, n: int) -> S:
        """The member S(n)."""
        return S(n)

    def _size(self, what: str) -> int:
        if self.n is None:
            raise ValueError(
                f"{what} of S(n), the family of all symmetric groups, depend on n: take a member, "
                "such as S(5)"
            )
        return self.n

    def shape(self, word: int) -> tuple[int, ...]:
        """The sizes of ``word`` axes: n each."""
        return (self._size("the sizes of tensors"),) * word

    @property
    def form(self) -> NDArray[np.int64]:
        """The identity matrix."""
        return np.eye(self._size("matrices"), dtype=np.int64)

    @property
    def loop(self) -> int:
        """What a closed loop is worth: n."""
        return self._size("the values of loops")

    def entries(self, diagram: Diagram) -> NDArray[np.int64]:
        """The matrix of one diagram, of shape (n**cod, n**dom)."""
        self._size("matrices")
        return super().entries(diagram)

    def nonzeros(self, diagram: Diagram) -> Entries:
        """The (rows, columns, values) of the nonzero entries of one diagram's matrix."""
        self._size("matrices")
        return super().nonzeros(diagram)

    def dimension(self, k: int, l: int) -> int:
        """The number of set partitions of k + l points into at most n blocks."""
        return count_set_partitions(order("k", k) + order("l", l), self.n)

    def count(self, k: int, l: int) -> int:
        """The number of set partitions of k + l points, a Bell number."""
        return count_set_partitions(order("k", k) + order("l", l))

    def diagrams(self, k: int, l: int) -> Enumeration[SetPartition]:
        """All set-partition diagrams k -> l."""
        return set_partitions(k, l)

    def basis(self, k: int, l: int) -> Enumeration[SetPartition]:
        """The set-partition diagrams k -> l with at most n blocks."""
        return set_partitions(k, l, most=self.n)

    def rule(self, diagram: Any) -> Sum | None:
        """Set partitions of more than n blocks by coarser ones."""
        return few_blocks(diagram, self.n)

    def orbits(self, k: int, l: int) -> Iterator[Morphism]:
        """The orbit of each set partition into at most n blocks."""
        return map(orbit, self.basis(k, l))

    def walks(self, k: int, l: int) -> Walks:
        """Walks from the trivial representation (n) to itself, moving a box at each step."""
        trivial = (self._size("walks"),)
        return Walks(trivial, (trivial,), order("k", k) + order("l", l), move_box)

    def generators(self) -> list[NDArray[np.int64]]:
        """A transposition and the cycle of all coordinates; none for n = 1."""
        one = np.eye(self._size("elements"), dtype=np.int64)
        if self.n == 1:
            return []
        return [one[[1, 0, *range(2, self.n)]], np.roll(one, 1, axis=0)]

    def sample(self, rng: np.random.Generator | int | None = None) -> NDArray[np.float64]:
        """A uniformly random permutation matrix."""
        return np.eye(self._size("elements"))[np.random.default_rng(rng).permutation(self.n)]

    def __str__(self) -> str:
        return f"S({self.n or 'n'})"

    __repr__ = __str__
