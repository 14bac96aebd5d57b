"""The signature of prompts that are not there yet."""

from causalnet.compiler.program import Program
from causalnet.compiler.report import positions_of_program
from causalnet.compiler.schedule import Signature
from causalnet.errors import ParameterError
from causalnet.interventions import Position

__all__ = ["assumed_signature"]


def assumed_signature(
    program: Program, prompts: int = 16, tokens: int = 16, first_different: int = 0
) -> Signature:
    """Return the signature of prompts of one length that first differ at one token.

    Indices count from the beginning, or from the end where they are negative; `end` is the last
    token, and any other name is where prompts first differ.

    Args:
        program: The program, whose positions are placed.
        prompts: How many.
        tokens: Their length.
        first_different: The first token at which any two inputs differ.

    Raises:
        ParameterError: No prompts, no tokens, or a position beyond them.
    """
    if prompts < 1 or tokens < 1 or not 0 <= first_different <= tokens:
        raise ParameterError(
            f"{prompts} prompts of {tokens} tokens that first differ at token {first_different}.",
            "There is at least one prompt with one token, and tokens are counted from 0.",
            "Write for example --prompts 16 --tokens 14 --first-different 9.",
        )
    inputs = sorted({version.input for version in program.versions})
    places = {
        (name, at): _column(at, tokens, first_different)
        for name in inputs
        for at in sorted(positions_of_program(program), key=str)
    }
    different = tuple(
        (one, other, first_different)
        for index, one in enumerate(inputs)
        for other in inputs[index + 1 :]
    )
    aligned = frozenset(
        (one, other, at)
        for one in inputs
        for other in inputs
        for at in positions_of_program(program)
    )
    listed = tuple((name, at, column, column) for (name, at), column in places.items())
    return Signature(prompts, tokens, 0, different, listed, aligned)


def _column(at: Position, tokens: int, first_different: int) -> int:
    if isinstance(at, int):
        if not -tokens <= at < tokens:
            raise ParameterError(
                f"Token {at} of prompts with {tokens} tokens.",
                f"Tokens are 0..{tokens - 1}, or -{tokens}..-1 from the end.",
                f"Write --tokens {abs(at) + 1} or more.",
            )
        return at % tokens
    return tokens - 1 if at.lower() == "end" else min(first_different, tokens - 1)
