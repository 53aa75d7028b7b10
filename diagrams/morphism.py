"""Morphisms: exact formal sums of diagrams, with coefficients polynomial in n.

Composing two diagrams closes loops, and each loop is worth n; sums keep those powers apart, so a
morphism is a finite table ``(diagram, power of n) -> rational number``. SymPy is imported only when
someone asks for the coefficients as expressions.
"""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Iterable, Mapping
from fractions import Fraction
from numbers import Rational
from typing import TYPE_CHECKING, Any

from tannaka.diagrams.errors import CompositionError
from tannaka.diagrams.svg import sum_svg

if TYPE_CHECKING:
    import sympy

    from tannaka.diagrams.diagram import Diagram


class Morphism:
    """A formal sum of diagrams dom -> cod of one family, with coefficients in Q[n].

    Immutable. ``f >> g`` is "first f, then g", ``f @ g`` side by side, ``f + g``, ``2 * f``.
    Two morphisms are equal when they have the same diagrams with the same polynomials.

    >>> from tannaka.diagrams.brauer import Brauer
    >>> e = Brauer.cap() >> Brauer.cup()
    >>> print(e >> e)
    n (0 1 | 2 3)
    >>> print(e + 2 * Brauer.identity(2))
    (0 1 | 2 3) + 2 (0 2 | 1 3)
    """

    __slots__ = ("_table", "cod", "dom")

    dom: int
    cod: int
    _table: dict[tuple[Diagram, int], Fraction]

    def __init__(
        self, dom: int, cod: int, table: Mapping[tuple[Diagram, int], Fraction | int]
    ) -> None:
        families = {type(diagram) for diagram, _ in table}
        if len(families) > 1:
            names = " and ".join(sorted(family.__name__ for family in families))
            raise CompositionError(f"a morphism holds diagrams of one family, got {names}")
        for diagram, power in table:
            if type(power) is not int or power < 0:
                raise TypeError(f"the power of n must be an integer >= 0, got {power!r}")
            if (diagram.dom, diagram.cod) != (dom, cod):
                raise CompositionError(
                    f"the diagram ({diagram}) is {diagram.dom} -> {diagram.cod}, "
                    f"not {dom} -> {cod} like the rest of the sum"
                )
        object.__setattr__(self, "dom", dom)
        object.__setattr__(self, "cod", cod)
        object.__setattr__(
            self, "_table", {key: exact(value) for key, value in table.items() if value}
        )

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a Morphism is immutable; build another one")

    def __reduce__(self) -> tuple[Any, ...]:
        return Morphism, (self.dom, self.cod, self._table)

    @staticmethod
    def of(diagram: Diagram | Morphism) -> Morphism:
        """A single diagram, as a morphism; a morphism is returned as it is."""
        if isinstance(diagram, Morphism):
            return diagram
        if not hasattr(diagram, "then"):
            raise TypeError(f"expected a diagram or a morphism, got {type(diagram).__name__}")
        return Morphism(diagram.dom, diagram.cod, {(diagram, 0): 1})

    @property
    def terms(self) -> dict[Diagram, sympy.Expr]:
        """The coefficient of each diagram, as a SymPy polynomial in the symbol ``n``.

        >>> from tannaka.diagrams.brauer import Brauer
        >>> (Brauer.cup() >> Brauer.cap()).terms
        {Brauer(dom=0, cod=0, pairs=()): n}
        """
        import sympy

        n = sympy.Symbol("n")
        terms: dict[Diagram, sympy.Expr] = defaultdict(lambda: sympy.Integer(0))
        for (diagram, power), value in self._table.items():
            terms[diagram] += sympy.Rational(value.numerator, value.denominator) * n**power
        return dict(terms)

    def at(self, n: int) -> dict[Diagram, Fraction]:
        """The coefficients with the number n put in; diagrams whose coefficient vanishes are left out.

        >>> from tannaka.diagrams.brauer import Brauer
        >>> (Brauer.cup() >> Brauer.cap()).at(3)
        {Brauer(dom=0, cod=0, pairs=()): Fraction(3, 1)}
        """
        try:
            n = operator.index(n)
        except TypeError:
            raise TypeError(f"n must be an integer, got {n!r}") from None
        values: dict[Diagram, Fraction] = defaultdict(Fraction)
        for (diagram, power), value in self._table.items():
            values[diagram] += value * n**power
        return {diagram: value for diagram, value in values.items() if value}

    def dagger(self) -> Morphism:
        """Flip every diagram upside down."""
        return Morphism(
            self.cod, self.dom, {(d.dagger(), power): c for (d, power), c in self._table.items()}
        )

    def __rshift__(self, other: Diagram | Morphism) -> Morphism:
        other = self.of(other)
        if self.cod != other.dom:
            raise CompositionError(
                f"cannot compose {self} >> {other}: "
                f"the first has {self.cod} outputs, the second {other.dom} inputs"
            )
        table: dict[tuple[Diagram, int], Fraction] = defaultdict(Fraction)
        for (f, p), a in self._table.items():
            for (g, q), b in other._table.items():
                composite, closed = f.then(g)
                table[composite, p + q + closed] += a * b
        return Morphism(self.dom, other.cod, table)

    def __rrshift__(self, other: Diagram) -> Morphism:
        return self.of(other) >> self

    def __matmul__(self, other: Diagram | Morphism) -> Morphism:
        other = self.of(other)
        table: dict[tuple[Diagram, int], Fraction] = defaultdict(Fraction)
        for (f, p), a in self._table.items():
            for (g, q), b in other._table.items():
                table[f.tensor(g), p + q] += a * b
        return Morphism(self.dom + other.dom, self.cod + other.cod, table)

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
        return Morphism(self.dom, self.cod, table)

    __radd__ = __add__

    def __neg__(self) -> Morphism:
        return self * -1

    def __sub__(self, other: Diagram | Morphism) -> Morphism:
        return self + -self.of(other)

    def __rsub__(self, other: Diagram) -> Morphism:
        return self.of(other) - self

    def __mul__(self, scalar: Any) -> Morphism:
        """Multiply by an integer, a rational, or a SymPy polynomial in the symbol ``n``."""
        table: dict[tuple[Diagram, int], Fraction] = defaultdict(Fraction)
        for p, a in _polynomial(scalar):
            for (diagram, q), b in self._table.items():
                table[diagram, p + q] += a * b
        return Morphism(self.dom, self.cod, table)

    __rmul__ = __mul__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Morphism):
            return NotImplemented
        return (self.dom, self.cod, self._table) == (other.dom, other.cod, other._table)

    def __hash__(self) -> int:
        return hash((self.dom, self.cod, frozenset(self._table.items())))

    def __bool__(self) -> bool:
        return bool(self._table)

    def svg(self) -> str:
        """Draw as a self-contained SVG picture: coefficients and diagrams in one line."""
        return sum_svg(self._written(), title=str(self))

    def _repr_mimebundle_(self, **_: object) -> Mapping[str, str]:
        return {"image/svg+xml": self.svg(), "text/plain": repr(self)}

    def _written(self) -> list[tuple[str, Diagram]]:
        """The terms as (coefficient, diagram), in the order of the diagrams' text."""
        by_diagram: dict[Diagram, list[tuple[int, Fraction]]] = defaultdict(list)
        for (diagram, power), value in self._table.items():
            by_diagram[diagram].append((power, value))
        return [
            (_coefficient(sorted(polynomial, reverse=True)), diagram)
            for diagram, polynomial in sorted(by_diagram.items(), key=lambda term: str(term[0]))
        ]

    def __str__(self) -> str:
        parts = [f"{coefficient}({diagram})" for coefficient, diagram in self._written()]
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


def _polynomial(scalar: Any) -> Iterable[tuple[int, Fraction]]:
    """The scalar as (power of n, coefficient) pairs."""
    if isinstance(scalar, Rational):
        return [(0, exact(scalar))]
    if hasattr(scalar, "is_polynomial") and scalar.is_polynomial():
        import sympy

        n = sympy.Symbol("n")
        terms = sympy.Poly(scalar, n).terms()
        if all(coefficient.is_Rational for _, coefficient in terms):
            return [(power, Fraction(int(c.p), int(c.q))) for (power,), c in terms]
    raise TypeError(
        f"a morphism is multiplied by integers, fractions or SymPy polynomials in n, got {scalar!r}"
    )


def _coefficient(polynomial: list[tuple[int, Fraction]]) -> str:
    """A coefficient as it stands before its diagram; the coefficient 1 is not written."""
    words = []
    for power, value in polynomial:
        symbol = {0: "", 1: "n"}.get(power, f"n^{power}")
        if value == 1 and symbol:
            words.append(symbol)
        elif value == -1 and symbol:
            words.append("-" + symbol)
        else:
            words.append(f"{value} {symbol}".strip())
    if len(words) > 1:
        return "(" + " + ".join(words).replace("+ -", "- ") + ") "
    return {"1": "", "-1": "-"}.get(words[0], words[0] + " ")
