"""Tenants as django-tenants has them: each with a schema and a host of its own."""
