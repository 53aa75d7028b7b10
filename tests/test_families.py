"""Brauer-Grood, jellyfish, walled and typed diagrams: all there, once, in order, and no others."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise, product
from math import comb
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import (
    all_groods,
    all_jellyfish,
    all_matchings,
    determinant_tensor,
    diagram_tensor,
    longest_chain,
    longest_increase,
    rank_mod_p,
    sources_of_targets,
    stirling2,
)

from tannaka.diagrams import counts
from tannaka.diagrams.bilabelled import BilabelledGraph
from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.counts import (
    count_brauer_diagrams,
    count_grood_diagrams,
    count_jellyfish_diagrams,
    count_set_partitions,
    count_walled_brauer_diagrams,
)
from tannaka.diagrams.enumerate import (
    brauer_diagrams,
    grood_diagrams,
    jellyfish_diagrams,
    set_partitions,
    typed_diagrams,
    walled_brauer_diagrams,
)
from tannaka.diagrams.errors import CompositionError, SizeError
from tannaka.diagrams.grood import Grood
from tannaka.diagrams.jellyfish import Jellyfish
from tannaka.diagrams.moments import orthogonal_moments, symplectic_moment
from tannaka.diagrams.spaces.enumeration import Enumeration
from tannaka.diagrams.structure import non_nesting
from tannaka.diagrams.typed import Typed
from tannaka.diagrams.walled import WalledBrauer


def up_to(quick: int, deep: int) -> list[Any]:
    """Sizes 0, 1, ...: those beyond ``quick`` only in deep runs."""
    return [pytest.param(n, marks=pytest.mark.deep if n > quick else ()) for n in range(deep + 1)]


def extended(d: Grood) -> list[tuple[int, int]]:
    """The edges of a diagram, legs leading to further points at the right."""
    size = d.dom + d.cod
    return sorted([*d.pairs, *((leg, size + i) for i, leg in enumerate(d.legs))])


@pytest.mark.parametrize("size", up_to(6, 9))
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_groods_are_all_there_once_and_in_order(n: int, size: int) -> None:
    wanted = {(legs, tuple(sorted(pairs))) for legs, pairs in all_groods(size, n)}
    for dom in {0, size // 2, size}:
        found = list(grood_diagrams(dom, size - dom, n))
        assert {(d.legs, d.pairs) for d in found} == wanted
        assert len(found) == len(wanted) == count_grood_diagrams(size, n)
        assert all(extended(a) < extended(b) for a, b in pairwise(found))
    chains = {d: longest_chain(extended(d)) for d in found}
    for chain in range(7):
        bounded = list(grood_diagrams(dom, size - dom, n, chain))
        assert bounded == [d for d in found if chains[d] <= chain]
        assert len(bounded) == count_grood_diagrams(size, n, chain)
    assert all(non_nesting(d) == chains[d] for d in found)


def test_only_increasing_legs_are_listed() -> None:
    space = grood_diagrams(1, 2, 3)
    assert list(space) == [Grood.determinant(1, 2)]
    assert Grood(1, 2, (1, 0, 2), ()) not in space
    assert Jellyfish(1, 1, (0, 1), (1, 0)) not in jellyfish_diagrams(1, 1, 2)
    assert non_nesting(Grood(1, 3, (1, 0), ((2, 3),))) == non_nesting(
        Grood(1, 3, (0, 1), ((2, 3),))
    )


DETERMINANTS = {
    1: [0, 1, 0, 1, 0, 1, 0, 1, 0],
    2: [0, 0, 1, 0, 3, 0, 10, 0, 35],
    3: [0, 0, 0, 1, 0, 6, 0, 36, 0],
    4: [0, 0, 0, 0, 1, 0, 10, 0, 91],
    5: [0, 0, 0, 0, 0, 1, 0, 15, 0],
    6: [0, 0, 0, 0, 0, 0, 1, 0, 21],
}
"""The dimension of the determinant part of Hom_{SO(n)}, by n and k + l."""


@pytest.mark.parametrize("n", DETERMINANTS)
def test_chains_of_n_leave_the_dimension_of_the_determinant_part(n: int) -> None:
    for size, dimension in enumerate(DETERMINANTS[n]):
        assert count_grood_diagrams(size, n, chain=n) == dimension
        assert len(list(grood_diagrams(0, size, n, chain=n))) == dimension


CASES = [(1, 3), (2, 2), (2, 4), (2, 6), (3, 3), (3, 5), (4, 4), (4, 6)]


@pytest.mark.parametrize(
    ("n", "size"), [*CASES, *(pytest.param(*c, marks=pytest.mark.deep) for c in [(1, 7), (3, 7)])]
)
def test_chains_of_n_leave_a_basis_of_the_determinant_part(n: int, size: int) -> None:
    everything = [determinant_tensor(d.pairs, d.legs, size, n) for d in grood_diagrams(0, size, n)]
    basis = [determinant_tensor(d.pairs, d.legs, size, n) for d in grood_diagrams(0, size, n, n)]
    assert rank_mod_p(np.array(basis)) == len(basis) == rank_mod_p(np.array(everything))


@pytest.mark.parametrize("size", up_to(6, 8))
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_jellyfish_are_all_there_once_and_in_order(n: int, size: int) -> None:
    wanted = {(tuple(map(tuple, blocks)), legs) for blocks, legs in all_jellyfish(size, n)}
    for dom in {0, size // 2, size}:
        found = list(jellyfish_diagrams(dom, size - dom, n))
        keys = [tuple(len(d.blocks) if leg is None else leg for leg in d.legs) for d in found]
        assert {(d.blocks, key) for d, key in zip(found, keys, strict=True)} == wanted
        assert len(found) == len(wanted) == count_jellyfish_diagrams(size, n)
        words = [(d.labels, key) for d, key in zip(found, keys, strict=True)]
        assert all(a < b for a, b in pairwise(words))
    bare = {d: len(d.blocks) - sum(leg is not None for leg in d.legs) for d in found}
    for most in range(6):
        few = list(jellyfish_diagrams(dom, size - dom, n, most))
        assert few == [d for d in found if len(d.blocks) <= most]
        assert len(few) == count_jellyfish_diagrams(size, n, most)
        covered = list(jellyfish_diagrams(dom, size - dom, n, most, covered=True))
        assert covered == [d for d in few if not bare[d]]
        assert len(covered) == count_jellyfish_diagrams(size, n, most, covered=True)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 9])
@pytest.mark.parametrize("size", [0, 1, 5, 60])
def test_jellyfish_are_counted_by_stirling_numbers(n: int, size: int) -> None:
    wanted = sum(stirling2(size, b) * (comb(b, n) + comb(b, n - 1)) for b in range(size + 1))
    assert jellyfish_diagrams(size, 0, n).count == wanted
    covered = jellyfish_diagrams(size, 0, n, covered=True)
    assert covered.count == stirling2(size, n) + stirling2(size, n - 1)


ALTERNATING = {
    2: [1, 2, 4, 8, 16, 32, 64, 128, 256],
    3: [1, 1, 3, 9, 27, 81, 243, 729, 2187],
    4: [1, 1, 2, 6, 22, 86, 342, 1366, 5462],
    5: [1, 1, 2, 5, 16, 63, 282, 1345, 6596],
    6: [1, 1, 2, 5, 15, 53, 219, 1037, 5427],
}
"""The dimension of Hom_{A_n}, by n and k + l."""


@pytest.mark.parametrize("n", ALTERNATING)
def test_covered_jellyfish_and_partitions_are_as_many_as_the_alternating_group_has(n: int) -> None:
    for size, dimension in enumerate(ALTERNATING[n]):
        covered = count_jellyfish_diagrams(size, n, covered=True)
        assert count_set_partitions(size, n) + covered == dimension


@pytest.mark.parametrize(("n", "size"), [(2, 0), (2, 3), (2, 5), (3, 2), (3, 4), (4, 3), (4, 4)])
def test_covered_jellyfish_and_partitions_are_a_basis(n: int, size: int) -> None:
    def tensors(jellyfish: Any, partitions: Any) -> Any:
        spiked = [
            determinant_tensor(
                d.blocks, [None if leg is None else d.blocks[leg][0] for leg in d.legs], size, n
            )
            for d in jellyfish
        ]
        return np.array([*spiked, *(diagram_tensor(d.blocks, size, n) for d in partitions)])

    covered = jellyfish_diagrams(0, size, n, covered=True)
    basis = tensors(covered, set_partitions(0, size, n))
    everything = tensors(jellyfish_diagrams(0, size, n), set_partitions(0, size))
    assert rank_mod_p(basis) == len(basis) == rank_mod_p(everything) == ALTERNATING[n][size]


WORDS = [
    tuple("V*" if star else "V" for star in word)
    for length in range(4)
    for word in product((0, 1), repeat=length)
]


@pytest.mark.parametrize("dom", WORDS, ids=" ".join)
def test_walled_diagrams_are_all_there_once_and_in_order(dom: tuple[str, ...]) -> None:
    for cod in WORDS:
        wanted = {}
        for pairs in all_matchings(len(dom) + len(cod)):
            sources = sources_of_targets(pairs, dom, cod)
            if sources is not None:
                wanted[WalledBrauer.from_blocks(dom, cod, pairs)] = sources
        found = list(walled_brauer_diagrams(dom, cod))
        assert found == sorted(wanted, key=wanted.__getitem__)
        if found:
            assert len(found) == count_walled_brauer_diagrams((len(dom) + len(cod)) // 2)
        for chain in range(5):
            bounded = list(walled_brauer_diagrams(dom, cod, chain))
            assert bounded == [d for d in found if longest_increase(wanted[d]) <= chain]
            assert walled_brauer_diagrams(dom, cod, chain).count == len(bounded)


@pytest.mark.parametrize("edges", up_to(5, 7))
def test_walled_diagrams_without_duals_are_permutations(edges: int) -> None:
    found = list(walled_brauer_diagrams(edges, edges))
    images = [[b - edges for _, b in d.pairs] for d in found]
    assert images == sorted(images)
    assert found == [WalledBrauer.permutation(tuple(i)) for i in images]
    for chain in range(edges + 2):
        bounded = list(walled_brauer_diagrams(edges, edges, chain))
        assert bounded == [
            d for d, i in zip(found, images, strict=True) if longest_increase(i) <= chain
        ]
        assert len(bounded) == count_walled_brauer_diagrams(edges, chain)


@pytest.mark.parametrize(
    ("dom", "cod", "n"),
    [
        (("V", "V", "V"), ("V", "V", "V"), 2),
        (("V", "V*", "V"), ("V", "V*", "V"), 2),
        (("V", "V*", "V"), ("V",), 1),
        ((), ("V*", "V", "V", "V*", "V", "V*"), 2),
        pytest.param(("V", "V*") * 2, ("V", "V*") * 2, 2, marks=pytest.mark.deep),
    ],
)
def test_chains_of_n_leave_a_basis_for_walled_diagrams(
    dom: tuple[str, ...], cod: tuple[str, ...], n: int
) -> None:
    size = len(dom) + len(cod)
    everything = [diagram_tensor(d.pairs, size, n) for d in walled_brauer_diagrams(dom, cod)]
    basis = [diagram_tensor(d.pairs, size, n) for d in walled_brauer_diagrams(dom, cod, n)]
    assert rank_mod_p(np.array(basis)) == len(basis) == rank_mod_p(np.array(everything))


FAMILIES: tuple[Callable[[int, int], Enumeration[Any]], ...] = (
    set_partitions,
    brauer_diagrams,
    lambda k, l: grood_diagrams(k, l, 1),
    lambda k, l: jellyfish_diagrams(k, l, 2),
)


@given(
    st.lists(st.integers(0, 3), max_size=5).map(tuple),
    st.lists(st.integers(0, 3), max_size=3).map(tuple),
)
def test_typed_diagrams_are_all_choices_of_parts(
    dom: tuple[int, ...], cod: tuple[int, ...]
) -> None:
    parts = [family(dom.count(t), cod.count(t)) for t, family in enumerate(FAMILIES)]
    wanted = [Typed(dom, cod, chosen) for chosen in product(*map(list, parts))]
    space = typed_diagrams(dom, cod, FAMILIES)
    assert list(space) == wanted
    assert space.count == len(wanted) == len(set(wanted))


def test_types_without_axes_and_no_types_at_all() -> None:
    assert list(typed_diagrams((), (), ())) == [Typed((), (), ())]
    (one,) = typed_diagrams((0,), (0,), (brauer_diagrams, set_partitions))
    assert one.parts[1] == set_partitions(0, 0)[0]
    # A type without diagrams leaves none, however many there are of the others.
    assert list(typed_diagrams((0,) * 60 + (1,), (), (set_partitions, brauer_diagrams))) == []


def test_counts_of_known_sequences() -> None:
    # A001147, A001879, A000457: matchings with 1, 2, 3 marked points.
    assert [count_grood_diagrams(1 + 2 * m, 1) for m in range(6)] == [1, 3, 15, 105, 945, 10395]
    assert [count_grood_diagrams(2 + 2 * m, 2) for m in range(5)] == [1, 6, 45, 420, 4725]
    assert [count_grood_diagrams(3 + 2 * m, 3) for m in range(5)] == [1, 10, 105, 1260, 17325]
    # A000085: involutions, by their number of fixed points.
    involutions = [1, 1, 2, 4, 10, 26, 76, 232, 764, 2620]
    assert [
        count_brauer_diagrams(size) + sum(count_grood_diagrams(size, n) for n in range(1, size + 1))
        for size in range(10)
    ] == involutions
    # A000984 and A005043, the Riordan numbers: the dimensions for SO(2) and SO(3).
    central = [1, 2, 6, 20, 70, 252, 924]
    assert [
        count_brauer_diagrams(2 * m, 2) + count_grood_diagrams(2 * m, 2, 2) for m in range(7)
    ] == central
    riordan = [1, 0, 1, 1, 3, 6, 15, 36, 91, 232, 603, 1585, 4213, 11298, 30537]
    assert [
        count_brauer_diagrams(size, 3) + count_grood_diagrams(size, 3, 3) for size in range(15)
    ] == riordan
    # A000142, A000108, A005802: permutations, those without 123, those without 1234.
    assert [count_walled_brauer_diagrams(r) for r in range(7)] == [1, 1, 2, 6, 24, 120, 720]
    assert [count_walled_brauer_diagrams(r, 2) for r in range(8)] == [1, 1, 2, 5, 14, 42, 132, 429]
    assert [count_walled_brauer_diagrams(r, 3) for r in range(8)] == [
        1,
        1,
        2,
        6,
        23,
        103,
        513,
        2761,
    ]
    # A000110: one leg is a marked block or none, as a further point in one of the blocks or alone.
    bell = [1, 1, 2, 5, 15, 52, 203, 877, 4140]
    assert [count_jellyfish_diagrams(size, 1) for size in range(8)] == bell[1:]
    # A000079, A003462.
    halves = [count_jellyfish_diagrams(size, 2, covered=True) for size in range(1, 9)]
    assert halves == [1, 2, 4, 8, 16, 32, 64, 128]
    thirds = [count_jellyfish_diagrams(size, 3, covered=True) for size in range(1, 8)]
    assert thirds == [0, 1, 4, 13, 40, 121, 364]


@pytest.mark.parametrize("size", [19, 30, 60])
def test_counts_where_no_enumeration_reaches_agree_with_what_they_add_up_to(size: int) -> None:
    # A bound as long as the longest chain is none; from one bound to the next there are more.
    for n in (1, 2, 3, 4):
        bounds = [count_grood_diagrams(size, n, chain) for chain in (n, n + 1, n + 2, size)]
        assert bounds == sorted(bounds)
        assert bounds[-1] == count_grood_diagrams(size, n)
    catalan = comb(2 * size, size) // (size + 1)
    assert walled_brauer_diagrams(size, size, chain=2).count == catalan


@pytest.mark.parametrize("n", range(1, 8))
def test_moments_of_the_trace_count_what_sums_over_shapes_count(n: int) -> None:
    """Determinants of Bessel functions against the Robinson-Schensted-Knuth correspondence."""
    for size in range(19):
        rotations, reflections = orthogonal_moments(n, size)
        assert rotations + reflections == 2 * count_grood_diagrams(size, 0, n)
        assert rotations - reflections == 2 * count_grood_diagrams(size, n, n)
        if n % 2 == 0:
            assert symplectic_moment(n, size) == count_brauer_diagrams(size, nest=n // 2)


@pytest.mark.parametrize("n", range(1, 7))
def test_moments_and_shapes_count_alike(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> list[int]:
        odd = [count_grood_diagrams(size, n, n) for size in range(19)]
        even = [count_brauer_diagrams(size, n) for size in range(19)]
        return odd + even + [count_brauer_diagrams(size, nest=n) for size in range(19)]

    monkeypatch.setattr(counts, "MANY_SHAPES", 10**9)
    by_shapes = found()
    monkeypatch.setattr(counts, "MANY_SHAPES", 0)
    assert found() == by_shapes


def test_large_orders_are_counted_too() -> None:
    """Where partitions are too many to sum over."""
    for count in (count_brauer_diagrams(160, 20), count_brauer_diagrams(160, nest=10)):
        assert 20**160 > count > 20**160 // 10**100
    # n = 1 and n = 2 have closed forms: 1, and half a central binomial coefficient.
    assert orthogonal_moments(1, 400) == (1, 1)
    assert orthogonal_moments(2, 400) == (comb(400, 200), 0)
    assert symplectic_moment(2, 400) == comb(400, 200) // 201


EDGE = BilabelledGraph(2, ((0, 1),), (0,), (1,))


@pytest.mark.parametrize("d", [Typed((), (), ()), Typed((1, 0), (1, 0), (EDGE, EDGE))], ids=str)
def test_typed_diagrams_of_no_type_and_of_graphs_survive_text_and_json(d: Typed) -> None:
    assert Typed.parse(d.dom, d.cod, str(d), tuple(map(type, d.parts))) == d
    assert Typed.from_json(d.to_json()) == d


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda: Typed.identity((0, 1)), CompositionError, "names type 1, but there are 0 parts"),
        (lambda: Typed.swap(), CompositionError, "names type 0, but there are 0 parts"),
        (lambda: Typed.of((0,), (0,), [(0, 9)], [Brauer]), ValueError, "vertex 9 is not one of"),
        (lambda: Typed.of((0,), (-1,), [], [Brauer]), ValueError, "a type in cod must be .* -1"),
        (lambda: Typed.parse(0, 0, "0 1", [Brauer]), TypeError, "dom must be a tuple .* got 0"),
        (
            lambda: Typed.from_json({"family": "Typed", "dom": [0], "cod": [0], "parts": [{}]}),
            ValueError,
            "a part may be of SetPartition, .* got None",
        ),
        (
            lambda: WalledBrauer.permutation((1, 0), ("V",)),
            ValueError,
            r"\(1, 0\) permutes 2 axes, but dom \('V',\) has 1",
        ),
        (lambda: WalledBrauer([[]], (), []), ValueError, "dom must be a tuple of 'V' and"),  # type: ignore[arg-type]
    ],
)
def test_words_that_do_not_fit_are_named(
    build: Callable[[], object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        build()


def test_products_of_determinants_of_two_types_are_refused_where_each_alone_is_not() -> None:
    det = Typed((), (0,) * 7 + (1,) * 7, (Grood.determinant(0, 7), Grood.determinant(0, 7)))
    with pytest.raises(SizeError, match="multiply out to 25,401,600 diagrams: at most 40,320"):
        det @ det
    one = Grood.determinant(0, 9)
    with pytest.raises(SizeError, match="multiply out to 362,880 diagrams: at most 40,320"):
        one @ one
