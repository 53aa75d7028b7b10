"""The laws of a symmetric monoidal category with duals, for every family of diagrams."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.diagram import Diagram
from tannaka.diagrams.morphism import Morphism
from tannaka.diagrams.partition import SetPartition
from tannaka.testing.strategies import (
    FAMILIES,
    any_diagram,
    composable,
    diagrams,
    morphisms,
    orders,
)

families = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
Family = type[Diagram]


@families
@given(st.data())
def test_composition_is_associative(family: Family, data: st.DataObject) -> None:
    f, g, h = data.draw(composable(family, count=3))
    assert (f >> g) >> h == f >> (g >> h)


@families
@given(st.data())
def test_the_identity_is_neutral(family: Family, data: st.DataObject) -> None:
    f = data.draw(any_diagram(family))
    assert family.identity(f.dom).then(f) == (f, 0)
    assert f.then(family.identity(f.cod)) == (f, 0)


@families
@given(st.data())
def test_the_tensor_product_is_associative_with_the_empty_diagram_as_unit(
    family: Family, data: st.DataObject
) -> None:
    f, g, h = (data.draw(any_diagram(family, 3)) for _ in range(3))
    assert (f @ g) @ h == f @ (g @ h)
    assert f @ family.identity(0) == f == family.identity(0) @ f


@families
@given(st.data())
def test_interchange(family: Family, data: st.DataObject) -> None:
    f, g = data.draw(composable(family, most=3))
    p, q = data.draw(composable(family, most=3))
    assert (f >> g) @ (p >> q) == (f @ p) >> (g @ q)


@families
@given(st.data())
def test_the_dagger_is_a_contravariant_involution(family: Family, data: st.DataObject) -> None:
    f, g = data.draw(composable(family))
    assert f.dagger().dagger() == f
    assert (f >> g).dagger() == g.dagger() >> f.dagger()
    assert (f @ g).dagger() == f.dagger() @ g.dagger()


@families
@given(st.data())
def test_the_swap_is_natural(family: Family, data: st.DataObject) -> None:
    f, g = data.draw(any_diagram(family, 3)), data.draw(any_diagram(family, 3))
    before = family.swap(f.dom, g.dom) >> (g @ f)
    after = (f @ g) >> family.swap(f.cod, g.cod)
    assert before == after


@families
@given(k=orders(), l=orders(), m=orders())
def test_swaps_undo_and_braid(family: Family, k: int, l: int, m: int) -> None:
    one = family.identity
    assert family.swap(k, l).then(family.swap(l, k)) == (one(k + l), 0)
    hexagon = (family.swap(k, l) @ one(m)) >> (one(l) @ family.swap(k, m))
    assert hexagon == Morphism.of(family.swap(k, l + m))


@families
def test_snakes_straighten(family: Family) -> None:
    cup, cap, one = family.cup(), family.cap(), family.identity(1)
    assert (one @ cup).then(cap @ one) == (one, 0)
    assert (cup @ one).then(one @ cap) == (one, 0)
    assert family.swap().then(cap) == (cap, 0)


@families
def test_a_circle_is_worth_n(family: Family) -> None:
    assert family.cup().then(family.cap()) == (family.identity(0), 1)
    assert str(family.cup() >> family.cap()) == "n (∅)"


@given(st.data())
def test_spiders_fuse(data: st.DataObject) -> None:
    """Two spiders that share m >= 1 legs are one: the special commutative Frobenius laws."""
    k, l, m = data.draw(orders()), data.draw(orders()), data.draw(st.integers(1, 4))
    assume(k + l > 0)
    spider = SetPartition.spider
    assert spider(k, m).then(spider(m, l)) == (spider(k, l), 0)


def test_the_frobenius_law_and_the_bare_counit() -> None:
    spider, one = SetPartition.spider, SetPartition.identity(1)
    middle = spider(2, 1).then(spider(1, 2))
    assert (spider(1, 2) @ one).then(one @ spider(2, 1)) == middle
    assert (one @ spider(1, 2)).then(spider(2, 1) @ one) == middle
    assert spider(0, 1).then(spider(1, 0)) == (SetPartition.identity(0), 1)


@given(st.data())
def test_brauer_diagrams_compose_like_partitions(data: st.DataObject) -> None:
    f, g = data.draw(composable(Brauer))
    composite, loops = f.then(g)
    assert (composite.partition, loops) == f.partition.then(g.partition)
    assert (f @ g).partition == f.partition @ g.partition


@families
@given(st.data())
def test_composition_is_bilinear(family: Family, data: st.DataObject) -> None:
    k, l, m = 2, 2, 4
    f, g = (data.draw(morphisms(family, k, l)) for _ in range(2))
    h = data.draw(morphisms(family, l, m))
    scalar = data.draw(st.fractions(-2, 2, max_denominator=3))
    assert (f + scalar * g) >> h == (f >> h) + scalar * (g >> h)
    assert f - f == Morphism(k, l, {})
    assert not f - f
    assert (f + g) @ h == f @ h + g @ h


@families
@given(st.data(), st.integers(1, 4))
def test_evaluating_at_n_commutes_with_composition(
    family: Family, data: st.DataObject, n: int
) -> None:
    f, g = data.draw(morphisms(family, 1, 3)), data.draw(morphisms(family, 3, 1))

    def constant(morphism: Morphism) -> Morphism:
        table: dict[tuple[Any, int], Any] = {(d, 0): c for d, c in morphism.at(n).items()}
        return Morphism(morphism.dom, morphism.cod, table)

    assert constant(constant(f) >> constant(g)) == constant(f >> g)


@families
@given(st.data())
def test_diagrams_survive_text_and_json_and_hash_by_value(
    family: Family, data: st.DataObject
) -> None:
    f, g = data.draw(any_diagram(family)), data.draw(any_diagram(family))
    copy = eval(repr(f), {family.__name__: family})
    assert copy == f
    assert family.parse(f.dom, f.cod, str(f)) == f
    assert family.from_json(json.loads(json.dumps(f.to_json()))) == f
    assert hash(copy) == hash(f)
    assert (f == g) == (repr(f) == repr(g))


@families
@given(st.data())
def test_a_diagram_calculates_like_the_morphism_it_is(family: Family, data: st.DataObject) -> None:
    f, g = data.draw(composable(family, most=3))
    h = data.draw(diagrams(family, f.dom, f.cod))
    F, G, H = map(Morphism.of, (f, g, h))
    assert f >> g == f >> G == F >> g == F >> G
    assert Morphism.of(f @ g) == f @ G == F @ g == F @ G
    assert f + h == f + H == F + h == F + H
    assert f - h == f - H == F - h == F - H == F + -1 * H
    assert -f == -F == -1 * f == F * -1


@families
@given(st.data())
def test_equal_morphisms_print_and_hash_alike(family: Family, data: st.DataObject) -> None:
    f, g = (data.draw(morphisms(family, 2, 2)) for _ in range(2))
    assert str(f + g) == str(g + f)
    assert hash(f + g) == hash(g + f)
