"""The executor of lifted modules: values of read-outs in worlds, node by node.

A traced module is run by its mechanisms, so that every edge can be set.  A declared one is run as
it is, with hooks, so that an edge can be set where one module is handed what another returned.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causalnet.errors import OutOfMemoryError, TermError
from causalnet.execute.modules.bindings import ModuleBindings
from causalnet.execute.modules.setting import position_axis
from causalnet.execute.modules.worlds import Plans, Rows, make_plans
from causalnet.execute.runnable import check_batch_size, check_leaves
from causalnet.execute.schedule import schedule
from causalnet.interventions import (
    Contrast,
    Leaf,
    Query,
    Site,
    World,
    check_query,
    check_scalar,
    evaluate_scalar,
    layers_of,
    parse_query,
    reads_of,
)
from causalnet.lift import LiftedModule
from causalnet.lift.machine import is_out_of_memory

__all__ = ["ModuleEvaluation", "evaluate_module", "evaluate_query"]


@dataclass(frozen=True, slots=True, eq=False)
class ModuleEvaluation:
    """Values of leaves, one for each row.

    Attributes:
        values: Read or derivative to values, [n].
        calls: How often the mechanism of each node was run, over all worlds and batches.
        worlds: How many worlds were run.
        batch_size: Rows in a full batch, after any halving.
        halvings: How often memory ran out and the batch was halved.
    """

    values: Mapping[Leaf, Tensor]
    calls: Mapping[str, int]
    worlds: int
    batch_size: int
    halvings: int


def evaluate_module(
    leaves: Sequence[Leaf],
    net: LiftedModule,
    bindings: ModuleBindings,
    *,
    batch_size: int = 64,
    reuse: bool = True,
) -> ModuleEvaluation:
    """Run the worlds of some read-outs and derivatives on all rows of a module's inputs.

    A world computes only the nodes that its sites reach and that lead to what is read; the rest it
    takes from its base, which is run once.  The values that other worlds take from a base are kept
    while a batch is worked on.

    Args:
        leaves: Read-outs in worlds, and their derivatives along directions at sites.
        net: The lifted module.
        bindings: The tensors behind inputs, answers, constants.
        batch_size: Rows in a batch; halved when memory runs out.
        reuse: Whether worlds take values from their bases; without it each is run from its inputs.
            A declared module is always run from its inputs.

    Raises:
        ParameterError: A batch_size that is no whole number, or below 1.
        LiftError: The module was changed after it was lifted.
        UnknownMediatorError, TermError: A world that does not fit the module, or a read-out that is
            not known.
        NumericalError: NaN or infinity in a value.
        OutOfMemoryError: Memory ran out with a batch of one row.

    >>> from causalnet.interventions import Base, Read, probability
    >>> from causalnet.lift import lift_module
    >>> layer = torch.nn.Linear(2, 2).eval()
    >>> net = lift_module(layer, torch.eye(2))
    >>> bindings = ModuleBindings.of(net, torch.eye(2), answers=[0, 1])
    >>> leaf = Read(probability, Base("base"))
    >>> evaluate_module([leaf], net, bindings).values[leaf].shape
    torch.Size([2])
    """
    check_leaves(leaves)
    check_batch_size(batch_size, "rows")
    net.check_unchanged()
    check_scalar(Contrast(tuple((1.0, leaf) for leaf in leaves)), net.graph)
    for examples in bindings.inputs.values():
        net.parts.arguments.check(examples.tensors)
    plans = make_plans(schedule(leaves), net, reuse)
    for step, _, _ in plans.steps:
        sites = (pair for layer in layers_of(step.world)[1] for pair in layer)
        for site, value in (*sites, *((grad.site, grad.along) for grad in step.grads)):
            _check_site(site, [read.mediator for read in reads_of(value)], net)
        _check_key(step.world)
    calls: Counter[str] = Counter()
    parts: dict[Leaf, list[Tensor]] = {leaf: [] for leaf in leaves}
    size, halvings, row = min(batch_size, len(bindings)), 0, 0
    while row < len(bindings):
        rows = range(row, min(row + size, len(bindings)))
        answered = _run(Rows(net, bindings, rows, calls), plans)
        if answered is None and size == 1:
            raise OutOfMemoryError(
                "Memory ran out with a batch of one row.",
                "",
                "Use a smaller module, or another device.",
            )
        if answered is None:
            size, halvings = size // 2, halvings + 1
            continue
        for leaf, answer in answered.items():
            parts[leaf].append(answer)
        row = rows.stop
    values = {leaf: torch.cat(part) for leaf, part in parts.items()}
    return ModuleEvaluation(values, dict(calls), len(plans.steps), size, halvings)


def _run(rows: Rows, plans: Plans) -> dict[Leaf, Tensor] | None:
    """Return the values of all leaves on some rows, None where memory ran out."""
    try:
        return rows.run(plans)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return None


def _check_site(site: Site, reads: Sequence[str], net: LiftedModule) -> None:
    """Refuse positions where the graph declares no axis for them, on either side of an interchange.

    Raises:
        TermError: They are there.
    """
    for name in (site.read_from, *reads) if site.at else ():
        if position_axis(net.graph.axes(name)) is None:
            raise TermError(
                f"{site} is at positions, and {name} has no axis of positions.",
                "An axis is one of positions where it is declared to be, by the name 'pos'.",
                "Lift with axes={'...': ('pos', 'feature')}.",
            )


def _check_key(world: World) -> None:
    base, _ = layers_of(world)
    if base.key is not None:
        raise TermError(
            f"{base} has the noise key {base.key!r}.",
            "A module has no noise nodes: its worlds share all that they do not set.",
            f"Write Base({base.input!r}); for noise in a value, Noise({base.key!r}).",
        )


def evaluate_query(
    query: Query | str,
    net: LiftedModule,
    bindings: ModuleBindings,
    *,
    batch_size: int = 64,
) -> dict[str, NDArray[np.float64]]:
    """Return the effects of a query on all rows: for each of its labels, [n].

    Args:
        query: The query, or its text; its ablations are the counterfactual or zero.
        net: The lifted module.
        bindings: The tensors behind inputs, answers, constants.
        batch_size: Rows in a batch.

    Raises:
        UnknownMediatorError, TermError: A query that does not fit the module, or one whose
            constants are not bound.

    >>> from causalnet.interventions import nie, probability
    >>> from causalnet.lift import lift_module
    >>> layers = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)).eval()
    >>> net = lift_module(layers, torch.eye(2))
    >>> bindings = ModuleBindings.of(net, torch.eye(2), torch.zeros(2, 2), answers=[0, 1])
    >>> effects = evaluate_query(nie([net["0"]], outcome=probability), net, bindings)
    >>> {label: effect.shape for label, effect in effects.items()}
    {'0': (2,)}
    """
    rows = len(bindings)
    query = parse_query(query, net.graph) if isinstance(query, str) else query
    check_query(query, net.graph, dict.fromkeys(bindings.inputs, rows))
    evaluation = evaluate_module(tuple(query.leaves), net, bindings, batch_size=batch_size)
    values = {
        leaf: value.detach().double().cpu().numpy() for leaf, value in evaluation.values.items()
    }
    return {label: evaluate_scalar(scalar, values) for label, scalar in query.contrasts}
