"""How allauth behaves here: nobody registers alone, and mails name our public address."""

from __future__ import annotations

import logging
from smtplib import SMTPException
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.contrib import messages
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from courseway.orgs.public_address import public_address

logger = logging.getLogger(__name__)

# What the next page shows anyway needs no message.
_UNSAID = tuple(f"account/messages/{name}.txt" for name in ("logged_in", "logged_out", "login_code_sent"))


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Accounts come from an operator or by an owner's invitation."""
        return False

    def add_message(
        self, request: HttpRequest, level: int, message_template: str | None = None, *args: Any, **kwargs: Any
    ) -> None:
        if message_template not in _UNSAID:
            super().add_message(request, level, message_template, *args, **kwargs)

    def format_email_subject(self, subject: str) -> str:
        return str(subject)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """A mail server that does not answer is no reason for an error page: the person is told."""
        try:
            super().send_mail(template_prefix, email, {**context, "sign_in_url": public_address("account_login")})
        except (OSError, SMTPException) as error:
            logger.error("A mail could not be sent: %s", type(error).__name__)
            if self.request is not None:
                messages.error(self.request, _("The mail could not be sent. Please try again in some minutes."))

    def get_reset_password_from_key_url(self, key: str) -> str:
        # allauth gives the two halves of the key joined by a hyphen; neither the first half nor its pattern has one.
        user, _hyphen, token = key.partition("-")
        return public_address("account_reset_password_from_key", user, token)

    def get_email_confirmation_url(self, request: HttpRequest, emailconfirmation: Any) -> str:
        return public_address("account_confirm_email", emailconfirmation.key)

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("account_home")
