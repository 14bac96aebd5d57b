"""Effects of interventions: ID and IDC, from observation, experiments and other domains.

| algorithm | source |
|---|---|
| ID | Shpitser and Pearl (2006), in the form of Tian and Pearl (2002); complete |
| IDC | Shpitser and Pearl (2006), "Identification of conditional interventional distributions" |
| gID, zID | Lee, Correa and Bareinboim (2019); complete; zID: Bareinboim and Pearl (2012) |
| gTR | Lee, Correa and Bareinboim (2020), selection diagrams; complete |

Lines of ID are those of Shpitser and Pearl.
"""

from dataclasses import dataclass
from typing import final

from causalnet.errors import InternalError
from causalnet.graphs.admg import ADMG
from causalnet.identification.algorithms.engine import Engine, Obstacle
from causalnet.identification.algorithms.kernels import Factor, normalised, summed
from causalnet.identification.algorithms.masks import Masks, bits
from causalnet.identification.algorithms.witnesses import hedge_faults, thicket_faults
from causalnet.identification.answers import (
    Derivation,
    Hedge,
    Identified,
    NotIdentified,
    Step,
    Thicket,
)
from causalnet.identification.expressions import Expression, product, text_of
from causalnet.identification.queries import Effect
from causalnet.identification.renaming import renamed
from causalnet.identification.sources import OBSERVED, Sources
from causalnet.identification.values import Value

__all__ = ["identify_effect"]

_SMALL = 256  # nodes of a graph that is as fast whole as it is to cut down


def identify_effect(
    query: Effect, graph: ADMG, sources: Sources = OBSERVED
) -> Identified | NotIdentified:
    """Return P(outcomes | do(treatments), given) in terms of what is known, or why there is none.

    Variables that the formula can do without are omitted first, by latent projection, so that
    it is over an inclusion-minimal set of variables.

    Args:
        query: What is asked.
        graph: Of what.
        sources: What is known; P(V) if not said.

    Raises:
        UnknownMediatorError: A variable that is not in the graph.
        ParameterError: More than 20,000 variables and causes of theirs.

    >>> from causalnet.identification.values import symbol
    >>> x, y = symbol("X"), symbol("Y")
    >>> front_door = ADMG.of(directed=[("X", "Z"), ("Z", "Y")], bidirected=[("X", "Y")])
    >>> identify_effect(Effect((y,), (x,)), front_door).estimand
    sum[z](P(z|x) * sum[x](P(x) * P(y|x,z)))
    >>> bow = ADMG.of(directed=[("X", "Y")], bidirected=[("X", "Y")])
    >>> print(identify_effect(Effect((y,), (x,)), bow).witness)
    hedge {X, Y} over {Y}, roots {Y}
    """
    named = [v.variable for v in (*query.outcomes, *query.treatments, *query.given)]
    sources.check(graph)
    engine = Engine.of(_above(graph, [*named, *sources.variables()]), sources)
    asked, steps = _asked(engine.masks, query)
    obstacle = _obstacle(engine, asked)
    if obstacle is not None:
        _validate(obstacle, engine, asked, graph, sources)
        return NotIdentified(query, graph, obstacle, sources)
    smaller = _needed(engine.on(engine.masks.induced(_relevant(engine, asked))), asked)
    estimand, more = _estimand(smaller, asked)
    names = {smaller.symbols[at]: value for at, value in _values(engine.masks, query).items()}
    estimand = renamed(estimand, names)
    steps += _omitted(engine, query, asked, smaller) + more
    return Identified(query, graph, estimand, Derivation(tuple(steps)), sources)


def _above(graph: ADMG, names: list[str]) -> ADMG:
    """Return a large graph without what is no cause of what is asked."""
    if len(graph) <= _SMALL:
        graph.indices(names)
        return graph
    return graph.induced(graph.ancestors(names))


@final
@dataclass(frozen=True, slots=True)
class _Asked:
    """P(outcomes | do(treatments), given), as sets of bits."""

    outcomes: int
    treatments: int
    given: int


def _asked(masks: Masks, query: Effect) -> tuple[_Asked, list[Step]]:
    """Return the query with as many conditions as can be made treatments (IDC, line 1)."""
    outcomes, treatments, given = (
        masks.mask(value.variable for value in part)
        for part in (query.outcomes, query.treatments, query.given)
    )
    steps: list[Step] = []
    moved = given
    while moved:  # the largest set that can be moved is the union of all that can
        moved = 0
        for at in bits(given):
            rest = given & ~(1 << at)
            cut = masks.cut(heads=treatments, tails=1 << at)
            if cut.separated(outcomes, 1 << at, treatments | rest):
                moved, given = 1 << at, rest
                treatments |= moved
                done = _Asked(outcomes, treatments, given)
                because = f"{masks.nodes[at]} can be set as well as seen (rule 2)"
                steps.append(Step("IDC, line 1", because, _text(masks, query, done)))
                break
    return _Asked(outcomes, treatments, given), steps


def _relevant(engine: Engine, asked: _Asked) -> int:
    """Return the ancestors of outcomes and conditions (ID, line 2), and what experiments set."""
    masks = engine.masks
    found = masks.ancestors(asked.outcomes | asked.given)
    return found | engine.fixed() | asked.treatments


def _districts(masks: Masks, asked: _Asked) -> list[int]:
    """Return the districts whose factors make the query (ID, lines 3 and 4)."""
    free = masks.alive & ~asked.treatments
    return masks.districts(masks.ancestors(asked.outcomes | asked.given, free))


def _obstacle(engine: Engine, asked: _Asked) -> Obstacle | None:
    for district in _districts(engine.masks, asked):
        if engine.usable(district) is None:
            return engine.obstacle(district)  # ID, line 5
    return None


def _needed(engine: Engine, asked: _Asked) -> Engine:
    """Omit the variables without which the answer is still determined."""

    def holds(trial: Engine) -> bool:
        return all(trial.usable(each) for each in _districts(trial.masks, asked))

    return engine.reduced(asked.outcomes | asked.treatments | asked.given, holds)


def _estimand(engine: Engine, asked: _Asked) -> tuple[Expression, list[Step]]:
    """Return the formula, whose factors are known, in default symbols (ID, line 4)."""
    masks, factors, steps = engine.masks, list[Factor](), list[Step]()
    districts = _districts(masks, asked)
    whole = 0
    for district in districts:
        whole |= district
        found = engine.factors(district)
        factors += found
        steps.append(_step(masks, district, text_of(product(f.expression for f in found))))
    place = {1 << at: rank for rank, at in enumerate(masks.order)}
    factors.sort(key=lambda factor: place.get(factor.head, len(place)))
    over = whole & ~asked.outcomes & ~asked.given
    if len(districts) > 1 or over:
        steps.insert(0, _split(masks, asked, districts, over))
    if asked.given:  # IDC, line 2
        because = "a conditional probability is a ratio of joint ones"
        estimand = normalised(factors, over, asked.outcomes, engine.symbols)
        steps.append(Step("IDC, line 2", because, text_of(estimand)))
        return estimand, steps
    kept = summed(factors, over, engine.symbols)
    return product(factor.expression for factor in kept), steps


def _values(masks: Masks, query: Effect) -> dict[int, Value]:
    place = {name: at for at, name in enumerate(masks.nodes)}
    asked = (*query.outcomes, *query.treatments, *query.given)
    return {place[value.variable]: value for value in asked}


def _omitted(engine: Engine, query: Effect, asked: _Asked, smaller: Engine) -> list[Step]:
    masks = engine.masks
    done = _text(masks, query, asked)
    above = masks.ancestors(asked.outcomes | asked.given)
    outside = masks.alive & ~above & ~asked.treatments
    steps = []
    if outside:
        because = f"{_listed(masks, outside)} cannot matter: no ancestors of what is asked"
        steps.append(Step("ID, line 2", because, done))
    inside = above & ~smaller.masks.alive
    if inside:
        because = f"the rest determines the answer without {_listed(masks, inside)}"
        steps.append(Step("latent projection", because, done))
    return steps


def _split(masks: Masks, asked: _Asked, districts: list[int], over: int) -> Step:
    parts = " ".join(f"Q[{_listed(masks, each)}]" for each in districts)
    inside = f"sum over {_listed(masks, over)} of {parts}" if over else parts
    named = ", ".join(f"{{{_listed(masks, each)}}}" for each in districts)
    return Step("ID, line 4", f"the districts without treatments are {named}", inside)


def _step(masks: Masks, district: int, found: str) -> Step:
    name = _listed(masks, district)
    return Step("ID, lines 6 and 7", f"Tian's factor of {{{name}}}", f"Q[{name}] = {found}")


def _listed(masks: Masks, mask: int) -> str:
    return ", ".join(masks.names(mask))


def _text(masks: Masks, query: Effect, asked: _Asked) -> str:
    """Return what the query became, with the values that it asks about."""
    values = _values(masks, query)
    parts = (asked.outcomes, asked.treatments, asked.given)
    return str(Effect(*(tuple(values[at] for at in bits(part)) for part in parts)))


def _validate(
    obstacle: Obstacle, engine: Engine, asked: _Asked, graph: ADMG, sources: Sources
) -> None:
    """Look over a witness; a wrong one is a mistake of ours."""
    masks = engine.masks
    treatments = masks.names(asked.treatments)
    outcomes = masks.names(asked.outcomes | asked.given)
    match obstacle:
        case Hedge():
            faults = hedge_faults(obstacle, graph, treatments, outcomes)
        case Thicket():
            faults = thicket_faults(obstacle, graph, treatments, outcomes, sources)
    if faults:
        raise InternalError(f"{obstacle} does not hold in {graph!r}: {'; '.join(faults)}.")
