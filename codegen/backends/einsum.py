"""The einsum backend: a plan as plain PyTorch operations on views, sums and one GEMM per order."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tannaka.codegen.backends.einsum_text import BATCHED, HELPERS, MASKED, PLAIN
from tannaka.codegen.backends.lines import (
    WIDTH,
    call,
    constant,
    floats_of,
    list_of,
    signature,
    tensor_of,
    tuple_of,
)
from tannaka.codegen.fusion import Group, Single
from tannaka.codegen.lifetimes import is_view, lifetimes, read
from tannaka.codegen.lowering.gradient import AnyStep, Gradient, Outer, gradient
from tannaka.codegen.network import Word
from tannaka.codegen.network import sizes as network_sizes
from tannaka.codegen.notation import drawn, shape
from tannaka.codegen.plan import (
    ABSENT,
    Contract,
    Embed,
    LeviCivita,
    Mix,
    Plan,
    Step,
    Zeros,
    describe,
    produced,
    replaced,
)
from tannaka.diagrams.partition import restricted_growth


def kernel(plan: Plan) -> str:
    """The source of ``apply(x, weight[, bias], n) -> y``, with the constants and helpers it uses.

    It needs ``torch`` and ``Tensor`` in scope, and ``itertools`` where the plan has Levi-Civita
    symbols. x has shape (*batch, n, ..., n, in_channels). For a family such as S() it takes ``ratio``
    too, as :func:`ragged_kernel` does, or None.
    """
    left = [kind for kind, size in enumerate(network_sizes(plan.group.n)) if size is None]
    emitter = Emitter(plan, ragged=left[0] if len(left) == 1 else None, lean=True)
    return emitter.text([emitter.apply()])


def ragged_kernel(plan: Plan, kind: int) -> str:
    """The source of ``apply(x, weight, bias, n, ratio)``, for inputs with fewer entries than n.

    Entries that are no part of an input must be zero. ``ratio``, of the shape of the batch, is n
    over how many entries of an axis of type ``kind`` each input has.
    """
    emitter = Emitter(plan, optional=True, ragged=kind)
    return emitter.text([emitter.apply()])


def kernels(plan: Plan, *, batched: bool = False) -> str:
    """The source of ``apply(x, weight, bias, n)``, bias perhaps None, and of three for gradients.

    ``gradients(x, weight, g, n)`` gives those of x, weight and bias for the gradient g of the
    output; ``input_gradient(weight, g, n)`` and ``weight_gradient(x, g, n)`` give them apart, the
    second with that of the bias. Without a bias its gradient is None. ``batched`` code is for vmap:
    a little slower, and autograd may differentiate it.
    """
    emitter = Emitter(plan, optional=True, batched=batched)
    return emitter.text(emitter.functions())


@dataclass
class Emitter:
    """Writes steps as statements, and remembers the tables and helpers that they need."""

    plan: Plan
    optional: bool = False
    """Whether the bias may be None when it runs, and stands among the arguments in any case."""
    batched: bool = False
    """Whether it runs under vmap."""
    ragged: int | None = None
    """The type of axes of which each input has fewer entries than there are, if one has: means over
    them are multiplied by the argument ``ratio``, of the shape of the batch, once for each."""
    lean: bool = False
    """Whether helpers do no more than the steps need, for a file that people read."""
    asked: set[str] = field(default_factory=set)
    """What the steps ask of helpers that have shorter forms: see ``PLAIN``."""
    tables: dict[str, str] = field(default_factory=dict)
    """Constants by the expression that makes them."""
    helpers: set[str] = field(default_factory=set)
    names: dict[str, str] = field(default_factory=dict)
    """The variables of tensors that are not called as the plan calls them."""
    copies: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Tensors and the variables of copies of them permuted, by the views that these copy."""
    gone: set[str] = field(default_factory=set)
    """The variables whose memory has been given back."""
    outers: list[tuple[str, Outer]] = field(default_factory=list)
    """The sums for the gradient of the weight, by their variables."""

    def text(self, functions: list[str]) -> str:
        """The whole source."""
        parts = []
        if self.tables:
            constants = "\n".join(constant(name, made) for made, name in self.tables.items())
            parts.append(constants.replace("# fmt: on\n# fmt: off\n", ""))
        helpers = [
            self._helper(text).rstrip()
            for name, text in self._texts().items()
            if name in self.helpers
        ]
        parts = [*helpers, *parts, *functions]
        return "\n\n\n".join(parts) + "\n"

    def _texts(self) -> dict[str, str]:
        """The helpers that there are."""
        return BATCHED if self.batched else MASKED if self.lean else HELPERS

    def _helper(self, text: str) -> str:
        """A helper without what no step asks for, where that is wanted."""
        for ask, whole, plain in PLAIN:
            if self.lean and ask not in self.asked:
                text = text.replace(whole, plain)
        return text

    def functions(self) -> list[str]:
        """The function that applies the plan, and the three that give gradients."""
        back = gradient(self.plan)
        return [
            self.apply(),
            self.back("gradients", back, of_input=True, of_parameters=True),
            self.back("input_gradient", back, of_input=True, of_parameters=False),
            self.back("weight_gradient", back, of_input=False, of_parameters=True),
        ]

    def apply(self) -> str:
        """The function that applies the plan."""
        plan = self.plan
        body = list(self._weights("weight", plan.steps))
        written = any(isinstance(step, Embed) for step in plan.steps)
        if plan.bias_basis is not None and written and not self.optional:
            # Elsewhere autograd.py sees to it.
            body += [
                "if not weight.requires_grad:",
                "    # What is added in place to what a frozen weight gives may need a gradient.",
                "    weight = weight + bias[:0].sum()",
            ]
        if plan.bias_basis is not None and any(sign != 1 for sign in plan.bias_signs):
            body += self._with_bias(f"bias = bias * {self._column('SIGNS', 'bias')}")
        body += self._body(plan.steps, plan.words(), "weight", plan.result)
        result = self._owned(plan.steps, plan.result)
        bias = "" if plan.bias_basis is None else " bias: Tensor,"
        if self.optional:
            bias = " bias: Tensor | None,"
        arguments = f"x: Tensor, weight: Tensor,{bias} {self.sized}"
        head = [
            *signature("apply", arguments, "Tensor"),
            f'    """Apply the layer to x of shape {shape(plan.dom, "in_channels")}."""',
        ]
        return self._function(head, "x", len(plan.inputs), body, result)

    def back(self, name: str, whole: Gradient, *, of_input: bool, of_parameters: bool) -> str:
        """The function that gives gradients, those that are asked for."""
        plan = self.plan
        part = whole.needing(of_input=of_input, of_parameters=of_parameters)
        arguments = ["x: Tensor"] * of_parameters + ["weight: Tensor"] * of_input
        body: list[str] = []
        if of_input:
            body += self._weights("weight.transpose(1, 2)", part.steps, name="turned")
        self.outers = []
        body += self._body(part.steps, part.words(), "turned", part.input)
        results = [self._owned(part.steps, part.input)] if of_input else []
        if of_parameters:
            body += self._collected()
            results += ["of_weight", "of_bias"]
        returned = {
            (True, True): "tuple[Tensor, Tensor, Tensor | None]",
            (True, False): "Tensor",
            (False, True): "tuple[Tensor, Tensor | None]",
        }[of_input, of_parameters]
        head = signature(name, f"{', '.join(arguments)}, g: Tensor, {self.sized}", returned)
        return self._function(head, "g", len(plan.outputs), body, ", ".join(results))

    @property
    def sized(self) -> str:
        """The last arguments of all functions."""
        sizes = "int" if self.plan.types == 1 else "tuple[int, ...]"
        if self.ragged is None:
            return f"n: {sizes}"
        return f"n: {sizes}, ratio: Tensor{' | None = None' * self.lean}"

    def _function(
        self, head: list[str], given: str, order: int, body: list[str], result: str
    ) -> str:
        if any("*batch" in line for line in body):
            head = [*head, f"    batch = {given}.shape[: {given}.ndim - {order + 1}]"]
        return "\n".join([*head, *(f"    {line}" for line in body), f"    return {result}"])

    def _weights(
        self, weight: str, steps: Iterable[AnyStep], name: str = "weight"
    ) -> Iterator[str]:
        """Scale the rows of the weight, and add one of zeros, where the steps need that."""
        made = weight
        if any(scale != 1 for scale in self.plan.scales):
            made = f"{made} * {self._column('SCALES', 'weight')}"
        mixes = [step for step in steps if isinstance(step, Mix)]
        if any(ABSENT in row for step in mixes for row in step.rows):
            if made != weight:
                yield f"{name} = {made}"
                made = name
            made = f"torch.cat([{made}, torch.zeros_like({made}[:1])])"
        if made != name:
            yield f"{name} = {made}"

    def _body(
        self, steps: Sequence[AnyStep], known: dict[str, Word], weight: str, result: str
    ) -> Iterator[str]:
        self.names, self.copies, self.gone = {}, {}, set()
        groups = self._groups(steps, known, result)
        ordered = [step for group in groups for step in group.steps]
        dead = lifetimes(ordered, {result})
        place = 0
        for group in groups:
            for step in group.steps:
                if isinstance(step, Embed):
                    # An embedding writes into its base, so its result keeps the base's variable.
                    self.names[step.out] = self._variable(step.base)
                if not isinstance(step, Outer):
                    yield from self._comment(step, known)
            yield from self._grouped(group, known, weight)
            end = place + len(group.steps)
            names = [name for found in dead[place:end] for name in found]
            yield from self._freed([name for name in names if known[name]], ordered[end:])
            place = end

    def _groups(
        self, steps: Sequence[AnyStep], known: dict[str, Word], result: str
    ) -> Sequence[Group]:
        """What is written together: here each step is by itself."""
        return [Single((step,)) for step in steps]

    def _grouped(self, group: Group, known: dict[str, Word], weight: str) -> Iterator[str]:
        for step in group.steps:
            if isinstance(step, Outer):
                yield from self._outer(step, known)
            else:
                yield from self._statements(step, known, weight)

    def _freed(self, dead: list[str], later: Sequence[AnyStep]) -> Iterator[str]:
        """Give back the memory of tensors, and of copies, that no later step reads."""
        if all(is_view(step) for step in later):
            return
        names = list(dict.fromkeys(map(self._variable, dead)))
        self.gone.update(names)
        needed = {name for step in later for name in read(step)} if self.copies else set()
        for view, (name, copy) in list(self.copies.items()):
            if name not in needed:
                names.append(copy)
                del self.copies[view]
        if names:
            lines = textwrap.wrap(", ".join(names), WIDTH - 8, break_long_words=False)
            yield from (f"del {line.rstrip(',')}" for line in lines)

    def _variable(self, name: str) -> str:
        return self.names.get(name, name)

    def _owned(self, steps: Iterable[AnyStep], result: str) -> str:
        """The result as a tensor of its own: a slice of a mix would keep all of the mix alive."""
        name = self._variable(result)
        sliced = any(
            isinstance(step, Mix) and len(step.outs) > 1 and name in step.outs for step in steps
        )
        return f"{name}.clone()" if sliced else name

    def _table(self, kind: str, made: str) -> str:
        """The name of a constant; equal ones are one."""
        if made not in self.tables:
            number = sum(name.startswith(kind) for name in self.tables.values())
            self.tables[made] = f"{kind}_{number}"
        return self.tables[made]

    def _numbers(self, values: list[Any]) -> str:
        """Row numbers as a constant."""
        return tensor_of(values)

    def _picked(self, rows: str, order: list[int]) -> str:
        """Rows in another order."""
        return f"{rows}[{self._table('PLACES', self._numbers(order))}.to(g.device)]"

    def _column(self, kind: str, like: str) -> str:
        """The scales of rows, or the signs of those of the bias, as a constant like a parameter."""
        if self.lean:
            values = floats_of(list(map(float, self.plan.scales)))
            if kind == "SIGNS":
                values = tensor_of(list(self.plan.bias_signs))
            rows = self._placed(self._table(kind, values), like)
            return f"{rows}[:, None{', None' * (kind == 'SCALES')}]"
        values = floats_of([[[float(scale)]] for scale in self.plan.scales])
        if kind == "SIGNS":
            values = tensor_of([[sign] for sign in self.plan.bias_signs])
        return self._placed(self._table(kind, values), like)

    def _placed(self, table: str, like: str) -> str:
        """A constant with the dtype and on the device of another tensor."""
        return f"{table}.to({like})"

    def _comment(self, step: Step, known: dict[str, Word]) -> Iterator[str]:
        """The step in index notation; a mix with very many terms is summed up."""
        if isinstance(step, Mix) and len(step.outs) * len(step.features) > 120:
            order = len(known[step.outs[0]])
            outs, features = len(step.outs), len(step.features)
            yield f"# {outs} results of order {order}, each from {features} features"
            return
        if self.lean:
            # Variables are called as the file calls them, and steps have their diagrams.
            variables = {name: self._variable(name) for name in known}
            known = {variables[name]: word for name, word in known.items()}
            step = replaced(step, variables)
        diagram = drawing(step) if self.lean else ""
        for line in describe(step, known, self.plan):
            # Of an embedding, "y1 = y0 with y0[ij] += ...", only what it writes is said.
            line = line.split(" with ")[-1]
            line = f"{diagram}: {line}" if diagram else line
            yield from textwrap.wrap(
                line, WIDTH - 4, initial_indent="# ", subsequent_indent="#     "
            )

    def _copied(self, step: Outer) -> Iterator[str]:
        """Permuted tensors, each copied once for the gradients of weight and input alike."""
        for name, permutation in step.features:
            if permutation != tuple(range(len(permutation))):
                view = self._permuted(self._variable(name), permutation)
                if view not in self.copies:
                    copy = f"{self._variable(name)}_{''.join(map(str, permutation))}"
                    self.copies[view] = name, copy
                    yield f"{copy} = {view}.contiguous()"

    def _statements(self, step: Step, known: dict[str, Word], weight: str) -> Iterator[str]:
        match step:
            case Contract():
                yield from self._contract(step, known[step.source])
            case LeviCivita():
                yield self._levi_civita(step, known)
            case Mix(features=()):
                for out, row in zip(step.outs, step.bias_rows, strict=True):
                    yield from self._blank(out, "x", "(*batch, weight.shape[1])")
                    yield from self._with_bias(f"{out} = {out} + bias[{row}]")
            case Mix():
                yield from self._mix(step, weight)
            case Zeros():
                yield from self._zeros(step)
            case Embed():
                yield from self._embed(step, known[step.base])

    def _contract(self, step: Contract, word: Word) -> Iterator[str]:
        # Labels are numbered as they first stand, so along the diagonal they are 0, 1, ...
        source, labels = self._variable(step.source), list(dict.fromkeys(step.labels))
        source = self._diagonal(source, step.labels)
        for a, b in step.forms:
            self.helpers |= {"paired", "joined"}
            i, j = (labels.index(index) - len(labels) - 1 for index in (a, b))
            source = f"joined({source}, {i}, {j})"
            labels = [index for index in labels if index not in (a, b)]
        if step.mean and step.forms:
            ends = {a for a, _ in step.forms}
            source = self._divided(source, ends, step.labels, word)
        view = source
        dims = [
            str(i - len(labels) - 1) for i, index in enumerate(labels) if index not in step.keep
        ]
        if dims:
            over = f"({', '.join(dims)})" if len(dims) > 1 else dims[0]
            view = f"({view})" if " / " in view else view
            view += f".{'mean' if step.mean else 'sum'}({over})"
        yield f"{step.out} = {self._rescaled(view, step, word)}"

    def _rescaled(self, source: str, step: Contract | Embed, word: Word) -> str:
        """A tensor with its means taken over the entries that each input has."""
        types = dict(zip(step.labels, word, strict=True))
        if power := sum(types[index] == self.ragged for index in step.averaged):
            self.helpers.add("scaled")
            return f"scaled({source}, ratio, {power})"
        return source

    def _divided(
        self, source: str, averaged: Iterable[int], labels: tuple[int, ...], word: Word
    ) -> str:
        """A tensor divided by the size of the axis of each index."""
        types = dict(zip(labels, word, strict=True))
        sizes = [f"n[{types[i]}]" if self.plan.types > 1 else "n" for i in averaged]
        if not sizes:
            return source
        return f"{source} / {sizes[0]}" if len(sizes) == 1 else f"{source} / ({' * '.join(sizes)})"

    def _levi_civita(self, step: LeviCivita, known: dict[str, Word]) -> str:
        self.helpers |= {"levi_civita"}
        old = [i for i, index in enumerate(step.labels) if index in step.legs]
        new = [i for i, index in enumerate(step.keep) if index in step.legs]
        legs = {index: place for place, index in enumerate(step.legs)}
        arguments = [
            repr(tuple(legs[step.labels[i]] for i in old)),
            repr(tuple(legs[step.keep[i]] for i in new)),
        ]
        size = len(step.legs)
        table = self._table("SYMBOL", f"levi_civita({size}, {', '.join(arguments)})")
        # Other axes stay in their order: in lowering both sides list them in the same one.
        before = tuple(i - len(step.labels) - 1 for i in old)
        after = tuple(i - len(step.keep) - 1 for i in new)
        if len(new) > 1:
            self.asked.add("filled terms")
        source = self._variable(step.source)
        return f"{step.out} = signed({source}, {table}, {before}, {after}, {size})"

    def _mix(self, step: Mix, weight: str) -> Iterator[str]:
        names = {name for name, _ in step.features}
        if len(step.outs) == 1 and len(names) == 1:
            # Permuted tensors are added, not put side by side, which would copy them all first.
            (out,), (row,) = step.outs, step.rows
            plain = tuple(range(len(step.features[0][1])))
            terms = [term for term in zip(step.features, row, strict=True) if term[1] != ABSENT]
            terms.sort(key=lambda term: term[0][1] != plain)
            for f, ((name, permutation), number) in enumerate(terms):
                view = self._permuted(self._variable(name), permutation)
                if view in self.copies and f > 0:
                    self.helpers.add("accumulate")
                    yield f"accumulate({out}, {self.copies[view][1]}, {weight}[{number}].T)"
                    continue
                if f == 0:
                    yield f"{out} = {view} @ {weight}[{number}].T"
                    continue
                product = f"{self._variable(name)} @ {weight}[{number}].T"
                yield f"{out} += {self._permuted(product, permutation)}"
        else:
            self.helpers.add("matrix")
            self.asked.add("one feature" if len(step.features) == 1 else "many features")
            self.asked.add("one result" if len(step.outs) == 1 else "many results")
            rows = self._table("ROWS", self._numbers([list(row) for row in step.rows]))
            outs = ", ".join(step.outs) if len(step.outs) > 1 else f"({step.outs[0]},)"
            features = [self._read(name, permutation) for name, permutation in step.features]
            if len(outs) > WIDTH - 12:
                yield from ("(", *(f"    {out}," for out in step.outs))
                outs = ")"
            yield from call(f"{outs} = mix", [weight, rows, *features])
        for out, added in zip(step.outs, step.bias_rows, strict=bool(step.bias_rows)):
            if added != ABSENT:
                yield from self._with_bias(f"{out} = {out} + bias[{added}]")

    def _with_bias(self, line: str) -> list[str]:
        """A statement that uses the bias."""
        return ["if bias is not None:", f"    {line}"] if self.optional else [line]

    def _zeros(self, step: Zeros) -> Iterator[str]:
        sizes = "".join(f"n[{kind}], " if self.plan.types > 1 else "n, " for kind in step.word)
        # Like a mixed tensor, so that vmap over the weights and autocast carry over to it.
        if step.out.startswith("d_"):
            yield f"{step.out} = g.new_zeros((*batch, {sizes}weight.shape[2]))"
            return
        before = self.plan.steps[: self.plan.steps.index(step)]
        mixed = (out for s in before if isinstance(s, Mix | Zeros) for out in produced(s))
        like = next((name for out in mixed if (name := self._variable(out)) not in self.gone), "x")
        yield from self._blank(step.out, like, f"(*batch, {sizes}weight.shape[1])")

    def _blank(self, out: str, like: str, shape: str) -> Iterator[str]:
        """Zeros, of which autograd sees that they depend on the arguments."""
        if self.plan.basis:
            yield f"{out} = {like}.new_zeros({shape})"
            return
        yield "# No diagram: the linear map is 0. Empty sums let autograd see weight and input."
        yield f"zero = {like}.new_zeros(()) + weight.sum() + x[..., :0].sum()"
        yield f"{out} = zero.to({like}.dtype).expand({shape}).clone()"

    def _embed(self, step: Embed, word: Word) -> Iterator[str]:
        base, labels = self._variable(step.base), list(step.labels)
        source = self._variable(step.source)
        kept = list(step.keep)
        views = [("add", base)]
        for a, b in step.forms:
            self.helpers.add("paired")
            i, j, width = labels.index(a), labels.index(b), len(labels)
            low, high = min(i, j), max(i, j)
            found = []
            # Each view is taken when it is written to: views from before a write are stale to torch.func.
            for way, view in views:
                pair = f"paired({view}, {low - width - 1}, {high - width - 1})"
                plus, minus = (0, 1) if i < j else (1, 0)
                other = "sub" if way == "add" else "add"
                found += [(way, f"{pair}[{plus}]"), (other, f"{pair}[{minus}]")]
            views = found
            del labels[high], labels[low]
        local = restricted_growth(labels)
        number_of = dict(zip(labels, local, strict=True))
        repeated = [i for i in range(_width(local)) if i not in {number_of[k] for k in kept}]
        if repeated:
            places = ["None" if i in repeated else ":" for i in range(_width(local))]
            source += f"[..., {', '.join(places)}, :]"
        source = self._divided(source, step.averaged, step.labels, word)
        source = self._rescaled(source, step, word)
        for way, view in views:
            yield f"{self._diagonal(view, local)}.{way}_({source})"

    def _outer(self, step: Outer, known: dict[str, Word]) -> Iterator[str]:
        if len(step.sources) == 1:
            yield from self._copied(step)
        features = [self._read(name, permutation) for name, permutation in step.features]
        number = len(self.outers)
        if step.sources:
            self.helpers.add("outer")
            sources = [self._variable(name) for name in step.sources]
            name = f"w{number}"
            yield from call(f"{name} = outer", [tuple_of(sources), tuple_of(features)])
            self.outers.append((name, step))
        for feature, row in zip(features, step.bias_rows, strict=bool(step.bias_rows)):
            if row != ABSENT:
                yield f"b{row} = {feature}.reshape(-1, {feature}.shape[-1]).sum(0)"

    def _collected(self) -> Iterator[str]:
        """The gradients of the rows, in the order of the basis."""
        plan = self.plan
        places: dict[int, int] = {}
        start = 0
        for _, step in self.outers:
            for rows in step.rows:
                for row in rows:
                    if row != ABSENT:
                        places[row] = start
                    start += 1
        if not places:
            yield "of_weight = g.new_zeros((0, g.shape[-1], x.shape[-1]))"
        else:
            order = [places[row] for row in range(len(plan.basis))]
            names = [name for name, _ in self.outers]
            every = f"torch.cat({list_of(names)})" if len(names) > 1 else names[0]
            if order == list(range(start)):
                yield f"of_weight = {every}"
            else:
                yield f"of_weight = {self._picked(every, order)}"
            if any(scale != 1 for scale in plan.scales):
                yield f"of_weight = of_weight * {self._column('SCALES', 'of_weight')}"
        if plan.bias_basis is None:
            yield "of_bias = None"
        else:
            yield f"of_bias = torch.stack({list_of([f'b{row}' for row in range(len(plan.bias_signs))])})"
            if any(sign != 1 for sign in plan.bias_signs):
                yield f"of_bias = of_bias * {self._column('SIGNS', 'of_bias')}"

    def _diagonal(self, name: str, labels: tuple[int, ...]) -> str:
        """The view of a tensor on which axes of equal label have equal indices."""
        for a, b in diagonal_pairs(labels):
            self.helpers.add("diagonal")
            name = f"diagonal({name}, {a}, {b})"
        return name

    def _read(self, name: str, permutation: tuple[int, ...]) -> str:
        """A permuted tensor: a copy, where there is one."""
        view = self._permuted(self._variable(name), permutation)
        return self.copies[view][1] if view in self.copies else view

    def _permuted(self, name: str, permutation: tuple[int, ...]) -> str:
        """The view of a tensor whose axis i is axis permutation[i]."""
        if permutation == tuple(range(len(permutation))):
            return name
        self.helpers.add("permuted")
        return f"permuted({name}, {', '.join(map(str, permutation))})"


def drawing(step: Step) -> str:
    """The diagram that a step applies, as text; empty for steps that have none of their own."""
    match step:
        case Contract():
            return drawn(step.keep, step.labels, step.forms)
        case Embed():
            return drawn(step.labels, step.keep, step.forms)
        case LeviCivita():
            return drawn(step.keep, step.labels, legs=step.legs)
    return ""


def _width(labels: tuple[int, ...]) -> int:
    """How many axes are left of a tensor read along this diagonal."""
    return max(labels, default=-1) + 1


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
