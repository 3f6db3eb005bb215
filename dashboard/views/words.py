"""Words: which word of a prompt does it, by three measures, and where in the image it is."""

from __future__ import annotations

import streamlit as st

from dashboard import fields, gateway, links, progress, state
from dashboard.components.grid import DISPLAY, Column, grid
from dashboard.components.words import CHOICE, Rank, words
from dashboard.text import labels, plain, shortened
from dashboard.views import compare_rows, words_maps, words_parts, words_take
from dashboard.views.words_parts import MOST_WORDS, Parts, named

KINDS = {
    "difference": "Difference",
    "alone": "Word alone",
    "whole": "Whole prompt",
}
KIND_HELP = (
    "What a word's map explains. Difference: the score of the prompt less that of the prompt without the "
    "word. Word alone: the word as a prompt of its own. Whole prompt: one map for all words."
)


def page() -> None:
    shown = state.current()
    found = words_parts.parts(shown)
    with st.container(horizontal=True, vertical_alignment="bottom", key="words_head"):
        _choices(shown, found)
        words_take.draw(found, gateway.collection.image(shown).name)
    for note in _notes(shown, found):
        st.caption(f":material/info: {plain(note)}")
    running = [job for job in found.jobs if job.state in ("queued", "running")]
    with st.container():  # holds the place, so that what follows stays the same when the panel goes
        progress.panel((running or list(found.jobs) or [None])[-1])
    _words(shown, found)
    _grid(shown, found)


def _choices(shown: state.State, found: Parts) -> None:
    prompts = gateway.prompts.prompts(shown)
    _choice(
        "Prompt", "target", list(prompts), words_parts.prompt_of(shown), labels(prompts, 80).get, words=""
    )
    known = gateway.words.weighing_methods()
    specs = list(dict.fromkeys((*known, shown.text_method)))
    _choice("Tokens by", "text_method", specs, shown.text_method, compare_rows.name)
    st.segmented_control(
        "Maps of",
        list(KINDS),
        default=shown.word_map,
        required=True,
        format_func=KINDS.get,
        help=KIND_HELP,
        **fields.bound("word map", shown.word_map, lambda kind: state.update(word_map=kind)),
    )
    large = words_maps.large_method(shown, found)
    _choice("Large map by", "word_method", list(shown.methods), large, compare_rows.name)


def _choice(label: str, field: str, options: list[str], chosen: str, named, **also: str) -> None:
    st.selectbox(
        label,
        options,
        index=options.index(chosen),
        format_func=named,
        **fields.bound(f"words {field}", chosen, lambda value: state.update(**{field: value}, **also)),
    )


def _notes(shown: state.State, found: Parts) -> list[str]:
    """What the prompt, the image and the model ask the reader to keep in mind."""
    notes = []
    lost = [word.text for word in found.words[found.read :]] if found.read else []
    if lost:
        context = gateway.models.described(shown).context
        some = f"{lost[0]}" if len(lost) == 1 else f"{lost[0]} and what follows"
        notes.append(
            f"This model reads {context - 2} tokens, {found.read} of these {len(found.words)} words: "
            f"“{shortened(some, 60)}” has no weight."
        )
    if len(found.words) == 1 and shown.word_map == "difference":
        notes.append("A prompt of one word is compared with the empty prompt.")
    if found.read > MOST_WORDS and shown.word_map != "whole":
        notes.append(f"The first {MOST_WORDS} words have maps; select a later word to add its own.")
    return [*notes, *gateway.prompts.photo_note(shown)]


def _words(shown: state.State, found: Parts) -> None:
    spec = words_maps.large_spec(shown, found)
    spans = words_maps.rows(shown, found) if found.targets else [None]
    tiles = words_maps.tiles(found, [spec], spans)
    region = found.explanation and words_maps.patches(shown.region, found.explanation.grid)
    words(
        [word.text for word in found.words],
        found.measures,
        words_maps.picture(shown),
        Column(*compare_rows.parts(spec)),
        {named(s): (found.text(s), tile) for s, (tile,) in zip(spans, tiles, strict=True)},
        [Rank(found.text(s), named(s), share) for s, share in words_maps.ranking(shown, found)],
        float(region.mean()) if region is not None else 0.0,
        {"words": named(found.chosen) if found.read else shown.words, "region": shown.region},
        {name: getattr(shown, name) for name in DISPLAY},
        key="words",
        on_choice=_chosen,
    )


def _chosen(told: dict) -> None:
    known = {name: told[name] for name in CHOICE if name in told}
    checked, _ = links.checked(known, gateway.session.vocabulary())
    state.update(**{name: getattr(checked, name) for name in CHOICE})


def _grid(shown: state.State, found: Parts) -> None:
    if not found.targets:
        return
    spans, specs = words_maps.rows(shown, found), words_maps.specs(shown)
    grid(
        [words_maps.picture(shown)],
        words_maps.columns(shown),
        [words_maps.row(shown, found, span) for span in spans],
        words_maps.tiles(found, specs, spans),
        {name: getattr(shown, name) for name in DISPLAY},
        key="words_grid",
        on_display=_display,
        on_choose=lambda name: state.update(words="" if name == named(found.chosen) else name),
    )


def _display(told: dict) -> None:
    known = {name: told[name] for name in DISPLAY if name in told}
    checked, _ = links.checked(known, gateway.session.vocabulary())
    state.update(**{name: getattr(checked, name) for name in DISPLAY})
