"""Users, keys, sign-in links, and the last administrator."""

from __future__ import annotations

import hashlib
import threading
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from crm_core.errors import Conflict, Invalid, NotAllowed, NotFound
from crm_core.models import ApiKey, Organisation, Team, WebSession
from crm_core.services.users import (
    LINK_MINUTES,
    SESSION_DAYS,
    CreateUser,
    SetGrant,
    UpdateUser,
    create_api_key,
    create_sign_in_link,
    create_user,
    end_session,
    list_api_keys,
    redeem_link,
    revoke_api_key,
    set_grant,
    update_user,
    user_by_email,
    user_of_key,
    user_of_session,
)
from tests.factories import NOW, World


class TestCreateUser:
    def test_the_address_is_kept_in_lower_case_and_a_new_team_is_made(self, world: World) -> None:
        with world.write("admin") as ctx:
            view = create_user(ctx, CreateUser(name="Nora New", email="Nora@Lantern.TEST", team="Night shift"))
        assert (view.email, view.role, view.team, view.active) == ("nora@lantern.test", "rep", "Night shift", True)
        with world.read() as ctx:
            assert ctx.session.scalar(select(Team.id).where(Team.name == "Night shift")) == view.team_id

    def test_a_known_team_is_taken_whatever_the_case(self, world: World) -> None:
        with world.write("admin") as ctx:
            assert create_user(ctx, CreateUser(name="N", email="n@lantern.test", team=" sales NORTH ")).team_id == world.teams["Sales North"]

    @pytest.mark.parametrize("address", ["renata@lantern.test", "RENATA@lantern.test"])
    def test_a_taken_address_is_refused(self, shared_world: World, address: str) -> None:
        with (
            pytest.raises(Conflict, match="is a user with the address renata@lantern.test already"),
            shared_world.write("admin") as ctx,
        ):
            create_user(ctx, CreateUser(name="N", email=address))

    def test_an_unknown_zone_is_refused(self, shared_world: World) -> None:
        with pytest.raises(Invalid, match="use a name such as Europe/Berlin"), shared_world.write("admin") as ctx:
            create_user(ctx, CreateUser(name="N", email="n@lantern.test", timezone="Mars/Base"))

    @pytest.mark.parametrize("who", ["manager", "rep", "readonly"])
    def test_only_an_administrator_may(self, shared_world: World, who: str) -> None:
        with pytest.raises(NotAllowed, match="Only an administrator may add users"), shared_world.write(who) as ctx:
            create_user(ctx, CreateUser(name="N", email="n@lantern.test"))


class TestUpdateUser:
    def test_rights_are_resolved_anew(self, world: World) -> None:
        with world.read() as ctx:
            before = ctx.session.scalar(select(Organisation.access_version))
        with world.write("admin") as ctx:
            update_user(ctx, UpdateUser(id=world.users["rep"], role="manager"))
        with world.read("rep") as ctx:
            assert ctx.actor.role == "manager"
            assert ctx.session.scalar(select(Organisation.access_version)) == (before or 0) + 1

    @pytest.mark.parametrize("change", [{"role": "rep"}, {"active": False}])
    def test_the_last_administrator_stays_one(self, shared_world: World, change: dict[str, object]) -> None:
        with (
            pytest.raises(Invalid, match="last active administrator; make another one first"),
            shared_world.write("admin") as ctx,
        ):
            update_user(ctx, UpdateUser(id=shared_world.users["admin"], **change))  # type: ignore[arg-type]

    def test_one_of_two_administrators_may_go(self, world: World) -> None:
        with world.write("admin") as ctx:
            update_user(ctx, UpdateUser(id=world.users["manager"], role="admin"))
        with world.write("admin") as ctx:
            assert update_user(ctx, UpdateUser(id=world.users["admin"], active=False)).active is False
        with pytest.raises(Invalid, match="last active administrator"), world.write("manager") as ctx:
            update_user(ctx, UpdateUser(id=world.users["manager"], role="rep"))

    def test_other_changes_of_the_last_administrator_are_made(self, world: World) -> None:
        with world.write("admin") as ctx:
            assert update_user(ctx, UpdateUser(id=world.users["admin"], name="Agatha Renamed", role="admin")).name == "Agatha Renamed"

    # Once a fault: an inactive administrator counts as losing the right, though it held none.
    def test_an_inactive_administrator_may_be_changed(self, world: World) -> None:
        with world.write("admin") as ctx:
            key = create_user(ctx, CreateUser(name="Old", email="old@lantern.test", role="admin")).id
            update_user(ctx, UpdateUser(id=key, active=False))
        with world.write("admin") as ctx:
            assert update_user(ctx, UpdateUser(id=key, role="rep")).role == "rep"

    def test_deactivation_ends_the_sessions(self, world: World) -> None:
        with world.write("rep") as ctx:
            secret = redeem_link(ctx, create_sign_in_link(ctx, world.users["rep"]))[1]
        with world.write("admin") as ctx:
            update_user(ctx, UpdateUser(id=world.users["rep"], active=False))
        with world.read() as ctx:
            assert user_of_session(ctx.session, secret, NOW) is None

    def test_the_newest_version_is_asked_for(self, world: World) -> None:
        with world.write("admin") as ctx:
            update_user(ctx, UpdateUser(id=world.users["rep"], name="Renata Married"))
        with pytest.raises(Conflict, match="name by Agatha Adminson"), world.write("admin") as ctx:
            update_user(ctx, UpdateUser(id=world.users["rep"], version=1, role="manager"))


class TestSetGrant:
    def test_only_an_administrator_may(self, shared_world: World) -> None:
        with (
            pytest.raises(NotAllowed, match="Only an administrator may change rights"),
            shared_world.write("manager") as ctx,
        ):
            set_grant(ctx, SetGrant(role="rep", noun="deal", read="all", write="all"))

    def test_an_unknown_noun_is_refused_with_the_nouns(self, shared_world: World) -> None:
        with pytest.raises(Invalid, match="'moon' is none of them"), shared_world.write("admin") as ctx:
            set_grant(ctx, SetGrant(role="rep", noun="moon", read="all", write="all"))


class TestApiKeys:
    def test_only_the_hash_is_kept(self, world: World) -> None:
        with world.write("rep") as ctx:
            view = create_api_key(ctx, " laptop ")
        secret = view.secret or ""
        assert len(secret) > 40
        with world.read("rep") as ctx:
            row = ctx.session.scalars(select(ApiKey)).one()
            assert (row.name, row.key_hash) == ("laptop", hashlib.sha256(secret.encode()).hexdigest())
            columns = [str(value) for value in ctx.session.execute(text("SELECT * FROM api_key")).one()]
            assert not any(secret in value for value in columns)
            assert [item.secret for item in list_api_keys(ctx)] == [None]

    def test_a_key_belongs_to_its_user(self, world: World) -> None:
        with world.write("rep") as ctx:
            secret = create_api_key(ctx, "k").secret or ""
        with world.read() as ctx:
            assert user_of_key(ctx.session, secret) == world.users["rep"]
            assert user_of_key(ctx.session, secret[:-1]) is None
            assert user_of_key(ctx.session, "") is None
        with world.read("colleague") as ctx:
            assert list_api_keys(ctx) == []

    def test_two_keys_differ(self, world: World) -> None:
        with world.write("rep") as ctx:
            assert create_api_key(ctx, "a").secret != create_api_key(ctx, "b").secret
            assert [item.name for item in list_api_keys(ctx)] == ["b", "a"]

    @pytest.mark.parametrize("who", ["rep", "admin"])
    def test_a_revoked_key_is_worth_nothing(self, world: World, who: str) -> None:
        with world.write("rep") as ctx:
            made = create_api_key(ctx, "k")
        with world.write(who) as ctx:
            revoke_api_key(ctx, made.id)
        with world.read("rep") as ctx:
            assert user_of_key(ctx.session, made.secret or "") is None
            assert [item.revoked_at for item in list_api_keys(ctx)] == [NOW]

    def test_another_persons_key_is_not_found(self, world: World) -> None:
        with world.write("rep") as ctx:
            made = create_api_key(ctx, "k")
        for key in (made.id, 987_654):
            with pytest.raises(NotFound, match=f"You have no API key {key}"), world.write("colleague") as ctx:
                revoke_api_key(ctx, key)
        with world.read() as ctx:
            assert user_of_key(ctx.session, made.secret or "") == world.users["rep"]

    def test_the_system_has_no_keys(self, shared_world: World) -> None:
        with pytest.raises(Invalid, match="sign in as a user"), shared_world.write("system") as ctx:
            create_api_key(ctx, "k")


class TestLinks:
    def test_a_link_opens_a_session_once(self, world: World) -> None:
        with world.write("rep") as ctx:
            link = create_sign_in_link(ctx, world.users["rep"])
        with world.write() as ctx:
            user, secret = redeem_link(ctx, link)
        with world.read() as ctx:
            assert user_of_session(ctx.session, secret, NOW) == user == world.users["rep"]
            stored = list(ctx.session.scalars(select(WebSession.token_hash)))
            assert stored == [hashlib.sha256(secret.encode()).hexdigest()]
        with pytest.raises(NotAllowed, match="was used already or has expired; ask for a new one"), world.write() as ctx:
            redeem_link(ctx, link)

    def test_a_link_expires(self, world: World) -> None:
        with world.write("rep") as ctx:
            links = [create_sign_in_link(ctx, world.users["rep"]) for _ in range(2)]
        with world.write(now=NOW + timedelta(minutes=LINK_MINUTES, seconds=-1)) as ctx:
            assert redeem_link(ctx, links[0])[0] == world.users["rep"]
        with pytest.raises(NotAllowed), world.write(now=NOW + timedelta(minutes=LINK_MINUTES)) as ctx:
            redeem_link(ctx, links[1])

    def test_a_session_expires(self, world: World) -> None:
        with world.write("rep") as ctx:
            secret = redeem_link(ctx, create_sign_in_link(ctx, world.users["rep"]))[1]
        with world.read() as ctx:
            assert user_of_session(ctx.session, secret, NOW + timedelta(days=SESSION_DAYS, seconds=-1)) == world.users["rep"]
            assert user_of_session(ctx.session, secret, NOW + timedelta(days=SESSION_DAYS)) is None

    def test_a_link_is_no_session_and_a_session_no_link(self, world: World) -> None:
        with world.write("rep") as ctx:
            link = create_sign_in_link(ctx, world.users["rep"])
            secret = redeem_link(ctx, create_sign_in_link(ctx, world.users["rep"]))[1]
        with world.read() as ctx:
            assert user_of_session(ctx.session, link, NOW) is None
        with pytest.raises(NotAllowed), world.write() as ctx:
            redeem_link(ctx, secret)

    def test_signing_out_ends_the_session(self, world: World) -> None:
        with world.write("rep") as ctx:
            secret = redeem_link(ctx, create_sign_in_link(ctx, world.users["rep"]))[1]
        with world.write("rep") as ctx:
            end_session(ctx, secret)
        with world.read() as ctx:
            assert user_of_session(ctx.session, secret, NOW) is None

    def test_links_for_others_are_made_by_an_administrator(self, world: World) -> None:
        with pytest.raises(NotAllowed, match="make sign-in links for others"), world.write("manager") as ctx:
            create_sign_in_link(ctx, world.users["rep"])
        with world.write("admin") as ctx:
            link = create_sign_in_link(ctx, world.users["rep"])
        with world.write() as ctx:
            assert redeem_link(ctx, link)[0] == world.users["rep"]

    # Once a fault: on PostgreSQL both delete the row that both have read; an unversioned delete of nothing is only a warning.
    @pytest.mark.filterwarnings("default::sqlalchemy.exc.SAWarning")
    def test_of_two_who_redeem_a_link_at_once_one_gets_in(self, world: World) -> None:
        with world.write("rep") as ctx:
            link = create_sign_in_link(ctx, world.users["rep"])
        outcomes: list[object] = []
        barrier = threading.Barrier(2)

        def redeem() -> None:
            try:
                with world.write() as ctx:
                    if world.dialect == "postgresql":  # both read before either deletes; SQLite queues its writers
                        ctx.session.scalars(select(WebSession)).all()
                        barrier.wait(10)
                    outcomes.append(redeem_link(ctx, link)[0])
            except (NotAllowed, Conflict) as error:
                outcomes.append(error)

        threads = [threading.Thread(target=redeem) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(outcomes) == 2
        with world.read() as ctx:
            assert len(ctx.session.scalars(select(WebSession)).all()) == 1


class TestByEmail:
    def test_active_users_only(self, world: World) -> None:
        with world.read() as ctx:
            assert user_by_email(ctx.session, " Renata@LANTERN.test ") == world.users["rep"]
            assert user_by_email(ctx.session, "gideon@lantern.test") is None
            assert user_by_email(ctx.session, "noone@lantern.test") is None
