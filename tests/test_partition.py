"""Diagrams as values: canonical forms, what is refused, and with which words."""

from __future__ import annotations

import pickle
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.errors import CompositionError, SizeError
from tannaka.diagrams.grood import Grood
from tannaka.diagrams.morphism import Morphism
from tannaka.diagrams.partition import SetPartition
from tannaka.diagrams.walled import WalledBrauer
from tannaka.testing.strategies import FAMILIES, any_diagram


@given(any_diagram(SetPartition), st.randoms(use_true_random=False))
def test_blocks_in_any_order_give_the_same_diagram(diagram: SetPartition, random: Any) -> None:
    blocks = [random.sample(block, len(block)) for block in diagram.blocks]
    random.shuffle(blocks)
    assert SetPartition.from_blocks(diagram.dom, diagram.cod, blocks) == diagram


@given(any_diagram(Brauer), st.randoms(use_true_random=False))
def test_edges_in_any_order_and_direction_give_the_same_diagram(
    diagram: Brauer, random: Any
) -> None:
    pairs = [random.sample(pair, 2) for pair in diagram.pairs]
    random.shuffle(pairs)
    assert Brauer(diagram.dom, diagram.cod, tuple(map(tuple, pairs))) == diagram


@given(any_diagram(SetPartition))
def test_diagrams_pickle(diagram: SetPartition) -> None:
    assert pickle.loads(pickle.dumps(diagram)) == diagram
    morphism = 2 * diagram
    assert pickle.loads(pickle.dumps(morphism)) == morphism


def test_numbers_of_numpy_are_taken_and_become_plain_ones() -> None:
    diagram = SetPartition(np.int64(1), np.int64(1), np.array([0, 0]))  # type: ignore[arg-type]
    assert diagram == SetPartition(1, 1, (0, 0))
    assert repr(diagram) == "SetPartition(dom=1, cod=1, labels=(0, 0))"
    matching = Brauer(np.int64(1), np.int64(1), np.array([[1, 0]]))  # type: ignore[arg-type]
    assert repr(matching) == "Brauer(dom=1, cod=1, pairs=((0, 1),))"
    arrow = WalledBrauer(np.array(["V"]), ("V",), ((0, 1),))  # type: ignore[arg-type]
    assert repr(arrow) == "WalledBrauer(dom=('V',), cod=('V',), pairs=((0, 1),))"
    assert repr(Morphism(0, 0, {(Brauer.identity(0), 9): 1}, n=np.int8(100))) == (  # type: ignore[arg-type]
        f"<Morphism 0 -> 0: {100**9} (∅)>"
    )


Partition: Any = SetPartition
Matching: Any = Brauer
Determinant: Any = Grood
Sum: Any = Morphism


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda: Partition(1, 1, (1, 0)), ValueError, r"canonical form is \(0, 1\)"),
        (lambda: Partition(1, 1, (0,)), ValueError, "has length 1, but .* has 2 vertices"),
        (lambda: Partition(-1, 1, ()), ValueError, "dom must be an order.*got -1"),
        (lambda: Partition(1.0, 1, (0, 0)), TypeError, "dom must be an order.*got 1.0"),
        (lambda: Partition(True, 1, (0, 0)), TypeError, "got True"),
        (lambda: Partition.from_blocks(1, 1, [(0, 2)]), ValueError, "vertex 2 is not one of"),
        (lambda: Partition.from_blocks(1, 1, [(0,), (0, 1)]), ValueError, "in two blocks"),
        (lambda: Partition.parse(1, 1, "0 | x"), ValueError, "'0 | x' is not a diagram such as"),
        (lambda: Partition.parse(1, 1, "0 || 1"), ValueError, "is not a diagram"),
        (lambda: Matching.parse(1, 1, "0"), ValueError, "joins vertices in pairs"),
        (lambda: Matching.from_json({"dom": 0}), ValueError, "has no blocks, cod, family"),
        (lambda: Matching.from_json(Partition.cup().to_json()), ValueError, "not a Brauer"),
        (lambda: Matching(1, 2, ((0, 1),)), ValueError, "not a perfect matching of the 3 vertices"),
        (lambda: Matching(1, 1, ((0, 0),)), ValueError, "not a perfect matching"),
        (lambda: Matching(1, 1, ((0, 1, 2),)), ValueError, "joins vertices in pairs"),
        (
            lambda: Partition.from_blocks(1, 1, [(0, 0.5)]),
            TypeError,
            "number of a vertex, .* got 0.5",
        ),
        (lambda: Matching(1, 1, ((0.0, 1.0),)), TypeError, "number of a vertex, .* got 0.0"),
        (lambda: Matching.cup() * 0.1, TypeError, "integers, fractions or SymPy polynomials"),
        (lambda: Sum(0, 2, {(Brauer.cup(), 0): 0.1}), TypeError, "coefficients are exact"),
        (lambda: Sum(0, 2, {(Brauer.cup(), -1): 1}), TypeError, "the power of n must be"),
        (lambda: Sum.of(Brauer.cup()).at(2.5), TypeError, "n must be an integer, got 2.5"),
        (lambda: Partition.permutation((0, 0)), ValueError, "not a permutation of 0..1"),
        (
            lambda: Partition(1, 2, (0, 0, 1)) >> Partition(1, 0, (0,)),
            CompositionError,
            r"cannot compose \(0 1 \| 2\) >> \(0\): the first has 2 outputs, the second 1 inputs",
        ),
        (
            lambda: Partition.cup().then(Partition.cup()),
            CompositionError,
            "the first has 2 outputs, the second 0 inputs",
        ),
        (lambda: Partition.cup() @ Matching.cup(), CompositionError, "SetPartition with a Brauer"),
        (
            lambda: Partition.cup() >> Matching.cap(),
            CompositionError,
            "SetPartition with a Brauer",
        ),
        (
            lambda: (Partition.cup() - Partition.cup()) >> Partition.cup(),
            CompositionError,
            "cannot compose 0 >> .*: the first has 2 outputs, the second 0 inputs",
        ),
        (lambda: Partition.cup() + Partition.cap(), CompositionError, "cannot add"),
        (lambda: Partition.cup() + Matching.cup(), CompositionError, "one category"),
        (lambda: Matching.cup() * 0.5, TypeError, "integers, fractions or SymPy polynomials"),
        (lambda: Matching.cup() + 1, TypeError, "expected a diagram or a morphism, got int"),
        (lambda: Partition.identity(10**9), SizeError, "at most 100,000: got 1,000,000,000"),
        (lambda: Partition.spider(0, 10**20), SizeError, "cod is an order.*at most 100,000"),
        (lambda: Matching(10**9, 1, ()), SizeError, "dom is an order.*at most 100,000"),
        (lambda: Partition.permutation(3), TypeError, "the integers 0, 1, ..., got 3"),
        (lambda: Partition.permutation((0, "a")), TypeError, r"got \(0, 'a'\)"),
        (lambda: Partition.parse(1, 1, None), TypeError, "read from text .* got None"),
        (lambda: Partition.from_json([1]), TypeError, r"a mapping, .* got \[1\]"),
        (lambda: Determinant.parse(1, 1, "[0 1_]"), ValueError, r"'\[0 1_\]' is not a diagram"),
        (lambda: Determinant.parse(1, 1, "[0 _]"), ValueError, r"ends at a vertex, .* \[0, None\]"),
        (lambda: Sum(0, 2, {(Brauer.cup(), 1): 1}, n=2.5), TypeError, "integer, .* got 2.5"),
        (lambda: Sum(0, 2, {(Brauer.cup(), 1): 1}, n=True), TypeError, "integer, .* got True"),
        (lambda: Sum(0, 2, {(3, 1): 1}), TypeError, "a sum of diagrams, got 3"),
        (lambda: WalledBrauer(("V", "V"), (), ((0, 1),)), ValueError, "joins V and V in one row"),
        (lambda: WalledBrauer(("V",), ("V*",), ((0, 1),)), ValueError, r"V\* and V across"),
    ],
)
def test_what_is_refused_is_named(build: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        build()


def test_division_undoes_multiplication_exactly() -> None:
    import sympy

    diagram, other = SetPartition.identity(2), SetPartition.swap()
    for scalar in (3, Fraction(-2, 7), np.int64(5)):
        assert (diagram - 2 * other) * scalar / scalar == diagram - 2 * other
        assert (diagram / scalar) * scalar == Morphism.of(diagram)
    with pytest.raises(TypeError, match="are exact"):
        diagram / 0.5
    with pytest.raises(TypeError, match=r"got 1/n; to divide by n, take its number"):
        diagram * (1 / sympy.Symbol("n"))
    with pytest.raises(ZeroDivisionError):
        diagram / 0


def test_coefficients_of_numpy_do_not_overflow() -> None:
    one = SetPartition.identity(1)
    large = np.int64(2**62)
    assert (one * large) * 4 == one * 2**64
    assert one * large + one * large == one * 2**63
    assert Morphism(1, 1, {(one, 7): 1}).at(np.int64(1000)) == {one: 10**21}  # type: ignore[arg-type]


def test_morphisms_multiply_by_polynomials_and_show_them() -> None:
    import sympy

    n = sympy.Symbol("n")
    e = Brauer.cap() >> Brauer.cup()
    assert (e >> e) == n * e == e * n
    assert ((n**2 - 1) * e).terms == {Brauer(2, 2, ((0, 1), (2, 3))): n**2 - 1}
    assert str((n**2 - 1) * e) == "(n^2 - 1) (0 1 | 2 3)"
    assert str(-e) == "-(0 1 | 2 3)"
    assert str(e - e) == "0"
    with pytest.raises(TypeError, match="polynomials in n"):
        e * sympy.Symbol("m")
    with pytest.raises(TypeError, match="polynomials in n"):
        e * (1 / n)
    with pytest.raises(AttributeError, match="immutable"):
        e.dom = 3
    assert isinstance(Morphism.of(e), Morphism)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_every_family_refuses_bad_orders_and_the_other_family(family: Any) -> None:
    for bad, error in ((-1, ValueError), (1.0, TypeError), (True, TypeError)):
        with pytest.raises(error, match=f"dom must be an order.*got {bad}"):
            family(bad, 1, ())
        with pytest.raises(error, match=f"cod must be an order.*got {bad}"):
            family(1, bad, ())
    other: Any = Brauer if family is SetPartition else SetPartition
    for combine, argument in (
        (family.cup().then, other.cap()),
        (family.cup().tensor, other.cup()),
        (family.cup().__rshift__, other.cap()),
    ):
        with pytest.raises(CompositionError, match=f"{family.__name__} with a {other.__name__}"):
            combine(argument)
