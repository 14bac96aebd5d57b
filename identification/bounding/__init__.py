"""Bounds where there is no formula.

| module | what |
|---|---|
| `linear_bounds` | linear programs over response types (Balke and Pearl 1997) |
| `response_functions`, `event_copies`, `type_objective`, `type_program` | their parts |
| `natural_bounds` | what observation alone says (Manski 1990) |
| `causation` | PN, PS, PNS (Tian and Pearl 2000) |
| `certificates` | two models that agree on the data and not on the answer |
"""
