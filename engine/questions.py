"""From targets to tensors: what a branch is run on, and what its score is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from engine import images
from engine.compute import Question
from engine.encoder import Encoder
from engine.templates import ensemble, imagenet
from engine.types import PROMPTS_ONLY, Prepared, Target, Unsupported

if TYPE_CHECKING:
    from engine.models import Model


def image_question(
    model: Model,
    prepared: Prepared,
    targets: Sequence[Target],
    resize: str,
    say: Callable[[str], None] = lambda stage: None,
) -> Question:
    """The image tower on one image, asked for all targets.

    A text's score is the cosine; an ensemble's the cosine with the text's unit mean over CLIP's 80 ImageNet
    templates; a difference's the difference of cosines; another image's the cosine of the two embeddings; a
    class's its softmax probability among the classes at the model's own logit scale. say: as in
    Model.embed_texts.
    """
    pixels = model.pixels([prepared])
    held: dict[tuple[str, ...], Tensor] = {}  # classes share their list, which may be long

    def embed(texts: Sequence[str]) -> Tensor:
        if (listed := tuple(texts)) not in held:
            held[listed] = model.embed_texts(listed, say)
        return held[listed]

    columns = [_column(model, target, resize, embed) for target in targets]
    with torch.no_grad():
        # Methods without gradients read a direction: of the score's own growth, which for a class depends on
        # where the image is. Other targets need no forward pass here.
        bent = any(target.kind == "class" for target in targets)
        place = model.image.encode(pixels)[0] if bent else None
        queries = torch.stack([direction(place) for _score, direction in columns])

    def queries_with(embed: Embed, part: slice) -> Tensor:
        """The queries again, their texts embedded another way; an ensemble is its text there."""
        plain = [replace(t, kind="text") if t.kind == "ensemble" else t for t in targets[part]]
        with torch.no_grad():
            return torch.stack([_column(model, t, resize, embed)[1](place) for t in plain])

    def reworded(templates: Sequence[str], part: slice) -> Tensor:
        return queries_with(lambda texts: ensemble(model.embed_texts, templates, texts), part)

    def requeried(embed: Callable[[Encoder, Tensor], Tensor], part: slice) -> Tensor:
        return queries_with(lambda texts: embed(model.text, model.token_ids(texts)), part)

    return Question(
        encoder=model.image,
        inputs=pixels,
        queries=queries,
        logit_scale=model.logit_scale,
        readout=lambda e, part: torch.stack([score(e) for score, _direction in columns[part]], dim=1),
        embed=model.embed_texts,
        reword=reworded,
        requery=requeried,
    )


Embed = Callable[[Sequence[str]], Tensor]
Column = tuple[Callable[[Tensor], Tensor], Callable[[Tensor | None], Tensor]]


def _column(model: Model, target: Target, resize: str, embed: Embed) -> Column:
    """(unit embeddings [b e] -> scores [b], unit embedding [e] -> direction [e]) of one target.

    Only a class's direction reads the embedding.
    """
    if target.kind == "class":
        classes = embed(target.classes)
        # Against its own class, so that a probability near 1 still has a gradient that is not rounding.
        others = classes - classes[target.classes.index(target.text)]

        def probability(e: Tensor) -> Tensor:
            return (-(model.logit_scale * e @ others.T).logsumexp(-1)).exp()

        def rise(e: Tensor) -> Tensor:  # of the log-probability, up to the logit scale
            return -(model.logit_scale * e @ others.T).softmax(-1) @ others

        return probability, rise
    if target.kind == "image":
        other = images.prepare(target.image, model.info.preprocess, resize)
        with torch.no_grad():
            query = model.image.encode(model.pixels([other]))[0]
    elif target.kind == "difference":
        with_it, without = embed([target.text, target.minus])
        query = with_it - without
    elif target.kind == "ensemble":
        query = ensemble(embed, imagenet(), [target.text])[0]
    else:
        query = embed([target.text])[0]
    return lambda e: e @ query, lambda e: query


def text_question(model: Model, prepared: Prepared, targets: Sequence[Target], resize: str) -> Question:
    """The text tower on all prompts, asked for the one image. Unsupported for targets other than prompts."""
    if any(target.kind != "text" for target in targets):
        raise Unsupported(PROMPTS_ONLY)
    with torch.no_grad():
        query = model.image.encode(model.pixels([prepared]))
    return Question(
        encoder=model.text,
        inputs=model.token_ids([target.text for target in targets]),
        queries=query,
        logit_scale=model.logit_scale,
        readout=lambda e, part: e @ query[part].T,
    )
