"""What a found circuit has of a known one: precision, recall, F1, and the names that differ."""

from collections.abc import Collection
from dataclasses import asdict, dataclass

from causalnet.discovery.scoring.conventions import Site, check_known
from causalnet.discovery.scoring.wording import share, some
from causalnet.errors import ParameterError

__all__ = ["Recovery", "compare_with_truth"]


@dataclass(frozen=True, slots=True)
class Recovery:
    """A found circuit beside the known one.

    Attributes:
        hits: Sites of both.
        found: Sites of the found circuit.
        true: Sites of the known circuit, at least 1.
        total: All sites of the graph.
        false: Names that were found and are not true, sorted.
        missed: Names that are true and were not found, sorted.
    """

    hits: int
    found: int
    true: int
    total: int
    false: tuple[str, ...]
    missed: tuple[str, ...]

    @property
    def precision(self) -> float | None:
        """The share of found sites that are true; None where nothing was found."""
        return self.hits / self.found if self.found else None

    @property
    def recall(self) -> float:
        """The share of true sites that were found."""
        return self.hits / self.true

    @property
    def f1(self) -> float:
        """Twice the hits, as a share of found and true sites together; 0 without hits."""
        return 2 * self.hits / (self.found + self.true)

    @property
    def is_exact(self) -> bool:
        """Whether the found circuit is the known one."""
        return not self.false and not self.missed

    def __str__(self) -> str:
        """Print the shares and the names that differ."""
        precision = "undefined" if self.precision is None else share(self.precision)
        lines = [
            f"precision {precision}, recall {share(self.recall)}, F1 {share(self.f1)}: "
            f"{self.hits} of {self.true} true sites among {self.found} found, of {self.total}"
        ]
        if self.false:
            lines.append(f"false ({len(self.false)}): {some(self.false)}")
        if self.missed:
            lines.append(f"missed ({len(self.missed)}): {some(self.missed)}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, object]:
        """Give JSON values; the precision is null where nothing was found."""
        fields = asdict(self)
        counts = {name: list(v) if isinstance(v, tuple) else v for name, v in fields.items()}
        return {"precision": self.precision, "recall": self.recall, "f1": self.f1, **counts}


def compare_with_truth(
    found: Collection[Site], truth: Collection[Site], sites: Collection[Site]
) -> Recovery:
    """Compare a found circuit with a known one.

    Args:
        found: The sites that were found; may be empty.
        truth: The sites of the known circuit.
        sites: All sites of the graph: a name that it does not have is a mistake, not a miss.

    Raises:
        ParameterError: An empty known circuit, or a name that is not among the sites.

    >>> edges = ["embed->L0.H0.v", "L0.H0->logits", "L0.H1->logits", "embed->logits"]
    >>> print(compare_with_truth(edges[1:3], edges[:2], edges))
    precision 0.500, recall 0.500, F1 0.500: 1 of 2 true sites among 2 found, of 4
    false (1): L0.H1->logits
    missed (1): embed->L0.H0.v
    """
    all_sites = frozenset(sites)
    circuit = check_known(found, all_sites, "the found circuit", "The graph")
    known = check_known(truth, all_sites, "the known circuit", "The graph")
    if not known:
        raise ParameterError(
            came="The known circuit is empty.",
            possible="A recall needs at least one true site.",
            write="Compare with a truth that is live under this ablation and these data.",
        )
    return Recovery(
        hits=len(circuit & known),
        found=len(circuit),
        true=len(known),
        total=len(all_sites),
        false=tuple(sorted(map(str, circuit - known))),
        missed=tuple(sorted(map(str, known - circuit))),
    )
