"""From a program to the order of its work on a batch: live columns, waves, what runs must keep.

Columns are those of prompts padded on the left to one length.  A version differs from the run at
its root from its first live column on, never before it, because attention looks back only: what
lies before is the run's.  Versions with one root and one first live column are a wave.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from causalnet.compiler.passes.drop_unchanged import hiding_cuts
from causalnet.compiler.passes.drop_unread import senders
from causalnet.compiler.program import NONE, Kind, Program, Ref, Version, Write
from causalnet.interventions import At, Position, Self

__all__ = ["Schedule", "Signature", "Wave", "schedule_program"]


@dataclass(frozen=True, slots=True)
class Signature:
    """What a batch of prompts has in common with others that are worked on alike.

    Attributes:
        prompts: How many prompts.
        columns: Their common length, padded on the left.
        first_token: The first column that holds a token in any prompt.
        first_different: For pairs of inputs, the first column at which any prompt differs; the
            number of columns where none does.
        places: For an input and a position, its first and last column among the prompts.
        aligned: Inputs and positions that lie at one column in every prompt of both.
    """

    prompts: int
    columns: int
    first_token: int = 0
    first_different: tuple[tuple[str, str, int], ...] = ()
    places: tuple[tuple[str, Position, int, int], ...] = ()
    aligned: frozenset[tuple[str, str, Position]] = frozenset()


@dataclass(frozen=True, slots=True)
class Wave:
    """Versions that go through the layers together.

    Attributes:
        root: The run whose keys and values they share.
        start: Their first live column.
        versions: Their numbers, in the order of birth.
        level: Waves of lower levels come first.
    """

    root: int
    start: int
    versions: tuple[int, ...]
    level: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """A program on a kind of batch.

    Attributes:
        program: The program.
        signature: The kind of batch.
        start: For every version, its first live column; the number of columns where it is no
            different from its root on these prompts.
        alias: For every version, the one that it equals on these prompts.
        waves: In the order of execution.
        until: For every version, the last stage at which it is needed; -1 where it is not.
        keep: For every version, the nodes and cuts whose values others read in it.
        forks: For every version, the stages at which others are born from it.
        hiding: The versions that set the stream between a sender and a receiver of an edge that is
            set later: what is sent is hidden there, even where the stream stays as it is.
        void: How many births change nothing on these prompts: equal tokens before a difference.
    """

    program: Program
    signature: Signature
    start: tuple[int, ...]
    alias: tuple[int, ...]
    waves: tuple[Wave, ...]
    until: tuple[int, ...] = ()
    keep: Mapping[int, frozenset[str]] = field(default_factory=dict)
    forks: Mapping[int, frozenset[int]] = field(default_factory=dict)
    hiding: frozenset[int] = frozenset()
    void: int = 0

    def lines(self) -> Iterable[str]:
        """Yield the schedule as text."""
        columns = self.signature.columns
        yield f"{self.signature.prompts} prompts of {columns} columns; {self.void} births void"
        for wave in self.waves:
            live = columns - wave.start
            last = max(self.program.versions[v].until for v in wave.versions)
            yield (
                f"wave from column {wave.start} ({live} live) on v{wave.root}: "
                f"{len(wave.versions)} versions, until {self.program.stages.describe(last)}"
            )

    def __str__(self) -> str:
        """Return the whole schedule."""
        return "\n".join(self.lines())


@lru_cache(maxsize=64)
def schedule_program(program: Program, signature: Signature) -> Schedule:
    """Return the schedule of a program on a kind of batch; the same for every such batch."""
    return _Scheduling(program, signature).run()


class _Scheduling:
    """Finds live columns, then waves."""

    def __init__(self, program: Program, signature: Signature) -> None:
        self.program, self.signature = program, signature
        size = len(program.versions)
        self.start = [signature.columns] * size
        self.alias = list(range(size))
        self.root = list(range(size))
        self.level = [0] * size
        self.until = [NONE] * size
        self.keep: dict[int, set[str]] = {}
        self.forks: dict[int, set[int]] = {}
        self.different = {
            pair: column
            for first, second, column in signature.first_different
            for pair in ((first, second), (second, first))
        }
        self.places = {(name, at): (low, high) for name, at, low, high in signature.places}
        spans = [self.places[read.input, read.readout.at] for read in program.reads]
        spans += [
            self.places[read.reference_input, read.readout.at]
            for read in program.reads
            if read.reference != NONE
        ]
        self.read_from = min((low for low, _ in spans), default=0)
        self.read_to = max((high for _, high in spans), default=0)
        self.hiding = hiding_cuts(program)
        self.looked_into = _looked_into(program)

    def run(self) -> Schedule:
        void = 0
        for number, version in enumerate(self.program.versions):
            if version.is_run:
                self.alias[number] = self.root[number] = self.equal_run(number)
                continue
            parent = self.alias[version.parent]
            self.root[number] = self.root[parent]
            own = min((self.changed(number, write) for write in version.writes), default=0)
            if number in self.hiding:  # it has a window, be it of nothing but the last column
                own = min(own, self.signature.columns - 1)
            if own >= self.signature.columns or self.is_unread(number):
                self.alias[number], void = parent, void + 1
                self.start[number] = self.start[parent]
                continue
            self.start[number] = min(own, self.start[parent])
            levels = [self.level[parent]]
            for ref in self.program.refs(version):
                there = self.alias[ref.version]
                if not self.program.versions[there].is_run:
                    levels.append(self.level[there] + 1)
            self.level[number] = max(levels)
        self.find_needed()
        return Schedule(
            self.program,
            self.signature,
            tuple(self.start),
            tuple(self.alias),
            self.waves(),
            tuple(self.until),
            {number: frozenset(names) for number, names in self.keep.items()},
            {number: frozenset(stages) for number, stages in self.forks.items()},
            self.hiding,
            void,
        )

    def equal_run(self, number: int) -> int:
        """Return the first run of the same tokens on these prompts."""
        name, columns = self.program.versions[number].input, self.signature.columns
        for earlier in self.program.runs:
            if earlier == number:
                break
            if self.different.get((self.program.versions[earlier].input, name), 0) >= columns:
                return self.alias[earlier]
        return number

    # -- live columns ----------------------------------------------------------------------------

    def changed(self, number: int, write: Write) -> int:
        """Return the first column at which a write may change what its version reads."""
        columns, site = self.signature.columns, write.site
        version = self.program.versions[number]
        if isinstance(write.value, Self):
            return columns
        first = self.signature.first_token
        is_value = isinstance(write.value, At) and self.is_same(write)
        if is_value:
            first = self.first_of(write.refs[0], number)
        if not site.at:
            return first
        found = columns
        for at in site.at:
            low, high = self.places[version.input, at]
            if is_value and not self.is_aligned(write.refs[0], version, at):
                found = min(found, low)
            elif high >= first:
                found = min(found, max(low, first))
        return found

    def is_same(self, write: Write) -> bool:
        """Return whether a write brings in the value of the very mediator that it sets."""
        part = self.program.stages.part
        own, theirs = part(write.site.read_from), part(write.refs[0].node)
        is_cut = own.kind == theirs.kind == "cut" and own.stage == theirs.stage
        return own.name == theirs.name or is_cut

    def first_of(self, ref: Ref, number: int) -> int:
        """Return the first column at which a value may differ from what it replaces."""
        there = self.alias[ref.version]
        own, theirs = self.root[number], self.root[there]
        inputs = (self.program.versions[own].input, self.program.versions[theirs].input)
        apart = self.signature.columns if own == theirs else self.different.get(inputs, 0)
        parent = self.alias[self.program.versions[number].parent]
        return min(apart, self.start[there], self.start[parent])

    def is_aligned(self, ref: Ref, version: Version, at: Position) -> bool:
        return (
            ref.input == version.input or (ref.input, version.input, at) in self.signature.aligned
        )

    def is_unread(self, number: int) -> bool:
        """Return whether what is set in the last layer lies where nothing is read (exclusion)."""
        version, last = self.program.versions[number], self.program.stages.last
        if version.until != last or version.kind not in (Kind.OUTPUT, Kind.CUT, Kind.DIRECT):
            return False
        first = last - 1 if version.kind == Kind.CUT else last - 2
        if version.born < first or number in self.looked_into or number in self.hiding:
            return False
        return all(
            write.site.at and all(self.is_beside(version, at) for at in write.site.at)
            for write in version.writes
        )

    def is_beside(self, version: Version, at: Position) -> bool:
        low, high = self.places[version.input, at]
        return high < self.read_from or low > self.read_to

    # -- waves -----------------------------------------------------------------------------------

    def find_needed(self) -> None:
        """Find how long every version is needed, and for what."""
        versions = self.program.versions
        for read in self.program.reads:
            self.want(read.readout.node, read.version, True)
            if read.reference != NONE:
                self.want(read.readout.node, read.reference, True)
        for number in reversed(range(len(versions))):
            version = versions[number]
            if version.is_run or self.alias[number] != number or self.until[number] == NONE:
                continue
            parent = self.alias[version.parent]
            self.until[parent] = max(self.until[parent], version.born)
            self.forks.setdefault(parent, set()).add(version.born)
            for ref in self.program.refs(version):
                self.want(ref.node, ref.version)
            for node, home in senders(self.program, version):
                self.want(node, home)

    def want(self, node: str, version: int, is_read: bool = False) -> None:
        there = self.alias[version]
        self.until[there] = max(self.until[there], self.program.stages.part(node).stage)
        if not (is_read and node == "logits"):
            self.keep.setdefault(there, set()).add(node)

    def waves(self) -> tuple[Wave, ...]:
        found: dict[tuple[int, int, int, int], list[int]] = {}
        for number, version in enumerate(self.program.versions):
            if not version.is_run and self.alias[number] == number and self.until[number] != NONE:
                order = (version.phase, self.level[number])
                key = (*order, -self.start[number], self.root[number])
                found.setdefault(key, []).append(number)
        return tuple(
            Wave(root, -start, tuple(numbers), level)
            for (_, level, start, root), numbers in sorted(found.items())
        )


def _looked_into(program: Program) -> frozenset[int]:
    """Return the versions of which inner values are read, and those that they come from."""
    found: set[int] = set()
    for number, version in enumerate(program.versions):
        while version.keep and number not in found and number != NONE:
            found.add(number)
            number = program.versions[number].parent
    return frozenset(found)
