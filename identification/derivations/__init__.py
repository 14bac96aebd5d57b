"""Derivations in the do-calculus, each step of which can be verified (Pearl 1995).

| module | what |
|---|---|
| `do_calculus` | `derive`, `adjust` |
| `do_rules` | the rules, and what makes a step one of them |
| `do_derivations` | derivations, and their verification |
| `do_identification` | the steps of ID |
| `do_search` | a search over all derivations of a small graph |
| `do_json` | derivations as JSON |
"""
