"""Recipes: LeGrad, CLIP Surgery, sMamooler's relevance, the plain product of gradient and attention."""

from __future__ import annotations

import numpy as np

from engine.methods.surgery import token_features
from engine.precision import exact_float32
from engine.templates import ensemble, surgery
from engine.trace import record
from engine.types import Target
from tests.golden.first_methods import pixels
from tests.golden.folder import Case
from tests.golden.recipes import COSINE, DIVIDED, MAP, gather, maps, recipe, rows

SIGNS = {"pos": "positive", "neg": "negative"}
SIGN = "(?P<sign>pos|neg)"
NAIVE = {"clsrow": "pooled", "eotrow": "pooled", "rowmean": "mean"}


@recipe(r"legrad\.layer_index(?P<first>-?\d+)", MAP)
def legrad(case: Case, first: str) -> np.ndarray:
    """The authors count from the first block used; a negative one from behind."""
    depth = case.config["vision_layers"]
    layers = -int(first) if int(first) < 0 else depth - int(first)
    return maps(case, f"legrad(layers={layers})")


@recipe(rf"smamooler\.last_grad\.{SIGN}", MAP)
def last_grad(case: Case, sign: str) -> np.ndarray:
    return maps(case, f"last_grad(sign={SIGNS[sign]!r})")


@recipe(rf"smamooler\.all_grads\.{SIGN}", MAP)
def all_grads(case: Case, sign: str) -> np.ndarray:
    return maps(case, f"game(scale='cosine', sign={SIGNS[sign]!r})")


@recipe(rf"smamooler\.gradcam\.{SIGN}", MAP)
def last_gradient_times_attention(case: Case, sign: str) -> np.ndarray:
    return maps(case, f"game(layers='last', scale='cosine', sign={SIGNS[sign]!r})")


@recipe(r"smamooler\.last_grad\.image_target", MAP)
def last_grad_of_images(case: Case) -> np.ndarray:
    """[I I gh gw]; an image for itself has no gradient: zero here, NaN there."""
    targets = tuple(Target(kind="image", image=image) for image in case.images)
    ours = maps(case, "last_grad", targets)
    itself = np.eye(len(targets), dtype=bool)
    assert not ours[itself].any()
    ours[itself] = np.nan
    return ours


@recipe(r"smamooler\.perword_last\.last_grad", MAP)
def last_grad_of_last_word(case: Case) -> np.ndarray:
    targets = tuple(Target(p, "difference", minus=p.rpartition(" ")[0]) for p in case.prompts)
    return maps(case, "last_grad", targets)


@recipe(r"naive\.(?P<branch>image|text)\.cos\.(?P<row>clsrow|rowmean|eotrow)", MAP)
def naive(case: Case, branch: str, row: str) -> np.ndarray:
    spec = f"attention_gradient(rows={NAIVE[row]!r})"
    return maps(case, spec) if branch == "image" else rows(case, spec)


@recipe(r"naive\.(?P<branch>image|text)\.neglogcos\.(?P<row>clsrow|rowmean|eotrow)", DIVIDED)
def naive_of_logarithm(case: Case, branch: str, row: str) -> np.ndarray:
    """NaN where the cosine has no logarithm; zero in the engine."""
    spec = f"attention_gradient(rows={NAIVE[row]!r}, score='negative log')"
    ours = maps(case, spec) if branch == "image" else rows(case, spec)
    undefined = gather(case, spec, branch, lambda m: m.score) <= 0
    assert not ours[undefined].any()
    ours[undefined] = np.nan
    return ours


def _texts(case: Case) -> tuple[str, ...]:
    return tuple(case.meta["surgery_texts"])


def _surgery(case: Case, spec: str) -> np.ndarray:
    """[I Tn gh gw]"""
    return maps(case, spec, tuple(map(Target, _texts(case))))


@recipe(r"text_features", COSINE)
def text_features(case: Case) -> np.ndarray:
    with exact_float32():
        return ensemble(case.model.embed_texts, surgery(), _texts(case)).numpy()


@recipe(r"redundant_features", COSINE)
def redundant_features(case: Case) -> np.ndarray:
    with exact_float32():
        return ensemble(case.model.embed_texts, surgery(), [""]).numpy()


@recipe(r"image_features", MAP)
def image_features(case: Case) -> np.ndarray:
    with exact_float32():
        queries = case.model.embed_texts(case.prompts)
        return token_features(record(case.model.image, pixels(case), queries, blocks=6)).numpy()


@recipe(r"surgery\.single", MAP)
def surgery_of_one_prompt(case: Case) -> np.ndarray:
    return maps(case, "clip_surgery(against='empty')")


@recipe(r"surgery\.multi", MAP)
def surgery_of_prompts(case: Case) -> np.ndarray:
    return _surgery(case, "clip_surgery")


@recipe(r"surgery\.multi\.norm_dim1_bug", MAP)
def surgery_with_wrong_axis(case: Case) -> np.ndarray:
    return _surgery(case, "clip_surgery(unit='tokens')")


@recipe(r"architecture_surgery_only", MAP)
def architecture_surgery(case: Case) -> np.ndarray:
    return _surgery(case, "clip_surgery(features=False)")


@recipe(r"plain_clip_similarity", MAP)
def plain_similarity(case: Case) -> np.ndarray:
    return _surgery(case, "clip_surgery(architecture=False, features=False)")
