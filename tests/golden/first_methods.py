"""Recipes: embeddings, Grad-ECLIP, Grad-CAM, MaskCLIP, self-attention, rollout, GAME."""

from __future__ import annotations

import numpy as np

from engine import images
from engine.precision import exact_float32
from engine.trace import record
from tests.golden.folder import Case
from tests.golden.recipes import (
    COSINE,
    DIVIDED,
    HEAD,
    HEADS,
    MAP,
    eclip,
    explained,
    gather,
    maps,
    recipe,
    rows,
    words,
)

KSIM = "(?P<ksim>ksim|noksim)"
VERSION = "(?P<notebook>notebook_)?"


def unit(embedding: np.ndarray) -> np.ndarray:
    """The engine keeps embeddings of unit length only, so directions are compared."""
    return embedding / np.linalg.norm(embedding, axis=-1, keepdims=True)


def pixels(case: Case):
    """Model input of every image, [I 3 height width]."""
    prepared = [images.prepare(image, case.model.info.preprocess, "squash") for image in case.images]
    return case.model.pixels(prepared)


@recipe("token_ids", limit=0)
def token_ids(case: Case) -> np.ndarray:
    return case.model.token_ids(case.prompts).numpy()


@recipe("eot", limit=0)
def end_of_text(case: Case) -> np.ndarray:
    return case.model.text.row(case.model.token_ids(case.prompts)).numpy()


@recipe("image_embedding", COSINE, unit)
def image_embedding(case: Case) -> np.ndarray:
    with exact_float32():
        return case.model.image.encode(pixels(case)).numpy()


@recipe(rf"image_embedding\.{HEAD}", COSINE, unit)
def image_embedding_of_heads(case: Case, heads: str) -> np.ndarray:
    with exact_float32():
        queries = case.model.embed_texts(case.prompts)
        trace = record(case.model.image, pixels(case), queries, single=int(HEADS[heads] == "single"))
    return trace.embedding.numpy()


@recipe("text_embedding", COSINE, unit)
def text_embedding(case: Case) -> np.ndarray:
    with exact_float32():
        return case.model.embed_texts(case.prompts).numpy()


@recipe("cosine", COSINE)
def cosine(case: Case) -> np.ndarray:
    return gather(case, "center", "image", lambda m: m.score)


@recipe("logits_per_image", COSINE)
def logits(case: Case) -> np.ndarray:
    return case.model.logit_scale * cosine(case)


@recipe(rf"cosine\.{HEAD}", COSINE)
def cosine_of_heads(case: Case, heads: str) -> np.ndarray:
    return explained(case, eclip(heads))


@recipe(rf"cosine\.notebook_{HEAD}\.n(?P<layers>\d+)", COSINE)
def cosine_of_layers(case: Case, heads: str, layers: str) -> np.ndarray:
    return explained(case, eclip(heads, layers, notebook=True))


@recipe(rf"cosine\.text\.{HEAD}\.n(?P<layers>\d+)", COSINE)
def cosine_of_text_layers(case: Case, heads: str, layers: str) -> np.ndarray:
    return explained(case, eclip(heads, layers), "text")


@recipe(rf"gradeclip\.image\.{HEAD}\.{KSIM}(?P<signed>_signed)?", MAP)
def grad_eclip(case: Case, heads: str, ksim: str, signed: str | None) -> np.ndarray:
    return maps(case, eclip(heads, ksim=ksim == "ksim", sign="signed" if signed else "positive"))


@recipe(rf"gradeclip\.image\.notebook_{HEAD}\.n(?P<layers>\d+)", MAP)
def grad_eclip_of_notebook(case: Case, heads: str, layers: str) -> np.ndarray:
    return maps(case, eclip(heads, layers, notebook=True))


@recipe(rf"gradeclip\.text\.{VERSION}{HEAD}\.n(?P<layers>\d+)\.{KSIM}_(?P<kind>raw|signed)", MAP)
def grad_eclip_of_words(
    case: Case, heads: str, layers: str, ksim: str, notebook: str | None, kind: str
) -> np.ndarray:
    sign = "signed" if kind == "signed" else "positive"
    return words(case, eclip(heads, layers, ksim == "ksim", bool(notebook), sign))


@recipe(rf"gradeclip\.text\.{VERSION}{HEAD}\.n(?P<layers>\d+)\.{KSIM}", DIVIDED)
def grad_eclip_of_words_divided(
    case: Case, heads: str, layers: str, ksim: str, notebook: str | None
) -> np.ndarray:
    """Divided by their sum; NaN at the words where all are zero, as the authors' code has it."""
    raw = words(case, eclip(heads, layers, ksim == "ksim", bool(notebook)))
    with np.errstate(invalid="ignore"):
        divided = raw / raw.sum(-1, keepdims=True)
    among_words = gather(case, eclip(heads, layers), "text", lambda m: m.content)
    return np.where(among_words, divided, 0)


@recipe(rf"gradcam\.{HEAD}", MAP)
def grad_cam(case: Case, heads: str) -> np.ndarray:
    return maps(case, f"grad_cam(heads={HEADS[heads]!r})")


@recipe(rf"maskclip\.{HEAD}", MAP)
def maskclip(case: Case, heads: str) -> np.ndarray:
    """Values and keys do not depend on the heads."""
    return maps(case, "maskclip")


@recipe(rf"selfattn\.{HEAD}", MAP)
def self_attention(case: Case, heads: str) -> np.ndarray:
    """The same for every prompt: [I gh gw]."""
    return maps(case, f"self_attention(heads={HEADS[heads]!r})")[:, 0]


@recipe(rf"selfattn\.text\.{HEAD}\.n(?P<layers>\d+)", MAP)
def self_attention_of_words(case: Case, heads: str, layers: str) -> np.ndarray:
    """End-of-text row of the last block, the last `layers` blocks run with one head: [I Q context]."""
    if HEADS[heads] == "model":
        return rows(case, "self_attention")
    with exact_float32():
        queries = case.model.image.encode(pixels(case))
        trace = record(case.model.text, case.model.token_ids(case.prompts), queries, single=int(layers))
        row = trace.at_row(trace.layers[-1].attn.mean(1))
    return np.repeat(row.numpy()[None], len(case.images), axis=0)


@recipe(r"rollout\.image\.(?P<layers>last|all)", MAP)
def rollout(case: Case, layers: str) -> np.ndarray:
    """[I gh gw]"""
    return maps(case, f"rollout(layers={layers!r})")[:, 0]


@recipe(r"rollout\.text\.(?P<layers>last|all)", MAP)
def rollout_of_words(case: Case, layers: str) -> np.ndarray:
    """[Q context]"""
    return rows(case, f"rollout(layers={layers!r})")[0]


@recipe(r"game(_chefer)?\.image\.(?P<layers>last|all)(\.batched)?", MAP)
def game(case: Case, layers: str) -> np.ndarray:
    return maps(case, f"game(layers={layers!r})")


@recipe(r"game(_chefer)?\.text\.(?P<layers>last|all)", MAP)
def game_of_words(case: Case, layers: str) -> np.ndarray:
    return rows(case, f"game(layers={layers!r})")
