"""Rules about the text of the source: nothing is executed from a file, nothing names a machine."""

import ast
import re

import pytest

from tests.house.tree import ROOT, source_files, text_files

UNSAFE_MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve"} | {
    "marshal",
    "yaml",  # ruamel.yaml is used: PyYAML takes the last of two equal keys
}
UNSAFE_NAMES = {"eval", "exec", "__import__"}
UNSAFE_ATTRIBUTES = {("torch", "load"), ("yaml", "load"), ("os", "system")}
UNSAFE_KEYWORDS = {"trust_remote_code", "allow_pickle", "shell"}  # refused unless False
# Joined here, so that this file does not hold what it looks for.
MACHINE_PLACES = [
    "/" + "work/",
    "/" + "root/",
    r"/" + r"home/\w",
    r"/" + r"Users/\w",
    "/" + "opt/wheels",
    "/" + "opt/pypi",
    "py" + "pi.org",
    "python" + "hosted.org",
    "registry." + "npmjs",
    "download." + "pytorch.org",
    "deb." + "debian.org",
]


def unsafe_parts(source: str) -> list[str]:
    """Every place of a source that could run code out of a file."""
    return [
        f"line {node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Call) and is_unsafe(node)
    ]


def is_unsafe(node: ast.Import | ast.ImportFrom | ast.Call) -> bool:
    """Whether an import or a call could run code out of a file."""
    match node:
        case ast.Import(names=names):
            return any(alias.name.split(".")[0] in UNSAFE_MODULES for alias in names)
        case ast.ImportFrom(module=module):
            return (module or "").split(".")[0] in UNSAFE_MODULES
        case ast.Call(func=ast.Name(id=name)) if name in UNSAFE_NAMES:
            return True
        case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=name)) if (
            owner,
            name,
        ) in UNSAFE_ATTRIBUTES:
            return True
        case ast.Call(keywords=keywords):
            return any(
                keyword.arg in UNSAFE_KEYWORDS
                and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
                for keyword in keywords
            )


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import torch; torch.load(path)",
        "eval(text)",
        "exec(text)",
        "numpy.load(path, allow_pickle=True)",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
        "AutoModel.from_pretrained(name, trust_remote_code=given)",
        "import yaml",
    ],
)
def test_the_scan_finds(source: str) -> None:
    assert unsafe_parts(source)


@pytest.mark.parametrize(
    "source",
    ["model.eval()", "from_pretrained(name, trust_remote_code=False)", "from ruamel import yaml"],
)
def test_the_scan_passes(source: str) -> None:
    assert not unsafe_parts(source)


def test_nothing_is_executed_from_a_file() -> None:
    found = {
        str(path.relative_to(ROOT)): parts
        for path in source_files()
        if (parts := unsafe_parts(path.read_text()))
    }
    assert not found


def test_modules_are_one_idea_long() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in source_files()
    }
    assert not {path: lines for path, lines in lengths.items() if lines > 500}


def test_no_text_names_a_machine_or_a_registry() -> None:
    pattern = re.compile("|".join(MACHINE_PLACES))
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in text_files()
        for match in pattern.finditer(path.read_text())
    ]
    assert not found


def test_examples_are_found_among_the_texts() -> None:
    names = {str(path.relative_to(ROOT)) for path in text_files()}
    assert {"Makefile", ".ci/run", "constraints.txt", "causalnet/errors.py"} <= names
