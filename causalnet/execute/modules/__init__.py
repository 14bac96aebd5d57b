"""The executor of lifted modules: terms in, tensors out, for any `nn.Module`.

| name | what |
|---|---|
| `evaluate_module` | read-outs in worlds and derivatives, each world from its first site on |
| `evaluate_query` | the effects of a query |
| `ModuleBindings`, `Examples` | the tensors behind the inputs of a term |
| `ModuleEvaluation` | values, and how often the mechanism of each node was run |
"""

from causalnet.execute.modules.bindings import Examples, ModuleBindings
from causalnet.execute.modules.evaluate import ModuleEvaluation, evaluate_module, evaluate_query

__all__ = [
    "Examples",
    "ModuleBindings",
    "ModuleEvaluation",
    "evaluate_module",
    "evaluate_query",
]
