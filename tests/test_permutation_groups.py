"""Permutation groups and their orbits, against all their elements multiplied out."""

from __future__ import annotations

import json
import pickle
import random
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from itertools import combinations, permutations, product
from math import factorial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from oracles import burnside, generated, kron_power, least_tuples
from sympy.combinatorics import Permutation, SymmetricGroup
from sympy.combinatorics import PermutationGroup as SymPyGroup

from tannaka.category.alternating import A
from tannaka.category.hom import Hom
from tannaka.category.orbitals import Orbit
from tannaka.category.permutations import PermutationGroup
from tannaka.category.symmetric import S
from tannaka.diagrams.errors import CompositionError, SizeError
from tannaka.diagrams.morphism import Morphism
from tannaka.diagrams.partition import SetPartition
from tannaka.testing.strategies import groups, orders, permutation_groups, set_partitions

SQUARE = PermutationGroup([(1, 2, 3, 0), (0, 3, 2, 1)])
SIDE = SQUARE.orbit("[0 <- 1]")
TWIN = PermutationGroup([(1, 0, 3, 2)]).orbit("[0 <- 1]")
MANY = PermutationGroup([(1, 0, *range(2, 50)), (*range(1, 50), 0)])
KINDS = ["Aut", "PermutationGroup"]


def matrix(images: tuple[int, ...]) -> Any:
    return np.eye(len(images), dtype=int)[:, np.argsort(images)]


def drawn(data: st.DataObject, g: PermutationGroup, k: int, l: int) -> Orbit:
    space = g.orbit_space(k, l)
    orbit: Orbit = space[data.draw(st.integers(0, space.count - 1))]
    return orbit


@given(permutation_groups(), orders(3))
def test_orbits_are_what_the_elements_make_of_the_tuples(g: PermutationGroup, m: int) -> None:
    elements = generated(g.permutations, g.n)
    least = least_tuples(elements, g.n, m)
    known = sorted(set(least))
    tuples = np.array(list(product(range(g.n), repeat=m)), dtype=int).reshape(g.n**m, m)
    assert g.order == len(elements)
    assert g.dimension(0, m) == len(known) == burnside(elements, m)
    assert list(map(tuple, g.stabiliser.canonical(tuples).tolist())) == least
    assert list(map(tuple, g.representatives(m).tolist())) == known
    numbers = [known.index(one) for one in least]
    assert g.labels(m).reshape(-1).tolist() == g.numbers(tuples).tolist() == numbers
    for k in range(m + 1):
        listed = [(one.dom, one.cod, one.indices) for one in g.orbit_space(k, m - k)]
        assert listed == [(k, m - k, one) for one in known]
        assert [one.size for one in g.orbit_space(k, m - k)] == [least.count(one) for one in known]


def test_orbits_are_counted_where_stabilisers_look_alike() -> None:
    """Affine maps of five points, and even permutations of five more: both have orbits 1, 4, 5 left."""
    rest, moved = tuple(range(5, 10)), [(1, 2, 3, 4, 0), (0, 2, 4, 1, 3), (1, 2, 0, 3, 4)]
    affine = [(*images, *rest) for images in moved[:2]]
    even = [(*range(5), *(5 + i for i in images)) for images in (moved[0], moved[2])]
    g = PermutationGroup([*affine, *even])
    assert g.order == 20 * 60
    for m in range(5):
        space = g.orbit_space(0, m)
        assert space.count == len(list(space)) == len(np.unique(g.labels(m)))


@given(permutation_groups(4), orders(2), orders(2))
def test_the_orbit_basis_is_numbered_by_labels(g: PermutationGroup, k: int, l: int) -> None:
    labels = g.labels(l + k).reshape(g.n**l, g.n**k)
    for number, orbit in enumerate(Hom(g, k, l).basis("orbit")):
        assert_array_equal(g.matrix(orbit), labels == number)
        assert_array_equal(g.sparse(orbit).toarray(), labels == number)


@given(permutation_groups(4), st.data())
def test_matrices_commute_with_the_group_and_span(g: PermutationGroup, data: st.DataObject) -> None:
    k, l = data.draw(orders(2)), data.draw(orders(2))
    hom = Hom(g, k, l)
    stack = hom.matrices()
    assert_array_equal(stack.sum(axis=0), np.ones((g.n**l, g.n**k)))
    elements = [matrix(images) for images in generated(g.permutations, g.n)]
    for element in elements:
        assert_array_equal(kron_power(element, l) @ stack, stack @ kron_power(element, k))
    given_matrix = np.arange(g.n ** (k + l)).reshape(g.n**l, g.n**k) ** 2
    average = sum(kron_power(e, l) @ given_matrix @ kron_power(e, k).T for e in elements)
    exact = hom.project(given_matrix)
    assert_array_equal(exact * len(elements), average)
    assert_array_equal(g.matrix(hom.coefficients(exact)), exact)


@given(groups(4, kinds=KINDS), st.data())
def test_orbits_compose_as_their_matrices_do(g: PermutationGroup, data: st.DataObject) -> None:
    k, m, l = (data.draw(orders(2)) for _ in range(3))
    f, h = drawn(data, g, k, m), drawn(data, g, m, l)
    assert_array_equal(g.matrix(f >> h), g.matrix(h) @ g.matrix(f))
    assert_array_equal(g.matrix(f.dagger()), g.matrix(f).T)
    assert f.dagger().dagger() == f
    assert (f >> h).dagger() == h.dagger() >> f.dagger()
    p = drawn(data, g, data.draw(orders(1)), data.draw(orders(1)))
    assert_array_equal(g.matrix(f @ p), np.kron(g.matrix(f), g.matrix(p)))
    assert (f @ p).dagger() == f.dagger() @ p.dagger()


@given(groups(4, kinds=KINDS), st.data())
def test_orbits_are_a_category(g: PermutationGroup, data: st.DataObject) -> None:
    k, a, b, l = (data.draw(orders(2)) for _ in range(4))
    f, h, p = drawn(data, g, k, a), drawn(data, g, a, b), drawn(data, g, b, l)
    assert (f >> h) >> p == f >> (h >> p)
    one = [PermutationGroup([], g.n).matrix(SetPartition.identity(m)) for m in (k, a)]
    inside, outside = (Hom(g, m, m).coefficients(i) for m, i in zip((k, a), one, strict=True))
    identities = [g.in_orbits(i) for i in (inside, outside)]
    assert identities[0] >> f == Morphism.of(f) == f >> identities[1]
    q, r, s = (drawn(data, g, data.draw(orders(1)), data.draw(orders(1))) for _ in range(3))
    assert (q @ r) @ s == q @ (r @ s)
    small = data.draw(orders(1))
    t, u = drawn(data, g, q.cod, small), drawn(data, g, r.cod, small)
    assert (q @ r) >> (t @ u) == (q >> t) @ (r >> u)


@given(permutation_groups(), st.data())
def test_set_partitions_are_sums_of_orbits(g: PermutationGroup, data: st.DataObject) -> None:
    k, m, l = (data.draw(orders(2)) for _ in range(3))
    f, h = data.draw(set_partitions(k, m)), data.draw(set_partitions(m, l))
    found = g.in_orbits(f)
    assert all(isinstance(one, Orbit) for one in found.diagrams())
    assert_array_equal(g.matrix(found), g.matrix(f))
    assert_array_equal(g.matrix(f), S(g.n).matrix(f))
    assert g.morphism(f) == found == g.morphism(found)
    assert g.in_orbits(f >> h) == g.in_orbits(f) >> g.in_orbits(h)
    assert g.in_orbits(f @ h) == g.in_orbits(f) @ g.in_orbits(h)
    assert g.in_orbits(f.dagger()) == g.in_orbits(f).dagger()


@given(groups(4, kinds=KINDS), st.data())
def test_inner_products_of_orbits_are_those_of_matrices(
    g: PermutationGroup, data: st.DataObject
) -> None:
    k, l = data.draw(orders(2)), data.draw(orders(1))
    f, h = drawn(data, g, k, l), drawn(data, g, k, l)
    assert g.inner(f, h) == (g.matrix(f) * g.matrix(h)).sum() == (f == h) * f.size
    total = 2 * f + Fraction(1, 3) * h
    assert g.inner(total, f) == (g.matrix(total) * g.matrix(f)).sum()


@given(groups(5, kinds=KINDS), orders(2), orders(2), st.integers(0, 2**31))
def test_orbits_have_numbers(g: PermutationGroup, k: int, l: int, seed: int) -> None:
    space = g.orbit_space(k, l)
    listed = list(space)
    assert len(listed) == space.count == g.dimension(k, l)
    assert [space[i] for i in range(space.count)] == listed
    assert [space.index(one) for one in listed] == list(range(space.count))
    assert space.sample(seed) in space
    assert space.sample(seed) == space.sample(seed)
    assert Orbit(PermutationGroup([], g.n + 1), k, l, (0,) * (k + l)) not in space
    assert SetPartition.spider(k, l) not in space
    with pytest.raises(IndexError):
        space[space.count]


@given(groups(5, kinds=KINDS), st.data())
def test_orbits_are_values(g: PermutationGroup, data: st.DataObject) -> None:
    f = drawn(data, g, data.draw(orders(2)), data.draw(orders(2)))
    image = data.draw(st.sampled_from([tuple(range(g.n)), *g.permutations]))
    moved = tuple(image[i] for i in f.indices)
    same = Orbit(g, f.dom, f.cod, moved)
    assert same == f
    assert hash(same) == hash(f)
    assert g.orbit(str(f)) == g.orbit(json.loads(json.dumps(f.to_json()))) == f
    assert pickle.loads(pickle.dumps(f)) == f
    assert_array_equal(g.values(f), [one == f for one in g.orbit_space(f.dom, f.cod)])


@given(groups(5, kinds=KINDS))
def test_groups_are_values(g: PermutationGroup) -> None:
    before = len(pickle.dumps(g))
    assert g.order
    g.labels(2)
    copy = pickle.loads(pickle.dumps(g))
    assert copy == g
    assert hash(copy) == hash(g)
    assert_array_equal(copy.labels(2), g.labels(2))
    assert len(pickle.dumps(g)) <= before + 100 * g.n**2, "what was found is not a part of it"
    known = SymPyGroup([Permutation(list(p)) for p in g.permutations] or [Permutation(g.n - 1)])
    assert g.order == known.order()
    assert PermutationGroup(known).order == g.order
    assert PermutationGroup(g) == PermutationGroup(g.permutations, g.n)
    assert PermutationGroup(np.array(g.permutations).reshape(-1, g.n), g.n) == PermutationGroup(g)


def test_hashes_do_not_travel() -> None:
    """Hashes of text differ from process to process, and a cached one would spoil dictionaries."""
    assert "_hash" not in pickle.loads(pickle.dumps(SQUARE)).__dict__


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_symmetric_and_alternating_groups_are_permutation_groups(n: int) -> None:
    cycles = [(1, 0, *range(2, n)), tuple((i + 1) % n for i in range(n))] if n > 1 else []
    whole = PermutationGroup(cycles, n)
    assert whole.order == factorial(n)
    even = PermutationGroup([p for p in permutations(range(n)) if np.linalg.det(matrix(p)) > 0], n)
    for m in range(6):
        assert whole.dimension(m // 2, m - m // 2) == S(n).dimension(0, m)
        if n > 2:
            assert even.dimension(m // 2, m - m // 2) == A(n).dimension(0, m)


@pytest.mark.parametrize("m", range(7))
def test_the_trivial_group_and_the_cyclic_one(m: int) -> None:
    assert PermutationGroup([], 7).dimension(m, 0) == 7**m
    assert PermutationGroup([(1, 2, 3, 4, 5, 6, 0)]).dimension(m, 0) == max(7**m // 7, 1)


@pytest.mark.parametrize(
    "g",
    [
        PermutationGroup([(1, 2, 0, 3), (1, 0, 3, 2)]),  # A(4)
        PermutationGroup([(1, 0, 2, 3, 4), (0, 1, 3, 4, 2)]),  # C(2) x C(3)
        PermutationGroup([(1, 0, 2, 3, 4), (0, 1, 3, 2, 4), (0, 1, 2, 4, 3)]),  # S(2) x S(3)
        SQUARE,
    ],
    ids=str,
)
def test_samples_are_uniform(g: PermutationGroup) -> None:
    elements = generated(g.permutations, g.n)
    rng, each = np.random.default_rng(1), 100
    seen = Counter(
        tuple(g.sample(rng).argmax(axis=0).tolist()) for _ in range(each * len(elements))
    )
    assert set(seen) == set(elements)
    chi2 = sum((count - each) ** 2 / each for count in seen.values())
    freedom = len(elements) - 1
    assert abs(chi2 - freedom) < 5 * (2 * freedom) ** 0.5


def test_intersection_numbers_of_the_two_subsets() -> None:
    """The Johnson scheme J(5, 2): how many w are in relation i to u and j to v, from counting."""
    pairs = list(combinations(range(5), 2))
    g = PermutationGroup(
        [
            tuple(pairs.index(tuple(sorted(p[i] for i in pair))) for pair in pairs)  # type: ignore[arg-type]
            for p in permutations(range(5))
        ]
    )
    assert g.order == 120
    relation = [[len({*u} & {*v}) for v in pairs] for u in pairs]
    orbits = {relation[o.indices[0]][o.indices[1]]: o for o in g.orbit_space(1, 1)}
    for i, j in product(range(3), repeat=2):
        terms = (orbits[i] >> orbits[j]).at(10)
        for k, orbit in orbits.items():
            u, v = orbit.indices
            wanted = sum(relation[u][w] == j and relation[w][v] == i for w in range(10))
            assert terms.get(orbit, 0) == wanted, (i, j, k)


def test_large_groups_are_counted_at_once() -> None:
    n = 1000
    cycle = PermutationGroup([tuple((i + 1) % n for i in range(n))])
    assert cycle.dimension(2, 2) == n**3
    assert PermutationGroup([], n).dimension(50, 50) == n**100
    symmetric = PermutationGroup([(1, 0, *range(2, 30)), (*range(1, 30), 0)])
    assert symmetric.order == factorial(30)
    assert symmetric.dimension(3, 3) == 203
    assert PermutationGroup(SymmetricGroup(6)).order == 720


REFUSED: list[tuple[Callable[[], object], type[Exception], str]] = [
    (lambda: PermutationGroup(None), TypeError, r"images such as \(1, 2, 0\), got None"),  # type: ignore[arg-type]
    (lambda: PermutationGroup(5), TypeError, "expected generators.*got 5"),  # type: ignore[arg-type]
    (lambda: PermutationGroup("abc"), TypeError, "expected generators.*got 'abc'"),
    (lambda: PermutationGroup(S(3)), TypeError, r"expected generators.*got S\(3\)"),  # type: ignore[arg-type]
    (lambda: PermutationGroup([None]), TypeError, "a permutation is a tuple.*got None"),
    (lambda: PermutationGroup((1, 2, 0)), TypeError, "a permutation is a tuple.*got 1"),
    (lambda: PermutationGroup([(0.0, 1.0)]), TypeError, r"integers 0, 1, ..., got \(0.0, 1.0\)"),
    (lambda: PermutationGroup([np.eye(2)]), TypeError, "a permutation is a tuple of the integers"),
    (lambda: PermutationGroup([(0, 0)]), ValueError, r"\(0, 0\) is not a permutation of 0..1"),
    (lambda: PermutationGroup([(1, 2, 3)]), ValueError, "is not a permutation of 0..2"),
    (lambda: PermutationGroup([(0, 1), (0, 1, 2)]), ValueError, r"one length.*lengths \[2, 3\]"),
    (lambda: PermutationGroup([(1, 0)], 3), ValueError, r"one length.*got lengths \[2, 3\]"),
    (lambda: PermutationGroup([]), ValueError, r"of how many points: PermutationGroup\(\[\], n\)"),
    (lambda: PermutationGroup([()]), ValueError, "of how many points"),
    (lambda: PermutationGroup(SymPyGroup()), ValueError, "of how many points"),
    (lambda: PermutationGroup([], 0), ValueError, "an integer >= 1, got 0"),
    (lambda: PermutationGroup([], 2.5), TypeError, "an integer >= 1, got 2.5"),  # type: ignore[arg-type]
    (lambda: PermutationGroup([(1, 0)], "2"), TypeError, "an integer >= 1, got '2'"),  # type: ignore[arg-type]
    (lambda: SQUARE.dimension(-1, 1), ValueError, "k must be an order, an integer >= 0, got -1"),
    (lambda: SQUARE.dimension(1, 1.5), TypeError, "l must be an order.*got 1.5"),  # type: ignore[arg-type]
    (lambda: SQUARE.labels(-1), ValueError, "m must be an order"),
    (lambda: Orbit(SQUARE, 1, 1, (0,)), ValueError, r"1 \+ 1 numbers from 0 to 3, got \(0,\)"),
    (lambda: Orbit(SQUARE, 1, 1, (0, 9)), ValueError, r"numbers from 0 to 3, got \(0, 9\)"),
    (lambda: Orbit(SQUARE, 1, 1, (0, -1)), ValueError, "an integer >= 0, got -1"),
    (lambda: Orbit(SQUARE, 1, 1, "01"), TypeError, "a tuple of numbers, got '01'"),  # type: ignore[arg-type]
    (lambda: Orbit(SQUARE, 1, 1, 5), TypeError, "a tuple of numbers, got 5"),  # type: ignore[arg-type]
    (lambda: Orbit(SQUARE, 1, 1, (0, 0.5)), TypeError, "got 0.5"),  # type: ignore[arg-type]
    (lambda: Orbit(SQUARE, -1, 1, (0,)), ValueError, "dom must be an order"),
    (lambda: Orbit(S(4), 1, 1, (0, 1)), TypeError, r"a group such as Aut\(graph\).*got S\(4\)"),  # type: ignore[arg-type]
    (lambda: Orbit(None, 1, 1, (0, 1)), TypeError, "got None"),  # type: ignore[arg-type]
    (lambda: SQUARE.orbit("[0 <- 1"), ValueError, r"is not an orbit such as '\[0 1 ← 2\]'"),
    (lambda: SQUARE.orbit("[0 <- 9]"), ValueError, r"numbers from 0 to 3, got \(0, 9\)"),
    (lambda: SQUARE.orbit(None), TypeError, r"read from text such as '\[0 1 ← 2\]', got None"),
    (
        lambda: SQUARE.orbit({"family": "Orbit", "dom": 1, "cod": 1, "indices": 5}),
        TypeError,
        "a tuple of numbers, got 5",
    ),
    (lambda: SQUARE.orbit({"family": "Orbit", "dom": 1}), ValueError, "has no cod, indices"),
    (lambda: Orbit.parse(1, 1, "[0 <- 1]"), TypeError, "of which group"),
    (lambda: Orbit.from_json(SQUARE.orbit("[0 <- 1]").to_json()), TypeError, "of which group"),
    (lambda: Orbit.identity(1), TypeError, "which orbits there are depends on the group"),
    (lambda: Orbit.cup(), TypeError, "which orbits there are depends on the group"),
    (lambda: SQUARE.matrix(TWIN), ValueError, "an orbit of .*order 2.*not of .*order 8"),
    (lambda: SQUARE.values(TWIN), ValueError, "an orbit of .*order 2.*not of .*order 8"),
    (lambda: SQUARE.matrix("0 1"), TypeError, "expected a diagram or a morphism"),  # type: ignore[arg-type]
    (lambda: SIDE >> TWIN, CompositionError, "an Orbit of .*order 8.*an Orbit of .*order 2"),
    (lambda: SIDE @ TWIN, CompositionError, "an Orbit of .*order 8.*an Orbit of .*order 2"),
    (lambda: SIDE >> SetPartition.identity(1), CompositionError, "an Orbit with a SetPartition"),
    (lambda: SIDE >> SQUARE.orbit("[0 <- 1 1]"), CompositionError, "1 outputs.*2 inputs"),
    (lambda: SQUARE.inner(SIDE, SQUARE.orbit("[0 1 <-]")), CompositionError, "no inner product"),
    (lambda: Hom(SQUARE, 1, 1).walks(), ValueError, "hom.dimension counts orbits"),
    (lambda: SQUARE.numbers(np.array([0, 1])), TypeError, r"of shape \(count, m\)"),
    (lambda: SQUARE.numbers(np.array([[0.0]])), TypeError, "expected an array of integers"),
    (lambda: SQUARE.numbers(np.array([[0, 9]])), ValueError, "from 0 to 3, got 0 to 9"),
]


@pytest.mark.parametrize(("build", "error", "words"), REFUSED)
def test_what_is_refused_is_named(
    build: Callable[[], object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        build()


ACROSS = MANY.orbit("[0 1 2 3 4 <- 5 6 7 8 9]")
HOPELESS: list[tuple[Callable[[], object], str]] = [
    (lambda: SQUARE.labels(20), "1,099,511,627,776 tuples of 20 indices are too many.*canonical"),
    (lambda: SQUARE.representatives(20), "137,439,215,616 orbits of 20-tuples are too many"),
    (lambda: Hom(SQUARE, 8, 9).basis(), r"too many diagrams to list; hom.independent\[i\]"),
    (lambda: Hom(SQUARE, 8, 9).basis("orbit"), "too many orbits to list"),
    (lambda: Hom(SQUARE, 6, 6).matrices(), "more than 2 GiB"),
    (lambda: Hom(SQUARE, 6, 6).gram(), "more than 2 GiB"),
    (lambda: SQUARE.matrix(SQUARE.orbit(f"[{'0 ' * 10}<-{' 1' * 10}]")), "more than 2 GiB"),
    (lambda: MANY.nonzeros(ACROSS), "37,276,043,023,296,000 nonzero entries: too many to list"),
    (lambda: ACROSS >> ACROSS, "an orbit of 146,611,080 tuples: at most 4,194,304 are listed"),
    (lambda: MANY.orbit("[0 1 2 3 4 <-]") @ MANY.orbit("[0 1 2 3 4 <-]"), "at most 4,194,304"),
    (lambda: MANY.nonzeros(MANY.orbit(f"[{'0 ' * 20}<-]")), "64 bits do not count"),
]


@pytest.mark.parametrize(("call", "words"), HOPELESS)
def test_what_is_hopeless_is_refused_at_once(call: Callable[[], object], words: str) -> None:
    with pytest.raises(SizeError, match=words):
        call()


def test_spaces_too_large_to_list_have_numbers_and_entries() -> None:
    space = Hom(MANY, 6, 6).independent
    orbit = space[space.count // 2]
    assert space.index(orbit) == space.count // 2
    assert space.sample(0) in space
    tuples = np.random.default_rng(0).integers(0, 50, (100, 12))
    least = MANY.stabiliser.canonical(tuples)
    assert_array_equal(MANY.stabiliser.canonical(least), least)
    # The symmetric group takes indices to their first occurrences in order.
    wanted = [[list(dict.fromkeys(row)).index(i) for i in row] for row in tuples.tolist()]
    assert_array_equal(least, wanted)


def test_a_random_generator_may_be_given() -> None:
    rng = random.Random(3)
    space: Any = Hom(SQUARE, 1, 2).independent
    assert {space.sample(rng) for _ in range(200)} == set(space)
