"""Diagrams in bulk agree with diagrams one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tannaka.diagrams.arrays import compose_arrays, rows, set_partition_array
from tannaka.diagrams.enumerate import set_partitions
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
