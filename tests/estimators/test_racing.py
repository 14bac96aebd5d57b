"""Racing: families of decisions that err as seldom as they say, on fewer prompts than all."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from causalnet.effects import run
from causalnet.errors import NumericalError, ParameterError, UnknownMediatorError
from causalnet.estimators.elimination import Raced, race_rows
from causalnet.estimators.racing import Race, race
from causalnet.interventions import nie, parse_query, per_total_effect
from causalnet.lift import raised_casts
from causalnet.statistics import MeanSequence
from tests.estimators.recorded import made_up
from tests.toys import net, word_pairs

FAMILIES, ROWS, PROMPTS, ALPHA = 400, 50, 128, 0.05
ALLOWED = ALPHA + 3 * (ALPHA * (1 - ALPHA) / FAMILIES) ** 0.5  # three standard errors of the rate

Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]


def normal(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return rng.normal(size=shape)


def exponential(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return rng.exponential(size=shape) - 1


def student(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return rng.standard_t(3, size=shape)


def lognormal(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return np.asarray(rng.lognormal(size=shape) - np.exp(0.5))


def rare(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    spikes = np.where(rng.random(shape) < 0.01, 99.0, -1.0)
    return np.asarray(spikes + rng.normal(0.0, 0.01, size=shape))


def raced(effects: np.ndarray, tau: float, row_alpha: float, **options: Any) -> Raced:
    def observe(rows: Sequence[int], prompts: Sequence[int]) -> np.ndarray:
        return np.asarray(effects[np.ix_(rows, prompts)])

    order = range(effects.shape[1])
    return race_rows(observe, len(effects), order, tau, row_alpha=row_alpha, **options)


def wrong_families(draw: Draw, mean: float, tau: float, **options: Any) -> tuple[float, float]:
    """The share of families with a row on the wrong side, and with an interval that misses."""
    shape = (FAMILIES * ROWS, PROMPTS)
    effects = mean + draw(np.random.default_rng(0), shape)
    ended = raced(effects, tau, ALPHA / ROWS, **options)
    wrong = ended.side != 0 if abs(mean) == tau else ended.side == (1 if abs(mean) < tau else -1)
    missed = (ended.low > mean) | (ended.high < mean)
    families = (FAMILIES, ROWS)
    return (
        float(wrong.reshape(families).any(axis=1).mean()),
        float(missed.reshape(families).any(axis=1).mean()),
    )


@pytest.mark.parametrize("mean", [1.0, -1.0, 0.95, 1.05, 0.0])
def test_normal_families_err_as_seldom_as_they_say(mean: float) -> None:
    for start in (32, 8):  # exact for normal effects, however early it starts
        wrong, missed = wrong_families(normal, mean, 1.0, start=start, expected_n=start)
        assert wrong <= ALLOWED
        assert missed <= ALLOWED


@pytest.mark.parametrize("draw", [exponential, student])
def test_skewed_and_heavy_tailed_families_err_as_seldom_as_they_say(draw: Draw) -> None:
    for mean in (1.0, -1.0):
        wrong, missed = wrong_families(draw, mean, 1.0)
        assert max(wrong, missed) <= ALLOWED


def test_what_the_guarantee_does_not_reach() -> None:
    """Asymptotic means: strong skewness errs more often, and rare prompts are not seen at all."""
    assert wrong_families(lognormal, 1.0, 1.0)[0] > 2 * ALPHA
    later = wrong_families(lognormal, 1.0, 1.0, start=120, expected_n=120)[0]
    assert later < wrong_families(lognormal, 1.0, 1.0)[0]
    assert wrong_families(rare, 1.2, 1.0)[0] > 0.5  # 101 on one prompt in 100, else nearly 0
    assert wrong_families(exponential, 1.0, 1.0, start=8, expected_n=8)[0] > 2 * ALPHA


def test_repeated_t_intervals_would_err_far_more_often() -> None:
    """The simulation can tell: intervals of a fixed sample, looked at after every round, fail."""
    from scipy.special import stdtrit

    effects = 1.0 + np.random.default_rng(0).normal(size=(FAMILIES * ROWS, PROMPTS))
    wrong = np.zeros(len(effects), dtype=bool)
    for n in range(32, PROMPTS + 1, 4):
        seen = effects[:, :n]
        error = seen.std(axis=1, ddof=1) / n**0.5 * stdtrit(n - 1, 1 - ALPHA / ROWS / 2)
        wrong |= np.abs(seen.mean(axis=1) - 1.0) > error
    assert wrong.reshape(FAMILIES, ROWS).any(axis=1).mean() > ALLOWED


def test_a_row_is_the_sequence_for_its_mean() -> None:
    effects = np.random.default_rng(3).gamma(2.0, size=(5, 100)) * np.linspace(0.1, 2.0, 5)[:, None]
    ended = raced(effects, 1.0, 0.01, expected_n=60)
    assert set(ended.n.tolist()) != {100}
    for row, n in enumerate(ended.n.tolist()):
        sequence = MeanSequence(alpha=0.005, expected_n=60)
        for first in range(0, n, 4):
            sequence.add(effects[row, first : first + 4])
        interval = sequence.interval
        assert interval is not None
        assert (ended.low[row], ended.high[row]) == pytest.approx((interval.low, interval.high))
        assert ended.mean[row] == pytest.approx(sequence.estimate)
        outside = interval.low > 1.0 or interval.high < 1.0
        assert (ended.side[row] != 0) == outside
        if n > 32:  # it was still open one round before
            before = MeanSequence(alpha=0.005, expected_n=60)
            before.add(effects[row, : n - (4 if n % 4 == 0 else n % 4)])
            assert before.interval is not None and 1.0 in before.interval


def test_few_large_effects_are_found_on_a_fraction_of_the_work() -> None:
    """270 rows as heads are: most of them next to nothing, ten large, some of those negative."""
    rng = np.random.default_rng(0)
    means = rng.normal(0.0, 0.01, size=270)
    means[:10] = np.linspace(0.8, 3.0, 10) * np.array([1, -1] * 5)
    spread = 0.02 + 0.5 * np.abs(means)
    effects = means[:, None] + spread[:, None] * rng.normal(size=(270, 256))
    rng.shuffle(effects)
    ended = raced(effects, 0.2, ALPHA / 270)
    exact = np.where(np.abs(effects.mean(axis=1)) > 0.2, 1, -1)
    assert (ended.side == exact).all()
    assert ended.n.sum() <= 0.13 * effects.size  # 32 of 256 prompts is 12.5 %
    early = raced(effects, 0.2, ALPHA / 270, start=12, expected_n=12)
    assert (early.side == exact).all() and early.n.sum() <= 0.065 * effects.size


def test_only_open_rows_take_prompts_and_each_prompt_once() -> None:
    effects = np.random.default_rng(0).normal(size=(6, 50)) + np.array([0, 0, 0, 2, 1, 1])[:, None]
    order = np.random.default_rng(1).permutation(50).tolist()
    taken: dict[int, list[int]] = {row: [] for row in range(6)}
    calls = []

    def observe(rows: Sequence[int], prompts: Sequence[int]) -> np.ndarray:
        calls.append(len(prompts))
        for row in rows:
            taken[row] += prompts
        return np.asarray(effects[np.ix_(rows, prompts)])

    ended = race_rows(observe, 6, order, 1.0, row_alpha=0.01)
    for row, n in enumerate(ended.n.tolist()):
        assert taken[row] == order[:n]
    assert calls == [32, 4, 4, 4, 4, 2]  # all before the first look at once, then rounds
    assert ended.n[3] < 50 and ended.n[4] == ended.n[5] == 50


def test_equal_effects_decide_nothing() -> None:
    ended = raced(np.full((2, 40), 0.5), 1.0, 0.01)
    assert ended.side.tolist() == [0, 0] and np.isnan(ended.low).all()


# -- on networks -----------------------------------------------------------------------------------


def test_a_race_of_heads_agrees_with_all_prompts() -> None:
    network, pairs = net(), word_pairs(64)
    query = nie((*network.heads(), *network.mlps()), at="end")
    with raised_casts(network.model.module):
        table = run(query, network, pairs)
        ended = race(network, query, pairs, tau=0.8, seed=5)
    order = np.random.default_rng(5).permutation(64)
    for index, row in enumerate(ended.rows):
        assert row.label == table.rows[index]
        assert row.mean == pytest.approx(table.values[index, order[: row.n]].mean(), abs=1e-10)
        assert row.interval is not None and row.interval.level == 0.95
        if row.side != "undecided":
            assert (abs(table.means()[index]) > 0.8) == (row.side == "above")
    assert ended.evaluations == sum(row.n for row in ended.rows) < ended.full == 640
    assert ended.on("below") and ended.provenance["race"]["start"] == 32


def test_proved_zeros_are_not_run() -> None:
    network, pairs = net(), word_pairs(40)
    query = nie(network.heads(), at=0)  # the last layer's heads reach no other position
    ended = race(network, query, pairs, tau=0.001)
    for row in ended.rows:
        assert (row.n == 0) == row.label.startswith("L1")
    assert ended["L1.H2"].side == "below" and ended["L1.H2"].why == "proved to be zero"
    assert ended.evaluations <= 4 * 40
    assert race(network, query, pairs, tau=0.0)["L1.H2"].side == "undecided"


def synthetic(rows: int = 8, prompts: int = 40) -> tuple[Any, Any, np.ndarray]:
    network = net()
    query = nie(network.heads(), at="end")
    effects = np.random.default_rng(0).normal(size=(rows, prompts)) + np.arange(rows)[:, None]
    return query, made_up(query, effects), effects


def test_the_same_seed_is_the_same_race() -> None:
    query, runner, _ = synthetic()
    first, second, other = (
        race(net(), query, word_pairs(40), 3.5, seed=seed, runner=runner) for seed in (0, 0, 1)
    )
    assert first.rows == second.rows
    assert first.rows != other.rows


def test_the_runner_is_asked_for_open_rows_only() -> None:
    query, runner, _ = synthetic()
    ended = race(net(), query, word_pairs(40), 3.5, runner=runner)
    leaves = [asked[0] for asked in runner.asked]
    assert leaves[0] == 9 and leaves == sorted(leaves, reverse=True)  # 8 patched and the base
    assert sum((count - 1) * len(prompts) for count, prompts, _ in runner.asked) == (
        ended.evaluations
    )


def test_a_race_prints_what_it_means() -> None:
    query, runner, _ = synthetic()
    ended = race(net(), query, word_pairs(40), 3.5, runner=runner)
    text = str(ended)
    assert "8 rows raced over 40 prompts against a mean of size 3.5 logits" in text
    assert "patched - unpatched" in text and "above" in text and "undecided" in text
    assert f"{ended.evaluations} of 320 evaluations" in text and "95 % probability" in text
    assert "asymptotically" in text and ": 3 above, " in repr(ended)
    assert isinstance(ended, Race) and len(ended) == 8


def test_an_unknown_row_has_neighbours() -> None:
    query, runner, _ = synthetic()
    ended = race(net(), query, word_pairs(40), 3.5, runner=runner)
    with pytest.raises(UnknownMediatorError, match="Nearest: L1"):
        ended["L1.H9"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tau": -0.1}, "tau is -0.1"),
        ({"tau": float("nan")}, "tau is nan"),
        ({"alpha": 0.0}, "alpha is 0.0"),
        ({"alpha": 0.5}, "alpha is 0.5"),
        ({"round_size": 0}, "round_size is 0"),
        ({"start": 1}, "start is 1"),
        ({"start": 41}, "There are 40 pairs, and 41 are taken before the first look"),
        ({"round_size": 44}, "There are 40 pairs, and 44"),
    ],
)
def test_bad_parameters_are_refused(options: dict[str, Any], message: str) -> None:
    query, runner, _ = synthetic()
    with pytest.raises(ParameterError, match=message) as caught:
        race(net(), query, word_pairs(40), **{"tau": 1.0, "runner": runner, **options})
    assert caught.value.possible and caught.value.write


def test_ratios_of_means_are_refused() -> None:
    query = per_total_effect(nie(net().heads()))
    with pytest.raises(ParameterError, match="ratios of means"):
        race(net(), query, word_pairs(40), 1.0)


def test_an_effect_that_is_no_number_is_located() -> None:
    query, _, effects = synthetic()
    effects[3, 7] = np.nan
    pairs = word_pairs(40)
    with pytest.raises(NumericalError, match=rf"L0.H3 is nan on the prompt {pairs.labels[7]}"):
        race(net(), query, pairs, 3.0, runner=made_up(query, effects))


def test_noise_belongs_to_the_number_of_a_prompt() -> None:
    text = "logit_difference(<base> + {L0.mlp := add(self, noise(k))}) - logit_difference(<base>)"
    with pytest.raises(ParameterError, match="draws noise"):
        race(net(), parse_query(text, net().graph), word_pairs(40), 1.0)
