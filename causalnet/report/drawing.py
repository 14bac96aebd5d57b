"""Lines and words of the drawings, in the colour of the text around them."""

from causalnet.report.markup import Markup, tag

__all__ = ["line", "text"]


def line(x1: float, y1: float, x2: float, y2: float, **style: str) -> Markup:
    """Return a straight line in SVG."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, **{"stroke": "currentColor", **style})


def text(x: float, y: float, words: str, **style: str) -> Markup:
    """Return words in SVG, centred at `x` unless `style` says otherwise."""
    quiet = {
        "fill": "currentColor",
        "font_size": "12",
        "text_anchor": "middle",
        "opacity": "0.78",
    }
    return tag("text", words, x=x, y=y, **{**quiet, **style})
