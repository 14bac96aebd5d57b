"""`explain`: what a claim file would run and what it would cost, without the model's weights."""

import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from causalnet.claims.circuits import check_against_graph, circuit_of, universe
from causalnet.claims.conventions import conventions_of, describe_task
from causalnet.claims.reading import read_claim_file
from causalnet.claims.schema import (
    BetterThanRandomClaim,
    Claim,
    ClaimFile,
    ExistsClaim,
)
from causalnet.errors import ClaimFileError
from causalnet.graphs import TransformerShape, transformer_graph
from causalnet.statistics.mixture import MINIMUM_N
from causalnet.statistics.wins import expected_wins_stop

if TYPE_CHECKING:
    from causalnet.lift import LiftedNetwork

__all__ = ["ClaimPlan", "ClaimsExplanation", "declared_shape", "explain_claims"]

TOKENS = 16
"""Tokens of a prompt that the estimate of time assumes."""

FLOPS = 5e10
"""Floating-point operations a second that it assumes: one core of a CPU."""


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
    """

    id: str
    kind: str
    statement: str
    claims: str
    circuit: int
    worlds: tuple[str, ...]
    fewest: int
    most: int


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
        seconds: Estimated processor time of `fewest` and of `most`.
        basis: What the estimate rests on.
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
    seconds: tuple[float, float]
    basis: str

    def __str__(self) -> str:
        """Return the plan as text, a few lines for each claim."""
        low, high = self.seconds
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
                f"          runs {', '.join(plan.worlds)}: {plan.fewest} to {plan.most} forwards",
            ]
        lines += [
            f"FORWARDS  {self.fewest} to {self.most} together, shared runs counted once",
            f"TIME      about {_duration(low)} to {_duration(high)} of processor time",
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
) -> ClaimsExplanation:
    """Say what `verify` would run; nothing is run, and no weights are read.

    Args:
        claim_file: The file, or its path.
        net: A lifted network; with one, time is measured on a single forward, not estimated.
        seed: Replaces the seed of the file's prompts.

    Raises:
        ClaimFileError: A file that cannot be read, a circuit of another model.
        ModelNotFoundError, ModelFileError: A model that is not there or cannot be read.
    """
    file = claim_file if isinstance(claim_file, ClaimFile) else read_claim_file(claim_file)
    shape = declared_shape(file) if net is None else net.graph.shape
    graph = transformer_graph(shape) if net is None else net.graph
    check_against_graph(file, graph)
    size = len(universe(file, graph))
    n = _prompts(file)
    plans = tuple(_plan(file, claim, n) for claim in file.claims)
    forwards = _together(file, plans, n)
    each, basis = _assumed(shape, file.batch) if net is None else _measured(net, file, seed)
    circuit = circuit_of(file)
    common = conventions_of(file, _about_circuit(file), circuit, size)
    kept = "every MLP is kept" if file.ablation.ablate == "heads" else "MLPs are among them"
    return ClaimsExplanation(
        title=file.title,
        model=f"{file.model.source}: {shape.layers} layers x {shape.heads} heads, "
        f"{_parameters(shape) / 1e6:.0f} million parameters, {file.model.dtype}, "
        f"{file.model.attention} attention",
        prompts=_tested(file, seed),
        batches=f"at most {-(-n // file.batch)} batches of {file.batch}; a claim is looked at "
        f"after each, from {MINIMUM_N} prompts on",
        ablated=f"{size} mediators, or some of them, set to their {file.ablation.kind} value; "
        f"{kept}",
        conventions={name: common[name] for name in _PRINTED if name in common},
        claims=plans,
        fewest=forwards[0],
        most=forwards[1],
        seconds=(forwards[0] * each, forwards[1] * each),
        basis=basis,
    )


_PRINTED = ("read-out", "circuit", "ablation", "positions", "direction", "reference set", "found")


def _about_circuit(file: ClaimFile) -> Claim:
    """Return a claim about a circuit if the file has one, for the conventions that it needs."""
    about = [claim for claim in file.claims if not isinstance(claim, ExistsClaim)]
    return about[0] if about else file.claims[0]


def _tested(file: ClaimFile, seed: int | None) -> str:
    task = file.task if seed is None else file.task.model_copy(update={"seed": seed})
    return describe_task(task)


def _prompts(file: ClaimFile) -> int:
    """Return how many prompts there are at most; rows of a file are counted by its lines."""
    if file.task.file is None:
        return file.task.n or 0
    here = Path(file.source.path).parent if file.source else Path()
    try:
        with open(here / file.task.file, "rb") as rows:
            lines = sum(1 for line in rows if line.strip())
    except OSError as error:
        raise ClaimFileError(
            f"The file of prompts {file.task.file!r} cannot be read: {error.strerror}.",
            "It lies beside the claim file.",
        ) from error
    return min(lines, file.task.n or lines)


def declared_shape(file: ClaimFile) -> TransformerShape:
    """Return the model's sizes from its own file, without its weights.

    Raises:
        ModelNotFoundError, ModelFileError: A model that is not there or cannot be read.
        ClaimFileError: A model whose file does not state its sizes.
    """
    from causalnet.models.declared import declared_by_config, declared_by_gguf
    from causalnet.models.gguf_header import read_gguf_header
    from causalnet.models.hub import find_hub_folder
    from causalnet.models.sources import FolderSource, GGUFSource, find_source

    beside = None if file.source is None else Path(file.source.path).parent / file.model.source
    found = find_source(
        str(beside) if beside is not None and beside.exists() else file.model.source
    )
    if isinstance(found, GGUFSource):
        facts = declared_by_gguf(read_gguf_header(found.path))
    else:
        folder = found.path if isinstance(found, FolderSource) else find_hub_folder(found.name)
        with open(folder / "config.json", encoding="utf-8") as config:
            facts = declared_by_config(json.load(config))
    sizes = {ours: facts.get(theirs) for ours, theirs in _SIZES.items()}
    given = {name: size for name, size in sizes.items() if isinstance(size, int)}
    if len(given) < len(sizes):
        lacking = ", ".join(_SIZES[name] for name in sizes if name not in given)
        raise ClaimFileError(
            f"The model {file.model.source!r} does not state its {lacking}.",
            "A transformer's own file states its sizes.",
            "Load it with causalnet.load and pass net=causalnet.lift(model).",
        )
    return TransformerShape(
        layers=given["layers"],
        heads=given["heads"],
        kv_heads=given["kv_heads"],
        d_model=given["d_model"],
        d_head=given["d_head"],
        d_mlp=given["d_mlp"],
        vocabulary=given["vocabulary"],
    )


_SIZES = {
    "layers": "layers",
    "heads": "heads",
    "kv_heads": "kv_heads",
    "d_model": "width",
    "d_head": "head_width",
    "d_mlp": "mlp_width",
    "vocabulary": "vocabulary",
}


def _plan(file: ClaimFile, claim: Claim, n: int) -> ClaimPlan:
    direction = claim.direction.replace("_", " ")
    bound = f"{_QUANTITY[claim.kind]} {direction} {claim.threshold:g}"
    size = 0 if isinstance(claim, ExistsClaim) else len(circuit_of(file, claim))
    worlds = _worlds(file, claim)
    if isinstance(claim, BetterThanRandomClaim):
        fewest, most = _random_forwards(file, claim, n)
    else:
        first, last = _batches(file, n)
        fewest, most = first * len(worlds), last * len(worlds)
    return ClaimPlan(claim.id, claim.kind, claim.statement, bound, size, worlds, fewest, most)


_QUANTITY = {
    "exists": "mean read-out",
    "faithful": "faithfulness",
    "necessary": "necessity",
    "better_than_random": "share of random circuits beaten",
}


def _batches(file: ClaimFile, n: int) -> tuple[int, int]:
    """Return after how many batches a claim can be settled first, and how many there are."""
    last = -(-n // file.batch)
    return min(last, -(-MINIMUM_N // file.batch)), last


def _worlds(file: ClaimFile, claim: Claim) -> tuple[str, ...]:
    """Name the runs that a claim needs on each batch; runs of equal name are shared."""
    if isinstance(claim, ExistsClaim):
        return ("base",)
    number = file.claims.index(claim)
    own = "without" if claim.kind == "necessary" else "only"
    names = [f"{own} the circuit of {file.claims[_first_alike(file, number)].id}"]
    if not isinstance(claim, BetterThanRandomClaim):
        names.insert(0, "everything ablated")
    if file.direction == "denoising":
        names = ["source" if name == "everything ablated" else name for name in names]
        return ("base", *names)
    draws = file.ablation.draws
    names = [name if draws == 1 else f"{name}, draw {d}" for name in names for d in range(draws)]
    donors = {
        "counterfactual": ("source",),
        "resample": tuple(f"reference prompts, draw {d}" for d in range(draws)),
    }
    return ("base", *donors.get(file.ablation.kind, ()), *names)


def _first_alike(file: ClaimFile, number: int) -> int:
    """Return the first claim that is about the same circuit in the same way."""
    claim = file.claims[number]
    for index, other in enumerate(file.claims):
        both = {claim.kind, other.kind}
        alike = len(both) == 1 or both == {"faithful", "better_than_random"}
        if alike and circuit_of(file, other) == circuit_of(file, claim):
            return index
    return number


def _random_forwards(file: ClaimFile, claim: BetterThanRandomClaim, n: int) -> tuple[int, int]:
    """Return forwards of a comparison: a few that are shared, and one for each circuit and draw."""
    batches = -(-min(claim.prompts, n) // file.batch)
    straight = expected_wins_stop(1.0, claim.fraction, file.alpha) or claim.max_circuits
    donors = 1 if file.ablation.kind == "counterfactual" else 0
    draws = file.ablation.draws
    donors = draws if file.ablation.kind == "resample" else donors

    def forwards(circuits: int) -> int:
        looks = -(-circuits // LOOK)
        return batches * (1 + draws + donors * looks + circuits * draws)

    fewest = min(-(-straight // LOOK) * LOOK, claim.max_circuits)
    return forwards(fewest), forwards(claim.max_circuits)


LOOK = 8
"""Random circuits for each look."""


def _together(file: ClaimFile, plans: tuple[ClaimPlan, ...], n: int) -> tuple[int, int]:
    """Return forwards of all claims, runs that they share counted once."""
    random = [plan for plan in plans if plan.kind == "better_than_random"]
    shared = {world for plan in plans if plan not in random for world in plan.worlds}
    if random:  # whether there is a behaviour at all is established first
        gate = file.claims[plans.index(random[0])]
        shared |= {
            world for world in _worlds(file, gate) if not world.startswith(("only", "without"))
        } | ({"source"} if file.direction == "denoising" else {"everything ablated"})
    first, last = _batches(file, n)
    fewest = first * len(shared) + sum(plan.fewest for plan in random)
    most = last * len(shared) + sum(plan.most for plan in random)
    reference = file.ablation.reference
    if reference is not None and file.ablation.kind != "resample":
        means = -(-(reference.n or 0) // 16)
        fewest, most = fewest + means, most + means
    return fewest, most


def _parameters(shape: TransformerShape) -> int:
    heads = shape.d_model * shape.d_head * 2 * (shape.heads + shape.kv_heads)
    return shape.layers * (heads + 3 * shape.d_model * shape.d_mlp) + (
        shape.d_model * shape.vocabulary
    )


def _assumed(shape: TransformerShape, batch: int) -> tuple[float, str]:
    """Return the seconds of a forward from counted operations, and what that assumes."""
    blocks = _parameters(shape) - shape.d_model * shape.vocabulary
    operations = 2 * batch * (blocks * TOKENS + shape.d_model * shape.vocabulary)
    return operations / FLOPS, (
        f"an estimate: {TOKENS} tokens in a prompt, {FLOPS / 1e9:g} billion operations a second"
    )


def _measured(net: "LiftedNetwork", file: ClaimFile, seed: int | None) -> tuple[float, str]:
    """Return the seconds of one forward over one batch."""
    import torch

    from causalnet.claims.prompts import testing_pairs
    from causalnet.execute import make_batch, run_forward

    pairs = testing_pairs(file, net.model.tokenizer, seed)
    rows = range(min(file.batch, len(pairs)))
    batch = make_batch(pairs.base, rows, net.model.device)
    start = time.process_time()
    with torch.no_grad():
        run_forward(net, batch)
    return time.process_time() - start, f"measured on one forward over {len(rows)} prompts"


def _duration(seconds: float) -> str:
    if seconds < 1:
        return "a second"
    return f"{seconds:.0f} s" if seconds < 120 else f"{math.ceil(seconds / 60)} min"
