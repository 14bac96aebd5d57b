"""Textbook graphs about path-specific effects and about events in several worlds."""

from causalnet.graphs.counterfactual_graph import Event
from causalnet.graphs.textbook import EventsQuery, Example, PathQuery, along, districts, drawn

__all__ = ["PATHS"]

AVIN = "Avin, Shpitser and Pearl (2005), Identifiability of path-specific effects, IJCAI"
TREATED = "Shpitser and Pearl (2009), Effects of treatment on the treated, UAI"
Y_HAD_X_BEEN_X = Event.of("Y", "y", {"X": "x"})

_PATHS = (
    Example(
        name="mediation",
        graph=drawn("C -> X, C -> M, C -> Y, X -> M -> Y, X -> Y"),
        reference="Pearl (2001), Direct and indirect effects, UAI",
        query=PathQuery(("X",), "Y", along("X -> Y")),
        identifiable=True,
        estimand="sum[c,m](P(y|c,m,x) * P(m|c,x') * P(c))",
        note="The mediation formula, for the natural direct effect.",
    ),
    Example(
        name="recanting witness",
        graph=drawn("X -> L -> M -> Y, L -> Y, X -> M, X -> Y"),
        reference=AVIN,
        query=PathQuery(("X",), "Y", along("X -> Y, X -> L -> Y")),
        identifiable=False,
        recanting=frozenset({"L"}),
        note="The natural direct effect with a confounder of mediator and outcome that the "
        "treatment causes.",
    ),
    Example(
        name="kite",
        graph=drawn("X -> W -> Z -> Y, W -> Y, X -> Y"),
        reference=AVIN,
        query=PathQuery(("X",), "Y", along("X -> W -> Y")),
        identifiable=False,
        recanting=frozenset({"W"}),
    ),
    Example(
        name="kite, both continuations",
        graph=drawn("X -> W -> Z -> Y, W -> Y, X -> Y"),
        reference=AVIN,
        query=PathQuery(("X",), "Y", along("X -> W -> Z -> Y, W -> Y")),
        identifiable=True,
        estimand="sum[w,z](P(y|w,x',z) * P(z|w) * P(w|x))",
    ),
    Example(
        name="recanting district",
        graph=drawn("X -> M -> Y, X -> W -> Y, M <-> W"),
        reference="Shpitser (2013), Counterfactual graphical models for longitudinal mediation "
        "analysis with unobserved confounding, Cognitive Science 37",
        query=PathQuery(("X",), "Y", along("X -> M -> Y")),
        identifiable=False,
        districts=districts("M W"),
        recanting=frozenset({"M", "W"}),
    ),
    Example(
        name="confounded mediator",
        graph=drawn("X -> M -> Y, X -> Y, M <-> Y"),
        reference=AVIN,
        query=PathQuery(("X",), "Y", along("X -> Y")),
        identifiable=False,
        districts=districts("M Y"),
        recanting=frozenset({"M", "Y"}),
        note="Identified neither from observation nor from experiments.",
    ),
    Example(
        name="two mediators, the first alone",
        graph=drawn("X -> M1 -> M2 -> Y, X -> M2, M1 -> Y, X -> Y"),
        reference="Daniel, De Stavola, Cousens and Vansteelandt (2015), Causal mediation analysis "
        "with multiple mediators, Biometrics 71",
        query=PathQuery(("X",), "Y", along("X -> M1 -> Y")),
        identifiable=False,
        recanting=frozenset({"M1"}),
    ),
    Example(
        name="two mediators, nested",
        graph=drawn("X -> M1 -> M2 -> Y, X -> M2, X -> Y"),
        reference="Correa, Lee and Bareinboim (2021), Nested counterfactual identification from "
        "arbitrary surrogate experiments, NeurIPS",
        query=PathQuery(("X",), "Y", along("X -> Y, X -> M2 -> Y")),
        identifiable=True,
        estimand="sum[m1,m2](P(y|m2,x) * P(m2|m1,x) * P(m1|x'))",
        note="Y had X been x, with the M2 there were had X been x and M1 as under x'.",
    ),
    Example(
        name="two treatments, direct edges",
        graph=drawn("A1 -> W -> M -> A2 -> Y, A1 -> Y, A1 -> M, W -> A2, W -> Y, M -> Y"),
        reference="Shpitser and Tchetgen Tchetgen (2016), Causal inference with a graphical "
        "hierarchy of interventions, Annals of Statistics 44",
        query=PathQuery(("A1", "A2"), "Y", along("A1 -> Y, A2 -> Y")),
        identifiable=True,
        estimand="sum[m,w](P(w|a1') * P(m|a1',w) * P(y|a1,a2,m,w))",
    ),
    Example(
        name="indirect object identification",
        graph=drawn(
            "prompt -> previous_token -> induction -> S_inhibition -> name_mover -> logits, "
            "prompt -> induction, prompt -> duplicate_token -> S_inhibition, "
            "S_inhibition -> negative_name_mover -> logits, "
            "S_inhibition -> backup_name_mover -> logits, "
            "prompt -> name_mover, prompt -> negative_name_mover, prompt -> backup_name_mover"
        ),
        reference="Wang, Variengien, Conmy, Shlegeris and Steinhardt (2023), Interpretability in "
        "the wild, ICLR, figure 2",
        query=PathQuery(
            ("prompt",),
            "logits",
            along(
                "prompt -> previous_token -> induction -> S_inhibition -> name_mover -> logits, "
                "prompt -> induction, prompt -> duplicate_token -> S_inhibition"
            ),
        ),
        identifiable=False,
        recanting=frozenset({"S_inhibition"}),
        note="Each class of heads is one node; what S-inhibition tells name movers, it tells their "
        "opponents and backups.  Running the model answers, experiments on whole classes do not.",
    ),
)

_COUNTERFACTUALS = (
    Example(
        name="effect of treatment on the treated, front-door",
        graph=drawn("X -> Z -> Y, X <-> Y"),
        reference=TREATED,
        query=EventsQuery((Y_HAD_X_BEEN_X,), (Event.of("X", "x'"),)),
        identifiable=True,
        estimand="sum[z](P(z|x) * P(y|x',z))",
        districts=districts("X Y"),
    ),
    Example(
        name="effect of treatment on the treated, bow arc",
        graph=drawn("X -> Y, X <-> Y"),
        reference=TREATED,
        query=EventsQuery((Y_HAD_X_BEEN_X,), (Event.of("X", "x'"),)),
        identifiable=False,
        districts=districts("X Y"),
    ),
    Example(
        name="three worlds",
        graph=drawn("X -> W -> Y, D -> Z -> Y, X <-> Y"),
        reference="Shpitser and Pearl (2008), Complete identification methods for the causal "
        "hierarchy, JMLR 9, figure 9",
        query=EventsQuery(
            (Y_HAD_X_BEEN_X,),
            (Event.of("X", "x'"), Event.of("Z", "z", {"D": "d"}), Event.of("D", "d")),
        ),
        identifiable=True,
        estimand="sum[w](P(w|x) * P(y|w,x',z))",
        districts=districts("X Y"),
    ),
)

PATHS: tuple[Example, ...] = _PATHS + _COUNTERFACTUALS
