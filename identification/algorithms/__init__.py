"""One engine, and the algorithms that ask it for factors.

| module | what |
|---|---|
| `engine` | Q[C] from what is known (Tian and Pearl 2002) |
| `kernels` | chains of conditionals, and sums over them |
| `masks` | graphs as sets of bits |
| `id_algorithm` | ID, IDC, gID, transport |
| `counterfactuals` | ID*, IDC* |
| `unnesting`, `counterfactual_factors`, `ancestral_components` | their parts (Correa et al. 2021) |
| `district_factors` | factors in the symbols of a query |
| `edge_g_formula`, `nested_paths` | path-specific effects, in two ways |
| `mediation` | TE, CDE, NDE, NIE |
| `witnesses`, `counterfactual_witnesses` | evidence, looked over |
"""
