"""Stage 5, modules: equivariant layers as ``torch.nn.Module``."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tannaka.category import functor
from tannaka.category.groups import Group
from tannaka.category.hom import Hom
from tannaka.codegen.backends import backend as find_backend
from tannaka.codegen.backends import einsum, triton
from tannaka.codegen.explain import (
    SHOWN,
    Explanation,
    explanation,
    host_explanation,
    layer_formats,
)
from tannaka.codegen.lowering.choose import (
    MOST,
    TYPICAL,
    AnyPlan,
    Basis,
    Lowering,
    lowered,
    options,
    plan_layer,
    schedule,
)
from tannaka.codegen.lowering.orbit_plan import OrbitPlan
from tannaka.codegen.modules.features import check_device
from tannaka.codegen.modules.masks import check_mask, masked_type, points_of, without_padding
from tannaka.codegen.modules.records import BasisModule
from tannaka.codegen.network import letters, open_types, word
from tannaka.codegen.network import sizes as network_sizes
from tannaka.codegen.notation import Reduce, shape
from tannaka.codegen.plan import Plan
from tannaka.codegen.runtime.autograd import Kernels, casting, layer, matched, ready, seeing, uncast
from tannaka.codegen.runtime.build import build
from tannaka.codegen.runtime.execute import kernel
from tannaka.codegen.runtime.gpu import require_gpu
from tannaka.codegen.task import Task
from tannaka.diagrams.diagram import natural
from tannaka.diagrams.errors import BackendError
from tannaka.diagrams.pictures.bundle import mimebundle


class EquivariantLinear(BasisModule):
    """Every linear map V^k -> V^l that commutes with a group G, between channels.

    Maps ``(*batch, n, ..., n, in_channels)`` with k axes of size n to
    ``(*batch, n, ..., n, out_channels)`` with l of them: the sum over the basis diagrams D of
    Hom_G(V^k, V^l) of ``weight[i]`` applied to the channels of D applied to the input, plus the
    same with the diagrams of Hom_G(V^0, V^l) and the bias.

    * ``weight``: (dimension, out_channels, in_channels), row i for ``hom.basis()[i]``, or for
      ``hom.basis("orbit")[i]`` in layers with a weight for each orbit
    * ``bias``: (bias_dimension, out_channels), row i for ``Hom(G, 0, l).basis()[i]``; None without,
      and where that space is 0, as for O(n) with l odd

    With ``reduce="mean"`` each diagram is divided by the number of terms that it sums, so that
    weights mean the same at every n; the bias is never scaled. Where no map but 0 commutes with the
    group (O(n) with k + l odd) the weight is empty, the layer is that map, and building it warns.

    Automorphism groups of graphs and other permutation groups have a basis of orbits of index
    tuples, ``basis="orbit"``: weights are the entries of the matrix. Automorphism groups have one of
    bilabelled graphs too, ``basis="diagram"``: their weights are applied by contraction with the
    adjacency matrix, and nothing of size n^(k+l) is formed. ``"auto"`` takes orbits, unless they are
    too many pairs to list or clearly slower; a state dict fits one basis only. The bias of these
    layers has a row for each orbit of output indices in either.

    Layers of a family, ``tannaka.S()`` or a product with it, have the weights of large n, and take
    any n: they read it from their input, and with a mask inputs of several sizes padded to one.

    ``backend="cpp"`` runs layers of sums along diagonals (those of S(n) and O(n), with k and l up to
    4) in C++ on the CPU, several times as fast. It needs a C++ compiler, for some seconds when a
    layer is first called.

    ``backend="triton"`` runs layers on the GPU in fused Triton kernels, or with
    ``TRITON_INTERPRET=1`` in the environment on the CPU, slowly.

    A layer gives one answer in every mode of PyTorch: eager, ``torch.compile(fullgraph=True)``,
    ``torch.export``, ``torch.func``, checkpointing, DDP and FSDP (which shards no empty weight: name
    it in ``ignored_params``). Outputs and gradients differ from those of its float64 copy by
    rounding, at most this much relative to the largest entry (``tannaka.testing.ROUNDING``):

    ======== ======== ======== ========
    float64  float32  float16  bfloat16
    1e-14    5e-6     8e-3     6e-2
    ======== ======== ======== ========

    The output has the dtype of the input, which must be that of the weight; under autocast it has
    autocast's, and input and weight may differ, except that a layer in float64 stays in float64.

    Raises TypeError and ValueError at construction for a group, orders, channels or reduction that
    make no sense, BackendError for an unknown backend; when called, ValueError for an input of
    another shape or on another device, and TypeError for one of another dtype.
    Source: arXiv:2212.08648 for S(n), arXiv:2212.08630 for O(n); the fast application after
    arXiv:2304.14165.

    >>> from tannaka.category import S
    >>> layer = EquivariantLinear(S(5), 2, 1, in_channels=3, out_channels=4)
    >>> layer(torch.randn(7, 5, 5, 3)).shape
    torch.Size([7, 5, 4])
    >>> layer.weight.shape, layer.bias.shape
    (torch.Size([5, 4, 3]), torch.Size([1, 4]))
    """

    plan: AnyPlan

    def __init__(
        self,
        group: Group,
        k: Any,
        l: Any,
        in_channels: int,
        out_channels: int,
        *,
        bias: bool = True,
        backend: str = "auto",
        reduce: Reduce = "mean",
        basis: Basis = "auto",
        lowering: Lowering = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.hom = Hom(group, k, l)
        self.backend = backend
        # Only kernels of PyTorch come in several lowerings.
        self.lowering: Lowering = (
            "factored" if lowering == "auto" and backend not in ("auto", "einsum") else lowering
        )
        self.plan = plan_layer(
            self.hom,
            in_channels,
            out_channels,
            bias=bias,
            reduce=reduce,
            backend=backend,
            basis=basis,
            lowering=lowering,
        )
        sizes = network_sizes(group.n)
        # The sizes of axes of each type, and the shape of an input; None for what is open.
        self._shape = sizes, (*(sizes[kind] for kind in word(self.in_order)), self.in_channels)
        self._apply_plan = self._built()
        if not self.plan.basis:
            warnings.warn(
                f"{self.hom}: no linear map but 0 commutes with the group, so this layer "
                f"{'returns its bias alone' if self.plan.bias_basis else 'returns zeros'}",
                stacklevel=2,
            )
        self._make_parameters(self.out_channels, self.in_channels, device=device, dtype=dtype)

    def _built(self) -> Callable[..., Tensor]:
        """The function that applies the plan: for "auto", the fastest for so many inputs."""
        usual = self._runner(self.plan)
        if self.lowering != "auto" or not isinstance(self.plan, Task):
            return usual
        task: Task = self.plan
        fastest, order = schedule(task), len(task.inputs)
        runners = {fastest(TYPICAL): usual}
        if all(fastest(2**power) in runners for power in range(MOST)):
            return usual

        def apply(x: Tensor, *rest: Any) -> Tensor:
            # What is compiled takes any number of inputs, in one way.
            if torch.compiler.is_compiling():
                return usual(x, *rest)
            way = fastest(math.prod(x.shape[: x.ndim - 1 - order]))
            if way not in runners:
                runners[way] = self._runner(lowered(task, way))
            return runners[way](x, *rest)

        return apply

    def _runner(self, plan: AnyPlan) -> Callable[..., Tensor]:
        """The function that applies a plan, from the text that a backend writes where one does."""
        if not isinstance(plan, Plan):
            return kernel(plan)
        backend = find_backend(self.backend)
        if backend is triton.kernels:
            require_gpu()
        left = open_types(self.group)
        self._apply_ragged = _ragged(backend, plan, left[0]) if len(left) == 1 else None
        self.source = backend(plan)
        under_vmap = None
        if backend is einsum.kernels:

            def under_vmap() -> Kernels:
                return _kernels(einsum.kernels(plan, batched=True))

        return partial(_run, _kernels(self.source, under_vmap))

    @property
    def in_order(self) -> Any:
        """The order of the input; for a product of groups its word of types."""
        return self.plan.dom

    @property
    def out_order(self) -> Any:
        """The order of the output; for a product of groups its word of types."""
        return self.plan.cod

    @property
    def in_channels(self) -> int:
        """The size of the input's last axis."""
        return self.plan.in_channels

    @property
    def out_channels(self) -> int:
        """The size of the output's last axis."""
        return self.plan.out_channels

    def forward(self, x: Tensor, mask: Tensor | None = None, *, n: int | None = None) -> Tensor:
        """Map (*batch, n, ..., n, in_channels) to (*batch, n, ..., n, out_channels).

        Layers of a family such as S() read n from the input; where it has no such axis, ``n`` or the
        mask says it. ``mask``, of shape (*batch, n) and boolean, is True where a point is real, for
        inputs of different sizes that are padded to one: padded entries do not matter, they may be
        NaN, and the output and all gradients are 0 there.
        """
        if not isinstance(x, Tensor):
            raise TypeError(f"the input must be a torch.Tensor, got {type(x).__name__}")
        sizes, expected = self._shape
        if mask is not None or n is not None or None in sizes:
            sizes = self._sizes(x, mask, n)
            expected = (*(sizes[kind] for kind in word(self.in_order)), self.in_channels)
        if x.ndim < len(expected) or tuple(x.shape[x.ndim - len(expected) :]) != expected:
            raise ValueError(
                f"{self.group} {self.in_order} -> {self.out_order} expects an input of shape "
                f"{shape(self.in_order, self.in_channels, letters(self.group))}, channels last, got "
                f"{tuple(x.shape)}"
            )
        if x.dtype != self.weight.dtype and not (casting(x) and x.is_floating_point()):
            raise TypeError(
                f"the input is {x.dtype}, the layer {self.weight.dtype}: "
                "convert one of them with .to(dtype)"
            )
        check_device("input", x, "layer", self.weight)
        if mask is not None:
            return self._masked(x, mask, sizes)
        if None in self._shape[0] and 0 in sizes:
            return self._of_nothing(x, sizes)
        parameters = (self.weight,) if self.bias is None else (self.weight, self.bias)
        y: Tensor = self._apply_plan(x, *parameters, sizes if len(sizes) > 1 else sizes[0])
        return y

    def _sizes(self, x: Tensor, mask: Tensor | None, n: int | None) -> tuple[int, ...]:
        """The size of the axes of each type, read from the input where the group leaves it open."""
        found = network_sizes(self.group.n)
        left = open_types(self.group)
        if n is not None and not isinstance(n, torch.SymInt):
            n = natural("n", n, least=0, what="a number of points")
        if not left:
            if mask is not None or n is not None:
                raise ValueError(
                    f"a mask and n are for layers of a family such as S(), this one is of "
                    f"{self.group}"
                )
            return found
        inputs = word(self.in_order)
        sizes = list(found)
        for kind in left:
            axes = [axis for axis, other in enumerate(inputs) if other == kind]
            if axes:
                at = x.ndim - 1 - len(inputs)
                sizes[kind] = x.shape[at + axes[0]] if at >= 0 else 0
            elif mask is not None:
                sizes[kind] = points_of(mask)
            elif n is not None:
                sizes[kind] = n
            elif kind in word(self.out_order):
                raise ValueError(
                    f"the input of {self.group} {self.in_order} -> {self.out_order} does not say "
                    "what n is: give layer(x, n=...), or a mask"
                )
            else:
                sizes[kind] = 1
        if n is not None and all(sizes[kind] != n for kind in left):
            raise ValueError(
                f"n is {n}, but the {'input' if mask is None else 'input or mask'} says that it is "
                f"{' and '.join(str(sizes[kind]) for kind in left)}: leave n out"
            )
        return tuple(sizes)

    def _masked(self, x: Tensor, mask: Tensor, sizes: tuple[int, ...]) -> Tensor:
        """Apply the layer to padded inputs: to zeros there, with means over what is real."""
        kind = masked_type(self.group)
        if self._apply_ragged is None:
            raise BackendError(
                f"a mask takes backend='einsum' or 'triton', this layer has {self.backend!r}: make "
                "it with one of those, or take inputs of one size at a time; weights are the same"
            )
        inputs, outputs = word(self.in_order), word(self.out_order)
        batch = tuple(x.shape[: x.ndim - 1 - len(inputs)])
        check_mask(mask, x, batch, sizes[kind])
        if 0 in sizes:
            return self._of_nothing(x, sizes)
        x = without_padding(x, mask, inputs, kind)
        x, weight = matched(x, self.weight)
        bias = None if self.bias is None else self.bias.to(x.dtype)
        if bias is not None:
            weight = seeing(weight, bias)
        ratio = sizes[kind] / mask.sum(-1).clamp(min=1).to(
            torch.promote_types(x.dtype, torch.float32)
        )
        y = self._apply_ragged(x, weight, bias, sizes if len(sizes) > 1 else sizes[0], ratio)
        return without_padding(y, mask, outputs, kind)

    def _of_nothing(self, x: Tensor, sizes: tuple[int, ...]) -> Tensor:
        """Apply the layer where there are no points: sums and means over them are 0.

        As for one point that a mask hides, which the output does not have.
        """
        inputs, outputs = word(self.in_order), word(self.out_order)
        batch = x.shape[: x.ndim - 1 - len(inputs)]
        filled = tuple(size or 1 for size in sizes)
        if any(sizes[kind] == 0 for kind in inputs):
            # Its sum is 0, and lets autograd see it.
            axes = (filled[kind] for kind in inputs)
            x = x.new_zeros((*batch, *axes, self.in_channels)) + x.sum()
        parameters = (self.weight,) if self.bias is None else (self.weight, self.bias)
        y = self._apply_plan(x, *parameters, filled if len(filled) > 1 else filled[0])
        for axis, kind in enumerate(outputs):
            y = y.narrow(len(batch) + axis, 0, min(sizes[kind], filled[kind]))
        return y.clone()

    def matrix(self, n: Any = None) -> Tensor:
        """The layer without its bias as one dense array, for reference.

        Of shape (out_channels, n**l, in_channels, n**k), detached, in the dtype of the weight. For a
        layer of a family, n says for which member: the size of axes, of each type where they differ.
        Raises SizeError when it would take more than 2 GiB, ValueError where n is missing, or not
        needed.
        """
        at = self._member("matrix", n)
        rows, columns = (
            math.prod(at[kind] for kind in word(order)) for order in (self.out_order, self.in_order)
        )
        functor.check_entries((rows, columns), self.in_channels * self.out_channels)
        weight = self.weight.detach().cpu().to(torch.float64).numpy()
        if isinstance(self.plan, OrbitPlan):
            return torch.from_numpy(self.plan.written(weight)).to(self.weight)
        total = np.zeros((self.out_channels, rows, self.in_channels, columns))
        for number, row in enumerate(weight):
            size: Any = at if len(at) > 1 else at[0]
            matrix = self.plan.matrix(number, size)
            total += np.einsum("oi,pq->opiq", row, matrix)
        return torch.from_numpy(total).to(self.weight)

    def explain(
        self, *, n: Any = None, batch: int = TYPICAL, rows: int | None = SHOWN
    ) -> Explanation:
        """What the layer does and why so: its plan, what each lowering costs, and its rows.

        For each row of the weight its diagram, formula, flops, the norm of its weight and its share
        of the output's variance; the ``rows`` that do most, None for all. Costs are for ``batch``
        inputs at once; ``n`` says of which member, for layers of a family.

        >>> from tannaka.category import S
        >>> print(EquivariantLinear(S(5), 1, 1, 8, 8).explain())
        S(5), order 1 -> 1, ...
        """
        batch = natural("batch", batch, least=1, what="a number of inputs")
        rows = rows if rows is None else natural("rows", rows, least=0, what="how many to list")
        norms = self._norms()
        if not isinstance(self.plan, Task):
            return host_explanation(self.plan, norms, rows)
        at = None if n is None else self._member("explain", n)
        ways = options(self.plan, batch) if self.backend in ("auto", "einsum") else ()
        return explanation(self.plan, norms, ways, n=at, rows=rows)

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        return mimebundle(layer_formats(self, self._shown), include, exclude)

    def _shown(self, rows: int) -> Explanation:
        """What is quick to say of some rows: without comparing ways to compute the layer."""
        norms = self._norms()
        if isinstance(self.plan, Task):
            return explanation(self.plan, norms, (), n=None, rows=rows)
        return host_explanation(self.plan, norms, rows)

    def extra_repr(self) -> str:
        """What stands between the parentheses of the layer's ``repr``."""
        parts = [
            f"{self.group}, {self.in_order}, {self.out_order}",
            f"in_channels={self.in_channels}",
        ]
        parts.append(f"out_channels={self.out_channels}")
        parts.append(f"bias={self.bias is not None}")
        if self.plan.reduce != "mean":
            parts.append(f"reduce={self.plan.reduce!r}")
        return ", ".join([*parts, f"{self.plan.kind}={len(self.plan.basis)}"])

    def __getstate__(self) -> dict[str, Any]:
        # A compiled function does not pickle; its source does.
        built = ("_apply_plan", "_apply_ragged")
        return {name: value for name, value in self.__dict__.items() if name not in built}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._apply_plan = self._built()


def _ragged(backend: Callable[[Plan], str], plan: Plan, kind: int) -> Callable[..., Tensor] | None:
    """What applies a plan to (x, weight, bias, n, ratio); None where the backend has no masks."""
    if backend is einsum.kernels:
        return uncast(build(einsum.ragged_kernel(plan, kind)).apply)
    if backend is not triton.kernels:
        return None
    # Written here, not at the first mask: a compiler that traces the layer cannot write it.
    kernels = _kernels(triton.ragged_kernels(plan, kind))

    def apply(x: Tensor, weight: Tensor, bias: Tensor | None, n: Any, ratio: Tensor) -> Tensor:
        if torch._C._functorch.is_batchedtensor(ratio):
            raise BackendError(
                "backend 'triton' takes no masks under vmap: make them part of the batch, or take "
                "backend='einsum'"
            )
        return layer((kernels, (n, ratio)), x, weight, bias)

    return apply


def _kernels(source: str, under_vmap: Callable[[], Kernels] | None = None) -> Kernels:
    """The functions of source text that a backend has written."""
    built = build(source)
    if hasattr(built, "KERNELS"):
        made: Kernels = built.KERNELS
        return made
    return Kernels(
        uncast(built.apply),
        uncast(built.gradients),
        uncast(built.input_gradient),
        uncast(built.weight_gradient),
        under_vmap,
    )


def _run(kernels: Kernels, x: Tensor, weight: Tensor, *rest: Any) -> Tensor:
    """Apply a factored plan, in the dtype that autocast is set to."""
    *bias, n = rest
    return layer((kernels, n), *ready(x, weight, bias[0] if bias else None))
