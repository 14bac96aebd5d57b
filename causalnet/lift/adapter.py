"""What an architecture declares so that it can be lifted: where its parts are, which formulas."""

from dataclasses import dataclass
from typing import Literal

from causalnet.errors import LiftError

__all__ = ["Adapter"]


@dataclass(frozen=True, slots=True)
class Adapter:
    """One pre-norm decoder-only architecture: dotted module paths and the formulas between them.

    Paths are looked up from the model; those below `blocks` from one block.  Weights and biases are
    read from the parameters of the named modules, a bias where the module has one.  Sizes come from
    the weights; the number of heads, epsilon, rope theta and the activation from what the
    checkpoint declares, or else from `declared`.

    Attributes:
        module_class: Class name of the modules that this adapter reads.
        embedding: The module whose output is the node `embed`, learned positions included (unlike
            `hook_embed` of TransformerLens, which is the token embedding alone) unless they are
            apart.
        tokens: The module that holds the token embedding [vocabulary, width].
        blocks: The list of blocks.
        mixer: The attention's output projection; its input is the heads' z, side by side.
        mixing: The module that makes the heads' z [batch, heads, pos, d_head] of q, k, v, and of
            who sees whom [batch, 1, pos, pos]; it is called with these four, and naming it lets
            patterns be read and set.  Empty for models of transformers, whose attention is
            looked up by name, and where patterns are out of reach.
        mlp: The module whose output is the node `L{l}.mlp`.
        mlp_in: The MLP's input projection.
        mlp_out: The MLP's output projection.
        unembedding: The module whose output is the node `logits`.
        query: The query projection; empty where `fused` has it.
        key: The key projection, likewise.
        value: The value projection, likewise.
        fused: One projection with queries, keys and values side by side; empty where separate.
        mlp_gate: The gate projection of a gated MLP, or empty: out(act(gate(x)) * in(x)).
        attention_norm: The norm in front of q, k and v; empty with norm "none".
        mlp_norm: The norm in front of the MLP; its input is `resid_mid`.
        final_norm: The norm in front of the unembedding.
        norm: "rms", "layer" or "none".
        layout: How projections store weights: "out_in" (torch.nn.Linear) or "in_out" (GPT-2's
            Conv1D).
        positions: "rotary" (half-split rotation of q and k), "learned" or "none".
        learned_positions: The module that holds learned positions, or empty.
        positions_apart: Whether learned positions are a node of their own, `pos_embed`, which is
            the output of `learned_positions` [batch, pos, width].
        stream: The module whose output is the sum of both where they are apart, or empty; the
            check compares it.
        rotary: The module with the rotary table; it is read in error messages only.
        activation: Name of the activation, or empty: as declared by the checkpoint.
        scale: What multiplies the scores: "rsqrt_head_width" or "one".
        accepts: Keywords that the model's forward takes besides the ids.
        declared: Facts (name, value) of the architecture that its checkpoints do not declare.
    """

    module_class: str
    embedding: str
    tokens: str
    blocks: str
    mixer: str
    mlp: str
    mlp_in: str
    mlp_out: str
    unembedding: str
    query: str = ""
    key: str = ""
    value: str = ""
    fused: str = ""
    mixing: str = ""
    mlp_gate: str = ""
    attention_norm: str = ""
    mlp_norm: str = ""
    final_norm: str = ""
    norm: Literal["rms", "layer", "none"] = "none"
    layout: Literal["out_in", "in_out"] = "out_in"
    positions: Literal["rotary", "learned", "none"] = "none"
    learned_positions: str = ""
    positions_apart: bool = False
    stream: str = ""
    rotary: str = ""
    activation: str = ""
    scale: Literal["rsqrt_head_width", "one"] = "rsqrt_head_width"
    accepts: tuple[str, ...] = ()
    declared: tuple[tuple[str, object], ...] = ()

    def __post_init__(self) -> None:
        """Refuse an adapter that leaves a part out."""
        wanted = {
            "query, key and value, or fused": bool(self.fused)
            != all((self.query, self.key, self.value)),
            "attention_norm, mlp_norm and final_norm, or norm='none'": (self.norm == "none")
            != all((self.attention_norm, self.mlp_norm, self.final_norm)),
            "learned_positions, with positions='learned'": (self.positions == "learned")
            == bool(self.learned_positions),
            "positions='learned', with positions_apart": self.positions == "learned"
            or not self.positions_apart,
        }
        missing = [part for part, is_given in wanted.items() if not is_given]
        if missing:
            raise LiftError(
                f"The adapter of {self.module_class} does not say where its parts are.",
                f"It needs {'; '.join(missing)}.",
            )
