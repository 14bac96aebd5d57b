"""Templates with named slots: filling one gives the text and where each slot lies."""

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from causalnet.errors import PromptError

__all__ = ["Template"]


@dataclass(frozen=True, slots=True)
class Template:
    """A text with slots in braces, each of them once.

    Args:
        text: The text, as `"{A} gave a {O} to"`.

    Raises:
        PromptError: If braces do not match, a slot stands there twice, or one asks for formatting.

    >>> Template("{A} gave a {O} to").fill({"A": "Mary", "O": "ring"})
    ('Mary gave a ring to', {'A': (0, 4), 'O': (12, 16)})
    """

    text: str

    def __post_init__(self) -> None:
        """Refuse what could not be filled."""
        slots = self.slots
        doubled = sorted({slot for slot in slots if slots.count(slot) > 1})
        if doubled:
            raise PromptError(
                came=f"The slot {{{doubled[0]}}} stands twice in {self.text!r}.",
                possible="Each slot once: its name becomes a position.",
                write="Give the second one a name of its own.",
            )

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of the slots, in order."""
        return tuple(slot for _, slot in self._parts() if slot is not None)

    def check_slots(self, required: Sequence[str], optional: Sequence[str] = ()) -> None:
        """Refuse a template that lacks a slot or has one that nothing fills.

        Raises:
            PromptError: In both cases.
        """
        lacking = [slot for slot in required if slot not in self.slots]
        strange = [slot for slot in self.slots if slot not in (*required, *optional)]
        if lacking or strange:
            fault = f"lacks {{{lacking[0]}}}" if lacking else f"has {{{strange[0]}}}"
            needs = ", ".join(f"{{{slot}}}" for slot in required)
            may = ", ".join(f"{{{slot}}}" for slot in optional)
            raise PromptError(
                came=f"The template {self.text!r} {fault}.",
                possible=f"It needs {needs}" + (f" and may have {may}." if may else "."),
                write="Write every slot that it needs, and no other.",
            )

    def fill(self, values: Mapping[str, str]) -> tuple[str, dict[str, tuple[int, int]]]:
        """Return the text with its slots filled, and the span of characters of each slot."""
        text, spans = "", {}
        for literal, slot in self._parts():
            text += literal
            if slot is not None:
                spans[slot] = (len(text), len(text) + len(values[slot]))
                text += values[slot]
        return text, spans

    def _parts(self) -> list[tuple[str, str | None]]:
        try:
            parts = list(string.Formatter().parse(self.text))
        except ValueError as error:
            raise PromptError(
                came=f"The template {self.text!r}: {error}.",
                possible="A text with slots in braces.",
                write="Write slots as {A} and a brace of the text as {{ or }}.",
            ) from None
        for _, slot, spec, conversion in parts:
            if slot is not None and (spec or conversion or not slot.isidentifier()):
                raise PromptError(
                    came=f"The template {self.text!r} has the slot {{{slot}}}.",
                    possible="A slot is a name in braces, without formatting.",
                    write="Write it as {A}.",
                )
        return [(literal, slot) for literal, slot, _, _ in parts]
