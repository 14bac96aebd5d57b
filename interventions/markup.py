"""Terms in notebooks: their text, escaped and cut where it is long."""

import re
from html import escape

from causalnet.interventions.terms import Written, abbreviated

__all__ = ["term_html"]

_INPUT = re.compile(r"&lt;.*?&gt;")


def term_html(term: Written) -> str:
    """Return a term's text as HTML, with the inputs of its worlds in bold; 240 characters at most.

    >>> from causalnet.interventions.worlds import Base
    >>> term_html(Base("base"))
    '<code><b>&lt;base&gt;</b></code>'
    """
    text = escape(abbreviated(term))
    return f"<code>{_INPUT.sub(lambda match: f'<b>{match[0]}</b>', text)}</code>"
