"""The panels of the explorer: gluing, the matrix, shrinking n, drawing, and the layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tannaka.category.groups import MatrixGroup
from tannaka.category.hom import Hom
from tannaka.category.hyperoctahedral import H
from tannaka.category.orbitals import Orbit
from tannaka.category.product import Product
from tannaka.diagrams.counts import readable
from tannaka.diagrams.diagram import Diagram, length
from tannaka.diagrams.errors import CompositionError, SizeError
from tannaka.diagrams.morphism import Morphism
from tannaka.diagrams.pictures.markup import diagram_group, room
from tannaka.diagrams.pictures.picture import picture
from tannaka.diagrams.pictures.sketch import Sketch
from tannaka.diagrams.pictures.steps import compose_steps
from tannaka.jupyter.gluing import Gluing, composed, flipped, side_by_side
from tannaka.jupyter.heat import check_shown, heat_map, incidence, pattern
from tannaka.jupyter.pad import BLANK, DET, Pad
from tannaka.jupyter.pictures import View, card_svg, formula_of, sum_view, written
from tannaka.jupyter.session import BACKENDS, LEFT_PAGE, Map, Session, reduced
from tannaka.jupyter.shrinking import dependent, dimensions, shrinking_family
from tannaka.jupyter.source import command_of, expression

_PAD_SCALE = 62.0
_RELATED = 440.0
"""Width of a line of the right side of a relation, in pixels."""


def _glue(session: Session) -> View:
    """What becomes of f and g."""
    result = session.result
    if result is None:
        need = "a diagram for f" if session.f is None else "a second diagram, for g"
        return {"waiting": f"choose {need}"}
    gluing = _gluing(session)
    colours, told = _strokes(session, gluing), ""
    try:
        equal = reduced(session.group, result)
    except SizeError as error:
        equal, told = result, str(error)
    same = equal.diagrams() == result.diagrams()
    return {
        "gluing": gluing.to_json() if gluing else None,
        "orders": f"{written(result.dom)} → {written(result.cod)}",
        "formal": sum_view(result, colours),
        "reduced": sum_view(equal, colours if same else None) if equal != result else None,
        "told": told,
        "at": _at(session),
    }


def _strokes(session: Session, gluing: Gluing | None) -> Any:
    """The colours that the glued pieces have, for what comes out of them."""
    if gluing is None or session.operation != "compose":
        return None
    f: Any = session.f
    return compose_steps(f, session.g).strokes


def _gluing(session: Session) -> Gluing | None:
    """The frames, where f and g are single diagrams that show themselves by their rows."""
    f, g = session.f, session.g
    if not isinstance(f, Diagram) or isinstance(f, Orbit):
        return None
    if session.operation == "dagger":
        return flipped(f)
    if not isinstance(g, Diagram) or isinstance(g, Orbit) or session.operation == "add":
        return None
    return composed(f, g) if session.operation == "compose" else side_by_side(f, g)


def _at(session: Session) -> str:
    """What is put in for loops, in words."""
    group = session.group
    if isinstance(group, MatrixGroup):
        if group.loop != group.n:
            worth = str(group.loop).replace("-", "\N{MINUS SIGN}")
            return f"in {group}, where a loop is worth {worth}"
        return f"in {group}, where n = {group.n}"
    return f"in {group}"


def _subject(session: Session) -> Map:
    """The map whose matrix is shown."""
    found = session.drawn if session.subject == "drawn" else getattr(session, session.subject)
    if found is None:
        missing = {"drawn": "no diagram is drawn yet", "result": "f and g are not both chosen yet"}
        raise ValueError(missing.get(session.subject, f"{session.subject} is not chosen yet"))
    return found  # type: ignore[no-any-return]


def _subjects(session: Session) -> list[str]:
    """What there is to look at."""
    known = {"space": True, "f": session.f is not None, "g": session.g is not None}
    try:
        known["result"] = session.result is not None
    except CompositionError:
        known["result"] = False
    known["drawn"] = session.drawn is not None
    return [name for name, there in known.items() if there]


def _matrix(session: Session) -> View:
    """The matrix of what is looked at, or the pattern that all matrices share."""
    head: View = {"subject": session.subject, "subjects": _subjects(session)}
    try:
        if session.subject == "space":
            found = pattern(session.group, session.k, session.l)
            zero = 0 in found["cells"]
            number = len(found["words"]) - 1
            words = f"{number} classes of entries that are equal in every equivariant matrix" + (
                "; entries left blank are zero in all" if zero else ""
            )
            return head | {"map": found, "words": words, "text": str(session.hom)}
        one = _subject(session)
        found = heat_map(session.group, one)
    except (TypeError, ValueError) as error:
        return head | {"refused": str(error)}
    nonzero = sum(found["values"][cell] != 0 for cell in found["cells"])
    words = f"{nonzero:,} of {len(found['cells']):,} entries are not zero"
    return head | {"map": found, "words": words, "text": str(one)}


def _shrink(session: Session) -> View:
    """How dimension and number of diagrams compare from n to n, and what the dependent ones equal."""
    family = shrinking_family(session.group)
    rows = dimensions(session.group, session.k, session.l)
    view: View = {
        "rows": rows,
        "n": session.group.n,
        "symbol": family.key,
        "independent": session.hom.count == session.hom.dimension,
    }
    if session.left is not None:
        return view | {"left": _relation(session, session.left), "relations": [], "pages": 1}
    try:
        outside = dependent(session.group, session.k, session.l)
    except ValueError as error:
        return view | {"told": str(error), "relations": [], "pages": 1}
    start = session.left_page * LEFT_PAGE
    shown = outside[start : start + LEFT_PAGE]
    try:
        relations = [_relation(session, one) for one in shown]
    except SizeError as error:
        return view | {"told": str(error).replace("result", "d"), "relations": [], "pages": 1}
    return view | {
        "relations": relations,
        "page": session.left_page,
        "pages": max(1, -(-len(outside) // LEFT_PAGE)),
        "count": readable(len(outside)),
    }


def _relation(session: Session, diagram: Diagram) -> View:
    equal = reduced(session.group, diagram)
    return {"svg": card_svg(diagram), "text": str(diagram), "equal": sum_view(equal, most=_RELATED)}


@dataclass(frozen=True)
class _Sketched:
    """What is drawn so far, for whoever draws diagrams."""

    shown: Sketch

    def sketch(self) -> Sketch:
        """What there is to draw."""
        return self.shown


def _draw(session: Session) -> View:
    """The page that is drawn on, and what has been drawn."""
    pad = session.pad
    assert pad is not None
    return _page(pad) | _outcome(session, pad)


def _page(pad: Pad) -> View:
    """The picture so far, and where strokes may start and end, in pixels."""
    sketch = pad.sketch()
    shown = _Sketched(sketch)
    above, below = room(sketch)
    edge = 30.0
    shape = picture(shown).placed(0, 0, _PAD_SCALE)
    wide, high = max(shape.width, 4 * _PAD_SCALE), shape.height
    x, y = edge + (wide - shape.width) / 2, edge + above
    shape = picture(shown).placed(x, y, _PAD_SCALE)
    top = length(pad.l)
    spots = [
        {
            "end": vertex,
            "x": at[0],
            "y": at[1],
            "label": f"{'output' if vertex < top else 'input'} {vertex}",
        }
        for vertex, at in enumerate(shape.vertices)
    ]
    # A vertex of a graph can be met where it stands, too, not only at its labels.
    spots += [
        {"end": min(block), "x": node.at[0], "y": node.at[1], "label": f"vertex {number}"}
        for number, (block, node) in enumerate(zip(pad.blocks, shape.nodes, strict=False))
    ]
    width = wide + 2 * edge
    if pad.has_determinant:
        width += 1.6 * _PAD_SCALE
    return {
        "width": width,
        "height": high + above + below + 2 * edge,
        "body": diagram_group(shown, x, y, _PAD_SCALE),
        "spots": spots,
        "handle": {"end": DET, "x": wide + 2 * edge + 0.5 * _PAD_SCALE, "y": y + high / 2}
        if pad.has_determinant
        else None,
        "blank": BLANK,
        "legs": len(pad.legs),
        "edges": pad.has_edges,
        "strokes": len(pad.strokes),
        "rule": _rule(pad),
    }


def _rule(pad: Pad) -> str:
    """What strokes do here, in words."""
    group = pad.group
    if pad.has_edges:
        return (
            "drag an edge from vertex to vertex, or into the open for a vertex without label; "
            "a strand puts two labels on one vertex"
        )
    if pad.matches:
        rule = "drag from point to point: every point has exactly one partner"
        return rule + (
            f", or all {group.n} legs of a determinant are in use" if pad.has_determinant else ""
        )
    if isinstance(group, Product):
        return "drag from point to point, within the axes of one factor"
    rule = "drag from point to point: points that hang together are a block"
    if isinstance(group, H):
        return rule + ", and all blocks are even"
    return rule + (
        f"; a determinant has {group.n} legs to different blocks, one may end in the open"
        if pad.has_determinant
        else ""
    )


def _outcome(session: Session, pad: Pad) -> View:
    missing = pad.missing()
    if missing:
        return {"missing": missing}
    drawn, group, hom = pad.diagram(), session.group, session.hom
    shown: View = {
        "missing": "",
        "text": str(drawn),
        "python": expression(drawn),
        "formula": formula_of(drawn, group),
        "number": None,
        "equal": None,
        "told": "",
        "at": _at(session),
    }
    try:
        equal = reduced(group, drawn)
    except SizeError as error:
        return shown | {"told": str(error).replace("result", "drawn")}
    if equal == Morphism(drawn.dom, drawn.cod, {(drawn, 0): 1}, n=group.loops):
        return shown | {"number": hom.independent.index(drawn)}
    return shown | {"equal": sum_view(equal)}


def _layer(session: Session) -> View:
    """The layer that is asked for, and its source once it is written."""
    one, hom = session.layer, session.hom
    bias = Hom(session.group, _nothing(session.k), session.l).dimension
    weights = hom.dimension * one.in_channels * one.out_channels
    times = " \N{MULTIPLICATION SIGN} "
    shape = times.join(map(str, (readable(hom.dimension), one.out_channels, one.in_channels)))
    biases = f"{readable(bias)}{times}{one.out_channels}"
    return {
        "in_channels": one.in_channels,
        "out_channels": one.out_channels,
        "backend": one.backend,
        "backends": list(BACKENDS),
        "weights": f"{shape} = {readable(weights)} weights",
        "biases": f"{biases} = {readable(bias * one.out_channels)} biases",
        "shell": command_of(session),
        "source": one.code.source if one.code else "",
        "name": one.code.name if one.code else "",
    }


PANELS: dict[str, Callable[[Session], View]] = {
    "glue": _glue,
    "matrix": _matrix,
    "shrink": _shrink,
    "draw": _draw,
    "layer": _layer,
}
"""What there is to see in each panel; each raises TypeError or ValueError where it cannot be shown."""


def _nothing(word: object) -> object:
    return () if isinstance(word, tuple) else 0


def entry(session: Session, row: int, column: int) -> View:
    """One entry of the matrix that is shown: which basis diagrams are not zero there.

    >>> from tannaka.category.symmetric import S
    >>> [one["number"] for one in entry(Session(S(2), 1, 1), 0, 1)["rows"]]
    [1]
    """
    k, l = session.k, session.l
    if session.subject != "space":
        one = _subject(session)
        k, l = one.dom, one.cod
    rows, columns = check_shown(session.group, k, l)
    if not (0 <= row < rows and 0 <= column < columns):
        raise ValueError(f"the matrix is {rows} by {columns}: there is no entry {row}, {column}")
    found = incidence(session.group, k, l).get(row * columns + column, ())
    return {
        "row": row,
        "column": column,
        "rows": [{"number": number, "value": str(value)} for number, value in found],
        "dimension": readable(Hom(session.group, k, l).dimension),
        # Whether the diagrams are those of the gallery.
        "own": (k, l) == (session.k, session.l) and not session.spanning,
    }
