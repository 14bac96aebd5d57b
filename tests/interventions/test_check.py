"""Static types: what each rule refuses, what it lets pass, and what is said."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from causalnet.errors import TermError, UnknownMediatorError
from causalnet.graphs import (
    Grain,
    Kind,
    Mediator,
    MediatorGraph,
    TransformerShape,
    at_positions,
    plain_graph,
    transformer_graph,
)
from causalnet.interventions import (
    OPERATIONS,
    RULES,
    At,
    Base,
    Const,
    Contrast,
    Do,
    Edge,
    Node,
    Op,
    Operation,
    Query,
    Read,
    Self,
    Value,
    World,
    ablation_effect,
    accuracy,
    check_query,
    check_scalar,
    check_world,
    joint,
    loss,
    nie,
    parse_scalar,
    parse_world,
    te,
)
from causalnet.interventions.contrasts import INTERCHANGE
from causalnet.interventions.operations import describe_operation
from tests.interventions.terms import GRAPH, TREATABLE, WORLDS

BASE, SOURCE = Base("base"), Base("source")
PLAIN = plain_graph({"U": (), "X": ("U",), "M": ("X",), "Y": ("X", "M")}, noise=("U",))
SHAPE = TransformerShape(2, 4, 2, 8, 2, 16, 11)
FEATURES = transformer_graph(SHAPE, Grain.FEATURES, dictionaries=3)
TOKENS = at_positions(transformer_graph(TransformerShape(1, 1, 1, 4, 2, 4, 5)), 3).fine
EMPTY_CUT = replace(
    GRAPH, cuts=(*GRAPH.cuts, replace(GRAPH.cuts[0], name="start", writers_before=0))
)
HEAD, MLP = GRAPH.find("L1.H2"), GRAPH.find("L0.mlp")
QUERY = nie([HEAD, MLP])

WORLD_RULES: dict[str, list[tuple[MediatorGraph, str, str]]] = {
    "mediators exist": [
        (GRAPH, "<base> + {L1.H4.z := 0}", r"Unknown mediator 'L1.H4.z'\. Layers are 0\.\.1"),
        (GRAPH, "<base> + {L0.mlp := L0.mpl in <source>}", "Unknown mediator 'L0.mpl'.*'L0.mlp'"),
        (GRAPH, "<base> + {L0.mlp := add(self, own(L7.mlp in <source>))}", "mediator 'L7.mlp'"),
        (GRAPH, "<base> + {embed := embed in <base> + {L2.mlp := 0}}", "mediator 'L2.mlp'"),
        (GRAPH, "<base> + {nonsense := 0} + {L0.mlp := 0}", "Unknown mediator 'nonsense'"),
        (GRAPH, "<base> + {embed -> L2.mlp := 0}", "Unknown mediator 'L2.mlp'"),
        (GRAPH, "<base> + {L1.H2.k := 0}", "share keys and values.*Write 'L1.KV1.k'"),
        (PLAIN, "<base> + {Z := 0}", "Unknown mediator 'Z'"),
    ],
    "noise is not set": [
        (PLAIN, "<base> + {U := 0}", "U cannot be set: it is exogenous noise.*'<base; key>'"),
    ],
    "cuts have writers": [
        (EMPTY_CUT, "<base> + {start := 0}", "Nothing is written before start"),
        (EMPTY_CUT, "<base> + {embed := start in <source>}", "Nothing is written before start"),
    ],
    "edges exist": [
        (
            GRAPH,
            "<base> + {L1.mlp -> L0.mlp := 0}",
            r"no edge L1.mlp -> L0.mlp\. \d+ mediators send",
        ),
        (GRAPH, "<base> + {embed -> L0.H0 := 0}", "no edge embed -> L0.H0"),
        (GRAPH, "<base> + {L0.H0.q -> L0.H0.pattern:k := 0}", "no edge L0.H0.q -> slot 'k'"),
        (PLAIN, "<base> + {M -> X := 0}", "no edge M -> X. 1 mediator sends to X: U"),
    ],
    "edges end at nodes": [
        (
            GRAPH,
            "<base> + {L1.resid_pre -> L1.mlp := 0}",
            "an end at L1.resid_pre, a cut of a stream.*Write a writer before it",
        ),
        (GRAPH, "<base> + {embed -> L1.resid_mid := 0}", "Write a receiver after it in its place"),
        (
            GRAPH,
            "<base> + {embed -> L0.mlp.scale := 0}",
            "reads what L0.mlp reads.*'embed -> L0.mlp'",
        ),
    ],
    "positions need an axis": [
        (
            TOKENS,
            "<base> + {'L0.mlp[1]'[end] := 0}",
            r"L0\.mlp\[1\] has none\. Its axes are batch, f",
        ),
    ],
    "positions are distinct": [
        (GRAPH, "<base> + {L0.mlp[end,end] := 0}", "has a position twice"),
        (GRAPH, "<base> + {L0.mlp[''] := 0}", "has the position ''"),
        (PLAIN, "<base> + {X -> Y[3,3] := 0}", "has a position twice"),
    ],
    "indices lie on a free axis": [
        (
            GRAPH,
            "<base> + {L0.mlp[*; head 0] := 0}",
            "no free axis 'head'. Its axes are batch, pos, f",
        ),
        (
            GRAPH,
            "<base> + {L0.mlp[*; pos 0] := 0}",
            "no free axis 'pos'.*positions are written before",
        ),
        (GRAPH, "<base> + {L0.H0.z[*; feature 1,2] := 0}", r"no feature 2\. They are 0\.\.1"),
        (
            GRAPH,
            "<base> + {L0.mlp -> logits[*; feature 8] := 0}",
            r"no feature 8\. They are 0\.\.7",
        ),
    ],
    "subspaces lie in vectors": [
        (
            GRAPH,
            "<base> + {L0.H0.z[*; 'das'#1 2] := 0}",
            "'das'#1 has no column 2 at L0.H0.z. It has at",
        ),
        (GRAPH, "<base> + {L0.H0.pattern[*; 'das'#1 0] := 0}", "is no vector, as a subspace needs"),
    ],
    "sites of a layer are apart": [
        (
            GRAPH,
            "<base> + {embed -> L0.mlp := 0, embed -> m0:resid := self}",
            "are one edge.*second Do",
        ),
        (GRAPH, "<base> + {L0.resid_post := 0, L1.resid_pre[end] := 0}", "one cut of the residual"),
    ],
    "values fit": [
        (
            GRAPH,
            "<base> + {L1.H2.z := L1.H2 in <source>}",
            r"L1.H2 does not fit L1.H2.z\. Its axes are batch, pos, feature 8; those of L1.H2.z "
            "are batch, pos, feature 2",
        ),
        (GRAPH, "<base> + {L1.mlp := L0.H0.pattern in <source>}", "axes are batch, pos, attended"),
        (GRAPH, "<base> + {L0.H0.pattern := L0.H0.z in <source>}", "L0.H0.z does not fit"),
        (
            GRAPH,
            "<base> + {embed -> logits := logits in <source>}",
            "logits does not fit embed -> log",
        ),
        (GRAPH, "<base> + {L1.mlp := lerp(self, add(self, L0.H0.z in <base>); factor=1.0)}", "fit"),
        (GRAPH, "<base> + {L1.mlp := L0.mlp.scale in <base>}", "feature 1; those of L1.mlp"),
    ],
    "operations are used as described": [
        (GRAPH, "<base> + {L1.mlp := add(self)}", "add was given 1 arguments"),
        (GRAPH, "<base> + {L1.mlp := add/v9(self, 0)}", "No operation add/v9"),
        (GRAPH, "<base> + {L1.mlp := add(self, 0; factr=1.0)}", "add was given factr"),
    ],
    "patterns are edited at patterns": [
        (
            GRAPH,
            "<base> + {L1.mlp := uniform_pattern(self)}",
            "uniform_pattern acts on attention patterns, and L1.mlp is a mlp",
        ),
    ],
    "noise has a key": [(GRAPH, "<base> + {embed := add(self, noise(''))}", "has no key")],
    "inputs have names": [
        (GRAPH, "<''>", "has an empty name"),
        (GRAPH, "<base> + {embed := embed in <source; ''>}", "<source> has an empty noise key"),
    ],
    "regimes are chosen": [
        (
            FEATURES,
            "<base> + {L0.H0.z := 0}",
            r"L0.H0.z acts on L0.mlp.err.*neither goes without saying\. Add 'L0.mlp.err := self'",
        ),
        (FEATURES, "<base> + {L0.H0.z := 0} + {L0.mlp.err[end] := self}", "acts on L0.mlp.err"),
        (FEATURES, "<base> + {L0.H0.z := 0, L0.mlp.err := self}", "acts on L1.mlp.err"),
        (FEATURES, "<base> + {embed -> L1.H0.q := 0}", "embed -> L1.H0.q acts on L1.mlp.err"),
        (FEATURES, "<base> + {L1.resid_pre := 0}", "L1.resid_pre acts on L1.mlp.err"),
        (
            FEATURES,
            "<base> + {logits := logits in <base> + {embed := 0}}",
            "embed acts on L0.mlp.err",
        ),
    ],
}
SCALAR_RULES: dict[str, list[tuple[MediatorGraph, str, str]]] = {
    "read-outs read": [
        (GRAPH, "logit_difference{L0.H0.z}(<base>)", "cannot be read from L0.H0.z. Its axes are"),
        (GRAPH, "kl{L0.H0.pattern}(<base>)", "kl cannot be read from L0.H0.pattern"),
        (
            GRAPH,
            "value{L0.mlp}(<base>)",
            "L0.mlp is not one number. Its axes are batch, pos, feature 8",
        ),
        (GRAPH, "logit_difference{['']}(<base>)", "is read at ''"),
        (GRAPH, "kl{against none}(<base>)", "The read-out kl compares to no world. It needs one"),
        (GRAPH, "loss{against <base>}(<base>)", "loss compares to a world. It uses none"),
        (EMPTY_CUT, "loss{start}(<base>)", "Nothing is written before that cut"),
    ],
    "mediators exist": [
        (PLAIN, "logit_difference(<base>)", "Unknown mediator 'logits'"),
        (GRAPH, "kl{against <base> + {L7.mlp := 0}}(<base>)", "Unknown mediator 'L7.mlp'"),
        (GRAPH, "ratio(kl(<base>), kl(<base> + {L7.mlp := 0}))", "Unknown mediator 'L7.mlp'"),
        (GRAPH, "grad(kl(<base>); embed; embed in <base> + {L7.mlp := 0})", "mediator 'L7.mlp'"),
    ],
    "values fit": [
        (GRAPH, "grad(loss(<base>); embed; L0.H0.z in <source>)", "L0.H0.z does not fit embed"),
    ],
    "noise is not set": [(PLAIN, "grad(value{Y}(<base>); U; 0)", "U cannot be set")],
    "regimes are chosen": [
        (FEATURES, "grad(loss(<base>); L0.mlp.f0; 0)", "L0.mlp.f0 acts on L1.mlp.err"),
        (FEATURES, "grad(loss(<base>); embed -> L1.H0.q; 0)", "acts on L1.mlp.err"),
    ],
}
QUERY_RULES: dict[str, list[tuple[Query, str]]] = {
    "rows are told apart": [
        (replace(QUERY, contrasts=()), "0 rows with 0 labels and 2 sets"),
        (replace(QUERY, treated=()), "2 rows with 2 labels and 0 sets"),
        (replace(QUERY, contrasts=(QUERY.contrasts[0],) * 2), "2 rows with 1 labels"),
    ],
    "directions are named": [
        (replace(QUERY, direction="sideways"), "direction 'sideways'.*'noising' and 'denoising'"),  # type: ignore[arg-type]  # what a file could say
    ],
    "events are given": [
        (replace(QUERY, given=Read(loss, BASE)), r"Read.* is given, and is no event"),
        (
            replace(QUERY, given=parse_scalar("not(and(positive(loss(<base>)), loss(<base>)))")),
            "no ev",
        ),
        (replace(QUERY, given=parse_scalar("ratio(loss(<base>), loss(<base>))")), "no event"),
    ],
    "mediators exist": [
        (
            replace(QUERY, treated=((HEAD,), (Mediator("L9.mlp", Kind.MLP, 9),))),
            "Unknown .*'L9.mlp'",
        ),
        (nie(Mediator("L9.mlp", Kind.MLP, 9)), "Unknown mediator 'L9.mlp'"),
        (replace(QUERY, below=(parse_world("<base> + {L7.mlp := 0}"),)), "mediator 'L7.mlp'"),
    ],
}


def cases(table: dict[str, list[tuple[MediatorGraph, str, str]]]) -> Iterable[object]:
    return [
        pytest.param(*case, id=f"{rule}: {case[1]}")
        for rule, made in table.items()
        for case in made
    ]


def test_every_rule_has_its_examples() -> None:
    assert {*WORLD_RULES, *SCALAR_RULES, *QUERY_RULES, "prompts are paired"} == set(RULES)


@pytest.mark.parametrize(("graph", "text", "told"), cases(WORLD_RULES))
def test_worlds_that_are_refused(graph: MediatorGraph, text: str, told: str) -> None:
    refused = parse_world(text)
    last = graph.nodes[-1].mediator.name
    for world in (refused, Do(BASE, ((Node(last), At(last, refused)),))):  # wherever it stands
        with pytest.raises((TermError, UnknownMediatorError), match=told):
            check_world(world, graph)


@pytest.mark.parametrize(("graph", "text", "told"), cases(SCALAR_RULES))
def test_scalars_that_are_refused(graph: MediatorGraph, text: str, told: str) -> None:
    for scalar in (parse_scalar(text), parse_scalar(f"ratio(0, 2.0 {text} - 0.5 {text})")):
        with pytest.raises((TermError, UnknownMediatorError), match=told):
            check_scalar(scalar, graph)


@pytest.mark.parametrize(
    ("query", "told"), [case for made in QUERY_RULES.values() for case in made]
)
def test_queries_that_are_refused(query: Query, told: str) -> None:
    with pytest.raises((TermError, UnknownMediatorError), match=told):
        check_query(query, GRAPH)


@pytest.mark.parametrize(
    ("graph", "text"),
    [
        (GRAPH, "<base; k>"),
        (GRAPH, "<base> + {L1.H2.z := L0.H3.z in <source>, L1.H2 := L0.mlp in <source>}"),
        (GRAPH, "<base> + {L1.mlp := L0.mlp in <source>} + {L1.mlp[end,-1] := embed in <base>}"),
        (
            GRAPH,
            "<base> + {L1.resid_mid := embed in <source>, L1.resid_pre := 0, L0.resid_mid := 0}",
        ),
        (GRAPH, "<base> + {L0.H0.pattern := mask_pattern(self; keys='S2,3')}"),
        (GRAPH, "<base> + {L0.H0.q.scale := L0.H0.q.scale in <source>}"),
        (
            GRAPH,
            "<base> + {embed -> logits[*; feature 0,7] := 0, embed -> logits[*; feature 3] := 0}",
        ),
        (GRAPH, "<base> + {embed[*; 'das'#1 0,7] := 0, embed[*; 'das'#1 1] := noise(k)}"),
        (GRAPH, "<base> + {L1.mlp := encode(logits in <source>, L0.H0.z in <base>)}"),
        (GRAPH, "<base> + {embed -> L0.H0.q := 0, embed -> L0.H1.q := 0, embed := 0}"),
        (GRAPH, "<base> + {L0.mlp[S1] := 0, m0[S2] := 0}"),
        (PLAIN, "<base; k> + {X -> Y := X in <source>, X -> M := noise(e), Y := own(U in <base>)}"),
        (PLAIN, "<base> + {X[end; feature 9] := M in <source>}"),
        (TOKENS, "<base> + {'L0.mlp[1]' := 'L0.mlp[0]' in <source>}"),
        (FEATURES, "<base> + {L1.mlp.f0 := 0}"),
        (FEATURES, "<base> + {L0.mlp.err := 0, L1.mlp.err := L1.mlp.err in <base>}"),
        (FEATURES, "<base> + {L0.H0.z := 0, L0.mlp.err := self} + {L1.mlp.err := self}"),
        (FEATURES, "<base> + {logits := 0}"),
    ],
)
def test_worlds_that_are_let_pass(graph: MediatorGraph, text: str) -> None:
    check_world(parse_world(text), graph)


@pytest.mark.parametrize(
    ("graph", "text"),
    [
        (
            GRAPH,
            "logit_difference{L0.resid_mid[S2]}(<base>) - kl{L1.mlp; against <source>}(<base>)",
        ),
        (GRAPH, "value{L0.mlp.scale[end]}(<base>)"),
        (GRAPH, "'own'{L0.H0.pattern}(<base>)"),
        (
            FEATURES,
            "grad(value{L1.mlp.f0}(<base> + {L1.mlp.err := self}); L0.mlp; L0.mlp in <source>)",
        ),
        (PLAIN, "ratio(value{Y}(<base>), not(positive(value{M}(<source>))))"),
    ],
)
def test_scalars_that_are_let_pass(graph: MediatorGraph, text: str) -> None:
    check_scalar(parse_scalar(text), graph)


def test_queries_that_are_let_pass() -> None:
    event = parse_scalar("and(not(accuracy(<base>)), positive(logit_difference(<source>)))")
    counted = {"base": 4, "source": 4, "resample 0": 9}
    for query in (te(), QUERY, replace(QUERY, given=event), nie(joint("all", *TREATABLE[:3]))):
        check_query(query, GRAPH)
        check_query(query, GRAPH, counted)
    check_query(ablation_effect(HEAD, INTERCHANGE, outcome=accuracy), GRAPH)


def odd(value: object) -> Any:
    """A value of a type that is not asked for."""
    return value


@pytest.mark.parametrize(
    "make",
    [
        lambda: Do(odd("base"), ((Node("embed"), Const()),)),
        lambda: Do(BASE, odd((("embed", Const()),))),
        lambda: Do(BASE, odd(((Node("embed"), 0.0),))),
        lambda: Do(BASE, odd(((Node("embed"),),))),
        lambda: At("embed", odd("source")),
        lambda: Node("embed", odd("end")),
        lambda: Node("embed", odd(["end"])),
        lambda: Edge("embed", "L0.mlp", odd(3)),
        lambda: check_world(odd("base"), GRAPH),
        lambda: check_world(Base(odd(3)), GRAPH),
        lambda: check_world(Base("base", odd(3)), GRAPH),
        lambda: check_scalar(odd("kl"), GRAPH),
        lambda: check_scalar(Contrast(odd(((1.0, BASE),))), GRAPH),
        lambda: check_scalar(Read(odd("kl"), BASE), GRAPH),
        lambda: check_scalar(Read(loss, odd("base")), GRAPH),
        lambda: check_query(odd(te().contrasts[0][1]), GRAPH),
    ],
)
def test_what_is_no_term_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(TermError):
        make()


def test_operations_of_your_own_are_checked_once_described() -> None:
    world = Do(BASE, ((Node("embed"), Op("halve in this test", (Self(), Self()))),))
    check_world(world, GRAPH)  # nothing is known of it
    describe_operation(Operation("halve in this test", 1, "half of the value"))
    try:
        with pytest.raises(TermError, match=r"was given 2 arguments\. It takes 1"):
            check_world(world, GRAPH)
    finally:
        del OPERATIONS["halve in this test", 1]


def test_operations_that_share_arguments_are_checked_once() -> None:
    value: Value = Self()
    for _ in range(2_000):
        value = Op("add", (value, value))
    check_world(Do(BASE, ((Node("embed"), value),)), GRAPH)


def test_prompts_are_paired() -> None:
    with pytest.raises(TermError, match=r"3 for 'base', 4 for 'source'.*prompt by prompt"):
        check_query(QUERY, GRAPH, {"base": 3, "source": 4})
    with pytest.raises(TermError, match=r"No prompts are bound to the input 'source'.*'base'"):
        check_query(QUERY, GRAPH, {"base": 3})


@given(WORLDS)
def test_worlds_over_nodes_of_one_type_are_well_typed(world: World) -> None:
    """On a graph without axes every world over its nodes has a type."""
    bare = MediatorGraph(
        tuple(replace(node, axes=()) for node in GRAPH.nodes), GRAPH.streams, GRAPH.cuts
    )
    check_world(world, bare)
