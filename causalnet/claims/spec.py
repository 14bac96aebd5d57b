"""What every mapping of a claim file has in common: strict types, known keys, clear mistakes."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from causalnet.claims.source_text import nearest_word

__all__ = ["Count", "Name", "Names", "Seed", "Sha256", "Spec", "Text", "mistake"]

Text = Annotated[str, Field(min_length=1, max_length=2000)]
Name = Annotated[str, Field(min_length=1, max_length=256)]
# Lists of YAML become tuples; what is in them stays strict.
Names = Annotated[tuple[Name, ...], Field(strict=False, min_length=1)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

# What people write for a key that has another name here.
_ALSO_WRITTEN = {
    "threshold": "at_least",
    "confidence": "alpha",
    "level": "alpha",
    "type": "kind",
    "attn_implementation": "attention",
    "hash": "weights_sha256",
    "sha256": "weights_sha256",
    "metric": "readout",
    "position": "at",
    "positions": "at",
    "batch_size": "batch",
    "version": "schema",
    "name": "id",
}


def mistake(key: str, came: str, possible: str = "", write: str = "") -> PydanticCustomError:
    """Make a schema error that knows at which key it is (the reader turns it into a place)."""
    context = {"key": key, "came": came, "possible": possible, "write": write}
    return PydanticCustomError("claim_file", "{came} {possible} {write}", context)


def _meant(key: str, known: Sequence[str]) -> str | None:
    others = {word: name for word, name in _ALSO_WRITTEN.items() if name in known}
    word = nearest_word(key, others)
    return None if word is None else others[word]


class Spec(BaseModel):
    """A mapping of the claim file: frozen, strict, and every unknown key is an error."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
    )

    @model_validator(mode="before")
    @classmethod
    def _know_every_key(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        known = [info.alias or name for name, info in cls.model_fields.items()]
        for key in given:
            if key in known:
                continue
            meant = nearest_word(key, known) or _meant(key, known)
            write = f"Did you mean {meant!r}?" if meant else "See `causalnet schema`."
            raise mistake(key, f"Unknown key {key!r}.", f"Keys here: {', '.join(known)}.", write)
        return given
