"""`causalnet identify`: graphs from anywhere, what is known, and a verdict as exit status."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from causalnet.cli.door import run_command_line
from causalnet.graphs import EXAMPLES, read_graph, write_graph
from causalnet.graphs.formats import GraphFile
from causalnet.identification.reading.graph_text import parse_graph
from causalnet.identification.reading.parsing import parse_expression
from tests.cli.processes import causalnet

Output = pytest.CaptureFixture[str]
FRONT_DOOR = "X -> Z -> Y, X <-> Y"
BOW = "X -> Y, X <-> Y"
EFFECT = "P(y | do(x))"


def told(capsys: Output, *arguments: str, status: int = 0) -> str:
    """What a command that must end so prints."""
    assert run_command_line(["identify", *arguments]) == status
    return capsys.readouterr().out


def asked(capsys: Output, *arguments: str, status: int = 0) -> dict[str, Any]:
    """The JSON object of a command."""
    found: dict[str, Any] = json.loads(told(capsys, *arguments, "--json", status=status))
    assert found["exit_status"] == status
    return found


def mistake(capsys: Output, *arguments: str) -> str:
    """The message of a command that cannot be done."""
    assert run_command_line(["identify", *arguments]) == 3
    message = capsys.readouterr().err
    assert message.startswith("causalnet: ")
    assert "Traceback" not in message
    return message


# -- the three verdicts --------------------------------------------------------------------------


def test_an_identified_effect(capsys: Output) -> None:
    text = told(capsys, FRONT_DOOR, EFFECT)
    for line in (
        "QUESTION  P(y | do(x))",
        "          how Y is distributed where X is set to x",
        "GRAPH     X -> Z -> Y, X <-> Y",
        "KNOWN     P(V): all variables of the graph, observed together",
        "VERDICT   identified: the data determine it, by this formula",
        "          where sum[z] adds up over all values of Z",
    ):
        assert line in text.splitlines()
    assert "CHECK     verified on 2 random models: largest difference" in text
    assert "STEPS     1. " in text


def test_a_hedge_is_drawn(capsys: Output) -> None:
    text = told(capsys, BOW, EFFECT, status=2)
    assert "VERDICT   not identified" in text
    assert "WHY       treatment  F     X -> Y\n          outcome    F F'  Y\n" in text
    assert "F = {X, Y} and F' = {Y} are a hedge" in text


def test_what_holds_of_an_effect_without_a_formula(capsys: Output) -> None:
    lines = told(capsys, BOW, EFFECT, status=2).splitlines()
    at = lines.index("AT LEAST  P(x,y)")
    assert lines[at + 1] == "AT MOST   1 - (P(x) - P(x,y))"
    assert "these hold whatever is confounded" in " ".join(lines)
    found = asked(capsys, BOW, EFFECT, status=2)
    assert (found["lower"], found["upper"]) == (["P(x,y)"], ["1 - (P(x) - P(x,y))"])
    assert any("these hold whatever is confounded" in note for note in found["notes"])
    latex = told(capsys, BOW, EFFECT, "--latex", status=2)
    assert r"P\left(x, y\right) \leq P\left(y" in latex
    free = asked(capsys, "recanting district", status=2)
    assert (free["lower"], free["upper"]) == ([], [])


def test_bounds(capsys: Output) -> None:
    text = told(capsys, "chain", "pns(X -> Y)", status=2)
    assert "VERDICT   bounded" in text
    assert "AT LEAST  the largest of\n            0\n" in text
    assert "AT MOST   the smallest of\n" in text
    found = asked(capsys, "chain", "pns(X -> Y)", status=2)
    assert found["verdict"] == "bounded"
    assert "P(y|x)" in found["upper"]


def test_a_process_ends_with_the_verdict() -> None:
    assert causalnet("identify", FRONT_DOOR, EFFECT, "--quiet").returncode == 0
    run = causalnet("identify", BOW, EFFECT)
    assert (run.returncode, run.stderr) == (2, "")
    assert max(map(len, run.stdout.splitlines())) <= 100


def test_it_loads_no_torch() -> None:
    program = (
        "import sys; from causalnet.cli.door import run_command_line; "
        f"status = run_command_line(['identify', {FRONT_DOOR!r}, {EFFECT!r}]); "
        "sys.exit(status or 5 * ('torch' in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True).returncode == 0


# -- where the graph is from ---------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".graphml", ".dot", ".dagitty", ".gml", ".json"])
def test_a_file_of_any_format(suffix: str, tmp_path: Path, capsys: Output) -> None:
    graph = parse_graph("U -> X, U -> Y, X -> Z -> Y")
    roles: dict[str, list[str]] = {"exposures": ["X"], "outcomes": ["Y"], "latents": ["U"]}
    path = tmp_path / f"graph{suffix}"
    write_graph(GraphFile.of(graph, **roles), path)  # type: ignore[arg-type]  # a dict of lists
    found = asked(capsys, str(path))
    assert (found["question"], found["latent"]) == (EFFECT, ["U"])
    assert found["graph"]["bidirected"] == [["X", "Y"]]
    assert "U not observed" in told(capsys, str(path), EFFECT)


@pytest.mark.parametrize("name", ["graph.txt", "graph"])
def test_a_file_with_edges_as_they_are_typed(name: str, tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / name
    path.write_text("X -> Z -> Y\nX <-> Y\n")
    assert asked(capsys, str(path), EFFECT)["graph"]["directed"] == [["X", "Z"], ["Z", "Y"]]
    path.write_text("dag {\nX -> Y\n}\n")
    assert asked(capsys, str(path), EFFECT)["formula"] == "P(y|x)"
    path.write_text("X -> -> Y")
    assert "Line 1, column 6" in mistake(capsys, str(path), EFFECT)
    path.write_text("nothing of the kind")
    assert "tells no format" in mistake(capsys, str(path), EFFECT)


def test_text_of_another_program(capsys: Output) -> None:
    found = asked(capsys, "dag { X [exposure] Y [outcome] Z -> X Z -> Y X -> Y }")
    assert parse_expression(found["formula"]).free == parse_expression("P(y,x)").free


def test_every_textbook_graph_has_its_verdict(capsys: Output) -> None:
    for known in EXAMPLES:
        if known.identifiable is None:
            continue
        status = 0 if known.identifiable else 2
        found = asked(capsys, known.name, status=status)
        assert known.reference in found["notes"]


@pytest.mark.parametrize("name", ["bow-arc", "Bow Arc", "bowarc", "BOW_ARC"])
def test_names_of_textbook_graphs_are_read_in_any_spelling(name: str, capsys: Output) -> None:
    assert asked(capsys, name, status=2)["graph"] == asked(capsys, "bow arc", status=2)["graph"]


def test_no_two_textbook_graphs_are_spelled_alike() -> None:
    alike = {"".join(c for c in known.name.lower() if c not in " -_") for known in EXAMPLES}
    assert len(alike) == len(EXAMPLES)


def test_a_name_that_is_not_known_lists_all_that_are(capsys: Output) -> None:
    for name in ("front-dor", "zzz"):
        message = mistake(capsys, name, EFFECT)
        listed = message.split("Textbook graphs are\n")[1].replace("\n", " ").strip()
        assert [each.strip(" ;") for each in listed.split("; ")] == [e.name for e in EXAMPLES]
        assert all(known.name in message for known in EXAMPLES)


def test_steps_name_the_values_that_are_asked_about(capsys: Output) -> None:
    steps = asked(capsys, "napkin", "P(y' | do(X=1))")["steps"]
    projections = [step["result"] for step in steps if step["rule"] == "latent projection"]
    outside = asked(capsys, "X -> Y -> A, B -> X", "P(y' | do(X=1))")["steps"]
    cut = [step["result"] for step in outside if step["rule"] == "ID, line 2"]
    assert {*projections, *cut} == {"P(y' | do(X=1))"}


def test_the_question_may_name_variables_as_the_graph_does(capsys: Output) -> None:
    graph = "Smoking -> Tar -> Cancer, Smoking <-> Cancer"
    found = asked(capsys, graph, "P(Cancer | do(Smoking=1))")
    assert found["question"] == "P(Cancer=cancer | do(Smoking=1))"
    text = told(capsys, graph, "P(Cancer | do(Smoking=1))")
    assert "QUESTION  P(cancer | do(Smoking=1))" in text.splitlines()
    assert "          where sum[tar] adds up over all values of Tar" in text.splitlines()


# -- what is known -------------------------------------------------------------------------------


def test_latent_nodes_are_projected_out(capsys: Output) -> None:
    graph = "U -> X, U -> Y, X -> Z -> Y"
    for options in (("--latent", "U"), ("--observed", "X, z,Y")):
        found = asked(capsys, graph, EFFECT, *options)
        assert found["graph"] == {
            "nodes": ["X", "Y", "Z"],
            "directed": [["X", "Z"], ["Z", "Y"]],
            "bidirected": [["X", "Y"]],
        }
        assert found["latent"] == ["U"]


def test_experiments(capsys: Output) -> None:
    graph = "W -> Z -> X -> Y, W -> Y, W <-> Y, Z <-> Y, Z <-> X"
    assert asked(capsys, graph, EFFECT, status=2)["witness"]["kind"] == "hedge"
    found = asked(capsys, graph, EFFECT, "--experiment", "Z", "--verify", "3")
    assert found["formula"] == "P[z](y|x)"
    assert found["check"]["models"] == 3
    assert [each["do"] for each in found["known"]["distributions"]] == [[], ["Z"]]
    alone = asked(capsys, graph, EFFECT, "--experiment", "Z", "--no-observations")
    assert [each["do"] for each in alone["known"]["distributions"]] == [["Z"]]
    both = asked(capsys, graph, EFFECT, "--experiment", "w, Z", "--no-observations", status=2)
    assert [each["do"] for each in both["known"]["distributions"]] == [["W", "Z"]]
    text = told(capsys, graph, EFFECT, "--experiment", "Z")
    assert "          where P[z] is P under do(z)" in text.splitlines()


def test_experiments_that_would_do_are_named(capsys: Output) -> None:
    graph = "W -> Z -> X -> Y, W -> Y, W <-> Y, Z <-> Y, Z <-> X"
    remedy = "REMEDY    an experiment on Z, or on X, would identify it: --experiment Z"
    assert remedy in told(capsys, graph, EFFECT, status=2).splitlines()
    assert "REMEDY" not in told(capsys, "recanting district", status=2)


def test_other_domains(capsys: Output) -> None:
    options = ("--domain", "a:X", "--selection", "a:Z")
    found = asked(capsys, "Z -> X -> Y, Z -> Y, X <-> Y", EFFECT, *options)
    assert found["formula"] == "sum[z](P(z) * P{a}[x](y|z))"
    assert found["known"]["differs"] == {"a": ["Z"]}
    refused = asked(capsys, BOW, EFFECT, "--domain", "a:X", "--selection", "a:Y", status=2)
    assert refused["witness"]["kind"] == "thicket"
    text = told(capsys, BOW, EFFECT, "--domain", "a:X", "--selection", "a:Y", status=2)
    assert "domain a differs in what makes Y" in text


# -- what is printed -----------------------------------------------------------------------------


def test_latex_and_dot_alone(capsys: Output) -> None:
    assert told(capsys, FRONT_DOOR, EFFECT, "--latex").startswith(
        r"P\left(y \mid \operatorname{do}\left(x\right)\right) = \sum_{z}"
    )
    dot = told(capsys, BOW, EFFECT, "--dot", status=2)
    file = read_graph(dot, "dot")
    assert file.graph == parse_graph(BOW)


def test_long_steps_lose_their_middle(capsys: Output) -> None:
    chain = " -> ".join(f"a_rather_long_name_{at}" for at in range(50))
    asked_ = "P(a_rather_long_name_49 | do(a_rather_long_name_0))"
    found = asked(capsys, chain, asked_, "--verify", "0")
    assert "a_rather_long_name_25" in str(found["steps"])
    text = told(capsys, chain, asked_, "--verify", "0")
    assert "… (in full with --json) …" in " ".join(text.split())
    assert "a_rather_long_name_25" not in text[text.index("STEPS") :]


def test_no_check_where_none_is_wanted(capsys: Output) -> None:
    found = asked(capsys, FRONT_DOOR, EFFECT, "--verify", "0")
    assert found["check"]["models"] == 0


# -- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("X -> Y -> X", EFFECT), "The directed edges form a cycle: X -> Y -> X"),
        ((FRONT_DOOR, "P(y | do(q))"), "Unknown node 'q'"),
        ((FRONT_DOOR, "P(y | do(y))"), "'Y' is an outcome and a treatment at once"),
        ((FRONT_DOOR, "P(y | do(x)"), "Line 1, column 12: the text ends"),
        ((FRONT_DOOR,), "Nothing was asked"),
        (("front-dor", EFFECT), "Nearest: front-door"),
        (("zzz", EFFECT), "Textbook graphs are\n  chain; fork;"),
        (("", EFFECT), "The graph is empty"),
        ((EFFECT, FRONT_DOOR), "is a question, and stands in the graph's place"),
        (("none.graphml", EFFECT), "'none.graphml' is not a file"),
        (("X -> -> Y", EFFECT), "Line 1, column 6: found '->'"),
        ((BOW, EFFECT, "--experiment", "Q"), ": --experiment Q names what is not one of the nodes"),
        ((BOW, EFFECT, "--latent", "Q"), ": --latent Q names what is not one of the nodes. The n"),
        ((BOW, EFFECT, "--observed", "X,Q"), ": --observed Q names what is not one of the nodes"),
        ((BOW, EFFECT, "--domain", "a:Q"), "Write for example --domain a:X."),
        (("Smoking -> Y", "P(y)", "--latent", "smokin"), "Nearest: Smoking. Write for example --l"),
        (("X -> x -> Y", "P(y)", "--latent", "x,y,z"), ": --latent z names"),
        ((BOW, EFFECT, "--experiment", "X Y"), ": --experiment: Line 1, column 3: found 'Y'"),
        ((BOW, EFFECT, "--selection", "a:Y"), "of which nothing is known"),
        ((BOW, EFFECT, "--domain", ":Y"), "names no domain"),
        ((BOW, EFFECT, "--no-observations"), "leaves nothing that is known"),
        ((BOW, EFFECT, "--latent", "X,Y"), "No node is observed"),
        ((BOW, EFFECT, "--latent", "X", "--observed", "X"), "both --latent and --observed"),
        ((BOW, EFFECT, "--latent", "X"), "Latent, and not to be asked of: X"),
        ((BOW, EFFECT, "--verify", "-1"), "It is a number of models, from 0"),
        ((BOW, EFFECT, "--latex", "--dot"), "One of them is printed"),
        ((BOW, EFFECT, "--latex", "--json"), "--json and --latex. One of them is printed"),
        ((BOW, EFFECT, "--dot", "--json"), "--json and --dot. One of them is printed"),
        ((BOW, EFFECT, "extra"), "extra"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, tuple) else "",
)
def test_bad_input_is_told(arguments: tuple[str, ...], message: str, capsys: Output) -> None:
    assert message in mistake(capsys, *arguments)


def test_the_place_of_a_mistake_is_shown(capsys: Output) -> None:
    message = mistake(capsys, FRONT_DOOR, "P(y | do(smoke))")
    assert "\n  P(y | do(smoke))\n           ^" in message


def test_with_json_a_mistake_is_one_object(capsys: Output) -> None:
    assert run_command_line(["identify", FRONT_DOOR, "P(q)", "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert found["error"]["kind"] == "UnknownMediatorError"


def test_the_help_tells_the_statuses(capsys: Output) -> None:
    assert run_command_line(["identify", "--help"]) == 0
    told_ = " ".join(capsys.readouterr().out.split())
    assert "Exit status: 0 identified, 2 not identified or bounded only, 3 bad input" in told_
