"""`verify`, `explain` and the demo's output, on a small random model in a folder."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from causalnet.claims import VerificationReport, read_claim_file
from causalnet.cli.demo import show_claims
from causalnet.cli.door import run_command_line
from causalnet.cli.terminal import Terminal
from tests.claims.small_case import WORDS, claim_file, small_net, write_pairs
from tests.cli.processes import causalnet
from tests.small_models import word_tokenizer

Output = pytest.CaptureFixture[str]
PRINT_PROGRESS = """
from causalnet.cli.terminal import Terminal
with Terminal().progress() as line:
    line("load the model")
    line("test claims", 1, 4, "1 settled")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model and prompts on which it does something."""
    place = tmp_path_factory.mktemp("claims")
    net = small_net()
    module: Any = net.model.module
    module.save_pretrained(place / "model")
    word_tokenizer(WORDS).save_pretrained(place / "model")
    write_pairs(place / "pairs.jsonl", net, 48)
    return place


@pytest.fixture(autouse=True)
def saved_quietly(folder: Path, capsys: Output) -> Iterator[None]:
    """Forget what saving the model printed."""
    capsys.readouterr()
    yield


def claims_about(folder: Path, *thresholds: float, expected: str | None = None) -> Path:
    """Write claims that the mean logit difference is at least so large."""
    claims = [
        {
            "id": f"task-{index}",
            "kind": "exists",
            "statement": "It does it.",
            "at_least": threshold,
            **({"expected": expected} if expected else {}),
        }
        for index, threshold in enumerate(thresholds)
    ]
    model = {"source": "model", "dtype": "float64"}
    file = claim_file(folder, model=model, claims=claims)
    assert file.source is not None
    return Path(file.source.path)


def mean_difference(folder: Path, capsys: Output) -> float:
    """The mean logit difference over all prompts of the folder."""
    file = str(claims_about(folder, -1e6))
    assert run_command_line(["verify", file, "--json", "--quiet"]) == 0
    report = VerificationReport.from_json(json.loads(capsys.readouterr().out))
    return report.results[0].decision.estimate


def test_the_status_is_the_verdict(folder: Path, capsys: Output) -> None:
    mean = mean_difference(folder, capsys)
    assert run_command_line(["verify", str(claims_about(folder, -1e6)), "--quiet"]) == 0
    assert run_command_line(["verify", str(claims_about(folder, -1e6, 1e6)), "--quiet"]) == 1
    assert run_command_line(["verify", str(claims_about(folder, -1e6, mean)), "--quiet"]) == 2
    assert run_command_line(["verify", str(claims_about(folder, 1e6, mean)), "--quiet"]) == 1
    output = capsys.readouterr()
    assert (output.out, output.err) == ("", "")


def test_a_refuted_claim_in_a_process(folder: Path) -> None:
    run = causalnet("verify", str(claims_about(folder, 1e6)))
    assert run.returncode == 1
    assert "REFUTED" in run.stdout and "claimed ≥ 1e+06 logits" in run.stdout
    assert "lies below" in " ".join(run.stdout.split())
    assert "load the model" in run.stderr and "test claims" in run.stderr


def test_json_is_one_object_that_can_be_read_back(folder: Path, capsys: Output) -> None:
    file = str(claims_about(folder, 1e6))
    assert run_command_line(["verify", file, "--json"]) == 1
    report = VerificationReport.from_json(json.loads(capsys.readouterr().out))
    assert report.exit_status == 1
    assert report.provenance["command"][0] == "causalnet"


def test_a_report_and_a_picture_are_written(folder: Path, tmp_path: Path, capsys: Output) -> None:
    html, png = tmp_path / "new" / "report.html", tmp_path / "report.png"
    file = str(claims_about(folder, 1e6))
    assert run_command_line(["verify", file, "--report", str(html), "--png", str(png)]) == 1
    assert "It does it." in html.read_text()
    assert "L1.H3" in html.read_text()  # a cell of the heat map
    assert "0.05 (asymptotic)" in html.read_text()
    assert png.read_bytes().startswith(b"\x89PNG")
    assert f"wrote {html}" in capsys.readouterr().out


def test_a_place_that_cannot_be_written_is_refused_first(
    folder: Path, tmp_path: Path, capsys: Output
) -> None:
    file = str(claims_about(folder, 1e6))
    assert run_command_line(["verify", file, "--report", str(tmp_path)]) == 3
    output = capsys.readouterr()
    assert "cannot be written" in output.err and "load the model" not in output.err


def test_explain_runs_nothing(folder: Path, capsys: Output) -> None:
    file = str(claims_about(folder, 1e6))
    assert run_command_line(["explain", file]) == 0
    output = capsys.readouterr()
    assert "FORWARDS" in output.out and "TIME" in output.out
    assert output.err == ""
    assert run_command_line(["explain", file, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["most"] >= 1


def test_explain_says_what_claims_mean(folder: Path, capsys: Output) -> None:
    assert run_command_line(["explain", str(claims_about(folder, 1e6))]) == 0
    assert "logit_difference(logits in <base>)" in capsys.readouterr().out


def test_explain_says_what_a_query_means(folder: Path, capsys: Output) -> None:
    options = ["--model", str(folder / "model"), "--rows", "2"]
    assert run_command_line(["explain", "nie(L0.H0, L1.H1, L1.mlp; at=end)", *options]) == 0
    text = capsys.readouterr().out
    assert "TERM      L1.H1: logit_difference(<base> + {" in text and "L1.mlp:" not in text
    assert "5 worlds become 5" in text and "and 1 more row" in text and "none of 3" in text
    same = "logit_difference(<base> + {L0.mlp := L0.mlp in <base>}) - logit_difference(<base>)"
    assert run_command_line(["explain", same, *options, "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["worlds"]["after_merging"] == 0 and plan["calls"]["lower_bound"] == 0
    assert "own value" in plan["proved_zero"]["contrast"]


LARGE = str(Path(__file__).parents[1] / "models" / "configs" / "llama-70b")


def test_explain_prices_a_model_of_70_billion_parameters(capsys: Output) -> None:
    options = ["--tokens", "16", "--first-different", "11", "--prompts", "8", "--budget", "4GB"]
    assert run_command_line(["explain", "nie(heads; at=end)", "--model", LARGE, *options]) == 0
    text = capsys.readouterr().out
    assert "5,122 worlds become 2 runs of inputs and 5,120 versions" in text
    assert "1.00 times the least possible" in text and "4 GB (given)" in text
    asked = "nie(L3.H1, L7.H2; at=3)"  # before any difference
    assert run_command_line(["explain", asked, "--model", LARGE, *options, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["proved_zero"]) == {"L3.H1", "L7.H2"} and found["plan"]["void"] == 2
    assert found["plan"]["cost"]["stages"]["suffix"]["flops"] == 0


def test_a_budget_that_is_too_small_is_bad_input(folder: Path, capsys: Output) -> None:
    options = ["--model", str(folder / "model"), "--budget", "1KB"]
    assert run_command_line(["explain", "nie(heads)", *options]) == 3
    assert "one version at one prompt" in capsys.readouterr().err


QUERIES = ("nie(L0.H0; at=end)", "per_total_effect(nie(L0.mlp))", "attribution_patch(heads)")


@pytest.mark.parametrize("query", QUERIES)
def test_explain_is_no_wider_than_100_characters(query: str, folder: Path, capsys: Output) -> None:
    for target in (query, str(claims_about(folder, 1e6))):
        assert run_command_line(["explain", target, "--model", str(folder / "model")]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert max(map(len, lines)) <= 100
        assert all(line[:10].strip().isupper() for line in lines if line[:10].strip())


def test_explain_names_the_number_and_its_unit(folder: Path, capsys: Output) -> None:
    options = ["--model", str(folder / "model")]
    assert run_command_line(["explain", "nie(L0.H0; at=end; outcome=kl)", *options]) == 0
    assert "effect = patched - unpatched (base patched from source), in nats" in (
        capsys.readouterr().out
    )
    assert run_command_line(["explain", "per_total_effect(nie(L0.H0))", *options]) == 0
    assert "(base patched from source), of the total effect" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("", "Nothing was asked"),
        ("nosuch", "'nosuch' is neither a file nor a query"),
        ("claims (1).yaml", "The file 'claims (1).yaml' cannot be read"),
        ("nie(L0.H0; at=end) and", "found 'and'"),
    ],
)
def test_explain_says_what_it_was_not_given(
    target: str, message: str, folder: Path, capsys: Output
) -> None:
    assert run_command_line(["explain", target, "--model", str(folder / "model")]) == 3
    assert message in capsys.readouterr().err


def test_explain_reads_a_file_with_a_parenthesis_in_its_name(folder: Path, capsys: Output) -> None:
    file = claims_about(folder, 1e6)
    other = file.with_name("claims (1)")
    other.write_bytes(file.read_bytes())
    assert run_command_line(["explain", str(other), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_explain_of_a_folder_without_a_model_is_bad_input(tmp_path: Path, capsys: Output) -> None:
    assert run_command_line(["explain", "te()", "--model", str(tmp_path)]) == 3
    assert "has no config.json" in capsys.readouterr().err


def test_explain_of_a_query_loads_no_torch(folder: Path) -> None:
    program = (
        "import sys; from causalnet.cli.door import run_command_line; "
        f"model = {str(folder / 'model')!r}; "
        "run_command_line(['explain', 'nie(heads; at=end)', '--model', model]); "
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'sympy')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "TERM      L0.H0: " in done.stdout


def test_explain_shows_where_a_query_is_wrong(folder: Path, capsys: Output) -> None:
    options = ["--model", str(folder / "model")]
    assert run_command_line(["explain", "nie(L0.H77)", *options]) == 3
    assert "Unknown mediator 'L0.H77'" in capsys.readouterr().err
    assert run_command_line(["explain", "nie(L0.H0", *options]) == 3
    assert "Line 1, column" in capsys.readouterr().err


def test_explain_counts_on_the_device_and_number_type_that_are_asked_for(
    folder: Path, capsys: Output
) -> None:
    file = str(claims_about(folder, 1e6))
    options = ["--device", "cuda", "--dtype", "bfloat16", "--json", "--quiet"]
    assert run_command_line(["explain", file, *options]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["device"], plan["dtype"]) == ("cuda", "bfloat16")
    assert run_command_line(["explain", file, "--device", "gpu"]) == 3
    assert "There is no device 'gpu'." in capsys.readouterr().err


def test_weights_with_another_hash_are_refused(folder: Path, capsys: Output) -> None:
    file = claims_about(folder, -1e6)
    assert run_command_line(["verify", str(file), "--json", "--quiet"]) == 0
    report = json.loads(capsys.readouterr().out)
    model = {"source": "model", "weights_sha256": report["provenance"]["model"]["weights_sha256"]}
    pinned = {**json.loads(file.read_text()), "model": model}
    file.write_text(json.dumps(pinned, indent=1))
    assert run_command_line(["verify", str(file), "--quiet"]) == 0
    assert run_command_line(["verify", str(file), "--dtype", "float64", "--quiet"]) == 0
    weights = folder / "model" / "model.safetensors"
    before = weights.read_bytes()
    try:
        weights.write_bytes(before[:-8] + bytes(8))  # the last weight becomes 0
        assert run_command_line(["verify", str(file), "--quiet"]) == 3
    finally:
        weights.write_bytes(before)
    message = capsys.readouterr().err
    assert "The model's weights have the hash" in message and "claims.json:" in message
    assert "Fetch those weights again" in message


def test_the_demo_on_other_prompts_or_numbers_is_no_mistake_of_ours(
    folder: Path, tmp_path: Path, capsys: Output
) -> None:
    claims = read_claim_file(claims_about(folder, 1e6, expected="SUPPORTED"))
    assert show_claims(claims, tmp_path, None, None, "float32", Terminal()) == 0
    output = capsys.readouterr()
    assert "report it" not in output.err and "may give another" in output.err
    assert "expected SUPPORTED" in output.out
    # what the file says itself is nothing else
    assert show_claims(claims, tmp_path, None, "cpu", "float64", Terminal()) == 4
    assert "please report it" in capsys.readouterr().err


@pytest.mark.parametrize(("expected", "status"), [("REFUTED", 0), ("SUPPORTED", 4)])
def test_the_demo_ends_with_0_when_verdicts_are_as_expected(
    folder: Path, tmp_path: Path, capsys: Output, expected: str, status: int
) -> None:
    claims = read_claim_file(claims_about(folder, 1e6, expected=expected))
    assert show_claims(claims, tmp_path, None, None, None, Terminal()) == status
    output = capsys.readouterr()
    assert "REFUTED" in output.out and "lies below" in " ".join(output.out.split())
    assert "s to the first forward" in output.out
    assert "the largest of 8" in output.out
    assert (tmp_path / "report.html").exists() and (tmp_path / "report.png").exists()
    assert ("not the expected one" in output.err) == (status == 4)


def test_the_demo_in_json(folder: Path, tmp_path: Path, capsys: Output) -> None:
    claims = read_claim_file(claims_about(folder, 1e6, expected="REFUTED"))
    show_claims(claims, tmp_path, None, None, None, Terminal(json=True, quiet=True))
    result = json.loads(capsys.readouterr().out)
    assert result["exit_status"] == 0
    assert 0 < result["cpu_seconds"]["to_first_forward"] <= result["cpu_seconds"]["in_all"]


def test_progress_is_plain_lines_without_a_terminal() -> None:
    run = subprocess.run(
        [sys.executable, "-c", PRINT_PROGRESS], capture_output=True, text=True, check=True
    )
    assert run.stderr.splitlines() == [" load the model …", " test claims 1/4 1 settled"]
    assert run.stdout == ""


def test_progress_is_a_bar_on_a_terminal() -> None:
    reading, writing = pty.openpty()
    subprocess.run([sys.executable, "-c", PRINT_PROGRESS], stderr=writing, check=True)
    os.close(writing)
    shown = os.read(reading, 100_000).decode()
    os.close(reading)
    assert "test claims" in shown and "━" in shown
