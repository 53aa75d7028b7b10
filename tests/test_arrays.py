"""Diagrams in bulk agree with diagrams one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tannaka.diagrams.arrays import (
    brauer_array,
    compose_arrays,
    compose_brauer_arrays,
    rows,
    set_partition_array,
)
from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.enumerate import brauer_diagrams, set_partitions
from tannaka.diagrams.errors import CompositionError, SizeError
from tannaka.diagrams.partition import SetPartition
from tannaka.testing.strategies import orders


@pytest.mark.parametrize("size", range(8))
def test_bulk_enumeration_is_enumeration(size: int) -> None:
    for most in [None, *range(size + 2)]:
        array = set_partition_array(size, most)
        assert array.dtype == np.int8
        assert list(rows(array)) == [d.labels for d in set_partitions(size, 0, most)]


@given(orders(5), orders(5), orders(5), st.integers(0, 2**32))
def test_bulk_composition_is_composition(k: int, m: int, l: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    lower, upper = set_partition_array(m + k), set_partition_array(l + m)
    first = lower[rng.integers(len(lower), size=20)]
    second = upper[rng.integers(len(upper), size=20)]
    before = first.copy(), second.copy()
    labels, closed = compose_arrays(first, second, m)
    assert labels.shape == (20, l + k)
    for f, g, composite, loops in zip(first, second, rows(labels), closed.tolist(), strict=True):
        wanted = SetPartition(k, m, tuple(f)).then(SetPartition(m, l, tuple(g)))
        assert (SetPartition(k, l, composite), loops) == wanted
    np.testing.assert_array_equal(first, before[0])
    np.testing.assert_array_equal(second, before[1])


def test_long_arrays_are_composed_in_pieces() -> None:
    everything = set_partition_array(6)
    count = 40_000
    first = np.resize(everything, (count, 6))
    second = np.resize(everything[::-1], (count, 6))
    labels, closed = compose_arrays(first, second, 3)
    for i in (0, 16_383, 16_384, count - 1):
        f, g = (SetPartition(3, 3, tuple(row)) for row in (first[i].tolist(), second[i].tolist()))
        assert f.then(g) == (SetPartition(3, 3, tuple(labels[i].tolist())), closed[i])
    assert compose_arrays(first[:0], second[:0], 3)[0].shape == (0, 6)


def test_what_does_not_fit_is_refused() -> None:
    small, large = np.zeros((2, 3), np.int8), np.zeros((2, 70), np.int8)
    with pytest.raises(CompositionError, match=r"shapes \(2, 3\) and \(2, 70\) through 4 points"):
        compose_arrays(small, large, 4)
    with pytest.raises(CompositionError, match=r"\(1, 3\)"):
        compose_arrays(small, small[:1], 1)
    with pytest.raises(SizeError, match="an int8 label"):
        compose_arrays(large, large, 4)
    with pytest.raises(SizeError, match="51,724,158,235,372 rows of 20 bytes"):
        set_partition_array(20)
    with pytest.raises(ValueError, match="size must be an order"):
        set_partition_array(-1)
    with pytest.raises(CompositionError, match="through 4 points"):
        compose_brauer_arrays(small, large, 4)
    with pytest.raises(
        SizeError,
        match="6,190,283,353,629,375 rows of 30 bytes are more than 2 GiB: brauer_diagrams",
    ):
        brauer_array(30)
    with pytest.raises(TypeError, match="size must be an order"):
        brauer_array(True)


def partners(d: Brauer) -> tuple[int, ...]:
    partner = {v: w for pair in d.pairs for v, w in (pair, pair[::-1])}
    return tuple(partner[v] for v in range(d.dom + d.cod))


@pytest.mark.parametrize("size", range(10))
def test_bulk_matchings_are_matchings(size: int) -> None:
    array = brauer_array(size)
    assert array.dtype == np.int8
    assert array.shape[1] == size
    assert list(rows(array)) == [partners(d) for d in brauer_diagrams(size, 0)]
    assert list(rows(array)) == sorted(rows(array))


@given(orders(4), orders(4), orders(4), st.integers(0, 2**32))
def test_bulk_composition_of_matchings_is_composition(k: int, m: int, l: int, seed: int) -> None:
    k, l = k + (k + m) % 2, l + (l + m) % 2
    rng = np.random.default_rng(seed)
    lower, upper = brauer_array(m + k), brauer_array(l + m)
    first = lower[rng.integers(len(lower), size=20)]
    second = upper[rng.integers(len(upper), size=20)]
    before = first.copy(), second.copy()
    composites, loops = compose_brauer_arrays(first, second, m)
    assert composites.shape == (20, l + k)
    assert composites.dtype == loops.dtype == np.int8
    for f, g, composite, closed in zip(first, second, composites, loops.tolist(), strict=True):
        lower_one = Brauer(k, m, tuple((v, w) for v, w in enumerate(f.tolist()) if v < w))
        upper_one = Brauer(m, l, tuple((v, w) for v, w in enumerate(g.tolist()) if v < w))
        whole, wanted = lower_one.then(upper_one)
        assert (tuple(composite.tolist()), closed) == (partners(whole), wanted)
    np.testing.assert_array_equal(first, before[0])
    np.testing.assert_array_equal(second, before[1])


def test_long_arrays_of_matchings_are_composed_in_pieces() -> None:
    everything = brauer_array(8)
    first, second = np.resize(everything, (40_000, 8)), np.resize(everything[::-1], (40_000, 8))
    composites, loops = compose_brauer_arrays(first, second, 4)
    for i in (0, 16_383, 16_384, 39_999):
        one, closed = compose_brauer_arrays(first[i : i + 1], second[i : i + 1], 4)
        np.testing.assert_array_equal(one[0], composites[i])
        assert closed == loops[i]
    assert compose_brauer_arrays(first[:0], second[:0], 4)[0].shape == (0, 8)
