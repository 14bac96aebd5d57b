"""Questions and graphs on which bounds and certificates are tried."""

import random

from causalnet.graphs.admg import ADMG
from causalnet.identification.queries import (
    Causation,
    Counterfactual,
    Effect,
    Fact,
    Mediation,
    PathSpecific,
    Potential,
    Probability,
    Question,
)
from causalnet.identification.sources import Distribution
from causalnet.identification.values import symbol

X, X2, Y, Y2, Z = symbol("X"), symbol("X", 1), symbol("Y"), symbol("Y", 1), symbol("Z")
AT = {X: 1, X2: 0, Y: 1, Y2: 0, Z: 1}
EFFECT = Effect((Y,), (X,))
OBSERVED_TABLE, EXPERIMENT = Distribution(), Distribution(("X",))
BOW = ADMG.of(directed=[("X", "Y")], bidirected=[("X", "Y")])
INSTRUMENT = ADMG.of(directed=[("Z", "X"), ("X", "Y")], bidirected=[("X", "Y")])


def question_of(generator: random.Random, graph: ADMG) -> Question:
    x, y, z = map(symbol, generator.sample(graph.nodes, 3))
    other, contrary = symbol(x.variable, 1), symbol(y.variable, 1)
    under = Potential.of(y.variable, {x.variable: x})
    follows = Potential.of(z.variable, {x.variable: other})
    nested = Potential.of(y.variable, {x.variable: x, z.variable: follows})
    edges = tuple(edge for edge in graph.directed if generator.random() < 0.6)
    kind: Probability = generator.choice(("PN", "PS", "PNS"))
    questions: list[Question] = [
        Effect((y,), (x,)),
        Effect((y,), (x,), (z,)),
        Causation(kind, y, x, contrary, other),
        Counterfactual((Fact(under, y),), (Fact(Potential(x.variable), other),)),
        Counterfactual((Fact(nested, y),)),
        Mediation("NDE", (y,), (x,), (other,), (z.variable,)),
        PathSpecific((y,), (x,), (other,), edges),
    ]
    return generator.choice(questions)
