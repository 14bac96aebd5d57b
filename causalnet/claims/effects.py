"""The query of a claim about an effect: its text, read against a model's graph."""

from causalnet.claims.circuits import place_error
from causalnet.claims.schema import ClaimFile, EffectClaim
from causalnet.errors import CausalNetError, ClaimFileError
from causalnet.graphs import MediatorGraph
from causalnet.interventions import (
    READOUTS,
    Base,
    Grad,
    Query,
    Read,
    World,
    check_query,
    parse_query,
    reads_of,
    worlds_needed,
    worlds_read_by,
)

__all__ = ["queries_of", "query_of", "runs_of"]


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


def runs_of(query: Query) -> tuple[str, ...]:
    """Return the names of the runs behind a query: its worlds, and one for each gradient."""
    reads: list[Read] = []
    gradients: dict[Read, None] = {}
    for leaf in query.leaves:
        if isinstance(leaf, Grad):
            gradients[leaf.read] = None
            readout = leaf.read.readout
            before = (*worlds_read_by(leaf.read.world), *reads_of(leaf.along))
            reads += [Read(readout, read.world) for read in before]
        else:
            reads.append(leaf)
    names = [_named(world) for world in worlds_needed(reads)]
    return (*names, *(f"gradient of {read}" for read in gradients))


def _named(world: World) -> str:
    """Return an input's name, or the text of a patched world."""
    return world.input if isinstance(world, Base) else str(world)
