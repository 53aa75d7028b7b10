"""Enumerations whose diagrams are words: the state of an automaton says what may come next.

A diagram is a word of choices, one a step. States from which equally many words end are counted
once, so the i-th word and the number of a word are found without enumerating.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from functools import cached_property
from typing import Any

from tannaka.diagrams.errors import SizeError
from tannaka.diagrams.spaces.enumeration import D, Enumeration

MAX_STATES = 100_000
"""Most states that words are counted from, in some seconds, before it is refused."""
Move = tuple[int, Any]
"""A choice, and the state that it leads to."""


class Automaton(Enumeration[D]):
    """All diagrams that are words of an automaton, in lexicographic order of the words."""

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

    def _key(self, state: Any) -> Hashable:
        """States of equal key are followed by equally many words."""
        key: Hashable = state
        return key

    def _quick(self, left: int, state: Any) -> int | None:
        """How many words of ``left`` more choices end well, where no moves are needed to say so."""
        return None

    def _viable(self, left: int, state: Any) -> bool:
        """Whether any word of ``left`` more choices ends well; a family may know a quick answer."""
        return self._count(left, state) > 0

    @abstractmethod
    def _build(self, word: Sequence[int]) -> D:
        """The diagram of a word of choices."""

    @abstractmethod
    def _word(self, diagram: Any) -> Sequence[int] | None:
        """The choices that make a diagram; None for one of another family or other orders."""

    @cached_property
    def _completions(self) -> dict[tuple[int, Hashable], int]:
        return {}

    def _total(self) -> int:
        return self._count(self._steps, self._start)

    def __iter__(self) -> Iterator[D]:
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
            if not self._viable(left, state):
                continue
            if left:
                pending.append(iter(self._moves(state)))
            else:
                yield self._build(word[1:])

    def _at(self, rank: int) -> D:
        word, state = [], self._start
        for step in range(self._steps, 0, -1):
            for choice, following in self._moves(state):  # noqa: B007
                here = self._count(step - 1, following)
                if rank < here:
                    break
                rank -= here
            word.append(choice)
            state = following
        return self._build(word)

    def _rank(self, diagram: Any) -> int | None:
        if diagram not in self:
            return None
        rank, state = 0, self._start
        for left, chosen in zip(
            reversed(range(self._steps)), self._word(diagram) or (), strict=True
        ):
            for choice, following in self._moves(state):
                if choice == chosen:
                    state = following
                    break
                rank += self._count(left, following)
        return rank

    def __contains__(self, diagram: object) -> bool:
        word, state = self._word(diagram), self._start
        if word is None or len(word) != self._steps:
            return False
        for chosen in word:
            state = next((after for choice, after in self._moves(state) if choice == chosen), None)
            if state is None:
                return False
        return self._accepts(state)

    def _count(self, left: int, state: Any) -> int:
        """How many words of ``left`` more choices end well."""
        if not left:
            return int(self._accepts(state))
        known = self._completions
        wanted = (left, self._key(state))
        pending = [(left, state)]
        while pending and wanted not in known:
            if len(known) > MAX_STATES:
                raise SizeError(
                    f"counting {self._conditions()}, with {self.size} vertices, goes through more "
                    f"than {MAX_STATES:,} states: take fewer vertices"
                )
            left, state = pending[-1]
            quick = self._quick(left, state)
            if quick is not None:
                known[left, self._key(state)] = quick
                pending.pop()
                continue
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
