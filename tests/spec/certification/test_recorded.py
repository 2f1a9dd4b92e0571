"""Launches as LMSs really sent them, signed anew for this installation and played over HTTP, when they are there.

They are kept outside the repository. What each must come to stands in its file.
"""

from __future__ import annotations

import json
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.ltikit.v11.signed_forms import sign
from tests.ltikit.v13.platform import CLAIM
from tests.spec.certification.conftest import Answer, Browser, Stand
from tests.spec.certification.validator import CLIENT_ID, DEPLOYMENT, Message

VECTORS = Path(__file__).resolve().parents[4] / "shared" / "vectors"
LAUNCHES = sorted([*VECTORS.glob("launches/*.json"), *VECTORS.glob("moodle-4.5/lti1*-*.json")])
# Read by tests of their own: what services answered, keys, and the exchange of a registration.
OTHERS = {
    "moodle-4.5/lti13-dynamic-registration.json",
    "moodle-4.5/outcomes11.json",
    "moodle-4.5/platform-jwks.json",
    "moodle-4.5/services13.json",
    "moodle-4.5/substitution-variables.json",
    "README.md",
}
if_present = pytest.mark.skipif(not LAUNCHES, reason=f"no recorded launches in {VECTORS}")


def name_of(path: Path) -> str:
    return path.relative_to(VECTORS).as_posix()


PLAYED = [path for path in LAUNCHES if name_of(path) not in OTHERS]


def play_11(stand: Stand, recorded: dict[str, Any]) -> Answer:
    """The form without what was signed, signed with a key of ours."""
    form = [(name, value) for name, value in recorded.get("params", recorded.get("form"))]
    plain = [(name, value) for name, value in form if not name.startswith("oauth_") or name == "oauth_callback"]
    kept = [pair for pair in plain if pair[0] != "oauth_callback"]
    url, key = stand.platform["launch_url"], stand.key
    credentials = {"key": key["key"], "secret": key["secret"], "nonce": secrets.token_hex(8)}
    with Browser() as browser:
        return browser.send("POST", url, sign(kept, url=url, now=datetime.now(UTC), **credentials))


def play_13(stand: Stand, recorded: dict[str, Any]) -> Answer:
    """The claims, with those of this platform and of this sign-in in place of the recorded ones."""
    now = int(time.time())

    def renew(claims: dict[str, Any]) -> bytes:
        told = {"iss": stand.validator.url, "aud": CLIENT_ID, "iat": now, "exp": now + 60, "nonce": claims["nonce"]}
        told[CLAIM + "deployment_id"] = DEPLOYMENT
        told[CLAIM + "target_link_uri"] = stand.platform["launch_url"]
        kept = {name: value for name, value in recorded["claims"].items() if name not in ("azp", "nbf")}
        return json.dumps({**kept, **told}).encode()

    with Browser() as browser:
        return stand.launch(browser, Message(payload=renew), target=stand.platform["launch_url"])


@if_present
@pytest.mark.parametrize("path", PLAYED, ids=name_of)
def test_recorded_launch(stand: Stand, path: Path, record_property: Any) -> None:
    """It ends on a page, or is refused on a page with a code, as its file says; never on an error of ours."""
    recorded = json.loads(path.read_text("utf-8"))
    is_13 = "claims" in recorded
    answer = play_13(stand, recorded) if is_13 else play_11(stand, recorded)
    expect = recorded.get("expect", "accept")
    if recorded.get("signature_ok") is False:
        expect = "accept"  # signed anew, its signature is good
    seen = f"HTTP {answer.status}, {answer.marks.get('launch')} {answer.marks.get('code', '')}".rstrip()
    record_property("recorded", [name_of(path), "accept" if expect.startswith("accept") else "refuse", seen])
    if expect.startswith("accept"):
        assert answer.status == 200, f"{answer.status} {answer.marks}"
        assert answer.marks["launch"] in ("ok", "waiting")
    else:
        assert answer.status // 100 == 4
        assert answer.marks["launch"] == "refused"
        assert stand.log(answer.marks["reference"])["code"] == answer.marks["code"]


@if_present
def test_no_recorded_file_is_left_out() -> None:
    """Every file of the collection is played here or read by a test of its own."""
    files = {name_of(path) for path in VECTORS.rglob("*") if path.is_file()}
    assert files == {name_of(path) for path in PLAYED} | OTHERS
    sources = [path.read_text() for path in Path(__file__).parents[2].rglob("test_*.py") if path != Path(__file__)]
    unread = [name for name in OTHERS - {"README.md"} if not any(Path(name).name in text for text in sources)]
    assert not unread


@if_present
def test_every_recorded_launch_is_verified_with_its_own_signature_too() -> None:
    """The launches that the tests of ltikit verify are all there are: none is skipped because of its kind."""
    from tests.spec.test_lti11_recorded import LAUNCHES as of_11
    from tests.spec.test_lti13_recorded import recorded_launches

    kinds = {path.stem: json.loads(path.read_text("utf-8")) for path in PLAYED}
    wanted_11 = {stem for stem, one in kinds.items() if "claims" not in one}
    wanted_13 = {stem for stem, one in kinds.items() if "claims" in one and "lti" in one}
    assert {message["name"] for message in of_11} == wanted_11
    assert {path.stem for path in recorded_launches()} == wanted_13
