"""How fast a layer is, in ratios to what a user would write by hand, measured in one run."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.utils.benchmark import Timer

from tannaka.category.groups import Group
from tannaka.category.hom import Hom
from tannaka.codegen.backends.einsum import HELPERS, diagonal_pairs
from tannaka.codegen.build import HEADER, load_module
from tannaka.codegen.choose import Basis
from tannaka.codegen.modules import EquivariantLinear
from tannaka.codegen.notation import indices
from tannaka.codegen.orbit_plan import OrbitPlan
from tannaka.codegen.plan import Plan
from tannaka.diagrams.diagram import natural
from tannaka.diagrams.structure import propagating_number

Forward = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Timing:
    """The seconds of one call, forward alone and with the backward pass."""

    name: str
    forward: float
    both: float


def bench(
    group: Group,
    k: int,
    l: int,
    *,
    channels: int = 32,
    batch: int = 8,
    seconds: float = 0.5,
    basis: Basis = "auto",
) -> list[Timing]:
    """Time the layer, its rivals, and the floor below which no code can go; float32.

    The rivals have the same weight and are checked to give the same output: ``per diagram`` sums
    one ``torch.einsum`` a diagram, ``dense`` multiplies by the assembled (n^l C) x (n^k C) matrix
    (left out above 1 GiB), and for permutation groups ``tied dense`` writes the weight of each
    orbit to all its places and multiplies. The ``floor`` moves the input and the output once, at this machine's
    measured bandwidth, and does one channel mix per diagram on its through indices, at its measured
    matrix product rate, whichever takes longer.
    """
    channels = natural("channels", channels, least=1, what="a number of channels")
    batch = natural("batch", batch, least=1, what="a batch size")
    if not Hom(group, k, l).dimension:
        raise ValueError(f"{Hom(group, k, l)}: there is no layer to time")
    layer = EquivariantLinear(group, k, l, channels, channels, bias=False, basis=basis)
    n = group.n
    x = torch.randn(batch, *(n,) * k, channels, requires_grad=True)
    rivals: list[tuple[str, Forward]] = [("tannaka", layer)]
    written = n ** (k + l) * max(4 * channels**2, 8 * len(layer.plan.basis)) <= 2**30
    if isinstance(layer.plan, OrbitPlan):
        rivals += [("tied dense", _tied(layer))] if n ** (k + l) * channels**2 <= 2**28 else []
    elif isinstance(layer.plan, Plan):
        rivals += [("per diagram", _per_diagram(layer))]
        rivals += [("dense", _dense(layer))] if written else []
    wanted = layer(x)
    calls: dict[str, Callable[[], object]] = {}
    for name, forward in rivals:
        torch.testing.assert_close(forward(x), wanted, rtol=1e-3, atol=1e-3)
        calls[name] = partial(_alone, forward, x)
        calls[f"{name} both"] = partial(_both, forward, [x, *layer.parameters()], wanted)
    found = _best(calls, seconds)
    timings = [Timing(name, found[name], found[f"{name} both"]) for name, _ in rivals]
    if not isinstance(layer.plan, Plan):
        return timings
    return [*timings, _floor(layer, layer.plan, batch, channels, seconds)]


def report(timings: list[Timing]) -> Iterator[str]:
    """A table of the timings, as ratios to the first of them, line by line."""
    ours = timings[0]
    yield f"{'':12} {'forward':>12} {'ratio':>8}   {'with backward':>13} {'ratio':>8}"
    for t in timings:
        yield (
            f"{t.name:12} {t.forward * 1e3:9.3f} ms {t.forward / ours.forward:8.2f}   "
            f"{t.both * 1e3:10.3f} ms {t.both / ours.both:8.2f}"
        )


def machine() -> str:
    """What the figures were measured on."""
    return (
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, "
        f"{platform.machine()}, Python {platform.python_version()}"
    )


def _alone(forward: Forward, x: Tensor) -> None:
    with torch.no_grad():
        forward(x)


def _both(forward: Forward, inputs: list[Tensor], gradient: Tensor) -> None:
    torch.autograd.grad(forward(inputs[0]), inputs, gradient.detach())


def _best(calls: dict[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """The shortest time of each call. They take turns, so that a busy machine slows all alike."""
    timers = {
        name: Timer("call()", globals={"call": call}, num_threads=torch.get_num_threads())
        for name, call in calls.items()
    }
    rounds = 7
    # A first, uncounted round warms up and says how many calls fill a round.
    once = {name: timer.timeit(2).median for name, timer in timers.items()}
    counts = {name: max(1, int(seconds / rounds / time)) for name, time in once.items()}
    best = dict.fromkeys(timers, math.inf)
    for _ in range(rounds):
        for name, timer in timers.items():
            best[name] = min(best[name], float(timer.timeit(counts[name]).median))
    return best


def _per_diagram(layer: EquivariantLinear) -> Forward:
    """One einsum for each diagram, written into the diagonal that it reaches: code by hand."""
    diagonal = load_module(HEADER + HELPERS["diagonal"], "diagonal").diagonal
    n, k, l = layer.group.n, layer.in_order, layer.out_order
    assert isinstance(layer.plan, Plan)
    plan = layer.plan

    def forward(x: Tensor) -> Tensor:
        y = x.new_zeros(*x.shape[: x.ndim - k - 1], *(n,) * l, layer.out_channels)
        for row, (found, weight) in enumerate(zip(plan.networks, layer.weight, strict=True)):
            outputs, inputs = found.outputs, found.inputs
            through = [b for b in dict.fromkeys(outputs) if b in inputs]
            read, kept = indices(inputs), indices(tuple(through))
            z = torch.einsum(f"...{read}c,Zc->...{kept}Z", x, weight) / plan.divisor(row, n)
            view = y
            for a, b in diagonal_pairs(outputs):
                view = diagonal(view, a, b)
            blocks = dict.fromkeys(outputs)
            place = (..., *(slice(None) if b in through else None for b in blocks), slice(None))
            view += z[place]
        return y

    return forward


def _tied(layer: EquivariantLinear) -> Forward:
    """One product with the dense matrix, into which the weight of each orbit is written."""
    plan = layer.plan
    assert isinstance(plan, OrbitPlan)
    n, k, l = layer.group.n, layer.in_order, layer.out_order
    numbers = torch.from_numpy(plan.numbers.T.astype("int64"))
    scales = torch.from_numpy(plan.scales()).float()[:, None, None]

    def forward(x: Tensor) -> Tensor:
        # (inputs, outputs, out, in) to (inputs in, outputs out)
        matrix = (layer.weight * scales)[numbers].permute(0, 3, 1, 2)
        matrix = matrix.reshape(n**k * layer.in_channels, n**l * layer.out_channels)
        y = x.reshape(-1, matrix.shape[0]) @ matrix
        return y.reshape(*x.shape[: x.ndim - k - 1], *(n,) * l, layer.out_channels)

    return forward


def _dense(layer: EquivariantLinear) -> Forward:
    """One product with the dense matrix, assembled from the weight at each call."""
    assert isinstance(layer.plan, Plan)
    n, k, l = layer.group.n, layer.in_order, layer.out_order
    stack = torch.from_numpy(Hom(layer.group, k, l).matrices()).float()
    divisors = [layer.plan.divisor(row, n) for row in range(len(layer.plan.basis))]
    stack /= torch.tensor(divisors).reshape(-1, 1, 1)

    def forward(x: Tensor) -> Tensor:
        matrix = torch.einsum("dpq,doi->qipo", stack, layer.weight)
        matrix = matrix.reshape(n**k * layer.in_channels, n**l * layer.out_channels)
        y = x.reshape(-1, matrix.shape[0]) @ matrix
        return y.reshape(*x.shape[: x.ndim - k - 1], *(n,) * l, layer.out_channels)

    return forward


def _floor(
    layer: EquivariantLinear, plan: Plan, batch: int, channels: int, seconds: float
) -> Timing:
    n = layer.group.n
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    source = torch.randn(2**24)
    target = torch.empty_like(source)
    best = _best({"product": lambda: a @ b, "copy": lambda: target.copy_(source)}, seconds)
    flops_per_second, bytes_per_second = 2 * 1024**3 / best["product"], 2**27 / best["copy"]
    moved = 4 * batch * channels * (n**layer.in_order + n**layer.out_order)
    through = map(propagating_number, plan.basis)
    flops = sum(2 * batch * n**t * channels**2 for t in through)
    forward = max(moved / bytes_per_second, flops / flops_per_second)
    # Backward reads the gradient and the input and writes one gradient, and mixes channels twice.
    backward = max(1.5 * moved / bytes_per_second, 2 * flops / flops_per_second)
    return Timing("floor", forward, forward + backward)


def growth(timings: list[tuple[int, float]]) -> float:
    """The exponent a for which seconds grow as n^a, fitted through (n, seconds).

    >>> round(growth([(2, 4.0), (4, 16.0), (8, 64.0)]), 6)
    2.0
    """
    logs = [(math.log(n), math.log(seconds)) for n, seconds in timings]
    mean_n = sum(a for a, _ in logs) / len(logs)
    mean_s = sum(b for _, b in logs) / len(logs)
    covariance = sum((a - mean_n) * (b - mean_s) for a, b in logs)
    return covariance / sum((a - mean_n) ** 2 for a, _ in logs)
