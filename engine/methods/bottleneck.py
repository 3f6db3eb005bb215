"""Information that must pass for the score to stay: the multi-modal information bottleneck (M2IB)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal

from engine.methods.batching import FLOATS_PER_BLOCK, graph_parts
from engine.registry import Help, Needs, Range, method
from engine.types import SidelightError, Unsupported

if TYPE_CHECKING:
    from torch import Tensor

    from engine.encoder import Encoder
    from engine.trace import Trace

SAMPLES = 10  # noisy copies of an input in each step
START = 5.0  # first value of alpha: nearly all information passes


@method(
    title="M2IB",
    year=2023,
    paper=(
        "Wang, Rudner and Wilson, Visual Explanations of Image-Text Representations via Multi-Modal "
        "Information Bottleneck Attribution, NeurIPS 2023"
    ),
    url="https://arxiv.org/abs/2312.17174",
    family="bottleneck",
    branches=("image", "text"),
    requires=("transformer blocks", "gradients"),
    cost="1 forward to the bottleneck; 9 steps of 10 forwards and backwards of the blocks after it, a pair",
    unit="nats per token",
    own_score="mean cosine over 10 noisy passes through the bottleneck",
    needs=Needs(blocks=0),
    formula=(
        r"R_i = \sum_w \mathrm{KL}\big(\mathcal{N}(\mu_{i,w}, \sigma_{i,w}^2) "
        r"\,\Vert\, \mathcal{N}(0, 1)\big), \\"
        r"\mu = \mathrm{sigmoid}(\alpha)\, x, \quad \sigma = 1 - \mathrm{sigmoid}(\alpha), \\"
        r"\alpha \text{ lowers } \beta\, \overline{\mathrm{KL}} - \bar c(\mu + \sigma \varepsilon)"
    ),
    departures=(
        "The authors embed prompts without causal mask and project them twice (label='authors'), which is "
        "not the model's text embedding. Their default is layer 9, which shallow models lack; ours is three "
        "quarters of the depth, 9 of 12. Their KL turns infinite after some 13 steps; ours stays finite."
    ),
    bibtex="""@inproceedings{wang2023m2ib,
  title={Visual Explanations of Image-Text Representations via Multi-Modal Information Bottleneck
         Attribution},
  author={Wang, Ying and Rudner, Tim G. J. and Wilson, Andrew Gordon},
  booktitle={Advances in Neural Information Processing Systems},
  year={2023}
}""",
)
def m2ib(
    trace: Trace,
    *,
    layer: Annotated[
        int | None,
        Range(0, 63, "the bottleneck follows this block, counted from 0; None: at 3/4 of the depth"),
    ] = None,
    beta: Annotated[float, Range(0, 1000, "weight of the information against the score")] = 0.1,
    steps: Annotated[int, Range(1, 1000, "forward passes of the optimisation; Adam, rate 1")] = 10,
    label: Annotated[
        Literal["model", "authors"],
        Help("'model': the text tower as it is; 'authors': not causal, not padded, projected twice"),
    ] = "model",
    seed: Annotated[int, Range(0, 2**31 - 1, "seed of the noise")] = 0,
) -> Tensor:
    """Information that each token lets through a noisy bottleneck trained to keep the score: sum_w KL_iw.

    X is the output of block `layer`; lam = sigmoid(alpha), alpha = 5 at first; mu = lam X, sigma = 1 - lam;
    z = mu + sigma eps with eps normal, 10 draws. alpha minimises beta mean(KL) - mean cos(z) with
    KL = -(1 + log sigma^2 - mu^2 - sigma^2) / 2. Text is cut after its end token; what lies beyond is zero.
    The authors' prompt is embedded without causal mask and projected twice (label='authors').
    """
    import torch

    depth = trace.depth
    if depth < 2:
        raise Unsupported("M2IB needs a block behind its bottleneck, and this branch has one block only.")
    # Behind the last block nothing but the pooled token reaches the score: only who asks for it gets that.
    layer = min(3 * depth // 4, depth - 2) if layer is None else layer
    if layer >= depth:
        raise SidelightError(f"m2ib: layer={layer} is not there; this branch takes 0 to {depth - 1}.")
    relevance = trace.embedding.new_zeros(len(trace.queries), *trace.content.shape)
    for group in _groups(trace, label):
        problem = Bottleneck(group.encoder, group.start(layer), group.row, layer + 1, group.score, beta)
        pairs = [(t, b) for t in range(len(trace.queries)) for b in range(len(group.members))]
        each = 4 * SAMPLES * problem.x[0].numel() * FLOATS_PER_BLOCK * (depth - layer)
        for part in graph_parts(len(pairs), each):
            targets, inputs = torch.tensor(pairs[part], device=relevance.device).unbind(1)
            information = informed(problem, targets, inputs, steps, seed, trace.check)  # [p n]
            length = information.shape[1]
            relevance[targets, group.members[inputs], :length] = information.to(relevance.dtype)
    return relevance


@dataclass(frozen=True)
class Group:
    """Inputs of equal length. members: their indices [m]; inputs [m ...]; row [m]; score: unit embeddings
    [k e] -> [k t]."""

    encoder: Encoder
    members: Tensor
    inputs: Tensor
    row: Tensor
    score: Callable[[Tensor], Tensor]

    def start(self, layer: int) -> Tensor:
        """Tokens after block `layer`, [m n d]."""
        return self.encoder.advance(self.encoder.embed(self.inputs), 0, layer + 1)


def _groups(trace: Trace, label: str) -> Iterator[Group]:
    import torch

    everyone = torch.arange(len(trace.inputs), device=trace.inputs.device)
    if trace.grid is not None:
        score = trace.readout
        if label == "authors":
            queries = trace.requery(authors_text)
            score = lambda embedding: embedding @ queries.T  # noqa: E731
        yield Group(trace.encoder, everyone, trace.inputs, trace.row, score)
        return
    encoder = as_authors(trace.encoder) if label == "authors" else trace.encoder
    for end in trace.row.unique().tolist():
        members = everyone[trace.row == end]
        yield Group(encoder, members, trace.inputs[members, : end + 1], trace.row[members], trace.readout)


def as_authors(encoder: Encoder) -> Encoder:
    """A text encoder as the authors run it: every token sees every other, and the projection comes twice."""

    def head(x: Tensor) -> Tensor:
        y = encoder.head(x)
        if y.shape[-1] != x.shape[-1]:
            raise Unsupported(
                "m2ib(label='authors') projects the text twice, which needs a text tower as wide as the "
                "embedding."
            )
        return encoder.projection(y)

    return replace(encoder, head=head, mask=lambda n: None)


def authors_text(encoder: Encoder, ids: Tensor) -> Tensor:
    """The authors' label of each prompt, unit embeddings [p e]; padding would be seen, so it is cut off."""
    import torch

    each = zip(ids, encoder.row(ids).tolist(), strict=True)
    return torch.cat([as_authors(encoder).encode(one[None, : end + 1]) for one, end in each])


@dataclass(frozen=True)
class Bottleneck:
    """What does not change while alpha is trained. x: tokens before block `start` [m n d]; row [m]; score:
    unit embeddings [k e] -> [k t]."""

    encoder: Encoder
    x: Tensor
    row: Tensor
    start: int
    score: Callable[[Tensor], Tensor]
    beta: float


def informed(
    problem: Bottleneck, targets: Tensor, inputs: Tensor, steps: int, seed: int, check: Callable[[str], None]
) -> Tensor:
    """Information of every token for pairs of target and input, [p] and [p] -> [p n].

    Each pair has its own alpha and Adam state; each meets the noise that it would meet alone.
    """
    import torch

    x = problem.x[inputs].detach()
    x = x.to(torch.promote_types(x.dtype, torch.float32))  # Adam's epsilon is nothing in half precision
    alpha = torch.full_like(x, START).requires_grad_()
    optimiser = torch.optim.Adam([alpha], lr=1.0)
    generator = torch.Generator().manual_seed(seed)  # on the CPU, so that every device has the same noise
    for step in range(steps - 1):  # the information is that of the last forward pass, before its update
        check(f"m2ib, step {step + 1} of {steps}")
        noise = torch.empty(SAMPLES, *x.shape[1:]).normal_(generator=generator).to(x)
        with torch.enable_grad():
            z = alpha.sigmoid()[:, None] * x[:, None] + (-alpha).sigmoid()[:, None] * noise  # [p s n d]
            rows = problem.row[inputs].repeat_interleave(SAMPLES)
            embedding = problem.encoder.resume(z.flatten(0, 1).to(problem.x.dtype), problem.start, rows)
            scores = problem.score(embedding).unflatten(0, z.shape[:2])  # [p s t]
            own = scores.take_along_dim(targets[:, None, None], 2).mean((1, 2))
            loss = (problem.beta * _divergence(alpha, x).mean((1, 2)) - own).sum()
            (alpha.grad,) = torch.autograd.grad(loss, alpha)
        optimiser.step()
    return _divergence(alpha.detach(), x).sum(-1)


def _divergence(alpha: Tensor, x: Tensor) -> Tensor:
    """KL(N(mu, sigma^2) || N(0, 1)), finite also where sigma is too small to be told from zero."""
    from torch.nn.functional import logsigmoid

    mu, sigma = alpha.sigmoid() * x, (-alpha).sigmoid()
    return -(1 + 2 * logsigmoid(-alpha) - mu.square() - sigma.square()) / 2
