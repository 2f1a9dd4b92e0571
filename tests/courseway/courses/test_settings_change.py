"""The LTI/LMS settings of a course change together or not at all."""

from __future__ import annotations

import pytest

from courseway.courses.settings_change import CourseSettingsError, clean_lms_url, read_settings, set_course_settings
from tests.cast import Cast


def test_texts_become_values(cast: Cast) -> None:
    """Each setting is read from the words that people write on a command line, and what changed is told."""
    changed = set_course_settings(
        cast.course,
        {
            "lti_enabled": "OFF",
            "lms_url": " https://lms.example/courses/7 ",
            "hide_not_started": "yes",
            "release_grades_automatically": "1",
            "iframe_width": "1200",
            "published": "no",
        },
    )
    cast.course.refresh_from_db()
    settings = read_settings(cast.course)
    assert settings["lms_url"] == "https://lms.example/courses/7"
    assert (settings["lti_enabled"], settings["hide_not_started"], settings["published"]) == (False, True, False)
    assert settings["iframe_width"] == 1200
    # Automatic release was on already.
    assert changed == {"lti_enabled", "lms_url", "hide_not_started", "iframe_width", "published"}


def test_all_mistakes_at_once_and_nothing_saved(cast: Cast) -> None:
    """One wrong value keeps the right ones from being saved, and every wrong one is named."""
    before = read_settings(cast.course)
    with pytest.raises(CourseSettingsError) as caught:
        set_course_settings(
            cast.course,
            {
                "lti_enabled": "false",
                "enroll_only": "maybe",
                "iframe_height": "12",
                "lms_url": "ftp://x",
                "lms_ulr": "",
            },
        )
    assert [str(problem) for problem in caught.value.problems] == [
        "enroll_only: must be true or false",
        "iframe_height: must be a whole number of pixels from 200 to 10000",
        "lms_url: must begin with https:// or http://",
        "lms_ulr: is not a setting; did you mean lms_url?",
    ]
    cast.course.refresh_from_db()
    assert read_settings(cast.course) == before


def test_copy_needs_constant_urls(cast: Cast) -> None:
    """Course copy without constant URLs is refused with the reason; both may be set in one save."""
    with pytest.raises(CourseSettingsError, match="needs constant_urls, since"):
        set_course_settings(cast.course, {"course_copy": "true"})
    assert set_course_settings(cast.course, {"course_copy": "true", "constant_urls": "true"}) == {
        "course_copy",
        "constant_urls",
    }
    with pytest.raises(CourseSettingsError, match="needs constant_urls"):
        set_course_settings(cast.course, {"constant_urls": "false"})


def test_a_stale_course_overwrites_nothing(cast: Cast) -> None:
    """A change made elsewhere meanwhile stays, and the course in hand learns of it."""
    stale = type(cast.course).objects.get(pk=cast.course.pk)
    set_course_settings(cast.course, {"lms_url": "https://lms.example/1"})
    set_course_settings(stale, {"published": "false"})
    stale.refresh_from_db()
    assert (stale.lms_url, stale.published) == ("https://lms.example/1", False)


@pytest.mark.parametrize(
    "url", ["http://moodle/course/view.php?id=3", "https://[::1]:8443/x", "https://ü.example/ä", ""]
)
def test_addresses_of_an_lms(url: str) -> None:
    """Any http(s) address with a host will do, also one inside an organization's own network."""
    assert clean_lms_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "//lms.example/",
        "lms.example/course",
        "https:///course",
        "https://user:word@lms.example/",
        "https://lms.example:port/",
        "https://lms.example/a b",
        "https://lms.example/\x00",
        "https://[::1/",
        "data:text/html,x",
        "https://lms.example/" + "x" * 2000,
    ],
)
def test_what_is_no_address_of_an_lms(url: str) -> None:
    """Scripts, half addresses and addresses with a password are refused."""
    with pytest.raises(ValueError, match=r"address|begin with|longer"):
        clean_lms_url(url)
