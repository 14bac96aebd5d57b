"""`causalnet discover`: from a model and a task to claims, on networks whose circuits are known."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from causalnet.claims import VerificationReport, read_claim_file
from causalnet.cli import discover_found
from causalnet.cli.discover import JOURNAL, LEFT
from causalnet.cli.discover_prompts import prompts_for
from causalnet.cli.door import run_command_line
from causalnet.discovery.question import Question
from causalnet.discovery.saving import open_circuit, open_scores
from causalnet.effects import counterfactual, zero
from causalnet.errors import ParameterError
from causalnet.graphs.formats import AttributionGraph, read_graph
from causalnet.lift import lift
from causalnet.models import load
from causalnet.tasks import make

Output = pytest.CaptureFixture[str]
MODEL = "known:induction_soft"
TRUE_HEADS = ["L0.H0", "L1.H0"]


def discover(folder: Path, *options: str, model: str = MODEL) -> int:
    return run_command_line(
        ["discover", model, "--output", str(folder), "--prompts", "8", *options]
    )


def verdicts(file: Path, capsys: Output) -> dict[str, str]:
    capsys.readouterr()
    run_command_line(["verify", str(file), "--json", "--quiet"])
    report = VerificationReport.from_json(json.loads(capsys.readouterr().out))
    return {result.claim.id: result.decision.verdict.value for result in report.results}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A circuit of the two true heads, under zero ablation."""
    folder = tmp_path_factory.mktemp("found") / "circuit"
    assert discover(folder, "--ablation", "zero", "--size", "2", "--quiet") == 0
    return folder


def test_the_files_say_what_was_found(found: Path) -> None:
    told = json.loads((found / "circuit.json").read_text())
    assert told["circuit"]["names"] == TRUE_HEADS
    assert told["method"]["name"] == "exact-patching/v1"
    estimand = told["conventions"]["estimand"]
    assert estimand == "outcome with the unit removed, alone - outcome with nothing removed"
    assert told["approximates"].startswith("nothing")
    assert set(told["scores"]) == {f"L{layer}.H{head}" for layer in (0, 1) for head in range(4)}
    assert (found / "circuit.png").read_bytes().startswith(b"\x89PNG")
    graph = read_graph(found / "attribution.json", "attribution")
    assert isinstance(graph, AttributionGraph)
    assert [node.label for node in graph.nodes[1:3]] == TRUE_HEADS
    assert not (found / JOURNAL).exists()


def test_the_claims_name_other_prompts_and_are_judged(found: Path, capsys: Output) -> None:
    file = read_claim_file(found / "claims.yaml")
    assert file.found.task is not None and file.found.task.seed != file.task.seed
    assert file.ablation.kind == "zero" and file.ablation.ablate == "heads_and_mlps"
    # The read-out has the same value on every prompt, so that no spread is known: not SUPPORTED.
    assert set(verdicts(found / "claims.yaml", capsys)) == {
        "behaviour",
        "circuit-suffices",
        "circuit-is-needed",
        "better-than-chance",
    }


def test_claims_about_edges_are_supported_where_prompts_differ(
    tmp_path: Path, capsys: Output
) -> None:
    """Every true edge is live under means, so that the true circuit keeps all of the behaviour."""
    model = "known:indirect_object_soft"
    options = ("--grain", "edges", "--ablation", "mean_per_position", "--size", "8", "--quiet")
    assert discover(tmp_path, *options, model=model) == 0
    file = read_claim_file(tmp_path / "claims.yaml")
    assert file.ablation.ablate == "edges" and file.ablation.reference is not None
    told = verdicts(tmp_path / "claims.yaml", capsys)
    assert told["circuit-suffices"] == told["circuit-is-needed"] == "SUPPORTED"


def test_the_summary_is_honest(tmp_path: Path, capsys: Output) -> None:
    options = ("--grain", "edges", "--ablation", "zero", "--size", "9")
    assert discover(tmp_path, *options) == 0
    words = " ".join(capsys.readouterr().out.split())
    for part in (
        "error: none but rounding; the effect of one unit says nothing of several together",
        "measured: ",
        "answer above foil on 100% of 8 prompts",
        "ablation zero, noising, all positions; an effect is patched - unpatched",
        "2 of the 9 units score 0: order chose them, not evidence.",
        "on 8 other prompts (seed 1)",
        "Every other prompt gives the same numbers",
        "faithfulness 1.0000",
        "mean pairwise Jaccard",
        "structural: AUROC 1.000",
        "live under zero: AUROC 1.000",
        "recall 1.000",
    ):
        assert part in words, part


def test_json_is_one_object_with_the_numbers(tmp_path: Path, capsys: Output) -> None:
    options = ("--ablation", "zero", "--method", "atp", "--threshold", "0.5", "--json")
    assert discover(tmp_path, *options) == 0
    output = capsys.readouterr()
    told = json.loads(output.out)
    assert told["exit_status"] == 0 and told["method"] == "AtP/v1"
    assert told["circuit"]["names"] == TRUE_HEADS
    assert set(told["stability"]["sizes"]) == {"low", "high", "mean"}
    assert {"right_low", "top_1", "standard_error"} < set(told["behaviour"])
    assert told["measured"] and told["fails"] and "gradient at the node" in told["formula"]
    assert told["tested"]["faithfulness"]["estimate"] == pytest.approx(1.0)
    assert told["truths"]["live"]["recovery"]["f1"] == 1.0
    assert "score nodes by atp" in output.err


def test_scores_and_circuit_are_read_back_bit_by_bit(found: Path) -> None:
    net = lift(load(MODEL))
    pairs = make(MODEL, net.model.tokenizer, 8, 0)
    question = Question(net, pairs, zero(), grain="nodes")
    scores = open_scores(found / "scores.safetensors", question)
    told = json.loads((found / "circuit.json").read_text())["scores"]
    assert {name: scores[name] for name in told} == told
    assert scores.per_prompt is not None and scores.per_prompt.shape == (8, 8)
    assert open_circuit(found / "scores.safetensors", question).names == tuple(TRUE_HEADS)
    with pytest.raises(ParameterError, match="scores of another question: ablation"):
        open_scores(
            found / "scores.safetensors", Question(net, pairs, counterfactual(), grain="nodes")
        )


def test_the_attribution_graph_of_a_circuit_gives_the_circuit(
    found: Path, tmp_path: Path, capsys: Output
) -> None:
    options = ("--from", str(found / "attribution.json"), "--ablation", "zero", "--json")
    assert discover(tmp_path, *options) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["circuit"]["names"] == TRUE_HEADS and told["method"] is None
    assert read_claim_file(tmp_path / "claims.yaml").found.is_given


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--method", "eap_ig_input"), "Did you mean 'eap_ig_inputs'"),
        (("--ablation", "counterfactul"), "Did you mean 'counterfactual'?"),
        (("--grain", "edge"), "Did you mean 'edges'?"),
        (("--readout", "logit_diference"), "Did you mean 'logit_difference'?"),
        (("--connect", "prun"), "Did you mean 'prune'?"),
        (("--size", "3", "--threshold", "0.1"), "Both --size 3 and --threshold 0.1."),
        (("--size", "9"), "The graph has 8"),
        (("--size", "0"), "Write a size from 1 to 8"),
        (("--threshold", "1000"), "The largest of 8 is"),
        (("--connect", "greedy"), "Nodes are connected by all edges between them"),
        (("--method", "atp", "--readout", "kl"), "Use the task's read-out such as logit_diff"),
        (("--method", "eap_ig_inputs", "--ablation", "zero"), "only the counterfactual"),
        (("--method", "eap", "--set", "steps=3"), "has no option 'steps'"),
        (("--set", "steps"), "Write --set name=value"),
        (("--resume", __file__), "is no journal"),
        (("--resume", __file__, "--method", "atp_star"), "keeps no journal"),
        (("--resume", "nowhere.journal"), "There is no journal 'nowhere.journal'"),
        (("--from", "g.json", "--size", "3"), "--from beside --method"),
        (("--from", "claims.yaml"), "write causalnet verify claims.yaml"),
        (("--readout-at", "S7"), "S7"),
        (("--option", "corruption=abc"), "corruption"),
        (("--at", "S7"), "S7"),
        (("no-such-task",), "Unknown task: 'no-such-task'"),
        (("no-such-file.jsonl",), "no-such-file.jsonl"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, tuple) else "",
)
def test_bad_input_is_refused_and_nothing_is_written(
    options: tuple[str, ...], message: str, tmp_path: Path, capsys: Output
) -> None:
    assert discover(tmp_path, *options) == 3
    assert message in capsys.readouterr().err
    assert not (tmp_path / "claims.yaml").exists()


def test_a_folder_that_cannot_be_written_is_refused_before_the_model_is_loaded(
    tmp_path: Path, capsys: Output
) -> None:
    (tmp_path / "file").write_text("mine")
    assert discover(tmp_path / "file" / "folder") == 3
    output = capsys.readouterr()
    assert "cannot be written to" in output.err and "load the model" not in output.err
    assert (tmp_path / "file").read_text() == "mine"


def test_claims_that_are_there_are_not_written_over(tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "claims.yaml").write_text("edited by hand")
    assert discover(tmp_path) == 3
    assert "is there already" in capsys.readouterr().err
    assert (tmp_path / "claims.yaml").read_text() == "edited by hand"
    assert discover(tmp_path, "--force", "--quiet") == 0
    assert read_claim_file(tmp_path / "claims.yaml").circuit


def test_scores_are_not_lost_to_a_threshold_that_nothing_passes(
    tmp_path: Path, capsys: Output
) -> None:
    assert discover(tmp_path, "--ablation", "zero", "--threshold", "1000") == 3
    assert "score nodes by exact_patching 8/8" in capsys.readouterr().err
    left = tmp_path / JOURNAL
    before = left.read_bytes()
    assert discover(tmp_path, "--ablation", "zero", "--threshold", "1000") == 3
    assert left.read_bytes() == before  # it reads what is there and has nothing to add
    assert discover(tmp_path, "--ablation", "zero", "--threshold", "1") == 0
    assert not left.exists()
    told = json.loads((tmp_path / "circuit.json").read_text())
    assert told["circuit"]["names"] == TRUE_HEADS


def test_a_search_that_succeeds_leaves_what_others_left(tmp_path: Path) -> None:
    high, other = ("--threshold", "1000"), tmp_path / "other"
    assert discover(tmp_path, "--ablation", "zero", "--method", "acdc", *high) == 3
    left = {tmp_path / JOURNAL, tmp_path / LEFT.format("of-another")}
    (tmp_path / LEFT.format("of-another")).write_text("scores")
    before = {path: path.read_bytes() for path in left}
    assert discover(other, "--ablation", "zero", *high) == 3
    given = ("--resume", str(other / JOURNAL), "--quiet")
    assert discover(tmp_path, "--ablation", "zero", "--size", "2", *given) == 0
    assert {path: path.read_bytes() for path in left} == before
    assert (other / JOURNAL).exists()


def test_learned_constants_are_searched_and_claimed(tmp_path: Path, capsys: Output) -> None:
    options = ("--ablation", "optimal", "--reference-size", "8", "--size", "2", "--json")
    assert discover(tmp_path, *options) == 0
    output = capsys.readouterr()
    assert "learn constants on 8 prompts" in output.err
    assert json.loads(output.out)["circuit"]["names"] == TRUE_HEADS
    file = read_claim_file(tmp_path / "claims.yaml")
    assert file.ablation.kind == "optimal" and file.ablation.side == "base"
    assert file.ablation.reference is not None and file.ablation.reference.n == 8


def test_a_distance_over_all_tokens_finds_every_true_edge(tmp_path: Path, capsys: Output) -> None:
    readout = ("--readout", "logit_distance", "--readout-at", "all")
    options = ("--grain", "edges", "--ablation", "zero", "--size", "9")
    assert discover(tmp_path, *options, *readout, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["question"]["readout"] == "logit_distance/v1 at all"
    assert told["truths"]["live"]["ranking"]["auroc"] == 1.0
    assert "# The search scored by" in (tmp_path / "claims.yaml").read_text()


POSITIONS = ("--grain", "positions", "--ablation", "zero", "--size")


def test_nodes_at_positions_are_searched_drawn_and_claimed(tmp_path: Path, capsys: Output) -> None:
    assert discover(tmp_path, *POSITIONS, "2") == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "L0.H0[copied], L1.H0[second]" in words and "nodes at positions" in words
    assert "No attribution graph is written." in words
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"circuit.json", "circuit.png", "claims.yaml", "scores.safetensors"}
    told = json.loads((tmp_path / "circuit.json").read_text())
    assert told["circuit"]["names"] == ["L0.H0[copied]", "L1.H0[second]"]
    assert 'circuit: ["L0.H0[copied]", "L1.H0[second]"]' in (tmp_path / "claims.yaml").read_text()


def test_nodes_at_one_position_are_claimed(tmp_path: Path, capsys: Output) -> None:
    assert discover(tmp_path, *POSITIONS, "1", "--at", "end", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["circuit"]["names"] == ["L1.H0[end]"]
    assert [note for note in told["notes"] if "No claims" in note] == []
    file = read_claim_file(tmp_path / "claims.yaml")
    assert file.circuit == ("L1.H0",) and file.ablation.at == "end"


def test_an_interrupted_exact_search_goes_on(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--ablation", "zero", "--size", "2")
    assert interrupted(tmp_path / "a", monkeypatch, *options) == 130
    journal = tmp_path / "a" / JOURNAL
    assert journal.is_file()
    assert discover(tmp_path / "b", *options, "--resume", str(journal), "--quiet") == 0
    assert journal.is_file() and not (tmp_path / "b" / JOURNAL).exists()
    assert discover(tmp_path / "a", *options, "--quiet") == 0
    assert not journal.exists()
    assert (tmp_path / "a/circuit.json").read_text() == (tmp_path / "b/circuit.json").read_text()


def test_a_circuit_of_everything_has_no_claims(tmp_path: Path, capsys: Output) -> None:
    assert discover(tmp_path, "--size", "8") == 0
    output = capsys.readouterr()
    assert "nothing left to ablate" in output.err and "next " not in output.out
    assert not (tmp_path / "claims.yaml").exists() and (tmp_path / "circuit.json").exists()


def test_edges_that_do_not_hang_together_are_kept_and_it_is_said(
    tmp_path: Path, capsys: Output
) -> None:
    options = ("--grain", "edges", "--ablation", "zero", "--size", "1")
    assert discover(tmp_path, *options) == 0
    assert "The edges hang together nowhere" in capsys.readouterr().out
    assert discover(tmp_path, *options, "--force", "--connect", "greedy") == 3
    assert "lies on a path" in capsys.readouterr().err


def turned_round(tmp_path: Path, longer: bool = False) -> Path:
    """Prompts of which the answer is asked for that the network does not give."""
    net = load(MODEL)
    rows = []
    pairs = make(MODEL, net.tokenizer, 12, 3)
    for row in range(len(pairs)):
        source = list(pairs.source.ids[row])
        rows.append(
            {
                "base_ids": list(pairs.base.ids[row]),
                "source_ids": source[:-1] if longer else source,
                "answer_ids": list(pairs.foils[row]),
                "foil_ids": list(pairs.answers[row]),
            }
        )
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    return path


def test_a_task_that_the_model_does_not_do_needs_force(tmp_path: Path, capsys: Output) -> None:
    path = turned_round(tmp_path)
    assert discover(tmp_path / "a", str(path)) == 3
    message = capsys.readouterr().err
    assert "answer above foil on 0% of 6 prompts" in message and "--force" in message
    assert discover(tmp_path / "a", str(path), "--force", "--ablation", "zero") == 0
    output = capsys.readouterr().out
    assert "The model does not do this task" in output
    assert "12 pairs: 6 of them" in output
    file = read_claim_file(tmp_path / "a" / "claims.yaml")
    assert file.found.task is not None and file.found.task.file == "found.jsonl"
    # a mean of -10 is no behaviour to claim
    assert "behaviour" not in verdicts(tmp_path / "a" / "claims.yaml", capsys)


def test_pairs_that_do_not_line_up(tmp_path: Path, capsys: Output) -> None:
    path = turned_round(tmp_path, longer=True)
    assert discover(tmp_path / "a", str(path)) == 3
    message = capsys.readouterr().err
    assert "--at end" in message and "line up" in message
    assert discover(tmp_path / "a", str(path), "--ablation", "zero", "--force", "--quiet") == 0


def interrupted(folder: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    """Press Ctrl-C once the units are scored."""

    def press(*told: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(discover_found, "_beside", press)
        return discover(folder, *options)


SEARCH = ("--grain", "edges", "--ablation", "zero", "--method", "acdc")


def test_an_interrupted_search_goes_on_where_it_stopped(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert interrupted(tmp_path / "a", monkeypatch, *SEARCH) == 130
    message = capsys.readouterr().err
    assert "keeps what was found; the same command goes on there" in message
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [JOURNAL]
    assert discover(tmp_path / "a", *SEARCH, "--quiet") == 0
    assert discover(tmp_path / "b", *SEARCH, "--quiet") == 0
    assert (tmp_path / "a/circuit.json").read_text() == (tmp_path / "b/circuit.json").read_text()
    assert not (tmp_path / "a" / JOURNAL).exists()


def test_the_journal_of_another_search_is_refused_and_kept(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert interrupted(tmp_path, monkeypatch, *SEARCH, "--set", "tau=0.5") == 130
    journal = tmp_path / JOURNAL
    before = journal.read_bytes()
    for where in ((), ("--output", str(tmp_path / "b"), "--resume", str(journal))):
        assert discover(tmp_path, *SEARCH, "--set", "tau=0.1", *where) == 3
        assert "tau" in capsys.readouterr().err
        assert journal.read_bytes() == before
    assert not (tmp_path / "claims.yaml").exists()


def test_help_imports_no_torch() -> None:
    program = (
        "import sys; from causalnet.cli.door import run_command_line; "
        "run_command_line(['discover', '--help']); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True).returncode == 0


def test_prompts_that_test_are_never_those_that_found() -> None:
    tokenizer = load(MODEL).tokenizer
    drawn = prompts_for(MODEL, tokenizer, n=40, seed=3, reference=4, options={}, must_align=True)
    assert not set(drawn.found.prompt_digests()) & set(drawn.held_out.prompt_digests())
    assert len({drawn.found_spec.seed, drawn.test_spec.seed, drawn.reference_spec.seed}) == 3
