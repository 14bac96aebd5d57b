"""How many digits a number is written with: those that its interval has earned.

The ends and the estimate are written with as many decimals as give the width three digits, and
with more where rounding would carry an end onto the threshold that it is compared with.  An
interval that is no wider than rounding errors of the model is written as a point.

>>> shared_decimals(4.232, 7.016), shared_decimals(-0.01253, 0.02463)
(2, 4)
>>> shared_decimals(0.8004, 12.3), shared_decimals(0.8004, 12.3, threshold=0.8)
(1, 4)
>>> shared_decimals(0.9999999998, 1.0)
2
>>> fixed(5.6231, 2), fixed(-0.0001, 2)
('5.62', '0.00')
"""

import math

__all__ = ["fixed", "shared_decimals"]

WIDTH_DIGITS = 3
MOST_DECIMALS = 12
ROUNDING = 1e-6  # relative; what float32 sums leave where all prompts give one number
LARGEST = 1e7  # from here on powers of ten are easier to read


def shared_decimals(low: float, high: float, threshold: float | None = None) -> int:
    """Return the decimals with which an interval and its estimate are written.

    Args:
        low: Lower end; may be minus infinity.
        high: Upper end; may be infinity.
        threshold: What the ends are compared with: rounding carries neither onto or over it.
    """
    ends = [end for end in (low, high) if math.isfinite(end)]
    size = max(map(abs, ends), default=0.0)
    width = high - low if len(ends) == 2 and high - low > ROUNDING * size else size
    needed = WIDTH_DIGITS - 1 - math.floor(math.log10(width)) if width > 0 else WIDTH_DIGITS
    decimals = min(max(needed, 0), MOST_DECIMALS)
    while threshold is not None and decimals < MOST_DECIMALS:
        if all(_side(round(end, decimals), threshold) == _side(end, threshold) for end in ends):
            break
        decimals += 1
    return decimals


def _side(value: float, threshold: float) -> int:
    return 1 if value > threshold else -1 if value < threshold else 0


def fixed(value: float, decimals: int, *, sign: bool = False) -> str:
    """Write a number with so many decimals; very large ones as powers of ten.

    >>> fixed(1.5, 3, sign=True), fixed(2.5e9, 0), fixed(float("-inf"), 2)
    ('+1.500', '2.5e+09', '-inf')
    """
    plus = "+" if sign and value != 0 else ""
    return f"{value:{plus}.4g}" if abs(value) >= LARGEST else f"{value:{plus}z.{decimals}f}"
