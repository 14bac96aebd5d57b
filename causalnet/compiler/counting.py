"""Which calls of mechanisms a program makes: the number that an executor's counters must show.

A call is a mechanism at one stream in one version: an MLP, the logits, or of attention the queries
of a head, the keys or the values of a K/V group, and the weighted values `z` of a head.  A version
makes the calls of every stage after its birth up to where it is needed.  At its birth it makes
those whose arguments it sets otherwise than its parent; what it leaves alone is its parent's, and
what it sets is called by nobody.  Calls that no read-out needs are not counted, so that the number
is that of live calls in the normal form (`NormalForm.count_calls`), unless one is made twice.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from causalnet.compiler.program import NONE, Program, Version, Write
from causalnet.compiler.stages import Part, Stages
from causalnet.interventions import Edge, Op, Self, Value

__all__ = ["BlockCalls", "block_calls_of", "calls_of", "count_calls"]

_COUNTED = {"mlp": "mlp", "z": "attention", "q": "queries", "k": "keys", "v": "values"}
_COUNTED |= {"logits": "logits"}


@dataclass(frozen=True, slots=True)
class BlockCalls:
    """How many calls are made; every one is for all prompts and positions.

    Attributes:
        mlp: Calls of MLPs.
        attention: Calls of heads: weighted sums of values.
        queries: Calls of heads' queries.
        keys: Calls of K/V groups' keys.
        values: Calls of K/V groups' values.
        logits: Calls of the final norm and the unembedding.
    """

    mlp: int = 0
    attention: int = 0
    queries: int = 0
    keys: int = 0
    values: int = 0
    logits: int = 0


def count_calls(program: Program) -> BlockCalls:
    """Return how many calls a program makes, whatever its schedule.

    >>> from causalnet.compiler import compile_reads
    >>> from causalnet.graphs import TransformerShape, transformer_graph
    >>> from causalnet.interventions import At, Base, Do, Node, Read, logit_diff
    >>> graph = transformer_graph(TransformerShape(2, 2, 2, 4, 2, 4, 8))
    >>> patched = Do(Base("base"), ((Node("L1.H0"), At("L1.H0", Base("source"))),))
    >>> count_calls(compile_reads([Read(logit_diff, patched)], graph)).mlp
    3
    """
    walk = calls_of(program)
    found = dict.fromkeys(_COUNTED.values(), 0)
    stages, shape = program.stages, program.stages.shape
    for _, stage in walk.blocks:
        if not stages.is_attention(stage):
            found["mlp"] += 1
            continue
        for name, count in (("attention", shape.heads), ("queries", shape.heads)):
            found[name] += count
        for name in ("keys", "values"):
            found[name] += shape.kv_heads
    for _, name in walk.single:
        kind = stages.part(name).kind
        if kind in _COUNTED:
            found[_COUNTED[kind]] += 1
    return BlockCalls(**found)


def block_calls_of(calls: Mapping[str, int], stages: Stages) -> BlockCalls:
    """Return counts by node, as those of `NormalForm.count_calls`, summed by kind."""
    found = dict.fromkeys(_COUNTED.values(), 0)
    for name, count in calls.items():
        kind = stages.part(name).kind
        if kind in _COUNTED:
            found[_COUNTED[kind]] += count
    return BlockCalls(**found)


@dataclass(slots=True)
class Calls:
    """The calls of a program.

    Attributes:
        program: The program.
        blocks: Versions and stages whose block is called whole, as nature has it.
        single: Versions and nodes that are called besides.
    """

    program: Program
    blocks: set[tuple[int, int]] = field(default_factory=set)
    single: set[tuple[int, str]] = field(default_factory=set)
    _births: set[int] = field(default_factory=set)
    _nodes: set[tuple[int, str]] = field(default_factory=set)
    _waiting: list[tuple[int, str]] = field(default_factory=list)

    def walk(self) -> None:
        """Find what the read-outs need, without recursion."""
        for read in self.program.reads:
            for number in (read.version, read.reference):
                if number != NONE:
                    self._waiting.append((number, read.readout.node))
        while self._waiting:
            number, name = self._waiting.pop()
            if (number, name) not in self._nodes:
                self._nodes.add((number, name))
                self._value(number, self.program.stages.part(name))
        self.single = {
            (number, name)
            for number, name in self.single
            if (number, self.program.stages.part(name).stage) not in self.blocks
        }

    # -- streams ---------------------------------------------------------------------------------

    def _stream(self, number: int, stage: int) -> None:
        """Need the stream that enters a stage in a version's course."""
        versions = self.program.versions
        while versions[number].born >= stage and not versions[number].is_run:
            number = versions[number].parent
        version = versions[number]
        for before in range(stage - 1, version.born, -1):
            if (number, before) in self.blocks:
                return
            self.blocks.add((number, before))
        if not version.is_run and number not in self._births:
            self._births.add(number)
            self._born(number, version)

    def _born(self, number: int, version: Version) -> None:
        """Need the stream after a version's birth."""
        stages = self.program.stages
        for name in _writers(stages, version.born):
            self._waiting.append((number, name))
        if version.born > 0:
            self._entering(number, version)

    def _entering(self, number: int, version: Version) -> None:
        """Need the stream that enters the stage of a version's birth, cuts included."""
        if self._set(version, _cuts(self.program.stages, version)):
            self._stream(version.parent, version.born)

    # -- nodes -----------------------------------------------------------------------------------

    def _value(self, number: int, part: Part) -> None:
        """Need a mediator's value in a version's course."""
        version = self.program.versions[number]
        if version.born > part.stage:
            self._waiting.append((version.parent, part.name))
        elif part.kind == "cut":
            here = version.born == part.stage and not version.is_run
            self._entering(number, version) if here else self._stream(number, part.stage)
        elif version.is_run or version.born < part.stage:
            self._called(number, part)
        elif self._set(version, [w for w in version.writes if _sets(w, part.name)]):
            self._natural(number, version, part)

    def _set(self, version: Version, writes: list[Write]) -> bool:
        """Need what some writes at one place read; return whether the value below is needed."""
        for write in reversed(writes):
            self._waiting += [(ref.version, ref.node) for ref in write.refs]
            whole = not write.site.at and write.site.part is None
            if whole and not _reads_self(write.value):
                return False
        return True

    def _natural(self, number: int, version: Version, part: Part) -> None:
        """Need what a node's mechanism makes at the birth of a version."""
        if not _is_reached(self.program.stages, version, part):
            parent = version.parent
            self._waiting.append((parent, part.name))
            return
        self.single.add((number, part.name))
        for sender in _arguments(self.program.stages, part):
            writes = [w for w in version.writes if _sends(w, sender, part.name)]
            if self._set(version, writes):
                self._waiting.append((number, sender))
        if _reads_stream(part):
            owner = part.of if part.kind == "scale" else part.name
            for write in version.writes:
                if isinstance(write.site, Edge) and write.site.receiver == owner:
                    self._waiting += [(ref.version, ref.node) for ref in write.refs]
            self._entering(number, version)

    def _called(self, number: int, part: Part) -> None:
        """Need a node of a version that is not born at its stage."""
        if part.kind in ("embed", "bias"):
            return
        self.single.add((number, part.name))
        for sender in _arguments(self.program.stages, part):
            self._waiting.append((number, sender))
        if _reads_stream(part):
            self._stream(number, part.stage)


def calls_of(program: Program) -> Calls:
    """Return the calls that a program makes."""
    calls = Calls(program)
    calls.walk()
    return calls


def _writers(stages: Stages, stage: int) -> Iterator[str]:
    """Yield what writes into the stream at a stage."""
    if stage == 0:
        yield "embed"
    elif stages.is_attention(stage):
        layer = stages.layer_of(stage)
        for head in range(stages.shape.heads):
            yield f"L{layer}.H{head}"
        if stages.shape.attention_bias:
            yield f"L{layer}.attn_bias"
    elif stage < stages.last:
        yield f"L{stages.layer_of(stage)}.mlp"


def _arguments(stages: Stages, part: Part) -> tuple[str, ...]:
    """Return the nodes that a node reads by itself, the stream left out."""
    name = part.name
    if part.kind == "head":
        return (f"{name}.z",)
    if part.kind in ("pattern", "z"):
        head = name.rpartition(".")[0]
        group = stages.shape.group_of(part.index)
        if part.kind == "z":
            return (f"{head}.pattern", stages.keys(part.layer, group, "v"))
        return (f"{head}.q", stages.keys(part.layer, group, "k"))
    return (f"{name}.scale",) if stages.shape.normed and _is_receiver(part) else ()


def _is_receiver(part: Part) -> bool:
    return part.kind in ("q", "k", "v", "mlp", "logits")


def _reads_stream(part: Part) -> bool:
    return _is_receiver(part) or part.kind == "scale"


def _is_reached(stages: Stages, version: Version, part: Part) -> bool:
    """Return whether a version sets, at its birth, anything that a node's mechanism reads."""
    if part.kind in ("embed", "bias"):
        return False
    waiting, seen = [part.name], {part.name}
    sites = {w.site.mediator for w in version.writes if not isinstance(w.site, Edge)}
    into = {w.site.receiver for w in version.writes if isinstance(w.site, Edge)}
    while waiting:
        current = stages.part(waiting.pop())
        owner = current.of if current.kind == "scale" else current.name
        if owner in into or (_reads_stream(current) and _cuts(stages, version)):
            return True
        for name in _arguments(stages, current):
            if name in sites:
                return True
            if name not in seen:
                seen.add(name)
                waiting.append(name)
    return False


def _cuts(stages: Stages, version: Version) -> list[Write]:
    """Return a version's writes of the cut at its birth."""
    return [
        write
        for write in version.writes
        if not isinstance(write.site, Edge) and stages.part(write.site.mediator).kind == "cut"
    ]


def _sets(write: Write, name: str) -> bool:
    return not isinstance(write.site, Edge) and write.site.mediator == name


def _sends(write: Write, sender: str, receiver: str) -> bool:
    site = write.site
    return isinstance(site, Edge) and (site.sender, site.receiver) == (sender, receiver)


def _reads_self(value: Value) -> bool:
    """Return whether a value reads what is there below."""
    waiting, seen = [value], {value}
    while waiting:
        current = waiting.pop()
        if isinstance(current, Self):
            return True
        if isinstance(current, Op):
            fresh = [each for each in current.arguments if each not in seen]
            seen.update(fresh)
            waiting += fresh
    return False
