"""Compile C++ kernels and make PyTorch operators of them; all that a generated file needs of it.

A kernel is the text of four C functions: a layer, and the gradients of its input and its weight,
together and apart. Each becomes an operator whose derivatives are made of the four, see
``autograd.py``, so that they can be compiled and exported. The operators are called
``tannaka_cpp::<function>_<digest of the text>``: a process that loads an exported program has to
build the layer, or import the generated file, before.

Libraries are built by PyTorch's own extension builder, once for each number of channels and type of
numbers that is met, and kept where it keeps its own: ``TORCH_EXTENSIONS_DIR``, or its default.
"""

from __future__ import annotations

import ctypes
import hashlib
import math
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, partial
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tannaka.codegen.runtime.autograd import DIFFERENTIABLE, Kernels
from tannaka.diagrams.errors import BackendError

NAMESPACE = "tannaka_cpp"
SCHEMAS = {
    "apply": "(Tensor x, Tensor weight, Tensor? bias, SymInt n) -> Tensor",
    "gradients": "(Tensor x, Tensor weight, Tensor g, SymInt n) -> (Tensor, Tensor, Tensor)",
    "input_gradient": "(Tensor weight, Tensor g, SymInt n) -> Tensor",
    "weight_gradient": "(Tensor x, Tensor g, SymInt n) -> (Tensor, Tensor)",
}
"""What operators take and give. The gradient of the bias of a layer without one is empty."""
LIBRARY: Any = torch.library.Library(NAMESPACE, "FRAGMENT")  # type: ignore[no-untyped-call]
SCALARS = {torch.float32: "float", torch.float64: "double"}
"""The types that kernels compute in; shorter floats are computed in float32."""
INSTRUCTIONS = {
    "AVX512": ("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mprefer-vector-width=512"),
    "AVX2": ("-mavx2", "-mfma"),
}
"""Flags for what PyTorch finds that the CPU can do; more are not asked for, so NaN stays NaN."""


@cache
def compiled(source: str, dom: int, cod: int, rows: int, bias_rows: int) -> Kernels:
    """The functions of a kernel for a layer from order ``dom`` to order ``cod``.

    ``rows`` and ``bias_rows`` are the lengths of weight and bias. Raises BackendError where there
    is no compiler. Libraries are built when they are first called.
    """
    check_compiler()
    return Kernel(source, dom, cod, rows, bias_rows).kernels()


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
    found.gradients.argtypes = [*[pointer] * 6, size, size, ctypes.c_int]
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

    def kernels(self) -> Kernels:
        """The functions, as ``autograd.py`` wants them; operators are made where there are none."""
        made = hasattr(getattr(torch.ops, NAMESPACE), f"apply_{self.digest}")
        run: dict[str, Any] = {function: partial(self._run, function) for function in SCHEMAS}
        under: dict[str, Any] = {function: partial(self._below, function) for function in SCHEMAS}
        found, below = Kernels(**run, looped=True), Kernels(**under, looped=True)
        for function, schema in {} if made else SCHEMAS.items():
            name = f"{function}_{self.digest}"
            full = f"{NAMESPACE}::{name}"
            LIBRARY.define(f"{name}{schema}", tags=(torch.Tag.pt2_compliant_tag,))
            LIBRARY.impl(name, getattr(self, f"_{function}"), "CPU")
            LIBRARY.impl(name, partial(self._differentiable, function, below), "Autograd")
            torch.library.register_fake(full, partial(self._fake, function), lib=LIBRARY)
            torch.library.register_vmap(full, partial(self._vmap, function), lib=LIBRARY)
        return found

    def _run(self, function: str, *arguments: Any) -> Any:
        """Run an operator: under a compiler so that it is differentiated, else as it is."""
        first = arguments[0]
        if first.device.type not in ("cpu", "meta"):
            raise BackendError(
                f"backend 'cpp' runs on the CPU, the input is on {first.device}: move it there, or "
                "take backend='einsum'"
            )
        if torch.compiler.is_compiling():
            return self._without_empty_bias(self.operator(function)(*arguments))
        return self._below(function, *arguments)

    def _below(self, function: str, *arguments: Any) -> Any:
        """Run an operator as it is, where derivatives are recorded by others."""
        with torch._C._AutoDispatchBelowAutograd():
            return self._without_empty_bias(self.operator(function)(*arguments))

    def _without_empty_bias(self, found: Any) -> Any:
        if isinstance(found, tuple) and not self.bias_rows:
            return (*found[:-1], None)
        return found

    def _differentiable(self, function: str, kernels: Kernels, *arguments: Any) -> Any:
        """An operator where derivatives are recorded."""
        *tensors, n = arguments
        apply: Any = DIFFERENTIABLE[function].apply
        found = apply(*tensors, (kernels, n))
        if isinstance(found, tuple) and found[-1] is None:
            return (*found[:-1], found[-2].new_empty((0, found[-2].shape[1])))
        return found

    # The functions on the CPU.

    def _apply(self, x: Tensor, weight: Tensor, bias: Tensor | None, n: int) -> Tensor:
        _, cout, cin = weight.shape
        batch = _batch(x, (n,) * self.dom + (cin,))
        self._check(batch, n, weight=weight, bias=bias, like=x)
        shapes = [(*batch, *(n,) * self.cod, cout)]
        (y,) = self._call("forward", (x, weight, bias), shapes, batch, cin, cout, n)
        return y

    def _gradients(
        self, x: Tensor, weight: Tensor, g: Tensor, n: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        _, cout, cin = weight.shape
        batch = _batch(x, (n,) * self.dom + (cin,))
        self._check(batch, n, weight=weight, g=g, like=x)
        shapes = [tuple(x.shape), tuple(weight.shape), (self.bias_rows, cout)]
        of_x, of_weight, of_bias = self._call(
            "gradients", (x, weight, g), shapes, batch, cin, cout, n
        )
        return of_x, of_weight, of_bias

    def _input_gradient(self, weight: Tensor, g: Tensor, n: int) -> Tensor:
        _, cout, cin = weight.shape
        batch = _batch(g, (n,) * self.cod + (cout,))
        self._check(batch, n, weight=weight, like=g)
        shapes = [(*batch, *(n,) * self.dom, cin)]
        (of_x,) = self._call("input_gradient", (weight, g), shapes, batch, cin, cout, n)
        return of_x

    def _weight_gradient(self, x: Tensor, g: Tensor, n: int) -> tuple[Tensor, Tensor]:
        cin, cout = x.shape[-1], g.shape[-1]
        batch = _batch(x, (n,) * self.dom + (cin,))
        self._check(batch, n, g=g, like=x)
        shapes = [(self.rows, cout, cin), (self.bias_rows, cout)]
        of_weight, of_bias = self._call("weight_gradient", (x, g), shapes, batch, cin, cout, n)
        return of_weight, of_bias

    def _check(
        self,
        batch: tuple[int, ...],
        n: int,
        *,
        like: Tensor,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        g: Tensor | None = None,
    ) -> None:
        """Raise unless the tensors have the shapes that a kernel takes them for."""
        cout = like.shape[-1] if weight is None else weight.shape[1]
        cout = cout if g is None else g.shape[-1]
        for name, tensor, shape in (
            ("weight", weight, (self.rows, cout, *(() if weight is None else weight.shape[2:]))),
            ("bias", bias, (self.bias_rows, cout)),
            ("g", g, (*batch, *(n,) * self.cod, cout)),
        ):
            if tensor is None:
                continue
            if tuple(tensor.shape) != shape:
                raise ValueError(f"{name} must have the shape {shape}, got {tuple(tensor.shape)}")
            if tensor.dtype != like.dtype:
                raise TypeError(f"{name} is {tensor.dtype}, what it goes with {like.dtype}")

    def _call(
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
        given = first.dtype
        dtype = given if given in SCALARS else torch.float32
        operands = [None if t is None else t.to(dtype).contiguous() for t in inputs]
        made = [first.new_empty(shape, dtype=dtype) for shape in shapes]
        pointers = [None if t is None else t.data_ptr() for t in [*operands, *made]]
        call = getattr(library(self.source, cin, cout, SCALARS[dtype]), function)
        if call(*pointers, math.prod(batch), n, torch.get_num_threads()):
            raise MemoryError(f"there is no memory for the reduced tensors of {function}")
        return made if dtype == given else [t.to(given) for t in made]

    # The same without numbers, and for several at a time.

    def _fake(self, function: str, *arguments: Any) -> Any:
        *tensors, n = arguments
        if function == "apply":
            x, weight, _ = tensors
            batch = x.shape[: x.ndim - self.dom - 1]
            return x.new_empty((*batch, *(n,) * self.cod, weight.shape[1]))
        if function == "input_gradient":
            weight, g = tensors
            batch = g.shape[: g.ndim - self.cod - 1]
            return g.new_empty((*batch, *(n,) * self.dom, weight.shape[2]))
        x, *_, g = tensors
        of_weight = x.new_empty((self.rows, g.shape[-1], x.shape[-1]))
        of_bias = x.new_empty((self.bias_rows, g.shape[-1]))
        if function == "gradients":
            return torch.empty_like(x, memory_format=torch.contiguous_format), of_weight, of_bias
        return of_weight, of_bias

    def _vmap(self, function: str, info: Any, dims: tuple[Any, ...], *arguments: Any) -> Any:
        """A batch of inputs is a larger batch; each weight, or gradient of it, is its own call."""
        operator = self.operator(function)
        along = {"apply": 0, "input_gradient": 1}.get(function)
        if along is not None and all(dim is None for at, dim in enumerate(dims) if at != along):
            moved = list(arguments)
            moved[along] = moved[along].movedim(dims[along], 0)
            return operator(*moved), 0
        results = [
            operator(
                *(
                    argument if dim is None else argument.select(dim, i)
                    for argument, dim in zip(arguments, dims, strict=True)
                )
            )
            for i in range(info.batch_size)
        ]
        if isinstance(results[0], tuple):
            return tuple(map(torch.stack, zip(*results, strict=True))), (0,) * len(results[0])
        return torch.stack(results), 0


def _batch(x: Tensor, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The batch shape of a tensor, which the rest of its shape must follow."""
    batch = tuple(x.shape[: max(x.ndim - len(shape), 0)])
    if tuple(x.shape) != batch + shape:
        raise ValueError(
            f"a tensor must have the shape (*batch, {str(shape)[1:]}, got {tuple(x.shape)}"
        )
    if not x.is_floating_point():
        raise TypeError(f"a tensor must be of floats, got {x.dtype}")
    return batch
