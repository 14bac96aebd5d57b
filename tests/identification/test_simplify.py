"""Simplification: each rule on its own and all together, in random models, then known formulas."""

import random
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings

from causalnet.graphs import ADMG, is_m_separated
from causalnet.identification.expressions import (
    Expression,
    Prob,
    Product,
    Ratio,
    Sum,
    parts_of,
    product,
    sum_over,
    text_of,
)
from causalnet.identification.formulas.canonical import canonical
from causalnet.identification.formulas.rules_chain import freed, regrouped
from causalnet.identification.formulas.rules_independence import Facts
from causalnet.identification.formulas.rules_ratios import cancelled, divided
from causalnet.identification.formulas.rules_sums import eliminated, marginalised
from causalnet.identification.formulas.shortening import (
    Search,
    reduced,
    singles,
    without_conditions,
)
from causalnet.identification.formulas.simplify import cost, simplify
from causalnet.identification.formulas.sum_product_forms import read, written
from causalnet.identification.formulas.sum_products import Atom, SumProduct, mentioned
from causalnet.identification.oracle import RandomModel
from causalnet.identification.reading.parsing import parse_expression
from causalnet.identification.values import symbol
from tests.graphs.random_admgs import SEEDS, admgs
from tests.identification.cases import Case, cases
from tests.identification.random_formulas import (
    TOLERANCE,
    disagreement,
    random_formula,
    random_model,
)

Rule = Callable[[SumProduct, Facts], SumProduct]


def searched(term: SumProduct, facts: Facts) -> SumProduct:
    return Search(facts, 20, None).shortest(term)


RULES: list[Rule] = [
    marginalised,
    eliminated,
    cancelled,
    divided,
    freed,
    regrouped,
    singles,
    without_conditions,
    reduced,
    searched,
]


def random_case(seed: int) -> tuple[ADMG, Expression, random.Random]:
    """A graph of at most five variables, and a formula in which many rules apply."""
    draw = random.Random(seed)
    order = draw.sample("ABCDE", draw.randint(2, 5))
    pairs = [(a, b) for at, a in enumerate(order) for b in order[at + 1 :]]
    chance, arcs = draw.choice([0.2, 0.4, 0.7]), draw.choice([0.0, 0.1, 0.3])
    graph = ADMG.of(
        [pair for pair in pairs if draw.random() < chance],
        [pair for pair in pairs if draw.random() < arcs],
        sorted(order),
    )
    return graph, random_formula(graph, draw, draw.choice([1, 2, 3])), draw


def applied(rule: Rule, formula: Expression, graph: ADMG) -> tuple[Expression, Expression]:
    """A formula, as it is read, before and after a rule."""
    facts = Facts(graph)
    for node in probabilities(formula):
        facts.admit(node.domain, facts.symbols.mask(node.do))
    term = read(formula, facts.symbols, lambda term: term, lambda term: term)
    return written(term, facts.symbols), written(rule(term, facts), facts.symbols)


def probabilities(formula: Expression) -> list[Prob]:
    found, waiting = [], [formula]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Prob):
            found.append(node)
        waiting += parts_of(node)
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_each_rule_keeps_the_value(rule: Rule) -> None:
    changed = 0
    for seed in range(300):
        graph, formula, draw = random_case(seed)
        before, after = applied(rule, formula, graph)
        if after != before:
            changed += 1
            assert disagreement(formula, after, random_model(graph, draw)) < TOLERANCE, seed
    assert changed > 12


def without_looking_at_others(term: SumProduct, facts: Facts) -> SumProduct:
    """Sums out of each probability whatever is bound, even if another factor has it."""
    over = []
    for each in term.over:
        if isinstance(each, Atom) and each.of & term.bound and each.of & ~term.bound:
            each = each._replace(of=each.of & ~term.bound)
        over.append(each)
    return SumProduct(term.bound, tuple(over), term.under)


def without_counting(term: SumProduct, facts: Facts) -> SumProduct:
    """Drops a sum over a symbol that no factor has."""
    there = 0
    for each in (*term.over, *term.under):
        there |= mentioned(each)
    return SumProduct(term.bound & there, term.over, term.under)


def without_asking_what_separates(term: SumProduct, facts: Facts) -> SumProduct:
    """Drops one condition of each probability."""
    over = (
        each._replace(given=each.given & (each.given - 1)) if isinstance(each, Atom) else each
        for each in term.over
    )
    return SumProduct(term.bound, tuple(over), term.under)


def without_asking_for_conditions(term: SumProduct, facts: Facts) -> SumProduct:
    """Merges the first two probabilities, whatever their conditions."""
    atoms = [each for each in term.over if isinstance(each, Atom)]
    if len(atoms) < 2 or atoms[0].of & atoms[1].of or atoms[0][2:] != atoms[1][2:]:
        return term
    of = atoms[0].of | atoms[1].of
    given = (atoms[0].given | atoms[1].given) & ~of
    if facts.symbols.clash(of | given | atoms[0].do):
        return term
    rest = list(term.over)
    rest.remove(atoms[0])
    rest.remove(atoms[1])
    return SumProduct(term.bound, (atoms[0]._replace(of=of, given=given), *rest), term.under)


def without_looking_under_sums(term: SumProduct, facts: Facts) -> SumProduct:
    """Cancels sums that differ in what they sum."""
    under = tuple(each for each in term.under if not isinstance(each, SumProduct))
    return SumProduct(term.bound, term.over, under)


@pytest.mark.parametrize(
    "wrong",
    [
        without_looking_at_others,
        without_counting,
        without_asking_what_separates,
        without_asking_for_conditions,
        without_looking_under_sums,
    ],
    ids=lambda rule: rule.__name__,
)
def test_a_wrong_rule_is_found(wrong: Rule) -> None:
    found = 0
    for seed in range(300):
        graph, formula, draw = random_case(seed)
        before, after = applied(wrong, formula, graph)
        if after != before and after.free <= formula.free:
            found += disagreement(formula, after, random_model(graph, draw)) > TOLERANCE
    assert found > 3


@settings(max_examples=150, deadline=None)
@given(SEEDS)
@example(15029)  # a sum that counts, written longer once it stands alone
def test_values_stay_and_formulas_do_not_grow(seed: int) -> None:
    graph, formula, draw = random_case(seed)
    found = simplify(formula, graph)
    model = random_model(graph, draw)
    assert disagreement(formula, found.expression, model) < TOLERANCE
    assert found.expression.free <= formula.free
    assert canonical(found.expression) == found.expression
    start = canonical(formula)
    assert (cost(found.expression), len(text_of(found.expression))) <= (
        cost(start),
        len(text_of(start)),
    )


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_each_step_keeps_the_value(seed: int) -> None:
    graph, formula, draw = random_case(seed)
    model = random_model(graph, draw)
    for step in simplify(formula, graph).steps:
        assert disagreement(step.before, step.after, model) < TOLERANCE, step


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_without_a_graph_it_holds_in_every_model(seed: int) -> None:
    graph, formula, draw = random_case(seed)
    order = sorted(graph.nodes)
    complete = ADMG.of([(a, b) for at, a in enumerate(order) for b in order[at + 1 :]])
    found = simplify(formula)
    assert disagreement(formula, found.expression, random_model(complete, draw)) < TOLERANCE


@settings(max_examples=100)
@given(admgs(2, 6), SEEDS)
def test_conditions_are_dropped_where_nodes_are_separated(graph: ADMG, seed: int) -> None:
    draw = random.Random(seed)
    facts = Facts(graph)
    nodes = draw.sample(graph.nodes, len(graph))
    of, do = nodes[0], [v for v in nodes[1:] if draw.random() < 0.2]
    conditions = [v for v in nodes[1:] if v not in do and draw.random() < 0.5]
    mask = facts.symbols.mask
    atom = Atom(
        mask([symbol(of)]), mask(map(symbol, conditions)), mask(map(symbol, do)), domain="a"
    )
    cut = graph.cut_in(do)
    needed = {
        v
        for v in conditions
        if not is_m_separated(cut, of, v, [*(w for w in conditions if w != v), *do])
    }
    assert {v.variable for v in facts.symbols.listed(facts.minimal(atom).given)} == needed
    for v in nodes[1:]:
        if v not in conditions and v not in do:
            separated = is_m_separated(cut, of, v, [*conditions, *do])
            assert separated == (not facts.depends(atom, mask([symbol(v)])))


def test_experiments_are_given_up_only_for_known_ones() -> None:
    changed = 0
    for seed in range(200):
        graph, _, draw = random_case(seed)
        nodes = draw.sample(graph.nodes, len(graph))
        do = nodes[1 : draw.choice([2, 3])]
        conditions = [v for v in nodes[3:] if draw.random() < 0.5]
        left, right, set_ = (tuple(map(symbol, part)) for part in (nodes[:1], conditions, do))
        under = Prob(left, right, set_, "a")
        known = Prob((symbol(nodes[-1]),), (), (), "a")
        both = simplify(Product((under, known)), graph).expression
        changed += not any(each.do for each in probabilities(both))
        model = random_model(graph, draw)
        assert disagreement(Product((under, known)), both, model) < TOLERANCE
        alone = simplify(under, graph).expression
        assert [each.do for each in probabilities(alone)] == [under.do]
    assert 100 < changed < 200


def found(text: str, graph: ADMG) -> str:
    return str(simplify(parse_expression(text, graph.nodes), graph))


FRONT_DOOR = ADMG.of(directed=[("X", "Z"), ("Z", "Y")], bidirected=[("X", "Y")])
CHAIN = ADMG.of(directed=[("A", "B"), ("B", "C"), ("C", "X"), ("C", "Y"), ("X", "Y"), ("W", "Y")])


@pytest.mark.parametrize(
    ("text", "graph", "expected"),
    [
        (
            "sum[z](sum[x](P(x) * P(y|x,z)) * P(z|x))",
            FRONT_DOOR,
            "sum[z](P(z|x) * sum[x'](P(x') * P(y|x',z)))",
        ),
        (
            "sum[a,b,c](P(a) * P(b|a) * P(c|b) * P(y|c,x))",
            CHAIN,
            "sum[c](P(c) * P(y|c,x))",
        ),
        ("sum[a,b,c](P(a|b) * P(b|c) * P(c|x) * P(w))", CHAIN, "P(w)"),
        ("P(a) * P(b|a) * P(c|a,b)", CHAIN, "P(a,b,c)"),
        ("P(a,b|x) / P(b|x)", CHAIN, "P(a|b)"),
        ("P(a,b) / P(a)", CHAIN, "P(b|a)"),
        ("(P(x|c) * P(c)) / sum[c](P(x|c) * P(c))", CHAIN, "P(c|x)"),
        ("(P(y|x,c,a) * P(w)) / sum[y](P(y|x,c,a) * P(w))", CHAIN, "P(y|c,x)"),
        ("sum[a](P(b))", CHAIN, "sum[a](P(b))"),
        ("sum[a,c](P(b) * P(c|b))", CHAIN, "P(b) * sum[a](1)"),
        ("sum[a](P(b)) / sum[a'](1)", CHAIN, "P(b)"),
        ("sum[c](P(c|x')) * P(a)", CHAIN, "P(a)"),
        ("P(y|x,c,b,a) - P(y|x',c,a,b)", CHAIN, "P(y|c,x) - P(y|c,x')"),
        ("sum[a](P(a|b) - P(a|b,x))", CHAIN, "0"),
        ("P(a|b,c,X=1) * P(b|c,X=1)", CHAIN, "P(a,b|c)"),
        ("0 / P(a)", CHAIN, "0"),
        ("P{s}[x](y|c,a)", CHAIN, "P{s}[x](y|c)"),
        ("P[x](y|c) * P(c)", CHAIN, "P(c) * P(y|c,x)"),
        ("sum[b](P(y|b,x)) - sum[b'](P(y|b',x))", CHAIN, "0"),
        ("P[a](y) - P(y)", ADMG.of(nodes=["A", "Y"]), "0"),
    ],
)
def test_texts(text: str, graph: ADMG, expected: str) -> None:
    assert found(text, graph) == expected


LONG = {"id_tian_p90": 120, "idc_big_a": 60, "idc_big_ab": 60, "idc_big_abz": 40}


@pytest.mark.parametrize(
    "case", [case for case in cases() if case.estimand], ids=lambda case: case.name
)
def test_known_formulas(case: Case) -> None:
    formula = parse_expression(case.estimand, case.graph.nodes)
    shorter = simplify(formula, case.graph).expression
    differs = {domain: sorted(changed) for domain, changed in case.sources.differs}
    for seed in range(2):
        model = RandomModel.of(case.graph, seed, differs=differs)
        assert disagreement(formula, shorter, model) < TOLERANCE
    assert cost(shorter) <= cost(formula)
    assert len(text_of(shorter)) <= LONG.get(case.name, 80)


def test_a_product_of_parents_and_children_becomes_an_adjustment() -> None:
    draw = random.Random(0)
    for _ in range(12):
        names = [f"V{k}" for k in range(30)]
        edges = {
            (names[parent], names[k])
            for k in range(1, 30)
            for parent in draw.sample(range(k), min(k, draw.choice([1, 1, 2])))
        }
        graph = ADMG.of(sorted(edges), nodes=names)
        above = graph.ancestors([names[-1]]) - {names[-1]}
        x = draw.choice(sorted(above))
        formula = sum_over(
            map(symbol, above - {x}),
            product(
                Prob((symbol(v),), tuple(map(symbol, graph.parents(v))))
                for v in sorted(above | {names[-1]})
                if v != x
            ),
        )
        shorter = simplify(formula, graph)
        assert cost(shorter.expression)[0] <= 3
        assert not shorter.exhausted


def test_the_search_ends_with_its_budget() -> None:
    graph = ADMG.of(
        directed=[("X", "Z"), ("Z", "W"), ("W", "Y")], bidirected=[("X", "Z"), ("X", "Y")]
    )
    text = "sum[x,z](P(x) * P(z|x) * P(y|w,x,z))"
    formula = parse_expression(text)
    assert str(simplify(formula, graph)) == "sum[z](P(y|w,z) * P(z))"
    stopped = simplify(formula, graph, tries=0)
    assert stopped.exhausted
    assert str(stopped) == "sum[x,z](P(x,z) * P(y|w,x,z))"
    assert simplify(formula, graph, budget=0.0) == stopped
    assert not simplify(formula, graph).exhausted


def test_steps_are_told() -> None:
    steps = simplify(parse_expression("sum[a,b](P(a) * P(b|a) * P(c|a,b))"), CHAIN).steps
    assert [str(step) for step in steps] == [
        "P(c|a,b) = P(c|b)  [m-separation]",
        "sum[a](P(a) * P(b|a)) = P(b)  [elimination]",
        "sum[b](P(c|b) * P(b)) = P(c)  [elimination]",
    ]
    assert simplify(parse_expression("P(b|a)"), CHAIN).steps == ()


def test_large_formulas_only_get_a_canonical_form() -> None:
    x, y = symbol("X"), symbol("Y")
    tower: Expression = Prob((y,), (x,))
    for _ in range(300):
        tower = Ratio(Prob((x,)), Sum((x,), Product((tower, Prob((x,))))))
    told = simplify(tower, ADMG.of(directed=[("X", "Y")]))
    assert told.exhausted
    assert told.expression == canonical(tower)
    wide = simplify(Product((Prob((y,), (x,)),) * 5_000))
    assert wide.exhausted


def test_deep_formulas_are_read_without_recursion() -> None:
    formula: Expression = Prob((symbol("V0"),))
    for k in range(1, 600):
        above = Prob((symbol(f"V{k}"),), (symbol(f"V{k - 1}"),))
        formula = Sum((symbol(f"V{k - 1}"),), Product((formula, above)))
    assert str(simplify(formula)) == "P(v599)"
