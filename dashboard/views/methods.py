"""Methods: what each one computes, what it costs and needs, and where it departs from its authors."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import gateway, state
from dashboard.callbacks import unbroken
from dashboard.text import plain

if TYPE_CHECKING:
    from engine.registry import Method, Parameter

SYMBOLS = r"""
- $R_i$: relevance of token $i$ of $N$; token 0 is the class token, and the end of text in the text branch
- $c$: cosine of image and text embedding, $f_T$ the text's; $S$: the score, $c$ or $c$ times the model's
  logit scale; $X$: the model's input, so that $c(X)$ is its cosine, and $X'$ the baseline
- $x$: input of the last block; $q, k, v$: its queries, keys and values; $o$: its joined heads; softmax and
  $\sqrt d$ are taken head by head; an index $l$ names another of the $L$ blocks
- $A_l^{(m)}$: attention of head $m$ of $h$ in block $l$
- $\tilde u$: $u$ through the attention's output projection; $\mathrm{finish}(x, u)$: the rest of the block on
  its input $x$ and joined heads $u$; $\mathrm{project}$: final norm and projection into the embedding, to
  unit length; $\hat p$: head by head at unit length
- $\mathrm{mm}_{01}$: minimum to 0 and maximum to 1; $\mathrm{relu}$: negative values to 0; $\odot$: element
  by element; a bar: the mean
- $P_i$: the pixels of patch $i$, $Y$ their luma; $M_k$: a random mask; $\varepsilon$: normal noise
- $t_j$: unit mean of prompt $j$ of $n$ over 85 templates; $f_i$: unit feature of token $i$
"""


def page() -> None:
    known = gateway.models.methods()
    chosen = state.current().methods
    st.caption(
        f"{len(known)} methods, each run on the unmodified model. Where the authors' code departs from the "
        "model or the paper, that variant is a parameter. Image methods take grids of any shape."
    )
    with st.expander("Symbols in the formulas"):
        st.markdown(SYMBOLS)
    ordered = sorted(known.values(), key=lambda m: (m.family == "control", m.family))
    with st.expander("All methods at a glance"):
        st.markdown(overview(ordered))
    for family, members in groupby(ordered, key=lambda m: m.family):
        st.subheader(family.capitalize(), divider="gray")
        for method in members:
            _card(method, method.name in chosen)


def _card(method: Method, on: bool) -> None:
    with st.container(border=True, key=f"card_{method.name}"):
        head = st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute")
        year = f" ({method.year})" if method.year else ""
        head.markdown(f"##### {plain(method.title)}{year} &ensp; `{method.name}`")
        head.button(
            "In the grid" if on else "Add to the grid",
            key=f"add {method.name}",
            disabled=on,
            on_click=unbroken(_add),
            args=(method.name,),
        )
        left, right = st.columns([3, 2], gap="large")
        with left:
            st.markdown(plain(method.summary))
            st.latex(rf"\begin{{gathered}} {method.formula} \end{{gathered}}")
            if method.departures:
                st.markdown(f"**Departures.** {plain(method.departures)}")
        with right:
            st.markdown("\n".join(f"- **{label}:** {text}" for label, text in facts(method)))
        if method.parameters:
            st.markdown(parameter_table(method.parameters))
        if method.bibtex:
            with st.expander("Cite"):
                st.code(method.bibtex, language="latex", wrap_lines=True)


def overview(methods: Sequence[Method]) -> str:
    """One row a method, as a Markdown table."""
    rows = [
        f"| {plain(m.title)} | {m.year or ''} | {plain(m.family)} | {plain(m.cost)} "
        f"| {'yes' if m.text_specific else 'no'} | {'yes' if m.signed else 'no'} | {', '.join(m.branches)} |"
        for m in methods
    ]
    head = "| method | year | family | cost | answers the prompt | signed | branches |"
    return "\n".join((head, "|---" * 7 + "|", *rows))


def facts(method: Method) -> list[tuple[str, str]]:
    """What the card lists, as (label, Markdown)."""
    scored = method.own_score or "the model's cosine"
    rows = [
        ("Cost", plain(method.cost)),
        ("Reads", plain(", ".join(method.requires) or "nothing of the model")),
        ("Branches", plain(" and ".join(method.branches))),
        ("Answers the prompt", "yes" if method.text_specific else "no: the same map for every prompt"),
        ("Sign", _sign(method)),
        ("Score it explains", plain(scored)),
        ("Unit", plain(method.unit)),
    ]
    paper = plain(method.paper or "none")
    return [*rows, ("Paper", f"[{paper}]({method.url})" if method.url else paper)]


def _sign(method: Method) -> str:
    if method.signed:
        return "signed"
    cut = any(parameter.name == "sign" for parameter in method.parameters)
    return "cut off: either what raises the score or what lowers it" if cut else "none"


def parameter_table(parameters: tuple[Parameter, ...]) -> str:
    """The parameters as a Markdown table."""
    rows = [f"| `{p.name}` | {plain(p.help)} | {plain(p.valid())} | `{p.default!r}` |" for p in parameters]
    return "\n".join(("| parameter | meaning | takes | default |", "|---|---|---|---|", *rows))


def _add(name: str) -> None:
    state.update(methods=(*state.current().methods, name))
