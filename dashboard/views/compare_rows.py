"""From explanations to the rows, columns and cards of the grid. Nothing here draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dashboard import gateway, progress
from dashboard.choices import State
from dashboard.components.grid import Column, Picture, Row, Tile
from dashboard.components.thumbnails import data_url
from dashboard.views import compare_ranking
from engine.types import Explanation, Failure, Map, Target

if TYPE_CHECKING:
    from dashboard.views.compare_ranking import Ranking
    from engine.jobs import Job

PICTURE_SIDE = 512  # pixels of the longer side, as sent to the browser
THUMBNAIL = 128  # of another image that is a target
MEASURES = {"class": "probability", "difference": "difference of cosines"}  # what a score is, if no cosine
EVIDENCE = {
    "signed": ("evidence for and against", "Positive values raise the score, negative ones lower it."),
    "": ("no sign", "The map says where the method looks, not whether it speaks for or against the target."),
}
CUT = "Values of the other sign are set to zero; “Both signs” below the methods keeps them."
CUT_WITHIN = "The method cuts off the other sign before it sums up, so it has no map of both."


@dataclass(frozen=True)
class Line:
    """One row: a target of an explanation. state: what was asked to get it; detail: what sets it apart from
    the other rows; own: whether the person asked for this prompt, or it is there for contrast; areas: under
    the deletion and insertion curves that are known, by spec and target."""

    state: State
    explanation: Explanation
    target: Target
    job: Job | None
    detail: str = ""
    own: bool = True
    areas: Mapping[tuple[str, str], tuple[float, float]] = field(default_factory=dict)

    def get(self, spec: str) -> Map | Failure | None:
        return self.explanation.get(spec, self.target.label)

    @property
    def score(self) -> float | None:
        """What the model scores the row's image and target, once a map is there."""
        return next((m.score for m in self.explanation.maps if m.target == self.target.label), None)


def lines(shown: State, ranked: Ranking | None = None) -> tuple[Line, ...]:
    """All rows that a state asks for; asking starts the computation of what is missing.

    ranked: of its choices, where it reads prompts so.
    """
    if shown.rows == "images":
        found = []
        for place, asked in enumerate(compare_ranking.images(shown)):
            targets = ranked.targets(place) if ranked else gateway.targets.texts(asked)[:1]
            found += _lines(asked, targets, "your upload" if asked.upload else asked.image)
        return tuple(found)
    targets = ranked.targets(0) if ranked else gateway.targets.texts(shown)
    targets = (*targets, *gateway.targets.like(shown).values())
    if shown.rows == "models" and shown.second_model:
        first = _lines(shown, targets, _model(shown))
        second = _lines(_other(shown), targets, _model(_other(shown)))
        found = [line for pair in zip(first, second, strict=True) for line in pair]
    else:
        found = _lines(shown, targets)
    if shown.contrast and not ranked:
        against = replace(shown, prompts=gateway.prompts.contrast(shown))
        there = _lines(against, gateway.targets.texts(against))
        for line, detail in zip(there, ("for contrast", "means nothing"), strict=True):
            found.append(replace(line, detail=detail, own=False))
    return tuple(found)


def _lines(asked: State, targets: Sequence[Target], detail: str = "") -> list[Line]:
    found, job = gateway.maps.maps(asked, targets)
    areas = gateway.curves.areas(asked, found.targets)
    return [Line(asked, found, target, job, detail, areas=areas) for target in found.targets]


def _other(shown: State) -> State:
    return replace(shown, model=shown.second_model, pretrained=shown.second_pretrained)


def _model(asked: State) -> str:
    return f"{asked.model} {asked.pretrained}".strip()


def columns(found: Sequence[Line]) -> tuple[Column, ...]:
    """One for each method; what its spec adds to the name is its detail."""
    return tuple(Column(*parts(spec), *evidence(spec)) for spec in found[0].explanation.specs)


def evidence(spec: str) -> tuple[str, str]:
    """What a method's maps hold of what speaks for and against the target, and what that means."""
    sign, both = gateway.models.sign_of(spec)
    if sign in EVIDENCE:
        return EVIDENCE[sign]
    kept = "for" if sign == "positive" else "against"
    return f"evidence {kept}; sign cut off", CUT if both else CUT_WITHIN


def name(spec: str) -> str:
    """A spec for reading: the method's title and what is not default."""
    title, _, parameters = parts(spec)
    return f"{title} {parameters}".strip()


def parts(spec: str) -> tuple[str, str, str]:
    """Title, unit and given parameters."""
    method, _, parameters = spec.partition("(")
    known = gateway.models.methods()[method]
    return known.title, known.unit, parameters.removesuffix(")")


def pictures(found: Sequence[Line]) -> tuple[tuple[Picture, ...], tuple[Row, ...]]:
    """Each picture once, and the rows that point at them."""
    places: dict[tuple, int] = {}
    made: list[Picture] = []
    rows = []
    for line in found:
        image = line.explanation.image
        where = (image.digest, line.explanation.seen)
        if where not in places:
            places[where] = len(made)
            jpeg = gateway.pictures.picture(image, PICTURE_SIDE)
            outlines = gateway.pictures.outlines(line.state)
            made.append(Picture(jpeg, image.size, line.explanation.seen, image.name, outlines))
        rows.append(
            Row(
                title(line.target),
                places[where],
                line.detail,
                line.score,
                measure=MEASURES.get(line.target.kind, "cosine"),
                thumbnail=_thumbnail(line.target),
            )
        )
    return tuple(made), tuple(rows)


def title(target: Target) -> str:
    """A target as a row is headed; the page says what it is chosen among."""
    if target.image is not None:
        return f"like {target.image.name}"
    return target.text if target.kind == "class" else target.label


def _thumbnail(target: Target) -> str:
    return data_url(gateway.pictures.picture(target.image, THUMBNAIL)) if target.image is not None else ""


def tiles(found: Sequence[Line]) -> list[list[Tile]]:
    """The cards, rows by methods."""
    specs = found[0].explanation.specs
    signed = {
        s for s in specs if gateway.models.methods()[s.partition("(")[0]].signed and _below_zero(found, s)
    }
    return [[_tile(line, spec, spec in signed, found) for spec in specs] for line in found]


def _below_zero(found: Sequence[Line], spec: str) -> bool:
    maps = (line.get(spec) for line in found)
    return any(isinstance(m, Map) and m.values.min() < 0 for m in maps)


def _tile(line: Line, spec: str, signed: bool, found: Sequence[Line]) -> Tile:
    result = line.get(spec)
    if result is None:
        return _lacking(line.job)
    if isinstance(result, Failure):
        return Tile(reason=result.reason)
    other = _another(line, found)
    against = other.get(spec) if other else None
    areas = line.areas.get((spec, line.target.label))
    pair = isinstance(against, Map) and against.values.shape == result.values.shape
    return Tile(
        values=result.values,
        signed=signed,
        score=result.score,
        explained=result.explained_score,
        seconds=result.seconds,
        gini=gateway.maps.gini(result.values),
        specificity=gateway.maps.specificity(result.values, against.values) if pair else None,
        versus=title(other.target) if pair else "",
        deletion=areas[0] if areas else None,
        insertion=areas[1] if areas else None,
        note=result.note,
    )


def _lacking(job: Job | None) -> Tile:
    if job is None or job.state == "cancelled":
        return Tile(reason="Not computed.")
    if job.state == "failed":
        return Tile(reason=job.error)
    total = job.progress.total
    if not total:  # the panel says for what; the cards are not drawn again before there is more to see
        return Tile(waiting="Waiting")
    return Tile(waiting=progress.stage(job), progress=job.progress.done / total)


def _another(line: Line, found: Sequence[Line]) -> Line | None:
    """A row for another prompt on the same image and model; rather one for contrast, which is unrelated."""
    same = [
        other
        for other in found
        if other.target.label != line.target.label
        and other.explanation.image.digest == line.explanation.image.digest
        and other.explanation.model.id == line.explanation.model.id
    ]
    if not same:
        return None
    contrast = [other for other in same if not other.own]
    after = [other for other in same if found.index(other) > found.index(line)]
    return (contrast or after or same)[0]
