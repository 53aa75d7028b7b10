"""A plan as what its derivatives are made of: reduce, mix, spread, and the same read backwards.

A layer y = Y(x, W) is linear in its input and in its weight. So its derivatives of every order are
made of three functions: Y itself; the gradient of the input, X(g, W), which is a layer of the same
kind with every step turned round; and the gradient of the weight, W(x, g), which multiplies what is
mixed in Y by what is mixed in X, and sums over positions. A backend that writes kernels writes these
three, from the two :class:`Layer` s found here: nothing else of it reads the steps of a plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from math import factorial

from tannaka.codegen.plan import ABSENT, INPUT, Contract, Embed, Mix, Plan, Zeros, inverse
from tannaka.diagrams.errors import BackendError

RESULT = "y"
"""What the result is called, whichever step of the plan makes it."""
Permutation = tuple[int, ...]
Feature = tuple[str, Permutation]


@dataclass(frozen=True, slots=True)
class Reduction:
    """``out[i_keep] = sum, or mean, over the other indices of source[i_labels]``."""

    out: str
    source: str
    labels: tuple[int, ...]
    keep: tuple[int, ...]
    mean: bool

    @property
    def summed(self) -> int:
        """How many indices are summed away."""
        return len(set(self.labels)) - len(self.keep)


@dataclass(frozen=True, slots=True)
class Mixing:
    """``outs[e] = sum over f of weight[rows[e][f]] @ features[f]``, all of one order.

    A feature is a tensor and a permutation: axis i of it is axis ``permutation[i]`` of the tensor.
    A row that is ``ABSENT`` stands for a weight of zero.
    """

    outs: tuple[str, ...]
    features: tuple[Feature, ...]
    rows: tuple[tuple[int, ...], ...]

    @property
    def sources(self) -> tuple[str, ...]:
        """The tensors that it reads."""
        return tuple(dict.fromkeys(name for name, _ in self.features))

    @property
    def symmetric(self) -> bool:
        """Whether every tensor is read in all permutations of its axes."""
        order = len(self.features[0][1])
        return set(self.features) == {
            (name, axes) for name in self.sources for axes in permutations(range(order))
        } and len(self.features) == len(self.sources) * factorial(order)


@dataclass(frozen=True, slots=True)
class Term:
    """``target[i_labels] += source[i_keep]`` for all values of the indices."""

    target: str
    source: str
    labels: tuple[int, ...]
    keep: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Layer:
    """One linear map: reductions from the input on, mixings, and terms up to the result.

    Every tensor is written once: a reduced one by its reduction, any other one by its mixing, if it
    has one, plus its terms and its row of the bias, divided by ``n**divided[tensor]``. Reductions
    stand in an order in which they can run; mixed tensors are complete in increasing order.
    """

    source: str
    result: str
    reductions: tuple[Reduction, ...]
    mixings: tuple[Mixing, ...]
    terms: tuple[Term, ...]
    orders: dict[str, int]
    bias_rows: dict[str, int]
    divided: dict[str, int]

    @property
    def written(self) -> tuple[str, ...]:
        """The tensors that are mixed or made of terms, smaller orders first."""
        names = [out for mixing in self.mixings for out in mixing.outs]
        names += [term.target for term in self.terms] + list(self.bias_rows) + [self.result]
        return tuple(sorted(dict.fromkeys(names), key=lambda name: self.orders[name]))


def forward(plan: Plan) -> Layer:
    """The layer of a plan.

    Raises BackendError for a plan that is more than sums along diagonals: with typed axes, forms,
    Levi-Civita symbols, or signs.
    """
    if plan.types > 1:
        raise _uncovered(plan, "axes of several types")
    if plan.scaled:
        raise _uncovered(plan, "signs of diagrams")
    reductions: list[Reduction] = []
    mixings: list[Mixing] = []
    terms: list[Term] = []
    bias_rows: dict[str, int] = {}
    # An embedding writes into its base, so its result is the base's tensor; the last one is y.
    bases = {step.out: step.base for step in plan.steps if isinstance(step, Embed)}
    last = plan.result
    while last in bases:
        last = bases[last]
    tensors = {last: RESULT}

    def called(name: str) -> str:
        return tensors.get(name, name)

    for step in plan.steps:
        match step:
            case Contract(forms=()):
                reductions.append(
                    Reduction(step.out, step.source, step.labels, step.keep, step.mean)
                )
            case Mix():
                outs = tuple(map(called, step.outs))
                if step.features:
                    mixings.append(Mixing(outs, step.features, step.rows))
                found = zip(outs, step.bias_rows, strict=False)
                bias_rows.update((out, row) for out, row in found if row != ABSENT)
            case Zeros():
                pass
            case Embed(mean=False, forms=()):
                tensors[step.out] = called(step.base)
                terms.append(Term(called(step.base), called(step.source), step.labels, step.keep))
            case _:
                raise _uncovered(plan, f"{type(step).__name__} steps with forms or symbols")
    return Layer(
        source=INPUT,
        result=RESULT,
        reductions=tuple(reductions),
        mixings=tuple(mixings),
        terms=tuple(terms),
        orders={called(name): len(word) for name, word in plan.words().items()},
        bias_rows=bias_rows,
        divided={},
    )


def _uncovered(plan: Plan, what: str) -> BackendError:
    return BackendError(
        f"{plan.group}, order {plan.dom} -> {plan.cod}: the cpp backend covers diagrams that are "
        f"products of deltas, not {what}; backend='einsum' runs this layer"
    )


def transposed(layer: Layer) -> Layer:
    """The adjoint layer, which takes the gradient of the result to that of the source.

    The gradient of tensor ``t`` is called ``dt``. Weights are read transposed, rows stay the same.
    """
    by_size = sorted(layer.terms, key=lambda term: -layer.orders[term.target])
    # Each reduced tensor with all that is mixed from it; those made from the same go together.
    features: dict[str, dict[Feature, int]] = {}
    for mixing in layer.mixings:
        for f, (name, axes) in enumerate(mixing.features):
            for e, out in enumerate(mixing.outs):
                if mixing.rows[e][f] != ABSENT:
                    features.setdefault(name, {})[f"d{out}", inverse(axes)] = mixing.rows[e][f]
    alike: dict[tuple[Feature, ...], list[str]] = {}
    for name, found in features.items():
        alike.setdefault(tuple(sorted(found)), []).append(name)
    return Layer(
        source=f"d{layer.result}",
        result=f"d{layer.source}",
        reductions=tuple(
            Reduction(f"d{term.source}", f"d{term.target}", term.labels, term.keep, mean=False)
            for term in by_size
        ),
        mixings=tuple(
            Mixing(
                tuple(f"d{name}" for name in names),
                key,
                tuple(tuple(features[name][feature] for feature in key) for name in names),
            )
            for key, names in alike.items()
        ),
        terms=tuple(
            Term(f"d{step.source}", f"d{step.out}", step.labels, step.keep)
            for step in layer.reductions
        ),
        orders={f"d{name}": order for name, order in layer.orders.items()},
        bias_rows={},
        divided={f"d{step.out}": step.summed for step in layer.reductions if step.mean},
    )
