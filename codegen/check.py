"""Is a function equivariant? Sampled, in float64, with a control that must fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tannaka.category.functor import MAX_BYTES
from tannaka.category.groups import Group
from tannaka.category.groups import group as find_group
from tannaka.category.hom import Hom
from tannaka.category.permutations import PermutationGroup
from tannaka.diagrams.counts import readable
from tannaka.diagrams.diagram import natural
from tannaka.diagrams.errors import EquivarianceError, SizeError

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
    """Largest entry of f(g x) - g f(x) over the largest entry of f(x), worst sample."""
    tolerance: float
    dtype: torch.dtype
    element: Any
    """The group element of the worst sample: a matrix, or one for each factor of a product."""
    samples: int
    seed: int
    sample: int
    """The number of the worst sample: the same seed draws its element and its input again."""
    shape: tuple[int, ...]
    """The shape of the inputs, of standard normal entries."""
    entry: tuple[int, ...]
    """Where f(g x) and g f(x) differ most in the worst sample, and the two entries there."""
    entries: tuple[float, float]
    control: float | None
    """The error of a spoiled twin of f, which must exceed the tolerance; None where every linear
    map V^k -> V^l commutes with the group, so that there is nothing to tell apart."""

    def __str__(self) -> str:
        sign = "<=" if self.error <= self.tolerance else ">"
        control = "no control" if self.control is None else f"control {self.control:.0e}"
        return (
            f"{self.group} {self.k} -> {self.l}: error {self.error:.1e} {sign} {self.tolerance:.0e} "
            f"({self.dtype}, {self.samples} group elements, seed {self.seed}, {control})"
        )


def equivariance_error(
    f: Callable[[Tensor], Tensor],
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
    f: Callable[[Tensor], Tensor],
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

    The group acts in float64. The tolerance, relative to the largest entry of the output, is taken
    by dtype from ``TOLERANCE`` unless given. The check refuses to pass when it could not have
    failed: when the output is zero everywhere (unless ``allow_zero``) or not finite, when f gives
    two answers to one question, and when a spoiled twin of f passes too.

    Options: ``in_channels`` (default: the module's, or its first submodule's that names them, or 2),
    ``batch_shape`` (2,), ``samples`` 8, ``dtype`` and ``device`` (default: the first parameter's, else float64 on the CPU), ``seed`` 0.

    >>> from tannaka.category import S
    >>> print(assert_equivariant(lambda x: x - x.mean(-2, keepdim=True), S(5), 1, 1))
    S(5) 1 -> 1: error ... <= 1e-10 (torch.float64, 8 group elements, seed 0, control ...)
    """
    __tracebackhide__ = True
    report = measure(f, group, k, l, tolerance=tolerance, allow_zero=allow_zero, **options)
    if not report.error <= report.tolerance:
        raise EquivarianceError(
            f"not equivariant: {report}; the worst group element is\n{report.element}"
        )
    return report


def measure(
    f: Callable[[Tensor], Tensor],
    group: Group | str | None = None,
    k: Any = None,
    l: Any = None,
    *,
    in_channels: int | None = None,
    batch_shape: Sequence[int] = (2,),
    samples: int = 8,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
    tolerance: float | None = None,
    allow_zero: bool = False,
    seed: int = 0,
) -> EquivarianceReport:
    """Sample group elements and inputs; see :func:`assert_equivariant`."""
    hom = _hom(f, group, k, l)
    parameter = next(f.parameters(), None) if isinstance(f, nn.Module) else None
    if parameter is not None:
        dtype, device = dtype or parameter.dtype, device or parameter.device
    dtype = dtype or torch.float64
    if tolerance is None:
        if dtype not in TOLERANCE:
            raise ValueError(f"there is no standard tolerance for {dtype!r}: name one")
        tolerance = TOLERANCE[dtype]
    samples = natural("samples", samples, least=1, what="a number of group elements")
    channels = channels_of(f) if in_channels is None else in_channels
    channels = natural("in_channels", channels, least=1, what="a number of channels")
    if not isinstance(batch_shape, Sequence):
        raise TypeError(f"batch_shape must be a tuple of sizes such as (2,), got {batch_shape!r}")
    batch_shape = tuple(natural("batch_shape", b, least=1, what="sizes") for b in batch_shape)
    rng = np.random.default_rng(seed)
    shape = (*batch_shape, *hom.group.shape(hom.k), channels)
    largest = max(prod(shape), prod((*batch_shape, *hom.group.shape(hom.l))))
    if largest * 8 > MAX_BYTES:
        raise SizeError(
            f"{hom.group}, {hom.k} -> {hom.l}: tensors to test with have {readable(largest)} entries, "
            f"more than {MAX_BYTES >> 30} GiB: test at a smaller n"
        )

    def call(x: NDArray[Any]) -> NDArray[Any]:
        # A copy each way: f may write into its input, or return the same memory twice.
        y = f(torch.tensor(x, device=device, dtype=dtype))
        return _output(y, hom, tuple(batch_shape))

    everything = hom.dimension == prod((*hom.group.shape(hom.k), *hom.group.shape(hom.l)))
    worst, control = -1.0, 0.0
    found: dict[str, Any] = {}
    for sample in range(samples):
        # Drawn in the dtype of f, so that rounding the input is not counted as an error of f.
        x = torch.from_numpy(rng.standard_normal(shape)).to(dtype).double().numpy()
        g = _element(hom.group, rng, moving=sample == 0 and not everything)
        y, moved = call(x), call(hom.group.act(g, x, hom.k))
        size = float(np.abs(y).max(initial=0))
        if sample == 0:
            _check_first(size, float(np.abs(call(x) - y).max(initial=0)), tolerance, allow_zero)
        wanted = hom.group.act(g, y, hom.l)
        error = float(np.abs(moved - wanted).max(initial=0)) / (size or 1.0)
        if error > worst:
            worst = error
            place = (
                np.unravel_index(int(np.abs(moved - wanted).argmax()), y.shape) if y.size else ()
            )
            entries = (float(moved[place]), float(wanted[place])) if y.size else (0.0, 0.0)
            entry = tuple(map(int, place))
            found = {"element": g, "sample": sample, "entry": entry, "entries": entries}
        # The twin f + h, for a random linear map h of the size of f, which does not commute.
        h = _random_map(rng, hom, y.shape[-1], size or 1.0)
        twin, turned = h(hom.group.act(g, x, hom.k)), hom.group.act(g, h(x), hom.l)
        spoiled = moved + twin - wanted - turned
        control = max(control, float(np.abs(spoiled).max(initial=0)) / (size or 1.0))
    if not everything and not control > tolerance:
        raise EquivarianceError(
            f"the check cannot tell: a spoiled function has error {control:.1e}, within the "
            f"tolerance {tolerance:.0e}; lower the tolerance or raise samples"
        )
    return EquivarianceReport(
        group=hom.group,
        k=hom.k,
        l=hom.l,
        error=worst,
        tolerance=tolerance,
        dtype=dtype,
        samples=samples,
        seed=seed,
        control=None if everything else control,
        shape=shape,
        **found,
    )


def _hom(f: object, group: Group | str | None, k: Any, l: Any) -> Hom:
    """The Hom space that f claims to lie in, from the arguments or else from f itself."""
    group = getattr(f, "group", None) if group is None else group
    k = getattr(f, "in_order", None) if k is None else k
    l = getattr(f, "out_order", None) if l is None else l
    if group is None or k is None or l is None:
        raise TypeError(
            f"{type(f).__name__} does not say its group and orders: "
            "call assert_equivariant(f, group, k, l)"
        )
    return Hom(group_of(f, group), k, l)


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


def channels_of(f: object) -> int:
    """The channels that f takes: its own, else those of its first submodule that names them."""
    for module in f.modules() if isinstance(f, nn.Module) else (f,):
        for name in ("in_channels", "in_features"):
            if isinstance(channels := getattr(module, name, None), int):
                return channels
    return 2


def _element(group: Group, rng: np.random.Generator, *, moving: bool) -> Any:
    """A random element; with ``moving``, not one close to the identity, if that can be had."""
    for _ in range(100 if moving else 1):
        g = group.sample(rng)
        factors = g if isinstance(g, tuple) else (g,)
        if any(np.abs(factor - np.eye(len(factor))).max() > 0.1 for factor in factors):
            break
    return g


def _output(y: object, hom: Hom, batch_shape: tuple[int, ...]) -> NDArray[Any]:
    if not isinstance(y, Tensor):
        raise TypeError(f"the function must return a tensor, got {type(y).__name__}")
    expected = (*batch_shape, *hom.group.shape(hom.l))
    if tuple(y.shape[:-1]) != expected:
        raise ValueError(
            f"the function must return a tensor of shape ({', '.join(map(str, expected))}, "
            f"channels), got {tuple(y.shape)}"
        )
    if y.is_complex():
        raise TypeError(f"the function must return real numbers, got {y.dtype}")
    if not torch.isfinite(y).all():
        raise EquivarianceError("the output holds NaN or infinity for a standard normal input")
    result: NDArray[Any] = y.detach().cpu().double().numpy().copy()
    return result


def _check_first(size: float, drift: float, tolerance: float, allow_zero: bool) -> None:
    if size == 0 and not allow_zero:
        raise EquivarianceError(
            "the output is zero, so nothing was tested; pass allow_zero=True if it is meant to be"
        )
    if drift > tolerance * size:
        raise EquivarianceError(
            "the function gives two answers to one input (dropout in training mode?): "
            "make it deterministic first"
        )


def _random_map(
    rng: np.random.Generator, hom: Hom, out_channels: int, scale: float
) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """A random linear map of rank one; unless all maps commute with the group, this one does not.

    It sends standard normal inputs to entries of about ``scale``, whatever n and the orders are.
    """
    inner, k = hom.group.shape(hom.k), len(hom.group.shape(hom.k))
    read = rng.standard_normal(inner) / prod(inner) ** 0.5
    shape = (*hom.group.shape(hom.l), out_channels)
    write = scale * rng.choice([-1.0, 1.0], shape) * rng.uniform(0.5, 1.5, shape)

    def apply(x: NDArray[Any]) -> NDArray[Any]:
        first: Any = (..., 0)
        axes = tuple(range(x.ndim - 1 - k, x.ndim - 1))
        scalar = (x[first] * read).sum(axis=axes) if k else x[first]
        product: NDArray[Any] = np.multiply.outer(scalar, write)
        return product

    return apply
