"""Independent answers meet: closed formula, walks, brute-force null space, rank of our basis."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import product
from math import factorial
from typing import Any

import numpy as np
import pytest
from dimension_table import main as dimension_table
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from oracles import (
    alternating_dimension,
    equivariant_maps,
    generators,
    hyperoctahedral_dimension,
    kron_power,
    null_space_dimension,
    orthogonal_dimension,
    permutation_dimension,
    rank_mod_p,
    special_orthogonal_dimension,
    symplectic_dimension,
)

from tannaka.category.alternating import A
from tannaka.category.groups import Group, MatrixGroup, group
from tannaka.category.hom import Hom
from tannaka.category.hyperoctahedral import H
from tannaka.category.orbits import orbit as orbit_sum
from tannaka.category.orbits import orbit_coefficients, orbit_product
from tannaka.category.orthogonal import SO, O
from tannaka.category.product import Product
from tannaka.category.symmetric import S
from tannaka.category.symplectic import Sp
from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.errors import CompositionError, SizeError
from tannaka.diagrams.grood import Grood
from tannaka.diagrams.morphism import Morphism
from tannaka.diagrams.partition import SetPartition
from tannaka.testing.strategies import groups, orders, products, set_partitions

FORMULA: dict[str, Callable[[int, int], int]] = {
    "S": permutation_dimension,
    "A": alternating_dimension,
    "H": hyperoctahedral_dimension,
    "O": orthogonal_dimension,
    "SO": special_orthogonal_dimension,
    "Sp": symplectic_dimension,
}
SPACES: list[tuple[MatrixGroup, int]] = [
    (kind(n), size)
    for kind in (S, A, H, O, SO, Sp)
    for n in range(1, 7)
    if kind is not Sp or n % 2 == 0
    for size in range(9)
]
CASES = [pytest.param(g, size, id=f"{g}-{size}") for g, size in SPACES]
LARGEST, DEEP = 1300, 2200
"""Null spaces of tensors with more entries than this are left to the other answers; in deep runs."""


@pytest.mark.parametrize(("g", "size"), CASES)
def test_dimension_is_formula_is_walks_is_null_space_is_rank_of_the_basis(
    g: MatrixGroup, size: int, request: pytest.FixtureRequest
) -> None:
    hom = Hom(g, size // 2, size - size // 2)
    wanted = FORMULA[g.symbol](g.n, size)
    assert hom.dimension == len(hom.basis()) == hom.walks().count == wanted
    if g.n**size <= (DEEP if request.config.getoption("--deep") else LARGEST):
        assert null_space_dimension(g.symbol, g.n, size) == wanted
        assert rank_mod_p(hom.matrices().reshape(wanted, g.n**size)) == wanted


@pytest.mark.parametrize(("g", "size"), CASES)
def test_every_way_to_split_the_axes_has_the_same_dimension(g: MatrixGroup, size: int) -> None:
    for k in range(size + 1):
        hom = Hom(g, k, size - k)
        assert hom.dimension == FORMULA[g.symbol](g.n, size) == hom.independent.count
        assert hom.count == hom.spanning.count >= hom.dimension
        if g.n**size <= 300:
            elements = [(element,) for element in generators(g.symbol, g.n)]
            assert equivariant_maps(elements, (0,) * k, (0,) * (size - k)) == hom.dimension


@pytest.mark.parametrize(
    ("one", "other"), list(product(["S(2)", "A(3)", "H(2)", "O(2)", "SO(2)", "Sp(2)"], repeat=2))
)
def test_products_of_groups_have_products_of_hom_spaces(one: str, other: str) -> None:
    g = group(f"{one} x {other}")
    assert isinstance(g, Product)
    first, second = (generators(factor.symbol, factor.n) for factor in g.factors)
    elements = [(a, b) for a, b in product([np.eye(g.n[0]), *first], [np.eye(g.n[1]), *second])]
    for k, l in [((), ()), ((0,), (1,)), ((0, 1), (1, 0)), ((1, 0, 1), (0,)), ((0, 1, 1), (0,))]:
        hom = Hom(g, k, l)
        assert equivariant_maps(elements, k, l) == hom.dimension == len(hom.basis())
        size = int(np.prod(hom.group.shape(k + l)))
        assert rank_mod_p(hom.matrices().reshape(hom.dimension, size)) == hom.dimension
        element = g.sample(1)
        left, right = (kron_word(element, word) for word in (l, k))
        for matrix in hom.matrices():
            assert_allclose(left @ matrix, matrix @ right, atol=1e-9)


def kron_word(element: tuple[Any, ...], word: tuple[int, ...]) -> Any:
    total = np.eye(1)
    for kind in word:
        total = np.kron(total, element[kind])
    return total


def test_the_table_of_dimensions_has_no_mismatch() -> None:
    spaces, mismatches = dimension_table(4, 100, ["A(3)", "SO(3)", "Sp(2)", "S(2) x SO(2)"])
    assert spaces > 50
    assert mismatches == 0


@pytest.mark.deep
def test_the_whole_table_of_dimensions_has_no_mismatch() -> None:
    """python tests/dimension_table.py: five groups and products of two, n <= 6, k + l <= 8."""
    spaces, mismatches = dimension_table()
    assert spaces >= 500
    assert mismatches == 0


@given(groups(4), orders(3), orders(3))
def test_basis_matrices_commute_with_the_group(g: MatrixGroup, k: int, l: int) -> None:
    assume(g.n ** (k + l) <= 4096)
    hom = Hom(g, k, l)
    matrices = hom.matrices()
    assert matrices.shape == (hom.dimension, g.n**l, g.n**k)
    for element in [*generators(g.symbol, g.n), *g.generators(), g.sample(0)]:
        moved = kron_power(element, l) @ matrices
        size = max(1.0, float(np.abs(moved).max(initial=0)))
        assert_allclose(moved, matrices @ kron_power(element, k), atol=1e-11 * size)


@given(groups(4), orders(3), orders(3))
def test_relations_hold_and_reduce_what_is_left_out(g: MatrixGroup, k: int, l: int) -> None:
    assume(g.n ** (k + l) <= 1024 and k + l <= 5)
    hom = Hom(g, k, l)
    relations = hom.relations()
    assert len(relations) == hom.count - hom.dimension
    for diagram, equal in relations.items():
        assert_array_equal(g.matrix(equal), g.matrix(diagram))
        assert set(equal.diagrams()) <= set(hom.basis())
        assert hom.reduce(equal) == equal == hom.reduce(diagram)


@given(groups(3), st.data())
def test_reducing_commutes_with_composing(g: MatrixGroup, data: st.DataObject) -> None:
    k, l, m = (data.draw(orders(2)) for _ in range(3))
    spaces = [Hom(g, k, l).spanning, Hom(g, l, m).spanning]
    assume(all(space.count for space in spaces))
    f, h = (space[data.draw(st.integers(0, space.count - 1))] for space in spaces)
    assert g.morphism(f >> h) == g.morphism(g.morphism(f) >> g.morphism(h))
    assert g.morphism(f.dagger()) == g.morphism(g.morphism(f).dagger())
    assert_array_equal(g.matrix(f >> h), g.matrix(h) @ g.matrix(f))
    assert_array_equal(g.matrix(g.morphism(f) >> h), g.matrix(h) @ g.matrix(f))


@given(groups(4), orders(2), orders(2), st.data())
def test_inner_products_are_counted_without_matrices(
    g: MatrixGroup, k: int, l: int, data: st.DataObject
) -> None:
    space = Hom(g, k, l).spanning
    assume(space.count)
    f, h = (space[data.draw(st.integers(0, space.count - 1))] for _ in range(2))
    assert g.inner(f, h) == (g.matrix(f) * g.matrix(h)).sum()
    assert g.inner(f + 2 * h, h) == (g.matrix(f + 2 * h) * g.matrix(h)).sum()


@given(products(), st.data())
def test_products_multiply_inner_products_and_compose(g: Product, data: st.DataObject) -> None:
    words = st.lists(st.sampled_from([0, 1]), max_size=2).map(tuple)
    k, l, m = (data.draw(words) for _ in range(3))
    spaces = [Hom(g, k, l).spanning, Hom(g, l, m).spanning]
    assume(all(space.count for space in spaces))
    f, h = (space[data.draw(st.integers(0, space.count - 1))] for space in spaces)
    assert_array_equal(g.matrix(f >> h), g.matrix(h) @ g.matrix(f))
    assert_array_equal(g.matrix(g.morphism(f >> h)), g.matrix(h) @ g.matrix(f))
    assert_array_equal(g.sparse(f).toarray(), g.matrix(f))
    assert g.inner(f, f) == (g.matrix(f) ** 2).sum()
    one = g.morphism(f)
    assert g.morphism(one) == one


@given(groups(4), orders(3), orders(2), st.data())
def test_sparse_matrices_have_the_same_entries(
    g: MatrixGroup, k: int, l: int, data: st.DataObject
) -> None:
    space = Hom(g, k, l).spanning
    assume(space.count)
    f = space[data.draw(st.integers(0, space.count - 1))]
    dense, sparse = g.matrix(f), g.sparse(f)
    assert_array_equal(sparse.toarray(), dense)
    assert sparse.nnz == np.count_nonzero(dense)
    assert_array_equal(g.sparse(3 * f - f).toarray(), 2 * dense)


@given(groups(3), orders(2), orders(2), st.integers(0, 2**31))
def test_projecting_finds_the_nearest_equivariant_map(
    g: MatrixGroup, k: int, l: int, seed: int
) -> None:
    hom = Hom(g, k, l)
    rng = np.random.default_rng(seed)
    given_matrix = rng.integers(-9, 9, (g.n**l, g.n**k))
    exact = hom.project(given_matrix)
    assert_allclose(hom.project(given_matrix.astype(float)), exact.astype(float), atol=1e-9)
    # What is left over is orthogonal to the space, and the projection lies in it.
    for matrix in hom.matrices():
        assert ((given_matrix - exact) * matrix).sum() == 0
    assert_array_equal(g.matrix(hom.coefficients(exact)), exact)
    assert_array_equal(hom.project(exact), exact)
    gram = hom.gram()
    flat = hom.matrices().reshape(hom.dimension, given_matrix.size)
    assert_array_equal(gram.astype(np.int64).reshape(hom.dimension, hom.dimension), flat @ flat.T)


@given(groups(4, kinds=["S", "A", "H"]), orders(3), orders(2))
def test_orbits_part_the_entries(g: MatrixGroup, k: int, l: int) -> None:
    assume(g.n ** (k + l) <= 300)
    hom = Hom(g, k, l)
    orbits = [g.matrix(f) for f in hom.basis("orbit")]
    assert len(orbits) == hom.dimension
    total = sum(orbits, np.zeros((g.n**l, g.n**k), dtype=object))
    # A change of sign leaves entries whose indices are there an even number of times.
    indices = product(range(g.n), repeat=k + l)
    kept = [g.symbol != "H" or not any(at.count(i) % 2 for i in at) for at in indices]
    assert_array_equal(total, np.reshape(kept, (g.n**l, g.n**k)).astype(int))
    for orbit in orbits:
        assert set(orbit.flat) <= {0, 1}
        assert orbit.any()


@given(groups(4), orders(3), orders(2))
def test_the_basis_keeps_the_order_of_the_spanning_set(g: Group, k: int, l: int) -> None:
    hom = Hom(g, k, l)
    spanning = list(hom.diagrams())
    places = [spanning.index(diagram) for diagram in hom.basis()]
    assert places == sorted(set(places))


def test_the_published_thresholds() -> None:
    """All diagrams are independent exactly when n >= k + l for S(n), and 2 n >= k + l for O(n)."""
    for size in range(1, 9):
        for n in range(1, 9):
            k = size // 2
            hom = Hom(S(n), k, size - k)
            assert (hom.dimension == hom.count) == (n >= size)
            hom = Hom(O(n), k, size - k)
            if size % 2 == 0:
                assert (hom.dimension == hom.count) == (2 * n >= size)


def test_sizes_beyond_enumeration() -> None:
    assert Hom(S(50), 12, 12).dimension == permutation_dimension(50, 24)
    assert Hom(O(3), 12, 12).dimension == orthogonal_dimension(3, 24)
    hom = Hom(S(50), 12, 12)
    with pytest.raises(SizeError, match=r"dimension 445,958,869,294,805,289: .*first m"):
        hom.basis()
    assert str(hom.independent[0]) == " ".join(map(str, range(24)))
    middle = hom.independent[hom.dimension // 2]
    assert hom.independent.index(middle) == hom.dimension // 2
    assert hom.spanning[hom.spanning.index(middle)] == middle
    with pytest.raises(SizeError, match="more than 2 GiB"):
        Hom(S(34), 3, 3).matrices()


@pytest.mark.parametrize(
    "ask",
    [
        lambda: Hom(S(5), 5, 5).gram(),
        lambda: Hom(S(50), 30, 30).matrices(),
        lambda: S(2).matrix(Fraction(1, 2) * SetPartition.identity(14)),
        lambda: S(2).nonzeros(SetPartition.spider(70, 70)),
        lambda: S(2).sparse(SetPartition.spider(1, 40)),
        lambda: S(2).morphism(SetPartition(20, 20, tuple(range(40)))),
    ],
)
def test_hopeless_sizes_are_refused_at_once(ask: Callable[[], object]) -> None:
    with pytest.raises(SizeError) as refusal:
        ask()
    assert len(str(refusal.value)) < 600


def test_integers_of_any_size_are_projected_exactly() -> None:
    big, half = 2**63, Fraction(1, 2)
    hom = Hom(S(2), 1, 1)
    same, other = half * (big + 7), half * 11
    assert hom.project([[big, 5], [6, 7]]).tolist() == [[same, other], [other, same]]
    swap_and_one = {str(d): c for d, c in hom.coefficients([[big, 5], [5, big]]).at(2).items()}
    assert swap_and_one == {"0 1": big - 5, "0 | 1": 5}


def test_elements_of_products_are_tuples_of_elements() -> None:
    g = Product((S(3), O(2), Sp(2)))
    element = g.sample(3)
    word = (2, 0, 1)
    x = np.random.default_rng(0).standard_normal((4, *g.shape(word), 2))
    back = g.act(g.inverse(element), g.act(element, x, word), word)
    assert_allclose(back, x, atol=1e-9)
    refused: list[tuple[Any, type[Exception], str]] = [
        (np.eye(3), TypeError, r"a tuple of 3 matrices, one for each factor"),
        (element[:2], TypeError, r"a tuple of 3 matrices"),
        ((*element[:2], np.ones((5, 2))), ValueError, r"element of Sp\(2\).*shape \(5, 2\)"),
    ]
    for wrong, error, words in refused:
        with pytest.raises(error, match=words):
            g.act(wrong, x, word)


def test_walks_to_far_representations_are_not_written_out() -> None:
    for g in (A(10**9), SO(10**9)):
        walks = Hom(g, 2, 2).walks()
        assert walks.count == Hom(g, 2, 2).dimension
        assert len(repr(walks)) < 500
    assert repr(Hom(A(3), 1, 1).walks()).startswith("walks of 2 steps from 3 to 3 or 111: 3\n")


def test_hom_and_groups_say_what_they_are() -> None:
    assert repr(Hom(S(34), 2, 2)) == "Hom(S(34), 2, 2): dimension 15"
    assert group(" O( 3 )") == O(3)
    assert group(S(3)) == S(3)
    assert {S(3): 1}[S(3)] == 1
    assert len({S(3), O(3), S(3)}) == 2
    assert_array_equal(O(3).form, np.eye(3))
    bundle = Hom(S(2), 1, 1)._repr_mimebundle_()
    assert bundle["image/svg+xml"].startswith("<svg")


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda: S(0), ValueError, r"n must be the dimension of V = R\^n in S\(n\).*got 0"),
        (lambda: O(-1), ValueError, "got -1"),
        (lambda: S(2.5), TypeError, "got 2.5"),  # type: ignore[arg-type]
        (lambda: group("Q(3)"), ValueError, r"no group is called 'Q\(3\)'; the groups are A\(n\)"),
        (lambda: Sp(3), ValueError, r"no Sp\(3\).*odd n; take Sp\(2\) or Sp\(4\)"),
        (lambda: Sp(1), ValueError, "the smallest is Sp"),
        (lambda: group("S(3) x Q(2)"), ValueError, "no group is called"),
        (lambda: Hom(S(3) * O(2), 1, (0,)), TypeError, "k must be a tuple of types 0 to 1"),
        (lambda: Hom(S(3) * O(2), (0,), (2,)), ValueError, "l must be a tuple of types 0 to 1"),
        (lambda: Product((S(2), "O(3)")), TypeError, "a product is of groups"),  # type: ignore[arg-type]
        (lambda: Product(()), TypeError, "of one group or more"),
        (lambda: Product(S(2)), TypeError, r"such as \(S\(3\), O\(2\)\), got S\(2\)"),  # type: ignore[arg-type]
        (lambda: Hom(S(3) * O(2), {1, 0}, ()), TypeError, r"k must be a tuple.*got \{0, 1\}"),
        (lambda: Hom(S(3) * O(2), (), np.array(1)), TypeError, "l must be a tuple.*got 1"),
        (lambda: S(3).inverse(np.eye(2)), ValueError, r"element of S\(3\).*got shape \(2, 2\)"),
        (lambda: S(3).act(np.eye(3), 1.0, 0), ValueError, r"got shape \(\)"),
        (lambda: S(3).nonzeros(Brauer.cup()), TypeError, "acts through SetPartition diagrams"),
        (lambda: SO(3).nonzeros(Grood(0, 2, (0, 1), ())), ValueError, "3 legs, got 2"),
        (lambda: Sp(2).entries(SetPartition.cup()), TypeError, "acts through Brauer diagrams"),
        (lambda: H(2).matrix(SetPartition.spider(2, 1)), ValueError, "its block 0 1 2"),
        (lambda: S(3).overlap(Brauer.cup(), Brauer.cup()), TypeError, "acts through SetPartition"),
        (lambda: O(3).overlap(Brauer.cup(), Brauer.cap()), CompositionError, "no inner product"),
        (lambda: Hom(S(3), 1, 1).reduce(5), TypeError, "expected a diagram or a morphism"),  # type: ignore[arg-type]
        (lambda: Hom(S(2), 1, 1).project(1j * np.eye(2)), TypeError, "real numbers, got.*complex"),
        (lambda: Hom(S(2), 1, 1).project([["a", "b"]] * 2), TypeError, "real numbers, got"),
        (lambda: Hom(S(2), 1, 1).project([[1, 2], [3]]), ValueError, "rows of different lengths"),
        (lambda: (S(2) * S(2)).walks((), ()), ValueError, "factor by factor"),
        (lambda: Hom(O(3), 1, 1).basis("orbit"), ValueError, "no permutation group"),
        (lambda: Hom(S(3), 1, 1).basis("fourier"), ValueError, "'diagram' or 'orbit'"),
        (lambda: Hom(S(3), 1, 1).coefficients(np.eye(3)), TypeError, "integers or Fractions"),
        (lambda: Hom(S(3), 1, 1).coefficients(np.diag([1, 2, 3])), ValueError, "not equivariant"),
        (lambda: Hom(S(3), 1, 1).project(np.eye(2)), ValueError, r"got shape \(2, 2\)"),
        (lambda: Hom(S(3), 1, 2).reduce(SetPartition.cup()), CompositionError, "but this is"),
        (lambda: S(3).inner(SetPartition.cup(), SetPartition.cap()), CompositionError, "no inner"),
        (lambda: group("Q5"), ValueError, "no group is called 'Q5'"),
        (lambda: group("S(0)"), ValueError, "got 0"),
        (lambda: group(5), TypeError, "a group's name is text"),  # type: ignore[arg-type]
        (lambda: Hom("S(3)", 1, 1), TypeError, "expected a group such as"),  # type: ignore[arg-type]
        (lambda: Hom(S(3), -1, 1), ValueError, "k must be an order"),
        (lambda: Hom(S(3), 1, 1.5), TypeError, "l must be an order"),
        (lambda: S(3).act(np.eye(3), np.zeros((3, 2, 1)), 2), ValueError, r"got shape \(3, 2, 1\)"),
    ],
)
def test_what_is_refused_is_named(build: object, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        build()  # type: ignore[operator]


@given(groups(4), orders(3), st.integers(0, 2**31))
def test_elements_act_by_their_tensor_powers(g: MatrixGroup, k: int, seed: int) -> None:
    element, x = g.sample(seed), np.random.default_rng(seed).standard_normal((g.n**k, 2))
    moved = g.act(element, x.reshape(*(g.n,) * k, 2), k).reshape(x.shape)
    assert_allclose(moved, kron_power(element, k) @ x, atol=1e-9)


@pytest.mark.parametrize(
    ("g", "size"), [(g, size) for g, size in SPACES if g.n**size <= 260], ids=str
)
def test_generators_fix_no_more_than_the_group(g: MatrixGroup, size: int) -> None:
    one = np.eye(g.n**size)
    moved = [kron_power(element, size) - one for element in g.generators()]
    rank = np.linalg.matrix_rank(np.concatenate(moved), tol=1e-8) if moved else 0
    assert len(one) - rank == g.dimension(0, size)


@given(groups(6), st.integers(0, 2**31))
def test_samples_and_generators_are_elements(g: MatrixGroup, seed: int) -> None:
    a, b = g.sample(seed), g.sample(np.random.default_rng(seed))
    assert_array_equal(a, b)
    for element in [a, *g.generators()]:
        assert_allclose(element.T @ g.form @ element, g.form, atol=1e-9)
        assert_allclose(g.inverse(element) @ element, np.eye(g.n), atol=1e-9)
        if isinstance(g, SO | A | Sp):
            assert np.linalg.det(element) == pytest.approx(1)
        if isinstance(g, S | A):
            assert sorted(element.ravel()) == [0] * (g.n**2 - g.n) + [1] * g.n
    # Norms at most 3, and those of the inverses: high powers of an element stay within rounding.
    assert np.linalg.cond(a) < 9 + 1e-9


def test_symplectic_coordinates_come_in_two_orders() -> None:
    for n in (2, 4, 6):
        p, half = Sp(n).blocked, np.eye(n // 2)
        assert_array_equal(p @ Sp(n).form @ p.T, np.kron([[0, 1], [-1, 0]], half))


def test_orbit_and_diagram_coefficients_are_each_others_inverse() -> None:
    """x = sum of mu d over coarser d, and d = sum of all coarser x: Möbius inversion."""
    hom = Hom(S(4), 2, 2)
    for diagram, orbit in zip(hom.basis(), hom.basis("orbit"), strict=True):
        assert hom.reduce(orbit) == S(4).morphism(orbit)
        assert orbit_coefficients(orbit, 4) == {diagram: Fraction(1)}
        back = Morphism(2, 2, {})
        for other, value in orbit_coefficients(Morphism.of(diagram), 9).items():
            back += value * orbit_sum(other)
        assert back == Morphism.of(diagram)


@given(st.integers(1, 4), st.data())
def test_orbits_compose_by_falling_factorials(n: int, data: st.DataObject) -> None:
    k, m, l = (data.draw(orders(2)) for _ in range(3))
    f, g = data.draw(set_partitions(k, m)), data.draw(set_partitions(m, l))
    wanted = S(n).matrix(orbit_sum(g)) @ S(n).matrix(orbit_sum(f))
    total = Morphism(k, l, {})
    for diagram, value in orbit_product(f, g, n).items():
        assert len(diagram.blocks) <= n
        assert value
        total += value * orbit_sum(diagram)
    assert_array_equal(S(n).matrix(total), wanted)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_alternating_samples_are_all_even_permutations(n: int) -> None:
    seen = {A(n).sample(seed).tobytes() for seed in range(200)}
    assert all(np.linalg.det(A(n).sample(seed)) > 0 for seed in range(50))
    assert len(seen) == max(factorial(n) // 2, 1)


def test_orthogonal_samples_reflect_as_often_as_they_rotate() -> None:
    rng = np.random.default_rng(0)
    signs = [round(np.linalg.det(O(3).sample(rng))) for _ in range(400)]
    assert abs(sum(signs)) < 80
    mean = np.mean([O(3).sample(rng) for _ in range(2000)], axis=0)
    assert np.abs(mean).max() < 0.1


def test_the_text_of_a_basis_keeps_to_its_width() -> None:
    hom = Hom(S(4), 2, 2)
    for width in (20, 40, 120):
        assert max(map(len, hom.text(width).splitlines())) <= width
    assert hom.text(20) != hom.text(120)
