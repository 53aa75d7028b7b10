"""The numpy and jax backends: a plan in index notation, as equations of ``einsum``.

Both libraries take the same text but for the name they are imported by. Nothing is written in place,
so what NumPy runs step by step JAX traces, differentiates and vectorises.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from string import Template

from tannaka.codegen.backends.einsum import drawing
from tannaka.codegen.backends.lines import WIDTH, call, signature
from tannaka.codegen.network import Word
from tannaka.codegen.network import sizes as network_sizes
from tannaka.codegen.notation import indices, shape
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
    replaced,
)
from tannaka.diagrams.errors import BackendError

MAX_LEGS = 8
"""Most legs of a determinant vertex: the symbol is written out, with n^n entries."""

HELPERS = {
    "symplectic": '''\
def symplectic(n: int, dtype: Any) -> ${array}:
    """The symplectic form: 1 from index 2i to 2i + 1, -1 back, and 0 elsewhere."""
    return ${xp}.kron(${xp}.eye(n // 2, dtype=dtype), ${xp}.array([[0, 1], [-1, 0]], dtype=dtype))
''',
    "levi_civita": '''\
def levi_civita(n: int) -> ${constant}:
    """The Levi-Civita symbol: the sign of a permutation of n indices, 0 where two are equal."""
    symbol = ${zeros}
    for images in itertools.permutations(range(n)):
        symbol[images] = (-1) ** sum(a > b for a, b in itertools.combinations(images, 2))
    return symbol
''',
    "scaled": '''\
def scaled(x: ${array}, ratio: ${array} | None, power: int) -> ${array}:
    """Multiply by a power of ratio, which has the shape of the batch, where there is one."""
    if ratio is None:
        return x
    factor = (ratio**power).reshape(*ratio.shape, *(1,) * (x.ndim - ratio.ndim))
    product: ${array} = x * factor.astype(x.dtype)
    return product
''',
    "mix": '''\
def mix(weight: ${array}, rows: tuple[tuple[int, ...], ...], *features: ${array}) -> list[${array}]:
    """Mix channels: result e is the sum over f of features[f] @ weight[rows[e][f]].T."""
    every = ${xp}.concatenate(features, ${axis}=-1)
    blocks = weight[${integers}]  # (results, features, out, in)
    matrix = ${transposed}.reshape(every.shape[-1], -1)
    return ${split}
''',
}
"""What emitted code calls; each stands in it when it is called."""


@dataclass(frozen=True)
class Dialect:
    """How a library says what all of them do."""

    xp: str
    """What it is imported as."""
    base: str
    """The library of constants that are made when a file is loaded."""
    array: str
    """The type of its arrays."""
    constant: str
    """The type of constants."""
    function: str
    """The function that applies a plan, in its files."""

    @property
    def torch(self) -> bool:
        """Whether it is PyTorch, which knows devices."""
        return self.xp == "torch"

    def helper(self, name: str) -> str:
        """The text of a function that emitted code calls."""
        words = {
            "xp": self.xp,
            "array": self.array,
            "constant": self.constant,
            "zeros": self.blank("(n,) * n"),
            "axis": "dim" if self.torch else "axis",
            "integers": f"{self.base}.{'tensor' if self.torch else 'array'}(rows)",
            "transposed": f"blocks.{'permute' if self.torch else 'transpose'}(1, 3, 0, 2)",
            "split": "list((every @ matrix).chunk(len(rows), dim=-1))"
            if self.torch
            else f"{self.xp}.split(every @ matrix, len(rows), axis=-1)",
        }
        return Template(HELPERS[name]).substitute(words).rstrip()

    def blank(self, shape: str) -> str:
        """A constant of zeros, in double precision."""
        return f"{self.base}.zeros({shape}{', dtype=torch.float64' * self.torch})"

    def eye(self, size: str) -> str:
        """The identity matrix, like x."""
        return f"{self.xp}.eye({size}, dtype=x.dtype{', device=x.device' * self.torch})"

    def zeros(self, shape: str) -> str:
        """Zeros, like x."""
        return f"x.new_zeros({shape})" if self.torch else f"{self.xp}.zeros({shape}, dtype=x.dtype)"

    def like(self, constant: str, other: str) -> str:
        """A constant as an array of the dtype of another, and where that is."""
        if self.torch:
            return f"{constant}.to({other})"
        return f"{self.xp}.array({constant}, dtype={other}.dtype)"

    def table(self, values: str, other: str) -> str:
        """A tuple of numbers as an array like another."""
        if self.torch:
            return f"torch.tensor({values}, dtype={other}.dtype, device={other}.device)"
        return self.like(values, other)

    def einsum(self, equation: str, *operands: str) -> str:
        """A sum of products as an equation."""
        return f'{self.xp}.einsum("{equation}", {", ".join(operands)})'


NUMPY = Dialect("np", "np", "Array", "Array", "apply")
JAX = Dialect("jnp", "np", "Array", "Floats", "linear")
TORCH = Dialect("torch", "torch", "Tensor", "Tensor", "apply")


def kernel(plan: Plan, dialect: Dialect) -> str:
    """The source of ``apply(x, weight[, bias], n) -> y`` with the helpers that it uses.

    It needs the library, ``Array``, and perhaps ``np``, ``itertools`` and ``Any`` in scope. For a
    family such as S() it takes ``ratio`` last, n over how many points an input has, or None.
    """
    return Emitter(plan, dialect).text()


@dataclass
class Emitter:
    """Writes steps as statements, and remembers what they need."""

    plan: Plan
    dialect: Dialect
    helpers: set[str] = field(default_factory=set)
    before: dict[str, str] = field(default_factory=dict)
    """Arrays that the function makes first, by the variables that they are called."""
    constants: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    """The variables of tensors that are not called as the plan calls them."""

    def text(self) -> str:
        """The whole source."""
        body = list(self._body())
        if self.dialect is NUMPY:
            body = self._annotated(body)
        helpers = [self.dialect.helper(name) for name in HELPERS if name in self.helpers]
        constants = ["\n".join(self.constants.values())] if self.constants else []
        return "\n\n\n".join([*helpers, *constants, "\n".join([*self._head(), *body])]) + "\n"

    def _annotated(self, body: list[str]) -> list[str]:
        """Say of the result that it is an array: what NumPy multiplies may be anything."""
        result = self._variable(self.plan.result)
        first = next(
            i
            for i, line in enumerate(body)
            if not line.lstrip().startswith("#") and re.search(rf"\b{result}\b", line)
        )
        typed = f": {self.dialect.array} = "
        if body[first].startswith(f"    {result} = "):
            return [*body[:first], body[first].replace(" = ", typed, 1), *body[first + 1 :]]
        while body[first].startswith("     "):
            first -= 1
        return [*body[:first], f"    {result}: {self.dialect.array}", *body[first:]]

    @property
    def _ragged(self) -> int | None:
        left = [kind for kind, size in enumerate(network_sizes(self.plan.group.n)) if size is None]
        return left[0] if len(left) == 1 else None

    def _head(self) -> list[str]:
        plan, array = self.plan, self.dialect.array
        bias = f"bias: {array}, " if plan.bias_basis is not None else ""
        n = "int" if plan.types == 1 else "tuple[int, ...]"
        ratio = "" if self._ragged is None else f", ratio: {array} | None = None"
        arguments = f"x: {array}, weight: {array}, {bias}n: {n}{ratio}"
        return [
            *signature(self.dialect.function, arguments, array),
            f'    """Apply the layer to x of shape {shape(plan.dom, "in_channels")}."""',
        ]

    def _body(self) -> Iterator[str]:
        plan, known, lines = self.plan, self.plan.words(), list(self._early())
        for step in plan.steps:
            if isinstance(step, Embed):
                self.names[step.out] = self._variable(step.base)
            lines += [*self._comment(step, known), *self._statements(step, known)]
        for line in [*self._parameters(), *self.before.values(), *lines]:
            yield f"    {line}"
        yield f"    return {self._returned()}"

    def _early(self) -> Iterator[str]:
        """Statements before the steps of the plan."""
        yield from ()

    def _returned(self) -> str:
        """What the function returns."""
        return self._variable(self.plan.result)

    def _parameters(self) -> Iterator[str]:
        """Scale the rows of weight and bias, and add one of zeros, where the steps need that."""
        plan, xp = self.plan, self.dialect.xp
        if any(scale != 1 for scale in plan.scales):
            self._constant("SCALES", [float(scale) for scale in plan.scales])
            scales = self.dialect.table("SCALES", "weight")
            yield f"weight = weight * {scales}[:, None, None]"
        if any(sign != 1 for sign in plan.bias_signs):
            self._constant("SIGNS", list(plan.bias_signs))
            yield f"bias = bias * {self.dialect.table('SIGNS', 'bias')}[:, None]"
        mixes = [step for step in plan.steps if isinstance(step, Mix) and not self._written(step)]
        if any(ABSENT in row for step in mixes for row in step.rows):
            yield f"weight = {xp}.concatenate([weight, {xp}.zeros_like(weight[:1])])"
        if any("*batch" in line for line in self._shapes()):
            yield f"batch = x.shape[: x.ndim - {len(plan.inputs) + 1}]"

    def _shapes(self) -> list[str]:
        """The steps that speak of the shape of the batch."""
        return [
            "*batch"
            for step in self.plan.steps
            if isinstance(step, Zeros) or (isinstance(step, Mix) and not step.features)
        ]

    def _variable(self, name: str) -> str:
        return self.names.get(name, name)

    def _comment(self, step: Step, known: dict[str, Word]) -> Iterator[str]:
        """The step in index notation, and the diagram that it applies."""
        if isinstance(step, Mix) and len(step.outs) * len(step.features) > 120:
            order = len(known[step.outs[0]])
            outs, features = len(step.outs), len(step.features)
            yield f"# {outs} results of order {order}, each from {features} features"
            return
        diagram = drawing(step)
        variables = {name: self._variable(name) for name in known}
        words = {variables[name]: word for name, word in known.items()}
        for line in describe(replaced(step, variables), words, self.plan):
            line = f"{diagram}: {line.split(' with ')[-1]}" if diagram else line
            yield from textwrap.wrap(
                line, WIDTH - 4, initial_indent="# ", subsequent_indent="#     "
            )

    def _statements(self, step: Step, known: dict[str, Word]) -> Iterator[str]:
        match step:
            case Contract():
                yield from self._contract(step, known[step.source])
            case LeviCivita():
                epsilon = self._epsilon(len(step.legs))
                operands = [(self._variable(step.source), step.labels), (epsilon, step.legs)]
                yield from self._assign(step.out, self._einsum(operands, step.keep))
            case Mix():
                yield from self._mix(step)
            case Zeros():
                sizes = "".join(f"{self._n(kind)}, " for kind in step.word)
                zeros = self.dialect.zeros(f"(*batch, {sizes}weight.shape[1])")
                yield f"{step.out} = {zeros}"
            case Embed():
                yield from self._embed(step, known[step.base])

    def _contract(self, step: Contract, word: Word) -> Iterator[str]:
        types = dict(zip(step.labels, word, strict=True))
        operands = [(self._variable(step.source), step.labels)]
        operands += [(self._form(types[pair[0]]), pair) for pair in step.forms]
        value = self._divided(
            self._einsum(operands, step.keep), [types[index] for index in step.averaged]
        )
        if power := sum(types[index] == self._ragged for index in step.averaged):
            self.helpers.add("scaled")
            value = f"scaled({value}, ratio, {power})"
        yield from self._assign(step.out, value)

    def _embed(self, step: Embed, word: Word) -> Iterator[str]:
        types = dict(zip(step.labels, word, strict=True))
        operands: list[tuple[str, tuple[int, ...]]] = [(self._variable(step.source), step.keep)]
        operands += [(self._form(types[pair[0]]), pair) for pair in step.forms]
        fresh, seen, axes = max(step.labels, default=-1) + 1, set(), []
        for label in step.labels:
            if label not in seen:
                seen.add(label)
                axes.append(label)
                continue
            # Where an index stands again it is another, with a delta.
            operands.append((self._one(types[label]), (label, fresh)))
            axes.append(fresh)
            fresh += 1
        given = {index for _, labels in operands for index in labels}
        inside = tuple(axis for axis in axes if axis in given)
        value = operands[0][0]
        if len(operands) > 1 or inside != step.keep:
            value = self._einsum(operands, inside)
        if len(inside) < len(axes):
            places = ", ".join(":" if axis in given else "None" for axis in axes)
            value += f"[..., {places}, :]"
        value = self._divided(value, [types[index] for index in step.averaged])
        base = self._variable(step.base)
        yield from self._assign(base, f"{base} + {value}")

    def _mix(self, step: Mix) -> Iterator[str]:
        xp = self.dialect.xp
        if not step.features:
            for out, row in zip(step.outs, step.bias_rows, strict=True):
                shaped = "(*batch, weight.shape[1])"
                yield (
                    f"{out} = {self.dialect.zeros(shaped)}"
                    if row == ABSENT
                    else f"{out} = {xp}.broadcast_to(bias[{row}], {shaped})"
                )
            return
        if line := self._written(step):
            yield line
        else:
            self.helpers.add("mix")
            number = sum(name.startswith("ROWS") for name in self.constants)
            rows = self._constant(f"ROWS_{number}", step.rows)
            outs = ", ".join(step.outs) if len(step.outs) > 1 else f"({step.outs[0]},)"
            features = [self._permuted(name, axes) for name, axes in step.features]
            if len(outs) > WIDTH - 12:
                yield from ("(", *(f"    {out}," for out in step.outs))
                outs = ")"
            yield from call(f"{outs} = mix", ["weight", rows, *features])
        for out, row in zip(step.outs, step.bias_rows, strict=bool(step.bias_rows)):
            if row != ABSENT:
                yield f"{out} = {out} + bias[{row}]"

    def _written(self, step: Mix) -> str:
        """A mix of few features as one line of products; empty for others."""
        if len(step.outs) > 1 or not 1 <= len(step.features) <= 2:
            return ""
        terms = [
            f"{self._permuted(name, axes)} @ weight[{row}].T"
            for (name, axes), row in zip(step.features, step.rows[0], strict=True)
            if row != ABSENT
        ]
        line = f"{step.outs[0]} = {' + '.join(terms)}"
        return line if terms and len(line) <= WIDTH - 4 - len(": Array") else ""

    def _permuted(self, name: str, permutation: tuple[int, ...]) -> str:
        """A tensor whose axis i is axis permutation[i]."""
        plain = tuple(range(len(permutation)))
        if permutation == plain:
            return self._variable(name)
        return self._einsum([(self._variable(name), plain)], permutation)

    def _einsum(self, operands: list[tuple[str, tuple[int, ...]]], keep: tuple[int, ...]) -> str:
        """A sum of products as an equation; the first operand has batch axes and channels."""
        (first, labels), *others = operands
        if not others and labels == keep:
            return first
        words = [f"...{indices(labels)}c", *(indices(found) for _, found in others)]
        equation = f"{','.join(words)}->...{indices(keep)}c"
        return self.dialect.einsum(equation, *(name for name, _ in operands))

    def _divided(self, value: str, kinds: list[int]) -> str:
        """A tensor divided by the size of an axis of each kind."""
        sizes = [self._n(kind) for kind in kinds]
        if not sizes:
            return value
        return f"{value} / {sizes[0]}" if len(sizes) == 1 else f"{value} / ({' * '.join(sizes)})"

    def _n(self, kind: int) -> str:
        return f"n[{kind}]" if self.plan.types > 1 else "n"

    def _named(self, name: str, kind: int) -> str:
        return f"{name}_{kind}" if self.plan.types > 1 else name

    def _one(self, kind: int) -> str:
        """The identity matrix of a type."""
        name = self._named("one", kind)
        self.before[name] = f"{name} = {self.dialect.eye(self._n(kind))}"
        return name

    def _form(self, kind: int) -> str:
        """The symplectic form of a type."""
        self.helpers.add("symplectic")
        name = self._named("form", kind)
        self.before[name] = f"{name} = symplectic({self._n(kind)}, x.dtype)"
        return name

    def _epsilon(self, size: int) -> str:
        """The Levi-Civita symbol with so many indices."""
        if size > MAX_LEGS:
            raise BackendError(
                f"{self.plan.group}: the symbol of a determinant vertex with {size} legs has "
                f"{size}^{size} entries, too many to write out; backend='einsum' lists those that "
                "are not zero"
            )
        self.helpers.add("levi_civita")
        name = self._named("epsilon", size)
        constant = name.upper()
        self.constants[constant] = f"{constant} = levi_civita({size})"
        self.before[name] = f"{name} = {self.dialect.like(constant, 'x')}"
        return name

    def _constant(self, name: str, values: Iterable[object]) -> str:
        self.constants[name] = constant(name, values)
        return name

    def _assign(self, name: str, value: str) -> Iterator[str]:
        """An assignment; of one that is too long, the equation comes first by itself."""
        line = f"{name} = {value}"
        if len(line) <= WIDTH - 4 - len(": Array"):
            yield from [line] * (name != value)
            return
        found = re.search(r"(\w+\.einsum)\(([^()]*)\)", value)
        assert found is not None, line
        yield from call(f"term = {found[1]}", found[2].split(", "))
        yield f"{name} = {value[: found.start()]}term{value[found.end() :]}"


def constant(name: str, values: Iterable[object]) -> str:
    """A constant, on lines of its own where it is long."""
    text = repr(tuple(values))
    line = f"{name} = {text}"
    if len(line) <= WIDTH:
        return line
    lines = textwrap.wrap(
        f"{text[1:-1].rstrip(',')},", WIDTH, initial_indent="    ", subsequent_indent="    "
    )
    return "\n".join(["# fmt: off", f"{name} = (", *lines, ")", "# fmt: on"])
