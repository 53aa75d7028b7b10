"""Source text as a notebook shows it: coloured where Pygments is there, which comes with IPython.

Colours are mixed with that of the page's text, so that they can be read in any theme.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from importlib.util import find_spec

from tannaka.diagrams.pictures.bundle import HTML, PLAIN, sheet

LONGEST = 60_000
"""Longer source is shown as far as this."""
_COLOURS = {
    "Comment": "#7f7f7f",
    "String": "#009e73",
    "Keyword": "#0072b2",
    "Number": "#d55e00",
    "Function": "#0072b2",
    "Class": "#0072b2",
    "Decorator": "#cc79a7",
}


def listing_formats(
    source: str, headline: str, text: Callable[[], str]
) -> dict[str, Callable[[], str]]:
    """The formats that a notebook is given of generated source.

    >>> html = listing_formats("x = 1", "one line", lambda: "...")["text/html"]()
    >>> "<pre" in html, "script" in html
    (True, False)
    """

    def html() -> str:
        shown = source if len(source) <= LONGEST else source[:LONGEST].rsplit("\n", 1)[0]
        lines = "" if shown == source else "<p><small>and more: print it</small></p>"
        return sheet(
            f'<p class="tannaka-head"><b>{escape(headline)}</b></p><div class="tannaka-scroll" '
            f'role="region" tabindex="0" aria-label="source"><pre>{coloured(shown)}</pre></div>{lines}'
        )

    return {PLAIN: text, HTML: html}


def coloured(source: str) -> str:
    """Python source as HTML that stands in a ``pre``; plain where Pygments is not there."""
    if find_spec("pygments") is None:
        return escape(source)
    from pygments import lex
    from pygments.lexers import PythonLexer

    parts = []
    for token, text in lex(source, PythonLexer(stripnl=False)):
        kind = next((part for part in reversed(token) if part in _COLOURS), None)
        words = escape(text)
        if kind is None or not text.strip():
            parts.append(words)
            continue
        colour = _COLOURS[kind]
        mixed = f"color-mix(in srgb,{colour} 65%,currentColor)"
        parts.append(f'<span style="color:{colour};color:{mixed}">{words}</span>')
    return "".join(parts)
