"""The numbers in kernels/math.py, once in float32 and once in float64.

A helper picks one of the two tuples by the type of its argument: a bare literal would turn a
float32 loop to float64. The polynomials are minimax fits of the relative error of the function they
serve (Remez exchange in 60 digits; coefficients rounded to the type from the lowest up, the others
fitted again after each). Their error is 2^-26 to 2^-32 in float32 and 2^-56 to 2^-61 in float64.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .math_primitives import SHIFT32, SHIFT64


class Constants(NamedTuple):
    """What differs between float32 and float64, each number in the type itself."""

    zero: np.floating
    half: np.floating
    one: np.floating
    two: np.floating
    inf: np.floating
    nan: np.floating
    shift: np.floating
    log2_e: np.floating
    ln2_high: np.floating  # with so few bits that n ln2_high is exact
    ln2_low: np.floating
    exp_lowest: np.floating  # from here down, exp rounds to 0
    exp_highest: np.floating  # from here up, exp is infinite
    smallest_normal: np.floating
    to_normal: np.floating  # a power of two that makes any subnormal number normal
    to_normal_exponent: np.floating
    tanh_small: np.floating  # up to here tanh needs no argument reduction
    tanh_highest: np.floating  # above, tanh rounds to 1
    erf_highest: np.floating  # above, erf rounds to 1
    exp_tail: tuple[np.floating, ...]  # (e^r - 1 - r) / r^2 for abs(r) <= ln(2) / 2
    log_tail: tuple[np.floating, ...]  # (2 atanh(s) - 2 s) / s^3 in s^2 for abs(s) <= 1/5
    tanh_tail: tuple[np.floating, ...]  # (r / tanh(r) - 1) / r^2 in r^2 for abs(r) <= 0.55
    erf_tail: tuple[np.floating, ...]  # -ln(erfc(x)) / x - 1 for 0 <= x <= erf_highest


def _constants(real: type[np.floating], **values: Any) -> Constants:
    shared: dict[str, Any] = {
        "zero": 0,
        "half": 0.5,
        "one": 1,
        "two": 2,
        "inf": np.inf,
        "nan": np.nan,
    }
    typed: dict[str, Any] = {
        name: tuple(real(v) for v in value) if isinstance(value, tuple) else real(value)
        for name, value in (shared | {"tanh_small": 0.55} | values).items()
    }
    return Constants(**typed)


FLOAT32 = _constants(
    np.float32,
    shift=SHIFT32, log2_e=1.442695, ln2_high=0.69314575, ln2_low=1.4286068e-06,
    exp_lowest=-104, exp_highest=89,
    smallest_normal=2.0**-126, to_normal=2.0**24, to_normal_exponent=24,
    tanh_highest=10, erf_highest=3.95,
    exp_tail=(0.49999997, 0.16666539, 0.041667756, 0.008367124, 0.0013835668),
    log_tail=(0.6666689, 0.39963767, 0.30232078),
    tanh_tail=(0.3333333, -0.022221662, 0.0021114845, -0.00019448657),
    erf_tail=(
        0.12837917, 0.63661987, 0.102771096, -0.019117933, -0.00025012658, 0.0017927752,
        -0.00073388166, 0.00016382795, -2.0370931e-05, 1.088574e-06,
    ),
)  # fmt: skip

FLOAT64 = _constants(
    np.float64,
    shift=SHIFT64, log2_e=1.4426950408889634, ln2_high=0.693147180559663,
    ln2_low=2.8235290563031577e-13, exp_lowest=-746, exp_highest=710,
    smallest_normal=2.0**-1022, to_normal=2.0**54, to_normal_exponent=54,
    tanh_highest=20, erf_highest=5.95,
    exp_tail=(
        0.5, 0.16666666666666677, 0.04166666666666669, 0.008333333333321744,
        0.0013888888888883438, 0.00019841269885309413, 2.4801587298019944e-05,
        2.7557245354397023e-06, 2.7557322184989974e-07, 2.5108582306769594e-08,
        2.0892379188676617e-09,
    ),
    log_tail=(
        0.6666666666667078, 0.3999999999722565, 0.285714292030763, 0.22222154233577263,
        0.18185713714851412, 0.15262935319137316, 0.15270328700787628,
    ),
    tanh_tail=(
        0.3333333333333332, -0.022222222222208512, 0.0021164021159058837, -0.00021164020294751453,
        2.1377714795072957e-05, -2.1639259529686417e-06, 2.1767779880201625e-07,
        -1.9364488420361283e-08,
    ),
    erf_tail=(
        0.12837916709551256, 0.6366197723675875, 0.10277260330153729, -0.019128446998668013,
        -0.00020919478037225765, 0.001696207079898781, -0.0005901292901052154,
        2.5892748960323436e-05, 6.445266849933302e-05, -2.964217779302311e-05,
        3.2755216252561493e-06, 3.001091888568481e-06, -1.9070860142011638e-06,
        4.681713810420116e-07, 5.3010900189121836e-08, -9.85774857725245e-08,
        4.795771641127927e-08, -1.5120732769944082e-08, 3.4787004680880554e-09,
        -6.002979881884579e-10, 7.727868344681567e-11, -7.211726964308466e-12,
        4.604436026474007e-13, -1.7935535307328596e-14, 3.1979968973942677e-16,
    ),
)  # fmt: skip
