"""A Hom space as a notebook shows it: what is known of it, and a card for each basis element.

A card has the number of its row in a layer's weight, the picture, the matrix where it is small, and
what :data:`FACTS` knows: the formula and the cost of applying it. Those come from the compiler, which
puts itself there: this file knows nothing of it, and galleries are there without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape
from itertools import islice
from math import prod
from typing import TYPE_CHECKING, Any

from tannaka.category.heatmap import MOST, matrix_svg
from tannaka.category.walks import written
from tannaka.diagrams.counts import readable
from tannaka.diagrams.diagram import length
from tannaka.diagrams.pictures.bundle import inline, sheet
from tannaka.diagrams.pictures.panels import panels_svg
from tannaka.diagrams.pictures.svg import gallery_svg, svg_document
from tannaka.diagrams.spaces.enumeration import LONGEST, SHOWN

if TYPE_CHECKING:
    from tannaka.category.hom import Hom

WHOLE = 203
"""A space of so many basis diagrams is shown whole: that is S(n), 3 -> 3."""
BYTES = 500_000
"""A gallery ends where its text is as long as this."""
RELATED = 100_000
"""Of more spanning diagrams, relations are not pointed to."""
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_WALKED, _LISTED = 16, 12


@dataclass(frozen=True, slots=True)
class Facts:
    """What applying one basis diagram alone to one channel is, and what it costs."""

    formula: str
    """In index notation, e.g. ``"y[i] += sum over j of x[ij]"``."""
    flops: Any
    """A multiply-add is 2; an integer, or an expression in n."""
    bytes: Any
    """Bytes moved in float32."""

    @property
    def cost(self) -> str:
        """The cost in words."""
        words = (f"{v:,}" if isinstance(v, int) else str(v) for v in (self.flops, self.bytes))
        return "{} flops, {} bytes".format(*words)


FACTS: list[Callable[[Hom, Any], Facts | None]] = []
"""What knows formula and cost of a basis diagram, or None; the compiler, where it is there."""


def facts(hom: Hom, diagram: Any) -> Facts | None:
    """The formula and the cost of a basis diagram, where anything knows them."""
    found = (known(hom, diagram) for known in FACTS)
    return next((one for one in found if one is not None), None)


def thumbnail(hom: Hom, diagram: Any) -> str:
    """A picture of the matrix of a diagram; empty where that is large or n is open.

    >>> from tannaka.category.hom import Hom
    >>> from tannaka.category.symmetric import S
    >>> hom = Hom(S(3), 1, 1)
    >>> thumbnail(hom, hom.basis()[0]).count("<svg"), thumbnail(Hom(S(99), 2, 2), None)
    (1, '')
    """
    if hom.group.open or not diagram_fits(hom):
        return ""
    rows, columns = hom.group.shape(hom.l), hom.group.shape(hom.k)
    parts = tuple(axes[0] if len(axes) > 1 else 1 for axes in (rows, columns))
    title = f"matrix of {diagram}, {prod(rows)} x {prod(columns)}"
    return matrix_svg(hom.group.matrix(diagram), title, (parts[0], parts[1]))


def diagram_fits(hom: Hom) -> bool:
    """Whether the matrices of a space are small enough to be drawn."""
    shapes = (hom.group.shape(hom.k), hom.group.shape(hom.l))
    return max(map(prod, shapes)) <= 64 and prod(map(prod, shapes)) <= MOST


def gallery_html(hom: Hom) -> str:
    """The space and its basis, or the first of it, as a piece of HTML."""
    head = f'<p class="tannaka-head"><b>{escape(str(hom))}</b></p>'
    lines = "".join(f"<p>{escape(line)}</p>" for line in about(hom))
    cards: list[str] = []
    spent, wide = 0, 0.0
    for row, diagram in enumerate(_shown(hom)):
        card, needed = _card(hom, row, diagram)
        spent, wide = spent + len(card), max(wide, needed)
        if spent > BYTES and cards:
            break
        cards.append(card)
    if not cards:
        return sheet(head + lines)
    kind = hom.group.displayed(hom.k, hom.l)[0]
    return sheet(
        f'{head}{lines}<div class="tannaka-cards" role="region" tabindex="0" '
        f'aria-label="{kind} of {escape(str(hom))}" style="--wide:{round(max(wide, 180))}px">'
        f"{''.join(cards)}</div>{_rest(hom, len(cards))}"
    )


def gallery_picture(hom: Hom) -> str:
    """The same pictures, with the text of each alone, as one SVG document."""
    shown = list(_shown(hom))
    note = "" if len(shown) == hom.dimension else f", the first {len(shown)}"
    title = f"{hom}{note}"
    if not shown:
        return svg_document(200, 24, "", title)
    portraits = [diagram.portrait() for diagram in shown]
    panels = [panel for panel in portraits if panel]
    if len(panels) == len(shown):
        captions = [str(diagram) for diagram in shown]
        while sum(len(panel.body) for panel in panels) > BYTES:
            panels.pop()
        return panels_svg(panels, captions[: len(panels)], title=title)
    return gallery_svg(shown, title=title)


def about(hom: Hom) -> list[str]:
    """What is known of a space, in lines of text.

    >>> from tannaka.category.hom import Hom
    >>> from tannaka.category.symmetric import S
    >>> for line in about(Hom(S(3), 2, 1)):
    ...     print(line)
    spanned by 5 diagrams; a closed loop is worth 3
    a block for each irreducible: 5 = 1·2 + 1·3, copies of [3], [21] in V¹ and in V²
    """
    group, lines = hom.group, []
    kind = group.displayed(hom.k, hom.l)[0]
    if kind == "orbits":
        lines.append("a basis of orbits of index tuples: matrices of 0 and 1 with disjoint entries")
    elif kind == "bilabelled graphs":
        lines.append(f"a basis of {kind}: entries count homomorphisms to the host graph")
    elif not group.open:
        span = f"spanned by {readable(hom.count)} diagram{'s' * (hom.count != 1)}"
        if hom.count > hom.dimension:
            span += f", {readable(hom.count - hom.dimension)} of them sums of others"
            span += " (hom.relations())" * (hom.count <= RELATED)
        worth = " or ".join(map(str, dict.fromkeys(group.loops)))
        lines.append(f"{span}; a closed loop is worth {worth}")
    walked = hom.has_blocks and length(hom.k) + length(hom.l) <= _WALKED
    blocks = hom.blocks() if walked else {}
    if blocks and len(blocks) <= _LISTED:
        products = " + ".join(f"{a}·{b}" for a, b in blocks.values())
        names = ", ".join(f"[{written(shape)}]" for shape in blocks)
        inputs, outputs = (f"V{str(order).translate(RAISED)}" for order in (hom.k, hom.l))
        once = inputs if hom.k == hom.l else f"{outputs} and in {inputs}"
        lines.append(
            f"a block for each irreducible: {hom.dimension:,} = {products}, "
            f"copies of {names} in {once}"
        )
    return lines


def _shown(hom: Hom) -> Iterable[Any]:
    """The elements of a gallery."""
    if length(hom.k) + length(hom.l) > LONGEST:
        return []
    _, elements, most = hom.group.displayed(hom.k, hom.l)
    return islice(iter(elements), min(most, hom.dimension if hom.dimension <= WHOLE else SHOWN))


def _rest(hom: Hom, shown: int) -> str:
    if shown == hom.dimension:
        return ""
    return (
        f"<p><small>the first {shown} of {readable(hom.dimension)}: hom.independent[i] is any of "
        "them, <code>tannaka basis --html</code> writes a page of thousands</small></p>"
    )


def _card(hom: Hom, row: int, diagram: Any) -> tuple[str, float]:
    """A card, and how wide its pictures are beside each other."""
    portrait = diagram.portrait()
    text = str(diagram)
    if portrait is None:
        picture = diagram.svg()
    else:
        picture = svg_document(portrait.width, portrait.height, portrait.body, text)
    pictures = [picture, thumbnail(hom, diagram)]
    known = facts(hom, diagram)
    below = f"<code>{escape(text)}</code>"
    if known:
        below += f"<code>{escape(known.formula)}</code><small>{escape(known.cost)}</small>"
    drawn = "".join(inline(one) for one in pictures if one)
    longest = max(len(text), len(known.formula) if known else 0)
    wide = sum(float(one.split('width="', 1)[1].split('"')[0]) + 14 for one in pictures if one)
    card = (
        f'<figure role="group" aria-label="row {row}"><small>{row}</small><div>{drawn}</div>'
        f"<figcaption>{below}</figcaption></figure>"
    )
    # A long formula may go over two lines.
    return card, max(wide + 14, min(7.7 * longest + 24, 290.0))
