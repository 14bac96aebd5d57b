"""The techniques of the field as terms: each constructor returns a query and runs nothing.

One sign holds everywhere: an effect is patched - unpatched; an importance is its negative and says
so.  What a technique leaves open elsewhere (which heads are frozen, which norm, which direction) is
an argument here, and is printed with the query.

| technique | constructor | source |
|---|---|---|
| activation patching | `noising`, `denoising` | Vig et al. 2020; Meng et al. 2022 |
| causal tracing | `causal_trace`, `windows` | Meng et al. 2022 |
| path patching | `path_patch` | Goldowsky-Dill et al. 2023; Wang et al. 2023 |
| causal scrubbing | `causal_scrubbing` | Chan et al. 2022 |
| ACDC | `acdc_step`, `without_edge` | Conmy et al. 2023 |
| attribution patching (nodes, edges) | `attribution_patch` | Nanda 2023; Syed et al. 2024 |
| integrated gradients, EAP-IG | `integrated_gradients` | Hanna et al. 2024 |
| direct logit attribution | `direct_logit_attribution` | Elhage et al. 2021 |
| steering, CAA | `steering`, `contrastive_steering` | Turner et al. 2023; Panickssery et al. 2024 |
| subspaces, DAS | `subspace_patch` | Geiger et al. 2024 |
| SAE features | `sae_feature_patch`, `Dictionary` | Marks et al. 2025 |
| transcoder edges | `transcoder_edge` | Dunefsky et al. 2024 |
| frozen patterns and scales | `held`, `hold`, `nonlinear` | Elhage et al. 2021 |
| attention knock-out | `attention_knockout` | Geva et al. 2023 |
| attention redirect | `attention_redirect` | Merullo et al. 2024 |
| undifferentiated attention | `undifferentiated_attention` | Zhou et al. 2025 |
| logit lens | `logit_lens` | nostalgebraist 2020 |
| interchange intervention accuracy | `interchange_accuracy` | Geiger et al. 2021 |

Zero, mean and resample ablation are kinds of `Ablation`, for `ablation_effect`.
"""

from causalnet.interventions.techniques.attention import (
    attention_knockout,
    attention_redirect,
    undifferentiated_attention,
)
from causalnet.interventions.techniques.attribution import (
    attribution_patch,
    integrated_gradients,
)
from causalnet.interventions.techniques.direct import (
    direct_logit_attribution,
    logit_lens,
    transcoder_edge,
)
from causalnet.interventions.techniques.holding import held, hold, nonlinear
from causalnet.interventions.techniques.patching import (
    Dictionary,
    contrastive_steering,
    denoising,
    interchange_accuracy,
    mean_difference,
    noising,
    sae_feature_patch,
    steering,
    subspace_patch,
)
from causalnet.interventions.techniques.path_patching import (
    PathConvention,
    acdc_step,
    path_patch,
    without_edge,
)
from causalnet.interventions.techniques.scrubbing import (
    Agreement,
    Hypothesis,
    Interpreted,
    causal_scrubbing,
    scrubbing_inputs,
)
from causalnet.interventions.techniques.tracing import causal_trace, noised, windows

__all__ = [
    "Agreement",
    "Dictionary",
    "Hypothesis",
    "Interpreted",
    "PathConvention",
    "acdc_step",
    "attention_knockout",
    "attention_redirect",
    "attribution_patch",
    "causal_scrubbing",
    "causal_trace",
    "contrastive_steering",
    "denoising",
    "direct_logit_attribution",
    "held",
    "hold",
    "integrated_gradients",
    "interchange_accuracy",
    "logit_lens",
    "mean_difference",
    "noised",
    "noising",
    "nonlinear",
    "path_patch",
    "sae_feature_patch",
    "scrubbing_inputs",
    "steering",
    "subspace_patch",
    "transcoder_edge",
    "undifferentiated_attention",
    "windows",
    "without_edge",
]
