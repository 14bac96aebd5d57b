"""The example of logs: the gate refuses them beforehand, and they are wrong where it says so."""

from pathlib import Path

import pytest

from causalnet.examples import logs_are_not_patching as example
from causalnet.identification.answers import Hedge, NotIdentified
from causalnet.lift import LiftedNetwork


def test_logs_have_the_wrong_sign_and_the_gate_said_so(
    smollm2_net: LiftedNetwork, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "picture.png"
    answer, heads = example.main(n=16, net=smollm2_net, picture=picture)
    told = capsys.readouterr().out

    assert told.index("NOT IDENTIFIED") < told.index("effect on the outcome")  # said beforehand
    assert "the prompt drives both L24.H4.end and logit_difference" in told
    assert not answer.is_computable
    for row in answer.rows:
        assert isinstance(row.verdict, NotIdentified) and isinstance(row.verdict.witness, Hedge)

    by_name = {head.name: head for head in heads}
    assert tuple(by_name) == example.HEADS
    reversed_head = by_name[example.REVERSED]
    assert reversed_head.interval(False)[1] < 0 < reversed_head.interval(None)[0]
    assert reversed_head.predicted(by_label=True) < 0  # a label of the prompt is not enough
    for name in ("L23.H3", "L29.H1", "L23.H7"):  # the right sign, far too large
        assert by_name[name].predicted(False) < 1.5 * by_name[name].effects.mean() < 0
    indirect = by_name["L20.H0"]  # it writes nothing to the logits itself
    assert abs(indirect.shift()) < 0.1 and indirect.effects.mean() < -1
    assert picture.stat().st_size < 300_000
    assert picture.read_bytes().startswith(b"\x89PNG")
