"""Salience-guided Faithfulness Coefficient: do groups of patches matter in the order and amount that a map
says?

Wu et al., On the Faithfulness of Vision Transformer Explanations, CVPR 2024.
"""

from __future__ import annotations

import numpy as np

from engine.metrics.curve import MaskScorer


def saco(values: np.ndarray, scorer: MaskScorer, groups: int = 10) -> float:
    """Weighted agreement, in [-1, 1], between salience and effect over all pairs of groups; higher is better.

    values: raw map, any shape of n units. Units in stable order of relevance make `groups` groups of nearly
    equal size; salience is a group's mean relevance, effect the score lost when it is hidden. A pair counts
    with the difference of its saliences, positive where the more salient group has the larger or equal
    effect. NaN for a map that has no differences. scorer: masks (b, n) -> scores (b,).
    """
    flat = np.asarray(values, np.float64).ravel()
    parts = np.array_split(np.argsort(-flat, kind="stable"), groups)
    masks = np.ones((groups + 1, flat.size), bool)
    for row, part in zip(masks[1:], parts, strict=True):
        row[part] = False
    scores = np.asarray(scorer(masks), np.float64)
    effect = scores[0] - scores[1:]
    salience = np.array([flat[part].mean() for part in parts])
    higher, lower = np.triu_indices(groups, 1)
    weight = salience[higher] - salience[lower]
    agrees = np.where(effect[higher] >= effect[lower], 1.0, -1.0)
    total = np.abs(weight).sum()
    return float((weight * agrees).sum() / total) if total > 0 else float("nan")
