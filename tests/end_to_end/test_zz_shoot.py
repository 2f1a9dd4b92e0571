"""Screenshots of my pages at two widths."""
import pytest, sys
from django.test import Client
from datetime import datetime, UTC
from decimal import Decimal
from playwright.sync_api import sync_playwright
from axe_playwright_python.sync_playwright import Axe
from tests.cast import make_cast
from tests.visits import make_lms11, make_lms13
from tests.end_to_end.chromium import find_chromium
from tests.end_to_end.demo import CHROMIUM_ARGUMENTS
from courseway.courses.models import Course
from courseway.courses.copying import copy_course
from courseway.lms.models import Launch, CourseContext, Context
from courseway.lms.parent_replacement import replace_parent
from courseway.learning.scoring import set_grade
from courseway.orgs.models import Person

@pytest.mark.django_db(transaction=True)
def test_shoot(live_server, settings):
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = False
    cast = make_cast(); now = datetime.now(UTC)
    lms = make_lms11(cast.acme)
    lms.launch(Client(), f"/lti/a/{cast.operators.public_id}")
    sally = Person.objects.get(lms_identities__lms_user_id="user-1")
    set_grade(assignment=cast.operators, person=sally, percent=Decimal(80), complete=True, release=True, now=now)
    Course.objects.filter(pk=cast.course.pk).update(constant_urls=True, course_copy=True, enroll_only=False)
    cast.course.refresh_from_db()
    lms.launch(Client(), f"/lti/c/{cast.operators.content_id}", context_id="c-f", context_title="Python, Fall 2026", resource_link_id="l-f", lis_course_offering_sourcedid="SIS-F26", custom_parent_course_id=cast.course.public_id, launch_presentation_return_url="https://canvas.example/courses/12/external_content/success")
    child = Launch.objects.latest("pk").course
    lms.launch(Client(), f"/lti/c/{cast.operators.content_id}", context_id="c-g", context_title="Python, Fall 2026, section 2", resource_link_id="l-g", lis_course_offering_sourcedid="SIS-F26", custom_parent_course_id=cast.course.public_id)
    new = copy_course(cast.course, title="Python basics 2027", now=now); Course.objects.filter(pk=new.pk).update(course_copy=True)
    new.refresh_from_db(); replace_parent(cast.course, new, now=now)
    owner = Client(); owner.force_login(cast.olive)
    other = Course.objects.create(organization=cast.acme, title="Fresh", lti_enabled=True)
    cookies = [{"name": n, "value": m.value, "domain": "localhost", "path": "/"} for n, m in owner.cookies.items()]
    url = live_server.url.replace("127.0.0.1", "localhost")
    c = f"/courses/{cast.course.public_id}"
    pages = {"tab": c + "/lti/", "overview": c + "/", "review": f"/courses/{child.public_id}/lti/connections", "org": "/o/acme/connections", "ltiid": "/o/acme/lti/lti-id", "gradebook": c + "/gradebook/", "launches": "/o/acme/launches", "fresh": f"/courses/{other.public_id}/lti/connections"}
    with sync_playwright() as p:
        b = p.chromium.launch(executable_path=str(find_chromium()), args=CHROMIUM_ARGUMENTS)
        for width in (1200, 360):
            ctx = b.new_context(viewport={"width": width, "height": 900}); ctx.add_cookies(cookies)
            page = ctx.new_page()
            page.on("console", lambda m: print("CONSOLE", m.text))
            for name, path in pages.items():
                r = page.goto(url + path); print(name, r.status)
                if name == "overview":
                    page.locator("details.menu summary").nth(1).click()
                page.screenshot(path=f"/tmp/shots/{name}-{width}.png", full_page=True)
                over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                v = Axe().run(page).response["violations"]
                print(name, width, "wider", over, [(x["id"], x["impact"], x["nodes"][0]["html"][:160]) for x in v])
            page.goto(url + pages["tab"])
            page.get_by_label("Enroll to course only").check(); page.get_by_label("Hide not started assignments").check()
            page.get_by_role("button", name="Save changes").click()
            page.screenshot(path=f"/tmp/shots/question-{width}.png", full_page=True)
            v = Axe().run(page).response["violations"]; print("question", [(x["id"], x["nodes"][0]["html"][:160]) for x in v])
            page.goto(url + pages["review"]); page.get_by_text("Change").first.click(); page.screenshot(path=f"/tmp/shots/change-{width}.png", full_page=True)
        b.close()
