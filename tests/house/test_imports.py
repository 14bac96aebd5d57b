"""What must be fast to import loads nothing heavy: modules are counted, not seconds."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "pyro", "transformers", "pandas", "xarray", "matplotlib", "gguf", "accelerate")
LIST_MODULES = "\nimport sys; print(*(name for name in sys.modules if '.' not in name))"
HELP = """
import sys
from causalnet.cli.door import run_command_line
assert run_command_line(["--help"]) == 0
"""


def top_level_modules(program: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after a program."""
    run = subprocess.run(
        [sys.executable, "-c", program + LIST_MODULES],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return set(run.stdout.splitlines()[-1].split())


def test_the_list_sees_what_is_loaded() -> None:
    assert "torch" in top_level_modules("import torch")


@pytest.mark.parametrize(
    "room",
    ["", ".errors", ".graphs", ".interventions", ".identification", ".tasks", ".statistics"],
)
def test_light_rooms_load_nothing_heavy(room: str) -> None:
    assert not top_level_modules(f"import causalnet{room}") & set(HEAVY)


@pytest.mark.parametrize("room", [".abstraction", ".claims", ".cli", ".report"])
def test_rooms_around_a_model_load_no_tensors(room: str) -> None:
    assert not top_level_modules(f"import causalnet{room}") & set(HEAVY)


def test_import_causalnet_loads_no_numbers_either() -> None:
    assert not top_level_modules("import causalnet") & {"numpy", "scipy", "pydantic", "rich"}


def test_help_loads_nothing_heavy() -> None:
    assert not top_level_modules(HELP) & {*HEAVY, "numpy", "scipy", "rich"}
