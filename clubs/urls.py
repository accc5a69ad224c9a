"""Addresses of the clubs room."""

from django.urls import path

from clubs.views import ClubList

urlpatterns = [path("", ClubList.as_view(), name="club-list")]
