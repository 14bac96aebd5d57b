"""Prompts with the values that a high-level model's inputs have on them; no tensors."""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from causalnet.abstraction.expressions import Value
from causalnet.errors import AnswerError, ParameterError, PromptError
from causalnet.tasks import PromptPairs, Prompts
from causalnet.tasks.encoding import Encoder

__all__ = ["Examples", "Reading", "Spelling"]

Kind = Literal["token", "number", "index", "template", "length"]
_ROW_FIELDS = ("prompt", "prompt_ids", "positions", "template")


@dataclass(frozen=True, slots=True)
class Reading:
    """How the value of an input is read off a prompt.

    Attributes:
        kind: `token`, the text of the token at a position, without spaces; `number`, the same as
            a whole number; `index`, the place of that token; `template`; `length` in tokens.
        at: Named positions; of several, one is taken by the order in which they stand.
        nth: Which of them, from 0 in the order of the prompt.

    Raises:
        ParameterError: An unknown kind, positions where there are none to read or none where there
            are, or no such place among them.
    """

    kind: Kind
    at: tuple[str, ...] = ()
    nth: int = 0

    def __post_init__(self) -> None:
        """Check that the kind has what it reads."""
        needs = self.kind in ("token", "number", "index")
        if self.kind not in get_args(Kind) or needs != bool(self.at):
            raise ParameterError(
                f"A reading of kind {self.kind!r} at {list(self.at)}.",
                "token, number and index are read at positions; template and length are not.",
                "Write for example Reading('token', ('S1',)).",
            )
        if self.at and not 0 <= self.nth < len(self.at):
            raise ParameterError(
                f"Number {self.nth} of the positions {', '.join(self.at)}.",
                f"They are numbered 0..{len(self.at) - 1}, in the order of the prompt.",
                "Write nth=0 for the first.",
            )

    @classmethod
    def of(cls, written: object) -> "Reading":
        """Return a reading from plain values, as in a file.

        Args:
            written: `{token: S1}`, `{token: [IO, S1], nth: 0}`, `{number: first}`, `{index: S1}`,
                `template` or `length`.

        Raises:
            ParameterError: Something else.

        >>> Reading.of({"token": ["IO", "S1"], "nth": 1})
        Reading(kind='token', at=('IO', 'S1'), nth=1)
        """
        if isinstance(written, Reading):
            return written
        if written in ("template", "length"):
            return cls(written)
        if isinstance(written, Mapping):
            nth = written.get("nth", 0)
            kinds = [key for key in written if key != "nth"]
            at = written[kinds[0]] if len(kinds) == 1 else None
            places = (at,) if isinstance(at, str) else at
            if isinstance(nth, int) and isinstance(places, Sequence) and places:
                return cls(kinds[0], tuple(map(str, places)), nth)
        raise ParameterError(
            f"The reading {written!r}.",
            f"There are {', '.join(get_args(Kind))}, the first three at a position.",
            "Write for example {token: S1} or {token: [IO, S1], nth: 0}.",
        )

    def values(self, prompts: Prompts) -> tuple[Value, ...]:
        """Return the value on every prompt.

        Raises:
            PromptError: A position that the prompts do not have, or a token that is no number.
        """
        if self.kind == "template":
            return prompts.templates
        if self.kind == "length":
            return prompts.lengths
        columns = [prompts.at(name) for name in self.at]
        places = [sorted(places)[self.nth] for places in zip(*columns, strict=True)]
        if self.kind == "index":
            return tuple(places)
        texts = [prompts.tokens[row][place].strip() for row, place in enumerate(places)]
        if self.kind == "token":
            return tuple(texts)
        odd = next((row for row, text in enumerate(texts) if not text.lstrip("-").isdigit()), None)
        if odd is not None:
            raise PromptError(
                f"The token {texts[odd]!r} of {prompts.texts[odd]!r} is no whole number.",
                "A reading of kind 'number' is of digits.",
                "Write kind 'token'.",
            )
        return tuple(int(text) for text in texts)


@dataclass(frozen=True, slots=True, eq=False)
class Spelling:
    """Which token says that the output has a value.

    Attributes:
        tokenizer: A Hugging Face tokenizer.
        form: How a value is written behind a prompt, `{}` where it stands.
        tokens: Token ids of values that are not written so.
    """

    tokenizer: Any
    form: str = " {}"
    tokens: Mapping[Value, int] = field(default_factory=dict)

    def tokens_of(self, values: Iterable[Value], behind: Sequence[int]) -> dict[Value, int]:
        """Return the token of each value.

        Args:
            values: The values that the output has.
            behind: Token ids of a prompt that they stand behind.

        Raises:
            AnswerError: A value that is not one token there, or two that are the same token.
        """
        encoder, found = Encoder(self.tokenizer), dict[Value, int]()
        prompt = encoder.encode_ids(tuple(behind))
        for value in dict.fromkeys(values):
            if value in self.tokens:
                found[value] = self.tokens[value]
                continue
            text = self.form.format(value)
            added = encoder.continuation(prompt, text) or ()
            if len(added) != 1 or encoder.is_unknown(added[0]):
                raise AnswerError(
                    f"The output {value!r}, written {text!r}, is {len(added)} known tokens.",
                    "An answer is one token behind the prompt.",
                    "Give another form, such as '{}' without the space, or its token in tokens.",
                )
            found[value] = added[0]
        by_token: dict[int, Value] = {}
        for value, token in found.items():
            if token in by_token:
                raise AnswerError(
                    f"The outputs {by_token[token]!r} and {value!r} are both token {token}.",
                    "Values that are told apart have tokens of their own.",
                    "Give their tokens in tokens.",
                )
            by_token[token] = value
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Prompts, and what a high-level model's inputs are on each.

    Attributes:
        prompts: The prompts.
        inputs: Column name -> a value for each prompt.
        spelling: Which tokens stand for the output's values.

    Raises:
        PromptError: A column with another number of rows, or no prompt.
    """

    prompts: Prompts
    inputs: Mapping[str, tuple[Value, ...]]
    spelling: Spelling

    def __post_init__(self) -> None:
        """Check that each column has a value for each prompt."""
        n = len(self.prompts)
        wrong = [name for name, column in self.inputs.items() if len(column) != n]
        if wrong or not n:
            raise PromptError(
                f"The column {wrong[0]!r} has {len(self.inputs[wrong[0]])} values for {n} prompts."
                if wrong
                else "There are no examples.",
                "One value of each input for each prompt, and at least one prompt.",
                "Give a table with a row for each prompt.",
            )

    @classmethod
    def from_pairs(
        cls,
        pairs: PromptPairs,
        tokenizer: Any,
        read: Mapping[str, object],
        *,
        answer: str = " {}",
        tokens: Mapping[Value, int] | None = None,
        side: Literal["base", "source"] = "base",
    ) -> "Examples":
        """Return the prompts of one side of a task, their inputs read off them.

        Args:
            pairs: The task's prompts.
            tokenizer: The model's tokenizer.
            read: Input -> how it is read: a `Reading`, or plain values that `Reading.of` takes.
            answer: How an output is written behind a prompt.
            tokens: Token ids of outputs that are not written so.
            side: Which prompts.

        Raises:
            ParameterError, PromptError: A reading that is none or does not fit the prompts.
        """
        prompts = pairs.base if side == "base" else pairs.source
        inputs = {name: Reading.of(written).values(prompts) for name, written in read.items()}
        return cls(prompts, inputs, Spelling(tokenizer, answer, dict(tokens or {})))

    @classmethod
    def from_rows(
        cls,
        tokenizer: Any,
        rows: Iterable[Mapping[str, object]],
        *,
        answer: str = " {}",
        tokens: Mapping[Value, int] | None = None,
    ) -> "Examples":
        """Return the examples of a table.

        Args:
            tokenizer: The model's tokenizer.
            rows: For each prompt `prompt` (text) or `prompt_ids`, if wanted `positions` (name ->
                token index, or a text whose last token it is) and `template`; every other column
                is an input.
            answer: How an output is written behind a prompt.
            tokens: Token ids of outputs that are not written so.

        Raises:
            PromptError: A row without a prompt, with other columns than the first, or positions
                that are not there.

        >>> from causalnet.known_circuits import known_circuit
        >>> words = known_circuit("induction").tokenizer()
        >>> table = [{"prompt": "a b a", "last": "a"}, {"prompt": "b a b", "last": "b"}]
        >>> Examples.from_rows(words, table).inputs
        {'last': ('a', 'b')}
        """
        listed = [dict(row) for row in rows]
        names = [key for key in (listed[0] if listed else ()) if key not in _ROW_FIELDS]
        for at, row in enumerate(listed):
            if {key for key in row if key not in _ROW_FIELDS} != set(names):
                raise PromptError(
                    f"Row {at} has other columns than row 0.",
                    f"Row 0 has {', '.join(names)}.",
                    "Give a value of each input in every row.",
                )
        prompts = _prompts(Encoder(tokenizer), listed)
        inputs = {name: tuple(_hashable(row[name]) for row in listed) for name in names}
        return cls(prompts, inputs, Spelling(tokenizer, answer, dict(tokens or {})))

    def __len__(self) -> int:
        """Return the number of prompts."""
        return len(self.prompts)

    def row(self, index: int) -> dict[str, Value]:
        """Return the inputs of one prompt."""
        return {name: column[index] for name, column in self.inputs.items()}

    def rows(self, indices: Iterable[int]) -> "Examples":
        """Return the examples with these indices, in this order."""
        kept = tuple(indices)
        inputs = {name: tuple(column[i] for i in kept) for name, column in self.inputs.items()}
        return replace(self, prompts=self.prompts.rows(kept), inputs=inputs)

    def without(self, seen: Mapping[str, Collection[Value]]) -> "Examples":
        """Return the examples none of whose inputs was seen before: a held-out split.

        Args:
            seen: Column -> values that were used to find what is tested.

        Raises:
            ParameterError: No such column, or nothing is left.
        """
        unknown = [name for name in seen if name not in self.inputs]
        if unknown:
            raise ParameterError(
                f"There is no column {unknown[0]!r}.",
                f"There are {', '.join(self.inputs)}.",
                "Name one of these.",
            )
        kept = [
            row
            for row in range(len(self))
            if not any(self.inputs[name][row] in values for name, values in seen.items())
        ]
        if not kept:
            raise ParameterError(
                f"All {len(self)} examples have a value that was seen.",
                "Held-out examples share no value of these columns with those used before.",
                "Draw more examples, or leave values out of the search.",
            )
        return self.rows(kept)

    def with_column(
        self, name: str, values: Sequence[Value] | Callable[[Mapping[str, Value]], Value]
    ) -> "Examples":
        """Return the examples with one more column, such as a key on which pairs are to agree.

        Args:
            name: Of the column; one that is there already is replaced.
            values: A value for each prompt, or a function of the other inputs.
        """
        column = map(values, map(self.row, range(len(self)))) if callable(values) else values
        return replace(self, inputs={**self.inputs, name: tuple(column)})

    def column(self, name: str) -> tuple[Value, ...]:
        """Return a column: an input, or `template` or `length` of the prompts.

        Raises:
            ParameterError: No such column.
        """
        if name in self.inputs:
            return self.inputs[name]
        if name in ("template", "length"):
            return Reading(name).values(self.prompts)  # type: ignore[arg-type]  # one of the two
        raise ParameterError(
            f"There is no column {name!r}.",
            f"There are {', '.join((*self.inputs, 'template', 'length'))}.",
            "Name one of these.",
        )

    def digest(self) -> str:
        """Return the sha256 of prompts and inputs."""
        table = {name: list(map(repr, column)) for name, column in sorted(self.inputs.items())}
        asked = json.dumps([self.prompts.ids, table, self.spelling.form])
        return hashlib.sha256(asked.encode()).hexdigest()


def _prompts(encoder: Encoder, rows: Sequence[Mapping[str, Any]]) -> Prompts:
    encodings, positions = [], []
    for at, row in enumerate(rows):
        if ("prompt" in row) == ("prompt_ids" in row):
            raise PromptError(
                f"Row {at} has {'both prompt and' if 'prompt' in row else 'neither prompt nor'} "
                "prompt_ids.",
                "A prompt is a text or token ids.",
                "Give one of the two.",
            )
        is_text = "prompt" in row
        encoding = (
            encoder.encode(row["prompt"])
            if is_text
            else encoder.encode_ids(tuple(row["prompt_ids"]))
        )
        found = dict(row.get("positions", {}))
        for name, place in found.items():
            if isinstance(place, str):
                stop = encoding.given.find(place)
                found[name] = -1 if stop < 0 else encoding.last_token(stop + len(place))
            if isinstance(place, str) and found[name] < 0:
                raise PromptError(
                    f"Row {at}: {place!r} does not stand in {encoding.given!r}.",
                    "A position is a token index, or a text of the prompt whose last token it is.",
                    "Write a text that is there.",
                )
        encodings.append(encoding)
        positions.append(found | {"end": len(encoding.ids) - 1})
    names = set(positions[0]) if positions else set[str]()
    odd = next((at for at, found in enumerate(positions) if set(found) != names), None)
    if odd is not None:
        raise PromptError(
            f"Row {odd} and row 0 do not name the same positions.",
            f"Row 0 names {', '.join(sorted(names))}.",
            "Name the same positions in every row.",
        )
    return Prompts(
        texts=tuple(each.text for each in encodings),
        ids=tuple(each.ids for each in encodings),
        tokens=tuple(each.tokens for each in encodings),
        positions={
            name: tuple(found[name] for found in positions) for name in sorted(names | {"end"})
        },
        templates=tuple(str(row.get("template", "")) for row in rows),
    )


def _hashable(value: object) -> Value:
    return tuple(value) if isinstance(value, list) else value
