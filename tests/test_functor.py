"""The functor to matrices: it is one, and it agrees with the definition."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from oracles import diagram_tensor, symplectic_tensor

from tannaka.category.alternating import A
from tannaka.category.functor import check_size, combination, matrix, norm2
from tannaka.category.groups import MatrixGroup
from tannaka.category.orthogonal import SO, O
from tannaka.category.symmetric import S
from tannaka.category.symplectic import Sp
from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.diagram import Diagram
from tannaka.diagrams.enumerate import brauer_diagrams, grood_diagrams, jellyfish_diagrams
from tannaka.diagrams.errors import SizeError
from tannaka.diagrams.grood import Grood
from tannaka.diagrams.partition import SetPartition
from tannaka.diagrams.structure import crossings
from tannaka.diagrams.typed import Typed
from tannaka.testing.strategies import (
    FAMILIES,
    any_diagram,
    category,
    composable,
    morphisms,
)

families = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
dimensions = st.integers(1, 4)


@families
@given(st.data(), dimensions)
def test_matrices_are_what_the_definition_says(
    family: type[Diagram], data: st.DataObject, n: int
) -> None:
    f = data.draw(any_diagram(family, 3))
    wanted = diagram_tensor(f.blocks, f.dom + f.cod, n).reshape(n**f.cod, n**f.dom)
    assert_array_equal(matrix(f, n), wanted)
    assert norm2(f, n) == (wanted**2).sum()


@families
@given(st.data(), dimensions)
def test_the_functor_preserves_composition(
    family: type[Diagram], data: st.DataObject, n: int
) -> None:
    f, g = data.draw(composable(family, most=3))
    h, closed = f.then(g)
    assert_array_equal(matrix(g, n) @ matrix(f, n), n**closed * matrix(h, n))
    assert_array_equal(matrix(g, n) @ matrix(f, n), matrix(f >> g, n))


@families
@given(st.data(), dimensions)
def test_the_functor_preserves_tensor_dagger_identity_and_swap(
    family: type[Diagram], data: st.DataObject, n: int
) -> None:
    f, g = data.draw(any_diagram(family, 2)), data.draw(any_diagram(family, 2))
    assert_array_equal(matrix(f @ g, n), np.kron(matrix(f, n), matrix(g, n)))
    assert_array_equal(matrix(f.dagger(), n), matrix(f, n).T)
    assert_array_equal(matrix(family.identity(f.dom), n), np.eye(n**f.dom))
    x, y = np.arange(n) + 1, np.arange(n) ** 2
    assert_array_equal(matrix(family.swap(), n) @ np.kron(x, y), np.kron(y, x))


GROUPS = [
    *map(S, (1, 2, 3)),
    *map(A, (1, 2, 3, 4, 5)),
    *map(O, (1, 2, 3)),
    *map(SO, (1, 2, 3, 4)),
    *map(Sp, (2, 4, 6)),
]


@pytest.mark.parametrize("g", GROUPS, ids=str)
@given(st.data())
def test_each_group_has_a_functor_with_its_signs(g: MatrixGroup, data: st.DataObject) -> None:
    """Composition, tensor product, dagger, snakes: 20,000 random pairs in the deep profile."""
    inside = category(g.families[-1], n=g.n)
    f, h = data.draw(composable(inside, most=2 if g.n > 3 else 3))
    assume(g.n ** (f.dom + f.cod + h.cod) <= 40_000)
    assert_array_equal(g.matrix(f >> h), g.matrix(h) @ g.matrix(f))
    p = data.draw(any_diagram(inside, 1))
    assert_array_equal(g.matrix(f @ p), np.kron(g.matrix(f), g.matrix(p)))
    # A flip transposes; for Sp it brings a sign for each edge within a row.
    within = sum(b < f.cod or a >= f.cod for a, b in f.blocks) if isinstance(g, Sp) else 0
    assert_array_equal(g.matrix(f.dagger()), (-1) ** within * g.matrix(f).T)
    one, cup, cap = inside.identity(1), inside.family.cup(), inside.family.cap()
    left = np.kron(g.matrix(cap), g.matrix(one)) @ np.kron(g.matrix(one), g.matrix(cup))
    assert_array_equal(left, np.eye(g.n))
    assert_array_equal(g.matrix(cap) @ g.matrix(cup), [[g.loop]])
    assert_array_equal(g.matrix(f), g.sparse(f).toarray())


@pytest.mark.parametrize(
    ("g", "orders"),
    [
        (SO(2), (0, 4, 0)),
        (SO(2), (1, 3, 1)),
        (SO(3), (0, 5, 0)),
        (SO(3), (0, 3, 2)),
        (A(2), (0, 3, 0)),
    ],
    ids=str,
)
def test_every_product_of_two_determinants_is_that_of_matrices(
    g: MatrixGroup, orders: tuple[int, int, int]
) -> None:
    """All of them: strands that wind exchange legs, or close, only where the middle is long."""
    k, m, l = orders
    listed: Any = grood_diagrams if isinstance(g, SO) else jellyfish_diagrams
    for one, other in product(listed(k, m, g.n), listed(m, l, g.n)):
        assert_array_equal(g.matrix(one >> other), g.matrix(other) @ g.matrix(one))


@pytest.mark.parametrize("legs", list(product([(0, 1), (1, 0)], repeat=2)))
def test_each_type_of_a_product_brings_its_sign(legs: tuple[tuple[int, int], ...]) -> None:
    group = SO(2) * SO(2)
    parts = tuple(Grood(0, 2, one, ()) for one in legs)
    found = group.matrix(Typed((), (0, 0, 1, 1), parts))
    assert_array_equal(found, np.kron(*map(SO(2).matrix, parts)))


@given(st.data(), st.sampled_from([2, 4]))
def test_unsigned_symplectic_matrices_are_no_functor(data: st.DataObject, n: int) -> None:
    """arXiv:2212.08630 has the form for edges within a row and no signs: products differ by signs.

    With s = (-1)^(crossings + cups) the exact rule is naive(g) naive(f) = s(f) s(g) s(gf) (-n)^loops
    naive(gf).
    """
    f, g = data.draw(composable(Brauer, most=3))
    composite, loops = f.then(g)

    def naive(d: Brauer) -> NDArray[Any]:
        return symplectic_tensor(d.pairs, d.cod, d.dom + d.cod, n).reshape(n**d.cod, n**d.dom)

    def s(d: Brauer) -> int:
        return int((-1) ** (crossings(d) + sum(b < d.cod for _, b in d.pairs)))

    product = naive(g) @ naive(f)
    assert_array_equal(product, s(f) * s(g) * s(composite) * (-n) ** loops * naive(composite))
    assert_array_equal(Sp(n).matrix(f), s(f) * naive(f))


def test_unsigned_symplectic_matrices_fail_for_either_value_of_a_loop() -> None:
    def naive(d: Brauer) -> NDArray[Any]:
        return symplectic_tensor(d.pairs, d.cod, d.dom + d.cod, 2).reshape(2**d.cod, 2**d.dom)

    wrong = {2: 0, -2: 0}
    for k, m, l in product((0, 1, 2, 3), repeat=3):
        for f in brauer_diagrams(k, m):
            for g in brauer_diagrams(m, l):
                composite, loops = f.then(g)
                for loop in wrong:
                    same = naive(g) @ naive(f) == loop**loops * naive(composite)
                    wrong[loop] += not same.all()
    assert wrong[2] > 100
    assert wrong[-2] > 100


@families
@given(st.data(), dimensions)
def test_the_functor_is_linear_and_exact(
    family: type[Diagram], data: st.DataObject, n: int
) -> None:
    f, g = data.draw(morphisms(family, 1, 3)), data.draw(morphisms(family, 3, 1))
    assert_array_equal(matrix(f >> g, n), matrix(g, n) @ matrix(f, n))
    assert_array_equal(matrix(f + f, n), 2 * matrix(f, n))


def test_entries_keep_their_exact_type() -> None:
    e = Brauer.cup() >> Brauer.cap()
    assert matrix(e, 3).dtype == np.int64
    assert matrix(e * Fraction(1, 7), 3).tolist() == [[Fraction(3, 7)]]
    huge = matrix(e * 10**30, 3)
    assert huge.dtype == object
    assert huge.tolist() == [[3 * 10**30]]


def test_hopeless_sizes_and_foreign_diagrams_are_refused() -> None:
    with pytest.raises(SizeError, match=r"\(100,000,000, 100,000,000\).*more than 2 GiB"):
        matrix(SetPartition.identity(8), 10)
    with pytest.raises(TypeError, match=r"O\(3\) acts through Brauer diagrams, got a SetPartition"):
        O(3).matrix(SetPartition.identity(1))
    with pytest.raises(TypeError, match="expected a diagram"):
        S(3).matrix("0 1")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="n must be a dimension"):
        matrix(SetPartition.identity(1), 0)


def test_two_gib_are_allowed_and_not_one_matrix_more() -> None:
    check_size(1, 2, 14, 14)
    for count, k, l in ((2, 14, 14), (1, 15, 14), (1, 14, 15)):
        with pytest.raises(SizeError, match="more than 2 GiB"):
            check_size(count, 2, k, l)


def test_entries_are_exact_at_the_edge_of_int64() -> None:
    for value in (2**63 - 1, 2**63, -(2**63), 2**64):
        assert matrix(SetPartition.identity(0) * value, 2).tolist() == [[value]]
    # Entries that fit one by one need not fit when they are added up.
    half = np.array([[2**62]])
    terms = {"one": Fraction(1), "other": Fraction(1)}
    assert combination(terms, (1, 1), lambda _: half).tolist() == [[2**63]]
