"""Where a set of prompt pairs comes from: everything needed to make it again."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields

from causalnet.errors import PromptError

__all__ = ["TaskRecord"]


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """The generator or file behind a set of prompt pairs, with every choice that was made.

    Args:
        name: The task in `causalnet.tasks.TASKS`, or `file`, or `rows` for pairs given by hand.
        n: How many pairs were asked for.
        seed: The seed of the generator; `None` where nothing was drawn.
        corruption: How the source differs from the base, in words.
        templates: The templates that were used, as text with `{A}`-style slots.
        bos: Whether a beginning-of-sequence token was put in front.
        chat_template: Whether the prompts were wrapped as a user's message.
        options: The generator's other keyword arguments, as plain JSON values.
        rows: The rows kept of the original set, in order; `None` means all of them.

    >>> record = TaskRecord("ioi", n=8, seed=0, corruption="abc")
    >>> TaskRecord.from_json(record.to_json()) == record
    True
    """

    name: str
    n: int
    seed: int | None = None
    corruption: str = ""
    templates: tuple[str, ...] = ()
    bos: bool = False
    chat_template: bool = False
    options: Mapping[str, object] = field(default_factory=dict)
    rows: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        """Hold the options as plain JSON, so that a record read back is equal to this one."""
        object.__setattr__(self, "options", json.loads(json.dumps(dict(self.options))))

    def __hash__(self) -> int:
        """Hash by value."""
        return hash(json.dumps(self.to_json(), sort_keys=True))

    def to_json(self) -> dict[str, object]:
        """Return the record as plain JSON values."""
        plain: dict[str, object] = json.loads(json.dumps(asdict(self)))
        return plain

    @classmethod
    def from_json(cls, plain: Mapping[str, object]) -> "TaskRecord":
        """Read what `to_json` wrote; raises `PromptError` for anything else."""
        known = {entry.name for entry in fields(cls)}
        _check_record(plain, known)
        values = dict(plain)
        for name in ("templates", "rows"):
            value = values.get(name)
            if isinstance(value, list):
                values[name] = tuple(value)
        return cls(**values)  # type: ignore[arg-type]  # _check_record looked at every type


_TYPES: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "n": (int,),
    "seed": (int, type(None)),
    "corruption": (str,),
    "templates": (list, tuple),
    "bos": (bool,),
    "chat_template": (bool,),
    "options": (dict,),
    "rows": (list, tuple, type(None)),
}
_ITEMS: dict[str, type] = {"templates": str, "rows": int}


def _check_record(plain: Mapping[str, object], known: set[str]) -> None:
    """Refuse a record with unknown, missing or wrongly typed fields."""
    wrong = [name for name in plain if name not in known]
    wrong += [name for name in ("name", "n") if name not in plain]
    wrong += [
        name
        for name, types in _TYPES.items()
        if name in plain and not _is_of(plain[name], types, _ITEMS.get(name))
    ]
    if wrong:
        raise PromptError(
            came=f"The record of these prompts has a wrong or missing field {wrong[0]!r}.",
            possible=f"A record has {', '.join(_TYPES)}.",
            write="Write prompt pairs with pairs.to_jsonl(path), or leave the header line out.",
        )


def _is_of(value: object, types: tuple[type, ...], item: type | None) -> bool:
    """Say whether a value is of one of the types, bool not counting as int."""
    if isinstance(value, bool):
        return bool in types
    if isinstance(value, (list, tuple)) and item is not None:
        return all(isinstance(one, item) and not isinstance(one, bool) for one in value)
    return isinstance(value, types)
