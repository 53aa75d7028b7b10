"""Whether layers take the fastest lowering, and the constants of the model that decides.

``EquivariantLinear`` chooses by :data:`tannaka.codegen.lowering.choose.SECONDS`: for each lowering constants
that multiply how many kernels, bytes and flops it takes to train. A :class:`Timing` says how long
each lowering of a layer took. The *loss* of a choice is the time of what it takes over the time of
the fastest, at least 1. Constants are fitted by non-negative least squares on relative errors.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tannaka.category.alternating import A
from tannaka.category.groups import Group
from tannaka.category.hom import Hom
from tannaka.category.orthogonal import SO, O
from tannaka.category.symmetric import S
from tannaka.category.symplectic import Sp
from tannaka.codegen.lowering.choose import (
    LOWERINGS,
    SECONDS,
    Constants,
    Lowering,
    Terms,
    left_out,
    options,
    predicted,
)
from tannaka.codegen.lowering.lower import task
from tannaka.codegen.task import Task
from tannaka.codegen.timing.standings import Case
from tannaka.diagrams.errors import needing

Model = Mapping[Lowering, Constants]
Choice = Callable[["Timing"], Lowering | None]
"""Which lowering a layer would take; None where it has none that the choice speaks of."""

SPACES: tuple[tuple[Group, tuple[tuple[int, int], ...]], ...] = (
    (O(3), ((1, 1), (2, 2), (3, 1), (3, 3), (4, 4))),
    (SO(3), ((1, 1), (2, 1), (2, 2), (2, 3), (3, 3))),
    (S(3), ((2, 1), (2, 2), (3, 3))),
    (S(4), ((1, 1), (2, 2), (3, 3))),
    (S(6), ((2, 2), (3, 2), (3, 3))),
    (S(8), ((1, 1), (2, 2), (3, 3))),
    (S(12), ((2, 2),)),
    (S(16), ((1, 1), (2, 2))),
    (S(30), ((1, 1), (2, 2))),
    (Sp(4), ((2, 2), (3, 3))),
    (O(5), ((2, 2), (3, 3))),
    (A(4), ((2, 2),)),
    (SO(4), ((2, 2),)),
)
CHANNELS = (2, 8, 32, 128)
BATCHES = (1, 16, 256)
LARGEST = 3 * 10**7
"""Most entries of an input or an output that is timed, channels and batch included."""
FEW = 13
"""Quick runs time one layer in so many; without a common divisor with channels times batches."""


def grid(*, quick: bool = False) -> list[Case]:
    """The layers that are timed, with a bias: those that have more than one lowering.

    >>> print(grid()[0], len({case.group for case in grid()}))
    O(3), 1 -> 1, 2 channels, batch 1 13
    """
    found = [
        Case(group, k, l, channels, batch)
        for group, orders in SPACES
        for k, l in orders
        for channels in CHANNELS
        for batch in BATCHES
        if group.n ** max(k, l) * channels * batch <= LARGEST
    ]
    return [case for case in found[:: FEW if quick else 1] if len(considered(case)) > 1]


def considered(case: Case) -> list[Lowering]:
    """The lowerings that ``lowering="auto"`` considers for a layer."""
    wanted = _task(case)
    return [name for name in LOWERINGS if not left_out(wanted, name)]


def _task(case: Case) -> Task:
    return task(Hom(case.group, case.k, case.l), case.channels, case.channels)


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a layer took in each lowering that is considered for it.

    ``auto`` is the one that it takes unless told, ``terms`` are what the model multiplies by its
    constants; ``forward`` the seconds of the forward pass, ``both`` of forward and backward pass.
    """

    case: Case
    auto: Lowering
    terms: Mapping[Lowering, Terms]
    forward: Mapping[Lowering, float]
    both: Mapping[Lowering, float]

    @classmethod
    def of(
        cls, case: Case, forward: Mapping[Lowering, float], both: Mapping[Lowering, float]
    ) -> Timing:
        """The timing of a layer, with what the model of today knows of it.

        Raises ValueError unless there is a time for each lowering that is considered.
        """
        found = options(_task(case), case.batch)
        terms = {option.name: option.terms for option in found if option.terms is not None}
        if not terms.keys() == forward.keys() == both.keys():
            raise ValueError(
                f"{case}: times of {', '.join(both)} for the lowerings {', '.join(terms)}"
            )
        return cls(case, found[0].name, terms, forward, both)

    @property
    def fastest(self) -> Lowering:
        """What trained fastest."""
        return min(self.both, key=self.both.__getitem__)

    def loss(self, name: Lowering) -> float:
        """What training took in this lowering, in units of the fastest."""
        return self.both[name] / min(self.both.values())

    def forward_loss(self, name: Lowering) -> float:
        """The same of the forward pass alone, for which nothing is chosen."""
        return self.forward[name] / min(self.forward.values())


@dataclass(frozen=True, slots=True)
class Standing:
    """What a choice of lowerings loses over some layers.

    ``within_10`` and ``within_30`` are the shares of layers that take at most 1.1 and 1.3 times what
    the fastest lowering does; the last two are of the forward pass alone.
    """

    name: str
    layers: int
    within_10: float
    within_30: float
    mean: float
    worst: float
    forward_within_10: float
    forward_mean: float


def standing(name: str, timings: Iterable[Timing], choice: Choice) -> Standing:
    """What a choice loses over the layers that it speaks of; NaN where there are none."""
    chosen = [(one, picked) for one in timings if (picked := choice(one)) is not None]
    losses = np.array([one.loss(picked) for one, picked in chosen])
    forward = np.array([one.forward_loss(picked) for one, picked in chosen])
    if not chosen:
        return Standing(name, 0, *(math.nan,) * 6)
    return Standing(
        name,
        len(chosen),
        float(np.mean(losses <= 1.1)),
        float(np.mean(losses <= 1.3)),
        float(np.mean(losses)),
        float(np.max(losses)),
        float(np.mean(forward <= 1.1)),
        float(np.mean(forward)),
    )


def auto(timing: Timing) -> Lowering:
    """The choice of layers unless told."""
    return timing.auto


def always(name: Lowering) -> Choice:
    """The choice of one lowering wherever it is considered."""
    return lambda timing: name if name in timing.both else None


def by_model(model: Model) -> Callable[[Timing], Lowering]:
    """The choice of the lowering that is fastest by other constants."""

    def choice(timing: Timing) -> Lowering:
        seconds = {name: predicted(terms, model[name]) for name, terms in timing.terms.items()}
        return min(seconds, key=seconds.__getitem__)

    return choice


def standings(timings: Sequence[Timing]) -> Iterator[Standing]:
    """What ``auto`` loses, and what one lowering for all would."""
    yield standing("auto", timings, auto)
    for name in LOWERINGS:
        where = "" if name == "factored" else ", where it fits"
        yield standing(f"always {name}{where}", timings, always(name))


def by_family(timings: Sequence[Timing]) -> Iterator[Standing]:
    """What ``auto`` loses for the groups of each family."""
    families: dict[str, list[Timing]] = {}
    for one in timings:
        families.setdefault(type(one.case.group).__name__, []).append(one)
    for name, found in families.items():
        yield standing(name, found, auto)


def worst(timings: Iterable[Timing], most: int = 10) -> list[Timing]:
    """The layers for which ``auto`` loses most, those for which it loses at all."""
    found = sorted(timings, key=lambda one: -one.loss(one.auto))[:most]
    return [one for one in found if one.loss(one.auto) > 1]


def fitted(timings: Iterable[Timing]) -> dict[Lowering, Constants]:
    """The constants under which the model is closest to the times of training, relatively.

    To two digits, as they would be written down. Raises ValueError where a lowering has fewer
    timings than constants, ModuleNotFoundError without SciPy.
    """
    found: dict[Lowering, list[tuple[Terms, float]]] = {name: [] for name in LOWERINGS}
    for one in timings:
        for name, terms in one.terms.items():
            found[name].append((terms, one.both[name]))
    return {name: _least_squares(name, rows) for name, rows in found.items()}


def _least_squares(name: Lowering, rows: Sequence[tuple[Terms, float]]) -> Constants:
    with needing("fitting constants"):
        from scipy.optimize import nnls

    wanted = len(SECONDS[name])
    if len(rows) < wanted:
        raise ValueError(f"{name}: {len(rows)} timings are too few for {wanted} constants")
    terms = np.array([terms for terms, _ in rows]) / np.array([[time] for _, time in rows])
    # The terms are of sizes from 1 to 10^10, and SciPy's tolerance is one for all.
    sizes = np.linalg.norm(terms, axis=0)
    found, _ = nnls(terms / sizes, np.ones(len(rows)))
    a, b, c, d, e = (float(f"{value:.1e}") for value in found / sizes)
    return a, b, c, d, e


@dataclass(frozen=True, slots=True)
class Fit:
    """Constants that were fitted, and what they lose: over what they were fitted to, and elsewhere.

    ``elsewhere`` is over each half of the spaces with constants that were fitted to the other half.
    """

    model: Model
    within: Standing
    elsewhere: Standing


def fit(timings: Sequence[Timing]) -> Fit:
    """The constants that suit these timings; raises as :func:`fitted` does, for each half too."""
    model = fitted(timings)
    return Fit(
        model, standing("fitted", timings, by_model(model)), crossed(timings, "fitted elsewhere")
    )


def halves(timings: Iterable[Timing]) -> tuple[list[Timing], list[Timing]]:
    """The layers in two halves; those of one group and the same orders are in the same."""
    spaces: dict[tuple[Group, int, int], list[Timing]] = {}
    for one in timings:
        spaces.setdefault((one.case.group, one.case.k, one.case.l), []).append(one)
    mixed = random.Random(0).sample(list(spaces.values()), len(spaces))
    first, second = ([one for space in mixed[i::2] for one in space] for i in range(2))
    return first, second


def crossed(timings: Iterable[Timing], name: str) -> Standing:
    """What constants lose that were fitted to one half of the spaces, over the other half."""
    first, second = halves(timings)
    chosen: dict[Case, Lowering] = {}
    for known, left in ((first, second), (second, first)):
        choice = by_model(fitted(known))
        chosen |= {one.case: choice(one) for one in left}
    return standing(name, [*first, *second], lambda one: chosen[one.case])
