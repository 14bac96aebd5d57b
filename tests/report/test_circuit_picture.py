"""Pictures of circuits: rows by stage, the strongest edges, and what is left out is said."""

from pathlib import Path

import pytest

from causalnet.errors import ParameterError
from causalnet.report.circuit_picture import (
    MOST_EDGES,
    CircuitPicture,
    DrawnEdge,
    DrawnNode,
    drawn,
    places,
    write_circuit_png,
)
from tests.report.hostile_strings import HOSTILE


def picture(count: int, **changes: object) -> CircuitPicture:
    heads = [
        DrawnNode(f"L{layer}.H{head}", "head", 3 * layer) for layer in range(9) for head in (0, 1)
    ]
    ends = [DrawnNode("embed", "input", -1), DrawnNode("logits", "input", 99)]
    pairs = [(a, b) for a in (*heads, ends[0]) for b in (*heads, ends[1]) if a.stage < b.stage]
    made = [
        DrawnEdge(a.name, b.name, "q", (-1.0) ** place * (place + 1))
        for place, (a, b) in enumerate(pairs[:count])
    ]
    given = {"title": "t", "words": "w", "nodes": (*heads, *ends), "edges": tuple(made)}
    return CircuitPicture(**(given | changes))  # type: ignore[arg-type]


def test_later_stages_stand_higher_and_nothing_stands_on_another() -> None:
    given = picture(30)
    where = places(given)
    stages = {node.name: node.stage for node in given.nodes}
    for edge in given.edges:
        assert where[edge.sender][1] < where[edge.receiver][1]
    for one in where:
        for other in where:
            same = stages[one] == stages[other]
            assert (where[one][1] == where[other][1]) == same
    assert len(set(where.values())) == len(where)


def test_the_strongest_edges_are_drawn_and_the_others_counted() -> None:
    shown = drawn(picture(100))
    assert len(shown.edges) == MOST_EDGES
    assert min(abs(edge.value or 0) for edge in shown.edges) == 100 - MOST_EDGES + 1
    assert shown.notes == ("60 of 100 edges are drawn, the strongest.",)
    assert drawn(picture(20)).notes == ()


def test_nodes_without_an_edge_that_is_drawn_go_too() -> None:
    lonely = DrawnNode("L8.H9", "head", 24)
    given = picture(100)
    faint = DrawnEdge("embed", "L8.H9", "q", 1e-9)
    given = picture(100, nodes=(*given.nodes, lonely), edges=(*given.edges, faint))
    assert "L8.H9" not in {node.name for node in drawn(given).nodes}


def test_a_picture_is_written_whatever_its_words_are(tmp_path: Path) -> None:
    odd = [text for text in HOSTILE if "$" in text or "日" in text or len(text) > 100]
    assert len(odd) >= 3
    for number, text in enumerate(odd):
        nodes = (DrawnNode(text, "head", 1, -0.5), DrawnNode("logits", "input", 9))
        path = tmp_path / f"{number}.png"
        given = CircuitPicture(text, text, nodes, (), text, notes=(text,))
        assert write_circuit_png(given, path).read_bytes().startswith(b"\x89PNG")


def test_an_edge_to_nowhere_is_refused() -> None:
    with pytest.raises(ParameterError, match="Edges join nodes of the picture"):
        picture(0, edges=(DrawnEdge("embed", "L99.H0"),))
    with pytest.raises(ParameterError, match="A picture of no nodes"):
        CircuitPicture("t", "w", ())


def test_rows_without_edges_stand_in_the_middle() -> None:
    nodes = (
        DrawnNode("embed", "input", -1),
        DrawnNode("L0.H0", "head", 1, 1.0),
        DrawnNode("L1.H0", "head", 4, 2.0),
        DrawnNode("logits", "input", 6),
    )
    assert len({x for x, _ in places(CircuitPicture("t", "", nodes)).values()}) == 1
