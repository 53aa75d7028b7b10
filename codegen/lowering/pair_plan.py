"""Plans of layers of two inputs: every bilinear map V^k1 x V^k2 -> V^l that commutes with the group.

These are the linear maps of Hom(k1 + k2, l), applied to the product of the inputs, and that product
is never formed unless a diagram keeps all its indices: each input is contracted by itself first, then
the two are multiplied along the indices that they have in common. Channels are mixed in the one of two
places that takes fewer operations. After the product, from all pairs of channels: that is best where
the product sums indices away, as a scalar product does. Or before it, in the smaller of its factors:
that is best where nothing is summed, and the product of all pairs of channels would be large.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from itertools import product
from typing import Any, Literal, TypeAlias, get_args

from tannaka.category.hom import Hom
from tannaka.codegen.lowering.choose import SECONDS
from tannaka.codegen.lowering.lower import (
    Side,
    Symbols,
    alike_embeddings,
    checked_channels,
    contraction_steps,
    side_of,
    symbols,
    task,
    turned_forms,
)
from tannaka.codegen.network import Network, Word, channel_count, planned, sizes
from tannaka.codegen.notation import Reduce
from tannaka.codegen.passes import optimise
from tannaka.codegen.plan import (
    Contract,
    Embed,
    LeviCivita,
    Mix,
    Multiply,
    Plan,
    Step,
    Weigh,
    Zeros,
    renamed,
)
from tannaka.codegen.task import Task
from tannaka.codegen.trace import Branch, identity, verify
from tannaka.diagrams.errors import BackendError

LEFT, RIGHT = "x1", "x2"
"""What the inputs are called."""
TYPICAL = 16
"""The size of axes that operations are counted at where it is left open."""
BATCH = 64
"""How many inputs at once plans are compared for."""
EAGER = (1, 2)
"""How eagerly channels are mixed before products: see :func:`lower_pair`."""
MAX_COMPARED = 300
"""Most diagrams for which several plans are made and compared."""
MAX_PLACEMENTS = 256
"""Most ways to place determinant vertices that are compared for one diagram."""

Channels: TypeAlias = Literal["full", "channelwise"]
"""Whether each channel of one input meets all of the other, or only its own."""
Place: TypeAlias = Literal["left", "right", "product", "output"]
PLACES: tuple[Place, ...] = ("left", "right", "product", "output")


@dataclass(frozen=True)
class PairPlan(Plan):
    """How to apply a basis of Hom(k1 + k2, l) to the product of inputs of orders k1 and k2.

    ``dom`` is k1 + k2, or the word of both; ``in_channels`` is how many numbers of a row of the
    weight meet one channel of the output.
    """

    orders: tuple[Any, Any]
    """The orders of the two inputs, or their words of types."""
    channels: tuple[int, int]
    """How many channels each input has."""
    channelwise: bool
    """Whether a channel of one input meets only the same of the other."""

    @property
    def split(self) -> int:
        """How many of the axes are those of the first input."""
        return len(self.pair[0])

    @property
    def pair(self) -> tuple[Word, Word]:
        """The types of the axes of the inputs."""
        first = len(self.inputs) - self._second
        return self.inputs[:first], self.inputs[first:]

    @property
    def _second(self) -> int:
        order = self.orders[1]
        return order if isinstance(order, int) else len(order)

    @property
    def domain(self) -> str:
        """The orders of the inputs, in words."""
        return f"{self.orders[0]} x {self.orders[1]}"

    @property
    def entering(self) -> str:
        """The channels of the inputs, in words."""
        first, second = self.channels
        return f"{first}, each with its own," if self.channelwise else f"{first} x {second}"

    @property
    def arguments(self) -> dict[str, int]:
        """The inputs by their names in formulas, and how many of the axes each has."""
        return {name: len(types) for name, types in self.given.items()}

    @property
    def given(self) -> dict[str, Word]:
        """The types of the axes of the inputs, by their names."""
        return dict(zip((LEFT, RIGHT), self.pair, strict=True))

    @property
    def given_channels(self) -> dict[str, int]:
        """How many channels they have."""
        return dict(zip((LEFT, RIGHT), self.channels, strict=True))


def plan_pair(
    group: Any,
    orders: tuple[Any, Any],
    l: Any,
    channels: tuple[Any, Any],
    out_channels: Any,
    *,
    bias: bool = True,
    reduce: Reduce = "mean",
    pairing: Channels = "full",
) -> PairPlan:
    """The plan of a layer of two inputs, optimised and verified.

    Raises TypeError and ValueError for channels or a reduction that make no sense, BackendError for
    groups whose layers are not planned diagram by diagram, SizeError for more than 250,000 diagrams.

    >>> from tannaka.category import SO
    >>> print(plan_pair(SO(3), (1, 1), 1, (1, 1), 1, bias=False))
    SO(3), order 1 x 1 -> 1, channels 1 x 1 -> 1, 1 diagrams, no bias, reduce=mean
      e0[jk] = sum over i of ε[jik] x1[i]
      p0[i] = sum over j of e0[ij] x2[j]
      m0[i] = 1/2 W0 p0[i]
      return m0
    """
    wanted = _task(group, orders, l, channels, out_channels, bias, reduce, pairing)
    return _fastest(*wanted)


def lower_pair(
    group: Any,
    orders: tuple[Any, Any],
    l: Any,
    channels: tuple[Any, Any],
    out_channels: Any,
    *,
    bias: bool = True,
    reduce: Reduce = "mean",
    pairing: Channels = "full",
    eager: int = 1,
) -> PairPlan:
    """The plain plan of a layer of two inputs, verified; raises as :func:`plan_pair` does.

    Channels are mixed before a product where that takes less than ``eager`` times as many operations
    as after it. Then what several products have in common is mixed once, and no tensor has a channel
    for each pair: that may be worth some operations.
    """
    wanted = _task(group, orders, l, channels, out_channels, bias, reduce, pairing)
    return _Lowering(*wanted, eager).lowered()


def _task(
    group: Any,
    orders: tuple[Any, Any],
    l: Any,
    channels: tuple[Any, Any],
    out_channels: Any,
    bias: bool,
    reduce: Reduce,
    pairing: Channels,
) -> tuple[Task, tuple[Any, Any], tuple[int, int], bool]:
    """What is to be computed, the orders and channels of the inputs, whether they meet channelwise."""
    if pairing not in get_args(Channels):
        raise ValueError(f"channels must be 'full' or 'channelwise', got {pairing!r}")
    first, second = (
        channel_count(name, number)
        for name, number in zip(("in1_channels", "in2_channels"), channels, strict=True)
    )
    if pairing == "channelwise" and first != second:
        raise ValueError(
            f"channels='channelwise' multiplies each channel by its own, but there are {first} and "
            f"{second}: take as many of both, or channels='full'"
        )
    one, other = Hom(group, orders[0], l), Hom(group, orders[1], l)
    hom = Hom(group, one.k + other.k, one.l)
    if not planned(hom.group):
        raise BackendError(
            f"{hom}: layers of two inputs are planned diagram by diagram, and those of {hom.group} are "
            "not; multiply the inputs out, x1[..., :, None] * x2[..., None, :] for order 1 each, and "
            f"take EquivariantLinear(group, {hom.k}, {hom.l}, ...), with a channel for each pair"
        )
    rows = first if pairing == "channelwise" else first * second
    rows, out_channels = checked_channels(rows, out_channels, reduce)
    wanted = task(hom, rows, out_channels, bias=bias, reduce=reduce)
    return wanted, (one.k, other.k), (first, second), pairing == "channelwise"


@lru_cache(maxsize=8)
def _fastest(
    wanted: Task, orders: tuple[Any, Any], channels: tuple[int, int], channelwise: bool
) -> PairPlan:
    """The plan that the model of costs says is fastest, of those that are tried."""
    tried = EAGER if len(wanted.basis) <= MAX_COMPARED and not channelwise else EAGER[:1]
    plans = []
    for eager in tried:
        plan = optimise(_Lowering(wanted, orders, channels, channelwise, eager).lowered())
        assert isinstance(plan, PairPlan)
        plans.append(plan)
    return min(plans, key=_seconds) if len(plans) > 1 else plans[0]


def _seconds(plan: PairPlan) -> float:
    """What the model of factored layers says a plan takes; only ratios mean anything."""
    n = tuple(TYPICAL if size is None else size for size in sizes(plan.group.n))
    cost = plan.cost(n=n, batch=BATCH)
    _, kernel, byte, flop, narrow = SECONDS["factored"]
    width = min(*plan.channels, plan.out_channels)
    work = cost.flops * (flop + narrow / width)
    return float(kernel * cost.launches + byte * cost.bytes + work)


@dataclass(frozen=True, slots=True)
class Product:
    """Two contracted inputs, and how they are multiplied: data of a ``Multiply``."""

    left: Side
    right: Side
    left_labels: tuple[int, ...]
    right_labels: tuple[int, ...]
    keep: tuple[int, ...]
    averaged: tuple[int, ...]
    forms: tuple[tuple[int, int], ...]
    vertices: Symbols
    """Determinant vertices on the product, before its channels are mixed."""


@dataclass(frozen=True, slots=True)
class PairFactors:
    """A network as contractions, a product, a permutation and an embedding."""

    product: Product
    permutation: tuple[int, ...]
    embedding: Side
    word: Word
    words: tuple[Word, ...]
    """The types of the axes of both factors, of all that is multiplied, of the product, and of it
    after determinant vertices."""


def pair_factors(found: Network, split: int, places: tuple[Place, ...]) -> PairFactors:
    """Factor a network whose first ``split`` inputs are those of the first input.

    ``places`` says for each determinant vertex where it is multiplied in: on a contracted input, on
    the product, or on the output side, after channels are mixed.
    """
    inputs = found.inputs[:split], found.inputs[split:]
    left, right = (dict.fromkeys(vertices) for vertices in inputs)
    above = dict.fromkeys(found.outputs)
    at = {
        place: [v for v, p in zip(found.legs, places, strict=True) if p == place]
        for place in PLACES
    }
    legs = {place: {leg for vertex in at[place] for leg in vertex} for place in PLACES}
    crossing = [
        (a, b) for a, b in found.forms if (a in left and b in right) or (a in right and b in left)
    ]
    joined = {index for pair in crossing for index in pair}
    after = above.keys() | legs["product"] | legs["output"]

    beyond = after | joined | right.keys() | legs["right"]
    left_axes = [index for index in left if index in beyond]
    left_axes += [i for v in at["left"] for i in v if i not in left and i in beyond]
    beyond = after | joined | set(left_axes)
    right_axes = [index for index in right if index in beyond]
    right_axes += [i for v in at["right"] for i in v if i not in right and i in beyond]

    axes = list(dict.fromkeys((*left_axes, *right_axes)))
    number = {index: i for i, index in enumerate(axes)}
    kept = [index for index in axes if index in after and index not in joined]
    later = above.keys() | legs["output"]
    mixed = [index for index in kept if index in later]
    mixed += [i for v in at["product"] for i in v if i not in kept and i in later]
    middle = [index for index in above if index in mixed]
    middle += [index for index in mixed if index not in above]

    def types(some: list[int]) -> Word:
        return tuple(found.types[index] for index in some)

    pairs = sorted((min(number[a], number[b]), max(number[a], number[b])) for a, b in crossing)
    # What is summed over legs is no mean: they take only values that differ.
    legged = {leg for vertex in found.legs for leg in vertex}
    second = {b for _, b in pairs}
    averaged = [
        number[index]
        for index in axes
        if index not in kept and index not in legged and number[index] not in second
    ]
    return PairFactors(
        Product(
            side_of(found, inputs[0], left_axes, at["left"]),
            side_of(found, inputs[1], right_axes, at["right"]),
            tuple(number[index] for index in left_axes),
            tuple(number[index] for index in right_axes),
            tuple(number[index] for index in kept),
            tuple(averaged),
            tuple(pairs),
            symbols(found, kept, mixed, at["product"]),
        ),
        tuple(mixed.index(index) for index in middle),
        side_of(found, found.outputs, middle, at["output"]),
        types(middle),
        (
            types(left_axes),
            types(right_axes),
            types([index for index in axes if number[index] not in second]),
            types(kept),
            types(mixed),
        ),
    )


@dataclass
class _Lowering:
    """From a task to a plan."""

    task: Task
    orders: tuple[Any, Any]
    channels: tuple[int, int]
    channelwise: bool
    eager: int
    steps: list[Step] = field(default_factory=list)
    made: dict[tuple[str, Side], str] = field(default_factory=dict)
    """The contractions of the inputs."""

    @property
    def split(self) -> int:
        first = self.orders[0]
        return first if isinstance(first, int) else len(first)

    def entries(self, word: Word) -> int:
        """How many positions a tensor has."""
        at = sizes(self.task.group.n)
        return math.prod(TYPICAL if at[kind] is None else at[kind] for kind in word)

    def lowered(self) -> PairPlan:
        found = self.task.networks
        split = self.split
        parts = [pair_factors(one, split, self.places(one)) for one in found]
        users: dict[Product, list[int]] = defaultdict(list)
        for row, factors in enumerate(parts):
            users[factors.product].append(row)
        sides = {
            row: side for rows in users.values() for row in rows if (side := self.side(rows, parts))
        }
        for row in sides:
            # After channels are mixed there is no place but the output's.
            moved: tuple[Place, ...] = tuple(
                "output" if place == "product" else place for place in self.places(found[row])
            )
            parts[row] = pair_factors(found[row], split, moved)

        for factors in parts:
            self.contracted(factors.product)
        embeds = self.after(parts, sides) + self.before(parts, sides)
        result = self.embedded(embeds)
        plan = PairPlan(
            **{one.name: getattr(self.task, one.name) for one in fields(Task)},
            steps=tuple(self.steps),
            result=result,
            signs=tuple(map(self.sign, found, parts)),
            bias_signs=tuple(map(self.bias_sign, self.task.bias_networks)),
            orders=self.orders,
            channels=self.channels,
            channelwise=self.channelwise,
        )
        renumbered = renamed(plan)
        assert isinstance(renumbered, PairPlan)
        verify(renumbered, after="lowering")
        return renumbered

    def places(self, found: Network) -> tuple[Place, ...]:
        """Where determinant vertices are multiplied in: where tensors on the way are smallest."""
        ways = list(product(PLACES, repeat=len(found.legs)))[:MAX_PLACEMENTS]
        return min(ways, key=lambda way: self.size(found, way)) if found.legs else ()

    def size(self, found: Network, places: tuple[Place, ...]) -> int:
        """How many numbers the tensors on the way have together."""
        parts = pair_factors(found, self.split, places)
        left, right, _, kept, mixed = map(self.entries, parts.words)
        first, second = self.channels
        total = left * first + right * second + kept * self.task.in_channels
        if "product" in places:
            total += mixed * self.task.in_channels
        return total + self.entries(parts.word) * self.task.out_channels

    def side(self, rows: list[int], parts: list[PairFactors]) -> Literal["left", "right", ""]:
        """Which factor of a product has its channels mixed before it; "" where that is done after."""
        if self.channelwise:
            return ""
        left, right, touched, _, mixed = map(self.entries, parts[rows[0]].words)
        (first, second), out = self.channels, self.task.out_channels
        flops: dict[Literal["left", "right", ""], int] = {
            "": (touched + len(rows) * mixed * out) * first * second * self.eager,
            "left": len(rows) * (left * first + touched) * second * out,
            "right": len(rows) * (right * second + touched) * first * out,
        }
        return min(flops, key=flops.__getitem__)

    def contracted(self, parts: Product) -> None:
        """Add the contractions of both inputs, where they are not there yet."""
        for name, side in ((LEFT, parts.left), (RIGHT, parts.right)):
            if (name, side) not in self.made:
                self.made[name, side] = contraction_steps(
                    side, name, f"{name}c{len(self.made)}", self.task.reduce == "mean", self.steps
                )

    def after(self, parts: list[PairFactors], sides: dict[int, Any]) -> list[tuple[Side, str]]:
        """Add products, and what mixes their channels after them; the tensors to embed."""
        names: dict[Product, str] = {}
        embeddings: dict[Side, dict[tuple[Any, tuple[int, ...]], int]] = defaultdict(dict)
        words: dict[Side, Word] = {}
        for row, factors in enumerate(parts):
            if row in sides:
                continue
            if factors.product not in names:
                names[factors.product] = self.multiplied(factors.product)
            embeddings[factors.embedding][factors.product, factors.permutation] = row
            words[factors.embedding] = factors.word
        bias_rows = {self.bias_side(one): row for row, one in enumerate(self.task.bias_networks)}
        for embedding in bias_rows:
            words[embedding] = ()
            embeddings.setdefault(embedding, {})
        found: list[tuple[Side, str]] = []
        for alike in alike_embeddings(embeddings, bias_rows, words):
            features = sorted(embeddings[alike[0]], key=embeddings[alike[0]].__getitem__)
            outs = tuple(f"m{len(found) + e}" for e in range(len(alike)))
            found += zip(alike, outs, strict=True)
            self.steps.append(
                Mix(
                    outs,
                    tuple((names[one], permutation) for one, permutation in features),
                    tuple(tuple(embeddings[e][feature] for feature in features) for e in alike),
                    tuple(bias_rows[e] for e in alike if e in bias_rows),
                )
            )
        return found

    def before(self, parts: list[PairFactors], sides: dict[int, Any]) -> list[tuple[Side, str]]:
        """Add what mixes channels before products, and these; the tensors to embed."""
        users: dict[Multiply, dict[Side, dict[tuple[str, tuple[int, ...]], int]]] = {}
        for row, side in sides.items():
            step, feature = self.weighed(parts[row], side)
            users.setdefault(step, defaultdict(dict))[parts[row].embedding][feature] = row
        found: list[tuple[Side, str]] = []
        for step, embeddings in users.items():
            groups: dict[frozenset[tuple[str, tuple[int, ...]]], list[Side]] = defaultdict(list)
            for embedding, of in embeddings.items():
                groups[frozenset(of)].append(embedding)
            for together in groups.values():
                features = sorted(of := embeddings[together[0]], key=of.__getitem__)
                rows = tuple(tuple(embeddings[e][f] for f in features) for e in together)
                weighed = f"w{len(self.steps)}"
                side = int(step.pairing == "right")
                self.steps.append(Weigh(weighed, tuple(features), rows, side))
                outs = tuple(f"p{len(self.steps)}_{e}" for e in range(len(together)))
                names = {"right": weighed} if side else {"left": weighed}
                self.steps.append(replace(step, outs=outs, **names))  # type: ignore[arg-type]
                found += zip(together, outs, strict=True)
        return found

    def weighed(
        self, parts: PairFactors, side: str
    ) -> tuple[Multiply, tuple[str, tuple[int, ...]]]:
        """A product but for its weighed factor, and of what that is made: a tensor, permuted.

        Labels are such that they stand in order in the other factor, and in the weighed one: so all
        that is multiplied by the same in the same way is weighed together.
        """
        of = parts.product
        left, right = self.made[LEFT, of.left], self.made[RIGHT, of.right]
        mine, other = of.left_labels, of.right_labels
        if side == "right":
            mine, other = other, mine
        number = {label: i for i, label in enumerate(dict.fromkeys((*other, *sorted(mine))))}
        labels = [number[label] for label in mine]
        ordered = tuple(sorted(labels))
        others = tuple(number[label] for label in other)
        step = Multiply(
            (),
            "" if side == "left" else left,
            "" if side == "right" else right,
            ordered if side == "left" else others,
            ordered if side == "right" else others,
            # The axes come in the order of the embedding: there is no permutation after it.
            tuple(number[of.keep[axis]] for axis in parts.permutation),
            self.averaged(of, number),
            tuple(sorted((number[a], number[b]) for a, b in of.forms)),
            "left" if side == "left" else "right",
        )
        return step, ((left if side == "left" else right), tuple(map(labels.index, ordered)))

    def averaged(self, of: Product, number: dict[int, int]) -> tuple[int, ...]:
        """The indices of a product that a mean runs over, by other numbers."""
        return tuple(sorted(number[a] for a in of.averaged)) if self.task.reduce == "mean" else ()

    def multiplied(self, parts: Product) -> str:
        """Add a product of all pairs of channels, or of equal ones; the name of the result."""
        out = f"p{len(self.steps)}"
        same = {label: label for label in (*parts.left_labels, *parts.right_labels)}
        self.steps.append(
            Multiply(
                (out,),
                self.made[LEFT, parts.left],
                self.made[RIGHT, parts.right],
                parts.left_labels,
                parts.right_labels,
                parts.keep,
                self.averaged(parts, same),
                parts.forms,
                "equal" if self.channelwise else "all",
            )
        )
        for axes, keep, legs, kind in parts.vertices:
            source, out = out, f"p{len(self.steps)}"
            self.steps.append(LeviCivita(out, source, axes, keep, legs, kind))
        return out

    def embedded(self, embeds: list[tuple[Side, str]]) -> str:
        """Add what writes mixed tensors into the output, the largest first; the name of that."""
        found = []
        for embedding, name in embeds:
            for axes, keep, legs, kind in reversed(embedding.vertices):
                self.steps.append(LeviCivita(f"e{len(self.steps)}", name, keep, axes, legs, kind))
                name = f"e{len(self.steps) - 1}"
            found.append((embedding, name))
        whole = next((one for one in found if one[0].full), None)
        if whole is None:
            self.steps.append(Zeros(result := "y", self.task.outputs))
        else:
            found.remove(whole)
            result = whole[1]
        for side, name in found:
            out = f"y{len(self.steps)}"
            self.steps.append(
                Embed(out, result, name, side.labels, side.keep, forms=turned_forms(side))
            )
            result = out
        return result

    def sign(self, found: Network, parts: PairFactors) -> int:
        """The sign between a network and the product of its factors."""
        canonical = found.canonical()
        if not found.forms and not found.legs:
            return canonical.sign
        types = tuple(found.types[index] for index in found.inputs)
        one, other = (
            _through(identity(word), side)
            for word, side in (
                (types[: self.split], parts.product.left),
                (types[self.split :], parts.product.right),
            )
        )
        of = parts.product
        step = Multiply(("",), "", "", of.left_labels, of.right_labels, of.keep, (), of.forms)
        branch = one.multiplied(other, step)
        for axes, keep, legs, kind in of.vertices:
            branch = branch.levi_civita(LeviCivita("", "", axes, keep, legs, kind))
        branch = self.written(branch.permuted(parts.permutation), found, parts.embedding)
        return canonical.sign * branch.network.canonical().sign

    def written(self, branch: Branch, found: Network, side: Side) -> Branch:
        """A mixed tensor, embedded."""
        for axes, keep, legs, kind in reversed(side.vertices):
            branch = branch.levi_civita(LeviCivita("", "", keep, axes, legs, kind))
        outputs = tuple(found.types[index] for index in found.outputs)
        step = Embed("", "", "", side.labels, side.keep, forms=turned_forms(side))
        return branch.embedded(step, outputs)

    def bias_side(self, found: Network) -> Side:
        """The embedding of a diagram without inputs."""
        return side_of(found, found.outputs, [], found.legs)

    def bias_sign(self, found: Network) -> int:
        branch = self.written(identity(()), found, self.bias_side(found))
        return found.canonical().sign * branch.network.canonical().sign


def _through(branch: Branch, side: Side) -> Branch:
    """What a contraction makes of an input."""
    branch = branch.contracted(Contract("", "", side.labels, side.keep, False, side.forms))
    for axes, keep, legs, kind in side.vertices:
        branch = branch.levi_civita(LeviCivita("", "", axes, keep, legs, kind))
    return branch
