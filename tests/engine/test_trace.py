"""The recording against the model itself, finite differences and one-by-one runs."""

import copy

import pytest
import torch

from engine.encoder import fused_attention, join_heads, pick, row_logits, row_mix, split_heads
from engine.precision import exact_float32
from engine.trace import record
from tests.engine.tiny import PROMPTS, pixels, tiny_clip, tiny_model


def _close(a, b, limit=1e-5):
    assert (a - b).abs().max() <= limit * b.abs().max()


def test_encoders_equal_the_model():
    clip, model = tiny_clip(), tiny_model()
    x, ids = pixels(1), model.token_ids(PROMPTS)
    with torch.no_grad():
        _close(model.image.encode(x), clip.encode_image(x, normalize=True))
        _close(model.text.encode(ids), clip.encode_text(ids, normalize=True))


@pytest.mark.parametrize("blocks", [1, 2, 3, 99])
@pytest.mark.parametrize("grads", [0, 1, 3])
def test_how_much_is_recorded_does_not_change_the_embedding(blocks, grads):
    model, x = tiny_model(), pixels(2)
    trace = record(model.image, x, model.embed_texts(PROMPTS), blocks=blocks, grads={"out": grads})
    _close(trace.embedding.detach(), model.image.encode(x).detach())
    assert len(trace.layers) == min(max(blocks, grads), 3)
    assert trace.scores.shape == (2, 3)


@pytest.mark.parametrize("name", ["x", "attn", "out"])
@pytest.mark.parametrize("branch", ["image", "text"])
def test_gradients_equal_finite_differences(name, branch):
    model = tiny_model()
    clip = copy.deepcopy(model.clip).double()
    from engine.models import wrap

    double = wrap(clip)
    encoder = getattr(double, branch)
    inputs = pixels(3).double() if branch == "image" else double.token_ids(PROMPTS[:2])
    queries = torch.nn.functional.normalize(
        torch.randn(3, 48, generator=torch.Generator().manual_seed(0)), dim=1
    )
    trace = record(encoder, inputs, queries.double(), blocks=1, grads={"x": 1, "attn": 1, "out": 1})
    layer, gradient = trace.layers[-1], getattr(trace.gradients[-1], name)
    direction = torch.randn(
        getattr(layer, name).shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )

    def score(step):
        value = getattr(layer, name).detach() + step * direction
        block, mask = layer.block, encoder.mask(layer.x.shape[1])
        if name == "x":
            x, out = value, fused_attention(block, value, mask)
        else:
            x = layer.x.detach()
            out = value if name == "out" else join_heads(value @ split_heads(layer.v.detach(), block.heads))
        return encoder.project(pick(block.finish(x, out), trace.row)) @ queries.double().T

    numeric = (score(1e-5) - score(-1e-5)) / 2e-5  # [b t]
    exact = (gradient * direction).flatten(2).sum(-1).T
    _close(exact, numeric.detach(), 1e-6)


def test_batch_equals_one_by_one():
    model, x = tiny_model(), pixels(4)
    queries = model.embed_texts(PROMPTS)
    both = record(model.image, x, queries, grads={"attn": 3})
    for b in range(2):
        for t in range(3):
            one = record(model.image, x[b : b + 1], queries[t : t + 1], grads={"attn": 3})
            for layer in range(3):
                _close(both.gradients[layer].attn[t, b], one.gradients[layer].attn[0, 0])


def test_non_square_input_has_its_own_grid():
    model = tiny_model()
    trace = record(model.image, pixels(5, height=48, width=96), model.embed_texts(PROMPTS))
    assert trace.grid == (3, 6)
    assert trace.layers[-1].attn.shape == (2, 2, 19, 19)
    assert trace.content.sum(1).tolist() == [18, 18]


def test_single_head_run_explains_another_score():
    model, x, queries = tiny_model(), pixels(6), tiny_model().embed_texts(PROMPTS)
    plain, single = record(model.image, x, queries), record(model.image, x, queries, single=1)
    assert single.layers[-1].attn.shape[1] == 1
    assert (plain.scores - single.scores).abs().max() > 1e-3


def test_text_rows_end_at_the_end_of_text():
    model = tiny_model()
    trace = record(model.text, model.token_ids(PROMPTS), model.embed_texts(PROMPTS))
    assert trace.row.tolist() == trace.inputs.argmax(-1).tolist()
    assert trace.content.sum(1).tolist() == [n - 1 for n in trace.row.tolist()]
    assert trace.grid is None


@pytest.mark.parametrize("heads", [1, 2])
def test_one_row_past_keys_and_values_is_the_row_of_full_attention(heads):
    generator = torch.Generator().manual_seed(2)
    read, query, row_bias = (torch.randn(*s, generator=generator) for s in ((2, 5, 8), (2, 8), (8,)))
    keys, values = torch.randn(2, 8, 8, generator=generator)
    logits = row_logits(keys, read, query, heads)
    k, v = split_heads(read @ keys.T, heads), split_heads(read @ values.T + row_bias, heads)
    _close(logits, torch.einsum("bhs,bhns->bhn", query.unflatten(-1, (heads, -1)), k) / (8 / heads) ** 0.5)
    attn = logits.softmax(-1) * 0.7  # a gradient also asks of rows that do not sum to one
    _close(row_mix(values, row_bias, attn, read), join_heads(attn[:, :, None] @ v)[:, 0])


@pytest.fixture
def fast_matmul():
    """The setting that a user of a GPU may have chosen, and what was set before it."""
    before = torch.backends.cuda.matmul.fp32_precision
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    yield torch.backends.cuda.matmul
    torch.backends.cuda.matmul.fp32_precision = before


def test_precision_settings_are_restored_after_an_exception(fast_matmul):
    with pytest.raises(RuntimeError), exact_float32():
        assert fast_matmul.fp32_precision == "ieee"
        raise RuntimeError
    assert fast_matmul.fp32_precision == "tf32"


def test_precision_stays_exact_until_the_last_of_two_threads_is_done(fast_matmul):
    first, second = exact_float32(), exact_float32()  # of two threads whose passes overlap
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert fast_matmul.fp32_precision == "ieee"
    second.__exit__(None, None, None)
    assert fast_matmul.fp32_precision == "tf32"


def test_a_callers_autocast_does_not_reach_the_passes():
    usual = tiny_model().image.encode(pixels(1))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with exact_float32():
            assert torch.equal(tiny_model().image.encode(pixels(1)), usual)
        assert torch.is_autocast_enabled("cpu")
        assert not torch.equal(tiny_model().image.encode(pixels(1)), usual)
