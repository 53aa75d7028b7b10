"""Diagrams commute with their group, exactly: in integers, at every element that is needed.

A linear map commutes with a group when it commutes with elements that generate it; and with a
connected Lie group exactly when it commutes with elements that generate its Lie algebra. Those have
whole entries here, so nothing is rounded and nothing is sampled. Matrices are compared entry by
entry where they are small enough; else the parts that a diagram is made of.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import factorial, prod
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tannaka.category.groups import Group, MatrixGroup
from tannaka.category.orthogonal import SO, O
from tannaka.category.product import Product
from tannaka.category.symmetric import S
from tannaka.category.symplectic import Sp
from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.counts import readable
from tannaka.diagrams.diagram import Diagram
from tannaka.diagrams.errors import EquivarianceError, SizeError
from tannaka.diagrams.grood import Grood
from tannaka.diagrams.jellyfish import Jellyfish
from tannaka.diagrams.partition import SetPartition, restricted_growth

MAX_COMPARED = 10_000_000
"""Most entries that are compared, over all diagrams and elements, before diagrams are taken apart."""
FEW = range(1, 5)
"""The members of a family whose matrices are compared, besides the argument for every n."""
Method: TypeAlias = Literal["matrices", "parts"]

GENERATED = "a map that commutes with generators of a group commutes with the group"
LIE = (
    "the rotations are connected, so a map commutes with them if it commutes with their Lie algebra; "
    "the elements of neighbouring planes generate it by brackets"
)
SYMPLECTIC = (
    "Sp(n, R) is connected, so a map commutes with it if it commutes with its Lie algebra, which "
    "these elements span"
)
PARTS = (
    "the tensor product of maps that commute with a group commutes with it, and so it does with its "
    "axes permuted"
)
EVERY_N = (
    "an entry of a set partition's matrix says which indices are equal, and permutations of any "
    "number of points are one to one"
)


@dataclass(frozen=True)
class Element:
    """An element of a group, or of its Lie algebra, with whole entries.

    ``entries`` are (row, column, value) of its matrix; what is not among them is 0.
    """

    name: str
    kind: Literal["group", "algebra"]
    entries: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Proof:
    """That diagrams commute with a group: what was computed, exactly, and what it rests on."""

    group: str
    holds_for: str
    """Which n it is for, as text."""
    method: Method
    """Whether whole matrices were compared, or those of the parts that diagrams are made of."""
    elements: tuple[str, ...]
    """What was compared with: elements of the group, or of its Lie algebra."""
    diagrams: int
    entries: int
    """How many entries of matrices were moved and compared."""
    rests_on: tuple[str, ...]


def prove(group: Group, diagrams: Iterable[Diagram]) -> tuple[Proof, ...]:
    """Prove that all diagrams commute with the group; for a product, one proof for each factor.

    Raises EquivarianceError that names the diagram and the element where one does not commute,
    ValueError for a group whose elements are not known exactly, SizeError where even the parts are
    too large.

    >>> (proof,) = prove(O(3), O(3).basis(2, 2))
    >>> proof.method, proof.holds_for, proof.diagrams, len(proof.elements)
    ('matrices', 'n = 3', 3, 3)
    >>> prove(S(), S().basis(2, 2))[0].holds_for
    'every n >= 1'
    """
    listed = tuple(dict.fromkeys(diagrams))
    if isinstance(group, Product):
        found: tuple[Proof, ...] = ()
        for t, factor in enumerate(group.factors):
            found += prove(factor, (diagram.parts[t] for diagram in listed))  # type: ignore[attr-defined]
        return found
    assert isinstance(group, MatrixGroup)
    for diagram in listed:
        group.check(diagram)
    return (_for_every_n if group.open else _for_one_n)(group, listed)


def _for_one_n(group: MatrixGroup, diagrams: Sequence[Diagram]) -> tuple[Proof, ...]:
    some, why = elements(group)
    method: Method = "matrices"
    compared: Sequence[Diagram] = diagrams
    if sum(_size(diagram, group.n) for diagram in diagrams) * len(some) > MAX_COMPARED:
        method, why = "parts", (*why, PARTS)
        compared = tuple(dict.fromkeys(part for d in diagrams for part in parts(d)))
    entries = sum(_compare(group, diagram, some) for diagram in compared)
    names = tuple(element.name for element in some)
    proof = Proof(str(group), f"n = {group.n}", method, names, len(diagrams), entries, why)
    return (proof,)


def _for_every_n(group: MatrixGroup, diagrams: Sequence[Diagram]) -> tuple[Proof, ...]:
    if not isinstance(group, S):
        raise ValueError(f"there is no argument for every n of {group}: take a member of it")
    pieces = tuple(dict.fromkeys(part for diagram in diagrams for part in parts(diagram)))
    entries = 0
    for n in FEW:
        member = S(n)
        entries += sum(_compare(member, part, elements(member)[0]) for part in pieces)
    names = ("a transposition", "the cycle of all points")
    proof = Proof(
        str(group), "every n >= 1", "parts", names, len(diagrams), entries, (EVERY_N, PARTS)
    )
    return (proof,)


def elements(group: MatrixGroup) -> tuple[tuple[Element, ...], tuple[str, ...]]:
    """Elements that a map has to commute with to commute with the group, and why they are enough.

    Raises ValueError for a group whose generators are not whole.

    >>> [element.name for element in elements(O(2))[0]]
    ['the rotation of axes 0 and 1', 'the reflection of axis 0']
    """
    if isinstance(group, O | SO):
        found = [_rotation(i) for i in range(group.n - 1)]
        if isinstance(group, SO):
            return tuple(found), (LIE,)
        signs = tuple((i, i, -1 if i == 0 else 1) for i in range(group.n))
        return (*found, Element("the reflection of axis 0", "group", signs)), (LIE, GENERATED)
    if isinstance(group, Sp):
        pairs = combinations_with_replacement(range(group.n), 2)
        return tuple(_transvection(group, a, b) for a, b in pairs), (SYMPLECTIC,)
    return tuple(_monomial(group, g) for g in group.generators()), (GENERATED,)


def _rotation(i: int) -> Element:
    return Element(
        f"the rotation of axes {i} and {i + 1}", "algebra", ((i + 1, i, 1), (i, i + 1, -1))
    )


def _transvection(group: MatrixGroup, a: int, b: int) -> Element:
    """X -> <u, x> v + <v, x> u for u = e_a, v = e_b."""
    one = np.eye(group.n, dtype=np.int64)
    matrix = np.outer(one[b], one[a] @ group.form) + np.outer(one[a], one[b] @ group.form)
    found = tuple((int(i), int(j), int(matrix[i, j])) for i, j in np.argwhere(matrix))
    return Element(f"x -> <e{a}, x> e{b} + <e{b}, x> e{a}", "algebra", found)


def _monomial(group: MatrixGroup, g: NDArray[Any]) -> Element:
    """A generator that permutes axes, and perhaps changes signs."""
    rows, columns = np.nonzero(g)
    if sorted(columns) != list(range(len(g))) or not np.all(np.abs(g[rows, columns]) == 1):
        raise ValueError(f"no exact elements are known that generate {group}")
    images = rows[np.argsort(columns)].tolist()
    signs = [int(g[row, column]) for column, row in enumerate(images)]
    said = " ".join(f"{'-' * (s < 0)}{i}" for i, s in zip(images, signs, strict=True))
    entries = tuple((row, column, signs[column]) for column, row in enumerate(images))
    return Element(f"the permutation with images {said}", "group", entries)


def parts(diagram: Diagram) -> tuple[Diagram, ...]:
    """What a diagram is the tensor product of, up to the order of axes: its connected parts.

    The legs of a determinant vertex are one part; a diagram of another kind is its own.

    >>> [str(part) for part in parts(SetPartition(2, 2, (0, 1, 1, 0)))]
    ['0 1', '0 1']
    """
    cod = diagram.cod

    def ends(vertices: Sequence[int]) -> tuple[int, int]:
        upper = sum(v < cod for v in vertices)
        return len(vertices) - upper, upper

    if isinstance(diagram, SetPartition):
        return tuple(SetPartition(*ends(block), (0,) * len(block)) for block in diagram.blocks)
    if isinstance(diagram, Brauer):
        return tuple(Brauer(*ends(pair), ((0, 1),)) for pair in diagram.pairs)
    if isinstance(diagram, Grood):
        places = sorted(diagram.legs)
        legs = tuple(places.index(v) for v in diagram.legs)
        edges = (Brauer(*ends(pair), ((0, 1),)) for pair in diagram.pairs)
        return (*edges, Grood(*ends(places), legs, ()))
    if isinstance(diagram, Jellyfish):
        held = {leg for leg in diagram.legs if leg is not None}
        free = [block for i, block in enumerate(diagram.blocks) if i not in held]
        kept = [v for v, label in enumerate(diagram.labels) if label in held]
        number = {
            label: i for i, label in enumerate(dict.fromkeys(diagram.labels[v] for v in kept))
        }
        labels = restricted_growth([number[diagram.labels[v]] for v in kept])
        legs_of = tuple(None if leg is None else number[leg] for leg in diagram.legs)
        blocks = (SetPartition(*ends(block), (0,) * len(block)) for block in free)
        return (*blocks, Jellyfish(*ends(kept), labels, legs_of))
    return (diagram,)


def _size(diagram: Diagram, n: int) -> int:
    """At most how many entries of a diagram's matrix are not 0."""
    if isinstance(diagram, SetPartition | Brauer):
        return int(n ** len(diagram.blocks))
    if isinstance(diagram, Grood):
        return int(n ** len(diagram.pairs) * factorial(n))
    if isinstance(diagram, Jellyfish):
        held = sum(leg is not None for leg in diagram.legs)
        return int(n ** (len(diagram.blocks) - held) * factorial(n))
    return int(n ** (diagram.dom + diagram.cod))


def _compare(group: MatrixGroup, diagram: Diagram, some: Sequence[Element]) -> int:
    """Compare a diagram's matrix with what each element makes of it; how many entries that were."""
    size = _size(diagram, group.n)
    if (
        size * max(1, len(some)) > 4 * MAX_COMPARED
        or group.n ** (diagram.dom + diagram.cod) > 2**62
    ):
        raise SizeError(
            f"the matrix of ({diagram}) for {group} has up to {readable(size)} entries to compare with "
            f"{len(some)} elements, too many: prove it at a smaller n"
        )
    rows, columns, values = group.nonzeros(diagram)
    shape = (group.n,) * (diagram.cod + diagram.dom)
    outputs, inputs = (group.n,) * diagram.cod, (group.n,) * diagram.dom
    places = [*_unravelled(rows, outputs), *_unravelled(columns, inputs)]
    for element in some:
        move = _moved if element.kind == "group" else _bracket
        if move(places, values, element, diagram.cod, shape):
            raise EquivarianceError(
                f"({diagram}) does not commute with {element.name} of {group}: {element.entries}"
            )
    return len(rows) * len(some)


def _unravelled(flat: NDArray[Any], shape: tuple[int, ...]) -> tuple[NDArray[Any], ...]:
    return tuple(np.unravel_index(flat, shape)) if shape else ()


def _moved(
    places: list[NDArray[Any]],
    values: NDArray[Any],
    element: Element,
    cod: int,
    shape: tuple[int, ...],
) -> bool:
    """Whether g M g^-1 differs from M, where g permutes axes and changes signs."""
    del cod  # an orthogonal g acts on rows and on columns alike
    images, signs = np.zeros(len(element.entries), int), np.ones(len(element.entries), int)
    for row, column, value in element.entries:
        images[column], signs[column] = row, value
    turned = values.copy()
    for axis in places:
        turned = turned * signs[axis]
    return _differ(_keys(places, shape), values, _keys([images[a] for a in places], shape), turned)


def _differ(
    keys: NDArray[Any], values: NDArray[Any], others: NDArray[Any], turned: NDArray[Any]
) -> bool:
    one, other = np.argsort(keys, kind="stable"), np.argsort(others, kind="stable")
    same = np.array_equal(keys[one], others[other]) and bool(np.all(values[one] == turned[other]))
    return not same


def _bracket(
    places: list[NDArray[Any]],
    values: NDArray[Any],
    element: Element,
    cod: int,
    shape: tuple[int, ...],
) -> bool:
    """Whether X M - M X is not 0, where X acts on one axis after the other."""
    keys, parts_of = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for axis, index in enumerate(places):
        for row, column, value in element.entries:
            # Rows of M take X from the left; its columns take it from the right, and a minus.
            before, after, sign = (column, row, 1) if axis < cod else (row, column, -1)
            chosen = index == before
            moved = [place[chosen] for place in places]
            moved[axis] = np.full(int(chosen.sum()), after)
            keys.append(_keys(moved, shape))
            parts_of.append(values[chosen] * (value * sign))
    distinct, which = np.unique(np.concatenate(keys), return_inverse=True)
    total = np.zeros(len(distinct), dtype=np.int64)
    np.add.at(total, which, np.concatenate(parts_of))
    return bool(total.any())


def _keys(places: Sequence[NDArray[Any]], shape: tuple[int, ...]) -> NDArray[Any]:
    """One number for each place."""
    total: Any = np.zeros(len(places[0]) if places else 1, dtype=np.int64)
    for axis, index in enumerate(places):
        total = total + index * prod(shape[axis + 1 :])
    return np.asarray(total)
