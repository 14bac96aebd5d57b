"""The colours of a report, one table for the page, the drawings and the picture.

Blue and orange stay apart for every common kind of colour blindness, and so do the verdicts'
colours, which never stand without their sign or word.  A drawing names a colour by a CSS variable
with a middle tone behind it, so that it reads on light and dark ground, alone or in the page.
"""

__all__ = ["DARK", "LIGHT", "MIDDLE", "VERDICT_SIGNS", "variable"]

LIGHT = {
    "negative": "#1c5fae",
    "positive": "#c4500c",
    "supported": "#007a5e",
    "refuted": "#b5340f",
    "inconclusive": "#8a6100",
    "undefined": "#646a75",
    "on-strong": "#ffffff",
}
DARK = {
    "negative": "#62abff",
    "positive": "#ff9d57",
    "supported": "#3fcfa3",
    "refuted": "#ff8b66",
    "inconclusive": "#e9bd55",
    "undefined": "#a7adb8",
    "on-strong": "#101216",
}
MIDDLE = {
    "negative": "#2f7fd6",
    "positive": "#e0702a",
    "supported": "#0a9373",
    "refuted": "#d9542b",
    "inconclusive": "#c08a1a",
    "undefined": "#858b96",
    "on-strong": "#ffffff",
}
VERDICT_SIGNS = {"SUPPORTED": "✓", "REFUTED": "✗", "INCONCLUSIVE": "?", "UNDEFINED": "∅"}


def variable(name: str) -> str:
    """Return the CSS colour for `name`, which the page defines for light and dark.

    >>> variable("negative")
    'var(--cn-negative, #2f7fd6)'
    """
    return f"var(--cn-{name}, {MIDDLE[name]})"
