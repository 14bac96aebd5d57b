"""Questions, formulas and graphs from text.

| module | what |
|---|---|
| `parsing` | `parse_expression`, `parse_question` |
| `question_reading`, `value_reading` | the grammar |
| `tokens` | words, and where a text goes wrong |
| `graph_text` | graphs as `X -> Z -> Y, X <-> Y` |
"""
