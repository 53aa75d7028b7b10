"""What all tests share: golden files, how deep to look, and numbers that do not change by the run."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import depth
import pytest
from law_table import LawTable, note_inputs
from wheels import build

# Tensors of tests are small: a second thread waits more than it works, most of all on a machine that
# is busy with other things. Set before anything imports torch; processes that tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

GOLDEN = Path(__file__).parent / "golden"
collect_ignore_glob = ["golden/triton_*"]  # kernels without the file around them

# Kernels run in Triton's interpreter, on a machine with a GPU too; test_gpu.py wants TRITON_INTERPRET=0.
# Triton looks for it when it is imported, which anything may do.
os.environ.setdefault("TRITON_INTERPRET", "1")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite the files in tests/golden"
    )
    parser.addoption("--law-table", help="write to this file how many inputs each test file tried")
    parser.addoption("--deep", action="store_true", help="run the slow sweeps too, and more cases")


def pytest_configure(config: pytest.Config) -> None:
    depth.load(config.getoption("--deep"))
    target = config.getoption("--law-table")
    if target and not hasattr(config, "workerinput"):
        table = LawTable(Path(target), depth.DEEP if config.getoption("--deep") else depth.QUICK)
        config.pluginmanager.register(table, "law table")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    report = yield
    note_inputs(item, report)
    return report


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--deep"):
        skip = pytest.mark.skip(reason="a slow sweep: run it with --deep")
        for item in items:
            if item.get_closest_marker("deep"):
                item.add_marker(skip)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the wheel and the sdist."""
    return build(tmp_path_factory.mktemp("build"))


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """``golden(name, text)``: the file tests/golden/<name> holds exactly this text."""

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        assert path.exists(), f"{path} is missing: run pytest --update-golden, then read it"
        assert text == path.read_bytes().decode(), (
            f"{name} changed: read the difference, then pytest --update-golden"
        )

    return check
