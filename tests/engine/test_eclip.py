"""Grad-ECLIP and Attention-ECLIP: where the chain rule makes them one, and what is not the same."""

from __future__ import annotations

import pytest

from engine.compute import relevances
from engine.specs import parse
from tests.engine.questions import image_question, text_question
from tests.engine.tiny import PROMPTS, pixels, tiny_model

ASK = {"image": image_question, "text": text_question}


def _map(spec, branch, height=48, width=80):
    question = ASK[branch](tiny_model(), pixels(21, height=height, width=width), PROMPTS)
    (result,) = relevances(question, [parse(spec)])
    return result.values


@pytest.mark.parametrize("branch", ["image", "text"])
@pytest.mark.parametrize("heads", ["model", "single"])
@pytest.mark.parametrize("sign", ["positive", "signed", "negative"])
def test_the_attention_route_is_grad_eclip_to_rounding(branch, heads, sign):
    through_features = _map(f"grad_eclip(heads={heads!r}, sign={sign!r})", branch)
    through_attention = _map(f"attention_eclip(heads={heads!r}, sign={sign!r})", branch)
    assert (through_features - through_attention).abs().max() <= 2e-6 * through_features.abs().max()


@pytest.mark.parametrize("branch", ["image", "text"])
@pytest.mark.parametrize(
    "other",
    [
        "grad_eclip(heads='single')",  # another forward pass
        "grad_eclip(key_similarity=False)",  # no weights
        "grad_eclip(projected=False)",  # other weights
        "attention_gradient",  # gradient times attention
    ],
)
def test_what_is_not_the_same_map(branch, other):
    ours = _map("attention_eclip", branch)
    assert (ours - _map(other, branch)).abs().max() > 1e-2 * ours.abs().max()
