"""From what `verify` gives to what a report shows."""

import math
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from causalnet.claims import ClaimFile, ClaimResult, VerificationReport
from causalnet.claims.conventions import guarantee_of
from causalnet.claims.reporting import reporting_of
from causalnet.cli.report_evidence import (
    chance_views,
    convention_table,
    field_views,
    grade_of_result,
    grade_views,
    size_curve_view,
)
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

if TYPE_CHECKING:
    from causalnet.effects import Effect, EffectTable

__all__ = ["model_line", "report_view", "task_line"]

ESTIMANDS = {"NIE/v1": "natural indirect effect", "AE/v1": "ablation effect"}
LARGEST = 12  # rows of the table of effects


def report_view(report: VerificationReport) -> ReportView:
    """Return everything that a report shows, as plain values."""
    shape = report.provenance["shape"]
    effects = {} if report.effects is None else {one.label: one for one in report.effects.effects()}
    reporting = reporting_of(report)
    return ReportView(
        title=report.claim_file.title,
        task=task_line(report),
        model=model_line(report),
        verdicts=tuple(
            _verdict(report.claim_file, one, grade_of_result(reporting, one))
            for one in report.results
        ),
        heatmap=None if report.effects is None else _heatmap(report.effects, shape),
        circuit=Circuit(
            layers=shape["layers"],
            heads=shape["heads"],
            kv_heads=shape["kv_heads"],
            members=tuple(_member(name, effects.get(name)) for name in report.nodes),
            unit=report.results[0].readout_unit or "logits",
        ),
        effects=() if report.effects is None else _largest(report.effects),
        provenance=tuple(_provenance(report)),
        notes=report.notes,
        conventions=convention_table(report),
        curve=size_curve_view(report.curve),
        chance=tuple(chance_views(report)),
        grades=grade_views(reporting),
        fields=field_views(reporting),
    )


def model_line(report: VerificationReport) -> str:
    """Return one line about the model."""
    model = report.provenance["model"]
    name = str(model["source"]).rsplit("/", 1)[-1]
    return f"{name}, {model['dtype']} on {model['device']}, weights {model['weights_sha256'][:12]}…"


def task_line(report: VerificationReport) -> str:
    """Return one line about the prompts."""
    record: Mapping[str, Any] = report.provenance["pairs"]["record"]
    task = report.claim_file.task
    seed = "" if task.file is not None else f", seed {report.provenance['seed']}"
    corruption = f", corruption {record['corruption']}" if record.get("corruption") else ""
    used, declared = report.cost.prompts, report.cost.prompts_declared
    return f"{task.name or task.file}, {used} of {declared} pairs used{seed}{corruption}"


def _verdict(claim_file: ClaimFile, result: ClaimResult, grade: str) -> VerdictRow:
    decision, interval = result.decision, result.decision.interval
    return VerdictRow(
        statement=result.claim.statement,
        kind=result.claim.kind.replace("_", " "),
        verdict=decision.verdict.value,
        reason=result.why,
        estimate=None if math.isnan(decision.estimate) else decision.estimate,
        low=None if interval is None else interval.low,
        high=None if interval is None else interval.high,
        level=None if interval is None else interval.level,
        threshold=float(decision.threshold),
        direction=decision.direction,
        alpha=decision.alpha,
        n=decision.n,
        unit=result.unit,
        counted="random circuits" if result.claim.kind == "better_than_random" else "prompts",
        trace=tuple(TracePoint(at.n, at.estimate, at.low, at.high) for at in decision.trace),
        conventions=tuple(result.conventions.items()),
        expected=None if result.expected is None else result.expected.value,
        guarantee=guarantee_of(claim_file, result.claim),
        upper=None if decision.within is None else decision.within[1],
        grade=grade,
    )


def _heatmap(table: "EffectTable", shape: Mapping[str, int]) -> Heatmap:
    said = table.conventions
    count = len(table.prompts)
    return Heatmap(
        layers=shape["layers"],
        heads=shape["heads"],
        cells=tuple(_cell(effect) for effect in table.effects()),
        unit=said.unit,
        estimand=ESTIMANDS.get(said.estimand, said.estimand),
        outcome=said.readout.split("/")[0].replace("_", " "),
        method=f"exact: every head patched by itself on {count} pairs; {said.ablation}",
        prompts=count,
        level=0.95,
        at=said.at,
    )


def _cell(effect: "Effect") -> HeatCell:
    layer, head, _ = _place(effect.label)
    low, high = _ends(effect)
    return HeatCell(effect.label, layer, head, effect.mean, low, high)


def _member(name: str, effect: "Effect | None") -> Member:
    layer, head, is_mlp = _place(name)
    if effect is None:
        return Member(name, layer, head, is_mlp)
    low, high = _ends(effect)
    return Member(name, layer, head, is_mlp, effect.mean, low, high)


def _place(name: str) -> tuple[int, int | None, bool]:
    """Return layer, head (if it is one) and whether it is an MLP."""
    found = re.match(r"L(?P<layer>\d+)(?:\.H(?P<head>\d+))?", name)
    if found is None:  # embed
        return 0, None, False
    head = None if found["head"] is None else int(found["head"])
    return int(found["layer"]), head, name.endswith(".mlp")


def _ends(effect: "Effect") -> tuple[float | None, float | None]:
    interval = effect.interval
    return (None, None) if interval is None else (interval.low, interval.high)


def _largest(table: "EffectTable") -> tuple[EffectRow, ...]:
    return tuple(EffectRow(one.label, one.mean, *_ends(one)) for one in table.top(LARGEST))


def _provenance(report: VerificationReport) -> Iterator[ProvenanceGroup]:
    known = report.provenance
    model, claim_file, cost = known["model"], known["claim_file"] or {}, report.cost
    yield _group(
        "Run",
        {
            "command": shlex.join(known["command"]),
            "time": known["time"],
            "seed": known["seed"],
            "claim file": claim_file.get("path", "built in Python"),
            "claim file sha256": claim_file.get("sha256", ""),
            "forwards": cost.forwards,
            "batch": cost.batch_size,
            "CPU": f"{cost.cpu_seconds:.1f} s",
        },
    )
    wanted = ("source", "kind", "weights_sha256", "tokenizer_sha256", "file_sha256", "dtype")
    named = {name.replace("_", " "): model[name] for name in (*wanted, "device", "attention")}
    yield _group("Model", named)
    check = known["self_check"]
    yield _group(
        "Graph",
        {
            "fingerprint": known["graph"],
            "self-check": f"logits rebuilt to {check['difference']:.1e} "
            f"of at most {check['tolerance']:.1e}",
        },
    )
    yield _group(
        "Prompts",
        {
            "digest": known["pairs"]["digest"],
            "circuit found by": report.claim_file.found.method,
            "prompts that also found it": "not known"
            if known["overlap"] is None
            else known["overlap"],
        },
    )
    versions = {"python": known["python"], **model["versions"], "threads": known["threads"]}
    yield _group("Versions", versions)


def _group(title: str, facts: Mapping[str, object]) -> ProvenanceGroup:
    rows = tuple((name, str(value)) for name, value in facts.items() if value not in (None, ""))
    return ProvenanceGroup(title, rows)
