"""From a query to a table: bind what it leaves open, run its worlds, subtract."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from importlib.metadata import version
from operator import or_
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from causalnet.effects.conventions import Conventions, Excluded
from causalnet.effects.ledger import ledger_of, places_of
from causalnet.effects.optimal import learned_rows
from causalnet.effects.queries import check_asked_of, query_of
from causalnet.effects.reference import (
    check_reference,
    mean_constants,
    mean_forwards,
    resampled_inputs,
)
from causalnet.effects.table import EffectTable
from causalnet.effects.vectors import check_vectors
from causalnet.execute import (
    Answers,
    Bindings,
    Constant,
    Evaluation,
    Executor,
    Padding,
    Progress,
    run_leaves,
)
from causalnet.interventions import (
    Ablation,
    AblationKind,
    Base,
    Handle,
    Leaf,
    Query,
    Read,
    Scalar,
    accuracy,
    check_query,
    evaluate_scalar,
)
from causalnet.lift import LiftedNetwork
from causalnet.tasks import PromptPairs, Prompts

__all__ = ["bind", "run"]

Numbers: TypeAlias = NDArray[np.float64]


def run(
    query: Query | Scalar | str,
    net: LiftedNetwork,
    pairs: PromptPairs,
    *,
    reference: Prompts | PromptPairs | None = None,
    vectors: Mapping[Handle, Constant] | None = None,
    inputs: Mapping[str, Prompts] | None = None,
    answers: Mapping[str, Answers] | None = None,
    batch_size: int = 16,
    padding: Padding = "right",
    seed: int = 0,
    only_correct: bool = False,
    executor: Executor = "auto",
    budget: str | int | None = None,
    progress: Progress | None = None,
) -> EffectTable:
    """Compute every contrast of a query on every pair, exactly.

    Args:
        query: What to compute: `cn.nie(net.heads(), at="end")`, a scalar, or the text of either.
        net: The lifted network.
        pairs: Prompt pairs.
        reference: The reference set that the query's ablation was made with, if it has one; for
            optimal ablation the training set, on which each row's constants are learned first.
        vectors: Tensors for constants, steering, bases and dictionaries, by handle; see
            `cn.vector` and `causalnet.effects.matrix`.
        inputs: Prompts of further inputs that the query names, as many as pairs.
        answers: Further sets of answers that read-outs name.
        batch_size: Prompts in a batch; halved when memory runs out.
        padding: The side on which hooks fill shorter prompts; the wavefront fills on the left.
        seed: Seed of resampling.
        only_correct: Exclude prompts whose base answer is not the model's first choice; they stay
            in the denominator of means.
        executor: `auto` compiles all worlds to one plan of few forwards and takes derivatives by
            hooks; `hooks` runs a forward for every world, slowly; `wavefront` refuses derivatives.
        budget: What may be held beside the weights, `"2GB"`; None for half of what is free.
            Hooks keep to none, and the table's provenance notes it where one is given.
        progress: Told about every forward pass, or every base pass and wave.

    Raises:
        UnknownMediatorError, TermError: A query that does not fit the network.
        AlignmentError: Pairs that do not line up where they must.
        NumericalError: NaN or infinity in an activation.
        OutOfMemoryError: A budget that one version at one prompt does not fit in.
        ParameterError: Something else than a network, pairs, a number of prompts in a batch, an
            executor or a budget.
    """
    check_asked_of(net, pairs)
    query = query_of(query, net.graph)
    prompts = reference.base if isinstance(reference, PromptPairs) else reference
    bound = bind(query.ablation, _nodes(query), net, pairs, prompts, vectors, seed)
    learned = learned_rows(query, net, reference, bound.constants)
    bindings = replace(
        bound,
        inputs={**bound.inputs, **(inputs or {})},
        constants=reduce(or_, (dict(one.constants) for one in learned), dict(bound.constants)),
        other_answers=dict(answers or {}),
    )
    sizes = {name: len(prompts) for name, prompts in bindings.inputs.items()}
    check_query(query, net.graph, sizes)
    correct = Read(accuracy, Base("base"))
    leaves = (*query.leaves, correct) if only_correct else query.leaves
    result = run_leaves(
        leaves,
        net,
        bindings,
        executor=executor,
        budget=budget,
        batch_size=batch_size,
        padding=padding,
        progress=progress,
    )
    values = {leaf: _array(value) for leaf, value in result.values.items()}
    rows, denominators = _ratio(query, values, pairs)
    table = EffectTable(
        values=rows,
        rows=tuple(label for label, _ in query.contrasts),
        prompts=pairs.labels,
        conventions=Conventions.of(query, padding, _at(query)),
        unpatched=_on_each(query.unpatched, values, pairs),
        ledger=ledger_of(query, pairs),
        provenance={
            **_provenance(net, pairs, query, result, seed),
            **({"learned": [one.to_json() for one in learned]} if learned else {}),
        },
        denominators=denominators,
    )
    if not only_correct:
        return table
    wrong = [label for label, hit in zip(pairs.labels, values[correct], strict=True) if not hit]
    return table.without(
        tuple(Excluded(label, "the base answer is not the model's first choice") for label in wrong)
    )


def bind(
    ablation: Ablation | None,
    nodes: tuple[str, ...],
    net: LiftedNetwork,
    pairs: PromptPairs,
    reference: Prompts | None = None,
    vectors: Mapping[Handle, Constant] | None = None,
    seed: int | str = 0,
) -> Bindings:
    """Return what the worlds of an ablation need: prompts, means, vectors.

    Args:
        ablation: What mediators are set to; None where nothing is set.
        nodes: The nodes that are set.
        net: The lifted network.
        pairs: Prompt pairs.
        reference: The reference set of means and resampling, or the training set of constants,
            which are vectors.
        vectors: Vectors by handle.
        seed: Seed of resampling.

    Raises:
        TermError: A reference set that is missing or another than the ablation's.
        AlignmentError: A pair without a reference prompt that lines up with it.
    """
    check_reference(ablation, reference)
    vectors = {} if vectors is None else vectors
    check_vectors(vectors)
    constants: dict[Handle, Constant] = dict(vectors)
    inputs: dict[str, Prompts] = {"base": pairs.base, "source": pairs.source}
    if ablation is not None and reference is not None:
        match ablation.kind:
            case AblationKind.RESAMPLE:
                inputs |= resampled_inputs(ablation, pairs.base, reference, seed)
            case AblationKind.MEAN | AblationKind.MEAN_PER_POSITION:
                constants |= mean_constants(nodes, ablation, net, reference)
    return replace(Bindings.of(pairs, constants), inputs=inputs)


def _at(query: Query) -> str:
    """Return the positions at which a query sets values, in words."""
    if query.at:
        return ",".join(map(str, query.at))
    places = dict.fromkeys(at for _, at in places_of(query))
    return "all positions" if None in places or not places else ",".join(map(str, places))


def _nodes(query: Query) -> tuple[str, ...]:
    if query.ablation is None:
        return ()
    site = query.ablation.site
    return tuple(dict.fromkeys(site(mediator) for row in query.treated for mediator in row))


def _ratio(
    query: Query, values: Mapping[Leaf, Numbers], pairs: PromptPairs
) -> tuple[Numbers, Numbers | None]:
    """Return the rows, [rows, n], and what their means are divided by.

    The mean over the prompts of an event is the mean of (value and event) over that of the event.
    """
    rows = np.stack([_on_each(scalar, values, pairs) for _, scalar in query.contrasts])
    lower = None
    if query.denominator is not None:
        lower = _on_each(query.denominator, values, pairs)
    if query.given is not None:
        event = _on_each(query.given, values, pairs)
        rows, lower = rows * event, event * (1.0 if lower is None else lower)
    return rows, lower


def _on_each(scalar: Scalar, values: Mapping[Leaf, Numbers], pairs: PromptPairs) -> Numbers:
    """Return a scalar on every prompt, [n]; one without leaves is the same on all."""
    return np.broadcast_to(evaluate_scalar(scalar, values), (len(pairs),))


def _array(value: Tensor) -> Numbers:
    return value.detach().to("cpu").double().numpy()


def _provenance(
    net: LiftedNetwork, pairs: PromptPairs, query: Query, result: Evaluation, seed: int
) -> dict[str, Any]:
    return {
        "model": net.model.provenance.to_json(),
        "graph": net.graph.fingerprint(),
        "self_check": net.check.to_json(),
        "pairs": {"digest": pairs.digest(), "record": pairs.record.to_json()},
        "ablation": None if query.ablation is None else query.ablation.to_json(),
        "executor": result.executor,
        "executed": dict(result.executed),
        "settings": dict(result.settings),
        "notes": list(result.notes),
        "forwards": result.forwards,
        "reference_forwards": mean_forwards(query.ablation),
        "batch_size": result.batch_size,
        "halvings": result.halvings,
        "seed": seed,
        "causalnet": version("causalnet-lab"),
        "python": sys.version.split()[0],
    }
