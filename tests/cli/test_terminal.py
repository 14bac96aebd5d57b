"""What is printed is text: it steers no terminal, and the JSON object is JSON."""

import json
import math

import pytest

from causalnet.cli.terminal import Terminal

Output = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    "hostile",
    ["\x1b[2J", "\x9b2J", "\x07", "\r", "\x00", "\u202e", "\u2066", "\u2028", "\x7f"],
    ids=ascii,
)
def test_control_characters_come_out_as_a_sign(hostile: str, capsys: Output) -> None:
    terminal = Terminal()
    terminal.say(f"before{hostile[0]}after")
    terminal.note(f"before{hostile[0]}after")
    output = capsys.readouterr()
    assert output.out == output.err == "before\ufffdafter\n"


def test_ordinary_text_stays(capsys: Output) -> None:
    Terminal().say("≥ 0.8\tÄöü 東京 “so”\nsecond line")
    assert capsys.readouterr().out == "≥ 0.8\tÄöü 東京 “so”\nsecond line\n"


def test_numbers_that_json_lacks_become_null(capsys: Output) -> None:
    Terminal(json=True).result({"low": -math.inf, "trace": [(1, math.nan)], "n": 3})
    assert json.loads(capsys.readouterr().out) == {"low": None, "trace": [[1, None]], "n": 3}


def test_quiet_says_nothing_and_json_only_the_object(capsys: Output) -> None:
    for terminal in (Terminal(quiet=True), Terminal(json=True, quiet=True)):
        terminal.say("text")
        terminal.note("note")
        with terminal.progress() as line:
            line("stage", 1, 2)
    Terminal(json=True).say("text")
    output = capsys.readouterr()
    assert (output.out, output.err) == ("", "")
