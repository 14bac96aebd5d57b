"""Messages about what the user gave say what came, what was possible, what to write."""

import ast
from collections.abc import Iterator

from tests.house.tree import ROOT

ROOMS = (
    "abstraction",
    "claims",
    "cli",
    "discovery",
    "effects",
    "faithfulness",
    "known_circuits",
    "masked",
    "report",
    "tasks",
)
PARTS = ("came", "possible", "write")
# Calls that make such a message, with what stands before its parts.
MAKERS = {"error": 1, "mistake": 1, "place_error": 2}
NOT_OURS = ("InternalError", "AttributeError", "ImportError", "ModuleNotFoundError")


def calls() -> Iterator[tuple[str, ast.Call, int]]:
    """Every call that makes a message, with its place and the arguments before the parts."""
    for room in ROOMS:
        for path in sorted((ROOT / "causalnet" / room).glob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.Call):
                    continue
                name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
                name = node.func.id if isinstance(node.func, ast.Name) else name
                if name in MAKERS or (name.endswith("Error") and name not in NOT_OURS):
                    yield f"{room}/{path.name}:{node.lineno}", node, MAKERS.get(name, 0)


def lacks_a_part(call: ast.Call, before: int) -> bool:
    given = call.args[before:]
    if any(isinstance(part, ast.Starred) for part in given):
        return False  # parts that were made elsewhere
    named = [keyword.arg for keyword in call.keywords if keyword.arg in PARTS]
    empty = any(isinstance(part, ast.Constant) and not part.value for part in given)
    return empty or len(given) + len(named) < len(PARTS)


def test_every_message_has_its_three_parts() -> None:
    found = list(calls())
    assert len(found) > 100
    assert [place for place, call, before in found if lacks_a_part(call, before)] == []
