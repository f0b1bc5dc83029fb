"""The only door to numba: compiled kernels, or the same source as plain Python.

``DELEVERAGE_JIT=0`` runs every kernel as ordinary Python (coverage, readable failures).

numba does not notice that a *callee* in another file changed when it loads a cached caller, so a
stale kernel could run without any sign of it. The cache therefore lives in a folder named after a
hash of every source file that a kernel can be made of (its constants count: they are compiled in),
of numba's version and of Python's: change a line and the folder is another one. Where that folder
cannot be written nothing is cached, since numba would then fall back to one beside the sources.

Most kernels are only ever called by other kernels. Compiled as such they need no door for Python, which
for a state of two dozen arrays costs more than the body; the door is built when Python first calls one.
Nor do they become machine code of their own: left to itself numba optimises every kernel together with all
that it calls, and again in each of its callers, so that a chain of kernels is compiled once for every link.
Here they stay text until a door takes them in, and the whole of it is optimised once (decision 0017).
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable
from functools import cached_property, update_wrapper
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

if TYPE_CHECKING:

    class Record:
        """A structured scalar as kernels see it: fields by name."""

        dtype: np.dtype[np.void]

        def __getitem__(self, name: str, /) -> Any:
            """Field by name."""

        def __setitem__(self, name: str, value: Any, /) -> None:
            """Set a field."""

else:
    Record = np.record

F = TypeVar("F", bound=Callable[..., object])

ENABLED = os.environ.get("DELEVERAGE_JIT", "1") != "0"
_PACKAGE = Path(__file__).parent
# What a kernel can be made of. A test follows the imports of every file with a kernel and fails
# where they leave these rooms.
_KERNEL_ROOMS = (
    "errors.py",
    "jit.py",
    "measure/feedback/hawkes",
    "schema",
    "units.py",
    "venues",
    "positions",
    "engine",
)
_NO_KERNELS = ("venues/examples", "venues/calculator")


def kernel_sources() -> list[Path]:
    """Every file whose text is part of the fingerprint, sorted."""
    rooms = [_PACKAGE / room for room in _KERNEL_ROOMS]
    return sorted(
        file
        for room in rooms
        for file in ([room] if room.suffix else room.rglob("*.py"))
        if not file.relative_to(_PACKAGE).as_posix().startswith(_NO_KERNELS)
    )


def kernel_fingerprint() -> str:
    """Hash of every source that a kernel can be made of, with numba's and Python's versions."""
    digest = hashlib.sha256(f"{version('numba')}|{sys.version_info[:3]}".encode())
    for file in kernel_sources():
        digest.update(f"|{file.relative_to(_PACKAGE).as_posix()}|".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:20]


def cache_folder() -> Path:
    """Folder that holds the compiled kernels of exactly this source."""
    base = os.environ.get("DELEVERAGE_CACHE_DIR")
    if base:
        root = Path(base)
    else:
        root = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "deleverage"
    return root / "kernels" / kernel_fingerprint()


def _can_write(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def kernels_cached() -> bool:
    """True when kernels of exactly this source have been compiled before (or none are compiled at all)."""
    return not ENABLED or any(cache_folder().rglob("*.nbc"))


if ENABLED:
    _FOLDER = cache_folder()
    _CACHED = _can_write(_FOLDER)
    os.environ["NUMBA_CACHE_DIR"] = str(_FOLDER)
    # At level 1 LLVM compiles the step faster than at 2 or 3, and what it makes is as fast (measured,
    # decision 0017).
    os.environ.setdefault("NUMBA_OPT", "1")
    import numba

    # The environment is read once, at numba's import: if somebody imported it first, tell numba now.
    numba.config.CACHE_DIR = str(_FOLDER)  # type: ignore[attr-defined]

    from numba import _dynfunc  # type: ignore[attr-defined]
    from numba.core.codegen import JITCodeLibrary
    from numba.core.compiler import CompilerBase, DefaultPassBuilder, _LowerResult
    from numba.core.compiler_machinery import register_pass
    from numba.core.typed_passes import NativeLowering
    from numba.extending import typeof_impl

    class _Text(JITCodeLibrary):
        """Code that doors take in: neither optimised nor turned into machine code by itself."""

        def _optimize_final_module(self) -> None:
            pass

        def _finalize_final_module(self) -> None:
            self._finalize_dynamic_globals()
            self._verify_declare_only_symbols()
            self._finalized = True

    @register_pass(mutates_CFG=True, analysis_only=False)
    class _TextLowering(NativeLowering):
        """As numba lowers a function, but into `_Text`."""

        _name = "text_lowering"

        def run_pass(self, state: Any) -> bool:
            library = _Text(state.targetctx.codegen(), state.func_id.func_qualname)
            state.library = library
            state.flags.no_compile = True
            super().run_pass(state)
            fndesc, helper, _, env = state["cr"]
            # Its callers find it by this object; nobody ever calls that, since it has no machine code.
            entry = _dynfunc.make_function(
                fndesc.lookup_module(), fndesc.qualname.split(".")[-1], "", 0, env, (library,)
            )
            state.targetctx.insert_user_function(entry, fndesc, [library])
            state.reload_init.extend(library._reload_init)
            state["cr"] = _LowerResult(fndesc, helper, cfunc=entry, env=env)
            return True

    class _TextCompiler(CompilerBase):
        """numba's own passes, with the other lowering."""

        def define_pipelines(self) -> list[Any]:
            steps = DefaultPassBuilder.define_nopython_pipeline(self.state)
            steps.add_pass_after(_TextLowering, NativeLowering)
            steps.passes = [step for step in steps.passes if step[0] is not NativeLowering]
            steps.finalize()
            return [steps]

    # numba's types do not know the two options that leave its doors out.
    _BARE: Any = {"nogil": True, "fastmath": False, "error_model": "numpy", "no_cfunc_wrapper": True}

    class Kernel:
        """One function in two forms: bare for other kernels, with a door (and a cache) for Python."""

        def __init__(self, function: Callable[..., Any], allocates: bool) -> None:
            update_wrapper(self, function)
            self.py_func = function
            self.bare = numba.njit(
                **{**_BARE, "no_cpython_wrapper": True, "_nrt": allocates}, pipeline_class=_TextCompiler
            )(function)

        @cached_property
        def door(self) -> Any:
            """The form that Python calls; cached on disk with everything that it is made of."""
            return numba.njit(**{**_BARE, "cache": _CACHED})(self.py_func)

        def __call__(self, *args: Any) -> Any:
            """Call from Python."""
            return self.door(*args)

    @typeof_impl.register(Kernel)
    def _typeof_kernel(kernel: Kernel, _context: object) -> Any:
        """Inside a kernel, the name of another one means its bare form."""
        return kernel.bare._numba_type_

    def kernel(function: F) -> F:
        """Compile ``function``: no Python objects, no exceptions, no fast-math, GIL released.

        It may not make arrays. Then nobody counts references to the arrays that it is given: with two dozen
        in every call, counting took a third of a run, and threads waited for each other's counts.
        """
        return cast(F, Kernel(function, allocates=False))

    def allocating_kernel(function: F) -> F:
        """Compile a function that makes arrays; for the few that must."""
        return cast(F, Kernel(function, allocates=True))

else:

    def kernel(function: F) -> F:
        """Leave ``function`` as it is: the same code, run by the interpreter."""
        return function

    allocating_kernel = kernel
