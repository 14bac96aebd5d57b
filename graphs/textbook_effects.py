"""Textbook graphs about m-separation and about the effects of interventions."""

from causalnet.graphs.textbook import Example, Independence, districts, drawn, effect

__all__ = ["EFFECTS"]

X_ON_Y = effect("X", "Y")
PEARL_2009 = "Pearl (2009), Causality, second edition"
GREENLAND = (
    "Greenland, Pearl and Robins (1999), Causal diagrams for epidemiologic research, "
    "Epidemiology 10"
)

_SEPARATION = (
    Example(
        name="chain",
        graph=drawn("X -> M -> Y"),
        reference=f"{PEARL_2009}, section 1.2.3",
        query=X_ON_Y,
        identifiable=True,
        estimand="P(y|x)",
        independences=(Independence("X", "Y", holds=False), Independence("X", "Y", ("M",))),
    ),
    Example(
        name="fork",
        graph=drawn("Z -> X, Z -> Y"),
        reference=f"{PEARL_2009}, section 1.2.3",
        query=X_ON_Y,
        identifiable=True,
        estimand="P(y)",
        independences=(Independence("X", "Y", holds=False), Independence("X", "Y", ("Z",))),
    ),
    Example(
        name="collider",
        graph=drawn("X -> Z, Y -> Z, Z -> D"),
        reference=f"{PEARL_2009}, section 1.2.3",
        query=X_ON_Y,
        identifiable=True,
        estimand="P(y)",
        independences=(
            Independence("X", "Y"),
            Independence("X", "Y", ("Z",), holds=False),
            Independence("X", "Y", ("D",), holds=False),
        ),
        note="Conditioning on a descendant of the collider opens it, too.",
    ),
)

_EFFECTS = (
    Example(
        name="back-door",
        graph=drawn("Z -> X, Z -> Y, X -> Y"),
        reference="Pearl (1993), Graphical models, causality and intervention, Statistical "
        "Science 8",
        query=X_ON_Y,
        identifiable=True,
        estimand="sum[z](P(y|x,z) * P(z))",
        independences=(
            Independence("X", "Y", ("Z",), cut_out=("X",)),
            Independence("X", "Y", cut_out=("X",), holds=False),
        ),
    ),
    Example(
        name="front-door",
        graph=drawn("X -> Z -> Y, X <-> Y"),
        reference="Pearl (1995), Causal diagrams for empirical research, Biometrika 82",
        query=X_ON_Y,
        identifiable=True,
        estimand="sum[z](P(z|x) * sum[x'](P(y|x',z) * P(x')))",
        independences=(
            Independence("X", "Z", cut_out=("X",)),
            Independence("Z", "Y", ("X",), cut_out=("Z",)),
        ),
        districts=districts("X Y"),
    ),
    Example(
        name="front-door with a direct edge",
        graph=drawn("X -> Z -> Y, X -> Y, X <-> Y"),
        reference="Shpitser and Pearl (2006), Identification of joint interventional distributions",
        query=X_ON_Y,
        identifiable=False,
        districts=districts("X Y"),
        note="The bow over X -> Y is a hedge.",
    ),
    Example(
        name="front-door with a confounded mediator",
        graph=drawn("X -> Z -> Y, X <-> Y, Z <-> Y"),
        reference="Tian and Pearl (2002), A general identification condition for causal effects",
        query=X_ON_Y,
        identifiable=False,
        districts=districts("X Y Z"),
        note="A bidirected path leads from X to its child Z.",
    ),
    Example(
        name="conditional front-door",
        graph=drawn("W -> X, W -> Z, X -> Z -> Y, X <-> Y"),
        reference="Tikka and Karvanen (2017), Identifying causal effects with the R package "
        "causaleffect, Journal of Statistical Software 76, figure 1",
        query=X_ON_Y,
        identifiable=True,
        estimand="sum[w,z](P(z|w,x) * sum[x'](P(y|w,x',z) * P(x'|w)) * P(w))",
        districts=districts("X Y"),
    ),
    Example(
        name="bow arc",
        graph=drawn("X -> Y, X <-> Y"),
        reference="Shpitser and Pearl (2008), Complete identification methods for the causal "
        "hierarchy, JMLR 9",
        query=X_ON_Y,
        identifiable=False,
        districts=districts("X Y"),
        note="The smallest hedge.",
    ),
    Example(
        name="napkin",
        graph=drawn("W -> Z -> X -> Y, W <-> X, W <-> Y"),
        reference="Pearl and Mackenzie (2018), The Book of Why, chapter 7",
        query=X_ON_Y,
        identifiable=True,
        estimand="sum[w](P(x,y|w,z) * P(w)) / sum[w](P(x|w,z) * P(w))",
        independences=(Independence("Z", "Y", ("X",), cut_in=("Z",)),),
        districts=districts("W X Y"),
        note="The answer does not depend on the value of z, a Verma constraint.",
    ),
    Example(
        name="napkin with a second path",
        graph=drawn("W -> Z -> X -> Y, Z -> Y, X <-> Y, W <-> X"),
        reference="Tikka (2023), Identifying counterfactual queries with the R package cfid",
        query=X_ON_Y,
        identifiable=False,
        districts=districts("W X Y"),
    ),
    Example(
        name="M-bias",
        graph=drawn("X -> Y, W <-> X, W <-> Y"),
        reference=GREENLAND,
        query=X_ON_Y,
        identifiable=True,
        estimand="P(y|x)",
        independences=(
            Independence("X", "Y", cut_out=("X",)),
            Independence("X", "Y", ("W",), cut_out=("X",), holds=False),
        ),
        districts=districts("W X Y"),
        note="Adjusting for W opens a path that was closed.",
    ),
    Example(
        name="M-bias, joint with the collider",
        graph=drawn("X -> Y, W <-> X, W <-> Y"),
        reference=GREENLAND,
        query=effect("X", "Y W"),
        identifiable=False,
        districts=districts("W X Y"),
        note="P(Y | do(X)) is identified, P(Y, W | do(X)) is not.",
    ),
    Example(
        name="butterfly bias",
        graph=drawn("Z -> X, Z -> Y, X -> Y, Z <-> X, Z <-> Y"),
        reference="Ding and Miratrix (2015), To adjust or not to adjust?, Journal of Causal "
        "Inference 3",
        query=X_ON_Y,
        identifiable=False,
        independences=(
            Independence("X", "Y", cut_out=("X",), holds=False),
            Independence("X", "Y", ("Z",), cut_out=("X",), holds=False),
        ),
        districts=districts("X Y Z"),
        note="Z is a collider and a confounder at once.",
    ),
    Example(
        name="Verma",
        graph=drawn("V1 -> V2 -> V3 -> V4, V2 <-> V4"),
        reference="Verma and Pearl (1990), Equivalence and synthesis of causal models",
        query=effect("V1", "V4"),
        identifiable=True,
        estimand="sum[v2,v3](P(v2|v1) * P(v4|v1,v2,v3) * P(v3|v2))",
        independences=(
            Independence("V1", "V3", ("V2",)),
            Independence("V1", "V4", ("V3",), holds=False),
            Independence("V1", "V4", ("V2", "V3"), holds=False),
            Independence("V1", "V4", ("V3",), cut_in=("V3",)),
        ),
        districts=districts("V2 V4"),
        note="V1 and V4 are never independent, but they are once V3 is set.",
    ),
    Example(
        name="instrument",
        graph=drawn("Z -> X -> Y, X <-> Y"),
        reference="Balke and Pearl (1997), Bounds on treatment effects from studies with imperfect "
        "compliance, JASA 92",
        query=X_ON_Y,
        identifiable=False,
        independences=(
            Independence("Z", "Y", cut_out=("X",)),
            Independence("Z", "Y", ("X",), holds=False),
        ),
        districts=districts("X Y"),
        note="Bounded without further assumptions, identified in linear models.",
    ),
    Example(
        name="conditional instrument",
        graph=drawn("W -> Z, W -> Y, Z -> X -> Y, X <-> Y"),
        reference="Brito and Pearl (2002), Generalized instrumental variables, UAI",
        query=X_ON_Y,
        identifiable=False,
        independences=(
            Independence("Z", "Y", ("W",), cut_out=("X",)),
            Independence("Z", "Y", cut_out=("X",), holds=False),
        ),
        districts=districts("X Y"),
        note="Z is an instrument given W.",
    ),
    Example(
        name="bow-free",
        graph=drawn("X -> Z -> Y, A -> Y, X <-> A, A <-> Z"),
        reference="Brito and Pearl (2002), A new identification condition for recursive models "
        "with correlated errors, Structural Equation Modeling 9",
        query=X_ON_Y,
        identifiable=False,
        districts=districts("X A Z"),
        note="No two nodes have both kinds of edge: identified in linear models, not in general.",
    ),
    Example(
        name="primal-fixable treatment",
        graph=drawn("C -> X, C -> M, C -> L, C -> Y, X -> M -> L -> Y, X <-> L"),
        reference="Bhattacharya, Nabi and Shpitser (2022), Semiparametric inference for causal "
        "effects in graphical models with hidden variables, JMLR 23",
        query=X_ON_Y,
        identifiable=True,
        estimand="sum[c,l,m](P(c) * P(m|c,x) * sum[x](P(x|c) * P(l|c,m,x)) * P(y|c,l))",
        districts=districts("X L"),
    ),
    Example(
        name="two treatments in sequence",
        graph=drawn("X1 -> L -> X2 -> Y, X1 -> Y, L -> Y, L <-> Y"),
        reference="Robins (1986), A new approach to causal inference in mortality studies, "
        "Mathematical Modelling 7",
        query=effect("X1 X2", "Y"),
        identifiable=True,
        estimand="sum[l](P(y|l,x1,x2) * P(l|x1))",
        districts=districts("L Y"),
    ),
    Example(
        name="without a hedge",
        graph=drawn("X -> Y1, W1 -> X, W2 -> Y2, W1 <-> W2, W1 <-> Y1, W1 <-> Y2, X <-> W2"),
        reference="Shpitser and Pearl (2008), Complete identification methods for the causal "
        "hierarchy, JMLR 9, figure 3a",
        query=effect("X", "Y1 Y2"),
        identifiable=True,
        estimand="sum[w2](sum[w1](P(y1|w1,x) * P(w1)) * P(y2|w2) * P(w2))",
        districts=districts("X Y1 Y2 W1 W2"),
    ),
    Example(
        name="transport of a covariate",
        graph=drawn("S -> Z -> X -> Y, Z -> Y, X <-> Y"),
        reference="Pearl and Bareinboim (2014), External validity, Statistical Science 29",
        query=X_ON_Y,
        identifiable=False,
        independences=(Independence("S", "Y", ("Z", "X"), cut_in=("X",)),),
        districts=districts("X Y"),
        note="S marks what differs in the target; an experiment in the source, reweighted by the "
        "target's P(z), answers.",
    ),
    Example(
        name="no transport of an outcome",
        graph=drawn("S -> Y, X -> Y, X <-> Y"),
        reference="Pearl and Bareinboim (2014), External validity, Statistical Science 29",
        query=X_ON_Y,
        identifiable=False,
        independences=(Independence("S", "Y", ("X",), cut_in=("X",), holds=False),),
        districts=districts("X Y"),
        note="The outcome's own mechanism differs in the target.",
    ),
)

EFFECTS: tuple[Example, ...] = _SEPARATION + _EFFECTS
