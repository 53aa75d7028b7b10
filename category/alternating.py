"""The alternating group A(n): even permutations of the n coordinates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tannaka.category.groups import MatrixGroup, register
from tannaka.category.orbits import signed_orbits
from tannaka.category.straightening import Sum, all_blocks_on_legs
from tannaka.category.walks import Walks, move_box
from tannaka.diagrams.counts import count_jellyfish_diagrams, count_set_partitions
from tannaka.diagrams.diagram import Diagram, order
from tannaka.diagrams.enumerate import jellyfish_diagrams, set_partitions
from tannaka.diagrams.jellyfish import Jellyfish
from tannaka.diagrams.morphism import Morphism
from tannaka.diagrams.partition import SetPartition
from tannaka.diagrams.spaces.enumeration import Enumeration
from tannaka.diagrams.spaces.unions import Union


@register
@dataclass(frozen=True, repr=False)
class A(MatrixGroup):
    """The alternating group A(n), as n x n matrices of even permutations.

    Its equivariant maps are spanned by set-partition diagrams and jellyfish. Set partitions into
    at most n blocks, and jellyfish in which every block has a leg (n blocks, or n - 1 and the free
    leg), are a basis for every n >= 2. A(1) is S(1), and its jellyfish are set partitions: the
    formula that adds both counts them twice there.
    Source: arXiv:2301.10152, the jellyfish basis; here for every n.

    >>> A(3).dimension(1, 1), A(2).dimension(2, 1), A(1).dimension(2, 2), A(9).dimension(2, 2)
    (3, 8, 1, 15)
    """

    symbol: ClassVar[str] = "A"
    families: ClassVar[tuple[type[Diagram], ...]] = (SetPartition, Jellyfish)
    torch_sample: ClassVar[str] = '''\
def random_element(n: int) -> Tensor:
    """A random even permutation matrix."""
    element = torch.eye(n, dtype=torch.float64)[torch.randperm(n)]
    if n > 1 and torch.linalg.det(element) < 0:
        element[:2] = element[:2].flip(0)
    return element
'''
    numpy_sample: ClassVar[str] = '''\
def random_element(n: int, rng: np.random.Generator) -> Floats:
    """A random even permutation matrix."""
    element = np.eye(n)[rng.permutation(n)]
    if n > 1 and np.linalg.det(element) < 0:
        element[:2] = element[1::-1].copy()
    return element
'''

    def dimension(self, k: int, l: int) -> int:
        """Set partitions of k + l points into at most n blocks; those into n or n - 1 twice."""
        size = order("k", k) + order("l", l)
        legged = count_jellyfish_diagrams(size, self.n, covered=True) if self.n > 1 else 0
        return count_set_partitions(size, self.n) + legged

    def count(self, k: int, l: int) -> int:
        """How many set partitions and jellyfish there are, legs in one order."""
        size = order("k", k) + order("l", l)
        return count_set_partitions(size) + count_jellyfish_diagrams(size, self.n)

    def diagrams(self, k: int, l: int) -> Enumeration[SetPartition | Jellyfish]:
        """All set-partition diagrams k -> l, then the jellyfish."""
        return Union(set_partitions(k, l), jellyfish_diagrams(k, l, self.n))

    def basis(self, k: int, l: int) -> Enumeration[SetPartition | Jellyfish]:
        """Set partitions into at most n blocks, then the jellyfish with a leg on every block."""
        plain: Enumeration[Any] = set_partitions(k, l, most=self.n)
        if self.n == 1:
            return plain
        return Union(plain, jellyfish_diagrams(k, l, self.n, covered=True))

    def rule(self, diagram: Any) -> Sum | None:
        """Blocks without a leg merge with legs; more than n blocks with each other."""
        return all_blocks_on_legs(diagram, self.n)

    def orbits(self, k: int, l: int) -> Iterator[Morphism]:
        """The orbit, or the two, of each set partition into at most n blocks."""
        plain = set_partitions(k, l, most=self.n)
        return chain.from_iterable(signed_orbits(diagram, self.n) for diagram in plain)

    def walks(self, k: int, l: int) -> Walks:
        """Walks of S(n) from the trivial representation to itself or to the sign.

        The sign is n - 1 steps away: it is left out where there are fewer.
        """
        length, trivial = order("k", k) + order("l", l), (self.n,)
        near = 1 < self.n <= length + 1
        return Walks(trivial, (trivial, (1,) * self.n) if near else (trivial,), length, move_box)

    def generators(self) -> list[NDArray[np.int64]]:
        """The three-cycles of coordinates 0, 1, i; none for n < 3."""
        one = np.eye(self.n, dtype=np.int64)
        found = []
        for i in range(2, self.n):
            images = list(range(self.n))
            images[0], images[1], images[i] = 1, i, 0
            found.append(one[images])
        return found

    def sample(self, rng: np.random.Generator | int | None = None) -> NDArray[np.float64]:
        """A uniformly random even permutation matrix."""
        images = np.random.default_rng(rng).permutation(self.n)
        element = np.eye(self.n)[images]
        if self.n > 1 and np.linalg.det(element) < 0:
            element[:2] = element[1::-1].copy()
        return element
