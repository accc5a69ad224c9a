"""The list of clubs."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views import View

from clubs import selectors


class ClubList(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "clubs/list.html", {"clubs": selectors.public_clubs()})
