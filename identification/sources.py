"""What is known: distributions that were observed, here or elsewhere, with or without experiments.

| name | what |
|---|---|
| `Distribution` | P(everything else given do(z)) in a domain, for every value z |
| `Sources` | several of them, and where other domains differ |
| `OBSERVED` | P(V), the default |
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import final

from causalnet.errors import ParameterError
from causalnet.graphs.admg import ADMG
from causalnet.graphs.arguments import check_type, listed, mapped, quoted

__all__ = ["OBSERVED", "Distribution", "Sources"]

_WRITE = "Write Sources.of([[], ['Z']]) for P(V) and an experiment on Z."


def _names(names: Iterable[str]) -> tuple[str, ...]:
    """Return names, each once, sorted; a single one stands for itself."""
    given = (names,) if isinstance(names, str) else listed(names, "names", _WRITE)
    for name in given:
        check_type(name, str, _WRITE)
    return tuple(sorted(set(given)))


@final
@dataclass(frozen=True, slots=True, order=True)
class Distribution:
    """The distribution of all variables where an experiment sets some, at every value.

    Attributes:
        do: The variables that the experiment sets, sorted, each once; none if nature was left
            alone.
        domain: The population; "" is the one that is asked about.

    >>> print(Distribution(), Distribution(("X",), "a"))
    P(V) P{a}(V given do(X))
    """

    do: tuple[str, ...] = ()
    domain: str = ""

    def __post_init__(self) -> None:
        """Sort the variables.

        Raises:
            ParameterError: Not names.
        """
        object.__setattr__(self, "do", _names(self.do))
        check_type(self.domain, str, "Write Distribution(('X',), 'a').")

    def __str__(self) -> str:
        """Return the distribution as a person writes it."""
        domain = f"{{{self.domain}}}" if self.domain else ""
        return f"P{domain}(V{f' given do({chr(44).join(self.do)})' if self.do else ''})"


@final
@dataclass(frozen=True, slots=True)
class Sources:
    """All that is known.

    Attributes:
        distributions: What was observed.
        differs: For each domain but the target the variables whose mechanism, or whose noise,
            differs from the target's (the selection diagram; Bareinboim and Pearl 2014).
    """

    distributions: tuple[Distribution, ...] = (Distribution(),)
    differs: tuple[tuple[str, frozenset[str]], ...] = ()

    def __post_init__(self) -> None:
        """Check that something is known, and that domains that differ are among it."""
        known = listed(self.distributions, "distributions", _WRITE)
        for each in known:
            check_type(each, Distribution, _WRITE)
        if not known:
            raise ParameterError("Nothing is known.", "There is one distribution at least.", _WRITE)
        domains = {each.domain for each in known} - {""}
        for domain, _ in self.differs:
            if domain not in domains:
                named = ", ".join(map(quoted, sorted(domains))) or "none"
                raise ParameterError(
                    f"Nothing is known of the domain {quoted(domain)}, which is said to differ.",
                    f"Domains beside the target: {named}.",
                    "Write Sources.of([[]], elsewhere={'a': [[]]}, differs={'a': ['Z']}).",
                )

    @staticmethod
    def of(
        experiments: Iterable[Iterable[str]] = ((),),
        elsewhere: Mapping[str, Iterable[Iterable[str]]] | None = None,
        differs: Mapping[str, Iterable[str]] | None = None,
    ) -> "Sources":
        """Return what is known.

        Args:
            experiments: In the target domain, each by the variables that it sets; () is P(V).
            elsewhere: For other domains the same.
            differs: For each of these the variables whose mechanism differs from the target's.

        Raises:
            ParameterError: Not lists of names, nothing at all, or a domain that differs and of
                which nothing is known.

        >>> print(Sources.of([[], ["Z"]]))
        P(V), P(V given do(Z))
        """
        here = [Distribution(_names(do)) for do in listed(experiments, "experiments", _WRITE)]
        there = [
            Distribution(_names(do), domain)
            for domain, each in mapped(elsewhere or {}, "elsewhere", _WRITE).items()
            for do in listed(each, "elsewhere", _WRITE)
        ]
        changed = mapped(differs or {}, "differs", _WRITE).items()
        differing = [(domain, frozenset(_names(each))) for domain, each in changed]
        differing.sort(key=lambda pair: str(pair[0]))
        return Sources(tuple(dict.fromkeys([*here, *there])), tuple(differing))

    def changed(self, domain: str) -> frozenset[str]:
        """Return the variables whose mechanism in a domain is not the target's."""
        return dict(self.differs).get(domain, frozenset())

    def variables(self) -> frozenset[str]:
        """Return the variables that experiments set, and those that differ somewhere."""
        set_there = (distribution.do for distribution in self.distributions)
        return frozenset().union(*set_there, *(each for _, each in self.differs))

    def check(self, graph: ADMG) -> None:
        """Refuse names that are not in a graph.

        Raises:
            UnknownMediatorError: A variable that is not in the graph.
        """
        for distribution in self.distributions:
            graph.indices(distribution.do)
        for _, variables in self.differs:
            graph.indices(sorted(variables))

    def __str__(self) -> str:
        """Return the distributions, and where domains differ."""
        known = ", ".join(map(str, self.distributions))
        differing = "; ".join(
            f"{domain} differs in {', '.join(sorted(variables)) or 'nothing'}"
            for domain, variables in self.differs
        )
        return f"{known}; {differing}" if differing else known


OBSERVED = Sources()
