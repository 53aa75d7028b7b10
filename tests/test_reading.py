"""Diagrams and sums are read back from their text and their data, and nothing else is."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tannaka as tn
from tannaka.diagrams.morphism import Morphism
from tannaka.diagrams.reading import (
    FAMILIES,
    diagram_from_json,
    read_sum,
    sum_from_json,
    sum_to_json,
)
from tannaka.testing import strategies

NUMBERS = st.fractions(min_value=-9, max_value=9, max_denominator=7)


@st.composite
def sums(draw: st.DrawFn, family: Any = tn.SetPartition) -> Morphism:
    """Sums of diagrams 2 -> 2 with coefficients polynomial in n."""
    diagrams = draw(st.lists(strategies.set_partitions(2, 2), max_size=3))
    table: dict[Any, Any] = {(d, draw(st.integers(0, 3))): draw(NUMBERS) for d in diagrams}
    return Morphism(2, 2, table)


@given(sums())
def test_sums_read_back_from_text_and_data(f: Morphism) -> None:
    assert read_sum(2, 2, str(f), lambda text: tn.SetPartition.parse(2, 2, text)) == f
    assert sum_from_json(json.loads(json.dumps(sum_to_json(f)))) == f


@pytest.mark.parametrize(
    ("text", "equal"),
    [
        ("0 1|2 3", {(0, 0, 1, 1): {0: 1}}),
        ("(0 1 | 2 3)", {(0, 0, 1, 1): {0: 1}}),
        ("-(0 1 | 2 3)", {(0, 0, 1, 1): {0: -1}}),
        ("2 (0 1 2 3)+3(0 1 2 3)", {(0, 0, 0, 0): {0: 5}}),
        ("(n + 1) (0 1 2 3)", {(0, 0, 0, 0): {0: 1, 1: 1}}),
        ("-(n^2 - 1/2 n) (0 1 2 3)", {(0, 0, 0, 0): {2: -1, 1: "1/2"}}),
        ("(-n) (0 1 2 3) - (2) (0 1 | 2 3)", {(0, 0, 0, 0): {1: -1}, (0, 0, 1, 1): {0: -2}}),
        ("0", {}),
    ],
)
def test_sums_are_written_in_many_ways(text: str, equal: dict[Any, dict[int, Any]]) -> None:
    table: dict[Any, Any] = {
        (tn.SetPartition(2, 2, labels), power): Fraction(value)
        for labels, powers in equal.items()
        for power, value in powers.items()
    }
    found = read_sum(2, 2, text, lambda one: tn.SetPartition.parse(2, 2, one))
    assert found == Morphism(2, 2, table)


def test_one_vertex_is_a_diagram_and_not_nothing() -> None:
    assert read_sum(0, 1, "0", lambda text: tn.SetPartition.parse(0, 1, text)).written()


@pytest.mark.parametrize(
    "text",
    [
        "(0 1 | 2 3",
        "(0 1) (2 3)",
        "(0 1 2 3) (0 1 2 3)",
        "2 * (0 1 2 3)",
        "() (0 1 2 3)",
        "(n +) (0 1 2 3)",
        "1/0 (0 1 2 3)",
        "m (0 1 2 3)",
        "n0 (0 1 2 3)",
        "1.5 (0 1 2 3)",
        "__import__('os') (0 1 2 3)",
        "(0 1 | 2 3) +",
        "(0 1 | 2 9)",
    ],
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_sum(2, 2, text, lambda one: tn.SetPartition.parse(2, 2, one))


@given(st.data())
def test_every_family_reads_back_from_data(data: st.DataObject) -> None:
    k, l = data.draw(strategies.orders(2)), data.draw(strategies.orders(2))
    name = data.draw(st.sampled_from(["S4", "O3", "SO2", "A2", "Sp2"]))
    hom = tn.Hom(tn.group(name), k, l)
    if hom.count:
        diagram = hom.spanning[data.draw(st.integers(0, hom.count - 1))]
        assert type(diagram).__name__ in FAMILIES
        assert diagram_from_json(json.loads(json.dumps(diagram.to_json()))) == diagram


def test_axes_of_kinds_read_back_from_data() -> None:
    walled = tn.WalledBrauer(("V", "V*"), (), ((0, 1),))
    typed = tn.Hom(tn.S(3) * tn.SO(2), (0, 1), (0, 1)).basis()[0]
    for diagram in (walled, typed):
        read = sum_from_json(json.loads(json.dumps(sum_to_json(diagram))))
        assert read == Morphism.of(diagram)


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"family": "Tree"},
        {"family": ["Brauer"]},
        {"family": "Brauer", "dom": 0, "cod": 2},
        {"family": "Brauer", "dom": 0, "cod": 2, "blocks": 5},
        {"family": "Brauer", "dom": 0, "cod": 2, "blocks": [[0, 7]]},
        {"family": "Brauer", "dom": "x", "cod": 2, "blocks": [[0, 1]]},
        {"family": "Typed", "dom": [0], "cod": [], "parts": [None]},
        {"dom": 0, "cod": 2, "terms": {}},
        {"dom": 0, "cod": 2, "terms": [1]},
        {"dom": 0, "cod": 2, "terms": [{"coefficient": 1.5, "diagram": {}}]},
        {"terms": []},
    ],
)
def test_other_data_is_refused(data: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        sum_from_json(data)
