"""Reading names: the spelling of mediators and positions, and other libraries' spellings.

Names that are read may be in the spelling of TransformerLens or EAP; names that are printed are
always canonical.
"""

import difflib
import re
from collections.abc import Iterable

from causalnet.errors import TermError
from causalnet.graphs.arguments import check_type, listed, quoted

__all__ = ["canonical", "nearest", "split_positions"]

_ALIASES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), name)
    for pattern, name in (
        (r"blocks\.(\d+)\.hook_resid_(pre|mid|post)", r"L\1.resid_\2"),
        (r"blocks\.(\d+)\.hook_mlp_out", r"L\1.mlp"),
        (r"(?:input|hook_embed)", "embed"),
        (r"hook_pos_embed", "pos_embed"),
        (r"m(\d+)", r"L\1.mlp"),
        (r"a(\d+)\.h(\d+)<([qkv])>", r"L\1.H\2.\3"),
        (r"L?a?(\d+)\.?h(\d+)(\..+)?", r"L\1.H\2\3"),
    )
)
_WORDS = (("blocks.", "L"), ("hook_", ""), ("attn", "H"))
_LOOK_ALIKE = str.maketrans("lio", "110")
_LONGEST = 100  # characters of a misspelt name that are compared
_LEAST_LIKENESS, _SAME_LAYER, _MARGIN = 0.5, 0.25, 0.1
_POSITIONS = re.compile(r"(?P<name>[^\[\]]+)(?:\[(?P<at>[^\[\]]*)\])?")


def split_positions(text: str) -> tuple[str, tuple[str, ...]]:
    """Split `L9.H6[S2,end]` into the name and its positions; no bracket means every position.

    Raises:
        TermError: Brackets that do not match, or an empty bracket.

    >>> split_positions("L9.H6[S2, end]")
    ('L9.H6', ('S2', 'end'))
    >>> split_positions("L9.mlp")
    ('L9.mlp', ())
    """
    check_type(text, str, "Write 'L9.H6[end]'.")
    match = _POSITIONS.fullmatch(text.strip())
    positions = () if match is None else _listed(match["at"])
    if match is None or positions is None:
        raise TermError(
            f"{quoted(text)} is not a mediator.",
            "A mediator is a name with positions in brackets, if any: L9.H6, L9.H6[end].",
        )
    return match["name"].strip(), positions


def _listed(at: str | None) -> tuple[str, ...] | None:
    """Return the positions in a bracket, () without a bracket, None if one is empty."""
    if at is None:
        return ()
    names = tuple(name.strip() for name in at.split(","))
    return names if all(names) else None


def canonical(name: str) -> str:
    """Return the canonical spelling of a name; what is not an alias comes back as it is.

    A position in brackets stays.

    >>> canonical("blocks.9.hook_mlp_out"), canonical("a5.h3"), canonical("9.6"), canonical("L9H6")
    ('L9.mlp', 'L5.H3', '9.6', 'L9.H6')
    """
    check_type(name, str, "Write 'L9.H6'.")
    name, bracket, position = name.partition("[")
    if bracket:
        return f"{canonical(name)}[{position}"
    for pattern, replacement in _ALIASES:
        match = pattern.fullmatch(name)
        if match:
            return match.expand(replacement).removesuffix(".out")
    return name.removesuffix(".out")


def nearest(name: str, names: Iterable[str], count: int = 3) -> tuple[str, ...]:
    """Return the names that look most like a misspelt one, best first.

    Case and look-alikes (`l` and `1`) do not count, and names of the same layer come first.

    >>> nearest("L9.mpl", ["L9.mlp", "L9.H6", "L29.mlp"])
    ('L9.mlp',)
    >>> nearest("L23.Hl", ["L23.H0", "L23.H1", "L2.H1"])
    ('L23.H1',)
    """
    check_type(name, str, "Write 'L9.H6'.")
    wanted, layer = _folded(name[:_LONGEST]), _layer(name)
    scored = []
    for known in listed(names, "names", "Write ['L9.H6']."):
        check_type(known, str, "Write ['L9.H6'].")
        likeness = difflib.SequenceMatcher(None, wanted, _folded(known)).ratio()
        if likeness >= _LEAST_LIKENESS:
            scored.append((likeness + _SAME_LAYER * (_layer(known) == layer), known))
    scored.sort(key=lambda pair: -pair[0])  # stable: equally near names keep their order
    return tuple(known for score, known in scored[:count] if score > scored[0][0] - _MARGIN)


def _layer(name: str) -> str | None:
    number = re.search(r"\d+", name)
    return number[0] if number else None


def _folded(name: str) -> str:
    for theirs, ours in _WORDS:
        name = name.replace(theirs, ours)
    return name.casefold().translate(_LOOK_ALIKE)
