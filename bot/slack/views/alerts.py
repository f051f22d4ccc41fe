"""An alert as Block Kit: a pure function of what it shows."""

from __future__ import annotations

from collections.abc import Mapping

from bot.ports.slack import AlertView
from bot.slack.views.blocks import Block, actions, button, context, section
from bot.slack.views.cards import BETWEEN
from bot.slack.wording import alerts as words

STYLES: Mapping[str, str] = {"remove": "danger", "end_them": "danger"}


def alert(view: AlertView) -> tuple[str, list[Block]]:
    """Return the text for notifications and the blocks. Buttons carry the alert's id; the one about another
    system also carries the digest of what the alert says of it."""
    headline = words.headline(view)
    blocks = [section(headline)]
    if words.below(view):
        blocks.append(context(words.below(view)))
    shown = {"same_system": BETWEEN.join((view.id, view.replacement.digest))} if view.replacement else {}
    buttons = [
        button(words.label(view, verb), verb, shown.get(verb, view.id), style=STYLES.get(verb))
        for verb in view.verbs
    ]
    return headline, [*blocks, actions(buttons, block_id=f"alert:{view.id}")] if buttons else blocks
