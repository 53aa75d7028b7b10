"""The groups that the explorer offers, and how to write any group as Python and as an argument."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tannaka.category.alternating import A
from tannaka.category.automorphisms import Aut
from tannaka.category.groups import GROUPS, Group, MatrixGroup
from tannaka.category.groups import group as by_name
from tannaka.category.hyperoctahedral import H
from tannaka.category.orthogonal import SO, O
from tannaka.category.permutations import PermutationGroup
from tannaka.category.product import Product
from tannaka.category.symmetric import S
from tannaka.category.symplectic import Sp

MOST = 64
"""The largest n that the menu goes to; a group with a larger one is shown when it is given or named."""


@dataclass(frozen=True)
class Family:
    """Groups that the menu offers under one name, one for each n from ``least`` on by ``step``.

    ``make`` builds the group of an n, ``python`` is the text that builds it, with ``{n}`` in it; one
    of a single n has that n for ``only``.
    """

    key: str
    label: str
    make: Callable[[int], Group]
    python: str
    least: int = 1
    step: int = 1
    only: int | None = None

    def nearest(self, n: int) -> int:
        """The allowed number that is nearest to n, not above it unless it must be.

        >>> FAMILIES["Sp"].nearest(5), FAMILIES["Sp"].nearest(1), FAMILIES["petersen"].nearest(3)
        (4, 2, 10)
        """
        if self.only is not None:
            return self.only
        n = min(max(n, self.least), MOST)
        return n - (n - self.least) % self.step


def _cyclic(n: int) -> Group:
    return PermutationGroup([(*range(1, n), 0)], n)


def _graph(name: str, *sizes: int) -> Group:
    import networkx

    return Aut(getattr(networkx, name)(*sizes))


FAMILIES: dict[str, Family] = {
    family.key: family
    for family in (
        Family("S", "Sₙ: all permutations", S, "tn.S({n})"),
        Family("A", "Aₙ: even permutations", A, "tn.A({n})"),
        Family("H", "Hₙ: permutations and changes of sign", H, "tn.H({n})"),
        Family("O", "O(n): rotations and reflections", O, "tn.O({n})"),
        Family("SO", "SO(n): rotations", SO, "tn.SO({n})"),
        Family("Sp", "Sp(n): symplectic maps", Sp, "tn.Sp({n})", least=2, step=2),
        Family(
            "cyclic",
            "Cₙ: cyclic shifts",
            _cyclic,
            "tn.PermutationGroup([(*range(1, {n}), 0)], {n})",
        ),
        Family(
            "cycle",
            "Aut of the cycle with n vertices",
            lambda n: _graph("cycle_graph", n),
            "tn.Aut(networkx.cycle_graph({n}))",
            least=3,
        ),
        Family(
            "path",
            "Aut of the path with n vertices",
            lambda n: _graph("path_graph", n),
            "tn.Aut(networkx.path_graph({n}))",
        ),
        Family(
            "petersen",
            "Aut of the Petersen graph",
            lambda n: _graph("petersen_graph"),
            "tn.Aut(networkx.petersen_graph())",
            only=10,
        ),
        Family(
            "cube",
            "Aut of the cube",
            lambda n: _graph("cubical_graph"),
            "tn.Aut(networkx.cubical_graph())",
            only=8,
        ),
    )
}
"""The menu, by key."""
SHRINKING = ("S", "A", "H", "O", "SO", "Sp")
"""The families whose diagrams become dependent as n shrinks."""


def family_of(group: Group) -> Family | None:
    """The family of the menu that a group is in; None for any other group.

    >>> family_of(S(400)).key, family_of(S(2) * S(2))
    ('S', None)
    """
    if isinstance(group, MatrixGroup) and group.symbol in GROUPS:
        return FAMILIES.get(group.symbol)
    n = group.n
    if type(group) not in (Aut, PermutationGroup) or n > MOST:
        return None
    for family in FAMILIES.values():
        if family.key not in GROUPS and n == family.nearest(n) and family.make(n) == group:
            return family
    return None


def named(text: str) -> Group:
    """A group from what its user types, such as "S(3) x O(2)"; refuses open families."""
    found = by_name(text)
    check(found)
    return found


def check(group: Any) -> None:
    """Raise TypeError or ValueError for what the explorer cannot show."""
    if not isinstance(group, Group):
        raise TypeError(
            f"expected a group such as tn.S(5) or tn.O(3), got {group!r}; "
            "tn.group('S(5)') finds one by its name"
        )
    sizes = group.n if isinstance(group.n, tuple) else (group.n,)
    if None in sizes:
        raise ValueError(f"{group} has every n at once: name one, such as S(4)")


def python_of(group: Group) -> str:
    """Python that builds the group; ``G`` for one that only its user can build.

    >>> python_of(S(3) * O(2)), python_of(FAMILIES["cyclic"].make(5))
    ('tn.S(3) * tn.O(2)', 'tn.PermutationGroup([(*range(1, 5), 0)], 5)')
    """
    if isinstance(group, Product):
        factors = list(map(python_of, group.factors))
        return "G" if "G" in factors else " * ".join(factors)
    family = family_of(group)
    if family:
        return family.python.format(n=group.n)
    if isinstance(group, MatrixGroup) and str(group) == f"{group.symbol}({group.n})":
        return f"tn.{group}"
    return "G"


def argument_of(group: Group) -> str | None:
    """The group as an argument of the command line; None where that knows no name for it.

    >>> argument_of(S(34)), argument_of(S(3) * O(2)), argument_of(FAMILIES["cube"].make(8))
    ('S34', 'S3xO2', None)
    """
    name = str(group).replace(" ", "").replace("(", "").replace(")", "")
    try:
        return shlex.quote(name) if by_name(name) == group else None
    except (TypeError, ValueError):
        return None
