"""Score-Fusion (Zhu et al. 2025), algorithm 2: plane models, a 3D network over them, projection.

Which models are fused (TPDM, TOSM, MADM, models under different conditions), and how their features are
aligned (Score-Fusion, Diff-Ensembler, or not at all), is the bundle's.
"""

from __future__ import annotations

from napari_vol2vol.bundles.weights import load_fusion
from napari_vol2vol.sampling.denoisers import fused
from napari_vol2vol.systems.assembly import Assembly, Context, at_work, branches_of, diffused_of, finish


def build(context: Context) -> Assembly:
    """Assemble eps = sum_b (1/B + w_b) eps_b + lambda R (eq. 4) and the projection (line 13)."""
    card = context.bundle()
    shared = diffused_of(card)
    models = at_work(context, branches_of(card, context.device), shared)
    denoiser = fused(
        models,
        load_fusion(card, context.device),
        card.network["feature_scales"],
        context.measurement.condition(card.inputs),
        fusion_lambda=context.fusion_lambda,
        slab=context.slab,
        tap=context.tap,
    )
    return finish(context, denoiser, shared)
