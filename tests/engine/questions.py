"""Batches of random inputs as questions, which the engine itself asks of one image at a time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.compute import Question
from engine.models import Model
from engine.templates import ensemble


def image_question(model: Model, pixels: Tensor, prompts: Sequence[str]) -> Question:
    """Images [b 3 height width], each asked for all prompts."""
    queries = model.embed_texts(prompts)
    return Question(
        encoder=model.image,
        inputs=pixels,
        queries=queries,
        logit_scale=model.logit_scale,
        readout=lambda e, part: e @ queries[part].T,
        embed=model.embed_texts,
        reword=lambda templates, part: ensemble(model.embed_texts, templates, prompts[part]),
        requery=lambda embed, part: embed(model.text, model.token_ids(prompts[part])),
    )


def text_question(model: Model, pixels: Tensor, prompts: Sequence[str]) -> Question:
    """Prompts, each asked for all images [b 3 height width]."""
    with torch.no_grad():
        queries = model.image.encode(pixels)
    return Question(
        encoder=model.text,
        inputs=model.token_ids(prompts),
        queries=queries,
        logit_scale=model.logit_scale,
        readout=lambda e, part: e @ queries[part].T,
    )
