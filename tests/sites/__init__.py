"""A matrix of sites: small real projects, one journey for all, over real servers and in a real browser.

A site is a `Row` in one of the modules below `rows/`. It says in what it differs from the plain project of
`settings.py` and `urls.py`, which is the README's five steps and no more:

    Row(
        "django-allauth",
        packages=("django-allauth",),                      # that requirements-dev.txt lacks; shown with versions
        apps=("allauth", "allauth.account"),
        middleware=("allauth.account.middleware.AccountMiddleware",),
        settings={"LOGIN_URL": "account_login"},           # or a function of the plain settings
        urls=lambda: [path("accounts/", include("allauth.urls")), site_page()],
        sign_in=SignIn("/accounts/login/", {"login": NAME, "password": PASSWORD}),
    )

`journey.py` has the steps, which are the table's columns; `wire.py` and `chromium.py` walk them, one with bare requests
and sockets, one in a browser. `outages.py` has what a server is asked beside them: a lost network, a stop.

    .venv/bin/python -m pytest tests/sites -m "not packages"     # the rows that need only requirements-dev.txt
    .venv/bin/python -m pytest tests/sites -k "uuid or jinja"    # some rows
    make sites                                                   # all, and the table in docs/sites.md
"""
