"""From a Hom basis to a plan: every diagram as contraction, permutation, embedding.

All diagrams with the same contraction share the contracted tensor, and all with the same embedding
share one write, so 6 contractions and 6 embeddings serve the 15 diagrams of S(n), 2 -> 2. Channels
are mixed in between, where tensors are smallest. A determinant vertex is on that side of the mixing
where its legs leave fewer axes. The plan that leaves here is plain: it contracts straight from the
input and embeds straight into the output; the passes make it fast.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias, get_args

from tannaka.category.groups import Group
from tannaka.category.hom import Hom
from tannaka.codegen.network import Network, Word, channel_count, planned
from tannaka.codegen.notation import Reduce
from tannaka.codegen.plan import (
    INPUT,
    Contract,
    Embed,
    LeviCivita,
    Mix,
    Plan,
    Step,
    Zeros,
    renamed,
)
from tannaka.codegen.task import Task
from tannaka.codegen.trace import identity, verify
from tannaka.diagrams.diagram import Diagram, flag
from tannaka.diagrams.errors import BackendError, SizeError
from tannaka.diagrams.partition import restricted_growth

MAX_DIAGRAMS = 250_000
"""Most diagrams that one layer may have before it is refused: above, plans take many minutes."""

MANY_DIAGRAMS = 20_000
"""From here on a layer says that it takes a while: about a millisecond for each diagram."""


def task(
    hom: Hom, in_channels: int, out_channels: int, *, bias: bool = True, reduce: Reduce = "mean"
) -> Task:
    """What a layer with a weight for each basis diagram of a Hom space is to compute.

    Raises TypeError or ValueError for channels that are not integers >= 1 or an unknown ``reduce``,
    BackendError for groups whose layers are not planned diagram by diagram, SizeError for more than
    250,000 diagrams. Warns for more than 20,000.
    """
    in_channels, out_channels = checked_channels(in_channels, out_channels, reduce)
    if not planned(hom.group):
        raise BackendError(
            f"{hom}: no source text is written for layers of {hom.group} yet; "
            "tn.nn.EquivariantLinear runs them"
        )
    if hom.dimension > MAX_DIAGRAMS:
        raise SizeError(
            f"{hom}: a layer is compiled from all its diagrams, at most {MAX_DIAGRAMS:,}; "
            "take smaller orders"
        )
    flag("bias", bias)
    if hom.dimension > MANY_DIAGRAMS:
        warnings.warn(
            f"{hom}: compiling a layer of that many diagrams takes a while, some "
            f"{hom.dimension // 1000:,} seconds; layers of smaller orders, one after the other or "
            "added up, have fewer",
            stacklevel=2,
        )
    # Where no vector is fixed by the group there is no bias: None, not a parameter without entries.
    unit: Any = 0 if isinstance(hom.l, int) else ()
    bias_basis = (Hom(hom.group, unit, hom.l).basis() or None) if bias else None
    return Task(
        group=hom.group,
        dom=hom.k,
        cod=hom.l,
        in_channels=in_channels,
        out_channels=out_channels,
        reduce=reduce,
        basis=tuple(hom.basis()),
        bias_basis=None if bias_basis is None else tuple(bias_basis),
    )


def checked_channels(in_channels: Any, out_channels: Any, reduce: Any) -> tuple[int, int]:
    """The channels as integers of Python; TypeError or ValueError unless they and ``reduce`` make sense.

    Those of NumPy overflow in later sums, and are equal to the others where plans are remembered.
    """
    channels = (
        channel_count("in_channels", in_channels),
        channel_count("out_channels", out_channels),
    )
    if reduce not in get_args(Reduce):
        raise ValueError(f"reduce must be 'mean' or 'sum', got {reduce!r}")
    return channels


def lower(
    hom: Hom, in_channels: int, out_channels: int, *, bias: bool = True, reduce: Reduce = "mean"
) -> Plan:
    """The plain plan of a whole Hom basis, verified; raises as :func:`task` does.

    >>> from tannaka.category.symmetric import S
    >>> print(lower(Hom(S(3), 1, 1), 2, 4))
    S(3), order 1 -> 1, channels 2 -> 4, 2 diagrams, 1 for the bias, reduce=mean
      c0[] = mean over i of x[i]
      m0[i] = W0 x[i]
      m1[] = W1 c0[] + b0
      y0 = m0 with m0[i] += m1[]
      return y0
    """
    return factored(task(hom, in_channels, out_channels, bias=bias, reduce=reduce))


def lower_diagrams(
    basis: Sequence[Diagram],
    bias_basis: Sequence[Diagram] | None,
    in_channels: int,
    out_channels: int,
    *,
    dom: Any,
    cod: Any,
    group: Group,
    reduce: Reduce = "mean",
) -> Plan:
    """The plain plan of any distinct diagrams dom -> cod of a group, verified.

    >>> from tannaka.category.orthogonal import O
    >>> from tannaka.diagrams.brauer import Brauer
    >>> print(lower_diagrams([Brauer.swap()], None, 1, 1, dom=2, cod=2, group=O(3)))
    O(3), order 2 -> 2, channels 1 -> 1, 1 diagrams, no bias, reduce=mean
      m0[ij] = W0 x[ji]
      return m0
    """
    in_channels, out_channels = checked_channels(in_channels, out_channels, reduce)
    rows = None if bias_basis is None else tuple(bias_basis)
    return factored(Task(group, dom, cod, in_channels, out_channels, reduce, tuple(basis), rows))


Symbols: TypeAlias = tuple[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], int], ...]
"""For each determinant vertex ``(axes, keep, legs, kind)``, as in ``LeviCivita``."""


@dataclass(frozen=True, slots=True)
class Side:
    """A contraction of the input, or backwards an embedding into the output.

    First ``labels`` and ``keep`` with ``forms``, as in ``Contract`` and ``Embed``; then determinant
    vertices.
    """

    labels: tuple[int, ...]
    keep: tuple[int, ...]
    forms: tuple[tuple[int, int], ...]
    vertices: Symbols

    @property
    def full(self) -> bool:
        """Whether it leaves the tensor as it is, but for determinant vertices."""
        return self.keep == self.labels == tuple(range(len(self.labels)))


Feature = tuple[Side, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Factors:
    """A network as contraction, permutation and embedding, through tensors with a word of axes."""

    contraction: Side
    permutation: tuple[int, ...]
    embedding: Side
    word: Word


def factors(found: Network) -> Factors:
    """Factor a network through as few axes as its blocks and legs allow.

    Source: arXiv:2304.14165, the factorisation; the placing of determinant vertices is ours.
    """
    above, below = dict.fromkeys(found.outputs), dict.fromkeys(found.inputs)
    low: list[tuple[int, ...]] = []
    high: list[tuple[int, ...]] = []
    for legs in found.legs:
        only_above = sum(leg in above and leg not in below for leg in legs)
        only_below = sum(leg in below and leg not in above for leg in legs)
        # Legs across are multiplied where the symbol is: rather before channels are mixed.
        across = any(leg in above and leg in below for leg in legs)
        (low if only_above <= only_below and (only_below or across) else high).append(legs)
    carried_up = [i for legs in low for i in legs if i in above and i not in below]
    carried_down = [i for legs in high for i in legs if i in below and i not in above]
    by_input = [
        *(index for index in below if index in above or index in carried_down),
        *(index for index in above if index in carried_up),
    ]
    middle = [
        *(index for index in above if index in below or index in carried_up),
        *(index for index in below if index in carried_down),
    ]
    return Factors(
        side_of(found, found.inputs, by_input, low),
        tuple(by_input.index(index) for index in middle),
        side_of(found, found.outputs, middle, high),
        tuple(found.types[index] for index in middle),
    )


def side_of(
    found: Network, vertices: tuple[int, ...], axes: list[int], legs: Sequence[tuple[int, ...]]
) -> Side:
    """The contraction of a tensor with indices at these vertices to one with these axes."""
    at = dict.fromkeys(vertices)
    number = dict(zip(at, range(len(at)), strict=True))
    forms = tuple(
        sorted(
            (min(number[a], number[b]), max(number[a], number[b]))
            for a, b in found.forms
            if a in at and b in at
        )
    )
    touched = {leg for vertex in legs for leg in vertex}
    # Without determinant vertices the axes are kept indices; else legs are kept as well, or gone.
    kept = [index for index in at if index in axes or index in touched]
    if not touched:
        kept = list(axes)
    steps = symbols(found, kept, axes, legs)
    return Side(restricted_growth(vertices), tuple(number[i] for i in kept), forms, steps)


def symbols(
    found: Network, current: list[int], axes: list[int], legs: Sequence[tuple[int, ...]]
) -> Symbols:
    """Determinant vertices, one after the other, from a tensor with some axes to one with others."""
    steps = []
    order = {index: place for place, index in enumerate(dict.fromkeys((*current, *axes)))}
    for place, vertex in enumerate(legs):
        later = {leg for other in legs[place + 1 :] for leg in other}
        here = {index: i for i, index in enumerate(current)}
        for leg in vertex:
            here.setdefault(leg, len(here))
        kept = [index for index in here if index in axes or index in later]
        # Legs that come in stand at once where they will, since no other vertex moves them.
        new = sorted(kept, key=lambda index: order.get(index, len(order)))
        steps.append(
            (
                tuple(range(len(current))),
                tuple(here[index] for index in new),
                tuple(sorted(here[leg] for leg in vertex)),
                found.types[vertex[0]],
            )
        )
        current = new
    return tuple(steps)


def factored(task: Task) -> Plan:
    """The plain plan of a task, verified."""
    contractions: dict[Side, str] = {}
    embeddings: dict[Side, dict[Feature, int]] = defaultdict(dict)
    words: dict[Side, Word] = {}
    signs = []
    for row, found in enumerate(task.networks):
        parts = factors(found)
        contractions.setdefault(parts.contraction, f"c{len(contractions)}")
        embeddings[parts.embedding][parts.contraction, parts.permutation] = row
        words[parts.embedding] = parts.word
        signs.append(_sign(found, parts))
    bias_rows: dict[Side, int] = {}
    bias_signs = []
    for row, found in enumerate(task.bias_networks):
        parts = factors(found)
        bias_rows[parts.embedding] = row
        words[parts.embedding] = ()
        embeddings.setdefault(parts.embedding, {})
        bias_signs.append(_sign(found, parts))

    steps: list[Step] = []
    for contraction, name in contractions.items():
        contractions[contraction] = contraction_steps(
            contraction, INPUT, name, task.reduce == "mean", steps
        )
    outs: dict[Side, str] = {}
    for alike in alike_embeddings(embeddings, bias_rows, words):
        features = sorted(embeddings[alike[0]], key=embeddings[alike[0]].__getitem__)
        names = tuple(f"m{len(outs) + e}" for e in range(len(alike)))
        outs.update(zip(alike, names, strict=True))
        steps.append(
            Mix(
                outs=names,
                features=tuple((contractions[c], permutation) for c, permutation in features),
                rows=tuple(tuple(embeddings[e][feature] for feature in features) for e in alike),
                bias_rows=tuple(bias_rows[e] for e in alike if e in bias_rows),
            )
        )
    for embedding, name in outs.items():
        for axes, keep, legs, kind in reversed(embedding.vertices):
            steps.append(LeviCivita(f"e{len(steps)}", name, keep, axes, legs, kind))
            outs[embedding] = name = f"e{len(steps) - 1}"
    whole = next((outs.pop(side) for side in tuple(outs) if side.full), None)
    if whole is None:
        steps.append(Zeros(whole := "y", task.outputs))
    for embedding, name in outs.items():
        out = f"y{len(steps)}"
        steps.append(
            Embed(out, whole, name, embedding.labels, embedding.keep, forms=turned_forms(embedding))
        )
        whole = out
    plan = Plan(
        **{field.name: getattr(task, field.name) for field in fields(Task)},
        steps=tuple(steps),
        result=whole,
        signs=tuple(signs),
        bias_signs=tuple(bias_signs),
    )
    return verify(renamed(plan), after="lowering")


def contraction_steps(side: Side, source: str, name: str, mean: bool, steps: list[Step]) -> str:
    """Add the steps of a contraction of ``source``, an input; the name of the result."""
    if not side.full:
        steps.append(Contract(name, source, side.labels, side.keep, mean, side.forms))
        source = name
    for number, (axes, keep, legs, kind) in enumerate(side.vertices):
        out = f"{name}_{number}"
        steps.append(LeviCivita(out, source, axes, keep, legs, kind))
        source = out
    return source


def turned_forms(side: Side) -> tuple[tuple[int, int], ...]:
    """The inverse of the form, on outputs: its transpose."""
    return tuple((b, a) for a, b in side.forms)


def _sign(found: Network, parts: Factors) -> int:
    """The sign between a network and the product of its factors, which have no signs of their own."""
    canonical = found.canonical()
    if not found.forms and not found.legs:
        return canonical.sign
    branch = identity(tuple(found.types[index] for index in found.inputs))
    side = parts.contraction
    branch = branch.contracted(Contract("", "", side.labels, side.keep, False, side.forms))
    for axes, keep, legs, kind in side.vertices:
        branch = branch.levi_civita(LeviCivita("", "", axes, keep, legs, kind))
    branch = branch.permuted(parts.permutation)
    side = parts.embedding
    for axes, keep, legs, kind in reversed(side.vertices):
        branch = branch.levi_civita(LeviCivita("", "", keep, axes, legs, kind))
    outputs = tuple(found.types[index] for index in found.outputs)
    branch = branch.embedded(
        Embed("", "", "", side.labels, side.keep, forms=turned_forms(side)), outputs
    )
    return canonical.sign * branch.network.canonical().sign


def alike_embeddings(
    embeddings: dict[Side, dict[Feature, int]],
    bias_rows: dict[Side, int],
    words: dict[Side, Word],
) -> list[list[Side]]:
    """Embeddings by what they need: the same features, with or without a bias, of one word.

    Largest order first. When n is large every embedding of an order needs the same features; when
    n is small some diagrams are not in the basis, and then the groups are finer.
    """
    groups: dict[tuple[Word, frozenset[Feature], bool], list[Side]] = defaultdict(list)
    for embedding in sorted(
        embeddings, key=lambda e: (-len(words[e]), words[e], e.labels, e.keep, e.vertices)
    ):
        features = frozenset(embeddings[embedding])
        groups[words[embedding], features, embedding in bias_rows].append(embedding)
    return list(groups.values())
