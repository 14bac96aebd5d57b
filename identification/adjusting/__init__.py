"""Sets of variables: to adjust for, front doors, instruments.

| module | what |
|---|---|
| `adjustment` | valid sets, one of them, a minimal one |
| `minimum_adjustment` | one of least cost |
| `optimal_adjustment` | one of least variance |
| `proper_back_door` | the graph in which they separate |
| `front_door` | front-door sets |
| `instruments` | conditional instruments |
"""
