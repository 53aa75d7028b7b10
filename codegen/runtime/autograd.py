"""Derivatives of a layer of every order, from the flipped plan.

Paired with g, a layer is trilinear in its input x, its weight W and g. So it needs three functions,
and every derivative of one of them is made of the three again:

* ``Y(x, W)``, the layer;
* ``X(W, g)``, the gradient of the input: the layer with every diagram flipped;
* ``Z(x, g)``, the gradient of the weight.

The bias adds a linear map of its own, whose gradient is part of Z. Backward saves x and W only: the
contractions of x are taken again, which costs a read of x, and no more than a copy of it would.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch._C._functorch import is_legacy_batchedtensor
from torch.autograd import forward_ad

Maybe = Tensor | None


@dataclass(frozen=True, eq=False)
class Kernels:
    """The functions of one plan, as ``backends`` write them; n is the size of each type of axis."""

    apply: Callable[[Tensor, Tensor, Maybe, Any], Tensor]
    """(x, weight, bias, n) -> y."""
    gradients: Callable[[Tensor, Tensor, Tensor, Any], tuple[Tensor, Tensor, Maybe]]
    """(x, weight, g, n) -> the gradients of x, weight and bias."""
    input_gradient: Callable[[Tensor, Tensor, Any], Tensor]
    """(weight, g, n) -> the gradient of x."""
    weight_gradient: Callable[[Tensor, Tensor, Any], tuple[Tensor, Maybe]]
    """(x, g, n) -> the gradients of weight and bias."""
    under_vmap: Callable[[], Kernels] | None = None
    """What makes the functions that run under vmap, and that autograd may differentiate there;
    None where these do."""

    looped: bool = False
    """Whether under vmap they are called for one of the batch after the other."""

    @cached_property
    def batched(self) -> Kernels:
        """The functions that run under vmap."""
        return self if self.under_vmap is None else self.under_vmap()


Of: TypeAlias = tuple[Kernels, Any]
"""The kernels of a plan, and the n that they run at."""


def ready(x: Tensor, weight: Tensor, bias: Maybe) -> tuple[Tensor, Tensor, Maybe]:
    """The arguments of a layer in one dtype: under autocast, the one it is set to."""
    x, weight = matched(x, weight)
    return x, weight, bias.to(x.dtype) if bias is not None and casting(x) else bias


def matched(x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Both in one dtype: under autocast, the one it is set to."""
    if casting(x) and not x.dtype == weight.dtype == torch.float64:
        dtype = torch.get_autocast_dtype(x.device.type)
        return x.to(dtype), weight.to(dtype)
    return x, weight


def casting(x: Tensor) -> bool:
    """Whether autocast is on where a tensor is."""
    return x.device.type != "meta" and torch.is_autocast_enabled(x.device.type)


def uncast(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of tensors in one dtype, with autocast off while it runs.

    On GPUs autocast sums short floats in float32, and in place nothing is cast: products would meet
    factors of two dtypes, and results have another one than the arguments.
    """

    def run(*arguments: Any) -> Any:
        if not casting(arguments[0]):
            return function(*arguments)
        with torch.autocast(arguments[0].device.type, enabled=False):
            return function(*arguments)

    return run


def layer(of: Of, x: Tensor, weight: Tensor, bias: Maybe) -> Tensor:
    """``Y(x, W)`` plus the bias, differentiable any number of times, and under ``torch.func``."""
    if torch.compiler.is_compiling():
        # What the compiler traces it differentiates by itself, and as well: it sees every step.
        kernels, n = of
        if bias is not None and bias.requires_grad and not weight.requires_grad:
            weight = seeing(weight, bias)
        return kernels.apply(x, weight, bias, n)
    if _constant(of, x, weight, *(() if bias is None else (bias,))):
        return of[0].batched.apply(x, weight, bias, of[1])
    if not _recorded():
        kernels, n = of
        return kernels.apply(x, weight, bias, n)
    if _forward_over_forward():
        kernels, n = of
        if kernels.under_vmap is None:
            raise NotImplementedError(
                "kernels that PyTorch does not see into have no derivative forward over forward, "
                "as in jacfwd(jacfwd(f)): take jacfwd(jacrev(f)), or backend='einsum'"
            )
        return kernels.batched.apply(x, weight, bias, n)
    found: Tensor = _Layer.apply(x, weight, bias, of)  # type: ignore[no-untyped-call]
    return found


def seeing(weight: Tensor, bias: Tensor) -> Tensor:
    """The weight, as a tensor that depends on the bias too, by an empty sum.

    Kernels add the bias in place to what the weight gives. Autograd and vmap take that only where
    that depends on the bias as well, as it does not if the weight is frozen.
    """
    return weight + bias[:0].sum()


def _forward_over_forward() -> bool:
    """Whether forward derivatives are taken of forward derivatives.

    PyTorch takes what a rule for jvp computes as constant then, and without a word loses the terms
    in which two arguments vary.
    """
    stack = torch._C._functorch.get_interpreter_stack()
    levels = [level.key() for level in stack or ()]
    return levels.count(torch._C._functorch.TransformType.Jvp) > 1


def _recorded() -> bool:
    """Whether anything may want derivatives: where nothing does, a Function only costs time.

    In inference mode nothing does, even where gradients are enabled inside of it, and a Function
    would fail to save what it is given.
    """
    return (
        (torch.is_grad_enabled() and not torch.is_inference_mode_enabled())
        or torch._C._are_functorch_transforms_active()
        or forward_ad._current_level >= 0
    )


def _constant(of: Of, *tensors: Tensor) -> bool:
    """Whether what a Function gives would be a constant, though it has derivatives.

    So it is where a batch of gradients is taken at once, by ``is_grads_batched`` or
    ``vectorize=True``, and derivatives of these are wanted.
    """
    if not torch.is_grad_enabled() or not any(map(is_legacy_batchedtensor, tensors)):
        return False
    if of[0].under_vmap is None:
        raise NotImplementedError(
            "kernels that PyTorch does not see into have no second derivatives of a batch of "
            "gradients, as in jacobian(f, x, create_graph=True, vectorize=True): take "
            "torch.func.jacrev, or backend='einsum'"
        )
    return True


def _input_gradient(of: Of, weight: Tensor, g: Tensor) -> Tensor:
    if _constant(of, weight, g):
        return of[0].batched.input_gradient(weight, g, of[1])
    if not _recorded():
        kernels, n = of
        return kernels.input_gradient(weight, g, n)
    found: Tensor = _InputGradient.apply(weight, g, of)  # type: ignore[no-untyped-call]
    return found


def _weight_gradient(of: Of, x: Tensor, g: Tensor) -> tuple[Tensor, Maybe]:
    if _constant(of, x, g):
        return of[0].batched.weight_gradient(x, g, of[1])
    if not _recorded():
        kernels, n = of
        return kernels.weight_gradient(x, g, n)
    of_weight, of_bias = _WeightGradient.apply(x, g, of)  # type: ignore[no-untyped-call]
    return of_weight, of_bias


def _gradients(of: Of, x: Tensor, weight: Tensor, g: Tensor) -> tuple[Tensor, Tensor, Maybe]:
    if _constant(of, x, weight, g):
        return of[0].batched.gradients(x, weight, g, of[1])
    if not _recorded():
        kernels, n = of
        return kernels.gradients(x, weight, g, n)
    of_x, of_weight, of_bias = _Gradients.apply(x, weight, g, of)  # type: ignore[no-untyped-call]
    return of_x, of_weight, of_bias


def _along(of: Of, x: Tensor, weight: Tensor, bias: Maybe) -> Tensor:
    """The layer at changes of weight and bias.

    Where a batch of them is taken at once, by ``is_grads_batched`` or ``vectorize=True``, the
    change of the bias may be batched and that of the weight not.
    """
    return layer(of, x, weight if bias is None else seeing(weight, bias), bias)


def _sum(*terms: Maybe) -> Maybe:
    total: Maybe = None
    for term in terms:
        if term is not None:
            total = term if total is None else total + term
    return total


class _Layer(torch.autograd.Function):
    """Y(x, W) + bias."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Maybe, of: Of) -> Tensor:
        kernels, n = of
        return kernels.apply(x, weight, bias, n)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        x, weight, bias, ctx.of = inputs
        ctx.save_for_backward(x, weight)
        ctx.save_for_forward(x, weight)
        ctx.biased = bias is not None

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (g,) = grads
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias = _needed(ctx, x, weight, g)
        return of_x, of_weight, of_bias if ctx.biased else None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        dx, dweight, dbias, *_ = tangents
        x, weight = ctx.saved_tensors
        parts = [layer(ctx.of, dx, weight, None)] if dx is not None else []
        if dweight is not None or dbias is not None:
            dweight = torch.zeros_like(weight) if dweight is None else dweight
            parts.append(_along(ctx.of, x, dweight, dbias))
        return _sum(*parts)

    @staticmethod
    def vmap(info: Any, in_dims: Any, x: Tensor, weight: Tensor, bias: Maybe, of: Of) -> Any:
        if in_dims[1] is None and in_dims[2] is None:
            return layer(of, x.movedim(in_dims[0], 0), weight, bias), 0
        if bias is not None:
            weight = seeing(weight, bias)
        return _each(info, in_dims[:3], (x, weight, bias), of, layer, of[0].batched.apply), 0


def _needed(ctx: Any, x: Tensor, weight: Tensor, g: Tensor) -> tuple[Maybe, Maybe, Maybe]:
    """The gradients of x, weight and bias, those that are asked for."""
    of_input, of_parameters = ctx.needs_input_grad[0], any(ctx.needs_input_grad[1:3])
    if of_input and of_parameters:
        return _gradients(ctx.of, x, weight, g)
    if of_input:
        return _input_gradient(ctx.of, weight, g), None, None
    return None, *_weight_gradient(ctx.of, x, g)


class _InputGradient(torch.autograd.Function):
    """X(W, g)."""

    @staticmethod
    def forward(weight: Tensor, g: Tensor, of: Of) -> Tensor:
        kernels, n = of
        return kernels.input_gradient(weight, g, n)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        weight, g, ctx.of = inputs
        ctx.save_for_backward(weight, g)
        ctx.save_for_forward(weight, g)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (h,) = grads
        weight, g = ctx.saved_tensors
        of_weight = of_g = None
        if ctx.needs_input_grad[0]:
            of_weight, _ = _weight_gradient(ctx.of, h, g)
        if ctx.needs_input_grad[1]:
            of_g = layer(ctx.of, h, weight, None)
        return of_weight, of_g, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        dweight, dg, *_ = tangents
        weight, g = ctx.saved_tensors
        return _sum(
            None if dweight is None else _input_gradient(ctx.of, dweight, g),
            None if dg is None else _input_gradient(ctx.of, weight, dg),
        )

    @staticmethod
    def vmap(info: Any, in_dims: Any, weight: Tensor, g: Tensor, of: Of) -> Any:
        if in_dims[0] is None:
            return _input_gradient(of, weight, g.movedim(in_dims[1], 0)), 0
        return _each(
            info, in_dims[:2], (weight, g), of, _input_gradient, of[0].batched.input_gradient
        ), 0


class _WeightGradient(torch.autograd.Function):
    """Z(x, g)."""

    @staticmethod
    def forward(x: Tensor, g: Tensor, of: Of) -> tuple[Tensor, Maybe]:
        kernels, n = of
        return kernels.weight_gradient(x, g, n)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        x, g, ctx.of = inputs
        ctx.save_for_backward(x, g)
        ctx.save_for_forward(x, g)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        h_weight, h_bias = grads
        x, g = ctx.saved_tensors
        of_x = of_g = None
        if ctx.needs_input_grad[0]:
            of_x = _input_gradient(ctx.of, h_weight, g)
        if ctx.needs_input_grad[1]:
            of_g = _along(ctx.of, x, h_weight, h_bias)
        return of_x, of_g, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        dx, dg, *_ = tangents
        x, g = ctx.saved_tensors
        parts = [] if dg is None else [_weight_gradient(ctx.of, x, dg)]
        if dx is not None:
            of_weight, of_bias = _weight_gradient(ctx.of, dx, g)
            # The bias does not see x.
            parts.append((of_weight, None if of_bias is None else torch.zeros_like(of_bias)))
        of_weights, of_biases = zip(*parts, strict=True)
        return _sum(*of_weights), _sum(*of_biases)

    @staticmethod
    def vmap(info: Any, in_dims: Any, x: Tensor, g: Tensor, of: Of) -> Any:
        found = _each(
            info, in_dims[:2], (x, g), of, _weight_gradient, of[0].batched.weight_gradient, 2
        )
        return found, (0, None if found[1] is None else 0)


class _Gradients(torch.autograd.Function):
    """X(W, g) and Z(x, g) together, with the contractions of g taken once."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, g: Tensor, of: Of) -> tuple[Tensor, Tensor, Maybe]:
        kernels, n = of
        return kernels.gradients(x, weight, g, n)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        x, weight, g, ctx.of = inputs
        ctx.save_for_backward(x, weight, g)
        ctx.save_for_forward(x, weight, g)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        h_x, h_weight, h_bias = grads
        x, weight, g = ctx.saved_tensors
        of_x = of_weight = of_g = None
        if ctx.needs_input_grad[0]:
            of_x = _input_gradient(ctx.of, h_weight, g)
        if ctx.needs_input_grad[1]:
            of_weight, _ = _weight_gradient(ctx.of, h_x, g)
        if ctx.needs_input_grad[2]:
            of_g = layer(ctx.of, h_x, weight, None) + _along(ctx.of, x, h_weight, h_bias)
        return of_x, of_weight, of_g, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        dx, dweight, dg, *_ = tangents
        x, weight, g = ctx.saved_tensors
        zero = torch.zeros_like
        of_x, of_weight, of_bias = _gradients(ctx.of, x, weight, zero(g) if dg is None else dg)
        if dx is not None:
            of_weight = of_weight + _weight_gradient(ctx.of, dx, g)[0]
        if dweight is not None:
            of_x = of_x + _input_gradient(ctx.of, dweight, g)
        return of_x, of_weight, of_bias

    @staticmethod
    def vmap(info: Any, in_dims: Any, x: Tensor, weight: Tensor, g: Tensor, of: Of) -> Any:
        found = _each(info, in_dims[:3], (x, weight, g), of, _gradients, of[0].batched.gradients, 3)
        return found, (0, 0, None if found[2] is None else 0)


for _function in (_Layer, _InputGradient, _WeightGradient, _Gradients):
    # PyTorch asks for it at each call, which takes longer than a small layer.
    setattr(_function.forward, "__signature__", inspect.signature(_function.forward))  # noqa: B010


DIFFERENTIABLE: dict[str, type[torch.autograd.Function]] = {
    "apply": _Layer,
    "gradients": _Gradients,
    "input_gradient": _InputGradient,
    "weight_gradient": _WeightGradient,
}
"""The functions of :class:`Kernels` with derivatives: they take what those take, and ``Of``."""


def _each(
    info: Any,
    in_dims: Any,
    tensors: tuple[Maybe, ...],
    of: Of,
    differentiable: Callable[..., Any],
    run: Callable[..., Any],
    results: int = 1,
) -> Any:
    """Run a kernel for each of the batch, all tensors batched: in-place steps want it so.

    Of its ``results`` the last may be None. ``differentiable`` is the function that runs the kernel
    and knows its derivatives.
    """
    if of[0].looped:
        return _one_by_one(info, in_dims, tensors, of, differentiable)
    given = [tensor for tensor in tensors if tensor is not None]
    dims = [dim for dim, tensor in zip(in_dims, tensors, strict=True) if tensor is not None]
    stacked = [
        tensor.expand(info.batch_size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
        for tensor, dim in zip(given, dims, strict=True)
    ]

    def one(*parts: Tensor) -> Any:
        left = iter(parts)
        found = run(*(None if tensor is None else next(left) for tensor in tensors), of[1])
        if isinstance(found, tuple):
            return tuple(part for part in found if part is not None)
        return found

    found = torch.vmap(one, randomness=info.randomness)(*stacked)
    return (*found, None) if results > 1 and len(found) < results else found


def _one_by_one(
    info: Any,
    in_dims: Any,
    tensors: tuple[Maybe, ...],
    of: Of,
    differentiable: Callable[..., Any],
) -> Any:
    """Call a function for one of the batch after the other; what it returns as None stays None."""
    size = info.batch_size

    def one(tensor: Maybe, dim: int | None, i: int) -> Maybe:
        if tensor is None or dim is None:
            return tensor
        # Where there is none, zeros say what shape the results have.
        dim %= tensor.ndim
        shape = (*tensor.shape[:dim], *tensor.shape[dim + 1 :])
        return tensor.select(dim, i) if size else tensor.new_zeros(shape)

    found = [
        differentiable(of, *(one(t, dim, i) for t, dim in zip(tensors, in_dims, strict=True)))
        for i in range(max(size, 1))
    ]
    if isinstance(found[0], tuple):
        return tuple(
            None if parts[0] is None else torch.stack(parts)[:size]
            for parts in zip(*found, strict=True)
        )
    return torch.stack(found)[:size]
