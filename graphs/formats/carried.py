"""How attributes and roles travel through formats that know less than JSON.

What a format can write by itself is written by itself, where every program sees it.  The rest goes,
as one JSON text, into the attribute `causalnet_json`, so that nothing is lost.  A latent node has
`observed="no"` (the mark that DoWhy reads), other roles stand in `causalnet_role`, and a bidirected
edge, where a format has none, is marked by `causalnet_edge`.
"""

from collections.abc import Callable, Collection, Mapping
from typing import TypeAlias

from causalnet.graphs.formats.graph_file import RESERVED, GraphFile
from causalnet.graphs.formats.json_text import parse_json
from causalnet.graphs.formats.source import Source
from causalnet.graphs.formats.values import FrozenMapping, Json, json_text

__all__ = [
    "EDGE",
    "EXTRA",
    "OVERFLOW",
    "ROLE",
    "Fits",
    "Scalar",
    "graph_level",
    "packed",
    "roles_of",
    "unpacked",
    "with_roles",
]

Scalar: TypeAlias = "bool | int | float | str"
Fits: TypeAlias = Callable[[str, Json], bool]
"""Whether a format can write an attribute of this name and value so that it is read back."""

OVERFLOW = RESERVED + "json"
ROLE = RESERVED + "role"
EDGE = RESERVED + "edge"
EXTRA = RESERVED + "extra"
_ROLES = ("exposure", "outcome", "adjusted")


def packed(attributes: Mapping[str, Json], fits: Fits) -> dict[str, Scalar]:
    """Return attributes that a format can write: its own, and the others as one JSON text.

    >>> packed({"w": 0.5, "at": (0, 1)}, lambda name, value: isinstance(value, float))
    {'w': 0.5, 'causalnet_json': '{"at": [0, 1]}'}
    """
    own: dict[str, Scalar] = {}
    rest: dict[str, Json] = {}
    for name, value in attributes.items():
        if isinstance(value, bool | int | float | str) and fits(name, value):
            own[name] = value
        else:
            rest[name] = value
    return own | {OVERFLOW: json_text(FrozenMapping(rest))} if rest else own


def unpacked(source: Source, at: int | str | None, found: Mapping[str, Json]) -> dict[str, Json]:
    """Return attributes with those of the JSON text among them put back.

    Raises:
        FormatError: A text that is not a JSON object, or an attribute that is there twice and
            differs.
    """
    own = dict(found)
    text = own.pop(OVERFLOW, None)
    if text is None:
        return own
    rest = parse_json(Source(source.name, text), at) if isinstance(text, str) else None
    if not isinstance(rest, FrozenMapping):
        raise source.error(
            at,
            f"{OVERFLOW!r} is {text!r:.60}.",
            "It holds a JSON object of attributes that the format cannot express.",
            "Delete it, or write an object.",
        )
    for name, value in rest.items():
        if name in own and own[name] != str(value):
            raise source.error(
                at,
                f"The attribute {name!r} is {own[name]!r:.60}, and {value!r:.60} in {OVERFLOW!r}.",
                "Each attribute is said once.",
                f"Take it out of {OVERFLOW!r}.",
            )
    return own | dict(rest)


def with_roles(file: GraphFile, name: str) -> dict[str, Scalar]:
    """Return the attributes that tell the roles of a node.

    >>> from causalnet.graphs.admg import ADMG
    >>> file = GraphFile.of(ADMG.of(nodes="U"), latents="U", adjusted="U")
    >>> with_roles(file, "U")
    {'observed': 'no', 'causalnet_role': 'adjusted'}
    """
    members = (file.exposures, file.outcomes, file.adjusted)
    roles = [role for role, names in zip(_ROLES, members, strict=True) if name in names]
    marks: dict[str, Scalar] = {"observed": "no"} if name in file.latents else {}
    return marks | {ROLE: " ".join(roles)} if roles else marks


def roles_of(source: Source, at: int | str | None, attributes: dict[str, Json]) -> set[str]:
    """Take the marks of roles out of a node's attributes and return the roles.

    Raises:
        FormatError: A role that is unknown.
    """
    roles: set[str] = set()
    if attributes.get("observed") == "no":
        del attributes["observed"]
        roles.add("latent")
    said = attributes.pop(ROLE, "")
    names = said.split() if isinstance(said, str) else [repr(said)]
    for name in names:
        if name not in _ROLES:
            raise source.error(
                at,
                f"The role {name!r:.60} is unknown.",
                f"Roles are {', '.join(_ROLES)}, with a space between two.",
                f"Correct {ROLE!r}; latent nodes are marked by observed='no'.",
            )
    return roles.union(names)


def graph_level(file: GraphFile, fits: Fits, leave_out: Collection[str] = ()) -> dict[str, Scalar]:
    """Return the attributes of the graph, and its extra fields as a JSON text."""
    kept = {name: value for name, value in file.graph_attributes.items() if name not in leave_out}
    attributes = packed(kept, fits)
    return attributes | {EXTRA: json_text(file.extra)} if file.extra else attributes
