"""Diagrams and formal sums from text and from JSON, and sums as JSON.

A sum is written as it prints: ``2 (0 1 | 2 3) - 1/2 n (0 2 | 1 3)``, a coefficient, which is a
polynomial in the symbols of its diagrams, before each diagram in parentheses. One diagram may stand
without them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from tannaka.diagrams.bilabelled import BilabelledGraph
from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.diagram import Diagram, length, text_of
from tannaka.diagrams.grood import Grood
from tannaka.diagrams.jellyfish import Jellyfish
from tannaka.diagrams.morphism import Morphism
from tannaka.diagrams.partition import SetPartition
from tannaka.diagrams.typed import Typed
from tannaka.diagrams.walled import WalledBrauer

FAMILIES: dict[str, type[Diagram]] = {
    family.__name__: family
    for family in (SetPartition, Brauer, Grood, Jellyfish, BilabelledGraph, Typed, WalledBrauer)
}
"""The families of diagrams, by the names that their data has."""

HIGHEST = 100_000
"""The highest degree of a coefficient that is read: numbers grow as long as it is high."""

_MONOMIAL = r"(?:\d+(?:/\d+)?)?(?:\s*n\d*(?:\^\d+)?)*"
_TERM = re.compile(
    rf"\s*(?P<sign>[+-]?)\s*(?:\((?P<sum>[^()]*)\)|(?P<plain>{_MONOMIAL}))\s*\((?P<diagram>[^()]*)\)"
)


def diagram_from_json(data: Any) -> Any:
    """A diagram of any family from what its ``to_json`` gives.

    Raises TypeError or ValueError for anything else.

    >>> diagram_from_json({"family": "Brauer", "dom": 0, "cod": 2, "blocks": [[0, 1]]})
    Brauer(dom=0, cod=2, pairs=((0, 1),))
    """
    if not isinstance(data, Mapping):
        raise TypeError(f"a diagram's data is a mapping, as to_json gives it, got {data!r}")
    family = data.get("family")
    if not isinstance(family, str) or family not in FAMILIES:
        raise ValueError(f"the family of a diagram is one of {', '.join(FAMILIES)}, got {family!r}")
    try:
        return FAMILIES[family].from_json(data)
    except (AttributeError, IndexError, KeyError) as error:
        raise ValueError(f"this is no {family}: {dict(data)}") from error


def sum_to_json(f: Diagram | Morphism) -> dict[str, Any]:
    """A formal sum as data that ``json.dumps`` takes; :func:`sum_from_json` reads it back.

    >>> sum_to_json(2 * Brauer.cup())["terms"]
    [{'coefficient': '2', 'diagram': {'family': 'Brauer', 'dom': 0, 'cod': 2, 'blocks': [[0, 1]]}}]
    """
    f = Morphism.of(f)
    terms = [
        {"coefficient": _number(words), "diagram": diagram.to_json()}
        for words, diagram in f.written()
    ]
    return {"dom": _listed(f.dom), "cod": _listed(f.cod), "terms": terms}


def sum_from_json(data: Any) -> Morphism:
    """A formal sum from what :func:`sum_to_json` gives, or one diagram from what ``to_json`` gives.

    Raises TypeError or ValueError for anything else.

    >>> sum_from_json(sum_to_json(2 * Brauer.cup())) == 2 * Brauer.cup()
    True
    """
    if not isinstance(data, Mapping) or "terms" not in data:
        return Morphism.of(diagram_from_json(data))
    terms = data["terms"]
    if not isinstance(terms, list) or not all(
        isinstance(term, Mapping) and isinstance(term.get("coefficient"), str | int)
        for term in terms
    ):
        raise ValueError("the terms of a sum are a list of coefficients, as text, with diagrams")
    if not {"dom", "cod"} <= data.keys():
        raise ValueError("a sum's data has dom and cod beside its terms")
    dom, cod = (tuple(x) if isinstance(x, list) else x for x in (data["dom"], data["cod"]))
    found = []
    for term in terms:
        diagram = diagram_from_json(term.get("diagram"))
        found.append((str(term["coefficient"]).strip(), diagram))
    return _added(dom, cod, found)


def read_sum(dom: Any, cod: Any, text: str, read: Callable[[str], Diagram]) -> Morphism:
    """A formal sum dom -> cod from its text; ``read`` reads the diagrams in it.

    Raises ValueError for text that is neither a sum nor what ``read`` takes.

    >>> def read(text):
    ...     return Brauer.parse(2, 2, text)
    >>> print(read_sum(2, 2, "2 (0 1 | 2 3) - n (0 2 | 1 3)", read))
    2 (0 1 | 2 3) - n (0 2 | 1 3)
    >>> print(read_sum(2, 2, "0 2 | 1 3", read))
    (0 2 | 1 3)
    """
    # "0" is the empty sum, but for one vertex, which has that number.
    if text_of(text).strip() == "0" and length(dom) + length(cod) != 1:
        return Morphism(dom, cod, {})
    if "(" not in text:
        return Morphism.of(read(text.strip()))
    found: list[tuple[str, Diagram]] = []
    at = 0
    while text[at:].strip():
        term = _TERM.match(text, at)
        if term is None or (found and not term["sign"]):
            raise ValueError(
                f"{text!r} is not a sum such as '2 (0 1 | 2 3) - n (0 2 | 1 3)': see "
                f"{text[at:].strip()!r}"
            )
        coefficient = term["plain"] if term["sum"] is None else f"({term['sum']})"
        found.append((term["sign"].strip("+") + coefficient.strip(), read(term["diagram"].strip())))
        at = term.end()
    return _added(dom, cod, found)


def _added(dom: Any, cod: Any, terms: list[tuple[str, Diagram]]) -> Morphism:
    table: dict[tuple[Diagram, tuple[int, ...]], Fraction] = defaultdict(Fraction)
    for words, diagram in terms:
        for powers, value in _polynomial(words, diagram.symbols):
            table[diagram, powers] += value
    return Morphism(dom, cod, table)


def _polynomial(words: str, symbols: tuple[str, ...]) -> Iterator[tuple[tuple[int, ...], Fraction]]:
    """A coefficient as (power of each symbol, number): "-1/2 n^2", "(n + 1)", "-(n)", "" for 1."""
    refused = f"a coefficient is a polynomial such as 2, 1/2 n^2 or (n - 1), got {words!r}"
    sign = -1 if words.startswith("-") else 1
    inner = words.removeprefix("-").strip()
    bare = not inner.startswith("(")
    inner = inner if bare else inner.removeprefix("(").removesuffix(")").strip()
    pieces = re.split(r"([+-])", inner if inner.startswith("-") else f"+{inner}")[1:]
    for operation, piece in zip(pieces[::2], map(str.strip, pieces[1::2]), strict=True):
        if not re.fullmatch(_MONOMIAL, piece) or not (piece or (bare and len(pieces) == 2)):
            raise ValueError(refused)
        number = re.match(r"\d+(?:/\d+)?", piece)
        try:
            value = Fraction(number[0]) if number else Fraction(1)
        except ZeroDivisionError:
            raise ValueError(refused) from None
        powers = dict.fromkeys(symbols, 0)
        for symbol, power in re.findall(r"(n\d*)(?:\^(\d+))?", piece):
            if symbol not in powers:
                raise ValueError(f"a coefficient here is in {', '.join(symbols)}, got {words!r}")
            powers[symbol] += int(power or 1)
        if sum(powers.values()) > HIGHEST:
            raise ValueError(f"a coefficient has a degree of at most {HIGHEST:,}, got {words!r}")
        yield tuple(powers.values()), value * sign * (-1 if operation == "-" else 1)


def _number(words: str) -> str:
    """A coefficient as it stands alone.

    >>> _number(""), _number("-"), _number("2 n "), _number("(n + 1) ")
    ('1', '-1', '2 n', '(n + 1)')
    """
    return {"": "1", "-": "-1"}.get(words.strip(), words.strip())


def _listed(word: Any) -> Any:
    return list(word) if isinstance(word, tuple) else word
