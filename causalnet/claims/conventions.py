"""The conventions of a claim: everything that two people must agree on to compare its number."""

from collections.abc import Mapping
from typing import Literal

from causalnet.claims.ablation_spec import AblationSpec
from causalnet.claims.kinds import AgreementClaim, BetterThanRandomClaim, Claim
from causalnet.claims.schema import ClaimFile, TaskSpec
from causalnet.interventions import READOUTS

__all__ = ["conventions_of", "describe_task", "guarantee_of"]


def conventions_of(
    claim_file: ClaimFile, claim: Claim, circuit: tuple[str, ...], universe: int, level: str
) -> Mapping[str, str]:
    """Return the conventions of a claim by name, as sentences and words.

    Args:
        claim_file: The file.
        claim: The claim.
        circuit: Its circuit, spelt canonically.
        universe: How many mediators or edges can be ablated.
        level: Whether nodes or edges are set, as `level_of` says.
    """
    readout = READOUTS[claim_file.readout]
    policy = claim_file.prompts
    said = {
        "number": claim.number,
        "level": level,
        "read-out": f"{readout.name} in {readout.unit} at {readout.at}: {readout.meaning}",
        "prompts": describe_task(claim_file.task),
        "beginning of sequence": "added" if policy.bos else "not added",
        "chat template": "applied" if policy.chat_template else "not applied",
        "alpha": f"{claim_file.alpha:g} for a false SUPPORTED, and for a false REFUTED, "
        f"{guarantee_of(claim_file, claim)}",
        "batch": f"{claim_file.batch} prompts, looked at after each",
    }
    if claim_file.range is not None and _is_clipped(claim_file, claim):
        low, high = claim_file.range
        said["range"] = (
            f"read-outs are clipped to [{low:g}, {high:g}], and the claim is about those"
        )
    if not claim.about_circuit:
        return said
    if isinstance(claim, BetterThanRandomClaim) and claim_file.ablation.level == "edges":
        said["random circuits"] = (
            "connected circuits with as many edges between the same layers, kinds and channels; "
            "where there is no other such circuit, unions of random paths of as many edges"
        )
    return {**said, **_circuit_conventions(claim_file, circuit, universe)}


def guarantee_of(claim_file: ClaimFile, claim: Claim) -> Literal["exact", "asymptotic"]:
    """Say how alpha holds: at every sample size for rates, for means and ratios in the limit.

    Means and ratios of read-outs in a declared range are judged exactly too.
    """
    is_exact = _is_clipped(claim_file, claim) or claim.is_rate(claim_file.readout)
    return "exact" if is_exact else "asymptotic"


def _is_clipped(claim_file: ClaimFile, claim: Claim) -> bool:
    """Say whether a claim is about read-outs in the declared range, which is that of the file's."""
    if claim_file.range is None or not claim.exact_in_range:
        return False
    return not isinstance(claim, AgreementClaim) or claim.read_by == claim_file.readout


def _circuit_conventions(
    claim_file: ClaimFile, circuit: tuple[str, ...], universe: int
) -> dict[str, str]:
    spec = claim_file.ablation
    said = {
        "circuit": f"{len(circuit)} of {universe} {_unit(spec, circuit)}",
        "ablation": _ablation(spec),
        "positions": "all" if spec.positions is None else ", ".join(spec.positions),
        "direction": claim_file.direction,
        "found": claim_file.found.method
        + (f" on {describe_task(claim_file.found.task)}" if claim_file.found.task else ""),
    }
    if spec.reference is not None:
        side = f"{spec.side} prompts"
        said["reference set"] = f"{describe_task(spec.reference)}, {side}"
    return said


def _unit(spec: AblationSpec, circuit: tuple[str, ...]) -> str:
    if spec.ablate == "edges":
        return "edges; unit: an edge of the residual stream, keys and values by K/V group"
    kept = "every MLP kept" if spec.ablate == "heads" else "MLPs ablated like heads"
    unit = "query heads (their z)" + ("" if spec.ablate == "heads" else " and MLPs")
    if any("[" in name for name in circuit):
        return f"mediators at positions; unit: {unit}, at each position by itself; {kept}"
    return f"mediators; unit: {unit}; {kept}"


def _ablation(spec: AblationSpec) -> str:
    match spec.kind:
        case "resample":
            return f"resample, {spec.draws} draws"
        case "noise":
            noise = spec.noising
            where = "every token" if noise.positions is None else ", ".join(noise.positions)
            return (
                f"noise of {noise.factor:g} standard deviations of the vocabulary's embeddings on "
                f"{where}, seed {noise.seed}, {spec.draws} draws"
            )
        case "optimal":
            of = "senders, for each circuit" if spec.ablate == "edges" else "each ablated set"
            return f"optimal: constants of {of}, learned by {spec.learns} on the reference set"
    return spec.kind


def describe_task(spec: TaskSpec) -> str:
    """Say which prompts a task makes, in one line.

    >>> describe_task(TaskSpec(name="ioi", n=24, seed=1, corruption="abc"))
    'ioi, n = 24, seed 1, corruption abc'
    """
    if spec.file is not None:
        return f"file {spec.file}" + (f", first {spec.n}" if spec.n else "")
    options = "".join(f", {key} {_plain(value)}" for key, value in spec.generator_options.items())
    return f"{spec.name}, n = {spec.n}, seed {spec.seed}{options}"


def _plain(value: object) -> str:
    return " | ".join(map(str, value)) if isinstance(value, tuple) else str(value)
