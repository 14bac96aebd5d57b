"""Where a query sets values: the positions, and the tokens that lie there."""

from causalnet.effects.conventions import LedgerEntry
from causalnet.interventions import Grad, Position, Query, layers_of
from causalnet.tasks import PromptPairs

__all__ = ["ledger_of", "places_of"]


def places_of(query: Query) -> tuple[tuple[str, Position | None], ...]:
    """Return the inputs and positions at which the rows of a query set values, each once.

    None stands for all positions.  What a query sets at one choice of positions lies in the
    prompts of the patched world; where it states none, its worlds tell.
    """
    if any(query.treated) and (query.at or query.ablation is not None):
        world = "base" if query.direction == "noising" else "source"
        return tuple((world, at) for at in query.at or (None,))
    found: dict[tuple[str, Position | None], None] = {}
    for leaf in query.leaves:
        base, layers = layers_of(leaf.read.world if isinstance(leaf, Grad) else leaf.world)
        sites = [site for layer in layers for site, _ in layer]
        sites += [leaf.site] if isinstance(leaf, Grad) else []
        found |= {(base.input, at): None for site in sites for at in site.at or (None,)}
    everywhere = {world for world, at in found if at is None}
    return tuple(place for place in found if place[1] is None or place[0] not in everywhere)


def ledger_of(query: Query, pairs: PromptPairs) -> tuple[LedgerEntry, ...]:
    """List the tokens at which values are set; inputs other than base and source are left out."""
    if query.estimand == "LENS":
        return ()
    inputs = {"base": pairs.base, "source": pairs.source}
    entries = []
    for row, label in enumerate(pairs.labels):
        for world, at in places_of(query):
            if world not in inputs:
                continue
            prompts = inputs[world]
            columns = range(prompts.lengths[row]) if at is None else (prompts.at(at)[row],)
            for index in columns:
                token, text = prompts.ids[row][index], prompts.tokens[row][index]
                entries.append(
                    LedgerEntry(label, "all" if at is None else str(at), index, token, text)
                )
    return tuple(entries)
