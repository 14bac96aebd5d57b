"""How shares, p-values and counts of sites are written: no rounding onto 0 or 1.

>>> share(0.25), share(1.0), share(0.99996), share(0.00004), share(1.85)
('0.250', '1.000', '0.99996', '0.00004', '1.850')
>>> percent(0.002), percent(1.0), percent(0.8509)
('0.2 %', '100 %', '85.1 %')
>>> probability(0.0312), probability(2.04e-7), probability(1.0)
('0.031', '2.0e-07', '1')
>>> some(["a", "b", "c", "d", "e", "f", "g"])
'a, b, c, d, e, f and 1 more'
"""

from collections.abc import Sequence

__all__ = ["percent", "probability", "share", "some"]

DECIMALS = 3
MOST_DECIMALS = 12
NAMED_AT_MOST = 6


def share(value: float) -> str:
    """Write a number whose 0 and 1 have a meaning, with as many decimals as keep it off them."""
    for decimals in range(DECIMALS, MOST_DECIMALS + 1):
        rounded = round(value, decimals)
        if all((rounded == end) == (value == end) for end in (0.0, 1.0)):
            return f"{value:z.{decimals}f}"
    return repr(value)


def percent(value: float) -> str:
    """Write a share in per cent, three digits."""
    return f"{100 * value:.3g} %"


def probability(value: float) -> str:
    """Write a p-value; 1 only where it is 1."""
    if value == 1:
        return "1"
    if value < 0.001:
        return f"{value:.1e}"
    return share(value)


def some(names: Sequence[str]) -> str:
    """Name the first few, and say how many more there are."""
    first = ", ".join(names[:NAMED_AT_MOST])
    more = len(names) - NAMED_AT_MOST
    return f"{first} and {more} more" if more > 0 else first
