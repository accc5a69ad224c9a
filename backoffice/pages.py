"""Pages of the back office that are not a list or a form of one table: one club at a time, by its clock."""

from __future__ import annotations

from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.functional import cached_property
from django.views.generic import TemplateView

from clubs.models import Club
from palms.actors import Actor
from palms.admin import EVERYBODY, actor_of, is_platform_admin, roles_of

CHOSEN = "backoffice_club"  # of the session: the club whose pages were opened last
MOST_CLUBS = 200


class Page(TemplateView):
    """A page in the frame of the admin. `path` and `name` are its address, `readers` the roles that may open it.

    The template extends `backoffice/page.html`.
    """

    path: ClassVar[str]
    name: ClassVar[str]
    title: ClassVar[Any]
    readers: ClassVar[frozenset[str]] = EVERYBODY

    @classmethod
    def is_open_to(cls, request: HttpRequest) -> bool:
        return is_platform_admin(request) or not cls.readers.isdisjoint(roles_of(request).values())

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not self.is_open_to(request):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    @property
    def actor(self) -> Actor:
        return actor_of(self.request)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = {**admin.site.each_context(self.request), "title": self.title, "page": self}
        return super().get_context_data(**context, **kwargs)


class OwnPage(Page):
    """A page about the viewer, whatever their clubs."""

    @classmethod
    def is_open_to(cls, request: HttpRequest) -> bool:
        return True

    @property
    def user_id(self) -> int:
        return int(self.request.user.pk or 0)


class ClubPage(Page):
    """A page about one club: `?club=`, or the one opened last, or the viewer's first. Another's club is 404.

    While it is made and rendered, the club's clock is in force.
    """

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.request = request
        if not self.clubs and not is_platform_admin(request):
            raise PermissionDenied
        with timezone.override(self.zone):
            response: Any = super().dispatch(request, *args, **kwargs)
            return response.render() if hasattr(response, "render") else response

    @cached_property
    def clubs(self) -> list[Club]:
        """The clubs that the viewer can choose among, by name."""
        rows = Club.objects.order_by("name", "pk")
        if not is_platform_admin(self.request):
            mine = [club_id for club_id, role in roles_of(self.request).items() if role in self.readers]
            rows = rows.filter(pk__in=mine)
        return list(rows[:MOST_CLUBS])

    @cached_property
    def club(self) -> Club:
        asked = self.request.GET.get("club") or self.request.POST.get("club")
        if asked:
            found = [club for club in self.clubs if str(club.pk) == asked]
            if not found:
                raise Http404
            if self.request.session.get(CHOSEN) != found[0].pk:
                self.request.session[CHOSEN] = found[0].pk
            return found[0]
        last = self.request.session.get(CHOSEN)
        chosen = next((club for club in self.clubs if club.pk == last), None) or next(iter(self.clubs), None)
        if chosen is None:
            raise Http404
        return chosen

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.club.timezone)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(club=self.club, clubs=self.clubs, **kwargs)
