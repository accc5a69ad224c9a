"""The search of the menu: by the words of its lines, of what this viewer may open. Nothing is kept."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from backoffice.navigation import navigation

LONGEST = 60


def search(request: HttpRequest) -> HttpResponse:
    words = request.GET.get("s", "").strip().lower()[:LONGEST]
    if not words:
        return HttpResponse()
    results = [
        {"title": item["title"], "description": group["title"], "link": item["link"], "icon": item["icon"]}
        for group in navigation(request)
        for item in group["items"]
        if words in str(item["title"]).lower()
    ]
    return TemplateResponse(
        request, "unfold/helpers/search_results.html", {"results": results}, headers={"HX-Trigger": "search"}
    )
