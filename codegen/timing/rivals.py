"""The other ways to apply an equivariant layer, which the benchmark of layers times.

Every rival is a ``torch.nn.Module`` that is made from one of our layers, without a bias and with
``reduce="mean"``, and computes the same with the same weight. ``enter`` and ``leave`` take tensors
from our layout, channels last, to the one that the rival works in and back, and are not timed.

Nothing here is a caricature. Reductions that several diagrams need are shared where the code that
people copy shares them, copies that it makes for nothing are left out, and whatever does not depend
on the input is done beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from tannaka.category.orthogonal import SO, O
from tannaka.category.symmetric import S
from tannaka.codegen.lowering.orbit_plan import OrbitPlan
from tannaka.codegen.modules.linear import EquivariantLinear
from tannaka.codegen.timing.standings import (
    ASSEMBLED,
    DEEP_SETS,
    DENSE,
    E3NN,
    IDENTITIES,
    STACKED,
    TIED,
    VIEWS,
)

Labels = tuple[int, ...]
LETTERS = "ijklmnopqrstuvwxyzabdefgh"
"""Names of indices; c and Z are channels."""


class LeftOutError(Exception):
    """A rival cannot be made here; the message is the reason."""


class Rival(nn.Module):
    """Another module that computes what a layer computes, with the same weight."""

    def __init__(self, layer: EquivariantLinear) -> None:
        super().__init__()
        self.k, self.l, self.n = layer.in_order, layer.out_order, layer.group.n
        self.in_channels, self.out_channels = layer.in_channels, layer.out_channels

    def enter(self, x: Tensor) -> Tensor:
        """An input of the layer, (*batch, n, ..., n, in_channels), as the rival takes it."""
        return x

    def leave(self, y: Tensor) -> Tensor:
        """What the rival returns, as the layer does: (*batch, n, ..., n, out_channels)."""
        return y

    def per_diagram(self, layer: EquivariantLinear) -> Iterator[tuple[Labels, Labels, float]]:
        """Of each basis diagram the labels of outputs and inputs, and what it is divided by."""
        for diagram in layer.hom.basis():
            block = {v: i for i, block in enumerate(diagram.blocks) for v in block}
            labels = tuple(block[v] for v in range(self.l + self.k))
            outputs, inputs = labels[: self.l], labels[self.l :]
            yield outputs, inputs, float(self.n ** len(set(inputs) - set(outputs)))


class ChannelsFirst(Rival):
    """A rival whose tensors are (batch, channels, n, ..., n)."""

    def enter(self, x: Tensor) -> Tensor:
        """The input with channels before the indices, in one piece."""
        return x.movedim(-1, x.ndim - 1 - self.k).contiguous()

    def leave(self, y: Tensor) -> Tensor:
        """The output with channels after the indices."""
        return y.movedim(y.ndim - 1 - self.l, -1)


class StackedOperations(ChannelsFirst):
    """All operations of S(n) stacked into one tensor, then one einsum with their coefficients.

    What implementations of invariant graph networks do (Maron et al., arXiv:1812.09902, appendix
    A): 15 operations for 2 -> 2, five for 2 -> 1 and 1 -> 2. Each is a diagonal or a sum of the
    input, divided by its number of terms, and repeated over or put on a diagonal of the output.
    """

    def __init__(self, layer: EquivariantLinear) -> None:
        super().__init__(layer)
        self.operations = list(self.per_diagram(layer))
        # (dimension, out, in) to (in, out, dimension)
        self.coefficients = nn.Parameter(layer.weight.detach().permute(2, 1, 0).contiguous())

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, in, n, ...) to (batch, out, n, ...)."""
        reduced: dict[tuple[Labels, Labels], Tensor] = {}
        operations = []
        for outputs, inputs, terms in self.operations:
            blocks = tuple(dict.fromkeys(outputs))
            kept = tuple(label for label in dict.fromkeys(inputs) if label in blocks)
            z = _summed(x, inputs, kept, reduced)
            z = z / terms if terms != 1 else z
            z = z.permute(0, 1, *(2 + kept.index(label) for label in blocks if label in kept))
            for axis, label in enumerate(blocks):
                z = z if label in kept else z.unsqueeze(2 + axis)
            z = z.expand(*x.shape[:2], *(self.n,) * len(blocks))
            if len(blocks) < self.l:
                y = z.new_zeros(*x.shape[:2], *(self.n,) * self.l)
                _diagonal(y, outputs, 2)[0].copy_(z)
                z = y
            operations.append(z)
        axes = LETTERS[: self.l]
        return torch.einsum(
            f"cZD,BcD{axes}->BZ{axes}",
            self.coefficients,
            torch.stack(operations, dim=2),
        )


class DiagonalViews(Rival):
    """For each diagram one einsum, which reads a diagonal of the input, added to one of the output."""

    def __init__(self, layer: EquivariantLinear) -> None:
        super().__init__(layer)
        self.weight = nn.Parameter(layer.weight.detach().clone())
        self.steps: list[tuple[str, float, Labels, Any]] = []
        for outputs, inputs, terms in self.per_diagram(layer):
            blocks = tuple(dict.fromkeys(outputs))
            through = [label for label in blocks if label in inputs]
            read, kept = _letters(inputs), _letters(through)
            place = (*(slice(None) if label in through else None for label in blocks), slice(None))
            self.steps.append((f"...{read}c,Zc->...{kept}Z", terms, outputs, (..., *place)))

    def forward(self, x: Tensor) -> Tensor:
        """Map (*batch, n, ..., in) to (*batch, n, ..., out)."""
        batch = x.shape[: x.ndim - self.k - 1]
        y = x.new_zeros(*batch, *(self.n,) * self.l, self.out_channels)
        for (formula, terms, outputs, place), weight in zip(self.steps, self.weight, strict=True):
            z = torch.einsum(formula, x, weight)
            z = z / terms if terms != 1 else z
            _diagonal(y, outputs, len(batch))[0].add_(z[place])
        return y


class IdentityTensors(Rival):
    """For each diagram one einsum, in which identity matrices join the outputs of a block."""

    def __init__(self, layer: EquivariantLinear) -> None:
        super().__init__(layer)
        self.weight = nn.Parameter(layer.weight.detach().clone())
        self.same = nn.Buffer(torch.eye(self.n).to(layer.weight), persistent=False)
        self.ones = nn.Buffer(torch.ones(self.n).to(layer.weight), persistent=False)
        self.terms: list[tuple[str, float, list[str]]] = []
        for outputs, inputs, terms in self.per_diagram(layer):
            names = iter(LETTERS[len(set(outputs + inputs)) :])
            read, written, factors, used = _letters(inputs), "", [], set[int]()
            operands: list[str] = []
            for label in outputs:
                name = _letters((label,))
                if label not in used:
                    written += name
                    factors += [] if label in inputs else [name]
                    operands += [] if label in inputs else ["ones"]
                else:
                    written += next(names)
                    factors.append(name + written[-1])
                    operands.append("same")
                used.add(label)
            formula = ",".join([f"...{read}c", "Zc", *factors])
            self.terms.append((f"{formula}->...{written}Z", terms, operands))

    def forward(self, x: Tensor) -> Tensor:
        """Map (*batch, n, ..., in) to (*batch, n, ..., out)."""
        y: Tensor | None = None
        for (formula, terms, operands), weight in zip(self.terms, self.weight, strict=True):
            z = torch.einsum(formula, x, weight, *(getattr(self, name) for name in operands))
            z = z / terms if terms != 1 else z
            y = z if y is None else y + z
        assert y is not None
        return y


class Dense(Rival):
    """One product with the dense (n^k in) x (n^l out) matrix, which is the parameter."""

    def __init__(self, layer: EquivariantLinear) -> None:
        super().__init__(layer)
        weight = layer.weight.detach()
        matrix = torch.zeros(
            self.n**self.k, self.in_channels, self.n**self.l, self.out_channels, dtype=weight.dtype
        )
        for row, (rows, columns, values) in zip(weight, _entries(layer), strict=True):
            product = values[:, None, None] * row.T
            # Advanced indices on both sides of a slice come first: (entries, in, out).
            matrix[columns, :, rows] += product
        self.matrix = nn.Parameter(matrix.reshape(self.n**self.k * self.in_channels, -1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (*batch, n, ..., in) to (*batch, n, ..., out)."""
        return self.multiplied(x, self.matrix)

    def multiplied(self, x: Tensor, matrix: Tensor) -> Tensor:
        """The product, with one axis for each index again."""
        y = x.reshape(-1, matrix.shape[0]) @ matrix
        batch = x.shape[: x.ndim - self.k - 1]
        return y.reshape(*batch, *(self.n,) * self.l, self.out_channels)


class AssembledDense(Dense):
    """The same, with the matrix assembled from the weight and the basis at each call."""

    def __init__(self, layer: EquivariantLinear) -> None:
        Rival.__init__(self, layer)
        self.weight = nn.Parameter(layer.weight.detach().clone())
        self.stack = nn.Buffer(_scaled_basis(layer), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (*batch, n, ..., in) to (*batch, n, ..., out)."""
        matrix = torch.einsum("dpq,doi->qipo", self.stack, self.weight)
        matrix = matrix.reshape(
            self.n**self.k * self.in_channels, self.n**self.l * self.out_channels
        )
        return self.multiplied(x, matrix)


class TiedDense(Dense):
    """The same for permutation groups: the weight of each orbit is written to all its places."""

    def __init__(self, layer: EquivariantLinear) -> None:
        Rival.__init__(self, layer)
        plan = layer.plan
        assert isinstance(plan, OrbitPlan)
        self.weight = nn.Parameter(layer.weight.detach().clone())
        numbers = torch.from_numpy(plan.numbers.T.astype("int64"))
        scales = torch.from_numpy(plan.scales()).to(layer.weight)[:, None, None]
        self.numbers = nn.Buffer(numbers, persistent=False)
        self.scales = nn.Buffer(scales, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (*batch, n, ..., in) to (*batch, n, ..., out)."""
        # (inputs, outputs, out, in) to (inputs in, outputs out)
        matrix = (self.weight * self.scales)[self.numbers].permute(0, 3, 1, 2)
        matrix = matrix.reshape(
            self.n**self.k * self.in_channels, self.n**self.l * self.out_channels
        )
        return self.multiplied(x, matrix)


class DeepSets(Rival):
    """S(n), 1 -> 1: each point by itself, and the mean of all points (arXiv:1703.06114)."""

    def __init__(self, layer: EquivariantLinear) -> None:
        super().__init__(layer)
        own, shared = (diagram.blocks == ((0, 1),) for diagram in layer.hom.basis())
        point, mean = layer.weight.detach() if own and not shared else layer.weight.detach().flip(0)
        self.point, self.mean = nn.Parameter(point.clone()), nn.Parameter(mean.clone())

    def forward(self, x: Tensor) -> Tensor:
        """Map (*batch, n, in) to (*batch, n, out)."""
        return linear(x, self.point) + linear(x.mean(-2, keepdim=True), self.mean)


class E3nn(ChannelsFirst):
    """e3nn's ``o3.Linear`` between irreducible representations, with a change of basis on each side.

    Input and output are Cartesian tensors, as ours are. Raises LeftOutError without e3nn.
    """

    def __init__(self, layer: EquivariantLinear) -> None:
        super().__init__(layer)
        try:
            o3: Any = import_module("e3nn.o3")
        except ModuleNotFoundError as error:
            raise LeftOutError(
                f"{error.name} is not installed: pip install --no-deps e3nn opt_einsum_fx; "
                "pip install scipy"
            ) from error
        default = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)  # for e3nn computes its bases in the default dtype
        try:
            (inputs, into), (outputs, out_of) = (
                _e3nn_basis(o3, layer, order) for order in (self.k, self.l)
            )
            self.parts = inputs.slices()
            self.mixed = o3.Linear(*_with_channels(o3, layer, inputs, outputs))
        finally:
            torch.set_default_dtype(default)
        stack = torch.einsum("rp,dpq,sq->drs", out_of, _scaled_basis(layer).double(), into)
        for _, path, weight in self.mixed.weight_views(yield_instruction=True):
            size = inputs[path.i_in].ir.dim
            block = stack[:, outputs.slices()[path.i_out], inputs.slices()[path.i_in]]
            # By Schur's lemma each pair of copies has a multiple of the identity between them.
            a, b = (length // size for length in block.shape[1:])
            copies = block.reshape(-1, a, size, b, size)
            multiples = torch.einsum("dambm->dab", copies) / size
            mixed = torch.einsum("doi,dab->iboa", layer.weight.detach().double(), multiples)
            weight.data.copy_(mixed.reshape(weight.shape) / path.path_weight)
        self.sizes = [part.dim for part in self.mixed.irreps_out]
        self.mixed.to(layer.weight.dtype)
        self.into = nn.Buffer(into.T.contiguous().to(layer.weight), persistent=False)
        self.out_of = nn.Buffer(out_of.contiguous().to(layer.weight), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, in, n, ...) to (batch, out, n, ...)."""
        z = x.reshape(*x.shape[:2], -1) @ self.into
        y = self.mixed(torch.cat([z[..., part].flatten(1) for part in self.parts], 1))
        parts = y.split(self.sizes, 1)
        y = (
            torch.cat([part.unflatten(1, (self.out_channels, -1)) for part in parts], 2)
            @ self.out_of
        )
        return y.reshape(*x.shape[:1], self.out_channels, *(self.n,) * self.l)


@dataclass(frozen=True)
class Entrant:
    """A rival by its name: for which layers it is made, and what it is known to need.

    ``needs`` says about how many bytes its forward pass takes for a layer and a batch size;
    ``compiles`` whether ``torch.compile`` of it is of interest.
    """

    name: str
    make: Callable[[EquivariantLinear], Rival]
    suits: Callable[[EquivariantLinear], bool]
    needs: Callable[[EquivariantLinear, int], int] = lambda layer, batch: 0
    compiles: bool = False


def _family(*groups: type) -> Callable[[EquivariantLinear], bool]:
    return lambda layer: isinstance(layer.group, groups)


def _by_orbits(layer: EquivariantLinear) -> bool:
    return isinstance(layer.plan, OrbitPlan)


def _places(layer: EquivariantLinear, order: int) -> int:
    """The bytes of one channel of a tensor of this order."""
    places: int = layer.group.n**order
    return layer.weight.element_size() * places


def _output(layer: EquivariantLinear, batch: int) -> int:
    return batch * layer.out_channels * _places(layer, layer.out_order)


def _stacked(layer: EquivariantLinear, batch: int) -> int:
    return len(layer.weight) * batch * layer.in_channels * _places(layer, layer.out_order)


def _matrix(layer: EquivariantLinear, batch: int) -> int:
    pairs = _places(layer, layer.in_order + layer.out_order)
    return pairs * layer.in_channels * layer.out_channels


def _assembled(layer: EquivariantLinear, batch: int) -> int:
    stack = len(layer.weight) * _places(layer, layer.in_order + layer.out_order)
    return 2 * _matrix(layer, batch) + stack


ENTRANTS = (
    Entrant(STACKED, StackedOperations, _family(S), _stacked, compiles=True),
    Entrant(VIEWS, DiagonalViews, _family(S, O), _output, compiles=True),
    Entrant(IDENTITIES, IdentityTensors, _family(S, O), _output),
    Entrant(DENSE, Dense, _family(S, O, SO), _matrix),
    Entrant(ASSEMBLED, AssembledDense, _family(S, O, SO), _assembled),
    Entrant(
        DEEP_SETS,
        DeepSets,
        lambda layer: (
            isinstance(layer.group, S)
            and (layer.in_order, layer.out_order) == (1, 1)
            and len(layer.weight) == 2
        ),
        compiles=True,
    ),
    Entrant(E3NN, E3nn, lambda layer: isinstance(layer.group, (O, SO)) and layer.group.n == 3),
    Entrant(TIED, TiedDense, _by_orbits, _matrix),
)
"""All of them. For automorphism groups by bilabelled graphs there is none."""


def _letters(labels: Sequence[int]) -> str:
    return "".join(LETTERS[label] for label in labels)


def _diagonal(x: Tensor, labels: Sequence[int], first: int) -> tuple[Tensor, list[int]]:
    """A view with one axis for each label, of axes from ``first`` on, and their order."""
    left = list(labels)
    for b in reversed(range(len(left))):
        a = left.index(left[b])
        if a < b:
            x = x.diagonal(0, first + a, first + b).movedim(-1, first + a)
            del left[b]
    return x, left


def _summed(
    x: Tensor, labels: Labels, kept: Labels, known: dict[tuple[Labels, Labels], Tensor]
) -> Tensor:
    """The sum of a diagonal of x, (batch, channels, n, ...), over all but the kept labels.

    Summed from what is known with one label more, one label at a time.
    """
    numbers = {label: i for i, label in enumerate(dict.fromkeys(labels))}
    pattern = tuple(numbers[label] for label in labels)
    left = list(dict.fromkeys(pattern))
    wanted = {numbers[label] for label in kept}
    z = known.setdefault((pattern, tuple(left)), _diagonal(x, pattern, 2)[0])
    for label in reversed(range(len(left))):
        if label not in wanted:
            axis = left.index(label)
            left.remove(label)
            key = (pattern, tuple(left))
            z = known[key] if key in known else known.setdefault(key, z.sum(2 + axis))
    return z


def _scaled_basis(layer: EquivariantLinear) -> Tensor:
    """What each row of the weight multiplies, as matrices: (dimension, n^l, n^k)."""
    n, k, l = layer.group.n, layer.in_order, layer.out_order
    stack = torch.zeros(len(layer.weight), n**l, n**k, dtype=layer.weight.dtype)
    for matrix, (rows, columns, values) in zip(stack, _entries(layer), strict=True):
        matrix[rows, columns] = values
    return stack


def _entries(layer: EquivariantLinear) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Where the matrix of each basis diagram is not 0: rows, columns, and scaled values."""
    group, k, l = layer.group, layer.in_order, layer.out_order
    one = EquivariantLinear(group, k, l, 1, 1, bias=False, dtype=layer.weight.dtype)
    for number, diagram in enumerate(layer.hom.basis()):
        rows, columns, values = map(torch.from_numpy, group.nonzeros(diagram))
        if isinstance(group, (S, O)):
            scale = 1.0 / group.n ** sum(block[0] >= l for block in diagram.blocks)
        else:
            # What a determinant sums is the layer's to say.
            nn.init.zeros_(one.weight).data[number] = 1
            scale = float(one.matrix()[0, rows[0], 0, columns[0]] / values[0])
        yield rows, columns, values.to(layer.weight.dtype) * scale


def _e3nn_basis(o3: Any, layer: EquivariantLinear, order: int) -> tuple[Any, Tensor]:
    """The irreducible representations in V^order, and an orthonormal basis: (their basis, n^order)."""
    if order == 0:
        return o3.Irreps("0e"), torch.ones(1, 1)
    vector = "1o" if isinstance(layer.group, O) else "1e"
    axes = LETTERS[:order]
    found = o3.ReducedTensorProducts(axes, **dict.fromkeys(axes, vector))
    return found.irreps_out, found.change_of_basis.reshape(prod((3,) * order), -1)


def _with_channels(o3: Any, layer: EquivariantLinear, inputs: Any, outputs: Any) -> tuple[Any, Any]:
    pairs = ((layer.in_channels, inputs), (layer.out_channels, outputs))
    found = (o3.Irreps([(channels * m, ir) for m, ir in irreps]) for channels, irreps in pairs)
    return tuple(found)
