"""What an object hands to a notebook: its formats, of which the front end shows one.

JupyterLab takes the first it knows of HTML, Markdown, LaTeX, SVG, text; VS Code, marimo and nbconvert
put HTML first too; Colab shows no SVG by itself; code hosts show SVG and tables of HTML, but no SVG
inside HTML. So whatever has a picture gives it twice, as ``image/svg+xml`` for files and as
``text/html``, where it stands in the page itself and takes the colour of its text in every theme;
and whatever has a formula has a picture in HTML beside it, so that the picture is what is seen.

Colours in HTML are the page's own, faint lines a grey that both themes show. Nothing has an id,
nothing refers elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from html import escape
from importlib.resources import files

from tannaka.diagrams.pictures.svg import STYLE

PLAIN, HTML, SVG, LATEX = "text/plain", "text/html", "image/svg+xml", "text/latex"


def mimebundle(
    formats: Mapping[str, Callable[[], str]],
    include: Collection[str] | None = None,
    exclude: Collection[str] | None = None,
) -> dict[str, str]:
    """The formats that are asked for, by their types; only those are made.

    ``include`` and ``exclude`` are as IPython hands them to ``_repr_mimebundle_``: types, or None.

    >>> mimebundle({PLAIN: lambda: "a", SVG: lambda: "<svg/>"}, exclude=[SVG])
    {'text/plain': 'a'}
    """
    left = set(formats) if not include else set(formats) & set(include)
    left -= set(exclude or ())
    return {name: make() for name, make in formats.items() if name in left}


def picture_formats(
    text: Callable[[], str],
    svg: Callable[[], str] | None,
    latex: Callable[[], str] | None = None,
) -> dict[str, Callable[[], str]]:
    """The formats of what is one picture, and a formula for LaTeX's math mode where there is one.

    Without a picture, which is None where it would be too large, there is the text alone.

    >>> list(picture_formats(lambda: "a", lambda: "<svg/>"))
    ['text/plain', 'image/svg+xml', 'text/html']
    """
    if svg is None:
        return {PLAIN: text}
    picture = svg
    formats = {PLAIN: text, SVG: picture, HTML: lambda: sheet(inline(picture()), styled=False)}
    if latex is not None:
        formula = latex
        formats[LATEX] = lambda: f"$\\displaystyle {formula()}$"
    return formats


def inline(svg: str) -> str:
    """An SVG document to stand in a page: without what it needs only where it stands alone.

    >>> from tannaka.diagrams.pictures.svg import svg_document
    >>> inline(svg_document(2, 2, "<path d='M0 1H2'/>", "a line")).count("<style>")
    0
    """
    return svg.replace(STYLE, "").replace("\n", "")


def sheet(body: str, styled: bool = True) -> str:
    """A piece of HTML as one output of a notebook.

    >>> sheet("<p>3</p>", styled=False)
    '<div class="tannaka" style="overflow-x:auto"><p>3</p></div>'
    """
    style = f"<style>{_css()}</style>" if styled else ""
    return f'<div class="tannaka" style="overflow-x:auto">{style}{body}</div>'


def table(
    heads: Collection[str], rows: Collection[Collection[str]], numbers: Collection[int] = ()
) -> str:
    """A table of HTML; cells are HTML already, heads are text. ``numbers`` are columns of numbers.

    >>> table(["n"], [["3"]], numbers=[0])
    '<table><thead><tr><th scope="col" class="number">n</th></tr></thead><tbody><tr><td class="number">3</td></tr></tbody></table>'
    """
    kinds = [' class="number"' if i in numbers else "" for i in range(len(heads))]
    head = "".join(
        f'<th scope="col"{kind}>{escape(word)}</th>'
        for kind, word in zip(kinds, heads, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


@lru_cache(maxsize=1)
def _css() -> str:
    text = (files("tannaka.diagrams.pictures") / "sheet.css").read_text("utf-8")
    return text.replace("\n", "")
