"""Opening saved results."""

from pathlib import Path

from causalnet.effects.table import KIND, EffectTable
from causalnet.errors import FormatError
from causalnet.store import open_archive

__all__ = ["open_result"]


def open_result(path: str | Path) -> EffectTable:
    """Open a result that was saved to one file, with its provenance; exported as `cn.open`.

    Raises:
        FormatError: No such file, not one of ours, truncated or altered.
    """
    archive = open_archive(path)
    if archive.kind != KIND:
        raise FormatError(
            f"{str(path)!r} holds a {archive.kind!r}.",
            f"A {KIND!r} can be opened.",
            "Name a file that EffectTable.save wrote.",
        )
    return EffectTable.from_archive(archive)
