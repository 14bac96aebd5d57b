"""Reading the fields of a decision that was saved as JSON, each with its type checked."""

from collections.abc import Mapping

from causalnet.errors import FormatError

__all__ = ["integer", "number", "optional_number", "records", "text"]


def _refuse(record: Mapping[str, object], key: str, wanted: str) -> FormatError:
    came = f"The field {key!r} is {record[key]!r}." if key in record else f"No field {key!r}."
    return FormatError(
        came=came,
        possible=f"It holds {wanted}.",
        write="Read only what to_json wrote, unaltered.",
    )


def optional_number(record: Mapping[str, object], key: str) -> float | None:
    """Read a number or null."""
    value = record.get(key, "")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refuse(record, key, "a number or null")
    return float(value)


def number(record: Mapping[str, object], key: str) -> float:
    """Read a number."""
    value = optional_number(record, key)
    if value is None:
        raise _refuse(record, key, "a number")
    return value


def integer(record: Mapping[str, object], key: str) -> int:
    """Read a whole number."""
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _refuse(record, key, "a whole number")
    return value


def text(record: Mapping[str, object], key: str) -> str:
    """Read a string."""
    value = record.get(key)
    if not isinstance(value, str):
        raise _refuse(record, key, "a string")
    return value


def records(record: Mapping[str, object], key: str) -> list[Mapping[str, object]]:
    """Read a list of objects."""
    value = record.get(key)
    if not isinstance(value, list) or not all(isinstance(entry, Mapping) for entry in value):
        raise _refuse(record, key, "a list of objects")
    return value
