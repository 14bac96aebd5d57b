"""Do prompts fit the network, and do the positions of a world line up in every row?"""

from collections.abc import Mapping, Sequence
from typing import Any

from causalnet.errors import AlignmentError, PromptError, TermError
from causalnet.execute.bindings import Bindings
from causalnet.execute.places import Place, place_of
from causalnet.graphs import Kind, MediatorGraph
from causalnet.interventions import Assignment, Node, World, layers_of, reads_of
from causalnet.tasks import Prompts

__all__ = ["check_lengths", "check_positions"]


def check_lengths(prompts: Prompts, declared: Mapping[str, Any]) -> None:
    """Check that no prompt is longer than the positions that the model was made for.

    Raises:
        PromptError: A prompt that is; the row is named.
    """
    most = declared.get("positions")
    if most is None:
        return
    for row, length in enumerate(prompts.lengths):
        if length > int(most):
            raise PromptError(
                f"Row {row} has {length} tokens: {prompts.texts[row][:60]!r}...",
                f"The model was made for {most} positions.",
                "Shorten the prompt.",
            )


def check_positions(world: World, graph: MediatorGraph, bindings: Bindings) -> None:
    """Check a world's own layers row by row: sites are apart, and interchanges line up.

    Raises:
        TermError: Two positions of one mediator in one layer that are the same token of a row.
        AlignmentError: An interchange at all positions between prompts of unequal length.
        PromptError: A position that the prompts do not have.
    """
    base, layers = layers_of(world)
    here = bindings.prompts(base.input)
    for layer in layers:
        _check_apart(layer, graph, here)
        for site, value in layer:
            for read in reads_of(value):
                there = bindings.prompts(layers_of(read.world)[0].input)
                _check_aligned(site, here, there)


def _check_apart(layer: Sequence[Assignment], graph: MediatorGraph, here: Prompts) -> None:
    sites: dict[tuple[Place, str], list[Node]] = {}
    for site, _ in layer:
        place, mediator = place_of(site.mediator, graph)
        own = "" if mediator.kind is Kind.RESIDUAL else mediator.name
        sites.setdefault((place, own), []).append(site)
    for alike in sites.values():
        named = [(site, here.at(position)) for site in alike for position in site.at]
        for index, (site, columns) in enumerate(named):
            for other, others in named[:index]:
                rows = [row for row, column in enumerate(columns) if column == others[row]]
                if rows:
                    raise TermError(
                        f"{other} and {site} are the same token in row {rows[0]} "
                        f"({here.texts[rows[0]][:60]!r}).",
                        "Sites of one layer set different values.",
                        "Put one of them into a second Do on top, or drop one of the positions.",
                    )


def _check_aligned(site: Node, here: Prompts, there: Prompts) -> None:
    for position in site.at:  # both sides must have it
        here.at(position), there.at(position)
    lengths = zip(here.lengths, there.lengths, strict=True)
    unequal = [row for row, (ours, theirs) in enumerate(lengths) if ours != theirs]
    if unequal and not site.at:
        row = unequal[0]
        raise AlignmentError(
            f"Row {row}: {here.texts[row]!r} has {len(here.ids[row])} tokens and "
            f"{there.texts[row]!r} has {len(there.ids[row])}.",
            f"Setting {site} at all positions needs prompts of equal length.",
            "Set it at named positions, for example at='end', or drop the row.",
        )
