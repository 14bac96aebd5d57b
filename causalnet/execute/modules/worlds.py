"""Some rows of a lifted module's inputs through all the worlds of a schedule."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx

from causalnet.errors import NumericalError, TermError
from causalnet.execute.modules.bindings import Examples, ModuleBindings
from causalnet.execute.modules.plans import WorldPlan, plan_world
from causalnet.execute.modules.setting import Setter, position_axis
from causalnet.execute.readouts import read_logits, read_value
from causalnet.execute.schedule import Step
from causalnet.interventions import At, Base, Leaf, Read, ReadOut, World, layers_of
from causalnet.lift.modules import Change, LiftedModule, run_hooked

__all__ = ["Plans", "Rows", "make_plans"]


@dataclass(frozen=True, slots=True, eq=False)
class Plans:
    """What is done for the worlds of a schedule, the same for all rows.

    Attributes:
        steps: The worlds in order, each with its plan and with the nodes that are asked for.
        kept: For every base, the values that worlds and read-outs take from it.
    """

    steps: tuple[tuple[Step, WorldPlan, tuple[str, ...]], ...]
    kept: Mapping[Base, tuple[str, ...]]


def make_plans(steps: Sequence[Step], net: LiftedModule, reuse: bool) -> Plans:
    """Return the plans of a schedule."""
    planned, kept = [], dict[Base, dict[str, None]]()
    compared = [read.readout for step in steps for read in _reads(step)]
    for step in steps:
        names = [*step.record, *(read.readout.node for read in _reads(step))]
        names += [readout.node for readout in compared if readout.reference == step.world]
        wanted = tuple(dict.fromkeys(net.graph.find(name).name for name in names))
        sites = [(grad.site, grad.along) for grad in step.grads]
        if isinstance(step.world, Base) and not sites:
            plan = WorldPlan(step.world, {}, {}, (), frozenset(), frozenset(wanted))
        else:
            reused = reuse and net.is_traced
            plan = plan_world(step.world, wanted, net.graph, sites, reused)
        planned.append((step, plan, wanted))
        kept.setdefault(plan.base, {}).update(dict.fromkeys(sorted(plan.from_base)))
    return Plans(tuple(planned), {base: tuple(names) for base, names in kept.items()})


def _reads(step: Step) -> tuple[Read, ...]:
    return (*step.reads, *(grad.read for grad in step.grads))


@dataclass(slots=True, eq=False)
class Rows:
    """Some rows of all inputs, and what has been computed of them.

    Attributes:
        net: The lifted module.
        bindings: Inputs, answers, constants.
        rows: Which rows.
        calls: How often the mechanism of each node was run; added to.
    """

    net: LiftedModule
    bindings: ModuleBindings
    rows: Sequence[int]
    calls: Counter[str]
    values: dict[World, Mapping[str, Tensor]] = field(default_factory=dict)
    natural: dict[Base, Mapping[str, Tensor]] = field(default_factory=dict)

    def run(self, plans: Plans) -> dict[Leaf, Tensor]:
        """Run every world once, in order, and return the values of all leaves, [B] each.

        Raises:
            NumericalError: NaN in a value; names the first node and row.
            TermError: An edge that hooks cannot set, where the graph is declared.
        """
        answered: dict[Leaf, Tensor] = {}
        for step, plan, wanted in plans.steps:
            if plan.from_base and plan.base not in self.natural:
                with torch.no_grad():
                    self.natural[plan.base] = self._base(plan.base, plans.kept[plan.base])
            if not step.grads:
                with torch.no_grad():
                    self.values[step.world] = self._settled(plan, wanted)
        # A world may come before the one that its read-outs compare it to.
        for step, plan, wanted in plans.steps:
            if step.grads:
                answered |= self._differentiated(step, plan, wanted)
            for read in step.reads:
                answered[read] = self._answer(read, self.values[step.world])
        return answered

    # -- worlds ----------------------------------------------------------------------------------

    def _base(self, base: Base, wanted: Sequence[str]) -> Mapping[str, Tensor]:
        plan = plan_world(base, wanted, self.net.graph, reuse=False)
        return self._settled(plan, wanted)

    def _settled(
        self, plan: WorldPlan, wanted: Sequence[str], factors: Sequence[Tensor] = ()
    ) -> Mapping[str, Tensor]:
        """Return the values of some nodes in a world."""
        examples = self.bindings.examples(plan.base.input)
        rows = self.rows
        setter = Setter(self.net.graph, self.bindings, examples, rows, self._read, factors)
        if not plan.order:
            return {name: self.natural[plan.base][name] for name in wanted}
        if not self.net.is_traced:
            return self._hooked(plan, wanted, setter)
        return self._computed(plan, wanted, setter)

    def _inputs(self, examples: Examples) -> dict[str, Tensor]:
        at = list(self.rows)
        return {name: value[at] for name, value in examples.tensors.items()}

    def _computed(
        self, plan: WorldPlan, wanted: Collection[str], setter: Setter
    ) -> dict[str, Tensor]:
        """Run the mechanisms of a traced module, node by node."""
        inputs, known = self._inputs(setter.examples), dict[fx.Node, Any]()
        values = {name: self.natural[plan.base][name] for name in plan.from_base}
        last = self._last_reader(plan)
        for name in plan.order:
            if name in plan.computed:
                natural = (
                    inputs[name]
                    if name in inputs
                    else self._mechanism(name, plan, values, setter, known)
                )
            else:
                natural = values[name]
            values[name] = setter.fold(natural, plan.nodes.get(name, ()))
            for done in last.get(name, ()):
                if done not in wanted:
                    values.pop(done, None)
        return {name: values[name] for name in wanted}

    def _last_reader(self, plan: WorldPlan) -> dict[str, list[str]]:
        """Return, for each node, the nodes that nobody reads after it."""
        last = {
            parent: name
            for name in plan.order
            if name in plan.computed
            for parent in self.net.graph.parents(name)
        }
        found: dict[str, list[str]] = {}
        for parent, name in last.items():
            found.setdefault(name, []).append(parent)
        return found

    def _mechanism(
        self,
        name: str,
        plan: WorldPlan,
        values: Mapping[str, Tensor],
        setter: Setter,
        known: dict[fx.Node, Any],
    ) -> Tensor:
        """Run one node's mechanism, with what its edges carry in place of what others see."""
        self.calls[name] += 1
        assert self.net.mechanisms is not None
        own = {
            sender: setter.fold(values[sender], assigned)
            for (sender, receiver), assigned in plan.edges.items()
            if receiver == name
        }
        seen = {**values, **own} if own else values
        shared = None if own else known
        value = self.net.mechanisms.compute(name, seen, len(self.rows), shared)
        self._check(name, value)
        return value

    def _hooked(
        self, plan: WorldPlan, wanted: Collection[str], setter: Setter
    ) -> Mapping[str, Tensor]:
        """Run a declared module as a whole, with hooks."""

        def change(place: Any, assigned: Any) -> Change:
            return lambda natural: setter.fold(natural, assigned)

        self.calls.update(list(self.net.parts.places))
        return run_hooked(
            self.net.parts,
            self._inputs(setter.examples),
            {name: change(name, assigned) for name, assigned in plan.nodes.items()},
            {ends: change(ends, assigned) for ends, assigned in plan.edges.items()},
            wanted,
        ).values

    def _read(self, at: At) -> tuple[Tensor, Examples]:
        theirs = self.values[at.world][self.net.graph.find(at.mediator).name]
        return theirs, self.bindings.examples(layers_of(at.world)[0].input)

    def _check(self, name: str, value: Tensor) -> None:
        if value.is_floating_point() and bool(value.detach().isnan().any()):
            row = int(value.detach().isnan().flatten(1).any(1).nonzero()[0])
            raise NumericalError(
                f"{name} holds NaN on row {self.rows[row]}.",
                "It is the first such value in the order of the graph.",
                "Check the inputs and the weights, or use a wider dtype.",
            )

    # -- read-outs -------------------------------------------------------------------------------

    def _answer(self, read: Read, values: Mapping[str, Tensor]) -> Tensor:
        """Return a read-out, [B], given the values of its world."""
        readout = read.readout
        mine = self._at(readout, read.world, values)
        if readout.name == "value":
            return read_value(readout, mine)
        reference = None
        if readout.reference is not None:
            reference = self._at(readout, readout.reference, self.values[readout.reference])
        answers = self.bindings.of_terms.answers_named(readout.answers)
        return read_logits(readout, mine, answers, self.rows, reference)

    def _at(self, readout: ReadOut, world: World, values: Mapping[str, Tensor]) -> Tensor:
        """Return the value that a read-out scores, at its position where it has one, [B, d]."""
        value = values[self.net.graph.find(readout.node).name]
        axis = position_axis(self.net.graph.axes(readout.node))
        if axis is None:
            if readout.at != "end":
                raise TermError(
                    f"{readout} is read at {readout.at!r}, and {readout.node} has no positions.",
                    "An axis is one of positions where it is declared: axes={...: ('pos', ...)}.",
                    f"Read it at 'end', which is all of it, or declare the axis of {readout.node}.",
                )
            found = value
        else:
            examples = self.bindings.examples(layers_of(world)[0].input)
            columns = examples.columns(readout.at, value.shape[axis], self.rows)
            found = value.movedim(axis, 1)[torch.arange(len(value)), columns.to(value.device)]
        if found.ndim != 2:
            raise TermError(
                f"{readout} reads {list(found.shape)} of {readout.node}.",
                "A read-out scores one row of numbers for each example, [rows, classes].",
                "Choose another output when lifting, or declare its axis of positions.",
            )
        return found

    # -- derivatives -----------------------------------------------------------------------------

    def _differentiated(
        self, step: Step, plan: WorldPlan, wanted: Sequence[str]
    ) -> dict[Leaf, Tensor]:
        """Return derivatives of one read-out along several directions, by one backward pass.

        Each direction is added with a factor of its own, 0 for every row; a row's read-out depends
        on its own factors only, so that the derivative of the sum is that of each.
        """
        zeros = torch.zeros(len(self.rows), dtype=torch.float64)
        with torch.enable_grad():
            factors = [zeros.clone().requires_grad_() for _ in step.grads]
            values = self._settled(plan, wanted, factors)
            total = self._answer(step.grads[0].read, values).sum()
            if not total.requires_grad:  # nothing that is read depends on the sites
                return dict.fromkeys(step.grads, zeros)
            found = torch.autograd.grad(total, factors, materialize_grads=True)
        return dict(zip(step.grads, found, strict=True))
