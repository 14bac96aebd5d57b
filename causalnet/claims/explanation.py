"""`explain`: what a claim file would run and what it would cost, without the model's weights."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from causalnet.claims.circuits import check_against_graph, circuit_of, is_of_cells, universe
from causalnet.claims.conventions import conventions_of, describe_task
from causalnet.claims.costs import Run, claim_forwards, prompts_of, runs_of_claim, together
from causalnet.claims.effects import judged_by, name_of, queries_of, units_of
from causalnet.claims.kinds import BetterThanRandomClaim, Claim, FaithfulClaim, NecessaryClaim
from causalnet.claims.prompts import check_seed
from causalnet.claims.reading import read_claim_file
from causalnet.claims.schema import ClaimFile
from causalnet.claims.timing import BYTES, assumed, duration, measured, parameters
from causalnet.errors import DeviceError, ParameterError
from causalnet.graphs import MediatorGraph, TransformerShape, transformer_graph
from causalnet.interventions import Query, explain_scalars
from causalnet.interventions.techniques.measured import trial_of
from causalnet.models.shapes import shape_of
from causalnet.statistics.mixture import MINIMUM_N

if TYPE_CHECKING:
    from causalnet.lift import LiftedNetwork

__all__ = ["ClaimPlan", "ClaimsExplanation", "declared_shape", "explain_claims"]


@dataclass(frozen=True, slots=True)
class ClaimPlan:
    """What one claim would run.

    Attributes:
        id: The claim.
        kind: Its kind.
        statement: The claim in words.
        claims: Threshold and direction, such as `faithfulness at least 0.8`.
        circuit: How many mediators it names.
        worlds: Names of the runs that it needs on each batch of prompts.
        fewest: Forwards if it is settled at the first look that can settle it.
        most: Forwards if it is never settled.
        term: The number that is judged, as a term and its normal form; over the prompts a ratio is
            one of means.
        zero: Why it is zero in every model, where it is.
        merging: Its worlds and calls before and after equal ones are merged.
    """

    id: str
    kind: str
    statement: str
    claims: str
    circuit: int
    worlds: tuple[str, ...]
    fewest: int
    most: int
    term: tuple[str, ...]
    zero: tuple[str, ...]
    merging: str


@dataclass(frozen=True, slots=True)
class ClaimsExplanation:
    """What a claim file would run.

    Attributes:
        title: The file's title.
        model: The model's source and sizes.
        prompts: The prompts that test.
        batches: Batches at most, and prompts in each.
        ablated: What is ablated, and to what it is set.
        conventions: What the numbers depend on, by name.
        claims: One plan for each claim.
        fewest: Forwards of all claims together, shared runs counted once, if each is settled at
            its first look.
        most: The same if none is ever settled.
        equivalents: `fewest` and `most` in plain forwards over all test prompts.
        seconds: Estimated time of `fewest` and of `most`.
        basis: What the estimate rests on.
        device: Where the model would run.
        dtype: The number type that it would have.
    """

    title: str
    model: str
    prompts: str
    batches: str
    ablated: str
    conventions: Mapping[str, str]
    claims: tuple[ClaimPlan, ...]
    fewest: int
    most: int
    equivalents: tuple[float, float]
    seconds: tuple[float, float]
    basis: str
    device: str
    dtype: str

    def __str__(self) -> str:
        """Return the plan as text, a few lines for each claim."""
        low, high = self.seconds
        where = "of processor time" if self.device == "cpu" else f"on {self.device}"
        lines = [
            f"FILE      {self.title}",
            f"MODEL     {self.model}",
            f"PROMPTS   {self.prompts}",
            f"          {self.batches}",
            f"ABLATED   {self.ablated}",
        ]
        lines += [f"          {name}: {text}" for name, text in self.conventions.items()]
        for plan in self.claims:
            size = f", circuit of {plan.circuit}" if plan.circuit else ""
            lines += [
                f"CLAIM     {plan.id}: {plan.claims}{size}",
                f"          {plan.statement}",
                *(f"          {line}" for line in (*plan.term, *plan.zero)),
                f"          {plan.merging}",
                f"          runs {', '.join(map(_shortened, plan.worlds))}: "
                f"{_span(str(plan.fewest), str(plan.most))} forwards",
            ]
        lines += [
            f"FORWARDS  {_span(str(self.fewest), str(self.most))} together, "
            "shared runs and the grid of other conventions counted once",
            f"COST      {_span(*(f'{one:.0f}' for one in self.equivalents))} forward-equivalents: "
            "one is a plain forward over all test prompts",
            f"TIME      about {_span(duration(low), duration(high))} {where}",
            f"          {self.basis}",
        ]
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON values."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain


def explain_claims(
    claim_file: ClaimFile | str | Path,
    *,
    net: "LiftedNetwork | None" = None,
    seed: int | None = None,
    device: str | None = None,
    dtype: str | None = None,
) -> ClaimsExplanation:
    """Say what `verify` would run; nothing is run, and no weights are read.

    Args:
        claim_file: The file, or its path.
        net: A lifted network; with one, time is measured on a single forward, not estimated.
        seed: Replaces the seed of the file's prompts.
        device: Where the model would run, such as `cuda:0`; whether it is there is not looked at.
        dtype: Replaces the file's number type.

    Raises:
        ClaimFileError: A file that cannot be read, a circuit of another model, a seed for prompts
            that are read from a file.
        ModelNotFoundError, ModelFileError: A model that is not there or cannot be read.
        DeviceError, ParameterError: No such kind of device or number type.
    """
    file = claim_file if isinstance(claim_file, ClaimFile) else read_claim_file(claim_file)
    check_seed(file, seed)
    place = _run_where(file, device, dtype) if net is None else _runs_where(net)
    shape = declared_shape(file) if net is None else net.graph.shape
    graph = transformer_graph(shape) if net is None else net.graph
    check_against_graph(file, graph)
    known = tuple(universe(file, graph))
    size = len(known)
    n = prompts_of(file, file.task)
    queries = queries_of(file, graph)
    runs = [runs_of_claim(file, *pair) for pair in zip(file.claims, queries, strict=True)]
    each_claim = zip(file.claims, queries, runs, strict=True)
    plans = tuple(_plan(file, claim, query, own, n, graph) for claim, query, own in each_claim)
    counts = together(file, runs, n, known)
    spent = counts[0].equivalents(file, n), counts[1].equivalents(file, n)
    each, basis = assumed(shape, file.batch, *place) if net is None else measured(net, file, seed)
    whole = each * n / file.batch
    circuit = circuit_of(file)
    about = _about_circuit(file)
    common = conventions_of(file, about, circuit, size, file.ablation.level)
    return ClaimsExplanation(
        title=file.title,
        model=f"{file.model.source}: {shape.layers} layers x {shape.heads} heads, "
        f"{parameters(shape) / 1e6:.0f} million parameters, {place[1]} on {place[0]} "
        f"({parameters(shape) * BYTES.get(place[1], 2) / 1e9:.1f} GB), "
        f"{file.model.attention} attention",
        prompts=_tested(file, seed),
        batches=f"at most {-(-n // file.batch)} batches of {file.batch}; a claim is looked at "
        f"after each, from {MINIMUM_N} prompts on",
        ablated=f"{size} {_ablated(file)}, or some of them, set to their "
        f"{file.ablation.kind} value; {_ABLATED[file.ablation.ablate][1]}",
        conventions=_printed(common),
        claims=plans,
        fewest=counts[0].forwards,
        most=counts[1].forwards,
        equivalents=spent,
        seconds=(spent[0] * whole, spent[1] * whole),
        basis=basis,
        device=place[0],
        dtype=place[1],
    )


def _run_where(file: ClaimFile, device: str | None, dtype: str | None) -> tuple[str, str]:
    """Return the device and the number type that were asked for; torch is not asked for either."""
    if device is not None and not re.fullmatch(r"cpu|mps|cuda(:[0-9]{1,3})?", device):
        raise DeviceError(
            f"There is no device {device!r}.",
            "Devices are cpu, cuda, cuda:0, cuda:1 … and mps.",
            "Write for example --device cpu.",
        )
    if dtype is not None and dtype not in BYTES:
        raise ParameterError(
            f"There is no number type {dtype!r}.",
            f"There are {', '.join(BYTES)}.",
            "Write for example --dtype float32.",
        )
    return device or "cpu", dtype or file.model.dtype


def _runs_where(net: "LiftedNetwork") -> tuple[str, str]:
    return str(net.model.device), str(net.model.dtype).removeprefix("torch.")


_ABLATED = {
    "heads": ("mediators", "every MLP is kept"),
    "heads_and_mlps": ("mediators", "MLPs are among them"),
    "edges": ("edges of the residual stream", "both ends of an edge that is not kept go on"),
}


def _ablated(file: ClaimFile) -> str:
    return _ABLATED[file.ablation.ablate][0] + " at positions" * is_of_cells(file)


_PRINTED = (
    "level",
    "read-out",
    "circuit",
    "ablation",
    "positions",
    "direction",
    "reference set",
    "found",
)


def _printed(conventions: Mapping[str, str]) -> dict[str, str]:
    """Return the conventions that are printed, and how the finding method does on trial."""
    printed = {name: conventions[name] for name in _PRINTED if name in conventions}
    method, _, _ = printed.get("found", "").partition(" ")
    tried = trial_of(method)
    return printed | ({"its method": tried} if tried else {})


def _about_circuit(file: ClaimFile) -> Claim:
    """Return a claim about a circuit if the file has one, for the conventions that it needs."""
    about = [claim for claim in file.claims if claim.about_circuit]
    return about[0] if about else file.claims[0]


def _tested(file: ClaimFile, seed: int | None) -> str:
    task = file.task if seed is None else file.task.model_copy(update={"seed": seed})
    return describe_task(task)


def declared_shape(file: ClaimFile) -> TransformerShape:
    """Return the model's sizes from its own file, without its weights.

    Raises:
        ModelNotFoundError, ModelFileError: A model that is not there or cannot be read, or whose
            file does not state its sizes.
    """
    beside = None if file.source is None else Path(file.source.path).parent / file.model.source
    return shape_of(str(beside) if beside is not None and beside.exists() else file.model.source)


def _plan(
    file: ClaimFile,
    claim: Claim,
    query: Query | None,
    runs: tuple[Run, ...],
    n: int,
    graph: MediatorGraph,
) -> ClaimPlan:
    unit = units_of(file, claim, query)[1]
    quantity = claim.quantity if query is None else name_of(query)
    bound = f"{quantity} {claim.bound} {unit}".rstrip()
    named = claim.about_circuit
    size = len(circuit_of(file, claim)) if named else 0
    fewest, most = claim_forwards(file, claim, runs, n, tuple(universe(file, graph)))
    names = Counter(name for name, _ in runs)
    worlds = tuple(
        f"{name} ({count} of them)" if count > 1 else name for name, count in names.items()
    )
    if isinstance(claim, BetterThanRandomClaim):
        worlds = (*worlds, "only the circuit", "only random circuits")
    everything = tuple(universe(file, graph))
    beside = claim.besides(circuit_of(file, claim) if named else (), everything, n)
    worlds = (*worlds, *dict.fromkeys(calls.what for calls in beside))
    if named and not _is_term(file, claim):
        known = f"{len(universe(file, graph))} {_ablated(file)}"
        term: tuple[str, ...] = (f"{claim.number}, of {known}",)
        zero: tuple[str, ...] = ()
        merging = "each circuit is a run of its own; equal ones run once"
    else:
        terms = explain_scalars([judged_by(file, claim, query, graph)], graph)
        term = (*terms.written(), *_besides(query))
        zero, merging = tuple(map(str, terms.zero)), terms.merging
    return ClaimPlan(
        id=claim.id,
        kind=claim.kind,
        statement=claim.statement,
        claims=bound,
        circuit=size,
        worlds=worlds,
        fewest=fewest.forwards,
        most=most.forwards,
        term=term,
        zero=zero,
        merging=merging,
    )


def _is_term(file: ClaimFile, claim: Claim) -> bool:
    """Say whether a claim about a circuit is judged by one term: others are families of runs."""
    if file.ablation.level == "edges":
        return False
    if isinstance(claim, FaithfulClaim | NecessaryClaim):
        return claim.by_chance is None
    return isinstance(claim, BetterThanRandomClaim)


def _besides(query: Query | None) -> Iterator[str]:
    """Yield what the mean of a query is divided by, and the prompts that it is taken over."""
    if query is not None and query.denominator is not None:
        yield f"divided by the mean of {_shortened(str(query.denominator))}"
    if query is not None and query.given is not None:
        yield f"over the prompts with {_shortened(str(query.given))}"


def _span(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _shortened(name: str) -> str:
    return name if len(name) <= 100 else f"{name[:96]} ..."
