"""The programs of docs/abstraction.md run, one after the other, and print what the page shows."""

import io
import re
from contextlib import redirect_stdout

from tests.house.tree import ROOT

PAGE = (ROOT / "docs" / "abstraction.md").read_text(encoding="utf-8")


def test_programs_print_what_the_page_shows() -> None:
    names: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```\n+```\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 5 == len(re.findall("```python", PAGE))
    for program, shown in blocks:
        printed = io.StringIO()
        with redirect_stdout(printed):
            exec(program, names)
        assert printed.getvalue() == shown


def test_every_link_leads_to_a_file() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", PAGE)
    assert links
    for link in links:
        assert (ROOT / "docs" / link).exists(), link


def test_every_control_is_explained() -> None:
    from causalnet.abstraction import CONTROLS

    table = PAGE[PAGE.index("| control |") :]
    assert all(f"| {name} |" in table for name in CONTROLS)
