"""The wavefront executor: all worlds of a plan in the batch dimension, layer by layer.

| module | what |
|---|---|
| `linear` | products with weight matrices by the fastest kernel at hand |
| `norms`, `mlp` | norms and MLPs as functions of their weights |
| `attention` | attention of many worlds that share the keys and values of a prefix |
| `weights` | a lifted decoder's weights, by reference, as functions |
| `runs` | the plain forward of one input, with what the births of worlds need |
| `batches` | the prompts of all inputs as tensors of one width |
| `engine` | one batch of prompts: base passes, waves, read-outs |
| `wave` | one wave: versions as rows of one tensor, born and retired layer by layer |
| `births`, `general` | how versions are born: as deltas, or by computing one stage once more |
| `values`, `finals` | values of mediators in versions, and what versions have at the end |
| `columns`, `checks` | read-outs and checks of soundness that do not wait for a device |
"""
