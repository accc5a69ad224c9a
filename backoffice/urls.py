"""The addresses of our own pages, under /admin/ and in its namespace: `admin:<name>`."""

from __future__ import annotations

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path

from backoffice import pages_club, pages_slots
from backoffice.auditing import AuditPage
from backoffice.board import BoardPage
from backoffice.clients import ClientPage
from backoffice.closing import CloseDayPage
from backoffice.money import MoneyPage
from backoffice.pages import Page
from backoffice.recovering import ForgottenPage, PasswordLink
from backoffice.reports import ReportPage
from backoffice.signing import AccountPage, EndViewing, SecondFactorPage, SignIn, ViewAsPage

PAGES: list[type[Page]] = [
    BoardPage,
    CloseDayPage,
    ClientPage,
    MoneyPage,
    AuditPage,
    ReportPage,
    SecondFactorPage,
    AccountPage,
    ViewAsPage,
    EndViewing,
    pages_club.ChecklistPage,
    pages_club.StaffPage,
    pages_club.NewClubPage,
    pages_slots.SlotTools,
    pages_slots.SeasonPage,
    pages_slots.ChangePage,
    pages_slots.ImportPage,
    pages_slots.TemplateFile,
    pages_slots.ExportPage,
    pages_slots.JobPage,
]


def nowhere(request: HttpRequest, rest: str) -> HttpResponse:
    """The admin's way to a row's page on the site: no row of ours has one there, and some tables break it."""
    raise Http404


def page_urls() -> list[URLPattern]:
    sign_in = path("login/", SignIn.as_view(), name="login")
    invitation = path("invitation/<str:token>/", pages_club.InvitationPage.as_view(), name="invitation")
    forgotten = path("forgotten/", ForgottenPage.as_view(), name="admin_password_reset")  # the theme's sign-in links it
    by_letter = path("forgotten/<str:uidb64>.<str:token>/", PasswordLink.as_view(), name="password_link")
    return [
        sign_in,
        invitation,
        forgotten,
        by_letter,
        path("r/<path:rest>", nowhere),
        *(path(page.path, admin.site.admin_view(page.as_view()), name=page.name) for page in PAGES),
    ]
