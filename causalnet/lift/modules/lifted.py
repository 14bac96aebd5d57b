"""Any `nn.Module` as a graph of what its submodules return: traced, or declared."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn

from causalnet.errors import LiftError
from causalnet.graphs import (
    Kind,
    Mediator,
    MediatorGraph,
    Merge,
    Node,
    Slot,
    nearest,
    plain_graph,
)
from causalnet.lift.modules.arguments import Arguments, ExampleInputs, read_arguments
from causalnet.lift.modules.axes import AxisNames, axes_of, check_patterns
from causalnet.lift.modules.check import ModuleCheck, check_module
from causalnet.lift.modules.hooked import ModuleParts, run_hooked
from causalnet.lift.modules.mechanisms import Mechanisms, read_mechanisms
from causalnet.lift.modules.places import OUTPUT, ModulePlace, chosen_paths, name_places
from causalnet.lift.modules.tracing import Marks, mark_calls, trace
from causalnet.lift.unchanged import ModuleState, check_state, state_of

__all__ = ["LiftedModule", "declare_module", "lift_module"]

DECLARED = "declared; its edges held on {rows} example inputs"


@dataclass(frozen=True, slots=True, eq=False)
class LiftedModule:
    """A module with its graph, and the evidence that the graph is the module's.

    Attributes:
        parts: The module, how it is called and where its nodes are found.
        graph: The graph of its inputs, of what its submodules return, and of its output, which is
            called `logits`; `graph.origin` says whether it was traced or declared.
        mechanisms: How each node is computed from its parents; None where the graph is declared.
        check: What was compared.
        state: What the module was when it was checked.
    """

    parts: ModuleParts
    graph: MediatorGraph
    mechanisms: Mechanisms | None
    check: ModuleCheck
    state: ModuleState

    @property
    def module(self) -> nn.Module:
        """The module."""
        return self.parts.module

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the inputs."""
        return self.parts.arguments.names

    @property
    def is_traced(self) -> bool:
        """Whether the graph was read off the module's own operations."""
        return self.mechanisms is not None

    def __getitem__(self, name: str) -> Mediator:
        """Return a mediator by name.

        Raises:
            UnknownMediatorError: No such mediator; the nearest names are given.
        """
        return self.graph.find(name)

    def check_unchanged(self) -> None:
        """Check that the module is still the one that was lifted.

        Raises:
            LiftError: A submodule, its hooks, a switch or a weight is another.
        """
        try:
            check_state(self.module, self.state)
        except LiftError as changed:
            again = "Lift the module again: what is there now is then checked."
            raise LiftError(changed.came, changed.possible, again) from None

    def __repr__(self) -> str:
        """Return one line."""
        return f"LiftedModule({type(self.module).__name__}, {self.graph!r}, {self.check!r})"


def lift_module(
    module: nn.Module,
    example_inputs: ExampleInputs,
    *,
    nodes: Sequence[str] | None = None,
    inputs_of: Sequence[str] = (),
    axes: AxisNames | None = None,
    output: str | None = None,
) -> LiftedModule:
    """Lift any module by tracing it, and check that the graph computes what the module does.

    Every tensor that a submodule returns is a node, in each call of it; operations between nodes
    are part of the node that reads them.  Edges are the true flow of data.

    Args:
        module: The module, in evaluation mode.
        example_inputs: Two or more examples: a tensor [B, ...], a tuple of arguments or a mapping.
            What is no tensor is the same in every run.
        nodes: Patterns of the submodules whose outputs are nodes, as `layers.*`; None takes all.
        inputs_of: Patterns of the submodules whose first inputs are nodes as well, `name/in`: an
            attention's output projection is given the heads side by side (`head_part`).
        axes: Names of axes by patterns of nodes.  One that is called `pos` is an axis along
            which sites have positions.
        output: Which output read-outs score, as `logits` or `1`, where there are several.

    Raises:
        LiftError: A module that cannot be run on the examples or traced, or that its graph does
            not describe; says what is possible instead.

    >>> net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).eval()
    >>> lifted = lift_module(net, torch.eye(3))
    >>> lifted.graph.parents("2"), lifted.graph.parents("logits")
    (('1',), ('2',))
    """
    arguments, tensors = _read(module, example_inputs)
    outputs_of = chosen_paths(module, nodes)
    given = chosen_paths(module, inputs_of) if inputs_of else ()
    program = trace(module, arguments, tensors, output, frozenset(outputs_of), frozenset(given))
    places = name_places(program.places, (*arguments.names, OUTPUT))
    marks = {program.places[index]: mark for index, mark in enumerate(program.marks)}
    of: dict[str, fx.Node] = dict(program.inputs)
    of |= {name: marks[place] for name, place in places.items()}
    of[OUTPUT] = program.output
    mechanisms = read_mechanisms(module, program, of)
    parents = {name: mechanism.parents for name, mechanism in mechanisms.of.items()}
    parts = ModuleParts(module, arguments, places, output)
    origin = f"traced by torch.export of torch {torch.__version__}"
    graph = _graph(parts, parents, tensors, axes or {}, origin)
    check = check_module(parts, graph, tensors, mechanisms)
    return LiftedModule(parts, graph, mechanisms, check, state_of(module))


def declare_module(
    module: nn.Module,
    example_inputs: ExampleInputs,
    *,
    nodes: Sequence[str],
    edges: Iterable[tuple[str, str]],
    inputs_of: Sequence[str] = (),
    axes: AxisNames | None = None,
    output: str | None = None,
) -> LiftedModule:
    """Lift a module that cannot be traced, by the nodes and edges that its author declares.

    The edges are tried: each node must stay what it is when everything but its declared parents
    is changed.  That finds what moves on the examples, and proves nothing beyond them, so that the
    graph, what is explained on it and proofs of zero effects say that it is declared.

    Args:
        module: The module, in evaluation mode.
        example_inputs: Two or more examples that differ; see `lift_module`.
        nodes: Patterns of the submodules whose outputs are nodes.
        edges: Sender and receiver: inputs by the names of arguments, nodes, and `logits` for the
            output.
        inputs_of: Patterns of the submodules whose first inputs are nodes, `name/in`.
        axes: Names of axes by patterns of nodes.
        output: Which output read-outs score, where there are several.

    Raises:
        LiftError: What is no pair of names, an edge between names that are no nodes, or one that
            is there and not declared.
        GraphError: Edges that make a cycle.

    >>> net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).eval()
    >>> edges = [("input", "1"), ("1", "logits")]
    >>> declare_module(net, torch.eye(3), nodes=["1"], edges=edges).graph.origin
    'declared; its edges held on 3 example inputs'
    """
    arguments, tensors = _read(module, example_inputs)
    found = _called(module, arguments, tensors, nodes, inputs_of, output)
    places = name_places(found, (*arguments.names, OUTPUT))
    parents = _parents(places, arguments.names, edges)
    parts = ModuleParts(module, arguments, places, output)
    rows = len(next(iter(tensors.values())))
    graph = _graph(parts, parents, tensors, axes or {}, DECLARED.format(rows=rows))
    check = check_module(parts, graph, tensors, None)
    return LiftedModule(parts, graph, None, check, state_of(module))


def _read(module: nn.Module, example_inputs: ExampleInputs) -> tuple[Arguments, dict[str, Tensor]]:
    """Return how a module is called and the example inputs, after checking that it can be.

    Raises:
        LiftError: No module, one that is in training mode, or example inputs that do not fit.
    """
    if not isinstance(module, nn.Module):
        raise LiftError(
            f"{type(module).__name__} is no torch.nn.Module.",
            "Any nn.Module can be lifted; a loaded language model is lifted by cn.lift.",
            "Wrap a function in a module whose forward calls it.",
        )
    training = [path or "The module" for path, part in module.named_modules() if part.training]
    if training:
        raise LiftError(
            f"{training[0]} is in training mode.",
            "Dropout draws numbers there, and batch norm mixes the rows of a batch.",
            "Call module.eval() first.",
        )
    arguments, tensors = read_arguments(module, example_inputs)
    try:
        with torch.no_grad():
            arguments.call(module, _copied(tensors))
    except RuntimeError as error:
        raise LiftError(
            f"{type(module).__name__} cannot be run on the example inputs: {error}.",
            f"It was given {', '.join(f'{name} {list(t.shape)}' for name, t in tensors.items())}.",
            "Give example_inputs with which module(...) runs.",
        ) from error
    return arguments, tensors


def _copied(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors that a module may change in place."""
    return {name: value.clone() for name, value in tensors.items()}


def _called(
    module: nn.Module,
    arguments: Arguments,
    tensors: Mapping[str, Tensor],
    nodes: Sequence[str],
    inputs_of: Sequence[str],
    output: str | None,
) -> list[ModulePlace]:
    """Return the places that one run passes, in order."""
    outputs_of = frozenset(chosen_paths(module, nodes))
    given = frozenset(chosen_paths(module, inputs_of) if inputs_of else ())
    marks = Marks(arguments, output, outputs_of, given)
    with torch.no_grad():
        mark_calls(module, marks, _copied(tensors))
    return marks.places


def _parents(
    places: Mapping[str, ModulePlace], inputs: Sequence[str], edges: Iterable[tuple[str, str]]
) -> dict[str, tuple[str, ...]]:
    parents: dict[str, list[str]] = {name: [] for name in (*places, OUTPUT)}
    for edge in edges:
        if not isinstance(edge, tuple | list) or len(edge) != 2:
            example = (next(iter(inputs), "x"), next(iter(places), OUTPUT))
            raise LiftError(
                f"The edge {edge!r} is no pair of names.",
                "An edge is a sender and a receiver.",
                f"Write edges=[{example!r}, ...].",
            )
        sender, receiver = edge
        for name, known in ((sender, [*inputs, *places]), (receiver, [*places, OUTPUT])):
            if name not in known:
                alike = nearest(name, known) or tuple(known)
                raise LiftError(
                    f"The edge {sender} -> {receiver} ends at {name!r}.",
                    f"Senders are inputs and nodes, receivers nodes and {OUTPUT!r}; the nearest "
                    f"are {', '.join(alike)}.",
                    "Write a name of these.",
                )
        parents[receiver].append(sender)
    return {name: tuple(dict.fromkeys(senders)) for name, senders in parents.items()}


def _graph(
    parts: ModuleParts,
    parents: Mapping[str, Sequence[str]],
    tensors: Mapping[str, Tensor],
    declared: AxisNames,
    origin: str,
) -> MediatorGraph:
    """Return the graph of inputs, nodes and output, with the axes of their values."""
    with torch.no_grad():
        values = run_hooked(parts, tensors).values
    every = {**{name: () for name in parts.arguments.names}, **parents}
    check_patterns(declared, [*every])
    order = [node.mediator.name for node in plain_graph(every).nodes]  # refuses cycles
    nodes = [
        Node(
            Mediator(name, Kind.LOGITS if name == OUTPUT else Kind.VARIABLE),
            axes_of(name, values[name], declared),
            tuple(Slot(parent, Merge.PLAIN, (parent,)) for parent in every[name]),
        )
        for name in order
    ]
    return MediatorGraph(tuple(nodes), origin=origin)
