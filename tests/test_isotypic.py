"""The change of basis against what it says: dense matrices, group elements, published multiplicities."""

from __future__ import annotations

from math import factorial, prod
from typing import Any

import networkx
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from tannaka.category.alternating import A
from tannaka.category.automorphisms import Aut
from tannaka.category.groups import Group, MatrixGroup, group
from tannaka.category.hom import Hom
from tannaka.category.orthogonal import SO, O
from tannaka.category.permutations import PermutationGroup
from tannaka.category.product import Product
from tannaka.category.symmetric import S
from tannaka.category.symplectic import Sp
from tannaka.codegen.lowering import isotypic as module
from tannaka.codegen.lowering.isotypic import Block, Isotypic, isotypic
from tannaka.diagrams.errors import BackendError, SizeError
from tannaka.testing.strategies import groups, orders, permutation_groups

# i and j act on 1, -1, i, -i, j, -j, k, -k from the left.
QUATERNIONS = PermutationGroup([(2, 3, 1, 0, 6, 7, 5, 4), (4, 5, 7, 6, 1, 0, 2, 3)])
CYCLIC = PermutationGroup([(1, 2, 3, 4, 0)])
NAMED = ["S(1)", "S(3)", "S(5)", "A(3)", "A(4)", "O(2)", "O(3)", "SO(2)", "SO(3)", "Sp(2)", "Sp(4)"]
CASES: list[tuple[Group, Any, Any]] = [
    *((group(name), k, l) for name in NAMED for k in range(4) for l in range(4)),
    *((QUATERNIONS, k, l) for k, l in [(1, 1), (2, 1), (0, 2)]),
    *((CYCLIC, k, l) for k, l in [(1, 1), (2, 1), (2, 2)]),
    (SO(4), 2, 2),
    (SO(6), 3, 3),
    (Aut(networkx.petersen_graph()), 1, 2),
    (Aut(networkx.path_graph(3)), 2, 2),
    (group("S(3) x O(2)"), (0, 1, 1), (1, 0, 1)),
    (group("SO(2) x SO(2)"), (0, 1), (1, 0)),
    (group("SO(2) x SO(2)"), (0, 1, 0), (0,)),
    (group("A(3) x SO(2)"), (0, 1, 0), (1, 0)),
    (group("S(2) x Sp(2)"), (1, 1), ()),
    (group("S(2) x O(3)"), (), ()),
]


def checked(hom: Hom) -> Isotypic:
    """The decomposition, after the law that defines it held for every diagram."""
    found = isotypic(hom)
    rows, columns = prod(hom.group.shape(hom.l)), prod(hom.group.shape(hom.k))
    widths = [b.copies_in * b.copies_out for b in found.blocks]
    assert found.inputs.shape == (columns, sum(b.dimension * b.copies_in for b in found.blocks))
    assert found.outputs.shape == (rows, sum(b.dimension * b.copies_out for b in found.blocks))
    assert found.entries.shape == (hom.dimension, sum(widths))
    for side in (found.inputs, found.outputs):
        assert_allclose(side.T @ side, np.eye(side.shape[1]), atol=1e-11)
    # Complex numbers in a basis over the reals take four entries, but are two numbers.
    assert sum(w // b.field for w, b in zip(widths, found.blocks, strict=True)) == hom.dimension
    for weights, matrix in zip(np.eye(hom.dimension), hom.matrices(), strict=True):
        bound = 1e-11 * float(np.linalg.norm(matrix))
        dense = found.outputs @ block_diagonal(found, weights) @ found.inputs.T
        assert_allclose(dense, matrix, rtol=0, atol=bound)
        assert_allclose(found.matrix(weights), matrix, rtol=0, atol=bound)
    return found


def block_diagonal(found: Isotypic, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    total = np.zeros((found.outputs.shape[1], found.inputs.shape[1]))
    at = row = column = 0
    for block in found.blocks:
        size = block.copies_out * block.copies_in
        small = (weights @ found.entries[:, at : at + size]).reshape(block.copies_out, -1)
        part = np.kron(np.eye(block.dimension), small)
        total[row : row + len(part), column : column + part.shape[1]] = part
        at, row, column = at + size, row + len(part), column + part.shape[1]
    return total


def acting(
    hom: Hom, word: Any, side: NDArray[np.float64], sizes: list[int]
) -> list[NDArray[np.float64]]:
    """What a random element does to each block of columns, which it must not lead out of."""
    g = hom.group.sample(3)
    shape = (*hom.group.shape(word), side.shape[1])
    moved = hom.group.act(g, side.reshape(shape), word).reshape(side.shape)
    found = []
    ends = np.cumsum(sizes)
    for a, b in zip(ends - sizes, ends, strict=True):
        inside = side[:, a:b].T @ moved[:, a:b]
        assert_allclose(side[:, a:b] @ inside, moved[:, a:b], atol=1e-10)
        found.append(inside)
    return found


@pytest.mark.parametrize(
    ("g", "k", "l"), [pytest.param(*case, id="{}-{}-{}".format(*case)) for case in CASES]
)
def test_every_diagram_is_its_blocks_and_elements_act_on_copies_alike(
    g: Group, k: Any, l: Any
) -> None:
    hom = Hom(g, k, l)
    found = checked(hom)
    sides = [
        acting(hom, k, found.inputs, [b.dimension * b.copies_in for b in found.blocks]),
        acting(hom, l, found.outputs, [b.dimension * b.copies_out for b in found.blocks]),
    ]
    for block, before, after in zip(found.blocks, *sides, strict=True):
        d = block.dimension
        one = before.reshape(d, block.copies_in, d, block.copies_in)[:, 0, :, 0]
        if block.field == 1:
            # The same irreducible in the same coordinates, in all copies on both sides.
            assert_allclose(before, np.kron(one, np.eye(block.copies_in)), atol=1e-10)
            assert_allclose(after, np.kron(one, np.eye(block.copies_out)), atol=1e-10)
    weights = np.random.default_rng(0).standard_normal(hom.dimension)
    if found.blocks:
        middle = block_diagonal(found, weights)
        assert np.abs(middle).max() > 0.01
        element_in, element_out = map(direct_sum, sides)
        assert_allclose(element_out @ middle, middle @ element_in, atol=1e-9)


def direct_sum(parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    total = np.zeros((sum(map(len, parts)),) * 2)
    at = 0
    for part in parts:
        total[at : at + len(part), at : at + len(part)] = part
        at += len(part)
    return total


@given(groups(most=4), orders(3), orders(3))
def test_every_kind_of_group_is_decomposed(g: MatrixGroup, k: int, l: int) -> None:
    assume(g.n ** (k + l) <= 3**6)
    checked(Hom(g, k, l))


@given(permutation_groups(most=6), orders(2), orders(2))
def test_groups_of_permutations_are_decomposed(g: PermutationGroup, k: int, l: int) -> None:
    found = checked(Hom(g, k, l))
    if k == l:
        # All of V^k is there.
        assert sum(b.dimension * b.copies_in for b in found.blocks) == g.n**k


@given(groups(most=3), groups(most=2), st.data())
def test_products_of_groups_are_decomposed(
    one: MatrixGroup, other: MatrixGroup, data: st.DataObject
) -> None:
    words = st.lists(st.integers(0, 1), max_size=3).map(tuple)
    hom = Hom(Product((one, other)), data.draw(words), data.draw(words))
    assume(hom.dimension <= 200)
    checked(hom)


# Copies on both sides, dimension over the field, field.
TABLES: dict[tuple[Group, int], list[tuple[int, int, int]]] = {
    (O(3), 3): [(1, 1, 1), (3, 3, 1), (2, 5, 1), (1, 7, 1)],
    (O(3), 4): [(3, 1, 1), (6, 3, 1), (6, 5, 1), (3, 7, 1), (1, 9, 1)],
    (SO(3), 2): [(1, 1, 1), (1, 3, 1), (1, 5, 1)],
    (SO(2), 2): [(2, 1, 1), (2, 1, 2)],
    # Selfdual and antiselfdual two-forms; in three dimensions more they are complex.
    (SO(4), 2): [(1, 1, 1), (1, 3, 1), (1, 3, 1), (1, 9, 1)],
    (SO(6), 3): [(3, 6, 1), (2, 10, 2), (1, 50, 1), (2, 64, 1)],
    (Sp(2), 3): [(2, 2, 1), (1, 4, 1)],
    (Sp(4), 2): [(1, 1, 1), (1, 5, 1), (1, 10, 1)],
    (A(3), 1): [(1, 1, 1), (2, 1, 2)],
    (A(4), 1): [(1, 1, 1), (1, 3, 1)],
    (CYCLIC, 1): [(1, 1, 1), (2, 1, 2), (2, 1, 2)],
    (QUATERNIONS, 1): [(1, 1, 1), (1, 1, 1), (1, 1, 1), (1, 1, 1), (4, 1, 4)],
    (Aut(networkx.petersen_graph()), 1): [(1, 1, 1), (1, 4, 1), (1, 5, 1)],
}


@pytest.mark.parametrize(
    ("g", "k", "table"), [pytest.param(*case, t, id=f"{case}") for case, t in TABLES.items()]
)
def test_the_irreducibles_are_those_of_published_tables(
    g: Group, k: int, table: list[tuple[int, int, int]]
) -> None:
    found = isotypic(Hom(g, k, k))
    assert sorted(found.blocks, key=repr) == sorted(
        (Block(p, p, d, f) for p, d, f in table), key=repr
    )
    assert found.multiplications == sum(p * p * d for p, d, _ in table)


@pytest.mark.parametrize(("n", "k", "l"), [(2, 3, 3), (3, 2, 3), (4, 3, 1), (5, 3, 3), (6, 3, 2)])
def test_copies_are_counted_by_walks_and_dimensions_by_hooks(n: int, k: int, l: int) -> None:
    # Walks of k steps to an irreducible are its copies in V^k.
    counts = [Hom(S(n), 0, 2 * order).walks().levels()[order] for order in (k, l)]
    wanted = [
        Block(times, counts[1][shape], standard_tableaux(shape), 1)
        for shape, times in counts[0].items()
        if shape in counts[1]
    ]
    found = isotypic(Hom(S(n), k, l))
    assert sorted(found.blocks, key=repr) == sorted(wanted, key=repr)


def standard_tableaux(shape: tuple[int, ...]) -> int:
    """The dimension of an irreducible of the symmetric group, by the hook length formula."""
    hooks = [
        part - j + sum(other > j for other in shape[i + 1 :])
        for i, part in enumerate(shape)
        for j in range(part)
    ]
    return factorial(sum(shape)) // prod(hooks)


def test_a_space_of_maps_that_is_zero_has_no_blocks() -> None:
    found = isotypic(Hom(O(3), 1, 2))
    assert (found.blocks, found.multiplications) == ((), 0)
    assert (found.inputs.shape, found.outputs.shape, found.entries.shape) == (
        (3, 0),
        (9, 0),
        (0, 0),
    )
    assert not found.matrix(np.zeros(0)).any()


def test_it_prints_as_a_table() -> None:
    assert str(isotypic(Hom(SO(2), 1, 1))) == (
        "2 -> 2 copies, dimension 1, complex\n4 multiply-adds for a pair of channels"
    )


def test_asked_twice_it_is_found_once_and_nobody_can_change_it() -> None:
    found = isotypic(Hom(S(4), 2, 1))
    assert isotypic(Hom(S(4), 2, 1)) is found
    with pytest.raises(ValueError, match="read-only"):
        found.entries[0, 0] = 1.0
    again = isotypic.__wrapped__(Hom(S(4), 2, 1))
    np.testing.assert_array_equal(again.inputs, found.inputs)


@pytest.mark.parametrize(
    ("hom", "message"),
    [
        (Hom(S(12), 3, 1), r"V\^k has 1,728 dimensions, and is decomposed up to 1,500"),
        (Hom(O(3), 0, 40), r"V\^l has .* dimensions, and is decomposed up to 1,500"),
        (Hom(S(3), 6, 6), "dimension 88,574.* formed for up to 4,096 diagrams"),
    ],
)
def test_what_is_too_large_is_refused_before_anything_is_listed(hom: Hom, message: str) -> None:
    with pytest.raises(SizeError, match=message):
        isotypic(hom)


def test_too_many_nonzero_entries_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TERMS", 100)
    with pytest.raises(SizeError, match="more than 100 nonzero entries: take a smaller n"):
        isotypic.__wrapped__(Hom(S(4), 2, 2))


def test_where_rounding_is_too_coarse_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOLERANCE", 1e-30)
    with pytest.raises(BackendError, match="6 draws of random maps; in the last, bases are ortho"):
        isotypic.__wrapped__(Hom(S(4), 2, 2))


@pytest.mark.parametrize("hom", [Hom(S(3), 1, 1), Hom(S(4), 2, 1), Hom(SO(2), 3, 3)])
def test_a_map_that_does_not_tell_irreducibles_apart_is_drawn_again(
    hom: Hom, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = isotypic.__wrapped__(hom)
    draw, unlucky = module._Maps.random, [True]
    decompose, tries = module._decomposed, []

    def first_diagram_first(maps: module._Maps, rng: np.random.Generator) -> NDArray[np.float64]:
        return maps.sum(np.eye(hom.dimension)[0]) if unlucky and unlucky.pop() else draw(maps, rng)

    def counting(maps: module._Maps, rng: np.random.Generator) -> Isotypic:
        tries.append(rng)
        return decompose(maps, rng)

    monkeypatch.setattr(module._Maps, "random", first_diagram_first)
    monkeypatch.setattr(module, "_decomposed", counting)
    found = isotypic.__wrapped__(hom)
    assert len(tries) == 2
    assert sorted(found.blocks, key=repr) == sorted(wanted.blocks, key=repr)
