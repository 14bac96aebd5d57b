"""The prompts of networks whose circuits are known."""

from typing import Any

from causalnet.errors import PromptError
from causalnet.known_circuits import known_circuit
from causalnet.tasks.build import build_row
from causalnet.tasks.drawing import check_counts
from causalnet.tasks.encoding import Encoder
from causalnet.tasks.pairs import PromptPairs, assemble
from causalnet.tasks.record import TaskRecord
from causalnet.tasks.rows import parse_row

__all__ = ["PREFIX", "known"]

PREFIX = "known:"


def known(
    name: str,
    tokenizer: Any,
    n: int = 64,
    seed: int = 0,
    *,
    bos: bool = False,
    chat_template: bool = False,
) -> PromptPairs:
    """Return prompts of a network whose circuit is known.

    Args:
        name: A key of `causalnet.known_circuits.KNOWN`.
        tokenizer: The tokenizer of that network.
        n: How many pairs.
        seed: Seed of the draw.
        bos: Only false: its prompts are whole.
        chat_template: Only false.

    Raises:
        ModelNotFoundError: An unknown name.
        PromptError: Another network's tokenizer, n or seed that is no count, a policy.

    >>> from causalnet.known_circuits import known_circuit
    >>> pairs = known("induction", known_circuit("induction").tokenizer(), n=2)
    >>> pairs.base.texts[0], pairs.answer_texts[0], pairs.foil_texts[0]
    ('e e e e e e b h f d e b', ('h',), ('g',))
    """
    circuit = known_circuit(name)
    record = TaskRecord(
        name=f"{PREFIX}{name}",
        n=n,
        seed=seed,
        corruption=circuit.corruption,
        bos=bos,
        chat_template=chat_template,
    )
    check_counts(record)
    encoder = Encoder(tokenizer, bos, chat_template)
    ids = list(range(min(len(circuit.words), encoder.vocabulary)))
    if bos or chat_template or tuple(tokenizer.convert_ids_to_tokens(ids)) != circuit.words:
        policy = "bos or chat_template" if bos or chat_template else "another network's tokenizer"
        raise PromptError(
            came=f"The task {record.name!r} with {policy}.",
            possible=f"Its prompts are token ids of the network {record.name!r}, whole as drawn.",
            write=f"Write tasks.make({record.name!r}, load({record.name!r}).tokenizer).",
        )
    given = [parse_row(row, f"Pair {at}") for at, row in enumerate(circuit.rows(n, seed))]
    built = [build_row(encoder, row, f"Pair {at}") for at, row in enumerate(given)]
    return assemble(built, given, reduction="mean", record=record)
