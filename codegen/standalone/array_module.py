"""A kernel of NumPy or JAX as a file: a class or pure functions around it, and its check.

Both are checked by the same text, in NumPy: the reference, the group elements and what is compared.
"""

from __future__ import annotations

import textwrap
from string import Template

from tannaka.codegen.standalone.axes import QUICK, Axes
from tannaka.codegen.standalone.tables import WIDTH
from tannaka.codegen.standalone.torch_module import Written, read_sizes

NUMPY_IMPORTS = (
    "from collections.abc import Mapping",
    "from typing import Any",
    "import numpy as np",
    "from numpy.typing import NDArray",
)
JAX_IMPORTS = (
    "from collections.abc import Mapping",
    "from typing import Any",
    "import jax",
    "import jax.numpy as jnp",
    "import numpy as np",
    "from jax import Array",
    "from numpy.typing import NDArray",
)
NUMPY_TYPES = ("Array = NDArray[Any]",)
JAX_TYPES = ("Floats = NDArray[Any]", "Params = dict[str, Array]")

NUMPY_MODULE = Template('''\
class ${name}:
    """${headline}

    Parameters: weight of shape (${rows}, ${out_channels}, ${in_channels})${bias_doc}.
    ${start}
    """

    group = ${group}
    in_order, out_order, in_channels, out_channels = ${in_order}, ${out_order}, C_IN, C_OUT
${generators}
    def __init__(
        self, rng: np.random.Generator | int | None = None, dtype: Any = np.${dtype}
    ) -> None:
        shape = (len(${table}), C_OUT, C_IN)
        weight = np.random.default_rng(rng).uniform(-${bound}, ${bound}, shape)
        self.weight: Array = weight.astype(dtype)
${bias_parameter}
    def __call__(self, x: Array${parameters}) -> Array:
${doc}
${sizes}        expected = ${expected}
        if x.shape[-${in_axes} - 1 :] != expected${also}:
            raise ValueError(
                f"expected an input of shape (*batch, {', '.join(map(str, expected))}), got {x.shape}"
            )
        if x.dtype != self.weight.dtype:
            raise TypeError(f"the input is {x.dtype}, the weight {self.weight.dtype}")
${apply}
    def state_dict(self) -> dict[str, Array]:
        """The parameters, and which basis the rows of the weight belong to."""
        basis = np.frombuffer(BASIS.encode(), np.uint8)
        return {${state}, "_extra_state": basis}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take parameters from a state dict of any of tannaka's layers, as arrays.

        Raises ValueError for one of another basis, or with arrays of other names or shapes.
        """
        found = checked(state, self.state_dict())
        self.weight = found["weight"].astype(self.weight.dtype)
${load_bias}''')

JAX_MODULE = Template('''\
def init(key: Array, dtype: Any = jnp.${dtype}) -> Params:
    """The parameters of ${name}: weight of shape (${rows}, ${out_channels}, ${in_channels})${bias_doc}.

    ${start}
    """
    shape = (len(${table}), C_OUT, C_IN)
    weight = jax.random.uniform(key, shape, dtype, minval=-${bound}, maxval=${bound})
    return {${state}}


def apply(params: Params, x: Array${parameters}) -> Array:
${doc}
    weight${bias_names} = ${values}
${sizes}    expected = ${expected}
    if x.shape[-${in_axes} - 1 :] != expected${also}:
        raise ValueError(
            f"expected an input of shape (*batch, {', '.join(map(str, expected))}), got {x.shape}"
        )
    if x.dtype != weight.dtype:
        raise TypeError(f"the input is {x.dtype}, the weight {weight.dtype}")
${apply}

def state_dict(params: Params) -> dict[str, NDArray[Any]]:
    """The parameters as arrays of NumPy, and which basis the rows of the weight belong to."""
    found = {name: np.asarray(value) for name, value in params.items()}
    return found | {"_extra_state": np.frombuffer(BASIS.encode(), np.uint8)}


def load(state: Mapping[str, Any], dtype: Any = jnp.${dtype}) -> Params:
    """Parameters from a state dict of any of tannaka's layers, as arrays.

    Raises ValueError for one of another basis, or with arrays of other names or shapes.
    """
    ours = state_dict(init(jax.random.key(0)))
    return {name: jnp.asarray(value, dtype) for name, value in checked(state, ours).items()}
''')

CHECKED = '''\
def checked(state: Mapping[str, Any], ours: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The parameters in a state dict; ValueError unless it is one like ours."""
    found = {name: np.asarray(value) for name, value in state.items()}
    basis = found.pop("_extra_state", None)
    if basis is None or basis.dtype != np.uint8 or bytes(basis) != BASIS.encode():
        raise ValueError(f"_extra_state: not a state of the basis {BASIS!r}")
    shapes = {name: value.shape for name, value in ours.items() if name != "_extra_state"}
    if {name: value.shape for name, value in found.items()} != shapes:
        raise ValueError(f"expected arrays of the shapes {shapes}")
    return found
'''

REAL = Template('''\
def real(mask: Array, ${word}) -> Array:
    """Where all indices of a tensor are of real points; with an axis for channels."""
    batch, n = mask.shape[:-1], mask.shape[-1]
    found: Array = ${xp}.array(True)
    for axis in range(${axes}):
${skip}        sizes = [n if other == axis else 1 for other in range(${axes})]
        found = found & mask.reshape(*batch, *sizes, 1)
    return found
''')

MASKED = Template("""\
if mask is None:
    return ${apply})
batch = x.shape[: x.ndim - len(expected)]
if mask.dtype != bool or mask.shape != (*batch, ${size}):
    raise ValueError(f"the mask must be boolean and of shape {(*batch, ${size})}")
zero = ${xp}.zeros((), dtype=x.dtype)
x = ${xp}.where(real(mask, ${word_in}), x, zero)
# A mean over all points, padded ones too, times n / count is that over real ones.
y = ${apply}, ${size} / ${xp}.maximum(mask.sum(-1), 1))
return ${xp}.where(real(mask, ${word_out}), y, zero)
""")


def imports(jax: bool) -> tuple[str, ...]:
    """What a file imports."""
    return JAX_IMPORTS if jax else NUMPY_IMPORTS


def types(jax: bool) -> tuple[str, ...]:
    """The names of types in a file."""
    return JAX_TYPES if jax else NUMPY_TYPES


def module(written: Written, jax: bool) -> list[str]:
    """The class, or the functions, as text."""
    plan, axes, bias = written.plan, written.axes, written.bias
    rows = len(plan.bias_basis or ())
    pad, given = ("    ", "weight, bias") if jax else (" " * 8, "self.weight, self.bias")
    given = given if bias else given.split(",")[0]
    n = "" if axes.fixed else f", {axes.n_variable}"
    call = f"{'linear' if jax else 'apply'}(x, {given}{n}"
    reading, asked = read_sizes(axes) if axes.open else ([], False)
    masked = axes.masked is not None
    run = f"return {call})\n"
    if masked:
        kind = axes.masked
        run = MASKED.substitute(
            apply=call,
            size=f"{axes.n_variable}[{kind}]" if axes.typed else axes.n_variable,
            word_in=axes.word("IN"),
            word_out=axes.word("OUT"),
            xp="jnp" if jax else "np",
        )
    values = {
        "name": written.name,
        "headline": written.headline,
        "rows": len(plan.basis),
        "in_channels": plan.in_channels,
        "out_channels": plan.out_channels,
        "bias_doc": f", bias of shape ({rows}, {plan.out_channels})" * bias,
        "group": f'"{written.group}"',
        "in_order": axes.word("IN"),
        "out_order": axes.word("OUT"),
        "dtype": written.dtype or ("float32" if jax else "float64"),
        "table": written.table,
        "generators": written.generators,
        "bound": written.bound,
        "parameters": ", n: int" * asked + ", mask: Array | None = None" * masked,
        "doc": _doc(axes, pad),
        "sizes": "".join(f"{pad}{line}\n" for line in reading),
        "expected": axes.of("IN", axes.n_variable, after=["C_IN"]),
        "in_axes": axes.order("IN"),
        "also": " or 0 in expected" * bool(axes.open),
        "apply": textwrap.indent(run, pad),
    }
    if jax:
        values["start"] = (
            f"A {'bias of 0, and a ' * bias}weight that preserves variance on average for "
            "independent unit inputs."
        )
        state = '"weight": weight'
        if bias:
            state += f', "bias": jnp.zeros((len({written.bias_table}), C_OUT), dtype)'
        values |= {
            "state": state,
            "bias_names": ", bias" * bias,
            "values": 'params["weight"], params["bias"]' if bias else 'params["weight"]',
        }
        text = JAX_MODULE.substitute(values)
    else:
        start = (
            f"{'They start' if bias else 'It starts'} with a {'bias of 0, and a ' * bias}weight from "
            "``rng`` that preserves variance on average for independent unit inputs."
        )
        values |= {
            "start": textwrap.fill(
                start, WIDTH - 1, subsequent_indent="    ", initial_indent="    "
            ).strip(),
            "state": '"weight": self.weight' + ', "bias": self.bias' * bias,
            "bias_parameter": f"        self.bias: Array = np.zeros((len({written.bias_table}), C_OUT), dtype)\n"
            * bias,
            "load_bias": '        self.bias = found["bias"].astype(self.bias.dtype)\n' * bias,
        }
        text = NUMPY_MODULE.substitute(values)
    return [*([_real(axes, jax)] if masked else []), CHECKED, text]


def _doc(axes: Axes, pad: str) -> str:
    """The docstring of what applies the layer."""
    doc = f"Map {axes.shaped('IN')} to {axes.shaped('OUT')}."
    if axes.masked is None:
        return f'{pad}"""{doc}"""'
    letter = f"n{axes.masked}" if axes.typed else "n"
    more = textwrap.fill(
        f"``mask``, boolean and of shape (*batch, {letter}), is True where a point is real, for "
        "inputs of several sizes that are padded to one: what is padded does not matter, and "
        "outputs are 0 there.",
        WIDTH - 1,
        initial_indent=pad,
        subsequent_indent=pad,
    )
    return f'{pad}"""{doc}\n\n{more}\n{pad}"""'


def _real(axes: Axes, jax: bool) -> str:
    xp = "jnp" if jax else "np"
    if not axes.typed:
        return REAL.substitute(word="order: int", axes="order", skip="", xp=xp)
    skip = f"        if word[axis] != {axes.masked}:\n            continue\n"
    return REAL.substitute(word="word: tuple[int, ...]", axes="len(word)", skip=skip, xp=xp)


CHECK = Template('''\
def check() -> None:
    """Stop with an error unless the layer is what this file says."""
${setup}    rng = np.random.default_rng(0)

    def compare(what: str, got: Any, want: Any) -> None:
        error = float(abs(got - want).max()) / max(float(abs(want).max()), 1e-300)
        print(f"{what}: relative error {error:.1e}")
        if got.shape != want.shape or not error < 1e-12:
            raise SystemExit(f"FAILED: {what}")

    def inputs(${n_parameter}) -> list[${array}]:
        # Any channels do; unequal ones tell input from output.
        shapes = [${x_shape}, (len(${table}), ${c_out}, ${c_in})${bias_shape}]
        return [rng.standard_normal(shape) for shape in shapes]

${sizes}
${element}
${layer}    print("${name} is what it says")


if __name__ == "__main__":
    check()
''')


def check(written: Written, jax: bool) -> str:
    """The function that checks the file, and the lines that call it."""
    axes, (c_in, c_out) = written.axes, written.channels
    setup = "".join(f"    {line}\n" for line in written.setup)
    if jax:
        setup += '    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]\n'
    return CHECK.substitute(
        setup=setup,
        name=written.name,
        array="Floats" if jax else "Array",
        n_parameter=axes.n_parameter[2:],
        x_shape=axes.of("IN", axes.n, "2", after=[str(c_in)]),
        c_in=c_in,
        c_out=c_out,
        table=written.table,
        bias_shape=f", (len({written.bias_table}), {c_out})" * written.bias,
        sizes="\n".join(
            f"    {line}".rstrip() for line in [*written.also, *_at_sizes(written, jax)]
        ),
        element="\n".join(f"    {line}" for line in _moved(written, jax)),
        layer=_of_the_layer(written, jax),
    )


def _functions(written: Written) -> list[str]:
    """What a file for JAX compiles to check itself."""
    axes, parameters = written.axes, written.parameters.split(", ")
    n = axes.n_argument
    static = "" if axes.fixed else f", static_argnums={1 + len(parameters)}"
    taken = ", ".join(f"{name}: Array" for name in ("x", *parameters))
    last = "" if axes.fixed else f", static_argnums={2 + len(parameters)}"
    places = tuple(range(1 + len(parameters)))
    return [
        f"def each({taken}{axes.n_parameter}) -> Array:",
        f"    return jax.vmap(lambda one: linear(one, {written.parameters}{n}))(x)",
        "",
        f"def loss({taken}, target: Array{axes.n_parameter}) -> Array:",
        f"    return (linear(x, {written.parameters}{n}) * target).sum()",
        "",
        f"run, run_each = jax.jit(linear{static}), jax.jit(each{static})",
        f"gradients = jax.jit(jax.grad(loss, {places}){last})",
        "",
    ]


def _at_sizes(written: Written, jax: bool) -> list[str]:
    """Comparing the kernel with the reference, at each size."""
    axes, given = written.axes, written.parameters
    n, call = axes.n_argument, "" if axes.fixed else "n"
    where = "" if axes.fixed else " at n = {n}"
    run = "run" if jax else "apply"
    lines = [
        f"x, {given} = inputs({call})",
        f"want = reference(x, {given}{n})",
        f'said = {"f" * bool(where)}"agrees with the dense reference{where}"',
        f"compare(said, {run}(x, {given}{n}), want)",
    ]
    after = [
        f'compare("without a batch axis", {run}(x[0], {given}{n}), want[0])',
        f'compare("with two", {run}(x[None], {given}{n}), want[None])',
    ]
    if jax:
        names = [f"d{name}" for name in ("x", *given.split(", "))]
        none = ", 0 * bias" * written.bias
        last = "dweight, dbias" if written.bias else "dweight"
        after[0] = f'compare("one by one", run_each(x, {given}{n}), want)'
        after += [
            "# Gradients, paired with a change of all arguments, are what it changes.",
            f"{', '.join(names)} = inputs({call})",
            f"change = reference(dx, weight{none}{n}) + reference(x, {last}{n})",
            f"pairs = zip(gradients(x, {given}, want{n}), ({', '.join(names)}), strict=True)",
            "paired = sum(float((g * d).sum()) for g, d in pairs)",
            "total, size = (change * want).sum(), abs(change * want).sum()",
            "got, want = np.array([paired, size]), np.array([total, size])",
            'compare("and with its gradients", got, want)',
        ]
    before = _functions(written) if jax else []
    if axes.fixed:
        return [*before, *lines, *after]
    sizes = ", ".join(map(axes.literal, axes.tests())) + "," * (len(axes.tests()) == 1)
    return [*before, f"for n in ({sizes}):", *(f"    {line}" for line in lines), *after]


def _moved(written: Written, jax: bool) -> list[str]:
    """Comparing what the kernel makes of a moved input with what it makes, moved."""
    axes, given = written.axes, written.parameters
    own = axes.own()
    n, call, name = axes.n_argument, "" if axes.fixed else "n", axes.n
    run = "run" if jax else "apply"
    lines = []
    if not axes.fixed:
        exact = not axes.open and own == axes.sizes
        lines.append(
            "# At the layer's own size." if exact else "# As near to its own size as is quick."
        )
        lines.append(f"n = {axes.literal(own)}")
    near = "np.allclose({0}, np.eye(len({0})))"
    still = f"all({near.format('part')} for part in g)" if axes.typed else near.format("g")
    output = f"{run}(x, {given}{n})"
    return [
        *lines,
        f"x, {given} = inputs({call})",
        f"g = random_element({name}, rng)",
        "for _ in range(100):",
        f"    g = random_element({name}, rng) if {still} else g",
        f"moved = {run}(act(g, x, {axes.word('IN')}), {given}{n})",
        f"want = act(g, {'np.asarray(' * jax}{output}{')' * jax}, {axes.word('OUT')})",
        'compare("commutes with a random group element", moved, want)',
    ]


def _of_the_layer(written: Written, jax: bool) -> str:
    """Comparing what users call with the kernel."""
    axes, plan, name = written.axes, written.plan, written.name
    sizes = axes.own() if axes.open else tuple(size or 0 for size in axes.sizes)
    if axes.largest(sizes) * max(plan.in_channels, plan.out_channels) > 100 * QUICK:
        return ""
    n = "n" if axes.open else "N"
    argument = "" if axes.fixed else f", {n}"
    asked = bool(axes.open) and read_sizes(axes)[1]
    said = "" if not asked else (f", n[{axes.open[0]}]" if axes.typed else ", n")
    shape = axes.of("IN", n, after=["C_IN"])
    if jax:
        given = ", ".join(f'params["{part}"]' for part in written.parameters.split(", "))
        lines = [
            f"layer = jax.jit(apply{', static_argnums=2' * asked})",
            "params = init(jax.random.key(0), jnp.float64)",
            "params = {name: jnp.array(rng.standard_normal(p.shape)) for name, p in params.items()}",
            "twin = load(state_dict(params), jnp.float64)",
            f"x = rng.standard_normal({shape})",
            f"want = run(x, {given}{argument})",
            f'compare("apply runs the same code", layer(params, jnp.array(x){said}), want)',
            f'compare("state dicts carry the parameters", layer(twin, jnp.array(x){said}), want)',
        ]
    else:
        given = ", ".join(f"layer.{part}" for part in written.parameters.split(", "))
        lines = [
            f"layer = {name}(0, np.float64)",
            f"twin = {name}(1, np.float64)",
            *(["layer.bias = rng.standard_normal(layer.bias.shape)"] if written.bias else []),
            "twin.load_state_dict(layer.state_dict())",
            f"x = rng.standard_normal({shape})",
            f"want = apply(x, {given}{argument})",
            f'compare("the layer runs the same code", layer(x{said}), want)',
            f'compare("state dicts carry the parameters", twin(x{said}), want)',
        ]
    lines += _of_masks(written, jax, asked)
    return "".join(f"    {line}\n" for line in lines)


def _of_masks(written: Written, jax: bool, asked: bool) -> list[str]:
    """Comparing a padded input with those that were padded."""
    axes = written.axes
    if axes.masked is None:
        return []
    size = f"n[{axes.masked}]" if axes.typed else "n"
    call = "layer(params, {})" if jax else "layer({})"

    def array(name: str) -> str:
        return f"jnp.array({name})" if jax else name

    padded = f"{array('padded')}{f', {size}' * asked}, mask={array('mask')}"
    return [
        "# Of inputs padded to one size, each gives what it gives by itself.",
        f"mask = rng.random((2, {size})) < 0.5",
        "mask[:, 0] = True",
        f"x = rng.standard_normal({axes.of('IN', 'n', '2', after=['C_IN'])})",
        f"padded = np.where(real({array('mask')}, {axes.word('IN')}), x, np.nan)",
        f"found = {call.format(padded)}",
        "for one, points, y in zip(x, mask, found, strict=True):",
        "    places = np.flatnonzero(points)",
        *_at_places("one", axes.inputs, axes, "ORDER_IN"),
        f"    want = {call.format(array('one') + ', len(places)' * asked)}",
        "    total = (y**2).sum()",
        *_at_places("y", axes.outputs, axes, "ORDER_OUT"),
        '    compare("padded", y, want)',
        '    compare("and zero elsewhere", total, (want**2).sum())',
    ]


def _at_places(name: str, word: tuple[int, ...], axes: Axes, order: str) -> list[str]:
    """Statements that take the real points of an array; none where it has no axis of them."""
    found = tuple(axis for axis, kind in enumerate(word) if kind == axes.masked)
    if not found:
        return []
    listed = repr(found) if axes.typed else f"range({order})"
    return [f"    for axis in {listed}:", f"        {name} = {name}.take(places, axis=axis)"]
