"""The wavefront executor: all worlds of a plan in the batch dimension, layer by layer.

| module | what |
|---|---|
| `linear` | products with weight matrices by the fastest kernel at hand |
| `norms`, `mlp` | norms and MLPs as functions of their weights |
| `attention` | attention of many worlds that share the keys and values of a prefix |
| `weights` | a lifted decoder's weights, by reference, as functions |
| `runs` | the plain forward of one input, with what the births of worlds need |
"""
