"""Queries on small networks, measured: FLOPs, calls and memory of the wavefront."""

from collections.abc import Sequence
from dataclasses import dataclass

from causalnet.compiler import Schedule, compile_reads
from causalnet.execute import Bindings
from causalnet.execute.counters import PeakMemory, flop_counter
from causalnet.execute.wavefront.engine import prepare, run_batch
from causalnet.execute.wavefront.wave import Counts, Limits
from causalnet.execute.wavefront.weights import Weights
from causalnet.interventions import Query, parse_query
from causalnet.lift import LiftedNetwork
from causalnet.tasks import PromptPairs


@dataclass(frozen=True)
class Measured:
    """What a job did: its schedule, FLOPs of products, counted calls, the most bytes held."""

    schedule: Schedule
    flops: int
    counts: Counts
    peak: int


def queries(texts: Sequence[str], net: LiftedNetwork) -> list[Query]:
    return [parse_query(text, net.graph) for text in texts]


def measured(
    asked: Sequence[Query], net: LiftedNetwork, pairs: PromptPairs, limits: Limits | None = None
) -> Measured:
    """Run queries together, once for each of the two counters."""
    reads = tuple(dict.fromkeys(read for query in asked for read in query.reads))
    program, weights, bindings = (
        compile_reads(reads, net.graph),
        Weights.of(net),
        Bindings.of(pairs),
    )
    counts = Counts()

    def job(into: Counts) -> Schedule:
        values = prepare(program, net, weights, bindings, range(len(pairs)))
        run_batch(values, limits or Limits(), into, lambda: None)
        return values.schedule

    with flop_counter() as counter:
        schedule = job(counts)
    with PeakMemory() as memory:
        job(Counts())
    return Measured(schedule, counter.get_total_flops(), counts, memory.peak)
