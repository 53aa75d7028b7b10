"""What a plan means: its steps, multiplied out as networks of deltas and signs.

:func:`traced` finds the network that each row of the weight multiplies, and :func:`verify` compares
it with the basis. That is exact and says which row is wrong, so a mistake in lowering or in a pass
is caught when the pass runs, not when a number comes out wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tannaka.codegen.network import Network, Word
from tannaka.codegen.plan import (
    ABSENT,
    Contract,
    Embed,
    LeviCivita,
    Mix,
    Multiply,
    Plan,
    Step,
    Weigh,
    Zeros,
    produced,
    used,
)
from tannaka.diagrams.errors import PlanError
from tannaka.diagrams.partition import restricted_growth


@dataclass(frozen=True, slots=True)
class Branch:
    """What one tensor is of another: a network, and the types of the sums that were averaged."""

    network: Network
    averaged: tuple[int, ...] = ()

    def contracted(self, step: Contract) -> Branch:
        """The branch of what a contraction makes of the outputs."""
        found = self.network
        into = _merging(found.outputs, step.labels)
        at = {label: into[index] for label, index in zip(step.labels, found.outputs, strict=True)}
        means = tuple(found.types[at[index]] for index in step.averaged)
        network = Network(
            tuple(at[index] for index in step.keep),
            tuple(into.get(index, index) for index in found.inputs),
            found.types,
            (
                *((into.get(a, a), into.get(b, b)) for a, b in found.forms),
                *((at[a], at[b]) for a, b in step.forms),
            ),
            tuple(tuple(into.get(leg, leg) for leg in legs) for legs in found.legs),
            found.sign,
        )
        return Branch(network, (*self.averaged, *means))

    def embedded(self, step: Embed, word: Word) -> Branch:
        """The branch of what an embedding adds to its base, of the given word."""
        found = self.network
        at = dict(zip(step.keep, found.outputs, strict=True))
        types = list(found.types)
        for label, kind in zip(step.labels, word, strict=True):
            if label not in at:
                at[label] = len(types)
                types.append(kind)
            if types[at[label]] != kind:
                raise PlanError(f"{step} joins axes of different types")
        network = Network(
            tuple(at[label] for label in step.labels),
            found.inputs,
            tuple(types),
            (*found.forms, *((at[a], at[b]) for a, b in step.forms)),
            found.legs,
            found.sign,
        )
        means = tuple(types[at[index]] for index in step.averaged)
        return Branch(network, (*self.averaged, *means))

    def levi_civita(self, step: LeviCivita) -> Branch:
        """The branch of what a multiplication with the Levi-Civita symbol makes of the outputs."""
        found = self.network
        if len(set(step.labels)) < len(step.labels) or len(set(step.keep)) < len(step.keep):
            raise PlanError(f"{step} reads or writes along a diagonal")
        at = dict(zip(step.labels, found.outputs, strict=True))
        types = list(found.types)
        for leg in step.legs:
            if leg not in at:
                at[leg] = len(types)
                types.append(step.kind)
        if any(types[at[leg]] != step.kind for leg in step.legs):
            raise PlanError(f"{step} has legs on axes of another type than {step.kind}")
        if (set(step.labels) ^ set(step.keep)) - set(step.legs):
            raise PlanError(f"{step} sums or adds an index that is no leg")
        network = Network(
            tuple(at[index] for index in step.keep),
            found.inputs,
            tuple(types),
            found.forms,
            (*found.legs, tuple(at[leg] for leg in step.legs)),
            found.sign,
        )
        return Branch(network, self.averaged)

    def multiplied(self, other: Branch, step: Multiply) -> Branch:
        """The branch of the product with what is made of the second input; its inputs stand last."""
        one, two = self.network, other.network
        for labels in (step.left_labels, step.right_labels):
            if len(set(labels)) < len(labels):
                raise PlanError(f"{step} reads along a diagonal")
        at = dict(zip(step.left_labels, one.outputs, strict=True))
        into = {index: len(one.types) + index for index in range(len(two.types))}
        for label, index in zip(step.right_labels, two.outputs, strict=True):
            into[index] = at.setdefault(label, into[index])
        types = (*one.types, *two.types)
        if any(types[into[index]] != kind for index, kind in enumerate(two.types)):
            raise PlanError(f"{step} joins axes of different types")
        network = Network(
            tuple(at[index] for index in step.keep),
            (*one.inputs, *(into[index] for index in two.inputs)),
            types,
            (
                *one.forms,
                *((into[a], into[b]) for a, b in two.forms),
                *((at[a], at[b]) for a, b in step.forms),
            ),
            (*one.legs, *(tuple(into[leg] for leg in legs) for legs in two.legs)),
            one.sign * two.sign,
        )
        means = tuple(types[at[index]] for index in step.averaged)
        return Branch(network, (*self.averaged, *other.averaged, *means))

    def permuted(self, permutation: tuple[int, ...]) -> Branch:
        """The branch of the tensor with axis i that was axis ``permutation[i]``."""
        if sorted(permutation) != list(range(len(self.network.outputs))):
            raise PlanError(f"{permutation} does not permute {len(self.network.outputs)} axes")
        found = self.network
        outputs = tuple(found.outputs[axis] for axis in permutation)
        moved = Network(outputs, found.inputs, found.types, found.forms, found.legs, found.sign)
        return Branch(moved, self.averaged)

    def meaning(self) -> Branch:
        """The same in a form in which equal means are equal."""
        return Branch(self.network.canonical(), tuple(sorted(self.averaged)))


def identity(word: Word) -> Branch:
    """A tensor as itself."""
    axes = tuple(range(len(word)))
    return Branch(Network(axes, axes, word))


def _merging(outputs: tuple[int, ...], labels: tuple[int, ...]) -> dict[int, int]:
    """Which index each index becomes when outputs with equal labels are made one."""
    if len(outputs) != len(labels):
        raise PlanError(f"labels {labels} for a tensor with {len(outputs)} axes")
    into = {index: index for index in outputs}
    for a, one in enumerate(outputs):
        for b in range(a):
            if labels[a] == labels[b] and into[one] != into[outputs[b]]:
                gone = into[one]
                into = {i: into[outputs[b]] if j == gone else j for i, j in into.items()}
    return into


@dataclass(frozen=True, slots=True)
class Trace:
    """What a plan computes: for each row of weight and bias, what it multiplies."""

    weight: dict[int, Branch]
    bias: dict[int, Branch]


def traced(plan: Plan) -> Trace:
    """Multiply the steps out, to find what each row of weight and bias multiplies.

    Raises PlanError when steps do not fit together or a row is used twice.
    """
    reduced = {name: identity(word) for name, word in plan.given.items()}
    # The inputs that each is made of: mixed is only what is made of all.
    origin = {name: {name} for name in plan.given}
    weighed: dict[str, Weigh] = {}
    mixed: dict[str, list[tuple[str, int, Branch]]] = {}
    known = plan.words()
    for step in plan.steps:
        match step:
            case Contract() if step.source in reduced:
                reduced[step.out] = reduced[step.source].contracted(step)
                origin[step.out] = origin[step.source]
            case LeviCivita() if step.source in reduced:
                reduced[step.out] = reduced[step.source].levi_civita(step)
                origin[step.out] = origin[step.source]
            case LeviCivita():
                mixed[step.out] = [
                    (kind, row, branch.levi_civita(step))
                    for kind, row, branch in mixed[step.source]
                ]
            case Mix():
                for e, out in enumerate(step.outs):
                    mixed[out] = []
                    for (source, permutation), row in zip(step.features, step.rows[e], strict=True):
                        if origin[source] != plan.given.keys():
                            raise PlanError(f"{step} mixes channels of only one input")
                        if row != ABSENT:
                            branch = reduced[source].permuted(permutation)
                            mixed[out].append(("weight", row, branch))
                    if step.bias_rows and step.bias_rows[e] != ABSENT:
                        mixed[out].append(("bias", step.bias_rows[e], identity(())))
            case Zeros():
                mixed[step.out] = []
            case Embed():
                word = known[step.base]
                mixed[step.out] = mixed[step.base] + [
                    (kind, row, branch.embedded(step, word))
                    for kind, row, branch in mixed[step.source]
                ]
            case Weigh():
                side = list(plan.given)[step.side]
                if any(origin[name] != {side} for name, _ in step.features):
                    raise PlanError(f"{step} does not weigh what is made of {side}")
                origin[step.out], weighed[step.out] = {side}, step
            case Multiply():
                sides = (step.left, step.right)
                if [origin.get(name) for name in sides] != [{name} for name in plan.given]:
                    raise PlanError(f"{step} does not multiply one input by the other")
                pairing = {"left": (True, False), "right": (False, True)}.get(step.pairing)
                if tuple(name in weighed for name in sides) != (pairing or (False, False)):
                    raise PlanError(f"{step} does not pair channels as they are")
                if pairing is None:
                    (out,) = step.outs
                    reduced[out] = reduced[step.left].multiplied(reduced[step.right], step)
                    origin[out] = set(plan.given)
                else:
                    weigh = weighed[sides[pairing.index(True)]]
                    parts = zip(step.outs, weigh.rows, strict=True)
                    mixed |= {out: list(_weighed(step, weigh, of, reduced)) for out, of in parts}
            case _:
                raise PlanError(f"{step} contracts what channels were mixed in already")
    trace = Trace({}, {})
    for kind, row, branch in mixed[plan.result]:
        rows = trace.weight if kind == "weight" else trace.bias
        if row in rows:
            raise PlanError(f"row {row} of the {kind} is used twice")
        rows[row] = branch.meaning()
    return trace


def _weighed(
    step: Multiply, weigh: Weigh, rows: tuple[int, ...], reduced: dict[str, Branch]
) -> Iterator[tuple[str, int, Branch]]:
    """What each row multiplies in one result of a product with a weighed tensor."""
    for (source, permutation), row in zip(weigh.features, rows, strict=True):
        branch = reduced[source].permuted(permutation)
        if step.pairing == "left":
            yield "weight", row, branch.multiplied(reduced[step.right], step)
        else:
            yield "weight", row, reduced[step.left].multiplied(branch, step)


def verify(plan: Plan, *, after: str) -> Plan:
    """Return the plan if it is well formed and computes exactly its basis; ``after`` names the pass.

    Raises PlanError, naming the pass, the row and both diagrams.
    """
    try:
        verify_names(plan.steps, set(plan.given), (plan.result,))
        for step in plan.steps:
            verify_form(step)
        trace = traced(plan)
        types = plan.words()[plan.result]
        if types != plan.outputs:
            raise PlanError(f"the result has axes of types {types}, not {plan.outputs}")
    except (PlanError, ValueError, KeyError, IndexError) as error:
        raise PlanError(f"after {after}: {error}") from error
    mean = plan.reduce == "mean"
    for kind, found, networks, signs in (
        ("weight", trace.weight, plan.networks, plan.signs),
        ("bias", trace.bias, plan.bias_networks, plan.bias_signs),
    ):
        if len(signs) != len(networks) or not {1, -1}.issuperset(signs):
            raise PlanError(
                f"after {after}: the {kind} has {len(networks)} rows, and their signs are {signs}"
            )
        wanted = {
            row: Branch(
                times(one.canonical(), sign), one.averaged() if mean and kind == "weight" else ()
            )
            for row, (one, sign) in enumerate(zip(networks, signs, strict=True))
        }
        for row in sorted(found.keys() | wanted.keys()):
            if found.get(row) != wanted.get(row):
                raise PlanError(
                    f"after {after}: row {row} of the {kind} computes {found.get(row)}, "
                    f"expected {wanted.get(row)}"
                )
    return plan


def times(network: Network, sign: int) -> Network:
    """A network with another sign."""
    return network if sign == 1 else replace(network, sign=network.sign * sign)


def verify_names(steps: tuple[Step, ...], known: set[str], results: tuple[str, ...]) -> None:
    """Names are assigned once, used after that, and a base is not used again; else PlanError."""
    inputs, known, spent = frozenset(known), set(known), set[str]()
    for step in steps:
        for name in used(step):
            if name not in known:
                raise PlanError(f"{step} uses {name} before it is assigned")
            if name in spent:
                raise PlanError(f"{step} uses {name}, which an Embed has written over")
        if isinstance(step, Embed):
            if step.base in inputs:
                raise PlanError(f"{step} writes over the input")
            if step.base == step.source:
                raise PlanError(f"{step} writes over its own source")
            spent.add(step.base)
        for name in produced(step):
            if name in known:
                raise PlanError(f"{name} is assigned twice")
            known.add(name)
    for result in results:
        if result not in known - spent:
            raise PlanError(f"the result {result} is not there at the end")


def verify_form(step: Step) -> None:
    """Indices are written in the one way that backends read; else PlanError."""
    match step:
        case Contract() | Embed():
            joined = [index for pair in step.forms for index in pair]
            if (
                step.labels != restricted_growth(step.labels)
                or step.keep != tuple(sorted(set(step.keep) & set(step.labels)))
                or len(set(joined) - set(step.keep)) < len(joined)
                or not set(joined) <= set(step.labels)
            ):
                raise PlanError(f"{step} does not have its indices in order, or a form on others")
        case LeviCivita():
            others = [
                [index for index in axes if index not in step.legs]
                for axes in (step.labels, step.keep)
            ]
            if others[0] != others[1]:
                raise PlanError(f"{step} exchanges axes that are no legs")
        case Multiply():
            left, right, kept = set(step.left_labels), set(step.right_labels), set(step.keep)
            joined = [index for pair in step.forms for index in pair]
            crossing = all(len({*pair} & left) == len({*pair} & right) == 1 for pair in step.forms)
            if (
                len(kept) < len(step.keep)
                or not kept <= left | right
                or len(set(joined) - kept) < len(joined)
                or not crossing
                or (left ^ right) - set(joined) - kept
                or not set(step.averaged) <= set(step.summed)
            ):
                raise PlanError(f"{step} sums what is of one side alone, or has a form on others")
        case Mix() | Weigh():
            if any(len(row) != len(step.features) for row in step.rows):
                raise PlanError(f"{step} has not one row for each result and feature")
