"""The orthogonal group O(n): rotations and reflections of R^n."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tannaka.category.groups import Group, register
from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.counts import count_brauer_diagrams
from tannaka.diagrams.diagram import Diagram, order
from tannaka.diagrams.enumerate import brauer_diagrams
from tannaka.diagrams.enumeration import Enumeration


@register
@dataclass(frozen=True, repr=False)
class O(Group):  # noqa: E742
    """The orthogonal group O(n) of real n x n matrices g with g.T @ g = 1.

    Its equivariant maps are spanned by Brauer diagrams; there are none but 0 when k + l is odd.
    Those without n + 1 pairwise non-nesting edges are a basis for every n; only when
    2 n >= k + l is that all of them.
    Source: arXiv:2212.08630, the Brauer spanning set. That the bounded diagrams are a basis: a
    minor of size n + 1 of the Gram matrix vanishes and rewrites n + 1 non-nesting edges by
    diagrams of larger sum of squared lengths; the Robinson-Schensted-Knuth count meets the
    dimension.

    >>> O(3).dimension(2, 2), O(1).dimension(2, 2), O(3).dimension(1, 2)
    (3, 1, 0)
    """

    symbol: ClassVar[str] = "O"
    family: ClassVar[type[Diagram]] = Brauer
    torch_sample: ClassVar[str] = '''\
def random_element(n: int) -> Tensor:
    """A random orthogonal matrix: rotations and reflections alike."""
    q, r = torch.linalg.qr(torch.randn(n, n, dtype=torch.float64))
    element: Tensor = q * r.diagonal().sign()
    return element
'''

    def dimension(self, k: int, l: int) -> int:
        """The number of perfect matchings of k + l points without n + 1 pairwise non-nesting edges."""
        return count_brauer_diagrams(order("k", k) + order("l", l), self.n)

    def count(self, k: int, l: int) -> int:
        """The number of perfect matchings of k + l points: (k + l - 1)!!, or 0 when k + l is odd."""
        return count_brauer_diagrams(order("k", k) + order("l", l))

    def diagrams(self, k: int, l: int) -> Enumeration[Brauer]:
        """All Brauer diagrams k -> l."""
        return brauer_diagrams(k, l)

    def basis(self, k: int, l: int) -> Enumeration[Brauer]:
        """The Brauer diagrams k -> l without n + 1 pairwise non-nesting edges."""
        return brauer_diagrams(k, l, chain=self.n)

    def sample(self, rng: np.random.Generator | int | None = None) -> NDArray[np.float64]:
        """A random element of the Haar measure (QR of a Gaussian matrix, signs fixed)."""
        gaussian = np.random.default_rng(rng).standard_normal((self.n, self.n))
        q, r = np.linalg.qr(gaussian)
        haar: NDArray[np.float64] = q * np.sign(np.diagonal(r))
        return haar
