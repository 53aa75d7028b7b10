"""How fast a layer is, in ratios to other ways to compute it and to a floor, measured in one run.

All ways to apply a layer have the same weight, and are first compared with it in double precision
on a small layer of the same kind: a wrong answer is not timed. Then they take turns, round by
round, together with a copy and a matrix product from which the floor is computed, so that a busy
machine slows all alike; what is reported are medians over the rounds.

On the CPU the time of large tensors is mostly that of their memory: the C library gives memory of
more than 32 MiB back to the system at once, and each page that is touched for the first time costs
more than filling it. :func:`keep_memory` asks the C library to keep it, for all ways alike.
"""

from __future__ import annotations

import ctypes
import math
import os
import platform
import random
import statistics
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from timeit import Timer
from typing import Any, Literal

import torch
from torch import Tensor, nn

from tannaka.category.groups import Group
from tannaka.category.hom import Hom
from tannaka.category.orthogonal import SO, O
from tannaka.category.symmetric import S
from tannaka.codegen.lowering.choose import lowered
from tannaka.codegen.modules.linear import EquivariantLinear
from tannaka.codegen.network import channel_count
from tannaka.codegen.task import Task
from tannaka.codegen.timing.floor import FLOAT, Work, least_work
from tannaka.codegen.timing.rivals import ENTRANTS, LeftOutError, Rival
from tannaka.codegen.timing.standings import (
    COMPILED,
    EAGER,
    ISOTYPIC,
    KERNEL,
    LITERAL,
    OURS,
    Case,
    Floor,
    Result,
    Row,
    compiled,
)
from tannaka.diagrams.diagram import natural
from tannaka.diagrams.errors import BackendError, SizeError

Extent = Literal["quick", "standard", "full"]
Progress = Callable[[str], None]
GIB = 2**30
MEMORY: dict[Extent, int] = {"quick": GIB // 4, "standard": GIB, "full": 8 * GIB}
"""Bytes that a rival may take."""
ROUNDS = 7
BACKWARD = 2
"""So many times what the forward pass holds is held with the backward pass."""


@dataclass(frozen=True)
class Way:
    """One of our ways to apply a layer: options of its constructor, and whether it is compiled."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    compiled: bool = False


WAYS = (
    Way(OURS),
    Way(EAGER, {"backend": "einsum", "lowering": "factored"}),
    Way(COMPILED, {"backend": "einsum", "lowering": "factored"}, compiled=True),
    Way(KERNEL, {"backend": "cpp", "lowering": "factored"}),
    Way(ISOTYPIC, {"lowering": "isotypic"}),
    Way(LITERAL, {"lowering": "dense"}),
)
"""The first is what users get, and what the others are compared with."""


class DisagreementError(AssertionError):
    """Two ways to apply the same layer give different answers."""


def grid(extent: Extent = "standard") -> list[Case]:
    """The layers that are timed.

    Quick ones take half a minute, the standard ones five; the full set, with larger tensors and more
    compiled rivals, up to an hour. Dense weights fit for small n and few channels alone.

    >>> print(grid("quick")[0])
    S(32), 2 -> 2, 16 channels, batch 8
    """
    if extent == "quick":
        return [
            Case(S(32), 2, 2, 16),
            Case(S(64), 2, 2, 32),
            Case(S(256), 1, 1, 16, 32),
            Case(S(8), 3, 3, 8, 2),
            Case(O(3), 3, 3, 64, 256),
        ]
    mixed = [Case(S(64), 2, 1, 32), Case(S(64), 1, 2, 32)]
    planned = [Case(S(8), 4, 4, 4, 1, rivals=False)]
    tensors: list[tuple[Group, int, int]] = [(O(3), k, k) for k in (2, 3, 4)]
    tensors.append((SO(3), 2, 3))
    if extent == "standard":
        return [
            *(Case(S(n), 2, 2, 4, series="C = 4, small") for n in (8, 16, 32)),
            *(Case(S(n), 2, 2, 16, series="C = 16") for n in (32, 64, 128, 256)),
            Case(S(64), 2, 2, 32, compiled=True),
            Case(S(128), 2, 2, 64, 4),
            *mixed,
            *(Case(S(256), 1, 1, channels, 32) for channels in (16, 64)),
            *(Case(S(n), 3, 3, 8, 2, series="C = 8") for n in (8, 12, 16, 24)),
            *planned,
            *(Case(group, k, l, 64, 256) for group, k, l in tensors),
        ]
    slow = {(32, 16), (64, 32), (128, 64), (128, 128), (256, 128)}
    return [
        *(Case(S(n), 2, 2, 4, series="C = 4, small") for n in (8, 16, 32)),
        *(
            # Inputs have 2^23 entries at most; with 16 channels the batch is the same for all n.
            Case(
                S(n),
                2,
                2,
                channels,
                batch=min(8, 2**23 // (n * n * channels)),
                compiled=(n, channels) in slow,
                series="C = 16" if channels == 16 else "",
            )
            for channels in (16, 32, 64, 128)
            for n in (32, 64, 128, 256)
        ),
        *mixed,
        *(
            Case(S(n), 1, 1, channels, 32, compiled=n == 256, series=f"C = {channels}")
            for channels in (16, 64)
            for n in (64, 256, 1024, 4096)
        ),
        *(Case(S(n), 3, 3, 8, 2, series="C = 8") for n in (6, 8, 12, 16, 24)),
        *(Case(S(n), 3, 3, 16, 1) for n in (16, 24)),
        *planned,
        *(
            Case(group, k, l, channels, 256)
            for group, k, l in [*tensors, (SO(3), 3, 3)]
            for channels in (8, 16, 64, 128)
        ),
    ]


def bench(
    case: Case,
    *,
    seconds: float = 0.5,
    memory: int = GIB,
    progress: Progress = lambda line: None,
) -> Result:
    """Time one layer, its rivals and its floor, each call for about so many seconds; float32.

    Rivals that would take more than ``memory`` bytes are left out, as are ways and rivals that do
    not run here; their rows say why. ``progress`` is told what comes next. Raises ValueError for a
    layer without weights, DisagreementError where two ways do not agree.
    """
    channel_count("channels", case.channels)
    natural("batch", case.batch, least=1, what="a batch size")
    hom = Hom(case.group, case.k, case.l)
    if not hom.dimension:
        raise ValueError(f"{hom}: there is no layer to time")
    if case.compiled:
        torch._dynamo.reset()  # else the compiler gives up after eight layers
    torch.manual_seed(0)
    n, channels = case.group.n, case.channels
    inputs, outputs = (case.group.shape(order) for order in (hom.k, hom.l))
    start = perf_counter()
    try:
        layer = EquivariantLinear(case.group, case.k, case.l, channels, channels, bias=False)
    except BackendError as error:
        missing = Row(OURS, left_out=str(error))
        return Result(case, hom.dimension, 0, None, [missing])
    planned = perf_counter() - start
    output = FLOAT * case.batch * math.prod(outputs) * channels
    if case.rivals:
        progress(f"{case}: comparing")
        small = type(case.group)(min(n, 4)) if isinstance(case.group, (S, O, SO)) else case.group
        check(small, case.k, case.l)
    x = torch.randn(case.batch, *inputs, channels)
    with torch.no_grad():
        wanted = layer(x)
    rows: list[Row] = []
    runners: dict[str, Runner] = {}
    for entry in _entries(case, layer):
        progress(f"{case}: {entry.name}{', compiling' if entry.compiled else ''}")
        if BACKWARD * entry.needs > memory:
            reason = (
                f"its tensors take {BACKWARD * entry.needs / GIB:,.1f} GiB with the backward pass"
            )
            rows.append(Row(entry.name, left_out=reason))
            continue
        try:
            with warnings.catch_warnings():
                if entry.compiled:
                    # The compiler uses what PyTorch deprecates.
                    for category in (FutureWarning, DeprecationWarning):
                        warnings.simplefilter("ignore", category)
                runner = Runner.warm(entry, x, wanted)
        except (BackendError, SizeError, LeftOutError) as error:
            rows.append(Row(entry.name, left_out=str(error)))
            continue
        except RuntimeError as error:
            if not entry.compiled:
                raise
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            reason = " ".join(["torch.compile:", *lines[:2]])
            rows.append(Row(entry.name, left_out=reason))
            continue
        rows.append(Row(entry.name, memory=_peak(runner.forward), memory_both=_peak(runner.both)))
        runners[entry.name] = runner
    progress(f"{case}: {len(runners)} take turns")
    times, floor = _raced(runners, least_work(hom, channels, case.batch), seconds)
    for number, row in enumerate(rows):
        if row.name in times:
            forward, both = times[row.name]
            # The first calls compile what is compiled, and are longer by that.
            ready = max(0.0, runners[row.name].first - forward - both)
            ready += planned if row.name == OURS else 0
            rows[number] = replace(row, forward=forward, both=both, ready=ready)
    return Result(case, hom.dimension, output, floor, rows)


@cache
def check(group: Group, k: int, l: int) -> None:
    """Compare outputs and input gradients of all ways that run, in float64, with few channels.

    Raises DisagreementError.
    """
    layer = EquivariantLinear(group, k, l, 2, 3, bias=False, dtype=torch.float64)
    x = torch.randn(2, *group.shape(k), 2, dtype=torch.float64, requires_grad=True)
    found: dict[str, list[Tensor]] = {}
    for entry in _entries(Case(group, k, l), layer):
        try:
            module = entry.make()
        except (BackendError, SizeError, LeftOutError):
            continue  # the reason is given where it would be timed
        y = module.leave(module(module.enter(x))) if isinstance(module, Rival) else module(x)
        gradient = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).reshape(y.shape)
        found[entry.name] = [y, *torch.autograd.grad(y, x, gradient)]
        for ours, theirs in zip(found[OURS], found[entry.name], strict=True):
            _compare(entry.name, ours, theirs, layer.hom, tolerance=1e-9)


def machine(allocator: str) -> list[str]:
    """What the figures were measured on, line by line; ``allocator`` is from :func:`keep_memory`."""
    caches = [
        f"{name} {path.read_text().strip()}"
        for level, name in ((2, "L2"), (3, "L3"))
        if (path := Path(f"/sys/devices/system/cpu/cpu0/cache/index{level}/size")).exists()
    ]
    kept, fresh = torch.ones(2**24), torch.ones(2**24)
    rates = medians({"kept": lambda: kept.copy_(fresh), "new": fresh.clone}, 0.1)
    speeds = " and ".join(f"{name} {2**27 / time / 1e9:.1f}" for name, time in rates.items())
    versions = [f"tannaka {version('tannaka')}", f"torch {torch.__version__}"]
    python = f"Python {platform.python_version()}"
    return [
        ", ".join([date.today().isoformat(), *versions, python]),
        ", ".join([f"{_processor()}, {os.cpu_count()} processors", *caches]),
        f"threads: {torch.get_num_threads()}, {torch.backends.cpu.get_cpu_capability()}, float32",
        f"memory: {allocator}; GB/s of copies into memory {speeds}",
    ]


def keep_memory() -> str:
    """Have the C library keep memory that was freed, where it is glibc; say what is done then."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return leave_memory()
    most, trim, pad = -4, -1, -2  # M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD
    done = mallopt(most, 0) and mallopt(trim, -1) and mallopt(pad, 2**26)
    return "glibc, which keeps what is freed" if done else leave_memory()


def leave_memory() -> str:
    """Leave the C library as it is; say so."""
    return "the system's allocator"


def use_threads(threads: int) -> None:
    """Have PyTorch use so many threads."""
    torch.set_num_threads(threads)


@contextmanager
def fresh_compiler() -> Iterator[None]:
    """Compile into an empty folder, so that nothing was compiled before, and remove it."""
    name = "TORCHINDUCTOR_CACHE_DIR"
    before = os.environ.get(name)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ[name] = folder
        try:
            yield
        finally:
            os.environ.pop(name)
            if before is not None:
                os.environ[name] = before


@dataclass(frozen=True)
class Entry:
    """What takes part: a module to make, and about how many bytes its forward pass takes."""

    name: str
    make: Callable[[], nn.Module]
    needs: int = 0
    compiled: bool = False


def _entries(case: Case, layer: EquivariantLinear) -> Iterator[Entry]:
    for way in WAYS:
        if case.compiled or not way.compiled:
            needs = _needed(way, layer, case.batch)
            yield Entry(way.name, partial(made, way, layer), needs, way.compiled)
    for rival in ENTRANTS if case.rivals else ():
        if rival.suits(layer):
            make, needs = partial(rival.make, layer), rival.needs(layer, case.batch)
            yield Entry(rival.name, make, needs)
            if rival.compiles and case.compiled:
                yield Entry(compiled(rival.name), make, needs, compiled=True)


def _needed(way: Way, layer: EquivariantLinear, batch: int) -> int:
    """About how many bytes the forward pass takes, for the lowerings that write out matrices."""
    lowering = way.options.get("lowering")
    if lowering != "dense" or not isinstance(layer.plan, Task):
        return 0
    return int(lowered(layer.plan, lowering).cost(layer.group.n, batch).peak)


def made(way: Way, layer: EquivariantLinear) -> EquivariantLinear:
    """Another layer with the same weight and bias."""
    found = EquivariantLinear(
        layer.group,
        layer.in_order,
        layer.out_order,
        layer.in_channels,
        layer.out_channels,
        bias=layer.bias is not None,
        dtype=layer.weight.dtype,
        **way.options,
    )
    found.load_state_dict(layer.state_dict())
    return found


@dataclass(frozen=True)
class Runner:
    """A module with an input in its own layout, which requires a gradient, and one of its output.

    ``first``: the seconds in which it was made and first run, forward and with the backward pass.
    """

    module: Callable[[Tensor], Tensor]
    inputs: list[Tensor]
    gradient: Tensor
    first: float

    @classmethod
    def warm(cls, entry: Entry, x: Tensor, wanted: Tensor) -> Runner:
        """Made, run once in either way, and compared."""
        start = perf_counter()
        made = entry.make()
        leave = made.leave if isinstance(made, Rival) else lambda y: y
        x = made.enter(x) if isinstance(made, Rival) else x
        x = x.detach().clone().requires_grad_()
        module = torch.compile(made, fullgraph=True, dynamic=False) if entry.compiled else made
        with torch.no_grad():
            y = module(x)
        runner = cls(module, [x, *made.parameters()], torch.ones_like(y), 0)
        runner.both()
        first = perf_counter() - start
        _compare(entry.name, wanted, leave(y), f"{tuple(wanted.shape)}", tolerance=1e-3)
        return replace(runner, gradient=torch.randn_like(y), first=first)

    def forward(self) -> None:
        """Run the module alone."""
        with torch.no_grad():
            self.module(self.inputs[0])

    def both(self) -> None:
        """Run the module, and differentiate by its input and its parameters."""
        torch.autograd.grad(self.module(self.inputs[0]), self.inputs, self.gradient)


def _compare(name: str, wanted: Tensor, found: Tensor, where: object, *, tolerance: float) -> None:
    error = float((found - wanted).detach().abs().max() / wanted.detach().abs().max())
    if not error <= tolerance:
        raise DisagreementError(
            f"{where}: {name} and {OURS} do not agree: relative error {error:.1e}"
        )


def _raced(
    runners: Mapping[str, Runner], work: Work, seconds: float
) -> tuple[dict[str, tuple[float, float]], Floor]:
    """The times of all, forward and with the backward pass, and the floor for this work.

    From rounds in which all take turns.
    """
    a, b = torch.randn(2, 1024, 1024)
    source = torch.ones(work.forward_bytes // (2 * FLOAT))
    target = torch.zeros_like(source)
    calls: dict[str, Callable[[], object]] = {
        "product": lambda: a @ b,
        "copy": lambda: target.copy_(source),
    }
    for name, runner in runners.items():
        calls[f"{name} forward"], calls[f"{name} both"] = runner.forward, runner.both
    times = medians(calls, seconds)
    rate = 2 * 1024**3 / times["product"]
    bandwidth = 2 * FLOAT * len(source) / times["copy"]
    moved, computed = work.forward_bytes / bandwidth, (work.forward_flops or 0) / rate
    forward = max(moved, computed)
    backward = max(work.backward_bytes / bandwidth, (work.backward_flops or 0) / rate)
    fewest = max(moved, (work.fewest or 0) / rate)
    bound = "flops" if computed > moved else "bytes"
    if work.forward_flops is None:
        bound = "bytes, its flops were not counted"
    floor = Floor(forward, forward + backward, fewest, bound, bandwidth, rate)
    return {name: (times[f"{name} forward"], times[f"{name} both"]) for name in runners}, floor


def medians(calls: Mapping[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """The median time of each call over rounds in which they take turns, in another order each.

    Slow calls have fewer rounds, three at least. Before they are timed, calls are made uncounted for
    a tenth of the time, where that is one call at least, for their memory to be in the caches.
    """
    timers = {name: Timer(call) for name, call in calls.items()}
    once = {name: timer.timeit(1) for name, timer in timers.items()}
    rounds = {name: max(3, min(ROUNDS, int(seconds / time))) for name, time in once.items()}
    found: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(ROUNDS):
        for name in random.Random(number).sample(list(timers), len(timers)):
            if number < rounds[name]:
                count = max(1, int(seconds / rounds[name] / once[name]))
                if count > 1:
                    timers[name].timeit(1 + count // 10)
                found[name].append(timers[name].timeit(count) / count)
    return {name: statistics.median(times) for name, times in found.items()}


def _peak(call: Callable[[], object]) -> int:
    """The most bytes that tensors made by a call took at once, as PyTorch's allocator counts them."""
    with torch.autograd.profiler.profile(profile_memory=True) as profile:
        call()
    now = most = 0
    assert profile.kineto_results is not None
    for event in profile.kineto_results.events():
        if event.name() == "[memory]":
            now += event.nbytes()
            most = max(most, now)
    return most


def _processor() -> str:
    """The name of the processor, where the system tells it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
