"""From a Hom basis to a plan: every diagram as contraction, permutation, embedding.

All diagrams with the same contraction share the contracted tensor, and all with the same embedding
share one write, so 6 contractions and 6 embeddings serve the 15 diagrams of S(n), 2 -> 2. Channels
are mixed in between, where tensors are smallest. The plan that leaves here is plain: it contracts
straight from the input and embeds straight into the output; the passes make it fast.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, get_args

from tannaka.category.groups import MatrixGroup
from tannaka.category.hom import Hom
from tannaka.category.permutations import PermutationGroup
from tannaka.codegen.notation import Reduce
from tannaka.codegen.plan import INPUT, Contract, Embed, Mix, Plan, Step, Zeros, renamed
from tannaka.codegen.trace import axes_of, verify
from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.diagram import Diagram, natural
from tannaka.diagrams.errors import BackendError, SizeError
from tannaka.diagrams.factorisation import factor
from tannaka.diagrams.partition import SetPartition

MAX_DIAGRAMS = 250_000
"""Most diagrams that one layer may have before it is refused: above, plans take many minutes."""

Feature = tuple[SetPartition, tuple[int, ...]]


def lower(
    hom: Hom, in_channels: int, out_channels: int, *, bias: bool = True, reduce: Reduce = "mean"
) -> Plan:
    """The plain plan of a whole Hom basis, verified.

    Raises TypeError or ValueError for channels that are not integers >= 1 or an unknown ``reduce``.

    >>> from tannaka.category.symmetric import S
    >>> print(lower(Hom(S(3), 1, 1), 2, 4))
    S(3), order 1 -> 1, channels 2 -> 4, 2 diagrams, 1 for the bias, reduce=mean
      c0[] = mean over i of x[i]
      m0[i] = W0 x[i]
      m1[] = W1 c0[] + b0
      y0 = m0 with m0[i] += m1[]
      return y0
    """
    if hom.dimension > MAX_DIAGRAMS:
        raise SizeError(
            f"{hom}: a layer is compiled from all its diagrams, at most {MAX_DIAGRAMS:,}; "
            "take smaller orders"
        )
    check_deltas(hom)
    # Where no vector is fixed by the group there is no bias: None, not a parameter without entries.
    bias_basis = None
    if bias:
        constants = Hom(hom.group, 0, hom.l)
        check_deltas(constants, "; without a bias, bias=False, this layer is compiled")
        bias_basis = constants.basis() or None
    return lower_diagrams(
        hom.basis(),
        bias_basis,
        in_channels,
        out_channels,
        dom=hom.k,
        cod=hom.l,
        group=str(hom.group),
        reduce=reduce,
    )


def check_deltas(hom: Hom, way_out: str = "") -> None:
    """Raise BackendError unless every basis diagram is a product of deltas: others are not compiled."""
    group = hom.group
    if isinstance(group, PermutationGroup):
        raise BackendError(
            f"{hom}: no source text is written for layers of {group} yet; "
            "tn.nn.EquivariantLinear runs them"
        )
    if not isinstance(group, MatrixGroup) or not group.deltas:
        reason = "typed axes" if not isinstance(group, MatrixGroup) else "signs and forms"
    elif not all(isinstance(diagram, group.families[0]) for diagram in hom.basis()):
        reason = "determinant vertices"
    else:
        return
    raise BackendError(
        f"{hom}: layers with {reason} are not compiled yet; "
        f"hom.matrices() and group.sparse(diagram) give the maps themselves{way_out}"
    )


def lower_diagrams(
    basis: Sequence[Diagram],
    bias_basis: Sequence[Diagram] | None,
    in_channels: int,
    out_channels: int,
    *,
    dom: int,
    cod: int,
    group: str,
    reduce: Reduce = "mean",
) -> Plan:
    """The plain plan of any distinct diagrams dom -> cod, verified; ``group`` is what it is called.

    >>> from tannaka.diagrams.brauer import Brauer
    >>> print(lower_diagrams([Brauer.swap()], None, 1, 1, dom=2, cod=2, group="O(n)"))
    O(n), order 2 -> 2, channels 1 -> 1, 1 diagrams, no bias, reduce=mean
      m0[ij] = W0 x[ji]
      return m0
    """
    in_channels = natural("in_channels", in_channels, least=1, what="a number of channels")
    out_channels = natural("out_channels", out_channels, least=1, what="a number of channels")
    if reduce not in get_args(Reduce):
        raise ValueError(f"reduce must be 'mean' or 'sum', got {reduce!r}")
    rows = tuple(map(as_partition, basis))
    bias_diagrams = None if bias_basis is None else tuple(map(as_partition, bias_basis))

    contractions: dict[SetPartition, str] = {SetPartition.identity(dom): INPUT}
    embeddings: dict[SetPartition, dict[Feature, int]] = defaultdict(dict)
    for row, diagram in enumerate(rows):
        parts = factor(diagram)
        permutation = tuple(v - parts.through for v in _images(parts.permutation))
        contractions.setdefault(parts.contraction, f"c{len(contractions) - 1}")
        embeddings[parts.embedding][parts.contraction, permutation] = row
    bias_rows = {diagram: row for row, diagram in enumerate(bias_diagrams or ())}
    for diagram in bias_rows:
        embeddings.setdefault(diagram, {})

    steps: list[Step] = [
        Contract(name, INPUT, *axes_of(contraction), mean=reduce == "mean")
        for contraction, name in contractions.items()
        if name != INPUT
    ]
    outs: dict[SetPartition, str] = {}
    for alike in _alike(embeddings, bias_rows):
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
    whole = outs.pop(SetPartition.identity(cod), None)
    if whole is None:
        steps.append(Zeros(whole := "y", cod))
    for embedding, name in outs.items():
        labels, keep = axes_of(embedding.dagger())
        steps.append(Embed(f"y{len(steps)}", whole, name, labels, keep))
        whole = f"y{len(steps) - 1}"
    plan = Plan(
        group=group,
        dom=dom,
        cod=cod,
        in_channels=in_channels,
        out_channels=out_channels,
        reduce=reduce,
        basis=rows,
        bias_basis=bias_diagrams,
        steps=tuple(steps),
        result=whole,
    )
    return verify(renamed(plan), after="lowering")


def as_partition(diagram: Any) -> SetPartition:
    """A diagram whose matrix is a product of deltas, as the set partition of its blocks."""
    if isinstance(diagram, SetPartition):
        return diagram
    if isinstance(diagram, Brauer):
        return diagram.partition
    raise TypeError(f"there is no lowering for {type(diagram).__name__} diagrams")


def _alike(
    embeddings: dict[SetPartition, dict[Feature, int]], bias_rows: dict[SetPartition, int]
) -> list[list[SetPartition]]:
    """Embeddings by what they need: the same features, with or without a bias, of one order.

    Largest order first. When n is large every embedding of an order needs the same features; when
    n is small some diagrams are not in the basis, and then the groups are finer.
    """
    groups: dict[tuple[int, frozenset[Feature], bool], list[SetPartition]] = defaultdict(list)
    for embedding in sorted(embeddings, key=lambda e: (-e.dom, e.labels)):
        features = frozenset(embeddings[embedding])
        groups[embedding.dom, features, embedding in bias_rows].append(embedding)
    return list(groups.values())


def _images(permutation: SetPartition) -> list[int]:
    """The input vertex joined to each output of a permutation diagram."""
    return [block[1] for block in permutation.blocks]
