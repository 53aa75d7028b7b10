"""Pictures and texts of diagrams and of sums, as the explorer's page takes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from tannaka.category.groups import Group
from tannaka.category.orbitals import Orbit
from tannaka.codegen.notation import formula
from tannaka.diagrams.bilabelled import BilabelledGraph
from tannaka.diagrams.diagram import Diagram
from tannaka.diagrams.errors import BackendError
from tannaka.diagrams.morphism import Morphism
from tannaka.diagrams.pictures.panels import panels_svg
from tannaka.diagrams.pictures.sums import sum_group
from tannaka.diagrams.pictures.svg import STYLE, gallery_svg, svg_document
from tannaka.jupyter.session import PAGE, Map, Session

DRAWN_TERMS = 24
"""Most terms of a sum that is drawn; of a longer one the number is told."""

LINE = 400.0
"""Width of a line of a sum, in pixels: what half a notebook has room for."""
_EDGE = 4.0

View = dict[str, Any]


def card_svg(diagram: Diagram) -> str:
    """The picture of one diagram; an orbit as small as in galleries."""
    portrait = diagram.portrait()
    if portrait is None:
        return _bare(diagram.svg())
    return _bare(svg_document(portrait.width, portrait.height, portrait.body, str(diagram)))


def map_view(f: Map) -> View:
    """A diagram or a sum, with its orders."""
    orders = {"orders": f"{written(f.dom)} → {written(f.cod)}"}
    if isinstance(f, Diagram):
        return orders | {"svg": card_svg(f), "text": str(f), "single": True}
    return orders | sum_view(f) | {"single": False}


def sum_view(
    f: Morphism, colours: Callable[[Diagram], Sequence[str]] | None = None, most: float = LINE
) -> View:
    """A sum as a picture in lines of at most this width, unless it is very long, and as text.

    ``colours`` gives those of a diagram's blocks, where they are to be those of another picture.
    """
    terms = f.written()
    if len(terms) > DRAWN_TERMS:
        return {"svg": "", "text": f"a sum of {len(terms):,} diagrams", "terms": len(terms)}
    if any(diagram.portrait() for _, diagram in terms):
        svg = f.svg()
    else:
        body, width, height = sum_group(terms, _EDGE, 0.0, most, colours)
        svg = svg_document(width + _EDGE, height, body, str(f))
    return {"svg": _bare(svg), "text": str(f), "terms": len(terms)}


def formula_of(diagram: Diagram, group: Group) -> str:
    """What the diagram does to a tensor, in index notation."""
    if isinstance(diagram, Orbit):
        return f"1 at {diagram.size:,} index tuples"
    if isinstance(diagram, BilabelledGraph):
        return "counts the maps of this graph to the host graph that keep edges and labels"
    try:
        return formula(diagram, "sum", "", group)
    except BackendError:
        # Index notation has no words for graphs and orbits as parts of diagrams of a product.
        return ""


def _bare(svg: str) -> str:
    """The picture without a style of its own: the page has one."""
    return svg.replace(STYLE, "").replace("\n", "")


def written(order: Any) -> Any:
    """An order, or the types of a word.

    >>> written(2), written((0, 1)), written(())
    (2, '0 1', '()')
    """
    return (" ".join(map(str, order)) or "()") if isinstance(order, tuple) else order


def still(session: Session) -> str:
    """The first page of the basis as one SVG picture, for where no widget runs.

    Raises SizeError where there are too many diagrams to browse.
    """
    diagrams = replace(session, panel="glue").listed[:PAGE]
    title = str(session.hom)
    panels = [diagram.portrait() for diagram in diagrams]
    if any(panels):
        return panels_svg([panel for panel in panels if panel], list(map(str, diagrams)), title)
    return gallery_svg(diagrams, title=title)
