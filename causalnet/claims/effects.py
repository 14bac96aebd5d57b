"""What claims are about, as terms: the query of an effect, the scores of a circuit."""

from causalnet.claims.circuits import circuit_of, place_error, universe
from causalnet.claims.kinds import (
    AgreementClaim,
    BetterThanRandomClaim,
    Claim,
    EffectClaim,
    ExistsClaim,
    FaithfulClaim,
    NecessaryClaim,
)
from causalnet.claims.schema import ClaimFile
from causalnet.errors import CausalNetError, ClaimFileError
from causalnet.graphs import MediatorGraph
from causalnet.interventions import (
    READOUTS,
    Ablation,
    AblationKind,
    Base,
    CircuitTerms,
    Contrast,
    Edge,
    Grad,
    Noising,
    Query,
    Read,
    Regime,
    Scalar,
    check_query,
    layers_of,
    parse_query,
    worlds_needed,
)

__all__ = ["judged_by", "level_of", "name_of", "queries_of", "query_of", "units_of"]


def queries_of(claim_file: ClaimFile, graph: MediatorGraph) -> tuple[Query | None, ...]:
    """Return the query of each claim, None where a claim is not about an effect.

    Raises:
        ClaimFileError: A query that cannot be read, does not fit the graph, has more than one row,
            or needs a reference set.
    """
    return tuple(
        query_of(claim_file, index, claim, graph) if isinstance(claim, EffectClaim) else None
        for index, claim in enumerate(claim_file.claims)
    )


def query_of(claim_file: ClaimFile, index: int, claim: EffectClaim, graph: MediatorGraph) -> Query:
    """Return the query of one claim.

    Raises:
        ClaimFileError: See `queries_of`.
    """

    def refused(came: str, possible: str, write: str) -> ClaimFileError:
        return place_error(claim_file, ("claims", index, "query"), came, possible, write)

    try:
        query = parse_query(claim.query, graph, outcome=READOUTS[claim_file.readout])
        check_query(query, graph)
    except CausalNetError as error:
        if isinstance(error, ClaimFileError):
            raise
        raise refused(error.came, error.possible, error.write) from error
    if len(query.contrasts) != 1:
        raise refused(
            f"The query has {len(query.contrasts)} rows.",
            "A claim is about one number.",
            "Name one mediator, or several that are set together: 'nie({L19.H2, L20.H0}; at=end)'.",
        )
    if query.ablation is not None and query.ablation.reference is not None:
        raise refused(
            f"The query sets mediators to their {query.ablation.kind.value} value.",
            "Queries of claims read base and source prompts only.",
            "Use a circuit claim with 'ablation: {reference: …}', or kind=zero.",
        )
    return query


def judged_by(
    claim_file: ClaimFile, claim: Claim, query: Query | None, graph: MediatorGraph
) -> tuple[str, Scalar]:
    """Return the number that a claim is judged by, as a label and a term.

    Reference sets are not read: their means stand in it by name only, and noise is counted in
    standard deviations of the embeddings.  Circuits of edges are scored by masks, not by terms: of
    claims about them only the number that is masked is returned.
    """
    if query is not None:
        return query.contrasts[0]
    readout = READOUTS[claim_file.readout]
    of_edges = claim_file.ablation.level == "edges"
    if of_edges or not isinstance(claim, FaithfulClaim | NecessaryClaim | BetterThanRandomClaim):
        return "model", Read(readout, Base("base"))
    known = universe(claim_file, graph)
    names = circuit_of(claim_file, claim)
    nodes = {name: one for name, one in known.items() if not isinstance(one, Edge)}
    circuit = tuple(one for name, one in nodes.items() if name in names)
    terms = CircuitTerms(
        readout,
        _ablation(claim_file),
        tuple(nodes.values()),
        claim_file.ablation.positions or (),
        claim_file.direction,
    )
    if isinstance(claim, BetterThanRandomClaim):
        gap = (*terms.score(Regime.KEPT, circuit).terms, (-1.0, Read(readout, Base("base"))))
        return "gap of the circuit", Contrast(gap)
    if isinstance(claim, NecessaryClaim):
        return "necessity", terms.necessity(circuit)
    return "faithfulness", terms.faithfulness(circuit)


def _ablation(claim_file: ClaimFile) -> Ablation:
    spec = claim_file.ablation
    kind = AblationKind(spec.kind)
    if spec.kind == "noise":
        own = spec.noising
        noise = Noising(own.factor, own.factor, own.seed, own.positions or ())
        return Ablation(kind, draws=spec.draws, noise=noise)
    if spec.reference is None:
        return Ablation(kind)
    learning = spec.learns if spec.kind == "optimal" else None
    return Ablation(kind, "reference", spec.reference.n or 1, spec.draws, learning=learning)


def level_of(claim_file: ClaimFile, claim: Claim, query: Query | None) -> str:
    """Say whether nodes or edges are set for a claim's number, or nothing is."""
    if isinstance(claim, ExistsClaim):
        return "the whole model: nothing is set"
    if query is None:
        return claim_file.ablation.level
    reads = [leaf.read if isinstance(leaf, Grad) else leaf for leaf in query.leaves]
    worlds = worlds_needed(reads)
    sites = [site for world in worlds for layer in layers_of(world)[1] for site, _ in layer]
    kinds = {"edges" if isinstance(site, Edge) else "nodes" for site in sites}
    return " and ".join(sorted(kinds)) or "inputs: no mediator is set"


def name_of(query: Query) -> str:
    """Return the number that an effect claim is about, as it starts a sentence."""
    label, _ = query.contrasts[0]
    if query.estimand == "CONTRAST":
        return "The query's mean"
    of = "" if label == query.estimand else f" of {label}"
    per = "" if query.scale == "raw" else " per total effect"
    return f"The mean {query.estimand}{of}{per}"


def units_of(claim_file: ClaimFile, claim: Claim, query: Query | None) -> tuple[str, str]:
    """Return the unit of the mean read-outs behind a verdict, and that of the number judged.

    The latter is "" for shares of a behaviour and rates.
    """
    if query is not None:
        return query.readout.unit, query.unit
    if isinstance(claim, AgreementClaim) and claim.read_by:
        own = READOUTS[claim.read_by].unit
        return own, own if claim.measure == "kl" else ""
    unit = READOUTS[claim_file.readout].unit
    return unit, unit if isinstance(claim, ExistsClaim) else ""
