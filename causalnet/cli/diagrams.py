"""Causal diagrams as the command line names them: a file, text, or a textbook's."""

import os
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from causalnet.cli.named_nodes import nodes_named
from causalnet.errors import CausalNetError, ParameterError, TermError
from causalnet.graphs.admg import ADMG
from causalnet.graphs.formats import AttributionGraph, read_graph
from causalnet.graphs.gallery import EXAMPLES
from causalnet.graphs.names import nearest
from causalnet.graphs.projection import latent_projection
from causalnet.identification.reading.graph_text import parse_graph
from causalnet.identification.values import quoted_name

__all__ = ["Diagram", "diagram_of", "projected"]

_SUFFIX = re.compile(r"\.(graphml|xml|dot|gv|json|dagitty|txt|gml)$", re.IGNORECASE)
_LARGEST = 2**20  # characters of a graph as it is typed
_FOLDED = 76  # characters of a line of names
_HELD = "\u00a0"  # stands for a space at which no line ends
_WRITE = "Write for example causalnet identify 'X -> Z -> Y, X <-> Y' 'P(y | do(x))'."


@dataclass(frozen=True, slots=True)
class Diagram:
    """A diagram, and what was said of it where it was found.

    Attributes:
        graph: The nodes and edges.
        question: What is asked of it where nothing else is; "" if that is not said.
        latent: Nodes that are not observed.
        notes: Its source, and what a file said that is not kept.
    """

    graph: ADMG
    question: str = ""
    latent: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def diagram_of(target: str) -> Diagram:
    """Return the diagram of a file, of text such as `X -> Y`, or of a textbook.

    Raises:
        CausalNetError: A file that cannot be read, text that draws no graph, an unknown name.
    """
    is_file = os.path.exists(target) and not os.path.isdir(target)
    if is_file or (_SUFFIX.search(target) and "->" not in target):
        return _of_file(Path(target))
    if "{" in target or target.lstrip().startswith("<"):
        return _of_file(target)
    for known in EXAMPLES:
        if _plain(known.name) == _plain(target):
            return Diagram(known.graph, str(known.query), (), (known.reference, known.note))
    if re.search(r"->|<-|[,;\n]", target):
        return Diagram(parse_graph(target))
    raise _unknown(target)


def _plain(name: str) -> str:
    """Return the name of a textbook's graph without what people spell in several ways."""
    return re.sub(r"[\s_-]", "", name).casefold()


def _unknown(target: str) -> CausalNetError:
    if "(" in target:
        return TermError(
            f"{target!r} is a question, and stands in the graph's place.",
            "The graph comes first.",
            _WRITE,
        )
    if not target.strip():
        return TermError("The graph is empty.", "It has at least one node.", _WRITE)
    names = [known.name for known in EXAMPLES]
    close = nearest(target, names)
    listed = _folded_list(names)
    return ParameterError(
        f"{target!r} is no file, no graph and no textbook's graph.",
        f"Nearest: {'; '.join(close)}." if close else "A graph is drawn with ->, <- and <->.",
        f"{_WRITE}\nTextbook graphs are\n{listed}",
    )


def _folded_list(names: Sequence[str]) -> str:
    """Return names in lines, none of them broken."""
    whole = "; ".join(name.replace(" ", _HELD) for name in names)
    lines = textwrap.wrap(whole, _FOLDED, break_on_hyphens=False, break_long_words=False)
    return "\n".join(f"  {line}" for line in lines).replace(_HELD, " ")


def _of_file(source: str | Path) -> Diagram:
    typed = _typed(source) if isinstance(source, Path) else None
    if typed is not None:
        return Diagram(typed)
    found = read_graph(source)
    file = found.graph_file() if isinstance(found, AttributionGraph) else found
    question = ""
    if file.exposures and file.outcomes:
        outcomes, treatments, given = (
            ", ".join(map(quoted_name, sorted(names)))
            for names in (file.outcomes, file.exposures, file.adjusted)
        )
        question = f"P({outcomes} | do({treatments}){f', {given}' if given else ''})"
    latent = tuple(node for node in file.graph.nodes if node in file.latents)
    return Diagram(file.graph, question, latent, file.notes)


def _typed(path: Path) -> ADMG | None:
    """Return the graph of a text file that holds `X -> Y` as it is typed; None for a format."""
    if path.suffix.lower() not in ("", ".txt"):
        return None
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST + 1).decode(errors="replace")
    except OSError:  # `read_graph` says what is the matter
        return None
    is_format = re.search(r"[{}\[]|^\s*<", text) or len(text) > _LARGEST
    return parse_graph(text) if re.search(r"->|<-", text) and not is_format else None


def projected(diagram: Diagram, latent: Sequence[str], observed: Sequence[str]) -> Diagram:
    """Return a diagram with the nodes that are not observed left out: its latent projection.

    Args:
        diagram: The whole diagram.
        latent: Nodes that are not observed, as `U` or `U,W`, beside those of the diagram.
        observed: Nodes that are; if there are any, all others are not.

    Raises:
        UnknownMediatorError: A name that is not in the graph.
        ParameterError: A node that is both, or nothing left.
    """
    graph = diagram.graph
    unseen = {node for text in latent for node in nodes_named("--latent", text, graph)}
    seen = {node for text in observed for node in nodes_named("--observed", text, graph)}
    hidden = unseen.union(diagram.latent)
    both = sorted(seen & unseen)
    if both:
        raise ParameterError(
            f"{both[0]!r} is both --latent and --observed.",
            "A node is either.",
            "Leave one of them out.",
        )
    kept = [node for node in graph.nodes if (node in seen if seen else node not in hidden)]
    if not kept:
        raise ParameterError("No node is observed.", "At least one is.", "Name fewer as --latent.")
    left_out = tuple(node for node in graph.nodes if node not in kept)
    if not left_out:
        return replace(diagram, latent=())
    return replace(diagram, graph=latent_projection(graph, kept), latent=left_out)
