"""The triton backend: the largest tensors in fused kernels, all else as plain PyTorch operations.

Three kinds of kernel do what takes time, for every group whose plans have these steps:

* ``sweep`` reads a tensor once, and makes all sums of it, or six of many: each program takes a block
  of positions and writes what its block adds to each sum; one more launch adds these parts up;
* ``tile`` writes the result once: each program takes some positions, mixes the channels of all
  features there, permuted as they may be, adds what tensors of lower order put there, and writes.
  Where with every feature there is the one with two axes exchanged, as for all permutations of the
  input, a program takes positions ``ij`` and ``ji`` together: what is read for one serves the other,
  and their sum and difference need one product each where the two need two each;
* ``outer`` sums the gradient of rows of the weight over positions, in as many parts as there are
  programs, which PyTorch adds up; it takes positions in pairs as well.

Sums of tensors of an order above four, results of one above five, Levi-Civita symbols, and all that is
of lower order than input and output are PyTorch's.

Programs that read the same positions, for other channels, follow one another, so that they find them
in the cache. No program writes where another does, so that results are the same in every run with the
same tiles. Positions are counted in 64 bits where 32 may not be enough. Products are summed in
float32, or float64 where input and weight are that.
"""

from __future__ import annotations

import ast
import hashlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tannaka.codegen.backends.einsum import Emitter
from tannaka.codegen.backends.lines import WIDTH, signature
from tannaka.codegen.backends.triton_text import (
    IMPORTS,
    ON_GPU,
    PARTS,
    Axes,
    along,
    described,
    exchanged,
    listed,
    power,
    product,
)
from tannaka.codegen.fusion import Group, Sweep, Tile, grouped
from tannaka.codegen.lowering.gradient import GRADIENT, AnyStep, Outer
from tannaka.codegen.network import Word
from tannaka.codegen.network import sizes as network_sizes
from tannaka.codegen.notation import shape
from tannaka.codegen.plan import ABSENT, INPUT, Contract, Embed, LeviCivita, Plan

BLOCK = {1: (64,), 2: (32, 16), 3: (16, 16, 4), 4: (8, 8, 4, 4)}
"""How many indices of each axis of a tensor a program of a sweep takes at a time, by its order; with
smaller axes it takes so many inputs that there are as many positions."""
STRIP = 128
"""How many indices of the last axis it takes one block after the other, at most."""
SUMS = 6
"""How many sums a sweep makes at most; more do not fit registers, and cost more than to read again."""
MAX_ORDER = max(BLOCK)
MAX_TILE = 5
"""The most axes of a result that a kernel writes, or sums over: the letters of more are variables."""
PART = 1024
"""How many positions a program of ``outer`` sums over."""
FEATURES = 64
"""The most that a kernel mixes into a result: for those of O(n), 5 -> 5, it is compiled 40 seconds, five
times, and does not fit registers."""
MOST = 24
"""The most products of a source and a feature for which the gradient of the weight has kernels."""
TOGETHER = 6
"""How many of them one kernel sums."""
SHARED = 96 * 1024
"""How many bytes of shared memory the loads of a pipelined loop may take, in float32; no GPU has less
than 99 KiB for a program."""

_HALVED = "HALVED: tl.constexpr = SUM == x.dtype.element_ty  # else sums of two would be rounded"

Tiles = list[tuple[dict[str, int], int, int]]
"""Constants of a kernel, how many warps run a program of it, and how many stages of its loop."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a kernel does."""

    writes: tuple[str, ...]
    """The arguments that it writes."""
    exact: int = 0
    """How many products of channels by a matrix there are at each of its rows, of numbers that are
    summed as they are."""
    rounded: int = 0
    """The same for shorter floats, of which it takes no sums before."""


def work(plan: Plan) -> dict[str, Work]:
    """What each kernel of a plan does, by its name."""
    emitter = _Emitter(plan, optional=True, lean=True)
    emitter.functions()
    return emitter.work


def kernels(plan: Plan) -> str:
    """The source of ``forward(x, weight, bias, n)`` and of three functions for gradients.

    As ``einsum.kernels``, with Triton kernels before them; ``KERNELS`` has them for autograd.
    """
    return f"{BACKED}\n{IMPORTS}\n\n{_text(_Emitter(plan, optional=True, lean=True))}"


def ragged_kernels(plan: Plan, kind: int) -> str:
    """The same functions, each with an argument ``ratio`` more, as ``einsum.ragged_kernel`` has."""
    emitter = _Emitter(plan, optional=True, lean=True, ragged=kind)
    return f"{BACKED}\n{IMPORTS}\n\n{_text(emitter)}"


BACKED = "from tannaka.codegen.runtime.triton_ops import Sizes, registered\n"


def kernel(plan: Plan) -> str:
    """The source of ``apply(x, weight[, bias], n) -> y``, differentiable, for a file of its own.

    The file has the text of the modules that are imported, in the place of the imports.
    """
    left = [kind for kind, size in enumerate(network_sizes(plan.group.n)) if size is None]
    emitter = _Emitter(plan, optional=True, lean=True, ragged=left[0] if len(left) == 1 else None)
    bias = ", bias: Tensor" if plan.bias_basis is not None else ""
    sizes = "n" if emitter.ragged is None else "(n, ratio)"
    head = signature("apply", f"x: Tensor, weight: Tensor{bias}, {emitter.sized}", "Tensor")
    given = f"x, weight, {'bias' if bias else 'None'}"
    # Imports go to the head of the file.
    imports = IMPORTS.replace("\n\n", "\n")
    return "\n".join(
        [
            "from tannaka.codegen.runtime.autograd import DIFFERENTIABLE, Kernels, layer, ready",
            f"{BACKED}{imports}{_text(emitter)}",
            "",
            *head,
            f'    """Apply the layer to x of shape {shape(plan.dom, "in_channels")}."""',
            f"    return layer((KERNELS, {sizes}), *ready({given}))",
            "",
        ]
    )


def _text(emitter: _Emitter) -> str:
    """Imports, kernels, functions, and ``KERNELS``."""
    plan, functions = emitter.plan, emitter.functions()
    functions[0] = functions[0].replace("def apply(", "def forward(", 1)
    parts = [text.rstrip() for name, text in PARTS.items() if name in emitter.parts]
    text = "\n\n\n".join([*parts, *emitter.kernels.values(), emitter.text(functions).rstrip()])
    bias_rows = len(plan.bias_basis or ())
    ragged = ", ragged=True" if emitter.ragged is not None else ""
    sizes = f"Sizes({plan.inputs}, {plan.outputs}, {len(plan.basis)}, {bias_rows}{ragged})"
    digest = hashlib.sha256(f"{text}{sizes}".encode()).hexdigest()[:16]
    return f"""{text}


KERNELS = registered(
    "{digest}",
    (forward, gradients, input_gradient, weight_gradient),
    {sizes},
)
"""


@dataclass
class _Emitter(Emitter):
    """Writes groups of steps as kernels, and the others as PyTorch operations."""

    kernels: dict[str, str] = field(default_factory=dict)
    """The text of each kernel by its name."""
    parts: set[str] = field(default_factory=set)
    """What the text uses of ``PARTS``."""
    spread: set[str] = field(default_factory=set)
    """The tensors of a function that lie in memory as kernels read them."""
    work: dict[str, Work] = field(default_factory=dict)
    """What each kernel does, by its name."""

    def _groups(
        self, steps: Sequence[AnyStep], known: dict[str, Word], result: str
    ) -> Sequence[Group]:
        swept = [name for name in (INPUT, GRADIENT) if 0 < len(known.get(name, ())) <= MAX_ORDER]
        groups = grouped(steps, known, swept, result)
        if any(isinstance(group, Tile) and not _tiled(group, known) for group in groups):
            groups = grouped(steps, known, swept, result="")
        return [part for group in groups for part in _parted(group)]

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
        source, channels = self._variable(group.source), f"{self._variable(group.source)}.shape[-1]"
        axes, sizes = Axes.of(self.plan, word), list(map(self._size, word))
        blocks = [f"{letter}_block" for letter in axes.letters]
        launched = [f"triton.cdiv({n}, {block})" for n, block in zip(sizes, blocks, strict=True)]
        launched[-1] = f"triton.cdiv({sizes[-1]}, strip)"
        self.parts |= {"summed_in", "fitted"}
        yield from self._spread(source)
        fitted = [f"fitted({n}, {most})" for n, most in zip(sizes, BLOCK[len(word)], strict=True)]
        for block, size in zip(blocks, fitted, strict=True):
            yield f"{block} = {size}"
        yield f"strip = fitted({sizes[-1]}, {STRIP})"
        yield f"items = max(1, {math.prod(BLOCK[len(word)])} // ({' * '.join(blocks)}))"
        for s, step in enumerate(group.steps):
            parts = " * ".join(launched[axis] for axis in _collapsed(step))
            kept = [*self._kept(step, word), parts, channels]
            yield from listed(f"p{s} = summed_in(", [source, "*batch", *kept], ")")
        partial = [f"p{s}" for s in range(len(group.steps))]
        yield "programs = triton.cdiv(math.prod(batch), items)"
        yield from (f"programs *= {blocks}" for blocks in launched)
        yield from listed(
            f"wrap_triton({self._sweeper(group, axes)})"
            f'[lambda tile: (programs * triton.cdiv({channels}, tile["CHANNELS"]),)](',
            [
                *(
                    source,
                    f"{source}_stride",
                    *partial,
                    "math.prod(batch)",
                    *self._sizes(word),
                    channels,
                ),
                *("items", *blocks, "strip"),
            ],
            ")",
        )
        given = []
        for made, step in zip(partial, group.steps, strict=True):
            terms = [self._size(word[step.labels.index(index)]) for index in step.averaged]
            shaped = ", ".join(["*batch", *self._kept(step, word), channels])
            yield f"{step.out} = {source}.new_empty(({shaped}))"
            rows = f"{step.out}.numel() // {channels}"
            given += [made, step.out, rows, f"{made}.shape[-2]", " * ".join(terms) or "1"]
        counts = [f"{step.out}.numel()" for step in group.steps]
        if len(counts) == 1:
            yield f"rows = {counts[0]} // {channels}"
        else:
            yield from listed("rows = max(", counts, ")")
            yield f"rows //= {channels}"
        yield from listed(
            f"wrap_triton({self._finisher(len(partial))})"
            f"[triton.cdiv(rows, 32), {len(partial)}, triton.cdiv({channels}, 32)](",
            [*given, channels, "32", "32"],
            ")",
        )
        for step in group.steps:
            if (scaled := self._rescaled(step.out, step, word)) != step.out:
                yield f"{step.out} = {scaled}"

    def _sweeper(self, group: Sweep, axes: Axes) -> str:
        """The kernel of a sweep: blocks of the last axis one after the other, of others at once."""
        order, last = len(axes.letters), axes.letters[-1]
        blocks = {letter: f"{letter.upper()}_BLOCK" for letter in axes.letters}
        body: list[str] = []
        for s, step in enumerate(group.steps):
            body += described(step, axes, self.plan, f"p{s}", "x", ", in parts")
        span = f"tl.arange(0, CHANNELS){along(order + 1, order + 2)}"
        body += [
            "SUM: tl.constexpr = p0.dtype.element_ty",
            "batch, c_blocks = tl.program_id(0), tl.cdiv(C, CHANNELS)",
            f"c = batch % c_blocks * CHANNELS + {span}",
            "batch = batch // c_blocks",
        ]
        for letter in reversed(axes.letters):
            block = "STRIP" if letter == last else blocks[letter]
            body += [
                f"{letter}_blocks = tl.cdiv({axes.sizes[letter]}, {block})",
                f"{letter}_block = batch % {letter}_blocks",
                f"batch = batch // {letter}_blocks",
            ]
        span = f"tl.arange(0, ITEMS){along(0, order + 2)}"
        body.append(f"batch = batch.to(tl.int64) * ITEMS + {span}")
        for axis, letter in enumerate(axes.letters[:-1], start=1):
            span = f"tl.arange(0, {blocks[letter]}){along(axis, order + 2)}"
            body.append(f"{letter} = {letter}_block * {blocks[letter]} + {span}")
        inside = ["(batch < items)", *(f"({i} < {axes.sizes[i]})" for i in axes.letters)]
        span = f"tl.arange(0, {blocks[last]}){along(order, order + 2)}"
        loop = [
            f"{last} = {last}_block * STRIP + start + {span}",
            f"inside = {' & '.join([*inside, '(c < C)'])}",
            f"at = {axes.row(axes.letters)}",
            "value = tl.load(x + at * x_stride + c, mask=inside, other=0.0).to(SUM)",
        ]
        stores: list[str] = []
        for s, step in enumerate(group.steps):
            (*lines, summand), store = self._summand(step, axes), _stored(s, step, axes)
            loop += lines
            if order - 1 in (collapsed := _collapsed(step)):
                shape = [
                    "1" if axis in collapsed else blocks[letter]
                    for axis, letter in enumerate(axes.letters)
                ]
                body.append(f"s{s} = tl.zeros((ITEMS, {', '.join(shape)}, CHANNELS), SUM)")
                loop.append(f"s{s} += {summand}")
                stores += store
            else:
                loop += [f"s{s} = {summand}", *store]
        body.append(f"for start in range(0, STRIP, {blocks[last]}):")
        body += [*(f"    {line}" for line in loop), *stores]
        channels = self.plan.in_channels if group.source == INPUT else self.plan.out_channels
        shapes = ((16, 8), (16, 4), (32, 8), (8, 4)) if order < 3 else ((8, 8), (16, 8))
        tiles: Tiles = [
            ({"CHANNELS": power(channels, width, least=1)}, warps, 2) for width, warps in shapes
        ]
        partial = [f"p{s}" for s in range(len(group.steps))]
        arguments = ["x", "x_stride", *partial, "items", *axes.names, "C"]
        constants = ["ITEMS", *blocks.values(), "STRIP"]
        key = [*axes.names, "C"]
        return self._kernel("sweep", arguments, constants, tiles, key, body, Work(tuple(partial)))

    def _summand(self, step: Contract, axes: Axes) -> list[str]:
        """What a block adds to a sum: statements, and an expression at the end."""
        first = axes.first(step.labels)
        forms = [self._form(first[a], first[b]) for a, b in step.forms]
        read = [
            f"({first[index]} == {letter})"
            for letter, index in zip(axes.letters, step.labels, strict=True)
            if letter != first[index]
        ]
        read += [f"({form} != 0)" for form in forms]
        part, lines = "value", []
        if read:
            # What is not read may be infinite, or no number: times 0 it would not be 0.
            lines.append(f"read = {' & '.join(read) if len(read) > 1 else read[0][1:-1]}")
            lines.append(f"part = tl.where(read, {' * '.join(['value', *forms])}, 0.0)")
            part = "part"
        *others, last = reversed(_collapsed(step))
        for axis in others:
            lines.append(f"part = tl.sum({part}, axis={axis + 1}, keep_dims=True)")
            part = "part"
        return [*lines, f"tl.sum({part}, axis={last + 1}, keep_dims=True)"]

    def _finisher(self, sums: int) -> str:
        """The kernel that adds up the parts of so many sums."""
        self.parts.add("finish")
        arguments, body = [], ["which = tl.program_id(1)"]
        for s in range(sums):
            mine = [f"p{s}", f"c{s}", f"rows{s}", f"count{s}", f"terms{s}"]
            arguments += mine
            body += [f"if which == {s}:", f"    finish({', '.join(mine)}, C, ROWS, CHANNELS)"]
        does = Work(tuple(f"c{s}" for s in range(sums)))
        return self._kernel("finish", [*arguments, "C"], ["ROWS", "CHANNELS"], [], [], body, does)

    # The result.

    def _tile(self, group: Tile, known: dict[str, Word], weight: str) -> Iterator[str]:
        mix, word = group.mix, known[group.out]
        axes, features = Axes.of(self.plan, word), []
        if mix:
            pairs = zip(mix.features, mix.rows[0], strict=True)
            features = [
                (name, axes.permuted(order), row) for (name, order), row in pairs if row != ABSENT
            ]
        named = list(dict.fromkeys(name for name, _, _ in features))
        short = {name: f"x{f}" for f, name in enumerate(named)}
        pair = axes.pair([(name, letters) for name, letters, _ in features])
        kernel = self._tiler(
            group, axes, [(short[name], letters, row) for name, letters, row in features], pair
        )
        y, c_in, c_out = self._variable(group.out), f"{weight}.shape[2]", f"{weight}.shape[1]"
        given: list[str] = []
        for variable in map(self._variable, named):
            yield from self._spread(variable)
            given += [variable, f"{variable}_stride"]
        for step in group.embeds:
            source = self._divided(self._variable(step.source), step.averaged, step.labels, word)
            source = self._rescaled(source, step, word)
            self.parts.add("spread")
            given.append(f"*spread({source})")
        like = self._variable(named[0]) if named else "g" if y.startswith("d_") else "x"
        shaped = "".join(f"{self._size(kind)}, " for kind in word)
        yield f"{y} = {like}.new_empty((*batch, {shaped}{c_out}))"
        yield f"rows = {y}.numel() // {c_out}"
        if pair:
            n = self._size(word[axes.letters.index(pair[0])])
            yield f"rows = rows // {n} * ({n} // 2 + 1)"
        self.parts |= {"precision", "wide"}
        yield from listed(
            f"wrap_triton({kernel})[\n"
            f'    lambda tile: (triton.cdiv(rows, tile["ROWS"]) * triton.cdiv({c_out}, tile["OUT"]),)\n'
            "](",
            [
                *(y, *given, weight, "rows", *self._sizes(word), c_in, c_out),
                *(f"*{weight}.stride()", f"wide({y})", f"precision({y})"),
            ],
            ")",
        )

    def _tiler(
        self, group: Tile, axes: Axes, features: Sequence[tuple[str, str, int]], pair: str
    ) -> str:
        """The kernel that writes the result, from features: a name, the letters on it, a row."""
        body: list[str] = []
        names = {step.source: f"t{t}" for t, step in enumerate(group.embeds)}
        for step in group.steps:
            if isinstance(step, Embed):
                body += described(step, axes, self.plan, "y", names[step.source])
        terms = " + ".join(f"W{row} {name}[{letters}]" for name, letters, row in features)
        body = [f"# y[{axes.letters}] = {terms or 0}", *body]
        body += [
            "SUM: tl.constexpr = tl.float64 if y.dtype.element_ty == tl.float64 else tl.float32",
            "INDEX: tl.constexpr = tl.int64 if WIDE else tl.int32",
            "program, o_blocks = tl.program_id(0), tl.cdiv(C_OUT, OUT)",
            "r = (program // o_blocks).to(INDEX) * ROWS + tl.arange(0, ROWS)",
            "o = program % o_blocks * OUT + tl.arange(0, OUT)",
            *axes.positions(pair),
            "total = tl.zeros((ROWS, OUT), SUM)",
        ]
        if pair:
            body.append(f"other = tl.zeros((ROWS, OUT), SUM)  # at {exchanged(axes.letters, pair)}")
            body.append(_HALVED.replace("x.", f"{features[0][0]}."))
        loop = list(self._mixed(axes, features, pair))
        if features:
            body.append(
                "row = tl.cast(row_stride, tl.int64)  # all rows may have 2^31 numbers and more"
            )
            body += ["for start in range(0, C_IN, DEPTH):", *(f"    {line}" for line in loop)]
        if pair:
            body += _halved("total", "other")
        body.append("there = inside[:, None] & (o < C_OUT)[None, :]")
        for t, step in enumerate(group.embeds):
            body += self._added(t, step, axes, "total")
        body += _written("total", axes, "")
        if pair:
            i, j = pair[0], pair[1]
            body.append(f"there = there & ({i} != {j})[:, None]")
            for t, step in enumerate(group.embeds):
                body += self._added(t, step, axes, "other", pair)
            body += _written("other", axes, pair)
        sources = list(dict.fromkeys(name for name, _, _ in features))
        into, out = self.plan.in_channels, self.plan.out_channels
        if group.out.startswith("d_"):
            into, out = out, into
        depth = power(into, 32 if len(features) <= 4 else 16)
        tiles: Tiles = []
        for rows, widest, warps in (
            (64, 64, 8),
            (64, 64, 4),
            (128, 64, 8),
            (32, 64, 4),
            (64, 128, 8),
        ):
            width = power(out, widest)
            # The smallest tile fits in float64 too.
            load = (8 if rows == 32 else 4) * len(features) * depth * (rows + width)
            stages = max(1, min(3, SHARED // max(load, 1)))
            tiles.append(({"ROWS": rows, "OUT": width, "DEPTH": depth}, warps, stages))
        embedded = [f"t{t}" for t in range(len(group.embeds))]
        given = [one for name in (*sources, *embedded) for one in (name, f"{name}_stride")]
        sizes = ["rows", *axes.names, "C_IN", "C_OUT", "row_stride", "out_stride", "in_stride"]
        arguments = ["y", *given, "weight", *sizes]
        key = [*axes.names, "C_IN", "C_OUT", "PRECISION"]
        does = Work(("y",), len(features), len(features) * (2 if pair else 1))
        return self._kernel("tile", arguments, ["WIDE", "PRECISION"], tiles, key, body, does)

    def _mixed(
        self, axes: Axes, features: Sequence[tuple[str, str, int]], pair: str
    ) -> Iterator[str]:
        """Add the products of some channels of all features and the weight."""
        yield "c = start + tl.arange(0, DEPTH)"
        yield "read = inside[:, None] & (c < C_IN)[None, :]"
        yield "weighed = (c < C_IN)[:, None] & (o < C_OUT)[None, :]"
        yield "entry = o[None, :].to(tl.int64) * out_stride + c[:, None].to(tl.int64) * in_stride"

        def loaded(feature: str, weight: str, of: tuple[str, str, int]) -> Iterator[str]:
            name, letters, row = of
            yield f"at = {axes.row(letters)}"
            place = f"{name} + at.to(tl.int64)[:, None] * {name}_stride + c[None, :]"
            yield f"{feature} = tl.load({place}, mask=read, other=0.0)"
            place = f"weight + {row} * row + entry"
            yield f"{weight} = tl.load({place}, mask=weighed, other=0.0)"

        self.parts.add("product")
        for feature, turned in _paired(features, pair):
            yield from loaded("f", "w", feature)
            if turned is None:
                yield product("total", "f", "w")
                continue
            yield from loaded("g", "v", turned)
            yield "if HALVED:"
            yield f"    {product('total', 'f + g', 'w + v')}"
            yield f"    {product('other', 'f - g', 'w - v')}"
            yield "else:"
            yield f"    {product('total', 'f', 'w')}"
            yield f"    {product('total', 'g', 'v')}"
            yield f"    {product('other', 'g', 'w')}"
            yield f"    {product('other', 'f', 'v')}"

    def _added(self, t: int, step: Embed, axes: Axes, to: str, pair: str = "") -> Iterator[str]:
        """What a tensor of lower order adds at some positions, two letters exchanged."""
        letters = exchanged(axes.letters, pair)
        first = {index: letters[step.labels.index(index)] for index in step.labels}
        if pair and len({step.labels[axes.letters.index(letter)] for letter in pair}) == 1:
            return  # on the diagonal, where there is no other position
        where = ["there"]
        for letter, index in zip(letters, step.labels, strict=True):
            if letter != first[index]:
                where.append(f"({first[index]} == {letter})[:, None]")
        forms = [self._form(first[a], first[b]) for a, b in step.forms]
        where += [f"({form} != 0)[:, None]" for form in forms]
        yield f"at = {axes.row([first[index] for index in step.keep])}"
        mask = "there"
        if len(where) > 1:
            mask = "here"
            yield f"here = {' & '.join(where)}"
        place = f"t{t} + at.to(tl.int64)[:, None] * t{t}_stride + o[None, :]"
        factors = [f"{form}[:, None]" for form in forms]
        yield f"t = tl.load({place}, mask={mask}, other=0.0)"
        yield f"{to} += {' * '.join(['t.to(SUM)', *factors])}"

    # The gradient of the weight.

    def _outer(self, step: Outer, known: dict[str, Word]) -> Iterator[str]:
        largest = max(len(word) for word in known.values())
        word = known[step.sources[0]] if step.sources else ()
        count = len(step.sources) * len(step.features)
        few = count <= MOST and len(word) <= MAX_TILE
        if len(word) < max(largest, 1) or not few or step.bias_rows:
            yield from super()._outer(step, known)
            return
        axes, name = Axes.of(self.plan, word), f"w{len(self.outers)}"
        self.outers.append((name, step))
        features = [
            (self._variable(name), axes.permuted(order), f)
            for f, (name, order) in enumerate(step.features)
        ]
        pair = axes.pair([(name, letters) for name, letters, _ in features])
        for variable in dict.fromkeys(
            [*map(self._variable, step.sources), *(f[0] for f in features)]
        ):
            yield from self._spread(variable)
        first = self._variable(step.sources[0])
        c_out, c_in = f"{features[0][0]}.shape[-1]", f"{first}.shape[-1]"
        self.parts |= {"summed_in", "precision", "wide"}
        yield f"rows = {first}.numel() // {c_in}"
        if pair:
            n = self._size(word[axes.letters.index(pair[0])])
            yield f"rows = rows // {n} * ({n} // 2 + 1)"
        yield f"parts = triton.cdiv(rows, {PART})"
        yield f"{name} = summed_in({first}, {count}, parts, {c_out}, {c_in})"
        together = list(_paired(features, pair))
        size = max(1, TOGETHER // (2 if pair else 1))
        chunks = [together[start : start + size] for start in range(0, len(together), size)]
        for s, source in enumerate(map(self._variable, step.sources)):
            for chunk in chunks:
                yield from self._product(
                    axes, name, source, chunk, pair, s * len(features), self._sizes(word)
                )
        yield f"{name} = {name}.sum(1).to({first}.dtype)"

    def _product(
        self,
        axes: Axes,
        made: str,
        source: str,
        features: Sequence[tuple[tuple[str, str, int], tuple[str, str, int] | None]],
        pair: str,
        start: int,
        sizes: Sequence[str],
    ) -> Iterator[str]:
        """Launch the kernel that sums features times a source over positions."""
        every = [one for two in features for one in two if one is not None]
        named = list(dict.fromkeys(name for name, _, _ in every))
        short = {name: f"g{f}" for f, name in enumerate(named)}
        kernel = self._summer(
            axes,
            [
                tuple(one and (short[one[0]], one[1], 0) for one in two)  # type: ignore[misc]
                for two in features
            ],
            pair,
        )
        c_out, c_in = f"{named[0]}.shape[-1]", f"{source}.shape[-1]"
        # Of the result, which is there to the end, unlike what it is made of.
        factors = [
            "parts",
            f'triton.cdiv({made}.shape[-2], tile["OUT"])',
            f'triton.cdiv({made}.shape[-1], tile["IN"])',
        ]
        blocks = f"    lambda tile: ({' * '.join(factors)},)"
        if len(blocks) > WIDTH - 4:
            blocks = f"    lambda tile: (\n        {' * '.join(factors)},\n    )"
        yield from listed(
            f"wrap_triton({kernel})[\n{blocks}\n](",
            [
                *(f"{made}[{start + row}]" for _, _, row in every),
                *(one for name in named for one in (name, f"{name}_stride")),
                *(source, f"{source}_stride", "rows", *sizes, c_out, c_in),
                *(str(PART), f"wide({source})", f"precision({source})"),
            ],
            ")",
        )

    def _summer(
        self,
        axes: Axes,
        features: Sequence[tuple[tuple[str, str, int], tuple[str, str, int] | None]],
        pair: str,
    ) -> str:
        """The kernel that sums features times a source x over positions."""
        count = sum(1 if turned is None else 2 for _, turned in features)
        letters = [one[1] for two in features for one in two if one is not None]
        names = [one[0] for two in features for one in two if one is not None]
        self.parts.add("product")
        body = [
            f"# p{s}[oc] = sum over {axes.letters} of {name}[{at}o] x[{axes.letters}c], in parts"
            for s, (name, at) in enumerate(zip(names, letters, strict=True))
        ]
        body += [
            "SUM: tl.constexpr = p0.dtype.element_ty",
            "INDEX: tl.constexpr = tl.int64 if WIDE else tl.int32",
            "c_blocks, o_blocks = tl.cdiv(C_IN, IN), tl.cdiv(C_OUT, OUT)",
            "part = tl.program_id(0)",
            "c = part % c_blocks * IN + tl.arange(0, IN)",
            "o = part // c_blocks % o_blocks * OUT + tl.arange(0, OUT)",
            "part = (part // (c_blocks * o_blocks)).to(INDEX)",
            *(f"s{s} = tl.zeros((OUT, IN), SUM)" for s in range(count)),
            *([_HALVED] if pair else []),
        ]
        loop = [
            "r = part * LENGTH + start + tl.arange(0, ROWS)",
            *axes.positions(pair),
            "right = inside[:, None] & (c < C_IN)[None, :]",
            "left = inside[:, None] & (o < C_OUT)[None, :]",
            f"at = {axes.row(axes.letters)}",
            "a = tl.load(x + at.to(tl.int64)[:, None] * x_stride + c[None, :], mask=right, other=0.0)",
        ]
        if pair:
            i, j = pair[0], pair[1]
            loop += [
                f"right = right & ({i} != {j})[:, None]",
                f"at = {axes.row(exchanged(axes.letters, pair))}",
                "b = tl.load(x + at.to(tl.int64)[:, None] * x_stride + c[None, :], mask=right, other=0.0)",
            ]

        def loaded(to: str, of: tuple[str, str, int]) -> Iterator[str]:
            yield f"at = {axes.row(of[1])}"
            place = f"{of[0]} + at.to(tl.int64)[:, None] * {of[0]}_stride + o[None, :]"
            yield f"{to} = tl.load({place}, mask=left, other=0.0)"

        s, halved = 0, []
        for feature, turned in features:
            loop += loaded("f", feature)
            if turned is None:
                loop.append(product(f"s{s}", "tl.trans(f)", "a"))
                s += 1
                continue
            loop += [
                *loaded("g", turned),
                "if HALVED:",
                f"    {product(f's{s}', 'tl.trans(f + g)', 'a + b')}",
                f"    {product(f's{s + 1}', 'tl.trans(f - g)', 'a - b')}",
                "else:",
                f"    {product(f's{s}', 'tl.trans(f)', 'a')}",
                f"    {product(f's{s}', 'tl.trans(g)', 'b')}",
                f"    {product(f's{s + 1}', 'tl.trans(g)', 'a')}",
                f"    {product(f's{s + 1}', 'tl.trans(f)', 'b')}",
            ]
            halved += _halved(f"s{s}", f"s{s + 1}")
            s += 2
        body += ["for start in range(0, LENGTH, ROWS):", *(f"    {line}" for line in loop), *halved]
        body += [
            "there = (o < C_OUT)[:, None] & (c < C_IN)[None, :]",
            "at = (part.to(tl.int64) * C_OUT + o[:, None]) * C_IN + c[None, :]",
            *(f"tl.store(p{s} + at, s{s}, mask=there)" for s in range(count)),
        ]
        tiles: Tiles = []
        few = ((32, 64, 8), (32, 64, 4), (64, 64, 8), (32, 32, 4))
        many = ((16, 32, 8), (16, 32, 4), (32, 32, 8), (32, 32, 4))
        for rows, widest, warps in few if count <= 2 else many:
            out, into = power(self.plan.out_channels, widest), power(self.plan.in_channels, widest)
            load = 4 * rows * (count * out + (2 if pair else 1) * into)
            stages = max(1, min(3, SHARED // load))
            tiles.append(({"ROWS": rows, "OUT": out, "IN": into}, warps, stages))
        parts = [f"p{s}" for s in range(count)]
        given = [one for name in (*dict.fromkeys(names), "x") for one in (name, f"{name}_stride")]
        arguments = [*parts, *given, "rows", *axes.names, "C_OUT", "C_IN"]
        key = [*axes.names, "C_OUT", "C_IN", "PRECISION"]
        constants, does = ["LENGTH", "WIDE", "PRECISION"], Work(tuple(parts), count, 2 * count)
        if not pair:
            does = Work(tuple(parts), count, count)
        return self._kernel("outer", arguments, constants, tiles, key, body, does)

    # What they have in common.

    def _body(
        self, steps: Sequence[AnyStep], known: dict[str, Word], weight: str, result: str
    ) -> Iterator[str]:
        self.spread = set()
        yield from super()._body(steps, known, weight, result)

    def _spread(self, name: str) -> Iterator[str]:
        """See to it that a tensor lies in memory as kernels read it."""
        if name not in self.spread:
            self.spread.add(name)
            self.parts.add("spread")
            yield f"{name}, {name}_stride = spread({name})"

    def _texts(self) -> dict[str, str]:
        return super()._texts() | ON_GPU

    def _numbers(self, values: list[Any]) -> str:
        return repr(_tuples(values))

    def _table(self, kind: str, made: str) -> str:
        """The name of a constant; tensors are written as their numbers, which ``placed`` takes."""
        tensor = re.fullmatch(r"torch\.tensor\((\[.*\])(, dtype=torch\.float64)?\)", made)
        return super()._table(kind, repr(_tuples(ast.literal_eval(tensor[1]))) if tensor else made)

    def _levi_civita(self, step: LeviCivita, known: dict[str, Word]) -> str:
        self.helpers.add("placed")
        return super()._levi_civita(step, known)

    def _picked(self, rows: str, order: list[int]) -> str:
        self.helpers.add("picked")
        return f"picked({rows}, {self._table('PLACES', self._numbers(order))})"

    def _placed(self, table: str, like: str) -> str:
        self.helpers.add("placed")
        return f"placed({table}, {like})"

    def _kernel(
        self,
        kind: str,
        arguments: Sequence[str],
        constants: Sequence[str],
        tiles: Tiles,
        key: Sequence[str],
        body: Sequence[str],
        does: Work,
    ) -> str:
        """The name of a kernel; equal ones are one."""
        head = ["@triton.jit"]
        if tiles:
            self.parts.add("tuned")
            each = list(dict.fromkeys(_config(*tile) for tile in tiles))
            keys = ", ".join(f'"{name}"' for name in key)
            head = [*listed("@tuned(", [f"[{keys}]", *each], ")"), *head]
            constants = [*constants, *tiles[0][0]]
        given = [*arguments, *(f"{name}: tl.constexpr" for name in constants)]
        lines = [*head, *listed("def NAME(", given, "):")]
        text = "\n".join([*lines, *(f"    {line}" for line in body)])
        for name, made in self.kernels.items():
            if made == text.replace("NAME", name):
                return name
        name = f"{kind}_{sum(name.startswith(kind) for name in self.kernels)}"
        self.kernels[name] = text.replace("NAME", name)
        self.work[name] = does
        return name

    def _form(self, a: str, b: str) -> str:
        self.parts.add("form")
        return f"form({a}, {b})"

    def _size(self, kind: int) -> str:
        """The size of axes of a type, in a function."""
        return f"n[{kind}]" if self.plan.types > 1 else "n"

    def _sizes(self, word: Word) -> list[str]:
        """The sizes of the types of axes that there are."""
        return [self._size(kind) for kind in sorted(set(word))]

    def _kept(self, step: Contract, word: Word) -> list[str]:
        """The sizes of the axes that a sum keeps."""
        return [self._size(word[step.labels.index(index)]) for index in step.keep]


def _tuples(values: Any) -> Any:
    """Lists of lists as tuples of tuples."""
    return tuple(map(_tuples, values)) if isinstance(values, list) else values


def _config(constants: Mapping[str, int], warps: int, stages: int) -> str:
    known = ", ".join(f'"{name}": {value}' for name, value in constants.items())
    return f"triton.Config({{{known}}}, num_warps={warps}, num_stages={stages})"


def _parted(group: Group) -> Iterator[Group]:
    """A group as kernels run it: a sweep in several, where it makes many sums."""
    if not isinstance(group, Sweep):
        yield group
        return
    for start in range(0, len(group.steps), SUMS):
        yield Sweep(group.source, group.steps[start : start + SUMS])


def _tiled(group: Tile, known: Mapping[str, Word]) -> bool:
    """Whether a kernel writes the result."""
    features = group.mix.features if group.mix else ()
    return len(known[group.out]) <= MAX_TILE and len(features) <= FEATURES


def _collapsed(step: Contract) -> list[int]:
    """The axes that are not the first of an index that is kept."""
    first = {step.labels.index(index) for index in step.keep}
    return [axis for axis in range(len(step.labels)) if axis not in first]


def _stored(s: int, step: Contract, axes: Axes) -> list[str]:
    """Write what has been added to a sum where no other program writes."""
    first = axes.first(step.labels)
    kept = [first[index] for index in step.keep]
    row = axes.row(kept)
    for axis in _collapsed(step):
        letter = axes.letters[axis]
        row = f"({row})" if " " in row else row
        row = f"{row} * {letter}_blocks + {letter}_block"
    inside = ["(batch < items)", *(f"({a} < {axes.sizes[a]})" for a in kept), "(c < C)"]
    mask = " & ".join(inside)
    return [f"at = {row}", f"tl.store(p{s} + at * C + c, s{s}, mask={mask})"]


def _paired(
    features: Sequence[tuple[str, str, int]], pair: str
) -> Iterator[tuple[tuple[str, str, int], tuple[str, str, int] | None]]:
    """Each feature with the one that is read with two letters exchanged; none without a pair."""
    left = list(features)
    while left:
        feature = left.pop(0)
        if not pair:
            yield feature, None
            continue
        turned = exchanged(feature[1], pair)
        other = next(one for one in left if one[:2] == (feature[0], turned))
        left.remove(other)
        yield feature, other


def _halved(one: str, other: str) -> list[str]:
    """Two totals from their sum and difference, where these were summed."""
    return [
        "if HALVED:",
        f"    {one}, {other} = 0.5 * ({one} + {other}), 0.5 * ({one} - {other})",
    ]


def _written(total: str, axes: Axes, pair: str) -> list[str]:
    """Write a total where it belongs."""
    return [
        f"at = {axes.row(exchanged(axes.letters, pair))}",
        f"value = {total}.to(y.dtype.element_ty)",
        "tl.store(y + at.to(tl.int64)[:, None] * C_OUT + o[None, :], value, mask=there)",
    ]
