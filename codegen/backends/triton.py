"""The triton backend: the largest tensors in fused kernels, all else as plain PyTorch operations.

Three kinds of kernel do what takes time, for every group whose plans have these steps:

* ``sweep`` reads a tensor once, and makes all sums of it: each program takes a block of positions
  and writes what its block adds to each sum; a second, small sum is PyTorch's;
* ``tile`` writes the result once: each program takes some positions, mixes the channels of all
  features there, permuted as they may be, adds what tensors of lower order put there, and writes;
* ``outer`` sums the gradient of a row of the weight over positions, in as many parts as there are
  programs, which PyTorch adds up.

Sums of tensors of an order above four, Levi-Civita symbols, and all that is of lower order than
input and output are PyTorch's.

No program writes where another does, so that results are the same in every run. Positions are
counted in 64 bits. Products are summed in float32, or float64 where input and weight are that.
"""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tannaka.codegen.backends.einsum import WIDTH, Emitter
from tannaka.codegen.fusion import Group, Sweep, Tile, grouped
from tannaka.codegen.gradient import GRADIENT, AnyStep, Outer
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


def summed_in(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Room for sums of numbers like those of x."""
    return x.new_empty(shape, dtype=torch.promote_types(x.dtype, torch.float32))


def summing(x: Tensor) -> tuple[tl.dtype, tl.dtype, str]:
    """What sums are taken in, what factors are multiplied in, and how exactly."""
    if x.dtype == torch.float64:
        return tl.float64, tl.float64, "ieee"
    factors = {torch.float32: tl.float32, torch.bfloat16: tl.bfloat16, torch.float16: tl.float16}
    exact = x.dtype != torch.float32 or torch.get_float32_matmul_precision() == "highest"
    # Triton's interpreter takes the bits of bfloat16 for whole numbers.
    multiplied = tl.float32 if triton.knobs.runtime.interpret else factors[x.dtype]
    return tl.float32, multiplied, "tf32x3" if exact else "tf32"
'''


def kernels(plan: Plan) -> str:
    """The source of ``apply(x, weight, bias, n)`` and of three functions for gradients.

    As ``einsum.kernels``, with Triton kernels before them.
    """
    emitter = _Emitter(plan, optional=True)
    functions = emitter.functions()
    head = [HEADER.rstrip(), LAUNCHING.rstrip(), *emitter.kernels.values()]
    text = "\n\n\n".join(head) + "\n\n\n" + emitter.text(functions)
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

    # Sums of the input.

    def _sweep(self, group: Sweep, word: Word) -> Iterator[str]:
        source, block = self._variable(group.source), BLOCK[len(word)]
        axes = _Axes.of(self.plan, word)
        body = [
            f"# {line}" for step in group.steps for line in self._said(step, group.source, word)
        ]
        body.append("batch = tl.program_id(0).to(tl.int64)")
        for letter, size in reversed(axes.sized):
            body += [
                f"{letter}_blocks = tl.cdiv({size}, {block})",
                f"{letter}_block = batch % {letter}_blocks",
                f"batch = batch // {letter}_blocks",
            ]
        for axis, letter in enumerate(axes.letters):
            along = _along(axis, len(word))
            body.append(f"{letter} = {letter}_block * {block} + tl.arange(0, {block}){along}")
        inside = [f"({letter} < {size})" for letter, size in axes.sized]
        body += [
            f"c = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS){_along(len(word), len(word))}",
            f"inside = {' & '.join([*inside, '(c < C)'])}",
            f"at = {axes.row(axes.letters)}",
            "value = tl.load(x + at * C + c, mask=inside, other=0.0).to(SUM)",
        ]
        for s, step in enumerate(group.steps):
            body += self._summed(s, step, axes)
        partial = [f"p{s}" for s in range(len(group.steps))]
        name = self._kernel(
            "sweep",
            ["x", *partial, *axes.names, "C"],
            ["CHANNELS", "SUM"],
            body,
        )
        blocks = [f"triton.cdiv({self._size(kind)}, {block})" for kind in word]
        yield f"{source}, block = {source}.contiguous(), power({source}.shape[-1], 32)"
        for made, step in zip(partial, group.steps, strict=True):
            kept = [self._size(word[step.labels.index(index)]) for index in step.keep]
            parts = " * ".join(blocks[axis] for axis in _collapsed(step))
            room = ", ".join([*kept, parts, f"{source}.shape[-1]"])
            yield f"{made} = summed_in({source}, (*batch, {room}))"
        programs = " * ".join(["batch.numel()", *blocks])
        yield f"programs = {programs}"
        yield f"wrap_triton({name})[programs, triton.cdiv({source}.shape[-1], block)]("
        given = [source, *partial, *self._sizes(word), f"{source}.shape[-1]", "block"]
        yield from _listed([*given, f"summing({source})[0]"])
        yield ")"
        for made, step in zip(partial, group.steps, strict=True):
            yield from self._finished(step, made, source, word)

    def _summed(self, s: int, step: Contract, axes: _Axes) -> Iterator[str]:
        """What a block adds to a sum."""
        first = axes.first(step.labels)
        terms = ["value"]
        for letter, index in zip(axes.letters, step.labels, strict=True):
            if letter != first[index]:
                terms.append(f"({first[index]} == {letter})")
        terms += [_form(first[a], first[b]) for a, b in step.forms]
        value = " * ".join(terms)
        for axis in reversed(_collapsed(step)):
            value = f"tl.sum({value}, axis={axis}, keep_dims=True)"
        kept = [first[index] for index in step.keep]
        row = axes.row(kept)
        for axis in _collapsed(step):
            letter = axes.letters[axis]
            row = (
                f"({row}) * {letter}_blocks + {letter}_block"
                if " " in row
                else (f"{row} * {letter}_blocks + {letter}_block")
            )
        mask = " & ".join([*(f"({a} < {axes.sizes[a]})" for a in kept), "(c < C)"])
        yield f"part = {value}"
        yield f"at = {row}"
        yield f"tl.store(p{s} + at * C + c, part, mask={mask})"

    def _finished(self, step: Contract, made: str, source: str, word: Word) -> Iterator[str]:
        """The sum of all blocks, divided where it is a mean."""
        total = self._divided(f"{made}.sum(-2)", step.averaged, step.labels, word)
        total = f"({total})" if " / " in total else total
        yield f"{step.out} = {total}.to({source}.dtype)"
        types = dict(zip(step.labels, word, strict=True))
        if power := sum(types[index] == self.ragged for index in step.averaged):
            self.helpers.add("scaled")
            yield f"{step.out} = scaled({step.out}, ratio, {power})"

    # The result.

    def _tile(self, group: Tile, known: dict[str, Word], weight: str) -> Iterator[str]:
        mix, word = group.mix, known[group.out]
        axes = _Axes.of(self.plan, word)
        features = []
        if mix:
            pairs = zip(mix.features, mix.rows[0], strict=True)
            features = [(name, order, row) for (name, order), row in pairs if row != ABSENT]
        named = list(dict.fromkeys(name for name, _, _ in features))
        sources = {name: f"x{f}" for f, name in enumerate(named)}
        added = [f"t{t}" for t in range(len(group.embeds))]
        body = []
        for step in group.steps:
            said = describe(step, known, self.plan)
            body += [f"# {line.split(' with ')[-1]}" for line in said]
        body += [
            "r = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)",
            "o = tl.program_id(1) * OUT + tl.arange(0, OUT)",
            *axes.positions(),
            "there = (r < rows)[:, None] & (o < C_OUT)[None, :]",
            "total = tl.zeros((ROWS, OUT), SUM)",
        ]
        if features:
            body += [
                "for start in range(0, C_IN, DEPTH):",
                "    c = start + tl.arange(0, DEPTH)",
                "    read = (r < rows)[:, None] & (c < C_IN)[None, :]",
                "    weighed = (c < C_IN)[:, None] & (o < C_OUT)[None, :]",
                "    entry = o[None, :] * out_stride + c[:, None] * in_stride",
            ]
        for name, order, row in features:
            address = f"{sources[name]} + at[:, None] * C_IN + c[None, :]"
            body += [
                f"    at = {axes.row(axes.permuted(order))}",
                f"    f = tl.load({address}, mask=read, other=0.0)",
                f"    w = tl.load(weight + {row} * row_stride + entry, mask=weighed, other=0.0)",
                "    f, w = f.to(FACTOR), w.to(FACTOR)",
                "    total = tl.dot(f, w, total, input_precision=PRECISION, out_dtype=SUM)",
            ]
        for t, step in enumerate(group.embeds):
            body += self._added(t, step, axes)
        body.append("y += r[:, None] * C_OUT + o[None, :]")
        body.append("tl.store(y, total.to(y.dtype.element_ty), mask=there)")
        strides = ["row_stride", "out_stride", "in_stride"]
        name = self._kernel(
            "tile",
            [
                "y",
                *sources.values(),
                *added,
                "weight",
                "rows",
                *axes.names,
                "C_IN",
                "C_OUT",
                *strides,
            ],
            ["ROWS", "OUT", "DEPTH", "SUM", "FACTOR", "PRECISION"],
            body,
        )
        y, c_in, c_out = self._variable(group.out), f"{weight}.shape[2]", f"{weight}.shape[1]"
        given = [f"{self._variable(one)}.contiguous()" for one in named]
        for step in group.embeds:
            source = self._variable(step.source)
            divided = self._divided(source, step.averaged, step.labels, word)
            source = f"({divided})" if divided != source else source
            given.append(f"{source}.contiguous()")
        like = self._variable(named[0]) if named else "g" if y.startswith("d_") else "x"
        shaped = "".join(f"{self._size(kind)}, " for kind in word)
        yield f"{y} = {like}.new_empty((*batch, {shaped}{c_out}))"
        yield f"rows, block = {y}.numel() // {c_out}, power({c_out}, 64)"
        yield f"wrap_triton({name})[triton.cdiv(rows, 64), triton.cdiv({c_out}, block)]("
        given = [y, *given, weight, "rows", *self._sizes(word), c_in, c_out]
        given += [f"*{weight}.stride()", "64", "block", f"power({c_in}, 32)", f"*summing({y})"]
        yield from _listed(given)
        yield ")"

    def _added(self, t: int, step: Embed, axes: _Axes) -> Iterator[str]:
        """What a tensor of lower order adds at some positions."""
        first, where = axes.first(step.labels), ["there"]
        for letter, index in zip(axes.letters, step.labels, strict=True):
            if letter != first[index]:
                where.append(f"({first[index]} == {letter})[:, None]")
        yield f"at = {axes.row([first[index] for index in step.keep])}"
        yield (
            f"t = tl.load(t{t} + at[:, None] * C_OUT + o[None, :], "
            f"mask={' & '.join(where)}, other=0.0)"
        )
        factors = [f"{_form(first[a], first[b])}[:, None]" for a, b in step.forms]
        yield f"total += {' * '.join(['t.to(SUM)', *factors])}"

    # The gradient of the weight.

    def _outer(self, step: Outer, known: dict[str, Word]) -> Iterator[str]:
        largest = max(len(word) for word in known.values())
        word = known[step.sources[0]] if step.sources else ()
        if (
            len(word) < max(largest, 1)
            or len(step.sources) * len(step.features) > PAIRS
            or step.bias_rows
        ):
            yield from super()._outer(step, known)
            return
        made: list[str] = []
        for source in map(self._variable, step.sources):
            for name, order in step.features:
                made.append(f"w{len(self.outers)}_{len(made)}")
                yield from self._product(made[-1], self._variable(name), source, order, word)
        name = f"w{len(self.outers)}"
        yield f"{name} = torch.stack([{', '.join(made)}])"
        self.outers.append((name, step))

    def _product(
        self, made: str, feature: str, source: str, order: tuple[int, ...], word: Word
    ) -> Iterator[str]:
        """The sum over positions of a feature times a source."""
        axes = _Axes.of(self.plan, word)
        body = [
            "part = tl.program_id(0).to(tl.int64)",
            "o = tl.program_id(1) * OUT + tl.arange(0, OUT)",
            "c = tl.program_id(2) * IN + tl.arange(0, IN)",
            "total = tl.zeros((OUT, IN), SUM)",
            "for start in range(0, LENGTH, ROWS):",
            "    r = part * LENGTH + start + tl.arange(0, ROWS)",
            *(f"    {line}" for line in axes.positions()),
            f"    at = {axes.row(axes.permuted(order))}",
            "    a_there = (r < rows)[:, None] & (o < C_OUT)[None, :]",
            "    b_there = (r < rows)[:, None] & (c < C_IN)[None, :]",
            "    a = tl.load(g + at[:, None] * C_OUT + o[None, :], mask=a_there, other=0.0)",
            "    b = tl.load(x + r[:, None] * C_IN + c[None, :], mask=b_there, other=0.0)",
            "    a, b = tl.trans(a.to(FACTOR)), b.to(FACTOR)",
            "    total = tl.dot(a, b, total, input_precision=PRECISION, out_dtype=SUM)",
            "there = (o < C_OUT)[:, None] & (c < C_IN)[None, :]",
            "p += (part * C_OUT + o[:, None]) * C_IN + c[None, :]",
            "tl.store(p, total, mask=there)",
        ]
        name = self._kernel(
            "outer",
            ["p", "g", "x", "rows", *axes.names, "C_OUT", "C_IN"],
            ["LENGTH", "ROWS", "OUT", "IN", "SUM", "FACTOR", "PRECISION"],
            body,
        )
        c_out, c_in = f"{feature}.shape[-1]", f"{source}.shape[-1]"
        yield f"rows, out, into = {source}.numel() // {c_in}, power({c_out}, 64), power({c_in}, 64)"
        yield f"parts = max(1, triton.cdiv(rows, {PART}))"
        yield f"{made} = summed_in({source}, (parts, {c_out}, {c_in}))"
        yield (f"wrap_triton({name})[parts, triton.cdiv({c_out}, out), triton.cdiv({c_in}, into)](")
        given = [made, f"{feature}.contiguous()", f"{source}.contiguous()", "rows"]
        given += [*self._sizes(word), c_out, c_in, str(PART), "32", "out", "into"]
        yield from _listed([*given, f"*summing({source})"])
        yield ")"
        yield f"{made} = {made}.sum(0).to({source}.dtype)"

    # What they have in common.

    def _kernel(
        self, kind: str, arguments: Sequence[str], constants: Sequence[str], body: Sequence[str]
    ) -> str:
        """The name of a kernel; equal ones are one."""
        given = [*arguments, *(f"{name}: tl.constexpr" for name in constants)]
        lines = ["@triton.jit", "def NAME(", *_listed(given), "):"]
        text = "\n".join([*lines, *(f"    {line}" for line in body)])
        for name, made in self.kernels.items():
            if made == text.replace("NAME", name):
                return name
        name = f"{kind}_{sum(name.startswith(kind) for name in self.kernels)}"
        self.kernels[name] = text.replace("NAME", name)
        return name

    def _said(self, step: Contract, source: str, word: Word) -> Iterator[str]:
        """A sum in index notation."""
        yield from describe(step, {source: word}, self.plan)

    def _size(self, kind: int) -> str:
        """The size of axes of a type, in a function."""
        return f"n[{kind}]" if self.plan.types > 1 else "n"

    def _sizes(self, word: Word) -> list[str]:
        """The sizes of the types of axes that there are."""
        return [self._size(kind) for kind in sorted(set(word))]


@dataclass(frozen=True)
class _Axes:
    """The axes of a tensor in a kernel: their letters, and the name of the size of each."""

    letters: str
    sizes: dict[str, str]
    names: tuple[str, ...]
    """The names of all sizes, as the kernel takes them."""

    @classmethod
    def of(cls, plan: Plan, word: Word) -> _Axes:
        letters = indices(tuple(range(len(word))))
        names = {kind: f"n{kind}" if plan.types > 1 else "n" for kind in sorted(set(word))}
        sizes = {letter: names[kind] for letter, kind in zip(letters, word, strict=True)}
        return cls(letters, sizes, tuple(names.values()))

    @property
    def sized(self) -> list[tuple[str, str]]:
        return list(self.sizes.items())

    def first(self, labels: Sequence[int]) -> dict[int, str]:
        """The letter of the first axis that has each index."""
        return {index: self.letters[labels.index(index)] for index in labels}

    def permuted(self, order: Sequence[int]) -> list[str]:
        """The letters on the axes of a tensor, axis i of the feature being its axis ``order[i]``."""
        return [self.letters[order.index(axis)] for axis in range(len(order))]

    def row(self, letters: Iterable[str]) -> str:
        """The number of a row, from its indices."""
        row = "batch"
        for letter in letters:
            row = f"({row})" if " " in row else row
            row = f"{row} * {self.sizes[letter]} + {letter}"
        return row

    def positions(self) -> Iterator[str]:
        """The indices of the r-th position of all inputs."""
        yield "batch = r"
        for letter, size in reversed(self.sized):
            yield f"{letter} = batch % {size}"
            yield f"batch = batch // {size}"


PART = 1024
"""How many positions a program of ``outer`` sums over."""


def _along(axis: int, order: int) -> str:
    """What lays a range along an axis of a block, which has ``order`` axes and the channels."""
    return "[" + ", ".join(":" if a == axis else "None" for a in range(order + 1)) + "]"


def _listed(items: Iterable[str]) -> list[str]:
    """Arguments on lines of their own."""
    return textwrap.wrap(
        ", ".join(items) + ",",
        WIDTH - 8,
        initial_indent="    ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _form(a: str, b: str) -> str:
    """The symplectic form: 1 for indices 2i, 2i + 1, -1 for these turned round."""
    after = f"(({b} == {a} + 1) & ({a} % 2 == 0)).to(tl.int32)"
    before = f"(({a} == {b} + 1) & ({b} % 2 == 0)).to(tl.int32)"
    return f"({after} - {before})"


def _collapsed(step: Contract) -> list[int]:
    """The axes that are not the first of an index that is kept."""
    first = {step.labels.index(index) for index in step.keep}
    return [axis for axis in range(len(step.labels)) if axis not in first]
