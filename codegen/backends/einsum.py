"""The einsum backend: a plan as plain PyTorch operations on views, sums and one GEMM per order."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from tannaka.codegen.notation import indices, shape
from tannaka.codegen.plan import Contract, Embed, Mix, Plan, Step, Zeros, describe

DIAGONAL = '''\
def diagonal(x: Tensor, a: int, b: int) -> Tensor:
    """View x where its axes a < b < 0 have equal indices; the common axis stands where a stood."""
    return x.diagonal(dim1=a, dim2=b).movedim(-1, a + 1)
'''

MIX = '''\
def mix(
    w: tuple[Tensor, ...], rows: tuple[tuple[int, ...], ...], *features: Tensor
) -> list[Tensor]:
    """Mix channels: result e is the sum over f of features[f] @ w[rows[e][f]].T."""
    columns = [torch.cat([w[row] for row in result], dim=-1) for result in rows]
    mixed = torch.cat(features, dim=-1) @ torch.cat(columns).T
    if len(rows) == 1:
        return [mixed]
    c_out = mixed.shape[-1] // len(rows)
    return [mixed[..., e * c_out : (e + 1) * c_out] for e in range(len(rows))]
'''

WIDTH = 100
"""The longest line of emitted code; comments keep to it too."""


def kernel(plan: Plan) -> str:
    """The source of ``apply(x, weight[, bias], n) -> y``, with the constants and helpers it uses.

    It needs ``torch`` and ``Tensor`` in scope. x has shape (*batch, n, ..., n, in_channels).
    """
    orders = plan.orders()
    variables: dict[str, str] = {}
    tables: list[str] = []
    body: list[str] = []
    for step in plan.steps:
        if isinstance(step, Embed):
            # An embedding writes into its base, so its result keeps the base's variable.
            variables[step.out] = variables.get(step.base, step.base)
            base, source = (variables.get(name, name) for name in (step.base, step.source))
            step = Embed(step.out, base, source, step.labels, step.keep)
        if isinstance(step, Mix) and step.features:
            if not tables:
                body += ["# One matrix of channels for each diagram.", "w = weight.unbind()"]
            tables.append(f"ROWS_{len(tables)}")
        body += _comment(step, orders | {v: orders[k] for k, v in variables.items()})
        body += _statements(step, plan, tables[-1] if tables else "")

    mixes = [step for step in plan.steps if isinstance(step, Mix) and step.features]
    parts = [_table(name, step.rows) for name, step in zip(tables, mixes, strict=True)]
    parts = (
        ["\n".join(["# Rows of the weight: for each result, the row of each feature.", *parts])]
        if parts
        else []
    )
    if any("diagonal(" in line for line in body):
        parts.append(DIAGONAL.rstrip())
    if mixes:
        parts.append(MIX.rstrip())
    bias = "" if plan.bias_basis is None else " bias: Tensor,"
    head = [
        f"def apply(x: Tensor, weight: Tensor,{bias} n: int) -> Tensor:",
        f'    """Apply the layer to x of shape {shape(plan.dom, "in_channels")}."""',
    ]
    if any("*batch" in line for line in body):
        head.append(f"    batch = x.shape[: x.ndim - {plan.dom + 1}]")
    result = variables.get(plan.result, plan.result)
    parts.append("\n".join([*head, *(f"    {line}" for line in body), f"    return {result}"]))
    return "\n\n\n".join(parts) + "\n"


def _comment(step: Step, orders: dict[str, int]) -> Iterator[str]:
    """The step in index notation; a mix with very many terms is summed up."""
    if isinstance(step, Mix) and len(step.outs) * len(step.features) > 120:
        order = orders[step.outs[0]]
        yield f"# {len(step.outs)} results of order {order}, each from {len(step.features)} features"
        return
    for line in describe(step, orders):
        # Of an embedding, "y1 = y0 with y0[ij] += ...", only what it writes is said.
        line = line.split(" with ")[-1]
        yield from textwrap.wrap(line, WIDTH - 4, initial_indent="# ", subsequent_indent="#     ")


def _statements(step: Step, plan: Plan, rows: str) -> Iterator[str]:
    """The step as lines of Python; ``rows`` names the table of a mix."""
    match step:
        case Contract():
            view = _diagonal(step.source, step.labels)
            dims = [str(label - _width(step.labels) - 1) for label in step.summed]
            over = f"({', '.join(dims)})" if len(dims) > 1 else "".join(dims)
            yield f"{step.out} = {view}" + (
                f".{'mean' if step.mean else 'sum'}({over})" * bool(dims)
            )
        case Mix(features=()):
            for out, row in zip(step.outs, step.bias_rows, strict=True):
                yield f"{out} = x.new_zeros((*batch, bias.shape[-1])) + bias[{row}]"
        case Mix():
            outs = ", ".join(step.outs) if len(step.outs) > 1 else f"({step.outs[0]},)"
            features = [_permuted(name, permutation) for name, permutation in step.features]
            if len(outs) > WIDTH - 12:
                yield from ("(", *(f"    {out}," for out in step.outs))
                outs = ")"
            yield from _call(f"{outs} = mix", ["w", rows, *features])
            for out, row in zip(step.outs, step.bias_rows, strict=bool(step.bias_rows)):
                yield f"{out} = {out} + bias[{row}]"
        case Zeros():
            # Like a mixed tensor, so that vmap over the weights and autocast carry over to it.
            like = next((out for s in plan.steps if isinstance(s, Mix) for out in s.outs), "x")
            zeros = f"{like}.new_zeros((*batch, {'n, ' * step.order}weight.shape[1]))"
            if not plan.basis:
                yield "# No diagram: the linear map is 0. The empty sum lets autograd see the weight."
                zeros += " + weight.sum()"
            yield f"{step.out} = {zeros}"
        case Embed():
            source = step.source
            if step.repeated:
                kept = [":" if i in step.keep else "None" for i in range(_width(step.labels))]
                source += f"[..., {', '.join(kept)}, :]"
            yield f"{_diagonal(step.base, step.labels)}.add_({source})"


def _width(labels: tuple[int, ...]) -> int:
    """How many axes are left of a tensor read along this diagonal."""
    return max(labels, default=-1) + 1


def _diagonal(name: str, labels: tuple[int, ...]) -> str:
    """The view of a tensor on which axes of equal label have equal indices."""
    for a, b in diagonal_pairs(labels):
        name = f"diagonal({name}, {a}, {b})"
    return name


def diagonal_pairs(labels: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Pairs of axes to take diagonals of, one after the other, so that equal labels meet.

    Axes count from the end, before the channels; taking a diagonal leaves its first axis.

    >>> list(diagonal_pairs((0, 1, 0, 0)))
    [(-5, -3), (-4, -2)]
    """
    left = list(labels)
    while len(left) > len(set(left)):
        b = next(b for b, label in enumerate(left) if label in left[:b])
        yield left.index(left[b]) - len(left) - 1, b - len(left) - 1
        del left[b]


def _permuted(name: str, permutation: tuple[int, ...]) -> str:
    """The view of a tensor whose axis i is axis permutation[i]."""
    order = tuple(range(len(permutation)))
    if permutation == order:
        return name
    read = indices(tuple(permutation.index(axis) for axis in order))
    return f'torch.einsum("...{read}c->...{indices(order)}c", {name})'


def _call(function: str, arguments: list[str]) -> list[str]:
    """A call, broken over lines as code formatters do; it stands four columns in."""
    inline = ", ".join(arguments)
    if 4 + len(function) + len(inline) + 2 <= WIDTH:
        return [f"{function}({inline})"]
    if 8 + len(inline) <= WIDTH:
        return [f"{function}(", f"    {inline}", ")"]
    return [f"{function}(", *(f"    {argument}," for argument in arguments), ")"]


def _table(name: str, rows: tuple[tuple[int, ...], ...]) -> str:
    """A constant that holds rows of numbers, one row to a line unless all fit on one."""
    inline = f"{name} = {rows}"
    if len(inline) <= WIDTH:
        return inline
    lines = [f"    {row}," for row in rows]
    if max(map(len, lines)) <= WIDTH:
        return "\n".join([f"{name} = (", *lines, ")"])
    wrapped = [
        textwrap.fill(line, WIDTH, subsequent_indent="     ", initial_indent="    ")
        for line in (l.strip() for l in lines)
    ]
    return "\n".join(["# fmt: off", f"{name} = (", *wrapped, ")", "# fmt: on"])
