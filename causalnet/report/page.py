"""The report as one HTML file that loads nothing and runs only its own two scripts."""

import base64
import hashlib
from functools import cache
from importlib.resources import files

from causalnet.report.markup import Markup, script_json, tag
from causalnet.report.palette import DARK, LIGHT
from causalnet.report.sections import sections
from causalnet.report.view import ReportView

__all__ = ["html_text"]

# cytoscape.js would add this very sheet by itself, which the policy would refuse.
_CYTOSCAPE_SHEET = Markup(".__________cytoscape_container { position: relative; }")


def html_text(view: ReportView) -> str:
    """Return the whole page as text.

    The page's policy lets it load nothing from anywhere, lets only the scripts and style sheets run
    whose hashes it lists, and forbids turning text into markup at run time.
    """
    sheet = Markup(_colours() + _asset("report.css"))
    scripts = [_asset("cytoscape.min.js"), _asset("report.js")] if view.circuit else []
    scripts = scripts or [_asset("report.js")]
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(scripts, [sheet])),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", view.title),
        tag("style", _CYTOSCAPE_SHEET, id="__________cytoscape_stylesheet"),
        tag("style", sheet),
    )
    body = tag(
        "body",
        tag("main", *sections(view)),
        tag("div", id="tip", role="tooltip", hidden=True),
        tag("script", script_json(view.to_json()), type="application/json", id="report-view"),
        *(tag("script", script) for script in scripts),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _policy(scripts: list[Markup], sheets: list[Markup]) -> str:
    styles = " ".join(_digest(sheet) for sheet in [_CYTOSCAPE_SHEET, *sheets])
    return "; ".join(
        [
            "default-src 'none'",
            "script-src " + " ".join(_digest(script) for script in scripts),
            f"style-src {styles}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _asset(name: str) -> Markup:
    return Markup(files("causalnet.report").joinpath("assets", name).read_text("utf-8"))


def _colours() -> str:
    """Return the palette as CSS variables; up and down the stream have colours of their own."""

    def rules(table: dict[str, str], upstream: str, downstream: str) -> str:
        named = {**table, "upstream": upstream, "downstream": downstream}
        return ":root{" + ";".join(f"--cn-{key}:{value}" for key, value in named.items()) + "}"

    light, dark = rules(LIGHT, "#8a3ea8", "#00798f"), rules(DARK, "#d79bf0", "#4fd0e3")
    return f"{light}@media (prefers-color-scheme: dark){{{dark}}}\n"
