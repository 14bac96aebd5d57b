"""Conditional instruments: nodes that move a treatment and reach the outcome in no other way.

| name | what |
|---|---|
| `is_instrument` | `ValidInstrument`, or `NotValidInstrument` with the reason |
| `conditional_instruments` | all ancestral ones, each with nodes on which to condition |
| `NoInstrument` | there is none, with the reason for each node |

Given W, z is an instrument for the effect of x on y if W holds no node that descends from a causal
path, z and x are not separated by W, and z and y are once the first edges of causal paths are
cut.  In linear models the effect is then cov(z, y | W) / cov(z, x | W).  It is not identified
without parametric assumptions, so no formula for P(y | do(x)) rests on it.

Brito and Pearl (2002), "Generalized instrumental variables"; van der Zander, Textor and Liśkiewicz
(2015), "Efficiently finding conditional instruments for causal inference".  Whether some W exists
for a given z is NP-complete to decide.  With W among the ancestors of y and z it takes linear time,
and if there is any instrument at all, there is one of this kind.
"""

from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np

from causalnet.graphs.admg import ADMG, Names
from causalnet.graphs.separation import NoSeparator, m_separated, minimal_separator
from causalnet.graphs.walks import Connected, Separated
from causalnet.identification.adjusting.adjustment import ForbiddenNode, forbidden_node
from causalnet.identification.adjusting.proper_back_door import ProperBackDoor, check_disjoint

__all__ = [
    "InstrumentCheck",
    "NoInstrument",
    "NotValidInstrument",
    "ValidInstrument",
    "conditional_instruments",
    "is_instrument",
]


@final
@dataclass(frozen=True, slots=True)
class ValidInstrument:
    """An instrument and the nodes on which to condition; true in a condition.

    Attributes:
        instrument: Its name.
        given: The nodes on which to condition.
        relevance: A walk from it to the treatment that is open given them.
        exclusion: They separate it from the outcome without causal paths.
    """

    instrument: str
    given: frozenset[str]
    relevance: Connected
    exclusion: Separated

    def __bool__(self) -> bool:
        """Return True."""
        return True

    def __str__(self) -> str:
        """Return both conditions."""
        return (
            f"{_named(self.instrument, self.given)} is an instrument: {self.relevance} is open, "
            f"and {self.exclusion} without causal paths"
        )


@final
@dataclass(frozen=True, slots=True)
class NotValidInstrument:
    """A node that is no instrument given some nodes; false in a condition.

    Attributes:
        instrument: Its name.
        given: The nodes on which to condition.
        evidence: One of these that must not be given; or that they separate it from the treatment;
            or a walk from it to the outcome that is open without causal paths.
    """

    instrument: str
    given: frozenset[str]
    evidence: ForbiddenNode | Separated | Connected

    def __bool__(self) -> bool:
        """Return False."""
        return False

    def __str__(self) -> str:
        """Return the reason."""
        match self.evidence:
            case Connected():
                told = f"{self.evidence} is open without causal paths"
            case _:
                told = str(self.evidence)
        return f"{_named(self.instrument, self.given)} is not an instrument: {told}"


InstrumentCheck: TypeAlias = ValidInstrument | NotValidInstrument


@final
@dataclass(frozen=True, slots=True)
class NoInstrument:
    """No allowed node is an instrument, given whatever nodes are allowed; false in a condition.

    Attributes:
        rejected: For each allowed node why it is none, given its nearest separator from the
            outcome, or given all allowed ancestors if they do not separate.
    """

    rejected: tuple[NotValidInstrument, ...]

    def __bool__(self) -> bool:
        """Return False."""
        return False

    def __str__(self) -> str:
        """Return one line for each node."""
        return "\n".join(["No instrument:", *(f"  {check}" for check in self.rejected)])


def is_instrument(graph: ADMG, z: str, x: str, y: str, given: Names = ()) -> InstrumentCheck:
    """Decide whether a node is an instrument for the effect of x on y, in linear time.

    Args:
        graph: The graph.
        z: The node.
        x: The treatment.
        y: The outcome.
        given: The nodes on which one conditions.

    Raises:
        UnknownMediatorError: No such node.
        TermError: A node with two roles.

    >>> graph = ADMG.of(directed=[("Z", "X"), ("X", "Y")], bidirected=[("X", "Y")])
    >>> print(is_instrument(graph, "Z", "X", "Y"))
    Z is an instrument: Z -> X is open, and Z ⊥ Y without causal paths
    """
    effect = ProperBackDoor.of(graph, (x,), (y,))
    numbers = graph.indices(given)
    own = np.array([graph.index(z)], np.int32)
    check_disjoint(graph, z=own, x=effect.xs, y=effect.ys, given=numbers)
    return _checked(effect, z, frozenset(graph.names_of(numbers)))


def conditional_instruments(
    graph: ADMG, x: str, y: str, within: Names | None = None
) -> tuple[ValidInstrument, ...] | NoInstrument:
    """Return all ancestral instruments for the effect of x on y, one linear search for each node.

    Each comes with its nearest separator: of the sets of ancestors that separate it from the
    outcome, the one nearest to the outcome, without a node to spare.  If that one separates it from
    the treatment, all of them do.

    Args:
        graph: The graph.
        x: The treatment.
        y: The outcome.
        within: Nodes that may be instruments and be given; all but x and y unless said.

    Raises:
        UnknownMediatorError: No such node.
        TermError: x is y.

    >>> graph = ADMG.of([("Z", "X"), ("X", "Y"), ("W", "Z"), ("W", "Y")], [("X", "Y")])
    >>> for found in conditional_instruments(graph, "X", "Y"):
    ...     print(found)
    Z | W is an instrument: Z -> X | given W is open, and Z ⊥ Y | W without causal paths
    """
    effect = ProperBackDoor.of(graph, (x,), (y,))
    allowed = effect.candidates(within)
    names = graph.names_of(np.flatnonzero(allowed))
    checks = [_nearest(effect, z, names) for z in names]
    found = tuple(check for check in checks if isinstance(check, ValidInstrument))
    rejected = tuple(check for check in checks if isinstance(check, NotValidInstrument))
    return found or NoInstrument(rejected)


def _nearest(effect: ProperBackDoor, z: str, allowed: tuple[str, ...]) -> InstrumentCheck:
    """Van der Zander et al. (2015), nearest separators, here without a node to spare.

    Only what stays connected to z matters, and that is most where the separator is nearest to y.
    """
    ys = effect.graph.names_of(effect.ys)
    found = minimal_separator(effect.remainder, ys, z, within=allowed)
    given = found.evidence.given if isinstance(found, NoSeparator) else found
    return _checked(effect, z, given)


def _checked(effect: ProperBackDoor, z: str, given: frozenset[str]) -> InstrumentCheck:
    graph, rest = effect.graph, effect.remainder
    numbers = graph.indices(given)
    forbidden = numbers[effect.forbidden[numbers]]
    if forbidden.size:
        return NotValidInstrument(z, given, forbidden_node(effect, int(forbidden.min())))
    exclusion = m_separated(rest, z, graph.names_of(effect.ys), given)
    if isinstance(exclusion, Connected):
        return NotValidInstrument(z, given, exclusion)
    relevance = m_separated(graph, z, graph.names_of(effect.xs), given)
    if isinstance(relevance, Separated):
        return NotValidInstrument(z, given, relevance)
    return ValidInstrument(z, given, relevance, exclusion)


def _named(instrument: str, given: frozenset[str]) -> str:
    names = sorted(given)
    return f"{instrument} | {', '.join(names)}" if names else instrument
