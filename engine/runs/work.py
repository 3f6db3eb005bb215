"""The unit of work of a run: all values of one image, a function of its arguments alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from engine.curves import check_classes
from engine.datasets import Item
from engine.models import Model
from engine.runs.catalog import DEFAULT, METRICS, checked
from engine.runs.types import Measured, Row, RunRequest
from engine.store import Store, default_store
from engine.types import Unsupported

EXTRAS = {"text_specificity": "unrelated", "meaningless_text": "meaningless"}


def measure(
    request: RunRequest,
    item: Item,
    vocabulary: Sequence[str],
    model: Model | None = None,
    store: Store | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Measured:
    """Every value that a run wants of one image. Needs nothing but its arguments, so it can be sent anywhere;
    model and store save loading and computing again where they are at hand.

    vocabulary: the prompts of the whole set, of which one serves as unrelated. cancelled: asked at every
    step of maps and curves; raises Cancelled. SidelightError where the image, its masks or its prompts are
    of no use. A value that is not defined (a flat map has no ranking) is left out, and so are a method that
    gives no map and a metric that the model or the set does not allow; the failures say why.
    """
    from engine.models import load
    from engine.runs import measure_maps, measure_passes, measure_sanity
    from engine.runs.subject import subject_of, targets_of

    wanted = checked(request.metrics) or DEFAULT
    groups = {METRICS[name].group for name in wanted}
    if "curves" in groups:  # before the maps, which would be in vain
        check_classes(request.protocol, targets_of(item, request.targets))
    model = model or load(request.model, request.pretrained, request.device)
    extras = [extra for name, extra in EXTRAS.items() if name in wanted]
    subject = subject_of(request, item, vocabulary, model, store or default_store(), extras, cancelled)
    found = [
        (m, *pair)
        for m in subject.explanation.maps
        for pair in (*measure_maps.of_map(subject, m), *measure_maps.of_region(subject, m))
    ]
    if "curves" in groups:
        found += measure_passes.of_curves(subject, cancelled)
    if "perturbation" in groups:
        found += measure_passes.of_perturbations(subject, wanted)
    failures = {f.spec: f.reason for f in subject.explanation.failures}
    if "unrelated" in extras and not subject.unrelated:
        failures["text_specificity"] = "Every prompt of the set is in the image, so none is unrelated."
    if forgetting := [name for name in ("randomisation", "randomisation_ssim") if name in wanted]:
        try:
            found += measure_sanity.of_randomisation(subject)
        except Unsupported as error:
            failures |= dict.fromkeys(forgetting, str(error))
    if {"milliseconds_alone", "forward_passes"} & set(wanted):
        found += measure_sanity.of_time(subject)
    rows = (
        Row(item.id, m.target, m.spec, name, float(value))
        for m, name, value in found
        if name in wanted and math.isfinite(value)
    )
    return Measured(tuple(rows), failures)
