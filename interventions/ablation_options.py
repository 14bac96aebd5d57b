"""The options of an ablation's text, such as `resample(reference='1f3a', size=64, draws=8)`."""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from causalnet.errors import TermError
from causalnet.interventions.ablations import Ablation, AblationKind
from causalnet.interventions.learning import Learning
from causalnet.interventions.noising import Noising

__all__ = ["OPTIONS", "AblationOption", "ablation_of"]

AblationOption: TypeAlias = Literal["name", "whole", "number", "handle", "positions"]
"""What the value of an option is."""

OPTIONS: Mapping[str, AblationOption] = {
    "reference": "name",
    "size": "whole",
    "draws": "whole",
    "vector": "handle",
    "factor": "number",
    "sigma": "number",
    "positions": "positions",
    "of": "name",
    "loss": "name",
    "steps": "whole",
    "rate": "number",
    "batch": "whole",
    "seed": "whole",
    "jointly": "name",
}
"""Every option by name."""

_OWN = {"size": "reference_size"}
_NOISE = {"sigma": "sigma", "factor": "factor", "seed": "seed", "positions": "at", "of": "of"}
_LEARNING = ("loss", "steps", "rate", "batch", "seed")
_PLAIN = ("reference", "size", "draws", "vector", "factor", "jointly")


def ablation_of(kind: AblationKind, options: Mapping[str, Any]) -> Ablation:
    """Return the ablation that a kind and its options say.

    Args:
        kind: The kind.
        options: Values by the names of `OPTIONS`.

    Raises:
        TermError: An option that the kind does not use, or a value that it does not take.

    >>> print(ablation_of(AblationKind.NOISE, {"sigma": 0.3, "factor": 3.0, "draws": 2}))
    noise (2 draws, noise of 0.3, 3 times the standard deviation of the vocabulary, on every \
token, seed 0)
    """
    inner: tuple[str, ...] = ()
    parts: dict[str, Any] = {}
    if kind is AblationKind.NOISE:
        inner = tuple(_NOISE)
        given = {_NOISE[name]: options[name] for name in inner if name in options}
        parts["noise"] = Noising(**{"sigma": -1.0, **given})  # without one it is refused
    if kind is AblationKind.OPTIMAL:
        inner = _LEARNING
        parts["learning"] = Learning(**{name: options[name] for name in inner if name in options})
    rest = {name: value for name, value in options.items() if name not in inner}
    unused = [name for name in rest if name not in _PLAIN]
    if unused:
        raise TermError(f"The ablation {kind.value!r} uses no {unused[0]}.")
    return Ablation(kind, **{_OWN.get(name, name): value for name, value in rest.items()}, **parts)
