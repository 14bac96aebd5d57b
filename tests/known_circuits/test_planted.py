"""Planted mechanisms: what the arithmetic says of each head is what the network does."""

from functools import cache

import numpy as np
import pytest

from causalnet.discovery.exact import exact_patching, outcome_of
from causalnet.discovery.question import Question
from causalnet.effects import counterfactual
from causalnet.errors import ParameterError, UnknownMediatorError
from causalnet.known_circuits.planted import (
    LEVELS,
    Mechanism,
    MechanismKind,
    Planted,
    plant,
)
from causalnet.lift import lift
from causalnet.models import load
from causalnet.tasks import PromptPairs

EXACT = 1e-12
ALL = plant(
    [
        Mechanism(kind, size)
        for kind, size in zip(MechanismKind, (2, 1, 1.5, 1, 3, 1, 1), strict=True)
    ]
)


@cache
def asked(planted: Planted, n: int, seed: int = 0) -> Question:
    circuit = planted.circuit
    net = lift(load(circuit.module(), tokenizer=circuit.tokenizer()))
    pairs = PromptPairs.build(net.model.tokenizer, circuit.rows(n, seed))
    return Question(net, pairs, counterfactual(), grain="heads", batch_size=128)


def heads_of(kind: str) -> tuple[str, ...]:
    planted = zip(ALL.mechanisms, ALL.heads, strict=True)
    return next(heads for mechanism, heads in planted if mechanism.kind == kind)


def values_of(planted: Planted, ids: tuple[int, ...], mechanism: int) -> list[float]:
    first = sum(each.positions for each in planted.mechanisms[:mechanism])
    count = planted.mechanisms[mechanism].positions
    return [LEVELS[token] for token in ids[first : first + count]]


def outcome(kind: MechanismKind, size: float, a: float, b: float) -> float:
    """What the table in the module's text says, written once more."""
    return (
        size
        * {
            "additive": a,
            "backup": a + max(b - a, 0.0),
            "conjunction": max(a + b - 2, 0.0),
            "cancelling": a - b,
            "saturated": min(a, 0.75),
            "balanced": a,
            "idle": 0.0,
        }[kind.value]
    )


def test_each_head_does_on_every_prompt_what_its_mechanism_says() -> None:
    question = asked(ALL, 24)
    found = exact_patching(question)
    assert found.per_prompt is not None
    pairs = question.pairs
    for number, (mechanism, heads) in enumerate(zip(ALL.mechanisms, ALL.heads, strict=True)):
        for head, name in enumerate(heads):
            for row in range(len(pairs)):
                base = values_of(ALL, pairs.base.ids[row], number)
                source = values_of(ALL, pairs.source.ids[row], number)
                own = [base[0], base[-1]]
                other = [source[0], source[-1]]
                patched = [other[i] if i == head else own[i] for i in range(2)]
                wanted = outcome(mechanism.kind, mechanism.size, *patched) - outcome(
                    mechanism.kind, mechanism.size, *own
                )
                ours = found.per_prompt[question.units.index(name), row]
                assert ours == pytest.approx(wanted, abs=EXACT)


def test_means_over_many_prompts_come_to_the_known_effects() -> None:
    question = asked(ALL, 1500, seed=1)
    found = exact_patching(question)
    assert found.per_prompt is not None
    for names in ALL.heads:
        for name in names:
            own = found.per_prompt[question.units.index(name)]
            error = own.std() / np.sqrt(len(own))
            assert own.mean() == pytest.approx(ALL.effect([name]), abs=4 * error + EXACT)


@pytest.mark.parametrize("mechanism", range(len(ALL.mechanisms)))
def test_joint_effects_are_those_of_all_heads_of_a_mechanism(mechanism: int) -> None:
    question = asked(ALL, 1500, seed=1)
    rows = np.ones((2, len(question.units)))
    for name in ALL.heads[mechanism]:
        rows[1, question.units.index(name)] = 0.0
    intact, removed = outcome_of(question, rows)
    gaps = removed - intact
    error = gaps.std() / np.sqrt(len(gaps))
    assert gaps.mean() == pytest.approx(ALL.effect(ALL.heads[mechanism]), abs=4 * error + EXACT)


def test_backups_and_cancelling_heads_are_what_they_are_called() -> None:
    backup = heads_of("backup")
    assert [ALL.effect([head]) for head in backup] == [0.0, 0.0]
    assert ALL.effect(backup) == -1.0
    cancelling = heads_of("cancelling")
    assert [ALL.effect([head]) for head in cancelling] == [-1.0, 1.0]
    assert ALL.effect(cancelling) == 0.0


def test_no_mechanism_and_an_unknown_head_are_refused() -> None:
    with pytest.raises(ParameterError, match="No mechanism is to be planted"):
        plant([])
    with pytest.raises(UnknownMediatorError, match=r"L0\.H99"):
        ALL.effect(["L0.H99"])
