"""The sampled check of equivariance: draw inputs and group elements, compare, and spoil.

Everything but the function itself is in float64 and NumPy. Differences are kept for each channel of
each output, and measured at the end by the largest entry that the channel had in any sample: an
output that is small once, by chance, is no reason to fail, and a large channel hides no small one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial, reduce
from math import prod
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tannaka.category.alternating import A
from tannaka.category.functor import MAX_BYTES
from tannaka.category.groups import Group
from tannaka.category.hom import Hom
from tannaka.category.hyperoctahedral import H
from tannaka.category.orthogonal import SO, O
from tannaka.category.permutations import PermutationGroup
from tannaka.category.product import Product
from tannaka.category.symmetric import S
from tannaka.codegen.trust.padding import (
    at_size,
    drawn_mask,
    open_axes,
    picked,
    real_entries,
    turned_mask,
)
from tannaka.codegen.trust.trees import Path, leaves, mapped, matched, named
from tannaka.diagrams.counts import readable
from tannaka.diagrams.errors import EquivarianceError, SizeError

Array: TypeAlias = NDArray[Any]
Layout: TypeAlias = Literal["last", "first", "none"]
"""Where the axis of channels is: after those of the group, before them, or nowhere."""
Law: TypeAlias = Literal["commutes", "ignores padding"]
"""What is compared: f(g x) with g f(x), or a padded input with its real points alone."""
PADDING = 10.0
"""How much larger than real entries those of the padding are drawn."""
DEFAULT_SIZES = (5, 3)
"""The members of a family that are tested unless told."""


@dataclass(frozen=True)
class Side:
    """The tensors that go into a function, or those that come out."""

    what: str
    orders: Any
    """An order or a word; or several, in lists and dicts."""
    words: tuple[Any, ...]
    layouts: tuple[Layout, ...]

    @classmethod
    def of(cls, what: str, name: str, group: Group, orders: Any, layout: Any) -> Side:
        """Orders and layouts, as they were given; raises TypeError or ValueError, naming them."""

        def word(path: Path, order: Any) -> Any:
            if isinstance(group, Product) and isinstance(order, int):
                raise TypeError(
                    f"{name}{named(path)} is {order!r}: a word of {group} is a tuple of types such "
                    "as (0, 1), and a list has several words"
                )
            return group.word(f"{name}{named(path)}", order)

        orders = mapped(word, orders)
        words = tuple(found for _, found in leaves(orders))
        if not words:
            raise ValueError(f"{name} names no {what}: an order, or a list or dict of orders")
        chosen = [layout] * len(words)
        if not isinstance(layout, str):
            chosen = matched(orders, layout, f"the layout of the {what}")
        for one in chosen:
            if one not in get_args(Layout):
                raise ValueError(f"a layout is 'last', 'first' or 'none', got {one!r}")
        return cls(what, orders, words, tuple(chosen))

    @cached_property
    def paths(self) -> tuple[Path, ...]:
        """Where each tensor is."""
        return tuple(path for path, _ in leaves(self.orders))

    def name(self, number: int) -> str:
        """What errors call a tensor."""
        return f"{self.what}{named(self.paths[number])}"


@dataclass(frozen=True)
class Trial:
    """What is tested, and how: see ``assert_equivariant`` for what the fields mean."""

    f: Callable[..., Any]
    group: Group
    inputs: Side
    outputs: Side
    channels: tuple[int, ...]
    batch: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device | str | None
    tolerance: float
    allow_zero: bool
    masked: bool
    narrower: Callable[[np.random.Generator], Any] | None = None
    """How to draw elements of a smaller group than the one that acts."""

    def call(self, xs: Sequence[Array], member: Group, mask: Array | None) -> list[Array]:
        """The outputs, channels last, for inputs with channels last."""
        batch = self.batch if mask is None else mask.shape[:-1]
        # A copy each way: f may write into its input, or return the same memory twice.
        tensors = [
            _laid_out(torch.tensor(x, device=self.device, dtype=self.dtype), layout, len(batch))
            for x, layout in zip(xs, self.inputs.layouts, strict=True)
        ]
        coming = iter(tensors)
        given = mapped(lambda path, order: next(coming), self.inputs.orders)
        named_ones: dict[str, Any] = {}
        if mask is not None:
            named_ones["mask"] = torch.tensor(mask, device=self.device)
        if isinstance(given, list):
            found = self.f(*given, **named_ones)
        elif isinstance(given, Mapping):
            found = self.f(**given, **named_ones)
        else:
            found = self.f(given, **named_ones)
        several = matched(self.outputs.orders, found, "the output")
        return [
            _output(y, member.shape(word), batch, layout, self.outputs.name(i))
            for i, (y, word, layout) in enumerate(
                zip(several, self.outputs.words, self.outputs.layouts, strict=True)
            )
        ]

    def commuting(self, member: Group, number: int) -> bool:
        """Whether every linear map into this output commutes with the group."""
        word = self.outputs.words[number]
        return all(
            Hom(member, k, word).dimension == prod((*member.shape(k), *member.shape(word)))
            for k in self.inputs.words
        )


@dataclass(frozen=True)
class Difference:
    """How far an output was from what it had to be, for each channel, in one sample."""

    law: Law
    sample: int
    element: Any
    shapes: tuple[tuple[int, ...], ...]
    output: int
    peaks: Array
    """The largest difference of each channel."""
    entries: tuple[tuple[int, ...], ...]
    """Where that is."""
    values: tuple[tuple[float, float], ...]
    """What was got there, and what was wanted."""


@dataclass(eq=False)
class Tally:
    """What was seen of one output in all samples."""

    scales: Array | None = None
    """The largest entry of each channel."""
    spoiled: Array | None = None
    """The largest difference of each channel of the spoiled twin."""
    differences: list[Difference] = field(default_factory=list)
    told_apart: bool = False
    """Whether some linear map does not commute, so that there is something to tell apart."""

    def units(self, share: float) -> Array:
        """What differences of each channel are measured by."""
        assert self.scales is not None
        found: Array = np.maximum(self.scales, share * self.scales.max(initial=0))
        return np.where(found > 0, found, 1.0)


def run_trial(
    trial: Trial, members: Sequence[tuple[Group, Any]], samples: int, rng: np.random.Generator
) -> list[Tally]:
    """Try group elements and inputs of each member, so many samples each; a tally of each output."""
    tallies = [Tally() for _ in trial.outputs.words]
    for at, (member, size) in enumerate(members):
        _check_sizes(trial, member)
        apart = [not trial.commuting(member, i) for i in range(len(tallies))]
        for tally, one in zip(tallies, apart, strict=True):
            tally.told_apart |= one
        sure = [] if trial.narrower else _sure(member, samples // 2)
        for number in range(samples):
            first, sample = number == 0, at * samples + number
            # After the first, which is never near the identity.
            known = sure[number - 1] if 0 < number <= len(sure) else None
            _try(trial, tallies, member, size, rng, sample, known, first=first, apart=apart)
    for i, tally in enumerate(tallies):
        if not (trial.allow_zero or (tally.scales is not None and tally.scales.any())):
            what = trial.outputs.name(i)
            raise EquivarianceError(
                f"the {what} is zero, so nothing was tested; pass allow_zero=True if it is meant to be"
            )
    return tallies


def _try(
    trial: Trial,
    tallies: list[Tally],
    member: Group,
    size: int | None,
    rng: np.random.Generator,
    sample: int,
    known: Any,
    *,
    first: bool,
    apart: list[bool],
) -> None:
    """One group element, drawn unless it is known, and one input."""
    pairs = list(zip(trial.inputs.words, trial.channels, strict=True))
    # Drawn in the dtype of f, so that rounding the input is not counted as an error of f.
    xs = [_drawn(rng, (*trial.batch, *member.shape(k), c), trial.dtype) for k, c in pairs]
    g = trial.narrower(rng) if trial.narrower else None
    if g is None:
        words = (*trial.inputs.words, *trial.outputs.words)
        acting = {kind for word in words for kind in (word if isinstance(word, tuple) else (0,))}
        outputs = [word for word, one in zip(trial.outputs.words, apart, strict=True) if one]
        if first and outputs:
            g = _telling(member, rng, acting, trial.inputs.words, outputs)
        else:
            g = member.sample(rng)
        g = g if known is None else known
    mask = turned = None
    if trial.masked:
        assert size is not None
        mask = drawn_mask(rng, trial.batch, size)
        turned = turned_mask(trial.group, member, g, mask)
        xs = [
            x * np.where(real_entries(trial.group, k, mask), 1, PADDING)
            for x, k in zip(xs, trial.inputs.words, strict=True)
        ]
        xs = [torch.from_numpy(x).to(trial.dtype).double().numpy() for x in xs]
    gxs = [member.act(g, x, k) for x, k in zip(xs, trial.inputs.words, strict=True)]
    ys, moved = trial.call(xs, member, mask), trial.call(gxs, member, turned)
    again = trial.call(xs, member, mask) if first else ys
    shapes = tuple(x.shape for x in xs)
    for i, (tally, y, got) in enumerate(zip(tallies, ys, moved, strict=True)):
        word = trial.outputs.words[i]
        real = before = np.ones((1,) * y.ndim, dtype=bool)
        if mask is not None and turned is not None:
            before, real = (real_entries(trial.group, word, m) for m in (mask, turned))
        # What stands in the padding of an output is nobody's concern.
        y, got = np.where(before, y, 0), np.where(real, got, 0)
        what = trial.outputs.name(i)
        if not (np.isfinite(y).all() and np.isfinite(got).all()):
            raise EquivarianceError(f"the {what} holds NaN or infinity for a standard normal input")
        wanted, scales = member.act(g, y, word), _largest(y)
        if np.abs(np.where(before, again[i], 0) - y).max(initial=0) > trial.tolerance * max(
            scales, default=0
        ):
            raise EquivarianceError(
                "the function gives two answers to one input (dropout in training mode?): "
                "make it deterministic first"
            )
        if tally.scales is not None and len(tally.scales) != len(scales):
            raise ValueError(
                f"the {what} has {len(scales)} channels, and had {len(tally.scales)} before"
            )
        tally.scales = _max(tally.scales, scales)
        tally.differences.append(_difference("commutes", sample, g, shapes, i, got, wanted))
        # The twin f + h, for a random linear map h of the size of f, which does not commute.
        h = _random_map(rng, member, trial.inputs.words, word, tally.scales)
        twist = h(gxs) - member.act(g, h(xs), word)
        tally.spoiled = _max(tally.spoiled, _largest(np.where(real, got - wanted + twist, 0)))
    if mask is not None:
        alone = _alone(trial, xs, mask)
        for i, (tally, y, wanted) in enumerate(zip(tallies, ys, alone, strict=True)):
            real = real_entries(trial.group, trial.outputs.words[i], mask)
            got = np.where(real, y, 0)
            found = _difference("ignores padding", sample, g, shapes, i, got, wanted)
            tally.differences.append(found)


def _difference(
    law: Law,
    sample: int,
    g: Any,
    shapes: tuple[tuple[int, ...], ...],
    output: int,
    got: Array,
    wanted: Array,
) -> Difference:
    """The largest difference of each channel, and where it is."""
    channels = got.shape[-1]
    if not got.size:
        return Difference(law, sample, g, shapes, output, np.zeros(channels), (), ())
    apart = np.abs(got - wanted).reshape(-1, channels)
    rows = apart.argmax(axis=0)
    places = [
        (*(int(i) for i in np.unravel_index(int(row), got.shape[:-1])), c)
        for c, row in enumerate(rows)
    ]
    return Difference(
        law,
        sample,
        g,
        shapes,
        output,
        apart[rows, np.arange(channels)],
        tuple(places),
        tuple((float(got[place]), float(wanted[place])) for place in places),
    )


def _alone(trial: Trial, xs: list[Array], mask: Array) -> list[Array]:
    """The outputs for the real points of each input alone, in the places that they have in ``mask``."""
    found: list[Array] = []
    for where in np.ndindex(*mask.shape[:-1]):
        points = np.flatnonzero(mask[where])
        few = at_size(trial.group, len(points))
        some = [
            picked(trial.group, k, x[where], points)[None]
            for x, k in zip(xs, trial.inputs.words, strict=True)
        ]
        ys = trial.call(some, few, np.ones((1, len(points)), dtype=bool))
        whole = at_size(trial.group, mask.shape[-1])
        for i, (y, word) in enumerate(zip(ys, trial.outputs.words, strict=True)):
            if len(found) <= i:
                found.append(np.zeros((*mask.shape[:-1], *whole.shape(word), y.shape[-1])))
            kinds = open_axes(trial.group, word)
            spots = [
                points if kind else np.arange(n)
                for kind, n in zip(kinds, whole.shape(word), strict=True)
            ]
            found[i][where][np.ix_(*spots, np.arange(y.shape[-1]))] = y[0]
    return found


def narrower(group: Group) -> Iterator[tuple[str, Callable[[np.random.Generator], Any]]]:
    """Smaller groups that a function may commute with though not with this one, and their elements.

    Each factor of a product; rotations without reflections; even permutations; cyclic shifts.
    """
    if isinstance(group, Product):
        for t, factor in enumerate(group.factors):
            if len(group.factors) > 1:
                place = f"{factor}, factor {t}" if group.factors.count(factor) > 1 else str(factor)
                yield place, partial(_one_factor, group, t)
    elif isinstance(group, O) and group.n > 1:
        yield f"SO({group.n}), rotations without reflections", SO(group.n).sample
    elif isinstance(group, S) and group.n > 2:
        yield f"A({group.n}), even permutations", A(group.n).sample
        one = np.eye(group.n)
        yield "cyclic shifts", lambda rng: np.roll(one, int(rng.integers(1, group.n)), axis=0)


def _one_factor(group: Product, t: int, rng: np.random.Generator) -> tuple[Array, ...]:
    """An element that moves the axes of one type alone."""
    return tuple(
        factor.sample(rng) if s == t else np.eye(factor.n) for s, factor in enumerate(group.factors)
    )


def takes(f: Callable[..., Any], name: str) -> bool:
    """Whether a function, or the forward method of a module, has an argument of this name."""
    # A compiled module takes what the one in it does, and does not say so.
    f = getattr(f, "_orig_mod", f)
    try:
        names = inspect.signature(getattr(f, "forward", f)).parameters
    except (TypeError, ValueError):
        return False
    return name in names


def takes_mask(f: Callable[..., Any]) -> bool:
    """Whether it has an argument ``mask``."""
    return takes(f, "mask")


def _check_sizes(trial: Trial, member: Group) -> None:
    pairs = [*zip(trial.inputs.words, trial.channels, strict=True)]
    pairs += [(word, 1) for word in trial.outputs.words]
    for word, channels in pairs:
        size = prod((*trial.batch, *member.shape(word), channels))
        if size * 8 > MAX_BYTES:
            k, l = trial.inputs.orders, trial.outputs.orders
            raise SizeError(
                f"{member}, {k} -> {l}: tensors to test with have {readable(size)} entries, more "
                f"than {MAX_BYTES >> 30} GiB: test at a smaller n"
            )


def _drawn(rng: np.random.Generator, shape: tuple[int, ...], dtype: torch.dtype) -> Array:
    found: Array = torch.from_numpy(rng.standard_normal(shape)).to(dtype).double().numpy()
    return found


def _sure(group: Group, most: int) -> list[Any]:
    """Elements to try besides random ones, which may all be in one subgroup: at most so many.

    Where there are more of them, products of some.
    """
    found = _generating(group)
    if not most or not found:
        return []
    parts = [found[i::most] for i in range(min(most, len(found)))]
    return [g for part in parts if not _is_identity(g := reduce(_times, part))]


def _generating(group: Group) -> list[Any]:
    """Elements that with a few random ones generate the group, or nearly surely do."""
    if isinstance(group, Product):
        one = [np.eye(factor.n) for factor in group.factors]
        return [
            (*one[:t], g, *one[t + 1 :])
            for t, factor in enumerate(group.factors)
            for g in _generating(factor)
        ]
    if isinstance(group, O):
        # A reflection: rotations are connected, so that random ones generate them.
        return group.generators()[-1:]
    if isinstance(group, S):
        # A transposition: what random ones may all be is even.
        return group.generators()[:1]
    return group.generators() if isinstance(group, H | PermutationGroup) else []


def _is_identity(g: Any) -> bool:
    return all(
        np.array_equal(one, np.eye(len(one))) for one in (g if isinstance(g, tuple) else (g,))
    )


def _times(g: Any, h: Any) -> Any:
    """The product of two elements."""
    return tuple(map(_times, g, h)) if isinstance(g, tuple) else g @ h


def _telling(
    group: Group,
    rng: np.random.Generator,
    acting: set[int],
    inputs: Sequence[Any],
    outputs: list[Any],
) -> Any:
    """A random element that tells apart what commutes into each of these outputs, and what does not.

    And whose factors in ``acting`` are none of them close to the identity. Where that cannot be had in
    a hundred draws, as for -1 in both of two factors, the one that does most of it.
    """
    best, most = None, (-1, -1)
    for _ in range(100):
        g = group.sample(rng)
        factors = g if isinstance(g, tuple) else (g,)
        moving = sum(np.abs(factors[t] - np.eye(len(factors[t]))).max() > 0.1 for t in acting)
        scales = [_multiplied(group, g, word) for word in inputs]
        told = sum(
            any(one is None or after is None or abs(one - after) > 0.1 for one in scales)
            for after in (_multiplied(group, g, word) for word in outputs)
        )
        if (told, moving) > most:
            best, most = g, (told, moving)
        if most == (len(outputs), len(acting)):
            break
    return best


def _multiplied(group: Group, g: Any, word: Any) -> float | None:
    """What an element multiplies all tensors of an order by; None where it does more.

    Linear maps between orders that it multiplies by the same number all commute with it.
    """
    x = np.random.default_rng(0).standard_normal((*group.shape(word), 1))
    y = group.act(g, x, word)
    scale = float((x * y).sum() / (x * x).sum()) if x.size else 1.0
    return scale if np.abs(y - scale * x).max(initial=0) <= 0.1 else None


def _output(
    y: object, axes: tuple[int, ...], batch: tuple[int, ...], layout: Layout, what: str
) -> Array:
    """An output as an array with channels last."""
    if not isinstance(y, Tensor):
        of = "the function" if what == "output" else f"as {what} the function"
        raise TypeError(f"{of} must return a tensor, got {type(y).__name__}")
    sizes = [*map(str, axes)]
    places = {
        "last": [*map(str, batch), *sizes, "channels"],
        "first": [*map(str, batch), "channels", *sizes],
        "none": [*map(str, batch), *sizes],
    }[layout]
    at = len(batch)
    wanted = (*batch, *axes)
    came = tuple(y.shape)
    if layout != "none":
        came = came[:-1] if layout == "last" else came[:at] + came[at + 1 :]
    if came != wanted or y.ndim != len(places):
        of = "the function" if what == "output" else f"as {what} the function"
        raise ValueError(
            f"{of} must return a tensor of shape ({', '.join(places)}), got {tuple(y.shape)}"
        )
    if y.is_complex():
        raise TypeError(f"the function must return real numbers, got {y.dtype}")
    y = y.unsqueeze(-1) if layout == "none" else y.movedim(at, -1) if layout == "first" else y
    result: Array = y.detach().cpu().double().numpy().copy()
    return result


def _laid_out(x: Tensor, layout: Layout, batch: int) -> Tensor:
    """An input with channels last, in the layout that the function takes."""
    if layout == "none":
        return x.squeeze(-1)
    return x.movedim(-1, batch) if layout == "first" else x


def _largest(y: Array) -> Array:
    """The largest absolute entry of each channel."""
    found: Array = np.abs(y).reshape(-1, y.shape[-1]).max(axis=0, initial=0)
    return found


def _max(before: Array | None, now: Array) -> Array:
    return now if before is None else np.maximum(before, now)


def _random_map(
    rng: np.random.Generator, group: Group, inputs: tuple[Any, ...], output: Any, scales: Array
) -> Callable[[Sequence[Array]], Array]:
    """A random linear map of rank one; unless all maps commute with the group, this one does not.

    It sends standard normal inputs to entries of about ``scales``, whatever n and the orders are.
    """
    shapes = [group.shape(k) for k in inputs]
    reads = [np.asarray(rng.standard_normal(inner)) for inner in shapes]
    length = sum(float((read**2).sum()) for read in reads) ** 0.5
    reads = [read / length for read in reads]
    shape = (*group.shape(output), len(scales))
    usual = np.where(scales > 0, scales, scales.max(initial=0) or 1.0)
    write = usual * rng.choice([-1.0, 1.0], shape) * rng.uniform(0.5, 1.5, shape)

    def apply(xs: Sequence[Array]) -> Array:
        total: Any = 0.0
        for x, read in zip(xs, reads, strict=True):
            first = x[..., 0]
            axes = tuple(range(first.ndim - np.ndim(read), first.ndim))
            total = total + ((first * read).sum(axis=axes) if axes else first * read)
        product: Array = np.multiply.outer(total, write)
        return product

    return apply
