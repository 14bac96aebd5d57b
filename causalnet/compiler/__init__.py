"""The compiler: terms become programs, and programs are scheduled and priced, without tensors.

| name | what |
|---|---|
| `compile_reads` | the program of some read-outs, through the passes |
| `Program`, `Version`, `Write`, `Ref`, `ReadOf`, `Kind` | versions of the residual stream |
| `PASSES` | what makes a program smaller |
| `Stages` | the stages of a decoder's forward pass |
| `schedule_program`, `Schedule`, `Signature`, `Wave` | the order of the work on a kind of batch |
| `count_calls`, `BlockCalls`, `block_calls_of` | how many calls of mechanisms a program makes |
| `contents_of` | what every version holds at every stage, as numbers |
| `Sizes`, `cost_of`, `Cost`, `Machine` | FLOPs by stage, and time in forwards of the model |
| `memory_of`, `fit`, `Budget` | the peak of memory, and how waves are split to stay in a budget |
| `bound_of`, `savings_of` | how far from the least that has to be called; what each rule saves |
| `explain_query`, `QueryReport`, `PlanReport` | all of this for a query, as `explain` prints it |
"""

from causalnet.compiler.bound import bound_of
from causalnet.compiler.budget import Budget
from causalnet.compiler.compile import compile_reads
from causalnet.compiler.contents import contents_of
from causalnet.compiler.cost import Cost, cost_of
from causalnet.compiler.counting import BlockCalls, block_calls_of, count_calls
from causalnet.compiler.machine import Machine
from causalnet.compiler.memory import fit, memory_of
from causalnet.compiler.passes import PASSES
from causalnet.compiler.program import Kind, Program, ReadOf, Ref, Version, Write
from causalnet.compiler.query_report import QueryReport, explain_query
from causalnet.compiler.report import PlanReport
from causalnet.compiler.savings import savings_of
from causalnet.compiler.schedule import Schedule, Signature, Wave, schedule_program
from causalnet.compiler.sizes import Sizes
from causalnet.compiler.stages import Stages

__all__ = [
    "PASSES",
    "BlockCalls",
    "Budget",
    "Cost",
    "Kind",
    "Machine",
    "PlanReport",
    "Program",
    "QueryReport",
    "ReadOf",
    "Ref",
    "Schedule",
    "Signature",
    "Sizes",
    "Stages",
    "Version",
    "Wave",
    "Write",
    "block_calls_of",
    "bound_of",
    "compile_reads",
    "contents_of",
    "cost_of",
    "count_calls",
    "explain_query",
    "fit",
    "memory_of",
    "savings_of",
    "schedule_program",
]
