"""A kernel of PyTorch as a file: the ``nn.Module`` around it, and the check that it runs on itself."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from string import Template
from typing import Any

from tannaka.codegen.lowering.choose import AnyPlan
from tannaka.codegen.lowering.host_plan import HostPlan
from tannaka.codegen.standalone.axes import QUICK, Axes
from tannaka.codegen.standalone.tables import WIDTH

IMPORTS = ("from typing import Any", "import torch", "from torch import Tensor, nn")

MODULE = Template('''\
class ${name}(nn.Module):
    """${headline}

    Parameters: weight of shape (${rows}, ${out_channels}, ${in_channels})${bias_doc}.
    """

    group = ${group}
    in_order, out_order, in_channels, out_channels = ${in_order}, ${out_order}, C_IN, C_OUT
${generators}
    def __init__(
${arguments}
    ) -> None:
        super().__init__()
        weight = torch.empty(len(${table}), C_OUT, C_IN, device=device, dtype=dtype)
        self.weight = nn.Parameter(weight)
${bias_parameter}        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weights that preserve variance on average for independent unit inputs."""
        nn.init.uniform_(self.weight, a=-${bound}, b=${bound})
${bias_reset}
    def extra_repr(self) -> str:
        """What stands between the parentheses of the layer's ``repr``."""
        return f"{self.group}, {self.in_order} -> {self.out_order}, channels {C_IN} -> {C_OUT}"

${forward}
    def get_extra_state(self) -> Tensor:
        """Say in the state dict which basis the rows of the weight belong to."""
        return torch.tensor(list(BASIS.encode()), dtype=torch.uint8, device="cpu")

    def set_extra_state(self, state: Tensor) -> None:
        """Nothing to set: the basis was compared before any parameter was read."""

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        for key in (prefix + name for name in ("weight", "bias", "_extra_state")):
            value: Any = state_dict.get(key)
            if hasattr(value, "__array__") and not isinstance(value, Tensor):
                state_dict[key] = torch.tensor(value.__array__())  # of another library
        ours = self.get_extra_state()
        theirs = state_dict.get(prefix + "_extra_state", ours)
        readable = isinstance(theirs, Tensor) and not theirs.is_meta
        if not readable or not torch.equal(theirs.cpu(), ours):
            raise ValueError(f"{prefix}_extra_state: not a state of the basis {BASIS!r}")
        super()._load_from_state_dict(state_dict, prefix, *args)
''')

FORWARD = Template("""\
    def forward(self, x: Tensor${parameters}) -> Tensor:
${doc}
${sizes}        expected = ${expected}
        if tuple(x.shape[-${in_axes} - 1 :]) != expected${also}:
            raise ValueError(
                f"expected an input of shape (*batch, {', '.join(map(str, expected))}), "
                f"got {tuple(x.shape)}"
            )
        casting = x.device.type != "meta" and torch.is_autocast_enabled(x.device.type)
        if x.dtype != self.weight.dtype and not casting:
            raise TypeError(f"the input is {x.dtype}, the weight {self.weight.dtype}")
${apply}""")

MASKED = Template("""\
        if mask is None:
            return ${apply})
        batch = x.shape[: x.ndim - len(expected)]
        if mask.dtype != torch.bool or mask.shape != (*batch, ${size}):
            raise ValueError(f"the mask must be boolean and of shape {(*batch, ${size})}")
        x = torch.where(real(mask, ${word_in}), x, 0.0)
        # A mean over all points, padded ones too, times n / count is that over real ones.
        count = mask.sum(-1).clamp(min=1).to(torch.promote_types(x.dtype, torch.float32))
        y = ${apply}, ${size} / count)
        return torch.where(real(mask, ${word_out}), y, 0.0)
""")

REAL = Template('''\
def real(mask: Tensor, ${word}) -> Tensor:
    """Where all indices of a tensor are of real points; with an axis for channels."""
    batch, n = mask.shape[:-1], mask.shape[-1]
    found = mask.new_ones(())
    for axis in range(${axes}):
${skip}        sizes = [n if other == axis else 1 for other in range(${axes})]
        found = found & mask.reshape(*batch, *sizes, 1)
    return found
''')


@dataclass(frozen=True)
class Written:
    """What the text around a kernel has to know."""

    plan: AnyPlan
    axes: Axes
    name: str
    """The name of the class."""
    headline: str
    group: str
    """What the group is called."""
    dtype: str | None
    """The default dtype of parameters, if not the framework's own."""
    table: str
    """The constant that has an entry for each row of the weight."""
    setup: tuple[str, ...] = ()
    """Statements at the start of the check."""
    also: tuple[str, ...] = ()
    """Statements of the check about the tables."""

    @property
    def bias_table(self) -> str:
        """The constant that has an entry for each row of the bias."""
        return "BIAS_DIAGRAMS" if self.table == "DIAGRAMS" else "BIAS_ORBITS"

    @property
    def bias(self) -> bool:
        """Whether there is one."""
        return self.plan.bias_basis is not None

    @property
    def generators(self) -> str:
        """The statement by which a class of a permutation group says which group it is."""
        given = isinstance(self.plan, HostPlan)
        return "    generators, points = GENERATORS, N\n" * given

    @property
    def channels(self) -> tuple[int, int]:
        """Channels to test with: different from each other and from all other sizes in the test."""
        others = {2, len(self.plan.basis), len(self.plan.bias_basis or ())}
        others.update(*self.axes.tests())
        one, other, *_ = (count for count in range(3, 20) if count not in others)
        return one, other

    @property
    def parameters(self) -> str:
        """The parameters, as arguments."""
        return "weight, bias" if self.bias else "weight"

    @property
    def bound(self) -> str:
        """Weights are drawn between minus this and this."""
        return repr(float(f"{self.plan.initial_bound(self.plan_n):.6g}")).replace("e+", "e")

    @property
    def plan_n(self) -> Any:
        """The sizes of the group."""
        sizes = self.axes.sizes
        return sizes if len(sizes) > 1 else sizes[0]


def module(written: Written) -> list[str]:
    """The class, and what it calls, as text."""
    plan, axes, bias = written.plan, written.axes, written.bias
    rows = len(plan.bias_basis or ())
    text = MODULE.substitute(
        name=written.name,
        headline=written.headline,
        rows=len(plan.basis),
        in_channels=plan.in_channels,
        out_channels=plan.out_channels,
        bias_doc=f", bias of shape ({rows}, {plan.out_channels})" * bias,
        group=f'"{written.group}"',
        in_order=axes.word("IN"),
        out_order=axes.word("OUT"),
        table=written.table,
        generators=written.generators,
        arguments=_arguments("None" if written.dtype is None else f"torch.{written.dtype}"),
        bias_parameter=BIAS_PARAMETER.replace("BIAS_DIAGRAMS", written.bias_table) * bias,
        bias_reset="        nn.init.zeros_(self.bias)\n" * bias,
        bound=written.bound,
        forward=_forward(written),
    )
    return [*([_real(axes)] if axes.masked is not None else []), text]


def _arguments(dtype: str) -> str:
    """The arguments of the class, in one line or a line each."""
    every = [
        "self",
        "*",
        "device: torch.device | str | None = None",
        f"dtype: torch.dtype | None = {dtype}",
    ]
    line = f"        {', '.join(every)}"
    return line if len(line) <= WIDTH else "\n".join(f"        {one}," for one in every)


BIAS_PARAMETER = """\
        bias = torch.empty(len(BIAS_DIAGRAMS), C_OUT, device=device, dtype=dtype)
        self.bias = nn.Parameter(bias)
"""


def _forward(written: Written) -> str:
    axes = written.axes
    parameters = "self.weight, self.bias" if written.bias else "self.weight"
    n = axes.n_variable
    doc = f"Map {axes.shaped('IN')} to {axes.shaped('OUT')}."
    arguments, sizes, apply = "", "", f"apply(x, {parameters}{'' if axes.fixed else f', {n}'}"
    if axes.open:
        reading, asked = read_sizes(axes)
        sizes = "".join(f"        {line}\n" for line in reading)
        arguments += ", n: int" * asked
    run = f"        return {apply})\n"
    docstring = f'        """{doc}"""'
    if axes.masked is not None:
        arguments += ", mask: Tensor | None = None"
        kind = axes.masked
        run = MASKED.substitute(
            apply=apply,
            size=f"{n}[{kind}]" if axes.typed else n,
            word_in=axes.word("IN"),
            word_out=axes.word("OUT"),
        )
        letter = f"n{kind}" if axes.typed else "n"
        more = textwrap.fill(
            f"``mask``, boolean and of shape (*batch, {letter}), is True where a point is real, for "
            "inputs of several sizes that are padded to one: what is padded does not matter, and "
            "outputs and gradients are 0 there.",
            WIDTH - 1,
            initial_indent=" " * 8,
            subsequent_indent=" " * 8,
        )
        docstring = f'        """{doc}\n\n{more}\n        """'
    return FORWARD.substitute(
        parameters=arguments,
        doc=docstring,
        sizes=sizes,
        expected=axes.of("IN", n, after=["C_IN"]),
        in_axes=axes.order("IN"),
        also=" or 0 in expected" * bool(axes.open),
        apply=run,
    )


def _real(axes: Axes) -> str:
    """The function that spreads a mask over the axes of a tensor."""
    if not axes.typed:
        return REAL.substitute(word="order: int", axes="order", skip="")
    skip = f"        if word[axis] != {axes.masked}:\n            continue\n"
    return REAL.substitute(word="word: tuple[int, ...]", axes="len(word)", skip=skip)


def read_sizes(axes: Axes) -> tuple[list[str], bool]:
    """Statements that read sizes from x, and whether the caller has to say one."""
    found, asked = [], False
    for kind, size in enumerate(axes.sizes):
        places = [axis for axis, other in enumerate(axes.inputs) if other == kind]
        if size is not None:
            found.append(str(size))
        elif places:
            at = places[0] - len(axes.inputs) - 1
            found.append(f"x.shape[{at}] if x.ndim > {len(axes.inputs)} else 0")
        elif kind in axes.outputs:
            found.append("n")
            asked = True
        else:
            found.append("1")
    if not axes.typed:
        return ([] if asked else [f"n = {found[0]}"]), asked
    return [f"sizes = ({', '.join(found)})"], asked


CHECK = Template('''\
def check() -> None:
    """Stop with an error unless the layer is what this file says."""
${setup}    torch.manual_seed(0)

    def compare(what: str, got: Tensor, want: Tensor) -> None:
        got, want = got.detach(), want.detach()
        error = float((got - want).abs().max()) / max(float(want.abs().max()), 1e-300)
        print(f"{what}: relative error {error:.1e}")
        if got.shape != want.shape or not error < 1e-12:
            raise SystemExit(f"FAILED: {what}")

    def inputs(${n_parameter}) -> list[Tensor]:
        # Any channels do; unequal ones tell input from output.
        shapes = [${x_shape}, (len(${table}), ${c_out}, ${c_in})${bias_shape}]
        return [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]

    def gradients(y: Tensor, *leaves: Tensor) -> Tensor:
        total = y.square().sum() + sum(leaf.sum() for leaf in leaves)
        found = torch.autograd.grad(total, leaves, retain_graph=True)
        return torch.cat([gradient.flatten() for gradient in found])

${sizes}
${element}
${layer}    print(f"{layer} is what it says")


if __name__ == "__main__":
    check()
''')

LAYER = Template("""\
    layer = ${name}(dtype=torch.float64)
    twin = ${name}(dtype=torch.float64)
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    twin.load_state_dict(layer.state_dict())
${run}""")


def check(written: Written) -> str:
    """The function that checks the file, and the lines that call it."""
    axes = written.axes
    c_in, c_out = written.channels
    bias_shape = f", (len({written.bias_table}), {c_out})" * written.bias
    setup = "".join(f"    {line}\n" for line in written.setup)
    return CHECK.substitute(
        setup=setup,
        n_parameter=axes.n_parameter[2:],
        x_shape=axes.of("IN", axes.n, "2", after=[str(c_in)]),
        c_in=c_in,
        c_out=c_out,
        table=written.table,
        bias_shape=bias_shape,
        sizes="\n".join(f"    {line}".rstrip() for line in [*written.also, *_at_sizes(written)]),
        element="\n".join(f"    {line}" for line in _moved(written)),
        layer=_of_the_layer(written),
    )


def _at_sizes(written: Written) -> list[str]:
    """Comparing the kernel with the reference, at each size."""
    axes, given = written.axes, written.parameters
    n, call = axes.n_argument, "" if axes.fixed else "n"
    where = "" if axes.fixed else " at n = {n}"
    lines = [
        f"x, {given} = inputs({call})",
        f"got, want = apply(x, {given}{n}), reference(x, {given}{n})",
        f'compare({"f" * bool(where)}"agrees with the dense reference{where}", got, want)',
        f'compare("and with its gradients", *(gradients(y, x, {given}) for y in (got, want)))',
        f'compare("without a batch axis", apply(x[0], {given}{n}), want[0])',
        f'compare("with two", apply(x[None], {given}{n})[0], want)',
    ]
    if written.bias:
        lines += [
            "# The kernel adds in place, which autograd takes only where it sees all arguments.",
            f"frozen = apply(x.detach(), weight.detach(), bias{n})",
            'compare("the bias learns alone", *(gradients(y, bias) for y in (frozen, want)))',
        ]
    if axes.fixed:
        return lines
    sizes = ", ".join(map(axes.literal, axes.tests())) + "," * (len(axes.tests()) == 1)
    return [f"for n in ({sizes}):", *(f"    {line}" for line in lines)]


def _moved(written: Written) -> list[str]:
    """Comparing what the kernel makes of a moved input with what it makes, moved."""
    axes, given = written.axes, written.parameters
    own = axes.own()
    n, call, name = axes.n_argument, "" if axes.fixed else "n", axes.n
    lines = []
    if not axes.fixed:
        exact = not axes.open and own == axes.sizes
        lines.append(
            "# At the layer's own size." if exact else "# As near to its own size as is quick."
        )
        lines.append(f"n = {axes.literal(own)}")
    near = "torch.allclose({}, torch.eye(len({}), dtype={}.dtype))"
    still = (
        f"all({near.format(*['part'] * 3)} for part in g)" if axes.typed else near.format(*"ggg")
    )
    again = f"g = random_element({name}) if {still} else g"
    lines += [
        f"x, {given} = inputs({call})",
        f"g = random_element({name})",
        "for _ in range(100):",
    ]
    lines += (
        [f"    {again}"]
        if len(again) + 8 <= WIDTH
        else [f"    if {still}:", f"        g = random_element({name})"]
    )
    return [
        *lines,
        "compare(",
        '    "commutes with a random group element",',
        f"    apply(act(g, x, {axes.word('IN')}), {given}{n}),",
        f"    act(g, apply(x, {given}{n}), {axes.word('OUT')}),",
        ")",
    ]


def _of_the_layer(written: Written) -> str:
    """Comparing the module with the kernel."""
    axes, plan = written.axes, written.plan
    sizes = axes.own() if axes.open else tuple(size or 0 for size in axes.sizes)
    if axes.largest(sizes) * max(plan.in_channels, plan.out_channels) > 100 * QUICK:
        run = ""
    else:
        n = "n" if axes.open else "N"
        bias = "layer.bias, " * written.bias
        said = "" if not read_sizes(axes)[1] else (f", n[{axes.open[0]}]" if axes.typed else ", n")
        argument = "" if axes.fixed else f", {n}"
        run = textwrap.indent(
            f"""\
x = torch.randn({axes.of("IN", n, after=["C_IN"])}, dtype=torch.float64)
want = apply(x, layer.weight, {bias}{argument[2:]})
compare("the module runs the same code", layer(x{said}), want)
compare("state dicts carry the parameters", twin(x{said}), want)
""".replace(", )", ")"),
            "    ",
        )
        run += _of_masks(written)
    return LAYER.substitute(name=written.name, run=run)


MASKS = Template("""\
# Of inputs padded to one size, each gives what it gives by itself.
mask = torch.rand(2, ${size}) < 0.5
mask[:, 0] = True
x = torch.randn(${x_shape}, dtype=torch.float64)
padded = layer(x.where(real(mask, ${word_in}), torch.nan)${said}, mask)
for one, points, y in zip(x, mask, padded, strict=True):
    places = points.nonzero()[:, 0]
${fewer_in}    want = layer(one${fewer})
    total = y.square().sum()
${fewer_out}    compare("padded", y, want)
    compare("and zero elsewhere", total, want.square().sum())
""")


def _of_masks(written: Written) -> str:
    """Comparing a padded input with those that were padded."""
    axes = written.axes
    if axes.masked is None:
        return ""
    asked = read_sizes(axes)[1]
    size = f"n[{axes.masked}]" if axes.typed else "n"
    lines = MASKS.substitute(
        size=size,
        x_shape=axes.of("IN", "n", "2", after=["C_IN"]),
        word_in=axes.word("IN"),
        said=f", {size}" * asked,
        fewer=", len(places)" * asked,
        fewer_in=_at_places("one", axes.inputs, axes, "ORDER_IN"),
        fewer_out=_at_places("y", axes.outputs, axes, "ORDER_OUT"),
    )
    return textwrap.indent(lines, "    ")


def _at_places(name: str, word: tuple[int, ...], axes: Axes, order: str) -> str:
    """Statements that take the real points of a tensor; none where it has no axis of them."""
    found = tuple(axis for axis, kind in enumerate(word) if kind == axes.masked)
    if not found:
        return ""
    listed = repr(found) if axes.typed else f"range({order})"
    return f"    for axis in {listed}:\n        {name} = {name}.index_select(axis, places)\n"
