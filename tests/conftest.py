"""What all tests share: golden files, how deep to look, and numbers that do not change by the run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Tensors of tests are small: a second thread waits more than it works, most of all on a machine that
# is busy with other things. Set before anything imports torch; processes that tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

GOLDEN = Path(__file__).parent / "golden"
collect_ignore_glob = ["golden/triton_*"]  # kernels without the file around them

# Kernels run in Triton's interpreter, on a machine with a GPU too; test_gpu.py wants TRITON_INTERPRET=0.
# Triton looks for it when it is imported, which anything may do.
os.environ.setdefault("TRITON_INTERPRET", "1")

# Quick for every run, the same cases each time; deep for the sweeps that stand behind --deep.
common = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", common, max_examples=50, derandomize=True)
settings.register_profile("deep", common, max_examples=2000)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite the files in tests/golden"
    )
    parser.addoption("--deep", action="store_true", help="run the slow sweeps too, and more cases")


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("deep" if config.getoption("--deep") else "quick")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--deep"):
        skip = pytest.mark.skip(reason="a slow sweep: run it with --deep")
        for item in items:
            if item.get_closest_marker("deep"):
                item.add_marker(skip)


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
