"""What goes to the output, or to a feature, directly: DLA, transcoder edges, and the logit lens.

The final norm decides what "direct" means.  With its scale held at the value it has in the base
world, contributions to a logit difference are linear and add up to it; with the scale recomputed
they are exact effects of cutting the path, and do not add up.  Both are terms, and each names its
choice.
"""

from collections.abc import Sequence
from typing import Literal

from causalnet.errors import TermError
from causalnet.graphs import Mediator
from causalnet.interventions.queries import (
    BASE,
    Patched,
    Query,
    Treated,
    effects,
    importance,
    positions_of,
    rows_of,
)
from causalnet.interventions.readouts import ReadOut, lens, logit_diff, value_of
from causalnet.interventions.scalars import Grad, Read
from causalnet.interventions.techniques.holding import hold
from causalnet.interventions.views import Part, Position
from causalnet.interventions.worlds import Assignment, At, Const, Do, Edge, Node, World

__all__ = ["direct_logit_attribution", "logit_lens", "transcoder_edge"]


def direct_logit_attribution(
    components: Treated | Sequence[Treated],
    *,
    norm: Literal["frozen", "recomputed"],
    outcome: ReadOut = logit_diff,
    receiver: str = "logits",
) -> Query:
    """Return what components write directly into the outcome (Elhage et al. 2021).

    Each row is an importance, Y(base) - Y(base with the path from the component to the logits set
    to 0): positive where the component adds to the outcome.

    Args:
        components: Writers of the residual stream, or joint sets of them.
        norm: Whether the final norm's scale is held at its base value (linear, adds up) or
            recomputed without the component (exact).
        outcome: The read-out.
        receiver: The node whose input is cut.

    Raises:
        TermError: Another choice of norm.
    """
    if norm not in ("frozen", "recomputed"):
        raise TermError(f"The norm {norm!r}.", "It is 'frozen' or 'recomputed'.")
    scale = f"{receiver}.scale"
    rows = []
    for row in rows_of(components):
        layer: list[Assignment] = [(Edge(member.name, receiver), Const()) for member in row.members]
        if norm == "frozen":
            layer.append((Node(scale), At(scale, BASE)))
        rows.append(Patched(row.label, row.members, (Do(BASE, tuple(layer)),)))
    cut = effects("DLA", rows, outcome, convention=f"{norm} norm scale, into {receiver}")
    return importance(cut)


def transcoder_edge(
    sender: Mediator,
    receiver: Mediator,
    *,
    held: Sequence[Mediator],
    part: Part | None = None,
    at: Position | Sequence[Position] = (),
    read_at: Position = "end",
    world: World = BASE,
) -> Query:
    """Return what a feature adds to another's pre-activation, linearly (Dunefsky et al. 2024).

    It is the derivative of the receiver along the sender's own value, activation_i (decoder_i . W .
    encoder_j), with attention patterns, norm scales and all that is nonlinear in between held.

    Args:
        sender: The node of the feature, or of a layer of features.
        receiver: The node whose value is one number: a pre-activation, or a ReLU feature, whose
            derivative is that of its pre-activation where it is active and 0 elsewhere.
        held: What is held at its value: `nonlinear(graph)`, and the MLPs, or their features, of
            the layers in between.
        part: Which features of the sender's node; None for all of it.
        at: Positions of the sender.
        read_at: The position at which the receiver is read.
        world: Where both are taken.

    >>> from causalnet.graphs import TransformerShape, transformer_graph
    >>> from causalnet.interventions.techniques.holding import nonlinear
    >>> shape = TransformerShape(2, 1, 1, 4, 4, 8, 9)
    >>> graph = transformer_graph(shape, grain="features", dictionaries={0: 2, 1: 2})
    >>> first, second = graph.find("L0.mlp.f1"), graph.find("L1.mlp.f0")
    >>> edge = transcoder_edge(first, second, held=nonlinear(graph), at="end")
    >>> print(edge.contrasts[0][0])
    L0.mlp.f1[end] -> L1.mlp.f0
    """
    outcome = value_of(receiver.name, read_at)
    positions = positions_of(at)
    site = Node(sender.name, positions, part)
    grad = Grad(Read(outcome, hold(world, held, world)), site, At(sender.name, world))
    return Query(
        "LINEAR",
        ((f"{site} -> {receiver.name}", grad),),
        ((sender,),),
        outcome,
        positions,
        None,
        "noising",
        convention=f"{len(held)} mediators held",
        below=() if world == BASE else (world,),
    )


def logit_lens(
    nodes: Treated | Sequence[Treated],
    *,
    outcome: ReadOut = logit_diff,
    world: World = BASE,
) -> Query:
    """Return the outcome read from inner nodes by the final norm and the unembedding.

    It is a read-out and no intervention: it tells what a node's value would say at the end, not
    what it does (nostalgebraist 2020).

    Args:
        nodes: Residual cuts, or other nodes as wide as the residual stream.
        outcome: What is read.
        world: Where it is read.

    Raises:
        TermError: A joint set: one node is read at a time.
    """
    rows = rows_of(nodes)
    several = [row for row in rows if len(row.members) > 1]
    if several:
        raise TermError(
            f"The set {several[0].label!r} has several nodes.", "One node is read at a time."
        )
    reads = [(row.label, Read(lens(outcome, row.members[0].name), world)) for row in rows]
    return Query(
        "LENS",
        tuple(reads),
        tuple(row.members for row in rows),
        outcome,
        (),
        None,
        "noising",
        below=() if world == BASE else (world,),
    )
