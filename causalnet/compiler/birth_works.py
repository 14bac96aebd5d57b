"""The work of births: deltas of outputs, receivers computed once more, whole stages."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from causalnet.compiler.blocks import attention_works, mlp_works
from causalnet.compiler.machine import Work
from causalnet.compiler.program import Kind, Program, Version, Write
from causalnet.compiler.schedule import Schedule
from causalnet.compiler.sizes import Sizes
from causalnet.interventions import At, Edge

__all__ = ["birth_works"]

_CALLS = 6
"""Kernels of a birth beside its products: looking values up, subtracting, adding to the stream."""


def birth_works(
    schedule: Schedule,
    sizes: Sizes,
    numbers: Iterable[int],
    columns: int,
    needed: int,
    at_once: int,
) -> Iterator[Work]:
    """Yield the work of the births of a wave at one stage.

    Args:
        schedule: The schedule.
        sizes: The network.
        numbers: The versions that are born.
        columns: The live columns.
        needed: The columns at which the stage's output is needed.
        at_once: How many tokens go through a kernel at once.
    """
    births = _Births(schedule, sizes, columns, needed, at_once)
    by_kind: dict[str, list[int]] = {}
    for number in numbers:
        by_kind.setdefault(schedule.program.versions[number].kind, []).append(number)
    for kind, own in by_kind.items():
        match kind:
            case Kind.OUTPUT:
                yield from births.outputs(own)
            case Kind.SLOT:
                yield from births.slots(own)
            case Kind.DIRECT:
                yield from births.direct(own)
            case Kind.CUT:
                yield births.moving(len(own), columns)
            case _:
                yield from births.general(own)


@lru_cache(maxsize=16)
def _output_products(program: Program) -> tuple[int, ...]:
    """Return for every version how many products of one head's z its outputs take."""
    return tuple(
        sum(_products(program, write) for write in version.writes)
        if version.kind == Kind.OUTPUT
        else 0
        for version in program.versions
    )


def _products(program: Program, write: Write) -> int:
    kind = program.stages.part(write.site.read_from).kind
    if kind == "z":
        return 1
    if kind != "head":
        return 0
    is_read = isinstance(write.value, At)
    return 1 + is_read + bool(write.site.at or write.site.part or not is_read)


class _Births:
    def __init__(
        self, schedule: Schedule, sizes: Sizes, columns: int, needed: int, at_once: int
    ) -> None:
        self.schedule, self.sizes, self.at_once = schedule, sizes, at_once
        self.stages, self.shape = schedule.program.stages, sizes.shape
        self.live = schedule.signature.prompts * columns
        self.needed = schedule.signature.prompts * needed
        self.columns = columns
        #: One product of one head's z with its part of W_O.
        self.mixed = 2 * self.shape.d_head * self.shape.d_model

    def version(self, number: int) -> Version:
        return self.schedule.program.versions[number]

    def moving(self, rows: int, columns: int) -> Work:
        """Return the work of writing streams into rows."""
        tokens = rows * columns * self.schedule.signature.prompts
        moved = 3 * tokens * self.shape.d_model * self.sizes.number
        return Work("births", "stream", max(tokens, 1), 0, moved, _CALLS * rows)

    # -- outputs ---------------------------------------------------------------------------------

    def outputs(self, numbers: Sequence[int]) -> Iterator[Work]:
        counts = _output_products(self.schedule.program)
        products = sum(counts[number] for number in numbers)
        if products:
            flops = products * self.mixed * self.needed
            yield Work("births", "product", self.needed, flops, 0, products)
        yield self.moving(len(numbers), self.needed // self.schedule.signature.prompts)

    # -- edges -----------------------------------------------------------------------------------

    def sent(self, writes: Iterable[Write], tokens: int) -> tuple[int, int]:
        """Return the products, and their FLOPs, of what edges send."""
        products = 0
        for write in writes:
            if self.stages.part(write.site.read_from).kind == "head":
                products += 1 + isinstance(write.value, At)
        return products, products * self.mixed * tokens

    def direct(self, numbers: Sequence[int]) -> Iterator[Work]:
        products = flops = 0
        for number in numbers:
            some, own = self.sent(self.version(number).writes, self.needed)
            products, flops = products + some, flops + own
        yield Work("births", "product", self.needed, flops, 0, products)
        yield self.moving(len(numbers), self.needed // self.schedule.signature.prompts)

    def slots(self, numbers: Sequence[int]) -> Iterator[Work]:
        born = self.version(numbers[0]).born
        if self.stages.is_attention(born):
            yield from self.attention_slots(numbers)
            return
        products = flops = 0
        for number in numbers:
            some, own = self.sent(self.version(number).writes, self.needed)
            products, flops = products + some, flops + own
        yield Work("births", "product", self.needed, flops, 0, products)
        yield from mlp_works("births", self.sizes, len(numbers) * self.needed, self.at_once)
        yield self.moving(len(numbers), self.needed // self.schedule.signature.prompts)

    def attention_slots(self, numbers: Sequence[int]) -> Iterator[Work]:
        shape, d = self.shape, self.shape.d_model
        products = flops = jobs = 0
        naturals: set[tuple[str, int]] = set()
        for number in numbers:
            version = self.version(number)
            parent = self.schedule.alias[version.parent]
            some, own = self.sent(version.writes, self.live)
            products, flops = products + some, flops + own
            receivers = {w.site.receiver for w in version.writes if isinstance(w.site, Edge)}
            heads: set[int] = set()
            for receiver in receivers:
                part = self.stages.part(receiver)
                tokens = self.needed if part.kind == "q" else self.live
                flops += 2 * tokens * d * shape.d_head
                size = shape.heads_per_group
                first = part.index * size
                heads |= {part.index} if part.kind == "q" else set(range(first, first + size))
            layer = self.stages.layer_of(version.born)
            for head in heads:
                group = shape.group_of(head)
                names = [f"L{layer}.H{head}.q"]
                names += [self.stages.keys(layer, group, channel) for channel in "kv"]
                naturals |= {(name, parent) for name in names if name not in receivers}
            jobs += len(heads)
        for name, _ in naturals:
            tokens = self.needed if self.stages.part(name).kind == "q" else self.live
            flops += 2 * tokens * d * shape.d_head
        flops += jobs * self.mixed * self.needed
        yield Work("births", "product", self.live, flops, 0, products + len(naturals))
        attended = self.schedule.signature.columns
        mixed = 4 * jobs * self.needed * attended * shape.d_head
        moved = 4 * jobs * self.needed * attended * self.sizes.number
        yield Work("births", "scores", self.live, mixed, moved, 2 * _CALLS)
        yield self.moving(len(numbers), self.columns)

    # -- anything else ---------------------------------------------------------------------------

    def general(self, numbers: Sequence[int]) -> Iterator[Work]:
        columns = self.schedule.signature.columns
        tokens = self.schedule.signature.prompts * columns
        for number in numbers:
            born = self.version(number).born
            if self.stages.is_attention(born):
                yield from attention_works("births", self.sizes, tokens, tokens, columns, tokens)
            elif 0 < born < self.stages.last:
                yield from mlp_works("births", self.sizes, tokens, tokens)
            yield self.moving(1, columns)
