"""The passes that make a plan fast, in the order in which they run; each is ``Plan -> Plan``."""

from __future__ import annotations

from collections.abc import Callable

from tannaka.codegen.passes.merge import merge_mixes
from tannaka.codegen.passes.order import drop_dead, order_by_memory
from tannaka.codegen.passes.share import join_equal, share_contractions, share_embeddings
from tannaka.codegen.passes.signs import fold_signs
from tannaka.codegen.plan import Plan
from tannaka.codegen.trace import verify

Pass = tuple[str, Callable[[Plan], Plan]]

PASSES: tuple[Pass, ...] = (
    ("share contractions", share_contractions),
    ("join equal", join_equal),
    ("share embeddings", share_embeddings),
    ("merge mixes", merge_mixes),
    ("fold signs", fold_signs),
    ("drop dead", drop_dead),
    ("order by memory", order_by_memory),
)


def optimise(plan: Plan, passes: tuple[Pass, ...] = PASSES) -> Plan:
    """Run the passes in order; the plan is verified after each, by the pass's name."""
    for name, run in passes:
        plan = verify(run(plan), after=name)
    return plan
