from tannaka.codegen.runtime.triton_ops import Sizes, registered

import math
import os
from collections.abc import Callable
from typing import Any

import triton
import triton.language as tl
from torch.library import wrap_triton


def tuned(key: list[str], *tiles: triton.Config) -> Callable[[Any], Any]:
    """Time the tiles at the first call for each value of the key and each dtype; keep the fastest.

    Triton keeps it on disk too, in its cache (TRITON_CACHE_DIR), by its own version, the kind of GPU,
    the source of the kernel, the tiles, the key and the dtypes. TANNAKA_TUNE=0 in the environment
    takes the first tile always, so that sums are rounded alike in every run.
    """
    fixed = os.environ.get("TANNAKA_TUNE") == "0" or triton.knobs.runtime.interpret
    return triton.autotune(list(tiles[:1] if fixed else tiles), key, cache_results=not fixed)


def fitted(size: int, most: int) -> int:
    """The least power of two from ``size`` up, at most ``most``: what blocks of an axis are long.

    A compiler that traces for any size takes ``most``: it would make code for each power of two.
    """
    block = 1
    while block < (most if isinstance(size, torch.SymInt) else min(size, most)):
        block *= 2
    return block


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


def summed_in(x: Tensor, *shape: int) -> Tensor:
    """Room for sums of numbers like those of x."""
    return x.new_empty(shape, dtype=torch.promote_types(x.dtype, torch.float32))


def precision(x: Tensor) -> str:
    """How exactly kernels multiply numbers like those of x."""
    if x.dtype == torch.float64:
        return "ieee"
    if x.dtype == torch.float32:
        return "tf32x3" if torch.get_float32_matmul_precision() == "highest" else "tf32"
    # Triton's interpreter takes the bits of bfloat16 for whole numbers.
    return "widened" if triton.knobs.runtime.interpret else "tf32"


def wide(x: Tensor) -> bool:
    """Whether positions of x, and what some programs count beyond, need 64 bits."""
    return x.numel() // max(x.shape[-1], 1) >= 2**30


@triton.jit
def product(a, b, total, PRECISION: tl.constexpr):
    """Add a @ b to the total, which is float32, or float64 where a and b are."""
    if PRECISION == "widened":
        return tl.dot(a.to(tl.float32), b.to(tl.float32), total, out_dtype=total.dtype)
    return tl.dot(a, b, total, input_precision=PRECISION, out_dtype=total.dtype)


@triton.jit
def form(i, j):
    """The symplectic form: 1 for indices (2a, 2a + 1), -1 for (2a + 1, 2a), 0 elsewhere."""
    return ((j == i + 1) & (i % 2 == 0)).to(tl.int32) - ((i == j + 1) & (j % 2 == 0)).to(tl.int32)


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


@tuned(
    ["n", "C"],
    triton.Config({"CHANNELS": 16}, num_warps=8, num_stages=2),
    triton.Config({"CHANNELS": 16}, num_warps=4, num_stages=2),
    triton.Config({"CHANNELS": 8}, num_warps=4, num_stages=2),
)
@triton.jit
def sweep_0(
    x,
    x_stride,
    p0,
    items,
    n,
    C,
    ITEMS: tl.constexpr,
    I_BLOCK: tl.constexpr,
    J_BLOCK: tl.constexpr,
    STRIP: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    # p0[] = sum over ij of ω[ij] x[ij], in parts
    SUM: tl.constexpr = p0.dtype.element_ty
    batch, c_blocks = tl.program_id(0), tl.cdiv(C, CHANNELS)
    c = batch % c_blocks * CHANNELS + tl.arange(0, CHANNELS)[None, None, None, :]
    batch = batch // c_blocks
    j_blocks = tl.cdiv(n, STRIP)
    j_block = batch % j_blocks
    batch = batch // j_blocks
    i_blocks = tl.cdiv(n, I_BLOCK)
    i_block = batch % i_blocks
    batch = batch // i_blocks
    batch = batch.to(tl.int64) * ITEMS + tl.arange(0, ITEMS)[:, None, None, None]
    i = i_block * I_BLOCK + tl.arange(0, I_BLOCK)[None, :, None, None]
    s0 = tl.zeros((ITEMS, 1, 1, CHANNELS), SUM)
    for start in range(0, STRIP, J_BLOCK):
        j = j_block * STRIP + start + tl.arange(0, J_BLOCK)[None, None, :, None]
        inside = (batch < items) & (i < n) & (j < n) & (c < C)
        at = (batch * n + i) * n + j
        value = tl.load(x + at * x_stride + c, mask=inside, other=0.0).to(SUM)
        read = form(i, j) != 0
        part = tl.where(read, value * form(i, j), 0.0)
        part = tl.sum(part, axis=2, keep_dims=True)
        s0 += tl.sum(part, axis=1, keep_dims=True)
    at = (batch * i_blocks + i_block) * j_blocks + j_block
    tl.store(p0 + at * C + c, s0, mask=(batch < items) & (c < C))


@triton.jit
def finish_0(p0, c0, rows0, count0, terms0, C, ROWS: tl.constexpr, CHANNELS: tl.constexpr):
    which = tl.program_id(1)
    if which == 0:
        finish(p0, c0, rows0, count0, terms0, C, ROWS, CHANNELS)


@tuned(
    ["n", "C_IN", "C_OUT", "PRECISION"],
    triton.Config({"ROWS": 64, "OUT": 32, "DEPTH": 16}, num_warps=8, num_stages=3),
    triton.Config({"ROWS": 64, "OUT": 32, "DEPTH": 16}, num_warps=4, num_stages=3),
    triton.Config({"ROWS": 128, "OUT": 32, "DEPTH": 16}, num_warps=8, num_stages=3),
    triton.Config({"ROWS": 32, "OUT": 32, "DEPTH": 16}, num_warps=4, num_stages=3),
)
@triton.jit
def tile_0(
    y,
    x0,
    x0_stride,
    t0,
    t0_stride,
    weight,
    rows,
    n,
    C_IN,
    C_OUT,
    row_stride,
    out_stride,
    in_stride,
    WIDE: tl.constexpr,
    PRECISION: tl.constexpr,
    ROWS: tl.constexpr,
    OUT: tl.constexpr,
    DEPTH: tl.constexpr,
):
    # y[ij] = W1 x0[ij] + W2 x0[ji]
    # y[ij] += ω[ji] t0[]
    SUM: tl.constexpr = tl.float64 if y.dtype.element_ty == tl.float64 else tl.float32
    INDEX: tl.constexpr = tl.int64 if WIDE else tl.int32
    program, o_blocks = tl.program_id(0), tl.cdiv(C_OUT, OUT)
    r = (program // o_blocks).to(INDEX) * ROWS + tl.arange(0, ROWS)
    o = program % o_blocks * OUT + tl.arange(0, OUT)
    batch = r
    ahead = batch % (n // 2 + 1)  # from i to j, round the end
    batch = batch // (n // 2 + 1)
    i = batch % n
    batch = batch // n
    j = (i + ahead) % n
    inside = (r < rows) & ((2 * ahead < n) | (i < j))
    total = tl.zeros((ROWS, OUT), SUM)
    other = tl.zeros((ROWS, OUT), SUM)  # at ji
    HALVED: tl.constexpr = SUM == x0.dtype.element_ty  # else sums of two would be rounded
    row = tl.cast(row_stride, tl.int64)  # all rows may have 2^31 numbers and more
    for start in range(0, C_IN, DEPTH):
        c = start + tl.arange(0, DEPTH)
        read = inside[:, None] & (c < C_IN)[None, :]
        weighed = (c < C_IN)[:, None] & (o < C_OUT)[None, :]
        entry = o[None, :].to(tl.int64) * out_stride + c[:, None].to(tl.int64) * in_stride
        at = (batch * n + i) * n + j
        f = tl.load(x0 + at.to(tl.int64)[:, None] * x0_stride + c[None, :], mask=read, other=0.0)
        w = tl.load(weight + 1 * row + entry, mask=weighed, other=0.0)
        at = (batch * n + j) * n + i
        g = tl.load(x0 + at.to(tl.int64)[:, None] * x0_stride + c[None, :], mask=read, other=0.0)
        v = tl.load(weight + 2 * row + entry, mask=weighed, other=0.0)
        if HALVED:
            total = product(f + g, w + v, total, PRECISION)
            other = product(f - g, w - v, other, PRECISION)
        else:
            total = product(f, w, total, PRECISION)
            total = product(g, v, total, PRECISION)
            other = product(g, w, other, PRECISION)
            other = product(f, v, other, PRECISION)
    if HALVED:
        total, other = 0.5 * (total + other), 0.5 * (total - other)
    there = inside[:, None] & (o < C_OUT)[None, :]
    at = batch
    here = there & (form(j, i) != 0)[:, None]
    t = tl.load(t0 + at.to(tl.int64)[:, None] * t0_stride + o[None, :], mask=here, other=0.0)
    total += t.to(SUM) * form(j, i)[:, None]
    at = (batch * n + i) * n + j
    value = total.to(y.dtype.element_ty)
    tl.store(y + at.to(tl.int64)[:, None] * C_OUT + o[None, :], value, mask=there)
    there = there & (i != j)[:, None]
    at = batch
    here = there & (form(i, j) != 0)[:, None]
    t = tl.load(t0 + at.to(tl.int64)[:, None] * t0_stride + o[None, :], mask=here, other=0.0)
    other += t.to(SUM) * form(i, j)[:, None]
    at = (batch * n + j) * n + i
    value = other.to(y.dtype.element_ty)
    tl.store(y + at.to(tl.int64)[:, None] * C_OUT + o[None, :], value, mask=there)


@tuned(
    ["n", "C"],
    triton.Config({"CHANNELS": 16}, num_warps=8, num_stages=2),
    triton.Config({"CHANNELS": 16}, num_warps=4, num_stages=2),
    triton.Config({"CHANNELS": 32}, num_warps=8, num_stages=2),
    triton.Config({"CHANNELS": 8}, num_warps=4, num_stages=2),
)
@triton.jit
def sweep_1(
    x,
    x_stride,
    p0,
    items,
    n,
    C,
    ITEMS: tl.constexpr,
    I_BLOCK: tl.constexpr,
    J_BLOCK: tl.constexpr,
    STRIP: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    # p0[] = sum over ij of ω[ji] x[ij], in parts
    SUM: tl.constexpr = p0.dtype.element_ty
    batch, c_blocks = tl.program_id(0), tl.cdiv(C, CHANNELS)
    c = batch % c_blocks * CHANNELS + tl.arange(0, CHANNELS)[None, None, None, :]
    batch = batch // c_blocks
    j_blocks = tl.cdiv(n, STRIP)
    j_block = batch % j_blocks
    batch = batch // j_blocks
    i_blocks = tl.cdiv(n, I_BLOCK)
    i_block = batch % i_blocks
    batch = batch // i_blocks
    batch = batch.to(tl.int64) * ITEMS + tl.arange(0, ITEMS)[:, None, None, None]
    i = i_block * I_BLOCK + tl.arange(0, I_BLOCK)[None, :, None, None]
    s0 = tl.zeros((ITEMS, 1, 1, CHANNELS), SUM)
    for start in range(0, STRIP, J_BLOCK):
        j = j_block * STRIP + start + tl.arange(0, J_BLOCK)[None, None, :, None]
        inside = (batch < items) & (i < n) & (j < n) & (c < C)
        at = (batch * n + i) * n + j
        value = tl.load(x + at * x_stride + c, mask=inside, other=0.0).to(SUM)
        read = form(j, i) != 0
        part = tl.where(read, value * form(j, i), 0.0)
        part = tl.sum(part, axis=2, keep_dims=True)
        s0 += tl.sum(part, axis=1, keep_dims=True)
    at = (batch * i_blocks + i_block) * j_blocks + j_block
    tl.store(p0 + at * C + c, s0, mask=(batch < items) & (c < C))


@tuned(
    ["n", "C_OUT", "C_IN", "PRECISION"],
    triton.Config({"ROWS": 32, "OUT": 32, "IN": 16}, num_warps=8, num_stages=3),
    triton.Config({"ROWS": 32, "OUT": 32, "IN": 16}, num_warps=4, num_stages=3),
    triton.Config({"ROWS": 64, "OUT": 32, "IN": 16}, num_warps=8, num_stages=3),
)
@triton.jit
def outer_0(
    p0,
    p1,
    g0,
    g0_stride,
    x,
    x_stride,
    rows,
    n,
    C_OUT,
    C_IN,
    LENGTH: tl.constexpr,
    WIDE: tl.constexpr,
    PRECISION: tl.constexpr,
    ROWS: tl.constexpr,
    OUT: tl.constexpr,
    IN: tl.constexpr,
):
    # p0[oc] = sum over ij of g0[ijo] x[ijc], in parts
    # p1[oc] = sum over ij of g0[jio] x[ijc], in parts
    SUM: tl.constexpr = p0.dtype.element_ty
    INDEX: tl.constexpr = tl.int64 if WIDE else tl.int32
    c_blocks, o_blocks = tl.cdiv(C_IN, IN), tl.cdiv(C_OUT, OUT)
    part = tl.program_id(0)
    c = part % c_blocks * IN + tl.arange(0, IN)
    o = part // c_blocks % o_blocks * OUT + tl.arange(0, OUT)
    part = (part // (c_blocks * o_blocks)).to(INDEX)
    s0 = tl.zeros((OUT, IN), SUM)
    s1 = tl.zeros((OUT, IN), SUM)
    HALVED: tl.constexpr = SUM == x.dtype.element_ty  # else sums of two would be rounded
    for start in range(0, LENGTH, ROWS):
        r = part * LENGTH + start + tl.arange(0, ROWS)
        batch = r
        ahead = batch % (n // 2 + 1)  # from i to j, round the end
        batch = batch // (n // 2 + 1)
        i = batch % n
        batch = batch // n
        j = (i + ahead) % n
        inside = (r < rows) & ((2 * ahead < n) | (i < j))
        right = inside[:, None] & (c < C_IN)[None, :]
        left = inside[:, None] & (o < C_OUT)[None, :]
        at = (batch * n + i) * n + j
        a = tl.load(x + at.to(tl.int64)[:, None] * x_stride + c[None, :], mask=right, other=0.0)
        right = right & (i != j)[:, None]
        at = (batch * n + j) * n + i
        b = tl.load(x + at.to(tl.int64)[:, None] * x_stride + c[None, :], mask=right, other=0.0)
        at = (batch * n + i) * n + j
        f = tl.load(g0 + at.to(tl.int64)[:, None] * g0_stride + o[None, :], mask=left, other=0.0)
        at = (batch * n + j) * n + i
        g = tl.load(g0 + at.to(tl.int64)[:, None] * g0_stride + o[None, :], mask=left, other=0.0)
        if HALVED:
            s0 = product(tl.trans(f + g), a + b, s0, PRECISION)
            s1 = product(tl.trans(f - g), a - b, s1, PRECISION)
        else:
            s0 = product(tl.trans(f), a, s0, PRECISION)
            s0 = product(tl.trans(g), b, s0, PRECISION)
            s1 = product(tl.trans(g), a, s1, PRECISION)
            s1 = product(tl.trans(f), b, s1, PRECISION)
    if HALVED:
        s0, s1 = 0.5 * (s0 + s1), 0.5 * (s0 - s1)
    there = (o < C_OUT)[:, None] & (c < C_IN)[None, :]
    at = (part.to(tl.int64) * C_OUT + o[:, None]) * C_IN + c[None, :]
    tl.store(p0 + at, s0, mask=there)
    tl.store(p1 + at, s1, mask=there)


@tuned(
    ["n", "C_IN", "C_OUT", "PRECISION"],
    triton.Config({"ROWS": 64, "OUT": 16, "DEPTH": 32}, num_warps=8, num_stages=3),
    triton.Config({"ROWS": 64, "OUT": 16, "DEPTH": 32}, num_warps=4, num_stages=3),
    triton.Config({"ROWS": 128, "OUT": 16, "DEPTH": 32}, num_warps=8, num_stages=2),
    triton.Config({"ROWS": 32, "OUT": 16, "DEPTH": 32}, num_warps=4, num_stages=3),
)
@triton.jit
def tile_1(
    y,
    x0,
    x0_stride,
    t0,
    t0_stride,
    weight,
    rows,
    n,
    C_IN,
    C_OUT,
    row_stride,
    out_stride,
    in_stride,
    WIDE: tl.constexpr,
    PRECISION: tl.constexpr,
    ROWS: tl.constexpr,
    OUT: tl.constexpr,
    DEPTH: tl.constexpr,
):
    # y[ij] = W1 x0[ij] + W2 x0[ji]
    # y[ij] += ω[ij] t0[] / n
    SUM: tl.constexpr = tl.float64 if y.dtype.element_ty == tl.float64 else tl.float32
    INDEX: tl.constexpr = tl.int64 if WIDE else tl.int32
    program, o_blocks = tl.program_id(0), tl.cdiv(C_OUT, OUT)
    r = (program // o_blocks).to(INDEX) * ROWS + tl.arange(0, ROWS)
    o = program % o_blocks * OUT + tl.arange(0, OUT)
    batch = r
    ahead = batch % (n // 2 + 1)  # from i to j, round the end
    batch = batch // (n // 2 + 1)
    i = batch % n
    batch = batch // n
    j = (i + ahead) % n
    inside = (r < rows) & ((2 * ahead < n) | (i < j))
    total = tl.zeros((ROWS, OUT), SUM)
    other = tl.zeros((ROWS, OUT), SUM)  # at ji
    HALVED: tl.constexpr = SUM == x0.dtype.element_ty  # else sums of two would be rounded
    row = tl.cast(row_stride, tl.int64)  # all rows may have 2^31 numbers and more
    for start in range(0, C_IN, DEPTH):
        c = start + tl.arange(0, DEPTH)
        read = inside[:, None] & (c < C_IN)[None, :]
        weighed = (c < C_IN)[:, None] & (o < C_OUT)[None, :]
        entry = o[None, :].to(tl.int64) * out_stride + c[:, None].to(tl.int64) * in_stride
        at = (batch * n + i) * n + j
        f = tl.load(x0 + at.to(tl.int64)[:, None] * x0_stride + c[None, :], mask=read, other=0.0)
        w = tl.load(weight + 1 * row + entry, mask=weighed, other=0.0)
        at = (batch * n + j) * n + i
        g = tl.load(x0 + at.to(tl.int64)[:, None] * x0_stride + c[None, :], mask=read, other=0.0)
        v = tl.load(weight + 2 * row + entry, mask=weighed, other=0.0)
        if HALVED:
            total = product(f + g, w + v, total, PRECISION)
            other = product(f - g, w - v, other, PRECISION)
        else:
            total = product(f, w, total, PRECISION)
            total = product(g, v, total, PRECISION)
            other = product(g, w, other, PRECISION)
            other = product(f, v, other, PRECISION)
    if HALVED:
        total, other = 0.5 * (total + other), 0.5 * (total - other)
    there = inside[:, None] & (o < C_OUT)[None, :]
    at = batch
    here = there & (form(i, j) != 0)[:, None]
    t = tl.load(t0 + at.to(tl.int64)[:, None] * t0_stride + o[None, :], mask=here, other=0.0)
    total += t.to(SUM) * form(i, j)[:, None]
    at = (batch * n + i) * n + j
    value = total.to(y.dtype.element_ty)
    tl.store(y + at.to(tl.int64)[:, None] * C_OUT + o[None, :], value, mask=there)
    there = there & (i != j)[:, None]
    at = batch
    here = there & (form(j, i) != 0)[:, None]
    t = tl.load(t0 + at.to(tl.int64)[:, None] * t0_stride + o[None, :], mask=here, other=0.0)
    other += t.to(SUM) * form(j, i)[:, None]
    at = (batch * n + j) * n + i
    value = other.to(y.dtype.element_ty)
    tl.store(y + at.to(tl.int64)[:, None] * C_OUT + o[None, :], value, mask=there)


def outer(sources: tuple[Tensor, ...], features: tuple[Tensor, ...]) -> Tensor:
    """The sum over batch and positions of features[f] times sources[s], for all s and f."""
    if len(sources) == 1:
        (source,) = (source.reshape(-1, source.shape[-1]) for source in sources)
        return torch.stack([f.reshape(-1, f.shape[-1]).T @ source for f in features])
    right = torch.cat([source.reshape(-1, source.shape[-1]) for source in sources], dim=-1)
    left = torch.cat([feature.reshape(-1, feature.shape[-1]) for feature in features], dim=-1)
    c_out, c_in = features[0].shape[-1], sources[0].shape[-1]
    blocks = (left.T @ right).reshape(len(features), c_out, len(sources), c_in)
    # A row for each source and feature.
    return blocks.permute(2, 0, 1, 3).reshape(-1, c_out, c_in).contiguous()


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


SCALES_0 = (1.0, 1.0, -1.0)


def forward(x: Tensor, weight: Tensor, bias: Tensor | None, n: int) -> Tensor:
    """Apply the layer to x of shape (*batch, n, n, in_channels)."""
    batch = x.shape[: x.ndim - 3]
    weight = weight * placed(SCALES_0, weight)[:, None, None]
    # 0 1: c0[] = mean over ij of ω[ij] x[ij]
    x, x_stride = spread(x)
    i_block = fitted(n, 32)
    j_block = fitted(n, 16)
    strip = fitted(n, 128)
    items = max(1, 512 // (i_block * j_block))
    p0 = summed_in(x, *batch, triton.cdiv(n, i_block) * triton.cdiv(n, strip), x.shape[-1])
    programs = triton.cdiv(math.prod(batch), items)
    programs *= triton.cdiv(n, i_block)
    programs *= triton.cdiv(n, strip)
    wrap_triton(sweep_0)[lambda tile: (programs * triton.cdiv(x.shape[-1], tile["CHANNELS"]),)](
        x, x_stride, p0, math.prod(batch), n, x.shape[-1], items, i_block, j_block, strip
    )
    c0 = x.new_empty((*batch, x.shape[-1]))
    rows = c0.numel() // x.shape[-1]
    wrap_triton(finish_0)[triton.cdiv(rows, 32), 1, triton.cdiv(x.shape[-1], 32)](
        p0, c0, c0.numel() // x.shape[-1], p0.shape[-2], n, x.shape[-1], 32, 32
    )
    # m1[] = W0 c0[] + b0
    m1 = c0 @ weight[0].T
    if bias is not None:
        m1 = m1 + bias[0]
    # m0[ij] = W1 x[ij] - W2 x[ji]
    # 0 1: m0[ij] += ω[ji] m1[]
    m0 = x.new_empty((*batch, n, n, weight.shape[1]))
    rows = m0.numel() // weight.shape[1]
    rows = rows // n * (n // 2 + 1)
    wrap_triton(tile_0)[
        lambda tile: (triton.cdiv(rows, tile["ROWS"]) * triton.cdiv(weight.shape[1], tile["OUT"]),)
    ](
        m0,
        x,
        x_stride,
        *spread(m1),
        weight,
        rows,
        n,
        weight.shape[2],
        weight.shape[1],
        *weight.stride(),
        wide(m0),
        precision(m0),
    )
    return m0


def gradients(x: Tensor, weight: Tensor, g: Tensor, n: int) -> tuple[Tensor, Tensor, Tensor | None]:
    batch = g.shape[: g.ndim - 3]
    turned = weight.transpose(1, 2) * placed(SCALES_0, weight)[:, None, None]
    # 0 1: c0[] = mean over ij of ω[ij] x[ij]
    x, x_stride = spread(x)
    i_block = fitted(n, 32)
    j_block = fitted(n, 16)
    strip = fitted(n, 128)
    items = max(1, 512 // (i_block * j_block))
    p0 = summed_in(x, *batch, triton.cdiv(n, i_block) * triton.cdiv(n, strip), x.shape[-1])
    programs = triton.cdiv(math.prod(batch), items)
    programs *= triton.cdiv(n, i_block)
    programs *= triton.cdiv(n, strip)
    wrap_triton(sweep_0)[lambda tile: (programs * triton.cdiv(x.shape[-1], tile["CHANNELS"]),)](
        x, x_stride, p0, math.prod(batch), n, x.shape[-1], items, i_block, j_block, strip
    )
    c0 = x.new_empty((*batch, x.shape[-1]))
    rows = c0.numel() // x.shape[-1]
    wrap_triton(finish_0)[triton.cdiv(rows, 32), 1, triton.cdiv(x.shape[-1], 32)](
        p0, c0, c0.numel() // x.shape[-1], p0.shape[-2], n, x.shape[-1], 32, 32
    )
    # 0 1: d_m1[] = sum over ij of ω[ji] g[ij]
    g, g_stride = spread(g)
    i_block = fitted(n, 32)
    j_block = fitted(n, 16)
    strip = fitted(n, 128)
    items = max(1, 512 // (i_block * j_block))
    p0 = summed_in(g, *batch, triton.cdiv(n, i_block) * triton.cdiv(n, strip), g.shape[-1])
    programs = triton.cdiv(math.prod(batch), items)
    programs *= triton.cdiv(n, i_block)
    programs *= triton.cdiv(n, strip)
    wrap_triton(sweep_1)[lambda tile: (programs * triton.cdiv(g.shape[-1], tile["CHANNELS"]),)](
        g, g_stride, p0, math.prod(batch), n, g.shape[-1], items, i_block, j_block, strip
    )
    d_m1 = g.new_empty((*batch, g.shape[-1]))
    rows = d_m1.numel() // g.shape[-1]
    wrap_triton(finish_0)[triton.cdiv(rows, 32), 1, triton.cdiv(g.shape[-1], 32)](
        p0, d_m1, d_m1.numel() // g.shape[-1], p0.shape[-2], 1, g.shape[-1], 32, 32
    )
    w0 = outer((c0,), (d_m1,))
    b0 = d_m1.reshape(-1, d_m1.shape[-1]).sum(0)
    # d_c0[] = W0 d_m1[]
    d_c0 = d_m1 @ turned[0].T
    rows = x.numel() // x.shape[-1]
    rows = rows // n * (n // 2 + 1)
    parts = triton.cdiv(rows, 1024)
    w1 = summed_in(x, 2, parts, g.shape[-1], x.shape[-1])
    wrap_triton(outer_0)[
        lambda tile: (
            parts * triton.cdiv(w1.shape[-2], tile["OUT"]) * triton.cdiv(w1.shape[-1], tile["IN"]),
        )
    ](
        w1[0],
        w1[1],
        g,
        g_stride,
        x,
        x_stride,
        rows,
        n,
        g.shape[-1],
        x.shape[-1],
        1024,
        wide(x),
        precision(x),
    )
    w1 = w1.sum(1).to(x.dtype)
    # d_x[ij] = W1 g[ij] - W2 g[ji]
    # 0 1: d_x[ij] += ω[ij] d_c0[] / n
    d_x = g.new_empty((*batch, n, n, turned.shape[1]))
    rows = d_x.numel() // turned.shape[1]
    rows = rows // n * (n // 2 + 1)
    wrap_triton(tile_1)[
        lambda tile: (triton.cdiv(rows, tile["ROWS"]) * triton.cdiv(turned.shape[1], tile["OUT"]),)
    ](
        d_x,
        g,
        g_stride,
        *spread(d_c0 / n),
        turned,
        rows,
        n,
        turned.shape[2],
        turned.shape[1],
        *turned.stride(),
        wide(d_x),
        precision(d_x),
    )
    of_weight = torch.cat([w0, w1])
    of_weight = of_weight * placed(SCALES_0, of_weight)[:, None, None]
    of_bias = torch.stack([b0])
    return d_x, of_weight, of_bias


def input_gradient(weight: Tensor, g: Tensor, n: int) -> Tensor:
    batch = g.shape[: g.ndim - 3]
    turned = weight.transpose(1, 2) * placed(SCALES_0, weight)[:, None, None]
    # 0 1: d_m1[] = sum over ij of ω[ji] g[ij]
    g, g_stride = spread(g)
    i_block = fitted(n, 32)
    j_block = fitted(n, 16)
    strip = fitted(n, 128)
    items = max(1, 512 // (i_block * j_block))
    p0 = summed_in(g, *batch, triton.cdiv(n, i_block) * triton.cdiv(n, strip), g.shape[-1])
    programs = triton.cdiv(math.prod(batch), items)
    programs *= triton.cdiv(n, i_block)
    programs *= triton.cdiv(n, strip)
    wrap_triton(sweep_1)[lambda tile: (programs * triton.cdiv(g.shape[-1], tile["CHANNELS"]),)](
        g, g_stride, p0, math.prod(batch), n, g.shape[-1], items, i_block, j_block, strip
    )
    d_m1 = g.new_empty((*batch, g.shape[-1]))
    rows = d_m1.numel() // g.shape[-1]
    wrap_triton(finish_0)[triton.cdiv(rows, 32), 1, triton.cdiv(g.shape[-1], 32)](
        p0, d_m1, d_m1.numel() // g.shape[-1], p0.shape[-2], 1, g.shape[-1], 32, 32
    )
    # d_c0[] = W0 d_m1[]
    d_c0 = d_m1 @ turned[0].T
    # d_x[ij] = W1 g[ij] - W2 g[ji]
    # 0 1: d_x[ij] += ω[ij] d_c0[] / n
    d_x = g.new_empty((*batch, n, n, turned.shape[1]))
    rows = d_x.numel() // turned.shape[1]
    rows = rows // n * (n // 2 + 1)
    wrap_triton(tile_1)[
        lambda tile: (triton.cdiv(rows, tile["ROWS"]) * triton.cdiv(turned.shape[1], tile["OUT"]),)
    ](
        d_x,
        g,
        g_stride,
        *spread(d_c0 / n),
        turned,
        rows,
        n,
        turned.shape[2],
        turned.shape[1],
        *turned.stride(),
        wide(d_x),
        precision(d_x),
    )
    return d_x


def weight_gradient(x: Tensor, g: Tensor, n: int) -> tuple[Tensor, Tensor | None]:
    batch = g.shape[: g.ndim - 3]
    # 0 1: c0[] = mean over ij of ω[ij] x[ij]
    x, x_stride = spread(x)
    i_block = fitted(n, 32)
    j_block = fitted(n, 16)
    strip = fitted(n, 128)
    items = max(1, 512 // (i_block * j_block))
    p0 = summed_in(x, *batch, triton.cdiv(n, i_block) * triton.cdiv(n, strip), x.shape[-1])
    programs = triton.cdiv(math.prod(batch), items)
    programs *= triton.cdiv(n, i_block)
    programs *= triton.cdiv(n, strip)
    wrap_triton(sweep_0)[lambda tile: (programs * triton.cdiv(x.shape[-1], tile["CHANNELS"]),)](
        x, x_stride, p0, math.prod(batch), n, x.shape[-1], items, i_block, j_block, strip
    )
    c0 = x.new_empty((*batch, x.shape[-1]))
    rows = c0.numel() // x.shape[-1]
    wrap_triton(finish_0)[triton.cdiv(rows, 32), 1, triton.cdiv(x.shape[-1], 32)](
        p0, c0, c0.numel() // x.shape[-1], p0.shape[-2], n, x.shape[-1], 32, 32
    )
    # 0 1: d_m1[] = sum over ij of ω[ji] g[ij]
    g, g_stride = spread(g)
    i_block = fitted(n, 32)
    j_block = fitted(n, 16)
    strip = fitted(n, 128)
    items = max(1, 512 // (i_block * j_block))
    p0 = summed_in(g, *batch, triton.cdiv(n, i_block) * triton.cdiv(n, strip), g.shape[-1])
    programs = triton.cdiv(math.prod(batch), items)
    programs *= triton.cdiv(n, i_block)
    programs *= triton.cdiv(n, strip)
    wrap_triton(sweep_1)[lambda tile: (programs * triton.cdiv(g.shape[-1], tile["CHANNELS"]),)](
        g, g_stride, p0, math.prod(batch), n, g.shape[-1], items, i_block, j_block, strip
    )
    d_m1 = g.new_empty((*batch, g.shape[-1]))
    rows = d_m1.numel() // g.shape[-1]
    wrap_triton(finish_0)[triton.cdiv(rows, 32), 1, triton.cdiv(g.shape[-1], 32)](
        p0, d_m1, d_m1.numel() // g.shape[-1], p0.shape[-2], 1, g.shape[-1], 32, 32
    )
    w0 = outer((c0,), (d_m1,))
    b0 = d_m1.reshape(-1, d_m1.shape[-1]).sum(0)
    rows = x.numel() // x.shape[-1]
    rows = rows // n * (n // 2 + 1)
    parts = triton.cdiv(rows, 1024)
    w1 = summed_in(x, 2, parts, g.shape[-1], x.shape[-1])
    wrap_triton(outer_0)[
        lambda tile: (
            parts * triton.cdiv(w1.shape[-2], tile["OUT"]) * triton.cdiv(w1.shape[-1], tile["IN"]),
        )
    ](
        w1[0],
        w1[1],
        g,
        g_stride,
        x,
        x_stride,
        rows,
        n,
        g.shape[-1],
        x.shape[-1],
        1024,
        wide(x),
        precision(x),
    )
    w1 = w1.sum(1).to(x.dtype)
    of_weight = torch.cat([w0, w1])
    of_weight = of_weight * placed(SCALES_0, of_weight)[:, None, None]
    of_bias = torch.stack([b0])
    return of_weight, of_bias


KERNELS = registered(
    "2d565e691ff3e768",
    (forward, gradients, input_gradient, weight_gradient),
    Sizes((0, 0), (0, 0), 3, 1),
)
