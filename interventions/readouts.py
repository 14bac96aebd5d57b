"""Read-outs: one real number for each prompt from the logits of a world."""

from dataclasses import dataclass

from causalnet.interventions.worlds import Base, Position, World

__all__ = [
    "READOUTS",
    "Read",
    "ReadOut",
    "accuracy",
    "kl",
    "logit_diff",
    "loss",
    "probability",
]


@dataclass(frozen=True, slots=True)
class ReadOut:
    """A named, versioned function from a world's logits to one number for each prompt.

    Attributes:
        name: `logit_difference`, `probability`, `kl`, `loss` or `accuracy`.
        unit: The unit of its values.
        meaning: One sentence, printed in results and reports.
        at: The position at which the logits are read.
        reference: The world to whose distribution `kl` compares; None for the others.
        version: Version of the read-out's meaning.
    """

    name: str
    unit: str
    meaning: str
    at: Position = "end"
    reference: World | None = None
    version: int = 1

    def __str__(self) -> str:
        """Return `name/v1 at end`."""
        return f"{self.name}/v{self.version} at {self.at}"


@dataclass(frozen=True, slots=True)
class Read:
    """The value of a read-out in a world: one number for each prompt."""

    readout: ReadOut
    world: World

    def __str__(self) -> str:
        """Return `name(world)`."""
        return f"{self.readout.name}({self.world})"


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
