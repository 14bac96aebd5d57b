"""What a report of claims has to say, field by field, and the grade of every circuit.

Every field holds a value or says why it was not done.  The fields follow the items of MI-CLAIM-GEN
(2024): design, data, model, evaluation, examination, reproducibility.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from causalnet.claims.conventions import describe_task
from causalnet.claims.grades import Evidence, Grade, grade_of
from causalnet.claims.kinds import SimulatesClaim
from causalnet.claims.reporting_evidence import circuits_of, evidence_of, kinds_of

if TYPE_CHECKING:
    from causalnet.claims.results import ClaimResult, VerificationReport

__all__ = ["FieldGroup", "GradedCircuit", "ReportField", "Reporting", "reporting_of"]

COMPUTE = "Compute"


@dataclass(frozen=True, slots=True)
class ReportField:
    """One field: a value, or why there is none.

    Attributes:
        name: Its name.
        value: What is known; "" where nothing is.
        not_done: Why there is no value; "" where there is one.

    >>> print(ReportField("licence", not_done="the file of weights does not say"))
    not done: the file of weights does not say
    """

    name: str
    value: str = ""
    not_done: str = ""

    def __post_init__(self) -> None:
        """Drop the reason where there is a value."""
        if self.value:
            object.__setattr__(self, "not_done", "")

    def __str__(self) -> str:
        """Return the value, or that it was not done and why."""
        return self.value or f"not done: {self.not_done}"


@dataclass(frozen=True, slots=True)
class FieldGroup:
    """Fields under one heading."""

    title: str
    fields: tuple[ReportField, ...]

    def __getitem__(self, name: str) -> ReportField:
        """Return a field by its name; raises KeyError."""
        return {one.name: one for one in self.fields}[name]


@dataclass(frozen=True, slots=True)
class GradedCircuit:
    """A circuit, what is known of it, and how far that goes.

    Attributes:
        circuit: Names of its members.
        claims: Ids of the claims about it.
        grade: The step that the evidence reaches.
        evidence: What there is, and what is lacking.
    """

    circuit: tuple[str, ...]
    claims: tuple[str, ...]
    grade: Grade
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Reporting:
    """The fields of a report, and its graded circuits."""

    groups: tuple[FieldGroup, ...]
    circuits: tuple[GradedCircuit, ...]

    def __getitem__(self, title: str) -> FieldGroup:
        """Return the fields under a heading; raises KeyError."""
        return {one.title: one for one in self.groups}[title]

    def to_json(self) -> dict[str, Any]:
        """Give JSON values, without what differs from run to run."""
        return {
            "groups": [asdict(one) for one in self.groups if one.title != COMPUTE],
            "circuits": [
                {
                    "circuit": list(one.circuit),
                    "claims": list(one.claims),
                    **one.evidence.to_json(),
                }
                for one in self.circuits
            ],
        }


def reporting_of(
    report: "VerificationReport", again: "VerificationReport | None" = None
) -> Reporting:
    """Return the fields and grades of a report.

    Args:
        report: What was verified.
        again: The same claims, verified once more: equal numbers are evidence too.
    """
    circuits = tuple(
        GradedCircuit(names, tuple(one.claim.id for one in results), grade_of(known), known)
        for names, results in circuits_of(report).items()
        for known in [evidence_of(report, names, again)]
    )
    groups = (
        *(_claim(report, one) for one in report.results),
        _model(report),
        _data(report),
        _examined(report),
        _beyond(report),
        _compute(report),
    )
    return Reporting(groups, circuits)


def _claim(report: "VerificationReport", result: "ClaimResult") -> FieldGroup:
    said, decision = result.conventions, result.decision
    bounds = decision.within or (decision.threshold,)
    words = decision.direction.replace("_", " ")
    falsifier = f"a number that is clearly not {words} {' and '.join(f'{b:g}' for b in bounds)}"
    interval = decision.interval
    fields = [
        ReportField("text", result.claim.statement),
        ReportField("mediator type", said.get("level", ""), "nothing is set"),
        _listed("mediators", result.circuit, "the claim is about the whole model"),
        ReportField("graph hash", str(report.provenance["graph"])),
        ReportField("estimand", said.get("number", "")),
        ReportField("direction", said.get("direction", ""), "nothing is ablated"),
        ReportField("path", *_path(report, result)),
        ReportField("sign", "at least: larger is claimed" if decision.direction == "at_least"
                    else "at most: smaller is claimed" if decision.direction == "at_most"
                    else "within a band"),
        ReportField("threshold", " to ".join(f"{bound:g}" for bound in bounds)),
        ReportField("falsifier", falsifier),
        ReportField("value", "" if interval is None else f"{decision.estimate:.4g}",
                    "the number is undefined or was not measured"),
        ReportField("interval", "" if interval is None
                    else f"{interval.written()}, {interval.method}, n = {decision.n}",
                    "the data do not bound the number"),
        ReportField("total effect", *_total(result)),
        ReportField("normalisation", said.get("number", "")),
        ReportField("values by stratum", not_done="`causalnet why RUN` measures every template"),
        ReportField("mediators searched", *_searched(report, result)),
        ReportField("selection correction", *_selection(report, result)),
    ]  # fmt: skip
    return FieldGroup(f"Claim {result.claim.id}", tuple(fields))


def _listed(name: str, values: Sequence[str], reason: str) -> ReportField:
    return ReportField(name, ", ".join(values), "" if values else reason)


def _path(report: "VerificationReport", result: "ClaimResult") -> tuple[str, str]:
    if result.claim.kind == "effect":
        return result.conventions["number"], ""
    if report.claim_file.ablation.level == "edges" and result.circuit:
        return "edges of the residual stream, as listed", ""
    return "", "nodes are set, with all edges between them"


def _total(result: "ClaimResult") -> tuple[str, str]:
    known = result.means
    if "model" in known and "everything_ablated" in known:
        effect = known["model"] - known["everything_ablated"]
        return f"{effect:.4g} {result.readout_unit}: the model less everything ablated", ""
    return "", "everything ablated was not run for this claim"


def _searched(report: "VerificationReport", result: "ClaimResult") -> tuple[str, str]:
    if not result.circuit:
        return "", "no mediator was chosen"
    found = report.claim_file.found
    chosen_from = result.conventions.get("circuit", "").split(";")[0]  # "20 of 270 mediators"
    return "; ".join(filter(None, (found.method, chosen_from))), ""


def _selection(report: "VerificationReport", result: "ClaimResult") -> tuple[str, str]:
    overlap = report.provenance["overlap"]
    if not result.circuit:
        return "none needed: nothing was chosen", ""
    if overlap == 0:
        return "none needed: no test prompt found the circuit", ""
    if overlap is None:
        return "", "the prompts that found the circuit are not named"
    return "", f"{overlap} test prompts also found the circuit"


def _model(report: "VerificationReport") -> FieldGroup:
    model = report.provenance["model"]
    source = str(model["source"])
    quantised = source.rsplit(".", 2)[-2] if source.endswith(".gguf") else ""
    return FieldGroup(
        "Model",
        (
            ReportField("name", source),
            ReportField("hash", str(model["weights_sha256"])),
            ReportField("quantisation", quantised, "the weights are not quantised"),
            ReportField("number type", str(model["dtype"])),
            ReportField("attention", str(model["attention"])),
            ReportField(
                "beginning of sequence",
                "added" if report.claim_file.prompts.bos else "not added",
            ),
            ReportField("licence", not_done="weights are read without their licence"),
            ReportField("openness class", not_done="weights do not say what else was published"),
        ),
    )


def _data(report: "VerificationReport") -> FieldGroup:
    file, known = report.claim_file, report.provenance
    record: Mapping[str, Any] = known["pairs"]["record"]
    templates = record.get("templates") or ()
    dropped = next((note for note in report.notes if "left out" in note), "")
    found = file.found.task
    overlap = known["overlap"]
    return FieldGroup(
        "Data",
        (
            ReportField("generator", describe_task(file.task)),
            ReportField("N", f"{report.cost.prompts} of {report.cost.prompts_declared} used"),
            _listed("templates", templates, "the generator names none"),
            ReportField("excluded", dropped or "none"),
            ReportField(
                "found on",
                "" if found is None else describe_task(found),
                "the file does not name the prompts",
            ),
            ReportField(
                "shared with the test",
                "" if overlap is None else f"{overlap} prompts",
                "the prompts that found the circuit are not named",
            ),
            ReportField(
                "counterfactual",
                str(record.get("corruption") or "") or f"ablation {file.ablation.kind}",
            ),
        ),
    )


def _examined(report: "VerificationReport") -> FieldGroup:
    """Return what was examined about the circuits, by kinds of claims."""
    by_kind = (
        ("necessity", ("necessary",)),
        ("sufficiency", ("faithful",)),
        ("completeness", ("complete", "no_backups")),
        ("minimality", ("minimal", "sweep")),
        ("control tasks", ("specific", "selective")),
        ("agreement on single prompts", ("agreement",)),
        ("a program at a higher level", ("abstracts", "prefers", "disentangles", "scrubbed")),
        ("stability of the search", ("stable",)),
        ("random mediators", ("better_than_random",)),
        ("other conventions", ("robust",)),
    )
    fields = [ReportField(name, *kinds_of(report, kinds)) for name, kinds in by_kind]
    fields[-1] = _conventions(report, fields[-1])
    partial = [
        one.claim.id
        for one in report.results
        if one.claim.kind in ("faithful", "necessary") and "chance" in one.conventions["number"]
    ]
    fields += [
        _listed("partial ablation", partial, "no claim keeps or removes members by chance"),
        ReportField("wrong-way control", not_done="no claim moves the answer the other way"),
        ReportField("planted positive control", not_done="no mechanism was planted; "
                    "`causalnet verify` on known:NAME checks the method"),
        ReportField("other seeds of training", not_done="one set of weights was looked at"),
    ]  # fmt: skip
    return FieldGroup("Evidence", tuple(fields))


def _conventions(report: "VerificationReport", declared: ReportField) -> ReportField:
    grid = report.grid
    if declared.value:
        return declared
    if grid is None or grid.skipped:
        reason = "none was measured" if grid is None else grid.skipped.rstrip(".")
        return ReportField(declared.name, not_done=reason)
    ran = sum(not one.failed for one in grid.conventions)
    return ReportField(
        declared.name, f"{ran} of {len(grid.conventions)} measured on {grid.n} prompts"
    )


def _beyond(report: "VerificationReport") -> FieldGroup:
    against = [
        f"{one.claim.id} {one.decision.verdict.value}"
        for one in report.results
        if one.decision.verdict.value != "SUPPORTED"
    ]
    file = report.claim_file
    scope = f"{report.provenance['model']['source']}; {describe_task(file.task)}"
    return FieldGroup(
        "Limits",
        (
            _listed("claims that failed", against, "every claim of the file is supported"),
            ReportField("scope", scope),
            ReportField(
                "nearness to the data",
                not_done="how far ablated activations are from intact ones was not measured",
            ),
            ReportField("forward simulation", *_simulated(report, "forward")),
            ReportField("counterfactual simulation", *_simulated(report, "counterfactual")),
            ReportField("simulation baseline", *kinds_of(report, ("simulates",))),
            ReportField("agreement with a recorded truth", not_done="the file names none"),
        ),
    )


def _simulated(report: "VerificationReport", question: str) -> tuple[str, str]:
    asked = (
        one
        for one in report.results
        if isinstance(one.claim, SimulatesClaim) and one.claim.question == question
    )
    said = [f"{one.claim.id} {one.decision.verdict.value}" for one in asked]
    return ", ".join(said), f"no claim of kind simulates asks the {question} question"


def _compute(report: "VerificationReport") -> FieldGroup:
    known, cost = report.provenance, report.cost
    model = known["model"]
    versions = ", ".join(f"{name} {version}" for name, version in model["versions"].items())
    command = " ".join(map(str, known.get("command") or ()))
    return FieldGroup(
        COMPUTE,
        (
            ReportField("device", f"{model['device']}, {known['threads']} threads"),
            ReportField(
                "time", f"{cost.wall_seconds:.1f} s, of a processor {cost.cpu_seconds:.1f} s"
            ),
            ReportField("forwards", f"{cost.forwards:,}"),
            ReportField("versions", f"python {known['python']}, {versions}"),
            ReportField("command", command, "the report was read without its run"),
        ),
    )
