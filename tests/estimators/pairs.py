"""Random word pairs that share their first words, and derivatives by the hook executor."""

import random
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from causalnet.execute import Bindings, evaluate
from causalnet.interventions import (
    At,
    Base,
    Direction,
    Grad,
    Op,
    Read,
    ReadOut,
    Scalar,
    Site,
    evaluate_scalar,
    leaves_of,
    logit_diff,
)
from causalnet.lift import LiftedNetwork, raised_casts
from causalnet.tasks import PromptPairs
from tests.toys import WORDS, sentence, words


def pairs_sharing(
    shared: int, n: int = 3, seed: int = 0, lengths: tuple[int, ...] = (6, 5)
) -> PromptPairs:
    """Pairs whose first `shared` words are the same in base and source."""
    rng = random.Random(seed)
    rows = []
    for row in range(n):
        length = lengths[row % len(lengths)]
        answer, foil = rng.sample(WORDS, 2)
        common = sentence(rng, shared) + " " if shared else ""
        texts = [common + sentence(rng, length - shared) for _ in range(2)]
        rows.append(
            {"base": texts[0], "source": texts[1], "answer": f" {answer}", "foil": f" {foil}"}
        )
    return PromptPairs.build(words(), rows)


def derivatives(
    sites: Sequence[Site],
    net: LiftedNetwork,
    pairs: PromptPairs,
    direction: Direction = "noising",
    readout: ReadOut = logit_diff,
) -> NDArray[np.float64]:
    """Derivatives along patches, by the hook executor, [sites, prompts]."""
    worlds = Base("base"), Base("source")
    below, other = worlds if direction == "noising" else worlds[::-1]
    grads = [
        Grad(
            Read(readout, below),
            site,
            Op("subtract", (At(site.read_from, other), At(site.read_from, below))),
        )
        for site in sites
    ]
    return exactly(grads, net, pairs)


def exactly(terms: Sequence[Scalar], net: LiftedNetwork, pairs: PromptPairs) -> NDArray[np.float64]:
    """Scalars by the hook executor, [terms, prompts]."""
    leaves = tuple(dict.fromkeys(leaf for term in terms for leaf in leaves_of(term)))
    with raised_casts(net.model.module):
        found = evaluate(leaves, net, Bindings.of(pairs)).values
    values = {leaf: value.double().numpy() for leaf, value in found.items()}
    return np.stack([np.asarray(evaluate_scalar(term, values)) for term in terms])
