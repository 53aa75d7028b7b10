"""The cost of a plan against what PyTorch does when it runs: operations counted, memory watched."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from depth import share
from hypothesis import given
from hypothesis import strategies as st
from layer_cases import any_homs, homs_of, kinds
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import tannaka as tn
from tannaka.codegen.backends.einsum import kernels
from tannaka.codegen.cost import Cost, backward_cost, forward_cost
from tannaka.codegen.lowering.choose import lowered, plan_layer
from tannaka.codegen.lowering.lower import lower, task
from tannaka.codegen.passes import optimise
from tannaka.codegen.plan import Plan
from tannaka.codegen.runtime.build import build
from tannaka.codegen.runtime.execute import kernel

I, O = 4, 3


class Meter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts operations on numbers, and the bytes of what is alive of what was made."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops = self.alive = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        given = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
        self.flops += self._operations(func.overloadpacket.__name__, given, found)
        theirs = {one.untyped_storage().data_ptr() for one in given} | self._known
        for one in tree_leaves(found):
            if isinstance(one, Tensor):
                storage = one.untyped_storage()
                if storage.nbytes() and storage.data_ptr() not in theirs:
                    self._known.add(storage.data_ptr())
                    self.alive += storage.nbytes()
                    weakref.finalize(storage, self._free, storage.data_ptr(), storage.nbytes())
        self.peak = max(self.peak, self.alive)
        return found

    def _free(self, place: int, size: int) -> None:
        self.alive -= size
        self._known.discard(place)

    def _operations(self, name: str, given: list[Tensor], found: Any) -> int:
        """A multiply-add is 2; divisions by n, copies and views are none."""
        match name:
            case "mm" | "bmm":
                return 2 * int(found.numel()) * given[0].shape[-1]
            case "addmm_":
                return int(found.numel()) * (2 * given[1].shape[-1] + 1)
            case "sum" | "mean":
                return given[0].numel()
            case "add" | "add_" | "sub" | "sub_" | "mul":
                return int(found.numel())
        return 0


def measured(call: Callable[..., object], *given: Any) -> Meter:
    """What a call did."""
    meter = Meter()
    with torch.no_grad(), meter:
        _ = call(*given)
    return meter


def numbers(plan: Any, batch: int) -> dict[str, Any]:
    """Arguments of the functions of a plan."""
    group, rows = plan.group, len(plan.basis)
    made = {
        "x": (batch, *group.shape(plan.dom), I),
        "weight": (rows, O, I),
        "g": (batch, *group.shape(plan.cod), O),
    }
    found: dict[str, Any] = {
        name: torch.randn(shape, dtype=torch.float64) for name, shape in made.items()
    }
    biases = len(plan.bias_basis or ())
    found["bias"] = torch.randn(biases, O, dtype=torch.float64) if biases else None
    return found


PASSES: dict[str, tuple[tuple[str, ...], Callable[[Plan, Any, int], Cost]]] = {
    "apply": (
        ("x", "weight", "bias"),
        lambda plan, n, batch: forward_cost(plan, n, batch, itemsize=8),
    ),
    "gradients": (
        ("x", "weight", "g"),
        lambda plan, n, batch: backward_cost(plan, n, batch, itemsize=8),
    ),
    "input_gradient": (
        ("weight", "g"),
        lambda plan, n, batch: backward_cost(plan, n, batch, 8, of_parameters=False),
    ),
    "weight_gradient": (
        ("x", "g"),
        lambda plan, n, batch: backward_cost(plan, n, batch, 8, of_input=False),
    ),
}


@pytest.mark.parametrize("name", kinds())
def test_flops_are_those_that_run_and_memory_is_no_more(name: str) -> None:
    """By how much twice as many inputs take more: weights are handled besides, once for all inputs."""
    for hom in homs_of(name):
        plan = optimise(lower(hom, I, O))
        if not plan.basis:
            continue
        written, n = build(kernels(plan)), plan.group.n
        for function, (names, cost) in PASSES.items():
            run, at = getattr(written, function), (40, 80)
            given = [numbers(plan, batch) for batch in at]
            done = [measured(run, *(one[name] for name in names), n) for one in given]
            said = [cost(plan, n, batch) for batch in at]
            about = f"{hom}, {function}"
            assert done[1].flops - done[0].flops == said[1].flops - said[0].flops, about
            assert done[1].peak - done[0].peak <= said[1].peak - said[0].peak, about


def test_the_memory_that_is_told_is_not_far_from_what_is_taken() -> None:
    for group, k, l in ((tn.S(8), 2, 2), (tn.S(6), 3, 2), (tn.O(6), 3, 3), (tn.Sp(6), 2, 2)):
        plan = optimise(lower(tn.Hom(group, k, l), I, O))
        run, n = build(kernels(plan)).apply, group.n
        peaks = []
        for batch in (40, 80):
            given = numbers(plan, batch)
            peaks.append(measured(run, given["x"], given["weight"], given["bias"], n).peak)
        told = plan.cost(n, 80, itemsize=8).peak - plan.cost(n, 40, itemsize=8).peak
        assert 0.9 * told <= peaks[1] - peaks[0] <= told


@pytest.mark.parametrize("lowering", ["dense", "isotypic"])
@pytest.mark.parametrize("name", ["S(4)", "A(3)", "O(3)", "SO(2)", "Sp(4)", "SO(2) x SO(3)"])
def test_flops_of_products_with_matrices_are_those_that_run(name: str, lowering: Any) -> None:
    for hom in homs_of(name):
        if not hom.dimension:
            continue
        plan: Any = plan_layer(hom, I, O, bias=False, lowering=lowering)
        run, n = kernel(plan), hom.group.n
        given = [numbers(plan, batch) for batch in (40, 80)]
        done = [measured(run, one["x"], one["weight"], n).flops for one in given]
        said = [plan.cost(n, batch).flops for batch in (40, 80)]
        assert done == said, hom


@share(1 / 5)
@given(any_homs(types=2, most=2), st.integers(1, 3), st.integers(0, 9), st.sampled_from([2, 4, 8]))
def test_the_symbolic_cost_at_numbers_is_the_numeric_cost(
    hom: tn.Hom, half: int, batch: int, itemsize: int
) -> None:
    plan = optimise(lower(hom, 2, 3))
    n: Any = (2 * half,) * plan.types
    wanted = plan.cost(n, batch, itemsize=itemsize)
    if plan.types == 1:
        assert plan.cost(n[0], batch, itemsize=itemsize) == wanted
    for open_n, open_batch in ((None, batch), (n, None), (None, None)):
        found = plan.cost(open_n, open_batch, itemsize=itemsize)
        assert found.launches == wanted.launches
        for one, other in zip(
            (found.flops, found.bytes, found.peak),
            (wanted.flops, wanted.bytes, wanted.peak),
            strict=True,
        ):
            assert put(one, n, batch) == other, hom


def put(expression: Any, n: tuple[int, ...], batch: int) -> Any:
    """Numbers for the symbols of a cost."""
    if isinstance(expression, int):
        return expression
    names = {"batch": batch, "n": n[0], **{f"n{kind}": size for kind, size in enumerate(n)}}
    return expression.subs({symbol: names[symbol.name] for symbol in expression.free_symbols})


def test_costs_of_all_plans_are_symbolic_too() -> None:
    given = task(tn.Hom(tn.S(3), 2, 1), 2, 3)
    for lowering in ("factored", "dense", "isotypic"):
        plan: Any = lowered(given, lowering)
        wanted = plan.cost(3, 5)
        found = plan.cost(3)
        for name in ("flops", "bytes", "peak"):
            assert put(getattr(found, name), (3,), 5) == getattr(wanted, name), (lowering, name)
    cost = optimise(lower(tn.Hom(tn.S(3) * tn.O(3), (0, 1), (1,)), 2, 3)).cost(batch=1)
    assert str(cost.flops) == "2*n0*n1 + 12*n1", "the mean over points, and one product"


def test_costs_add_up_and_give_memory_back_in_between() -> None:
    total = Cost(1, 2, 3, 40) + Cost(10, 20, 30, 4)
    assert total == Cost(11, 22, 33, 40)
    plan = optimise(lower(tn.Hom(tn.S(4), 2, 2), 2, 3))
    both = backward_cost(plan, 4, 2)
    parts = [
        backward_cost(plan, 4, 2, of_input=True, of_parameters=False),
        backward_cost(plan, 4, 2, of_input=False, of_parameters=True),
    ]
    assert both.flops < sum(part.flops for part in parts), "what both need is done once"
    assert both.peak >= max(part.peak for part in parts)
