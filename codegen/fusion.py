"""Which steps of a plan run together as one kernel, where a backend writes kernels of its own.

What takes time are the steps that touch the largest tensors: contractions of the input, and the mix
and the embeddings that make the result. A backend that fuses each into one kernel reads the input
once for all its sums, once more to be mixed, and writes the result once; what is of lower order stays
as it is. The same holds for the gradient, which is a plan too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tannaka.codegen.lifetimes import is_view
from tannaka.codegen.lowering.gradient import AnyStep
from tannaka.codegen.network import Word
from tannaka.codegen.plan import Contract, Embed, Mix, Zeros


@dataclass(frozen=True, slots=True)
class Single:
    """One step by itself."""

    steps: tuple[AnyStep]


@dataclass(frozen=True, slots=True)
class Sweep:
    """Contractions of one tensor, which is read once."""

    source: str
    steps: tuple[Contract, ...]


@dataclass(frozen=True, slots=True)
class Tile:
    """A mix or zeros, and embeddings into it: one tensor, which is written once."""

    out: str
    """What it is called when it is complete."""
    steps: tuple[Mix | Zeros | Embed, ...]

    @property
    def mix(self) -> Mix | None:
        """The mix that it starts from, if it does."""
        first = self.steps[0]
        return first if isinstance(first, Mix) else None

    @property
    def embeds(self) -> tuple[Embed, ...]:
        """What is added."""
        return tuple(step for step in self.steps if isinstance(step, Embed))


Group: TypeAlias = Single | Sweep | Tile


def grouped(
    steps: Sequence[AnyStep], known: dict[str, Word], swept: Sequence[str], result: str
) -> tuple[Group, ...]:
    """The steps in groups, in an order in which these can run.

    All sums of a tensor named in ``swept`` are one group, at the first of them. What makes the
    result is one, at the last of its steps, where it has an order and starts from zeros or from a
    mix that makes nothing else.
    """
    sweeps = {
        name: tuple(
            step
            for step in steps
            if isinstance(step, Contract) and step.source == name and not is_view(step)
        )
        for name in swept
    }
    tile = _tile(steps, known, result)
    found: list[Group] = []
    for step in steps:
        if isinstance(step, Contract) and step in sweeps.get(step.source, ()):
            mine = sweeps[step.source]
            if step == mine[0]:
                found.append(Sweep(step.source, mine))
        elif step in tile:
            if step == tile[-1]:
                found.append(Tile(result, tile))
        else:
            found.append(Single((step,)))
    return tuple(found)


def _tile(
    steps: Sequence[AnyStep], known: dict[str, Word], result: str
) -> tuple[Mix | Zeros | Embed, ...]:
    """The steps that make the result, in order; none where they are no group."""
    if not known.get(result):
        return ()
    makers: dict[str, AnyStep] = dict(_makers(steps))
    chain: list[Mix | Zeros | Embed] = []
    name = result
    while name in makers:
        step = makers[name]
        if isinstance(step, Embed):
            chain.append(step)
            name = step.base
            continue
        alone = isinstance(step, Zeros) or (
            isinstance(step, Mix) and len(step.outs) == 1 and bool(step.features)
        )
        if not alone:
            return ()
        assert isinstance(step, Mix | Zeros)
        chain.append(step)
        return tuple(reversed(chain))
    return ()


def _makers(steps: Sequence[AnyStep]) -> Iterator[tuple[str, AnyStep]]:
    for step in steps:
        if isinstance(step, Mix):
            yield from ((out, step) for out in step.outs)
        elif hasattr(step, "out"):
            yield step.out, step
