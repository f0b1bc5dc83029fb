"""deleverage: the open engine of leveraged markets and of what forces them down.

    import deleverage as dl
    answer = dl.run("double-trouble", seeds=8)
    answer.summary["mechanical_share"]

Public names are loaded when first used: importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from deleverage.claims import claims
    from deleverage.data.importing import import_paths
    from deleverage.data.lake import Lake
    from deleverage.engine.simulate import simulate
    from deleverage.experiment.answer import Answer
    from deleverage.experiment.run import run
    from deleverage.experiment.scenario import Scenario
    from deleverage.report.note import write_note
    from deleverage.venues.calculator.compare import margin

_HOME = {
    "Answer": "deleverage.experiment.answer",
    "Lake": "deleverage.data.lake",
    "Scenario": "deleverage.experiment.scenario",
    "import_paths": "deleverage.data.importing",
    "margin": "deleverage.venues.calculator.compare",
    "run": "deleverage.experiment.run",
    "simulate": "deleverage.engine.simulate",
    "write_note": "deleverage.report.note",
}

__all__ = [
    "Answer",
    "Lake",
    "Scenario",
    "__version__",
    "claims",
    "import_paths",
    "margin",
    "run",
    "simulate",
    "write_note",
]


def __getattr__(name: str) -> Any:
    if name == "claims":  # the room can be called, since importing it puts it here under its own name
        return import_module("deleverage.claims")
    if name not in _HOME:
        raise AttributeError(f"module 'deleverage' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
