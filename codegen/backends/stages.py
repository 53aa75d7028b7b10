"""The stages of a C++ kernel: functions that a team of threads runs between two barriers.

Reductions read a tensor once and make all that is summed from it. Mixings pack features as tiles,
multiply them by panels of the weight, and hand registers of results to a function that completes
and writes them. Outer products sum the gradient of the weight. What is the same in every kernel is
in ``tiles.hpp``; here is what depends on the plan.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from itertools import permutations

from tannaka.codegen.lowering.trilinear import Layer, Mixing, Reduction, Term
from tannaka.codegen.notation import indices
from tannaka.codegen.plan import ABSENT

WIDTH = 100
"""The longest line of emitted code."""


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
        return f"t.{name} + {_place(['b', *letters])} * {self.row(name)}"

    # Reductions.

    def _reduce(self, order: int) -> Iterator[str]:
        """All reductions of tensors of an order, reading each of these tensors once."""
        steps = [s for s in self.layer.reductions if self.orders[s.source] == order]
        for step in steps:
            yield from comment(_reduction_said(step))
        yield f"STAGE reduce_{self.layer.source}_{order}(Tensors t) {{"
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
        return f"{step.out} + {_place(kept)} * {self.cin}" if kept else step.out

    def _sweep(self, source: str, steps: list[Reduction]) -> Iterator[str]:
        """One reading of a tensor, in slabs of rows along its last axis."""
        letters = indices(tuple(range(self.orders[source])))
        last, start, end = letters[-1], "0", "t.n"
        if len(letters) == 1:
            start, end = "first", "last"
        loops = [line.strip() for line in _loops(letters[:-1])]
        # What is summed over the axis before the last is a slab that stays in the cache meanwhile.
        slabs = f"for (Size {last} = {start}; {last} < {end}; {last} += SLAB<{self.cin}>)"
        loops.insert(max(len(loops) - 1, 0), slabs)
        for depth, line in enumerate(loops):
            yield "    " + "  " * depth + line + (" {" if depth == len(loops) - 1 else "")
        pad = "    " + "  " * (len(loops) - 1)
        yield f"{pad}  const Size rows = std::min({end} - {last}, SLAB<{self.cin}>);"
        yield f"{pad}  const T* const slab = {self.at(source, letters)};"
        each = [step for step in steps if len(letters) - 1 in step.keep]
        rest = [step for step in steps if step not in each]
        targets = ", ".join(self._target(step) for step in [*each, *rest])
        call = f"add_rows<{self.cin}, {len(each)}, {len(rest)}>(slab, rows, {{{targets}}});"
        yield from textwrap.wrap(
            call, WIDTH, initial_indent=f"{pad}  ", subsequent_indent=f"{pad}      "
        )
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
            yield from comment(_term_said(term))
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
        yield f"STAGE fill_{name}(Tensors t) {{"
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
        name, order = mixing.outs[0], self.orders[mixing.outs[0]]
        many = len(mixing.outs) > 1
        for out, rows in zip(mixing.outs, mixing.rows, strict=True):
            yield from comment(_mixing_said(mixing, out, rows, self.cin == "OUT"))
        yield f"constexpr int ROWS_{name}[{len(mixing.outs)}][{len(mixing.features)}] = {{"
        for line in self._table(mixing):
            text = f"{{{', '.join(map(str, line))}}},"
            yield from textwrap.wrap(text, WIDTH, initial_indent="    ", subsequent_indent="     ")
        yield "};"
        yield ""
        yield f"using Mix_{name} = {self._template(mixing)};"
        yield ""
        yield f"STAGE pack_{name}(const T* weight, T* panels) {{"
        yield f"  Mix_{name}::pack(panels, [=](Size e, Size s, Size k, Size o) {{"
        yield f"    const Size f = k / {self.cin}, i = k % {self.cin};"
        if self.sparse(mixing):
            yield f"    if ({self.row_of(mixing, 's')} == ABSENT) return T(0);"
        yield f"    return weight[{self.entry(mixing, 's')}];"
        yield "  });"
        yield "}"
        yield ""
        yield f"STAGE mix_{name}(Tensors t, const T* panels) {{"
        yield f"  using Mix = Mix_{name};"
        yield "  T* const tile = t.tiles + omp_get_thread_num() * t.tile;"
        yield f"  {self.loop(mixing, 'Mix', 'false')}(t.count, t.n, [=](Size r, const Row& q) {{"
        yield f"    const Size b = q.b{_named(order)};"
        for f, addresses in enumerate(self.addresses(mixing)):
            yield from _call(f"Mix::put<{self.cin}>", ["tile", "r", str(f), *addresses])
        yield "  }, [=](const Row* rows, Size count) {"
        yield "    Mix::multiply(tile, rows, count, panels, [=](Size e, const Row& q, Size c, V v) {"
        yield f"      const Size b = q.b{_named(order)};"
        arguments = "".join(f"{letter}, " for letter in indices(tuple(range(order))))
        if many:
            yield "      switch (e) {"
        for e, out in enumerate(mixing.outs):
            yield from [f"        case {e}:"] * many
            yield f"      {'    ' * many}write_{out}(t, b, {arguments}c, v);"
            yield from ["          break;"] * many
        if many:
            yield "      }"
        yield "    });"
        yield "  });"
        yield "}"

    def axes(self, mixing: Mixing) -> int:
        """How many axes are permuted in orbits; 1 where positions are taken one by one."""
        order = self.orders[mixing.outs[0]]
        return order if order in (2, 3) and mixing.symmetric else 1

    def parts(self, mixing: Mixing) -> int:
        """How many tensors a tile packs for each position or orbit."""
        return len(mixing.features) if self.axes(mixing) == 1 else len(mixing.sources)

    def _template(self, mixing: Mixing) -> str:
        """The template that does a mixing."""
        depth = f"{self.parts(mixing)} * {self.cin}"
        return f"Mixing<{depth}, {self.cout}, {len(mixing.outs)}, {self.axes(mixing)}>"

    def loop(self, mixing: Mixing, template: str, fixed: str) -> str:
        """The template that goes over positions or orbits."""
        if self.axes(mixing) == 1:
            return f"for_positions<{fixed}, {self.orders[mixing.outs[0]]}, {template}::most>"
        return f"for_orbits<{fixed}, {self.axes(mixing)}, {template}::side>"

    def _table(self, mixing: Mixing) -> list[list[int]]:
        """The rows of the weight in the order in which kernels take them."""
        wanted = list(mixing.features)
        if (axes := self.axes(mixing)) > 1:
            wanted = [(name, s) for s in permutations(range(axes)) for name in mixing.sources]
        return [[row[mixing.features.index(f)] for f in wanted] for row in mixing.rows]

    def entry(self, mixing: Mixing, s: str) -> str:
        """Where the weight of feature f, in permutation s, has i in and o out."""
        row = self.row_of(mixing, s)
        # The gradient of the input reads the weight transposed.
        return f"({row} * OUT + o) * IN + i" if self.cin == "IN" else f"({row} * OUT + i) * IN + o"

    def row_of(self, mixing: Mixing, s: str) -> str:
        """The row of the weight for feature f, in permutation s, and result e."""
        place = "f" if self.axes(mixing) == 1 else f"{s} * {self.parts(mixing)} + f"
        return f"ROWS_{mixing.outs[0]}[e][{place}]"

    def sparse(self, mixing: Mixing) -> bool:
        """Whether some results do not have some features."""
        return any(ABSENT in rows for rows in mixing.rows)

    def addresses(self, mixing: Mixing) -> Iterator[list[str]]:
        """Of each feature the row at a position, or the rows at all positions of an orbit."""
        letters = indices(tuple(range(self.orders[mixing.outs[0]])))
        if self.axes(mixing) == 1:
            for name, axes in mixing.features:
                yield [self.at(name, [letters[axes.index(axis)] for axis in range(len(axes))])]
        else:
            for name in mixing.sources:
                yield [self.at(name, position) for position in permutations(letters)]

    # What runs them.

    def reduced_memory(self) -> Iterator[str]:
        """Memory for the reduced tensors of a chunk."""
        for step in self.layer.reductions:
            yield f"workspace.add(&t.{step.out}, chunk * {self.size(step.out)});"
            if _shared(step):
                size = f"chunk * t.parts * {self.size(step.out)}"
                yield f"workspace.add(&t.{step.out}_parts, {size});"

    def memory(self) -> Iterator[str]:
        """Memory for all tensors of a chunk, and for the weight as panels."""
        result = " * ".join(["batch", *["n"] * self.orders[self.layer.result], self.cout])
        yield f"expect_writes({self.layer.result}, {result} * Size(sizeof(T)));"
        yield from self.reduced_memory()
        for name in self.written:
            if name != self.layer.result:
                yield f"workspace.add(&t.{name}, chunk * {self.size(name)});"
        for mixing in self.layer.mixings:
            yield f"T* panels_{mixing.outs[0]};"
            yield f"workspace.add(&panels_{mixing.outs[0]}, Mix_{mixing.outs[0]}::weights);"
        if self.layer.bias_rows:
            rows = max(self.layer.bias_rows.values()) + 1
            yield f"workspace.add(&t.bias, {rows} * Panels<OUT>::row);"

    def tiles(self) -> list[str]:
        """The sizes of tiles that threads pack."""
        return [f"Mix_{mixing.outs[0]}::tile" for mixing in self.layer.mixings]

    def setup(self) -> Iterator[str]:
        """What is done once: writing the weight as panels, and the bias in rows of whole panels."""
        for mixing in self.layer.mixings:
            yield f"pack_{mixing.outs[0]}(weight, panels_{mixing.outs[0]});"
        if self.layer.bias_rows:
            rows = max(self.layer.bias_rows.values()) + 1
            yield f"share<false>({rows}, [=](Size row) {{"
            yield "  zero(t.bias + row * Panels<OUT>::row, Panels<OUT>::row);"
            yield "  if (bias) copy<OUT>(t.bias + row * Panels<OUT>::row, bias + row * OUT);"
            yield "});"

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


def _place(letters: Sequence[str]) -> str:
    """The number of a row, from its indices."""
    return letters[0] if len(letters) == 1 else f"at(t.n, {', '.join(letters)})"


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
        if row != ABSENT
    ]
    if len(terms) > 24:
        terms = [*terms[:2], "...", *terms[-2:]]
    return f"{out}[{indices(order)}] = {' + '.join(terms)}"


def tensors(y: Direction, x: Direction) -> Iterator[str]:
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


def outer(y: Direction, x: Direction, mixing: Mixing) -> Iterator[str]:
    """The gradient of the weight of a mixing, summed by each thread, and over threads."""
    name, axes = mixing.outs[0], y.axes(mixing)
    order, parts = y.orders[name], y.parts(mixing)
    letters = indices(tuple(range(order)))
    sides = f"{len(mixing.outs)} * OUT, {parts} * IN, {axes}"
    yield f"// The gradient of the rows of the weight in ROWS_{name}."
    yield f"using Outer_{name} = Outer<{sides}>;"
    yield ""
    yield f"STAGE outer_{name}(Tensors t, T* sums) {{"
    yield f"  using Sums = Outer_{name};"
    yield "  T* const left = t.tiles + omp_get_thread_num() * t.tile;"
    yield "  T* const right = left + Sums::left;"
    yield f"  {y.loop(mixing, 'Sums', 'true')}(t.count, t.n, [=](Size r, const Row& q) {{"
    yield f"    const Size b = q.b{_named(order)};"
    for e, out in enumerate(mixing.outs):
        positions = list(permutations(letters)) if axes > 1 else [letters]
        given = [x.at(f"d{out}", position) for position in positions]
        yield from _call("Sums::put_left<OUT>", ["left", "r", f"{e} * OUT", *given])
    if axes > 1:
        yield f"    const T once = T(1) / repeats<{axes}>(q);"
    for f, given in enumerate(y.addresses(mixing)):
        factor = "once" if axes > 1 else "1"
        yield from _call("Sums::put_right<IN>", ["right", "r", f"{f} * IN", factor, *given])
    yield "  }, [=](const Row*, Size count) { Sums::add_products(left, right, count, sums); });"
    yield "}"
    yield ""
    yield f"STAGE total_{name}(const T* sums, T* dweight) {{"
    yield f"  share<false>({len(mixing.outs)} * OUT, [=](Size m) {{"
    yield f"    for (Size k = 0; k < {parts} * IN; ++k) {{"
    yield "      const Size e = m / OUT, o = m % OUT, f = k / IN, i = k % IN;"
    yield f"      T d[Outer_{name}::count];"
    yield f"      Outer_{name}::total(sums, m, k, d);"
    yield f"      for (Size s = 0; s < Outer_{name}::count; ++s)"
    pad = "        "
    if y.sparse(mixing):
        yield f"{pad}if ({y.row_of(mixing, 's')} != ABSENT)"
        pad += "  "
    yield f"{pad}dweight[{y.entry(mixing, 's')}] = d[s];"
    yield "    }"
    yield "  });"
    yield "}"


def _call(function: str, arguments: list[str]) -> Iterator[str]:
    """A call as a statement, arguments on lines of their own where it is long."""
    line = f"    {function}({', '.join(arguments)});"
    if len(line) <= WIDTH:
        yield line
        return
    head, rest = arguments[:3], arguments[3:]
    yield f"    {function}({', '.join(head)},"
    pad = " " * (5 + len(function))
    yield from textwrap.wrap(
        f"{', '.join(rest)});",
        WIDTH,
        initial_indent=pad,
        subsequent_indent=pad,
        break_long_words=False,
    )


def comment(text: str) -> Iterator[str]:
    """A comment, on as many lines as it takes."""
    yield from textwrap.wrap(text, WIDTH, initial_indent="// ", subsequent_indent="//     ")
