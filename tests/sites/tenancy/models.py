from __future__ import annotations

from django_tenants.models import DomainMixin, TenantMixin


class Tenant(TenantMixin):
    class Meta:
        app_label = "tenancy"


class Domain(DomainMixin):
    class Meta:
        app_label = "tenancy"
