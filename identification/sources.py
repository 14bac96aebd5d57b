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

from causalnet.graphs.admg import ADMG

__all__ = ["OBSERVED", "Distribution", "Sources"]


@final
@dataclass(frozen=True, slots=True, order=True)
class Distribution:
    """The distribution of all variables where an experiment sets some, at every value.

    Attributes:
        do: The variables that the experiment sets, sorted; none if nature was left alone.
        domain: The population; "" is the one that is asked about.

    >>> print(Distribution(), Distribution(("X",), "a"))
    P(V) P{a}(V given do(X))
    """

    do: tuple[str, ...] = ()
    domain: str = ""

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

        >>> print(Sources.of([[], ["Z"]]))
        P(V), P(V given do(Z))
        """
        here = [Distribution(tuple(sorted(set(do)))) for do in experiments]
        there = [
            Distribution(tuple(sorted(set(do))), domain)
            for domain, each in (elsewhere or {}).items()
            for do in each
        ]
        changed = tuple(sorted((a, frozenset(s)) for a, s in (differs or {}).items()))
        return Sources(tuple(dict.fromkeys([*here, *there])), changed)

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
