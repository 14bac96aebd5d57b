"""A program: the versions of the residual stream that some terms need, without data.

A version is a course of the stream: it equals its parent up to the stage at which it is born, where
something is written, and goes on by itself from there.  The root of every version is a run, one
plain forward pass of an input.  Programs are equal if their content is, and hashable; passes make
one program of another.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from causalnet.compiler.stages import Stages
from causalnet.interventions import At, ReadOut, Site, Value

__all__ = ["NONE", "Kind", "Program", "ReadOf", "Ref", "Version", "Write"]

NONE = -1


@dataclass(frozen=True, slots=True)
class Ref:
    """A mediator's value in a version.

    Attributes:
        node: Canonical name of a node or cut.
        version: The number of the version.
        input: The input whose positions it is read at.
    """

    node: str
    version: int
    input: str

    def __str__(self) -> str:
        """Return `L3.H1.z of v2`."""
        return f"{self.node} of v{self.version}"


@dataclass(frozen=True, slots=True)
class Write:
    """One value that a version sets where it is born.

    Attributes:
        site: What is set, by canonical names.
        value: What it is set to.
        layer: The layer of interventions it belongs to, from the bottom.
        refs: Where the values are found that `value` reads, in the order of `reads_of(value)`.
    """

    site: Site
    value: Value
    layer: int
    refs: tuple[Ref, ...] = ()

    def __str__(self) -> str:
        """Return `L3.H1.z := L3.H1.z of v1`."""
        value = str(self.refs[0]) if isinstance(self.value, At) else self._spelt()
        return f"{self.site} := {value}"

    def _spelt(self) -> str:
        found = f" where it reads {', '.join(map(str, self.refs))}" if self.refs else ""
        return f"{self.value}{found}"


class Kind:
    """How a version is born; decides which kernel makes it."""

    RUN = "run"
    CUT = "cut"  # the stream itself is set
    OUTPUT = "output"  # outputs of heads, z, MLPs are set: a delta on the stream
    SLOT = "slot"  # edges into queries, keys, values or an MLP
    DIRECT = "direct"  # edges into the logits
    GENERAL = "general"  # anything else: the stage is computed once more for this version


@dataclass(frozen=True, slots=True)
class Version:
    """One course of the residual stream.

    Attributes:
        parent: The version that it equals until it is born; -1 for a run.
        input: The input of the run at its root.
        born: The stage at which it is born; 0 for a run.
        writes: What is set there; nothing for a run.
        until: The last stage at which it is needed; -1 before that is known.
        kind: How it is born.
        keep: Mediators whose values others read in this version.
        phase: Versions of an earlier phase are computed first.
    """

    parent: int
    input: str
    born: int
    writes: tuple[Write, ...] = ()
    until: int = NONE
    kind: str = Kind.GENERAL
    keep: tuple[str, ...] = ()
    phase: int = 0

    @property
    def is_run(self) -> bool:
        """Whether this is the plain forward pass of an input."""
        return self.parent == NONE


@dataclass(frozen=True, slots=True)
class ReadOf:
    """A read-out of a version.

    Attributes:
        readout: What is read.
        version: Where.
        input: The input at whose position it is read.
        reference: For `kl`, the version whose distribution is compared with; -1 otherwise.
        reference_input: The input at whose position that is read.
    """

    readout: ReadOut
    version: int
    input: str
    reference: int = NONE
    reference_input: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """Versions and what is read of them; parents and what is referred to come first.

    Attributes:
        stages: The stages of the graph.
        versions: All versions; runs first.
        reads: Every distinct read-out.
        notes: What the passes did, one line each.
    """

    stages: Stages
    versions: tuple[Version, ...]
    reads: tuple[ReadOf, ...]
    notes: tuple[str, ...] = ()
    _digest: list[str] = field(default_factory=list)

    def digest(self) -> str:
        """Return a sha256 of the content, the notes left out."""
        if not self._digest:
            content = (self.stages.shape, self.versions, self.reads)
            self._digest.append(hashlib.sha256(repr(content).encode()).hexdigest())
        return self._digest[0]

    def __eq__(self, other: object) -> bool:
        """Return whether two programs have the same content."""
        if not isinstance(other, Program):
            return NotImplemented
        return self is other or self.digest() == other.digest()

    def __hash__(self) -> int:
        """Return a hash of the content."""
        return hash(self.digest())

    @property
    def runs(self) -> tuple[int, ...]:
        """The numbers of the runs."""
        return tuple(n for n, version in enumerate(self.versions) if version.is_run)

    @property
    def births(self) -> tuple[int, ...]:
        """The numbers of the versions that are no runs."""
        return tuple(n for n, version in enumerate(self.versions) if not version.is_run)

    def refs(self, version: Version) -> Iterator[Ref]:
        """Yield the values that a version's writes read."""
        for write in version.writes:
            yield from write.refs

    def lines(self) -> Iterator[str]:
        """Yield the program as text, a version a line."""
        for number, version in enumerate(self.versions):
            yield f"v{number} {self._line(version)}"
        for read in self.reads:
            reference = f" against v{read.reference}" if read.reference != NONE else ""
            yield f"read {read.readout} in v{read.version}{reference}"

    def _line(self, version: Version) -> str:
        keep = f" | keeps {', '.join(version.keep)}" if version.keep else ""
        until = f" until {self.stages.describe(version.until)}" if version.until != NONE else ""
        phase = f" | phase {version.phase}" if version.phase else ""
        if version.is_run:
            return f"= run of {version.input}{until}{keep}"
        writes = "; ".join(map(str, version.writes))
        born = self.stages.describe(version.born)
        return f"= v{version.parent} at {born} [{version.kind}]{until}: {writes}{keep}{phase}"

    def __str__(self) -> str:
        """Return the whole program."""
        return "\n".join([*self.lines(), *(f"note {note}" for note in self.notes)])

    def __repr__(self) -> str:
        """Return the counts in one line."""
        runs = len(self.runs)
        return f"Program({runs} runs, {len(self.versions) - runs} births, {len(self.reads)} reads)"
