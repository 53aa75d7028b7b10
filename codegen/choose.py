"""Which plan a layer gets: by diagrams that factor, by orbits, or by bilabelled graphs."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from tannaka.category.automorphisms import Aut
from tannaka.category.hom import Hom
from tannaka.category.permutations import PermutationGroup
from tannaka.codegen.graph_plan import GraphPlan
from tannaka.codegen.lower import lower
from tannaka.codegen.notation import Reduce
from tannaka.codegen.orbit_plan import MAX_PAIRS, OrbitPlan
from tannaka.codegen.passes import optimise
from tannaka.codegen.plan import Plan
from tannaka.diagrams.diagram import natural
from tannaka.diagrams.errors import BackendError, SizeError

AnyPlan: TypeAlias = Plan | OrbitPlan | GraphPlan
Basis: TypeAlias = Literal["auto", "diagram", "orbit"]
"""What the rows of a layer's weight belong to."""
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
) -> AnyPlan:
    """The plan of a whole layer.

    Permutation groups other than S(n) have two: by orbits, whose weights are the entries of the
    matrix, and for automorphisms of graphs by bilabelled graphs, which needs nothing of size
    n^(k+l). ``basis="auto"`` takes orbits, unless they are too many pairs to list or graphs are
    clearly cheaper. Raises ValueError for a basis that the group does not have, BackendError for a
    backend that does not run these plans.

    >>> import networkx
    >>> print(plan_layer(Hom(Aut(networkx.petersen_graph()), 1, 1), 8, 8))
    Aut(Petersen Graph), order 1 -> 1, channels 8 -> 8, 3 orbits, reduce=mean
      one matrix product with the 10^1 x 10^1 weights written out
      flops per input: sums 4,640, dense 12,800
    """
    if basis not in get_args(Basis):
        raise ValueError(f"basis must be 'auto', 'diagram' or 'orbit', got {basis!r}")
    if not isinstance(hom.group, PermutationGroup):
        if basis == "orbit":
            raise ValueError(f"layers for {hom.group} have weights for diagrams, not for orbits")
        return optimise(lower(hom, in_channels, out_channels, bias=bias, reduce=reduce))
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
