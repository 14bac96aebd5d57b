"""A compiler for causal queries over neural networks.

| name | what |
|---|---|
| `load` | a language model from a package, a GGUF file, a folder, a hub name or a module |
| `lift` | its graph of mediators, checked against the model |
| `tasks` | prompt pairs: `tasks.ioi(model.tokenizer, n=64, seed=0)` |
| `te`, `nde`, `nie`, `tie`, `tde`, `ablation_effect` | effects, as terms |
| `joint` | mediators that are set together |
| `logit_diff`, `probability`, `kl`, `loss`, `accuracy` | outcomes |
| `zero`, `mean`, `mean_per_position`, `resample`, `counterfactual` | ablations |
| `constant`, `steer`, `vector` | ablations by a given vector |
| `explain`, `run`, `open` | what a term would run; its table; a saved table |
| `read_claim_file`, `verify` | claims and their verdicts |
| `CausalNetError` | what is raised when something that was given cannot be used |

Every name is imported when it is first used: `import causalnet` loads no torch.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from causalnet import tasks as tasks
    from causalnet.claims import read_claim_file as read_claim_file
    from causalnet.claims import verify as verify
    from causalnet.effects import EffectTable as EffectTable
    from causalnet.effects import constant as constant
    from causalnet.effects import counterfactual as counterfactual
    from causalnet.effects import explain as explain
    from causalnet.effects import mean as mean
    from causalnet.effects import mean_per_position as mean_per_position
    from causalnet.effects import open_result as open
    from causalnet.effects import resample as resample
    from causalnet.effects import run as run
    from causalnet.effects import steer as steer
    from causalnet.effects import vector as vector
    from causalnet.effects import zero as zero
    from causalnet.errors import CausalNetError as CausalNetError
    from causalnet.interventions import ablation_effect as ablation_effect
    from causalnet.interventions import accuracy as accuracy
    from causalnet.interventions import joint as joint
    from causalnet.interventions import kl as kl
    from causalnet.interventions import logit_diff as logit_diff
    from causalnet.interventions import loss as loss
    from causalnet.interventions import nde as nde
    from causalnet.interventions import nie as nie
    from causalnet.interventions import probability as probability
    from causalnet.interventions import tde as tde
    from causalnet.interventions import te as te
    from causalnet.interventions import tie as tie
    from causalnet.lift import LiftedNetwork as LiftedNetwork
    from causalnet.lift import lift as lift
    from causalnet.models import LanguageModel as LanguageModel
    from causalnet.models import load as load
    from causalnet.tasks import PromptPairs as PromptPairs

    __version__: str

_NAMES = {
    "claims": ("read_claim_file", "verify"),
    "effects": (
        *("EffectTable", "explain", "run", "open_result", "vector"),
        *("zero", "mean", "mean_per_position", "resample", "counterfactual", "constant", "steer"),
    ),
    "interventions": (
        *("te", "nde", "nie", "tie", "tde", "ablation_effect", "joint"),
        *("logit_diff", "probability", "kl", "loss", "accuracy"),
    ),
    "errors": ("CausalNetError",),
    "lift": ("LiftedNetwork", "lift"),
    "models": ("LanguageModel", "load"),
    "tasks": ("PromptPairs",),
}
_ROOM_OF = {name: room for room, names in _NAMES.items() for name in names}

__all__ = [
    "CausalNetError",
    "EffectTable",
    "LanguageModel",
    "LiftedNetwork",
    "PromptPairs",
    "__version__",
    "ablation_effect",
    "accuracy",
    "constant",
    "counterfactual",
    "explain",
    "joint",
    "kl",
    "lift",
    "load",
    "logit_diff",
    "loss",
    "mean",
    "mean_per_position",
    "nde",
    "nie",
    "open",
    "probability",
    "read_claim_file",
    "resample",
    "run",
    "steer",
    "tasks",
    "tde",
    "te",
    "tie",
    "vector",
    "verify",
    "zero",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        return version("causalnet-lab")
    if name == "tasks":
        return import_module("causalnet.tasks")
    original = "open_result" if name == "open" else name
    if original not in _ROOM_OF:
        raise AttributeError(f"module 'causalnet' has no attribute {name!r}")
    found: object = getattr(import_module(f"causalnet.{_ROOM_OF[original]}"), original)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """List the public names."""
    return __all__


class _Package(ModuleType):
    """The package itself: importing the room `lift` must not hide the function `lift`."""

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute, unless a room would take the place of a public function."""
        if not (isinstance(value, ModuleType) and name in _ROOM_OF):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
