"""Enumeration meets closed formulas and brute force, in its documented order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations, islice, pairwise
from math import comb
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import all_matchings, all_set_partitions, longest_chain, permutation_dimension

from tannaka.diagrams.counts import count_brauer_diagrams, count_set_partitions
from tannaka.diagrams.enumerate import (
    bilabelled_graphs,
    brauer_diagrams,
    grood_diagrams,
    jellyfish_diagrams,
    set_partitions,
    typed_diagrams,
    walled_brauer_diagrams,
)
from tannaka.diagrams.errors import SizeError
from tannaka.diagrams.partition import SetPartition
from tannaka.diagrams.spaces.enumeration import Enumeration
from tannaka.diagrams.spaces.unions import Union

SUB_FAMILIES: dict[str, dict[str, Any]] = {
    "all": {},
    "at most 2 blocks": {"most": 2},
    "even blocks": {"even": True},
    "blocks of at most 2": {"largest": 2},
    "blocks of exactly 2": {"largest": 2, "even": True},
    "non-crossing": {"planar": True},
    "non-crossing pairs": {"planar": True, "even": True, "largest": 2},
    "2 through-blocks": {"through": 2},
    "no through-block, at most 3 blocks": {"through": 0, "most": 3},
    "planar with one through-block": {"planar": True, "through": 1},
    "planar, at most 2 blocks": {"planar": True, "most": 2},
    "planar, even, at most 2 blocks": {"planar": True, "even": True, "most": 2},
}


def belongs(
    d: SetPartition,
    most: int | None = None,
    even: bool = False,
    largest: int | None = None,
    planar: bool = False,
    through: int | None = None,
) -> bool:
    """The conditions of a sub-family, from their definitions."""
    around = [*range(d.cod), *reversed(range(d.cod, d.cod + d.dom))]
    block_of = {v: b for b, block in enumerate(d.blocks) for v in block}
    crossing = any(
        p == r != q == s for p, q, r, s in combinations([block_of[v] for v in around], 4)
    )
    reaching = sum(b[0] < d.cod <= b[-1] for b in d.blocks)
    return (
        (most is None or len(d.blocks) <= most)
        and (not even or all(len(b) % 2 == 0 for b in d.blocks))
        and (largest is None or all(len(b) <= largest for b in d.blocks))
        and (not planar or not crossing)
        and (through is None or reaching == through)
    )


@pytest.mark.parametrize("size", range(8))
def test_set_partitions_are_all_there_once_and_in_order(size: int) -> None:
    for dom in range(size + 1):
        found = list(set_partitions(dom, size - dom))
        assert [d.labels for d in found] == sorted({d.labels for d in found})
        assert sorted(d.blocks for d in found) == sorted(
            tuple(sorted(tuple(sorted(b)) for b in blocks)) for blocks in all_set_partitions(size)
        )
        for most in range(size + 2):
            bounded = list(set_partitions(dom, size - dom, most))
            assert bounded == [d for d in found if len(d.blocks) <= most]
            assert len(bounded) == count_set_partitions(size, most)


@pytest.mark.parametrize("conditions", SUB_FAMILIES.values(), ids=SUB_FAMILIES)
@pytest.mark.parametrize(("dom", "cod"), [(0, 0), (1, 0), (2, 2), (3, 1), (0, 4), (2, 3), (3, 3)])
def test_sub_families_are_what_their_conditions_leave(
    conditions: dict[str, Any], dom: int, cod: int
) -> None:
    found = list(set_partitions(dom, cod, **conditions))
    assert set(found) == {d for d in set_partitions(dom, cod) if belongs(d, **conditions)}
    assert len(found) == len(set(found)) == set_partitions(dom, cod, **conditions).count
    if not conditions.get("planar"):
        assert all(a.labels < b.labels for a, b in pairwise(found))


def test_colours_do_not_mix() -> None:
    colours = "abba"
    found = set(set_partitions(2, 2, colours=colours))
    assert found == {
        d for d in set_partitions(2, 2) if all(len({colours[v] for v in b}) == 1 for b in d.blocks)
    }
    with pytest.raises(ValueError, match=r"colours .* has length 3, but .* has 4 vertices"):
        set_partitions(2, 2, colours=(0, 1, 1))


@pytest.mark.parametrize("size", range(9))
def test_matchings_are_all_there_once_and_in_order(size: int) -> None:
    for dom in {0, size // 2, size}:
        found = list(brauer_diagrams(dom, size - dom))
        assert [d.pairs for d in found] == sorted({d.pairs for d in found})
        assert sorted(d.pairs for d in found) == sorted(map(tuple, all_matchings(size)))
        for chain in range(1, 5):
            bounded = list(brauer_diagrams(dom, size - dom, chain))
            assert bounded == [d for d in found if longest_chain(d.pairs) <= chain]
            assert len(bounded) == count_brauer_diagrams(size, chain)


def mixed(dom: Sequence[int], cod: Sequence[int]) -> Enumeration[Any]:
    """Axes of three types, each with diagrams of another family."""
    families = (set_partitions, lambda k, l: grood_diagrams(k, l, 2), brauer_diagrams)
    return typed_diagrams(dom, cod, families)


SPACES: list[Enumeration[Any]] = [
    *(set_partitions(3, 2, **conditions) for conditions in SUB_FAMILIES.values()),
    set_partitions(3, 3, colours=(0, 1, 0, 1, 1, 0)),
    brauer_diagrams(3, 3),
    brauer_diagrams(4, 4, chain=2),
    brauer_diagrams(2, 1),
    grood_diagrams(3, 2, 3),
    grood_diagrams(4, 3, 3, chain=3),
    grood_diagrams(3, 3, 2, chain=3),
    grood_diagrams(2, 2, 3),
    jellyfish_diagrams(2, 2, 3),
    jellyfish_diagrams(2, 3, 2, most=2),
    jellyfish_diagrams(3, 2, 3, covered=True),
    jellyfish_diagrams(0, 0, 1),
    jellyfish_diagrams(0, 0, 2),
    walled_brauer_diagrams(("V", "V*", "V*", "V"), ("V", "V*", "V", "V*")),
    walled_brauer_diagrams(5, 5, chain=2),
    walled_brauer_diagrams(2, 1),
    mixed((0, 1, 2, 1), (2, 0, 1, 0)),
    mixed((1, 2), (0, 1)),
    typed_diagrams((), (), ()),
    bilabelled_graphs(1, 1, 3),
    bilabelled_graphs(1, 1, 3, loops=True),
    bilabelled_graphs(0, 0, 5),
    bilabelled_graphs(2, 1, 2),
    bilabelled_graphs(1, 0, 0),
    set_partitions(0, 0),
    brauer_diagrams(0, 0, chain=0),
    bilabelled_graphs(0, 0, 0),
]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_diagrams_are_found_by_number_and_numbers_by_diagram(space: Enumeration[Any]) -> None:
    found = list(space)
    assert list(space) == found, "iterating again starts again"
    assert space.count == len(found)
    assert [space[i] for i in range(space.count)] == found == space[:]
    assert [space.index(d) for d in found] == list(range(space.count))
    assert space[::-2] == found[::-2]
    if found:
        assert space[-1] == found[-1]
    for i in (space.count, -space.count - 1):
        with pytest.raises(IndexError, match=f"no diagram number {i}: there are {space.count}"):
            space[i]
    for other in ("stranger", *(other[0] for other in SPACES if other.count)):
        if other not in found:
            assert other not in space
            with pytest.raises(ValueError, match="is not one of"):
                space.index(other)


LARGE: list[Enumeration[Any]] = [
    set_partitions(13, 12),
    set_partitions(12, 10, most=5, even=True),
    set_partitions(10, 10, planar=True),
    brauer_diagrams(15, 15),
    brauer_diagrams(9, 9, chain=3),
    grood_diagrams(16, 17, 5),
    grood_diagrams(9, 8, 3, chain=3),
    grood_diagrams(8, 8, 2, chain=4),
    jellyfish_diagrams(15, 15, 6),
    jellyfish_diagrams(20, 10, 9, covered=True),
    walled_brauer_diagrams(("V",) * 9 + ("V*",) * 9, ("V*", "V") * 9),
    walled_brauer_diagrams(10, 10, chain=3),
    mixed((0, 1, 2) * 6, (2, 0, 1, 0) * 4),
    bilabelled_graphs(15, 15, 7),
    bilabelled_graphs(2, 2, 7, loops=True),
]


@given(st.integers(0, 10**60), st.sampled_from(LARGE))
def test_numbers_far_beyond_listing(number: int, space: Enumeration[Any]) -> None:
    i = number % space.count
    assert space.index(space[i]) == i


@given(st.integers(0, 2**64), st.sampled_from(LARGE))
def test_samples_belong_and_neighbours_follow(seed: int, space: Enumeration[Any]) -> None:
    d = space.sample(seed)
    assert d in space
    i = space.index(d)
    assert space[i] == d
    assert space[max(i - 1, 0) : i + 2].index(d) == min(i, 1)


def test_outsiders_have_no_number() -> None:
    assert SetPartition(1, 1, (0, 1)) not in set_partitions(1, 1, most=1)
    assert SetPartition(1, 1, (0, 1)) not in set_partitions(1, 1, even=True)
    assert SetPartition(2, 2, (0, 1, 1, 0)) not in set_partitions(2, 2, planar=True)
    assert SetPartition(2, 2, (0, 1, 0, 1)) in set_partitions(2, 2, planar=True)


@pytest.mark.parametrize(
    "space",
    [
        set_partitions(2, 3),
        set_partitions(3, 3, planar=True),
        brauer_diagrams(4, 4),
        brauer_diagrams(4, 4, 2),
        grood_diagrams(3, 3, 2),
        grood_diagrams(4, 3, 3, chain=3),
        grood_diagrams(3, 3, 2, chain=3),
        jellyfish_diagrams(2, 2, 2),
        jellyfish_diagrams(3, 2, 3, covered=True),
        walled_brauer_diagrams(("V", "V*"), ("V", "V*", "V", "V*")),
        walled_brauer_diagrams(4, 4, chain=2),
        mixed((0, 1, 2, 1), (2, 0, 1, 1)),
        bilabelled_graphs(0, 0, 4),
        bilabelled_graphs(0, 0, 5),
        bilabelled_graphs(1, 1, 3),
        bilabelled_graphs(1, 0, 3, loops=True),
        typed_diagrams((1,), (0,), (partial(bilabelled_graphs, vertices=3), set_partitions)),
    ],
    ids=str,
)
def test_samples_are_uniform_and_seeded(space: Enumeration[Any]) -> None:
    assert space.sample(7) == space.sample(7)
    rng, each = random.Random(1), 100
    seen = Counter(space.sample(rng) for _ in range(each * space.count))
    assert set(seen) == set(space)
    statistic = sum((count - each) ** 2 / each for count in seen.values())
    freedom = space.count - 1
    assert abs(statistic - freedom) < 4 * (2 * freedom) ** 0.5


@pytest.mark.parametrize("space", [space for space in SPACES if not space.count], ids=str)
def test_where_there_is_nothing_nothing_is_found(space: Enumeration[Any]) -> None:
    assert list(space) == space[:] == []
    assert repr(space).startswith("<0 diagrams ")
    with pytest.raises(ValueError, match="is empty"):
        space.sample(0)


def test_counts_of_known_sequences() -> None:
    # A000110: Bell numbers.
    bell = [1, 1, 2, 5, 15, 52, 203, 877, 4140, 21147, 115975, 678570, 4213597]
    assert [count_set_partitions(size) for size in range(13)] == bell
    assert [set_partitions(0, size).count for size in range(13)] == bell
    # A000108: Catalan numbers.
    catalan = [1, 1, 2, 5, 14, 42, 132, 429, 1430, 4862]
    assert [set_partitions(0, size, planar=True).count for size in range(10)] == catalan
    # A000085: involutions.
    involutions = [1, 1, 2, 4, 10, 26, 76, 232, 764, 2620]
    assert [set_partitions(size, 0, largest=2).count for size in range(10)] == involutions
    # A005046: partitions of 2m points into even blocks.
    even = [1, 0, 1, 0, 4, 0, 31, 0, 379, 0, 6556]
    assert [set_partitions(size, 0, even=True).count for size in range(11)] == even
    # A001147: matchings; A001700: those without 3 pairwise non-nesting edges.
    assert [count_brauer_diagrams(2 * m) for m in range(7)] == [1, 1, 3, 15, 105, 945, 10395]
    assert [count_brauer_diagrams(2 * m, 1) for m in range(6)] == [1] * 6
    assert [count_brauer_diagrams(2 * m, 2) for m in range(6)] == [1, 1, 3, 10, 35, 126]


@pytest.mark.parametrize(
    "m", [pytest.param(m, marks=pytest.mark.deep if m > 7 else ()) for m in range(10)]
)
def test_non_crossing_pairs_are_as_many_as_non_crossing_partitions(m: int) -> None:
    pairs = set_partitions(m, m, planar=True, even=True, largest=2)
    assert pairs.count == set_partitions(0, m, planar=True).count == comb(2 * m, m) // (m + 1)


@pytest.mark.parametrize("n", [1, 2, 5, 50])
def test_counts_at_sizes_that_no_enumeration_reaches(n: int) -> None:
    assert count_set_partitions(60, n) == permutation_dimension(n, 60)
    assert set_partitions(30, 30, n).count == permutation_dimension(n, 60)


HUGE: list[Enumeration[Any]] = [
    set_partitions(30, 30),
    brauer_diagrams(30, 30),
    brauer_diagrams(60, 60, chain=4),
    grood_diagrams(30, 30, 6),
    grood_diagrams(60, 60, 4, chain=5),
    jellyfish_diagrams(30, 30, 5),
    jellyfish_diagrams(30, 30, 5, covered=True),
    walled_brauer_diagrams(("V", "V*") * 30, ("V*", "V") * 30),
    walled_brauer_diagrams(60, 60, chain=4),
    mixed((0, 1, 2) * 20, (2, 1, 0) * 20),
    bilabelled_graphs(30, 30, 12),
    bilabelled_graphs(0, 0, 20),
]


@pytest.mark.parametrize("space", HUGE, ids=str)
def test_enumeration_is_lazy(space: Enumeration[Any]) -> None:
    found = list(islice(space, 5))
    assert space.count >= 10**30
    assert len(set(found)) == 5
    assert all(d in space for d in found)
    assert str(space.count)[:2] in repr(space) or "about 10^" in repr(space)


def test_a_single_diagram_deep_inside_is_found() -> None:
    assert len(list(brauer_diagrams(10, 10, chain=1))) == 1
    assert len(list(grood_diagrams(10, 11, 1, chain=1))) == 1
    assert len(list(walled_brauer_diagrams(20, 20, chain=1))) == 1


@pytest.mark.parametrize(
    "space",
    [brauer_diagrams(30, 30, 10), grood_diagrams(30, 30, 4, 6), walled_brauer_diagrams(40, 40, 5)],
    ids=str,
)
def test_samples_where_chains_are_bounded_reach_any_size(space: Enumeration[Any]) -> None:
    assert space.sample(0) != space.sample(1)


BAD: list[tuple[Callable[..., object], tuple[Any, ...], type[Exception], str]] = [
    (set_partitions, (-1, 2), ValueError, "dom must be an order, an integer >= 0, got -1"),
    (brauer_diagrams, (2, True), TypeError, "cod must be an order, .* got True"),
    (brauer_diagrams, (2, 2, -1), ValueError, "chain must be a bound, .* got -1"),
    (grood_diagrams, (2, 2, 0), ValueError, "n must be a number of legs, .* >= 1, got 0"),
    (grood_diagrams, (2, 2, True), TypeError, "n must be a number of legs, .* got True"),
    (grood_diagrams, (2, -2, 2), ValueError, "cod must be an order, .* got -2"),
    (grood_diagrams, (2, 2, 2, 1.5), TypeError, "chain must be a bound, .* got 1.5"),
    (jellyfish_diagrams, (2, 2, -3), ValueError, "n must be a number of legs, .* got -3"),
    (jellyfish_diagrams, (2, 2, 2, -1), ValueError, "most must be a bound, .* got -1"),
    (walled_brauer_diagrams, (("V", "W"), 2), ValueError, r"dom must be .* \('V', 'W'\)"),
    (walled_brauer_diagrams, (2, "VV"), TypeError, "cod must be .* the text 'VV'"),
    (walled_brauer_diagrams, (2, -2), ValueError, "cod must be an order, .* got -2"),
    (typed_diagrams, ((0, 1), (), [set_partitions]), ValueError, "names type 1, but there are 1 "),
    (typed_diagrams, ((-1,), (), [set_partitions]), ValueError, "a type in dom must .* got -1"),
    (typed_diagrams, ((0,), (), [SetPartition]), TypeError, "family 0 must give all .* got <class"),
    (typed_diagrams, ((0,), (), [lambda k, l: k]), TypeError, "for 1 -> 0 it gave 1"),
    (bilabelled_graphs, (1, 1, -1), ValueError, "vertices must be a number of .* got -1"),
    (bilabelled_graphs, (1, 1, 2.0), TypeError, "vertices must be a number of .* got 2.0"),
]


@pytest.mark.parametrize(("function", "arguments", "error", "words"), BAD)
def test_bad_input_is_named(
    function: Callable[..., object], arguments: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        function(*arguments)


HOPELESS: list[tuple[Callable[[], object], str]] = [
    (lambda: set_partitions(10**9, 0), "dom is an order.*at most 100,000: got 1,000,000,000"),
    (
        lambda: set_partitions(10**5, 0).count,
        "100,000 points into at most 100,000 blocks takes numbers",
    ),
    (lambda: jellyfish_diagrams(10**5, 1, 3).count, "100,001 points .* takes too long"),
    (lambda: grood_diagrams(10**5, 10**5, 2, 10**4).count, "takes a sum over [0-9,]+ steps"),
    (lambda: bilabelled_graphs(0, 0, 10**9).count, "partitions of 1,000,000,000 into"),
    (lambda: bilabelled_graphs(0, 0, 60).count, "60 vertices takes a sum over 966,467 cycle"),
    (lambda: set_partitions(30, 30)[:], "more than 1,000,000 of the diagrams of <about 10.60 "),
    (lambda: set_partitions(30, 30)[:: 10**48], "more than 1,000,000 of the diagrams"),
]


@pytest.mark.parametrize(("call", "words"), HOPELESS)
def test_what_is_hopeless_is_refused_at_once(call: Callable[[], object], words: str) -> None:
    with pytest.raises(SizeError, match=words):
        call()


def test_too_many_states_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tannaka.diagrams.spaces.automaton.MAX_STATES", 100)
    space = brauer_diagrams(8, 8, chain=4)
    with pytest.raises(SizeError, match="with 16 vertices, goes through more than 100 states"):
        space[0]
    assert space.sample(0) in space


@pytest.mark.parametrize(
    "space", [brauer_diagrams(1000, 1000), set_partitions(99, 99, planar=True)], ids=str
)
def test_the_first_of_very_many_come_at_once(space: Enumeration[Any]) -> None:
    assert all(d in space for d in islice(space, 2))


@pytest.mark.parametrize("seed", ["a", 0.5, [1]])
def test_a_seed_is_an_integer(seed: Any) -> None:
    with pytest.raises(TypeError, match=r"rng is a random\.Random or a seed, an integer, got"):
        set_partitions(2, 2).sample(seed)
    space, three = set_partitions(9, 9), np.int64(3)
    assert space.sample(three) == space.sample(3)  # type: ignore[arg-type]


def test_what_is_too_large_to_count_says_so() -> None:
    for call in (
        lambda: grood_diagrams(200, 200, 4, chain=30).count,
        lambda: walled_brauer_diagrams(200, 200, chain=30).sample(0),
        lambda: bilabelled_graphs(1, 1, 100).count,
    ):
        with pytest.raises(SizeError, match=r"takes a sum over [0-9,]+ "):
            call()
    space = grood_diagrams(200, 200, 4, chain=30)
    assert repr(space).startswith("<diagrams, too many to count, 200")


@pytest.mark.parametrize("size", range(0, 10, 2))
@pytest.mark.parametrize("nest", range(5))
def test_bounded_nests_are_what_the_condition_leaves(size: int, nest: int) -> None:
    def deepest(pairs: Any) -> int:
        return max(
            count
            for count in range(len(pairs) + 1)
            if any(
                all(a[1] > b[1] for a, b in combinations(chosen, 2))
                for chosen in combinations(pairs, count)
            )
        )

    space = brauer_diagrams(size // 2, size - size // 2, nest=nest)
    wanted = [d for d in brauer_diagrams(size // 2, size - size // 2) if deepest(d.pairs) <= nest]
    assert list(space) == wanted
    assert space.count == count_brauer_diagrams(size, nest=nest) == len(wanted)
    for number, diagram in enumerate(wanted):
        assert space[number] == diagram
        assert space.index(diagram) == number
        assert diagram in space
    assert all(d in space for d in (space.sample(seed) for seed in range(5 * bool(wanted))))


def test_chains_and_nests_are_not_bounded_together() -> None:
    with pytest.raises(ValueError, match="not in both"):
        brauer_diagrams(2, 2, chain=1, nest=1)
    assert list(brauer_diagrams(1, 2, nest=1)) == []


def test_unions_go_family_by_family() -> None:
    space = Union(set_partitions(2, 2, most=2), jellyfish_diagrams(2, 2, 3))
    listed = list(space)
    assert space.count == len(listed) == len(set(listed))
    assert [space.index(d) for d in listed] == list(range(space.count))
    assert [space[i] for i in range(space.count)] == listed
    assert SetPartition.identity(1) not in space
    drawn = Counter(type(space.sample(seed)).__name__ for seed in range(200))
    assert len(drawn) == 2


def test_unions_are_drawn_from_at_any_size() -> None:
    space = Union(brauer_diagrams(200, 200), grood_diagrams(200, 200, 2))
    drawn = Counter(type(space.sample(seed)).__name__ for seed in range(5))
    assert drawn == {"Grood": 5}  # 200 of 201 diagrams have a determinant


def test_unions_are_of_spaces_of_one_dom_and_cod() -> None:
    with pytest.raises(ValueError, match="one dom -> cod, got "):
        Union(set_partitions(1, 1), brauer_diagrams(2, 2))
    with pytest.raises(ValueError, match=r"one dom -> cod, got \(\)"):
        Union()
    with pytest.raises(TypeError, match="spaces such as set_partitions gives, got 3"):
        Union(3)  # type: ignore[arg-type]
