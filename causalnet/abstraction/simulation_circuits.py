"""Circuits as simulators: the circuit alone says what the whole model does.

A claim that a circuit does a task says that nothing else matters.  So the circuit, all else
ablated, predicts the model's outcome; and where some mediators are intervened on, the model's
outcome is that of the circuit with those of its own intervened on, whatever happened to others.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalnet.abstraction.simulation_scores import Kind, Questions
from causalnet.errors import ParameterError, TermError
from causalnet.faithfulness import CircuitScorer, EdgeCircuitScorer, Member, Wanted
from causalnet.graphs import Mediator
from causalnet.interventions import AblationKind, At, Cell, Do, Node, Read, Regime, World
from causalnet.interventions.contrasts import INTERCHANGE, patch
from causalnet.interventions.queries import BASE, SOURCE, mean_of
from causalnet.tasks import PromptPairs, Prompts

__all__ = ["CircuitSimulator", "Means", "MemberIntervention", "draw_interventions"]

Means: TypeAlias = Literal["ablation", "interchange"]
"""How members are intervened on: as the scorer ablates, or set to their values on the source."""

Reading: TypeAlias = Callable[
    [CircuitScorer | EdgeCircuitScorer, PromptPairs, Sequence[Wanted]],
    Mapping[Wanted, NDArray[np.float64]],
]
"""Gives the read-out of parts on prompts, [n] each, by a scorer."""

_SEEN = 16
_ABOVE, _NOT = "above", "not above"


@dataclass(frozen=True, slots=True)
class MemberIntervention:
    """Some members of a network, set together.

    Attributes:
        label: What it is called.
        members: Which.
        where: Where they lie: `inside` the circuit, `outside`, or `across`.
    """

    label: str
    members: tuple[Member, ...]
    where: str = ""


def draw_interventions(
    universe: Sequence[Member],
    circuit: Sequence[Member],
    n: int,
    *,
    largest: int | None = None,
    seed: int = 0,
    excluding: Sequence[MemberIntervention] = (),
) -> tuple[MemberIntervention, ...]:
    """Draw sets of members, in turn inside the circuit, outside of it and across.

    Args:
        universe: All that can be intervened on.
        circuit: The circuit.
        n: How many sets, all different.
        largest: Most members of a set; sizes are drawn uniformly from 1 on.  Default: the circuit's
            size.
        seed: Of the draw.
        excluding: Sets that are not drawn: those that the claim was made from.

    Raises:
        ParameterError: No circuit, no rest, or fewer sets than are asked for.

    >>> from causalnet.graphs import TransformerShape, transformer_graph
    >>> heads = transformer_graph(TransformerShape(2, 4, 4, 8, 2, 16, 32)).heads()
    >>> for each in draw_interventions(heads, heads[:2], 3):
    ...     print(each.label, *each.members)
    inside 1 L0.H0 L0.H1
    outside 2 L1.H0 L1.H2
    across 3 L1.H3
    """
    inside = [member for member in universe if member in set(circuit)]
    outside = [member for member in universe if member not in set(circuit)]
    if not inside or not outside or n < 1:
        raise ParameterError(
            came=f"{n} sets, of {len(inside)} members inside and {len(outside)} outside a circuit.",
            possible="At least one set, and members on both sides.",
            write="Take a circuit that is a part of the universe.",
        )
    rng = np.random.default_rng([seed, 7])
    most = largest or len(inside)
    known = {frozenset(each.members) for each in excluding}
    pools = (("inside", inside), ("outside", outside), ("across", [*inside, *outside]))
    found: list[MemberIntervention] = []
    for attempt in range(100 * n + 300):
        if len(found) == n:
            break
        where, pool = pools[(len(found) + attempt // (n + 3)) % 3]
        size = int(rng.integers(1, min(most, len(pool)) + 1))
        chosen = sorted(rng.choice(len(pool), size, replace=False).tolist())
        members = tuple(pool[index] for index in chosen)
        if frozenset(members) not in known:
            known.add(frozenset(members))
            found.append(MemberIntervention(f"{where} {len(found) + 1}", members, where))
    if len(found) < n:
        raise ParameterError(
            came=f"{len(found)} different sets were found of {n}.",
            possible=f"Sets of up to {most} members that are not excluded.",
            write="Ask for fewer, or let them be larger.",
        )
    return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class CircuitSimulator:
    """A circuit as a program that predicts the model.

    The outcome is whether the scorer's read-out is above a threshold: with a logit difference,
    whether the model prefers the answer to the foil.

    Attributes:
        scorer: How circuits are run; its ablation stands for what does not matter.
        circuit: The members.
        held_out: Interventions that the claim was not made from.
        used: Those that it was; predictors without the claim learn from them.
        by: How members are intervened on.
        threshold: What the read-out is compared with.
        reading: Reads parts by the scorer in its place, for example where numbers are kept.

    Raises:
        ParameterError: An intervention that is held out and used, or a member that is unknown.
        TermError: Interchanges of edges, or under an ablation that has no values on the source.

    >>> from causalnet.abstraction.simulation import simulatability
    >>> from causalnet.effects import counterfactual
    >>> from causalnet.interventions import logit_diff
    >>> from causalnet.lift import lift
    >>> from causalnet.models import load
    >>> from causalnet.tasks import make
    >>> net = lift(load("known:indirect_object"))
    >>> pairs = make("known:indirect_object", net.model.tokenizer, n=16)
    >>> scorer = CircuitScorer(net, logit_diff, counterfactual(), net.heads())
    >>> circuit = (net["L0.H0"], net["L1.H0"], net["L2.H0"])
    >>> claim = CircuitSimulator(scorer, circuit, draw_interventions(net.heads(), circuit, 6))
    >>> print(simulatability(claim, pairs).counterfactual)
    counterfactual: 96 questions, 16 prompts, 6 interventions
      the claim                       1.000
      unchanged                       0.500  the claim adds [+0.500, +1.000] (95 %)
      the source's                    0.500  the claim adds [0.000, +0.500] (95 %)
    """

    scorer: CircuitScorer | EdgeCircuitScorer
    circuit: tuple[Member, ...]
    held_out: tuple[MemberIntervention, ...] = ()
    used: tuple[MemberIntervention, ...] = ()
    by: Means = "ablation"
    threshold: float = 0.0
    reading: Reading | None = None
    _known: frozenset[Member] = field(init=False)

    def __post_init__(self) -> None:
        """Check the interventions."""
        object.__setattr__(self, "_known", frozenset(self.scorer.universe))
        both = {frozenset(each.members) for each in self.held_out} & {
            frozenset(each.members) for each in self.used
        }
        if both:
            names = ", ".join(sorted(map(str, next(iter(both)))))
            raise ParameterError(
                came=f"The intervention on {names} is held out, and was used.",
                possible="Counterfactuals are asked of interventions that the claim was not made "
                "from.",
                write="Draw them with excluding=used.",
            )
        for each in (*self.held_out, *self.used, MemberIntervention("", self.circuit)):
            strange = [member for member in each.members if member not in self._known]
            if strange:
                raise ParameterError(
                    came=f"{strange[0]} is not among what the scorer ablates.",
                    possible=f"There are {len(self._known)}, such as {self.scorer.universe[0]}.",
                    write="Name members of scorer.universe.",
                )
        if self.by == "interchange":
            self._node_scorer()

    @property
    def conventions(self) -> dict[str, str]:
        """What the predictions depend on, by name."""
        how = "ablated as the rest is" if self.by == "ablation" else "set to their source values"
        return {
            **self.scorer.conventions,
            "outcome": f"whether the read-out is above {self.threshold:g}",
            "simulator": f"the circuit of {len(self.circuit)} alone",
            "interventions": f"{len(self.held_out)} held out, {len(self.used)} used; {how}",
        }

    def seen(self, data: PromptPairs) -> tuple[Hashable, ...]:
        """Return the token ids of each base prompt."""
        return data.base.ids

    def only(self, data: PromptPairs, rows: Sequence[int]) -> PromptPairs:
        """Return some rows."""
        return data.rows(rows)

    def ask(self, data: PromptPairs, kind: Kind, held_out: bool) -> Questions | None:
        """Return questions with outcomes of the model and predictions of the circuit.

        Args:
            data: The prompts.
            kind: Which questions.
            held_out: Whether interventions are the held-out ones; None where there are none.
        """
        model: Wanted = (Regime.MODEL, ())
        if kind == "forward":
            kept: Wanted = (Regime.KEPT, self.circuit)
            values = self._read(data, [model, kept])
            n = len(data)
            return Questions(
                kind,
                tuple(range(n)),
                ("",) * n,
                self._outcomes(values[model]),
                self._outcomes(values[kept]),
                self._inputs(data),
            )
        sets = self.held_out if held_out else self.used
        if not sets:
            return None
        source: Wanted = Read(self.scorer.readout, SOURCE)
        sees_source = self._swaps
        wanted = [self._wanted(each) for each in sets]
        extra = [source] if sees_source else []
        values = self._read(data, [model, *extra, *(one for pair in wanted for one in pair)])
        before = self._outcomes(values[model]) * len(sets)
        naive = {"unchanged": before}
        if sees_source:
            naive["the source's"] = self._outcomes(values[source]) * len(sets)
        actual, claimed = (
            tuple(each for pair in wanted for each in self._outcomes(values[pair[side]]))
            for side in (0, 1)
        )
        return Questions(
            kind,
            tuple(range(len(data))) * len(sets),
            tuple(each.label for each in sets for _ in range(len(data))),
            actual,
            claimed,
            self._inputs(data, sets, sees_source) | {"before": before},
            naive,
            before,
            drawn=True,
        )

    def _read(self, data: PromptPairs, wanted: list[Wanted]) -> Mapping[Wanted, object]:
        parts = list(dict.fromkeys(wanted))
        if self.reading is not None:
            return self.reading(self.scorer, data, parts)
        return self.scorer.read(data, parts).values

    def _outcomes(self, values: object) -> tuple[str, ...]:
        numbers: NDArray[np.float64] = np.asarray(values, dtype=np.float64)
        return tuple(_ABOVE if each > self.threshold else _NOT for each in numbers.tolist())

    def _wanted(self, each: MemberIntervention) -> tuple[Wanted, Wanted]:
        """Return what the model does, and what the circuit does."""
        inside = frozenset(each.members)
        if self.by == "ablation":
            left = tuple(member for member in self.circuit if member not in inside)
            return (Regime.KNOCKED_OUT, each.members), (Regime.KEPT, left)
        scorer = self._node_scorer()
        nodes = _nodes(each.members)
        own = [node for node in nodes if node in set(self.circuit)]
        readout, at = scorer.readout, scorer.at
        real = Read(readout, patch(BASE, nodes, INTERCHANGE, SOURCE, at))
        worlds = []
        for draw in range(scorer.ablation.draws):
            kept = scorer.terms.world(Regime.KEPT, _nodes(self.circuit), draw)
            there = self._on_source(scorer, draw)
            sites = tuple((Node(node.name, at), At(node.name, there)) for node in own)
            worlds.append(Do(kept, sites) if sites else kept)
        return real, mean_of(readout, tuple(dict.fromkeys(worlds)))

    def _on_source(self, scorer: CircuitScorer, draw: int) -> World:
        """Return the circuit alone on the source."""
        others = _nodes(scorer.terms.changed(Regime.KEPT, _nodes(self.circuit)))
        if not others or scorer.ablation.kind is AblationKind.COUNTERFACTUAL:
            return SOURCE  # what is not kept has its source values there already
        return patch(SOURCE, others, scorer.ablation, BASE, scorer.at, draw)

    def _node_scorer(self) -> CircuitScorer:
        scorer = self.scorer
        fit = (
            AblationKind.ZERO,
            AblationKind.MEAN,
            AblationKind.MEAN_PER_POSITION,
            AblationKind.RESAMPLE,
            AblationKind.COUNTERFACTUAL,
        )
        if not isinstance(scorer, CircuitScorer) or scorer.direction != "noising":
            raise TermError(
                "Interchanges of members of another circuit than one of nodes, in noising.",
                "The circuit is run alone on the source, and its nodes are set from there.",
                "Write by='ablation', or score nodes.",
            )
        if any(isinstance(one, Cell) for one in scorer.universe):
            raise TermError(
                "Interchanges of nodes at positions.",
                "Members are interchanged at all positions that the scorer has.",
                "Write by='ablation', or score nodes.",
            )
        if scorer.ablation.kind not in fit:
            raise TermError(
                f"Interchanges where the rest is ablated by {scorer.ablation}.",
                f"There are {', '.join(fit)}.",
                "Write by='ablation', or another ablation.",
            )
        return scorer

    @property
    def _swaps(self) -> bool:
        is_swapped = self.scorer.ablation.kind is AblationKind.COUNTERFACTUAL
        return is_swapped or self.by == "interchange"

    def _inputs(
        self,
        data: PromptPairs,
        sets: Sequence[MemberIntervention] = (MemberIntervention("", ()),),
        sees_source: bool = False,
    ) -> dict[str, tuple[Hashable, ...]]:
        """Return what a predictor without the claim sees: tokens, and what is intervened on."""
        told = _tokens(data.base, "")
        if sees_source:
            told |= _tokens(data.source, "source ")
        found = {name: column * len(sets) for name, column in told.items()}
        groups = dict.fromkeys(_group(member) for each in sets for member in each.members)
        for group in groups:
            counts = [sum(_group(member) == group for member in each.members) for each in sets]
            found[f"set in {group}"] = tuple(count for count in counts for _ in range(len(data)))
        if groups:
            found["size"] = tuple(len(each.members) for each in sets for _ in range(len(data)))
        return found


def _tokens(prompts: Prompts, prefix: str) -> dict[str, tuple[Hashable, ...]]:
    """Return tokens at named positions, or the last ones where there are none."""
    named = [name for name in prompts.positions if name != "end"]
    found: dict[str, tuple[Hashable, ...]] = {}
    for name in named:
        places = prompts.positions[name]
        found[prefix + name] = tuple(ids[at] for ids, at in zip(prompts.ids, places, strict=True))
        found[f"{prefix}place of {name}"] = places
    if not named:
        for back in range(1, min(_SEEN, max(prompts.lengths)) + 1):
            found[f"{prefix}token -{back}"] = tuple(
                ids[-back] if len(ids) >= back else None for ids in prompts.ids
            )
    found[f"{prefix}template"] = prompts.templates
    return found


def _group(member: Member) -> str:
    return str(member).split(".")[0].split(" ")[0]


def _nodes(members: Sequence[Member]) -> tuple[Mediator, ...]:
    return tuple(member for member in members if isinstance(member, Mediator))
