"""Which plan a layer gets: by diagrams that factor, by orbits, or by bilabelled graphs."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Literal, TypeAlias, get_args

from tannaka.category.automorphisms import Aut
from tannaka.category.hom import Hom
from tannaka.category.permutations import PermutationGroup
from tannaka.codegen.graph_plan import GraphPlan
from tannaka.codegen.lower import factored, task
from tannaka.codegen.matrix_plans import DensePlan, IsotypicPlan
from tannaka.codegen.network import sizes
from tannaka.codegen.notation import Reduce
from tannaka.codegen.orbit_plan import MAX_PAIRS, OrbitPlan
from tannaka.codegen.passes import optimise
from tannaka.codegen.plan import Plan
from tannaka.codegen.task import Task
from tannaka.diagrams.diagram import natural
from tannaka.diagrams.errors import BackendError, SizeError

AnyPlan: TypeAlias = Plan | DensePlan | IsotypicPlan | OrbitPlan | GraphPlan
Basis: TypeAlias = Literal["auto", "diagram", "orbit"]
"""What the rows of a layer's weight belong to."""
Lowering: TypeAlias = Literal["auto", "factored", "dense", "isotypic"]
"""How a layer with a weight for each diagram is computed; the weights are the same in all."""
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
    in_channels = natural("in_channels", in_channels, least=1, what="a number of channels")
    out_channels = natural("out_channels", out_channels, least=1, what="a number of channels")
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


def lowered(task: Task, lowering: Lowering = "auto") -> Plan | DensePlan | IsotypicPlan:
    """The plan of a task in one lowering, or in the one that the model says is fastest."""
    if None in sizes(task.group.n) and lowering in ("dense", "isotypic"):
        raise ValueError(
            f"layers of {task.group} take every n, and only lowering='factored' does; got "
            f"{lowering!r}, which needs a group such as S(5)"
        )
    arguments: dict[str, Any] = {field.name: getattr(task, field.name) for field in fields(Task)}
    if lowering == "dense":
        return DensePlan(**arguments)
    if lowering == "isotypic":
        return IsotypicPlan(**arguments)
    return optimise(factored(task))
