"""The gate: what one has of a network, and what that tells.

| module | what |
|---|---|
| `access` | full, partial, logs, other prompts, other weights |
| `gate` | whether a query is computable, and whether it is identifiable |
| `logs`, `log_answers` | answers from logs |
| `network_variables`, `diagrams`, `projected_paths` | the causal diagram behind a log |
| `world_questions` | what a term asks of a log |
| `confounding` | why a log does not tell, in words |
| `recorded_estimators` | which estimator, and whether data support it |
| `partial_access` | experiments on some sites |
| `transport_prompts`, `transport_weights` | other prompts; other weights |
| `label_transport` | answers on other prompts with known labels |
| `granularity` | path queries on coarse graphs |
| `what_logs_give` | what a log says of each kind of effect |
"""
