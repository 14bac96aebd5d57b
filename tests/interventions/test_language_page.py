"""The examples of docs/language.md are terms, and print as they are written there."""

import re
from pathlib import Path

import pytest

from causalnet.graphs import TransformerShape, transformer_graph
from causalnet.interventions import (
    check_query,
    parse_query,
    parse_scalar,
    parse_site,
    parse_world,
)

PAGE = (Path(__file__).parents[2] / "docs" / "language.md").read_text(encoding="utf-8")
GRAPH = transformer_graph(TransformerShape(2, 3, 3, 8, 4, 16, 11))
BLOCKS = {
    kind: [line for line in body.splitlines() if line]
    for kind, body in re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
}


@pytest.mark.parametrize("text", BLOCKS["world"])
def test_worlds(text: str) -> None:
    assert str(parse_world(text)) == text


@pytest.mark.parametrize("text", BLOCKS["site"])
def test_sites(text: str) -> None:
    assert str(parse_site(text)) == text


@pytest.mark.parametrize("text", BLOCKS["scalar"])
def test_scalars(text: str) -> None:
    assert str(parse_scalar(text)) == text


@pytest.mark.parametrize("text", BLOCKS["query"])
def test_queries(text: str) -> None:
    query = parse_query(text, GRAPH)
    check_query(query, GRAPH)
    assert parse_query(str(query), GRAPH) == query


def test_every_rule_of_the_grammar_is_defined() -> None:
    grammar = re.sub(r'"[^"]*"|\'[^\']*\'', "", "\n".join(BLOCKS["ebnf"]))
    defined = set(re.findall(r"^([\w-]+) +=", grammar, re.MULTILINE))
    used = set(re.findall(r"[\w-]+", grammar))
    named = {"integer", "number", "numbers", "digest", "words", "word", "characters"}
    assert used - defined - named == {"function", "macro", "kind"}
