"""The lexicon of one company, compiled from closed classes, declarations and its own words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Pool, select

from assistant.language.dates import date_words
from assistant.language.lexicon.cues import CUES, NEGATIONS, SMALLTALK
from assistant.language.lexicon.filler import FILLER
from assistant.language.lexicon.measures import (
    ADVERB_GRAINS,
    AGGREGATES,
    COMPARE_CUES,
    COMPARISONS,
    GRAINS,
    GROUP_CUES,
    MULTIPLICITIES,
    ORDERS,
    own_currency_words,
)
from assistant.language.lexicon.model import Lexicon, Sense, english_words
from assistant.language.lexicon.states import STATES
from assistant.language.tokens import singular
from crm_core.access import visible
from crm_core.context import Context
from crm_core.metrics.definitions import METRICS
from crm_core.metrics.fields import NOUN_SHAPES, Field, Kind, custom_fields
from crm_core.metrics.filters import choice_values
from crm_core.models import Company, Contact, Pipeline, Product, Stage, Team, User
from crm_core.services.search import STOP_WORDS
from crm_core.services.words import taught_words
from crm_core.text import fold

#: By the pool of the database, which outlives the engines made of it and dies with the last; never by its id, which is used again.
_cache: WeakKeyDictionary[Pool, dict[tuple[int, int], Lexicon]] = WeakKeyDictionary()


def lexicon_for(ctx: Context) -> Lexicon:
    """The lexicon of the company, compiled once per version of its words."""
    kept = _cache.setdefault(ctx.session.get_bind().engine.pool, {})
    key = (ctx.organisation.vocabulary_version, ctx.actor.user_id or 0)
    if key not in kept:
        if len(kept) > 64:
            kept.clear()
        kept[key] = compile_lexicon(ctx)
    return kept[key]


def compile_lexicon(ctx: Context) -> Lexicon:
    """Compile closed classes, metadata and the company's own words."""
    lexicon = Lexicon()
    _add_closed_classes(lexicon)
    _add_metrics(lexicon)
    _add_shapes(lexicon, ctx)
    _add_own_words(lexicon, ctx)
    lexicon.idle = own_currency_words(ctx.home_currency)  # "in pounds": how figures are shown anyway
    lexicon.taught = {word.phrase: word.meaning for word in taught_words(ctx)}
    return lexicon.finish()


def _add_closed_classes(lexicon: Lexicon) -> None:
    tables: Iterable[tuple[str, dict[str, Any]]] = (
        ("state", STATES),
        ("aggregate", AGGREGATES),
        ("comparison", COMPARISONS),
        ("order", ORDERS),
        ("compare", COMPARE_CUES),
        ("cue", CUES),
        ("smalltalk", SMALLTALK),
        ("multiplicity", MULTIPLICITIES),
    )
    for kind, table in tables:
        for phrase, value in table.items():
            if value:
                for form in _denials(phrase) if kind == "state" else (phrase,):
                    lexicon.add(form, Sense(kind, value))
    for phrase, grain in GRAINS.items():
        lexicon.add(phrase, Sense("grain", grain, label="adverb" if phrase in ADVERB_GRAINS else ""), plural=phrase not in ADVERB_GRAINS)
    for phrase in GROUP_CUES:
        lexicon.add(phrase, Sense("group_cue"))
    for phrase in NEGATIONS:
        lexicon.add(phrase, Sense("negation"))
    for phrase in ("my", "mine", "i", "me"):
        lexicon.add(phrase, Sense("me"))
    for phrase in ("my team", "my teams", "our team", "my own team", "my people", "my reps", "my whole team", "the whole team", "whole team"):
        lexicon.add(phrase, Sense("my_team"))
    for phrase in ("customer", "client", "paying customer"):
        lexicon.add(phrase, Sense("customer"), plural=True)
    for phrase in ("or", "either"):
        lexicon.add(phrase, Sense("or"))
    lexicon.add("between", Sense("between"))
    for phrase in ("without", "w o"):
        lexicon.add(phrase, Sense("negation"))
    for phrase in ("rep", "sales rep", "seller", "salesperson", "account executive", "ae"):
        lexicon.add(phrase, Sense("field", "owner"), plural=True)
    for phrase in ("forecast", "forecasted"):
        lexicon.add(phrase, Sense("forecast"))


def _denials(phrase: str) -> tuple[str, ...]:
    """ "Not answered" is also said as "never answered", "not yet answered", "never been answered"."""
    head, _, rest = phrase.partition(" ")
    if head != "not" or not rest or rest.startswith(("been ", "yet ")):
        return (phrase,)
    return tuple(f"{denial} {rest}" for denial in ("not", "never", "not yet", "never been", "not been", "not yet been", "yet to be", "have not"))


def _add_metrics(lexicon: Lexicon) -> None:
    for metric in METRICS.values():
        for phrase in (metric.title, *metric.synonyms):
            lexicon.add(phrase, Sense("metric", metric.name), plural=True)


_ACTIVITY_WORDS = {
    "call": ("call", "phone call", "dial"),
    "email": ("email", "mail", "e mail", "message"),
    "meeting": ("meeting", "appointment", "visit", "meet", "met"),
    "note": ("note",),
    "task": ("task", "to do list", "todo list", "to do", "todo", "reminder", "follow up", "action item"),
}


def _add_shapes(lexicon: Lexicon, ctx: Context) -> None:
    for shape in NOUN_SHAPES.values():
        for word in (shape.title, *shape.synonyms):
            if word not in ("sales rep", "rep", "customer", "client"):
                lexicon.add(word, Sense("noun", shape.name), plural=True)
        for item in {**shape.fields, **custom_fields(ctx, shape.noun)}.values():
            if item.name == "id":
                continue
            for word in (item.title, *item.synonyms):
                lexicon.add(word, Sense("field", item.name, noun=shape.name, label=item.kind.value), plural=item.groupable)
                for form in _other_forms(word, boolean=item.kind is Kind.boolean) if item.custom else ():
                    lexicon.add(form, Sense("field", item.name, noun=shape.name, label=item.kind.value))
                if item.kind in (Kind.number, Kind.money) and word.startswith("number of "):  # "more than 100 workers"
                    lexicon.add(word.removeprefix("number of "), Sense("field", item.name, noun=shape.name, label=item.kind.value))
                if word.endswith(" number"):  # else "number of" would win
                    lexicon.add(f"{word} of", Sense("field", item.name, noun=shape.name, label=item.kind.value))
            if item.kind is Kind.choice and (item.choices or item.picklist or item.key is not None):
                _add_choices(lexicon, ctx, shape.name, item)
    for phrase in ("subsidiary", "daughter company", "child company"):
        lexicon.add(phrase, Sense("subsidiary"), plural=True)
    for kind, words in _ACTIVITY_WORDS.items():
        for word in words:
            lexicon.add(word, Sense("activity_kind", kind, noun="activity"), plural=True)


def _other_forms(title: str, *, boolean: bool) -> list[str]:
    """Other forms of a field's title of two words: "type of roof", "rooftype"; "own their building", of "owns building"."""
    words = fold(title).split()
    if len(words) != 2:
        return []
    first, last = words
    if boolean and first.endswith("s") and not first.endswith("ss"):
        verbs = (first, first[:-1], f"{first[:-1].removesuffix('e')}ing")
        return [f"{verb} {article}{last}" for verb in verbs for article in ("", "their ", "its ", "the ", "a ", "their own ")]
    return [f"{last} of {first}", f"{last} of the {first}", first + last]


def _add_choices(lexicon: Lexicon, ctx: Context, noun: str, item: Field) -> None:
    if noun == "user" or noun == "activity" and item.name == "kind" or item.name == "status" and noun == "deal" or item.name == "currency":
        return
    for value in choice_values(ctx, item):
        sense = Sense("value", value, noun=noun, field=item.name, label=value)
        if fold(value) in STOP_WORDS or fold(value) in date_words():  # "tier A", "priority Today": with its field's name
            for title in (item.title, *item.synonyms):
                lexicon.add(f"{title} {value}", sense)
                lexicon.add(f"{value} {title}", sense)
        else:
            lexicon.add(value, sense, plural=True)
            for title in (item.title, *item.synonyms) if item.custom else ():
                if len(title.split()) > 1:  # "the Regular class", by the field "client class"
                    lexicon.add(f"{value} {fold(title).split()[-1]}", sense)
            if item.name in ("region", "country") and " " not in value and len(value) > 6:
                lexicon.places.add(fold(value))
            if item.name == "industry":
                for word in _people_of(fold(value)):
                    lexicon.add(word, sense, plural=True)
            if singular(fold(value)) != fold(value):  # "pub deals", where the value is "Pubs"
                lexicon.add(singular(fold(value)), sense)
        if item.name == "loss_reason":  # "lost to a competitor" for "Went with competitor"
            for word in fold(value).split():
                if len(word) > 5 and word not in FILLER:
                    lexicon.add(word, Sense("weak_value", value, noun=noun, field=item.name, label=value), plural=True)


def _people_of(industry: str) -> list[str]:
    """Those who are in an industry, where English has a word for them: manufacturers, retailers, insurers, educators."""
    endings = (("", "er"), ("ing", "er"), ("ance", "er"), ("ion", "or"), ("e", "er"))
    forms = [industry.removesuffix(old) + new for old, new in endings if industry.endswith(old) and " " not in industry]
    return [form for form in forms if form in english_words()]


#: What many companies call their deals: no name of one pipeline.
_DEALINGS = frozenset("contract order project engagement job sale account client service business product customer".split())


def _add_own_words(lexicon: Lexicon, ctx: Context) -> None:
    pipelines = [(key, name) for key, name in ctx.session.execute(select(Pipeline.id, Pipeline.name))]
    for pipeline_id, name in pipelines:
        sense = Sense("ref", pipeline_id, field="pipeline", label=name)
        for phrase in (name, f"{name} pipeline", f"pipeline {name}"):
            lexicon.add(phrase, sense, plural=phrase == name)
        if singular(fold(name)) != fold(name):  # "a new placement", of the pipeline New placements
            lexicon.add(singular(fold(name)), sense)
    for pipeline_id, word in _short_names(lexicon, pipelines, least=5):
        name = next(name for key, name in pipelines if key == pipeline_id)
        lexicon.add(word, Sense("ref", pipeline_id, field="pipeline", label=name), plural=True)  # "renewals", of the Renewal book
        short = word[:4]
        if len(word) > 6 and not lexicon.get(short) and not lexicon.is_english(short) and short not in date_words() and short not in FILLER:
            lexicon.add(short, Sense("ref", pipeline_id, field="pipeline", label=name))  # "the perm ones", of Permanent hires
    stages: dict[str, list[int]] = {}
    for stage_id, name in ctx.session.execute(select(Stage.id, Stage.name).order_by(Stage.id)):
        stages.setdefault(name, []).append(stage_id)
    for name, ids in stages.items():
        for phrase in (name, f"{name} stage", f"stage {name}"):
            lexicon.add(phrase, Sense("ref", tuple(ids), field="stage", label=name))
    teams = [name for (name,) in ctx.session.execute(select(Team.name))]
    shared = Counter(word for name in teams for word in set(fold(name).split()) if " " in name)
    for word, count in shared.items():
        if count > 2 and not lexicon.get(word):  # "by desk", where teams are called City Desk, Forge Desk and so on
            lexicon.add(word, Sense("field", "team", label=Kind.ref.value), plural=True)
            for owner in ("my", "our", "my own"):
                lexicon.add(f"{owner} {word}", Sense("my_team"))
    for team_id, name in ctx.session.execute(select(Team.id, Team.name)):
        lexicon.add(name, Sense("ref", team_id, field="team", label=name))
        lexicon.add(f"{name} team", Sense("ref", team_id, field="team", label=name))
    sellers = [(key, name) for key, name in ctx.session.execute(select(Team.id, Team.name))]
    for team_id, word in _short_names(lexicon, sellers, least=4):
        name = next(name for key, name in sellers if key == team_id)
        lexicon.add(word, Sense("ref", team_id, field="team", label=name))  # "the Celtic lot", of the Celtic Desk
    for team_id, name in sellers:
        initials = "".join(word[0] for word in fold(name).split())
        if len(initials) > 1 and not lexicon.get(f"{initials} team"):
            lexicon.add(f"{initials} team", Sense("ref", team_id, field="team", label=name))  # "NA team", of North America
    names = [fold(name) for name in ctx.session.scalars(select(Product.name).where(Product.archived_at.is_(None)))]
    heads = {head for head in (name.rsplit(" ", 1)[0] for name in names) if sum(other == head or other.startswith(f"{head} ") for other in names) > 1}
    for product_id, name, code, family in ctx.session.execute(
        select(Product.id, Product.name, Product.code, Product.family).where(Product.archived_at.is_(None))
    ):
        lexicon.add(name, Sense("ref", product_id, field="product", label=name), plural=True)
        shorter = fold(name).rsplit(" ", 1)[0]
        if shorter.count(" ") >= 1 and shorter not in heads:  # "Boulder 50", of Boulder 50 Battery
            heads.add(shorter)
            if not lexicon.get(shorter):
                lexicon.add(shorter, Sense("ref", product_id, field="product", label=name))
        if code:
            lexicon.add(code, Sense("ref", product_id, field="product", label=name))
        if family:
            lexicon.add(family, Sense("value", family, noun="line_item", field="product_family", label=family))
            lexicon.add(family, Sense("value", family, noun="product", field="family", label=family))
    _add_regions(lexicon, ctx)
    titles = ctx.session.scalars(select(Contact.title).where(Contact.title.is_not(None), visible(ctx, Contact)).distinct().limit(400))
    for title in titles:
        lexicon.add(str(title), Sense("value", str(title), noun="contact", field="title", label=str(title)), plural=True)
    _add_people(lexicon, ctx)


#: What the parts of a country are called.
_PARTS_OF_COUNTRIES = ("state", "province", "county", "canton", "territory", "federal state", "prefecture")


def _add_regions(lexicon: Lexicon, ctx: Context) -> None:
    """Where the company's regions are parts of countries, they are also called states, and its names are shortened and bent.

    "By state", "Victorian companies", "vic", "SA" for South Australia: only where nothing else has that word.
    """
    places = ctx.session.execute(
        select(Company.region, Company.country).where(Company.region.is_not(None), Company.country.is_not(None)).distinct()
    ).all()
    countries: dict[str, set[str]] = {str(region): {str(country) for other, country in places if other == region} for region, _country in places}
    shared = Counter(country for held in countries.values() for country in held)
    if countries and all(len(held) == 1 for held in countries.values()) and max(shared.values()) > 1:
        for word in _PARTS_OF_COUNTRIES:
            for form in (word, f"{word}s" if not word.endswith("y") else f"{word[:-1]}ies"):
                lexicon.phrases.pop(form, None)
                for noun in ("company", "contact", "deal", "lead", "ticket"):
                    lexicon.add(form, Sense("field", "region", noun=noun, label=Kind.choice.value))
    forms: dict[str, set[str]] = {}
    for region in countries:
        words = fold(region).split()
        short = {region[:3].lower(), "".join(word[0] for word in words)} if len(words) > 1 else {region[:3].lower()}
        bent = {f"{fold(region)}n"} if fold(region).endswith("a") else {f"{fold(region)}er"} if len(words) == 1 else set()
        initials = "".join(word[0] for word in words)
        for form in {form for form in short if not lexicon.is_english(form) or len(words) > 2 and form == initials} | bent:
            forms.setdefault(form, set()).add(region)
    for form, meant in forms.items():
        if len(meant) == 1 and len(form) > 2 and not lexicon.get(form) and form not in date_words():
            region = next(iter(meant))
            for sense in lexicon.get(fold(region)):
                if sense.field == "region":
                    lexicon.add(form, sense)


def _short_names(lexicon: Lexicon, named: list[tuple[int, str]], *, least: int) -> list[tuple[int, str]]:
    """The words that tell one of several names from the others and mean nothing else here, of ``least`` letters or more.

    A hyphenated word counts as one: "fit-outs", of "Kitchen fit-outs".
    """
    found = []
    for key, name in named:
        for piece in name.split():
            word = fold(piece)
            elsewhere = any(word in fold(other) for other_key, other in named if other_key != key)
            last = singular(word)
            if " " in name and len(word) >= least and not elsewhere and not lexicon.get(word) and not lexicon.get(last) and word not in FILLER:
                if last not in _DEALINGS and word not in STOP_WORDS:
                    found.append((key, last))
    return found


def _add_people(lexicon: Lexicon, ctx: Context) -> None:
    people = ctx.session.execute(select(User.id, User.name, User.email).where(User.archived_at.is_(None))).all()
    first: dict[str, list[tuple[int, str]]] = {}
    for user_id, name, email in people:
        sense = Sense("ref", user_id, field="owner", label=name)
        lexicon.add(name, sense)
        lexicon.phrases.setdefault(email.lower(), []).append(sense)
        words = fold(name).split()
        for word in {words[0], words[-1]} if words else set():
            first.setdefault(word, []).append((user_id, name))
    for word, owners in first.items():
        for user_id, name in owners:
            lexicon.add(word, Sense("ref", user_id, field="owner", label=name))
