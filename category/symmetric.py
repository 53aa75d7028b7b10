"""The symmetric group S(n): permutations of the n coordinates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tannaka.category.groups import MatrixGroup, register
from tannaka.category.orbits import orbit
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
    Source: arXiv:2212.08648, the diagram basis; here for every n.

    >>> S(5).dimension(2, 2), S(2).dimension(2, 2)
    (15, 8)
    """

    symbol: ClassVar[str] = "S"
    families: ClassVar[tuple[type[Diagram], ...]] = (SetPartition,)
    torch_sample: ClassVar[str] = '''\
def random_element(n: int) -> Tensor:
    """A random permutation matrix."""
    return torch.eye(n, dtype=torch.float64)[torch.randperm(n)]
'''

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
        trivial = (self.n,)
        return Walks(trivial, (trivial,), order("k", k) + order("l", l), move_box)

    def generators(self) -> list[NDArray[np.int64]]:
        """A transposition and the cycle of all coordinates; none for n = 1."""
        one = np.eye(self.n, dtype=np.int64)
        if self.n == 1:
            return []
        return [one[[1, 0, *range(2, self.n)]], np.roll(one, 1, axis=0)]

    def sample(self, rng: np.random.Generator | int | None = None) -> NDArray[np.float64]:
        """A uniformly random permutation matrix."""
        return np.eye(self.n)[np.random.default_rng(rng).permutation(self.n)]
