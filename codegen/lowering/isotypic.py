"""Orthonormal bases of V^k and V^l in which every equivariant map is a few small blocks.

Where an irreducible representation λ of dimension d is m times in V^k and m' times in V^l, an
equivariant map is an m' x m matrix there, the same for each of the d coordinates of λ (Schur). So in
these bases a layer is one product of matrices for each λ, with the sum of m m' d multiply-adds for a
pair of channels, where the matrix of the map has n^(k+l).

No table of irreducibles is needed, nor anything about the group but its diagrams: their matrices
span Hom(V^k, V^l), and with B, C, D that also has B C^T D, because the group, or one with the same
equivariant maps, has with g also g^T. Of a generic map B the spaces of equal singular values are
irreducible, one in V^k for one in V^l; other maps tell which are isomorphic, and carry one of them
to all its copies. Over the reals the maps from an irreducible to itself are the real numbers, the
complex numbers (SO(2) on the plane) or the quaternions; copies then count over the reals, and
coordinates over these.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import prod

import numpy as np
from numpy.typing import NDArray

from tannaka.category.hom import Hom
from tannaka.diagrams.counts import readable
from tannaka.diagrams.errors import BackendError, SizeError

Floats = NDArray[np.float64]

MAX_SIZE = 1500
"""Most entries of a tensor in V^k or V^l: their decomposition takes time with the third power."""
MAX_DIMENSION = 2**12
"""Most basis diagrams: the blocks have the square of this many entries."""
MAX_TERMS = 2**23
"""Most nonzero entries that the matrices of all basis diagrams may have together."""
TOLERANCE = 1e-11
"""What the decomposition may be wrong by, relative to a random equivariant map."""
DRAWS = 6
"""How many random maps are tried before it is given up."""
NOUGHT = 1e-9
"""What counts as zero, next to the largest number of its kind: far above rounding, far below chance."""


@dataclass(frozen=True)
class Block:
    """One irreducible λ that is in both V^k and V^l."""

    copies_in: int
    """How often it is in V^k, times ``field``."""
    copies_out: int
    """How often it is in V^l, times ``field``."""
    dimension: int
    """Its real dimension, divided by ``field``: how often the block stands on the diagonal."""
    field: int
    """The dimension of the maps from λ to itself: 1 real, 2 complex, 4 quaternionic."""


@dataclass(frozen=True, eq=False)
class Isotypic:
    """Bases of V^k and V^l, and what each basis diagram is in them.

    For the r-th basis diagram, whose matrix has shape (n**l, n**k):
    matrix == outputs @ blockdiag(kron(eye(dimension), M_r) for each block) @ inputs.T.
    """

    blocks: tuple[Block, ...]
    """The irreducibles, small ones first."""
    inputs: Floats
    """Orthonormal columns, of shape (n**k, sum of dimension * copies_in): one for each coordinate of
    each copy of an irreducible, block by block, within a block copies fastest."""
    outputs: Floats
    """The same for V^l, of shape (n**l, sum of dimension * copies_out); ``inputs`` where l is k."""
    entries: Floats
    """The M_r of a diagram in row r, block by block, each (copies_out, copies_in) in C order."""

    @property
    def multiplications(self) -> int:
        """The multiply-adds of a layer for a pair of channels and an input, changes of basis left out."""
        return sum(block.dimension * block.copies_out * block.copies_in for block in self.blocks)

    def matrix(self, weights: Floats) -> Floats:
        """The sum of the basis diagrams with these weights, from the blocks: shape (n**l, n**k)."""
        found = np.zeros((len(self.outputs), len(self.inputs)))
        entries = weights @ self.entries
        at = row = column = 0
        for block in self.blocks:
            d, p_out, p_in = block.dimension, block.copies_out, block.copies_in
            m = entries[at : at + p_out * p_in].reshape(p_out, p_in)
            right = self.inputs[:, column : column + d * p_in].reshape(-1, p_in) @ m.T
            left = self.outputs[:, row : row + d * p_out]
            found += left @ right.reshape(-1, d * p_out).T
            at, row, column = at + p_out * p_in, row + d * p_out, column + d * p_in
        return found

    def __str__(self) -> str:
        lines = [
            f"{block.copies_in} -> {block.copies_out} copies, dimension {block.dimension}"
            + {1: "", 2: ", complex", 4: ", quaternionic"}[block.field]
            for block in self.blocks
        ]
        return "\n".join([*lines, f"{self.multiplications:,} multiply-adds for a pair of channels"])


class _CollisionError(Exception):
    """A random map that does not tell irreducibles apart, to rounding."""


@lru_cache(maxsize=8)
def isotypic(hom: Hom) -> Isotypic:
    """The decomposition of V^k and V^l into the irreducibles that they share.

    Random maps tell irreducibles apart, always the same ones; the result is checked against another.
    Raises SizeError where V^k or V^l has more than 1,500 dimensions, or the basis more than 4,096
    diagrams; BackendError where no random map would do.

    Source: random elements of the commutant, as in Murota, Kanno, Kojima and Kojima, A numerical
    algorithm for block-diagonal decomposition of matrix *-algebras (2010); here of Hom(V^k, V^l).

    >>> from tannaka.category.orthogonal import O
    >>> print(isotypic(Hom(O(3), 3, 3)))
    1 -> 1 copies, dimension 1
    3 -> 3 copies, dimension 3
    2 -> 2 copies, dimension 5
    1 -> 1 copies, dimension 7
    55 multiply-adds for a pair of channels
    """
    shape = (prod(hom.group.shape(hom.l)), prod(hom.group.shape(hom.k)))
    _check_size(hom, shape)
    if not hom.dimension:
        return Isotypic((), *(np.zeros((size, 0)) for size in (shape[1], shape[0], 0)))
    maps = _Maps.of(hom, shape)
    for seed in range(DRAWS):
        try:
            found = _decomposed(maps, np.random.default_rng(seed))
        except _CollisionError as error:
            failure = error
            continue
        for array in (found.inputs, found.outputs, found.entries):
            array.setflags(write=False)  # they are shared by all who ask
        return found
    raise BackendError(
        f"{hom}: no isotypic decomposition to {TOLERANCE:.0e} in {DRAWS} draws of random maps; "
        f"in the last, {failure}: take another lowering"
    ) from failure


def _check_size(hom: Hom, shape: tuple[int, int]) -> None:
    way = "take a smaller n or lower orders, or another lowering"
    for name, size in zip("lk", shape, strict=True):
        if size > MAX_SIZE:
            raise SizeError(
                f"{hom}: V^{name} has {readable(size)} dimensions, and is decomposed up to "
                f"{MAX_SIZE:,}: {way}"
            )
    if hom.dimension > MAX_DIMENSION:
        raise SizeError(
            f"{hom}: the blocks of so many diagrams have {readable(hom.dimension**2)} entries or more, "
            f"and are formed for up to {MAX_DIMENSION:,} diagrams: {way}"
        )


@dataclass(frozen=True, eq=False)
class _Maps:
    """The matrices of all basis diagrams, each divided by a norm, as one list of nonzero entries.

    The norm is Schur's bound of the operator norm, which deltas attain: so in a random sum diagrams
    with large entries in few irreducibles do not drown the others.
    """

    shape: tuple[int, int]
    endomorphisms: bool
    """Whether they are maps of a space to itself."""
    norms: Floats
    numbers: NDArray[np.int32]
    """For each entry, the diagram that it belongs to."""
    rows: NDArray[np.int32]
    columns: NDArray[np.int32]
    values: Floats

    @classmethod
    def of(cls, hom: Hom, shape: tuple[int, int]) -> _Maps:
        """Raises SizeError for more than 2**23 entries."""
        places: list[list[NDArray[np.int32]]] = []
        norms, scaled, total = [], [], 0
        for number, diagram in enumerate(hom.basis()):
            at_row, at_column, values = hom.group.nonzeros(diagram)
            total += len(values)
            if total > MAX_TERMS:
                raise SizeError(
                    f"{hom}: the matrices of the diagrams have more than {MAX_TERMS:,} nonzero "
                    "entries: take a smaller n or lower orders, or another lowering"
                )
            floats = values.astype(np.float64)
            sums = [np.bincount(at, np.abs(floats)).max() for at in (at_row, at_column)]
            norms.append(float(np.sqrt(np.prod(sums))))
            scaled.append(floats / norms[-1])
            # 32 bits count the rows of all matrices, and the places in one.
            listed = (np.full(len(values), number), at_row, at_column)
            places.append([at.astype(np.int32) for at in listed])
        numbers, rows, columns = (np.concatenate([part[i] for part in places]) for i in range(3))
        same = hom.k == hom.l
        return cls(shape, same, np.array(norms), numbers, rows, columns, np.concatenate(scaled))

    def random(self, rng: np.random.Generator) -> Floats:
        """The sum of the matrices with random coefficients."""
        return self.sum(rng.standard_normal(len(self.norms)))

    def sum(self, coefficients: Floats) -> Floats:
        """The sum of the divided matrices with these coefficients."""
        at = self.rows * self.shape[1] + self.columns
        weights = self.values * coefficients[self.numbers]
        return np.bincount(at, weights, prod(self.shape)).astype(np.float64).reshape(self.shape)

    def between(self, inputs: Floats, outputs: Floats) -> Floats:
        """The outputs.T @ matrix @ inputs of each diagram, not divided, in a row."""
        shape = (len(self.norms), self.shape[0])
        at = self.numbers * shape[1] + self.rows
        found = np.empty((shape[0], outputs.shape[1], inputs.shape[1]))
        for i, vector in enumerate(inputs.T):
            images = np.bincount(at, self.values * vector[self.columns], prod(shape))
            found[:, :, i] = images.reshape(shape) @ outputs
        return found.reshape(shape[0], outputs.shape[1] * inputs.shape[1]) * self.norms[:, None]


@dataclass(frozen=True, eq=False)
class _Irreducible:
    """One copy of an irreducible in V^k and one in V^l, with coordinates that equivariant maps keep."""

    inputs: Floats
    """Orthonormal, of shape (n**k, dimension): a basis over the numbers that are its ``field``."""
    outputs: Floats
    field: int


def _decomposed(maps: _Maps, rng: np.random.Generator) -> Isotypic:
    """Raises _CollisionError where the random maps that are drawn do not tell irreducibles apart."""
    found = _irreducibles(maps, rng)
    found.sort(key=lambda one: one.inputs.shape[1])
    splits = np.cumsum([one.inputs.shape[1] for one in found])[:-1]
    sides = [_copies(maps, found, splits, rng, back=True)]
    sides.append(sides[0] if maps.endomorphisms else _copies(maps, found, splits, rng, back=False))
    inputs, outputs = sides
    blocks = tuple(
        Block(a.shape[2], b.shape[2], a.shape[1], one.field)
        for one, a, b in zip(found, inputs, outputs, strict=True)
    )
    entries = [maps.between(a[:, 0], b[:, 0]) for a, b in zip(inputs, outputs, strict=True)]
    flat_in, flat_out = (np.hstack([p.reshape(len(p), -1) for p in side]) for side in sides)
    result = Isotypic(blocks, flat_in, flat_out, np.hstack(entries))
    _check(maps, result, rng)
    return result


def _check(maps: _Maps, found: Isotypic, rng: np.random.Generator) -> None:
    counted = sum(b.copies_in * b.copies_out // b.field for b in found.blocks)
    if counted != len(maps.norms):
        raise _CollisionError(f"blocks for {counted} of {len(maps.norms)} maps")
    for side in (found.inputs, found.outputs):
        off = float(np.abs(side.T @ side - np.eye(side.shape[1])).max())
        if off > TOLERANCE:
            raise _CollisionError(f"bases are orthonormal to {off:.0e}")
    # All diagrams at once: an error in one of them shows, but by chance.
    lengths = np.sqrt(np.bincount(maps.numbers, maps.values**2))
    weights = rng.standard_normal(len(maps.norms)) / lengths
    wanted = maps.sum(weights)
    error = float(
        np.linalg.norm(found.matrix(weights / maps.norms) - wanted) / np.linalg.norm(wanted)
    )
    if error > TOLERANCE:
        raise _CollisionError(f"a random map is met to {error:.0e}")


def _irreducibles(maps: _Maps, rng: np.random.Generator) -> list[_Irreducible]:
    """One pair of each kind of irreducible."""
    one = maps.random(rng)
    if maps.endomorphisms:
        values, left = np.linalg.eigh(one + one.T)
        right = left
    else:
        left, values, right = np.linalg.svd(one, full_matrices=False)
        right = right.T
    others = [maps.random(rng) for _ in range(5)]
    inside = left.T @ others[0] @ right
    scale = np.abs(inside).max()
    taken: list[slice] = []
    for at in _levels(values, zero=not maps.endomorphisms):
        linked = (np.abs(np.hstack([inside[at, a], inside[a, at].T])).max() for a in taken)
        if all(link < NOUGHT * scale for link in linked):
            taken.append(at)
    return [_irreducible(left[:, at], right[:, at], others) for at in taken]


def _levels(values: Floats, zero: bool) -> list[slice]:
    """Where equal values stand in a list that rises or falls, those first that are far from others.

    With ``zero``, values that are 0 are left out.
    """
    near = NOUGHT * np.abs(values).max()
    ends = [0, *(np.flatnonzero(np.abs(np.diff(values)) > near) + 1), len(values)]
    means = np.array([values[a:b].mean() for a, b in pairwise(ends)])
    apart = np.abs(np.diff(means))
    least = np.minimum(np.append(np.inf, apart), np.append(apart, np.inf))
    if zero:
        least = np.minimum(least, np.abs(means))
    order = np.argsort(-least, kind="stable")
    return [slice(ends[i], ends[i + 1]) for i in order if not zero or abs(means[i]) > near]


def _irreducible(left: Floats, right: Floats, others: list[Floats]) -> _Irreducible:
    """Coordinates for a pair of spaces that a map carries to each other column by column.

    Raises _CollisionError where they are not irreducible.
    """
    size = left.shape[1]
    inside = np.stack([left.T @ other @ right for other in others])
    inside /= np.linalg.norm(inside, axis=(1, 2), keepdims=True)
    turned = inside.transpose(0, 2, 1)
    mixed = (inside + turned) / 2
    mixed -= np.trace(mixed, axis1=1, axis2=2)[:, None, None] * np.eye(size) / size
    if np.abs(mixed).max() > NOUGHT:
        raise _CollisionError("two irreducibles have the same eigenvalue, to rounding")
    _, lengths, turns = np.linalg.svd(
        ((inside - turned) / 2).reshape(len(others), -1), full_matrices=False
    )
    turns = turns[lengths > NOUGHT].reshape(-1, size, size) * np.sqrt(size)
    field = 1 + len(turns)
    if field not in (1, 2, 4) or size % field:
        raise _CollisionError(f"an irreducible seems to have {field} independent maps to itself")
    numbers = np.concatenate([np.eye(size)[None], turns])
    basis = np.eye(size) if field == 1 else _basis_over(numbers)
    return _Irreducible(right @ basis, left @ basis, field)


def _basis_over(numbers: Floats) -> Floats:
    """An orthonormal basis over complex numbers or quaternions that act by orthogonal matrices.

    ``numbers`` of shape (field, size, size), 1 first; the result has shape (size, size / field).
    """
    field, size, _ = numbers.shape
    span, found = np.zeros((size, 0)), []
    for _ in range(size // field):
        # Some unit vector has at least the average length outside of what is spanned.
        outside = np.eye(size) - span @ span.T
        vector = outside[:, np.argmax(outside.diagonal())]
        vector = vector - span @ (span.T @ vector)
        found.append(vector / np.linalg.norm(vector))
        span = np.hstack([span, (numbers @ found[-1]).T])
    return np.stack(found, axis=1)


def _copies(
    maps: _Maps,
    irreducibles: list[_Irreducible],
    splits: NDArray[np.int64],
    rng: np.random.Generator,
    *,
    back: bool,
) -> list[Floats]:
    """All copies of each irreducible on one side, of shape (n**k or n**l, dimension, copies).

    Copy by copy the coordinates are those of the irreducible; all columns are orthonormal.
    """
    start = np.hstack([one.outputs if back else one.inputs for one in irreducibles])
    firsts = [0, *splits]
    images: list[Floats] = []
    ranks = [len(maps.norms)]
    while len(images) < max(ranks) + 4:
        for _ in range(max(8, len(images))):
            other = maps.random(rng)
            images.append((other.T if back else other) @ start)
        # What random maps do to one vector spans its counterparts in all copies.
        firsts_of = [np.stack([image[:, at] for image in images], axis=1) for at in firsts]
        svds = [np.linalg.svd(columns, full_matrices=False) for columns in firsts_of]
        ranks = [int((lengths > NOUGHT * lengths[0]).sum()) for _, lengths, _ in svds]
    found = []
    stacked = [
        np.stack(part) for part in zip(*(np.split(i, splits, axis=1) for i in images), strict=True)
    ]
    for part, rank, (_, lengths, turns) in zip(stacked, ranks, svds, strict=True):
        mix = turns[:rank].T / lengths[:rank]
        found.append(np.einsum("axd,ap->xdp", part, mix, optimize=True))
    return found
