"""The orthogonal group O(n), rotations and reflections of R^n, and the rotations SO(n)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tannaka.category.groups import MatrixGroup, register
from tannaka.category.straightening import Sum, chains
from tannaka.category.walks import Shape, Walks, add_or_remove
from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.counts import count_brauer_diagrams, count_grood_diagrams
from tannaka.diagrams.diagram import Diagram, order
from tannaka.diagrams.enumerate import brauer_diagrams, grood_diagrams
from tannaka.diagrams.grood import Grood
from tannaka.diagrams.spaces.enumeration import Enumeration
from tannaka.diagrams.spaces.unions import Union


@register
@dataclass(frozen=True, repr=False)
class O(MatrixGroup):  # noqa: E742
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
    families: ClassVar[tuple[type[Diagram], ...]] = (Brauer,)
    torch_sample: ClassVar[str] = '''\
def random_element(n: int) -> Tensor:
    """A random orthogonal matrix: rotations and reflections alike."""
    q, r = torch.linalg.qr(torch.randn(n, n, dtype=torch.float64))
    element: Tensor = q * r.diagonal().sign()
    return element
'''
    numpy_sample: ClassVar[str] = '''\
def random_element(n: int, rng: np.random.Generator) -> Floats:
    """A random orthogonal matrix: rotations and reflections alike."""
    q, r = np.linalg.qr(rng.standard_normal((n, n)))
    element: Floats = q * np.sign(np.diagonal(r))
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

    def rule(self, diagram: Any) -> Sum | None:
        """Diagrams with n + 1 pairwise non-nesting edges by others."""
        return chains(diagram, self.n)

    def walks(self, k: int, l: int) -> Walks:
        """Walks from the trivial representation to itself, a box more or less at each step."""
        return Walks((), ((),), order("k", k) + order("l", l), partial(_steps, self.n))

    def generators(self) -> list[NDArray[np.float64]]:
        """Rotations by an angle of infinite order in neighbouring planes, and a reflection."""
        reflection = np.eye(self.n)
        reflection[0, 0] = -1
        return [*_rotations(self.n), reflection]

    def sample(self, rng: np.random.Generator | int | None = None) -> NDArray[np.float64]:
        """A random element of the Haar measure (QR of a Gaussian matrix, signs fixed)."""
        gaussian = np.random.default_rng(rng).standard_normal((self.n, self.n))
        q, r = np.linalg.qr(gaussian)
        haar: NDArray[np.float64] = q * np.sign(np.diagonal(r))
        return haar


@register
@dataclass(frozen=True, repr=False)
class SO(MatrixGroup):
    """The special orthogonal group SO(n): the rotations of R^n.

    Its equivariant maps are spanned by Brauer diagrams and by Brauer-Grood diagrams, which have a
    determinant vertex with n legs. The first exist when k + l is even, the second when k + l - n is
    even and not negative. The Brauer diagrams of the basis of O(n) and the Brauer-Grood diagrams
    bounded in the same way, legs counted as edges to points at the right, are a basis for every n;
    Brauer-Grood diagrams are all independent only for k + l = n.
    Source: arXiv:2212.08630, the spanning set; the basis is derived as for O(n).

    >>> SO(3).dimension(2, 2), SO(3).dimension(2, 1), SO(3).dimension(2, 3)
    (3, 1, 6)
    >>> [str(d) for d in SO(3).basis(2, 1)]
    ['[0 1 2]']
    """

    symbol: ClassVar[str] = "SO"
    families: ClassVar[tuple[type[Diagram], ...]] = (Brauer, Grood)
    torch_sample: ClassVar[str] = '''\
def random_element(n: int) -> Tensor:
    """A random rotation."""
    q, r = torch.linalg.qr(torch.randn(n, n, dtype=torch.float64))
    element: Tensor = q * r.diagonal().sign()
    element[0] *= torch.linalg.det(element).sign()
    return element
'''
    numpy_sample: ClassVar[str] = '''\
def random_element(n: int, rng: np.random.Generator) -> Floats:
    """A random rotation."""
    q, r = np.linalg.qr(rng.standard_normal((n, n)))
    element: Floats = q * np.sign(np.diagonal(r))
    element[0] *= np.sign(np.linalg.det(element))
    return element
'''

    def dimension(self, k: int, l: int) -> int:
        """The dimension for O(n), and the number of bounded Brauer-Grood diagrams."""
        size = order("k", k) + order("l", l)
        return count_brauer_diagrams(size, self.n) + count_grood_diagrams(size, self.n, self.n)

    def count(self, k: int, l: int) -> int:
        """How many Brauer and Brauer-Grood diagrams there are, legs in one order."""
        size = order("k", k) + order("l", l)
        return count_brauer_diagrams(size) + count_grood_diagrams(size, self.n)

    def diagrams(self, k: int, l: int) -> Enumeration[Brauer | Grood]:
        """All Brauer diagrams k -> l, then the Brauer-Grood diagrams."""
        return Union(brauer_diagrams(k, l), grood_diagrams(k, l, self.n))

    def basis(self, k: int, l: int) -> Enumeration[Brauer | Grood]:
        """Those without n + 1 pairwise non-nesting edges, legs counted as edges to the right."""
        n = self.n
        return Union(brauer_diagrams(k, l, chain=n), grood_diagrams(k, l, n, chain=n))

    def rule(self, diagram: Any) -> Sum | None:
        """Diagrams with n + 1 pairwise non-nesting edges by others."""
        return chains(diagram, self.n)

    def walks(self, k: int, l: int) -> Walks:
        """Walks of O(n) from the trivial representation to itself or to the determinant.

        The determinant is n steps away: it is left out where there are fewer.
        """
        length = order("k", k) + order("l", l)
        ends = ((), (1,) * self.n) if self.n <= length else ((),)
        return Walks((), ends, length, partial(_steps, self.n))

    def generators(self) -> list[NDArray[np.float64]]:
        """Rotations by an angle of infinite order in neighbouring planes."""
        return _rotations(self.n)

    def sample(self, rng: np.random.Generator | int | None = None) -> NDArray[np.float64]:
        """A random element of the Haar measure."""
        rotation = O(self.n).sample(rng)
        rotation[0] *= np.sign(np.linalg.det(rotation))
        return rotation


def _steps(n: int, shape: Shape) -> dict[Shape, int]:
    """V times an irreducible of O(n): the first two columns have at most n boxes together."""
    return add_or_remove(shape, lambda s: len(s) + sum(part > 1 for part in s) <= n)


def _rotations(n: int) -> list[NDArray[np.float64]]:
    """Rotations with cosine 3/5 and sine 4/5 in the planes of axes i, i + 1: dense in SO(n)."""
    found = []
    for i in range(n - 1):
        g = np.eye(n)
        g[i : i + 2, i : i + 2] = [[0.6, -0.8], [0.8, 0.6]]
        found.append(g)
    return found
