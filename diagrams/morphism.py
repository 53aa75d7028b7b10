"""Morphisms: exact formal sums of diagrams, with coefficients polynomial in n.

Composing two diagrams closes loops, and each loop is worth n; sums keep those powers apart, so a
morphism is a finite table ``(diagram, power of n) -> rational number``; diagrams on axes of several
kinds have a symbol for each kind, and the power is a tuple. A determinant vertex with n legs says
which number n is, and then n is put in: coefficients are numbers. SymPy is imported only when
someone asks for the coefficients as expressions.
"""

from __future__ import annotations

import operator
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from fractions import Fraction
from math import prod
from numbers import Rational
from typing import TYPE_CHECKING, Any

from tannaka.diagrams.errors import CompositionError
from tannaka.diagrams.pictures.bundle import mimebundle, picture_formats
from tannaka.diagrams.pictures.formulas import latex_index
from tannaka.diagrams.pictures.panels import panel_sum_svg
from tannaka.diagrams.pictures.svg import sum_svg
from tannaka.diagrams.pictures.text import sum_text

if TYPE_CHECKING:
    import sympy

    from tannaka.diagrams.diagram import Diagram, Terms


Powers = tuple[int, ...]
Values = tuple[int | None, ...]
MAX_DRAWN = 600
"""Most vertices of all diagrams of a sum that a notebook draws unasked."""


class Morphism:
    """A formal sum of diagrams dom -> cod of one category, with coefficients in Q[n].

    Immutable. ``f >> g`` is "first f, then g", ``f @ g`` side by side, ``f + g``, ``2 * f``.
    Two morphisms are equal when they have the same diagrams with the same polynomials.

    ``table`` gives a coefficient for each (diagram, power of n). ``n`` puts a number in for the
    symbol n, here and in whatever this is composed with; a determinant vertex does so by itself.

    Raises CompositionError where the diagrams are not all dom -> cod and of one category.

    >>> from tannaka.diagrams.brauer import Brauer
    >>> e = Brauer.cap() >> Brauer.cup()
    >>> print(e >> e)
    n (0 1 | 2 3)
    >>> print(e + 2 * Brauer.identity(2))
    (0 1 | 2 3) + 2 (0 2 | 1 3)
    >>> print(Morphism(2, 2, {(Brauer.identity(2), 2): 1}, n=5))
    25 (0 2 | 1 3)
    >>> print(sum([Brauer.identity(2), -Brauer.swap()]))
    (0 2 | 1 3) - (0 3 | 1 2)
    """

    __slots__ = ("_table", "cod", "dom", "values")

    dom: Any
    cod: Any
    values: Values
    """The number put in for each symbol, None where it is free; empty for the empty sum."""
    _table: dict[tuple[Diagram, Powers], Fraction]

    def __init__(
        self,
        dom: Any,
        cod: Any,
        table: Mapping[tuple[Diagram, Any], Fraction | int],
        n: int | Values | None = None,
    ) -> None:
        values = _numbers(n if isinstance(n, tuple) else () if n is None else (n,))
        categories = []
        for diagram, _ in table:
            if not hasattr(diagram, "then"):
                raise TypeError(f"a morphism is a sum of diagrams, got {diagram!r}")
            if (diagram.dom, diagram.cod) != (dom, cod):
                raise CompositionError(
                    f"the diagram ({diagram}) is {diagram.dom} -> {diagram.cod}, "
                    f"not {dom} -> {cod} like the rest of the sum"
                )
            if diagram.category not in categories:
                categories.append(diagram.category)
            values = _merged(values, diagram.fixed)
        if len(categories) > 1:
            names = " and ".join(sorted({type(diagram).__name__ for diagram, _ in table}))
            raise CompositionError(f"a morphism holds diagrams of one category, got {names}")
        total: dict[tuple[Diagram, Powers], Fraction] = defaultdict(Fraction)
        for (diagram, power), coefficient in table.items():
            powers = (0,) * len(values) if power == 0 else power
            powers = powers if isinstance(powers, tuple) else (powers,)
            if len(powers) != len(values) or any(type(p) is not int or p < 0 for p in powers):
                raise TypeError(
                    f"the power of {', '.join(diagram.symbols)} must be an integer >= 0, "
                    f"got {power!r}"
                )
            kept, more, sign = diagram.normal()
            left, scale = [], exact(coefficient) * sign
            for p, q, value in zip(powers, more, values, strict=True):
                left.append(p + q if value is None else 0)
                scale *= 1 if value is None else value ** (p + q)
            total[kept, tuple(left)] += scale
        object.__setattr__(self, "dom", dom)
        object.__setattr__(self, "cod", cod)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "_table", {key: value for key, value in total.items() if value})

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a Morphism is immutable; build another one")

    def __reduce__(self) -> tuple[Any, ...]:
        return Morphism, (self.dom, self.cod, self._table, self.values)

    @staticmethod
    def of(diagram: Diagram | Morphism) -> Morphism:
        """A single diagram, as a morphism; a morphism is returned as it is."""
        if isinstance(diagram, Morphism):
            return diagram
        if not hasattr(diagram, "then"):
            raise TypeError(f"expected a diagram or a morphism, got {type(diagram).__name__}")
        return Morphism(diagram.dom, diagram.cod, {(diagram, 0): 1})

    def diagrams(self) -> tuple[Diagram, ...]:
        """The diagrams of the sum, each once, in the order of their text."""
        return tuple(sorted({diagram for diagram, _ in self._table}, key=str))

    def items(self) -> Iterator[tuple[Diagram, Powers, Fraction]]:
        """The terms as (diagram, power of each symbol, coefficient)."""
        return ((diagram, powers, value) for (diagram, powers), value in self._table.items())

    @property
    def terms(self) -> dict[Diagram, sympy.Expr]:
        """The coefficient of each diagram, as a SymPy polynomial in the symbol ``n``.

        >>> from tannaka.diagrams.brauer import Brauer
        >>> (Brauer.cup() >> Brauer.cap()).terms
        {Brauer(dom=0, cod=0, pairs=()): n}
        """
        import sympy

        terms: dict[Diagram, sympy.Expr] = defaultdict(lambda: sympy.Integer(0))
        for (diagram, powers), value in self._table.items():
            term = sympy.Rational(value.numerator, value.denominator)
            for symbol, power in zip(diagram.symbols, powers, strict=True):
                term *= sympy.Symbol(symbol) ** power
            terms[diagram] += term
        return dict(terms)

    def at(self, *n: int) -> dict[Diagram, Fraction]:
        """The coefficients with the number n put in; diagrams whose coefficient vanishes are left out.

        On axes of several kinds, a number for each. Raises ValueError where a determinant vertex
        says that n is another number.

        >>> from tannaka.diagrams.brauer import Brauer
        >>> (Brauer.cup() >> Brauer.cap()).at(3)
        {Brauer(dom=0, cod=0, pairs=()): Fraction(3, 1)}
        """
        try:
            given = tuple(map(operator.index, n))
        except TypeError:
            raise TypeError(f"n must be an integer, got {n[0] if len(n) == 1 else n!r}") from None
        if self.values and len(given) != len(self.values):
            raise TypeError(f"there are {len(self.values)} numbers to put in, got {len(given)}")
        values: dict[Diagram, Fraction] = defaultdict(Fraction)
        for fixed, number in zip(self.values, given, strict=bool(self.values)):
            if fixed is not None and fixed != number:
                raise ValueError(f"n is {fixed} in {self}, it cannot be {number}")
        for (diagram, powers), value in self._table.items():
            values[diagram] += value * prod(n**p for n, p in zip(given, powers, strict=True))
        return {diagram: value for diagram, value in values.items() if value}

    def dagger(self) -> Morphism:
        """Flip every diagram upside down."""
        flipped = {(d.dagger(), powers): c for (d, powers), c in self._table.items()}
        return Morphism(self.cod, self.dom, flipped, self.values)

    def __rshift__(self, other: Diagram | Morphism) -> Morphism:
        other = self.of(other)
        if self.cod != other.dom:
            raise CompositionError(
                f"cannot compose {self} >> {other}: "
                f"the first has {self.cod} outputs, the second {other.dom} inputs"
            )
        table = self._product(other, lambda f, g: f.composites(g))
        return Morphism(self.dom, other.cod, table, _merged(self.values, other.values))

    def __rrshift__(self, other: Diagram) -> Morphism:
        return self.of(other) >> self

    def __matmul__(self, other: Diagram | Morphism) -> Morphism:
        other = self.of(other)
        table = self._product(other, lambda f, g: f.juxtapositions(g))
        dom, cod = self.dom + other.dom, self.cod + other.cod
        return Morphism(dom, cod, table, _merged(self.values, other.values))

    def _product(
        self, other: Morphism, multiplied: Callable[[Diagram, Diagram], Terms]
    ) -> dict[tuple[Diagram, Powers], Fraction]:
        """The products of all terms with all terms of the other, added up."""
        table: dict[tuple[Diagram, Powers], Fraction] = defaultdict(Fraction)
        for (f, p), a in self._table.items():
            for (g, q), b in other._table.items():
                for (diagram, r), c in multiplied(f, g).items():
                    table[diagram, tuple(map(sum, zip(p, q, r, strict=True)))] += a * b * c
        return table

    def __rmatmul__(self, other: Diagram) -> Morphism:
        return self.of(other) @ self

    def __add__(self, other: Diagram | Morphism) -> Morphism:
        other = self.of(other)
        if (self.dom, self.cod) != (other.dom, other.cod):
            raise CompositionError(
                f"cannot add {self}, which is {self.dom} -> {self.cod}, "
                f"and {other}, which is {other.dom} -> {other.cod}"
            )
        table = defaultdict(Fraction, self._table)
        for key, value in other._table.items():
            table[key] += value
        return Morphism(self.dom, self.cod, table, _merged(self.values, other.values))

    def __radd__(self, other: Diagram | int) -> Morphism:
        # The builtin sum starts from the number 0.
        return self if type(other) is int and other == 0 else self + other  # type: ignore[operator]

    def __neg__(self) -> Morphism:
        return self * -1

    def __sub__(self, other: Diagram | Morphism) -> Morphism:
        return self + -self.of(other)

    def __rsub__(self, other: Diagram) -> Morphism:
        return self.of(other) - self

    def __mul__(self, scalar: Any) -> Morphism:
        """Multiply by an integer, a rational, or a SymPy polynomial in the symbol ``n``."""
        symbols = next((diagram.symbols for diagram, _ in self._table), ("n",))
        table: dict[tuple[Diagram, Powers], Fraction] = defaultdict(Fraction)
        for p, a in _polynomial(scalar, symbols):
            for (diagram, q), b in self._table.items():
                table[diagram, tuple(map(sum, zip(p, q, strict=True)))] += a * b
        return Morphism(self.dom, self.cod, table, self.values)

    __rmul__ = __mul__

    def __truediv__(self, scalar: Any) -> Morphism:
        """Divide by an integer or a rational, exactly.

        >>> from tannaka.diagrams.brauer import Brauer
        >>> print((Brauer.identity(2) + Brauer.swap()) / 2)
        1/2 (0 2 | 1 3) + 1/2 (0 3 | 1 2)
        """
        return self * (1 / exact(scalar))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Morphism):
            return NotImplemented
        return (self.dom, self.cod, self._table) == (other.dom, other.cod, other._table)

    def __hash__(self) -> int:
        return hash((self.dom, self.cod, frozenset(self._table.items())))

    def __bool__(self) -> bool:
        return bool(self._table)

    def text(self, width: int = 80) -> str:
        """Draw in a terminal: coefficients and diagrams, in lines of at most this width.

        >>> from tannaka.diagrams.brauer import Brauer
        >>> print((Brauer.identity(2) + 2 * Brauer.swap()).text())
        0 1       0   1
        │ │  + 2  ╰───│─╮
        2 3       ╭───╯ │
                  2     3
        """
        # What cannot be told apart by its rows is written.
        terms = self.written()
        portrayed = terms and terms[0][1].portrait()
        return str(self) if portrayed else sum_text(terms, width)

    def svg(self) -> str:
        """Draw as a self-contained SVG picture: coefficients and diagrams in lines."""
        drawn = [(words, diagram.portrait()) for words, diagram in self.written()]
        panels = [(words, panel) for words, panel in drawn if panel]
        if panels:
            return panel_sum_svg(panels, title=str(self))
        return sum_svg(self.written(), title=str(self))

    def latex(self) -> str:
        r"""The sum as a formula for LaTeX, each diagram as d with its blocks as index.

        >>> from tannaka.diagrams.brauer import Brauer
        >>> print((Brauer.cup() >> Brauer.cap() >> Brauer.cup()).latex())
        n \, d_{0\,1}
        >>> print((Brauer.identity(1) * Fraction(-1, 2)).latex())
        - \tfrac{1}{2} \, d_{0\,1}
        """
        return self._formula(lambda diagram: f"d_{{{latex_index(str(diagram))}}}")

    def tikz(self) -> str:
        """The sum for LaTeX's math mode, each diagram drawn as a ``tikzpicture``.

        >>> from tannaka.diagrams.brauer import Brauer
        >>> (2 * Brauer.identity(2) - Brauer.swap()).tikz().count("begin{tikzpicture}")
        2
        """
        return self._formula(lambda diagram: diagram.tikz())

    def _formula(self, shown: Callable[[Diagram], str]) -> str:
        words: list[str] = []
        for coefficient, diagram in self.written():
            scale = re.sub(r"(\d+)/(\d+)", r"\\tfrac{\1}{\2}", coefficient.strip())
            scale = re.sub(r"\^(\d+)", r"^{\1}", scale)
            scale = re.sub(r"\bn(\d+)", r"n_{\1}", scale).removeprefix("-")
            sign = "-" if coefficient.startswith("-") else "+" if words else ""
            words.append(" ".join(filter(None, [sign, scale and f"{scale} \\,", shown(diagram)])))
        return " ".join(words) or "0"

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        vertices = sum(diagram.top + diagram.bottom + 1 for diagram in self.diagrams())
        drawn = vertices <= MAX_DRAWN
        return mimebundle(
            picture_formats(self.__repr__, self.svg if drawn else None, self.latex),
            include,
            exclude,
        )

    def written(self) -> list[tuple[str, Diagram]]:
        """The terms as (coefficient, diagram), in the order of the diagrams' text.

        >>> from tannaka.diagrams.brauer import Brauer
        >>> (Brauer.cup() >> Brauer.cap()).written()
        [('n ', Brauer(dom=0, cod=0, pairs=()))]
        """
        by_diagram: dict[Diagram, list[tuple[Powers, Fraction]]] = defaultdict(list)
        for (diagram, powers), value in self._table.items():
            by_diagram[diagram].append((powers, value))
        return [
            (_coefficient(sorted(polynomial, reverse=True), diagram.symbols), diagram)
            for diagram, polynomial in sorted(by_diagram.items(), key=lambda term: str(term[0]))
        ]

    def __str__(self) -> str:
        parts = [f"{coefficient}({diagram})" for coefficient, diagram in self.written()]
        return " + ".join(parts).replace("+ -", "- ") or "0"

    def __repr__(self) -> str:
        return f"<Morphism {self.dom} -> {self.cod}: {self}>"


def exact(value: Any) -> Fraction:
    """An integer or rational of any library as a Fraction of Python integers, which do not overflow.

    >>> exact(3)
    Fraction(3, 1)
    """
    if not isinstance(value, Rational) or isinstance(value, bool):
        raise TypeError(f"coefficients are exact, integers or fractions, got {value!r}")
    return Fraction(int(value.numerator), int(value.denominator))


def _numbers(values: tuple[Any, ...]) -> Values:
    """Numbers for symbols as Python integers, which do not overflow; None where there is none."""
    try:
        if not any(isinstance(value, bool) for value in values):
            return tuple(None if value is None else operator.index(value) for value in values)
    except TypeError:
        pass
    given = values[0] if len(values) == 1 else values
    raise TypeError(f"n must be an integer, or None where it is free, got {given!r}")


def _merged(a: Values, b: Values) -> Values:
    """The numbers that two morphisms put in for their symbols, together."""
    if not a or not b:
        return a or b
    if len(a) != len(b):
        raise CompositionError(f"one morphism has {len(a)} kinds of axes, the other {len(b)}")
    for x, y in zip(a, b, strict=True):
        if x is not None and y is not None and x != y:
            raise CompositionError(f"n is {x} in one morphism and {y} in the other")
    return tuple(y if x is None else x for x, y in zip(a, b, strict=True))


def _polynomial(scalar: Any, symbols: tuple[str, ...]) -> Iterable[tuple[Powers, Fraction]]:
    """The scalar as (power of each symbol, coefficient) pairs."""
    if isinstance(scalar, Rational):
        return [((0,) * len(symbols), exact(scalar))]
    if hasattr(scalar, "is_polynomial") and scalar.is_polynomial():
        import sympy

        terms = sympy.Poly(scalar, *map(sympy.Symbol, symbols)).terms()
        if all(coefficient.is_Rational for _, coefficient in terms):
            return [(powers, Fraction(int(c.p), int(c.q))) for powers, c in terms]
    # 1/n is no polynomial, and what is written with it is of one n at a time.
    way_out = ""
    if getattr(scalar, "free_symbols", None):
        way_out = "; to divide by n, take its number, and the sum in one group: group.morphism(f)"
    raise TypeError(
        f"a morphism is multiplied by integers, fractions or SymPy polynomials in "
        f"{', '.join(symbols)}, got {scalar!r}{way_out}"
    )


def _coefficient(polynomial: list[tuple[Powers, Fraction]], symbols: tuple[str, ...]) -> str:
    """A coefficient as it stands before its diagram; the coefficient 1 is not written."""
    words = []
    for powers, value in polynomial:
        symbol = " ".join(
            name if power == 1 else f"{name}^{power}"
            for name, power in zip(symbols, powers, strict=True)
            if power
        )
        if value == 1 and symbol:
            words.append(symbol)
        elif value == -1 and symbol:
            words.append("-" + symbol)
        else:
            words.append(f"{value} {symbol}".strip())
    if len(words) > 1:
        return "(" + " + ".join(words).replace("+ -", "- ") + ") "
    return {"1": "", "-1": "-"}.get(words[0], words[0] + " ")
