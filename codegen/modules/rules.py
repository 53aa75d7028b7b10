"""What modules do to symmetry: those of ``torch.nn`` by rule, all others by what they say of themselves.

Modules of ours, generated ones, and any that name their group and orders are taken at their word.
Modules of ``torch.nn`` are taken where they commute with the group on the features that reach them:
see ``RULES``. What is neither is refused, unless it is declared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from torch import nn
from torch.nn.utils.parametrize import type_before_parametrizations
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from tannaka.codegen.modules.blocks import (
    WITHOUT_POINTWISE,
    Block,
    Gate,
)
from tannaka.codegen.modules.commuting import (
    Action,
    action,
    contains,
    no_constant,
    no_pointwise,
    without_norm,
)
from tannaka.codegen.modules.features import Features
from tannaka.codegen.network import sizes, word
from tannaka.codegen.trust.check import group_of
from tannaka.codegen.trust.sampled import takes_mask
from tannaka.diagrams.errors import NotEquivariantError

MAKE_WEIGHTS: Any = (WeightNorm, SpectralNorm, BasePruningMethod)
"""Hooks that make a module's weights of others, and leave what passes through it alone."""
Rule: TypeAlias = Callable[[Any, Features], str | None]
"""Why a module of torch does not commute on some features, and what to take instead; None if it does."""


def _rrelu(module: nn.RReLU, features: Features) -> str | None:
    if features.axes and module.lower != module.upper:
        return (
            "in training it draws a slope for each entry, apart from those that the group takes to it; "
            "take nn.LeakyReLU"
        )
    return _pointwise(module, features)


def _glu(module: nn.GLU, features: Features) -> str | None:
    if module.dim != -1 or features.channels % 2:
        return "it halves an axis: take dim=-1, for an even number of channels"
    return _pointwise(module, features)


def _pointwise(module: nn.Module, features: Features) -> str | None:
    reason = no_pointwise(features.group, features.order, odd=False)
    return reason and f"{reason}; {WITHOUT_POINTWISE}"


def _odd(module: nn.Module, features: Features) -> str | None:
    reason = no_pointwise(features.group, features.order, odd=True)
    return reason and f"{reason}; {WITHOUT_POINTWISE}"


def _hardtanh(module: nn.Hardtanh, features: Features) -> str | None:
    return (_odd if module.min_val == -module.max_val else _pointwise)(module, features)


def _prelu(module: nn.PReLU, features: Features) -> str | None:
    if module.num_parameters != 1:
        return "its slopes are for axis 1, channels are last here; take PReLU(), with one slope"
    return _pointwise(module, features)


def _anything(module: nn.Module, features: Features) -> str | None:
    return None


def _channel_map(module: nn.Linear, features: Features) -> str | None:
    if module.in_features != features.channels:
        return f"it takes {module.in_features} channels"
    if module.bias is not None and (reason := no_constant(features.group, features.order)):
        return (
            f"its bias adds one number to all entries of a channel, but {reason}; take bias=False"
        )
    return None


def _dropout(module: nn.Module, features: Features) -> str | None:
    if features.axes:
        return (
            "it drops entries that the group takes to one another apart from each other; take "
            "tn.nn.EquivariantDropout, which drops whole channels"
        )
    return None


def _channels_first(module: nn.Module, features: Features) -> str | None:
    return (
        "it takes axis 1 for the channels, which are last here, so that it would treat positions of "
        "an axis apart; take tn.nn.EquivariantNorm or tn.nn.EquivariantDropout"
    )


def _batch_norm(module: Any, features: Features) -> str | None:
    if features.axes:
        return _channels_first(module, features)
    channels = getattr(module, "num_features", None) or module.num_channels
    return None if channels == features.channels else f"it takes {channels} channels"


def _layer_norm(module: Any, features: Features) -> str | None:
    """Statistics of the last axes: of the channels, or of some that the group acts on too."""
    *covered, _ = module.normalized_shape
    if len(covered) > features.axes:
        return "it covers axes of the batch; take tn.nn.EquivariantNorm"
    if module.weight is not None and any(size != 1 for size in covered):
        return (
            "its weights differ along an axis that the group acts on; take elementwise_affine=False, "
            "or tn.nn.EquivariantNorm"
        )
    types = word(features.order)
    outside, inside = types[: features.axes - len(covered)], types[features.axes - len(covered) :]
    centred = isinstance(module, nn.LayerNorm)
    constant = getattr(module, "bias", None) is not None
    # Each part has statistics of its own: parts may move, and change sign where all is odd.
    parts = action(features.group, outside) <= (Action.MOVED if constant else Action.SIGNED)
    if centred:
        kept = action(features.group, inside) is Action.MOVED
    else:
        kept = without_norm(features.group, inside) is None
    if parts and kept:
        return None
    return (
        f"{features.group} does not keep these means and lengths of entries of order "
        f"{features.order}; take tn.nn.EquivariantNorm"
    )


def _softmax(module: Any, features: Features) -> str | None:
    if module.dim is None or module.dim >= 0:
        return f"dim={module.dim} counts from the batch axes; count from the end, such as dim=-1"
    reason = no_pointwise(features.group, features.order, odd=False)
    return reason and f"{reason}; {WITHOUT_POINTWISE}"


def _flatten(module: nn.Module, features: Features) -> str | None:
    return (
        "it makes channels of axes that the group acts on; take EquivariantLinear or tn.nn.Pool to "
        "order 0"
    )


RULES: dict[type[nn.Module], Rule] = {
    **dict.fromkeys(
        (
            nn.CELU, nn.ELU, nn.GELU, nn.Hardsigmoid, nn.Hardswish, nn.LeakyReLU, nn.LogSigmoid,
            nn.Mish, nn.ReLU, nn.ReLU6, nn.SELU, nn.SiLU, nn.Sigmoid, nn.Softplus,
            nn.Threshold,
        ),
        _pointwise,
    ),
    **dict.fromkeys((nn.Hardshrink, nn.Softshrink, nn.Softsign, nn.Tanh, nn.Tanhshrink), _odd),
    **dict.fromkeys((nn.Dropout, nn.AlphaDropout), _dropout),
    **dict.fromkeys(
        (
            nn.BatchNorm2d, nn.BatchNorm3d,
            nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.LocalResponseNorm,
            nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.FeatureAlphaDropout,
        ),
        _channels_first,
    ),
    **dict.fromkeys((nn.BatchNorm1d, nn.GroupNorm, nn.SyncBatchNorm), _batch_norm),
    nn.Flatten: _flatten,
    nn.GLU: _glu,
    nn.Hardtanh: _hardtanh,
    nn.Identity: _anything,
    nn.LayerNorm: _layer_norm,
    nn.Linear: _channel_map,
    nn.LogSoftmax: _softmax,
    nn.PReLU: _prelu,
    nn.RMSNorm: _layer_norm,
    nn.RReLU: _rrelu,
    nn.Softmax: _softmax,
    nn.Softmin: _softmax,
}  # fmt: skip
"""What modules of ``torch.nn`` do to symmetry. Subclasses are not taken for their parents."""


def features_after(module: nn.Module, *given: Features, where: str = "") -> Features:
    """The features that a module makes of some, one for each of its arguments.

    Raises NotEquivariantError where it does not commute with their group, does not fit them, or is of
    a kind that nothing is known of.

    >>> from tannaka.category import O, S
    >>> print(features_after(nn.ReLU(), Features(S(5), 2, 8)))
    S(5) order 2, 8 channels: (*batch, 5, 5, 8)
    >>> features_after(nn.ReLU(), Features(O(3), 1, 8))
    Traceback (most recent call last):
        ...
    tannaka.diagrams.errors.NotEquivariantError: ReLU() on O(3) order 1, 8 channels: ...
    """
    before = f"{where}: " if where else ""
    if in_a_row(module) and len(given) == 1:
        (found,) = given
        # Of children, a module that stands there twice is named once.
        for name, inner in module._modules.items():
            assert inner is not None
            found = features_after(inner, found, where=f"{where}[{name}]" if where else f"[{name}]")
        return found
    claimed = declared(module)
    if claimed is not None:
        return _fitting(before, module, claimed, given)
    what = f"{before}{brief(module)} on {' and '.join(map(str, given))}"
    kind = kind_of(module)
    if kind not in RULES or len(given) != 1:
        raise NotEquivariantError(
            f"{what}: nothing is known of what it does to symmetry; where it does commute with "
            f"{given[0].group}, say so: tn.nn.Declared(module, features, features), which checks it"
        )
    (features,) = given
    if reason := RULES[kind](module, features):
        raise NotEquivariantError(f"{what}: {reason}")
    if isinstance(module, nn.Linear):
        return Features(features.group, features.order, module.out_features)
    if isinstance(module, nn.GLU):
        return Features(features.group, features.order, features.channels // 2)
    return features


def kind_of(module: nn.Module) -> type[nn.Module] | None:
    """The class whose rule a module follows; None where something was changed in this one."""
    hooks = [*module._forward_hooks.values(), *module._forward_pre_hooks.values()]
    if "forward" in vars(module) or not all(isinstance(hook, MAKE_WEIGHTS) for hook in hooks):
        return None
    return type_before_parametrizations(module)


def in_a_row(module: nn.Module) -> bool:
    """Whether a module is just the modules in it, one after the other."""
    return kind_of(module) is nn.Sequential


def declared(module: nn.Module) -> tuple[tuple[Features, ...], Features] | None:
    """The features that a module says it takes and gives; None where it does not say."""
    if isinstance(module, Block):
        if module.several:
            raise NotEquivariantError(
                f"a graph that gives {' and '.join(module.results)} cannot stand in another network, "
                "whose modules give one tensor each: make its steps steps of that one"
            )
        return module.inputs, module.output
    names = ("group", "in_order", "out_order", "in_channels", "out_channels")
    if any(getattr(module, name, None) is None for name in names):
        return None
    found: Any = module
    group = group_of(module, found.group)
    orders, channels = found.in_order, found.in_channels
    # A list has one for each of several inputs; a word of types is a tuple.
    if not isinstance(orders, list):
        orders, channels = [orders], [channels]
    inputs = tuple(Features(group, *pair) for pair in zip(orders, channels, strict=True))
    return inputs, Features(group, found.out_order, found.out_channels)


def _fitting(
    before: str,
    module: nn.Module,
    claimed: tuple[tuple[Features, ...], Features],
    given: tuple[Features, ...],
) -> Features:
    """The output of a module with claims, where those fit what it is given."""
    inputs, output = claimed
    what = f"{before}{brief(module)}"
    if len(inputs) != len(given):
        raise NotEquivariantError(f"{what} takes {len(inputs)} inputs, got {len(given)}")
    for expected, got in zip(inputs, given, strict=True):
        if not contains(expected.group, got.group):
            raise NotEquivariantError(
                f"{what} commutes with {expected.group}, which does not have all of {got.group}, the "
                "group of its input: make it for that group, or for a larger one"
            )
        if (expected.order, expected.channels) != (got.order, got.channels):
            raise NotEquivariantError(
                f"{what} takes order {expected.order} with {expected.channels} channels, got order "
                f"{got.order} with {got.channels}{_other_gates(module, expected, got)}"
            )
    return Features(given[0].group, output.order, output.channels)


def _other_gates(module: nn.Module, expected: Features, got: Features) -> str:
    """How a gate takes such scalars, where it can."""
    if not isinstance(module, Gate) or expected is not module.inputs[1]:
        return ""
    leading = word(module.output.order)[: got.axes] == word(got.order)
    if not leading or no_pointwise(got.group, got.order, odd=False):
        return ""
    return f"; Gate(..., scalars={got.order!r}) takes gates of that order"


def mixing(module: nn.Module, *given: Features) -> str | None:
    """Why padding would get into real entries of what a module makes of features; None if it does not."""
    if in_a_row(module):
        (found,) = given
        for inner in module._modules.values():
            assert inner is not None
            if reason := mixing(inner, found):
                return reason
            found = features_after(inner, found)
        return None
    padded = any(sizes(one.group.n)[kind] is None for one in given for kind in word(one.order))
    alone = isinstance(module, Block) and module.entrywise
    if not padded or alone or takes_mask(module):
        return None
    known = kind_of(module)
    if known in RULES:
        if isinstance(module, nn.LayerNorm | nn.RMSNorm):
            within = len(module.normalized_shape) == 1
        else:
            within = getattr(module, "dim", -1) == -1
        if within:
            return None
    return without_mask(module)


def without_mask(module: nn.Module) -> str:
    """Why a module is not given a mask that goes with its input."""
    return (
        f"{brief(module)} has no argument mask, and would mix padded points into real ones: call it "
        "without a mask, on inputs of one size"
    )


def keeps_all(module: nn.Module) -> bool:
    """Whether a module lets through whatever its features hold, as far as orders go."""
    claimed = declared(module)
    return claimed is not None and len(claimed[0]) == 1 and claimed[0][0].order == claimed[1].order


def brief(module: nn.Module) -> str:
    """A module in one line."""
    text = repr(module)
    return text if "\n" not in text else f"{type(module).__name__}(...)"
