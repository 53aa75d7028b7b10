"""What stands between linear layers: gates, norms, dropout, pooling; each refuses what breaks symmetry.

A block says what features it takes and gives: ``inputs``, one for each argument, and ``output``. It is
refused at construction, with the reason and with what to take instead, where its function would not
commute with the group.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import torch
from torch import Tensor, nn

from tannaka.category.groups import Group
from tannaka.codegen.modules.cards import Made, network_formats
from tannaka.codegen.modules.commuting import (
    ODD,
    no_constant,
    no_norm,
    no_pointwise,
    without_norm,
)
from tannaka.codegen.modules.features import Features
from tannaka.codegen.modules.masks import check_mask, masked_type, real_points
from tannaka.codegen.network import after, sizes, word
from tannaka.diagrams.diagram import flag
from tannaka.diagrams.errors import NotEquivariantError
from tannaka.diagrams.pictures.bundle import mimebundle

Function: TypeAlias = Callable[[Tensor], Tensor]
Pooling: TypeAlias = Literal["mean", "sum", "max", "norm"]
FUNCTIONS: dict[str, Function] = {
    "celu": torch.celu,
    "elu": nn.functional.elu,
    "gelu": nn.functional.gelu,
    "leaky_relu": nn.functional.leaky_relu,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "silu": nn.functional.silu,
    "softplus": nn.functional.softplus,
    "softsign": nn.functional.softsign,
    "tanh": torch.tanh,
}
"""Functions of each entry, by their names."""
WITHOUT_POINTWISE = (
    "take tn.nn.Gate or tn.nn.NormActivation, a bilinear layer, or features of order 0"
)


WITHOUT_NORM = "take tn.nn.Gate, with scalars from a bilinear layer or a linear one to order 0"


class Block(nn.Module):
    """A module that says which features it takes and gives."""

    inputs: tuple[Features, ...]
    output: Features
    entrywise = False
    """Whether what is made at a point depends on that point alone, so that padding is no concern."""
    sized = False
    """Whether something in it has to be told n, of a family, that its own inputs do not say."""
    several = False
    """Whether it gives several tensors by name, which no module takes as they are."""
    results: tuple[str, ...] = ()
    """Their names."""

    @property
    def group(self) -> Group:
        """The group that the block commutes with."""
        return self.output.group

    @property
    def in_order(self) -> Any:
        """The order of the input; a list of orders where there are several."""
        orders = [one.order for one in self.inputs]
        return orders[0] if len(orders) == 1 else orders

    @property
    def out_order(self) -> Any:
        """The order of the output."""
        return self.output.order

    @property
    def in_channels(self) -> Any:
        """The channels of the input; a list where there are several."""
        channels = [one.channels for one in self.inputs]
        return channels[0] if len(channels) == 1 else channels

    @property
    def out_channels(self) -> int:
        """The channels of the output."""
        return self.output.channels

    def made(self) -> list[Made]:
        """What is made of the inputs on the way to the output, one after the other."""
        names = ["x"] if len(self.inputs) == 1 else [f"x{i + 1}" for i in range(len(self.inputs))]
        given = [Made(name, features) for name, features in zip(names, self.inputs, strict=True)]
        return [*given, Made("y", self.output, self, tuple(names))]

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        return mimebundle(network_formats(self, self.made()), include, exclude)

    def extra_repr(self) -> str:
        """The features of the input."""
        return "; ".join(map(str, self.inputs))


def check_input(x: Tensor, expected: Features) -> None:
    """Raise TypeError or ValueError unless a tensor has the shape of these features."""
    if not isinstance(x, Tensor):
        raise TypeError(f"the input must be a torch.Tensor, got {type(x).__name__}")
    found = sizes(expected.group.n)
    wanted = (*(found[kind] for kind in word(expected.order)), expected.channels)
    got = tuple(x.shape[x.ndim - len(wanted) :]) if x.ndim >= len(wanted) else ()
    # One size for all axes of a type that a family leaves open.
    known: dict[int, int] = {}
    fits = len(got) == len(wanted) and all(
        size == (known.setdefault(kind, size) if want is None else want)
        for kind, size, want in zip((*word(expected.order), -1), got, wanted, strict=True)
    )
    if not fits:
        raise ValueError(f"expected {expected}, got a tensor of shape {tuple(x.shape)}")


def check_made(eps: Any, dtype: Any) -> None:
    """Raise TypeError or ValueError for what is no small number, or no type of learned numbers."""
    if isinstance(eps, bool) or not isinstance(eps, int | float | np.floating):
        raise TypeError(f"eps must be a number, 0 <= eps < infinity, got {eps!r}")
    if not 0 <= eps < float("inf"):
        raise ValueError(f"eps must be a number, 0 <= eps < infinity, got {eps!r}")
    if dtype is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise TypeError(f"the dtype must be a floating-point type, got {dtype!r}")


def _check_real(x: Tensor) -> None:
    """Raise TypeError where lengths would be rounded to integers, or squares be no lengths."""
    if not x.is_floating_point():
        raise TypeError(
            f"lengths are of floating-point numbers, the input is {x.dtype}: give x.float()"
        )


def real_entries(mask: Tensor, x: Tensor, features: Features) -> Tensor:
    """Which entries of padded features are real, of shape (*batch, n, ..., n, 1).

    ``mask``, of shape (*batch, n), says which points of the family are; TypeError or ValueError
    unless it is one of these features.
    """
    kind, types = masked_type(features.group), word(features.order)
    batch = tuple(x.shape[: x.ndim - 1 - len(types)])
    check_mask(mask, x, batch, x.shape[len(batch) + types.index(kind)] if kind in types else None)
    return real_points(mask, types, kind)


def zero_padding(x: Tensor, mask: Tensor, features: Features) -> Tensor:
    """Features with 0 where no point is real."""
    return torch.where(real_entries(mask, x, features), x, x.new_zeros(()))


def _mean(
    x: Tensor, features: Features, each: Features, mask: Tensor | None, *, channels: bool
) -> Tensor:
    """The mean over all group axes after those of ``each``, over channels too if asked for.

    Of what is real; the axes stay, with size 1.
    """
    axes = tuple(range(each.axes - features.axes - 1, -1)) + ((-1,) if channels else ())
    if not axes:
        return x
    if mask is None:
        return x.mean(axes, keepdim=True) if x.numel() else x.sum(axes, keepdim=True)
    # Sums of halves, and numbers of entries, may be too large for halves; their mean is not.
    wide = zero_padding(x, mask, features).to(torch.promote_types(x.dtype, torch.float32))
    count = real_entries(mask, x, features).expand_as(x).sum(axes, keepdim=True).clamp(min=1)
    return (wide.sum(axes, keepdim=True) / count).to(x.dtype)


def function_of(name: str | Function) -> Function:
    """A function by its name, or itself. Raises ValueError for names that are not known."""
    if callable(name):
        return name
    if not isinstance(name, str) or name not in FUNCTIONS:
        raise ValueError(f"there is no function {name!r}; choose one of {', '.join(FUNCTIONS)}")
    return FUNCTIONS[name]


class Pointwise(Block):
    """A function of each entry by itself, where that commutes with the group.

    Any function does with groups that permute entries: S(n), A(n), automorphisms of graphs, groups of
    permutations; and on features of order 0. Where signs change too, H(n), odd functions do. With O(n),
    SO(n) and Sp(n) none does but linear ones. ``function`` is a name such as ``"relu"`` or a callable;
    of a callable ``odd`` says that f(-x) = -f(x), which is tried.

    Raises NotEquivariantError where it does not commute, ValueError for unknown names.
    Source: arXiv:2401.09235, the characterization theorem.

    >>> from tannaka.category import O, S
    >>> Pointwise(S(5), 2, 8, "relu")(torch.ones(5, 5, 8)).shape
    torch.Size([5, 5, 8])
    >>> from tannaka.category import O
    >>> Pointwise(O(3), 1, 8, "relu")
    Traceback (most recent call last):
        ...
    tannaka.diagrams.errors.NotEquivariantError: relu of each entry does not commute: O(3) adds up ...
    """

    entrywise = True

    def __init__(
        self,
        group: Group,
        order: Any,
        channels: int,
        function: str | Function,
        *,
        odd: bool | None = None,
    ) -> None:
        super().__init__()
        self.output = Features(group, order, channels)
        self.inputs = (self.output,)
        self.function = function_of(function)
        self.name = function if isinstance(function, str) else _name(function)
        self.odd = function in ODD if odd is None else odd
        _try_function(self.function, self.name, odd=self.odd)
        if reason := no_pointwise(self.output.group, self.output.order, odd=self.odd):
            raise NotEquivariantError(
                f"{self.name} of each entry does not commute: {reason}; {WITHOUT_POINTWISE}"
            )

    def forward(self, x: Tensor) -> Tensor:
        """Apply the function to each entry."""
        check_input(x, self.output)
        return self.function(x)

    def extra_repr(self) -> str:
        """The function, and the features."""
        return f"{self.name}, {super().extra_repr()}"


def _try_function(function: Function, name: str, *, odd: bool) -> None:
    """Raise ValueError where a function is not one of each entry by itself, or not odd."""
    own = next(function.parameters(), None) if isinstance(function, nn.Module) else None
    like = torch.empty(0, dtype=torch.float64) if own is None else own.detach()
    if like.is_meta:
        return
    x = torch.linspace(-4, 4, 65, dtype=like.dtype, device=like.device).reshape(1, 5, 13)
    with torch.no_grad():
        y = function(x.clone())
        moved = torch.randperm(65, generator=torch.Generator().manual_seed(0))
        if y.shape != x.shape or not torch.allclose(
            function(x.flatten()[moved].reshape(x.shape)).flatten(), y.flatten()[moved]
        ):
            raise ValueError(
                f"{name} is not a function of each entry by itself: with entries in other places it gives "
                "others; tn.nn.Declared takes what commutes as a whole"
            )
        if odd and not torch.allclose(y.flatten().flip(0), -y.flatten()):
            raise ValueError(f"{name} is not odd: f(-x) is not -f(x) for all of -4 .. 4")


class Gate(Block):
    """Features times a function of invariant scalars, one for each channel: y = x f(s).

    Takes x of shape (*batch, n, ..., n, channels) and s of shape (*batch, channels), which some layer
    to order 0 made, and commutes with every group. For Sp(n), where vectors have no length, it is the
    nonlinearity that there is, besides bilinear layers.

    ``scalars`` is the order of s where there is a gate for each point rather than one for all: its
    axes are the first of those of x, and the group must permute entries along them. Raises ValueError
    for other axes, NotEquivariantError where the group does more.

    >>> from tannaka.category import O, S
    >>> gate = Gate(O(3), 1, 8)
    >>> gate(torch.ones(5, 3, 8), torch.zeros(5, 8))[0, 0, 0]
    tensor(0.5000)
    >>> each = Gate(S() * O(3), (0, 1), 8, scalars=(0,))  # vectors at points, a gate at each point
    >>> each(torch.ones(7, 3, 8), torch.zeros(7, 8)).shape
    torch.Size([7, 3, 8])
    """

    entrywise = True

    def __init__(
        self,
        group: Group,
        order: Any,
        channels: int,
        function: str | Function = "sigmoid",
        *,
        scalars: Any = None,
    ) -> None:
        super().__init__()
        self.output = Features(group, order, channels)
        gates = _first_axes(self.output, scalars, "scalars")
        if reason := no_pointwise(self.output.group, gates.order, odd=False):
            raise NotEquivariantError(f"gates of order {gates.order} do not commute: {reason}")
        self.inputs = (self.output, gates)
        self.function = function_of(function)

    def forward(self, x: Tensor, s: Tensor) -> Tensor:
        """Multiply all entries of a channel by the function of their scalar."""
        for tensor, expected in zip((x, s), self.inputs, strict=True):
            check_input(tensor, expected)
        return x * _spread(self.function(s), self.output, self.inputs[1].axes)


class NormActivation(Block):
    """Features times a function of their norm in each channel: y = x f(|x| + b).

    |x| is the root mean square over the axes that the group acts on; b is learned, one for each
    channel. It commutes with groups of orthogonal matrices: all but Sp(n), which keeps no length.
    Raises NotEquivariantError for that.

    ``each`` is the order of the first axes, for each index of which there is a norm of its own, such as
    that of the vector at each point: the group may move entries along them, and change signs.
    ValueError for other axes, NotEquivariantError where the group does more.

    >>> from tannaka.category import O
    >>> x = torch.tensor([[3.0], [4.0], [0.0]])
    >>> NormActivation(O(3), 1, 1, "relu")(x).flatten().tolist()[2]
    0.0
    >>> from tannaka.category import S
    >>> at_points = NormActivation(S() * O(3), (0, 1), 1, "tanh", each=(0,))
    >>> at_points(torch.eye(3)[:2, :, None])[..., 0].norm(dim=1).round(decimals=3)
    tensor([0.5210, 0.5210], grad_fn=<RoundBackward1>)
    """

    def __init__(
        self,
        group: Group,
        order: Any,
        channels: int,
        function: str | Function = "sigmoid",
        *,
        each: Any = None,
        eps: float = 1e-12,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.output = Features(group, order, channels)
        self.inputs = (self.output,)
        self.each = _first_axes(self.output, each, "each")
        _require_norm(type(self).__name__, self.output, self.each)
        check_made(eps, dtype)
        self.function = function_of(function)
        self.eps = eps
        self.bias = nn.Parameter(torch.zeros(channels, device=device, dtype=dtype))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Multiply each channel by the function of its norm; ``mask`` says which points are real."""
        check_input(x, self.output)
        _check_real(x)
        # Squares of small halves vanish.
        if mask is not None:
            x = zero_padding(x, mask, self.output)
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        norm = (_mean(wide * wide, self.output, self.each, mask, channels=False) + self.eps).sqrt()
        return x * self.function(norm.to(x.dtype) + self.bias)


class EquivariantNorm(Block):
    """Features divided by their root mean square over channels and all axes, for each sample.

    Then multiplied by ``weight``, one for each channel. ``center`` subtracts the mean of each channel
    first, and ``bias`` adds a constant to it at the end: both are for groups that permute entries, and
    a bias for order 0. Raises NotEquivariantError where the group keeps no constants, or no length.

    ``each`` is the order of the first axes, for each index of which there are statistics of their own:
    of each point alone, rather than of all. As for :class:`NormActivation`.

    >>> from tannaka.category import O
    >>> EquivariantNorm(O(3), 1, 2)(torch.full((3, 2), 5.0)).mean().round(decimals=3)
    tensor(1., grad_fn=<RoundBackward1>)
    """

    def __init__(
        self,
        group: Group,
        order: Any,
        channels: int,
        *,
        each: Any = None,
        center: bool = False,
        bias: bool = False,
        eps: float = 1e-5,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.output = Features(group, order, channels)
        self.inputs = (self.output,)
        self.each = _first_axes(self.output, each, "each")
        _require_norm(type(self).__name__, self.output, self.each)
        check_made(eps, dtype)
        flag("center", center)
        flag("bias", bias)
        inside = after(self.output.order, self.each.order)
        if center and not word(inside):
            raise ValueError(
                f"center=True would leave nothing: of order {self.output.order} each entry is its own "
                "mean; torch.nn.LayerNorm(channels) subtracts the mean of all channels"
            )
        for wanted, order, what in (
            (center, inside, "center=True"),
            (bias, self.output.order, "bias=True"),
        ):
            reason = no_constant(self.output.group, order)
            if wanted and reason:
                raise NotEquivariantError(f"EquivariantNorm with {what}: {reason}; leave it out")
        self.center, self.eps = center, eps
        self.weight = nn.Parameter(torch.ones(channels, device=device, dtype=dtype))
        if bias:
            self.bias = nn.Parameter(torch.zeros(channels, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Normalise each sample; with a mask, by its real points alone."""
        check_input(x, self.output)
        _check_real(x)
        if mask is not None:
            x = zero_padding(x, mask, self.output)
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        if self.center:
            wide = wide - _mean(wide, self.output, self.each, mask, channels=False)
        square = _mean(wide * wide, self.output, self.each, mask, channels=True)
        y = (wide * (square + self.eps).rsqrt()).to(x.dtype) * self.weight
        y = y if self.bias is None else y + self.bias
        return y if mask is None else zero_padding(y, mask, self.output)


class EquivariantDropout(Block):
    """Channels set to 0 at random in training, each with all entries of a sample; others scaled up.

    Dropping single entries would break the symmetry: f(g x) and g f(x) would lose different ones.

    >>> from tannaka.category import O
    >>> EquivariantDropout(O(3), 2, 4, p=0.5).eval()(torch.ones(3, 3, 4)).sum()
    tensor(36.)
    """

    entrywise = True

    def __init__(self, group: Group, order: Any, channels: int, p: float = 0.5) -> None:
        super().__init__()
        self.output = Features(group, order, channels)
        self.inputs = (self.output,)
        if not 0 <= p < 1:
            raise ValueError(f"p must be a probability, 0 <= p < 1, got {p!r}")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Drop whole channels of each sample, in training."""
        check_input(x, self.output)
        if not self.training or self.p == 0:
            return x
        batch = x.shape[: x.ndim - 1 - self.output.axes]
        kept = x.new_empty((*batch, x.shape[-1])).bernoulli_(1 - self.p) / (1 - self.p)
        return x * _spread(kept, self.output)

    def extra_repr(self) -> str:
        """The probability, and the features."""
        return f"p={self.p}, {super().extra_repr()}"


class Pool(Block):
    """Features of any order to invariants, of order 0, by taking all entries of a channel together.

    ``how``: ``"mean"``, ``"sum"`` and ``"max"`` where the group permutes entries, ``"norm"``, the root
    of the mean square, where it is of orthogonal matrices. ``EquivariantLinear(group, k, 0, ...)``
    has all linear ones. What is taken of no points at all is 0, also with ``"max"``. Raises
    NotEquivariantError where it does not commute.

    ``each`` is the order of the first axes that stay, and of the output: with ``each=(0,)`` the lengths
    of the vectors at points, say. ValueError for other axes.

    >>> from tannaka.category import S
    >>> Pool(S(4), 2, 3, "max")(torch.ones(7, 4, 4, 3)).shape
    torch.Size([7, 3])
    """

    def __init__(
        self, group: Group, order: Any, channels: int, how: Pooling = "mean", *, each: Any = None
    ) -> None:
        super().__init__()
        taken = Features(group, order, channels)
        self.inputs, self.how = (taken,), how
        self.output = _first_axes(taken, each, "each")
        if how not in get_args(Pooling):
            raise ValueError(f"how must be 'mean', 'sum', 'max' or 'norm', got {how!r}")
        inside = after(taken.order, self.output.order)
        if how == "norm":
            _require_norm("Pool with how='norm'", taken, self.output)
        elif no_constant(taken.group, inside):
            raise NotEquivariantError(
                f"the {how} of all entries is no invariant: {taken.group} does not permute entries of "
                f"order {taken.order}; take how='norm', or EquivariantLinear to order "
                f"{self.output.order}"
            )
        reason = no_constant(taken.group, self.output.order)
        if how in ("norm", "max") and reason:
            raise NotEquivariantError(
                f"the {how} of entries does not change signs as they do: {reason}; take how='mean', or "
                f"EquivariantLinear to order {self.output.order}"
            )

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map (*batch, n, ..., n, channels) to (*batch, channels), or with the first axes kept."""
        y = self._pooled(x, mask)
        return y if mask is None or not self.output.axes else zero_padding(y, mask, self.output)

    def _pooled(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """The same, with anything at points that are not real."""
        (taken,) = self.inputs
        check_input(x, taken)
        if self.how == "norm":
            _check_real(x)
        axes = tuple(range(self.output.axes - taken.axes - 1, -1))
        if not axes:
            return x.abs() if self.how == "norm" else x
        if self.how == "norm":
            if mask is not None:
                # Before squares, since 0 times NaN, in a gradient, is NaN.
                x = zero_padding(x, mask, taken)
            wide = x.to(torch.promote_types(x.dtype, torch.float32))
            square = _mean(wide * wide, taken, self.output, mask, channels=False)
            return square.sum(axes).add(1e-24).sqrt().to(x.dtype)
        if self.how == "mean":
            return _mean(x, taken, self.output, mask, channels=False).sum(axes)
        if self.how == "sum":
            return (x if mask is None else zero_padding(x, mask, taken)).sum(axes)
        if not x.numel():
            return x.sum(axes)
        if mask is None:
            return x.amax(axes)
        real = real_entries(mask, x, taken).expand_as(x)
        y = torch.where(real, x, x.new_full((), -torch.inf)).amax(axes)
        return torch.where(real.any(axes), y, y.new_zeros(()))

    def extra_repr(self) -> str:
        """How it pools, and what."""
        return f"{self.how}, {super().extra_repr()}"


def _spread(s: Tensor, features: Features, has: int = 0) -> Tensor:
    """Scalars that have the first axes of some features, with axes of size 1 for the others."""
    return s.reshape(*s.shape[:-1], *[1] * (features.axes - has), s.shape[-1])


def _first_axes(features: Features, order: Any, name: str) -> Features:
    """Features that have some of the first axes of others; none unless an order is given."""
    unit: Any = 0 if isinstance(features.order, int) else ()
    found = Features(features.group, unit if order is None else order, features.channels)
    after(features.order, found.order, name)
    return found


def _require_norm(what: str, features: Features, each: Features) -> None:
    """Raise NotEquivariantError unless lengths are kept, for each index of the first axes."""
    if reason := no_norm(features.group, features.order, each.order):
        length = without_norm(features.group, after(features.order, each.order)) is not None
        raise NotEquivariantError(
            f"{what}: {reason}; {WITHOUT_NORM if length else f'leave out each={each.order!r}'}"
        )


def _name(function: Any) -> str:
    return getattr(function, "__name__", type(function).__name__)
