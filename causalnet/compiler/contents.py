"""What every version holds at every stage, as numbers: equal numbers are equal values.

A program is run on a random model: every value is a 64-bit number, a stream is the sum of what was
written into it, and a mechanism is a random function of its arguments.  Two streams with one number
have equal values in every network, but for a chance of n^2 / 2^65 with n numbers: 4,000 worlds in
30 layers, 1e-9 (random interpretation: Gulwani and Necula 2003; the normal form of
`causalnet.interventions` decides the same exactly, and the tests hold the two together).

A node's value is named by a tag: the number of the stream that the node would have to read to have
this value by itself.  So a query set to another world's has the tag that it has there, attention
whose parts have one tag has that tag, and so on to the heads' outputs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby

import numpy as np

from causalnet.compiler.numbers import MASK, Numbers, joined, number_of, scrambled, scrambled_all
from causalnet.compiler.program import NONE, Program, Ref, Version, Write
from causalnet.compiler.stages import Part, Stages
from causalnet.compiler.values import ASSIGNED, Values, by_view
from causalnet.interventions import (
    At,
    Const,
    Edge,
    Handle,
    Noise,
    Op,
    Position,
    Self,
    Value,
    reads_of,
)

__all__ = ["Contents", "contents_of"]

_SALT = number_of("stream")


def _written(node: str, tag: int) -> int:
    """Return what a writer of the stream adds to its number; the first one begins it."""
    if node == "embed":
        return tag
    return (number_of("writer", node) * scrambled((tag + _SALT) & MASK)) & MASK


def _place(part: Part) -> str:
    """Return the name under which tags of a mediator are known: cuts have those of the stream."""
    return "stream" if part.kind in ("cut", "embed") else part.name


def _natural(part: Part, input: str, stream: int) -> int:
    """Return the tag of a node that no site of its stage reaches."""
    if part.kind == "embed":
        return number_of("input", input)
    return 1 if part.kind == "bias" else stream


def _is_whole(write: Write) -> bool:
    return not write.site.at and write.site.part is None


def _layer(write: Write) -> int:
    return write.layer


def _is_named(position: Position) -> bool:
    """Return whether two prompts of one length may have a position at different tokens."""
    return isinstance(position, str) and position != "end"


def _content(value: Handle | float | str | None) -> object:
    """Return what a constant is known by: its label does not tell it apart."""
    return ("bound", value.digest) if isinstance(value, Handle) else value


@dataclass(slots=True)
class Contents:
    """The numbers of a program.

    Attributes:
        program: The program.
        entering: For every stage, the number of the stream that its receivers read, by version; 0
            for versions that are born later.
        leaving: For every stage, the number of the stream after it.
        tags: For every version, the tags of nodes that its writes touch.
        values: Where tags come from that no mechanism gives.
    """

    program: Program
    entering: list[Numbers] = field(default_factory=list)
    leaving: list[Numbers] = field(default_factory=list)
    tags: list[dict[str, int]] = field(default_factory=list)
    values: Values = field(default_factory=Values)

    def tag(self, node: str, version: int) -> int:
        """Return the tag of a node, or the number of a cut, in the course of a version."""
        part = self.program.stages.part(node)
        current = self.program.versions[version]
        while current.born > part.stage:
            version = current.parent
            current = self.program.versions[version]
        if current.born == part.stage and node in self.tags[version]:
            return self.tags[version][node]
        return _natural(part, current.input, int(self.entering[part.stage][version]))

    def are_born_alike(self, first: Version, second: Version) -> bool:
        """Return whether two versions with one parent have equal values at their birth."""
        one, two = _Birth(self, first), _Birth(self, second)
        if one.run() != two.run() or one.stream != two.stream:
            return False
        part = self.program.stages.part
        for node in {**one.tags, **two.tags}:
            natural = _natural(part(node), first.input, one.stream)
            if one.tags.get(node, natural) != two.tags.get(node, natural):
                return False
        return True

    def reads(self) -> tuple[tuple[int, ...], ...]:
        """Return what identifies the value of every read: passes must leave it as it is."""
        found = []
        for read in self.program.reads:
            node = read.readout.node
            others = () if read.reference == NONE else (self.tag(node, read.reference),)
            found.append((self.tag(node, read.version), *others))
        return tuple(found)


def contents_of(program: Program) -> Contents:
    """Number a program; its versions are ordered by phase, then by stage of birth."""
    contents = Contents(program, tags=[{} for _ in program.versions])
    stages, versions = program.stages, program.versions
    size, count = len(versions), stages.last + 1
    contents.entering = [np.zeros(size, dtype=np.uint64) for _ in range(count)]
    contents.leaving = [np.zeros(size, dtype=np.uint64) for _ in range(count)]
    factors = [_factor(stages, stage) for stage in range(count)]
    born: dict[int, dict[int, list[int]]] = {}
    for number, version in enumerate(versions):
        phase = NONE if version.is_run else version.phase  # any phase reads all of a run
        born.setdefault(phase, {}).setdefault(version.born, []).append(number)
    for phase in sorted(born):
        _sweep(contents, min(map(min, born[phase].values())), born[phase], factors)
    return contents


@lru_cache(maxsize=1024)
def _factor(stages: Stages, stage: int) -> tuple[int, int]:
    """Return what the writers of a stage multiply, and what they add, together."""
    if stage in (0, stages.last):
        return 0, 0
    layer = stages.layer_of(stage)
    if not stages.is_attention(stage):
        return number_of("writer", f"L{layer}.mlp"), 0
    heads = sum(number_of("writer", f"L{layer}.H{head}") for head in range(stages.shape.heads))
    bias = _written(f"L{layer}.attn_bias", 1) if stages.shape.attention_bias else 0
    return heads & MASK, bias


def _sweep(
    contents: Contents,
    first: int,
    born: Mapping[int, list[int]],
    factors: list[tuple[int, int]],
) -> None:
    """Number the versions of one phase from the first on, stage by stage."""
    versions = contents.program.versions
    current = np.zeros(len(versions), dtype=np.uint64)
    alive = first
    for stage, (factor, constant) in enumerate(factors):
        entering, leaving = contents.entering[stage], contents.leaving[stage]
        own = slice(first, alive)
        entering[own] = current[own]
        mixed = scrambled_all(current[own] + np.uint64(_SALT))
        leaving[own] = current[own] + mixed * np.uint64(factor) + np.uint64(constant)
        for number in born.get(stage, ()):
            version = versions[number]
            if version.is_run:
                leaving[number] = number_of("input", version.input)
            else:
                birth = _Birth(contents, version)
                leaving[number] = birth.run()
                entering[number] = birth.stream
                contents.tags[number] = birth.tags
            alive = number + 1
        own = slice(first, alive)
        current[own] = leaving[own]


class _Birth:
    """The stage at which a version is born, on numbers."""

    def __init__(self, contents: Contents, version: Version) -> None:
        self.contents, self.version = contents, version
        self.stages = contents.program.stages
        self.nodes: dict[str, list[Write]] = {}
        self.edges: dict[tuple[str, str], list[Write]] = {}
        self.cuts: list[Write] = []
        for write in version.writes:
            if isinstance(write.site, Edge):
                ends = (write.site.sender, write.site.receiver)
                self.edges.setdefault(ends, []).append(write)
            elif self.stages.part(write.site.mediator).kind == "cut":
                self.cuts.append(write)
            else:
                self.nodes.setdefault(write.site.mediator, []).append(write)
        self.stream = 0
        self.tags: dict[str, int] = {}

    def run(self) -> int:
        """Return the number of the stream after the stage; set that before it, and the tags."""
        stage = self.version.born
        if stage == 0:
            return self.settle("embed", self.natural("embed"))
        self.stream = stream = self.folded(self.before(stage), self.cuts, "stream")
        if self.stages.is_attention(stage):
            return self.attention(stream)
        if stage == self.stages.last:
            self.receive("logits", stream)
            return stream
        name = f"L{self.stages.layer_of(stage)}.mlp"
        return (stream + _written(name, self.receive(name, stream))) & MASK

    def before(self, stage: int) -> int:
        """Return the number of the stream as the parent has it."""
        return int(self.contents.entering[stage][self.version.parent])

    def natural(self, node: str) -> int:
        return self.contents.tag(node, self.version.parent)

    # -- attention -------------------------------------------------------------------------------

    def attention(self, stream: int) -> int:
        stage, shape = self.version.born, self.stages.shape
        layer = self.stages.layer_of(stage)
        factor, constant = _factor(self.stages, stage)
        natural = scrambled((stream + _SALT) & MASK)
        total = stream + factor * natural + constant
        for head, is_inside in self.touched_heads().items():
            name = f"L{layer}.H{head}"
            z = self.inside(name, head, stream) if is_inside else stream
            z = self.carried(f"{name}.z", name, self.settle(f"{name}.z", z))
            total += _written(name, self.settle(name, z))
            total -= number_of("writer", name) * natural
        if shape.attention_bias and f"L{layer}.attn_bias" in self.nodes:
            bias = f"L{layer}.attn_bias"
            total += _written(bias, self.settle(bias, 1)) - _written(bias, 1)
        return total & MASK

    def touched_heads(self) -> Mapping[int, bool]:
        """Return the heads that writes reach, and whether they do so before the heads' z."""
        shape, found = self.stages.shape, dict[int, bool]()
        names = [*self.nodes, *(end for pair in self.edges for end in pair)]
        for name in names:
            part = self.stages.part(name)
            if part.stage != self.version.born or part.kind == "bias":
                continue
            owner = self.stages.part(part.of) if part.kind == "scale" else part
            if owner.kind in "kv":
                size = shape.heads_per_group
                found |= dict.fromkeys(range(owner.index * size, (owner.index + 1) * size), True)
            else:
                is_inside = part.kind not in ("z", "head") or bool(self.edges)
                found[owner.index] = found.get(owner.index, False) or is_inside
        return found

    def inside(self, name: str, head: int, stream: int) -> int:
        """Return the tag of what a head's mechanism makes of its parts."""
        layer, group = self.stages.part(name).layer, self.stages.shape.group_of(head)
        keys, values = (self.stages.keys(layer, group, channel) for channel in "kv")
        q, k, v = (self.once(each, stream) for each in (f"{name}.q", keys, values))
        pattern = f"{name}.pattern"
        q, k = self.carried(f"{name}.q", pattern, q), self.carried(keys, pattern, k)
        p = self.settle(pattern, q if q == k else joined(number_of("pattern", name), q, k))
        p, v = self.carried(pattern, f"{name}.z", p), self.carried(values, f"{name}.z", v)
        return p if p == v else joined(number_of("z", name), p, v)

    def once(self, name: str, stream: int) -> int:
        return self.tags[name] if name in self.tags else self.receive(name, stream)

    # -- receivers -------------------------------------------------------------------------------

    def receive(self, name: str, stream: int) -> int:
        """Return the settled tag of a node that reads the stream through its norm."""
        slot = (stream + self.difference(name)) & MASK
        if not self.stages.shape.normed:
            return self.settle(name, slot)
        scale = f"{name}.scale"
        if self.nodes.get(scale) or (scale, name) in self.edges:
            own = self.carried(scale, name, self.settle(scale, slot))
        else:
            own = slot
        self.tags[scale] = self.tags.get(scale, slot)
        return self.settle(name, slot if own == slot else joined(number_of("rescaled"), slot, own))

    def difference(self, receiver: str) -> int:
        """Return by what a receiver's own running sum differs from the stream."""
        part = self.stages.part
        senders = {
            sender: writes
            for (sender, to), writes in self.edges.items()
            if to == receiver and part(sender).kind != "scale"
        }
        if not senders:
            return 0
        cuts = {birth.version.born: birth for birth in self.cuts_so_far()}
        total = 0
        for stage in sorted({part(sender).stage for sender in senders} | set(cuts)):
            if stage in cuts:  # a cut lies before what its stage writes
                before = cuts[stage].before(stage)
                below = (before + total) & MASK
                total = cuts[stage].folded(below, cuts[stage].cuts, "stream")
                total -= cuts[stage].folded(before, cuts[stage].cuts, "stream")
            for sender, writes in senders.items():
                if part(sender).stage == stage:
                    tag = self.contents.tag(sender, self.version.parent)
                    total += _written(sender, self.folded(tag, writes, _place(part(sender))))
                    total -= _written(sender, tag)
        return total & MASK

    def cuts_so_far(self) -> Iterator["_Birth"]:
        """Yield the births in the course of this version that set a cut."""
        versions, number = self.contents.program.versions, self.version.parent
        if self.cuts:
            yield self
        while not versions[number].is_run:
            birth = _Birth(self.contents, versions[number])
            if birth.cuts:
                yield birth
            number = versions[number].parent

    def settle(self, node: str, natural: int) -> int:
        writes = self.nodes.get(node)
        tag = self.folded(natural, writes, _place(self.stages.part(node))) if writes else natural
        self.tags[node] = tag
        return tag

    def carried(self, sender: str, receiver: str, tag: int) -> int:
        writes = self.edges.get((sender, receiver))
        return self.folded(tag, writes, _place(self.stages.part(sender))) if writes else tag

    # -- values ----------------------------------------------------------------------------------

    def folded(self, natural: int, writes: Sequence[Write], place: str) -> int:
        """Return a tag with the layers of some writes on top."""
        if len(writes) == 1 and _is_whole(writes[0]):
            return self.tag_of(writes[0], natural, place)
        value = natural
        for _, group in groupby(writes, key=_layer):
            layer, below = list(group), value
            for write in sorted(layer, key=by_view) if len(layer) > 1 else layer:
                new = self.tag_of(write, below, place)
                if _is_whole(write):
                    value = new
                else:
                    value = self.contents.values.mixed(place, write, new, value, layer)
        return value

    def tag_of(self, write: Write, below: int, place: str) -> int:
        match write.value:
            case Self():
                return below
            case At():
                return self.at(write.refs[0], place, write)
            case _:
                return self.contents.values.placed(
                    ASSIGNED, self.computed(write, below, place), place
                )

    def at(self, ref: Ref, place: str, write: Write) -> int:
        """Return the tag that a value from elsewhere gives a place."""
        tag = self.contents.tag(ref.node, ref.version)
        if ref.input != self.version.input and any(map(_is_named, write.site.at)):
            # The prompts of two inputs may have a name at different tokens.
            tag = joined(number_of("there", ref.input, self.version.input), tag)
        return self.contents.values.placed(_place(self.stages.part(ref.node)), tag, place)

    def computed(self, write: Write, below: int, place: str) -> int:
        """Return a number for a constant, noise or operation; these may be nested deeply."""
        refs = dict(zip(reads_of(write.value), write.refs, strict=True))
        done: dict[Value, int] = {}
        waiting: list[Value] = [write.value]
        while waiting:
            current = waiting[-1]
            inside = current.arguments if isinstance(current, Op) else ()
            missing = [part for part in inside if part not in done]
            if missing and current not in done:
                waiting.extend(reversed(missing))
                continue
            waiting.pop()
            match current:
                case Self():
                    done[current] = self.contents.values.placed(place, below, ASSIGNED)
                case At():
                    done[current] = self.at(refs[current], ASSIGNED, write)
                case Const(handle):
                    done[current] = number_of("constant", _content(handle))
                case Noise(key):
                    done[current] = number_of("noise", key)
                case Op():
                    static = tuple((name, _content(to)) for name, to in current.parameters)
                    head = number_of("op", current.name, current.version, static)
                    done[current] = joined(head, *(done[part] for part in current.arguments))
        return done[write.value]
