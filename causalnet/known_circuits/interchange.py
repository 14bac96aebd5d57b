"""A high-level model, its alignment with the nodes of a network, and networks with nodes swapped.

Geiger et al. 2021, 2024: a network realises a high-level model where setting an aligned node to
its value of another input has the effect that setting the variable has.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import product

import torch
from torch import Tensor

from causalnet.errors import CausalNetError, ParameterError, UnknownMediatorError
from causalnet.known_circuits.module import SmallBlock, SmallShape, SmallTransformer

__all__ = ["HighLevelModel", "Variable", "modular_sum", "nodes_of", "run_swapped"]

#: What every node writes: by layer, what heads fetch [B, heads, T, head width] and what the MLP
#: writes [B, T, width].
Written = tuple[tuple[Tensor, Tensor], ...]
Compute = Callable[[Mapping[str, Tensor]], Tensor]


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of a high-level model.

    Attributes:
        name: Such as `sum`.
        compute: From the tokens, under `tokens` [B, T], and the values of earlier variables [B],
            to its own values [B].
        nodes: The nodes of the lifted graph that are to hold it: `L0.H0`, `L1.mlp`.
    """

    name: str
    compute: Compute
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class HighLevelModel:
    """Named variables computed from tokens, the last of which is the answer at the last position.

    Attributes:
        name: What it computes.
        inputs: All inputs that count, token ids [N, T].
        variables: In an order in which they can be computed.
        answer: From tokens and variables to the token that is right at the last position, [B].

    >>> model = modular_sum(7)
    >>> base, source = torch.tensor([[2, 3, 0, 7]]), torch.tensor([[6, 1, 0, 7]])
    >>> model.run(base)["answer"], model.run(base, first=model.run(source)["first"])["answer"]
    (tensor([5]), tensor([2]))
    """

    name: str
    inputs: Tensor = field(repr=False)
    variables: tuple[Variable, ...]
    answer: Compute

    def __post_init__(self) -> None:
        """Refuse names and nodes that are given twice."""
        names = [variable.name for variable in self.variables]
        nodes = [node for variable in self.variables for node in variable.nodes]
        for kind, given in (("variable", [*names, "tokens", "answer"]), ("node", nodes)):
            twice = sorted({one for one in given if given.count(one) > 1})
            if twice:
                raise ParameterError(
                    f"The {kind} {twice[0]!r} is there twice.",
                    "Variables have names of their own, and share no nodes.",
                    f"Name each {kind} once.",
                )

    def run(self, tokens: Tensor, **setting: Tensor) -> dict[str, Tensor]:
        """Return the values of all variables and the `answer`, [B] each, some variables set.

        Args:
            tokens: [B, T].
            setting: Values of variables, by name, in place of those computed, [B].
        """
        self._check_setting(setting)
        values: dict[str, Tensor] = {"tokens": tokens}
        for variable in self.variables:
            name = variable.name
            values[name] = setting[name] if name in setting else variable.compute(values)
        return values | {"answer": self.answer(values)}

    def interchanged(self, base: Tensor, source: Tensor, name: str) -> Tensor:
        """Return the answers on base inputs, one variable set to its values on sources, [B]."""
        return self.run(base, **{name: self.run(source)[name]})["answer"]

    def digest(self) -> str:
        """Return the sha256 of inputs and what all variables are on them, 16 digits of it."""
        hashed = hashlib.sha256()
        for name, values in self.run(self.inputs).items():
            hashed.update(f"{name} {tuple(values.shape)} {values.tolist()}".encode())
        return hashed.hexdigest()[:16]

    def aligned(self) -> frozenset[str]:
        """Return the nodes that hold a variable."""
        return frozenset(node for variable in self.variables for node in variable.nodes)

    def _check_setting(self, setting: Mapping[str, Tensor]) -> None:
        known = [variable.name for variable in self.variables]
        strangers = sorted(set(setting) - set(known))
        if strangers:
            raise CausalNetError(
                f"Unknown variable {strangers[0]!r}.",
                f"{self.name} has {', '.join(known)}.",
                "Set one of these.",
            )


def modular_sum(
    modulus: int = 7,
    distractors: int = 1,
    *,
    first: str = "L0.H0",
    second: str = "L0.H1",
    total: str = "L1.mlp",
) -> HighLevelModel:
    """Return (first + second) mod m of `first second distractor… =`, read at `=`.

    Args:
        modulus: m; the token of `=` is m, so there are m + 1.
        distractors: Tokens between the second summand and `=` that do not count.
        first: The node that is to hold the first summand.
        second: The node that is to hold the second one.
        total: The node that is to hold the sum.
    """
    digits = product(range(modulus), repeat=2 + distractors)
    inputs = torch.tensor([[*row, modulus] for row in digits])
    variables = (
        Variable("first", lambda values: values["tokens"][:, 0], (first,)),
        Variable("second", lambda values: values["tokens"][:, 1], (second,)),
        Variable("sum", lambda values: (values["first"] + values["second"]) % modulus, (total,)),
    )
    return HighLevelModel(f"sum modulo {modulus}", inputs, variables, lambda values: values["sum"])


def nodes_of(shape: SmallShape) -> tuple[str, ...]:
    """Return the nodes that write: heads and MLPs that are not silent, layer by layer.

    >>> shape = SmallShape(5, 4, 8, layers=1, heads=2, head_width=4, silent=("L0.H1",))
    >>> nodes_of(shape)
    ('L0.H0', 'L0.mlp')
    """
    named = (f"L{layer}.{node}" for layer in range(shape.layers) for node in _of_layer(shape))
    return tuple(name for name in named if name not in shape.silent)


def _of_layer(shape: SmallShape) -> tuple[str, ...]:
    return (*(f"H{head}" for head in range(shape.heads)), "mlp")


def columns(shape: SmallShape, nodes: frozenset[str] | tuple[str, ...]) -> Tensor:
    """Return which of all nodes are meant, silent ones included, bool [layers, heads + 1].

    Raises:
        UnknownMediatorError: A node that does not write.
    """
    strangers = sorted(set(nodes) - set(nodes_of(shape)))
    if strangers:
        raise UnknownMediatorError(
            f"No node {strangers[0]!r} writes in this network.",
            f"There are {', '.join(nodes_of(shape))}.",
            "Name one of these.",
        )
    rows = ([f"L{layer}.{node}" for node in _of_layer(shape)] for layer in range(shape.layers))
    return torch.tensor([[name in nodes for name in row] for row in rows])


def run_swapped(
    module: SmallTransformer,
    ids: Tensor,
    swap: Tensor | None = None,
    source: Written | None = None,
) -> tuple[Tensor, Written]:
    """Return logits at the last position, and what each node writes, some nodes swapped.

    Args:
        module: The network.
        ids: Tokens [B, T].
        swap: Which nodes of which row have their values of the source, bool
            [B, layers, heads + 1], MLPs last; None for none.
        source: What nodes write on the source inputs: the second value of another call.

    Returns:
        Logits [B, vocabulary], and what is written, swapped values included.
    """
    places = torch.arange(ids.shape[1])
    x = module.tokens(ids) + module.positions(places)
    mask, written = torch.ones_like(ids), []
    for layer, block in enumerate(module.blocks):
        assert isinstance(block, SmallBlock)
        heads = block.attention.mixed(x, block.attention.pattern(x, x, mask))
        if swap is not None and source is not None:
            heads = torch.where(swap[:, layer, :-1, None, None], source[layer][0], heads)
        x = x + block.attention.output(heads.transpose(1, 2).flatten(2))
        mlp = block.mlp(x)
        if swap is not None and source is not None:
            mlp = torch.where(swap[:, layer, -1, None, None], source[layer][1], mlp)
        x = x + mlp
        written.append((heads, mlp))
    logits: Tensor = module.unembedding(x[:, -1])
    return logits, tuple(written)
