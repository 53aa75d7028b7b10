"""Text that kernels of PyTorch are made of: the functions that they call."""

from __future__ import annotations

HELPERS = {
    "diagonal": '''\
def diagonal(x: Tensor, a: int, b: int) -> Tensor:
    """View x where its axes a < b < 0 have equal indices; the common axis stands where a stood."""
    return x.diagonal(dim1=a, dim2=b).movedim(-1, a + 1)
''',
    "permuted": '''\
def permuted(x: Tensor, *axes: int) -> Tensor:
    """View x, whose last axis is the channels, with axes[i] of those before it in place i."""
    start = x.ndim - 1 - len(axes)
    return x.permute(*range(start), *(start + axis for axis in axes), -1)
''',
    "paired": '''\
def paired(x: Tensor, a: int, b: int) -> tuple[Tensor, Tensor]:
    """View x where its axes a < b < 0 have indices (2i, 2i + 1), and (2i + 1, 2i); i leads.

    The symplectic form is 1 on the first of these, -1 on the second, and 0 elsewhere.
    """
    for axis in (b, a - 1):
        after = x.shape[x.ndim + axis + 1 :]
        x = x.view(*x.shape[:axis], x.shape[axis] // 2, 2, *after)
    pairs = x.diagonal(dim1=a - 2, dim2=b - 1).movedim(-1, 0)
    return pairs.select(b, 1).select(a + 1, 0), pairs.select(b, 0).select(a + 1, 1)
''',
    "joined": '''\
def joined(x: Tensor, a: int, b: int) -> Tensor:
    """Sum x over its axes a, b < 0, multiplied by the symplectic form of their indices."""
    plus, minus = paired(x, min(a, b), max(a, b))
    return (plus - minus if a < b else minus - plus).sum(0)
''',
    "levi_civita": '''\
def levi_civita(n: int, old: tuple[int, ...], new: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Where the Levi-Civita symbol with n indices is not 0, and its sign there.

    ``old`` and ``new`` are places among its indices. For each value of the indices ``new``,
    flattened, the values of the indices ``old``, flattened, at the terms of the sum, and their
    signs, of shape (n, ..., n, terms, 1); terms of sign 0 fill up.
    """
    found: list[list[tuple[int, int]]] = [[] for _ in range(n ** len(new))]
    for images in itertools.permutations(range(n)):
        sign = (-1) ** sum(a > b for a, b in itertools.combinations(images, 2))
        source = sum(images[i] * n**p for p, i in enumerate(reversed(old)))
        target = sum(images[i] * n**p for p, i in enumerate(reversed(new)))
        found[target].append((source, sign))
    terms = max(map(len, found))
    filled = [row + [(0, 0)] * (terms - len(row)) for row in found]
    places = torch.tensor([place for row in filled for place, _ in row])
    signs = torch.tensor([sign for row in filled for _, sign in row])
    return places, signs.reshape(*(n,) * len(new), terms, 1)


def signed(
    x: Tensor, table: tuple[Tensor, Tensor], old: tuple[int, ...], new: tuple[int, ...], n: int
) -> Tensor:
    """Multiply axes ``old`` of x by the symbol of a table; the results stand at axes ``new``."""
    places, signs = (constant.to(x.device) for constant in table)
    last = tuple(range(-1 - len(old), -1))
    x = x.movedim(old, last)
    x = x.reshape(*x.shape[: x.ndim - 1 - len(old)], n ** len(old), x.shape[-1])
    x = x.index_select(-2, places).reshape(*x.shape[:-2], *signs.shape[:-1], x.shape[-1])
    x = (x * signs.to(x.dtype)).sum(-2)
    last = tuple(range(-1 - len(new), -1))
    # A tensor of its own, not a view: it may be what the layer returns.
    return x if new == last else x.movedim(last, new).clone(memory_format=torch.contiguous_format)
''',
    "scaled": '''\
def scaled(x: Tensor, ratio: Tensor | None, power: int) -> Tensor:
    """Multiply by a power of ratio, which has the shape of the batch, where there is one."""
    if ratio is None:
        return x
    return x * (ratio**power).reshape(*ratio.shape, *(1,) * (x.ndim - ratio.ndim)).to(x.dtype)
''',
    "matrix": '''\
def matrix(weight: Tensor, rows: Tensor) -> Tensor:
    """The rows of the weight as one matrix, from the channels of all features to all results."""
    blocks = weight[rows.to(weight.device)]  # (results, features, out, in)
    results, features, c_out, c_in = blocks.shape
    return blocks.permute(1, 3, 0, 2).reshape(features * c_in, results * c_out)


def mix(weight: Tensor, rows: Tensor, *features: Tensor) -> list[Tensor]:
    """Mix channels: result e is the sum over f of features[f] @ weight[rows[e][f]].T."""
    every = torch.cat(features, dim=-1) if len(features) > 1 else features[0].contiguous()
    mixed = every @ matrix(weight, rows)
    if len(rows) == 1:
        return [mixed]
    c_out = weight.shape[1]
    return [mixed[..., e * c_out : (e + 1) * c_out] for e in range(len(rows))]
''',
    "accumulate": '''\
def accumulate(y: Tensor, x: Tensor, matrix: Tensor) -> None:
    """Add x @ matrix to y, without a tensor between."""
    y.view(-1, y.shape[-1]).addmm_(x.view(-1, x.shape[-1]), matrix)
''',
    "outer": '''\
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
    return blocks.permute(2, 0, 1, 3).reshape(-1, c_out, c_in)
''',
}
"""What emitted code calls; each stands in it when it is called."""

PLAIN = (
    (
        "filled terms",
        """\
    terms = max(map(len, found))
    filled = [row + [(0, 0)] * (terms - len(row)) for row in found]
    places = torch.tensor([place for row in filled for place, _ in row])
    signs = torch.tensor([sign for row in filled for _, sign in row])
    return places, signs.reshape(*(n,) * len(new), terms, 1)
""",
        """\
    places = torch.tensor([place for row in found for place, _ in row])
    signs = torch.tensor([sign for row in found for _, sign in row])
    return places, signs.reshape(*(n,) * len(new), -1, 1)
""",
    ),
    (
        "filled terms",
        """\
flattened, the values of the indices ``old``, flattened, at the terms of the sum, and their
    signs, of shape (n, ..., n, terms, 1); terms of sign 0 fill up.
""",
        """\
flattened, the values of the indices ``old``, flattened, at the terms of the sum, and their
    signs, of shape (n, ..., n, terms, 1).
""",
    ),
    (
        "one feature",
        "torch.cat(features, dim=-1) if len(features) > 1 else features[0].contiguous()",
        "torch.cat(features, dim=-1)",
    ),
    (
        "many features",
        "torch.cat(features, dim=-1) if len(features) > 1 else features[0].contiguous()",
        "features[0].contiguous()",
    ),
    (
        "one result",
        """\
    if len(rows) == 1:
        return [mixed]
""",
        "",
    ),
    (
        "many results",
        """\
    if len(rows) == 1:
        return [mixed]
    c_out = weight.shape[1]
    return [mixed[..., e * c_out : (e + 1) * c_out] for e in range(len(rows))]
""",
        """\
    return [mixed]
""",
    ),
)
"""What helpers do for some steps only, and what is left of it where no step asks for that."""

MASKED = HELPERS | {
    "scaled": '''\
def scaled(x: Tensor, ratio: Tensor | None, power: int) -> Tensor:
    """Multiply by a power of ratio, which has the shape of the batch, where there is one."""
    if ratio is None:
        return x
    return x * (ratio**power).reshape(*ratio.shape, *(1,) * (x.ndim - ratio.ndim)).to(x.dtype)
''',
}
"""The same for files, whose functions take a ratio where there is a mask."""

BATCHED = HELPERS | {
    # vmap makes gather of index_select, which keeps for its gradient what later steps write to.
    "levi_civita": HELPERS["levi_civita"].replace(
        "x.index_select(-2, places)", "x[..., places, :]"
    ),
    # vmap has no rule for addmm_.
    "accumulate": '''\
def accumulate(y: Tensor, x: Tensor, matrix: Tensor) -> None:
    """Add x @ matrix to y."""
    y += x @ matrix
''',
}
"""The same for code that runs under vmap, and is differentiated there."""
