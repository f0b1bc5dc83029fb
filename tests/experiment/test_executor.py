"""Where draws are computed: errors reach the caller, Ctrl-C drops the rest, a missing executor says so."""

from __future__ import annotations

import _thread
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from deleverage.errors import InputError
from deleverage.experiment.executor import cores, run_tasks
from tests.experiment.small import answer_of, pair

MANY = 300
"""Tasks of 10 ms each: three seconds for one worker, unless the rest is dropped."""


class Counting:
    """A task that takes a moment, counts that it began, and does something at a given number."""

    def __init__(self, at: int, action: Callable[[], object]) -> None:
        self.begun = 0
        self.at, self.action = at, action

    def __call__(self, number: int) -> int:
        self.begun += 1
        if number == self.at:
            self.action()
        time.sleep(0.01)
        return number


def fail() -> None:
    raise ValueError("a draw went wrong")


@pytest.mark.parametrize("executor", ["threads", "process"])
def test_results_come_with_the_number_of_their_task(executor: str) -> None:
    found = dict(run_tasks(math.sqrt, [0.0, 1.0, 4.0, 9.0], executor, 2))
    assert found == {0: 0.0, 1: 1.0, 2: 2.0, 3: 3.0}


def process_of(_: int) -> int:
    return os.getpid()


def test_threads_stay_in_this_process_and_processes_leave_it() -> None:
    def pids(executor: str) -> set[int]:
        return {pid for _, pid in run_tasks(process_of, [0, 1, 2], executor, 1)}

    assert pids("threads") == {os.getpid()}
    assert os.getpid() not in pids("process")


def test_as_many_threads_as_asked_for_work_at_once() -> None:
    meeting = threading.Barrier(3)  # nobody passes before all three are there
    assert len(list(run_tasks(lambda _: meeting.wait(timeout=30), [0, 1, 2], "threads", 3))) == 3


def test_without_a_number_every_core_works() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)
    meeting = threading.Barrier(cores())
    assert len(list(run_tasks(lambda _: meeting.wait(timeout=30), range(cores())))) == cores()


def test_no_tasks_give_no_results() -> None:
    assert list(run_tasks(math.sqrt, [], "threads", 2)) == []


# --- errors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", ["threads", "process"])
def test_an_error_of_a_task_reaches_the_caller(executor: str) -> None:
    with pytest.raises(ValueError, match=r"math domain error|expected a nonnegative input"):
        list(run_tasks(math.sqrt, [4.0, -1.0, 9.0], executor, 1))


def test_after_an_error_the_tasks_that_have_not_begun_are_dropped() -> None:
    task = Counting(3, fail)
    with pytest.raises(ValueError, match="a draw went wrong"):
        list(run_tasks(task, range(MANY), "threads", 1))
    assert 4 <= task.begun < MANY / 2


def test_an_error_of_the_consumer_drops_the_rest() -> None:
    task = Counting(-1, fail)
    with pytest.raises(RuntimeError, match="the screen is gone"):
        for _ in run_tasks(task, range(MANY), "threads", 1):
            raise RuntimeError("the screen is gone")
    assert task.begun < MANY / 2


def test_ctrl_c_while_waiting_ends_the_run_and_drops_the_rest() -> None:
    task = Counting(5, _thread.interrupt_main)
    with pytest.raises(KeyboardInterrupt):
        for _ in run_tasks(task, range(MANY), "threads", 1):
            pass
    assert 6 <= task.begun < MANY / 2
    begun = task.begun
    time.sleep(0.05)
    assert task.begun == begun  # and nothing goes on behind the caller's back


def test_an_error_in_one_draw_is_the_error_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from deleverage.experiment import ensemble
    from deleverage.experiment.world import news_of

    def news(scenario: Any, world: Any, seed: int, draw: int) -> Any:
        if draw == 2:
            fail()
        return news_of(scenario, world, seed, draw)

    monkeypatch.setattr(ensemble, "news_of", news)
    with pytest.raises(ValueError, match="a draw went wrong"):
        answer_of(pair(), seeds=4, workers=2)


# --- executors that are not there -----------------------------------------------------------------------


def test_an_unknown_executor_is_named_beside_those_that_there_are() -> None:
    with pytest.raises(InputError) as caught:
        list(run_tasks(math.sqrt, [1.0], "cluster"))
    assert "'cluster'" in caught.value.message
    assert all(name in caught.value.message for name in ("threads", "process", "ray"))


def test_ray_that_is_not_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError) as caught:
        list(run_tasks(math.sqrt, [1.0], "ray"))
    assert "not installed" in caught.value.message
    assert "deleverage[ray]" in caught.value.hint


class Ray(SimpleNamespace):
    """The five calls of Ray that are used, in this process; finishes the last task first."""

    def __init__(self) -> None:
        super().__init__(started=False, cancelled=[])

    def is_initialized(self) -> bool:
        return bool(self.started)

    def init(self, **_: Any) -> None:
        self.started = True

    def remote(self, function: Any) -> Any:
        return SimpleNamespace(remote=lambda task: _Reference(function, task))

    def wait(
        self, references: list[_Reference], num_returns: int
    ) -> tuple[list[_Reference], list[_Reference]]:
        return references[-num_returns:], references[:-num_returns]

    def get(self, reference: _Reference) -> Any:
        return reference.function(reference.task)

    def cancel(self, reference: _Reference) -> None:
        self.cancelled.append(reference.task)


class _Reference:
    def __init__(self, function: Any, task: Any) -> None:
        self.function, self.task = function, task


def test_ray_gives_every_result_with_the_number_of_its_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", Ray())
    found = list(run_tasks(math.sqrt, [0.0, 1.0, 4.0], "ray"))
    assert found == [(2, 2.0), (1, 1.0), (0, 0.0)]


def test_ray_starts_without_sending_usage_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)
    monkeypatch.setitem(sys.modules, "ray", Ray())
    list(run_tasks(math.sqrt, [1.0], "ray"))
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


def test_after_an_error_the_tasks_that_ray_still_holds_are_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = Ray()
    monkeypatch.setitem(sys.modules, "ray", ray)
    with pytest.raises(ValueError, match=r"math domain error|expected a nonnegative input"):
        list(run_tasks(math.sqrt, [0.0, 1.0, -4.0], "ray"))
    assert sorted(ray.cancelled) == [0.0, 1.0]
