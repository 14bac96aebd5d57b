"""What bench/execution.py is made of.

| module | what |
|---|---|
| `batches` | the two batches of prompts, and a check that they are what the goals were set for |
| `rows` | the rows of the table: their worlds as terms, and as patches for the baselines |
| `by_hand` | the baselines: the naive hook loop, and `resume` on the model's own blocks |
| `executors` | what is measured |
| `clock` | CPU time in forward-equivalents, and peak memory |
| `comparing` | the baselines on a sample, extrapolated, and what they find |
| `measuring` | one row measured and compared |
| `outcome` | what a row is measured with, and what was found |
| `table` | the figures as text and as JSON |
"""
