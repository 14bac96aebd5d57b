"""How much work a call is, counted: lines of the package, and calls of its linear searches."""

import sys
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

SEARCHES = {"find_walk", "reach", "breadth_first", "components"}


def work(call: Callable[[], Any]) -> tuple[int, Counter[str]]:
    """Return how many lines were run outside the linear searches, and how often which was called.

    The searches are linear in nodes and edges, which their own tests count.
    """
    lines = 0
    calls: Counter[str] = Counter()

    def watch(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal lines
        if event == "call":
            name = frame.f_code.co_name
            if name in SEARCHES:
                calls[name] += 1
                return None
            if "causalnet" not in frame.f_globals.get("__name__", ""):
                return None
        elif event == "line":
            lines += 1
        return watch

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        call()
    finally:
        sys.settrace(before)
    return lines, calls
