"""What a reader of an answer must know beside its formula or its witness."""

from causalnet.identification.answers import Answer, NotIdentified

__all__ = ["notes_of"]


def notes_of(answer: Answer) -> tuple[str, ...]:
    """Return the notes of an answer, and of the bounds that it comes with.

    >>> from causalnet.graphs.admg import ADMG
    >>> from causalnet.identification.door import identify
    >>> bow = ADMG.of(directed=[("X", "Y")], bidirected=[("X", "Y")])
    >>> answer = identify("P(y | do(x))", bow)
    >>> isinstance(answer, NotIdentified) and answer.bounds is not None
    True
    >>> notes_of(answer) == answer.notes + answer.bounds.notes
    True
    """
    if isinstance(answer, NotIdentified) and answer.bounds is not None:
        return tuple(dict.fromkeys(answer.notes + answer.bounds.notes))
    return answer.notes
