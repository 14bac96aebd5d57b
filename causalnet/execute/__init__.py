"""Executors: terms in, tensors out.

| name | what |
|---|---|
| `run_leaves` | read-outs in worlds: compiled to one plan of few forwards, the wavefront |
| `evaluate` | read-outs and derivatives, on the model itself by torch hooks: the oracle |
| `record` | values of nodes in the untouched network |
| `Bindings`, `Answers`, `Pooled`, `PerPosition`, `Matrix` | the prompts and tensors of a term |
| `register_operation` | the tensor body of an operation |
| `self_swap`, `check_determinism` | three-legged self-swap and determinism, on the loaded model |
"""

from causalnet.execute.batch import Padding, TokenBatch, make_batch
from causalnet.execute.bindings import (
    Answers,
    Bindings,
    Constant,
    Matrix,
    PerPosition,
    Pooled,
)
from causalnet.execute.edits import Edit
from causalnet.execute.evaluate import Evaluation, Progress, evaluate, record
from causalnet.execute.forward import Forward, run_forward
from causalnet.execute.operations import OPERATIONS, Body, Setting, register_operation
from causalnet.execute.run_leaves import Executor, run_leaves
from causalnet.execute.schedule import Step, schedule
from causalnet.execute.selfswap import Determinism, SelfSwap, check_determinism, self_swap

__all__ = [
    "OPERATIONS",
    "Answers",
    "Bindings",
    "Body",
    "Constant",
    "Determinism",
    "Edit",
    "Evaluation",
    "Executor",
    "Forward",
    "Matrix",
    "Padding",
    "PerPosition",
    "Pooled",
    "Progress",
    "SelfSwap",
    "Setting",
    "Step",
    "TokenBatch",
    "check_determinism",
    "evaluate",
    "make_batch",
    "record",
    "register_operation",
    "run_forward",
    "run_leaves",
    "schedule",
    "self_swap",
]
