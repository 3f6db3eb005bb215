"""Everything that a person can choose, as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from engine.types import RESIZE_POLICIES


def _choice(*options: str) -> Any:
    """A field that takes one of `options`; the first is the default."""
    return field(default=options[0], metadata={"options": options})


def _number(default: float, low: float, high: float) -> Any:
    return field(default=default, metadata={"range": (low, high)})


@dataclass(frozen=True)
class State:
    """All choices of a session. Field names are also the names in links and files.

    image: id of an item of `image_set`, '' for its first. upload: digest of an uploaded file; where it is
    set, it is shown instead of the set's image. prompts: () means the image's own. methods: canonical specs.
    second_model: '' for none. rows: what the rows of the grid are. opacity: of the map over the image, 0 to
    1. top: per cent of the patches, strongest first, that are drawn; above: or those from this per cent of
    the scale on. outlines: of the set's masks or boxes.

    Of the Compare page. reading: how it reads the prompts: as texts, in CLIP's templates, or as choices among
    a list. minus: a text whose score is taken from that of every text, '' for none. like: ids of other images
    of the set, each a row for the likeness to it. choices: what is chosen among: the prompts, the emotions
    that the bundled model knows, the prompts of the set, or `classes`. picked: choices that have a row
    besides the first of the ranking.

    Of the Layers page. tower: whose layers. target: a prompt, or `image:` and the id of another image of the
    set; '' for the first prompt. beside: a second target, or `model:` for the second model; '' for none.
    quantity: its name in the engine. layer: counted from 1, 0 for the last. head: 'mean', 'max' or a number
    from 1. source: '' for the pooled token, 'row,column' of a patch, or the place of a token of the prompt;
    from 1.

    Of the Words page, for the prompt that is `target`. text_method: spec of the method that weighs tokens.
    words: the selected word's place from 1, or 'first-last' of a phrase; '' for none. word_map: what a word's
    map explains: the prompt less the prompt without it, the word alone, or the whole prompt. word_method: one
    of `methods` for the large map, '' for the first. region: patches, as 'row,from-to' from 1, joined by ';'.

    Of the Curves page, for the prompt that is `target`. preset: of the protocol; fill, unit, steps, score and
    among are what is changed of it, 'preset' and 0 for nothing. among: what probability and top-k choose
    among: the set's prompts, those in effect, `classes`, or ImageNet's. order: the most or the least relevant
    units first. curve: whose pictures are shown. mark: per cent of the units that are changed where it is
    marked. sort: a column of the table, '-' before it for the highest first; '' for the order of the methods.
    fills: whether all fills are compared.

    Of the Benchmark page. metrics: names in the engine, () for the usual ones. first: so many images of the
    set, 0 for all. most_prompts: of an image, 0 for all. run: id of the run that is shown, '' for none.
    against: what the run's methods are compared with: '' for nothing, 'controls' for the best control of each
    metric, or a spec. run_metric, run_method: the metric and the method that are looked at, '' for the first.
    """

    image_set: str = "scenes"
    image: str = ""
    upload: str = ""
    prompts: tuple[str, ...] = ()
    methods: tuple[str, ...] = ("grad_eclip", "game", "grad_cam", "maskclip", "self_attention")
    model: str = "bundled"
    pretrained: str = ""
    second_model: str = ""
    second_pretrained: str = ""
    resize: str = _choice(*RESIZE_POLICIES)
    sign: str = _choice("default", "positive", "signed", "negative")
    rows: str = _choice("prompts", "images", "models")
    contrast: bool = False
    transpose: bool = False
    draw: str = _choice("overlay", "map", "masked")
    colormap: str = "inferno"
    scale: str = _choice("map", "shared", "clip", "rank")
    opacity: float = _number(0.6, 0, 1)
    top: float = _number(100, 1, 100)
    above: float = _number(0, 0, 99)
    smooth: bool = True
    contour: bool = False
    outlines: bool = True
    reading: str = _choice("texts", "templates", "choices")
    minus: str = ""
    like: tuple[str, ...] = ()
    choices: str = _choice("prompts", "emotions", "set", "list")
    picked: tuple[str, ...] = ()
    tower: str = _choice("image", "text")
    target: str = ""
    beside: str = ""
    quantity: str = "attention"
    layer: float = _number(0, 0, 1000)
    head: str = "mean"
    source: str = ""
    text_method: str = "grad_eclip"
    words: str = ""
    word_map: str = _choice("difference", "alone", "whole")
    word_method: str = ""
    region: str = ""
    preset: str = _choice("default", "grad-eclip-imagenet", "rise")
    fill: str = _choice("preset", "mean", "blur", "black", "noise", "neighbours")
    unit: str = _choice("preset", "patch", "pixel")
    steps: float = _number(0, 0, 1000)
    score: str = _choice("preset", "cosine", "probability", "top-1", "top-5", "top-10")
    among: str = _choice("preset", "set", "prompts", "list", "imagenet")
    classes: tuple[str, ...] = ()
    order: str = _choice("most", "least")
    curve: str = _choice("deletion", "insertion")
    mark: float = _number(30, 0, 100)
    sort: str = ""
    fills: bool = False
    metrics: tuple[str, ...] = ()
    first: float = _number(0, 0, 100_000)
    most_prompts: float = _number(0, 0, 1000)
    run: str = ""
    against: str = ""
    run_metric: str = ""
    run_method: str = ""
