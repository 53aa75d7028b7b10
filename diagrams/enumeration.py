"""An enumeration: all diagrams of a family, lazily, counted, indexed, sampled.

A family is a small machine: a diagram is a word of choices, one a step, and the machine's state
says which choices may come next. States from which equally many words end are counted once, so the
i-th diagram and the index of a diagram are found without enumerating. The families themselves are
in ``enumerate.py``.
"""

from __future__ import annotations

import operator
import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, Generic, TypeVar, overload

from tannaka.diagrams.counts import readable
from tannaka.diagrams.diagram import Diagram, order

D = TypeVar("D", bound=Diagram)
Move = tuple[int, Any]
"""A choice, and the state that it leads to."""


class Enumeration(ABC, Generic[D]):
    """All diagrams dom -> cod of one family, in a fixed order.

    Iterating takes constant memory and may be done again and again. ``space[i]`` is the i-th
    diagram (a slice, a list of them), ``space.index(d)`` its index, ``d in space`` whether it
    belongs, ``space.count`` how many there are: all without enumerating. (``len`` is not offered:
    Python bounds it.)
    """

    dom: int
    cod: int

    def __init__(self, dom: int, cod: int) -> None:
        self.dom, self.cod = order("dom", dom), order("cod", cod)
        self._completions: dict[tuple[int, Hashable], int] = {}

    @property
    def size(self) -> int:
        """How many vertices each diagram has."""
        return self.dom + self.cod

    @property
    def count(self) -> int:
        """How many diagrams there are, exactly, at any size."""
        return self._count(self._steps, self._start)

    @property
    @abstractmethod
    def _steps(self) -> int:
        """How many choices make a diagram."""

    @property
    @abstractmethod
    def _start(self) -> Any:
        """The state before the first choice."""

    @abstractmethod
    def _moves(self, state: Any) -> Sequence[Move]:
        """What may be chosen next, in increasing order."""

    @abstractmethod
    def _accepts(self, state: Any) -> bool:
        """Whether a word that ends in this state is a diagram."""

    @abstractmethod
    def _key(self, state: Any) -> Hashable:
        """States of equal key are followed by equally many words."""

    @abstractmethod
    def _build(self, word: Sequence[int]) -> D:
        """The diagram of a word of choices."""

    @abstractmethod
    def _word(self, diagram: D) -> Sequence[int] | None:
        """The choices that make a diagram; None for one of another family or other orders."""

    def __iter__(self) -> Iterator[D]:
        if not self.count:
            return
        word: list[int] = []
        pending = [iter([(0, self._start)])]
        while pending:
            choice, state = next(pending[-1], (None, None))
            if choice is None:
                pending.pop()
                del word[len(pending) - 1 :]
                continue
            del word[len(pending) - 1 :]
            word.append(choice)
            left = self._steps - len(pending) + 1
            if not self._count(left, state):
                continue
            if left:
                pending.append(iter(self._moves(state)))
            else:
                yield self._build(word[1:])

    @overload
    def __getitem__(self, index: int) -> D: ...
    @overload
    def __getitem__(self, index: slice) -> list[D]: ...
    def __getitem__(self, index: int | slice) -> D | list[D]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self.count))]
        left = operator.index(index)
        if not -self.count <= left < self.count:
            raise IndexError(
                f"{self} has no diagram number {index}: there are {readable(self.count)}"
            )
        left %= self.count
        word, state = [], self._start
        for step in range(self._steps, 0, -1):
            for choice, following in self._moves(state):  # noqa: B007
                here = self._count(step - 1, following)
                if left < here:
                    break
                left -= here
            word.append(choice)
            state = following
        return self._build(word)

    def index(self, diagram: D) -> int:
        """The number of a diagram in this order; the inverse of ``space[i]``.

        Raises ValueError for a diagram that is not one of these.
        """
        word = self._word(diagram)
        rank, state = 0, self._start
        for step, chosen in enumerate(word or ()):
            for choice, following in self._moves(state):
                if choice == chosen:
                    state = following
                    break
                rank += self._count(self._steps - step - 1, following)
            else:
                word = None
                break
        if word is None or len(word) != self._steps or not self._accepts(state):
            raise ValueError(f"({diagram}), {diagram.dom} -> {diagram.cod}, is not one of {self}")
        return rank

    def __contains__(self, diagram: object) -> bool:
        try:
            self.index(diagram)  # type: ignore[arg-type]
        except (ValueError, AttributeError):
            return False
        return True

    def sample(self, rng: random.Random | int | None = None) -> D:
        """A uniformly random diagram; ``rng`` is a ``random.Random`` or a seed.

        Raises ValueError when there is none.
        """
        if not self.count:
            raise ValueError(f"{self} is empty: there is nothing to draw from")
        if not isinstance(rng, random.Random):
            rng = random.Random(rng)
        return self[rng.randrange(self.count)]

    def _count(self, left: int, state: Any) -> int:
        """How many words of ``left`` more choices end well."""
        if not left:
            return int(self._accepts(state))
        known = self._completions
        wanted = (left, self._key(state))
        pending = [(left, state)]
        while pending and wanted not in known:
            left, state = pending[-1]
            reached: Counter[Hashable] = Counter()
            states: dict[Hashable, Any] = {}
            for _, following in self._moves(state):
                key = self._key(following)
                reached[key] += 1
                states.setdefault(key, following)
            unknown = [s for k, s in states.items() if left > 1 and (left - 1, k) not in known]
            if unknown:
                pending += [(left - 1, s) for s in unknown]
                continue
            known[left, self._key(state)] = sum(
                times * (known[left - 1, k] if left > 1 else int(self._accepts(states[k])))
                for k, times in reached.items()
            )
            pending.pop()
        return known[wanted]

    @abstractmethod
    def _conditions(self) -> str:
        """What is asked of the diagrams beyond their orders, in words."""

    def __repr__(self) -> str:
        words = self._conditions()
        return f"<{readable(self.count)} diagrams {self.dom} -> {self.cod}: {words}>"
