"""Read-outs: one real number for each prompt from a world."""

from dataclasses import dataclass, replace

from causalnet.interventions.terms import Piece, written
from causalnet.interventions.views import Position
from causalnet.interventions.worlds import Base, World

__all__ = [
    "READOUTS",
    "ReadOut",
    "accuracy",
    "kl",
    "lens",
    "logit_diff",
    "loss",
    "probability",
    "value_of",
]


@dataclass(frozen=True, slots=True)
class ReadOut:
    """A named, versioned function from a world to one number for each prompt.

    Attributes:
        name: `logit_difference`, `probability`, `kl`, `loss`, `accuracy` or `value`.
        unit: The unit of its values.
        meaning: One sentence, printed in results and reports.
        at: The position at which the node is read.
        reference: The world to whose distribution `kl` compares; None for the others.
        version: Version of the read-out's meaning.
        node: What is read.  Where it is not `logits`, and not read as a plain `value`, the final
            norm and the unembedding are applied to it (logit lens).
        answers: The name under which the answers that it scores are bound.
    """

    name: str
    unit: str
    meaning: str
    at: Position = "end"
    reference: World | None = None
    version: int = 1
    node: str = "logits"
    answers: str = "answers"

    def pieces(self) -> tuple[Piece, ...]:
        """Return the name with what differs from the plain read-out of the logits at the end."""
        version = f"/v{self.version}" if self.version != 1 else ""
        inside: list[Piece] = [f"{self.node}"] if self.node != "logits" else []
        if self.at != "end":
            inside.append(f"[{self.at}]")
        if self.answers != "answers":
            inside.append(f" answers {self.answers}")
        if self.reference is not None and self.reference != Base("base"):
            inside += [" against ", self.reference]
        return (f"{self.name}{version}", *(("{", *inside, "}") if inside else ()))

    def __str__(self) -> str:
        """Return the name with what differs from the plain read-out of the logits at the end."""
        return written(self)


logit_diff = ReadOut(
    "logit_difference",
    "logits",
    "logit of the answer tokens minus logit of the foil tokens, each set reduced as the task says",
)
probability = ReadOut("probability", "probability", "probability of the answer tokens together")
kl = ReadOut(
    "kl",
    "nats",
    "divergence KL(base || world) of the next-token distributions, summed over the vocabulary",
    reference=Base("base"),
)
loss = ReadOut("loss", "nats", "minus the log-probability of the answer tokens together")
accuracy = ReadOut("accuracy", "fraction", "1 where the most likely token is an answer, else 0")

READOUTS = {readout.name: readout for readout in (logit_diff, probability, kl, loss, accuracy)}
"""Every read-out by its name."""


def value_of(node: str, at: Position = "end") -> ReadOut:
    """Return the read-out of a node whose value is one number for each prompt.

    >>> print(value_of("Y"))
    value{Y}
    """
    return ReadOut("value", "", f"the value of {node}", at, node=node)


def lens(readout: ReadOut, node: str) -> ReadOut:
    """Return a read-out taken from an inner node through the final norm and the unembedding.

    It reads; it does not intervene (logit lens, nostalgebraist 2020).

    >>> print(lens(logit_diff, "L9.resid_post"))
    logit_difference{L9.resid_post}
    """
    meaning = f"{readout.meaning}, read from {node} by the final norm and the unembedding"
    return replace(readout, node=node, meaning=meaning)
