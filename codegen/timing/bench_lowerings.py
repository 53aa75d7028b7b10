"""How long a layer takes in each lowering that is considered for it, measured in turns.

See :mod:`tannaka.codegen.timing.bench` for how, :mod:`tannaka.codegen.timing.calibration` for what comes of it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from tannaka.codegen.modules.linear import EquivariantLinear
from tannaka.codegen.timing.bench import Entry, Runner, Way, made, medians
from tannaka.codegen.timing.calibration import Timing, considered
from tannaka.codegen.timing.standings import Case


def measured(case: Case, *, seconds: float = 0.1) -> Timing:
    """Time a layer with bias in each lowering, each call for about so many seconds; float32.

    All have the same parameters, and are compared before they are timed: raises DisagreementError
    where their outputs differ. Times are medians over rounds in which all take turns.
    """
    torch.manual_seed(0)
    names = considered(case)
    layer = EquivariantLinear(
        case.group, case.k, case.l, case.channels, case.channels, lowering=names[0]
    )
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    x = torch.randn(case.batch, *case.group.shape(case.k), case.channels)
    with torch.no_grad():
        wanted = layer(x)
    calls: dict[str, Callable[[], object]] = {}
    for name in names:
        make = partial(made, Way(name, {"lowering": name}), layer)
        runner = Runner.warm(Entry(name, make), x, wanted)
        calls[f"{name} forward"], calls[f"{name} both"] = runner.forward, runner.both
    times = medians(calls, seconds)
    forward, both = (
        {name: times[f"{name} {what}"] for name in names} for what in ("forward", "both")
    )
    return Timing.of(case, forward, both)
