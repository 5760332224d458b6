"""The request's side: how the middleware judges a request, and what the response tells."""
