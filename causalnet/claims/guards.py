"""What is refused before the YAML parser sees a text.

A claim file is small and flat.  Everything that YAML has beyond that, and everything that makes a
parser slow or deep, is refused here, in time linear in the text, with the place.
"""

import re

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StreamMark, YAMLError
from ruamel.yaml.tokens import (
    AliasToken,
    AnchorToken,
    BlockEndToken,
    BlockMappingStartToken,
    BlockSequenceStartToken,
    DirectiveToken,
    DocumentStartToken,
    FlowMappingEndToken,
    FlowMappingStartToken,
    FlowSequenceEndToken,
    FlowSequenceStartToken,
    StreamStartToken,
    TagToken,
    Token,
)

from causalnet.claims.source_text import Place, SourceText
from causalnet.errors import ClaimFileError

__all__ = ["MAX_DEPTH", "MAX_MARKS", "check_text", "place_of", "syntax_error"]

MAX_DEPTH = 64
"""The deepest nesting that is read."""

MAX_MARKS = 20_000
"""The most line ends, commas, colons and brackets in a file."""

_BRACKETS = re.compile(r"[\[\]{}]")
# YAML 1.2 allows no other control characters; a lone surrogate has no UTF-8.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff￾￿]")
_LEADING_TAB = re.compile(r"^[ ]*\t", re.MULTILINE)

_OPENS = (
    BlockMappingStartToken,
    BlockSequenceStartToken,
    FlowMappingStartToken,
    FlowSequenceStartToken,
)
_CLOSES = (BlockEndToken, FlowMappingEndToken, FlowSequenceEndToken)
_REFUSED: tuple[tuple[type[Token], str, str], ...] = (
    (AnchorToken, "An anchor", "Write the value again where it is needed."),
    (AliasToken, "An alias", "Write the value itself."),
    (TagToken, "A tag", "Leave it out: the schema says what every value is."),
    (DirectiveToken, "A directive", "Leave out the line that begins with '%'."),
)


def check_text(source: SourceText) -> None:
    """Refuse texts that are not a plain, shallow YAML or JSON document.

    Raises:
        ClaimFileError: Control characters, a tab as indentation, nesting deeper than `MAX_DEPTH`,
            more than `MAX_MARKS` entries, an anchor, an alias, a tag, a directive, a second
            document, or text that is not YAML at all.
    """
    _check_characters(source)
    _check_marks(source)
    _check_brackets(source)
    _check_tokens(source)


def _check_characters(source: SourceText) -> None:
    control = _CONTROL.search(source.text)
    if control:
        raise source.error(
            _place_at(source.text, control.start()),
            f"A control character {control[0]!r}.",
            "A claim file is plain text.",
            "Delete the character.",
        )
    tab = _LEADING_TAB.search(source.text)
    if tab:
        raise source.error(
            _place_at(source.text, tab.end() - 1),
            "A tab as indentation.",
            "YAML is indented with spaces.",
            "Replace the tab by two spaces.",
        )


def _check_marks(source: SourceText) -> None:
    marks = sum(map(source.text.count, "\n,:[{-?"))
    if marks > MAX_MARKS:
        raise ClaimFileError(
            f"The file has {marks} line ends, commas, colons, dashes and brackets.",
            f"At most {MAX_MARKS} are read.",
            "Keep prompts in a file of their own and name it with 'task: {file: pairs.jsonl}'.",
            path=source.path,
        )


def _check_brackets(source: SourceText) -> None:
    """Bound the nesting by brackets alone: cheaper than any parser, quoted or not."""
    depth = 0
    for bracket in _BRACKETS.finditer(source.text):
        depth = depth + 1 if bracket[0] in "[{" else max(0, depth - 1)
        if depth > MAX_DEPTH:
            raise _too_deep(source, _place_at(source.text, bracket.start()))


def _check_tokens(source: SourceText) -> None:
    """Walk the tokens, which the scanner makes one after the other and without recursion."""
    depth, begun = 0, False
    try:
        for token in YAML(typ="safe", pure=True).scan(source.text):
            depth += isinstance(token, _OPENS) - isinstance(token, _CLOSES)
            if depth > MAX_DEPTH:
                raise _too_deep(source, place_of(token.start_mark))
            if begun and isinstance(token, DocumentStartToken):
                raise source.error(
                    place_of(token.start_mark),
                    "A second document begins.",
                    "A claim file holds one document.",
                    "Put it into a file of its own.",
                )
            begun = begun or not isinstance(token, StreamStartToken)
            _check_kind(source, token)
    except (YAMLError, ValueError, OverflowError) as error:
        raise syntax_error(source, error) from error


def _check_kind(source: SourceText, token: Token) -> None:
    for refused, name, write in _REFUSED:
        if isinstance(token, refused):
            place = place_of(token.start_mark, token.end_mark)
            raise source.error(
                place, f"{name} is not read here.", "Plain keys and values are.", write
            )


def _too_deep(source: SourceText, place: Place) -> ClaimFileError:
    return source.error(
        place,
        f"The file is nested deeper than {MAX_DEPTH} levels.",
        "A claim file has four.",
        "See `causalnet schema` for its keys.",
    )


def _place_at(text: str, index: int) -> Place:
    return Place(text.count("\n", 0, index), index - (text.rfind("\n", 0, index) + 1))


def place_of(start: StreamMark, end: StreamMark | None = None) -> Place:
    """Return the place of a parser's marks; a stretch of several lines is cut to its first."""
    same_line = end is not None and end.line == start.line
    width = end.column - start.column if end is not None and same_line else 1
    return Place(start.line, start.column, max(1, width))


def syntax_error(source: SourceText, error: Exception) -> ClaimFileError:
    """Put a parser's error into our words."""
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        problem = str(error.problem or error.context or "cannot be read")
        return source.error(
            place_of(error.problem_mark),
            f"This is not YAML: {problem}.",
            "YAML wants 'key: value' with a space after the colon, and quotes around a text that "
            "holds ': ', ' #' or a bracket.",
            "Correct the line; examples/ioi.yaml shows every form.",
        )
    # ruamel has no place for an escape such as "\UFFFFFFFF" that is no character.
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return ClaimFileError(
        f"This is not YAML: {reason}.",
        "A claim file is plain text in YAML or JSON.",
        "Delete the escape sequence.",
        path=source.path,
    )
