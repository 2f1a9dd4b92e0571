"""Histories of copied links and courses, in every spelling, from launches of both versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltikit.history import LinkHistory, read_history
from ltikit.vocabulary import COURSE_VARIABLES
from tests.ltikit.v11 import signed_forms
from tests.ltikit.v13.platform import launch, make_claims

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "vectors"
D2L = "http://www.brightspace.com"


def read_custom(custom: dict[str, Any]) -> LinkHistory:
    return read_history(launch(make_claims(custom=custom)))


def read_form(**fields: str) -> LinkHistory:
    return read_history(signed_forms.launch(**fields))


@pytest.mark.parametrize(
    "name",
    [
        "ResourceLink.id.history",
        "resourcelink.id.history",
        "resourcelink_id_history",
        "resource_link_id_history",
        "custom_resource_link_id_history",
        "custom_codio_ResourceLink.id.history",
        "RESOURCE_LINK.ID.HISTORY",
    ],
)
def test_spellings_of_a_link_history(name: str) -> None:
    """However a custom parameter spells the link history, dots or underlines, prefixes or case, it is read."""
    expected = LinkHistory(resource_link_ids=("link-b", "link-a"))
    assert read_custom({name: "link-b,link-a"}) == expected
    assert read_form(**{f"custom_{name}": "link-b,link-a"}) == expected


@pytest.mark.parametrize("name", ["Context.id.history", "context_id_history", "contextid_history"])
def test_spellings_of_a_context_history(name: str) -> None:
    """The history of the course is read apart from that of the link."""
    expected = LinkHistory(context_ids=("course-b", "course-a"))
    assert read_custom({name: "course-b,course-a"}) == expected
    assert read_form(**{f"custom_{name}": "course-b,course-a"}) == expected


def test_the_parameters_we_ask_for_are_the_ones_we_read() -> None:
    """The custom parameters of our configurations, expanded, arrive as histories."""
    custom = {name: "x-1" for name in COURSE_VARIABLES if name.endswith("history")}
    assert read_custom(custom) == LinkHistory(("x-1",), ("x-1",))


@pytest.mark.quirk("B4", "D3")
@pytest.mark.parametrize("name", ["resource_link_id_history", "ext_d2l_resource_link_id_history"])
def test_parameters_of_blackboard_and_brightspace(name: str) -> None:
    """LTI 1.1 forms of Blackboard (quirk B4) and Brightspace (quirk D3) carry the history as a field of their own."""
    assert read_form(**{name: "_12_1,_7_1"}).resource_link_ids == ("_12_1", "_7_1")


@pytest.mark.quirk("D3")
def test_the_claim_of_brightspace() -> None:
    """Brightspace puts both histories into a claim of its own (quirk D3)."""
    claim = {"Context.id.history": "101,99", "ResourceLink.id.history": "t-5", "user_id": 7}
    assert read_history(launch(make_claims(**{D2L: claim}))) == LinkHistory(("t-5",), ("101", "99"))
    for nothing in ({"Context.id.history": "", "ResourceLink.id.history": ""}, [], None, "x"):
        assert read_history(launch(make_claims(**{D2L: nothing}))) == LinkHistory()


@pytest.mark.quirk("B4")
def test_the_whole_chain_newest_first() -> None:
    """Every id of the chain is kept in its order, and named once even if several places name it."""
    claim = {"ResourceLink.id.history": "c,b"}
    custom = {"resource_link_id_history": "c, b, a", "ResourceLink.id.history": "b,a"}
    assert read_history(launch(make_claims(custom=custom, **{D2L: claim}))).resource_link_ids == ("c", "b", "a")


@pytest.mark.quirk("M7")
@pytest.mark.parametrize("value", ["", " , ,", "$ResourceLink.id.history", '""', None, ["$ResourceLink.id.history"]])
def test_no_history(value: object) -> None:
    """Blank values and variables that the platform did not expand (Moodle, quirk M7) are no history."""
    assert read_custom({"ResourceLink.id.history": value, "context_id_history": value}) == LinkHistory()


def test_ids_are_url_decoded_one_by_one() -> None:
    """A comma inside an id is encoded and does not part it; plus signs stay; what is not encoded stays as it is."""
    encoded = "a%2Cb,course-v1%3AX+Y,content%3A3,100%,%ff"
    assert read_custom({"ResourceLink.id.history": encoded}).resource_link_ids == (
        "a,b",
        "course-v1:X+Y",
        "content:3",
        "100%",
        "%ff",
    )


def test_canvas_marks_a_history_that_it_cut() -> None:
    """`truncated` after the last id is Canvas's mark, not an id; elsewhere it may be one."""
    assert read_custom({"context_id_history": "b,a,truncated"}).context_ids == ("b", "a")
    assert read_custom({"context_id_history": "truncated"}).context_ids == ("truncated",)
    assert read_custom({"context_id_history": "truncated,a"}).context_ids == ("truncated", "a")


def test_nothing_is_a_copy_of_itself() -> None:
    """The launch's own link and course are left out of their histories."""
    custom = {"ResourceLink.id.history": "link-1,link-0", "Context.id.history": "course-1,course-0"}
    assert read_custom(custom) == LinkHistory(("link-0",), ("course-0",))


def test_what_cannot_be_an_id_is_left_out() -> None:
    """Ids longer than an LMS may give and ids with NUL name nothing; a history has an end."""
    assert read_custom({"ResourceLink.id.history": f"{'x' * 256},a%00b,ok"}).resource_link_ids == ("ok",)
    many = ",".join(str(number) for number in range(1500))
    assert len(read_custom({"ResourceLink.id.history": many}).resource_link_ids) == 1000


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40)
IDS = st.lists(TEXT, max_size=8, unique=True)


@given(IDS)
def test_any_ids_survive_the_way(ids: list[str]) -> None:
    """Whatever characters ids are made of, a platform that encodes them gets them understood, in both versions."""
    ids = [one for one in ids if one not in ("truncated", "link-1")]
    value = ",".join(quote(one, safe="") for one in ids)
    assert read_custom({"ResourceLink.id.history": value}).resource_link_ids == tuple(ids)
    assert read_form(custom_resourcelink_id_history=value).resource_link_ids == tuple(ids)


@given(st.dictionaries(st.sampled_from(["ResourceLink.id.history", "context_id_history"]), st.text(max_size=60)))
def test_wild_histories_refuse_no_launch(custom: dict[str, str]) -> None:
    """Nothing that a history holds is a reason to refuse a launch."""
    custom = {name: value for name, value in custom.items() if value.isprintable()}
    history = read_custom(custom)
    assert all(one and len(one) <= 255 for one in (*history.resource_link_ids, *history.context_ids))


def test_a_recorded_launch_of_brightspace_has_none() -> None:
    """Brightspace sends empty histories for what was never copied, as recorded."""
    path = VECTORS / "launches" / "d2l-2022.json"
    if not path.exists():
        pytest.skip("no recorded messages here: d2l-2022.json is kept outside the repository")
    recorded = json.loads(path.read_text())["claims"]
    assert read_history(launch(make_claims(**{D2L: recorded[D2L]}))) == LinkHistory()


def test_recorded_variables_of_moodle() -> None:
    """Moodle, as recorded, names the course that was copied and leaves the link history unexpanded (quirk M7)."""
    path = VECTORS / "moodle-4.5" / "substitution-variables.json"
    if not path.exists():
        pytest.skip(f"no recorded messages here: {path.name} is kept outside the repository")
    recorded = {name.removeprefix("v_"): value for name, value in json.loads(path.read_text()).items()}
    assert read_custom(recorded) == LinkHistory(context_ids=("2",))
