"""``rapport changes`` and ``rapport policy``: what waits for a yes, what was applied, taking it back, and the rules for it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from integrations.command import As, acting, assemble_product, stop, user_of

changes_app = typer.Typer(help="Changes: those that wait for your yes, those that were applied, and taking them back.", no_args_is_help=True)
policy_app = typer.Typer(help="The policy: which changes apply at once, ask you, need a second person, or are forbidden.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(help="Number of the change.")]


@changes_app.command("list")
def changes_list(
    status: Annotated[str, typer.Option(help="proposed, applied, refused, expired, conflict, undone or replaced.")] = "",
    text: Annotated[str, typer.Option(help="Words of the title, or of the message that asked for it.")] = "",
    everybody: Annotated[bool, typer.Option("--everybody", help="Those of all whose changes you may see.")] = False,
    as_: As = "",
) -> None:
    """Show proposed and decided changes, newest first."""
    from crm_core.services.change_sets import ListChanges, list_changes, state_of

    with acting(as_, write=False) as (_product, ctx):
        found = list_changes(ctx, ListChanges.model_validate({"status": status or None, "text": text, "everybody": everybody}))
        if not found:
            typer.echo("There are no such changes.")
        for item in found:
            typer.echo(f"{item.id}: {item.title} ({state_of(ctx, item)}, {item.created_at.astimezone(ctx.zone):%Y-%m-%d %H:%M})")


@changes_app.command("show")
def changes_show(number: Number, as_: As = "") -> None:
    """Show one change: what it does or did, field by field."""
    from crm_core.changes import preview
    from crm_core.services.change_sets import load_change_set, state_of

    with acting(as_, write=False) as (_product, ctx):
        change = load_change_set(ctx, number)
        _print_change(preview(ctx, change), state_of(ctx, change))
        if change.message:
            typer.echo(f"Asked for with: {change.message}")


@changes_app.command("rows")
def changes_rows(number: Number, as_: As = "") -> None:
    """Write every line of a change as CSV: record, field, before, after."""
    from crm_core.changes import diff_csv
    from crm_core.services.change_sets import load_change_set

    with acting(as_, write=False) as (_product, ctx):
        sys.stdout.write(diff_csv(ctx, load_change_set(ctx, number)))


@changes_app.command("apply")
def changes_apply(number: Number, as_: As = "") -> None:
    """Show a proposed change as it is now and apply exactly that, after a yes."""
    from crm_core.changes import decide, preview
    from crm_core.context import unit_of_work
    from crm_core.services.change_sets import load_change_set, state_of

    product = assemble_product()
    try:
        user_id = user_of(product, as_)
        with unit_of_work(product.engine, user_id, write=False, door="cli") as ctx:
            change = load_change_set(ctx, number)
            shown, state = preview(ctx, change), state_of(ctx, change)
        _print_change(shown, state)
        if state != "proposed":
            stop(f"This change is {state}; there is nothing to apply.")
        typer.confirm("Apply this?", abort=True)
        decide(product.engine, user_id, number, str(shown["diff_hash"]), door="cli")
        typer.echo(f"Applied. To take it back: rapport changes undo {number}")
    finally:
        product.close()


@changes_app.command("edit")
def changes_edit(
    number: Number,
    values: Annotated[list[str], typer.Argument(help="Arguments to set, as NAME=VALUE; of a later step as STEP.NAME=VALUE, steps counted from 1.")],
    as_: As = "",
) -> None:
    """Put a proposal with other values in place of one that waits: ``rapport changes edit 12 amount=15000``."""
    from crm_core.changes import edit, preview, steps_of
    from crm_core.services.change_sets import load_change_set

    with acting(as_, write=True) as (_product, ctx):
        steps = steps_of(load_change_set(ctx, number))
        given: list[dict[str, object]] = [{} for _step in steps]
        for pair in values:
            name, equals, value = pair.partition("=")
            place, dot, inner = name.partition(".")
            step, argument = (int(place), inner) if dot and place.isdigit() else (1, name)
            if not equals or not 1 <= step <= len(steps):
                stop(f"'{pair}' is not NAME=VALUE of one of the {len(steps)} steps; 'rapport changes show {number}' shows them.")
            given[step - 1][argument] = value
        _print_change(preview(ctx, edit(ctx, number, given)), "proposed")


@changes_app.command("refuse")
def changes_refuse(number: Number, as_: As = "") -> None:
    """Turn a proposed change down."""
    from crm_core.changes import refuse

    with acting(as_, write=True) as (_product, ctx):
        refuse(ctx, number)
    typer.echo("Refused; nothing was changed.")


@changes_app.command("undo")
def changes_undo(
    numbers: Annotated[list[int], typer.Argument(help="Numbers of applied changes.")],
    partly: Annotated[bool, typer.Option("--partly", help="Take back what can be, and leave what somebody changed since.")] = False,
    as_: As = "",
) -> None:
    """Propose to take applied changes back; nothing happens until you apply that."""
    from crm_core.changes import preview, propose

    with acting(as_, write=True) as (_product, ctx):
        _print_change(preview(ctx, propose(ctx, "undo_change", {"change_set_ids": numbers, "partly": partly})), "proposed")


def note(
    file: Annotated[Path, typer.Argument(help="A note, mail thread or transcript as text.", exists=True, dir_okay=False)],
    kind: Annotated[str, typer.Option(help="call, email, meeting or note.")] = "note",
    deal: Annotated[int, typer.Option(help="Number of the deal that it is about.")] = 0,
    as_: As = "",
) -> None:
    """Read a text: what was said of money, deciders, needs, dates, promises; and propose to log it."""
    from assistant.notes import SURE, TakeNote, take_note

    with acting(as_, write=True) as (_product, ctx):
        wanted = TakeNote.model_validate({"text": file.read_text(encoding="utf-8"), "kind": kind, "deal_id": deal or None})
        taken = take_note(ctx, wanted)
        for fact in taken.note.facts:
            value = " ".join(str(part) for part in (fact.amount or "", fact.currency, fact.who, fact.day or "") if part)
            typer.echo(f"{fact.kind.replace('_', ' ')}{'' if fact.confidence >= SURE else ' (unsure)'}: {value or '-'} | {fact.quote}")
        typer.echo(f"Still to find out: {', '.join(taken.missing) or 'nothing of budget, authority, need and timeline'}")
        for difference in taken.differs:
            typer.echo(difference)
        _print_change(taken.proposal.model_dump(), "proposed")


def _print_change(shown: dict[str, object], state: str) -> None:
    from assistant.answer import Approval
    from integrations.terminal import print_proposal

    print_proposal(Approval.model_validate(shown), state)


@policy_app.command("show")
def policy_show(as_: As = "") -> None:
    """Write the policy that holds, as it can be edited."""
    from crm_core.services.policies import read_policy

    with acting(as_, write=False) as (_product, ctx):
        typer.echo(read_policy(ctx).text.rstrip("\n"))


@policy_app.command("check")
def policy_check(file: Annotated[Path, typer.Argument(help="A policy as YAML.", exists=True, dir_okay=False)]) -> None:
    """Say whether a policy can be used, without setting it."""
    from crm_core.policy import parse_policy
    from crm_core.services.catalog import CHANGES

    policy = parse_policy(file.read_text(encoding="utf-8"), verbs=CHANGES)
    typer.echo(f"The policy can be used: {len(policy.rules)} rules.")


@policy_app.command("set")
def policy_set(file: Annotated[Path, typer.Argument(help="A policy as YAML.", exists=True, dir_okay=False)], as_: As = "") -> None:
    """Put a policy in place of the one that holds; administrators only."""
    from crm_core.services.catalog import CHANGES
    from crm_core.services.policies import set_policy

    with acting(as_, write=True) as (_product, ctx):
        view = set_policy(ctx, file.read_text(encoding="utf-8"), verbs=CHANGES)
    typer.echo(f"Policy {view.version} holds from now on.")


@policy_app.command("earned")
def policy_earned(as_: As = "") -> None:
    """How often proposals stood, were edited, refused or undone, by person and verb, and what that suggests for the policy."""
    from crm_core.changes import earned_autonomy

    with acting(as_, write=False) as (_product, ctx):
        found = earned_autonomy(ctx)
    if not found:
        typer.echo("Nothing was decided in the last 90 days.")
    for item in found:
        typer.echo(f"{item.user}, {item.verb}: {item.accepted} stood, {item.edited} edited, {item.refused} refused, {item.undone} undone")
        if item.suggestion:
            typer.echo(f"  {item.suggestion}\n  {item.rule}")
