"""Routes of information against all routes written down one by one, in NumPy; float64."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from causalnet.discovery.information_flow import information_flow
from causalnet.discovery.question import Question
from causalnet.effects import counterfactual, zero
from causalnet.errors import ParameterError
from causalnet.interventions import loss
from causalnet.tasks import PromptPairs
from tests.toys import net, word_pairs

EXACT = 1e-10
PAIRS = word_pairs(2, seed=4, lengths=(4, 3))
Numbers = NDArray[np.float64]


class ByHand:
    """A small transformer of heads and MLPs, its terms and all routes, with loops alone."""

    def __init__(self, module: Any, ids: list[int]) -> None:
        shape, self.tokens = module.config, len(ids)
        weights = {name: value.numpy() for name, value in module.state_dict().items()}
        self.writes: dict[str, Numbers] = {  # what each sender writes, [T, d]
            "embed": weights["tokens.weight"][ids],
            "pos_embed": weights["positions.weight"][: self.tokens],
        }
        self.moved: dict[str, Numbers] = {}  # [T to, T from, d]
        self.before: dict[str, list[str]] = {}
        for layer in range(shape.layers):
            stream, senders = sum(self.writes.values()), list(self.writes)
            attention = f"blocks.{layer}.attention"
            for head in range(shape.heads):
                if (name := f"L{layer}.H{head}") in shape.silent:
                    continue
                span = slice(head * shape.head_width, (head + 1) * shape.head_width)
                q, k, v = (
                    stream @ weights[f"{attention}.{side}.weight"][span].T
                    for side in ("query", "key", "value")
                )
                pattern = softmax(np.where(np.tri(self.tokens) > 0, q @ k.T, -np.inf))
                out = v @ weights[f"{attention}.output.weight"][:, span].T
                self.moved[name] = pattern[:, :, None] * out[None]
                self.before |= {f"{name}.{side}": senders for side in "qkv"}
            new = {n: each.sum(1) for n, each in self.moved.items() if n.startswith(f"L{layer}.")}
            self.writes |= new
            if (name := f"L{layer}.mlp") not in shape.silent:
                mlp = f"blocks.{layer}.mlp"
                into = sum(self.writes.values()) @ weights[f"{mlp}.into.weight"].T
                inner = np.maximum(into + weights[f"{mlp}.into.bias"], 0)
                self.before[name] = list(self.writes)
                self.writes[name] = inner @ weights[f"{mlp}.out.weight"].T
                self.writes[name] = self.writes[name] + weights[f"{mlp}.out.bias"]
        self.before["logits"] = list(self.writes)

    def shares(self, receiver: str, token: int) -> dict[tuple[str, int], float]:
        """The share of each term that a receiver reads at a token, by sender and its token."""
        terms: dict[tuple[str, int], Numbers] = {}
        for sender in self.before[receiver]:
            if sender in self.moved:
                for source in range(self.tokens):
                    terms[sender, source] = self.moved[sender][token, source]
            else:
                terms[sender, token] = self.writes[sender][token]
        whole = sum(terms.values())
        size = float(np.abs(whole).sum())
        closer = {at: max(0.0, size - float(np.abs(whole - z).sum())) for at, z in terms.items()}
        total = sum(closer.values()) or 1.0
        return {at: each / total for at, each in closer.items()}

    def routes(self, receiver: str, token: int) -> Iterator[tuple[str, float, str, int]]:
        """Every edge on every route from here on: its name and the least share up to it."""
        waiting = [(receiver, token, 1.0)]
        while waiting:
            receiver, token, least = waiting.pop()
            for (sender, source), share in self.shares(receiver, token).items():
                here = min(least, share)
                yield f"{sender} -> {receiver}", here, sender, source
                if here == 0:
                    continue
                if sender in self.moved:
                    waiting.append((f"{sender}.q", token, here))
                    waiting += [(f"{sender}.{side}", source, here) for side in "kv"]
                elif sender.endswith("mlp"):
                    waiting.append((sender, token, here))

    def survival(self) -> Mapping[str, float]:
        found = {f"{s} -> {r}": 0.0 for r, senders in self.before.items() for s in senders}
        for edge, least, _, _ in self.routes("logits", self.tokens - 1):
            found[edge] = max(found[edge], least)
        return found


def softmax(scores: Numbers) -> Numbers:
    each = np.exp(scores - scores.max(-1, keepdims=True))
    found: Numbers = each / each.sum(-1, keepdims=True)
    return found


def asked(pairs: PromptPairs = PAIRS, model: str = "small", grain: str = "edges") -> Question:
    return Question(net(model), pairs, counterfactual(), grain=grain)


@pytest.mark.parametrize("tau", [0.0, 0.05])
def test_scores_are_those_of_all_routes(tau: float) -> None:
    question = asked()
    found = information_flow(question, tau).per_prompt
    assert found is not None
    for prompt, ids in enumerate(PAIRS.base.ids):
        by_hand = ByHand(net("small").model.module, list(ids)).survival()
        assert set(by_hand) == set(question.units.names)
        expected = np.array([by_hand[name] for name in question.units.names])
        expected[expected <= tau] = 0
        np.testing.assert_allclose(found[:, prompt], expected, atol=EXACT, rtol=0)


@pytest.mark.parametrize("model", ["llama", "gpt2", "encoder"])
def test_neither_contrast_nor_outcome_plays_a_part(model: str) -> None:
    plain = information_flow(asked(model=model))
    other = Question(net(model), PAIRS, zero(), loss)
    np.testing.assert_array_equal(information_flow(other).values, plain.values)
    assert any("neither a contrast nor an outcome" in note for note in plain.notes)
    assert (plain.sign, plain.unit) == ("survival", "")
    assert plain.values.min() >= 0 and plain.values.max() <= 1


def test_prompts_do_not_see_each_other() -> None:
    together = information_flow(asked(model="gpt2")).per_prompt
    assert together is not None
    for prompt in range(len(PAIRS)):
        alone = information_flow(asked(PAIRS.rows([prompt]), "gpt2")).values
        np.testing.assert_allclose(together[:, prompt], alone, atol=EXACT, rtol=0)


def test_a_node_survives_as_long_as_an_edge_out_of_it() -> None:
    edges, nodes = information_flow(asked()), information_flow(asked(grain="nodes"))
    by_edge = edges.per_prompt
    assert by_edge is not None and nodes.per_prompt is not None
    for number, node in enumerate(nodes.question.units.names):
        mine = [name.startswith(f"{node} ->") for name in edges.question.units.names]
        np.testing.assert_array_equal(nodes.per_prompt[number], by_edge[mine].max(0))


def test_what_cannot_be_asked_says_what_can() -> None:
    with pytest.raises(ParameterError, match=r"tau=1.5.*from 0 to below 1"):
        information_flow(asked(), 1.5)
    at_end = Question(net("small"), PAIRS, counterfactual(), at=("end",))
    with pytest.raises(ParameterError, match=r"positions end.*Leave out at="):
        information_flow(at_end)
