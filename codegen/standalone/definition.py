"""The dense reference of a file: what the tables of diagrams mean, written out and nothing else.

The text shares no code with kernels. A diagram's matrix is filled term by term from its definition;
its mean is divided by how many terms an output sums, which is counted on that matrix. The same text
serves PyTorch and NumPy, which call a few things by other names.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tannaka.category.symplectic import Sp
from tannaka.codegen.standalone.axes import Axes
from tannaka.codegen.standalone.tables import WIDTH, legged
from tannaka.codegen.task import Task


@dataclass(frozen=True)
class Library:
    """What a framework calls the few things that references and checks use."""

    name: str
    """What it is imported as."""
    array: str
    """The type of its arrays."""
    float64: str
    """The argument that makes zeros of double precision."""
    moved: str
    """Moving an axis of x: a format with ``{source}`` and ``{target}``."""


TORCH = Library("torch", "Tensor", ", dtype=torch.float64", "x.movedim({source}, {target})")
NUMPY = Library("np", "Array", "", "np.moveaxis(x, {source}, {target})")
JAX = replace(NUMPY, array="Floats")


def definition(plan: Task, axes: Axes, library: Library) -> list[str]:
    """The functions ``entries``, ``dense`` and ``reference``, each as text."""
    return [*_entries(plan, axes), _dense(plan, axes, library), _reference(plan, axes, library)]


def _entries(plan: Task, axes: Axes) -> list[str]:
    """The function that lists the terms of a diagram, and what it calls."""
    paired = [kind for kind, factor in enumerate(axes.factors) if isinstance(factor, Sp)]
    paired = [kind for kind in paired if kind in axes.inputs + axes.outputs]
    with_legs, n = legged(plan), axes.n
    given = "diagram" if with_legs else "labels"
    lines = [
        *_head(f"entries({given}: Diagram{axes.n_parameter})"),
        *textwrap.indent(_meaning(with_legs, bool(paired)), "    ").splitlines(),
    ]
    if with_legs:
        lines.append("    labels, *vertices = diagram")
    if paired:
        lines += _pairs(axes, paired)
    if axes.typed:
        lines.append(f"    sizes = dict(zip(labels, shape(WORD_OUT + WORD_IN, {n}), strict=False))")
        if with_legs:
            lines += [
                "    for legs in vertices:",
                "        sizes |= dict.fromkeys(legs, len(legs))",
            ]
        values = "*(range(sizes[label]) for label in sorted(sizes))"
    elif with_legs:
        lines.append("    count = len(set(labels).union(*vertices))")
        values = f"range({n}), repeat=count"
    else:
        values = f"range({n}), repeat=len(set(labels))"
    lines.append(f"    for values in itertools.product({values}):")
    indices, value = "tuple(values[label] for label in labels)", []
    if paired:
        indices = "tuple(indices)"
        lines += [
            "        indices = [values[label] for label in labels]",
            "        value = (-1) ** crossings",
            "        for a, b in within:",
            "            indices[b] ^= 1",
            f"            above, even = b < {axes.order('OUT')}, indices[a] % 2 == 0",
            "            value *= -1 if above == even else 1",
        ]
        value.append("value")
    if with_legs:
        lines.append("        signs = [parity([values[leg] for leg in legs]) for legs in vertices]")
        value.append("math.prod(signs)")
    lines.append(f"        yield {indices}, {' * '.join(value) or '1'}")
    return [*([PARITY] if with_legs else []), "\n".join(lines) + "\n"]


def _head(call: str) -> list[str]:
    """The signature of a generator of terms."""
    line = f"def {call} -> Iterator[tuple[tuple[int, ...], int]]:"
    if len(line) <= WIDTH:
        return [line]
    name, arguments = call[:-1].split("(", 1)
    return [f"def {name}(", f"    {arguments}", ") -> Iterator[tuple[tuple[int, ...], int]]:"]


PARITY = '''\
def parity(images: list[int]) -> int:
    """The Levi-Civita symbol: the sign of a permutation, 0 where two images are equal."""
    return math.prod((b > a) - (b < a) for a, b in itertools.combinations(images, 2))
'''


def _meaning(with_legs: bool, paired: bool) -> str:
    """The docstring of ``entries``."""
    first = "The terms of a diagram: the index of each vertex, and what stands at this entry."
    rest = "Vertices of one block have one index, and every index takes every value."
    if paired:
        rest = (
            "The two vertices of a pair have one index where the pair goes across; else their "
            "indices are 2i and 2i + 1, with the sign of the form, or of its inverse above, and two "
            "pairs that cross change the sign."
        )
    if with_legs:
        rest += " Each determinant vertex gives the sign of the indices of its legs."
    return f'"""{first}\n\n{textwrap.fill(rest, 95)}\n"""\n'


def _pairs(axes: Axes, paired: list[int]) -> list[str]:
    """Statements that find the pairs of symplectic types: those within a row, and crossings."""
    above = axes.order("OUT")
    lines = [
        "    # Around the diagram: outputs from left to right, then inputs back.",
        f"    around = [*range({above}), *reversed(range({above}, len(labels)))]",
    ]
    if axes.typed:
        kinds = ", ".join(map(str, paired)) + "," * (len(paired) == 1)
        lines += [
            "    kinds = WORD_OUT + WORD_IN",
            f"    symplectic = {{labels[v]: kinds[v] for v in around if kinds[v] in ({kinds})}}",
            "    pairs = [[v for v in around if labels[v] == label] for label in symplectic]",
        ]
        condition = "        if kinds[p] == kinds[r]"
    else:
        lines.append(
            "    pairs = [[v for v in around if labels[v] == label] for label in set(labels)]"
        )
        condition = ""
    return [
        *lines,
        f"    within = [sorted(pair) for pair in pairs if not min(pair) < {above} <= max(pair)]",
        "    crossings = sum(",
        "        around.index(p) < around.index(r) < around.index(q) < around.index(s)",
        "        for (p, q), (r, s) in itertools.permutations(pairs, 2)",
        *([condition] if condition else []),
        "    )",
    ]


def _dense(plan: Task, axes: Axes, library: Library) -> str:
    """The function that fills the matrix of a diagram."""
    n = axes.n
    given, labels = ("diagram", "diagram[0]") if legged(plan) else ("labels", "labels")
    if axes.typed:
        shape = f"shape((WORD_OUT + WORD_IN)[: len({labels})], {n})"
    else:
        shape = f"({n},) * len({labels})"
    argument = "" if axes.fixed else ", n"
    return f'''\
def dense({given}: Diagram{axes.n_parameter}) -> {library.array}:
    """The matrix of a diagram, a row for each index of the output."""
    matrix = {library.name}.zeros({shape}{library.float64})
    for indices, value in entries({given}{argument}):
        matrix[indices] += value
    return matrix.reshape({axes.entries("OUT", n)}, -1)
'''


def _reference(plan: Task, axes: Axes, library: Library) -> str:
    """The function that applies the layer by its definition."""
    n, bias = axes.n, plan.bias_basis is not None
    argument = "" if axes.fixed else ", n"
    array, xp = library.array, library.name
    zeros = f"{xp}.zeros(({axes_batch(axes, n)}){library.float64})"
    lines = [
        *signature("reference", [f"x: {array}", f"weight: {array}"], bias, axes, array),
        '    """The layer by its definition, for x with one batch axis."""',
        f"    flat = x.reshape(len(x), {axes.entries('IN', n)}, -1)",
        f"    y = {zeros}",
        "    for diagram, w in zip(DIAGRAMS, weight, strict=True):",
        f"        matrix = dense(diagram{argument})",
    ]
    if plan.reduce == "mean":
        lines += [
            "        # The mean: divide by the number of terms that an output sums.",
            "        matrix /= abs(matrix).sum(1).max()",
        ]
    lines.append(f'        y = y + {xp}.einsum("pq,bqi,oi->bpo", matrix, flat, w)')
    if bias:
        lines += [
            "    for diagram, b in zip(BIAS_DIAGRAMS, bias, strict=True):",
            f"        y = y + dense(diagram{argument}) * b",
        ]
    lines.append(f"    return y.reshape({axes.of('OUT', n, 'len(x)', after=['-1'])[1:-1]})")
    return "\n".join(lines) + "\n"


def axes_batch(axes: Axes, n: str) -> str:
    """The shape of flat outputs for a batch of inputs."""
    return f"len(x), {axes.entries('OUT', n)}, weight.shape[1]"


def signature(name: str, arguments: Sequence[str], bias: bool, axes: Axes, array: str) -> list[str]:
    """The head of a function of input, weight, bias and n, as formatters break it."""
    last = [axes.n_parameter[2:]] if axes.n_parameter else []
    every = [*arguments, *([f"bias: {array}"] if bias else []), *last]
    line = f"def {name}({', '.join(every)}) -> {array}:"
    if len(line) <= WIDTH:
        return [line]
    return [f"def {name}(", f"    {', '.join(every)}", f") -> {array}:"]
