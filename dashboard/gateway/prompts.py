"""The prompts of an image, and the words that a model knows."""

from __future__ import annotations

import unicodedata

from dashboard.choices import State
from dashboard.gateway import collection, models

SHOWN_PROMPTS = 2  # of the image's own, as long as the person typed none
COUNTER_PROMPTS = ("a bicycle", "a pineapple")
MEANINGLESS = "lorem ipsum dolor"
ANY_PROMPTS = ("a dog", "a cat")  # for an image that brings none
COMPOSED = ("scenes", "pairs", "emotions", "counter")  # like what the bundled model was trained on


def own_prompts(state: State) -> tuple[str, ...]:
    """The prompts that the image brings: none for an upload, or where there is no image."""
    if state.upload:
        return ()
    found = collection.chosen(
        state, next((s.items for s in collection.sets() if s.name == state.image_set), ())
    )
    return tuple(dict.fromkeys(found.prompts)) if found else ()


def prompts(state: State) -> tuple[str, ...]:
    """The prompts in effect: the person's, or else the first ones of the image."""
    return state.prompts or own_prompts(state)[:SHOWN_PROMPTS] or ANY_PROMPTS


def concepts() -> tuple[str, ...]:
    """Prompts that the bundled model was trained on, in alphabetical order."""
    from engine import catalog

    return catalog.concepts()


def class_list(state: State, which: str) -> tuple[str, ...]:
    """What is chosen among: the 'prompts' in effect, the 'emotions' that the bundled model knows, the prompts
    of the 'set', or the person's own 'list'."""
    from engine import catalog

    if which == "emotions":
        return catalog.emotions()
    if which == "set":
        own = (prompt for item in collection.image_set(state.image_set).items for prompt in item.prompts)
        return tuple(dict.fromkeys(own))
    return state.classes if which == "list" else prompts(state)


def photo_note(state: State) -> tuple[str, ...]:
    """One sentence where the model was not trained on images like the one that is looked at."""
    note = models.described(state).note
    return (note,) if note and (state.upload or state.image_set not in COMPOSED) else ()


def unknown_words(state: State, used: tuple[str, ...]) -> tuple[str, ...]:
    """The words of prompts that the model was never trained on; none for an open vocabulary."""
    from engine import phrases

    known = models.described(state).known_words
    if known is None:
        return ()
    words = dict.fromkeys(word.text for prompt in used for word in phrases.words_in(prompt.lower()))
    return tuple(word for word in words if word not in known and any(map(_means, word)))


def _means(character: str) -> bool:
    """Whether it is a letter, a digit or a sign such as an emoji, not punctuation."""
    return character.isalnum() or unicodedata.category(character) == "So"


def contrast(state: State) -> tuple[str, str]:
    """A prompt for something that is not in the state's image, and one that means nothing."""
    found = collection.item(state)
    here = {thing.name for thing in found.objects} if found else set()
    here |= {prompt for prompt in (*prompts(state), *own_prompts(state))}
    others = [p for i in collection.image_set(state.image_set).items for p in i.prompts] if found else []
    absent = (p for p in (*others, *COUNTER_PROMPTS) if not any(h in p or p in h for h in here))
    return next(absent, COUNTER_PROMPTS[-1]), MEANINGLESS
