"""Plans that multiply by a matrix written out, as source text for PyTorch, NumPy or JAX.

The matrix is that of a basis of diagrams, each of them an equation of deltas, forms and Levi-Civita
symbols (``DensePlan``), or has a weight for each orbit of index pairs (``OrbitPlan``), which the text
finds again from generators of the group. Where written weights would be many, sums over the inputs
that an orbit joins to an output come first.
"""

from __future__ import annotations

from collections.abc import Iterator

from tannaka.category.functor import check_entries
from tannaka.codegen.backends.arrays import MAX_LEGS, Dialect, constant
from tannaka.codegen.backends.lines import WIDTH, signature
from tannaka.codegen.lowering.choose import MAX_WRITTEN
from tannaka.codegen.lowering.matrix_plans import DensePlan
from tannaka.codegen.lowering.orbit_plan import OrbitPlan
from tannaka.codegen.network import Network
from tannaka.codegen.notation import formula, indices, shape
from tannaka.diagrams.errors import BackendError


def dense(plan: DensePlan, dialect: Dialect) -> str:
    """The source of ``apply(x, weight[, bias]) -> y``: one product with the sum of all diagrams.

    Raises SizeError where the matrices of all diagrams would take more than 2 GiB.
    """
    check_entries((plan.rows, plan.columns), max(1, len(plan.basis)))
    made = _Constants(plan, dialect)
    sizes = [len(plan.basis), plan.rows, plan.columns]
    stacks = [made.stack("STACK", "W", plan.networks, sizes)]
    if plan.bias_basis is not None:
        sizes = [len(plan.bias_basis), plan.rows]
        stacks.append(made.stack("BIAS_STACK", "b", plan.bias_networks, sizes))
    head = _head(dialect, plan.bias_basis is not None, shape(plan.dom, "in_channels"))
    body = [
        f"    batch = x.shape[: x.ndim - {len(plan.inputs) + 1}]",
        "    # One matrix for all diagrams and pairs of channels.",
        f"    stack = {dialect.like('STACK', 'weight')}",
        f"    matrix = {dialect.einsum('rpq,roi->qipo', 'stack', 'weight')}",
        f"    matrix = matrix.reshape({plan.columns} * x.shape[-1], {plan.rows} * weight.shape[1])",
        f"    y = x.reshape(*batch, {plan.columns} * x.shape[-1]) @ matrix",
    ]
    if plan.bias_basis is not None:
        body = [
            *body[:-1],
            f"    added = {dialect.einsum('rp,ro->po', dialect.like('BIAS_STACK', 'bias'), 'bias')}",
            f"{body[-1]} + added.reshape(-1)",
        ]
    axes = "".join(f"{size}, " for size in plan.group.shape(plan.cod))
    shaped = f"y.reshape(*batch, {axes}weight.shape[1])"
    body += _returned(shaped, dialect)
    function = "\n".join([*head, *body])
    return "\n\n\n".join([*made.helpers(), made.text(stacks), function]) + "\n"


class _Constants:
    """The deltas, forms and symbols that the stack of matrices is made of."""

    def __init__(self, plan: DensePlan, dialect: Dialect) -> None:
        self.plan, self.dialect = plan, dialect
        self.used: dict[str, str] = {}
        self.symbols = False

    def helpers(self) -> list[str]:
        """The functions that make them."""
        return [self.dialect.helper("levi_civita")] if self.symbols else []

    def text(self, stacks: list[str]) -> str:
        """The statements."""
        # The pair comes first, of which the form is made.
        ordered = sorted(self.used.items(), key=lambda one: (one[0] != "PAIR", one[0]))
        made = [f"{name} = {value}" for name, value in ordered]
        return "\n".join([*made, *stacks])

    def stack(self, name: str, symbol: str, networks: tuple[Network, ...], sizes: list[int]) -> str:
        """The statement that makes the matrices of some diagrams."""
        base, plan = self.dialect.base, self.plan
        reshaped = f".reshape({', '.join(map(str, sizes))})"
        if not networks:
            return f"{name} = {self.dialect.blank(repr(tuple(sizes)))}"
        bias = symbol == "b"
        lines = []
        for row, (found, diagram) in enumerate(
            zip(networks, (plan.bias_basis or ()) if bias else plan.basis, strict=True)
        ):
            divisor = 1 if bias else plan.divisor(row, plan.group.n)
            value = self._diagram(found.canonical(), divisor)
            said = formula(diagram, plan.reduce, f"{symbol}{row}", plan.group)
            said = f"{diagram}: {said}" if str(diagram) else said
            line = f"        {value},  # {said}"
            lines += [line] if len(line) <= WIDTH else [f"        # {said}", f"        {value},"]
        return "\n".join([f"{name} = {base}.stack(", "    [", *lines, "    ]", f"){reshaped}"])

    def _diagram(self, found: Network, divisor: int) -> str:
        """The tensor of a diagram, with an axis for each output and then each input."""
        vertices = found.outputs + found.inputs
        ends: dict[int, list[int]] = {}
        for vertex, index in enumerate(vertices):
            ends.setdefault(index, []).append(vertex)
        fresh = len(vertices)
        for index in (leg for legs in found.legs for leg in legs):
            if index not in ends:
                ends[index] = [fresh]
                fresh += 1
        operands: list[tuple[str, tuple[int, ...]]] = []
        for a, b in found.forms:
            operands.append((self._form(found.types[a]), (ends[a][0], ends[b][0])))
        for legs in found.legs:
            operands.append((self._symbol(len(legs)), tuple(ends[leg][0] for leg in legs)))
        for index, (first, *others) in ends.items():
            kind = found.types[index]
            operands += [(self._one(kind), (first, other)) for other in others]
            if not others and first not in {v for _, found_at in operands for v in found_at}:
                operands.append((self._all(kind), (first,)))
        sign = "-" * (found.sign < 0)
        over = f" / {divisor}" * (divisor != 1)
        if not operands:
            number = f"{sign}{1 / divisor!r}"
            made = "tensor" if self.dialect.torch else "array"
            dtype = ", dtype=torch.float64" * self.dialect.torch
            return f"{self.dialect.base}.{made}({number}{dtype})"
        letters = ",".join(indices(found_at) for _, found_at in operands)
        equation = f"{letters}->{indices(tuple(range(len(vertices))))}"
        names = ", ".join(name for name, _ in operands)
        return f'{sign}{self.dialect.base}.einsum("{equation}", {names}){over}'

    def _named(self, name: str, kind: int) -> str:
        return f"{name}_{kind}" if self.plan.types > 1 else name

    def _eye(self, size: int) -> str:
        kind = ", dtype=torch.float64" * self.dialect.torch
        return f"{self.dialect.base}.eye({size}{kind})"

    def _one(self, kind: int) -> str:
        name = self._named("ONE", kind)
        self.used[name] = self._eye(self.plan.sizes[kind])
        return name

    def _all(self, kind: int) -> str:
        name = self._named("ALL", kind)
        dtype = ", dtype=torch.float64" * self.dialect.torch
        self.used[name] = f"{self.dialect.base}.ones({self.plan.sizes[kind]}{dtype})"
        return name

    def _form(self, kind: int) -> str:
        name, base = self._named("FORM", kind), self.dialect.base
        made = "torch.tensor" if self.dialect.torch else "np.array"
        dtype = ", dtype=torch.float64" * self.dialect.torch
        self.used["PAIR"] = f"{made}([[0.0, 1.0], [-1.0, 0.0]]{dtype})"
        self.used[name] = f"{base}.kron({self._eye(self.plan.sizes[kind] // 2)}, PAIR)"
        return name

    def _symbol(self, size: int) -> str:
        if size > MAX_LEGS:
            raise BackendError(
                f"{self.plan.group}: the symbol of a determinant vertex with {size} legs has "
                f"{size}^{size} entries, too many to write out; lowering='factored' lists those "
                "that are not zero"
            )
        self.symbols = True
        name = self._named("EPSILON", size)
        self.used[name] = f"levi_civita({size})"
        return name


def _head(dialect: Dialect, bias: bool, shaped: str) -> list[str]:
    """The signature and docstring of the function."""
    array = dialect.array
    arguments = f"x: {array}, weight: {array}{f', bias: {array}' * bias}"
    return [
        *signature(dialect.function, arguments, array),
        f'    """Apply the layer to x of shape {shaped}."""',
    ]


def _returned(value: str, dialect: Dialect) -> list[str]:
    """The end of the function: what NumPy multiplies is of any type, and the result is an array."""
    if dialect.torch or dialect.xp == "jnp":
        return [f"    return {value}"]
    return [f"    result: {dialect.array} = {value}", "    return result"]


def orbits(plan: OrbitPlan, dialect: Dialect) -> str:
    """The source of ``apply(x, weight[, bias]) -> y``, from the orbits of index pairs."""
    n, k, l = plan.hom.group.n, plan.dom, plan.cod
    written = plan.numbers.size * plan.in_channels * plan.out_channels
    sums = dialect.torch and plan.way() == "sums"
    if not sums and written > MAX_WRITTEN:
        raise BackendError(
            f"{plan.hom}: the weights written out as a matrix have {written:,} entries, too many for "
            f"a file; backend='einsum' sums inputs by orbits instead, and basis='diagram' forms no "
            "such matrix where the group is that of a graph"
        )
    bias = plan.bias_basis is not None
    constants = [constant("TERMS", plan.terms.tolist())] if plan.reduce == "mean" else []
    constants += [
        "NUMBERS = orbit_numbers(ORDER_OUT + ORDER_IN).reshape(N**ORDER_OUT, N**ORDER_IN)",
        *(["OUTPUTS = orbit_numbers(ORDER_OUT)"] if bias else []),
    ]
    parts = [orbit_numbers(dialect)]
    body = []
    if plan.reduce == "mean":
        body.append(f"    weight = weight / {dialect.table('TERMS', 'weight')}[:, None, None]")
    body.append(f"    batch = x.shape[: x.ndim - {k + 1}]")
    if sums:
        parts.append(SUMS.rstrip())
        constants.append("CLASSES = classes()")
        body += SUMMED.splitlines()
    else:
        numbers = "NUMBERS.to(weight.device)" if dialect.torch else "NUMBERS"
        moved = "permute" if dialect.torch else "transpose"
        body += [
            "    # The whole matrix: at (i, j) the weight of the orbit of (i, j).",
            f"    matrix = weight[{numbers}].{moved}(1, 3, 0, 2)",
            f"    matrix = matrix.reshape({n**k} * x.shape[-1], {n**l} * weight.shape[1])",
            f"    y = x.reshape(*batch, {n**k} * x.shape[-1]) @ matrix",
        ]
    body.append(f"    y = y.reshape(*batch, {f'{n}, ' * l}weight.shape[1])")
    if bias:
        outputs = "OUTPUTS.to(bias.device)" if dialect.torch else "OUTPUTS"
        body += _returned(f"y + bias[{outputs}].reshape({f'{n}, ' * l}-1)", dialect)
    else:
        body += _returned("y", dialect)
    head = _head(dialect, bias, shape(k, "in_channels"))
    return "\n\n\n".join([*parts, "\n".join(constants), "\n".join([*head, *body])]) + "\n"


def orbit_numbers(dialect: Dialect) -> str:
    """The function that finds the orbit of each tuple of indices."""
    base, torch = dialect.base, dialect.torch
    array = "torch.tensor" if torch else "np.array"
    return f'''\
def orbit_numbers(order: int) -> {dialect.constant}:
    """The orbit of each tuple of indices, numbered by their least tuples."""
    tuples = {base}.arange(N**order)
    digits = [(place, tuples // N**place % N) for place in range(order)]
    images = [{array}(one) for one in GENERATORS]
    moves = [sum(image[digit] * N**place for place, digit in digits) for image in images]
    least, before = tuples, tuples + 1
    while {"not torch.equal(least, before)" if torch else "(least != before).any()"}:
        before = least
        for to in moves:
            least = {base}.minimum(least, least[to])
        least = least[least]
    numbers: {dialect.constant} = {base}.unique(least, return_inverse=True)[1]
    return numbers'''


SUMS = '''\
Bags = tuple[Tensor, Tensor]


class Sums(torch.autograd.Function):
    """The sums of the rows of x that each of the bags names; the gradient is that of turned bags."""

    @staticmethod
    def forward(x: Tensor, bags: Bags, turned: Bags) -> Tensor:
        """Places in bags are listed one bag after the other, with where each starts."""
        places, starts = (part.to(x.device) for part in bags)
        wide = x.float() if x.dtype.itemsize == 2 else x
        summed = nn.functional.embedding_bag(
            places, wide.contiguous(), starts, mode="sum", include_last_offset=True
        )
        return summed.to(x.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Keep the bags, to turn them round."""
        _, ctx.bags, ctx.turned = inputs

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:  # type: ignore[override]
        """Each row gets the gradients of the sums that it is in."""
        return Sums.apply(grad, ctx.turned, ctx.bags), None, None  # type: ignore[no-untyped-call]


def bags(groups: Tensor, places: Tensor, count: int) -> Bags:
    """The places of each of ``count`` groups, one group after the other, and where each starts."""
    order = torch.argsort(groups, stable=True)
    counts = torch.bincount(groups, minlength=count)
    return places[order], torch.cat([counts.new_zeros(1), counts.cumsum(0)])


def classes() -> list[tuple[Tensor, Tensor, Bags, Bags]]:
    """For outputs of one orbit: these, the orbits of their pairs, and the bags of inputs."""
    found = []
    owners = orbit_numbers(ORDER_OUT)
    for owner in range(int(owners.max()) + 1):
        outputs = (owners == owner).nonzero()[:, 0]
        orbits, inside = torch.unique(NUMBERS[outputs], return_inverse=True)
        # One sum for each output and each of its orbits.
        sums = (torch.arange(len(outputs))[:, None] * len(orbits) + inside).flatten()
        places = torch.arange(N**ORDER_IN).repeat(len(outputs))
        count = len(outputs) * len(orbits)
        turned = bags(places, sums, N**ORDER_IN)
        found.append((outputs, orbits, bags(sums, places, count), turned))
    return found
'''

SUMMED = """\
    flat = x.reshape(-1, N**ORDER_IN, x.shape[-1])
    rows = flat.movedim(1, 0).reshape(N**ORDER_IN, -1)
    y = x.new_zeros((len(flat), N**ORDER_OUT, weight.shape[1]))
    for outputs, orbits, into, turned in CLASSES:
        # The sum over the inputs that each orbit joins to each output, and then a product.
        summed: Tensor = Sums.apply(rows, into, turned)  # type: ignore[no-untyped-call]
        summed = summed.reshape(len(outputs), len(orbits), len(flat), x.shape[-1])
        mixed = torch.einsum("irzc,roc->zio", summed, weight[orbits.to(weight.device)])
        y = y.index_add(1, outputs.to(x.device), mixed)
"""


def orbit_rows(plan: OrbitPlan) -> Iterator[tuple[str, str]]:
    """The least tuple of each orbit, and what its row does."""
    k, l = plan.dom, plan.cod
    outs, ins = indices(tuple(range(l))), indices(tuple(range(l, l + k)))
    for row, orbit in enumerate(plan.basis):
        terms = int(plan.terms[row])
        words = f"{plan.reduce} over {terms} {ins} of " if terms > 1 else ""
        yield repr(orbit.indices), f"{orbit}: y[{outs}] += W{row} {words}x[{ins}]"
