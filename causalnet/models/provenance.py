"""Where a model's weights came from, as a value that travels with every result."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import Any, Literal, get_args

from causalnet.errors import FormatError

__all__ = ["ModelKind", "ModelProvenance", "library_versions"]

ModelKind = Literal["gguf", "folder", "hub", "module", "known"]

#: The libraries whose release can change a number.
_LIBRARIES = ("causalnet-lab", "torch", "transformers", "tokenizers", "safetensors", "numpy")


def library_versions() -> Mapping[str, str]:
    """Return the installed release of every library whose release can change a number.

    >>> "torch" in library_versions()
    True
    """
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # run from a checkout, without installing
            continue
    return MappingProxyType(found)


@dataclass(frozen=True, slots=True)
class ModelProvenance:
    """Which weights, tokenizer, configuration and libraries a result rests on.

    Args:
        source: What `load` was given, as text.
        kind: How it was read.
        weights_sha256: See `causalnet.models.hashing` for what is hashed.
        tokenizer_sha256: Of the tokenizer's own JSON text.
        file_sha256: Of the file itself, for a model that is one file (GGUF).
        config: The model's configuration as its own file has it.
        versions: Library to release.
        dtype: The number format the model computes in, such as `"float32"`.
        device: Such as `"cpu"`.
        attention: The attention implementation, `"sdpa"` or `"eager"`.

    >>> here = ModelProvenance("tiny", "module", "ab", "cd", None, {"n_layer": 1}, {}, "float64",
    ...                        "cpu", "eager")
    >>> ModelProvenance.from_json(here.to_json()) == here
    True
    """

    source: str
    kind: ModelKind
    weights_sha256: str
    tokenizer_sha256: str
    file_sha256: str | None
    config: Mapping[str, object]
    versions: Mapping[str, str]
    dtype: str
    device: str
    attention: str

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain JSON values."""
        fields = {name: getattr(self, name) for name in _FIELDS}
        fields["config"], fields["versions"] = dict(self.config), dict(self.versions)
        plain: dict[str, Any] = json.loads(json.dumps(fields))
        return plain

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "ModelProvenance":
        """Read what `to_json` wrote.

        Raises:
            FormatError: Keys are missing or unknown.
        """
        missing = sorted(set(_FIELDS) - set(fields))
        unknown = sorted(set(fields) - set(_FIELDS))
        if missing or unknown or fields["kind"] not in get_args(ModelKind):
            raise FormatError(
                came=f"A model provenance record with missing keys {missing}, unknown keys "
                f"{unknown}, kind {fields.get('kind')!r}.",
                possible=f"Its keys are {', '.join(_FIELDS)}.",
                write="Give what ModelProvenance.to_json returned.",
            )
        return cls(**fields)


_FIELDS = tuple(ModelProvenance.__dataclass_fields__)
