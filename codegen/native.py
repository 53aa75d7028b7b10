"""Compile C++ kernels and make PyTorch operators of them; all that a generated file needs of it.

A kernel is the text of three C functions: a layer, the gradient of its input and the gradient of its
weight. Each becomes an operator, and the derivatives of all three are made of the three, so they can
be differentiated any number of times, compiled, exported and vmapped. The operators are called
``tannaka_cpp::<function>_<digest of the text>``: a process that loads an exported program has to
build the layer, or import the generated file, before.

Libraries are built by PyTorch's own extension builder, once for each number of channels and type of
numbers that is met, and kept where it keeps its own: ``TORCH_EXTENSIONS_DIR``, or its default.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tannaka.diagrams.errors import BackendError

NAMESPACE = "tannaka_cpp"
SCALARS = {torch.float32: "float", torch.float64: "double"}
"""The types that kernels compute in; shorter floats are computed in float32."""
INSTRUCTIONS = {
    "AVX512": ("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mprefer-vector-width=512"),
    "AVX2": ("-mavx2", "-mfma"),
}
"""Flags for what PyTorch finds that the CPU can do; more are not asked for, so NaN stays NaN."""

Apply = Callable[..., Tensor]


@cache
def compiled(source: str, dom: int, cod: int, rows: int, bias_rows: int | None) -> Apply:
    """The function (x, weight[, bias], n) -> y of a kernel from order ``dom`` to order ``cod``.

    ``rows`` and ``bias_rows`` are the lengths of weight and bias; None for a layer without bias.
    Raises BackendError where there is no compiler. Libraries are built when they are first called.
    """
    check_compiler()
    kernel = Kernel(source, dom, cod, rows, bias_rows or 0)
    kernel.register()

    def apply(x: Tensor, weight: Tensor, bias: Tensor, n: int) -> Tensor:
        """Apply the layer to x of shape (*batch, n, ..., n, in_channels)."""
        if x.device.type not in ("cpu", "meta"):
            raise BackendError(
                f"backend 'cpp' runs on the CPU, the input is on {x.device}: move it there, or "
                "take backend='einsum'"
            )
        if x.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
            dtype = torch.get_autocast_dtype("cpu")
            if not x.dtype == weight.dtype == torch.float64:
                x, weight = x.to(dtype), weight.to(dtype)
                bias = bias if bias is None else bias.to(dtype)
        result: Tensor = kernel.call("forward")(x, weight, bias, n)
        return result

    if bias_rows is None:
        return lambda x, weight, n: apply(x, weight, None, n)  # type: ignore[arg-type]
    return apply


def extension_builder() -> Any:
    """The module of PyTorch that builds extensions; it is slow to import, and wants setuptools."""
    try:
        return import_module("torch.utils.cpp_extension")
    except ModuleNotFoundError as error:
        raise BackendError(
            f"backend 'cpp' needs {error.name} to build its kernels (pip install {error.name}); "
            "backend='einsum' needs none"
        ) from error


def check_compiler() -> None:
    """Raise BackendError unless there is what builds a library."""
    builder = extension_builder()
    compiler = builder.get_cxx_compiler()
    missing = [] if shutil.which(compiler) else [f"a C++ compiler ({compiler!r} is not there)"]
    missing += [] if builder.is_ninja_available() else ["ninja (pip install ninja)"]
    if missing:
        raise BackendError(
            f"backend 'cpp' needs {' and '.join(missing)} to build its kernels; "
            "CXX names another compiler, and backend='einsum' needs none"
        )


@cache
def library(source: str, cin: int, cout: int, scalar: str) -> ctypes.CDLL:
    """The functions of a kernel for these channels, built if no earlier process has built them."""
    builder = extension_builder()
    flags = ["-O3", "-fopenmp", "-fno-math-errno", "-fno-trapping-math"]
    flags += INSTRUCTIONS.get(torch.backends.cpu.get_cpu_capability(), ())
    flags += [f"-DSCALAR={scalar}", f"-DIN={cin}", f"-DOUT={cout}"]
    # Comments name the group: the same steps at another n are the same library.
    code = re.sub(r"^ *//.*\n", "", source, flags=re.MULTILINE)
    identity = "\n".join([code, torch.__version__, builder.get_cxx_compiler(), *flags])
    name = f"tannaka_{hashlib.sha256(identity.encode()).hexdigest()[:24]}"
    root = os.environ.get("TORCH_EXTENSIONS_DIR") or builder.get_default_build_root()
    folder = Path(root) / "tannaka"
    path = folder / f"{name}.so"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        # Built aside and then moved: another process finds the whole library or none.
        with tempfile.TemporaryDirectory(dir=folder) as aside:
            text = Path(aside) / "kernel.cpp"
            text.write_text(source, encoding="utf-8")
            try:
                builder.load(
                    name,
                    [str(text)],
                    extra_cflags=flags,
                    extra_ldflags=["-fopenmp"],
                    build_directory=aside,
                    is_python_module=False,
                )
            except (RuntimeError, OSError) as error:
                raise BackendError(f"the C++ compiler could not build a kernel: {error}") from error
            (Path(aside) / f"{name}.so").replace(path)
    found = ctypes.CDLL(str(path))
    pointer, size = ctypes.c_void_p, ctypes.c_int64
    found.forward.argtypes = [*[pointer] * 4, size, size, ctypes.c_int]
    found.input_gradient.argtypes = [*[pointer] * 3, size, size, ctypes.c_int]
    found.weight_gradient.argtypes = [*[pointer] * 4, size, size, ctypes.c_int]
    return found


@dataclass(frozen=True)
class Kernel:
    """A kernel and its operators."""

    source: str
    dom: int
    cod: int
    rows: int
    bias_rows: int

    @cached_property
    def digest(self) -> str:
        """What tells its operators from those of others."""
        return hashlib.sha256(self.source.encode()).hexdigest()[:16]

    def operator(self, function: str) -> Callable[..., Any]:
        """The operator of a function."""
        found: Callable[..., Any] = getattr(
            getattr(torch.ops, NAMESPACE), f"{function}_{self.digest}"
        ).default
        return found

    # The three functions, on the CPU.

    def forward(self, x: Tensor, weight: Tensor, bias: Tensor | None, n: int) -> Tensor:
        """y, of shape (*batch, n, ..., n, out_channels)."""
        batch = self._batch("x", x, self.dom, n, weight.shape[2])
        self._check_weight(weight, x)
        if bias is not None:
            _check("bias", bias, (self.bias_rows, weight.shape[1]), x)
        y = self._run(
            "forward",
            (x, weight, bias),
            [(*batch, *(n,) * self.cod, weight.shape[1])],
            batch,
            weight.shape[2],
            weight.shape[1],
            n,
        )
        return y[0]

    def input_gradient(self, dy: Tensor, weight: Tensor, n: int) -> Tensor:
        """The gradient of x, of shape (*batch, n, ..., n, in_channels)."""
        batch = self._batch("dy", dy, self.cod, n, weight.shape[1])
        self._check_weight(weight, dy)
        shape = (*batch, *(n,) * self.dom, weight.shape[2])
        return self._run(
            "input_gradient", (dy, weight), [shape], batch, weight.shape[2], weight.shape[1], n
        )[0]

    def weight_gradient(self, x: Tensor, dy: Tensor, n: int) -> tuple[Tensor, Tensor]:
        """The gradients of weight and bias; that of the bias is empty for a layer without one."""
        cin, cout = x.shape[-1], dy.shape[-1]
        batch = self._batch("x", x, self.dom, n, cin)
        _check("dy", dy, (*batch, *(n,) * self.cod, cout), x)
        shapes = [(self.rows, cout, cin), (self.bias_rows, cout)]
        weight, bias = self._run("weight_gradient", (x, dy), shapes, batch, cin, cout, n)
        return weight, bias

    def _run(
        self,
        function: str,
        inputs: tuple[Tensor | None, ...],
        shapes: list[tuple[int, ...]],
        batch: tuple[int, ...],
        cin: int,
        cout: int,
        n: int,
    ) -> list[Tensor]:
        """Call a function of the library with new tensors for its results."""
        first = inputs[0]
        assert first is not None
        dtype = first.dtype if first.dtype in SCALARS else torch.float32
        given = [None if t is None else t.to(dtype).contiguous() for t in inputs]
        made = [first.new_empty(shape, dtype=dtype) for shape in shapes]
        size = 1
        for length in batch:
            size *= length
        pointers = [None if t is None else t.data_ptr() for t in [*given, *made]]
        call = getattr(library(self.source, cin, cout, SCALARS[dtype]), function)
        if call(*pointers, size, n, torch.get_num_threads()):
            raise MemoryError(f"there is no memory for the reduced tensors of {function}")
        return [t.to(first.dtype) for t in made]

    def _batch(self, name: str, x: Tensor, order: int, n: int, channels: int) -> tuple[int, ...]:
        """The batch shape of a tensor, which the rest of its shape must follow."""
        batch = tuple(x.shape[: max(x.ndim - order - 1, 0)])
        _check(name, x, (*batch, *(n,) * order, channels), x)
        return batch

    def _check_weight(self, weight: Tensor, x: Tensor) -> None:
        _check("weight", weight, (self.rows, *weight.shape[1:]), x)

    # The same functions without numbers, and their derivatives.

    def register(self) -> None:
        """Make operators of the three functions, unless they are there."""
        if not hasattr(getattr(torch.ops, NAMESPACE), f"forward_{self.digest}"):
            for function, schema in SCHEMAS.items():
                name = f"{function}_{self.digest}"
                LIBRARY.define(f"{name}{schema}", tags=(torch.Tag.pt2_compliant_tag,))
                LIBRARY.impl(name, getattr(self, function), "CPU")
                LIBRARY.impl(name, self.functions[function].apply, "Autograd")
                full = f"{NAMESPACE}::{name}"
                torch.library.register_fake(full, getattr(self, f"_{function}_fake"), lib=LIBRARY)
                torch.library.register_vmap(full, getattr(self, f"_{function}_vmap"), lib=LIBRARY)

    def call(self, function: str) -> Callable[..., Any]:
        """What to call a function by, so that it can be differentiated.

        ``torch.func`` does not see through an operator's derivatives, only through those of a
        ``torch.autograd.Function``; compilers do not see through that, only through an operator.
        """
        if torch.compiler.is_compiling():
            return self.operator(function)
        apply: Callable[..., Any] = self.functions[function].apply
        return apply

    @cached_property
    def functions(self) -> dict[str, type[torch.autograd.Function]]:
        """The functions with their derivatives."""
        return {function: self._differentiable(function) for function in SCHEMAS}

    def _differentiable(self, function: str) -> type[torch.autograd.Function]:
        """A function with its derivatives in both directions, made of the operators."""
        kernel = self
        backward_of, jvp_of = (getattr(self, f"_{function}_{way}") for way in ("backward", "jvp"))

        class Differentiable(torch.autograd.Function):
            generate_vmap_rule = True

            @staticmethod
            def forward(*inputs: Any) -> Any:
                with torch._C._AutoDispatchBelowAutograd():
                    return kernel.operator(function)(*inputs)

            @staticmethod
            def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
                *tensors, ctx.n = inputs
                ctx.save_for_backward(*tensors)
                ctx.save_for_forward(*tensors)

            @staticmethod
            def backward(ctx: Any, *gradients: Any) -> Any:
                found = backward_of(ctx, *ctx.saved_tensors, *gradients)
                return (*found, None)

            @staticmethod
            def jvp(ctx: Any, *tangents: Any) -> Any:
                return jvp_of(ctx, *ctx.saved_tensors, *tangents[:-1])

        Differentiable.__name__ = Differentiable.__qualname__ = f"{function}_{self.digest}"
        return Differentiable

    def _forward_fake(self, x: Tensor, weight: Tensor, bias: Tensor | None, n: int) -> Tensor:
        batch = x.shape[: x.ndim - self.dom - 1]
        return x.new_empty((*batch, *(n,) * self.cod, weight.shape[1]))

    def _input_gradient_fake(self, dy: Tensor, weight: Tensor, n: int) -> Tensor:
        batch = dy.shape[: dy.ndim - self.cod - 1]
        return dy.new_empty((*batch, *(n,) * self.dom, weight.shape[2]))

    def _weight_gradient_fake(self, x: Tensor, dy: Tensor, n: int) -> tuple[Tensor, Tensor]:
        cin, cout = x.shape[-1], dy.shape[-1]
        return x.new_empty((self.rows, cout, cin)), x.new_empty((self.bias_rows, cout))

    def _forward_backward(
        self, ctx: Any, x: Any, weight: Any, bias: Any, dy: Any
    ) -> tuple[Any, ...]:
        dx = dweight = dbias = None
        if ctx.needs_input_grad[0]:
            dx = self.call("input_gradient")(dy, weight, ctx.n)
        if ctx.needs_input_grad[1] or ctx.needs_input_grad[2]:
            dweight, dbias = self.call("weight_gradient")(x, dy, ctx.n)
        return dx, dweight, None if bias is None else dbias

    def _input_gradient_backward(self, ctx: Any, dy: Any, weight: Any, x: Any) -> tuple[Any, ...]:
        y = dweight = None
        if ctx.needs_input_grad[0]:
            y = self.call("forward")(x, weight, None, ctx.n)
        if ctx.needs_input_grad[1]:
            dweight, _ = self.call("weight_gradient")(x, dy, ctx.n)
        return y, dweight

    def _weight_gradient_backward(
        self, ctx: Any, x: Any, dy: Any, weight: Any, bias: Any
    ) -> tuple[Any, ...]:
        dx = y = None
        if ctx.needs_input_grad[0]:
            dx = self.call("input_gradient")(dy, weight, ctx.n)
        if ctx.needs_input_grad[1]:
            y = self.call("forward")(x, weight, bias, ctx.n)
        return dx, y

    # Each function is linear in each of its first two arguments, and so is its tangent.

    def _forward_jvp(
        self, ctx: Any, x: Any, weight: Any, bias: Any, dx: Any, dweight: Any, dbias: Any
    ) -> Any:
        y = self.call("forward")
        parts = [] if dx is None else [y(dx, weight, None, ctx.n)]
        if dweight is not None or dbias is not None:
            dweight = torch.zeros_like(weight) if dweight is None else dweight
            parts += [y(x, dweight, dbias, ctx.n)]
        return sum(parts[1:], parts[0])

    def _input_gradient_jvp(self, ctx: Any, dy: Any, weight: Any, ddy: Any, dweight: Any) -> Any:
        dx = self.call("input_gradient")
        parts = [] if ddy is None else [dx(ddy, weight, ctx.n)]
        parts += [] if dweight is None else [dx(dy, dweight, ctx.n)]
        return sum(parts[1:], parts[0])

    def _weight_gradient_jvp(self, ctx: Any, x: Any, dy: Any, dx: Any, ddy: Any) -> Any:
        gradients = self.call("weight_gradient")
        if dx is None:
            return gradients(x, ddy, ctx.n)
        # The gradient of the bias does not depend on x.
        weight, bias = gradients(dx, dy, ctx.n)
        if ddy is None:
            return weight, torch.zeros_like(bias)
        more, bias = gradients(x, ddy, ctx.n)
        return weight + more, bias

    def _forward_vmap(self, info: Any, dims: tuple[Any, ...], *inputs: Any) -> tuple[Any, Any]:
        if dims[1] is None and dims[2] is None:
            x, *rest = inputs
            return self.operator("forward")(x.movedim(dims[0], 0), *rest), 0
        return _one_by_one(self.operator("forward"), info, dims, inputs)

    def _input_gradient_vmap(self, info: Any, dims: tuple[Any, ...], *inputs: Any) -> Any:
        if dims[1] is None:
            dy, *rest = inputs
            return self.operator("input_gradient")(dy.movedim(dims[0], 0), *rest), 0
        return _one_by_one(self.operator("input_gradient"), info, dims, inputs)

    def _weight_gradient_vmap(self, info: Any, dims: tuple[Any, ...], *inputs: Any) -> Any:
        return _one_by_one(self.operator("weight_gradient"), info, dims, inputs)


SCHEMAS = {
    "forward": "(Tensor x, Tensor weight, Tensor? bias, SymInt n) -> Tensor",
    "input_gradient": "(Tensor dy, Tensor weight, SymInt n) -> Tensor",
    "weight_gradient": "(Tensor x, Tensor dy, SymInt n) -> (Tensor, Tensor)",
}
LIBRARY: Any = torch.library.Library(NAMESPACE, "FRAGMENT")  # type: ignore[no-untyped-call]


def _check(name: str, tensor: Tensor, shape: tuple[int, ...], like: Tensor) -> None:
    """Raise unless a kernel may read the tensor as one of this shape."""
    if tuple(tensor.shape) != shape:
        raise ValueError(f"{name} must have the shape {shape}, got {tuple(tensor.shape)}")
    if tensor.dtype != like.dtype or not tensor.is_floating_point():
        raise TypeError(f"{name} must be a float like the others, {like.dtype}, got {tensor.dtype}")


def _one_by_one(
    operator: Callable[..., Any], info: Any, dims: tuple[Any, ...], inputs: tuple[Any, ...]
) -> tuple[Any, Any]:
    """An operator for each of several weights, or for each of several gradients of the weight."""
    results = [
        operator(
            *(t if dim is None else t.select(dim, i) for t, dim in zip(inputs, dims, strict=True))
        )
        for i in range(info.batch_size)
    ]
    if isinstance(results[0], tuple):
        return tuple(map(torch.stack, zip(*results, strict=True))), (0,) * len(results[0])
    return torch.stack(results), 0
