"""Diagrams, their products, counts and order agree with Sage's diagram algebras.

Sage is an optional, independent answer: where it is absent everything here is skipped. It is large,
and best kept in an environment of its own:

    python -m venv sage-venv
    sage-venv/bin/pip install -e '.[sage]' pytest hypothesis
    sage-venv/bin/python -m pytest tests/test_sage.py

Sage's diagrams are square, k -> k, with vertices 1..k on top and -1..-k below; its product puts the
first factor on top, and ours puts the first diagram below, so our ``f >> g`` is Sage's ``g * f``.
Other orders are made square by new vertices, each alone (in a Brauer diagram, joined to its new
neighbour): they close one loop for each new component in the middle, and change nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from tannaka.diagrams.arrays import rows, set_partition_array
from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.counts import count_brauer_diagrams, count_set_partitions
from tannaka.diagrams.diagram import Diagram
from tannaka.diagrams.enumerate import brauer_diagrams, set_partitions
from tannaka.diagrams.morphism import Morphism
from tannaka.diagrams.partition import SetPartition
from tannaka.diagrams.structure import (
    crossings,
    is_planar,
    join,
    meet,
    moebius,
    non_nesting,
    propagating_number,
    refines,
)
from tannaka.testing.strategies import any_diagram, composable, morphisms
from tannaka.testing.strategies import diagrams as diagrams_of
from tannaka.testing.strategies import set_partitions as partitions

SAGE = "needs Sage: pip install 'tannaka[sage]'"
# The first of these must be imported before the others, which import one another in a circle.
pytest.importorskip("sage.all__sagemath_combinat", reason=SAGE)
pytest.importorskip("sage.all__sagemath_modules", reason=SAGE)
pytest.importorskip("sage.libs.flint.arith_sage", reason=SAGE)
algebras: Any = pytest.importorskip("sage.combinat.diagram_algebras", reason=SAGE)
sage_sets: Any = pytest.importorskip("sage.combinat.set_partition", reason=SAGE)
sage_shapes: Any = pytest.importorskip("sage.combinat.partition", reason=SAGE)
sage_tableaux: Any = pytest.importorskip("sage.combinat.tableau", reason=SAGE)
sage_permutations: Any = pytest.importorskip("sage.combinat.permutation", reason=SAGE)
QQ: Any = pytest.importorskip("sage.rings.rational_field", reason=SAGE).QQ
RING: Any = QQ["q"]

Family = type[SetPartition] | type[Brauer]
Shape = frozenset[frozenset[int]]


def shape(blocks: Iterable[Iterable[Any]]) -> Shape:
    """Blocks that compare equal however they are ordered, ours or Sage's."""
    return frozenset(frozenset(map(int, block)) for block in blocks)


def sage_blocks(d: Diagram, order: int) -> list[list[int]]:
    """The blocks of ``d`` in Sage's numbering, after ``d`` is made order -> order."""
    blocks = [[v + 1 if v < d.cod else d.cod - v - 1 for v in block] for block in d.blocks]
    step = component(d)
    for sign, own in ((1, d.cod), (-1, d.dom)):
        new = range(own + 1, order + 1)
        blocks += [[sign * v for v in new[i : i + step]] for i in range(0, len(new), step)]
    return blocks


def component(d: Diagram) -> int:
    """How many vertices a new component has."""
    return 2 if isinstance(d, Brauer) else 1


def sage_diagram(d: Diagram, order: int) -> Any:
    kind = algebras.BrauerDiagrams if isinstance(d, Brauer) else algebras.PartitionDiagrams
    return kind(order)(sage_blocks(d, order))


def check_composition(f: Any, g: Any) -> None:
    order = max(f.dom, f.cod, g.cod)
    composite, loops = f.then(g)
    wanted, closed = sage_diagram(g, order).compose(sage_diagram(f, order))
    assert shape(wanted) == shape(sage_blocks(composite, order)), f"({f}) >> ({g})"
    assert closed == loops + (order - f.cod) // component(f), f"({f}) >> ({g})"


@pytest.mark.parametrize(
    "orders", [*product(range(3), repeat=3), (3, 1, 2), (1, 3, 2), (2, 2, 3), (3, 3, 3)], ids=str
)
def test_every_composite_of_small_set_partitions(orders: tuple[int, int, int]) -> None:
    k, m, l = orders
    seconds = list(set_partitions(m, l))
    for f in set_partitions(k, m):
        for g in seconds:
            check_composition(f, g)


@pytest.mark.parametrize(
    "orders",
    [*product((0, 2), repeat=3), *product((1, 3), repeat=3), (4, 2, 4), (4, 4, 4)],
    ids=str,
)
def test_every_composite_of_small_brauer_diagrams(orders: tuple[int, int, int]) -> None:
    k, m, l = orders
    seconds = list(brauer_diagrams(m, l))
    for f in brauer_diagrams(k, m):
        for g in seconds:
            check_composition(f, g)


@given(composable(SetPartition, most=8))
def test_composites_of_large_set_partitions(pair: tuple[SetPartition, SetPartition]) -> None:
    check_composition(*pair)


@given(composable(Brauer, most=10))
def test_composites_of_large_brauer_diagrams(pair: tuple[Brauer, Brauer]) -> None:
    check_composition(*pair)


def coefficients(f: Morphism) -> dict[Shape, list[tuple[int, int]]]:
    """The polynomials of a sum by diagram: (numerator, denominator) by increasing power."""
    n = sympy.Symbol("n")
    found = {}
    for d, value in f.terms.items():
        powers = sympy.Poly(value, n).all_coeffs()[::-1]
        found[shape(sage_blocks(d, d.dom))] = [(int(c.p), int(c.q)) for c in powers]
    return found


def sage_coefficients(element: Any) -> dict[Shape, list[tuple[int, int]]]:
    return {
        shape(d): [(int(c.numerator()), int(c.denominator())) for c in value.list()]
        for d, value in element.monomial_coefficients().items()
    }


def sage_element(algebra: Any, f: Morphism) -> Any:
    q = RING.gen()
    total = algebra.zero()
    for d, value in f.terms.items():
        powers = sympy.Poly(value, sympy.Symbol("n")).all_coeffs()[::-1]
        scalar = sum((QQ((int(c.p), int(c.q))) * q**i for i, c in enumerate(powers)), RING.zero())
        total += scalar * algebra.monomial(algebra.basis().keys()(sage_blocks(d, d.dom)))
    return total


@pytest.mark.parametrize(
    ("family", "algebra", "order"),
    [
        (SetPartition, algebras.PartitionAlgebra, 2),
        (SetPartition, algebras.PartitionAlgebra, 3),
        (Brauer, algebras.BrauerAlgebra, 3),
        (Brauer, algebras.BrauerAlgebra, 5),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
@given(st.data())
def test_formal_sums_multiply_as_in_the_algebra(
    family: Family, algebra: Any, order: int, data: st.DataObject
) -> None:
    f, g = (data.draw(morphisms(family, order, order)) for _ in range(2))
    A = algebra(order, RING.gen(), RING)
    assert coefficients(f) == sage_coefficients(sage_element(A, f))
    assert coefficients(f >> g) == sage_coefficients(sage_element(A, g) * sage_element(A, f))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_planar_diagrams_make_the_planar_algebra(order: int) -> None:
    A = algebras.PlanarAlgebra(order, RING.gen(), RING)
    ours = list(set_partitions(order, order, planar=True))
    check_algebra(A, ours if order < 3 else ours[::9])


@pytest.mark.parametrize("order", [1, 2, 3])
def test_planar_brauer_diagrams_make_the_temperley_lieb_algebra(order: int) -> None:
    A = algebras.TemperleyLiebAlgebra(order, RING.gen(), RING)
    check_algebra(A, [d for d in brauer_diagrams(order, order) if is_planar(d)])


def check_algebra(algebra: Any, ours: Sequence[Diagram]) -> None:
    """``f >> g`` is the product, with one loop worth q, for all f and g."""
    for f, g in product(ours, repeat=2):
        a, b = (algebra.monomial(algebra.basis().keys()(sage_blocks(d, d.dom))) for d in (f, g))
        assert coefficients(f >> g) == sage_coefficients(b * a)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_identities_and_daggers(order: int) -> None:
    for family, algebra in (
        (SetPartition, algebras.PartitionAlgebra),
        (Brauer, algebras.BrauerAlgebra),
    ):
        one = algebra(order, RING.gen(), RING).one()
        assert coefficients(Morphism.of(family.identity(order))) == sage_coefficients(one)
    for d in [*set_partitions(order, order), *brauer_diagrams(order, order)]:
        flipped = sage_diagram(d, order).dual()
        assert shape(flipped) == shape(sage_blocks(d.dagger(), order))


@given(any_diagram(SetPartition), any_diagram(SetPartition))
def test_side_by_side_is_pipe(a: SetPartition, b: SetPartition) -> None:
    a, b = (SetPartition(0, d.dom + d.cod, d.labels) for d in (a, b))
    both = sage_set(a.blocks).pipe(sage_set(b.blocks))
    assert shape(both) == shape([v + 1 for v in block] for block in (a @ b).blocks)


@pytest.mark.parametrize("order", range(1, 13))
def test_square_counts(order: int) -> None:
    k = order
    assert set_partitions(k, k).count == algebras.PartitionDiagrams(k).cardinality()
    assert brauer_diagrams(k, k).count == algebras.BrauerDiagrams(k).cardinality()
    assert set_partitions(k, k, planar=True).count == algebras.PlanarDiagrams(k).cardinality()
    if k <= 7:
        planar = algebras.TemperleyLiebDiagrams(k).cardinality()
        assert set_partitions(0, k, planar=True).count == planar


@pytest.mark.parametrize("size", range(13))
def test_counts_by_blocks(size: int) -> None:
    by_number = [sage_sets.SetPartitions(size, b).cardinality() for b in range(size + 1)]
    assert count_set_partitions(size) == sage_sets.SetPartitions(size).cardinality()
    for most in range(size + 1):
        assert set_partitions(size, 0, most).count == sum(by_number[: most + 1])
    by_shape = {
        tuple(map(int, sizes)): sage_sets.SetPartitions(size, sizes).cardinality()
        for sizes in sage_shapes.Partitions(size)
    }
    even = sum(count for sizes, count in by_shape.items() if not any(s % 2 for s in sizes))
    assert set_partitions(0, size, even=True).count == even
    for largest in range(1, 5):
        small = sum(count for sizes, count in by_shape.items() if max(sizes, default=0) <= largest)
        assert set_partitions(0, size, largest=largest).count == small


@pytest.mark.parametrize("half", range(1, 9))
def test_chains_count_tableaux_of_even_rows(half: int) -> None:
    by_rows: Counter[int] = Counter()
    for sizes in sage_shapes.Partitions(half):
        doubled = [2 * part for part in sizes]
        by_rows[len(sizes)] += int(sage_tableaux.StandardTableaux(doubled).cardinality())
    for chain in range(1, half + 1):
        wanted = sum(count for length, count in by_rows.items() if length <= chain)
        assert count_brauer_diagrams(2 * half, chain) == wanted
        assert brauer_diagrams(half, half, chain).count == wanted


@pytest.mark.parametrize("size", range(8))
def test_the_same_set_partitions_in_the_same_order(size: int) -> None:
    words = [tuple(map(int, p.to_restricted_growth_word())) for p in sage_sets.SetPartitions(size)]
    assert sorted(words) == [d.labels for d in set_partitions(0, size)]
    assert sorted(words) == list(rows(set_partition_array(size)))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_same_square_diagrams(order: int) -> None:
    ours: dict[Any, Iterable[Diagram]] = {
        algebras.PartitionDiagrams: set_partitions(order, order),
        algebras.BrauerDiagrams: brauer_diagrams(order, order),
        algebras.PlanarDiagrams: set_partitions(order, order, planar=True),
        algebras.TemperleyLiebDiagrams: filter(is_planar, brauer_diagrams(order, order)),
    }
    for kind, family in ours.items():
        found = Counter(shape(sage_blocks(d, order)) for d in family)
        assert found == Counter(map(shape, kind(order)))
    through: dict[int, set[Shape]] = {t: set() for t in range(order + 1)}
    for p in algebras.PartitionDiagrams(order):
        through[int(p.propagating_number())].add(shape(p))
    for t, wanted in through.items():
        space = set_partitions(order, order, through=t)
        assert {shape(sage_blocks(d, order)) for d in space} == wanted
        assert space.count == len(wanted)


def check_structure(d: Diagram) -> None:
    square = algebras.PartitionDiagrams(d.dom)(sage_blocks(d, d.dom))
    assert propagating_number(d) == square.propagating_number()
    assert is_planar(d) == square.is_planar()
    # Sage counts crossing arcs of a line: lay the circle on a line, and count blocks for arcs.
    circle = {
        v: i + 1 for i, v in enumerate([*range(d.cod), *range(d.cod + d.dom - 1, d.cod - 1, -1)])
    }
    line = sage_set([[circle[v] for v in block] for block in d.blocks])
    block_of = {int(v): i for i, block in enumerate(line) for v in block}
    crossing = {frozenset(block_of[int(arc[0])] for arc in arcs) for arcs in line.crossings()}
    assert crossings(d) == len(crossing)
    assert is_planar(d) == line.is_noncrossing()
    if isinstance(d, Brauer):
        assert crossings(d) == line.number_of_crossings()
        ends = [b for _, b in d.pairs]
        word = sage_permutations.Permutation([sorted(ends).index(b) + 1 for b in ends])
        assert non_nesting(d) == word.longest_increasing_subsequence_length()


def sage_set(blocks: Iterable[Iterable[int]]) -> Any:
    """A set partition of 1, 2, ... from blocks numbered from 0 or 1."""
    listed = [list(block) for block in blocks]
    shift = 1 - min((v for block in listed for v in block), default=1)
    return sage_sets.SetPartition([[v + shift for v in block] for block in listed])


@pytest.mark.parametrize("order", [1, 2, 3])
def test_structure_of_every_small_diagram(order: int) -> None:
    for d in [*set_partitions(order, order), *brauer_diagrams(order, order)]:
        check_structure(d)


@given(st.data())
def test_structure_of_large_diagrams(data: st.DataObject) -> None:
    order = data.draw(st.integers(4, 8))
    for family in (SetPartition, Brauer):
        check_structure(data.draw(diagrams_of(family, order, order)))


def check_order(a: SetPartition, b: SetPartition) -> None:
    s, t = sage_set(a.blocks), sage_set(b.blocks)
    space = sage_sets.SetPartitions(a.dom + a.cod)
    # Sage's order is strict.
    assert refines(a, b) == (s == t or space.is_less_than(s, t))
    assert shape(sage_set(join(a, b).blocks)) == shape(s.sup(t))
    assert shape(sage_set(meet(a, b).blocks)) == shape(s.inf(t))


def test_the_refinement_order_of_five_points() -> None:
    for a, b in product(set_partitions(2, 3), repeat=2):
        check_order(a, b)


@given(st.data())
def test_the_refinement_order_of_many_points(data: st.DataObject) -> None:
    k, l = data.draw(st.integers(1, 5)), data.draw(st.integers(0, 5))
    check_order(data.draw(partitions(k, l)), data.draw(partitions(k, l)))


def check_orbits(d: SetPartition, all_diagrams: Sequence[SetPartition]) -> None:
    """An orbit is a sum of coarser diagrams by Möbius numbers; a diagram, of coarser orbits."""
    order = d.dom
    P = algebras.PartitionAlgebra(order, QQ(7), QQ)
    O = P.orbit_basis()
    element = algebras.PartitionDiagrams(order)(sage_blocks(d, order))
    in_diagrams = {
        shape(c): int(v) for c, v in P(O.monomial(element)).monomial_coefficients().items()
    }
    in_orbits = {
        shape(c): int(v) for c, v in O(P.monomial(element)).monomial_coefficients().items()
    }
    numbers = {shape(sage_blocks(c, order)): moebius(d, c) for c in all_diagrams}
    assert {c: v for c, v in numbers.items() if v} == in_diagrams
    coarser = {shape(sage_blocks(c, order)): 1 for c in all_diagrams if refines(d, c)}
    assert coarser == in_orbits


@pytest.mark.parametrize("order", [1, 2, 3])
def test_moebius_numbers_are_the_orbit_basis(order: int) -> None:
    everything = list(set_partitions(order, order))
    for d in everything:
        check_orbits(d, everything)
