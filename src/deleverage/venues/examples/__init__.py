"""Which worked examples can the program answer? Every adapter file of this folder is found here, once.

An adapter file is any module beside this one but the registry, the reader and the runner: adding one needs
no edit.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from deleverage.venues.examples.registry import ANSWERS, Answer

_NO_ADAPTERS = frozenset({"file", "registry", "run"})


def answers_by_kind() -> Mapping[tuple[str, str], Answer]:
    """Every registered function by (venue, kind); imports the adapter files when first called."""
    _import_adapters()
    return MappingProxyType(ANSWERS)


@cache
def _import_adapters() -> None:
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    for name in names:
        if name not in _NO_ADAPTERS:
            importlib.import_module(f"{__name__}.{name}")
