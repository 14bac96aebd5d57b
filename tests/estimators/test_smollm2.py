"""Attribution on a real language model in float32: values, and work that is counted."""

import numpy as np
import pytest
from numpy.typing import NDArray

from causalnet.estimators import atp, atp_star, eap
from causalnet.execute import Bindings, evaluate
from causalnet.interventions import At, Base, Grad, Op, Read, Site, logit_diff
from causalnet.lift import LiftedNetwork
from causalnet.tasks import PromptPairs, ioi

TEMPLATE = "Then, {A} and {B} were working at the {P}. {S} gave a {O} to"


@pytest.fixture(scope="module")
def pairs(smollm2_net: LiftedNetwork) -> PromptPairs:
    tokenizer = smollm2_net.model.tokenizer
    return ioi(tokenizer, n=4, seed=0, corruption="flip", templates=[TEMPLATE])


def slopes(sites: list[Site], net: LiftedNetwork, pairs: PromptPairs) -> NDArray[np.float64]:
    below, other = Base("base"), Base("source")
    grads = [
        Grad(
            Read(logit_diff, below),
            site,
            Op("subtract", (At(site.read_from, other), At(site.read_from, below))),
        )
        for site in sites
    ]
    found = evaluate(grads, net, Bindings.of(pairs)).values
    return np.array([found[grad].double().mean().item() for grad in grads])


def test_all_edges_of_a_real_model(smollm2_net: LiftedNetwork, pairs: PromptPairs) -> None:
    """float32: 5e-5 of the derivatives that the hook executor takes, edge by edge."""
    found = eap(smollm2_net, pairs)
    assert len(found) == 70_651
    assert found.passes.columns == pytest.approx(5 / 16)
    assert (found.passes.forwards, found.passes.backwards) == (2, 1)
    drawn = [*found.ranked(12), *np.random.default_rng(0).choice(len(found), 12, replace=False)]
    sites = [found.sites[int(number)] for number in drawn]
    np.testing.assert_allclose(found.scores[drawn], slopes(sites, smollm2_net, pairs), atol=5e-5)


def test_heads_rank_as_their_effects(smollm2_net: LiftedNetwork, pairs: PromptPairs) -> None:
    found = atp(smollm2_net, pairs, smollm2_net.heads(), at="end")
    top = [found.sites[int(number)] for number in found.ranked(6)]
    np.testing.assert_allclose(
        [found[site].mean for site in top], slopes(top, smollm2_net, pairs), atol=5e-5
    )
    check = found.check(sample=12, seed=1)
    assert check.rmse < 1.0
    star = atp_star(smollm2_net, pairs, ["L20.H0", "L20.H0.q"], at="end", grad_drop=False)
    assert star["L20.H0[end]"].mean == pytest.approx(found["L20.H0[end]"].mean, abs=5e-5)
