"""What may be wrong when a rebuilt part is the first that differs: all before it agree."""

import torch
from torch import nn

from causalnet.lift.parts import Parts

__all__ = ["suspicion"]

_REASONS = {
    "embed": "Token or position embeddings are combined in another way than the adapter says.",
    "pos_embed": "Positions are learned in another way than the adapter says.",
    "resid_pre": "Tokens and positions agree, so the model adds them up in another way.",
    "attention_norm": "Its input agrees, so the norm's formula or epsilon differs",
    "mlp_norm": "Its input agrees, so the norm's formula or epsilon differs",
    "final_norm": "Its input agrees, so the norm's formula or epsilon differs",
    "q": "Its input agrees, so the projection's weights, bias or layout differ.",
    "k": "Its input agrees, so the projection's weights, bias or layout differ.",
    "v": "Its input agrees, so the projection's weights, bias or layout differ.",
    "z": "q, k and v agree, so its pattern differs: rotary positions, scale or mask",
    "attention": "Every z agrees, so the output projection's weights, bias or layout differ.",
    "resid_mid": "All writers agree, so the block adds them up in another way.",
    "resid_post": "All writers agree, so the block adds them up in another way.",
    "mlp": "Its input agrees, so the MLP's weights, biases, gate or activation differ",
    "logits": "Its input agrees, so the unembedding differs or the logits are scaled.",
}


def suspicion(parts: Parts, name: str) -> str:
    """Return why a part may differ, with what was declared and what the module has."""
    kind = name.rpartition(".")[2]
    reason = _REASONS[kind]
    if reason.endswith("."):
        return reason
    if kind == "z":
        return f"{reason}{_rotary(parts)}."
    if kind == "mlp":
        return f"{reason}; the declared activation is {parts.constants.activation!r}."
    return f"{reason}{_epsilon(parts, name)}."


def _rotary(parts: Parts) -> str:
    theta, table = parts.constants.rope_theta, parts.places.rotary
    if theta is None or table is None:
        return ""
    declared = str(parts.constants.rope_scaling.get("rope_type", "default"))
    kind = str(getattr(table, "rope_type", "default"))
    if kind != "default" or declared != "default":
        return f"; the checkpoint declares rotary type {declared!r}, the model's table is {kind!r}"
    frequencies = dict(table.named_buffers(recurse=False)).get("inv_freq")
    if frequencies is None or len(frequencies) < 2:
        return f"; the checkpoint declares rope_theta={theta:g}"
    built = theta_of(frequencies, parts.graph.shape.d_head)
    return (
        f"; the checkpoint declares rope_theta={theta:g}, the model's rotary table is built with "
        f"{built:.6g}"
    )


def theta_of(frequencies: torch.Tensor, width: int) -> float:
    """Return the theta of rotary frequencies theta ** (-2 i / width), from the second of them.

    >>> round(theta_of(500.0 ** -(torch.arange(0, 8, 2) / 8), 8), 2)
    500.0
    """
    return float(frequencies[1].double() ** (-width / 2))


def _epsilon(parts: Parts, name: str) -> str:
    places = parts.places
    layer, _, kind = name.rpartition(".")
    norms = {"attention_norm": places.attention_norms, "mlp_norm": places.mlp_norms}
    module = norms[kind][int(layer[1:])] if kind in norms else places.final_norm
    declared = f"; the checkpoint declares norm_eps={parts.constants.norm_eps:g}"
    own = None if module is None else _own_epsilon(module)
    return declared if own is None else f"{declared}, the module has {own:g}"


def _own_epsilon(module: nn.Module) -> float | None:
    named = [value for name, value in vars(module).items() if "eps" in name]
    return named[0] if named and isinstance(named[0], float) else None
