"""Three independent answers meet: closed formula, brute-force null space, and our basis."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from oracles import (
    generators,
    kron_power,
    null_space_dimension,
    orthogonal_dimension,
    permutation_dimension,
    rank_mod_p,
)

from tannaka.category.groups import Group, group
from tannaka.category.hom import Hom
from tannaka.category.orthogonal import O
from tannaka.category.symmetric import S
from tannaka.diagrams.errors import SizeError
from tannaka.testing.strategies import groups, orders

FORMULA = {"S": permutation_dimension, "O": orthogonal_dimension}
CASES = [
    pytest.param(kind(n), size, id=f"{kind(n)}-{size}")
    for kind in (S, O)
    for n in range(1, 7)
    for size in range(9)
]
LARGEST = 2200
"""Null spaces of tensors with more entries than this are left to the other two answers."""


@pytest.mark.parametrize(("g", "size"), CASES)
def test_dimension_is_formula_is_null_space_is_rank_of_the_basis(g: Group, size: int) -> None:
    hom = Hom(g, size // 2, size - size // 2)
    wanted = FORMULA[g.symbol](g.n, size)
    assert hom.dimension == len(hom.basis()) == wanted
    if g.n**size <= LARGEST:
        assert null_space_dimension(g.symbol, g.n, size) == wanted
        assert rank_mod_p(hom.matrices().reshape(wanted, g.n**size)) == wanted


@pytest.mark.parametrize(("g", "size"), CASES)
def test_every_way_to_split_the_axes_has_the_same_dimension(g: Group, size: int) -> None:
    for k in range(size + 1):
        hom = Hom(g, k, size - k)
        assert hom.dimension == FORMULA[g.symbol](g.n, size)
        assert hom.count == sum(1 for _ in hom.diagrams()) >= hom.dimension
        if g.n**size <= LARGEST:
            assert null_space_dimension(g.symbol, g.n, size) == hom.dimension


@given(groups(4), orders(3), orders(3))
def test_basis_matrices_commute_with_the_group(g: Group, k: int, l: int) -> None:
    hom = Hom(g, k, l)
    matrices = hom.matrices()
    assert matrices.shape == (hom.dimension, g.n**l, g.n**k)
    for element in [*generators(g.symbol, g.n), g.sample(0)]:
        moved = kron_power(element, l).T @ matrices @ kron_power(element, k)
        np.testing.assert_allclose(moved, matrices, atol=1e-12)


@given(groups(4), orders(3), orders(3))
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


def test_hom_and_groups_say_what_they_are() -> None:
    assert repr(Hom(S(34), 2, 2)) == "Hom(S(34), 2, 2): dimension 15"
    assert group(" O( 3 )") == O(3)
    assert group(S(3)) == S(3)  # type: ignore[arg-type]
    assert {S(3): 1}[S(3)] == 1
    assert len({S(3), O(3), S(3)}) == 2
    np.testing.assert_array_equal(O(3).form, np.eye(3))
    bundle = Hom(S(2), 1, 1)._repr_mimebundle_()
    assert bundle["image/svg+xml"].startswith("<svg")


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda: S(0), ValueError, r"n must be the dimension of V = R\^n in S\(n\).*got 0"),
        (lambda: O(-1), ValueError, "got -1"),
        (lambda: S(2.5), TypeError, "got 2.5"),  # type: ignore[arg-type]
        (lambda: group("Q(3)"), ValueError, r"no group is called 'Q\(3\)'; the groups are O\(n\)"),
        (lambda: group("S5"), ValueError, "no group is called 'S5'"),
        (lambda: group("S(0)"), ValueError, "got 0"),
        (lambda: group(5), TypeError, "a group's name is text"),  # type: ignore[arg-type]
        (lambda: Hom("S(3)", 1, 1), TypeError, "expected a group such as"),  # type: ignore[arg-type]
        (lambda: Hom(S(3), -1, 1), ValueError, "k must be an order"),
        (lambda: Hom(S(3), 1, 1.5), TypeError, "l must be an order"),  # type: ignore[arg-type]
        (lambda: S(3).act(np.eye(3), np.zeros((3, 2, 1)), 2), ValueError, r"got shape \(3, 2, 1\)"),
    ],
)
def test_what_is_refused_is_named(build: object, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        build()  # type: ignore[operator]


@given(groups(5))
def test_samples_are_elements(g: Group) -> None:
    a, b = g.sample(3), g.sample(np.random.default_rng(3))
    np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(a @ a.T, np.eye(g.n), atol=1e-12)
    if isinstance(g, S):
        assert sorted(a.ravel()) == [0] * (g.n**2 - g.n) + [1] * g.n


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
