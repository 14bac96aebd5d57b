"""What one can do with a network, and what was recorded of it.

| access | what |
|---|---|
| `FullAccess` | run it, and intervene anywhere |
| `PartialAccess` | run it, and set and read some sites |
| `Logs` | recorded values of some nodes; the network cannot be run |
| `OtherPrompts` | results on one prompt distribution, a question about another |
| `OtherWeights` | results on one network, a question about one with some parts changed |
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias, final

from causalnet.errors import ParameterError

__all__ = [
    "Access",
    "AccessLike",
    "Flag",
    "FullAccess",
    "Logs",
    "OtherPrompts",
    "OtherWeights",
    "PartialAccess",
    "read_access",
]


@final
@dataclass(frozen=True, slots=True)
class FullAccess:
    """The network can be run, and every site be set and read."""

    def __str__(self) -> str:
        """Return the access in words."""
        return "full access"


@final
@dataclass(frozen=True, slots=True)
class PartialAccess:
    """The network can be run, and some sites can be set and read.

    Attributes:
        sites: Names of nodes (`L20.H0`), of nodes at a position (`L20.H0[end]`), or edges
            (`L19.H2 -> L20.H0.q`).  What stands in no site is not set.
        readable: Further nodes that can be read and not set.

    >>> print(PartialAccess(("L20.H0", "logits")))
    access to L20.H0, logits
    """

    sites: tuple[str, ...]
    readable: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a name in place of names."""
        _check_names(self.sites, "sites", "PartialAccess(('L20.H0', 'logits'))")
        _check_names(self.readable, "readable", "PartialAccess(('L20.H0',), ('logits',))")

    def __str__(self) -> str:
        """Return the access in words."""
        reading = f", reading of {', '.join(self.readable)}" if self.readable else ""
        return f"access to {', '.join(self.sites) or 'no site'}{reading}"


@final
@dataclass(frozen=True, slots=True)
class Flag:
    """A switch beside the network whose setting was recorded: steering, a chosen few-shot example.

    Attributes:
        name: A name that no node of the graph has.
        acts_on: The nodes that it acts on directly.
        driven_with: Nodes that share a hidden cause with its setting; none for a fair coin.

    >>> print(Flag("S", ("L12.mlp",)))
    S -> L12.mlp
    """

    name: str
    acts_on: tuple[str, ...]
    driven_with: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a name in place of names."""
        _check_names(self.acts_on, "acts_on", "Flag('S', ('L12.mlp',))")
        _check_names(self.driven_with, "driven_with", "Flag('S', ('T',), driven_with=('Y',))")

    def __str__(self) -> str:
        """Return what it acts on, and what it is driven with."""
        arrows = [f"{self.name} -> {node}" for node in self.acts_on]
        return ", ".join([*arrows, *(f"{self.name} <-> {node}" for node in self.driven_with)])


@final
@dataclass(frozen=True, slots=True)
class Logs:
    """Values of some nodes were recorded on many prompts; nothing can be run.

    Attributes:
        observed: Nodes, residual cuts or read-outs that were recorded, `L24.H4[end]` for one
            position.  None for all nodes of an ADMG, or all that a query on a network names.
        prompt_observed: Recorded features of the prompt, such as a label; `prompt` itself where
            each row tells which prompt it is.
        randomised: Nodes whose value was drawn at random in every row, and flags.

    >>> print(Logs(("L24.H4", "logit_difference"), prompt_observed=("condition",)))
    logs of L24.H4, logit_difference, condition
    """

    observed: tuple[str, ...] | None = None
    prompt_observed: tuple[str, ...] = ()
    randomised: tuple[str | Flag, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a name in place of names."""
        if self.observed is not None:
            _check_names(self.observed, "observed", "Logs(('L24.H4', 'logits'))")
        _check_names(self.prompt_observed, "prompt_observed", "prompt_observed=('condition',)")
        names = self.randomised
        if not isinstance(names, tuple) or not all(isinstance(each, str | Flag) for each in names):
            raise ParameterError(
                f"randomised={names!r}.",
                "It is a tuple of names and flags.",
                "Write randomised=(Flag('S', ('L12.mlp',)),).",
            )

    @property
    def flags(self) -> tuple[Flag, ...]:
        """The flags."""
        return tuple(each for each in self.randomised if isinstance(each, Flag))

    @property
    def drawn(self) -> tuple[str, ...]:
        """The nodes whose value was drawn at random."""
        return tuple(each for each in self.randomised if isinstance(each, str))

    def __str__(self) -> str:
        """Return the access in words."""
        flags = tuple(flag.name for flag in self.flags)
        nodes = ("all that is named",) if self.observed is None else self.observed
        names = ", ".join((*nodes, *self.prompt_observed, *flags))
        drawn = f", with {', '.join(self.drawn)} drawn at random" if self.drawn else ""
        return f"logs of {names or 'nothing'}{drawn}"


@final
@dataclass(frozen=True, slots=True)
class OtherPrompts:
    """Effects are known on one prompt distribution, and asked for on another.

    Attributes:
        labels: Labels of prompts whose distribution is known in both.
        only_labels_differ: Whether prompts with the same labels are distributed alike in both.
    """

    labels: tuple[str, ...] = ()
    only_labels_differ: bool = False

    def __post_init__(self) -> None:
        """Refuse a name in place of names."""
        _check_names(self.labels, "labels", "OtherPrompts(('template',), only_labels_differ=True)")

    def __str__(self) -> str:
        """Return the access in words."""
        known = f" of which {', '.join(self.labels)} is known" if self.labels else ""
        return f"results on other prompts than those asked about{known}"


@final
@dataclass(frozen=True, slots=True)
class OtherWeights:
    """Effects are known on one network, and asked for on another that differs in some mechanisms.

    Attributes:
        changed: The nodes whose mechanism differs, as `changed_mechanisms` returns them.
    """

    changed: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse a name in place of names."""
        _check_names(self.changed, "changed", "OtherWeights(('L20.mlp',))")

    def __str__(self) -> str:
        """Return the access in words."""
        return f"results on a network that differs in {len(self.changed)} mechanisms"


Access: TypeAlias = FullAccess | PartialAccess | Logs | OtherPrompts | OtherWeights
AccessLike: TypeAlias = Access | Literal["full", "logs", "partial", "other"]


def read_access(access: AccessLike) -> Access:
    """Return an access, which may be given by a word where that says all.

    Raises:
        ParameterError: A word that does not, or something else.

    >>> read_access("full")
    FullAccess()
    >>> read_access("partial")
    Traceback (most recent call last):
    ...
    causalnet.errors.ParameterError: The access 'partial' does not say to what. \
Words that say all are 'full' and 'logs'. Write PartialAccess(('L20.H0', 'logits')).
    """
    match access:
        case FullAccess() | PartialAccess() | Logs() | OtherPrompts() | OtherWeights():
            return access
        case "full":
            return FullAccess()
        case "logs":
            return Logs()
        case "partial":
            came, write = "does not say to what", "PartialAccess(('L20.H0', 'logits'))"
        case "other":
            came = "does not say what differs"
            write = "OtherPrompts(('template',)) or OtherWeights(('L20.mlp',))"
        case _:
            came, write = "is none", "access='full'"
    raise ParameterError(
        f"The access {access!r} {came}.", "Words that say all are 'full' and 'logs'.",
        f"Write {write}.",
    )  # fmt: skip


def _check_names(names: Iterable[str], told: str, write: str) -> None:
    if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
        raise ParameterError(f"{told}={names!r}.", "It is a tuple of names.", f"Write {write}.")
