"""The matrix of a diagram, written out: which indices agree, where the group's signs stand.

An entry of the matrix is a sign, times the symplectic form on some pairs of indices, times the
Levi-Civita symbol on the legs of a determinant vertex; it is 0 unless indices that must agree do.
Plans are read back in this form, and compared with the basis: see ``trace.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import permutations
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tannaka.category.groups import Group
from tannaka.category.product import Product
from tannaka.category.symplectic import Sp
from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.diagram import Diagram, natural
from tannaka.diagrams.errors import BackendError
from tannaka.diagrams.grood import Grood
from tannaka.diagrams.jellyfish import Jellyfish
from tannaka.diagrams.partition import SetPartition
from tannaka.diagrams.signs import sign
from tannaka.diagrams.structure import crossings
from tannaka.diagrams.typed import Typed

Word = tuple[int, ...]
"""The type of each axis of a tensor: all 0 unless the group is a product."""


@dataclass(frozen=True, slots=True)
class Network:
    """A sum over some indices of a product of signs.

    ``outputs[v]`` and ``inputs[v]`` are the indices at the vertices, ``types`` has the type of each
    index. Entry ``[x at outputs, x at inputs]`` of the matrix is ``sign`` times the sum over the
    indices that stand at no vertex of ``form[x_a, x_b]`` for each ``(a, b)`` of ``forms`` and of the
    Levi-Civita symbol of the indices of each of ``legs``. Only one determinant vertex for each type.
    """

    outputs: tuple[int, ...]
    inputs: tuple[int, ...]
    types: tuple[int, ...]
    forms: tuple[tuple[int, int], ...] = ()
    legs: tuple[tuple[int, ...], ...] = ()
    sign: int = 1

    def canonical(self) -> Network:
        """The same matrix with indices numbered from the outputs on, and signs of sorting taken out.

        >>> Network((1,), (2, 0), (0, 0, 0), forms=((0, 2),)).canonical()
        Network(outputs=(0,), inputs=(1, 2), types=(0, 0, 0), forms=((1, 2),), legs=(), sign=-1)
        """
        return _canonical(self)

    @property
    def flipped(self) -> Network:
        """The transposed matrix."""
        return replace(self, outputs=self.inputs, inputs=self.outputs)

    def averaged(self) -> tuple[int, ...]:
        """The type of each sum that a mean divides by its number of terms, n.

        Indices that are at inputs only; two that the form joins are one, since each has one partner.
        Legs of a determinant vertex do not count here: see :meth:`terms`.
        """
        legs = {index for vertex in self.legs for index in vertex}
        second = {b for _, b in self.forms}
        return tuple(
            sorted(
                self.types[index] for index in set(self.inputs) - set(self.outputs) - legs - second
            )
        )

    def terms(self) -> int:
        """How many terms each entry sums over the legs of determinant vertices that are not at outputs."""
        count = 1
        for legs in self.legs:
            count *= factorial(len(set(legs) - set(self.outputs)))
        return count

    def squared_norm(self, sizes: Sequence[int]) -> int:
        """The sum of the squares of all entries, where types have these sizes.

        Exact unless a determinant vertex has two free legs, which diagrams have not.
        """
        legs = {index for vertex in self.legs for index in vertex}
        second = {b for _, b in self.forms}
        total = 1
        for index in {*self.outputs, *self.inputs} - legs - second:
            total *= sizes[self.types[index]]
        for vertex in self.legs:
            total *= factorial(len(vertex))
        return total

    def matrix(self, sizes: Sequence[int]) -> NDArray[np.float64]:
        """The matrix itself, of shape (product of output sizes, product of input sizes)."""
        operands: list[Any] = [np.array(float(self.sign)), []]
        for vertices in (self.outputs, self.inputs):
            for index in vertices:
                operands += [np.ones(sizes[self.types[index]]), [index]]
        for a, b in self.forms:
            operands += [Sp(sizes[self.types[a]]).form.astype(float), [a, b]]
        for legs in self.legs:
            operands += [levi_civita(len(legs)), list(legs)]
        axes = list(dict.fromkeys((*self.outputs, *self.inputs)))
        einsum: Any = np.einsum
        values = einsum(*operands, axes)
        shape = [sizes[self.types[index]] for index in (*self.outputs, *self.inputs)]
        grid = np.indices(shape, sparse=True) if shape else []
        entries: NDArray[np.float64] = np.ones(shape)
        first: dict[int, Any] = {}
        for index, at in zip((*self.outputs, *self.inputs), grid, strict=True):
            if index in first:
                entries *= first[index] == at
            first.setdefault(index, at)
        entries *= values[tuple(first[index] for index in axes)] if axes else values
        rows = int(np.prod([sizes[self.types[i]] for i in self.outputs], dtype=int))
        return entries.reshape(rows, -1)


@lru_cache(maxsize=2**16)  # each pass asks again, for every row
def _canonical(network: Network) -> Network:
    number: dict[int, int] = {}
    for index in (*network.outputs, *network.inputs):
        number.setdefault(index, len(number))
    # Free legs stand at no vertex; of one type there is but one determinant vertex.
    for legs in sorted(network.legs, key=lambda legs: network.types[legs[0]]):
        for index in legs:
            number.setdefault(index, len(number))
    types = [0] * len(number)
    for index, new in number.items():
        types[new] = network.types[index]
    total = network.sign
    pairs = []
    for a, b in network.forms:
        one, other = number[a], number[b]
        total *= 1 if one < other else -1
        pairs.append((min(one, other), max(one, other)))
    vertices = []
    for legs in network.legs:
        places = [number[index] for index in legs]
        total *= sign(places)
        vertices.append(tuple(sorted(places)))
    return Network(
        tuple(number[index] for index in network.outputs),
        tuple(number[index] for index in network.inputs),
        tuple(types),
        tuple(sorted(pairs)),
        tuple(sorted(vertices)),
        total,
    )


def levi_civita(n: int) -> NDArray[np.float64]:
    """The Levi-Civita symbol with n indices, as an array of n axes.

    >>> levi_civita(2)
    array([[ 0.,  1.],
           [-1.,  0.]])
    """
    found = np.zeros((n,) * n)
    for images in permutations(range(n)):
        found[images] = sign(images)
    return found


@lru_cache(maxsize=2**16)
def network(diagram: Diagram, group: Group | None = None) -> Network:
    """The matrix that the group's functor gives a diagram; without a group, where deltas are meant.

    Raises BackendError for a group whose layers are compiled in another way.

    >>> from tannaka.category import O, Sp
    >>> network(Brauer.cap(), O(4)).inputs, network(Brauer.cap(), Sp(4)).forms
    ((0, 0), ((0, 1),))
    """
    if isinstance(diagram, Typed):
        return _typed(diagram, group)
    if isinstance(diagram, Brauer) and isinstance(group, Sp):
        return _symplectic(diagram)
    legs: tuple[tuple[int, ...], ...] = ()
    if isinstance(diagram, SetPartition):
        labels = diagram.labels
    elif isinstance(diagram, Brauer):
        labels = diagram.partition.labels
    elif isinstance(diagram, Grood):
        blocks = [*diagram.pairs, *((leg,) for leg in diagram.legs)]
        labels = _labels(blocks, diagram.cod + diagram.dom)
        legs = (tuple(labels[leg] for leg in diagram.legs),)
    elif isinstance(diagram, Jellyfish):
        labels = diagram.labels
        free = len(diagram.blocks)
        legs = (tuple(free if leg is None else leg for leg in diagram.legs),)
    else:
        raise BackendError(
            f"there is no plan for {type(diagram).__name__} diagrams; group.matrix(diagram) and "
            "group.sparse(diagram) give their maps"
        )
    size = 1 + max((*labels, *(leg for vertex in legs for leg in vertex)), default=-1)
    return Network(labels[: diagram.cod], labels[diagram.cod :], (0,) * size, legs=legs)


def _labels(blocks: Sequence[Sequence[int]], size: int) -> tuple[int, ...]:
    labels = [0] * size
    for number, block in enumerate(blocks):
        for v in block:
            labels[v] = number
    return tuple(labels)


def _symplectic(diagram: Brauer) -> Network:
    """Edges across are deltas, those between inputs the form, between outputs its inverse."""
    cod = diagram.cod
    across = [pair for pair in diagram.pairs if pair[0] < cod <= pair[1]]
    within = [pair for pair in diagram.pairs if pair not in across]
    ends = [(v,) for pair in within for v in pair]
    labels = _labels([*across, *ends], cod + diagram.dom)
    # The inverse of the form is its transpose.
    forms = tuple((labels[a], labels[b]) if a >= cod else (labels[b], labels[a]) for a, b in within)
    types = (0,) * (len(across) + len(ends))
    return Network(labels[:cod], labels[cod:], types, forms, sign=(-1) ** crossings(diagram))


def _typed(diagram: Typed, group: Group | None) -> Network:
    """The networks of the parts side by side."""
    factors = group.factors if isinstance(group, Product) else (None,) * len(diagram.parts)
    at = [0] * (len(diagram.cod) + len(diagram.dom))
    types: list[int] = []
    forms: list[tuple[int, int]] = []
    legs: list[tuple[int, ...]] = []
    total = 1
    for kind, (part, factor) in enumerate(zip(diagram.parts, factors, strict=True)):
        found = network(part, factor)
        start = len(types)
        for v, index in zip(diagram.vertices(kind), (*found.outputs, *found.inputs), strict=True):
            at[v] = start + index
        types += [kind] * len(found.types)
        forms += [(start + a, start + b) for a, b in found.forms]
        legs += [tuple(start + leg for leg in vertex) for vertex in found.legs]
        total *= found.sign
    cod = len(diagram.cod)
    return Network(tuple(at[:cod]), tuple(at[cod:]), tuple(types), tuple(forms), tuple(legs), total)


def word(order: Any) -> Word:
    """The types of the axes of an order, or of a word of types, which is that already.

    >>> word(2), word((0, 1))
    ((0, 0), (0, 1))
    """
    return (0,) * order if isinstance(order, int) else tuple(order)


def channel_count(name: str, value: object) -> int:
    """How many channels a tensor has; raises TypeError or ValueError for what no tensor can have.

    >>> channel_count("in_channels", 8)
    8
    """
    number = natural(name, value, least=1, what="a number of channels")
    if number >= 2**63:
        raise ValueError(
            f"{name} must be a number of channels, less than 2^63, got one of "
            f"{number.bit_length():,} bits"
        )
    return number


def after(order: Any, first: Any, name: str = "first") -> Any:
    """The order, or word, of the axes that follow the first ones; ``name`` says what those are.

    Raises ValueError unless the first ones are that.

    >>> after(3, 1), after((0, 1, 1), (0,))
    (2, (1, 1))
    """
    ours = word(first)
    if word(order)[: len(ours)] != ours:
        raise ValueError(f"the axes of {name} are the first of order {order}, got {name}={first!r}")
    return order - len(ours) if isinstance(order, int) else tuple(order)[len(ours) :]


def sizes(n: Any) -> tuple[int, ...]:
    """The size of the axes of each type: n, or for a product a tuple of such.

    >>> sizes(5), sizes((5, 3))
    ((5,), (5, 3))
    """
    return tuple(n) if isinstance(n, tuple | list) else (n,)


def open_types(group: Group) -> Word:
    """The types of axes whose size the group leaves open, as families such as S() do.

    >>> from tannaka.category import O, S
    >>> open_types(S(5)), open_types(O(3) * S())
    ((), (1,))
    """
    return tuple(kind for kind, size in enumerate(sizes(group.n)) if size is None)


def letters(group: Group) -> Any:
    """The size of axes, or of those of each type, as errors say it: a letter where it is open.

    >>> from tannaka.category import O, S
    >>> letters(S()), letters(S() * O(3))
    ('n', ('n0', 3))
    """
    found = sizes(group.n)
    if len(found) == 1:
        return found[0] or "n"
    return tuple(f"n{kind}" if size is None else size for kind, size in enumerate(found))


def planned(group: Group) -> bool:
    """Whether layers for a group are planned diagram by diagram, through :func:`network`."""
    factors = group.factors if isinstance(group, Product) else (group,)
    known = (SetPartition, Brauer, Grood, Jellyfish)
    return all(issubclass(family, known) for factor in factors for family in factor.families)
