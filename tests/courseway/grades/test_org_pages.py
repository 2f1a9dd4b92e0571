from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from courseway.grades.models import Circuit, Delivery, DeliveryTry, LineItemSearch
from courseway.grades.outbox import Grade, owe
from courseway.grades.share_chart import ROWS_SHOWN, draw_shares
from tests.cast import Cast
from tests.courseway.grades.links import place_v11, place_v13


@pytest.fixture
def deliveries(cast: Cast) -> list[Delivery]:
    """Sam's grade arrived; Sue's failed because her column is gone."""
    first, second = place_v11(cast.operators), place_v13(cast.loops)
    first.let_in(cast.sam)
    second.let_in(cast.sue)
    grade = Grade(Decimal(8), Decimal(10), is_completed=True, is_released=True)
    sent = owe(cast.sam, cast.operators, grade, now=timezone.now())[0]
    stuck = owe(cast.sue, cast.loops, grade, now=timezone.now())[0]
    Delivery.objects.filter(pk=sent.pk).update(
        state="sent", sent_score=8, sent_maximum=10, sent_at=timezone.now(), next_try_at=None
    )
    Delivery.objects.filter(pk=stuck.pk).update(
        state="needs_teacher",
        last_error_code="line_item_gone",
        last_error="HTTP 404: <b>nothing</b> there",
        next_try_at=timezone.now() + timedelta(hours=1),
    )
    DeliveryTry.objects.create(
        delivery=stuck, version=1, score=8, code="line_item_gone", platform_status=404, words="HTTP 404: nothing there"
    )
    return [sent, stuck]


def _address(name: str, *args: object) -> str:
    return reverse(f"grades_org:{name}", args=["acme", *args])


def test_an_owner_sees_what_is_owed_sent_and_stuck(client: Client, cast: Cast, deliveries: list[Delivery]) -> None:
    """Each grade with its state and the LMS's words, escaped; each trouble with its reason and what to do."""
    client.force_login(cast.olive)
    page = client.get(_address("deliveries")).content.decode()
    assert "Sam Student" in page
    assert "Sue Student" in page
    assert "80 %" in page
    assert "The column was deleted in the LMS" in page
    assert "HTTP 404: &lt;b&gt;nothing&lt;/b&gt; there" in page
    assert "<b>nothing</b>" not in page


def test_pictures_show_throughput_and_where_grades_are(client: Client, cast: Cast, deliveries: list[Delivery]) -> None:
    """The same in words for whoever does not see them: tries of the week, and sent, waiting and stuck by LMS."""
    client.force_login(cast.olive)
    page = client.get(_address("deliveries")).content.decode()
    assert 'aria-label="0 sent, 1 failed tries.' in page
    assert f"{deliveries[0].platform}: 1 sent, 0 waiting, 0 did not arrive." in page
    assert f"{deliveries[1].platform}: 0 sent, 0 waiting, 1 did not arrive." in page


def test_an_lms_that_is_left_alone_is_shown_as_such(client: Client, cast: Cast, deliveries: list[Delivery]) -> None:
    """While an LMS gives no answers, the page says since when, in whose words, and that its grades wait."""
    client.force_login(cast.olive)
    now = timezone.now()
    Circuit.objects.create(
        platform=deliveries[0].platform,
        opened_at=now,
        open_until=now + timedelta(minutes=1),
        code="service_unavailable",
        words="HTTP 503: <moving>",
    )
    page = client.get(_address("deliveries")).content.decode()
    assert page.count("Its grades wait and follow by themselves.") == 1
    assert "HTTP 503: &lt;moving&gt;" in page


@given(st.lists(st.tuples(st.text(max_size=8), *[st.integers(0, 10**9)] * 3), max_size=12))
def test_each_share_is_seen_and_none_is_outside_of_the_picture(counts: list[tuple[str, int, int, int]]) -> None:
    """Every number that is not zero has a visible segment, and the segments of an LMS fill the width side by side."""
    chart = draw_shares(counts)
    assert len(chart.rows) == min(len(counts), ROWS_SHOWN)
    for row in chart.rows:
        assert len(row.segments) == sum(1 for number in (row.sent, row.waiting, row.stuck) if number)
        assert all(one.width >= 2 for one in row.segments)
        ends = [0.0, *(one.x + one.width for one in row.segments)]
        assert all(abs(one.x - end) <= 0.2 for one, end in zip(row.segments, ends, strict=False))
        assert not row.segments or abs(ends[-1] - chart.width) <= 0.2


def test_the_page_of_a_delivery_shows_its_tries(client: Client, cast: Cast, deliveries: list[Delivery]) -> None:
    """Every try with status and words, and the question whether a new column should be made."""
    client.force_login(cast.olive)
    page = client.get(_address("delivery", deliveries[1].pk)).content.decode()
    assert "HTTP 404: nothing there" in page
    assert "Make a new column" in page
    assert "Make a new column" not in client.get(_address("delivery", deliveries[0].pk)).content.decode()


@pytest.mark.parametrize(
    ("query", "is_sam", "is_sue"),
    [
        ("q=sam", True, False),
        ("q=Loops", False, True),
        ("q=python+basics", True, True),
        ("q=python+sue", False, True),
        ("state=sent", True, False),
        ("state=stuck", False, True),
        ("code=line_item_gone", False, True),
        ("state=nonsense", True, True),
        ("platform=unknown", False, False),
    ],
)
def test_the_list_is_searched_and_narrowed(
    client: Client, cast: Cast, deliveries: list[Delivery], query: str, is_sam: bool, is_sue: bool
) -> None:
    """Search by person, assignment and course; narrow by state, platform and reason."""
    client.force_login(cast.olive)
    page = client.get(f"{_address('deliveries')}?{query}").content.decode()
    assert (">Sam Student</a>" in page, ">Sue Student</a>" in page) == (is_sam, is_sue)


def test_chosen_grades_are_sent_again(client: Client, cast: Cast, deliveries: list[Delivery]) -> None:
    """Ticked grades are due at once; the others are left."""
    client.force_login(cast.olive)
    answer = client.post(_address("send_again"), {"delivery": deliveries[1].pk, "state": "stuck"})
    assert answer["Location"] == _address("deliveries") + "?state=stuck"
    states = dict(Delivery.objects.values_list("pk", "state"))
    assert states == {deliveries[0].pk: "sent", deliveries[1].pk: "waiting"}
    assert Delivery.objects.get(pk=deliveries[1].pk).wanted_version == 2


def test_all_that_fit_are_sent_again(client: Client, cast: Cast, deliveries: list[Delivery]) -> None:
    """To send all that fit means what the list was narrowed to, whatever is ticked."""
    client.force_login(cast.olive)
    client.post(_address("send_again"), {"all": "1", "code": "line_item_gone"})
    assert dict(Delivery.objects.values_list("pk", "state"))[deliveries[0].pk] == "sent"
    client.post(_address("send_again"), {"all": "1"})
    assert set(Delivery.objects.values_list("state", flat=True)) == {"waiting"}


def test_nothing_chosen_sends_nothing(client: Client, cast: Cast, deliveries: list[Delivery]) -> None:
    """The button without a choice says so instead of sending everything."""
    client.force_login(cast.olive)
    page = client.post(_address("send_again"), {}, follow=True).content.decode()
    assert "Nothing was chosen" in page
    assert Delivery.objects.filter(state="waiting").count() == 0


def test_the_yes_to_a_new_column_sends_what_waits_for_it(
    client: Client, cast: Cast, deliveries: list[Delivery]
) -> None:
    """The owner's yes is stored for the link, and its deliveries are due again."""
    client.force_login(cast.olive)
    client.post(_address("make_column", deliveries[1].pk))
    assert LineItemSearch.objects.get().may_create_at is not None
    assert Delivery.objects.get(pk=deliveries[1].pk).state == "waiting"
    assert Delivery.objects.get(pk=deliveries[0].pk).state == "sent"


def test_only_owners_of_this_organization_come_here(client: Client, cast: Cast, deliveries: list[Delivery]) -> None:
    """A teacher of the organization and an owner of another get 403, nobody the sign-in page; nothing changes."""
    addresses = [_address("deliveries"), _address("delivery", deliveries[1].pk)]
    actions = [_address("send_again"), _address("make_column", deliveries[1].pk)]
    for address in addresses:
        assert client.get(address).status_code == 302
    for account in (cast.tom, cast.oscar):
        client.force_login(account)
        for address in addresses:
            assert client.get(address).status_code == 403
        for address in actions:
            assert client.post(address, {"all": "1", "delivery": deliveries[1].pk}).status_code == 403
    assert Delivery.objects.get(pk=deliveries[1].pk).state == "needs_teacher"


def test_a_delivery_of_another_organization_is_not_found(
    client: Client, cast: Cast, deliveries: list[Delivery]
) -> None:
    """Through their own organization's address, owners reach no delivery of another one."""
    client.force_login(cast.oscar)
    assert client.get(reverse("grades_org:delivery", args=["umbrella", deliveries[1].pk])).status_code == 404
    client.post(reverse("grades_org:send_again", args=["umbrella"]), {"delivery": deliveries[1].pk})
    assert Delivery.objects.get(pk=deliveries[1].pk).state == "needs_teacher"


def test_reading_does_not_write(client: Client, cast: Cast) -> None:
    """The acts are POST only."""
    client.force_login(cast.olive)
    assert client.get(_address("send_again")).status_code == 405


def test_an_empty_list_teaches(client: Client, cast: Cast) -> None:
    """Without any delivery the page says what will stand here and leads to the next step."""
    client.force_login(cast.olive)
    page = client.get(_address("deliveries")).content.decode()
    assert "No grade is owed yet" in page


def test_the_list_costs_few_statements(
    client: Client, cast: Cast, deliveries: list[Delivery], django_assert_max_num_queries: object
) -> None:
    """The number of statements does not grow with the number of grades."""
    client.force_login(cast.olive)
    with django_assert_max_num_queries(11):  # type: ignore[operator]
        client.get(_address("deliveries"))
