"""The text around a kernel that makes it a file of its own: header, module, self-check."""

from __future__ import annotations

import textwrap
from importlib.metadata import version
from string import Template

from tannaka.category.groups import MatrixGroup
from tannaka.codegen.inline import inline, merged
from tannaka.codegen.network import network
from tannaka.codegen.notation import formula, shape
from tannaka.codegen.plan import Plan
from tannaka.diagrams.diagram import Diagram
from tannaka.diagrams.errors import BackendError
from tannaka.diagrams.partition import restricted_growth

FILE = Template('''\
"""${headline}

${explanation}

Written by tannaka ${version}; needs only torch${needs}.
"""

from __future__ import annotations

${imports}

N, ORDER_IN, ORDER_OUT, C_IN, C_OUT = ${sizes}
BASIS = "${basis}"

${diagrams}
${kernel}

class ${name}(nn.Module):
    """${headline}

    Parameters: weight of shape (${rows}, ${out_channels}, ${in_channels})${bias_doc}.
    """

    group, in_order, out_order = f"${symbol}({N})", ORDER_IN, ORDER_OUT
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
        casting = x.device.type != "meta" and torch.is_autocast_enabled(x.device.type)
        if x.dtype != self.weight.dtype and not casting:
            raise TypeError(f"the input is {x.dtype}, the weight {self.weight.dtype}")
        return apply(x, self.weight, ${bias_argument}N)

    def get_extra_state(self) -> Tensor:
        """Say in the state dict which basis the rows of the weight belong to."""
        return torch.tensor(list(BASIS.encode()), dtype=torch.uint8, device="cpu")

    def set_extra_state(self, state: Tensor) -> None:
        """Nothing to set: the basis was compared before any parameter was read."""

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        ours = self.get_extra_state()
        theirs = state_dict.get(prefix + "_extra_state", ours)
        readable = isinstance(theirs, Tensor) and not theirs.is_meta
        if not readable or not torch.equal(theirs.cpu(), ours):
            raise ValueError(f"{prefix}_extra_state: the state dict is not of the basis {BASIS!r}")
        super()._load_from_state_dict(state_dict, prefix, *args)


# The self-check, from the definition: dense, slow, and sharing only the tables of diagrams.


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
    y = x.new_zeros(len(x), n**ORDER_OUT, weight.shape[1])
    for labels, w in zip(DIAGRAMS, weight, strict=True):
${scale}
        y += torch.einsum("pq,bqi,oi->bpo", matrix, x.reshape(len(x), n**ORDER_IN, -1), w)
${bias_reference}    return y.reshape(len(x), *(n,) * ORDER_OUT, -1)


${random_element}

def act(g: Tensor, x: Tensor, order: int) -> Tensor:
    """Multiply each of the ``order`` axes between batch and channels by g."""
    for axis in range(1, order + 1):
        x = (x.movedim(axis, -1) @ g.T).movedim(-1, axis)
    return x


def check() -> None:
    """Stop with an error unless the layer is what this file says."""
    torch.manual_seed(0)

    def compare(what: str, got: Tensor, want: Tensor) -> None:
        error = float((got - want).detach().abs().max()) / max(float(want.abs().max()), 1e-300)
        print(f"{what}: relative error {error:.1e}")
        if got.shape != want.shape or not error < 1e-12:
            raise SystemExit(f"FAILED: {what}")

    def inputs(n: int) -> list[Tensor]:
        # Any channels do; unequal ones tell input from output.
        shapes = [(2, *(n,) * ORDER_IN, 2), (len(DIAGRAMS), 3, 2)${bias_shape}]
        return [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]

    def gradients(y: Tensor, *leaves: Tensor) -> Tensor:
        total = y.square().sum() + sum(leaf.sum() for leaf in leaves)
        return torch.cat([g.flatten() for g in torch.autograd.grad(total, leaves)])

    for n in ${reference_sizes}:
        x, ${parameters} = inputs(n)
        got, want = apply(x, ${parameters}, n), reference(x, ${parameters}, n)
        compare(f"agrees with the dense reference at n = {n}", got, want.detach())
        compare("and with its gradients", *(gradients(y, x, ${parameters}) for y in (got, want)))
        compare("without a batch axis", apply(x[0], ${parameters}, n), want[0].detach())
        compare("with two", apply(x[None], ${parameters}, n)[0], want.detach())
    # At the layer's own size, or as near to it as a quick check can go.
    n = min(N, 200, math.floor(1e5 ** (1 / max(ORDER_IN, ORDER_OUT, 1))))
    x, ${parameters} = inputs(n)
    g = random_element(n)
    for _ in range(100):
        g = random_element(n) if torch.allclose(g, torch.eye(n, dtype=g.dtype)) else g
    compare(
        f"commutes with a random group element at n = {n}",
        apply(act(g, x, ORDER_IN), ${parameters}, n),
        act(g, apply(x, ${parameters}, n), ORDER_OUT).detach(),
    )
    layer, twin = ${name}(dtype=torch.float64), ${name}(dtype=torch.float64)
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    twin.load_state_dict(layer.state_dict())
    if N ** max(ORDER_IN, ORDER_OUT) * max(C_IN, C_OUT) <= 10**7:
        x = torch.randn((*(N,) * ORDER_IN, C_IN), dtype=torch.float64)
        want = apply(x, layer.weight, ${layer_bias}N).detach()
        compare("the module runs the same code", layer(x), want)
        compare("state dicts carry the parameters", twin(x), want)
    print(f"{layer} is what it says")


if __name__ == "__main__":
    check()
''')


def standalone(plan: Plan, kernel: str, name: str, group: MatrixGroup) -> str:
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
    kernel, imports = inline(kernel)
    return FILE.substitute(
        headline=f"Linear layer that commutes with {group}, from order {plan.dom} to {plan.cod}.",
        explanation="\n\n".join(textwrap.fill(words, 99) for words in (layout, use)),
        input_shape=shape(plan.dom, plan.in_channels, n),
        output_shape=shape(plan.cod, plan.out_channels, n),
        imports=merged([*_IMPORTS, *imports]),
        name=name,
        version=version("tannaka"),
        needs=", and a C++ compiler" if imports else "",
        sizes=", ".join(map(str, sizes)),
        basis=plan.signature(),
        diagrams="\n".join(diagrams),
        kernel=kernel if kernel.startswith("#") else f"\n\n{kernel}",
        rows=len(plan.basis),
        in_channels=plan.in_channels,
        out_channels=plan.out_channels,
        bias_doc=f", bias of shape ({len(plan.bias_basis or ())}, {plan.out_channels})" * bias,
        symbol=group.symbol,
        bias_parameter=_BIAS_PARAMETER * bias,
        bound=f"{plan.initial_bound(n):.6g}",
        bias_reset="        nn.init.zeros_(self.bias)\n" * bias,
        bias_argument="self.bias, " * bias,
        layer_bias="layer.bias, " * bias,
        bias_shape=", (len(BIAS_DIAGRAMS), 3)" * bias,
        bias_signature="bias: Tensor, " * bias,
        scale=_SCALED if mean else _UNSCALED,
        bias_reference=_BIAS_REFERENCE * bias,
        random_element=group.torch_sample,
        reference_sizes="(2, 3)" if quick else "(2,)",
        parameters="weight, bias" if bias else "weight",
    )


_IMPORTS = ("import math", "from typing import Any", "import torch", "from torch import Tensor, nn")

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


def check_deltas(plan: Plan) -> None:
    """Raise BackendError unless every diagram is a product of deltas, as the file's reference wants."""
    reason = None
    if plan.types > 1:
        reason = "typed axes"
    elif any(found.legs for found in plan.networks + plan.bias_networks):
        reason = "determinant vertices"
    elif any(found.sign < 0 or found.forms for found in plan.networks + plan.bias_networks):
        reason = "signs and forms"
    if reason:
        raise BackendError(
            f"{plan.group}, order {plan.dom} -> {plan.cod}: files are written for diagrams without "
            f"{reason} so far; tn.nn.EquivariantLinear runs this layer"
        )


def _labels(diagram: Diagram) -> tuple[int, ...]:
    """The block of each output, then of each input."""
    found = network(diagram)
    labels: tuple[int, ...] = restricted_growth(found.outputs + found.inputs)
    return labels


def _diagrams(name: str, symbol: str, basis: tuple[Diagram, ...], plan: Plan) -> list[str]:
    """A constant that lists diagrams, each with what it does as a comment."""
    if not basis:
        return [f"{name}: tuple[tuple[int, ...], ...] = ()"]
    if len(basis) == 1:
        does = formula(basis[0], plan.reduce, f"{symbol}0", plan.group)
        return [f"{name}: tuple[tuple[int, ...], ...] = ({_labels(basis[0])},)  # {does}"]
    rows = [
        f"    {_labels(diagram)},  # {formula(diagram, plan.reduce, f'{symbol}{row}', plan.group)}"
        for row, diagram in enumerate(basis)
    ]
    return [f"{name}: tuple[tuple[int, ...], ...] = (", *rows, ")"]
