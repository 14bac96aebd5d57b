"""Answers for readers: in a terminal, in notebooks, in DOT and JSON.

| module | what |
|---|---|
| `drawing` | the graph with the witness marked |
| `dot` | the same in colours |
| `marking`, `roles` | what is marked |
| `notebook` | HTML and LaTeX for notebooks |
| `meaning` | a question in plain words |
| `short_text` | formulas with fewer characters |
| `answer_json` | answers as JSON |
"""
