"""Layers of two inputs as plain PyTorch operations: products by ``torch.einsum``, the rest as ever.

What it writes is differentiable by itself, any number of times, and runs under ``torch.func``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tannaka.codegen.backends.einsum import Emitter
from tannaka.codegen.backends.einsum_text import BATCHED
from tannaka.codegen.backends.lines import WIDTH, call, signature
from tannaka.codegen.lowering.pair_plan import LEFT, RIGHT, PairPlan
from tannaka.codegen.network import Word
from tannaka.codegen.network import sizes as network_sizes
from tannaka.codegen.notation import indices, shape
from tannaka.codegen.plan import Mix, Multiply, Step, Weigh, Zeros, produced

HELPERS = BATCHED | {
    "turned": '''\
def turned(x: Tensor, a: int) -> Tensor:
    """Multiply axis a < 0 of x by the symplectic form: entry i is the sum over j of form[i, j] x[j]."""
    pairs = x.unflatten(a, (-1, 2))
    return torch.stack((pairs.select(a, 1), -pairs.select(a, 0)), dim=a).flatten(a - 1, a)
''',
    "weigh": '''\
def weigh(weight: Tensor, rows: Tensor, side: int, *features: Tensor) -> Tensor:
    """Half of a mix: result e is the sum over f of weight[rows[e][f]] times features[f].

    The features have the channels of input ``side``. All results come as one: their channels, and
    for every one of these an axis with the channels of the other input.
    """
    every = torch.cat(features, dim=-1) if len(features) > 1 else features[0]
    c_in = features[0].shape[-1]
    blocks = weight[rows.to(weight.device)]  # (results, features, out, pairs of channels)
    pairs = blocks.unflatten(-1, (c_in, -1) if side == 0 else (-1, c_in))
    # (features, in, results, out, channels of the other input)
    matrix = pairs.permute(1, 3, 0, 2, 4) if side == 0 else pairs.permute(1, 4, 0, 2, 3)
    matrix = matrix.flatten(2, 3).flatten(0, 1)
    return (every @ matrix.flatten(1)).unflatten(-1, matrix.shape[1:])
''',
    "parted": '''\
def parted(x: Tensor, parts: int) -> list[Tensor]:
    """The channels of x in so many parts."""
    size = x.shape[-1] // parts
    return [x[..., part * size : (part + 1) * size] for part in range(parts)]
''',
}


def pair_kernel(plan: PairPlan) -> str:
    """The source of ``apply(x1, x2, weight, bias, n) -> y``, bias perhaps None.

    It needs ``torch`` and ``Tensor`` in scope, and ``itertools`` where the plan has Levi-Civita
    symbols. For a family such as S() it takes ``ratio`` too: None, or of the shape of the batch, n
    over how many entries each input has; those that are no part of an input must be zero.
    """
    left = [kind for kind, size in enumerate(network_sizes(plan.group.n)) if size is None]
    emitter = PairEmitter(
        plan, optional=True, batched=True, ragged=left[0] if len(left) == 1 else None
    )
    return emitter.text([emitter.apply()])


@dataclass
class PairEmitter(Emitter):
    """Writes the steps of a plan of two inputs."""

    plan: PairPlan

    def _texts(self) -> dict[str, str]:
        return HELPERS

    def apply(self) -> str:
        """The function that applies the plan."""
        plan = self.plan
        body = [] if plan.channelwise else ["weight = weight.flatten(2)  # a channel for each pair"]
        if plan.bias_basis is not None:
            # In place autograd and vmap add only what the sum depends on already.
            body += self._with_bias("weight = weight + bias[:0].sum()")
            if any(sign != 1 for sign in plan.bias_signs):
                body += self._with_bias(f"bias = bias * {self._column('SIGNS', 'bias')}")
        body += self._weights("weight", plan.steps)
        body += self._body(plan.steps, plan.words(), "weight", plan.result)
        result = f"{self._variable(plan.result)}.contiguous()"
        ratio = "" if self.ragged is None else ", ratio: Tensor | None = None"
        sizes = "int" if plan.types == 1 else "tuple[int, ...]"
        arguments = f"{LEFT}: Tensor, {RIGHT}: Tensor, weight: Tensor, bias: Tensor | None, n: {sizes}{ratio}"
        shapes = [
            shape(order, channels)
            for order, channels in zip(plan.orders, ("in1_channels", "in2_channels"), strict=True)
        ]
        head = [
            *signature("apply", arguments, "Tensor"),
            f'    """Apply the layer to {LEFT} of shape {shapes[0]}',
            f'    and {RIGHT} of shape {shapes[1]}."""',
        ]
        return self._function(head, LEFT, len(plan.given[LEFT]), body, result)

    def _statements(self, step: Step, known: dict[str, Word], weight: str) -> Iterator[str]:
        match step:
            case Multiply():
                yield from self._multiply(step, known)
            case Weigh():
                yield from self._weigh(step, weight)
            case Mix(features=()):
                for out, row in zip(step.outs, step.bias_rows, strict=True):
                    yield from self._blank(out, LEFT, "(*batch, weight.shape[1])")
                    yield from self._with_bias(f"{out} = {out} + bias[{row}]")
            case _:
                yield from super()._statements(step, known, weight)

    def _weigh(self, step: Weigh, weight: str) -> Iterator[str]:
        self.helpers.add("weigh")
        rows = self._table("ROWS", self._numbers([list(row) for row in step.rows]))
        features = [self._read(name, permutation) for name, permutation in step.features]
        yield from call(f"{step.out} = weigh", [weight, rows, str(step.side), *features])

    def _multiply(self, step: Multiply, known: dict[str, Word]) -> Iterator[str]:
        left, right = self._variable(step.left), self._variable(step.right)
        labels = [list(step.left_labels), list(step.right_labels)]
        # What a form, or a mean, does to a product it does to the smaller of its factors.
        smaller = int(len(labels[1]) <= len(labels[0]))
        factors = [left, right]
        ends = {"all": ("Y", "Z", "YZ"), "equal": ("Y", "Y", "Y")}
        ends |= {"left": ("XZ", "Z", "X"), "right": ("Z", "XZ", "X")}
        channels = ends[step.pairing]
        for a, b in step.forms:
            self.helpers.add("turned")
            # form[a, b], summed over the index of the smaller factor, which becomes the other's.
            mine, other = (a, b) if a in labels[smaller] else (b, a)
            at = labels[smaller].index(mine)
            place = at - len(labels[smaller]) - len(channels[smaller])
            sign = "-" if mine == a else ""
            factors[smaller] = f"{sign}turned({factors[smaller]}, {place})"
            labels[smaller][at] = other
        types = dict(
            zip(
                (*step.left_labels, *step.right_labels),
                (*known[step.left], *known[step.right]),
                strict=True,
            )
        )
        factors[smaller] = self._averaged(factors[smaller], step.averaged, types)
        one, other_one = (
            f"...{indices(tuple(some))}{end}" for some, end in zip(labels, channels, strict=False)
        )
        equation = f"{one},{other_one}->...{indices(step.keep)}{channels[2]}"
        flat = ".flatten(-2)" if step.pairing == "all" else ""
        product = f'torch.einsum("{equation}", {factors[0]}, {factors[1]}){flat}'
        if len(step.outs) == 1:
            yield f"{step.outs[0]} = {product}"
        else:
            self.helpers.add("parted")
            yield from assigned(step.outs, f"parted({product}, {len(step.outs)})")

    def _averaged(self, factor: str, averaged: Iterable[int], types: dict[int, int]) -> str:
        """A factor divided by n for each index that a mean runs over."""
        kinds = [types[index] for index in averaged]
        if not kinds:
            return factor
        ns = [f"n[{kind}]" if self.plan.types > 1 else "n" for kind in kinds]
        found = f"{factor} / {ns[0]}" if len(ns) == 1 else f"{factor} / ({' * '.join(ns)})"
        if power := sum(kind == self.ragged for kind in kinds):
            self.helpers.add("scaled")
            return f"scaled({found}, ratio, {power})"
        return found

    def _zeros(self, step: Zeros) -> Iterator[str]:
        sizes = "".join(f"n[{kind}], " if self.plan.types > 1 else "n, " for kind in step.word)
        size = f"(*batch, {sizes}weight.shape[1])"
        before: Iterable[Step] = self.plan.steps[: self.plan.steps.index(step)]
        mixed = [
            name
            for earlier in before
            if isinstance(earlier, Mix) and earlier.features
            for out in produced(earlier)
            if (name := self._variable(out)) not in self.gone
        ]
        if mixed:
            yield f"{step.out} = {mixed[0]}.new_zeros({size})"
        else:
            yield from self._blank(step.out, LEFT, size)

    def _blank(self, out: str, like: str, shape: str) -> Iterator[str]:
        """Zeros, of which autograd and vmap see that they depend on all arguments."""
        weight = "weight[:0]" if self.plan.basis else "weight"
        yield f"zero = {weight}.sum() + {LEFT}[..., :0].sum() + {RIGHT}[..., :0].sum()"
        yield f"{out} = zero.expand({shape}).clone()"


def assigned(names: tuple[str, ...], value: str) -> Iterator[str]:
    """An assignment to several variables, broken over lines where it is long."""
    line = ", ".join(names)
    if len(line) + len(value) + 7 <= WIDTH:
        yield f"{line} = {value}"
    else:
        yield from ("(", *(f"    {name}," for name in names), f") = {value}")
