"""Causal scrubbing: what is left of a behaviour when all that should not matter is resampled.

Chan et al. 2022.  A hypothesis says what parts of a network compute; each part is run on data that
agree with its reader's datum on that, and everything else on random data.  If the hypothesis holds
the outcome stays.  The share that is recovered,

    1 - (L_scrubbed - L_model) / (L_random - L_model),

is a ratio of means over items, never a mean of ratios.  It can be high for wrong reasons: signs
cancel in means, so that agreement item by item is reported; data that are hardly exchanged test
nothing, so that it is counted how often a datum was drawn for itself; and features that do not
matter at all are found by controls, the same hypothesis with its features' values permuted.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalnet.abstraction.interpretation import Datum, Interpretation, data_of, nothing
from causalnet.abstraction.recalling import Recall, program_of, prompts_of
from causalnet.abstraction.scrubbing_draws import (
    PUBLISHED,
    Population,
    Resampling,
    Rows,
    agreements_of,
    generator,
)
from causalnet.abstraction.scrubbing_results import Control, NodeDraws, Scrubbed
from causalnet.abstraction.scrubbing_worlds import ScrubbedNetwork, scrubbed_network
from causalnet.errors import ParameterError
from causalnet.execute import Answers, Bindings, Executor, Progress, run_leaves
from causalnet.interventions import Base, Read, ReadOut, World, logit_diff
from causalnet.lift import LiftedNetwork
from causalnet.statistics.samples import check_level
from causalnet.tasks import PromptPairs, Prompts

__all__ = ["Draw", "draw_data", "scrub"]

Numbers = NDArray[np.float64]
Labels = Mapping[str, tuple[Hashable, ...]]
_RANDOM = "random"


def scrub(
    net: LiftedNetwork,
    interpretation: Interpretation,
    pairs: PromptPairs,
    *,
    readout: ReadOut = logit_diff,
    population: PromptPairs | None = None,
    resampling: Resampling = PUBLISHED,
    seed: int = 0,
    level: float = 0.95,
    within: float = 0.1,
    controls: int = 0,
    executor: Executor = "auto",
    batch_size: int = 16,
    progress: Progress | None = None,
    recall: Recall | None = None,
) -> Scrubbed:
    """Scrub a network by a hypothesis.

    Args:
        net: The network.
        interpretation: The hypothesis.
        pairs: The items; their base prompts are run, with their answers and foils.
        readout: The loss, or an outcome that is the higher the better.
        population: What data are drawn from, by their base prompts.  The interval is about items
            drawn anew with these data held.  Default the items themselves: a small set then
            stands for the distribution that it was drawn from, and the interval is too narrow
            (`bench/scrubbing.py` counts how often).
        resampling: The variant.
        seed: Seed of all draws; an input's draws depend on it and on the input's name alone.
        level: Coverage of intervals.
        within: How near a scrubbed outcome must be to count as agreeing, as a share of the mean
            of model - random.
        controls: How often the hypothesis is scrubbed with its features' values permuted among
            the data, classes as large as they are.
        executor: What runs the worlds.
        batch_size: Most prompts in a batch.
        progress: Told about every pass.
        recall: Where what was run before is found; None to run it.

    Raises:
        TermError: A hypothesis that does not fit the network or the read-out.
        ParameterError: No item, a level, `within` or number of controls that is none.
        AlignmentError: Data that do not line up and are exchanged at all positions.

    >>> from causalnet.abstraction.interpretation import InterpretationNode, answer, identity
    >>> from causalnet.lift import lift
    >>> from causalnet.models import load
    >>> from causalnet.tasks import make
    >>> net = lift(load("known:indirect_object"))
    >>> pairs = make("known:indirect_object", net.model.tokenizer, n=64, seed=1)
    >>> mover = InterpretationNode("mover", ("L2.H0",), answer, at=("end",))
    >>> out = InterpretationNode("out", ("logits",), identity, ("mover",))
    >>> print(scrub(net, Interpretation((out, mover)), pairs).summary)
    100.0 % recovered [100.0, 100.0] (95 %), 100 % of items within 10 %
    """
    _check(pairs, within, controls)
    check_level(level)
    scrubbed = scrubbed_network(net.graph, interpretation, resampling, readout)
    empty = scrubbed_network(net.graph, nothing(readout.node), resampling, readout)
    people, items = _population(pairs, population, resampling)
    agreements = agreements_of(interpretation, resampling.data)
    labels = {name: people.labels(nodes) for name, nodes in agreements.items()}
    runner = _Runner(net, pairs, population, readout, executor, batch_size, progress, recall)
    draws, model, floors, outcomes = [], np.empty(0), [], []
    for number in range(resampling.draws):
        draw = draw_data(scrubbed, people, items, labels, resampling, seed, number)
        floor = draw_data(empty, people, items, labels, resampling, seed, number, root=_RANDOM)
        floor_world = empty.world if resampling.floor == "scrubbed" else Base("base, rest")
        floors.append(runner.read(floor_world, floor))
        outcomes.append(runner.read(scrubbed.world, draw))
        draws.append(draw)
    model = runner.read(Base("base"), {"base": items})
    permuted = [
        runner.read(
            scrubbed.world,
            draw_data(
                scrubbed, people, items, _permuted(labels, people, seed, k), resampling, seed, k
            ),
        )
        for k in range(controls)
    ]
    random = np.stack(floors)
    return Scrubbed(
        interpretation=interpretation,
        readout=readout,
        resampling=resampling,
        model=model,
        random=random,
        scrubbed=np.stack(outcomes),
        nodes=tuple(_node_draws(scrubbed, people, labels, draws)),
        drawn={name: np.stack([draw[name] for draw in draws]) for name in draws[0]},
        controls=tuple(Control(values, random.mean(0), model) for values in permuted),
        level=level,
        within=within,
        seed=seed,
        population=people.drawn,
        own_population=population is None,
        forwards=runner.forwards,
    )


Draw = Mapping[str, Rows]
"""Input names to rows of the data, [n]."""


def draw_data(
    scrubbed: ScrubbedNetwork,
    people: Population,
    items: Rows,
    labels: Labels,
    resampling: Resampling,
    seed: int,
    number: int,
    root: str = "",
) -> dict[str, Rows]:
    """Draw every input of a scrubbed network once.

    Args:
        scrubbed: The network with its inputs, each after that which it is drawn for.
        people: The data.
        items: The data that are scrubbed, [n].
        labels: Features by node.
        resampling: The variant.
        seed: Seed of all draws.
        number: Which draw it is.
        root: Put before names where chance comes from, to draw the same inputs differently.
    """
    drawn = {"base": items}
    for each in scrubbed.inputs:
        drawn[each.input] = people.draw(
            drawn[each.agrees_with],
            labels[each.node] if each.node is not None else None,
            resampling.again,
            generator(seed, number, root + each.input),
        )
    return drawn


@dataclass(slots=True)
class _Runner:
    """Runs worlds on drawn data."""

    net: LiftedNetwork
    pairs: PromptPairs
    population: PromptPairs | None
    readout: ReadOut
    executor: Executor
    batch_size: int
    progress: Progress | None
    recall: Recall | None
    forwards: int = 0

    def read(self, world: World, drawn: Draw) -> Numbers:
        """Return the read-out on every item, [n]."""
        pairs = self.pairs
        bindings = Bindings(
            {name: self._prompts(rows) for name, rows in drawn.items()},
            Answers(pairs.answers, pairs.foils, pairs.reduction),
        )
        read = Read(self.readout, world)

        def compute() -> tuple[dict[str, NDArray[Any]], int]:
            found = run_leaves(
                [read],
                self.net,
                bindings,
                executor=self.executor,
                batch_size=self.batch_size,
                progress=self.progress,
            )
            values = found.values[read].cpu().double().numpy()
            return {"forwards": np.array([found.forwards]), "values": values}, found.forwards

        program = program_of([read], bindings, self.executor)
        kept = self.recall
        arrays = compute()[0] if kept is None else kept(program, prompts_of(bindings), compute)
        self.forwards += int(arrays["forwards"][0])
        return arrays["values"]

    def _prompts(self, rows: Rows) -> Prompts:
        if self.population is None:
            return self.pairs.base.rows(rows)
        first, second = self.population.base, self.pairs.base
        return _joined(first, second).rows(rows)


def _joined(first: Prompts, second: Prompts) -> Prompts:
    """Return prompts one after the other, with the positions that both have."""
    shared = [name for name in first.positions if name in second.positions]
    return Prompts(
        first.texts + second.texts,
        first.ids + second.ids,
        first.tokens + second.tokens,
        {name: first.positions[name] + second.positions[name] for name in shared},
        first.templates + second.templates,
    )


def _population(
    pairs: PromptPairs, population: PromptPairs | None, resampling: Resampling
) -> tuple[Population, Rows]:
    own = data_of(pairs)
    if population is None:
        return Population(own, len(own), resampling.among), np.arange(len(own))
    drawn: tuple[Datum, ...] = data_of(population)
    items = np.arange(len(drawn), len(drawn) + len(own))
    return Population(drawn + own, len(drawn), resampling.among), items


def _permuted(labels: Labels, people: Population, seed: int, number: int) -> Labels:
    """Return features whose values are dealt out anew among data of a stratum."""
    found: dict[str, tuple[Hashable, ...]] = {}
    for name, values in labels.items():
        rng = generator(seed, number, f"permuted {name}")
        dealt = list(values)
        strata: dict[Hashable, list[int]] = {}
        for place, stratum in enumerate(people.strata):
            strata.setdefault(stratum, []).append(place)
        for places in strata.values():
            for place, other in zip(places, rng.permutation(places), strict=True):
                dealt[place] = values[other]
        found[name] = tuple(dealt)
    return found


def _node_draws(
    scrubbed: ScrubbedNetwork, people: Population, labels: Labels, draws: Sequence[Draw]
) -> list[NodeDraws]:
    """Say of every node how its data were exchanged."""
    found: dict[str, list[tuple[Rows, Rows]]] = {name: [] for name in labels}
    for each in scrubbed.inputs:
        if each.node is not None:
            found[each.node] += [(draw[each.agrees_with], draw[each.input]) for draw in draws]
    told = []
    for name, exchanged in found.items():
        before, after = (np.concatenate(side) for side in zip(*exchanged, strict=True))
        same = [
            people.data[a].ids == people.data[b].ids for a, b in zip(before, after, strict=True)
        ]
        keys = list(zip(people.strata, labels[name], strict=True))
        available = set(keys[: people.drawn])
        largest = max(keys[: people.drawn].count(key) for key in available)
        told.append(
            NodeDraws(
                name=name,
                classes=len(set(labels[name][: people.drawn])),
                largest=largest / people.drawn,
                itself=float((before == after).mean()),
                unchanged=float(np.mean(same)),
                alone=float(np.mean([keys[row] not in available for row in before])),
            )
        )
    return told


def _check(pairs: PromptPairs, within: float, controls: int) -> None:
    if not len(pairs):
        raise ParameterError("No item is scrubbed.", "At least one.", "Give more pairs.")
    if not 0 < within < float("inf"):
        raise ParameterError(
            came=f"within={within!r}.",
            possible="A share of the mean of model - random, above 0.",
            write="Write within=0.1.",
        )
    if isinstance(controls, bool) or not isinstance(controls, int) or controls < 0:
        raise ParameterError(
            came=f"controls={controls!r}.",
            possible="A whole number from 0 on.",
            write="Write for example controls=4.",
        )
