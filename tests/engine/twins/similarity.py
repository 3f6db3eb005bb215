"""Twins of engine.methods.similarity and engine.methods.surgery."""

from __future__ import annotations

from functools import cache

import open_clip
import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from tests.engine.twins import Case, twin
from tests.engine.twins.plain import (
    attend,
    finish,
    image_head,
    join,
    run,
    signed,
    token_ids,
    unit,
)

SCENES = ["there is a {}", "there is the {}", "this is a {}", "this is the {}", "this is one {}"]
# The 59 classes of PASCAL Context.
WORDS = """
airplane bag bed bedclothes bench bicycle bird boat book bottle building bus cabinet car cat ceiling chair
cloth computer cow cup curtain dog door fence floor flower food grass ground horse keyboard light motorbike
mountain mouse person plate platform potted_plant road rock sheep shelves sidewalk sign sky snow sofa table
track train tree truck tv_monitor wall water window wood
"""


@twin("maskclip", "maskclip(sign='positive')")
def maskclip(case: Case) -> Tensor:
    done = run(case)
    part = done.parts[-1]
    keys = part.module.attn.out_proj(part.k)
    features = unit(image_head(case.clip, finish(part.module, part.x, part.v)))
    each = [
        f @ done.query * cosine_similarity(keys[0], key, dim=0) for f, key in zip(features, keys, strict=True)
    ]
    return signed(torch.stack(each), case.params["sign"])


@cache
def _in_templates(clip: nn.Module, text: str) -> Tensor:
    """Unit mean over the 85 templates [e]."""
    phrases = [template(text) for template in open_clip.OPENAI_IMAGENET_TEMPLATES]
    phrases += [f"{scene.format(text)} in the scene." for scene in SCENES]
    with torch.no_grad():
        ids = torch.stack([token_ids(clip, phrase) for phrase in phrases])
        return unit(clip.encode_text(ids, normalize=True).mean(0))


def _features(case: Case) -> Tensor:
    """Token features [n e], the class token's from the model's own path."""
    done = run(case)
    last = done.parts[-1]
    own = finish(last.module, last.x, last.out)
    if case.params["architecture"]:
        parts = done.parts[-6:]
        x = parts[0].x
        for part in parts:
            heads = part.module.attn.num_heads
            attn = attend(part.v, part.v, heads)
            x = x + part.module.attn.out_proj(join(attn, part.v))
        own = torch.cat([own[:1], x[1:]])
    features = image_head(case.clip, own)
    return unit(features) if case.params["unit"] == "channels" else unit(features.T).T


def _feature_surgery(features: Tensor, texts: Tensor) -> Tensor:
    """[n e], [t e] -> [n t], channel by channel."""
    fit = (2 * features[0] @ texts.T).softmax(0)
    products = features[:, None] * texts[None] * (fit / fit.mean())[None, :, None]  # [n t e]
    return (products - products.mean(1, keepdim=True)).sum(-1)


@twin(
    "clip_surgery",
    "clip_surgery(against='empty')",
    "clip_surgery(against='words', sign='positive')",
    "clip_surgery(unit='tokens')",
    "clip_surgery(features=False)",
    "clip_surgery(architecture=False, features=False, sign='negative')",
)
def clip_surgery(case: Case) -> Tensor:
    p, clip = case.params, case.clip
    features, text = _features(case), _in_templates(clip, case.prompts[case.index])
    if not p["features"]:
        relevance = features @ text
    elif p["against"] == "empty" or (p["against"] == "prompts" and len(case.prompts) == 1):
        relevance = features @ (text - _in_templates(clip, ""))
    else:
        words = p["against"] == "words"
        texts = (
            [case.prompts[case.index], *[w.replace("_", " ") for w in WORDS.split()]]
            if words
            else case.prompts
        )
        every = _feature_surgery(features, torch.stack([_in_templates(clip, t) for t in texts]))
        relevance = every[:, 0 if words else case.index]
    return signed(relevance, p["sign"])
