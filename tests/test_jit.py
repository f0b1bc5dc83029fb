"""A kernel that runs is the kernel that is written: no stale cache, with or without compilation."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import deleverage
from deleverage import jit

PACKAGE = Path(deleverage.__file__).parent
INNER = """
from deleverage.jit import kernel

SCALE = 10

@kernel
def inner(x: int) -> int:
    return x * SCALE
"""
OUTER = """
from deleverage.engine.probe_inner import inner
from deleverage.jit import kernel

@kernel
def outer(x: int) -> int:
    return inner(x) + 1
"""
CALL = """
from deleverage import jit
from deleverage.engine.probe_outer import outer
value = outer(1)
print(value, sum(outer.door.stats.cache_hits.values()) if jit.ENABLED else "plain", jit.cache_folder())
"""


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of the package's root files with two kernels, one of which calls the other."""
    package = tmp_path / "src" / "deleverage"
    (package / "engine").mkdir(parents=True)
    for file in PACKAGE.glob("*.py"):
        shutil.copy(file, package)
    shutil.copytree(PACKAGE / "schema", package / "schema", ignore=shutil.ignore_patterns("__pycache__"))
    (package / "__init__.py").write_text("")
    (package / "engine" / "__init__.py").write_text("")
    (package / "engine" / "probe_inner.py").write_text(INNER)
    (package / "engine" / "probe_outer.py").write_text(OUTER)
    return tmp_path


def call(copied: Path, cache: Path | None = None, **more: str) -> tuple[str, str, str]:
    """Value, cache hits and cache folder of the probe in a process of its own."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(copied / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "DELEVERAGE_JIT": "1",
        "DELEVERAGE_CACHE_DIR": str(cache or copied / "cache"),
        **more,
    }
    done = subprocess.run([sys.executable, "-c", CALL], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    value, hits, folder = done.stdout.strip().split(" ", 2)
    return value, hits, folder


def test_changed_callee_in_another_file_is_seen_by_its_cached_caller(copied: Path) -> None:
    inner = copied / "src/deleverage/engine/probe_inner.py"
    value, hits, first = call(copied)
    assert (value, hits) == ("11", "0")
    assert call(copied) == ("11", "1", first)  # the cache is in use, so the trap is set

    inner.write_text(INNER.replace("SCALE = 10", "SCALE = 20"))
    value, hits, second = call(copied)
    assert (value, hits) == ("21", "0")
    assert second != first

    inner.write_text(INNER)
    assert call(copied) == ("11", "1", first)  # and going back finds the old kernels again


def folder(copied: Path) -> str:
    """Cache folder of the copied package, without the cost of compiling."""
    environment = {**os.environ, "PYTHONPATH": str(copied / "src"), "DELEVERAGE_JIT": "0"}
    program = "from deleverage import jit; print(jit.cache_folder())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    "file",
    ["units.py", "errors.py", "jit.py", "schema/table.py", "engine/__init__.py", "engine/probe_outer.py"],
)
def test_changing_a_source_of_kernels_changes_the_folder(copied: Path, file: str) -> None:
    before = folder(copied)
    with open(copied / "src/deleverage" / file, "a") as source:
        source.write("\n# another line\n")
    assert folder(copied) != before


def test_new_file_beside_kernels_changes_the_folder(copied: Path) -> None:
    before = folder(copied)
    (copied / "src/deleverage/engine/more.py").write_text("")
    assert folder(copied) != before


def test_folder_that_cannot_be_written_means_no_cache_at_all(copied: Path) -> None:
    # numba alone would fall back to __pycache__ beside the sources, where the trap is open
    blocked = copied / "a_file"
    blocked.write_text("")
    assert call(copied, blocked / "cache")[:2] == ("11", "0")
    inner = copied / "src/deleverage/engine/probe_inner.py"
    inner.write_text(INNER.replace("SCALE = 10", "SCALE = 20"))
    assert call(copied, blocked / "cache")[:2] == ("21", "0")
    assert not list(copied.rglob("*.nbi"))


def test_caches_stay_out_of_the_package(copied: Path) -> None:
    cache = call(copied)[2]
    assert list(Path(cache).rglob("*.nbi"))
    assert not list((copied / "src").rglob("*.nbi"))


def test_same_source_runs_without_numba(copied: Path) -> None:
    assert call(copied, DELEVERAGE_JIT="0")[:2] == ("11", "plain")


def test_numba_that_was_imported_first_is_told_where_to_cache(copied: Path) -> None:
    program = "import numba, deleverage.jit as jit; print(numba.config.CACHE_DIR == str(jit.cache_folder()))"
    environment = {**os.environ, "DELEVERAGE_JIT": "1", "DELEVERAGE_CACHE_DIR": str(copied)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert done.stdout.strip() == "True", done.stderr


def imports(file: Path) -> tuple[set[Path], bool]:
    """Files of the package that a file imports anywhere, and whether it makes kernels."""
    found: set[Path] = set()
    makes_kernels = False
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute here"
            base = node.module or ""
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
            makes_kernels |= base == "deleverage.jit" and any(alias.name == "kernel" for alias in node.names)
        for name in names:
            parts = name.split(".")
            if parts[0] == "deleverage":
                place = PACKAGE.joinpath(*parts[1:])
                found |= {one for one in (place.with_suffix(".py"), place / "__init__.py") if one.is_file()}
    return found - {PACKAGE / "__init__.py"}, makes_kernels


def test_everything_that_a_kernel_is_made_of_is_in_the_fingerprint() -> None:
    hashed = set(jit.kernel_sources())
    graph = {file: imports(file) for file in PACKAGE.rglob("*.py")}
    for start in (file for file, (_, makes_kernels) in graph.items() if makes_kernels):
        reached, waiting = set(), {start}
        while waiting:
            file = waiting.pop()
            reached.add(file)
            waiting |= graph[file][0] - reached
        outside = sorted(str(file.relative_to(PACKAGE)) for file in reached - hashed)
        assert not outside, f"{start.relative_to(PACKAGE)} reaches {outside}: add them to jit._KERNEL_ROOMS"
