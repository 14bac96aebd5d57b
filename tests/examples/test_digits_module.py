"""The example of a module of one's own runs, and its numbers obey what they must."""

import pytest

from causalnet.examples import digits_module


def test_the_example_runs_and_its_effects_fit_together(capsys: pytest.CaptureFixture[str]) -> None:
    net, means = digits_module.main()
    assert net.graph.parents("pool") == ("first", "second")
    assert means["idle"] == 0.0
    assert means["first"] == pytest.approx(means["TE"], abs=1e-4)  # all passes the first layer
    assert means["pool"] == pytest.approx(means["TE"], abs=1e-4)
    # The second layer reads the first alone, so that its edge is as good as the node.
    assert means["first -> second"] == pytest.approx(means["second"], abs=1e-4)
    assert abs(means["first -> pool"]) > 0.1
    assert "idle is 0; idle: no path" in capsys.readouterr().out
