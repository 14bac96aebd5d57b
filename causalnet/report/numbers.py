"""How numbers are written in a report, and where an axis gets its ticks.

>>> signed(-0.4216), signed(2.5), plain(0.8)
('−0.42', '+2.50', '0.80')
"""

import math

from causalnet.statistics.digits import fixed, shared_decimals

__all__ = ["brief", "measured", "plain", "precise", "signed", "ticks"]


def plain(value: float) -> str:
    """Write a number with two decimals, more where it is small, fewer where it is large."""
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    size = abs(value)
    if size == 0:
        return "0"
    text = f"{value:.{_decimals(size)}f}" if 1e-4 <= size < 1e7 else f"{value:.1e}"
    return text.replace("-", "−")


def signed(value: float) -> str:
    """Write a number with its sign, as effects are."""
    return f"+{plain(value)}" if value > 0 else plain(value)


def brief(value: float) -> str:
    """Write a signed number in four or five characters, for a small place.

    >>> brief(-1.923), brief(0.42), brief(-31.4)
    ('−1.9', '+.42', '−31')
    """
    decimals = 0 if abs(value) >= 9.95 else 1 if abs(value) >= 0.995 else 2
    text = f"{value:+.{decimals}f}" if abs(value) < 1e4 else f"{value:+.0e}"
    text = text.replace("-", "−")
    return text.replace("0.", ".", 1) if abs(value) < 0.995 else text


def precise(value: float, digits: int = 4) -> str:
    """Write a number with so many digits that rounding does not carry it over a threshold.

    >>> precise(0.80204), precise(4.0), precise(0.0059713, 3)
    ('0.802', '4', '0.00597')
    """
    return f"{value:.{digits}g}".replace("-", "−") if math.isfinite(value) else plain(value)


def measured(
    estimate: float | None,
    low: float | None,
    high: float | None,
    threshold: float | None = None,
    *,
    sign: bool = False,
) -> tuple[str, str]:
    """Write an estimate and its interval with the same decimals; an infinite end is open.

    Args:
        estimate: The estimate; written as an empty text where there is none.
        low: Lower end, if there is an interval.
        high: Upper end, if there is an interval.
        threshold: What the ends are compared with: rounding keeps them on their side.
        sign: Write a plus, as effects have it.

    >>> measured(0.887, 0.8253, 0.9456), measured(-0.42, -0.6, float("inf"), sign=True)
    (('0.887', '[0.825, 0.946]'), ('−0.420', '[−0.600, ∞)'))
    """
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        alone = "" if estimate is None else signed(estimate) if sign else precise(estimate, 3)
        return alone, ""
    decimals = shared_decimals(low, high, threshold)

    def write(value: float) -> str:
        text = fixed(value, decimals, sign=sign) if math.isfinite(value) else plain(value)
        return text.replace("-", "−")

    left, right = "(" if math.isinf(low) else "[", ")" if math.isinf(high) else "]"
    middle = "" if estimate is None else write(estimate)
    return middle, f"{left}{write(low)}, {write(high)}{right}"


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return about `count` round values inside the range.

    >>> ticks(0.0, 1.0)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def _decimals(size: float) -> int:
    if size >= 100:
        return 0
    if size >= 10:
        return 1
    if size >= 0.0995:
        return 2
    return 1 - math.floor(math.log10(size))
