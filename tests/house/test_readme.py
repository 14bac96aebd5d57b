"""The README's program runs and prints what the README says."""

import re
import subprocess
import sys

import pytest

from tests.house.tree import ROOT

README = (ROOT / "README.md").read_text()
EFFECT = re.compile(r"(?P<label>\S+): (?P<mean>\S+) \[(?P<low>\S+), (?P<high>\S+)\] logits")


def program_and_output() -> tuple[str, str]:
    """The first Python block of the README, and the block that follows it."""
    match = re.search(r"```python\n(.*?)```\n+```\n(.*?)```", README, re.DOTALL)
    assert match is not None
    return match[1], match[2]


def test_the_program_is_twelve_lines() -> None:
    program, _ = program_and_output()
    assert len(program.splitlines()) == 12


def test_the_program_prints_what_the_readme_shows() -> None:
    program, shown = program_and_output()
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=600
    )
    printed, promised = run.stdout.splitlines(), shown.splitlines()
    assert printed[:2] == promised[:2]
    assert len(printed) == len(promised) == 5
    for line, promise in zip(printed[2:], promised[2:], strict=True):
        found, said = EFFECT.search(line), EFFECT.search(promise)
        assert found is not None and said is not None
        assert found["label"] == said["label"]
        for name in ("mean", "low", "high"):
            # Oracle: the printed digits; float32 rounds differently on other processors.
            assert float(found[name]) == pytest.approx(float(said[name]), abs=0.005)


def test_every_other_program_prints_what_the_readme_shows() -> None:
    blocks = re.findall(r"```python\n(.*?)```\n+```\n(.*?)```", README, re.DOTALL)[1:]
    assert blocks
    for program, shown in blocks:
        run = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
        )
        assert run.stdout == shown


def test_every_link_leads_to_a_file() -> None:
    prose = re.sub(r"```.*?```", "", README, flags=re.DOTALL)  # sum[x](P(x)) is no link
    links = re.findall(r"\]\(([^)#:]+)\)", prose)
    assert len(links) >= 5
    assert all((ROOT / link).exists() for link in links)


def test_every_status_of_the_readme_is_one_of_ours() -> None:
    from causalnet.cli.status import Status

    stated = {int(status) for status in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}
    assert stated == {int(status) for status in Status} - {Status.PIPE_CLOSED}


def test_every_command_of_the_readme_is_one_of_ours() -> None:
    from causalnet.cli.door import COMMANDS

    assert set(re.findall(r"^\| `causalnet (\w+)", README, re.MULTILINE)) == set(COMMANDS)


def test_the_picture_is_small() -> None:
    assert (ROOT / "docs/demo.png").stat().st_size < 2**20


def test_the_transcript_shows_the_verdicts_of_the_demo() -> None:
    from causalnet.claims import read_claim_file

    for claim in read_claim_file(ROOT / "examples/ioi.yaml").claims:
        assert re.search(rf"^ {claim.id} +{claim.expected} ", README, re.MULTILINE), claim.id
