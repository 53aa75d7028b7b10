"""Which plan a layer gets: by diagrams that factor, by orbits, or by bilabelled graphs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import lru_cache
from math import prod
from typing import Any, Literal, TypeAlias, get_args

from tannaka.category.automorphisms import Aut
from tannaka.category.hom import Hom
from tannaka.category.permutations import PermutationGroup
from tannaka.codegen.cost import Cost, backward_cost
from tannaka.codegen.lowering.graph_plan import GraphPlan
from tannaka.codegen.lowering.lower import factored, task
from tannaka.codegen.lowering.matrix_plans import DensePlan, IsotypicPlan
from tannaka.codegen.lowering.orbit_plan import MAX_PAIRS, OrbitPlan
from tannaka.codegen.network import channel_count, sizes
from tannaka.codegen.notation import Reduce
from tannaka.codegen.passes import optimise
from tannaka.codegen.plan import Plan
from tannaka.codegen.task import Task
from tannaka.diagrams.errors import BackendError, SizeError

AnyPlan: TypeAlias = Plan | DensePlan | IsotypicPlan | OrbitPlan | GraphPlan
Basis: TypeAlias = Literal["auto", "diagram", "orbit"]
"""What the rows of a layer's weight belong to."""
Lowering: TypeAlias = Literal["auto", "factored", "dense", "isotypic"]
"""How a layer with a weight for each diagram is computed; the weights are the same in all."""
Terms: TypeAlias = tuple[float, float, float, float, float]
"""Of training, forward and backward: 1, kernels, bytes, flops, and flops over how many channels."""
Constants: TypeAlias = tuple[float, float, float, float, float]
"""The seconds that one of each of the terms takes."""
LOWERINGS: tuple[Lowering, ...] = ("factored", "dense", "isotypic")
TYPICAL = 64
"""How many inputs at once a layer is planned for, where that is not known."""
NOMINAL = 32
"""The n that a layer of a family is priced for."""
MOST = 24
"""Lowerings are compared for 1, 2, 4, ... inputs, up to two to this power."""
MAX_WRITTEN = 2**26
"""Most entries that are written for a dense product, as a matrix or on the way to it."""
MAX_TURNED = 300
"""Most entries of a tensor whose isotypic basis is looked for unasked: that takes 0.2 seconds."""
MAX_BLOCKS = 1000
"""Most basis diagrams that are put into blocks unasked."""
WIDE = 64
"""From so many channels on, matrix products are as fast as they get."""
SECONDS: dict[Lowering, Constants] = {
    "factored": (6.3e-05, 8e-06, 5.3e-11, 6.7e-12, 2.2e-10),
    "dense": (9.7e-05, 0.0, 5.2e-11, 8.9e-12, 1.7e-11),
    "isotypic": (2.8e-05, 6.2e-06, 1.5e-13, 8.3e-12, 2.3e-10),
}
"""Seconds to train on one core in float32: fixed, for each kernel, byte and flop, and for each flop
over the number of channels. Fitted by ``tannaka bench --lowerings`` to the times of forward and
backward pass of 384 layers of 13 groups, orders 1 to 4, 2 to 128 channels and 1 to 256 inputs; only
ratios matter. All dense layers take as many kernels, so that two of its constants are one."""
CLEARLY = 2
"""So many times cheaper must graphs be than orbits, by the model, to be chosen where both run."""


def plan_layer(
    hom: Hom,
    in_channels: int,
    out_channels: int,
    *,
    bias: bool = True,
    reduce: Reduce = "mean",
    backend: str = "auto",
    basis: Basis = "auto",
    lowering: Lowering = "auto",
) -> AnyPlan:
    """The plan of a whole layer.

    A layer with a weight for each diagram has three: ``lowering="factored"`` contracts, mixes and
    embeds; ``"dense"`` multiplies by the matrix written out; ``"isotypic"`` changes to bases in which
    the matrix is a few small blocks. ``"auto"`` takes the one that :func:`seconds` says is fastest.

    Permutation groups other than S(n) have two others: by orbits, whose weights are the entries of
    the matrix, and for automorphisms of graphs by bilabelled graphs, which needs nothing of size
    n^(k+l). ``basis="auto"`` takes orbits, unless they are too many pairs to list or graphs are
    clearly cheaper. Raises ValueError for a basis or lowering that the group does not have,
    BackendError for a backend that does not run these plans.

    >>> import networkx
    >>> print(plan_layer(Hom(Aut(networkx.petersen_graph()), 1, 1), 8, 8))
    Aut(Petersen Graph), order 1 -> 1, channels 8 -> 8, 3 orbits, reduce=mean
      one matrix product with the 10^1 x 10^1 weights written out
      flops per input: sums 4,640, dense 12,800
    """
    if basis not in get_args(Basis):
        raise ValueError(f"basis must be 'auto', 'diagram' or 'orbit', got {basis!r}")
    if lowering not in get_args(Lowering):
        raise ValueError(
            f"lowering must be 'auto', 'factored', 'dense' or 'isotypic', got {lowering!r}"
        )
    if not isinstance(hom.group, PermutationGroup):
        if basis == "orbit":
            raise ValueError(f"layers for {hom.group} have weights for diagrams, not for orbits")
        if backend not in ("auto", "einsum"):
            if lowering not in ("auto", "factored"):
                raise BackendError(
                    f"backend {backend!r} runs layers with lowering='factored', got {lowering!r}"
                )
            lowering = "factored"
        wanted = task(hom, in_channels, out_channels, bias=bias, reduce=reduce)
        return lowered(wanted, lowering)
    if lowering != "auto":
        raise ValueError(
            f"layers for {hom.group} choose between orbits and graphs, basis='orbit' or 'diagram'; "
            f"they have no lowering {lowering!r}"
        )
    in_channels = channel_count("in_channels", in_channels)
    out_channels = channel_count("out_channels", out_channels)
    if reduce not in get_args(Reduce):
        raise ValueError(f"reduce must be 'mean' or 'sum', got {reduce!r}")
    if backend not in ("auto", "einsum"):
        raise BackendError(
            f"layers for {hom.group} run in PyTorch, backend 'auto' or 'einsum', got {backend!r}"
        )
    arguments = (hom, in_channels, out_channels, reduce, bool(bias))
    graphs = isinstance(hom.group, Aut)
    if basis == "diagram":
        return GraphPlan(*arguments) if graphs else OrbitPlan(*arguments)
    if basis == "orbit" or not graphs or not _graphs_are_cheaper(*arguments):
        return OrbitPlan(*arguments)
    plan = GraphPlan(*arguments)
    try:
        plan.basis  # noqa: B018
    except SizeError as error:
        raise SizeError(
            f"{hom}: too many pairs of indices to list by their orbits, at most {MAX_PAIRS:,}, and "
            f"too many orbits for bilabelled graphs: {error}"
        ) from error
    return plan


def _graphs_are_cheaper(
    hom: Hom, in_channels: int, out_channels: int, reduce: Reduce, bias: bool
) -> bool:
    if hom.group.n ** (hom.k + hom.l) > MAX_PAIRS:
        return True
    orbits = OrbitPlan(hom, in_channels, out_channels, reduce, bias)
    cheapest = orbits.seconds(orbits.way())
    # Growing graphs takes a while, and pays only where orbits touch a lot.
    if hom.dimension > 500 or orbits.numbers.size < 2**16:
        return False
    try:
        graphs = GraphPlan(hom, in_channels, out_channels, reduce, bias)
        return graphs.seconds() * CLEARLY < cheapest
    except SizeError:
        return False


@dataclass(frozen=True)
class Option:
    """One way to compute a layer: what it costs, or why it is not there."""

    name: Lowering
    cost: Cost | None = None
    """The cost of one forward pass."""
    seconds: float | None = None
    """What the model says training takes, forward and backward; only ratios mean anything."""
    terms: Terms | None = None
    """What the model multiplies by its constants."""
    reason: str = ""


def lowered(task: Task, lowering: Lowering = "auto") -> Plan | DensePlan | IsotypicPlan:
    """The plan of a task in one lowering, or in the one that the model says is fastest.

    Raises ValueError for lowerings that need to know n, where the group leaves it open.
    """
    arguments: dict[str, Any] = {field.name: getattr(task, field.name) for field in fields(Task)}
    task = Task(**arguments)
    if lowering == "auto":
        lowering = schedule(task)(TYPICAL)
    if None in sizes(task.group.n) and lowering != "factored":
        raise ValueError(
            f"layers of {task.group} take every n, and only lowering='factored' does; got "
            f"{lowering!r}, which needs a group such as S(5)"
        )
    if lowering == "dense":
        return DensePlan(**arguments)
    if lowering == "isotypic":
        return IsotypicPlan(**arguments)
    return _factored(task)


@lru_cache(maxsize=8)
def _factored(task: Task) -> Plan:
    """The factored plan, which takes a while where there are thousands of diagrams."""
    return optimise(factored(task))


def options(task: Task, batch: int = TYPICAL) -> tuple[Option, ...]:
    """The ways to compute a task for so many inputs at once, fastest first, then those left out.

    >>> from tannaka.category import O
    >>> [option.name for option in options(task(Hom(O(3), 3, 3), 64, 64))]
    ['isotypic', 'factored', 'dense']
    """
    found: list[Option] = []
    for name in LOWERINGS:
        if reason := left_out(task, name):
            found.append(Option(name, reason=reason))
            continue
        cost, terms = _work(lowered(task, name), batch)
        found.append(Option(name, cost, predicted(terms, SECONDS[name]), terms))
    return tuple(sorted(found, key=lambda option: (option.seconds is None, option.seconds)))


def schedule(task: Task) -> Callable[[int], Lowering]:
    """Which lowering is fastest for how many inputs: a function of that number."""
    names = [name for name in LOWERINGS if not left_out(task, name)]
    if len(names) == 1:
        return lambda batch: names[0]
    plans = {name: lowered(task, name) for name in names}
    found: list[Lowering] = []
    for power in range(MOST):
        seconds = {
            name: predicted(_work(plan, 2**power)[1], SECONDS[name]) for name, plan in plans.items()
        }
        found.append(min(seconds, key=seconds.__getitem__))

    def fastest(batch: int) -> Lowering:
        return found[min(max(batch, 1).bit_length() - 1, MOST - 1)]

    return fastest


def left_out(task: Task, name: Lowering) -> str:
    """Why ``auto`` does not consider a lowering; empty where it does."""
    if name == "factored":
        return ""
    if None in sizes(task.group.n):
        return "n is read from the input"
    if not task.basis:
        return "there is no map but 0"
    rows, columns = (prod(task.group.shape(order)) for order in (task.cod, task.dom))
    entries = rows * columns
    if name == "dense":
        written = entries * max(task.in_channels * task.out_channels, len(task.basis))
        return "" if written <= MAX_WRITTEN else f"{written:,} entries to write"
    if max(rows, columns) > MAX_TURNED:
        return f"a change of basis of {max(rows, columns):,} entries to find"
    too_many = len(task.basis) > MAX_BLOCKS
    return f"{len(task.basis):,} rows to put into blocks" if too_many else ""


def predicted(terms: Terms, constants: Constants) -> float:
    """What the model says training takes, in seconds."""
    return sum(constant * term for constant, term in zip(constants, terms, strict=True))


def _work(plan: Plan | DensePlan | IsotypicPlan, batch: int) -> tuple[Cost, Terms]:
    """The cost of a forward pass, and the terms of the model for training."""
    n = tuple(NOMINAL if size is None else size for size in sizes(plan.group.n))
    cost = plan.cost(n, batch)
    if isinstance(plan, Plan):
        back = backward_cost(plan, n, batch)
    else:
        # The gradients of input and weights are two more products, and as many kernels each.
        back = Cost(2 * cost.flops, 2 * cost.bytes, 2 * cost.launches, cost.peak)
    flops = float(cost.flops + back.flops)
    channels = min(plan.in_channels, plan.out_channels, WIDE)
    kernels, moved = cost.launches + back.launches, cost.bytes + back.bytes
    return cost, (1.0, float(kernels), float(moved), flops, flops / channels)
