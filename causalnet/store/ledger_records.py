"""What a ledger holds, as values: records of runs of a model, and runs of claim files."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from causalnet.errors import FormatError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Record", "RecordKey", "Run", "RunStatus", "digest_of", "packed", "unpacked"]

RunStatus = Literal["begun", "out of budget", "finished"]

_DTYPES = ("bool", "int8", "int16", "int32", "int64", "uint8", "float32", "float64")


def digest_of(content: object) -> str:
    """Return a sha256 of JSON values: equal for equal content, whatever the order of keys.

    Args:
        content: Strings, finite numbers, booleans, None, lists and mappings.

    Raises:
        FormatError: Anything else.

    >>> digest_of({"a": 1, "b": [2]}) == digest_of({"b": (2,), "a": 1})
    True
    """
    try:
        text = json.dumps(content, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise FormatError(
            f"The content cannot be written as JSON: {error}.",
            "It holds strings, finite numbers, booleans, None, lists and mappings.",
            "Write names of parts, for example str(mediator).",
        ) from None
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class RecordKey:
    """What a record is the answer to.

    Attributes:
        program: Digest of what is run and read: parts, circuits, ablation, read-out, seeds.
        batch: Digest of the prompts that it is run on.
        model: Digest of the model and of how it computes: weights, number type, device, libraries.
    """

    program: str
    batch: str
    model: str


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """What a run of a model gave.

    Attributes:
        arrays: Named arrays of floats, integers or booleans, sorted by name.
        forwards: Forward passes that it took.
    """

    arrays: "Mapping[str, NDArray[Any]]"
    forwards: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """One claim file that was verified, or is being verified, with a ledger.

    Attributes:
        run_id: Digest of claim file and options, so that the same question has the same id.
        claim_file: Path of the file, as it was written.
        claim_digest: sha256 of the file.
        model: Digest of the model, the key of `Ledger.models()`; "" before it is loaded.
        asked: The options beside the file: seed, device, number type, budget.
        status: `begun`, `out of budget` or `finished`.
        begun: When it was begun first, UTC.
        ended: When it ended last, UTC; "" while it has not.
        version: The release of causalnet that began it.
        result: The report as JSON bytes; none while it has not ended.
    """

    run_id: str
    claim_file: str
    claim_digest: str
    model: str = ""
    asked: Mapping[str, Any] = field(default_factory=dict)
    status: RunStatus = "begun"
    begun: str = ""
    ended: str = ""
    version: str = ""
    result: bytes = b""

    def report(self) -> dict[str, Any]:
        """Return the report as JSON values.

        Raises:
            FormatError: The run has not ended, or its report is no JSON.
        """
        if not self.result:
            raise FormatError(
                f"The run {self.run_id} of {self.claim_file!r} has not ended.",
                "A run has a report once it ended, also where its budget ran out.",
                f"Go on with it: causalnet verify {self.claim_file} --resume LEDGER.",
            )
        try:
            plain: dict[str, Any] = json.loads(self.result)
        except (ValueError, RecursionError):
            raise FormatError(
                f"The report of the run {self.run_id} is no JSON.",
                "It is what 'causalnet verify' wrote.",
                "Verify the claim file again with another ledger.",
            ) from None
        return plain


def packed(arrays: "Mapping[str, NDArray[Any]]") -> bytes:
    """Return named arrays as bytes (safetensors): no code, and the same bytes for the same arrays.

    Raises:
        FormatError: A dtype that is not stored.
    """
    import numpy as np
    from safetensors.numpy import save

    stored = {}
    for name, array in sorted(arrays.items()):
        given = np.asarray(array)
        stored[name] = np.asarray(given, dtype=given.dtype.newbyteorder("="), order="C")
        if stored[name].dtype.name not in _DTYPES:
            raise FormatError(
                f"The array {name!r} has dtype {given.dtype}.",
                f"A ledger stores {', '.join(_DTYPES)}.",
                "Give numbers, for example array.astype('float64').",
            )
    return bytes(save(stored))


def unpacked(payload: bytes) -> "dict[str, NDArray[Any]]":
    """Return the arrays that `packed` wrote, sorted by name, writable.

    Raises:
        FormatError: Other bytes.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        loaded = load(payload)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise FormatError(
            f"A record of a ledger cannot be read: {error}.",
            "A record holds arrays in the safetensors format.",
            "Begin again with another ledger.",
        ) from None
    return {name: loaded[name].copy() for name in sorted(loaded)}
