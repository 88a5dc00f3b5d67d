"""The embedded language model: how a sentence becomes a question that the core can compute.

One message goes through these rooms, each a module that can be read alone:

1. ``tokens``: words with their places, contractions and numbers written out, possessives set apart; ``paraphrases`` puts the
   pictures that people speak in ("break that out by", "zoom in on") into plain words first.
2. ``lexicon``: what phrases can mean, compiled from metric and field declarations and from the company's own words.
3. ``dates``: what sellers say of time; ``chart`` also finds quantities.
4. ``entities``: names linked to records by search keys, with typos, parts and namesakes.
5. ``chart``: all stretches that mean something, and the cover of the message with the highest score.
6. ``parts``: one walk over the cover that decides in context what each stretch contributes.
7. ``grammar``: constructions that turn parts into a ``Frame`` (``frames``), alone or leaning on the conversation (``dialogue``); what
   nothing computes is refused (``grammar.limits``), as is a frame that does not stand for all that was understood
   (``grammar.accounts``), and what only stands around a question is left aside (``grammar.setting_aside``, ``grammar.preambles``).
   Changes are read from the same parts (``grammar.commands``), or cut where records and value part (``grammar.edits``);
   ``grammar.clauses`` reads one of a message, ``grammar.commanding`` all of them, and ``grammar.undoing`` reads what is to be taken back.
8. ``planner``: the frame as tool calls, the same that any model would make.
9. ``mouth`` and ``wording``: results as sentences.

To add a construction, say "how long has X been in its stage?":

1. See what is there: ``rapport explain "how long has the Globex renewal been in negotiation?"`` shows the stretches, the
   parts and every reading with its score.
2. If a word is missing: one of the trade goes where it is declared (a metric's or field's synonyms), one of English into
   ``lexicon`` as a sense (``cue:stay``); ``parts.walk`` puts it into ``Parts``.
3. Write the construction as a method of the class of its subject (here ``grammar.past.Past._stay``): it looks at
   ``self.parts``, returns None unless its evidence is there, else a ``Frame`` that ``self._conditions`` fills. Its docstring
   begins with an example.
4. Place its name in ``grammar.reader.CONSTRUCTIONS`` before the first one that would take its messages.
5. If it asks for a tool that frames do not call yet, say so in ``planner``, and its result's sentence in ``mouth``.
6. Add wordings of your own to a test in ``tests/language``, a family with its SQL to ``evals/cases``, and run ``make evals``:
   a construction that takes messages from others shows there.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from assistant.language.dialogue import owner_meant
from assistant.language.frames import Entity, Frame, ShownGroup
from crm_core.context import Context, unit_of_work
from crm_core.errors import Invalid, NotFound
from crm_core.metrics.listing import ListResult
from crm_core.metrics.question import MetricResult
from crm_core.services.records import View, load, model_of

if TYPE_CHECKING:
    from assistant.turn import Turn


def understand(turn: Turn) -> Frame:
    """The frame of the turn's message, under its caller's rights; an impossible day becomes a question back."""
    from assistant.language.grammar import read_apart

    with unit_of_work(turn.engine, turn.user_id, write=False, now=turn.now, door="agent") as ctx:
        try:
            frame, _, _ = read_apart(ctx, turn.message, turn.dialogue)
        except Invalid as error:
            turn.outcome = "asked"
            return Frame(intent="unknown", detail=error.message)
        return _named(ctx, frame)


#: Rows of a list that "the second one" can point at.
SHOWN = 10
#: Intents that a later message cannot lean on.
_PASSING = frozenset({"explain", "rows", "more", "define", "help", "smalltalk", "unknown", "nothing", "write", "undo", "choose", "teach", "forget"})


def remember(turn: Turn) -> Frame | None:
    """The turn's frame with the records that its answer spoke of, for later messages to lean on; none where there is nothing to lean on."""
    frame = turn.frame
    if frame is not None and frame.unfinished:
        return Frame(intent="unknown", unfinished=frame.unfinished)
    if frame is None or frame.intent in _PASSING:
        return None
    results = [done.result for done in turn.done if not done.error]
    if not results and frame.pending is None:
        return None
    frame.made = [item.change_set_id for item in turn.proposals] if frame.intent == "command" else []
    salient: list[Entity] = []
    view = next((item for item in results if isinstance(item, View)), None)
    above: list[Entity] = []
    if view is not None and frame.entity is not None:
        referred = _referred(view, frame.asked_fields or ["owner"])
        above = [item for item in referred if item.noun == frame.entity.noun]  # "there" is the company, not its parent
        salient += [item for item in referred if item not in above]
    listed = next((item for item in results if isinstance(item, ListResult)), None)
    if listed is not None and frame.intent == "list":
        frame.total = listed.total
        column = listed.columns[0].name
        frame.shown = [Entity(noun=listed.noun, id=row["id"], label=str(row.get(column))) for row in listed.rows[:SHOWN]]
        if len(listed.rows) == 1 and not frame.count_only:
            salient.append(frame.shown[0])
            salient += _owners(listed)
    figure = next((item for item in results if isinstance(item, MetricResult)), None)
    if figure is not None and frame.intent == "metric" and len(frame.group_by) == 1:
        frame.groups = _groups(frame, figure)
        if frame.groups and frame.groups[0].field == "owner" and (frame.order or len(figure.groups) == 1):
            top = frame.groups[0]
            salient.append(Entity(noun="user", id=int(top.value), label=top.label))  # "what is her win rate?"
    salient += [item for item in (frame.entity, *above, *reversed(frame.entities), owner_meant(frame)) if item is not None]
    frame.salient = list({(item.noun, item.id): item for item in salient}.values())
    return frame


def _groups(frame: Frame, figure: MetricResult) -> list[ShownGroup]:
    """The parts that were shown, in their order; a stretch of time by its first day."""
    shown = [group for group in figure.groups[:SHOWN] if group.keys[0] is not None]
    name = frame.group_by[0]
    return [
        ShownGroup(field=name, value=key.isoformat() if isinstance(key := group.keys[0], date) else key, label=group.labels[0])
        for group in shown
        if isinstance(group.keys[0], str | int | date)
    ]


def _owners(listed: ListResult) -> list[Entity]:
    """Whose the one row of a list is, where it tells: "what is her win rate?"."""
    key = listed.rows[0].get("owner_id")
    return [Entity(noun="user", id=int(key), label=str(listed.rows[0].get("owner") or ""))] if key is not None else []


def _referred(view: View, asked: list[str]) -> list[Entity]:
    """The records that the facts asked for name: the contact of a ticket, the parent of a company."""
    values = view.model_dump(mode="json")
    found = []
    for name in asked:
        noun = {"parent": "company", "owner": "user"}.get(name, name)
        if values.get(f"{name}_id") is not None and noun in ("company", "contact", "deal", "user"):
            found.append(Entity(noun=noun, id=values[f"{name}_id"], label=str(values.get(name) or "")))
    return found


def _named(ctx: Context, frame: Frame) -> Frame:
    """Give a record that was named by number its real name."""
    if frame.intent == "record" and frame.entity is not None and frame.entity.label == f"{frame.entity.noun} {frame.entity.id}":
        try:
            record = load(ctx, model_of(frame.entity.noun), frame.entity.id)
        except NotFound:
            return frame
        label = getattr(record, "name", None) or getattr(record, "subject", "")
        frame.entity = Entity(noun=frame.entity.noun, id=frame.entity.id, label=str(label))
    return frame
