"""Executors: terms in, tensors out.

| name | what |
|---|---|
| `evaluate` | read-outs in worlds, on the model itself by plain torch hooks: the oracle |
| `record` | values of nodes in the untouched network |
| `Bindings`, `Answers`, `Pooled`, `PerPosition` | the prompts and tensors that terms leave open |
| `self_swap`, `check_determinism` | three-legged self-swap and determinism, on the loaded model |
"""

from causalnet.execute.batch import Padding, TokenBatch, make_batch
from causalnet.execute.bindings import Answers, Bindings, Constant, PerPosition, Pooled
from causalnet.execute.evaluate import Evaluation, Progress, evaluate, record
from causalnet.execute.forward import Edit, Forward, run_forward
from causalnet.execute.operations import OPERATIONS
from causalnet.execute.schedule import Step, schedule
from causalnet.execute.selfswap import Determinism, SelfSwap, check_determinism, self_swap

__all__ = [
    "OPERATIONS",
    "Answers",
    "Bindings",
    "Constant",
    "Determinism",
    "Edit",
    "Evaluation",
    "Forward",
    "Padding",
    "PerPosition",
    "Pooled",
    "Progress",
    "SelfSwap",
    "Step",
    "TokenBatch",
    "check_determinism",
    "evaluate",
    "make_batch",
    "record",
    "run_forward",
    "schedule",
    "self_swap",
]
