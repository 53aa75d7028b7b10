"""The functor to matrices: it is one, and it agrees with the definition."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from oracles import diagram_tensor

from tannaka.category.functor import check_size, matrix, norm2
from tannaka.category.orthogonal import O
from tannaka.category.symmetric import S
from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.diagram import Diagram
from tannaka.diagrams.errors import SizeError
from tannaka.diagrams.partition import SetPartition
from tannaka.testing.strategies import FAMILIES, any_diagram, composable, morphisms

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
    with pytest.raises(SizeError, match=r"\(10\^8, 10\^8\).*more than 2 GiB"):
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
