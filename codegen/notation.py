"""Index notation: what steps and diagrams do, as a person would write it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

from tannaka.category.groups import Group
from tannaka.codegen.network import network
from tannaka.diagrams.diagram import Diagram
from tannaka.diagrams.errors import PlanError

Reduce: TypeAlias = Literal["mean", "sum"]
"""Whether a diagram is divided by the number of terms that it sums."""


def indices(labels: tuple[int, ...]) -> str:
    """Index letters for axis labels; ``c`` is left for channels and letters run out at 51.

    >>> indices((0, 0, 1))
    'iij'
    """
    letters = "ijklmnopqrstuvwxyzabdefghABCDEFGHIJKLMNOPQRSTUVWXYZ"
    if labels and max(labels) >= len(letters):
        raise PlanError(f"more than {len(letters)} indices in one step")
    return "".join(letters[label] for label in labels)


def formula(
    diagram: Diagram,
    reduce: Reduce = "sum",
    factor: str = "",
    group: Group | None = None,
    arguments: Mapping[str, int] | None = None,
) -> str:
    """What a diagram does to a tensor x, in index notation; indices of y alone run over everything.

    ``group`` tells what a Brauer diagram means: deltas unless it is symplectic. ``arguments`` has the
    tensors that are multiplied, and how many of the diagram's inputs each has; x, with all, unless
    given.

    >>> from tannaka.diagrams.partition import SetPartition
    >>> formula(SetPartition(2, 2, (0, 1, 1, 2)), factor="W5")
    'y[ij] += W5 sum over k of x[jk]'
    >>> formula(SetPartition(2, 1, (0, 1, 0)), arguments={"u": 1, "v": 1})
    'y[i] += sum over j of u[j] v[i]'
    >>> from tannaka.diagrams.grood import Grood
    >>> formula(Grood(2, 1, (0, 1, 2), ()))
    'y[i] += sum over jk of \u03b5[ijk] x[jk]'
    """
    found = network(diagram, group).canonical()
    outputs, inputs = found.outputs, found.inputs
    free = {leg for legs in found.legs for leg in legs} - set(outputs)
    summed = tuple(sorted((set(inputs) | free) - set(outputs)))
    words = ["-"] if found.sign < 0 else []
    words += [factor] if factor else []
    words += [f"{reduce} over {indices(summed)} of"] if summed else []
    words += [f"\N{GREEK SMALL LETTER OMEGA}[{indices(pair)}]" for pair in found.forms]
    words += [f"\N{GREEK SMALL LETTER EPSILON}[{indices(legs)}]" for legs in found.legs]
    start = 0
    for name, axes in (arguments or {"x": len(inputs)}).items():
        if inputs or not factor.startswith("b"):
            words.append(f"{name}[{indices(inputs[start : start + axes])}]")
        start += axes
    return f"y[{indices(outputs)}] += {' '.join(words)}"


def drawn(
    outputs: Sequence[int],
    inputs: Sequence[int],
    forms: Iterable[tuple[int, int]] = (),
    legs: Sequence[int] = (),
) -> str:
    """The diagram with these indices at its vertices, as text: outputs first, then inputs.

    Indices that a form joins are the ends of a pair. Legs that each end at one vertex stand for
    these, others for blocks.

    >>> drawn((0,), (0, 1)), drawn((), (0, 1), forms=[(1, 0)])
    ('0 1 | 2', '0 1')
    >>> drawn((2, 3), (0, 1, 3), legs=(2, 1, 0)), drawn((0,), (1,), legs=(0, 1, 2))
    ('1 4 [0 3 2]', '0 | 1 [0 1 _]')
    """
    partner = {b: a for a, b in forms}
    blocks: dict[int, list[int]] = {}
    for vertex, index in enumerate((*outputs, *inputs)):
        blocks.setdefault(partner.get(index, index), []).append(vertex)
    ends = {leg: blocks.get(leg, []) for leg in legs}
    single = all(len(found) == 1 for found in ends.values())
    listed = [found for index, found in blocks.items() if not (single and index in ends)]
    text = " | ".join(" ".join(map(str, found)) for found in listed)
    if not legs:
        return text
    number = list(blocks)
    names = (
        [str(ends[leg][0]) for leg in legs]
        if single
        else [str(number.index(leg)) if leg in blocks else "_" for leg in legs]
    )
    return f"{text} [{' '.join(names)}]".strip()


def shape(order: int | tuple[int, ...], channels: object, n: object = "n") -> str:
    """A feature's shape in words; for a word of types each axis has the size of its type.

    >>> shape(2, "channels")
    '(*batch, n, n, channels)'
    >>> shape((0, 1), 4), shape((0, 1), 4, (5, 3))
    ('(*batch, n0, n1, 4)', '(*batch, 5, 3, 4)')
    """
    if isinstance(order, int):
        return f"(*batch, {f'{n}, ' * order}{channels})"
    sizes = (
        n
        if isinstance(n, tuple)
        else tuple(f"n{kind}" for kind in range(1 + max(order, default=0)))
    )
    return f"(*batch, {''.join(f'{sizes[kind]}, ' for kind in order)}{channels})"
