"""The symmetric group S(n): permutations of the n coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tannaka.category.groups import Group, register
from tannaka.diagrams.counts import count_set_partitions
from tannaka.diagrams.diagram import Diagram, order
from tannaka.diagrams.enumerate import set_partitions
from tannaka.diagrams.enumeration import Enumeration
from tannaka.diagrams.partition import SetPartition


@register
@dataclass(frozen=True, repr=False)
class S(Group):
    """The symmetric group S(n), as n x n permutation matrices.

    Its equivariant maps are spanned by set-partition diagrams. Those with at most n blocks are a
    basis for every n; only when n >= k + l is that all of them.
    Source: arXiv:2212.08648, the diagram basis; here for every n.

    >>> S(5).dimension(2, 2), S(2).dimension(2, 2)
    (15, 8)
    """

    symbol: ClassVar[str] = "S"
    family: ClassVar[type[Diagram]] = SetPartition
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

    def sample(self, rng: np.random.Generator | int | None = None) -> NDArray[np.float64]:
        """A uniformly random permutation matrix."""
        return np.eye(self.n)[np.random.default_rng(rng).permutation(self.n)]
