"""Bugs that a careless programmer might have made, planted in our own source one at a time.

Each stands in ``planted/*.toml``: the text that is changed, what it becomes, which answer is wrong
then, and the tests that are meant to notice. In a copy of the tree a bug is planted, those tests run,
and where they pass, all tests of its layer of the package; then the file is as it was. In the end the
tests that failed must pass with nothing planted, or their failure would say nothing. ``--write`` puts
what caught each bug into ``golden/planted_bugs.md``, and leaves what stands there of those not tried.

    python tests/planted_bugs.py [--only PART OF A NAME] [--jobs 2] [--write]

None of the bugs survives. One was taken out: to give all pinned vertices of a graph one colour, after
which stabilisers are looked for without end; it is no wrong answer but none.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import pytest
from hypothesis import Phase, settings

ROOT = Path(__file__).parent.parent
TABLE = Path(__file__).parent / "golden" / "planted_bugs.md"
KINDS = (
    "wrong sign",
    "swapped axes",
    "missing factor",
    "missing mean",
    "wrong block",
    "wrong broadcast",
    "off by one",
    "stale cache",
    "permits too much",
)
COPIED = ("pyproject.toml", "README.md", "tannaka", "diagrams", "category", "codegen", "tests")
WIDER = {
    "diagrams": (
        "laws", "partition", "enumerate", "families", "factorisation", "structure", "graphs",
        "coloured_graphs", "arrays", "reading", "functor", "hom", "expressions", "sage",
    ),
    "category": (
        "functor", "hom", "families", "automorphisms", "hosts", "permutation_groups", "expressions",
        "laws", "plan", "modules", "blocks", "check", "kit",
    ),
    "codegen": (
        "plan", "passes", "cost", "lowerings", "isotypic", "choose", "modules", "gradients", "modes",
        "every_n", "host_layers", "blocks", "check", "kit", "verify", "models", "generate", "cpp",
        "triton", "calibration", "bench_layers", "cli", "bad_calls", "certificates",
    ),
}  # fmt: skip
"""The tests of each layer of the package, for bugs that those meant to notice them do not."""
SECONDS = 600
"""How long tests may take: bugs that make a loop endless are caught too."""
BYTES = 8 << 30
"""How much memory they may take."""


@dataclass(frozen=True)
class Bug:
    """A change of one file: ``old``, which stands in it once, becomes ``new``."""

    name: str
    kind: str
    file: str
    breaks: str
    old: str
    new: str
    tests: tuple[str, ...]
    """The tests that are meant to notice, as pytest names them inside this folder."""

    @property
    def layer(self) -> str:
        """The folder of the package that it is in."""
        return self.file.split("/")[0]

    def planted(self, text: str) -> str:
        """The text of its file with the bug in it."""
        if text.count(self.old) != 1:
            raise ValueError(f"{self.name}: {self.file} has {text.count(self.old)} such places")
        return text.replace(self.old, self.new)


@dataclass(frozen=True)
class Outcome:
    """What became of a bug: the first test that failed, empty where none did."""

    bug: Bug
    caught_by: str
    meant: bool
    """Whether it is one of the tests that were meant to notice."""
    seconds: float

    @property
    def by_a_test(self) -> bool:
        """Whether a test failed: else it took too much time, or all of the process."""
        return self.caught_by.startswith("test_")


def bugs(part: str = "") -> tuple[Bug, ...]:
    """The bugs with this in their names, in the order of their files."""
    found = []
    for layer in ("diagrams", "category", "codegen"):
        text = (Path(__file__).parent / "planted" / f"{layer}.toml").read_text(encoding="utf-8")
        for one in tomllib.loads(text)["bug"]:
            found.append(Bug(**one | {"tests": tuple(one["tests"])}))
    return tuple(bug for bug in found if part in bug.name)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """As a plugin: the first example that fails is enough, and memory has an end."""
    phases = (Phase.explicit, Phase.generate)
    settings.register_profile("planted", settings(), phases=phases)
    settings.load_profile("planted")
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))


class Copy:
    """A copy of the tree, in which bugs are planted one after the other."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        folder.mkdir()
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__", ".*")
                shutil.copytree(source, folder / name, symlinks=True, ignore=ignored)
            else:
                shutil.copy(source, folder / name)
        # What is compiled is known by its text: a file may change twice within its clock's tick.
        compiled = ["-m", "compileall", "-q", "--invalidation-mode", "checked-hash", "."]
        subprocess.run([sys.executable, *compiled], cwd=folder, check=True)

    def failure(self, tests: Iterable[str]) -> str:
        """The first of these tests that fails, empty where all pass.

        Raises RuntimeError where they did not run.
        """
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-p", "no:cacheprovider"]
        command += ["-p", "planted_bugs", *(f"tests/{test}" for test in tests)]
        path = os.pathsep.join([str(self.root), str(self.root / "tests")])
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            done = subprocess.run(
                command,
                cwd=self.root,
                env=environment,
                capture_output=True,
                text=True,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired:
            return f"no end within {SECONDS} seconds"
        failed = re.search(r"^(?:FAILED|ERROR) tests/(\S+?)(?:\[.*)?(?: - .*)?$", done.stdout, re.M)
        if done.returncode in (1, 2) and failed:
            return failed[1]
        if done.returncode < 0:
            return f"the tests' process was ended by signal {-done.returncode}"
        if done.returncode in (0, 5) and re.search(r"\d (passed|skipped)", done.stdout):
            return ""
        raise RuntimeError(f"pytest ended with {done.returncode}:\n{done.stdout}{done.stderr}")

    def tried(self, bug: Bug) -> Outcome:
        """Plant a bug, run the tests, and leave the file as it was."""
        path, start = self.root / bug.file, time.monotonic()
        before = path.read_text(encoding="utf-8")
        path.write_text(bug.planted(before), encoding="utf-8")
        try:
            caught, meant = self.failure(bug.tests), True
            if not caught:
                files = (f"test_{name}.py" for name in WIDER[bug.layer])
                caught, meant = (
                    next(filter(None, (self.failure([one]) for one in files)), ""),
                    False,
                )
        finally:
            path.write_text(before, encoding="utf-8")
        return Outcome(bug, caught, meant and bool(caught), time.monotonic() - start)


def tried(chosen: Sequence[Bug], jobs: int = 2) -> Iterator[Outcome]:
    """Try bugs, several at a time, each in a copy of its own; outcomes come as they are found.

    Raises RuntimeError where a test that caught one fails with nothing planted.
    """
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(jobs) as threads:
        copies: SimpleQueue[Copy] = SimpleQueue()
        made = threads.map(Copy, (Path(folder) / str(job) for job in range(jobs)))

        def one(bug: Bug) -> Outcome:
            copy = copies.get()
            try:
                return copy.tried(bug)
            finally:
                copies.put(copy)

        for copy in made:
            copies.put(copy)
        caught: dict[str, None] = {}
        for outcome in threads.map(one, chosen):
            if outcome.by_a_test:
                caught[outcome.caught_by] = None
            yield outcome
        if caught and (failed := copies.get().failure(caught)):
            raise RuntimeError(f"{failed} fails with nothing planted")


def table(caught: Mapping[str, str]) -> str:
    """What caught each bug, by its name, as Markdown; the bugs that are there are asked for."""
    listed = [(bug, caught[bug.name]) for bug in bugs() if bug.name in caught]
    lines = [
        "# Planted bugs",
        "",
        f"{sum(bool(test) for _, test in listed)} of {len(listed)} are caught by quick tests.",
        "",
        "| bug | kind | file | what it breaks | caught by |",
        "| --- | --- | --- | --- | --- |",
    ]
    for bug, test in listed:
        words = (
            bug.name,
            bug.kind,
            f"`{bug.file}`",
            bug.breaks,
            f"`{test}`" if test else "nothing",
        )
        lines.append(f"| {' | '.join(words)} |")
    return "\n".join(lines) + "\n"


def published() -> dict[str, str]:
    """What caught each bug, as it stands in the table; empty where nothing did."""
    if not TABLE.exists():
        return {}
    rows = [line.split(" | ") for line in TABLE.read_text(encoding="utf-8").splitlines()[6:]]
    ends = {row[0].removeprefix("| "): row[-1].removesuffix(" |") for row in rows}
    return {name: "" if end == "nothing" else end.strip("`") for name, end in ends.items()}


def main() -> None:
    """Try the bugs that were asked for, and say what became of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", default="", metavar="TEXT", help="bugs with this in their names")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time, 2 unless told")
    parser.add_argument(
        "--write", action="store_true", help=f"put what was found into {TABLE.name}"
    )
    given = parser.parse_args()
    os.nice(10)
    outcomes = []
    for one in tried(bugs(given.only), given.jobs):
        outcomes.append(one)
        said = "caught by" if one.meant else "caught at last by" if one.caught_by else "SURVIVES"
        print(f"{one.seconds:5.0f} s  {one.bug.name}: {said} {one.caught_by}", flush=True)
    survivors = sum(not one.caught_by for one in outcomes)
    print(f"{len(outcomes) - survivors} of {len(outcomes)} caught")
    if given.write:
        found = {one.bug.name: one.caught_by for one in outcomes}
        TABLE.write_text(table(published() | found), encoding="utf-8")


if __name__ == "__main__":
    main()
