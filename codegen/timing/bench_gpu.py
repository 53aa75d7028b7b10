"""Layers on the GPU: measured where there is one, and counted, kernel by kernel, anywhere.

What is measured are ratios to other ways in the same run, and to what a copy and a product of matrices
of that GPU allow. What is counted are the bytes and products of each launch, from which follows the
least time on a GPU of known speed: no kernel is faster than its traffic, and none of ours moves
anything that is not in the table.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor

from tannaka.category.groups import Group
from tannaka.category.hom import Hom
from tannaka.category.orthogonal import O
from tannaka.category.symmetric import S
from tannaka.codegen.lowering.lower import lower
from tannaka.codegen.modules.linear import EquivariantLinear
from tannaka.codegen.passes import optimise
from tannaka.codegen.timing.floor import FLOAT, least_work
from tannaka.codegen.timing.launches import Account, Launch, account
from tannaka.codegen.timing.reports import markdown_table
from tannaka.codegen.timing.rivals import ENTRANTS, LeftOutError, Rival
from tannaka.codegen.timing.standings import duration, ratio
from tannaka.diagrams.errors import BackendError

ENTRIES = 2**25
"""About how many numbers the input of a timed layer has."""
OURS = "tannaka, triton"


@dataclass(frozen=True)
class Precision:
    """What numbers are stored in, and how exactly they are multiplied."""

    name: str
    dtype: torch.dtype
    matmul: str
    """As ``torch.set_float32_matmul_precision`` has it."""
    tolerance: float
    """How far results may be apart, relative to the largest."""


PRECISIONS = (
    Precision("float32", torch.float32, "highest", 1e-3),
    Precision("tf32", torch.float32, "high", 2e-2),
    Precision("bfloat16", torch.bfloat16, "high", 5e-2),
)


@dataclass(frozen=True)
class GPU:
    """How fast a GPU is, by its data sheet."""

    name: str
    bandwidth: float
    """Bytes per second."""
    rates: dict[str, float]
    """Floating-point operations per second in products of matrices, by precision."""


# NVIDIA's data sheet: 3.35 TB/s; 495 and 990 Tflop/s without sparsity. A float32 product is three of
# tf32.
H100 = GPU("H100 SXM", 3.35e12, {"float32": 165e12, "tf32": 495e12, "bfloat16": 990e12})


@dataclass(frozen=True)
class Case:
    """A layer with as many inputs as make ``ENTRIES`` numbers."""

    group: Group
    k: int
    l: int
    channels: int

    @property
    def batch(self) -> int:
        """How many inputs there are."""
        positions: int = math.prod(self.group.shape(max(self.k, self.l)))
        return max(1, ENTRIES // (positions * self.channels))

    def __str__(self) -> str:
        return f"{self.group}, {self.k} -> {self.l}, {self.channels} channels, batch {self.batch}"


def grid() -> list[Case]:
    """The layers that are timed, and counted."""
    return [
        *(Case(S(n), 2, 2, channels) for n in (64, 128, 256) for channels in (32, 64, 128)),
        *(Case(S(n), 3, 3, 32) for n in (32, 64)),
        *(Case(O(3), k, k, 64) for k in (3, 4)),
    ]


# Counted.


@dataclass(frozen=True)
class Counted:
    """What a layer and its backward launch, and their least time on a GPU."""

    case: Case
    precision: Precision
    gpu: GPU
    forward: Account
    backward: Account
    needed: int
    """Bytes of input, weight and output."""
    needed_back: int
    """Bytes of these, and of their gradients."""

    def least(self, launch: Launch) -> float:
        """Seconds that a launch takes at least."""
        rate = self.gpu.rates[self.precision.name]
        return max(launch.bytes / self.gpu.bandwidth, launch.flops / rate)

    def total(self, *accounts: Account) -> float:
        """Seconds that all launches take at least."""
        return sum(self.least(launch) for one in accounts for launch in one.launches)

    @property
    def floor(self) -> float:
        """Seconds to read the input and write the output once."""
        return self.needed / self.gpu.bandwidth

    @property
    def floor_both(self) -> float:
        """The same with the backward pass: its input, and the gradients of output and input too."""
        return (self.needed + self.needed_back) / self.gpu.bandwidth


def count(case: Case, precision: Precision, gpu: GPU = H100) -> Counted:
    """Count what a layer does; nothing runs.

    >>> found = count(Case(S(16), 2, 2, 16), PRECISIONS[0])
    >>> found.forward.returned == found.needed // 2 - 15 * 16 * 16 * 2
    True
    """
    hom = Hom(case.group, case.k, case.l)
    plan = optimise(lower(hom, case.channels, case.channels))

    def tensor(*shape: int) -> Tensor:
        return torch.empty(*shape, dtype=precision.dtype, device="meta")

    n, channels = case.group.n, case.channels
    x = tensor(case.batch, *case.group.shape(case.k), channels)
    g = tensor(case.batch, *case.group.shape(case.l), channels)
    weight = tensor(len(plan.basis), channels, channels)
    bias = None if plan.bias_basis is None else tensor(len(plan.bias_basis), channels)
    size = precision.dtype.itemsize
    needed = size * (x.numel() + g.numel() + weight.numel())
    return Counted(
        case,
        precision,
        gpu,
        account(plan, "forward", x, weight, bias, n),
        account(plan, "gradients", x, weight, g, n),
        needed,
        needed + size * (x.numel() + weight.numel()),
    )


def counted_page(found: Sequence[Counted]) -> Iterator[str]:
    """What was counted, as a page."""
    gpu = found[0].gpu
    yield f"""# What Triton kernels move and compute

Written by `tannaka bench --gpu`, **counted, not measured**: no GPU was at hand. tannaka
{version("tannaka")}, torch {torch.__version__.partition("+")[0]}.

Every launch of a layer and of its backward pass is noted on the meta device, with the bytes of its
arguments, each tensor once, and its multiplications and additions. The least time of a launch is that
of its bytes at {gpu.bandwidth / 1e12:.2f} TB/s or of its operations at the rate of the precision, whichever is
longer ({gpu.name}, by its data sheet); a launch takes a few microseconds more.
The **floor** reads the input and writes the output once. What does not fit the cache is read twice, for
every output depends on sums of all of the input: three passes, 1.5 times the floor where input and
output are of one size. Temporary memory is what is held at most beside arguments and results, and the
largest single tensor, in outputs.
"""
    yield "## All layers\n"
    head = (
        *("layer", "precision", "forward", "x floor", "launches"),
        *("with backward", "x floor", "launches", "temporary memory", "largest"),
    )
    rows = []
    for one in found:
        forward, both = one.total(one.forward), one.total(one.forward, one.backward)
        returned = one.forward.returned
        rows.append(
            (
                str(one.case),
                one.precision.name,
                duration(forward),
                ratio(forward / one.floor),
                str(len(one.forward.launches)),
                duration(both),
                ratio(both / one.floor_both),
                str(len(one.backward.launches)),
                ratio((one.forward.peak - returned) / returned),
                ratio(one.forward.largest / returned),
            )
        )
    yield from markdown_table(head, rows)
    for one in found:
        if one.precision is PRECISIONS[0] and one.case.channels in (32, 64):
            yield f"\n## {one.case}, {one.precision.name}\n"
            yield from markdown_table(
                ("", "launches", "MB read", "MB written", "Gflop", "least", "bound by"),
                _kernels(one),
            )


def _kernels(one: Counted) -> Iterator[tuple[str, ...]]:
    """Each kernel, and PyTorch's operations together."""
    for title, found in (("forward", one.forward), ("backward", one.backward)):
        small = [launch for launch in found.launches if launch.kernel is None]
        rows = [(launch.name, [launch]) for launch in found.launches if launch.kernel]
        for name, launches in [*rows, ("PyTorch's", small)]:
            moved = sum(launch.bytes for launch in launches) / one.gpu.bandwidth
            least = sum(map(one.least, launches))
            yield (
                f"{title}, {name}",
                str(len(launches)),
                f"{sum(launch.reads for launch in launches) / 1e6:,.1f}",
                f"{sum(launch.writes for launch in launches) / 1e6:,.1f}",
                f"{sum(launch.flops for launch in launches) / 1e9:,.1f}",
                duration(least),
                "bytes" if moved >= 0.999 * least else "products",
            )
    yield "floor", "", "", "", "", duration(one.floor_both), ""


# Measured.


@dataclass(frozen=True)
class Measured:
    """The times of a layer, each way; None where it was left out, with the reason."""

    case: Case
    precision: Precision
    times: dict[str, tuple[float, float] | str]
    """Seconds, forward and with the backward pass, or why there are none."""
    floor: float
    floor_both: float
    three: float
    """Seconds to read the input twice and write the output."""


def measure(
    case: Case,
    precision: Precision,
    time: Callable[[Callable[[], object]], float],
    *,
    device: str = "cuda",
    compiled: bool = True,
    progress: Callable[[str], None] = lambda line: None,
) -> Measured:
    """Time a layer, its rivals, a copy and a product of matrices; ``time`` gives seconds.

    Raises AssertionError where two ways do not agree.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision.matmul)
    try:
        return _measured(case, precision, time, device, compiled, progress)
    finally:
        torch.set_float32_matmul_precision(before)


def _measured(
    case: Case,
    precision: Precision,
    time: Callable[[Callable[[], object]], float],
    device: str,
    compiled: bool,
    progress: Callable[[str], None],
) -> Measured:
    torch.manual_seed(0)
    options: dict[str, Any] = {"bias": False, "device": device, "dtype": precision.dtype}
    shape = (case.group, case.k, case.l, case.channels, case.channels)
    layer = EquivariantLinear(*shape, backend="triton", **options)
    plain = EquivariantLinear(*shape, backend="einsum", lowering="factored", **options)
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(
        case.batch, *case.group.shape(case.k), case.channels, device=device, dtype=precision.dtype
    )
    ways: dict[str, Callable[[], Any]] = {OURS: lambda: layer}
    ways["tannaka, einsum"] = lambda: plain
    if compiled:
        ways["tannaka, triton, compiled"] = partial(_compiled, lambda: layer)
        ways["tannaka, einsum, compiled"] = partial(_compiled, lambda: plain)
    for entrant in ENTRANTS:
        if entrant.suits(layer):
            ways[entrant.name] = partial(entrant.make, plain)
            if compiled and entrant.compiles:
                ways[f"{entrant.name}, compiled"] = partial(_compiled, partial(entrant.make, plain))
    wanted = layer(x).detach()
    times: dict[str, tuple[float, float] | str] = {}
    for name, make in ways.items():
        progress(f"{case}, {precision.name}: {name}")
        try:
            times[name] = _timed(make(), x, wanted, precision, time)
        except (BackendError, LeftOutError, torch.cuda.OutOfMemoryError) as error:
            times[name] = str(error).splitlines()[0]
    return Measured(case, precision, times, *_floors(case, precision, x, wanted, time))


def _compiled(make: Callable[[], Any]) -> Any:
    return torch.compile(make(), fullgraph=True)


def _timed(
    module: Any,
    x: Tensor,
    wanted: Tensor,
    precision: Precision,
    time: Callable[[Callable[[], object]], float],
) -> tuple[float, float]:
    """Seconds of a way, which has to agree with ours."""
    rival = getattr(module, "_orig_mod", module)
    rival = rival if isinstance(rival, Rival) else None
    given = (rival.enter(x) if rival else x).detach().clone().requires_grad_()
    with torch.no_grad():
        y = module(given)
        found = rival.leave(y) if rival else y
    error = float((found - wanted).abs().max() / wanted.abs().max())
    assert error <= precision.tolerance, f"{type(module).__name__}: relative error {error:.1e}"
    g, leaves = torch.randn_like(y), [given, *module.parameters()]

    def forward() -> None:
        with torch.no_grad():
            module(given)

    def both() -> None:
        torch.autograd.grad(module(given), leaves, g)

    return time(forward), time(both)


def _floors(
    case: Case,
    precision: Precision,
    x: Tensor,
    y: Tensor,
    time: Callable[[Callable[[], object]], float],
) -> tuple[float, float, float]:
    """The least time, forward and with the backward pass, and that of three passes."""
    work = least_work(Hom(case.group, case.k, case.l), case.channels, case.batch)
    target = torch.empty_like(x)
    bandwidth = 2 * x.numel() * x.element_size() / time(lambda: target.copy_(x))
    side = 8192 if x.is_cuda else 64
    a, b = torch.randn(2, side, side, device=x.device, dtype=x.dtype)
    rate = 2 * side**3 / time(lambda: a @ b)
    scale = precision.dtype.itemsize / FLOAT
    forward = max(scale * work.forward_bytes / bandwidth, (work.fewest or 0) / rate)
    backward = max(scale * work.backward_bytes / bandwidth, 2 * (work.fewest or 0) / rate)
    three = (2 * x.numel() + y.numel()) * x.element_size() / bandwidth
    return forward, forward + backward, max(three, (work.fewest or 0) / rate)


def measured_page(device: str, found: Sequence[Measured]) -> Iterator[str]:
    """What was measured, as a page."""
    yield f"""# How fast layers are on a GPU

Written by `tannaka bench --gpu`. {date.today().isoformat()}, **{device}**, tannaka
{version("tannaka")}, torch {torch.__version__}.

Medians of Triton's ``do_bench``, which empties the cache between calls. All ways have the same weight
and agree with one another. The **floor** is the time to move input, weight and output once as fast as
a copy, or to multiply as fast as a large product of matrices, with the fewest products known; with the
backward pass, the same for the gradients too. **Three passes** read the input twice.
"""
    for one in found:
        yield f"\n## {one.case}, {one.precision.name}\n"
        ours = one.times[OURS]
        assert isinstance(ours, tuple)
        head = ("", "forward", "x floor", "x ours", "with backward", "x floor", "x ours")
        yield from markdown_table(head, _rows(one, ours))
        yield f"\nThree passes: {duration(one.three)}, which is {one.three / ours[0]:.0%} of ours.\n"


def _rows(one: Measured, ours: tuple[float, float]) -> Iterator[tuple[str, ...]]:
    for name, times in one.times.items():
        if isinstance(times, str):
            yield name, f"left out: {times}", "", "", "", "", ""
            continue
        forward, both = times
        yield (
            name,
            duration(forward),
            ratio(forward / one.floor),
            ratio(forward / ours[0]),
            duration(both),
            ratio(both / one.floor_both),
            ratio(both / ours[1]),
        )
    yield "floor", duration(one.floor), "1", "", duration(one.floor_both), "1", ""


def on_gpu(call: Callable[[], object]) -> float:
    """Seconds that a call takes on the GPU."""
    from triton.testing import do_bench

    milliseconds = do_bench(call, return_mode="median")
    assert isinstance(milliseconds, float)
    return milliseconds / 1e3


def as_json(found: Sequence[Counted | Measured]) -> str:
    """The figures, in seconds, bytes and operations."""
    return json.dumps([_figures(one) for one in found], indent=1)


def _figures(one: Counted | Measured) -> dict[str, Any]:
    known: dict[str, Any] = {"layer": str(one.case), "precision": one.precision.name}
    known |= {"floor": one.floor, "floor with backward": one.floor_both}
    if isinstance(one, Measured):
        return known | {"three passes": one.three, "seconds": one.times}
    for title, found in (("forward", one.forward), ("backward", one.backward)):
        known[title] = [
            {
                "kernel" if launch.kernel else "operation": launch.name,
                "reads": launch.reads,
                "writes": launch.writes,
                "operations": launch.flops,
                "least": one.least(launch),
            }
            for launch in found.launches
        ]
    return known
