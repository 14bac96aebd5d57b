"""Formulas: canonical, simplified, as LaTeX and in sympy.

| module | what |
|---|---|
| `canonical` | one form for formulas that are equal up to names and order |
| `simplify` | shorter formulas, by exact rules |
| `shortening` | the order of the rules, and a bounded search |
| `rules_sums` | sums that can be carried out |
| `rules_chain` | the chain rule both ways |
| `rules_ratios` | what cancels |
| `rules_independence` | what m-separation says |
| `sum_products`, `sum_product_forms` | formulas as sums of products on sets of bits |
| `latex`, `algebra` | LaTeX; sympy and back |
"""
