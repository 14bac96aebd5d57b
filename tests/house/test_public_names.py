"""The names of `import causalnet as cn`: importable, and known to type checkers."""

import ast
import subprocess
import sys
from types import ModuleType

import pytest

import causalnet
from tests.house.tree import ROOT


def names_for_type_checkers() -> set[str]:
    """The names imported under TYPE_CHECKING in the package's own file."""
    tree = ast.parse((ROOT / "causalnet/__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    imported = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {str(alias.asname) for node in imported for alias in node.names}


@pytest.mark.parametrize("name", causalnet.__all__)
def test_every_public_name_is_there(name: str) -> None:
    value = getattr(causalnet, name)
    assert name == "tasks" or not isinstance(value, ModuleType)


def test_type_checkers_see_the_same_names() -> None:
    assert names_for_type_checkers() | {"__version__"} == set(causalnet.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'lfit'"):
        causalnet.lfit  # noqa: B018


def test_a_room_does_not_hide_the_function_of_its_name() -> None:
    program = "import causalnet.lift\nimport causalnet as cn\nassert not hasattr(cn.lift, 'lift')"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
