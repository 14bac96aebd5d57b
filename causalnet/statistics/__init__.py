"""Intervals, confidence sequences and verdicts: the one place for means and tests.

| what | where | source |
|---|---|---|
| `student_interval`, `ratio_interval` | `fixed_sample` | Student 1908; Fieller 1954 |
| `MeanSequence`, `RatioSequence` | `sequences`, `bounds`, `mixture` | Waudby-Smith et al. 2021; \
Wang and Ramdas 2024; Johnson 1978 |
| `WinSequence` | `wins` | Robbins 1970 |
| `BoundedSequence`, `BoundedRatioSequence` | `betting`, `betting_ratio` | Waudby-Smith and Ramdas \
2024 |
| `MeanJudge`, `RatioJudge`, `WinJudge` | `judges`, `judging` | Schuirmann 1987 for bands |
| `BoundedJudge`, `BoundedRatioJudge` | `bounded_judges` | |
| `SweepJudge`, `Finding` | `sweep_judge`, `columns`, `evidence` | Wang and Ramdas 2024 |
| `IntersectionJudge` | `intersection` | Berger 1982 |
| `CorrelationSequence`, `CorrelationJudge` | `correlation` | |
| `monte_carlo_p`, `fewest_draws` | `monte_carlo` | Besag and Clifford 1991 |
| `needed_prompts`, `needed_bounded_prompts`, `fewest_prompts` | `planning` | |
| `holm`, `e_benjamini_hochberg` | `families` | Holm 1979; Wang and Ramdas 2022 |
| `Interval`, `Verdict`, `Reason`, `Decision`, `TracePoint` | `interval`, `decision` | |
| `sample_like` | `random_circuits` | |
"""

from causalnet.statistics.betting import BoundedSequence
from causalnet.statistics.betting_ratio import BoundedRatioSequence
from causalnet.statistics.bounded_judges import BoundedJudge, BoundedRatioJudge
from causalnet.statistics.correlation import CorrelationJudge, CorrelationSequence
from causalnet.statistics.decision import (
    Decision,
    Direction,
    Reason,
    TracePoint,
    Verdict,
    verdict_of,
    verdict_within,
)
from causalnet.statistics.families import e_benjamini_hochberg, holm
from causalnet.statistics.fixed_sample import ratio_interval, student_interval
from causalnet.statistics.intersection import IntersectionJudge
from causalnet.statistics.interval import Interval
from causalnet.statistics.judges import MeanJudge, RatioJudge, WinJudge
from causalnet.statistics.monte_carlo import MonteCarloP, fewest_draws, monte_carlo_p
from causalnet.statistics.planning import fewest_prompts, needed_bounded_prompts, needed_prompts
from causalnet.statistics.random_circuits import sample_like
from causalnet.statistics.sequences import MeanSequence, RatioSequence
from causalnet.statistics.sweep_judge import Finding, SweepJudge
from causalnet.statistics.wins import WinSequence

__all__ = [
    "BoundedJudge",
    "BoundedRatioJudge",
    "BoundedRatioSequence",
    "BoundedSequence",
    "CorrelationJudge",
    "CorrelationSequence",
    "Decision",
    "Direction",
    "Finding",
    "IntersectionJudge",
    "Interval",
    "MeanJudge",
    "MeanSequence",
    "MonteCarloP",
    "RatioJudge",
    "RatioSequence",
    "Reason",
    "SweepJudge",
    "TracePoint",
    "Verdict",
    "WinJudge",
    "WinSequence",
    "e_benjamini_hochberg",
    "fewest_draws",
    "fewest_prompts",
    "holm",
    "monte_carlo_p",
    "needed_bounded_prompts",
    "needed_prompts",
    "ratio_interval",
    "sample_like",
    "student_interval",
    "verdict_of",
    "verdict_within",
]
