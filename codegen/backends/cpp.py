"""The cpp backend: a plan as C++ for the CPU that reads its input twice and writes its output once.

The first reading makes all reduced tensors in one sweep. Small products mix what has lower order.
The second reading goes over tiles, mixes their channels, adds what lower orders spread over them,
and writes. A tensor that is mixed with all permutations of itself is taken in orbits of positions,
with half the multiply-adds, or a quarter: see ``tiles.hpp``, which every kernel starts with. The
gradient of the input is the same code for the plan turned round; that of the weight takes both
sweeps and products of tiles.

The text depends on the plan alone: channels and the type of numbers are macros, ``IN``, ``OUT`` and
``SCALAR``, and n and the batch are arguments. Samples are worked on in chunks that fit the cache,
by the threads of OpenMP; which thread does what does not change the result.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from importlib import resources

from tannaka.codegen.backends.stages import WIDTH, Direction, comment, outer, tensors
from tannaka.codegen.lowering.trilinear import forward, transposed
from tannaka.codegen.notation import shape
from tannaka.codegen.plan import ABSENT, Plan, describe
from tannaka.diagrams.errors import BackendError

MAX_ORDER = 4
"""The largest order of a tensor."""


def kernels(plan: Plan) -> str:
    """The source of ``apply`` and the gradients, as backends write them: C++ text, and how to run it."""
    return (
        f"from tannaka.codegen.runtime.native import compiled\n\n{_text(plan)}"
        + textwrap.dedent("""
        apply = KERNELS.apply
        gradients = KERNELS.gradients
        input_gradient = KERNELS.input_gradient
        weight_gradient = KERNELS.weight_gradient
        """)
    )


def kernel(plan: Plan) -> str:
    """The source of ``apply(x, weight[, bias], n) -> y``, differentiable, for a file of its own.

    The file has the text of the modules that are imported, in the place of the imports.
    """
    return (
        "from tannaka.codegen.runtime.autograd import layer, ready\n"
        "from tannaka.codegen.runtime.native import compiled\n"
        f"{_text(plan)}\n\n"
        f"def apply(x: Tensor, weight: Tensor, {'bias: Tensor, ' * (plan.bias_basis is not None)}"
        "n: int) -> Tensor:\n"
        f'    """Apply the layer to x of shape {shape(plan.dom, "in_channels")}."""\n'
        f"    return layer((KERNELS, n), *ready(x, weight, "
        f"{'None' if plan.bias_basis is None else 'bias'}))\n"
    )


def _text(plan: Plan) -> str:
    rows = 0 if plan.bias_basis is None else len(plan.bias_basis)
    call = f"compiled(SOURCE, {len(plan.inputs)}, {len(plan.outputs)}, {len(plan.basis)}, {rows})"
    return f'SOURCE = r"""{source(plan)}"""\n\nKERNELS = {call}\n'


def source(plan: Plan) -> str:
    """The C++ text of a plan: four functions with C linkage, that return 0, or 1 without memory.

    * ``forward(x, weight, bias, y, batch, n, threads)``; bias may be null, and is then zero
    * ``gradients(x, weight, dy, dx, dweight, dbias, batch, n, threads)``
    * ``input_gradient(weight, dy, dx, batch, n, threads)``
    * ``weight_gradient(x, dy, dweight, dbias, batch, n, threads)``

    All arrays lie in one piece, x of shape (batch, n, ..., n, IN). Raises BackendError for a plan
    with a tensor of an order above 4, or that is more than sums along diagonals.
    """
    layer = forward(plan)
    largest = max(layer.orders.values())
    if largest > MAX_ORDER:
        raise BackendError(
            f"{plan.group} {plan.dom} -> {plan.cod}: the cpp backend covers orders up to "
            f"{MAX_ORDER}, not {largest}; backend='einsum' runs this layer"
        )
    y, x = Direction(layer, "IN", "OUT"), Direction(transposed(layer), "OUT", "IN")
    tiles = resources.files(__package__).joinpath("tiles.hpp").read_text(encoding="utf-8")
    parts: list[Iterable[str]] = [
        _head(plan),
        [
            "#ifndef SCALAR",
            "#define SCALAR float",
            f"#define IN {plan.in_channels}",
            f"#define OUT {plan.out_channels}",
            "#endif",
            f"#define ORDER {max(largest, 3)}",
            f"#define ABSENT {ABSENT}",
        ],
        [tiles.rstrip()],
        tensors(y, x),
        *y.stages(),
        *x.stages(),
        *(outer(y, x, mixing) for mixing in layer.mixings),
        ["}  // namespace"],
        _linear(y, "forward(const T* x, const T* weight, const T* bias, T* y"),
        _linear(x, "input_gradient(const T* weight, const T* dy, T* dx"),
        _weight_gradient(y, x),
        _gradients(y, x),
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _head(plan: Plan) -> Iterator[str]:
    """What the file is: the layer, and its steps in index notation."""
    known = plan.words()
    steps = [line for step in plan.steps for line in describe(step, known, plan)]
    lines = [
        f"Linear layer that commutes with {plan.group}, from order {plan.dom} to {plan.cod}.",
        "",
        (
            f"{len(plan.basis)} diagrams, reduce={plan.reduce}. In index notation, with W the rows "
            "of the weight and b those of the bias:"
        ),
        "",
        *(f"  {line}" for line in [*steps, f"return {plan.result}"]),
        "",
        "The gradient of a tensor has its name with a d in front.",
    ]
    for line in lines:
        yield from comment(line) if line else ["//"]


def _linear(y: Direction, arguments: str) -> Iterator[str]:
    """The function with C linkage that applies a layer."""
    yield from _team(y, arguments, y.tiles(), y.memory(), y.setup(), [*y.reduce(), *y.mix()], [])


def _weight_gradient(y: Direction, x: Direction) -> Iterator[str]:
    """The function with C linkage that gives the gradients of weight and bias."""
    sums = _Sums(y)
    memory = [*y.reduced_memory(), *x.reduced_memory(), *sums.memory()]
    chunk = [*y.reduce(), *x.reduce(), *sums.add()]
    arguments = "weight_gradient(const T* x, const T* dy, T* dweight, T* dbias"
    yield from _team(y, arguments, sums.tiles(), memory, sums.setup(), chunk, sums.total())


def _gradients(y: Direction, x: Direction) -> Iterator[str]:
    """The function with C linkage that gives all gradients, reading dy as often as for one."""
    sums = _Sums(y)
    memory = [*y.reduced_memory(), *x.memory(), *sums.memory()]
    chunk = [*y.reduce(), *x.reduce(), *x.mix(), *sums.add()]
    arguments = "gradients(const T* x, const T* weight, const T* dy, T* dx, T* dweight, T* dbias"
    tiles, setup = [*x.tiles(), *sums.tiles()], [*x.setup(), *sums.setup()]
    yield from _team(y, arguments, tiles, memory, setup, chunk, sums.total())


class _Sums:
    """What the gradient of the weight is summed in: for each thread, and then over threads."""

    def __init__(self, y: Direction) -> None:
        self.names = [mixing.outs[0] for mixing in y.layer.mixings]
        self.bias_rows = y.layer.bias_rows

    def tiles(self) -> list[str]:
        return [f"Outer_{name}::tile" for name in self.names]

    def memory(self) -> Iterator[str]:
        for name in self.names:
            yield f"T* sums_{name};"
            yield f"workspace.add(&sums_{name}, threads * Outer_{name}::sums);"

    def setup(self) -> Iterator[str]:
        yield "const Size thread = omp_get_thread_num();"
        for name in self.names:
            yield f"T* const mine_{name} = sums_{name} + thread * Outer_{name}::sums;"
            yield f"zero(mine_{name}, Outer_{name}::sums);"
        for row in self.bias_rows.values():
            yield "#pragma omp single nowait"
            yield f"zero(dbias + {row} * OUT, OUT);"

    def add(self) -> Iterator[str]:
        for name in self.names:
            yield f"outer_{name}(t, mine_{name});"
        for name, row in self.bias_rows.items():
            yield "#pragma omp single nowait"
            yield f"add_rows<OUT, 0, 1>(t.d{name}, t.count, {{dbias + {row} * OUT}});"
        yield "#pragma omp barrier"

    def total(self) -> list[str]:
        return [f"total_{name}(sums_{name}, dweight);" for name in self.names]


def _team(
    y: Direction,
    arguments: str,
    tiles: Iterable[str],
    memory: Iterable[str],
    setup: Iterable[str],
    chunk: Iterable[str],
    after: Iterable[str],
) -> Iterator[str]:
    """A function that takes memory, and then has a team of threads go from chunk to chunk."""
    ends = {y.layer.source: y.cin, y.layer.result: y.cout}
    sizes = {name: " * ".join([*["n"] * y.orders[name], row]) for name, row in ends.items()}
    given = {part.split()[-1].strip("*") for part in arguments.split("(")[1].split(",")}
    # Of a layer the gradients may be there too, which are as large.
    moved = {f"{d}{name}": size for name, size in sizes.items() for d in ("", "d")}
    yield f'extern "C" int {arguments},'
    yield "    Size batch, Size n, int threads) {"
    yield "  Workspace workspace;"
    yield "  Tensors t = {};"
    yield "  t.n = n;"
    yield f"  const Size chunk = chunk_of(batch, {' + '.join(sizes.values())}, threads);"
    yield "  t.parts = parts_of(chunk, n, threads);"
    largest = f"t.tile = std::max<Size>({{{', '.join(['1', *tiles])}}});"
    yield from _indented(textwrap.wrap(largest, WIDTH - 6), "  ")
    yield "  workspace.add(&t.tiles, threads * t.tile);"
    yield from _indented(memory, "  ")
    yield "  if (!workspace.allocate()) return 1;"
    yield "#pragma omp parallel num_threads(threads) firstprivate(t)"
    yield "  {"
    yield from _indented(setup, "    ")
    yield "#pragma omp barrier"
    yield "    for (Size start = 0; start < batch; start += chunk) {"
    yield "      t.count = std::min(chunk, batch - start);"
    for name, size in moved.items():
        if name in given:
            yield f"      t.{name} = const_cast<T*>({name}) + start * {size};"
    yield from _indented(chunk, "      ")
    yield "    }"
    yield from _indented(after, "    ")
    yield "  }"
    yield "  return 0;"
    yield "}"


def _indented(lines: Iterable[str], pad: str) -> Iterator[str]:
    yield from (line if line.startswith("#") else pad + line for line in lines)
