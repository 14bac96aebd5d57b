"""Do prompts fit the network, and do the positions of a world line up in every row?"""

from collections.abc import Mapping, Sequence
from typing import Any

from causalnet.errors import AlignmentError, PromptError, TermError
from causalnet.execute.bindings import Bindings
from causalnet.execute.views import is_attended
from causalnet.graphs import Kind, MediatorGraph
from causalnet.interventions import (
    Assignment,
    Edge,
    Site,
    World,
    are_disjoint,
    layers_of,
    reads_of,
)
from causalnet.tasks import Prompts

__all__ = ["check_lengths", "check_positions", "check_rows", "check_tokens"]


def check_rows(bindings: Bindings) -> None:
    """Check that everything that is bound has a row for each prompt.

    Raises:
        AlignmentError: Inputs, answers or foils with different numbers of rows; they are named.
    """
    counts = {f"the input {name!r}": len(prompts) for name, prompts in bindings.inputs.items()}
    for name, answers in {"answers": bindings.answers, **bindings.other_answers}.items():
        counts |= {
            f"the right tokens of {name!r}": len(answers.answers),
            f"the wrong tokens of {name!r}": len(answers.foils),
        }
    if len(set(counts.values())) > 1:
        raise AlignmentError(
            f"Rows differ: {', '.join(f'{name} has {n}' for name, n in counts.items())}.",
            "Worlds are compared prompt by prompt: row i of each belongs to row i of all.",
            "Take the same rows of everything, for example by pairs.rows(...).",
        )


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


def check_tokens(prompts: Prompts, vocabulary: int) -> None:
    """Check that a model embeds all tokens of its prompts.

    Raises:
        PromptError: A token that it does not have; the row is named.
    """
    for row, ids in enumerate(prompts.ids):
        if ids and not (min(ids) >= 0 and max(ids) < vocabulary):
            place = next(i for i, token in enumerate(ids) if not 0 <= token < vocabulary)
            raise PromptError(
                f"Row {row} has the token {ids[place]} at position {place}: "
                f"{prompts.texts[row][:60]!r}.",
                f"The model embeds tokens 0..{vocabulary - 1}.",
                "Encode the prompts with the tokenizer of this model.",
            )


def check_positions(world: World, graph: MediatorGraph, bindings: Bindings) -> None:
    """Check a world's own layers row by row: sites are apart, and interchanges line up.

    Raises:
        TermError: Two positions of one mediator or edge in one layer that are the same token of a
            row, or a noise key, which only models with noise nodes have a use for.
        AlignmentError: An interchange at all positions, or of attention patterns, between prompts
            of unequal length.
        PromptError: A position that the prompts do not have.
    """
    base, layers = layers_of(world)
    if base.key is not None:
        raise TermError(
            f"{base} has the noise key {base.key!r}.",
            "A network has no noise nodes: its worlds share all that they do not set.",
            f"Write Base({base.input!r}); for noise in a value, Noise({base.key!r}).",
        )
    here = bindings.prompts(base.input)
    for layer in layers:
        _check_apart(layer, graph, here)
        for site, value in layer:
            for position in site.at:
                here.at(position)
            for read in reads_of(value):
                there = bindings.prompts(layers_of(read.world)[0].input)
                _check_aligned(site, is_attended(site.read_from, graph), here, there)


def _check_apart(layer: Sequence[Assignment], graph: MediatorGraph, here: Prompts) -> None:
    by_place: dict[tuple[str, ...], list[Site]] = {}
    for site, _ in layer:
        by_place.setdefault(_place(site, graph), []).append(site)
    for alike in by_place.values():
        if len(alike) == 1:
            continue
        named = [(site, here.at(position)) for site in alike for position in site.at]
        for index, (site, columns) in enumerate(named):
            for other, others in named[:index]:
                rows = [row for row, column in enumerate(columns) if column == others[row]]
                if rows and other is not site and not are_disjoint(site.part, other.part):
                    raise _one_token(other, site, rows[0], here)


def _place(site: Site, graph: MediatorGraph) -> tuple[str, ...]:
    """Return what a site sets, the same for both names of a cut."""
    if isinstance(site, Edge):
        return graph.find(site.sender).name, graph.find(site.receiver).name
    mediator = graph.find(site.mediator)
    if mediator.kind is Kind.RESIDUAL:
        return "stream", str(graph.cut(mediator).writers_before), ""
    return (mediator.name,)


def _one_token(first: Site, second: Site, row: int, here: Prompts) -> TermError:
    return TermError(
        f"{first} and {second} are the same token in row {row} ({here.texts[row][:60]!r}).",
        "Sites of one layer set different values.",
        "Put one of them into a second Do on top, or drop one of the positions.",
    )


def _check_aligned(site: Site, is_pattern: bool, here: Prompts, there: Prompts) -> None:
    for position in site.at:  # both sides must have it
        there.at(position)
    lengths = zip(here.lengths, there.lengths, strict=True)
    unequal = [row for row, (ours, theirs) in enumerate(lengths) if ours != theirs]
    if unequal and (is_pattern or not site.at):
        row = unequal[0]
        raise AlignmentError(
            f"Row {row}: {here.texts[row]!r} has {len(here.ids[row])} tokens and "
            f"{there.texts[row]!r} has {len(there.ids[row])}.",
            f"Setting {site} {'' if is_pattern else 'at all positions '}needs prompts of equal "
            "length.",
            "Drop the row: a pattern has an entry for each token."
            if is_pattern
            else "Set it at named positions, for example at='end', or drop the row.",
        )
