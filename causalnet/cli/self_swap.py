"""The three-legged self-swap: three ways in which interchange on a model could be wrong.

For a mediator M, on random prompts:

1. M set to its own value changes nothing, bit for bit (the hook is where it says it is);
2. M has another value on the source prompts (otherwise there is nothing to swap);
3. M set to its source value changes the logits (what is set reaches what reads it).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from causalnet.execute.bindings import Answers, Bindings
from causalnet.execute.chunk import Chunk
from causalnet.execute.schedule import schedule
from causalnet.interventions import At, Base, Do, Node, Read, accuracy
from causalnet.lift import LiftedNetwork
from causalnet.tasks import Prompts

__all__ = ["PROMPTS", "SelfSwap", "is_deterministic", "random_prompts", "self_swaps"]

PROMPTS, LENGTH = 4, 10
BASE, SOURCE = Base("base"), Base("source")


@dataclass(frozen=True, slots=True)
class SelfSwap:
    """What the three legs gave for one mediator.

    Attributes:
        mediator: Its name.
        is_exact: Whether setting it to its own value left every logit as it was.
        source_differs: Whether its value differs on every source prompt.
        receiver_changes: Whether its source value changed the logits of every prompt.
    """

    mediator: str
    is_exact: bool
    source_differs: bool
    receiver_changes: bool

    @property
    def stands(self) -> bool:
        """Whether all three legs stand."""
        return self.is_exact and self.source_differs and self.receiver_changes


def random_prompts(vocabulary: int, seed: int) -> Prompts:
    """Return prompts of random tokens, so that no tokenizer is needed."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(vocabulary, (PROMPTS, LENGTH), generator=generator).tolist()
    tokens = tuple(tuple(map(str, row)) for row in ids)
    return Prompts(
        texts=tuple(" ".join(row) for row in tokens),
        ids=tuple(map(tuple, ids)),
        tokens=tokens,
        positions={"end": (LENGTH - 1,) * PROMPTS},
        templates=("",) * PROMPTS,
    )


def self_swaps(net: LiftedNetwork, seed: int) -> Iterator[SelfSwap]:
    """Yield the self-swap of one mediator of each kind in the middle of the network."""
    layer = net.n_layers // 2
    head = f"L{layer}.H{net.n_heads - 1}"
    names = ("embed", f"L{layer}.resid_pre", f"{head}.z", head, f"L{layer}.mlp")
    vocabulary = net.graph.shape.vocabulary
    inputs = {
        "base": random_prompts(vocabulary, seed),
        "source": random_prompts(vocabulary, seed + 1),
    }
    answers = Answers(((0,),) * PROMPTS, ((),) * PROMPTS, "mean")
    for name in names:
        yield _swap(name, Chunk(net, Bindings(inputs, answers), range(PROMPTS)))


def _swap(name: str, chunk: Chunk) -> SelfSwap:
    own, swapped = (Do(BASE, ((Node(name), At(name, world)),)) for world in (BASE, SOURCE))
    with torch.no_grad():
        chunk.run(schedule([Read(accuracy, world) for world in (BASE, own, swapped)]), lambda: None)
    plain, unchanged, changed = (chunk.logits[world, "end"] for world in (BASE, own, swapped))
    here, there = (chunk.values[world][name] for world in (BASE, SOURCE))
    return SelfSwap(
        name,
        is_exact=torch.equal(plain, unchanged),
        source_differs=bool((here != there).flatten(1).any(1).all()),
        receiver_changes=bool((plain != changed).any(1).all()),
    )


def is_deterministic(net: LiftedNetwork, seed: int) -> bool:
    """Return whether the same batch gives the same logits twice, bit for bit."""
    prompts = random_prompts(net.graph.shape.vocabulary, seed)
    ids = torch.tensor(prompts.ids, device=net.model.device)
    with torch.no_grad():
        return torch.equal(net.run(ids), net.run(ids))
