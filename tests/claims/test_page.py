"""The programs of docs/verification.md run, one after the other, and print what the page shows."""

import io
import re
from contextlib import redirect_stdout
from typing import get_args

from causalnet.claims.kinds import Claim
from tests.house.tree import ROOT

PAGE = (ROOT / "docs" / "verification.md").read_text(encoding="utf-8")


def test_programs_print_what_the_page_shows() -> None:
    names: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```\n+```\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 2 == len(re.findall("```python", PAGE))
    for program, shown in blocks:
        printed = io.StringIO()
        with redirect_stdout(printed):
            exec(program, names)
        assert printed.getvalue() == shown


def test_every_link_leads_to_a_file_and_every_kind_is_listed() -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", PAGE):
        assert (ROOT / "docs" / link).exists(), link
    kinds = {one.model_fields["kind"].annotation for one in get_args(get_args(Claim)[0])}
    table = PAGE[PAGE.index("| kind |") : PAGE.index("M is the whole model")]
    assert {name for kind in kinds for name in get_args(kind)} == set(
        re.findall(r"`(\w+)`", "".join(re.findall(r"(?m)^\| ([^|]*) \|", table)))
    )
