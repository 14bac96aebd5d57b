"""The programs of docs/identification.md run, and its questions are questions."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from causalnet.graphs import ADMG
from causalnet.identification import parse_question

PAGE = (Path(__file__).parents[2] / "docs" / "identification.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
GRAPH = ADMG.of([("X", "M"), ("M", "Y"), ("X", "M1"), ("M1", "M2"), ("Z", "Y")], nodes=["M2"])
TABLE = PAGE.partition("## Questions")[2].partition("```")[0]
QUESTIONS = re.findall(r"`((?:P|te|nde|nie|cde|pn|ps|pns)\([^`]*\))`", TABLE)


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_run(program: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )
    assert run.stdout.strip()


@pytest.mark.parametrize("text", [text.replace("\\|", "|") for text in QUESTIONS])
def test_questions_are_read(text: str) -> None:
    question = parse_question(text, GRAPH)
    assert parse_question(str(question), GRAPH) == question


def test_every_kind_of_question_is_shown() -> None:
    assert len(PROGRAMS) >= 2 and len(QUESTIONS) >= 10
