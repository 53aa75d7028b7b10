"""The triton backend: the largest tensors in fused kernels, all else as plain PyTorch operations.

Three kinds of kernel do what takes time, for every group whose plans have these steps:

* ``sweep`` reads a tensor once, and makes all sums of it: each program takes a block of positions
  and writes what its block adds to each sum; a second, small sum is PyTorch's;
* ``tile`` writes the result once: each program takes some positions, mixes the channels of all
  features there, permuted as they may be, adds what tensors of lower order put there, and writes;
* ``outer`` sums the gradient of a row of the weight over positions, in as many parts as there are
  programs, which PyTorch adds up.

No program writes where another does, so that results are the same in every run. Positions are
counted in 64 bits. Products are summed in float32, or float64 where input and weight are that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tannaka.codegen.backends.einsum import Emitter
from tannaka.codegen.fusion import Group, Sweep, Tile, grouped
from tannaka.codegen.gradient import GRADIENT, AnyStep, Outer, gradient
from tannaka.codegen.network import Word
from tannaka.codegen.notation import indices
from tannaka.codegen.plan import ABSENT, INPUT, Contract, Embed, Plan, describe

BLOCK = {1: 64, 2: 16, 3: 8, 4: 4}
"""How many indices of each axis a program of a sweep takes, by the order of the tensor."""
MAX_ORDER = max(BLOCK)
PAIRS = 24
"""The most products of a source and a feature for which the gradient of the weight has kernels."""
HEADER = """\
from tannaka.codegen.triton_ops import Sizes, check, registered

check()
import triton
import triton.language as tl
from torch.library import wrap_triton
"""
LAUNCHING = '''\
def power(size: int, most: int) -> int:
    """The least power of two from ``size`` up, at least 16 and at most ``most``."""
    return min(most, max(16, triton.next_power_of_2(size)))


def summing(x: Tensor) -> tuple[tl.dtype, str]:
    """What products are summed in, and how exact they are."""
    if x.dtype == torch.float64:
        return tl.float64, "ieee"
    exact = x.dtype != torch.float32 or torch.get_float32_matmul_precision() == "highest"
    return tl.float32, "tf32x3" if exact else "tf32"
'''


def kernels(plan: Plan) -> str:
    """The source of ``apply(x, weight, bias, n)`` and of three functions for gradients.

    As ``einsum.kernels``, with Triton kernels before them.
    """
    emitter = _Emitter(plan, optional=True)
    back = gradient(plan)
    parts = [
        emitter.apply(),
        emitter.back("gradients", back, of_input=True, of_parameters=True),
        emitter.back("input_gradient", back, of_input=True, of_parameters=False),
        emitter.back("weight_gradient", back, of_input=False, of_parameters=True),
    ]
    head = [HEADER.rstrip(), LAUNCHING.rstrip(), *emitter.kernels.values()]
    text = "\n\n\n".join(head) + "\n\n\n" + emitter.text(parts)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    rows = len(plan.bias_basis or ())
    return f"""{text}

KERNELS = registered(
    "{digest}",
    (apply, gradients, input_gradient, weight_gradient),
    Sizes({plan.inputs}, {plan.outputs}, {len(plan.basis)}, {rows}),
)
apply, gradients = KERNELS.apply, KERNELS.gradients
input_gradient, weight_gradient = KERNELS.input_gradient, KERNELS.weight_gradient
"""


@dataclass
class _Emitter(Emitter):
    """Writes groups of steps as kernels, and the others as PyTorch operations."""

    kernels: dict[str, str] = field(default_factory=dict)
    """The text of each kernel by its name."""

    def _groups(
        self, steps: Sequence[AnyStep], known: dict[str, Word], result: str
    ) -> Sequence[Group]:
        swept = [name for name in (INPUT, GRADIENT) if 0 < len(known.get(name, ())) <= MAX_ORDER]
        return grouped(steps, known, swept, result)

    def _grouped(self, group: Group, known: dict[str, Word], weight: str) -> Iterator[str]:
        match group:
            case Sweep():
                yield from self._sweep(group, known[group.source])
            case Tile():
                yield from self._tile(group, known, weight)
            case _:
                yield from super()._grouped(group, known, weight)

    def _named(self, kind: str, text: str) -> str:
        """The name of a kernel; equal ones are one. ``text`` has NAME where its name goes."""
        for name, made in self.kernels.items():
            if made == text.replace("NAME", name):
                return name
        name = f"{kind}_{sum(name.startswith(kind) for name in self.kernels)}"
        self.kernels[name] = text.replace("NAME", name)
        return name

    def _size(self, kind: int) -> str:
        """The size of axes of a type, in a function."""
        return f"n[{kind}]" if self.plan.types > 1 else "n"

    # Sums of the input.

    def _sweep(self, group: Sweep, word: Word) -> Iterator[str]:
        source = self._variable(group.source)
        order, block = len(word), BLOCK[len(word)]
        sizes = [_n(self.plan, kind) for kind in word]
        letters = indices(tuple(range(order)))
        known = {group.source: word}
        lines = [
            "@triton.jit",
            f"def NAME(x, {', '.join(f'p{s}' for s in range(len(group.steps)))}, "
            f"{_arguments(self.plan, word)}, C,",
            "    CHANNELS: tl.constexpr, SUM: tl.constexpr):",
        ]
        body = []
        for step in group.steps:
            body += [f"# {line}" for line in describe(step, known, self.plan)]
        body += ["at = tl.program_id(0).to(tl.int64)"]
        for letter, size in reversed(list(zip(letters, sizes, strict=True))):
            body += [
                f"{letter}_blocks = tl.cdiv({size}, {block})",
                f"{letter}_block = at % {letter}_blocks",
                f"at = at // {letter}_blocks",
            ]
        body += ["batch = at"]
        for axis, letter in enumerate(letters):
            body += [
                f"{letter} = {letter}_block * {block} + tl.arange(0, {block}){_axis(axis, order)}"
            ]
        body += [
            f"c = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS){_axis(order, order)}",
            "inside = "
            + " & ".join(f"({a} < {size})" for a, size in zip(letters, sizes, strict=True))
            + " & (c < C)",
            f"value = tl.load(x + {_row('batch', letters, sizes)} * C + c, mask=inside, other=0.0)",
            "value = value.to(SUM)",
        ]
        for s, step in enumerate(group.steps):
            body += self._summed(s, step, letters, sizes)
        lines += [f"    {line}" for line in body]
        name = self._named("sweep", "\n".join(lines))

        yield f"block = power({source}.shape[-1], 32)"
        blocks = [f"triton.cdiv({self._size(kind)}, {block})" for kind in word]
        partial: list[str] = []
        for s, step in enumerate(group.steps):
            kept = [self._size(word[step.labels.index(index)]) for index in step.keep]
            gone = [blocks[axis] for axis in _collapsed(step)]
            rows = ", ".join([*kept, " * ".join(gone)])
            yield f"p{s} = {source}.new_empty((*batch, {rows}, {source}.shape[-1]), dtype=torch.promote_types({source}.dtype, torch.float32))"
            partial.append(f"p{s}")
        grid = " * ".join(["batch.numel()", *blocks])
        sized = "".join(f"{self._size(kind)}, " for kind in sorted(set(word)))
        yield f"{source} = {source}.contiguous()"
        yield f"wrap_triton({name})[({grid}, triton.cdiv({source}.shape[-1], block))]("
        yield f"    {source}, {', '.join(partial)}, {sized}{source}.shape[-1], block, summing({source})[0]"
        yield ")"
        for s, step in enumerate(group.steps):
            yield from self._finished(step, f"p{s}", source, word)

    def _summed(self, s: int, step: Contract, letters: str, sizes: Sequence[str]) -> Iterator[str]:
        """What a block adds to a sum."""
        order = len(letters)
        value = "value"
        first = {index: letters[step.labels.index(index)] for index in step.labels}
        for axis, index in enumerate(step.labels):
            if letters[axis] != first[index]:
                value += f" * ({first[index]} == {letters[axis]})"
        for a, b in step.forms:
            value += f" * {_form(first[a], first[b])}"
        for axis in reversed(_collapsed(step)):
            value = f"tl.sum({value}, axis={axis}, keep_dims=True)"
        kept = [first[index] for index in step.keep]
        row = _row("batch", kept, [sizes[letters.index(a)] for a in kept])
        for axis in _collapsed(step):
            row = f"({row}) * {letters[axis]}_blocks + {letters[axis]}_block"
        mask = " & ".join([*(f"({a} < {sizes[letters.index(a)]})" for a in kept), "(c < C)"])
        yield f"tl.store(p{s} + ({row}) * C + c, {value}, mask={mask})"
        del order

    def _finished(self, step: Contract, partial: str, source: str, word: Word) -> Iterator[str]:
        """The sum of all blocks, divided where it is a mean."""
        made = f"{partial}.sum(-2)"
        made = self._divided(made, step.averaged, step.labels, word)
        made = f"({made})" if " / " in made else made
        yield f"{step.out} = {made}.to({source}.dtype)"
        types = dict(zip(step.labels, word, strict=True))
        if power := sum(types[index] == self.ragged for index in step.averaged):
            self.helpers.add("scaled")
            yield f"{step.out} = scaled({step.out}, ratio, {power})"

    # The result.

    def _tile(self, group: Tile, known: dict[str, Word], weight: str) -> Iterator[str]:
        mix, word = group.mix, known[group.out]
        letters, sizes = indices(tuple(range(len(word)))), [_n(self.plan, kind) for kind in word]
        features = (
            [
                (name, axes, row)
                for (name, axes), row in zip(mix.features, mix.rows[0], strict=True)
                if row != ABSENT
            ]
            if mix
            else []
        )
        named = list(dict.fromkeys(name for name, _, _ in features))
        arguments = [f"x{f}" for f in range(len(named))]
        arguments += [f"t{t}" for t in range(len(group.embeds))]
        body = []
        for step in group.steps:
            for line in describe(step, known, self.plan):
                body.append(f"# {line.split(' with ')[-1]}")
        body += [
            "r = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)",
            "o = tl.program_id(1) * OUT + tl.arange(0, OUT)",
            *_positions(letters, sizes),
            "there = (r < rows)[:, None] & (o < C_OUT)[None, :]",
            "total = tl.zeros((ROWS, OUT), SUM)",
        ]
        if features:
            body += [
                "for start in range(0, C_IN, DEPTH):",
                "    c = start + tl.arange(0, DEPTH)",
                "    read = (r < rows)[:, None] & (c < C_IN)[None, :]",
                "    weighed = (c < C_IN)[:, None] & (o < C_OUT)[None, :]",
            ]
        for name, axes, row in features:
            # Axis i of the feature is axis axes[i] of the tensor.
            at = [letters[axes.index(axis)] for axis in range(len(axes))]
            sized = [sizes[axes.index(axis)] for axis in range(len(axes))]
            source = f"x{named.index(name)}"
            body += [
                f"    f = tl.load({source} + ({_row('batch', at, sized)} * C_IN)[:, None] + c[None, :], mask=read, other=0.0)",
                f"    w = tl.load(weight + {row} * row_stride + o[None, :] * out_stride + c[:, None] * in_stride, mask=weighed, other=0.0)",
                "    total = tl.dot(f, w, total, input_precision=PRECISION, out_dtype=SUM)",
            ]
        for t, step in enumerate(group.embeds):
            body += self._added(t, step, letters, sizes)
        body += [
            "tl.store(y + (r * C_OUT)[:, None] + o[None, :], total.to(y.dtype.element_ty), mask=there)"
        ]
        lines = [
            "@triton.jit",
            f"def NAME(y, {''.join(f'{a}, ' for a in arguments)}weight, rows, "
            f"{_arguments(self.plan, word)}, C_IN, C_OUT,",
            "    row_stride, out_stride, in_stride, ROWS: tl.constexpr, OUT: tl.constexpr,",
            "    DEPTH: tl.constexpr, SUM: tl.constexpr, PRECISION: tl.constexpr):",
            *(f"    {line}" for line in body),
        ]
        name = self._named("tile", "\n".join(lines))

        y = self._variable(group.out)
        c_out = f"{weight}.shape[1]"
        like = self._variable(named[0]) if named else ("g" if y.startswith("d_") else "x")
        shaped = "".join(f"{self._size(kind)}, " for kind in word)
        given = [f"{self._variable(one)}.contiguous()" for one in named]
        for step in group.embeds:
            source = self._variable(step.source)
            divided = self._divided(source, step.averaged, step.labels, word)
            given.append(
                f"({divided}).contiguous()" if divided != source else f"{source}.contiguous()"
            )
        yield f"{y} = {like}.new_empty((*batch, {shaped}{c_out}))"
        yield f"rows, block = {y}.numel() // {c_out}, power({c_out}, 64)"
        yield f"wrap_triton({name})[(triton.cdiv(rows, 64), triton.cdiv({c_out}, block))]("
        yield from (f"    {one}," for one in (y, *given, weight, "rows"))
        sized = "".join(f"{self._size(kind)}, " for kind in sorted(set(word)))
        yield f"    {sized}{weight}.shape[2], {c_out}, *{weight}.stride(),"
        yield f"    64, block, power({weight}.shape[2], 32), *summing({y}),"
        yield ")"

    def _added(self, t: int, step: Embed, letters: str, sizes: Sequence[str]) -> Iterator[str]:
        """What a tensor of lower order adds at some positions."""
        first = {index: letters[step.labels.index(index)] for index in step.labels}
        where, factors = ["there"], []
        for axis, index in enumerate(step.labels):
            if letters[axis] != first[index]:
                where.append(f"({first[index]} == {letters[axis]})[:, None]")
        for a, b in step.forms:
            factors.append(f"{_form(first[a], first[b])}[:, None]")
        kept = [first[index] for index in step.keep]
        row = _row("batch", kept, [sizes[letters.index(a)] for a in kept])
        made = f"tl.load(t{t} + (({row}) * C_OUT)[:, None] + o[None, :], mask={' & '.join(where)}, other=0.0)"
        yield f"total += {' * '.join([f'{made}.to(SUM)', *factors])}"

    # The gradient of the weight.

    def _outer(self, step: Outer, known: dict[str, Word]) -> Iterator[str]:
        largest = max(len(word) for word in known.values())
        pairs = len(step.sources) * len(step.features)
        word = known[step.sources[0]] if step.sources else ()
        if len(word) < max(largest, 1) or pairs > PAIRS or step.bias_rows:
            yield from super()._outer(step, known)
            return
        number = len(self.outers)
        made = []
        for source in map(self._variable, step.sources):
            for name, axes in step.features:
                made.append(f"outer_{number}_{len(made)}")
                yield from self._product(made[-1], self._variable(name), source, axes, word)
        joined = ", ".join(made)
        yield f"w{number} = torch.stack([{joined}])"
        self.outers.append((f"w{number}", step))

    def _product(
        self, made: str, feature: str, source: str, axes: tuple[int, ...], word: Word
    ) -> Iterator[str]:
        """The sum over positions of a feature times a source."""
        letters, sizes = indices(tuple(range(len(word)))), [_n(self.plan, kind) for kind in word]
        at = [letters[axes.index(axis)] for axis in range(len(axes))]
        sized = [sizes[axes.index(axis)] for axis in range(len(axes))]
        body = [
            "part = tl.program_id(0).to(tl.int64)",
            "o = tl.program_id(1) * OUT + tl.arange(0, OUT)",
            "c = tl.program_id(2) * IN + tl.arange(0, IN)",
            "total = tl.zeros((OUT, IN), SUM)",
            "for start in range(0, LENGTH, ROWS):",
            "    r = part * LENGTH + start + tl.arange(0, ROWS)",
            *(f"    {line}" for line in _positions(letters, sizes)),
            "    there = (r < rows)[:, None]",
            f"    a = tl.load(g + ({_row('batch', at, sized)} * C_OUT)[:, None] + o[None, :], mask=there & (o < C_OUT)[None, :], other=0.0)",
            "    b = tl.load(x + (r * C_IN)[:, None] + c[None, :], mask=there & (c < C_IN)[None, :], other=0.0)",
            "    total = tl.dot(tl.trans(a), b, total, input_precision=PRECISION, out_dtype=SUM)",
            "tl.store(p + (part * C_OUT + o[:, None]) * C_IN + c[None, :], total, mask=(o < C_OUT)[:, None] & (c < C_IN)[None, :])",
        ]
        lines = [
            "@triton.jit",
            f"def NAME(p, g, x, rows, {_arguments(self.plan, word)}, C_OUT, C_IN, LENGTH: tl.constexpr,",
            "    ROWS: tl.constexpr, OUT: tl.constexpr, IN: tl.constexpr,",
            "    SUM: tl.constexpr, PRECISION: tl.constexpr):",
            *(f"    {line}" for line in body),
        ]
        name = self._named("outer", "\n".join(lines))
        c_out, c_in = f"{feature}.shape[-1]", f"{source}.shape[-1]"
        sized_n = "".join(f"{self._size(kind)}, " for kind in sorted(set(word)))
        yield f"rows = {source}.numel() // {c_in}"
        yield f"parts = max(1, triton.cdiv(rows, {PART}))"
        yield f"{made} = {source}.new_empty((parts, {c_out}, {c_in}), dtype=torch.promote_types({source}.dtype, torch.float32))"
        yield f"out, into = power({c_out}, 64), power({c_in}, 64)"
        yield f"wrap_triton({name})[(parts, triton.cdiv({c_out}, out), triton.cdiv({c_in}, into))]("
        yield f"    {made}, {feature}.contiguous(), {source}.contiguous(), rows, {sized_n}{c_out}, {c_in},"
        yield f"    {PART}, 32, out, into, *summing({source})"
        yield ")"
        yield f"{made} = {made}.sum(0).to({source}.dtype)"


PART = 1024
"""How many positions a program of ``outer`` sums over."""


def _n(plan: Plan, kind: int) -> str:
    """The size of axes of a type, in a kernel."""
    return f"n{kind}" if plan.types > 1 else "n"


def _arguments(plan: Plan, word: Word) -> str:
    return ", ".join(dict.fromkeys(_n(plan, kind) for kind in sorted(set(word))))


def _axis(axis: int, order: int) -> str:
    """What makes of a range one along an axis of a block, of ``order`` axes and the channels."""
    return "[" + ", ".join(":" if a == axis else "None" for a in range(order + 1)) + "]"


def _row(batch: str, letters: Iterable[str], sizes: Iterable[str]) -> str:
    """The number of a row, from its indices."""
    row = batch
    for letter, size in zip(letters, sizes, strict=True):
        row = f"({row} * {size} + {letter})"
    return row


def _positions(letters: str, sizes: Sequence[str]) -> Iterator[str]:
    """The indices of the r-th position of all inputs."""
    yield "batch = r"
    for letter, size in reversed(list(zip(letters, sizes, strict=True))):
        yield f"{letter} = batch % {size}"
        yield f"batch = batch // {size}"


def _form(a: str, b: str) -> str:
    """The symplectic form: 1 for indices 2i, 2i + 1, -1 for these turned round."""
    after = f"(({b} == {a} + 1) & ({a} % 2 == 0)).to(tl.int32)"
    before = f"(({a} == {b} + 1) & ({b} % 2 == 0)).to(tl.int32)"
    return f"({after} - {before})"


def _collapsed(step: Contract) -> list[int]:
    """The axes that are not the first of an index that is kept."""
    first = {step.labels.index(index) for index in step.keep}
    return [axis for axis in range(len(step.labels)) if axis not in first]
