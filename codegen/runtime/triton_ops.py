"""Triton kernels as PyTorch operators; all that a generated file needs of them.

The functions of a plan (a layer, and the gradients of its input and its weight, together and apart)
become operators of ``torch.library.triton_op``: a compiler sees the kernels in them, ``torch.export``
keeps them whole, and their derivatives are made of one another, see ``autograd.py``. In eager
PyTorch the functions run without the operators, whose dispatch costs more than a small kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

import torch
from torch import Tensor
from torch._C._functorch import is_legacy_batchedtensor
from torch.nn import Parameter

from tannaka.codegen.runtime.autograd import DIFFERENTIABLE, Kernels, uncast
from tannaka.diagrams.errors import BackendError

NAMESPACE = "tannaka_triton"
FUNCTIONS = ("apply", "gradients", "input_gradient", "weight_gradient")


@dataclass(frozen=True)
class Sizes:
    """What the shapes of results follow from: the types of axes of input and output, and rows."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    rows: int
    bias_rows: int
    ragged: bool = False
    """Whether the functions take a ratio after n, for masks."""

    def batch(self, name: str, tensors: Sequence[Any]) -> tuple[int, ...]:
        """The shape of the batch, from the input of a function, or the gradient of its output."""
        one, axes = (tensors[0], self.inputs) if name == "apply" else (tensors[-1], self.outputs)
        shape: tuple[int, ...] = one.shape[: one.ndim - 1 - len(axes)]
        return shape


def interpreted() -> bool:
    """Whether Triton runs kernels by its interpreter."""
    return bool(import_module("triton").knobs.runtime.interpret)


def registered(digest: str, functions: Sequence[Callable[..., Any]], sizes: Sizes) -> Kernels:
    """The functions of a plan, in the order of ``FUNCTIONS``, as ``autograd.py`` wants them.

    ``digest``, of their text, tells their operators from those of others.
    """
    known = getattr(torch.ops, NAMESPACE)
    functions = [uncast(_on_gpu(function)) for function in functions]
    operators = {name: f"{name}_{digest}" for name in FUNCTIONS}

    def run(name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        *tensors, n = arguments
        n, *ratio = n if sizes.ragged else (n,)
        # Under vmap the batch has an axis more, which the mask does not have.
        ratio = [one if one is None else one.expand(sizes.batch(name, tensors)) for one in ratio]
        if not torch.compiler.is_compiling() and all(map(_has_numbers, tensors)):
            return function(*map(_plain, tensors), n, *ratio)
        each = list(n) if isinstance(n, tuple) else [n]
        found = getattr(known, operators[name]).default(*tensors, each, *(ratio or [None]))
        return _without_empty_bias(found, bool(sizes.bias_rows))

    made: dict[str, Any] = {
        name: partial(run, name, function)
        for name, function in zip(FUNCTIONS, functions, strict=True)
    }
    kernels = Kernels(**made, looped=True)
    if not hasattr(known, operators["apply"]):
        for name, function in zip(FUNCTIONS, functions, strict=True):
            _register(name, f"{NAMESPACE}::{operators[name]}", function, kernels, sizes)
    return kernels


def _has_numbers(x: Tensor | None) -> bool:
    """Whether a kernel can read x: not so on the meta device, for fake tensors and their like.

    Nor for what ``is_grads_batched`` batches, of which operators see one after the other.
    """
    if x is None:
        return True
    plain = type(x) in (Tensor, Parameter) and not is_legacy_batchedtensor(x)
    return plain and x.device.type != "meta"


def _plain(x: Tensor | None) -> Tensor | None:
    """X with its signs in memory, where they may be flipped in what it is called alone.

    As they are in ``z.conj().imag``; operators have it so from PyTorch.
    """
    return x.resolve_neg() if x is not None and x.is_neg() else x


def _on_gpu(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that refuses tensors which its kernels cannot read, and runs where these are."""
    if interpreted():
        return function

    def run(*arguments: Any) -> Any:
        first = arguments[0]
        if not _has_numbers(first):
            return function(*arguments)
        if first.device.type != "cuda":
            raise BackendError(
                f"backend 'triton' runs on the GPU, the input is on {first.device}: move it there, "
                "or take backend='einsum'"
            )
        # Triton launches kernels on the current GPU, wherever their arguments are.
        with torch.cuda.device(first.device):
            return function(*arguments)

    return run


def _without_empty_bias(found: Any, biased: bool) -> Any:
    if isinstance(found, tuple | list) and not biased:
        return (*found[:-1], None)
    return found


def _n(sizes: Sequence[int], ratio: Tensor | None) -> tuple[Any, ...]:
    """What functions take after their tensors: n, and with a mask the ratio."""
    n = sizes[0] if len(sizes) == 1 else tuple(sizes)
    return (n,) if ratio is None else (n, ratio)


def _filled(found: tuple[Any, ...]) -> Any:
    """Gradients as an operator gives them: that of a bias that is not there is empty."""
    *others, of_bias = found
    if of_bias is None:
        of_bias = others[-1].new_empty((0, others[-1].shape[1]))
    return (*others, of_bias)


def _register(
    name: str, full: str, function: Callable[..., Any], kernels: Kernels, sizes: Sizes
) -> None:
    """Make an operator of a function, with its derivatives and its rule for vmap."""
    # The operator's type is read off its signature.
    if name == "apply":

        def operator(
            x: Tensor,
            weight: Tensor,
            bias: Tensor | None,
            n: Sequence[int],
            ratio: Tensor | None,
        ) -> Tensor:
            found: Tensor = function(x, weight, bias, *_n(n, ratio))
            return found

    elif name == "gradients":

        def operator(  # type: ignore[misc]
            x: Tensor, weight: Tensor, g: Tensor, n: Sequence[int], ratio: Tensor | None
        ) -> tuple[Tensor, Tensor, Tensor]:
            found: tuple[Tensor, Tensor, Tensor] = _filled(function(x, weight, g, *_n(n, ratio)))
            return found

    elif name == "input_gradient":

        def operator(  # type: ignore[misc]
            weight: Tensor, g: Tensor, n: Sequence[int], ratio: Tensor | None
        ) -> Tensor:
            found: Tensor = function(weight, g, *_n(n, ratio))
            return found

    else:

        def operator(  # type: ignore[misc]
            x: Tensor, g: Tensor, n: Sequence[int], ratio: Tensor | None
        ) -> tuple[Tensor, Tensor]:
            found: tuple[Tensor, Tensor] = _filled(function(x, g, *_n(n, ratio)))
            return found

    operator.__annotations__ = {
        key: eval(value) if isinstance(value, str) else value
        for key, value in operator.__annotations__.items()
    }
    made: Any = torch.library.triton_op(full, operator, mutates_args=())
    made.register_fake(partial(_shapes, name, sizes))
    rules: Any = DIFFERENTIABLE[name]

    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        *tensors, n, ratio = inputs
        each = _n(n, ratio)
        rules.setup_context(ctx, (*tensors, (kernels, each if sizes.ragged else each[0])), output)

    def backward(ctx: Any, *grads: Any) -> Any:
        return *rules.backward(ctx, *grads), None

    made.register_autograd(backward, setup_context=setup_context)


def _shapes(name: str, known: Sizes, *arguments: Any) -> Any:
    """Results without numbers."""
    *tensors, n, _ = arguments
    if name == "apply":
        x, weight, _ = tensors
        batch = known.batch(name, tensors)
        return x.new_empty((*batch, *(n[kind] for kind in known.outputs), weight.shape[1]))
    if name == "input_gradient":
        weight, g = tensors
        batch = known.batch(name, tensors)
        return g.new_empty((*batch, *(n[kind] for kind in known.inputs), weight.shape[2]))
    x, *_, g = tensors
    of_weight = g.new_empty((known.rows, g.shape[-1], x.shape[-1]))
    of_bias = g.new_empty((known.bias_rows, g.shape[-1]))
    if name == "weight_gradient":
        return of_weight, of_bias
    return x.new_empty(x.shape), of_weight, of_bias
