"""How a file speaks of the sizes of axes: one n, a tuple of them, or what it reads from its input."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from tannaka.category.groups import Group, MatrixGroup
from tannaka.category.product import Product
from tannaka.category.symplectic import Sp
from tannaka.codegen.lowering.choose import AnyPlan
from tannaka.codegen.network import Word, word
from tannaka.codegen.notation import shape
from tannaka.codegen.plan import Plan
from tannaka.codegen.task import Task

QUICK = 10**5
"""Most entries of a tensor that a file tests itself with at the size of its layer."""
LARGEST = 1000
"""The largest size of a group element in it."""
WRITTEN = 3 * 10**7
"""Most entries that its reference writes for one test, for all diagrams together."""
OPEN = 5
"""The size of axes that a layer of a family tests itself with."""


@dataclass(frozen=True)
class Axes:
    """The types of axes that a layer has, and their sizes."""

    plan: AnyPlan

    @cached_property
    def factors(self) -> tuple[MatrixGroup, ...]:
        """The group of each type."""
        group = self._group
        factors = group.factors if isinstance(group, Product) else (group,)
        assert all(isinstance(factor, MatrixGroup) for factor in factors)
        return factors  # type: ignore[return-value]

    @property
    def _group(self) -> Group:
        return self.plan.group if isinstance(self.plan, Task) else self.plan.hom.group

    @property
    def group(self) -> str:
        """What the group is called; a graph may have any name, and files no more than plain text."""
        return re.sub(r"[^A-Za-z0-9 (),.+-]", "_", str(self._group))

    @property
    def typed(self) -> bool:
        """Whether axes have types, so that there is a size for each."""
        return not isinstance(self.plan.dom, int)

    @property
    def fixed(self) -> bool:
        """Whether the kernel knows the sizes, and is not told them."""
        return not isinstance(self.plan, Plan)

    @cached_property
    def sizes(self) -> tuple[int | None, ...]:
        """The size of each type; None for one that is read from the input."""
        return tuple(factor.n for factor in self.factors)

    @property
    def open(self) -> tuple[int, ...]:
        """The types whose sizes are read from the input."""
        return tuple(kind for kind, size in enumerate(self.sizes) if size is None)

    @property
    def inputs(self) -> Word:
        """The type of each axis of an input."""
        return word(self.plan.dom)

    @property
    def outputs(self) -> Word:
        """The type of each axis of an output."""
        return word(self.plan.cod)

    def free(self, kind: int) -> bool:
        """Whether the kernel does the same at other sizes of this type: its diagrams have no legs."""
        if not isinstance(self.plan, Plan):
            return False
        legs = (
            found.types[vertex[0]]
            for found in self.plan.networks + self.plan.bias_networks
            for vertex in found.legs
        )
        return kind not in set(legs)

    def tests(self) -> list[tuple[int, ...]]:
        """Sizes at which the kernel is compared with the reference: small, and no two types alike."""
        if self.fixed:
            return [tuple(size or OPEN for size in self.sizes)]
        found: list[tuple[int, ...]] = []
        for turn in (0, 1):
            sizes = []
            for kind, (factor, own) in enumerate(zip(self.factors, self.sizes, strict=True)):
                small = 2 + (kind + turn) % 2
                if isinstance(factor, Sp):
                    small = 2 * small - 2
                sizes.append(small if self.free(kind) or own is None else own)
            found.append(tuple(sizes))
        distinct = list(dict.fromkeys(found))
        quick = [sizes for sizes in distinct if self._written(sizes) <= WRITTEN]
        return quick or [min(distinct, key=self._written)]

    def _written(self, sizes: Sequence[int]) -> int:
        """How many entries the matrices of all diagrams have."""
        every = math.prod(sizes[kind] for kind in self.inputs + self.outputs)
        return every * max(1, len(self.plan.basis))

    def own(self) -> tuple[int, ...]:
        """The sizes of the layer, or as near to them as a quick test can go."""
        sizes = [OPEN if size is None else size for size in self.sizes]
        least = [2 if isinstance(factor, Sp) else 1 for factor in self.factors]
        # Group elements are matrices, also where tensors are small.
        sizes = [min(size, LARGEST) if self.free(kind) else size for kind, size in enumerate(sizes)]
        while self.largest(sizes) > QUICK:
            shrinking = [
                kind for kind, size in enumerate(sizes) if self.free(kind) and size > least[kind]
            ]
            if not shrinking:
                break
            kind = max(shrinking, key=sizes.__getitem__)
            # Even sizes stay even.
            sizes[kind] -= 2 if isinstance(self.factors[kind], Sp) else 1
        return tuple(sizes)

    def largest(self, sizes: Sequence[int]) -> int:
        """How many entries input or output have in one channel, whichever is larger."""
        return max(math.prod(sizes[kind] for kind in side) for side in (self.inputs, self.outputs))

    @property
    def masked(self) -> int | None:
        """The type whose points a mask may hide, if there is one."""
        found = set(self.open) & {*self.inputs, *self.outputs}
        return found.pop() if len(self.open) == 1 and found else None

    # How the file says it.

    @property
    def n_type(self) -> str:
        """The type of what says the sizes."""
        return "tuple[int, ...]" if self.typed else "int"

    @property
    def n_argument(self) -> str:
        """The last argument of the kernel, where it takes the sizes."""
        return "" if self.fixed else ", n"

    @property
    def n_parameter(self) -> str:
        """The same in a signature."""
        return "" if self.fixed else f", n: {self.n_type}"

    @property
    def n(self) -> str:
        """The name of the sizes in functions that take them where the kernel does."""
        return "N" if self.fixed else "n"

    @property
    def n_variable(self) -> str:
        """The same where a layer knows it or has read it."""
        return ("sizes" if self.typed else "n") if self.open else "N"

    def literal(self, sizes: Sequence[int | None]) -> str:
        """Sizes as the file writes them."""
        return repr(tuple(sizes)) if self.typed else repr(sizes[0])

    def of(self, side: str, n: str, *before: str, after: Sequence[str] = ()) -> str:
        """A tuple: what is before, the size of each axis of a ``side``, "IN" or "OUT", what is after."""
        axes = f"*shape(WORD_{side}, {n})" if self.typed else f"*({n},) * ORDER_{side}"
        parts = [*before, axes, *after]
        if len(parts) == 1:
            return axes[1:]
        return f"({', '.join(parts)})"

    def order(self, side: str) -> str:
        """The number of axes of a side."""
        return f"len(WORD_{side})" if self.typed else f"ORDER_{side}"

    def entries(self, side: str, n: str) -> str:
        """The number of entries of a side in one channel."""
        return f"math.prod(shape(WORD_{side}, {n}))" if self.typed else f"{n}**ORDER_{side}"

    def word(self, side: str) -> str:
        """What a side is: its order, or its word of types."""
        return f"WORD_{side}" if self.typed else f"ORDER_{side}"

    def constants(self) -> list[str]:
        """The statements that say sizes and orders."""
        plan, names, values = self.plan, [], []
        if not self.open:
            names, values = ["N"], [self.literal(self.sizes)]
        names += [self.word("IN"), self.word("OUT"), "C_IN", "C_OUT"]
        values += [repr(plan.dom), repr(plan.cod), str(plan.in_channels), str(plan.out_channels)]
        whole = f"{', '.join(names)} = {', '.join(values)}"
        if len(whole) <= 100:
            return [whole]
        return [f"{name} = {value}" for name, value in zip(names, values, strict=True)]

    def shaped(self, side: str) -> str:
        """The shape of an input or output, in words."""
        order, channels = (
            (self.plan.dom, self.plan.in_channels)
            if side == "IN"
            else (self.plan.cod, self.plan.out_channels)
        )
        if self.typed:
            letters = tuple(
                f"n{kind}" if size is None else size for kind, size in enumerate(self.sizes)
            )
            return shape(order, channels, letters)
        return shape(order, channels, "n" if self.open else self.sizes[0])

    def functions(self) -> list[str]:
        """The function ``shape``, where axes have types."""
        if not self.typed:
            return []
        return [
            '''\
def shape(word: tuple[int, ...], n: tuple[int, ...]) -> tuple[int, ...]:
    """The size of each axis, n[t] for one of type t."""
    return tuple(n[kind] for kind in word)
'''
        ]
