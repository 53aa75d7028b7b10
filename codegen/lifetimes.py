"""Which tensors have a piece of memory together, and when nothing needs it any more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tannaka.codegen.lowering.gradient import AnyStep, Outer
from tannaka.codegen.plan import Contract, Embed, Mix, Multiply, produced, used


def homes(steps: Iterable[AnyStep]) -> dict[str, str]:
    """For each result of a step, the tensor whose memory it is in.

    A view is in the memory of what it views, which it keeps alive; an embedding writes into its
    base; results of a mix come as one tensor. Views of what is given are in none of these.

    >>> homes([Contract("c0", "x", (0, 0), (0,), True), Contract("c1", "c0", (0,), (), True)])
    {'c1': 'c1'}
    """
    found: dict[str, str] = {}
    for step in steps:
        match step:
            case Outer():
                pass
            case Mix() | Multiply():
                found |= dict.fromkeys(step.outs, step.outs[0])
            case Embed():
                if step.base in found:
                    found[step.out] = found[step.base]
            case Contract() if is_view(step):
                if step.source in found:
                    found[step.out] = found[step.source]
            case _:
                found[step.out] = step.out
    return found


def lifetimes(steps: Sequence[AnyStep], kept: Iterable[str]) -> list[tuple[str, ...]]:
    """For each step, the results whose memory nothing needs after it; ``kept`` is needed to the end.

    >>> first = Contract("c0", "x", (0, 1), (0,), True)
    >>> lifetimes([first, Contract("c1", "c0", (0,), (), True)], {"c1"})
    [(), ('c0',)]
    """
    found = homes(steps)
    last: dict[str, int] = {}
    for i, step in enumerate(steps):
        for name in (*read(step), *(() if isinstance(step, Outer) else produced(step))):
            if name in found:
                last[found[name]] = i
    for name in kept:
        last.pop(found.get(name, name), None)
    dead: list[list[str]] = [[] for _ in steps]
    for name, home in found.items():
        if home in last:
            dead[last[home]].append(name)
    return [tuple(names) for names in dead]


def is_view(step: AnyStep) -> bool:
    """Whether a step reads along a diagonal alone, which moves nothing."""
    return isinstance(step, Contract) and not step.summed


def read(step: AnyStep) -> Iterator[str]:
    """The tensors that a step reads."""
    if isinstance(step, Outer):
        yield from step.sources
        yield from (name for name, _ in step.features)
    else:
        yield from used(step)
