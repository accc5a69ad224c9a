"""Keys are shown once and end for good; a club keeps an owner; rivals decide whether an area may become exclusive."""

from datetime import timedelta

import pytest

from clubs import services
from clubs.models import ApiKey, Area, Club, Membership, User
from palms.actors import Actor, Kind, staff_member
from palms.clock import now_utc
from palms.errors import NotFound, NotPermitted, ValidationFailed
from tests.factories import AreaFactory, ClubFactory, MembershipFactory, UserFactory

pytestmark = pytest.mark.django_db
STRANGER = Actor(Kind.STAFF, 1, frozenset(), "admin")


def owner_of(club: Club) -> Actor:
    return staff_member(1, {club.pk: "OWNER"}, through="admin")


def test_of_a_key_only_its_digest_is_kept() -> None:
    club = ClubFactory()

    key, secret = services.make_api_key(club_id=club.pk, name=" CRM ", actor=owner_of(club))

    stored = ApiKey.objects.get()
    assert (stored.pk, stored.name, stored.scopes) == (key.pk, "CRM", list(services.SCOPES))
    assert stored.digest == services.digest_of(secret)
    assert secret.startswith("palms_live_")
    assert stored.prefix == secret[:16]
    assert len(secret) >= 11 + 43  # 256 bits


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("name", {"name": " "}),
        ("scopes", {"scopes": []}),
        ("scopes", {"scopes": ["everything"]}),
        ("expires_at", {"expires_at": now_utc() - timedelta(seconds=1)}),
    ],
)
def test_a_key_that_makes_no_sense_is_refused(field: str, changes: dict[str, object]) -> None:
    club = ClubFactory()

    with pytest.raises(ValidationFailed) as refused:
        services.make_api_key(**({"club_id": club.pk, "name": "CRM", "actor": owner_of(club)} | changes))

    assert list(refused.value.facts["errors"]) == [field]
    assert not ApiKey.objects.exists()


def test_a_key_is_revoked_once() -> None:
    club = ClubFactory()
    key, _secret = services.make_api_key(club_id=club.pk, name="CRM", actor=owner_of(club))

    first = services.revoke_api_key(key_id=key.pk, actor=owner_of(club)).revoked_at
    second = services.revoke_api_key(key_id=key.pk, actor=owner_of(club)).revoked_at

    assert first is not None
    assert second == first


def test_a_stranger_makes_and_ends_nothing() -> None:
    club = ClubFactory()
    key, _secret = services.make_api_key(club_id=club.pk, name="CRM", actor=owner_of(club))
    membership = MembershipFactory(club=club)

    for call in (
        lambda: services.make_api_key(club_id=club.pk, name="CRM", actor=STRANGER),
        lambda: services.revoke_api_key(key_id=key.pk, actor=STRANGER),
        lambda: services.add_member(club_id=club.pk, email="a@example.com", role="STAFF", actor=STRANGER),
        lambda: services.set_role(membership_id=membership.pk, role="STAFF", actor=STRANGER),
        lambda: services.remove_member(membership_id=membership.pk, actor=STRANGER),
    ):
        with pytest.raises(NotPermitted):
            call()


def test_what_is_not_there_is_not_found() -> None:
    club = ClubFactory()

    with pytest.raises(NotFound):
        services.revoke_api_key(key_id=1, actor=owner_of(club))
    with pytest.raises(NotFound):
        services.remove_member(membership_id=1, actor=owner_of(club))


def test_a_new_member_gets_a_password_that_works() -> None:
    club = ClubFactory()

    membership, password = services.add_member(
        club_id=club.pk, email="New@Example.com", name="New", role="STAFF", actor=owner_of(club)
    )

    user = User.objects.get()
    assert (membership.user, membership.role, user.is_superuser) == (user, "STAFF", False)
    assert password is not None
    assert user.check_password(password)


def test_somebody_known_keeps_name_and_password() -> None:
    club = ClubFactory()
    known = UserFactory(email="known@example.com", password="as-it-was-before")

    membership, password = services.add_member(
        club_id=club.pk, email="KNOWN@example.com", name="Other", role="OWNER", actor=owner_of(club)
    )

    known.refresh_from_db()
    assert (membership.user, password, known.name) == (known, None, "Staff")
    assert known.check_password("as-it-was-before")


def test_nobody_has_two_roles_in_a_club() -> None:
    membership = MembershipFactory()
    actor = owner_of(membership.club)

    with pytest.raises(services.AlreadyMember):
        services.add_member(club_id=membership.club_id, email=membership.user.email, role="STAFF", actor=actor)


@pytest.mark.parametrize(("email", "role"), [("no", "STAFF"), ("a@example.com", "KING")])
def test_a_member_needs_an_address_and_a_role(email: str, role: str) -> None:
    club = ClubFactory()

    with pytest.raises(ValidationFailed):
        services.add_member(club_id=club.pk, email=email, role=role, actor=owner_of(club))

    assert not User.objects.exists()


def test_the_last_owner_stays() -> None:
    owner = MembershipFactory(role="OWNER")
    MembershipFactory(club=owner.club, role="STAFF")
    MembershipFactory(role="OWNER")  # of another club
    actor = owner_of(owner.club)

    with pytest.raises(services.LastOwner):
        services.remove_member(membership_id=owner.pk, actor=actor)
    with pytest.raises(services.LastOwner):
        services.set_role(membership_id=owner.pk, role="STAFF", actor=actor)

    assert Membership.objects.get(pk=owner.pk).role == "OWNER"


def test_one_of_two_owners_may_go() -> None:
    owner = MembershipFactory(role="OWNER")
    MembershipFactory(club=owner.club, role="OWNER")

    services.remove_member(membership_id=owner.pk, actor=owner_of(owner.club))

    assert not Membership.objects.filter(pk=owner.pk).exists()


def test_looking_whether_an_area_may_be_exclusive_writes_nothing() -> None:
    area = AreaFactory(exclusive=False)

    services.check_exclusive(area_id=area.pk, exclusive=True)

    assert Area.objects.get(pk=area.pk).exclusive is False


@pytest.mark.parametrize("role", ["STAFF", None])
def test_what_is_owners_is_done_by_no_one_else(role: str | None) -> None:
    club = ClubFactory(is_public=False)
    person = MembershipFactory(club=club, role="STAFF")
    key, _secret = services.make_api_key(club_id=club.pk, name="CRM", actor=owner_of(club))
    actor = staff_member(1, {club.pk: role, ClubFactory().pk: "OWNER"} if role else {}, through="admin")
    tried = [
        lambda: services.make_api_key(club_id=club.pk, name="CRM", actor=actor),
        lambda: services.revoke_api_key(key_id=key.pk, actor=actor),
        lambda: services.show_club(club_id=club.pk, actor=actor),
        lambda: services.add_member(club_id=club.pk, email="b@example.com", role="OWNER", actor=actor),
        lambda: services.set_role(membership_id=person.pk, role="OWNER", actor=actor),
        lambda: services.remove_member(membership_id=person.pk, actor=actor),
    ]
    for act in tried:
        with pytest.raises(NotPermitted):
            act()
    person.refresh_from_db()
    assert (person.role, ApiKey.objects.get().revoked_at, Membership.objects.filter(club=club).count()) == (
        "STAFF",
        None,
        1,
    )
