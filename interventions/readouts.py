"""Read-outs: one real number for each prompt from a world."""

from dataclasses import dataclass, replace

from causalnet.interventions.spelling import name_text
from causalnet.interventions.terms import Piece, digest_of, separated, written
from causalnet.interventions.views import Position
from causalnet.interventions.worlds import Base, World

__all__ = [
    "READOUTS",
    "ReadOut",
    "accuracy",
    "kl",
    "lens",
    "logit_diff",
    "logit_distance",
    "loss",
    "probability",
    "top1_agreement",
    "value_of",
]


@dataclass(frozen=True, slots=True)
class ReadOut:
    """A named, versioned function from a world to one number for each prompt.

    Attributes:
        name: `logit_difference`, `probability`, `kl`, `logit_distance`, `top1_agreement`,
            `loss`, `accuracy` or `value`.
        unit: The unit of its values.
        meaning: One sentence, printed in results and reports.
        at: The position at which the node is read.
        reference: The world to which `kl`, `logit_distance` and `top1_agreement` compare; None for
            the others.
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

    @property
    def digest(self) -> bytes:
        """What identifies the read-out."""
        own = (self.name, self.unit, self.meaning, self.at, self.version, self.node, self.answers)
        return digest_of("ReadOut", *own, self.reference)

    @property
    def described(self) -> str:
        """The versioned name and position, with the node where it is not the logits."""
        node = f" of {self.node}" if self.node != "logits" else ""
        return f"{self.name}/v{self.version}{node} at {self.at}"

    def pieces(self) -> tuple[Piece, ...]:
        """Return the name with what differs from the standard read-out of that name.

        The name of a read-out that is not a standard one is quoted.
        """
        standard = standard_readout(self.name, self.node)
        place = name_text(self.node) if self.node != "logits" else ""
        if self.at != standard.at:
            place += f"[{name_text(self.at) if isinstance(self.at, str) else self.at}]"
        options: list[tuple[Piece, ...]] = [(place,)] if place else []
        if self.answers != standard.answers:
            options.append((f"answers={name_text(self.answers)}",))
        if self.reference != standard.reference:
            options.append(("against ", "none" if self.reference is None else self.reference))
        options += [(f"unit={self.unit!r}",)] if self.unit != standard.unit else []
        options += [(f"meaning={self.meaning!r}",)] if self.meaning != standard.meaning else []
        name = self.name if is_standard(self.name) else repr(self.name)
        version = f"/v{self.version}" if self.version != standard.version else ""
        inside = separated(options, "; ")
        return (f"{name}{version}", *(("{", *inside, "}") if options else ()))

    def __str__(self) -> str:
        """Return the name with what differs from the standard read-out of that name."""
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
logit_distance = ReadOut(
    "logit_distance",
    "logits",
    "root mean square over the vocabulary of the world's logits minus those of the base",
    reference=Base("base"),
)
loss = ReadOut("loss", "nats", "minus the log-probability of the answer tokens together")
top1_agreement = ReadOut(
    "top1_agreement",
    "fraction",
    "1 where the most likely token is that of the base, else 0",
    reference=Base("base"),
)
accuracy = ReadOut("accuracy", "fraction", "1 where the most likely token is an answer, else 0")

READOUTS = {
    readout.name: readout
    for readout in (logit_diff, probability, kl, logit_distance, loss, accuracy, top1_agreement)
}
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


def is_standard(name: str) -> bool:
    """Return whether a name is that of a read-out whose unit and meaning are known."""
    return name == "value" or name in READOUTS


def standard_readout(name: str, node: str = "logits") -> ReadOut:
    """Return the read-out of a name at a node, without unit and meaning where it is not known."""
    if name == "value":
        return value_of(node)
    readout = READOUTS.get(name, ReadOut(name, "", ""))
    if node == "logits":
        return readout
    return lens(readout, node) if name in READOUTS else replace(readout, node=node)
