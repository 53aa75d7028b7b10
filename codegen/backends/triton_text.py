"""Text that Triton kernels are made of: positions and addresses, calls, definitions, what all share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from tannaka.codegen.backends.einsum_text import HELPERS
from tannaka.codegen.backends.lines import WIDTH
from tannaka.codegen.network import Word
from tannaka.codegen.notation import indices
from tannaka.codegen.plan import Contract, Embed, Plan, describe

IMPORTS = """\
import math
import os
from collections.abc import Callable
from typing import Any

import triton
import triton.language as tl
from torch.library import wrap_triton
"""
PARTS = {
    "tuned": '''\
def tuned(key: list[str], *tiles: triton.Config) -> Callable[[Any], Any]:
    """Time the tiles at the first call for each value of the key and each dtype; keep the fastest.

    Triton keeps it on disk too, in its cache (TRITON_CACHE_DIR), by its own version, the kind of GPU,
    the source of the kernel, the tiles, the key and the dtypes. TANNAKA_TUNE=0 in the environment
    takes the first tile always, so that sums are rounded alike in every run.
    """
    fixed = os.environ.get("TANNAKA_TUNE") == "0" or triton.knobs.runtime.interpret
    return triton.autotune(list(tiles[:1] if fixed else tiles), key, cache_results=not fixed)
''',
    "fitted": '''\
def fitted(size: int, most: int) -> int:
    """The least power of two from ``size`` up, at most ``most``: what blocks of an axis are long.

    A compiler that traces for any size takes ``most``: it would make code for each power of two.
    """
    block = 1
    while block < (most if isinstance(size, torch.SymInt) else min(size, most)):
        block *= 2
    return block
''',
    "spread": '''\
def spread(x: Tensor) -> tuple[Tensor, int]:
    """Give x with the channels of a position side by side, and how far the next position is.

    A copy is made where positions are not equally far apart, as they are in one piece, and where x
    is a range of the channels of such a tensor.
    """
    if x.ndim == 1 or x.numel() == 0:
        return x.contiguous(), x.shape[-1]
    fitting = x.stride(-1) == 1 or x.shape[-1] == 1
    for axis in range(x.ndim - 2):
        fitting = fitting and x.stride(axis) == x.shape[axis + 1] * x.stride(axis + 1)
    return (x, x.stride(-2)) if fitting else (x.contiguous(), x.shape[-1])
''',
    "summed_in": '''\
def summed_in(x: Tensor, *shape: int) -> Tensor:
    """Room for sums of numbers like those of x."""
    return x.new_empty(shape, dtype=torch.promote_types(x.dtype, torch.float32))
''',
    "precision": '''\
def precision(x: Tensor) -> str:
    """How exactly kernels multiply numbers like those of x."""
    if x.dtype == torch.float64:
        return "ieee"
    if x.dtype == torch.float32:
        return "tf32x3" if torch.get_float32_matmul_precision() == "highest" else "tf32"
    # Triton's interpreter takes the bits of bfloat16 for whole numbers.
    return "widened" if triton.knobs.runtime.interpret else "tf32"
''',
    "wide": '''\
def wide(x: Tensor) -> bool:
    """Whether positions of x, and what some programs count beyond, need 64 bits."""
    return x.numel() // max(x.shape[-1], 1) >= 2**30
''',
    "product": '''\
@triton.jit
def product(a, b, total, PRECISION: tl.constexpr):
    """Add a @ b to the total, which is float32, or float64 where a and b are."""
    if PRECISION == "widened":
        return tl.dot(a.to(tl.float32), b.to(tl.float32), total, out_dtype=total.dtype)
    return tl.dot(a, b, total, input_precision=PRECISION, out_dtype=total.dtype)
''',
    "form": '''\
@triton.jit
def form(i, j):
    """The symplectic form: 1 for indices (2a, 2a + 1), -1 for (2a + 1, 2a), 0 elsewhere."""
    return ((j == i + 1) & (i % 2 == 0)).to(tl.int32) - ((i == j + 1) & (j % 2 == 0)).to(tl.int32)
''',
    "finish": '''\
@triton.jit
def finish(parts, sums, rows, count, terms, C, ROWS: tl.constexpr, CHANNELS: tl.constexpr):
    """Add up the parts of a sum, (rows, count, C) -> (rows, C), and divide by a number of terms."""
    SUM: tl.constexpr = parts.dtype.element_ty
    r = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    c = tl.program_id(2) * CHANNELS + tl.arange(0, CHANNELS)
    there = (r < rows)[:, None] & (c < C)[None, :]
    total = tl.zeros((ROWS, CHANNELS), SUM)
    for part in range(0, count):
        at = r * count + part
        total += tl.load(parts + at[:, None] * C + c[None, :], mask=there, other=0.0)
    total = total / terms
    tl.store(sums + r[:, None] * C + c[None, :], total.to(sums.dtype.element_ty), mask=there)
''',
}
"""What kernels and their calls use; each stands in the text where something uses it."""
ON_GPU = {
    "matrix": '''\
def mix(weight: Tensor, rows: tuple[tuple[int, ...], ...], *features: Tensor) -> list[Tensor]:
    """Mix channels: result e is the sum over f of features[f] @ weight[rows[e][f]].T."""
    (c_out, c_in), each = weight.shape[1:], weight.unbind()
    blocks = torch.stack([each[row] for result in rows for row in result])
    blocks = blocks.view(len(rows), len(features), c_out, c_in).permute(1, 3, 0, 2)
    matrix = blocks.reshape(len(features) * c_in, len(rows) * c_out)
    # As many features at a time as take no more memory than the results.
    many = max(1, len(rows) * c_out // c_in)
    mixed = torch.cat(features[:many], dim=-1) @ matrix[: many * c_in]
    for start in range(many, len(features), many):
        more = torch.cat(features[start : start + many], dim=-1)
        block = matrix[start * c_in : (start + many) * c_in]
        mixed.view(-1, mixed.shape[-1]).addmm_(more.view(-1, more.shape[-1]), block)
    return [mixed[..., e * c_out : (e + 1) * c_out] for e in range(len(rows))]
''',
    # Operators say that the gradient of the weight lies in one piece.
    "outer": HELPERS["outer"].replace("(-1, c_out, c_in)\n", "(-1, c_out, c_in).contiguous()\n"),
    "picked": '''\
def picked(rows: Tensor, order: tuple[int, ...]) -> Tensor:
    """Rows in another order."""
    each = rows.unbind()
    return torch.stack([each[row] for row in order])
''',
    "levi_civita": '''\
def levi_civita(
    n: int, old: tuple[int, ...], new: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Where the Levi-Civita symbol is not 0, and its sign there.

    For each value of the indices ``new``, flattened, the values of the indices ``old``, flattened,
    at the terms of the sum, as many for each, and their signs; terms of sign 0 fill up.
    """
    found: list[list[tuple[int, int]]] = [[] for _ in range(n ** len(new))]
    for images in itertools.permutations(range(n)):
        sign = (-1) ** sum(a > b for a, b in itertools.combinations(images, 2))
        target = sum(images[i] * n**p for p, i in enumerate(reversed(new)))
        found[target].append((sum(images[i] * n**p for p, i in enumerate(reversed(old))), sign))
    terms = max(map(len, found))
    filled = [term for row in found for term in row + [(0, 0)] * (terms - len(row))]
    return tuple(place for place, _ in filled), tuple(sign for _, sign in filled)


def signed(
    x: Tensor,
    table: tuple[tuple[int, ...], tuple[int, ...]],
    old: tuple[int, ...],
    new: tuple[int, ...],
    n: int,
) -> Tensor:
    """Multiply axes ``old`` of x by the symbol of a table; the results stand at axes ``new``."""
    places, signs = placed(table[0], x, torch.int64), placed(table[1], x)
    terms = len(table[1]) // n ** len(new)
    last = tuple(range(-1 - len(old), -1))
    x = x.movedim(old, last)
    x = x.reshape(*x.shape[: x.ndim - 1 - len(old)], n ** len(old), x.shape[-1])
    shape = (*x.shape[:-2], *(n,) * len(new), terms, x.shape[-1])
    x = x.index_select(-2, places).reshape(shape) * signs.reshape(*(n,) * len(new), terms, 1)
    x = x.sum(-2)
    last = tuple(range(-1 - len(new), -1))
    # A tensor of its own, not a view: it may be what the layer returns.
    return x if new == last else x.movedim(last, new).clone(memory_format=torch.contiguous_format)
''',
    "placed": '''\
def placed(numbers: tuple[Any, ...], like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """A constant on the device of another tensor, and with its dtype; copied there once.

    A compiler wants it made anew: there are no tensors in what it traces but its own.
    """
    key = id(numbers), like.device, dtype or like.dtype
    if type(like) not in (Tensor, torch.nn.Parameter) or torch.compiler.is_compiling():
        return torch.tensor(numbers, device=key[1], dtype=key[2])
    if key not in PLACED:
        PLACED[key] = torch.tensor(numbers, device=key[1], dtype=key[2])
    return PLACED[key]


PLACED: dict[tuple[int, torch.device, torch.dtype], Tensor] = {}
''',
}
"""Helpers of the einsum backend as they are on the GPU, where each copy of a table would be waited
for, and more of them."""


@dataclass(frozen=True)
class Axes:
    """The axes of a tensor in a kernel: their letters, and the name of the size of each."""

    letters: str
    sizes: dict[str, str]
    names: tuple[str, ...]
    """The names of all sizes, as the kernel takes them."""

    @classmethod
    def of(cls, plan: Plan, word: Word) -> Axes:
        """The axes of a tensor of these types."""
        letters = indices(tuple(range(len(word))))
        names = {kind: f"n{kind}" if plan.types > 1 else "n" for kind in sorted(set(word))}
        sizes = {letter: names[kind] for letter, kind in zip(letters, word, strict=True)}
        return cls(letters, sizes, tuple(names.values()))

    def first(self, labels: Sequence[int]) -> dict[int, str]:
        """The letter of the first axis that has each index."""
        return {index: self.letters[labels.index(index)] for index in labels}

    def permuted(self, order: Sequence[int]) -> str:
        """The letters on the axes of a tensor, axis i of the feature being its axis ``order[i]``."""
        return "".join(self.letters[order.index(axis)] for axis in range(len(order)))

    def row(self, letters: Iterable[str]) -> str:
        """The number of a row, from its indices."""
        row = "batch"
        for letter in letters:
            row = f"({row})" if " " in row else row
            row = f"{row} * {self.sizes[letter]} + {letter}"
        return row

    def positions(self, pair: str = "") -> Iterator[str]:
        """The indices of the r-th position of all inputs, and whether there is one.

        Of a pair of letters, positions that differ by exchanging their indices are one, counted
        where the second is at most half the way round from the first.
        """
        yield "batch = r"
        left = list(self.sizes)
        if pair:
            i, j = pair[0], pair[1]
            left.remove(j)
            yield f"ahead = batch % ({self.sizes[i]} // 2 + 1)  # from {i} to {j}, round the end"
            yield f"batch = batch // ({self.sizes[i]} // 2 + 1)"
        for letter in reversed(left):
            yield f"{letter} = batch % {self.sizes[letter]}"
            yield f"batch = batch // {self.sizes[letter]}"
        if pair:
            yield f"{j} = ({i} + ahead) % {self.sizes[i]}"
            yield f"inside = (r < rows) & ((2 * ahead < {self.sizes[i]}) | ({i} < {j}))"
        else:
            yield "inside = r < rows"

    def pair(self, addresses: Sequence[tuple[str, str]]) -> str:
        """Two letters, after whose exchange the same addresses are read; none where there are none.

        An address is a tensor's name and the letters on its axes.
        """
        every = set(addresses)
        for i, j in reversed(list(combinations(self.letters, 2))):
            if self.sizes[i] == self.sizes[j] and every:
                turned = {(name, exchanged(letters, i + j)) for name, letters in every}
                if turned == every and len(every) == len(addresses):
                    return i + j
        return ""


def exchanged(letters: str, pair: str) -> str:
    """Letters, two of them exchanged.

    >>> exchanged("ijk", "jk")
    'ikj'
    """
    return letters.translate(str.maketrans(pair, pair[::-1])) if pair else letters


def listed(head: str, items: Sequence[str], tail: str) -> list[str]:
    """A call or a definition, as formatters break it; it stands four columns in if it is a call."""
    *before, head = head.split("\n")
    inline, width = ", ".join(items), WIDTH - 4 * (tail == ")")
    if len(head) + len(inline) + len(tail) <= width:
        return [*before, head + inline + tail]
    if 4 + len(inline) <= width:
        return [*before, head, f"    {inline}", tail]
    return [*before, head, *(f"    {item}," for item in items), tail]


def along(axis: int, dims: int) -> str:
    """What lays a range along an axis of a block."""
    return "[" + ", ".join(":" if a == axis else "None" for a in range(dims)) + "]"


def product(to: str, a: str, b: str) -> str:
    """A statement that adds a product."""
    return f"{to} = product({a}, {b}, {to}, PRECISION)"


def described(
    step: Contract | Embed, axes: Axes, plan: Plan, to: str, source: str, after: str = ""
) -> Iterator[str]:
    """A step as a comment in index notation, with a kernel's own names for its tensors."""
    word = tuple(0 for _ in step.labels)
    if isinstance(step, Contract):
        step = replace(step, out=to, source=source, mean=False)
    else:
        step = replace(step, base=to, source=source)
    for line in describe(step, {to: word, source: word}, plan):
        yield f"# {line.split(' with ')[-1]}{after}"


def power(size: int, most: int, least: int = 16) -> int:
    """The least power of two from ``size`` up, at least 16 and at most ``most``.

    >>> power(24, 64), power(3, 64), power(100, 64)
    (32, 16, 64)
    """
    return min(most, max(least, 1 << (size - 1).bit_length()))
