"""What `explain` says of terms, against what the normal form and the interpreter know."""

import json

import numpy as np
import pytest

from causalnet.errors import TermError
from causalnet.graphs import TransformerShape, transformer_graph
from causalnet.interventions import (
    At,
    Base,
    Do,
    Facts,
    Node,
    Read,
    explain_scalars,
    explain_terms,
    logit_diff,
    nie,
    parse_query,
    runs_of,
    worlds_needed,
)
from causalnet.interventions.random_models import hash_scm

GRAPH = transformer_graph(TransformerShape(2, 2, 1, 8, 4, 16, 11))


def test_zero_effects_are_counted_and_grouped_by_reason() -> None:
    facts = Facts(columns=(("S2", 1), ("end", 2)), length=3)
    explained = explain_terms(nie(GRAPH.heads(), at="S2"), GRAPH, facts)
    assert [one.label for one in explained.zero] == ["L1.H0", "L1.H1"]
    [line] = [line for line in explained.lines() if "dead position" in line]
    assert "L1.H0, L1.H1: rule V3" in line
    assert "2 of 4 proved zero, whatever the weights are" in "\n".join(explained.lines())
    assert "before anything is known" in "\n".join(explain_terms(nie(GRAPH.heads()), GRAPH).lines())


def test_a_zero_effect_is_zero_in_a_model() -> None:
    text = "logit_difference(<base> + {L0.mlp := L0.mlp in <base>}) - logit_difference(<base>)"
    query = parse_query(text, GRAPH)
    assert len(explain_terms(query, GRAPH).zero) == 1
    model = hash_scm(GRAPH, 0)
    patched, plain = (read.world for read in query.reads)
    assert np.array_equal(model.value("logits", patched), model.value("logits", plain))


def test_counts_are_those_of_the_query() -> None:
    query = nie(GRAPH.heads())
    explained = explain_terms(query, GRAPH, rows=2)
    assert explained.plan.worlds_before == len(worlds_needed(query.reads)) == 6
    assert len(explained.plan.worlds) <= 6
    assert len(explained.terms) == 2 and "and 2 more rows" in "\n".join(explained.lines())
    plain = json.loads(json.dumps(explained.to_json()))
    assert plain["worlds"]["before_merging"] == 6 and plain["rows"] == 4


def test_no_plan_has_more_worlds_than_were_written() -> None:
    """Many sites in one world must not be taken for many worlds."""
    graph = transformer_graph(TransformerShape(6, 4, 2, 8, 4, 16, 11))

    def ablated(step: int) -> Read:
        heads = [head for index, head in enumerate(graph.heads()) if index % step]
        sites = tuple((Node(head.name, ("end",)), At(head.name, Base("source"))) for head in heads)
        return Read(logit_diff, Do(Base("base"), sites))

    rows = [(str(step), ablated(step)) for step in (2, 3, 100)]
    explained = explain_scalars([*rows, ("base", Read(logit_diff, Base("base")))], graph)
    assert len(explained.plan.worlds) <= explained.plan.worlds_before == 5


def test_runs_have_gradients_of_their_own() -> None:
    query = parse_query("attribution_patch(L0.mlp)", GRAPH)
    assert runs_of(query.leaves) == ("source", "base", "gradient of logit_difference(<base>)")


def test_what_does_not_fit_the_graph_is_refused() -> None:
    with pytest.raises(TermError, match="no edge"):
        explain_terms(
            parse_query("logit_difference(<base> + {L1.H0 -> L0.mlp := 0})", GRAPH), GRAPH
        )
