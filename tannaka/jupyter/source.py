"""What the explorer shows, as Python that makes it and as a command that writes it."""

from __future__ import annotations

import re
from typing import Any

from tannaka.category.orbitals import Orbit
from tannaka.diagrams.diagram import Diagram
from tannaka.diagrams.reading import FAMILIES as KINDS
from tannaka.diagrams.typed import Typed
from tannaka.jupyter import menu
from tannaka.jupyter.session import Map, Session


def code_of(session: Session) -> str:
    """Python that makes what is shown; it runs as it stands, once ``G`` is there where it says so.

    >>> from tannaka.category.symmetric import S
    >>> print(code_of(Session(S(3), 1, 1).pick(0)))
    import tannaka as tn
    <BLANKLINE>
    G = tn.S(3)
    hom = tn.Hom(G, 1, 1)
    f = tn.SetPartition(dom=1, cod=1, labels=(0, 0))
    """
    made = menu.python_of(session.group)
    lines = ["import tannaka as tn", ""]
    if "networkx" in made:
        lines.insert(0, "import networkx")
    if re.search(r"\bG\b", made):
        lines.append("# G is the group that the explorer was given")
    if made != "G":
        lines.append(f"G = {made}")
    lines.append(f"hom = tn.Hom(G, {session.k!r}, {session.l!r})")
    for slot in ("f", "g"):
        one = getattr(session, slot)
        if one is not None:
            lines.append(f"{slot} = {expression(one)}")
    if session.f is not None and (session.g is not None or session.operation == "dagger"):
        signs = {"compose": "f >> g", "tensor": "f @ g", "add": "f + g", "dagger": "f.dagger()"}
        lines.append(f"result = {signs[session.operation]}")
        lines.append("G.morphism(result)")
    if session.panel == "draw" and session.drawn is not None:
        lines.append(f"drawn = {expression(session.drawn)}")
        lines.append("G.morphism(drawn)")
    if session.panel == "layer":
        one = session.layer
        lines.append(
            f"tn.generate(G, {session.k!r}, {session.l!r}, {one.in_channels}, {one.out_channels}, "
            f'backend="{one.backend}")'
        )
    return "\n".join(lines)


def expression(f: Map, group: str = "G") -> str:
    """Python that makes a diagram or a sum, with ``tn`` and, for orbits, the ``group``.

    >>> from tannaka.diagrams.brauer import Brauer
    >>> expression(2 * Brauer.cup())
    '2 * tn.Brauer(dom=0, cod=2, pairs=((0, 1),))'
    """
    if isinstance(f, Orbit):
        return f'{group}.orbit("{f}")'
    if isinstance(f, Typed):
        parts = [expression(part, f"{group}.factors[{i}]") for i, part in enumerate(f.parts)]
        return f"tn.Typed(dom={f.dom!r}, cod={f.cod!r}, parts=({', '.join(parts)},))"
    if isinstance(f, Diagram):
        return re.sub(rf"\b({'|'.join(KINDS)})\(", r"tn.\1(", repr(f))
    terms = []
    for diagram, powers, value in f.items():
        if any(powers):
            raise ValueError(f"{f} has free symbols: put a number in first")
        scale = str(value) if value.denominator == 1 else f'Fraction("{value}")'
        terms.append(f"{scale} * {expression(diagram, group)}")
    if not terms:
        return f"tn.Morphism({f.dom!r}, {f.cod!r}, {{}})"
    return " + ".join(terms)


def command_of(session: Session) -> str:
    """The command that writes the layer; "" for a group that the command line has no name for.

    >>> from tannaka.category.symmetric import S
    >>> command_of(Session(S(4), 2, 1))
    'tannaka generate S4 2 1 --channels 16 32 --backend einsum -o layer.py'
    """
    group, one = menu.argument_of(session.group), session.layer
    if group is None:
        return ""
    orders = f"{_argument(session.k)} {_argument(session.l)}"
    channels = f"{one.in_channels} {one.out_channels}"
    return f"tannaka generate {group} {orders} --channels {channels} --backend {one.backend} -o layer.py"


def _argument(word: Any) -> str:
    """An order or a word as the command line takes it.

    >>> _argument(2), _argument((0, 1)), _argument((0,)), _argument(())
    ('2', '0,1', '0,', ',')
    """
    if not isinstance(word, tuple):
        return str(word)
    return ",".join(map(str, word)) + ("," if len(word) < 2 else "")
