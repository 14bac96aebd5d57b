"""Rules of the second level apply where their guards hold, and are logged."""

from causalnet.graphs import TransformerShape, transformer_graph
from causalnet.interventions import (
    At,
    Base,
    Const,
    Contrast,
    Do,
    Edge,
    Facts,
    Handle,
    Node,
    Read,
    Scalar,
    Subspace,
    logit_diff,
    normal_form,
)
from causalnet.interventions.rules import SECOND_LEVEL, applied_rules

BASE, SOURCE = Base("base"), Base("source")
NET = transformer_graph(TransformerShape(2, 2, 2, 8, 4, 16, 11))
PLAIN = Read(logit_diff, BASE)
SCALE = Node("logits.scale"), At("logits.scale", BASE)


def effect(*sites: Node | Edge) -> Contrast:
    world = Do(BASE, tuple((site, At(site.read_from, SOURCE)) for site in sites))
    return Contrast(((1.0, Read(logit_diff, world)), (-1.0, PLAIN)))


def counts(terms: list[Scalar], facts: Facts | None = None) -> dict[str, int]:
    readouts = frozenset({"logit_difference"})
    found = applied_rules(normal_form(terms, NET), facts, readouts)
    assert all(each.count > 0 and str(each.count) in str(each) for each in found)
    return {each.rule.name: each.count for each in found}


def test_rules_are_named_after_their_class() -> None:
    names = [rule.name for rule in SECOND_LEVEL]
    assert len(set(names)) == len(names) == 17
    assert [rule.kind.value for rule in SECOND_LEVEL] == [name[0] for name in names]


def test_an_untouched_query_needs_no_rule() -> None:
    assert counts([PLAIN]) == {}


def test_algebra_is_marked() -> None:
    found = counts([effect(Node("L1.H0.v"))])
    assert found["A6"] == 1 and found["A2"] == 1 and found["A3"] == 2
    assert "A7" not in found  # the final norm's scale changes with the stream
    direct = Do(BASE, ((Edge("L0.H0", "logits"), At("L0.H0", SOURCE)), SCALE))
    found = counts([Read(logit_diff, direct)])
    assert found["A7"] == 1 and found["A1"] == 6  # with the term itself, and the five sums after it
    mean = Handle("mean of L0.mlp", "d")
    site = Node("L0.mlp", ("end",), Subspace(Handle("basis", "b"), (0, 2)))
    found = counts([Read(logit_diff, Do(BASE, ((site, Const(mean)),)))])
    assert found["A8"] == 1 and found["A4"] == 2  # the part, at the position


def test_shared_and_zero_contrasts_are_counted() -> None:
    nothing = Contrast(((1.0, PLAIN), (-1.0, PLAIN)))
    found = counts([effect(Node("L0.mlp")), effect(Node("L1.mlp")), nothing])
    assert found["D3"] == 1
    assert found["D1"] == 2  # five reads are written (each once in a contrast), three are run


def test_facts_merge_read_outs_rule_by_rule() -> None:
    columns = (("S2", 9), ("end", 13))
    terms: list[Scalar] = [
        effect(Node("L1.H0.z", ("S2",))),  # dead at the end: V3
        effect(Node("L0.mlp", (3,))),  # before the first difference: V1
        effect(Node("L0.mlp", ("S2",))),  # alive
    ]
    facts = Facts(equal_prefix=(("base", "source", 9),), columns=columns)
    found = counts(terms, facts)
    assert (found["V3"], found["V1"]) == (1, 1)
    assert "V5" not in found
    late = counts([effect(Node("L0.mlp", (20,)))], Facts(length=14))
    assert late["V5"] == 1
