"""Two pictures over one another, and a slider that uncovers one of them; works by keys alone, too."""

from __future__ import annotations

import html
import json

import gradio as gr

from relatent.client.images import Picture
from relatent.playground.parts.pictures import data_url

_TEMPLATE = """
<figure class="pair">
  <div class="pair-stack">
    <img class="pair-after" alt="">
    <img class="pair-before" alt="">
    <div class="pair-line"></div>
    <p class="pair-empty">{empty}</p>
  </div>
  <input type="range" class="pair-range" min="0" max="100" value="50" aria-label="{label}">
  <figcaption><span class="pair-left"></span><span class="pair-right"></span></figcaption>
</figure>
"""
_SCRIPT = """
const find = name => element.querySelector('.pair' + name);
const picture = (img, data, alt) => {
  if (data) { img.src = data; img.alt = alt; } else { img.removeAttribute('src'); img.alt = ''; }
};
const show = () => {
  const shown = props.value ? JSON.parse(props.value) : null;
  find('').classList.toggle('pair-full', Boolean(shown));
  picture(find('-before'), shown && shown.before, shown ? shown.left : '');
  picture(find('-after'), shown && shown.after, shown ? shown.right : '');
  find('-left').textContent = shown ? shown.left : '';
  find('-right').textContent = shown ? shown.right : '';
};
const uncover = () => find('-stack').style.setProperty('--at', find('-range').value + '%');
find('-range').addEventListener('input', uncover);
uncover(); show(); watch('value', show);
"""


def pair(elem_id: str, label: str, empty: str) -> gr.HTML:
    """A place for two pictures.

    Args:
        elem_id: what tests call it.
        label: of the slider between them.
        empty: what stands there before there are any.

    Returns:
        A component whose value `of_two` makes.
    """
    template = _TEMPLATE.format(label=html.escape(label), empty=html.escape(empty))
    return gr.HTML(html_template=template, js_on_load=_SCRIPT, elem_id=elem_id, apply_default_css=False)


def of_two(before: Picture, left: str, after: Picture, right: str) -> str:
    """A value for a `pair`: two pictures and what they are called; the first is the one that is uncovered."""
    return json.dumps({"before": data_url(before), "left": left, "after": data_url(after), "right": right})
