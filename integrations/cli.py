"""``rapport``: the command line. Commands import what they need when they run, so that help is instant."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from integrations.changing import changes_app, note, policy_app
from integrations.command import As, acting, assemble_product, stop, user_of

if TYPE_CHECKING:
    from datetime import datetime

    from assistant.answer import Answer

app = typer.Typer(help="Rapport: the CRM you talk to.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
index_app = typer.Typer(help="The search index over interactions.", no_args_is_help=True)
words_app = typer.Typer(help="Words that you teach: what your team calls things.", no_args_is_help=True)
user_app = typer.Typer(help="Users, their sign-in links and API keys.", no_args_is_help=True)
app.add_typer(index_app, name="index")
app.add_typer(user_app, name="user")
app.add_typer(words_app, name="words")
app.add_typer(changes_app, name="changes")
app.add_typer(policy_app, name="policy")
app.command("note")(note)


def main() -> None:
    """Entry point: errors that a user can mend become one sentence on stderr and exit code 2."""
    from crm_core.errors import RapportError

    try:
        app()
    except RapportError as error:
        stop(error.message)
    except ValueError as error:  # an argument model that refuses its values
        details = getattr(error, "errors", None)
        if details is None:
            raise
        stop("; ".join(f"{item['loc'][-1] if item['loc'] else 'value'}: {item['msg']}" for item in details()) + ". See --help for what is accepted.")


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="The question, in your own words.")],
    as_: As = "",
    thread: Annotated[str, typer.Option(help="Go on with this conversation.")] = "",
    now: Annotated[str, typer.Option(metavar="ISO-TIME", help="Clock of this question, such as 2026-11-20T15:00:00Z.")] = "",
    json_: Annotated[bool, typer.Option("--json", help="Print the whole answer as JSON.")] = False,
) -> None:
    """Ask one question and print the answer."""
    product = assemble_product()
    try:
        user_id, moment = user_of(product, as_), _moment(now)
        product.index.start()
        answer = product.agent.answer(question, user_id, thread=thread or None, door="cli", now=moment)
        if json_:
            typer.echo(answer.model_dump_json(indent=2))
        else:
            _print(answer)
    finally:
        product.close()


def _moment(now: str) -> datetime | None:
    from datetime import UTC, datetime

    from crm_core.errors import Invalid

    if not now:
        return None
    try:
        moment = datetime.fromisoformat(now)
    except ValueError as error:
        raise Invalid(f"'{now}' is not a time; write it like 2026-11-20T15:00:00Z.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _print(answer: Answer) -> None:
    from integrations.terminal import print_answer

    print_answer(answer)


@app.command()
def chat(as_: As = "") -> None:
    """Talk in the terminal; 'exit' or Ctrl-D ends it. Line history is kept in the data directory."""
    from crm_core.errors import RapportError
    from integrations.terminal import read_line, remember_lines

    product = assemble_product()
    user_id = user_of(product, as_)
    product.index.start()
    remember_lines(product.settings.data_dir / "chat_history")
    thread: str | None = None
    typer.echo("Ask about your pipeline, customers, or what was said. 'exit' ends.")
    try:
        while (line := read_line()) is not None:
            if line.strip().lower() in ("exit", "quit"):
                break
            if not line.strip():
                continue
            try:
                answer = product.agent.answer(line, user_id, thread=thread, door="cli")
                thread = answer.thread
                _print(answer)
            except RapportError as error:
                typer.echo(error.message)
    finally:
        product.close()


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; RAPPORT_HOST.")] = "",
    port: Annotated[int, typer.Option(help="Port to listen on; RAPPORT_PORT.")] = 0,
) -> None:
    """Serve HTTP and the chat page."""
    from integrations.serving import serve_forever

    serve_forever(**_overrides(host, port))


def _overrides(host: str, port: int) -> dict[str, object]:
    return {key: value for key, value in (("host", host), ("port", port)) if value}


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the answers instead of serving on.")] = False,
    host: Annotated[str, typer.Option(help="Address to listen on; RAPPORT_HOST.")] = "",
    port: Annotated[int, typer.Option(help="Port to listen on; RAPPORT_PORT.")] = 0,
) -> None:
    """Load a generated company, build the index, serve, and ask three questions over HTTP."""
    from integrations.demo import run_demo

    run_demo(once=once or os.environ.get("ONCE") == "1", **_overrides(host, port))


@app.command("import")
def import_(
    directory: Annotated[str, typer.Argument(help="Folder with CSV files; docs/import.md lists the columns.")],
    mapping: Annotated[str, typer.Option(help="A mapping file for a foreign CRM's columns.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen; change nothing.")] = False,
    custom_fields: Annotated[bool, typer.Option("--custom-fields", help="Keep unknown columns as custom fields.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad-rows", help="Import the good rows although some are refused.")] = False,
    as_: As = "",
) -> None:
    """Import companies, contacts, leads, deals, products, activities, tickets and users from CSV files."""
    from integrations.importing import run_import

    run_import(directory, mapping, dry_run=dry_run, custom_fields=custom_fields, skip_bad=skip_bad, email=as_)


@app.command()
def slack() -> None:
    """Serve Slack in Socket Mode, with the tokens of RAPPORT_SLACK_BOT_TOKEN and RAPPORT_SLACK_APP_TOKEN."""
    from integrations.slack.run import run_socket_mode

    run_socket_mode(assemble_product(index_owner=False))


@app.command()
def explain(
    question: Annotated[str, typer.Argument(help="The question to take apart.")],
    as_: As = "",
    now: Annotated[str, typer.Option(metavar="ISO-TIME", help="Clock of this question.")] = "",
) -> None:
    """Show how a question is understood: tokens, spans, all readings with their scores, the tool calls and their SQL."""
    from integrations.terminal import print_reading

    product = assemble_product()
    try:
        print_reading(product.engine, user_of(product, as_), question, _moment(now))
    finally:
        product.close()


@words_app.command("list")
def words_list(as_: As = "") -> None:
    """Show the words that were taught, with who taught them."""
    from crm_core.services.words import taught_words

    with acting(as_, write=False) as (_product, ctx):
        words = taught_words(ctx)
    if not words:
        typer.echo("No words are taught yet; teach one with: rapport words teach WORD MEANING")
    for word in words:
        whose = "everybody" if word.company else "you"
        typer.echo(f"{word.phrase}: {word.meaning} (for {whose}, taught by {word.taught_by or 'nobody known'} on {word.taught_at:%Y-%m-%d})")


@words_app.command("teach")
def words_teach(
    phrase: Annotated[str, typer.Argument(help="The word or phrase.")],
    meaning: Annotated[str, typer.Argument(help="What it stands for, in words that are understood.")],
    as_: As = "",
    company: Annotated[bool, typer.Option("--company", help="For everybody.")] = False,
) -> None:
    """Teach a word."""
    _teach([(phrase, meaning)], as_, company=company)


@words_app.command("load")
def words_load(
    file: Annotated[str, typer.Argument(help="A YAML file that maps words to meanings.")],
    as_: As = "",
    company: Annotated[bool, typer.Option("--company", help="For everybody.")] = False,
) -> None:
    """Teach all words of a file, or none where one is refused."""
    _teach(_words_of(file), as_, company=company)


def _words_of(file: str) -> list[tuple[str, str]]:
    """The words of a YAML file with their meanings; raises ``Invalid`` that names what is wrong."""
    from pathlib import Path

    import yaml

    from crm_core.errors import Invalid

    path = Path(file)
    if not path.is_file():
        raise Invalid(f"There is no file {file}; name one that holds 'word: meaning' lines.")
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise Invalid(f"{file} cannot be read as YAML; write one 'word: meaning' a line.") from error
    if not isinstance(node, yaml.MappingNode):
        raise Invalid(f"{file} must map words to meanings; write one 'word: meaning' a line.")
    words: dict[str, str] = {}
    for key, value in node.value:
        line = f"line {key.start_mark.line + 1} of {file}"
        if not isinstance(key, yaml.ScalarNode) or not isinstance(value, yaml.ScalarNode) or not value.value.strip():
            raise Invalid(f"The word in {line} has no meaning; write one 'word: meaning' a line.")
        if key.value in words:
            raise Invalid(f"The word '{key.value}' stands twice, again in {line}; keep one of them.")
        words[key.value] = value.value
    return list(words.items())


@words_app.command("forget")
def words_forget(
    phrase: Annotated[str, typer.Argument(help="The word or phrase.")],
    as_: As = "",
    company: Annotated[bool, typer.Option("--company", help="The one for everybody.")] = False,
) -> None:
    """Forget a taught word."""
    from crm_core.context import unit_of_work
    from crm_core.services.words import ForgetWord, forget_word

    product = assemble_product()
    try:
        with unit_of_work(product.engine, user_of(product, as_), write=True, door="cli") as ctx:
            word = forget_word(ctx, ForgetWord(phrase=phrase, company=company))
        typer.echo(f"Forgotten: {word.phrase} ({word.meaning}).")
    finally:
        product.close()


def _teach(pairs: list[tuple[str, str]], as_: str, *, company: bool) -> None:
    from assistant.language.teaching import check_word
    from crm_core.context import unit_of_work
    from crm_core.services.words import TeachWord, teach_word

    product = assemble_product()
    try:
        with unit_of_work(product.engine, user_of(product, as_), write=True, door="cli") as ctx:
            for phrase, meaning in pairs:
                check_word(ctx, phrase, meaning)
                teach_word(ctx, TeachWord(phrase=phrase, meaning=meaning, company=company))
        typer.echo(f"Taught: {', '.join(phrase for phrase, _meaning in pairs)}.")
    finally:
        product.close()


@index_app.command("rebuild")
def index_rebuild() -> None:
    """Build the index anew from the database."""
    from integrations.terminal import progress_bar

    product = assemble_product(index_owner=True)
    try:
        with progress_bar() as progress:
            count = product.index.rebuild(progress)
        typer.echo(f"Indexed {count:,} passages.")
    finally:
        product.close()


@index_app.command("check")
def index_check() -> None:
    """Say whether the index is whole; mend it where it is not."""
    from integrations.terminal import progress_bar

    product = assemble_product(index_owner=True)
    try:
        with progress_bar() as progress:
            product.index.open_or_rebuild(progress)
        updated = product.index.catch_up()
        typer.echo(f"The index is {product.index.state}; {updated:,} records were brought up to date.")
    finally:
        product.close()


@user_app.command("add")
def user_add(
    name: Annotated[str, typer.Argument(help="Full name.")],
    email: Annotated[str, typer.Argument(help="E-mail address; also links the Slack user.")],
    role: Annotated[str, typer.Option(help="readonly, rep, manager or admin.")] = "rep",
    team: Annotated[str, typer.Option(help="Team, made if it is new.")] = "",
) -> None:
    """Add a user; on an empty database the company is set up first."""
    from crm_core.access import system_actor
    from crm_core.context import unit_of_work
    from crm_core.services.setup import Conventions, set_up
    from crm_core.services.users import CreateUser, create_user

    product = assemble_product()
    set_up(product.engine, Conventions())
    with unit_of_work(product.engine, system_actor(), write=True, door="cli") as ctx:
        view = create_user(ctx, CreateUser.model_validate({"name": name, "email": email, "role": role, "team": team or None}))
    typer.echo(f"Added {view.name} <{view.email}> as {view.role}.")


@user_app.command("list")
def user_list() -> None:
    """List the users."""
    from sqlalchemy import select

    from crm_core.access import system_actor
    from crm_core.context import unit_of_work
    from crm_core.models import User

    product = assemble_product()
    user_of(product, "")
    with unit_of_work(product.engine, system_actor(), write=False) as ctx:
        for user in ctx.session.scalars(select(User).order_by(User.id)):
            typer.echo(f"{user.id:>5}  {user.name:<28} {user.email:<44} {user.role:<9} {'' if user.active else 'inactive'}")


@user_app.command("link")
def user_link(email: Annotated[str, typer.Argument(help="Whose link.")] = "") -> None:
    """Print a link that signs the user in to the chat page, once, within an hour."""
    from crm_core.context import unit_of_work
    from crm_core.services.users import create_sign_in_link

    product = assemble_product()
    user_id = user_of(product, email)
    with unit_of_work(product.engine, user_id, write=True, door="cli") as ctx:
        secret = create_sign_in_link(ctx, user_id)
    typer.echo(f"{product.settings.address}/login?token={secret}")


@user_app.command("key")
def user_key(
    email: Annotated[str, typer.Argument(help="Whose key.")] = "", name: Annotated[str, typer.Option(help="What it is for.")] = "cli"
) -> None:
    """Make an API key and print it; it is shown only this once."""
    from crm_core.context import unit_of_work
    from crm_core.services.users import create_api_key

    product = assemble_product()
    with unit_of_work(product.engine, user_of(product, email), write=True, door="cli") as ctx:
        typer.echo(create_api_key(ctx, name).secret)


if __name__ == "__main__":
    main()
