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
"""

from causalnet.compiler.compile import compile_reads
from causalnet.compiler.contents import contents_of
from causalnet.compiler.counting import BlockCalls, block_calls_of, count_calls
from causalnet.compiler.passes import PASSES
from causalnet.compiler.program import Kind, Program, ReadOf, Ref, Version, Write
from causalnet.compiler.schedule import Schedule, Signature, Wave, schedule_program
from causalnet.compiler.stages import Stages

__all__ = [
    "PASSES",
    "BlockCalls",
    "Kind",
    "Program",
    "ReadOf",
    "Ref",
    "Schedule",
    "Signature",
    "Stages",
    "Version",
    "Wave",
    "Write",
    "block_calls_of",
    "compile_reads",
    "contents_of",
    "count_calls",
    "schedule_program",
]
