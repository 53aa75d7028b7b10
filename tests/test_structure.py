"""Questions about diagrams, answered as their definitions say."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import longest_chain

from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.enumerate import brauer_diagrams, set_partitions
from tannaka.diagrams.errors import CompositionError
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
    through_blocks,
)
from tannaka.diagrams.walled import WalledBrauer
from tannaka.testing.strategies import FAMILIES, any_diagram, composable
from tannaka.testing.strategies import set_partitions as partitions

ALL = list(set_partitions(2, 2))


@pytest.mark.parametrize("family", [*FAMILIES, WalledBrauer], ids=lambda family: family.__name__)
@given(st.data())
def test_composition_never_raises_the_propagating_number(family: type, data: st.DataObject) -> None:
    f, g = data.draw(composable(family))
    composite, _ = f.then(g)
    assert propagating_number(composite) <= min(map(propagating_number, (f, g)))
    assert propagating_number(f.dagger()) == propagating_number(f)
    assert propagating_number(f @ g) == len(through_blocks(f)) + len(through_blocks(g))


@pytest.mark.parametrize("size", range(7))
def test_crossings_are_what_the_circle_shows(size: int) -> None:
    for dom in range(size + 1):
        planar = set(set_partitions(dom, size - dom, planar=True))
        for d in set_partitions(dom, size - dom):
            around = [*range(d.cod), *reversed(range(d.cod, d.cod + d.dom))]
            block_of = {v: b for b, block in enumerate(d.blocks) for v in block}
            pairs = {
                frozenset((p, q))
                for p, q, r, s in combinations([block_of[v] for v in around], 4)
                if p == r != q == s
            }
            assert crossings(d) == len(pairs) == crossings(d.dagger())
            assert is_planar(d) == (d in planar)


@given(any_diagram(Brauer, 5))
def test_non_nesting_is_the_longest_chain(d: Brauer) -> None:
    assert non_nesting(d) == longest_chain(d.pairs)
    assert d in brauer_diagrams(d.dom, d.cod, chain=non_nesting(d))


def test_refinement_is_a_lattice() -> None:
    for a in ALL:
        for b in ALL:
            above = [c for c in ALL if refines(a, c) and refines(b, c)]
            below = [c for c in ALL if refines(c, a) and refines(c, b)]
            assert join(a, b) in above
            assert all(refines(join(a, b), c) for c in above)
            assert meet(a, b) in below
            assert all(refines(c, meet(a, b)) for c in below)
            assert (refines(a, b) and refines(b, a)) == (a == b)


def test_moebius_inverts_the_zeta_function() -> None:
    for a in ALL:
        for c in ALL:
            total = sum(moebius(a, b) for b in ALL if refines(b, c))
            assert total == (a == c)


@given(partitions(2, 3), partitions(2, 3))
def test_joins_count_the_loops_of_a_pairing(a: SetPartition, b: SetPartition) -> None:
    """The trace pairing of two diagrams closes one loop for each block of their join."""
    bent_a, bent_b = SetPartition(0, 5, a.labels), SetPartition(5, 0, b.labels)
    assert bent_a.then(bent_b) == (SetPartition.identity(0), len(join(a, b).blocks))


def test_diagrams_of_other_orders_do_not_compare() -> None:
    with pytest.raises(CompositionError, match="cannot compare"):
        refines(SetPartition.cup(), SetPartition.cap())
