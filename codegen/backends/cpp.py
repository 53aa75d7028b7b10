"""The cpp backend: a plan as C++ for the CPU that reads its input twice and writes its output once.

The first reading makes all reduced tensors in one sweep. Small products mix what has lower order.
The second reading goes over tiles, mixes their channels, adds what lower orders spread over them,
and writes. A tensor that is mixed with its own transpose is taken in pairs of positions, with half
the multiply-adds: see ``tiles.hpp``, which every kernel starts with. The gradient of the input is
the same code for the plan turned round; that of the weight takes both sweeps and products of tiles.

The text depends on the plan alone: channels and the type of numbers are macros, ``IN``, ``OUT`` and
``SCALAR``, and n and the batch are arguments. Samples are worked on in chunks that fit the cache,
by the threads of OpenMP; which thread does what does not change the result.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from importlib import resources

from tannaka.codegen.notation import indices
from tannaka.codegen.plan import Plan, describe
from tannaka.codegen.trilinear import Layer, Mixing, Reduction, Term, forward, transposed
from tannaka.diagrams.errors import BackendError

MAX_ORDER = 4
"""The largest order of a tensor."""
WIDTH = 100


IMPORT = "from tannaka.codegen.native import compiled\n"
"""What the text of a layer takes from here; a file of its own has the text of that module instead."""


def kernel(plan: Plan) -> str:
    """The source of ``apply(x, weight[, bias], n) -> y``: the C++ text, and a call that builds it."""
    bias_rows = None if plan.bias_basis is None else len(plan.bias_basis)
    call = f"compiled(SOURCE, {plan.dom}, {plan.cod}, {len(plan.basis)}, {bias_rows})"
    return f'{IMPORT}\nSOURCE = r"""\n{source(plan)}"""\n\napply = {call}\n'


def source(plan: Plan) -> str:
    """The C++ text of a plan: three functions with C linkage, that return 0, or 1 without memory.

    * ``forward(x, weight, bias, y, batch, n, threads)``; bias may be null, and is then zero
    * ``input_gradient(dy, weight, dx, batch, n, threads)``
    * ``weight_gradient(x, dy, dweight, dbias, batch, n, threads)``

    All arrays lie in one piece, x of shape (batch, n, ..., n, IN). Raises BackendError for a plan
    with a tensor of an order above 4, or with steps other than sums along diagonals.
    """
    layer = forward(plan)
    largest = max(layer.orders.values())
    if largest > MAX_ORDER:
        raise BackendError(
            f"{plan.group} {plan.dom} -> {plan.cod}: the cpp backend covers orders up to "
            f"{MAX_ORDER}, not {largest}; backend='einsum' runs this layer"
        )
    y, x = Direction(layer, "IN", "OUT"), Direction(transposed(layer), "OUT", "IN")
    tiles = resources.files(__package__).joinpath("tiles.hpp").read_text(encoding="utf-8")
    parts: list[Iterable[str]] = [
        _head(plan),
        [
            "#ifndef SCALAR",
            "#define SCALAR float",
            f"#define IN {plan.in_channels}",
            f"#define OUT {plan.out_channels}",
            "#endif",
            f"#define ORDER {max(largest, 1)}",
        ],
        [tiles.rstrip()],
        _tensors(y, x),
        *y.stages(),
        *x.stages(),
        *(_outer(y, x, mixing) for mixing in layer.mixings),
        ["}  // namespace"],
        _linear(y, "forward(const T* x, const T* weight, const T* bias, T* y"),
        _linear(x, "input_gradient(const T* dy, const T* weight, T* dx"),
        _weight_gradient(y, x, 0 if plan.bias_basis is None else len(plan.bias_basis)),
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _head(plan: Plan) -> Iterator[str]:
    """What the file is: the layer, and its steps in index notation."""
    orders = plan.orders()
    steps = [line for step in plan.steps for line in describe(step, orders)]
    lines = [
        (
            f"Linear layer that commutes with {plan.group}, from order {plan.dom} to {plan.cod}, "
            f"of {len(plan.basis)} diagrams, reduce={plan.reduce}. In index notation, with W the "
            "rows of the weight and b those of the bias:"
        ),
        "",
        *(f"  {line}" for line in [*steps, f"return {plan.result}"]),
        "",
        "The gradient of a tensor has its name with a d in front.",
    ]
    for line in lines:
        yield from _comment(line) if line else ["//"]


def _comment(text: str) -> Iterator[str]:
    yield from textwrap.wrap(text, WIDTH, initial_indent="// ", subsequent_indent="//     ")


class Direction:
    """The stages of a layer, forward or turned round, as text.

    ``cin`` and ``cout`` are what its channels are called. Reduced tensors have rows of ``cin``
    numbers, mixed ones of whole panels, apart from the result, which has rows of ``cout``.
    """

    def __init__(self, layer: Layer, cin: str, cout: str) -> None:
        self.layer, self.cin, self.cout = layer, cin, cout
        self.orders, self.written = layer.orders, layer.written
        mixed = {out for mixing in layer.mixings for out in mixing.outs}
        self.filled = [name for name in self.written if name not in mixed]
        self.sweeps = sorted({self.orders[s.source] for s in layer.reductions}, reverse=True)

    def stages(self) -> Iterator[Iterable[str]]:
        """All functions."""
        for order in self.sweeps:
            yield self._reduce(order)
        for name in self.written:
            yield self._write(name)
        for name in self.filled:
            yield self._fill(name)
        for mixing in self.layer.mixings:
            yield self._mix(mixing)

    def row(self, name: str) -> str:
        """The length of a row of a tensor."""
        if name not in self.written:
            return self.cin
        return self.cout if name == self.layer.result else f"Panels<{self.cout}>::row"

    def size(self, name: str) -> str:
        """How many numbers a tensor has for each sample."""
        return " * ".join([*["n"] * self.orders[name], self.row(name)])

    def at(self, name: str, letters: Iterable[str]) -> str:
        """The address of the row of a tensor at some indices."""
        place = "b"
        for letter in letters:
            place = f"({place} * t.n + {letter})"
        return f"t.{name} + {place} * {self.row(name)}"

    # Reductions.

    def _reduce(self, order: int) -> Iterator[str]:
        """All reductions of tensors of an order, reading each of these tensors once."""
        steps = [s for s in self.layer.reductions if self.orders[s.source] == order]
        for step in steps:
            yield from _comment(_reduction_said(step))
        yield f"void reduce_{self.layer.source}_{order}(Tensors t) {{"
        yield "#pragma omp for schedule(dynamic)"
        yield "  for (Size item = 0; item < t.count * t.parts; ++item) {"
        yield "    const Size b = item / t.parts, part = item % t.parts;"
        yield "    const Size first = t.n * part / t.parts, last = t.n * (part + 1) / t.parts;"
        for source in dict.fromkeys(step.source for step in steps):
            mine = [step for step in steps if step.source == source]
            whole = [step for step in mine if len(set(step.labels)) == order]
            for step in mine:
                if step.summed:
                    yield from self._zeroed(step)
            if whole:
                yield from self._sweep(source, whole)
            for step in mine:
                if step not in whole:
                    yield from self._along_diagonal(step)
                if step.mean and step.summed and not _shared(step):
                    yield f"    scale({self._range(step)}, {_mean(step)});"
        yield "  }"
        split = [step for step in steps if _shared(step)]
        for step in split:
            rows = _power(len(step.keep))
            yield f"  combine<{self.cin}>(t.{step.out}_parts, t.{step.out}, t.count, {rows}, t.parts,"
            yield f"      {_mean(step)});"
        if split:
            yield "#pragma omp barrier"
        yield "}"

    def _range(self, step: Reduction) -> str:
        """Where a part writes a tensor that keeps the first index, and how many numbers."""
        inner = " * ".join([*["t.n"] * (len(step.keep) - 1), self.cin])
        return f"t.{step.out} + (b * t.n + first) * {inner}, (last - first) * {inner}"

    def _zeroed(self, step: Reduction) -> Iterator[str]:
        if not _shared(step):
            yield f"    zero({self._range(step)});"
        else:
            length = " * ".join([*["t.n"] * len(step.keep), self.cin])
            yield f"    T* const {step.out} = t.{step.out}_parts + item * {length};"
            yield f"    zero({step.out}, {length});"

    def _target(self, step: Reduction) -> str:
        """The row of a reduction's result at the indices it keeps."""
        kept = indices(step.keep)
        if not _shared(step):
            return self.at(step.out, kept)
        place = kept[:1] or "0"
        for letter in kept[1:]:
            place = f"({place} * t.n + {letter})"
        return f"{step.out} + {place} * {self.cin}"

    def _sweep(self, source: str, steps: list[Reduction]) -> Iterator[str]:
        """One reading of a tensor, in slabs of rows along its last axis."""
        letters = indices(tuple(range(self.orders[source])))
        *outer, last = letters
        start, end = ("0", "t.n") if outer else ("first", "last")
        slabs = f"for (Size {last} = {start}; {last} < {end}; {last} += SLAB<{self.cin}>)"
        # Sums over the axis before the last go to a slab that stays in the cache meanwhile.
        *before, inner = [*_loops(outer), slabs] if not outer else [*_loops(outer)]
        lines = [line.strip() for line in (*before, *([slabs] if outer else []), inner)]
        for depth, line in enumerate(lines):
            yield "    " + "  " * depth + line + (" {" if depth == len(lines) - 1 else "")
        pad = "    " + "  " * (len(lines) - 1)
        yield f"{pad}  const Size rows = std::min({end} - {last}, SLAB<{self.cin}>);"
        yield f"{pad}  const T* const slab = {self.at(source, letters)};"
        for step in steps:
            if len(letters) - 1 in step.keep:
                yield f"{pad}  add({self._target(step)}, slab, rows * {self.cin});"
            else:
                yield f"{pad}  add_rows<{self.cin}>({self._target(step)}, slab, rows);"
        yield f"{pad}}}"

    def _along_diagonal(self, step: Reduction) -> Iterator[str]:
        """A reduction that reads some axes together: few rows, one after the other."""
        letters = indices(tuple(dict.fromkeys(step.labels)))
        yield from _loops(letters)
        pad = "    " + "  " * len(letters)
        read = self.at(step.source, indices(step.labels))
        if step.summed:
            yield f"{pad}add({self._target(step)}, {read}, {self.cin});"
        else:
            yield f"{pad}copy<{self.cin}>({self._target(step)}, {read});"

    # Mixed tensors.

    def _write(self, name: str) -> Iterator[str]:
        """The function that completes a register of channels of a tensor, and writes it."""
        letters = indices(tuple(range(self.orders[name])))
        terms = [term for term in self.layer.terms if term.target == name]
        divided = self.layer.divided.get(name, 0)
        for term in terms:
            yield from _comment(_term_said(term))
        if divided:
            yield f"// {name} /= n^{divided}"
        arguments = "".join(f"Size {letter}, " for letter in letters)
        yield f"INLINE void write_{name}(const Tensors& t, Size b, {arguments}Size c, V v) {{"
        for term in terms:
            equal = [
                f"{letters[term.labels.index(label)]} == {letters[axis]}"
                for axis, label in enumerate(term.labels)
                if term.labels.index(label) != axis
            ]
            condition = f"if ({' && '.join(equal)}) " if equal else ""
            kept = "".join(letters[term.labels.index(label)] for label in term.keep)
            yield f"  {condition}v += load({self.at(term.source, kept)} + c);"
        if name in self.layer.bias_rows:
            row = self.layer.bias_rows[name]
            yield f"  v += load(t.bias + {row} * Panels<{self.cout}>::row + c);"
        if divided:
            yield f"  v *= T(1) / T({_power(divided)});"
        if name == self.layer.result:
            yield f"  store_row<{self.cout}>({self.at(name, letters)}, c, v);"
        else:
            yield f"  store({self.at(name, letters)} + c, v);"
        yield "}"

    def _fill(self, name: str) -> Iterator[str]:
        """A tensor of terms alone."""
        order = self.orders[name]
        yield f"void fill_{name}(Tensors t) {{"
        yield f"  share<false>({' * '.join(['t.count', *['t.n'] * min(order, 1)])}, [=](Size item) {{"
        letters = indices(tuple(range(order)))
        yield (
            "    const Size b = item / t.n, i = item % t.n;"
            if order
            else "    const Size b = item;"
        )
        yield from _loops(letters, skip=1)
        pad = "    " + "  " * max(order - 1, 0)
        arguments = "".join(f"{letter}, " for letter in letters)
        yield f"{pad}for (Size c = 0; c < Panels<{self.cout}>::row; c += W)"
        yield f"{pad}  write_{name}(t, b, {arguments}c, V{{}});"
        yield "  });"
        yield "}"

    def _mix(self, mixing: Mixing) -> Iterator[str]:
        """The functions that write the weight of a mixing as panels, and that carry it out."""
        table, many = f"ROWS_{mixing.outs[0]}", len(mixing.outs) > 1
        order, paired = self.orders[mixing.outs[0]], self.paired(mixing)
        for out, rows in zip(mixing.outs, mixing.rows, strict=True):
            yield from _comment(_mixing_said(mixing, out, rows, self.cin == "OUT"))
        yield f"constexpr int {table}[{len(mixing.outs)}][{len(mixing.features)}] = {{"
        for line in self._table(mixing):
            text = f"{{{', '.join(map(str, line))}}},"
            yield from textwrap.wrap(text, WIDTH, initial_indent="    ", subsequent_indent="     ")
        yield "};"
        yield ""
        yield f"void pack_{mixing.outs[0]}(const T* weight, T* panels) {{"
        yield f"  {self.mixer(mixing)}::pack(panels, [=](Size e, Size half, Size k, Size o) {{"
        yield f"    const Size f = k / {self.cin}, i = k % {self.cin};"
        yield f"    const T a = weight[{self.entry(table, 'f')}];"
        if paired:
            yield f"    const T b = weight[{self.entry(table, f'f + {len(mixing.sources)}')}];"
            yield "    return (half ? a - b : a + b) / 2;"
        else:
            yield "    return a;"
        yield "  });"
        yield "}"
        yield ""
        yield f"void mix_{mixing.outs[0]}(Tensors t, const T* panels) {{"
        yield f"  using Mix = {self.mixer(mixing)};"
        yield "  T* const tile = t.tiles + omp_get_thread_num() * t.tile;"
        loop = (
            "for_pairs<false, Mix::side>" if paired else f"for_positions<false, {order}, Mix::most>"
        )
        yield f"  {loop}(t.count, t.n, [=](Size r, const Row& q) {{"
        yield f"    const Size b = q.b{_named(order)};"
        yield from (
            f"    {line}" for line in self.packed(mixing, "tile + r * Mix::depth", "Mix::half")
        )
        yield "  }, [=](const Row* rows, Size count) {"
        yield "    Mix::multiply(tile, rows, count, panels, [=](Size e, const Row& q, Size c, V s, V d) {"
        yield f"      const Size b = q.b{_named(order)};"
        if many:
            yield "      switch (e) {"
        for e, out in enumerate(mixing.outs):
            pad = "        " if many else "      "
            arguments = "".join(f"{letter}, " for letter in indices(tuple(range(order))))
            yield from [f"      case {e}:"] * many
            if paired:
                yield f"{pad}write_{out}(t, b, i, j, c, s + d);"
                yield f"{pad}write_{out}(t, b, j, i, c, s - d);"
            else:
                yield f"{pad}write_{out}(t, b, {arguments}c, s);"
            yield from [f"{pad}break;"] * many
        if many:
            yield "      }"
        yield "    });"
        yield "  });"
        yield "}"

    def paired(self, mixing: Mixing) -> bool:
        """Whether positions go in pairs."""
        return self.orders[mixing.outs[0]] == 2 and mixing.symmetric

    def mixer(self, mixing: Mixing) -> str:
        """The template that does a mixing."""
        parts, halves = len(mixing.features), 1
        if self.paired(mixing):
            parts, halves = len(mixing.sources), 2
        return f"Mixing<{parts} * {self.cin}, {self.cout}, {len(mixing.outs)}, {halves}>"

    def _table(self, mixing: Mixing) -> list[list[int]]:
        """The rows in the order in which kernels take them: pairs as they are, then transposed."""
        wanted = list(mixing.features)
        if self.paired(mixing):
            wanted = [(name, axes) for axes in ((0, 1), (1, 0)) for name in mixing.sources]
        return [[row[mixing.features.index(f)] for f in wanted] for row in mixing.rows]

    def entry(self, table: str, f: str) -> str:
        """An entry of the weight; the input's gradient reads it transposed."""
        if self.cin == "IN":
            return f"({table}[e][{f}] * OUT + o) * IN + i"
        return f"({table}[e][{f}] * OUT + i) * IN + o"

    def packed(self, mixing: Mixing, to: str, half: str, factor: str = "") -> Iterator[str]:
        """Packing of the features at a position."""
        letters = indices(tuple(range(self.orders[mixing.outs[0]])))
        if self.paired(mixing):
            yield f"T* const s = {to};"
            for f, name in enumerate(mixing.sources):
                yield f"sum_and_difference<{self.cin}>(s + {f} * {self.cin}, s + {half} + {f} * {self.cin},"
                yield f"    {self.at(name, 'ij')}, {self.at(name, 'ji')}{factor});"
            return
        yield f"T* const row = {to};"
        for f, (name, axes) in enumerate(mixing.features):
            read = [letters[axes.index(axis)] for axis in range(len(axes))]
            yield f"copy<{self.cin}>(row + {f} * {self.cin}, {self.at(name, read)});"

    # What runs them.

    def reduced_memory(self) -> Iterator[str]:
        """Memory for the reduced tensors of a chunk."""
        for step in self.layer.reductions:
            yield f"workspace.add(&t.{step.out}, chunk * {self.size(step.out)});"
            if _shared(step):
                size = f"chunk * t.parts * {self.size(step.out)}"
                yield f"workspace.add(&t.{step.out}_parts, {size});"

    def mixed_memory(self) -> Iterator[str]:
        """Memory for the mixed tensors of a chunk, and for the weight as panels."""
        for name in self.written:
            if name != self.layer.result:
                yield f"workspace.add(&t.{name}, chunk * {self.size(name)});"
        for mixing in self.layer.mixings:
            yield f"T* panels_{mixing.outs[0]};"
            yield f"workspace.add(&panels_{mixing.outs[0]}, {self.mixer(mixing)}::weights);"

    def reduce(self) -> Iterator[str]:
        """Calls that reduce a chunk."""
        for order in self.sweeps:
            yield f"reduce_{self.layer.source}_{order}(t);"

    def mix(self) -> Iterator[str]:
        """Calls that mix a chunk, smaller orders first."""
        for order in sorted({self.orders[name] for name in self.written}):
            for mixing in self.layer.mixings:
                if self.orders[mixing.outs[0]] == order:
                    yield f"mix_{mixing.outs[0]}(t, panels_{mixing.outs[0]});"
            for name in self.filled:
                if self.orders[name] == order:
                    yield f"fill_{name}(t);"
            yield "#pragma omp barrier"


def _shared(step: Reduction) -> bool:
    """Whether a reduction sums over the index on the first axis, which threads share."""
    return bool(step.labels) and step.labels[0] not in step.keep


def _loops(letters: Iterable[str], skip: int = 0) -> Iterator[str]:
    """Loops over indices; the first runs over a part of its values."""
    for axis, letter in enumerate(letters):
        start, end = ("first", "last") if axis == 0 else ("0", "t.n")
        if axis >= skip:
            pad = "    " + "  " * (axis - skip)
            yield f"{pad}for (Size {letter} = {start}; {letter} < {end}; ++{letter})"


def _named(order: int) -> str:
    """The indices of a position, by their letters."""
    return "".join(f", {a} = q.i[{axis}]" for axis, a in enumerate(indices(tuple(range(order)))))


def _power(order: int) -> str:
    """A power of n; the cast keeps it a number of that size."""
    return " * ".join(["t.n"] * order) or "Size(1)"


def _mean(step: Reduction) -> str:
    """What the sum of a reduction is multiplied by."""
    return f"T(1) / T({_power(step.summed)})" if step.mean and step.summed else "T(1)"


def _reduction_said(step: Reduction) -> str:
    words = f"{step.source}[{indices(step.labels)}]"
    if step.summed:
        gone = indices(tuple(sorted(set(step.labels) - set(step.keep))))
        words = f"{'mean' if step.mean else 'sum'} over {gone} of {words}"
    return f"{step.out}[{indices(step.keep)}] = {words}"


def _term_said(term: Term) -> str:
    return f"{term.target}[{indices(term.labels)}] += {term.source}[{indices(term.keep)}]"


def _mixing_said(mixing: Mixing, out: str, rows: tuple[int, ...], turned: bool) -> str:
    """A result of a mixing; one with very many terms is cut short."""
    order = tuple(range(len(mixing.features[0][1])))
    terms = [
        f"W{row}{'^T' * turned} {name}[{indices(tuple(axes.index(axis) for axis in order))}]"
        for (name, axes), row in zip(mixing.features, rows, strict=True)
    ]
    if len(terms) > 24:
        terms = [*terms[:2], "...", *terms[-2:]]
    return f"{out}[{indices(order)}] = {' + '.join(terms)}"


def _tensors(y: Direction, x: Direction) -> Iterator[str]:
    """The struct that all stages take."""
    names: dict[str, None] = {}
    for side in (y, x):
        names[side.layer.source] = None
        for step in side.layer.reductions:
            names[step.out] = None
            if _shared(step):
                names[f"{step.out}_parts"] = None
        names.update(dict.fromkeys(side.written))
    yield "// The tensors of a chunk of samples, as many as `count`; sums over the first index come in parts."
    yield "struct Tensors {"
    yield "  Size n, count, parts, tile;"
    text = ", ".join(f"*{name}" for name in ["tiles", *names, *["bias"] * bool(y.layer.bias_rows)])
    yield from textwrap.wrap(f"T {text};", WIDTH, initial_indent="  ", subsequent_indent="      ")
    yield "};"


def _outer_template(y: Direction, mixing: Mixing) -> str:
    parts, halves = len(mixing.features), 1
    if y.paired(mixing):
        parts, halves = len(mixing.sources), 2
    return f"Outer<{len(mixing.outs)} * OUT, {parts} * IN, {halves}>"


def _outer(y: Direction, x: Direction, mixing: Mixing) -> Iterator[str]:
    """The gradient of the weight of a mixing, summed by each thread, and over threads."""
    name, order = mixing.outs[0], y.orders[mixing.outs[0]]
    table, paired = f"ROWS_{name}", y.paired(mixing)
    parts = len(mixing.sources if paired else mixing.features)
    gradients = tuple(f"d{out}" for out in mixing.outs)
    given = Mixing(
        gradients, tuple((g, axes) for g in gradients for axes in _axes(order, paired)), ()
    )
    letters = indices(tuple(range(order)))
    yield f"// dW[row] += d{name}[{letters}] x feature[{letters}], and so on for all rows in {table}."
    yield f"void outer_{name}(Tensors t, T* sums) {{"
    yield f"  using Sums = {_outer_template(y, mixing)};"
    yield "  T* const left = t.tiles + omp_get_thread_num() * t.tile, *const right = left + Sums::left;"
    loop = "for_pairs<true, Sums::side>" if paired else f"for_positions<true, {order}, Sums::most>"
    yield f"  {loop}(t.count, t.n, [=](Size r, const Row& q) {{"
    yield f"    const Size b = q.b{_named(order)};"
    yield "    {"
    yield from (
        f"      {line}" for line in x.packed(given, "left + r * Sums::height", "Sums::left_half")
    )
    yield "    }"
    factor = ""
    if paired:
        yield "    // A position on the diagonal is its own transpose, and counts once."
        yield "    const T factor = i == j ? T(1) / 2 : T(1);"
        factor = ", factor"
    yield from (
        f"    {line}"
        for line in y.packed(mixing, "right + r * Sums::width", "Sums::right_half", factor)
    )
    yield "  }, [=](const Row*, Size count) { Sums::add_products(left, right, count, sums); });"
    yield "}"
    yield ""
    yield f"void total_{name}(const T* sums, T* dweight) {{"
    yield f"  using Sums = {_outer_template(y, mixing)};"
    yield f"  share<false>({len(mixing.outs)} * OUT, [=](Size m) {{"
    yield f"    for (Size k = 0; k < {parts} * IN; ++k) {{"
    yield "      const Size e = m / OUT, o = m % OUT, f = k / IN, i = k % IN;"
    yield "      const T s = Sums::total(sums, 0, m, k);"
    if paired:
        yield "      const T d = Sums::total(sums, 1, m, k);"
        yield f"      dweight[{y.entry(table, 'f')}] = (s + d) / 2;"
        yield f"      dweight[{y.entry(table, f'f + {parts}')}] = (s - d) / 2;"
    else:
        yield f"      dweight[{y.entry(table, 'f')}] = s;"
    yield "    }"
    yield "  });"
    yield "}"


def _axes(order: int, paired: bool) -> list[tuple[int, ...]]:
    return [(0, 1), (1, 0)] if paired else [tuple(range(order))]


def _linear(y: Direction, arguments: str) -> Iterator[str]:
    """The function with C linkage that applies a layer."""
    layer, rows = y.layer, len(y.layer.bias_rows)
    result = " * ".join([*["n"] * y.orders[layer.result], y.cout])
    memory = [
        f"expect_writes({layer.result}, batch * {result} * Size(sizeof(T)));",
        *y.reduced_memory(),
        *y.mixed_memory(),
    ]
    sizes = [f"{y.mixer(mixing)}::tile" for mixing in layer.mixings]
    setup = [f"pack_{m.outs[0]}(weight, panels_{m.outs[0]});" for m in layer.mixings]
    if rows:
        memory.append(f"workspace.add(&t.bias, {rows} * Panels<OUT>::row);")
        setup += [
            f"share<false>({rows}, [=](Size row) {{",
            "  zero(t.bias + row * Panels<OUT>::row, Panels<OUT>::row);",
            "  if (bias) copy<OUT>(t.bias + row * Panels<OUT>::row, bias + row * OUT);",
            "});",
        ]
    chunk = [_moved(y, layer.source), _moved(y, layer.result), *y.reduce(), *y.mix()]
    yield from _team(y, arguments, sizes, memory, [*setup, "#pragma omp barrier"], chunk, [])


def _weight_gradient(y: Direction, x: Direction, bias_rows: int) -> Iterator[str]:
    """The function with C linkage that gives the gradients of weight and bias."""
    mixings = y.layer.mixings
    memory = [*y.reduced_memory(), *x.reduced_memory()]
    memory += [
        line
        for m in mixings
        for line in (
            f"T* sums_{m.outs[0]};",
            f"workspace.add(&sums_{m.outs[0]}, threads * {_outer_template(y, m)}::sums);",
        )
    ]
    sizes = [f"{_outer_template(y, m)}::tile" for m in mixings]
    setup, chunk, after = ["const Size thread = omp_get_thread_num();"], [], []
    setup += [
        line
        for m in mixings
        for line in (
            f"T* const sums_of_{m.outs[0]} = sums_{m.outs[0]} + thread * {_outer_template(y, m)}::sums;",
            f"zero(sums_of_{m.outs[0]}, {_outer_template(y, m)}::sums);",
        )
    ]
    if bias_rows:
        setup += ["#pragma omp single nowait", f"zero(dbias, {bias_rows} * OUT);"]
    setup.append("#pragma omp barrier")
    chunk = [_moved(y, y.layer.source), _moved(x, x.layer.source), *y.reduce(), *x.reduce()]
    chunk += [f"outer_{m.outs[0]}(t, sums_of_{m.outs[0]});" for m in mixings]
    for name, row in y.layer.bias_rows.items():
        chunk += [
            "#pragma omp single nowait",
            f"add_rows<OUT>(dbias + {row} * OUT, t.d{name}, t.count);",
        ]
    chunk.append("#pragma omp barrier")
    after = [f"total_{m.outs[0]}(sums_{m.outs[0]}, dweight);" for m in mixings]
    arguments = "weight_gradient(const T* x, const T* dy, T* dweight, T* dbias"
    yield from _team(y, arguments, sizes, memory, setup, chunk, after)


def _moved(y: Direction, name: str) -> str:
    """The samples of a chunk, in an argument."""
    return f"t.{name} = const_cast<T*>({name}) + start * {y.size(name)};"


def _team(
    y: Direction,
    arguments: str,
    tiles: list[str],
    memory: list[str],
    setup: list[str],
    chunk: list[str],
    after: list[str],
) -> Iterator[str]:
    """A function that takes memory, and then has a team of threads go from chunk to chunk."""
    yield f'extern "C" int {arguments}, Size batch, Size n, int threads) {{'
    yield "  Workspace workspace;"
    yield "  Tensors t = {};"
    yield "  t.n = n;"
    numbers = f"{y.size(y.layer.source)} + "
    numbers += " * ".join([*["n"] * y.orders[y.layer.result], y.cout])
    yield f"  const Size chunk = chunk_of(batch, {numbers}, threads);"
    yield "  t.parts = parts_of(chunk, n, threads);"
    yield f"  t.tile = std::max<Size>({{{', '.join(['1', *dict.fromkeys(tiles)])}}});"
    yield "  workspace.add(&t.tiles, threads * t.tile);"
    yield from _indented(memory, "  ")
    yield "  if (!workspace.allocate()) return 1;"
    yield "#pragma omp parallel num_threads(threads) firstprivate(t)"
    yield "  {"
    yield from _indented(setup, "    ")
    yield "    for (Size start = 0; start < batch; start += chunk) {"
    yield "      t.count = std::min(chunk, batch - start);"
    yield from _indented(chunk, "      ")
    yield "    }"
    yield from _indented(after, "    ")
    yield "  }"
    yield "  return 0;"
    yield "}"


def _indented(lines: Iterable[str], pad: str) -> Iterator[str]:
    yield from (line if line.startswith("#") else pad + line for line in lines)
