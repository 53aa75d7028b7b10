"""The picture-by-picture explanation of a composition tells the truth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from depth import share
from hypothesis import given
from hypothesis import strategies as st
from readers import read_svg

import tannaka as tn
from tannaka.diagrams.errors import CompositionError
from tannaka.testing.strategies import CATEGORIES, category, composable

every_category = pytest.mark.parametrize(
    "family", [*CATEGORIES, category(tn.Jellyfish, 4)], ids=str
)
half = share(1 / 2)
"""Laying out takes long, and each category is tried."""


@every_category
@given(st.data())
def test_the_components_account_for_every_vertex_and_every_loop(
    family: Any, data: st.DataObject
) -> None:
    f, g = data.draw(composable(family))
    steps = tn.compose_steps(f, g)
    assert steps.result == f >> g
    above = [v for found, _ in steps.components for v in found]
    below = [v for _, found in steps.components for v in found]
    assert sorted(above) == list(range(g.top + g.bottom))
    assert sorted(below) == list(range(f.top + f.bottom))
    for upper, lower in steps.components:
        assert {v - g.top for v in upper if v >= g.top} == {v for v in lower if v < f.top}
    try:
        composite, closed = f.then(g)
    except CompositionError:
        with pytest.raises(CompositionError, match=r"zero|a sum of"):
            _ = steps.composite
        return
    assert (steps.composite, steps.closed) == (composite, closed)
    if f.sketch().determinants and g.sketch().determinants:
        return  # they may join what was apart
    loops = sum(map(steps.is_closed, range(len(steps.components))))
    assert loops == (sum(closed) if isinstance(closed, tuple) else closed)
    outer = [
        {*(v for v in upper if v < g.top), *(v - f.top + g.top for v in lower if v >= f.top)}
        for upper, lower in steps.components
    ]
    sketch = composite.sketch()
    blocks = [*sketch.blocks, *filter(None, sketch.nodes)]
    assert sorted(map(sorted, filter(None, outer))) == sorted(map(list, blocks))


@every_category
@half
@given(st.data())
def test_pictures_and_text_show_all_three(family: Any, data: st.DataObject) -> None:
    steps = tn.compose_steps(*data.draw(composable(family, most=3)))
    root = read_svg(steps.svg())
    said = [text.text for text in root.iter("text")]
    assert said[0] == "the two diagrams"
    assert {"→", "="} <= set(said)
    assert "=" in steps.text()
    assert ("zero" in said) == (not steps.result)
    loops = sum(map(steps.is_closed, range(len(steps.components))))
    halos = [part for part in root.iter("g") if part.get("stroke-opacity") == "0.32"]
    assert bool(halos) == bool(loops)
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    for dot in root.iter("circle"):
        assert 0 < float(dot.get("cx", 0)) < width
        assert 0 < float(dot.get("cy", 0)) < height


@every_category
@half
@given(st.data())
def test_sums_show_every_term(family: Any, data: st.DataObject) -> None:
    f, g = data.draw(composable(family, most=3))
    total = 2 * (f >> g) - (f >> g) * 5
    shown = total.written()
    root = read_svg(total.svg())
    numbers = sum(diagram.top + diagram.bottom for _, diagram in shown)
    sketches = [diagram.sketch() for _, diagram in shown]
    kinds = sum(len(sketch.kinds) for sketch in sketches)
    names = sum(len([*filter(None, (*s.node_colours, *s.edge_colours))]) for s in sketches)
    said = [text.text or "" for text in root.iter("text")]
    assert len(said) == numbers + kinds + names + max(len(shown), 1)
    assert (total.text() == "0") == (not shown)


def test_a_text_keeps_to_its_width() -> None:
    total = tn.Grood.determinant(4, 0) >> tn.Grood.determinant(0, 4)
    for width in (20, 40, 80):
        assert max(map(len, total.text(width).split("\n"))) <= width
    assert len(total.text(20).split("\n\n")) == 24


def test_steps_look_as_reviewed(golden: Callable[[str, str], None]) -> None:
    f = tn.SetPartition(3, 4, (0, 1, 1, 2, 0, 3, 2))
    g = tn.SetPartition(4, 2, (0, 0, 1, 2, 2, 1))
    steps = tn.compose_steps(f, g)
    golden("steps.svg", steps.svg())
    golden("steps.txt", steps.text() + "\n")
    assert steps._repr_mimebundle_()["text/plain"] == steps.text()
    with pytest.raises(CompositionError, match="the first has 2 outputs, the second 3 inputs"):
        tn.compose_steps(g, f)


def test_determinants_that_meet_look_as_reviewed(golden: Callable[[str, str], None]) -> None:
    f = tn.Grood(2, 3, (1, 2, 4), ((0, 3),))
    g = tn.Grood(3, 4, (2, 3, 5), ((0, 4), (1, 6)))
    steps = tn.compose_steps(f, g)
    assert str(steps.result) == "(0 4 | 1 2 | 3 5) - (0 4 | 1 3 | 2 5)"
    golden("steps_grood.svg", steps.svg())
    golden("steps_grood.txt", steps.text() + "\n")
    with pytest.raises(CompositionError, match="is a sum of 2 diagrams"):
        _ = steps.composite
