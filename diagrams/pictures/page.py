"""Many diagrams as one page of HTML: self-contained, opened from disk, with no network at all.

The page holds all pictures but shows 200 at once, so that thousands stay quick; ``page.js`` turns
the pages, finds a row by its number and rows by the words below their pictures. It is light or dark
by the reader's preference. Where no script may run, the first 200 are there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

from tannaka.diagrams.pictures.svg import STYLE

PAGE = 200
"""How many pictures are shown at once."""
WHOLE = 250
"""So many pictures are shown on one page yet."""
# Nothing is fetched, whatever a picture may hold.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


@dataclass(frozen=True, slots=True)
class Card:
    """One picture of a page: the text of an SVG document, and what stands below it."""

    svg: str
    text: str
    formula: str = ""
    note: str = ""
    beside: str = ""
    """Another SVG document, beside the picture."""


def gallery_page(
    title: str, cards: Iterable[Card], total: int, about: Sequence[str] = ()
) -> Iterator[str]:
    """The page in pieces, in constant memory; ``total`` is how many cards there are.

    ``about`` are lines of text below the title.

    >>> from tannaka.diagrams.partition import SetPartition
    >>> card = Card(SetPartition.cup().svg(), "0 1", "y[ii] += x[]")
    >>> page = "".join(gallery_page("a cup", [card], 1))
    >>> page.count("<svg"), "http://www.w3.org" in page.replace("http://www.w3.org/2000/svg", "")
    (1, False)
    """
    folder = files("tannaka.diagrams.pictures")
    style, script = ((folder / name).read_text("utf-8") for name in ("page.css", "page.js"))
    yield (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<header>\n"
        f"<h1>{escape(title)}</h1>\n"
        '<nav aria-label="pages" hidden>\n'
        '<input type="search" aria-label="row number, or words to look for" '
        'placeholder="row or words">\n'
        '<div>\n<button type="button" aria-label="first page">\u00ab</button>\n'
        '<button type="button" aria-label="page before">\u2039</button>\n'
        '<output aria-live="polite"></output>\n'
        '<button type="button" aria-label="page after">\u203a</button>\n'
        '<button type="button" aria-label="last page">\u00bb</button>\n'
        "</div>\n</nav>\n</header>\n"
    )
    if about:
        yield "".join(f'<p class="about">{escape(line)}</p>\n' for line in about)
    size = WHOLE if total <= WHOLE else PAGE
    if total > size:
        yield f"<noscript>The first {size} of {total:,}: a script turns the pages.</noscript>\n"
    number = -1
    for number, card in enumerate(cards):
        if number == 0:
            yield f'<main data-size="{size}" style="--wide: {_width(card)}px">\n'
        elif number == size:
            yield '</main>\n<script type="text/plain" id="rest">\n'
        yield _figure(number, card)
    if number < 0:
        yield f'<main data-size="{size}" style="--wide: 250px">\n'
    if number < size:
        yield '</main>\n<script type="text/plain" id="rest">\n'
    yield f"</script>\n<script>\n{script}</script>\n</body>\n</html>\n"


def _figure(number: int, card: Card) -> str:
    """A card in one line, by which the script tells them apart."""
    drawing = "".join(
        svg.replace(STYLE, "").replace("\n", "") for svg in (card.svg, card.beside) if svg
    )
    below = f"<code>{escape(card.text)}</code>"
    below += f"<code>{escape(card.formula)}</code>" if card.formula else ""
    below += f"<small>{escape(card.note)}</small>" if card.note else ""
    return (
        f'<figure id="{number}"><a href="#{number}" aria-label="row {number}">{number}</a>'
        f"<div>{drawing}</div><figcaption>{below}</figcaption></figure>\n"
    )


def _width(card: Card) -> int:
    """How wide a column is: as wide as the first pictures beside each other, and never narrow."""
    pictures = [svg for svg in (card.svg, card.beside) if svg]
    widths = [float(svg.split('width="', 1)[1].split('"')[0]) + 20 for svg in pictures]
    return max(250, min(600, round(sum(widths)) + 20))
