"""Which rule saves what: the cost with the rules taken one after the other, from a hook loop on."""

from collections.abc import Iterator
from dataclasses import dataclass

from causalnet.compiler.cost import Layout, cost_of, forward_works
from causalnet.compiler.needs import first_read_column, needs_of_runs, shared_columns
from causalnet.compiler.schedule import Schedule
from causalnet.compiler.sizes import Sizes

__all__ = ["Saving", "savings_of"]


@dataclass(frozen=True, slots=True)
class Saving:
    """One rule, and the FLOPs that are left with it.

    Attributes:
        rule: Its name in the list of rules, such as `V2`; "" for what is no rule.
        what: What it does here.
        left: FLOPs in forwards of the model, this rule and those before it in force.
        saved: How many forwards it takes off.
    """

    rule: str
    what: str
    left: float
    saved: float


def savings_of(schedule: Schedule, sizes: Sizes, worlds: int) -> tuple[Saving, ...]:
    """Return what every rule saves, the first entry being one forward for every world.

    Args:
        schedule: The schedule.
        sizes: The network.
        worlds: How many worlds there are as they are written, inputs included.
    """
    unit = sum(work.flops for work in forward_works(schedule, sizes))
    found = [
        Saving("", f"a hook loop: {worlds:,} worlds, each a whole forward", float(worlds), 0.0)
    ]
    for rule, what, left in _steps(schedule, sizes, unit):
        found.append(Saving(rule, what, left, found[-1].left - left))
    return tuple(found)


def _steps(schedule: Schedule, sizes: Sizes, unit: int) -> Iterator[tuple[str, str, float]]:
    signature, vocabulary = schedule.signature, sizes.shape.vocabulary
    everything = Layout(False, False, False, False, False)

    def priced(layout: Layout) -> float:
        return sum(work.flops for work in cost_of(schedule, sizes, layout=layout).works) / unit

    ends = _ends(schedule)
    merged = "equal worlds are one"
    if schedule.void:
        merged += (
            f"; {schedule.void:,} change nothing: equal tokens up to there, or nothing reads on"
        )
    yield "merging, V1", merged, float(ends)
    yield "A1, A2", "worlds are born as deltas where they first differ", priced(everything)
    starts = sorted({wave.start for wave in schedule.waves})
    if starts:
        told = str(starts[0]) if len(starts) == 1 else f"{starts[0]} to {starts[-1]}"
        what = f"columns before {told} of {signature.columns} are those of the run"
        layout = Layout(True, False, False, False, False)
        yield "V2", what, priced(layout)
    first = first_read_column(schedule)
    if first:
        what = f"the last block is needed from column {first} on"
        yield "V3", what, priced(Layout(True, True, False, False, False))
    names = {read.readout.name for read in schedule.program.reads}
    what = "read tokens only"
    if names == {"logit_difference"}:
        what += f", 2 columns of {vocabulary:,} for a difference of logits"
    yield "A3", what, priced(Layout(True, True, True, False, False))
    runs = needs_of_runs(schedule)
    shared = max((shared_columns(schedule, run, next(iter(runs))) for run in runs), default=0)
    what = f"runs end where they are last needed; {shared} columns of inputs are shared"
    yield "base", what, priced(Layout())


def _ends(schedule: Schedule) -> int:
    """Return how many versions would each be a forward of their own: what is read, or set from."""
    alias, program = schedule.alias, schedule.program
    found = {alias[read.version] for read in program.reads}
    found |= {alias[read.reference] for read in program.reads if read.reference >= 0}
    for wave in schedule.waves:
        for number in wave.versions:
            found |= {alias[ref.version] for ref in program.refs(program.versions[number])}
    return len(found)
