"""What becomes dependent when n is small: spanning diagrams as sums of basis diagrams, as pictures."""

from __future__ import annotations

from collections.abc import Collection
from html import escape
from itertools import islice
from typing import Any

from tannaka.diagrams.counts import readable
from tannaka.diagrams.morphism import Morphism
from tannaka.diagrams.pictures.bundle import HTML, PLAIN, SVG, inline, mimebundle, sheet
from tannaka.diagrams.pictures.markup import MONO, font, line
from tannaka.diagrams.pictures.panels import Panel, diagram_panel, list_svg, sum_panel

SHOWN = 40
"""How many relations a notebook shows."""
MAX_TERMS = 60
"""Most terms of a sum that is drawn; a longer one is counted."""


ALL_TERMS = 200
"""Most diagrams of all relations that are shown."""


class Relations(dict[Any, Morphism]):
    """Each spanning diagram outside the basis, with the sum of basis diagrams that it equals.

    A dictionary that shows itself in a notebook: this diagram = that sum. ``title`` says where.
    """

    def __init__(self, found: dict[Any, Morphism], title: str) -> None:
        super().__init__(found)
        self.title = title

    def svg(self) -> str:
        """The first relations as one self-contained SVG picture, each an equation.

        >>> from tannaka.category import Hom, O
        >>> Hom(O(1), 2, 2).relations().svg().count(">=</text>")
        2
        """
        panels = [_equation(one, other) for one, other in self._shown()]
        return list_svg(panels, title=self.title)

    def text(self) -> str:
        """The relations in lines of text."""
        lines = [f"{diagram}  =  {equal}" for diagram, equal in self._shown()]
        return "\n".join([self.title, *lines, *self._rest()])

    def _shown(self) -> list[tuple[Any, Morphism]]:
        """The first relations, as many as have few terms together; one at least."""
        shown: list[tuple[Any, Morphism]] = []
        terms = 0
        for diagram, equal in islice(self.items(), SHOWN):
            terms += 1 + len(equal.diagrams())
            if shown and terms > ALL_TERMS:
                break
            shown.append((diagram, equal))
        return shown

    def _rest(self) -> list[str]:
        left = len(self) - len(self._shown())
        return [f"and {readable(left)} more: this is a dictionary"] if left > 0 else []

    def _html(self) -> str:
        if not self:
            return sheet(f"<p>{escape(self.title)}</p>", styled=False)
        rest = "".join(f"<p><small>{words}</small></p>" for words in self._rest())
        return sheet(inline(self.svg()) + rest, styled=False)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # IPython would print this as any dictionary.
        del cycle
        printer.text(self.text())

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        formats = {PLAIN: self.text, SVG: self.svg, HTML: self._html}
        if not self:
            del formats[SVG]
        return mimebundle(formats, include, exclude)


def _equation(diagram: Any, equal: Morphism) -> Panel:
    """A diagram, an equality sign, and a sum, their middles at one height."""
    left = diagram_panel(diagram)
    terms = equal.written()
    if len(terms) > MAX_TERMS:
        words = f"a sum of {len(terms)} basis diagrams"
        right = Panel(8.0 * len(words), 24.0, line(words, 0, 17, font(13, MONO, "start")))
    else:
        right = sum_panel(terms)
    tall = max(left.height, right.height)
    sign = line("=", left.width + 16, tall / 2 + 5, font(16, MONO))
    body = [
        left.at(0, (tall - left.height) / 2),
        sign,
        right.at(left.width + 32, (tall - right.height) / 2),
    ]
    return Panel(left.width + 32 + right.width, tall, "\n".join(body))
