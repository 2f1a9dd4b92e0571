"""What a launch says about grades belongs to its link: platforms may offer each link something else."""

from __future__ import annotations

import pytest
from django.test import Client

from courseway.lms.models import ResourceLink
from ltikit import vocabulary
from tests.cast import Cast
from tests.visits import CLAIM, make_lms13

pytestmark = pytest.mark.django_db


@pytest.mark.quirk("O7")
def test_each_link_keeps_the_grade_service_of_its_own_launches(cast: Cast, client: Client) -> None:
    """Two links of one context with different addresses and scopes (Open edX) do not take each other's."""
    lms = make_lms13(cast.acme)
    for number, scopes in (("1", ["lineitem", "score"]), ("2", ["lineitem.readonly", "score"])):
        service = {
            "scope": [f"https://purl.imsglobal.org/spec/lti-ags/scope/{scope}" for scope in scopes],
            "lineitems": f"https://lms.example/block-{number}/lineitems",
        }
        changes = {CLAIM + "resource_link": {"id": f"link-{number}"}, vocabulary.AGS_ENDPOINT: service}
        assert lms.launch(client, cast.operators, **changes).status_code == 303
    first, second = ResourceLink.objects.order_by("resource_link_id")
    assert first.context_id == second.context_id
    assert first.lineitems_url == "https://lms.example/block-1/lineitems"
    assert second.lineitems_url == "https://lms.example/block-2/lineitems"
    assert vocabulary.SCOPE_LINEITEM in first.ags_scopes.split()
    assert vocabulary.SCOPE_LINEITEM not in second.ags_scopes.split()


@pytest.mark.quirk("G36")
def test_a_launch_without_a_grade_service_leaves_the_known_one(cast: Cast, client: Client) -> None:
    """A later launch that says nothing about grades does not take the way back from grades already owed."""
    lms = make_lms13(cast.acme)
    assert lms.launch(client, cast.operators).status_code == 303
    assert lms.launch(client, cast.operators, **{vocabulary.AGS_ENDPOINT: None}).status_code == 303
    link = ResourceLink.objects.get()
    assert link.lineitems_url == "https://lms.example/lineitems?type_id=1"
    assert link.ags_scopes == vocabulary.SCOPE_SCORE
