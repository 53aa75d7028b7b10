"""What each pass promises; that it leaves what a plan computes as it is, is said in ``test_plan.py``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, product
from math import comb
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layer_cases import any_homs, homs, homs_of, kinds
from numpy.typing import NDArray

import tannaka as tn
from tannaka.codegen.lowering.lower import lower
from tannaka.codegen.passes import PASSES, optimise
from tannaka.codegen.passes.merge import WASTE, merge_mixes
from tannaka.codegen.passes.order import TYPICAL, drop_dead, order_by_memory
from tannaka.codegen.passes.share import (
    Route,
    join_equal,
    route,
    share_contractions,
    share_embeddings,
)
from tannaka.codegen.passes.signs import fold_signs
from tannaka.codegen.plan import (
    INPUT,
    Contract,
    Embed,
    LeviCivita,
    Mix,
    Plan,
    Step,
    produced,
    replaced,
    used,
)
from tannaka.codegen.trace import traced, verify


def plans(name: str, **options: Any) -> Iterator[Plan]:
    """The plain plans of a group's cases."""
    for hom in homs_of(name):
        yield lower(hom, 2, 3, **options)


def touched(step: Contract | Embed) -> int:
    """The power of n that a step reads or writes."""
    return len(set(step.labels)) - len(step.forms)


def work(plan: Plan, kind: type[Contract | Embed]) -> Counter[int]:
    """How many sums, or writes, touch each power of n."""
    return Counter(
        touched(step)
        for step in plan.steps
        if isinstance(step, kind) and (isinstance(step, Embed) or step.summed)
    )


def without_names(step: Step) -> Step:
    """A step, whatever its tensors are called."""
    names = dict.fromkeys((*used(step), *produced(step)), "")
    return replaced(step, names)


@pytest.mark.parametrize(("k", "l"), [(k, l) for k in range(5) for l in range(4)])
def test_few_steps_touch_all_of_the_input_or_the_output(k: int, l: int) -> None:
    """Of S(n), as many as there are largest tensors to reduce to: k sums where l is k - 1 or more."""
    plain = lower(tn.Hom(tn.S(k + l + 1), k, l), 1, 1, bias=False)
    plan = share_embeddings(share_contractions(plain))
    sums, writes = work(plan, Contract), work(plan, Embed)
    assert sums[k] == (comb(k, min(k - 1, l)) if k else 0)
    assert writes[l] == (comb(l, min(l - 1, k)) if l else 0)
    assert work(plain, Contract)[k] >= sums[k]


def test_sharing_takes_the_work_off_the_input_and_the_output() -> None:
    plain = lower(tn.Hom(tn.S(6), 3, 3), 1, 1)
    plan = optimise(plain)
    assert work(plain, Contract) == {1: 1, 2: 9, 3: 7}
    assert work(plan, Contract) == {1: 5, 2: 6, 3: 3}, "how many sums touch n, n^2 and n^3 entries"
    assert work(plan, Embed) == {1: 9, 2: 9, 3: 3}
    with pytest.raises(ValueError, match="shares its contractions already"):
        share_contractions(plan)
    with pytest.raises(ValueError, match="shares its embeddings already"):
        share_embeddings(plan)


@pytest.mark.parametrize("name", kinds())
def test_sharing_reads_and_writes_no_more_and_gives_the_same_tensors(name: str) -> None:
    for plain in plans(name):
        contracted, embedded = share_contractions(plain), share_embeddings(plain)
        for shared, kind in ((contracted, Contract), (embedded, Embed)):
            before, after = work(plain, kind), work(shared, kind)
            # Wherever a line is drawn, no more steps are above it.
            for power in range(5):
                assert sum(c for p, c in after.items() if p >= power) <= sum(
                    c for p, c in before.items() if p >= power
                ), f"{plain.headline()}, {kind.__name__}"
            kept = [Counter(map(without_names, plan.steps)) for plan in (plain, shared)]
            others = [
                {step: count for step, count in steps.items() if not isinstance(step, kind)}
                for steps in kept
            ]
            assert others[0] == others[1]


@pytest.mark.parametrize("name", kinds())
def test_nothing_is_taken_of_the_input_twice(name: str) -> None:
    for plain in plans(name):
        plan = join_equal(share_contractions(plain))
        seen: set[Step] = set()
        mixed: set[str] = set()
        for step in plan.steps:
            if isinstance(step, Mix) or not mixed.isdisjoint(used(step)):
                mixed.update(produced(step))
            elif isinstance(step, Contract | LeviCivita):
                assert replace(step, out="") not in seen, plan
                seen.add(replace(step, out=""))
                assert not (isinstance(step, Contract) and step.keep == step.labels), plan
        assert join_equal(plan) == plan
        assert len(plan.steps) <= len(plain.steps)


@pytest.mark.parametrize(("k", "l"), [(k, l) for k in range(4) for l in range(4)])
def test_channels_are_mixed_once_for_each_order_where_n_is_large(k: int, l: int) -> None:
    for group in (tn.S(k + l + 1), tn.O(k + l + 1), tn.Sp(2 * (k + l) + 2)):
        plan = merge_mixes(lower(tn.Hom(group, k, l), 1, 1, bias=False))
        orders = [word for word, _ in mixes(plan)]
        assert len(orders) == len(set(orders))
        if isinstance(group, tn.S):
            assert sorted(map(len, orders)) == list(range(min(k, l) + 1))


def mixes(plan: Plan) -> list[tuple[Any, Mix]]:
    """The mixes of a plan, with the word of their results."""
    known = plan.words()
    return [(known[step.outs[0]], step) for step in plan.steps if isinstance(step, Mix)]


def area(step: Mix) -> int:
    """How many weights a mix multiplies by."""
    return len(step.outs) * len(step.features)


@pytest.mark.parametrize("name", kinds())
def test_merging_wastes_little(name: str) -> None:
    for plain in plans(name):
        merged = merge_mixes(plain)
        for word in {word for word, _ in mixes(plain)}:
            before, after = (
                [step for found, step in mixes(plan) if found == word] for plan in (plain, merged)
            )
            assert len(after) <= len(before)
            bound = sum(map(area, before)) * WASTE ** (len(before) - len(after))
            assert sum(map(area, after)) <= bound
        others = [
            Counter(step for step in plan.steps if not isinstance(step, Mix))
            for plan in (plain, merged)
        ]
        assert others[0] == others[1]


def minus(plan: Plan) -> int:
    """How many rows have a minus sign."""
    return (*plan.signs, *plan.bias_signs).count(-1)


def test_contractions_lead_to_one_another_where_a_route_says_so() -> None:
    """All contractions of three axes, without forms."""
    x = np.random.default_rng(0).standard_normal((3, 3, 3))
    every = [
        Route(labels, keep)
        for labels in [(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1), (0, 1, 2)]
        for size in range(max(labels) + 2)
        for keep in combinations(range(max(labels) + 1), size)
    ]

    def along(x: NDArray[np.float64], way: Route) -> NDArray[np.float64]:
        einsum: Any = np.einsum
        found: NDArray[np.float64] = einsum(x, way.labels, way.keep)
        return found

    ways = 0
    for start, target in product(every, repeat=2):
        if (way := route(start, target)) is not None:
            np.testing.assert_allclose(along(along(x, start), way), along(x, target))
            ways += 1
        assert way is not None or start != target
    assert ways > len(every)


@pytest.mark.parametrize("name", kinds())
def test_folding_leaves_fewer_minus_signs_and_all_steps_up_to_sign(name: str) -> None:
    for plain in plans(name):
        for plan in (plain, share_embeddings(share_contractions(plain))):
            folded = fold_signs(plan)
            assert minus(folded) <= minus(plan)
            assert fold_signs(folded) == folded
            for one, other in zip(plan.steps, folded.steps, strict=True):
                assert unsigned(one) == unsigned(other)


def unsigned(step: Step) -> Step:
    """A step up to its sign."""
    if isinstance(step, LeviCivita):
        return replace(step, legs=tuple(sorted(step.legs)))
    if isinstance(step, Contract | Embed):
        return replace(step, forms=tuple((min(pair), max(pair)) for pair in step.forms))
    return step


def test_no_row_is_multiplied_where_all_signs_fold() -> None:
    for name, k, l in (("SO(3)", 2, 1), ("SO(2)", 1, 1), ("Sp(2)", 2, 0), ("Sp(4)", 0, 2)):
        plan = fold_signs(lower(tn.Hom(tn.group(name), k, l), 1, 1, reduce="sum"))
        assert not minus(plan)
        assert not plan.scaled


def test_signs_of_the_bias_fold_with_those_of_the_weight() -> None:
    plan = lower(tn.Hom(tn.Sp(2), 1, 4), 1, 1)
    assert -1 in plan.bias_signs
    assert -1 not in verify(fold_signs(plan), after="folding").bias_signs


@given(any_homs(), st.randoms())
def test_what_nothing_needs_is_dropped_and_nothing_else(hom: tn.Hom, random: Random) -> None:
    plan = optimise(lower(hom, 1, 1))
    assert drop_dead(plan) == plan
    steps = list(plan.steps)
    known = plan.words()
    for number in range(3):
        at = random.randint(0, len(steps))
        name = random.choice(
            [INPUT, *(n for step in steps[:at] for n in produced(step) if n in known)]
        )
        axes = tuple(range(len(known[name])))
        if name in {step.base for step in steps if isinstance(step, Embed)}:
            continue
        if traced_tensor(steps[:at], name):
            steps.insert(at, Contract(f"idle{number}", name, axes, axes[1:], False))
    dead = plan.with_steps(tuple(steps), plan.result)
    assert drop_dead(verify(dead, after="adding idle steps")) == plan


def traced_tensor(steps: list[Step], name: str) -> bool:
    """Whether a tensor is still one of the input, in which no channels are mixed."""
    of_input = {INPUT}
    for step in steps:
        if isinstance(step, Contract | LeviCivita) and step.source in of_input:
            of_input.add(step.out)
    return name in of_input


def test_results_of_a_mix_that_nothing_needs_are_dropped_alone() -> None:
    plan = lower(tn.Hom(tn.S(4), 2, 2), 1, 1)
    whole = next(step for step in plan.steps if isinstance(step, Mix) and step.bias_rows)
    assert len(whole.outs) > 1
    for e, out in enumerate(whole.outs):
        cut = drop_dead(plan.with_steps(plan.steps, out))
        (left,) = [step for step in cut.steps if isinstance(step, Mix)]
        assert left.outs == (out,)
        assert left.rows == whole.rows[e : e + 1]
        assert left.bias_rows == whole.bias_rows[e : e + 1]


def test_ordering_takes_no_more_memory_and_does_the_same_steps() -> None:
    smaller = 0
    for hom in homs():
        plain = optimise(lower(hom, 1, 1), PASSES[:-1])
        for i, o in ((1, 1), (4, 16), (16, 4)):
            plan = replace(plain, in_channels=i, out_channels=o)
            ordered = order_by_memory(plan)
            assert Counter(ordered.steps) == Counter(plan.steps)
            n = (TYPICAL,) * plan.types
            before, after = (one.cost(n=n, batch=3).peak for one in (plan, ordered))
            assert after <= before, f"{hom}: {before} -> {after}"
            smaller += after < before
    assert smaller > 50, "it does order some"


@given(any_homs())
def test_optimised_plans_touch_no_more_and_are_no_longer(hom: tn.Hom) -> None:
    plain = lower(hom, 3, 2)
    plan = optimise(plain)
    assert len(plan.steps) <= len(plain.steps)
    assert traced(plan).weight.keys() == traced(plain).weight.keys()
    for batch in (1, 64):
        before, after = (one.cost(hom.group.n, batch) for one in (plain, plan))
        assert after.launches <= before.launches
        # Mixes that are merged multiply by zeros, which is quicker than another product.
        assert after.flops <= WASTE**2 * before.flops
