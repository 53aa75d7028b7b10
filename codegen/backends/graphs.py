"""Plans by bilabelled graphs, as source text for PyTorch, NumPy or JAX.

Steps are equations with the host's adjacency matrix. Powers of two are taken out of it, as the layer
does, so that long paths neither overflow nor vanish; steps without features are carried out when the
file is loaded.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tannaka.category.automorphisms import Aut
from tannaka.category.hosts import Host
from tannaka.codegen.backends.arrays import NUMPY, Dialect, Emitter
from tannaka.codegen.backends.lines import WIDTH, signature
from tannaka.codegen.backends.matrices import orbit_numbers
from tannaka.codegen.lowering.graph_plan import GraphPlan, Join
from tannaka.codegen.notation import indices, shape
from tannaka.codegen.plan import Embed, Mix, Plan, Step, Zeros

RESULT = "y"


def graphs(plan: GraphPlan, dialect: Dialect) -> str:
    """The source of ``apply(x, weight[, bias]) -> y``."""
    return _GraphEmitter(_steps(plan), dialect, whole=plan).text()


@dataclass(frozen=True)
class _Graphs(Plan):
    """What is left once graphs are contracted, as a plan: mixing and embedding."""

    factors: tuple[Fraction, ...] = ()
    orders: tuple[tuple[str, int], ...] = ()
    """The order of each contracted tensor."""

    @property
    def scales(self) -> tuple[Fraction, ...]:
        """What each row of the weight is multiplied by."""
        return self.factors

    def words(self) -> dict[str, tuple[int, ...]]:
        """The types of the axes of every tensor."""
        found = {"x": self.inputs, RESULT: self.outputs}
        found |= {name: (0,) * order for name, order in self.orders}
        for step in self.steps:
            if isinstance(step, Mix):
                order = len(step.features[0][1])
                found |= dict.fromkeys(step.outs, (0,) * order)
            elif isinstance(step, Embed):
                found[step.out] = self.outputs
        return found


def _steps(plan: GraphPlan) -> _Graphs:
    """Rows that end in one place are mixed together, and then added to the output."""
    places: dict[tuple[tuple[int, ...], tuple[int, ...]], list[int]] = {}
    for number, row in enumerate(plan.rows):
        places.setdefault((row.labels, tuple(sorted(row.keep))), []).append(number)
    steps: list[Step] = [Zeros(RESULT, (0,) * plan.cod)]
    for count, ((labels, keep), rows) in enumerate(places.items()):
        features = tuple(
            (plan.rows[r].source, tuple(plan.rows[r].keep.index(label) for label in keep))
            for r in rows
        )
        steps.append(Mix((f"m{count}",), features, (tuple(rows),)))
        base = f"{RESULT}{count}" if count else RESULT
        steps.append(Embed(f"{RESULT}{count + 1}", base, f"m{count}", labels, keep))
    powers = plan.scaled.exponents
    divisors = plan.terms() if plan.reduce == "mean" else [1] * len(plan.basis)
    factors = tuple(
        Fraction(2) ** powers[row.source] / divisor
        for row, divisor in zip(plan.rows, divisors, strict=True)
    )
    orders = tuple((step.out, len(step.keep)) for step in plan.steps if step.features)
    return _Graphs(
        group=plan.hom.group,
        dom=plan.dom,
        cod=plan.cod,
        in_channels=plan.in_channels,
        out_channels=plan.out_channels,
        reduce=plan.reduce,
        basis=plan.basis,
        bias_basis=plan.bias_basis,
        steps=tuple(steps),
        result=steps[-1].out if isinstance(steps[-1], Embed) else RESULT,
        signs=(),
        bias_signs=(),
        factors=factors,
        orders=orders,
    )


@dataclass
class _GraphEmitter(Emitter):
    """Contractions first, then what is added to the output."""

    whole: Any = None

    def text(self) -> str:
        """The whole source."""
        plan: GraphPlan = self.whole
        bias = plan.bias_basis is not None
        body = list(self._body())
        if self.dialect is NUMPY:
            body = self._annotated(body)
        helpers = [self.dialect.helper("mix")] * ("mix" in self.helpers)
        outputs = ["OUTPUTS = orbit_numbers(ORDER_OUT)"] * bias
        constants = [*self._hosts(), *outputs, *self.constants.values()]
        parts = [
            *([orbit_numbers(self.dialect)] if bias else []),
            _adjacency(plan, self.dialect),
            *helpers,
            "\n".join(constants),
            "\n".join([*self._head(), *body]),
        ]
        return "\n\n\n".join(parts) + "\n"

    def _head(self) -> list[str]:
        plan, array = self.plan, self.dialect.array
        bias = f", bias: {array}" if plan.bias_basis is not None else ""
        arguments = f"x: {array}, weight: {array}{bias}"
        return [
            *signature(self.dialect.function, arguments, array),
            f'    """Apply the layer to x of shape {shape(plan.dom, "in_channels")}."""',
        ]

    def _early(self) -> Iterator[str]:
        """The contractions."""
        plan: GraphPlan = self.whole
        for i, step in enumerate(plan.steps):
            if step.features:
                yield from self._joined(step, plan.scaled.names[i])

    def _n(self, kind: int) -> str:
        return "N"

    def _returned(self) -> str:
        """The output, and the bias of each orbit of its indices."""
        result = super()._returned()
        if self.whole.bias_basis is None:
            return result
        numbers = "OUTPUTS.to(bias.device)" if self.dialect.torch else "OUTPUTS"
        axes = f"{self.whole.hom.group.n}, " * self.whole.cod
        return f"{result} + bias[{numbers}].reshape({axes}-1)"

    def _joined(self, step: Join, name: str | None) -> Iterator[str]:
        """A contraction of a tensor of features, with a matrix of the host if it has one."""
        (source,) = (one for one in step.operands if self.whole.has_features(one[0]))
        operands = [source]
        if name is not None:
            other, power = name.split(" / 2^")
            (found,) = (one for one in step.operands if one[0] == other)
            called = _constant_name(self.whole, other)
            variable, value = called.lower(), self.dialect.like(called, "x")
            if power != "0":
                # Exact in every dtype.
                variable += f"_{power}".replace("-", "m")
                value += _scaled(int(power))
            self.before[variable] = f"{variable} = {value}"
            operands.append((variable, found[1]))
        number = _numbered(operands)
        keep = tuple(number[v] for v in step.keep)
        equation = self._einsum(
            [(one, tuple(number[v] for v in axes)) for one, axes in operands], keep
        )
        yield from _said(step.out, operands, step.keep)
        yield from self._assign(step.out, equation)

    def _hosts(self) -> Iterator[str]:
        """Constants of the host graph, and what steps make of these alone."""
        plan: GraphPlan = self.whole
        base = self.dialect.base
        used = {name for step in plan.steps for name, _ in step.operands}
        for name in plan.constants:
            if name in used:
                yield f"{_constant_name(plan, name)} = {_made(plan, name)}"
        powers = plan.scaled.exponents
        for step in plan.steps:
            if step.features:
                continue
            shift = powers[step.out] - sum(powers[name] for name, _ in step.operands)
            operands = [(_constant_name(plan, name), axes) for name, axes in step.operands]
            number = _numbered(operands)
            words = ",".join(indices(tuple(number[v] for v in axes)) for _, axes in operands)
            keep = indices(tuple(number[v] for v in step.keep))
            names = ", ".join(name for name, _ in operands)
            out = step.out.upper()
            yield from _said(out, operands, step.keep)
            yield f'{out} = {base}.einsum("{words}->{keep}", {names}){_scaled(shift)}'


def _scaled(power: int) -> str:
    """Division by a power of two."""
    return f" / {2**power}" if power > 0 else f" * {2**-power}" if power < 0 else ""


def _numbered(operands: list[tuple[str, tuple[int, ...]]]) -> dict[int, int]:
    """Indices numbered in the order in which they come."""
    return {v: i for i, v in enumerate(dict.fromkeys(v for _, axes in operands for v in axes))}


def _said(
    out: str, operands: list[tuple[str, tuple[int, ...]]], keep: tuple[int, ...]
) -> list[str]:
    """A contraction in index notation, as a comment."""
    number = _numbered(operands)
    summed = tuple(i for v, i in number.items() if v not in keep)
    over = f"sum over {indices(summed)} of " if summed else ""
    factors = " ".join(
        f"{name}[{indices(tuple(number[v] for v in axes))}]" for name, axes in operands
    )
    text = f"{out}[{indices(tuple(number[v] for v in keep))}] = {over}{factors}"
    return textwrap.wrap(text, WIDTH - 4, initial_indent="# ", subsequent_indent="#     ")


def host_of(plan: GraphPlan) -> Host:
    """The graph whose automorphisms the layer commutes with."""
    group = plan.hom.group
    assert isinstance(group, Aut)
    return group.host


def _constant_name(plan: GraphPlan, name: str) -> str:
    """What a constant is called in the file: colours go by number, for they may be any word."""
    if re.fullmatch(r"f\d+", name):
        return name.upper()
    if name.startswith("is_"):
        kinds = [str(kind) for kind in host_of(plan).vertex_colours]
        return f"IS_{kinds.index(name.removeprefix('is_'))}"
    loops, plain = name.startswith("loops_"), name.removeprefix("loops_")
    kinds = [str(kind) for kind in host_of(plan).edge_colours]
    made = "A" if plain == "A" else f"A_{kinds.index(plain.removeprefix('A_'))}"
    return f"LOOPS_{made}" if loops else made


def _made(plan: GraphPlan, name: str) -> str:
    """How a constant is made."""
    called = _constant_name(plan, name)
    if called.startswith("IS_"):
        return f"having({called.removeprefix('IS_')})"
    matrix = called.removeprefix("LOOPS_")
    made = "adjacency()" if matrix == "A" else f"adjacency({matrix.removeprefix('A_')})"
    return f"{made}.diagonal()" if called.startswith("LOOPS_") else made


def _adjacency(plan: GraphPlan, dialect: Dialect) -> str:
    """The functions that make the host's matrices and vectors."""
    host = host_of(plan)
    coloured = host.edge_colours not in ((), (None,))
    unpacked = "a, b, colour" if coloured else "a, b"
    lines = [
        f"def adjacency({'kind: int | None = None' * coloured}) -> {dialect.constant}:",
        f'    """The adjacency matrix of the graph{", of edges of one kind or of all" * coloured}."""',
        f"    matrix = {dialect.blank('(N, N)')}",
        f"    for {unpacked} in EDGES:",
    ]
    pad = "        "
    if coloured:
        lines.append("        if kind in (None, colour):")
        pad += "    "
    lines.append(f"{pad}matrix[a, b] = 1.0")
    if not host.directed:
        lines.append(f"{pad}matrix[b, a] = 1.0")
    lines.append("    return matrix")
    text = "\n".join(lines)
    if host.vertex_colours:
        made = "torch.tensor" if dialect.torch else "np.array"
        dtype = ", dtype=torch.float64" if dialect.torch else ", dtype=float"
        text += (
            f"\n\n\ndef having(kind: int) -> {dialect.constant}:\n"
            '    """Which vertices of the graph are of one kind."""\n'
            f"    return {made}([colour == kind for colour in COLOURS]{dtype})"
        )
    return text
