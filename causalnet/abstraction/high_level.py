"""High-level causal models: named variables, each a function of others; no tensors.

A hypothesis about what a network computes is such a model with an alignment of its variables to
parts of the network (Geiger et al. 2021, 2025).  Models are deterministic: every variable but the
inputs is a function of its parents.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from causalnet.abstraction.expressions import Value, parse_expression
from causalnet.errors import CausalNetError, FormatError, GraphError

__all__ = ["HighLevelModel", "Variable"]


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable that is computed.

    Attributes:
        name: Its name.
        parents: The variables and inputs that it reads.
        function: From their values, by name, to its own.
        text: What it computes, as it is printed and told apart by: an expression, or the name
            of a Python function.
    """

    name: str
    parents: tuple[str, ...]
    function: Callable[..., Value] = field(compare=False, repr=False)
    text: str

    @classmethod
    def of(
        cls, name: str, function: Callable[..., Value], parents: Iterable[str] | None = None
    ) -> "Variable":
        """Return a variable that a Python function computes.

        Args:
            name: Its name.
            function: Takes the values of its parents, by name.
            parents: Their names; by default those of the function's parameters.

        Raises:
            GraphError: A function whose parameters do not name the parents: `*args`, `**kwargs`,
                positional parameters.

        >>> Variable.of("total", lambda first, second: (first + second) % 7).parents
        ('first', 'second')
        """
        called = f"{getattr(function, '__name__', 'function')} of Python"
        if parents is not None:
            return cls(name, tuple(parents), function, called)
        found = inspect.signature(function).parameters.values()
        kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        odd = [str(each) for each in found if each.kind not in kinds]
        if odd:
            raise GraphError(
                f"The function of {name!r} has the parameter {odd[0]}.",
                "The parameters of a function name the parents of its variable.",
                "Write one parameter for each parent, or give the parents by name.",
            )
        own = [each.name for each in found if each.default is inspect.Parameter.empty]
        return cls(name, tuple(own), function, called)


@dataclass(frozen=True, slots=True)
class HighLevelModel:
    """A hypothesis of what is computed: inputs, variables computed from them, one output.

    Args:
        name: What it is called.
        inputs: What is given; each is a column of the table that the model is run on.
        variables: What is computed, in any order.
        output: The variable that is the network's answer.

    Raises:
        GraphError: A name that is there twice or is none, a parent that does not exist, a cycle,
            an output that is not computed, a variable or input that nothing reads.

    >>> model = HighLevelModel.of(
    ...     "sum modulo 7",
    ...     inputs=["first", "second"],
    ...     variables={"total": lambda first, second: (first + second) % 7},
    ...     output="total",
    ... )
    >>> base, source = {"first": 2, "second": 3}, {"first": 6, "second": 1}
    >>> model.answer(base), model.answer(base, do={"first": 0})
    (5, 3)
    >>> model.interchange(base, {"first": source})
    2
    """

    name: str
    inputs: tuple[str, ...]
    variables: tuple[Variable, ...]
    output: str

    def __post_init__(self) -> None:
        """Check the graph, and put the variables in an order in which they can be computed."""
        self._check_names()
        parents = {variable.name: variable.parents for variable in self.variables}
        self._check_parents(parents)
        try:
            order = [*TopologicalSorter(parents).static_order()]
        except CycleError as error:
            circle = " -> ".join(reversed(error.args[1]))
            raise GraphError(
                f"The variables of {self.name!r} read each other in a circle: {circle}.",
                "A high-level model has no cycle.",
                "Leave one of these parents out.",
            ) from None
        by_name = {variable.name: variable for variable in self.variables}
        ordered = tuple(by_name[name] for name in order if name in by_name)
        object.__setattr__(self, "variables", ordered)
        self._check_read()

    @classmethod
    def of(
        cls,
        name: str,
        *,
        inputs: Sequence[str],
        variables: Mapping[str, Callable[..., Any]] | Iterable[Callable[..., Any]],
        output: str,
    ) -> "HighLevelModel":
        """Return a model whose variables are Python functions.

        Args:
            name: What it is called.
            inputs: What is given.
            variables: Functions by the names of their variables, or functions that are called as
                their variables are; parents are the names of parameters.
            output: The variable that is the answer.

        Raises:
            GraphError: See the class.
        """
        if isinstance(variables, Mapping):
            listed = list(variables.items())
        else:
            listed = [(getattr(each, "__name__", ""), each) for each in variables]
        made = tuple(Variable.of(called, function) for called, function in listed)
        return cls(name, tuple(inputs), made, output)

    @classmethod
    def from_mapping(cls, written: Mapping[str, object]) -> "HighLevelModel":
        """Return a model that plain values write, as in a file.

        Args:
            written: `name`, `inputs` (a list of names), `variables` (name -> expression, see
                `causalnet.abstraction.expressions`) and `output`.

        Raises:
            FormatError: A field that is missing, unknown or of another type.
            GraphError: See the class.

        >>> model = HighLevelModel.from_mapping(
        ...     {
        ...         "name": "indirect object",
        ...         "inputs": ["first", "second", "third"],
        ...         "variables": {
        ...             "place": {"find": ["third", "first", "second"]},
        ...             "answer": {"choose": ["place", "second", "first"]},
        ...         },
        ...         "output": "answer",
        ...     }
        ... )
        >>> model.answer({"first": "Mary", "second": "John", "third": "Mary"})
        'John'
        """
        name, inputs, variables, output = _fields(written)
        made: list[Variable] = []
        for called, text in variables.items():
            try:
                expression = parse_expression(text)
            except FormatError as error:
                came = f"Variable {called!r}: {error.came}"
                raise FormatError(came, error.possible, error.write) from None
            made.append(Variable(called, expression.names, expression, str(expression)))
        return cls(name, inputs, tuple(made), output)

    @property
    def names(self) -> tuple[str, ...]:
        """Inputs, then variables in an order in which they can be computed."""
        return (*self.inputs, *(variable.name for variable in self.variables))

    def ancestors(self, name: str) -> frozenset[str]:
        """Return the inputs and variables that one depends on, itself left out.

        Raises:
            GraphError: No such variable.
        """
        self.check_is_known([name])
        parents = {variable.name: variable.parents for variable in self.variables}
        found, waiting = set[str](), list(parents.get(name, ()))
        while waiting:
            each = waiting.pop()
            if each not in found:
                found.add(each)
                waiting.extend(parents.get(each, ()))
        return frozenset(found)

    def run(
        self, inputs: Mapping[str, Value], do: Mapping[str, Value] | None = None
    ) -> dict[str, Value]:
        """Return the values of inputs and variables, some of them set.

        Args:
            inputs: The values of the inputs; further names are not read.
            do: Values that are set, by the name of input or variable.

        Raises:
            GraphError: An input that is missing, or a name that is not one of the model's.
            CausalNetError: A function that fails on these values; it is named with them.
        """
        setting = dict(do or {})
        self.check_is_known(setting)
        lacking = [name for name in self.inputs if name not in inputs and name not in setting]
        if lacking:
            raise GraphError(
                f"The input {lacking[0]!r} of {self.name!r} has no value.",
                f"It reads {', '.join(self.inputs)}; given were {', '.join(inputs) or 'none'}.",
                "Give a value for each input.",
            )
        values = {name: setting[name] if name in setting else inputs[name] for name in self.inputs}
        for variable in self.variables:
            given = setting.get(variable.name, _UNSET)
            values[variable.name] = self._value(variable, values) if given is _UNSET else given
        return values

    def answer(self, inputs: Mapping[str, Value], do: Mapping[str, Value] | None = None) -> Value:
        """Return the output, some variables set; errors as in `run`."""
        return self.run(inputs, do)[self.output]

    def interchange(
        self, base: Mapping[str, Value], sources: Mapping[str, Mapping[str, Value]]
    ) -> Value:
        """Return the output on a base, variables set to what they are on sources.

        Args:
            base: The inputs that the model is run on.
            sources: Variable -> the inputs that its value is taken from.

        Raises:
            GraphError, CausalNetError: As in `run`.
        """
        self.check_is_known(sources)
        setting = {name: self.run(source)[name] for name, source in sources.items()}
        return self.answer(base, setting)

    def check_is_known(self, names: Iterable[str]) -> None:
        """Refuse names that are neither inputs nor variables.

        Raises:
            GraphError: There is one.
        """
        strange = [name for name in names if name not in self.names]
        if strange:
            raise GraphError(
                f"{self.name!r} has no variable {strange[0]!r}.",
                f"It has {', '.join(self.names)}.",
                "Name one of these.",
            )

    def __str__(self) -> str:
        """Return a line for the inputs and one for each variable."""
        lines = [f"{self.name}: {', '.join(self.inputs)} -> {self.output}"]
        lines += [
            f"  {each.name}({', '.join(each.parents)}) := {each.text}" for each in self.variables
        ]
        return "\n".join(lines)

    def _value(self, variable: Variable, values: Mapping[str, Value]) -> Value:
        given = {parent: values[parent] for parent in variable.parents}
        try:
            value = variable.function(**given)
            hash(value)
        except Exception as error:
            shown = ", ".join(f"{name}={each!r}" for name, each in given.items())
            raise CausalNetError(
                f"{variable.name!r} of {self.name!r} fails at {shown}: "
                f"{type(error).__name__}: {error}.",
                "A variable has one hashable value for all values of its parents.",
                "Write what it is there, or leave such examples out.",
            ) from error
        return value

    def _check_names(self) -> None:
        names = [*self.inputs, *(variable.name for variable in self.variables)]
        odd = [name for name in names if not (isinstance(name, str) and name.isidentifier())]
        twice = [name for name in names if names.count(name) > 1]
        if odd or twice:
            raise GraphError(
                f"The name {odd[0]!r} in {self.name!r}."
                if odd
                else f"The name {twice[0]!r} is there twice in {self.name!r}.",
                "Inputs and variables have names of their own: letters, digits, underscores.",
                "Rename it, here and where it is read.",
            )
        computed = [variable.name for variable in self.variables]
        if self.output not in computed:
            raise GraphError(
                f"The output {self.output!r} of {self.name!r} is not computed.",
                f"Computed are {', '.join(computed) or 'none'}.",
                "Name one of these as the output.",
            )

    def _check_parents(self, parents: Mapping[str, tuple[str, ...]]) -> None:
        known = {*self.inputs, *parents}
        for name, read in parents.items():
            for parent in read:
                if parent not in known:
                    raise GraphError(
                        f"{name!r} reads {parent!r}, which {self.name!r} does not have.",
                        f"It has {', '.join([*self.inputs, *parents])}.",
                        "Read one of these, or list it among the inputs.",
                    )

    def _check_read(self) -> None:
        read = {self.output} | {parent for each in self.variables for parent in each.parents}
        unread = [name for name in self.names if name not in read]
        if unread:
            raise GraphError(
                f"Nothing in {self.name!r} reads {unread[0]!r}.",
                "Every input and variable but the output is read by another: setting what nothing "
                "reads changes no answer.",
                "Leave it out, or let the variable that depends on it read it.",
            )


_UNSET = object()


def _fields(
    written: Mapping[str, object],
) -> tuple[str, tuple[str, ...], Mapping[str, object], str]:
    """Return the checked fields of a model written as plain values."""
    wanted = ("name", "inputs", "variables", "output")
    strange = sorted(str(key) for key in set(written) - set(wanted))
    lacking = [key for key in wanted[1:] if key not in written]
    if strange or lacking:
        raise FormatError(
            f"A high-level model with {strange[0]!r}."
            if strange
            else f"A high-level model without {lacking[0]!r}.",
            f"It has {', '.join(wanted)}; the name may be left out.",
            "Write inputs: [a, b], variables: {total: {sum: [a, b]}}, output: total.",
        )
    name, inputs = written.get("name", "high-level model"), written["inputs"]
    variables, output = written["variables"], written["output"]
    texts = isinstance(name, str) and isinstance(output, str)
    is_list = isinstance(inputs, Sequence) and not isinstance(inputs, str)
    if not (texts and is_list and isinstance(variables, Mapping)):
        raise FormatError(
            "A high-level model whose fields are of other types.",
            "name and output are texts, inputs a list of names, variables a mapping.",
            "Write inputs: [a, b], variables: {total: {sum: [a, b]}}, output: total.",
        )
    return str(name), tuple(inputs), variables, str(output)  # type: ignore[arg-type]  # a sequence
