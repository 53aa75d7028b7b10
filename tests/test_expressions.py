"""Expressions and their normal forms mean the same map, whatever the boxes are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from tannaka.category.expressions import (
    Beside,
    Box,
    Expression,
    NormalForm,
    Sum,
    Then,
    Wires,
    box,
    cap,
    cup,
    identity,
    spider,
    swap,
)
from tannaka.category.functor import matrix
from tannaka.category.orthogonal import O
from tannaka.category.symmetric import S
from tannaka.category.symplectic import Sp
from tannaka.diagrams.errors import CompositionError

N = 2
BOXES = {("f", 1, 1), ("g", 1, 2), ("h", 0, 1), ("f", 2, 1)}


def entries(key: tuple[str, int, int]) -> NDArray[np.float64]:
    """A fixed random matrix for each box."""
    name, dom, cod = key
    seed = [ord(name), dom, cod]
    return np.random.default_rng(seed).integers(-3, 4, (N**cod, N**dom)).astype(float)


def meaning(e: Expression) -> NDArray[np.float64]:
    """The matrix of an expression, by its definition."""
    if isinstance(e, Wires):
        plain: NDArray[np.float64] = matrix(e.diagram, N).astype(np.float64)
        return plain
    if isinstance(e, Box):
        return entries(e.key).T if e.flipped else entries(e.key)
    if isinstance(e, Then):
        return meaning(e.second) @ meaning(e.first)
    if isinstance(e, Beside):
        return np.asarray(np.kron(meaning(e.first), meaning(e.second)), dtype=np.float64)
    assert isinstance(e, Sum)
    total = np.zeros((N**e.cod, N**e.dom))
    for c, term in e.terms:
        total += float(c) * meaning(term)
    return total


def value(form: NormalForm) -> NDArray[np.float64]:
    """The matrix of a normal form: its diagrams applied to the boxes as states."""
    total = np.zeros((N**form.cod, N**form.dom))
    for boxes, f in form.terms.items():
        # Entries of a box in C order are its outputs, then its inputs: a state of its wires.
        state: Any = np.ones(1)
        for key in boxes:
            state = np.kron(state, entries(key).reshape(-1))
        whole = matrix(f, N).astype(float).reshape(N**form.cod, state.size, N**form.dom)
        total += np.einsum("osi,s->oi", whole, state)
    return total


@st.composite
def expressions(draw: st.DrawFn, dom: int, depth: int = 4) -> Expression:
    """Expressions with ``dom`` inputs and at most 3 wires at any height."""
    e: Expression = identity(dom)
    for _ in range(draw(st.integers(0, depth))):
        width = e.cod
        left = draw(st.integers(0, width))
        pieces = [
            piece
            for piece in (
                cup(),
                cap(),
                swap(),
                spider(1, 2),
                spider(2, 1),
                spider(1, 0),
                spider(0, 1),
                *(Box(*key) for key in sorted(BOXES)),
                box("g", 1, 2).dagger(),
            )
            if piece.dom <= width - left and width - piece.dom + piece.cod <= 3
        ]
        piece = draw(st.sampled_from(pieces)) if pieces else identity(0)
        e = e >> identity(left) @ piece @ identity(width - left - piece.dom)
    return e


@given(st.integers(0, 2).flatmap(expressions))
def test_the_normal_form_is_the_same_map(e: Expression) -> None:
    assert_allclose(value(e.normal()), meaning(e), atol=1e-6)
    assert_allclose(value(e.dagger().normal()), meaning(e).T, atol=1e-6)
    assert e.dagger().dagger().normal() == e.normal()


@given(st.data())
def test_equal_expressions_have_equal_normal_forms(data: st.DataObject) -> None:
    """Interchange, naturality of the swap, snakes, and sums that distribute."""
    e, f = (data.draw(expressions(data.draw(st.integers(0, 1)), depth=2)) for _ in range(2))
    one = identity
    assert (e @ f).normal() == ((e @ one(f.dom)) >> (one(e.cod) @ f)).normal()
    assert (e @ f).normal() == ((one(e.dom) @ f) >> (e @ one(f.cod))).normal()
    moved = swap(e.dom, f.dom) >> (f @ e)
    assert moved.normal() == ((e @ f) >> swap(e.cod, f.cod)).normal()
    snake = (one(1) @ cup()) >> (cap() @ one(1))
    assert snake.normal() == one(1).normal()
    both = e + e
    assert both.normal() == (2 * e).normal()
    assert (e - e).normal() == NormalForm(e.dom, e.cod, {})
    assert (both >> one(e.cod)).normal() == ((e >> one(e.cod)) + e).normal()


@given(st.integers(0, 1).flatmap(lambda dom: expressions(dom, depth=3)))
def test_reducing_at_n_keeps_the_map(e: Expression) -> None:
    assert_allclose(value(e.normal().reduced(S(N))), meaning(e), atol=1e-6)


def test_equal_boxes_may_change_places_and_different_ones_may_not() -> None:
    f, g = box("f", 1, 1), box("g", 1, 1)
    assert (swap() >> f @ f).normal() == (f @ f >> swap()).normal()
    assert (f @ g).normal() != (g @ f).normal()
    assert (f >> g).normal() != (g >> f).normal()


def test_the_steps_are_told() -> None:
    f = box("f", 1, 1)
    e = (identity(1) @ cup()) >> (cap() @ identity(1)) >> f >> spider(1, 2) >> spider(2, 1)
    assert str(e.explain()).splitlines() == [
        "1. id @ cup >> cap @ id  =  (0 1)    a snake straightens",
        "2. id @ cup >> cap @ id >> f >> spider(1, 2)  =  (0 1 f^0 | f_0 2)    spiders fuse",
        f"3. {e}  =  (0 f^0 | f_0 1)    spiders fuse",
    ]
    assert str((cup() >> cap()).explain(Sp(4))).splitlines() == [
        "1. cup >> cap  =  n (∅)    1 loop closes: n",
        "2. at a loop worth -4  =  -4 (∅)",
    ]
    assert str((swap() - identity(2)).explain(O(1))).splitlines()[-1] == (
        "2. at n = 1  =  0    (0 2 | 1 3) = (0 3 | 1 2)"
    )


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda: cup() >> cup(), CompositionError, "first has 2 outputs, the second 0 inputs"),
        (lambda: cup() + cap(), CompositionError, "terms of the same orders"),
        (lambda: box("two words", 1, 1), ValueError, "a name like a variable's"),
        (lambda: box("f", -1, 1), ValueError, "dom must be an order"),
        (lambda: spider(1, 2).explain(O(3)), ValueError, "has no spiders"),
    ],
)
def test_what_is_refused_is_named(build: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        build()
