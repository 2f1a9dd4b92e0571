"""The LMS on the other side: platforms, who launched from where, and every launch.

A *platform* is one LTI 1.1 key or one LTI 1.3 registration. Contexts belong to a deployment; LTI 1.1 has exactly one
deployment with an empty id. A launch without a context hangs on the deployment's context with an empty id.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from courseway.courses.models import Assignment, Course, Role
from courseway.lms.claim_rows import DeploymentClaim as DeploymentClaim
from courseway.lms.roster_rows import ContextRoster as ContextRoster
from courseway.lms.roster_rows import LmsDueDate as LmsDueDate
from courseway.lms.roster_rows import RosterCursor as RosterCursor
from courseway.lms.roster_rows import Section as Section
from courseway.lms.roster_rows import SectionMember as SectionMember
from courseway.orgs.ids import new_id
from courseway.orgs.models import FOLDED_LENGTH, Account, Organization, Person

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager


class Platform(models.Model):
    class Version(models.TextChoices):
        V11 = "1.1", "LTI 1.1"
        V13 = "1.3", "LTI 1.3"

    # None for a registration of the operator, from which nobody arrives. `shared` is the operator's one in the platform
    # of an organization whose claim of a deployment was approved: everything but the registration is its own.
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, null=True, related_name="platforms")
    shared = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="shares")
    public_id = models.CharField(max_length=20, unique=True, default=new_id, editable=False)
    version = models.CharField(max_length=3, choices=Version.choices)
    name = models.CharField(_("name"), max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    revoked_at = models.DateTimeField(null=True, blank=True)
    # Rises with every change of keys, addresses or revocation, so that a cached copy can be seen to be stale.
    config_version = models.PositiveIntegerField(default=1)
    # Two things that an owner may believe of this LMS, and nobody should by default: that its e-mail addresses are
    # their people's own (C1), and who it says opens a student's work (B9).
    trusts_emails = models.BooleanField(_("Trust this platform's e-mails"), default=False)
    accepts_actual_user = models.BooleanField(_("Open students' work from the LMS"), default=False)
    # Instructors need an owner's yes before they are teachers here (`instructors.py`).
    # The same LMS is known by the other version of LTI too (PlatformJoin).
    is_joined = models.BooleanField(default=False, db_default=False)
    asks_about_instructors = models.BooleanField(_("Ask before somebody teaches"), default=False, db_default=False)

    consumer_key: ConsumerKey
    registration: Registration
    deployments: RelatedManager[Deployment]

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(organization__isnull=False) | models.Q(shared=None), name="share_has_an_owner"
            )
        ]

    def __str__(self) -> str:
        return self.name or f"LTI {self.version}"

    @property
    def registered_as(self) -> Registration:
        """What the LMS told about itself: to us, or once to the operator for all its organizations."""
        return self.registration if self.shared is None else self.shared.registration

    @property
    def tenant(self) -> Organization:
        """The organization, of every platform from which somebody can arrive."""
        assert self.organization is not None  # noqa: S101 - what leads to a platform leads to an organization's
        return self.organization

    @property
    def tenant_id(self) -> int:
        assert self.organization_id is not None  # noqa: S101 - as above
        return self.organization_id


class ConsumerKey(models.Model):
    """LTI 1.1: key and secret. The key is unique in the installation, the secret encrypted at rest."""

    platform = models.OneToOneField(Platform, on_delete=models.CASCADE, related_name="consumer_key")
    key = models.CharField(_("LTI Consumer"), max_length=255, unique=True)
    secret_encrypted = models.TextField()
    reset_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.key


class Registration(models.Model):
    """LTI 1.3: what the platform gave us. (issuer, client id) is unique in the installation."""

    class DeploymentPolicy(models.TextChoices):
        ANY = "any", _("accept any deployment and list it")
        APPROVED = "approved", _("a new deployment waits for approval")

    platform = models.OneToOneField(Platform, on_delete=models.CASCADE, related_name="registration")
    issuer = models.CharField(_("Issuer (platform ID)"), max_length=500)
    client_id = models.CharField(_("Client ID"), max_length=255)
    authentication_url = models.URLField(_("Authentication request URL"), max_length=2000)
    token_url = models.URLField(_("Access token URL"), max_length=2000)
    keyset_url = models.URLField(_("Public keyset URL"), max_length=2000)
    audience = models.CharField(_("Token audience"), max_length=2000, blank=True)
    deployment_policy = models.CharField(max_length=10, choices=DeploymentPolicy.choices, default=DeploymentPolicy.ANY)
    # The platform's public keys as last read, and when they may be read again.
    keyset = models.TextField(blank=True)
    keyset_read_at = models.DateTimeField(null=True, blank=True)
    keyset_expires_at = models.DateTimeField(null=True, blank=True)
    keyset_tried_at = models.DateTimeField(null=True, blank=True)  # when somebody last set out to read them anew

    class Meta:
        constraints = [models.UniqueConstraint(fields=["issuer", "client_id"], name="registration_once")]

    def __str__(self) -> str:
        return f"{self.issuer} · {self.client_id}"


class NoticeSubscription(models.Model):
    """That a deployment's LMS shall send us notices (Platform Notification Service), and what became of it."""

    deployment = models.OneToOneField("Deployment", on_delete=models.CASCADE, related_name="notice_subscription")
    url = models.URLField(max_length=2000)
    kinds = models.JSONField(default=list)
    subscribed_at = models.DateTimeField(null=True, blank=True)
    greeted_at = models.DateTimeField(null=True, blank=True)  # when the LMS's test notice came
    detail = models.TextField(blank=True)  # why it was refused
    next_try_at = models.DateTimeField(null=True, db_index=True)
    lease_token = models.CharField(max_length=32, blank=True)

    def __str__(self) -> str:
        return f"{self.deployment} · {self.url}"


class Notice(models.Model):
    """One notice that came, signed and for us. The unique id is the guard against replays."""

    platform = models.ForeignKey(Platform, on_delete=models.CASCADE, related_name="notices")
    deployment = models.ForeignKey("Deployment", on_delete=models.CASCADE, related_name="notices")
    notice_id = models.CharField(max_length=255)
    kind = models.CharField(max_length=255)
    context_id = models.CharField(max_length=255, blank=True)
    context_title = models.CharField(max_length=500, blank=True)
    origin_context_ids = models.JSONField(default=list)
    received_at = models.DateTimeField(db_index=True)
    outcome = models.CharField(max_length=40, blank=True)
    tries = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, db_index=True)
    lease_token = models.CharField(max_length=32, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["platform", "notice_id"], name="notice_once")]

    def __str__(self) -> str:
        return f"{self.kind} · {self.notice_id}"


class RegistrationLink(models.Model):
    """A one-time link by which an LMS registers us for an organization (`registration_links`). Its hash is kept."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="registration_links")
    token_hash = models.CharField(max_length=64, unique=True)
    made_by = models.ForeignKey(Account, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    held_until = models.DateTimeField(null=True, blank=True)  # a registration is under way
    used_at = models.DateTimeField(null=True, blank=True)
    platform = models.ForeignKey(Platform, on_delete=models.SET_NULL, null=True, related_name="+")  # what it made

    def __str__(self) -> str:
        return f"{self.organization} until {self.expires_at}"


class InstructorApproval(models.Model):
    """An instructor of a platform where owners are asked first. Waits until `approved_at` is set."""

    platform = models.ForeignKey(Platform, on_delete=models.CASCADE, related_name="instructor_approvals")
    lms_user_id = models.CharField(max_length=255)
    name = models.CharField(max_length=255, blank=True)
    email = models.CharField(max_length=254, blank=True)
    asked_at = models.DateTimeField()
    approved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name", "pk"]
        constraints = [models.UniqueConstraint(fields=["platform", "lms_user_id"], name="instructor_once_per_platform")]

    def __str__(self) -> str:
        return self.name or self.email or self.lms_user_id


class ToolKey(models.Model):
    """A key pair of ours (`tool_keys`). All published ones stand in our keyset; the newest whose time came signs."""

    kid = models.CharField(max_length=100, unique=True)
    private_pem_encrypted = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)
    signs_from = models.DateTimeField(null=True, blank=True)  # null: from the beginning
    retired_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.kid


class Deployment(models.Model):
    platform = models.ForeignKey(Platform, on_delete=models.CASCADE, related_name="deployments")
    deployment_id = models.CharField(max_length=255, blank=True)
    approved = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)

    contexts: RelatedManager[Context]

    class Meta:
        constraints = [models.UniqueConstraint(fields=["platform", "deployment_id"], name="deployment_once")]

    def __str__(self) -> str:
        return self.deployment_id or "–"


class PlatformJoin(models.Model):
    """An LTI 1.3 registration and the LTI 1.1 key that the same LMS used before: by a signed claim, or by an owner.

    Unsigned ids of that time count only where there is one (`upgrades.py`). An empty deployment id means all.
    """

    platform = models.ForeignKey(Platform, on_delete=models.CASCADE, related_name="former_platforms")
    deployment_id = models.CharField(max_length=255, blank=True)
    former = models.ForeignKey(Platform, on_delete=models.CASCADE, related_name="later_platforms")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["platform", "deployment_id", "former"], name="platform_join_once")
        ]

    def __str__(self) -> str:
        return f"{self.former} → {self.platform}"


class Context(models.Model):
    """An LMS course or section. An empty `context_id` stands for launches outside any course."""

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="contexts")
    context_id = models.CharField(max_length=255, blank=True)
    title = models.CharField(max_length=500, blank=True)
    label = models.CharField(max_length=255, blank=True)
    offering_sourcedid = models.CharField(max_length=255, blank=True)
    section_sourcedid = models.CharField(max_length=255, blank=True)
    roster_url = models.URLField(max_length=2000, blank=True)
    # Which service that is (`ltikit.launch.RosterKind`), and what the oldest one asks by; where groups are listed.
    roster_kind = models.CharField(max_length=8, blank=True, default="", db_default="")
    roster_id_encrypted = models.TextField(blank=True, default="", db_default="")
    groups_url = models.URLField(max_length=2000, blank=True, default="", db_default="")
    group_sets_url = models.URLField(max_length=2000, blank=True, default="", db_default="")
    family = models.CharField(max_length=60, blank=True)  # canvas, moodle, … as the platform says; quirks go by it
    # The LMS course's own address as far as a launch tells (`launch_details.guess_course_url`); only ever proposed.
    guessed_url = models.URLField(max_length=2000, blank=True, default="", db_default="")
    created_at = models.DateTimeField(default=timezone.now)

    resource_links: RelatedManager[ResourceLink]
    roster: ContextRoster

    class Meta:
        constraints = [models.UniqueConstraint(fields=["deployment", "context_id"], name="context_once")]

    def __str__(self) -> str:
        return self.title or self.label or self.context_id or "–"


class CourseContext(models.Model):
    """A context that opened a course, and by which rule it was matched."""

    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="course_contexts")
    context = models.ForeignKey(Context, on_delete=models.CASCADE, related_name="course_contexts")
    identity = models.CharField(max_length=255, blank=True)
    rule = models.CharField(max_length=40)
    # The context through which the course was connected first: its instructors teach the whole course (C5).
    is_first = models.BooleanField(default=False)
    # A teacher looked at how it was matched and agreed.
    accepted_at = models.DateTimeField(null=True, blank=True)
    # This LMS course's own address; where it is empty, the course's one counts.
    lms_url = models.URLField(max_length=2000, blank=True, default="", db_default="")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["course", "context"], name="course_context_once"),
            models.UniqueConstraint(
                fields=["course"], condition=models.Q(is_first=True), name="one_first_context_per_course"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.context} → {self.course}"


class CourseIdentity(models.Model):
    """A name by which a platform's launches mean a course: a source id, a target, or the LMS course itself.

    Unique per platform, so that of any number of first launches at once exactly one makes the copy.
    """

    platform = models.ForeignKey(Platform, on_delete=models.CASCADE, related_name="course_identities")
    identity = models.CharField(max_length=255)
    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="lms_identities")
    rule = models.CharField(max_length=40)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "course identities"
        constraints = [models.UniqueConstraint(fields=["platform", "identity"], name="course_identity_once")]

    def __str__(self) -> str:
        return f"{self.identity} → {self.course}"


class ParentReplacement(models.Model):
    """A new term's master in the place of an old one: copies are made of it, though links still name the old one."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="parent_replacements")
    old_parent = models.OneToOneField(Course, on_delete=models.CASCADE, related_name="replaced_by")
    new_parent = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="replaces")
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.old_parent} → {self.new_parent}"


class ResourceLink(models.Model):
    """One placed link. It opens one assignment at a time; pointed elsewhere in the LMS, it is resolved anew."""

    context = models.ForeignKey(Context, on_delete=models.CASCADE, related_name="resource_links")
    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="resource_links")
    resource_link_id = models.CharField(max_length=255)
    title = models.CharField(max_length=500, blank=True)
    assignment = models.ForeignKey(
        Assignment, on_delete=models.CASCADE, null=True, blank=True, related_name="resource_links"
    )
    rule = models.CharField(max_length=40, blank=True)
    # What the link asked for (`resolve.describe_target`); when it asks for something else it is resolved anew.
    target = models.CharField(max_length=120, blank=True)
    send_grade = models.CharField(max_length=20, default="grade_release")
    # The grade service as the newest launch of this link offered it. Most platforms offer the same in a whole context,
    # Open edX has an own address, and own rights, for each link.
    lineitem_url = models.URLField(max_length=2000, blank=True)
    lineitems_url = models.URLField(max_length=2000, blank=True)
    ags_scopes = models.TextField(blank=True)  # space-separated
    # The same link as the LMS launched it by the other version of LTI.
    twin = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="twins")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["deployment", "resource_link_id"], name="resource_link_once")]
        indexes = [models.Index(fields=["assignment"], name="link_by_assignment")]

    def __str__(self) -> str:
        return self.title or self.resource_link_id


class LmsIdentity(models.Model):
    """A person as one platform knows them. Names and e-mail stay here; they never sign in anybody."""

    platform = models.ForeignKey(Platform, on_delete=models.CASCADE, related_name="identities")
    lms_user_id = models.CharField(max_length=255)
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="lms_identities")
    name = models.CharField(max_length=255, blank=True)
    email = models.CharField(max_length=255, blank=True)
    # The same without case, to be found by; whoever writes `email` past `save` writes both.
    folded_email = models.CharField(max_length=FOLDED_LENGTH, blank=True, default="", db_default="")
    is_test_user = models.BooleanField(default=False)
    # The value of the field that the organization chose for its exports (`launch_details.read_lti_id`).
    lti_id = models.CharField(max_length=255, blank=True, default="", db_default="")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "LMS identities"
        constraints = [models.UniqueConstraint(fields=["platform", "lms_user_id"], name="identity_once")]
        indexes = [
            models.Index(fields=["lms_user_id"], name="identity_by_user_id"),
            models.Index(fields=["folded_email"], name="identity_by_email"),
        ]

    def __str__(self) -> str:
        return self.name or self.lms_user_id

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        self.folded_email = self.email.casefold()
        if update_fields is not None and "email" in update_fields:
            update_fields = [*update_fields, "folded_email"]
        super().save(*args, update_fields=update_fields, **kwargs)


class ContextMembership(models.Model):
    """What the LMS says a person is in a context; overwritten by each launch."""

    context = models.ForeignKey(Context, on_delete=models.CASCADE, related_name="memberships")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="context_memberships")
    role = models.CharField(max_length=10, choices=Role.choices)
    active = models.BooleanField(default=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["context", "person"], name="context_membership_once")]
        indexes = [models.Index(fields=["person", "role"], name="membership_by_person")]

    def __str__(self) -> str:
        return f"{self.person} · {self.role}"


class MentorScope(models.Model):
    """Whose work a mentor may see in a course (G1): the list of the newest launch, and the one set by a program.

    `learners` holds e-mail addresses and LMS user ids as they were sent; ids mean people of `platform` alone.
    """

    class Source(models.TextChoices):
        LAUNCH = "launch", _("LMS")
        API = "api", _("set here")

    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="mentor_scopes")
    mentor = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="mentor_scopes")
    source = models.CharField(max_length=6, choices=Source.choices)
    platform = models.ForeignKey(Platform, on_delete=models.CASCADE, null=True, related_name="mentor_scopes")
    learners = models.JSONField(default=list)
    stated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["course", "mentor", "source"], name="one_mentor_scope_per_source")
        ]

    def __str__(self) -> str:
        return f"{self.mentor} · {self.course} · {self.source}"


class Arrival(models.Model):
    """A person at a link: where the last launch led and by which facts.

    `key` names (platform, LMS user, deployment, link) and `fingerprint` everything a launch may change. When both
    are known the launch is the same as the last one, and one statement logs it and finds the way (house rule).
    """

    key = models.CharField(max_length=43, unique=True)
    fingerprint = models.CharField(max_length=43)
    platform = models.ForeignKey(Platform, on_delete=models.CASCADE, related_name="arrivals")
    identity = models.ForeignKey(LmsIdentity, on_delete=models.CASCADE, related_name="arrivals")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="arrivals")
    resource_link = models.ForeignKey(ResourceLink, on_delete=models.CASCADE, related_name="arrivals")
    context = models.ForeignKey(Context, on_delete=models.CASCADE, related_name="arrivals")
    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="arrivals")
    # None where the link opens a course, not an assignment of it.
    assignment = models.ForeignKey(Assignment, on_delete=models.CASCADE, null=True, related_name="arrivals")
    role = models.CharField(max_length=10, choices=Role.choices)
    rule = models.CharField(max_length=40)
    outcome_url = models.URLField(max_length=2000, blank=True)
    # What the LMS takes besides the score (`ltikit.launch.Outcomes.accepts`), separated by blanks.
    outcome_accepts = models.CharField(max_length=100, blank=True, default="", db_default="")
    result_sourcedid_encrypted = models.TextField(blank=True)  # a capability: whoever has it may write the grade
    arrived_at = models.DateTimeField(default=timezone.now)
    # The person came through the twin of the link since: grades go by that one.
    superseded_by = models.ForeignKey(
        ResourceLink, on_delete=models.SET_NULL, null=True, blank=True, related_name="superseding", db_index=False
    )

    class Meta:
        indexes = [
            models.Index(fields=["assignment", "person"], name="arrival_at_assignment"),
            models.Index(fields=["resource_link", "person"], name="arrival_at_link"),
            # Of the few that were: an index of all would tempt PostgreSQL to find an arrival by what nearly none has.
            models.Index(
                fields=["superseded_by"],
                condition=models.Q(superseded_by__isnull=False),
                name="arrival_superseded",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person} at {self.resource_link}"


class Launch(models.Model):
    """One message from a platform and what became of it. The unique `replay_key` is the replay guard.

    The log is the table that grows fastest, and a class opens one assignment at once: the database checks none of its
    references, since each check would lock the same few rows. What is deleted is taken out of it all the same; an id
    that a launch of that very moment still wrote leads nowhere.
    """

    class Outcome(models.TextChoices):
        OK = "ok", _("opened")
        WAITING = "waiting", _("waiting for a choice")
        REFUSED = "refused", _("refused")

    reference = models.CharField(max_length=20, unique=True, default=new_id, editable=False)
    at = models.DateTimeField(default=timezone.now)
    replay_key = models.CharField(max_length=43, unique=True, null=True)
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, null=True, related_name="launches", db_constraint=False, db_index=False
    )
    platform = models.ForeignKey(
        Platform, on_delete=models.SET_NULL, null=True, related_name="launches", db_constraint=False, db_index=False
    )
    version = models.CharField(max_length=3, blank=True)
    lms_context_id = models.CharField(max_length=255, blank=True)  # as the message said, also of a refused one
    context = models.ForeignKey(
        Context, on_delete=models.SET_NULL, null=True, related_name="launches", db_constraint=False
    )
    person = models.ForeignKey(
        Person, on_delete=models.SET_NULL, null=True, related_name="launches", db_constraint=False
    )
    course = models.ForeignKey(
        Course, on_delete=models.SET_NULL, null=True, related_name="launches", db_constraint=False
    )
    assignment = models.ForeignKey(
        Assignment, on_delete=models.SET_NULL, null=True, related_name="launches", db_constraint=False
    )
    role = models.CharField(max_length=10, blank=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    code = models.CharField(max_length=40, blank=True)  # of the refusal or notice
    step = models.CharField(max_length=40, blank=True)  # the step that failed
    detail = models.TextField(blank=True)
    rule = models.CharField(max_length=40, blank=True)
    landed_on = models.CharField(max_length=255, blank=True)
    # What the LMS sent, masked, as JSON (`ltikit.parameters`). Empty for a launch that said the same as the one before.
    message = models.TextField(blank=True, default="", db_default="")

    class Meta:
        verbose_name_plural = "launches"
        indexes = [
            models.Index(fields=["organization", "-id"], name="launches_of_organization"),
            models.Index(fields=["platform", "-id"], name="launches_of_platform"),
        ]

    def __str__(self) -> str:
        return f"{self.reference} · {self.outcome}"


class UsedTabCode(models.Model):
    """A code that carried a launch from a frame into a new tab (`new_tab.py`). Kept while it could be tried again."""

    digest = models.CharField(max_length=43, unique=True)
    used_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.digest


class PendingSelection(models.Model):
    """A verified message that waits for a teacher's choice, and what was picked so far. Used once, then emptied."""

    reference = models.CharField(max_length=20, unique=True)  # of its Launch
    platform = models.ForeignKey(Platform, on_delete=models.CASCADE, related_name="selections")
    # What the message asked for (`resolve.Target`), and the message itself, encrypted: it holds names and capabilities.
    target_kind = models.CharField(max_length=20)
    target_id = models.CharField(max_length=40, blank=True)
    launch_encrypted = models.TextField(blank=True)
    chosen = models.JSONField(default=list)  # public ids of assignments
    makes_columns = models.BooleanField(default=True)
    opens_in_frame = models.BooleanField(default=False)
    # Whose courses may be chosen from besides the LMS person's own, by a proof made in this selection.
    account = models.ForeignKey(Account, on_delete=models.CASCADE, null=True, related_name="+")
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.reference
