"""The command `courseway`, as scripts use it: one answer, an exit code, and one line when something is refused."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from courseway.cli import main
from courseway.courses.models import Assignment, Course, Enrollment, Role
from courseway.learning.models import Submission
from courseway.lms import tool_keys
from courseway.lms.models import LmsIdentity, Platform, ToolKey
from courseway.orgs.models import Account, Organization, Person
from ltikit.v13.keys import generate_private_key
from tests.cast import Cast
from tests.visits import make_lms11

COURSE = """
title: Python basics
modules:
  - title: Week 1
    assignments:
      - title: Operators
        points: 10
        pages:
          - title: Warm-up
            text: Think first.
            questions:
              - {kind: choice, text: "What is 2+2?", options: ["3", "4"], answer: "4", points: 10}
      - {title: Loops, points: 2.5, published: false}
"""


@dataclass
class Ended:
    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ended]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command in this process, on the database of the tests."""

    def run_command(*words: str) -> Ended:
        capsys.readouterr()
        try:
            status = main(words)
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        captured = capsys.readouterr()
        return Ended(status, captured.out, captured.err)

    return run_command


def refuse(ended: Ended) -> str:
    """The reason of a refusal, which is one line and nothing else."""
    assert ended.status == 1, ended
    assert ended.out == ""
    assert ended.err.count("\n") == 1, ended.err
    assert ended.err.startswith("courseway: ")
    return ended.err


@pytest.fixture
def course_file(tmp_path: Path) -> Path:
    path = tmp_path / "python.yaml"
    path.write_text(COURSE)
    return path


@pytest.mark.django_db
def test_an_organization_gets_an_owner_with_an_invitation(run: Run, client: Client) -> None:
    """Without a password in the environment the owner gets a link that signs them in."""
    document = run("org", "create", "--name", "Example University", "--owner", "Ola@example.edu", "--json").document
    assert document["org"] == "example-university"
    assert document["owner"] == "ola@example.edu"
    assert document["invitation_url"].startswith("https://tool.example/account/link/")
    page = client.get(document["invitation_url"].removeprefix("https://tool.example"), secure=True, follow=True)
    assert page.status_code == 200


@pytest.mark.django_db
def test_an_owner_with_a_password_needs_no_invitation(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """COURSEWAY_OWNER_PASSWORD becomes the password of a new owner."""
    monkeypatch.setenv("COURSEWAY_OWNER_PASSWORD", "a long enough password")
    document = run("org", "create", "--name", "Example", "--owner", "ola@example.edu", "--json").document
    assert "invitation_url" not in document
    assert Account.objects.get(email="ola@example.edu").check_password("a long enough password")


@pytest.mark.django_db
def test_names_that_cannot_be_used_are_refused_in_one_line(run: Run, cast: Cast) -> None:
    """An owner without an e-mail address, an unknown organization, course or assignment: one line, nothing made."""
    assert "e-mail" in refuse(run("org", "create", "--name", "Example", "--owner", "nobody"))
    assert Organization.objects.count() == 2
    assert "acme, umbrella" in refuse(run("key", "create", "--org", "acne"))
    assert "no course" in refuse(run("course", "show", "nothing", "--json"))
    assert "no assignment" in refuse(
        run("grade", "set", "--assignment", "nothing", "--person", "sam@acme.example", "--percent", "5")
    )
    assert "nobody@acme.example" in refuse(run("account", "reset", "nobody@acme.example"))


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("fly",),
        ("course",),
        ("course", "set", "id", "lti_enabled"),
        ("key", "create"),
        ("serve", "--port", "70000"),
        ("grade", "set", "--assignment", "a", "--person", "p", "--percent", "many"),
        ("course", "export", "id", "--format", "papyrus", "-o", "x"),
    ],
)
def test_wrong_usage_ends_with_2(run: Run, words: tuple[str, ...]) -> None:
    """A command that does not exist or lacks something is answered by its usage, and by nothing on stdout."""
    ended = run(*words)
    assert ended.status == 2
    assert ended.err.startswith("usage: courseway")
    assert ended.out == ""


@pytest.mark.django_db
def test_a_key_has_what_an_lms_administrator_needs(run: Run, cast: Cast) -> None:
    """A key is made, or taken as given; the same key twice is refused."""
    made = run("key", "create", "--org", "acme", "--name", "Moodle", "--json").document
    assert set(made) == {"key", "secret", "launch_url", "xml_url"}
    assert made["launch_url"] == "https://tool.example/lti/launch"
    assert made["xml_url"] == f"https://tool.example/lti/config.xml?key={made['key']}"
    given = run("key", "create", "--org", "acme", "--key", "ours", "--secret", "s3cret", "--json").document
    assert (given["key"], given["secret"]) == ("ours", "s3cret")
    assert "--key" in refuse(run("key", "create", "--org", "umbrella", "--key", "ours"))


@pytest.mark.django_db
def test_a_platform_is_registered_once(run: Run, cast: Cast) -> None:
    """A registration answers with our addresses; the same one again, or a bad address, is refused and says which."""
    words = ["platform", "add", "--org", "acme", "--issuer", "https://lms.example", "--client-id", "7"]
    words += ["--auth-url", "https://lms.example/auth", "--token-url", "https://lms.example/token"]
    keyset = ["--keyset-url", "https://lms.example/keys", "--deployment", "1", "--deployment", "2"]
    document = run(*words, *keyset, "--json").document
    assert document["login_url"] == "https://tool.example/lti/login"
    assert document["redirect_url"] == document["launch_url"] == "https://tool.example/lti/launch"
    assert document["keyset_url"] == "https://tool.example/lti/keys"
    assert {"id", "deep_linking_url", "canvas_json_url"} <= set(document)
    assert "--client-id" in refuse(run(*words, *keyset))
    assert "--keyset-url" in refuse(run(*words, "--keyset-url", "lms.example/keys"))


def test_the_operator_shares_a_registration(run: Run, cast: Cast) -> None:
    """`--shared` registers an LMS for all organizations; again, it changes the addresses and keeps the id."""
    words = ["platform", "add", "--issuer", "https://blackboard.com", "--client-id", "7", "--shared"]
    urls = ["--auth-url", "https://lms.example/auth", "--token-url", "https://lms.example/token", "--keyset-url"]
    document = run(*words, *urls, "https://lms.example/keys", "--name", "Blackboard", "--json").document
    platform = Platform.objects.get(public_id=document["id"])
    assert (platform.organization, platform.shared, platform.name) == (None, None, "Blackboard")
    again = run(*words, *urls, "https://lms.example/new-keys", "--json").document
    platform.refresh_from_db()
    assert (again["id"], platform.name, platform.config_version) == (document["id"], "Blackboard", 2)
    assert platform.registration.keyset_url == "https://lms.example/new-keys"
    assert "--deployment" in refuse(run(*words, *urls, "https://lms.example/keys", "--deployment", "1"))
    assert run(*words, *urls, "https://lms.example/keys", "--org", "acme").status == 2
    assert run(*words[:-1], *urls, "https://lms.example/keys").status == 2
    own = run(*words[:-1], *urls, "https://lms.example/keys", "--org", "acme")
    assert "LTI integrations" in refuse(own)


@pytest.mark.django_db
def test_a_course_goes_in_and_comes_out_again(run: Run, cast: Cast, course_file: Path, tmp_path: Path) -> None:
    """A course is imported, shown, exported, and imported from what was exported: the same course once more."""
    load = ("course", "import", "--org", "acme", "--json")
    made = run(*load, str(course_file), "--teacher", "tom@acme.example").document
    operators, loops = made["assignments"]
    assert (operators["title"], operators["module"], operators["points"]) == ("Operators", "Week 1", 10)
    assert operators["url"] == f"https://tool.example/lti/a/{operators['id']}"
    assert loops["points"] == 2.5
    shown = run("course", "show", made["id"], "--json").document
    assert shown["settings"]["lti_enabled"] is False
    assert [(one["email"], one["role"]) for one in shown["enrollments"]] == [("tom@acme.example", "teacher")]
    folder = tmp_path / "out"
    assert run("course", "export", made["id"], "--format", "folder", "-o", str(folder), "--json").document == {
        "path": str(folder),
        "items": len(list(folder.rglob("*.*"))),
    }
    again = run(*load, str(folder)).document
    assert again["id"] != made["id"]
    assert [one["title"] for one in again["assignments"]] == ["Operators", "Loops"]


@pytest.mark.django_db
def test_a_course_is_exported_in_every_format(run: Run, cast: Cast, tmp_path: Path) -> None:
    """Cartridges of each kind and the table of URLs are written with a link for each published assignment."""
    Assignment.objects.filter(pk=cast.loops.pk).update(published=False)
    export = ("course", "export", cast.course.public_id, "--json", "--format")
    for form in ("cartridge", "thin-cartridge", "cartridge-1.1"):
        target = tmp_path / f"{form}.imscc"
        assert run(*export, form, "-o", str(target)).document == {"path": str(target), "items": 1}
        with zipfile.ZipFile(target) as package:
            links = [package.read(name).decode() for name in package.namelist() if name != "imsmanifest.xml"]
        assert len(links) == 1
        assert f"https://tool.example/lti/a/{cast.operators.public_id}" in links[0]
    table = tmp_path / "urls.csv"
    assert run(*export, "urls-csv", "-o", str(table)).document == {"path": str(table), "items": 1}
    rows = list(csv.DictReader(table.open(newline="", encoding="utf-8")))
    assert rows == [
        {
            "module": "Week 1",
            "assignment": "Operators",
            "id": cast.operators.public_id,
            "URL": f"https://tool.example/lti/a/{cast.operators.public_id}",
            "custom parameters": "",
            "points": "10",
        }
    ]


@pytest.mark.django_db
def test_exports_that_cannot_be_are_refused(run: Run, cast: Cast, tmp_path: Path) -> None:
    """A combination that no LMS reads, and a place that is none, are refused in a line and write nothing."""
    export = ("course", "export", cast.course.public_id, "--format")
    target = tmp_path / "course.imscc"
    assert "1.0" in refuse(run(*export, "cartridge-1.1", "--links", "1.3", "-o", str(target)))
    assert "is a folder" in refuse(run(*export, "cartridge", "-o", str(tmp_path)))
    assert "cannot be written" in refuse(run(*export, "urls-csv", "-o", str(tmp_path / "no" / "where.csv")))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.django_db
def test_an_export_goes_to_standard_output(
    cast: Cast, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`-o -` writes the very bytes of the file and nothing else: no file, no word, no line end more or less."""
    monkeypatch.chdir(tmp_path)
    export = ("course", "export", cast.course.public_id, "--format")
    for form in ("cartridge", "thin-cartridge", "cartridge-1.1", "urls-csv"):
        assert main((*export, form, "-o", str(tmp_path / form))) == 0
        capsysbinary.readouterr()
        assert main((*export, form, "-o", "-")) == 0
        assert capsysbinary.readouterr() == ((tmp_path / form).read_bytes(), b"")
    assert main((*export, "folder", "-o", "-")) == 0
    with zipfile.ZipFile(io.BytesIO(capsysbinary.readouterr().out)) as package:
        assert "course.yaml" in package.namelist()
    assert main((*export, "urls-csv", "-o", "-", "--json")) == 1
    assert capsysbinary.readouterr().out == b""
    assert not (tmp_path / "-").exists()


@pytest.mark.django_db
def test_every_setting_can_be_set(run: Run, cast: Cast) -> None:
    """Each setting is switched by its name; course copy without constant URLs is refused, together they are not."""
    course = cast.course.public_id
    assert "constant_urls" in refuse(run("course", "set", course, "course_copy=true"))
    switches = ("constant_urls", "course_copy", "hide_not_started", "filter_learners_for_mentors", "enroll_only")
    switches += ("provide_feedback_link", "release_grades_automatically", "lti_enabled", "published")
    settings = run("course", "set", course, *(f"{name}=true" for name in switches), "iframe_height=640", "--json")
    assert all(settings.document["settings"][name] is True for name in switches)
    assert settings.document["settings"]["iframe_height"] == 640
    off = run("course", "set", course, *(f"{name}=off" for name in switches), "lms_url=", "--json")
    assert not any(off.document["settings"][name] for name in (*switches, "lms_url"))


@pytest.mark.django_db
def test_a_file_that_is_no_course_is_refused(run: Run, cast: Cast, tmp_path: Path) -> None:
    """A file that is not there, is no YAML, or is no course is refused in one line and makes nothing."""
    broken = tmp_path / "broken.yaml"
    broken.write_text("title: [")
    listing = tmp_path / "list.yaml"
    listing.write_text("- a\n- b\n")
    strange = tmp_path / "strange.yaml"
    strange.write_text("".join(f"key{n}: 1\n" for n in range(500)))
    for path in (tmp_path / "missing.yaml", broken, listing, strange, tmp_path):
        assert len(refuse(run("course", "import", str(path), "--org", "acme"))) < 2000
    assert Course.objects.count() == 2


@pytest.mark.django_db
def test_settings_change_together_or_not_at_all(run: Run, cast: Cast) -> None:
    """Course settings are set by name; one bad value or unknown name leaves all of them as they were."""
    course = cast.course.public_id
    document = run("course", "set", course, "lms_url=https://lms.example/c/1", "iframe_width=900", "--json").document
    assert document["settings"]["lms_url"] == "https://lms.example/c/1"
    assert document["settings"]["iframe_width"] == 900
    assert "iframe_height" in refuse(run("course", "set", course, "lti_enabled=off", "iframe_height=tall"))
    refuse(run("course", "set", course, "lti_enabled=off", "lti_enable=on"))
    assert "twice" in refuse(run("course", "set", course, "lti_enabled=off", "lti_enabled=off"))
    cast.course.refresh_from_db()
    assert cast.course.lti_enabled is True


@pytest.mark.django_db
def test_a_course_is_copied(run: Run, cast: Cast) -> None:
    """The copy is described as a course is, names its parent, and belongs to the teacher who is named."""
    copy = ("course", "copy", cast.course.public_id)
    made = run(*copy, "--title", "Spring", "--teacher", "new@acme.example", "--json").document
    assert (made["title"], made["parent"]) == ("Spring", cast.course.public_id)
    assert [(one["email"], one["role"]) for one in made["enrollments"]] == [("new@acme.example", "teacher")]
    parent = run("course", "show", cast.course.public_id, "--json").document
    assert parent["children"] == [made["id"]]
    assert [one["constant_url"] for one in made["assignments"]] == [
        one["constant_url"] for one in parent["assignments"]
    ]
    assert run(*copy).status == 0
    refuse(run("course", "copy", "nowhere"))
    refuse(run(*copy, "--teacher", "nobody"))
    assert Course.objects.filter(parent=cast.course).count() == 2


@pytest.mark.django_db
def test_automatic_release_releases_what_waits(run: Run, cast: Cast) -> None:
    """Switching automatic release on releases the completed grades that were held back."""
    Course.objects.update(release_grades_automatically=False)
    grade = ("grade", "set", "--assignment", cast.operators.public_id, "--person", "sam@acme.example")
    held = run(*grade, "--percent", "70", "--complete", "--json").document
    assert (held["completed"], held["released"]) == (True, False)
    assert run("course", "set", cast.course.public_id, "release_grades_automatically=true").status == 0
    assert Submission.objects.get(person=cast.sam).released_at is not None


@pytest.mark.django_db
def test_a_grade_is_set_by_e_mail(run: Run, cast: Cast) -> None:
    """A grade is stored as given, and flags that are absent change nothing: a released grade stays released."""
    grade = ("grade", "set", "--assignment", cast.operators.public_id, "--person", "SAM@acme.example", "--json")
    first = run(*grade, "--percent", "87.5", "--complete", "--release").document
    assert first == {"percent": 87.5, "completed": True, "released": True, "deliveries": []}
    second = run(*grade, "--percent", "90").document
    assert second == {"percent": 90, "completed": True, "released": True, "deliveries": []}
    assert Submission.objects.get(person=cast.sam).override_percent == Decimal(90)


@pytest.mark.django_db
def test_a_grade_for_an_lms_user_is_owed_to_that_lms(run: Run, cast: Cast, client: Client) -> None:
    """Somebody who came by a launch is found by LMS user id, and the grade shows among the deliveries."""
    lms = make_lms11(cast.acme)
    assert lms.launch(client, f"/lti/a/{cast.operators.public_id}").status_code == 303
    grade = ("grade", "set", "--assignment", cast.operators.public_id, "--person", "user-1", "--json")
    document = run(*grade, "--percent", "50", "--complete", "--release").document
    assert [(one["wanted_percent"], one["state"]) for one in document["deliveries"]] == [(50, "waiting")]
    owed = run("deliveries", "--org", "acme", "--json").document
    expected = {"id", "person", "assignment", "platform", "state", "wanted_percent", "sent_percent", "tries"}
    assert len(owed) == 1
    assert expected | {"next_try_at", "last_error"} <= set(owed[0])
    assert run("deliveries", "--org", "acme", "--state", "sent", "--json").document == []
    assert run("deliveries", "--org", "umbrella", "--json").document == []
    assert "waiting" in refuse(run("deliveries", "--state", "lost"))


@pytest.mark.django_db
def test_an_ambiguous_person_is_refused_with_the_choices(run: Run, cast: Cast) -> None:
    """Two people with one e-mail in the course: the command says who it could be, and grades neither."""
    twin = Person.objects.create(organization=cast.acme, name="Sam Second", email="sam@acme.example")
    Enrollment.objects.create(course=cast.course, person=twin, role=Role.STUDENT)
    LmsIdentity.objects.create(platform=make_lms11(cast.acme).platform, lms_user_id="77", person=twin)
    grade = ("grade", "set", "--assignment", cast.operators.public_id, "--percent", "50", "--person")
    reason = refuse(run(*grade, "sam@acme.example"))
    assert "Sam Student" in reason
    assert "Sam Second" in reason
    assert "77" in reason
    assert not Submission.objects.exists()
    assert run(*grade, "77").status == 0
    assert Submission.objects.get().person == twin


@pytest.mark.django_db
def test_a_grade_never_reaches_another_organization(run: Run, cast: Cast) -> None:
    """People are looked for in the assignment's organization alone."""
    grade = ("grade", "set", "--assignment", cast.foreign_assignment.public_id, "--percent", "50", "--person")
    assert "Umbrella" in refuse(run(*grade, "sam@acme.example"))


@pytest.mark.django_db
def test_a_percentage_beyond_100_is_refused(run: Run, cast: Cast) -> None:
    """A grade is between 0 and 100 percent; nothing else is stored."""
    for percent in ("100.01", "-1", "NaN", "1e9"):
        ended = run(
            *("grade", "set", "--assignment", cast.operators.public_id, "--person", "sam@acme.example"),
            f"--percent={percent}",
        )
        assert ended.status in (1, 2)
    assert not Submission.objects.exists()


@pytest.mark.django_db
def test_the_launch_log_is_listed_newest_first(run: Run, cast: Cast, client: Client) -> None:
    """Opened and refused launches of the organization are listed, newest first, and no others."""
    lms = make_lms11(cast.acme)
    lms.launch(client, f"/lti/a/{cast.operators.public_id}")
    lms.launch(client, f"/lti/a/{cast.operators.public_id}", signing={"secret": "wrong"})
    rows = run("launches", "--org", "acme", "--json").document
    assert [row["outcome"] for row in rows] == ["refused", "ok"]
    promised = "reference at version platform context_id person outcome code rule landed_on"
    assert set(promised.split()) <= set(rows[0])
    assert rows[0]["code"]
    assert rows[1]["person"] == "Sally Learner"
    assert datetime.fromisoformat(rows[1]["at"]).tzinfo is not None
    assert len(run("launches", "--org", "acme", "--limit", "1", "--json").document) == 1
    assert run("launches", "--org", "umbrella", "--json").document == []
    assert "Sally Learner" in run("launches", "--org", "acme").out


@pytest.mark.django_db
def test_a_launch_of_nobody_shows_where_there_is_one_organization(run: Run, cast: Cast, client: Client) -> None:
    """A launch with a key that nobody has, to no known place, is shown to the only organization there is."""
    lms = make_lms11(cast.acme)
    lms.launch(client, "/lti/launch", signing={"key": "unknown"})
    assert run("launches", "--org", "acme", "--json").document == []
    cast.umbrella.delete()
    assert [row["outcome"] for row in run("launches", "--org", "acme", "--json").document] == ["refused"]


@pytest.mark.django_db
def test_somebody_locked_out_gets_a_link_that_works_once(run: Run, cast: Cast, client: Client) -> None:
    """The link of `account reset` opens the account; a newer link ends an older one."""
    old = run("account", "reset", "olive@acme.example", "--json").document["url"]
    new = run("account", "reset", "OLIVE@acme.example", "--json").document["url"]
    assert new.startswith("https://tool.example/account/link/")
    assert old != new
    page = client.get(new.removeprefix("https://tool.example"), secure=True, follow=True)
    assert page.status_code == 200


@pytest.mark.django_db
def test_a_registration_link_is_made_for_an_organization(run: Run, cast: Cast, client: Client) -> None:
    """The link works at once, until the time that is told; an unknown organization is refused in one line."""
    document = run("registration-link", "create", "--org", "acme", "--json").document
    assert set(document) == {"url", "expires_at"}
    assert datetime.fromisoformat(document["expires_at"]) > datetime.now().astimezone()
    path = document["url"].removeprefix("https://tool.example")
    assert path.startswith("/lti/register/")
    assert client.get(path, {"openid_configuration": "https://lms.example/c"}, secure=True).status_code == 302
    refused = run("registration-link", "create", "--org", "nowhere", "--json")
    assert (refused.status, refused.out) == (1, "")


@pytest.mark.django_db
def test_keys_are_rotated_by_command(run: Run) -> None:
    """A new key is published, a second one refused in one line until then; at once, it signs and the old one goes."""
    first = run("keys", "rotate", "--json").document
    assert first["state"] == "signs"
    second = run("keys", "rotate", "--json").document
    assert second["state"] == "next"
    refused = run("keys", "rotate", "--json")
    assert (refused.status, refused.err.count("\n")) == (1, 1)
    assert run("keys", "rotate", "--at-once", "--json").document["kid"] == second["kid"]
    assert run("keys", "retire", first["kid"], "--json").document["state"] == "retired"
    assert [one["state"] for one in run("keys", "list", "--json").document] == ["signs", "retired"]
    assert run("keys", "retire", "nothing").status == 1
    assert first["kid"] in run("keys", "list").out


@pytest.mark.django_db
def test_every_new_key_can_be_named_in_a_command(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """One thumbprint in 64 begins with "-", which a command would take for an option: such a key is not used."""
    pair = generate_private_key()
    made = [replace(pair, kid=kid) for kid in ("-V", "--json", "first", "-1", "second")]
    monkeypatch.setattr(tool_keys, "generate_private_key", iter(made).__next__)
    assert [run("keys", "rotate", "--at-once", "--json").document["kid"] for _ in range(2)] == ["first", "second"]
    assert run("keys", "retire", "first").status == 0
    ToolKey.objects.filter(kid="first").update(kid="-old", retired_at=None)
    assert run("keys", "retire", "--json", "--", "-old").document["kid"] == "-old"


@pytest.mark.django_db
def test_drain_says_what_it_did(run: Run, cast: Cast) -> None:
    """With nothing owed, draining ends at once and says so in numbers."""
    assert run("drain", "--until-empty", "--timeout", "5", "--json").document == {"sent": 0, "failed": 0, "waiting": 0}


@pytest.mark.django_db
def test_every_command_answers_people_too(run: Run, cast: Cast, course_file: Path) -> None:
    """Without --json the answer is text, which ends with one line break and holds no JSON."""
    course = cast.course.public_id
    for words in (
        ("org", "create", "--name", "Third", "--owner", "third@example.edu"),
        ("key", "create", "--org", "acme"),
        ("course", "import", str(course_file), "--org", "acme"),
        ("course", "show", course),
        ("course", "set", course, "lti_enabled=on"),
        ("grade", "set", "--assignment", cast.operators.public_id, "--person", "sam@acme.example", "--percent", "5"),
        ("deliveries",),
        ("drain",),
        ("launches", "--org", "acme"),
        ("account", "reset", "tom@acme.example"),
        ("registration-link", "create", "--org", "acme"),
        ("migrate",),
    ):
        ended = run(*words)
        assert ended.status == 0, ended
        assert ended.out.strip()
        assert not ended.out.lstrip().startswith(("{", "["))
        assert ended.out.endswith("\n")
