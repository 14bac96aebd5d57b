"""Numbers for identified queries, from samples.

| module | what |
|---|---|
| `estimation` | `estimate` |
| `plug_in` | any formula, on discrete samples |
| `adjusted_means`, `arms`, `regressors` | regression and AIPW |
| `bootstrap`, `estimates` | intervals |
| `columns`, `samples` | samples, and tables of them |
"""
