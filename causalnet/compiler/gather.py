"""From terms to a program in which every world is written out by itself."""

from collections.abc import Iterable

from causalnet.compiler.program import NONE, Program, ReadOf, Ref, Version, Write
from causalnet.compiler.rewriting import reordered
from causalnet.compiler.stages import Stages
from causalnet.errors import TermError
from causalnet.graphs import MediatorGraph
from causalnet.interventions import (
    At,
    Base,
    Edge,
    Node,
    Read,
    Site,
    World,
    layers_of,
    reads_of,
    worlds_needed,
)

__all__ = ["gather"]


def gather(reads: Iterable[Read], graph: MediatorGraph) -> Program:
    """Return a program with one chain of versions for every world, nothing shared or left out.

    Args:
        reads: Read-outs in worlds.
        graph: The graph of a decoder at the grain of channels.

    Raises:
        UnknownMediatorError: No such mediator.
        TermError: A mediator or an input that a decoder's forward pass does not have.
    """
    listed = tuple(dict.fromkeys(reads))
    gathering = _Gathering(Stages(graph))
    for world in worlds_needed(listed):
        gathering.add(world)
    return gathering.program(listed)


class _Gathering:
    """Versions of the worlds so far; `course` has those of each world, by the stage of birth."""

    def __init__(self, stages: Stages) -> None:
        self.stages = stages
        self.versions: list[Version] = []
        self.course: dict[World, tuple[tuple[int, int], ...]] = {}
        self.input: dict[World, str] = {}
        self.runs: dict[str, int] = {}
        self.names: dict[Site, Site] = {}

    def add(self, world: World) -> None:
        base, layers = layers_of(world)
        if base.key is not None:
            raise TermError(
                f"The world {base} has noise nodes of its own.",
                "A transformer has none: its mechanisms are deterministic.",
                "Write Base(input) without a key.",
            )
        by_stage: dict[int, list[Write]] = {}
        for number, layer in enumerate(layers):
            for site, value in layer:
                refs = tuple(map(self.ref, reads_of(value)))
                write = Write(self.canonical(site), value, number, refs)
                by_stage.setdefault(self.stages.of_site(site), []).append(write)
        current, phase = self._run(base), 0
        course = [(0, current)]
        for stage in sorted(by_stage):
            writes = tuple(by_stage[stage])
            phase = max([phase, *(self.known(ref, stage) for w in writes for ref in w.refs)])
            self.versions.append(Version(current, base.input, stage, writes, phase=phase))
            current = len(self.versions) - 1
            course.append((stage, current))
        self.course[world], self.input[world] = tuple(course), base.input

    def _run(self, base: Base) -> int:
        if base.input not in self.runs:
            self.runs[base.input] = len(self.versions)
            self.versions.append(Version(NONE, base.input, 0))
        return self.runs[base.input]

    def known(self, ref: Ref, stage: int) -> int:
        """Return the first phase in which a value is known when a site at a stage reads it."""
        there = self.versions[ref.version]
        late = self.stages.part(ref.node).stage > stage and not there.is_run
        return there.phase + late

    def ref(self, read: At) -> Ref:
        part = self.stages.part(read.mediator)
        return Ref(part.name, self.at(read.world, part.stage), self.input[read.world])

    def at(self, world: World, stage: int) -> int:
        """Return a world's version at a stage, after what is written there."""
        course = self.course[world]
        if course[-1][0] <= stage:
            return course[-1][1]
        return next(v for born, v in reversed(course) if born <= stage)

    def canonical(self, site: Site) -> Site:
        """Return a site with canonical names."""
        if site not in self.names:
            part = self.stages.part
            if isinstance(site, Edge):
                ends = part(site.sender).name, part(site.receiver).name
                same = ends == (site.sender, site.receiver)
                named: Site = site if same else Edge(*ends, site.at, site.part, site.slot)
            else:
                name = part(site.mediator).name
                named = site if name == site.mediator else Node(name, site.at, site.part)
            self.names[site] = named
        return self.names[site]

    def program(self, reads: tuple[Read, ...]) -> Program:
        found = []
        for read in reads:
            stage = self.stages.part(read.readout.node).stage
            reference, own = read.readout.reference, self.input[read.world]
            at = self.at(read.world, stage)
            if reference is None:
                found.append(ReadOf(read.readout, at, own))
            else:
                there = self.input[reference]
                theirs = self.at(reference, stage)
                found.append(ReadOf(read.readout, at, own, theirs, there))
        return sorted_program(Program(self.stages, tuple(self.versions), tuple(found)))


def sorted_program(program: Program) -> Program:
    """Return a program with its runs first, then by phase and stage of birth."""
    versions = program.versions
    order = sorted(
        range(len(versions)),
        key=lambda n: (not versions[n].is_run, versions[n].phase, versions[n].born, n),
    )
    return reordered(program, order)
