"""The hyperoctahedral group H(n): permutations of the n coordinates, and changes of their signs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tannaka.category.groups import MatrixGroup, register
from tannaka.category.orbits import orbit
from tannaka.category.straightening import Sum, few_blocks
from tannaka.category.walks import Walks, move_box_across
from tannaka.diagrams.counts import count_even_set_partitions
from tannaka.diagrams.diagram import Diagram, order
from tannaka.diagrams.enumerate import set_partitions
from tannaka.diagrams.morphism import Morphism
from tannaka.diagrams.partition import SetPartition
from tannaka.diagrams.spaces.enumeration import Enumeration


@register
@dataclass(frozen=True, repr=False)
class H(MatrixGroup):
    """The hyperoctahedral group H(n), as n x n permutation matrices with entries 1 or -1.

    Its equivariant maps are spanned by the set-partition diagrams whose blocks are all even. Those
    with at most n blocks are a basis for every n; only when 2n >= k + l is that all of them. It is
    the symmetry of the hypercube, and of coordinates that may be renamed and mirrored.
    Source: Banica, Bichon and Collins, The hyperoctahedral quantum group (arXiv:math/0701859), for
    the spanning set; the basis as for S(n), since what is coarser than an even partition is even.

    >>> H(5).dimension(2, 2), H(1).dimension(2, 2), H(5).dimension(2, 1)
    (4, 1, 0)
    >>> [str(d) for d in H(5).basis(1, 3)]
    ['0 1 2 3', '0 1 | 2 3', '0 2 | 1 3', '0 3 | 1 2']
    """

    symbol: ClassVar[str] = "H"
    families: ClassVar[tuple[type[Diagram], ...]] = (SetPartition,)
    torch_sample: ClassVar[str] = '''\
def random_element(n: int) -> Tensor:
    """A random permutation matrix with random signs."""
    signs = 2.0 * torch.randint(2, (n, 1), dtype=torch.float64) - 1
    element: Tensor = signs * torch.eye(n, dtype=torch.float64)[torch.randperm(n)]
    return element
'''
    numpy_sample: ClassVar[str] = '''\
def random_element(n: int, rng: np.random.Generator) -> Floats:
    """A random permutation matrix with random signs."""
    element: Floats = rng.choice([-1.0, 1.0], (n, 1)) * np.eye(n)[rng.permutation(n)]
    return element
'''

    def dimension(self, k: int, l: int) -> int:
        """The number of set partitions of k + l points into at most n blocks, all even."""
        return count_even_set_partitions(order("k", k) + order("l", l), self.n)

    def count(self, k: int, l: int) -> int:
        """The number of set partitions of k + l points into even blocks."""
        return count_even_set_partitions(order("k", k) + order("l", l))

    def diagrams(self, k: int, l: int) -> Enumeration[SetPartition]:
        """All set-partition diagrams k -> l with even blocks."""
        return set_partitions(order("k", k), order("l", l), even=True)

    def basis(self, k: int, l: int) -> Enumeration[SetPartition]:
        """The set-partition diagrams k -> l with at most n blocks, all even."""
        return set_partitions(order("k", k), order("l", l), most=self.n, even=True)

    def rule(self, diagram: SetPartition) -> Sum | None:
        """Set partitions of more than n blocks by coarser ones."""
        return few_blocks(diagram, self.n)

    def orbits(self, k: int, l: int) -> Iterator[Morphism]:
        """The orbit of each set partition into at most n even blocks."""
        return map(orbit, self.basis(k, l))

    def walks(self, k: int, l: int) -> Walks:
        """Walks from the trivial representation to itself, moving a box across at each step.

        Irreducibles are named by pairs of partitions of n boxes in all, ``n, ∅`` the trivial one.
        """
        trivial = (self.n, 0)
        return Walks(trivial, (trivial,), order("k", k) + order("l", l), move_box_across)

    def generators(self) -> list[NDArray[np.int64]]:
        """The change of sign of coordinate 0, a transposition, and the cycle of all coordinates."""
        one = np.eye(self.n, dtype=np.int64)
        mirror = one.copy()
        mirror[0, 0] = -1
        if self.n == 1:
            return [mirror]
        return [mirror, one[[1, 0, *range(2, self.n)]], np.roll(one, 1, axis=0)]

    def sample(self, rng: np.random.Generator | int | None = None) -> NDArray[np.float64]:
        """A uniformly random permutation matrix with random signs."""
        rng = np.random.default_rng(rng)
        signs = rng.choice([-1.0, 1.0], (self.n, 1))
        element: NDArray[np.float64] = signs * np.eye(self.n)[rng.permutation(self.n)]
        return element

    def check(self, diagram: Diagram) -> None:
        """Raise TypeError for another kind of diagram, ValueError for one with an odd block."""
        super().check(diagram)
        odd = [block for block in diagram.blocks if len(block) % 2]
        if odd:
            raise ValueError(
                f"{self} acts through set partitions with even blocks, got ({diagram}): changes of "
                f"sign do not keep its block {' '.join(map(str, odd[0]))}"
            )
