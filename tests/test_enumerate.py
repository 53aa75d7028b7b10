"""Enumeration meets closed formulas and brute force, in its documented order."""

from __future__ import annotations

from itertools import islice

import pytest
from oracles import all_matchings, all_set_partitions, longest_chain, permutation_dimension

from tannaka.diagrams.enumerate import (
    brauer_diagrams,
    count_brauer_diagrams,
    count_set_partitions,
    set_partitions,
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


def test_counts_of_known_sequences() -> None:
    bell = [1, 1, 2, 5, 15, 52, 203, 877, 4140, 21147, 115975, 678570, 4213597]
    assert [count_set_partitions(size) for size in range(13)] == bell
    assert [count_brauer_diagrams(2 * m) for m in range(7)] == [1, 1, 3, 15, 105, 945, 10395]
    # Catalan numbers: matchings without two non-nesting ... of chain 1 are unique, of chain 2 not.
    assert [count_brauer_diagrams(2 * m, 1) for m in range(6)] == [1] * 6
    assert [count_brauer_diagrams(2 * m, 2) for m in range(6)] == [1, 1, 3, 10, 35, 126]


@pytest.mark.parametrize("n", [1, 2, 5, 50])
def test_counts_at_sizes_that_no_enumeration_reaches(n: int) -> None:
    assert count_set_partitions(60, n) == permutation_dimension(n, 60)


def test_enumeration_is_lazy() -> None:
    assert len(list(islice(set_partitions(30, 30), 5))) == 5
    assert len(list(islice(brauer_diagrams(30, 30), 5))) == 5
    assert len(list(brauer_diagrams(10, 10, chain=1))) == 1
