"""A view of Django REST framework, by its defaults."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class Data(APIView):
    def get(self, request: Request) -> Response:
        return Response({"user": str(request.user.pk)})

    post = get
