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

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from causalnet.compiler.program import NONE, Program, Ref, Version, Write
from causalnet.compiler.stages import Stages
from causalnet.interventions import At, Const, Edge, Noise, Op, Self, Value, reads_of

__all__ = ["Contents", "contents_of"]

Numbers = NDArray[np.uint64]
_MASK = (1 << 64) - 1
_STEPS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))


@cache
def _key(*names: object) -> int:
    """Return an odd number for a name."""
    digest = hashlib.blake2b(repr(names).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") | 1


def _mixed(x: int) -> int:
    for shift, factor in _STEPS:
        x = ((x ^ (x >> shift)) * factor) & _MASK
    return x ^ (x >> 31)


def _mixed_all(x: Numbers) -> Numbers:
    for shift, factor in _STEPS:
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    return x ^ (x >> np.uint64(31))


def _joined(*parts: int) -> int:
    total = 0
    for part in parts:
        total = _mixed((total * 3 + part) & _MASK)
    return total


_SALT = _key("stream")


def _written(node: str, tag: int) -> int:
    """Return what a writer of the stream adds to its number."""
    return (_key("writer", node) * _mixed((tag + _SALT) & _MASK)) & _MASK


@dataclass(slots=True)
class Contents:
    """The numbers of a program.

    Attributes:
        program: The program.
        entering: For every stage, the number of the stream that its receivers read, by version; 0
            for versions that are born later.
        leaving: For every stage, the number of the stream after it.
        tags: For every version, the tags of nodes that its writes touch.
    """

    program: Program
    entering: list[Numbers] = field(default_factory=list)
    leaving: list[Numbers] = field(default_factory=list)
    tags: list[dict[str, int]] = field(default_factory=list)

    def tag(self, node: str, version: int) -> int:
        """Return the tag of a node, or the number of a cut, in the course of a version."""
        part = self.program.stages.part(node)
        current = self.program.versions[version]
        while current.born > part.stage:
            version = current.parent
            current = self.program.versions[version]
        if current.born == part.stage and node in self.tags[version]:
            return self.tags[version][node]
        if part.kind == "embed":
            return _key("input", current.input)
        if part.kind == "bias":
            return 1
        return int(self.entering[part.stage][version])

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
        return _key("writer", f"L{layer}.mlp"), 0
    heads = sum(_key("writer", f"L{layer}.H{head}") for head in range(stages.shape.heads))
    bias = _written(f"L{layer}.attn_bias", 1) if stages.shape.attention_bias else 0
    return heads & _MASK, bias


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
        mixed = _mixed_all(current[own] + np.uint64(_SALT))
        leaving[own] = current[own] + mixed * np.uint64(factor) + np.uint64(constant)
        for number in born.get(stage, ()):
            version = versions[number]
            if version.is_run:
                leaving[number] = _written("embed", _key("input", version.input))
            else:
                _Birth(contents, number, version).run()
            alive = number + 1
        own = slice(first, alive)
        current[own] = leaving[own]


class _Birth:
    """The stage at which a version is born, on numbers."""

    def __init__(
        self, contents: Contents, number: int, version: Version, dry: bool = False
    ) -> None:
        self.contents, self.number, self.version = contents, number, version
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
        self.tags = {} if dry else contents.tags[number]

    def run(self) -> None:
        stage, number = self.version.born, self.number
        leaving = self.contents.leaving[stage]
        if stage == 0:
            leaving[number] = _written("embed", self.settle("embed", self.natural("embed")))
            return
        before = self.before(stage)
        stream = self.folded(before, self.cuts, "cut")
        self.contents.entering[stage][number] = stream
        if stage == self.stages.last:
            self.receive("logits", stream)
            leaving[number] = stream
        elif self.stages.is_attention(stage):
            leaving[number] = self.attention(stream)
        else:
            name = f"L{self.stages.layer_of(stage)}.mlp"
            tag = self.receive(name, stream)
            leaving[number] = (stream + _written(name, tag)) & _MASK

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
        natural = _mixed((stream + _SALT) & _MASK)
        total = stream + factor * natural + constant
        for head in self.touched_heads():
            name = f"L{layer}.H{head}"
            total += _written(name, self.head(name, head, stream)) - _key("writer", name) * natural
        if shape.attention_bias and f"L{layer}.attn_bias" in self.nodes:
            bias = f"L{layer}.attn_bias"
            total += _written(bias, self.settle(bias, 1)) - _written(bias, 1)
        return total & _MASK

    def touched_heads(self) -> frozenset[int]:
        shape, found = self.stages.shape, set()
        names = [*self.nodes, *(end for pair in self.edges for end in pair)]
        for name in names:
            part = self.stages.part(name)
            if part.stage != self.version.born or part.kind == "bias":
                continue
            owner = self.stages.part(part.of) if part.kind == "scale" else part
            if owner.kind in "kv":
                size = shape.heads_per_group
                found |= set(range(owner.index * size, (owner.index + 1) * size))
            else:
                found.add(owner.index)
        return frozenset(found)

    def head(self, name: str, head: int, stream: int) -> int:
        layer, group = self.stages.part(name).layer, self.stages.shape.group_of(head)
        keys, values = (self.stages.keys(layer, group, channel) for channel in "kv")
        q, k, v = (self.once(each, stream) for each in (f"{name}.q", keys, values))
        pattern = f"{name}.pattern"
        q, k = self.carried(f"{name}.q", pattern, q), self.carried(keys, pattern, k)
        p = self.settle(pattern, q if q == k else _joined(_key("pattern", name), q, k))
        p, v = self.carried(pattern, f"{name}.z", p), self.carried(values, f"{name}.z", v)
        z = self.settle(f"{name}.z", p if p == v else _joined(_key("z", name), p, v))
        return self.settle(name, self.carried(f"{name}.z", name, z))

    def once(self, name: str, stream: int) -> int:
        return self.tags[name] if name in self.tags else self.receive(name, stream)

    # -- receivers -------------------------------------------------------------------------------

    def receive(self, name: str, stream: int) -> int:
        """Return the settled tag of a node that reads the stream through its norm."""
        slot = (stream + self.difference(name)) & _MASK
        scale = f"{name}.scale"
        if self.nodes.get(scale) or (scale, name) in self.edges:
            own = self.carried(scale, name, self.settle(scale, slot))
        else:
            own = slot
        self.tags[scale] = self.tags.get(scale, slot)
        return self.settle(name, slot if own == slot else _joined(_key("rescaled"), slot, own))

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
                below = (before + total) & _MASK
                total = cuts[stage].folded(below, cuts[stage].cuts, "cut")
                total -= cuts[stage].folded(before, cuts[stage].cuts, "cut")
            for sender, writes in senders.items():
                if part(sender).stage == stage:
                    tag = self.contents.tag(sender, self.version.parent)
                    total += _written(sender, self.folded(tag, writes, sender))
                    total -= _written(sender, tag)
        return total & _MASK

    def cuts_so_far(self) -> Iterator["_Birth"]:
        """Yield the births in the course of this version that set a cut."""
        number: int = self.number
        versions = self.contents.program.versions
        while not versions[number].is_run:
            own = number == self.number
            birth = self if own else _Birth(self.contents, number, versions[number], dry=True)
            if birth.cuts:
                yield birth
            number = versions[number].parent

    def settle(self, node: str, natural: int) -> int:
        self.tags[node] = tag = self.folded(natural, self.nodes.get(node, ()), node)
        return tag

    def carried(self, sender: str, receiver: str, tag: int) -> int:
        return self.folded(tag, self.edges.get((sender, receiver), ()), sender)

    # -- values ----------------------------------------------------------------------------------

    def folded(self, natural: int, writes: Iterable[Write], node: str) -> int:
        """Return a tag with the layers of some writes on top."""
        value = below = natural
        layer = None
        for write in writes:
            if write.layer != layer:
                below, layer = value, write.layer
            fresh = self.tag_of(write, below, node)
            whole = not write.site.at and write.site.part is None
            if whole or fresh == value:
                value = fresh
            else:
                view = _key("view", node, write.site.at, str(write.site.part))
                value = _joined(view, fresh, value)
        return value

    def tag_of(self, write: Write, below: int, node: str) -> int:
        match write.value:
            case Self():
                return below
            case At():
                return self.at(write.refs[0], node, write)
            case _:
                return _joined(_key("set", node), self.computed(write, below))

    def at(self, ref: Ref, node: str, write: Write) -> int:
        """Return the tag that a value from elsewhere gives a node."""
        tag = self.contents.tag(ref.node, ref.version)
        part = self.stages.part(ref.node)
        is_same_cut = node == "cut" and part.kind == "cut" and part.stage == self.version.born
        if write.site.at and ref.input != self.version.input:
            tag = _joined(_key("there", ref.input, self.version.input), tag)
        if ref.node == node or is_same_cut:
            return tag
        return _joined(_key("moved", node), _key(ref.node), tag)

    def computed(self, write: Write, below: int) -> int:
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
                    done[current] = _joined(_key("self"), below)
                case At():
                    done[current] = self.at(refs[current], "", write)
                case Const(handle):
                    done[current] = _key("constant", handle)
                case Noise(key):
                    done[current] = _key("noise", key)
                case Op():
                    head = _key("op", current.name, current.version, current.parameters)
                    done[current] = _joined(head, *(done[part] for part in current.arguments))
        return done[write.value]
