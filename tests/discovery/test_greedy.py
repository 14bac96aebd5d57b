"""Greedy search against a loop over all candidates, and the heads that it finds in SmolLM2."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.discovery.exact import outcome_of
from causalnet.discovery.greedy import greedy_search
from causalnet.discovery.journal import Journal
from causalnet.discovery.question import Question
from causalnet.discovery.scoring import Convention
from causalnet.effects import counterfactual
from causalnet.errors import ParameterError, UnknownMediatorError
from causalnet.interventions import Direction, kl, logit_diff
from causalnet.lift import LiftedNetwork
from causalnet.tasks import ioi
from tests.toys import net, word_pairs

READOUTS = {each.name: each for each in (kl, logit_diff)}


def question_of(
    model: str, readout: str = "logit_difference", grain: str = "heads", **options: object
) -> Question:
    pairs = word_pairs(4, seed=5)
    return Question(net(model), pairs, counterfactual(), READOUTS[readout], grain, **options)  # type: ignore[arg-type]  # options of a question


def one_at_a_time(question: Question, size: int, by: Convention) -> list[int]:
    noising = question.direction == "noising"

    def effect(units: list[int]) -> float:
        kept = np.full(len(question.units), float(noising))
        kept[units] = 1 - noising
        return float(outcome_of(question, kept[None])[0].mean())

    ends = effect([]), effect(list(range(len(question.units))))
    wanted, chosen = np.sign(ends[1] - ends[0]), list[int]()
    for _ in range(size):
        left = [unit for unit in range(len(question.units)) if unit not in chosen]
        gains = np.array([effect([*chosen, unit]) for unit in left]) - effect(chosen)
        gains = np.abs(gains) if by == "absolute" else wanted * gains
        if gains.max() <= 1e-12:
            break
        chosen.append(left[int(np.argmax(gains))])
    return chosen


@settings(max_examples=5)
@given(
    model=st.sampled_from(["llama", "gpt2"]),
    readout=st.sampled_from(sorted(READOUTS)),
    grain=st.sampled_from(["heads", "nodes", "receivers"]),
    direction=st.sampled_from(["noising", "denoising"]),
    at=st.sampled_from([(), ("end",)]),
    by=st.sampled_from(["signed", "absolute"]),
)
def test_each_step_takes_the_best_candidate(
    model: str,
    readout: str,
    grain: str,
    direction: Direction,
    at: tuple[str, ...],
    by: Convention,
) -> None:
    question = question_of(model, readout, grain, direction=direction, at=at)
    found = greedy_search(question, 2, by=by)
    chosen = one_at_a_time(question, 2, by)
    names = tuple(question.units.names[unit] for unit in chosen)
    assert tuple(name for name, value in found.top(2) if value) == names


def test_a_search_goes_on_bit_by_bit(tmp_path: Path) -> None:
    question, journal = question_of("gpt2"), Journal(tmp_path / "greedy")
    whole = greedy_search(question, 4, by="absolute")

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        greedy_search(question, 4, by="absolute", progress=stop, journal=journal)
    found = greedy_search(question, 4, by="absolute", journal=journal)
    np.testing.assert_array_equal(found.values, whole.values)
    assert (found.cost, found.notes) == (whole.cost, whole.notes)
    with pytest.raises(ParameterError, match="another search"):
        greedy_search(question, 3, by="absolute", journal=journal)


def test_only_candidates_are_chosen() -> None:
    found = greedy_search(question_of("llama"), 1, by="absolute", candidates=["L1.H2", "L0.H1"])
    assert found.top(1)[0][0] in ("L1.H2", "L0.H1")


def test_what_cannot_be_asked() -> None:
    question = question_of("llama")
    for size, candidates in ((0, None), (99, None), (1, []), (1, ["L0.H0", "L0.H0"])):
        with pytest.raises(ParameterError):
            greedy_search(question, size, candidates=candidates)
    with pytest.raises(UnknownMediatorError):
        greedy_search(question, 1, candidates=["L9.H9"])


def test_heads_of_the_indirect_object_task(smollm2_net: LiftedNetwork) -> None:
    """Heads at END, noised by other names; figures of plain hooks on the same 16 prompts, 0.02.

    Among the heads of all layers the same three are chosen; those of their layers take a tenth of
    the work.
    """
    made = ioi(
        smollm2_net.model.tokenizer, n=16, seed=3, corruption="names", templates="acceptance"
    )
    question = Question(
        smollm2_net, made, counterfactual(), logit_diff, "heads", at=("end",), batch_size=16
    )
    near = [name for name in question.units.names if name[:4] in ("L19.", "L20.", "L23.")]
    assert len(near) == 27
    found = greedy_search(question, 3, candidates=near)
    assert tuple(name for name, _ in found.top(3)) == ("L23.H3", "L20.H0", "L19.H2")
    joint = [float(note.rpartition(" ")[2]) for note in found.notes]
    np.testing.assert_allclose(joint, [-2.584, 0.890 - 4.620, -0.244 - 4.620], atol=0.02)
