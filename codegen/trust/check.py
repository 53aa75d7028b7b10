"""Is a function equivariant? Sampled, in float64, with a control that must fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from tannaka.category.groups import Group
from tannaka.category.groups import group as find_group
from tannaka.category.permutations import PermutationGroup
from tannaka.codegen.network import channel_count
from tannaka.codegen.trust.padding import member_at, open_factors
from tannaka.codegen.trust.sampled import (
    DEFAULT_SIZES,
    Difference,
    Law,
    Side,
    Tally,
    Trial,
    narrower,
    run_trial,
    takes_mask,
)
from tannaka.codegen.trust.trees import mapped, matched
from tannaka.codegen.trust.watch import WATCH
from tannaka.diagrams.diagram import flag, natural
from tannaka.diagrams.errors import EquivarianceError

TOLERANCE = {
    torch.float64: 1e-10,
    torch.float32: 1e-4,
    torch.float16: 2e-2,
    torch.bfloat16: 1e-1,
}
"""The largest relative error that rounding alone is allowed to cause."""
ROUNDING = {
    torch.float64: 1e-14,
    torch.float32: 5e-6,
    torch.float16: 8e-3,
    torch.bfloat16: 6e-2,
}
"""How far outputs and gradients of a layer may be from those of its float64 copy, in any mode.

Relative to the largest entry; some 8 units in the last place of half precision, 40 of the others,
which is twice what layers of 4,000 diagrams and 64 channels were seen to need.
"""


@dataclass(frozen=True)
class EquivarianceReport:
    """What a check found: the worst relative error, and where."""

    group: Group
    k: Any
    l: Any
    error: float
    """The largest difference between f(g x) and g f(x), relative to the largest entry that the same
    channel of the output had in any sample; of the worst sample and the worst output."""
    tolerance: float
    dtype: torch.dtype
    element: Any = field(compare=False)
    """The group element of the worst sample: a matrix, or one for each factor of a product.

    Seed and sample say which it is, so that reports are compared without it: arrays have no truth.
    """
    samples: int
    """How many group elements were tried, each with an input; for a family so many at each n."""
    seed: int
    sample: int
    """The number of the worst sample: the same seed draws its element and its input again."""
    shape: Any
    """The shape of the inputs, of standard normal entries; shapes in the places of orders in k."""
    output: str
    """Which output is the worst: "output", or where there are several "output[1]"."""
    entry: tuple[int, ...]
    """Where f(g x) and g f(x) differ most in the worst sample, and the two entries there."""
    entries: tuple[float, float]
    control: float | None
    """The error of a spoiled twin of f, which must exceed the tolerance; the least of all outputs.
    None where every linear map V^k -> V^l commutes with the group, so that there is nothing to tell
    apart."""
    sizes: tuple[int, ...] = ()
    """Of a family such as S(), the n that were tried."""
    masked: bool = False
    """Whether inputs were padded, and compared with their real points alone."""
    commutes_with: tuple[str, ...] = ()
    """Where f does not commute with the group: smaller groups that it was seen to commute with."""
    law: Law = "commutes"
    """Which law the worst sample is of. For "ignores padding", ``entries`` are those of the padded
    input and of its real points alone."""

    @property
    def passed(self) -> bool:
        """Whether the error is within the tolerance."""
        return self.error <= self.tolerance

    def worst(self) -> str:
        """Where the worst difference is, in one line for a reader."""
        got, wanted = self.entries
        said = f"f(g x) is {got:.6g} and g f(x) is {wanted:.6g}"
        if self.law == "ignores padding":
            said = f"it is {got:.6g} with padding and {wanted:.6g} without"
        hint = "".join(f"; it does commute with {one}" for one in self.commutes_with)
        return (
            f"at {self.entry} of the {self.output} {said}, in sample {self.sample}, "
            f"input of shape {self.shape}{hint}"
        )

    def __str__(self) -> str:
        sign = "<=" if self.error <= self.tolerance else ">"
        control = "no control" if self.control is None else f"control {self.control:.0e}"
        family = f" each at n = {', '.join(map(str, self.sizes))}" if self.sizes else ""
        return (
            f"{self.group} {self.k} -> {self.l}: error {self.error:.1e} {sign} {self.tolerance:.0e} "
            f"({self.dtype}, {self.samples} group elements{family}, "
            f"{'masks, ' if self.masked else ''}seed {self.seed}, {control})"
        )


def equivariance_error(
    f: Callable[..., Any],
    group: Group | str | None = None,
    k: Any = None,
    l: Any = None,
    **options: Any,
) -> float:
    """The worst relative error of f(g x) = g f(x) over sampled g; arguments as below.

    >>> from tannaka.category import O
    >>> equivariance_error(torch.relu, O(3), 1, 1) > 0.01
    True
    """
    return measure(f, group, k, l, **options).error


def assert_equivariant(
    f: Callable[..., Any],
    group: Group | str | None = None,
    k: Any = None,
    l: Any = None,
    *,
    tolerance: float | None = None,
    allow_zero: bool = False,
    **options: Any,
) -> EquivarianceReport:
    """Raise EquivarianceError unless f(g x) = g f(x) for sampled group elements g, to rounding.

    ``f`` takes tensors of shape (*batch, n, ..., n, channels) with k axes of size n and returns
    tensors with l of them. A tannaka layer, or a generated one, knows its group and orders; for any
    other callable, name them. f is called as it is: in its own mode, on its own device and dtype.

    Several inputs or outputs: k and l are **lists or dicts** of orders, nested as f has them. For
    ``k=[1, 2]`` the call is f(x, y), for ``k={"x": 1, "edges": 2}`` it is f(x=..., edges=...); for
    ``l=[0, 1]`` f returns a tuple or list of two, for ``l={"energy": 0, "forces": 1}`` a dict or a
    dataclass. A **tuple** is one word, the type of each axis, for products of groups.

    The group acts in float64. The tolerance is taken by dtype from ``TOLERANCE`` unless given. It is
    relative to the largest entry of the same channel in any sample (or for channels so small that
    the rounding of large ones reaches them, to what is large enough for that). The check refuses to
    pass when it could not have failed: when an output is zero everywhere (unless ``allow_zero``) or
    not finite, when f gives two answers to one question, and when a spoiled twin of f passes too.

    For a family such as S() the members at each ``n`` are tried. Where f has an argument ``mask``, of
    shape (*batch, n) and boolean, and the group leaves one n open, inputs are padded at random too:
    entries of real points must be what they are without the padding, whatever stands there.

    Options: ``in_channels`` (default: the module's, or its first submodule's that names them, or 2;
    in the places of orders in k where they differ), ``batch_shape`` (2,), ``samples`` 8, ``dtype`` and
    ``device`` (default: the first parameter's, else float64 on the CPU), ``seed`` 0, ``layout``
    "last": where channels are, "first" before the axes of the group, "none" nowhere, or a pair for
    inputs and outputs, each in the places of orders where they differ; ``n`` (5, 3) and ``mask``
    (default: where f takes one) for families.

    >>> from tannaka.category import S
    >>> print(assert_equivariant(lambda x: x - x.mean(-2, keepdim=True), S(5), 1, 1))
    S(5) 1 -> 1: error ... <= 1e-10 (torch.float64, 8 group elements, seed 0, control ...)
    >>> def pooled(x, edges):
    ...     return {"nodes": edges.mean(-2) + x, "all": x.sum(-2)}
    >>> assert_equivariant(pooled, S(5), [1, 2], {"nodes": 1, "all": 0}).passed
    True
    """
    __tracebackhide__ = True
    report = measure(f, group, k, l, tolerance=tolerance, allow_zero=allow_zero, **options)
    watch = WATCH.get()
    if watch is not None:
        watch.heard(report)
    if not report.passed:
        raise EquivarianceError(
            f"not equivariant: {report}; {report.worst()}; the worst group element is\n"
            f"{element_text(report.element)}"
        )
    return report


def measure(
    f: Callable[..., Any],
    group: Group | str | None = None,
    k: Any = None,
    l: Any = None,
    *,
    in_channels: Any = None,
    batch_shape: Sequence[int] = (2,),
    samples: int | None = None,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
    tolerance: float | None = None,
    allow_zero: bool = False,
    seed: int = 0,
    layout: Any = "last",
    n: int | Sequence[int] | None = None,
    mask: bool | None = None,
) -> EquivarianceReport:
    """Sample group elements and inputs; see :func:`assert_equivariant`."""
    if not callable(f):
        raise TypeError(f"what is checked is a function or a module, got {type(f).__name__}")
    group, k, l = _claimed(f, group, k, l)
    given, returned = layout if isinstance(layout, tuple) and len(layout) == 2 else (layout, layout)
    inputs = Side.of("input", "k", group, k, given)
    outputs = Side.of("output", "l", group, l, returned)
    parameter = next(f.parameters(), None) if isinstance(f, nn.Module) else None
    if parameter is not None:
        dtype, device = dtype or parameter.dtype, device or parameter.device
    dtype = dtype or torch.float64
    if tolerance is None:
        if dtype not in TOLERANCE:
            raise ValueError(f"there is no standard tolerance for {dtype!r}: name one")
        tolerance = TOLERANCE[dtype]
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float | np.floating):
        raise TypeError(f"tolerance must be a number >= 0, got {tolerance!r}")
    if not tolerance >= 0:
        raise ValueError(f"tolerance must be a number >= 0, got {tolerance!r}")
    flag("allow_zero", allow_zero)
    samples = 8 if samples is None else samples
    samples = natural("samples", samples, least=1, what="a number of group elements")
    watch = WATCH.get()
    samples = samples if watch is None else max(samples, watch.least)
    if not isinstance(batch_shape, Sequence):
        raise TypeError(f"batch_shape must be a tuple of sizes such as (2,), got {batch_shape!r}")
    batch = tuple(natural("batch_shape", b, least=1, what="sizes") for b in batch_shape)
    sizes = _sizes(group, n)
    masked = bool(mask) if mask is not None else takes_mask(f)
    if mask and len(open_factors(group)) != 1:
        raise ValueError(f"masks are for a family with one n, such as S(); {group} is not one")
    trial = Trial(
        f,
        group,
        inputs,
        outputs,
        _channels(f, in_channels, inputs),
        batch,
        dtype,
        device,
        tolerance,
        allow_zero,
        masked and len(open_factors(group)) == 1,
    )
    members: list[tuple[Group, Any]] = [(member_at(group, size), size) for size in sizes]
    rng = np.random.default_rng(seed)
    tallies = run_trial(trial, members or [(group, None)], samples, rng)
    # So small a part of the largest entry that rounding may reach it is measured by this part.
    room = ROUNDING.get(dtype, tolerance)
    share = min(1.0, room / tolerance) if tolerance else 1.0
    control = _control(tallies, share, tolerance, trial)
    error, worst, channel = max(
        (_worst(tally, share) for tally in tallies), key=lambda found: found[0]
    )
    found = _smaller(trial, members, samples, seed, share) if error > tolerance else ()
    coming = iter(worst.shapes)
    return EquivarianceReport(
        group=group,
        k=inputs.orders,
        l=outputs.orders,
        error=error,
        tolerance=tolerance,
        dtype=dtype,
        element=worst.element,
        samples=samples,
        seed=seed,
        sample=worst.sample,
        shape=mapped(lambda path, order: next(coming), inputs.orders),
        output=outputs.name(worst.output),
        entry=worst.entries[channel] if worst.entries else (),
        entries=worst.values[channel] if worst.values else (0.0, 0.0),
        control=control,
        sizes=sizes,
        masked=trial.masked,
        commutes_with=found,
        law=worst.law,
    )


def _control(tallies: list[Tally], share: float, tolerance: float, trial: Trial) -> float | None:
    """The least error of the spoiled outputs; raises where a spoiled one would have passed."""
    found = []
    for i, tally in enumerate(tallies):
        if tally.told_apart and tally.spoiled is not None:
            found.append(float((tally.spoiled / tally.units(share)).max(initial=0)))
            if not found[-1] > tolerance:
                raise EquivarianceError(
                    f"the check cannot tell: a spoiled {trial.outputs.name(i)} has error "
                    f"{found[-1]:.1e}, within the tolerance {tolerance:.0e}; lower the tolerance or "
                    "raise samples"
                )
    return min(found, default=None)


def _worst(tally: Tally, share: float) -> tuple[float, Difference, int]:
    """The largest error of an output, the sample that has it, and the channel."""
    units = tally.units(share)
    errors = [
        (float((one.peaks / units).max(initial=0)), one, int(np.argmax(one.peaks / units)))
        if len(units)
        else (0.0, one, 0)
        for one in tally.differences
    ]
    return max(errors, key=lambda found: found[0])


def _smaller(
    trial: Trial, members: Sequence[tuple[Group, Any]], samples: int, seed: int, share: float
) -> tuple[str, ...]:
    """The smaller groups that a function commutes with, though not with the one that acts."""
    found = []
    group, size = members[0] if members else (trial.group, None)
    for name, draw in narrower(group):
        smaller = replace(trial, narrower=draw, allow_zero=True)
        tallies = run_trial(smaller, [(group, size)], samples, np.random.default_rng(seed))
        if all(_worst(tally, share)[0] <= trial.tolerance for tally in tallies):
            found.append(name)
    return tuple(found)


def _sizes(group: Group, n: int | Sequence[int] | None) -> tuple[int, ...]:
    """The members of a family to try; none for one group."""
    if not open_factors(group):
        if n is not None:
            raise ValueError(f"{group} has one n, so the check takes none")
        return ()
    given = DEFAULT_SIZES if n is None else n if isinstance(n, Sequence) else (n,)
    if not given:
        raise ValueError(f"n is empty: name sizes of {group} to test, such as (5, 3)")
    return tuple(natural("n", size, least=1, what="a number of points") for size in given)


def _channels(f: object, given: Any, inputs: Side) -> tuple[int, ...]:
    """The channels of each input; one where its layout has none."""
    if given is None:
        given = channels_of(f)
    listed = [given] * len(inputs.words)
    if isinstance(given, list | dict):
        listed = matched(inputs.orders, given, "in_channels")
    return tuple(
        1 if layout == "none" else channel_count("in_channels", c)
        for c, layout in zip(listed, inputs.layouts, strict=True)
    )


def _claimed(f: object, group: Group | str | None, k: Any, l: Any) -> tuple[Group, Any, Any]:
    """The group and orders that f claims, from the arguments or else from f itself."""
    group = getattr(f, "group", None) if group is None else group
    k = getattr(f, "in_order", None) if k is None else k
    l = getattr(f, "out_order", None) if l is None else l
    if group is None or k is None or l is None:
        raise TypeError(
            f"{type(f).__name__} does not say its group and orders: "
            "name them, as the arguments group, k and l"
        )
    return group_of(f, group), k, l


def group_of(f: object, group: Group | str) -> Group:
    """The group that a function says it commutes with.

    A generated layer names it; of a group that no name tells, it has the generators.
    """
    if isinstance(group, Group):
        return group
    generators = getattr(f, "generators", None)
    if generators is None:
        return find_group(group)
    return PermutationGroup(generators, getattr(f, "points", None))


def channels_of(f: object) -> Any:
    """The channels that f takes: its own, else those of its first submodule that names them.

    A list of them where it has several inputs.
    """
    for module in f.modules() if isinstance(f, nn.Module) else (f,):
        for name in ("in_channels", "in_features"):
            if isinstance(channels := getattr(module, name, None), int | list | dict):
                return channels
    return 2


def element_text(element: Any) -> str:
    """A group element as text: a permutation by its images, another matrix by its rows.

    >>> print(element_text(np.eye(3)[[2, 0, 1]]))
    the permutation of 0..2 with images 1 2 0
    """
    factors = element if isinstance(element, tuple) else (element,)
    texts = []
    for g in map(np.asarray, factors):
        rows, columns = np.nonzero(g)
        if len(rows) == len(g) and np.all(g[rows, columns] == 1) and len(set(columns)) == len(g):
            images = " ".join(str(row) for row in rows[np.argsort(columns)].tolist())
            texts.append(f"the permutation of 0..{len(g) - 1} with images {images}")
        else:
            texts.append(np.array2string(g, precision=6, suppress_small=True))
    return "\nand\n".join(texts)
