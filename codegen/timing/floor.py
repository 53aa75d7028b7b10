"""The least that a layer must do, counted: how many bytes move, how many flops.

Any code that applies a layer reads its input and its weight and writes its output, once at best. For
the arithmetic there are two counts, per pair of channels and per input:

* by diagrams: each is a product of the channels on the indices that go through it, n^t for t of
  them. This is what layers of S(n) are compared with;
* isotypic: in a basis in which V^k and V^l fall into irreducible representations, a layer is a
  matrix of m_l x m_k numbers for each of them, applied to each of its coordinates. No basis has
  fewer. For S(n) it is what pairs of indices (i, j) and (j, i) save, half of the first count for
  2 -> 2; the changes of basis are not counted.

Flops count a multiply-add as 2. The backward pass reads the input and the gradient of the output,
writes the gradients of input and weight, and does twice the arithmetic of the forward pass.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from math import prod

from tannaka.category.groups import Group
from tannaka.category.hom import Hom
from tannaka.category.orthogonal import SO, O
from tannaka.category.symmetric import S
from tannaka.category.walks import Shape
from tannaka.diagrams.structure import propagating_number

FLOAT = 4
"""Bytes of a float32."""


@dataclass(frozen=True, slots=True)
class Work:
    """Bytes that must move and flops that must be done in the forward and in the backward pass.

    ``fewest`` are the isotypic flops of the forward pass. Flops that nobody has counted, for groups
    whose irreducible representations are not known, are None.
    """

    forward_bytes: int
    backward_bytes: int
    forward_flops: int | None
    fewest: int | None

    @property
    def backward_flops(self) -> int | None:
        """The gradients of the input and of the weight cost as much as the output each."""
        return None if self.forward_flops is None else 2 * self.forward_flops


def least_work(hom: Hom, channels: int, batch: int) -> Work:
    """The least work of a layer with so many channels in and out, in float32.

    >>> work = least_work(Hom(S(64), 2, 2), 32, 8)
    >>> work.forward_bytes == 4 * (2 * 8 * 64**2 * 32 + 15 * 32**2)
    True
    >>> work.forward_flops == 2 * 8 * 32**2 * (2 * 64**2 + 9 * 64 + 4)
    True
    >>> least_work(Hom(O(3), 3, 3), 64, 256).forward_flops == 2 * 256 * 64**2 * 55
    True
    """
    x, y = (FLOAT * batch * channels * prod(hom.group.shape(order)) for order in (hom.k, hom.l))
    weight = FLOAT * channels**2 * hom.dimension
    mixed = 2 * batch * channels**2
    isotypic = isotypic_products(hom)
    by_diagrams = diagram_products(hom) if isinstance(hom.group, (S, O)) else None
    # What is aimed at for S(n) is stated in products by diagrams.
    counts = [by_diagrams] if isinstance(hom.group, S) else [by_diagrams, isotypic]
    known = [count for count in counts if count is not None]
    return Work(
        forward_bytes=x + y + weight,
        backward_bytes=2 * x + y + 2 * weight,
        forward_flops=mixed * min(known) if known else None,
        fewest=None if isotypic is None else mixed * isotypic,
    )


def diagram_products(hom: Hom) -> int:
    """How many products of two channels the basis diagrams take: n^t for t through indices.

    >>> diagram_products(Hom(S(10), 1, 1))
    11
    """
    through = Counter(propagating_number(diagram) for diagram in hom.basis())
    return sum(count * hom.group.n**t for t, count in through.items())


def isotypic_products(hom: Hom) -> int | None:
    """The sum over irreducible representations of multiplicities in V^k and V^l times dimension.

    None for groups other than S(n), O(n) and SO(n) with n odd.

    >>> isotypic_products(Hom(O(3), 3, 3)), isotypic_products(Hom(S(10), 1, 1))
    (55, 10)
    """
    group = hom.group
    # For SO(n) with n even some fall apart, and are complex for every other such n.
    if not isinstance(group, (S, O, SO)) or (isinstance(group, SO) and group.n % 2 == 0):
        return None
    inputs, outputs = (irreducibles(group, order) for order in (hom.k, hom.l))
    return sum(
        times * outputs[shape][0] * size
        for shape, (times, size) in inputs.items()
        if shape in outputs
    )


def irreducibles(group: Group, order: int) -> dict[Shape, tuple[int, int]]:
    """The irreducible representations in V^order: how often each is there, and its dimension.

    For S(n), O(n), and SO(n) with n odd.

    >>> irreducibles(O(3), 2)
    {(): (1, 1), (1, 1): (1, 3), (2,): (1, 5)}
    >>> irreducibles(SO(3), 2)
    {(): (1, 1), (1,): (1, 3), (2,): (1, 5)}
    """
    times: Counter[Shape] = Counter()
    for shape, count in group.walks(order, order).levels()[order].items():
        times[_without_determinant(group.n, shape) if isinstance(group, SO) else shape] += count
    size = _hook_length if isinstance(group, S) else _orthogonal_size
    return {shape: (count, size(group.n, shape)) for shape, count in sorted(times.items())}


def _without_determinant(n: int, shape: Shape) -> Shape:
    """A representation of O(n) times the determinant is the same for SO(n): the smaller of both."""
    # The determinant turns a first column of r boxes into one of n - r; the other columns stay, and
    # have no more boxes than that.
    return shape[: n - len(shape)] if 2 * len(shape) > n else shape


def _hook_length(n: int, shape: Shape) -> int:
    """The dimension of a representation of S(n): n! over the hook lengths."""
    size = Fraction(1)
    for i, (_, _, hook) in enumerate(_cells(shape), start=1):
        size *= Fraction(i, hook)
    return int(size)


def _orthogonal_size(n: int, shape: Shape) -> int:
    """The dimension of a representation of O(n).

    Source: El Samra and King, J. Phys. A 12 (1979) 2317.
    """
    columns = [sum(row > j for row in shape) for j in range(shape[0])] if shape else []
    size = Fraction(1)
    for i, j, hook in _cells(shape):
        if i >= j:
            lengths = (shape[a] if a < len(shape) else 0 for a in (i, j))
            size *= Fraction(n + sum(lengths) - i - j - 2, hook)
        else:
            lengths = (columns[a] if a < len(columns) else 0 for a in (i, j))
            size *= Fraction(n - sum(lengths) + i + j, hook)
    return int(size)


def _cells(shape: Shape) -> list[tuple[int, int, int]]:
    """Row, column and hook length of each box, rows and columns from 0."""
    return [
        (i, j, length - j + sum(row > j for row in shape[i + 1 :]))
        for i, length in enumerate(shape)
        for j in range(length)
    ]
