"""From the state to the panels of the Layers page. Nothing here draws."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dashboard import gateway, progress
from dashboard.choices import State
from dashboard.components.grid import Picture
from dashboard.components.layers import Panel
from engine.types import SidelightError, Target

if TYPE_CHECKING:
    from engine.jobs import Job
    from engine.layers import Quantity, Rows, Summary

PICTURE_SIDE = 512  # pixels of the longer side, as sent to the browser
SECOND_MODEL = "model:"  # what `beside` says for it
SENT_AT_ONCE = 8 * 2**20  # bytes of rows; a larger model's are sent for the layer shown and its neighbours


def quantity(shown: State) -> Quantity:
    """The quantity that is looked at; the first one where the state names none of this tower."""
    known = gateway.layers.quantities(shown.tower)
    return next((q for q in known if q.name == shown.quantity), known[0])


def targets(shown: State) -> tuple[str, ...]:
    """What can be explained, as the state names it: the prompts and, of the image tower, other images."""
    others = gateway.collection.other_images(shown) if shown.tower == "image" else ()
    return (*gateway.prompts.prompts(shown), *(f"image:{name}" for name in others))


def explained(shown: State) -> str:
    """The target that is explained; the first one where the state names none of these."""
    known = targets(shown)
    return shown.target if shown.target in known else known[0]


def beside(shown: State) -> str:
    """What stands beside it: another target, SECOND_MODEL, or '' for nothing."""
    others = {name for name in targets(shown) if name != explained(shown)}
    if shown.second_model:
        others.add(SECOND_MODEL)
    return shown.beside if shown.beside in others else ""


def panels(shown: State) -> tuple[tuple[Panel, ...], Job | None]:
    """One panel, or two where something is beside it, and the first computation that is under way."""
    first, second = gateway.layers.target(shown, explained(shown)), beside(shown)
    asked = [(shown, first)]
    if second == SECOND_MODEL:
        asked.append((replace(shown, model=shown.second_model, pretrained=shown.second_pretrained), first))
    elif second:
        asked.append((shown, gateway.layers.target(shown, second)))
    made = [_panel(*each) for each in asked]
    return tuple(panel for panel, _ in made), next((job for _, job in made if job is not None), None)


def _panel(asked: State, target: Target) -> tuple[Panel, Job | None]:
    info = gateway.models.described(asked)
    image = gateway.collection.image(asked)
    title = f"image {target.image.name}" if target.image is not None else target.label
    panel = Panel(
        key="/".join((image.digest, info.id, info.digest, asked.resize, asked.tower, target.label)),
        title=title,
        detail=info.id,
        unit="px" if asked.tower == "image" else "tokens",
    )
    try:
        summary, job = gateway.layers.layers_of(asked, target)
    except SidelightError as error:
        return replace(panel, reason=str(error)), None
    if summary is None:
        return _lacking(panel, job), job
    if asked.tower == "image":
        jpeg = gateway.pictures.picture(image, PICTURE_SIDE)
        panel = replace(panel, picture=Picture(jpeg, image.size, gateway.collection.seen(asked), image.name))
    rows = _rows(asked, target, summary)
    return replace(panel, summary=summary, rows_of=quantity(asked).name, rows=rows), None


def _lacking(panel: Panel, job: Job | None) -> Panel:
    if job is None or job.state == "cancelled":
        return replace(panel, reason="Not computed.")
    if job.state == "failed":
        return replace(panel, reason=job.error)
    return replace(panel, waiting=progress.stage(job))


def _rows(asked: State, target: Target, summary: Summary) -> dict[int, Rows]:
    wanted = quantity(asked)
    if not wanted.sources:
        return {}
    heads = summary.heads if wanted.heads else 1
    blocks = range(summary.depth)
    if summary.depth * heads * len(summary.content) ** 2 > SENT_AT_ONCE:
        here = int(asked.layer or summary.depth) - 1
        blocks = [block for block in blocks if abs(block - here) <= 1]
    return gateway.layers.layer_rows(asked, target, wanted.name, blocks)
