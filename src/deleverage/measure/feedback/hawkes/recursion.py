"""How much of every earlier event is still alive at each event? In one pass.

With a decay β, weights w and times t, the excitation left at event i, itself not counted, is

    A_i = Σ_{j<i} w_j·e^{−β(t_i − t_j)} = e^{−β(t_i − t_{i−1})}·(w_{i−1} + A_{i−1}),        A_1 = 0,

and its slope in β is D_i = −(t_i − t_{i−1})·A_i + e^{−β(t_i − t_{i−1})}·D_{i−1}. This file holds the one
kernel of the measures: of these, only a change in this folder recompiles kernels.

Source: Ogata (1981), "On Lewis' simulation method for point processes", for the recursion.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from deleverage.jit import kernel

Floats = NDArray[np.float64]


@kernel
def excite(times: Floats, weights: Floats, decay: float, alive: Floats, slope: Floats) -> None:
    """Fill A and dA/dβ at every event.

    times : float64 [N], rising; ties are in order of arrival. weights : float64 [N]. decay : β > 0 [1 ÷ unit
    of time]. alive, slope : float64 [N], written.
    """
    a = 0.0
    d = 0.0
    for i in range(times.size):
        if i > 0:
            gap = times[i] - times[i - 1]
            left = math.exp(-decay * gap)
            a = left * (weights[i - 1] + a)
            d = left * d - gap * a
        alive[i] = a
        slope[i] = d
