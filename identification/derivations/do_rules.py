"""Single steps of the do-calculus: what each rule licenses, and what must be separated for it.

| rule | before | after | what must hold |
|---|---|---|---|
| rule 1 | `P[x](y given z,w)` | `P[x](y given w)` | Y ⊥ Z, X and W given, in-edges of X cut |
| rule 2 | `P[x,z](y given w)` | `P[x](y given z,w)` | the same, out-edges of Z cut as well |
| rule 3 | `P[x,z](y given w)` | `P[x](y given w)` | the same, in-edges of Z(W) cut as well |
| marginalise | `P(y)` | `sum[z](P(y,z))` | |
| chain rule | `P(y,z)` | `P(y given z) * P(z)` | |
| condition | `P(y given z)` | `P(y,z) / P(z)` | |

"Given" is a bar in text.  Z(W) are the nodes of Z that are no ancestors of W once the in-edges of X
are cut.  All of these are equations, and may be used from right to left.

Pearl (1995), "Causal diagrams for empirical research", theorem 3.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias, assert_never, final, get_args

from causalnet.graphs.admg import ADMG
from causalnet.graphs.separation import m_separated
from causalnet.graphs.walks import Connected
from causalnet.identification.expressions import Expression, Prob, Product, Ratio, Sum, fold
from causalnet.identification.values import Value

__all__ = ["RULES", "DoStep", "Fault", "Rule", "Separation", "Surgery", "fault_of", "made_step"]

Rule: TypeAlias = Literal["rule 1", "rule 2", "rule 3", "marginalise", "chain rule", "condition"]

RULES: tuple[Rule, ...] = get_args(Rule)


@final
@dataclass(frozen=True, slots=True)
class Surgery:
    """Which edges are cut before one asks what is separated.

    Attributes:
        cut_in: The nodes whose incoming edges are cut, bidirected ones included.
        cut_out: The nodes whose outgoing directed edges are cut.

    >>> print(Surgery(frozenset("X"), frozenset("Z")))
    in-edges of X and out-edges of Z cut
    """

    cut_in: frozenset[str] = frozenset()
    cut_out: frozenset[str] = frozenset()

    def of(self, graph: ADMG) -> ADMG:
        """Return a graph after the surgery."""
        return graph.cut_in(sorted(self.cut_in)).cut_out(sorted(self.cut_out))

    def __str__(self) -> str:
        """Return what is cut, in words."""
        cuts = [
            f"{kind}-edges of {', '.join(sorted(nodes))}"
            for kind, nodes in (("in", self.cut_in), ("out", self.cut_out))
            if nodes
        ]
        return f"{' and '.join(cuts)} cut" if cuts else "nothing cut"


@final
@dataclass(frozen=True, slots=True)
class Separation:
    """The statement that nodes are m-separated given others.

    Attributes:
        ys: The variables whose probability it is.
        zs: The variables that a rule moves.
        given: On what one conditions.

    >>> print(Separation(frozenset("Y"), frozenset("Z"), frozenset("X")))
    Y ⊥ Z | X
    """

    ys: frozenset[str]
    zs: frozenset[str]
    given: frozenset[str]

    def __str__(self) -> str:
        """Return the statement."""
        ys, zs, given = (", ".join(sorted(each)) for each in (self.ys, self.zs, self.given))
        return f"{ys} ⊥ {zs} | {given}" if given else f"{ys} ⊥ {zs}"


@final
@dataclass(frozen=True, slots=True)
class DoStep:
    """One rewriting of an expression, or of a part of one, with what licenses it.

    Attributes:
        rule: The rule.
        subject: The values that it moves, adds, sums out or takes off; sorted.
        surgery: What is cut in the graph; None for a rule of probability.
        separation: What must hold in the graph that is left; None for a rule of probability.
        before: What is rewritten.
        after: What takes its place; equal to it in every model of the graph.
    """

    rule: Rule
    subject: tuple[Value, ...]
    surgery: Surgery | None
    separation: Separation | None
    before: Expression
    after: Expression

    def __str__(self) -> str:
        """Return the step in one line, with its license."""
        moved = ", ".join(map(str, self.subject))
        license_ = f": {self.separation}, {self.surgery}" if self.separation else ""
        return f"{self.before} = {self.after}  [{self.rule} on {moved}{license_}]"


@final
@dataclass(frozen=True, slots=True)
class Fault:
    """Why a step is refused.

    Attributes:
        reason: What is wrong with it.
        walk: The walk that is open where the step says that none is; None if that is not why.
    """

    reason: str
    walk: Connected | None = None

    def __str__(self) -> str:
        """Return the reason, with the walk."""
        return f"{self.reason}: {self.walk}" if self.walk else self.reason


def made_step(rule: Rule, before: Expression, after: Expression, graph: ADMG) -> DoStep | Fault:
    """Return the step from one expression to another, with the license that the rule asks for.

    Whether the separation holds is not looked at here.

    Returns:
        The step, or why the two are no instance of the rule.

    >>> from causalnet.identification.values import symbol
    >>> x, y = symbol("X"), symbol("Y")
    >>> graph = ADMG.of(directed=[("X", "Y")])
    >>> print(made_step("rule 2", Prob((y,), do=(x,)), Prob((y,), given=(x,)), graph))
    P[x](y) = P(y|x)  [rule 2 on x: Y ⊥ X, out-edges of X cut]
    """
    match rule:
        case "rule 1" | "rule 2" | "rule 3":
            return _made_do_step(rule, before, after, graph)
        case "marginalise":
            subject = _marginalised(before, after) or _marginalised(after, before)
        case "chain rule":
            subject = _chained(before, after) or _chained(after, before)
        case "condition":
            subject = _conditioned(before, after) or _conditioned(after, before)
        case _:
            assert_never(rule)
    if not subject:
        return Fault(f"{before} = {after} is no instance of the rule '{rule}'")
    return DoStep(rule, subject, None, None, before, after)


def fault_of(step: DoStep, graph: ADMG) -> Fault | None:
    """Return why a step is not right in a graph; None if it is.

    The license is worked out again from the two expressions and compared with the one that the
    step states, and what it says of the graph is decided by m-separation.
    """
    if step.rule not in RULES:
        return Fault(f"There is no rule {step.rule!r}")
    unknown = sorted(
        name for part in (step.before, step.after) for name in _variables(part) if name not in graph
    )
    if unknown:
        return Fault(f"{unknown[0]!r} is not in the graph")
    made = made_step(step.rule, step.before, step.after, graph)
    if isinstance(made, Fault):
        return made
    if step.subject != made.subject:
        return Fault(f"The step is on {_listed(made.subject)}, not on {_listed(step.subject)}")
    if step.surgery != made.surgery:
        return Fault(f"The rule needs {made.surgery}, and the step has {step.surgery}")
    if step.separation != made.separation:
        return Fault(f"The rule needs {made.separation}, and the step has {step.separation}")
    if made.surgery is None or made.separation is None:
        return None
    asked = made.separation
    left = made.surgery.of(graph)
    found = m_separated(left, sorted(asked.ys), sorted(asked.zs), sorted(asked.given))
    if isinstance(found, Connected):
        return Fault(f"{asked} does not hold, {made.surgery}", found)
    return None


def _made_do_step(
    rule: Literal["rule 1", "rule 2", "rule 3"], before: Expression, after: Expression, graph: ADMG
) -> DoStep | Fault:
    fault = Fault(f"{before} = {after} is no instance of {rule}")
    if not isinstance(before, Prob) or not isinstance(after, Prob):
        return fault
    if (before.of, before.domain) != (after.of, after.domain):
        return fault
    given, given_after = set(before.given), set(after.given)
    do, do_after = set(before.do), set(after.do)
    added, moved = given ^ given_after, do ^ do_after
    one_way = given <= given_after or given >= given_after
    other_way = do <= do_after or do >= do_after
    match rule:
        case "rule 1":
            fits = bool(added) and not moved and one_way
            subject = added
        case "rule 2":
            # What leaves do comes behind the bar, with the same values, or the other way round.
            fits = (
                bool(moved)
                and added == moved
                and one_way
                and other_way
                and given | do == (given_after | do_after)
            )
            subject = moved
        case "rule 3":
            fits = bool(moved) and not added and other_way
            subject = moved
    if not fits:
        return fault
    graph.indices([value.variable for value in (*before.of, *given, *do, *subject)])
    xs, ws = _names((do | do_after) - subject), _names((given | given_after) - subject)
    zs = _names(subject)
    match rule:
        case "rule 1":
            surgery = Surgery(xs)
        case "rule 2":
            surgery = Surgery(xs, zs)
        case "rule 3":
            above = graph.cut_in(sorted(xs)).ancestors(sorted(ws))
            surgery = Surgery(xs | (zs - above))
    separation = Separation(_names(before.of), zs, xs | ws)
    return DoStep(rule, tuple(sorted(subject)), surgery, separation, before, after)


def _marginalised(whole: Expression, summed: Expression) -> tuple[Value, ...]:
    """Return what is summed out in P(y|w) = sum[z](P(y,z|w)); nothing if this is not that."""
    if not isinstance(whole, Prob) or not isinstance(summed, Sum):
        return ()
    body, bound = summed.body, summed.bound
    if not isinstance(body, Prob) or set(bound) & whole.free or set(bound) & set(whole.of):
        return ()
    expected = (tuple(sorted((*whole.of, *bound))), whole.given, whole.do, whole.domain)
    return bound if (body.of, body.given, body.do, body.domain) == expected else ()


def _chained(whole: Expression, factored: Expression) -> tuple[Value, ...]:
    """Return the values of P(a,b,...|w) if the other expression is its chain of conditionals.

    The factors may come in any order.
    """
    if not isinstance(whole, Prob) or not isinstance(factored, Product):
        return ()
    factors = [factor for factor in factored.factors if isinstance(factor, Prob)]
    if len(factors) < len(factored.factors):
        return ()
    seen = set(whole.given)
    for factor in sorted(factors, key=lambda factor: len(factor.given)):
        if (factor.do, factor.domain) != (whole.do, whole.domain) or set(factor.given) != seen:
            return ()
        seen |= set(factor.of)
    parts = [value for factor in factors for value in factor.of]
    return whole.of if tuple(sorted(parts)) == whole.of else ()


def _conditioned(whole: Expression, parts: Expression) -> tuple[Value, ...]:
    """Return z where P(y|z,w) = P(y,z|w) / P(z|w); nothing if this is not that."""
    if not isinstance(whole, Prob) or not isinstance(parts, Ratio):
        return ()
    over, under = parts.numerator, parts.denominator
    if not isinstance(over, Prob) or not isinstance(under, Prob):
        return ()
    rest = tuple(sorted(set(whole.given) - set(under.of)))
    fits = (
        set(under.of) <= set(whole.given)
        and over.of == tuple(sorted((*whole.of, *under.of)))
        and all(
            (part.given, part.do, part.domain) == (rest, whole.do, whole.domain)
            for part in (over, under)
        )
    )
    return under.of if fits else ()


def _variables(expression: Expression) -> frozenset[str]:
    """Return the variables that an expression names."""

    def visit(node: Expression, below: tuple[frozenset[str], ...]) -> frozenset[str]:
        own = _names(node.bound) if isinstance(node, Sum) else _names(tuple(node.free))
        return own.union(*below)

    return fold(expression, visit)


def _names(values: "set[Value] | tuple[Value, ...]") -> frozenset[str]:
    return frozenset(value.variable for value in values)


def _listed(values: tuple[Value, ...]) -> str:
    return ", ".join(map(str, values)) or "nothing"
