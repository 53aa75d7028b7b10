"""The picture-by-picture explanation of a composition tells the truth."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tannaka as tn
from tannaka.diagrams.diagram import Diagram
from tannaka.diagrams.errors import CompositionError
from tannaka.testing.strategies import FAMILIES, composable


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
@given(st.data())
def test_the_components_account_for_every_vertex_and_every_loop(
    family: type[Diagram], data: st.DataObject
) -> None:
    f, g = data.draw(composable(family))
    steps = tn.compose_steps(f, g)
    assert (steps.composite, steps.closed) == f.then(g)
    assert sum(map(steps.is_closed, range(len(steps.components)))) == steps.closed
    assert sorted(v for above, _ in steps.components for v in above) == list(range(g.cod + g.dom))
    assert sorted(v for _, below in steps.components for v in below) == list(range(f.cod + f.dom))
    outer = [
        {*(v for v in above if v < g.cod), *(v - f.cod + g.cod for v in below if v >= f.cod)}
        for above, below in steps.components
    ]
    assert sorted(map(sorted, filter(None, outer))) == sorted(map(list, steps.composite.blocks))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
@given(st.data())
def test_pictures_and_text_show_all_three(family: type[Diagram], data: st.DataObject) -> None:
    steps = tn.compose_steps(*data.draw(composable(family)))
    root = ElementTree.fromstring(steps.svg())
    dots = [e for e in root.iter() if e.tag.endswith("circle")]
    f, g, h = steps.first, steps.second, steps.composite
    assert len(dots) == sum(w * (d.dom + d.cod) for w, d in ((2, f), (2, g), (1, h)))
    text = steps.text()
    assert "=" in text
    assert ("n" in text) == bool(steps.closed)


def test_steps_look_as_reviewed(golden: Callable[[str, str], None]) -> None:
    f = tn.SetPartition(3, 4, (0, 1, 1, 2, 0, 3, 2))
    g = tn.SetPartition(4, 2, (0, 0, 1, 2, 2, 1))
    steps = tn.compose_steps(f, g)
    golden("steps.svg", steps.svg())
    golden("steps.txt", steps.text() + "\n")
    assert steps._repr_mimebundle_()["text/plain"] == steps.text()
    with pytest.raises(CompositionError, match="the first has 2 outputs, the second 3 inputs"):
        tn.compose_steps(g, f)
