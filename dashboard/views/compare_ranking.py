"""How a list of choices ranks for the images of the Compare page. Nothing here draws."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dashboard import gateway
from dashboard.choices import State
from engine.types import Target

if TYPE_CHECKING:
    from engine.jobs import Job

MOST_IMAGES = 8
FIRST = 3  # of the ranking, that have a row


@dataclass(frozen=True)
class Ranking:
    """images: the states of the images, the one that is looked at alone unless rows are images. found: for
    each of them the probabilities by choice, as far as they are known. job: what computes the last of
    the rest."""

    shown: State
    classes: tuple[str, ...]
    images: tuple[State, ...]
    found: tuple[Mapping[str, float], ...]
    job: Job | None

    @property
    def whole(self) -> bool:
        return all(len(one) == len(self.classes) for one in self.found)

    @property
    def mean(self) -> dict[str, float]:
        """The mean over the images, the most likely first."""
        means = {name: sum(one[name] for one in self.found) / len(self.found) for name in self.classes}
        return _ranked(means)

    def always(self, place: int) -> tuple[str, ...]:
        """The choices of an image that have a row whatever is picked: its first ones; of several images each
        one's first, as long as nothing is picked."""
        several = self.shown.rows == "images"
        if several and self.picked:
            return ()
        return tuple(_ranked(self.found[place]))[: 1 if several else FIRST]

    @property
    def picked(self) -> tuple[str, ...]:
        """What the person picked of these choices."""
        return tuple(name for name in self.shown.picked if name in self.classes)

    def targets(self, place: int) -> tuple[Target, ...]:
        """The rows of an image, the most likely first."""
        wanted = {*self.always(place), *self.picked}
        names = [name for name in _ranked(self.found[place]) if name in wanted]
        return tuple(gateway.targets.choice(name, self.classes) for name in names)


def _ranked(shares: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(shares.items(), key=lambda pair: -pair[1]))


def images(shown: State) -> tuple[State, ...]:
    """The image that is looked at, and where rows are images those after it in its set."""
    if shown.rows != "images" or shown.upload:
        return (shown,)
    items = gateway.collection.image_set(shown.image_set).items
    here = items.index(gateway.collection.item(shown))
    return tuple(replace(shown, image=i.id) for i in [*items[here:], *items[:here]][:MOST_IMAGES])


def ranking(shown: State) -> Ranking | None:
    """The ranking that a state asks for, None where it reads prompts as texts; asking starts its computation.

    SidelightError where there is nothing to choose.
    """
    if shown.reading != "choices":
        return None
    classes = gateway.targets.classes(shown)  # the same for every image, also where these bring own prompts
    some = images(shown)
    answers = [gateway.targets.probabilities(one, classes) for one in some]
    job = next((job for _, job in reversed(answers) if job is not None), None)  # the last in the queue
    return Ranking(shown, classes, some, tuple(found for found, _ in answers), job)


def table(found: Ranking) -> bytes:
    """A line a choice, the most likely first: its mean probability, and that for each image."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = [gateway.collection.image(one).name for one in found.images]
    writer.writerow(["choice", "mean", *names])
    for name, mean in found.mean.items():
        writer.writerow([name, repr(mean), *(repr(one[name]) for one in found.found)])
    return out.getvalue().encode("utf-8-sig")  # the mark tells spreadsheets that it is UTF-8
