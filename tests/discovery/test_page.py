"""The programs of docs/discovery.md run, one after the other, and print what the page shows."""

import io
import re
from contextlib import redirect_stdout

from causalnet.discovery.methods import METHODS
from tests.house.tree import ROOT

PAGE = (ROOT / "docs" / "discovery.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"[-+]?\d+\.?\d*e[-+]\d+")  # rounding: its digits are the machine's


def test_programs_print_what_the_page_shows() -> None:
    names: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```\n+```\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 5 == len(re.findall("```python", PAGE))
    for program, shown in blocks:
        printed = io.StringIO()
        with redirect_stdout(printed):
            exec(program, names)
        assert NUMBER.sub("tiny", printed.getvalue()) == NUMBER.sub("tiny", shown)


def test_every_link_leads_to_a_file_and_every_method_is_one() -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", PAGE):
        assert (ROOT / "docs" / link).exists(), link
    table = PAGE[PAGE.index("| you have") : PAGE.index("What each is known")]
    named = set(re.findall(r"`(\w+)`", table)) - {"kl", "co_ablation"}
    assert named <= set(METHODS)
