"""Train the bundled model from scratch on composed scenes, on a CPU, reproducibly from a seed."""

import math
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from open_clip.model import CLIP
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from engine.training.batches import PATCH, Batches, Stage
from engine.training.captions import all_words
from engine.training.losses import WEIGHTS, batch_loss, patch_loss
from engine.training.optim import make_optimisers
from engine.training.tokens import TokenRows
from engine.training.towers import (
    Plan,
    build_model,
    embed_images,
    embed_texts,
    make_plan,
    normalise,
    window_positions,
)

RECIPE = (
    Stage(side=48, objects=1, batch=128, samples=100_000),
    Stage(side=72, objects=2, batch=96, samples=110_000, shown=(0.5, 0.8)),
    Stage(side=112, objects=4, batch=64, samples=140_000, shown=(0.4, 0.7), rates=(1.0, 0.5)),
    Stage(side=112, objects=4, batch=64, samples=25_600, shown=(0.7, 1.0), rates=(0.5, 0.1)),
    Stage(side=112, objects=4, batch=64, samples=9_600, shown=(0.7, 1.0), rates=(0.1, 0.0)),
)
# To see what masks do; what ships never had any.
MASKED = (*RECIPE[:-2], *(replace(stage, masks=True) for stage in RECIPE[-2:]))
LR_MUON, LR_ADAM, WARMUP = 0.02, 1.5e-3, 300  # the last in steps
CLIP_NORM = 1.0
SCALE_START, SCALE_RANGE = 14.0, (5.0, 60.0)
CHUNK_TOKENS = 3200  # of one piece of work; small enough for the caches
SAVE_EVERY = 120  # seconds


def train(folder: Path, seed: int = 0, threads: int = 2, recipe: tuple[Stage, ...] = RECIPE) -> CLIP:
    """Run the recipe, or go on from the checkpoint in `folder`; returns the trained model."""
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / "checkpoint.pt"
    torch.set_num_threads(1)  # Python threads share the work: OpenMP's stall on a busy machine
    torch.manual_seed(seed)
    rows = TokenRows(all_words())
    model = build_model(len(rows.ids))
    with torch.no_grad():
        model.logit_scale.fill_(math.log(SCALE_START))
    optimisers = make_optimisers(model, LR_MUON, LR_ADAM)
    first, done = 0, 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        for optimiser, saved in zip(optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        first, done = state["stage"], state["step"]
    with ThreadPoolExecutor(threads) as pool:
        for number in range(first, len(recipe)):
            stage = recipe[number]
            loader = DataLoader(
                Batches(stage, number, seed, rows, start=min(done, stage.steps)),
                batch_size=None,
                num_workers=1,
                prefetch_factor=8,
                multiprocessing_context="fork",
            )
            saved_at, average = time.monotonic(), None
            title = f"stage {number + 1}/{len(recipe)}"
            bar = tqdm(loader, title, mininterval=10, initial=done, total=stage.steps)
            for step, batch in enumerate(bar, done):
                rate = _rate(number, step, stage)
                loss = _train_step(model, optimisers, batch, stage, rate, pool, (seed, number, step))
                average = loss if average is None else 0.98 * average + 0.02 * loss
                bar.set_postfix_str(f"loss {average:.3f}", refresh=False)
                if time.monotonic() - saved_at > SAVE_EVERY:
                    _save(checkpoint, model, optimisers, number, step + 1)
                    saved_at = time.monotonic()
            done = 0
            _save(checkpoint, model, optimisers, number + 1, 0)
            torch.save(model.state_dict(), folder / f"stage{number + 1}.pt")
    return model


def _rate(number: int, step: int, stage: Stage) -> float:
    """Factor of the learning rates: up over the first steps of all, then as the stage has it."""
    first, last = stage.rates
    rate = first + (last - first) * step / stage.steps
    return min(rate, (step + 1) / WARMUP) if number == 0 else rate


def _train_step(
    model, optimisers, batch, stage: Stage, rate: float, pool: ThreadPoolExecutor, seed: tuple[int, ...]
) -> float:
    """One update. Texts and images are embedded in pieces, in parallel, and so are their backward passes."""
    side = stage.side // PATCH
    share = sum(stage.shown) / 2
    per_piece = max(1, int(CHUNK_TOKENS / (share * side * side + 1)))
    positions = window_positions(model, batch["corner"].tolist(), side)
    shared = positions.detach().requires_grad_()  # its graph is walked once, after the pieces
    ids, order = _sorted_by_length(batch["ids"])
    texts = [partial(_embed_words, model, piece) for piece in ids.split(128)]
    rng = np.random.default_rng((*seed, 1))
    parts = batch["images"].split(per_piece)
    plans = [make_plan(rng, side, stage.shown) for _ in parts]
    images = [
        partial(_embed_pixels, model, piece, shared, plan) for piece, plan in zip(parts, plans, strict=True)
    ]
    pieces = list(pool.map(lambda embed: embed(), texts + images))
    leaves = [tuple(part.detach().requires_grad_() for part in piece) for piece in pieces]
    text = torch.cat([leaf for (leaf,) in leaves[: len(texts)]])[order.argsort()]
    seen, scale, groups = leaves[len(texts) :], model.logit_scale.exp(), batch["groups"].tolist()
    loss = batch_loss(torch.cat([leaf[0][:, 0] for leaf in seen]), text, scale, batch["truth"], groups)
    named = slice(sum(groups[:2]))  # concepts and colours
    facts = zip(batch["truth"][:, named].split(per_piece), batch["labels"].split(per_piece), strict=True)
    for (tokens, costs), plan, (truth, labels) in zip(seen, plans, facts, strict=True):
        told = labels[:, plan.shown] if stage.masks else None
        extra = WEIGHTS["patches"] * patch_loss(tokens[:, 1:], text[named], scale, truth, told)
        extra = extra + costs @ torch.tensor([WEIGHTS["near"], WEIGHTS["even"]])
        loss = loss + extra * len(tokens) / len(batch["images"])
    loss.backward()
    list(pool.map(_walk_back, pieces, leaves))
    positions.backward(shared.grad)
    torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
    for optimiser, base in zip(optimisers, (LR_MUON, LR_ADAM), strict=True):
        for group in optimiser.param_groups:
            group["lr"] = base * rate
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
    with torch.no_grad():
        model.logit_scale.clamp_(*(math.log(limit) for limit in SCALE_RANGE))
    return loss.item()


def _walk_back(piece: tuple[Tensor, ...], leaves: tuple[Tensor, ...]) -> None:
    torch.autograd.backward(piece, [leaf.grad for leaf in leaves])


def _embed_words(model: CLIP, ids: Tensor) -> tuple[Tensor]:
    return (embed_texts(model, ids),)


def _embed_pixels(model: CLIP, images: Tensor, positions: Tensor, plan: Plan) -> tuple[Tensor, ...]:
    return embed_images(model, normalise(images), positions, plan)


def _sorted_by_length(ids: Tensor) -> tuple[Tensor, Tensor]:
    """Texts in the order of their length, so that a piece of short ones is cut short; and that order."""
    order = ids.argmax(-1).argsort(stable=True)
    return ids[order], order


def _save(path: Path, model: CLIP, optimisers, stage: int, step: int) -> None:
    """Written beside and moved into place: a kill leaves the old or the new checkpoint, never half of one."""
    beside = path.with_suffix(".part")
    state = {
        "model": model.state_dict(),
        "optimisers": [optimiser.state_dict() for optimiser in optimisers],
        "stage": stage,
        "step": step,
    }
    torch.save(state, beside)
    os.replace(beside, path)
