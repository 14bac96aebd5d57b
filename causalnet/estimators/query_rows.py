"""The rows of a query on prompt pairs: any of them, on any of the prompts, in any number format."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, TypeAlias, TypedDict, Unpack

import numpy as np
import torch
from numpy.typing import NDArray

from causalnet.effects import Conventions, EffectTable, bind
from causalnet.effects.ledger import ledger_of, places_of
from causalnet.effects.queries import check_asked_of, query_of
from causalnet.errors import NumericalError, ParameterError
from causalnet.estimators.runner import Runner, default_runner
from causalnet.execute import Answers, Bindings, Constant, Padding
from causalnet.interventions import (
    Handle,
    Query,
    Scalar,
    check_query,
    evaluate_scalar,
    leaves_of,
)
from causalnet.lift import LiftedNetwork
from causalnet.tasks import PromptPairs, Prompts

__all__ = ["Numbers", "Options", "QueryRows"]

Numbers: TypeAlias = NDArray[np.float64]


class Options(TypedDict, total=False):
    """What screens and races take besides their own arguments; as in `causalnet.effects.run`.

    Attributes:
        reference: The reference set that the query's ablation was made with, if it has one.
        vectors: Tensors for constants, bases and dictionaries, by handle.
        inputs: Prompts of further inputs that the query names.
        answers: Further sets of answers that read-outs name.
        batch_size: Prompts in a batch of the default runner.
        padding: The side on which shorter prompts are filled, by the default runner.
        runner: Another executor; it has to know prompts, answers and constants itself.
    """

    reference: Prompts | None
    vectors: Mapping[Handle, Constant]
    inputs: Mapping[str, Prompts]
    answers: Mapping[str, Answers]
    batch_size: int
    padding: Padding
    runner: Runner


@dataclass(frozen=True, slots=True, eq=False)
class QueryRows:
    """The rows of a query on prompt pairs, ready to be run in any choice.

    Attributes:
        query: The query; every row is one number for each prompt.
        net: The lifted network.
        pairs: The prompt pairs.
        runner: The executor.
        padding: The side on which shorter prompts are filled.
        seed: Seed of resampling, and of whatever is drawn of rows and prompts.
    """

    query: Query
    net: LiftedNetwork
    pairs: PromptPairs
    runner: Runner
    padding: Padding
    seed: int

    @classmethod
    def of(
        cls,
        net: LiftedNetwork,
        asked: Query | Scalar | str,
        pairs: PromptPairs,
        seed: int,
        **options: Unpack[Options],
    ) -> "QueryRows":
        """Return the rows of a query, a scalar, or the text of either.

        Raises:
            UnknownMediatorError, TermError: A query that does not fit the network.
            ParameterError: A query whose rows are ratios of means; something else than a network
                and pairs.
        """
        check_asked_of(net, pairs)
        query = query_of(asked, net.graph)
        if query.denominator is not None or query.given is not None:
            raise ParameterError(
                f"The rows of {query.name} are ratios of means.",
                "Rows can be screened and raced where they are means over prompts.",
                "Leave per_total_effect and conditions out, and divide what comes back.",
            )
        padding = options.get("padding", "right")
        bindings = _bindings(query, net, pairs, seed, options)
        sizes = {name: len(prompts) for name, prompts in bindings.inputs.items()}
        check_query(query, net.graph, sizes)
        size = options.get("batch_size", 16)
        runner = options.get("runner") or default_runner(
            net, bindings, batch_size=size, padding=padding
        )
        return cls(query, net, pairs, runner, padding, seed)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.query.contrasts)

    @property
    def labels(self) -> tuple[str, ...]:
        """The label of every row."""
        return tuple(label for label, _ in self.query.contrasts)

    def effects(
        self,
        rows: Sequence[int],
        prompts: Sequence[int] | None = None,
        dtype: torch.dtype | None = None,
    ) -> Numbers:
        """Run some rows on some prompts, all of them by default.

        Returns:
            Effects, [rows, prompts].

        Raises:
            NumericalError: An effect that is not finite; names its row and prompt.
        """
        scalars = [self.query.contrasts[row][1] for row in rows]
        return self._checked(rows, self.values(scalars, prompts, dtype), prompts)

    def exact(self, rows: Sequence[int]) -> tuple[Numbers, Numbers]:
        """Run some rows and the unpatched world on all prompts, in the network's own format.

        Returns:
            Effects, [rows, prompts], and the outcome where nothing is patched, [prompts].

        Raises:
            NumericalError: An effect that is not finite; names its row and prompt.
        """
        scalars = [*(self.query.contrasts[row][1] for row in rows), self.query.unpatched]
        values = self.values(scalars)
        return self._checked(rows, values[:-1], None), values[-1]

    def values(
        self,
        scalars: Sequence[Scalar],
        prompts: Sequence[int] | None = None,
        dtype: torch.dtype | None = None,
    ) -> Numbers:
        """Run scalars on some prompts; [scalars, prompts]."""
        leaves = tuple(dict.fromkeys(leaf for scalar in scalars for leaf in leaves_of(scalar)))
        found = self.runner(leaves, prompts, dtype) if leaves else {}
        numbers = {leaf: found[leaf].detach().to("cpu").double().numpy() for leaf in leaves}
        shape = (len(self.pairs) if prompts is None else len(prompts),)
        each = [np.broadcast_to(evaluate_scalar(scalar, numbers), shape) for scalar in scalars]
        return np.stack(each) if each else np.empty((0, *shape))

    def table(self, rows: Sequence[int], effects: Numbers, unpatched: Numbers) -> EffectTable:
        """Return effects that were run, [rows, all prompts], as a table with its conventions."""
        kept = replace(
            self.query,
            contrasts=tuple(self.query.contrasts[row] for row in rows),
            treated=tuple(self.query.treated[row] for row in rows),
        )
        return EffectTable(
            values=effects,
            rows=tuple(label for label, _ in kept.contrasts),
            prompts=self.pairs.labels,
            conventions=self.conventions(),
            unpatched=unpatched,
            ledger=ledger_of(kept, self.pairs),
            provenance=self.provenance(),
        )

    def conventions(self) -> Conventions:
        """Return what the numbers mean."""
        if self.query.at:
            at = ",".join(map(str, self.query.at))
        else:
            places = dict.fromkeys(place for _, place in places_of(self.query))
            everywhere = None in places or not places
            at = "all positions" if everywhere else ",".join(map(str, places))
        return Conventions.of(self.query, self.padding, at)

    def provenance(self) -> dict[str, Any]:
        """Return what the numbers were computed from."""
        ablation = self.query.ablation
        return {
            "model": self.net.model.provenance.to_json(),
            "graph": self.net.graph.fingerprint(),
            "self_check": self.net.check.to_json(),
            "pairs": {"digest": self.pairs.digest(), "record": self.pairs.record.to_json()},
            "ablation": None if ablation is None else ablation.to_json(),
            "seed": self.seed,
            "causalnet": version("causalnet-lab"),
        }

    def _checked(
        self, rows: Sequence[int], values: Numbers, prompts: Sequence[int] | None
    ) -> Numbers:
        """Return effects, [rows, prompts], that are finite.

        Raises:
            NumericalError: One is not.
        """
        bad = np.argwhere(~np.isfinite(values))
        if len(bad):
            row, column = bad[0]
            where = self.pairs.labels[column if prompts is None else prompts[column]]
            raise NumericalError(
                f"The effect {self.labels[rows[row]]} is {values[row, column]} on the prompt "
                f"{where}.",
                "Effects are finite numbers.",
                "Compute in a wider number format, or leave the prompt out.",
            )
        return values


def _bindings(
    query: Query, net: LiftedNetwork, pairs: PromptPairs, seed: int, options: Options
) -> Bindings:
    """Return prompts, answers and constants of a query."""
    ablation, nodes = query.ablation, dict[str, None]()
    if ablation is not None:
        nodes = dict.fromkeys(ablation.site(member) for row in query.treated for member in row)
    bound = bind(
        ablation,
        tuple(nodes),
        net,
        pairs,
        options.get("reference"),
        options.get("vectors"),
        seed,
    )
    return replace(
        bound,
        inputs={**bound.inputs, **options.get("inputs", {})},
        other_answers=dict(options.get("answers", {})),
    )
