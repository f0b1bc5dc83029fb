"""Where draws are computed: threads of this process, other processes, or a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Literal, Protocol, TypeVar

from deleverage.errors import InputError

Task = TypeVar("Task")
Result = TypeVar("Result")

ExecutorName = Literal["threads", "process", "ray"]


class Mapper(Protocol):
    """Applies a function to tasks; yields (number of the task, result) as they finish."""

    def __call__(
        self, function: Callable[[Task], Result], tasks: Sequence[Task], /
    ) -> Iterator[tuple[int, Result]]:
        """Results in the order in which they finish."""
        ...


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_tasks(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    executor: str = "threads",
    workers: int | None = None,
) -> Iterator[tuple[int, Result]]:
    """Apply ``function`` to every task; yields (number, result) as they finish.

    Results do not depend on the executor or the number of workers: a task carries all that it needs. When the
    consumer stops (an error, Ctrl-C), tasks that have not begun are dropped.

    Raises
    ------
    InputError
        an unknown executor, or Ray asked for and not installed.
    """
    count = workers or cores()
    if executor == "ray":
        yield from _run_ray(function, tasks)
    elif executor == "process":
        # Spawn: forking after numba's threads have started is not safe.
        yield from _run_pool(ProcessPoolExecutor(count, mp_context=get_context("spawn")), function, tasks)
    elif executor == "threads":
        yield from _run_pool(ThreadPoolExecutor(count), function, tasks)
    else:
        raise InputError(f"expected an executor among threads, process, ray; found '{executor}'")


def _run_pool(
    pool: Executor, function: Callable[[Task], Result], tasks: Sequence[Task]
) -> Iterator[tuple[int, Result]]:
    try:
        futures = {pool.submit(function, task): number for number, task in enumerate(tasks)}
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _run_ray(function: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[tuple[int, Result]]:
    try:
        import ray
    except ImportError:
        raise InputError(
            "expected Ray for --executor ray, found it not installed", hint="pip install 'deleverage[ray]'"
        ) from None
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if not ray.is_initialized():
        ray.init(log_to_driver=False)
    remote = ray.remote(function)
    waiting = {remote.remote(task): number for number, task in enumerate(tasks)}
    try:
        while waiting:
            done, _ = ray.wait(list(waiting), num_returns=1)
            for reference in done:
                yield waiting.pop(reference), ray.get(reference)
    finally:
        for reference in waiting:
            ray.cancel(reference)
