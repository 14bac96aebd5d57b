"""A curve of faithfulness over circuit size, as values."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from causalnet.errors import FormatError

__all__ = ["CurvePoint", "SizeCurve"]


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The faithfulness of one circuit.

    Attributes:
        size: How many units it has.
        estimate: The ratio of means; None where it is undefined.
        low: Lower end of Fieller's interval.
        high: Upper end.
        name: For a circuit of the claims, which: ids of claims.
    """

    size: int
    estimate: float | None
    low: float | None = None
    high: float | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class SizeCurve:
    """Faithfulness of the k units with the largest single effects, for growing k.

    Attributes:
        points: The curve.
        marks: The circuits of the claims, on the same prompts.
        n: Prompts of the curve.
        universe: How many units can be ablated.
        level: Of the intervals, point by point.
        ranking: What the units are ranked by, in words.
        not_done: Why there is no curve; "" where there is one.
    """

    points: tuple[CurvePoint, ...] = ()
    marks: tuple[CurvePoint, ...] = ()
    n: int = 0
    universe: int = 0
    level: float = 0.9
    ranking: str = ""
    not_done: str = ""

    def to_json(self) -> dict[str, Any]:
        """Give JSON values; `from_json` reads them back."""
        return asdict(self)

    @staticmethod
    def from_json(plain: Mapping[str, Any]) -> "SizeCurve":
        """Read what `to_json` gave.

        Raises:
            FormatError: Anything else.
        """
        try:
            points, marks = (
                tuple(CurvePoint(**one) for one in plain[key]) for key in ("points", "marks")
            )
            return SizeCurve(**{**plain, "points": points, "marks": marks})
        except (KeyError, TypeError) as error:
            raise FormatError(
                f"The curve cannot be read: {type(error).__name__}: {error}.",
                "It is what SizeCurve.to_json gave.",
                "Verify the claims again with the version of causalnet that is installed.",
            ) from error
