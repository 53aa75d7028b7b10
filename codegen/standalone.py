"""The text around a kernel that makes it a file of its own: header, module, self-check."""

from __future__ import annotations

import math
import textwrap
from importlib.metadata import version
from string import Template

from tannaka.category.functor import norm2
from tannaka.category.group import Group
from tannaka.codegen.backends.einsum import shape
from tannaka.codegen.plan import Plan, formula, signature, terms_summed
from tannaka.diagrams.partition import SetPartition

RANDOM_ELEMENT = {
    "S": '''\
def random_element(n: int) -> Tensor:
    """A random permutation matrix."""
    return torch.eye(n, dtype=torch.float64)[torch.randperm(n)]
''',
    "O": '''\
def random_element(n: int) -> Tensor:
    """A random orthogonal matrix: rotations and reflections alike."""
    q, r = torch.linalg.qr(torch.randn(n, n, dtype=torch.float64))
    element: Tensor = q * r.diagonal().sign()
    return element
''',
}
"""By the symbol of the group, how its file draws an element; the check needs one."""

FILE = Template('''\
"""${headline}

${explanation}

Written by tannaka ${version}; needs only torch.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

N, ORDER_IN, ORDER_OUT, C_IN, C_OUT = ${sizes}
BASIS = "${basis}"

${diagrams}
${kernel}

class ${name}(nn.Module):
    """${headline}

    Parameters: weight of shape (${rows}, ${out_channels}, ${in_channels})${bias_doc}.
    """

    group, in_order, out_order = "${group}", ORDER_IN, ORDER_OUT
    in_channels, out_channels = C_IN, C_OUT

    def __init__(
        self, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        weight = torch.empty(len(DIAGRAMS), C_OUT, C_IN, device=device, dtype=dtype)
        self.weight = nn.Parameter(weight)
${bias_parameter}        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weights that preserve variance on average for independent unit inputs."""
        nn.init.uniform_(self.weight, a=-${bound}, b=${bound})
${bias_reset}
    def extra_repr(self) -> str:
        return f"{self.group}, order {ORDER_IN} -> {ORDER_OUT}, channels {C_IN} -> {C_OUT}"

    def forward(self, x: Tensor) -> Tensor:
        """Map ${input_shape} to ${output_shape}."""
        expected = (N,) * ORDER_IN + (C_IN,)
        if tuple(x.shape[-ORDER_IN - 1 :]) != expected:
            raise ValueError(
                f"expected an input of shape (*batch, {', '.join(map(str, expected))}), "
                f"got {tuple(x.shape)}"
            )
        if x.dtype != self.weight.dtype and not torch.is_autocast_enabled(x.device.type):
            raise TypeError(f"the input is {x.dtype}, the weight {self.weight.dtype}")
        return apply(x, self.weight, ${bias_argument}N)

    def get_extra_state(self) -> Tensor:
        """Say in the state dict which basis the rows of the weight belong to."""
        return torch.tensor(list(BASIS.encode()), dtype=torch.uint8)

    def set_extra_state(self, state: Tensor) -> None:
        """Nothing to set: the basis was compared before any parameter was read."""

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        saved = state_dict.get(prefix + "_extra_state")
        theirs = BASIS if saved is None else bytes(saved.tolist()).decode()
        if theirs != BASIS:
            raise ValueError(
                f"the state dict belongs to another basis: it has {theirs!r}, this layer {BASIS!r}"
            )
        super()._load_from_state_dict(state_dict, prefix, *args)


# The self-check, from the definition: dense, slow, and sharing nothing with the code above.


def dense(labels: tuple[int, ...], n: int) -> Tensor:
    """A diagram as a tensor with an axis for each vertex: 1 where the indices of blocks agree."""
    entries = torch.ones((n,) * len(labels), dtype=torch.float64)
    for vertex, label in enumerate(labels):
        first = labels.index(label)
        if first != vertex:
            here, there = (
                torch.arange(n).reshape([n if axis == v else 1 for axis in range(len(labels))])
                for v in (vertex, first)
            )
            entries = entries * (here == there)
    return entries


def reference(x: Tensor, weight: Tensor, ${bias_signature}n: int) -> Tensor:
    """The layer by its definition, for x with one batch axis."""
    y = x.new_zeros(len(x), n**ORDER_OUT, C_OUT)
    for labels, w in zip(DIAGRAMS, weight, strict=True):
${scale}
        y += torch.einsum("pq,bqi,oi->bpo", matrix, x.reshape(len(x), n**ORDER_IN, C_IN), w)
${bias_reference}    return y.reshape(len(x), *(n,) * ORDER_OUT, C_OUT)


${random_element}

def act(g: Tensor, x: Tensor, order: int) -> Tensor:
    """Multiply each of the ``order`` axes between batch and channels by g."""
    for axis in range(1, order + 1):
        x = (x.movedim(axis, -1) @ g.T).movedim(-1, axis)
    return x


@torch.no_grad()
def check() -> None:
    """Stop with an error unless the layer is what this file says."""
    torch.manual_seed(0)
    layer = ${name}(dtype=torch.float64)

    def compare(what: str, got: Tensor, want: Tensor) -> None:
        error = float((got - want).abs().max()) / max(float(want.abs().max()), 1e-300)
        print(f"{what}: relative error {error:.1e}")
        if got.shape != want.shape or not error < 1e-12:
            raise SystemExit(f"FAILED: {what}")

    def inputs(n: int) -> list[Tensor]:
        shapes = ((2, *(n,) * ORDER_IN, C_IN), *(p.shape for p in layer.parameters()))
        return [torch.randn(*shape, dtype=torch.float64) for shape in shapes]

    for n in ${reference_sizes}:
        x, ${parameters} = inputs(n)
        compare(
            f"agrees with the dense reference at n = {n}",
            apply(x, ${parameters}, n),
            reference(x, ${parameters}, n),
        )
    # At the layer's own size, or as near to it as a quick check can go.
    n = min(N, 200, math.floor(1e5 ** (1 / max(ORDER_IN, ORDER_OUT, 1))))
    x, ${parameters} = inputs(n)
    g = random_element(n)
    compare(
        f"commutes with a random group element at n = {n}",
        apply(act(g, x, ORDER_IN), ${parameters}, n),
        act(g, apply(x, ${parameters}, n), ORDER_OUT),
    )
    if n == N:
        compare("the module runs the same code", layer(x), apply(x, layer.weight, ${layer_bias}n))
    print(f"{layer} is what it says")


if __name__ == "__main__":
    check()
''')


def standalone(plan: Plan, kernel: str, name: str, group: Group) -> str:
    """The whole file, as source text; ``kernel`` is what a backend wrote for the plan."""
    n, bias = group.n, plan.bias_basis is not None
    sizes = (n, plan.dom, plan.cod, plan.in_channels, plan.out_channels)
    hom = f"Hom({group}, {plan.dom}, {plan.cod})"
    count = f"{len(plan.basis)} diagram{'s' * (len(plan.basis) != 1)}"
    basis_words = (
        f"The {count} are a basis of {hom}: every linear map that commutes with the group is such "
        "a sum, in exactly one way."
        if plan.basis
        else f"There is no diagram: {hom} is 0."
    )
    layout = (
        f"Input {shape(plan.dom, plan.in_channels, n)}, output "
        f"{shape(plan.cod, plan.out_channels, n)}: channels last. The output is the sum over the "
        "DIAGRAMS below of the diagram applied to the input, its channels multiplied by the row of "
        f"the weight with the same number{', plus a bias made the same way' * bias}. {basis_words}"
    )
    use = (
        f"{name}() needs no arguments. Its parameters have the layout of tannaka's own layer, so "
        "state dicts move between the two. Run this file to check it against a dense reference."
    )
    quick = len(plan.basis) * 3 ** (plan.dom + plan.cod) <= 10**8
    diagrams = [
        "# Row i of the weight multiplies diagram i: the block of each output, then of each input.",
        *_diagrams("DIAGRAMS", "W", plan.basis, plan),
    ]
    if bias:
        diagrams += ["# The same for the bias: diagrams without inputs."]
        diagrams += _diagrams("BIAS_DIAGRAMS", "b", plan.bias_basis or (), plan)
    mean = plan.reduce == "mean"
    return FILE.substitute(
        headline=f"Linear layer that commutes with {group}, from order {plan.dom} to {plan.cod}.",
        explanation="\n\n".join(textwrap.fill(words, 99) for words in (layout, use)),
        input_shape=shape(plan.dom, plan.in_channels, n),
        output_shape=shape(plan.cod, plan.out_channels, n),
        name=name,
        version=version("tannaka"),
        sizes=sizes,
        basis=signature(plan),
        diagrams="\n".join(diagrams),
        kernel=kernel if kernel.startswith("#") else f"\n\n{kernel}",
        rows=len(plan.basis),
        in_channels=plan.in_channels,
        out_channels=plan.out_channels,
        bias_doc=f", bias of shape ({len(plan.bias_basis or ())}, {plan.out_channels})" * bias,
        group=group,
        bias_parameter=_BIAS_PARAMETER * bias,
        bound=f"{initial_bound(plan, n):.6g}",
        bias_reset="        nn.init.zeros_(self.bias)\n" * bias,
        bias_argument="self.bias, " * bias,
        layer_bias="layer.bias, " * bias,
        bias_signature="bias: Tensor, " * bias,
        scale=_SCALED if mean else _UNSCALED,
        bias_reference=_BIAS_REFERENCE * bias,
        random_element=RANDOM_ELEMENT[group.symbol],
        reference_sizes="(2, 3)" if quick else "(2,)",
        parameters="weight, bias" if bias else "weight",
    )


def initial_bound(plan: Plan, n: int) -> float:
    """The bound b for which weights drawn uniformly from (-b, b) preserve variance on average.

    For inputs of independent entries with mean 0 and variance 1, the output's entries then have
    variance 1 on average: the sum over diagrams D of ``in_channels * b**2 / 3 * |D|**2 / n**cod``
    is 1, where |D| is the Frobenius norm of the diagram as the layer scales it.
    """
    total = 0.0
    for diagram in plan.basis:
        scale = n ** terms_summed(diagram) if plan.reduce == "mean" else 1
        total += norm2(diagram, n) / (scale**2 * n**plan.cod)
    return math.sqrt(3 / (plan.in_channels * total)) if total else 0.0


_BIAS_PARAMETER = """\
        bias = torch.empty(len(BIAS_DIAGRAMS), C_OUT, device=device, dtype=dtype)
        self.bias = nn.Parameter(bias)
"""

_BIAS_REFERENCE = """\
    for labels, b in zip(BIAS_DIAGRAMS, bias, strict=True):
        y += torch.einsum("p,o->po", dense(labels, n).reshape(-1), b)
"""

_UNSCALED = """\
        matrix = dense(labels, n).reshape(n**ORDER_OUT, n**ORDER_IN)"""

_SCALED = """\
        # The mean: divide by the number of terms that the diagram sums.
        terms = n ** len(set(labels[ORDER_OUT:]) - set(labels[:ORDER_OUT]))
        matrix = dense(labels, n).reshape(n**ORDER_OUT, n**ORDER_IN) / terms"""


def _diagrams(name: str, symbol: str, basis: tuple[SetPartition, ...], plan: Plan) -> list[str]:
    """A constant that lists diagrams, each with what it does as a comment."""
    if not basis:
        return [f"{name}: tuple[tuple[int, ...], ...] = ()"]
    rows = [
        f"    {diagram.labels},  # {formula(diagram, plan.reduce, f'{symbol}{row}')}"
        for row, diagram in enumerate(basis)
    ]
    return [f"{name}: tuple[tuple[int, ...], ...] = (", *rows, ")"]
