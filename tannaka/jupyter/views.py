"""What there is to see of a session, as data for the page: pictures as SVG, everything else as text.

Where something cannot be shown, ``refused`` says why in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tannaka.category.groups import Group, MatrixGroup
from tannaka.category.hyperoctahedral import H
from tannaka.category.product import Product
from tannaka.diagrams.counts import readable
from tannaka.jupyter import menu
from tannaka.jupyter.panels import PANELS
from tannaka.jupyter.pictures import View, card_svg, formula_of, map_view, written
from tannaka.jupyter.session import PAGE, Session
from tannaka.jupyter.source import code_of

_NAMES = {
    "SetPartition": "set partitions",
    "Brauer": "perfect matchings",
    "Grood": "matchings with a determinant",
    "Jellyfish": "jellyfish",
    "BilabelledGraph": "bilabelled graphs",
    "Orbit": "orbits of index tuples",
}


def view(session: Session) -> dict[str, View]:
    """All sections of the page, by name.

    >>> from tannaka.category.symmetric import S
    >>> found = view(Session(S(3), 1, 1))
    >>> found["space"]["dimension"], len(found["gallery"]["cards"])
    ('2', 2)
    """
    shown = {}
    for name, section in SECTIONS.items():
        try:
            shown[name] = section(session)
        except (TypeError, ValueError, RuntimeError) as error:
            shown[name] = {"refused": str(error)}
    return shown


def _space(session: Session) -> View:
    """The heading: which space this is, its dimension, and the controls."""
    group, hom = session.group, session.hom
    family = menu.family_of(group)
    return {
        "name": str(group),
        "label": _label(group),
        "family": family.key if family else "",
        "families": [{"key": one.key, "label": one.label} for one in menu.FAMILIES.values()],
        "n": group.n if isinstance(group.n, int) else None,
        "ns": _numbers(family, group.n),
        "k": written(session.k),
        "l": written(session.l),
        "typed": isinstance(group, Product),
        "dimension": readable(hom.dimension),
        "words": _words(session),
    }


def _gallery(session: Session) -> View:
    """A page of the basis, or of all spanning diagrams where n shrinks."""
    listed, start, hom = session.listed, session.page * PAGE, session.hom
    cards = []
    for number, diagram in enumerate(listed[start : start + PAGE], start):
        outside = session.spanning and diagram not in hom.independent
        cards.append(
            {
                "number": number,
                "svg": card_svg(diagram),
                "text": str(diagram),
                "formula": formula_of(diagram, session.group),
                "slots": [slot for slot in ("f", "g") if getattr(session, slot) == diagram],
                "outside": outside,
                "shown": outside and diagram == session.left,
            }
        )
    return {
        "cards": cards,
        "page": session.page,
        "pages": session.pages,
        "count": readable(listed.count),
        "spanning": session.spanning,
        "dependent": readable(hom.count - hom.dimension) if session.spanning else "",
    }


def _chosen(session: Session) -> View:
    """F and g, and the operation."""
    slots = []
    for slot in ("f", "g"):
        one = getattr(session, slot)
        slots.append({"slot": slot} | ({"empty": True} if one is None else map_view(one)))
    return {"slots": slots, "operation": session.operation, "panel": session.panel}


def _panel(session: Session) -> View:
    """The open panel."""
    try:
        shown = PANELS[session.panel](session)
    except (TypeError, ValueError, RuntimeError) as error:
        shown = {"refused": str(error)}
    return {"kind": session.panel} | shown


def _python(session: Session) -> View:
    """Python that makes what is shown."""
    return {"code": code_of(session)}


SECTIONS: dict[str, Callable[[Session], View]] = {
    "space": _space,
    "gallery": _gallery,
    "chosen": _chosen,
    "panel": _panel,
    "python": _python,
}
"""What the page consists of."""


def _label(group: Group) -> list[str]:
    """The group's name in pieces: as it stands, then as an index, and so on in turns."""
    if isinstance(group, Product):
        pieces: list[str] = []
        for factor in group.factors:
            pieces += [" \N{MULTIPLICATION SIGN} ", "", *_label(factor)]
        return pieces[2:]
    family = menu.family_of(group)
    short = {"S": "S", "A": "A", "H": "H", "cyclic": "C"}.get(family.key if family else "")
    return [short, str(group.n)] if short else [str(group), ""]


def _numbers(family: menu.Family | None, n: Any) -> View | None:
    if family is None or family.only:
        return None
    # The field shows the n of a group with more than the menu has, from where one can go back.
    return {"least": family.least, "most": max(menu.MOST, n), "step": family.step}


def _words(session: Session) -> str:
    """What the diagrams of the group are, and how many span."""
    hom, group = session.hom, session.group
    if isinstance(group, Product):
        return "diagrams of each factor, side by side"
    kinds = [kind.__name__ for kind in group.families]
    if not isinstance(group, MatrixGroup):
        # Set partitions are diagrams of a permutation group too, but sums of what is in its basis.
        return f"a basis of {_NAMES[next(kind for kind in kinds if kind != 'SetPartition')]}"
    spanned = " and ".join(_NAMES[kind] for kind in kinds)
    if isinstance(group, H):
        spanned += " with even blocks"
    if hom.count == hom.dimension:
        return f"{spanned}, all independent"
    return f"a basis among {readable(hom.count)} {spanned}"
