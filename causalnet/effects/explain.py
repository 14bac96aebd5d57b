"""What a query would run on a network and prompts, without running it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from causalnet.compiler.program import Program
from causalnet.compiler.query_report import QueryReport, explain_query
from causalnet.compiler.report import PlanReport, positions_of_program
from causalnet.compiler.schedule import Signature
from causalnet.effects.queries import check_asked_of, query_of
from causalnet.effects.reference import mean_forwards
from causalnet.execute import schedule
from causalnet.execute.devices import own_budget, tokens_at_once
from causalnet.execute.runnable import check_batch_size
from causalnet.interventions import Facts, Position, Query, Scalar, TermExplanation
from causalnet.lift import LiftedNetwork
from causalnet.lift.sizes import network_sizes
from causalnet.tasks import PromptPairs, Prompts

__all__ = ["Explanation", "explain", "facts_of"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a query means, and the work behind it.

    Attributes:
        query: The query.
        report: What it means, and what its plan costs on a batch of these prompts.
        worlds: Distinct worlds as they are written, and gradients.
        prompts: Pairs.
        forwards: Forward passes of a hook loop, each over one batch.
        batch_size: Prompts in a batch.
        reference_forwards: Forward passes over the reference set, for means.
        device: Where the model is, which decides how much is done at once.
    """

    query: Query
    report: QueryReport
    worlds: int
    prompts: int
    forwards: int
    batch_size: int
    reference_forwards: int = 0
    device: str = "cpu"

    @property
    def terms(self) -> TermExplanation | None:
        """Its normal form, zero effects and worlds; None where the graph is too large for that."""
        return self.report.terms

    @property
    def plan(self) -> PlanReport | None:
        """Its plan on a batch; None where only hooks can run it."""
        return self.report.plan

    @property
    def cost(self) -> float:
        """What it costs, in forwards of the model on the same prompts."""
        return float(self.worlds) if self.plan is None else self.plan.cost.forwards()

    def __str__(self) -> str:
        """Return the query, what it means and its cost, a few lines each."""
        return "\n".join(
            [
                f"QUERY     {str(self.query).splitlines()[0]}",
                *self.report.lines(),
                f"PROMPTS   {self.prompts} pairs in batches of {self.batch_size}",
                *self._device_lines(),
                *self.report.executor_lines(self.forwards, self.batches),
                *self._for_means(),
            ]
        )

    @property
    def batches(self) -> int:
        """How many batches of prompts there are."""
        return -(-self.prompts // self.batch_size)

    def _device_lines(self) -> list[str]:
        if self.plan is None:
            return []
        return [f"DEVICE    {self.device}: {self.plan.fit.at_once:,} tokens at once"]

    def _for_means(self) -> list[str]:
        count = self.reference_forwards
        return [f"          and {count} forwards over the reference set"] if count else []


def explain(
    query: Query | Scalar | str,
    net: LiftedNetwork,
    pairs: PromptPairs,
    *,
    batch_size: int = 16,
    budget: str | int | None = None,
) -> Explanation:
    """Say what a query, a scalar or the text of either means and would run, without running it.

    Args:
        query: The query.
        net: The lifted network.
        pairs: The prompts.
        batch_size: Prompts in a batch.
        budget: The memory there is beside the model, `"2GB"` or bytes; None for half of what the
            machine has left.

    Raises:
        UnknownMediatorError, TermError: A query that does not fit the network.
        OutOfMemoryError: A budget smaller than one version at one prompt.
        ParameterError: Something else than a network, pairs, or a number of prompts in a batch.
    """
    check_asked_of(net, pairs)
    check_batch_size(batch_size)
    query = query_of(query, net.graph)
    steps, device = schedule(query.leaves), net.model.device
    batches = -(-len(pairs) // batch_size)
    report = explain_query(
        query,
        net.graph,
        network_sizes(net),
        partial(signature_of, pairs=pairs, rows=range(min(batch_size, len(pairs)))),
        budget=own_budget(budget, device),
        at_once=tokens_at_once(device),
        facts=facts_of(pairs),
    )
    means = mean_forwards(query.ablation)
    worlds = len(steps)
    return Explanation(
        query, report, worlds, len(pairs), worlds * batches, batch_size, means, str(device)
    )


def signature_of(program: Program, pairs: PromptPairs, rows: Sequence[int]) -> Signature:
    """Return the signature of some rows of pairs, padded on the left to one length.

    Inputs other than base and source are taken to lie as the base does, and to differ from the
    first token on.
    """
    known = {"base": pairs.base.rows(rows), "source": pairs.source.rows(rows)}
    width = max(max(side.lengths) for side in known.values())
    inputs = sorted({version.input for version in program.versions})
    columns = {
        (name, at): _columns(known.get(name, known["base"]), at, width)
        for name in inputs
        for at in sorted(positions_of_program(program), key=str)
    }
    apart = _first_apart(known["base"], known["source"], width)
    different = tuple(
        (one, other, apart if {one, other} == set(known) else 0)
        for index, one in enumerate(inputs)
        for other in inputs[index + 1 :]
    )
    aligned = frozenset(
        (one, other, at)
        for (one, at), own in columns.items()
        for (other, same), theirs in columns.items()
        if at == same and own == theirs
    )
    first = width - max(max(side.lengths) for side in known.values())
    places = tuple((name, at, min(own), max(own)) for (name, at), own in columns.items())
    return Signature(len(rows), width, first, different, places, aligned)


def _columns(prompts: Prompts, at: Position, width: int) -> tuple[int, ...]:
    """Return the column of a position in every row."""
    places = zip(prompts.at(at), prompts.lengths, strict=True)
    return tuple(place + width - length for place, length in places)


def _first_apart(one: Prompts, other: Prompts, width: int) -> int:
    """Return the first column at which any row of two inputs differs."""
    sides = one.padded("left", width=width), other.padded("left", width=width)
    apart = (sides[0].ids != sides[1].ids) | (sides[0].mask != sides[1].mask)
    columns = apart.any(0).nonzero()[0]
    return int(columns[0]) if len(columns) else width


def facts_of(pairs: PromptPairs) -> Facts:
    """Return what holds of the tokens of all pairs: equal beginnings, fixed positions, lengths.

    A position counts as fixed where it is one column in every prompt, base and source.
    """
    rows = list(zip(pairs.base.ids, pairs.source.ids, strict=True))
    shared = min((_shared(base, source) for base, source in rows), default=0)
    columns = []
    for name, places in pairs.base.positions.items():
        others = pairs.source.positions.get(name, ())
        if len({*places, *others}) == 1 and others:
            columns.append((name, places[0]))
    longest = max((len(ids) for row in rows for ids in row), default=0)
    return Facts((("base", "source", shared),), tuple(columns), longest)


def _shared(first: tuple[int, ...], second: tuple[int, ...]) -> int:
    pairs = enumerate(zip(first, second, strict=False))
    return next(
        (at for at, (ours, theirs) in pairs if ours != theirs), min(len(first), len(second))
    )
